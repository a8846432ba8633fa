"""Which rows have the same key? The few array operations that linking is made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # any integer or boolean column
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LIMIT = 2**62
# Keys up to so many times their number are few enough for a table of all numbers up to them.
DENSE = 4


class Table(NamedTuple):
    """What (node, name) leads to: the bindings of a snapshot, sorted for binary search."""

    keys: Rows  # node * width + name, ascending; where a key repeats, the preferred row comes first
    values: Rows  # node that the name is bound to, or a negative mark
    rules: NDArray[np.uint8]  # the rule that made the binding
    width: int  # number of names


def table(nodes: Array, names: Array, values: Array, rules: Array, preference: Array, width: int) -> Table:
    """Bindings as a table. Among equal keys the smaller preference wins, then the earlier row."""
    keys = nodes.astype(np.int64) * width + names
    order = np.argsort(keys * 8 + preference, kind="stable")
    return Table(keys[order], values[order].astype(np.int64), rules[order].astype(np.uint8), width)


def find(bindings: Table, nodes: Array, names: Array, missing: int = -1) -> tuple[Rows, NDArray[np.uint8]]:
    """For each (node, name) the value and the rule of its preferred binding; `missing` and 0 without one."""
    if not len(bindings.keys):
        return np.full(len(nodes), missing, np.int64), np.zeros(len(nodes), np.uint8)
    wanted = nodes.astype(np.int64) * bindings.width + names
    at = np.minimum(np.searchsorted(bindings.keys, wanted), len(bindings.keys) - 1)
    hit = (bindings.keys[at] == wanted) & (nodes >= 0) & (names >= 0)
    return np.where(hit, bindings.values[at], missing), np.where(hit, bindings.rules[at], 0).astype(np.uint8)


def unique(keys: Rows) -> Rows:
    """The distinct values, ascending. Twice as fast as numpy's on keys that are nearly in order."""
    keys = np.sort(keys, kind="stable")
    if not len(keys):
        return keys
    fresh = np.ones(len(keys), np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    found: Rows = keys[fresh]
    return found


def contains(keys: Rows, wanted: Rows) -> Mask:
    """Which of the wanted keys occur in a sorted array."""
    if not len(keys):
        return np.zeros(len(wanted), np.bool_)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hit: Mask = keys[at] == wanted
    return hit


def explode(starts: Array, counts: Array) -> tuple[Rows, Rows]:
    """All of arange(start, start + count), one range after the other: (range number, position)."""
    counts = counts.astype(np.int64)
    ends = np.cumsum(counts)
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) + (starts - (ends - counts))[row]


def matches(ordered: Rows, wanted: Array) -> tuple[Rows, Rows]:
    """Where each wanted value stands in an ascending array: (index into wanted, place), in order of both."""
    if len(ordered) and ordered[0] >= 0 and ordered[-1] < DENSE * (len(ordered) + len(wanted)):
        count = np.bincount(ordered)  # small numbers are looked up, which is several times as fast as being searched
        known = (wanted >= 0) & (wanted < len(count))
        at = np.where(known, wanted, 0)
        return explode((np.cumsum(count) - count)[at], np.where(known, count[at], 0))
    low, high = np.searchsorted(ordered, wanted, "left"), np.searchsorted(ordered, wanted, "right")
    return explode(low, high - low)


def combine(*columns: Array) -> Rows:
    """One key per row: equal where all columns are equal, ordered as they are. Values are >= 0."""
    key = np.zeros(len(columns[0]), np.int64)
    size = 1
    for column in columns:
        span = int(column.max(initial=0)) + 1
        if size * span >= _LIMIT:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            size = len(key) + 1
        key = key * span + column
        size *= span
    return key


def distinct(*columns: Array) -> tuple[Rows, Rows]:
    """The distinct rows of some columns: (a row number of each, for every row which it is)."""
    first, inverse = np.unique(combine(*columns), return_index=True, return_inverse=True)[1:]
    return first.astype(np.int64), inverse.astype(np.int64)
