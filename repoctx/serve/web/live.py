"""How does a page follow what happens? A stream of server-sent events, each a part of the page made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from fastapi import Request
from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from repoctx.errors import NotFoundError
from repoctx.serve.rest.callers import Caller, allowed
from repoctx.serve.rest.state import Service

# How often is looked, in seconds, and how often a silent stream says that it lives.
LOOK_SECONDS, PING_SECONDS = 0.5, 15.0


class Seen(NamedTuple):
    """What a look found."""

    text: str  # the part as it is now
    over: bool = False  # nothing will change any more


async def parts(
    request: Request, service: Service, caller: Caller, look: Callable[[], Seen]
) -> AsyncIterator[ServerSentEvent]:
    """`part` with a part whenever it has changed; `end` when it will change no more, or the visitor may not see it."""
    last, silent = None, 0.0
    while True:
        try:
            seen = await run_in_threadpool(look)
        except NotFoundError:
            yield ServerSentEvent(event="end", raw_data="reload")
            return
        if seen.text != last:
            last, silent = seen.text, 0.0
            yield ServerSentEvent(event="part", raw_data=seen.text)
        if seen.over:
            yield ServerSentEvent(event="end", raw_data="-")
            return
        if service.stopping.is_set() or await request.is_disconnected():
            return
        await asyncio.sleep(LOOK_SECONDS)
        if not await run_in_threadpool(allowed, service, caller):
            yield ServerSentEvent(event="end", raw_data="reload")
            return
        silent += LOOK_SECONDS
        if silent >= PING_SECONDS:
            silent = 0.0
            yield ServerSentEvent(comment="still there")
