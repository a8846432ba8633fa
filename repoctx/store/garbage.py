"""Which rows does nothing point at any more, and how are they removed?

What is live follows from the snapshots: their files, the texts of these, and the commits that led to them. Everything
else that is addressed by content is dead, but for a verdict that a blob cannot be indexed: it is a few bytes, no
snapshot lists it, and the next run would read the blob again. Whoever removes rows holds `locks.sweeping`: between
storing content and publishing it a run holds the other side of that lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.store import commits, snapshots
from repoctx.store.facts import BATCH, batches, known
from repoctx.store.payload import Key
from repoctx.store.tables import blobs, facts, histories, refs, tasks, vectors
from repoctx.store.tables import commits as commits_table

# Rows that are removed in one transaction: others write in between.
REMOVED = 500
# Free pages of a SQLite file from which on it is worth to be written anew, as a share of it.
WORTHWHILE = 0.25


@dataclass
class Live:
    """What the snapshots that were looked at hold."""

    snapshots: set[str] = field(default_factory=set)
    keys: set[bytes] = field(default_factory=set)  # blob and language: 60 bytes each, so that millions fit
    paths: set[str] = field(default_factory=set)


class Dead(NamedTuple):
    """Rows of a table that nothing points at: their keys, and their bytes."""

    table: sa.Table
    keys: list[tuple[Any, ...]]
    bytes: int


def look(connection: sa.Connection, live: Live) -> Live:
    """What the snapshots hold that were not looked at yet, added to what is live: only that."""
    new = Live()
    for identity, files in snapshots.entries(connection, live.snapshots):
        new.snapshots.add(identity)
        new.keys.update(_short(blob, language) for _, blob, language in files)
        new.paths.update(path for path, _, _ in files)
    new.keys -= live.keys
    new.paths -= live.paths
    for name in ("snapshots", "keys", "paths"):
        getattr(live, name).update(getattr(new, name))
    return new


def _short(blob: str, language: str) -> bytes:
    return bytes.fromhex(blob) + b"\0" + language.encode()


def keys_of(live: Live, version: Callable[[str], str]) -> Iterator[Key]:
    """The keys of the facts of what is live."""
    for short in sorted(live.keys):
        blob, _, language = short.rpartition(b"\0")
        yield Key(blob.hex(), language.decode(), version(language.decode()))


def dead_facts(
    connection: sa.Connection, live: Live, version: Callable[[str], str], others: bool = True
) -> Dead:
    """Facts of blobs that no snapshot has, and with `others` those of other versions once this one's are there."""
    found: list[tuple[Any, ...]] = []
    older: list[tuple[Any, ...]] = []
    size = 0
    columns = (facts.c.blob, facts.c.language, facts.c.version, facts.c.skip, sa.func.length(facts.c.payload))
    for blob, language, made, skip, length in connection.execute(sa.select(*columns)):
        if skip is None and _short(blob, language) not in live.keys:
            found.append((blob, language, made))
            size += length
        elif others and made != version(language):
            older.append((blob, language, made, length))
    for batch in batches(older, BATCH):
        replaced = known(connection, [Key(blob, language, version(language)) for blob, language, _, _ in batch])
        for blob, language, made, length in batch:
            if Key(blob, language, version(language)) in replaced:
                found.append((blob, language, made))
                size += length
    return Dead(facts, found, size)


def dead_blobs(connection: sa.Connection, gone: Dead) -> Dead:
    """Texts that no facts belong to but those that are `gone`."""
    lost = {(blob, language, version) for blob, language, version in gone.keys}
    needed = {
        blob
        for blob, language, version in connection.execute(
            sa.select(facts.c.blob, facts.c.language, facts.c.version).where(facts.c.skip.is_(None))
        )
        if (blob, language, version) not in lost
    }
    rows = connection.execute(sa.select(blobs.c.id, sa.func.length(blobs.c.text)))
    return _dead(blobs, ((row[:-1], row[-1]) for row in rows if row[0] not in needed))


def dead_commits(connection: sa.Connection) -> Dead:
    """Commits that led to nothing that a ref points at or a task is about."""
    led: set[str] = set()
    for query in (sa.select(histories.c.ids), sa.select(tasks.c.recent).where(tasks.c.recent.is_not(None))):
        for ids in connection.execute(query).scalars():
            led.update(commits.unpacked(ids))
    table = commits_table.c
    rows = connection.execute(sa.select(table.id, table.version, sa.func.length(table.payload)))
    return _dead(
        commits_table, ((row[:-1], row[-1]) for row in rows if row[1] != commits.VERSION or row[0] not in led)
    )


def stored_models(connection: sa.Connection) -> tuple[set[str], set[str], bool]:
    """Models that have vectors in the database, those that answer, and whether vectors are awaited anywhere."""
    stored = set(connection.execute(sa.select(vectors.c.model).distinct()).scalars())
    rows = connection.execute(sa.select(refs.c.embedding_model, refs.c.pending)).all()
    return stored, {model for model, _ in rows if model}, any(pending for _, pending in rows)


def dead_vectors(connection: sa.Connection, needed: Collection[str], models: Collection[str]) -> Dead:
    """Vectors of texts that are not needed, and those of all models but some."""
    rows = connection.execute(sa.select(vectors.c.model, vectors.c.chunk, sa.func.length(vectors.c.vector)))
    return _dead(
        vectors, ((row[:-1], row[-1]) for row in rows if row[0] not in models or row[1] not in needed)
    )


def _dead(table: sa.Table, rows: Iterable[tuple[Any, int]]) -> Dead:
    keys, size = [], 0
    for key, length in rows:
        keys.append(tuple(key))
        size += length
    return Dead(table, keys, size)


def remove(engine: sa.Engine, dead: Dead, tick: Callable[[], object] = int) -> None:
    """Remove rows, some at a time. Whoever dies in between leaves rows that the next sweep finds."""
    key: Sequence[Any] = list(dead.table.primary_key.columns)
    for batch in batches(sorted(dead.keys), REMOVED):
        with engine.begin() as connection:
            connection.execute(dead.table.delete().where(sa.tuple_(*key).in_(batch)))
        tick()


def file_bytes(engine: sa.Engine) -> tuple[int, int]:
    """Bytes of a SQLite file, and how many of them are free; none of another database."""
    if engine.dialect.name != "sqlite":
        return 0, 0
    with engine.connect() as connection:
        page, pages, free = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
            for name in ("page_size", "page_count", "freelist_count")
        )
    return page * pages, page * free


def compact(engine: sa.Engine) -> int:
    """Give the free pages of a SQLite file back to the disk where that is worthwhile: how many bytes. Postgres
    uses its own again by itself."""
    before, free = file_bytes(engine)
    if not before or free < WORTHWHILE * before:
        return 0
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return before - file_bytes(engine)[0]
