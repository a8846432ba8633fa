"""Which pieces of a text are shown and found as one?

Chunks tile the text and begin at line starts. They follow its symbols: a definition stays with
its comment and decorators, small neighbours share a chunk, a large definition is cut at its
members, at blank lines, at lines. Text without symbols is cut where its sections begin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from repoctx.parse.symbols import CALLABLES
from repoctx.parse.texts import line_starts
from repoctx.types import Chunk, Symbol

ALONE = 300
"""Bytes. A function or section with more is worth a hit of its own: some eight lines of code."""
TARGET = 800
"""Bytes that small neighbours share at most: what an embedding model of 256 tokens still reads."""
LARGE = 2_000
"""Bytes that a definition may have in one chunk: some 50 lines, nine functions out of ten."""
HARD = 4_000
"""Bytes that no chunk exceeds; only lines longer than LARGE come near."""
CLOSING = 80
"""Bytes after the last member of a definition that go with that member: `}  // namespace`."""
DEEPEST = 30
"""Levels of nested definitions that are cut apart: more would be no code that people read."""
SETTINGS = (ALONE, TARGET, LARGE, HARD, CLOSING, DEEPEST)
"""What facts depend on here, for `version.parser_version`."""

# Whole lines that belong together: first and last line (1-based, inclusive), their symbol, and whether
# they never share a chunk with others.
_Piece = tuple[int, int, int, bool]


class _Layout(NamedTuple):
    """A text by lines, and its definitions by who encloses them."""

    text: bytes
    ends: tuple[int, ...]  # offset behind each line; ends[0] is 0, so that line n is ends[n-1]:ends[n]
    symbols: Sequence[Symbol]
    members: dict[int, list[int]]


def chunk(text: bytes, symbols: Sequence[Symbol], sections: str = "") -> list[Chunk]:
    """The chunks of a text, in order; none if it is empty.

    `symbols` are those of the text, in order. `sections` is the expression of the language's row
    that finds where the pieces of a text without symbols begin.
    """
    if not text:
        return []
    starts = line_starts(text)
    ends = starts[:-1] if starts[-2] == len(text) else (*starts[:-1], len(text))
    members: dict[int, list[int]] = {}
    for index, symbol in enumerate(symbols):
        parent = symbol[-1]
        if parent in members:
            members[parent].append(index)
        else:
            members[parent] = [index]
    layout = _Layout(text, ends, symbols, members)
    if symbols or not sections:
        pieces = _tile(layout, 1, len(ends) - 1, -1, 0)
    else:
        pieces = _share(layout, _sections(layout, sections), -1)
    made: list[Chunk] = []
    for first, last, shown, _ in pieces:
        if ends[last] - ends[first - 1] <= HARD:
            made.append(Chunk(ends[first - 1], ends[last], first, last, shown))
        else:
            made += _long_lines(layout, first, last, shown)
    return made


def _tile(layout: _Layout, first: int, last: int, around: int, depth: int) -> list[_Piece]:
    """Pieces that tile these lines: the members of a symbol and what stands between them."""
    _, ends, symbols, members = layout
    done: list[_Piece] = []
    run: list[_Piece] = []  # pieces that may share chunks
    at = first
    for member in members.get(around, ()):
        symbol = symbols[member]
        start = symbol.start_line if symbol.start_line > at else at
        end = symbol.end_line if symbol.end_line < last else last
        if end < start:
            continue
        if start > at:
            if ends[start - 1] - ends[at - 1] <= LARGE:
                run.append((at, start - 1, around, False))
            else:
                run += _cut(layout, at, start - 1, around)
        size = ends[end] - ends[start - 1]
        if size <= LARGE:
            run.append((start, end, member, size > ALONE and symbol.kind in CALLABLES))
        elif depth < DEEPEST and member in members:
            done += _share(layout, run, around)
            done += _tile(layout, start, end, member, depth + 1)
            run = []
        else:
            run += _cut(layout, start, end, member)
        at = end + 1
    if at <= last:
        rest = ends[last] - ends[at - 1]
        if rest <= CLOSING and around >= 0 and (run or done):
            begin, _, member, alone = (run or done)[-1]
            (run or done)[-1] = (begin, last, member, alone)
        elif rest <= LARGE:
            run.append((at, last, around, False))
        else:
            run += _cut(layout, at, last, around)
    return done + _share(layout, run, around)


def _share(layout: _Layout, pieces: list[_Piece], around: int) -> list[_Piece]:
    """Small neighbours as one piece; lines without a word go with what stands before them."""
    text, ends = layout.text, layout.ends
    shared: list[_Piece] = []
    for piece in pieces:
        if not shared:
            shared.append(piece)
            continue
        first, last, symbol, alone = piece
        begin, end, before, apart = shared[-1]
        size = ends[last] - ends[begin - 1]
        if size <= TARGET and not (alone or apart):
            if before != symbol:
                before = around if around >= 0 else before if before >= 0 else symbol
            shared[-1] = (begin, last, before, False)
        elif size <= HARD and _wordless(text, ends[first - 1], ends[last]):
            shared[-1] = (begin, last, before, apart)
        elif size <= HARD and _wordless(text, ends[begin - 1], ends[end]):
            shared[-1] = (begin, last, symbol, alone)
        else:
            shared.append(piece)
    return shared


def _wordless(text: bytes, start: int, end: int) -> bool:
    return end - start <= CLOSING and not text[start:end].strip(b" \t\r\n\f{}()[];,")


@cache
def _compiled(sections: str) -> re.Pattern[str]:
    return re.compile(sections)


def _sections(layout: _Layout, sections: str) -> list[_Piece]:
    """Pieces that begin where the expression finds a section."""
    ends = layout.ends
    found = _compiled(sections).finditer(layout.text.decode("latin-1"))
    offsets = {match.start() for match in found if (match.lastgroup or "").startswith("cut")}
    pieces: list[_Piece] = []
    first = 1
    for line in range(2, len(ends) + 1):
        if line == len(ends) or ends[line - 1] in offsets:
            size = ends[line - 1] - ends[first - 1]
            if size <= LARGE:
                pieces.append((first, line - 1, -1, size > ALONE))
            else:
                pieces += _cut(layout, first, line - 1, -1)
            first = line
    return pieces


def _cut(layout: _Layout, first: int, last: int, symbol: int) -> Iterator[_Piece]:
    """Lines too large for one chunk, cut behind blank lines at the least indentation, else at lines."""
    text, ends, _, _ = layout
    while ends[last] - ends[first - 1] > LARGE:
        best, at = (True, LARGE, 0), first + 1
        while at <= last and ends[at - 1] - ends[first - 1] <= LARGE:
            if ends[at - 1] - ends[first - 1] >= LARGE // 4:  # smaller pieces would say too little
                line = text[ends[at - 1] : ends[at]]
                rest = line.lstrip()
                if rest:
                    behind = text[ends[at - 2] : ends[at - 1]].strip()
                    best = min(best, (bool(behind), len(line) - len(rest), -at))
            at += 1
        cut = -best[2] or max(first + 1, at - 1)
        yield first, cut - 1, symbol, True
        first = cut
        if first > last:
            return
    yield first, last, symbol, True


def _long_lines(layout: _Layout, first: int, last: int, symbol: int) -> Iterator[Chunk]:
    """Chunks of lines that are longer than a chunk may be."""
    text, ends, _, _ = layout
    for line in range(first, last + 1):
        at, stop = ends[line - 1], ends[line]
        while at < stop:
            cut = min(at + HARD, stop)
            while cut < stop and text[cut] & 0xC0 == 0x80:  # inside a character
                cut -= 1
            yield Chunk(at, cut, line, line, symbol)
            at = cut
