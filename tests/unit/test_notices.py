"""Which notices concern a watched repository, and when is it time to look?"""

from __future__ import annotations

import pytest

from repoctx.serve.notices import ADDED, DELETED, MODIFIED, MOST_LOCKED, MOST_WAIT, Followed, is_due, take
from repoctx.source import Grounds


def followed(lock: str = "") -> Followed:
    """A repository in a folder that is not there, so that nothing in it is a folder."""
    grounds = Grounds(frozenset((b"", b"src")), frozenset(("/none/r/.git", "/none/r/.git/refs/heads")), lock)
    return Followed("/none/r", "/none/r", (0, 0), ["/none/r/home"], grounds, "")


@pytest.mark.parametrize("kind, path, touched, of_git, since", [
    (MODIFIED, "/none/r/src/a.py", {b"src/a.py"}, False, 7.0),
    (ADDED, "/none/r/a b\n.py", {b"a b\n.py"}, False, 7.0),
    (MODIFIED, "/none/r/src", set(), False, None),  # what is in it speaks for itself
    (DELETED, "/none/r/src", {b"src"}, False, 7.0),
    (ADDED, "/none/r/home", set(), False, None),
    (MODIFIED, "/none/r/home/repoctx.db", set(), False, None),
    (ADDED, "/none/r/homes", {b"homes"}, False, 7.0),
    (ADDED, "/none/other/a.py", set(), False, None),
    (ADDED, "/none/r/.git/HEAD", set(), True, 7.0),
    (ADDED, "/none/r/.git/index.lock", set(), False, None),
    (ADDED, "/none/r/.git/refs/heads/main", set(), True, 7.0),
])  # fmt: skip
def test_a_notice_is_taken_by_whom_it_concerns(kind, path, touched, of_git, since):
    """Files, folders, git's own state, our own data, and what is elsewhere."""
    one = followed()
    take(one, {(kind, path)}, 7.0)
    assert (one.touched, one.of_git, one.since) == (touched, of_git, since)


def test_a_folder_that_is_removed_is_no_longer_taken_for_watched():
    """If it comes again, it is watched anew."""
    one = followed()
    take(one, {(DELETED, "/none/r/src")}, 1.0)
    assert one.grounds.files == {b""}


@pytest.mark.parametrize("since, last, run_at, now, expected", [
    (None, 0.0, None, 100.0, False),
    (1.0, 1.0, None, 1.3, False),
    (1.0, 1.0, None, 1.5, True),
    (1.0, 4.9, None, 5.0, False),
    (1.0, 5.9, None, 1.0 + MOST_WAIT, True),  # a storm that does not end
    (None, 0.0, 8.0, 7.0, False),
    (None, 0.0, 8.0, 8.0, True),  # a run that failed
])  # fmt: skip
def test_when_it_is_time(since, last, run_at, now, expected):
    """After a quiet moment, in a storm after a while, and when a failed run is to be tried again."""
    one = followed()
    one.since, one.last, one.run_at = since, last, run_at
    assert is_due(one, now, quiet=0.5) is expected


def test_git_is_waited_for(tmp_path):
    """As long as its lock is there, unless that was left behind."""
    lock = tmp_path / "index.lock"
    lock.touch()
    one = followed(str(lock))
    one.since = one.last = 1.0
    assert [is_due(one, now, 0.5) for now in (2.0, 1.0 + MOST_LOCKED)] == [False, True]
    lock.unlink()
    assert is_due(one, 2.0, 0.5)
