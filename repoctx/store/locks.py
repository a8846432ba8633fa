"""Who may write a repository now? One process at a time, on one machine or on many."""

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
    """Hold the writer's place of a repository. Raises BusyError if another process has it.

    A file lock guards this machine, a Postgres advisory lock all machines; both go with the process
    that held them, however it ended.
    """
    busy = BusyError(f"another process is indexing {name!r}: wait until it has finished, then run this again")
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(name.encode()).digest()
    with (folder / f"{digest.hex()[:24]}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        if engine.dialect.name != "postgresql":
            yield
            return
        key = int.from_bytes(digest[:8], "big", signed=True)
        with engine.connect() as connection:
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
                raise busy
            connection.commit()
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
                connection.commit()
