"""How does MCP run on standard input and output? Until the input closes, with nothing else on the output."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from mcp.server.stdio import stdio_server

from repoctx.errors import RepoctxError
from repoctx.model.cancel import Cancellation
from repoctx.serve.mcp.server import parts, server

if TYPE_CHECKING:
    from repoctx.serve.mcp.reach import Asker
    from repoctx.store.tasks import Task
    from repoctx.workspace import Workspace

# How long the end waits for tasks that are broken off, in seconds.
END_SECONDS = 2.0


def serve(flags: Mapping[str, Any], only: tuple[str, ...], ref: str | None) -> None:
    """Answer the one client at the other end. The index is opened beside its first requests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a thread that waits for input hears of no exception
    own = _Own()
    asker = _once(lambda: _asker(flags, only, ref, own))
    threading.Thread(target=_warm, args=(asker,), daemon=True, name="warm").start()

    async def answer() -> None:
        answering = server(lambda _: asker())
        async with stdio_server() as (heard, said):
            await answering.run(heard, said, answering.create_initialization_options())

    try:
        anyio.run(answer)
    except BaseExceptionGroup as failed:
        if (others := failed.split(BrokenPipeError)[1]) is not None:  # but that the other end has gone
            raise others from None
    own.end()
    sys.stderr.flush()
    os._exit(0)  # a thread that still looks something up does not hold the end up


def _asker(flags: Mapping[str, Any], only: tuple[str, ...], ref: str | None, own: _Own) -> Asker:
    parts()
    from repoctx.serve import logs
    from repoctx.serve.mcp.reach import Asker, Doing
    from repoctx.workspace import Workspace

    logs.quiet()
    return Asker(Workspace(None, flags), Doing(own.begin, local=True), only=only, ref=ref, here=True)


def _warm(asker: Callable[[], Asker]) -> None:
    """Open what will be asked about; what is wrong with it is told to who asks."""
    with suppress(RepoctxError, OSError):
        found = asker()
        from repoctx.serve.mcp import reach

        reach.state(found, None, None)


def _once(make: Callable[[], Asker]) -> Callable[[], Asker]:
    """What is made with the first call, whichever thread that comes from; again if that failed."""
    turn = threading.Lock()
    made: list[Asker] = []

    def get() -> Asker:
        with turn:
            if not made:
                made.append(make())
            return made[0]

    return get


class _Own:
    """The tasks that this process does, each in a thread. What is not finished when it ends can be gone on with."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._running: dict[threading.Thread, Cancellation] = {}

    def begin(self, workspace: Workspace, task: Task) -> None:
        """Do a task that is written down."""
        from repoctx import tasking

        def run() -> None:
            try:
                with suppress(RepoctxError):  # it is written down
                    tasking.run(workspace, task, cancellation)
            except Exception as error:  # a bug fails its task only
                structlog.get_logger().error("a task failed by an internal error", task=task.id, exc_info=error)
            finally:
                with self._turn:
                    self._running.pop(thread, None)

        cancellation = Cancellation()
        thread = threading.Thread(target=run, daemon=True, name="task")
        with self._turn:
            self._running[thread] = cancellation
        thread.start()

    def end(self) -> None:
        """Break off what is not finished, and wait a little until that is written down."""
        with self._turn:
            left = dict(self._running)
        for cancellation in left.values():
            cancellation.cancel()
        until = time.monotonic() + END_SECONDS
        for thread in left:
            thread.join(max(0.0, until - time.monotonic()))
