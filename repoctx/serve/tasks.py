"""Which change mends a bug, and what comes of a workflow? Tasks that a model does, from the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from repoctx.errors import NotFoundError, UsageError
from repoctx.serve import show
from repoctx.serve.options import JSON, REF, REPO, workspace
from repoctx.serve.program import check_places, read_text, write_text

if TYPE_CHECKING:
    from repoctx.store.tasks import Task
    from repoctx.workspace import Workspace

MODEL = click.option("--model", metavar="M", help="The model that is asked, and that tokens are counted for.")
URL = click.option("--backend-url", metavar="URL", help="Base URL of an OpenAI-compatible server.")
SERVED = click.option("--backend-model", metavar="NAME", help="What the server calls the model.")
DRY = click.option("--dry-run", is_flag=True, help="Say what would be asked and what it costs; ask nothing.")
HTML = click.option("--html", metavar="F", help="Write a page with the result.")
OUT = click.option("--out", metavar="F", help="Write the change, a unified diff that `git apply` takes, to a file.")


@click.command()
@click.argument("text", metavar="[REPORT]", required=False)
@click.option("--report", "file", metavar="F", help="Read the report from a file (- is standard input).")
@REPO
@REF
@MODEL
@click.option("--budget", metavar="N", help="Tokens of the first prompt's pack; the next ones have twice as many.")
@click.option("--files", metavar="PATH", multiple=True, help="Show this: a path, path:10-20 or a pattern.")
@click.option("--symbols", metavar="NAME", multiple=True, help="Show this symbol, and what is around it in the graph.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="Show none of these paths. Again for more.")
@click.option("--diff", metavar="F", help="A unified diff that may have caused it (- is standard input).")
@click.option("--tools", is_flag=True, help="Let the model search and read before it answers.")
@click.option("--attempts", type=click.IntRange(1, 20), metavar="N", help="Answers that are asked for at most.")
@click.option("--test", metavar="COMMAND", help="A command that fails now and passes when the bug is mended.")
@URL
@SERVED
@DRY
@OUT
@HTML
@JSON
@click.pass_context
def debug(
    context: click.Context, text: str | None, file: str | None, repo: str | None, ref: str | None, model: str | None,
    budget: str | None, files: tuple[str, ...], symbols: tuple[str, ...], exclude: tuple[str, ...], diff: str | None,
    tools: bool, attempts: int | None, test: str | None, backend_url: str | None, backend_model: str | None,
    dry_run: bool, out: str | None, html: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Find a bug and mend it: a diagnosis, and a diff that applies, parses and passes the test that you name.

    The report is an issue, a stack trace, a log, or the output of a failing test. Nothing in the repository is changed:
    a test command runs on a copy of what git tracks, without network, and can write nowhere else.
    """
    if "-" in (file, diff) and file == diff:
        raise UsageError("standard input is either the report or the diff: give a file for the other")
    if (text is None) == (file is None):
        both = "not both" if file else "one of them"
        raise UsageError(f"give the report itself or --report F (- is standard input), {both}")
    wanted: dict[str, Any] = {"report": read_text(text, file, "report")}
    if not wanted["report"].strip():
        raise UsageError("the report is empty: say what goes wrong")
    many = {"files": list(files), "symbols": list(symbols), "exclude": list(exclude)}
    wanted |= {name: value for name, value in many.items() if value}
    wanted |= {name: value for name, value in {"model": model, "test": test}.items() if value is not None}
    if diff is not None:
        wanted["diff"] = read_text(None, diff, "diff")
    if tools:
        wanted["tools"] = True
    with workspace(context, backend_url=backend_url, backend_model=backend_model) as opened:
        wanted["attempts"] = attempts or max(1, opened.settings.tasks_attempts)
        if (tokens := _budget(opened, budget)) is not None:
            wanted["budget"] = tokens
        return _do(opened, "debug", wanted, repo, ref, dry_run, out, html, as_json)


def _budget(opened: Workspace, given: str | None) -> int | None:
    from repoctx.workspace import parse_budget

    return None if given is None else parse_budget(given)


@click.command()
@click.argument("name", metavar="[WORKFLOW]", required=False)
@click.option("--input", "inputs", metavar="NAME=TEXT", multiple=True, help="An input; NAME=@F reads it from a file.")
@click.option("--list", "listed", is_flag=True, help="Say which workflows are built in, and what they need.")
@REPO
@REF
@URL
@SERVED
@DRY
@OUT
@HTML
@JSON
@click.pass_context
def run(
    context: click.Context, name: str | None, inputs: tuple[str, ...], listed: bool, repo: str | None, ref: str | None,
    backend_url: str | None, backend_model: str | None, dry_run: bool, out: str | None, html: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Run a workflow: a built-in one, by its name, or a YAML file.

    --dry-run says how many questions it would ask, and what they cost. An interrupted run goes on with
    `repoctx task resume`.
    """
    from repoctx.tasks import workflow

    if listed or name is None:
        for one in workflow.builtin():
            found = workflow.find(one)
            needs = {key: value.description for key, value in found.inputs.items()}
            if as_json:
                click.echo(show.json_line({"name": one, "description": found.description, "inputs": needs}))
                continue
            click.echo(f"{one}: {found.description.strip()}")
            for key, value in found.inputs.items():
                optional = "" if value.required else " (may be left out)"
                click.echo(f"    --input {key}=…  {value.description}{optional}")
        if not listed:
            raise UsageError("say which workflow: a name of these, or a YAML file")
        return 0
    text = name
    if name not in workflow.builtin():
        if name != "-" and not os.path.exists(name):
            raise UsageError(f"{show.plain(name)!r} is neither a built-in workflow (`repoctx run --list`) nor a file")
        text = read_text(None, name, "workflow")
        workflow.load(text, show.plain(name))  # an error names the file
    with workspace(context, backend_url=backend_url, backend_model=backend_model) as opened:
        wanted = {"workflow": text, "inputs": dict(_input(one) for one in inputs)}
        return _do(opened, "workflow", wanted, repo, ref, dry_run, out, html, as_json)


def _input(given: str) -> tuple[str, str]:
    """A name and its text. Raises UsageError."""
    name, sign, value = given.partition("=")
    if not sign or not name.strip():
        raise UsageError(f"an input is NAME=TEXT, or NAME=@F for the text of a file; not {given[:100]!r}")
    return name.strip(), read_text(None, value[1:], name) if value.startswith("@") else value


@click.command()
@click.option("--diff", metavar="F", required=True, help="The unified diff to review (- is standard input).")
@REPO
@REF
@URL
@SERVED
@DRY
@HTML
@JSON
@click.pass_context
def review(
    context: click.Context, diff: str, repo: str | None, ref: str | None, backend_url: str | None,
    backend_model: str | None, dry_run: bool, html: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Review a diff: what it changes, what that may break, and findings with their places.

    It is what `repoctx run review --input diff=@F` does.
    """
    text = read_text(None, diff, "diff")
    if not text.strip():
        raise NotFoundError("the diff is empty: there is nothing to review")
    wanted = {"workflow": "review", "inputs": {"diff": text}}
    with workspace(context, backend_url=backend_url, backend_model=backend_model) as opened:
        return _do(opened, "workflow", wanted, repo, ref, dry_run, None, html, as_json)


def _do(
    opened: Workspace, kind: str, wanted: Mapping[str, Any], repo: str | None, ref: str | None, dry_run: bool,
    out: str | None, html: str | None, as_json: bool,
) -> int:  # fmt: skip
    from repoctx import tasking
    from repoctx.serve import results

    if dry_run:
        plan = tasking.rehearse(opened, kind, wanted, repo, ref)
        click.echo(show.json_line(plan) if as_json else results.plan_text(plan))
        return 0
    check_places(out, html)
    if asks_model(kind, wanted):
        opened.backend()  # where none is set or none answers, no task is left behind
    task = tasking.submit(opened, kind, wanted, repo, ref, local=True)
    return _finish(opened, task, out, html, as_json)


def asks_model(kind: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a task asks a model: all do but workflows of steps without a prompt. Raises as `recipes.check`."""
    from repoctx.tasks import recipes, workflow

    text = recipes.check(kind, wanted).get("workflow")
    if text is None:
        return True
    found = workflow.find(text) if text in workflow.builtin() else workflow.load(text, "the workflow")
    return any(step.prompt is not None for step in found.steps)


def _finish(opened: Workspace, task: Task, out: str | None, html: str | None, as_json: bool) -> int:
    """Do a task of this process's, and print what came of it: the exit code."""
    from repoctx import tasking

    if not as_json:
        click.echo(f"task {task.id}: if it is interrupted, `repoctx task resume {task.id}` goes on with it", err=True)
    done = tasking.run(opened, task, show=_shown(task.id, as_json))
    if done.result is None:
        click.echo(f"task {task.id} was cancelled: `repoctx task resume {task.id}` goes on with it", err=True)
        return 130
    return _printed(done, out, html, as_json)


def _printed(done: Task, out: str | None, html: str | None, as_json: bool) -> int:
    """Print and write what came of a task: the exit code."""
    from repoctx.serve import results

    if as_json:
        click.echo(show.json_line({"event": "result", "task": done.id, **(done.result or {})}))
    else:
        click.echo(results.result_text(done))
    if html:
        from repoctx.serve.page import page

        write_text(html, page(done))
    if out:
        if diff := str((done.result or {}).get("diff") or ""):
            write_text(out, diff)
        else:
            click.echo(f"there is no change: {show.plain(out)} was not written", err=True)
    return results.exit_code(done)


def _shown(identity: str, as_json: bool) -> Callable[[str, Mapping[str, Any]], None]:
    """What shows the progress of a task: JSON Lines, or lines on stderr."""
    from repoctx.serve import results

    def told(event: str, detail: Mapping[str, Any]) -> None:
        if as_json:
            click.echo(show.json_line({"event": event, "task": identity, **detail}))
        elif line := results.event_text(event, detail):
            click.echo(show.plain(line), err=True)

    return told


# --- tasks that there are ----------------------------------------------------------------------


@click.group()
def task() -> None:
    """Look at tasks, go on with them, cancel them."""


@task.command("list")
@click.option("--repo", metavar="R", help="Only those about this repository.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@JSON
@click.pass_context
def listed(context: click.Context, repo: str | None, limit: int, as_json: bool) -> int:
    """List tasks, the newest first."""
    from repoctx.serve import results
    from repoctx.store import tasks
    from repoctx.store.connect import errors

    with workspace(context) as opened:
        names = None if repo is None else [opened.repository(repo).name]
        with errors(opened.engine), opened.engine.connect() as connection:
            found = tasks.listed(connection, repositories_named=names, limit=limit)
    for one in found:
        when = datetime.fromtimestamp(one.created_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        kind = results.name_of(one)
        row = {"id": one.id, "kind": kind, "repository": one.repository, "state": one.state, "created_at": when}
        click.echo(show.json_line(row) if as_json else f"{one.id}  {when}  {one.state:9} {kind} {one.repository}")
    return 0 if found else 1


@task.command("show")
@click.argument("identity", metavar="ID")
@OUT
@HTML
@JSON
@click.pass_context
def shown(context: click.Context, identity: str, out: str | None, html: str | None, as_json: bool) -> int:
    """Show a task and what came of it."""
    from repoctx import tasking
    from repoctx.serve import results

    with workspace(context) as opened:
        found = tasking.find(opened, identity)
    if html:
        from repoctx.serve.page import page

        write_text(html, page(found))
    if out:
        write_text(out, str((found.result or {}).get("diff") or ""))
    if as_json:
        hidden = ("pinned", "recent", "worker", "token")
        click.echo(show.json_line({k: v for k, v in found._asdict().items() if k not in hidden}))
    else:
        click.echo(results.task_text(found))
    return results.exit_code(found)


@task.command()
@click.argument("identity", metavar="ID")
@URL
@SERVED
@OUT
@HTML
@JSON
@click.pass_context
def resume(
    context: click.Context, identity: str, backend_url: str | None, backend_model: str | None, out: str | None,
    html: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Go on with a task that failed or was interrupted: answers that it has are not asked for again."""
    from repoctx import tasking

    check_places(out, html)
    with workspace(context, backend_url=backend_url, backend_model=backend_model) as opened:
        found = tasking.find(opened, identity)
        if asks_model(found.kind, found.input):
            opened.backend()
        going_on = tasking.again(opened, found, local=True)
        return _finish(opened, going_on, out, html, as_json)


@task.command()
@click.argument("identity", metavar="ID")
@click.pass_context
def cancel(context: click.Context, identity: str) -> None:
    """Cancel a task, whoever does it."""
    from repoctx import tasking

    with workspace(context) as opened:
        found = tasking.find(opened, identity)
        if not tasking.cancel(opened, found):
            raise UsageError(f"task {found.id} is {found.state} already: there is nothing to cancel")
    click.echo(f"task {found.id} is cancelled, or will be within a second")
