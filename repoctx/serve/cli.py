"""The command line: `repoctx COMMAND`. Each command parses, calls one workspace method and prints.

Heavy modules are imported inside the commands, so that `repoctx --help` answers at once.
"""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from repoctx import __version__
from repoctx.errors import BusyError, NotFoundError, UsageError
from repoctx.serve import (
    backend,
    docs,
    evaluation,
    git_hooks,
    models,
    onboarding,
    packing,
    questions,
    service,
    show,
    tasks,
    token,
    watch,
    webhook,
)
from repoctx.serve.background import start, state
from repoctx.serve.mcp.command import mcp
from repoctx.serve.options import CLUSTER, JSON, REF, REPO, workspace
from repoctx.serve.program import read_text, run
from repoctx.serve.sections import Sections

if TYPE_CHECKING:
    from repoctx.types import Report
    from repoctx.workspace import Workspace

# How long `repoctx remove` waits for a job that it has cancelled, in seconds.
STOPS = 30.0

@click.group(
    cls=Sections,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="repoctx")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.option("--home", metavar="DIR", help="Folder of repoctx's own data.")
@click.option("--database-url", metavar="URL", help="sqlite:///PATH or postgresql://…")
@click.pass_context
def cli(context: click.Context, debug: bool, home: str | None, database_url: str | None) -> None:
    """Index whole repositories, find what matters, pack it for a long-context code model.

    \b
    repoctx index ./repo                      index it, or bring the index up to date
    repoctx search "where is X decided?"      find places
    repoctx pack --task "fix Y" --budget 60k  make a prompt
    """
    del debug  # `program.run` reads it
    context.obj = {"home": home, "database_url": database_url}
    if context.invoked_subcommand is None:
        from repoctx.serve.first import lines

        said, code = lines(context.obj)
        click.echo("\n".join(said))
        context.exit(code)


# --- index -------------------------------------------------------------------------------------


@cli.command()
@click.argument("location", metavar="PATH_OR_URL")
@click.option("--ref", metavar="REF", help="Branch, tag or commit [default: what is checked out, changes included].")
@click.option("--name", metavar="NAME", help="Name of the repository [default: the last part of the path].")
@click.option("--dry-run", is_flag=True, help="Say what would be indexed and left out; write nothing.")
@click.option("--workers", type=click.IntRange(0), metavar="N", help="Processes that parse [default: one per CPU].")
@CLUSTER
@click.option("--background", is_flag=True, help="Leave the vectors of a slow embedding model to another process.")
@JSON
@click.pass_context
def index(
    context: click.Context, location: str, ref: str | None, name: str | None, dry_run: bool, workers: int | None,
    cluster: str | None, background: bool, as_json: bool,
) -> None:  # fmt: skip
    """Index a repository, a folder or a clone URL, or bring its index up to date.

    Your home folder, or / itself, is refused unless it is a git repository.
    """
    from repoctx.source import check_extent

    check_extent(location)
    with workspace(context, index_workers=workers, cluster_scheduler=cluster) as opened:
        if dry_run:
            found = opened.estimate(location, ref)
            click.echo(show.json_line(found) if as_json else show.estimate_text(found))
            return
        published: list[Report] = []
        try:
            with show.progress(quiet=as_json) as progress:
                opened.index(location, ref, name, progress, published=published.append, finish=False)
        finally:
            for report in published:
                click.echo(show.json_line(report) if as_json else show.report_text(report))
                if not as_json and sys.stdout.isatty() and report.changed and report.parsed >= report.files > 0:
                    click.echo(show.next_text(report))  # everything was parsed: the first index of it
        (report,) = published
        if report.pending is None:
            return
        if background:
            log = start(opened.settings, report)
            if not as_json:
                click.echo(f"  its vectors are made in the background: see `repoctx status` and {log}")
            return
        try:
            finish(opened, report.repository, report.ref, as_json)
        except BusyError:  # that process will find this snapshot
            if not as_json:
                click.echo("  its vectors are being made by another process: see `repoctx status`")


@cli.command()
@REPO
@REF
@CLUSTER
@JSON
@click.pass_context
def embed(
    context: click.Context, repo: str | None, ref: str | None, cluster: str | None, as_json: bool
) -> None:
    """Make the vectors that an index run has left for later, or could not finish."""
    with workspace(context, cluster_scheduler=cluster) as opened:
        finish(opened, repo, ref, as_json)


def finish(opened: Workspace, repo: str | None, ref: str | None, as_json: bool) -> None:
    """Make the vectors that a ref waits for, and say what was done."""
    with show.progress(quiet=as_json) as progress:
        made = opened.embed(repo, ref, progress)
    click.echo(show.json_line(made) if as_json else show.embedded_text(made))


# --- find --------------------------------------------------------------------------------------


@cli.command()
@click.argument("query", required=False)
@click.option("--query-file", metavar="F", help="Read the query from a file (- is standard input).")
@click.option("--repo", "repos", metavar="R", multiple=True, help="Repository, again for more [default: around here].")
@click.option("--all", "everywhere", is_flag=True, help="In all indexed repositories.")
@REF
@click.option("-k", "k", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many hits.")
@click.option("--offset", default=0, type=click.IntRange(0, 1_000_000), help="Begin after so many hits.")
@click.option("--level", type=click.Choice(["chunk", "symbol", "file"]), default="chunk", show_default=True)
@click.option("--lang", metavar="L", help="Only files in this language.")
@click.option("--path", metavar="GLOB", help="Only paths that match: src/**, *.py.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only symbols of this kind (--level symbol).")
@JSON
@click.pass_context
def search(
    context: click.Context, query: str | None, query_file: str | None, repos: tuple[str, ...], everywhere: bool,
    ref: str | None, k: int, offset: int, level: Any, lang: str | None, path: str | None, kinds: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Find the places that matter for a question, a name, an error message or a bug report."""
    text = read_text(query, query_file, "query")
    with workspace(context) as opened:
        if everywhere and repos:
            raise UsageError("give either --all or --repo, not both")
        where = opened.every_repository() if everywhere else repos if len(repos) > 1 else next(iter(repos), None)
        filters: Any = {"language": lang, "path": path, "kinds": kinds}
        answer = opened.search(text, where, ref, k=k, offset=offset, level=level, **filters)
        for hit in answer.hits:
            click.echo(show.json_line(hit) if as_json else show.hit_text(hit, several=len(answer.searched) > 1))
        if not answer.hits:
            names = ", ".join(name for name, _ in answer.searched)
            if offset:
                raise NotFoundError(f"{names} has no more hits than {offset:,}, if any: begin earlier")
            raise NotFoundError(f"nothing in {names} matches: try other words, or fewer filters")


@cli.command()
@click.argument("name")
@REPO
@REF
@JSON
@click.pass_context
def symbol(context: click.Context, name: str, repo: str | None, ref: str | None, as_json: bool) -> None:
    """Show the definitions of a name, bare (`load`) or qualified (`Store.load`), or what is at `path:line`."""
    with workspace(context) as opened:
        found = opened.symbol(name, repo, ref)
        for one in found:
            click.echo(show.json_line(one) if as_json else show.symbol_text(one))
        if not found:
            from repoctx.serve.first import stale

            looked = opened.open(repo, ref)
            late = not ref and stale(opened.settings, looked.repository.name)
            more = "; files have changed since it was indexed: `repoctx index` brings it up to date" if late else ""
            raise NotFoundError(f"no symbol is called {name!r}: {looked.loaded.graph.like(name)}{more}")


@cli.command("map")
@click.option("--budget", default="2000", show_default=True, metavar="N", help="Most tokens of the map.")
@REPO
@REF
@JSON
@click.pass_context
def show_map(context: click.Context, budget: str, repo: str | None, ref: str | None, as_json: bool) -> None:
    """Print the repository map: the most central files and symbols."""
    from repoctx.workspace import parse_budget

    limit = parse_budget(budget)
    if limit is None:
        raise UsageError("a map's budget is a number of tokens")
    with workspace(context) as opened:
        text = opened.map(repo, ref, limit)
        click.echo(
            show.json_line({"map": text}) if as_json else show.printable(text), nl=as_json or not text.endswith("\n")
        )


for command in (evaluation.evaluate, evaluation.tune):
    cli.add_command(command)
for command in (questions.refs, questions.callers, questions.callees, questions.impact, questions.graph):
    cli.add_command(command)


# --- pack and ask ------------------------------------------------------------------------------


for command in (packing.pack, packing.ask, tasks.debug, tasks.run, tasks.review, tasks.task):
    cli.add_command(command)


# --- keeping it running ------------------------------------------------------------------------


for command in (service.serve, service.worker, mcp, token.token, webhook.webhook, models.models, backend.backend):
    cli.add_command(command)
cli.add_command(docs.docs)
cli.add_command(onboarding.onboard)
cli.add_command(watch.watch)
cli.add_command(git_hooks.git_hook)


@cli.command()
@click.option("--skips", is_flag=True, help="List every file that is left out, and why.")
@JSON
@click.pass_context
def status(context: click.Context, skips: bool, as_json: bool) -> None:
    """List the repositories, their refs, and what was left out."""
    with workspace(context) as opened:
        found = opened.status()
    if as_json:
        for one in found:
            for ref, left_out in one.refs:
                line = {
                    **ref.report,
                    "location": one.repository.location,
                    "indexed_at": ref.indexed_at,
                    "dirty": ref.dirty,
                    "embedding": ref.embedding_model,
                    "pending": ref.pending,
                    "progress": ref.pending and {**(ref.progress or {}), "state": state(ref.progress)},
                }
                click.echo(show.json_line({**line, "skipped": left_out} if skips else line))
        return
    if not found:
        click.echo("nothing is indexed yet: `repoctx index PATH` indexes a repository")
    for one in found:
        click.echo(show.status_text(one, skips))


@cli.command()
@click.option("--embedding", metavar="MODEL", help="Measure this embedding model too, and what it would cost.")
@JSON
@click.pass_context
def doctor(context: click.Context, embedding: str | None, as_json: bool) -> None:
    """Check the installation, print every setting and where it came from, measure the embedding models."""
    from repoctx.serve.doctor import examined

    values, results, costs = examined(context.obj, embedding)
    for line in [*values, *results, *costs]:
        if as_json:
            click.echo(show.json_line(line))
    if not as_json:
        from repoctx.serve.switching import cost_text

        click.echo("Checks")
        for result in results:
            click.echo(f"  {'ok ' if result.ok else 'BAD'} {result.name}: {show.plain(result.detail)}")
        click.echo("Settings")
        for value in values:
            click.echo(f"  {value.key} = {show.plain(value.value)!s}  ({value.origin})")
        for repository, group in groupby(costs, lambda cost: (cost.repository, cost.chunks)):
            click.echo(f"Embedding {repository[0]}, {repository[1]:,} chunks")
            for cost in group:
                click.echo(f"  {show.plain(cost_text(cost))}")
    if not all(result.ok for result in results):
        raise NotFoundError("something needs attention: see the lines marked BAD")


@cli.command()
@click.argument("name")
@click.pass_context
def remove(context: click.Context, name: str) -> None:
    """Forget the repository called NAME: its index, its jobs, how it is looked after. Its files stay as they are.

    A job that indexes it is cancelled, and waited for up to half a minute.
    """
    from repoctx.serve import registration
    from repoctx.types import Progress

    with workspace(context) as opened, show.progress(quiet=False) as progress:
        known = {one.repository.name: one.repository for one in opened.status()}
        if name not in known:
            raise NotFoundError(f"no repository is called {name!r}: `repoctx status` lists those that are known")
        waiting = lambda: progress(Progress("wait for its job, which is cancelled", 0, 0))  # noqa: E731
        registration.remove(opened, known[name], STOPS, waiting)
    click.echo(f"{show.plain(name)} is forgotten; `repoctx gc` frees what only it held")


@cli.command()
@click.option("--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@click.option(
    "--wait", default=30, show_default=True, type=click.IntRange(0), metavar="SECONDS",
    help="How long index runs that are under way are waited for.",
)
@click.option(
    "--spare", default=10, show_default=True, type=click.IntRange(0), metavar="MINUTES",
    help="Keep what was dropped so recently, for answers that have begun.",
)
@JSON
@click.pass_context
def gc(context: click.Context, dry_run: bool, wait: int, spare: int, as_json: bool) -> None:
    """Remove what nothing points at any more: rows, files of indexes, clones. Answers stay as they are."""
    from repoctx.serve.collect import collect

    total = 0
    with workspace(context) as opened, show.progress(quiet=as_json) as progress:
        for one in collect(opened, dry_run=dry_run, wait=wait, spared=60.0 * spare, show=progress):
            total += one.bytes if one.count else 0  # free pages are those of the rows
            if as_json or one.count or one.bytes:
                click.echo(show.json_line(one) if as_json else show.removed_text(one))
    if not as_json:
        done = "would free" if dry_run else "freed"
        click.echo(f"{done} {show.size(total)}" if total else "there is nothing to remove")


@cli.command("help", hidden=True)
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def show_help(context: click.Context, words: tuple[str, ...]) -> None:
    """Say what --help says, of repoctx or of a command."""
    assert context.parent is not None
    about = context.parent
    for word in words:
        if not isinstance(about.command, click.Group):
            raise click.UsageError(f"No such command {word!r}.", about)
        found = about.command.get_command(about, word)
        if found is None:
            about.command.resolve_command(click.Context(about.command, parent=about.parent), [word])  # says so
            raise click.UsageError(f"No such command {word!r}.", about)
        about = found.make_context(word, [], parent=about, resilient_parsing=True)
    click.echo(about.get_help())


def main() -> None:
    """The console script."""
    sys.exit(run(cli, sys.argv[1:]))
