"""What of a snapshot did the commit after it change? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from repoctx.evaluation.cases import is_code
from repoctx.retrieve.index import Index
from repoctx.types import KINDS, Change, Ints

# What runs: a changed line belongs to the innermost of these, else to the innermost type around it.
FUNCTIONS = frozenset({"function", "method", "constructor", "property", "macro", "test"})
TYPES = frozenset({"class", "interface", "struct", "union", "enum", "trait", "object", "extension"})

_FUNCTION = np.array([kind in FUNCTIONS for kind in KINDS])
_TYPE = np.array([kind in TYPES for kind in KINDS])

Lines = tuple[int, int]


class Symbol(NamedTuple):
    """A function or type that was changed."""

    path: str
    qualified_name: str
    start_line: int
    end_line: int
    row: int  # in the occurrences
    needed: tuple[Lines, ...]  # what has to be seen: all of a function, of a type the lines that were changed


class Gold(NamedTuple):
    """What was changed, in the lines of the snapshot before."""

    files: tuple[str, ...]
    symbols: tuple[Symbol, ...]


def gold(index: Index, changes: Sequence[Change]) -> Gold:
    """The files and symbols that a commit changed, as far as they are code in the snapshot.

    Lines that were only added belong to what is around them on both sides. Of a file that was deleted no symbol
    is told: all of them are gone.
    """
    number = {member.path: file for file, member in enumerate(index.view.members)}
    kept = [
        (number[change.old_path], change)
        for change in changes
        if change.old_path in number
        and index.roles[number[change.old_path]] is None
        and is_code(index.view.languages[number[change.old_path]])
    ]
    symbols = [symbol for file, change in kept if change.status != "D" for symbol in _symbols(index, file, change)]
    return Gold(tuple(change.old_path for _, change in kept), tuple(symbols))


def _symbols(index: Index, file: int, change: Change) -> Iterator[Symbol]:
    o = index.view.occurrences
    first, end = np.searchsorted(o.symbol_file, [file, file + 1]).tolist()
    kind = o.symbol_kind[first:end]
    starts, ends = o.symbol_start[first:end], o.symbol_end[first:end]
    inner = _innermost(starts, ends, _TYPE[kind], _FUNCTION[kind], int(index.view.lines[file]))
    touched: dict[int, list[Lines]] = {}
    for start, end_line in _changed(change, inner):
        touched.setdefault(int(inner[start]), []).append((start, end_line))
    for at in sorted(touched):
        lines = (int(starts[at]), int(ends[at]))
        needed = (lines,) if _FUNCTION[kind[at]] else tuple(touched[at])
        name = o.names[o.symbol_descriptor[first + at]]
        yield Symbol(change.old_path, name, *lines, first + at, needed)


def _innermost(starts: Ints, ends: Ints, types: Ints, functions: Ints, lines: int) -> Ints:
    """For each line, from 0 on, the symbol that it belongs to; -1: none. Symbols come outer before inner."""
    inner = np.full(lines + 2, -1, np.int32)
    for chosen in (types, functions):
        for at in np.flatnonzero(chosen).tolist():
            inner[starts[at] : ends[at] + 1] = at
    return inner


def _changed(change: Change, inner: Ints) -> Iterator[Lines]:
    """Runs of changed lines, each in one symbol; those in none are left out."""
    last = len(inner) - 2
    for old, count, _, _ in change.hunks:
        if not count:
            if 0 < old < last and inner[old] == inner[old + 1] >= 0:
                yield old, old + 1
            continue
        start, end = max(old, 1), min(old + count - 1, last)
        cuts = [start, *(np.flatnonzero(np.diff(inner[start : end + 1])) + start + 1).tolist(), end + 1]
        for begin, after in pairwise(cuts):
            if begin < after and inner[begin] >= 0:
                yield begin, after - 1
