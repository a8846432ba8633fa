"""Which lines of a file are shown, and how many tokens do they take?

Ranges of lines between clean cuts, with a mark for each gap; they join where they meet, or where the gap costs no more
than its mark. What is added costs what it really adds: lines, marks, and with the first of them the file's frame.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from repoctx.pack import render
from repoctx.pack.render import Format
from repoctx.pack.tile import Sheet
from repoctx.types import Hit

Lines = tuple[int, int]


@dataclass(slots=True)
class Chosen:
    """What has been chosen of one file so far."""

    page: Sheet
    frame: int
    style: Format
    ranges: list[Lines] = field(default_factory=list)  # in order, with gaps between them
    hits: dict[int, tuple[int, Hit]] = field(default_factory=dict)  # tile -> its best rank and hit
    core: set[int] = field(default_factory=set)


class Cost(NamedTuple):
    """What lines take that were added."""

    tokens: int
    before: list[Lines]  # the ranges, to have them again


def take(file: Chosen, wanted: Sequence[Lines], left: int | None) -> Cost | None:
    """Add lines to a file's ranges, if they are not all there already and cost at most `left` tokens."""
    before = file.ranges
    ranges, cost = before.copy(), 0 if before else file.frame
    for lines in wanted:
        cost += _insert(file, ranges, lines)
    if ranges == before or (left is not None and cost > left):
        return None
    file.ranges = ranges
    return Cost(cost, before)


def _insert(file: Chosen, ranges: list[Lines], lines: Lines) -> int:
    """Put lines among ranges, joined where they meet or where the gap costs no more than its mark: what that costs."""
    start, end = lines
    low = high = bisect_left(ranges, lines)
    while low > 0 and _joined(file, ranges[low - 1][1], start):
        low -= 1
        start, end = min(start, ranges[low][0]), max(end, ranges[low][1])
    while high < len(ranges) and _joined(file, end, ranges[high][0]):
        end = max(end, ranges[high][1])
        high += 1
    around = ranges[low - 1] if low else None, ranges[high] if high < len(ranges) else None
    old = ranges[low:high]
    if old == [(start, end)]:
        return 0
    ranges[low:high] = [(start, end)]
    return _chain(file, around[0], [(start, end)], around[1]) - _chain(file, around[0], old, around[1])


def _joined(file: Chosen, end: int, start: int) -> bool:
    """Whether what ends and what starts at these lines belong into one range."""
    return start <= end + 1 or file.page.tokens(end + 1, start - 1) <= _mark(file, end + 1, start - 1)


def _chain(file: Chosen, before: Lines | None, ranges: list[Lines], after: Lines | None) -> int:
    """Tokens of ranges and of the marks between them and their neighbours; of the line numbers where there is none."""
    cost = sum(file.page.tokens(start, end) for start, end in ranges)
    chain = [*([before] if before else []), *ranges, *([after] if after else [])]
    cost += sum(_mark(file, a[1] + 1, b[0] - 1) for a, b in pairwise(chain))
    if chain and not before:
        cost += len(str(chain[0][0]))
    if chain and not after:
        cost += len(str(chain[-1][1]))
    return cost


def _mark(file: Chosen, start: int, end: int) -> int:
    return render.elision_tokens(start, end, file.page.counter, file.style)
