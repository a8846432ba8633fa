"""A service in processes of its own: started, asked, killed, started again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from repoctx.serve.signatures import sample

PROGRAM = (sys.executable, "-c", "from repoctx.serve.cli import main; main()")
Found = TypeVar("Found")
# How long anything may take that is waited for, on a machine with much else to do.
PATIENCE = 120.0


def until(look: Callable[[], Found], what: str, patience: float = PATIENCE) -> Found:
    """What `look` finds as soon as it finds something."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        if found := look():
            return found
        threading.Event().wait(0.05)
    raise AssertionError(f"waited in vain: {what}")


class Running:
    """`repoctx serve` and its workers."""

    def __init__(self, home: Path, settings: Mapping[str, str], *options: str) -> None:
        self.home, self.port = home, 0
        self._environment = {**os.environ, "REPOCTX_HOME": str(home), **settings}
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(timeout=30)

    def start(self) -> None:
        """Start it, on the port that it had before if there was one."""
        log = self.home / "serve.log"
        self.home.mkdir(parents=True, exist_ok=True)
        begins = log.stat().st_size if log.exists() else 0
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*PROGRAM, "serve", "--port", str(self.port), "--log", "json", *self._options],
                env=self._environment, stdin=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip

        def address() -> re.Match[bytes] | None:
            with log.open("rb") as file:
                file.seek(begins)
                return re.search(rb"serves http://127\.0\.0\.1:(\d+)", file.read())

        self.port = int(until(address, "the service's address")[1])
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{self.port}")
        until(lambda: self.ask("GET", "/readyz"), "a service that is ready")

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.home / "serve.log").read_text(encoding="utf-8")

    @property
    def workers(self) -> list[int]:
        """The processes that it has started: its workers, and those that answer if there are several."""
        assert self._process is not None
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
            threads = Path(f"/proc/{self._process.pid}/task").iterdir()
            return sorted({int(pid) for one in threads for pid in (one / "children").read_text().split()}) or [
                int(pid) for pid in children.split()
            ]
        return []

    def kill(self) -> None:
        """Kill the process that answers; its workers end when they notice."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_workers(self) -> None:
        """Kill every worker; the service starts others."""
        for pid in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """End it as an operator does: its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def close(self) -> None:
        """Leave nothing behind."""
        self.client.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """An answer that is a success, None otherwise: while the service is away, or asks to come again."""
        try:
            answer = self.client.request(method, path, **options)
        except httpx.TransportError:
            return None
        return answer if answer.is_success else None

    def told(
        self, forge: str, name: str, url: str, ref: str, before: str | None, after: str | None, secret: str
    ) -> None:
        """Deliver a push as a forge does that comes again until it is acknowledged."""
        headers, body = sample(forge, url, ref, before, after, secret, str(uuid.uuid4()), time.time())
        path = f"/v1/webhooks/{forge}?repository={name}"
        until(lambda: self.ask("POST", path, content=body, headers=headers), "an acknowledgement")

    def idle(self) -> None:
        """Wait until no job is open."""
        open_jobs = {"state": ["waiting", "running"]}

        def done() -> bool:
            answer = self.ask("GET", "/v1/jobs", params=open_jobs)
            return answer is not None and answer.json()["items"] == []

        until(done, "the end of all jobs")


@contextlib.contextmanager
def running(home: Path, settings: Mapping[str, str], *options: str) -> Iterator[Running]:
    """A service that runs, and nothing of it afterwards."""
    service = Running(home, settings, *options)
    try:
        service.start()
        yield service
    finally:
        service.close()
