"""Which derived columns does this machine have, and do they cover a snapshot?

A repository's segments lie in one folder as columns files named by the hash of the keys they cover.
They are append-only and may be deleted at any time: what a snapshot needs and no segment covers is
derived again from the database. After an append, segments of similar size are merged, so that a
repository has about log2(chunks) of them.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from repoctx.store.columns import Columns, concatenate, load_all, read_all, strings, write

# Part of every file name: raise it when the meaning of the columns changes.
LAYOUT = 3
PREFIX = f"facts-{LAYOUT}-"


class Place(NamedTuple):
    """Where a repository's index is."""

    engine: sa.Engine
    folder: Path  # its segments


def load(folder: Path) -> list[Columns]:
    """All segments of a folder, memory-mapped. Damaged ones are left out: they are derived again."""
    return load_all(folder, PREFIX)


def append(folder: Path, columns: Columns) -> None:
    """Add a segment, merged with those that are not much larger than what it has grown to.

    One that shares keys with it is left alone, unless all of its keys are in it.
    """
    with locked(folder):
        group, absorbed = [columns], []
        keys, size = set(strings(columns, "keys")), _chunks(columns)
        for path, segment in sorted(read_all(folder, PREFIX), key=lambda item: (_chunks(item[1]), item[0])):
            if _chunks(segment) > 2 * size:
                break
            own = set(strings(segment, "keys"))
            if own <= keys:
                absorbed.append(path)
            elif not own & keys:
                absorbed.append(path)
                group.append(segment)
                keys |= own
                size += _chunks(segment)
        target = _path(folder, merged := concatenate(group))
        write(target, merged)
        for path in absorbed:
            if path != target:
                path.unlink(missing_ok=True)


def _chunks(segment: Columns) -> int:
    return len(segment["chunk.symbol"])


def _path(folder: Path, columns: Columns) -> Path:
    digest = hashlib.sha256(columns["keys.bytes"].tobytes()).hexdigest()[:24]
    return folder / f"{PREFIX}{digest}.columns"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's writer lock; waits for another holder. The lock goes with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
