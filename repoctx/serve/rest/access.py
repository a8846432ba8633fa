"""Who may ask, and who did what? Tokens, and the log of what was changed."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from repoctx.serve.rest.callers import Admin, audited
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.shapes import RepositoryName
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.rest.wire import Asked, Page, moment
from repoctx.serve.token import lasting
from repoctx.store import access
from repoctx.store.access import Token
from repoctx.store.connect import errors

router = APIRouter(prefix="/v1", tags=["access"])

_EVERYTHING = "tokens are for all repositories: use a token that may see them all"


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
    valid: bool = Field(description="false: it was revoked, or has ended")


class NewToken(TokenShape):
    """A token that was just made."""

    token: str = Field(description="what its owner shows; it is kept nowhere, and never shown again")


class TokenAsked(Asked):
    """A token to make."""

    name: Annotated[str, StringConstraints(max_length=200)] = Field("", description="what it is for")
    scope: Literal["read", "write", "admin"] = Field(
        "read", description="read: search, pack, look and chat; write: index and tasks as well; admin: everything"
    )
    repositories: list[RepositoryName] | None = Field(
        None, min_length=1, max_length=1000, description="names; all repositories if left out"
    )
    expires: Annotated[str, StringConstraints(max_length=10)] | None = Field(
        None, description="when it ends by itself: 12h, 30d, 8w; never if left out", examples=["30d"]
    )


@router.get("/audit", operation_id="list_audit", summary="Who did what?")
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


@router.get("/tokens", operation_id="list_tokens", summary="List tokens")
def tokens(service: ServiceState, caller: Admin) -> Page[TokenShape]:
    """Every token, the oldest first, without its secret."""
    if not caller.sees_all:
        raise Refusal(403, _EVERYTHING)
    with errors(service.engine), service.engine.connect() as connection:
        return Page(items=[_token(one) for one in access.all_tokens(connection)], next=None)


@router.post(
    "/tokens", status_code=201, operation_id="create_token", summary="Make a token", dependencies=[Depends(audited)]
)
def create(request: Request, asked: TokenAsked, service: ServiceState, caller: Admin) -> NewToken:
    """Make a token. From the first one on nobody asks without one, not even on the service's machine."""
    if not caller.sees_all:
        raise Refusal(403, _EVERYTHING)
    if not asked.name.isprintable():
        raise Refusal(422, "a token's name is at most 200 printable characters")
    now = time.time()
    ends = None if asked.expires is None else now + lasting(asked.expires)
    names = None if asked.repositories is None else tuple(sorted(set(asked.repositories)))
    with errors(service.engine), service.engine.begin() as connection:
        made, text = access.create(connection, asked.name, asked.scope, names, now, ends)
    return NewToken(**dict(_token(made)), token=text)


@router.delete(
    "/tokens/{token}", status_code=204, operation_id="revoke_token", summary="Revoke a token",
    dependencies=[Depends(audited)],
)  # fmt: skip
def revoke(service: ServiceState, caller: Admin, token: str) -> None:
    """Make a token invalid for good, at once."""
    if not caller.sees_all:
        raise Refusal(403, _EVERYTHING)
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
        valid=one.valid(time.time()),
    )
