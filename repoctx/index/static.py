"""How does the built-in model turn words into vectors? Without torch, in microseconds a chunk.

A text is a bag of the lexical index's terms: whole identifiers, their parts, words, numbers. Its vector is
the unit-length sum over its distinct terms of log(1 + tf) times the term's row of a table. A term without a
row has a row of signs that its hash says, so that rare names keep their identity (random indexing, Kanerva
et al. 2000). Nothing depends on the order of words, so a segment's postings are all that the vectors of its
chunks need.

Sums run over a text's terms in the order of their bytes, element by element, so that no processor changes
a bit. How the table was trained: `tests/bench/train`; on what and how well it does: `MODEL_CARD.md` beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repoctx.errors import UsageError
from repoctx.index.lexical import FIELD_WEIGHTS, terms
from repoctx.types import Codes, Floats

# The files of a model.
SETTINGS, WORDS, ROWS, SCALES = "static.json", "vocabulary.txt", "rows.npy", "scales.npy"
# Occurrences of terms that are added up at a time: their rows, 1 kB each, stay in a core's cache.
BLOCK = 1024
# Occurrences whose terms' rows are gathered at a time: 134 MB if no two are alike.
MOST = 1 << 19


@dataclass(frozen=True, eq=False)
class Static:
    """A table of term vectors. V terms, d dimensions."""

    folder: Path
    words: Sequence[bytes]  # V, sorted
    rows: Codes  # (V, d)
    scales: Floats  # V, what a row is multiplied by
    rare: float  # length of the rows of all other terms
    field_weights: tuple[int, ...]  # what an occurrence in each field of a chunk counts
    threads: int = 1

    @classmethod
    def load(cls, folder: Path | None = None, threads: int = 1) -> Static:
        """The model of a folder, by default the one that is part of repoctx. Raises UsageError."""
        folder = Path(str(files("repoctx"))) / "resources" / "static" if folder is None else folder
        try:
            settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            words = (folder / WORDS).read_bytes().split(b"\n")
            rows = np.load(folder / ROWS, mmap_mode="r", allow_pickle=False)
            scales = np.load(folder / SCALES, allow_pickle=False)
            rare, weights = float(settings["rare"]), tuple(int(weight) for weight in settings["field_weights"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{folder} holds no static embedding model: {error}") from error
        # Lexical fields are those of a chunk, and the path.
        fits = rows.dtype == np.int8 and rows.ndim == 2 and scales.shape == (len(words),) == rows.shape[:1]
        if not (fits and len(weights) == len(FIELD_WEIGHTS) - 1 and np.isfinite(scales).all() and np.isfinite(rare)):
            raise UsageError(f"{folder} holds a damaged static embedding model: its table does not fit its vocabulary")
        return cls(folder, words, rows, scales.astype(np.float32), rare, weights, threads)

    @cached_property
    def model(self) -> str:
        """The same table and settings, the same name."""
        digest = hashlib.sha256()
        for name in (SETTINGS, WORDS, ROWS, SCALES):
            digest.update((self.folder / name).read_bytes())
        return f"static-{digest.hexdigest()[:16]}"

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.rows.shape[1])

    @cached_property
    def row_of(self) -> dict[bytes, int]:
        """Where a term's row is."""
        return {word: row for row, word in enumerate(self.words)}

    def documents(self, texts: Sequence[str]) -> Floats:
        """(n, d) unit vectors of texts; zero for a text without terms."""
        bags = [sorted((term.encode(), n) for term, n in Counter(terms(text)).items()) for text in texts]
        found = sorted({term for bag in bags for term, _ in bag})
        number = {term: i for i, term in enumerate(found)}
        offset = np.cumsum([0, *map(len, bags)])
        term = np.fromiter((number[t] for bag in bags for t, _ in bag), np.int64, offset[-1])
        count = np.fromiter((n for bag in bags for _, n in bag), np.int64, offset[-1])
        return self._sums(found, offset, term, count)

    def query(self, text: str) -> Floats:
        """(d,) unit vector of a query."""
        vector: Floats = self.documents([text])[0]
        return vector

    def of_segment(self, columns: dict[str, NDArray[Any]], chunks: NDArray[np.int64]) -> Floats:
        """(n, d) unit vectors of chunks of a facts segment, from its postings alone; `chunks` are n ascending rows."""
        place = np.full(len(columns["chunk.symbol"]), -1, np.int64)
        place[chunks] = np.arange(len(chunks))
        bag = place[columns["posting.chunk"]]
        wanted = np.flatnonzero(bag >= 0)
        wanted = wanted[np.argsort(bag[wanted], kind="stable")]
        offset = np.searchsorted(bag[wanted], np.arange(len(chunks) + 1))
        terms_of_all = np.repeat(np.arange(len(columns["terms.offset"]) - 1), np.diff(columns["posting.offset"]))
        pool, ends = columns["terms.bytes"], columns["terms.offset"]
        vectors = np.empty((len(chunks), self.dimensions), np.float32)
        for span in _spans(offset, MOST):
            here = wanted[offset[span.start] : offset[span.stop]]
            term = terms_of_all[here]
            count = columns["posting.frequency"][here] @ np.array(self.field_weights, np.int64)
            present = np.bincount(term, minlength=len(ends) - 1) > 0
            found = [pool[ends[t] : ends[t + 1]].tobytes() for t in np.flatnonzero(present)]
            local = offset[span.start : span.stop + 1] - offset[span.start]
            vectors[span] = self._sums(found, local, (np.cumsum(present) - 1)[term], count)
        return vectors

    def _sums(
        self, found: Sequence[bytes], offset: NDArray[np.int64], term: NDArray[np.int64], count: NDArray[np.int64]
    ) -> Floats:
        """(n, d) unit vectors of bags; bag i has found[term[j]], count[j] times, for offset[i] <= j < offset[i + 1]."""
        table, scales = self._table(found)
        gain = np.log1p(np.arange(1 + count.max(initial=0))).astype(np.float32)
        weight = gain[count] * scales[term]
        vectors = np.zeros((len(offset) - 1, self.dimensions), np.float32)

        def add(span: slice) -> None:
            start, end = offset[span.start], offset[span.stop]
            filled = np.flatnonzero(np.diff(offset[span.start : span.stop + 1]))
            if len(filled):
                rows = table[term[start:end]] * weight[start:end, None]
                summed = np.add.reduceat(rows, offset[span.start + filled] - start, axis=0)
                length = np.sqrt(np.square(summed, dtype=np.float64).sum(axis=1, keepdims=True))
                vectors[span.start + filled] = summed / np.maximum(length, 1e-12)

        spans = list(_spans(offset, BLOCK))
        if self.threads > 1 and len(spans) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(add, spans))
        else:
            for span in spans:
                add(span)
        return vectors

    def _table(self, found: Sequence[bytes]) -> tuple[Codes, Floats]:
        """(T, d) rows of terms, and what they are multiplied by."""
        at = np.fromiter((self.row_of.get(term, -1) for term in found), np.int64, len(found))
        known = at >= 0
        table: Codes = np.empty((len(found), self.dimensions), np.int8)
        scales: Floats = np.full(len(found), self.rare / self.dimensions**0.5, np.float32)
        table[known], scales[known] = self.rows[at[known]], self.scales[at[known]]
        rare = [found[i] for i in np.flatnonzero(~known).tolist()]
        table[~known] = signs(rare, self.dimensions)
        return table, scales


def signs(found: Sequence[bytes], dimensions: int) -> Codes:
    """(n, dimensions) rows of 1 and -1: the bits of the terms' BLAKE2b hashes."""
    bits: list[bytes] = []
    for term in found:
        digest = b"".join(
            hashlib.blake2b(term, digest_size=64, salt=part.to_bytes(2, "little")).digest()
            for part in range(-(-dimensions // 512))
        )
        bits.append(digest[: -(-dimensions // 8)])
    ones = np.unpackbits(np.frombuffer(b"".join(bits), np.uint8).reshape(len(found), -(-dimensions // 8)), axis=1)[
        :, :dimensions
    ]
    return ones.astype(np.int8) * np.int8(2) - np.int8(1)


def _spans(offset: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Runs of bags with at most so many occurrences of terms together, or of one bag."""
    start, bags = 0, len(offset) - 1
    while start < bags:
        end = max(start + 1, int(np.searchsorted(offset, offset[start] + most, "right")) - 1)
        yield slice(start, min(end, bags))
        start = end
