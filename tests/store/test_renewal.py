"""Refs that another version has indexed are indexed again; what is current is left alone."""

from __future__ import annotations

import time

import pytest
from repositories import git, write_files

from repoctx.parse.version import parser_version
from repoctx.serve import registration
from repoctx.serve.renewal import current, renew
from repoctx.store import jobs, snapshots
from repoctx.store.registry import Registration
from repoctx.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, database_url):
    """A workspace with a registered repository that has two refs, and one that the command line has indexed."""
    opened = Workspace({"REPOCTX_HOME": str(tmp_path / "home"), "REPOCTX_DATABASE_URL": database_url})
    for name in ("looked-after", "local"):
        folder = tmp_path / name
        write_files(folder, {"a.py": f"def {name.replace('-', '_')}(): pass\n", "b.md": "# b\n"})
        git(folder, "init", "-q", "-b", "main")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", name)
        git(folder, "branch", "old")
        opened.index(str(folder))
    opened.index(str(tmp_path / "looked-after"), "old")
    registration.register(opened, opened.repository("looked-after"), Registration(place="here"))
    yield opened
    opened.close()


def asked(workspace: Workspace) -> list[tuple[str, str, str]]:
    """The jobs that wait."""
    with workspace.engine.connect() as connection:
        return sorted((job.repository, job.ref, job.cause) for job in jobs.listed(connection, limit=10))


def change(workspace: Workspace, ref: str, parsers: object) -> None:
    """Have a ref say that other parsers have made it; None: that it does not say which."""
    found = workspace.repository("looked-after")
    with workspace.engine.begin() as connection:
        where = snapshots.ref(connection, found, ref)
        report = {name: value for name, value in where.report.items() if name != "parsers"}
        snapshots.set_report(connection, where, report if parsers is None else {**report, "parsers": parsers})


def test_what_this_version_has_indexed_is_left_alone(workspace):
    """No job is asked for."""
    assert renew(workspace) == 0
    assert asked(workspace) == []


def test_what_another_version_has_indexed_is_indexed_again(workspace):
    """Each ref by its name, the default one as whatever is checked out; once, however often that is found."""
    change(workspace, "main", {"python": "0" * 12})
    change(workspace, "old", {"python": parser_version("python"), "cobol": "0" * 12})
    assert renew(workspace) == 2
    assert renew(workspace) == 2
    assert asked(workspace) == [("looked-after", "", "upgrade"), ("looked-after", "old", "upgrade")]


def test_what_was_given_up_is_not_asked_for_at_every_start(workspace):
    """A ref whose upgrade failed, as where its repository is gone, waits until something else asks for it."""
    change(workspace, "main", {"python": "0" * 12})
    change(workspace, "old", {"python": "0" * 12})
    assert renew(workspace) == 2
    ended = time.time()
    with workspace.engine.begin() as connection:
        for job in jobs.listed(connection):
            jobs.finish(connection, jobs.begin(connection, job.id, 1, "w1", ended), "failed", ended, error="it is gone")
    assert renew(workspace) == 0
    shop = workspace.repository("looked-after").id
    with workspace.engine.begin() as connection:
        pushed = jobs.submit(connection, shop, "old", "push", now=ended + 1)
    assert renew(workspace) == 1
    with workspace.engine.begin() as connection:
        jobs.finish(connection, jobs.begin(connection, pushed, 1, "w1", ended), "done", ended)
    assert renew(workspace) == 1
    assert asked(workspace) == [
        ("looked-after", "", "upgrade"), ("looked-after", "old", "push"), ("looked-after", "old", "upgrade"),
        ("looked-after", "old", "upgrade"),
    ]  # fmt: skip


def test_an_index_that_says_nothing_is_looked_at_once(workspace):
    """An index run that finds nothing to do notes what it was made with."""
    change(workspace, "old", None)
    assert renew(workspace) == 1
    report = workspace.index(workspace.repository("looked-after").location, "old")
    assert not report.changed
    assert renew(workspace) == 0


def test_parsers_are_compared():
    """All of them must be those of this version."""
    python, text = parser_version("python"), parser_version("text")
    assert current({"python": python, "text": text})
    assert not current({"python": python, "text": "0" * 12})
    assert not current({"no such language": python})
    assert not current(None)
