"""What goes wrong around the commands: files, databases, settings and names, each told in one sentence."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from answers import opened
from repositories import git, write_files

FILES = {"one.py": "def one():\n    return 1\n", "two.py": "def two():\n    return one()\n"}


@pytest.fixture
def folder(make_repository, repoctx):
    """An indexed repository called repo."""
    made = make_repository(FILES)
    assert repoctx("index", str(made))[0] == 0
    return made


def home() -> Path:
    """The folder of this test's data."""
    return Path(os.environ["REPOCTX_HOME"])


def test_outputs_keep_links_modes_and_pipes(folder, repoctx, tmp_path):
    """A link's target is written, a mode stays, a pipe gets the text, "-" is standard output."""
    secret, link, pipe = tmp_path / "secret", tmp_path / "link", tmp_path / "pipe"
    secret.write_text("old")
    secret.chmod(0o600)
    link.symlink_to(secret)
    os.mkfifo(pipe)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    command = ("pack", "--repo", "repo", "--task", "one", "--budget", "1000")
    assert repoctx(*command, "--out", str(pipe), "--manifest", str(link))[0] == 0
    reader.join()
    assert heard[0].endswith("</task>")
    assert link.is_symlink()
    assert secret.stat().st_mode & 0o777 == 0o600
    assert json.loads(secret.read_text())["plan"]["budget"] == 1000
    assert repoctx(*command, "--out", "-")[1] == heard[0]
    assert repoctx(*command, "--out", "x", "--manifest", "x")[0] == 2


def test_a_closed_pipe_is_no_failure(folder):
    """`repoctx graph export | head -1` ends with 0."""
    program = f"{sys.executable} -c 'from repoctx.serve.cli import main; main()' graph export --repo repo"
    command = ["bash", "-c", f"{program} | head -1; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_newer_or_damaged_database_is_explained(folder, repoctx):
    """Exit code 4 and what to do, from every command; `doctor` marks it."""
    database = home() / "repoctx.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    code, _, err = repoctx("status")
    assert code == 4
    assert "another version of repoctx" in err
    assert repoctx("doctor")[0] == 1
    for path in home().glob("repoctx.db*"):
        if path.is_file():
            path.unlink()
    database.write_bytes(b"not a database at all" * 100)
    code, _, err = repoctx("status")
    assert code == 4
    assert "damaged" in err


def test_deleted_and_damaged_segments_are_derived_again(folder, repoctx):
    """Answers stay the same without segments, with truncated ones, and after the next index."""
    before = repoctx("search", "one", "--repo", "repo", "--json")
    for action in (lambda p: p.unlink(), lambda p: os.truncate(p, 100)):
        for path in (home() / "segments").rglob("facts-*.columns"):
            action(path)
        assert repoctx("search", "one", "--repo", "repo", "--json") == before
    for path in (home() / "segments").rglob("*.columns"):
        os.truncate(path, 100)
    assert repoctx("doctor")[0] == 1
    write_files(folder, {"three.py": "def three():\n    pass\n"})
    assert repoctx("index", str(folder))[0] == 0
    assert repoctx("symbol", "three", "--repo", "repo")[0] == 0


def test_switching_branches_back_moves_the_default_ref(folder, repoctx):
    """A run with nothing to do still makes its ref the default one."""
    git(folder, "checkout", "-q", "-b", "dev")
    write_files(folder, {"dev.py": "def on_dev():\n    pass\n"})
    assert repoctx("index", str(folder))[0] == 0
    (folder / "dev.py").unlink()
    git(folder, "checkout", "-q", "main")
    assert "already up to date" in repoctx("index", str(folder))[1]
    assert repoctx("symbol", "on_dev", "--repo", "repo")[0] == 1
    assert repoctx("symbol", "on_dev", "--repo", "repo", "--ref", "dev")[0] == 0


def test_a_reader_sees_the_old_snapshot_or_the_new_one(folder):
    """One thread searches while another publishes; no search fails."""
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                with opened(home()) as workspace:
                    for _ in range(20):
                        assert workspace.search("one", "repo").hits
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    with opened(home()) as workspace:
        for number in range(12):
            write_files(folder, {"changing.py": f"def one_{number}():\n    return {number}\n"})
            workspace.index(str(folder))
    done.set()
    reader.join()
    assert failures == []


def test_only_the_repository_s_own_settings_file_counts(folder, repoctx, monkeypatch, tmp_path):
    """Neither the current folder's file nor one above the root decides; a bad one stops only its repository."""
    (folder.parent / "repoctx.toml").write_text('[index]\nexclude = ["*"]\n')
    write_files(folder, {"three.py": "x = 1\n"})
    assert json.loads(repoctx("index", str(folder), "--json")[1])["files"] == 3
    (folder / "repoctx.toml").write_text('[index]\nexclude = ["two.py", "repoctx.toml"]\n')
    assert json.loads(repoctx("index", str(folder), "--json")[1])["files"] == 2
    (folder / "repoctx.toml").write_text("nonsense = 1\n")
    monkeypatch.chdir(folder)
    assert repoctx("index", ".")[0] == 2
    assert repoctx("status")[0] == 0
    assert repoctx("search", "one")[0] == 0


@pytest.mark.parametrize(
    "content",
    [
        "x = " + "[" * 40_000,
        "[index]\nmax_file_bytes = inf\n",
        "[index]\nmax_file_bytes = " + "9" * 5000,
        "[index]\nmax_file_bytes = 1.5\n",
        "[index]\nmax_file_bytes = 4000000000\n",
        "[index]\nexclude = [5]\n",
    ],
)
def test_bad_settings_are_one_sentence(folder, repoctx, content):
    """Exit code 2, whatever the file holds."""
    (folder / "repoctx.toml").write_text(content)
    code, out, err = repoctx("index", str(folder))
    assert (code, out) == (2, "")
    assert "repoctx.toml" in err


@pytest.mark.parametrize(
    "arguments, code",
    [
        (("index", ".", "--name", "../.."), 2),
        (("index", ".", "--name", "-k"), 2),
        (("search", "", "--repo", "repo"), 2),
        (("search", "--repo", "repo"), 2),
        (("search", "one", "--repo", "repo", "--path", ""), 2),
        (("search", "one", "--repo", "repo", "--lang", "cobol"), 2),
        (("search", "one", "--repo", "repo", "--ref", "nowhere"), 1),
        (("search", "one", "--repo", "repo", "--ref", ""), 2),
        (("search", "zz/zzz.zz:" + "9" * 5000, "--repo", "repo"), 1),
        (("search", "one", "--repo", "x" * 5000), 2),
        (("index", "x" * 5000), 3),
        (("symbol", "", "--repo", "repo"), 2),
        (("symbol", "nothing", "--repo", "repo"), 1),
        (("pack", "--task", "one", "--repo", "repo", "--budget", "9" * 5000), 2),
        (("pack", "--task", "one", "--repo", "repo", "--budget", "10"), 3),
        (("pack", "--task", "one", "--repo", "repo", "--budget", "2m"), 3),
        (("pack", "--task", "one", "--repo", "repo", "--model", "gpt-2"), 2),
        (("pack", "--task", "one", "--repo", "repo", "--out", "."), 2),
        (("pack", "--task-file", "/nowhere", "--repo", "repo"), 2),
        (("graph", "export", "repo", "--repo", "repo"), 2),
        (("--database-url", "sqlite://", "status"), 2),
        (("--database-url", "postgresql://u:p@h:port/db", "status"), 2),
    ],
)
def test_wrong_use_is_one_sentence_with_its_exit_code(folder, repoctx, arguments, code):
    """One line on stderr, nothing on stdout."""
    got, out, err = repoctx(*arguments)
    assert (got, out) == (code, "")
    assert len(err.strip().splitlines()) == 1 or "Usage:" in err


def test_the_smallest_window_is_planned_whatever_the_budget(folder, repoctx):
    """A pack that fits natively stays native, even if the budget would allow a scaled window."""
    command = ("pack", "--task", "one", "--repo", "repo", "--budget", "600k", "--json")
    plan = json.loads(repoctx(*command)[1])["plan"]
    assert (plan["tier"], plan["rope_factor"]) == ("native", 1.0)
    assert plan["prompt_tokens"] == plan["predicted_tokens"] + plan["template_tokens"]


def test_an_untracked_folder_in_a_work_tree_is_a_folder(folder, repoctx):
    """A tracked sub-folder stands for its work tree; an ignored one for itself."""
    inner = {"venv/pkg/inner.py": "def inner():\n    pass\n"}
    write_files(folder, {".gitignore": "venv/\n", "sub/a.py": "x = 1\n", **inner})
    git(folder, "add", "-A")
    assert json.loads(repoctx("index", str(folder / "venv" / "pkg"), "--json")[1])["repository"] == "pkg"
    assert repoctx("symbol", "inner", "--repo", "pkg")[0] == 0
    assert json.loads(repoctx("index", str(folder / "sub"), "--json")[1])["repository"] == "repo"


def test_a_deleted_work_tree_still_answers_by_its_path(folder, repoctx):
    """The published snapshot outlives the folder."""
    folder.rename(folder.with_name("moved"))
    assert repoctx("symbol", "one", "--repo", str(folder))[0] == 0


def test_a_commit_is_found_by_the_beginning_of_its_id(folder, repoctx):
    """`--ref` takes a ref's name, or enough of a commit id."""
    commit = git(folder, "rev-parse", "HEAD")
    assert repoctx("symbol", "one", "--repo", "repo", "--ref", commit[:8])[0] == 0


def test_one_large_file_does_not_fill_a_spread_list(tmp_path, repoctx):
    """Four hundred matching functions in one file leave room for the others."""
    one = "def zebra_{0}(value):\n    '''Zebra number {0}.'''\n    return zebra(value, {0})\n\n\n"
    many = "".join(map(one.format, range(400)))
    files = {"big.py": many} | {f"f{i}.py": f"def other_{i}():\n    return 'zebra'\n" for i in range(5)}
    (tmp_path / "zoo").mkdir()
    write_files(tmp_path / "zoo", files)
    assert repoctx("index", str(tmp_path / "zoo"))[0] == 0
    hits = [json.loads(line) for line in repoctx("search", "zebra", "--repo", "zoo", "--json")[1].splitlines()]
    assert {hit["path"] for hit in hits} == set(files)


def test_modules_of_a_repository_are_not_imported(tmp_path, git):
    """One that is indexed from inside has files that are called as modules of ours and of Python's are."""
    folder = tmp_path / "trap"
    folder.mkdir()
    (folder / "ran").mkdir()
    for name in ("threading", "types", "socket", "struct", "signal", "repoctx", "multiprocessing", "numpy"):
        (folder / f"{name}.py").write_text(f"open({str(folder / 'ran' / name)!r}, 'w')\nraise SystemExit(9)\n")
    git(folder, "init", "-q", "-b", "main")
    environment = {**os.environ, "REPOCTX_HOME": str(tmp_path / "home")}
    # As an installed script starts: it lies elsewhere, so the current folder is not on its path.
    script = "import sys; sys.path.remove(''); from repoctx.serve.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "index", "."], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert list((folder / "ran").iterdir()) == []


def test_a_temporary_folder_with_a_long_path_is_told(tmp_path, make_repository):
    """No socket can lie there; what to do is said."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    environment = {**os.environ, "TMPDIR": str(long)}
    program = "from repoctx.serve.cli import main; main()"
    command = [sys.executable, "-c", program, "index", str(make_repository(FILES))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    said = "repoctx: the temporary folder's path is too long for sockets: set TMPDIR to a shorter one\n"
    assert (done.returncode, done.stderr[-len(said) :]) == (3, said)
