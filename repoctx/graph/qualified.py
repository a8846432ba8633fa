"""Which chains begin with the whole name of something? `Shop.Store.get`, `Acme::Store.new`, `\\Acme\\Store::get`.

Such a name needs no import. It is the descriptor of a type or module, or what its file is called where a language
names files after what they hold; the parts at its beginning may be left out, as they may be inside of a namespace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import keys
from repoctx.graph.layout import distance, strange
from repoctx.graph.modules import stem
from repoctx.graph.namesakes import MOST_DEFINITIONS
from repoctx.graph.places import inside

if TYPE_CHECKING:
    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.types import Occurrences

# Families in which names can be written whole.
FAMILIES = frozenset({"jvm", "csharp", "php", "ruby", "elixir", "perl", "haskell", "ocaml", "c", "julia"})
# Those whose namespaces are in no descriptor, and need not be in a path.
LOOSE = frozenset({"php"})
# Parts of a name that are compared; of a longer one the last.
MOST_PARTS = 6
# Families in which a file is a module of its name; in the others it is named after a type that it holds.
_MODULES = frozenset({"haskell", "ocaml"})
_AFTER_TYPES = frozenset({"jvm", "php"})
# Where the last part of a path to a file alone is its name everywhere.
_ALONE = frozenset({"ocaml"})


class Whole(NamedTuple):
    """What whole names mean; N distinct names."""

    number: Mapping[tuple[str, str], int]  # (family, name with dots) -> row of the following
    start: Rows  # N, offsets into nodes
    size: Rows  # N
    nodes: Rows
    parts: frozenset[tuple[str, str]]  # (family, part of such a name)


def whole_names(o: Occurrences, where: Layout, spaces: Mapping[str, Sequence[str]]) -> Whole:
    """The whole names of a snapshot, with and without their first parts; `spaces`: namespace of PHP -> folders."""
    found: dict[tuple[str, str], dict[int, None]] = {}
    parts: set[tuple[str, str]] = set()
    for family, name, node, least in (*_described(o, where), *_placed(o, where, spaces)):
        words = name.split(".")[-MOST_PARTS:]
        parts.update((family, word) for word in words)
        for first in range(len(words) - least + 1):
            found.setdefault((family, ".".join(words[first:])), {})[node] = None
    size = np.array([len(nodes) for nodes in found.values()], np.int64)
    nodes = np.array([node for some in found.values() for node in some], np.int64)
    return Whole({key: row for row, key in enumerate(found)}, np.cumsum(size) - size, size, nodes, frozenset(parts))


def _described(o: Occurrences, where: Layout) -> Iterator[tuple[str, str, int, int]]:
    """(family, name, node, parts that it needs) of types and modules that are written inside of others."""
    for row in np.flatnonzero((where.type | where.space) & where.top).tolist():
        family, name = where.families[o.symbol_file[row]], o.names[o.symbol_descriptor[row]]
        if "." in name and family in FAMILIES:
            yield family, name, row, 2


def _placed(o: Occurrences, where: Layout, spaces: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, int, int]]:
    """The same of files that are modules, of types that have the name of their file, and of namespaces of PHP."""
    packages = {place: node for (family, place), node in where.packages.items() if family == "php"}
    for space, folders in spaces.items():
        for node in [packages[folder] for folder in folders if folder in packages]:
            yield "php", space.strip("\\").replace("\\", "."), node, 1
    types: dict[tuple[int, str], int] = {}
    for row in np.flatnonzero(where.type & where.top)[::-1].tolist():
        types[int(o.symbol_file[row]), o.names[o.symbol_name[row]]] = row
    for file, (path, family) in enumerate(zip(o.paths, where.families, strict=True)):
        place = stem(path)
        if family in _MODULES:
            folder, slash, name = place.rpartition("/")
            place = folder + slash + name[:1].upper() + name[1:]
            yield family, place.replace("/", "."), where.symbols + file, 1 if family in _ALONE else 2
        elif family in _AFTER_TYPES and (named := (file, place.rpartition("/")[2])) in types:
            node = types[named]
            yield family, place.replace("/", "."), node, 2
            for space, folders in spaces.items() if family == "php" else ():
                for folder in folders:
                    if (rest := inside(folder, place)) is not None:
                        yield family, f"{space}.{rest}".replace("\\", ".").replace("/", ".").strip("."), node, 2


def nearest(where: Layout, whole: Whole, files: Array, rows: Rows) -> Rows:
    """The nodes of whole names as seen from files: the only one, or the one that is nearer than all others; -1."""
    size = np.where(rows >= 0, whole.size[rows], 0) if len(whole.size) else np.zeros(len(rows), np.int64)
    query, place = keys.explode(whole.start[rows] if len(whole.size) else rows, size * (size <= MOST_DEFINITIONS))
    node = whole.nodes[place]
    home, user = where.file_of[node], files[query].astype(np.int64)
    test, copied = strange(where, home, user)
    order = keys.combine(query, test | copied, distance(where, user, home))
    by = np.argsort(order, kind="stable")
    first = np.ones(len(by), np.bool_)
    first[1:] = query[by[1:]] != query[by[:-1]]
    tie: Mask = np.zeros(len(by), np.bool_)
    tie[:-1] = order[by[1:]] == order[by[:-1]]
    best = np.full(len(rows), -1, np.int64)
    lead = by[first & ~tie]
    best[query[lead]] = node[lead]
    return best
