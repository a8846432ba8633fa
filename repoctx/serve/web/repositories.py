"""Which repositories are there, and how fresh is each? The first page, and that of a repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from repoctx.errors import NotFoundError
from repoctx.serve.rest import callers, jobs, repositories, search, shapes
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


class Fresh(NamedTuple):
    """How fresh a repository is, as its badge says."""

    state: str  # that of a job which looks alike; empty: nothing tells
    said: str
    about: str = ""  # what the page of the repository adds


Cursor = Annotated[str | None, Query(max_length=400)]


@router.get("/")
def listed(request: Request, service: ServiceState, caller: Reader, cursor: Cursor = None) -> HTMLResponse:
    """All repositories with their freshness, and the jobs under way."""
    found = repositories.listed(service, caller, SHOWN, cursor)
    values = {"repositories": found.items, "next": found.next, "jobs": lately(service, caller)}
    fresh = _all_fresh(service, caller, found.items)
    return page(request, "repositories.html", cursor=cursor, fresh=fresh, **values)


@router.get("/events", response_class=EventSourceResponse)
async def follow_all(
    request: Request, service: ServiceState, caller: Follower, cursor: Cursor = None
) -> AsyncIterator[ServerSentEvent]:
    """The list whenever something about it changes."""

    def look() -> Seen:
        found = repositories.listed(service, caller, SHOWN, cursor)
        values = {"repositories": found.items, "next": found.next, "jobs": lately(service, caller)}
        fresh = _all_fresh(service, caller, found.items)
        return Seen(part(request, "repositories_part.html", fresh=fresh, **values))

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
    return {"shape": found, "fresh": how_fresh(service, caller, found), "jobs": lately(service, caller, found.name)}


def _all_fresh(service: Service, caller: Caller, every: Sequence[RepositoryShape]) -> dict[str, Fresh]:
    return {one.name: how_fresh(service, caller, one) for one in every}


def how_fresh(service: Service, caller: Caller, one: RepositoryShape) -> Fresh:
    """How fresh a repository is. That it is up to date is said only where something tells of pushes."""
    waiting = (
        jobs.listed(service, caller, one.name, ["waiting", "running"], 500, None).items if one.lag_seconds > 0 else []
    )
    if waiting:
        oldest = min(datetime.fromisoformat(job.requested_at) for job in waiting)
        seconds = max(0.0, (datetime.now(UTC) - oldest).total_seconds())
        return Fresh("running", f"a push of {seconds:.0f} s ago waits")
    behind = next((ref.behind for ref in one.refs if ref.ref == one.default_ref), None)
    if one.lag_seconds > 0 or (behind and behind.state == "failed"):
        return Fresh("failed", "a push could not be indexed" if one.last_push else "indexing failed")
    if not one.refs:
        return Fresh("", "not indexed yet")
    if behind:
        return Fresh("running", "a newer push is known")
    if one.last_push or one.poll_seconds or (one.registered and service.workspace.settings.serve_poll_seconds):
        return Fresh("done", "up to date", "every push that is known is indexed")
    return Fresh("", "no pushes known", "neither a webhook nor polling has told of one, so it may have changed since")


def _map(service: Service, caller: Caller, name: str, ref: str | None) -> str:
    """The map of a ref; empty as long as there is no index."""
    try:
        found = shapes.at(service, callers.repository(service, caller, name), ref)
    except NotFoundError:
        if ref is not None:
            raise
        return ""
    return search.show_map(found, MAP_TOKENS).map
