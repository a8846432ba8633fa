"""Which methods of its bases does a method replace?

A method overrides the methods of its name in the nearest bases that have one: those that are not already
replaced by another base in between. Constructors do not override, nor do names that a language hides in their
class. A base that is not in the repository overrides nothing and hides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from repoctx.graph import drafts, keys
from repoctx.graph.ancestry import MOST_ANCESTORS
from repoctx.graph.drafts import Drafts
from repoctx.graph.namesakes import MOST_CANDIDATES
from repoctx.graph.rules import OVERRIDES, RULES
from repoctx.types import EDGE_KINDS, KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.ancestry import Ancestry
    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.types import Occurrences

# Kinds of symbols that are found by name on an object, so that a subclass replaces them.
VIRTUAL = frozenset({"method", "function", "property"})
# Methods that construct, by name where the language has no kind for them.
CONSTRUCTORS = frozenset({"__init__", "__new__", "initialize", "__construct"})
# One of several definitions of the same name in the same base (overloads, a getter and its setter).
SEVERAL = 0.6

_KIND = EDGE_KINDS.index("overrides")
_VIRTUAL = np.array([kind in VIRTUAL for kind in KINDS], np.bool_)


def overrides(o: Occurrences, where: Layout, family: Ancestry, inherits: Drafts) -> Drafts:
    """The overriding methods of a snapshot. `inherits` are its edges of that kind, for their confidence.

    Of n definitions of a name in a class and n in its base each replaces the one at its place; otherwise
    the first is the target, and all of them are candidates.
    """
    methods = _methods(o, where)
    if not len(methods) or not len(family.rows):
        return drafts.none(_KIND)
    width = np.int64(len(o.names))
    name = o.symbol_name.astype(np.int64)
    order = methods[np.argsort(where.owner[methods] * width + name[methods], kind="stable")]
    members = where.owner[order] * width + name[order]
    at, place = keys.explode(family.start[where.owner[order]], np.diff(family.start)[where.owner[order]])
    base = family.rows[place]
    first = np.searchsorted(members, base * width + name[order[at]])
    found = keys.contains(members, base * width + name[order[at]])
    at, base, first = at[found], base[found], first[found]
    nearest = _nearest(family, at, where.owner[order[at]], place[found])
    at, base, first = at[nearest], base[nearest], first[nearest]
    count = np.searchsorted(members, base * width + name[order[at]], "right") - first
    own = np.searchsorted(members, members[at])
    paired = np.searchsorted(members, members[at], "right") - own == count
    target = order[first + np.where(paired, at - own, 0)]
    sure = _sureness(family, inherits, where.owner[order[at]], base)
    known = sure > 0
    source, target, first, count, sure = order[at][known], target[known], first[known], count[known], sure[known]
    several = count > 1
    size = np.where(several, np.minimum(count, MOST_CANDIDATES), 0)
    confidence = RULES[OVERRIDES].confidence * sure * np.where(several, SEVERAL, 1.0)
    return Drafts(
        np.full(len(source), _KIND, np.uint8),
        o.symbol_file[source],
        o.symbol_name_line[source],
        o.symbol_name_column[source],
        source,
        target,
        confidence.astype(np.float32),
        np.full(len(source), OVERRIDES, np.uint8),
        np.cumsum(size) - size,
        size,
        order[keys.explode(first, size)[1]],
    )


def _methods(o: Occurrences, where: Layout) -> Rows:
    """Symbols of types that a subclass can replace and that a base can have."""
    rows = np.flatnonzero(_VIRTUAL[o.symbol_kind] & (where.owner >= 0))
    rows = rows[where.type[where.owner[rows]]]
    hidden = [i for i in np.unique(o.symbol_name[rows]).tolist() if _hidden(o.names[i])]
    return rows[~np.isin(o.symbol_name[rows], hidden)]


def _hidden(name: str) -> bool:
    """Constructors, and Python's names that are private to their class."""
    return name in CONSTRUCTORS or (name.startswith("__") and not name.endswith("__")) or name.startswith("#")


def _nearest(family: Ancestry, method: Rows, child: Rows, place: Rows) -> Mask:
    """Which (method, base) pairs have no other base of the same method between them?

    `place` says where a pair's base stands in `family.rows`, among the ancestors of the class `child`: those are bits
    of a number. What is above a base that is passed over is above the one for which it is.
    """
    symbols = np.int64(len(family.start) - 1)
    pairs = np.repeat(np.arange(symbols), np.diff(family.start)) * symbols + family.rows
    order = np.argsort(pairs, kind="stable")
    known, bit = pairs[order], place - family.start[child]
    beyond = np.zeros(int(method.max(initial=-1)) + 1, np.int64)
    for number in range(int(bit.max(initial=-1)) + 1):
        at = np.flatnonzero(bit == number)
        at = at[beyond[method[at]] >> number & 1 == 0]
        first, inverse = keys.distinct(place[at])
        base, below = family.rows[place[at[first]]], child[at[first]]
        row, up = keys.explode(family.start[base], np.diff(family.start)[base])
        wanted = below[row] * symbols + family.rows[up]
        here = keys.contains(known, wanted)
        row, wanted = row[here], wanted[here]
        above = np.zeros(len(first), np.int64)
        found = order[np.searchsorted(known, wanted)] - family.start[below[row]]
        np.bitwise_or.at(above, row, np.int64(1) << found)
        beyond[method[at]] |= above[inverse]
    near: Mask = beyond[method] >> bit & 1 == 0
    return near


def _sureness(family: Ancestry, inherits: Drafts, child: Rows, base: Rows) -> NDArray[np.float64]:
    """How surely is each base one of the class? The product of the edges on the first way there."""
    direct: dict[int, dict[int, float]] = {}
    sources, targets = inherits.source.tolist(), inherits.target.tolist()
    for one, other, confidence in zip(sources, targets, inherits.confidence.tolist(), strict=True):
        above = direct.setdefault(one, {})
        if other >= 0 and (other in above or len(above) < MOST_ANCESTORS):
            above[other] = max(above.get(other, 0.0), confidence)
    wanted: dict[int, set[int]] = {}
    for one, other in zip(child.tolist(), base.tolist(), strict=True):
        wanted.setdefault(one, set()).add(other)
    known: dict[int, dict[int, float]] = {}
    for one, bases in wanted.items():
        best = known[one] = {one: 1.0}
        for at in (one, *family.rows[family.start[one] : family.start[one + 1]].tolist()):
            for other, confidence in direct.get(at, {}).items():
                best[other] = max(best.get(other, 0.0), best.get(at, 0.0) * confidence)
            if bases <= best.keys():
                break
    pairs = [known[one].get(other, 0.0) for one, other in zip(child.tolist(), base.tolist(), strict=True)]
    return np.array(pairs, np.float64)


def constructed(o: Occurrences, owner: Array) -> tuple[Rows, Rows]:
    """The classes that have a constructor of their own, and their constructors."""
    named = [i for i, name in enumerate(o.names) if name in CONSTRUCTORS]
    rows = np.flatnonzero((o.symbol_kind == KINDS.index("constructor")) | np.isin(o.symbol_name, named))
    rows = rows[owner[rows] >= 0]
    return owner[rows].astype(np.int64), rows
