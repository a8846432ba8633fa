"""Which blobs have been parsed, and what did they say?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from repoctx.store.payload import Key, Parsed, Row, Shown, parsed, shown
from repoctx.store.tables import blobs, facts, insert

# Keys per SELECT; SQLite allows 32,766 bound values, Postgres 65,535.
BATCH = 2000

_Read = TypeVar("_Read")


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def known(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, str | None]:
    """The keys that have facts, each with its skip (None: it has a payload)."""
    wanted = set(keys)
    found: dict[Key, str | None] = {}
    for batch in batches(sorted({key.blob for key in keys}), BATCH):
        query = sa.select(facts.c.blob, facts.c.language, facts.c.version, facts.c.skip)
        for blob, language, version, skip in connection.execute(query.where(facts.c.blob.in_(batch))):
            key = Key(blob, language, version)
            if key in wanted:
                found[key] = skip
    return found


def add(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Store rows; those that another writer stored first stay as they are.

    In order of their keys: writers that share blobs then wait for each other instead of locking each other out.
    """
    rows = sorted(rows, key=lambda row: row.key)
    texts = [{"id": r.key.blob, "size": r.size, "text": r.text} for r in rows if r.skip is None]
    if texts:
        connection.execute(insert(connection, blobs).on_conflict_do_nothing(), texts)
    values = [
        {
            "blob": r.key.blob,
            "language": r.key.language,
            "version": r.key.version,
            "skip": r.skip,
            "payload": r.payload,
        }
        for r in rows
    ]
    connection.execute(insert(connection, facts).on_conflict_do_nothing(), values)


def read(connection: sa.Connection, keys: Iterable[Key]) -> Iterator[tuple[Key, Parsed]]:
    """Text and facts of the keys that have them, in the database's order."""
    return _read(connection, keys, parsed)


def read_shown(connection: sa.Connection, keys: Iterable[Key]) -> Iterator[tuple[Key, Shown]]:
    """What a prompt needs of them: faster than `read`."""
    return _read(connection, keys, shown)


def _read(
    connection: sa.Connection, keys: Iterable[Key], made: Callable[[bytes, bytes], _Read]
) -> Iterator[tuple[Key, _Read]]:
    """What is made of text and payload of the keys that have them."""
    for batch in batches(keys, BATCH // 10):
        wanted = set(batch)
        query = (
            sa.select(facts.c.blob, facts.c.language, facts.c.version, facts.c.payload, blobs.c.text)
            .join(blobs, blobs.c.id == facts.c.blob)
            .where(facts.c.blob.in_({key.blob for key in batch}), facts.c.skip.is_(None))
        )
        for blob, language, version, payload, text in connection.execute(query):
            key = Key(blob, language, version)
            if key in wanted:
                yield key, made(text, payload)
