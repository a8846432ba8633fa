"""Where do the imports of a snapshot lead? To files, packages, symbols, or out of the repository."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import bindings, keys, modules, styles
from repoctx.graph.bindings import Names, Part
from repoctx.graph.modules import Place
from repoctx.graph.rules import EXTERNAL, IMPORT, OPAQUE, REEXPORT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.keys import Mask, Rows, Table
    from repoctx.graph.layout import Layout
    from repoctx.graph.modules import Family
    from repoctx.types import Occurrences

# Chains of re-exports are followed this far, wildcard imports of wildcard imports as well.
HOPS = 4
# A module text may go this many names beyond its file (`crate::a::Enum::Variant`).
REST = 3
_NO_NAMES = (-1,) * (REST + 1)
_ABROAD = Place(EXTERNAL)
# In these styles an import that binds no name makes all names of its module visible (not in Go).
_OPENING = frozenset({"include", "require", "package"})
# Pairs of files in the closure of wildcard imports; beyond it only shorter ways count.
MOST_PAIRS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Imports:
    """The imports of a snapshot, resolved. I rows as in the occurrences."""

    place: Rows  # I, node of the module, or EXTERNAL
    target: Rows  # I, node that the import means, EXTERNAL or OPAQUE
    rule: NDArray[np.uint8]  # I
    bindings: Table
    types: Table  # those of the bindings that may stand for a type or hold names
    loose: Table  # members of a file's variables: what an exported table or object holds
    wild: Rows  # sorted keys file * nodes + node: what a file sees without naming it
    near: Rows  # the same for all that it imports, and its own package


class _Rows(NamedTuple):
    """The imports before they are followed. I rows."""

    place: Rows  # node of the module, or EXTERNAL
    chain: Rows  # (I, REST + 1) names to follow from there
    length: Rows  # how many
    local: Rows  # name bound in the file, -1 if none
    head: Rows  # what it is bound to where that is not the target: the `a` of `import a.b`; -1
    wild: Mask  # all names of the target are seen
    default: Mask  # the default of a script module, which may have any name there


def resolve(o: Occurrences, where: Layout, names: Names) -> Imports:
    """Follow all imports, through modules that import what they export, and bind all names."""
    families = _families(o, where)
    rows = _rows(o, where, names, families)
    pairs = sorted(set(zip(where.families, where.styles, strict=True)))
    children = [child for f, style in pairs if style for child in modules.children(families[f], style)]
    fixed = bindings.definitions(o, where, names, children)
    node, step = rows.place.copy(), np.zeros(len(rows.place), np.int64)
    rule = np.full(len(node), IMPORT, np.uint8)
    known = bindings.table([fixed], names.count)
    direct = wild = np.zeros(0, np.int64)
    known_pairs = 0
    for hop in range(HOPS):
        pending = np.flatnonzero((node >= 0) & (step < rows.length))
        if hop:
            known = bindings.table([fixed, _bound(o, where, rows, node, step, rule)], names.count)
        before = step[pending].sum()
        node[pending], step[pending] = _advance(known, where, wild, node[pending], step[pending], rows, pending)
        if hop:
            rule[pending] = REEXPORT
        reached = np.flatnonzero(rows.wild & (node >= 0) & (step == rows.length))
        direct = np.unique(o.import_file[reached] * np.int64(where.nodes) + node[reached])
        wider, known_pairs = len(direct) > known_pairs, len(direct)
        wild = _closure(direct, where) if wider else wild
        if hop and not wider and step[pending].sum() == before and (node[pending] >= 0).all():
            break
    lost = (node >= 0) & (step < rows.length)
    node[lost] = np.where(rows.default[lost], rows.place[lost], OPAQUE)  # an unnamed default is its module
    step[lost] = rows.length[lost]
    parts = [fixed, _bound(o, where, rows, node, step, rule)]
    shared = np.flatnonzero(where.shared)
    own = shared * where.nodes + where.package[shared]
    return Imports(
        rows.place,
        node,
        rule,
        bindings.table(parts, names.count),
        bindings.table([bindings.only_types(part, where) for part in parts], names.count),
        bindings.table([bindings.loose(o, where)], names.count),
        wild,
        np.unique(np.concatenate([own, direct, _near(o, where, rows.place), _near(o, where, node)])),
    )


def _families(o: Occurrences, where: Layout) -> dict[str, Family]:
    imported: dict[str, set[str]] = {}
    if "go" in where.families:
        for file, module in zip(o.import_file.tolist(), o.import_module.tolist(), strict=True):
            imported.setdefault(where.families[file], set()).add(o.names[module])
    return modules.families(where, o.paths, {family: sorted(texts) for family, texts in imported.items()})


def _rows(o: Occurrences, where: Layout, names: Names, families: Mapping[str, Family]) -> _Rows:
    """Find the module of each import, once for each distinct (folder, module)."""
    file = o.import_file
    empty, star = names.number(""), names.number("*")
    context = np.where(_of_style(where, {"crate"}), np.arange(where.files), where.files + where.folder)[file]
    whole = o.import_name == empty
    named = ~whole & (o.import_name != star)
    # a.b.C: the name may be that of a file or a folder
    joint = named & (where.shared & _of_family(where, "go", False))[file]
    ending = np.where(joint, o.import_name + 1, 0)
    first, inverse = keys.distinct(where.family[file], o.import_module)
    anywhere = [
        where.styles[f] != "" and styles.anywhere(families[where.families[f]], where.styles[f], o.names[m])
        for f, m in zip(file[first].tolist(), o.import_module[first].tolist(), strict=True)
    ]
    context = np.where(np.array(anywhere, np.bool_)[inverse], 0, context)
    first, inverse = keys.distinct(context, where.family[file], o.import_module, ending)
    bare = np.zeros(len(first), np.bool_)
    bare[inverse[whole]] = True
    places, chains, heads = [], [], []
    for f, m, last, whole_too in zip(
        file[first].tolist(), o.import_module[first].tolist(), ending[first].tolist(), bare.tolist(), strict=True
    ):
        text = o.names[m] if not last else f"{o.names[m]}.{o.names[last - 1]}"
        found = _follow(where, families, o.paths[f], f, text)
        rest = [names.number(part) for part in found.rest]
        places.append(found.node)
        chains.append((*rest, *_NO_NAMES[len(rest) :]))
        top = text.partition(".")[0]
        if whole_too and top and top != text and where.styles[f] == "dotted":
            start = _follow(where, families, o.paths[f], f, top).node if found.node >= 0 else EXTERNAL
            heads.append((names.number(top), start))
        else:
            heads.append((-1, -1))
    chain = np.array(chains, np.int64).reshape(-1, REST + 1)[inverse]
    length = (chain >= 0).sum(axis=1)
    place = np.array(places, np.int64)[inverse]
    local, head = np.array(heads, np.int64).reshape(-1, 2)[inverse].T
    unnamed = o.import_alias == empty
    default = (o.import_name == names.number("default")) & ~unnamed & _of_style(where, {"relative"})[file]
    last = named & (~joint | (length == 0))
    chain[np.flatnonzero(last), length[last]] = np.where(default, o.import_alias, o.import_name)[last]
    opens = _of_style(where, _OPENING) & _of_family(where, "go", False)
    wild = unnamed & ~named & (~whole | opens[file])
    bound = np.where(unnamed, -1, o.import_alias)
    return _Rows(place, chain, length + last, bound, np.where(whole & (bound == local), head, -1), wild, default)


def _follow(where: Layout, families: Mapping[str, Family], path: str, file: int, text: str) -> Place:
    """Where a module text leads, or EXTERNAL."""
    style = where.styles[file]
    follow = styles.STYLES.get(style)
    found = follow(families[where.families[file]], path, text) if follow is not None else None
    return found if found is not None and len(found.rest) <= REST else _ABROAD


def _of_style(where: Layout, wanted: Set[str]) -> Mask:
    return np.array([style in wanted for style in where.styles], np.bool_)


def _of_family(where: Layout, family: str, same: bool = True) -> Mask:
    return np.array([(name == family) == same for name in where.families], np.bool_)


def _bound(o: Occurrences, where: Layout, rows: _Rows, node: Rows, step: Rows, rule: NDArray[np.uint8]) -> Part:
    """The bindings of all imports that are followed to their end."""
    done = np.flatnonzero(((node < 0) | (step == rows.length)) & (rows.local >= 0))
    value = np.where(rows.head[done] != -1, rows.head[done], node[done])
    return bindings.imported(where.symbols + o.import_file[done].astype(np.int64), rows.local[done], value, rule[done])


def _advance(
    known: Table, where: Layout, wild: Rows, node: Rows, step: Rows, rows: _Rows, pending: Rows
) -> tuple[Rows, Rows]:
    """Follow the names of pending imports as far as the bindings lead."""
    node, step = node.copy(), step.copy()
    chain, length = rows.chain[pending], rows.length[pending]
    wild_file, wild_node = wild // where.nodes, wild % where.nodes
    for _ in range(REST + 1):
        at = np.flatnonzero((node >= 0) & (step < length))
        name = chain[at, step[at]]
        value, _rule = keys.find(known, node[at], name)
        missed = np.flatnonzero((value == -1) & (node[at] >= where.symbols) & (node[at] < where.symbols + where.files))
        file = node[at[missed]] - where.symbols
        low, high = np.searchsorted(wild_file, file, "left"), np.searchsorted(wild_file, file, "right")
        row, place = keys.explode(low, high - low)
        through, _rule = keys.find(known, wild_node[place], name[missed[row]])
        hit = np.flatnonzero(through >= 0)[::-1]  # the first file that has the name is written last
        value[missed[row[hit]]] = through[hit]
        found = value != -1
        node[at[found]] = value[found]
        step[at[found]] += 1
    return node, step


def _near(o: Occurrences, where: Layout, node: Rows) -> Rows:
    """Keys of the files and packages that imports lead to."""
    inside = np.flatnonzero(node >= 0)
    target = node[inside]
    file = where.file_of[target]
    target = np.where(file >= 0, where.symbols + file, target)
    keyed: Rows = o.import_file[inside] * np.int64(where.nodes) + target
    return keyed


def _closure(direct: Rows, where: Layout) -> Rows:
    """Wildcard imports of wildcard imports, HOPS deep."""
    reach = np.unique(direct)
    front = reach
    for _ in range(HOPS - 1):
        file, node = front // where.nodes, front % where.nodes
        inner = (node >= where.symbols) & (node < where.symbols + where.files)
        file, node = file[inner], node[inner] - where.symbols
        low = np.searchsorted(reach, node * where.nodes)
        high = np.searchsorted(reach, (node + 1) * where.nodes)
        if int((high - low).sum()) > MOST_PAIRS:
            break
        row, place = keys.explode(low, high - low)
        further = np.unique(file[row] * where.nodes + reach[place] % where.nodes)
        front = further[~keys.contains(reach, further)]
        if not len(front):
            break
        reach = np.union1d(reach, front)
    return reach
