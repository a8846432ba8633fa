"""How do symbols depend on each other, and what follows from a change? The tools references and impact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from repoctx.errors import NotFoundError, UsageError
from repoctx.graph.impact import FLOOR
from repoctx.retrieve.questions import Found, Link, Node
from repoctx.tasks.tools import near
from repoctx.tasks.tools.shape import (
    INTEGER,
    MORE,
    MOST_NOTE,
    NEXT,
    NUMBER,
    OFFSET,
    STRING,
    TOKENS,
    Asked,
    Tool,
    fitting,
    going_on,
    many,
    number,
    obj,
    short,
    text,
)

# Places that may mean the symbol, things that it may be, notes, and files of tests that are told.
POSSIBLE, CANDIDATES, NOTES, TEST_FILES = 10, 3, 5, 30
# Characters of a line of code that are told beside it.
MOST_CODE = 120


class Known(NamedTuple):
    """What a question was about."""

    id: str
    kind: str
    path: str
    start_line: int
    end_line: int


def _known(nodes: Sequence[Node]) -> tuple[Known, ...]:
    return tuple(Known(one.id, one.kind, one.path, one.start_line, one.end_line) for one in nodes[:POSSIBLE])


def _known_text(known: Sequence[Known]) -> str:
    return ", ".join(f"{one.id} ({one.kind}, lines {one.start_line}-{one.end_line})" for one in known)


_KNOWN = obj(
    ["id", "kind", "path", "start_line", "end_line"],
    id=STRING, kind=STRING, path=STRING, start_line=INTEGER, end_line=INTEGER,
)  # fmt: skip


# --- references --------------------------------------------------------------------------------


class Relation(NamedTuple):
    """A symbol that uses another or is used by it, and the place where."""

    id: str
    path: str
    line: int
    kind: str
    confidence: float
    depth: int | None = None  # calls on the way
    candidates: tuple[str, ...] | None = None  # what is perhaps meant there
    text: str | None = None  # the line


@dataclass(frozen=True, slots=True)
class Relations:
    """What uses a symbol, or what it uses."""

    asked: tuple[Known, ...]
    direction: str
    found: tuple[Relation, ...]
    total: int
    possible: tuple[Relation, ...]  # that may mean it and could not be resolved to it
    possible_total: int
    notes: tuple[str, ...]
    more: bool
    next_offset: int | None


def _references(asked: Asked, given: Mapping[str, Any]) -> Relations:
    graph, name, offset = asked.source.loaded.graph, given["symbol"], given["offset"]
    direction, last = given["direction"], offset + given["limit"]
    try:
        if direction == "uses":
            uses = graph.refs(name, (), 0.0, last)
            nodes, total, possible = uses.asked, uses.total, uses.possible
            every, possible_total, notes = [_used(one) for one in uses.links], uses.possible_total, uses.notes
        else:
            walk = graph.callers if direction == "callers" else graph.callees
            walked = walk(name, given["depth"], 0.0, last)
            nodes, total, possible = walked.asked, walked.total, walked.possible
            every, possible_total, notes = [_reached(one) for one in walked.found], walked.possible_total, walked.notes
    except NotFoundError as error:
        raise _missing(asked, name, error) from None
    shown = _with_lines(asked, every[offset:])
    count = fitting([_relation_text(one) for one in shown], TOKENS * 3 // 4)
    more = count > 0 and total > offset + count
    maybe = tuple(_used(one) for one in possible[:POSSIBLE]) if offset == 0 else ()
    return Relations(
        _known(nodes), direction, tuple(shown[:count]), total, maybe, possible_total,
        tuple(short(note, MOST_NOTE) for note in notes[:NOTES]), more, offset + count if more else None,
    )  # fmt: skip


def _with_lines(asked: Asked, found: Sequence[Relation]) -> list[Relation]:
    """Relations with the lines where they are."""
    loaded = asked.source.loaded
    files = sorted({loaded.file_numbers[one.path] for one in found})
    lines = {path: one.text.split("\n") for path, one in loaded.documents(files, secrets=asked.secrets).items()}
    return [one._replace(text=short(lines[one.path][one.line - 1], MOST_CODE)) for one in found]


def _missing(asked: Asked, name: str, error: NotFoundError) -> NotFoundError:
    """What is said of a name that nothing has; a line that a file does not have is told as it is."""
    return (
        error
        if name.rpartition(":")[2].isdecimal() and " lines, " in str(error)
        else near.no_symbol(asked.source, name)
    )


def _used(one: Link) -> Relation:
    return Relation(one.source, one.path, one.line, one.kind, one.confidence, None, one.candidates[:CANDIDATES] or None)


def _reached(one: Found) -> Relation:
    last = one.way[-1]
    return Relation(one.node.id, last.path, last.line, last.kind, one.score, one.depth)


def _relation_text(one: Relation) -> str:
    deep = f", {one.depth} calls away" if one.depth and one.depth > 1 else ""
    perhaps = f", perhaps of {' or '.join(one.candidates)}" if one.candidates else ""
    code = f": {one.text}" if one.text else ""
    return f"{one.path}:{one.line} {one.kind} {one.id} ({one.confidence:g}{deep}{perhaps}){code}"


def _relations_text(found: Relations) -> str:
    lines = [f"{found.direction} of {_known_text(found.asked)}: {found.total}", *map(_relation_text, found.found)]
    if found.possible:
        lines += [f"possible, not sure: {found.possible_total}", *map(_relation_text, found.possible)]
    return "\n".join([*lines, *found.notes, *going_on(found.next_offset)])


_RELATION = obj(
    ["id", "path", "line", "kind", "confidence"],
    id=STRING, path=STRING, line=INTEGER, kind=STRING, confidence=NUMBER, depth=INTEGER, candidates=many(STRING),
    text={"type": "string", "description": "the line"},
)  # fmt: skip

REFERENCES = Tool(
    "references",
    "Find references, callers, callees",
    "Find all references and usages of a function, class, method, variable or file: who calls it (callers), what it "
    "calls (callees), where it is used, imported, inherited or overridden (uses). Follows the call graph of the whole "
    "repository, calls of calls with depth.",
    obj(
        ["symbol"],
        symbol=text("a name (load, Store.load), an id (shop/store.py#Store.load), path:line, or a path"),
        direction={"type": "string", "enum": ["uses", "callers", "callees"], "default": "uses",
                   "description": "uses: every place that uses it; callers: what calls it; callees: what it calls"},
        depth=number("of callers and callees: calls of calls, so deep", 1, 10, 1),
        limit=number("how many to list", 1, 200, 50),
        offset=OFFSET,
    ),
    obj(
        ["asked", "direction", "found", "total", "possible", "possible_total", "notes", "more"],
        asked=many(_KNOWN), direction=STRING, found=many(_RELATION), total=INTEGER, possible=many(_RELATION),
        possible_total=INTEGER, notes=many(STRING), more=MORE, next_offset=NEXT,
    ),
    _references,
    _relations_text,
)  # fmt: skip


# --- impact ------------------------------------------------------------------------------------


class Risk(NamedTuple):
    """A symbol that a change may break, or a test of it."""

    id: str
    path: str
    start_line: int
    end_line: int
    risk: float
    distance: int


class Tests(NamedTuple):
    """A file with tests to run."""

    path: str
    risk: float


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from a change, the riskiest first."""

    changed: tuple[Known, ...]
    affected: tuple[Risk, ...]
    affected_total: int
    tests: tuple[Risk, ...]
    tests_total: int
    test_files: tuple[Tests, ...]
    notes: tuple[str, ...]
    more: bool
    next_offset: int | None


def _impact(asked: Asked, given: Mapping[str, Any]) -> Consequences:
    symbols, diff, offset = given.get("symbols") or [], given.get("diff"), given["offset"]
    if bool(symbols) == (diff is not None):
        raise UsageError("say what changes: either symbols, or a diff")
    graph = asked.source.loaded.graph
    last = offset + given["limit"]
    for name in symbols:
        try:
            graph.meant(name, [])
        except NotFoundError as error:
            raise _missing(asked, name, error) from None
    made = graph.impact(symbols, diff, FLOOR, last)
    affected, tests = [_risk(one) for one in made.broken[offset:]], [_risk(one) for one in made.tests[offset:]]
    rows = [
        "\n".join(_risk_text(one) for one in [*affected[at : at + 1], *tests[at : at + 1]])
        for at in range(max(len(affected), len(tests)))
    ]
    count = fitting(rows, TOKENS * 3 // 4)
    more = count > 0 and max(made.broken_total, made.tests_total) > offset + count
    files = [Tests(one.path, one.risk) for one in made.files[:TEST_FILES]] if offset == 0 else []
    return Consequences(
        _known([one.node for one in made.changed]), tuple(affected[:count]), made.broken_total, tuple(tests[:count]),
        made.tests_total, tuple(files), tuple(short(note, MOST_NOTE) for note in made.notes[:NOTES]), more,
        offset + count if more else None,
    )  # fmt: skip


def _risk(one: Found) -> Risk:
    node = one.node
    return Risk(node.id, node.path, node.start_line, node.end_line, one.score, one.depth)


def _risk_text(one: Risk) -> str:
    return f"{one.risk:.2f} {one.path}:{one.start_line}-{one.end_line} {one.id}"


def _consequences_text(found: Consequences) -> str:
    lines = [f"changed: {_known_text(found.changed)}" if found.changed else "changed: nothing that is in the index"]
    lines += [f"may break: {found.affected_total}", *map(_risk_text, found.affected)]
    lines += [f"tests: {found.tests_total}", *map(_risk_text, found.tests)]
    if found.test_files:
        lines.append(f"test files to run: {', '.join(one.path for one in found.test_files)}")
    return "\n".join([*lines, *found.notes, *going_on(found.next_offset)])


_RISK = obj(
    ["id", "path", "start_line", "end_line", "risk", "distance"],
    id=STRING, path=STRING, start_line=INTEGER, end_line=INTEGER, risk=NUMBER, distance=INTEGER,
)  # fmt: skip

IMPACT = Tool(
    "impact",
    "Assess the impact of a change",
    "Impact analysis: what may break when functions, classes or files change, or by a diff or patch, and which tests "
    "to run, the riskiest first. Follows callers, subclasses, overrides, imports and tests through the whole "
    "repository.",
    obj(
        [],
        symbols={"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 4000}, "maxItems": 100,
                 "description": "names, ids, path:line or paths of what changes"},
        diff={"type": "string", "minLength": 1, "maxLength": 1_000_000,
              "description": "instead of symbols: the change as a unified diff, as git diff writes it"},
        limit=number("how many places and how many tests", 1, 200, 30),
        offset=OFFSET,
    ),
    obj(
        ["changed", "affected", "affected_total", "tests", "tests_total", "test_files", "notes", "more"],
        changed=many(_KNOWN), affected=many(_RISK), affected_total=INTEGER, tests=many(_RISK), tests_total=INTEGER,
        test_files=many(obj(["path", "risk"], path=STRING, risk=NUMBER)), notes=many(STRING), more=MORE,
        next_offset=NEXT,
    ),
    _impact,
    _consequences_text,
)  # fmt: skip
