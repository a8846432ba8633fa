"""Who runs jobs, and is heard of?"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from repoctx.store.tables import workers


class Worker(NamedTuple):
    """A process that runs jobs."""

    id: str
    host: str
    pid: int
    started_at: float
    beats: int


def enlist(connection: sa.Connection, worker: Worker) -> None:
    """Make a worker known."""
    connection.execute(workers.insert().values(worker._asdict()))


def beat(connection: sa.Connection, identity: str) -> bool:
    """Say that a worker lives; False if it was taken for dead."""
    lives = workers.update().where(workers.c.id == identity).values(beats=workers.c.beats + 1)
    return connection.execute(lives).rowcount == 1


def every(connection: sa.Connection) -> list[Worker]:
    """Every worker that is known, dead ones that nobody has buried among them."""
    return [Worker(*row) for row in connection.execute(sa.select(workers).order_by(workers.c.id))]


def bury(connection: sa.Connection, worker: Worker) -> bool:
    """Strike a worker that is dead off the list; False if another has, or if it is alive."""
    same = (workers.c.id == worker.id, workers.c.beats == worker.beats)
    return connection.execute(workers.delete().where(*same)).rowcount == 1


def named(engine: sa.Engine, identity: str) -> sa.Engine:
    """An engine whose sessions, in Postgres, are known to be those of a worker from now on."""
    if engine.dialect.name != "postgresql":
        return engine

    def tell(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.execute("SELECT set_config('application_name', %s, false)", [_session(identity)])
        connection.commit()

    sa.event.listen(engine, "connect", tell)
    engine.dispose()
    return engine


def patient(connection: sa.Connection, seconds: int) -> None:
    """Have the rest of a transaction wait so long for locks of others, in Postgres."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SET LOCAL lock_timeout = {seconds * 1000}"))


def end_sessions(connection: sa.Connection, identity: str) -> int:
    """End what Postgres still does for a worker that was taken for dead, how many sessions: one that only hangs holds
    its locks, of repositories and of rows, for as long as its machine answers."""
    if connection.dialect.name != "postgresql":
        return 0
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :session"
    query += " AND datname = current_database() AND usename = current_user"
    return len(connection.execute(sa.text(query), {"session": _session(identity)}).all())


def _session(identity: str) -> str:
    return f"repoctx {identity}"


def dismiss(connection: sa.Connection, identity: str) -> None:
    """Strike a worker off the list that ends."""
    connection.execute(workers.delete().where(workers.c.id == identity))
