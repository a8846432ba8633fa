"""What does each reference mean? The rules in order, over columns of references."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import keys, namesakes
from repoctx.graph import rules as r
from repoctx.graph.ancestry import Ancestry, members
from repoctx.graph.qualifiers import BARE, LITERAL, MOST_PARTS, NAMED, SELF, SUPER, Qualifiers
from repoctx.types import ROLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.imports import Imports
    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.graph.namesakes import Group, Ranking
    from repoctx.types import Occurrences

# Scopes around a reference that are searched for a bare name.
MOST_SCOPES = 6
# Confidence of a rule that found other definitions further away, relative to an only one: measured as
# 0.26 to 0.46 of 0.82 to 0.98 for methods on flask and requests, 0.91 of 0.94 on zod.
SEVERAL = 0.6

CONFIDENCE = np.array([rule.confidence for rule in r.RULES], np.float32)
ANYTHING, CALLS, TYPES, HOLDERS = range(4)  # what a reference, or the root of a qualifier, can mean
_WANTED = np.array([{"call": CALLS, "type": TYPES, "inherit": TYPES}.get(role, ANYTHING) for role in ROLES], np.int64)
_INHERIT = ROLES.index("inherit")


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """All that references are resolved against."""

    where: Layout
    imports: Imports
    ancestry: Ancestry
    qualifiers: Qualifiers
    names: Rows  # S, name of each symbol
    nested: Rows  # symbols that are members of another
    tops: Group
    members: Group


class Answers(NamedTuple):
    """What R references mean."""

    target: Rows  # node or -1
    rule: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    start: Rows  # offsets into candidates
    size: Rows
    candidates: Rows


def with_ancestry(sight: Sight, known: Ancestry) -> Sight:
    """The same sight, with the bases of classes known."""
    return replace(sight, ancestry=known)


def resolve(sight: Sight, o: Occurrences, rows: Rows) -> Answers:
    """What some references mean; `rows` of the occurrences."""
    where, q = sight.where, sight.qualifiers
    file, name, scope = (c[rows].astype(np.int64) for c in (o.reference_file, o.reference_name, o.reference_scope))
    number, role = q.number[rows], o.reference_role[rows]
    shape, whole = q.shape[number], q.parts[number, 0] < 0
    answers = _nothing(len(rows))
    bare = np.flatnonzero((shape == BARE) & (scope >= 0))
    around = np.where(role[bare] == _INHERIT, where.owner[scope[bare]], scope[bare])  # a class is no base of itself
    answers = _fill(answers, bare, _enclosing(sight, file[bare], name[bare], around))
    own = np.flatnonzero(((shape == SELF) | (shape == SUPER)) & whole & (scope >= 0))
    answers = _fill(answers, own, _own(sight, where.holder[scope[own]], name[own], shape[own] == SUPER))
    open_rows = np.flatnonzero(answers.rule == 0)
    want = _WANTED[role]
    holder = np.full(len(rows), -1)
    inside = np.flatnonzero((shape == SELF) & ~whole & (scope >= 0))
    holder[inside] = where.holder[scope[inside]]
    first, inverse = keys.distinct(*(c[open_rows] for c in (file, holder + 1, number, name, want)))
    at = open_rows[first]
    found = _by_file(sight, file[at], holder[at], number[at], name[at], want[at])
    return _fill(answers, open_rows, _take(found, inverse))


def _nothing(count: int) -> Answers:
    return Answers(
        np.full(count, -1, np.int64), np.zeros(count, np.uint8), np.zeros(count, np.float32),
        np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(0, np.int64),
    )  # fmt: skip


def _take(answers: Answers, rows: Array) -> Answers:
    """The answers of some rows."""
    target, rule, confidence, start, size, candidates = answers
    return Answers(target[rows], rule[rows], confidence[rows], start[rows], size[rows], candidates)


def _fill(answers: Answers, rows: Rows, part: Answers) -> Answers:
    """Answers with those of some rows put in."""
    answers.target[rows], answers.rule[rows], answers.confidence[rows] = (
        part.target,
        part.rule,
        part.confidence,
    )
    answers.start[rows], answers.size[rows] = part.start + len(answers.candidates), part.size
    return answers._replace(candidates=np.concatenate([answers.candidates, part.candidates]))


def _certain(value: Rows, rule: Array) -> Answers:
    """Answers out of bindings: a node and its rule, a mark, or nothing yet (rule 0)."""
    rule = np.where(value == r.EXTERNAL, r.OUTSIDE, np.where(value == r.OPAQUE, r.UNRESOLVED, rule)).astype(np.uint8)
    rule[value == -1] = 0
    return _nothing(len(value))._replace(target=value.copy(), rule=rule, confidence=CONFIDENCE[rule])


def _enclosing(sight: Sight, file: Rows, name: Rows, scope: Rows) -> Answers:
    """Bare names: definitions nested in the scopes around, members of the class where they need no `self`."""
    where = sight.where
    value, rule = np.full(len(name), -1, np.int64), np.zeros(len(name), np.uint8)
    owner = where.owner[sight.nested]
    local = where.callable[owner] | where.space[owner] | where.implicit[where.file_of[sight.nested]]
    inner = np.zeros(sight.tops.width, np.bool_)
    inner[sight.names[sight.nested[local]]] = True
    at = np.flatnonzero((scope >= 0) & (inner[name] | where.type[scope]))
    scope = scope[at]
    for depth in range(MOST_SCOPES):
        implicit = where.implicit[file[at]] & where.type[scope]
        visible = ~where.type[scope] | implicit if depth else np.ones(len(at), np.bool_)
        found, by = keys.find(sight.imports.bindings, np.where(visible, scope, -1), name[at])
        by = np.where(where.type[scope] & bool(depth), r.SELF, r.SCOPE).astype(np.uint8)
        up = np.flatnonzero(implicit & (found == -1))
        above = np.ones(len(up), np.bool_)
        found[up], _, _ = members(sight.imports.bindings, sight.ancestry, scope[up], name[at[up]], above)
        by[up] = r.INHERITED
        value[at], rule[at] = found, by
        on = (found == -1) & (where.owner[scope] >= 0)
        at, scope = at[on], where.owner[scope[on]]
        if not len(at):
            break
    return _certain(value, rule)


def _own(sight: Sight, holder: Rows, name: Rows, above: Mask) -> Answers:
    """Members of the enclosing class or its bases. A member of a base that is not here stays unresolved."""
    value, _, inherited = members(sight.imports.bindings, sight.ancestry, holder, name, above)
    foreign = above | ((holder >= 0) & sight.ancestry.foreign[holder])
    value[(value == -1) & foreign] = r.OPAQUE
    return _certain(value, np.where(inherited, r.INHERITED, r.SELF))


def _visible(sight: Sight, file: Rows, name: Rows, want: Array) -> Answers:
    """Bare names out of any scope: of the file, imported, of the package, through wildcards, or namesakes."""
    where, imports = sight.where, sight.imports
    value, rule = np.full(len(name), -1, np.int64), np.zeros(len(name), np.uint8)
    package = np.where(where.shared[file], where.package[file], -1)
    for table in (imports.types, imports.bindings):
        for node in (where.symbols + file, package):
            at = np.flatnonzero((value == -1) & ((want == TYPES) | (table is imports.bindings)))
            value[at], rule[at] = keys.find(table, node[at], name[at])
    answers = _certain(_twins(sight, value, want), rule)
    at = np.flatnonzero(value == -1)
    seen = (imports.wild, imports.near)
    ranking = namesakes.rank(where, sight.tops, file[at], name[at], where.container, want[at] >= TYPES, seen)
    one = ranking.choices == 1
    wild = (ranking.place == 0) & (ranking.best >= 0)
    nearest = np.where(wild, r.WILDCARD, np.where(one, r.UNIQUE, r.NEAREST))
    hidden = (ranking.best < 0) | (where.closed[file[at]] & ~wild)
    return _fill(answers, at, _ranked(ranking, np.where(hidden, r.UNRESOLVED, nearest), wild & ~one))


def _twins(sight: Sight, value: Rows, want: Array) -> Rows:
    """Where a type is wanted, the type that has the name of a value beside it: TypeScript exports both as one."""
    where = sight.where
    at = np.flatnonzero((want >= TYPES) & (value >= 0) & (value < where.symbols))
    at = at[~where.container[value[at]]]
    row = value[at]
    holder = np.where(where.owner[row] >= 0, where.owner[row], where.symbols + where.file_of[row])
    twin, _ = keys.find(sight.imports.types, holder, sight.names[row])
    value = value.copy()
    value[at] = np.where(twin >= 0, twin, row)
    return value


def _ranked(ranking: Ranking, rule: Array, doubtful: Mask) -> Answers:
    """Answers out of candidates, which are mentioned where the target is not certain."""
    target = np.where(rule == r.UNRESOLVED, -1, ranking.best)
    mention = (target < 0) | ((ranking.size > 1) & ((rule != r.WILDCARD) | doubtful))
    confidence = CONFIDENCE[rule] * np.where(doubtful, np.float32(SEVERAL), np.float32(1))
    count = np.where(mention, ranking.size, 0)
    return Answers(target, rule.astype(np.uint8), confidence, ranking.start, count, ranking.candidates)


def _methods(sight: Sight, file: Rows, name: Rows, want: Array) -> Answers:
    """Members of receivers that nothing is known about: never a top-level name."""
    where, imports = sight.where, sight.imports
    seen = (imports.near, imports.near)
    ranking = namesakes.rank(where, sight.members, file, name, where.callable, want == CALLS, seen)
    one, near = ranking.choices == 1, ranking.place == 0
    rule = np.where(one & near, r.METHOD, np.where(ranking.size == 1, r.LONE_METHOD, r.METHODS))
    rule = np.where((ranking.best < 0) | (want == TYPES), r.UNRESOLVED, rule)
    return _ranked(ranking, rule, one & near & (ranking.size > 1))


def _by_file(sight: Sight, file: Rows, holder: Rows, number: Rows, name: Rows, want: Array) -> Answers:
    """References that depend on their file alone: bare names, and members of what a qualifier names."""
    q = sight.qualifiers
    answers = _nothing(len(name))
    bare = np.flatnonzero(q.shape[number] == BARE)
    answers = _fill(answers, bare, _visible(sight, file[bare], name[bare], want[bare]))
    answers.rule[q.shape[number] == LITERAL] = r.UNRESOLVED
    named = np.flatnonzero(q.parts[number, 0] >= 0)
    first, inverse = keys.distinct(file[named], holder[named] + 1, number[named])
    at = named[first]
    base, sure = _receivers(sight, file[at], holder[at], number[at])
    part = _members(sight, file[named], name[named], want[named], base[inverse], sure[inverse])
    answers = _fill(answers, named, part)
    rest = np.flatnonzero(answers.rule == 0)
    return _fill(answers, rest, _methods(sight, file[rest], name[rest], want[rest]))


def _receivers(sight: Sight, file: Rows, holder: Rows, number: Rows) -> tuple[Rows, NDArray[np.float32]]:
    """What qualifiers name, and how surely: a node, a mark, or -1 for a value of unknown type."""
    where, q = sight.where, sight.qualifiers
    parts, called = q.parts[number], q.called[number]
    node, sure = holder.copy(), np.ones(len(file), np.float32)
    rooted = np.flatnonzero(q.shape[number] == NAMED)
    root = _visible(sight, file[rooted], parts[rooted, 0], np.full(len(rooted), HOLDERS))
    node[rooted], sure[rooted] = root.target, root.confidence
    for column in range(MOST_PARTS):
        further = (parts[:, column] >= 0) & (node >= 0)
        on = np.flatnonzero(further if column else further & (q.shape[number] != NAMED))
        found = _members(sight, file[on], parts[on, column], np.full(len(on), HOLDERS), node[on], sure[on])
        node[on], sure[on] = found.target, found.confidence
        result = np.flatnonzero((node >= 0) & (node < where.symbols) & called[:, column])
        node[result[~where.type[node[result]]]] = -1
    return node, sure


def _members(sight: Sight, file: Rows, name: Rows, want: Array, base: Rows, sure: Array) -> Answers:
    """Names in files, packages, classes and namespaces. Rule 0 where the base is a value of unknown type."""
    where, imports = sight.where, sight.imports
    value, rule, _ = members(imports.bindings, sight.ancestry, base, name, np.zeros(len(base), np.bool_))
    value = np.where(base < -1, base, value)
    symbol = (base >= 0) & (base < where.symbols)
    rule = np.where(symbol, r.MEMBER, np.where(np.isin(rule, (r.FILE, r.PACKAGE)), r.IMPORT, rule))
    holds = ~symbol | where.container[np.where(symbol, base, 0)] if where.symbols else ~symbol
    lost = (value == -1) & (base >= 0) & holds
    answers = _certain(np.where(lost, r.OPAQUE, _twins(sight, value, want)), rule)
    answers.confidence[:] = np.minimum(answers.confidence, sure)
    space = np.flatnonzero(lost & symbol)
    space = space[where.space[base[space]]]
    answers = _fill(answers, space, _visible(sight, file[space], name[space], want[space]))
    through = np.flatnonzero(lost & ~symbol & (base < where.symbols + where.files))
    inner, by = keys.find(imports.loose, base[through], name[through])
    answers = _fill(answers, through, _certain(np.where(inner < 0, r.OPAQUE, inner), by))
    through = through[inner < 0]
    seen = _visible(sight, base[through] - where.symbols, name[through], want[through])
    wild = seen.rule == r.WILDCARD
    return _fill(answers, through[wild], _take(seen, wild))
