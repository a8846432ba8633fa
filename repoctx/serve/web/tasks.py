"""What is a model asked to do, how far is it, and what came out? The pages of tasks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from repoctx import tasking
from repoctx.errors import RepoctxError, UsageError
from repoctx.serve.rest import callers, tasks
from repoctx.serve.rest.callers import Caller, audited
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.rest.tasks import State, TaskAsked, TaskId, TaskShape
from repoctx.serve.results import OUTCOMES, event_text, left_out, name_of, spent_text
from repoctx.serve.web import answers
from repoctx.serve.web.entry import Follower, Reader, Writer
from repoctx.serve.web.forms import checked, chosen, listed, named
from repoctx.serve.web.frame import HEADERS, for_people, page, part
from repoctx.serve.web.live import Seen, parts
from repoctx.store import tasks as rows
from repoctx.store.connect import errors
from repoctx.store.jobs import OPEN
from repoctx.store.tasks import Task
from repoctx.tasks import recipes, workflow

# Tasks on a page, and events of a task; older ones are left out.
SHOWN, EVENTS = 50, 300
# Characters of what a task is about, where tasks are listed.
MOST_ABOUT = 160

router = APIRouter(prefix="/tasks", include_in_schema=False)

RepositoryQuery = Annotated[str | None, Query(max_length=200)]
States = Annotated[list[State | Literal[""]] | None, Query()]


class Listed(NamedTuple):
    """A task in a list."""

    task: TaskShape
    name: str
    about: str  # how its report or question begins


# --- the list ----------------------------------------------------------------------------------


@router.get("")
def all_tasks(
    request: Request, service: ServiceState, caller: Reader, repository: RepositoryQuery = None,
    state: States = None, cursor: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
) -> HTMLResponse:  # fmt: skip
    """All tasks, the newest first."""
    states = chosen(state)
    found, after = tasks.seen(service, caller, repository or None, states, SHOWN, cursor)
    values = {"tasks": list(map(_listed, found)), "next": after, "of": repository, "states": states}
    return page(request, "tasks.html", **values, live=cursor is None)


@router.get("/events", response_class=EventSourceResponse)
async def follow_all(
    request: Request, service: ServiceState, caller: Follower, repository: RepositoryQuery = None, state: States = None
) -> AsyncIterator[ServerSentEvent]:
    """The newest tasks whenever something about them changes."""

    def look() -> Seen:
        found, _ = tasks.seen(service, caller, repository or None, chosen(state), SHOWN)
        return Seen(part(request, "tasks_part.html", tasks=list(map(_listed, found))))

    async for event in parts(request, service, caller, look):
        yield event


def _listed(task: Task) -> Listed:
    said = task.input.get("report") or next(iter((task.input.get("inputs") or {}).values()), "")
    return Listed(tasks.shape(task, whole=False), name_of(task), " ".join(str(said)[:1000].split())[:MOST_ABOUT])


# --- a new one ---------------------------------------------------------------------------------


@router.get("/new")
def new(
    request: Request, service: ServiceState, caller: Writer, kind: Annotated[str, Query(max_length=100)] = "debug",
    repository: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:  # fmt: skip
    """The form of a kind of task."""
    return _form(request, service, caller, kind, {"repository": repository})


@router.post("", dependencies=[Depends(audited)])
async def submit(request: Request, service: ServiceState, caller: Writer) -> Response:
    """Write a task down, or say beforehand what it would cost."""
    form = {name: str(value).replace("\r\n", "\n") for name, value in (await request.form(max_fields=50)).items()}
    return await run_in_threadpool(_submitted, request, service, caller, form)


def _submitted(request: Request, service: Service, caller: Caller, form: Mapping[str, str]) -> Response:
    kind, name = form.get("kind", ""), form.get("repository", "").strip()
    try:
        wanted = _input(kind, form)
        asked = checked(TaskAsked, {"kind": kind, "repository": name, "ref": form.get("ref", ""), "input": wanted})
        if form.get("does") == "estimate":
            found = callers.repository(service, caller, asked.repository)
            plan = tasking.rehearse(service.workspace, *recipes.meant(kind, wanted), found, asked.ref)
            return _form(request, service, caller, kind, form, plan=plan)
        made = tasks.submit(request, asked, service, caller, Response())
    except RepoctxError as error:
        return _form(request, service, caller, kind, form, said=for_people(str(error)))
    return RedirectResponse(f"/tasks/{made.id}", 303)


def _input(kind: str, form: Mapping[str, str]) -> dict[str, Any]:
    """What a task is given. Raises UsageError for a kind that there is not."""
    if kind == "debug":
        lists = {name: listed(form.get(name, "")) for name in ("files", "symbols", "exclude")}
        words = {name: form.get(name, "").strip() for name in ("report", "diff", "model", "test")}
        given: dict[str, Any] = {name: value for name, value in {**words, **lists}.items() if value}
        if form.get("tools"):
            given["tools"] = True
        if attempts := form.get("attempts", "").strip():
            given["attempts"] = int(attempts) if attempts.isdecimal() and len(attempts) < 4 else attempts
        return given
    if kind not in workflow.builtin():
        raise UsageError(f"no task is a {kind[:100]!r}: there are {', '.join(['debug', *workflow.builtin()])}")
    inputs = workflow.find(kind).inputs
    return {name: form[f"input.{name}"] for name in inputs if form.get(f"input.{name}", "").strip()}


def _form(
    request: Request, service: Service, caller: Caller, kind: str, given: Mapping[str, str], *, said: str = "",
    plan: Mapping[str, Any] | None = None,
) -> HTMLResponse:  # fmt: skip
    kinds = ["debug", *workflow.builtin()]
    settings = service.workspace.settings
    tests = [one.partition("=") for one in settings.tasks_tests]
    return page(
        request, "task_new.html", kind=kind if kind in kinds else "debug", kinds=kinds, given=given, said=said,
        plan=plan, names=named(service, caller), models=list(service.workspace.models),
        workflow=workflow.find(kind) if kind in workflow.builtin() else None, attempts=settings.tasks_attempts,
        tests=[(name, command) for name, _, command in tests if caller.sees(name)],
        backend=bool(settings.backend_url or settings.backend_tiers),
    )  # fmt: skip


# --- one ---------------------------------------------------------------------------------------


@router.get("/{task}")
def shown(request: Request, service: ServiceState, caller: Reader, task: TaskId) -> HTMLResponse:
    """What a task was asked, how far it is, and what came out."""
    return page(request, "task.html", **_values(service, tasks.find(service, caller, task)))


@router.get("/{task}/events", response_class=EventSourceResponse)
async def follow(
    request: Request, service: ServiceState, caller: Follower, task: TaskId
) -> AsyncIterator[ServerSentEvent]:
    """A task whenever something about it changes."""

    before: tuple[Any, Seen] | None = None  # what the last look found, and by what it is known to hold still

    def look() -> Seen:
        nonlocal before
        now = _pulse(service, task)
        if before is None or now is None or now != before[0]:
            found = tasks.find(service, caller, task)
            before = now, Seen(part(request, "task_part.html", **_values(service, found)), found.state not in OPEN)
        return before[1]

    async for event in parts(request, service, caller, look):
        yield event


@router.get("/{task}/change.patch")
def patch(service: ServiceState, caller: Reader, task: TaskId) -> Response:
    """The change that came out, as git applies it."""
    diff = _diff(tasks.find(service, caller, task).result or {})
    if not diff:
        raise UsageError("no change came out of this task")
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{task}.patch"'}
    return PlainTextResponse(diff, headers=headers)


@router.post("/{task}/cancel", dependencies=[Depends(audited)])
def cancel(request: Request, service: ServiceState, caller: Writer, task: TaskId) -> Response:
    """Cancel a task."""
    tasks.cancel(request, service, caller, task)
    return RedirectResponse(f"/tasks/{task}", 303)


@router.post("/{task}/retry", dependencies=[Depends(audited)])
def retry(request: Request, service: ServiceState, caller: Writer, task: TaskId) -> Response:
    """Go on with a task where it ended."""
    tasks.retry(request, service, caller, task)
    return RedirectResponse(f"/tasks/{task}", 303)


def _pulse(service: Service, task: str) -> tuple[Any, ...] | None:
    with errors(service.engine), service.engine.connect() as connection:
        return rows.pulse(connection, task)


def _values(service: Service, task: Task) -> dict[str, Any]:
    result, made = task.result or {}, (task.result or {}).get("result")
    link = answers.place(task.repository, task.ref)
    last = (_pulse(service, task.id) or (0,))[-1]
    with errors(service.engine), service.engine.connect() as connection:
        told = rows.events(connection, task.id, last - EVENTS)
    said = result.get("answer") if task.kind == "debug" else made if isinstance(made, str) else None
    diff = _diff(result)
    return {
        "task": tasks.shape(task), "name": name_of(task), "asked": list(_asked(task.input)), "outcomes": OUTCOMES,
        "events": [text for one in told if (text := event_text(one.event, one.detail))],
        "earlier": max(0, last - EVENTS), "link": link,
        "answer": answers.prose(said, result.get("citations") or (), link) if said else None,
        "made": None if said or diff or made is None else json.dumps(made, indent=2, ensure_ascii=False),
        "problems": result.get("problems") or (made.get("problems") if isinstance(made, dict) and diff else None) or [],
        "changed": answers.changed(diff), "left_out": left_out(result),
        "spent": spent_text(task.spent or result.get("spent") or {}) if task.spent or result else "",
        "open_lines": answers.OPEN_LINES, "most_lines": answers.MOST_LINES,
    }  # fmt: skip


def _diff(result: Mapping[str, Any]) -> str:
    """The change that came out of a task, "" if none did."""
    made = result.get("result")
    found = made.get("diff") if isinstance(made, dict) else result.get("diff")
    return found if isinstance(found, str) else ""


def _asked(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a task was asked: the name of each field, and its text."""
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _asked(value)
        elif isinstance(value, (list, tuple)):
            yield name, "\n".join(map(str, value))
        elif value is not None and value != "":
            yield name, str(value)
