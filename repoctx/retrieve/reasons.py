"""Why is a hit where it is? What each ranker saw of that very place, and its share of the score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from repoctx.index import history
from repoctx.retrieve import fuse
from repoctx.retrieve.evidence import Evidence
from repoctx.retrieve.index import Index
from repoctx.types import Reason

# Terms that are told of a hit at most.
MOST_TERMS = 5
# What is told where a ranker has no more to say than that.
TOLD: Mapping[str, str] = {
    "lexical": "words of the query", "lexical file": "the file has words of the query",
    "body": "words of the report", "body file": "the file has words of the report",
    "dense": "similar", "dense file": "the file is similar",
    "symbol": "a name in the query", "symbol file": "the file defines names in the query",
    "names": "words of its name", "names file": "words of names in the file", "file name": "words of the file's name",
    "path": "a path in the query", "frame": "a frame of the trace", "central": "much used by other files",
    "graph": "uses what was found", "history": "touched by a commit like it",
    "history file": "touched by a commit like it", "fixes": "often changed and fixed",
    "together": "changed together with what was found", "size": "its length",
}  # fmt: skip


def teller(index: Index, found: Evidence, rows: Sequence[int]) -> Callable[[str, int], str]:
    """Tells what a ranker saw of a chunk, one of `rows`, and of its file."""
    words = {ranker: _terms(index, found, ranker, rows) for ranker in found.terms}
    file = index.view.chunks.file

    def told(ranker: str, row: int) -> str:
        said = ""
        if ranker in words:
            said = words[ranker][row]
        elif ranker in found.places:
            said = next((place.written for place in found.places[ranker] if place.file == file[row]), "")
        elif ranker in ("history", "history file") and index.past is not None:
            what, place = ("chunk", row) if ranker == "history" else ("file", int(file[row]))
            touching = (commit for commit in found.commits if place in history.touched(index.past, what, commit))
            said = next((history.told(index.past, commit) for commit in touching), "")
        return said or TOLD[ranker]

    return told


def _terms(index: Index, found: Evidence, ranker: str, rows: Sequence[int]) -> dict[int, str]:
    """For each chunk the rarest terms of the query that are in it."""
    wanted = np.array(sorted(set(rows)), np.int64)
    inside = np.zeros(len(index.view.chunks.file), np.bool_)
    terms: dict[int, list[str]] = {int(row): [] for row in wanted}
    for one in found.terms[ranker]:
        inside[one.rows] = True
        for row in wanted[inside[wanted]].tolist():
            if len(terms[row]) < MOST_TERMS:
                terms[row].append(one.term)
        inside[one.rows] = False
    return {row: " ".join(told) for row, told in terms.items()}


def reasons(parts: Mapping[str, float], row: int, told: Callable[[str, int], str]) -> tuple[Reason, ...]:
    """The reasons of a hit whose score has these parts, the largest share first."""
    return tuple(Reason(ranker, told(ranker, row), share) for ranker, share in fuse.shares(parts))
