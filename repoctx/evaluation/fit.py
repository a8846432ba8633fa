"""Which weights rank best what should be found? Pure, and the same each time.

A multiplier of each ranker, shared by the kinds of queries, by coordinate ascent from the default weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.evaluation.candidates import FILE, Candidates, Rankers, Reals, Rows
from repoctx.evaluation.judge import Rank
from repoctx.retrieve import fuse
from repoctx.retrieve.fuse import Weights
from repoctx.retrieve.query import Kind

# What a weight may be multiplied by: steps of the root of 2, and nothing at all. Those nearer to 1 are tried first.
STEPS = (1.0, 0.7, 1.4, 0.5, 2.0, 0.0)
# A change has to gain so many standard errors of the paired differences. With some 25 rankers and 100 questions much
# looks better by chance: of changes fitted to the older 40, 50, 60 and 67 in 100 of 150 commits of flask and of
# pytest, the rest gained .002 in the mean with 2, never less than 0; -.004 with 1; .001, between -.013 and .020,
# with any gain of .001.
SURE = 2.0
# And no less than this: a smaller change of the objective is not worth a line in the file.
WORTH = 0.001
# Rounds over all rankers; three were the most that any repository took.
MOST_ROUNDS = 4

Key = tuple[str, str]  # level, ranker
Multipliers = Mapping[Key, float]


def value(files: Sequence[Rank], symbols: Sequence[Rank]) -> float:
    """What is maximised: the mean over all that should be found of 1 / log2(1 + rank), as in DCG; 0 if not found."""
    ranks = [*files, *symbols]
    gains = [1 / np.log2(1 + rank) if rank else 0.0 for rank in ranks]
    return round(float(sum(gains)) / len(ranks), 6)


class Ranked(NamedTuple):
    """Where what should be found is."""

    files: list[Rank]
    symbols: list[Rank]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Each thing that should be found beside each other candidate of its question."""

    gold: Rows  # G, into the candidates of all questions
    question: Rows  # G
    beside: Rows  # each candidate of the question of each
    before: NDArray[np.bool_]  # whether it comes first where both score the same
    start: Rows  # G, where the candidates of each begin
    counts: Rows  # G

    def ranks(self, scores: Reals) -> Rows:
        """(G,) the rank of each; 0: it is no hit."""
        if not len(self.gold):
            return np.zeros(0, np.int64)
        own = np.repeat(scores[self.gold], self.counts)
        other = scores[self.beside]
        ahead = (other > own) | ((other == own) & self.before)
        ranks = np.add.reduceat(ahead.astype(np.int64), self.start) + 1
        return np.where(scores[self.gold] > 0, ranks, 0)


def _pairs(counts: Sequence[int], gold: Sequence[Rows]) -> _Pairs:
    base = np.cumsum([0, *counts])
    wanted = [base[at] + rows for at, rows in enumerate(gold)]
    question = np.repeat(np.arange(len(gold)), [len(rows) for rows in gold])
    flat = np.concatenate([*wanted, np.zeros(0, np.int64)]).astype(np.int64)
    width = np.array(counts, np.int64)[question] if len(question) else np.zeros(0, np.int64)
    beside = np.concatenate(
        [*(np.arange(base[at], base[at + 1]) for at in question.tolist()), np.zeros(0, np.int64)]
    ).astype(np.int64)
    before = beside < np.repeat(flat, width)
    return _Pairs(flat, question, beside, before, np.cumsum(width) - width, width)


class Bench:
    """Questions with their candidates, put together so that all are ranked by a few operations on arrays."""

    def __init__(self, found: Sequence[Candidates], names: Rankers) -> None:
        self.names = names
        self.keys: list[Key] = [
            (level, name) for level in Weights._fields for name in getattr(names, level)
        ]
        self.questions = len(found)
        self._gold = np.array([len(one.file_gold) + len(one.symbol_gold) for one in found], np.int64)
        self._chunk = np.concatenate([one.chunk for one in found]).astype(np.float64)
        self._file = np.concatenate([one.file for one in found]).astype(np.float64)
        self._symbol = np.concatenate([one.symbol for one in found]).astype(np.float64)
        self._file_factor = np.concatenate([one.file_factor for one in found])
        self._symbol_factor = np.concatenate([one.symbol_factor for one in found])
        self._file_weight = np.repeat([one.symbol_file_weight for one in found], [len(one.symbol) for one in found])
        chunks, files = (_bases([len(getattr(one, level)) for one in found]) for level in ("chunk", "file"))
        spans = _bases([len(one.symbol_chunk) for one in found])
        self._file_start = np.concatenate([one.file_start + chunks[at] for at, one in enumerate(found)])
        self._symbol_file = np.concatenate([one.symbol_file + files[at] for at, one in enumerate(found)])
        self._symbol_chunk = np.concatenate([one.symbol_chunk + chunks[at] for at, one in enumerate(found)])
        self._symbol_share = np.concatenate([one.symbol_share for one in found])
        self._symbol_start = np.concatenate([one.symbol_start + spans[at] for at, one in enumerate(found)])
        self._files = _pairs([len(one.file) for one in found], [one.file_gold for one in found])
        self._symbols = _pairs([len(one.symbol) for one in found], [one.symbol_gold for one in found])

    def _ranks(self, times: Multipliers) -> tuple[Rows, Rows]:
        """The ranks of all files and of all symbols that should be found; 0: no hit."""
        own = self._chunk @ _column(times, "chunk", self.names.chunk)
        said = self._file @ _column(times, "file", self.names.file)
        best = np.maximum.reduceat(own, self._file_start)
        files = np.where(best > 0, np.round((best + said) * self._file_factor, fuse.DECIMALS), 0.0)
        if not len(self._symbol):
            return self._files.ranks(files), np.zeros(0, np.int64)
        inside: Reals = np.maximum.reduceat(own[self._symbol_chunk] * self._symbol_share, self._symbol_start)
        symbols = inside + times.get(("symbol", FILE), 1.0) * self._file_weight * said[self._symbol_file]
        symbols += self._symbol @ _column(times, "symbol", self.names.symbol[:-1])
        symbols = np.where(inside > 0, np.round(symbols * self._symbol_factor, fuse.DECIMALS), 0.0)
        return self._files.ranks(files), self._symbols.ranks(symbols)

    def values(self, times: Multipliers) -> Reals:
        """(questions,) what is maximised, by question: see `value`."""
        total = np.zeros(self.questions)
        for pairs, ranks in zip((self._files, self._symbols), self._ranks(times), strict=True):
            gains = np.where(ranks > 0, 1 / np.log2(1 + np.maximum(ranks, 1)), 0.0)
            total += np.bincount(pairs.question, gains, self.questions)
        return np.round(total / self._gold, 6)

    def ranks(self, times: Multipliers) -> list[Ranked]:
        """Where what should be found is, by question."""
        found = [Ranked([], []) for _ in range(self.questions)]
        for level, pairs, ranks in zip((0, 1), (self._files, self._symbols), self._ranks(times), strict=True):
            for question, rank in zip(pairs.question.tolist(), ranks.tolist(), strict=True):
                found[question][level].append(rank or None)
        return found


def _bases(counts: Sequence[int]) -> Rows:
    return np.cumsum([0, *counts])[:-1].astype(np.int64)


def _column(times: Multipliers, level: str, names: Sequence[str]) -> Reals:
    return np.array([times.get((level, name), 1.0) for name in names], np.float64)


def paired(before: Sequence[float] | Reals, after: Sequence[float] | Reals) -> tuple[float, float]:
    """The mean gain of each question, and its standard error."""
    gains = np.asarray(after) - np.asarray(before)
    return round(float(gains.mean()), 6), round(float(gains.std(ddof=1)) / len(gains) ** 0.5, 6)


def fit(bench: Bench, show: Callable[[int, int], object]) -> dict[Key, float]:
    """The multipliers that rank better, those other than 1. `show` is told of each ranker tried.

    One ranker at a time is set to the best of STEPS that is surely better, or back to 1 where that is no worse,
    round after round until none changes.
    """
    times: dict[Key, float] = {}
    values = bench.values(times)
    total = MOST_ROUNDS * len(bench.keys)
    for round_number in range(MOST_ROUNDS):
        before = times
        for number, key in enumerate(bench.keys, 1):
            best, most = (times, values), 0.0
            for step in STEPS:
                if step == times.get(key, 1.0):
                    continue
                rest = {known: other for known, other in times.items() if known != key}
                tried = rest if step == 1 else rest | {key: step}
                found = bench.values(tried)
                gain, error = paired(values, found)
                better = gain > most and gain >= WORTH and gain > SURE * error
                if better or (step == 1 and gain >= 0):
                    best, most = (tried, found), gain
            times, values = best
            show(round_number * len(bench.keys) + number, total)
        if times == before:
            break
    return times


def multiplied(weights: Mapping[Kind, Weights], times: Multipliers) -> dict[Kind, Weights]:
    """Weights times their multipliers, in four digits."""
    return {
        kind: Weights(
            *(
                {name: float(f"{weight * times.get((level, name), 1.0):.4g}") for name, weight in table.items()}
                for level, table in zip(Weights._fields, row, strict=True)
            )
        )
        for kind, row in weights.items()
    }
