"""The texts that a back end is checked with, and what is concluded from the tokens that it finds in them."""

from __future__ import annotations

import pytest
from made_tokenizers import counter

from repoctx import tokens
from repoctx.model.check import ANCHOR, SYSTEM, TEXTS
from repoctx.model.client import Backend, Usage
from repoctx.model.needles import FRAME, Gauge, filler, haystack, key
from repoctx.model.probe import Listing, Reply, Told, told_window

COUNTERS = ["qwen", "byte level", "whole", "slashes", "estimate"]


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("size", [0, 30, 2000, 30_000])
def test_filler_fills(name, size):
    """Nearly as many tokens as were asked for and no more, all lines different, the same each time."""
    lines = filler(counter(name), size)
    count = counter(name).count("".join(lines))
    assert count <= size + (name == "whole")  # its mark before the text
    assert count > size - 100
    assert len(set(lines)) == len(lines)
    assert lines == filler(counter(name), size)


def test_needles_are_where_they_are_said_to_be():
    """In order, at their depths, each in a line of its own; the text keeps its size."""
    qwen = counter("qwen")
    text, found = haystack(qwen, 5000, (0.99, 0.01, 0.5))
    assert 4800 < qwen.count(text) <= 5000
    for number, (before, secret) in enumerate(found, 1):
        needle = f"\nDepot {number}: the pass key is {secret}.\n"
        assert text.count(secret) == text.count(needle) == 1
        earlier = text[: text.index(needle) + 1]
        others = sum(qwen.count(line) for line in earlier.splitlines(keepends=True) if line.startswith("Depot"))
        assert qwen.count(earlier) - others == before
    assert [round(before / 5000, 1) for before, _ in found] == [0.0, 0.5, 1.0]
    assert qwen.count(f"Depot 4: the pass key is {key(4)}.\n") <= FRAME


def test_texts_begin_and_end_where_templates_may_trim():
    """Letters first, no blanks last: what is added around them is what the anchor has too."""
    for text in (ANCHOR, SYSTEM, *TEXTS.values()):
        assert text[0].isalpha()
        assert text == text.strip()
    assert tokens.count(ANCHOR) == 1


def test_what_is_predicted_and_what_is_cut():
    """Exactly, where our tokenizer is the server's; within a share where it is not; nothing without usage."""
    exact, scaled = Gauge(8), Gauge(10, 2.0, 0.05)
    assert (exact.predicted(100), exact.count(108)) == (108, 100)
    assert exact.cut(100, reply(107))
    assert not exact.cut(100, reply(108))
    assert not exact.cut(100, Reply("", None, 0.0))
    assert scaled.predicted(100) == 210
    assert scaled.predicted(scaled.count(1000)) * 1.05 <= 1001
    assert scaled.cut(100, reply(198))
    assert not scaled.cut(100, reply(200))


def reply(used: int) -> Reply:
    """A reply to a prompt of so many tokens."""
    return Reply("", Usage(used, 1), 0.0)


@pytest.mark.parametrize("window", [0, -1, True, 1.5, "4096", 10**13, None])
def test_what_is_no_window(window):
    """Only a whole number of tokens is one."""
    assert told_window(Backend("http://localhost/v1", "a"), Listing({"a": {"max_model_len": window}})) is None


def test_the_row_of_the_model():
    """By name; where there is one row only, that one."""
    backend = Backend("http://localhost/v1", "b")
    rows = {"a": {"max_model_len": 1}, "b": {"max_model_len": 2}}
    assert told_window(backend, Listing(rows)) == Told(2, "max_model_len")
    assert told_window(backend, Listing({"a": rows["a"]})) == Told(1, "max_model_len")
    assert told_window(backend, Listing({"a": rows["a"], "c": rows["a"]})) is None
    assert told_window(backend, Listing({})) is None
