"""What does the model back end really do, in lines that people and programs read? And what stands in for one?"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from repoctx.errors import BackendError, NotFoundError
from repoctx.serve.options import JSON, workspace
from repoctx.serve.show import json_line, plain

MARKS = {True: "ok ", False: "BAD", None: "?  "}


@click.group()
def backend() -> None:
    """Look at the server that models are asked on."""


@backend.command()
@click.option("--model", metavar="M", help="The model that should be served there [default: that of packs].")
@click.option("--backend-url", metavar="URL", help="Base URL of an OpenAI-compatible server.")
@click.option("--backend-model", metavar="NAME", help="What the server calls the model [default: the first it lists].")
@click.option("--tier", metavar="NAME", help="The window that it should have [default: the largest that fits].")
@click.option("--long", is_flag=True, help="Send prompts as large as the window too, which takes minutes and money.")
@JSON
@click.pass_context
def check(
    context: click.Context, model: str | None, backend_url: str | None, backend_model: str | None, tier: str | None,
    long: bool, as_json: bool,
) -> None:  # fmt: skip
    """Prove what a server does: window, token counts, chat template, too long prompts, keys in long ones."""
    failed = 0
    with workspace(context, backend_url=backend_url, backend_model=backend_model) as opened:
        for found in opened.check_backend(model, tier, long):
            if as_json:
                line = {"check": found.name, "ok": found.ok, "detail": found.detail, **found.figures}
                click.echo(json_line(line))
            else:
                click.echo(f"{MARKS[found.ok]} {found.name}: {plain(found.detail)}")
            failed += found.ok is False
            if found.name == "reachable" and not found.ok:
                raise BackendError(plain(found.detail))
    if failed:
        raise NotFoundError(f"{failed} of the checks failed: see what their lines say")


@backend.command()
@click.argument("file", metavar="FILE")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Address to listen on.")
@click.option("--port", default=0, type=click.IntRange(0, 65_535), metavar="N", help="Port [default: a free one].")
@click.option("--log", metavar="F", help="Add each request to this file, as a line of JSON.")
def script(file: str, host: str, port: int, log: str | None) -> None:
    """Stand in for a model: serve the answers of a YAML file, good or broken, in the form of OpenAI's API."""
    from repoctx.serve.script import read
    from repoctx.serve.scripted import Server, request_log

    ended = threading.Event()
    with request_log(log) as lines, Server(read(Path(file)), host, port, lines) as server:
        signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        click.echo(f"serves {server.url}")
        try:
            ended.wait()
        finally:
            server.shutdown()
            serving.join()
