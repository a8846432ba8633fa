"""What is to be indexed, what is being indexed, and what became of it?

A job stands for one ref of a repository. While one waits, everything that asks for the same ref joins it; while one
runs, a new one waits: a hundred pushes during a run become one more. What a job indexes is what the repository holds
when it runs, never what a push said, so no order of deliveries can lead to an old state.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from repoctx.store.facts import BATCH, batches
from repoctx.store.tables import insert_for, jobs, refs, repositories

# waiting -> running -> done | failed | cancelled; running -> waiting again when an attempt failed.
OPEN = ("waiting", "running")
STATES = (*OPEN, "done", "failed", "cancelled")
# What goes after all else, by its cause: first what was pushed, polled or asked for, then what was registered one by
# one, then what came in bulk. The first index of hundreds of repositories holds no push up.
URGENCY = {"registered": 1, "onboarded": 2, "upgrade": 2}
# None of it waits for ever: in the first TURN seconds of every ROUND, the oldest that has waited for PATIENCE seconds
# counts as pushed. One at a time and not always, or pushes would wait for hundreds that have all waited for long.
PATIENCE, ROUND, TURN = 600.0, 60.0, 15.0


class Job(NamedTuple):
    """A job; times are seconds since 1970."""

    id: str
    repository: str  # its name
    ref: str  # "": whatever is checked out, or HEAD
    state: str
    cause: str
    pushes: int
    commit: str | None
    requested_at: float
    due_at: float
    attempt: int
    failures: int
    lost: int
    unseen: int
    cancelled: bool
    worker: str | None
    started_at: float | None
    finished_at: float | None
    progress: dict[str, Any] | None
    error: str | None
    report: dict[str, Any] | None


_COLUMNS = [jobs.c[name] if name != "repository" else repositories.c.name for name in Job._fields]
_FROM = jobs.join(repositories, repositories.c.id == jobs.c.repository)


def _job(row: Any) -> Job:
    found = Job(*row)
    loaded = {name: value and json.loads(value) for name in ("progress", "report") if (value := getattr(found, name))}
    return found._replace(cancelled=bool(found.cancelled), **loaded)


class Asked(NamedTuple):
    """What several pushes ask of a ref."""

    cause: str
    pushes: int
    commit: str | None  # of the newest


def new_id(now: float) -> str:
    """32 hex digits; those that are made later sort later."""
    return f"{int(now * 1000):012x}{secrets.token_hex(10)}"


def submit(
    connection: sa.Connection, repository: int, ref: str, cause: str, *, commit: str | None = None, now: float
) -> str:
    """Ask for a ref to be indexed: the id of the job that will do it, one that waits already if there is one."""
    return submit_all(connection, {(repository, ref): Asked(cause, 1, commit)}, now)[repository, ref]


def submit_all(
    connection: sa.Connection, asked: Mapping[tuple[int, str], Asked], now: float
) -> dict[tuple[int, str], str]:
    """Ask for several refs of repositories: the id of the job that will do it, for each."""
    if not asked:
        return {}
    values = [
        {
            "id": new_id(now), "repository": repository, "ref": ref, "state": "waiting", "cause": what.cause,
            "pushes": what.pushes, "commit": what.commit, "requested_at": now, "due_at": now, "attempt": 1,
            "failures": 0, "lost": 0, "unseen": 0, "cancelled": 0,
        }
        for (repository, ref), what in sorted(asked.items())
    ]  # fmt: skip
    rows = connection.execute(_joining(connection.dialect.name), values)
    return {(row[0], row[1]): row[2] for row in rows}


@cache
def _joining(dialect: str) -> sa.Executable:
    """The insertion of a job, or what joins the one that waits; made once, for it costs more than to run it."""
    new = insert_for(dialect, jobs)
    joined = new.on_conflict_do_update(
        index_elements=["repository", "ref"],
        index_where=sa.text("state = 'waiting'"),
        set_={
            "pushes": jobs.c.pushes + new.excluded.pushes,
            "commit": sa.func.coalesce(new.excluded.commit, jobs.c.commit),
            "cause": sa.case((_tells_more(new.excluded.cause), new.excluded.cause), else_=jobs.c.cause),
            # A job that waits for its next attempt is tried at once: what failed may have been pushed right since.
            "due_at": sa.case((jobs.c.due_at > new.excluded.due_at, new.excluded.due_at), else_=jobs.c.due_at),
        },
    )
    return joined.returning(jobs.c.repository, jobs.c.ref, jobs.c.id)


def _urgency(cause: sa.ColumnElement[str] = jobs.c.cause) -> sa.ColumnElement[int]:
    return sa.case(URGENCY, value=cause, else_=0)


def _tells_more(cause: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a cause is that of a waiting job from now on: what is more urgent, or no mere request."""
    as_urgent = sa.and_(_urgency(cause) == _urgency(), jobs.c.cause == "request")
    return sa.or_(_urgency(cause) < _urgency(), as_urgent)


def one(connection: sa.Connection, identity: str) -> Job | None:
    """The job of an id."""
    row = connection.execute(sa.select(*_COLUMNS).select_from(_FROM).where(jobs.c.id == identity)).first()
    return _job(row) if row else None


def listed(
    connection: sa.Connection,
    *,
    repositories_named: Sequence[str] | None = None,
    states: Sequence[str] = (),
    before: str | None = None,
    limit: int = 100,
) -> list[Job]:
    """Jobs, the newest first: of some repositories, in some states, older than a job."""
    query = sa.select(*_COLUMNS).select_from(_FROM).order_by(jobs.c.id.desc()).limit(limit)
    if repositories_named is not None:
        query = query.where(repositories.c.name.in_(repositories_named))
    if states:
        query = query.where(jobs.c.state.in_(states))
    if before is not None:
        query = query.where(jobs.c.id < before)
    return [_job(row) for row in connection.execute(query)]


class Ended(NamedTuple):
    """What became of a job that is finished."""

    job: str
    name: str  # of its repository
    state: str
    error: str | None


def ended(connection: sa.Connection, ids: Sequence[str]) -> list[Ended]:
    """Those of some jobs that are finished; what was forgotten, as with its repository, counts as cancelled.

    One whose work went to a job that waited for the same ref ends as that one does.
    """
    found: list[Ended] = []
    for batch in batches(ids, BATCH):
        columns = jobs.c.id, repositories.c.name, jobs.c.state, jobs.c.error, jobs.c.repository, jobs.c.ref
        rows = connection.execute(sa.select(*columns).select_from(_FROM).where(jobs.c.id.in_(batch))).all()
        for identity, name, state, error, repository, ref in rows:
            newer = latest(connection, repository, [ref]) if state == "cancelled" else None
            if newer is not None and newer.id > identity:
                state, error = newer.state, newer.error
            if state not in OPEN:
                found.append(Ended(identity, name, state, error))
        known = {row.id for row in rows}
        found += [Ended(one, "", "cancelled", "it was removed meanwhile") for one in batch if one not in known]
    return found


def latest(connection: sa.Connection, repository: int, names: Sequence[str]) -> Job | None:
    """The newest job of a ref, under any of its names, that was not cancelled."""
    query = sa.select(*_COLUMNS).select_from(_FROM).where(jobs.c.repository == repository, jobs.c.ref.in_(names))
    query = query.where(jobs.c.state != "cancelled")
    row = connection.execute(query.order_by(jobs.c.id.desc()).limit(1)).first()
    return _job(row) if row else None


def open_of(connection: sa.Connection, repository: int, names: Sequence[str]) -> list[Job]:
    """The jobs of a ref that are not finished, under any of its names, the newest first."""
    query = sa.select(*_COLUMNS).select_from(_FROM).where(jobs.c.repository == repository, jobs.c.ref.in_(names))
    return [_job(row) for row in connection.execute(query.where(jobs.c.state.in_(OPEN)).order_by(jobs.c.id.desc()))]


def refs_of(connection: sa.Connection, repository: int, states: Sequence[str] = OPEN) -> set[str]:
    """The refs of a repository that have jobs in some states, by default those that are not finished."""
    query = sa.select(jobs.c.ref).where(jobs.c.repository == repository, jobs.c.state.in_(states))
    return set(connection.execute(query).scalars())


def counts(connection: sa.Connection) -> dict[str, int]:
    """How many jobs are in each state."""
    rows = connection.execute(sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state))
    return dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in rows}


def oldest_open(connection: sa.Connection, repository: int | None = None) -> dict[str, float]:
    """For each repository with jobs that are not done, failed ones that nothing made up for among them, the time of
    the oldest push that they stand for."""
    others = [state for state in STATES if state != "cancelled"]
    behind = sa.or_(jobs.c.state.in_(OPEN), sa.and_(jobs.c.state == "failed", ~_followed(others)))
    query = _unsettled((*OPEN, "failed")).where(behind)
    if repository is not None:
        query = query.where(jobs.c.repository == repository)
    found: dict[str, float] = {}
    for name, state, named, since, indexed_at in connection.execute(query):
        if state in OPEN or _lasts(named, since, indexed_at):
            found[name] = min(since, found.get(name, since))
    return found


def failed_refs(connection: sa.Connection) -> dict[str, int]:
    """For each repository with refs whose newest finished job failed, and that nothing has indexed since, their number.

    What is read are the failed jobs and, of each, one that came after it: millions of others cost nothing.
    """
    query = _unsettled(("failed",)).where(~_followed(("done", "failed")))
    found: dict[str, int] = {}
    for name, _, named, since, indexed_at in connection.execute(query):
        if _lasts(named, since, indexed_at):
            found[name] = found.get(name, 0) + 1
    return found


def _lasts(named: bool, failed: float, indexed_at: str | None) -> bool:
    """Whether a failed job leaves something to be done: nothing made up for it, and there may well be such a ref. One
    that was only asked for and never indexed may be a name that was misspelt, which nobody can mend."""
    return not made_up(failed, indexed_at) and (indexed_at is not None or bool(named))


# "" is another name of the default ref.
_REF = sa.case((jobs.c.ref == "", repositories.c.default_ref), else_=jobs.c.ref)


def _unsettled(states: Sequence[str]) -> sa.Select[Any]:
    """The jobs in some states, with the names of their repositories and when their refs were indexed last."""
    here = sa.and_(refs.c.repository == jobs.c.repository, refs.c.name == _REF)
    columns = repositories.c.name, jobs.c.state, _named(), jobs.c.requested_at, refs.c.indexed_at
    return sa.select(*columns).select_from(_FROM.outerjoin(refs, here)).where(jobs.c.state.in_(states))


def _named() -> sa.ColumnElement[bool]:
    """Whether somebody other than who asked for it has named the ref of a job: it is the default one, or one was pushed
    or found there."""
    told = jobs.alias("told")
    same = told.c.repository == jobs.c.repository, told.c.ref == jobs.c.ref, told.c.cause != "request"
    default = sa.or_(jobs.c.ref == "", jobs.c.ref == repositories.c.default_ref)
    found = sa.select(told.c.id).where(*same).limit(1).scalar_subquery().is_not(None)
    return sa.or_(sa.func.coalesce(default, False), found)


def _followed(states: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether the ref of a job has a newer one in some states, under any of its names."""
    newer = jobs.alias("newer")
    names = [_REF, sa.case((jobs.c.ref == repositories.c.default_ref, ""), else_=jobs.c.ref)]
    same = newer.c.repository == jobs.c.repository, newer.c.ref.in_(names)
    # One is looked up for each job: of EXISTS Postgres makes a join with all jobs, as long as it has not counted them.
    found = sa.select(newer.c.id).where(*same, newer.c.id > jobs.c.id, newer.c.state.in_(states)).limit(1)
    return found.scalar_subquery().is_not(None)


def given_up(connection: sa.Connection, cause: str) -> set[tuple[int, str]]:
    """Repository and ref of the jobs of a cause that failed, and after which nothing asked for the ref."""
    newest = sa.select(sa.func.max(jobs.c.id)).where(jobs.c.state != "cancelled")
    newest = newest.group_by(jobs.c.repository, jobs.c.ref)
    query = sa.select(jobs.c.repository, jobs.c.ref).where(jobs.c.state == "failed", jobs.c.cause == cause)
    return {(row[0], row[1]) for row in connection.execute(query.where(jobs.c.id.in_(newest)))}


def made_up(failed: float, indexed_at: str | None) -> bool:
    """Whether a ref was indexed after a job for it was asked for that failed, as by the command line."""
    return indexed_at is not None and datetime.fromisoformat(indexed_at).timestamp() > failed


# --- for workers -------------------------------------------------------------------------------


class Due(NamedTuple):
    """A job that a worker should hear of."""

    id: str
    attempt: int
    due_at: float
    repository: int
    urgency: int = 0  # 0: before all that have more
    waits: bool = True  # not: an attempt of it has begun


def open_jobs(connection: sa.Connection) -> list[Due]:
    """All jobs that are not finished, the oldest first."""
    query = sa.select(jobs.c.id, jobs.c.attempt, jobs.c.due_at, jobs.c.repository).where(jobs.c.state.in_(OPEN))
    return [Due(*row) for row in connection.execute(query.order_by(jobs.c.id))]


def due_jobs(connection: sa.Connection, now: float, most: int) -> list[Due]:
    """All jobs that run, and up to `most` of those that may be begun, the most urgent first and then the oldest.

    Of a repository one may be begun at a time, and none while one runs.
    """
    long_ago = now - PATIENCE if now % ROUND < TURN else float("-inf")
    rows = connection.execute(_next(), {"now": now, "most": most, "long_ago": long_ago})
    return [Due(*row)._replace(waits=bool(row.waits)) for row in rows]


@cache
def _next() -> sa.Executable:
    """The question for what may be begun; made once, for it is asked ten times a second."""
    columns = (jobs.c.id, jobs.c.attempt, jobs.c.due_at, jobs.c.repository, _urgency().label("urgency"))
    running = sa.select(*columns, sa.literal(0).label("waits")).where(jobs.c.state == "running")
    busy = sa.select(jobs.c.repository).where(jobs.c.state == "running")
    waiting = sa.select(*columns, jobs.c.requested_at).where(
        jobs.c.state == "waiting", jobs.c.due_at <= sa.bindparam("now"), jobs.c.repository.not_in(busy)
    )
    may = waiting.cte("may")
    patient = sa.select(sa.func.min(may.c.id)).where(may.c.urgency > 0, may.c.requested_at <= sa.bindparam("long_ago"))
    urgency: sa.ColumnElement[int] = sa.case((may.c.id == patient.scalar_subquery(), 0), else_=may.c.urgency)
    turn = sa.func.row_number().over(partition_by=may.c.repository, order_by=(urgency, may.c.id)).label("turn")
    same = (may.c.id, may.c.attempt, may.c.due_at, may.c.repository, urgency.label("urgency"))
    each = sa.select(*same, sa.literal(1).label("waits"), turn).subquery("each")
    first = sa.select(*(each.c[name] for name in Due._fields)).where(each.c.turn == 1)
    first = first.order_by(each.c.urgency, each.c.id).limit(sa.bindparam("most"))
    found = running.union_all(sa.select(first.subquery("first"))).subquery("found")
    return sa.select(found).order_by(found.c.waits, found.c.urgency, found.c.id)


def hurry(connection: sa.Connection, identity: str, attempt: int) -> bool:
    """Have the next attempt of a job do the work of one that has not begun; False if it has."""
    waits = (jobs.c.id == identity, jobs.c.attempt == attempt, jobs.c.state == "waiting")
    return connection.execute(jobs.update().where(*waits).values(attempt=attempt + 1)).rowcount == 1


def begin(connection: sa.Connection, identity: str, attempt: int, worker: str, now: float) -> Job | None:
    """Make a job one's own; None if there is nothing left to do in this attempt.

    An attempt whose worker has died is begun again by the one that took it over.
    """
    mine = (jobs.c.id == identity, jobs.c.attempt == attempt, jobs.c.state.in_(OPEN))
    values = {"state": "running", "worker": worker, "started_at": now, "progress": None}
    if connection.execute(jobs.update().where(*mine).values(values)).rowcount != 1:
        return None
    return one(connection, identity)


def advance(connection: sa.Connection, job: Job, progress: Mapping[str, Any]) -> bool:
    """Note how far a job is; False if it is no longer one's own, or shall be stopped."""
    changed = jobs.update().where(*_mine(job)).values(progress=json.dumps(progress)).returning(jobs.c.cancelled)
    return connection.execute(changed).scalar_one_or_none() == 0


def finish(
    connection: sa.Connection, job: Job, state: str, now: float, *, error: str | None = None,
    report: Mapping[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Say what became of a job; False if it is no longer one's own."""
    values = {
        "state": state, "finished_at": now, "error": error, "progress": None,
        "report": report and json.dumps(report, sort_keys=True),
    }  # fmt: skip
    return connection.execute(jobs.update().where(*_mine(job)).values(values)).rowcount == 1


def again(
    connection: sa.Connection, job: Job, due_at: float, error: str | None,
    counts: Literal["failures", "unseen"] | None = "failures",
) -> bool:  # fmt: skip
    """Let a job wait for its next attempt; False if it is no longer one's own.

    If another waits for the same ref already, that one does the work, and stands for the pushes of this one too.
    One that was cancelled meanwhile is finished: pushes that joined it would be lost. `counts` is what the attempt
    counts as, if as anything.
    """
    # An update rather than a look: nobody takes the job over before this transaction ends.
    held = jobs.update().where(*_mine(job)).values(progress=None).returning(jobs.c.cancelled)
    cancelled = connection.execute(held).scalar_one_or_none()
    if cancelled is None:
        return False
    if cancelled:
        return finish(connection, job, "cancelled", time.time(), error=error)
    waiting = (jobs.c.repository == _id_of(job), jobs.c.ref == job.ref, jobs.c.state == "waiting")
    oldest = sa.case((jobs.c.requested_at > job.requested_at, job.requested_at), else_=jobs.c.requested_at)
    cause = sa.case((_urgency() > URGENCY.get(job.cause, 0), job.cause), else_=jobs.c.cause)
    values = {"pushes": jobs.c.pushes + job.pushes, "requested_at": oldest, "cause": cause}
    if connection.execute(jobs.update().where(*waiting).values(values)).rowcount:
        return finish(connection, job, "cancelled", time.time(), error=error)
    back = {
        "state": "waiting", "attempt": job.attempt + 1, "due_at": due_at, "error": error, "progress": None,
        "failures": job.failures + (counts == "failures"), "unseen": job.unseen + (counts == "unseen"),
    }  # fmt: skip
    try:
        with connection.begin_nested():
            return connection.execute(jobs.update().where(*_mine(job)).values(back)).rowcount == 1
    except sa.exc.IntegrityError:  # a push came in between
        return again(connection, job, due_at, error, counts)


def _mine(job: Job) -> tuple[sa.ColumnElement[bool], ...]:
    return jobs.c.id == job.id, jobs.c.attempt == job.attempt, jobs.c.state == "running", jobs.c.worker == job.worker


def _id_of(job: Job) -> sa.ScalarSelect[int]:
    return sa.select(repositories.c.id).where(repositories.c.name == job.repository).scalar_subquery()


def lose(connection: sa.Connection, identity: str, attempt: int, most: int, now: float) -> None:
    """Give up an attempt that nobody runs, and nobody will: the next one is due, or there were too many."""
    lost = (jobs.c.id == identity, jobs.c.attempt == attempt, jobs.c.state.in_(OPEN))
    next_one: dict[str, Any] = {"attempt": attempt + 1, "lost": jobs.c.lost + 1}
    said = f"given up: {most} attempts ended with their worker"
    ended = {"state": "failed", "finished_at": now, "error": said, "progress": None}
    if not connection.execute(jobs.update().where(*lost, jobs.c.lost + 1 < most).values(next_one)).rowcount:
        connection.execute(jobs.update().where(*lost).values(ended))


# --- for people --------------------------------------------------------------------------------


def cancel(connection: sa.Connection, identity: str, now: float) -> bool:
    """Cancel a job: at once if it waits, soon if it runs. False if it is finished already."""
    waits = (jobs.c.id == identity, jobs.c.state == "waiting")
    ended = {"state": "cancelled", "finished_at": now, "cancelled": 1}
    if connection.execute(jobs.update().where(*waits).values(ended)).rowcount:
        return True
    runs = (jobs.c.id == identity, jobs.c.state == "running")
    return bool(connection.execute(jobs.update().where(*runs).values(cancelled=1)).rowcount)


def stop_all(connection: sa.Connection, repository: int) -> int:
    """Have the jobs of a repository stopped that run, and say how many do; those that wait go on waiting."""
    runs = (jobs.c.repository == repository, jobs.c.state == "running")
    return connection.execute(jobs.update().where(*runs).values(cancelled=1)).rowcount


def retry(connection: sa.Connection, job: Job, now: float) -> str | None:
    """Ask once more for what a failed or cancelled job was to do: the id of the new job; None if it is neither."""
    if job.state not in ("failed", "cancelled"):
        return None
    repository = connection.execute(sa.select(_id_of(job))).scalar_one()
    return submit(connection, repository, job.ref, "request", now=now)


def prune(connection: sa.Connection, before: float) -> int:
    """Forget jobs that were finished before a time, but for the newest of the default ref and of each that there is."""
    last = jobs.alias("last")
    there = sa.select(refs.c.name).where(refs.c.repository == last.c.repository, refs.c.name == last.c.ref).exists()
    default = sa.select(repositories.c.default_ref).where(repositories.c.id == last.c.repository).scalar_subquery()
    newest = sa.select(sa.func.max(last.c.id)).where(sa.or_(last.c.ref == "", last.c.ref == default, there))
    newest = newest.group_by(last.c.repository, last.c.ref)
    old = (jobs.c.finished_at < before, jobs.c.state.not_in(OPEN), jobs.c.id.not_in(newest))
    return connection.execute(jobs.delete().where(*old)).rowcount
