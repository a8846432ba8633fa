"""Which definitions of that name could be meant, when nothing says which? The nearest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import keys
from repoctx.graph.layout import Layout, distance, strange

if TYPE_CHECKING:
    from repoctx.graph.keys import Array, Mask, Rows

# A name with more definitions says too little to pick one: `get`, `__init__`, `main`.
MOST_DEFINITIONS = 48
# Candidates kept for a reference.
MOST_CANDIDATES = 10
# Folders further apart than this are equally far.
_FARTHEST = 127


class Group(NamedTuple):
    """Definitions by family and name."""

    keys: Rows  # family * width + name, ascending
    rows: Rows  # symbol rows; ascending for each key
    width: int  # number of names


class Ranking(NamedTuple):
    """Candidates of Q queries, best first."""

    best: Rows  # Q, symbol row, -1 without candidates
    place: Rows  # Q, how near the best is: 0, 1, 2 as `places` says
    choices: Rows  # Q, distinct classes or files that hold a definition as near as the best one
    start: Rows  # Q, offsets into candidates
    size: Rows  # Q
    candidates: Rows
    strange: Mask  # Q, is the best in a test or vendored copy that the file does not import?


def group(where: Layout, rows: Rows, names: Array, width: int) -> Group:
    """Group symbol rows; `names` has the name of every symbol."""
    key = where.family[where.file_of[rows]] * width + names[rows]
    order = np.argsort(key, kind="stable")
    return Group(key[order], rows[order], width)


def rank(
    where: Layout,
    choices: Group,
    files: Array,
    names: Array,
    allowed: Mask,
    strict: Array,
    seen: tuple[Rows, Rows],
) -> Ranking:
    """Order the definitions of each name by how near they are to the file that uses it.

    First what the sorted keys `seen[0]` (file * nodes + node) reach, then what `seen[1]` reach, then by
    distance of folders, path and line. Tests come after all that for a file that is no test, and so do vendored
    copies that it does not reach. Where `strict` holds, only symbols of the mask `allowed` count.
    """
    key = where.family[files] * choices.width + names
    low, high = np.searchsorted(choices.keys, key, "left"), np.searchsorted(choices.keys, key, "right")
    query, at = keys.explode(low, np.where(high - low <= MOST_DEFINITIONS, high - low, 0))
    row = choices.rows[at]
    keep = allowed[row] | ~strict[query]
    query, row = query[keep], row[keep]
    user, home = files[query].astype(np.int64), where.file_of[row]
    nodes = (where.symbols + home, where.package[home], where.owner[row])
    place = np.full(len(row), 2, np.int64)
    for number in (1, 0):
        for node in nodes:
            place[keys.contains(seen[number], user * where.nodes + node) & (node >= 0)] = number
    place[user == home] = 0
    test, copied = strange(where, home, user)
    near = (query * 2 + (test | (copied & (place == 2)))) * 4 + place
    order = (near * (_FARTHEST + 1) + np.minimum(distance(where, user, home), _FARTHEST)) * max(where.symbols, 1) + row
    order.sort()
    row, near = order % max(where.symbols, 1), order // ((_FARTHEST + 1) * max(where.symbols, 1))
    query = near // 8
    count = np.bincount(query, minlength=len(files))
    start = np.cumsum(count) - count
    some = np.flatnonzero(count)
    best, first = np.full(len(files), -1, np.int64), np.zeros(len(files), np.int64)
    best[some], first[some] = row[start[some]], near[start[some]]
    holder = np.where(where.owner[row] >= 0, where.owner[row], where.symbols + where.file_of[row])
    another = near == first[query]
    another[1:] &= (holder[1:] != holder[:-1]) | (query[1:] != query[:-1])
    holders = np.bincount(query[another], minlength=len(files))
    return Ranking(best, first % 4, holders, start, np.minimum(count, MOST_CANDIDATES), row, first % 8 == 6)
