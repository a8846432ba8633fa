"""Where does a blob use names, and which of them could mean a definition elsewhere?

Names of local variables and parameters never do. Reads are kept where they can mean something:
a name that the blob imports or defines, or a member of such a thing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from itertools import starmap
from operator import sub
from typing import NamedTuple

from repoctx.parse.imports import Imported
from repoctx.parse.languages import Language
from repoctx.parse.queries import Answers, Captures, about
from repoctx.parse.symbols import CLASSES, LONGEST_NAME, Nesting
from repoctx.parse.texts import DEEPEST_GROUPS, Text, last_separator
from repoctx.types import Reference

MOST_REFERENCES = 200_000
"""References of one blob. Only generated tables have more, and nobody asks who uses those."""
LONGEST_QUALIFIER = 100
"""Characters. What is longer is an expression, not a name that could be looked up."""
LONGEST_EXPRESSION = 600
"""Bytes before a name that are read for its qualifier: chains of calls would cost their square."""
EXPRESSION = "()"
"""The qualifier of a member of some long expression."""

_ROLES = ("import", "inherit", "call", "type", "read")  # the first that claims a place has it
_READ = _ROLES.index("read")
_SPACES: frozenset[str] = CLASSES | {"module", "namespace", "type"}  # kinds that have members
_GROUP = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|<[^<>]*>")  # the innermost first
_EMPTY = {1: "()", 2: "[]", 3: "{}"}  # what stands for an emptied group until all are
_SEPARATOR = re.compile(r"\s*[?!]?(\.|->|::|\\)\s*")
_SPACE = re.compile(r"\s")
_LITERAL = re.compile(r"[A-Za-z]{0,2}[\"'`]")
_FIRST = re.compile(r"\$?\w+(?:\(\))?")
_DOTTED = re.compile(r"[^<\[({]*")

# Offset, rank (twice the index of the role, and one more unless name and qualifier are nodes of their
# own, which says more), name, qualifier. It sorts by place, the best first.
_Use = tuple[int, int, str, str]
_Name = tuple[int, str, str]  # bytes from its start to the end of the node, name, qualifier


class _Known(NamedTuple):
    """What a read can mean."""

    names: set[str]  # imported or defined
    heads: set[str]  # what a qualifier may begin with


def find_references(
    answers: Answers, imported: list[Imported], nesting: Nesting, text: Text, language: Language
) -> list[Reference]:
    """References by position, at most MOST_REFERENCES."""
    known = _known(imported, nesting, language)
    uses: list[_Use] = [
        (item.start, 0, item.name, item.module)
        for item in imported
        if item.name not in ("", "*", "default")
    ]
    for pattern, matches in about(answers, "reference"):
        role = _ROLES.index(pattern.detail)
        if "name" in pattern.captures:
            uses += _named(matches, role, text, known)
        elif pattern.bare:
            uses += _bare(matches, pattern.capture, role, text, known)
        else:
            uses += _dotted(matches, pattern.capture, role, text, language, known)
    uses.sort()
    bound = _bound(answers, nesting, text, {use[2] for use in uses if not use[3]}, known.names)
    builtins = set(language.builtins) - known.names
    return _references(uses, bound, builtins, nesting, text)


def _known(imported: list[Imported], nesting: Nesting, language: Language) -> _Known:
    names = {item.alias for item in imported}
    heads = names.union(language.selves)
    heads.update([symbol.name for symbol in nesting.symbols if symbol.kind in _SPACES])
    names.update([symbol.name for symbol in nesting.symbols])
    names.discard("")
    heads.discard("")
    return _Known(names, heads)


def _bound(
    answers: Answers, nesting: Nesting, text: Text, bare: set[str], known: set[str]
) -> dict[int, set[str]]:
    """The local names of each symbol, parameters and loop variables included, as far as they are used."""
    found = [(start, name) for start, name in nesting.variables if name in bare]
    for _, matches in about(answers, "local"):
        spans = [captures["local"][0].byte_range for captures in matches]
        names = text.pieces(spans)
        found += [(span[0], name) for span, name in zip(spans, names, strict=True) if name in bare]
    bound: dict[int, set[str]] = {}
    bounds, binders, defined = nesting.bounds, nesting.binders, nesting.name_starts
    for start, name in found:
        if start not in defined:
            bound.setdefault(binders[bisect_right(bounds, start) - 1], set()).add(name)
    if -1 in bound:  # outside of symbols only names that nothing else explains are local
        bound[-1] = bound[-1].difference(known)
    return bound


def _bare(matches: list[Captures], capture: str, role: int, text: Text, known: _Known) -> list[_Use]:
    """The uses that are one identifier each; reads as far as they are known."""
    spans = [captures[capture][0].byte_range for captures in matches]
    found = zip(spans, text.pieces(spans), strict=True)
    rank = 2 * role + 1
    if role == _READ:
        return [(span[0], rank, name, "") for span, name in found if name in known.names]
    return [(span[0], rank, name, "") for span, name in found if 0 < len(name) <= LONGEST_NAME]


def _dotted(
    matches: list[Captures], capture: str, role: int, text: Text, language: Language, known: _Known
) -> list[_Use]:
    """The uses whose whole node is one dotted name; reads as far as they are known."""
    spans = [captures[capture][0].byte_range for captures in matches]
    if min(starmap(sub, spans)) < -LONGEST_EXPRESSION:  # read their ends alone
        spans = [(max(start, end - LONGEST_EXPRESSION - 1), end) for start, end in spans]
    uses: list[_Use] = []
    rank = 2 * role + 1
    split: dict[str, _Name | None] = {}  # most names of a blob stand there more than once
    for (start, end), dotted in zip(spans, text.pieces(spans), strict=True):
        if dotted in split:
            name = split[dotted]
        elif role == _READ and not _may_mean(dotted, known):
            name = split[dotted] = None
        else:
            name = split[dotted] = split_name(dotted, language.separators, end - start > LONGEST_EXPRESSION)
        if name:
            uses.append((end - name[0], rank, name[1], name[2]))
    return uses


def _may_mean(written: str, known: _Known) -> bool:
    """Whether a dotted name begins with something known."""
    if written.isidentifier():
        return written in known.names
    first = _FIRST.match(written)
    return first is not None and first[0] in known.heads


@lru_cache(maxsize=16_384)
def split_name(written: str, separators: tuple[str, ...], cut: bool) -> _Name | None:
    """How far before the end the name begins, in bytes, the name, and what qualifies it.

    None if that is no name. `cut` says that more stands before.
    """
    if written.isidentifier():
        return _sized(written, "", 0) if not cut else None
    head = written
    if not (written[-1:].isalnum() or written[-1:] in "_?!$=*+-~"):  # a type's arguments stand behind
        found = _DOTTED.match(written)
        head = found[0].rstrip() if found else ""
    qualifier, _, name = head.rpartition(separators[0]) if len(separators) == 1 else ("", "", "")
    if not name.isidentifier():
        parts = last_separator(separators).match(head)
        qualifier, name = (parts[1], parts[2]) if parts else ("", head)
    behind = 0 if head is written else len(written.encode()) - len(head.encode())
    return _sized(name, EXPRESSION if cut else tidy(qualifier), behind)


def _sized(name: str, qualifier: str, behind: int) -> _Name | None:
    if not name.isidentifier() and _SPACE.search(name):  # broken code
        return None
    size = len(name) if name.isascii() else len(name.encode())
    return (size + behind, name, qualifier) if 0 < size <= LONGEST_NAME else None


def _named(matches: list[Captures], role: int, text: Text, known: _Known) -> list[_Use]:
    """The uses whose name and qualifier are nodes of their own."""
    uses: list[_Use] = []
    for captures in matches:
        node = captures["name"][0]
        start, end = node.start_byte, node.end_byte
        if not 0 < end - start <= LONGEST_NAME:
            continue
        qualifier = ""
        if "qualifier" in captures:
            node = captures["qualifier"][0]
            left, right = node.start_byte, node.end_byte
            qualifier = tidy(text.piece(left, right)) if right - left <= LONGEST_EXPRESSION else EXPRESSION
            first = _FIRST.match(qualifier)
            if role == _READ and (first is None or first[0] not in known.heads):
                continue
        name = text.piece(start, end)
        if name.isidentifier() or not _SPACE.search(name):
            uses.append((start, 2 * role, name, qualifier))
    return uses


@lru_cache(maxsize=16_384)
def tidy(qualifier: str) -> str:
    """A qualifier without arguments and white space: `f(x)\n  .a[0]` is `f().a[]`."""
    if not qualifier.isidentifier():
        if _LITERAL.match(qualifier):
            return '""'
        for _ in range(DEEPEST_GROUPS):
            shorter = _GROUP.sub(_emptied, qualifier)
            if shorter == qualifier:
                break
            qualifier = shorter
        qualifier = _SEPARATOR.sub(r"\1", " ".join(qualifier.translate(_EMPTY).split())).rstrip("?!:")
    return qualifier if len(qualifier) <= LONGEST_QUALIFIER else EXPRESSION


def _emptied(group: re.Match[str]) -> str:
    return {"(": "\1", "[": "\2", "{": "\3", "<": ""}[group[0][0]]


def _references(
    uses: Iterable[_Use], bound: dict[int, set[str]], builtins: set[str], nesting: Nesting, text: Text
) -> list[Reference]:
    """The uses that are no local names or builtins, one a place, with their lines and scopes."""
    suspects = builtins.union(*bound.values())
    symbols, bounds, owners, _, _, defined = nesting
    starts, new = text.starts, tuple.__new__  # half the time of calling Reference, in the longest loop
    references: list[Reference] = []
    last, line, at = -1, 1, 0
    for start, rank, name, qualifier in uses:
        if start == last or (rank and start in defined):
            continue
        last = start
        while bounds[at] <= start:
            at += 1
        owner = owners[at - 1]
        if rank and not qualifier and name in suspects:
            if name in builtins:
                continue
            scope = owner
            while scope >= 0 and (scope not in bound or name not in bound[scope]):
                scope = symbols[scope].parent
            if scope in bound and name in bound[scope]:
                continue
        while starts[line] <= start:
            line += 1
        column = start - starts[line - 1]
        references.append(new(Reference, (_ROLES[rank // 2], name, qualifier, line, column, owner)))
        if len(references) == MOST_REFERENCES:
            break
    return references
