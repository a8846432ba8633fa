"""Unified diffs: the files and lines that they change, on either side."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx.retrieve.diff import Changed, changed, parse, paths

OLD = "one\ntwo\nthree\n\nfour\nfive\nsix\nseven\neight\nnine\nten".split("\n")


def diff(old: list[str], new: list[str], context: int = 3) -> str:
    """A unified diff of two files called x."""
    return "\n".join(difflib.unified_diff(old, new, "a/x", "b/x", n=context, lineterm="")) + "\n"


def read(text: str, lines: list[str]) -> Changed:
    """What the only change of a diff concerns."""
    (change,) = parse(text)
    return changed(change, lines)


@pytest.mark.parametrize("context", [0, 1, 3])
def test_lines_are_those_of_the_side_that_is_there(context: int) -> None:
    """Replaced lines on both sides; added ones are a seam before, removed ones a seam after."""
    replaced = [*OLD[:4], "4", *OLD[5:]]
    assert read(diff(OLD, replaced, context), OLD) == Changed("before", [5], [], [])
    assert read(diff(OLD, replaced, context), replaced) == Changed("after", [5], [], [])
    removed = [*OLD[:5], *OLD[7:]]
    assert read(diff(OLD, removed, context), OLD) == Changed("before", [6, 7], [], [])
    found = read(diff(OLD, removed, context), removed)
    assert (found.lines, found.seams, found.beside) == ([], [6], [[5, 6]])


def test_a_seam_knows_its_neighbours() -> None:
    """Lines next to what is missing, unless a blank line is between: in the file, or in what is missing."""
    added = [*OLD[:3], "3.5", *OLD[3:]]
    assert read(diff(OLD, added), OLD) == Changed("before", [], [4], [[3]])
    above = [*OLD[:4], "", "3.5", *OLD[4:]]
    assert read(diff(OLD, above), OLD) == Changed("before", [], [5], [[5]])
    assert read(diff(OLD, [*OLD, "eleven"]), OLD) == Changed("before", [], [12], [[11]])


def test_blank_lines_change_nothing() -> None:
    """White space alone is passed over."""
    assert read(diff(OLD, [*OLD[:5], "", "  ", *OLD[5:]]), OLD) == Changed("before", [], [], [])
    assert read(diff([*OLD[:5], "", *OLD[5:]], OLD), [*OLD[:5], "", *OLD[5:]]) == Changed("before", [], [], [])


def test_moved_lines_are_found() -> None:
    """A snapshot that is ahead by lines elsewhere: the hunk's own lines tell where it is."""
    replaced = [*OLD[:4], "4", *OLD[5:]]
    assert read(diff(OLD, replaced), ["zero"] * 20 + OLD) == Changed("before", [25], [], [])
    assert read(diff(OLD, replaced), ["other"]).side == "neither"


def test_line_ends_do_not_matter() -> None:
    """A diff and a file may disagree about carriage returns."""
    replaced = [*OLD[:4], "4", *OLD[5:]]
    text = diff(OLD, replaced).replace("\n", "\r\n")
    assert read(text, OLD) == Changed("before", [5], [], [])
    assert read(diff(OLD, replaced), [line + "\r" for line in replaced]) == Changed("after", [5], [], [])


@pytest.mark.parametrize(
    "text, old, new",
    [
        ("diff --git a/x b/x\nold mode 100644\nnew mode 100755\n", "a/x", "b/x"),
        ("diff --git a/a b.c b/a b.c\nindex 1..2 100644\n", "a/a b.c", "b/a b.c"),
        ("diff --git a/x b/y\nrename from x\nrename to y\n", "x", "y"),
        ("diff --git a/x b/x\ndeleted file mode 100644\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "a/x", None),
        ("diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+x\n", None, "b/x"),
        ('diff --git "a/\\303\\251\\t.c" "b/\\303\\251\\t.c"\n', "a/é\t.c", "b/é\t.c"),
        ("--- x.c\t2020-01-01\n+++ x.c\t2020-01-02\n@@ -1 +1 @@\n-a\n+b\n", "x.c", "x.c"),
        ("diff --cc x.c\nindex 1,2..3\n--- a/x.c\n+++ b/x.c\n@@@ -1,1 -1,1 +1,1 @@@\n", "a/x.c", "b/x.c"),
    ],
)
def test_headers_say_which_files(text: str, old: str | None, new: str | None) -> None:
    """Git's headers, with spaces, escapes, renames, and those of `diff -u`."""
    (change,) = parse(text)
    assert (change.old, change.new) == (old, new)


def test_paths_are_tried_without_and_with_their_prefix() -> None:
    """`a/` may be a folder."""
    (change,) = parse("diff --git a/b/x b/b/x\n")
    assert paths(change) == [("b/x", "after"), ("b/b/x", "after"), ("b/x", "before"), ("a/b/x", "before")]


def test_several_files_and_what_stands_around_them() -> None:
    """A mail with two files; a removed line that looks like a header is a line."""
    text = (
        "From 1234\nSubject: x\n---\n a | 2 +-\n\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,1 @@\n--- b\n x\n"
        "diff --git a/b b/b\nBinary files a/b and b/b differ\n--\n2.40\n"
    )
    assert [(c.new, [h.rows for h in c.hunks], c.unreadable) for c in parse(text)] == [
        ("b/a", [["--- b", " x"]], ""), ("b/b", [], "binary"),
    ]  # fmt: skip


@given(st.text(alphabet="ab-+@ ,0123456789\n/\\\"", max_size=300))
def test_any_text_is_read(text: str) -> None:
    """Whatever is no diff yields no files or odd ones, never an exception."""
    for change in parse("diff --git a/x b/x\n--- a/x\n+++ b/x\n" + text):
        changed(change, ["a", "b", ""])


@given(st.lists(st.sampled_from("abc "), max_size=12), st.lists(st.sampled_from("abc "), max_size=12))
def test_lines_of_a_real_diff_are_there(old: list[str], new: list[str]) -> None:
    """Whichever side the file is on, the lines lie in it and each has a change."""
    if not (old and new):
        return
    for lines in (old, new):
        for change in parse(diff(old, new)):
            found = changed(change, lines)
            assert found.side in ("before", "after")
            assert all(1 <= line <= len(lines) for line in found.lines)
            assert all(1 <= line <= len(lines) + 1 for line in found.seams)


def test_many_hunks_of_a_repetitive_file_take_linear_time() -> None:
    """5,000 hunks that are nowhere in a file of one line, 50,000 times."""
    hunk = "@@ -{0},3 +{0},3 @@\n x\n-y\n+z\n x\n"
    text = "--- a/x\n+++ b/x\n" + "".join(hunk.format(4 * i + 1) for i in range(5_000))
    assert read(text, ["x"] * 50_000).side == "neither"


def test_colours_are_no_part_of_a_diff() -> None:
    """A diff written for a terminal is read like any other; colours within a plain diff are text."""
    plain = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    shown = "".join(f"\x1b[1;31m{line}\x1b[m\n" for line in plain.splitlines())
    assert parse(shown) == parse(plain)
    assert parse(plain.replace("x = 2", "x = '\x1b[m'"))[0].hunks[0].rows == ["-x = 1", "+x = '\x1b[m'"]
