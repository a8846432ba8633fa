"""Which repositories are there, and how fresh is each? The first page, and that of a repository."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from repoctx.errors import NotFoundError
from repoctx.serve.rest import callers, repositories, search, shapes
from repoctx.serve.rest.callers import Caller, Name
from repoctx.serve.rest.repositories import RepositoryShape
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.web.entry import Follower, Reader
from repoctx.serve.web.frame import page, part
from repoctx.serve.web.jobs import lately
from repoctx.serve.web.live import Seen, parts

# Repositories on a page, and tokens of the map that a repository's page shows.
SHOWN, MAP_TOKENS = 100, 1500

router = APIRouter(include_in_schema=False)

Cursor = Annotated[str | None, Query(max_length=400)]


@router.get("/")
def listed(request: Request, service: ServiceState, caller: Reader, cursor: Cursor = None) -> HTMLResponse:
    """All repositories with their freshness, and the jobs under way."""
    found = repositories.listed(service, caller, SHOWN, cursor)
    values = {"repositories": found.items, "next": found.next, "cursor": cursor, "jobs": lately(service, caller)}
    return page(request, "repositories.html", **values)


@router.get("/events", response_class=EventSourceResponse)
async def follow_all(
    request: Request, service: ServiceState, caller: Follower, cursor: Cursor = None
) -> AsyncIterator[ServerSentEvent]:
    """The list whenever something about it changes."""

    def look() -> Seen:
        found = repositories.listed(service, caller, SHOWN, cursor)
        values = {"repositories": found.items, "next": found.next, "jobs": lately(service, caller)}
        return Seen(part(request, "repositories_part.html", **values))

    async for event in parts(request, service, caller, look):
        yield event


@router.get("/r/{name}")
def shown(
    request: Request, service: ServiceState, caller: Reader, name: Name, ref: shapes.RefQuery = None
) -> HTMLResponse:
    """A repository: its refs, how it is looked after, its most central code."""
    found = repositories.show(service, caller, name)
    values = {"repository": name, "ref": ref, "map": _map(service, caller, name, ref)}
    return page(request, "repository.html", **values, **_current(service, caller, found))


@router.get("/r/{name}/events", response_class=EventSourceResponse)
async def follow(
    request: Request, service: ServiceState, caller: Follower, name: Name
) -> AsyncIterator[ServerSentEvent]:
    """The state of a repository whenever something about it changes."""

    def look() -> Seen:
        found = repositories.show(service, caller, name)
        return Seen(part(request, "repository_part.html", **_current(service, caller, found)))

    async for event in parts(request, service, caller, look):
        yield event


def _current(service: Service, caller: Caller, found: RepositoryShape) -> dict[str, object]:
    return {"shape": found, "jobs": lately(service, caller, found.name)}


def _map(service: Service, caller: Caller, name: str, ref: str | None) -> str:
    """The map of a ref; empty as long as there is no index."""
    try:
        found = shapes.at(service, callers.repository(service, caller, name), ref)
    except NotFoundError:
        if ref is not None:
            raise
        return ""
    return search.show_map(found, MAP_TOKENS).map
