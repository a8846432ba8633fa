"""What of a question has to be kept so that its ranking under other weights can be told in microseconds? Pure.

The best few hundred chunks and symbols by any ranker, with what each ranker says of them. What the graph and the
history add starts from the best symbols under the default weights, and stays as it was there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repoctx.evaluation.gold import Gold
from repoctx.retrieve.fuse import Weights
from repoctx.retrieve.query import Kind
from repoctx.retrieve.search import MOST_CHUNKS, Ranking, part_of, symbol_factors, top
from repoctx.spans import ranges
from repoctx.types import Floats

# The best by all rankers together, and by each of them.
BEST, BEST_OF_EACH = 200, 40
# The name of what is said of a symbol's file, among the rankers of symbols.
FILE = "file"

Rows = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rankers:
    """The names of all rankers, in the order of the columns."""

    chunk: tuple[str, ...]
    file: tuple[str, ...]
    symbol: tuple[str, ...]  # FILE comes last


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """A question's candidates: C chunks, F files, S symbols, R rankers of each. Values are times default weights."""

    chunk: Floats  # (C, R), by file
    file_start: Rows  # F, where the chunks of each file begin
    file: Floats  # (F, R)
    file_factor: Reals  # F, what the score is multiplied by
    file_gold: Rows  # the files that should be found
    symbol: Floats  # (S, R), FILE left out
    symbol_file: Rows  # S, into the files
    symbol_file_weight: float  # what is said of a file counts so much for its symbols
    symbol_chunk: Rows  # the chunks of each symbol, one symbol after the other
    symbol_share: Reals  # what each of those chunks says of the symbol: see search.PART
    symbol_start: Rows  # S, where those of each begin
    symbol_factor: Reals  # S
    symbol_gold: Rows


def rankers(weights: Mapping[Kind, Weights]) -> Rankers:
    """All rankers that weights name."""
    names = {
        level: sorted({name for row in weights.values() for name in getattr(row, level)}) for level in Weights._fields
    }
    symbol = [name for name in names["symbol"] if name != FILE]
    return Rankers(tuple(names["chunk"]), tuple(names["file"]), (*symbol, FILE))


def candidates(ranking: Ranking, gold: Gold, names: Rankers) -> Candidates:
    """The candidates of a question that was ranked with the default weights."""
    index, found, weights = ranking.index, ranking.found, ranking.weights
    chunks, o, by_chunk = index.view.chunks, index.view.occurrences, index.symbols
    wanted_files = _numbers(gold.files, [member.path for member in index.view.members])
    wanted_symbols = np.array(sorted(symbol.row for symbol in gold.symbols), np.int64)

    symbols = np.unique(np.concatenate([_symbols(ranking), wanted_symbols]))
    first, last = by_chunk.first[symbols], np.minimum(by_chunk.last[symbols], by_chunk.first[symbols] + MOST_CHUNKS)
    counts = (np.maximum(last, first) - first + 1).astype(np.int64)
    spans = ranges(first.astype(np.int64), counts).astype(np.int64)

    rows = np.unique(np.concatenate([_chunks(ranking), _of_files(ranking, wanted_files), spans]))
    files, start = np.unique(chunks.file[rows], return_index=True)
    symbol_file = o.symbol_file[symbols]
    return Candidates(
        _values(found.chunk, weights.chunk, names.chunk, rows),
        start.astype(np.int64),
        _values(found.file, weights.file, names.file, files),
        found.factors[files].astype(np.float64),
        np.flatnonzero(np.isin(files, wanted_files)),
        _values(found.symbol, weights.symbol, names.symbol[:-1], symbols),
        np.searchsorted(files, symbol_file),
        weights.symbol.get(FILE, 0.0),
        np.searchsorted(rows, spans),
        part_of(index, np.repeat(symbols, counts), spans),
        np.cumsum(counts) - counts,
        symbol_factors(ranking, symbols),
        np.flatnonzero(np.isin(symbols, wanted_symbols)),
    )


def _numbers(paths: Sequence[str], every: Sequence[str]) -> Rows:
    number = {path: at for at, path in enumerate(every)}
    return np.array(sorted(number[path] for path in paths), np.int64)


def _values(found: Mapping[str, Floats], weights: Mapping[str, float], names: Sequence[str], rows: Rows) -> Floats:
    """(rows, names) what each ranker says times its weight."""
    table: Floats = np.zeros((len(rows), len(names)), np.float32)
    for column, name in enumerate(names):
        if name in found and (weight := weights.get(name, 0.0)):
            table[:, column] = np.float32(weight) * found[name][rows]
    return table


def _best(scores: NDArray[np.floating], most: int) -> Rows:
    """The rows of the best scores above 0; ties by row."""
    rows = top(scores, most)
    return rows[np.lexsort((rows, -scores[rows]))][:most]


def _chunks(ranking: Ranking) -> Rows:
    """The best chunks by all rankers, by each of them, and those of the best files by each of theirs."""
    found, weights = ranking.found, ranking.weights
    best = [_best(ranking.total, BEST)]
    best += [_best(found.chunk[name], BEST_OF_EACH) for name in _used(found.chunk, weights.chunk)]
    for name in _used(found.file, weights.file):
        best.append(_of_files(ranking, _best(found.file[name], BEST_OF_EACH)))
    return np.unique(np.concatenate(best))


def _used(found: Mapping[str, Floats], weights: Mapping[str, float]) -> list[str]:
    return sorted(name for name in found if weights.get(name))


def _of_files(ranking: Ranking, files: Rows) -> Rows:
    """Of some files the chunks that are the best by some ranker, or by all: whatever the weights, the best is there
    or nearly as good."""
    chunks = ranking.index.view.chunks
    picked: list[int] = []
    for file in files.tolist():
        start, end = chunks.file_offset[file : file + 2].tolist()
        if start < end:
            columns: list[NDArray[Any]] = [ranking.own, *ranking.found.chunk.values()]
            picked.extend(start + int(np.argmax(column[start:end])) for column in columns)
    return np.array(sorted(set(picked)), np.int64)


def _symbols(ranking: Ranking) -> Rows:
    """The symbols in and around the best chunks, by all rankers and by each, and the best by those of symbols."""
    found = ranking.found
    best = [_best(ranking.total, BEST)]
    best += [_best(found.chunk[name], BEST_OF_EACH) for name in _used(found.chunk, ranking.weights.chunk)]
    direct = [
        _best(found.symbol[name], BEST_OF_EACH)
        for name in _used(found.symbol, ranking.weights.symbol)
        if name not in ("size", "fixes")  # these know nothing of the question
    ]
    near = ranking.index.symbols_of(np.unique(np.concatenate(best)))
    return np.unique(np.concatenate([near, *direct])).astype(np.int64)
