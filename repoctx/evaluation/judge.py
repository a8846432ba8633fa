"""How good were the answers? Pure: counts over what was found."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from repoctx.evaluation.gold import Gold, Lines, Symbol
from repoctx.types import Hit, Part

# The lengths of lists that are told.
KS = (1, 5, 10, 20)
# Hits that are looked at; what comes later counts as not found.
MOST_HITS = 100
# Questions by their length: name, least words, most words.
LENGTHS = (("up to 10 words", 0, 10), ("11 to 40 words", 11, 40), ("more than 40 words", 41, 1 << 30))

Rank = int | None  # 1 is the first; None: not among those looked at


class FoundFile(NamedTuple):
    """A file that should have been found."""

    path: str
    rank: Rank


class FoundSymbol(NamedTuple):
    """A symbol that should have been found."""

    path: str
    qualified_name: str
    start_line: int
    end_line: int
    rank: Rank


class Packed(NamedTuple):
    """How many of them a pack shows."""

    budget: int
    files: int  # of which lines are shown in full
    symbols: int  # whose lines are all shown in full


class Outcome(NamedTuple):
    """A question and what was found."""

    commit: str
    parent: str
    time: int
    title: str
    words: int
    kind: str  # of query
    files: tuple[FoundFile, ...]
    symbols: tuple[FoundSymbol, ...]
    packs: tuple[Packed, ...]

    @property
    def file_ranks(self) -> list[Rank]:
        """Where the files were found."""
        return [found.rank for found in self.files]

    @property
    def symbol_ranks(self) -> list[Rank]:
        """Where the symbols were found."""
        return [found.rank for found in self.symbols]


# --- one question ------------------------------------------------------------------------------


def files(gold: Gold, hits: Sequence[Hit]) -> tuple[FoundFile, ...]:
    """Where the files are among hits at the level of files."""
    rank = {hit.path: place for place, hit in reversed(list(enumerate(hits, 1)))}
    return tuple(FoundFile(path, rank.get(path)) for path in gold.files)


def symbols(gold: Gold, hits: Sequence[Hit]) -> tuple[FoundSymbol, ...]:
    """Where the symbols are among hits at the level of symbols."""
    places = reversed(list(enumerate(hits, 1)))
    rank = {(hit.path, hit.qualified_name, hit.start_line, hit.end_line): place for place, hit in places}
    return tuple(FoundSymbol(*symbol[:4], rank.get(symbol[:4])) for symbol in gold.symbols)


def packed(gold: Gold, budget: int, parts: Iterable[Part]) -> Packed:
    """How much of it a pack shows in full."""
    shown: dict[str, list[Lines]] = {}
    for part in parts:
        if part.detail == "full":
            shown.setdefault(part.path, []).append((part.start_line, part.end_line))
    whole = [symbol for symbol in gold.symbols if _covers(shown.get(symbol.path, []), symbol)]
    return Packed(budget, sum(path in shown for path in gold.files), len(whole))


def _covers(shown: list[Lines], symbol: Symbol) -> bool:
    """Whether all lines that a symbol needs are among those shown."""
    for start, end in symbol.needed:
        for first, last in sorted(shown):
            if first <= start <= last:
                start = last + 1
        if start <= end:
            return False
    return True


# --- all of them -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well one kind of thing was found."""

    cases: int  # questions that have such things to be found
    recall: Mapping[int, float]  # k -> mean share of them among the first k
    all: Mapping[int, float]  # k -> share of questions with all of them there
    mrr: float  # mean of 1 / rank of the first of them
    mrr_error: float | None  # standard error of that; None of one question


@dataclass(frozen=True, slots=True)
class Shown:
    """What packs of one budget show."""

    budget: int
    files: float  # mean share
    symbols: float | None  # the same, of questions that have some


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of some questions."""

    name: str
    cases: int
    files: Ranking | None  # None: there are no questions
    symbols: Ranking | None
    budgets: tuple[Shown, ...]


def summary(outcomes: Sequence[Outcome]) -> tuple[Group, list[Group]]:
    """The figures of all questions, and by their length."""
    by_length = [group(name, [o for o in outcomes if least <= o.words <= most]) for name, least, most in LENGTHS]
    return group("all", outcomes), by_length


def group(name: str, outcomes: Sequence[Outcome]) -> Group:
    """The figures of some questions."""
    budgets = [packed.budget for packed in outcomes[0].packs] if outcomes else []
    shown = []
    for at, budget in enumerate(budgets):
        file_shares = [o.packs[at].files / len(o.files) for o in outcomes]
        symbol_shares = [o.packs[at].symbols / len(o.symbols) for o in outcomes if o.symbols]
        shown.append(Shown(budget, _mean(file_shares), _mean(symbol_shares) if symbol_shares else None))
    return Group(
        name,
        len(outcomes),
        ranking([o.file_ranks for o in outcomes]),
        ranking([o.symbol_ranks for o in outcomes]),
        tuple(shown),
    )


def ranking(ranks: Iterable[Sequence[Rank]]) -> Ranking | None:
    """How well things were found, from their ranks by question; questions without such things do not count."""
    some = [found for found in ranks if found]
    if not some:
        return None
    first = [max((1 / rank for rank in found if rank), default=0.0) for found in some]
    error = statistics.stdev(first) / len(first) ** 0.5 if len(first) > 1 else None
    return Ranking(
        len(some),
        {k: recall(some, k) for k in KS},
        {k: _mean([float(all(_within(rank, k) for rank in found)) for found in some]) for k in KS},
        _mean(first),
        None if error is None else round(error, 6),
    )


def recall(ranks: Iterable[Sequence[Rank]], k: int) -> float:
    """Mean share of what should be found among the first k."""
    return _mean([sum(_within(rank, k) for rank in found) / len(found) for found in ranks if found])


def worst_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Questions whose files come late before those whose files come early."""
    return sorted(outcomes, key=lambda o: (_mean([1 / rank if rank else 0.0 for rank in o.file_ranks]), -o.time))


def _within(rank: Rank, k: int) -> bool:
    return rank is not None and rank <= k


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 6) if values else 0.0
