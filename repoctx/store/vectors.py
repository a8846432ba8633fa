"""Which chunks have been embedded already?

The database holds vectors by (model, chunk id). A vector segment is a columns file that lays those
of whole blobs side by side: `keys` as in a facts segment, `chunk.offset`, and `vector` (n, d).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from repoctx.store.columns import Columns, load_all, places, pool, ranges, read_all, spans, strings, write
from repoctx.store.facts import BATCH, batches
from repoctx.store.payload import key_bytes
from repoctx.store.segments import locked
from repoctx.store.snapshots import Member
from repoctx.store.tables import insert, vectors
from repoctx.types import Floats


def known(connection: sa.Connection, model: str, chunks: Sequence[str]) -> dict[str, bytes]:
    """The stored vectors among the chunk ids, as little-endian float32."""
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


def _prefix(model: str) -> str:
    return f"vectors-{hashlib.sha256(model.encode()).hexdigest()[:16]}-"


def load(folder: Path, model: str) -> list[Columns]:
    """The vector segments of a model. Damaged ones are left out: the database has the vectors."""
    return load_all(folder, _prefix(model))


def append(folder: Path, model: str, keys: Sequence[bytes], counts: Sequence[int], rows: Floats) -> None:
    """Add a segment, `rows` (n, d) holding `counts[i]` vectors for the i-th key, merged with smaller ones."""
    with locked(folder):
        absorbed = []
        for path, segment in sorted(
            read_all(folder, _prefix(model)), key=lambda item: (len(item[1]["vector"]), item[0])
        ):
            own = strings(segment, "keys")
            if len(segment["vector"]) > 2 * len(rows):
                break
            if not set(own) & set(keys):
                absorbed.append(path)
                keys, counts = [*keys, *own], [*counts, *np.diff(segment["chunk.offset"]).tolist()]
                rows = np.concatenate([rows, segment["vector"]])
        columns: Columns = {"vector": rows, "chunk.offset": np.cumsum([0, *counts], dtype=np.int64)}
        columns["keys.bytes"], columns["keys.offset"] = pool(keys)
        target = folder / f"{_prefix(model)}{hashlib.sha256(columns['keys.bytes'].tobytes()).hexdigest()[:24]}.columns"
        write(target, columns)
        for path in absorbed:
            if path != target:
                path.unlink(missing_ok=True)


def gather(members: Sequence[Member], segments: Sequence[Columns], dimensions: int) -> Floats:
    """(D, d): the vectors of a snapshot's chunks in the order of its view."""
    if not segments:
        return np.zeros((0, dimensions), np.float32)
    part, row = places(segments, [key_bytes(m.key) for m in members])
    start, count = spans(segments, "chunk", part, row)
    bases = np.cumsum([0, *(len(s["vector"]) for s in segments)])
    whole: Floats = np.concatenate([s["vector"] for s in segments])
    return whole[ranges(bases[part] + start, count)]
