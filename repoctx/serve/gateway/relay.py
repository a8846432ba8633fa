"""How does an answer go on to the caller as it comes?

Bytes are handed on event by event, no faster than the caller takes them. Whoever hangs up ends the request to the back
end with it. A stream that is silent, while a long prompt is read, is kept alive; what fails after its beginning is told
in an event.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from repoctx.serve.gateway import upstream
from repoctx.serve.gateway.spoken import Failure, Protocol, answer, failure_of
from repoctx.serve.gateway.upstream import Sent
from repoctx.serve.rest.state import Service

# After so many seconds of silence a stream says that it is alive: proxies and clients give up sooner than models begin.
PING_SECONDS = 15.0
EVENTS = "text/event-stream; charset=utf-8"
JSON = "application/json"
# How llama-server tells of an error: no client reads it.
_FAILED = re.compile(rb"^error:", re.MULTILINE)


class Head(NamedTuple):
    """What an answer begins with."""

    media_type: str
    headers: Mapping[str, str] = {}


Part = Head | bytes


class Relayed(Response):
    """An answer that is asked for when it is sent."""

    def __init__(
        self, parts: AsyncGenerator[Part], protocol: Protocol, headers: Mapping[str, str], stream: bool, hint: str = ""
    ) -> None:
        super().__init__()
        self._parts, self._protocol, self._stream = parts, protocol, stream
        self._more = {**headers, "Cache-Control": "no-store"}
        self._hint = hint  # what is said to a prompt that is too long

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer until its end, or until the caller hangs up."""
        work = asyncio.ensure_future(self._send(scope, receive, send))
        gone = asyncio.ensure_future(_hung_up(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, gone):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def begin(head: Head) -> None:
            nonlocal begun
            if begun and head.media_type != EVENTS:
                raise Failure(502, "the model back end did not stream its answer: ask without `stream`")
            if not begun:
                begun = True
                headers = {"Content-Type": head.media_type, **head.headers, **self._more}
                raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
                await send({"type": "http.response.start", "status": 200, "headers": raw})

        async def write(body: bytes, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        identity = str(scope.get("repoctx.request", "-"))
        try:
            async for part in self._paced():
                if part is None:
                    await begin(Head(EVENTS))
                    await write(self._protocol.ping)
                elif isinstance(part, Head):
                    await begin(part)
                else:
                    await write(part)
        except Exception as error:
            failure = failure_of(error)
            if self._hint and failure.code == "context_length_exceeded":
                failure = Failure(failure.status, f"{failure.said} {self._hint}", failure.code, failure.headers)
            if not begun:
                failure.headers = {**self._more, **failure.headers}
                await answer(self._protocol, failure, identity)(scope, receive, send)
                return
            await write(self._protocol.event(self._protocol.error(failure, identity)))
        await write(b"", more=False)

    async def _paced(self) -> AsyncIterator[Part | None]:
        """The parts as they come; None whenever a stream was silent for long."""
        coming: asyncio.Future[Part] | None = None
        try:
            while True:
                coming = asyncio.ensure_future(anext(self._parts))
                while not (await asyncio.wait({coming}, timeout=PING_SECONDS if self._stream else None))[0]:
                    yield None
                try:
                    part = coming.result()
                except StopAsyncIteration:
                    return
                yield part
        finally:
            if coming is not None:
                coming.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                    await coming
            await self._parts.aclose()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def passed(
    service: Service, sent: Sent, protocol: Protocol, account: Mapping[str, Any] | None
) -> AsyncGenerator[Part]:
    """The answer of a back end that speaks the caller's protocol, as it comes.

    One that comes at once has an account of the context in it. Raises Failure.
    """
    _, found, key = upstream.backend(service, sent.tier)
    async with upstream.asked(service, sent, protocol) as response:
        if not upstream.is_stream(response):
            raw, said = await upstream.whole(response, found, key)
            yield Head(JSON, upstream.passed_headers(response, key))
            yield raw if account is None else json.dumps({**said, "repoctx": account}, ensure_ascii=False).encode()
            return
        yield Head(EVENTS, upstream.passed_headers(response, key))
        ended = False
        async for event in upstream.events(response, found, key):
            if failed := _FAILED.search(event):
                if before := event[: failed.start()]:
                    yield before
                raise Failure(502, "the model back end failed in the middle of its answer: try again")
            ended = ended or protocol.ended.search(event) is not None
            yield event
        if not ended:
            raise Failure(502, "the model back end ended its answer before it was complete: try again")
