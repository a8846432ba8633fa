"""What does each reference mean? The rules in order, over columns of references."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import keys, names, values
from repoctx.graph import rules as r
from repoctx.graph.chains import BARE, LITERAL, NAMED, OWN, SELF, SUPER
from repoctx.graph.names import ANYTHING, CALLS, CONFIDENCE, TYPES, Answers
from repoctx.graph.qualified import LOOSE
from repoctx.types import ROLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.keys import Rows
    from repoctx.graph.names import Sight
    from repoctx.graph.values import Slots
    from repoctx.types import Occurrences

_WANTED = np.array([{"call": CALLS, "type": TYPES, "inherit": TYPES}.get(role, ANYTHING) for role in ROLES], np.int64)
# Confidence of each of several targets, relative to an only one.
SEVERAL = 0.75
_INHERIT, _CALL = ROLES.index("inherit"), ROLES.index("call")


class Further(NamedTuple):
    """What some references mean besides their answer; one row each."""

    reference: Rows  # index into the answers
    target: Rows
    rule: NDArray[np.uint8]
    confidence: NDArray[np.float32]


class Meant(NamedTuple):
    """The answer of every reference, and where it means several things the others."""

    answers: Answers
    further: Further


def resolve(sight: Sight, slots: Slots, o: Occurrences, rows: Rows) -> Meant:
    """What some references mean; `rows` of the occurrences."""
    where, q = sight.where, sight.chains
    file, name, scope = (c[rows].astype(np.int64) for c in (o.reference_file, o.reference_name, o.reference_scope))
    chain, role = q.reference[rows], o.reference_role[rows]
    shape, whole = q.shape[chain], _whole(sight, chain)
    want = _WANTED[role]
    answers = names.nothing(len(rows))
    bare = np.flatnonzero((shape == BARE) & (scope >= 0))
    around = np.where(role[bare] == _INHERIT, where.owner[scope[bare]], scope[bare])  # a class is no base of itself
    answers = names.fill(answers, bare, names.enclosing(sight, file[bare], name[bare], around))
    above = names.above(sight, scope[bare], name[bare])
    made = above >= 0
    answers = names.fill(answers, bare[made], names.certain(above[made], np.full(int(made.sum()), r.INHERITED)))
    own = np.flatnonzero(np.isin(shape, (SELF, OWN, SUPER)) & whole & ~q.here[chain] & (scope >= 0))
    answers = names.fill(answers, own, names.own(sight, where.holder[scope[own]], name[own], shape[own] == SUPER))
    rest = np.flatnonzero((answers.rule == 0) & (shape == BARE))
    first, inverse = keys.distinct(file[rest], name[rest], want[rest])
    at = rest[first]
    answers = names.fill(answers, rest, names.take(names.visible(sight, file[at], name[at], want[at]), inverse))
    rest = np.flatnonzero(answers.rule == 0)
    meant, further = _through(sight, slots, o, rows[rest], want[rest])
    answers = names.fill(answers, rest, meant)
    further = further._replace(reference=rest[further.reference])
    answers.rule[(answers.rule == 0) & (shape == LITERAL)] = r.OUTSIDE
    strange = (shape == BARE) & (answers.target == -1) & ~sight.defined[name] & sight.capital[name]
    answers.rule[strange & (want != ANYTHING)] = r.OUTSIDE  # a type that nothing here defines
    answers.rule[(answers.rule == 0) & q.here[chain]] = r.UNRESOLVED
    rest = np.flatnonzero(answers.rule == 0)
    first, inverse = keys.distinct(file[rest], name[rest], want[rest])
    at = rest[first]
    answers = names.fill(answers, rest, names.take(names.methods(sight, file[at], name[at], want[at]), inverse))
    at = np.flatnonzero((answers.rule == r.UNRESOLVED) & (answers.size == 0) & (q.name[chain] >= 0))
    lost = at[np.isin(at, rest)]  # of a whole name that several have: functions of modules are no methods
    answers = names.fill(answers, lost, names.mentioned(sight, file[lost], name[lost], want[lost]))
    return Meant(answers, _and(further, _held(sight, slots, answers, role)))


def _whole(sight: Sight, chain: Rows) -> keys.Mask:
    """Are they roots without any step?"""
    steps = sight.chains.steps[chain]
    bare: keys.Mask = (sight.chains.parts[steps, 0] < 0) & (sight.chains.operations[steps, 0, 0] == 0)
    return bare


def _through(sight: Sight, slots: Slots, o: Occurrences, rows: Rows, want: Rows) -> tuple[Answers, Further]:
    """Members of what chains hold. Rule 0 where nothing is known of the chain."""
    where, q = sight.where, sight.chains
    chain = q.reference[rows]
    file, scope, name = (c[rows].astype(np.int64) for c in (o.reference_file, o.reference_scope, o.reference_name))
    undeclared = np.zeros(len(rows), np.bool_)
    hints = values.wants(q, chain, undeclared, before=True)
    e, source = values.sources(sight, slots, file, scope, chain, hints, undeclared)
    pairs = values.evaluate(sight, slots, e)
    at, place = keys.matches(pairs.row, source)
    value, sure = pairs.value[place], e.sure[source[at]]
    node, instance, deep = values.split(slots, value)
    here = q.here[chain[at]]
    abroad = (node == slots.outside) | deep
    target, rule = np.full(len(at), r.EXTERNAL), np.zeros(len(at), np.uint8)
    on = np.flatnonzero(~abroad & ~here)
    whole = _whole(sight, chain[at[on]])
    above = (q.shape[chain[at[on]]] == SUPER) & whole
    target[on], rule[on] = values.inside(sight, node[on], name[at[on]], above)
    target[on[sight.binders[name[at[on]]] & (target[on] == node[on])]] = r.EXTERNAL  # `f.bind(x)` calls no f
    held = values.dynamic(slots, value[on])
    rule[on] = np.where(held & np.isin(rule[on], (r.MEMBER, r.INHERITED)), r.TYPED, rule[on])
    given = sight.through[name[at[on]]] | sight.changers[name[at[on]]]
    given = np.where(instance[on], given, sight.makers[name[at[on]]]) & (node[on] < where.symbols)
    target[on[given & (target[on] == r.OPAQUE)]] = r.EXTERNAL  # a member of what stands for it, or derived
    on = np.flatnonzero(~abroad & here & ~instance)
    target[on], rule[on] = node[on], r.HELD
    target[(~abroad & here & instance) | ((target >= 0) & here & (target >= where.symbols))] = r.OPAQUE
    target = names.twins(sight, target, want[at])
    loose = np.array([family in LOOSE for family in where.families], np.bool_)[file]
    loose &= (q.shape[chain] == NAMED) & sight.capital[name] & sight.defined[name] & ~sight.defined[q.root[chain]]
    target[loose[at] & (target == r.EXTERNAL)] = r.OPAQUE  # nothing says that its namespace is not of this repository
    return _answered(at, target, rule, sure, len(rows))


def _answered(
    at: Rows, target: Rows, rule: NDArray[np.uint8], sure: NDArray[np.float32], count: int
) -> tuple[Answers, Further]:
    """One answer a reference out of (reference, target) pairs; the other targets of those that have several."""
    answers = names.nothing(count)
    for mark, means in ((r.OPAQUE, r.UNRESOLVED), (r.EXTERNAL, r.OUTSIDE)):
        answers.rule[at[target == mark]] = means
    inner = np.flatnonzero(target >= 0)
    order = inner[np.lexsort((target[inner], at[inner]))]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (at[order[1:]] != at[order[:-1]]) | (target[order[1:]] != target[order[:-1]])
    order = order[fresh]
    size = np.bincount(at[order], minlength=count)
    start = np.cumsum(size) - size
    confidence = np.minimum(CONFIDENCE[rule[order]], sure[order])
    confidence = np.where(size[at[order]] > 1, confidence * np.float32(SEVERAL), confidence).astype(np.float32)
    lead = start[size > 0]
    some = np.flatnonzero(size)
    answers.target[some], answers.rule[some] = target[order[lead]], rule[order[lead]]
    answers.confidence[some] = confidence[lead]
    several = np.flatnonzero(size > 1)
    answers.start[several], answers.size[several] = start[several], size[several]
    others = np.ones(len(order), np.bool_)
    others[lead] = False
    rest = order[others]
    further = Further(at[rest], target[rest], rule[rest].astype(np.uint8), confidence[others])
    return answers._replace(candidates=target[order]), further


def _held(sight: Sight, slots: Slots, answers: Answers, role: keys.Array) -> Further:
    """The functions and classes that a called variable holds."""
    where = sight.where
    at = np.flatnonzero((role == _CALL) & (answers.target >= 0) & (answers.target < where.symbols))
    at = at[~where.callable[answers.target[at]] & ~where.type[answers.target[at]]]
    pairs = values.read(slots, answers.target[at])
    node, instance, deep = values.split(slots, pairs.value)
    plain = np.flatnonzero(~instance & ~deep & (node < where.symbols))
    plain = plain[where.callable[node[plain]] | where.type[node[plain]]]
    row, target = at[pairs.row[plain]], node[plain]
    size = np.bincount(row, minlength=1)
    confidence = np.where(size[row] > 1, CONFIDENCE[r.HELD] * np.float32(SEVERAL), CONFIDENCE[r.HELD])
    return Further(row, target, np.full(len(row), r.HELD, np.uint8), confidence.astype(np.float32))


def _and(one: Further, other: Further) -> Further:
    return Further(
        np.concatenate([one.reference, other.reference]),
        np.concatenate([one.target, other.target]),
        np.concatenate([one.rule, other.rule]),
        np.concatenate([one.confidence, other.confidence]),
    )
