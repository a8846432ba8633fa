"""Which pieces of a text are shown and found as one?

Chunks tile the text and begin at line starts. They follow its symbols: a definition stays with
its comment and decorators, small neighbours share a chunk, a large definition is cut at its
members, at blank lines, at lines. Text without symbols is cut where its sections begin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from repoctx.parse.symbols import CALLABLES
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
"""What facts depend on here, for `languages.parser_version`."""


class _Piece(NamedTuple):
    """Whole lines that belong together."""

    first: int  # 1-based, inclusive
    last: int
    symbol: int
    alone: bool  # never shares a chunk


class _Layout(NamedTuple):
    """A text by lines, and its definitions by who encloses them."""

    text: bytes
    ends: list[int]  # offset behind each line; ends[0] is 0, so that line n is ends[n-1]:ends[n]
    symbols: Sequence[Symbol]
    members: dict[int, list[int]]

    def size(self, first: int, last: int) -> int:
        return self.ends[last] - self.ends[first - 1]


def chunk(text: bytes, symbols: Sequence[Symbol], sections: str = "") -> list[Chunk]:
    """The chunks of a text, in order; none if it is empty.

    `symbols` are those of the text, in order. `sections` is the expression of the language's row
    that finds where the pieces of a text without symbols begin.
    """
    if not text:
        return []
    ends = [0, *accumulate([len(line) + 1 for line in text.split(b"\n")])]
    ends.pop()  # what stands behind the last newline: nothing, or a line without one
    if ends[-1] < len(text):
        ends.append(len(text))
    members: dict[int, list[int]] = {}
    for index, symbol in enumerate(symbols):
        members.setdefault(symbol.parent, []).append(index)
    layout = _Layout(text, ends, symbols, members)
    if symbols or not sections:
        pieces = _tile(layout, 1, len(ends) - 1, -1, 0)
    else:
        pieces = _share(layout, _sections(layout, sections), -1)
    return [made for piece in pieces for made in _chunks(layout, piece)]


def _tile(layout: _Layout, first: int, last: int, symbol: int, depth: int) -> list[_Piece]:
    """Pieces that tile these lines: the members of a symbol and what stands between them."""
    whole: list[_Piece] = []  # runs of pieces that may share chunks, and pieces that are done
    run: list[_Piece] = []
    at = first
    for member in layout.members.get(symbol, ()):
        start, end = max(layout.symbols[member].start_line, at), min(layout.symbols[member].end_line, last)
        if end < start:
            continue
        if start > at:
            run += _gap(layout, at, start - 1, symbol)
        size = layout.size(start, end)
        if size <= LARGE:
            run.append(_Piece(start, end, member, size > ALONE and layout.symbols[member].kind in CALLABLES))
        elif depth < DEEPEST and member in layout.members:
            whole += _share(layout, run, symbol)
            whole += _tile(layout, start, end, member, depth + 1)
            run = []
        else:
            run += _cut(layout, start, end, member)
        at = end + 1
    if at <= last:
        rest = _gap(layout, at, last, symbol)
        if at > first and symbol >= 0 and layout.size(at, last) <= CLOSING:
            (run or whole)[-1] = (run or whole)[-1]._replace(last=last)
        else:
            run += rest
    return whole + _share(layout, run, symbol)


def _gap(layout: _Layout, first: int, last: int, symbol: int) -> Iterable[_Piece]:
    """Pieces of the lines between definitions."""
    if layout.size(first, last) <= LARGE:
        return (_Piece(first, last, symbol, False),)
    return _cut(layout, first, last, symbol)


def _share(layout: _Layout, pieces: Iterable[_Piece], around: int) -> list[_Piece]:
    """Small neighbours as one piece; lines without a word go with what stands before them."""
    shared: list[_Piece] = []
    for piece in pieces:
        if shared:
            before = shared[-1]
            size = layout.size(before.first, piece.last)
            if size <= TARGET and not (piece.alone or before.alone):
                symbol = before.symbol if before.symbol == piece.symbol or around < 0 <= before.symbol else around
                symbol = piece.symbol if symbol < 0 else symbol
                shared[-1] = _Piece(before.first, piece.last, symbol, False)
                continue
            if size <= HARD and _wordless(layout, piece):
                shared[-1] = before._replace(last=piece.last)
                continue
            if size <= HARD and _wordless(layout, before):
                shared[-1] = piece._replace(first=before.first)
                continue
        shared.append(piece)
    return shared


def _wordless(layout: _Layout, piece: _Piece) -> bool:
    start, end = layout.ends[piece.first - 1], layout.ends[piece.last]
    return end - start <= CLOSING and not layout.text[start:end].strip(b" \t\r\n\f{}()[];,")


@cache
def _compiled(sections: str) -> re.Pattern[str]:
    return re.compile(sections)


def _sections(layout: _Layout, sections: str) -> Iterator[_Piece]:
    """Pieces that begin where the expression finds a section."""
    ends = layout.ends
    found = _compiled(sections).finditer(layout.text.decode("latin-1"))
    offsets = {match.start() for match in found if (match.lastgroup or "").startswith("cut")}
    first = 1
    for line in range(2, len(ends) + 1):
        if line == len(ends) or ends[line - 1] in offsets:
            size = layout.size(first, line - 1)
            if size <= LARGE:
                yield _Piece(first, line - 1, -1, size > ALONE)
            else:
                yield from _cut(layout, first, line - 1, -1)
            first = line


def _cut(layout: _Layout, first: int, last: int, symbol: int) -> Iterator[_Piece]:
    """Lines too large for one chunk, cut behind blank lines at the least indentation, else at lines."""
    ends = layout.ends
    while layout.size(first, last) > LARGE:
        best, at = (2, 0, 0), first + 1
        while at <= last and layout.size(first, at - 1) <= LARGE:
            if ends[at - 1] - ends[first - 1] >= LARGE // 4:  # smaller pieces would say too little
                line = layout.text[ends[at - 1] : ends[at]]
                rest = line.lstrip()
                if rest:
                    behind = layout.text[ends[at - 2] : ends[at - 1]].strip()
                    best = min(best, (bool(behind), len(line) - len(rest), -at))
            at += 1
        cut = -best[2] or max(first + 1, at - 1)
        yield _Piece(first, cut - 1, symbol, True)
        first = cut
        if first > last:
            return
    yield _Piece(first, last, symbol, True)


def _chunks(layout: _Layout, piece: _Piece) -> Iterator[Chunk]:
    """The chunk of a piece; several where one line is longer than a chunk may be."""
    start, end = layout.ends[piece.first - 1], layout.ends[piece.last]
    if end - start <= HARD:
        yield Chunk(start, end, piece.first, piece.last, piece.symbol)
        return
    for line in range(piece.first, piece.last + 1):
        at, stop = layout.ends[line - 1], layout.ends[line]
        while at < stop:
            cut = min(at + HARD, stop)
            while cut < stop and layout.text[cut] & 0xC0 == 0x80:  # inside a character
                cut -= 1
            yield Chunk(at, cut, line, line, piece.symbol)
            at = cut
