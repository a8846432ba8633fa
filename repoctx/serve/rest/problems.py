"""What is a caller told when something goes wrong? Problem details (RFC 9457), one clear sentence each."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from repoctx.errors import (
    BackendError,
    BudgetError,
    BusyError,
    NotFoundError,
    RefusedError,
    RepoctxError,
    StorageError,
    UsageError,
)
from repoctx.serve.web.frame import failure, wants_page

MEDIA_TYPE = "application/problem+json"
# The status of an error, by the first class that it is one of.
STATUSES: tuple[tuple[type[RepoctxError], int], ...] = (
    (NotFoundError, 404),
    (BusyError, 409),
    (UsageError, 422),
    (BudgetError, 422),
    (RefusedError, 422),
    (StorageError, 503),
    (BackendError, 502),
    (RepoctxError, 422),
)
# What OpenAPI says of every route.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 408, 409, 413, 422, 429, 503, 504)
}

Scope = MutableMapping[str, Any]

log = structlog.get_logger()


class Refusal(Exception):
    """An answer that is no success, made before a route was reached."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def problem(
    request_id: str, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The answer that says what went wrong and what to do."""
    body = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail,
        "instance": f"urn:request:{request_id}", **more,
    }  # fmt: skip
    return JSONResponse(body, status, {**(headers or {}), "Cache-Control": "no-store"}, MEDIA_TYPE)


def answer(
    scope: Scope, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """What went wrong: as a page to whoever asked for one, as problem details to programs."""
    request_id = str(scope.get("repoctx.request", "-"))
    if wants_page(scope):
        return failure(scope, request_id, status, detail, headers)
    return problem(request_id, status, detail, headers, **more)


def add_to(app: FastAPI) -> None:
    """Let an app answer every error as a problem, or as a page."""

    @app.exception_handler(RepoctxError)
    def _known(request: Request, error: RepoctxError) -> Response:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        wait = {"Retry-After": "5"} if status in (409, 503) else None
        return answer(request.scope, status, shown(str(error)), wait)

    @app.exception_handler(Refusal)
    def _refused(request: Request, error: Refusal) -> Response:
        return answer(request.scope, error.status, shown(error.detail), error.headers)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        detail = error.detail if isinstance(error.detail, str) else "the request cannot be answered"
        if detail in ("Not Found", "Method Not Allowed"):
            detail = "there is no such page" if wants_page(request.scope) else _NO_ROUTE
        return answer(request.scope, error.status_code, detail, error.headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        found = [
            {"at": shown(".".join(map(str, one["loc"])))[:200], "message": plain(one["type"], one["msg"])}
            for one in error.errors()[:20]
        ]
        first = f"{found[0]['at']}: {found[0]['message']}" if found else "the request is not valid"
        return answer(request.scope, 422, shown(first), errors=found)

    @app.exception_handler(ClientDisconnect)
    def _gone(request: Request, error: ClientDisconnect) -> Response:
        return answer(request.scope, 400, "the rest of the request did not come")

    @app.exception_handler(OSError)
    def _system(request: Request, error: OSError) -> Response:
        log.error("a file cannot be used", error=str(error.strerror), exc_info=error)
        said = f"the service's disk cannot be used ({error.strerror}): check its free space, then try again"
        return answer(request.scope, 503, said, {"Retry-After": "5"})

    @app.exception_handler(Exception)
    def _bug(request: Request, error: Exception) -> Response:
        log.error("internal error", exc_info=error)
        said = f"an internal error: the service's log has it under request {request.scope.get('repoctx.request', '-')}"
        return answer(request.scope, 500, said)


_NO_ROUTE = "there is no such route, or not with this method: /v1/openapi.json lists them"
# What is said of the commonest mistakes.
_PLAIN = {
    "model_attributes_type": "send a JSON object, with Content-Type: application/json",
    "json_invalid": "this is not valid JSON",
    "extra_forbidden": "there is no such field: /v1/openapi.json lists them",
}


def plain(kind: str, said: object) -> str:
    """What was wrong with a field, in one sentence."""
    return _PLAIN.get(kind) or shown(str(said).removeprefix("Value error, "))[:300]


def shown(text: str) -> str:
    """A sentence that may be shown: valid Unicode, on one line, not endless."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable.encode("utf-8", "replace").decode()[:2000]
