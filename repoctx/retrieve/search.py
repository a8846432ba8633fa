"""Where in these snapshots is what the query asks for?

Rankers say what they see (`evidence`), weights add it up (`fuse`), and the best chunks, symbols or files are the
hits. What the graph and the history add starts from what the others found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.retrieve import evidence, fuse
from repoctx.retrieve.evidence import Evidence
from repoctx.retrieve.fuse import Weights
from repoctx.retrieve.index import Index
from repoctx.retrieve.query import Kind, Query
from repoctx.retrieve.reasons import reasons, teller
from repoctx.spans import ranges
from repoctx.types import KINDS, Hit, Reason

Level = Literal["chunk", "symbol", "file"]
Scores = NDArray[np.float64]

# A second hit in one file counts this much less, a third that again: a short list shows several files
# (NDCG@10 of code search +.010 against 0.85, no further gain at 0.25).
REPEAT = 0.5
# The best chunks whose symbols are looked at, and those in which the walk through the graph begins.
CANDIDATES, SEED_CANDIDATES = 1500, 400
# Rankers that start from what the others found: where none has a weight nothing starts.
WIDENING = frozenset({"graph", "together"})
# Of so many times as many chunks as there shall be hits the best are taken; of more where these are of few files.
FIRST_LOOK = 20
# Chunks of a long symbol that are looked at, from its beginning.
MOST_CHUNKS = 40
# What the smallest part of a chunk has of the chunk's score; all of it has all.
PART = 0.5
# Variables and fields say less than what can be called or made, unless the query names them.
MINOR = frozenset({"variable", "constant", "field", "property", "enum_member", "macro"})
MINOR_FACTOR = 0.7

_KIND_FACTOR = np.array([MINOR_FACTOR if kind in MINOR else 1.0 for kind in KINDS])


class Wanted(NamedTuple):
    """What hits may be."""

    language: str | None = None
    path: str | None = None  # a pattern, see `places.glob`
    kinds: frozenset[str] = frozenset()  # of symbols; empty: any
    without: tuple[str, ...] = ()  # patterns of paths that are left out


ANYTHING = Wanted()


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """A snapshot's chunks with their scores. F files, D chunks."""

    index: Index
    found: Evidence
    weights: Weights  # of this snapshot beside others
    own: Scores  # (D,) of the chunks themselves
    file: Scores  # (F,) of their files
    allowed: NDArray[np.bool_]  # (D,)

    @property
    def total(self) -> Scores:
        """(D,) what chunks are ranked by; 0 is no hit."""
        of = self.index.view.chunks.file
        scores = np.round((self.own + self.file[of]) * self.found.factors[of], fuse.DECIMALS)
        return np.where(self.allowed & (self.own > 0), scores, 0.0)


def search(
    indexes: Sequence[Index],
    query: Query,
    k: int,
    level: Level = "chunk",
    wanted: Wanted = ANYTHING,
    *,
    weights: Sequence[Mapping[Kind, Weights]] | None = None,
    spread: bool = True,
) -> list[tuple[int, Hit]]:
    """The k best hits in some snapshots, best first, each with the number of its snapshot; ties by number, path, line.

    `spread` keeps one file from filling the list. `weights` are those of each snapshot.
    """
    given = [of[query.kind] for of in weights or [fuse.weights()] * len(indexes)]
    rankings = rank(indexes, query, wanted, given)
    found: list[list[Best]] = []
    for ranking in rankings:
        best = best_symbols(ranking, k, wanted.kinds) if level == "symbol" else best_places(ranking, k, level, spread)
        found.append(best)
    chosen = across(found)[:k]
    tellers = [
        teller(ranking.index, ranking.found, [one.row for at, one in chosen if at == number])
        for number, ranking in enumerate(rankings)
    ]
    return [(number, hit_of(rankings[number], one, level, tellers[number])) for number, one in chosen]


def across(found: Sequence[Sequence[Best]]) -> list[tuple[int, Best]]:
    """What was found in several snapshots, best first; ties by the snapshot's number and the order there."""
    scored = [(-one.score, number, place, one) for number, best in enumerate(found) for place, one in enumerate(best)]
    return [(number, one) for _, number, _, one in sorted(scored)]


def rank(indexes: Sequence[Index], query: Query, wanted: Wanted, given: Sequence[Weights]) -> list[Ranking]:
    """What all rankers say together. Of several snapshots each ranker counts as its best score there does to the
    best anywhere: a word that is all over one repository and once in another says more of the former."""
    everything = [evidence.gather(index, query) for index in indexes]
    first = [
        _ranking(index, found, beside, wanted)
        for index, found, beside in zip(indexes, everything, _beside(everything, given), strict=True)
    ]
    if not WIDENING & {ranker for weights in given for table in weights for ranker in table}:
        return first
    for ranking in first:
        best = best_symbols(ranking, evidence.SEEDS, frozenset(), SEED_CANDIDATES)
        seeds = np.array([one.symbol for one in best], np.int32)
        evidence.widen(ranking.index, ranking.found, seeds, np.array([one.score for one in best]))
    return [
        replace(ranking, weights=beside, file=fuse.fuse(found.file, beside.file, len(ranking.file)))
        for ranking, found, beside in zip(first, everything, _beside(everything, given), strict=True)
    ]


def _beside(everything: Sequence[Evidence], given: Sequence[Weights]) -> list[Weights]:
    """The weights of each snapshot, beside the others."""
    if len(everything) == 1:
        return list(given)
    peak: dict[str, float] = {}
    for found in everything:
        for ranker, best in found.peak.items():
            peak[ranker] = max(peak.get(ranker, 0.0), best)
    return [
        Weights(
            *(
                {r: w * found.peak.get(r, 1.0) / (peak.get(r) or 1.0) for r, w in table.items()}
                for table in weights
            )
        )
        for found, weights in zip(everything, given, strict=True)
    ]


def _ranking(index: Index, found: Evidence, weights: Weights, wanted: Wanted) -> Ranking:
    chunks, files = len(index.view.chunks.file), len(index.view.members)
    own = fuse.fuse(found.chunk, weights.chunk, chunks)
    return Ranking(index, found, weights, own, fuse.fuse(found.file, weights.file, files), _allowed(index, wanted))


def _allowed(index: Index, wanted: Wanted) -> NDArray[np.bool_]:
    """(D,) which chunks pass the filters."""
    view = index.view
    files = np.ones(len(view.members), bool)
    if wanted.language is not None:
        files &= np.array([found == wanted.language for found in view.languages], bool)
    if wanted.path is not None:
        files &= index.matching(wanted.path)
    for pattern in wanted.without:
        files &= ~index.matching(pattern)
    return files[view.chunks.file]


# --- the best ----------------------------------------------------------------------------------


class Best(NamedTuple):
    """A place and its score, before it is told."""

    score: float
    row: int  # of the chunk
    symbol: int  # -1: none
    part: float = 1.0  # what it has of the chunk's own score


def best_places(ranking: Ranking, k: int, level: Level, spread: bool) -> list[Best]:
    """The k best chunks: of a file its best chunk, or every chunk, repeats counting less."""
    scores, chunks, named = ranking.total, ranking.index.view.chunks, ranking.found.named
    most = FIRST_LOOK * k
    while True:
        rows = top(scores, most)
        rows = rows[np.lexsort((rows, -scores[rows]))]
        files = chunks.file[rows]
        by_file = np.argsort(files, kind="stable")
        first = np.searchsorted(files[by_file], files[by_file])
        repeats = np.empty(len(rows), np.int64)  # how many better chunks of its file there are
        repeats[by_file] = np.arange(len(rows)) - first
        if level == "file":
            discounted, best = scores[rows], np.flatnonzero(repeats == 0)[:k]
        else:
            times = np.float64(REPEAT) ** repeats if spread else np.float64(1)
            discounted = np.round(scores[rows] * times, fuse.DECIMALS)
            best = np.lexsort((rows, -discounted))[:k]
        # What was not looked at scores less than all that was.
        if len(rows) < most or (len(best) == k and discounted[best[-1]] >= scores[rows[-1]]):
            break
        most *= 4
    return [
        Best(float(discounted[i]), row, named.get(row, int(chunks.symbol[row])))
        for i, row in zip(best.tolist(), rows[best].tolist(), strict=True)
        if discounted[i] > 0
    ]


def best_symbols(ranking: Ranking, k: int, kinds: frozenset[str], candidates: int = CANDIDATES) -> list[Best]:
    """The k best symbols of those in the best chunks: what is said of their text, their name and their file."""
    index, found = ranking.index, ranking.found
    o, by_chunk, total = index.view.occurrences, index.symbols, ranking.total
    fits = np.isin(o.symbol_kind, [KINDS.index(kind) for kind in sorted(kinds)]) if kinds else None
    if fits is not None:  # of chunks without such a symbol nothing is wanted
        fitting = np.flatnonzero(fits)
        span = by_chunk.last[fitting] - by_chunk.first[fitting] + 1
        holding = np.zeros(len(total), np.bool_)
        holding[ranges(by_chunk.first[fitting], span)] = True
        total = np.where(holding, total, 0.0)
    symbols = index.symbols_of(top(total, candidates))
    symbols = symbols[ranking.allowed[by_chunk.first[symbols]]]
    if fits is not None:
        symbols = symbols[fits[symbols]]
    own, place, part = _best_chunk(ranking, symbols)
    file = o.symbol_file[symbols]
    weights = dict(ranking.weights.symbol)
    scores = own + weights.pop("file", 0.0) * ranking.file[file]
    for ranker in sorted(weights):
        if ranker in found.symbol:
            scores += weights[ranker] * found.symbol[ranker][symbols]
    scores *= symbol_factors(ranking, symbols)
    scores = np.round(scores, fuse.DECIMALS)
    best = np.lexsort((symbols, -scores))[:k]
    return [
        Best(float(scores[i]), int(place[i]), int(symbols[i]), float(part[i])) for i in best.tolist() if scores[i] > 0
    ]


def symbol_factors(ranking: Ranking, symbols: NDArray[np.int64]) -> Scores:
    """What the scores of symbols are multiplied by: the role of the file, and the kind unless the query names them."""
    found, o = ranking.found, ranking.index.view.occurrences
    exact = found.symbol["symbol"][symbols] > 0 if "symbol" in found.symbol else np.zeros(len(symbols), bool)
    factors: Scores = np.where(exact, 1.0, _KIND_FACTOR[o.symbol_kind[symbols]])
    factors *= found.factors[o.symbol_file[symbols]]
    return factors


def top(scores: NDArray[np.floating], most: int) -> NDArray[np.int64]:
    """The rows of the `most` best scores above 0 and of all that tie with the last, ascending."""
    positive = np.flatnonzero(scores > 0)
    if len(positive) <= most:
        return positive
    least = float(np.partition(scores[positive], -most)[-most])
    best: NDArray[np.int64] = positive[scores[positive] >= least]
    return best


def _best_chunk(ranking: Ranking, symbols: NDArray[np.int64]) -> tuple[Scores, NDArray[np.int64], Scores]:
    """The best score of the chunks that each symbol stretches over, where it is, and its share of that chunk's."""
    first, last = ranking.index.symbols.first[symbols], ranking.index.symbols.last[symbols]
    best, place, share = np.zeros(len(symbols)), first.astype(np.int64), np.ones(len(symbols))
    for step in range(min(MOST_CHUNKS, int((last - first).max(initial=0))) + 1):
        at = np.minimum(first + step, last).astype(np.int64)
        times = part_of(ranking.index, symbols, at)
        score = ranking.own[at] * times
        better = score > best
        best[better], place[better], share[better] = score[better], at[better], times[better]
    return best, place, share


def part_of(index: Index, symbols: NDArray[np.int64], chunks: NDArray[np.int64]) -> Scores:
    """What of the score of a chunk each symbol in it has.

    What a chunk says is said of all that is in it: a symbol that is but a part of it has a part of that.
    """
    view, o = index.view, index.view.occurrences
    start, end = view.chunks.start_line[chunks], view.chunks.end_line[chunks]
    shared = np.minimum(end, o.symbol_end[symbols]) - np.maximum(start, o.symbol_start[symbols]) + 1
    part: Scores = np.clip(shared / np.maximum(end - start + 1, 1), 0.0, 1.0)
    return PART + (1 - PART) * part


# --- hits --------------------------------------------------------------------------------------


def hit_of(ranking: Ranking, best: Best, level: Level, told: Callable[[str, int], str] | None = None) -> Hit:
    """A place as a hit; without its reasons if nobody tells them."""
    view = ranking.index.view
    chunks, occurrences = view.chunks, view.occurrences
    file = int(chunks.file[best.row])
    start, end = int(chunks.start_line[best.row]), int(chunks.end_line[best.row])
    name = qualified = kind = None
    if best.symbol >= 0 and level != "file":
        name = occurrences.names[occurrences.symbol_name[best.symbol]]
        qualified = occurrences.names[occurrences.symbol_descriptor[best.symbol]]
        kind = KINDS[occurrences.symbol_kind[best.symbol]]
        if level == "symbol":
            start, end = int(occurrences.symbol_start[best.symbol]), int(occurrences.symbol_end[best.symbol])
    why = reasons_of(ranking, best, level, told) if told else ()
    return Hit(view.members[file].path, start, end, best.score, why, name, qualified, kind, view.languages[file])


def reasons_of(ranking: Ranking, best: Best, level: Level, told: Callable[[str, int], str]) -> tuple[Reason, ...]:
    """Why a place is where it is, the largest share first."""
    found, weights = ranking.found, ranking.weights
    share = weights.symbol.get("file", 0.0) if level == "symbol" else 1.0
    parts: dict[str, float] = {}
    for rankers, table, row, times in (
        (found.chunk, weights.chunk, best.row, best.part),
        (found.file, weights.file, int(ranking.index.view.chunks.file[best.row]), share),
        (found.symbol, weights.symbol if level == "symbol" else {}, best.symbol, 1.0),
    ):
        for ranker, scores in rankers.items():
            if value := times * table.get(ranker, 0.0) * float(scores[row]):
                parts[ranker] = parts.get(ranker, 0.0) + value
    return reasons(parts, best.row, told)
