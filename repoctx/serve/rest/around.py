"""What happens around every request? Its id, its time limits, its line in the log, its entry in the audit log."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from repoctx.errors import RepoctxError
from repoctx.serve.gateway.spoken import MOST_BYTES as MOST_CHAT_BYTES
from repoctx.serve.gateway.spoken import Failure, Protocol, protocol_of
from repoctx.serve.gateway.spoken import answer as spoken
from repoctx.serve.rest import metrics, problems
from repoctx.serve.rest.callers import MISSING, NO_TOKEN, WRONG
from repoctx.serve.rest.hooks import MOST_BYTES
from repoctx.serve.rest.problems import shown
from repoctx.serve.web.frame import COOKIE, is_page
from repoctx.store import access
from repoctx.store.connect import errors

if TYPE_CHECKING:
    from repoctx.serve.rest.state import Service

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# How long a piece of a request's body may take to come, in seconds.
BODY_SECONDS = 15.0
# Entries of the audit log that wait to be written; refusals beyond are in the log of requests alone.
MOST_NOTING = 200
# What a token looks like, and what needs no body.
_LOOKS = rb"rctx_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"
_TOKEN = re.compile(rb"[Bb]earer " + _LOOKS)
_COOKIE = re.compile(COOKIE.encode() + rb"(?:-[0-9]+)?=" + _LOOKS)
# Where visitors of the pages show their token, and how large that may be.
ENTRY, ENTRY_BYTES = "/entry", 10_000
_BARE = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Requests that nobody needs to read about.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
# Others are counted as one: callers make them up.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger()


class Around:
    """The outermost part of the app."""

    def __init__(self, app: App, service: Callable[[], Service]) -> None:
        self._app, self._service = app, service
        # The log of what was done is written by a thread of its own: a database that is locked holds no answer up.
        self._writer, self._noting = ThreadPoolExecutor(1, "audit"), 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        settings = self._service().workspace.settings
        protocol = protocol_of(scope)
        most = MOST_BYTES if _hook(scope) else ENTRY_BYTES if scope["path"] == ENTRY else settings.serve_body_bytes
        seconds = settings.serve_seconds
        if protocol is not None:
            most = max(most, MOST_CHAT_BYTES)
            seconds = seconds and seconds + settings.backend_timeout  # a model reads a long prompt for minutes
        asked = headers.get(b"x-request-id", b"").decode("latin-1")
        identity = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        scope["repoctx.request"] = identity
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=identity)
        answer = _Answer(send, identity)
        began = time.monotonic()
        length = headers.get(b"content-length", b"")
        refused: tuple[int, str] | None = None
        if length.isdigit() and int(length[:20]) > most:
            refused = 413, _too_large(most)
        elif _needs_body(scope, headers) and await run_in_threadpool(self._wants_token):
            shown = b"x-api-key" in headers or headers.get(b"authorization", b"").lower().startswith(b"bearer ")
            refused = 401, NO_TOKEN.format(WRONG if shown else MISSING)
        if refused is not None:
            more = {"Connection": "close", "X-Request-ID": identity, "WWW-Authenticate": "Bearer"}
            if refused[0] != 401:
                del more["WWW-Authenticate"]
            await _refusal(protocol, scope, *refused, more)(scope, receive, answer.direct)
            await self._tell(scope, refused[0], time.monotonic() - began)
            return
        task = asyncio.ensure_future(self._app(scope, _patient(receive, answer, most), answer))
        begins = asyncio.ensure_future(answer.begun.wait())
        try:
            await asyncio.wait({task, begins},
                               timeout=seconds or None,
                               return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            if not task.done() and not answer.begun.is_set():
                answer.given_up = True
                said = "the answer took too long: ask for less, or again when the index is warm"
                more = {"Retry-After": "5", "X-Request-ID": identity}
                await _refusal(protocol, scope, 504, said, more)(scope, receive, answer.direct)
                answer.status = 504
                if protocol is not None:
                    task.cancel()  # what was asked of a model costs
                task.add_done_callback(_forget)  # a thread cannot be stopped: what it finds goes nowhere
            else:
                await task
        finally:
            begins.cancel()
            if not task.done() and not answer.given_up:
                task.cancel()
            await self._tell(scope, answer.status, time.monotonic() - began)

    def _wants_token(self) -> bool:
        engine = self._service().engine
        try:
            with errors(engine), engine.connect() as connection:
                return access.exist(connection)
        except RepoctxError:
            return False  # the route says what is wrong

    async def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.REQUESTS.labels(method, route, str(status)).inc()
        metrics.SECONDS.labels(method, route).observe(seconds)
        if is_quiet(scope):
            return
        caller = scope.get("repoctx.caller")
        who = caller.name if caller else "-"
        path = shown(scope["path"])[:500]
        log.info("request", method=method, path=path, status=status,
                 ms=round(seconds * 1000, 1), caller=who)  # fmt: skip
        client = (scope.get("client") or ("-", 0))[0]
        refused = status in (401, 403) and self._noting < MOST_NOTING
        refused = refused and self._service().noted(who if caller else client)
        if scope.get("repoctx.audit") or refused:
            token = caller.token.id if caller and caller.token else None
            name = scope.get("repoctx.repository") or (scope.get("path_params") or {}).get("name")
            entry = access.Entry(
                0, time.time(), token, client[:64], f"{method} {path}"[:300], name and shown(str(name))[:200],
                status, scope["repoctx.request"],
            )  # fmt: skip
            self._noting += 1
            try:
                await asyncio.get_running_loop().run_in_executor(self._writer, self._note, entry)
            finally:
                self._noting -= 1

    def _note(self, entry: access.Entry) -> None:
        service = self._service()
        try:
            with errors(service.engine), service.engine.begin() as connection:
                access.note(connection, entry)
        except RepoctxError as error:
            log.error("the audit log could not be written", error=str(error), entry=entry._asdict())


class _Answer:
    """Where an app sends its answer to; one that comes too late goes nowhere."""

    def __init__(self, send: Send, identity: str) -> None:
        self.direct, self._identity = send, identity.encode()
        self.begun = asyncio.Event()
        self.given_up = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if self.given_up:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.begun.set()
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self._identity),
                (b"x-content-type-options", b"nosniff"),
                (b"x-frame-options", b"DENY"),
            ]
        await self.direct(message)


def is_quiet(scope: Scope) -> bool:
    """Whether nobody needs to read about a request."""
    return scope["path"] in _QUIET


def _needs_body(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request may have a body that nobody should read before it has shown something like a token."""
    if scope["method"] in _BARE or _hook(scope) or scope["path"] == ENTRY:
        return False
    if is_page(scope):
        return _COOKIE.search(headers.get(b"cookie", b"")) is None
    shown = headers.get(b"authorization", b"") or b"Bearer " + headers.get(b"x-api-key", b"")
    return _TOKEN.fullmatch(shown) is None


def _refusal(
    protocol: Protocol | None, scope: Scope, status: int, said: str, headers: Mapping[str, str]
) -> Response:
    """An answer that is no success, as whoever asks understands it."""
    if protocol is not None:
        return spoken(protocol, Failure(status, said, headers=headers), scope["repoctx.request"])
    return problems.answer(scope, status, said, headers)


def _hook(scope: Scope) -> bool:
    return str(scope["path"]).startswith("/v1/webhooks/")


def _too_large(most: int) -> str:
    return f"the request is larger than {most:,} bytes: ask for less"


def _patient(receive: Receive, answer: _Answer, most: int) -> Receive:
    """Wait for a body, but not for ever, nor for one that is too large; wait for a caller to hang up as long as the
    answer takes."""
    whole, size = False, 0

    async def receiving() -> Message:
        nonlocal whole, size
        if whole:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), BODY_SECONDS)
        except TimeoutError:
            if answer.begun.is_set():
                return await receive()  # nobody waits for the body any more
            said = f"the request's body stood still for {BODY_SECONDS:g} seconds"
            raise HTTPException(408, said, {"Connection": "close"}) from None
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(413, _too_large(most), {"Connection": "close"})
        return message

    return receiving


def _forget(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("an answer that came too late failed", error=str(error))
