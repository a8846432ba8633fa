"""How does git itself see to it that the index is up to date, without waiting for it?

Its hooks start a process that leaves the terminal, waits until git has done what it is about, and indexes. Hooks that
come meanwhile start none: they leave word, and whoever indexes does it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repoctx.errors import BusyError, MissingRefError, NotFoundError, RefusedError
from repoctx.serve import hook_files, show
from repoctx.serve.background import appending, make
from repoctx.serve.hook_files import BARE_HOOKS, WORK_TREE_HOOKS, State, find
from repoctx.serve.options import JSON, workspace

if TYPE_CHECKING:
    from repoctx.workspace import Workspace

# How long a run waits for what git does next, and for a rebase to end, in seconds.
SETTLE, MOST_SETTLE = 0.4, 10.0
# How often it asks again while another process indexes the same repository, and how long, in seconds.
BUSY, MOST_BUSY = 1.0, 3600.0
# How much it gives way to other programs.
NICE = 10

PATH = click.argument("path", metavar="[PATH]", default=".")


@click.group("git-hook")
def git_hook() -> None:
    """Let git bring the index up to date after commits, checkouts, merges and rebases."""


@git_hook.command()
@PATH
@JSON
@click.pass_context
def install(context: click.Context, path: str, as_json: bool) -> None:
    """Add to the hooks of a repository; what stands in them is kept. Running it again changes nothing.

    git never waits for the index and never fails by it. `repoctx watch` sees more: changes that are not committed.
    """
    hooks = find(path)
    with workspace(context) as opened:
        ours = hook_files.lines(opened.settings.home, os.environ)
        known = _is_indexed(opened, hooks.top)
        (Path(opened.settings.home) / "hooks").mkdir(parents=True, exist_ok=True)
    hook_files.refuse_tracked(hooks)
    with _writing(hooks.folder):
        hooks.folder.mkdir(parents=True, exist_ok=True)
        for one in hooks.paths:
            hook_files.add(one, ours)
    _tell(hook_files.states(hooks, ours), as_json)
    if hooks.shared and not as_json:
        click.echo(f"core.hooksPath names {show.plain(str(hooks.folder))}: other repositories may use its hooks")
    if not known and not as_json:
        click.echo(f"hooks bring up to date what is indexed: run `repoctx index {show.plain(path)}` once")


@git_hook.command()
@PATH
@JSON
@click.pass_context
def uninstall(context: click.Context, path: str, as_json: bool) -> None:
    """Take our part out of the hooks of a repository: they are again what they were."""
    hooks = find(path)
    with _writing(hooks.folder):
        for name in (*WORK_TREE_HOOKS, *BARE_HOOKS):
            hook_files.remove(hooks.folder / name)
    with workspace(context) as opened:
        _tell(hook_files.states(hooks, hook_files.lines(opened.settings.home, os.environ)), as_json)


@git_hook.command("status")
@PATH
@JSON
@click.pass_context
def hook_status(context: click.Context, path: str, as_json: bool) -> int:
    """Say which hooks of a repository are installed: exit code 1 if one is not, or starts another repoctx."""
    hooks = find(path)
    with workspace(context) as opened:
        found = hook_files.states(hooks, hook_files.lines(opened.settings.home, os.environ))
    _tell(found, as_json)
    return 0 if all(one.state == "installed" for one in found) else 1


def _tell(found: list[State], as_json: bool) -> None:
    for one in found:
        beside = ", which does something else as well" if one.other and one.state != "missing" else ""
        click.echo(show.json_line(one) if as_json else f"{one.state:<9}  {show.plain(one.path)}{beside}")


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedError(
            f"{show.plain(str(error.filename or folder))} cannot be written ({error.strerror}): "
            "make its folder writable, or use `repoctx watch`"
        ) from error


def _is_indexed(opened: Workspace, top: str) -> bool:
    from repoctx.source import shown_path

    try:
        return opened.repository(top).location == shown_path(os.path.realpath(top))
    except NotFoundError:
        return False


# --- what the hooks start -----------------------------------------------------------------------


@git_hook.command("run", hidden=True)
@click.argument("wanted")
@click.pass_context
def run_after(context: click.Context, wanted: str) -> None:
    """Bring the index of the repository around here up to date, again and again while the file WANTED appears."""
    top = os.path.realpath(os.getcwd())
    _leave_terminal(Path(wanted))
    while os.path.exists(wanted):
        with _alone(wanted) as alone:
            if not alone:
                return  # whoever runs looks for the file when he has ended
            _settle(Path(top))
            Path(wanted).unlink(missing_ok=True)
            with workspace(context) as opened:
                if not _is_indexed(opened, top):
                    return
                click.echo(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {show.plain(top)}")
                _bring(opened, top)


def _leave_terminal(wanted: Path) -> None:
    """Be nobody's child, neither of a terminal that is closed nor of a caller that waits, and write into a log."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.nice(NICE)
    log = wanted.parent.parent / "logs" / f"hook-{wanted.name}.log"
    descriptor = os.open(log, appending(log), 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if not wanted.exists():  # the shell had no folder to leave word in
        wanted.write_text(f"{os.getpid()}\n", encoding="ascii")


@contextlib.contextmanager
def _alone(wanted: str) -> Iterator[bool]:
    """Whether nobody else does the same; nobody does until this ends. Hooks learn who does it."""
    with open(f"{wanted}.lock", "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            Path(wanted).write_text(file.read(20), encoding="ascii")
            yield False
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield True


def _settle(top: Path) -> None:
    """Wait a moment for what git does next, and for a rebase to end, but not for ever: it may wait for its user."""
    ends = time.monotonic() + MOST_SETTLE
    time.sleep(SETTLE)
    while (top / ".git" / "rebase-merge").exists() and time.monotonic() < ends:
        time.sleep(SETTLE)


def _bring(opened: Workspace, top: str) -> None:
    """Index what is checked out; of a bare repository every ref that is indexed already."""
    refs: list[str | None] = [None]
    if not os.path.lexists(os.path.join(top, ".git")):
        repository = opened.repository(top)
        (known,) = (one.refs for one in opened.status() if one.repository == repository)
        refs += [ref.name for ref, _ in known if ref.name != repository.default_ref]
    for ref in refs:
        with contextlib.suppress(MissingRefError):  # it was deleted
            _index(opened, top, ref)


def _index(opened: Workspace, top: str, ref: str | None) -> None:
    ends = time.monotonic() + MOST_BUSY
    while True:
        try:
            report = opened.index(top, ref, finish=False)
        except BusyError:
            if time.monotonic() > ends:
                raise
            time.sleep(BUSY)
            continue
        click.echo(show.report_text(report))
        if report.pending is not None:
            make(opened.settings, report)
        return
