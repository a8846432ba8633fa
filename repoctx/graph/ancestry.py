"""Which members does a class have through its bases?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from repoctx.graph import keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.keys import Array, Mask, Rows, Table

# Classes on the way up that are searched for a member. Django's deepest class has 13.
MOST_ANCESTORS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Ancestry:
    """The bases of classes, nearest first; S symbols."""

    start: Rows  # S + 1, offsets into rows
    rows: Rows  # all ancestors of each class within the repository
    foreign: Mask  # S, does it or an ancestor have a base that was not found?


def ancestry(symbols: int, classes: Array, bases: Array) -> Ancestry:
    """Ancestors of each class, depth first, from (class, base) pairs as written; base -1: not found."""
    direct: dict[int, list[int]] = {}
    strange = set()
    for child, base in zip(classes.tolist(), bases.tolist(), strict=True):
        if base < 0:
            strange.add(child)
        elif base != child:
            direct.setdefault(child, []).append(base)
    children = sorted(direct)
    counts = np.zeros(symbols, np.int64)
    foreign = np.zeros(symbols, np.bool_)
    sizes, rows = [], list[int]()
    for child in children:
        seen = _upwards(child, direct)
        sizes.append(len(seen))
        rows += seen
        if not strange.isdisjoint(seen):
            strange.add(child)
    counts[children] = sizes
    foreign[sorted(strange)] = True
    return Ancestry(np.concatenate([[0], np.cumsum(counts)]), np.array(rows, np.int64), foreign)


def _upwards(child: int, direct: dict[int, list[int]]) -> list[int]:
    found: list[int] = []
    waiting = direct[child][::-1]
    while waiting and len(found) < MOST_ANCESTORS:
        at = waiting.pop()
        if at != child and at not in found:
            found.append(at)
            waiting += direct.get(at, ())[::-1]
    return found


def members(
    bindings: Table, family: Ancestry, owners: Array, names: Array, above: Mask
) -> tuple[Rows, NDArray[np.uint8], Mask]:
    """Find names in symbols, then in their ancestors: (value or -1, rule, is it inherited?).

    Where `above` holds, the symbol itself is passed over (`super`).
    """
    value, rule = keys.find(bindings, np.where(above, -1, owners), names)
    inherited = np.zeros(len(value), np.bool_)
    symbols = len(family.start) - 1
    missed = np.flatnonzero((value == -1) & (owners >= 0) & (owners < symbols))
    start, end = family.start[owners[missed]], family.start[owners[missed] + 1]
    while True:
        going = start < end
        missed, start, end = missed[going], start[going], end[going]
        if not len(missed):
            return value, rule, inherited
        found, by = keys.find(bindings, family.rows[start], names[missed])
        hit = found != -1
        value[missed[hit]], rule[missed[hit]], inherited[missed[hit]] = found[hit], by[hit], True
        missed, start, end = missed[~hit], start[~hit] + 1, end[~hit]
