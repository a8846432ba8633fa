"""What is being indexed, how far is it, and what failed?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from repoctx.errors import NotFoundError, RefusedError
from repoctx.serve.rest.callers import Caller, Follower, Name, Reader, Writer, allowed, audited, repository
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.rest.wire import Asked, Page, RefName, moment, times
from repoctx.source import git
from repoctx.store import jobs
from repoctx.store.connect import errors
from repoctx.store.jobs import Job

router = APIRouter(prefix="/v1", tags=["jobs"])

# How often a followed job is looked at, in seconds, and how often a silent stream says that it lives.
LOOK_SECONDS, PING_SECONDS = 0.25, 15.0

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="id of the job")]
State = Literal["waiting", "running", "done", "failed", "cancelled"]


class ProgressShape(BaseModel):
    """How far a job is."""

    stage: str = Field(examples=["parse"])
    done: int
    total: int
    unit: str = Field(examples=["files"])


class JobShape(BaseModel):
    """An index job. It stands for everything that asked for its ref while it waited."""

    id: str
    kind: Literal["index"] = "index"
    repository: str
    ref: str | None = Field(description="null: the default branch, or what is checked out")
    state: State
    cause: str = Field(description="what asked for it first", examples=["push"])
    pushes: int = Field(description="how often it was asked for")
    commit: str | None = Field(description="what the newest push said")
    attempt: int
    requested_at: str
    due_at: str = Field(description="not begun before; later than requested_at after a failure")
    started_at: str | None
    finished_at: str | None
    seconds: float | None = Field(description="from the beginning of the last attempt to its end, or until now")
    progress: ProgressShape | None
    error: str | None = Field(description="why the last attempt failed")
    report: dict[str, Any] | None = Field(description="what `repoctx index --json` prints")


class IndexAsked(Asked):
    """What to index."""

    ref: RefName | None = Field(None, description="branch, tag or commit; null: the default branch", examples=["main"])


def shape(job: Job) -> JobShape:
    """A job in JSON."""
    return JobShape(
        **{
            name: getattr(job, name)
            for name in ("id", "repository", "state", "cause", "pushes", "commit", "attempt", "error", "report")
        },
        ref=job.ref or None,
        requested_at=moment(job.requested_at),
        due_at=moment(job.due_at),
        **times(job.started_at, job.finished_at),
        progress=ProgressShape(**job.progress) if job.progress else None,
    )


def find(service: Service, caller: Caller, identity: str) -> Job:
    """The job of an id, if the caller may see it. Raises NotFoundError, the same for both."""
    with errors(service.engine), service.engine.connect() as connection:
        job = jobs.one(connection, identity)
    if job is None or not caller.sees(job.repository):
        raise NotFoundError(f"there is no job {identity}: it may have been forgotten, a month after its end")
    return job


def _visible(service: ServiceState, caller: Reader, job: JobId) -> Job:
    return find(service, caller, job)


@router.post(
    "/repositories/{name}/index", status_code=202, operation_id="index_repository", summary="Index now",
    dependencies=[Depends(audited)],
)  # fmt: skip
def index(
    service: ServiceState, caller: Writer, name: Name, response: Response, asked: IndexAsked | None = None
) -> JobShape:
    """Ask for a ref to be indexed. If a job for it waits already, that is the answer."""
    found = repository(service, caller, name)
    ref = (asked and asked.ref) or ""
    if ref:
        git.check_ref(ref)
    with errors(service.engine), service.engine.begin() as connection:
        identity = jobs.submit(connection, found.id, ref, "request", now=time.time())
    service.wake()
    response.headers["Location"] = f"/v1/jobs/{identity}"
    return shape(find(service, caller, identity))


@router.get("/jobs", operation_id="list_jobs", summary="List jobs, the newest first")
def listed(
    service: ServiceState,
    caller: Reader,
    repository_name: Annotated[str | None, Query(alias="repository", max_length=200)] = None,
    state: Annotated[list[State] | None, Query(description="failed ones are those that were given up")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
) -> Page[JobShape]:
    """The jobs that the caller may see."""
    names = None if caller.token is None else caller.token.repositories
    if repository_name is not None:
        names = (repository(service, caller, repository_name).name,)
    with errors(service.engine), service.engine.connect() as connection:
        found = jobs.listed(
            connection, repositories_named=names, states=state or (), before=cursor, limit=limit + 1
        )
    return Page(items=[shape(one) for one in found[:limit]], next=found[limit - 1].id if len(found) > limit else None)


@router.get("/jobs/{job}", operation_id="show_job", summary="Show a job")
def show(service: ServiceState, caller: Reader, job: JobId) -> JobShape:
    """What a job does, how far it is, and what became of it."""
    return shape(find(service, caller, job))


@router.delete(
    "/jobs/{job}", status_code=202, operation_id="cancel_job", summary="Cancel a job", dependencies=[Depends(audited)]
)
def cancel(request: Request, service: ServiceState, caller: Writer, job: JobId) -> JobShape:
    """Cancel a job: at once if it waits, within a second or so if it runs. What it has stored so far is kept."""
    found = find(service, caller, job)
    request.scope["repoctx.repository"] = found.repository
    with errors(service.engine), service.engine.begin() as connection:
        if not jobs.cancel(connection, found.id, time.time()):
            raise RefusedError(f"the job is {found.state} already: there is nothing to cancel")
    return shape(find(service, caller, job))


@router.post(
    "/jobs/{job}/retry", status_code=202, operation_id="retry_job", summary="Try a failed job again",
    dependencies=[Depends(audited)],
)  # fmt: skip
def retry(request: Request, service: ServiceState, caller: Writer, job: JobId) -> JobShape:
    """Ask once more for what a failed or cancelled job was to do; the answer is a new job."""
    found = find(service, caller, job)
    request.scope["repoctx.repository"] = found.repository
    with errors(service.engine), service.engine.begin() as connection:
        identity = jobs.retry(connection, found, time.time())
    if identity is None:
        raise RefusedError(f"the job is {found.state}: only one that failed or was cancelled is tried again")
    service.wake()
    return shape(find(service, caller, identity))


@router.get(
    "/jobs/{job}/events", operation_id="follow_job", summary="Follow a job",
    response_class=EventSourceResponse,
)  # fmt: skip
async def follow(
    request: Request, service: ServiceState, caller: Follower, first: Annotated[Job, Depends(_visible)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `job` with the job whenever something about it changes; the stream ends when it is done."""
    last, number, silent = "", 0, 0.0
    while True:
        try:
            found = shape(await run_in_threadpool(find, service, caller, first.id))
        except NotFoundError:
            return  # its repository was removed
        said = found.model_dump_json(exclude={"seconds"})
        if said != last:
            last, number, silent = said, number + 1, 0.0
            yield ServerSentEvent(event="job", id=str(number), raw_data=found.model_dump_json())
        ends = found.state not in jobs.OPEN or service.stopping.is_set()
        if ends or await request.is_disconnected():
            return
        await asyncio.sleep(LOOK_SECONDS)
        if not await run_in_threadpool(allowed, service, caller):
            return
        silent += LOOK_SECONDS
        if silent >= PING_SECONDS:
            silent = 0.0
            yield ServerSentEvent(comment="still there")
