"""How is the model back end asked, and what do its refusals mean?

One client for the life of the app, a connection for each request: closing it is what stops a server that generates,
and a connection that is used once can mix up no two callers.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import structlog

from repoctx import __version__, models
from repoctx.errors import BackendError, UsageError
from repoctx.http import CONNECT_SECONDS, MOST_ERROR_BYTES, WRITE_SECONDS, error_body, key_from, said, without_key
from repoctx.model.client import Backend
from repoctx.model.wire import WindowOverflow, reported
from repoctx.serve.gateway.spoken import Failure, Protocol
from repoctx.serve.gateway.turns import Turns
from repoctx.serve.rest.problems import shown
from repoctx.serve.rest.state import Service
from repoctx.types import Tier

# How long it is believed which models there are, and which protocols the back end speaks, in seconds.
BELIEVED = 60.0
# Bytes of an event, and of an answer that comes at once.
MOST_EVENT_BYTES, MOST_ANSWER_BYTES = 16 << 20, 64 << 20
# Characters of a key that is looked for in answers: shorter ones, such as EMPTY, are no secrets, and words of answers.
LEAST_KEY = 8
# Statuses of a route that a server does not have.
MISSING = frozenset({404, 405, 501})
# What ends an event.
_BLANK = re.compile(rb"\n\r?\n|\r\r")
# Headers of an answer that are the back end's to say.
_PASSED = ("retry-after", "x-ratelimit-", "anthropic-ratelimit-")

log = structlog.get_logger()


@dataclass(eq=False)
class Upstream:
    """What all chats of a process share."""

    turns: Turns = field(default_factory=Turns)
    believed: dict[str, tuple[float, Any]] = field(default_factory=dict)  # until when, and what
    client: httpx.AsyncClient | None = None

    def connection(self) -> httpx.AsyncClient:
        """The client, made when it is first needed."""
        if self.client is None:
            self.client = httpx.AsyncClient(
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
                headers={"User-Agent": f"repoctx/{__version__}", "Accept-Encoding": "identity"},
            )
        return self.client

    def known(self, what: str) -> Any:
        """What was learnt a short while ago, None if nothing was."""
        until, value = self.believed.get(what, (0.0, None))
        return value if time.monotonic() < until else None

    def learnt(self, what: str, value: Any) -> None:
        """Believe something for a while."""
        self.believed[what] = time.monotonic() + BELIEVED, value


class Sent(NamedTuple):
    """A request to the back end."""

    path: str  # after the base URL
    body: Mapping[str, Any]
    headers: Mapping[str, str] = {}
    tier: str | None = None  # whose server it goes to; None: one server has all


@asynccontextmanager
async def connected(service: Service) -> AsyncIterator[None]:
    """Let an app ask the back end as long as it lives."""
    upstream = service.shared["upstream"] = Upstream()
    try:
        yield
    finally:
        if upstream.client is not None:
            await upstream.client.aclose()


def backend(service: Service, tier: str | None = None) -> tuple[Upstream, Backend, str]:
    """What asks, the back end that is set, or that of a tier, and its key. Raises Failure."""
    with _as_set():
        found = models.server(service.workspace.configuration, service.workspace.models, tier)
        return service.shared["upstream"], found, key_from(found.key_env, found.base_url)


def tiers(service: Service) -> tuple[Tier, ...]:
    """The tiers that have servers, the smallest first; none if one server has all. Raises Failure."""
    if not service.workspace.settings.backend_tiers:
        return ()
    shared = service.shared["upstream"]
    if (found := shared.known("tiers")) is None:
        with _as_set():
            found = service.workspace.window(served=True).tiers
        shared.learnt("tiers", found)
    return tuple(found)


@contextmanager
def _as_set() -> Iterator[None]:
    """What is set wrongly is no caller's fault."""
    try:
        yield
    except (UsageError, BackendError) as error:
        raise Failure(503, shown(str(error)), "backend_not_configured") from None


@asynccontextmanager
async def asked(service: Service, sent: Sent, protocol: Protocol) -> AsyncIterator[httpx.Response]:
    """The answer of the back end, its status 200, its body yet to come. Raises Failure."""
    upstream, found, key = backend(service, sent.tier)
    timeout = httpx.Timeout(found.timeout, connect=CONNECT_SECONDS, write=WRITE_SECONDS, pool=None)
    headers = {"Content-Type": "application/json", **sent.headers, **keys(key, sent.path)}
    content = encoded(sent.body)
    async with upstream.turns.turn(found):
        try:
            client = upstream.connection()
            request = client.build_request(
                "POST", found.base_url + sent.path, content=content, headers=headers, timeout=timeout
            )
            response = await client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise broken(error, found, key) from None
        try:
            if response.status_code != 200:
                if response.status_code in MISSING:
                    upstream.believed.pop(f"models at {found.base_url}", None)  # it may have others now
                raise await _refused(response, key, found, protocol)
            yield response
        finally:
            await response.aclose()


def keys(key: str, path: str) -> dict[str, str]:
    """The headers that carry the back end's key, never the caller's."""
    if not key:
        return {}
    return {"Authorization": f"Bearer {key}", **({"x-api-key": key} if path.startswith("/messages") else {})}


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as it is sent. Raises Failure for one that is too deep, or has a number that JSON lacks."""
    try:
        try:
            return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can say
            return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except RecursionError:
        raise Failure(400, "the request is nested too deeply: send less structure") from None
    except ValueError:
        raise Failure(400, "the request has a number that JSON lacks, such as NaN or 1e999") from None


def broken(error: Exception, found: Backend, key: str) -> Failure:
    """What a connection that failed, or broke off, means."""
    told = shown(without_key(str(error), key)) or type(error).__name__
    log.warning("the back end failed", backend=found.base_url, error=told)
    if isinstance(error, httpx.ReadTimeout):
        return Failure(
            504, f"the model back end was silent for {found.timeout:g} seconds: ask for less, or raise backend.timeout"
        )
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)):
        why = f"the model back end cannot be reached ({told}): is it running? `repoctx backend check` looks"
        return Failure(502, why, "backend_unreachable")
    return Failure(502, f"the model back end broke off its answer ({told}): try again", "backend_broke_off")


async def _refused(response: httpx.Response, key: str, found: Backend, protocol: Protocol) -> Failure:
    """What a status other than 200 means."""
    status, raw = response.status_code, b""
    try:
        async for part in response.aiter_bytes():
            raw += part
            if len(raw) > MOST_ERROR_BYTES:
                break
    except httpx.HTTPError as failed:
        return broken(failed, found, key)
    body = error_body(iter([raw]))
    words = "" if isinstance(body, str) and body[:200].lstrip().startswith("<") else shown(said(body, key))
    more = _headers(response, key, ("retry-after", "x-should-retry"))
    log.info("the back end refused", status=status, said=words)
    error = reported(body, key, status)
    if isinstance(error, WindowOverflow) and status < 500:
        return Failure(400, protocol.overflow(error.window, error.prompt), "context_length_exceeded", origin=status)
    if status in (401, 403):
        where = f"set {found.key_env}" if found.key_env else "set backend.key_env and that variable"
        return Failure(502, f"the model back end refused the service's key, not yours: {where}", origin=status)
    if status in (400, 409, 413, 422):
        return Failure(status, words or f"the model back end refused the request ({status})", origin=status)
    if status == 429:
        return Failure(429, f"the model back end is busy: try again later. {words}".strip(), "", more, status)
    if status in (503, 529):
        words = f"the model back end is not ready: try again later. {words}".strip()
        return Failure(503, words, "", more or {"Retry-After": "5"}, status)
    if 300 <= status < 400:
        return Failure(502, "the model back end sends on to another address: name that in backend.url", origin=status)
    hint = ": does backend.url lead to its API, and backend.model name one it has?" if status in MISSING else ""
    told = f"the model back end answered {status}{hint or ':'} {words}".rstrip(": ")
    return Failure(502, told, headers=more, origin=status)


# --- what comes back ---------------------------------------------------------------------------


def passed_headers(response: httpx.Response, key: str) -> dict[str, str]:
    """The headers that go on to the caller."""
    return _headers(response, key, _PASSED)


def _headers(response: httpx.Response, key: str, begin: tuple[str, ...]) -> dict[str, str]:
    return {name: without_key(value, key) for name, value in response.headers.items() if name.startswith(begin)}


def cleaned(raw: bytes, key: str) -> bytes:
    """What a back end says without its key, however JSON writes that."""
    return _spelt(key).sub(b"***", raw) if len(key) >= LEAST_KEY else raw


@functools.lru_cache(maxsize=16)
def _spelt(key: str) -> re.Pattern[bytes]:
    either = (
        sign if sign.isalnum() or sign in "-_" else rf"(?:\\?{re.escape(sign)}|\\u00(?i:{ord(sign):02x}))"
        for sign in key
    )
    return re.compile("".join(either).encode())


def is_stream(response: httpx.Response) -> bool:
    """Whether an answer is a stream of events."""
    return str(response.headers.get("content-type", "")).lower().startswith("text/event-stream")


async def events(response: httpx.Response, found: Backend, key: str) -> AsyncIterator[bytes]:
    """The whole events of a stream, byte for byte; one that breaks off is held back. Raises Failure when it does."""
    rest = b""
    try:
        async for part in response.aiter_bytes():
            searched = max(0, len(rest) - 2)
            rest += part
            end = max((mark.end() for mark in _BLANK.finditer(rest, searched)), default=0)
            if end:
                ready, rest = rest[:end], rest[end:]
                yield cleaned(ready, key)  # a key that comes in several events cannot be told from an answer
            if len(rest) > MOST_EVENT_BYTES:
                raise Failure(502, "the model back end sent an event of more than 16 MB")
    except httpx.HTTPError as error:
        raise broken(error, found, key) from None
    if rest.strip() and rest.endswith((b"\n", b"\r")):
        yield cleaned(rest, key) + b"\n"  # some servers leave the last empty line out


async def whole(response: httpx.Response, found: Backend, key: str) -> tuple[bytes, dict[str, Any]]:
    """An answer that comes at once, and what it says. Raises Failure for one that is no JSON object."""
    raw = bytearray()
    try:
        async for part in response.aiter_bytes():
            raw += part
            if len(raw) > MOST_ANSWER_BYTES:
                raise Failure(502, "the model back end sent an answer of more than 64 MB")
    except httpx.HTTPError as error:
        raise broken(error, found, key) from None
    clean = cleaned(bytes(raw), key)
    try:
        answer = json.loads(clean)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Failure(502, "the model back end answered without JSON: backend.url must lead to its API, such as …/v1")
    if isinstance(answer.get("error"), (dict, str)) and "choices" not in answer and "content" not in answer:
        raise Failure(502, f"the model back end failed: {shown(said(answer, key))}")
    return clean, answer
