"""How is the truth of repoctx backed up and brought back? A program without dependencies but Postgres's own.

    python backup.py backup --folder /var/backups/repoctx --keep 14
    python backup.py restore /var/backups/repoctx/repoctx-20260102T030405Z.dump

The database is that of the settings: REPOCTX_DATABASE_URL, or the SQLite file in REPOCTX_HOME, which is
/var/lib/repoctx where nobody says so; what the environment does not say, the file of settings does (REPOCTX_CONFIG). A
backup is made while the service runs, and is whole or not there. Only an empty database is restored into. Of Postgres
it is the schema `public`: segments, clones and the queue (schema `dbos`, or `queue.db`) are made again.
"""

from __future__ import annotations

import argparse
import os
import re
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

# How the names of backups end: of Postgres, of SQLite.
DUMP, COPY = ".dump", ".sqlite"
# A URL of Postgres as repoctx reads it, where a password may hold "/" and "?": user, password, the place, parameters.
POSTGRES = re.compile(r"postgresql[+\w]*://(?:([^:/]*)(?::([^@]*))?@)?([^?]*)(?:\?(.*))?", re.DOTALL)
# By which variables Postgres's programs take the parameters that hold secrets.
SECRETS = {"password": "PGPASSWORD", "passfile": "PGPASSFILE", "sslkey": "PGSSLKEY"}


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
    try:
        url = database_url(os.environ)
        if asked.command == "backup":
            made = backup(url, asked.folder)
            print(made)
            for old in earlier(made)[asked.keep - 1 :] if asked.keep > 0 else ():
                old.unlink(missing_ok=True)
        else:
            restore(url, asked.file)
    except (Failed, OSError, sqlite3.Error) as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    return 0


def database_url(environment: Mapping[str, str]) -> str:
    """Where the database is: as for repoctx itself the environment goes before the file of settings."""
    folder = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    file = Path(environment.get("REPOCTX_CONFIG") or f"{folder}/repoctx/repoctx.toml")
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = {}
    except (ValueError, RecursionError, OSError) as error:
        raise Failed(f"{file} cannot be read: {error}") from error
    url, home = (environment.get(f"REPOCTX_{key.upper()}") or found.get(key, "") for key in ("database_url", "home"))
    if not isinstance(url, str) or not isinstance(home, str):
        raise Failed(f"the settings database_url and home in {file} must be text")
    return url or f"sqlite:///{Path(home or '/var/lib/repoctx').expanduser().absolute() / 'repoctx.db'}"


def backup(url: str, folder: Path) -> Path:
    """Write a backup: its path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = time.strftime("repoctx-%Y%m%dT%H%M%SZ", time.gmtime())
    whole = folder / f"{name}{COPY if sqlite(url) else DUMP}"
    with filled(whole) as part:
        if path := sqlite(url):
            if not path.is_file():
                raise Failed(f"there is no database {path}: set REPOCTX_HOME or REPOCTX_DATABASE_URL")
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
        else:
            postgres(url, ["pg_dump", "--schema=public", "--format=custom", f"--file={part}"])
    return whole


def earlier(made: Path) -> list[Path]:
    """The other backups of the same kind beside one, newest first; no file of another name is one."""
    name = re.compile(r"repoctx-[0-9]{8}T[0-9]{6}Z" + re.escape(made.suffix))
    others = (path for path in made.parent.iterdir() if name.fullmatch(path.name) and path != made)
    return sorted((path for path in others if path.is_file() and not path.is_symlink()), reverse=True)


@contextmanager
def filled(whole: Path) -> Iterator[Path]:
    """A file to fill that has its name afterwards: what has the name is whole. It is for its owner alone, since hashes
    of tokens and secrets of webhooks are in it."""
    part = whole.with_name(f".{whole.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.rename(whole)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, file: Path) -> None:
    """Fill an empty database from a backup. Raises Failed for one that is not empty, and for a damaged backup."""
    if not file.is_file():
        raise Failed(f"there is no backup {file}")
    if file.suffix != (COPY if sqlite(url) else DUMP):
        raise Failed(f"{file.name} is not of this kind of database: {DUMP} is Postgres, {COPY} is SQLite")
    if path := sqlite(url):
        if path.exists():
            raise Failed(f"{path} exists: stop repoctx, move it away, and restore again")
        # SQLite would take them for parts of what is restored.
        if left := [beside.name for end in ("wal", "shm", "journal") if (beside := Path(f"{path}-{end}")).exists()]:
            raise Failed(f"beside {path} there is still {' and '.join(left)}: stop repoctx, move that away too")
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as source:
            if source.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise Failed(f"{file} is damaged: take another backup")
            with filled(path) as part, closing(sqlite3.connect(part)) as target:
                source.backup(target)
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
    if not POSTGRES.fullmatch(url):
        raise Failed("REPOCTX_DATABASE_URL is neither sqlite:///PATH nor postgresql://…")
    return None


def postgres(url: str, command: list[str]) -> str:
    """Run a program of Postgres on the database: what it printed. Secrets go by the environment, where other users do
    not see them, and are in no message. Raises Failed."""
    plain, secrets = apart(url)
    words = [command[0], "--dbname", plain, *command[1:]]
    try:
        done = subprocess.run(words, env={**os.environ, **secrets}, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed: it comes with Postgres's client programs") from error
    if done.returncode:
        said = done.stderr.strip()
        for secret in secrets.values():  # before the cut, which may leave a part of one
            said = said.replace(secret, "***")
        raise Failed(f"{command[0]}: {said[-500:] or f'exit code {done.returncode}'}")
    return done.stdout


def apart(url: str) -> tuple[str, dict[str, str]]:
    """A URL of Postgres without its secrets, and those by the variables that say them instead. Raises Failed."""
    user, password, place, query = POSTGRES.fullmatch(url).groups(default="")
    given = parse_qsl(query, keep_blank_values=True)
    if any(name == "sslpassword" for name, _ in given):
        raise Failed("sslpassword of REPOCTX_DATABASE_URL cannot be kept secret from other users: use a key without it")
    secrets = {"PGPASSWORD": unquote(password)} | {SECRETS[name]: value for name, value in given if name in SECRETS}
    kept = urlencode([one for one in given if one[0] not in SECRETS], quote_via=quote, safe="/:,")
    plain = "postgresql://" + (f"{user}@" if user else "") + place + (f"?{kept}" if kept else "")
    return plain, {name: value for name, value in secrets.items() if value}


if __name__ == "__main__":
    sys.exit(main())
