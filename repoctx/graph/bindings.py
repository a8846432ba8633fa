"""What do names lead to? Definitions and resolved imports as tables of bindings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import keys
from repoctx.graph.rules import EXTERNAL, FILE, IMPORT, MEMBER, OPAQUE, PACKAGE
from repoctx.types import KINDS

if TYPE_CHECKING:
    from repoctx.graph.keys import Array, Mask, Rows, Table
    from repoctx.graph.layout import Layout
    from repoctx.types import Occurrences

# Among bindings of one name in one place the smallest wins: what can be called, then values, then
# mere types, then imports, files of a package, and types nested somewhere in the file.
_VALUES = frozenset({"field", "variable", "constant", "enum_member"})
_SHAPES = frozenset({"interface", "trait", "type", "extension"})
_PREFERENCE = np.array([2 if k in _SHAPES else 1 if k in _VALUES else 0 for k in KINDS], np.int64)
_IMPORTED, _EXTERNAL, _SUBMODULE, _NESTED, _OPAQUE = 3, 4, 5, 6, 7
_CONSTRUCTOR = KINDS.index("constructor")


class Names:
    """Numbers of strings: those of the snapshot's pool, and new ones for parts of its strings."""

    def __init__(self, occurrences: Occurrences) -> None:
        o = occurrences
        used = np.zeros(len(o.names) + 1, np.bool_)
        for column in (o.symbol_name, o.reference_name, o.import_name, o.import_alias):
            used[column] = True
        self._number = {o.names[i]: i for i in np.flatnonzero(used[:-1]).tolist()}
        self.count = len(o.names)

    def number(self, name: str) -> int:
        """The number of a string, given out now if it has none."""
        found = self._number.get(name)
        if found is None:
            found = self._number[name] = self.count
            self.count += 1
        return found

    def known(self, name: str) -> int:
        """The number of a string, -1 if it has none."""
        return self._number.get(name, -1)

    def words(self) -> dict[int, str]:
        """The strings by their numbers."""
        return {number: name for name, number in self._number.items()}

    def capitals(self) -> Mask:
        """Which strings begin with a capital letter?"""
        found = np.zeros(self.count, np.bool_)
        found[[number for name, number in self._number.items() if name[:1].isupper()]] = True
        return found


class Part(NamedTuple):
    """Bindings before they are a table: columns of equal length."""

    nodes: Array
    names: Array
    values: Array
    rules: Array
    preferences: Array


def table(parts: Sequence[Part], width: int) -> Table:
    """All parts as one table."""
    nodes, names, values, rules, preferences = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return keys.table(nodes, names, values, rules, preferences, width)


def definitions(o: Occurrences, where: Layout, names: Names, children: Sequence[tuple[int, str, int]]) -> Part:
    """Members of symbols, top-level names of files and packages, nested types, modules of packages."""
    named = (o.symbol_kind != _CONSTRUCTOR) & ~_imports_in_disguise(o)
    preference = _PREFERENCE[o.symbol_kind]
    file = where.symbols + o.symbol_file.astype(np.int64)
    shared = where.top & where.shared[o.symbol_file]
    nested = ~where.top & where.type & where.implicit[o.symbol_file]
    parts = []
    for rows, nodes, rule, weight in (
        (np.flatnonzero(named & (where.owner >= 0)), where.owner, MEMBER, preference),
        (np.flatnonzero(named & where.top), file, FILE, preference),
        (np.flatnonzero(named & shared), where.package[o.symbol_file], PACKAGE, preference),
        (np.flatnonzero(nested), file, FILE, np.full_like(preference, _NESTED)),
    ):
        parts.append(Part(nodes[rows], o.symbol_name[rows], rows, np.full(len(rows), rule), weight[rows]))
    found = [(node, number, child) for node, name, child in children if (number := names.known(name)) >= 0]
    columns = np.array(found, np.int64).reshape(-1, 3)
    parts.append(
        Part(
            columns[:, 0],
            columns[:, 1],
            columns[:, 2],
            np.full(len(found), IMPORT),
            np.full(len(found), _SUBMODULE),
        )
    )
    for name in ("exports", "module"):  # what a module of Node.js calls itself
        if (number := names.known(name)) >= 0:
            free = np.array([style == "relative" for style in where.styles], np.bool_)
            free[o.import_file[o.import_alias == number]] = free[o.symbol_file[o.symbol_name == number]] = False
            files = np.flatnonzero(free)
            node = where.symbols + files
            parts.append(
                Part(node, np.full_like(node, number), node, np.full_like(node, IMPORT), np.full_like(node, _OPAQUE))
            )
    return Part(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _imports_in_disguise(o: Occurrences) -> Mask:
    """Variables that an import on their line binds: `local json = require "json"`."""
    count = len(o.symbol_name)
    place = keys.combine(
        np.concatenate([o.symbol_file, o.import_file]),
        np.concatenate([o.symbol_name_line, o.import_line]),
        np.concatenate([o.symbol_name, o.import_alias]),
    )
    hidden: Mask = (_PREFERENCE[o.symbol_kind] == 1) & keys.contains(np.sort(place[count:]), place[:count])
    return hidden


def loose(o: Occurrences, where: Layout) -> Part:
    """Members of the variables at the top of a file, by the file: what it may export as a table or object."""
    holder = np.maximum(where.owner, 0)
    value = where.container & ~where.type & ~where.space & where.top if where.symbols else where.top
    rows = np.flatnonzero((where.owner >= 0) & value[holder])
    file = where.symbols + o.symbol_file[rows].astype(np.int64)
    return Part(file, o.symbol_name[rows], rows, np.full(len(rows), MEMBER), np.zeros(len(rows), np.int64))


def imported(file: Array, name: Array, value: Rows, rule: Array) -> Part:
    """What imports bind: nodes, or the marks EXTERNAL and OPAQUE."""
    preference = np.where(value == EXTERNAL, _EXTERNAL, np.where(value == OPAQUE, _OPAQUE, _IMPORTED))
    return Part(file, name, value, rule, preference)


def only_types(part: Part, where: Layout) -> Part:
    """The bindings that may stand for a type, or for something that holds names; types first."""
    symbol = (part.values >= 0) & (part.values < where.symbols)
    keep, types = np.ones(len(part.values), np.bool_), np.zeros(len(part.values), np.bool_)
    keep[symbol], types[symbol] = where.container[part.values[symbol]], where.type[part.values[symbol]]
    own = part.preferences < _IMPORTED
    preferences = np.where(own & types, 0, np.where(own, np.maximum(part.preferences, 1), part.preferences))
    first = part._replace(preferences=preferences)
    return Part(*(column[keep] for column in first))
