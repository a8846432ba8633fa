"""The history of a commit, read from real repositories without running anything of theirs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from repositories import ENVIRONMENT, git

from repoctx.source import Limits, Source, open_source
from repoctx.source.history import BULK, MOST_CHANGES, MOST_HUNKS
from repoctx.types import Change, Commit

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **ENVIRONMENT}
START = 1_767_225_600  # 2026-01-01


def make(folder: Path, *options: str) -> Path:
    """An empty repository on main."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", *options)
    return folder


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write files, whose names may hold any bytes."""
    for name, content in files.items():
        path = Path(os.fsdecode(os.fsencode(folder / name)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def commit(folder: Path, message: str, files: dict[str, str | bytes] | None = None, at: int = 0) -> str:
    """Commit files, and all else that is new, `at` seconds after the start: the id."""
    write(folder, files or {})
    git(folder, "--literal-pathspecs", "add", "-A")
    day = f"@{START + at} +0000"
    done = subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message],
        cwd=folder, env=ENV | {"GIT_COMMITTER_DATE": day}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return git(folder, "rev-parse", "HEAD")


def crafted(folder: Path, raw: bytes) -> str:
    """The id of a commit object of these very bytes, whatever git would say to them."""
    return git(folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw)


def opened(location: Path | str, mirrors: Path = Path("/nonexistent")) -> Source:
    """The source at a location."""
    return open_source(str(location), ref=None, limits=Limits(), mirrors=mirrors)


def history(location: Path | str, most: int = 2000, at: str | None = None) -> list[Commit]:
    """What led to the commit that a source stands on, or to another, newest first."""
    with opened(location) as source:
        return list(source.commits(source.recent(at or git(Path(location), "rev-parse", "HEAD"), most)))


def made(identity: str, message: str, changes: tuple[Change, ...] = (), at: int = 0, parents: int = 1) -> Commit:
    """A commit as it should be read."""
    return Commit(identity, START + at, "A U Thor", message, changes, len(changes), parents)


def lines(*numbers: int) -> str:
    """A file of numbered lines."""
    return "".join(f"line {number}\n" for number in numbers)


def test_what_each_kind_of_commit_did(tmp_path):
    """Added, modified, deleted, renamed, empty, binary, of another mode or type: each is told, newest first."""
    repository = make(tmp_path / "r")
    one = commit(repository, "one", {"a.py": lines(*range(20)), "b.py": "b\n", "c.bin": b"\0\1", "e": ""}, 1)
    two = commit(repository, "two\n\nWhy.", {"a.py": "new\n" + lines(*range(5), *range(7, 19)) + "end"}, 2)
    (repository / "b.py").unlink()
    three = commit(repository, "three", {"c.bin": b"\0\2"}, 3)
    (repository / "a.py").rename(repository / "z.py")
    (repository / "e").rename(repository / "f")  # empty: no rename
    four = commit(repository, "four", {"z.py": "new\n" + lines(*range(5), *range(7, 19)) + "END"}, 4)
    five = commit(repository, "", None, 5)
    (repository / "z.py").chmod(0o755)
    (repository / "c.bin").unlink()
    (repository / "c.bin").symlink_to("z.py")
    six = commit(repository, "six", None, 6)
    assert history(repository) == [
        made(six, "six", (Change("c.bin", "c.bin", "M", ()), Change("z.py", "z.py", "M", ())), 6),
        made(five, "", (), 5),
        made(four, "four", (
            Change("e", "e", "D", ()), Change("f", "", "A", ()), Change("z.py", "a.py", "R", ((19, 1, 19, 1),)),
        ), 4),
        made(three, "three", (Change("b.py", "b.py", "D", ((1, 1, 0, 0),)), Change("c.bin", "c.bin", "M", ())), 3),
        made(two, "two\n\nWhy.", (Change("a.py", "a.py", "M", ((0, 0, 1, 1), (6, 2, 6, 0), (20, 1, 19, 1))),), 2),
        made(one, "one", (
            Change("a.py", "", "A", ((0, 0, 1, 20),)), Change("b.py", "", "A", ((0, 0, 1, 1),)),
            Change("c.bin", "", "A", ()), Change("e", "", "A", ()),
        ), 1, parents=0),
    ]  # fmt: skip


def test_the_newest_come_first_and_merges_are_left_out(tmp_path):
    """Both sides of a merge count; what is not reachable does not; a merge that is asked for has no changes."""
    repository = make(tmp_path / "r")
    root = commit(repository, "root", None, 1)
    git(repository, "checkout", "-q", "-b", "side")
    side = [commit(repository, f"side {at}", {"s.py": str(at)}, at) for at in (3, 5)]
    git(repository, "checkout", "-q", "main")
    main = [commit(repository, f"main {at}", {"m.py": str(at)}, at) for at in (2, 4)]
    git(repository, "merge", "-q", "--no-ff", "-m", "merge", "side")
    merge = git(repository, "rev-parse", "HEAD")
    with opened(repository) as source:
        assert source.recent(merge, 10) == [side[1], main[1], side[0], main[0], root]
        assert source.recent(merge, 2) == [side[1], main[1]]
        assert source.recent(main[1], 10) == [main[1], main[0], root]
        assert source.recent(merge, 0) == []
        (found,) = source.commits([merge])
        assert (found.changes, found.files, found.parents) == ((), 0, 2)
        assert [c.id for c in source.commits([root, merge, side[0], root])] == [root, merge, side[0]]


def test_odd_paths(tmp_path):
    """Quotes, line feeds, leading dashes and what looks like a patch stay; other bytes show as \\xNN."""
    repository = make(tmp_path / "r")
    names = ['q"uo\tte\n.py', "-n.py", ":(glob)x", " @@ -1 +1 @@", "é.py", os.fsdecode(b"l\xe9.py")]
    names.append("diff --git a/x b/x")
    commit(repository, "one", dict.fromkeys(names, "1\n"))
    os.rename(repository / "-n.py", repository / ("a" * 40))
    commit(repository, "two", {names[0]: "2\n"}, 1)
    two, one = history(repository)
    assert {(change.path, change.status, change.hunks) for change in one.changes} == {
        (name if name.isprintable() or "\n" in name else "l\\xe9.py", "A", ((0, 0, 1, 1),)) for name in names
    }
    assert two.changes == (
        Change("a" * 40, "-n.py", "R", ()), Change(names[0], names[0], "M", ((1, 1, 1, 1),)),
    )  # fmt: skip


def test_contents_forge_nothing(tmp_path):
    """Lines that look like a patch, a commit or a record are contents."""
    repository = make(tmp_path / "r")
    identity = commit(repository, "one", {"a": "a\n"})
    text = f"{identity}\ndiff --git a/x b/x\n@@ -1,9 +1,9 @@\n-- a\n++ b\n\\ No newline\n:100644 100644 a b M\0x\0"
    commit(repository, "two", {"a": text.replace("\0", " "), "b": text.replace("\n", "\r")}, 1)
    assert history(repository)[0].changes == (
        Change("a", "a", "M", ((1, 1, 1, 7),)), Change("b", "", "A", ()),
    )  # fmt: skip


def test_messages_are_made_valid(tmp_path):
    """Control characters go, NUL bytes too; charsets are followed; nothing in a message passes for another commit."""
    repository = make(tmp_path / "r")
    one = commit(repository, "one", {"a": "a\n"})
    tree = git(repository, "rev-parse", "HEAD^{tree}")
    head = f"tree {tree}\nparent {one}\nauthor %b <a@b> 1 +0000\ncommitter C <c@d> %b +0000\n%b\n".encode()
    for author, when, extra, message, expected in (
        (b"A <x", b"7", b"", b"\0\x1b[1mbold\r\n\ttab\x7f \xc2\x85end\n\n", ("A", 7, "[1mbold\n tab end")),
        (b"a@b.c", b"-5", b"", b"l\xe9 \xf0\x9f\x98\x80", ("a", 0, "l\\xe9 \U0001f600")),
        (b"J\xe9r\xf4me", b"9", b"encoding ISO-8859-1\n", b"\xe9t\xe9", ("Jérôme", 9, "été")),
        (b"B", b"x", b"encoding zlib\n", b"x\n\ncommit " + one.encode(), ("B", 0, f"x\n\ncommit {one}")),
        (b"C" * 200, b"1" * 30, b"gpgsig x\n author D <>\n", b"m" * 5000, ("C" * 100, 0, "m" * 4000)),
    ):
        identity = crafted(repository, head % (author, when, extra) + message)
        with opened(repository) as source:
            (found,) = source.commits([identity])
        assert (found.author, found.time, found.message) == expected
        assert (found.changes, found.parents) == ((), 1)


def test_bulk_commits_have_no_hunks(tmp_path):
    """Above BULK files there are none, above MOST_CHANGES not all are listed; nor are there thousands of hunks."""
    repository = make(tmp_path / "r")
    commit(repository, "many", {f"{number:03}.py": "1\n" for number in range(MOST_CHANGES + 1)}, 1)
    commit(repository, "bulk", {f"{number:03}.py": "2\n" for number in range(BULK + 1)}, 2)
    commit(repository, "few", {f"{number:03}.py": "3\n" for number in range(BULK)}, 3)
    text = lines(*range(2 * MOST_HUNKS))
    commit(repository, "long", {"a": text, "b": "b\n", "big": "x\n" * 524_289}, 4)
    commit(repository, "most", {"a": re.sub(r"[02468]\n", "x\n", text)}, 5)
    commit(repository, "above", {"a": text, "b": "c\n"}, 6)
    found = {c.message: c for c in history(repository)}
    assert [(c.files, len(c.changes), {len(change.hunks) for change in c.changes}) for c in found.values()] == [
        (2, 2, {0}), (1, 1, {MOST_HUNKS}), (3, 3, {0, 1}), (BULK, BULK, {1}), (BULK + 1, BULK + 1, {0}),
        (MOST_CHANGES + 1, MOST_CHANGES, {0}),
    ]  # fmt: skip


def test_submodules_and_links_are_told_without_hunks(tmp_path):
    """A submodule is a change of its path; what is in it is not looked at."""
    repository = make(tmp_path / "r")
    commit(repository, "one", {"a": "a\n"})
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    (repository / "link").symlink_to("a")
    two = commit_index(repository, "two")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'2' * 40},lib")
    (repository / "link").unlink()
    (repository / "link").symlink_to("b")
    three = commit_index(repository, "three")
    found = {c.id: c.changes for c in history(repository)}
    assert found[two] == (Change("lib", "", "A", ()), Change("link", "", "A", ()))
    assert found[three] == (Change("lib", "lib", "M", ()), Change("link", "link", "M", ()))


def commit_index(folder: Path, message: str) -> str:
    """Commit what is staged, and the link."""
    git(folder, "add", "link")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


ATTRIBUTES = "*.py -diff\n*.md diff=evil\n* filter=evil\n"


def test_nothing_of_the_repository_counts_or_runs(tmp_path, monkeypatch):
    """Attributes, drivers, hooks, remotes, replaced objects, grafts and the user's settings change no byte of it."""
    repository, marker, script = make(tmp_path / "r"), tmp_path / "ran", tmp_path / "evil.sh"
    one = commit(repository, "one", {"a.py": lines(1, 2, 3), "b.md": "b\n", ".gitattributes": ATTRIBUTES}, 1)
    two = commit(repository, "two", {"a.py": lines(1, 3), "b.md": "b\nc\n"}, 2)
    plain = [
        made(two, "two", (
            Change("a.py", "a.py", "M", ((2, 1, 1, 0),)), Change("b.md", "b.md", "M", ((1, 0, 2, 1),)),
        ), 2),
        made(one, "one", (
            Change(".gitattributes", "", "A", ((0, 0, 1, 3),)), Change("a.py", "", "A", ((0, 0, 1, 3),)),
            Change("b.md", "", "A", ((0, 0, 1, 1),)),
        ), 1, 0),
    ]  # fmt: skip
    assert history(repository) == plain
    script.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    script.chmod(0o755)
    for name in ("post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (repository / ".git" / "hooks").mkdir(exist_ok=True)
        (repository / ".git" / "hooks" / name).write_text(script.read_text())
        (repository / ".git" / "hooks" / name).chmod(0o755)
    settings = tmp_path / "gitconfig"
    (tmp_path / "order").write_text("b.md\n")
    for key, value in {
        **dict.fromkeys(("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "diff.evil.textconv",
                         "diff.evil.command", "filter.evil.clean", "filter.evil.process", "gpg.program"), str(script)),
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.renames": "false", "diff.renameLimit": "1",
        "diff.algorithm": "patience", "diff.context": "9", "diff.interHunkContext": "9",
        "diff.orderFile": str(tmp_path / "order"), "color.ui": "always", "color.diff": "always",
        "log.showSignature": "true", "format.pretty": "raw",
        "core.bigFileThreshold": "1", "core.attributesFile": str(tmp_path / "attributes"), "core.quotePath": "false",
        "i18n.logOutputEncoding": "utf-16", "log.mailmap": "true", "mailmap.file": str(tmp_path / "mailmap"),
    }.items():  # fmt: skip
        git(repository, "config", key, value)
        git(repository, "config", "--file", str(settings), key, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(script))
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=7")
    (repository / ".git" / "info").mkdir(exist_ok=True)
    for path in (tmp_path / "attributes", repository / ".git" / "info" / "attributes", repository / ".gitattributes"):
        path.write_text(ATTRIBUTES + "*.py binary\n")
    for path in (tmp_path / "mailmap", repository / ".mailmap"):
        path.write_text("Somebody Else <author@example.com>\n")
    other = git(repository, "commit-tree", "-m", "other", f"{one}^{{tree}}")
    git(repository, "replace", "-f", two, other)
    marker.unlink(missing_ok=True)
    (repository / ".git" / "info" / "grafts").write_text(f"{two}\n")
    assert history(repository) == plain
    assert not marker.exists()
    (repository / ".git" / "info" / "grafts").unlink()
    shown = subprocess.run(["git", "--no-replace-objects", "show", two], cwd=repository, env=ENV, capture_output=True)
    assert shown.stdout.count(b"@@ ") != 2
    assert marker.exists(), "the trap must work, or the test shows nothing"


def test_clones_give_the_same(tmp_path):
    """A clone, a bare one with packed objects, a linked work tree and one that borrows objects tell the same."""
    repository = make(tmp_path / "r")
    for at in range(5):
        commit(repository, f"change {at}", {"a.py": lines(*range(at, 9)), f"{at}.py": "x\n"}, at)
    expected = history(repository)
    git(tmp_path, "clone", "-q", str(repository), "copy")
    git(tmp_path, "clone", "-q", "--bare", f"file://{repository}", "bare.git")
    git(tmp_path / "bare.git", "repack", "-q", "-a", "-d")
    git(tmp_path / "bare.git", "commit-graph", "write", "--reachable")
    git(tmp_path, "clone", "-q", "--shared", str(repository), "shared")
    git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    for name in ("copy", "bare.git", "shared", "linked"):
        assert history(tmp_path / name) == expected
    with opened(f"file://{repository}", tmp_path / "mirrors") as source:
        assert list(source.commits(source.recent(expected[0].id, 9))) == expected
    assert len(expected) == 5


def test_a_force_push_leaves_the_old_commits_behind(tmp_path):
    """Only what led to the commit counts."""
    repository = make(tmp_path / "r")
    one = commit(repository, "one", {"a": "1\n"})
    commit(repository, "two", {"a": "2\n"}, 1)
    git(repository, "reset", "-q", "--hard", one)
    other = commit(repository, "other", {"a": "3\n"}, 2)
    assert [c.id for c in history(repository)] == [other, one]


def test_a_shallow_clone_has_what_it_can_tell(tmp_path):
    """The last commits of a shallow clone, merges among them, seem to add every file: they are left out."""
    repository = make(tmp_path / "r")
    commit(repository, "root", {"a": "1\n"}, 1)
    git(repository, "checkout", "-q", "-b", "side")
    commit(repository, "side", {"s": "1\n"}, 2)
    git(repository, "checkout", "-q", "main")
    commit(repository, "main", {"m": "1\n"}, 3)
    git(repository, "merge", "-q", "--no-ff", "-m", "merge", "side")
    commit(repository, "after", {"a": "2\n"}, 4)
    commit(repository, "last", {"a": "3\n"}, 5)
    whole = history(repository)
    assert [c.message for c in whole] == ["last", "after", "main", "side", "root"]
    for depth, messages in ((1, []), (2, ["last"]), (3, ["last", "after"]), (4, ["last", "after"])):
        git(tmp_path, "clone", "-q", "--depth", str(depth), f"file://{repository}", f"shallow-{depth}")
        found = history(tmp_path / f"shallow-{depth}")
        assert [c.message for c in found] == messages
        assert found == whole[: len(found)]
        with opened(tmp_path / f"shallow-{depth}") as source:
            assert [c for c in source.commits([c.id for c in whole]) if c.parents < 2] == found
    git(tmp_path / "shallow-2", "fetch", "-q", "--unshallow")
    assert history(tmp_path / "shallow-2") == whole


@pytest.mark.parametrize("kind", ["blob:none", "tree:0"])
def test_a_partial_clone_fetches_nothing(tmp_path, kind):
    """It lacks what commits changed, so it has no history, and asking for one brings nothing in."""
    repository = make(tmp_path / "r")
    ids = [commit(repository, str(at), {"a": f"{at}\n", f"{at}": lines(*range(9))}, at) for at in range(3)]
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", f"--filter={kind}", f"file://{repository}", "partial")
    objects = sorted((tmp_path / "partial" / ".git" / "objects").rglob("*"))
    with opened(tmp_path / "partial") as source:
        assert source.recent(ids[-1], 10) == []
        assert list(source.commits(ids)) == []
    assert sorted((tmp_path / "partial" / ".git" / "objects").rglob("*")) == objects
    git(tmp_path / "partial", "cat-file", "-e", f"{ids[0]}:a")  # git itself would have fetched
    assert sorted((tmp_path / "partial" / ".git" / "objects").rglob("*")) != objects


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_what_cannot_be_read_is_left_out(tmp_path, how):
    """A commit whose blob or tree is not there costs itself alone; where a commit is not there the history ends."""
    repository = make(tmp_path / "r")
    ids = [commit(repository, str(at), {f"{at}.py": f"{at}\n", "a/b.py": lines(at)}, at) for at in range(9)]
    whole = history(repository)

    def lose(what: str) -> None:
        identity = git(repository, "rev-parse", what)
        path = repository / ".git" / "objects" / identity[:2] / identity[2:]
        path.chmod(0o644)
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:12])

    lose(f"{ids[6]}:6.py")
    lose(f"{ids[3]}:a")
    assert history(repository) == [c for c in whole if c.message not in "643"]
    lose(ids[1])
    assert history(repository) == [c for c in whole if c.message in "875"]
    with opened(repository) as source:
        assert source.recent(ids[8], 10) == ids[:2:-1]
        assert list(source.commits([ids[1], "0" * 40, git(repository, "rev-parse", f"{ids[8]}^{{tree}}")])) == []


def test_a_commit_that_does_not_match_its_id_is_left_out(tmp_path):
    """An object store that lies about a commit is not believed, what it says being a merge or not."""
    repository = make(tmp_path / "r")
    one, two = (commit(repository, name, {"a": name}, at) for at, name in enumerate(("one", "two")))
    true = subprocess.run(["git", "cat-file", "commit", two], cwd=repository, env=ENV, capture_output=True, check=True)
    target = repository / ".git" / "objects" / two[:2] / two[2:]
    target.chmod(0o644)
    for said in (true.stdout + b"lie", true.stdout.replace(b"author", b"parent %b\nauthor" % one.encode(), 1)):
        lie = crafted(repository, said)
        target.write_bytes((repository / ".git" / "objects" / lie[:2] / lie[2:]).read_bytes())
        with opened(repository) as source:
            assert [c.id for c in source.commits([two, one])] == [one]


def test_sha256_repositories(tmp_path):
    """Ids have 64 digits."""
    repository = make(tmp_path / "r", "--object-format=sha256")
    one = commit(repository, "one", {"a": "1\n"}, 1)
    two = commit(repository, "two", {"a": "2\n"}, 2)
    assert len(one) == 64
    assert history(repository) == [
        made(two, "two", (Change("a", "a", "M", ((1, 1, 1, 1),)),), 2),
        made(one, "one", (Change("a", "", "A", ((0, 0, 1, 1),)),), 1, 0),
    ]


def test_no_history(tmp_path):
    """A plain folder, an unborn branch and a commit that is not there have none."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with opened(folder) as source:
        assert source.recent(source.tree().commit, 10) == []
        assert list(source.commits(["1" * 40])) == []
    with opened(make(tmp_path / "unborn")) as source:
        assert source.recent(source.tree().commit, 10) == []
        assert source.recent("1" * 40, 10) == []
        assert list(source.commits(["1" * 40])) == []


def test_many_commits_are_read_in_their_order(tmp_path):
    """More than one process is asked for at a time come in the order of their ids."""
    repository = make(tmp_path / "r")
    stream = "".join(
        f"commit refs/heads/main\ncommitter C <c> {at} +0000\ndata 1\n{at % 10}M 100644 inline a\ndata 4\n{at:03}\n"
        for at in range(600)
    )
    git(repository, "fast-import", "--quiet", stdin=stream.encode())
    found = history(repository)
    assert [c.time for c in found] == list(range(599, -1, -1))
    assert {c.changes for c in found[:-1]} == {(Change("a", "a", "M", ((1, 1, 1, 1),)),)}
