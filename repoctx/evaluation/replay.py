"""How does an index of its own follow a repository from one past commit to the next?

It lies in a temporary folder, never in the user's database, and moves forward in time, so that each step costs
what changed. What it answers at a commit follows from that commit and those before it alone.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from repoctx.errors import RefusedError, UsageError
from repoctx.evaluation.cases import Case, Reason, case
from repoctx.evaluation.gold import Gold, gold
from repoctx.index.embed import instant
from repoctx.retrieve import query
from repoctx.source import Source
from repoctx.source.urls import is_url
from repoctx.types import Progress
from repoctx.warm import Opened
from repoctx.workspace import Workspace, silent

# Commits that are looked at for questions, back from the newest: 1 ms each.
MOST_LOOKED = 5000
# Commits that are read at a time.
BATCH = 200

Show = Callable[[Progress], None]


class History(NamedTuple):
    """The questions that a repository's past asks."""

    name: str
    location: str  # as the user knows it
    folder: str  # where its objects are
    commit: str  # the newest one looked at
    looked: int  # commits looked at
    cases: list[Case]  # oldest first
    excluded: Mapping[Reason, int]  # of the commits looked at


class Step(NamedTuple):
    """A question, the snapshot it is asked of, and what should be found there."""

    case: Case
    opened: Opened
    gold: Gold


# --- which commits -----------------------------------------------------------------------------


def located(workspace: Workspace, wanted: str | None) -> str:
    """The path or URL of a repository, by default the one around the current folder.

    Raises NotFoundError for what is neither, nor the name of an indexed repository.
    """
    location = wanted or "."
    if os.path.isdir(os.path.expanduser(location)) or is_url(location):
        return location
    return workspace.repository(location).location


def history(workspace: Workspace, location: str, ref: str | None, most: int) -> History:
    """The newest `most` questions that a repository's past asks, and what kept other commits from being one.

    Raises RefusedError where there is no history, and as opening a source does.
    """
    with workspace.source(location, ref) as source:
        if source.kind == "folder":
            raise RefusedError(f"{source.location} is a plain folder: only a git repository has past commits to replay")
        listed = source.ancestors(MOST_LOOKED)
        if not listed:
            raise RefusedError(
                f"{source.location} has no past commits that could be read: a clone made with --depth 1 or --filter "
                "lacks them, `git fetch --unshallow` or a whole clone has them"
            )
        cases: list[Case] = []
        excluded: Counter[Reason] = Counter()
        looked = 0
        for start in range(0, len(listed), BATCH):
            for found in _read(source, listed[start : start + BATCH]):
                looked += 1
                if isinstance(found, Case):
                    cases.append(found)
                else:
                    excluded[found] += 1
                if len(cases) == most:
                    break
            if len(cases) == most:
                break
        name = source.default_name
        return History(name, source.location, source.folder, listed[0][0], looked, cases[::-1], excluded)


def _read(source: Source, listed: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[Case | Reason]:
    single = [identity for identity, parents in listed if len(parents) == 1]
    known = {commit.id: commit for commit in source.commits(single)}
    for identity, parents in listed:
        if len(parents) != 1:
            yield "merge" if parents else "first commit"
        else:
            yield case(known[identity], parents) if identity in known else "unreadable"


# --- one after the other -----------------------------------------------------------------------


@contextmanager
def elsewhere(workspace: Workspace, location: str) -> Iterator[Workspace]:
    """A workspace with the settings that are in force for a repository, in a folder that is removed in the end.

    A model whose vectors take time gives way to the built-in one.
    """
    settings = workspace.settings_of(location)
    model = settings.embedding_model
    with tempfile.TemporaryDirectory(prefix="repoctx-replay-", ignore_cleanup_errors=True) as home:
        flags = asdict(settings) | {
            "home": home,
            "database_url": f"sqlite:///{Path(home) / 'repoctx.db'}",
            "embedding_model": model if model == "none" or instant(model) else "static",
        }
        inner = Workspace({"REPOCTX_CONFIG": os.devnull}, flags)
        try:
            yield inner
        finally:
            inner.close()


def replay(inner: Workspace, past: History, show: Show = silent) -> Iterator[Step | Reason]:
    """Ask each question of the state before its commit, oldest first; or why it is none there."""
    total = len(past.cases)
    for done, asked in enumerate(past.cases):
        show(Progress("replay", done, total, "commits"))
        inner.index(past.folder, asked.parent, past.name, silent if done else show)
        opened = inner.open(past.name, asked.parent)
        found = gold(opened.index, asked.changes)
        yield Step(asked, opened, found) if found.files and _can_be_asked(asked.query) else _why_not(found)
    show(Progress("replay", total, total, "commits"))


def _can_be_asked(text: str) -> bool:
    try:
        query.parse(text)
    except UsageError:
        return False
    return True


def _why_not(found: Gold) -> Reason:
    return "says nothing" if found.files else "nothing to find"
