"""What does a conversation begin with? The context that a chat was given, so that it stays the same bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.store.tables import conversations, insert

# That a conversation goes on is written down so often, in seconds; one that was silent for longer and begins in the
# same words is another one.
TOUCHED = 3600.0


class Kept(NamedTuple):
    """The context of a conversation, and the account of it."""

    context: str
    account: Mapping[str, Any]


def find(connection: sa.Connection, key: str, now: float, begins: bool = False) -> Kept | None:
    """The context of a conversation, None if there is none; `begins`: whether it may be a new one of that key."""
    found = sa.select(conversations.c.context, conversations.c.account, conversations.c.used_at)
    row = connection.execute(found.where(conversations.c.key == key)).first()
    if row is None:
        return None
    if now - row.used_at >= TOUCHED:
        if begins:
            return None
        connection.execute(conversations.update().where(conversations.c.key == key).values(used_at=now))
    return Kept(zlib.decompress(row.context).decode(), json.loads(row.account))


def keep(connection: sa.Connection, key: str, repository: int, kept: Kept, now: float) -> Kept:
    """Store the context of a conversation that begins: what is kept now, which is another's if he was faster."""
    values = {
        "key": key, "repository": repository, "context": zlib.compress(kept.context.encode()),
        "account": json.dumps(kept.account), "made_at": now, "used_at": now,
    }  # fmt: skip
    new = insert(connection, conversations).values(values)
    silent = conversations.c.used_at <= now - TOUCHED
    connection.execute(new.on_conflict_do_update(index_elements=["key"], set_=values, where=silent))
    return find(connection, key, now) or kept


def prune(connection: sa.Connection, before: float) -> int:
    """Forget the conversations that were not gone on with since a time."""
    return connection.execute(conversations.delete().where(conversations.c.used_at < before)).rowcount
