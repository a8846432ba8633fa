"""Which definition belongs to a declaration? C and C++ headers promise what other files define."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from repoctx.graph.keys import Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.graph.names import Answers
    from repoctx.types import Occurrences

_HEADERS = (".h", ".hpp", ".hh", ".hxx", ".h++", ".cuh")


def defined(o: Occurrences, where: Layout, answers: Answers) -> Answers:
    """Answers that mean a function declared in a header mean its definition instead, if there is only one."""
    if "c" not in where.families:
        return answers
    body = _bodies(o, where)
    symbol = (answers.target >= 0) & (answers.target < where.symbols)
    target = answers.target.copy()
    target[symbol] = body[target[symbol]]
    return answers._replace(target=target)


def twins(o: Occurrences, where: Layout) -> Rows:
    """For each symbol a number that a function's declarations in a header share with its definitions elsewhere.

    They are one where a descriptor stands in one header and in one other file; overloads are together.
    """
    number = np.arange(where.symbols)
    rows, inside = _functions(o, where)
    if not len(rows):
        return number
    order = np.lexsort((rows, o.symbol_descriptor[rows]))
    rows, inside = rows[order], inside[order]
    file, descriptor = o.symbol_file[rows].astype(np.int64), o.symbol_descriptor[rows]
    first = np.flatnonzero(np.r_[True, descriptor[1:] != descriptor[:-1]])
    one = np.ones(len(first), np.bool_)
    for side in (inside, ~inside):
        low = np.minimum.reduceat(np.where(side, file, len(o.paths)), first)
        one &= low == np.maximum.reduceat(np.where(side, file, -1), first)  # none is len(o.paths) and -1
    run = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(rows)]))
    shared = one[run]
    number[rows[shared]] = rows[first[run[shared]]]
    return number


def _functions(o: Occurrences, where: Layout) -> tuple[Rows, Mask]:
    """The functions of C and C++, and which of them stand in headers."""
    family = np.array([name == "c" for name in where.families], np.bool_)
    header = np.array([path.lower().endswith(_HEADERS) for path in o.paths], np.bool_)
    rows = np.flatnonzero(where.callable & family[o.symbol_file])
    return rows, header[o.symbol_file[rows]]


def _bodies(o: Occurrences, where: Layout) -> Rows:
    """For each symbol the definition of its declaration, or the symbol itself."""
    body = np.arange(where.symbols)
    rows, inside = _functions(o, where)
    declared, found = rows[inside], rows[~inside]
    order = np.argsort(o.symbol_descriptor[found], kind="stable")
    found = found[order]
    low, high = (
        np.searchsorted(o.symbol_descriptor[found], o.symbol_descriptor[declared], s) for s in ("left", "right")
    )
    only = high - low == 1
    body[declared[only]] = found[low[only]]
    return body
