"""What is near in the graph: exact shares on graphs of a few nodes."""

from __future__ import annotations

import numpy as np
import pytest

from repoctx.retrieve import neighbours
from repoctx.types import EDGE_KINDS, Edges


def edges(rows: list[tuple[str, int, int, float]]) -> Edges:
    """Edges as (kind, source, target, confidence)."""
    n = len(rows)
    zeros = np.zeros(n, np.int32)
    return Edges(
        np.array([EDGE_KINDS.index(kind) for kind, *_ in rows], np.uint8), zeros, zeros, zeros,
        np.array([source for _, source, _, _ in rows], np.int32),
        np.array([target for _, _, target, _ in rows], np.int32),
        np.array([confidence for *_, confidence in rows], np.float32), np.zeros(n, np.uint8),
        np.zeros(n + 1, np.int32), np.zeros(0, np.int32),
    )  # fmt: skip


def spread(rows, nodes, seeds, weight=None):
    """What reaches each node."""
    given = np.ones(len(seeds)) if weight is None else np.array(weight, np.float64)
    return neighbours.spread(neighbours.build(edges(rows), nodes), np.array(seeds, np.int32), given)


def test_callers_get_more_than_what_is_called():
    """1 calls 0 and 0 calls 2: of 0's weight five sixths go to the caller."""
    reached = spread([("calls", 1, 0, 1.0), ("calls", 0, 2, 1.0)], 3, [0])
    first = [0, 0.6 * 5 / 6, 0.6 * 1 / 6]
    assert reached.tolist() == pytest.approx([0.6 * (first[1] + first[2]), first[1], first[2]])


def test_what_is_not_trusted_unresolved_or_mere_containment_leads_nowhere():
    """A guess, a target that is not known, a class around its method."""
    rows = [("calls", 1, 0, 0.4), ("calls", 2, -1, 1.0), ("contains", 3, 0, 1.0)]
    assert spread(rows, 4, [0]).tolist() == [0, 0, 0, 0]
    assert spread([], 2, [0]).tolist() == [0, 0]


def test_two_steps_and_no_further():
    """A chain of callers is followed twice."""
    reached = spread([("calls", n + 1, n, 1.0) for n in range(4)], 5, [0])
    assert (reached > 0).tolist() == [True, True, True, False, False]


def test_seeds_share_one_unit():
    """The sum that spreads does not depend on how many seeds there are, nor on their scale."""
    rows = [("calls", 2, 0, 1.0), ("calls", 3, 1, 1.0)]
    assert np.allclose(spread(rows, 4, [0, 1], [3, 3]), spread(rows, 4, [0, 1], [1, 1]))
    assert spread(rows, 4, [0, 1], [0, 0]).tolist() == [0, 0, 0, 0]
