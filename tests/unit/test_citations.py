"""Which places answers cite, whether they are there, and how those that are not are marked."""

from __future__ import annotations

import time

import pytest

from repoctx.tasks.citations import Citation, citations, marked

LINES = {"src/a.py": 8, "docs/my file.md": 3, "a/x.py": 2, "app/[id]/page.tsx": 9, "Makefile": 4, "src/b c.py": 5}
COMMIT = "abcdef1234567890abcdef1234567890abcdef12"


def cited(answer: str) -> list[tuple[str, int, int, str]]:
    """Path, first line, last line (0: the first alone), and what is wrong."""
    return [(one.path, one.line, one.end, one.why) for one in citations(answer, LINES, COMMIT)]


@pytest.mark.parametrize(
    "answer, found",
    [
        ("See src/a.py:3.", [("src/a.py", 3, 0, "")]),
        ("src/a.py:3-8", [("src/a.py", 3, 8, "")]),
        ("src/a.py:L3-L8", [("src/a.py", 3, 8, "")]),
        ("src/a.py:3:14", [("src/a.py", 3, 0, "")]),
        ("src/a.py#L2-L4", [("src/a.py", 2, 4, "")]),
        ("[there](src/a.py#L3)", [("src/a.py", 3, 0, "")]),
        ("`docs/my file.md:2`", [("docs/my file.md", 2, 0, "")]),
        ("[b](src/b%20c.py#L5)", [("src/b c.py", 5, 0, "")]),
        ("`app/[id]/page.tsx:9`", [("app/[id]/page.tsx", 9, 0, "")]),
        ("src\\a.py:3 ./src/a.py:4 a/src/a.py:5 a/x.py:1", [("src/a.py", 3, 0, ""), ("src/a.py", 4, 0, ""),
                                                           ("src/a.py", 5, 0, ""), ("a/x.py", 1, 0, "")]),
        ("src/a.py:1, 2-3 and Makefile:4", [("src/a.py", 1, 0, ""), ("src/a.py", 2, 3, ""), ("Makefile", 4, 0, "")]),
        ("src/a.py:1, 20 times", [("src/a.py", 1, 0, "")]),
        (f"src/a.py:3@{COMMIT[:10]} src/a.py@{COMMIT}:4", [("src/a.py", 3, 0, ""), ("src/a.py", 4, 0, "")]),
        ("src/a.py:9", [("src/a.py", 9, 0, "no such line")]),
        ("src/a.py:0", [("src/a.py", 0, 0, "no such line")]),
        ("src/a.py:5-3", [("src/a.py", 5, 3, "no such line")]),
        ("src/a.py:7-9", [("src/a.py", 7, 9, "no such line")]),
        ("nowhere.py:5 src/no/where.rs:7", [("nowhere.py", 5, 0, "no such file"),
                                           ("src/no/where.rs", 7, 0, "no such file")]),
        ("/etc/app.py:3 ../src/a.py:3", [("/etc/app.py", 3, 0, "no such file"), ("../src/a.py", 3, 0, "no such file")]),
        ("`a` b.py:3 `c` and `my b.py:4`", [("b.py", 3, 0, "no such file"), ("b.py", 4, 0, "no such file")]),
        ("src/a.py:3@deadbeef", [("src/a.py", 3, 0, "another commit")]),
    ],
)  # fmt: skip
def test_places_are_checked_against_the_snapshot(answer, found):
    """However they are written; each is told once."""
    assert cited(f"{answer} {answer}") == found


@pytest.mark.parametrize(
    "answer",
    ["at 12:30", "v1.2:3 and 1.2:3", "127.0.0.1:80", "localhost:8080", "https://example.com/a.py:80", "example.com:443",
     "http://h/src/a.py#L3", "std::vec:3", "and/or:2", "key:3", "issue#12", "src/a.py#heading", "src/a.py:", "a.b:3"],
)  # fmt: skip
def test_what_is_no_place_is_not_cited(answer):
    """Times, versions, hosts with ports, URLs, labels."""
    assert cited(answer) == []


@pytest.mark.parametrize(
    "answer, shown",
    [
        ("src/a.py:999 is it.", "src/a.py:999 [no such line] is it."),
        ("`src/a.py:999`, **no.py:1**", "`src/a.py:999` [no such line], **no.py:1** [no such file]"),
        ("(src/a.py:99) [x](src/a.py#L99)", "(src/a.py:99) [no such line] [x](src/a.py#L99) [no such line]"),
        ("src/a.py:1, 99, 98.", "src/a.py:1, 99, 98 [no such line: 99, 98]."),
        (f"src/a.py:3@dead123 src/a.py:3@{COMMIT}", f"src/a.py:3@dead123 [another commit] src/a.py:3@{COMMIT}"),
        ("src/a.py:3 alone", "src/a.py:3 alone"),
    ],
)
def test_false_places_are_marked(answer, shown):
    """Behind the place and what closes it; what is right stays as it is."""
    assert marked(answer, citations(answer, LINES, COMMIT)) == shown


def test_a_folder_has_no_commit():
    """A place of a commit is not in a snapshot without one."""
    assert citations("src/a.py:3@deadbeef", LINES) == (
        Citation("src/a.py", 3, False, why="another commit", commit="deadbeef"),
    )


@pytest.mark.parametrize("unit", ["a", "@", "a.", "a/", "`", "`a:", "a:1,", "a.py:1, ", "L1-", "[", "%", "\\"])
def test_reading_takes_time_in_proportion(unit):
    """200,000 hostile characters are read at once; a quadratic pattern would hang here for minutes."""
    began = time.process_time()
    answer = unit * (200_000 // len(unit))
    marked(answer, citations(answer, {}))
    assert time.process_time() - began < 20
