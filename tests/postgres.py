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
    with own() as server:
        yield server and server.url


class Own:
    """A server of a test's own, which it may stop and start."""

    def __init__(self, folder: Path, path: str, address: str) -> None:
        self._folder, self._address = folder, address
        self._environment = {**os.environ, "PATH": path}
        self._user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
        if self._user:
            shutil.chown(folder, self._user)
        with socket.socket() as probe:
            probe.bind((address, 0))
            self._port = probe.getsockname()[1]
        self.url = f"postgresql://postgres@{address}:{self._port}/postgres"
        self._call("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")
        with (folder / "data/pg_hba.conf").open("a") as file:
            file.write(f"host all all {address}/24 trust\n")  # of tests alone, as long as they run

    def _call(self, *arguments: str) -> None:
        subprocess.run(
            arguments, check=True, capture_output=True, env=self._environment, user=self._user, cwd=self._folder
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        folder = str(self._folder)
        listen = f"-p {self._port} -c listen_addresses={self._address}"
        options = f"{listen} -c unix_socket_directories={folder} -c fsync=off"
        self._call("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it as a crash does."""
        self._call("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")


@contextmanager
def own(address: str = "127.0.0.1") -> Iterator[Own | None]:
    """A server that runs at an address of this machine, None where its programs are not installed."""
    found = [p for pattern in PROGRAMS for p in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)]
    path = os.pathsep.join([*map(str, found), os.environ.get("PATH", "")])
    if not all(shutil.which(program, path=path) for program in ("initdb", "pg_ctl")):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="repoctx-postgres-"))
    server = Own(folder, path, address)
    server.start()
    try:
        yield server
    finally:
        server.stop()
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
