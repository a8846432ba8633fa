"""What is a model asked to do, how far is it, and what came out?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from repoctx import tasking
from repoctx.errors import NotFoundError, RefusedError
from repoctx.serve.rest import wire
from repoctx.serve.rest.callers import Caller, Follower, Reader, Writer, allowed, audited, repository
from repoctx.serve.rest.shapes import RepositoryName
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.rest.wire import Page, RefName, moment, times
from repoctx.serve.tasks import asks_model
from repoctx.store import jobs, tasks
from repoctx.store.connect import errors
from repoctx.store.tasks import Task, Told
from repoctx.tasks import recipes

router = APIRouter(prefix="/v1", tags=["tasks"])

# How often a followed task is looked at, in seconds, and how often a silent stream says that it lives.
LOOK_SECONDS, PING_SECONDS = 0.25, 15.0

TaskId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="id of the task")]
State = Literal["waiting", "running", "done", "failed", "cancelled"]


class TaskAsked(wire.Asked):
    """What a model shall do."""

    kind: str = Field(
        max_length=100,
        description="debug, workflow, or the name of a built-in workflow such as review",
        examples=["debug"],
    )
    repository: RepositoryName = Field(examples=["shop"])
    ref: RefName | None = Field(None, description="branch, tag or commit that is indexed; null: the default one")
    input: dict[str, Any] = Field(
        description="of a debug task: report, and perhaps files, symbols, exclude, diff, tools, attempts, budget, "
        "model, test; of a workflow: workflow (a name, or its YAML text) and inputs; of a built-in one: its inputs",
        examples=[{"report": "TypeError: unsupported operand in shop/cart.py line 12, in total"}],
    )


class TaskShape(BaseModel):
    """A task. What it has finished is kept: after a crash it goes on where it ended."""

    id: str
    kind: str
    repository: str
    ref: str
    commit: str | None = Field(description="the commit that it is about, whatever is pushed since")
    state: State
    attempt: int = Field(description="how often a worker has begun it")
    created_at: str
    started_at: str | None
    finished_at: str | None
    seconds: float | None
    error: str | None
    spent: dict[str, Any] | None = Field(description="answers, tokens and costs up to now")
    result: dict[str, Any] | None = Field(description="only where one task is shown")
    input: dict[str, Any] | None = Field(description="only where one task is shown")


def shape(task: Task, whole: bool = True) -> TaskShape:
    """A task in JSON."""
    same = ("id", "kind", "repository", "ref", "commit", "state", "attempt", "error", "spent")
    return TaskShape(
        **{name: getattr(task, name) for name in same},
        created_at=moment(task.created_at),
        **times(task.started_at, task.finished_at),
        result=task.result if whole else None,
        input=task.input if whole else None,
    )


def find(service: Service, caller: Caller, identity: str) -> Task:
    """The task of an id, if the caller may see it. Raises NotFoundError, the same for both."""
    with errors(service.engine), service.engine.connect() as connection:
        task = tasks.one(connection, identity)
    if task is None or not caller.sees(task.repository):
        raise NotFoundError(f"there is no task {identity}: it may have been forgotten, a month after its end")
    return task


def _visible(service: ServiceState, caller: Reader, task: TaskId) -> Task:
    return find(service, caller, task)


@router.post(
    "/tasks", status_code=202, operation_id="submit_task", summary="Have a model do something",
    dependencies=[Depends(audited)],
)  # fmt: skip
def submit(request: Request, asked: TaskAsked, service: ServiceState, caller: Writer, response: Response) -> TaskShape:
    """Write a task down; a worker does it. What it is about is what the ref points at now."""
    found = repository(service, caller, asked.repository)
    request.scope["repoctx.repository"] = found.name
    kind, wanted = recipes.meant(asked.kind, asked.input)
    if (test := wanted.get("test")) is not None and kind == "debug":
        _check_test(service, found.name, test)
    _check_backend(service, kind, wanted)
    token = caller.token.id if caller.token else None
    task = tasking.submit(service.workspace, kind, wanted, found, asked.ref, token=token)
    service.wake()
    response.headers["Location"] = f"/v1/tasks/{task.id}"
    return shape(task)


def _check_test(service: Service, name: str, command: Any) -> None:
    """Raises RefusedError for a command that whoever runs the service has not allowed."""
    if f"{name}={command}" not in service.workspace.settings.tasks_tests:
        raise RefusedError(
            f"this test command is not allowed for {name}: whoever runs the service allows it as {name}=COMMAND in "
            "tasks.tests"
        )


def _check_backend(service: Service, kind: str, wanted: Mapping[str, Any]) -> None:
    """Raises RefusedError for a task that asks a model where none is set: no worker could do it. Raises UsageError for
    an input that cannot be used."""
    settings = service.workspace.settings
    if asks_model(kind, wanted) and not (settings.backend_url or settings.backend_tiers):
        raise RefusedError("no model back end is set: whoever runs the service sets backend.url, for its workers too")


@router.get("/tasks", operation_id="list_tasks", summary="List tasks, the newest first")
def listed(
    service: ServiceState,
    caller: Reader,
    repository_name: Annotated[str | None, Query(alias="repository", max_length=200)] = None,
    state: Annotated[list[State] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
) -> Page[TaskShape]:
    """The tasks about repositories that the caller may see, without inputs and results."""
    found, after = seen(service, caller, repository_name, state or (), limit, cursor)
    return Page(items=[shape(one, whole=False) for one in found], next=after)


def seen(
    service: Service, caller: Caller, name: str | None, states: Sequence[State], limit: int, cursor: str | None = None
) -> tuple[list[Task], str | None]:
    """The tasks that a caller may see, without their results, and the cursor to those after them."""
    names = None if caller.token is None else caller.token.repositories
    if name is not None:
        names = (repository(service, caller, name).name,)
    with errors(service.engine), service.engine.connect() as connection:
        found = tasks.listed(connection, repositories_named=names, states=states, before=cursor, limit=limit + 1)
    return found[:limit], found[limit - 1].id if len(found) > limit else None


@router.get("/tasks/{task}", operation_id="show_task", summary="Show a task")
def show(service: ServiceState, caller: Reader, task: TaskId) -> TaskShape:
    """What a task was asked, how far it is, and what came out."""
    return shape(find(service, caller, task))


@router.delete(
    "/tasks/{task}", status_code=202, operation_id="cancel_task", summary="Cancel a task",
    dependencies=[Depends(audited)],
)  # fmt: skip
def cancel(request: Request, service: ServiceState, caller: Writer, task: TaskId) -> TaskShape:
    """Cancel a task: at once if it waits; if it runs its question to the model is broken off within a second."""
    found = find(service, caller, task)
    request.scope["repoctx.repository"] = found.repository
    if not tasking.cancel(service.workspace, found):
        raise RefusedError(f"the task is {found.state} already: there is nothing to cancel")
    return shape(find(service, caller, task))


@router.post(
    "/tasks/{task}/retry", status_code=202, operation_id="retry_task", summary="Go on with a failed task",
    dependencies=[Depends(audited)],
)  # fmt: skip
def retry(request: Request, service: ServiceState, caller: Writer, task: TaskId) -> TaskShape:
    """Go on with a failed or cancelled task where it ended: answers that it has are not asked for again."""
    found = find(service, caller, task)
    request.scope["repoctx.repository"] = found.repository
    if found.state not in ("failed", "cancelled"):
        raise RefusedError(f"the task is {found.state}: only one that failed or was cancelled goes on again")
    if (test := found.input.get("test")) is not None:
        _check_test(service, found.repository, test)
    _check_backend(service, found.kind, found.input)
    going_on = tasking.again(service.workspace, found)
    service.wake()
    return shape(going_on)


@router.get(
    "/tasks/{task}/events", operation_id="follow_task", summary="Follow a task",
    response_class=EventSourceResponse,
)  # fmt: skip
async def follow(
    request: Request,
    service: ServiceState,
    caller: Follower,
    first: Annotated[Task, Depends(_visible)],
    last_event_id: Annotated[str | None, Header(max_length=20, pattern=r"^\d{1,9}$")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: what the task does, step by step, from its beginning or after `Last-Event-ID`; at its end
    `task` with the whole task, and the stream ends."""
    last, silent = int(last_event_id or 0), 0.0
    while True:
        try:
            found, told = await run_in_threadpool(_news, service, caller, first.id, last)
        except NotFoundError:
            return  # its repository was removed
        for one in told:
            last, silent = one.number, 0.0
            data = {"at": moment(one.at), **one.detail}
            yield ServerSentEvent(event=one.event, id=str(one.number), data=data)
        if told:
            continue  # there may be more
        if found.state not in jobs.OPEN:
            yield ServerSentEvent(event="task", id=str(last), raw_data=shape(found).model_dump_json())
            return
        if service.stopping.is_set() or await request.is_disconnected():
            return
        await asyncio.sleep(LOOK_SECONDS)
        if not await run_in_threadpool(allowed, service, caller):
            return
        silent += LOOK_SECONDS
        if silent >= PING_SECONDS:
            silent = 0.0
            yield ServerSentEvent(comment="still there")


def _news(service: Service, caller: Caller, identity: str, last: int) -> tuple[Task, list[Told]]:
    """A task, and what was told of it since."""
    task = find(service, caller, identity)
    with errors(service.engine), service.engine.connect() as connection:
        return task, tasks.events(connection, identity, last)
