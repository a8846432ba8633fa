"""Queries, path patterns and fusion: what is read out of a text, in linear time, and how scores combine."""

from __future__ import annotations

import numpy as np
import pytest

from repoctx.errors import UsageError
from repoctx.retrieve import fuse, query
from repoctx.retrieve.search import glob, matching_files
from repoctx.tasks.ask import Citation, citations

REPORT = """
TypeError in `Session.get` when calling retry_call()

  File "/usr/lib/python3/site-packages/app/core/session.py", line 42, in get
see src/app/util.ts:17:3 and https://example.com/a/b.py, or README.md. Version 3.11 on x86.
The QuerySet#filter of django::db is "not a value".
"""


def test_a_report_is_taken_apart():
    """Names as written with dots, paths with lines; no URL, no version number."""
    found = query.parse(REPORT)
    assert found.paths == (
        ("/usr/lib/python3/site-packages/app/core/session.py", 42),
        ("README.md", 0),
        ("src/app/util.ts", 17),
    )
    assert {"Session.get", "get", "retry_call", "QuerySet.filter", "filter", "django.db", "TypeError"} <= set(
        found.identifiers
    )
    assert "not a value" in found.quoted
    assert "the" not in found.terms
    assert {"session", "retry_call", "retry", "call", "typeerror"} <= set(found.terms)


def test_a_query_of_one_letter_is_a_name_and_an_empty_one_is_refused():
    """`g` can be looked up; nothing cannot."""
    assert query.parse("g").identifiers == ("g",)
    for text in ("", "  ", "?!", "\x00"):
        with pytest.raises(UsageError, match="no words or names"):
            query.parse(text)


@pytest.mark.parametrize("unit", ["a", "@", "a.", "a/", "+", "(", "a_", "aB"])
def test_no_text_makes_reading_it_quadratic(unit):
    """200,000 hostile characters are read; a quadratic pattern would hang here for minutes."""
    text = unit * (200_000 // len(unit))
    assert query.parse("why " + text).terms
    assert citations(text, {}) == ()


@pytest.mark.parametrize(
    "pattern, yes, no",
    [
        ("*.py", ["a.py", "x/y/a.py"], ["a.pyc", "py"]),
        ("src/**", ["src/a.py", "src/x/b.go"], ["lib/src/a.py", "srcs/a"]),
        ("src", ["src/a.py", "lib/src/a.py"], ["source/a.py"]),
        ("src/*.py", ["src/a.py"], ["src/x/a.py"]),
        ("./src/", ["src/a.py"], ["other/src.py"]),
        ("**/test_?.py", ["test_a.py", "x/test_b.py"], ["test_ab.py"]),
        ("a/**/b/c", ["a/b/c", "a/x/y/b/c"], ["a/b/d", "b/c"]),
        ("**", ["a", "a/b"], []),
        ("new\nline.py", ["new\nline.py"], ["new line.py"]),
    ],
)
def test_path_patterns(pattern, yes, no):
    """What matches and what does not."""
    matches = glob(pattern)
    assert [path for path in yes if not matches(path)] == []
    assert [path for path in no if matches(path)] == []


def test_an_empty_path_pattern_is_refused_and_a_hostile_one_is_linear():
    """`*a` eight times against a long name, and `**` in rows, end at once."""
    with pytest.raises(UsageError, match="empty"):
        glob("/")
    assert not glob("*a" * 8 + "b")("a" * 200)
    assert not glob("**/" * 12 + "x")("/".join("y" * 30))


def test_frames_find_their_file_by_the_longest_common_end():
    """An absolute path of another machine means the repository's file; a bare name means every such file."""
    by_name: dict[str, list[tuple[int, list[str]]]] = {}
    for number, path in enumerate(["app/core/session.py", "app/session.py", "docs/x.md"]):
        by_name.setdefault(path.split("/")[-1], []).append((number, path.split("/")))
    assert matching_files(by_name, "/usr/lib/app/core/session.py") == [0]
    assert matching_files(by_name, "session.py") == [0, 1]
    assert matching_files(by_name, "./x.md") == [2]
    assert matching_files(by_name, "other/core/none.py") == []


def test_fusion_does_not_depend_on_the_order_of_rankers_and_shares_sum_to_one():
    """The same scores in any order, and reasons that account for all of the score."""
    rng = np.random.default_rng(0)
    rankers = {name: rng.random(5).astype(np.float32) for name in fuse.WEIGHTS}
    factors = np.ones(5, np.float32)
    assert np.array_equal(fuse.fuse(rankers, factors), fuse.fuse(dict(reversed(rankers.items())), factors))
    assert sum(share for _, share in fuse.shares(rankers, 3)) == pytest.approx(1, abs=1e-3)


def test_tests_and_examples_count_less_unless_asked_for():
    """Factors by kind of file."""
    paths = ["src/a.py", "tests/test_a.py", "examples/a.py", "pkg/a_test.go"]
    assert fuse.file_factors(paths, about_tests=False).tolist() == pytest.approx([1, 0.5, 0.7, 0.5])
    assert fuse.file_factors(paths, about_tests=True).tolist() == pytest.approx([1, 1, 0.7, 1])


def test_citations_are_checked_against_the_snapshot():
    """A cited place exists if the file has that line; each is told once, in order."""
    answer = "See src/a.py:3 and src/a.py:3-9, b.md:1@abc, nowhere.py:5, at 12:30."
    assert citations(answer, {"src/a.py": 8, "b.md": 1}) == (
        Citation("src/a.py", 3, True),
        Citation("b.md", 1, True),
        Citation("nowhere.py", 5, False),
    )
