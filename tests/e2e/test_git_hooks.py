"""`repoctx git-hook`: git goes on at once, whatever becomes of the index, and what stands in hooks stays."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from repositories import git as plain_git
from repositories import write_files
from running import until

from repoctx.errors import BusyError
from repoctx.serve.background import PROGRAM
from repoctx.serve.hook_files import find
from repoctx.store.locks import writing
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

FILES = {"src/store.py": "class Store:\n    pass\n", "README.md": "# Sample\n"}
NAMES = ["post-checkout", "post-commit", "post-merge", "post-rewrite"]
# Does what hooks of pre-commit and husky do: finds itself by name, has arguments and input, and a code of its own.
SCRIPT = b'#!/usr/bin/env bash\nset -eu\nHERE="$(cd "$(dirname "$0")" && pwd)"\n' \
    b'{ basename "$0"; echo "$#" "$@"; cat; } >> "$HERE/said"\nexit 3'  # fmt: skip


def states(repoctx, *arguments: str) -> list[tuple[str, str, bool]]:
    """What `install`, `uninstall` or `status` says."""
    told = map(json.loads, repoctx("git-hook", *arguments, "--json")[1].splitlines())
    return [(one["hook"], one["state"], one["other"]) for one in told]


def indexed(folder: Path, ref: str = "main") -> str | None:
    """The commit of the index of a folder."""
    workspace = Workspace()
    try:
        (found,) = (one for one in workspace.status() if one.repository.location == os.path.realpath(folder))
        return next((one.commit for one, _ in found.refs if one.name == ref), None)
    finally:
        workspace.close()


def logs() -> str:
    """What runs have said."""
    folder = Path(os.environ["REPOCTX_HOME"], "logs")
    return "".join(path.read_text() for path in sorted(folder.glob("hook-*.log")))


def idle() -> bool:
    """Whether no run is under way or wanted."""
    return not [p for p in Path(os.environ["REPOCTX_HOME"], "hooks").iterdir() if p.suffix != ".lock"]


def test_a_rebase_of_many_commits_ends_with_the_newest_state(make_repository, git, repoctx):
    """Commits, branches and a rebase are indexed without being waited for, in far fewer runs than there are commits."""
    folder = make_repository(FILES, name="a 'quoted' \"repo\"\nof two lines")
    assert states(repoctx, "install", str(folder)) == [(name, "installed", False) for name in NAMES]
    git(folder, "commit", "-q", "--allow-empty", "-m", "not indexed yet: nothing happens")
    assert repoctx("index", str(folder))[0] == 0
    git(folder, "checkout", "-q", "-b", "topic")
    for number in range(20):
        write_files(folder, {f"src/a{number}.py": f"x = {number}\n"})
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", f"change {number}")
    git(folder, "checkout", "-q", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "meanwhile")
    git(folder, "checkout", "-q", "topic")
    git(folder, "rebase", "-q", "main")
    until(lambda: indexed(folder, "topic") == git(folder, "rev-parse", "topic"), "the newest state")
    until(idle, "the end of all runs")
    assert 1 <= logs().count("indexed ") <= 10
    assert "Traceback" not in logs()


def test_hooks_of_others_are_kept(make_repository, git, repoctx):
    """A script goes on as it was, by its own name; a program and a link are called; uninstalling restores all."""
    folder = make_repository(FILES)
    hooks = folder / ".git/hooks"
    for path in hooks.iterdir():
        path.unlink()
    write_files(hooks, {"post-commit": SCRIPT, "post-rewrite": SCRIPT + b"\n", "post-merge": b"#!/bin/sh\n"})
    program = f"import sys\nopen({str(hooks / 'said')!r}, 'a').write(repr(sys.argv[1:]))\n"
    write_files(hooks, {"program": f"#!{sys.executable}\n{program}"})
    (hooks / "post-checkout").symlink_to("program")
    for name in ("post-commit", "post-rewrite", "program"):
        (hooks / name).chmod(0o750)
    (hooks / "post-merge").chmod(0o644)  # which git does not run

    def all_of_it() -> dict[str, tuple[int, bytes]]:
        read = lambda path: os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()  # noqa: E731
        return {path.name: (stat.S_IMODE(path.lstat().st_mode), read(path)) for path in hooks.iterdir()}

    before = all_of_it()
    assert repoctx("index", str(folder))[0] == 0
    assert repoctx("git-hook", "status", str(folder))[0] == 1
    assert states(repoctx, "install", str(folder)) == [(name, "installed", True) for name in NAMES]
    once = all_of_it()
    assert states(repoctx, "install", str(folder)) == [(name, "installed", True) for name in NAMES]
    assert (all_of_it(), repoctx("git-hook", "status", str(folder))[0]) == (once, 0)
    command = [hooks / "post-rewrite", "rebase", "a b"]
    done = subprocess.run(command, input=b"old new\n", cwd=folder, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
    git(folder, "commit", "-q", "--allow-empty", "-m", "second")
    assert (hooks / "said").read_text() == "post-rewrite\n2 rebase a b\nold new\npost-commit\n0\n"
    (hooks / "said").write_bytes(b"")
    git(folder, "checkout", "-q", "-b", "topic")
    head = git(folder, "rev-parse", "HEAD")
    assert (hooks / "said").read_text() == repr([head, head, "1"])
    assert subprocess.run([hooks / "post-merge", "0"], cwd=folder).returncode == 0
    until(lambda: indexed(folder, "topic") == head, "the index of the newest commit")
    assert states(repoctx, "uninstall", str(folder)) == [
        ("post-checkout", "missing", True), ("post-commit", "missing", True),
        ("post-merge", "missing", True), ("post-rewrite", "missing", True),
    ]  # fmt: skip
    (hooks / "said").unlink()
    assert all_of_it() == before
    until(idle, "the end of all runs")


def test_work_trees_shared_folders_and_bare_repositories(make_repository, git, repoctx, tmp_path):
    """A linked work tree has the hooks of its repository; core.hooksPath counts; a bare repository has post-receive."""
    folder = make_repository(FILES)
    git(folder, "worktree", "add", "-q", "-b", "side", str(tmp_path / "beside"))
    git(folder, "config", "core.hooksPath", "../our hooks")
    code, out, _ = repoctx("git-hook", "install", str(tmp_path / "beside"))
    assert (code, out.splitlines()[-2:]) == (0, [
        f"core.hooksPath names {tmp_path}/beside/../our hooks: other repositories may use its hooks",
        f"hooks bring up to date what is indexed: run `repoctx index {tmp_path}/beside` once",
    ])  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "our hooks").iterdir()) == NAMES
    assert repoctx("index", str(tmp_path / "beside"))[0] == 0
    git(tmp_path / "beside", "commit", "-q", "--allow-empty", "-m", "second")
    until(lambda: indexed(tmp_path / "beside", "side") == git(folder, "rev-parse", "side"), "the linked work tree")

    git(tmp_path, "clone", "-q", "--bare", str(folder), "bare.git")
    bare = tmp_path / "bare.git"
    assert states(repoctx, "install", str(bare)) == [("post-receive", "installed", False)]
    assert repoctx("index", str(bare), "--ref", "side")[0] == 0
    assert repoctx("index", str(bare), "--ref", "main")[0] == 0
    git(folder, "commit", "-q", "--allow-empty", "-m", "third")
    # As from a hook of another repository, whose variables are not of this one.
    subprocess.run(["git", "push", "-q", str(bare), "main", "side"], cwd=folder, check=True, capture_output=True,
                   env={**os.environ, "GIT_DIR": str(folder / ".git")})  # fmt: skip
    for ref in ("main", "side"):
        until(lambda ref=ref: indexed(bare, ref) == git(folder, "rev-parse", ref), f"{ref} of the bare repository")
    until(idle, "the end of all runs")


def test_hooks_are_its_own_where_the_path_of_a_repository_ends_with_a_line_end(make_repository, git, tmp_path):
    """Seen from a work tree beside it."""
    git(tmp_path, "clone", "-q", "--bare", str(make_repository(FILES)), "bare\n")
    git(tmp_path / "bare\n", "worktree", "add", "-q", "-b", "side", str(tmp_path / "beside"))
    assert find(str(tmp_path / "beside")) == (str(tmp_path / "beside"), False, tmp_path / "bare\n/hooks", False)


def test_git_is_never_held_up_or_failed(make_repository, git, repoctx, tmp_path):
    """Not by an index run that waits for another, nor by a Python that is gone, nor by a home that is read-only."""
    folder = make_repository(FILES)
    assert repoctx("index", str(folder))[0] == 0
    assert repoctx("git-hook", "install", str(folder))[0] == 0
    workspace = Workspace()
    try:
        with writing(workspace.engine, Path(workspace.settings.home), "repo"):
            git(folder, "commit", "-q", "--allow-empty", "-m", "second")  # comes back, with its output closed
            with pytest.raises(BusyError):
                workspace.index(str(folder))
    finally:
        workspace.close()
    until(lambda: indexed(folder) == git(folder, "rev-parse", "main"), "the commit that had to wait")
    until(idle, "the end of all runs")
    hook = folder / ".git/hooks/post-commit"
    hook.write_bytes(hook.read_bytes().replace(os.fsencode(PROGRAM[0]), b"/gone/python"))
    assert states(repoctx, "status", str(folder))[1] == ("post-commit", "outdated", False)
    assert plain_git(folder, "commit", "--allow-empty", "-m", "third").endswith("third")
    assert states(repoctx, "install", str(folder))[1] == ("post-commit", "installed", False)
    assert repoctx("git-hook", "uninstall", str(folder))[0] == 0
    assert [path.name for path in (folder / ".git/hooks").iterdir() if path.suffix != ".sample"] == []


def test_the_word_of_a_run_that_was_killed_is_not_believed_for_ever(make_repository, git, repoctx):
    """Its number is another process's by now."""
    folder = make_repository(FILES)
    assert repoctx("index", str(folder))[0] == 0
    assert repoctx("git-hook", "install", str(folder))[0] == 0
    git(folder, "commit", "-q", "--allow-empty", "-m", "second")
    until(lambda: indexed(folder) == git(folder, "rev-parse", "main"), "the second commit")
    until(idle, "the end of the run")
    (lock,) = Path(os.environ["REPOCTX_HOME"], "hooks").glob("*.lock")
    wanted = lock.with_suffix("")
    wanted.write_text(f"{os.getpid()}\n", encoding="ascii")
    git(folder, "commit", "-q", "--allow-empty", "-m", "third")
    assert wanted.read_text(encoding="ascii") == f"{os.getpid()}\n"  # who is about to begin will see this commit
    long_ago = wanted.stat().st_mtime - 3600
    os.utime(wanted, (long_ago, long_ago))
    git(folder, "commit", "-q", "--allow-empty", "-m", "fourth")
    until(lambda: indexed(folder) == git(folder, "rev-parse", "main"), "the fourth commit")
    until(idle, "the end of all runs")


def test_what_cannot_have_hooks_is_said_in_one_sentence(make_repository, git, repoctx, tmp_path):
    """A folder, a URL, a hook that is a file of the repository, something in the way."""
    (tmp_path / "plain").mkdir()
    for path in (str(tmp_path / "plain"), "https://example.invalid/x.git"):
        code, _, err = repoctx("git-hook", "install", path)
        assert (code, err) == (3, f"repoctx: {path} is no git repository on this machine: only those have hooks\n")
    folder = make_repository({**FILES, ".husky/post-merge": "#!/bin/sh\nexit 0\n"})
    git(folder, "config", "core.hooksPath", ".husky")
    code, _, err = repoctx("git-hook", "install", str(folder))
    assert (code, err.count("\n")) == (3, 1)
    assert err.startswith("repoctx: .husky/post-merge is a file of the repository itself")
    assert os.listdir(folder / ".husky") == ["post-merge"]
    git(folder, "config", "core.hooksPath", ".git/hooks")
    write_files(folder / ".git/hooks", {"post-commit": b"\x7fELF", "post-commit.repoctx-kept": b"older"})
    code, _, err = repoctx("git-hook", "install", str(folder))
    assert (code, err.count("\n"), "post-commit.repoctx-kept stands in the way" in err) == (3, 1, True)
    assert (folder / ".git/hooks/post-commit").read_bytes() == b"\x7fELF"
