"""Which definition does each reference mean? Links by name, import and distance.

The rules stand in `rules.RULES`, each with its confidence. What comes from outside of the repository
or is not visible stays unresolved: it is never replaced by a namesake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import declarations, imports, keys, namesakes, paths, references
from repoctx.graph.ancestry import Ancestry, ancestry
from repoctx.graph.bindings import Names
from repoctx.graph.layout import Layout, layout
from repoctx.graph.namesakes import MOST_CANDIDATES
from repoctx.graph.qualifiers import qualifiers
from repoctx.graph.rules import CONTAINS, OUTSIDE, RULES, UNRESOLVED, Rule
from repoctx.types import EDGE_KINDS, ROLES, Edges

if TYPE_CHECKING:
    from repoctx.graph.imports import Imports
    from repoctx.graph.keys import Array, Rows
    from repoctx.graph.references import Answers
    from repoctx.types import Occurrences

__all__ = ["RULES", "Rule", "link"]

_KIND = {kind: code for code, kind in enumerate(EDGE_KINDS)}
_ROLE = {role: code for code, role in enumerate(ROLES)}
_KIND_OF_ROLE = np.array(
    [_KIND[{"call": "calls", "inherit": "inherits"}.get(role, "references")] for role in ROLES], np.uint8
)
# Without a target these still say something: a call that leaves the repository, an unknown base.
_TELLING = np.array([role in ("call", "inherit") for role in ROLES], np.bool_)


class _Rows(NamedTuple):
    """Edges before they are sorted: columns of equal length, candidates as ranges of a pool."""

    kind: Array
    file: Array
    line: Array
    column: Array
    source: Array
    target: Array
    confidence: Array
    rule: Array
    start: Array
    size: Array


class _Packages(NamedTuple):
    """The files of each package; K packages."""

    files: Rows  # nodes, package after package
    start: Rows  # K, offsets into files
    size: Rows  # K, at most MOST_CANDIDATES


def link(occurrences: Occurrences, styles: Mapping[str, str]) -> Edges:
    """Link a snapshot. `styles` maps a language to its import style ("" or absent: it has no imports).

    Edges for all containment, all imports, resolved references of every role, and unresolved calls
    and bases. The answer depends on the occurrences alone. Never raises for bad content.
    """
    where = layout(occurrences, styles)
    o = paths.expand(occurrences, where)
    names = Names(o)
    parts = qualifiers(o, where, names)
    found = imports.resolve(o, where, names)
    nested = np.flatnonzero(~where.top)
    name = o.symbol_name.astype(np.int64)
    sight = references.Sight(
        where,
        found,
        ancestry(where.symbols, name[:0], name[:0]),
        parts,
        name,
        np.flatnonzero(where.owner >= 0),
        namesakes.group(where, np.flatnonzero(where.top), name, names.count),
        namesakes.group(where, nested, name, names.count),
    )
    inherit = np.flatnonzero(o.reference_role == _ROLE["inherit"])
    bases = references.resolve(sight, o, inherit)
    sight = references.with_ancestry(sight, _ancestry(o, where, inherit, bases))
    others = np.flatnonzero((o.reference_role != _ROLE["inherit"]) & (o.reference_role != _ROLE["import"]))
    answers = references.resolve(sight, o, others)
    packages = _package_files(where)
    pool = np.concatenate([bases.candidates, answers.candidates, packages.files])
    shift = len(bases.candidates)
    return _edges(
        [
            _containment(o, where),
            _imported(occurrences, where, found, packages, shift + len(answers.candidates)),
            _referred(o, where, inherit, bases, 0),
            _referred(o, where, others, declarations.defined(o, where, answers), shift),
        ],
        pool,
    )


def _ancestry(o: Occurrences, where: Layout, rows: Rows, bases: Answers) -> Ancestry:
    child = o.reference_scope[rows].astype(np.int64)
    known = child >= 0
    base = np.where(bases.target < where.symbols, bases.target, -1)
    return ancestry(where.symbols, child[known], base[known])


def _containment(o: Occurrences, where: Layout) -> _Rows:
    count = where.symbols
    source = np.where(o.symbol_parent >= 0, o.symbol_parent, count + o.symbol_file)
    return _plain(
        _KIND["contains"],
        o.symbol_file,
        o.symbol_name_line,
        o.symbol_name_column,
        source,
        np.arange(count),
        CONTAINS,
    )


def _plain(
    kind: int, file: Array, line: Array, column: Array, source: Array, target: Array, rule: Array | int
) -> _Rows:
    rules = np.broadcast_to(np.asarray(rule, np.uint8), len(file))
    nothing = np.zeros(len(file), np.int64)
    kinds = np.full(len(file), kind, np.uint8)
    return _Rows(kinds, file, line, column, source, target, references.CONFIDENCE[rules], rules, nothing, nothing)


def _package_files(where: Layout) -> _Packages:
    """The files of each package, those that are no tests first."""
    order = np.lexsort((np.arange(where.files), where.test, where.package))
    package = where.package[order] - where.symbols - where.files
    total = np.bincount(package, minlength=where.nodes - where.symbols - where.files)
    return _Packages(where.symbols + order, np.cumsum(total) - total, np.minimum(total, MOST_CANDIDATES))


def _imported(o: Occurrences, where: Layout, found: Imports, packages: _Packages, shift: int) -> _Rows:
    """File to symbol for each imported name, file to file for each import, nothing where it leads out."""
    file = o.import_file.astype(np.int64)
    target, place = found.target[: len(file)], found.place[: len(file)]
    module = np.where(target >= where.symbols, target, place)  # the name may be a module itself
    abroad = module != where.symbols + file
    symbols = np.flatnonzero((target >= 0) & (target < where.symbols) & abroad)
    inside = np.flatnonzero((module >= 0) & abroad)
    inside = inside[keys.distinct(file[inside], o.import_line[inside], module[inside])[0]]
    outside = np.flatnonzero(module < 0)
    at = np.concatenate([symbols, inside, outside])
    node = np.concatenate([target[symbols], module[inside], np.full(len(outside), -1)])
    rule = np.where(node < 0, OUTSIDE, found.rule[at])
    number = np.maximum(node - where.symbols - where.files, -1)  # of a package: its files are the candidates
    count = np.where(number >= 0, packages.size[number], 0)
    start = np.where(number >= 0, packages.start[number], 0)
    node = np.where(count > 0, packages.files[np.where(count > 0, start, 0)], node) if where.files else node
    keep = np.flatnonzero((number < 0) | (count > 0))
    at, rule, node, start, count = at[keep], rule[keep], node[keep], start[keep], count[keep]
    rows = _plain(
        _KIND["imports"],
        file[at],
        o.import_line[at],
        o.import_column[at],
        where.symbols + file[at],
        node,
        rule,
    )
    return rows._replace(start=start + shift, size=np.where(count > 1, count, 0))


def _referred(o: Occurrences, where: Layout, rows: Rows, answers: Answers, shift: int) -> _Rows:
    role = o.reference_role[rows]
    resolved = (answers.target >= 0) & (answers.target < where.symbols + where.files)
    keep = np.flatnonzero(resolved | _TELLING[role])
    rows = rows[keep]
    scope, file = o.reference_scope[rows], o.reference_file[rows]
    return _Rows(
        _KIND_OF_ROLE[role[keep]],
        file,
        o.reference_line[rows],
        o.reference_column[rows],
        np.where(scope >= 0, scope, where.symbols + file),
        np.where(resolved, answers.target, -1)[keep],
        np.where(resolved, answers.confidence, 0)[keep],
        np.where(resolved | (answers.rule == OUTSIDE), answers.rule, UNRESOLVED)[keep],
        answers.start[keep] + shift,
        answers.size[keep],
    )


def _edges(parts: list[_Rows], pool: Rows) -> Edges:
    columns = _Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    order = np.argsort(keys.combine(columns.file, columns.line, columns.column, columns.kind), kind="stable")
    kind, file, line, column, source, target, confidence, rule, start, count = (c[order] for c in columns)
    candidates = pool[keys.explode(start, count)[1]]
    return Edges(
        kind.astype(np.uint8),
        file.astype(np.int32),
        line.astype(np.int32),
        column.astype(np.int32),
        source.astype(np.int32),
        target.astype(np.int32),
        confidence.astype(np.float32),
        rule.astype(np.uint8),
        np.concatenate([[0], np.cumsum(count)]).astype(np.int32),
        candidates.astype(np.int32),
    )
