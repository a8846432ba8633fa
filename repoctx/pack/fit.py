"""What fits into the budget?

Every tile of every file that was hit is a candidate: hit tiles by their rank, the other tiles of a file
by the file's best rank, much discounted; functions that were not hit may show their signature alone.
Candidates are taken by value per token until the budget is spent, so a small budget holds the bodies of
the best hits, a larger one more hits and the signatures around them, a very large one whole files. With a
body come the headers of the classes around it and the imports that it names. Every step counts what it
really adds: lines, headers, file frames, and the marks of what is left out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from repoctx.counters import QWEN, Counter
from repoctx.errors import BudgetError
from repoctx.pack import render
from repoctx.pack.ranges import Chosen, Cost, Lines, take
from repoctx.pack.render import XML, Format
from repoctx.pack.tile import UNRANKED, Document, Fragment, Sheet, head, heads_around, imports_of, sheet, tiles_of
from repoctx.types import Detail, Hit, Reason

# Value of the hit of rank r is 1 / (RANK + r), as in reciprocal rank fusion.
RANK = 10
# A candidate is taken by value / tokens ** SIZE: 1 would fill the pack with tiny functions, 0 would let one
# long function push out several that rank just below it. (Issues of 6 repositories, all functions to change in packs
# of 13k / 27k / 100k tokens: .780 / .847 / .915 at 0.3, .780 / .864 / .932 at 0.5.)
SIZE = 0.5
# Priorities that differ less are alike, and decided by path: where a push moves a rank by one, the pack stays.
STEPS = 10  # per factor of e
# What a tile that was not hit is worth beside the best hit of its file, and its signature alone.
SURROUNDING = 0.05
SIGNATURE = 0.01
# A function is shown whole up to a quarter of the budget, and up to this many tokens.
WHOLE = 4000
# The core takes the best hits until it holds this many tokens.
CORE = 12_000
# Imports that a body names are shown with it if they take at most this share of its tokens.
IMPORTS = 0.2
# Files are opened in the order of their best hits until they hold this many tokens and some budgets.
OPEN, OPEN_BUDGETS = 200_000, 2
# Of a file that has more than this and more than the budget no more is counted: it could not show more.
LARGE = 20_000
# No candidate costs less: a line, and a mark or a merge.
LEAST = 2
# Of what is left below this part of the budget nothing more is made.
ENOUGH = 500
UNLIMITED = 1 << 40
# The same text is shown once, unless it is so short that it says little.
SAME = 64
# Names listed for a file of which nothing else fits.
NAMES = 12


class Candidate(NamedTuple):
    """A tile, or its signature, that may be taken."""

    priority: int  # higher is taken first
    path: str
    tile: int
    whole: bool
    hit: bool


def fit(
    hits: Sequence[Hit],
    documents: Mapping[str, Document],
    budget: int,
    counter: Counter = QWEN,
    style: Format = XML,
    *,
    forced: int = 0,
    shown: Collection[str] = (),
) -> list[Fragment]:
    """The best choice of fragments whose blocks take at most `budget` tokens together.

    Hits come best first; those without a document are left out. The first `forced` of them go in whole, or BudgetError
    is raised. Of files that are `shown` in full elsewhere only the core is shown again. The documents' lines are those
    of the counter; with one other than Qwen's the blocks may take a few tokens more.
    """
    pages = _open(hits, documents, budget, counter, style, forced)
    files = {path: Chosen(page, render.frame_of(page.document, counter, style), style) for path, page in pages.items()}
    left = _force(hits[:forced], files, budget)
    core_left = CORE
    seen: set[str] = set()
    enough = max(LEAST, budget // ENOUGH)
    for candidate in _candidates(hits, files, shown):
        if left < enough:
            break
        file = files[candidate.path]
        if (candidate.path in shown and core_left <= 0) or _too_large(file, candidate, left):
            continue
        cost = take(file, _wanted(file.page, candidate), left)
        if not cost or _repeats(file, candidate, seen, cost):
            continue
        left -= cost.tokens
        if candidate.hit and core_left > 0:
            file.core.add(candidate.tile)
            core_left -= cost.tokens
    fragments = [fragment for path in sorted(files) for fragment in _fragments(files[path])]
    return fragments + _named(hits, files, left, counter, style, shown)


def needed(
    hits: Sequence[Hit], documents: Mapping[str, Document], counter: Counter = QWEN, style: Format = XML
) -> int:
    """Tokens of the blocks of hits that must go in whole."""
    pages = _open(hits, documents, 4 * WHOLE, counter, style, len(hits))
    files = {path: Chosen(page, render.frame_of(page.document, counter, style), style) for path, page in pages.items()}
    return UNLIMITED - _force(hits, files, UNLIMITED)


def _open(
    hits: Sequence[Hit],
    documents: Mapping[str, Document],
    budget: int,
    counter: Counter,
    style: Format,
    forced: int,
) -> dict[str, Sheet]:
    pages: dict[str, Sheet] = {}
    room = OPEN + OPEN_BUDGETS * budget
    must = {hit.path for hit in hits[:forced]}
    for path in dict.fromkeys(hit.path for hit in hits):
        if path in documents and (room > 0 or path in must):
            pages[path] = sheet(documents[path], min(WHOLE, budget // 4), counter, style.line)
            room -= min(pages[path].sums[-1], max(budget, LARGE))
    return pages


def _force(hits: Sequence[Hit], files: Mapping[str, Chosen], budget: int) -> int:
    """Take hits whatever they are worth; the tokens that are left."""
    left = budget
    for hit in hits:
        if hit.path not in files:
            continue
        file = files[hit.path]
        page = file.page
        tiles = tiles_of(page, hit.start_line, hit.end_line)
        if not page.tiles or not tiles:
            continue
        lines = (page.tiles[tiles[0]].start, page.tiles[tiles[-1]].end)
        cost = take(file, [*heads_around(page, page.tiles[tiles[0]]), lines], None)
        left -= cost.tokens if cost else 0
        file.core.update(tiles)
    if left < 0:
        raise BudgetError(
            f"What is to be shown in any case takes {budget - left:,} tokens, and there is room for {budget:,}: ask "
            "for fewer files, symbols or changes, or for a larger budget."
        )
    return left


# --- candidates --------------------------------------------------------------------------------


def _candidates(hits: Sequence[Hit], files: Mapping[str, Chosen], shown: Collection[str]) -> list[Candidate]:
    """All candidates, best first."""
    best: dict[str, int] = {}
    for rank, hit in enumerate(hits):
        if hit.path in files:
            best.setdefault(hit.path, rank)
            first = files[hit.path].hits
            for index in tiles_of(files[hit.path].page, hit.start_line, hit.end_line):
                first.setdefault(index, (rank, hit))
    found = [
        candidate
        for path in best
        for candidate in _of_file(files[path], path, best[path])
        if candidate.hit or path not in shown
    ]
    return sorted(found, key=lambda c: (-c.priority, c.path, c.tile, c.whole))


def _of_file(file: Chosen, path: str, first: int) -> Iterator[Candidate]:
    """The candidates of a file whose best hit has rank `first`."""
    page = file.page
    for index, tile in enumerate(page.tiles):
        size = page.tokens(tile.start, tile.end) + LEAST
        if index in file.hits:
            rank, _ = file.hits[index]
            yield Candidate(_priority(1 / (RANK + rank), size), path, index, True, True)
            continue
        yield Candidate(_priority(SURROUNDING / (RANK + first), size), path, index, True, False)
        if tile.symbol >= 0 and (lines := head(page, tile.symbol)):
            size = page.tokens(*lines) + LEAST
            yield Candidate(_priority(SIGNATURE / (RANK + first), size), path, index, False, False)


def _priority(value: float, size: int) -> int:
    return round(STEPS * (math.log(value) - SIZE * math.log(size)))


def _wanted(page: Sheet, candidate: Candidate) -> list[Lines]:
    """The lines that a candidate shows: its own, and what is needed to read them."""
    tile = page.tiles[candidate.tile]
    lines = (tile.start, tile.end) if candidate.whole else head(page, tile.symbol)
    wanted = [*heads_around(page, tile), *([lines] if lines else [])]
    if candidate.whole and candidate.hit:
        imports = imports_of(page, tile)
        if sum(page.tokens(*one) for one in imports) <= IMPORTS * page.tokens(tile.start, tile.end):
            wanted += imports
    return wanted


def _too_large(file: Chosen, candidate: Candidate, left: int) -> bool:
    """Whether a tile of which nothing is shown yet has more tokens than are left: the quick look before `take`."""
    tile = file.page.tiles[candidate.tile]
    if not candidate.whole or file.page.tokens(tile.start, tile.end) <= left:
        return False
    after = bisect_left(file.ranges, (tile.end + 1, 0))
    return not after or file.ranges[after - 1][1] < tile.start


def _repeats(file: Chosen, candidate: Candidate, seen: set[str], cost: Cost) -> bool:
    """Whether the candidate's text, if it is long enough to matter, is in the pack already; then it is put back."""
    page = file.page
    tile = page.tiles[candidate.tile]
    if not candidate.whole or page.tokens(tile.start, tile.end) < SAME:
        return False
    text = "\n".join(page.lines[tile.start - 1 : tile.end]).strip()
    if text in seen:
        file.ranges = cost.before
        return True
    seen.add(text)
    return False


# --- what was chosen ---------------------------------------------------------------------------


def _fragments(file: Chosen) -> list[Fragment]:
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
    hits: Sequence[Hit],
    files: Mapping[str, Chosen],
    left: int,
    counter: Counter,
    style: Format,
    shown: Collection[str],
) -> list[Fragment]:
    """The files of which nothing fitted, by the names that were hit, as far as the budget goes."""
    found: list[Fragment] = []
    wanted: dict[str, list[str]] = {}
    for hit in hits:
        file = files.get(hit.path)
        if file and file.hits and not file.ranges and hit.qualified_name and hit.path not in shown:
            wanted.setdefault(hit.path, []).append(hit.qualified_name)
    for path, symbols in wanted.items():
        listed = tuple(dict.fromkeys(symbols))[:NAMES]
        cost = render.names_tokens(path, listed, counter, style)
        if cost > left:
            continue
        left -= cost
        rank, hit = min(files[path].hits.values(), key=lambda pair: pair[0])
        last = len(files[path].page.lines)
        found.append(Fragment(path, 1, last, "name", cost, hit.score, hit.reasons, rank, False, listed))
    return found
