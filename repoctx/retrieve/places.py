"""Which files and lines does the query name? Paths as written, the frames of stack traces, patterns of paths."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from repoctx.errors import UsageError

# Components that the ends of two paths share at least, if both are that long: a name alone is in every project.
LEAST_SHARED = 2
# Last component of a path -> the files that have it, each with its components.
ByName = Mapping[str, Sequence[tuple[int, list[str]]]]


class Place(NamedTuple):
    """A line that the query names."""

    file: int
    line: int  # 0: the file as a whole
    weight: float  # 1: named in so many words; less where it may be one of several files
    written: str
    number: int  # of what was written


def by_name(paths: Sequence[str]) -> dict[str, list[tuple[int, list[str]]]]:
    """The files of a snapshot by the last component of their paths."""
    found: dict[str, list[tuple[int, list[str]]]] = {}
    for file, path in enumerate(paths):
        parts = path.split("/")
        found.setdefault(parts[-1], []).append((file, parts))
    return found


def matching_files(named: ByName, written: str) -> list[int]:
    """The files that a path means: those that share the most components with its end.

    A path may be longer than the file's (a frame's absolute path) or shorter. Where each has folders that the
    other lacks (`site-packages/flask/app.py` for `src/flask/app.py`) a folder must be shared beside the name.
    """
    wanted = [part for part in written.split("/") if part not in ("", ".", "..")]
    best = 0
    files: list[int] = []
    for number, parts in named.get(wanted[-1], ()) if wanted else ():
        ends = zip(parts[::-1], wanted[::-1], strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
        if shared < best or shared < min(len(parts), len(wanted), LEAST_SHARED):
            continue
        files = [*files, number] if shared == best else [number]
        best = shared
    return files


def places(named: ByName, written: Sequence[tuple[str, int]], halving: float = 0.0) -> Iterator[Place]:
    """Where paths with lines lead, in their order; what is not in the snapshot is passed over.

    With `halving` the n-th that is found weighs 1 / (1 + halving * n): of a trace the innermost frame most.
    """
    found = 0
    for number, (path, line) in enumerate(written):
        files = matching_files(named, path)
        for file in files:
            weight = 1.0 / len(files) / (1 + halving * found)
            yield Place(file, line, weight, f"{path}:{line}" if line else path, number)
        found += bool(files)


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
