"""Who may write a repository now, and who make its vectors? One process each, on one machine or on many."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from repoctx.errors import BusyError


@contextmanager
def writing(engine: sa.Engine, folder: Path, name: str) -> Iterator[None]:
    """Hold the writer's place of a repository. Raises BusyError if another process has it."""
    with _holding(engine, folder, name, f"another process is indexing {name!r}"):
        yield


@contextmanager
def embedding(engine: sa.Engine, folder: Path, name: str, setting: str) -> Iterator[None]:
    """Hold the place of who makes a slow model's vectors; the writer's place stays free. Raises BusyError."""
    with _holding(engine, folder, f"{name}\0{setting}", f"another process is making the vectors of {name!r}"):
        yield


@contextmanager
def _holding(engine: sa.Engine, folder: Path, key: str, taken: str) -> Iterator[None]:
    """A file lock guards this machine, a Postgres advisory lock all machines; both go with the process
    that held them, however it ended."""
    busy = BusyError(f"{taken}: wait until it has finished, then run this again")
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(key.encode()).digest()
    with (folder / f"{digest.hex()[:24]}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        if engine.dialect.name != "postgresql":
            yield
            return
        number = int.from_bytes(digest[:8], "big", signed=True)
        with engine.connect() as connection:
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
                raise busy
            connection.commit()
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
                connection.commit()
