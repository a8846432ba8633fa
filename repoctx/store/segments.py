"""Which derived columns does this machine have, and do they cover a snapshot?

A repository's segments lie in one folder as columns files named by the hash of the keys they cover.
They are append-only and may be deleted at any time: what a snapshot needs and no segment covers is
derived again from the database. After an append, segments of similar size are merged, so that a
repository has about log2(chunks) of them.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from repoctx.store.columns import Columns, concatenate, read, strings, write

# Part of every file name: raise it when the meaning of the columns changes.
LAYOUT = 1


def load(folder: Path) -> list[Columns]:
    """All segments of a folder, memory-mapped. Unreadable ones are left out: they can be derived again."""
    while True:
        found = []
        try:
            for path in sorted(folder.glob(f"facts-{LAYOUT}-*.columns")):
                try:
                    found.append(read(path))
                except ValueError:
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # merged away between the listing and the reading: list again
        return found


def covered(segments: Sequence[Columns]) -> set[bytes]:
    """The keys that the segments hold."""
    return {key for segment in segments for key in strings(segment, "keys")}


def append(folder: Path, columns: Columns) -> None:
    """Add a segment, merged with those that are not much larger than what it has grown to."""
    with locked(folder):
        present = [(path, read(path)) for path in sorted(folder.glob(f"facts-{LAYOUT}-*.columns"))]
        group, absorbed = [columns], []
        keys, size = set(strings(columns, "keys")), _chunks(columns)
        for path, segment in sorted(present, key=lambda item: (_chunks(item[1]), item[0])):
            if _chunks(segment) > 2 * size:
                break
            absorbed.append(path)
            own = set(strings(segment, "keys"))
            if not own & keys:  # else two writers derived the same: what is lost is derived again
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
    return folder / f"facts-{LAYOUT}-{digest}.columns"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's writer lock; waits for another holder. The lock goes with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
