"""Is there a real chat server to test against? A tiny mixture-of-experts model behind llama-server.

`make backend` builds it once (deploy/backend); tests that need it are skipped where it is missing.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Literal

import httpx
import pytest

Profile = Literal["native", "yarn"]

MODEL = "tiny-qwen3-moe"  # the name it is served under
NATIVE_WINDOW = 16_384  # tokens
WINDOWS: dict[Profile, int] = {"native": NATIVE_WINDOW, "yarn": 4 * NATIVE_WINDOW}

SERVE = Path(__file__).parents[1] / "deploy" / "backend" / "serve.sh"
STARTS = 3  # a port that was free may be taken by the time the server binds it
POLLS, POLL_SECONDS = 600, 0.1  # it is ready in about a second; a loaded machine may need a minute
STOP_SECONDS = 10.0


def binary() -> Path | None:
    """The built llama-server, or None unless both it and its model are in the cache folder."""
    cache = Path(os.environ.get("REPOCTX_BACKEND_CACHE") or Path.home() / ".cache" / "repoctx-backend")
    server = cache / "llama-server"
    return server if server.is_file() and (cache / "tiny.gguf").is_file() else None


@contextmanager
def running_server(profile: Profile) -> Iterator[str]:
    """The base URL (without `/v1`) of a server of `profile`, stopped at the end whatever happens.

    Skips the calling test where nothing is built. Raises RuntimeError with the end of the server's
    log when it does not become ready.
    """
    if binary() is None:
        pytest.skip("the test back end is not built: run `make backend`")
    with tempfile.TemporaryFile() as log, ExitStack() as stack:
        yield _start(profile, log, stack)


def _start(profile: Profile, log: IO[bytes], stack: ExitStack) -> str:
    """The base URL of a ready server, which ends with `stack`."""
    for _ in range(STARTS):
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        process = subprocess.Popen(
            ["bash", SERVE, profile, str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        stack.callback(_stop, process)
        if _becomes_ready(process, url):
            return url
    log.seek(0)
    end = log.read().decode(errors="replace")[-2_000:]
    raise RuntimeError(f"the {profile} back end did not become ready; the end of its log:\n{end}")


def _becomes_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    """True once `/health` answers 200 (it answers 503 while loading); False if the process ends first."""
    with httpx.Client(base_url=url, timeout=5.0, trust_env=False) as client:
        for _ in range(POLLS):
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            else:
                return False
            try:
                if client.get("/health").status_code == httpx.codes.OK:
                    return True
            except httpx.TransportError:
                continue
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process: first politely, then by force."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
