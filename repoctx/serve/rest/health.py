"""Is the service alive, can it answer, and how is it doing?"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from repoctx import __version__
from repoctx.errors import RepoctxError
from repoctx.serve.rest import metrics
from repoctx.serve.rest.callers import Admin, Reader, audited
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.rest.wire import Page, moment
from repoctx.store import access, connect
from repoctx.store.access import Token
from repoctx.store.connect import errors

router = APIRouter(tags=["operation"])

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Health(BaseModel):
    """That the process lives."""

    status: str = "ok"
    version: str = __version__


class AuditEntry(BaseModel):
    """What somebody did, or tried to do."""

    id: int
    at: str
    token: str | None = Field(description="id of the token; null: nobody, or the local user")
    address: str
    action: str = Field(examples=["POST /v1/repositories"])
    repository: str | None
    status: int
    request: str


class TokenShape(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    scope: str
    repositories: list[str] | None = Field(description="null: all")
    created_at: str
    expires_at: str | None
    revoked_at: str | None


@router.get("/healthz", operation_id="health", summary="Is the process alive?")
async def health() -> Health:
    """The process answers; nothing else is looked at."""
    return Health()


@router.get("/readyz", operation_id="readiness", summary="Can it answer questions?")
def readiness(service: ServiceState) -> Health:
    """The database answers, and its schema is the one that this version needs."""
    try:
        with errors(service.engine):
            found = connect.version(service.engine)
    except RepoctxError:
        raise Refusal(503, "the database cannot be reached", {"Retry-After": "5"}) from None
    if found != connect.HEAD:
        raise Refusal(503, f"the schema of the database is {found}, not {connect.HEAD}: start the service anew")
    return Health()


@router.get("/metrics", operation_id="metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
def show_metrics(service: ServiceState, caller: Reader) -> Response:
    """Requests, queries, jobs, lag, deliveries. Needs a token that may see all repositories."""
    if not caller.sees_all:
        raise Refusal(403, "metrics tell of all repositories: use a token that may see them all")
    return Response(metrics.text(service.engine), media_type=TEXT)


@router.get("/v1/audit", operation_id="list_audit", summary="Who did what?")
def audit(
    service: ServiceState,
    caller: Admin,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Page[AuditEntry]:
    """What was changed and by whom, and what was refused for want of a right; the newest first."""
    if not caller.sees_all:
        raise Refusal(403, "the log tells of all repositories: use a token that may see them all")
    with errors(service.engine), service.engine.connect() as connection:
        found = access.entries(connection, cursor, limit + 1)
    items = [AuditEntry(**{**one._asdict(), "at": moment(one.at)}) for one in found[:limit]]
    return Page(items=items, next=str(found[limit - 1].id) if len(found) > limit else None)


@router.get("/v1/tokens", operation_id="list_tokens", summary="List tokens")
def tokens(service: ServiceState, caller: Admin) -> Page[TokenShape]:
    """Every token, the oldest first; `repoctx token create` makes one where the service runs."""
    if not caller.sees_all:
        raise Refusal(403, "tokens are for all repositories: use a token that may see them all")
    with errors(service.engine), service.engine.connect() as connection:
        return Page(items=[_token(one) for one in access.all_tokens(connection)], next=None)


@router.delete(
    "/v1/tokens/{token}", status_code=204, operation_id="revoke_token", summary="Revoke a token",
    dependencies=[Depends(audited)],
)  # fmt: skip
def revoke(service: ServiceState, caller: Admin, token: str) -> None:
    """Make a token invalid for good, at once."""
    if not caller.sees_all:
        raise Refusal(403, "tokens are for all repositories: use a token that may see them all")
    with errors(service.engine), service.engine.begin() as connection:
        found = token.isprintable() and access.revoke(connection, token, time.time())
    if not found:
        raise Refusal(404, "there is no valid token of this id")


def _token(one: Token) -> TokenShape:
    return TokenShape(
        id=one.id,
        name=one.name,
        scope=one.scope,
        repositories=None if one.repositories is None else list(one.repositories),
        created_at=moment(one.created_at),
        expires_at=None if one.expires_at is None else moment(one.expires_at),
        revoked_at=None if one.revoked_at is None else moment(one.revoked_at),
    )
