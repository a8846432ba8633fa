"""Which pieces of a file can be shown on their own?

A *tile* is a run of whole lines between two clean cuts (`tokens.clean_cut`): a function with its
decorators and doc comment, or a chunk of what stands between functions. Tiles follow one another
without gaps, so any choice of them is a choice of line ranges whose token counts add up exactly.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from repoctx import tokens
from repoctx.counters import QWEN, Counter
from repoctx.types import Chunk, Detail, Import, Reason, Symbol

FUNCTIONS = frozenset({"function", "method", "constructor", "property", "test", "macro"})
# A file without chunks is tiled in pieces of about one screen.
SCREEN = 40
# Names that an import of a file has are looked for in what is shown of it.
_NAME = re.compile(r"[^\W\d]\w*")
# The rank of what was not hit.
UNRANKED = 1 << 30
# A signature or class header longer than this is shown by its first lines.
HEAD_LINES = 12


class Fragment(NamedTuple):
    """Consecutive lines of a file that are in the pack, or a file of which only names are."""

    path: str
    start_line: int
    end_line: int
    detail: Detail
    tokens: int  # of its lines, without frames and marks
    score: float
    reasons: tuple[Reason, ...]
    rank: int  # of the best hit in it; UNRANKED if none
    core: bool
    names: tuple[str, ...] = ()


class Document(NamedTuple):
    """A file that may go into a pack."""

    path: str  # as the pack shows it
    language: str
    text: str  # of the blob without its secrets, not yet neutralised by `tokens`
    symbols: Sequence[Symbol]
    chunks: Sequence[Chunk]
    line_tokens: Sequence[int]  # line_counts(tokens.neutralise(text)) of the counter, as stored that of QWEN
    imports: Sequence[Import] = ()
    changed: int = 0  # how late it was changed: what is higher was changed later; 0 where nothing is known
    repository: str = ""  # of a pack of several: its name, with which the path begins
    redacted: Sequence[tuple[int, str]] = ()  # line and kind of each secret that was cut out of the text


class Tile(NamedTuple):
    """Lines `start` to `end`; `symbol` is the function that the tile is, or -1."""

    start: int
    end: int
    symbol: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document made ready for choosing from it."""

    document: Document
    lines: list[str]  # neutralised, without line feeds
    sums: list[int]  # tokens of the first n lines, for n from 0 to the number of lines
    tiles: list[Tile]  # in order; empty if the file is blank
    tile_starts: list[int]
    symbol_starts: list[int]
    imported: Mapping[str, list[int]]  # local name -> the lines that import it
    counter: Counter

    def tokens(self, start: int, end: int) -> int:
        """Tokens of lines start to end: between clean cuts exact with Qwen's tokenizer, close with others."""
        return self.sums[end] - self.sums[start - 1]


def counted(document: Document, counter: Counter) -> Document:
    """The document with another counter's line counts, its text safe from that one's control words too."""
    text = counter.neutralise(document.text)
    return document._replace(text=text, line_tokens=counter.line_counts(text).tolist())


def sheet(
    document: Document, limit: int, counter: Counter = QWEN, written: Callable[[str], str] | None = None
) -> Sheet:
    """The document's tiles: every function of at most `limit` tokens is one tile.

    `written` says how a pack writes a line, with its line feed, where that is not as it stands.
    """
    lines, counts = readable(document, counter)
    if written is not None:
        counts = counter.line_counts("".join(map(written, lines))).tolist()
    sums = np.concatenate(([0], np.cumsum(np.asarray(counts, np.int64)))).tolist()
    bounds = _bounds(document, lines, sums, limit)
    starts = [start for start, _ in bounds]
    ends = [start - 1 for start in starts[1:]] + [len(lines)]
    tiles = [Tile(start, end, symbol) for (start, symbol), end in zip(bounds, ends, strict=False)]
    imported: dict[str, list[int]] = {}
    for one in document.imports:
        if one.alias and one.line <= len(lines):
            imported.setdefault(one.alias.partition(".")[0], []).append(one.line)
    symbol_starts = [symbol.start_line for symbol in document.symbols]
    return Sheet(document, lines, sums, tiles, starts, symbol_starts, imported, counter)


def readable(document: Document, counter: Counter = QWEN) -> tuple[list[str], Sequence[int]]:
    """The document's neutralised lines, and their token counts.

    A file whose first visible character follows a carriage return has no clean cut before it: that white
    space is left out, and the file is counted again.
    """
    text = tokens.neutralise(document.text)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if not lines or tokens.clean_cut(lines[first]):
        return lines, document.line_tokens
    lines[first] = lines[first].lstrip()
    return lines, counter.line_counts("\n".join(lines) + "\n").tolist()


def _bounds(document: Document, lines: list[str], sums: list[int], limit: int) -> list[tuple[int, int]]:
    """Where tiles start, each with its function or -1: at functions, behind them, and at chunks."""
    last = len(lines)
    bounds: dict[int, int] = {1: -1}
    inside: list[tuple[int, int]] = []
    covered = 0
    for index, symbol in enumerate(document.symbols):
        start, end = symbol.start_line, min(symbol.end_line, last)
        if symbol.kind in FUNCTIONS and covered < start <= end and sums[end] - sums[start - 1] <= limit:
            bounds[start] = index
            bounds.setdefault(end + 1, -1)
            inside.append((start, end))
            covered = end
    starts = [start for start, _ in inside]
    for line in [chunk.start_line for chunk in document.chunks] or range(1, last + 1, SCREEN):
        before = bisect_right(starts, line) - 1
        if before < 0 or line > inside[before][1]:
            bounds.setdefault(line, -1)
    clean: dict[int, int] = {}
    for line in sorted(bounds):
        at = line
        while at <= last and not tokens.clean_cut(lines[at - 1]):
            at += 1
        if at <= last and (at not in clean or at == line):
            clean[at] = bounds[line]
    return sorted(clean.items())


def tiles_of(page: Sheet, start: int, end: int) -> range:
    """Indices of the tiles that share a line with lines start to end, blank lines at their start apart."""
    end = min(end, len(page.lines))
    while start < end and not tokens.clean_cut(page.lines[start - 1]):
        start += 1
    low = max(bisect_right(page.tile_starts, start) - 1, 0)
    return range(low, max(bisect_right(page.tile_starts, end), low))


def head(page: Sheet, symbol: int) -> tuple[int, int] | None:
    """The lines of a symbol's signature or header up to its body, or None where no clean cut bounds them."""
    found = page.document.symbols[symbol]
    start = found.name_line
    end = max(start, min(found.body_line - 1, start + HEAD_LINES - 1))
    if end > len(page.lines) or not tokens.clean_cut(page.lines[start - 1]):
        return None
    while end < len(page.lines) and not tokens.clean_cut(page.lines[end]):
        end += 1
    return start, end


def imports_of(page: Sheet, tile: Tile) -> list[tuple[int, int]]:
    """The lines that import what the tile names, and those that open their statements, as far as cuts are clean."""
    wanted = page.imported
    if not wanted or tile.symbol < 0:
        return []
    names = set(_NAME.findall("\n".join(page.lines[tile.start - 1 : tile.end])))
    lines = {line for name in names & wanted.keys() for line in wanted[name] if not tile.start <= line <= tile.end}
    lines |= {opener for line in lines if (opener := _opener(page.lines, line)) is not None}
    return [(line, line) for line in sorted(lines) if _apart(page.lines, line)]


def _opener(lines: Sequence[str], line: int) -> int | None:
    """The line above that is indented less, where a statement of several lines begins; None for one that is not."""
    indent = _indent(lines[line - 1])
    if not indent:
        return None
    above = (number for number in range(line - 1, 0, -1) if lines[number - 1].strip())
    return next((number for number in above if _indent(lines[number - 1]) < indent), None)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _apart(lines: Sequence[str], line: int) -> bool:
    """Whether a line can be shown alone."""
    return tokens.clean_cut(lines[line - 1]) and (line == len(lines) or tokens.clean_cut(lines[line]))


def heads_around(page: Sheet, tile: Tile) -> list[tuple[int, int]]:
    """The headers of the classes, and of the functions too large for a tile, that the tile stands in."""
    heads = []
    index = bisect_right(page.symbol_starts, tile.start) - 1
    while index >= 0:
        symbol = page.document.symbols[index]
        if symbol.end_line >= tile.end and symbol.name_line < tile.start:
            found = head(page, index)
            if found and found[1] < tile.start:
                heads.append(found)
        index = symbol.parent
    return heads
