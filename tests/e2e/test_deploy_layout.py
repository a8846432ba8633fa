"""Do the processes of compose.yaml work together: a service without workers, two workers, Postgres, a home each? And
does the autoscaler count what they have to do?"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import postgres
import psycopg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from running import PROGRAM, until

from repoctx.config import load
from repoctx.store import jobs, snapshots, tables, tasks
from repoctx.store import workers as at_work
from repoctx.store.connect import connect

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SERVICES: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
FILES = {
    "till.py": "from cart import total\n\n\ndef pay(cart):\n    '''Takes money.'''\n    return total(cart)\n",
    "cart.py": "def total(cart):\n    return sum(item.price for item in cart)\n",
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Container:
    """A process with the command and the environment of a service of compose.yaml, as far as a process is one."""

    def __init__(self, name: str, home: Path, database: str, ports: Mapping[str, str]) -> None:
        service = SERVICES[name]
        assert service["environment"]["REPOCTX_DATABASE_URL"] == "postgresql://repoctx@postgres:5432/repoctx"
        assert service["environment"]["REPOCTX_HOME"] == "/var/lib/repoctx"
        needed = re.compile(r"\$\{\w+:\?[^}]*\}")
        plain = {key: needed.sub("a password: $&/", value) for key, value in service["environment"].items()}
        self.home, self.log = home, home.with_suffix(".log")
        self.environment = {**os.environ, **plain, "REPOCTX_HOME": str(home), "REPOCTX_DATABASE_URL": database,
                            "REPOCTX_EMBEDDING_MODEL": "none"}  # fmt: skip
        self.command = [ports.get(word, word) for word in service["command"]]
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `docker compose exec` does."""
        return subprocess.run([*PROGRAM, *words], env=self.environment, capture_output=True, text=True, check=False)

    def start(self) -> None:
        """Begin."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, *self.command], env=self.environment, stdin=subprocess.DEVNULL, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def stop(self) -> int:
        """End it as Docker does: its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def database(postgres_server: str) -> Iterator[str]:
    """A fresh database of Postgres."""
    with postgres.database(postgres_server) as url:
        yield url


def test_the_processes_of_compose_work_together(
    tmp_path: Path, database: str, make_repository: Callable[..., Path]
) -> None:
    """Workers run before there is a token, the service only then; one of the workers indexes, the service answers."""
    http, metrics = free_port(), [free_port(), free_port()]
    workers = [Container("worker", tmp_path / f"worker-{n}", database, {"9464": str(metrics[n])}) for n in (0, 1)]
    service = Container("service", tmp_path / "service", database, {"8400": str(http)})
    shop = make_repository(FILES, "shop")
    with contextlib.ExitStack() as stack:
        for container in (*workers, service):
            stack.callback(container.close)
        for worker in workers:
            worker.start()
        engine = connect(database)
        stack.callback(engine.dispose)

        def known() -> list[at_work.Worker]:
            with engine.connect() as connection:
                return at_work.every(connection)

        until(lambda: len(known()) == 2, "two workers")
        refused = service.run(*service.command)
        assert refused.returncode == 2
        assert "make one with `repoctx token create --scope admin` first" in refused.stderr
        made = workers[0].run("token", "create", "--scope", "admin", "--name", "first")
        assert made.returncode == 0, made.stderr
        service.start()
        token = {"Authorization": f"Bearer {made.stdout.splitlines()[-1]}"}
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{http}", headers=token, timeout=60))

        def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return client.get("/readyz").is_success
            return False

        until(ready, "a service that is ready")
        job = client.post("/v1/repositories", json={"path": str(shop), "name": "shop"}).json()["job"]["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", "the index")
        with engine.connect() as connection:
            done = jobs.one(connection, job)
        assert done is not None
        assert done.worker in {worker.id for worker in known()}
        answer = client.post("/v1/search", json={"query": "who takes money?", "k": 1}).json()
        assert [(hit["path"], hit["repository"]) for hit in answer["hits"]] == [("till.py", "shop")]

        homes = [sum(1 for _ in one.home.rglob("*.columns")) > 0 for one in (service, *workers)]
        assert homes[0]
        assert sorted(homes[1:]) == [False, True]
        counted = [outcomes(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text) for port in metrics]
        assert sorted(counted, key=len) == [{}, {"done": 1.0}]
        assert [one.stop() for one in (service, *workers)] == [0, 0, 0]


def outcomes(text: str) -> dict[str, float]:
    """The attempts of index jobs that a worker has counted."""
    return {
        sample.labels["outcome"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "repoctx_jobs_run_total"
    }


def test_settings_that_compose_leaves_empty_are_those_of_the_default():
    """A variable without a value is as one that is not there."""
    assert load({"REPOCTX_BACKEND_URL": "", "REPOCTX_SERVE_WARM": ""}).settings.serve_warm == 4


# --- autoscaling -------------------------------------------------------------------------------


def test_the_autoscaler_counts_what_can_be_worked_on(database: str) -> None:
    """Repositories with an index job that is due or runs, once each, and open tasks of workers: not what waits for
    its next attempt, is finished, or is run by a command."""
    (metadata,) = [
        one["spec"]["triggers"][0]["metadata"]
        for one in yaml.safe_load_all((DEPLOY / "kubernetes/autoscaling/scaledobject.yaml").read_text("utf-8"))
        if one["kind"] == "ScaledObject"
    ]
    engine = connect(database)

    def counted() -> float:
        with psycopg.connect(database) as connection:
            row = connection.execute(metadata["query"]).fetchone()
        assert row is not None
        assert len(row) == 1
        return float(row[0])

    now = time.time()
    try:
        assert counted() == 0
        with engine.begin() as connection:
            for name in ("a", "b", "c", "d"):
                connection.execute(
                    tables.repositories.insert().values(name=name, location=f"/{name}", default_ref="main")
                )
            a, b, c, d = (one.id for one in snapshots.all_repositories(connection))
            jobs.submit(connection, a, "main", "push", now=now)
            jobs.submit(connection, a, "next", "push", now=now)  # runs after the other
            jobs.submit(connection, b, "main", "push", now=now + 3600)  # after a failure
            running = jobs.submit(connection, c, "main", "push", now=now)
            assert jobs.begin(connection, running, 1, "w", now) is not None
            done = jobs.submit(connection, d, "main", "push", now=now)
            begun = jobs.begin(connection, done, 1, "w", now)
            assert begun is not None
            assert jobs.finish(connection, begun, "done", now)
        assert counted() == 2  # a, c
        with engine.begin() as connection:
            entries = {"id": "s", "entries": b""}
            connection.execute(tables.snapshots.insert().values(entries))
            connection.execute(
                tables.refs.insert().values(
                    repository=d, name="main", snapshot="s", dirty=0, tree="t", skips=b"", report="{}", indexed_at="x"
                )
            )
            (shop,) = [one for one in snapshots.all_repositories(connection) if one.id == d]
            tasks.submit(connection, shop, None, "debug", {}, now=now)
            tasks.submit(connection, shop, None, "debug", {}, now=now)
            tasks.submit(connection, shop, None, "debug", {}, now=now, worker="a command")
        assert counted() == 4
    finally:
        engine.dispose()
