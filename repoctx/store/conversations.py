"""What does a conversation begin with? The context that a chat was given, so that it stays the same bytes."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.store.tables import conversations, insert

# That a conversation goes on is written down so often, in seconds; one that was silent for longer and begins in the
# same words is another one.
TOUCHED = 3600.0
# Conversations that are kept of one caller about one repository; one of 16,000 tokens takes some 20 kB.
MOST = 2_000
# Digits of a key that say whose conversation it is, and about what; the others say how it begins.
_OWNER, _KEY = 16, 64


class Kept(NamedTuple):
    """The context of a conversation, and the account of it."""

    context: str
    account: Mapping[str, Any]


def key(owner: Sequence[Any], begins: Sequence[Any]) -> str:
    """What a conversation is known by: whose it is (JSON values), and how it begins."""
    whose, how = (hashlib.sha256(json.dumps(told).encode()).hexdigest() for told in (owner, (owner, begins)))
    return whose[:_OWNER] + how[: _KEY - _OWNER]


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


def keep(connection: sa.Connection, key: str, repository: int, kept: Kept, now: float, most: int = MOST) -> Kept:
    """Store the context of a conversation that begins: what is kept now, which is another's if he was faster.

    Beyond `most` of an owner, those that were not gone on with for longest are forgotten.
    """
    values = {
        "key": key, "repository": repository, "context": zlib.compress(kept.context.encode()),
        "account": json.dumps(kept.account), "made_at": now, "used_at": now,
    }  # fmt: skip
    new = insert(connection, conversations).values(values)
    silent = conversations.c.used_at <= now - TOUCHED
    connection.execute(new.on_conflict_do_update(index_elements=["key"], set_=values, where=silent))
    _bound(connection, key[:_OWNER], most)
    return find(connection, key, now) or kept


def _bound(connection: sa.Connection, owner: str, most: int) -> None:
    table = conversations.c
    width = _KEY - _OWNER
    own = table.key.between(owner + "0" * width, owner + "f" * width)
    count = connection.execute(sa.select(sa.func.count()).select_from(conversations).where(own)).scalar_one()
    if count > most:
        oldest = sa.select(table.key).where(own).order_by(table.used_at, table.key).limit(count - most)
        connection.execute(conversations.delete().where(table.key.in_(oldest)))


def prune(connection: sa.Connection, before: float) -> int:
    """Forget the conversations that were not gone on with since a time."""
    return connection.execute(conversations.delete().where(conversations.c.used_at < before)).rowcount
