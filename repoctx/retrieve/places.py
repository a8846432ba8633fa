"""Which files and lines does the query name? Paths as written, and the frames of stack traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

# Last component of a path -> the files that have it, each with its components.
ByName = Mapping[str, Sequence[tuple[int, list[str]]]]


class Place(NamedTuple):
    """A line that the query names."""

    file: int
    line: int  # 0: the file as a whole
    weight: float  # 1: named in so many words; less where it may be one of several files
    written: str


def by_name(paths: Sequence[str]) -> dict[str, list[tuple[int, list[str]]]]:
    """The files of a snapshot by the last component of their paths."""
    found: dict[str, list[tuple[int, list[str]]]] = {}
    for file, path in enumerate(paths):
        parts = path.split("/")
        found.setdefault(parts[-1], []).append((file, parts))
    return found


def matching_files(named: ByName, written: str) -> list[int]:
    """The files whose path ends in what was written, or with which what was written ends (a frame's
    absolute path): those that share the most components."""
    wanted = [part for part in written.split("/") if part not in ("", ".", "..")]
    best = 0
    files: list[int] = []
    for number, parts in named.get(wanted[-1], ()) if wanted else ():
        shared = min(len(parts), len(wanted))
        if parts[-shared:] != wanted[-shared:] or shared < best:
            continue
        files = [*files, number] if shared == best else [number]
        best = shared
    return files


def places(named: ByName, written: Sequence[tuple[str, int]], halving: float = 0.0) -> Iterator[Place]:
    """Where paths with lines lead, in their order; what is not in the snapshot is passed over.

    With `halving` the n-th that is found weighs 1 / (1 + halving * n): of a trace the innermost frame most.
    """
    found = 0
    for path, line in written:
        files = matching_files(named, path)
        for file in files:
            yield Place(file, line, 1.0 / len(files) / (1 + halving * found), f"{path}:{line}" if line else path)
        found += bool(files)
