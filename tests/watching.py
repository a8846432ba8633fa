"""A `repoctx watch` that runs in a process of its own, and what it says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from running import PROGRAM, until


class Watching:
    """A running `repoctx watch --json`."""

    def __init__(self, folder: Path, log: Path, *arguments: str, prefix: tuple[str, ...] = (), **settings: str) -> None:
        self._out, self._errors = log.with_suffix(".out"), log.with_suffix(".err")
        with self._out.open("wb") as out, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*prefix, *PROGRAM, "watch", "--json", *arguments], cwd=folder, env={**os.environ, **settings},
                stdin=subprocess.DEVNULL, stdout=out, stderr=errors, start_new_session=True,
            )  # fmt: skip

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What it has said of its index runs."""
        return [json.loads(line) for line in self._out.read_text(encoding="utf-8").splitlines(keepends=True)
                if line.endswith("\n")]  # fmt: skip

    @property
    def errors(self) -> str:
        """What it has complained of."""
        return self._errors.read_text(encoding="utf-8")

    def run(self, number: int) -> dict[str, Any]:
        """The index run of a number, from 1, as soon as there is one; there may be none after it."""

        def look() -> list[dict[str, Any]]:
            assert self.process.poll() is None or len(self.runs) >= number, self.errors
            return self.runs[number - 1 :]

        found = until(look, f"run {number} of {self.runs}, {self.errors}")
        assert len(found) == 1, found
        return found[0]

    def end(self, number: int = signal.SIGINT) -> int:
        """End it by a signal: its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextlib.contextmanager
def watching(folder: Path, log: Path, *arguments: str, prefix: tuple[str, ...] = (),
             settings: Mapping[str, str] | None = None) -> Iterator[Watching]:  # fmt: skip
    """A `repoctx watch`, and nothing of it afterwards."""
    found = Watching(folder, log, *arguments, prefix=prefix, **(settings or {}))
    try:
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(found.process.pid, signal.SIGKILL)
        found.process.wait()
