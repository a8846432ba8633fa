"""What does a unified diff change, and which lines of a snapshot are those?

A snapshot may show a file before the change or after it. Each hunk says what both look like: the side whose
lines are there decides, for the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Side = Literal["before", "after", "neither"]

# Places of a hunk's rarest line that are tried where the hunk is not at its stated line.
MOST_PLACES = 100

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPE = re.compile(rb'\\([0-7]{3}|.)')
_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")
_PREFIX = re.compile(r"^[abciow12]/")
_NAMED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


class Hunk(NamedTuple):
    """One piece of a change."""

    old: int  # line at which it begins before, 1-based
    new: int  # and after
    rows: list[str]  # lines with their mark in front: " ", "-" or "+"


class FileChange(NamedTuple):
    """What a diff does to one file."""

    old: str | None  # path before as written, None for a new file
    new: str | None  # path after, None for a deleted file
    hunks: list[Hunk]
    unreadable: str = ""  # why there are no hunks, if a reason is known: "binary", "combined"


class Changed(NamedTuple):
    """The lines of a snapshot that a change concerns."""

    side: Side
    lines: list[int]
    seams: list[int]  # line before which lines are missing that the other side has
    beside: list[list[int]]  # for each seam the lines next to it that no blank line separates from it


def parse(text: str) -> list[FileChange]:
    """The files that a unified diff changes, in its order; what is no diff yields none.

    One that begins with a colour (`git diff --color=always`) is read without its colours.
    """
    if text.startswith("\x1b["):
        text = _COLOUR.sub("", text)
    found: list[FileChange] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("diff --git "):
            old, new = _header(line[len("diff --git ") :].rstrip("\r"))
            found.append(FileChange(old, new, []))
        elif line.startswith(("diff --cc ", "diff --combined ")):
            path = _path(line.split(" ", 2)[2])
            found.append(FileChange(path, path, [], "combined"))
        elif line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            old, new = _path(line[4:]), _path(lines[at + 1][4:])
            if found and not found[-1].hunks and _same_file(found[-1], old, new):
                found[-1] = found[-1]._replace(old=old, new=new)
            else:
                found.append(FileChange(old, new, []))
            at += 1
        elif found and (hunk := _HUNK.match(line)):
            at, rows = _rows(lines, at + 1, int(hunk[2] or 1), int(hunk[4] or 1))
            found[-1].hunks.append(Hunk(int(hunk[1]), int(hunk[3]), rows))
            continue
        elif found and not found[-1].hunks:
            found[-1] = _told(found[-1], line.rstrip("\r"))
        at += 1
    return found


def _told(change: FileChange, line: str) -> FileChange:
    """A change with what one line of its extended header says."""
    if line.startswith(("rename from ", "copy from ")):
        return change._replace(old=_quoted(line.split(" ", 2)[2]))
    if line.startswith(("rename to ", "copy to ")):
        return change._replace(new=_quoted(line.split(" ", 2)[2]))
    if line.startswith("new file mode"):
        return change._replace(old=None)
    if line.startswith("deleted file mode"):
        return change._replace(new=None)
    if line.startswith(("Binary files ", "GIT binary patch")):
        return change._replace(unreadable="binary")
    return change


def _same_file(change: FileChange, old: str | None, new: str | None) -> bool:
    """Whether the `---` and `+++` lines go on with the header before them."""
    return change.unreadable == "combined" or {old, new} - {None} <= {change.old, change.new, None}


def _header(rest: str) -> tuple[str | None, str | None]:
    """The paths of `a/x b/x`: quoted, or two of equal length behind their prefixes, or split at the last ` b/`."""
    if rest.startswith('"'):
        end = rest.find('" ', 1)
        return _path(rest[: end + 1]), _path(rest[end + 2 :])
    half = len(rest) // 2
    if rest[half : half + 1] == " " and rest[:half].partition("/")[2] == rest[half + 1 :].partition("/")[2]:
        return _path(rest[:half]), _path(rest[half + 1 :])
    old, _, new = rest.rpartition(" b/")
    return (_path(old), _path("b/" + new)) if old else (_path(rest), _path(rest))


def _path(text: str) -> str | None:
    """A path as a diff writes it, its prefix kept; None for a file that is not there."""
    path = _quoted(text.rstrip("\r").partition("\t")[0] if not text.startswith('"') else text.rstrip("\r"))
    return None if path == "/dev/null" else path


def _quoted(text: str) -> str:
    if not (text.startswith('"') and text.rstrip().endswith('"')):
        return text
    inner = text.rstrip()[1:-1].encode("utf-8", "surrogateescape")
    raw = _ESCAPE.sub(
        lambda m: bytes([int(m[1], 8) & 255]) if len(m[1]) == 3 else _NAMED.get(m[1], m[1]), inner
    )
    return raw.decode("utf-8", "replace")


def _rows(lines: Sequence[str], at: int, old: int, new: int) -> tuple[int, list[str]]:
    """The lines of a hunk of so many old and new lines, and where it ends; one that is cut short ends earlier."""
    rows: list[str] = []
    while at < len(lines) and (old > 0 or new > 0 or lines[at].startswith("\\")):
        line = lines[at]
        mark = line[:1] or " "  # an empty context line that lost its space
        if mark not in " +-\\" or (mark == " " and not line and at == len(lines) - 1):
            break
        if mark != "\\":
            old -= mark != "+"
            new -= mark != "-"
            rows.append(mark + line[1:].rstrip("\r"))
        at += 1
    return at, rows


def plain_path(path: str) -> str:
    """A path of a diff without the prefix that says its side (`a/`, `b/`)."""
    return _PREFIX.sub("", path, count=1)


def moved(change: FileChange) -> bool:
    """Whether a file that there was is deleted or has another path."""
    return change.old is not None and (change.new is None or plain_path(change.old) != plain_path(change.new))


def paths(change: FileChange) -> list[tuple[str, Side]]:
    """The paths that a file of a snapshot may have, and the side that each is on; the likelier first."""
    found: list[tuple[str, Side]] = []
    sides: tuple[tuple[str | None, Side], ...] = ((change.new, "after"), (change.old, "before"))
    for path, side in sides:
        if path:
            shown = [plain_path(path), path]
            # Both with the same "prefix": git wrote none, it is a folder.
            found += [(one, side) for one in dict.fromkeys(shown[::-1] if change.old == change.new else shown)]
    return found


def changed(change: FileChange, lines: Sequence[str]) -> Changed:
    """Which lines of a file a change concerns; `lines` are those of the snapshot, without their ends."""
    lines = [line.rstrip("\r") for line in lines]
    before = [_place(lines, _without(h, "+"), h.old) for h in change.hunks]
    after = [_place(lines, _without(h, "-"), h.new) for h in change.hunks]
    olds, news = (sum(place is not None for place in places) for places in (before, after))
    if not olds and not news:
        side: Side = "neither" if change.hunks else "after"
    else:
        side = "after" if news >= olds else "before"
    if not all(place is not None for place in (before if side == "before" else after)):
        # The lines of some hunks are not there, or stand at several places: they are looked for elsewhere.
        index: dict[str, list[int]] = {}
        for number, line in enumerate(lines, 1):
            index.setdefault(line, []).append(number)
        before = [p or _moved(lines, index, _without(h, "+")) for p, h in zip(before, change.hunks, strict=True)]
        after = [p or _moved(lines, index, _without(h, "-")) for p, h in zip(after, change.hunks, strict=True)]
        olds, news = (sum(place is not None for place in places) for places in (before, after))
        if olds or news:
            side = "after" if news >= olds else "before"
    last = len(lines)
    added, removed = ("-", "+") if side == "before" else ("+", "-")
    touched: list[int] = []
    seams: list[int] = []
    beside: list[list[int]] = []
    for hunk, place in zip(change.hunks, before if side == "before" else after, strict=True):
        start = place or _stated(hunk, removed)
        for run, number in _runs(hunk.rows, start, removed):
            own = [n for n, row in enumerate((r for r in run if r[0] == added), number) if row[1:].strip()]
            touched += own
            if not own and any(row[0] == removed and row[1:].strip() for row in run):
                near = (number - 1, run[0]), (number, run[-1])
                near_lines = [n for n, row in near if row[1:].strip() and 0 < n <= last and lines[n - 1].strip()]
                seams.append(min(number, last + 1))
                beside.append(near_lines)
    return Changed(side, [n for n in touched if n <= last], seams, beside)


def _runs(rows: Sequence[str], number: int, absent: str) -> Iterator[tuple[list[str], int]]:
    """Adjacent changed rows, and the line at which they begin. Rows marked `absent` take no line."""
    run: list[str] = []
    start = number
    for row in [*rows, " "]:
        if row[0] == " ":
            if run:
                yield run, start
            run, start = [], number + 1
        else:
            run.append(row)
        number += row[0] != absent
        if not run:
            start = number


def _without(hunk: Hunk, mark: str) -> list[str]:
    """The lines of one side of a hunk, which does not have those with a mark."""
    return [row[1:] for row in hunk.rows if row[0] != mark]


def _stated(hunk: Hunk, absent: str) -> int:
    """The line at which one side of a hunk begins; a side without lines states the line before."""
    start = hunk.old if absent == "+" else hunk.new
    return start if _without(hunk, absent) else start + 1


def _place(lines: Sequence[str], wanted: Sequence[str], start: int) -> int | None:
    """The stated line of a hunk if its lines are there. A side without lines fits nowhere but in an empty file."""
    if not wanted:
        return max(start, 1) if not any(lines) else None
    return start if start > 0 and list(lines[start - 1 : start - 1 + len(wanted)]) == list(wanted) else None


def _moved(lines: Sequence[str], index: dict[str, list[int]], wanted: Sequence[str]) -> int | None:
    """The only place where the lines of one side of a hunk are."""
    if not wanted:
        return None
    rarest = min(range(len(wanted)), key=lambda i: len(index.get(wanted[i], ())))
    places = index.get(wanted[rarest], [])[:MOST_PLACES]
    starts = [n - rarest for n in places if n > rarest]
    fits = [start for start in starts if _place(lines, wanted, start)]
    return fits[0] if len(fits) == 1 else None
