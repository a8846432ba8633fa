"""How is an error said in the protocol that a chat speaks?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from repoctx.errors import BudgetError, RefusedError, RepoctxError, UsageError

# How large the request of a chat may be: a million tokens are some 5 MB, pictures more.
MOST_BYTES = 64_000_000

# What no second try mends: statuses, whether they are ours or the back end's, and the code where there is no back end.
# Claude Code asks again for minutes, without a word, unless it is told that.
LASTING, NOT_CONFIGURED = frozenset({401, 403, 404, 405}), "backend_not_configured"

# What OpenAPI says of the errors of these routes. An address that is none of them is a problem as everywhere.
_OBJECT = {"schema": {"type": "object"}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": _OBJECT, **({"application/problem+json": _OBJECT} if status == 404 else {})},
    }
    for status in (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504)
}

log = structlog.get_logger()


class Failure(Exception):
    """An answer that is no success: its status, a sentence, and what else its protocol says."""

    def __init__(
        self, status: int, said: str, code: str = "", headers: Mapping[str, str] | None = None, origin: int = 0
    ) -> None:
        super().__init__(said)
        self.status, self.said, self.code, self.headers = status, said, code, dict(headers or {})
        self.origin = origin  # the status that the back end gave; 0: it gave none


class Protocol(NamedTuple):
    """What differs between the two ways to speak to a chat model."""

    name: str
    error: Callable[[Failure, str], dict[str, Any]]  # and the request's id
    event: Callable[[Mapping[str, Any]], bytes]  # the error in the middle of a stream
    ping: bytes  # what says that the stream is alive
    ended: re.Pattern[bytes]  # what the last events of a whole answer have
    overflow: Callable[[int | None, int | None], str]  # window and prompt, in the words that clients look for


def _openai_error(failure: Failure, _: str) -> dict[str, Any]:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(failure.status, "invalid_request_error" if failure.status < 500 else "server_error")
    codes = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}
    code = failure.code or codes.get(failure.status)
    return {"error": {"message": failure.said, "type": kind, "param": None, "code": code}}


_ANTHROPIC_KINDS = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


def _anthropic_error(failure: Failure, request_id: str) -> dict[str, Any]:
    kind = _ANTHROPIC_KINDS.get(failure.status, "invalid_request_error" if failure.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": failure.said}, "request_id": request_id}


def _openai_overflow(window: int | None, prompt: int | None) -> str:
    length = f"is {window} tokens" if window else "is exceeded"
    used = f" However, your messages resulted in {prompt} tokens." if prompt else ""
    return f"This model's maximum context length {length}.{used}"


def _anthropic_overflow(window: int | None, prompt: int | None) -> str:
    return f"prompt is too long: {prompt} tokens > {window} maximum." if window and prompt else "prompt is too long."


OPENAI = Protocol(
    "openai",
    _openai_error,
    lambda error: b"data: " + json.dumps(error).encode() + b"\n\n",
    b": still there\n\n",
    re.compile(rb'^data: ?(?:\[DONE\]|\{"error")|"finish_reason" ?: ?"', re.MULTILINE),
    _openai_overflow,
)
ANTHROPIC = Protocol(
    "anthropic",
    _anthropic_error,
    lambda error: b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n",
    b'event: ping\ndata: {"type": "ping"}\n\n',
    re.compile(rb'"type" ?: ?"(?:message_stop|error)"'),
    _anthropic_overflow,
)


def protocol_of(scope: Mapping[str, Any]) -> Protocol | None:
    """The protocol that a request speaks; None for the service's own routes."""
    path = str(scope["path"])
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return ANTHROPIC
    if path == "/v1/models" or path.startswith("/v1/models/"):
        return ANTHROPIC if any(name == b"anthropic-version" for name, _ in scope["headers"]) else OPENAI
    return OPENAI if path == "/v1/chat/completions" else None


def answer(protocol: Protocol, failure: Failure, request_id: str) -> JSONResponse:
    """The answer that says what went wrong and what to do."""
    headers = {**failure.headers, "Cache-Control": "no-store"}
    if failure.code == NOT_CONFIGURED or not LASTING.isdisjoint((failure.status, failure.origin)):
        headers["x-should-retry"] = "false"
    return JSONResponse(protocol.error(failure, request_id), failure.status, headers)


def failure_of(error: Exception) -> Failure:
    """What a caller is told of an error."""
    from repoctx.serve.rest.problems import STATUSES, Refusal, shown  # whose package is built on this module

    if isinstance(error, Failure):
        return error
    if isinstance(error, Refusal):
        return Failure(error.status, shown(error.detail), headers=error.headers)
    if isinstance(error, RepoctxError):
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        if isinstance(error, (UsageError, BudgetError)) or (status == 422 and isinstance(error, RefusedError)):
            status = 400
        wait = {"Retry-After": "5"} if status in (409, 503) else None
        return Failure(status, shown(str(error)), "model_not_found" if status == 404 else "", wait)
    if isinstance(error, HTTPException):
        return Failure(error.status_code, shown(str(error.detail)), headers=error.headers)
    if isinstance(error, RequestValidationError):
        return Failure(400, shown("; ".join(str(one["msg"]) for one in error.errors()[:5])))
    if isinstance(error, ClientDisconnect):
        return Failure(400, "the rest of the request did not come")
    if isinstance(error, OSError):
        log.error("a file cannot be used", error=str(error.strerror), exc_info=error)
        said = f"the service's disk cannot be used ({error.strerror}): check its free space, then try again"
        return Failure(503, said, headers={"Retry-After": "5"})
    log.error("internal error", exc_info=error)
    return Failure(500, "an internal error: the service's log has it under the request's id")


class Route(APIRoute):
    """A route that answers every error in its protocol."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        found = super().get_route_handler()

        async def answering(request: Request) -> Response:
            try:
                return await found(request)
            except Exception as error:
                protocol = protocol_of(request.scope) or OPENAI
                return answer(protocol, failure_of(error), str(request.scope.get("repoctx.request", "-")))

        return answering
