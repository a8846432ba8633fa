"""How does the service look after a repository, and which deliveries has it acknowledged?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.store import snapshots
from repoctx.store.facts import BATCH, batches
from repoctx.store.snapshots import Repository
from repoctx.store.tables import deliveries, insert, refs, registrations, repositories


class Registration(NamedTuple):
    """How a repository's server is reached, and how pushes to it are learnt of. Times are seconds since 1970."""

    place: str  # normal form of the clone URL
    secrets: tuple[str, ...] = ()  # of webhooks, the newest first: literals, env:NAME or file:PATH
    credential: str = ""  # env:NAME or file:PATH
    login: str = ""  # the user name that goes with it
    follow: tuple[str, ...] = ()  # patterns of refs that are indexed when they are pushed
    moves: bool = True  # whether the default ref is whatever the forge says
    poll_seconds: int = 0  # 0: never
    polled_at: float = 0.0
    pushed_at: float | None = None
    created_at: float = 0.0


class Registered(NamedTuple):
    """A repository and how the service looks after it."""

    repository: Repository
    registration: Registration


_JSON = ("secrets", "follow")
_QUERY = sa.select(repositories, *(registrations.c[name] for name in Registration._fields)).join_from(
    repositories, registrations, repositories.c.id == registrations.c.repository
)


def _registered(row: Any) -> Registered:
    size = len(Repository._fields)
    found = Registration(*row[size:])
    loaded: dict[str, Any] = {name: tuple(json.loads(getattr(found, name))) for name in _JSON}
    return Registered(Repository(*row[:size]), found._replace(moves=bool(found.moves), **loaded))


def _values(registration: Registration) -> dict[str, Any]:
    values: dict[str, Any] = registration._asdict()
    return values | {name: json.dumps(values[name]) for name in _JSON} | {"moves": int(registration.moves)}


def register(connection: sa.Connection, repository: Repository, registration: Registration) -> Registered | None:
    """Make a repository known before it is indexed, or one that is indexed known to the service.

    None if its name is taken by another location. What was registered before is replaced.
    """
    values = {name: getattr(repository, name) for name in ("name", "location", "default_ref")}
    connection.execute(insert(connection, repositories).values(values).on_conflict_do_nothing())
    row = connection.execute(sa.select(repositories).where(repositories.c.name == repository.name)).one()
    found = Repository(*row)
    if found.location != repository.location:
        return None
    if repository.default_ref and repository.default_ref != found.default_ref:
        snapshots.set_default(connection, found, repository.default_ref)
        found = found._replace(default_ref=repository.default_ref)
    update(connection, found.id, registration)
    return Registered(found, registration)


def update(connection: sa.Connection, repository: int, registration: Registration) -> None:
    """Replace how a repository is looked after."""
    values = _values(registration)
    new = insert(connection, registrations).values(values | {"repository": repository})
    connection.execute(new.on_conflict_do_update(index_elements=["repository"], set_=values))


def of(connection: sa.Connection, repository: int) -> Registration | None:
    """How a repository is looked after; None if the service does not."""
    row = connection.execute(_QUERY.where(repositories.c.id == repository)).first()
    return _registered(row).registration if row else None


def found(connection: sa.Connection, names: Sequence[str], places: Sequence[str]) -> list[Registered]:
    """The registered repositories that have any of some names, or are at any of some places; by name."""
    found: dict[int, Registered] = {}
    for column, values in ((repositories.c.name, names), (registrations.c.place, places)):
        for batch in batches(values, BATCH):
            for row in connection.execute(_QUERY.where(column.in_(batch))):
                found[row.id] = _registered(row)
    return sorted(found.values(), key=lambda one: one.repository.name)


def remove(connection: sa.Connection, repository: int) -> None:
    """Forget a repository: its refs, jobs, deliveries and all else that is said of it alone."""
    connection.execute(repositories.delete().where(repositories.c.id == repository))


def pushed(connection: sa.Connection, ids: Sequence[int], now: float) -> None:
    """Note that pushes to some repositories were heard of."""
    if ids:
        connection.execute(registrations.update().where(registrations.c.repository.in_(ids)).values(pushed_at=now))


def due_polls(connection: sa.Connection, now: float, every: int, most: int) -> list[Registered]:
    """Up to `most` repositories whose server is to be asked for its refs now, the longest overdue first: `every` so
    many seconds, or as they say."""
    interval = sa.case((registrations.c.poll_seconds > 0, registrations.c.poll_seconds), else_=every)
    due = (interval > 0, registrations.c.polled_at + interval <= now)
    longest = registrations.c.polled_at + interval, repositories.c.id
    return [_registered(row) for row in connection.execute(_QUERY.where(*due).order_by(*longest).limit(most))]


def claim_poll(connection: sa.Connection, found: Registered, now: float) -> bool:
    """Be the one that asks; False if another worker is."""
    same = (
        registrations.c.repository == found.repository.id,
        registrations.c.polled_at == found.registration.polled_at,
    )
    return connection.execute(registrations.update().where(*same).values(polled_at=now)).rowcount == 1


def pending(connection: sa.Connection) -> list[tuple[str, str]]:
    """Repositories and their refs that wait for the vectors of another model, by name."""
    query = sa.select(repositories.c.name, refs.c.name).join_from(repositories, refs).where(refs.c.pending.is_not(None))
    return [(row[0], row[1]) for row in connection.execute(query.order_by(repositories.c.name, refs.c.name))]


# --- deliveries --------------------------------------------------------------------------------


class Delivered(NamedTuple):
    """A delivery, and the jobs that stand for it."""

    repository: int
    forge: str
    delivery: str
    event: str
    jobs: list[str]


_KEY = (deliveries.c.repository, deliveries.c.forge, deliveries.c.delivery)
_DELIVERED = sa.select(*_KEY, deliveries.c.jobs).where(sa.tuple_(*_KEY).in_(sa.bindparam("keys", expanding=True)))


def delivered(connection: sa.Connection, keys: Sequence[tuple[int, str, str]]) -> dict[tuple[int, str, str], list[str]]:
    """Those of some deliveries (repository, forge, its id) that were acknowledged before, with their jobs."""
    rows = connection.execute(_DELIVERED, {"keys": sorted(set(keys))})
    return {(row[0], row[1], row[2]): json.loads(row[3]) for row in rows}


def deliver(connection: sa.Connection, new: Sequence[Delivered], now: float) -> None:
    """Note deliveries, in the transaction that submits their jobs; one that another process was first with stays."""
    if new:
        values = [one._asdict() | {"jobs": json.dumps(one.jobs), "received_at": now} for one in new]
        connection.execute(insert(connection, deliveries).on_conflict_do_nothing(), values)


class Received(NamedTuple):
    """A delivery that was acknowledged. The time is seconds since 1970."""

    forge: str
    delivery: str
    event: str
    received_at: float
    jobs: list[str]


def latest(connection: sa.Connection, repository: int, limit: int) -> list[Received]:
    """The deliveries of a repository, the newest first."""
    columns = [deliveries.c[name] for name in Received._fields]
    newest = deliveries.c.received_at.desc(), deliveries.c.delivery
    rows = connection.execute(
        sa.select(*columns).where(deliveries.c.repository == repository).order_by(*newest).limit(limit)
    )
    return [Received(*row)._replace(jobs=json.loads(row.jobs)) for row in rows]


def prune(connection: sa.Connection, before: float) -> int:
    """Forget deliveries that were received before a time."""
    return connection.execute(deliveries.delete().where(deliveries.c.received_at < before)).rowcount
