"""What is being indexed, how far is it, and what failed? The pages of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from repoctx.serve.rest import jobs
from repoctx.serve.rest.callers import Caller, Name, audited
from repoctx.serve.rest.jobs import IndexAsked, JobId, JobShape, State
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.web.entry import Follower, Reader, Writer
from repoctx.serve.web.forms import checked, chosen
from repoctx.serve.web.frame import page, part
from repoctx.serve.web.live import Seen, parts
from repoctx.store.jobs import OPEN

# Jobs on a page, and those that have ended on the page of all repositories.
SHOWN, LATELY = 50, 6

router = APIRouter(include_in_schema=False)

States = Annotated[list[State | Literal[""]] | None, Query()]
RepositoryQuery = Annotated[str | None, Query(max_length=200)]


@router.get("/jobs")
def listed(
    request: Request, service: ServiceState, caller: Reader, repository: RepositoryQuery = None,
    state: States = None, cursor: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
) -> HTMLResponse:  # fmt: skip
    """All jobs, the newest first."""
    states = chosen(state)
    found = jobs.listed(service, caller, repository or None, states, SHOWN, cursor)
    values = {"jobs": found.items, "next": found.next, "of": repository, "states": states, "live": cursor is None}
    return page(request, "jobs.html", **values)


@router.get("/jobs/events", response_class=EventSourceResponse)
async def follow_all(
    request: Request, service: ServiceState, caller: Follower, repository: RepositoryQuery = None, state: States = None
) -> AsyncIterator[ServerSentEvent]:
    """The newest jobs whenever something about them changes."""
    states = chosen(state)

    def look() -> Seen:
        found = jobs.listed(service, caller, repository or None, states, SHOWN, None)
        return Seen(part(request, "jobs_part.html", jobs=found.items))

    async for event in parts(request, service, caller, look):
        yield event


@router.get("/jobs/{job}")
def shown(request: Request, service: ServiceState, caller: Reader, job: JobId) -> HTMLResponse:
    """What a job does, how far it is, and what became of it."""
    return page(request, "job.html", job=jobs.show(service, caller, job))


@router.get("/jobs/{job}/events", response_class=EventSourceResponse)
async def follow(
    request: Request, service: ServiceState, caller: Follower, job: JobId
) -> AsyncIterator[ServerSentEvent]:
    """A job whenever something about it changes."""

    def look() -> Seen:
        found = jobs.show(service, caller, job)
        return Seen(part(request, "job_part.html", job=found), found.state not in OPEN)

    async for event in parts(request, service, caller, look):
        yield event


@router.post("/r/{name}/index", dependencies=[Depends(audited)])
def index(
    service: ServiceState, caller: Writer, name: Name, ref: Annotated[str, Form(max_length=1000)] = ""
) -> Response:
    """Ask for a ref to be indexed."""
    made = jobs.index(service, caller, name, Response(), checked(IndexAsked, {"ref": ref}))
    return RedirectResponse(f"/jobs/{made.id}", 303)


@router.post("/jobs/{job}/cancel", dependencies=[Depends(audited)])
def cancel(request: Request, service: ServiceState, caller: Writer, job: JobId) -> Response:
    """Cancel a job."""
    jobs.cancel(request, service, caller, job)
    return RedirectResponse(f"/jobs/{job}", 303)


@router.post("/jobs/{job}/retry", dependencies=[Depends(audited)])
def retry(request: Request, service: ServiceState, caller: Writer, job: JobId) -> Response:
    """Ask once more for what a job was to do."""
    return RedirectResponse(f"/jobs/{jobs.retry(request, service, caller, job).id}", 303)


def lately(service: Service, caller: Caller, repository: str | None = None) -> Sequence[JobShape]:
    """The jobs that are open, and some that have ended."""
    under_way = jobs.listed(service, caller, repository, ["waiting", "running"], SHOWN, None).items
    return [*under_way, *jobs.listed(service, caller, repository, ["done", "failed", "cancelled"], LATELY, None).items]
