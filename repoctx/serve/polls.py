"""What was pushed to servers that send no webhooks? They are asked for their refs now and then."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import structlog

from repoctx.errors import RepoctxError
from repoctx.serve.registration import access_of, check_path, followed
from repoctx.source import LOCAL_USER, remote_refs, urls
from repoctx.store import jobs, registry, snapshots
from repoctx.store.connect import errors
from repoctx.store.registry import Registered
from repoctx.workspace import Workspace

# Servers that are asked for their refs at a time, how many times as many are claimed, for a server mostly answers
# sooner than the next look comes, and how long one may take, in seconds.
POLLS, AHEAD, POLL_SECONDS = 4, 8, 60

log = structlog.get_logger()


def poll(workspace: Workspace, pollers: ThreadPoolExecutor, polling: set[int]) -> None:
    """Ask the servers that are due for their refs, a few at a time, and submit jobs for what has moved.

    No more are claimed than can be asked soon: hundreds may be due at once, and other workers ask too.
    """
    now, room = time.time(), AHEAD * POLLS - len(polling)
    if room <= 0:
        return
    with errors(workspace.engine), workspace.engine.connect() as connection:
        due = registry.due_polls(connection, now, workspace.settings.serve_poll_seconds, room)
    for found in due:
        if found.repository.id in polling:
            continue
        with errors(workspace.engine), workspace.engine.begin() as connection:
            mine = registry.claim_poll(connection, found, now)
        if mine:
            polling.add(found.repository.id)
            pollers.submit(_poll_one, workspace, found).add_done_callback(
                lambda _, number=found.repository.id: polling.discard(number)  # type: ignore[misc]
            )


def _poll_one(workspace: Workspace, found: Registered) -> None:
    try:
        submitted = poll_one(workspace, found)
        if submitted:
            log.info("poll found pushes", repository=found.repository.name, jobs=submitted)
    except RepoctxError as error:
        log.warning("poll failed", repository=found.repository.name, error=str(error))
    except Exception as error:  # a bug fails its poll only
        log.error("poll failed by an internal error", repository=found.repository.name, exc_info=error)


def poll_one(workspace: Workspace, found: Registered) -> list[str]:
    """Compare the refs of a server with the index: the ids of the jobs for what has moved, or is gone."""
    repository, registration = found
    location, access = repository.location, access_of(workspace.settings, repository.location, registration)
    if not urls.is_url(location):
        check_path(workspace.settings, location)
        location, access = Path(location).as_uri(), LOCAL_USER
    limits = workspace.limits(workspace.settings)
    limits = replace(limits, clone_seconds=min(limits.clone_seconds, POLL_SECONDS))
    there = remote_refs(location, limits, access)
    heads = {**there.tags, **there.branches}
    with errors(workspace.engine), workspace.engine.begin() as connection:
        indexed = {ref.name: ref.commit for ref in snapshots.all_refs(connection, repository)}
        wanted = [name for name in indexed if heads.get(name) != indexed[name] and _is_name(name, indexed[name])]
        wanted += [
            name
            for name in heads
            if name not in indexed and (name == repository.default_ref or followed(registration.follow, name))
        ]
        if registration.moves and there.default and there.default != repository.default_ref:
            wanted.append("")
        submitted = [
            jobs.submit(connection, repository.id, name, "poll", commit=heads.get(name), now=time.time())
            for name in sorted(set(wanted))
        ]
        if submitted:
            registry.pushed(connection, [repository.id], time.time())
    return submitted


def _is_name(name: str, commit: str | None) -> bool:
    """Whether a ref is a name rather than a commit, which never moves."""
    return name != commit and name != "HEAD"
