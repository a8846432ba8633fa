"""What does the model back end really do, in lines that people and programs read?"""

from __future__ import annotations

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
