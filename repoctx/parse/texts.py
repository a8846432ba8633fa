"""Where in a blob's text is this byte, and what is written there?"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

_GROUP = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}")
_PATH_PART = re.compile(r"[^\W\d]\w*|[~$]\w+")

_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|<[^<>]*>")  # the innermost first
_EMPTY = {1: "()", 2: "[]", 3: "{}"}  # what stands for an emptied group until all are
_SEPARATOR = re.compile(r"\s*[?!]?(\.|->|::|\\)\s*")
_LITERAL = re.compile(r"[A-Za-z]{0,2}[\"'`]")

LONGEST_QUALIFIER = 160
"""Characters. What is longer is an expression, not a name that could be looked up."""
EXPRESSION = "()"
"""The qualifier of a member of some long expression."""

_NEWLINE = ord("\n")
DEEPEST_GROUPS = 8
"""Brackets in brackets that are taken out of names: deeper ones are no name that anybody looks up."""


@lru_cache(maxsize=1)
def line_starts(text: bytes) -> tuple[int, ...]:
    """The offset of each line, and last an offset behind the text. Extraction and chunking ask in turn."""
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE) + 1
    starts: list[int] = newlines.tolist()
    end = () if starts and starts[-1] > len(text) else (len(text) + 1,)
    return (0, *starts, *end)


class Text(NamedTuple):
    """A text in the forms that extraction needs. One character of `source` is one byte."""

    source: str  # the bytes read as Latin-1, so that offsets into both are the same
    starts: tuple[int, ...]  # as line_starts returns them
    ascii: bool

    def line(self, offset: int) -> int:
        """The 1-based line of an offset."""
        return bisect_right(self.starts, offset)

    def written(self, line: int) -> str:
        """What is written on a line, line end included, as `source` has it."""
        return self.source[self.starts[line - 1] : self.starts[line]]

    def piece(self, start: int, end: int) -> str:
        """What is written between two offsets, as real characters."""
        found = self.source[start:end]
        return found if self.ascii else characters(found)

    def pieces(self, spans: Sequence[tuple[int, int]]) -> list[str]:
        """What is written in each of many spans."""
        source = self.source
        if self.ascii:
            return [source[start:end] for start, end in spans]
        return [self.piece(start, end) for start, end in spans]


def characters(source: str) -> str:
    """A part of `Text.source` as real characters."""
    return source if source.isascii() else source.encode("latin-1").decode("utf-8", "ignore")


def without_macros(macros: str, text: bytes) -> bytes:
    """A text of the same length with spaces for what a regular expression finds, which no line end is in."""
    return re.sub(macros.encode(), lambda found: b" " * len(found[0]), text) if macros else text


def text_of(text: bytes) -> Text:
    """The text for extraction. A byte order mark is as much space."""
    marked = text.startswith(b"\xef\xbb\xbf")
    source = "   " + text[3:].decode("latin-1") if marked else text.decode("latin-1")
    return Text(source, line_starts(text), text.isascii())


def ungrouped(text: str) -> str:
    """A text without what stands in brackets: `f(a, b[0]).c<T>` is `f.c`."""
    for _ in range(DEEPEST_GROUPS):
        shorter = _GROUP.sub("", text)
        if shorter == text:
            break
        text = shorter
    return text


def type_path(text: str) -> str:
    """The dotted name of a type as written: `*pkg.Server[T]` is `pkg.Server`."""
    return text if text.isidentifier() else ".".join(_PATH_PART.findall(ungrouped(text)))


@cache
def last_separator(separators: tuple[str, ...]) -> re.Pattern[str]:
    """Splits a dotted name: group 1 is what stands before the last separator, group 2 the name."""
    either = "|".join(map(re.escape, separators)) or r"(?!)"
    return re.compile(rf"(?s)(.*)(?:{either})\s*((?:operator\s+)?[\w~$@]\S*)$")


@lru_cache(maxsize=16_384)
def tidy(qualifier: str) -> str:
    """A qualifier without arguments and white space: `f(x)\n  .a[0]` is `f().a[]`."""
    if not qualifier.replace(".", "_").isidentifier():
        if _LITERAL.match(qualifier):
            return '""'
        for _ in range(DEEPEST_GROUPS):
            shorter = _BRACKETS.sub(_emptied, qualifier)
            if shorter == qualifier:
                break
            qualifier = shorter
        qualifier = _SEPARATOR.sub(r"\1", " ".join(qualifier.translate(_EMPTY).split())).rstrip("?!:")
    return qualifier if len(qualifier) <= LONGEST_QUALIFIER else EXPRESSION


def _emptied(group: re.Match[str]) -> str:
    return {"(": "\1", "[": "\2", "{": "\3", "<": ""}[group[0][0]]
