"""How are the service and its workers started, watched and ended?"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from repoctx.errors import RefusedError, UsageError
from repoctx.serve.options import workspace

if TYPE_CHECKING:
    from repoctx.workspace import Workspace

# How much a worker beside the service gives way to questions and webhooks.
NICE = 10
# Connections that are open at a time, and that wait to be taken; more are told to come again.
MOST_CONNECTIONS, WAITING = 1000, 2048

LOG = click.option("--log", type=click.Choice(["text", "json"]), help="Form of the log [default: text on a terminal].")
ATTACHED = click.option("--attached", is_flag=True, hidden=True, help="End when standard input is closed.")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that answer.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="Processes that index.")
@ATTACHED
@LOG
@click.pass_context
def serve(
    context: click.Context, host: str, port: int, processes: int, workers: int, attached: bool, log: str | None
) -> int:
    """Run the service: REST, webhooks, and the workers that index what is pushed.

    Beyond this machine it listens only if there is a token (`repoctx token create`). On other machines, with Postgres,
    `repoctx worker` runs more workers.
    """
    from repoctx.serve import children

    # Before uvicorn listens to signals, and when it has ended and raises the one that it ended by.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    style = _logging(log)
    if attached:  # one of several that answer; what starts, watches and counts them is elsewhere
        end = lambda: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
        threading.Thread(target=_until_closed, args=(end,), daemon=True).start()
        with workspace(context) as opened, _address(host, port, shared=True) as bound:
            return _answer(opened, bound)
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(workspace(context))
        stack.enter_context(_counting())
        _ = opened.engine
        if not _is_loopback(host) and not _has_token(opened):
            raise UsageError(
                f"without a token only this machine may ask, so {host} is not listened on: make one with "
                "`repoctx token create --scope admin` first"
            )
        bound = stack.enter_context(_address(host, port, shared=processes > 1))
        port = bound.getsockname()[1]
        # The settings that flags may have given.
        os.environ |= {"REPOCTX_HOME": opened.settings.home, "REPOCTX_DATABASE_URL": opened.settings.database_url}
        for _ in range(workers):
            stack.enter_context(children.worker(opened, style))
        if processes > 1:
            answering = ["serve", "--attached", "--host", host, "--port", str(port), "--log", style]
            for _ in range(processes):
                stack.enter_context(children.kept("an answering process", answering))
            _await_one(bound)
        else:
            bound.listen(WAITING)
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        click.echo(f"repoctx serves {address}, pages at /, described at /v1/docs", err=True)
        if workers == 0:  # whoever indexes elsewhere sweeps a home of its own
            _sweep(opened)
        if processes == 1:
            return _answer(opened, bound)
        while True:
            time.sleep(3600)  # until a signal


@click.command()
@click.option("--metrics-port", type=click.IntRange(1, 65535), metavar="N", help="Serve metrics on this port.")
@click.option(
    "--metrics-host", default="127.0.0.1", show_default=True, help="Address of the metrics: they ask for no token."
)
@ATTACHED
@LOG
@click.pass_context
def worker(
    context: click.Context, metrics_port: int | None, metrics_host: str, attached: bool, log: str | None
) -> int:
    """Run index jobs, beside `repoctx serve` or, with Postgres, on any number of machines."""
    from repoctx.serve.work import work

    _logging(log)
    stop = threading.Event()
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        stop.set()

    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, interrupt)
    if attached:
        os.nice(NICE)
        threading.Thread(target=_until_closed, args=(stop.set,), daemon=True).start()
    with workspace(context) as opened:
        if metrics_port is not None:
            from prometheus_client import start_http_server

            try:
                start_http_server(metrics_port, metrics_host)
            except OSError as error:
                at = f"{metrics_host} port {metrics_port}"
                raise RefusedError(f"{at} cannot be used ({error.strerror}): choose another") from error
        code = work(opened, stop) or (130 if interrupted.is_set() else 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of an attempt that does not stop would hold the process up: it is taken over


def _logging(asked: str | None) -> str:
    """Configure the log: its form."""
    from repoctx.serve import logs

    style: logs.Format = "json" if asked == "json" or (asked is None and not sys.stderr.isatty()) else "text"
    logs.configure(style)
    return style


def _answer(opened: Workspace, bound: socket.socket) -> int:
    """Answer requests until told to end."""
    import uvicorn

    from repoctx.serve.children import GRACE
    from repoctx.serve.connections import EndingServer, PatientConnection
    from repoctx.serve.rest import create_app

    bound.listen(WAITING)
    app = create_app(opened)
    config = uvicorn.Config(
        app,
        http=PatientConnection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who asks is the other end of the connection, whatever it says
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
    EndingServer(config, app.state.service.stopping.set).run(sockets=[bound])
    return 0


def _sweep(opened: Workspace) -> None:
    """Have the files of this home swept day by day, for they grow with every push."""
    from repoctx.serve import collect, upkeep

    sweep = lambda: collect.files(opened)  # noqa: E731
    threading.Thread(target=upkeep.sweep_daily, args=(sweep, threading.Event()), name="sweep", daemon=True).start()


@contextlib.contextmanager
def _counting() -> Iterator[None]:
    """A folder where all processes of the service count together; metrics must not be imported before."""
    with tempfile.TemporaryDirectory(prefix="repoctx-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


@contextlib.contextmanager
def _address(host: str, port: int, shared: bool) -> Iterator[socket.socket]:
    """A socket at an address; `shared` with other processes of ours, each of which listens by itself, so that the
    system shares the connections out. Raises RefusedError for an address that cannot be used."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Named TCP, or asyncio holds back the second part of an answer until the first is acknowledged (40 ms).
        with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind((host, port))
            yield bound
    except socket.gaierror as error:
        raise UsageError(f"{host} is no address of this machine ({error.strerror}): give one that is") from error
    except OSError as error:
        if error.errno is None:
            raise
        why = f"{host} port {port} cannot be listened on ({error.strerror}): choose another with --port"
        raise RefusedError(why) from error


def _await_one(bound: socket.socket) -> None:
    """Wait until one of the processes that share an address listens there."""
    while True:
        with socket.socket(bound.family, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(bound.getsockname()) == 0:
                return
        time.sleep(0.1)


def _until_closed(end: Callable[[], object]) -> None:
    """Wait for the end of standard input: whoever started us is gone then."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    end()


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
