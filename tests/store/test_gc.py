"""What is garbage in the database, and who may remove it: one suite, on SQLite and on Postgres."""

from __future__ import annotations

import threading
import zlib

import pytest
import sqlalchemy as sa

from repoctx.errors import BusyError
from repoctx.store import commits, connect, facts, garbage, snapshots, tables, vectors
from repoctx.store.garbage import Live
from repoctx.store.locks import embedding, sweeping, writing
from repoctx.store.payload import Key, Row
from repoctx.store.snapshots import Member, Ref
from repoctx.types import Commit


@pytest.fixture
def engine(database_url):
    """A database with the current schema."""
    opened = connect.connect(database_url)
    yield opened
    opened.dispose()


def now(_language: str) -> str:
    """The parser version of every language."""
    return "v2"


def stored(engine, *keys: tuple[str, str, str]) -> None:
    """Store facts and text of blobs; a text that is empty is a verdict that the blob cannot be indexed."""
    rows = [
        Row(Key(blob, language, version), 4, b"text", None, b"facts")
        if blob != "00"
        else Row(Key(blob, language, version), 0, b"", "binary", b"")
        for blob, language, version in keys
    ]
    with engine.begin() as connection:
        facts.add(connection, rows)


def published(engine, name: str, files: dict[str, str], led: tuple[str, ...] = (), model: str | None = None) -> str:
    """Point the ref `main` of a repository at a snapshot of Python files: its id."""
    members = [Member(path, Key(blob, "python", "v2")) for path, blob in sorted(files.items())]
    snapshot = snapshots.snapshot_id(members)
    with engine.begin() as connection:
        repository = snapshots.claim(connection, name, f"/{name}")
        seen = snapshots.ref(connection, repository, "main")
        moved = Ref(0, "main", snapshot, "c0", False, "t", {}, "2026-01-01T00:00:00Z", model, model)
        before = snapshots.publish(connection, repository, moved, members, [], True, seen)
        registered = snapshots.repository(connection, name)
        commits.set_history(connection, registered.id, "main", "c0", led)
    if before is not None:
        snapshots.forget(engine, before)
    return snapshot


def looked(engine, live: Live | None = None) -> Live:
    """What the snapshots hold."""
    live = live or Live()
    with engine.connect() as connection:
        garbage.look(connection, live)
    return live


def test_facts_and_texts_that_no_snapshot_has_are_dead(engine):
    """Shared ones live; so do verdicts, and facts of another version until this version's are there."""
    stored(
        engine, ("aa", "python", "v2"), ("bb", "python", "v2"), ("bb", "go", "v2"), ("cc", "python", "v2"),
        ("00", "python", "v2"), ("00", "go", "v1"), ("bb", "python", "v1"), ("dd", "python", "v1"),
    )  # fmt: skip
    published(engine, "one", {"a.py": "aa"})
    published(engine, "two", {"other.py": "aa", "b.py": "bb", "d.py": "dd"})
    live = looked(engine)
    with engine.connect() as connection:
        spared = garbage.dead_facts(connection, live, now, others=False)
        assert sorted(spared.keys) == [("bb", "go", "v2"), ("cc", "python", "v2")]
        gone = garbage.dead_facts(connection, live, now)
        lost = garbage.dead_blobs(connection, gone)
        assert sorted(garbage.keys_of(live, now)) == [Key(blob, "python", "v2") for blob in ("aa", "bb", "dd")]
    assert (sorted(gone.keys), gone.bytes) == (
        [("bb", "go", "v2"), ("bb", "python", "v1"), ("cc", "python", "v2")], 15,
    )  # fmt: skip
    assert (lost.keys, lost.bytes) == ([("cc",)], 4)
    steps: list[None] = []
    garbage.remove(engine, gone, lambda: steps.append(None))
    garbage.remove(engine, lost)
    assert len(steps) == 1
    with engine.connect() as connection:
        assert sorted(connection.execute(sa.select(tables.blobs.c.id)).scalars()) == ["aa", "bb", "dd"]
        assert garbage.dead_facts(connection, live, now).keys == []
        assert garbage.dead_blobs(connection, gone).keys == []


def test_what_a_dropped_snapshot_held_is_spared_for_a_while(engine):
    """An answer that has begun goes on; a snapshot that a killed run left is found; a look tells only what is new."""
    stored(engine, ("aa", "python", "v2"), ("bb", "python", "v2"), ("cc", "python", "v2"))
    first = published(engine, "one", {"a.py": "aa"})
    second = published(engine, "one", {"b.py": "bb"})
    with engine.begin() as connection:
        entries = zlib.compress(b'[["c.py","cc","python"]]')
        connection.execute(tables.snapshots.insert().values(id="lost", entries=entries))
    live = looked(engine)
    assert live.snapshots == {first, second, "lost"}
    with engine.connect() as connection:
        assert snapshots.loose(connection) == ["lost"]
        assert garbage.dead_facts(connection, live, now).keys == []
        assert snapshots.spared(connection, 0.0) == {}
        assert list(snapshots.spared(connection, 1e12)) == [first]
    snapshots.forget(engine, "lost")
    snapshots.forget(engine, second)  # a ref points at it
    snapshots.clear_dropped(engine, 1e12)
    live = looked(engine)
    assert (live.snapshots, live.paths) == ({second}, {"b.py"})
    with engine.connect() as connection:
        assert sorted(garbage.dead_facts(connection, live, now).keys) == [
            ("aa", "python", "v2"), ("cc", "python", "v2"),
        ]  # fmt: skip
    third = published(engine, "two", {"a.py": "aa", "b.py": "bb"})
    with engine.connect() as connection:
        new = garbage.look(connection, live)
    assert (new.snapshots, new.paths, len(new.keys)) == ({third}, {"a.py"}, 1)
    with engine.connect() as connection:
        assert garbage.dead_facts(connection, live, now).keys == [("cc", "python", "v2")]


def test_commits_that_led_nowhere_and_vectors_that_nobody_needs_are_dead(engine):
    """Those of a history live; vectors live by model and by text."""
    ids = [f"{number:040x}" for number in range(4)]
    with engine.begin() as connection:
        commits.add(connection, [Commit(one, 0, "a", "m", (), 0, 1) for one in ids])
        connection.execute(tables.commits.insert().values(id=ids[0], version=0, payload=b"old"))
        vectors.add(connection, "m", {"t1": b"1234", "t2": b"1234"})
        vectors.add(connection, "old", {"t1": b"1234"})
    published(engine, "one", {"a.py": "aa"}, (ids[0], ids[2]), "m")
    with engine.connect() as connection:
        assert sorted(garbage.dead_commits(connection).keys) == [
            (ids[0], 0), (ids[1], commits.VERSION), (ids[3], commits.VERSION),
        ]  # fmt: skip
        assert garbage.stored_models(connection) == ({"m", "old"}, {"m"}, False)
        dead = garbage.dead_vectors(connection, {"t1"}, {"m"})
    assert (sorted(dead.keys), dead.bytes) == ([("m", "t2"), ("old", "t1")], 8)
    garbage.remove(engine, dead)
    with engine.begin() as connection:
        assert connection.execute(sa.select(tables.vectors.c.model, tables.vectors.c.chunk)).all() == [("m", "t1")]
        connection.execute(tables.refs.update().values(pending="slow"))
    with engine.connect() as connection:
        assert garbage.stored_models(connection) == ({"m"}, {"m"}, True)


def test_a_sweep_and_those_who_add_content_wait_for_each_other(engine, tmp_path):
    """One who writes or embeds holds a sweep up; one who comes while it waits or works begins after it."""
    order: list[str] = []
    waits, begun = threading.Event(), threading.Event()

    def sweep() -> None:
        with sweeping(engine, tmp_path, 60.0, waits.set):
            order.append("sweep")
            begun.wait()

    def write() -> None:
        begun.set()
        with writing(engine, tmp_path, "two"):
            order.append("write")

    with writing(engine, tmp_path, "one"):
        with (
            embedding(engine, tmp_path, "one", "slow"),  # they do not wait for each other
            pytest.raises(BusyError, match="run `repoctx gc` again when they have finished"),
            sweeping(engine, tmp_path, 0.0),
        ):
            pass
        threads = [threading.Thread(target=sweep), threading.Thread(target=write)]
        threads[0].start()
        assert waits.wait(60)
        threads[1].start()
        begun.wait(60)
        order.append("first")
    for thread in threads:
        thread.join(60)
    assert order == ["first", "sweep", "write"]
    with sweeping(engine, tmp_path, 0.0), pytest.raises(BusyError), sweeping(engine, tmp_path, 0.0):
        pass


def test_a_sqlite_file_gives_its_free_pages_back_when_it_is_worthwhile(tmp_path):
    """A quarter of it at least."""
    opened = connect.connect(f"sqlite:///{tmp_path / 'repoctx.db'}")
    with opened.begin() as connection:
        rows = [{"id": f"{number:04x}", "size": 1, "text": b"x" * 10_000} for number in range(100)]
        connection.execute(tables.blobs.insert(), rows)
    with opened.begin() as connection:
        connection.execute(tables.blobs.delete().where(tables.blobs.c.id < "0005"))
    assert garbage.compact(opened) == 0
    with opened.begin() as connection:
        connection.execute(tables.blobs.delete())
    before, free = garbage.file_bytes(opened)
    assert free > 900_000
    assert garbage.compact(opened) == before - garbage.file_bytes(opened)[0] == free
    opened.dispose()
