"""`repoctx watch`: what somebody does in a work tree, and when the index follows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from repositories import write_files
from running import until
from watching import watching

from repoctx.store.locks import writing
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

FILES = {
    "src/store.py": "class Store:\n    def load(self, key):\n        return self.values[key]\n",
    "README.md": "# Sample\n\nLoads values from a store.\n",
    ".gitignore": "build/\n*.log\n",
}


def told(run: dict) -> tuple:
    """Of a run, what follows from the repository alone."""
    return run["ref"], run["files"], run["files_changed"], run["changed"]


def test_a_working_day(make_repository, git, repoctx, tmp_path):
    """Saving, ignored builds, new folders, commits, branches, stashes and rules: each is one run, or none."""
    folder = make_repository(FILES)
    with watching(folder, tmp_path / "watch") as seen:
        assert told(seen.run(1)) == ("main", 3, 3, True)
        write_files(folder, {"src/store.py": FILES["src/store.py"] + "\n\ndef freshly_saved():\n    pass\n"})
        assert told(seen.run(2)) == ("main", 3, 1, True)
        assert '"path":"src/store.py"' in repoctx("symbol", "freshly_saved", "--repo", str(folder), "--json")[1]

        # A build, a log, an editor's temporary files and a file that is saved as it was: none of them is a run.
        write_files(folder, {f"build/deep/{n}.py": "x = 1\n" for n in range(50)} | {"debug.log": "x\n"})
        write_files(folder, {"src/.store.py.swp": b"\0\1", "src/4913": "", "picture.png": b"\0"})
        (folder / "src/4913").unlink()
        os.utime(folder / "README.md")
        git(folder, "status")
        # Folders within a folder that is new, whose files come with them.
        staging = tmp_path / "staging"
        write_files(staging, {"one/two/three.py": "def moved_in():\n    pass\n"})
        (staging / "one").rename(folder / "one")
        assert told(seen.run(3)) == ("main", 4, 1, True)
        write_files(folder, {"one/two/four.py": "def later():\n    pass\n"})
        assert told(seen.run(4)) == ("main", 5, 1, True)

        git(folder, "add", "-A", "src", "one")
        git(folder, "commit", "-q", "-m", "second")
        assert (told(seen.run(5)), seen.run(5)["commit"]) == (("main", 5, 0, True), git(folder, "rev-parse", "HEAD"))
        git(folder, "checkout", "-q", "-b", "topic/one")
        assert told(seen.run(6)) == ("topic/one", 5, 0, True)
        git(folder, "commit", "-q", "--allow-empty", "-m", "third")
        assert seen.run(7)["commit"] == git(folder, "rev-parse", "HEAD")
        write_files(folder, {"README.md": "# Other\n"})
        assert told(seen.run(8)) == ("topic/one", 5, 1, True)
        git(folder, "stash", "-q")
        assert told(seen.run(9)) == ("topic/one", 5, 1, True)

        write_files(folder, {".gitignore": "*.log\n"})  # what was built counts now
        assert told(seen.run(10)) == ("topic/one", 55, 51, True)
        write_files(folder, {".repoctxignore": "build\n"})
        assert told(seen.run(11)) == ("topic/one", 6, 51, True)
        write_files(folder, {"repoctx.toml": 'index.exclude = ["one/**"]\n'})
        assert told(seen.run(12)) == ("topic/one", 5, 3, True)
        write_files(folder, {"one/two/four.py": "def left_out():\n    pass\n"})
        shutil.rmtree(folder / "src")
        assert told(seen.run(13)) == ("topic/one", 4, 1, True)
        git(folder, "reset", "-q", "--hard", "main")
        assert told(seen.run(14)) == ("topic/one", 5, 2, True)
        assert seen.end() == 130
        assert seen.errors == "interrupted: what was already published is unchanged, and the work done so far is kept\n"


def test_a_checkout_of_many_files_is_one_run(make_repository, git, tmp_path):
    """A branch with a thousand other files in a hundred new folders is one run; so is the way back."""
    folder = make_repository(FILES)
    git(folder, "checkout", "-q", "-b", "many")
    write_files(folder, {f"part{n % 100}/file{n}.txt": f"number {n}\n" for n in range(1000)})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "many")
    git(folder, "checkout", "-q", "main")
    with watching(folder, tmp_path / "watch") as seen:
        assert told(seen.run(1)) == ("main", 3, 3, True)
        git(folder, "checkout", "-q", "many")
        assert told(seen.run(2)) == ("many", 1003, 1000, True)
        git(folder, "checkout", "-q", "main")
        assert told(seen.run(3)) == ("main", 3, 1000, False)  # where that branch was when it was last indexed
        write_files(folder, {"part1/again.py": "x = 1\n"})  # in a folder that was there before
        assert told(seen.run(4)) == ("main", 4, 1, True)
        write_files(folder, {"part1/again.py": "x = 2\n"})
        assert told(seen.run(5)) == ("main", 4, 1, True)


def test_work_trees_beside_their_repository_and_several_at_once(make_repository, git, tmp_path):
    """A linked work tree and a plain folder are watched together; a commit in the one is no run of the others."""
    folder = make_repository(FILES)
    git(folder, "worktree", "add", "-q", "-b", "side", str(tmp_path / "beside"))
    write_files(tmp_path / "plain", {"notes.md": "# Notes\n", ".gitignore": "out\n"})
    (tmp_path / "plain/link").symlink_to("/")  # is not followed
    paths = [str(tmp_path / name) for name in ("repo", "beside", "plain")]
    with watching(tmp_path, tmp_path / "watch", *paths, "--quiet-ms", "200") as seen:
        until(lambda: len(seen.runs) == 3, "the first three runs")
        first = [(run["repository"], run["ref"]) for run in seen.runs]
        assert first == [("repo", "main"), ("beside", "side"), ("plain", ".")]
        git(tmp_path / "beside", "commit", "-q", "--allow-empty", "-m", "in the linked one")
        assert (seen.run(4)["repository"], seen.run(4)["commit"]) == ("beside", git(folder, "rev-parse", "side"))
        git(folder, "update-ref", "refs/heads/side", "main")
        assert (seen.run(5)["repository"], seen.run(5)["commit"]) == ("beside", git(folder, "rev-parse", "main"))
        write_files(tmp_path / "plain", {"out/made.txt": "x\n", "more.md": "# More\n"})
        assert (seen.run(6)["repository"], told(seen.run(6))) == ("plain", (".", 3, 1, True))
        shutil.rmtree(tmp_path / "beside")
        until(lambda: "is no longer watched" in seen.errors, "word of the folder that is gone")
        write_files(folder, {"src/more.py": "x = 1\n"})
        assert seen.run(7)["repository"] == "repo"
        assert seen.end(signal.SIGTERM) == 0
    assert seen.errors == f"repoctx: {tmp_path}/beside was removed or moved, so it is no longer watched\n"


def test_the_home_inside_and_polling(make_repository, git, tmp_path):
    """Our own data in the work tree wakes nobody up, nor does a submodule; with --poll it goes without notices."""
    folder = make_repository(FILES)
    git(folder, "init", "-q", "inner")
    settings = {"REPOCTX_HOME": str(folder / "home")}
    write_files(folder, {".git/info/exclude": "home/\n"})
    with watching(folder, tmp_path / "watch", "--poll", settings=settings) as seen:
        assert told(seen.run(1)) == ("main", 3, 3, True)
        write_files(folder, {"home/note.py": "x = 1\n", "inner/other.py": "x = 1\n"})
        write_files(folder, {"src/a.py": "x = 1\n"})
        assert told(seen.run(2)) == ("main", 4, 1, True)
        write_files(folder, {"src/b.py": "x = 1\n"})
        assert told(seen.run(3)) == ("main", 5, 1, True)


def test_runs_that_fail_are_told_once_and_made_up_for(make_repository, tmp_path):
    """While another process indexes, and while the settings are broken, watching goes on; then the index follows."""
    folder = make_repository(FILES)
    with watching(folder, tmp_path / "watch") as seen:
        assert told(seen.run(1)) == ("main", 3, 3, True)
        workspace = Workspace()
        try:
            with writing(workspace.engine, Path(workspace.settings.home), "repo"):
                write_files(folder, {"src/a.py": "x = 1\n"})
                until(lambda: "another process is indexing" in seen.errors, "word of the other process")
        finally:
            workspace.close()
        assert told(seen.run(2)) == ("main", 4, 1, True)  # though nothing has changed since
        write_files(folder, {"repoctx.toml": "nonsense = ["})
        until(lambda: "repoctx.toml cannot be read" in seen.errors, "word of the broken settings")
        write_files(folder, {"repoctx.toml": "# none\n"})
        assert told(seen.run(3)) == ("main", 5, 1, True)
        folder.rename(tmp_path / "elsewhere")
        assert seen.process.wait(60) == 3
    *failures, last = seen.errors.splitlines()
    assert [line.partition("tried again: ")[2].split(":")[0] for line in failures] == [
        "another process is indexing 'repo'", f"{folder}/repoctx.toml cannot be read",
    ]  # fmt: skip
    gone = f"repoctx: {folder} was removed or moved, so it is no longer watched"
    assert last == f"{gone}: start `repoctx watch` anew where it is now"


def test_what_cannot_be_watched_is_said_in_one_sentence(repoctx, tmp_path):
    """A URL, and a folder that is not there."""
    code, _, err = repoctx("watch", "https://example.invalid/x.git")
    assert (code, err) == (2, "repoctx: https://example.invalid/x.git is a URL: `repoctx serve` looks after those\n")
    code, _, err = repoctx("watch", str(tmp_path / "absent"))
    assert (code, err.count("\n"), "does not exist" in err) == (3, 1, True)


@pytest.mark.parametrize("limit, allowed, number", [("watches", 1, 524288), ("instances", 0, 512)])
def test_the_limits_of_the_system_are_named(make_repository, tmp_path, limit, allowed, number):
    """Where no more folders can be watched, it says which limit to raise, and of --poll."""
    allow = f'echo {allowed} > /proc/sys/user/max_inotify_{limit} && exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "sh", "-c", allow, "sh")
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces with limits of their own here")
    with watching(make_repository(FILES), tmp_path / "watch", prefix=prefix) as seen:
        assert seen.process.wait(60) == 3
    assert seen.errors.count("\n") == 1
    assert f"fs.inotify.max_user_{limit}={number}`" in seen.errors
    assert "--poll" in seen.errors
