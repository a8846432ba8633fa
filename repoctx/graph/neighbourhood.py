"""What stands around a symbol? The nearest of what uses it and of what it uses, at most so many, and all edges between.

A node has a *level*: edges from the symbol to it, below zero if it uses the symbol. Each level is taken whole while
there is room; of one that does not fit the surest are taken, and of these the most central. What leads to a symbol has
at least half of the room if it needs it, and so has what the symbol leads to: ten thousand callers hide no callee.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph.impact import GUESS
from repoctx.graph.keys import explode, unique

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.types import Edges

# Edges of a picture: more are a carpet.
MOST_TIES = 1000
# What is put in beside when a symbol is expanded.
EXPANDED = 20
# Confidences of ways are compared so.
DECIMALS = 3


class Ends(NamedTuple):
    """Which edges does each of N nodes have at one end? Those of a node are adjacent, in their order."""

    offset: Rows  # N + 1
    edge: Rows


class Sides(NamedTuple):
    """The edges of all nodes, by their ends."""

    source: Ends
    target: Ends
    candidate: Ends  # unresolved edges, by what they may mean


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Which edges count."""

    kinds: Mask  # by the code of the kind
    least: float  # confidence; above 0 what is only possible does not count

    def counts(self, edges: Edges, rows: Rows) -> Mask:
        """Which of some edges count."""
        found: Mask = self.kinds[edges.kind[rows]] & (edges.confidence[rows] >= self.least)
        return found


class Ties(NamedTuple):
    """Edges between the nodes of a neighbourhood, one row for each source, target and kind; the surest first."""

    source: Rows  # node
    target: Rows
    edge: Rows  # row of the surest edge
    confidence: NDArray[np.float64]
    times: Rows  # edges that are meant
    possible: Mask  # the target is a candidate of an unresolved edge


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Some nodes around others."""

    node: Rows  # the nearest first
    level: Rows
    users: Rows  # how many nodes lead to each, in the whole snapshot, by the edges that count
    uses: Rows
    ties: Ties
    left_out: int  # nodes at the level at which the room ended
    left_ties: int


def sides(edges: Edges, nodes: int) -> Sides:
    """The edges of a snapshot with so many nodes, by their ends."""

    def ends(at: Array, edge: Array) -> Ends:
        order = np.argsort(at, kind="stable")
        return Ends(np.searchsorted(at[order], np.arange(nodes + 1)), edge[order].astype(np.int64))

    known = np.flatnonzero(edges.target >= 0)
    open_ = np.flatnonzero(edges.target < 0)
    row, place = explode(edges.candidate_start[open_], np.diff(edges.candidate_start)[open_])
    return Sides(
        ends(edges.source, np.arange(len(edges.source))),
        ends(edges.target[known], known),
        ends(edges.candidates[place], open_[row]),
    )


def around(
    edges: Edges, by: Sides, ranks: NDArray[np.float64], starts: Array, wanted: Wanted, depth: int, limit: int,
    expanded: Sequence[int] = (), most: int = 200,
) -> Neighbourhood:  # fmt: skip
    """The nodes around some, at most `limit`, and with those around `expanded` ones at most `most`."""
    nodes = len(by.source.offset) - 1
    level, score = np.full(nodes, nodes), np.zeros(nodes)
    taken = np.unique(np.asarray(starts, np.int64))[:limit]
    level[taken], score[taken] = 0, 1.0
    fronts, left_out = [taken, taken], 0
    for number in range(1, depth + 1):
        found = [_beside(edges, by, wanted, front, back, level, score, number == 1)
                 for front, back in zip(fronts, (True, False), strict=True)]  # fmt: skip
        fronts, left = _fitting(found, ranks, limit - len(taken))
        left_out += left
        for front, sign, (to, value) in zip(fronts, (-1, 1), found, strict=True):
            level[front] = sign * number
            score[front] = value[np.searchsorted(to, front)]
        taken = np.concatenate([taken, *fronts])
        if left or not (len(fronts[0]) or len(fronts[1])):
            break
    for node in expanded:
        if level[node] == nodes:
            continue
        found = [_beside(edges, by, wanted, np.array([node]), back, level, score, False) for back in (True, False)]
        more, left = _fitting(found, ranks, min(EXPANDED, most - len(taken)))
        left_out += left
        for front, sign in zip(more, (-1, 1), strict=True):
            level[front] = level[node] + sign
            score[front] = score[node]
        taken = np.concatenate([taken, *more])
    ties, left_ties = _ties(edges, by, wanted, taken, nodes)
    users = _others(edges.source, edges, by.target, wanted, taken)
    uses = _others(edges.target, edges, by.source, wanted, taken)
    return Neighbourhood(taken, level[taken], users, uses, ties, left_out, left_ties)


def _beside(
    edges: Edges, by: Sides, wanted: Wanted, front: Rows, back: bool, level: Rows, score: NDArray[np.float64],
    guesses: bool,
) -> tuple[Rows, NDArray[np.float64]]:  # fmt: skip
    """The nodes without a level that an edge leads from (`back`) or to, ascending, and the confidence of the way."""
    row, edge = _edges_of(by.target if back else by.source, front)
    keep = np.flatnonzero(wanted.counts(edges, edge) & (edges.target[edge] >= 0))
    row, edge = row[keep], edge[keep]
    to = (edges.source if back else edges.target)[edge].astype(np.int64)
    value = score[front[row]] * edges.confidence[edge]
    if guesses and wanted.least <= 0:
        other, share = _guessed(edges, by, wanted, front, back)
        to, value = np.concatenate([to, other]), np.concatenate([value, share])
    free = np.flatnonzero(level[to] == len(level))
    to, value = to[free], value[free]
    order = np.lexsort((-value, to))
    to, first = np.unique(to[order], return_index=True)
    return to, value[order][first]


def _guessed(edges: Edges, by: Sides, wanted: Wanted, front: Rows, back: bool) -> tuple[Rows, NDArray[np.float64]]:
    """What unresolved edges may lead from, or to."""
    several = np.diff(edges.candidate_start)
    if back:
        _, edge = _edges_of(by.candidate, front)
        edge = edge[wanted.counts(edges, edge)]
        return edges.source[edge].astype(np.int64), GUESS / several[edge]
    edge = _open(edges, by, wanted, front)
    row, place = explode(edges.candidate_start[edge], several[edge])
    return edges.candidates[place].astype(np.int64), GUESS / several[edge[row]]


def _open(edges: Edges, by: Sides, wanted: Wanted, front: Rows) -> Rows:
    """The unresolved edges of some nodes; those without candidates lead nowhere."""
    _, edge = _edges_of(by.source, front)
    return edge[wanted.counts(edges, edge) & (edges.target[edge] < 0)]


def _edges_of(ends: Ends, nodes: Rows) -> tuple[Rows, Rows]:
    """The edges of some nodes: (place in `nodes`, edge)."""
    row, place = explode(ends.offset[nodes], ends.offset[nodes + 1] - ends.offset[nodes])
    return row, ends.edge[place]


def _fitting(
    found: Sequence[tuple[Rows, NDArray[np.float64]]], ranks: NDArray[np.float64], room: int
) -> tuple[list[Rows], int]:
    """Of both sides what there is room for, each ascending, and how many are left out.

    A node that is on both is on the side of the surer way, that of users if both are alike.
    """
    (using, sure), (used, value) = found
    _, one, other = np.intersect1d(using, used, assume_unique=True, return_indices=True)
    later = np.round(sure[one], DECIMALS) < np.round(value[other], DECIMALS)
    using = np.delete(np.arange(len(using)), one[later])
    used = np.delete(np.arange(len(used)), other[~later])
    first = min(len(using), max(room // 2, room - len(used)))
    chosen = []
    for (to, worth), rows, size in zip(found, (using, used), (first, room - first), strict=True):
        order = np.lexsort((to[rows], -ranks[to[rows]], -np.round(worth[rows], DECIMALS)))
        chosen.append(np.sort(to[rows][order[: max(size, 0)]]))
    return chosen, len(using) + len(used) - len(chosen[0]) - len(chosen[1])


def _ties(edges: Edges, by: Sides, wanted: Wanted, taken: Rows, nodes: int) -> tuple[Ties, int]:
    """The edges between some nodes, and how many rows of them are left out."""
    inside = np.zeros(nodes + 1, np.bool_)  # the last stands for no target
    inside[taken] = True
    _, edge = _edges_of(by.source, taken)
    edge = edge[wanted.counts(edges, edge) & inside[edges.target[edge]]]
    target, share = edges.target[edge].astype(np.int64), edges.confidence[edge].astype(np.float64)
    possible = np.zeros(len(edge), np.bool_)
    if wanted.least <= 0:
        open_ = _open(edges, by, wanted, taken)
        several = np.diff(edges.candidate_start)[open_]
        row, place = explode(edges.candidate_start[open_], several)
        fits = np.flatnonzero(inside[edges.candidates[place]])
        edge = np.concatenate([edge, open_[row[fits]]])
        target = np.concatenate([target, edges.candidates[place[fits]]])
        share = np.concatenate([share, GUESS / several[row[fits]]])
        possible = np.concatenate([possible, np.ones(len(fits), np.bool_)])
    source, kind = edges.source[edge].astype(np.int64), edges.kind[edge]
    order = np.lexsort((edge, -share, possible, kind, target, source))
    columns = [column[order] for column in (source, target, kind, possible)]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    first = np.flatnonzero(fresh)
    count = np.diff(np.append(first, len(order)))
    best = order[first]
    rows = np.lexsort((edge[best], -np.round(share[best], DECIMALS)))
    best, count = best[rows[:MOST_TIES]], count[rows[:MOST_TIES]]
    made = Ties(source[best], target[best], edge[best], share[best], count, possible[best])
    return made, max(0, len(rows) - MOST_TIES)


def _others(end: Array, edges: Edges, ends: Ends, wanted: Wanted, taken: Rows) -> Rows:
    """For each of some nodes how many others its edges lead to."""
    row, edge = _edges_of(ends, taken)
    other = end[edge].astype(np.int64)
    keep = wanted.counts(edges, edge) & (edges.target[edge] >= 0) & (other != taken[row])
    nodes = len(ends.offset)
    pairs = unique(row[keep] * nodes + other[keep])
    return np.bincount(pairs // nodes, minlength=len(taken))
