"""What is in the queue, what should be, and what has it lost?

The queue is DBOS. It holds attempts of jobs and tasks that are due, a little ahead of the workers, and gives each to
one of them. The rows of our own say what is due: whatever the queue does not know, has given up, or thinks to be
running where nobody runs it, is found by comparing the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from repoctx.store import jobs, locks, tasks, workers
from repoctx.store.connect import errors, postgres
from repoctx.store.facts import batches
from repoctx.store.jobs import Due
from repoctx.workspace import Workspace

# How often a worker asks the queue, in seconds, while jobs wait there for longer than a turn, and otherwise; it is calm
# again so many seconds after the last of them. Each question costs a worker some 3 CPU ms.
BUSY, IDLE, CALM = 0.1, 0.3, 2.0
# Attempts that wait in the queue at a time, and that are looked up there at a time. Of transactions of the queue in
# which nothing happens for so long, in seconds, the database lets go.
AHEAD, COMPARED, QUEUE_IDLE = 100, 500, 60
# Attempts that may end with their worker before a job is given up.
MOST_LOST = 30
# How long the queue remembers attempts that have ended, in seconds: what became of them stands in our rows.
REMEMBERED = 3600.0

log = structlog.get_logger()


class Line(NamedTuple):
    """A kind of work that waits: what the queue calls it, which rows are open, which of them should be in the queue now
    and which run, the first to be begun first, how an attempt is given up, and how another takes the place of one that
    has not begun."""

    queue: str
    open: Callable[[sa.Connection], list[Due]]
    due: Callable[[sa.Connection, float, int], list[Due]]
    lose: Callable[[sa.Connection, str, int, int, float], None]
    hurry: Callable[[sa.Connection, str, int], bool]


INDEX = Line("index", jobs.open_jobs, jobs.due_jobs, jobs.lose, jobs.hurry)
TASKS = Line("tasks", tasks.open_tasks, tasks.due_tasks, tasks.lose, tasks.hurry)

Run = Callable[[str, int], str]


@dataclass
class Handed:
    """What a worker knows to be in the queue for a line of work, since when something waits there, and how often the
    queue is asked."""

    attempts: set[tuple[str, int]] = field(default_factory=set)
    waited: float = 0.0
    pace: float = 0.0


@dataclass
class Active:
    """The attempts that this process runs, as the queue knows them."""

    attempts: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)  # those that the queue thinks it runs, at the last look

    @contextmanager
    def running(self, identity: str, number: int) -> Iterator[None]:
        """An attempt, as long as it runs."""
        one = named(identity, number)
        self.attempts.add(one)
        try:
            yield
        finally:
            self.attempts.discard(one)


def queue_url(workspace: Workspace) -> str:
    """Where DBOS keeps its tables: beside ours in Postgres, in a file of its own beside that of SQLite.

    There is one for each database, whichever homes share it: each attempt would be in both of two queues, and their
    workers would take it from one another.
    """
    url = workspace.engine.url
    if url.get_backend_name() == "postgresql":
        return url.render_as_string(hide_password=False)
    folder = locks.folder_of(workspace.engine, Path(workspace.settings.home))
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'queue.db'}"


def queue_engine(workspace: Workspace, worker: str) -> sa.Engine | None:
    """The connections of DBOS to Postgres, which notice as ours do that it fell silent, and are known to be the
    worker's; None: it makes its own."""
    url = workspace.engine.url
    if url.get_backend_name() != "postgresql":
        return None
    engine = postgres(url, idle_seconds=QUEUE_IDLE, pool_size=20, max_overflow=0)  # as it would itself
    return workers.named(engine, worker)


def turn(
    workspace: Workspace, lines: Mapping[Line, Run], handed: Mapping[Line, Handed], comparing: bool
) -> float:  # fmt: skip
    """Look for what is due, how long that took in seconds. Who leads, and has `handed` something over, puts it into the
    queue."""
    began = time.monotonic()
    with errors(workspace.engine), workspace.engine.connect() as connection:
        found = {line: line.due(connection, time.time(), AHEAD) for line in lines}
    took = time.monotonic() - began
    for line, known in handed.items():
        due = {(job.id, job.attempt): job for job in found[line]}
        known.attempts &= due.keys()
        set_pace(line, known, any(due[one].waits for one in known.attempts), comparing)
        for one, job in due.items():
            if one not in known.attempts:
                hand_over(line, job, lines[line])
                known.attempts.add(one)
    if comparing:
        for line, run in lines.items():
            compare(workspace, line, run, found[line])
    return took


def set_pace(line: Line, known: Handed, waits: bool, again: bool) -> None:
    """Have the queue asked often as long as jobs wait there; `again`, for a worker that starts asks seldom."""
    from dbos import DBOS

    now = time.monotonic()
    if waits:
        known.waited = now
    pace = BUSY if known.waited and now - known.waited < CALM else IDLE
    if (pace != known.pace or (again and pace == BUSY)) and (found := DBOS.retrieve_queue(line.queue)) is not None:
        found.set_polling_interval_sec(pace)
        known.pace = pace


def hand_over(line: Line, job: Due, run: Run) -> None:
    """Put an attempt into the queue; one that is there already stays as it is."""
    from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

    with SetWorkflowID(workflow_id(job)), SetEnqueueOptions(priority=priority(job)):
        DBOS.enqueue_workflow(line.queue, run, job.id, job.attempt)


def priority(job: Due) -> int:
    """The place of an attempt in the queue: before all that have more."""
    return job.urgency + 1


def workflow_id(job: Due) -> str:
    """What DBOS knows an attempt by."""
    return named(job.id, job.attempt)


def named(identity: str, number: int) -> str:
    """The same, of the attempt of a job with some number."""
    return f"{identity}-{number}"


def compare(workspace: Workspace, line: Line, run: Run, due: list[Due]) -> None:
    """Find attempts that nobody will finish: whose worker is dead, or that the queue has lost, given up or never had;
    and those that have become more urgent than the queue knows.

    What runs in the queue is looked at whether its job is open or not: it counts as running there until somebody says
    that its worker is dead.
    """
    from dbos import DBOS

    pending = DBOS.list_workflows(status="PENDING", queue_name=line.queue, load_input=False, load_output=False)
    with errors(workspace.engine), workspace.engine.connect() as connection:
        alive = {worker.id for worker in workers.every(connection)}
        dead = {one.workflow_id for one in pending if one.executor_id not in alive}
        known = {workflow_id(job): job for job in line.open(connection)} if dead else {}
    for identity in sorted(dead):
        DBOS.cancel_workflow(identity)
        if identity in known:
            _lose(workspace, line, known[identity])
    for batch in batches([job for job in due if workflow_id(job) not in dead], COMPARED):
        ids = [workflow_id(job) for job in batch]
        listed = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        known_there = {one.workflow_id: one for one in listed}
        for job in batch:
            there = known_there.get(workflow_id(job))
            if there is None:
                hand_over(line, job, run)
            elif there.status not in ("ENQUEUED", "DELAYED", "PENDING"):
                _lose(workspace, line, job)
            elif there.status == "ENQUEUED" and (there.priority or 0) > priority(job):
                _hurry(workspace, line, job)


def disown(workspace: Workspace, lines: Mapping[Line, Run], worker: str, active: Active) -> None:
    """Let go of attempts that the queue thinks this worker runs, and it does not, at two looks: their threads ended,
    and the queue could not write that down, as when the network was gone for a moment."""
    from dbos import DBOS

    before, active.missed = active.missed, set()
    for line in lines:
        pending = DBOS.list_workflows(
            status="PENDING", queue_name=line.queue, executor_id=worker, load_input=False, load_output=False
        )
        missed = {one.workflow_id for one in pending} - active.attempts
        active.missed |= missed - before
        if missed & before:
            with errors(workspace.engine), workspace.engine.connect() as connection:
                known = {workflow_id(job): job for job in line.open(connection)}
            for identity in sorted(missed & before):
                DBOS.cancel_workflow(identity)
                if identity in known:
                    _lose(workspace, line, known[identity])


def _lose(workspace: Workspace, line: Line, job: Due) -> None:
    log.warning("an attempt is lost: the next one is due", job=job.id, attempt=job.attempt)
    with errors(workspace.engine), workspace.engine.begin() as connection:
        line.lose(connection, job.id, job.attempt, MOST_LOST, time.time())


def _hurry(workspace: Workspace, line: Line, job: Due) -> None:
    """Take an attempt out of the queue, which changes no places: the next one is due, and gets its own."""
    from dbos import DBOS

    with errors(workspace.engine), workspace.engine.begin() as connection:
        hurried = line.hurry(connection, job.id, job.attempt)
    if hurried:
        DBOS.cancel_workflow(workflow_id(job))


def prune_queue() -> None:
    """Forget what the queue knows of attempts that ended an hour ago, in whichever line: cancelled ones are in none."""
    from dbos import DBOS

    before = datetime.fromtimestamp(time.time() - REMEMBERED, UTC).isoformat()
    while True:
        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"], completed_before=before,
            limit=COMPARED, load_input=False, load_output=False,
        )  # fmt: skip
        if not ended:
            return
        DBOS.delete_workflows([one.workflow_id for one in ended])
