"""What does the graph answer about symbols? References, callers, callees, impact: nodes turned into words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from repoctx.errors import NotFoundError, RefusedError, UsageError
from repoctx.graph import declarations, neighbourhood, shape, tests, traverse
from repoctx.graph import impact as impacts
from repoctx.graph.drafts import Drafts
from repoctx.graph.keys import Mask, Rows
from repoctx.graph.layout import CALLABLES, SPACES, TYPES, Layout, layout
from repoctx.graph.overrides import constructed
from repoctx.graph.rank import Ranks, escaped, symbol_ranks
from repoctx.graph.rules import OUTSIDE, RULES
from repoctx.graph.symbols import beginning, implementations, inherited, lookup, near, within
from repoctx.graph.traverse import Steps
from repoctx.retrieve import diff as diffs
from repoctx.types import EDGE_KINDS, KINDS, Edges, Occurrences

# What uses a symbol; the other kinds of edges are `contains` and `tests`.
USES = frozenset({"calls", "references", "imports", "inherits", "overrides"})
# What is made of what it contains.
HOLDERS = TYPES | SPACES
# Definitions that are listed where a name has several, and files of a diff that the snapshot does not have.
MOST_LISTED = 20

_LINE = re.compile(r"(.+):(\d{1,9})")
_LINE_COLUMN = re.compile(r"(.+):(\d{1,9}):\d+")
_REPEAT = re.compile(r"~\d+$")
_CALLABLE = np.array([kind in CALLABLES for kind in KINDS], np.bool_)
_SCOPE = np.array([kind in CALLABLES or kind in TYPES for kind in KINDS], np.bool_)


class Node(NamedTuple):
    """A symbol or a file."""

    id: str
    path: str
    name: str
    qualified_name: str
    kind: str
    start_line: int
    end_line: int


class Link(NamedTuple):
    """An edge. `target` is None where it is not known; `candidates` are what it may be."""

    kind: str
    path: str
    line: int
    column: int
    source: str
    target: str | None
    confidence: float
    rule: str
    candidates: tuple[str, ...] = ()


class Found(NamedTuple):
    """A node that was reached, and how."""

    node: Node
    depth: int  # edges of the way
    score: float  # confidence of the way, or risk
    way: tuple[Link, ...]  # edges from what was asked about on


@dataclass(frozen=True, slots=True)
class Uses:
    """The references to a symbol."""

    asked: list[Node]
    links: list[Link]
    total: int
    possible: list[Link]  # may mean it, and are linked to something else or to nothing
    possible_total: int
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Walked:
    """The callers or callees of a symbol."""

    asked: list[Node]
    found: list[Found]
    total: int
    possible: list[Link]
    possible_total: int
    notes: list[str]


class FileOfTests(NamedTuple):
    """A file with tests to run."""

    path: str
    risk: float  # of its riskiest test
    tests: int  # how many of its tests to run; 0 where the file is run as a whole


class Ring(NamedTuple):
    """Files or symbols that all lead to each other."""

    nodes: list[Node]
    way: list[Link]  # a shortest way round


class Group(NamedTuple):
    """Files that have more to do with each other than with others."""

    label: str  # the folder that most of them share
    files: list[str]  # those with the most edges within first
    inside: float  # weight of the edges within
    outside: float  # weight of the edges that lead out or in


class Neighbour(NamedTuple):
    """A node of a neighbourhood."""

    node: Node
    number: int  # its row
    level: int  # edges from what was asked about; below 0 if it uses that
    users: int  # nodes that lead to it, in the whole snapshot
    uses: int  # nodes that it leads to


class Tie(NamedTuple):
    """The edges of a kind from one node of a neighbourhood to another."""

    source: int  # place among the nodes
    target: int
    times: int
    possible: bool  # the target is a candidate of edges that could not be resolved
    link: Link  # the surest of them; of a possible one with the share of the candidate as its confidence


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What is around a symbol."""

    asked: int  # how many of the first nodes were asked about
    kinds: tuple[str, ...]  # of edges that count
    nodes: list[Neighbour]  # the nearest first
    ties: list[Tie]  # the surest first
    left_out: int  # nodes that there was no room for, at the level at which it ended
    notes: list[str]


class ChangedNode(NamedTuple):
    """A node that a change touches."""

    node: Node
    lines: tuple[int, ...]  # the changed lines in the snapshot; none where the node was named


@dataclass(frozen=True, slots=True)
class Impact:
    """What follows from a change, the riskiest first."""

    changed: list[ChangedNode]
    broken: list[Found]
    broken_total: int
    tests: list[Found]
    tests_total: int
    files: list[FileOfTests]  # of all tests to run, whatever the limit
    notes: list[str]


@dataclass(frozen=True, eq=False)
class Graph:
    """The graph of a snapshot, ready for questions. S symbols and F files are its nodes."""

    occurrences: Occurrences
    edges: Edges
    ids: Sequence[str]  # S + F
    lines: Sequence[int]  # F, lines of each file
    texts: Callable[[Sequence[int]], dict[int, str]]  # texts of files
    styles: Mapping[str, str]

    @cached_property
    def files(self) -> dict[str, int]:
        """Path -> number of the file."""
        return {path: file for file, path in enumerate(self.occurrences.paths)}

    @cached_property
    def where(self) -> Layout:
        """Where everything stands."""
        return layout(self.occurrences, self.styles)

    @cached_property
    def twins(self) -> Rows:
        """For each node a number that a declaration in a C header shares with its definition, and an overload in Python
        with the function that does the work."""
        files = len(self.occurrences.symbol_file) + np.arange(len(self.occurrences.paths))
        symbols = declarations.twins(self.occurrences, self.where)
        return np.concatenate([symbols[self.implementations], files])

    @cached_property
    def implementations(self) -> Rows:
        """For each symbol itself, for an overload in Python the function that does the work."""
        return implementations(self.occurrences)

    @cached_property
    def callers_of(self) -> Steps:
        """Steps from what is called to what calls it."""
        return traverse.steps(self.occurrences, self.edges, self.where.owner, {}, {"calls": 1.0})

    @cached_property
    def callees_of(self) -> Steps:
        """Steps from what calls to what it calls."""
        return traverse.steps(self.occurrences, self.edges, self.where.owner, {"calls": 1.0}, {})

    @cached_property
    def ways(self) -> impacts.Ways:
        """Steps from what changes."""
        return impacts.ways(self.occurrences, self.edges, self.where.owner, self.test_code)

    @cached_property
    def sides(self) -> neighbourhood.Sides:
        """The edges of each node."""
        return neighbourhood.sides(self.edges, len(self.ids))

    @cached_property
    def ranks(self) -> Ranks:
        """How central each node is."""
        return symbol_ranks(self.occurrences, self.edges)

    @cached_property
    def test_code(self) -> tests.TestCode:
        """What is a test."""
        e = self.edges
        nothing = np.zeros(len(e.kind), np.int64)
        columns = (e.kind, e.file, e.line, e.column, e.source, e.target, e.confidence, e.rule, nothing, nothing)
        return tests.test_code(self.occurrences, self.where, Drafts(*columns, nothing[:0]))

    # --- in words ------------------------------------------------------------------------------

    def node(self, number: int) -> Node:
        """A node in words."""
        o, symbols = self.occurrences, len(self.occurrences.symbol_file)
        if number >= symbols:
            path = o.paths[number - symbols]
            name = path.rpartition("/")[2]
            return Node(path, path, name, path, "module", 1, int(self.lines[number - symbols]))
        name, descriptor = o.names[o.symbol_name[number]], o.names[o.symbol_descriptor[number]]
        span = int(o.symbol_start[number]), int(o.symbol_end[number])
        path = o.paths[o.symbol_file[number]]
        return Node(self.ids[number], path, name, descriptor, KINDS[o.symbol_kind[number]], *span)

    def link(self, row: int) -> Link:
        """An edge in words."""
        e = self.edges
        candidates = e.candidates[e.candidate_start[row] : e.candidate_start[row + 1]].tolist()
        return Link(
            EDGE_KINDS[e.kind[row]],
            self.occurrences.paths[e.file[row]],
            int(e.line[row]),
            int(e.column[row]),
            self.ids[e.source[row]],
            self.ids[e.target[row]] if e.target[row] >= 0 else None,
            round(float(e.confidence[row]), 2),
            RULES[e.rule[row]].name,
            tuple(self.ids[node] for node in candidates),
        )

    # --- which node is meant? ------------------------------------------------------------------

    def meant(self, name: str, notes: list[str]) -> list[int]:
        """The nodes of a name: a symbol with its overloads and its declaration in a header, or a file.

        A name is `path#descriptor`, a bare or qualified name (`()` at its end counts for nothing), `path:line` (a
        column may follow) or a path. Raises NotFoundError, and UsageError where several symbols have it. One that only
        tests have besides another is passed over.
        """
        o = self.occurrences
        text = self.without_spaces(name)
        if not text:
            raise UsageError("the name is empty: say which symbol you mean")
        if text in self.files:
            return [len(o.symbol_file) + self.files[text]]
        if (at := self.place(text)) is not None:
            return [at]
        rows = self.named(text)
        parts: dict[tuple[int, int], list[int]] = {}
        for row in rows:
            parts.setdefault((int(o.symbol_file[row]), int(o.symbol_descriptor[row])), []).append(row)
        groups: dict[int, list[int]] = {}
        for part in parts.values():
            groups.setdefault(int(self.twins[part[0]]), []).extend(part)
        if not groups:
            raise NotFoundError(f"no symbol or file is called {name!r}: {self.like(text)}")
        choices = self._without_constructors(list(groups.values()))
        if len(choices) > 1:
            product = [group for group in choices if not self.test_code.code[group[0]]]
            if len(product) != 1:
                listed = "".join(f"\n  {escaped(self.ids[min(group)])}" for group in (product or choices)[:MOST_LISTED])
                more = len(product or choices) - MOST_LISTED
                raise UsageError(
                    f"{len(product or choices)} symbols are called {name!r}: say which one, or path:line{listed}"
                    + (f"\n  and {more} more" if more > 0 else "")
                )
            others = _count(len(choices) - 1, "more is", "more are")
            notes.append(f"{name!r} is taken for {self.ids[min(product[0])]}; {others} in tests")
            choices = product
        return choices[0]

    def without_spaces(self, name: str) -> str:
        """A name without the spaces around it, unless they are those of a file or of an id."""
        whole = name in self.files or (name != name.strip() and name in self.ids)
        return name if whole else name.strip().removeprefix("./")

    def _without_constructors(self, choices: list[list[int]]) -> list[list[int]]:
        """Groups of symbols of one name, less the constructors (`shop.Store.Store`) of classes that are among them."""
        o = self.occurrences
        names = [o.names[o.symbol_descriptor[group[0]]] for group in choices]
        return [
            group for group, name in zip(choices, names, strict=True)
            if name.rpartition(".")[0] not in names or not name.endswith("." + o.names[o.symbol_name[group[0]]])
        ]  # fmt: skip

    def with_twins(self, nodes: Sequence[int] | Rows) -> Rows:
        """Some nodes with the definitions of those that are declarations, and the declarations of definitions."""
        return np.flatnonzero(np.isin(self.twins, self.twins[np.asarray(nodes, np.int64)]))

    def named(self, text: str) -> list[int]:
        """The symbols that a name means, a function before its overloads; or the one that has it as its id."""
        if _REPEAT.search(text) and text in self.ids:
            return [list(self.ids).index(text)]
        bare = text.removesuffix("()")
        found = lookup(self.occurrences, text) or lookup(self.occurrences, bare)
        found = found or within(self.occurrences, bare) or inherited(self.occurrences, self.edges, bare)
        body = self.implementations
        return sorted(found, key=lambda row: (body[row], row != body[row], row))

    def like(self, name: str) -> str:
        """What is said where no symbol has a name: those that are written much like it, and where else to look."""
        names = [escaped(one) for one in near(self.occurrences, name)]
        meant = f"did you mean {' or '.join(map(repr, names))}? " if names else ""
        return f"{meant}`repoctx search` looks in the text"

    def place(self, text: str) -> int | None:
        """The innermost symbol at `path:line`, or the file; None if the text is no such place. A column may follow."""
        text = text.strip().removeprefix("./")
        shapes = (shape.fullmatch(text) for shape in (_LINE, _LINE_COLUMN))
        found = next((one for one in shapes if one and one[1] in self.files), None)
        if found is None:
            return None
        file, line = self.files[found[1]], int(found[2])
        if line < 1 or line > self.lines[file]:
            raise NotFoundError(f"{escaped(self.occurrences.paths[file])} has {self.lines[file]} lines, not {line}")
        symbol = self._innermost(file, np.ones(len(KINDS), np.bool_))[line]
        return int(symbol) if symbol >= 0 else len(self.occurrences.symbol_file) + file

    def _innermost(self, file: int, kinds: Mask) -> Rows:
        """For each line of a file the innermost symbol of some kinds around it, -1 outside of all."""
        o = self.occurrences
        around = np.full(int(self.lines[file]) + 2, -1)
        first, last = np.searchsorted(o.symbol_file, [file, file + 1]).tolist()
        for row in range(first, last):
            if kinds[o.symbol_kind[row]]:
                around[o.symbol_start[row] : o.symbol_end[row] + 1] = row
        return around

    # --- questions -----------------------------------------------------------------------------

    def refs(self, name: str, kinds: Iterable[str], least: float, limit: int) -> Uses:
        """Where a symbol is used, by place; a constructor also where its class is called."""
        notes: list[str] = []
        nodes = self.with_twins(self.meant(name, notes))
        wanted = frozenset(kinds) or USES
        rows = traverse.into(self.edges, nodes, wanted)
        if "calls" in wanted:
            holder, constructor = constructed(self.occurrences, self.where.owner)
            classes = holder[np.isin(constructor, nodes)]
            rows = np.union1d(rows, traverse.into(self.edges, classes, frozenset({"calls"})))
        rows = rows[self.edges.confidence[rows] >= least]
        maybe = self._sure(traverse.of_kind(self.edges, traverse.possible(self.edges, nodes), wanted), least, notes)
        asked = [self.node(node) for node in nodes.tolist()]
        return Uses(
            asked, self._links(rows[:limit]), len(rows), self._links(maybe[:limit]), len(maybe), notes
        )

    def callers(self, name: str, depth: int, least: float, limit: int) -> Walked:
        """What calls a symbol, directly or through others; of a file what calls its symbols from elsewhere."""
        notes: list[str] = []
        nodes = self.with_twins(self.meant(name, notes))
        starts = impacts.within(self.occurrences, nodes) if self._is_file(nodes) else nodes
        maybe = traverse.of_kind(self.edges, traverse.possible(self.edges, nodes), frozenset({"calls"}))
        return self._walked(self.callers_of, nodes, starts, depth, least, limit, maybe, notes)

    def callees(self, name: str, depth: int, least: float, limit: int) -> Walked:
        """What a symbol and all that is written inside of it call, directly or through others."""
        notes: list[str] = []
        nodes = self.with_twins(self.meant(name, notes))
        starts = impacts.within(self.occurrences, nodes)
        e = self.edges
        open_calls = np.flatnonzero((e.kind == EDGE_KINDS.index("calls")) & (e.target < 0) & np.isin(e.source, starts))
        abroad = int((e.rule[open_calls] == OUTSIDE).sum())
        some = np.diff(e.candidate_start)[open_calls] > 0
        lost = len(open_calls) - abroad - int(some.sum())
        if abroad:
            notes.append(f"{_count(abroad, 'call leads', 'calls lead')} out of the repository")
        if lost:
            notes.append(f"{_count(lost, 'call is', 'calls are')} of values that nothing is known about")
        return self._walked(self.callees_of, nodes, starts, depth, least, limit, open_calls[some], notes)

    def _is_file(self, nodes: Rows) -> bool:
        return bool((nodes >= len(self.occurrences.symbol_file)).all())

    def _walked(
        self, ways: Steps, nodes: Rows, starts: Rows, depth: int, least: float, limit: int, maybe: Rows,
        notes: list[str],
    ) -> Walked:  # fmt: skip
        maybe = self._sure(maybe, least, notes)
        reached = traverse.walk(ways, starts, depth, least)
        found = [
            Found(self.node(node), level, round(score, 2), tuple(map(self.link, reached.way(node))))
            for node, level, score in zip(
                reached.node[:limit].tolist(), reached.depth.tolist(), reached.score.tolist(), strict=False
            )
        ]
        asked = [self.node(node) for node in nodes.tolist()]
        return Walked(asked, found, len(reached.node), self._links(maybe[:limit]), len(maybe), notes)

    @staticmethod
    def _sure(maybe: Rows, least: float, notes: list[str]) -> Rows:
        """Possible edges, of which none is left where some confidence is asked for."""
        if least > 0 and len(maybe):
            places = _count(len(maybe), "possible place is", "possible places are")
            notes.append(f"{places} left out as less sure")
            return maybe[:0]
        return maybe

    def _links(self, rows: Rows) -> list[Link]:
        return [self.link(row) for row in rows.tolist()]

    # --- what is around a symbol -----------------------------------------------------------------

    def around(
        self, name: str, kinds: Iterable[str], depth: int, least: float, limit: int, expanded: Iterable[str] = ()
    ) -> Neighbourhood:
        """What uses a symbol and what it uses, the nearest first, at most `limit` nodes, and the edges between them.

        Without kinds those that use are followed, and of a type or a file also what it contains. Of nodes that are
        `expanded` (by their ids) what is beside them is added. Where some confidence is asked for, nothing counts
        that is only possible.
        """
        notes: list[str] = []
        starts = self.with_twins(self.meant(name, notes))
        wanted = frozenset(kinds) or self._usual(starts)
        places = {id: place for place, id in enumerate(self.ids)} if expanded else {}
        found = neighbourhood.around(
            self.edges, self.sides, self.ranks, starts,
            neighbourhood.Wanted(np.array([kind in wanted for kind in EDGE_KINDS]), least), depth, limit,
            [places[id] for id in dict.fromkeys(expanded) if id in places],
        )  # fmt: skip
        columns = (found.node, found.level, found.users, found.uses)
        nodes = [
            Neighbour(self.node(node), node, level, users, uses)
            for node, level, users, uses in zip(*(column.tolist() for column in columns), strict=True)
        ]
        if found.left_ties:
            notes.append(f"{_count(found.left_ties, 'edge is', 'edges are')} left out, the least sure ones")
        kept = tuple(kind for kind in EDGE_KINDS if kind in wanted)
        return Neighbourhood(min(len(starts), limit), kept, nodes, self._ties(found), found.left_out, notes)

    def _usual(self, nodes: Rows) -> frozenset[str]:
        """The kinds of edges that are followed from some nodes if none are named."""
        o, symbols = self.occurrences, len(self.occurrences.symbol_file)
        holds = any(node >= symbols or KINDS[o.symbol_kind[node]] in HOLDERS for node in nodes.tolist())
        return USES | {"tests"} | ({"contains"} if holds else set())

    def _ties(self, found: neighbourhood.Neighbourhood) -> list[Tie]:
        place = {node: place for place, node in enumerate(found.node.tolist())}
        ties = []
        for source, target, edge, share, times, possible in zip(*(t.tolist() for t in found.ties), strict=True):
            link = self.link(edge)._replace(confidence=round(share, 2))
            ties.append(Tie(place[source], place[target], times, possible, link))
        return ties

    def beginning(self, name: str, limit: int) -> list[Node]:
        """The symbols whose name begins so, the most central first."""
        rows = beginning(self.occurrences, name)
        order = np.lexsort((rows, -self.ranks[rows]))[:limit]
        return [self.node(row) for row in rows[order].tolist()]

    def central(self, limit: int) -> list[Node]:
        """The most central functions and types."""
        o = self.occurrences
        rows = np.flatnonzero(_SCOPE[o.symbol_kind])
        order = np.lexsort((rows, -self.ranks[rows]))[:limit]
        return [self.node(row) for row in rows[order].tolist()]

    # --- impact --------------------------------------------------------------------------------

    def impact(self, names: Sequence[str], diff: str | None, floor: float, limit: int) -> Impact:
        """What may break when symbols change, or what a diff changes, and which tests would tell."""
        notes: list[str] = []
        touched: dict[int, list[int]] = {}
        for name in names:
            for node in self.meant(name, notes):
                touched.setdefault(node, [])
        starts = impacts.within(self.occurrences, self.with_twins(sorted(touched)))
        if diff is not None:
            touched = self.touched(diff, notes)
            starts = self.with_twins(sorted(touched))
        found = impacts.impact(self.ways, self.test_code, starts, floor)
        if far := impacts.unlikely(self.ways, starts, floor):
            notes.append(
                f"{_count(far, 'call that may mean a changed symbol is', 'calls that may mean a changed symbol are')} "
                "not followed: too many others have that name (`repoctx callers` lists them as possible)"
            )
        changed = [ChangedNode(self.node(node), tuple(sorted(set(lines)))) for node, lines in sorted(touched.items())]
        return Impact(
            changed,
            self._affected(found.broken[:limit]),
            len(found.broken),
            self._affected(found.tests[:limit]),
            len(found.tests),
            self._files(found.tests),
            notes,
        )

    def _affected(self, found: Sequence[impacts.Affected]) -> list[Found]:
        ways = [one.by.way(one.reached) for one in found]
        return [
            Found(self.node(one.node), len(way), round(one.risk, 3), tuple(map(self.link, way)))
            for one, way in zip(found, ways, strict=True)
        ]

    def _files(self, found: Sequence[impacts.Affected]) -> list[FileOfTests]:
        o, symbols = self.occurrences, len(self.occurrences.symbol_file)
        risk: dict[int, float] = {}
        count: dict[int, int] = {}
        for one in found:  # the riskiest first
            file = int(self.test_code.home[one.node])
            risk.setdefault(file, round(one.risk, 3))
            count[file] = count.get(file, 0) + (one.node < symbols)
        return [FileOfTests(o.paths[file], risk[file], count[file]) for file in risk]

    def touched(self, text: str, notes: list[str]) -> dict[int, list[int]]:
        """The nodes that a diff changes, with the lines; notes say what it changes besides."""
        changes = diffs.parse(text)
        if not changes:
            if text.strip():
                raise RefusedError("the diff names no file: give a unified diff, as `git diff` writes it")
            raise NotFoundError("the diff is empty: nothing changes")
        places = [self._place_of(change) for change in changes]
        texts = self.texts(sorted({file for file, _ in places if file >= 0}))
        touched: dict[int, list[int]] = {}
        sides: dict[str, int] = {}
        missing: list[str] = []
        for change, (file, side) in zip(changes, places, strict=True):
            path = diffs.plain_path(change.new or change.old or "?")
            if file < 0:
                what = "deleted" if change.new is None else "new" if change.old is None else "changed"
                missing.append(f"{path} ({what}) is not in the snapshot")
            elif change.unreadable:
                notes.append(f"{path} is not looked into: its diff is {change.unreadable}")
            else:
                side = self._file_touched(change, side, file, texts[file], touched)
                sides[side] = sides.get(side, 0) + 1
                if side == "neither":
                    notes.append(f"{path} has other lines than the diff on both sides: line numbers are as after it")
        notes += missing[:MOST_LISTED]
        if len(missing) > MOST_LISTED:
            notes.append(f"and {len(missing) - MOST_LISTED:,} more of {len(changes):,} files are not in the snapshot")
        if sides.get("before") and sides.get("after"):
            notes.append("some files are as before the diff and some as after it")
        elif sides.get("before"):
            notes.append("the snapshot is as before the diff")
        elif sides.get("after"):
            notes.append("the snapshot is as after the diff")
        return touched

    def _place_of(self, change: diffs.FileChange) -> tuple[int, str]:
        for path, side in diffs.paths(change):
            if path in self.files:
                return self.files[path], side
        return -1, ""

    def _file_touched(
        self, change: diffs.FileChange, side: str, file: int, text: str, touched: dict[int, list[int]]
    ) -> str:
        """Put in what a change of one file touches; the side that the snapshot is on."""
        own = len(self.occurrences.symbol_file) + file
        if not change.hunks:  # renamed, its mode changed: only what names the file may notice
            touched.setdefault(own, [])
            return side
        found = diffs.changed(change, text.removesuffix("\n").split("\n"))
        symbols = self._innermost(file, np.ones(len(KINDS), np.bool_))
        scopes = self._innermost(file, _SCOPE)
        if diffs.moved(change):
            touched.setdefault(own, [])  # whoever names the file notices
        if found.side == "neither" and not found.lines:
            touched.setdefault(own, [])  # the diff is about lines that the file does not have: it changes somewhere
        for line in found.lines:
            node = int(symbols[line])
            touched.setdefault(node if node >= 0 else own, []).append(line)
            scope = int(scopes[line])
            if scope not in (-1, node) and _CALLABLE[self.occurrences.symbol_kind[scope]]:
                touched.setdefault(scope, []).append(line)  # `self.x = 1` changes the method too
        for line, beside in zip(found.seams, found.beside, strict=True):
            near = {int(scopes[n]) for n in beside} - {-1}
            cut = sorted(node for node in near if _CALLABLE[self.occurrences.symbol_kind[node]])
            around = self._around(scopes, line)
            for node in cut or [around if around >= 0 else own]:
                touched.setdefault(node, []).append(line)
        return found.side

    def _around(self, scopes: Rows, line: int) -> int:
        """The innermost function or type that holds both lines at a seam."""
        o = self.occurrences
        node = int(scopes[min(max(line - 1, 0), len(scopes) - 1)])
        while node >= 0 and not (_SCOPE[o.symbol_kind[node]] and o.symbol_end[node] >= line):
            node = int(o.symbol_parent[node])
        return node

    # --- shape ---------------------------------------------------------------------------------

    def cycles(self, kind: str, least: float) -> list[Ring]:
        """Cycles of imports, inherits or calls, the largest first."""
        return [
            Ring([self.node(node) for node in cycle.nodes], [self.link(row) for row in cycle.edges])
            for cycle in shape.cycles(self.occurrences, self.edges, kind, least)
        ]

    def communities(self) -> tuple[list[Group], float]:
        """Communities of files, the largest first, and their modularity."""
        return self._communities

    @cached_property
    def _communities(self) -> tuple[list[Group], float]:
        found, modularity = shape.communities(self.occurrences, self.edges, self.where.test)
        paths = self.occurrences.paths
        return [
            Group(one.label, [paths[file] for file in one.files], one.inside, one.outside) for one in found
        ], modularity


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
