"""Which commits resemble the query, and what did they touch? What is changed often, and what together?

Commits are read from the newest to the oldest. Renames lead from a path then to the path now, and the hunks of each
commit say how the lines of the version before it lie in the snapshot: so what a commit touched is told in chunks of
the snapshot, without reading a single old version. Commits without hunks (bulk ones) move no lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.index import lexical
from repoctx.spans import ranges
from repoctx.types import Change, Commit, Floats, Ints

Columns = dict[str, NDArray[Any]]

# A commit of more files says little about each: they were renamed, reformatted or imported.
MOST_FILES = 30
# What counts as often changed: a change weighs half as much for every so many commits after it.
HALF_LIFE = 800
# A fix says more about where the next one will be than another change.
FIX, OTHER = 1.0, 0.4
_FIXES = re.compile(r"\b(fix(e[sd])?|bug|regress(ion|ed)?|crash|error|issue|closes?|resolves?)\b", re.IGNORECASE)
# The path of a file that is no longer there, in the snapshot's names: no file has it.
NOWHERE = ""
# Lines that say who did it, not what: Signed-off-by, Co-authored-by, Change-Id.
_TRAILER = re.compile(r"^[A-Z][A-Za-z]*(-[A-Za-z]+)+: .*$", re.MULTILINE)
# Commits that resemble a query at most, and how fast those after the first count less.
RESEMBLING, POWER = 40, 3
# Files from which co-change starts, and commits of each that are looked at, the newest.
SEEDS, MOST_TOUCHES = 5, 200


class Past(NamedTuple):
    """What the commits before a snapshot did to it. n commits, newest first; F files, D chunks; T terms."""

    terms: Mapping[bytes, int]
    columns: Columns


def build(
    commits: Sequence[Commit], paths: Sequence[str], lines: Ints, file_offset: NDArray[np.int64], start_line: Ints
) -> Columns:
    """The past of a snapshot: its F paths with their `lines`, and its chunks with the lines they start at."""
    kept: list[Commit] = []
    files: list[list[int]] = []
    chunks: list[list[int]] = []
    weight: list[float] = []
    trace = _Trace(paths, lines, file_offset, start_line)
    for rank, commit in enumerate(commits):
        touched, places = trace.back(commit)
        if 0 < commit.files <= MOST_FILES:
            kept.append(commit)
            files.append(touched)
            chunks.append(places)
            weight.append(0.5 ** (rank / HALF_LIFE) * (FIX if _FIXES.search(commit.message[:200]) else OTHER))
    found = lexical.postings([[(i, _said(commit).encode()) for i, commit in enumerate(kept)]], len(kept))
    columns: Columns = {
        "posting.offset": found.offset,
        "posting.commit": found.chunk,
        "posting.frequency": found.frequency[:, 0],
        "commit.length": found.length[:, 0],
        "commit.id": np.frombuffer("".join(c.id[:12] for c in kept).encode(), np.uint8).reshape(-1, 12),
    }
    columns |= _pool("terms", found.terms) | _pool("subject", [_subject(c).encode() for c in kept])
    for name, rows, size in (("file", files, len(paths)), ("chunk", chunks, len(start_line))):
        width = np.fromiter(map(len, rows), np.int64, len(rows))
        flat = np.fromiter((row for found_rows in rows for row in found_rows), np.int32, width.sum())
        columns[f"{name}.offset"] = np.concatenate([[0], np.cumsum(width)]).astype(np.int64)
        columns[f"{name}.row"] = flat
        changed = np.bincount(flat, np.repeat(np.array(weight), width), size)
        columns[f"{name}.changed"] = np.log1p(changed).astype(np.float32)
    return columns


def opened(columns: Columns) -> Past:
    """The past in columns as `build` made them, ready for questions."""
    return Past({term: i for i, term in enumerate(_strings(columns, "terms"))}, columns)


def _pool(name: str, strings: Sequence[bytes]) -> Columns:
    ends = np.cumsum([0, *map(len, strings)], dtype=np.int64)
    return {f"{name}.bytes": np.frombuffer(b"".join(strings), np.uint8), f"{name}.offset": ends}


def _strings(columns: Columns, name: str) -> list[bytes]:
    whole, ends = columns[f"{name}.bytes"].tobytes(), columns[f"{name}.offset"].tolist()
    return [whole[a:b] for a, b in pairwise(ends)]


def _said(commit: Commit) -> str:
    return _TRAILER.sub("", commit.message)


def _subject(commit: Commit) -> str:
    return commit.message.strip().partition("\n")[0][:100]


class _Trace:
    """Where the lines of older versions are in the snapshot, from commit to commit."""

    def __init__(
        self, paths: Sequence[str], lines: Ints, file_offset: NDArray[np.int64], start_line: Ints
    ) -> None:
        self.file = {path: number for number, path in enumerate(paths)}
        self.lines, self.file_offset, self.start_line = lines, file_offset, start_line
        self.now: dict[str, str] = {}  # path then -> path in the snapshot
        self.line: dict[int, NDArray[np.int32]] = {}  # file -> line then -> line in the snapshot; 0 is no line

    def back(self, commit: Commit) -> tuple[list[int], list[int]]:
        """The files and chunks of the snapshot that a commit touched; after that, the version before it is meant."""
        files: set[int] = set()
        chunks: set[int] = set()
        # What had the path of a file before it was added, or renamed to that, is another file.
        before = {change.path: NOWHERE for change in commit.changes if change.status in ("A", "R")}
        for change in commit.changes:
            path = self.now.get(change.path, change.path)
            if change.status == "R":
                before[change.old_path] = path
            number = self.file.get(path)
            if number is not None and change.status != "D":
                files.add(number)
                if change.hunks:
                    chunks.update(self._through(number, change))
        self.now |= before
        return sorted(files), sorted(chunks)

    def _through(self, file: int, change: Change) -> list[int]:
        line = self.line.get(file)
        if line is None:
            line = np.arange(int(self.lines[file]) + 2, dtype=np.int32)
        _, old_count, new, new_count = np.array(change.hunks, np.int64).T
        seen = np.concatenate([new, new + new_count // 2, new + np.maximum(new_count - 1, 0)])
        places = line[np.clip(seen, 1, len(line) - 1)]
        first, end = self.file_offset[file : file + 2]
        chunks = first + np.maximum(np.searchsorted(self.start_line[first:end], places, "right") - 1, 0)
        # Of each hunk the new lines go, and as many as it had before stand where it begins.
        # The line before the first and the one behind the last stay.
        last = len(line) - 1
        begin = np.clip(np.where(new_count > 0, new, new + 1), 1, last)
        gone = ranges(begin, new_count)
        keep = np.ones(len(line), np.bool_)
        keep[gone[gone < last]] = False
        at = np.repeat(begin, old_count)
        self.line[file] = np.insert(line, at, line[at])[np.insert(keep, at, True)]
        return np.unique(chunks).tolist() if end > first else []


# --- asking ------------------------------------------------------------------------------------


class Resembling(NamedTuple):
    """What the commits touched whose messages resemble a query."""

    files: Floats  # (F,)
    chunks: Floats  # (D,)
    commits: list[int]  # the best, best first
    best: float  # score of the first


def resembling(past: Past, weights: Mapping[str, float]) -> Resembling | None:
    """What commits with messages like the query touched; None if no message has one of its terms.

    BM25 over messages; the n-th commit counts (its score / the best) to the power of POWER, spread over what it
    touched by the root of how much that is.
    """
    columns = past.columns
    length = columns["commit.length"].astype(np.float64)
    scores = np.zeros(len(length))
    norm = lexical.K1 * (0.25 + 0.75 * length / max(1.0, float(length.mean()) if len(length) else 1.0))
    for term, weight in sorted(weights.items()):
        at = past.terms.get(term.encode())
        if at is None:
            continue
        start, end = columns["posting.offset"][at : at + 2]
        rows, count = columns["posting.commit"][start:end], columns["posting.frequency"][start:end].astype(np.float64)
        rarity = np.log1p((len(scores) - len(rows) + 0.5) / (len(rows) + 0.5))
        scores[rows] += weight * rarity * count * (lexical.K1 + 1) / (count + norm[rows])
    if not scores.any():
        return None
    best = np.lexsort((np.arange(len(scores)), -np.round(scores, 6)))[:RESEMBLING]
    best = best[scores[best] > 0]
    share = (scores[best] / scores[best[0]]) ** POWER
    files, chunks = (_handed_on(columns, name, best, share) for name in ("file", "chunk"))
    return Resembling(files, chunks, best.tolist(), float(scores[best[0]]))


def _handed_on(columns: Columns, name: str, commits: NDArray[np.int64], share: NDArray[np.float64]) -> Floats:
    start = columns[f"{name}.offset"][commits]
    count = columns[f"{name}.offset"][commits + 1] - start
    rows = columns[f"{name}.row"][ranges(start, count)]
    each = np.repeat(share / np.sqrt(np.maximum(count, 1)), count)
    summed: Floats = np.bincount(rows, each, len(columns[f"{name}.changed"])).astype(np.float32)
    return summed


def together(past: Past, files: Sequence[int], weight: Sequence[float]) -> Floats:
    """(F,) what was changed in the commits that changed these files, themselves left out."""
    columns = past.columns
    row, offset = columns["file.row"], columns["file.offset"]
    commit = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
    total: Floats = np.zeros(len(columns["file.changed"]), np.float32)
    for file, share in zip(files[:SEEDS], weight, strict=False):
        touching = commit[row == file][:MOST_TOUCHES]
        if len(touching):
            beside = _handed_on(columns, "file", touching, np.full(len(touching), share / len(touching)))
            beside[list(files)] = 0
            total += beside
    return total


def touched(past: Past, what: str, commit: int) -> NDArray[np.int32]:
    """Rows of the "file"s or "chunk"s that a commit touched."""
    start, end = past.columns[f"{what}.offset"][commit : commit + 2]
    rows: NDArray[np.int32] = past.columns[f"{what}.row"][start:end]
    return rows


def told(past: Past, commit: int) -> str:
    """A commit as people name it: the id's first digits and the subject."""
    columns = past.columns
    start, end = columns["subject.offset"][commit : commit + 2]
    subject = columns["subject.bytes"][start:end].tobytes().decode("utf-8", "replace")
    return f"{columns['commit.id'][commit].tobytes().decode()} {subject}"


def lateness(past: Past, files: int) -> Ints:
    """(files,) how late each file was changed: 0 if by no commit that is known, else the higher the later.

    Only the order says something: a commit that comes later raises the files that it changes above all others.
    """
    offset = past.columns["file.offset"]
    commits = len(offset) - 1
    commit = np.repeat(np.arange(commits, dtype=np.int32), np.diff(offset))
    newest = np.full(files, commits, np.int32)
    np.minimum.at(newest, past.columns["file.row"], commit)
    return (commits - newest).astype(np.int32)
