"""What are the items of a `foreach`? Files, symbols, communities, what a diff changes, what uses a symbol, a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from repoctx.errors import NotFoundError, RefusedError, UsageError
from repoctx.graph.impact import FLOOR
from repoctx.graph.layout import CALLABLES, TYPES
from repoctx.retrieve import diff as diffs
from repoctx.retrieve.questions import FileOfTests, Found, Graph, Link, Node
from repoctx.tasks.steps import Desk
from repoctx.tasks.workflow import outline
from repoctx.tasks.workflow.shape import Each, Facts, Step
from repoctx.tasks.workflow.template import fill, name, value
from repoctx.types import KINDS

# Lines around a symbol within which a hunk is its own; users and tests that are named.
NEAR, USERS, TESTS = 3, 12, 8
# Hunks of a file and characters of a diff that an item has; symbols after which it is looked whether to go on.
MOST_HUNKS, MOST_DIFF, LOOK = 1_000, 100_000, 50
# Tokens of a file that is shown whole where it uses a symbol; lines of the head and around each use of a larger one.
WHOLE, HEAD, AROUND = 8_000, 40, 25
# Every row of the graph's answer.
EVERY = 1 << 30
# The share of a step's budget that an outline may take.
OUTLINE_SHARE = 0.75


class Items(NamedTuple):
    """The items of a step, and what has to be told of them."""

    values: list[Any]
    notes: list[str]


def items(desk: Desk, step: Step, known: Mapping[str, Any]) -> Items:
    """The items of a step with `foreach`, at most its limit, in a fixed order.

    Raises NotFoundError, UsageError and RefusedError for a pattern, symbol or diff that means nothing.
    """
    each = step.each
    assert each is not None
    if each.kind == "list":
        found = value(each.ref or (), known)
        values, notes = (found, []) if isinstance(found, list) else ([], [f"{'.'.join(each.ref or ())} is no list"])
    else:
        of = fill(each.of, known) if each.of and each.kind == "changed_symbols" else name(each.of, known)
        values, notes = _KINDS[each.kind](desk, step, each, of)
    if len(values) > step.limit:
        notes = [*notes, f"{len(values) - step.limit:,} of {len(values):,} items are left out: limit is {step.limit:,}"]
    return Items(values[: step.limit], [f"{step.id}: {note}" for note in notes])


def name_of(item: Any, number: int) -> str:
    """What an item is called in messages."""
    if isinstance(item, Mapping):
        for key in ("id", "label", "path", "name"):
            if isinstance(item.get(key), str) and item[key]:
                return str(item[key])[:200]
    return item[:200] if isinstance(item, str) and item.strip() else f"item {number + 1}"


# --- kinds -------------------------------------------------------------------------------------

_Made = tuple[list[Any], list[str]]


def _files(desk: Desk, step: Step, each: Each, pattern: str) -> _Made:
    view = desk.source.loaded.index.view
    numbers = desk.source.loaded.index.matching(pattern).nonzero()[0].tolist()
    return [
        {
            "path": view.members[file].path, "lines": int(view.lines[file]), "language": view.languages[file],
            "tokens": int(view.tokens[file]),
        }
        for file in numbers
    ], []  # fmt: skip


def _symbols(desk: Desk, step: Step, each: Each, pattern: str) -> _Made:
    loaded = desk.source.loaded
    o, fits = loaded.index.view.occurrences, loaded.index.matching(pattern)
    kinds = frozenset(each.kinds) or CALLABLES | TYPES
    rows = [row for row in fits[o.symbol_file].nonzero()[0].tolist() if KINDS[o.symbol_kind[row]] in kinds]
    shown = [
        {**loaded.graph.node(row)._asdict(), "signature": loaded.symbol(row).signature} for row in rows[: step.limit]
    ]
    return [*shown, *rows[step.limit :]], []


def _communities(desk: Desk, step: Step, each: Each, pattern: str) -> _Made:
    counter = desk.window(step.model).counter
    found = outline.sketches(desk.source, counter.count)
    room = int(step.budget * OUTLINE_SHARE)
    made = outline.parts(desk.source, {path: one.tokens for path, one in found.items()}, room)
    return [
        {
            "label": one.label or "/", "files": list(one.files),
            "outline": "".join(found[path].text for path in one.files),
        }
        for one in made
    ], []  # fmt: skip


def _changed(desk: Desk, step: Step, each: Each, text: str) -> _Made:
    graph = desk.source.loaded.graph
    notes: list[str] = []
    touched = graph.touched(text, notes)
    changes = {path: one for one in diffs.parse(text) for path, _ in diffs.paths(one)[:1]}
    nodes = [graph.node(number) for number in sorted(touched)]
    for path, change in changes.items():
        if path not in graph.files and change.new is not None and change.hunks:
            last = max(hunk.new + len(hunk.rows) for hunk in change.hunks)
            nodes.append(Node("", path, path.rpartition("/")[2], path, "new file", 1, last))
    notes += [
        f"of {path[:200]} only the first {MOST_HUNKS:,} hunks are shown"
        for path, change in changes.items()
        if len(change.hunks) > MOST_HUNKS
    ]
    made: list[Any] = []
    same: dict[str, str] = {}  # one hunk may be near many symbols
    for number, node in enumerate(nodes[: step.limit]):
        if number and number % LOOK == 0:
            desk.journal.tell("look", {"step": step.id, "number": number, "of": min(len(nodes), step.limit)})
        users, tests = _follows(graph, node)
        diff = _hunks(changes.get(node.path), node)
        made.append({**node._asdict(), "diff": same.setdefault(diff, diff), "users": users, "tests": tests})
    return [*made, *nodes[step.limit :]], notes


def _follows(graph: Graph, node: Node) -> tuple[list[str], list[str]]:
    """What may break when a symbol changes, and the files of tests that would tell."""
    if not node.id:  # a new file
        return [], []
    try:
        found = graph.impact([node.id], None, FLOOR, USERS)
    except (NotFoundError, UsageError):  # a name that cannot be asked for
        return [], []
    return [_place(one) for one in found.broken], [_tests(one) for one in found.files[:TESTS]]


def _references(desk: Desk, step: Step, each: Each, symbol: str) -> _Made:
    graph = desk.source.loaded.graph
    found = graph.refs(symbol, (), 0.0, EVERY)
    by_path: dict[str, dict[str, Any]] = {}
    for link in found.links:
        item = by_path.setdefault(link.path, {"path": link.path, "symbol": symbol, "places": [], "possible": []})
        item["places"].append(_use(link))
    elsewhere = 0
    for link in found.possible:
        if link.path in by_path:
            by_path[link.path]["possible"].append(_use(link))
        else:
            elsewhere += 1
    notes = list(found.notes)
    if elsewhere:
        notes.append(f"{elsewhere:,} places in other files may mean {symbol} too: `repoctx refs` lists them")
    lines: dict[str, list[int]] = {path: [] for path in by_path}
    for link in (*found.links, *found.possible):
        lines.get(link.path, []).append(link.line)
    for path, item in by_path.items():
        item["spans"] = _spans(desk, path, lines[path])
    return [by_path[path] for path in sorted(by_path)], notes


def _spans(desk: Desk, path: str, lines: list[int]) -> list[str]:
    """What to show of a file: all of it, or its head and what is around some lines."""
    view, file = desk.source.loaded.index.view, desk.source.loaded.file_numbers[path]
    last = int(view.lines[file])
    if int(view.tokens[file]) <= WHOLE:
        return [path]
    runs = [[1, min(HEAD, last)]]
    for line in sorted(lines):
        if line - AROUND <= runs[-1][1] + 1:
            runs[-1][1] = max(runs[-1][1], min(line + AROUND, last))
        else:
            runs.append([line - AROUND, min(line + AROUND, last)])
    return [f"{path}:{start}-{end}" for start, end in runs]


_KINDS: Mapping[str, Callable[[Desk, Step, Each, str], _Made]] = {
    "files": _files, "symbols": _symbols, "communities": _communities, "changed_symbols": _changed,
    "references": _references,
}  # fmt: skip


def _hunks(change: diffs.FileChange | None, node: Node) -> str:
    """The hunks of a file's diff that are near a symbol, or all of them where none is known to be.

    Lines have their number after the change, so that they can be cited.
    """
    if change is None:
        return ""

    def near(hunk: diffs.Hunk) -> bool:
        first, last = node.start_line - NEAR, node.end_line + NEAR
        return any(start <= last and start + len(hunk.rows) >= first for start in (hunk.old, hunk.new))

    whole = node.kind in ("module", "new file")
    hunks = change.hunks[:MOST_HUNKS]
    chosen = [hunk for hunk in hunks if whole or near(hunk)] or hunks
    out = [f"--- {change.old or '/dev/null'}", f"+++ {change.new or '/dev/null'}"]
    left = MOST_DIFF
    for hunk in chosen:
        out.append("@@")
        line = hunk.new
        for row in hunk.rows:
            gone = row[:1] == "-"
            out.append(f"{'' if gone else line:>5} {row}")
            line += not gone
            left -= len(out[-1])
            if left < 0:
                out[-1] = "(cut off here)"
                return "\n".join(out) + "\n"
    return "\n".join(out) + "\n"


# --- the graph's answers -----------------------------------------------------------------------


def facts(desk: Desk, asked: Facts, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the graph answers. Raises NotFoundError, UsageError and RefusedError."""
    graph = desk.source.loaded.graph
    symbol = name(asked.symbol, known).strip()
    diff = fill(asked.diff, known) if asked.diff else ""
    if asked.ask == "impact":
        if not symbol and not diff.strip():
            raise RefusedError("there is nothing to find the impact of: give a symbol or a diff")
        names = [symbol] if symbol else []
        found = graph.impact(names, diff if diff.strip() else None, FLOOR, asked.limit)
        return {
            "changed": [_named(one.node) for one in found.changed[: asked.limit]],
            "broken": [_place(one) for one in found.broken], "broken_total": found.broken_total,
            "tests": [_place(one) for one in found.tests], "tests_total": found.tests_total,
            "test_files": [_tests(one) for one in found.files[: asked.limit]],
            "notes": found.notes,
        }  # fmt: skip
    if asked.ask == "references":
        uses = graph.refs(symbol, (), 0.0, asked.limit)
        return {
            "symbol": symbol, "places": [_use(one) for one in uses.links], "total": uses.total,
            "possible": [_use(one) for one in uses.possible], "notes": uses.notes,
        }  # fmt: skip
    walked = (graph.callers if asked.ask == "callers" else graph.callees)(symbol, 2, 0.0, asked.limit)
    return {
        "symbol": symbol, "found": [_place(one) for one in walked.found], "total": walked.total,
        "possible": [_use(one) for one in walked.possible], "notes": walked.notes,
    }  # fmt: skip


def _named(node: Node) -> str:
    return f"{node.path}:{node.start_line} {node.qualified_name} ({node.kind})"


def _place(found: Found) -> str:
    return f"{_named(found.node)}, {found.score:.2f}"


def _tests(found: FileOfTests) -> str:
    return f"{found.path}, {found.risk:.2f}"


def _use(link: Link) -> str:
    return f"{link.path}:{link.line} {link.kind} in {link.source.rpartition('#')[2]}"
