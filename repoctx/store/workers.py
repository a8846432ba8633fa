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


def dismiss(connection: sa.Connection, identity: str) -> None:
    """Strike a worker off the list that ends."""
    connection.execute(workers.delete().where(workers.c.id == identity))
