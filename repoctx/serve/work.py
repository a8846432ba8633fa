"""Who runs the jobs? A worker: it runs what the durable queue gives it, and takes over from workers that died.

The jobs are rows of our own (`store.jobs`), which say what goes first; DBOS gives each attempt to one worker. One of
the workers leads: it hands over what is due (`handover`). Another leads as soon as its beats stand still. Whatever is
lost, by a crash, because nobody led, or because only the truth was restored, is found again.
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
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from repoctx.errors import BusyError, RepoctxError, StorageError
from repoctx.hosts import host
from repoctx.serve import attempt, chores, handover, polls, upkeep
from repoctx.serve.handover import INDEX, TASKS, Active, Handed, Line, Run
from repoctx.serve.rest import metrics
from repoctx.store import access as access_log
from repoctx.store import conversations, jobs, registry, snapshots, tasks, workers
from repoctx.store.connect import errors
from repoctx.store.workers import Worker
from repoctx.workspace import Workspace

# How often, in seconds: due jobs are looked for; a worker says that it lives; rows and queue are compared; those who do
# not lead compare them too; pending vectors and polls are looked for; old rows are forgotten.
DISPATCH, BEAT, COMPARE, CHECK, LOOK, PRUNE = 0.1, 1.0, 2.0, 5.0, 5.0, 3600.0
# A look at the rows takes at most this share of the time, however many there are.
SHARE = 0.2
# Whose beats stand still for so long, in seconds, does not lead; who is dead, `jobs.stale_seconds` says, but at least:
QUIET, STALE_LEAST = 4.0, 3
# How long whoever strikes a worker off the list waits for its row, in seconds.
ROW_WAIT = 2
# A worker that hands over nothing for so long, in seconds, hangs: it ends, and is started again.
STUCK = 300.0
# How long finished jobs, tasks and deliveries, the audit log, and what chats began with are kept, in seconds.
KEPT, AUDIT_KEPT, CONVERSATIONS_KEPT = 30 * 86400.0, 365 * 86400.0, 14 * 86400.0

log = structlog.get_logger()


@dataclass
class Turns:
    """When the thread that hands over jobs had its last turn, and when the last beat was counted."""

    last: float = field(default_factory=time.monotonic)
    beaten: float = field(default_factory=time.monotonic)


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


def work(workspace: Workspace, stop: threading.Event) -> int:
    """Run jobs until told to stop: the exit code. Raises StorageError if the database cannot be used at the start."""
    from dbos import DBOS

    name = f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    me = Worker(name, host(), os.getpid(), time.time(), 0)
    fenced = threading.Event()
    stopping = lambda: stop.is_set() or fenced.is_set()  # noqa: E731
    workers.named(workspace.engine, me.id)
    with errors(workspace.engine), workspace.engine.begin() as connection:
        workers.enlist(connection, me)
    DBOS(config={
        "name": "repoctx", "executor_id": me.id, "application_version": "1", "use_listen_notify": False,
        "log_level": "ERROR", "system_database_url": handover.queue_url(workspace),
        "system_database_engine": handover.queue_engine(workspace, me.id),
    })  # fmt: skip
    # Its errors become lines of our log; that the database is away, of which it warns with each question, is said once.
    queue_log = logging.getLogger("dbos")
    queue_log.handlers, queue_log.propagate = [], True

    active, turns = Active(), Turns()

    @DBOS.workflow(name="index")
    def _attempt(identity: str, number: int) -> str:
        with active.running(identity, number):
            return _kept(lambda: _run(workspace, identity, number, me.id, stopping))

    @DBOS.workflow(name="task")
    def _task(identity: str, number: int) -> str:
        with active.running(identity, number):
            return _kept(lambda: chores.run(workspace, identity, number, me.id, stopping))

    DBOS.launch()
    DBOS.register_queue(
        INDEX.queue,
        worker_concurrency=max(1, workspace.settings.jobs_at_once),
        polling_interval_sec=handover.IDLE,
        on_conflict="always_update",
    )
    DBOS.register_queue(
        TASKS.queue,
        worker_concurrency=max(1, workspace.settings.tasks_at_once),
        polling_interval_sec=handover.IDLE,
        on_conflict="always_update",
    )
    beside = [
        threading.Thread(target=_embed_pending, args=(workspace, stopping), name="embedder", daemon=True),
        threading.Thread(target=upkeep.look_after, args=(workspace, stop), name="look after", daemon=True),
        threading.Thread(target=_beat, args=(workspace, me, turns, stop, fenced), name="beat", daemon=True),
    ]
    for thread in beside:
        thread.start()
    log.info("worker begins", worker=me.id, jobs_at_once=workspace.settings.jobs_at_once)
    try:
        _dispatch(workspace, me, {INDEX: _attempt, TASKS: _task}, active, turns, stop, fenced)
    finally:
        stop.set()
        DBOS.destroy(workflow_completion_timeout_sec=5)
        with suppress(RepoctxError), errors(workspace.engine), workspace.engine.begin() as connection:
            workers.dismiss(connection, me.id)
    log.info("worker ends", worker=me.id, fenced=fenced.is_set())
    return 75 if fenced.is_set() else 0  # EX_TEMPFAIL: start it again


def _kept(run: Callable[[], str]) -> str:
    """An attempt; lost if the database cannot say what became of it: as its row is still open, another one is made."""
    try:
        return run()
    except StorageError as error:
        log.warning("an attempt is given up: the database is away", error=str(error)[:300])
        return "lost"


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
            if not workers.beat(connection, me.id):
                log.error("taken for dead by another worker: ending")
                fenced.set()
                return
            turns.beaten = time.monotonic()


def _dispatch(
    workspace: Workspace, me: Worker, lines: Mapping[Line, Run], active: Active, turns: Turns,
    stop: threading.Event, fenced: threading.Event,
) -> None:  # fmt: skip
    """Hand over what is due, look after the dead, until told to stop. A database that is away is waited for."""
    handed = {line: Handed() for line in lines}
    watched: dict[str, tuple[int, float]] = {}
    clock, away, leads, pause = Clock({}), False, False, DISPATCH
    pollers, polling = ThreadPoolExecutor(polls.POLLS, "poll"), set[int]()
    while not stop.wait(pause) and not fenced.is_set():
        turns.last = time.monotonic()
        try:
            comparing = clock.due("compare", COMPARE)
            if comparing:
                if turns.last - turns.beaten > QUIET:
                    watched.clear()  # where our own beats are late, those of others may be
                leads = bury(workspace, me, watched)
            checking = clock.due("check", CHECK)
            took = 0.0
            if leads or checking:
                took = handover.turn(workspace, lines, handed if leads else {}, comparing or checking)
            if checking:
                handover.disown(workspace, lines, me.id, active)
            if clock.due("look", LOOK):
                polls.poll(workspace, pollers, polling)
            if clock.due("prune", PRUNE):
                prune(workspace)
                handover.prune_queue()
            if away:
                log.info("the database is back")
            away, pause = False, max(DISPATCH, took * (1 / SHARE - 1))
        except Exception as error:  # the queue's own errors too, which takes the same database
            watched.clear()  # nobody could say that he lived
            if not away and isinstance(error, (StorageError, sa.exc.SQLAlchemyError)):
                log.error("the database is away: waiting for it", error=str(error)[:300])
            elif not away:
                log.error("the queue cannot be used: trying again", exc_info=error)
            away, pause = True, BEAT
    pollers.shutdown(wait=False, cancel_futures=True)


def bury(workspace: Workspace, me: Worker, watched: dict[str, tuple[int, float]]) -> bool:
    """Strike workers off the list whose process is gone, or whose beats have stood still. Whether this one leads: it is
    the first of those that seem to be well."""
    now, stale = time.monotonic(), max(STALE_LEAST, workspace.settings.jobs_stale_seconds)
    with errors(workspace.engine), workspace.engine.connect() as connection:
        every = workers.every(connection)
    others = [worker for worker in every if worker.id != me.id]
    for identity in set(watched) - {worker.id for worker in others}:
        del watched[identity]
    leads = len(others) < len(every)  # who was struck off leads nobody
    for worker in others:
        beats, since = watched.get(worker.id, (-1, now))
        if beats != worker.beats:
            since = now
            watched[worker.id] = (worker.beats, now)
        if (worker.host == me.host and not _lives(worker.pid)) or now - since > stale:
            strike(workspace, worker)
        elif worker.id < me.id and now - since < QUIET:
            leads = False
    return leads


def strike(workspace: Workspace, worker: Worker) -> None:
    """Strike a worker off the list and end its sessions. Where it holds the row of the list itself, they are ended
    first, unless it has counted a beat since."""
    try:
        with errors(workspace.engine), workspace.engine.begin() as connection:
            workers.patient(connection, ROW_WAIT)
            buried = workers.bury(connection, worker)
            sessions = workers.end_sessions(connection, worker.id) if buried else 0
    except StorageError:
        with errors(workspace.engine), workspace.engine.begin() as connection:
            if worker in workers.every(connection):
                workers.end_sessions(connection, worker.id)  # it is struck off at the next look
        return
    if buried:
        log.warning("a worker has died", worker=worker.id, sessions=sessions)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
                waiting = registry.pending(connection)
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
