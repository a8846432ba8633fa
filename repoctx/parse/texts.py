"""Where in a blob's text is this byte, and what is written there?"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from itertools import accumulate
from typing import NamedTuple

_GROUP = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}")
_PATH_PART = re.compile(r"[^\W\d]\w*|[~$]\w+")


class Text(NamedTuple):
    """A text in the forms that extraction needs. One character of `source` is one byte."""

    source: str  # the bytes read as Latin-1, so that offsets into both are the same
    lines: list[str]  # of source, without their line ends
    starts: list[int]  # offset of each line
    ascii: bool

    def line(self, offset: int) -> int:
        """The 1-based line of an offset."""
        return bisect_right(self.starts, offset)

    def piece(self, start: int, end: int) -> str:
        """What is written between two offsets, as real characters."""
        found = self.source[start:end]
        if self.ascii or found.isascii():
            return found
        return found.encode("latin-1").decode("utf-8", "ignore")

    def pieces(self, spans: Iterable[tuple[int, int]]) -> list[str]:
        """What is written in each of many spans."""
        source = self.source
        if self.ascii:
            return [source[start:end] for start, end in spans]
        return [self.piece(start, end) for start, end in spans]


def text_of(text: bytes) -> Text:
    """The text for extraction."""
    source = text.decode("latin-1")
    lines = source.split("\n")
    starts = [0, *accumulate([len(line) + 1 for line in lines])]
    starts.pop()
    return Text(source, lines, starts, text.isascii())


def ungrouped(text: str) -> str:
    """A text without what stands in brackets: `f(a, b[0]).c<T>` is `f.c`."""
    shorter = _GROUP.sub("", text)
    for _ in range(8):  # deeper nesting than this is no name that anybody looks up
        if shorter == text:
            break
        text, shorter = shorter, _GROUP.sub("", shorter)
    return shorter


def type_path(text: str) -> str:
    """The dotted name of a type as written: `*pkg.Server[T]` is `pkg.Server`."""
    return text if text.isidentifier() else ".".join(_PATH_PART.findall(ungrouped(text)))


@cache
def last_separator(separators: tuple[str, ...]) -> re.Pattern[str]:
    """Splits a dotted name: group 1 is what stands before the last separator, group 2 the name."""
    either = "|".join(map(re.escape, separators)) or r"(?!)"
    return re.compile(rf"(?s)(.*)(?:{either})\s*([\w~$@][^\s]*)$")
