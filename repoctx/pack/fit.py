"""What fits into the budget?

Every tile of every file that was hit is a candidate: hit tiles by their rank, the other tiles of a file
by the file's best rank, much discounted; functions that were not hit may show their signature alone.
Candidates are taken by value per token until the budget is spent, so a small budget holds the bodies of
the best hits, a larger one more hits and the signatures around them, a very large one whole files. Every
step counts what it really adds: lines, class headers, file frames, and the marks of what is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from repoctx.counters import QWEN, Counter
from repoctx.pack import render
from repoctx.pack.tile import Document, Fragment, Sheet, head, heads_around, sheet, tiles_of
from repoctx.types import Detail, Hit, Reason

# Value of the hit of rank r is 1 / (RANK + r), as in reciprocal rank fusion.
RANK = 10
# A candidate is taken by value / tokens ** SIZE: 1 would fill the pack with tiny functions, 0 would let one
# long function push out several that rank just below it.
SIZE = 0.3
# What a tile that was not hit is worth beside the best hit of its file, and its signature alone.
SURROUNDING = 0.05
SIGNATURE = 0.01
# A function is shown whole up to a quarter of the budget, and up to this many tokens.
WHOLE = 4000
# The core takes the best hits until it holds this many tokens, or an eighth of the budget.
CORE = 12_000
# Files are opened in the order of their best hits until they hold this many tokens and some budgets.
OPEN = 400_000
# No candidate costs less: a line, and a mark or a merge.
LEAST = 2
# The same text is shown once, unless it is so short that it says little.
SAME = 64
# Names listed for a file of which nothing else fits.
NAMES = 12
UNRANKED = 1 << 30


class Candidate(NamedTuple):
    """A tile, or its signature, that may be taken."""

    priority: float  # higher is taken first
    rank: int  # of the hit, or of the file's best hit
    path: str
    tile: int
    whole: bool
    hit: Hit | None


@dataclass(slots=True)
class _Chosen:
    """What has been chosen of one file so far."""

    page: Sheet
    frame: int
    ranges: list[tuple[int, int]] = field(default_factory=list)
    cost: int = 0
    hits: dict[int, tuple[int, Hit]] = field(default_factory=dict)  # tile -> its best rank and hit
    core: set[int] = field(default_factory=set)


def fit(
    hits: Sequence[Hit], documents: Mapping[str, Document], budget: int, counter: Counter = QWEN
) -> list[Fragment]:
    """The best choice of fragments whose blocks take at most `budget` tokens together.

    Hits come best first; those without a document are left out. The documents' lines are those of the counter;
    with one other than Qwen's the blocks may take a few tokens more.
    """
    pages = _open(hits, documents, budget, counter)
    files = {path: _Chosen(page, render.frame_tokens(path, counter)) for path, page in pages.items()}
    left, core_left = budget, max(CORE, budget // 8)
    seen: set[str] = set()
    for candidate in _candidates(hits, files):
        if left < LEAST:
            break
        file = files[candidate.path]
        ranges, cost = _grown(file, candidate)
        if cost - file.cost > left or ranges == file.ranges or _repeats(file.page, candidate, seen):
            continue
        left -= cost - file.cost
        if candidate.hit and core_left > 0:
            file.core.add(candidate.tile)
            core_left -= cost - file.cost
        file.ranges, file.cost = ranges, cost
    fragments = [fragment for path in sorted(files) for fragment in _fragments(files[path])]
    return fragments + _named(hits, files, left, counter)


def _open(
    hits: Sequence[Hit], documents: Mapping[str, Document], budget: int, counter: Counter
) -> dict[str, Sheet]:
    pages: dict[str, Sheet] = {}
    room = OPEN + 4 * budget
    for path in dict.fromkeys(hit.path for hit in hits):
        if path in documents and room > 0:
            pages[path] = sheet(documents[path], min(WHOLE, budget // 4), counter)
            room -= pages[path].sums[-1]
    return pages


def _candidates(hits: Sequence[Hit], files: Mapping[str, _Chosen]) -> list[Candidate]:
    """All candidates, best first."""
    best: dict[str, int] = {}
    for rank, hit in enumerate(hits):
        if hit.path in files:
            best.setdefault(hit.path, rank)
            for index in tiles_of(files[hit.path].page, hit.start_line, hit.end_line):
                files[hit.path].hits.setdefault(index, (rank, hit))
    found = [candidate for path in best for candidate in _of_file(files[path], path, best[path])]
    return sorted(found, key=lambda c: (-c.priority, c.rank, c.path, c.tile, c.whole))


def _of_file(file: _Chosen, path: str, first: int) -> Iterator[Candidate]:
    """The candidates of a file whose best hit has rank `first`."""
    page = file.page
    for index, tile in enumerate(page.tiles):
        size = page.tokens(tile.start, tile.end) + LEAST
        if index in file.hits:
            rank, hit = file.hits[index]
            yield Candidate(1 / (RANK + rank) / size**SIZE, rank, path, index, True, hit)
            continue
        yield Candidate(SURROUNDING / (RANK + first) / size**SIZE, first, path, index, True, None)
        if tile.symbol >= 0 and (lines := head(page, tile.symbol)):
            size = page.tokens(*lines) + LEAST
            yield Candidate(SIGNATURE / (RANK + first) / size**SIZE, first, path, index, False, None)


def _grown(file: _Chosen, candidate: Candidate) -> tuple[list[tuple[int, int]], int]:
    """The file's line ranges with the candidate, and the tokens of its block then."""
    page = file.page
    tile = page.tiles[candidate.tile]
    lines = (tile.start, tile.end) if candidate.whole else head(page, tile.symbol)
    ranges = _merged(page, [*file.ranges, *heads_around(page, tile), *([lines] if lines else [])])
    gaps = [(a[1] + 1, b[0] - 1) for a, b in pairwise(ranges)]
    cost = file.frame + len(str(ranges[0][0])) + len(str(ranges[-1][1]))
    cost += sum(page.tokens(*lines) for lines in ranges)
    cost += sum(render.elision_tokens(*gap, page.counter) for gap in gaps)
    return ranges, cost


def _merged(page: Sheet, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order, joined where they meet or where the gap costs no more than its mark."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if out and (
            start <= out[-1][1] + 1
            or page.tokens(out[-1][1] + 1, start - 1)
            <= render.elision_tokens(out[-1][1] + 1, start - 1, page.counter)
        ):
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def _repeats(page: Sheet, candidate: Candidate, seen: set[str]) -> bool:
    """Whether the candidate's text, if it is long enough to matter, is in the pack already; remembers it."""
    tile = page.tiles[candidate.tile]
    if not candidate.whole or page.tokens(tile.start, tile.end) < SAME:
        return False
    text = "\n".join(page.lines[tile.start - 1 : tile.end]).strip()
    if text in seen:
        return True
    seen.add(text)
    return False


def _fragments(file: _Chosen) -> list[Fragment]:
    """The chosen ranges, cut where whole tiles and signatures meet."""
    page, path = file.page, file.page.document.path
    pieces: list[tuple[int, int, bool, list[int]]] = []  # start, end, whole, tiles
    for start, end in file.ranges:
        fresh = True
        for index in tiles_of(page, start, end):
            tile = page.tiles[index]
            whole = start <= tile.start and tile.end <= end
            first, last = max(start, tile.start), min(end, tile.end)
            if not fresh and pieces[-1][2] == whole:
                pieces[-1] = (pieces[-1][0], last, whole, [*pieces[-1][3], index])
            else:
                pieces.append((first, last, whole, [index]))
            fresh = False
    outline: Detail = "signature" if len(pieces) == 1 or any(piece[2] for piece in pieces) else "skeleton"
    fragments = []
    for start, end, whole, tiles in pieces:
        ranked = [file.hits[tile] for tile in tiles if whole and tile in file.hits]
        rank, hit = min(ranked, key=lambda pair: pair[0]) if ranked else (UNRANKED, None)
        fragments.append(
            Fragment(
                path, start, end, "full" if whole else outline, page.tokens(start, end),
                hit.score if hit else 0.0, hit.reasons if hit else (Reason("surrounding", "", 1.0),),
                rank, whole and any(tile in file.core for tile in tiles),
            )
        )  # fmt: skip
    return fragments


def _named(
    hits: Sequence[Hit], files: Mapping[str, _Chosen], left: int, counter: Counter
) -> list[Fragment]:
    """The files of which nothing fitted, by the names that were hit, as far as the budget goes."""
    found: list[Fragment] = []
    wanted: dict[str, list[str]] = {}
    for hit in hits:
        file = files.get(hit.path)
        if file and file.hits and not file.ranges and hit.qualified_name:
            wanted.setdefault(hit.path, []).append(hit.qualified_name)
    for path, symbols in wanted.items():
        listed = tuple(dict.fromkeys(symbols))[:NAMES]
        cost = render.names_tokens(path, listed, counter)
        if cost > left:
            continue
        left -= cost
        rank, hit = min(files[path].hits.values(), key=lambda pair: pair[0])
        last = len(files[path].page.lines)
        found.append(Fragment(path, 1, last, "name", cost, hit.score, hit.reasons, rank, False, listed))
    return found
