"""Tasks, their finished steps and events: one suite, on SQLite and on Postgres."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from repoctx.errors import NotFoundError
from repoctx.store import connect, snapshots, tables, tasks
from repoctx.store.jobs import Due
from repoctx.store.snapshots import Ref, Repository
from repoctx.store.tasks import Task, Told

Result = TypeVar("Result")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """A database with the current schema."""
    opened = connect.connect(database_url)
    yield opened
    opened.dispose()


def do(engine: sa.Engine, what: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """What a query answers, in a transaction of its own."""
    with engine.begin() as connection:
        return what(connection, *arguments, **named)


def ref(snapshot: str) -> Ref:
    """The main branch at a snapshot."""
    return Ref(0, "main", snapshot, f"commit of {snapshot}", False, f"tree of {snapshot}", {}, "2026-01-01T00:00:00Z")


def move(engine: sa.Engine, snapshot: str, seen: Ref | None = None) -> Repository:
    """The repository shop, its main branch moved to a snapshot; the one before it is dropped if nobody holds it."""
    with engine.begin() as connection:
        try:
            known = snapshots.repository(connection, "shop")
        except NotFoundError:
            known = Repository(0, "shop", "/srv/shop", "")
        before = snapshots.publish(connection, known, ref(snapshot), [], [], True, seen)
        found = snapshots.repository(connection, "shop")
    if before is not None:
        snapshots.forget(engine, before)
    return found


def held(engine: sa.Engine) -> set[str]:
    """The snapshots that there are."""
    with engine.connect() as connection:
        return set(connection.execute(sa.select(tables.snapshots.c.id)).scalars())


def submitted(engine: sa.Engine, shop: Repository, now: float = 100.0, **named: Any) -> str:
    """The id of a new task."""
    return do(engine, tasks.submit, shop, None, "debug", {"report": "boom"}, now=now, **named)


def one(engine: sa.Engine, identity: str) -> Task:
    """A task that there is."""
    found = do(engine, tasks.one, identity)
    assert found is not None
    return found


def begun(engine: sa.Engine, identity: str, attempt: int = 1, worker: str = "w1") -> Task:
    """A task that runs."""
    found = do(engine, tasks.begin, identity, attempt, worker, 200.0)
    assert found is not None
    return found


def test_a_new_task_waits_for_a_worker(engine: sa.Engine) -> None:
    """All that is known of a task that was just asked for."""
    identity = submitted(engine, move(engine, "s1"), token="t1")
    found = one(engine, identity)
    assert found._replace(pinned={}) == Task(
        id=identity, repository="shop", kind="debug", input={"report": "boom"}, ref="main", commit="commit of s1",
        pinned={}, snapshot="s1", recent=None, token="t1", local=False, state="waiting", attempt=1, lost=0,
        cancelled=False, worker=None, created_at=100.0, started_at=None, finished_at=None, error=None, result=None,
        spent=None,
    )  # fmt: skip
    assert found.where == ref("s1")._replace(repository=found.where.repository)
    assert do(engine, tasks.open_tasks) == [Due(identity, 1, 100.0, found.where.repository)]
    assert do(engine, tasks.counts) == {"waiting": 1, "running": 0, "done": 0, "failed": 0, "cancelled": 0}


def test_a_ref_that_is_not_indexed_has_no_tasks(engine: sa.Engine) -> None:
    """It is said at once, and nothing is written."""
    shop = move(engine, "s1")
    with pytest.raises(NotFoundError, match=r"shop has no index of 'other': index it first"):
        do(engine, tasks.submit, shop, "other", "debug", {}, now=1.0)
    assert do(engine, tasks.listed) == []


@pytest.mark.parametrize("state, kept", [("done", {"s2"}), ("failed", {"s1", "s2"}), ("cancelled", {"s1", "s2"})])
def test_a_task_holds_its_snapshot_until_it_is_done(engine: sa.Engine, state: str, kept: set[str]) -> None:
    """A push while it runs does not take it away; what failed may go on later."""
    shop = move(engine, "s1")
    task = begun(engine, submitted(engine, shop))
    move(engine, "s2", ref("s1"))
    assert held(engine) == {"s1", "s2"}
    assert do(engine, tasks.finish, task, state, 300.0)
    snapshots.forget(engine, "s1")
    assert held(engine) == kept


def test_a_failed_task_goes_on_with_what_it_has(engine: sa.Engine) -> None:
    """Its next attempt finds the steps that are finished."""
    task = begun(engine, submitted(engine, move(engine, "s1")))
    do(engine, tasks.keep, task.id, "attempt 1 abc", {"text": "é\ud800"})
    assert do(engine, tasks.finish, task, "failed", 300.0, error="the back end is down")
    assert do(engine, tasks.retry, one(engine, task.id))
    assert not do(engine, tasks.retry, task)  # somebody else has done so
    going_on = begun(engine, task.id, attempt=2, worker="w2")
    assert (going_on.state, going_on.error, going_on.snapshot) == ("running", None, "s1")
    assert do(engine, tasks.kept, task.id, "attempt 1 abc") == {"text": "é\ud800"}
    assert do(engine, tasks.kept, task.id, "attempt 2 abc") is None


def test_a_task_whose_snapshot_is_gone_does_not_go_on(engine: sa.Engine) -> None:
    """It was done once, and the ref has moved since."""
    task = begun(engine, submitted(engine, move(engine, "s1")))
    do(engine, tasks.finish, task, "done", 300.0, result={"outcome": "valid"})
    move(engine, "s2", ref("s1"))
    assert not do(engine, tasks.retry, one(engine, task.id))
    assert one(engine, task.id).result == {"outcome": "valid"}


def test_the_first_value_of_a_step_stays(engine: sa.Engine) -> None:
    """Whoever finishes it a second time changes nothing."""
    task = begun(engine, submitted(engine, move(engine, "s1")))
    for value in ("first", "second"):
        do(engine, tasks.keep, task.id, "step", value)
    assert do(engine, tasks.kept, task.id, "step") == "first"


def test_who_lost_a_task_can_write_nothing_more_of_it(engine: sa.Engine) -> None:
    """A worker that was taken for dead, and comes back."""
    identity = submitted(engine, move(engine, "s1"))
    old = begun(engine, identity)
    do(engine, tasks.lose, identity, 1, 30, 250.0)
    new = begun(engine, identity, attempt=2, worker="w2")
    assert do(engine, tasks.begin, identity, 1, "w1", 260.0) is None
    assert not do(engine, tasks.tell, old, "ask", {"step": "late"}, 300.0)
    assert not do(engine, tasks.goes_on, old)
    assert not do(engine, tasks.finish, old, "done", 300.0, result={})
    assert not do(engine, tasks.let_go, old)
    assert do(engine, tasks.goes_on, new)
    assert do(engine, tasks.tell, new, "ask", {"step": "a"}, 300.0, {"calls": 1})
    assert do(engine, tasks.events, identity) == [Told(1, 300.0, "ask", {"step": "a"})]
    assert one(engine, identity).spent == {"calls": 1}


def test_a_task_that_ends_its_workers_is_given_up(engine: sa.Engine) -> None:
    """After so many attempts."""
    identity = submitted(engine, move(engine, "s1"))
    for attempt in (1, 2):
        begun(engine, identity, attempt)
        do(engine, tasks.lose, identity, attempt, 2, 300.0)
    assert (one(engine, identity).state, one(engine, identity).error) == (
        "failed", "given up: 2 attempts ended with their worker",
    )  # fmt: skip


def test_events_are_numbered_without_gaps(engine: sa.Engine) -> None:
    """Though threads tell them at the same moment."""
    task = begun(engine, submitted(engine, move(engine, "s1")))
    start = threading.Barrier(8)

    def tell(number: int) -> bool:
        start.wait(10)
        return do(engine, tasks.tell, task, "tool", {"number": number}, float(number))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(tell, range(8)))
    found = do(engine, tasks.events, task.id)
    assert [one.number for one in found] == list(range(1, 9))
    assert {one.detail["number"] for one in found} == set(range(8))
    assert do(engine, tasks.events, task.id, 6) == found[6:]
    assert do(engine, tasks.events, task.id, 2, 3) == found[2:5]


def test_a_task_is_cancelled_at_once_or_soon(engine: sa.Engine) -> None:
    """One that waits ends; one that runs is told."""
    shop = move(engine, "s1")
    waits, runs = submitted(engine, shop), begun(engine, submitted(engine, shop))
    assert do(engine, tasks.cancel, waits, 300.0)
    assert do(engine, tasks.cancel, runs.id, 300.0)
    assert one(engine, waits).state == "cancelled"
    assert not do(engine, tasks.goes_on, runs)
    assert not do(engine, tasks.tell, runs, "ask", {}, 300.0)
    assert do(engine, tasks.finish, runs, "cancelled", 301.0)
    assert not do(engine, tasks.cancel, runs.id, 302.0)


def test_who_asks_for_one_task_waits_for_no_others_hundred(engine: sa.Engine) -> None:
    """Each has a turn, counted with what runs for him already; few wait in the queue at a time."""
    shop = move(engine, "s1")
    many = [submitted(engine, shop, token="many", now=float(n)) for n in range(6)]
    few = submitted(engine, shop, token="few", now=10.0)
    local = submitted(engine, shop, now=11.0)
    begun(engine, many[0])
    due = do(engine, tasks.due_tasks, 20.0, 100)
    assert [(one.id, one.urgency, one.waits) for one in due] == [
        (many[0], 0, False), (few, 0, True), (local, 0, True), (many[1], 1, True), (many[2], 2, True),
    ]  # fmt: skip
    assert [one.id for one in do(engine, tasks.due_tasks, 20.0, 1)] == [many[0], few]
    begun(engine, few)
    later = submitted(engine, shop, token="few", now=12.0)
    assert [(one.id, one.urgency) for one in do(engine, tasks.due_tasks, 20.0, 100) if one.waits] == [
        (local, 0), (many[1], 1), (later, 1), (many[2], 2),
    ]  # fmt: skip


def test_what_was_done_lately_counts_against_who_asked_for_it(engine: sa.Engine) -> None:
    """A backlog does not come first again with each task of it that ends; after an hour it is as good as new."""
    shop = move(engine, "s1")
    many = [submitted(engine, shop, token="many", now=float(n)) for n in range(3)]
    others = [submitted(engine, shop, token=f"t{n}", now=10.0 + n) for n in range(4)]
    do(engine, tasks.finish, begun(engine, many[0]), "done", 30.0)
    waiting = [*others, many[1], many[2]]
    assert [one.id for one in do(engine, tasks.due_tasks, 40.0, 100)] == waiting[: tasks.NEXT]
    assert [one.id for one in do(engine, tasks.due_tasks, 4000.0, 100)] == [many[1], *others[:3]]


def test_a_task_that_waits_is_hurried_and_one_that_runs_is_not(engine: sa.Engine) -> None:
    """Its next attempt takes the place of the one that has not begun."""
    identity = submitted(engine, move(engine, "s1"))
    assert do(engine, tasks.hurry, identity, 1)
    assert not do(engine, tasks.hurry, identity, 1)
    assert do(engine, tasks.begin, identity, 2, "w1", 200.0) is not None
    assert not do(engine, tasks.hurry, identity, 2)


def test_a_local_task_is_no_workers(engine: sa.Engine) -> None:
    """The command that made it runs it; who goes on with it is another."""
    identity = submitted(engine, move(engine, "s1"), worker="17@here")
    assert do(engine, tasks.open_tasks) == []
    assert do(engine, tasks.begin, identity, 1, "w1", 200.0) is None
    task = one(engine, identity)
    assert (task.state, task.worker, task.local) == ("running", "17@here", True)
    assert do(engine, tasks.retry, task, "18@here", 400.0)
    assert (one(engine, identity).worker, one(engine, identity).attempt) == ("18@here", 2)


def test_old_tasks_are_forgotten_with_all_that_they_did(engine: sa.Engine) -> None:
    """And the snapshots that they held are named."""
    shop = move(engine, "s1")
    old, new, runs = (begun(engine, submitted(engine, shop)) for _ in range(3))
    do(engine, tasks.keep, old.id, "step", 1)
    do(engine, tasks.tell, old, "ask", {}, 200.0)
    do(engine, tasks.finish, old, "failed", 300.0)
    do(engine, tasks.finish, new, "failed", 500.0)
    assert do(engine, tasks.prune, 400.0) == ["s1"]
    assert [one.id for one in do(engine, tasks.listed)] == sorted([new.id, runs.id], reverse=True)
    assert do(engine, tasks.kept, old.id, "step") is None
    assert do(engine, tasks.events, old.id) == []
    assert do(engine, tasks.held, one(engine, new.id).where.repository) == ["s1"]


def test_tasks_are_listed_by_repository_and_state(engine: sa.Engine) -> None:
    """The newest first, page by page."""
    shop = move(engine, "s1")
    first, second = submitted(engine, shop), begun(engine, submitted(engine, shop)).id
    ids = sorted([first, second], reverse=True)
    assert [one.id for one in do(engine, tasks.listed, repositories_named=["shop"])] == ids
    assert do(engine, tasks.listed, repositories_named=["other"]) == []
    assert [one.id for one in do(engine, tasks.listed, states=["running"])] == [second]
    assert [one.id for one in do(engine, tasks.listed, before=ids[0], limit=5)] == ids[1:]
