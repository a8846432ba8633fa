"""How are the service and its workers started, watched and ended?"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from repoctx.errors import RefusedError, UsageError
from repoctx.serve.background import PROGRAM
from repoctx.serve.options import workspace

if TYPE_CHECKING:
    from fastapi import FastAPI

    from repoctx.workspace import Workspace

# Seconds after which a worker that ended is started again, if it had not run for long.
AGAIN = 1.0
# A worker whose beats stand still for so long, in seconds, is killed; a new one may take long to begin.
HANGS = 30.0
# How much a worker beside the service gives way to questions and webhooks.
NICE = 10
# How long requests under way may take when the service is to end, in seconds.
GRACE = 10
# Connections that are open at a time; more are told to come again.
MOST_CONNECTIONS = 1000

# What tells the processes of a service the form of its log.
_STYLE = "_REPOCTX_LOG"

LOG = click.option("--log", type=click.Choice(["text", "json"]), help="Form of the log [default: text on a terminal].")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that answer.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="Processes that index.")
@LOG
@click.pass_context
def serve(context: click.Context, host: str, port: int, processes: int, workers: int, log: str | None) -> int:
    """Run the service: REST, webhooks, and the workers that index what is pushed.

    Beyond this machine it listens only if there is a token (`repoctx token create`). On other machines, with Postgres,
    `repoctx worker` runs more workers.
    """
    from repoctx.serve import logs

    # Before uvicorn listens to signals, and when it has ended and raises the one that it ended by.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    style = log or ("text" if sys.stderr.isatty() else "json")
    os.environ[_STYLE] = style
    logs.configure(style)  # type: ignore[arg-type]
    with workspace(context) as opened, _counting():
        _ = opened.engine
        if not _is_loopback(host) and not _has_token(opened):
            raise UsageError(
                f"without a token only this machine may ask, so {host} is not listened on: make one with "
                "`repoctx token create --scope admin` first"
            )
        with _listening(host, port) as bound, _environment(opened), _workers(workers, style, opened):
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{bound.getsockname()[1]}"
            click.echo(f"repoctx serves {address}, described in {address}/v1/openapi.json", err=True)
            return _answer(opened, bound, processes)


@click.command()
@click.option("--metrics-port", type=click.IntRange(1, 65535), metavar="N", help="Serve metrics here, on 127.0.0.1.")
@click.option("--attached", is_flag=True, hidden=True, help="End when standard input is closed.")
@LOG
@click.pass_context
def worker(context: click.Context, metrics_port: int | None, attached: bool, log: str | None) -> int:
    """Run index jobs, beside `repoctx serve` or, with Postgres, on any number of machines."""
    from repoctx.serve import logs
    from repoctx.serve.work import work

    logs.configure(log or ("text" if sys.stderr.isatty() else "json"))  # type: ignore[arg-type]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if attached:
        os.nice(NICE)
        threading.Thread(target=_until_closed, args=(stop,), daemon=True).start()
    with workspace(context) as opened:
        if metrics_port is not None:
            from prometheus_client import start_http_server

            try:
                start_http_server(metrics_port, "127.0.0.1")
            except OSError as error:
                raise RefusedError(f"port {metrics_port} cannot be used ({error.strerror}): choose another") from error
        code = work(opened, stop)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of an attempt that does not stop would hold the process up: it is taken over


def _answer(opened: Workspace, bound: socket.socket, processes: int) -> int:
    """Answer requests until told to end."""
    import uvicorn

    from repoctx.serve.connections import PatientConnection
    from repoctx.serve.rest import create_app

    options: dict[str, Any] = {
        "http": PatientConnection,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # who asks is the other end of the connection, whatever it says
        "limit_concurrency": MOST_CONNECTIONS,
        "timeout_graceful_shutdown": GRACE,
    }
    if processes == 1:
        uvicorn.Server(uvicorn.Config(create_app(opened), **options)).run(sockets=[bound])
        return 0
    from uvicorn.supervisors import Multiprocess

    config = uvicorn.Config("repoctx.serve.service:app", factory=True, workers=processes, **options)
    Multiprocess(config, [bound]).run()
    return 0


def app() -> FastAPI:
    """The service in one of several processes, which has its settings from the one that started it."""
    from repoctx.serve import logs
    from repoctx.serve.rest import create_app

    logs.configure(os.environ[_STYLE])  # type: ignore[arg-type]
    threading.Thread(target=_until_orphaned, args=(os.getppid(),), daemon=True).start()
    return create_app()


def _until_orphaned(parent: int) -> None:
    """End with the process that started us, however it ends: nobody would start us again, or run what we take."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _counting() -> Iterator[None]:
    """A folder where all processes of the service count together; metrics must not be imported before."""
    with tempfile.TemporaryDirectory(prefix="repoctx-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens. Raises RefusedError for an address that cannot be used."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.listen(2048)
            bound.set_inheritable(True)
            yield bound
    except OSError as error:
        if error.errno is None and not isinstance(error, socket.gaierror):
            raise
        raise RefusedError(f"{host} port {port} cannot be listened on ({error.strerror}): choose another") from error


@contextlib.contextmanager
def _environment(opened: Workspace) -> Iterator[None]:
    """Let the processes of the service have the settings that flags may have given."""
    os.environ["REPOCTX_HOME"] = opened.settings.home
    os.environ["REPOCTX_DATABASE_URL"] = opened.settings.database_url
    yield


@contextlib.contextmanager
def _workers(count: int, style: str, opened: Workspace) -> Iterator[None]:
    """Keep so many workers running. They end with us, however we end: their standard input closes then."""
    stop = threading.Event()
    keepers = [threading.Thread(target=_keep, args=(stop, style, opened), daemon=True) for _ in range(count)]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        stop.set()
        for keeper in keepers:
            keeper.join(GRACE + 5)


def _keep(stop: threading.Event, style: str, opened: Workspace) -> None:
    """Start a worker, and again whenever it ends or hangs, until told to stop."""
    import structlog

    log = structlog.get_logger()
    while not stop.is_set():
        try:
            process = subprocess.Popen([*PROGRAM, "worker", "--attached", "--log", style], stdin=subprocess.PIPE)
        except OSError as error:
            log.error("a worker cannot be started: trying again", error=str(error))
            stop.wait(AGAIN)
            continue
        beats, since = -1, time.monotonic()
        while process.poll() is None and not stop.wait(0.2):
            found = _beats(opened, process.pid)
            if found != beats:
                beats, since = found, time.monotonic()
            elif time.monotonic() - since > HANGS:
                log.error("a worker hangs: it is killed")
                process.kill()
                process.wait()
        if process.poll() is None:
            _end(process)
        elif not stop.is_set():
            log.error("a worker ended: it is started again", code=process.returncode)
            stop.wait(AGAIN)


def _beats(opened: Workspace, pid: int) -> int:
    """The beats of a worker on this machine; something else each time if they cannot be told."""
    from repoctx.errors import StorageError
    from repoctx.serve.hosts import host
    from repoctx.store import jobs
    from repoctx.store.connect import errors

    try:
        with errors(opened.engine), opened.engine.connect() as connection:
            found = [one.beats for one in jobs.all_workers(connection) if (one.pid, one.host) == (pid, host())]
    except StorageError:
        return time.monotonic_ns()
    return found[0] if found else -2


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until_closed(stop: threading.Event) -> None:
    """Wait for the end of standard input: whoever started us is gone then."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    stop.set()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _has_token(opened: Workspace) -> bool:
    from repoctx.store import access
    from repoctx.store.connect import errors

    with errors(opened.engine), opened.engine.connect() as connection:
        return any(token.valid(time.time()) for token in access.all_tokens(connection))
