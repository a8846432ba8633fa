"""Is all well that runs, or should: the service, its jobs, the model's server, repositories, clocks, watches?

Each check takes milliseconds and asks nobody for longer than `PATIENCE`. What is bad says what to do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from repoctx import config, http
from repoctx.errors import RepoctxError
from repoctx.hosts import host
from repoctx.serve.background import state
from repoctx.serve.collect import UNTOUCHED
from repoctx.source import clone, urls
from repoctx.store import jobs, snapshots, workers
from repoctx.store.connect import errors
from repoctx.store.jobs import Job
from repoctx.store.snapshots import Repository
from repoctx.store.workers import Worker
from repoctx.workspace import Workspace

# How long a server is waited for, in seconds.
PATIENCE = 0.5
# The port of `repoctx serve` unless it is told another.
PORT = 8400
# A job that waits for longer, or a run that says nothing for longer, needs somebody. In seconds.
LONG = 900.0
# Clocks that differ by more make jobs due, tokens valid and workers dead at wrong times. In seconds.
SKEW = 2.0
# What is named of a list.
NAMED = 5
# Jobs that are looked at, the newest first.
JOBS = 200


class Check(NamedTuple):
    """Whether something is as it must be."""

    name: str
    ok: bool
    detail: str


def checks(workspace: Workspace) -> list[Check]:
    """Look at all that runs; the database can be used."""
    with errors(workspace.engine), workspace.engine.connect() as connection:
        repositories = snapshots.all_repositories(connection)
        refs = [(one, ref) for one in repositories for ref in snapshots.all_refs(connection, one)]
        known = workers.every(connection)
        newest = jobs.listed(connection, limit=JOBS)
        clock = _clock(connection)
    alive = [one for one in known if _lives(one)]
    found: list[Check | None] = [_service(), _workers(alive, newest), *_jobs(newest), _vectors(refs)]
    found += [_places(repositories), _mirrors(workspace, repositories), _watches(repositories), _backend(workspace)]
    return [check for check in (*found, clock) if check is not None]


# --- the service -------------------------------------------------------------------------------


def _service() -> Check:
    import httpx

    try:
        answer = httpx.get(f"http://127.0.0.1:{PORT}/healthz", timeout=PATIENCE, trust_env=False)
    except httpx.HTTPError:
        looked = f"none answers on port {PORT} here, the usual one; others were not looked at"
        return Check("service", True, f"{looked}: `repoctx serve` starts one")
    if answer.is_success and "status" in answer.text:
        return Check("service", True, f"answers on http://127.0.0.1:{PORT}")
    return Check("service", False, f"another program answers on port {PORT}: start `repoctx serve` with another --port")


def _lives(worker: Worker) -> bool:
    """Whether a worker may be alive: of another machine only others can tell."""
    return worker.host != host() or os.path.exists(f"/proc/{worker.pid}") or not os.path.isdir("/proc/self")


def _workers(alive: Sequence[Worker], newest: Sequence[Job]) -> Check:
    if alive:
        where = sorted({one.host.split("/")[0] for one in alive})
        return Check("workers", True, f"{len(alive)}, on {_listed(where)}")
    waiting = [one for one in newest if one.state in jobs.OPEN]
    if waiting:
        many = f"{len(waiting)} jobs wait and no worker runs" if len(waiting) > 1 else "a job waits and no worker runs"
        return Check("workers", False, f"{many}: start `repoctx serve` or `repoctx worker`")
    return Check("workers", True, "none runs, and nothing waits for one")


def _jobs(newest: Sequence[Job]) -> list[Check]:
    now = time.time()
    seen: set[tuple[str, str]] = set()
    failed = []
    for one in newest:
        if (one.repository, one.ref) not in seen and one.state == "failed":
            failed.append(f"{_named(one)} ({one.error})")
        seen.add((one.repository, one.ref))
    late = [_named(one) for one in newest if one.state == "waiting" and now - one.due_at > LONG]
    said = []
    if failed:
        retry = "mend that, then POST /v1/repositories/NAME/index tries again"
        said.append(Check("failed jobs", False, f"{_listed(failed)}: {retry}"))
    if late:
        more = "start another `repoctx worker`, or raise jobs.at_once"
        said.append(Check("late jobs", False, f"{_listed(late)} wait for more than {LONG / 60:.0f} minutes: {more}"))
    return said or [Check("jobs", True, f"{sum(one.state in jobs.OPEN for one in newest)} open, none failed or late")]


def _named(job: Job) -> str:
    return f"{job.repository} {job.ref}".strip()


def _vectors(refs: Sequence[tuple[Repository, snapshots.Ref]]) -> Check:
    waiting = [(one, ref) for one, ref in refs if ref.pending is not None]
    stuck = [(one, ref) for one, ref in waiting if state(ref.progress) not in ("running",) and not _elsewhere(ref)]
    if stuck:
        repository, ref = stuck[0]
        named = _listed([f"{one.name} {where.name}" for one, where in stuck])
        what = f"`repoctx embed --repo {repository.name} --ref {ref.name}` makes them, as a worker does"
        return Check("vectors", False, f"those of {named} are awaited and nobody makes them: {what}")
    return Check("vectors", True, f"being made for {len(waiting)} refs" if waiting else "none are awaited")


def _elsewhere(ref: snapshots.Ref) -> bool:
    return state(ref.progress).startswith("by process")


# --- repositories ------------------------------------------------------------------------------


def _places(repositories: Sequence[Repository]) -> Check:
    gone = [one for one in repositories if not urls.is_url(one.location) and not os.path.isdir(one.location)]
    if gone:
        named = _listed([f"{one.name} ({one.location})" for one in gone])
        return Check("locations", False, f"gone are {named}: put them back, index where they are now, or "
                     "`repoctx remove NAME`; the last index still answers")  # fmt: skip
    return Check("locations", True, f"{len(repositories):,} repositories are where they were")


def _mirrors(workspace: Workspace, repositories: Sequence[Repository]) -> Check:
    known = [one.location for one in repositories if urls.is_url(one.location)]
    unused = clone.unused(workspace.mirrors, known, time.time() - UNTOUCHED)
    if unused:
        return Check("clones", False, f"{len(unused)} belong to no repository: `repoctx gc` removes them")
    return Check("clones", True, f"{len(known):,} in use")


def _watches(repositories: Sequence[Repository]) -> Check | None:
    """Whether the kernel lets `repoctx watch` watch the folders of the repositories; Linux alone has a limit."""
    try:
        limit = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
        instances = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    except (OSError, ValueError):
        return None
    low = [f"fs.inotify.{name}={least}" for name, value, least in (
        ("max_user_watches", limit, 524288), ("max_user_instances", instances, 512),
    ) if value < least // 64]  # fmt: skip
    if low:
        return Check("watches", False, f"too few for `repoctx watch`: run `sudo sysctl {' '.join(low)}`")
    return Check("watches", True, f"{limit:,} folders can be watched")


# --- others ------------------------------------------------------------------------------------


def _backend(workspace: Workspace) -> Check:
    url = workspace.settings.backend_url
    if not url:
        return Check("back end", True, "none is set: `ask`, `debug` and `run` need backend.url, nothing else does")
    shown = http.without_user(url)
    try:
        base = http.server_url(url, "backend.url", "backend.key_env")
        key = http.key_from(config.key_variable(workspace.configuration, "backend_key_env"), shown)
    except RepoctxError as error:
        return Check("back end", False, str(error))
    import httpx

    try:
        answer = httpx.get(f"{base}/models", headers=http.authorization(key), timeout=PATIENCE)
    except httpx.HTTPError as error:
        why = type(error).__name__
        return Check("back end", False, f"{shown} does not answer ({why}): start it, or set backend.url to another")
    if answer.status_code in (401, 403):
        return Check("back end", False, f"{shown} refuses the key: put the right one into the variable that "
                     "backend.key_env names")  # fmt: skip
    if answer.status_code >= 500:
        return Check("back end", False, f"{shown} is in trouble (HTTP {answer.status_code}): look at its log")
    return Check("back end", True, f"{shown} answers; `repoctx backend check` proves what it does")


def _clock(connection: sa.Connection) -> Check | None:
    if connection.dialect.name != "postgresql":
        return None
    begun = time.time()
    theirs = float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)
    skew = theirs - (begun + time.time()) / 2
    if abs(skew) > SKEW:
        way = "ahead of" if skew > 0 else "behind"
        took = timedelta(seconds=round(abs(skew)))
        return Check("clock", False, f"the database's is {took} {way} this one's: let NTP set both")
    return Check("clock", True, f"within {SKEW:.0f} s of the database's")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
