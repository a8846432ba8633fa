"""Who uses a symbol, and what does it use? Walks over the edges of a snapshot, level by level.

A walk follows *steps*: edges from a node to the node that one comes to. They lie in sorted columns, so a level
costs what it holds; nothing recurses, and nothing is visited that no step leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from repoctx.graph import keys
from repoctx.graph.namesakes import MOST_CANDIDATES
from repoctx.graph.overrides import constructed
from repoctx.types import EDGE_KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.types import Edges, Occurrences

# A walk ends after so many steps in any case.
MOST_STEPS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The steps that lead away from each of N nodes."""

    offset: Rows  # N + 1
    to: Rows  # node that a step leads to
    edge: Rows  # row of the edge that it follows
    weight: NDArray[np.float64]  # 0 to 1, what is left of a score behind it


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """What a walk came to, the starts left out; rows by depth, then by score, then by node."""

    node: Rows
    depth: Rows  # steps from the nearest start; on the way of the best score where scores decide
    score: NDArray[np.float64]  # product of the weights on the way
    edge: Rows  # the last edge of the way
    before: Rows  # the node that it comes from
    way: Callable[[int], list[int]]  # node -> edges of its way, from the start on


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """What calls that could not be resolved may mean; rows by edge."""

    node: Rows  # a candidate
    edge: Rows  # row of the edge
    share: NDArray[np.float64]  # what is left of a score behind it


def steps(
    o: Occurrences,
    edges: Edges,
    owner: Array,
    shares: Mapping[str, float],
    backwards: Mapping[str, float],
    guesses: Guesses | None = None,
) -> Steps:
    """Steps along edges of some kinds (kind -> what is left of a score behind it) and against others.

    A call of a class is one of its constructor too. There may also be steps against calls that could not be resolved,
    from each of their candidates.
    """
    nodes = len(o.symbol_file) + len(o.paths)
    parts = []
    for kinds, back in ((shares, False), (backwards, True)):
        share = np.array([kinds.get(kind, 0.0) for kind in EDGE_KINDS])
        rows = np.flatnonzero((edges.target >= 0) & (share[edges.kind] > 0) & (edges.confidence > 0))
        weight = share[edges.kind[rows]] * edges.confidence[rows].astype(np.float64)
        source, target = edges.source[rows].astype(np.int64), edges.target[rows].astype(np.int64)
        calls = np.flatnonzero(edges.kind[rows] == EDGE_KINDS.index("calls"))
        at, constructor = _constructors(o, owner, target[calls])
        at = calls[at]
        source, target = np.concatenate([source, source[at]]), np.concatenate([target, constructor])
        rows, weight = np.concatenate([rows, rows[at]]), np.concatenate([weight, weight[at]])
        parts.append((target, source, rows, weight) if back else (source, target, rows, weight))
    if guesses is not None:
        parts.append((guesses.node, edges.source[guesses.edge].astype(np.int64), guesses.edge, guesses.share))
    start, to, rows, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((rows, start))
    offset = np.searchsorted(start[order], np.arange(nodes + 1))
    return Steps(offset, to[order], rows[order], weight[order])


def guessed(edges: Edges, share: float, home: Array, code: Mask) -> Guesses:
    """The candidates of unresolved calls. Those that stand in tests (`code`) of another file count for nothing."""
    count = np.diff(edges.candidate_start)
    rows = np.flatnonzero((edges.kind == EDGE_KINDS.index("calls")) & (edges.target < 0) & (count > 0))
    row, place = keys.explode(edges.candidate_start[rows], count[rows])
    node, edge = edges.candidates[place].astype(np.int64), rows[row]
    likely = ~code[node] | (home[node] == edges.file[edge])
    node, edge = node[likely], edge[likely]
    several = np.bincount(edge, minlength=len(count))
    several = np.where(count >= MOST_CANDIDATES, count, several)  # of a full list nobody knows how many there are
    return Guesses(node, edge, share / several[edge])


def _constructors(o: Occurrences, owner: Array, classes: Array) -> tuple[Rows, Rows]:
    """For some classes their constructors: (place in `classes`, constructor)."""
    holder, constructor = constructed(o, owner)
    order = np.argsort(holder, kind="stable")
    holder, constructor = holder[order], constructor[order]
    at, place = keys.matches(holder, classes)
    return at, constructor[place]


def walk(
    ways: Steps, starts: Array, depth: int, floor: float = 0.0, decay: float = 1.0, again: bool = False
) -> Reached:
    """All nodes that `depth` steps from the starts lead to, at scores of `floor` or more.

    A step after the first costs a factor `decay`. A node keeps the best score of its first level; with
    `again` the best of all levels, which ends where scores no longer rise.
    """
    nodes = len(ways.offset) - 1
    score, level = np.zeros(nodes), np.full(nodes, -1)
    edge, before = np.full(nodes, -1), np.full(nodes, -1)
    front = np.unique(np.asarray(starts, np.int64))
    score[front], level[front] = 1.0, 0
    for number in range(1, min(depth, MOST_STEPS) + 1):
        row, place = keys.explode(ways.offset[front], ways.offset[front + 1] - ways.offset[front])
        to, value = ways.to[place], score[front[row]] * ways.weight[place] * (decay if number > 1 else 1.0)
        better = (level[to] < 0) | (value > score[to] + 1e-9) if again else level[to] < 0
        keep = np.flatnonzero(better & (value >= floor) & (level[to] != 0))
        if not len(keep):
            break
        keep = keep[np.lexsort((ways.edge[place[keep]], -value[keep], to[keep]))]
        first = np.ones(len(keep), np.bool_)
        first[1:] = to[keep[1:]] != to[keep[:-1]]
        keep = keep[first]
        came, front = front[row[keep]], to[keep]
        score[front], level[front], edge[front], before[front] = value[keep], number, ways.edge[place[keep]], came

    def way(node: int) -> list[int]:
        found: list[int] = []
        while before[node] >= 0 and len(found) < MOST_STEPS:
            found.append(int(edge[node]))
            node = int(before[node])
        return found[::-1]

    got = np.flatnonzero(level > 0)
    got = got[np.lexsort((got, -score[got], level[got]))]
    return Reached(got, level[got], score[got], edge[got], before[got], way)


def possible(edges: Edges, nodes: Array) -> Rows:
    """Edges that may have meant one of some nodes, but are not linked to any of them."""
    wanted = np.flatnonzero(np.isin(edges.candidates, nodes))
    rows = np.unique(np.searchsorted(edges.candidate_start, wanted, "right") - 1)
    return rows[~np.isin(edges.target[rows], nodes)]


def into(edges: Edges, nodes: Array, kinds: frozenset[str]) -> Rows:
    """Edges of some kinds that lead to one of some nodes, in their order."""
    return np.flatnonzero(np.isin(edges.target, nodes) & _of(kinds)[edges.kind])


def of_kind(edges: Edges, rows: Rows, kinds: frozenset[str]) -> Rows:
    """Those of some edges that are of some kinds."""
    return rows[_of(kinds)[edges.kind[rows]]]


def _of(kinds: frozenset[str]) -> Mask:
    return np.array([kind in kinds for kind in EDGE_KINDS], np.bool_)
