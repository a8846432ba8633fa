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
from repoctx.graph.projects import projects
from repoctx.graph.qualified import FAMILIES, LOOSE, Whole, whole_names

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
# What constructs by the name of a method that nobody wrote: `Store.new` of Ruby is a call of `Store`.
_CONSTRUCTS: Mapping[str, re.Pattern[str]] = {"ruby": re.compile(r"\.new(?:\(\))?(?=[.\[]|$)")}
_SEPARATOR = re.compile(r"[?!]?\.|->|::|\\|:")
_ROOT = re.compile(r"(?:new )?(?:(?:global)?::|\\)?(%\d*|\$?[\w@#]+)")
_WORD = re.compile(r"(\$?[\w@#]+)((?:\(\)|\[\]|\{\})*)")
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
    whole: Whole
    name: Rows  # Q, the whole name that it begins with, index into whole; -1
    after: Rows  # Q, the steps after that name, index into parts and operations
    partly: Mask  # Q, may it begin with a whole name of this repository all the same?


_Steps = tuple[tuple[int, ...], tuple[int, ...]]  # the parts, and the operations after the root and each part
_NOTHING = (0,) * MOST_OPERATIONS
_NO_STEPS: _Steps = ((), _NOTHING)


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
    texts = [o.names[place] for place in (rows % width).tolist()]
    known: dict[str, _Steps | None] = {"": _NO_STEPS}
    taken = [
        take_apart(text, families[family], names, known)
        for text, family in zip(texts, (rows // width).tolist(), strict=True)
    ]
    numbers: dict[_Steps, int] = {}
    steps = [numbers.setdefault(found, len(numbers)) for _, _, found in taken]
    whole = whole_names(o, where, projects(o).spaces if "php" in where.families else {})
    name, after = np.full(len(rows), -1, np.int64), np.array(steps, np.int64)
    partly = np.zeros(len(rows), np.bool_)
    qualified = np.isin(rows // width, [number for number, name in families.items() if name in FAMILIES])
    words = names.words() if whole.number or qualified.any() else {}
    for row in np.flatnonzero(qualified).tolist():
        shape, root, (parts, operations) = taken[row]
        if shape == NAMED:
            own = families[int(rows[row]) // width]
            name[row], end = _begun(own, [words[number] for number in (root, *parts)], operations, whole)
            rest = (parts[end:], operations[MOST_OPERATIONS * end :])
            after[row] = numbers.setdefault(rest, len(numbers))
            partly[row] = own in LOOSE and any((own, words[number]) in whole.parts for number in parts)
    count = len(o.reference_file)
    return Chains(
        number[key[:count]],
        number[key[count:]],
        np.array([shape for shape, _, _ in taken], np.int64),
        np.array([root for _, root, _ in taken], np.int64),
        np.array([text.startswith("=") for text in texts], np.bool_),
        np.array(steps, np.int64),
        np.array([p + (-1,) * (MOST_PARTS - len(p)) for p, _ in numbers], np.int64).reshape(-1, MOST_PARTS),
        np.array(
            [c + (0,) * (MOST_OPERATIONS * (MOST_PARTS + 1) - len(c)) for _, c in numbers], np.int64
        ).reshape(-1, MOST_PARTS + 1, MOST_OPERATIONS),
        whole,
        name,
        after,
        partly,
    )


def _begun(family: str, words: list[str], operations: tuple[int, ...], whole: Whole) -> tuple[int, int]:
    """The longest whole name that a chain begins with, and the parts of the chain that it takes; (-1, 0)."""
    plain = 1
    while plain < len(words) and not operations[MOST_OPERATIONS * (plain - 1)]:
        plain += 1
    for end in range(plain, 0, -1):
        if (found := whole.number.get((family, ".".join(words[:end])))) is not None:
            return found, end - 1
    return -1, 0


def take_apart(text: str, family: str, names: Names, known: dict[str, _Steps | None]) -> tuple[int, int, _Steps]:
    """The shape, root and steps of one chain of a language family; `known` keeps the steps of each ending."""
    own = _FAMILY_SHAPES.get(family, _SHAPES)
    text = text.removeprefix("=")
    if text in ("", '""'):
        return LITERAL if text else BARE, -1, _NO_STEPS
    if family == "rust" and ROOTED.match(text):  # bound as a whole, see paths
        shape, root, end = NAMED, beginning(text), len(beginning(text))
    elif (found := _ROOT.match(text)) is not None:
        root, end = found[1], found.end()
        shape = own.get(root, _SHAPES.get(root, NAMED))
    else:
        return UNKNOWN, -1, _NO_STEPS
    rest = _CONSTRUCTS[family].sub("()", text[end:]) if family in _CONSTRUCTS else text[end:]
    if shape == SUPER:
        rest = rest.removeprefix("()")
    if rest not in known:
        known[rest] = _steps(rest, names)
    steps = known[rest]
    if steps is None or root == "%":
        return UNKNOWN, -1, _NO_STEPS
    if root[0] == "%":
        return LOCAL, int(root[1:]), steps
    return shape, names.number(root) if shape == NAMED else -1, steps


def _steps(text: str, names: Names) -> _Steps | None:
    """The steps that are written after a root; None if they cannot be followed."""
    first, *others = _SEPARATOR.split(text)
    words = [_WORD.fullmatch(word) for word in others if word != "await"]  # `f().await` of Rust is `await f()`
    if len(words) > MOST_PARTS or None in words:
        return None
    codes = [_operations(first), *(_operations(word[2]) for word in words if word is not None)]
    if None in codes:
        return None
    parts = tuple(names.number(word[1]) for word in words if word is not None)
    return parts, tuple(code for c in codes if c is not None for code in c)


def _operations(text: str) -> tuple[int, ...] | None:
    codes = [OPERATIONS.get(text[at : at + 2], 0) for at in range(0, len(text), 2)]
    return (*codes, *_NOTHING[len(codes) :]) if len(codes) <= MOST_OPERATIONS and 0 not in codes else None
