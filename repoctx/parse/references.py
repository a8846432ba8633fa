"""Where does a blob use names, and which of them could mean a definition elsewhere?

Names of local variables and parameters never do. Reads are kept where they can mean something:
a name that the blob imports or defines, or a member of such a thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from repoctx.parse.imports import Imported
from repoctx.parse.languages import Language
from repoctx.parse.queries import Answers, Captures, Pattern, about
from repoctx.parse.symbols import CLASSES, LONGEST_NAME, Nesting
from repoctx.parse.texts import Text, last_separator
from repoctx.types import Reference

MOST_REFERENCES = 200_000
"""References of one blob. Only generated tables have more, and nobody asks who uses those."""
LONGEST_QUALIFIER = 100
"""Characters. What is longer is an expression, not a name that could be looked up."""
LONGEST_EXPRESSION = 600
"""Bytes before a name that are read for its qualifier: chains of calls would cost their square."""
EXPRESSION = "()"
"""The qualifier of a member of some long expression."""

_ROLES = ("inherit", "call", "type", "read")  # the first that claims a place has it
_SPACES: frozenset[str] = CLASSES | {"module", "namespace", "type"}  # kinds that have members
_ARGUMENTS = re.compile(r"\([^()]+\)|\[[^\[\]]+\]|\{[^{}]+\}|<[^<>]*>")
_SPACE = re.compile(r"\s*(\?\.|!\.|\.|->|::|\\)\s*")
_LITERAL = re.compile(r"[A-Za-z]{0,2}[\"'`]")
_FIRST = re.compile(r"\$?\w+(?:\(\))?")

_Use = tuple[int, str, str, str, int]  # offset, role, name, qualifier, enclosing symbol


def find_references(
    answers: Answers, imported: list[Imported], nesting: Nesting, text: Text, language: Language
) -> list[Reference]:
    """References by position, at most MOST_REFERENCES."""
    bound = _bind(answers, nesting, text)
    known = {item.alias for item in imported}
    heads = {*known, *language.selves, *(symbol.name for symbol in nesting.symbols if symbol.kind in _SPACES)}
    known.update([symbol.name for symbol in nesting.symbols])
    known.discard("")
    heads.discard("")
    bound[-1] = bound.get(-1, set()) - known
    uses = [
        (item.start, "import", item.name, item.module, nesting.owner(item.start))
        for item in imported
        if item.name not in ("", "*", "default")
    ]
    seen = nesting.name_starts | {item.start for item in imported}
    parents = [symbol.parent for symbol in nesting.symbols]
    asked = about(answers, "reference")
    for role in _ROLES:
        for pattern, matches in asked:
            if pattern.detail != role:
                continue
            for start, name, qualifier in _names(pattern, matches, text, language):
                if start in seen:
                    continue
                if role == "read" and (qualifier or name) not in (heads if qualifier else known):
                    first = _FIRST.match(qualifier)
                    if first is None or first[0] not in heads:
                        continue
                seen.add(start)
                owner = scope = nesting.owner(start)
                if not qualifier and bound:
                    while scope >= 0 and (scope not in bound or name not in bound[scope]):
                        scope = parents[scope]
                    if scope in bound and name in bound[scope]:
                        continue
                uses.append((start, role, name, qualifier, owner))
    uses.sort()
    return _placed(uses[:MOST_REFERENCES], text)


def _bind(answers: Answers, nesting: Nesting, text: Text) -> dict[int, set[str]]:
    """The local names of each symbol, parameters and loop variables included."""
    bound = nesting.bound_names
    for _, matches in about(answers, "local"):
        spans = [(node.start_byte, node.end_byte) for captures in matches for node in captures["local"]]
        for (start, _), name in zip(spans, text.pieces(spans), strict=True):
            if start not in nesting.name_starts:
                bound.setdefault(nesting.owner(start), set()).add(name)
    return bound


def _names(
    pattern: Pattern, matches: list[Captures], text: Text, language: Language
) -> Iterator[tuple[int, str, str]]:
    """Start, name and qualifier of each match of a pattern."""
    if "name" in pattern.captures:
        yield from _named(matches, text)
        return
    nodes = [captures[pattern.capture][0] for captures in matches]
    ends = [node.end_byte for node in nodes]
    spans = [(max(node.start_byte, end - LONGEST_EXPRESSION), end) for node, end in zip(nodes, ends, strict=True)]
    split = last_separator(language.separators).match
    for (start, end), written in zip(spans, text.pieces(spans), strict=True):
        if written.isidentifier():
            if end - start <= LONGEST_NAME:
                yield start, written, ""
        elif parts := split(written):
            qualifier, name = parts.groups()
            size = len(name) if text.ascii else len(name.encode())
            if size <= LONGEST_NAME:
                cut = end - start == LONGEST_EXPRESSION
                yield end - size, name, EXPRESSION if cut else qualifier if qualifier.isidentifier() else tidy(qualifier)
        elif end - start <= LONGEST_NAME:
            yield start, written, ""


def _named(matches: list[Captures], text: Text) -> Iterator[tuple[int, str, str]]:
    for captures in matches:
        node = captures["name"][0]
        start, end = node.start_byte, node.end_byte
        if not 0 < end - start <= LONGEST_NAME:
            continue
        qualifier = ""
        if "qualifier" in captures:
            left, right = captures["qualifier"][0].start_byte, captures["qualifier"][-1].end_byte
            long = right - left > LONGEST_EXPRESSION
            qualifier = EXPRESSION if long else tidy(text.piece(left, right))
        yield start, text.piece(start, end), qualifier


@lru_cache(maxsize=16_384)
def tidy(qualifier: str) -> str:
    """A qualifier without arguments and white space: `f(x)\\n  .a[0]` is `f().a[]`."""
    if qualifier.isidentifier():
        return qualifier
    if _LITERAL.match(qualifier):
        return '""'
    for _ in range(8):  # deeper nesting than this is no name that anybody looks up
        shorter = _ARGUMENTS.sub(_emptied, qualifier)
        if shorter == qualifier:
            break
        qualifier = shorter
    qualifier = _SPACE.sub(_bare_separator, " ".join(qualifier.split())).rstrip("?!")
    return qualifier if len(qualifier) <= LONGEST_QUALIFIER else EXPRESSION


def _emptied(group: re.Match[str]) -> str:
    return "" if group[0][0] == "<" else group[0][0] + group[0][-1]


def _bare_separator(found: re.Match[str]) -> str:
    return found[1].lstrip("?!")


def _placed(uses: list[_Use], text: Text) -> list[Reference]:
    starts, line_of = text.starts, text.line
    placed = []
    for start, role, name, qualifier, owner in uses:
        line = line_of(start)
        placed.append(Reference(role, name, qualifier, line, start - starts[line - 1], owner))
    return placed
