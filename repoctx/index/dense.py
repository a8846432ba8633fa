"""Which chunks resemble it? Inner products of whole numbers, through FAISS.

Vectors are kept as int8 codes (see index.codes), whose products are exact in float32: no order of additions,
thread or processor changes an answer, and equal texts tie.

The codes of a repository lie in memory-mapped segments that its snapshots share. A snapshot is a bitmap over
each, and what is found depends on its vectors alone: never on where they lie, what lies beside them, or which
came first. That rules out trained quantisers and HNSW. Up to EXACT all vectors are compared; beyond, those
whose signs differ least from the query's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from repoctx.errors import BackendError
from repoctx.index.codes import SCALE, codes
from repoctx.spans import ranges
from repoctx.types import Bytes, Codes, Floats, Ints

# What the likeness of a file's path adds to that of its chunks.
PATH_WEIGHT = 0.3
# Bytes of codes that are compared one by one: 524,288 vectors of 256 dimensions, 12 ms a query with its paths.
# Signs save nothing at 300,000, a tenth here, a third at a million (tests/bench/README.md).
EXACT = 1 << 27
# Beyond, so many are, and all that tie with the last: recall@10 is at most .004 less than of comparing all.
SHORTLIST = 16_384
# The best so many times k chunks are looked at before paths count: then few further files can come in.
WIDE = 3
# One query is never split among threads: more would only spin, and starve those of torch.
THREADS = 1
# Vectors compared by numpy at a time: a megabyte of 256 dimensions, which stays in the cache.
BLOCK = 1024


# --- what is searched --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The vectors of a segment, of which the snapshot has some."""

    index: Any  # faiss.IndexScalarQuantizer over n vectors
    codes: Bytes  # (n, d) its memory: each byte is 128 more than the code
    signs: Bytes  # (n, bytes) a bit a dimension: whether the code is positive
    used: NDArray[np.bool_]  # (n,) which the snapshot has
    base: int  # vectors in the parts before
    selector: Any  # faiss.IDSelectorBitmap of those used; None: all are


@dataclass(frozen=True, slots=True, eq=False)
class DenseIndex:
    """The vectors of a snapshot; D chunks, F files."""

    parts: Sequence[Part]
    place: Ints  # (D,) where each chunk's vector is, counted through all parts
    order: Ints  # (D,) the chunks by place; chunks of equal blobs share a place
    ordered: Ints  # (D,) their places
    paths: Codes  # (F, d)
    file: Ints  # (D,) in order
    file_offset: NDArray[np.intp]  # (F + 1,) where each file's chunks begin
    shortlist: int | None  # how many vectors are compared at least; None: all that the snapshot has


def build(
    segments: Sequence[tuple[Any, Bytes]],
    part: Ints,
    row: NDArray[np.int64],
    paths: Codes,
    file: Ints,
    exact: int = EXACT,
    shortlist: int = SHORTLIST,
) -> DenseIndex:
    """The index of a snapshot whose D chunks have the vectors at (`part`, `row`), F paths and D `file` numbers.

    A segment is a FAISS index of codes and the signs of its rows, see Part. Raises BackendError where vectors
    of different lengths came from one model.
    """
    dimensions = {index.d for index, _ in segments} | {paths.shape[1]}
    if len(dimensions) > 1:
        raise _uneven(sorted(dimensions))
    d = paths.shape[1]
    bases = np.cumsum([0, *(index.ntotal for index, _ in segments)])
    place = (bases[part] + row).astype(np.int32)
    order = np.argsort(place, kind="stable").astype(np.int32)
    parts = []
    for number, (index, signs) in enumerate(segments):
        used = np.zeros(index.ntotal, np.bool_)
        used[row[part == number]] = True
        if used.any():
            selector = None if used.all() else faiss.IDSelectorBitmap(np.packbits(used, bitorder="little"))
            stored = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * d).reshape(index.ntotal, d)
            parts.append(Part(index, stored, signs, used, int(bases[number]), selector))
    size = d * sum(int(np.count_nonzero(part.used)) for part in parts)
    file_offset = np.searchsorted(file, np.arange(len(paths) + 1))
    least = shortlist if size > exact else None
    return DenseIndex(parts, place, order, place[order], paths, file, file_offset, least)


def _uneven(dimensions: Sequence[int]) -> BackendError:
    listed = " and ".join(map(str, dimensions))
    return BackendError(
        f"the embedding model has given vectors of {listed} dimensions under one name: "
        "give the model that is meant a name of its own in embedding.model, and index again"
    )


# --- searching ---------------------------------------------------------------------------------


def search(dense: DenseIndex, vector: Floats, k: int) -> tuple[Ints, Floats]:
    """The k chunks that are most like a query's unit vector and their scores, best first; ties by row.

    A score is the cosine with the chunk plus PATH_WEIGHT times that with its file's path, if that is more
    than 0. Raises BackendError for a vector of another length.
    """
    d = dense.paths.shape[1]
    if len(vector) != d:
        raise _uneven([d, len(vector)])
    faiss.omp_set_num_threads(THREADS)  # of the calling thread alone, so it is set with every search
    query = codes(vector[None])[0].astype(np.float32)
    bonus = PATH_WEIGHT * products(dense.paths, query).astype(np.float64)
    rows, scores, least = _nearest(dense, query, WIDE * k)
    total = scores + bonus[dense.file[rows]]
    # A chunk that was not found has at most `least`. Files whose path could bring such a one among the k
    # best are looked through (the threshold algorithm of Fagin, Lotem and Naor 2003).
    enough = max(0.0, float(np.partition(total, -k)[-k])) if len(total) >= k else 0.0
    within = least + bonus
    further = np.flatnonzero((within >= enough) & (within > 0))
    start, count = dense.file_offset[further], dense.file_offset[further + 1] - dense.file_offset[further]
    others = np.setdiff1d(ranges(start, count), rows, assume_unique=True)
    rows = np.concatenate([rows, others])
    total = np.concatenate([total, _of_chunks(dense, others, query) + bonus[dense.file[others]]])
    best = np.lexsort((rows, -total))[:k]
    best = best[total[best] > 0]
    return rows[best], (total[best] / (SCALE**2 * d)).astype(np.float32)


def products(rows: Codes, query: Floats) -> Floats:
    """(n,) exact inner products of codes and a query."""
    found: Floats = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        np.vecdot(rows[start : start + BLOCK].astype(np.float32), query, out=found[start : start + BLOCK])
    return found


def _of_rows(part: Part, rows: NDArray[np.integer[Any]], query: Floats) -> Floats:
    """The products of some rows of a part."""
    return products((part.codes[rows] ^ np.uint8(128)).view(np.int8), query)


def _of_chunks(dense: DenseIndex, chunks: Ints, query: Floats) -> Floats:
    """The products of some chunks."""
    place = dense.place[chunks]
    found: Floats = np.empty(len(chunks), np.float32)
    for part in dense.parts:
        mine = (place >= part.base) & (place < part.base + len(part.codes))
        found[mine] = _of_rows(part, place[mine] - part.base, query)
    return found


def _nearest(dense: DenseIndex, query: Floats, k: int) -> tuple[Ints, Floats, float]:
    """The chunks of the k best vectors and all that tie with the last, their products, and the most others have.

    Only vectors that have something in common with the query count: products above 0.
    """
    if dense.shortlist is None:
        compared = [_best(part, query, k) for part in dense.parts]
    else:
        likely = _alike(dense.parts, query, dense.shortlist)
        compared = [(rows, _of_rows(part, rows, query)) for part, rows in zip(dense.parts, likely, strict=True)]
    places = [(part.base + rows).astype(np.int32) for part, (rows, _) in zip(dense.parts, compared, strict=True)]
    place = np.concatenate([np.empty(0, np.int32), *places])
    product = np.concatenate([np.empty(0, np.float32), *(found for _, found in compared)])
    least = max(0.0, float(np.partition(product, -k)[-k])) if len(product) >= k else 0.0
    wanted = (product > 0) & (product >= least)
    place, product = place[wanted], product[wanted]
    start = np.searchsorted(dense.ordered, place)
    count = np.searchsorted(dense.ordered, place, "right") - start
    return dense.order[ranges(start, count)], np.repeat(product, count), least




def _best(part: Part, query: Floats, k: int) -> tuple[NDArray[np.int64], Floats]:
    """The used rows with the k largest products above 0, and all that tie with the last."""
    parameters = None if part.selector is None else faiss.SearchParameters(sel=part.selector)
    width = k + k // 16
    while True:
        width = min(width + 1, part.index.ntotal)
        found, rows = part.index.search(query[None], width, params=parameters)
        positive = (rows[0] >= 0) & (found[0] > 0)
        ordered, products = rows[0][positive], found[0][positive]
        if len(products) < k:
            return ordered, products
        whole = products >= products[k - 1]
        if not whole[-1] or len(products) < width or width == part.index.ntotal:
            return ordered[whole], products[whole]
        width *= 4  # more tie with the last than was hoped


def _alike(parts: Sequence[Part], query: Floats, shortlist: int) -> list[NDArray[np.int64]]:
    """For each part the used rows that share the most signs with the query: so many in all, and all that tie."""
    width = parts[0].signs.shape[1]
    signs = np.zeros((1, width), np.uint8)
    signs[0, : -(-len(query) // 8)] = np.packbits(query > 0)
    far = 8 * width + 1
    distances = []
    counts = np.zeros(far + 1, np.int64)
    for part in parts:
        distance = np.empty(len(part.signs), np.int32)
        one, many, found = map(faiss.swig_ptr, (signs, part.signs, distance))
        faiss.hammings(one, many, 1, len(distance), width, found)
        if part.selector is not None:
            distance[~part.used] = far
        counts += np.bincount(distance, minlength=far + 1)
        distances.append(distance)
    limit = min(int(np.searchsorted(np.cumsum(counts[:far]), shortlist)), far - 1)
    return [np.flatnonzero(distance <= limit) for distance in distances]
