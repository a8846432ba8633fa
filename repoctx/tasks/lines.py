"""What are the lines of a text, and where does a run of them stand?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

MARK = "\ufeff"  # a byte order mark


@lru_cache(4)
def bare(text: str) -> Sequence[str]:
    """The lines of a text without their ends and its byte order mark."""
    lines = text.removeprefix(MARK).replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def common(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines at the beginning, and then at the end, are the same in both."""
    most = min(len(old), len(new))
    head = next((at for at in range(most) if old[at] != new[at]), most)
    most -= head
    return head, next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)


def runs(text: str, wanted: Sequence[str], seen: Callable[[str], str], most: int) -> list[int]:
    """The lines at which a run of lines begins: found as text, which takes time in proportion to both."""
    if not wanted:
        return []
    whole, part = _seen(text, seen), "\n" + "\n".join(map(seen, wanted)) + "\n"
    found: list[int] = []
    at, counted, line = whole.find(part), 0, 0
    while at >= 0 and len(found) < most:
        line += whole.count("\n", counted, at)
        counted = at
        found.append(line)
        at = whole.find(part, at + 1)
    return found


@lru_cache(4)
def _seen(text: str, seen: Callable[[str], str]) -> str:
    """A text whose lines all have a line feed on both sides, as they are seen; the same is asked for many edits."""
    return "\n" + "\n".join(map(seen, bare(text))) + "\n"
