"""What of a snapshot is kept in memory for searching? Each part is made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.graph.rank import file_ranks
from repoctx.index import dense, history, lexical
from repoctx.index.embed import Embedder
from repoctx.retrieve import fuse, names, neighbours, places
from repoctx.retrieve.query import Kind
from repoctx.spans import ranges
from repoctx.store import vectors
from repoctx.store.columns import Columns
from repoctx.store.payload import key_bytes
from repoctx.store.view import View, lookup
from repoctx.types import EDGE_KINDS, KINDS, Edges, Floats, Ints

# Kinds of symbols that are searched as the whole of their text; of others only the line that names them.
WHOLE = frozenset({"function", "method", "constructor", "property", "macro", "test"})
# A file that code of another role imports is no test, whatever its folder is called (`django/test/client.py`).
IMPORTED = 0.5  # least confidence of the import

# Patterns of paths whose files are kept in mind.
PATTERNS = 64
# Lines from which on a function counts as long.
LONG_FUNCTION = 50

_WHOLE = np.array([kind in WHOLE for kind in KINDS])
_IMPORTS = EDGE_KINDS.index("imports")


class Vectors(NamedTuple):
    """Where a snapshot's vectors are, and the model that made them."""

    embedder: Embedder
    chunks: Sequence[Columns]  # vector segments that hold all blobs of the snapshot
    paths: Sequence[Columns]  # and those that hold all its paths


class ByChunk(NamedTuple):
    """Which symbols are named in each chunk, and the chunks that each symbol stretches over."""

    start: NDArray[np.int64]  # D + 1, into `symbol`
    symbol: Ints  # rows in the order of chunks
    first: Ints  # S, the chunk that names it, or in which its text begins
    last: Ints  # S


@dataclass(frozen=True, eq=False)
class Index:
    """A snapshot, loaded for searching. F files, D chunks, S symbols."""

    snapshot: str
    view: View
    load_vectors: Callable[[], Vectors | None]  # None: no model answers
    load_edges: Callable[[], Edges]
    load_past: Callable[[], history.Past | None]  # None: nothing is known of what was before

    @cached_property
    def corpus(self) -> lexical.Corpus:
        """Lexical statistics."""
        chunks = self.view.chunks
        paths = [member.path for member in self.view.members]
        return lexical.corpus(*lookup(self.view), chunks.file, chunks.file_offset, chunks.length, paths)

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
    def steps(self) -> neighbours.Steps:
        """Where the graph leads from each node."""
        return neighbours.build(self.edges, len(self.view.occurrences.symbol_file) + len(self.view.members))

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """(F,) how much a file is used by others, 1 in the mean."""
        ranks = file_ranks(self.view.occurrences, self.edges)
        return np.round(ranks * len(ranks), fuse.DECIMALS)

    @cached_property
    def central(self) -> Floats:
        """(F,) in 0..1: how much a file is used by others."""
        return fuse.scaled(np.round(np.log1p(self.ranks), fuse.DECIMALS).astype(np.float32))

    @cached_property
    def lateness(self) -> Ints:
        """(F,) how late a file was changed, see `history.lateness`."""
        files = len(self.view.members)
        return np.zeros(files, np.int32) if self.past is None else history.lateness(self.past, files)

    @cached_property
    def past(self) -> history.Past | None:
        """What the commits before the snapshot did."""
        return self.load_past()

    @cached_property
    def names(self) -> names.Names:
        """The names of files and symbols, cut into words."""
        return names.build(self.view.occurrences)

    @cached_property
    def files_by_name(self) -> dict[str, list[tuple[int, list[str]]]]:
        """The files by the last component of their paths."""
        return places.by_name([member.path for member in self.view.members])

    @cached_property
    def roles(self) -> list[fuse.Role | None]:
        """The role of each file."""
        found = fuse.file_roles([member.path for member in self.view.members])
        tests = np.array([role is not None and role.name == "test" for role in found], np.bool_)
        if tests.any():
            for file in np.flatnonzero(tests & self._imported_from(~tests)).tolist():
                found[file] = None
        return found

    @cached_property
    def factors(self) -> Callable[[Kind, frozenset[str]], Floats]:
        """Kind of query, and roles that it asks for -> (F,) what the role of each file multiplies its score by."""
        return cache(lambda kind, asked: fuse.factors(self.roles, kind, asked))

    @cached_property
    def matching(self) -> Callable[[str], NDArray[np.bool_]]:
        """Pattern of paths -> (F,) which files fit it. Raises UsageError for an empty one."""

        @lru_cache(maxsize=PATTERNS)
        def fitting(pattern: str) -> NDArray[np.bool_]:
            matches = places.glob(pattern)
            return np.array([matches(member.path) for member in self.view.members], np.bool_).reshape(-1)

        return fitting

    @cached_property
    def habits(self) -> dict[str, Floats]:
        """What can be said of symbols without a query, (S,) in 0..1: their size, and how often they are changed."""
        o = self.view.occurrences
        lines = np.minimum(o.symbol_end - o.symbol_start + 1, LONG_FUNCTION)
        found = {"size": (lines / np.float32(LONG_FUNCTION)).astype(np.float32)}
        if self.past is not None and len(self.view.chunks.file):
            found["fixes"] = fuse.scaled(self.past.columns["chunk.changed"])[self.symbols.first]
        return found

    def _imported_from(self, files: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(F,) which files are imported by others of a kind."""
        edges, home = self.edges, self._file_of_node
        imports = (edges.kind == _IMPORTS) & (edges.target >= 0) & (edges.confidence >= IMPORTED)
        target = home[edges.target[imports]]
        imported = np.zeros(len(files), np.bool_)
        imported[target[files[edges.file[imports]] & (edges.file[imports] != target)]] = True
        return imported

    @cached_property
    def _file_of_node(self) -> NDArray[np.int64]:
        symbols = self.view.occurrences.symbol_file.astype(np.int64)
        return np.concatenate([symbols, np.arange(len(self.view.members))])

    @cached_property
    def symbols(self) -> ByChunk:
        """Symbols by chunk, and chunks by symbol."""
        chunks, o = self.view.chunks, self.view.occurrences
        far = np.int64(1) << 32
        starts = chunks.file * far + chunks.start_line
        file = o.symbol_file * far
        named, begins, ends = (
            np.maximum(np.searchsorted(starts, file + line, "right") - 1, 0).astype(np.int32)
            for line in (o.symbol_name_line, o.symbol_start, o.symbol_end)
        )
        order = np.argsort(named, kind="stable").astype(np.int32)
        whole = _WHOLE[o.symbol_kind]
        return ByChunk(
            np.searchsorted(named[order], np.arange(len(starts) + 1)),
            order,
            np.where(whole, begins, named),
            np.where(whole, np.maximum(begins, ends), named),
        )

    def symbols_of(self, chunks: NDArray[np.int64]) -> NDArray[np.int64]:
        """The symbols that are named in some chunks or that they are part of, each once, ascending."""
        start = self.symbols.start
        inside = self.symbols.symbol[ranges(start[chunks], start[chunks + 1] - start[chunks])]
        around = self.view.chunks.symbol[chunks]
        return np.unique(np.concatenate([inside, around[around >= 0]])).astype(np.int64)

    def chunk_at(self, file: int, line: int) -> int:
        """The chunk that holds a line of a file."""
        start, end = self.view.chunks.file_offset[file : file + 2]
        return int(start) + max(0, int(np.searchsorted(self.view.chunks.start_line[start:end], line, "right")) - 1)
