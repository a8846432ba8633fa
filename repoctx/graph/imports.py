"""Where do the imports of a snapshot lead? To files, packages, symbols, or out of the repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import bindings, keys, modules, styles
from repoctx.graph.bindings import Names, Part
from repoctx.graph.layout import DEEPEST
from repoctx.graph.modules import stem
from repoctx.graph.places import Place
from repoctx.graph.rules import AMBIGUOUS, EXTERNAL, IMPORT, OPAQUE, REEXPORT

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
# Files imported whole that are searched for a name even where many names are looked for.
LEAST_WILD = 64


@dataclass(frozen=True, slots=True, eq=False)
class Imports:
    """The imports of a snapshot, resolved. I rows as in the occurrences."""

    place: Rows  # I, node of the module, or EXTERNAL
    target: Rows  # I, node that the import means, EXTERNAL or OPAQUE
    rule: NDArray[np.uint8]  # I
    rival_start: Rows  # I, offsets into rivals
    rival_size: Rows  # I
    rivals: Rows  # nodes that a module may be as well
    bindings: Table
    types: Table  # those of the bindings that may stand for a type or hold names
    loose: Table  # members of a file's variables: what an exported table or object holds
    wild: Rows  # sorted keys file * nodes + node: what a file sees without naming it
    near: Rows  # the same for all that it imports, and its own package
    within: Rows  # names that a function imports for itself


class _Rows(NamedTuple):
    """The imports before they are followed. I rows."""

    place: Rows  # node of the module, or EXTERNAL
    chain: Rows  # (I, REST + 1) names to follow from there
    length: Rows  # how many
    local: Rows  # name bound in the file, -1 if none
    head: Rows  # what it is bound to where that is not the target: the `a` of `import a.b`; -1
    wild: Mask  # all names of the target are seen
    default: Mask  # the default of a script module, which may have any name there
    rivals: Sequence[tuple[int, ...]]  # M, other modules that it may be
    number: Rows  # index into rivals
    inner: Mask  # it names a module in a package: `a.b`, `.b`
    bare: Mask  # a folder without `__init__` under an absolute name


def resolve(o: Occurrences, where: Layout, names: Names) -> Imports:
    """Follow all imports, through modules that import what they export, and bind all names."""
    families = _families(o, where)
    rows = _rows(o, where, names, families)
    pairs = sorted(set(zip(where.families, where.styles, strict=True)))
    children = [child for f, style in pairs if style for child in modules.children(families[f], style)]
    fixed = bindings.definitions(o, where, names, children)
    node, step = rows.place.copy(), np.zeros(len(rows.place), np.int64)
    rule = np.full(len(node), IMPORT, np.uint8)
    known, principal = bindings.table([fixed], names.count), _principal(o, where)
    direct = wild = np.zeros(0, np.int64)
    known_pairs = 0
    for hop in range(HOPS):
        pending = np.flatnonzero((node >= 0) & (step < rows.length))
        if hop:
            known = bindings.table([fixed, _bound(o, where, rows, node, step, rule)], names.count)
        before = step[pending].sum()
        at, done = node[pending], step[pending]
        node[pending], step[pending] = _advance(known, where, principal, wild, at, done, rows, pending)
        if hop:
            rule[pending] = REEXPORT
        reached = np.flatnonzero(rows.wild & (node >= 0) & (step == rows.length))
        direct = keys.unique(o.import_file[reached] * np.int64(where.nodes) + node[reached])
        wider, known_pairs = len(direct) > known_pairs, len(direct)
        wild = _closure(direct, where) if wider else wild
        if hop and not wider and step[pending].sum() == before and (node[pending] >= 0).all():
            break
    lost = (node >= 0) & (step < rows.length)
    bare = rows.bare & (lost | (node == rows.place)) & ~np.isin(rows.place, _proven(where, rows, node, lost))
    place = np.where(bare, EXTERNAL, rows.place)
    node[lost] = np.where(rows.default[lost], rows.place[lost], OPAQUE)  # an unnamed default is its module
    node[bare] = EXTERNAL
    step[lost] = rows.length[lost]
    there = np.flatnonzero((rule == REEXPORT) & (node >= 0) & (node < where.symbols) & (rows.place >= where.symbols))
    rule[there[where.symbols + where.file_of[node[there]] == rows.place[there]]] = IMPORT  # it has another name there
    size = np.array([len(nodes) for nodes in rows.rivals], np.int64)
    start = np.cumsum(size) - size
    rule[(size[rows.number] > 0) & (node >= 0)] = AMBIGUOUS
    parts = [fixed, _bound(o, where, rows, node, step, rule)]
    function = _functions(o, where, rows.local)
    parts.append(parts[1]._replace(nodes=function[_done(rows, node, step)]))
    parts[2] = Part(*(column[parts[2].nodes >= 0] for column in parts[2]))
    shared = np.flatnonzero(where.shared)
    own = shared * where.nodes + where.package[shared]
    return Imports(
        place,
        node,
        rule,
        start[rows.number],
        size[rows.number],
        np.array([node for nodes in rows.rivals for node in nodes], np.int64),
        bindings.table(parts, names.count),
        bindings.table([bindings.only_types(part, where) for part in parts], names.count),
        bindings.table([bindings.loose(o, where)], names.count),
        wild,
        keys.unique(np.concatenate([own, direct, _near(o, where, place), _near(o, where, node)])),
        keys.unique(rows.local[function >= 0]),
    )


def _families(o: Occurrences, where: Layout) -> dict[str, Family]:
    imported: dict[str, set[str]] = {}
    if "go" in where.families:
        for file, module in zip(o.import_file.tolist(), o.import_module.tolist(), strict=True):
            imported.setdefault(where.families[file], set()).add(o.names[module])
    return modules.families(o, where, {family: sorted(texts) for family, texts in imported.items()})


def _rows(o: Occurrences, where: Layout, names: Names, families: Mapping[str, Family]) -> _Rows:
    """Find the module of each import, once for each distinct (folder, module)."""
    file = o.import_file
    empty, star = names.number(""), names.number("*")
    alone = _of_style(where, {"crate"})[file] | _of_itself(o, where)
    context = np.where(alone, file, where.files + where.folder[file])
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
    context = np.where(np.array(anywhere, np.bool_)[inverse] & ~alone, 0, context)
    first, inverse = keys.distinct(context, where.family[file], o.import_module, ending)
    entire = np.zeros(len(first), np.bool_)
    entire[inverse[whole]] = True
    places, chains, heads, rivals, inner, folders = [], [], [], [], [], []
    for f, m, last, whole_too in zip(
        file[first].tolist(), o.import_module[first].tolist(), ending[first].tolist(), entire.tolist(), strict=True
    ):
        text = o.names[m] if not last else f"{o.names[m]}.{o.names[last - 1]}"
        found = _follow(where, families, o.paths[f], f, text)
        rest = [names.number(part) for part in found.rest]
        places.append(found.node)
        rivals.append(found.rivals)
        chains.append((*rest, *_NO_NAMES[len(rest) :]))
        dotted = where.styles[f] == "dotted" and not text.startswith(".")
        inner.append(where.styles[f] == "dotted" and "." in text)
        folders.append(dotted and found.node >= where.symbols + where.files)
        top = text.partition(".")[0]
        if whole_too and top and top != text and dotted:
            start = _follow(where, families, o.paths[f], f, top).node if found.node >= 0 else EXTERNAL
            heads.append((names.number(top), start))
        else:
            heads.append((-1, -1))
    chain = np.array(chains, np.int64).reshape(-1, REST + 1)[inverse]
    length = (chain >= 0).sum(axis=1)
    place = np.array(places, np.int64)[inverse]
    own = named & np.array([not o.names[m] for m in o.import_module[first].tolist()], np.bool_)[inverse]
    place[own] = where.symbols + file[own]
    local, head = np.array(heads, np.int64).reshape(-1, 2)[inverse].T
    unnamed = o.import_alias == empty
    default = (o.import_name == names.number("default")) & ~unnamed & _of_style(where, {"relative"})[file]
    last = named & (~joint | (length == 0))
    exports = names.number("exports")
    single = np.isin(place, _exporting(o, where, exports))
    asked = np.where(default & single, exports, np.where(default, o.import_alias, o.import_name))
    asked = np.where(default & np.isin(place, _exporting(o, where, names.number("default"))), o.import_name, asked)
    object_ = whole & single & ~unnamed & (length == 0)  # require("./x") is what x sets `module.exports` to
    default, last, asked = default | object_, last | object_, np.where(object_, exports, asked)
    chain[np.flatnonzero(last), length[last]] = asked[last]
    opens = _of_style(where, _OPENING) & _of_family(where, "go", False)
    wild = unnamed & ~named & (~whole | opens[file])
    bound = np.where(unnamed, -1, o.import_alias)
    head = np.where(whole & (bound == local), head, -1)
    inside, folder = (np.array(mask, np.bool_)[inverse] for mask in (inner, folders))
    return _Rows(place, chain, length + last, bound, head, wild, default, rivals, inverse, inside, folder)


def _exporting(o: Occurrences, where: Layout, name: int) -> Rows:
    """The files of JavaScript and TypeScript that export something by a name."""
    files = np.concatenate([o.import_file[o.import_alias == name], o.symbol_file[o.symbol_name == name]])
    found: Rows = where.symbols + files[_of_style(where, {"relative"})[files]].astype(np.int64)
    return found


def _proven(where: Layout, rows: _Rows, node: Rows, lost: Mask) -> Rows:
    """Folders out of which modules are imported. Any other folder without code in an `__init__` is no module:
    `import docker` beside a folder of that name.
    """
    file = where.file_of[np.maximum(rows.place, 0)]
    through = rows.inner & (rows.place >= 0) & (file >= 0)
    further = rows.bare & ~lost & (node != rows.place)
    return np.unique(np.concatenate([where.package[file[through]], rows.place[further]]))


def _of_itself(o: Occurrences, where: Layout) -> Mask:
    """Imports of a module that has the name of the importing file, which it will hardly mean."""
    number = {stem(path).rpartition("/")[2]: i for i, path in enumerate(o.paths)}
    own = np.array([number[stem(path).rpartition("/")[2]] for path in o.paths], np.int64)
    first, inverse = keys.distinct(o.import_module)
    named = [number.get(o.names[m].partition(".")[0], -1) for m in o.import_module[first].tolist()]
    same: Mask = own[o.import_file] == np.array(named, np.int64)[inverse]
    same &= _of_style(where, {"dotted"})[o.import_file]
    return same


def _principal(o: Occurrences, where: Layout) -> Rows:
    """The type that has the name of its file, F: static imports of Java name its members. -1 without one."""
    found = np.full(where.files, -1, np.int64)
    stems = [stem(path).rpartition("/")[2] for path in o.paths]
    for row in np.flatnonzero(where.top & where.type & where.shared[o.symbol_file])[::-1].tolist():
        file = int(o.symbol_file[row])
        if o.names[o.symbol_name[row]] == stems[file]:
            found[file] = row
    return found


def _follow(where: Layout, families: Mapping[str, Family], path: str, file: int, text: str) -> Place:
    """Where a module text leads, or EXTERNAL."""
    style = where.styles[file]
    follow = styles.STYLES.get(style)
    found = follow(families[where.families[file]], path, text) if follow is not None and text else None
    return found if found is not None and len(found.rest) <= REST else _ABROAD


def _of_style(where: Layout, wanted: Set[str]) -> Mask:
    return np.array([style in wanted for style in where.styles], np.bool_)


def _of_family(where: Layout, family: str, same: bool = True) -> Mask:
    return np.array([(name == family) == same for name in where.families], np.bool_)


def _done(rows: _Rows, node: Rows, step: Rows) -> Rows:
    """The imports that are followed to their end and bind a name."""
    return np.flatnonzero(((node < 0) | (step == rows.length)) & (rows.local >= 0))


def _functions(o: Occurrences, where: Layout, local: Rows) -> Rows:
    """The function around each import whose name another import of the file binds as well; else -1."""
    found = np.full(len(local), -1, np.int64)
    bound = np.flatnonzero(local >= 0)
    _, inverse = keys.distinct(o.import_file[bound], local[bound])
    at = bound[np.bincount(inverse, minlength=1)[inverse] > 1] if len(bound) else bound
    if not where.symbols:
        return found
    width = np.int64(max(int(o.symbol_start.max(initial=0)), int(o.import_line.max(initial=0))) + 1)
    starts = np.maximum.accumulate(o.symbol_file * width + o.symbol_start)
    row = np.searchsorted(starts, o.import_file[at] * width + o.import_line[at], "right") - 1
    row[(row >= 0) & (o.symbol_file[row] != o.import_file[at])] = -1
    for _ in range(DEEPEST):
        up = (row >= 0) & ((o.symbol_end[row] < o.import_line[at]) | ~where.callable[row])
        if not up.any():
            break
        row = np.where(up, o.symbol_parent[row], row)
    found[at] = np.where(up, -1, row)
    return found


def _bound(o: Occurrences, where: Layout, rows: _Rows, node: Rows, step: Rows, rule: NDArray[np.uint8]) -> Part:
    """The bindings of all imports that are followed to their end."""
    done = _done(rows, node, step)
    value = np.where(rows.head[done] != -1, rows.head[done], node[done])
    return bindings.imported(where.symbols + o.import_file[done].astype(np.int64), rows.local[done], value, rule[done])


def _advance(
    known: Table, where: Layout, principal: Rows, wild: Rows, node: Rows, step: Rows, rows: _Rows, pending: Rows
) -> tuple[Rows, Rows]:
    """Follow the names of pending imports as far as the bindings lead."""
    node, step = node.copy(), step.copy()
    chain, length = rows.chain[pending], rows.length[pending]
    for _ in range(REST + 1):
        at = np.flatnonzero((node >= 0) & (step < length))
        name = chain[at, step[at]]
        value, _rule = keys.find(known, node[at], name)
        missed = np.flatnonzero((value == -1) & (node[at] >= where.symbols) & (node[at] < where.symbols + where.files))
        value[missed] = through(known, where, wild, node[at[missed]], name[missed])
        missed = missed[value[missed] == -1]
        value[missed], _rule = keys.find(known, principal[node[at[missed]] - where.symbols], name[missed])
        found = value != -1
        node[at[found]] = value[found]
        step[at[found]] += 1
    return node, step


def through(known: Table, where: Layout, wild: Rows, node: Rows, name: Rows) -> Rows:
    """What names of files mean that these import, and export, with everything else of a module; -1: nothing."""
    first, inverse = keys.distinct(node, name)
    node, name = node[first], name[first]
    low = np.searchsorted(wild, (node - where.symbols) * where.nodes)
    high = np.searchsorted(wild, (node - where.symbols + 1) * where.nodes)
    most = max(LEAST_WILD, MOST_PAIRS // max(len(node), 1))
    row, place = keys.explode(low, np.minimum(high - low, most))
    found, _rule = keys.find(known, wild[place] % where.nodes, name[row])
    value = np.full(len(node), -1, np.int64)
    hit = np.flatnonzero(found >= 0)[::-1]  # the first file that has the name is written last
    value[row[hit]] = found[hit]
    return value[inverse]


def _near(o: Occurrences, where: Layout, node: Rows) -> Rows:
    """Keys of the files and packages that imports lead to."""
    inside = np.flatnonzero(node >= 0)
    target = node[inside]
    file = where.file_of[target]
    target = np.where(file >= 0, where.symbols + file, target)
    keyed: Rows = o.import_file[inside] * np.int64(where.nodes) + target
    return keyed


def _widest(size: Rows, most: int) -> int:
    """The largest size at which all that are no larger have at most so many together; -1 if there is none."""
    ordered = np.sort(size)
    kept = int(np.searchsorted(np.cumsum(ordered), most, "right"))
    while kept and kept < len(ordered) and ordered[kept - 1] == ordered[kept]:
        kept = int(np.searchsorted(ordered, ordered[kept]))
    return int(ordered[kept - 1]) if kept else -1


def _closure(direct: Rows, where: Layout) -> Rows:
    """Wildcard imports of wildcard imports, HOPS deep."""
    reach = keys.unique(direct)
    front = reach
    for _ in range(HOPS - 1):
        file, node = front // where.nodes, front % where.nodes
        inner = (node >= where.symbols) & (node < where.symbols + where.files)
        file, node = file[inner], node[inner] - where.symbols
        low = np.searchsorted(reach, node * where.nodes)
        high = np.searchsorted(reach, (node + 1) * where.nodes)
        size = high - low
        if int(size.sum()) > MOST_PAIRS:  # what imports most is passed over first
            size = np.where(size <= _widest(size, MOST_PAIRS), size, 0)
        row, place = keys.explode(low, size)
        further = keys.unique(file[row] * where.nodes + reach[place] % where.nodes)
        front = further[~keys.contains(reach, further)]
        if not len(front):
            break
        reach = keys.unique(np.concatenate([reach, front]))
    return reach
