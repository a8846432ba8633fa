"""Looking after repositories over HTTP: register, follow, change, remove; who may, and who is told what."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import git_http
import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from repositories import git, write_files
from served import listening

from repoctx.serve import attempt, logs, registration
from repoctx.serve.rest import create_app
from repoctx.source import git as source_git
from repoctx.store import access, jobs, snapshots, tables
from repoctx.store.locks import writing
from repoctx.workspace import Workspace

UPDATE = "UPDATE_GOLDEN" in os.environ  # UPDATE_GOLDEN=1 pytest tests/e2e/test_rest_service.py
GOLDEN = Path(__file__).parents[1] / "golden" / "openapi.json"
FILES = {
    "store.py": "class Store:\n    '''Keeps values.'''\n\n    def load(self, key):\n        return self.values[key]\n",
    "app.py": "from store import Store\n\n\ndef main():\n    return Store().load('x')\n",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SECRET = "a-webhook-secret-1"


@pytest.fixture(autouse=True)
def _no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found by vectors is not asked here."""
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")


@contextmanager
def serving(**settings: Any) -> Iterator[tuple[TestClient, Workspace]]:
    """The service on a workspace with some settings, and a client of it; a bug fails the test."""
    workspace = Workspace(flags=settings)
    with TestClient(create_app(workspace)) as client:
        yield client, workspace
    workspace.close()


@pytest.fixture
def service() -> Iterator[tuple[TestClient, Workspace]]:
    """The service as it is out of the box."""
    with serving() as opened:
        yield opened


@pytest.fixture
def client(service: tuple[TestClient, Workspace]) -> TestClient:
    """Its client."""
    return service[0]


@pytest.fixture
def workspace(service: tuple[TestClient, Workspace]) -> Workspace:
    """Its workspace."""
    return service[1]


@pytest.fixture
def shop(make_repository: Callable[..., Path]) -> Path:
    """A repository of two files."""
    return make_repository(FILES, "shop")


def ok(answer: Any, status: int = 200) -> Any:
    """The JSON of an answer of some status."""
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def refused(answer: Any, status: int) -> str:
    """What a problem says."""
    body = ok(answer, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["instance"] == f"urn:request:{answer.headers['x-request-id']}"
    assert body["detail"]
    return str(body["detail"])


def run(workspace: Workspace, identity: str, number: int = 1) -> str:
    """What became of an attempt of a job that is run here and now."""
    return attempt.run(workspace, identity, number, "w1", lambda: False).name


def register(client: TestClient, folder: Path, **more: Any) -> Any:
    """A repository that was registered."""
    return ok(client.post("/v1/repositories", json={"path": str(folder), **more}), 201)


def token(workspace: Workspace, scope: str, *repositories: str, expires: float | None = None) -> dict[str, str]:
    """The header of a new token."""
    with workspace.engine.begin() as connection:
        _, text = access.create(connection, "", scope, repositories or None, time.time(), expires)
    return {"Authorization": f"Bearer {text}"}


def everything(workspace: Workspace) -> str:
    """All text that is in the database."""
    with workspace.engine.connect() as connection:
        rows = [row for one in tables.metadata.sorted_tables for row in connection.execute(sa.select(one))]
    return "\n".join(map(str, rows))


# --- registering -------------------------------------------------------------------------------


def test_a_path_is_registered_indexed_and_shown(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """The answer has the job that indexes it; before and after its run the service says what it knows."""
    answer = client.post("/v1/repositories", json={"path": str(shop / "..") + "/shop", "webhook_secret": SECRET})
    made = ok(answer, 201)
    assert answer.headers["location"] == "/v1/repositories/shop"
    job = made.pop("job")
    assert made["lag_seconds"] >= 0
    expected = {
        "name": "shop", "location": str(shop), "default_ref": None, "registered": True, "refs": [],
        "last_push": None, "last_index": None, "lag_seconds": made["lag_seconds"], "webhook_secrets": 1,
        "credential": None, "follow": [], "poll_seconds": 0,
    }  # fmt: skip
    assert made == expected
    assert {name: job[name] for name in ("kind", "repository", "ref", "state", "cause", "pushes", "attempt")} == {
        "kind": "index", "repository": "shop", "ref": None, "state": "waiting", "cause": "registered", "pushes": 1,
        "attempt": 1,
    }  # fmt: skip
    assert run(workspace, job["id"]) == "done"
    done = ok(client.get(f"/v1/jobs/{job['id']}"))
    assert (done["state"], done["report"]["files"], done["error"], done["progress"]) == ("done", 2, None, None)
    assert all(TIME.fullmatch(done[name]) for name in ("requested_at", "due_at", "started_at", "finished_at"))
    shown = ok(client.get("/v1/repositories/shop"))
    (ref,) = shown.pop("refs")
    assert shown.pop("last_index") == ref["indexed_at"]
    expected.pop("refs")
    expected.pop("last_index")
    assert shown == expected | {"default_ref": "main", "lag_seconds": 0.0}
    assert {name: ref[name] for name in ("ref", "commit", "dirty", "files", "skips", "behind", "pending")} == {
        "ref": "main", "commit": git(shop, "rev-parse", "HEAD"), "dirty": False, "files": 2, "skips": {},
        "behind": None, "pending": None,
    }  # fmt: skip
    assert ref["symbols"] == 3


def test_a_file_url_is_the_path_that_it_names(client: TestClient, shop: Path) -> None:
    """What is on this machine is read where it is, and no credential is needed for it."""
    made = ok(client.post("/v1/repositories", json={"url": f"file://{shop}", "name": "x", "index": False}), 201)
    assert (made["location"], made["name"], made["job"]) == (str(shop), "x", None)
    asked = {"path": str(shop), "credential": "env:REPOCTX_SECRET_X"}
    assert refused(client.post("/v1/repositories", json=asked), 422) == "a path needs no credential: leave it out"


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/x", "https://localhost/x", "https://169.254.169.254/x.git", "https://[::1]/x", "ssh://10.0.0.1/x",
     "https://[::ffff:127.0.0.1]/x", "git@192.168.0.1:x/y", "https://0x7f.1/x", "https://2130706433/x"],
)  # fmt: skip
def test_private_addresses_are_refused(client: TestClient, url: str) -> None:
    """A caller cannot make the service speak to what only it can reach."""
    said = refused(client.post("/v1/repositories", json={"url": url}), 422)
    assert "clone.hosts" in said
    assert ok(client.get("/v1/repositories")) == {"items": [], "next": None}


def test_a_private_server_that_the_operator_lists_is_taken() -> None:
    """Nothing is fetched when it is registered."""
    with serving(clone_hosts=["127.0.0.1:1"]) as (client, _):
        made = ok(client.post("/v1/repositories", json={"url": "https://127.0.0.1:1/team/My%20Shop.git"}), 201)
    assert (made["name"], made["location"]) == ("My-Shop", "https://127.0.0.1:1/team/My%20Shop.git")


@pytest.mark.parametrize(
    "asked, said",
    [
        ({}, "say either the url of the repository or its path on the service's machine"),
        ({"url": "https://a.b/x", "path": "/x"}, "say either the url of the repository or its path"),
        ({"url": "ftp://a.b/x"}, "Only https, ssh and file URLs are cloned, not 'ftp'"),
        ({"url": "ext::sh -c id"}, "Paths and file URLs|no clone URL|spaces or control characters|Only https"),
        ({"url": "shop"}, "that is no clone URL: begin with https:// or ssh://, or give a folder here as `path`"),
        ({"url": "https://me:hidden@a.b/x"}, "The URL holds a user name or password"),
        ({"url": "file://elsewhere/x"}, "A file URL names an absolute path on this machine"),
        ({"url": "file:///x%00y"}, "a path on the service's machine is absolute: begin with /"),
        ({"path": "shop"}, "a path on the service's machine is absolute: begin with /"),
        ({"path": "~/shop"}, "a path on the service's machine is absolute: begin with /"),
        ({"path": "/x\0y"}, "a path on the service's machine is absolute: begin with /"),
        ({"path": "/does/not/exist"}, "/does/not/exist does not exist"),
        ({"path": "/usr/bin/env"}, "/usr/bin/env is a file, not a folder"),
        ({"path": "/" + "x" * 1500}, "cannot be read"),
            ({"path": "/" + "ü" * 1500}, "a path has at most 2,000 bytes"),
        ({"path": "/usr", "nmae": "x"}, "body.nmae: there is no such field: /v1/openapi.json lists them"),
        ({"path": "/usr", "webhook_secret": ""}, "body.webhook_secret: String should have at least 1 character"),
        ({"path": "/usr", "poll_seconds": -1}, "body.poll_seconds: Input should be greater than or equal to 0"),
        ({"path": "/usr", "follow": ["a b"]}, "'a b' is no pattern of refs: such are release/* and v*"),
        ({"path": "/usr", "follow": ["\ud800"]}, "body.follow.0"),
        ({"path": "/usr", "login": "a:b"}, "body.login: String should match pattern"),
        ({"path": "/usr", "login": "a\0b"}, "body.login: String should match pattern"),
        ({"path": "/usr", "name": "a/b"}, "'a/b' cannot be a name: use letters, digits, '.', '_' and '-'"),
        ({"path": "/usr", "name": "-x"}, "'-x' cannot be a name"),
        ({"path": "/usr", "name": ""}, "'' cannot be a name"),
        ({"path": "/usr", "default_ref": "--upload-pack=x"}, "'--upload-pack=x' cannot be a ref"),
        ({"path": "/usr", "default_ref": "a..b"}, "'a..b' cannot be a ref"),
        ({"path": "/usr", "default_ref": "a b"}, "body.default_ref: String should match pattern"),
    ],
)  # fmt: skip
def test_what_cannot_be_registered_is_refused(client: TestClient, asked: dict[str, Any], said: str) -> None:
    """One sentence that says what is wrong, and nothing is written; a password is not repeated."""
    content = json.dumps(asked).encode()
    answer = client.post("/v1/repositories", content=content, headers={"Content-Type": "application/json"})
    found = refused(answer, 422)
    assert any(one in found for one in said.split("|")), found
    assert "hidden" not in answer.text
    assert ok(client.get("/v1/repositories"))["items"] == []


def test_a_name_belongs_to_one_location(client: TestClient, shop: Path, make_repository: Callable[..., Path]) -> None:
    """Registering the same again replaces what was said; another location needs another name."""
    other = make_repository(FILES, "other")
    register(client, shop, webhook_secret=SECRET, follow=["v*"], index=False)
    said = refused(client.post("/v1/repositories", json={"path": str(other), "name": "shop"}), 409)
    assert said == "the name 'shop' belongs to another repository: choose another name"
    again = register(client, shop, default_ref="dev", poll_seconds=60, index=False)
    assert (again["webhook_secrets"], again["follow"], again["poll_seconds"], again["default_ref"]) == (
        0, [], 60, "dev",
    )  # fmt: skip
    twice = register(client, shop, name="shop2", index=False)
    assert (twice["name"], twice["location"]) == ("shop2", str(shop))


def test_the_services_own_folders_are_no_repositories(
    client: TestClient, workspace: Workspace, tmp_path: Path
) -> None:
    """Nor is anything around them, nor what the system only shows as folders."""
    home = Path(workspace.settings.home)
    for folder in (home / "credentials", home / "mirrors" / "x.git"):
        folder.mkdir(parents=True)
    for path in (home, home.parent, home / "credentials", home / "mirrors" / "x.git", "/proc/self", "/dev"):
        said = refused(client.post("/v1/repositories", json={"path": str(path)}), 422)
        assert said == "the folders of the system and of the service itself are no repositories", path


def test_the_home_folder_of_its_user_is_no_repository(
    client: TestClient, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by name nor by a link, nor once it is registered; a folder in it is, and a home that git keeps."""
    home, link = tmp_path / "user", tmp_path / "link"
    write_files(home, {"work/a.py": "x = 1\n"})
    link.symlink_to(home)
    registered = register(client, home, name="early")
    monkeypatch.setenv("HOME", str(home))
    wanted = (
        f"{home} is the home folder of the service's user and no git repository: index a folder in it, or run "
        "`git init` there if you mean all of it"
    )
    for path in (home, link, home / "work" / ".."):
        assert refused(client.post("/v1/repositories", json={"path": str(path)}), 422) == wanted
    run(workspace, registered["job"]["id"])
    job = ok(client.get(f"/v1/jobs/{registered['job']['id']}"))
    assert (job["state"], job["error"]) == ("failed", wanted)
    register(client, home / "work", index=False)
    git(home, "init", "-q", "-b", "main")
    assert register(client, home, name="kept", index=False)["location"] == str(home)


def test_a_repository_whose_objects_are_elsewhere_is_no_way_out(
    make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    """Neither by a .git file, nor by borrowed objects, nor after it was registered."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    outside = make_repository(FILES, "outside")
    (allowed / "tree").mkdir()
    (allowed / "tree" / ".git").write_text(f"gitdir: {outside}/.git\n")
    git(allowed, "clone", "-q", "--shared", str(outside), "borrowed")
    own = Path(shutil.move(make_repository(FILES, "own"), allowed))
    with serving(serve_paths=[str(allowed)]) as (client, workspace):
        for name in ("tree", "borrowed"):
            said = refused(client.post("/v1/repositories", json={"path": str(allowed / name)}), 422)
            assert said == "the repository has its objects outside of the folders of the setting serve.paths"
        job = register(client, own)["job"]["id"]
        between = allowed / "between"
        for objects in (own / ".git" / "objects", between):
            (objects / "info").mkdir(parents=True, exist_ok=True)
        (between / "info" / "alternates").write_text(f"{outside}/.git/objects\n")
        for said in (
            f"{outside}/.git/objects\n", f'"{outside}/.git/obj\\145cts"\n', f"{between}\n",
            "#" * 65_536 + f"\n{outside}/.git/objects\n",
        ):  # fmt: skip
            (own / ".git" / "objects" / "info" / "alternates").write_text(said)
            answer = client.post("/v1/repositories", json={"path": str(own)})
            assert refused(answer, 422).startswith("the repository has its objects outside of the folders"), said
        assert run(workspace, job) == "failed"
        (own / ".git" / "objects" / "info" / "alternates").unlink()
        (own / ".git" / "objects" / "ab").symlink_to(outside / ".git" / "objects")
        answer = client.post("/v1/repositories", json={"path": str(own)})
        assert refused(answer, 422).startswith("the repository has its objects outside of the folders")


@pytest.mark.parametrize("name", ["a\u2028b", "a\x85b", "a\x0bb", "a\nb"])
def test_what_a_repository_is_read_from_is_found_whatever_it_is_called(
    make_repository: Callable[..., Path], name: str
) -> None:
    """In a folder whose name holds what some take for the end of a line, too."""
    folder = make_repository(FILES, name)
    lender = make_repository(FILES, "lender" if "\n" in name else f"lender {name}")  # git has quotes for that one
    (folder / ".git" / "objects" / "info" / "alternates").write_text(f"#\n{lender}/.git/objects\n")
    own = [f"{folder}/.git", f"{folder}/.git", f"{folder}/.git/objects"]
    assert source_git.elsewhere(str(folder)) == [*own, f"{lender}/.git/objects"]


def test_paths_lie_below_the_folders_that_are_set(make_repository: Callable[..., Path], tmp_path: Path) -> None:
    """Neither `..` nor a link leads out, nor does a folder within a work tree whose top is outside."""
    inside = make_repository(FILES, "inside")
    outside = make_repository({"sub/x.py": "x = 1\n"}, "outside")
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    moved = Path(shutil.move(inside, allowed))
    (allowed / "link").symlink_to(outside)
    with serving(serve_paths=[str(allowed), str(outside / "sub")]) as (client, _):
        for path in (outside, allowed / "link", allowed / ".." / "outside", outside / "sub", tmp_path):
            said = refused(client.post("/v1/repositories", json={"path": str(path)}), 422)
            assert said == "paths may be registered only below the folders of the setting serve.paths", path
        assert register(client, moved)["location"] == str(moved)


def test_repositories_are_listed_page_by_page(client: TestClient, make_repository: Callable[..., Path]) -> None:
    """By name; a cursor goes on after the page before, and another is refused."""
    for name in ("b", "c", "a"):
        register(client, make_repository(FILES, name), index=False)
    first = ok(client.get("/v1/repositories", params={"limit": 2}))
    assert [one["name"] for one in first["items"]] == ["a", "b"]
    second = ok(client.get("/v1/repositories", params={"limit": 2, "cursor": first["next"]}))
    assert ([one["name"] for one in second["items"]], second["next"]) == (["c"], None)
    for cursor in ("é", "x", "*", "AAAA====", "_" * 400):
        assert "cursor" in refused(client.get("/v1/repositories", params={"cursor": cursor}), 422)
    for limit in ("0", "501", "x"):
        assert "limit" in refused(client.get("/v1/repositories", params={"limit": limit}), 422)


# --- changing ----------------------------------------------------------------------------------


def test_a_webhook_secret_is_rotated(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """The one before stays valid beside the new one; a list replaces all; no answer shows any."""
    register(client, shop, webhook_secret="the-new-secret-1", index=False)

    def change(**asked: Any) -> tuple[int, list[str]]:
        answer = client.patch("/v1/repositories/shop", json=asked)
        assert not re.search("the-new-secret-[0-9]", answer.text)
        with workspace.engine.connect() as connection:
            kept = json.loads(connection.execute(sa.select(tables.registrations.c.secrets)).scalar_one())
        return ok(answer)["webhook_secrets"], kept

    assert change(webhook_secret="the-new-secret-2") == (2, ["the-new-secret-2", "the-new-secret-1"])
    assert change(webhook_secret="the-new-secret-3") == (2, ["the-new-secret-3", "the-new-secret-2"])
    assert change(webhook_secret="the-new-secret-3") == (2, ["the-new-secret-3", "the-new-secret-2"])
    assert change(poll_seconds=5) == (2, ["the-new-secret-3", "the-new-secret-2"])
    assert change(webhook_secrets=["the-new-secret-4"]) == (1, ["the-new-secret-4"])
    assert change(webhook_secrets=[]) == (0, [])
    both = {"webhook_secret": "the-new-secret-5", "webhook_secrets": ["the-new-secret-6"]}
    said = refused(client.patch("/v1/repositories/shop", json=both), 422)
    assert said == "give either webhook_secret, which adds one, or webhook_secrets, which replaces all"
    three = {"webhook_secrets": ["the-new-secret-5", "the-new-secret-6", "the-new-secret-7"]}
    assert "at most 2 items" in refused(client.patch("/v1/repositories/shop", json=three), 422)


@pytest.mark.parametrize("short", ["x", "15-characters-1", "env:REPOCTX_SECRET_HOOK", "file:hook"])
def test_a_webhook_secret_that_could_be_guessed_is_refused(
    client: TestClient, workspace: Workspace, shop: Path, monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    """Wherever it is set, and wherever it is; one character more is enough."""
    monkeypatch.setenv("REPOCTX_SECRET_HOOK", "15-characters-1")
    folder = Path(workspace.settings.home) / "credentials"
    folder.mkdir()
    (folder / "hook").write_text("15-characters-1\n")
    said = "a webhook's secret has at least 16 characters: `openssl rand -hex 24` makes one"
    asked = {"path": str(shop), "index": False}
    assert refused(client.post("/v1/repositories", json={**asked, "webhook_secret": short}), 422) == said
    register(client, shop, webhook_secret="16-characters-12", index=False)
    for change in ({"webhook_secret": short}, {"webhook_secrets": [SECRET, short]}):
        assert refused(client.patch("/v1/repositories/shop", json=change), 422) == said
    assert ok(client.get("/v1/repositories/shop"))["webhook_secrets"] == 1
    with workspace.engine.begin() as connection:  # one that is older than this rule may stay
        connection.execute(tables.registrations.update().values(secrets=json.dumps([short])))
    assert ok(client.patch("/v1/repositories/shop", json={"webhook_secrets": [SECRET, short]}))["webhook_secrets"] == 2


def test_a_credential_says_where_a_secret_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable of its own kind, or a file in the folder of credentials; nothing else of the service's is sent."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "good").write_text("hidden\n")
    (folder / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "outside").write_text("hidden\n")
    (folder / "link").symlink_to(tmp_path / "outside")
    monkeypatch.setenv("REPOCTX_SECRET_X", "hidden")
    monkeypatch.setenv("REPOCTX_SECRET_EMPTY", " ")
    with serving(serve_credentials=str(folder), clone_hosts=["127.0.0.1"]) as (client, workspace):
        asked = {"url": "https://127.0.0.1/x", "index": False}
        for good in ("env:REPOCTX_SECRET_X", "file:good"):
            made = ok(client.post("/v1/repositories", json=asked | {"credential": good}), 201)
            assert made["credential"] == good
        for bad, why in {
            "env:PATH": "begins with REPOCTX_SECRET_",
            "env:REPOCTX_SECRET_": "begins with REPOCTX_SECRET_",
            "env:REPOCTX_DATABASE_URL": "begins with REPOCTX_SECRET_",
            "env:REPOCTX_SECRET_X\n": "begins with REPOCTX_SECRET_",
            "env:REPOCTX_SECRET_EMPTY": "the variable REPOCTX_SECRET_EMPTY is empty where the service runs",
            "file:../outside": "there is no file of that name in the folder of credentials",
            "file:link": "there is no file of that name in the folder of credentials",
            "file:": "there is no file of that name in the folder of credentials",
            "file:none": "there is no file of that name in the folder of credentials",
            "file:a\0b": "there is no file of that name in the folder of credentials",
            f"file:{tmp_path}/outside": "there is no file of that name in the folder of credentials",
            "file:bytes": "cannot be read as text",
            "hidden": "never the secret itself",
        }.items():
            for answer in (
                client.patch("/v1/repositories/x", json={"credential": bad}),
                client.post("/v1/repositories", json=asked | {"credential": bad, "name": "y"}),
            ):
                assert why in refused(answer, 422), bad
                assert "hidden" not in answer.json()["detail"]
        ssh = {"url": "ssh://127.0.0.1/x", "name": "z", "credential": "env:REPOCTX_SECRET_X"}
        assert refused(client.post("/v1/repositories", json=ssh), 422).startswith("ssh needs the file of a private key")
        assert ok(client.get("/v1/repositories/x"))["credential"] == "file:good"
        assert ok(client.patch("/v1/repositories/x", json={"credential": ""}))["credential"] is None
        assert "hidden" not in everything(workspace)


def test_the_default_ref_is_one_that_is_indexed(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """So that questions are answered all the time; what is no ref is refused."""
    run(workspace, register(client, shop)["job"]["id"])
    git(shop, "branch", "dev")
    assert "cannot be a ref" in refused(client.patch("/v1/repositories/shop", json={"default_ref": "-x"}), 422)
    said = refused(client.patch("/v1/repositories/shop", json={"default_ref": "dev"}), 422)
    assert said == "dev is not indexed yet: index it, then make it the default ref"
    job = ok(client.post("/v1/repositories/shop/index", json={"ref": "dev"}), 202)
    assert run(workspace, job["id"]) == "done"
    assert ok(client.get("/v1/repositories/shop"))["default_ref"] == "main"
    assert ok(client.patch("/v1/repositories/shop", json={"default_ref": "dev"}))["default_ref"] == "dev"


def test_what_the_command_line_has_indexed_is_registered_by_a_change(
    repoctx: Callable[..., Any], client: TestClient, shop: Path
) -> None:
    """Until then no webhooks are taken for it."""
    assert repoctx("index", str(shop))[0] == 0
    assert ok(client.get("/v1/repositories/shop"))["registered"] is False
    changed = ok(client.patch("/v1/repositories/shop", json={"webhook_secret": SECRET}))
    assert (changed["registered"], changed["webhook_secrets"], changed["default_ref"]) == (True, 1, "main")


# --- removing ----------------------------------------------------------------------------------


def test_a_repository_is_removed_with_all_that_is_its_own(
    client: TestClient, workspace: Workspace, shop: Path, make_repository: Callable[..., Path]
) -> None:
    """Rows and segments are gone; another one with the same files still answers."""
    twin = make_repository(FILES, "twin")
    for folder in (shop, twin):
        assert run(workspace, register(client, folder)["job"]["id"]) == "done"
    ok(client.post("/v1/repositories/shop/index"), 202)
    with workspace.engine.connect() as connection:
        segments = [workspace.place(snapshots.repository(connection, name)).folder for name in ("shop", "twin")]
    assert [one.is_dir() for one in segments] == [True, True]
    assert ok(client.delete("/v1/repositories/shop"), 204) is None
    assert [one.is_dir() for one in segments] == [False, True]
    said = "no repository is called 'shop': GET /v1/repositories lists those that you may see"
    for answer in (client.get("/v1/repositories/shop"), client.delete("/v1/repositories/shop")):
        assert refused(answer, 404) == said
    assert refused(client.post("/v1/search", json={"query": "load", "repositories": ["shop"]}), 404) == said
    assert {one["repository"] for one in ok(client.get("/v1/jobs"))["items"]} == {"twin"}
    with workspace.engine.connect() as connection:
        for table in (tables.registrations, tables.refs, tables.jobs):
            owners = set(connection.execute(sa.select(table.c.repository)).scalars())
            assert owners == {snapshots.repository(connection, "twin").id}, table.name
    hits = ok(client.post("/v1/search", json={"query": "load", "text": True}))["hits"]
    assert {one["repository"] for one in hits} == {"twin"}
    assert "return self.values[key]" in hits[0]["text"]


def test_the_mirror_goes_with_the_last_repository_that_needs_it(
    make_repository: Callable[..., Path],
) -> None:
    """Two names of one URL share a mirror."""
    origin = make_repository(FILES, "origin")
    with git_http.serving(origin.parent) as server, serving(clone_hosts=["127.0.0.1"]) as (client, workspace):
        url = f"{server.url}/origin/.git"
        for name in ("one", "two"):
            made = ok(client.post("/v1/repositories", json={"url": url, "name": name}), 201)
            assert run(workspace, made["job"]["id"]) == "done"
        assert len(list(workspace.mirrors.glob("*.git"))) == 1
        ok(client.delete("/v1/repositories/one"), 204)
        assert len(list(workspace.mirrors.glob("*.git"))) == 1
        ok(client.delete("/v1/repositories/two"), 204)
        assert list(workspace.mirrors.glob("*.git")) == []


HOLD = """import sys
from pathlib import Path
from repoctx.store.connect import connect
from repoctx.store.locks import writing
with writing(connect(sys.argv[1]), Path(sys.argv[2]), "shop"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_repository_that_is_being_indexed_is_not_removed(
    client: TestClient, workspace: Workspace, shop: Path
) -> None:
    """The answer is 409 and when to ask again; then it works."""
    run(workspace, register(client, shop)["job"]["id"])
    settings = workspace.settings
    command = [sys.executable, "-c", HOLD, settings.database_url, settings.home]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        answer = client.delete("/v1/repositories/shop")
        said = refused(answer, 409)
        holder.communicate()
    assert said == "another process is indexing 'shop': wait until it has finished, then run this again"
    assert answer.headers["retry-after"] == "5"
    assert ok(client.get("/v1/repositories/shop"))["refs"] != []
    ok(client.delete("/v1/repositories/shop"), 204)


def test_a_job_that_indexes_it_is_cancelled_and_waited_for(
    client: TestClient, workspace: Workspace, shop: Path
) -> None:
    """Whoever removes it and waits need not ask twice; who does not wait is told that it was cancelled."""
    identity = register(client, shop)["job"]["id"]
    with workspace.engine.begin() as connection:
        jobs.begin(connection, identity, 1, "worker", time.time())
        repository = snapshots.repository(connection, "shop")
    worker = ExitStack()
    worker.enter_context(writing(workspace.engine, Path(workspace.settings.home), "shop"))
    said = refused(client.delete("/v1/repositories/shop"), 409)
    assert said == "the index job of 'shop' is cancelled and has yet to stop: run this again in some seconds"
    ticks = []

    def tick() -> None:
        with workspace.engine.connect() as connection:
            found = jobs.one(connection, identity)
        ticks.append(found is not None and found.cancelled)
        worker.close()

    registration.remove(workspace, repository, 60.0, tick)
    assert ticks == [True]
    refused(client.get("/v1/repositories/shop"), 404)


# --- jobs --------------------------------------------------------------------------------------


def test_an_index_is_asked_for(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """202 and where the job is; who asks again before it runs gets the same job."""
    run(workspace, register(client, shop)["job"]["id"])
    answer = client.post("/v1/repositories/shop/index", json={"ref": "main"})
    job = ok(answer, 202)
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["ref"], job["cause"], job["pushes"]) == ("main", "request", 1)
    again = ok(client.post("/v1/repositories/shop/index", json={"ref": "main"}), 202)
    assert (again["id"], again["pushes"]) == (job["id"], 2)
    plain = ok(client.post("/v1/repositories/shop/index"), 202)
    assert (plain["ref"], plain["id"] == job["id"]) == (None, False)
    assert "cannot be a ref" in refused(client.post("/v1/repositories/shop/index", json={"ref": "a..b"}), 422)
    assert refused(client.post("/v1/repositories/none/index"), 404).startswith("no repository is called 'none'")


def test_jobs_are_filtered_and_paged(
    client: TestClient, workspace: Workspace, shop: Path, make_repository: Callable[..., Path]
) -> None:
    """The newest first, of a repository, in some states."""
    made = [register(client, shop)["job"]["id"]]
    run(workspace, made[0])
    register(client, make_repository(FILES, "desk"), index=False)
    for name, ref in (("shop", "main"), ("desk", "main"), ("desk", "dev")):
        made.append(ok(client.post(f"/v1/repositories/{name}/index", json={"ref": ref}), 202)["id"])

    def ids(**asked: Any) -> list[str]:
        return [one["id"] for one in ok(client.get("/v1/jobs", params=asked))["items"]]

    assert set(ids()) == set(made)
    assert ids() == sorted(made, reverse=True)
    assert set(ids(repository="desk")) == set(made[2:])
    assert ids(state="done") == made[:1]
    assert set(ids(state=["done", "waiting"])) == set(made)
    assert ids(state="failed") == []
    first = ok(client.get("/v1/jobs", params={"limit": 3}))
    assert len(first["items"]) == 3
    rest = ok(client.get("/v1/jobs", params={"limit": 3, "cursor": first["next"]}))
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (ids()[3:], None)
    assert refused(client.get("/v1/jobs", params={"repository": "none"}), 404).startswith("no repository is called")
    for wrong in ({"state": "x"}, {"cursor": "x"}, {"limit": 0}):
        refused(client.get("/v1/jobs", params=wrong), 422)
    assert refused(client.get(f"/v1/jobs/{'0' * 32}"), 404).startswith("there is no job 000")
    refused(client.get("/v1/jobs/x"), 422)


def test_a_job_is_cancelled_and_tried_again(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """A finished one cannot be cancelled; only one that failed or was cancelled is tried again, as a new job."""
    job = register(client, shop)["job"]["id"]
    assert refused(client.post(f"/v1/jobs/{job}/retry"), 422) == (
        "the job is waiting: only one that failed or was cancelled is tried again"
    )
    assert ok(client.delete(f"/v1/jobs/{job}"), 202)["state"] == "cancelled"
    assert refused(client.delete(f"/v1/jobs/{job}"), 422) == "the job is cancelled already: there is nothing to cancel"
    assert run(workspace, job) == "lost"
    again = ok(client.post(f"/v1/jobs/{job}/retry"), 202)
    assert (again["state"], again["id"] == job) == ("waiting", False)
    assert run(workspace, again["id"]) == "done"
    assert refused(client.post(f"/v1/jobs/{again['id']}/retry"), 422).startswith("the job is done:")
    shutil.rmtree(shop)
    broken = ok(client.post("/v1/repositories/shop/index"), 202)["id"]
    assert run(workspace, broken) == "again"
    found = ok(client.get(f"/v1/jobs/{broken}"))
    assert (found["state"], found["attempt"]) == ("waiting", 2)
    assert "does not exist" in found["error"]
    assert found["due_at"] > found["requested_at"]


def test_a_job_that_runs_is_cancelled_soon(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """Whoever runs it hears of it at the next step."""
    job = register(client, shop)["job"]["id"]
    asked: list[Any] = []

    def stopping() -> bool:
        if not asked:
            asked.append(ok(client.delete(f"/v1/jobs/{job}"), 202))
        return False

    assert attempt.run(workspace, job, 1, "w1", stopping).name == "cancelled"
    assert asked[0]["state"] == "running"
    assert ok(client.get(f"/v1/jobs/{job}"))["state"] == "cancelled"


def test_an_answer_tells_of_a_push_that_it_does_not_know(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """As long as a job waits or runs, or has failed; not when it is done."""
    run(workspace, register(client, shop)["job"]["id"])

    def behind() -> Any:
        (fresh,) = ok(client.post("/v1/search", json={"query": "load"}))["freshness"]
        assert (fresh["repository"], fresh["ref"], fresh["dirty"]) == ("shop", "main", False)
        shown = ok(client.get("/v1/repositories/shop"))
        assert (shown["refs"][0]["behind"] is None) == (fresh["behind"] is None)
        assert (shown["lag_seconds"] == 0) == (fresh["behind"] is None)
        return fresh["behind"]

    assert behind() is None
    with workspace.engine.begin() as connection:
        where = snapshots.repository(connection, "shop").id
        job = jobs.submit(connection, where, "main", "push", commit="c" * 40, now=time.time())
    found = behind()
    assert {name: found[name] for name in ("commit", "pushes", "job", "state")} == {
        "commit": "c" * 40, "pushes": 1, "job": job, "state": "waiting",
    }  # fmt: skip
    assert 0 <= found["seconds"] < 60
    assert TIME.fullmatch(found["since"])
    with workspace.engine.begin() as connection:
        running = jobs.begin(connection, job, 1, "w1", time.time())
        assert running is not None
        later = jobs.submit(connection, where, "main", "push", commit="d" * 40, now=time.time())
    assert {name: behind()[name] for name in ("commit", "since", "job", "pushes")} == {
        "commit": "d" * 40, "since": found["since"], "job": later, "pushes": 2,
    }  # fmt: skip
    with workspace.engine.begin() as connection:
        jobs.finish(connection, running, "done", time.time())
    assert behind()["pushes"] == 1
    with workspace.engine.begin() as connection:
        jobs.cancel(connection, later, time.time())
    assert behind() is None


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The events of a stream: id and JSON."""
    found: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif found:
            assert found.pop("event") == "job"
            yield found.pop("id"), json.loads(found.pop("data"))
            assert found == {}


def test_a_job_is_followed_until_it_is_done(workspace: Workspace, shop: Path) -> None:
    """Every change is an event, in order, numbered; the stream ends by itself, also of a job that is finished."""
    with listening(create_app(workspace)) as at, httpx.Client(base_url=at.url, timeout=20, trust_env=False) as client:
        job = ok(client.post("/v1/repositories", json={"path": str(shop)}), 201)["job"]["id"]
        thread = threading.Thread(target=run, args=(workspace, job))
        with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
            seen = []
            for event in events(answer.iter_lines()):
                if not seen:
                    thread.start()  # it is followed before it runs
                seen.append(event)
        thread.join()
        assert [number for number, _ in seen] == [str(one + 1) for one in range(len(seen))]
        order = ["waiting", "running", "done"]
        states = [one["state"] for _, one in seen]
        assert states == sorted(states, key=order.index)
        assert (states[0], states[-1]) == ("waiting", "done")
        assert {one["id"] for _, one in seen} == {job}
        assert seen[-1][1]["report"]["files"] == 2
        again = client.get(f"/v1/jobs/{job}/events")
        assert [one["state"] for _, one in events(again.iter_lines())] == ["done"]
        assert refused(client.get(f"/v1/jobs/{'0' * 32}/events"), 404).startswith("there is no job")


def test_the_stream_of_a_job_ends_when_its_repository_is_removed(workspace: Workspace, shop: Path) -> None:
    """Nothing is broken off, nothing is an error."""
    with listening(create_app(workspace)) as at, httpx.Client(base_url=at.url, timeout=20, trust_env=False) as client:
        job = ok(client.post("/v1/repositories", json={"path": str(shop)}), 201)["job"]["id"]
        with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
            seen = events(answer.iter_lines())
            assert next(seen)[1]["state"] == "waiting"
            assert httpx.delete(f"{at.url}/v1/repositories/shop", trust_env=False).status_code == 204
            assert {one["state"] for _, one in seen} <= {"cancelled"}


# --- who may -----------------------------------------------------------------------------------


def test_without_a_token_only_this_machine_may_ask(workspace: Workspace) -> None:
    """A web page that makes its name point here, a proxy, and a page in a browser here are somebody else."""
    app = create_app(workspace)
    local = TestClient(app, base_url="http://127.0.0.1:8400")
    for good in ({}, {"Host": "localhost:8400"}, {"Host": "LOCALHOST"}, {"Host": "[::1]:8400"}, {"Host": "127.0.0.1"},
                 {"Origin": "http://127.0.0.1:8400"}):  # fmt: skip
        ok(local.get("/v1/repositories", headers=good))
    for bad in ({"Host": "evil.example"}, {"Host": "evil.example:8400"}, {"Host": "127.0.0.1.evil.example"},
                {"Host": ""}, {"Host": "192.168.0.1:8400"}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=x"},
                {"X-Real-IP": "127.0.0.1"}, {"X-Forwarded-Host": "127.0.0.1"}, {"Origin": "https://evil.example"},
                {"Origin": "null"}, {"Origin": "http://localhost:3000"}):  # fmt: skip
        answer = local.get("/v1/repositories", headers=bad)
        said = refused(answer, 401)
        assert said == "a token is needed, as `Authorization: Bearer …`: `repoctx token create` makes one", bad
        assert answer.headers["www-authenticate"] == "Bearer"
    away = TestClient(app, base_url="http://127.0.0.1:8400", client=("10.0.0.7", 50000))
    refused(away.get("/v1/repositories"), 401)
    ok(TestClient(app, base_url="http://127.0.0.1:8400", client=("127.0.0.2", 50000)).get("/v1/repositories"))
    ok(TestClient(app, base_url="http://[::1]:8400", client=("::1", 50000)).get("/v1/repositories"))
    unknown = local.get("/v1/repositories", headers={"Authorization": "Bearer x"})
    assert refused(unknown, 401) == "the token is not valid, or no longer: `repoctx token create` makes one"
    for open_to_all in ("/healthz", "/readyz", "/v1/openapi.json"):
        assert away.get(open_to_all, headers={"Host": "evil.example"}).status_code == 200


def test_from_the_first_token_on_everybody_needs_one(client: TestClient, workspace: Workspace) -> None:
    """A wrong, an expired and a revoked one are none; revoking the last opens nothing."""
    good, expired = token(workspace, "read"), token(workspace, "admin", expires=time.time() - 1)
    ok(client.get("/v1/repositories", headers=good))
    needed = "a token is needed, as `Authorization: Bearer …`: `repoctx token create` makes one"
    wrong = "the token is not valid, or no longer: `repoctx token create` makes one"
    secret = good["Authorization"]
    for headers, said in (
        ({}, needed), ({"Authorization": "Basic eDp5"}, needed), ({"Authorization": "Bearer"}, needed),
        (expired, wrong), ({"Authorization": secret[:-1]}, wrong), ({"Authorization": secret + "x"}, wrong),
        ({"Authorization": "Bearer rctx_000000000000_" + secret[-43:]}, wrong),
        ({"Authorization": secret.encode() + b"\xff"}, wrong),
    ):  # fmt: skip
        answer = client.get("/v1/repositories", headers=headers)
        assert refused(answer, 401) == said, headers
        assert answer.headers["www-authenticate"] == "Bearer"
    admin = token(workspace, "admin")
    listed = ok(client.get("/v1/tokens", headers=admin))["items"]
    assert [(one["scope"], one["repositories"], one["revoked_at"]) for one in listed] == [
        ("read", None, None), ("admin", None, None), ("admin", None, None),
    ]  # fmt: skip
    assert not [name for one in listed for name in one if name in ("hash", "token", "secret")]
    ok(client.delete(f"/v1/tokens/{listed[0]['id']}", headers=admin), 204)
    assert refused(client.get("/v1/repositories", headers=good), 401) == wrong
    for other in (listed[0]["id"], "none", "%00", "a%0Ab"):
        said = refused(client.delete(f"/v1/tokens/{other}", headers=admin), 404)
        assert said == "there is no valid token of this id"
    ok(client.delete(f"/v1/tokens/{listed[2]['id']}", headers=admin), 204)
    refused(client.get("/v1/repositories"), 401)


# Operations and the least scope that they need; those that need none are left out.
SCOPES = {
    "admin": {"register_repository", "change_repository", "remove_repository", "list_audit", "list_tokens",
              "revoke_token", "create_token", "list_deliveries"},
    "write": {"index_repository", "cancel_job", "retry_job", "submit_task", "cancel_task", "retry_task"},
}  # fmt: skip
OPEN = {"health", "readiness", "receive_webhook"}
# Operations that speak the language of chat clients, errors too: tests/e2e/test_gateway_*.py.
CHATS = {"chat", "list_chat_models", "show_chat_model", "send_messages", "count_message_tokens"}


def operations(client: TestClient) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation of the OpenAPI document."""
    for path, item in ok(client.get("/v1/openapi.json"))["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


BODIES = {
    "register_repository": {"path": "/none"},
    "change_repository": {"poll_seconds": 1},
    "assess_impact": {"symbols": ["load"]},
    "search": {"query": "load", "repositories": ["shop"]},
    "pack": {"task": "load", "repository": "shop"},
    "submit_task": {"kind": "debug", "repository": "shop", "input": {"report": "load fails"}},
}


def call(client: TestClient, method: str, path: str, operation: dict[str, Any], headers: dict[str, str]) -> Any:
    """Call an operation with what it needs."""
    ids = {"job": "0" * 32, "task": "0" * 32, "id": "load", "token": "x"}
    for name, value in {"name": "shop", "path": "app.py", **ids}.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    query = {"q": "load"} if operation["operationId"] == "find_symbols" else None
    body = BODIES.get(operation["operationId"])
    return client.request(method, path, params=query, json=body, headers=headers)


def test_every_operation_needs_the_scope_that_it_needs(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """401 without a token, 403 with one of too small a scope, neither with a large enough one."""
    run(workspace, register(client, shop)["job"]["id"])
    given = {scope: token(workspace, scope) for scope in ("read", "write", "admin")}
    checked = set()
    for method, path, operation in operations(client):
        name = operation["operationId"]
        if name in OPEN | CHATS or name == "remove_repository":
            continue
        least = next((scope for scope, names in SCOPES.items() if name in names), "read")
        refused(call(client, method, path, operation, {}), 401)
        for scope, headers in given.items():
            answer = call(client, method, path, operation, headers)
            if list(given).index(scope) < list(given).index(least):
                assert refused(answer, 403) == f"this needs a token of scope {least}: yours may {scope}", name
            else:
                assert answer.status_code not in (401, 403), (name, scope)
        checked.add(name)
    assert {one for names in SCOPES.values() for one in names} - checked == {"remove_repository"}
    assert len(checked) >= 18
    assert refused(client.delete("/v1/repositories/shop", headers=given["write"]), 403)
    ok(client.delete("/v1/repositories/shop", headers=given["admin"]), 204)


def test_what_is_anothers_is_as_if_it_were_not(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """For every operation that takes a name: a repository of others and none at all give the same bytes."""
    mine = token(workspace, "admin", "desk")

    def ask() -> dict[str, tuple[int, bytes]]:
        found = {}
        for method, path, operation in operations(client):
            if "{name}" in path or operation["operationId"] in ("search", "pack"):
                answer = call(client, method, path, operation, mine)
                assert answer.status_code == 404, (operation["operationId"], answer.text)
                body = re.sub(rb'"instance":"[^"]*"', b"", answer.content)
                headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
                found[f"{method} {path}"] = (answer.status_code, body, tuple(sorted(headers.items())))
        listed = client.get("/v1/jobs", params={"repository": "shop"}, headers=mine)
        found["jobs"] = (listed.status_code, re.sub(rb'"instance":"[^"]*"', b"", listed.content))
        return found

    before = ask()
    assert len(before) >= 14
    admin = token(workspace, "admin")
    job = ok(client.post("/v1/repositories", json={"path": str(shop)}, headers=admin), 201)["job"]["id"]
    assert run(workspace, job) == "done"
    assert ask() == before
    ok(client.get("/v1/repositories/shop", headers=admin))

    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("GET", "/events")):
        theirs = client.request(method, f"/v1/jobs/{job}{path}", headers=mine)
        none = client.request(method, f"/v1/jobs/{'0' * 32}{path}", headers=mine)
        said = "there is no job {}: it may have been forgotten, a month after its end"
        assert (refused(theirs, 404), refused(none, 404)) == (said.format(job), said.format("0" * 32))
    assert ok(client.get("/v1/jobs", headers=mine))["items"] == []
    assert ok(client.get("/v1/repositories", headers=mine)) == {"items": [], "next": None}
    assert refused(client.post("/v1/search", json={"query": "load"}, headers=mine), 404).startswith("no repository is")
    assert ok(client.get(f"/v1/jobs/{job}", headers=token(workspace, "read", "desk", "shop")))["state"] == "done"


def test_a_token_for_some_repositories_sees_those_only(
    client: TestClient, workspace: Workspace, shop: Path, make_repository: Callable[..., Path]
) -> None:
    """In lists, in searches over all; what tells of all repositories is refused to it."""
    for folder in (shop, make_repository(FILES, "desk")):
        run(workspace, register(client, folder)["job"]["id"])
    mine = token(workspace, "admin", "desk", "later")
    assert [one["name"] for one in ok(client.get("/v1/repositories", headers=mine))["items"]] == ["desk"]
    assert {one["repository"] for one in ok(client.get("/v1/jobs", headers=mine))["items"]} == {"desk"}
    hits = ok(client.post("/v1/search", json={"query": "load"}, headers=mine))["hits"]
    assert {one["repository"] for one in hits} == {"desk"}
    both = {"query": "load", "repositories": ["desk", "shop"]}
    assert refused(client.post("/v1/search", json=both, headers=mine), 404).startswith("no repository is called 'shop'")
    for path in ("/metrics", "/v1/audit", "/v1/tokens"):
        assert refused(client.get(path, headers=mine), 403).endswith("use a token that may see them all")
    assert refused(client.delete("/v1/tokens/x", headers=mine), 403).endswith("use a token that may see them all")
    more = {"path": str(shop), "name": "x"}
    said = "your token is for other repositories: use one that may see them all"
    assert refused(client.post("/v1/repositories", json=more, headers=mine), 403) == said
    said = "paths and credentials on the service's machine need a token that may see all repositories"
    url = {"url": "https://git.example.com/x.git", "name": "later"}
    for asked in (
        more | {"name": "later"},
        {"url": f"file://{shop}", "name": "later"},
        url | {"credential": "env:REPOCTX_SECRET_SHOP"},
        url | {"webhook_secret": "env:REPOCTX_SECRET_SHOP"},
    ):
        assert refused(client.post("/v1/repositories", json=asked, headers=mine), 403) == said
    for asked in ({"credential": "file:shop"}, {"webhook_secrets": ["env:REPOCTX_SECRET_SHOP"]}, {"login": "x"}):
        assert refused(client.patch("/v1/repositories/desk", json=asked, headers=mine), 403) == said
    assert ok(client.patch("/v1/repositories/desk", json={"poll_seconds": 9}, headers=mine))["poll_seconds"] == 9
    own = token(workspace, "write", "desk")
    refused(client.delete("/v1/repositories/desk", headers=own), 403)
    assert ok(client.get("/v1/repositories/desk", headers=own))["credential"] is None


def test_who_did_what_is_written_down(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """Changes and what was refused, the newest first, with the request that the log knows; page by page."""
    register(client, shop)
    admin, reader = token(workspace, "admin"), token(workspace, "read", "shop")
    ids = [one["Authorization"].split("_")[1] for one in (admin, reader)]
    named = {"X-Request-ID": "request-1"}
    ok(client.patch("/v1/repositories/shop", json={"poll_seconds": 5}, headers=admin | named))
    assert client.get("/v1/repositories", headers=reader).status_code == 200  # nobody needs to know
    refused(client.delete("/v1/repositories/shop", headers=reader), 403)
    refused(client.get("/v1/repositories/shop"), 401)
    refused(client.delete("/v1/repositories/none", headers=admin), 404)
    refused(client.delete("/v1/repositories/a%00b%0Ac"), 401)
    job = ok(client.get("/v1/jobs", headers=admin))["items"][0]["id"]
    ok(client.delete(f"/v1/jobs/{job}", headers=admin), 202)
    ok(client.delete(f"/v1/tokens/{ids[1]}", headers=admin), 204)
    found = ok(client.get("/v1/audit", headers=admin))
    rows = [(one["token"], one["action"], one["repository"], one["status"]) for one in found["items"]]
    assert rows == [
        (ids[0], f"DELETE /v1/tokens/{ids[1]}", None, 204),
        (ids[0], f"DELETE /v1/jobs/{job}", "shop", 202),
        (None, "DELETE /v1/repositories/a b c", None, 401),
        (ids[0], "DELETE /v1/repositories/none", "none", 404),
        (None, "GET /v1/repositories/shop", "shop", 401),
        (ids[1], "DELETE /v1/repositories/shop", "shop", 403),
        (ids[0], "PATCH /v1/repositories/shop", "shop", 200),
        (None, "POST /v1/repositories", "shop", 201),
    ]
    assert found["items"][6]["request"] == "request-1"
    assert {one["address"] for one in found["items"]} == {"testclient"}
    assert all(TIME.fullmatch(one["at"]) for one in found["items"])
    page = ok(client.get("/v1/audit", params={"limit": 2}, headers=admin))
    assert page["items"] == found["items"][:2]
    rest = ok(client.get("/v1/audit", params={"limit": 9, "cursor": page["next"]}, headers=admin))
    assert (rest["items"], rest["next"]) == (found["items"][2:], None)


def test_an_id_of_a_request_is_taken_or_made(client: TestClient) -> None:
    """One that could break a log is not taken."""
    assert client.get("/healthz", headers={"X-Request-ID": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    for bad in ("short", "x" * 65, "a b c d e", "a{b}c;d'e\"f"):
        made = client.get("/healthz", headers={"X-Request-ID": bad}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)
    assert client.get("/healthz").headers["x-content-type-options"] == "nosniff"


def test_no_secret_is_in_an_answer_the_database_or_the_log(
    monkeypatch: pytest.MonkeyPatch, shop: Path, make_repository: Callable[..., Path]
) -> None:
    """Tokens and credentials are nowhere; webhook secrets in the one column that needs them, and never shown."""
    monkeypatch.setenv("REPOCTX_SECRET_X", "hidden-credential")
    stream = StringIO()
    with quiet_afterwards(), serving(clone_hosts=["127.0.0.1"]) as (client, workspace):
        logs.configure("json", stream)
        admin = token(workspace, "admin")
        client.headers.update(admin)
        answers = [
            client.post("/v1/repositories", json={"path": str(shop), "webhook_secret": SECRET}),
            client.post("/v1/repositories", json={
                "url": "https://127.0.0.1:1/x", "credential": "env:REPOCTX_SECRET_X", "webhook_secret": SECRET,
            }),
        ]  # fmt: skip
        for one in answers[:2]:
            attempt.run(workspace, ok(one, 201)["job"]["id"], 1, "w1", lambda: False)
        for method, path, operation in operations(client):
            if not path.endswith("/events"):
                answers.append(call(client, method, path, operation, {}))
        answers += [
            client.get("/v1/repositories"), client.get("/v1/jobs"), client.get("/v1/repositories/x"),
            client.patch("/v1/repositories/x", json={"webhook_secret": "short", "unknown": SECRET}),
            client.post("/v1/repositories", json={"webhook_secret": [SECRET]}),
            client.post("/v1/repositories", content=f'{{"webhook_secret": "{SECRET}"'.encode()),
            client.get("/v1/repositories", headers={"Authorization": admin["Authorization"] + "x"}),
        ]  # fmt: skip
        stored = everything(workspace)
        log = stream.getvalue()
    texts = [one.text for one in answers] + [str(dict(one.headers)) for one in answers]
    secret = admin["Authorization"].split("_", 2)[2][:40]  # which may have "_" in it
    assert "request" in log
    for hidden in (SECRET, "hidden-credential", secret):
        assert not [one for one in texts if hidden in one], hidden
        assert hidden not in log
    assert secret not in stored
    assert "hidden-credential" not in stored
    for line in log.splitlines():
        assert {"level", "timestamp", "event"} <= set(json.loads(line))
    mine = next(one for one in map(json.loads, log.splitlines()) if one.get("event") == "request")
    assert {name: mine[name] for name in ("method", "path", "status", "caller")} == {
        "method": "POST", "path": "/v1/repositories", "status": 201, "caller": admin["Authorization"].split("_")[1],
    }  # fmt: skip
    assert mine["request"] == answers[0].headers["x-request-id"]


@contextmanager
def quiet_afterwards() -> Iterator[None]:
    """Let logging be as it was when a test has configured it."""
    import logging

    import structlog

    root, names = logging.getLogger(), ("uvicorn", "uvicorn.error", "uvicorn.access", "dbos")
    before = root.handlers, root.level
    libraries = [(logging.getLogger(name), vars(logging.getLogger(name)).copy()) for name in names]
    try:
        yield
    finally:
        structlog.reset_defaults()
        root.handlers, root.level = before
        for library, values in libraries:
            library.handlers, library.propagate, library.level = (
                values["handlers"], values["propagate"], values["level"],
            )  # fmt: skip


# --- web pages, health, metrics, the document --------------------------------------------------


def test_web_pages_of_others_are_let_in_only_where_they_are_listed() -> None:
    """CORS is closed out of the box."""
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    with serving() as (client, _):
        answer = client.options("/v1/search", headers=asked)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "access-control-allow-origin" not in client.get("/healthz", headers=asked).headers
    with serving(serve_origins=["https://page.example"]) as (client, _):
        answer = client.options("/v1/search", headers=asked | {"Access-Control-Request-Headers": "authorization"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://page.example")
        answer = client.get("/v1/repositories", headers={"Origin": "https://page.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://page.example")
        assert "access-control-allow-credentials" not in answer.headers
        other = {"Origin": "https://other.example"}
        assert client.options("/v1/search", headers=asked | other).status_code == 400
        answer = client.get("/v1/repositories", headers=other)
        assert "access-control-allow-origin" not in answer.headers
        refused(answer, 401)


def test_it_is_alive_and_ready(client: TestClient, workspace: Workspace) -> None:
    """Ready is who has a database of the schema that he needs."""
    from repoctx import __version__

    good = {"status": "ok", "version": __version__}
    assert (ok(client.get("/healthz")), ok(client.get("/readyz"))) == (good, good)
    with workspace.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    answer = client.get("/readyz")
    assert "the schema of the database is 0003, not " in refused(answer, 503)
    assert ok(client.get("/healthz")) == good


def test_metrics_are_as_prometheus_reads_them(client: TestClient, workspace: Workspace, shop: Path) -> None:
    """Requests by route, jobs by state, what lags or failed; made-up methods and paths are no labels."""
    job = register(client, shop)["job"]["id"]
    ok(client.get("/v1/repositories/shop"))
    for path in ("/nothing/1", "/nothing/2"):
        refused(client.get(path), 404)
    client.request("BREW", "/v1/jobs")

    def metrics() -> dict[str, dict[tuple[str, ...], float]]:
        answer = client.get("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
        return found

    first = metrics()
    assert {
        "repoctx_requests_total", "repoctx_request_seconds_bucket", "repoctx_jobs", "repoctx_index_lag_seconds",
        "repoctx_workers", "repoctx_repositories", "repoctx_warm_snapshots_held", "repoctx_job_seconds_count",
        "repoctx_push_to_searchable_seconds_count",
    } <= set(first)  # fmt: skip
    assert first["repoctx_requests_total"]["GET", "/v1/repositories/{name}", "200"] >= 1
    assert first["repoctx_requests_total"]["GET", "none", "404"] >= 2
    labels = {label for one in first["repoctx_requests_total"] for label in one}
    assert not labels & {"BREW", "/nothing/1", "/v1/repositories/shop"}
    assert first["repoctx_jobs"] == {
        ("waiting",): 1, ("running",): 0, ("done",): 0, ("failed",): 0, ("cancelled",): 0,
    }  # fmt: skip
    assert list(first["repoctx_index_lag_seconds"]) == [("shop",)]
    assert first["repoctx_repositories"] == {(): 1}
    assert "repoctx_failed_refs" not in first
    with workspace.engine.begin() as connection:
        connection.execute(tables.jobs.update().values(state="failed", finished_at=time.time()))
    assert metrics()["repoctx_failed_refs"] == {("shop",): 1}
    again = ok(client.post(f"/v1/jobs/{job}/retry"), 202)["id"]
    assert metrics()["repoctx_failed_refs"] == {("shop",): 1}
    run(workspace, again)
    second = metrics()
    assert "repoctx_index_lag_seconds" not in second
    assert "repoctx_failed_refs" not in second
    assert (second["repoctx_jobs"]["done",], second["repoctx_jobs"]["failed",]) == (1, 1)


def test_the_openapi_document_is_the_one_that_was_agreed(client: TestClient) -> None:
    """The golden file; UPDATE_GOLDEN=1 writes it anew: read the diff."""
    found = ok(client.get("/v1/openapi.json"))
    found["info"]["version"] = "*"
    text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if UPDATE:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "the document changed: if it should, run with UPDATE_GOLDEN=1"


def test_every_operation_is_described(client: TestClient) -> None:
    """Summary, description, a name; an example where a body is asked; problems as problem JSON."""
    document = ok(client.get("/v1/openapi.json"))
    names = set()
    for method, path, operation in operations(client):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        names.add(operation["operationId"])
        if operation["operationId"] in CHATS:
            continue
        problems = [status for status in operation["responses"] if status[0] in "45"]
        assert {"401", "403", "404", "422", "429"} <= set(problems), where
        for status in problems:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"], where
        body = operation.get("requestBody")
        if body is not None and operation["operationId"] != "receive_webhook":
            schema = json.dumps(body["content"]["application/json"]["schema"])
            (model, *_) = re.findall(r"#/components/schemas/(\w+)", schema)
            fields = document["components"]["schemas"][model]["properties"]
            assert [one for one in fields.values() if "examples" in one] or operation["operationId"] in (
                "change_repository",
            ), where
    assert len(names) == len(list(operations(client)))
    assert not re.findall("HTTPValidationError", json.dumps(document))
