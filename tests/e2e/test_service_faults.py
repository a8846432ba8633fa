"""What happens when a machine hangs, the database goes away, the disk is full, or only the truth is left?"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import git_http
import httpx
import postgres
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from projects import SECRET, Project, answers, same_as_fresh, source, states
from repositories import git
from running import PATIENCE, PROGRAM, Running, running, until

from repoctx.serve.rest import create_app
from repoctx.serve.signatures import sample
from repoctx.workspace import Workspace


def registered(service: Running, project: Project, files: int = 20) -> None:
    """A project with some files that the service looks after."""
    project.push({f"src/m{n}.py": source(n, 0) for n in range(files)})
    asked = {"url": project.url, "name": project.name, "webhook_secret": SECRET}
    assert service.client.post("/v1/repositories", json=asked).status_code == 201


def pushed(service: Running, project: Project, version: int) -> None:
    """Push a change and tell of it until it is acknowledged."""
    before, after = project.push({f"src/m{version}.py": source(version, version)})
    service.told("github", project.name, project.url, "main", before, after, SECRET)


def fill(path: Path) -> None:
    """Write a file until there is no room for more."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass


class Worker:
    """A worker on what stands for a machine of its own: a home that it shares with nobody, but for SQLite's."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / f"worker-{time.time_ns()}.log"
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(
                [*PROGRAM, "worker", "--log", "json"], env={**os.environ, "REPOCTX_HOME": str(home), **settings},
                stdin=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip
        until(lambda: "worker begins" in self.log.read_text(), "a worker that begins")

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def locked(url: str, name: str) -> bool:
    """Whether the writer's place of a repository is taken in a Postgres database."""
    key = hashlib.sha256(name.encode()).digest()
    high, low = int.from_bytes(key[:4], "big"), int.from_bytes(key[4:8], "big")
    query = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()"
    query += " WHERE locktype = 'advisory' AND granted AND classid::int8 = :high AND objid::int8 = :low"
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = connection.scalar(sa.text(query), {"high": high, "low": low})
    engine.dispose()
    return bool(found)


@pytest.mark.slow
def test_a_worker_that_hangs_is_taken_over(tmp_path, database_url):
    """Another does its job. When it wakes it finds out, changes nothing, and ends to be started again."""
    settings = {"REPOCTX_DATABASE_URL": database_url, "REPOCTX_CLONE_HOSTS": "127.0.0.1"}
    home = tmp_path / "home"
    shared = database_url.startswith("sqlite")
    (tmp_path / "git").mkdir()
    with (
        git_http.serving(tmp_path / "git") as server,
        running(home, settings, "--workers", "0") as service,
    ):
        project = Project(tmp_path, server, "shop")
        hanging = Worker(home if shared else tmp_path / "host1", settings)
        workers = [hanging]
        try:
            registered(service, project, files=400)
            until(lambda: states(service)["running"], "a job that runs")
            if not shared:
                until(lambda: locked(database_url, "shop"), "a job that has the writer's place")
            os.killpg(hanging.process.pid, signal.SIGSTOP)
            assert shared or locked(database_url, "shop")
            assert states(service)["running"] == 1
            workers.append(Worker(home if shared else tmp_path / "host2", settings))
            if shared:  # the writer's place on a machine goes with its process alone
                until(lambda: "attempt is lost" in workers[1].log.read_text(), "a takeover")
            else:
                service.idle()
                pushed(service, project, 7)
                service.idle()
            os.killpg(hanging.process.pid, signal.SIGCONT)
            assert hanging.process.wait(60) == 75
            service.idle()
            same_as_fresh(service, settings, project, tmp_path / "fresh")
            assert states(service)["failed"] == 0
        finally:
            for worker in workers:
                worker.close()


@pytest.mark.slow
def test_who_follows_a_job_holds_up_no_end(tmp_path, make_repository):
    """The stream ends, and so does the service; nothing of it, and no token, is in the log."""
    folder = make_repository({"shop.py": "def settle():\n    return 1\n"}, "shop")
    with running(tmp_path / "home", {}, "--workers", "0") as service:
        asked = {"path": str(folder), "name": "shop"}
        job = service.client.post("/v1/repositories", json=asked).json()["job"]["id"]
        headers = {"Authorization": "Bearer rctx_000000000000_" + "x" * 43}
        assert service.client.get("/v1/jobs", headers=headers).status_code == 401
        with httpx.stream("GET", f"http://127.0.0.1:{service.port}/v1/jobs/{job}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: job"
            assert service.stop() == 0
            list(lines)
        assert "timeout graceful shutdown exceeded" not in service.log  # it was not cut off
        assert "Traceback" not in service.log
        assert "xxx" not in service.log


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False], ids=["lifespan", "no lifespan"])
def test_the_app_alone_keeps_a_worker(tmp_path, monkeypatch, make_repository, whole):
    """Whoever serves `create_app()` needs nothing else, even if he leaves out its lifespan."""
    folder = make_repository({"shop.py": "def settle_cart():\n    return 1\n"}, "shop")
    monkeypatch.setenv("REPOCTX_HOME", str(tmp_path / "home"))
    client = TestClient(create_app())
    with client if whole else contextlib.nullcontext():
        asked = {"path": str(folder), "webhook_secret": SECRET}
        job = client.post("/v1/repositories", json=asked).json()["job"]["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", "the index")
        (folder / "more.py").write_text("def settle_later():\n    return 2\n")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "more")
        headers, body = sample("github", "https://example.com/shop", "main", "1" * 40, git(folder, "rev-parse", "HEAD"),
                               SECRET, "one", time.time())  # fmt: skip
        answer = client.post("/v1/webhooks/github?repository=shop", headers=headers, content=body)
        assert answer.status_code == 202
        (job,) = answer.json()["jobs"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", "the index")
        hits = client.post("/v1/search", json={"query": "settle_later", "level": "symbol"}).json()["hits"]
        assert hits[0]["symbol"] == "settle_later"
    if not whole:
        client.app.state.service.workspace.close()


@pytest.mark.slow
def test_several_processes_answer(tmp_path):
    """They share the connections and the counts; one that dies is replaced; all end with the one that started them."""
    (tmp_path / "git").mkdir()
    settings = {"REPOCTX_CLONE_HOSTS": "127.0.0.1"}
    with (
        git_http.serving(tmp_path / "git") as server,
        running(tmp_path / "home", settings, "--processes", "2", "--workers", "1") as service,
    ):
        project = Project(tmp_path, server, "shop")
        registered(service, project)
        service.idle()
        same_as_fresh(service, settings, project, tmp_path / "fresh")

        def asked() -> int:
            """Ask over a connection of its own, which any of them may take."""
            return httpx.get(f"http://127.0.0.1:{service.port}/v1/repositories/shop/map").status_code

        assert {asked() for _ in range(40)} == {200}
        counted = 'repoctx_requests_total{method="GET",route="/v1/repositories/{name}/map",status="200"} 40.0'
        assert counted in service.client.get("/metrics").text
        children = service.workers
        assert len(children) == 3
        os.kill(children[-1], signal.SIGKILL)
        until(lambda: len(set(service.workers) - set(children)) == 1, "another process")
        assert {until(lambda: service.ask("GET", "/healthz"), "an answer").status_code for _ in range(20)} == {200}
        children = service.workers
        service.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the end of all")


@pytest.mark.slow
def test_the_only_worker_hangs(tmp_path):
    """The service kills it, and starts another that does its job."""
    (tmp_path / "git").mkdir()
    settings = {"REPOCTX_CLONE_HOSTS": "127.0.0.1"}
    with git_http.serving(tmp_path / "git") as server, running(tmp_path / "home", settings) as service:
        project = Project(tmp_path, server, "shop")
        registered(service, project)
        service.idle()
        for pid in service.workers:
            os.kill(pid, signal.SIGSTOP)
        pushed(service, project, 5)
        service.idle()
        same_as_fresh(service, settings, project, tmp_path / "fresh")
        assert "a worker hangs" in service.log


# Ends its process between the two things that are written when an attempt ends: our row, and the queue's.
DIES = """
import os
from repoctx.serve import attempt
run = attempt.run
def dying(*arguments):
    print(run(*arguments).name, flush=True)
    os._exit(9)
attempt.run = dying
from repoctx.serve.cli import main
main()
"""


@pytest.mark.slow
def test_a_worker_that_dies_when_all_is_done_is_in_nobodys_way(tmp_path, database_url):
    """The queue still thinks that its attempt runs: the next push to the repository is indexed all the same."""
    settings = {"REPOCTX_DATABASE_URL": database_url, "REPOCTX_CLONE_HOSTS": "127.0.0.1"}
    home = tmp_path / "home"
    (tmp_path / "git").mkdir()
    with git_http.serving(tmp_path / "git") as server, running(home, settings, "--workers", "0") as service:
        project = Project(tmp_path, server, "shop")
        registered(service, project)
        died = subprocess.run(
            [sys.executable, "-c", DIES, "worker", "--log", "json"], capture_output=True, timeout=PATIENCE, check=False,
            env={**os.environ, "REPOCTX_HOME": str(home), **settings},
        )  # fmt: skip
        assert (died.returncode, died.stdout) == (9, b"done\n")
        pushed(service, project, 5)
        worker = Worker(home, settings)
        try:
            service.idle()
            same_as_fresh(service, settings, project, tmp_path / "fresh")
        finally:
            worker.close()


@pytest.mark.slow
def test_postgres_goes_away_and_comes_back(tmp_path):
    """Questions and deliveries are refused with 503 meanwhile; then all goes on, and nothing acknowledged is lost."""
    (tmp_path / "git").mkdir()
    with postgres.own() as database, git_http.serving(tmp_path / "git") as server:
        if database is None:
            pytest.skip("no programs of Postgres to start one")
        settings = {"REPOCTX_DATABASE_URL": database.url, "REPOCTX_CLONE_HOSTS": "127.0.0.1"}
        with running(tmp_path / "home", settings) as service:
            project = Project(tmp_path, server, "shop")
            registered(service, project, files=200)
            for version in range(1, 4):
                until(lambda: states(service)["running"], "a job that runs")
                database.stop()
                for method, path in (("GET", "/readyz"), ("GET", "/v1/jobs"), ("POST", "/v1/search")):
                    answer = service.client.request(method, path, json={"query": "x"} if method == "POST" else None)
                    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
                assert service.client.get("/healthz").status_code == 200
                before, after = project.push({f"src/m{version}.py": source(version, version)})
                database.start()
                service.told("github", "shop", project.url, "main", before, after, SECRET)
            service.idle()
            same_as_fresh(service, settings, project, tmp_path / "fresh")
            assert states(service)["failed"] == 0
            assert service.stop() == 0


@pytest.mark.slow
def test_the_truth_alone_brings_a_service_back(tmp_path, postgres_server):
    """A dump of our tables, restored elsewhere, with an empty home and no queue: the same answers, and what was
    acknowledged and not yet indexed is."""
    programs = [shutil.which(name) for name in ("pg_dump", "psql")]
    if None in programs:
        pytest.skip("no pg_dump and psql")
    (tmp_path / "git").mkdir()
    with (
        git_http.serving(tmp_path / "git") as server,
        postgres.database(postgres_server) as first,
        postgres.database(postgres_server) as second,
    ):
        settings = {"REPOCTX_CLONE_HOSTS": "127.0.0.1"}
        project = Project(tmp_path, server, "shop")
        with running(tmp_path / "home", settings | {"REPOCTX_DATABASE_URL": first}) as service:
            registered(service, project)
            service.idle()
            assert service.stop() == 0
        with running(tmp_path / "home", settings | {"REPOCTX_DATABASE_URL": first}, "--workers", "0") as service:
            served = Workspace({"REPOCTX_HOME": str(tmp_path / "home"), "REPOCTX_DATABASE_URL": first})
            known = answers(served, "shop")
            served.close()
            pushed(service, project, 3)
        dumped = subprocess.run(["pg_dump", "--schema=public", first], check=True, capture_output=True).stdout
        assert b"CREATE SCHEMA dbos" not in dumped
        dumped = dumped.replace(b"CREATE SCHEMA public;", b"")
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", second], input=dumped, check=True, capture_output=True)
        restored = Workspace({"REPOCTX_HOME": str(tmp_path / "elsewhere"), "REPOCTX_DATABASE_URL": second})
        assert answers(restored, "shop") == known
        restored.close()
        settings["REPOCTX_DATABASE_URL"] = second
        with running(tmp_path / "elsewhere", settings) as service:
            service.idle()
            same_as_fresh(service, settings, project, tmp_path / "fresh")


@pytest.mark.slow
def test_a_full_disk_loses_nothing(tmp_path):
    """What cannot be written is not acknowledged, and says why; when there is room again all goes on."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    (tmp_path / "git").mkdir()
    settings = {"REPOCTX_CLONE_HOSTS": "127.0.0.1"}
    try:
        with git_http.serving(tmp_path / "git") as server, running(small / "home", settings) as service:
            project = Project(tmp_path, server, "shop")
            registered(service, project, files=40)
            service.idle()
            ballast = small / "ballast"
            fill(ballast)
            before, after = project.push({f"src/n{n}.py": source(n, 9) for n in range(40)})
            headers, body = sample("github", project.url, "main", before, after, SECRET, "when-full", time.time())
            answer = service.client.post("/v1/webhooks/github?repository=shop", headers=headers, content=body)
            assert answer.status_code in (202, 503)
            if answer.status_code == 503:
                assert "disk" in answer.json()["detail"]
            assert service.client.post("/v1/search", json={"query": "apply an order"}).json()["hits"] != []
            ballast.unlink()
            answer = until(
                lambda: service.ask("POST", "/v1/webhooks/github?repository=shop", headers=headers, content=body),
                "an acknowledgement",
            )
            service.idle()
            same_as_fresh(service, settings, project, tmp_path / "fresh")
            assert states(service)["failed"] == 0
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_git_is_asked_for_nothing_else(tmp_path):
    """The helper of these tests pushes what it says."""
    (tmp_path / "git").mkdir()
    with git_http.serving(tmp_path / "git") as server:
        project = Project(tmp_path, server, "shop")
        before, after = project.push({"a.py": "x = 1\n"})
        assert (before, after) == (None, git(project.bare, "rev-parse", "main"))
