"""Which prompt is made for a task, and what does a model answer to it?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from repoctx.errors import RefusedError, UsageError
from repoctx.serve import show
from repoctx.serve.options import JSON, REF, REPO, workspace
from repoctx.serve.program import read_text, write_text

if TYPE_CHECKING:
    from repoctx.types import Pack

MODEL = click.option("--model", metavar="M", help="The model that the tokens are counted for.")
BUDGET = click.option("--budget", metavar="N|auto", help="Most tokens of the prompt: 60000, 60k, or auto.")


@click.command()
@click.option("--task", metavar="TEXT", help="What the model is asked to do.")
@click.option("--task-file", metavar="F", help="Read the task from a file (- is standard input).")
@click.option("--repo", "repos", metavar="R", multiple=True, help="Repository, again for more [default: around here].")
@click.option("--all", "everywhere", is_flag=True, help="Of all indexed repositories.")
@REF
@MODEL
@BUDGET
@click.option("--files", metavar="PATH", multiple=True, help="Show this: a path, path:10-20 or a pattern.")
@click.option("--symbols", metavar="NAME", multiple=True, help="Show this symbol, and what is around it in the graph.")
@click.option("--diff", metavar="F", help="Show what a unified diff changes (- is standard input).")
@click.option("--exclude", metavar="GLOB", multiple=True, help="Show none of these paths. Again for more.")
@click.option("--format", "style", type=click.Choice(["xml", "markdown", "json"]), default="xml", show_default=True)
@click.option("--out", metavar="F", help="Write the prompt to a file instead of standard output.")
@click.option("--manifest", metavar="F", help="Write what is in the prompt, and why, as JSON.")
@click.option("--html", metavar="F", help="Write a page that shows what is in the prompt, and why.")
@click.option("--previous", metavar="M", help="Tell how many tokens the prompt shares with that of this manifest.")
@JSON
@click.pass_context
def pack(
    context: click.Context, task: str | None, task_file: str | None, repos: tuple[str, ...], everywhere: bool,
    ref: str | None, model: str | None, budget: str | None, files: tuple[str, ...], symbols: tuple[str, ...],
    diff: str | None, exclude: tuple[str, ...], style: str, out: str | None, manifest: str | None, html: str | None,
    previous: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Make a prompt for a task: the best evidence within a token budget."""
    from repoctx.pack import manifest as manifest_of
    from repoctx.pack import prefix
    from repoctx.tasks.packing import Wishes

    prompt = ("--json", "-") if as_json and not out else ("--out" if out else "the prompt", out or "-")
    _apart(("--json", "-" if as_json else None), prompt, ("--manifest", manifest), ("--html", html))
    if everywhere and repos:
        raise UsageError("give either --all or --repo, not both")
    if "-" in (task_file, diff) and task_file == diff:
        raise UsageError("standard input is either the task or the diff: give a file for the other")
    text = read_text(task, task_file, "task")
    earlier = None if previous is None else _manifest(previous)
    wishes = Wishes(files, symbols, None if diff is None else read_text(None, diff, "diff"), exclude, style)
    with workspace(context) as opened:
        where = opened.every_repository() if everywhere else repos if len(repos) > 1 else next(iter(repos), None)
        made = opened.pack(text, where, ref, model=model, budget=budget, wishes=wishes)
    account = manifest_of(made)
    shared = None if earlier is None else prefix(made, earlier)
    if shared is not None:
        account["plan"]["shared_prefix_tokens"] = shared
    if manifest:
        write_text(manifest, json.dumps(account, ensure_ascii=False, indent=1) + "\n")
    if html:
        from repoctx.pack.page import page

        write_text(html, page(made, text))
    if out:
        write_text(out, made.prompt)
    code = 0 if made.parts or made.plan.outlook else 1
    if as_json:
        click.echo(show.json_line(account if out else {"prompt": made.prompt, **account}))
        return code
    if not out:
        sys.stdout.write(made.prompt)
        if sys.stdout.isatty():
            click.echo()
    for line in _told(made, shared, text, exclude):
        click.echo(show.plain(line), err=True)
    return code


def _apart(*files: tuple[str, str | None]) -> None:
    """Raises UsageError where two outputs go into the same file, or to standard output."""
    taken: dict[str, str] = {}
    for option, file in files:
        where = file if file in (None, "", "-") else os.path.realpath(file)
        if where and taken.setdefault(where, option) != option:
            what = "go to standard output" if where == "-" else "name the same file"
            raise UsageError(f"{taken[where]} and {option} {what}: choose two places")


def _manifest(file: str) -> dict[str, Any]:
    """A manifest as it was written. Raises RefusedError for what is none."""
    none = f"{show.plain(file)} is no manifest that `repoctx pack --manifest` wrote"
    try:
        read = json.loads(read_text(None, file, "previous"))
    except json.JSONDecodeError as error:
        raise RefusedError(f"{none}: {error}") from error
    except (ValueError, RecursionError) as error:  # digits or brackets without end
        raise RefusedError(none) from error
    if not isinstance(read, dict) or not isinstance(read.get("prefixes"), list):
        raise RefusedError(f"{none}: it has no prefixes")
    return read


def _told(made: Pack, shared: int | None, task: str, exclude: tuple[str, ...]) -> Iterator[str]:
    """What people are told of a pack."""
    from repoctx.redact import secrets

    plan = made.plan
    about = "" if plan.exact else f", estimated with a margin of {plan.margin:.0%},"
    yield (
        f"{plan.predicted_tokens:,} of {plan.budget:,} tokens{about} in {len(made.parts)} parts for {plan.model} "
        f"({plan.tier} window {plan.window:,}, rope factor {plan.rope_factor:g})"
    )
    yield plan.why
    if shared is not None:
        yield f"the first {shared:,} tokens are those of the previous prompt ({shared / plan.predicted_tokens:.0%})"
    for one in made.redacted:
        times = f", {one.times} times" if one.times > 1 else ""
        yield f"left out of {one.path}: {one.kind}{times}"
    for kind in sorted({span.kind for span in secrets(task)}):
        yield f"the task holds what looks like a {kind}: it is in the prompt, as you wrote it"
    if not made.parts and made.plan.outlook:
        yield "nothing of what was found fits into the budget: ask for a larger one"
    elif not made.parts:
        leaves = "what --exclude leaves" if exclude else "the index"
        yield f"nothing in {leaves} matches the task, so no code is in the prompt: say it otherwise"


@click.command()
@click.argument("question", required=False)
@click.option("--question-file", metavar="F", help="Read the question from a file (- is standard input).")
@REPO
@REF
@MODEL
@BUDGET
@click.option("--backend-url", metavar="URL", help="Base URL of an OpenAI-compatible server.")
@click.option("--backend-model", metavar="NAME", help="What the server calls the model.")
@click.option("--dry-run", is_flag=True, help="Print the prompt; send nothing.")
@JSON
@click.pass_context
def ask(
    context: click.Context, question: str | None, question_file: str | None, repo: str | None, ref: str | None,
    model: str | None, budget: str | None, backend_url: str | None, backend_model: str | None, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Ask a model about the repository: pack, send, stream the answer, check its citations."""
    text = read_text(question, question_file, "question")
    with workspace(context, backend_url=backend_url, backend_model=backend_model) as opened:
        if dry_run:
            prompt = opened.pack(text, repo, ref, model=model, budget=budget).prompt
            click.echo(show.json_line({"prompt": prompt}) if as_json else prompt, nl=as_json)
            return
        for event in opened.ask(text, repo, ref, model=model, budget=budget):
            if as_json:
                click.echo(show.json_line(event))
            elif event.text is not None:
                click.echo(show.printable(event.text), nl=False)
            elif event.answer is not None:
                click.echo(show.answer_text(event.answer))
