"""What can a chain hold? Classes, functions, modules and instances, followed through assignments and calls.

A *value* is a node with what it is there: the node itself or an instance of it, and in how many
containers. A *slot* is what holds values: a symbol, a local, or what a function returns. Flows fill slots
from chains, chains read slots, and both are repeated until nothing new comes, at most ROUNDS times. It is
insensitive to order, branches and callers; a slot or chain with more than MOST_VALUES is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import keys, names, qualified
from repoctx.graph import rules as r
from repoctx.graph.ancestry import members
from repoctx.graph.chains import BARE, CALL, LITERAL, LOCAL, MOST_OPERATIONS, NAMED, OWN, SELF, SUPER
from repoctx.graph.imports import through
from repoctx.graph.names import ANYTHING, CALLS, HOLDERS, TYPES
from repoctx.types import FLOWS, KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.chains import Chains
    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.graph.names import Sight
    from repoctx.types import Occurrences

# Values that a slot or a chain may have; with more it says too little.
MOST_VALUES = 8
# Each round follows every assignment, return and argument one step further.
ROUNDS = 6
# Containers around a value that are told apart.
DEEPEST = 3
# Parameters of a function that are told apart by their place.
MOST_PARAMETERS = 64
# Roots that were found less surely than this start no chain.
LEAST_SURE = 0.5
# Bits of a value above its node.
_HELD, _INSTANCE, _DEPTH = 1, 2, 4  # read from a slot; an instance; one container more
_PENDING = 4 * _DEPTH  # the method of a container that is about to be called
_BITS = 2 * _PENDING

_PROPERTY = np.array([kind == "property" for kind in KINDS], np.bool_)
_HOLDERS = frozenset({"field", "variable", "constant", "enum_member", "property", "object"})
_VARIABLE = np.array([kind in _HOLDERS for kind in KINDS], np.bool_)
_DECLARED = np.array([kind.endswith("type") for kind in FLOWS], np.bool_)
_RETURN = np.array([kind.startswith("return") for kind in FLOWS], np.bool_)
_ARGUMENT = FLOWS.index("argument")
_ENUM, _MEMBER = KINDS.index("enum"), KINDS.index("enum_member")


class Pairs(NamedTuple):
    """Which values does each row have? Sorted by row and value, without repeats."""

    row: Rows
    value: Rows


class Slots(NamedTuple):
    """All slots and what they hold."""

    symbols: int  # slots 0 to symbols - 1: what symbols hold; then locals; then what symbols return
    locals: int
    keys: Rows  # slot * span + value, ascending
    span: int  # above every value
    outside: int  # the node that stands for everything outside of the repository
    local_start: Rows  # F, number of each file's first local
    chained: Rows  # the methods that return the object on which they are called, ascending


class Sources(NamedTuple):
    """Distinct chains with their roots found; E of them."""

    value: Rows  # E, the root's value, -1 if it is a slot or unknown
    slot: Rows  # E, the root's slot, -1
    above: Mask  # E, is the first member looked for in the bases alone?
    steps: Rows  # E, index into Chains.parts
    sure: NDArray[np.float32]  # E, how sure the root is


def empty(where: Layout, o: Occurrences) -> Slots:
    """Slots that hold nothing yet."""
    start = np.searchsorted(o.local_file, np.arange(where.files)).astype(np.int64)
    outside = where.nodes
    nothing = np.zeros(0, np.int64)
    return Slots(where.symbols, len(o.local_file), nothing, (outside + 1) * _BITS, outside, start, nothing)


# --- roots -------------------------------------------------------------------------------------


def sources(
    sight: Sight, slots: Slots, file: Rows, scope: Rows, chain: Rows, want: Rows, declared: Mask
) -> tuple[Sources, Rows]:
    """The distinct sources of chains written in a file and scope, and for each chain which it is."""
    where, q = sight.where, sight.chains
    shape, root, steps = q.shape[chain], q.root[chain], q.steps[chain]
    value, slot = np.full(len(chain), -1, np.int64), np.full(len(chain), -1, np.int64)
    sure = np.ones(len(chain), np.float32)
    around = (shape == SELF) | (shape == OWN) | (shape == SUPER)
    holder = np.where(around & (scope >= 0), where.holder[np.maximum(scope, 0)], -1) if where.symbols else value
    value = np.where(holder >= 0, _value(slots, holder, shape != OWN), value)
    value[shape == LITERAL] = slots.outside
    at = np.flatnonzero(shape == LOCAL)
    slot[at] = slots.symbols + slots.local_start[file[at]] + root[at]
    at = np.flatnonzero(shape == NAMED)
    found, by = _named(sight, file[at], scope[at], root[at], want[at])
    whole = np.flatnonzero((found == -1) & (q.name[chain[at]] >= 0))
    meant = qualified.nearest(where, q.whole, file[at[whole]], q.name[chain[at[whole]]])
    found[whole], by[whole] = meant, np.where(meant >= 0, names.CONFIDENCE[r.MEMBER], by[whole])
    steps[at[whole]] = q.after[chain[at[whole]]]
    unknown = (found == -1) & (q.name[chain[at]] < 0) & ~q.partly[chain[at]]
    strange = unknown & ~sight.defined[root[at]] & (declared[at] | sight.capital[root[at]])
    found[strange] = r.EXTERNAL
    node, variable = found.copy(), _is_variable(sight, found)
    slot[at[variable]] = node[variable]
    plain = ~variable | _holds(sight, found)
    value[at[plain]] = np.where(node[plain] >= 0, node[plain], np.where(node[plain] == r.EXTERNAL, slots.outside, -1))
    sure[at] = by
    first, inverse = keys.distinct(value + 1, slot + 1, shape == SUPER, steps, (sure * 100).astype(np.int64))
    return Sources(value[first], slot[first], (shape == SUPER)[first], steps[first], sure[first]), inverse


def _named(sight: Sight, file: Rows, scope: Rows, name: Rows, want: Rows) -> tuple[Rows, NDArray[np.float32]]:
    """What root names mean, and how surely: a node, EXTERNAL or -1."""
    where = sight.where
    nearby = (scope >= 0) & (sight.inner[name] | where.type[np.maximum(scope, 0)]) if where.symbols else scope >= 0
    near = np.where(nearby, scope, -1)
    first, inverse = keys.distinct(file, near + 1, name, want)
    file, near, name, want = file[first], near[first], name[first], want[first]
    answers = names.nothing(len(first))
    inside = np.flatnonzero(near >= 0)
    answers = names.fill(answers, inside, names.enclosing(sight, file[inside], name[inside], near[inside]))
    rest = np.flatnonzero(answers.rule == 0)
    answers = names.fill(answers, rest, names.visible(sight, file[rest], name[rest], want[rest]))
    unsure = (answers.target >= 0) & (answers.confidence < LEAST_SURE)
    node = np.where(unsure | (answers.target < r.EXTERNAL), -1, answers.target)
    node = np.where((answers.rule == r.OUTSIDE) & (node < 0), r.EXTERNAL, node)
    node = np.where(node >= where.nodes, -1, node)
    return node[inverse], answers.confidence[inverse]


def _value(slots: Slots, node: Rows, instance: Array) -> Rows:
    return node + (slots.outside + 1) * _INSTANCE * instance.astype(np.int64)


def _is_variable(sight: Sight, node: Rows) -> Mask:
    """Is it a symbol that holds something else?"""
    return _among(node, _VARIABLE[sight.kind])


def _holds(sight: Sight, node: Rows) -> Mask:
    """Is it a symbol with members of its own?"""
    return _among(node, sight.where.container)


def _among(node: Rows, symbols: Mask) -> Mask:
    """Which nodes are symbols of a kind that a mask over all symbols says?"""
    found: Mask = (node >= 0) & (node < len(symbols))
    found[found] = symbols[node[found]]
    return found


# --- chains ------------------------------------------------------------------------------------


def evaluate(sight: Sight, slots: Slots, e: Sources, asked: list[Pairs] | None = None) -> Pairs:
    """The values of sources at the end of their chains; `asked` gets the (source, slot) that they depend on."""
    q = sight.chains
    at = np.flatnonzero(e.value >= 0)
    asked = [] if asked is None else asked
    rooted = np.flatnonzero(e.slot >= 0)
    asked.append(Pairs(rooted, e.slot[rooted]))
    pairs = _settled(sight, slots, asked, Pairs(at, e.value[at]), read(slots, e.slot))
    longest = int((q.parts[e.steps] >= 0).sum(axis=1).max(initial=0))
    for column in range(longest + 1):
        if column:
            part = q.parts[e.steps[pairs.row], column - 1]
            on = part >= 0
            above = e.above[pairs.row] & (column == 1)
            taken = Pairs(pairs.row[on], pairs.value[on])
            moved = member(sight, slots, taken, part[on], above[on], asked)
            again = _chained(sight, slots, taken, part[on], q.operations[e.steps[taken.row], column, 0] == CALL)
            known = np.isin(moved.row, again.row) & keys.contains(slots.chained, moved.value % (slots.outside + 1))
            moved = Pairs(moved.row[~known], moved.value[~known])
            pairs = _settled(sight, slots, asked, Pairs(pairs.row[~on], pairs.value[~on]), moved)
        else:
            again = Pairs(at[:0], at[:0])
        for number in range(MOST_OPERATIONS):
            code = q.operations[e.steps[pairs.row], column, number]
            if not code.any() and not len(again.row):
                break
            stay = code == 0
            done = _operated(sight, slots, Pairs(pairs.row[~stay], pairs.value[~stay]), code[~stay], asked)
            pairs = _settled(sight, slots, asked, Pairs(pairs.row[stay], pairs.value[stay]), done, again)
            again = Pairs(at[:0], at[:0])
    return pairs


def _chained(sight: Sight, slots: Slots, pairs: Pairs, name: Rows, call: Mask) -> Pairs:
    """The objects on which methods are called that return their own object."""
    if not len(slots.chained):
        return Pairs(pairs.row[:0], pairs.row[:0])
    node, bits = pairs.value % (slots.outside + 1), _bits(slots, pairs.value) & ~_HELD
    at = np.flatnonzero(call & (bits == _INSTANCE) & (node < slots.symbols))
    target, _ = inside(sight, node[at], name[at], np.zeros(len(at), np.bool_))
    at = at[keys.contains(slots.chained, target)]
    return Pairs(pairs.row[at], pairs.value[at])


def _settled(sight: Sight, slots: Slots, asked: list[Pairs], *parts: Pairs) -> Pairs:
    """Pairs in order without repeats and with what aliases of types stand for; of bounded number."""
    pairs = _join(*parts)
    count = slots.outside + 1
    node, bits = pairs.value % count, _bits(slots, pairs.value)
    at = np.flatnonzero((node < slots.symbols) & (bits < _DEPTH))
    at = at[sight.alias[node[at]]]
    if not len(at):
        return _bounded(slots, pairs)
    asked.append(Pairs(pairs.row[at], node[at]))
    meant = read(slots, node[at])
    instance = (bits[at[meant.row]] & _INSTANCE) > 0
    deep = _bits(slots, meant.value) >= _DEPTH
    value = meant.value - np.where(instance | (meant.value % count == slots.outside), 0, count * _INSTANCE)
    keep = instance | ~deep
    return _bounded(slots, _join(pairs, Pairs(pairs.row[at[meant.row[keep]]], value[keep])))


def read(slots: Slots, slot: Rows) -> Pairs:
    """What slots hold; -1 is no slot."""
    at = np.flatnonzero(slot >= 0)
    low = np.searchsorted(slots.keys, slot[at] * slots.span)
    high = np.searchsorted(slots.keys, (slot[at] + 1) * slots.span)
    row, place = keys.explode(low, high - low)
    value = slots.keys[place] % slots.span
    return Pairs(at[row], value + np.where(_bits(slots, value) & _HELD, 0, (slots.outside + 1) * _HELD))


def returned(slots: Slots, symbol: Rows) -> Rows:
    """The slots of what symbols return; -1 stays."""
    return np.where(symbol >= 0, slots.symbols + slots.locals + symbol, -1)


def member(sight: Sight, slots: Slots, pairs: Pairs, name: Rows, above: Mask, asked: list[Pairs]) -> Pairs:
    """The values of members."""
    where, count = sight.where, slots.outside + 1
    node, bits = pairs.value % count, _bits(slots, pairs.value)
    outside = node == slots.outside
    deep = (bits >= _DEPTH) & ~outside
    taker = sight.takers[name]
    kept = np.flatnonzero(outside | (deep & (bits < _PENDING) & ~sight.changers[name]))
    bit = bits[kept] + np.where(outside[kept], 0, np.where(taker[kept], _PENDING - _DEPTH, _PENDING))
    simple = np.flatnonzero(~outside & ~deep)
    target, _ = inside(sight, node[simple], name[simple], above[simple])
    lost = simple[(target < 0) & (node[simple] < where.symbols)]
    instance = (bits[lost] & _INSTANCE) > 0
    half = instance & sight.halves[name[lost]]
    passed = half | (instance & sight.through[name[lost]]) | (~instance & _is_made(sight, node[lost], name[lost]))
    target[np.isin(simple, lost[passed])] = -1
    more = (bits[lost] | _INSTANCE) + np.where(half, 0, _PENDING)
    kept, bit = np.concatenate([kept, lost[passed]]), np.concatenate([bit, more[passed]])
    found = np.flatnonzero(target != -1)
    at, target = simple[found], target[found]
    value, slot = _seen(sight, slots, target)
    again = sight.binders[name[at]] & (target == node[at])
    still = np.flatnonzero(value >= 0)
    value[again] += count * _PENDING
    asked.append(Pairs(pairs.row[at[slot >= 0]], slot[slot >= 0]))
    held = read(slots, slot)
    carried = (bits[at[still]] & _HELD) * count
    origin = np.concatenate([kept, at[still], at[held.row]])
    values = np.concatenate([node[kept] + count * bit, value[still], held.value])
    values[len(kept) : len(kept) + len(still)] += carried
    return Pairs(pairs.row[origin], values)


def _is_made(sight: Sight, node: Rows, name: Rows) -> Mask:
    """Is it a class with a member that gives an instance of it?"""
    made: Mask = sight.where.type[node] & sight.makers[name]
    return made


def _seen(sight: Sight, slots: Slots, target: Rows) -> tuple[Rows, Rows]:
    """What naming a node gives: (its value or -1, the slot to read or -1)."""
    where = sight.where
    symbol = (target >= 0) & (target < where.symbols)
    row = np.where(symbol, target, 0)
    variable = _is_variable(sight, target)
    computed = symbol & _PROPERTY[sight.kind[row]] if where.symbols else symbol
    value = np.where(target == r.EXTERNAL, slots.outside, np.where(target >= 0, target, -1))
    value = np.where(variable & ~_holds(sight, target), -1, value)
    slot = np.where(computed, returned(slots, row), np.where(variable, target, -1))
    return value, slot


def inside(sight: Sight, node: Rows, name: Rows, above: Mask) -> tuple[Rows, NDArray[np.uint8]]:
    """Members of nodes: (node, EXTERNAL, OPAQUE or -1; the rule). OPAQUE: it should be there, and is not."""
    where, imports = sight.where, sight.imports
    value, rule, inherited = members(imports.bindings, sight.ancestry, node, name, above)
    symbol = (node >= 0) & (node < where.symbols)
    rule = np.where(symbol, np.where(inherited, r.INHERITED, r.MEMBER), rule)
    rule = np.where(np.isin(rule, (r.FILE, r.PACKAGE)), r.IMPORT, rule).astype(np.uint8)
    holds = ~symbol | _holds(sight, node)
    lost = (value == -1) & holds
    for rows in (
        np.flatnonzero(lost & _among(node, where.space)),
        np.flatnonzero(lost & ~symbol & (node < where.symbols + where.files)),
    ):
        if not len(rows):
            continue
        space = node[rows[0]] < where.symbols
        if not space:
            found, by = keys.find(imports.loose, node[rows], name[rows])
            value[rows], rule[rows] = found, by
            rows = rows[found == -1]
            found = through(imports.bindings, where, imports.wild, node[rows], name[rows])
            value[rows], rule[rows] = found, r.REEXPORT
            rows = rows[found == -1]
        seen = names.visible(sight, where.file_of[node[rows]], name[rows], np.full(len(rows), ANYTHING))
        good = (seen.rule == r.WILDCARD) if not space else (seen.target >= 0) & (seen.confidence >= LEAST_SURE)
        value[rows[good]], rule[rows[good]] = seen.target[good], seen.rule[good]
    at = np.flatnonzero((value == -1) & symbol & sight.appliers[name])
    at = at[where.callable[node[at]]]
    value[at], rule[at] = node[at], r.HELD
    at = np.flatnonzero((value == -1) & symbol & (name == sight.factories[np.maximum(where.file_of[node], 0)]))
    at = at[where.type[node[at]]]
    value[at], rule[at] = _constructor(sight, node[at]), r.MEMBER
    still = (value == -1) & holds
    value[still] = np.where(_among(node[still], sight.ancestry.foreign), r.EXTERNAL, r.OPAQUE)
    return value, rule


def _constructor(sight: Sight, node: Rows) -> Rows:
    """What runs when a class constructs: the constructor that it has or inherits, or it is the class itself."""
    found = np.full(len(node), -1, np.int64)
    for name in sight.constructors.tolist():
        at = np.flatnonzero(found < 0)
        names_, no = np.full(len(at), name), np.zeros(len(at), np.bool_)
        found[at], _, _ = members(sight.imports.bindings, sight.ancestry, node[at], names_, no)
    return np.where((found >= 0) & (found < sight.where.symbols), found, node)


def _operated(sight: Sight, slots: Slots, pairs: Pairs, code: Rows, asked: list[Pairs]) -> Pairs:
    """Values after a call or the choice of an element."""
    where, count = sight.where, slots.outside + 1
    node, bits = pairs.value % count, _bits(slots, pairs.value)
    outside, deep = node == slots.outside, bits // _DEPTH
    call = code == CALL
    waiting = call & (bits >= _PENDING) & ~outside
    element = ~call & (deep > 0) & (bits < _PENDING) & ~outside
    kept = np.flatnonzero(outside | waiting | element)
    value = pairs.value[kept] - count * np.where(
        outside[kept], 0, np.where(waiting[kept], _PENDING, _DEPTH)
    )
    plain = np.flatnonzero(~outside & (deep == 0) & (node < where.symbols))
    instance = (bits[plain] & _INSTANCE) > 0
    row = node[plain]
    makes = np.where(instance, sight.kind[row] == _ENUM, where.type[row] | where.built[row])
    made = plain[call[plain] & makes]
    ran = np.where(call[plain] & ~instance & where.callable[row], row, -1)
    special = np.flatnonzero(instance & (sight.special[code[plain]] >= 0))
    target, _ = inside(sight, row[special], sight.special[code[plain[special]]], np.zeros(len(special), np.bool_))
    ran[special] = np.where((target >= 0) & (target < where.symbols), target, -1)
    slot = returned(slots, ran)
    asked.append(Pairs(pairs.row[plain[slot >= 0]], slot[slot >= 0]))
    result = read(slots, slot)
    return _join(
        Pairs(pairs.row[kept], value),
        Pairs(pairs.row[made], node[made] + count * (_INSTANCE | _HELD)),
        Pairs(pairs.row[plain[result.row]], result.value),
    )


def _bits(slots: Slots, value: Rows) -> Rows:
    return value // (slots.outside + 1)


def _join(*parts: Pairs) -> Pairs:
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _bounded(slots: Slots, pairs: Pairs) -> Pairs:
    """Pairs in order without repeats; rows with too many values lose them all."""
    key = keys.unique(pairs.row * slots.span + pairs.value)
    row, value = key // slots.span, key % slots.span
    keep = np.bincount(row, minlength=1)[row] <= MOST_VALUES
    return Pairs(row[keep], value[keep])


# --- flows -------------------------------------------------------------------------------------


class _Flows(NamedTuple):
    """Flows with their sources; one row each."""

    slot: Rows  # what is filled; -1 for arguments
    source: Rows
    declared: Mask
    depth: Rows


def fill(sight: Sight, o: Occurrences, slots: Slots) -> Slots:
    """Follow all flows until nothing new comes."""
    q = sight.chains
    kind, file, scope = (c.astype(np.int64) for c in (o.flow_kind, o.flow_file, o.flow_scope))
    declared = _DECLARED[o.flow_kind]
    e, source = sources(sight, slots, file, scope, q.flow, wants(q, q.flow, declared), declared)
    target = o.flow_target.astype(np.int64)
    base = np.array([_base(slots, name) for name in FLOWS], np.int64)
    target = np.where(_RETURN[kind], _first_of_its_name(sight, target), target)
    slot = np.where(kind == _ARGUMENT, -1, target + base[kind])
    flows = _Flows(slot, source, declared, o.flow_depth.astype(np.int64))
    slots = slots._replace(chained=_returning_self(sight, o, target))
    calls = np.flatnonzero(kind == _ARGUMENT)
    hand = _Handing(sight, o, slots, calls)
    first = np.flatnonzero(declared)
    followed = _Followed(e)
    known = _poured(slots, flows, first, followed.values(sight, slots))
    slots = _added(slots, np.concatenate([known, _enumerated(sight, slots)]))
    fixed = np.unique(known[_inner(slots, known)] // slots.span)
    free = np.flatnonzero(~declared & ~keys.contains(fixed, slot) & (slot >= 0))
    stale = np.zeros(0, np.int64)
    for _ in range(ROUNDS):
        pairs = followed.values(sight, slots)
        new = [_poured(slots, flows, np.concatenate([first, free]), pairs)]
        new.append(hand(sight, slots, flows, pairs, fixed))
        before = len(slots.keys)
        slots = _added(slots, np.concatenate(new))
        slots, stale = _spared(slots, stale)
        if len(slots.keys) == before:
            break
    return slots


class _Followed:
    """The values of sources from round to round: only what depends on slots that changed is followed again."""

    def __init__(self, e: Sources) -> None:
        self.sources = e
        self.slots: Slots | None = None
        nothing = np.zeros(0, np.int64)
        self.pairs, self.needs = Pairs(nothing, nothing), Pairs(nothing, nothing)

    def values(self, sight: Sight, slots: Slots) -> Pairs:
        """The values now."""
        if self.slots is None:
            rows = np.arange(len(self.sources.value))
        else:
            changed = keys.unique(np.setxor1d(self.slots.keys, slots.keys, assume_unique=True) // slots.span)
            rows = keys.unique(self.needs.row[keys.contains(changed, self.needs.value)])
        self.slots = slots
        asked: list[Pairs] = []
        value, slot, above, steps, sure = self.sources
        e = Sources(value[rows], slot[rows], above[rows], steps[rows], sure[rows])
        fresh = evaluate(sight, slots, e, asked)
        self.needs = self._replaced(rows, self.needs, _join(*asked))
        self.pairs = self._replaced(rows, self.pairs, fresh)
        return self.pairs

    def _replaced(self, rows: Rows, old: Pairs, new: Pairs) -> Pairs:
        """Pairs with those of some rows replaced."""
        again = np.zeros(len(self.sources.value), np.bool_)
        again[rows] = True
        keep = ~again[old.row]
        row = np.concatenate([old.row[keep], rows[new.row]])
        value = np.concatenate([old.value[keep], new.value])
        order = np.argsort(row, kind="stable")
        return Pairs(row[order], value[order])


def _enumerated(sight: Sight, slots: Slots) -> Rows:
    """Keys of what the members of enums hold: an instance of the enum."""
    members = np.flatnonzero((sight.kind == _MEMBER) & (sight.where.owner >= 0))
    return members * slots.span + _value(slots, sight.where.owner[members], np.ones(len(members), np.bool_))


def _first_of_its_name(sight: Sight, symbol: Rows) -> Rows:
    """For overloads of a function the one that its name is bound to."""
    where = sight.where
    if not where.symbols:
        return symbol
    row = np.where(symbol < where.symbols, symbol, 0)
    holder = np.where(where.owner[row] >= 0, where.owner[row], where.symbols + where.file_of[row])
    found, _ = keys.find(sight.imports.bindings, holder, sight.names[row])
    same = (found >= 0) & (found < where.symbols)
    same[same] = where.callable[found[same]] & (where.file_of[found[same]] == where.file_of[row[same]])
    return np.where(same & (symbol < where.symbols), found, symbol)


def _returning_self(sight: Sight, o: Occurrences, target: Rows) -> Rows:
    """The methods that return the object on which they are called."""
    q = sight.chains
    itself = (q.shape[q.flow] == SELF) & (q.parts[q.steps[q.flow], 0] < 0) & (q.operations[q.steps[q.flow], 0, 0] == 0)
    return np.unique(target[itself & _RETURN[o.flow_kind] & (o.flow_depth == 0)])


def wants(q: Chains, chain: Rows, declared: Mask, before: bool = False) -> Rows:
    """What the root of each chain should be; `before`: another name comes after the chain."""
    steps = q.steps[chain]
    called = q.operations[steps, 0, 0] == CALL
    further = (q.parts[steps, 0] >= 0) | before
    return np.where(declared & ~further, TYPES, np.where(called, CALLS, np.where(further, HOLDERS, ANYTHING)))


def _base(slots: Slots, kind: str) -> int:
    """Where the slots begin that a kind of flow fills."""
    if kind.startswith("local"):
        return slots.symbols
    return slots.symbols + slots.locals if kind.startswith("return") else 0


def _poured(slots: Slots, flows: _Flows, rows: Rows, pairs: Pairs) -> Rows:
    """Keys of what some flows carry, given the values of all sources."""
    flow, place = keys.matches(pairs.row, flows.source[rows])
    value = pairs.value[place]
    count = slots.outside + 1
    bits = _bits(slots, value) & ~_HELD
    node = value % count
    declared, depth = flows.declared[rows][flow], flows.depth[rows][flow]
    bits = np.where(declared, bits | _INSTANCE, bits)
    deeper = bits // _DEPTH + depth
    good = (deeper <= DEEPEST) & (~declared | (node == slots.outside) | (node < slots.symbols))
    keyed: Rows = (flows.slot[rows][flow] * slots.span + node + count * (bits + depth * _DEPTH))[good]
    return keyed


def _inner(slots: Slots, keyed: Rows) -> Mask:
    """Do they hold something of this repository?"""
    found: Mask = keyed % slots.span % (slots.outside + 1) != slots.outside
    return found


def _added(slots: Slots, keyed: Rows) -> Slots:
    return slots._replace(keys=keys.unique(np.concatenate([slots.keys, keyed])))


def _spared(slots: Slots, stale: Rows) -> tuple[Slots, Rows]:
    """The slots without those that hold too much, now or before."""
    slot = slots.keys // slots.span
    if not len(slot):
        return slots, stale
    start = np.flatnonzero(np.concatenate([[True], slot[1:] != slot[:-1]]))
    size = np.diff(np.concatenate([start, [len(slot)]]))
    stale = np.union1d(stale, slot[start[size > MOST_VALUES]])
    return slots._replace(keys=slots.keys[~keys.contains(stale, slot)]), stale


class _Handing:
    """Arguments on their way to the parameters of what is called."""

    def __init__(self, sight: Sight, o: Occurrences, slots: Slots, flows: Rows) -> None:
        call = o.flow_target[flows].astype(np.int64)
        self.flows = flows
        self.calls, self.call = np.unique(call, return_inverse=True)
        self.callees = callees(sight, slots, o, self.calls)
        self.followed = _Followed(self.callees.sources)
        rows = np.flatnonzero(o.local_position >= 0)
        scopes = o.local_scope[rows].astype(np.int64)
        ok = scopes >= 0
        rows, scopes = rows[ok], scopes[ok]
        width = sight.tops.width
        by_name = scopes * width + o.local_name[rows]
        by_place = scopes * MOST_PARAMETERS + np.minimum(o.local_position[rows], MOST_PARAMETERS - 1)
        self.named, self.placed = np.argsort(by_name), np.argsort(by_place)
        self.by_name, self.by_place = by_name[self.named], by_place[self.placed]
        self.named, self.placed = rows[self.named], rows[self.placed]
        written, at = np.unique(o.flow_key[flows], return_inverse=True)
        self.place = np.array([_place(o.names[i]) for i in written.tolist()], np.int64)[at]
        self.key = np.where(self.place < 0, o.flow_key[flows].astype(np.int64), -1)

    def __call__(self, sight: Sight, slots: Slots, flows: _Flows, pairs: Pairs, fixed: Rows) -> Rows:
        """Keys of what arguments bring."""
        if not len(self.flows):
            return np.zeros(0, np.int64)
        functions = constructed(sight, called(sight, slots, self.callees, self.followed.values(sight, slots)))
        at, place = keys.matches(functions.row, self.call)
        function = functions.value[place]
        local = np.full(len(at), -1, np.int64)
        for wanted, table, rows, usable in (
            (function * sight.tops.width + self.key[at], self.by_name, self.named, self.key[at] >= 0),
            (function * MOST_PARAMETERS + self.place[at], self.by_place, self.placed, self.place[at] >= 0),
        ):
            if len(table):
                asked = np.flatnonzero(usable)
                spot = np.minimum(np.searchsorted(table, wanted[asked]), len(table) - 1)
                hit = table[spot] == wanted[asked]
                local[asked[hit]] = rows[spot[hit]]
        good = local >= 0
        slot = slots.symbols + local[good]
        free = ~keys.contains(fixed, slot)
        rows = self.flows[at[good]][free]
        moved = flows._replace(slot=slot[free], source=flows.source[rows],
                               declared=flows.declared[rows], depth=flows.depth[rows])  # fmt: skip
        return _poured(slots, moved, np.arange(len(rows)), pairs)


def _place(text: str) -> int:
    """The place of an argument without a name; -1 if it has one, or is beyond the last that counts."""
    return int(text) if text.isdecimal() and len(text) < 4 and int(text) < MOST_PARAMETERS - 1 else -1


class Callees(NamedTuple):
    """The receivers of calls (or other references), and the names taken from them; N references."""

    sources: Sources
    source: Rows  # N
    name: Rows  # N
    plain: Rows  # N, what bare names mean; -1
    here: Mask  # N: the name is a local itself


def callees(sight: Sight, slots: Slots, o: Occurrences, rows: Rows) -> Callees:
    """Prepare references for `called`."""
    q = sight.chains
    chain = q.reference[rows]
    file, scope = (c[rows].astype(np.int64) for c in (o.reference_file, o.reference_scope))
    name = o.reference_name[rows].astype(np.int64)
    shape = q.shape[chain]
    no = np.zeros(len(rows), np.bool_)
    e, source = sources(sight, slots, file, scope, chain, wants(q, chain, no, True), no)
    bare = np.flatnonzero(shape == BARE)
    node, sure = _named(sight, file[bare], scope[bare], name[bare], np.full(len(bare), CALLS))
    plain = np.full(len(rows), -1, np.int64)
    above = names.above(sight, scope[bare], name[bare])
    plain[bare] = np.where(above >= 0, above, np.where(sure >= LEAST_SURE, node, -1))
    return Callees(e, source, name, plain, q.here[chain])


def called(sight: Sight, slots: Slots, c: Callees, pairs: Pairs) -> Pairs:
    """The nodes that are called: (reference, node); `pairs` are the values of the sources."""
    at, place = keys.matches(pairs.row, np.where(c.plain >= 0, -1, c.source))
    value = pairs.value[place]
    here = c.here[at]
    there = Pairs(at[~here], value[~here])
    moved = member(sight, slots, there, c.name[there.row], np.zeros(len(there.row), np.bool_), [])
    bare = np.flatnonzero(c.plain >= 0)
    seen, slot = _seen(sight, slots, c.plain[bare])
    held = read(slots, slot)
    some = seen >= 0
    found = _join(
        moved, Pairs(at[here], value[here]), Pairs(bare[some], seen[some]), Pairs(bare[held.row], held.value)
    )
    bits, node = _bits(slots, found.value) & ~_HELD, found.value % (slots.outside + 1)
    direct = (bits == 0) & (node < slots.symbols)
    key = keys.unique(found.row[direct] * slots.span + node[direct])
    return Pairs(key // slots.span, key % slots.span)


def constructed(sight: Sight, functions: Pairs) -> Pairs:
    """The same with classes replaced by their constructors."""
    where = sight.where
    made = where.type[functions.value]
    row, value = functions.row[made], functions.value[made]
    target = np.full(len(row), -1, np.int64)
    for name in sight.constructors:
        at = np.flatnonzero(target < 0)
        found, _ = inside(sight, value[at], np.full(len(at), name), np.zeros(len(at), np.bool_))
        target[at] = np.where((found >= 0) & (found < where.symbols), found, -1)
    own = sight.constructor[value]
    target = np.where(target < 0, own, target)
    keep = target >= 0
    row = np.concatenate([functions.row[~made], row[keep]])
    value = np.concatenate([functions.value[~made], target[keep]])
    order = np.lexsort((value, row))
    return Pairs(row[order], value[order])


def dynamic(slots: Slots, value: Rows) -> Mask:
    """Was it read from a slot on the way?"""
    found: Mask = (_bits(slots, value) & _HELD) > 0
    return found


def split(slots: Slots, value: Rows) -> tuple[Rows, Mask, Mask]:
    """Values as (node, is it an instance?, is it in a container?)."""
    bits = _bits(slots, value)
    return value % (slots.outside + 1), (bits & _INSTANCE) > 0, bits >= _DEPTH
