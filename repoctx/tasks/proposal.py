"""What does an answer of a model propose: which changes, as which diff, and what speaks against them?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from repoctx import redact
from repoctx.derive import Derived
from repoctx.errors import NotFoundError
from repoctx.parse.languages import by_path
from repoctx.parse.version import parser_version
from repoctx.pool import derive_all
from repoctx.source.git import blob_id
from repoctx.store import snapshots
from repoctx.store.payload import Key
from repoctx.tasks.diffs import changed, written
from repoctx.tasks.edits import MOST_PROBLEMS, Edit, Problem, parse
from repoctx.tasks.fitting import apply
from repoctx.tasks.names import unknown_names
from repoctx.tasks.owners import Changed
from repoctx.tasks.packing import Source
from repoctx.tasks.places import Places, clashing
from repoctx.tasks.syntax import new_errors

# Kinds of problems for which a model must be asked again. "unchanged" is none: other edits may do.
ERRORS: frozenset[str] = frozenset(
    [
        "malformed", "path", "redacted", "encoding", "not found", "ambiguous", "exists", "no change", "syntax",
        "unknown name",
    ]
)  # fmt: skip
MOST_CLASHES = 4  # files that are told

Blobs = Sequence[tuple[Key, bytes]]


class Change(NamedTuple):
    """A file before and after; None where there is none."""

    path: str
    before: str | None
    after: str | None


class Proposal(NamedTuple):
    """What an answer changes, sorted by path. The diff is empty where not all of it can be made."""

    diff: str
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]


def _apart(blobs: Blobs) -> Iterable[Derived]:
    """In another process: what a model wrote may crash a grammar, or stall it."""
    return derive_all(blobs, sum(len(raw) for _, raw in blobs), 1) if blobs else ()


def propose(source: Source, answer: str, deriving: Callable[[Blobs], Iterable[Derived]] = _apart) -> Proposal:
    """The changes of an answer to a snapshot, and all that is wrong with it. Never raises for what a model wrote.

    Of an answer without edits there is nothing to say: no diff, no changes, no problems.
    """
    edits, problems = parse(answer)
    places = Places(frozenset(source.loaded.file_numbers), _left_out(source))
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        place = places.find(edit.path)
        if isinstance(place, Problem):
            problems.append(place)
        else:
            by_file.setdefault(place, []).append(edit._replace(path=place))
    befores = _texts(source, [path for path in by_file if path in places.files])
    changes: list[Change] = []
    for path in sorted(by_file, key=str.encode):
        before = befores.get(path)
        if isinstance(before, Problem):
            problems.append(before)
            continue
        after, failed = apply(before, by_file[path], MOST_PROBLEMS - len(problems))
        problems += failed
        if after != before and all(problem.kind not in ERRORS for problem in failed):
            changes.append(Change(path, before, after))
    problems += _clashes(changes)
    if edits and not changes and all(problem.kind not in ERRORS for problem in problems):
        problems.append(Problem("no change", "", "The edits of the answer change nothing."))
    whole = bool(changes) and all(problem.kind not in ERRORS for problem in problems)
    diff = "".join(written(*change, _secret_lines(change.before)) for change in changes) if whole else ""
    problems += _wrong(source, changes, places.left_out, deriving)
    return Proposal(diff, tuple(changes), tuple(dict.fromkeys(problems))[:MOST_PROBLEMS])


def _secret_lines(text: str | None) -> frozenset[int]:
    """The lines (from 0) with secrets: a diff is shown, and kept."""
    spans = [(span.start, span.end) for span in redact.secrets(text)] if text else []
    ends = [(text or "").count("\n", 0, end) for span in spans for end in span]
    return frozenset(line for first, last in zip(ends[::2], ends[1::2], strict=True) for line in range(first, last + 1))


def _left_out(source: Source) -> Mapping[str, str]:
    """The paths that are not in the index, and why."""
    with source.loaded.engine.connect() as connection:
        try:
            repository = snapshots.repository(connection, source.origin.repository)
            where = snapshots.ref(connection, repository, source.origin.ref)
            skipped = [] if where is None else snapshots.skips(connection, where)
        except (NotFoundError, sa.exc.NoResultFound):  # removed since
            skipped = []
    return {skip.path: f"{skip.reason}, {skip.detail}" if skip.detail else skip.reason for skip in skipped}


def _texts(source: Source, paths: Sequence[str]) -> dict[str, str | Problem]:
    """The texts of files, where these are their very bytes: no diff of another encoding could be applied."""
    numbers, members = source.loaded.file_numbers, source.loaded.index.view.members
    found: dict[str, str | Problem] = {}
    parsed = source.loaded.parsed([numbers[path] for path in paths])
    for path in paths:
        text, blob = parsed[numbers[path]].text, members[numbers[path]].key.blob
        if blob_id(text.encode(), "sha1" if len(blob) == 40 else "sha256") == blob:
            found[path] = text
        else:
            said = f"{path} is not written in UTF-8, so it cannot be changed here: leave it as it is."
            found[path] = Problem("encoding", path, said)
    return found


def _clashes(changes: Sequence[Change]) -> list[Problem]:
    """New files that cannot be beside each other."""
    new = frozenset(change.path for change in changes if change.before is None)
    found = [Places(new - {path}, {}).find(path) for path in clashing(new)[:MOST_CLASHES]]
    return [problem for problem in found if isinstance(problem, Problem)]


def _wrong(
    source: Source, changes: Sequence[Change], others: Iterable[str], deriving: Callable[[Blobs], Iterable[Derived]]
) -> list[Problem]:
    """Errors of syntax that are new, and names that are nowhere."""
    derived: dict[str, Changed] = {}
    for change in changes:
        if change.after:
            key = by_path(change.path)
            raw = change.after.encode()
            lines = frozenset(
                line + 1
                for _, _, first, last in changed(change.before or "", change.after)
                for line in range(first, last)
            )
            place = Key(blob_id(raw), key, parser_version(key))
            derived[change.path] = Changed(change.path, place, change.before, change.after, lines)
    blobs = [(one.key, one.after.encode()) for one in derived.values()]
    segments, sound = [], set()
    for part in deriving(blobs):
        segments += [part.columns] if part.columns else []
        sound |= {row.key for row in part.rows if row.skip is None}
    problems: list[Problem] = []
    for one in derived.values():
        if one.key in sound:
            problems += new_errors(one.path, one.key.language, one.before, one.after, one.lines)
        else:
            problems.append(Problem("syntax", one.path, f"{one.path} cannot be parsed after the change."))
    broken = {problem.path for problem in problems}
    readable = [one for one in derived.values() if one.path not in broken]
    gone = [change.path for change in changes if change.after is None]
    return problems + unknown_names(source.loaded, readable, gone, others, segments)
