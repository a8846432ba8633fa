"""Does what was backed up come back? The same hits, jobs and tokens, of SQLite and of Postgres."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import postgres
import pytest

from repoctx.store import access, jobs
from repoctx.workspace import Workspace

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
        second = Workspace(flags={"home": str(tmp_path / "second"), "database_url": url, "embedding_model": "static"})
        assert told(second) == before
        second.close()


def test_only_the_newest_backups_are_kept(tmp_path, make_repository):
    """As many as are asked for; other files stay."""
    url = f"sqlite:///{tmp_path / 'repoctx.db'}"
    backups = tmp_path / "backups"
    Workspace(flags={"database_url": url}).engine.dispose()
    backups.mkdir()
    for name in ("repoctx-20200101T000000Z.sqlite", "repoctx-20200102T000000Z.sqlite", "notes.txt"):
        (backups / name).write_bytes(b"")
    code, out, _ = script(url, "backup", "--folder", backups, "--keep", "2")
    assert code == 0
    assert {path.name for path in backups.iterdir()} == {
        Path(out.strip()).name, "repoctx-20200102T000000Z.sqlite", "notes.txt",
    }  # fmt: skip


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


def test_a_password_is_not_among_the_words_of_a_program(tmp_path):
    """Postgres's programs get it by their environment, decoded."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = folder / "pg_dump"
    fake.write_text('#!/bin/sh\necho "$PGPASSWORD $*" >&2\nexit 1\n', encoding="utf-8")
    fake.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}",
                   "REPOCTX_DATABASE_URL": "postgresql+psycopg://me:p%40ss@db:5432/x?sslmode=require"}  # fmt: skip
    done = subprocess.run([sys.executable, SCRIPT, "backup", "--folder", tmp_path / "b"], env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    words = done.stderr.split()
    assert words[:5] == ["backup:", "pg_dump:", "p@ss", "--dbname", "postgresql://me@db:5432/x?sslmode=require"]
