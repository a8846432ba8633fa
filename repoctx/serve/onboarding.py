"""How do hundreds of repositories come to be looked after at once?

A file has a line for each. What is wrong with a line is said of it and stops none of the others; what is registered
already stays as it is. The rows are written a hundred lines at a time, and the jobs go after all pushes.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from repoctx.errors import BackendError, RefusedError, RepoctxError, UsageError
from repoctx.serve.options import JSON, workspace
from repoctx.serve.program import read_text
from repoctx.serve.show import json_line, plain, progress

if TYPE_CHECKING:
    import sqlalchemy as sa

    from repoctx.config import Settings
    from repoctx.serve.rest.repositories import RegisterAsked
    from repoctx.store.jobs import Ended
    from repoctx.store.registry import Registration
    from repoctx.store.snapshots import Repository
    from repoctx.types import Progress
    from repoctx.workspace import Workspace

# Lines whose rows are written in one transaction.
BATCH = 100
# Characters of a line.
LONGEST = 20_000
# How often followed jobs are looked at, in seconds.
LOOK_SECONDS = 0.5


class Wanted(NamedTuple):
    """What a line asks for."""

    line: int
    repository: Repository
    registration: Registration
    named: bool  # the line says the name
    at_once: bool  # it is indexed as soon as it is registered


class Outcome(NamedTuple):
    """What became of a line."""

    line: int
    outcome: str  # registered, known, bad; with --dry-run "new" rather than "registered"
    name: str | None = None
    location: str | None = None
    job: str | None = None
    reason: str | None = None


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Say what would be registered; write nothing.")
@click.option("--wait", is_flag=True, help="Wait until all are indexed, and say which failed.")
@JSON
@click.pass_context
def onboard(context: click.Context, file: str, dry_run: bool, wait: bool, as_json: bool) -> None:
    """Register all repositories that FILE lists (- is standard input), and have them indexed.

    A line is a clone URL or a path, and a name if you like; or a JSON object as `POST /v1/repositories` takes it.
    Empty lines and those that begin with # are left out. What is registered already stays as it is.
    """
    if dry_run and wait:
        raise UsageError("--dry-run makes no jobs that --wait could wait for: give one of them")
    text = read_text(None, file, "file")
    count = dict.fromkeys(("new" if dry_run else "registered", "known", "bad"), 0)
    made = []
    with workspace(context) as opened:
        for outcome in onboarded(opened, text, dry_run):
            click.echo(json_line(outcome) if as_json else _line(outcome))
            count[outcome.outcome] += 1
            if outcome.job is not None:
                made.append(outcome.job)
        if wait and made:
            count |= _awaited(opened, made, as_json)
    shown = ", ".join(f"{number:,} {what}" for what, number in count.items() if number)
    click.echo(json_line(count) if as_json else shown or "no line asks for anything")
    if count["bad"]:
        raise RefusedError(f"{count['bad']:,} of the lines could not be used: see what is said of them")
    if count.get("failed") or count.get("cancelled"):
        raise RefusedError("not all could be indexed: see what is said of them")


def _awaited(opened: Workspace, made: Sequence[str], as_json: bool) -> dict[str, int]:
    """Wait for jobs, and say what became of them: how many ended in which state."""
    _hint(opened)
    with progress(quiet=as_json) as show:
        results = followed(opened, made, show)
    for one in results:
        if as_json:
            click.echo(json_line(one))
        elif one.state != "done":
            click.echo(f"{one.state}: {plain(one.name)}: {plain(one.error or 'somebody has cancelled it')}")
    return {state: sum(one.state == state for one in results) for state in ("done", "failed", "cancelled")}


def onboarded(opened: Workspace, text: str, dry_run: bool = False) -> Iterator[Outcome]:
    """Register what the lines of a text ask for, each as it comes or, with its batch, a little later."""
    from repoctx.store.connect import errors
    from repoctx.store.facts import batches

    names: dict[str, tuple[int, str]] = {}
    for batch in batches(_read(opened.settings, text, names), BATCH):
        wanted = [one for one in batch if isinstance(one, Wanted)]
        with errors(opened.engine):
            if dry_run:
                with opened.engine.connect() as connection:
                    found = _sorted_out(connection, wanted)
            else:
                with opened.engine.begin() as connection:
                    found = _registered(connection, wanted, _sorted_out(connection, wanted))
        yield from (found[one.line] if isinstance(one, Wanted) else one for one in batch)


def _read(settings: Settings, text: str, names: dict[str, tuple[int, str]]) -> Iterator[Wanted | Outcome]:
    """What each line asks for, or what is wrong with it. `names` gets the line and the location of each name."""
    from repoctx.serve import registration as registrations

    unknown: dict[str, str] = {}  # host -> why it is not: it is not looked up again for each line
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not (stripped := line.strip()) or stripped.startswith("#"):
            continue
        asked = None
        try:
            asked = asked_in(stripped)
            if (host := _host(asked)) in unknown:
                raise BackendError(unknown[host])
            repository, registration = registrations.prepared(settings, asked, time.time())
        except RepoctxError as error:
            if isinstance(error, BackendError) and asked is not None:
                unknown[_host(asked)] = str(error)
            yield Outcome(number, "bad", reason=str(error))
            continue
        before, location = names.setdefault(repository.name, (number, repository.location))
        if before != number and location == repository.location:
            yield Outcome(number, "known", repository.name, location)
            continue
        if before != number:
            why = f"the name {repository.name!r} is that of line {before}: give another after the URL or path"
            yield Outcome(number, "bad", repository.name, repository.location, reason=why)
            continue
        yield Wanted(number, repository, registration, asked.name is not None, asked.index)


def asked_in(line: str) -> RegisterAsked:
    """What a line asks for. Raises UsageError, which repeats nothing of a secret."""
    from pydantic import ValidationError

    from repoctx.serve.rest.problems import plain as plainly
    from repoctx.serve.rest.repositories import RegisterAsked
    from repoctx.source import urls

    if len(line) > LONGEST:
        raise UsageError(f"the line is too long: a line has at most {LONGEST:,} characters")
    try:
        if line.startswith("{"):
            return RegisterAsked.model_validate_json(line)
        words = shlex.split(line)
        if len(words) not in (1, 2):
            raise ValueError
        where, name = words[0], words[1] if len(words) == 2 else None
        there = {"url": where} if urls.is_url(where) else {"path": os.path.abspath(os.path.expanduser(where))}
        return RegisterAsked.model_validate({**there, "name": name})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise UsageError(f"{at}: {plainly(first['type'], first['msg'])}".removeprefix(": ")) from None
    except ValueError:  # of quotes that do not end too
        raise UsageError(
            "a line is a clone URL or a path, and a name if you like: put what holds spaces in quotes"
        ) from None


def _host(asked: RegisterAsked) -> str:
    """The part of a URL that its host is in; "" for a path."""
    return "/".join((asked.url or "").split("/")[:3])


def _sorted_out(connection: sa.Connection, wanted: Sequence[Wanted]) -> dict[int, Outcome]:
    """What is to become of each line, by what is registered already."""
    from repoctx.store import registry

    found = registry.found(
        connection, [one.repository.name for one in wanted], [one.registration.place for one in wanted]
    )
    by_name = {one.repository.name: one for one in found}
    by_location = {one.repository.location: one for one in reversed(found)}
    outcomes = {}
    for line, repository, _, named, _ in wanted:
        same = by_name.get(repository.name)
        if same is None and not named:  # its name is whatever it was registered under
            same = by_location.get(repository.location)
        if same is None:
            outcomes[line] = Outcome(line, "new", repository.name, repository.location)
        elif same.repository.location == repository.location:
            outcomes[line] = Outcome(line, "known", same.repository.name, repository.location)
        else:
            outcomes[line] = _taken(line, repository)
    return outcomes


def _taken(line: int, repository: Repository) -> Outcome:
    why = f"the name {repository.name!r} belongs to another repository: give another after the URL or path"
    return Outcome(line, "bad", repository.name, repository.location, reason=why)


def _registered(
    connection: sa.Connection, wanted: Iterable[Wanted], outcomes: dict[int, Outcome]
) -> dict[int, Outcome]:  # fmt: skip
    """Register those that are new, and submit their jobs."""
    from repoctx.store import jobs, registry

    now = time.time()
    keys: dict[int, tuple[int, str]] = {}
    for line, repository, registration, _, at_once in wanted:
        if outcomes[line].outcome != "new":
            continue
        made = registry.register(connection, repository, registration)
        if made is None:  # by an index run of the command line, that the service did not know of
            outcomes[line] = _taken(line, repository)
            continue
        outcomes[line] = outcomes[line]._replace(outcome="registered")
        if at_once:
            keys[line] = (made.repository.id, repository.default_ref)
    asked = {key: jobs.Asked("onboarded", 1, None) for key in keys.values()}
    submitted = jobs.submit_all(connection, asked, now)
    return outcomes | {line: outcomes[line]._replace(job=submitted[key]) for line, key in keys.items()}


def followed(opened: Workspace, made: Sequence[str], show: Callable[[Progress], None]) -> list[Ended]:
    """Wait until jobs are finished: what became of them, by name."""
    from repoctx.store import jobs
    from repoctx.store.connect import errors
    from repoctx.types import Progress

    left, ended = set(made), []
    while True:
        with errors(opened.engine), opened.engine.connect() as connection:
            new = jobs.ended(connection, sorted(left))
        ended += new
        left -= {one.job for one in new}
        show(Progress("index", len(made) - len(left), len(made), "repositories"))
        if not left:
            return sorted(ended, key=lambda one: one.name)
        time.sleep(LOOK_SECONDS)


def _hint(opened: Workspace) -> None:
    """Say so where nobody would ever run the jobs."""
    from repoctx.store import workers
    from repoctx.store.connect import errors

    with errors(opened.engine), opened.engine.connect() as connection:
        if not workers.every(connection):
            click.echo("no worker runs: start `repoctx serve` or `repoctx worker`, which will index them", err=True)


def _line(outcome: Outcome) -> str:
    """A line about a line."""
    if outcome.outcome == "bad":
        return f"line {outcome.line}: BAD: {plain(outcome.reason or '')}"
    said = {"new": "would be registered", "known": "is registered already"}.get(outcome.outcome, "registered")
    return f"line {outcome.line}: {plain(str(outcome.name))} {said}" + (f", job {outcome.job}" if outcome.job else "")
