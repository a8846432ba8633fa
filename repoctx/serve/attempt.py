"""What happens when an index job is run once, and what becomes of the job after that?"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Literal, NamedTuple

import structlog

from repoctx.errors import BusyError, MissingRefError, RefusedError, RepoctxError, SourceError, UsageError
from repoctx.serve.registration import access_of, check_path
from repoctx.source import holds, urls
from repoctx.store import jobs, registry, snapshots
from repoctx.store.connect import errors
from repoctx.store.jobs import Job
from repoctx.types import Progress, Report
from repoctx.workspace import Workspace

# Waits before the next attempt, in seconds: 1, 4, 16 ... with jitter.
FIRST_WAIT, GROWTH, LONGEST_WAIT = 1.0, 4.0, 600.0
# Somebody else indexes the repository: that is no failure.
BUSY_WAIT = 1.0
# The server told of a push that it does not show yet: how often it is asked again, after 1, 2, 4, 8 seconds.
UNSEEN_ATTEMPTS, UNSEEN_WAIT = 4, 1.0
_UNSEEN = "the server does not show yet what was pushed"
# How often progress is written down, in seconds; a job that shall stop hears of it then.
PROGRESS_SECONDS = 0.5

log = structlog.get_logger()


class Stopped(Exception):
    """The job is no longer this worker's, was cancelled, or the worker shall end."""


class Outcome(NamedTuple):
    """What became of an attempt."""

    name: str  # done, failed, cancelled, again, lost
    waited: float | None = None  # seconds from the oldest push to its index


def run(workspace: Workspace, identity: str, attempt: int, worker: str, stopping: Callable[[], bool]) -> Outcome:
    """Run an attempt of a job and write down what became of it. Raises StorageError if that cannot be written."""
    engine = workspace.engine
    with errors(engine), engine.begin() as connection:
        job = jobs.begin(connection, identity, attempt, worker, time.time())
    if job is None:
        return Outcome("lost")
    structlog.contextvars.bind_contextvars(job=job.id, repository=job.repository, ref=job.ref)
    log.info("job begins", attempt=job.attempt, cause=job.cause, pushes=job.pushes)
    try:
        report = index(workspace, job, _teller(workspace, job, stopping))
    except Stopped:
        return _stopped(workspace, job)
    except (RepoctxError, OSError, MemoryError) as error:
        if isinstance(error, MissingRefError) and _unseen(workspace, job):
            return _again(workspace, job, UNSEEN_WAIT * 2**job.unseen, _UNSEEN, "unseen")
        return _failed(workspace, job, error)
    except Exception as error:  # a bug fails its job only
        log.error("job failed by an internal error", exc_info=error)
        return _failed(workspace, job, error)
    if _unseen(workspace, job):
        return _again(workspace, job, UNSEEN_WAIT * 2**job.unseen, _UNSEEN, "unseen")
    now = time.time()
    with errors(engine), engine.begin() as connection:
        mine = jobs.finish(connection, job, "done", now, report=asdict(report) if report else {"removed": True})
    log.info("job done", seconds=report and report.seconds, changed=report and report.changed)
    return Outcome("done", now - job.requested_at) if mine else Outcome("lost")


def index(workspace: Workspace, job: Job, show: Callable[[Progress], None]) -> Report | None:
    """Index what a job is about; None if its ref is gone, and so is its index now."""
    engine = workspace.engine
    with errors(engine), engine.connect() as connection:
        repository = snapshots.repository(connection, job.repository)
        registration = registry.of(connection, repository.id)
        seen = snapshots.ref(connection, repository, job.ref) if job.ref else None
    access = access_of(workspace.settings, repository.location, registration)
    if not urls.is_url(repository.location):
        check_path(workspace.settings, repository.location)
    ref = job.ref or None
    try:
        return workspace.index(repository.location, ref, repository.name, show, finish=False, access=access)
    except MissingRefError:
        if ref is None or ref == repository.default_ref or _unseen(workspace, job):
            raise
        if seen is None:  # there is nothing to forget of a branch that came and went; a name may be misspelt
            if job.cause in ("request", "registered", "onboarded"):
                raise
            return None
        with errors(engine), engine.begin() as connection:
            now = snapshots.ref(connection, repository, ref, hold=True)
            if not jobs.advance(connection, job, {"stage": "remove", "done": 0, "total": 1, "unit": "refs"}):
                raise Stopped from None
            if now is None or (now.snapshot, now.tree) != (seen.snapshot, seen.tree):
                raise BusyError(f"another process has indexed {repository.name!r} meanwhile") from None
            snapshots.drop_ref(connection, repository, ref)
        snapshots.forget(engine, seen.snapshot)
        return None


def _teller(workspace: Workspace, job: Job, stopping: Callable[[], bool]) -> Callable[[Progress], None]:
    """What notes the progress of a job now and then, and ends it when it shall end."""
    last, stage = 0.0, ""

    def tell(progress: Progress) -> None:
        nonlocal last, stage
        if stopping():
            raise Stopped
        now = time.monotonic()
        if now - last < PROGRESS_SECONDS and progress.stage == stage:
            return
        last, stage = now, progress.stage
        with errors(workspace.engine), workspace.engine.begin() as connection:
            if not jobs.advance(connection, job, progress._asdict()):
                raise Stopped

    return tell


def _stopped(workspace: Workspace, job: Job) -> Outcome:
    """A cancelled job is finished; one that a worker lets go of when it ends is due at once."""
    now = time.time()
    with errors(workspace.engine), workspace.engine.begin() as connection:
        current = jobs.one(connection, job.id)
        if current is None or (current.attempt, current.worker) != (job.attempt, job.worker):
            return Outcome("lost")
        if current.cancelled:
            jobs.finish(connection, job, "cancelled", now)
            return Outcome("cancelled")
        jobs.again(connection, job, now, None, None)
    return Outcome("again")


def _failed(workspace: Workspace, job: Job, error: Exception) -> Outcome:
    """What cannot get better by itself fails for good, the rest is tried again later."""
    said = str(error) if isinstance(error, RepoctxError) else f"{type(error).__name__}: {error}"
    if isinstance(error, BusyError):
        return _again(workspace, job, BUSY_WAIT, said, None)
    lasting = isinstance(error, (UsageError, RefusedError)) and not isinstance(error, SourceError)
    lasting = lasting or (isinstance(error, MissingRefError) and bool(job.ref))
    if lasting or job.failures + 1 >= workspace.settings.jobs_attempts:
        with errors(workspace.engine), workspace.engine.begin() as connection:
            jobs.finish(connection, job, "failed", time.time(), error=said)
        log.warning("job failed", error=said, failures=job.failures + 1)
        return Outcome("failed")
    wait = min(FIRST_WAIT * GROWTH**job.failures, LONGEST_WAIT) * random.uniform(0.75, 1.25)
    return _again(workspace, job, wait, said, "failures")


def _again(
    workspace: Workspace, job: Job, wait: float, said: str, counts: Literal["failures", "unseen"] | None
) -> Outcome:
    with errors(workspace.engine), workspace.engine.begin() as connection:
        jobs.again(connection, job, time.time() + wait, said, counts)
    log.info("job is tried again", error=said, seconds=round(wait, 1))
    return Outcome("again")


def _unseen(workspace: Workspace, job: Job) -> bool:
    """Whether a push told of a commit that the repository does not have, as where its server is slow to show it."""
    if job.commit is None or job.unseen >= UNSEEN_ATTEMPTS:
        return False
    with errors(workspace.engine), workspace.engine.connect() as connection:
        location = snapshots.repository(connection, job.repository).location
    return not holds(location, workspace.mirrors, job.commit)
