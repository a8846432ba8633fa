"""How does an agent have a bug mended? It asks for a task, waits for it a while, and asks again what became of it.

A task is written down before it begins: what takes longer than a call may is found again by its id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from repoctx import redact, tasking, tokens
from repoctx.errors import NotFoundError, RefusedError
from repoctx.serve import results
from repoctx.serve.freshness import freshness
from repoctx.serve.mcp import reach
from repoctx.serve.mcp.offer import FRESH, WHERE, Offer, asked
from repoctx.serve.mcp.reach import Asker
from repoctx.store import snapshots, tasks
from repoctx.store.connect import errors
from repoctx.store.jobs import OPEN
from repoctx.store.tasks import Task
from repoctx.tasks import recipes
from repoctx.tasks.tools import Result, arguments
from repoctx.tasks.tools.shape import BOOLEAN, INTEGER, STRING, fitting, many, number, obj, short, shown_line

# Tokens that a call is told of a diagnosis and of a change, in words; problems and citations that it is told.
DIAGNOSIS, DIFF, MOST = 1500, 3000, 10
# Characters of a problem.
NOTE = 400

_WAIT = number("seconds to wait for its end before answering", 0, 600, 50)
_TAKEN = ("report", "files", "symbols", "exclude", "attempts")
_ANYTHING = [{"type": kind} for kind in ("object", "array", "string", "number", "boolean", "null")]
_ANSWER = obj(
    ["id", "kind", "state", "freshness"],
    id=STRING,
    kind=STRING,
    state={**STRING, "enum": ["waiting", "running", "done", "failed", "cancelled"]},
    progress={**STRING, "description": "what it did last"},
    error={**STRING, "description": "why it failed"},
    outcome={**STRING, "enum": list(results.OUTCOMES), "description": "how far the change was checked"},
    diagnosis={**STRING, "description": "what the model said"},
    diff={**STRING, "description": "the change, whole, as `git apply` takes it"},
    problems=many(obj(["kind", "path", "detail"], kind=STRING, path=STRING, detail=STRING)),
    citations=many(
        {
            **obj(["path", "line", "exists"], path=STRING, line=INTEGER, end=INTEGER, exists=BOOLEAN, why=STRING,
                  commit=STRING),
            "description": "a place that the diagnosis names, and whether there is such a place at this commit",
        }
    ),
    spent={"type": "object", "description": "answers, tokens and costs up to now"},
    result={"anyOf": _ANYTHING, "description": "of a task that is no debug task"},
    notes=many(STRING),
    freshness=FRESH,
)  # fmt: skip

OFFERS = (
    Offer(
        "debug",
        "Find and fix a bug",
        "Have a model debug: find the cause of a bug and fix it, by an issue, a stack trace, a log or a failing test. "
        "Gives a diagnosis with checked citations and a unified diff that applies and parses; no file is changed. "
        "It takes minutes and costs tokens: what is not finished in time is asked for with the tool task.",
        obj(["report"], **{name: recipes.DEBUG["properties"][name] for name in _TAKEN}, wait=_WAIT, **WHERE),
        _ANSWER,
        looks=False,
    ),
    Offer(
        "task",
        "Ask for a task",
        "Say how far a task is that debug began, or what came of it: diagnosis, fix as a unified diff, citations.",
        obj(["id"], id={**STRING, "maxLength": 100, "description": "what debug gave as id"}, wait=_WAIT),
        _ANSWER,
    ),
)
_TAKES: Mapping[str, Mapping[str, Any]] = {one.name: one.arguments for one in OFFERS}


class Call(NamedTuple):
    """A call that waits for a task."""

    task: str
    wait: float  # seconds
    mine: bool  # whether the call has begun it, and takes it away with it when it is broken off


def possible(asker: Asker) -> bool:
    """Whether there is a model that could be asked."""
    settings = asker.workspace.settings
    return bool(settings.backend_url or settings.backend_tiers)


def begin(asker: Asker, name: str, given: Mapping[str, Any]) -> Call:
    """Write down the task that is asked for, or find it. Raises what tells why that cannot be."""
    if name == "task":
        wanted = arguments.read(name, _TAKES[name], given)
        return Call(find(asker, wanted["id"]).id, wanted["wait"], False)
    doing, workspace = asker.doing, asker.workspace
    if doing.scope == "read":
        raise RefusedError("debug needs a token of scope write: yours may read")
    meant = asked(given)
    wanted = arguments.read(name, _TAKES[name], meant.rest)
    wait = wanted.pop("wait")
    wanted.setdefault("attempts", max(1, workspace.settings.tasks_attempts))
    repository = reach.repository(asker, meant.repository)
    if doing.local:
        workspace.backend()  # where none answers, no task is left behind
    doing.note(repository.name)
    task = tasking.submit(
        workspace, "debug", wanted, repository, meant.ref or asker.ref, token=doing.token, local=doing.local
    )
    doing.begin(workspace, task)
    return Call(task.id, wait, True)


def find(asker: Asker, identity: str) -> Task:
    """The task of an id. Raises NotFoundError, the same for one about what may not be seen."""
    engine = asker.workspace.engine
    with errors(engine), engine.connect() as connection:
        task = tasks.one(connection, identity) if identity.isalnum() else None
    if task is None or not _seen(asker, task.repository):
        raise NotFoundError(f"there is no task {identity!r}: debug gives the id of one")
    return task


def _seen(asker: Asker, repository: str) -> bool:
    only = {one.name for one in reach.repositories(asker)} if asker.only else {repository}
    return asker.sees(repository) and repository in only


def ended(asker: Asker, identity: str) -> bool:
    """Whether there is nothing to wait for any more."""
    return find(asker, identity).state not in OPEN


def cancel(asker: Asker, identity: str) -> None:
    """Cancel a task that nobody waits for any more, unless it has ended."""
    engine = asker.workspace.engine
    with errors(engine), engine.begin() as connection:
        tasks.cancel(connection, identity, time.time())


# --- what is said of a task --------------------------------------------------------------------


def tell(asker: Asker, call: Call) -> Result:
    """How far a task is, or what came of it; an error where the call's own task failed."""
    task, engine = find(asker, call.task), asker.workspace.engine
    with errors(engine), engine.connect() as connection:
        repository = snapshots.repository(connection, task.repository)
        now = snapshots.ref(connection, repository, task.ref)
        last = tasks.events(connection, task.id)[-1:] if task.state in OPEN else []
    fresh = freshness(engine, repository, task.where).model_dump(exclude_none=True)
    made: dict[str, Any] = {"id": task.id, "kind": task.kind, "state": task.state, "spent": task.spent}
    made |= {"error": task.error, "progress": results.event_text(last[0].event, last[0].detail) if last else None}
    if task.kind == "debug" and task.result is not None:
        made |= {name: task.result[name] for name in ("outcome", "diff", "problems", "citations")}
        made["diagnosis"] = task.result["answer"]
    else:
        made["result"] = (task.result or {}).get("result")
    shown = _shown({key: value for key, value in made.items() if value}, not asker.workspace.settings.pack_redact)
    moved = now is None or now.snapshot != task.pinned["snapshot"]
    shown["notes"] = _notes(task, call.mine, moved, shown.get("diff") != (made.get("diff") or None))
    text = "\n".join([*_lines(task, shown), *shown["notes"], reach.fresh_line(fresh)])
    return Result(text, {**shown, "freshness": fresh}, call.mine and task.state == "failed")


def _notes(task: Task, mine: bool, moved: bool, altered: bool) -> list[str]:
    """What an agent should know of a task, and what it can do next."""
    notes = []
    resume = f"`repoctx task resume {task.id}`" if task.local else f"POST /v1/tasks/{task.id}/retry"
    if task.state in OPEN:
        notes.append(f"It is not finished: call the tool task with id={task.id} to wait for it.")
        if task.local and not mine:
            notes.append(f"If its process has gone, {resume} goes on with it.")
    elif task.state != "done":
        notes.append(f"{resume} goes on with it.")
    elif moved:
        notes.append("The repository was indexed anew since: look whether the answer still holds.")
    if altered:
        whole = f"`repoctx task show {task.id}`" if task.local else f"GET /v1/tasks/{task.id}"
        notes.append(f"Secrets or control words are not shown in the diff, so that it may not apply: {whole} has it.")
    return notes


def _lines(task: Task, shown: Mapping[str, Any]) -> list[str]:
    """The text of an answer, which is bounded whatever came out."""
    at = f"{task.repository} at {(task.commit or task.ref)[:12]}"
    lines = [f"{task.kind} task {task.id} about {tokens.neutralise(at)}: {task.state}"]
    lines += [short(shown[key], NOTE * 2) for key in ("progress", "error") if key in shown]
    if task.result is None:
        return lines
    if "outcome" in shown:
        lines.append(f"{shown['outcome']}: {results.OUTCOMES[shown['outcome']]}")
    problems = shown.get("problems", [])
    lines += [f"  {one['kind']}: {short(one['detail'], NOTE)}" for one in problems[:MOST]]
    lines += _more(len(problems), "problems")
    if (said := shown.get("diagnosis", shown.get("result"))) is not None:
        text = said if isinstance(said, str) else json.dumps(said, indent=1, ensure_ascii=False)
        lines += ["", *_beginning(text.strip(), DIAGNOSIS if "diagnosis" in shown else DIAGNOSIS + DIFF)]
    if "diff" in shown:
        lines += ["", *_beginning(shown["diff"].rstrip("\n"), DIFF)]
    lines.append("")
    cited = results.cited({"citations": shown.get("citations", [])})
    lines += [*cited[: MOST + 1], *_more(len(cited) - 1, "places that there are not")]
    return [*lines, results.spent_text(task.spent or {})]


def _beginning(text: str, most: int) -> list[str]:
    """As many lines of a text as have so many tokens."""
    lines = [shown_line(line) for line in text.split("\n")]
    kept = fitting(lines, most)
    return lines if kept == len(lines) else [*lines[:kept], f"… ({len(lines) - kept:,} lines more in the whole answer)"]


def _more(count: int, what: str) -> list[str]:
    return [f"  … and {count - MOST:,} {what} more"] if count > MOST else []


def _shown(value: Any, secrets: bool) -> Any:
    """JSON without control words, and without secrets unless they are wanted."""
    if isinstance(value, str):
        said = tokens.valid(value)
        return tokens.neutralise(said if secrets else redact.redact(said)[0])
    if isinstance(value, Mapping):
        return {_shown(key, secrets): _shown(each, secrets) for key, each in value.items()}
    return [_shown(one, secrets) for one in value] if isinstance(value, list) else value
