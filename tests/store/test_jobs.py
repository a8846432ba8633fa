"""Jobs, workers, registrations, deliveries, tokens and the audit log: one suite, on SQLite and on Postgres."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import postgres
import pytest
import sqlalchemy as sa

from repoctx.store import access, connect, jobs, registry, snapshots, tables, workers
from repoctx.store.access import Entry
from repoctx.store.jobs import Asked, Due, Ended, Job
from repoctx.store.registry import Delivered, Registered, Registration
from repoctx.store.snapshots import Repository
from repoctx.store.workers import Worker

Result = TypeVar("Result")
PROGRESS = {"stage": "parse", "done": 1, "total": 2, "unit": "files"}
THREADS = 8
REMOVED = "it was removed meanwhile"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """A database with the current schema."""
    opened = connect.connect(database_url)
    yield opened
    opened.dispose()


def repository(engine: sa.Engine, name: str = "shop") -> int:
    """The id of a new repository."""
    values = {"name": name, "location": f"/srv/{name}", "default_ref": "main"}
    with engine.begin() as connection:
        new = tables.repositories.insert().values(values).returning(tables.repositories.c.id)
        return int(connection.execute(new).scalar_one())


def do(engine: sa.Engine, what: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """What a query answers, in a transaction of its own."""
    with engine.begin() as connection:
        return what(connection, *arguments, **named)


def job(engine: sa.Engine, identity: str) -> Job:
    """A job that there is."""
    found = do(engine, jobs.one, identity)
    assert found is not None
    return found


def begun(engine: sa.Engine, identity: str, attempt: int = 1, worker: str = "w1", now: float = 200.0) -> Job:
    """A job that runs."""
    found = do(engine, jobs.begin, identity, attempt, worker, now)
    assert found is not None
    return found


def at_once(what: Callable[[int], Result], count: int = THREADS) -> list[Result]:
    """What several threads get that do something at the same moment."""
    start = threading.Barrier(count)

    def run(number: int) -> Result:
        start.wait(10)
        return what(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


# --- asking for an index -----------------------------------------------------------------------


def test_a_new_job_waits_and_is_due_at_once(engine: sa.Engine) -> None:
    """All that is known of a job that was just asked for."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", commit="c1", now=100.0)
    assert job(engine, identity) == Job(
        id=identity, repository="shop", ref="main", state="waiting", cause="push", pushes=1, commit="c1",
        requested_at=100.0, due_at=100.0, attempt=1, failures=0, lost=0, unseen=0, cancelled=False, worker=None,
        started_at=None, finished_at=None, progress=None, error=None, report=None,
    )  # fmt: skip
    assert do(engine, jobs.open_jobs) == [Due(identity, 1, 100.0, shop)]
    assert do(engine, jobs.one, "0" * 32) is None


def due(engine: sa.Engine, now: float = 1000.0, most: int = 100) -> list[tuple[str, int, int, bool]]:
    """Id, attempt, urgency and whether it waits, of the jobs that workers should hear of."""
    return [(one.id, one.attempt, one.urgency, one.waits) for one in do(engine, jobs.due_jobs, now, most)]


def test_pushes_go_before_what_is_indexed_for_the_first_time(engine: sa.Engine) -> None:
    """First what was pushed, polled or asked for, then what was registered alone, then what came in bulk; the oldest
    first of each; and no more than asked for."""
    causes = ["onboarded", "registered", "push", "onboarded", "poll", "request"]
    made = [
        do(engine, jobs.submit, repository(engine, f"r{number}"), "main", cause, now=100.0 + number)
        for number, cause in enumerate(causes)
    ]
    order = [(made[number], 1, urgency, True) for number, urgency in ((2, 0), (4, 0), (5, 0), (1, 1), (0, 2), (3, 2))]
    assert due(engine) == order
    assert due(engine, most=4) == order[:4]
    assert due(engine, now=102.0) == [order[0], order[3], order[4]]  # the others are not due yet
    begun(engine, made[0])
    assert due(engine, most=1) == [(made[0], 1, 2, False), order[0]]  # whatever runs is told


def test_one_job_of_a_repository_is_due_at_a_time(engine: sa.Engine) -> None:
    """Its most urgent one; none as long as one runs; however many wait, others are not kept from their turn."""
    shop, desk = repository(engine), repository(engine, "desk")
    bulk = do(engine, jobs.submit, shop, "", "onboarded", now=100.0)
    branches = [do(engine, jobs.submit, shop, f"b{number}", "push", now=101.0 + number) for number in range(5)]
    other = do(engine, jobs.submit, desk, "main", "registered", now=200.0)
    assert due(engine, most=2) == [(branches[0], 1, 0, True), (other, 1, 1, True)]
    run = begun(engine, branches[0])
    assert due(engine) == [(branches[0], 1, 0, False), (other, 1, 1, True)]
    do(engine, jobs.lose, branches[0], 1, 30, 300.0)  # its worker has died: the next attempt is told, before others
    assert due(engine) == [(branches[0], 2, 0, False), (other, 1, 1, True)]
    do(engine, jobs.finish, begun(engine, branches[0], attempt=2), "done", 400.0)
    assert not do(engine, jobs.finish, run, "done", 401.0)
    assert [one[0] for one in due(engine)] == [branches[1], other]
    for branch in branches[1:]:
        do(engine, jobs.finish, begun(engine, branch), "done", 500.0)
    assert [one[0] for one in due(engine)] == [other, bulk]


def test_a_push_that_joins_what_came_in_bulk_is_as_urgent_as_any(engine: sa.Engine) -> None:
    """Of the causes of a job the most urgent one counts, in whatever order they come; so too of one that comes back."""
    urgent = ["upgrade", "registered", "push"]
    for number, (first, second) in enumerate((one, two) for one in urgent for two in urgent):
        here = repository(engine, f"r{number}")
        identity = do(engine, jobs.submit, here, "main", first, now=100.0 + number)
        assert do(engine, jobs.submit, here, "main", second, now=200.0) == identity
        assert job(engine, identity).cause == max(first, second, key=urgent.index)
        assert job(engine, identity).requested_at == 100.0 + number
        do(engine, jobs.cancel, identity, 300.0)
    shop = repository(engine)
    for first, second in (("push", "upgrade"), ("upgrade", "push")):
        run = begun(engine, do(engine, jobs.submit, shop, "main", first, now=400.0))
        waits = do(engine, jobs.submit, shop, "main", second, now=401.0)
        do(engine, jobs.again, run, 500.0, "the server is away")
        assert (job(engine, run.id).state, job(engine, waits).cause) == ("cancelled", "push")
        do(engine, jobs.cancel, waits, 600.0)


def test_a_push_overtakes_the_bulk_that_it_joins(engine: sa.Engine) -> None:
    """Of three hundred upgrades, the one that a push joins is the first."""
    asked = {(repository(engine, f"r{number}"), "release/1"): Asked("upgrade", 1, None) for number in range(300)}
    made = do(engine, jobs.submit_all, asked, 100.0)
    where = sorted(asked)[73]
    assert (made[where], 1, 0, True) not in due(engine, now=120.0)
    assert do(engine, jobs.submit, *where, "push", now=110.0) == made[where]
    assert due(engine, now=120.0)[0] == (made[where], 1, 0, True)


def test_of_what_waits_for_long_the_oldest_has_its_turn(engine: sa.Engine) -> None:
    """After ten minutes, in the first quarter of every minute: one at a time, before what is pushed; of a repository
    that has pushes all the time too."""
    shop, desk, sofa = (repository(engine, name) for name in ("shop", "desk", "sofa"))
    bulk = do(engine, jobs.submit, shop, "", "upgrade", now=100.0)
    second = do(engine, jobs.submit, desk, "", "registered", now=101.0)
    third = do(engine, jobs.submit, desk, "old", "onboarded", now=102.0)
    pushes = [do(engine, jobs.submit, x, "new", "push", now=103.0 + x) for x in (shop, desk, sofa)]
    usual = [(one, 1, 0, True) for one in pushes]
    assert due(engine, now=666.0) == usual  # nothing has waited for ten minutes
    assert due(engine, now=719.0) == usual  # it is not the time for it
    turn = [(bulk, 1, 0, True), *usual[1:]]
    assert [due(engine, now=now) for now in (720.0, 734.9, 780.0)] == [turn, turn, turn]
    assert due(engine, now=735.0) == usual
    assert due(engine, now=720.0, most=1) == turn[:1]
    begun(engine, bulk)
    assert due(engine, now=720.0) == [(bulk, 1, 2, False), (second, 1, 0, True), usual[2]]
    do(engine, jobs.finish, begun(engine, second), "done", 721.0)
    assert due(engine, now=722.0) == [(bulk, 1, 2, False), (third, 1, 0, True), usual[2]]
    do(engine, jobs.finish, begun(engine, third), "done", 723.0)
    assert due(engine, now=724.0) == [(bulk, 1, 2, False), *usual[1:]]


def test_an_attempt_that_has_not_begun_is_hurried_by_another(engine: sa.Engine) -> None:
    """Whoever is given the former finds nothing to do; an attempt that has begun goes on, and so does a later one."""
    identity = do(engine, jobs.submit, repository(engine), "main", "push", now=100.0)
    assert do(engine, jobs.hurry, identity, 1)
    assert not do(engine, jobs.hurry, identity, 1)
    assert do(engine, jobs.begin, identity, 1, "w1", 200.0) is None
    begun(engine, identity, attempt=2)
    assert not do(engine, jobs.hurry, identity, 2)
    assert (job(engine, identity).state, job(engine, identity).attempt) == ("running", 2)
    assert (job(engine, identity).failures, job(engine, identity).lost) == (0, 0)


def test_what_became_of_some_jobs(engine: sa.Engine) -> None:
    """Only of those that are finished; one that was forgotten with its repository was cancelled."""
    shop, desk = repository(engine), repository(engine, "desk")
    first, second = (do(engine, jobs.submit, shop, ref, "onboarded", now=100.0) for ref in ("main", "dev"))
    third = do(engine, jobs.submit, desk, "", "onboarded", now=100.0)
    assert do(engine, jobs.ended, [first, second, third]) == []
    do(engine, jobs.finish, begun(engine, first), "failed", 300.0, error="no such ref")
    do(engine, registry.remove, desk)
    found = do(engine, jobs.ended, [first, second, third])
    assert found == [Ended(first, "shop", "failed", "no such ref"), Ended(third, "", "cancelled", REMOVED)]
    run = begun(engine, second)
    newer = do(engine, jobs.submit, shop, "dev", "push", now=400.0)
    do(engine, jobs.again, run, 500.0, "the server is away")  # the push that waits does its work
    assert job(engine, second).state == "cancelled"
    assert do(engine, jobs.ended, [second]) == []
    do(engine, jobs.finish, begun(engine, newer), "done", 600.0)
    assert do(engine, jobs.ended, [second]) == [Ended(second, "shop", "done", None)]


def test_ids_are_32_hex_digits_and_sort_by_time() -> None:
    """What is made later sorts later, so that lists need no other order."""
    made = [jobs.new_id(now) for now in (1.0, 2.5, 1e9, 2e9, 4e9)]
    assert made == sorted(made)
    assert {len(one) for one in made} == {32}


def test_a_hundred_pushes_during_a_run_make_one_more_job(engine: sa.Engine) -> None:
    """They join the job that waits; it knows how many, the newest commit, and when the first came."""
    shop = repository(engine)
    first = do(engine, jobs.submit, shop, "main", "push", commit="c0", now=100.0)
    begun(engine, first)
    later = {
        do(engine, jobs.submit, shop, "main", "push", commit=f"c{number}", now=200.0 + number)
        for number in range(1, 101)
    }
    assert len(later) == 1
    assert first not in later
    waiting = job(engine, later.pop())
    assert (waiting.state, waiting.pushes, waiting.commit) == ("waiting", 100, "c100")
    assert (waiting.requested_at, waiting.due_at) == (201.0, 201.0)
    assert do(engine, jobs.counts) == {"waiting": 1, "running": 1, "done": 0, "failed": 0, "cancelled": 0}


def test_jobs_of_other_refs_and_repositories_do_not_join(engine: sa.Engine) -> None:
    """A job stands for one ref of one repository; "" is a ref of its own."""
    shop, desk = repository(engine), repository(engine, "desk")
    made = [
        do(engine, jobs.submit, where, ref, "request", now=100.0 + number)
        for number, (where, ref) in enumerate([(shop, "main"), (shop, ""), (shop, "dev"), (desk, "main")])
    ]
    assert len(set(made)) == 4
    assert [one.id for one in do(engine, jobs.open_jobs)] == made
    assert [one.id for one in do(engine, jobs.listed)] == made[::-1]
    assert [one.id for one in do(engine, jobs.listed, repositories_named=["shop"])] == made[2::-1]
    assert do(engine, jobs.listed, repositories_named=[]) == []
    assert [one.id for one in do(engine, jobs.listed, before=made[2], limit=1)] == [made[1]]
    begun(engine, made[0])
    assert [one.id for one in do(engine, jobs.listed, states=["running"])] == [made[0]]


def test_a_push_that_tells_no_commit_keeps_the_one_that_is_known(engine: sa.Engine) -> None:
    """The commit is a hint: the newest that was told."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", commit="c1", now=100.0)
    assert do(engine, jobs.submit, shop, "main", "request", now=101.0) == identity
    found = job(engine, identity)
    assert (found.commit, found.cause, found.pushes) == ("c1", "push", 2)


def test_a_new_push_cuts_a_wait_short_but_puts_nothing_off(engine: sa.Engine) -> None:
    """What failed may have been pushed right since; what is due already stays due."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    assert do(engine, jobs.again, begun(engine, identity), 1000.0, "no network")
    assert job(engine, identity).due_at == 1000.0
    do(engine, jobs.submit, shop, "main", "push", now=300.0)
    assert job(engine, identity).due_at == 300.0
    do(engine, jobs.submit, shop, "main", "push", now=400.0)
    assert (job(engine, identity).due_at, job(engine, identity).requested_at) == (300.0, 100.0)


def test_pushes_of_a_batch_are_asked_for_together(engine: sa.Engine) -> None:
    """Each ref gets a job or joins the one that waits, with all its pushes."""
    shop, desk = repository(engine), repository(engine, "desk")
    known = do(engine, jobs.submit, shop, "main", "request", now=100.0)
    asked = {(shop, "main"): Asked("push", 3, "c3"), (desk, ""): Asked("push", 2, None)}
    asked[shop, "a"] = Asked("poll", 1, "c")
    made = do(engine, jobs.submit_all, asked, 200.0)
    assert set(made) == set(asked)
    assert made[shop, "main"] == known
    found = [job(engine, made[key]) for key in asked]
    assert [(one.repository, one.ref, one.cause, one.pushes, one.commit, one.requested_at) for one in found] == [
        ("shop", "main", "push", 4, "c3", 100.0), ("desk", "", "push", 2, None, 200.0),
        ("shop", "a", "poll", 1, "c", 200.0),
    ]  # fmt: skip
    assert do(engine, jobs.submit_all, {}, 200.0) == {}


def test_threads_that_ask_for_several_at_once_do_not_stop_each_other(engine: sa.Engine) -> None:
    """Whatever order they have them in."""
    shop = repository(engine)
    refs = [f"r{number}" for number in range(20)]

    def ask(number: int) -> dict[tuple[int, str], str]:
        order = refs if number % 2 else refs[::-1]
        return do(engine, jobs.submit_all, {(shop, ref): Asked("push", 1, None) for ref in order}, 100.0 + number)

    made = at_once(ask)
    assert all(one == made[0] for one in made)
    assert {job(engine, identity).pushes for identity in made[0].values()} == {THREADS}


def test_threads_that_ask_at_once_make_one_job(engine: sa.Engine) -> None:
    """Exactly one waits, and it counts them all."""
    shop = repository(engine)
    made = at_once(lambda number: do(engine, jobs.submit, shop, "main", "push", now=100.0 + number))
    assert len(set(made)) == 1
    assert job(engine, made[0]).pushes == THREADS
    assert do(engine, jobs.counts)["waiting"] == 1


# --- running -----------------------------------------------------------------------------------


def test_a_job_is_begun_followed_and_finished(engine: sa.Engine) -> None:
    """The life of a job that goes well."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    running = begun(engine, identity)
    assert (running.state, running.worker, running.started_at) == ("running", "w1", 200.0)
    assert do(engine, jobs.advance, running, PROGRESS)
    assert job(engine, identity).progress == PROGRESS
    assert do(engine, jobs.finish, running, "done", 300.0, report={"files": 3})
    found = job(engine, identity)
    assert (found.state, found.finished_at, found.progress) == ("done", 300.0, None)
    assert (found.report, found.error) == ({"files": 3}, None)
    assert do(engine, jobs.open_jobs) == []
    assert do(engine, jobs.begin, identity, 1, "w2", 400.0) is None


@pytest.mark.parametrize("change", ["attempt", "worker"])
def test_who_lost_a_job_changes_nothing(engine: sa.Engine, change: str) -> None:
    """Neither an attempt that was given up nor a worker that another took over from can write any more."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    stale = begun(engine, identity)
    if change == "attempt":
        do(engine, jobs.lose, identity, 1, 30, 250.0)
        current = begun(engine, identity, attempt=2, worker="w1")
    else:
        current = begun(engine, identity, worker="w2")  # the same attempt, taken over
    assert not do(engine, jobs.advance, stale, PROGRESS)
    assert not do(engine, jobs.finish, stale, "done", 300.0, report={"files": 3})
    assert not do(engine, jobs.again, stale, 1000.0, "no network")
    do(engine, jobs.lose, identity, 99, 30, 300.0)
    assert job(engine, identity) == current
    assert do(engine, jobs.finish, current, "done", 300.0)


def test_who_lost_a_job_changes_nothing_of_the_one_that_waits_either(engine: sa.Engine) -> None:
    """`again` of a stale attempt does not count its pushes into another job."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    stale = begun(engine, identity)
    begun(engine, identity, worker="w2")
    waiting = job(engine, do(engine, jobs.submit, shop, "main", "push", now=300.0))
    assert not do(engine, jobs.again, stale, 1000.0, "no network")
    assert job(engine, waiting.id) == waiting


def test_an_attempt_that_failed_waits_for_the_next(engine: sa.Engine) -> None:
    """It counts as a failure, as one that did not find what was pushed, or as nothing."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    assert do(engine, jobs.again, begun(engine, identity), 1000.0, "no network")
    found = job(engine, identity)
    assert (found.state, found.attempt, found.failures, found.due_at, found.error) == (
        "waiting", 2, 1, 1000.0, "no network",
    )  # fmt: skip
    assert do(engine, jobs.begin, identity, 1, "w1", 1001.0) is None
    assert do(engine, jobs.again, begun(engine, identity, 2), 2000.0, None, None)
    found = job(engine, identity)
    assert (found.attempt, found.failures, found.unseen, found.due_at, found.error) == (3, 1, 0, 2000.0, None)
    assert do(engine, jobs.again, begun(engine, identity, 3), 3000.0, "not there yet", "unseen")
    found = job(engine, identity)
    assert (found.attempt, found.failures, found.unseen, found.lost) == (4, 1, 1, 0)


def test_an_attempt_that_failed_leaves_its_work_to_the_job_that_waits_already(engine: sa.Engine) -> None:
    """One waits for a ref at a time; it stands for the pushes of both, since the older of them."""
    shop = repository(engine)
    first = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    do(engine, jobs.submit, shop, "main", "push", now=101.0)
    running = begun(engine, first)
    second = do(engine, jobs.submit, shop, "main", "push", commit="c3", now=300.0)
    assert do(engine, jobs.again, running, 1000.0, "no network")
    assert (job(engine, first).state, job(engine, first).error) == ("cancelled", "no network")
    found = job(engine, second)
    assert (found.state, found.pushes, found.requested_at, found.due_at) == ("waiting", 3, 100.0, 300.0)


def test_an_attempt_is_given_up_until_there_were_too_many(engine: sa.Engine) -> None:
    """A job whose workers die is tried again, and fails when that has happened often."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    begun(engine, identity)
    do(engine, jobs.lose, identity, 1, 2, 300.0)
    assert (job(engine, identity).attempt, job(engine, identity).failures) == (2, 0)
    begun(engine, identity, attempt=2, worker="w2")
    do(engine, jobs.lose, identity, 2, 2, 400.0)
    found = job(engine, identity)
    assert (found.state, found.finished_at, found.error) == (
        "failed", 400.0, "given up: 2 attempts ended with their worker",
    )  # fmt: skip
    do(engine, jobs.lose, identity, 2, 2, 500.0)
    assert job(engine, identity) == found


# --- cancel, try again, forget -----------------------------------------------------------------


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_is_told(engine: sa.Engine) -> None:
    """What is finished cannot be cancelled."""
    shop = repository(engine)
    waiting = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    assert do(engine, jobs.cancel, waiting, 150.0)
    assert (job(engine, waiting).state, job(engine, waiting).finished_at) == ("cancelled", 150.0)
    assert not do(engine, jobs.cancel, waiting, 160.0)
    identity = do(engine, jobs.submit, shop, "main", "push", now=200.0)
    running = begun(engine, identity)
    assert do(engine, jobs.cancel, identity, 250.0)
    assert (job(engine, identity).state, job(engine, identity).cancelled) == ("running", True)
    assert not do(engine, jobs.advance, running, PROGRESS)
    assert do(engine, jobs.finish, running, "cancelled", 260.0)
    assert not do(engine, jobs.cancel, identity, 270.0)
    assert not do(engine, jobs.cancel, "0" * 32, 270.0)


def test_a_cancelled_job_whose_attempt_fails_is_not_tried_again(engine: sa.Engine) -> None:
    """It would wait to be stopped, and pushes that joined it would be lost."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    running = begun(engine, identity)
    do(engine, jobs.cancel, identity, 250.0)
    assert do(engine, jobs.again, running, 1000.0, "no network")
    assert (job(engine, identity).state, job(engine, identity).error) == ("cancelled", "no network")
    later = do(engine, jobs.submit, shop, "main", "push", now=300.0)
    assert later != identity
    assert job(engine, later).cancelled is False


def test_what_runs_of_a_repository_is_stopped(engine: sa.Engine) -> None:
    """What waits is not, nor what others run: if the repository cannot be removed now, nothing was lost."""
    shop, desk = repository(engine), repository(engine, "desk")
    running = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    begun(engine, running)
    waiting = do(engine, jobs.submit, shop, "dev", "push", now=101.0)
    other = do(engine, jobs.submit, desk, "main", "push", now=102.0)
    do(engine, jobs.stop_all, shop)
    assert [(job(engine, one).state, job(engine, one).cancelled) for one in (running, waiting, other)] == [
        ("running", True), ("waiting", False), ("waiting", False),
    ]  # fmt: skip


def test_what_failed_or_was_cancelled_is_tried_again_as_a_new_job(engine: sa.Engine) -> None:
    """For the same ref, whatever was pushed since; others are left alone."""
    shop = repository(engine)
    identity = do(engine, jobs.submit, shop, "main", "push", commit="c1", now=100.0)
    assert do(engine, jobs.retry, job(engine, identity), 150.0) is None
    running = begun(engine, identity)
    assert do(engine, jobs.retry, running, 250.0) is None
    do(engine, jobs.finish, running, "failed", 300.0, error="no such ref")
    again = do(engine, jobs.retry, job(engine, identity), 400.0)
    assert again is not None
    found = job(engine, again)
    assert (found.state, found.ref, found.commit, found.cause, found.requested_at) == (
        "waiting", "main", None, "request", 400.0,
    )  # fmt: skip
    assert do(engine, jobs.retry, job(engine, identity), 500.0) == again
    do(engine, jobs.finish, begun(engine, again), "done", 600.0)
    assert do(engine, jobs.retry, job(engine, again), 700.0) is None


def test_old_jobs_are_forgotten_but_for_the_newest_of_each_ref(engine: sa.Engine) -> None:
    """Whether a ref failed last must be known however long ago that was; what is open stays."""
    shop = repository(engine)
    made = []
    for number in range(3):
        made.append(do(engine, jobs.submit, shop, "main", "push", now=100.0 + number))
        do(engine, jobs.finish, begun(engine, made[-1]), "failed", 200.0 + number, error="no network")
    dev = do(engine, jobs.submit, shop, "dev", "push", now=90.0)
    begun(engine, dev)
    assert do(engine, jobs.prune, 201.0) == 1
    assert do(engine, jobs.one, made[0]) is None
    fails(engine, shop, "gone", 100.0)
    fails(engine, shop, "there", 100.0)
    indexed(engine, shop, "there", "1970-01-01T00:01:00.000Z")
    assert do(engine, jobs.failed_refs) == {"shop": 3}
    assert do(engine, jobs.prune, 1e9) == 2  # one of a ref that there is not, and never was, is told for so long
    assert {one.ref for one in do(engine, jobs.listed)} == {"main", "dev", "there"}
    assert do(engine, jobs.failed_refs) == {"shop": 2}


def test_the_newest_job_of_a_ref_is_found_under_all_its_names(engine: sa.Engine) -> None:
    """The default ref is also what is asked for without a name."""
    shop = repository(engine)
    first = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    second = do(engine, jobs.submit, shop, "", "request", now=101.0)
    found = [do(engine, jobs.latest, shop, names) for names in (["main"], ["main", ""], ["dev"])]
    assert [one and one.id for one in found] == [first, second, None]
    assert [one.id for one in do(engine, jobs.open_of, shop, ["main", ""])] == [second, first]
    do(engine, jobs.cancel, second, 200.0)
    assert [one.id for one in do(engine, jobs.open_of, shop, ["main", ""])] == [first]


def test_the_oldest_push_that_is_not_indexed(engine: sa.Engine) -> None:
    """Open jobs count, and failed ones that no later one made up for; those of other repositories apart."""
    shop, desk = repository(engine), repository(engine, "desk")
    assert do(engine, jobs.oldest_open) == {}
    first = do(engine, jobs.submit, shop, "main", "push", now=100.0)
    do(engine, jobs.submit, shop, "dev", "push", now=150.0)
    do(engine, jobs.submit, desk, "main", "push", now=50.0)
    assert do(engine, jobs.oldest_open) == {"shop": 100.0, "desk": 50.0}
    assert do(engine, jobs.oldest_open, shop) == {"shop": 100.0}
    running = begun(engine, first)
    assert do(engine, jobs.oldest_open, shop) == {"shop": 100.0}
    do(engine, jobs.finish, running, "failed", 300.0, error="no network")
    assert do(engine, jobs.oldest_open, shop) == {"shop": 100.0}
    later = do(engine, jobs.submit, shop, "main", "push", now=400.0)
    assert do(engine, jobs.oldest_open, shop) == {"shop": 150.0}
    do(engine, jobs.finish, begun(engine, later), "done", 500.0)
    dev = do(engine, jobs.latest, shop, ["dev"])
    assert dev is not None
    do(engine, jobs.cancel, dev.id, 600.0)
    assert do(engine, jobs.oldest_open, shop) == {}


def fails(engine: sa.Engine, repository: int, ref: str, now: float, cause: str = "push") -> None:
    """A job for a ref that was asked for and has failed."""
    found = begun(engine, do(engine, jobs.submit, repository, ref, cause, now=now))
    assert do(engine, jobs.finish, found, "failed", now + 1, error="no network")


def indexed(engine: sa.Engine, repository: int, ref: str, at: str) -> None:
    """A ref whose index was published at a time."""
    row = {
        "repository": repository, "name": ref, "snapshot": "s", "dirty": 0, "tree": "", "skips": b"", "report": "{}",
        "indexed_at": at,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(tables.insert(connection, tables.snapshots).values(id="s", entries=b"")
                           .on_conflict_do_nothing())  # fmt: skip
        connection.execute(tables.refs.insert().values(row))


def test_refs_whose_newest_job_failed(engine: sa.Engine) -> None:
    """Until one is done, under any name of the ref; one that waits, runs or was cancelled has not mended anything."""
    shop, desk = repository(engine), repository(engine, "desk")
    assert do(engine, jobs.failed_refs) == {}
    fails(engine, shop, "main", 100.0)
    fails(engine, shop, "dev", 101.0)
    fails(engine, shop, "dev", 102.0)
    fails(engine, desk, "", 103.0, "request")
    assert do(engine, jobs.failed_refs) == {"shop": 2, "desk": 1}
    again = do(engine, jobs.submit, shop, "", "request", now=200.0)
    assert do(engine, jobs.failed_refs)["shop"] == 2
    running = begun(engine, again)
    assert do(engine, jobs.failed_refs)["shop"] == 2
    do(engine, jobs.finish, running, "done", 300.0)
    assert do(engine, jobs.failed_refs) == {"shop": 1, "desk": 1}
    do(engine, jobs.cancel, do(engine, jobs.submit, shop, "dev", "push", now=400.0), 401.0)
    do(engine, jobs.finish, begun(engine, do(engine, jobs.submit, desk, "main", "push", now=402.0)), "done", 403.0)
    assert do(engine, jobs.failed_refs) == {"shop": 1}
    fails(engine, shop, "", 500.0)
    assert do(engine, jobs.failed_refs) == {"shop": 2}


def test_a_ref_that_was_indexed_since_or_is_none_has_not_failed(engine: sa.Engine) -> None:
    """By the command line; a name that was asked for and never indexed may be misspelt, one that was pushed is not."""
    shop = repository(engine)
    fails(engine, shop, "", 1_000_000.0)
    fails(engine, shop, "old", 1_000_000.0)
    for ref, at in (("main", "1970-01-12T13:46:41.000Z"), ("old", "1970-01-12T13:46:40.000Z")):
        indexed(engine, shop, ref, at)  # a second later, and at once
    assert do(engine, jobs.failed_refs) == {"shop": 1}
    assert do(engine, jobs.oldest_open) == {"shop": 1_000_000.0}
    fails(engine, shop, "mian", 2_000_000.0, "request")
    assert do(engine, jobs.failed_refs) == {"shop": 1}
    assert do(engine, jobs.oldest_open) == {"shop": 1_000_000.0}
    fails(engine, shop, "new", 2_000_001.0)
    fails(engine, shop, "old", 2_000_002.0, "request")
    assert do(engine, jobs.failed_refs) == {"shop": 2}
    assert do(engine, jobs.oldest_open) == {"shop": 2_000_001.0}
    fails(engine, shop, "new", 2_000_003.0, "request")  # by hand, once more
    assert do(engine, jobs.failed_refs) == {"shop": 2}
    desk = repository(engine, "desk")
    fails(engine, desk, "main", 2_000_000.0, "request")  # its default ref
    assert do(engine, jobs.failed_refs) == {"shop": 2, "desk": 1}


# --- workers -----------------------------------------------------------------------------------


def test_a_worker_that_lives_is_not_buried(engine: sa.Engine) -> None:
    """Only one whose beats stand where they were seen is; it hears of that at its next beat."""
    worker = Worker("w1", "host", 1, 100.0, 0)
    do(engine, workers.enlist, worker)
    do(engine, workers.enlist, Worker("w2", "host", 2, 101.0, 0))
    assert do(engine, workers.beat, "w1")
    assert do(engine, workers.every) == [worker._replace(beats=1), Worker("w2", "host", 2, 101.0, 0)]
    assert not do(engine, workers.bury, worker)
    assert do(engine, workers.bury, worker._replace(beats=1))
    assert not do(engine, workers.bury, worker._replace(beats=1))
    assert not do(engine, workers.beat, "w1")
    do(engine, workers.dismiss, "w2")
    assert do(engine, workers.every) == []


def test_one_of_many_buries_a_worker(engine: sa.Engine) -> None:
    """So that what follows from a death happens once."""
    worker = Worker("w1", "host", 1, 100.0, 0)
    do(engine, workers.enlist, worker)
    assert sorted(at_once(lambda _: do(engine, workers.bury, worker))) == [False] * (THREADS - 1) + [True]


# --- registrations and deliveries --------------------------------------------------------------


def registered(engine: sa.Engine, name: str = "shop", location: str = "https://h/shop.git", **more: Any) -> Registered:
    """A repository that is registered."""
    new = Registration(place=more.pop("place", "h/shop"), created_at=100.0, **more)
    found = do(engine, registry.register, Repository(0, name, location, ""), new)
    assert found is not None
    return found


def test_a_repository_is_registered_found_replaced_and_removed(engine: sa.Engine) -> None:
    """By its place, however often and under whatever names; a name belongs to one location."""
    first = registered(engine, secrets=("new", "old"), credential="env:REPOCTX_SECRET_X", login="me",
                       follow=("v*",), moves=False, poll_seconds=60, polled_at=1.5)  # fmt: skip
    again = registered(engine, name="also")
    desk = registered(engine, "desk", "/srv/desk", place="file:/srv/desk")
    assert do(engine, registry.found, [], ["h/shop", "h/none"]) == [again, first]
    assert do(engine, registry.found, ["shop", "none"], []) == [first]
    assert do(engine, registry.found, ["desk"], ["h/shop"]) == [again, desk, first]
    assert do(engine, registry.found, [], []) == []
    assert do(engine, registry.found, ["shop"], []) == [first]
    assert do(engine, registry.of, first.repository.id) == first.registration
    taken = Repository(0, "shop", "https://h/other.git", "")
    assert do(engine, registry.register, taken, Registration(place="h/other")) is None
    assert do(engine, registry.found, ["shop"], []) == [first]
    replaced = registered(engine, secrets=())
    assert replaced == first._replace(registration=Registration(place="h/shop", created_at=100.0))
    assert do(engine, registry.found, ["shop"], []) == [replaced]
    do(engine, registry.pushed, [first.repository.id], 123.5)
    do(engine, registry.pushed, [], 125.5)
    assert (found := do(engine, registry.of, first.repository.id)) is not None
    assert found.pushed_at == 123.5
    do(engine, jobs.submit, first.repository.id, "", "push", now=100.0)
    do(engine, registry.remove, first.repository.id)
    assert do(engine, registry.found, ["shop"], []) == []
    assert do(engine, jobs.listed) == []


def test_registering_again_with_another_default_ref_moves_it(engine: sa.Engine) -> None:
    """What was said of a repository before is replaced; without a ref the known one stays."""
    shop = repository(engine)
    known = Repository(0, "shop", "/srv/shop", "")
    found = do(engine, registry.register, known, Registration(place="file:/srv/shop"))
    assert found is not None
    assert found.repository == Repository(shop, "shop", "/srv/shop", "main")
    moved = do(engine, registry.register, known._replace(default_ref="dev"), Registration(place="file:/srv/shop"))
    assert moved is not None
    assert moved.repository.default_ref == "dev"
    assert do(engine, snapshots.repository, "shop").default_ref == "dev"


def test_threads_that_register_one_name_for_two_places_agree(engine: sa.Engine) -> None:
    """One place gets it; whoever asks for the other is told."""
    asked = [Repository(0, "shop", f"https://h/{number % 2}.git", "") for number in range(THREADS)]
    found = at_once(lambda number: do(engine, registry.register, asked[number], Registration(place=f"h/{number % 2}")))
    got = {one.repository.location for one in found if one is not None}
    assert len(got) == 1
    assert [one is not None for one in found] == [one.location in got for one in asked]


def test_a_delivery_is_noted_once(engine: sa.Engine) -> None:
    """One that comes again is known with its first jobs; ids are those of a forge and a repository; old ones go."""
    shop, desk = registered(engine).repository.id, registered(engine, "desk").repository.id
    keys = [(shop, "github", "d1"), (shop, "gitea", "d1"), (desk, "github", "d1")]
    assert do(engine, registry.delivered, keys) == {}
    do(engine, registry.deliver, [Delivered(*keys[0], "push", ["j1", "j2"])], 100.0)
    again = [Delivered(*keys[0], "push", ["j3"]), Delivered(*keys[2], "ping", [])]
    do(engine, registry.deliver, again, 200.0)
    do(engine, registry.deliver, [], 200.0)
    assert do(engine, registry.delivered, keys) == {keys[0]: ["j1", "j2"], keys[2]: []}
    assert do(engine, registry.delivered, keys[1:2]) == {}
    assert do(engine, registry.prune, 150.0) == 1
    assert do(engine, registry.delivered, keys) == {keys[2]: []}


def test_one_of_many_notes_a_delivery(engine: sa.Engine) -> None:
    """A delivery that a forge sends twice at once is one delivery, and nobody fails."""
    shop = registered(engine).repository.id
    at_once(lambda number: do(engine, registry.deliver, [Delivered(shop, "github", "d", "push", [str(number)])], 1.0))
    ((key, ids),) = do(engine, registry.delivered, [(shop, "github", "d")]).items()
    assert (key, len(ids)) == ((shop, "github", "d"), 1)


def test_servers_are_asked_when_they_are_due_by_one_of_many(engine: sa.Engine) -> None:
    """As often as a repository says, or as the setting says; never if neither does."""
    often = registered(engine, "often", poll_seconds=10, polled_at=100.0)
    usual = registered(engine, "usual", polled_at=100.0)
    assert do(engine, registry.due_polls, 109.0, 0, 100) == []
    assert do(engine, registry.due_polls, 110.0, 0, 100) == [often]
    assert do(engine, registry.due_polls, 159.0, 60, 100) == [often]
    assert do(engine, registry.due_polls, 160.0, 60, 100) == [often, usual]
    assert do(engine, registry.due_polls, 160.0, 60, 1) == [often]  # it is overdue for longer
    won = at_once(lambda number: do(engine, registry.claim_poll, often, 200.0 + number))
    assert sorted(won) == [False] * (THREADS - 1) + [True]
    assert do(engine, registry.due_polls, 205.0, 60, 100) == [usual]


# --- tokens and the audit log ------------------------------------------------------------------


def test_a_token_is_valid_until_it_expires_or_is_revoked(engine: sa.Engine) -> None:
    """Only its whole text is; the secret in it is nowhere in the database."""
    assert not do(engine, access.exist)
    made, text = do(engine, access.create, "ci", "write", ("desk", "shop"), 100.0, 200.0)
    lasting, other = do(engine, access.create, "", "admin", None, 101.0)
    assert do(engine, access.exist)
    assert (made.name, made.scope, made.repositories, made.created_at, made.expires_at, made.revoked_at) == (
        "ci", "write", ("desk", "shop"), 100.0, 200.0, None,
    )  # fmt: skip
    assert do(engine, access.all_tokens) == [made, lasting]
    assert do(engine, access.check, text, 199.9) == made
    assert do(engine, access.check, text, 200.0) is None
    assert do(engine, access.check, other, 1e12) == lasting
    wrong = [text[:-1] + ("A" if text[-1] != "A" else "B"), f"rctx_{lasting.id}_{text[-43:]}", text + "\n", "", "é",
             f"rctx_{'0' * 12}_{text[-43:]}", made.hash, text[:-1], f"{text}x", text.upper(), "\0"]  # fmt: skip
    assert [do(engine, access.check, one, 150.0) for one in wrong] == [None] * len(wrong)
    assert do(engine, access.revoke, lasting.id, 300.0)
    assert not do(engine, access.revoke, lasting.id, 400.0)
    assert not do(engine, access.revoke, "none", 400.0)
    assert do(engine, access.check, other, 301.0) is None
    assert do(engine, access.all_tokens) == [made, lasting._replace(revoked_at=300.0)]
    with engine.connect() as connection:
        rows = [str(row) for row in connection.execute(sa.select(tables.tokens))]
    assert not [row for row in rows for one in (text, other) if one[-43:] in row]


def test_the_audit_log_is_read_from_its_end_and_forgotten_by_age(engine: sa.Engine) -> None:
    """Entries come back as they were noted, the newest first, page by page."""
    noted = [
        Entry(0, 100.0 + number, "t" * 12 if number else None, "::1", "DELETE /v1/x", "shop", 204, f"request-{number}")
        for number in range(3)
    ]
    for entry in noted:
        do(engine, access.note, entry)
    found = do(engine, access.entries)
    assert [one._replace(id=0) for one in found] == noted[::-1]
    assert do(engine, access.entries, before=found[0].id, limit=1) == [found[1]]
    assert do(engine, access.prune, 102.0) == 2
    assert do(engine, access.entries) == found[:1]


# --- a database that falls silent ----------------------------------------------------------------


def test_both_ends_give_up_a_silent_connection(postgres_server: str) -> None:
    """As the URL says, and else after ten seconds: locks of a host that was cut off are free then."""
    with postgres.database(postgres_server) as url:
        engine = connect.connect(f"{url}?keepalives_idle=7")
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        for _ in range(2):  # it outlives a transaction
            with engine.connect() as connection:
                told = [connection.scalar(sa.text(f"SELECT current_setting('{name}')")) for name in names]
                assert told == ["7", "2", "3", "10000"]
                own = connection.connection.dbapi_connection.info.get_parameters()
        assert (own["connect_timeout"], own["keepalives_idle"], own["tcp_user_timeout"]) == ("10", "7", "10000")
        engine.dispose()
