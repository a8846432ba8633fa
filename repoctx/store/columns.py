"""How do many blobs' facts lie together on disk? As columns: named, typed, memory-mapped arrays.

A *columns file* is `magic | header length | header JSON | arrays`, each array aligned to 64 bytes.
It is written to a temporary name, synced and renamed, so it exists whole or not at all, and it is
never changed afterwards.

The columns of a segment (see SCHEMA) hold eight tables, one row per blob, chunk, symbol, reference,
import, local, flow or setting; the rows of one blob are adjacent, and `TABLE.offset` says where each
blob's begin. Two string pools (`names`, `terms`) are sorted by bytes. `posting.*` lists, for each
term, the chunks that hold it and how often in each field. Everything is derived from facts and text;
nothing here is truth.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repoctx.spans import ranges

Columns = dict[str, NDArray[Any]]

MAGIC = b"RCTXCOL1"
ALIGN = 64
# Its place in the header; not the name of a column.
CHECKSUM = ""

# table -> column -> dtype; a dtype of "name" is an int32 index into the names pool.
SCHEMA: dict[str, dict[str, str]] = {
    # one row a blob: the language found, and its size
    "blob": {"language": "name", "tokens": "i4", "lines": "i4", "errors": "i4"},
    "chunk": {"start_byte": "i4", "end_byte": "i4", "start_line": "i4", "end_line": "i4", "symbol": "i4"},
    "symbol": {
        "kind": "u1", "name": "name", "descriptor": "name", "start": "i4", "end": "i4",
        "name_line": "i4", "name_column": "i4", "parent": "i4",
    },
    "reference": {
        "role": "u1", "name": "name", "qualifier": "name", "line": "i4", "column": "i4", "scope": "i4",
    },
    "import": {"module": "name", "name": "name", "alias": "name", "line": "i4", "column": "i4"},
    "local": {"name": "name", "scope": "i4", "position": "i4"},
    "flow": {"kind": "u1", "target": "i4", "key": "name", "value": "name", "depth": "i4", "scope": "i4"},
    "setting": {"key": "name", "value": "name"},
}  # fmt: skip
# Postings count a term in these fields of a chunk, one byte each (more than 255 counts as 255);
# `chunk.length` has the number of terms of each field, as uint16.
FIELDS = ("name", "signature", "doc", "body")


def write(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write a columns file durably: temporary name, fsync, rename, fsync of the folder."""
    header: dict[str, Any] = {}
    offset = checksum = 0
    for name in sorted(columns):
        array = np.ascontiguousarray(columns[name])
        checksum = zlib.crc32(array.data, checksum)
        header[name] = [array.dtype.str, list(array.shape), offset]
        offset += -(-array.nbytes // ALIGN) * ALIGN
    header[CHECKSUM] = checksum
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-(len(MAGIC) + 8 + len(head)) % ALIGN)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + len(head).to_bytes(8, "little") + head)
            for name in sorted(columns):
                array = np.ascontiguousarray(columns[name])
                file.write(array.data)
                file.write(b"\0" * (-array.nbytes % ALIGN))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> Columns:
    """Memory-map a columns file. Raises FileNotFoundError, or ValueError if it is not one."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < len(MAGIC) + 8:
            raise ValueError(f"{path} is not a columns file")
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if view[: len(MAGIC)] != MAGIC:
        raise ValueError(f"{path} is not a columns file")
    start = len(MAGIC) + 8
    length = int.from_bytes(view[len(MAGIC) : start], "little")
    header = json.loads(bytes(view[start : start + length]))
    start += length
    columns: Columns = {}
    header.pop(CHECKSUM)
    for name, (dtype, shape, offset) in header.items():
        count = int(np.prod(shape))
        columns[name] = np.frombuffer(view, dtype, count, start + offset).reshape(shape)
    return columns


def read_all(folder: Path, prefix: str) -> Iterator[tuple[Path, Columns]]:
    """The columns files of a folder whose names begin so, by name. Damaged ones are left out.

    Raises FileNotFoundError if one is removed between the listing and the reading.
    """
    for path in sorted(folder.glob(f"{prefix}*.columns")):
        with contextlib.suppress(ValueError):
            yield path, read(path)


def load_all(folder: Path, prefix: str) -> list[Columns]:
    """As `read_all`, without the paths; listed again as often as another process merges files meanwhile."""
    while True:
        try:
            return [columns for _, columns in read_all(folder, prefix)]
        except FileNotFoundError:
            continue


def sound(path: Path) -> bool:
    """Whether a columns file is whole and its content is what was written."""
    try:
        columns = read(path)
        with path.open("rb") as file:
            start = len(MAGIC) + 8
            head = file.read(start)
            wanted = json.loads(file.read(int.from_bytes(head[len(MAGIC) :], "little")))[CHECKSUM]
    except (OSError, ValueError, KeyError):
        return False
    checksum = 0
    for name in sorted(columns):
        checksum = zlib.crc32(np.ascontiguousarray(columns[name]).data, checksum)
    return bool(checksum == wanted)


# --- string pools ------------------------------------------------------------------------------


def pool(strings: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(bytes, offsets) of a list of strings: string i is bytes[offsets[i]:offsets[i+1]]."""
    offsets = np.zeros(len(strings) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, strings), np.int64, len(strings)), out=offsets[1:])
    return np.frombuffer(b"".join(strings), np.uint8), offsets


def strings(columns: Columns, name: str) -> list[bytes]:
    """All strings of the pool called `name`, in order."""
    buffer = columns[f"{name}.bytes"].tobytes()
    offsets = columns[f"{name}.offset"].tolist()
    return [buffer[a:b] for a, b in pairwise(offsets)]


def covered(parts: Sequence[Columns]) -> set[bytes]:
    """The keys that the parts hold."""
    return {key for part in parts for key in strings(part, "keys")}


def places(parts: Sequence[Columns], keys: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each key the first part that holds it, and its row there. Every key must be held."""
    home: dict[bytes, tuple[int, int]] = {}
    for number, part in enumerate(parts):
        for row, key in enumerate(strings(part, "keys")):
            home.setdefault(key, (number, row))
    where = np.array([home[key] for key in keys], np.int64).reshape(-1, 2)
    return where[:, 0], where[:, 1]


def spans(
    parts: Sequence[Columns], table: str, part: NDArray[np.int64], row: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the rows of a table begin in their parts, and how many there are, for blobs at (part, row)."""
    start, count = np.zeros(len(row), np.int64), np.zeros(len(row), np.int64)
    for number, columns in enumerate(parts):
        mine = part == number
        offset = columns[f"{table}.offset"]
        start[mine] = offset[row[mine]]
        count[mine] = offset[row[mine] + 1] - start[mine]
    return start, count


# --- concatenation -----------------------------------------------------------------------------


def unite(parts: Sequence[Columns], name: str) -> tuple[list[bytes], list[NDArray[np.int32]]]:
    """The sorted union of the parts' pools, and for each part the new index of each old one."""
    pools = [strings(part, name) for part in parts]
    united = sorted(set().union(*pools))
    index = {string: i for i, string in enumerate(united)}
    return united, [np.fromiter(map(index.__getitem__, p), np.int32, len(p)) for p in pools]


def concatenate(parts: Sequence[Columns]) -> Columns:
    """One segment out of several, blobs in the order given. The parts hold distinct blobs."""
    if len(parts) == 1:
        return parts[0]
    merged: Columns = {}
    keys = [key for part in parts for key in strings(part, "keys")]
    merged["keys.bytes"], merged["keys.offset"] = pool(keys)
    names, name_maps = unite(parts, "names")
    merged["names.bytes"], merged["names.offset"] = pool(names)
    for table, layout in SCHEMA.items():
        offset_parts: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
        for part in parts:
            offset_parts.append(part[f"{table}.offset"][1:] + offset_parts[-1][-1])
        merged[f"{table}.offset"] = np.concatenate(offset_parts)
        for column, dtype in layout.items():
            arrays = [part[f"{table}.{column}"] for part in parts]
            if dtype == "name":
                arrays = [name_map[array] for name_map, array in zip(name_maps, arrays, strict=True)]
            merged[f"{table}.{column}"] = np.concatenate(arrays)
    merged["chunk.length"] = np.concatenate([part["chunk.length"] for part in parts])
    merged |= concatenate_postings(parts)
    return merged


def concatenate_postings(parts: Sequence[Columns]) -> Columns:
    """The postings of several segments as one, chunk numbers shifted, terms united."""
    terms, term_maps = unite(parts, "terms")
    counts = [np.diff(part["posting.offset"]) for part in parts]
    totals = np.zeros(len(terms), np.int64)
    for term_map, count in zip(term_maps, counts, strict=True):
        totals[term_map] += count
    offset = np.zeros(len(terms) + 1, np.int64)
    np.cumsum(totals, out=offset[1:])
    chunk = np.empty(offset[-1], np.int32)
    frequency = np.empty((offset[-1], len(FIELDS)), np.uint8)
    cursor, shift = offset[:-1].copy(), 0
    for part, term_map, count in zip(parts, term_maps, counts, strict=True):
        where = ranges(cursor[term_map], count)
        chunk[where] = part["posting.chunk"] + shift
        frequency[where] = part["posting.frequency"]
        cursor[term_map] += count
        shift += len(part["chunk.symbol"])
    merged: Columns = {"posting.offset": offset, "posting.chunk": chunk, "posting.frequency": frequency}
    merged["terms.bytes"], merged["terms.offset"] = pool(terms)
    return merged
