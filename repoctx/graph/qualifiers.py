"""What stands before a name? Qualifiers, each taken apart once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph.paths import ROOTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.bindings import Names
    from repoctx.graph.keys import Rows
    from repoctx.graph.layout import Layout
    from repoctx.types import Occurrences

BARE, SELF, SUPER, NAMED, UNKNOWN, LITERAL = range(6)  # shapes of qualifiers
_SHAPES: Mapping[str, int] = {
    "": BARE,
    "self": SELF,
    "this": SELF,
    "Self": SELF,
    "super": SUPER,
    "super()": SUPER,
    '""': LITERAL,
}
_FAMILY_SHAPES: Mapping[str, Mapping[str, int]] = {
    "python": {"cls": SELF, "this": NAMED},
    "php": {"$this": SELF, "static": SELF, "parent": SUPER},
    "csharp": {"base": SUPER},
}
_SEPARATOR = re.compile(r"[?!]?\.|->|::|\\|:")
_WORD = re.compile(r"(\$?[\w@]+)(\(\))?")
# Names of a qualifier that are followed; a longer one is an unknown receiver.
MOST_PARTS = 4


class Qualifiers(NamedTuple):
    """The distinct qualifiers of each family; Q of them."""

    number: Rows  # one a reference: its qualifier
    shape: Rows  # Q
    parts: Rows  # (Q, MOST_PARTS) names, without a leading self; -1 beyond the last
    called: NDArray[np.bool_]  # (Q, MOST_PARTS) is the part a call?


def qualifiers(o: Occurrences, where: Layout, names: Names) -> Qualifiers:
    """Take apart every distinct qualifier once."""
    families = sorted(set(where.families))
    key = where.family[o.reference_file] * max(len(o.names), 1) + o.reference_qualifier
    used = np.zeros(max(len(families) * len(o.names), 1), np.bool_)
    used[key] = True
    rows = np.flatnonzero(used)
    number = np.zeros(len(used), np.int64)
    number[rows] = np.arange(len(rows))
    shape = np.full(len(rows), NAMED, np.int64)
    parts = np.full((len(rows), MOST_PARTS), -1, np.int64)
    called = np.zeros((len(rows), MOST_PARTS), np.bool_)
    for row, place in enumerate(rows.tolist()):
        family, name = divmod(place, max(len(o.names), 1))
        text = o.names[name]
        if families[family] == "rust" and ROOTED.match(text):
            parts[row, 0] = name  # bound as a whole, see paths
            continue
        own = _FAMILY_SHAPES.get(families[family], _SHAPES)
        first, *others = _SEPARATOR.split(text.removeprefix("new ")) if not text.isidentifier() else (text,)
        shape[row] = own.get(first, _SHAPES.get(first, NAMED))
        words = [_WORD.fullmatch(word) for word in (others if shape[row] != NAMED else [first, *others])]
        if len(words) > MOST_PARTS or None in words:
            shape[row] = UNKNOWN
            continue
        for column, word in enumerate(words):
            if word is not None:
                parts[row, column], called[row, column] = names.number(word[1]), bool(word[2])
    return Qualifiers(number[key], shape, parts, called)
