"""The database: one suite, on SQLite and on Postgres."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import sqlalchemy as sa

from repoctx.errors import BusyError, NotFoundError, StorageError, UsageError
from repoctx.parse import parse
from repoctx.redact import Span
from repoctx.store import commits, connect, facts, snapshots, tables, vectors
from repoctx.store.locks import embedding, writing
from repoctx.store.payload import Key, Row, compress, encode
from repoctx.store.snapshots import Member, Ref
from repoctx.types import Change, Commit, Skip

TEXT = b"def one():\n    return 1\n"


@pytest.fixture
def engine(database_url):
    """A database with the current schema."""
    opened = connect.connect(database_url)
    yield opened
    opened.dispose()


def row(blob: str, text: bytes = TEXT, skip: str | None = None) -> Row:
    """A stored blob."""
    if skip:
        return Row(Key(blob, "python", "v1"), 0, b"", skip, b"")
    payload = encode(parse("python", text), np.array([4, 5], np.uint32), [Span(4, 7, "token")])
    return Row(Key(blob, "python", "v1"), len(text), compress(text), None, payload)


def test_the_migrations_make_the_schema_that_the_tables_describe(engine):
    """Alembic finds no difference between the migrated database and `tables.metadata`."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        assert connect.version(engine) == connect.HEAD


def test_the_newest_migration_is_the_one_written_down():
    """`connect.HEAD` saves importing alembic; it must be true."""
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(connect.migrations())).get_heads() == [connect.HEAD]


def test_processes_that_migrate_at_once_take_turns(database_url):
    """Several first connections to one empty database all end with the current schema."""
    program = "import sys; from repoctx.store.connect import connect, version; print(version(connect(sys.argv[1])))"
    started = [
        subprocess.Popen([sys.executable, "-c", program, database_url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in started] == [connect.HEAD] * 3


def test_facts_come_back_as_they_were_stored(engine):
    """Text, symbols, chunks, tokens per line and secrets survive; skips are told apart; strangers are unknown."""
    keys = [
        Key("aa", "python", "v1"),
        Key("bb", "python", "v1"),
        Key("cc", "python", "v1"),
        Key("aa", "go", "v1"),
    ]
    with engine.begin() as connection:
        facts.add(connection, [row("aa"), row("bb", skip="binary: NUL byte")])
        facts.add(connection, [row("aa")])  # a second writer's row changes nothing
    with engine.connect() as connection:
        assert facts.known(connection, keys) == {keys[0]: None, keys[1]: "binary: NUL byte"}
        ((key, found),) = facts.read(connection, keys)
    assert key == keys[0]
    assert found.text.encode() == TEXT
    assert found.facts == parse("python", TEXT)
    assert found.line_tokens.tolist() == [4, 5]
    assert found.secrets == (Span(4, 7, "token"),)


def at(repository, name, paths) -> Ref:
    """A ref at a snapshot of some paths."""
    snapshot = snapshots.snapshot_id([Member(path, Key(path, "python", "v1")) for path in paths])
    report = {"files": len(paths)}
    return Ref(repository.id, name, snapshot, "c0", False, "t", report, "2026-01-01T00:00:00Z")


def publish(engine, repository, name, paths, default=True):
    """Point a ref at a snapshot of some paths."""
    members = [Member(path, Key(path, "python", "v1")) for path in paths]
    moved = at(repository, name, paths)
    with engine.begin() as connection:
        seen = snapshots.ref(connection, repository, name)
        left_out = [Skip("x.bin", "binary", "NUL")]
        before = snapshots.publish(connection, repository, moved, members, left_out, default, seen)
    if before is not None:
        snapshots.forget(engine, before)
    return moved


def test_a_ref_moves_and_its_old_snapshot_goes(engine):
    """Readers find the new snapshot; one that no ref points at is dropped, a shared one stays."""
    with engine.connect() as connection:
        repository = snapshots.claim(connection, "r", "/r")
    first = publish(engine, repository, "main", ["a.py"])
    with engine.connect() as connection:
        repository = snapshots.repository(connection, "r")
    publish(engine, repository, "other", ["a.py"], default=False)
    second = publish(engine, repository, "main", ["a.py", "b.py"])
    with engine.connect() as connection:
        repository = snapshots.repository(connection, "r")
        assert repository.default_ref == "main"
        assert snapshots.ref(connection, repository) == second._replace(repository=repository.id)
        assert [m.path for m in snapshots.members(connection, second, lambda _: "v1")] == [
            "a.py",
            "b.py",
        ]
        assert [m.path for m in snapshots.members(connection, first, lambda _: "v1")] == ["a.py"]
        assert snapshots.skips(connection, second) == [Skip("x.bin", "binary", "NUL")]
        assert [r.name for r in snapshots.all_refs(connection, repository)] == ["main", "other"]
    publish(engine, repository, "other", ["c.py"], default=False)
    with engine.connect() as connection:
        assert snapshots.members(connection, first, lambda _: "v1") is None


def test_a_run_that_lost_its_place_moves_nothing(engine):
    """Whoever began before another run moved the ref is refused, whatever he found."""
    with engine.connect() as connection:
        new = snapshots.claim(connection, "r", "/r")
    publish(engine, new, "main", ["a.py"])
    with engine.connect() as connection:
        repository = snapshots.repository(connection, "r")
        seen = snapshots.ref(connection, repository)
    second = publish(engine, repository, "main", ["a.py", "b.py"])
    late = at(repository, "main", ["c.py"])
    for stale in (seen, None):
        with engine.begin() as connection, pytest.raises(BusyError, match="meanwhile"):
            snapshots.publish(connection, repository, late, [], [], True, stale)
    with engine.connect() as connection:
        assert snapshots.ref(connection, repository).snapshot == second.snapshot


def test_a_pending_model_answers_once_its_vectors_are_there(engine):
    """`switch` lets it answer; not if the ref has moved, or waits for another model by then."""

    def index(paths: list[str], pending: str | None) -> Ref:
        moved = at(repository, "main", paths)._replace(embedding="static", embedding_model="s-1", pending=pending)
        with engine.begin() as connection:
            known = snapshots.claim(connection, "r", "/r")
            snapshots.publish(connection, repository, moved, [], [], True, snapshots.ref(connection, known, "main"))
            return snapshots.ref(connection, snapshots.repository(connection, "r"), "main")

    progress = {"done": 1, "total": 2, "rate": 0.5, "host": "h", "pid": 1}
    with engine.connect() as connection:
        repository = snapshots.claim(connection, "r", "/r")
    first = index(["a.py"], "slow")
    with engine.begin() as connection:
        assert snapshots.advance(connection, first, progress)
        assert snapshots.ref(connection, snapshots.repository(connection, "r")) == first._replace(progress=progress)
    moved = index(["a.py", "b.py"], "slow")
    assert moved.progress == progress  # whoever was at it goes on
    with engine.begin() as connection:
        assert not snapshots.switch(connection, first, "slow-1")
        assert snapshots.switch(connection, moved, "slow-1")
        now = snapshots.ref(connection, snapshots.repository(connection, "r"))
    assert (now.embedding, now.embedding_model, now.pending, now.progress) == ("slow", "slow-1", None, None)
    assert index(["a.py", "b.py"], "other").progress is None
    with engine.begin() as connection:
        assert not snapshots.advance(connection, moved, progress)
        assert not snapshots.switch(connection, moved, "slow-1")


def test_a_name_belongs_to_one_location(engine):
    """A claim writes nothing; once published, the name is refused to another location with a hint."""
    with engine.connect() as connection:
        new = snapshots.claim(connection, "r", "/r")
        assert snapshots.all_repositories(connection) == []
    publish(engine, new, "main", [])
    with engine.connect() as connection:
        known = snapshots.claim(connection, "r", "/r")
        assert known == snapshots.by_location(connection, "/r") == snapshots.repository(connection, "r")
        with pytest.raises(UsageError, match="--name"):
            snapshots.claim(connection, "r", "/elsewhere")
        with pytest.raises(NotFoundError, match="repoctx status"):
            snapshots.repository(connection, "unknown")
        assert snapshots.by_location(connection, "/x") is None


def test_vectors_are_kept_by_model_and_chunk(engine):
    """The same chunk has a vector per model; unknown ids are left out."""
    with engine.begin() as connection:
        vectors.add(connection, "m1", {"c1": b"\0\0\0\0"})
        vectors.add(connection, "m2", {"c1": b"\0\0\x80\x3f"})
        vectors.add(connection, "m1", {"c1": b"other"})
    with engine.connect() as connection:
        assert vectors.known(connection, "m1", ["c1", "c2"]) == {"c1": b"\0\0\0\0"}
        assert vectors.known(connection, "m2", ["c1"]) == {"c1": b"\0\0\x80\x3f"}


def test_commits_come_back_as_they_were_stored(engine):
    """In the order that is asked for; the first writer's stay; those read by other rules are unknown."""
    ids = [f"{number:040x}" for number in range(2500)]
    hunks = ((0, 0, 1, 2**31), (7, 1, 8, 0))
    changes = (Change("b\n.py", "é.py", "R", hunks), Change("l\\xe9", "l\\xe9", "D", ()))
    stored = [Commit(identity, 2**40, "Jérôme", "é\n\n\U0001f600", changes, 300, 1) for identity in ids]
    stored += [Commit("f" * 64, 0, "", "", (), 0, 0)]
    with engine.begin() as connection:
        commits.add(connection, iter(stored))
        commits.add(connection, [stored[0]._replace(message="other")])
        commits.add(connection, [])
        old = {"id": "e" * 40, "version": commits.VERSION - 1, "payload": b""}
        connection.execute(tables.commits.insert().values(old))
    asked = ["f" * 64, *reversed(ids), "e" * 40, "unknown", ids[3]]
    with engine.connect() as connection:
        assert commits.known(connection, asked) == {"f" * 64, *ids}
        found = commits.read(connection, asked)
        assert commits.read(connection, []) == {}
    assert list(found) == ["f" * 64, *reversed(ids)]
    assert list(found.values()) == [stored[-1], *reversed(stored[:-1])]


def test_a_history_moves_with_its_ref(engine):
    """It is that of the commit that the ref points at, in order; whoever has an older ref finds none."""
    with engine.connect() as connection:
        repository = snapshots.claim(connection, "r", "/r")
    publish(engine, repository, "main", ["a.py"])
    publish(engine, repository, "side", ["a.py"], default=False)
    with engine.begin() as connection:
        where = snapshots.ref(connection, snapshots.repository(connection, "r"))
        assert commits.history(connection, where) == []
        commits.set_history(connection, where.repository, "main", "c0", ["ff" * 20, "00" * 20])
        assert commits.history(connection, where) == ["ff" * 20, "00" * 20]
        assert commits.history(connection, where._replace(name="side")) == []
        assert commits.history(connection, where._replace(commit=None)) == []
        commits.set_history(connection, where.repository, "main", "c1", ["ab" * 32])
        assert commits.history(connection, where) == []
        assert commits.history(connection, where._replace(commit="c1")) == ["ab" * 32]
        commits.set_history(connection, where.repository, "main", "c1", [])
        assert commits.history(connection, where._replace(commit="c1")) == []
        connection.execute(tables.refs.delete())
        assert connection.scalars(sa.select(tables.histories.c.ref)).all() == []


def test_one_writer_at_a_time(engine, tmp_path):
    """A second writer of the same repository is refused with a sentence; another repository is free."""
    refused = []

    def second() -> None:
        try:
            with writing(engine, tmp_path, "r"):
                pass
        except BusyError as error:
            refused.append(str(error))

    with writing(engine, tmp_path, "r"), writing(engine, tmp_path, "s"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert refused == ["another process is indexing 'r': wait until it has finished, then run this again"]
    with writing(engine, tmp_path, "r"):
        pass


def test_who_makes_vectors_keeps_no_writer_waiting(engine, tmp_path):
    """The two places are apart; one makes the vectors of a repository and a model at a time."""
    with embedding(engine, tmp_path, "r", "slow"), writing(engine, tmp_path, "r"):
        with pytest.raises(BusyError, match="making the vectors of 'r'"), embedding(engine, tmp_path, "r", "slow"):
            pass
        with embedding(engine, tmp_path, "r", "other"), embedding(engine, tmp_path, "s", "slow"):
            pass


def test_writers_on_two_machines_are_told_apart_by_postgres(postgres_server, tmp_path):
    """Where the lock files are not shared, the advisory lock refuses the second writer."""
    import postgres

    with postgres.database(postgres_server) as url:
        one, two = connect.connect(url), connect.connect(url)
        with (
            writing(one, tmp_path / "one", "r"),
            pytest.raises(BusyError),
            writing(two, tmp_path / "two", "r"),
        ):
            pass
        with writing(two, tmp_path / "two", "r"):
            pass
        one.dispose()
        two.dispose()


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "oracle://x"])
def test_a_database_url_that_cannot_be_used_is_explained(url):
    """The sentence says which URLs can."""
    with pytest.raises(UsageError, match="sqlite"):
        connect.connect(url)


def test_a_database_that_does_not_answer_is_a_storage_error():
    """No traceback, and no password in the message."""
    with pytest.raises(StorageError) as caught:
        connect.connect("postgresql://user:hunter2@127.0.0.1:1/none?connect_timeout=2")
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_a_full_disk_is_said_in_one_sentence(tmp_path):
    """SQLite's own limit stands for a full disk: the message says what to do."""
    engine = connect.connect(f"sqlite:///{tmp_path / 'r.db'}")
    rows = [Row(Key(str(i), "python", "v1"), 9, bytes(100_000), None, b"x") for i in range(50)]

    def fill() -> None:
        with connect.errors(engine), engine.begin() as connection:
            connection.execute(sa.text("PRAGMA max_page_count = 1"))
            facts.add(connection, rows)

    with pytest.raises(StorageError, match="disk is full"):
        fill()
    engine.dispose()
