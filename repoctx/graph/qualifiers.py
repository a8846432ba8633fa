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
_PADDING = [-1] * (MOST_PARTS - 1)


class Qualifiers(NamedTuple):
    """The distinct qualifiers of each family; Q of them."""

    number: Rows  # one a reference: its qualifier
    shape: Rows  # Q
    parts: Rows  # (Q, MOST_PARTS) names, without a leading self; -1 beyond the last
    called: NDArray[np.bool_]  # (Q, MOST_PARTS) is the part a call?


def qualifiers(o: Occurrences, where: Layout, names: Names) -> Qualifiers:
    """Take apart every distinct qualifier of every family once."""
    families = dict(zip(where.family.tolist(), where.families, strict=True))
    width = max(len(o.names), 1)
    present = np.flatnonzero(np.bincount(where.family[o.reference_file], minlength=1))
    key = np.searchsorted(present, where.family[o.reference_file]) * width + o.reference_qualifier
    used = np.zeros(len(present) * width, np.bool_)
    used[key] = True
    rows = np.flatnonzero(used)
    number = np.zeros(len(used), np.int32)
    number[rows] = np.arange(len(rows))
    shapes, parts, called = [], [], []
    for place in rows.tolist():
        family, name = families[int(present[place // width])], place % width
        shape, words = _take_apart(o.names[name], family)
        shapes.append(shape)
        if words is None:
            parts += [name, *_PADDING]  # bound as a whole, see paths
        else:
            parts += [names.number(word) for word, _ in words]
            parts += _PADDING[len(words) - 1 :] if words else [-1, *_PADDING]
        called += [bool(call) for _, call in words or ()]
        called += [False] * (len(parts) - len(called))
    columns = np.array(parts, np.int64).reshape(-1, MOST_PARTS)
    return Qualifiers(
        number[key].astype(np.int64),
        np.array(shapes, np.int64),
        columns,
        np.array(called, np.bool_).reshape(-1, MOST_PARTS),
    )


def _take_apart(text: str, family: str) -> tuple[int, list[tuple[str, str]] | None]:
    """The shape of a qualifier, and its parts after a leading self; None: the whole is bound as one name."""
    own = _FAMILY_SHAPES.get(family, _SHAPES)
    if text.isidentifier():
        shape = own.get(text, _SHAPES.get(text, NAMED))
        return shape, [(text, "")] if shape == NAMED else []
    if family == "rust" and ROOTED.match(text):
        return NAMED, None
    first, *others = _SEPARATOR.split(text.removeprefix("new "))
    shape = own.get(first, _SHAPES.get(first, NAMED))
    if shape == NAMED:
        others.insert(0, first)
    words = [_WORD.fullmatch(word) for word in others]
    if len(words) > MOST_PARTS or None in words:
        return UNKNOWN, []
    return shape, [(word[1], word[2]) for word in words if word is not None]
