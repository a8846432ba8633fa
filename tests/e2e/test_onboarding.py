"""How do hundreds of repositories come to be looked after at once?"""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from repositories import git, write_files
from running import running

from repoctx.serve.onboarding import BATCH, onboarded
from repoctx.store import jobs, registry, snapshots
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]


@pytest.fixture
def workspace(database_url, monkeypatch):
    """A workspace on a fresh database, which the commands use too."""
    monkeypatch.setenv("REPOCTX_DATABASE_URL", database_url)
    opened = Workspace()
    yield opened
    opened.close()


def folder(parent: Path, name: str) -> Path:
    """A folder with a file; what is no git repository can be registered too."""
    path = parent / name
    write_files(path, {f"{name}.py": f"def find_{name.replace('-', '_')}():\n    return 1\n"})
    return path


def registered(workspace: Workspace) -> dict[str, str]:
    """Name and location of all that is registered."""
    with workspace.engine.connect() as connection:
        names = [one.name for one in snapshots.all_repositories(connection)]
        return {one.repository.name: one.repository.location for one in registry.found(connection, names, [])}


def test_what_is_wrong_with_a_line_stops_no_other(workspace, repoctx, tmp_path, monkeypatch):
    """Each line has its outcome, in order; what is registered stays as it was; no secret is repeated."""
    shop, desk, mill = (folder(tmp_path, name) for name in ("shop", "the desk", "mill"))
    monkeypatch.chdir(tmp_path)
    lines = [
        "\ufeff# our repositories", "", f"{shop}", "'the desk' desk", json.dumps({"path": str(mill), "follow": ["v*"],
        "webhook_secret": "hush-hush-hush-hush", "poll_seconds": 60}), "none", "https://jo:hush@example.com/x.git",
        '{"path": "/x", "nme": 1}', '{"path": "/x", "webhook_secret": "hush hush"}', '{"path": ', "a b c", "'open",
        "http://127.0.0.1/x.git", f"{shop}", f"{desk} shop".replace("the desk", "'the desk'"), f"{mill} ..",
        "x" * 20_001,
        json.dumps({"path": str(shop), "name": "later", "index": False}), "\x1b[31m\0",
    ]  # fmt: skip
    listed = tmp_path / "list"
    listed.write_text("\r\n".join(lines), encoding="utf-8")
    code, out, err = repoctx("onboard", str(listed), "--dry-run", "--json")
    outcomes = [json.loads(line) for line in out.splitlines()]
    assert code == 3
    assert outcomes.pop() == {"new": 4, "known": 1, "bad": 12}
    assert err == "repoctx: 12 of the lines could not be used: see what is said of them\n"
    assert registered(workspace) == {}
    assert "hush" not in out + err
    assert [(one["line"], one["outcome"], one["name"]) for one in outcomes] == [
        (3, "new", "shop"), (4, "new", "desk"), (5, "new", "mill"), (6, "bad", None), (7, "bad", None),
        (8, "bad", None), (9, "bad", None), (10, "bad", None), (11, "bad", None), (12, "bad", None), (13, "bad", None),
        (14, "known", "shop"), (15, "bad", "shop"), (16, "bad", None), (17, "bad", None), (18, "new", "later"),
        (19, "bad", None),
    ]  # fmt: skip
    reasons = {one["line"]: one["reason"] for one in outcomes if one["reason"]}
    shape = "a line is a clone URL or a path, and a name if you like: put what holds spaces in quotes"
    assert reasons[6] == f"{tmp_path / 'none'} does not exist: give a folder, a repository or a clone URL."
    assert reasons[8] == "nme: there is no such field: /v1/openapi.json lists them"
    assert (reasons[10], reasons[11], reasons[12]) == ("this is not valid JSON", shape, shape)
    assert reasons[15] == "the name 'shop' is that of line 3: give another after the URL or path"
    assert reasons[16] == "'..' cannot be a name: use letters, digits, '.', '_' and '-'"
    assert reasons[17] == "the line is too long: a line has at most 20,000 characters"

    code, out, _ = repoctx("onboard", str(listed))
    assert code == 3
    assert out.splitlines()[-1] == "4 registered, 1 known, 12 bad"
    assert all(line.isprintable() for line in out.splitlines())
    assert registered(workspace) == {"shop": str(shop), "desk": str(desk), "mill": str(mill), "later": str(shop)}
    with workspace.engine.connect() as connection:
        (found,) = registry.found(connection, ["mill"], [])
        waiting = [(one.repository, one.ref, one.cause) for one in jobs.listed(connection)]
    assert (found.registration.follow, found.registration.secrets) == (("v*",), ("hush-hush-hush-hush",))
    assert (found.registration.poll_seconds, found.registration.moves) == (60, True)
    assert sorted(waiting) == [(name, "", "onboarded") for name in ("desk", "mill", "shop")]


def test_what_is_registered_is_left(workspace, repoctx, tmp_path, monkeypatch):
    """Whatever its name is, unless the line says another; a name that is taken is said; nothing new costs nothing."""
    shop = folder(tmp_path, "shop")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f'{{"path": "{shop}", "name": "a"}}\n'.encode())))
    assert repoctx("onboard", "-")[0] == 0
    text = f"{shop}\n{shop} b\n{folder(tmp_path, 'other')} a\n"
    found = [(one.outcome, one.name, one.reason) for one in onboarded(workspace, text)]
    taken = "the name 'a' belongs to another repository: give another after the URL or path"
    assert found == [("known", "a", None), ("registered", "b", None), ("bad", "a", taken)]
    assert registered(workspace) == {"a": str(shop), "b": str(shop)}
    again = [(one.outcome, one.name, one.job) for one in onboarded(workspace, f"{shop}\n{shop} b")]
    assert again == [("known", "a", None), ("known", "b", None)]
    # One that the command line has indexed becomes known to the service; a name that it has is taken.
    workspace.index(str(folder(tmp_path, "mine")), name="mine")
    text = f"{tmp_path / 'mine'}\n{tmp_path / 'other'} mine"
    twice = "the name 'mine' is that of line 1: give another after the URL or path"
    assert [(one.outcome, one.reason) for one in onboarded(workspace, text)] == [("registered", None), ("bad", twice)]
    found = [(one.outcome, one.name) for one in onboarded(workspace, f"{tmp_path / 'other'} mine")]
    assert found == [("bad", "mine")]
    assert repoctx("onboard", os.devnull) == (0, "no line asks for anything\n", "")


def test_hundreds_come_in_few_transactions(workspace, tmp_path):
    """A batch of lines each; all of them have jobs, whose order is that of the lines' batches."""
    paths = [folder(tmp_path, f"r-{number}") for number in range(2 * BATCH + 10)]
    commits = []
    sa.event.listen(workspace.engine, "commit", lambda _: commits.append(1))
    found = list(onboarded(workspace, "\n".join(map(str, paths))))
    assert len(commits) == 3
    assert [(one.line, one.outcome, one.location) for one in found] == [
        (number, "registered", str(path)) for number, path in enumerate(paths, 1)
    ]
    with workspace.engine.connect() as connection:
        assert jobs.counts(connection)["waiting"] == len(paths)
        # Workers hear of no more than they ask for, however many wait.
        assert len(jobs.due_jobs(connection, 1e12, 7)) == 7


@pytest.mark.slow
def test_a_push_overtakes_what_was_onboarded(workspace, repoctx, tmp_path):
    """A worker that runs one job at a time begins with it; --wait says what failed, and why."""
    shop = folder(tmp_path, "shop")
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        git(shop, *arguments)
    workspace.index(str(shop), name="shop")
    list(onboarded(workspace, "\n".join(str(folder(tmp_path, f"r{number}")) for number in range(8))))
    with workspace.engine.begin() as connection:
        where = workspace.repository("shop")
        pushed = jobs.submit(connection, where.id, "main", "push", now=time.time())
    settings = {"REPOCTX_DATABASE_URL": workspace.settings.database_url, "REPOCTX_JOBS_AT_ONCE": "1"}
    with running(tmp_path / "service", settings) as service:
        service.idle()
        with workspace.engine.connect() as connection:
            every = sorted(jobs.listed(connection), key=lambda one: one.started_at or 0.0)
        assert (every[0].id, len(every)) == (pushed, 9)
        assert {(one.state, one.attempt) for one in every} == {("done", 1)}
        listed = tmp_path / "list"
        listed.write_text(f'{folder(tmp_path, "late")}\n{{"path": "{shop}", "name": "lost", "default_ref": "nowhere"}}')
        code, out, err = repoctx("onboard", str(listed), "--wait")
    assert (code, out.splitlines()[2:]) == (3, [
        f"failed: lost: {shop} has no branch, tag or commit 'nowhere': its branches are main.",
        "2 registered, 1 done, 1 failed",
    ])  # fmt: skip
    assert err.splitlines()[-2:] == [
        "index 2 of 2 repositories, " + err.splitlines()[-2].split(", ")[-1],
        "repoctx: not all could be indexed: see what is said of them",
    ]
