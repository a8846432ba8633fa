"""`repoctx gc`: what is left answers as before, whoever works beside it and wherever it is killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from embedding_server import EmbeddingServer
from projects import answers, source
from repositories import git, write_files

from repoctx.errors import BusyError
from repoctx.serve.collect import UNTOUCHED, collect, daily, files
from repoctx.serve.upkeep import sweep_daily, tried
from repoctx.source import clone
from repoctx.store import locks
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

Repoctx = Callable[..., tuple[int, str, str]]


@contextmanager
def workspace_of(home: Path, **settings: str) -> Iterator[Workspace]:
    """A workspace that ends with the test."""
    workspace = Workspace({"REPOCTX_HOME": str(home), **settings})
    try:
        yield workspace
    finally:
        workspace.close()


def pushed(folder: Path, versions: range, modules: int = 12) -> None:
    """Commits that change a module each."""
    for version in versions:
        write_files(folder, {f"step_{version % modules}.py": source(version % modules, version)})
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", f"version {version}")


@pytest.fixture
def folder(make_repository: Callable[..., Path]) -> Path:
    """A repository of a dozen modules."""
    return make_repository({f"step_{number}.py": source(number, 0) for number in range(12)})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of the test's own."""
    return tmp_path / "own"


def counts(home: Path) -> dict[str, int]:
    """How many rows there are of what is addressed by content."""
    with sqlite3.connect(home / "repoctx.db") as connection:
        tables = ("snapshots", "dropped", "facts", "blobs", "commits", "vectors")
        found = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    connection.close()
    return found


def all_of(workspace: Workspace, **more: object) -> dict[str, tuple[int, int]]:
    """What `collect` removes, by kind."""
    return {one.what: (one.count, one.bytes) for one in collect(workspace, **more)}  # type: ignore[arg-type]


def fresh(home: Path, folder: Path, **settings: str) -> list[str]:
    """What an index from nothing answers."""
    with workspace_of(home, **settings) as workspace:
        workspace.index(str(folder), name="repo")
        return answers(workspace, "repo")


def test_after_it_all_answers_are_the_same_bytes_and_only_what_they_need_is_left(folder, home, tmp_path, database_url):
    """On both databases: a dry run changes nothing and says what the run does; the second has nothing to do."""
    settings = {"REPOCTX_DATABASE_URL": database_url}
    with workspace_of(home, **settings) as workspace:
        for version in range(1, 6):
            pushed(folder, range(version, version + 1))
            workspace.index(str(folder))
        git(folder, "checkout", "-q", "-b", "other", "HEAD~2")
        workspace.index(str(folder), name="twin")  # another index of the same location
        git(folder, "reset", "-q", "--hard", "main~2")
        workspace.index(str(folder))
        before = answers(workspace, "repo")
    with workspace_of(home, **settings) as workspace:
        said = all_of(workspace, dry_run=True, spared=0.0)
        assert said["facts"][0] == said["texts"][0] > 0
        assert said["snapshots"][0] > 0
        assert all_of(workspace, dry_run=True, spared=0.0) == said
        assert answers(workspace, "repo") == before
        done = all_of(workspace, spared=0.0)
        assert {what: done[what] for what in said} == said
    with workspace_of(home, **settings) as workspace:
        assert answers(workspace, "repo") == before
        again = all_of(workspace, spared=0.0)
        assert {what: count for what, (count, _) in again.items() if count} == {}
        assert answers(workspace, "repo") == before
        assert not workspace.index(str(folder)).changed
        git(folder, "reset", "-q", "--hard", "main~3")
        assert workspace.index(str(folder)).parsed == 1  # what was removed is made again
        assert answers(workspace, "repo") == fresh(tmp_path / "fresh", folder)


def test_what_two_repositories_share_stays_until_neither_has_it(folder, home, tmp_path, repoctx, monkeypatch):
    """Rows go with the last that needs them; the command says what it freed, and then that there is nothing."""
    monkeypatch.setenv("REPOCTX_HOME", str(home))
    pushed(folder, range(1, 2))
    git(tmp_path, "clone", "-q", str(folder), str(tmp_path / "twin"))
    for where in (folder, tmp_path / "twin"):
        assert repoctx("index", str(where))[0] == 0
    pushed(folder, range(2, 4))
    assert repoctx("index", str(folder))[0] == 0
    assert counts(home)["facts"] == 14
    code, out, _ = repoctx("gc", "--spare", "0", "--json")
    found = {one["what"]: one["count"] for one in map(json.loads, out.splitlines())}
    assert (code, found["facts"], found["texts"]) == (0, 0, 0)
    pushed(tmp_path / "twin", range(2, 3))
    assert repoctx("index", str(tmp_path / "twin"))[0] == 0
    pushed(folder, range(14, 15))
    assert repoctx("index", str(folder))[0] == 0
    before = repoctx("search", "apply", "--all", "--json")
    assert "texts" not in repoctx("gc", "--dry-run")[1]  # what was pushed over is spared for ten minutes
    code, out, _ = repoctx("gc", "--spare", "0")
    assert "  texts                   1" in out
    assert code == 0
    assert out.splitlines()[-1].startswith("freed ")
    assert counts(home) == {"snapshots": 2, "dropped": 0, "facts": 14, "blobs": 14, "commits": 5, "vectors": 0}
    assert repoctx("search", "apply", "--all", "--json") == before
    assert repoctx("gc", "--spare", "0")[:2] == (0, "there is nothing to remove\n")


KILLED = """
import os, signal, sys
from repoctx.serve.collect import collect
from repoctx.workspace import Workspace
left = int(sys.argv[1])
def show(step):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
workspace = Workspace()
for one in collect(workspace, spared=0.0, show=show):
    pass
"""


def test_whoever_kills_it_finds_the_same_answers(folder, home, tmp_path):
    """`kill -9` at every step of it, one after the other; the last one finishes."""
    with workspace_of(home) as workspace:
        for version in range(1, 6):
            pushed(folder, range(version, version + 1))
            workspace.index(str(folder))
        before = answers(workspace, "repo")
    environment = {**os.environ, "REPOCTX_HOME": str(home)}
    ends = []
    for step in range(40):
        done = subprocess.run([sys.executable, "-P", "-c", KILLED, str(step)], env=environment, timeout=120)
        ends.append(done.returncode)
        with workspace_of(home) as workspace:
            assert answers(workspace, "repo") == before
        if done.returncode == 0:
            break
    assert ends == [-signal.SIGKILL] * (len(ends) - 1) + [0]
    assert len(ends) >= 4
    assert counts(home) == {"snapshots": 1, "dropped": 0, "facts": 12, "blobs": 12, "commits": 6, "vectors": 0}
    with workspace_of(home) as workspace:
        assert not workspace.index(str(folder)).changed
        assert answers(workspace, "repo") == fresh(tmp_path / "fresh", folder)


def test_runs_and_searches_go_on_beside_it(folder, home, tmp_path):
    """Pushes are indexed and questions asked while one sweep follows another; nothing is lost and nothing fails."""
    with workspace_of(home) as workspace:
        workspace.index(str(folder))
    environment = {**os.environ, "REPOCTX_HOME": str(home)}
    program = (
        "from repoctx.serve.collect import collect\nfrom repoctx.workspace import Workspace\nimport os, sys\n"
        "workspace = Workspace()\nwhile not os.path.exists(sys.argv[1]):\n    list(collect(workspace, wait=60.0))\n"
    )
    stop = tmp_path / "stop"
    sweeper = subprocess.Popen([sys.executable, "-P", "-c", program, str(stop)], env=environment)
    try:
        with workspace_of(home) as workspace, workspace_of(home) as reader:
            for version in range(1, 8):
                pushed(folder, range(version, version + 1))
                workspace.index(str(folder))
                assert answers(reader, "repo") == answers(workspace, "repo")
    finally:
        stop.touch()
        assert sweeper.wait(120) == 0
    with workspace_of(home) as workspace:
        list(collect(workspace, spared=0.0))
        assert answers(workspace, "repo") == fresh(tmp_path / "fresh", folder)
    assert counts(home)["facts"] == 12


def test_while_content_is_added_only_the_rest_is_done(folder, home):
    """Exit code 3 after what could be done; nothing of the index is touched."""
    with workspace_of(home) as workspace:
        workspace.index(str(folder))
        pushed(folder, range(1, 2))
        workspace.index(str(folder))
        with locks.writing(workspace.engine, home, "another"):
            found = collect(workspace, wait=0.0, spared=0.0)
            assert [next(found).what for _ in range(3)] == ["clones", "temporary files", "snapshots"]
            with pytest.raises(BusyError, match="index runs or other sweeps are under way"):
                next(found)
            assert daily(workspace, wait=0.0) == []
            assert counts(home)["facts"] == 13
        assert [(one.what, one.count) for one in daily(workspace)][:2] == [("facts", 1), ("texts", 1)]
        assert counts(home)["facts"] == 12


@pytest.mark.parametrize("linked", [False, True])
def test_homes_that_share_a_file_share_its_locks(folder, home, tmp_path, linked):
    """What an index run of one home adds is not swept by another, by whatever name it knows the file."""
    with workspace_of(home) as workspace:
        workspace.index(str(folder))
        pushed(folder, range(1, 2))
        workspace.index(str(folder))
        file = home / "repoctx.db"
        if linked:
            (tmp_path / "link.db").symlink_to(file)
            file = tmp_path / "link.db"
        with workspace_of(tmp_path / "second", REPOCTX_DATABASE_URL=f"sqlite:///{file}") as other:
            with locks.writing(workspace.engine, home, "repo"):
                with pytest.raises(BusyError, match="another process is indexing 'repo'"):
                    other.index(str(folder), name="repo")
                with pytest.raises(BusyError, match="index runs or other sweeps are under way"):
                    list(collect(other, wait=0.0, spared=0.0))
                assert counts(home)["facts"] == 13
            list(collect(other, spared=0.0))
    assert counts(home)["facts"] == 12
    assert sorted(path.name for path in home.glob("*locks*")) == ["repoctx.db.locks"]
    assert not (tmp_path / "second" / "locks").exists()


def test_locks_of_a_database_in_memory_lie_in_the_home(tmp_path):
    """There is no file that they could lie beside."""
    engine = sa.create_engine("sqlite://")
    with locks.writing(engine, tmp_path, "repo"), pytest.raises(BusyError), locks.writing(engine, tmp_path, "repo"):
        pass
    engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def test_a_home_without_workers_is_swept_while_others_index(folder, home, tmp_path):
    """Its segments, which its service lays out with every push and no worker sweeps; it waits for nobody."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with (
        workspace_of(tmp_path / "worker", REPOCTX_DATABASE_URL=url) as worker,
        workspace_of(home, REPOCTX_DATABASE_URL=url) as service,
    ):
        for version in range(4):
            pushed(folder, range(12 * version, 12 * version + 12))
            worker.index(str(folder), name="repo")
            before = answers(service, "repo")
        with locks.writing(worker.engine, tmp_path / "worker", "repo"):
            size = sum(path.stat().st_size for path in (home / "segments").rglob("*.columns"))
            assert sum(one.bytes for one in files(service)) > size / 2
            assert answers(service, "repo") == before
            assert files(service) == []
    with workspace_of(home, REPOCTX_DATABASE_URL=url) as service:
        assert answers(service, "repo") == before


def test_a_sweep_that_fails_is_tried_again(folder, home):
    """An error of the disk, and whatever else comes, ends no thread."""
    with workspace_of(home) as workspace:
        workspace.index(str(folder))
        pushed(folder, range(1, 2))
        workspace.index(str(folder))
        place = home / "repoctx.db.locks"
        place.rename(home / "away")
        place.write_text("in the way")
        with pytest.raises(FileExistsError):
            list(collect(workspace, spared=0.0))
        stop, ends = threading.Event(), []

        def sweep():
            try:
                found = list(collect(workspace, spared=0.0))
            except OSError:
                place.unlink()
                ends.append("failed")
                raise
            stop.set()
            ends.append("done")
            return found

        sweep_daily(sweep, stop, first=0.0, daily=0.0)
        assert ends == ["failed", "done"]
        assert counts(home)["facts"] == 12
        assert not tried(lambda: 1 / 0)
        assert tried(lambda: None)


def test_vectors_of_a_server_are_kept_as_long_as_a_text_needs_them(folder, home, tmp_path):
    """Those of the model before go too; while vectors are awaited none does. The server is not asked again."""
    with EmbeddingServer() as server, workspace_of(home, REPOCTX_EMBEDDING_MODEL=server.setting) as workspace:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            workspace.index(str(folder))
            pushed(folder, range(1, 6))
            workspace.index(str(folder))
            before, asked, rows = answers(workspace, "repo"), len(server.texts), counts(home)["vectors"]
            with sqlite3.connect(home / "repoctx.db") as connection:
                connection.execute("INSERT INTO vectors VALUES ('old', 'x', x'00')")
                connection.execute("UPDATE refs SET pending = 'slow'")
            connection.close()
            assert "vectors" not in all_of(workspace, spared=0.0)
            with sqlite3.connect(home / "repoctx.db") as connection:
                connection.execute("UPDATE refs SET pending = NULL")
            connection.close()
            gone = all_of(workspace, spared=0.0)["vectors"][0]
            assert gone == rows + 1 - counts(home)["vectors"] > 1
            for path in (home / "segments").rglob("vectors-*.columns"):
                path.unlink()
            with workspace_of(home, REPOCTX_EMBEDDING_MODEL=server.setting) as reader:
                assert answers(reader, "repo") == before
            assert len([text for text in server.texts[asked:] if text.startswith(("def ", '"""'))]) == 0
        finally:
            server.shutdown()
            thread.join()
    assert counts(home)["vectors"] > 0


def test_clones_of_nobody_and_what_killed_commands_left_go_when_they_are_old(
    folder, home, tmp_path, repoctx, monkeypatch
):
    """Those that are in use, or were touched today, stay; so does what is not ours."""
    monkeypatch.setenv("REPOCTX_HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    assert repoctx("index", f"file://{folder}")[0] == 0
    mirrors, kept = home / "mirrors", clone.folder(f"file://{folder}", home / "mirrors")
    for name in ("a" * 40 + ".git", "b" * 40 + ".git", "c" * 40 + ".part"):
        (mirrors / name / "objects").mkdir(parents=True)
        (mirrors / name / "packed-refs").write_text("x" * 1000)
    for name in ("repoctx-history-1", "repoctx-history-2", "repoctx-metrics-3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text("y" * 500)
    (home / "segments" / ("0" * 16)).mkdir()
    (home / "segments" / ("0" * 16) / "facts-3-x.columns").write_text("z" * 200)
    old = UNTOUCHED + 1000
    for path in (kept, mirrors / ("a" * 40 + ".git"), mirrors / ("c" * 40 + ".part"), tmp_path / "repoctx-history-1",
                 tmp_path / "repoctx-metrics-3"):  # fmt: skip
        for one in (*path.rglob("*"), path):
            about = one.stat()
            os.utime(one, (about.st_atime - old, about.st_mtime - old))
    code, out, err = repoctx("gc", "--json")
    found = {one["what"]: (one["count"], one["bytes"]) for one in map(json.loads, out.splitlines())}
    assert (code, err) == (0, "")
    assert found["clones"] == (2, 2000)
    assert found["temporary files"] == (1, 500)
    assert found["index files"] == (1, 200)
    assert sorted(path.name for path in mirrors.iterdir() if path.is_dir()) == sorted([kept.name, "b" * 40 + ".git"])
    assert sorted(path.name for path in tmp_path.glob("repoctx-*")) == ["repoctx-history-2", "repoctx-metrics-3"]
    assert repoctx("index", f"file://{folder}")[0] == 0


def test_a_repository_is_removed_by_its_name(repoctx, tmp_path):
    """Its files stay, the others answer as before, and it is a name like any other afterwards."""
    for name in ("gone", "kept"):
        write_files(tmp_path / name, {"a.py": f"def {name}(): pass\n"})
        assert repoctx("index", str(tmp_path / name))[0] == 0
    assert repoctx("remove", "gone") == (0, "gone is forgotten; `repoctx gc` frees what only it held\n", "")
    again = repoctx("remove", "gone")
    told = "repoctx: no repository is called 'gone': `repoctx status` lists those that are known\n"
    assert again == (1, "", told)
    assert (tmp_path / "gone" / "a.py").is_file()
    assert repoctx("search", "kept", "--repo", "kept")[0] == 0
    assert repoctx("index", str(tmp_path / "gone"))[0] == 0
