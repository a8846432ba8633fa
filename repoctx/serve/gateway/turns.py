"""Whose turn is it among the chats of a process? One limit for each base URL, which its tasks share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from repoctx.model.cancel import Cancellation
from repoctx.model.client import Backend
from repoctx.model.gate import place
from repoctx.serve.gateway.spoken import Failure

# Chats that wait for a turn at a back end; more are told to come again.
MOST_WAITING = 100


class Turns:
    """The chats that wait, in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: Counter[str] = Counter()  # by base URL
        self._lines: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def turn(self, backend: Backend) -> AsyncIterator[None]:
        """A turn at a back end, waited for. Raises Failure if too many wait."""
        url, at_once = backend.base_url.rstrip("/"), backend.at_once
        if not at_once:
            yield
            return
        if self.waiting[url] >= max(MOST_WAITING, at_once):
            raise Failure(429, "too many chats wait for the model: try again later", headers={"Retry-After": "5"})
        self.waiting[url] += 1
        try:
            async with self._lines.setdefault(url, asyncio.Lock()):  # so that one thread waits, for the first of them
                held = await _entered(url, at_once)
        finally:
            self.waiting[url] -= 1
        with held:
            yield


async def _entered(url: str, at_once: int) -> ExitStack:
    """A place that is held until the stack is closed; nobody who waits for it holds the event loop up."""
    stop = Cancellation()
    held = place(url, at_once, stop)
    entering = asyncio.ensure_future(asyncio.to_thread(held.__enter__))
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(lambda done: done.exception() or held.__exit__(None, None, None))
        stop.cancel()
        raise
    entered = ExitStack()
    entered.push(held)
    return entered
