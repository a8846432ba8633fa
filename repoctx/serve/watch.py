"""How does the index of a work tree stay up to date while somebody works in it?

The folders that can show a change are watched by the platform's own notices. What they tell of is collected until
it is quiet for a moment; then it is asked whether any of it matters, and only then the index is brought up to date.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import click

from repoctx.errors import BusyError, NotFoundError, RepoctxError, SourceError, UsageError
from repoctx.serve import show
from repoctx.serve.background import make
from repoctx.serve.notices import Followed, follow, is_due, is_there, notices, renew, take
from repoctx.serve.options import JSON, workspace

if TYPE_CHECKING:
    from repoctx.types import Report
    from repoctx.workspace import Workspace

# When a run that failed is tried again though nothing has changed: after the first, doubled up to the second; seconds.
FIRST_RETRY, MOST_RETRY = 2.0, 60.0


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--quiet-ms", default=400, show_default=True, type=click.IntRange(50, 60_000), metavar="MS",
              help="Wait for so long without a change before the index is brought up to date.")  # fmt: skip
@click.option("--poll", is_flag=True, help="Look at all files every 2 s, where the system gives no notices of changes.")
@JSON
@click.pass_context
def watch(context: click.Context, paths: tuple[str, ...], quiet_ms: int, poll: bool, as_json: bool) -> int:
    """Keep the index of work trees and folders up to date while you work in them [default: the one around here].

    Files that are ignored or left out do not count. It ends with Ctrl-C, or when the last of the folders is gone.
    """
    asked: list[int] = []
    stop = threading.Event()

    def end(number: int, _: object) -> NoReturn:
        asked.append(number)
        stop.set()  # what is raised may be lost in a callback, or taken for an interrupt by the notifier
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    with workspace(context) as opened:
        followed = [follow(opened, location) for location in locations(opened, paths)]
        with contextlib.suppress(KeyboardInterrupt):
            keep(opened, followed, quiet_ms / 1000, poll, stop, as_json)
    if signal.SIGTERM not in asked:
        raise KeyboardInterrupt
    return 0


def locations(opened: Workspace, paths: Collection[str]) -> list[str]:
    """The folders that are to be watched, each once. Raises UsageError and SourceError for what cannot be."""
    from repoctx.source import check_extent, source_top

    if not paths:
        try:
            paths = [opened.repository().location]
        except NotFoundError:
            paths = ["."]
    found = {}
    for path in paths:
        if source_top(path) is None:
            raise UsageError(f"{show.plain(path)} is a URL: `repoctx serve` looks after those")
        check_extent(path)
        with opened.source(path) as source:
            found[source.folder] = source.location
    return list(found.values())


# --- waiting ------------------------------------------------------------------------------------


def keep(
    opened: Workspace, followed: list[Followed], quiet: float, poll: bool, stop: threading.Event, as_json: bool
) -> None:
    """Bring repositories up to date as they change, until told to stop. Raises SourceError when the last is gone."""
    left = list(followed)
    while True:
        for one in left:
            one.run_at = 0.0  # nobody has told of what changed before it was watched
        for changes in notices(opened, left, poll, stop):
            now = time.monotonic()
            for one in list(left):
                if not is_there(one):
                    left.remove(one)
                    gone = f"{show.plain(one.location)} was removed or moved, so it is no longer watched"
                    if not left:
                        raise SourceError(f"{gone}: start `repoctx watch` anew where it is now")
                    _say(gone)
                    continue
                take(one, changes, now)
                _reap(opened, one)
            due = [one for one in left if is_due(one, now, quiet)]
            others = [one for one in due if one.renew and renew(opened, one)]
            if others:
                break
            for one in due:
                _look(opened, one, as_json)
        if stop.is_set():
            return


def _look(opened: Workspace, one: Followed, as_json: bool) -> None:
    """Bring a repository up to date if anything that has changed matters, or the last run failed."""
    touched, git_too, whatever = one.touched, one.of_git, one.run_at is not None
    one.touched, one.of_git, one.since = set(), False, None
    try:
        with opened.source(one.location) as source:
            state = source.state() if git_too or whatever else one.state
            needed = whatever or state != one.state or (source.kind != "bare" and source.matters(touched, one.blobs))
    except (RepoctxError, OSError) as error:
        _failed(one, error)
        return
    if needed:
        one.state = state
        bring(opened, one, as_json)


# --- indexing -----------------------------------------------------------------------------------


def bring(opened: Workspace, one: Followed, as_json: bool) -> None:
    """Bring the index of a repository up to date and say so. What keeps it from that is said, and tried again."""
    started = time.monotonic()
    try:
        with show.progress(quiet=as_json or one.report is not None) as progress:
            report = opened.index(one.location, show=progress, finish=False)
        blobs = opened.blobs(report.repository, report.ref)
    except (RepoctxError, OSError) as error:
        if one.report is None and not isinstance(error, BusyError):
            raise
        _failed(one, error)
        return
    one.run_at, one.failures, one.said = None, 0, ""
    count = len(dict(one.blobs.items() ^ blobs.items()))
    first = one.report is None
    news = one.report is None or (report.snapshot, report.ref, report.commit) != (
        one.report.snapshot, one.report.ref, one.report.commit,
    )  # fmt: skip
    one.report, one.blobs = report, blobs
    if news or as_json:
        _tell(report, count, time.monotonic() - started, first, as_json)
    if report.pending is not None:
        one.more = True
        _reap(opened, one)


def _tell(report: Report, count: int, seconds: float, first: bool, as_json: bool) -> None:
    """Say what a run did: `files_changed` is how many came, went or have other bytes."""
    at = datetime.now(UTC)
    if as_json:
        told = {"at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "files_changed": count}
        click.echo(show.json_line({**asdict(report), **told, "seconds": round(seconds, 3)}))
    else:
        commit = f" at {report.commit[:12]}" if report.commit else ""
        files = f"{report.files:,} files" if first else f"{count:,} file{'s' * (count != 1)} changed"
        click.echo(
            f"{at.astimezone():%H:%M:%S}  {show.plain(report.repository)}, {show.plain(report.ref)}{commit}: {files}, "
            f"{seconds:.1f} s, snapshot {report.snapshot[:12]}"
        )
    sys.stdout.flush()


def _failed(one: Followed, error: Exception) -> None:
    said = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    if said != one.said:
        _say(f"{show.plain(one.location)} is not up to date, and tried again: {show.plain(said)}")
    one.said = said
    one.run_at = time.monotonic() + min(FIRST_RETRY * 2**one.failures, MOST_RETRY)
    one.failures = min(one.failures + 1, 10)


def _say(text: str) -> None:
    click.echo(f"repoctx: {text}", err=True)


def _reap(opened: Workspace, one: Followed) -> None:
    """See whether the process that makes vectors has ended, and start one if there are some to be made."""
    if one.making is not None:
        try:
            ended, _ = os.waitpid(one.making, os.WNOHANG)
        except ChildProcessError:
            ended = one.making
        if not ended:
            return
        one.making = None
    if one.more and one.report is not None:
        one.more = False
        one.making = make(opened.settings, one.report)
