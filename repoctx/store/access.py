"""Who may ask, for what, and who did what?"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.store.tables import audit, tokens

SCOPES = ("read", "write", "admin")  # each may do what those before it may
# A token: what it is, its id, its secret part of 32 random bytes.
_TOKEN = re.compile(r"rctx_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Token(NamedTuple):
    """What a token allows. Times are seconds since 1970."""

    id: str
    name: str
    hash: str
    scope: str
    repositories: tuple[str, ...] | None  # names; None: all
    created_at: float
    expires_at: float | None
    revoked_at: float | None

    def valid(self, now: float) -> bool:
        """Whether it has neither expired nor been revoked."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def _token(row: Any) -> Token:
    found = Token(*row)
    return found._replace(repositories=found.repositories and tuple(json.loads(str(found.repositories))))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    connection: sa.Connection, name: str, scope: str, repositories: tuple[str, ...] | None, now: float,
    expires_at: float | None = None,
) -> tuple[Token, str]:  # fmt: skip
    """A new token, and the text that its owner shows; the text is kept nowhere."""
    identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    made = Token(identity, name, _hash(secret), scope, repositories, now, expires_at, None)
    values = made._asdict() | {"repositories": None if repositories is None else json.dumps(repositories)}
    connection.execute(tokens.insert().values(values))
    return made, f"rctx_{identity}_{secret}"


def check(connection: sa.Connection, text: str, now: float) -> Token | None:
    """The token that a text is, if it is valid; takes the same time whatever part of its secret is wrong."""
    parts = _TOKEN.fullmatch(text)
    if parts is None:
        return None
    row = connection.execute(sa.select(tokens).where(tokens.c.id == parts[1])).first()
    found = _token(row) if row else None
    right = hmac.compare_digest(_hash(parts[2]), found.hash if found else "0" * 64)
    return found if found and right and found.valid(now) else None


def still(connection: sa.Connection, token: Token, now: float) -> bool:
    """Whether a token that was checked before is valid now."""
    row = connection.execute(sa.select(tokens).where(tokens.c.id == token.id)).first()
    return row is not None and _token(row).valid(now)


def exist(connection: sa.Connection) -> bool:
    """Whether there is any token, be it valid or not: from the first one on nobody asks without."""
    return connection.execute(sa.select(tokens.c.id).limit(1)).first() is not None


def all_tokens(connection: sa.Connection) -> list[Token]:
    """Every token, the oldest first."""
    return [_token(row) for row in connection.execute(sa.select(tokens).order_by(tokens.c.created_at, tokens.c.id))]


def revoke(connection: sa.Connection, identity: str, now: float) -> bool:
    """Make a token invalid for good; False if there is none of that id, or it was revoked before."""
    alive = (tokens.c.id == identity, tokens.c.revoked_at.is_(None))
    return connection.execute(tokens.update().where(*alive).values(revoked_at=now)).rowcount == 1


# --- the audit log -----------------------------------------------------------------------------


class Entry(NamedTuple):
    """What somebody did, or tried to do. The time is seconds since 1970."""

    id: int
    at: float
    token: str | None  # its id; None: nobody, or the local user
    address: str
    action: str
    repository: str | None
    status: int  # of the answer
    request: str  # its id, as the log has it


def note(connection: sa.Connection, entry: Entry) -> None:
    """Add to the log; the entry's id is not used."""
    connection.execute(audit.insert().values({k: v for k, v in entry._asdict().items() if k != "id"}))


def entries(connection: sa.Connection, before: int | None = None, limit: int = 100) -> list[Entry]:
    """The log, the newest first, of what is older than an entry."""
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [Entry(*row) for row in connection.execute(query)]


def prune(connection: sa.Connection, before: float) -> int:
    """Forget what is older than a time."""
    return connection.execute(audit.delete().where(audit.c.at < before)).rowcount
