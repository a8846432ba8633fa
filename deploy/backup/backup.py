"""How is the truth of repoctx backed up and brought back? A program without dependencies but Postgres's own.

    python backup.py backup --folder /var/backups/repoctx --keep 14
    python backup.py restore /var/backups/repoctx/repoctx-20260102T030405Z.dump

The database is that of REPOCTX_DATABASE_URL, or the SQLite file in REPOCTX_HOME. A backup is made while the service
runs, and is whole or not there. Only an empty database is restored into. Of Postgres it is the schema `public`:
segments, clones and the queue (schema `dbos`, or `queue.db`) are made again.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

# How the names of backups end: of Postgres, of SQLite.
DUMP, COPY = ".dump", ".sqlite"


class Failed(Exception):
    """One sentence for the operator."""


def main() -> int:
    """Do what the command line asks: the exit code."""
    parser = argparse.ArgumentParser(description="Back up the database of repoctx, or bring it back.")
    commands = parser.add_subparsers(dest="command", required=True)
    backs_up = commands.add_parser("backup", help="write a backup, and print its path")
    backs_up.add_argument("--folder", type=Path, required=True, help="folder of the backups")
    backs_up.add_argument("--keep", type=int, default=0, metavar="N", help="remove all but the newest N; 0: keep all")
    restores = commands.add_parser("restore", help="bring a backup back into an empty database")
    restores.add_argument("file", type=Path, help="the backup")
    asked = parser.parse_args()
    url = database_url(os.environ)
    try:
        if asked.command == "backup":
            print(backup(url, asked.folder))
            for old in sorted(asked.folder.glob("repoctx-*"))[: -asked.keep] if asked.keep > 0 else ():
                old.unlink()
        else:
            restore(url, asked.file)
    except (Failed, OSError, sqlite3.Error) as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    return 0


def database_url(environment: Mapping[str, str]) -> str:
    """Where the database is."""
    home = environment.get("REPOCTX_HOME", "/var/lib/repoctx")
    return environment.get("REPOCTX_DATABASE_URL") or f"sqlite:///{Path(home) / 'repoctx.db'}"


def backup(url: str, folder: Path) -> Path:
    """Write a backup: its path. A file of another name is filled first, so that what has its name is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    name = time.strftime("repoctx-%Y%m%dT%H%M%SZ", time.gmtime())
    whole = folder / f"{name}{COPY if sqlite(url) else DUMP}"
    part = folder / f".{whole.name}.part"
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # tokens' hashes and secrets of webhooks
    try:
        if path := sqlite(url):
            if not path.is_file():
                raise Failed(f"there is no database {path}: set REPOCTX_HOME or REPOCTX_DATABASE_URL")
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
        else:
            postgres(url, ["pg_dump", "--schema=public", "--format=custom", f"--file={part}"])
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.rename(whole)
    finally:
        part.unlink(missing_ok=True)
    return whole


def restore(url: str, file: Path) -> None:
    """Fill an empty database from a backup. Raises Failed for one that is not empty, and for a damaged backup."""
    if not file.is_file():
        raise Failed(f"there is no backup {file}")
    if file.suffix != (COPY if sqlite(url) else DUMP):
        raise Failed(f"{file.name} is not of this kind of database: {DUMP} is Postgres, {COPY} is SQLite")
    if path := sqlite(url):
        if path.exists():
            raise Failed(f"{path} exists: stop repoctx, move it away, and restore again")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as source:
            if source.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise Failed(f"{file} is damaged: take another backup")
            with closing(sqlite3.connect(part)) as target:
                source.backup(target)
        part.rename(path)
        return
    question = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    if postgres(url, ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", question]).strip() != "0":
        raise Failed("the database is not empty: make a new one with `createdb`, and name that in REPOCTX_DATABASE_URL")
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    postgres(url, ["pg_restore", "--schema=public", *options, str(file)])  # what is in it: it is there itself


def sqlite(url: str) -> Path | None:
    """The file of a SQLite database, None for one of Postgres."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return Path(rest.removeprefix("/"))
    if not scheme.startswith("postgresql"):
        raise Failed("REPOCTX_DATABASE_URL is neither sqlite:///PATH nor postgresql://…")
    return None


def postgres(url: str, command: list[str]) -> str:
    """Run a program of Postgres on the database: what it printed. The password goes by the environment, where other
    users do not see it. Raises Failed."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    environment = {**os.environ, **({"PGPASSWORD": unquote(password)} if password else {})}
    plain = urlunsplit(("postgresql", f"{user}@{host}" if user else host, *parts[2:]))
    words = [command[0], "--dbname", plain, *command[1:]]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed: it comes with Postgres's client programs") from error
    if done.returncode:
        raise Failed(f"{command[0]}: {done.stderr.strip()[-500:] or f'exit code {done.returncode}'}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
