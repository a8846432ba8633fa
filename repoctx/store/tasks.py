"""What is a model asked to do with a snapshot, how far is it, and what became of it?

A task is a row before anybody is told that it will be done. What it has finished, each answer of a model that was paid
for above all, is a row of its own: whoever goes on with the task after a crash finds it there. The snapshot that it is
about is held until it ends, whatever is pushed meanwhile.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.errors import NotFoundError
from repoctx.store.jobs import OPEN, STATES, Due, new_id
from repoctx.store.payload import COMPRESSION
from repoctx.store.snapshots import Ref, Repository
from repoctx.store.tables import histories, insert, refs, repositories, snapshots, task_events, task_steps, tasks

# Tasks that wait in the queue at a time: whose turn it is, is decided as late as that. Tasks count against who asked
# for them for so long, in seconds, and until they are finished.
NEXT, SHARED = 4, 3600.0


class Task(NamedTuple):
    """A task; times are seconds since 1970."""

    id: str
    repository: str  # its name
    kind: str
    input: dict[str, Any]
    ref: str
    commit: str | None
    pinned: dict[str, Any]
    snapshot: str | None  # None once it is done
    recent: bytes | None
    token: str | None
    local: bool
    state: str
    attempt: int
    lost: int
    cancelled: bool
    worker: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    error: str | None
    result: dict[str, Any] | None
    spent: dict[str, Any] | None

    @property
    def where(self) -> Ref:
        """Where its ref pointed when it was asked for."""
        return Ref(**self.pinned)


class Told(NamedTuple):
    """An event of a task."""

    number: int
    at: float
    event: str
    detail: dict[str, Any]


_COLUMNS = [tasks.c[name] if name != "repository" else repositories.c.name for name in Task._fields]
_LISTED = [sa.null().label(one.name) if one.name in ("result", "recent") else one for one in _COLUMNS]
_FROM = tasks.join(repositories, repositories.c.id == tasks.c.repository)


def _packed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), COMPRESSION)


def _unpacked(value: bytes) -> Any:
    return json.loads(zlib.decompress(value).decode("utf-8", "surrogatepass"))


def _task(row: Any) -> Task:
    found = Task(*row)
    return found._replace(
        input=json.loads(row.input),
        pinned=json.loads(row.pinned),
        result=None if row.result is None else _unpacked(row.result),
        spent=None if row.spent is None else json.loads(row.spent),
        local=bool(found.local),
        cancelled=bool(found.cancelled),
    )


# --- asking ------------------------------------------------------------------------------------


def submit(
    connection: sa.Connection, repository: Repository, ref: str | None, kind: str, wanted: Mapping[str, Any], *,
    now: float, token: str | None = None, worker: str | None = None,
) -> str:  # fmt: skip
    """Ask for a task about what a ref points at now: its id. With a `worker` it is local, and that one's already.

    Raises NotFoundError for a ref that is not indexed.
    """
    # The row is locked: the snapshot is not dropped before the task holds it.
    query = sa.select(refs).where(refs.c.repository == repository.id, refs.c.name == (ref or repository.default_ref))
    row = connection.execute(query.with_for_update()).mappings().first()
    if row is None:
        raise NotFoundError(f"{repository.name} has no index of {ref or 'its default ref'!r}: index it first")
    pinned = {name: row[name] for name in Ref._fields if name not in ("report", "progress", "pending")}
    pinned |= {"report": {}, "dirty": bool(row["dirty"])}
    history = sa.select(histories.c.ids).where(
        histories.c.repository == repository.id, histories.c.ref == row["name"], histories.c.commit == row["commit"]
    )
    identity = new_id(now)
    connection.execute(
        tasks.insert().values(
            id=identity, repository=repository.id, kind=kind, input=json.dumps(dict(wanted)), ref=row["name"],
            commit=row["commit"], pinned=json.dumps(pinned), snapshot=row["snapshot"],
            recent=connection.scalar(history), token=token, local=int(worker is not None),
            state="waiting" if worker is None else "running", attempt=1, lost=0, cancelled=0, worker=worker,
            created_at=now, started_at=None if worker is None else now,
        )
    )  # fmt: skip
    return identity


def one(connection: sa.Connection, identity: str) -> Task | None:
    """The task of an id."""
    row = connection.execute(sa.select(*_COLUMNS).select_from(_FROM).where(tasks.c.id == identity)).first()
    return _task(row) if row else None


def listed(
    connection: sa.Connection, *, repositories_named: Sequence[str] | None = None, states: Sequence[str] = (),
    before: str | None = None, limit: int = 100,
) -> list[Task]:  # fmt: skip
    """Tasks without their results, the newest first: of some repositories, in some states, older than a task."""
    query = sa.select(*_LISTED).select_from(_FROM).order_by(tasks.c.id.desc()).limit(limit)
    if repositories_named is not None:
        query = query.where(repositories.c.name.in_(repositories_named))
    if states:
        query = query.where(tasks.c.state.in_(states))
    if before is not None:
        query = query.where(tasks.c.id < before)
    return [_task(row) for row in connection.execute(query)]


def counts(connection: sa.Connection) -> dict[str, int]:
    """How many tasks are in each state."""
    rows = connection.execute(sa.select(tasks.c.state, sa.func.count()).group_by(tasks.c.state))
    return dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in rows}


def cancel(connection: sa.Connection, identity: str, now: float) -> bool:
    """Cancel a task: at once if it waits, soon if it runs. False if it is finished already."""
    waits = (tasks.c.id == identity, tasks.c.state == "waiting")
    ended = {"state": "cancelled", "finished_at": now, "cancelled": 1}
    if connection.execute(tasks.update().where(*waits).values(ended)).rowcount:
        return True
    runs = (tasks.c.id == identity, tasks.c.state == "running")
    return bool(connection.execute(tasks.update().where(*runs).values(cancelled=1)).rowcount)


def retry(connection: sa.Connection, task: Task, worker: str | None = None, now: float = 0.0) -> bool:
    """Let a failed or cancelled task go on where it ended, or a local one whose process is gone.

    False if another has done so, or if its snapshot is gone: then it has to be asked for anew.
    """
    same = (tasks.c.id == task.id, tasks.c.attempt == task.attempt, tasks.c.state == task.state)
    there = sa.select(snapshots.c.id).where(snapshots.c.id == task.pinned["snapshot"]).with_for_update()
    if connection.scalar(there) is None:
        return False
    values: dict[str, Any] = {
        "state": "waiting" if worker is None else "running", "attempt": task.attempt + 1, "cancelled": 0,
        "error": None, "finished_at": None, "worker": worker, "snapshot": task.pinned["snapshot"],
        "local": int(worker is not None),
    }  # fmt: skip
    if worker is not None:
        values["started_at"] = now
    return connection.execute(tasks.update().where(*same).values(values)).rowcount == 1


def prune(connection: sa.Connection, before: float) -> list[str]:
    """Forget tasks that were finished before a time, with all that they did: the snapshots that they held."""
    old = (tasks.c.finished_at < before, tasks.c.state.not_in(OPEN))
    gone = connection.execute(tasks.delete().where(*old).returning(tasks.c.snapshot)).scalars()
    return sorted({snapshot for snapshot in gone if snapshot is not None})


def held(connection: sa.Connection, repository: int) -> list[str]:
    """The snapshots that the tasks of a repository hold."""
    query = sa.select(tasks.c.snapshot).where(tasks.c.repository == repository, tasks.c.snapshot.is_not(None))
    return sorted(set(connection.execute(query).scalars()))


# --- doing -------------------------------------------------------------------------------------


def open_tasks(connection: sa.Connection) -> list[Due]:
    """All tasks that workers should finish, the oldest first."""
    query = sa.select(tasks.c.id, tasks.c.attempt, tasks.c.created_at, tasks.c.repository, tasks.c.state)
    query = query.where(tasks.c.state.in_(OPEN), tasks.c.local == 0).order_by(tasks.c.id)
    return [Due(*row[:4], waits=row[4] == "waiting") for row in connection.execute(query)]


def due_tasks(connection: sa.Connection, now: float, most: int) -> list[Due]:
    """All tasks that run, and of those that wait up to `most`, or NEXT: who asks has his turn, whatever others ask for.

    The first is who has asked for the fewest tasks before it, among those that are open or of the last SHARED seconds;
    then the oldest.
    """
    turn = sa.func.row_number().over(partition_by=tasks.c.token, order_by=tasks.c.id).label("turn")
    query = sa.select(tasks.c.id, tasks.c.attempt, tasks.c.created_at, tasks.c.repository, tasks.c.state, turn)
    counted = sa.or_(tasks.c.state.in_(OPEN), tasks.c.id >= new_id(max(0.0, now - SHARED))[:12])
    each = query.where(counted, tasks.c.local == 0).subquery("each")
    running = sa.select(each).where(each.c.state == "running").order_by(each.c.id)
    waiting = sa.select(each).where(each.c.state == "waiting").order_by(each.c.turn, each.c.id).limit(min(most, NEXT))
    begun, next_ones = connection.execute(running).all(), connection.execute(waiting).all()
    return [
        *(Due(one.id, one.attempt, one.created_at, one.repository, waits=False) for one in begun),
        *(Due(one.id, one.attempt, one.created_at, one.repository, urgency=one.turn - 1) for one in next_ones),
    ]


def hurry(connection: sa.Connection, identity: str, attempt: int) -> bool:
    """Have the next attempt of a task do the work of one that has not begun; False if it has."""
    waits = (tasks.c.id == identity, tasks.c.attempt == attempt, tasks.c.state == "waiting", tasks.c.local == 0)
    return connection.execute(tasks.update().where(*waits).values(attempt=attempt + 1)).rowcount == 1


def begin(connection: sa.Connection, identity: str, attempt: int, worker: str, now: float) -> Task | None:
    """Make an attempt one's own; None if there is nothing left to do in it."""
    mine = (tasks.c.id == identity, tasks.c.attempt == attempt, tasks.c.state.in_(OPEN), tasks.c.local == 0)
    values = {"state": "running", "worker": worker, "started_at": sa.func.coalesce(tasks.c.started_at, now)}
    if connection.execute(tasks.update().where(*mine).values(values)).rowcount != 1:
        return None
    return one(connection, identity)


def goes_on(connection: sa.Connection, task: Task) -> bool:
    """Whether an attempt is still one's own, and was not cancelled."""
    return connection.scalar(sa.select(tasks.c.cancelled).where(*_mine(task))) == 0


def kept(connection: sa.Connection, task: str, key: str) -> Any:
    """The value of a finished step; None if it is not finished."""
    found = connection.scalar(sa.select(task_steps.c.value).where(task_steps.c.task == task, task_steps.c.key == key))
    return None if found is None else _unpacked(found)


def every_kept(connection: sa.Connection, task: str) -> dict[str, Any]:
    """The values of all finished steps, by key."""
    rows = connection.execute(sa.select(task_steps.c.key, task_steps.c.value).where(task_steps.c.task == task))
    return {row.key: _unpacked(row.value) for row in rows}


def keep(connection: sa.Connection, task: str, key: str, value: Any) -> None:
    """Keep the value of a finished step; the first one that is kept stays."""
    new = insert(connection, task_steps).values(task=task, key=key, value=_packed(value))
    connection.execute(new.on_conflict_do_nothing(index_elements=["task", "key"]))


def tell(
    connection: sa.Connection, task: Task, event: str, detail: Mapping[str, Any], now: float,
    spent: Mapping[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Write down an event; False if the attempt is no longer one's own, or was cancelled: then nothing is written."""
    # An update rather than a look: whoever else tells something waits, and so no number is given twice.
    changed = {"spent": json.dumps(spent)} if spent else {"attempt": tasks.c.attempt}
    held = tasks.update().where(*_mine(task)).values(changed).returning(tasks.c.cancelled)
    if connection.execute(held).scalar_one_or_none() != 0:
        return False
    last = connection.scalar(sa.select(sa.func.max(task_events.c.number)).where(task_events.c.task == task.id)) or 0
    row = {"task": task.id, "number": last + 1, "at": now, "event": event, "detail": json.dumps(dict(detail))}
    connection.execute(task_events.insert().values(row))
    return True


def events(connection: sa.Connection, task: str, after: int = 0, limit: int = 1000) -> list[Told]:
    """What was told of a task after an event, the oldest first."""
    query = sa.select(task_events.c.number, task_events.c.at, task_events.c.event, task_events.c.detail)
    query = query.where(task_events.c.task == task, task_events.c.number > after)
    rows = connection.execute(query.order_by(task_events.c.number).limit(limit))
    return [Told(row.number, row.at, row.event, json.loads(row.detail)) for row in rows]


def pulse(connection: sa.Connection, identity: str) -> tuple[Any, ...] | None:
    """What changes whenever something about a task does; the number of its last event comes last."""
    last = sa.select(sa.func.coalesce(sa.func.max(task_events.c.number), 0)).where(task_events.c.task == tasks.c.id)
    changes = (tasks.c.state, tasks.c.attempt, tasks.c.cancelled, tasks.c.finished_at, tasks.c.spent)
    row = connection.execute(sa.select(*changes, last.scalar_subquery()).where(tasks.c.id == identity)).first()
    return tuple(row) if row else None


def finish(
    connection: sa.Connection, task: Task, state: str, now: float, *, error: str | None = None,
    result: Mapping[str, Any] | None = None, spent: Mapping[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Say what became of a task; False if it is no longer one's own. What is done holds its snapshot no longer."""
    values: dict[str, Any] = {"state": state, "finished_at": now, "error": error}
    if state == "done":
        values |= {"snapshot": None, "recent": None}
    if result is not None:
        values["result"] = _packed(dict(result))
    if spent is not None:
        values["spent"] = json.dumps(spent)
    return connection.execute(tasks.update().where(*_mine(task)).values(values)).rowcount == 1


def let_go(connection: sa.Connection, task: Task) -> bool:
    """Leave a task to another worker; False if it is no longer one's own."""
    values = {"state": "waiting", "attempt": task.attempt + 1, "worker": None}
    return connection.execute(tasks.update().where(*_mine(task)).values(values)).rowcount == 1


def lose(connection: sa.Connection, identity: str, attempt: int, most: int, now: float) -> None:
    """Give up an attempt that nobody runs, and nobody will: the next one is due, or there were too many."""
    lost = (tasks.c.id == identity, tasks.c.attempt == attempt, tasks.c.state.in_(OPEN))
    next_one = {"attempt": attempt + 1, "lost": tasks.c.lost + 1}
    if not connection.execute(tasks.update().where(*lost, tasks.c.lost + 1 < most).values(next_one)).rowcount:
        said = f"given up: {most} attempts ended with their worker"
        ended = {"state": "failed", "finished_at": now, "error": said}
        connection.execute(tasks.update().where(*lost).values(ended))


def _mine(task: Task) -> tuple[sa.ColumnElement[bool], ...]:
    mine = (tasks.c.id == task.id, tasks.c.attempt == task.attempt)
    return *mine, tasks.c.state == "running", tasks.c.worker == task.worker
