"""A git work tree, with its uncommitted changes, read without running anything of the repository's."""

import os
import subprocess
from pathlib import Path

import pytest
from repositories import ENVIRONMENT, git

from repoctx.errors import RefusedError, SourceError, UsageError
from repoctx.source import Limits, open_source
from repoctx.source.filter import content_skip
from repoctx.source.git import blob_id
from repoctx.types import Entry, Skip

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **ENVIRONMENT}


@pytest.fixture(autouse=True)
def _no_host_configuration(monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "HOME"):
        monkeypatch.setenv(name, ENV[name])


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def make(folder: Path, *options: str) -> Path:
    """A repository with a.py, b.py and sub/c.py committed on main."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", *options)
    (folder / "sub").mkdir()
    write(folder, **{"a.py": "a = 1\n", "b.py": "b = 1\n", "sub/c.py": "c = 1\n"})
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def scan(location: Path | str, ref: str | None = None, **limits):
    with open_source(str(location), ref=ref, limits=Limits(**limits), mirrors=Path("/nonexistent")) as source:
        tree = source.tree()
        return tree, {entry.path: found for entry, found in source.read(tree.entries)}


def entries(**files: str) -> tuple[Entry, ...]:
    found = [Entry(path, blob_id(text.encode()), len(text.encode())) for path, text in files.items()]
    return tuple(sorted(found))


ONE = {"a.py": "a = 1\n", "b.py": "b = 1\n", "sub/c.py": "c = 1\n"}


def test_clean_work_tree(tmp_path):
    """A clean work tree is its commit, from any folder inside it too."""
    repository = make(tmp_path / "tool")
    tree, read = scan(repository / "sub")
    assert tree.entries == entries(**ONE)
    assert tree.skips == ()
    assert (tree.commit, tree.ref, tree.dirty) == (git(repository, "rev-parse", "HEAD"), "main", False)
    assert read == {path: text.encode() for path, text in ONE.items()}
    with open_source(str(repository), ref=None, limits=Limits(), mirrors=tmp_path) as source:
        assert (source.location, source.kind, source.default_name) == (str(repository), "worktree", "tool")


def test_uncommitted_changes(tmp_path):
    """Changed, staged, new and deleted files count as they stand; ignored ones are named, as folders."""
    repository = make(tmp_path / "r")
    (repository / "out").mkdir()
    (repository / "new" / "deep").mkdir(parents=True)
    now = {"a.py": "a = 2\n", "staged.py": "s = 1\n", "new/deep/n.py": "n\n", ".gitignore": "out/\n*.tmp\n"}
    write(repository, **now, **{"out/x.o": "x", "y.tmp": "y", "new/z.tmp": "z"})
    now["sub/c.py"] = "c = 1\n"
    git(repository, "add", "staged.py")
    (repository / "b.py").unlink()
    tree, read = scan(repository)
    assert tree.entries == entries(**now)
    assert [(skip.path, skip.reason) for skip in tree.skips] == [
        ("new/z.tmp", "ignored"), ("out/", "ignored"), ("y.tmp", "ignored"),
    ]  # fmt: skip
    assert tree.dirty
    assert read == {path: text.encode() for path, text in now.items()}
    committed, _ = scan(repository, ref="main")
    assert (committed.entries, committed.dirty) == (entries(**ONE), False)


@pytest.mark.parametrize("change", ["staged", "deleted", "untracked"])
def test_dirty(tmp_path, change):
    """Each kind of difference from the commit makes the tree dirty."""
    repository = make(tmp_path / "r")
    if change == "deleted":
        (repository / "a.py").unlink()
    else:
        write(repository, **{"a.py" if change == "staged" else "n.py": "n\n"})
    if change == "staged":
        git(repository, "add", "-A")
    assert scan(repository)[0].dirty


def test_racy_change_is_seen(tmp_path):
    """A change of the same size with the same time stamps as the index's own is found by content."""
    repository = make(tmp_path / "r")
    when = 1_700_000_000_000_000_000
    os.utime(repository / "a.py", ns=(when, when))
    git(repository, "update-index", "--refresh")
    os.utime(repository / ".git" / "index", ns=(when, when))
    write(repository, **{"a.py": "a = 9\n"})
    os.utime(repository / "a.py", ns=(when, when))
    tree, read = scan(repository)
    assert tree.dirty
    assert read["a.py"] == b"a = 9\n"


def test_same_size_and_time_is_seen_by_its_change_time(tmp_path):
    """A file whose modification time was set back is still compared: its change time tells."""
    repository = make(tmp_path / "r")
    when = os.stat(repository / "a.py").st_mtime_ns
    write(repository, **{"a.py": "a = 9\n"})
    os.utime(repository / "a.py", ns=(when, when))
    os.utime(repository / ".git" / "index", ns=(2**62, 2**62))
    assert scan(repository)[1]["a.py"] == b"a = 9\n"


def test_touched_and_crlf_files_are_clean(tmp_path):
    """A file that was only touched, or written with CRLF by a checkout, is the blob of its commit."""
    repository = make(tmp_path / "r")
    os.utime(repository / "a.py", ns=(1, 1))
    (repository / "b.py").write_bytes(b"b = 1\r\n")
    tree, read = scan(repository)
    assert (tree.entries, tree.dirty) == (entries(**ONE), False)
    assert read["b.py"] == b"b = 1\n"


def test_a_touched_file_that_is_too_large_is_clean(tmp_path):
    """It is left out as it was in its commit; changed, it is left out of what is no commit any more."""
    repository = make(tmp_path / "r")
    write(repository, **{"big.txt": "x" * 2_000})
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "large")
    os.utime(repository / "big.txt", ns=(1, 1))
    tree, _ = scan(repository, max_file_bytes=1_000)
    assert (tree.entries, tree.skips, tree.dirty) == (entries(**ONE), (Skip("big.txt", "too large", "2.0 kB"),), False)
    write(repository, **{"big.txt": "x" * 1_999 + "y"})
    tree, _ = scan(repository, max_file_bytes=1_000)
    assert (tree.entries, tree.skips, tree.dirty) == (entries(**ONE), (Skip("big.txt", "too large", "2.0 kB"),), True)


def test_blob_sizes_are_true(tmp_path):
    """A clean file that a checkout wrote with CRLF has the size and the bytes of its blob."""
    repository = make(tmp_path / "r")
    git(repository, "config", "core.autocrlf", "true")
    (repository / "a.py").unlink()
    git(repository, "checkout", "a.py")
    os.utime(repository / ".git" / "index", ns=(2**62, 2**62))
    assert (repository / "a.py").read_bytes() == b"a = 1\r\n"
    tree, read = scan(repository)
    assert (tree.entries, read["a.py"]) == (entries(**ONE), b"a = 1\n")


def test_nothing_of_the_repository_runs(tmp_path):
    """fsmonitor, hooks, filters, diff drivers, pagers and remotes of a hostile repository never run."""
    repository, marker = make(tmp_path / "r"), tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    script.chmod(0o755)
    for name in ("post-index-change", "post-checkout", "fsmonitor-watchman", "reference-transaction"):
        (repository / ".git" / "hooks").mkdir(exist_ok=True)
        (repository / ".git" / "hooks" / name).write_text(script.read_text())
        (repository / ".git" / "hooks" / name).chmod(0o755)
    for key in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.textconv",
                "diff.x.command", "diff.external", "core.pager", "core.sshCommand", "remote.o.uploadpack",
                "core.alternateRefsCommand", "uploadpack.packObjectsHook", "core.askPass"):  # fmt: skip
        git(repository, "config", key, str(script))
    for key, value in (("remote.o.url", f"ext::{script}"), ("remote.o.promisor", "true"),
                       ("core.repositoryformatversion", "1"), ("extensions.partialClone", "o"),
                       ("protocol.ext.allow", "always"), ("core.hooksPath", ".git/hooks")):  # fmt: skip
        git(repository, "config", key, value)
    blob = git(repository, "rev-parse", "HEAD:b.py")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    write(repository, **{".gitattributes": "* filter=x diff=x\n", "a.py": "a = 3\n", "n.py": "n\n"})
    marker.unlink(missing_ok=True)
    tree, read = scan(repository)
    assert read["a.py"] == b"a = 3\n"
    assert Skip("b.py", "unreadable", "the repository lacks its object") in tree.skips
    assert not marker.exists()
    tree, _ = scan(repository, ref="main")
    assert Skip("b.py", "unreadable", "the repository lacks its object") in tree.skips
    git(repository, "config", "remote.o.url", str(tmp_path / "r"))
    marker.unlink(missing_ok=True)
    scan(repository, ref="main")
    assert not marker.exists()
    subprocess.run(["git", "status"], cwd=repository, env=ENV, capture_output=True, check=False)
    assert marker.exists(), "the trap must work, or the test shows nothing"


def test_configured_work_tree_is_not_followed(tmp_path):
    """core.worktree of a hostile repository leads nowhere."""
    repository = make(tmp_path / "r")
    (tmp_path / "secret").mkdir()
    write(tmp_path / "secret", **{"key.txt": "k"})
    git(repository, "config", "core.worktree", str(tmp_path / "secret"))
    tree, _ = scan(repository)
    assert tree.entries == entries(**ONE)


def test_git_variables_of_the_caller_are_dropped(tmp_path, monkeypatch):
    """GIT_DIR and its like, as set in a hook, do not lead to another repository."""
    repository, other = make(tmp_path / "r"), make(tmp_path / "other")
    write(other, **{"a.py": "other\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert scan(repository)[0].entries == entries(**ONE)


def test_symbolic_links_lead_nowhere(tmp_path):
    """Links are named with their target; a tracked folder that became a link is not entered."""
    repository = make(tmp_path / "r")
    (repository / "passwd").symlink_to("/etc/passwd")
    (repository / "loop").symlink_to("loop")
    git(repository, "add", "passwd")
    (tmp_path / "outside").mkdir()
    write(tmp_path / "outside", **{"c.py": "outside\n"})
    (repository / "sub" / "c.py").unlink()
    (repository / "sub").rmdir()
    (repository / "sub").symlink_to(tmp_path / "outside")
    tree, _ = scan(repository)
    assert [entry.path for entry in tree.entries] == ["a.py", "b.py"]
    assert tree.skips == (
        Skip("loop", "symlink", "loop"),
        Skip("passwd", "symlink", "/etc/passwd"),
        Skip("sub", "symlink", str(tmp_path / "outside")),
    )


def test_odd_names(tmp_path):
    """Spaces, quotes and newlines stay; bytes that are not UTF-8 show as \\xNN; a collision is named."""
    repository = make(tmp_path / "r")
    names = [b'q"uo te\n.py', b"l\xe9.py", b"l\\xe9.py", "é.py".encode(), b"-n.py", b":(glob)x.py"]
    for name in names:
        Path(os.fsdecode(os.fsencode(repository) + b"/" + name)).write_bytes(name)
    untracked, _ = scan(repository)
    git(repository, "--literal-pathspecs", "add", "-A")
    git(repository, "commit", "-q", "-m", "two")
    for tree, read in (scan(repository), scan(repository, ref="main")):
        assert tree.entries == untracked.entries
        assert tree.skips == untracked.skips == (
            Skip("l\\xe9.py", "path collision", "another path looks the same as text"),
        )  # fmt: skip
        assert read['q"uo te\n.py'] == b'q"uo te\n.py'
        assert read["l\\xe9.py"] == b"l\\xe9.py"
        assert read["é.py"] == "é.py".encode()
        assert read["-n.py"] == b"-n.py"


def test_undecodable_names_are_read(tmp_path):
    """A file whose name is not UTF-8 is read by its bytes."""
    repository = make(tmp_path / "r")
    Path(os.fsdecode(os.fsencode(repository) + b"/l\xe9.py")).write_bytes(b"latin\n")
    assert scan(repository)[1]["l\\xe9.py"] == b"latin\n"


def test_changes_between_scan_and_read(tmp_path):
    """What changed, vanished or became a link after the scan is "vanished"; the rest is read."""
    repository = make(tmp_path / "r")
    write(repository, **{"n1.py": "1\n", "n2.py": "2\n", "n3.py": "3\n", "n4.py": "4\n"})
    with open_source(str(repository), ref=None, limits=Limits(), mirrors=tmp_path) as source:
        tree = source.tree()
        write(repository, **{"n1.py": "x\n"})
        (repository / "n2.py").unlink()
        (repository / "n3.py").unlink()
        (repository / "n3.py").symlink_to("/etc/passwd")
        (repository / "a.py").unlink()
        read = {entry.path: found for entry, found in source.read(tree.entries)}
    assert read == {
        "a.py": b"a = 1\n", "b.py": b"b = 1\n", "sub/c.py": b"c = 1\n", "n4.py": b"4\n",
        "n1.py": Skip("n1.py", "vanished", "changed while it was read"),
        "n2.py": Skip("n2.py", "vanished", "removed since the scan"),
        "n3.py": Skip("n3.py", "vanished", "now a symlink"),
    }  # fmt: skip


def test_reading_can_be_left_and_taken_up(tmp_path):
    """Readers that stop early, or run side by side, get their own bytes."""
    repository = make(tmp_path / "r")
    with open_source(str(repository), ref=None, limits=Limits(), mirrors=tmp_path) as source:
        tree = source.tree()
        left = source.read(tree.entries)
        next(left)
        assert [raw for _, raw in source.read(tree.entries)] == [b"a = 1\n", b"b = 1\n", b"c = 1\n"]
        left.close()
        assert [raw for _, raw in source.read(tree.entries[1:])] == [b"b = 1\n", b"c = 1\n"]


def test_objects_that_lie_are_not_believed(tmp_path):
    """A blob whose bytes do not match its id, or that a replace ref exchanges, never gives wrong bytes."""
    repository = make(tmp_path / "r")
    a, b, c = (git(repository, "rev-parse", f"HEAD:{path}") for path in ONE)
    git(repository, "replace", b, c)
    path = repository / ".git" / "objects" / a[:2] / a[2:]
    path.chmod(0o644)
    path.write_bytes((repository / ".git" / "objects" / c[:2] / c[2:]).read_bytes())
    _, read = scan(repository, ref="main")
    assert read["b.py"] == b"b = 1\n"
    assert read["a.py"] == Skip("a.py", "unreadable", "its object does not match its id")


def test_sizes(tmp_path):
    """Files above the limit are named with their size, tracked or not; so is a source above its limits."""
    repository = make(tmp_path / "r")
    write(repository, **{"big.txt": "x" * 2_000, "b.py": "y" * 3_000})
    tree, _ = scan(repository, max_file_bytes=1_000)
    assert tree.skips == (Skip("b.py", "too large", "3.0 kB"), Skip("big.txt", "too large", "2.0 kB"))
    with (repository / "sparse.bin2").open("wb") as file:
        file.truncate(200_000_000)
    assert Skip("sparse.bin2", "too large", "200.0 MB") in scan(repository)[0].skips
    with pytest.raises(RefusedError, match="more than 2 files"):
        scan(repository, max_files=2)
    with pytest.raises(RefusedError, match="above the limit of 10 bytes"):
        scan(repository, ref="main", max_total_bytes=10)


def test_rules_of_the_repository(tmp_path):
    """.repoctxignore, even one that git ignores, and .gitattributes count for work trees and commits."""
    repository = make(tmp_path / "r")
    (repository / "sub" / ".repoctxignore").write_text("c.py\n")
    write(repository, **{".gitattributes": "b.py linguist-generated\n"})
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "two")
    for tree, _ in (scan(repository), scan(repository, ref="HEAD")):
        assert tree.skips == (
            Skip("b.py", "generated", "linguist-generated"), Skip("sub/c.py", "ignored", ".repoctxignore"),
        )  # fmt: skip
    write(repository, **{".git/info/exclude": "/.repoctxignore\n", ".repoctxignore": "a.py\n"})
    assert Skip("a.py", "ignored", ".repoctxignore") in scan(repository)[0].skips


def test_long_rule_files_are_named(tmp_path):
    """A rule file with thousands of lines is not followed, and that is said."""
    repository = make(tmp_path / "r")
    write(repository, **{".repoctxignore": "*.py\n" * 2_001})
    tree, _ = scan(repository)
    assert Skip(".repoctxignore", "too large", "more than 2,000 rules: none is followed") in tree.skips
    assert "a.py" in {entry.path for entry in tree.entries}


def test_submodules_and_nested_repositories(tmp_path):
    """Submodules and untracked repositories are named, not entered."""
    repository, inner = make(tmp_path / "r"), make(tmp_path / "inner")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib")
    git(repository, "commit", "-q", "-m", "two")
    make(repository / "nested")
    commit = git(inner, "rev-parse", "HEAD")[:12]
    tree, _ = scan(repository)
    assert tree.skips == (
        Skip("lib", "submodule", commit), Skip("nested/", "submodule", "a repository of its own"),
    )  # fmt: skip
    assert scan(repository, ref="main")[0].skips == (Skip("lib", "submodule", commit),)
    assert scan(repository / "lib")[0].entries == entries(**ONE)


def test_special_files(tmp_path):
    """FIFOs are never opened, tracked or not."""
    repository = make(tmp_path / "r")
    os.mkfifo(repository / "pipe")
    (repository / "a.py").unlink()
    os.mkfifo(repository / "a.py")
    tree, _ = scan(repository)
    assert tree.skips == (Skip("a.py", "special file", "FIFO"), Skip("pipe", "special file", "FIFO"))


def test_heads(tmp_path):
    """Detached, unborn, linked and shallow work trees work; a broken HEAD is one clear sentence."""
    repository = make(tmp_path / "r")
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "worktree", "add", "-q", "-b", "side/x", "../side")
    assert scan(tmp_path / "side")[0].ref == "side/x"
    git(repository, "checkout", "-q", "--detach")
    assert (scan(repository)[0].ref, scan(repository)[0].commit) == ("HEAD", commit)
    git(tmp_path, "clone", "-q", "--depth", "1", "--branch", "main", f"file://{repository}", "shallow")
    assert scan(tmp_path / "shallow")[0].commit == commit
    unborn = tmp_path / "unborn"
    unborn.mkdir()
    git(unborn, "init", "-q", "-b", "trunk")
    write(unborn, **{"a.py": "a = 1\n"})
    tree, _ = scan(unborn)
    assert (tree.entries, tree.commit, tree.ref, tree.dirty) == (
        entries(**{"a.py": "a = 1\n"}),
        None,
        "trunk",
        False,
    )
    (repository / ".git" / "HEAD").write_text("0" * 39 + "1\n")
    with pytest.raises(SourceError, match=r"HEAD of .* does not lead to a commit"):
        scan(repository)
    (repository / ".git" / "HEAD").write_text("nonsense\n")
    with pytest.raises(SourceError, match="is not a repository that git can read"):
        scan(repository)


def test_sha256_repository(tmp_path):
    """A SHA-256 repository has ids of 64 digits, for changed files too."""
    repository = make(tmp_path / "r", "--object-format=sha256")
    write(repository, **{"a.py": "a = 2\n"})
    tree, read = scan(repository)
    assert tree.entries[0] == Entry("a.py", blob_id(b"a = 2\n", "sha256"), 6)
    assert tree.entries[1].blob == git(repository, "rev-parse", "HEAD:b.py")
    assert read["b.py"] == b"b = 1\n"


def test_conflicts_sparse_checkouts_and_intent_to_add(tmp_path):
    """An unmerged file counts as it stands; what a sparse checkout leaves out is still part of the tree."""
    repository = make(tmp_path / "r")
    git(repository, "checkout", "-q", "-b", "side")
    write(repository, **{"a.py": "a = 'side'\n"})
    git(repository, "commit", "-q", "-am", "side")
    git(repository, "checkout", "-q", "main")
    write(repository, **{"a.py": "a = 'main'\n"})
    git(repository, "commit", "-q", "-am", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "-q", "side")
    assert b"<<<<<<<" in scan(repository)[1]["a.py"]
    git(repository, "reset", "-q", "--hard")
    git(repository, "sparse-checkout", "set", "--no-cone", "/a.py")
    assert not (repository / "b.py").exists()
    tree, read = scan(repository)
    assert (read["b.py"], tree.dirty) == (b"b = 1\n", False)
    write(repository, **{"later.py": "l\n"})
    git(repository, "add", "--sparse", "-N", "later.py")
    assert scan(repository)[1]["later.py"] == b"l\n"


def test_lfs_pointer(tmp_path):
    """An LFS pointer is read as the pointer that the commit holds; its content says what it is."""
    repository = make(tmp_path / "r")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5000\n"
    write(repository, **{"model.weights": pointer})
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "two")
    assert content_skip(scan(repository)[1]["model.weights"]) == ("lfs pointer", "5.0 kB")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_dubious_ownership(tmp_path):
    """A repository of another user is refused with what to do about it."""
    repository = make(tmp_path / "r")
    for path in (repository, repository / ".git"):
        os.chown(path, 12_345, 12_345)
    with pytest.raises(
        SourceError, match="belongs to another user: if you trust it, run `git config --global"
    ):
        scan(repository)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path):
    """An unreadable file is named."""
    repository = make(tmp_path / "r")
    write(repository, **{"n.py": "n\n"})
    (repository / "n.py").chmod(0)
    assert Skip("n.py", "unreadable", "Permission denied") in scan(repository)[0].skips


def test_wrong_locations(tmp_path):
    """Missing paths, files, broken repositories and missing refs are one clear sentence each."""
    write(tmp_path, file="x")
    repository = make(tmp_path / "r")
    for location, said in (
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "is a file, not a folder"),
    ):
        with pytest.raises(SourceError, match=said):
            scan(location)
    with pytest.raises(SourceError, match="has no branch, tag or commit 'nope': its branches are main"):
        scan(repository, ref="nope")
    with pytest.raises(UsageError, match="give a path or a clone URL"):
        scan("")
    broken = tmp_path / "broken"
    broken.mkdir()
    write(broken, **{".git": "gitdir: /nonexistent\n"})
    with pytest.raises(SourceError, match="is not a repository that git can read"):
        scan(broken)
