"""Commits of work trees, bare repositories and clones."""

import hashlib
import os
import threading
from pathlib import Path

import pytest
from repositories import ENVIRONMENT, git

from repoctx.errors import (
    BackendError,
    MissingRefError,
    RefusedError,
    SourceError,
    StorageError,
    UsageError,
)
from repoctx.source import Limits, open_source
from repoctx.source.clone import remove
from repoctx.source.git import blob_id
from repoctx.types import Entry, Skip

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **ENVIRONMENT}


@pytest.fixture(autouse=True)
def _no_host_configuration(monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "HOME"):
        monkeypatch.setenv(name, ENV[name])


def commit(repository: Path, **files: str) -> str:
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "change")
    return git(repository, "rev-parse", "HEAD")


def make(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, **{"a.py": "a = 1\n"})
    return folder


def scan(location: Path | str, mirrors: Path, ref: str | None = None, **limits):
    with open_source(str(location), ref=ref, limits=Limits(**limits), mirrors=mirrors) as source:
        tree = source.tree()
        return tree, {entry.path: found for entry, found in source.read(tree.entries)}


def crafted_tree(repository: Path, rows: list[tuple[str, str, bytes]]) -> str:
    """A commit whose tree has these (mode, blob, name) rows, whatever git would say to them."""
    raw = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(blob) for mode, blob, name in rows)
    tree = git(repository, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    return git(repository, "commit-tree", tree, "-m", "crafted")


def test_bare_repository(tmp_path):
    """A bare repository is read at its HEAD, a branch, a tag or a commit id."""
    work = make(tmp_path / "work")
    first = git(work, "rev-parse", "HEAD")
    git(work, "tag", "-a", "v1", "-m", "v1")
    second = commit(work, **{"a.py": "a = 2\n"})
    git(work, "branch", "side/x", first)
    git(tmp_path, "clone", "-q", "--bare", "work", "tool.git")
    bare = tmp_path / "tool.git"
    for ref, shown, expected in (
        (None, "main", second),
        ("main", "main", second),
        ("refs/heads/main", "main", second),
        ("v1", "v1", first),
        ("side/x", "side/x", first),
        (first, first, first),
        (first[:10], first, first),
        ("main~1", first, first),
        ("HEAD", "HEAD", second),
    ):
        tree, _ = scan(bare, tmp_path, ref)
        assert (tree.ref, tree.commit, tree.dirty) == (shown, expected, False)
    tree, read = scan(bare, tmp_path, "v1")
    assert tree.entries == (Entry("a.py", blob_id(b"a = 1\n"), 6),)
    assert read == {"a.py": b"a = 1\n"}
    with open_source(str(bare), ref=None, limits=Limits(), mirrors=tmp_path) as source:
        assert (source.kind, source.default_name) == ("bare", "tool")
    git(bare, "tag", "main", first)
    assert scan(bare, tmp_path, "main")[0].commit == second, "a branch comes before a tag of its name"


def test_refs_that_do_not_resolve(tmp_path):
    """Odd refs never reach git; a missing ref, an empty and a headless repository are clear."""
    work = make(tmp_path / "work")
    for ref in ("--output=x", "", "a..b", "main:a.py", "x\ny"):
        with pytest.raises(UsageError):
            scan(work, tmp_path, ref)
    for ref in ("main^{tree}", "f" * 40):
        with pytest.raises(SourceError, match="has no branch, tag or commit"):
            scan(work, tmp_path, ref)
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "empty.git")
    tree, _ = scan(tmp_path / "empty.git", tmp_path)
    assert (tree.entries, tree.commit, tree.ref) == ((), None, "main")
    git(work, "push", "-q", str(tmp_path / "empty.git"), "main:other")
    with pytest.raises(SourceError, match="has no branch 'main' yet: name a ref, such as other"):
        scan(tmp_path / "empty.git", tmp_path)


def test_a_hostile_tree(tmp_path):
    """Paths that would lead outside, links, submodules and large blobs of a commit are named, not taken."""
    work = make(tmp_path / "work")
    blob = git(work, "rev-parse", "HEAD:a.py")
    big = git(work, "hash-object", "-w", "--stdin", stdin=b"x" * 2_000)
    head = git(work, "rev-parse", "HEAD")
    made = crafted_tree(work, [
        ("100644", blob, b".."), ("100644", blob, b"../up.py"), ("100644", blob, b".GIT"),
        ("100644", blob, b"/etc/x"),
        ("100644", big, b"big.txt"), ("100644", "1" * 40, b"lost.py"), ("120000", blob, b"link"),
        ("160000", head, b"module"), ("100755", blob, b"ok.py"),
    ])  # fmt: skip
    tree, _ = scan(work, tmp_path, made, max_file_bytes=1_000)
    assert tree.entries == (Entry("ok.py", blob, 6),)
    assert tree.skips == (
        Skip("..", "unreadable", "unsafe path"),
        Skip("../", "unreadable", "unsafe path"),
        Skip(".GIT", "unreadable", "unsafe path"),
        Skip("/etc/", "unreadable", "unsafe path"),
        Skip("big.txt", "too large", "2.0 kB"),
        Skip("link", "symlink"),
        Skip("lost.py", "unreadable", "the repository lacks its object"),
        Skip("module", "submodule", head[:12]),
    )


def test_a_tree_that_repeats_itself(tmp_path):
    """A few objects that stand for millions of files are refused early."""
    work = make(tmp_path / "work")
    tree = git(work, "rev-parse", "HEAD^{tree}")
    for _ in range(8):
        row = b"".join(b"40000 %d\0" % n + bytes.fromhex(tree) for n in range(10))
        tree = git(work, "hash-object", "-t", "tree", "-w", "--stdin", stdin=row)
    bomb = git(work, "commit-tree", tree, "-m", "bomb")
    with pytest.raises(RefusedError, match="more than 1,000 files"):
        scan(work, tmp_path, bomb, max_files=1_000)


def test_clone_and_update(tmp_path):
    """A URL is cloned once, then updated: new commits, forced pushes, deleted and default branches."""
    work, mirrors = make(tmp_path / "my tool"), tmp_path / "m"
    url = f"file://{str(work).replace(' ', '%20')}"
    with open_source(url, ref=None, limits=Limits(), mirrors=mirrors) as source:
        assert (source.location, source.kind, source.default_name) == (url, "clone", "my-tool")
        assert [raw for _, raw in source.read(source.tree().entries)] == [b"a = 1\n"]
    first = git(work, "rev-parse", "HEAD")
    git(work, "branch", "old")
    git(work, "checkout", "-q", "-b", "trunk")
    second = commit(work, **{"a.py": "a = 2\n"})
    assert scan(url, mirrors, "old")[0].commit == first
    git(work, "branch", "-q", "-D", "old")
    git(work, "branch", "old/nested")
    git(work, "branch", "-q", "-f", "main", second)
    tree, read = scan(url, mirrors)
    assert (tree.ref, tree.commit, read) == ("trunk", second, {"a.py": b"a = 2\n"})
    assert scan(url, mirrors, "main")[0].commit == second
    with pytest.raises(SourceError, match="its branches are main, old/nested, trunk"):
        scan(url, mirrors, "old")
    name = hashlib.sha256(url.encode()).hexdigest()[:40]
    assert sorted(path.name for path in mirrors.iterdir()) == [f"{name}.git", f"{name}.lock"]
    git(mirrors / f"{name}.git", "fsck", "--strict")


def test_update_after_a_crash(tmp_path):
    """What a killed clone or fetch left behind does not stand in the way."""
    work, mirrors = make(tmp_path / "work"), tmp_path / "m"
    url = f"file://{work}"
    name = hashlib.sha256(url.encode()).hexdigest()[:40]
    (mirrors / f"{name}.part" / "objects").mkdir(parents=True)
    scan(url, mirrors)
    second = commit(work, **{"a.py": "a = 2\n"})
    for left in ("packed-refs.lock", "HEAD.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x"):
        (mirrors / f"{name}.git" / left).write_text("")
    assert scan(url, mirrors)[0].commit == second


def test_clones_of_one_url_at_once(tmp_path):
    """Several that clone the same URL at the same time all get it, from one mirror."""
    work, mirrors = make(tmp_path / "work"), tmp_path / "m"
    found: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(scan(f"file://{work}", mirrors)[0].commit))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [git(work, "rev-parse", "HEAD")] * 4
    assert len(list(mirrors.glob("*.git"))) == 1


def test_sha256_and_empty_clones(tmp_path):
    """SHA-256 repositories and repositories without commits can be cloned and updated."""
    (tmp_path / "s").mkdir()
    git(tmp_path / "s", "init", "-q", "-b", "main", "--object-format=sha256")
    commit(tmp_path / "s", **{"a.py": "a = 1\n"})
    for _ in range(2):
        assert scan(f"file://{tmp_path}/s", tmp_path / "m")[0].entries == (
            Entry("a.py", blob_id(b"a = 1\n", "sha256"), 6),
        )
    git(tmp_path, "init", "-q", "-b", "main", "e")
    for _ in range(2):
        assert scan(f"file://{tmp_path}/e", tmp_path / "m")[0].entries == ()
    first = commit(tmp_path / "e", **{"a.py": "a = 1\n"})
    assert scan(f"file://{tmp_path}/e", tmp_path / "m")[0].commit == first


def state(pid: str) -> str:
    """The state letter of a process: "Z" if it has ended and only waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def test_clone_limits(tmp_path, monkeypatch):
    """A clone that takes too much room or time is stopped, with its children, and leaves nothing."""
    work, mirrors = make(tmp_path / "work"), tmp_path / "m"
    (work / "noise").write_bytes(os.urandom(300_000))
    commit(work)
    with pytest.raises(RefusedError, match=r"takes more than 100\.0 kB on disk"):
        scan(f"file://{work}", mirrors, clone_bytes=100_000)
    pid = tmp_path / "pid"
    monkeypatch.setenv("GIT_SSH_COMMAND", f"sh -c 'echo $$ >{pid}; exec sleep 600'")
    with pytest.raises(BackendError, match=r"git@example\.org:x/y was not fetched within 1 seconds"):
        scan("git@example.org:x/y", mirrors, clone_seconds=1)
    assert state(pid.read_text().strip()) in ("gone", "Z")
    assert [path.suffix for path in mirrors.iterdir()] == [".lock", ".lock"]


def test_clone_failures(tmp_path, monkeypatch):
    """What is not a repository, not reachable or not writable is one sentence with the right error."""
    (tmp_path / "plain").mkdir()
    with pytest.raises(SourceError, match=r"There is no repository at file://.*/plain"):
        scan(f"file://{tmp_path}/plain", tmp_path / "m")
    with pytest.raises(SourceError, match="There is no folder /nonexistent"):
        scan("file:///nonexistent/x", tmp_path / "m")
    monkeypatch.setenv("GIT_SSH_COMMAND", "sh -c 'echo ssh: no route to host >&2; exit 255'")
    with pytest.raises(
        BackendError, match=r"ssh://git@example\.org/x cannot be fetched \(ssh: no route to host\)"
    ):
        scan("ssh://git@example.org/x", tmp_path / "m")
    with pytest.raises(BackendError, match=r"https://127\.0\.0\.1:1/x cannot be fetched"):
        scan("https://127.0.0.1:1/x", tmp_path / "m")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Clones cannot be kept in"):
        scan(f"file://{tmp_path}/plain", tmp_path / "file")
    with pytest.raises(UsageError, match="not 'ext'"):
        scan("ext::sh -c x".replace(" ", ""), tmp_path / "m")
    with pytest.raises(UsageError):
        scan("https://me:hush@example.org/x", tmp_path / "m")


def test_a_remote_runs_nothing_here(tmp_path):
    """Hooks and configuration of a cloned repository do not run on this side."""
    work, marker = make(tmp_path / "work"), tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    for key in (
        "uploadpack.packObjectsHook",
        "core.fsmonitor",
        "core.alternateRefsCommand",
        "core.sshCommand",
    ):
        git(work, "config", key, str(script))
    for name in ("post-checkout", "reference-transaction", "pre-receive", "post-update"):
        (work / ".git" / "hooks" / name).write_text(script.read_text())
        (work / ".git" / "hooks" / name).chmod(0o755)
    scan(f"file://{work}", tmp_path / "m")
    scan(f"file://{work}", tmp_path / "m")
    assert not marker.exists()


def test_a_force_push_and_a_deleted_branch_are_seen(tmp_path):
    """The next look at a branch finds what it was forced to; one that is gone is not found."""
    work, mirrors = make(tmp_path / "work"), tmp_path / "m"
    url = f"file://{work}"
    git(work, "branch", "topic")
    old = commit(work, **{"a.py": "a = 2\n"})
    assert (scan(url, mirrors)[0].commit, scan(url, mirrors, "main")[0].commit) == (old, old)
    git(work, "commit", "-q", "--amend", "-m", "rewritten")
    new = git(work, "rev-parse", "HEAD")
    assert new != old
    assert (scan(url, mirrors)[0].commit, scan(url, mirrors, "main")[0].commit) == (new, new)
    assert scan(url, mirrors, "topic")[0].ref == "topic"
    git(work, "branch", "-q", "-D", "topic")
    with pytest.raises(MissingRefError, match="has no branch, tag or commit 'topic': its branches are main"):
        scan(url, mirrors, "topic")
    git(work, "branch", "-q", "-m", "main", "trunk")
    assert (scan(url, mirrors)[0].ref, scan(url, mirrors)[0].commit) == ("trunk", new)
    with pytest.raises(MissingRefError, match="'main': its branches are trunk"):
        scan(url, mirrors, "main")


def damage(mirror: Path, what: str) -> None:
    """Do to a mirror what a full disk or a killed machine does."""
    if what == "pack":
        git(mirror, "repack", "-a", "-d", "-q")
        (pack,) = mirror.glob("objects/pack/*.pack")
        raw = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(raw[:20] + b"x" * 100 + raw[120:])
    elif what == "refs":
        (mirror / "refs/heads/main").write_bytes(b"")
    elif what == "objects":
        (pack,) = mirror.glob("objects/pack/*.pack")
        raw = pack.read_bytes()
        for path in mirror.glob("objects/pack/*"):
            path.unlink()
        git(mirror, "unpack-objects", "-q", stdin=raw)
        for path in mirror.glob("objects/??/*"):
            path.chmod(0o644)
            path.write_bytes(b"")
    elif what in ("config", "packed-refs"):
        (mirror / what).write_text("[[\n")
    else:
        (mirror / "HEAD").unlink()


@pytest.mark.parametrize("what", ["HEAD", "pack", "refs", "objects", "config", "packed-refs"])
@pytest.mark.parametrize("moved", [False, True])
def test_a_damaged_mirror_is_cloned_anew(tmp_path, what, moved):
    """Whether the server has something new or not, its files are read as they are there."""
    work, mirrors = make(tmp_path / "work"), tmp_path / "m"
    scan(f"file://{work}", mirrors)
    (mirror,) = mirrors.glob("*.git")
    damage(mirror, what)
    if moved:
        commit(work, **{"b.py": "b = 1\n"})
    tree, read = scan(f"file://{work}", mirrors)
    assert (tree.commit, tree.skips) == (git(work, "rev-parse", "HEAD"), ())
    assert read == {"a.py": b"a = 1\n"} | ({"b.py": b"b = 1\n"} if moved else {})
    git(mirror, "fsck", "--strict")
    assert sorted(path.suffix for path in mirrors.iterdir()) == [".git", ".lock"]


def test_a_failed_fetch_raises_and_keeps_the_mirror(tmp_path):
    """An older clone is not read when its server refuses, and is there when it no longer does."""
    work, mirrors = make(tmp_path / "work"), tmp_path / "m"
    scan(f"file://{work}", mirrors)
    (mirror,) = mirrors.glob("*.git")
    before = mirror.stat().st_ino
    (work / ".git").rename(work / "away")
    with pytest.raises(SourceError, match="There is no repository at"):
        scan(f"file://{work}", mirrors)
    (work / "away").rename(work / ".git")
    scan(f"file://{work}", mirrors)
    assert mirror.stat().st_ino == before


def test_remove(tmp_path):
    """A mirror is deleted with what a killed clone left; without one there is nothing to do."""
    work, mirrors = make(tmp_path / "work"), tmp_path / "m"
    remove(f"file://{work}", mirrors)
    assert not mirrors.exists()
    scan(f"file://{work}", mirrors)
    (mirror,) = mirrors.glob("*.git")
    mirror.with_suffix(".part").mkdir()
    for _ in range(2):
        remove(f"file://{work}", mirrors)
        assert [path.suffix for path in mirrors.iterdir()] == [".lock"]
    assert scan(f"file://{work}", mirrors)[1] == {"a.py": b"a = 1\n"}
