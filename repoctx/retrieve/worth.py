"""What of these snapshots is worth showing for a task, best first? What a pack chooses from.

The best functions, the best files by the best that is in them, the best chunks; then what the first of them call, what
calls and tests them, and the types that they name. What stands where in the list is what it is worth: a pack takes
hits by their rank. Nobody asks for the reasons of what a pack leaves out, so they are told afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.pack.fit import RANK
from repoctx.retrieve.evidence import LONG
from repoctx.retrieve.fuse import DECIMALS, Weights
from repoctx.retrieve.index import WHOLE, Index
from repoctx.retrieve.query import Kind, Query
from repoctx.retrieve.reasons import teller
from repoctx.retrieve.search import (
    ANYTHING,
    CANDIDATES,
    Best,
    Level,
    Ranking,
    Wanted,
    across,
    best_places,
    best_symbols,
    hit_of,
    rank,
    reasons_of,
)
from repoctx.types import EDGE_KINDS, KINDS, Hit, Reason

# In which order functions, files and chunks take turns. A report of a bug is mended in functions, an answer to a
# question may stand anywhere. (Issues of 6 repositories, packs of 8k and 27k tokens: all functions to change .68 and
# .81 with chunks alone, .71 and .86 so; all files .74 and .84, .90 and .97 so.)
LONG_TURNS: tuple[Level, ...] = ("symbol", "symbol", "symbol", "file", "symbol", "symbol", "symbol", "file", "chunk")
SHORT_TURNS: tuple[Level, ...] = ("chunk", "symbol", "file")
# What is worth so much of the seed from which an edge leads to it, times the confidence of the edge.
RELATED: Mapping[str, float] = {"caller": 0.15, "callee": 0.12, "type": 0.1, "test": 0.08}
TOLD = {"caller": "calls", "callee": "is called by", "type": "is a type of", "test": "tests"}
SEEDS, MOST_RELATED = 20, 4  # of each relation for one seed
TRUSTED = 0.5
# The score of which place is compared with the best one's: how sure is the search of itself?
SHARP = 20
# A question whose likest chunk is less like it than this may be about something else: of 97 questions about 6
# repositories (semble/dev) one is, all 72 that were made up about none of them are. Of more chunks the likest is liker:
# so much for ten times as many (in a million lines .48 is the most of 8 that were made up, .57 the least of 12 real).
STRANGE, STRANGE_GROWTH, STRANGE_CHUNKS = 0.4, 0.055, 500

_TYPES = np.array([kind in ("class", "interface", "struct", "union", "enum", "trait", "type") for kind in KINDS])


class _Found(NamedTuple):
    rank: float
    number: int  # of the snapshot
    level: Level
    best: Best
    why: Reason | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """What a pack chooses from."""

    hits: list[tuple[int, Hit]]  # the number of the snapshot; best first, without reasons
    why: Callable[[Sequence[int]], dict[int, tuple[Reason, ...]]]  # places in `hits` -> their reasons
    kind: Kind
    sharpness: float  # 0..1: how much the best place stands out
    strange: bool  # a question that nothing here is much like: what it asks for may be elsewhere


def worth(
    indexes: Sequence[Index],
    query: Query,
    most: int,
    weights: Sequence[Mapping[Kind, Weights]],
    wanted: Wanted = ANYTHING,
    seeds: Sequence[tuple[int, int]] = (),
) -> Worth:
    """About `most` places in some snapshots. `seeds` are symbols (snapshot, row) to start from besides."""
    rankings = rank(indexes, query, wanted, [of[query.kind] for of in weights])
    turns = LONG_TURNS if query.kind in LONG else SHORT_TURNS
    found = [_Found(n, *one) for n, one in enumerate(_merged(rankings, turns, most))]
    given = [_Found(0, number, "symbol", _seed(indexes[number], row)) for number, row in seeds]
    functions = [one for one in found if one.level == "symbol"][:SEEDS]
    related = [near for n, ranking in enumerate(rankings) for near in _related(ranking, n, [*given, *functions])]
    ordered = sorted([*found, *related], key=lambda one: (one.rank, one.why is not None, one.number, one.best.row))
    hits = [(one.number, hit_of(rankings[one.number], one.best, one.level)) for one in ordered]
    why = lambda places: _why(rankings, ordered, places)  # noqa: E731
    return Worth(hits, why, query.kind, _sharpness(rankings), _strange(rankings, query))


def _merged(rankings: Sequence[Ranking], turns: Sequence[Level], most: int) -> Iterator[tuple[int, Level, Best]]:
    """The best of each level by turns, each place once."""
    each = {level: 1 + most * turns.count(level) // len(turns) for level in dict.fromkeys(turns)}
    functions = across(
        [best_symbols(r, each["symbol"], WHOLE, max(CANDIDATES, each["symbol"])) for r in rankings]
    )
    chunks = across([best_places(r, 2 * each["chunk"], "chunk", False) for r in rankings])
    files = across([best_places(r, each["file"], "file", False) for r in rankings])
    home = [r.index.view.chunks.file for r in rankings]
    of_file: dict[tuple[int, int], tuple[Level, Best]] = {}
    for number, one in functions:
        of_file.setdefault((number, int(home[number][one.row])), ("symbol", one))
    rows: dict[Level, Iterator[tuple[int, Best]]] = {
        "symbol": iter(functions), "chunk": iter(chunks), "file": iter(files),
    }  # fmt: skip
    seen: set[tuple[int, int]] = set()  # files
    shown: set[tuple[int, int, bool]] = set()  # symbols, or chunks
    left = set(rows)
    while left:
        for level in turns:
            for number, one in rows[level]:
                file = number, int(home[number][one.row])
                if level == "file" and file in seen:
                    continue
                found = of_file.get(file, ("chunk", one)) if level == "file" else (level, one)
                whole = found[1].symbol >= 0 and (found[0] == "symbol" or _function(rankings[number], found[1].symbol))
                key = (number, found[1].symbol if whole else found[1].row, whole)
                if key in shown:
                    continue
                shown.add(key)
                seen.add(file)
                yield number, *found
                break
            else:
                left.discard(level)


def _function(ranking: Ranking, symbol: int) -> bool:
    return KINDS[ranking.index.view.occurrences.symbol_kind[symbol]] in WHOLE


def _sharpness(rankings: Sequence[Ranking]) -> float:
    scores = np.concatenate([ranking.total for ranking in rankings]) if rankings else np.zeros(0)
    if not scores.max(initial=0.0):
        return 0.0
    if len(scores) <= SHARP:
        return 1.0
    best = np.partition(scores, len(scores) - SHARP)[-SHARP:]
    return round(1 - float(best.min() / best.max()), 3)


def _strange(rankings: Sequence[Ranking], query: Query) -> bool:
    found = [ranking.found for ranking in rankings]
    if query.kind != "question" or any(ranking.index.dense is None for ranking in rankings):
        return False
    if any(one.named or one.places or np.any(one.symbol.get("symbol", 0)) for one in found):
        return False  # it names what is here
    chunks = sum(len(ranking.index.view.chunks.file) for ranking in rankings)
    least = STRANGE + STRANGE_GROWTH * math.log10(max(chunks, STRANGE_CHUNKS) / STRANGE_CHUNKS)
    return max((one.peak.get("dense", 0.0) for one in found), default=0.0) < least


# --- what is related ---------------------------------------------------------------------------


def _seed(index: Index, row: int) -> Best:
    return Best(1.0, int(index.symbols.first[row]), row)


def _related(ranking: Ranking, number: int, seeds: Sequence[_Found]) -> Iterator[_Found]:
    """What calls, tests, or is called or named by the seeds of a snapshot, the surest first."""
    index = ranking.index
    edges, o = index.edges, index.view.occurrences
    rows = np.array([seed.best.symbol for seed in seeds if seed.number == number], np.int64)
    symbols = len(o.symbol_file)
    known = (edges.confidence >= TRUSTED) & (edges.source < symbols) & (edges.target >= 0) & (edges.target < symbols)
    near = np.flatnonzero(known & (np.isin(edges.source, rows) | np.isin(edges.target, rows)))
    kind, source, target, confidence = (
        column[near] for column in (edges.kind, edges.source, edges.target, edges.confidence)
    )
    of_type = _TYPES[o.symbol_kind[target]]
    calls, tests = kind == EDGE_KINDS.index("calls"), kind == EDGE_KINDS.index("tests")
    for seed in seeds:
        if seed.number != number:
            continue
        row = seed.best.symbol
        name = o.names[o.symbol_descriptor[row]]
        into, out = target == row, source == row
        for relation, kept, nodes in (
            ("caller", into & calls, source),
            ("test", into & tests, source),
            ("callee", out & calls & ~of_type, target),
            ("type", out & of_type, target),
        ):
            for node, sureness in _surest(nodes[kept], confidence[kept], row):
                place = int(index.symbols.first[node])
                if not ranking.allowed[place]:
                    continue
                share = RELATED[relation] * sureness
                best = Best(round(seed.best.score * share, DECIMALS), place, node)
                told = Reason(relation, f"{TOLD[relation]} {name}", 1.0)
                level: Level = "chunk" if _TYPES[o.symbol_kind[node]] else "symbol"
                yield _Found((RANK + seed.rank) / share - RANK, number, level, best, told)


def _surest(nodes: NDArray[np.int32], confidence: NDArray[np.float32], seed: int) -> list[tuple[int, float]]:
    best: dict[int, float] = {}
    for node, sureness in zip(nodes.tolist(), confidence.tolist(), strict=True):
        if node != seed:
            best[node] = max(best.get(node, 0.0), round(sureness, 3))
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:MOST_RELATED]


# --- reasons -----------------------------------------------------------------------------------


def _why(
    rankings: Sequence[Ranking], ordered: Sequence[_Found], places: Sequence[int]
) -> dict[int, tuple[Reason, ...]]:
    tellers = [
        teller(ranking.index, ranking.found, [ordered[at].best.row for at in places if ordered[at].number == number])
        for number, ranking in enumerate(rankings)
    ]
    told: dict[int, tuple[Reason, ...]] = {}
    for at in places:
        one = ordered[at]
        why = one.why
        told[at] = (why,) if why else reasons_of(rankings[one.number], one.best, one.level, tellers[one.number])
    return told
