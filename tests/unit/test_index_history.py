"""What commits did, told in chunks of the snapshot: lines are followed through every change between."""

from __future__ import annotations

import difflib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx.index import history
from repoctx.types import Change, Commit


def commit(number: int, message: str, *changes: Change, files: int | None = None) -> Commit:
    """A commit with an id of its own."""
    return Commit(f"{number:040x}", number, "A", message, changes, len(changes) if files is None else files, 1)


def hunks(old: list[str], new: list[str]) -> tuple[tuple[int, int, int, int], ...]:
    """As `git diff -U0` writes them: a side without lines states the line before."""
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found.append((a + (b > a), b - a, c + (d > c), d - c))
    return tuple(found)


def past(commits: list[Commit], files: dict[str, int], chunk_lines: int = 10) -> history.Past:
    """The past of files with so many lines, in chunks of equal size."""
    paths = sorted(files)
    starts = [list(range(1, files[path] + 1, chunk_lines)) for path in paths]
    offset = np.cumsum([0, *map(len, starts)])
    lines = np.array([files[path] for path in paths], np.int32)
    start_line = np.array([line for start in starts for line in start], np.int32)
    return history.opened(history.build(commits, paths, lines, offset, start_line))


def touched(found: history.Past, number: int, what: str) -> list[int]:
    """Rows that a commit touched."""
    start, end = found.columns[f"{what}.offset"][number : number + 2]
    return found.columns[f"{what}.row"][start:end].tolist()


def test_lines_of_older_versions_are_followed_to_where_they_are_now():
    """Twenty lines came in above line 35 since: what was changed there before lies in chunk 5 now."""
    newest = commit(2, "insert above", Change("a.py", "a.py", "M", ((4, 0, 5, 20),)))
    oldest = commit(1, "change line 35", Change("a.py", "a.py", "M", ((35, 1, 35, 1),)))
    found = past([newest, oldest], {"a.py": 100})
    assert touched(found, 0, "chunk") == [0, 1, 2]
    assert touched(found, 1, "chunk") == [5]


def test_a_file_is_followed_through_renames_and_a_deleted_one_is_no_place():
    """What was done to the old path is told of the new one; what is gone is not told."""
    commits = [
        commit(3, "delete", Change("gone.py", "gone.py", "D", ((1, 9, 0, 0),))),
        commit(2, "rename", Change("b.py", "a.py", "R", ())),
        commit(
            1,
            "change",
            Change("a.py", "a.py", "M", ((15, 1, 15, 1),)),
            Change("gone.py", "gone.py", "M", ((1, 1, 1, 1),)),
        ),
    ]
    found = past(commits, {"b.py": 30})
    assert [touched(found, n, "file") for n in range(3)] == [[], [0], [0]]
    assert touched(found, 2, "chunk") == [1]


@given(st.lists(st.lists(st.integers(0, 30), max_size=25), min_size=2, max_size=6))
def test_a_line_that_is_still_there_is_where_the_trace_says(versions):
    """Random edits: whatever `git diff` says, every line that survived all of them is found at its place."""
    texts = [[str(line) for line in version] for version in versions]
    trace = history._Trace(["f"], np.array([len(texts[-1])], np.int32), np.array([0, 1]), np.array([1], np.int32))
    where = list(range(1, len(texts[-1]) + 1))  # line of the snapshot, by line of the version that is looked at
    for old, new in zip(reversed(texts[:-1]), reversed(texts[1:]), strict=True):
        found = hunks(old, new)
        if found:
            trace.back(commit(1, "x", Change("f", "f", "M", found)))
        before: list[int | None] = [None] * len(old)
        for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            for step in range(block.size):
                before[block.a + step] = where[block.b + step]
        where = before
        line = trace.line.get(0, np.arange(len(texts[-1]) + 2))
        assert len(line) == len(old) + 2
        assert all(line[n + 1] == now for n, now in enumerate(where) if now is not None)


def test_commits_like_the_query_hand_their_score_on_to_what_they_touched():
    """The message with the rare words first; a bulk commit and a trailer say nothing."""
    commits = [
        commit(4, "Format everything", *(Change(f"{n:02}.py", f"{n:02}.py", "M", ()) for n in range(31))),
        commit(3, "Fix retry delay\n\nSigned-off-by: cursor", Change("00.py", "00.py", "M", ((1, 1, 1, 1),))),
        commit(
            2,
            "Add cursor",
            Change("01.py", "01.py", "M", ((1, 1, 1, 1),)),
            Change("02.py", "02.py", "M", ((1, 1, 1, 1),)),
        ),
    ]
    found = past(commits, {f"{n:02}.py": 5 for n in range(31)})
    assert len(found.columns["commit.length"]) == 2
    retry = history.resembling(found, {"retry": 1.0})
    assert retry is not None
    assert np.flatnonzero(retry.files).tolist() == [0]
    assert history.told(found, retry.commits[0]) == f"{3:040x}"[:12] + " Fix retry delay"
    cursor = history.resembling(found, {"cursor": 1.0})
    assert cursor is not None
    assert cursor.files[:3].tolist() == pytest.approx([0, 1 / 2**0.5, 1 / 2**0.5])
    assert history.resembling(found, {"nowhere": 1.0}) is None


def test_what_is_fixed_often_and_lately_counts_more():
    """A fix more than another change, a new one more than an old one."""
    filler = [commit(100 + n, "Other", Change("z.py", "z.py", "M", ())) for n in range(1000)]
    commits = [
        commit(3, "Fix a", Change("a.py", "a.py", "M", ())),
        commit(2, "Extend b", Change("b.py", "b.py", "M", ())),
        *filler,
        commit(1, "Fix c", Change("c.py", "c.py", "M", ())),
    ]
    a, b, c, _ = past(commits, dict.fromkeys(["a.py", "b.py", "c.py", "z.py"], 5)).columns["file.changed"].tolist()
    assert a > c > b * 0.9
    assert (a, b) == pytest.approx((np.log1p(history.FIX), np.log1p(history.OTHER * 0.5 ** (1 / history.HALF_LIFE))))


def test_files_that_change_together():
    """What was changed with a file, by its share of that file's commits; the file itself is left out."""
    both = [Change("a.py", "a.py", "M", ()), Change("b.py", "b.py", "M", ())]
    commits = [commit(3, "x", *both), commit(2, "x", *both), commit(1, "x", both[0], Change("c.py", "c.py", "M", ()))]
    found = past(commits, dict.fromkeys(["a.py", "b.py", "c.py"], 5))
    beside = history.together(found, [0], [1.0])
    assert beside.tolist() == pytest.approx([0, 2 / 3 / 2**0.5, 1 / 3 / 2**0.5])


def test_a_history_of_nothing():
    """No commits, no files: no answers, no errors."""
    found = past([], {})
    assert history.resembling(found, {"x": 1.0}) is None
    assert history.together(found, [], []).tolist() == []


def test_an_earlier_file_of_the_same_name_is_another_file():
    """Before `a.py` was renamed to `b.py` there was another `b.py`; before `c.py` was added, another `c.py`."""
    commits = [
        commit(4, "add c", Change("c.py", "", "A", ((0, 0, 1, 9),))),
        commit(3, "rename", Change("b.py", "a.py", "R", ())),
        commit(2, "old ones go", Change("b.py", "b.py", "D", ((1, 9, 0, 0),)), Change("c.py", "c.py", "D", ())),
        commit(1, "old ones", *(Change(f"{n}.py", f"{n}.py", "M", ((1, 1, 1, 1),)) for n in "abc")),
    ]
    found = past(commits, {"b.py": 9, "c.py": 9})
    assert [touched(found, n, "file") for n in range(4)] == [[1], [0], [], [0]]
