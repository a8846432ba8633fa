"""How is MCP answered over HTTP, at `/mcp` of the service?

Callers show the tokens that they show to REST, with every request, and see the same repositories; there are no
sessions. What the protocol needs is imported with the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from repoctx.serve.mcp import HEAVY
from repoctx.serve.rest import callers
from repoctx.serve.rest.metrics import QUERY_SECONDS
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.state import Service

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from repoctx.serve.mcp.reach import Asker

# Of the time that an answer may take, what a tool may: its error comes before the service gives up.
SHARE = 0.9

_BEARER = HTTPBearer(auto_error=False)

log = structlog.get_logger()


class Mounted:
    """The app at `/mcp`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ready: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._running: asyncio.Task[None] | None = None
        self._ends = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; refuses what comes without a token where one is needed, whatever it is."""
        request = Request(scope, receive)
        shown = await _BEARER(request)
        await run_in_threadpool(callers.caller, request, self._service, shown)
        if request.method != "POST":
            raise Refusal(405, "MCP is asked with POST: there are no sessions and no other streams", {"Allow": "POST"})
        manager = await self._manager()
        await manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """As long as the service runs; what is being answered at its end is broken off."""
        try:
            yield
        finally:
            if self._running is not None:
                self._ends.set()
                await self._running
                self._ready, self._running, self._ends = None, None, asyncio.Event()

    async def _manager(self) -> StreamableHTTPSessionManager:
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._running = asyncio.create_task(self._run(self._ready))
        return await asyncio.shield(self._ready)

    async def _run(self, ready: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        try:
            manager = await run_in_threadpool(self._make)
            async with manager.run():
                ready.set_result(manager)
                await self._ends.wait()
        except Exception as error:
            self._ready = None  # the next request tries again
            if ready.done():
                log.error("MCP has ended", exc_info=error)
            else:
                ready.set_exception(error)

    def _make(self) -> StreamableHTTPSessionManager:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from repoctx.serve.mcp.server import server

        settings = self._service.workspace.settings
        answering = server(self._asker, SHARE * settings.serve_seconds or None)
        return StreamableHTTPSessionManager(answering, stateless=True, max_request_body_size=settings.serve_body_bytes)

    def _asker(self, request: Any) -> Asker:
        from repoctx.serve.mcp.reach import Asker, Doing

        caller = request.scope["repoctx.caller"]
        scope, token = (caller.token.scope, caller.token.id) if caller.token else (None, None)

        def note(repository: str) -> None:
            """Have the request written down in the audit log."""
            request.scope.update({"repoctx.audit": True, "repoctx.repository": repository})

        doing = Doing(lambda *_: self._service.wake(), scope=scope, token=token, note=note)
        return Asker(self._service.workspace, doing, caller.sees, around=self._around)

    @contextmanager
    def _around(self, tool: str) -> Iterator[None]:
        """What takes long is answered in turns with REST's questions of the kind."""
        with self._service.turns if tool in HEAVY else nullcontext(), QUERY_SECONDS.labels(tool).time():
            yield
