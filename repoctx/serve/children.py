"""Who keeps the other processes of a service running?"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import structlog

from repoctx.serve.background import PROGRAM

if TYPE_CHECKING:
    from repoctx.workspace import Workspace

# How long what is under way may take when a process is to end, in seconds.
GRACE = 10
# Seconds after which a process that ended is started again.
AGAIN = 1.0
# One whose beats stand still for so long, in seconds, is killed; a new one may take long to begin.
HANGS = 30.0

Beats = Callable[[int], int]  # number of a process -> its beats, which go on as long as it lives


@contextlib.contextmanager
def kept(what: str, arguments: Sequence[str], beats: Beats | None = None) -> Iterator[None]:
    """Keep `repoctx ARGUMENTS` running. It ends with us, however we end: its standard input closes then."""
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(what, arguments, beats, stop), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join(GRACE + 5)


def worker(opened: Workspace, style: str) -> contextlib.AbstractContextManager[None]:
    """Keep a worker running that shares the settings of our environment; `style` is the form of its log."""
    return kept("a worker", ["worker", "--attached", "--log", style], beats_of(opened))


def _keep(what: str, arguments: Sequence[str], beats: Beats | None, stop: threading.Event) -> None:
    """Start it, and again whenever it ends or hangs, until told to stop."""
    log = structlog.get_logger()
    while not stop.is_set():
        try:
            process = subprocess.Popen([*PROGRAM, *arguments], stdin=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            log.error(f"{what} cannot be started: trying again", error=str(error))
            stop.wait(AGAIN)
            continue
        last, since = -1, time.monotonic()
        while process.poll() is None and not stop.wait(0.2):
            if beats is None:
                continue
            if (found := beats(process.pid)) != last:
                last, since = found, time.monotonic()
            elif time.monotonic() - since > HANGS:
                log.error(f"{what} hangs: it is killed")
                process.kill()
                process.wait()
        if process.poll() is None:
            _end(process)
        elif not stop.is_set():
            log.error(f"{what} ended: it is started again", code=process.returncode)
            stop.wait(AGAIN)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def beats_of(opened: Workspace) -> Beats:
    """The beats of a worker on this machine; something else each time where they cannot be told."""
    from repoctx.errors import StorageError
    from repoctx.hosts import host
    from repoctx.store import workers
    from repoctx.store.connect import errors

    def beats(pid: int) -> int:
        try:
            with errors(opened.engine), opened.engine.connect() as connection:
                found = [one.beats for one in workers.every(connection) if (one.pid, one.host) == (pid, host())]
        except StorageError:
            return time.monotonic_ns()
        return found[0] if found else -2

    return beats
