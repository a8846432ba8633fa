"""Which commits have been read, what did they do, and which led to what a ref points at?

A commit's payload is zlib(msgpack([time, author, message, changes, files, parents])) with the changes as arrays in
the field order of `repoctx.types`. It never changes; a ref's history is a list of ids that moves with the ref.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from typing import cast

import msgpack
import sqlalchemy as sa

from repoctx.store.facts import BATCH, batches
from repoctx.store.payload import COMPRESSION
from repoctx.store.snapshots import Ref
from repoctx.store.tables import commits, histories, insert
from repoctx.types import Change, Commit

# Part of the key: raise it when `source.history` reads commits otherwise.
VERSION = 1
# Commits that are packed at a time when they are stored.
WRITTEN = 500


def known(connection: sa.Connection, ids: Collection[str]) -> set[str]:
    """Which of the commits are stored."""
    found: set[str] = set()
    for batch in batches(sorted(set(ids)), BATCH):
        query = sa.select(commits.c.id).where(commits.c.version == VERSION, commits.c.id.in_(batch))
        found.update(connection.scalars(query))
    return found


def add(connection: sa.Connection, found: Iterable[Commit]) -> None:
    """Store commits; those that another writer stored first stay as they are.

    In order of their ids: writers that share commits then wait for each other instead of locking each other out.
    """
    for batch in batches(sorted(found), WRITTEN):
        rows = [{"id": commit.id, "version": VERSION, "payload": _encode(commit)} for commit in batch]
        connection.execute(insert(connection, commits).on_conflict_do_nothing(), rows)


def read(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Commit]:
    """The stored ones of the commits, in the order of their ids."""
    found: dict[str, Commit] = {}
    for batch in batches(sorted(set(ids)), BATCH):
        query = sa.select(commits.c.id, commits.c.payload)
        rows = connection.execute(query.where(commits.c.version == VERSION, commits.c.id.in_(batch)))
        found.update((identity, _decode(identity, payload)) for identity, payload in rows)
    return {identity: found[identity] for identity in ids if identity in found}


def _encode(commit: Commit) -> bytes:
    return zlib.compress(cast(bytes, msgpack.packb(commit[1:])), COMPRESSION)


def _decode(identity: str, payload: bytes) -> Commit:
    when, author, message, changes, files, parents = msgpack.unpackb(zlib.decompress(payload), use_list=False)
    return Commit(identity, when, author, message, tuple(Change(*row) for row in changes), files, parents)


# --- the history of a ref ----------------------------------------------------------------------


def set_history(connection: sa.Connection, repository: int, ref: str, commit: str, ids: Sequence[str]) -> None:
    """Note which commits led to what a ref points at, in the transaction that moves it there."""
    packed = cast(bytes, msgpack.packb([bytes.fromhex(identity) for identity in ids]))
    statement = insert(connection, histories).values(repository=repository, ref=ref, commit=commit, ids=packed)
    changed = {name: statement.excluded[name] for name in ("commit", "ids")}
    connection.execute(statement.on_conflict_do_update(index_elements=["repository", "ref"], set_=changed))


def history(connection: sa.Connection, where: Ref) -> list[str]:
    """Ids of the commits that led to what a ref pointed at, newest first; none if it has moved on since."""
    same = (histories.c.repository == where.repository, histories.c.ref == where.name)
    return unpacked(connection.scalar(sa.select(histories.c.ids).where(*same, histories.c.commit == where.commit)))


def unpacked(ids: bytes | None) -> list[str]:
    """The ids of a history, as hex; none for None."""
    return [identity.hex() for identity in msgpack.unpackb(ids)] if ids else []
