"""Which changes of files matter to an index, and which folders show them: real git, no index."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from repositories import git as plain_git
from repositories import write_files

from repoctx.source import Limits, Source, open_source

FILES = {
    "src/app.py": "x = 1\n",
    "src/crlf.py": "y = 1\n",
    "src/.gitignore": "*.tmp\n/made/\n",
    "docs/guide.md": "# Guide\n",
    "docs/.repoctxignore": "drafts/\n",
    "forced/kept.log": "tracked though ignored\n",
    ".gitignore": "*.log\nbuild/\n",
}
LIMITS = Limits(max_file_bytes=1000, exclude=("left/**",))


def opened(folder: Path) -> Source:
    return open_source(str(folder), ref=None, limits=LIMITS, mirrors=folder / "none")


@pytest.fixture(params=["work tree", "folder"])
def tree(request, tmp_path):
    """The same files as a work tree and as a plain folder, and what an index of them knows."""
    folder = tmp_path / "tree"
    write_files(folder, FILES)
    if request.param == "work tree":
        plain_git(folder, "init", "-q", "-b", "main")
        plain_git(folder, "add", "-A", "-f")
        plain_git(folder, "commit", "-q", "-m", "first")
    with opened(folder) as source:
        known = {entry.path: entry.blob for entry in source.tree().entries}
    return folder, known


SAME, OTHER = FILES["src/app.py"], "x = 2\n"


@pytest.mark.parametrize("files, gone, expected", [
    ({"src/app.py": OTHER}, [], True),
    ({"src/app.py": SAME}, [], False),
    ({"src/crlf.py": "y = 1\r\n"}, [], False),  # which line ends a checkout writes is configuration
    ({"src/new.py": "z = 1\n"}, [], True),
    ({}, ["src/app.py"], True),
    ({}, ["src"], True),
    ({}, ["src/never.py", "nowhere/at/all"], False),
    ({"src/empty.py": ""}, [], False),
    ({"src/picture.dat": b"\0\1\2"}, [], False),
    ({"src/picture.png": "text in a file for pictures\n"}, [], False),
    ({"src/large.py": "x = 1\n" * 1000}, [], False),
    ({"src/app.py": "x = 1\n" * 1000}, [], True),  # too large now
    ({"build/out.py": "x = 1\n", "a.log": "x\n", "src/a.tmp": "x\n", "src/made/a.py": "x = 1\n"}, [], False),
    ({"made/a.py": "x = 1\n"}, [], True),
    ({"docs/drafts/new.md": "# New\n"}, [], False),
    ({"left/out.py": "x = 1\n"}, [], False),
    ({"node_modules/a/index.js": "x = 1\n", "src/__pycache__/a.py": "x = 1\n"}, [], False),
    ({"env/pyvenv.cfg": "home = /usr\n", "env/lib/a.py": "x = 1\n"}, [], False),
    ({".git/refs/heads/note.py": "x = 1\n"}, [], False),
    ({"src/.gitignore": FILES["src/.gitignore"]}, [], False),
    ({"src/.gitignore": "*.tmp\n"}, [], True),
    ({}, [".gitignore"], True),
    ({"docs/.repoctxignore": "none/\n"}, [], True),
    ({".gitattributes": "*.py linguist-generated\n"}, [], True),
    ({"repoctx.toml": "index.include = []\n"}, [], True),
    ({"build/.gitignore": "*\n"}, [], False),
])  # fmt: skip
def test_what_matters(tree, files, gone, expected):
    """Each change by itself, told as a file and as the folders that it came with."""
    folder, known = tree
    write_files(folder, files)
    for path in gone:
        if (folder / path).exists():
            (folder / path).rename(folder.parent / "gone")
    touched = [os.fsencode(path) for path in (*files, *gone)]
    with opened(folder) as source:
        assert source.matters(touched, known) is expected
        new = [folder for path in touched if (folder := path.rpartition(b"/")[0]) and folder not in (b"src", b"docs")]
        assert source.matters([*touched, *new], known) is expected


def test_what_git_says_matters(tmp_path):
    """A commit, another branch, what is tracked though ignored and git's own rules; not the index as such."""
    folder = tmp_path / "tree"
    write_files(folder, FILES)
    plain_git(folder, "init", "-q", "-b", "main")
    plain_git(folder, "add", "-A")
    seen = []

    def said(*command: str) -> bool:
        """Whether git says something else after a command."""
        if command:
            plain_git(folder, *command)
        with opened(folder) as source:
            seen.append(source.state())
        return seen[-1] not in seen[:-1]

    assert said("commit", "-q", "-m", "first")
    write_files(folder, {"src/new.py": "z = 1\n", "build/new.py": "z = 1\n"})
    assert not said("add", "src/new.py")
    assert not said("status")
    assert not said("branch", "other")
    assert said("add", "-f", "build/new.py")
    assert said("commit", "-q", "-m", "second")
    assert said("checkout", "-q", "--detach")
    write_files(folder, {".git/info/exclude": "notes/\n"})
    assert said()


def test_the_path_of_a_repository_may_hold_line_ends(tmp_path):
    """Of a work tree, and of one beside a repository whose path ends with one."""
    folder = tmp_path / "of\ntwo\x0clines\u2028\n"
    write_files(folder, FILES)
    plain_git(folder, "init", "-q", "-b", "main")
    plain_git(folder, "add", "-A")
    plain_git(folder, "commit", "-q", "-m", "first")
    bare, beside = tmp_path / "bare\n", tmp_path / "be\nside"
    plain_git(tmp_path, "clone", "-q", "--bare", str(folder), str(bare))
    plain_git(bare, "worktree", "add", "-q", "-b", "side", str(beside))
    for tree, own, common in ((folder, folder / ".git", folder / ".git"), (beside, bare / "worktrees/be-side", bare)):
        with opened(tree) as source:
            wanted = {own, common, *(common / name for name in ("info", "refs", "refs/heads"))}
            assert source.grounds().git == {str(path) for path in wanted}


def test_folders_worth_watching(tree, tmp_path):
    """None that is ignored, vendored, a link, apart, or of another repository; git's own where its state is."""
    folder, _ = tree
    for path in ("build/deep", "src/made", "docs/drafts", "node_modules/a", "empty/inner", "home/logs"):
        (folder / path).mkdir(parents=True)
    (folder / "link").symlink_to("/")
    of_git = (folder / ".git").exists()
    if of_git:
        plain_git(folder, "init", "-q", "sub")
        plain_git(folder, "branch", "topic/one")
    with opened(folder) as source:
        found = source.grounds([str(folder / "home")])
    # git does not say of a folder without files that it is ignored
    files = found.files - {b"build", b"build/deep", b"src/made"}
    assert files == {b"", b"src", b"docs", b"forced", b"empty", b"empty/inner"}
    folders = ("", "/info", "/refs", "/refs/heads", "/refs/heads/topic")
    assert found.git == ({f"{folder}/.git{name}" for name in folders} if of_git else set())
    assert found.lock == (f"{folder}/.git/index.lock" if of_git else "")
