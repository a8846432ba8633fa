"""Which changes of files does the system tell of, and when is it time to look at them?

On Linux a notice is asked for each folder that can hold what matters: neither ignored folders, which builds fill, nor
symbolic links, which may lead anywhere. On macOS one is asked for each repository.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repoctx.errors import RefusedError, RepoctxError
from repoctx.serve.show import plain

if TYPE_CHECKING:
    from repoctx.source import Grounds
    from repoctx.types import Report
    from repoctx.workspace import Workspace

# How long changes are collected at most while they do not end, in seconds.
MOST_WAIT = 5.0
# How long git may be at work on the index and the work tree; a lock that is older than that was left behind.
MOST_LOCKED = 60.0
# How often the system's notices are collected, in ms, and files are looked at where there are no notices.
STEP_MS, POLL_MS = 50, 2000
RECURSIVE = sys.platform == "darwin"
# How often folders that come and go while watching begins are listed again.
TRIES = 10

ADDED, MODIFIED, DELETED = 1, 2, 3  # watchfiles.Change
Change = tuple[int, str]


@dataclass(slots=True)
class Followed:
    """A repository that is watched, and what is known of it."""

    location: str
    folder: str
    identity: tuple[int, int]  # device and inode of the folder
    apart: list[str]  # what lies in it and is not of it: our own data
    grounds: Grounds
    state: str
    report: Report | None = None
    blobs: Mapping[str, str] = field(default_factory=dict)
    touched: set[bytes] = field(default_factory=set)
    of_git: bool = False  # whether something of git's own has changed
    since: float | None = None  # when the first of the changes that wait was told of
    last: float = 0.0  # when the last was
    renew: bool = False  # whether there may be other folders to watch
    run_at: float | None = None  # when the index is brought up to date whatever has changed
    failures: int = 0  # runs that have failed since the last that did not
    said: str = ""  # of the last failure
    making: int | None = None  # the process that makes vectors
    more: bool = False  # whether vectors are waited for that it may not know of


def follow(opened: Workspace, location: str) -> Followed:
    """A repository to watch, of which nothing is known yet."""
    apart = [os.path.realpath(opened.settings.home)]
    with opened.source(location) as source:
        status = os.stat(source.folder)
        identity = (status.st_dev, status.st_ino)
        return Followed(location, source.folder, identity, apart, source.grounds(apart), source.state())


def notices(
    opened: Workspace, followed: list[Followed], poll: bool, stop: threading.Event
) -> Iterator[Collection[Change]]:
    """What has changed in the folders of repositories since the last time, every now and then; empty if nothing has.

    Raises RefusedError if the system does not watch so many folders.
    """
    from watchfiles import watch as watched

    for _ in range(TRIES):
        folders = sorted({folder for one in followed for folder in _folders(one)})
        told: Iterator[Collection[Change]] = watched(
            *folders, watch_filter=None, step=STEP_MS, debounce=4 * STEP_MS, rust_timeout=2 * STEP_MS,
            yield_on_timeout=True, force_polling=poll, poll_delay_ms=POLL_MS, recursive=RECURSIVE,
            stop_event=stop,
        )  # fmt: skip
        try:
            first = next(told, None)
        except (FileNotFoundError, PermissionError):  # a folder that has gone since, or is closed
            for one in followed:
                renew(opened, one)
            continue
        except (OSError, RuntimeError) as error:
            raise _refusal(error, len(folders)) from error
        if first is None:
            return
        # A folder that came before the one around it was watched is told of by nobody.
        others = [one for one in followed if renew(opened, one)]
        if others:
            continue
        yield first
        yield from told
        return
    raise RefusedError("folders come and go too fast to be watched: try again when that has ended")


def _folders(one: Followed) -> Iterator[str]:
    """The folders of a repository that the notifier is asked to watch: its paths are valid text."""
    if RECURSIVE:
        outside = (folder for folder in one.grounds.git if not folder.startswith(one.folder + "/"))
        yield from (one.folder, *outside)
        return
    for folder in one.grounds.files:
        path = os.path.join(os.fsencode(one.folder), folder) if folder else os.fsencode(one.folder)
        try:
            yield path.decode()
        except UnicodeDecodeError:
            continue
    yield from one.grounds.git


def renew(opened: Workspace, one: Followed) -> bool:
    """List the folders of a repository again: whether there are any that are not watched."""
    one.renew = False
    if RECURSIVE:
        return False
    try:
        with opened.source(one.location) as source:
            found = source.grounds(one.apart)
    except RepoctxError:
        return False  # what is wrong with it, the next run says
    other = not (found.files <= one.grounds.files and found.git <= one.grounds.git)
    one.grounds = found
    return other


def _refusal(error: Exception, folders: int) -> RefusedError:
    said = str(error)
    if "limit reached" in said or "No space left" in said:
        return RefusedError(
            f"the system does not watch {folders:,} folders: raise the limit with `sysctl fs.inotify.max_user_watches="
            "524288`, or look at the files now and then with --poll"
        )
    if "Too many open files" in said:
        return RefusedError(
            "too many programs watch folders already: raise the limit with `sysctl fs.inotify.max_user_instances=512`, "
            "or look at the files now and then with --poll"
        )
    return RefusedError(f"the system gives no notices of changes ({plain(said)[:200]}): try --poll")


def is_there(one: Followed) -> bool:
    """Whether the folder of a repository is where it was, and no other in its place."""
    try:
        status = os.stat(one.folder)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == one.identity


def take(one: Followed, changes: Collection[Change], now: float) -> None:
    """Note those of some changes that a repository is concerned with."""
    top = one.folder + "/"
    for kind, path in changes:
        if os.path.dirname(path) in one.grounds.git or path in one.grounds.git:
            if path.endswith(".lock"):
                continue
            one.of_git = True
            if kind != MODIFIED and path in one.grounds.git:
                one.grounds = one.grounds._replace(git=one.grounds.git - {path})
            one.renew |= kind != MODIFIED and "/refs/" in path and os.path.isdir(path)
        elif path.startswith(top) and not any(f"{path}/".startswith(f"{place}/") for place in one.apart):
            raw = os.fsencode(path[len(top) :])
            if raw in one.grounds.files:
                if kind == MODIFIED:
                    continue  # what is in it speaks for itself
                one.grounds = one.grounds._replace(files=one.grounds.files - {raw})  # its notices have ended
            one.renew |= kind != MODIFIED and os.path.isdir(path)
            one.touched.add(raw)
        else:
            continue
        one.since, one.last = now if one.since is None else one.since, now


def is_due(one: Followed, now: float, quiet: float) -> bool:
    """Whether it is time to look at what has changed, or to try again what has failed."""
    if one.since is not None and (now - one.last >= quiet or now - one.since >= MOST_WAIT):
        return now - one.since >= MOST_LOCKED or not os.path.lexists(one.grounds.lock)
    return one.run_at is not None and now >= one.run_at
