"""How does somebody read the documentation? `repoctx docs [TOPIC]`, in the terminal."""

from __future__ import annotations

import sys
from typing import Any

import click

from repoctx.errors import NotFoundError

# Columns of a document on a terminal.
WIDEST = 120


def names(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[Any]:
    """The topics that begin so, for the shell."""
    from click.shell_completion import CompletionItem

    from repoctx.docs import topics

    return [CompletionItem(topic.name, help=topic.summary) for topic in topics() if topic.name.startswith(begun)]


@click.command()
@click.argument("topic", required=False, shell_complete=names)
def docs(topic: str | None) -> None:
    """Read the documentation; without TOPIC, list what there is.

    On a terminal it is laid out; piped it is Markdown. A service shows the same at /docs.
    """
    from repoctx.docs import text, topics

    if topic is None:
        width = max(len(one.name) for one in topics())
        for one in topics():
            click.echo(f"{one.name:{width}}  {one.summary}")
        return
    known = [one.name for one in topics()]
    begun = [name for name in known if name.startswith(topic.lower())]
    if len(begun) == 1 and topic not in known:
        raise NotFoundError(f"no topic is called {topic[:100]!r}: did you mean {begun[0]!r}?")
    said = text(topic)
    if not sys.stdout.isatty():
        click.echo(said, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    wide = Console()
    # Links are names of files: they are written out. Longer lines are hard to read.
    wide.print(Markdown(said, hyperlinks=False), width=min(wide.width, WIDEST))
