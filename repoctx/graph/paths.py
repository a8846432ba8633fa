"""Which references are module paths? Rust's `crate::a::f()` needs no import; `super` may stay in its file.

Both are put into the occurrences before linking, so that everything after sees imports alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from repoctx.graph import keys
from repoctx.types import KINDS

if TYPE_CHECKING:
    from repoctx.graph.layout import Layout
    from repoctx.types import Occurrences

# Qualifiers that are paths from a known module. A lone `self` is the receiver of a method.
ROOTED = re.compile(r"(?:crate|super)(?:::|$)|self::")
_MODULE = KINDS.index("module")


def expand(o: Occurrences, where: Layout) -> Occurrences:
    """The occurrences with an import for each rooted path added at the end, and `super` adjusted."""
    crate = np.array([style == "crate" for style in where.styles], np.bool_)
    if not crate.any():
        return o
    rooted = [i for i in np.unique(o.reference_qualifier).tolist() if ROOTED.match(o.names[i])]
    rows = np.flatnonzero(crate[o.reference_file] & np.isin(o.reference_qualifier, rooted))
    rows = rows[keys.distinct(o.reference_file[rows], o.reference_qualifier[rows])[0]]
    file, module = o.reference_file[rows], o.reference_qualifier[rows]
    line = o.reference_line[rows]
    empty = o.names.index("") if "" in o.names else len(o.names)
    blank = np.full(len(rows), empty, np.int32)
    o = replace(
        o,
        names=[*o.names, *([""] if empty == len(o.names) else [])],
        import_file=np.concatenate([o.import_file, file]),
        import_module=np.concatenate([o.import_module, module]),
        import_name=np.concatenate([o.import_name, blank]),
        import_alias=np.concatenate([o.import_alias, module]),
        import_line=np.concatenate([o.import_line, line]),
        import_column=np.concatenate([o.import_column, np.zeros(len(rows), np.int32)]),
    )
    return _inline(o, crate)


def _inline(o: Occurrences, crate: keys.Mask) -> Occurrences:
    """Inside of `mod tests { ... }` one `super` is the file itself."""
    blocks: dict[int, list[tuple[int, int]]] = {}
    for row in np.flatnonzero((o.symbol_kind == _MODULE) & crate[o.symbol_file]).tolist():
        if o.symbol_end[row] > o.symbol_start[row]:
            lines = (int(o.symbol_start[row]), int(o.symbol_end[row]))
            blocks.setdefault(int(o.symbol_file[row]), []).append(lines)
    names, module = list(o.names), o.import_module.copy()
    number: dict[str, int] = {}
    for row in np.flatnonzero(np.isin(o.import_file, sorted(blocks))).tolist():
        text, line = names[module[row]], int(o.import_line[row])
        for start, end in blocks[int(o.import_file[row])]:
            if start <= line <= end and text.partition("::")[0] == "super":
                text = "self" + text.removeprefix("super") if not text.startswith("super::super") else text[7:]
        if text != names[module[row]]:
            if text not in number:
                number[text] = len(names)
                names.append(text)
            module[row] = number[text]
    return replace(o, names=names, import_module=module)
