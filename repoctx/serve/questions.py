"""The commands that ask the symbol graph: refs, callers, callees, impact, graph export, cycles, communities."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import click

from repoctx.errors import NotFoundError, UsageError
from repoctx.serve import graph_text
from repoctx.serve.options import JSON, REF, REPO, workspace
from repoctx.serve.program import read_text

if TYPE_CHECKING:
    from repoctx.retrieve.questions import Walked


class Share(click.FloatRange):
    """A number of a range that ends at 1; `nan`, which is neither within nor outside of a range, is refused."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """The number, or a usage error."""
        number = super().convert(value, parameter, context)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", parameter, context)
        return number


LIMIT = click.option(
    "-k", "--limit", default=100, show_default=True, type=click.IntRange(1, 1_000_000), help="How many to list."
)
DEPTH = click.option(
    "--depth", default=1, show_default=True, type=click.IntRange(1, 1000), metavar="N", help="Calls of calls, N deep."
)
CONFIDENCE = click.option(
    "--min-confidence", "least", default=0.0, show_default=True, type=Share(0, 1), metavar="F",
    help="Leave out what is less sure, and all that is only possible; of a chain the product counts.",
)  # fmt: skip


@click.command()
@click.argument("symbol")
@click.option(
    "--kind", "kinds", multiple=True, help="Only this kind; may be repeated.",
    type=click.Choice(["calls", "references", "imports", "inherits", "overrides", "tests"]),
)  # fmt: skip
@CONFIDENCE
@LIMIT
@REPO
@REF
@JSON
@click.pass_context
def refs(
    context: click.Context, symbol: str, kinds: tuple[str, ...], least: float, limit: int, repo: str | None,
    ref: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List the places that use SYMBOL: calls, references, imports, subclasses, overriding methods.

    SYMBOL is a name (`load`), a qualified name (`Store.load`), `path#Store.load`, `path:line` or a path. Places that
    may mean it but could not be resolved to it are listed apart, as possible.
    """
    with workspace(context) as opened:
        found = opened.refs(symbol, repo, ref, kinds=kinds, least=least, limit=limit)
    for line in graph_text.uses_json(found) if as_json else graph_text.uses_text(found):
        click.echo(line)
    if not found.total and not found.possible_total:
        raise NotFoundError(f"nothing in the repository is known to use {symbol!r}")


@click.command()
@click.argument("symbol")
@DEPTH
@CONFIDENCE
@LIMIT
@REPO
@REF
@JSON
@click.pass_context
def callers(
    context: click.Context, symbol: str, depth: int, least: float, limit: int, repo: str | None, ref: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List what calls SYMBOL, directly or through others (see `repoctx refs` for how to name it)."""
    with workspace(context) as opened:
        found = opened.callers(symbol, repo, ref, depth=depth, least=least, limit=limit)
    _walked(found, "caller", "callers", as_json, f"nothing in the repository is known to call {symbol!r}")


@click.command()
@click.argument("symbol")
@DEPTH
@CONFIDENCE
@LIMIT
@REPO
@REF
@JSON
@click.pass_context
def callees(
    context: click.Context, symbol: str, depth: int, least: float, limit: int, repo: str | None, ref: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List what SYMBOL and all that is written inside of it calls, directly or through others."""
    with workspace(context) as opened:
        found = opened.callees(symbol, repo, ref, depth=depth, least=least, limit=limit)
    _walked(found, "callee", "callees", as_json, f"{symbol!r} calls nothing that is known to be in the repository")


def _walked(found: Walked, one: str, several: str, as_json: bool, nothing: str) -> None:
    lines = graph_text.walked_json(found, one) if as_json else graph_text.walked_text(found, several)
    for line in lines:
        click.echo(line)
    if not found.total and not found.possible_total:
        raise NotFoundError(nothing)


@click.command()
@click.argument("symbols", nargs=-1, metavar="[SYMBOL]...")
@click.option("--diff", metavar="F", help="What changes, as a unified diff of git (- is standard input).")
@click.option(
    "--min-risk", "--min-confidence", "least", type=Share(0.01, 1), metavar="F",
    help="Leave out what is at less risk [default: 0.1].",
)  # fmt: skip
@click.option(
    "-k", "--limit", default=30, show_default=True, type=click.IntRange(1, 1_000_000),
    help="How many places and how many tests to list.",
)  # fmt: skip
@REPO
@REF
@JSON
@click.pass_context
def impact(
    context: click.Context, symbols: tuple[str, ...], diff: str | None, least: float | None, limit: int,
    repo: str | None, ref: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List what may break when SYMBOLs change, or by a diff, and which tests to run, the riskiest first.

    The risk of a place is that of the riskiest way to it from a change: the confidences of the edges times what each
    kind passes on (a call all, a base 0.9, an override 0.7, a reference 0.6, an import 0.3, a test 0.9), times 0.8
    for each edge after the first. The candidates of a call that could not be resolved share 0.4. A diff may be ahead
    of what is indexed or already in it: the lines decide.
    """
    if symbols and diff is not None:
        raise UsageError("give either symbols or --diff, not both")
    text = read_text(None, diff, "diff") if diff is not None else None
    with workspace(context) as opened:
        found = opened.impact(symbols, text, repo, ref, least=least, limit=limit)
    for line in graph_text.impact_json(found) if as_json else graph_text.impact_text(found, limit):
        click.echo(line)
    if not found.changed:
        raise NotFoundError("the diff changes nothing that is in the snapshot")
    if not found.broken_total and not found.tests_total:
        raise NotFoundError("nothing in the repository is known to depend on it")


# --- the graph as a whole ----------------------------------------------------------------------


@click.group()
def graph() -> None:
    """The symbol graph."""


@graph.command("export")
@click.option("--format", "format_", type=click.Choice(["jsonl", "graphml"]), default="jsonl", show_default=True)
@click.argument("path", required=False)
@REPO
@REF
@click.pass_context
def graph_export(context: click.Context, format_: Any, path: str | None, repo: str | None, ref: str | None) -> None:
    """Print symbols and edges as JSON Lines or GraphML. PATH is another way to say --repo."""
    if repo and path:
        raise UsageError(f"give the repository once: PATH {path!r} or --repo {repo!r}")
    with workspace(context) as opened:
        for line in opened.graph_lines(repo or path, ref, format_):
            sys.stdout.write(line if line.endswith("\n") else line + "\n")


@graph.command("cycles")
@click.option("--kind", type=click.Choice(["imports", "inherits", "calls"]), default="imports", show_default=True)
@click.option(
    "--min-confidence", "least", default=0.5, show_default=True, type=Share(0, 1), metavar="F",
    help="Leave out edges that are less sure.",
)  # fmt: skip
@LIMIT
@REPO
@REF
@JSON
@click.pass_context
def graph_cycles(
    context: click.Context, kind: str, least: float, limit: int, repo: str | None, ref: str | None, as_json: bool
) -> None:
    """List files that import each other in a circle, or symbols that inherit or call so, with a shortest way round."""
    with workspace(context) as opened:
        found = opened.cycles(repo, ref, kind=kind, least=least)
    for line in graph_text.cycles_json(found, limit) if as_json else graph_text.cycles_text(found, kind, limit):
        click.echo(line)
    if not found:
        raise NotFoundError(f"there is no cycle of {kind}")


@graph.command("communities")
@LIMIT
@REPO
@REF
@JSON
@click.pass_context
def graph_communities(context: click.Context, limit: int, repo: str | None, ref: str | None, as_json: bool) -> None:
    """List groups of files that have more to do with each other than with others (Louvain, always the same)."""
    with workspace(context) as opened:
        found, modularity = opened.communities(repo, ref)
    lines = (
        graph_text.communities_json(found, modularity, limit)
        if as_json
        else graph_text.communities_text(found, modularity, limit)
    )
    for line in lines:
        click.echo(line)
    if not found:
        raise NotFoundError("no file has an edge to another")
