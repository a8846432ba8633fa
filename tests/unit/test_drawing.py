"""Where the parts of a graph's picture stand: nothing overlaps, labels fit, the same graph gives the same picture."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx.serve.web.drawing import (
    CHARACTER,
    MOST_LETTERS,
    PAD,
    SHAPE,
    Box,
    Drawing,
    Placed,
    columns_of,
    draw,
    shortened,
)

_NUMBER = r"-?\d+(?:\.\d+)?"


def apart(one: Placed, other: Placed) -> bool:
    """Whether two rectangles have nothing in common."""
    return (
        one.x + one.width <= other.x or other.x + other.width <= one.x
        or one.y + one.height <= other.y or other.y + other.height <= one.y
    )  # fmt: skip


def ends(curve: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a curve begins and ends."""
    begin = re.match(rf"M({_NUMBER}) ({_NUMBER})", curve)
    assert begin is not None
    last = re.findall(_NUMBER, curve)[-2:]
    return (float(begin[1]), float(begin[2])), (float(last[0]), float(last[1]))


def check(boxes: list[Box], ties: list[tuple[int, int]]) -> Drawing:
    """Draw, and look whether all of it is where it can be read."""
    drawn = draw(boxes, ties)
    assert (len(drawn.boxes), len(drawn.curves)) == (len(boxes), len(ties))
    for one, other in combinations(drawn.boxes, 2):
        assert apart(one, other), (one, other)
    for one, other in combinations(drawn.frames, 2):
        assert apart(one, other), (one, other)
    for placed in (*drawn.boxes, *drawn.frames):
        assert 0 <= placed.x <= drawn.width - placed.width
        assert 0 <= placed.y <= drawn.height - placed.height
    for placed in drawn.boxes:
        assert columns_of(placed.label) * CHARACTER <= placed.width - 2 * PAD + 1e-6
    for (source, target), curve in zip(ties, drawn.curves, strict=True):
        for end, box in zip(ends(curve), (source, target), strict=True):
            placed = drawn.boxes[box]
            assert min(abs(end[0] - placed.x), abs(end[0] - placed.x - placed.width)) < 0.11, curve
            assert placed.y - 0.11 <= end[1] <= placed.y + placed.height + 0.11, curve
    levels = {box.level for box in boxes}
    assert [one.level for one in drawn.headings] == sorted(levels)
    for lower, higher in zip(sorted(levels), sorted(levels)[1:], strict=False):
        right = max(p.x + p.width for p, box in zip(drawn.boxes, boxes, strict=True) if box.level == lower)
        left = min(p.x for p, box in zip(drawn.boxes, boxes, strict=True) if box.level == higher)
        assert right < left
    assert draw(boxes, ties) == drawn
    return drawn


@st.composite
def graphs(make: st.DrawFn) -> tuple[list[Box], list[tuple[int, int]]]:
    """Boxes of a few levels and files, with edges of all directions, repeats and loops among them."""
    boxes = make(st.lists(st.builds(Box, st.integers(-3, 3), st.sampled_from(["a.py", "b/c.py", "d" * 70]),
                                    st.text(max_size=40)), min_size=1, max_size=45))  # fmt: skip
    box = st.integers(0, len(boxes) - 1)
    return boxes, make(st.lists(st.tuples(box, box), max_size=70))


@given(graphs())
def test_nothing_overlaps_and_every_curve_leads_from_box_to_box(graph):
    """Whatever the graph: cycles, loops, several edges between two, levels left out."""
    check(*graph)


@pytest.mark.parametrize("files", [1, 7, 199])
def test_two_hundred_boxes_around_one_are_a_picture_not_a_ribbon(files):
    """A level of 199 is broken into columns, whether its boxes are of one file or of as many."""
    boxes = [Box(0, "centre.py", "centre")] + [Box(-1, f"f{n % files}.py", f"caller_{n}") for n in range(199)]
    drawn = check(boxes, [(n, 0) for n in range(1, 200)])
    assert 0.4 < drawn.width / drawn.height / SHAPE < 2.5
    assert drawn.boxes[0].x == max(box.x for box in drawn.boxes)


def test_boxes_of_a_file_stand_together_in_the_order_of_their_neighbours():
    """Two callers of two callees, given crosswise, are put beside what they call; each file has one frame a level."""
    boxes = [Box(-1, "a.py", "one"), Box(-1, "b.py", "two"), Box(0, "m.py", "m"), Box(1, "x.py", "of_two"),
             Box(1, "y.py", "of_one"), Box(-1, "a.py", "three")]  # fmt: skip
    drawn = check(boxes, [(0, 2), (1, 2), (5, 2), (2, 3), (2, 4), (0, 4), (5, 4), (1, 3)])
    assert sorted(frame.label for frame in drawn.frames) == ["a.py", "b.py", "m.py", "x.py", "y.py"]
    y = [box.y for box in drawn.boxes]
    assert (y[0] < y[1]) == (y[4] < y[3]), "the edges from one and two cross"
    assert abs(y[0] - y[5]) < 30, "one and three are of a file"


def test_edges_between_the_same_two_boxes_do_not_hide_each_other():
    """A call, a reference and a call back are three curves."""
    drawn = check([Box(0, "a.py", "a"), Box(1, "a.py", "b")], [(0, 1), (0, 1), (1, 0), (0, 0)])
    assert len(set(drawn.curves)) == 4


def test_a_graph_of_nothing_is_an_empty_picture():
    """There is nothing to draw."""
    drawn = draw([], [])
    assert (drawn.boxes, drawn.frames, drawn.curves, drawn.headings) == ([], [], [], [])


@pytest.mark.parametrize(
    "text, most, expected",
    [
        ("load", 26, "load"),
        ("abcdefghij", 7, "abc…hij"),
        ("abcdefghij", 6, "abc…ij"),
        ("日本語の長い名前", 9, "日本…名前"),
        ("a\u202eb\x00c", 26, "a\ufffdb\ufffdc"),
        ("e\u0301" * 2, 26, "e\ufffde\ufffd"),
    ],
)
def test_long_names_lose_their_middle_and_what_cannot_be_seen_is_marked(text, most, expected):
    """The beginning and the end of a name say the most; control and direction marks would deceive."""
    assert shortened(text, most) == expected
    assert columns_of(expected) <= most


@given(st.text(max_size=60), st.integers(3, MOST_LETTERS))
def test_a_shortened_text_always_fits(text, most):
    """Whatever letters are in it."""
    assert columns_of(shortened(text, most)) <= most
