"""Which definition does each reference mean? Links by name, import and distance.

The rules stand in `rules.RULES`, each with its confidence. What comes from outside of the repository
or is not visible stays unresolved: it is never replaced by a namesake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import declarations, drafts, imports, keys, overrides, paths, references, tests, values
from repoctx.graph.ancestry import Ancestry, ancestry
from repoctx.graph.bindings import Names
from repoctx.graph.chains import chains
from repoctx.graph.drafts import Drafts
from repoctx.graph.layout import Layout, layout
from repoctx.graph.names import CONFIDENCE, look, related
from repoctx.graph.namesakes import MOST_CANDIDATES
from repoctx.graph.rules import CONTAINS, OUTSIDE, REEXPORT, RULES, UNRESOLVED, Rule
from repoctx.types import EDGE_KINDS, ROLES, Edges

if TYPE_CHECKING:
    from repoctx.graph.imports import Imports
    from repoctx.graph.keys import Rows
    from repoctx.graph.names import Answers
    from repoctx.graph.references import Further
    from repoctx.types import Occurrences

__all__ = ["RULES", "Rule", "link"]

_KIND = {kind: code for code, kind in enumerate(EDGE_KINDS)}
_ROLE = {role: code for code, role in enumerate(ROLES)}
_KIND_OF_ROLE = np.array(
    [_KIND[{"call": "calls", "inherit": "inherits"}.get(role, "references")] for role in ROLES], np.uint8
)
# Without a target these still say something: a call that leaves the repository, an unknown base.
_TELLING = np.array([role in ("call", "inherit") for role in ROLES], np.bool_)


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
    taken = chains(o, where, names)
    found = imports.resolve(o, where, names)
    sight = look(o, where, names, found, taken)
    inherit = np.flatnonzero(o.reference_role == _ROLE["inherit"])
    slots = values.empty(where, o)
    bases = references.resolve(sight, slots, o, inherit).answers
    sight = related(sight, _ancestry(o, where, inherit, bases))
    slots = values.fill(sight, o, slots)
    others = np.flatnonzero((o.reference_role != _ROLE["inherit"]) & (o.reference_role != _ROLE["import"]))
    meant = references.resolve(sight, slots, o, others)
    answers = declarations.defined(o, where, meant.answers)
    resolved = drafts.join(
        [
            _containment(o, where),
            _imported(occurrences, where, found),
            _referred(o, where, inherit, bases),
            _referred(o, where, others, answers),
            _further(o, where, others, answers, meant.further),
        ]
    )
    inherits = drafts.take(resolved, resolved.kind == _KIND["inherits"])
    followed = [overrides.overrides(o, where, sight.ancestry, inherits), tests.exercised(o, where, resolved)]
    return _edges(drafts.join([resolved, *followed]))


def _further(o: Occurrences, where: Layout, rows: Rows, answers: Answers, more: Further) -> Drafts:
    """The edges of references that mean several things, after their first."""
    at = more.reference
    others = answers._replace(
        target=more.target, rule=more.rule, confidence=more.confidence, start=answers.start[at], size=answers.size[at]
    )
    return _referred(o, where, rows[at], others)


def _ancestry(o: Occurrences, where: Layout, rows: Rows, bases: Answers) -> Ancestry:
    child = o.reference_scope[rows].astype(np.int64)
    known = child >= 0
    base = np.where(bases.target < where.symbols, bases.target, -1)
    return ancestry(where.symbols, child[known], base[known])


def _containment(o: Occurrences, where: Layout) -> Drafts:
    count = where.symbols
    source = np.where(o.symbol_parent >= 0, o.symbol_parent, count + o.symbol_file)
    return drafts.plain(
        _KIND["contains"],
        o.symbol_file,
        o.symbol_name_line,
        o.symbol_name_column,
        source,
        np.arange(count),
        np.ones(count, np.float32),
        np.full(count, CONTAINS, np.uint8),
    )


def _package_files(where: Layout) -> _Packages:
    """The files of each package, those that are no tests first."""
    order = np.lexsort((np.arange(where.files), where.test, where.package))
    package = where.package[order] - where.symbols - where.files
    total = np.bincount(package, minlength=where.nodes - where.symbols - where.files)
    return _Packages(where.symbols + order, np.cumsum(total) - total, np.minimum(total, MOST_CANDIDATES))


def _imported(o: Occurrences, where: Layout, found: Imports) -> Drafts:
    """File to symbol for each imported name, file to file for each import, nothing where it leads out."""
    packages = _package_files(where)
    file = o.import_file.astype(np.int64)
    target, place = found.target[: len(file)], found.place[: len(file)]
    # the name may be a module itself; one that the module took from elsewhere says nothing about the file it is in
    module = np.where((target >= where.symbols) & (found.rule[: len(file)] != REEXPORT), target, place)
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
    rows = drafts.plain(
        _KIND["imports"],
        file[at],
        o.import_line[at],
        o.import_column[at],
        where.symbols + file[at],
        node,
        CONFIDENCE[rule],
        rule.astype(np.uint8),
    )
    rival = (count == 0) & (node >= 0)
    start = np.where(rival, len(packages.files) + found.rival_start[at], start)
    size = np.where(rival, found.rival_size[at], np.where(count > 1, count, 0))
    candidates = np.concatenate([packages.files, _rivals(where, found, packages)])
    return rows._replace(start=start, size=size, candidates=candidates)


def _rivals(where: Layout, found: Imports, packages: _Packages) -> Rows:
    """The modules that imports may mean as well: files, for a package its first."""
    number = found.rivals - where.symbols - where.files
    rivals = found.rivals.copy()
    rivals[number >= 0] = packages.files[packages.start[number[number >= 0]]]
    return rivals


def _referred(o: Occurrences, where: Layout, rows: Rows, answers: Answers) -> Drafts:
    role = o.reference_role[rows]
    resolved = (answers.target >= 0) & (answers.target < where.symbols + where.files)
    keep = np.flatnonzero(resolved | _TELLING[role])
    rows = rows[keep]
    scope, file = o.reference_scope[rows], o.reference_file[rows]
    return Drafts(
        _KIND_OF_ROLE[role[keep]],
        file,
        o.reference_line[rows],
        o.reference_column[rows],
        np.where(scope >= 0, scope, where.symbols + file),
        np.where(resolved, answers.target, -1)[keep],
        np.where(resolved, answers.confidence, 0)[keep],
        np.where(resolved | (answers.rule == OUTSIDE), answers.rule, UNRESOLVED)[keep],
        answers.start[keep],
        answers.size[keep],
        answers.candidates,
    )


def _edges(found: Drafts) -> Edges:
    order = np.argsort(keys.combine(found.file, found.line, found.column, found.kind), kind="stable")
    kind, file, line, column, source, target, confidence, rule, start, count = (c[order] for c in found[:-1])
    candidates = found.candidates[keys.explode(start, count)[1]]
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
