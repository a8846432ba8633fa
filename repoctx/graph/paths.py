"""Which names are module paths? Rust's `crate::a::f()` and `other_crate::f()` need no import; `super` may stay in
its file.

All are put into the occurrences before linking, so that everything after sees imports alone.
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
_END = re.compile(r"[.(\[{?]")
_MODULE = KINDS.index("module")


def expand(o: Occurrences, where: Layout) -> Occurrences:
    """The occurrences with an import for each rooted path added at the end, and `super` adjusted."""
    crate = np.array([style == "crate" for style in where.styles], np.bool_)
    if not crate.any():
        return o
    names = list(o.names)
    number = {name: i for i, name in enumerate(names)}

    def numbered(name: str) -> int:
        if name not in number:
            number[name] = len(names)
            names.append(name)
        return number[name]

    empty = numbered("")
    place = np.concatenate([o.reference_file, o.flow_file])
    text = np.concatenate([o.reference_qualifier, o.flow_value])
    line = np.concatenate([o.reference_line, np.ones(len(o.flow_file), np.int32)])
    paths = {i: root for i in np.unique(text[crate[place]]).tolist() if (root := _start(names[i]))}
    rows = np.flatnonzero(crate[place] & np.isin(text, sorted(paths)))
    place, line = place[rows], line[rows]
    text = np.array([numbered(paths[i]) for i in text[rows].tolist()], np.int32)
    bound = keys.combine(np.concatenate([place, o.import_file, o.symbol_file]),
                         np.concatenate([text, o.import_alias, o.symbol_name]))  # fmt: skip
    rows = np.flatnonzero(~np.isin(bound[: len(rows)], bound[len(rows) :]))
    rows = rows[keys.distinct(place[rows], text[rows])[0]]
    file, module, line = place[rows], text[rows], line[rows]
    blank = np.full(len(rows), empty, np.int32)
    o = replace(
        o,
        names=names,
        import_file=np.concatenate([o.import_file, file]),
        import_module=np.concatenate([o.import_module, module]),
        import_name=np.concatenate([o.import_name, blank]),
        import_alias=np.concatenate([o.import_alias, module]),
        import_line=np.concatenate([o.import_line, line]),
        import_column=np.concatenate([o.import_column, np.zeros(len(rows), np.int32)]),
    )
    return _inline(o, crate)


def beginning(path: str) -> str:
    """What a path from a known module leads to before anything is called: `crate::a::B` of `crate::a::B::new()`."""
    end = _END.search(path)
    head = path[: end.start()] if end else path
    return head.rpartition("::")[0] if end and end[0] == "(" else head


def _start(text: str) -> str:
    """What a chain of Rust begins with if that needs no import: a path from a known module, or a crate."""
    if ROOTED.match(text):
        return beginning(text)
    first, path, _ = text.partition("::")
    return first if path and first.islower() and first.isidentifier() else ""


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
