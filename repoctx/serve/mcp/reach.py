"""Who asks over MCP, which repositories exist for them, which is meant, and how fresh is what they are told?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from repoctx import tokens
from repoctx.errors import NotFoundError, UsageError
from repoctx.serve.freshness import freshness
from repoctx.store import snapshots
from repoctx.store.connect import errors
from repoctx.store.snapshots import Repository
from repoctx.store.tasks import Task
from repoctx.tasks.packing import Source
from repoctx.tasks.tools import Toolbox, toolbox
from repoctx.types import Origin
from repoctx.warm import Opened
from repoctx.workspace import Workspace

# Names that are told where one has to be said.
MOST_NAMED = 8


class Doing(NamedTuple):
    """How what a model shall do is done for who asks."""

    begin: Callable[[Workspace, Task], object]  # called with a task that is written down: see that it is done
    local: bool = False  # whether this process does it
    scope: str | None = None  # of the token that is shown; None: everything is allowed
    token: str | None = None  # its id
    note: Callable[[str], object] = id  # called with the name of the repository that a task is about


@dataclass(frozen=True, slots=True, eq=False)
class Asker:
    """Who asks, and what exists for them."""

    workspace: Workspace
    doing: Doing
    sees: Callable[[str], bool] = lambda name: True  # whether a repository exists for them
    only: tuple[str, ...] = ()  # names, paths or URLs of the repositories that there are; empty: all
    ref: str | None = None  # where none is said
    here: bool = False  # whether the repository around the current folder is meant where none is said
    around: Callable[[str], AbstractContextManager[object]] = lambda tool: nullcontext()  # a call of a tool


def repositories(asker: Asker) -> list[Repository]:
    """The repositories that are indexed and exist for who asks, by name. Raises NotFoundError if there are none."""
    engine = asker.workspace.engine
    if asker.only:
        found = {one.id: one for one in map(asker.workspace.repository, asker.only)}
        return sorted(found.values(), key=lambda one: one.name)
    with errors(engine), engine.connect() as connection:
        seen = [one for one in snapshots.all_repositories(connection) if asker.sees(one.name)]
        every = [one for one in seen if snapshots.ref(connection, one) is not None]
    if not every:
        raise NotFoundError("no repository is indexed: `repoctx index PATH` indexes one")
    return every


def repository(asker: Asker, name: str | None) -> Repository:
    """The repository that is meant. Raises NotFoundError, the same for one that may not be seen."""
    if name is None:
        return _usual(asker)
    engine = asker.workspace.engine
    if asker.only:
        for one in repositories(asker):
            if one.name == name:
                return one
    elif asker.sees(name) and name.isprintable():
        with errors(engine), engine.connect() as connection, suppress(NotFoundError):
            return snapshots.repository(connection, name)
    raise NotFoundError(f"no repository is called {name[:200]!r}: the tool `repositories` lists those that there are")


def _usual(asker: Asker) -> Repository:
    if asker.here and not asker.only:
        with suppress(NotFoundError):
            return asker.workspace.repository()
    every = repositories(asker)
    if len(every) > 1:
        named = ", ".join(one.name for one in every[:MOST_NAMED])
        more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
        raise UsageError(f"say which repository is meant, with the argument `repository`: {named}{more}")
    return every[0]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A state of a repository that is asked about."""

    opened: Opened
    tools: Toolbox
    fresh: Mapping[str, Any]  # as JSON


def state(asker: Asker, name: str | None, ref: str | None) -> State:
    """What a question is about, as it is now. Raises NotFoundError for what there is not."""
    workspace, found = asker.workspace, repository(asker, name)
    opened = workspace.open(found, ref or asker.ref)
    origin = Origin(found.name, opened.ref.name, opened.ref.snapshot, opened.ref.commit)
    source = Source(origin, opened.loaded, workspace.weights(found))
    box = toolbox(source, secrets=not workspace.settings.pack_redact, window=workspace.window())
    return State(opened, box, freshness(workspace.engine, found, opened.ref).model_dump(exclude_none=True))


def fresh_line(fresh: Mapping[str, Any]) -> str:
    """How fresh an answer is, in words."""
    commit = f" at {fresh['commit'][:12]}" if fresh.get("commit") else ""
    dirty = " with uncommitted changes" if fresh["dirty"] else ""
    line = f"[{fresh['repository']}, {fresh['ref']}{commit}{dirty}, indexed {fresh['indexed_at']}"
    if behind := fresh.get("behind"):
        pushed = f" to {behind['commit'][:12]}" if behind.get("commit") else ""
        line += f"; a newer push{pushed} is not in it yet, its job is {behind['state']}"
    return tokens.neutralise(line + "]")
