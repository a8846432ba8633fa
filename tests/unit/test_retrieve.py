"""Path patterns and places: what a pattern matches, in linear time, and which files are meant."""

from __future__ import annotations

import pytest

from repoctx.errors import UsageError
from repoctx.retrieve.places import Place, by_name, glob, matching_files, places


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
    named = by_name(["app/core/session.py", "app/session.py", "docs/x.md"])
    assert matching_files(named, "/usr/lib/app/core/session.py") == [0]
    assert matching_files(named, "session.py") == [0, 1]
    assert matching_files(named, "./x.md") == [2]
    assert matching_files(named, "other/core/none.py") == []
    assert matching_files(named, "/srv/core/session.py") == [0]
    assert matching_files(named, "/srv/other/session.py") == []


def test_a_file_that_lies_elsewhere_where_it_runs_is_found_by_folder_and_name():
    """Installed without `src/`, built elsewhere; a name alone is not enough, unless it is all there is."""
    named = by_name(["src/flask/app.py", "src/flask/cli.py", "setup.py"])
    assert matching_files(named, "/venv/lib/site-packages/flask/app.py") == [0]
    assert matching_files(named, "/venv/lib/site-packages/click/cli.py") == []
    assert matching_files(named, "/home/me/project/setup.py") == [2]
    assert matching_files(named, "cli.py") == [1]


def test_the_innermost_frame_of_the_repository_weighs_most():
    """Frames of other projects are passed over and do not count."""
    named = by_name(["app/core/session.py", "app/main.py", "x/main.py"])
    frames = [("/usr/lib/python3/json/decoder.py", 355), ("/srv/app/core/session.py", 42), ("main.py", 7)]
    assert list(places(named, frames, halving=1.0)) == [
        Place(0, 42, 1.0, "/srv/app/core/session.py:42", 1),
        Place(1, 7, 0.25, "main.py:7", 2),
        Place(2, 7, 0.25, "main.py:7", 2),
    ]

