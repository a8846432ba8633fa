"""Who runs the jobs? A worker: it hands due jobs to the durable queue, runs those it is given, and takes over from
workers that died.

The jobs are rows of our own (`store.jobs`); DBOS hands each attempt to one worker, one at a time for each repository.
Whatever of this is lost, by a crash or because only the truth was restored, is found again by comparing the rows with
what DBOS knows.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from repoctx.errors import BusyError, RepoctxError, StorageError
from repoctx.hosts import host
from repoctx.serve import attempt, chores, polls
from repoctx.serve.rest import metrics
from repoctx.store import access as access_log
from repoctx.store import conversations, jobs, registry, snapshots, tasks
from repoctx.store.connect import errors
from repoctx.store.facts import batches
from repoctx.store.jobs import Due, Worker
from repoctx.workspace import Workspace

# How often, in seconds: due jobs are looked for and the queue is asked; a worker says that it lives; rows and queue
# are compared; pending vectors and polls are looked for; old rows are forgotten.
DISPATCH, BEAT, COMPARE, LOOK, PRUNE = 0.1, 1.0, 2.0, 5.0, 3600.0
# A worker whose beats stand still for so long is dead.
STALE = 15.0
# Attempts that may end with their worker before a job is given up.
MOST_LOST = 30
# A worker that hands over nothing for so long, in seconds, hangs: it ends, and is started again.
STUCK = 300.0
# Attempts that are handed over in a turn, and looked up in the queue at a time.
HANDED, COMPARED = 100, 500
# How long finished jobs, tasks and deliveries, the audit log, and what chats began with are kept, in seconds.
KEPT, AUDIT_KEPT, CONVERSATIONS_KEPT = 30 * 86400.0, 365 * 86400.0, 14 * 86400.0

log = structlog.get_logger()


class Line(NamedTuple):
    """A kind of work that waits: what the queue calls it, which rows are open, and how an attempt is given up."""

    queue: str
    open: Callable[[sa.Connection], list[Due]]
    lose: Callable[[sa.Connection, str, int, int, float], None]
    apart: bool  # one at a time for each repository


INDEX = Line("index", jobs.open_jobs, jobs.lose, apart=True)
TASKS = Line("tasks", tasks.open_tasks, tasks.lose, apart=False)


@dataclass
class Turns:
    """When the thread that hands over jobs had its last turn."""

    last: float = field(default_factory=time.monotonic)


class Clock(NamedTuple):
    """When something was done last."""

    seconds: dict[str, float]

    def due(self, what: str, every: float) -> bool:
        """Whether it is time to do something again; if so it counts as done."""
        now = time.monotonic()
        if now - self.seconds.get(what, float("-inf")) < every:
            return False
        self.seconds[what] = now
        return True


def queue_url(workspace: Workspace) -> str:
    """Where DBOS keeps its tables: beside ours in Postgres, in a file of its own in the home otherwise."""
    url = workspace.engine.url
    if url.get_backend_name() == "postgresql":
        return url.render_as_string(hide_password=False)
    return f"sqlite:///{os.path.join(workspace.settings.home, 'queue.db')}"


def work(workspace: Workspace, stop: threading.Event) -> int:
    """Run jobs until told to stop: the exit code. Raises StorageError if the database cannot be used at the start."""
    from dbos import DBOS

    name = f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    me = Worker(name, host(), os.getpid(), time.time(), 0)
    fenced = threading.Event()
    stopping = lambda: stop.is_set() or fenced.is_set()  # noqa: E731
    logging.getLogger("dbos").setLevel(logging.WARNING)
    with errors(workspace.engine), workspace.engine.begin() as connection:
        jobs.enlist(connection, me)
    DBOS(config={
        "name": "repoctx", "system_database_url": queue_url(workspace), "executor_id": me.id,
        "application_version": "1", "use_listen_notify": False, "log_level": "WARNING",
    })  # fmt: skip

    @DBOS.workflow(name="index")
    def _attempt(identity: str, number: int) -> str:
        return _run(workspace, identity, number, me.id, stopping)

    @DBOS.workflow(name="task")
    def _task(identity: str, number: int) -> str:
        return chores.run(workspace, identity, number, me.id, stopping)

    turns = Turns()
    DBOS.launch()
    DBOS.register_queue(
        INDEX.queue,
        worker_concurrency=max(1, workspace.settings.jobs_at_once),
        partition_concurrency=1,  # of each repository
        polling_interval_sec=DISPATCH,
        on_conflict="always_update",
    )
    DBOS.register_queue(
        TASKS.queue,
        worker_concurrency=max(1, workspace.settings.tasks_at_once),
        polling_interval_sec=DISPATCH,
        on_conflict="always_update",
    )
    beside = [
        threading.Thread(target=_embed_pending, args=(workspace, stopping), name="embedder", daemon=True),
        threading.Thread(target=_beat, args=(workspace, me, turns, stop, fenced), name="beat", daemon=True),
    ]
    for thread in beside:
        thread.start()
    log.info("worker begins", worker=me.id, jobs_at_once=workspace.settings.jobs_at_once)
    try:
        _dispatch(workspace, me, {INDEX: _attempt, TASKS: _task}, turns, stop, fenced)
    finally:
        stop.set()
        DBOS.destroy(workflow_completion_timeout_sec=5)
        with suppress(RepoctxError), errors(workspace.engine), workspace.engine.begin() as connection:
            jobs.dismiss(connection, me.id)
    log.info("worker ends", worker=me.id, fenced=fenced.is_set())
    return 75 if fenced.is_set() else 0  # EX_TEMPFAIL: start it again


def _run(workspace: Workspace, identity: str, number: int, worker: str, stopping: Callable[[], bool]) -> str:
    """An attempt, counted and timed."""
    structlog.contextvars.clear_contextvars()
    if stopping():
        return "lost"  # another worker gets it
    began = time.monotonic()
    outcome = attempt.run(workspace, identity, number, worker, stopping)
    metrics.JOBS.labels(outcome.name).inc()
    metrics.JOB_SECONDS.observe(time.monotonic() - began)
    if outcome.waited is not None:
        metrics.LAG_SECONDS.observe(outcome.waited)
    return outcome.name


def _beat(workspace: Workspace, me: Worker, turns: Turns, stop: threading.Event, fenced: threading.Event) -> None:
    """Say that this worker lives, as long as it hands over jobs too; find out if it was taken for dead."""
    while not stop.wait(BEAT):
        if time.monotonic() - turns.last > STUCK:
            log.error("no job was handed over for long: ending")
            fenced.set()
            return
        with suppress(RepoctxError), errors(workspace.engine), workspace.engine.begin() as connection:
            if not jobs.beat(connection, me.id):
                log.error("taken for dead by another worker: ending")
                fenced.set()
                return


def _dispatch(
    workspace: Workspace, me: Worker, lines: Mapping[Line, Callable[[str, int], str]], turns: Turns,
    stop: threading.Event, fenced: threading.Event,
) -> None:  # fmt: skip
    """Hand over what is due, look after the dead, until told to stop. A database that is away is waited for."""
    handed: dict[Line, set[tuple[str, int]]] = {line: set() for line in lines}
    watched: dict[str, tuple[int, float]] = {}
    clock, away = Clock({}), False
    pollers, polling = ThreadPoolExecutor(polls.POLLS, "poll"), set[int]()
    while not stop.wait(DISPATCH) and not fenced.is_set():
        turns.last = time.monotonic()
        try:
            looking = clock.due("compare", COMPARE)
            if looking:
                bury(workspace, me, watched)
            for line, run in lines.items():
                with errors(workspace.engine), workspace.engine.connect() as connection:
                    every = line.open(connection)
                handed[line] &= {(job.id, job.attempt) for job in every}
                now = time.time()
                due = [job for job in every if job.due_at <= now and (job.id, job.attempt) not in handed[line]]
                for job in due[:HANDED]:
                    hand_over(line, job, run)
                    handed[line].add((job.id, job.attempt))
                if looking:
                    compare(workspace, line, every, handed[line])
            if clock.due("look", LOOK):
                polls.poll(workspace, pollers, polling)
            if clock.due("prune", PRUNE):
                prune(workspace)
                for line in lines:
                    prune_queue(line)
            if away:
                log.info("the database is back")
            away = False
        except Exception as error:  # the queue's own errors too, which takes the same database
            watched.clear()  # nobody could say that he lived
            if not away and isinstance(error, (StorageError, sa.exc.SQLAlchemyError)):
                log.error("the database is away: waiting for it", error=str(error)[:300])
            elif not away:
                log.error("the queue cannot be used: trying again", exc_info=error)
            away = True
            stop.wait(BEAT)
    pollers.shutdown(wait=False, cancel_futures=True)


def hand_over(line: Line, job: Due, run: Callable[[str, int], str]) -> None:
    """Put an attempt into the queue; one that is there already stays as it is."""
    from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

    with ExitStack() as options:
        options.enter_context(SetWorkflowID(workflow_id(job)))
        if line.apart:
            options.enter_context(SetEnqueueOptions(queue_partition_key=str(job.repository)))
        DBOS.enqueue_workflow(line.queue, run, job.id, job.attempt)


def workflow_id(job: Due) -> str:
    """What DBOS knows an attempt by."""
    return f"{job.id}-{job.attempt}"


def bury(workspace: Workspace, me: Worker, watched: dict[str, tuple[int, float]]) -> None:
    """Strike workers off the list whose process is gone, or whose beats have stood still."""
    now = time.monotonic()
    with errors(workspace.engine), workspace.engine.connect() as connection:
        others = [worker for worker in jobs.all_workers(connection) if worker.id != me.id]
    for identity in set(watched) - {worker.id for worker in others}:
        del watched[identity]
    for worker in others:
        beats, since = watched.get(worker.id, (-1, now))
        if beats != worker.beats:
            since = now
            watched[worker.id] = (worker.beats, now)
        if (worker.host == me.host and not _lives(worker.pid)) or now - since > STALE:
            with errors(workspace.engine), workspace.engine.begin() as connection:
                if jobs.bury(connection, worker):
                    log.warning("a worker has died", worker=worker.id)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def compare(workspace: Workspace, line: Line, every: list[Due], handed: set[tuple[str, int]]) -> None:
    """Find attempts that nobody will finish: whose worker is dead, or that the queue has lost or given up.

    The queue of index jobs runs one attempt of a repository at a time. One whose worker died after it wrote down
    what became of it is in the way of all that follow: it is looked for among all that run, whether their job is open
    or not.
    """
    from dbos import DBOS

    known = {workflow_id(job): job for job in every}
    pending = DBOS.list_workflows(status="PENDING", queue_name=line.queue, load_input=False, load_output=False)
    with errors(workspace.engine), workspace.engine.connect() as connection:
        alive = {worker.id for worker in jobs.all_workers(connection)}
    for one in pending:
        if one.executor_id not in alive:
            DBOS.cancel_workflow(one.workflow_id)
            if one.workflow_id in known:
                _lose(workspace, line, known[one.workflow_id])
    due = [job for job in every if (job.id, job.attempt) in handed]  # the others have not been due
    for batch in batches(due, COMPARED):
        ids = [workflow_id(job) for job in batch]
        listed = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        states = {one.workflow_id: one.status for one in listed}
        for job in batch:
            state = states.get(workflow_id(job))
            if state is None:
                handed.discard((job.id, job.attempt))
            elif state not in ("ENQUEUED", "DELAYED", "PENDING"):
                _lose(workspace, line, job)


def _lose(workspace: Workspace, line: Line, job: Due) -> None:
    log.warning("an attempt is lost: the next one is due", job=job.id, attempt=job.attempt)
    with errors(workspace.engine), workspace.engine.begin() as connection:
        line.lose(connection, job.id, job.attempt, MOST_LOST, time.time())


# --- what else a worker does -------------------------------------------------------------------


def prune(workspace: Workspace) -> None:
    """Forget what nobody will ask for any more."""
    now = time.time()
    with errors(workspace.engine), workspace.engine.begin() as connection:
        jobs.prune(connection, now - KEPT)
        released = tasks.prune(connection, now - KEPT)
        registry.prune(connection, now - KEPT)
        access_log.prune(connection, now - AUDIT_KEPT)
        conversations.prune(connection, now - CONVERSATIONS_KEPT)
    for snapshot in released:
        snapshots.forget(workspace.engine, snapshot)


def prune_queue(line: Line) -> None:
    """Forget what the queue knows of attempts that ended an hour ago: what became of them stands in our rows."""
    from dbos import DBOS

    before = datetime.fromtimestamp(time.time() - PRUNE, UTC).isoformat()
    while True:
        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"], queue_name=line.queue,
            completed_before=before, limit=COMPARED, load_input=False, load_output=False,
        )  # fmt: skip
        if not ended:
            return
        DBOS.delete_workflows([one.workflow_id for one in ended])


def _embed_pending(workspace: Workspace, stopping: Callable[[], bool]) -> None:
    """Make the vectors that refs wait for, one ref after another; pushes go on meanwhile."""

    def show(_: object) -> None:
        if stopping():
            raise attempt.Stopped

    wait = LOOK
    while not stopping():
        failed = False
        try:
            with errors(workspace.engine), workspace.engine.connect() as connection:
                waiting = [
                    (one.name, ref.name)
                    for one in snapshots.all_repositories(connection)
                    for ref in snapshots.all_refs(connection, one)
                    if ref.pending is not None
                ]
        except RepoctxError:
            waiting, failed = [], True
        for name, ref in waiting:
            try:
                workspace.embed(name, ref, show)
            except BusyError:
                continue
            except attempt.Stopped:
                return
            except Exception as error:  # of one ref: others have their turn
                failed = True
                log.warning("vectors cannot be made", repository=name, ref=ref, error=str(error))
        wait = min(wait * 2, 300.0) if failed else LOOK
        ends = time.monotonic() + wait
        while not stopping() and time.monotonic() < ends:
            time.sleep(BEAT)
