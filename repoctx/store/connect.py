"""Where is the database, is its schema current, and what do its errors mean to a user?"""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from repoctx.errors import StorageError, UsageError
from repoctx.store.glance import HEAD as HEAD

# How long a writer waits for another one before it gives up, in seconds.
LOCK_WAIT = 30
# A database on another machine may fall silent without a word, as when a cable is pulled: either side gives a
# connection up that has been silent for about so long, in seconds, and the server lets go of the locks that it held.
# Less than the beats of a worker may stand still (`jobs.stale_seconds`): it stops before its jobs are run elsewhere.
SILENT = 10
_KEEPALIVES = {"keepalives_idle": 4, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": SILENT * 1000}
# Connections that are kept, and others that are made while many threads ask: a service has forty.
POOL, MORE = 5, 45
# Parameters of a database URL that hold secrets.
SECRET_PARAMETERS = frozenset({"password", "passfile", "sslpassword", "sslkey"})
# Key of the Postgres advisory lock that makes concurrent migrations take turns.
MIGRATION_LOCK = 0x7265706F637478


def connect(url: str) -> sa.Engine:
    """An engine on a database whose schema is current. Raises UsageError and StorageError."""
    try:
        parsed = sa.engine.make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif parsed.get_backend_name() != "sqlite":
            raise UsageError(f"database {parsed.get_backend_name()!r} is not supported: use sqlite or postgresql")
        if parsed.get_backend_name() == "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise UsageError("a database in memory keeps nothing: set REPOCTX_DATABASE_URL to sqlite:///PATH")
            parsed = _readable(parsed, Path(str(parsed.database)))
        if parsed.get_backend_name() == "postgresql":
            engine = postgres(parsed, pool_size=POOL, max_overflow=MORE)
        else:
            engine = sa.create_engine(parsed, pool_size=POOL, max_overflow=MORE)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise UsageError(
            f"the database URL cannot be used ({type(error).__name__}): set REPOCTX_DATABASE_URL to sqlite:///PATH or "
            "postgresql://…, the latter with the `postgres` extra installed"
        ) from error
    except OSError as error:
        folder = Path(str(parsed.database)).parent
        raise StorageError(
            f"the folder of the database, {folder}, cannot be made ({error.strerror}): set REPOCTX_HOME to another one"
        ) from error
    if engine.dialect.name == "sqlite" and "immutable" not in engine.url.query:
        sa.event.listen(engine, "connect", _configure_sqlite)
    try:
        with errors(engine):
            if version(engine) != HEAD:
                migrate(engine)
    except Exception:
        engine.dispose()  # nobody else closes what it has opened by now
        raise
    return engine


def postgres(url: sa.engine.URL, *, idle_seconds: int = 0, **pool: int) -> sa.Engine:
    """An engine on a Postgres server that may go away at any time, or fall silent. What the URL says of that counts.

    A transaction in which nothing happens for `idle_seconds` is ended by the server; 0: none is.
    """
    given = {name: value for name, value in url.query.items() if name in _KEEPALIVES and str(value).isdecimal()}
    kept = {"connect_timeout": SILENT, **_KEEPALIVES}
    arguments = {name: value for name, value in kept.items() if name not in url.query}
    engine = sa.create_engine(url, pool_pre_ping=True, connect_args=arguments, **pool)
    spelled = {name if name.startswith("tcp") else f"tcp_{name}": n for name, n in {**_KEEPALIVES, **given}.items()}
    wanted = spelled | ({"idle_in_transaction_session_timeout": idle_seconds * 1000} if idle_seconds else {})
    # Of the session, not of the start of the connection: poolers in between refuse what they do not know there.
    told = "SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in wanted.items())

    def tell(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.execute(told)
        connection.commit()

    sa.event.listen(engine, "connect", tell)
    return engine


def _readable(url: sa.engine.URL, path: Path) -> sa.engine.URL:
    """The URL of a SQLite file; one in a folder that cannot be written is opened for reading only."""
    if path.is_file() and not os.access(path.parent, os.W_OK):
        return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "immutable": "1", "uri": "true"})
    path.parent.mkdir(parents=True, exist_ok=True)
    return url


def _configure_sqlite(connection, _record) -> None:  # type: ignore[no-untyped-def]
    connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def version(engine: sa.Engine) -> str | None:
    """The schema version of a database, None if it is empty."""
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "alembic_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return found


def migrations() -> Path:
    """The folder of migrations: inside an installed wheel, or at the top of a checkout."""
    package = Path(str(importlib.resources.files("repoctx")))
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def migrate(engine: sa.Engine) -> None:
    """Bring the schema up to date. Several processes may do so at once: they take turns."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        except CommandError as error:
            raise StorageError(
                f"the database {describe(engine)} was written by another version of repoctx ({error}): use that "
                "version, or set REPOCTX_HOME to another folder"
            ) from error
        finally:
            if engine.dialect.name == "postgresql":
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
                connection.commit()


@contextmanager
def errors(engine: sa.Engine) -> Iterator[None]:
    """Turn what the database says into one sentence. Raises StorageError."""
    try:
        yield
    except DBAPIError as error:
        raise StorageError(f"the database {describe(engine)} {explain(str(error.orig))}") from error
    except sa.exc.TimeoutError as error:
        raise StorageError(f"the database {describe(engine)} has no connection free: try again") from error


def describe(engine: sa.Engine) -> str:
    """The database's address without its password."""
    return shown(engine.url)


def shown(url: sa.engine.URL) -> str:
    """A database URL that may be shown: no password, neither before the host nor in the query."""
    kept = {name: value for name, value in url.query.items() if name not in SECRET_PARAMETERS}
    return url.set(query=kept).render_as_string(hide_password=True)


def explain(message: str) -> str:
    """What to do about a driver's message."""
    if "disk is full" in message or "disk I/O error" in message:
        return "could not be written: the disk is full or failing; free some space and run the command again"
    if "readonly" in message or "read-only" in message:
        return "is read-only: make it writable, or set REPOCTX_HOME to a folder that is"
    if "locked" in message:
        return f"stayed locked by another process for {LOCK_WAIT} s: try again when that has finished"
    if "malformed" in message or "not a database" in message:
        return "is damaged: delete it and index again, or restore a copy"
    if "unable to open" in message:
        return "cannot be opened: check that its folder exists and is writable, or set REPOCTX_HOME"
    first = message.strip().splitlines()[0]
    if "connection failed" in message or "could not connect" in message:
        return f"cannot be reached ({first}): see that it runs and lets you in, or change REPOCTX_DATABASE_URL"
    return f"cannot be used: {first}"
