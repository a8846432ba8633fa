"""What stands before a name, or on the right of an assignment? Chains of names, each taken apart once.

A chain is a root and steps; `=` before it says that the chain itself is meant, not a member of it.
The root is a name, a local (`%N`), the object or class around (`self`), or nothing that can be followed.
Each step is a member; after the root and after each member there may be
calls `()` and elements `[]`, in the order in which they are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph.paths import ROOTED, beginning

if TYPE_CHECKING:
    from repoctx.graph.bindings import Names
    from repoctx.graph.keys import Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.types import Occurrences

# Kinds of roots. BARE: there is no chain; OWN: the class around, SELF: an instance of it.
BARE, SELF, OWN, SUPER, NAMED, LOCAL, UNKNOWN, LITERAL = range(8)
CALL, ELEMENT = 1, 2
OPERATIONS = {"()": CALL, "[]": ELEMENT, "{}": CALL}  # `Point{}` constructs
_SHAPES: Mapping[str, int] = {"self": SELF, "this": SELF, "Self": OWN, "super": SUPER}
_FAMILY_SHAPES: Mapping[str, Mapping[str, int]] = {
    "python": {"cls": OWN, "this": NAMED, "Self": SELF},
    "php": {"$this": SELF, "self": OWN, "static": OWN, "parent": SUPER},
    "csharp": {"base": SUPER},
}
_SEPARATOR = re.compile(r"[?!]?\.|->|::|\\|:")
_WORD = re.compile(r"(\$?[\w@#]+)((?:\(\)|\[\]|\{\})*)")
_LOCAL = re.compile(r"%(\d*)((?:\(\)|\[\]|\{\})*)")
# Members of a chain that are followed; a longer one is unknown.
MOST_PARTS = 8
# Calls and elements after one name; a name with more is unknown.
MOST_OPERATIONS = 3


class Chains(NamedTuple):
    """The distinct chains of each family, Q of them, and their distinct steps, T of them."""

    reference: Rows  # R, the chain before each reference
    flow: Rows  # W, the value of each flow
    shape: Rows  # Q
    root: Rows  # Q, number of the name or of the local in its file; -1
    here: Mask  # Q, is the chain itself meant?
    steps: Rows  # Q, index into parts and operations
    parts: Rows  # (T, MOST_PARTS) names, -1 beyond the last
    operations: Rows  # (T, MOST_PARTS + 1, MOST_OPERATIONS) after the root and after each part; 0 none


class _Taken(NamedTuple):
    shape: int
    root: int
    parts: tuple[int, ...]
    operations: tuple[int, ...]


_NOTHING = (0,) * MOST_OPERATIONS


def chains(o: Occurrences, where: Layout, names: Names) -> Chains:
    """Take apart every distinct qualifier and value of every family once."""
    families = dict(zip(where.family.tolist(), where.families, strict=True))
    written = np.concatenate([o.reference_qualifier, o.flow_value]).astype(np.int64)
    family = where.family[np.concatenate([o.reference_file, o.flow_file])]
    width = max(len(o.names), 1)
    key = family * width + written
    used = np.zeros((int(family.max(initial=0)) + 1) * width, np.bool_)
    used[key] = True
    rows = np.flatnonzero(used)
    number = np.zeros(len(used), np.int64)
    number[rows] = np.arange(len(rows))
    steps: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    taken = [take_apart(o.names[place % width], families[place // width], names) for place in rows.tolist()]
    of = [steps.setdefault((t.parts, t.operations), len(steps)) for t in taken]
    count = len(o.reference_file)
    return Chains(
        number[key[:count]],
        number[key[count:]],
        np.array([t.shape for t in taken], np.int64),
        np.array([t.root for t in taken], np.int64),
        np.array([o.names[place % width].startswith("=") for place in rows.tolist()], np.bool_),
        np.array(of, np.int64),
        np.array([p + (-1,) * (MOST_PARTS - len(p)) for p, _ in steps], np.int64).reshape(-1, MOST_PARTS),
        np.array(
            [c + (0,) * (MOST_OPERATIONS * (MOST_PARTS + 1) - len(c)) for _, c in steps], np.int64
        ).reshape(-1, MOST_PARTS + 1, MOST_OPERATIONS),
    )


def take_apart(text: str, family: str, names: Names) -> _Taken:
    """One chain of a language family."""
    own = _FAMILY_SHAPES.get(family, _SHAPES)
    text = text.removeprefix("=")
    if text.isidentifier():
        shape = own.get(text, _SHAPES.get(text, NAMED))
        return _Taken(shape, names.number(text) if shape == NAMED else -1, (), _NOTHING)
    if text in ("", '""'):
        return _Taken(LITERAL if text else BARE, -1, (), _NOTHING)
    path = beginning(text) if family == "rust" and ROOTED.match(text) else ""  # bound as a whole, see paths
    first, *others = _SEPARATOR.split(text.removeprefix("new ")[len(path) :])
    if path:
        shape, root, operations = NAMED, names.number(path), first
    elif (local := _LOCAL.fullmatch(first)) is not None:
        shape, root, operations = LOCAL if local[1] else UNKNOWN, int(local[1] or -1), local[2]
    else:
        if not (word := _WORD.fullmatch(first)) and first not in own:
            return _Taken(UNKNOWN, -1, (), _NOTHING)
        name, operations = (word[1], word[2]) if word else (first, "")
        shape = own.get(name, _SHAPES.get(name, NAMED))
        root = names.number(name) if shape == NAMED else -1
        operations = operations.removeprefix("()") if shape == SUPER else operations
    words = [_WORD.fullmatch(word) for word in others if word != "await"]  # `f().await` of Rust is `await f()`
    codes = [_operations(word[2] if word else "") for word in words]
    first_codes = _operations(operations)
    if len(words) > MOST_PARTS or None in words or None in codes or first_codes is None:
        return _Taken(UNKNOWN, -1, (), _NOTHING)
    parts = tuple(names.number(word[1]) for word in words if word is not None)
    return _Taken(shape, root, parts, (*first_codes, *(code for c in codes if c is not None for code in c)))


def _operations(text: str) -> tuple[int, ...] | None:
    codes = [OPERATIONS[text[at : at + 2]] for at in range(0, len(text), 2)]
    return (*codes, *_NOTHING[len(codes) :]) if len(codes) <= MOST_OPERATIONS else None
