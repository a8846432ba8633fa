"""A Postgres server for tests: one that is named, one that runs on loopback, or one started here."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

# Where the distributions put the server's programs.
PROGRAMS = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")


@contextmanager
def server() -> Iterator[str | None]:
    """URL of a server on which databases may be made, None if there is none."""
    named = os.environ.get("REPOCTX_TEST_POSTGRES")
    if named:
        yield named
        return
    for user in ("postgres", pwd.getpwuid(os.getuid()).pw_name):
        url = f"postgresql://{user}@127.0.0.1:5432/postgres"
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            continue
        yield url
        return
    with _started() as started:
        yield started


@contextmanager
def _started() -> Iterator[str | None]:
    found = [p for pattern in PROGRAMS for p in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)]
    path = os.pathsep.join([*map(str, found), os.environ.get("PATH", "")])
    if not all(shutil.which(program, path=path) for program in ("initdb", "pg_ctl")):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="repoctx-postgres-"))
    # The server refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PATH": path}

    def call(*arguments: str) -> None:
        subprocess.run(arguments, check=True, capture_output=True, env=environment, user=user, cwd=folder)

    call("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    call("pg_ctl", "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """URL of a fresh, empty database, dropped afterwards."""
    name = f"repoctx_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield server_url.rsplit("/", 1)[0] + "/" + name
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
