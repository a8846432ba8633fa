"""What does a bare name mean where it stands? Scopes, the file, its package, imports, namesakes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import keys, namesakes
from repoctx.graph import rules as r
from repoctx.graph.ancestry import Ancestry, ancestry, members
from repoctx.graph.chains import CALL, ELEMENT
from repoctx.types import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.bindings import Names
    from repoctx.graph.chains import Chains
    from repoctx.graph.imports import Imports
    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.graph.namesakes import Group, Ranking
    from repoctx.types import Bytes, Occurrences

# Scopes around a reference that are searched for a bare name.
MOST_SCOPES = 6
# Confidence of a rule that found other definitions further away, relative to an only one: measured as
# 0.26 to 0.46 of 0.82 to 0.98 for methods on flask and requests, 0.91 of 0.94 on zod.
SEVERAL = 0.6

CONFIDENCE = np.array([rule.confidence for rule in r.RULES], np.float32)
_SHAPE = np.array([kind in ("interface", "type") for kind in KINDS], np.bool_)
_MEMBER = np.array([kind in ("method", "field", "property") for kind in KINDS], np.bool_)
_CONSTRUCTOR, _FIELD, _PROPERTY, _TYPE, _MACRO = (
    KINDS.index(kind) for kind in ("constructor", "field", "property", "type", "macro")
)
ANYTHING, CALLS, TYPES, HOLDERS = range(4)  # what a reference, or the root of a chain, can mean


# Members by which an object is called, or gives an element; by the codes of `chains`.
_SPECIAL = {CALL: "__call__", ELEMENT: "__getitem__"}
# Members that construct, where the language has no kind of symbol for them.
_CONSTRUCTORS = ("__init__", "__new__", "initialize", "__construct")
# Members of a container that give one of its elements; all others are taken to give a container again.
_TAKERS = frozenset(
    ["get", "pop", "popitem", "popleft", "setdefault", "next", "__next__", "at", "first", "last", "shift", "find",
     "peek", "front", "back", "getOrDefault", "getFirst", "getLast", "elementAt", "poll", "remove", "findFirst",
     "findAny", "begin", "end", "cbegin", "cend", "rbegin", "top", "get_mut", "first_mut", "last_mut", "pop_front",
     "pop_back", "nth", "min_by", "max_by", "min_by_key", "max_by_key", "swap_remove", "element", "firstElement",
     "lastElement", "pollFirst", "pollLast", "removeFirst", "removeLast", "computeIfAbsent"]
)  # fmt: skip
# Members of what stands for a thing (`Option<T>`, `unique_ptr<T>`) that give the thing, where it has none of that name.
_THROUGH = frozenset(
    ["unwrap", "expect", "unwrap_or", "unwrap_or_default", "unwrap_or_else", "as_ref", "as_mut", "as_deref",
     "as_deref_mut", "borrow", "borrow_mut", "lock", "read", "write", "clone", "cloned", "copied", "to_owned", "ok",
     "ok_or", "ok_or_else", "map_err", "context", "with_context", "take", "or_else", "or", "iter", "into_inner",
     "get", "get_mut", "get_or_insert_with", "get_or_init", "upgrade", "orElse", "orElseGet", "orElseThrow", "filter",
     "value", "value_or", "join", "load", "release", "toOwned", "await"]
)  # fmt: skip
# The halves of a pair, which is a wrapper of both.
_HALVES = frozenset(["first", "second"])
# Members of a class that make an instance, where nobody wrote them: derived, of an enum, of a base elsewhere.
_MAKERS = frozenset(["default", "from", "try_from", "from_str", "parse", "valueOf"])
# Members of a function that call it, and that give it with its arguments or object fixed.
_BINDERS = frozenset(["bind"])
_APPLIERS = frozenset(["call", "apply"]) | _BINDERS
# Members of a class that call its constructor, by family: nobody writes them.
_FACTORIES = {"ruby": "new"}
# Names by which a constructor calls that of its base.
_SUPERS = frozenset(["super", "base"])
# Members of a container that give a container of something else.
_CHANGERS = frozenset(
    ["map", "flat_map", "flatMap", "filter_map", "mapToObj", "mapToInt", "mapToLong", "mapToDouble", "and_then", "zip",
     "fold", "reduce", "keys", "keySet", "len", "length", "size", "count", "join", "position", "sum", "any", "all",
     "scan", "stringify", "indexOf", "contains", "isEmpty", "is_empty", "empty"]
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """All that references are resolved against. S symbols, N names."""

    where: Layout
    imports: Imports
    ancestry: Ancestry
    chains: Chains
    names: Rows  # S, name of each symbol
    kind: Bytes  # S
    nested: Rows  # symbols that are members of another
    apart: Mask  # S, is it a member of a value, which nothing in that value sees by its bare name?
    inner: Mask  # N, is something of that name seen without a qualifier in some scope only?
    takers: Mask  # N, is it a member of containers that gives an element?
    changers: Mask  # N, one that gives something else?
    through: Mask  # N, is it a member of wrappers that gives what is inside?
    halves: Mask  # N, is it one that does so without a call?
    makers: Mask  # N, is it a member of classes that gives an instance?
    supers: Mask  # N, does a constructor call that of its base so?
    appliers: Mask  # N, is it a member of functions that calls them?
    binders: Mask  # N, one that gives the function again?
    factories: Rows  # F, name of the member of classes that constructs, by the file; -1
    defined: Mask  # N, is something of that name defined or imported anywhere?
    capital: Mask  # N, does it begin with a capital, as types do?
    alias: Mask  # S, is it a name for another type?
    textual: Mask  # S, is it a macro, of which only those know that include it?
    special: Rows  # name of the member that a call or an element means, by the codes of `chains`
    constructors: Rows  # names of members that construct
    constructor: Rows  # S, the constructor of a class, -1
    tops: Group
    members: Group


def look(o: Occurrences, where: Layout, names: Names, found: Imports, taken: Chains) -> Sight:
    """Put together what references are resolved against; the bases of classes are not known yet."""
    name = o.symbol_name.astype(np.int64)
    nested = np.flatnonzero(where.owner >= 0)
    owner = where.owner[nested]
    apart = np.zeros(where.symbols, np.bool_)
    apart[nested] = _MEMBER[o.symbol_kind[nested]] & ~where.type[owner] & ~where.space[owner]
    local = where.callable[owner] | where.space[owner] | where.implicit[where.file_of[nested]]
    inner = np.zeros(names.count, np.bool_)
    inner[name[nested[local]]] = True
    inner[found.within] = True
    included = np.array([style == "include" for style in where.styles], np.bool_)
    defined = np.zeros(names.count, np.bool_)
    defined[o.symbol_name] = defined[o.import_alias] = True
    constructor = np.full(where.symbols, -1, np.int64)
    built = np.flatnonzero((o.symbol_kind == _CONSTRUCTOR) & (where.owner >= 0))[::-1]
    constructor[where.owner[built]] = built  # the first is written last
    return Sight(
        where,
        found,
        ancestry(where.symbols, name[:0], name[:0]),
        taken,
        name,
        o.symbol_kind,
        nested,
        apart,
        inner,
        _mask(names, _TAKERS),
        _mask(names, _CHANGERS),
        _mask(names, _THROUGH),
        _mask(names, _HALVES),
        _mask(names, _MAKERS),
        _mask(names, _SUPERS),
        _mask(names, _APPLIERS),
        _mask(names, _BINDERS),
        np.array([names.known(_FACTORIES[f]) if f in _FACTORIES else -1 for f in where.families], np.int64),
        defined,
        names.capitals(),
        o.symbol_kind == _TYPE,
        (o.symbol_kind == _MACRO) & included[o.symbol_file],
        np.array([names.known(_SPECIAL.get(code, "")) if code in _SPECIAL else -1 for code in range(3)], np.int64),
        np.array([number for word in _CONSTRUCTORS if (number := names.known(word)) >= 0], np.int64),
        constructor,
        namesakes.group(where, np.flatnonzero(where.top), name, names.count),
        namesakes.group(where, np.flatnonzero(~where.top), name, names.count),
    )


def _mask(names: Names, words: frozenset[str]) -> Mask:
    """Which names are these words?"""
    found = np.zeros(names.count, np.bool_)
    found[[number for word in sorted(words) if (number := names.known(word)) >= 0]] = True
    return found


class Answers(NamedTuple):
    """What R references mean."""

    target: Rows  # node or -1
    rule: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    start: Rows  # offsets into candidates
    size: Rows
    candidates: Rows


def related(sight: Sight, known: Ancestry) -> Sight:
    """The same sight with the bases of classes known.

    A field that a method sets is no definition where a base has a property of that name: it is that property.
    """
    where, bindings = sight.where, sight.imports.bindings
    at = np.flatnonzero((bindings.values >= 0) & (bindings.values < where.symbols))
    at = at[(sight.kind[bindings.values[at]] == _FIELD) & (bindings.rules[at] == r.MEMBER)]
    owner, name = bindings.keys[at] // bindings.width, bindings.keys[at] % bindings.width
    found, _, _ = members(bindings, known, owner, name, np.ones(len(at), np.bool_))
    symbol = (found >= 0) & (found < where.symbols)
    computed = symbol.copy()
    computed[symbol] = sight.kind[found[symbol]] == _PROPERTY
    values = bindings.values.copy()
    values[at[computed]] = found[computed]
    imports = replace(sight.imports, bindings=bindings._replace(values=values))
    return replace(sight, ancestry=known, imports=imports)


def nothing(count: int) -> Answers:
    return Answers(
        np.full(count, -1, np.int64), np.zeros(count, np.uint8), np.zeros(count, np.float32),
        np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(0, np.int64),
    )  # fmt: skip


def take(answers: Answers, rows: Array) -> Answers:
    """The answers of some rows."""
    target, rule, confidence, start, size, candidates = answers
    return Answers(target[rows], rule[rows], confidence[rows], start[rows], size[rows], candidates)


def fill(answers: Answers, rows: Rows, part: Answers) -> Answers:
    """Answers with those of some rows put in."""
    answers.target[rows], answers.rule[rows], answers.confidence[rows] = (
        part.target,
        part.rule,
        part.confidence,
    )
    answers.start[rows], answers.size[rows] = part.start + len(answers.candidates), part.size
    return answers._replace(candidates=np.concatenate([answers.candidates, part.candidates]))


def certain(value: Rows, rule: Array) -> Answers:
    """Answers out of bindings: a node and its rule, a mark, or nothing yet (rule 0)."""
    rule = np.where(value == r.EXTERNAL, r.OUTSIDE, np.where(value == r.OPAQUE, r.UNRESOLVED, rule)).astype(np.uint8)
    rule[value == -1] = 0
    return nothing(len(value))._replace(target=value.copy(), rule=rule, confidence=CONFIDENCE[rule])


def enclosing(sight: Sight, file: Rows, name: Rows, scope: Rows) -> Answers:
    """Bare names: definitions nested in the scopes around, members of the class where they need no `self`."""
    where = sight.where
    value, rule = np.full(len(name), -1, np.int64), np.zeros(len(name), np.uint8)
    at = np.flatnonzero((scope >= 0) & (sight.inner[name] | where.type[scope]))
    scope = scope[at]
    for depth in range(MOST_SCOPES):
        implicit = where.implicit[file[at]] & where.type[scope]
        visible = ~where.type[scope] | implicit if depth else np.ones(len(at), np.bool_)
        found, ruled = keys.find(sight.imports.bindings, np.where(visible, scope, -1), name[at])
        symbol = np.flatnonzero((found >= 0) & (found < where.symbols))
        found[symbol[sight.apart[found[symbol]]]] = -1
        by = np.where(where.type[scope] & bool(depth), r.SELF, r.SCOPE).astype(np.uint8)
        by = np.where(np.isin(ruled, (r.IMPORT, r.REEXPORT)), ruled, by)  # what a function imports for itself
        up = np.flatnonzero(implicit & (found == -1))
        above = np.ones(len(up), np.bool_)
        found[up], _, _ = members(sight.imports.bindings, sight.ancestry, scope[up], name[at[up]], above)
        by[up] = r.INHERITED
        value[at], rule[at] = found, by
        on = (found == -1) & (where.owner[scope] >= 0)
        at, scope = at[on], where.owner[scope[on]]
        if not len(at):
            break
    return certain(value, rule)


def above(sight: Sight, scope: Rows, name: Rows) -> Rows:
    """What `super(...)` in a constructor means: the nearest constructor of a base, else the nearest base; -1."""
    found = np.full(len(name), -1, np.int64)
    at = np.flatnonzero((scope >= 0) & sight.supers[name])
    at = at[(sight.kind[scope[at]] == _CONSTRUCTOR) & (sight.where.owner[scope[at]] >= 0)]
    owner, family = sight.where.owner[scope[at]], sight.ancestry
    start, end = family.start[owner], family.start[owner + 1]
    found[at[start < end]] = family.rows[start[start < end]]
    while len(at := at[start < end]):
        start, end = start[start < end], end[start < end]
        made = sight.constructor[family.rows[start]]
        found[at[made >= 0]] = made[made >= 0]
        at, start, end = at[made < 0], start[made < 0] + 1, end[made < 0]
    return found


def own(sight: Sight, holder: Rows, name: Rows, above: Mask) -> Answers:
    """Members of the enclosing class or its bases. A member of a base that is not here stays unresolved."""
    value, _, inherited = members(sight.imports.bindings, sight.ancestry, holder, name, above)
    foreign = above | ((holder >= 0) & sight.ancestry.foreign[holder])
    value[(value == -1) & foreign] = r.OPAQUE
    return certain(value, np.where(inherited, r.INHERITED, r.SELF))


def visible(sight: Sight, file: Rows, name: Rows, want: Array) -> Answers:
    """Bare names out of any scope: of the file, imported, of the package, through wildcards, or namesakes."""
    where, imports = sight.where, sight.imports
    value, rule = np.full(len(name), -1, np.int64), np.zeros(len(name), np.uint8)
    package = np.where(where.shared[file], where.package[file], -1)
    for table in (imports.types, imports.bindings):
        for node in (where.symbols + file, package):
            at = np.flatnonzero((value == -1) & ((want == TYPES) | (table is imports.bindings)))
            value[at], rule[at] = keys.find(table, node[at], name[at])
    answers = certain(twins(sight, value, want), rule)
    at = np.flatnonzero(value == -1)
    seen = (imports.wild, imports.near)
    ranking = namesakes.rank(where, sight.tops, file[at], name[at], where.container, want[at] >= TYPES, seen)
    one = ranking.choices == 1
    wild = (ranking.place == 0) & (ranking.best >= 0)
    nearest = np.where(wild, r.WILDCARD, np.where(one, r.UNIQUE, r.UNRESOLVED))
    hidden = (ranking.best < 0) | ranking.strange | (where.closed[file[at]] & ~wild)
    if where.symbols:
        hidden |= ~wild & sight.textual[np.maximum(ranking.best, 0)]
    return fill(answers, at, ranked(ranking, np.where(hidden, r.UNRESOLVED, nearest), wild & ~one))


def twins(sight: Sight, value: Rows, want: Array) -> Rows:
    """Where a type is wanted, the type that has the name of a value beside it: TypeScript exports both as one."""
    where = sight.where
    at = np.flatnonzero((want >= TYPES) & (value >= 0) & (value < where.symbols))
    row = value[at]
    at = at[~np.where(want[at] == TYPES, where.type[row] | where.space[row], where.container[row])]
    row = value[at]
    holder = np.where(where.owner[row] >= 0, where.owner[row], where.symbols + where.file_of[row])
    twin, _ = keys.find(sight.imports.types, holder, sight.names[row])
    there = np.flatnonzero((want[at] != TYPES) & (twin >= 0) & (twin < where.symbols))
    twin[there[_SHAPE[sight.kind[twin[there]]]]] = -1  # the value is meant where members are taken from it
    value = value.copy()
    value[at] = np.where(twin >= 0, twin, row)
    return value


def ranked(ranking: Ranking, rule: Array, doubtful: Mask) -> Answers:
    """Answers out of candidates, which are mentioned where the target is not certain."""
    target = np.where(rule == r.UNRESOLVED, -1, ranking.best)
    mention = (target < 0) | ((ranking.size > 1) & ((rule != r.WILDCARD) | doubtful))
    confidence = CONFIDENCE[rule] * np.where(doubtful, np.float32(SEVERAL), np.float32(1))
    count = np.where(mention, ranking.size, 0)
    return Answers(target, rule.astype(np.uint8), confidence, ranking.start, count, ranking.candidates)


def mentioned(sight: Sight, file: Rows, name: Rows, want: Array) -> Answers:
    """The definitions of a name at the top of files and modules as candidates; none is the answer."""
    seen = (sight.imports.near, sight.imports.near)
    ranking = namesakes.rank(sight.where, sight.tops, file, name, sight.where.callable, want == CALLS, seen)
    return ranked(ranking, np.full(len(file), r.UNRESOLVED), np.zeros(len(file), np.bool_))


def methods(sight: Sight, file: Rows, name: Rows, want: Array) -> Answers:
    """Members of receivers that nothing is known about: the only one of that name, and only if it is near.

    All others are candidates. A namesake that is right four times in ten is no answer.
    """
    where, imports = sight.where, sight.imports
    seen = (imports.near, imports.near)
    ranking = namesakes.rank(where, sight.members, file, name, where.callable, want == CALLS, seen)
    sure = (ranking.size == 1) & (ranking.place == 0) & (want != TYPES)
    return ranked(ranking, np.where(sure, r.METHOD, r.UNRESOLVED), np.zeros(len(file), np.bool_))
