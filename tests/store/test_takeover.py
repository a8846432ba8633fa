"""What is left of a worker that was taken for dead: neither locks nor a way to publish; who lives keeps both."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
import sqlalchemy as sa

from repoctx.serve.work import strike
from repoctx.store import connect, locks, workers
from repoctx.store.workers import Worker
from repoctx.workspace import Workspace


@pytest.fixture
def url(postgres_server: str) -> Iterator[str]:
    """A fresh Postgres database."""
    with postgres.database(postgres_server) as found:
        yield found


def enlisted(url: str, name: str) -> tuple[sa.Engine, Worker]:
    """A worker of another host, and its engine."""
    engine, worker = connect.connect(url), Worker(name, "elsewhere", 1, time.time(), 0)
    workers.named(engine, name)
    with engine.begin() as connection:
        workers.enlist(connection, worker)
    return engine, worker


def listed(workspace: Workspace) -> list[str]:
    """The workers that are known."""
    with workspace.engine.connect() as connection:
        return [one.id for one in workers.every(connection)]


def test_who_was_taken_for_dead_publishes_nothing_and_holds_nothing(url: str, tmp_path: Path) -> None:
    """Its place is another's at once; the transaction in which it would move a ref is of the session that it lost."""
    engine, worker = enlisted(url, "w1")
    other = Workspace({"REPOCTX_DATABASE_URL": url, "REPOCTX_HOME": str(tmp_path / "other")})

    def publish() -> None:
        with publishing() as connection:
            connection.execute(sa.text("SELECT 1"))

    # What is gone cannot be let go of either.
    with contextlib.suppress(sa.exc.SQLAlchemyError), locks.writing(engine, tmp_path / "one", "shop") as publishing:
        strike(other, worker)
        assert listed(other) == []
        with locks.writing(other.engine, tmp_path / "other", "shop") as theirs, theirs() as connection:
            connection.execute(sa.text("SELECT 1"))
        with pytest.raises(sa.exc.DBAPIError):
            publish()
    other.close()
    engine.dispose()


def test_who_has_counted_a_beat_since_is_left_alone(url: str, tmp_path: Path) -> None:
    """Whatever another has read before: it stays on the list, and its sessions stay."""
    engine, worker = enlisted(url, "w1")
    other = Workspace({"REPOCTX_DATABASE_URL": url, "REPOCTX_HOME": str(tmp_path / "other")})
    with locks.writing(engine, tmp_path / "one", "shop") as publishing:
        with engine.begin() as connection:
            assert workers.beat(connection, "w1")
        strike(other, worker)
        with publishing() as connection:
            assert connection.scalar(sa.text("SELECT 1")) == 1
    assert listed(other) == ["w1"]
    other.close()
    engine.dispose()


def test_who_hangs_with_its_row_in_hand_is_struck_off_at_the_second_look(url: str, tmp_path: Path) -> None:
    """As in the middle of a beat."""
    engine, worker = enlisted(url, "w1")
    other = Workspace({"REPOCTX_DATABASE_URL": url, "REPOCTX_HOME": str(tmp_path / "other")})
    with contextlib.suppress(sa.exc.SQLAlchemyError), engine.begin() as connection:
        workers.beat(connection, "w1")
        strike(other, worker)
        assert listed(other) == ["w1"]
        strike(other, worker)
        assert listed(other) == []
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text("SELECT 1"))
    other.close()
    engine.dispose()
