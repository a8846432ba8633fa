"""What does a conversation begin with? The context that a chat was given, so that it stays the same bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.store.tables import conversations, insert

# That a conversation goes on is written down so often, in seconds.
TOUCHED = 3600.0


class Kept(NamedTuple):
    """The context of a conversation, and the account of it."""

    context: str  # "" if it has none
    account: Mapping[str, Any]


def find(connection: sa.Connection, key: str, now: float) -> Kept | None:
    """The context of a conversation; None if it begins now."""
    found = sa.select(conversations.c.context, conversations.c.account, conversations.c.used_at)
    row = connection.execute(found.where(conversations.c.key == key)).first()
    if row is None:
        return None
    if now - row.used_at >= TOUCHED:
        connection.execute(conversations.update().where(conversations.c.key == key).values(used_at=now))
    return Kept(zlib.decompress(row.context).decode(), json.loads(row.account))


def keep(connection: sa.Connection, key: str, repository: int, kept: Kept, now: float) -> Kept:
    """Store the context of a conversation: what is kept now, which is another's if he was faster."""
    values = {
        "key": key, "repository": repository, "context": zlib.compress(kept.context.encode()),
        "account": json.dumps(kept.account), "made_at": now, "used_at": now,
    }  # fmt: skip
    connection.execute(insert(connection, conversations).values(values).on_conflict_do_nothing())
    return find(connection, key, now) or kept


def prune(connection: sa.Connection, before: float) -> int:
    """Forget the conversations that were not gone on with since a time."""
    return connection.execute(conversations.delete().where(conversations.c.used_at < before)).rowcount
