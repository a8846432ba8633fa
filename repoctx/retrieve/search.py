"""Where in this snapshot is what the query asks for?"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.errors import UsageError
from repoctx.graph.symbols import lookup
from repoctx.index import dense, lexical
from repoctx.index.embed import Embedder
from repoctx.retrieve import fuse
from repoctx.retrieve.query import Query
from repoctx.store import vectors
from repoctx.store.columns import Columns
from repoctx.store.payload import key_bytes
from repoctx.store.view import View
from repoctx.types import KINDS, Edges, Floats, Hit, Ints, Reason

Level = Literal["chunk", "symbol", "file"]

# Chunks that the dense ranker has something to say of.
NEAREST = 200
# A snapshot whose likest chunk is less like the query has nothing like it. Of 396 questions about 20 repositories
# (semble/dev) one in a hundred finds no more than .41, with the built-in model and with all-MiniLM-L6-v2; strings
# without sense find .1 to .4.
UNLIKE = 0.35
# Terms of a query up to which likeness has its full weight; beyond, it has that much less: the one vector of a
# long report is like everything a little (with full weight issues of 100 to 1,000 words found their files worse).
QUESTION = 16
# A name with more definitions than this says nothing about a place (`get`, `__init__`).
COMMON_NAME = 30
# A second hit in one file counts this much less, a third that again: a short list shows several files
# (NDCG@10 of code search +.010 against 0.85, no further gain at 0.25).
REPEAT = 0.5


class Vectors(NamedTuple):
    """Where a snapshot's vectors are, and the model that made them."""

    embedder: Embedder
    chunks: Sequence[Columns]  # vector segments that hold all blobs of the snapshot
    paths: Sequence[Columns]  # and those that hold all its paths


@dataclass(frozen=True, eq=False)
class Index:
    """A snapshot, loaded for searching."""

    snapshot: str
    view: View
    load_vectors: Callable[[], Vectors | None]  # None: no model answers
    load_edges: Callable[[], Edges]

    @cached_property
    def corpus(self) -> lexical.Corpus:
        """Lexical statistics."""
        chunks = self.view.chunks
        paths = [member.path for member in self.view.members]
        return lexical.corpus(self.view.postings, chunks.file, chunks.file_offset, chunks.length, paths)

    @cached_property
    def dense(self) -> tuple[Embedder, dense.DenseIndex] | None:
        """The model that answers and the vectors of the snapshot, if it has some."""
        found = self.load_vectors() if len(self.view.chunks.file) else None
        if found is None:
            return None
        members = self.view.members
        part, row = vectors.lie(found.chunks, [key_bytes(member.key) for member in members])
        segments = [(vectors.opened(segment), segment["sign"]) for segment in found.chunks]
        paths = vectors.gather(found.paths, [member.path.encode() for member in members])
        return found.embedder, dense.build(segments, part, row, paths, self.view.chunks.file)

    @cached_property
    def edges(self) -> Edges:
        """The graph."""
        return self.load_edges()

    @cached_property
    def files_by_name(self) -> dict[str, list[tuple[int, list[str]]]]:
        """Last component of a path -> the files that have it, each with its components."""
        found: dict[str, list[tuple[int, list[str]]]] = {}
        for file, member in enumerate(self.view.members):
            parts = member.path.split("/")
            found.setdefault(parts[-1], []).append((file, parts))
        return found

    @cached_property
    def symbols_by_chunk(self) -> tuple[NDArray[np.int64], Ints]:
        """D + 1 offsets and symbol rows: the symbols that are named in each chunk, in order."""
        chunks, occurrences = self.view.chunks, self.view.occurrences
        far = np.int64(1) << 32
        starts = chunks.file * far + chunks.start_line
        named = occurrences.symbol_file * far + occurrences.symbol_name_line
        chunk = np.searchsorted(starts, named, "right") - 1
        order = np.argsort(chunk, kind="stable").astype(np.int32)
        return np.searchsorted(chunk[order], np.arange(len(starts) + 1)), order

    @cached_property
    def factors(self) -> tuple[Floats, Floats]:
        """Factors of the chunks by kind of file, for queries that are not about tests and that are."""
        paths = [member.path for member in self.view.members]
        file = self.view.chunks.file
        return fuse.file_factors(paths, False)[file], fuse.file_factors(paths, True)[file]


def search(
    index: Index,
    query: Query,
    k: int,
    level: Level = "chunk",
    language: str | None = None,
    path: str | None = None,
    spread: bool = True,
) -> list[Hit]:
    """The k best hits, best first; ties by path and line. `spread` keeps one file from filling the list."""
    ranking = _rank(index, query)
    scores = fuse.fuse(ranking.rankers, index.factors[query.about_tests])
    scores = np.where(_wanted(index.view, language, path), scores, 0.0)
    if level == "symbol":
        best = _symbols(index, scores, ranking, k)
    else:
        ordered = _ordered(index.view, scores, k, level, spread)
        best = [(row, ranking.named.get(row, int(index.view.chunks.symbol[row])), score) for row, score in ordered]
    return [_hit(index.view, row, symbol, score, level, ranking) for row, symbol, score in best]


# --- rankers -----------------------------------------------------------------------------------


class Ranking(NamedTuple):
    """What the rankers say."""

    rankers: dict[str, Floats]  # name -> (D,) scores in 0..1, for those that have something to say
    found: list[tuple[str, float]]  # terms found and their inverse frequencies
    named: dict[int, int]  # chunk -> the symbol in it that the query names


def _rank(index: Index, query: Query) -> Ranking:
    view = index.view
    rankers: dict[str, Floats] = {}
    words, found = lexical.score(index.corpus, query.terms)
    if found:
        rankers["lexical"] = fuse.scaled(words)
        files = fuse.scaled(fuse.file_scores(words, view.chunks.file, len(view.members)))
        rankers["file"] = files[view.chunks.file]
    names, named = _by_symbol(view, query)
    if named:
        rankers["symbol"] = names
    if (paths := _by_path(index, query)) is not None:
        rankers["path"] = paths
    if index.dense is not None:
        embedder, nearby = index.dense
        rows, likeness = dense.search(nearby, embedder.query(query.text), NEAREST)
        if len(rows) and likeness[0] >= UNLIKE:
            weight = np.float32(min(1.0, QUESTION / max(1, len(set(query.terms)))))
            near: Floats = np.zeros(len(view.chunks.file), np.float32)
            near[rows] = fuse.spread(likeness, NEAREST)
            files = fuse.scaled(fuse.file_scores(near, view.chunks.file, len(view.members)))
            rankers["dense"] = near * weight
            rankers["dense file"] = files[view.chunks.file] * weight
    return Ranking(rankers, found, named)


def _by_symbol(view: View, query: Query) -> tuple[Floats, dict[int, int]]:
    """Chunks that define a name of the query: the rarer the name, the more; a qualified name counts twice.

    Also the symbol that was named, for each such chunk.
    """
    scores: Floats = np.zeros(len(view.chunks.file), np.float32)
    named: dict[int, int] = {}
    for name in query.identifiers:
        rows = lookup(view.occurrences, name, any_case=False)
        if not 0 < len(rows) <= COMMON_NAME:
            continue
        weight = (2.0 if "." in name else 1.0) / (1 + np.log2(len(rows)))
        chunks = {chunk_of(view, row): row for row in reversed(rows)}
        scores[sorted(chunks)] += np.float32(weight)
        named |= chunks
    return fuse.scaled(scores), named


def chunk_of(view: View, symbol: int) -> int:
    """The chunk in which a symbol is named."""
    file = view.occurrences.symbol_file[symbol]
    return chunk_at(view, int(file), int(view.occurrences.symbol_name_line[symbol]))


def chunk_at(view: View, file: int, line: int) -> int:
    """The chunk that holds a line of a file."""
    start, end = view.chunks.file_offset[file : file + 2]
    return int(start) + max(0, int(np.searchsorted(view.chunks.start_line[start:end], line, "right")) - 1)


def _by_path(index: Index, query: Query) -> Floats | None:
    """Chunks of files that the query names: all of a file a little, the line that is named fully."""
    view = index.view
    scores: Floats = np.zeros(len(view.chunks.file), np.float32)
    for written, line in query.paths:
        files = matching_files(index.files_by_name, written)
        for file in files:
            share = np.float32(1.0 / len(files))
            start, end = view.chunks.file_offset[file : file + 2]
            if start == end:
                continue
            scores[start:end] = np.maximum(scores[start:end], np.float32(0.4) * share)
            at = chunk_at(view, file, line) if 0 < line <= view.lines[file] else int(start)
            scores[at] = max(scores[at], share)
    return scores if scores.any() else None


def matching_files(by_name: Mapping[str, Sequence[tuple[int, list[str]]]], written: str) -> list[int]:
    """The files whose path ends in what was written, or with which what was written ends (a frame's
    absolute path): those that share the most components. `by_name`: last component -> (file, components)."""
    wanted = [part for part in written.split("/") if part not in ("", ".", "..")]
    best = 0
    files: list[int] = []
    for number, parts in by_name.get(wanted[-1], ()) if wanted else ():
        shared = min(len(parts), len(wanted))
        if parts[-shared:] != wanted[-shared:] or shared < best:
            continue
        files = [*files, number] if shared == best else [number]
        best = shared
    return files


# --- hits --------------------------------------------------------------------------------------


def _wanted(view: View, language: str | None, path: str | None) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(D,) which chunks pass the filters."""
    files = np.ones(len(view.members), bool)
    if language is not None:
        files &= np.array([found == language for found in view.languages], bool)
    if path is not None:
        matches = glob(path)
        files &= np.array([matches(member.path) for member in view.members], bool)
    return files[view.chunks.file]


def glob(pattern: str) -> Callable[[str], bool]:
    """Whether a path matches: `**` is any folders, `*`, `?` and `[…]` stay within a name. Without `/` the
    pattern is matched anywhere, and a folder stands for what is in it. Time is linear in the path.

    Raises UsageError for an empty pattern.
    """
    names = [name for name in pattern.removeprefix("./").split("/") if name]
    if not names:
        raise UsageError("the path pattern is empty: say src/** or *.py, or leave it out")
    if "/" not in pattern.rstrip("/"):
        names = ["**", *names]
    steps = [None if name == "**" else re.compile(fnmatch.translate(name)).match for name in names]

    def matches(path: str) -> bool:
        reached = {0}  # how many steps may have been taken
        for name in path.split("/"):
            after = set()
            for taken in sorted(reached):
                while taken < len(steps) and steps[taken] is None:
                    after.add(taken)
                    taken += 1
                if taken == len(steps):
                    return True
                step = steps[taken]
                if step is not None and step(name):
                    after.add(taken + 1)
            reached = after
        return len(steps) in reached

    return matches


def _ranked(scores: Floats) -> Ints:
    """The rows with a score, best first; ties by row, that is by path and line."""
    rows = np.flatnonzero(scores > 0).astype(np.int32)
    return rows[np.lexsort((rows, -scores[rows]))]


def _ordered(view: View, scores: Floats, k: int, level: Level, spread: bool) -> list[tuple[int, float]]:
    """The k best (chunk row, score): of a file its best chunk, or every chunk, repeats counting less."""
    rows = _ranked(scores)
    files = view.chunks.file[rows]
    by_file = np.argsort(files, kind="stable")
    first = np.searchsorted(files[by_file], files[by_file])
    repeats = np.empty(len(rows), np.int64)  # how many better chunks of its file there are
    repeats[by_file] = np.arange(len(rows)) - first
    if level == "file":
        rows = rows[repeats == 0]
        discounted = scores[rows]
    else:
        discounted = np.round(scores[rows] * (REPEAT**repeats if spread else 1.0), fuse.DECIMALS)
    best = np.lexsort((rows, -discounted))[:k]
    return [(int(rows[i]), float(discounted[i])) for i in best if discounted[i] > 0]


def _symbols(index: Index, scores: Floats, ranking: Ranking, k: int) -> list[tuple[int, int, float]]:
    """The k best (chunk row, symbol, score): those named in the best chunks, or the one that a chunk is part of."""
    offsets, symbols = index.symbols_by_chunk
    best: dict[int, tuple[int, int, float]] = {}
    for row in _ranked(scores).tolist():
        inside = symbols[offsets[row] : offsets[row + 1]].tolist() or [int(index.view.chunks.symbol[row])]
        if row in ranking.named:
            inside = [ranking.named[row], *inside]
        for symbol in inside:
            if symbol >= 0:
                best.setdefault(symbol, (row, symbol, float(scores[row])))
        if len(best) >= k:
            break
    return list(best.values())[:k]


def _hit(view: View, row: int, symbol: int, score: float, level: Level, ranking: Ranking) -> Hit:
    chunks, occurrences = view.chunks, view.occurrences
    file = int(chunks.file[row])
    start, end = int(chunks.start_line[row]), int(chunks.end_line[row])
    name = qualified = kind = None
    if symbol >= 0 and level != "file":
        name = occurrences.names[occurrences.symbol_name[symbol]]
        qualified = occurrences.names[occurrences.symbol_descriptor[symbol]]
        kind = KINDS[occurrences.symbol_kind[symbol]]
        if level == "symbol":
            start, end = int(occurrences.symbol_start[symbol]), int(occurrences.symbol_end[symbol])
    detail = {"lexical": " ".join(term for term, _ in sorted(ranking.found, key=lambda t: (-t[1], t[0]))[:5])}
    detail |= {
        "file": "the file matches",
        "symbol": "a name in the query",
        "path": "a path in the query",
        "dense": "similar",
        "dense file": "the file is similar",
    }
    reasons = tuple(Reason(ranker, detail[ranker], share) for ranker, share in fuse.shares(ranking.rankers, row))
    return Hit(view.members[file].path, start, end, score, reasons, name, qualified, kind, view.languages[file])
