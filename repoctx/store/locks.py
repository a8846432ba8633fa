"""Who may write a repository now, who make its vectors, and who sweep? One process each, on one machine or on many."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from repoctx.errors import BusyError

# Key of the Postgres advisory lock that whoever adds content shares, and whoever removes it has alone.
CONTENT = 0x7265706F676364
# How often a sweep looks whether those who add content have finished, in seconds.
LOOK = 0.05


# A transaction of whoever holds a place. In Postgres it is one of the very session that holds it: who was taken for
# dead, so that his place went to another, publishes nothing any more.
Publishing = Callable[[], AbstractContextManager[sa.Connection]]


@contextmanager
def writing(engine: sa.Engine, home: Path, name: str) -> Iterator[Publishing]:
    """Hold the writer's place of a repository. Raises BusyError if another process has it."""
    folder = folder_of(engine, home)
    taken = f"another process is indexing {name!r}"
    with _holding(engine, folder, name, taken) as session, _adding(session, folder):
        yield _publishing(engine, session)


@contextmanager
def embedding(engine: sa.Engine, home: Path, name: str, setting: str) -> Iterator[Publishing]:
    """Hold the place of who makes a slow model's vectors; the writer's place stays free. Raises BusyError."""
    folder = folder_of(engine, home)
    taken = f"another process is making the vectors of {name!r}"
    with _holding(engine, folder, f"{name}\0{setting}", taken) as session, _adding(session, folder):
        yield _publishing(engine, session)


def _publishing(engine: sa.Engine, session: sa.Connection | None) -> Publishing:
    @contextmanager
    def begun() -> Iterator[sa.Connection]:
        if session is None:
            with engine.begin() as connection:
                yield connection
        else:
            with session.begin():
                yield session

    return begun


@contextmanager
def sweeping(engine: sa.Engine, home: Path, wait: float, tick: Callable[[], object] = int) -> Iterator[None]:
    """Be the only one who changes content. Raises BusyError if others are at it for longer than `wait` seconds.

    Whoever comes after us waits at the gate until this is done or given up, so that a service that is never idle
    is swept too. `tick` is called while it waits.
    """
    folder = folder_of(engine, home)
    ends = time.monotonic() + wait
    busy = BusyError("index runs or other sweeps are under way: run `repoctx gc` again when they have finished")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for name in ("gate", "content"):
            file = held.enter_context(_opened(folder, name))
            while not _taken(file):
                if time.monotonic() >= ends:
                    raise busy
                tick()
                time.sleep(LOOK)
        if engine.dialect.name == "postgresql":
            connection = held.enter_context(engine.connect())
            patience = max(1, round((ends - time.monotonic()) * 1000))
            connection.execute(sa.text(f"SET LOCAL lock_timeout = {patience}"))
            try:
                connection.execute(sa.select(sa.func.pg_advisory_lock(CONTENT)))
            except sa.exc.OperationalError as error:
                raise busy from error
            connection.commit()
            held.callback(_unlock, connection, sa.func.pg_advisory_unlock(CONTENT))
        yield


def folder_of(engine: sa.Engine, home: Path) -> Path:
    """Where the locks of this machine lie: beside a SQLite file, for several homes may share it; else in the home."""
    file = ""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("PRAGMA database_list")
            file = next(row[2] for row in rows if row[1] == "main")  # as SQLite found it; "": in memory
    return Path(f"{os.path.realpath(file)}.locks") if file else home / "locks"


@contextmanager
def _adding(session: sa.Connection | None, folder: Path) -> Iterator[None]:
    """Add content that nothing points at yet: no sweep runs meanwhile. Waits for one that does."""
    with _opened(folder, "content") as file:
        with _opened(folder, "gate") as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)
            fcntl.flock(file, fcntl.LOCK_SH)
        if session is None:
            yield
            return
        session.execute(sa.select(sa.func.pg_advisory_lock_shared(CONTENT)))
        session.commit()
        try:
            yield
        finally:
            _unlock(session, sa.func.pg_advisory_unlock_shared(CONTENT))


@contextmanager
def _holding(engine: sa.Engine, folder: Path, key: str, taken: str) -> Iterator[sa.Connection | None]:
    """A file lock guards this machine, a Postgres advisory lock all machines; both go with the process
    that held them, however it ended. The session that has the latter."""
    busy = BusyError(f"{taken}: wait until it has finished, then run this again")
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(key.encode()).digest()
    with _opened(folder, f"{digest.hex()[:24]}.lock") as file:
        if not _taken(file):
            raise busy
        if engine.dialect.name != "postgresql":
            yield None
            return
        number = int.from_bytes(digest[:8], "big", signed=True)
        with engine.connect() as connection:
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
                raise busy
            connection.commit()
            try:
                yield connection
            finally:
                _unlock(connection, sa.func.pg_advisory_unlock(number))


def _unlock(connection: sa.Connection, function: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.select(function))
    connection.commit()


def _opened(folder: Path, name: str) -> TextIO:
    return (folder / name).open("w")


def _taken(file: TextIO) -> bool:
    """Whether a file's lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
