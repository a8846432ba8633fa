"""How are changes of files written down, so that `git apply` makes them?"""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence, Set

from repoctx.tasks.lines import common

MOST_STEPS = 4_000_000  # that comparing two runs of lines may take: they are divided, or taken as a whole
_POPULAR_FROM = 200  # lines from which on difflib leaves out those that make up more than a hundredth
CONTEXT = 3  # lines around a change
_ESCAPES = {ord("\t"): r"\t", ord("\n"): r"\n", ord('"'): r"\"", ord("\\"): r"\\"}


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends. Only a line feed ends one."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def changed(before: str, after: str) -> list[tuple[int, int, int, int]]:
    """Which lines differ: first and last line before (from 0, half-open), first and last line after."""
    old, new = lines_of(before), lines_of(after)
    head, tail = common(old, new)
    return _between(old, new, (head, len(old) - tail, head, len(new) - tail))


_Change = tuple[int, int, int, int]


def _between(old: Sequence[str], new: Sequence[str], whole: _Change) -> list[_Change]:
    """Which lines differ within two runs; where these are too long to compare, between lines that each has once."""
    if _steps(old, new, whole) <= MOST_STEPS:
        return _compared(old, new, whole)
    start, end, first, last = whole
    found: list[_Change] = []
    for at, at_new in [*_anchors(old, new, whole), (end, last)]:
        gap = (start, at, first, at_new)
        share = MOST_STEPS * (at - start + at_new - first) // (end - whole[0] + last - whole[2])
        if at > start or at_new > first:
            found += _compared(old, new, gap) if _steps(old, new, gap) <= share else [gap]
        start, first = at + 1, at_new + 1
    return found


def _compared(old: Sequence[str], new: Sequence[str], whole: _Change) -> list[_Change]:
    start, end, first, last = whole
    matcher = difflib.SequenceMatcher(None, old[start:end], new[first:last])
    return [
        (left + start, right + start, left_new + first, right_new + first)
        for tag, left, right, left_new, right_new in matcher.get_opcodes()
        if tag != "equal"
    ]


def _steps(old: Sequence[str], new: Sequence[str], whole: _Change) -> int:
    """About how many steps difflib takes at worst: as many pairs of equal lines, for each line anew."""
    start, end, first, last = whole
    counts = Counter(new[first:last])
    popular = (last - first) // 100 + 1 if last - first >= _POPULAR_FROM else last - first
    pairs = sum(counts[line] for line in old[start:end] if counts[line] <= popular)
    return (pairs + end - start) * min(end - start, last - first)


def _anchors(old: Sequence[str], new: Sequence[str], whole: _Change) -> list[tuple[int, int]]:
    """Lines that both have once, in the order of both: as many as there can be."""
    start, end, first, last = whole
    once, once_new = Counter(old[start:end]), Counter(new[first:last])
    places = {new[at]: at for at in range(first, last) if once_new[new[at]] == 1}
    pairs = [(at, places[old[at]]) for at in range(start, end) if once[old[at]] == 1 and old[at] in places]
    ends: list[int] = []  # of the longest runs that rise: where each ends least far on
    rising: list[int] = []  # the pair that is there
    before: list[int] = []  # the pair before each
    for number, (_, at_new) in enumerate(pairs):
        length = bisect_left(ends, at_new)
        before.append(rising[length - 1] if length else -1)
        ends[length : length + 1], rising[length : length + 1] = [at_new], [number]
    found: list[tuple[int, int]] = []
    number = rising[-1] if rising else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def written(path: str, before: str | None, after: str | None, hidden: Set[int] = frozenset()) -> str:
    """A change as git writes it; "" if it is none. None stands for no such file.

    `hidden` are lines before (from 0) that are not shown around it, but where git could not do without.
    """
    if before == after:
        return ""
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    head = [f"diff --git {old} {new}"]
    if before is None or after is None:
        head.append("new file mode 100644" if before is None else "deleted file mode 100644")
    body = list(_hunks(before or "", after or "", hidden))
    if body:
        tab = "\t" if " " in path else ""  # git's mark for where a name ends
        head.append("--- /dev/null" if before is None else f"--- {old}{tab}")
        head.append("+++ /dev/null" if after is None else f"+++ {new}{tab}")
    return "\n".join(head) + "\n" + "".join(body)


def _hunks(before: str, after: str, hidden: Set[int]) -> Iterator[str]:
    """The hunks between two texts, line by line."""
    old, new = lines_of(before), lines_of(after)
    runs: list[tuple[int, int, list[tuple[int, int, int, int]]]] = []  # first and last line before, and the changes
    for change in changed(before, after):
        first = change[0]
        while first > max(0, change[0] - CONTEXT) and first - 1 not in hidden:
            first -= 1
        last = change[1] + 1  # without a line behind it, git takes a hunk for the end of the file
        while last < min(len(old), change[1] + CONTEXT) and last not in hidden:
            last += 1
        if runs and first <= runs[-1][1]:
            runs[-1][2].append(change)
            runs[-1] = (runs[-1][0], min(last, len(old)), runs[-1][2])
        else:
            runs.append((first, min(last, len(old)), [change]))
    for first, last, run in runs:
        start, end = run[0][2] - (run[0][0] - first), run[-1][3] + last - run[-1][1]
        yield f"@@ -{_range(first, last)} +{_range(start, end)} @@\n"
        at = first
        for left, right, left_new, right_new in run:
            yield from _signed(" ", old[at:left])
            yield from _signed("-", old[left:right])
            yield from _signed("+", new[left_new:right_new])
            at = right
        yield from _signed(" ", old[at:last])


def _signed(sign: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield sign + (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")


def _range(first: int, last: int) -> str:
    """Lines as a hunk's head names them: of none the line before."""
    count = last - first
    return f"{first + 1}" if count == 1 else f"{first + (count > 0)},{count}"


def _quoted(path: str) -> str:
    """A path as git quotes it."""
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return path
    raw = path.encode()
    return '"' + "".join(_ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in raw) + '"'
