"""The context that a conversation keeps: one suite, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from repoctx.store import connect, conversations, tables
from repoctx.store.conversations import TOUCHED, Kept

KEY = "a" * 64
KEPT = Kept("<file path='a.py'>é ⋯\n", {"tokens": 7, "commit": "c1"})


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


def test_a_context_is_found_as_it_was_kept(engine: sa.Engine) -> None:
    """By its key alone; what is not kept is None, and an empty context is one."""
    shop = repository(engine)
    with engine.begin() as connection:
        assert conversations.find(connection, KEY, 1.0) is None
        assert conversations.keep(connection, KEY, shop, KEPT, 1.0) == KEPT
        assert conversations.keep(connection, "b" * 64, shop, Kept("", {"why": "no room"}), 1.0).context == ""
    with engine.begin() as connection:
        assert conversations.find(connection, KEY, 2.0) == KEPT
        assert conversations.find(connection, "b" * 64, 2.0) == Kept("", {"why": "no room"})
        assert conversations.find(connection, "c" * 64, 2.0) is None


def test_the_first_context_stays(engine: sa.Engine) -> None:
    """Of several that are made at once, all get the same."""
    shop = repository(engine)

    def make(number: int) -> Kept:
        with engine.begin() as connection:
            return conversations.keep(connection, KEY, shop, Kept(f"context {number}", {}), 1.0)

    with ThreadPoolExecutor(4) as threads:
        found = {one.context for one in threads.map(make, range(8))}
    assert len(found) == 1


def test_one_that_begins_in_the_same_words_much_later_is_another(engine: sa.Engine) -> None:
    """Its context is made anew and takes the place; one that goes on, or is asked again soon, has what it had."""
    shop, later = repository(engine), 1.0 + TOUCHED
    new = Kept("new", {"commit": "c2"})
    with engine.begin() as connection:
        conversations.keep(connection, KEY, shop, KEPT, 1.0)
        assert conversations.find(connection, KEY, later - 1, begins=True) == KEPT
        assert conversations.keep(connection, KEY, shop, new, later - 1) == KEPT
        assert conversations.find(connection, KEY, later, begins=True) is None
        assert conversations.keep(connection, KEY, shop, new, later) == new
        assert conversations.find(connection, KEY, later, begins=True) == new
        assert conversations.find(connection, KEY, later + TOUCHED) == new  # it goes on
        assert conversations.find(connection, KEY, later + TOUCHED, begins=True) == new


def test_only_so_many_of_one_caller_are_kept(engine: sa.Engine) -> None:
    """The oldest that was not gone on with goes, and nobody else's; the new one stays."""
    shop = repository(engine)
    mine = [conversations.key(("t1", shop), (str(number),)) for number in range(5)]
    other = [conversations.key(who, ("0",)) for who in (("t2", shop), ("t1", shop + 1))]

    def kept(connection: sa.Connection, keys: list[str]) -> list[bool]:
        return [conversations.find(connection, key, 1.0) is not None for key in keys]

    with engine.begin() as connection:
        for key in other:
            conversations.keep(connection, key, shop, KEPT, 0.0, most=3)
        for number, key in enumerate(mine[:3]):
            conversations.keep(connection, key, shop, KEPT, float(number), most=3)
        assert conversations.find(connection, mine[0], 2.0 + TOUCHED) == KEPT  # it goes on
        assert conversations.keep(connection, mine[3], shop, KEPT, 3.0 + TOUCHED, most=3) == KEPT
        assert kept(connection, mine) == [True, False, True, True, False]
        assert conversations.keep(connection, mine[4], shop, KEPT, 4.0 + TOUCHED, most=2) == KEPT
        assert kept(connection, mine) == [False, False, False, True, True]
        assert kept(connection, other) == [True, True]


def test_a_key_says_whose_a_conversation_is_and_how_it_begins() -> None:
    """One and the same for the same, of the width of its column; another for anything else."""
    told = [(("t", 1), ("x", "y")), (("t", 2), ("x", "y")), (("u", 1), ("x", "y")), (("t", 1), ("xy", ""))]
    keys = [conversations.key(owner, begins) for owner, begins in told]
    assert [conversations.key(owner, begins) for owner, begins in told] == keys
    assert {len(key) for key in keys} == {64}
    assert len(set(keys)) == 4
    assert len({key[:16] for key in keys}) == 3
    assert keys[0][:16] == keys[3][:16]


def test_what_is_not_gone_on_with_is_forgotten(engine: sa.Engine) -> None:
    """The last use counts, told by the hour; the conversations of a repository go with it."""
    shop, other = repository(engine), repository(engine, "other")
    with engine.begin() as connection:
        for key, where in (("a", shop), ("b", shop), ("c", other)):
            conversations.keep(connection, key * 64, where, KEPT, 1000.0)
        conversations.find(connection, "a" * 64, 1000.0 + TOUCHED)
        conversations.find(connection, "b" * 64, 999.0 + TOUCHED)
        assert conversations.prune(connection, 1000.0) == 0
        connection.execute(tables.repositories.delete().where(tables.repositories.c.id == other))
        assert conversations.find(connection, "c" * 64, 1001.0) is None
        assert conversations.prune(connection, 1001.0) == 1
        assert conversations.find(connection, "b" * 64, 1001.0) is None
        assert conversations.find(connection, "a" * 64, 1001.0) == KEPT
