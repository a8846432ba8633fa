"""Which definition belongs to a declaration? C and C++ headers promise what other files define."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from repoctx.graph.keys import Rows
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


def _bodies(o: Occurrences, where: Layout) -> Rows:
    """For each symbol the definition of its declaration, or the symbol itself."""
    body = np.arange(where.symbols)
    family = np.array([name == "c" for name in where.families], np.bool_)
    header = np.array([path.lower().endswith(_HEADERS) for path in o.paths], np.bool_)
    rows = np.flatnonzero(where.callable & family[o.symbol_file])
    inside = header[o.symbol_file[rows]]
    declared, found = rows[inside], rows[~inside]
    order = np.argsort(o.symbol_descriptor[found], kind="stable")
    found = found[order]
    low, high = (
        np.searchsorted(o.symbol_descriptor[found], o.symbol_descriptor[declared], s) for s in ("left", "right")
    )
    only = high - low == 1
    body[declared[only]] = found[low[only]]
    return body
