"""What do edges look like before they are sorted, and which candidates do they bring along?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from repoctx.graph.keys import Array, Mask, Rows


class Drafts(NamedTuple):
    """Edges as columns of equal length; candidates as ranges of a pool."""

    kind: Array
    file: Array
    line: Array
    column: Array
    source: Array
    target: Array
    confidence: Array
    rule: Array
    start: Array  # offsets into candidates
    size: Array
    candidates: Rows


_START = Drafts._fields.index("start")


def none(kind: int) -> Drafts:
    """No edges."""
    empty = np.zeros(0, np.int64)
    return plain(kind, empty, empty, empty, empty, empty, np.zeros(0, np.float32), empty)


def plain(
    kind: int, file: Array, line: Array, column: Array, source: Array, target: Array, confidence: Array, rule: Array
) -> Drafts:
    """Edges of one kind without candidates."""
    nothing = np.zeros(len(file), np.int64)
    kinds = np.full(len(file), kind, np.uint8)
    return Drafts(kinds, file, line, column, source, target, confidence, rule, nothing, nothing, nothing[:0])


def take(edges: Drafts, rows: Array | Mask) -> Drafts:
    """Some of the edges."""
    return Drafts._make([*(column[rows] for column in edges[:-1]), edges.candidates])


def join(parts: list[Drafts]) -> Drafts:
    """Edges one part after the other, their candidates in one pool."""
    columns = [np.concatenate(column) for column in zip(*(part[:-1] for part in parts), strict=True)]
    shifts = np.cumsum([0, *(len(part.candidates) for part in parts)])[:-1]
    columns[_START] = np.concatenate([part.start + shift for part, shift in zip(parts, shifts, strict=True)])
    return Drafts._make([*columns, np.concatenate([part.candidates for part in parts])])
