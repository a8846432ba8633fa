"""Which symbols does a blob define, and how do they nest?"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

from repoctx.parse import comments
from repoctx.parse.languages import Language
from repoctx.parse.texts import Text, last_separator, type_path
from repoctx.types import Symbol

CALLABLES = frozenset({"function", "method", "constructor", "macro", "test"})
CLASSES = frozenset({"class", "interface", "struct", "union", "enum", "trait", "object", "extension"})
VARIABLES = frozenset({"variable", "constant"})
MEMBERS = VARIABLES | {"field"}

CONTAINER = ""
"""Stands for the kind of a block that names its members but is no symbol."""

LONGEST_NAME = 200
"""Bytes. Longer names come from generated code, and nobody searches for them."""
LONGEST_SIGNATURE = 400
"""Characters, as `types.Symbol` promises."""

_ANNOTATIONS = re.compile(r"(?:@(?!interface\b)[\w.:]+(?:\([^()]*\))?\s*|#?\[[^\]]*\]\s*)+")


class Definition(NamedTuple):
    """One definition as the query found it; sorts by start, outer before inner. Offsets are bytes."""

    start: int
    negative_end: int
    order: int  # of its pattern: the first pattern that names a place wins
    kind: str
    name_start: int
    name_end: int
    body_start: int  # -1 if it has no body
    receiver: str  # the type that it is declared for outside of that type, "" if none
    owner: str  # the name before the dot of a field that a method sets, "" if none


class Nesting(NamedTuple):
    """The symbols of a blob and who encloses what."""

    symbols: list[Symbol]
    bounds: list[int]  # offsets at which the innermost symbol changes, ascending
    owners: list[int]  # the innermost symbol from each bound on, -1 for none
    bound_names: dict[int, set[str]]  # names that are local to a symbol; under -1, to no symbol
    name_starts: set[int]  # where the names of definitions stand

    def owner(self, offset: int) -> int:
        """The innermost symbol around an offset, -1 if none."""
        at = bisect_right(self.bounds, offset) - 1
        return self.owners[at] if at >= 0 else -1


class _Open(NamedTuple):
    """A definition around the current place."""

    start: int
    end: int
    kind: str
    index: int  # of its symbol; a container has that of the symbol around it
    path: str  # what the descriptors of its members begin with


def nest(
    found: list[Definition], text: Text, language: Language, outer: Mapping[int, int], docs: Mapping[int, str]
) -> Nesting:
    """The symbols in order, from the definitions that the query found.

    `outer` maps where a definition starts to where its decorators do; `docs` maps where a body
    starts to the doc comment that it begins with.
    """
    found.sort()
    nesting = Nesting([], [], [], {}, set())
    symbols, bounds, owners, bound_names, name_starts = nesting
    top = _Open(-1, len(text.source) + 1, CONTAINER, -1, "")
    stack = [top]
    taken: set[str] = set()  # descriptors of variables and fields: the first assignment defines
    for item in found:
        start, end = item.start, -item.negative_end
        while top.end <= start or (top.start == start and top.end == end):
            stack.pop()
            if top.end <= start:
                bounds.append(top.end)
                owners.append(stack[-1].index)
            top = stack[-1]
        if item.name_start in name_starts and item.kind != CONTAINER:
            continue
        name, kind, above = text.piece(item.name_start, item.name_end), item.kind, top
        if kind == CONTAINER:
            top = _Open(start, end, "class", top.index, _join(top.path, type_path(name)))
            stack.append(top)
            continue
        name_starts.add(item.name_start)
        if kind in VARIABLES and (top.kind in CALLABLES or top.kind in VARIABLES):
            bound_names.setdefault(top.index, set()).add(name)
            continue
        if item.owner:
            above = _class_around(stack) if item.owner in language.selves else None
        if above is None or not 0 < len(name) <= LONGEST_NAME:
            continue
        kind = _kind(kind, name, above, language)
        path, name = _descriptor(name, item.receiver, above.path, language)
        if kind in MEMBERS:
            if path in taken:
                continue
            taken.add(path)
        if not item.owner:
            top = _Open(start, end, kind, len(symbols), path)
            stack.append(top)
            bounds.append(start)
            owners.append(top.index)
        symbols.append(_symbol(item, kind, name, path, above.index, text, language, outer, docs))
    while len(stack) > 1:
        bounds.append(stack.pop().end)
        owners.append(stack[-1].index)
    return nesting


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _class_around(stack: list[_Open]) -> _Open | None:
    return next((item for item in reversed(stack) if item.kind in CLASSES), None)


def _kind(kind: str, name: str, above: _Open, language: Language) -> str:
    """The kind as people call it, which depends on what is around."""
    if above.kind in CLASSES:
        if kind in VARIABLES:
            return "field"
        if kind == "function":
            kind = "method"
        if kind == "method" and (
            name in language.constructors
            or ("=" in language.constructors and name == above.path.rpartition(".")[2])
        ):
            return "constructor"
    elif kind == "variable" and language.capitals and name.isupper():
        return "constant"
    return kind


def _descriptor(name: str, receiver: str, path: str, language: Language) -> tuple[str, str]:
    """The qualified name within the blob, and the bare one."""
    if receiver:
        path = _join(path, type_path(receiver))
    if not name.isidentifier():
        split = last_separator(language.separators).match(name)
        if split:
            parts = [part for part in type_path(split[1]).split(".") if part and part not in language.transparent]
            path, name = ".".join([path, *parts] if path else parts), split[2]
        elif name[0] in "\"'`":
            name = name.strip("\"'`") or name
    return _join(path, name), name


def _symbol(
    item: Definition,
    kind: str,
    name: str,
    path: str,
    parent: int,
    text: Text,
    language: Language,
    outer: Mapping[int, int],
    docs: Mapping[int, str],
) -> Symbol:
    lines, starts = text.lines, text.starts
    start, end = item.start, -item.negative_end
    stop = item.body_start if item.body_start > start else end
    end_line = bisect_right(starts, max(start, end - 1))
    body_line = 0
    if kind in CALLABLES and item.body_start >= 0:
        body_line = bisect_right(starts, start + len(text.source[start:stop].rstrip())) + 1
        body_line = 0 if body_line > end_line else body_line
    first = start
    while first in outer:
        first = outer[first]
    first_line = bisect_right(starts, first)
    doc = docs.get(item.body_start, "")
    line = lines[first_line - 1]
    above = first_line
    if first_line > 1 and not line[: first - starts[first_line - 1]].strip():
        above = comments.above(lines, first_line, comments.STYLES[language.comments])
        if above < first_line and not doc:
            doc = comments.text(text.piece(starts[above - 1], starts[first_line - 1]).split("\n"))
    name_line = bisect_right(starts, item.name_start)
    signature = _signature(text.piece(start, min(stop, start + 4 * LONGEST_SIGNATURE)))
    return Symbol(
        kind, name, path, signature, doc, above, end_line,
        name_line, item.name_start - starts[name_line - 1], body_line, parent,
    )  # fmt: skip


def _signature(head: str) -> str:
    """A definition's head on one line, without annotations before and punctuation behind."""
    if head[:1] in ("@", "[", "#"):
        found = _ANNOTATIONS.match(head)
        head = head[found.end() :] if found else head
    return " ".join(head.split()).rstrip(" {:;,=").removesuffix("=>").rstrip()[:LONGEST_SIGNATURE]
