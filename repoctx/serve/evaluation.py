"""The commands that measure and fit search on a repository's own past: eval, tune."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from repoctx.errors import NotFoundError, UsageError
from repoctx.serve import show
from repoctx.serve.options import JSON, workspace
from repoctx.serve.program import write_text

if TYPE_CHECKING:
    from repoctx.evaluation.judge import Group, Ranking
    from repoctx.evaluation.report import Evaluation
    from repoctx.evaluation.tune import Part, Tuned

LOCATION = click.argument("location", required=False, metavar="[PATH_OR_NAME]")
REF = click.option("--ref", metavar="REF", help="Branch, tag or commit whose past is replayed [default: HEAD].")


# --- eval --------------------------------------------------------------------------------------


@click.command("eval")
@LOCATION
@REF
@click.option(
    "--commits", default=50, show_default=True, type=click.IntRange(10, 5000), metavar="N",
    help="Past commits to ask about, the newest that can be asked.",
)  # fmt: skip
@click.option(
    "--budgets", metavar="N,N", help="Tokens of the prompts that are made for each [default: 8k,27k,128k]."
)
@click.option("--no-packs", is_flag=True, help="Make no prompts: measure search alone.")
@click.option("--html", metavar="F", help="Write a page with plots and every question.")
@JSON
@click.pass_context
def evaluate(
    context: click.Context, location: str | None, ref: str | None, commits: int, budgets: str | None, no_packs: bool,
    html: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure search on a repository's own past: does the message of a commit find what the commit changed?

    PATH_OR_NAME is a path, a clone URL or the name of an indexed repository [default: the one around here]. Each
    question is asked of the repository as it was before the commit, in an index of its own, with no commit that came
    later. Left out, and counted, are merges, bots, commits of more than 20 files, renames, and messages and changes
    that ask for no code. Code is what is neither test, documentation, example nor settings.
    """
    from repoctx.evaluation import page
    from repoctx.evaluation.report import BUDGETS
    from repoctx.evaluation.report import evaluate as run

    if no_packs and budgets is not None:
        raise UsageError("give either --budgets or --no-packs, not both")
    sizes: tuple[int, ...] = () if no_packs else BUDGETS if budgets is None else _sizes(budgets)
    with workspace(context) as opened, show.progress(quiet=as_json) as progress:
        found = run(opened, location, ref, commits=commits, budgets=sizes, show=progress)
    if html is not None:
        write_text(html, page.page(found))
    for line in evaluation_json(found) if as_json else evaluation_text(found):
        click.echo(line)


def _sizes(budgets: str) -> tuple[int, ...]:
    from repoctx.workspace import parse_budget

    sizes = [parse_budget(text) for text in budgets.split(",")]
    if None in sizes:
        raise UsageError("--budgets are numbers of tokens, such as 8k,27k,128k; not auto")
    return tuple(sorted({size for size in sizes if size is not None}))


def evaluation_json(found: Evaluation) -> Iterator[str]:
    """One object for each question, then the summary."""
    for outcome in found.outcomes:
        yield show.json_line({"type": "case", **outcome._asdict()})
    summary = {name: getattr(found, name) for name in found.__slots__ if name != "outcomes"}
    yield show.json_line({"type": "summary", "cases": len(found.outcomes), **summary})


def evaluation_text(found: Evaluation) -> Iterator[str]:
    """The figures as tables, each explained."""
    from repoctx.evaluation import page
    from repoctx.evaluation.judge import KS

    count = len(found.outcomes)
    yield (
        f"{click.style(show.plain(found.repository), bold=True)}: {count} past commits asked about, in "
        f"{found.seconds:.1f} s ({found.seconds / count:.1f} s each)"
    )
    yield f"  {show.plain(page.left_out(found))}"
    yield f"  vectors: {show.plain(page.vectors(found))}"
    if found.tuned:
        yield "  weights: those that `repoctx tune` found, partly on these commits: the figures flatter them"
    names = [f"@{k}" for k in KS]
    yield ""
    yield f"{'':<30}{'asked':>6}" + "".join(f"{name:>6}" for name in names) + f"{'all@10':>8}{'MRR':>7}"
    for level, title in (("files", "files"), ("symbols", "functions and classes")):
        yield from _ranking_lines(title, getattr(found.overall, level))
        for group in found.lengths:
            yield from _ranking_lines(f"  {group.name}", getattr(group, level))
    if found.overall.budgets:
        yield ""
        yield f"{'shown in a prompt of tokens':<30}{'':>6}" + _row(found.overall, lambda b: f"{b.budget:,}")
        yield f"{'files':<30}{'':>6}" + _row(found.overall, lambda b: f"{b.files:.3f}")
        yield f"{'functions and classes':<30}{'':>6}" + _row(
            found.overall, lambda b: "-" if b.symbols is None else f"{b.symbols:.3f}"
        )
    yield ""
    yield "@k      mean share of what a commit changed that is among the first k hits"
    yield "all@10  share of commits with all of it among the first 10"
    yield "MRR     mean of 1 / place of the first of it, with its standard error"
    if found.overall.budgets:
        yield "prompt  mean share of it that a prompt of this size shows in full (of a file: some of it)"


def _row(group: Group, cell: Any) -> str:
    return "".join(f"{cell(shown):>10}" for shown in group.budgets)


def _ranking_lines(title: str, ranking: Ranking | None) -> Iterator[str]:
    if ranking is not None:
        error = "" if ranking.mrr_error is None else f" ±{ranking.mrr_error:.3f}"
        cells = "".join(f"{share:6.3f}"[-6:] for share in ranking.recall.values())
        yield f"{title:<30}{ranking.cases:>6}{cells}{ranking.all[10]:8.3f}{ranking.mrr:7.3f}{error}"


# --- tune --------------------------------------------------------------------------------------


@click.command()
@LOCATION
@REF
@click.option(
    "--commits", default=150, show_default=True, type=click.IntRange(20, 5000), metavar="N",
    help="Past commits to ask about, the newest that can be asked.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@click.option("--reset", is_flag=True, help="Remove the weights that the repository has of its own.")
@JSON
@click.pass_context
def tune(
    context: click.Context, location: str | None, ref: str | None, commits: int, dry_run: bool, reset: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Fit the weights of search to an indexed repository's past, and keep them if they win on its newer commits.

    Weights are fitted to the older two thirds of the commits that `repoctx eval` would ask about, and judged on the
    rest: they are kept only if what they gain there is more than its standard error. The file is small and can be
    read and changed. Exit code 1 says that nothing better was found.
    """
    from repoctx.evaluation import tune as recipe

    if reset and dry_run:
        raise UsageError("give either --reset or --dry-run, not both")
    with workspace(context) as opened:
        if reset:
            path = recipe.reset(opened, location)
            removed = {"type": "reset", "file": str(path)}
            click.echo(show.json_line(removed) if as_json else f"removed {show.plain(str(path))}")
            return
        with show.progress(quiet=as_json) as progress:
            found = recipe.tune(opened, location, ref, commits=commits, dry_run=dry_run, show=progress)
    if as_json:
        click.echo(show.json_line({"type": "tuned", **{name: getattr(found, name) for name in found.__slots__}}))
    else:
        for line in tuned_text(found):
            click.echo(line)
    if not found.better:
        kept = "those of an earlier run stay in force" if found.in_force else "the default weights stay in force"
        raise NotFoundError(f"no weights were found that are better for {show.plain(found.repository)}: {kept}")


def tuned_text(found: Tuned) -> Iterator[str]:
    """What was changed, and what it is worth."""
    yield (
        f"{click.style(show.plain(found.repository), bold=True)}: {found.older.cases} older commits to fit, "
        f"{found.newer.cases} newer ones to judge, in {found.seconds:.1f} s"
    )
    yield f"{'':<18}{'value':>16}{'MRR files':>16}{'@10 files':>16}{'@10 symbols':>16}"
    for name, part in (("older, fitted to", found.older), ("newer, held back", found.newer)):
        yield f"{name:<18}" + "".join(f"{cell:>16}" for cell in _before_after(part))
    verdict = "kept" if found.written else "better" if found.better else "not kept"
    yield f"gain on the newer ones {found.gain:+.4f}, standard error {found.error:.4f}: {verdict}"
    for name, times in found.changes.items():
        yield f"  {name:<24} x {times:g}"
    if found.written:
        yield f"written to {show.plain(found.written)}; `repoctx tune --reset` removes it"
    elif found.better:
        yield show.printable(found.text).rstrip("\n")
    yield "value   mean over all that commits changed of 1 / log2(1 + place); the rest as in `repoctx eval`"


def _before_after(part: Part) -> Iterator[str]:
    told = []
    for figures in (part.before, part.after):
        files, symbols = figures.files, figures.symbols
        row = [figures.value, files.mrr if files else None, files.recall[10] if files else None]
        told.append([*row, symbols.recall[10] if symbols else None])
    for before, after in zip(*told, strict=True):
        yield "-" if before is None or after is None else f"{before:.3f} -> {after:.3f}"
