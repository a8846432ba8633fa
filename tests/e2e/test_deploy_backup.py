"""Does what was backed up come back? The same hits, jobs and tokens, of SQLite and of Postgres."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import postgres
import pytest

from repoctx.store import access, jobs
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "backup" / "backup.py"
FILES = {
    "store.py": "class Store:\n    '''Keeps values.'''\n\n    def load(self, key):\n        return self.values[key]\n",
    "app.py": "from store import Store\n\n\ndef main():\n    return Store().load('x')\n",
}


def script(url: str, *words: object) -> tuple[int, str, str]:
    """The exit code of the program, what it printed, and what it complained of."""
    if url.startswith("postgresql") and shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed")
    environment = {**os.environ, "REPOCTX_DATABASE_URL": url}
    done = subprocess.run([sys.executable, SCRIPT, *map(str, words)], env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@contextmanager
def fresh(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an empty database, gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'repoctx.db'}"
        shutil.rmtree(folder, ignore_errors=True)
        return
    with postgres.database(request.getfixturevalue("postgres_server")) as url:
        yield url


def told(workspace: Workspace) -> tuple[object, ...]:
    """What it answers and holds: hits with their reasons, jobs, tokens."""
    with workspace.engine.connect() as connection:
        held = jobs.listed(connection), access.all_tokens(connection)
    return workspace.search("load a value by its key", "shop").hits, *held


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_backed_up_comes_back(kind, tmp_path, request, make_repository):
    """While the database is open; into an empty home, from which all that is derived is made again."""
    backups = tmp_path / "backups"
    with fresh(kind, tmp_path / "first", request) as url:
        first = Workspace(flags={"home": str(tmp_path / "first"), "database_url": url, "embedding_model": "static"})
        report = first.index(str(make_repository(FILES, "shop")))
        now = time.time()
        with first.engine.begin() as connection:
            access.create(connection, "ci", "read", ("shop",), now)
            jobs.submit(connection, first.repository("shop").id, "main", "push", now=now)
        before = told(first)
        code, out, complaint = script(url, "backup", "--folder", backups)
        assert (code, complaint) == (0, "")
        file = Path(out.strip())
        assert [file] == list(backups.iterdir())
        assert file.stat().st_mode & 0o777 == 0o600
        refused = script(url, "restore", file)
        first.close()
    shutil.rmtree(tmp_path / "first", ignore_errors=True)
    assert (report.files, len(before[0]), len(before[1]), len(before[2])) == (2, 2, 1, 1)
    if kind == "sqlite":
        there = f"{tmp_path}/first/repoctx.db"
        assert refused[2] == f"backup: {there} exists: stop repoctx, move it away, and restore again\n"
    else:
        assert refused[2].startswith("backup: the database is not empty: make a new one with `createdb`")
    assert refused[0] == 1
    with fresh(kind, tmp_path / "second", request) as url:
        assert script(url, "restore", file) == (0, "", "")
        if kind == "sqlite":
            assert (tmp_path / "second" / "repoctx.db").stat().st_mode & 0o777 == 0o600
        second = Workspace(flags={"home": str(tmp_path / "second"), "database_url": url, "embedding_model": "static"})
        assert told(second) == before
        second.close()


def test_only_the_newest_backups_are_kept(tmp_path, make_repository):
    """As many of its kind as are asked for, and the one just made whatever the clock says; other files stay."""
    url = f"sqlite:///{tmp_path / 'repoctx.db'}"
    backups = tmp_path / "backups"
    Workspace(flags={"database_url": url}).engine.dispose()
    backups.mkdir()
    kept = {
        "notes.txt", "repoctx-README.txt", "repoctx-20200101T000000Z.dump", "repoctx-20200101T000000Z.sqlite.gpg",
        "repoctx-2020.sqlite", "repoctx-20990102T000000Z.sqlite",
    }  # fmt: skip
    for name in (*kept, "repoctx-20200101T000000Z.sqlite", "repoctx-20990101T000000Z.sqlite"):
        (backups / name).write_bytes(b"")
    (backups / "repoctx-20180101T000000Z.sqlite").symlink_to("notes.txt")
    (backups / "repoctx-20190101T000000Z.sqlite").mkdir()
    kept |= {"repoctx-20180101T000000Z.sqlite", "repoctx-20190101T000000Z.sqlite"}
    code, out, _ = script(url, "backup", "--folder", backups, "--keep", "2")
    made = Path(out.strip()).name
    assert (code, {path.name for path in backups.iterdir()}) == (0, kept | {made})
    code, out, _ = script(url, "backup", "--folder", backups, "--keep", "1")
    newest = {Path(out.strip()).name}
    assert (code, {path.name for path in backups.iterdir()}) == (0, kept - {"repoctx-20990102T000000Z.sqlite"} | newest)


@pytest.mark.parametrize("ends", [("wal", "shm"), ("wal",), ("shm",), ("journal",)])
def test_nothing_is_restored_beside_what_sqlite_would_add_to_it(ends, tmp_path):
    """The log of the database before is named, and stays."""
    backup = tmp_path / "repoctx-20200101T000000Z.sqlite"
    with closing(sqlite3.connect(backup)) as database:
        database.execute("CREATE TABLE held (one)")
    names = [f"repoctx.db-{end}" for end in ends]
    for name in names:
        (tmp_path / name).write_bytes(b"old")
    target = tmp_path / "repoctx.db"
    complaint = f"beside {target} there is still {' and '.join(names)}: stop repoctx, move that away too"
    assert script(f"sqlite:///{target}", "restore", backup) == (1, "", f"backup: {complaint}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, backup.name])


@pytest.mark.parametrize(
    "text,variables,held",
    [
        ('database_url = "sqlite:///{folder}/b.db"', {}, "b"),
        ('home = "{folder}"', {}, "repoctx"),
        ('home = "{folder}/none"\n[jobs]\nat_once = 2', {"REPOCTX_HOME": "{folder}"}, "repoctx"),
        ('database_url = "sqlite:///{folder}/b.db"', {"REPOCTX_HOME": "{folder}"}, "b"),
        ('database_url = "sqlite:///{folder}/b.db"', {"REPOCTX_DATABASE_URL": "sqlite:///{folder}/a.db"}, "a"),
        (None, {"REPOCTX_HOME": "{folder}"}, "repoctx"),
        ("database_url = ", {"REPOCTX_HOME": "{folder}"}, None),
        ("home = 5", {}, None),
    ],
)
def test_the_database_is_that_of_the_settings(text, variables, held, tmp_path):
    """Of those in the environment first, then those of the file; one that cannot be read is no reason for another."""
    for name in ("a", "b", "repoctx"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as database:
            database.execute(f"CREATE TABLE {name} (one)")
    # As the units name it, and as repoctx finds it by itself.
    for file, way in (("set.toml", {"REPOCTX_CONFIG": f"{tmp_path}/set.toml"}),
                      ("repoctx/repoctx.toml", {"XDG_CONFIG_HOME": str(tmp_path)})):  # fmt: skip
        if text is not None:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(text.format(folder=tmp_path), encoding="utf-8")
        environment = {"PATH": os.environ["PATH"], **way,
                       **{name: value.format(folder=tmp_path) for name, value in variables.items()}}  # fmt: skip
        done = subprocess.run([sys.executable, SCRIPT, "backup", "--folder", tmp_path / "to"], env=environment,
                              capture_output=True, text=True, check=False)  # fmt: skip
        if held is None:
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert str(tmp_path / file) in done.stderr
            continue
        assert (done.returncode, done.stderr) == (0, "")
        with closing(sqlite3.connect(done.stdout.strip())) as database:
            assert database.execute("SELECT name FROM sqlite_master").fetchall() == [(held,)]


@pytest.mark.parametrize(
    "url,words,complaint",
    [
        ("sqlite:///{folder}/none.db", ("backup", "--folder", "{folder}/b"), "there is no database {folder}/none.db"),
        ("sqlite:///{folder}/new.db", ("restore", "{folder}/none.sqlite"), "there is no backup {folder}/none.sqlite"),
        ("sqlite:///{folder}/new.db", ("restore", "{folder}/a.dump"), "a.dump is not of this kind of database"),
        ("sqlite:///{folder}/new.db", ("restore", "{folder}/a.sqlite"), "file is not a database"),
        ("mysql://x/y", ("backup", "--folder", "{folder}/b"), "is neither sqlite:///PATH nor postgresql://"),
    ],
)
def test_what_cannot_be_done_is_said(url, words, complaint, tmp_path):
    """In one sentence; nothing is left behind."""
    for name in ("a.dump", "a.sqlite"):
        (tmp_path / name).write_bytes(b"something else\n" * 100)
    folder = str(tmp_path)
    code, out, said = script(url.format(folder=folder), *(word.format(folder=folder) for word in words))
    assert (code, out) == (1, "")
    assert complaint.format(folder=folder) in said
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.dump", "a.sqlite"]


@pytest.mark.parametrize(
    "url,shown,secrets",
    [
        ("postgresql+psycopg://me:p%40ss@db:5432/x?sslmode=require", "postgresql://me@db:5432/x?sslmode=require",
         ["p@ss", "", ""]),
        ("postgresql://me@db/x?password=p%2Fa+s&sslmode=require&sslkey=/of/me&passfile=/a%20b&options=-c%20a%3Db",
         "postgresql://me@db/x?sslmode=require&options=-c%20a%3Db", ["p/a s", "/a b", "/of/me"]),
        ("postgresql:///x?host=/run/pg&user=me&password=word", "postgresql:///x?host=/run/pg&user=me",
         ["word", "", ""]),
        ("postgresql://me:a/b?c#d@db/x", "postgresql://me@db/x", ["a/b?c#d", "", ""]),
    ],
)  # fmt: skip
def test_a_secret_is_not_among_the_words_of_a_program(url, shown, secrets, tmp_path):
    """Postgres's programs get it by their environment, decoded; what they complain of is told without it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = folder / "pg_dump"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$PGPASSWORD" "$PGPASSFILE" "$PGSSLKEY" "$2" >"$0.said"\n'
                    'echo "not <$PGPASSWORD>" >&2\nexit 1\n', encoding="utf-8")  # fmt: skip
    fake.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "REPOCTX_DATABASE_URL": url}
    done = subprocess.run([sys.executable, SCRIPT, "backup", "--folder", tmp_path / "b"], env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (folder / "pg_dump.said").read_text(encoding="utf-8").splitlines() == [*secrets, shown]
    assert (done.returncode, done.stderr) == (1, "backup: pg_dump: not <***>\n")


def test_a_secret_that_no_variable_takes_is_refused(tmp_path):
    """The words of a program are everybody's to see."""
    code, out, said = script("postgresql://me@db/x?sslpassword=hidden", "backup", "--folder", tmp_path / "b")
    assert (code, out, "hidden" in said, said.count("\n")) == (1, "", False, 1)
    assert said.startswith("backup: sslpassword of REPOCTX_DATABASE_URL cannot be kept secret")
