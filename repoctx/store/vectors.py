"""Which texts have been embedded already?

The database holds vectors by (model, chunk id), as int8 codes (see index.codes). A vector segment is a
columns file that lays those of whole blobs, or of paths, side by side: `keys` and `chunk.offset` as in a
facts segment, `vector`, a FAISS index of the n rows as FAISS writes it, which searches them where they are
mapped, and `sign` (n, bytes): a bit a dimension, whether the code is positive, in whole words of 64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from repoctx.spans import ranges
from repoctx.store.columns import Columns, load_all, places, pool, read_all, spans, strings, write
from repoctx.store.facts import BATCH, batches
from repoctx.store.segments import locked
from repoctx.store.tables import insert, vectors
from repoctx.types import Bytes, Codes, Ints

# Part of every file name: raise it when the meaning of the columns changes.
LAYOUT = 2
# FAISS keeps a signed code as an unsigned byte that is larger by 128: as the code with its first bit turned.
FIRST_BIT = np.uint8(0x80)


def held(connection: sa.Connection, model: str, chunks: Collection[str]) -> set[str]:
    """Which of the chunk ids have stored vectors."""
    found: set[str] = set()
    for batch in batches(sorted(chunks), BATCH):
        query = sa.select(vectors.c.chunk).where(vectors.c.model == model, vectors.c.chunk.in_(batch))
        found.update(connection.scalars(query))
    return found


def known(connection: sa.Connection, model: str, chunks: Sequence[str]) -> dict[str, bytes]:
    """The stored vectors among the chunk ids: d bytes each, int8."""
    found: dict[str, bytes] = {}
    for batch in batches(sorted(set(chunks)), BATCH):
        query = sa.select(vectors.c.chunk, vectors.c.vector)
        rows = connection.execute(query.where(vectors.c.model == model, vectors.c.chunk.in_(batch)))
        found.update((chunk, bytes(vector)) for chunk, vector in rows)
    return found


def add(connection: sa.Connection, model: str, found: Mapping[str, bytes]) -> None:
    """Store vectors by chunk id."""
    rows = [{"model": model, "chunk": chunk, "vector": vector} for chunk, vector in sorted(found.items())]
    if rows:
        connection.execute(insert(connection, vectors).on_conflict_do_nothing(), rows)


# --- segments ----------------------------------------------------------------------------------


def paths(model: str) -> str:
    """What the segments of a model's vectors of paths are kept under; their keys are paths."""
    return f"{model} paths"


def prefix(model: str) -> str:
    """What the names of the files of a model's segments begin with."""
    return f"vectors-{LAYOUT}-{hashlib.sha256(model.encode()).hexdigest()[:16]}-"


def load(folder: Path, model: str) -> list[Columns]:
    """The vector segments of a model. Damaged ones are left out: they are laid out again."""
    return [segment for segment in load_all(folder, prefix(model)) if _sound(segment)]


def append(folder: Path, model: str, keys: Sequence[bytes], counts: Sequence[int], rows: Codes) -> None:
    """Add a segment, `rows` (n, d) holding `counts[i]` vectors for the i-th key, merged with smaller ones.

    One that shares keys with it, or has vectors of another length, is left alone, unless all of its keys are in it.
    """
    with locked(folder):
        absorbed = []
        held = set(keys)
        found = [(path, segment) for path, segment in read_all(folder, prefix(model)) if _sound(segment)]
        for path, segment in sorted(found, key=lambda item: (len(item[1]["sign"]), item[0])):
            if len(segment["sign"]) > 2 * len(rows):
                break
            own = strings(segment, "keys")
            if held.issuperset(own):
                absorbed.append(path)
            elif held.isdisjoint(own) and opened(segment).d == rows.shape[1]:
                absorbed.append(path)
                keys, counts = [*keys, *own], [*counts, *np.diff(segment["chunk.offset"]).tolist()]
                rows = np.concatenate([rows, _rows(segment)])
                held.update(own)
        columns: Columns = {"vector": _packed(rows), "sign": _signs(rows)}
        columns["chunk.offset"] = np.cumsum([0, *counts], dtype=np.int64)
        columns["keys.bytes"], columns["keys.offset"] = pool(keys)
        target = folder / f"{prefix(model)}{hashlib.sha256(columns['keys.bytes'].tobytes()).hexdigest()[:24]}.columns"
        write(target, columns)
        for path in absorbed:
            if path != target:
                path.unlink(missing_ok=True)


def opened(segment: Columns) -> Any:
    """The faiss.IndexScalarQuantizer of a segment; nothing is copied. Raises RuntimeError if it is none."""
    import faiss

    column = segment["vector"]
    index = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(column), len(column)))
    index.referenced_objects = [column]  # the mapping lives as long as the index
    return index


def _sound(segment: Columns) -> bool:
    """Whether FAISS can read a segment's vectors, and they are as many as the segment says."""
    try:
        return bool(opened(segment).ntotal == segment["chunk.offset"][-1] == len(segment["sign"]))
    except (KeyError, RuntimeError):
        return False


def _packed(rows: Codes) -> Bytes:
    """A FAISS index of codes as FAISS writes it: a header, which ends with the number of bytes, and the codes."""
    import faiss

    quantizer = faiss.ScalarQuantizer.QT_8bit_direct_signed
    index = faiss.IndexScalarQuantizer(rows.shape[1], quantizer, faiss.METRIC_INNER_PRODUCT)
    index.ntotal = len(rows)
    header = faiss.serialize_index(index)[:-8]
    size = np.array([rows.size], "<u8").view(np.uint8)
    return np.concatenate([header, size, np.ascontiguousarray(rows).view(np.uint8).ravel() ^ FIRST_BIT])


def _rows(segment: Columns, wanted: Any = slice(None)) -> Codes:
    """(n, d) the codes of the wanted rows of a segment."""
    column, index = segment["vector"], opened(segment)
    found = column[len(column) - index.ntotal * index.d :].reshape(index.ntotal, index.d)[wanted]
    codes: Codes = (found ^ FIRST_BIT).view(np.int8)
    return codes


def _signs(rows: Codes) -> Bytes:
    """(n, bytes) which codes are positive, a bit each, in whole words of 64."""
    found = np.packbits(rows > 0, axis=1)
    return np.pad(found, ((0, 0), (0, -found.shape[1] % 8)))


# --- what a snapshot has of them ---------------------------------------------------------------


def lie(segments: Sequence[Columns], keys: Sequence[bytes]) -> tuple[Ints, NDArray[np.int64]]:
    """Where the vectors of blobs lie: for each of their chunks, in order, the segment and the row in it.

    Every key must be held.
    """
    part, row = places(segments, keys)
    start, count = spans(segments, "chunk", part, row)
    return np.repeat(part, count).astype(np.int32), ranges(start, count)


def gather(segments: Sequence[Columns], keys: Sequence[bytes]) -> Codes:
    """(n, d): the vectors of paths. Every key must be held."""
    part, row = lie(segments, keys)
    found: Codes = np.empty((len(keys), opened(segments[0]).d if segments else 0), np.int8)
    for number, segment in enumerate(segments):
        found[part == number] = _rows(segment, row[part == number])
    return found
