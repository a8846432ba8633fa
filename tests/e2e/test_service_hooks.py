"""What webhooks and polls lead to: which jobs, and which index once these have run."""

from __future__ import annotations

import json
import time
from pathlib import Path

import git_http
import pytest
from fastapi.testclient import TestClient
from repositories import git, write_files

from repoctx.serve import attempt, polls
from repoctx.serve.rest import create_app
from repoctx.serve.signatures import sample, sample_ping
from repoctx.serve.webhook import NO_COMMIT
from repoctx.store import jobs, registry
from repoctx.workspace import Workspace

SECRET = "a-secret-of-webhooks"
URL = "https://git.example.com/team/shop.git"
PAYLOADS = Path(__file__).resolve().parent.parent / "payloads"


class Shop:
    """A bare repository, a clone that pushes to it, and the service that looks after it."""

    def __init__(self, folder: Path, client: TestClient, workspace: Workspace, **asked: object) -> None:
        self.client, self.workspace = client, workspace
        self.bare, self.clone = folder / "shop.git", folder / "clone"
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.bare))
        git(folder, "clone", "-q", str(self.bare), str(self.clone))
        git(self.clone, "checkout", "-q", "-B", "main")
        self.push("first")
        answer = client.post("/v1/repositories", json={"path": str(self.bare), "webhook_secret": SECRET, **asked})
        assert answer.status_code == 201, answer.text
        self.work()

    def push(self, word: str, branch: str = "main", *options: str) -> tuple[str | None, str]:
        """Add a function of that name, commit, push: the commits before and after."""
        git(self.clone, "checkout", "-q", "-B", branch)
        before = git(self.bare, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}") or None
        write_files(self.clone, {f"{word}.py": f"def {word}():\n    return 1\n"})
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "-m", word)
        git(self.clone, "push", "-q", *options, "origin", branch)
        return before, git(self.clone, "rev-parse", "HEAD")

    def tell(self, before: str | None, after: str | None, ref: str = "main", forge: str = "github", **how: str) -> dict:
        """Deliver a push: the answer."""
        identity = how.get("delivery", f"d-{time.time_ns()}")
        headers, body = sample(forge, URL, ref, before, after, how.get("secret", SECRET), identity, time.time())
        answer = self.client.post(f"/v1/webhooks/{forge}?repository=shop", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def work(self) -> list[str]:
        """Run the jobs that are due, the oldest first: what became of each."""
        engine = self.workspace.engine
        with engine.connect() as connection:
            due = jobs.open_jobs(connection)
        return [
            attempt.run(self.workspace, job.id, job.attempt, "w", lambda: False).name
            for job in due
            if job.due_at <= time.time()
        ]

    def work_all(self) -> list[str]:
        """Run all jobs that are open, due or not, the oldest first: what became of each."""
        with self.workspace.engine.connect() as connection:
            every = jobs.open_jobs(connection)
        return [attempt.run(self.workspace, job.id, job.attempt, "w", lambda: False).name for job in every]

    @property
    def refs(self) -> dict[str, str | None]:
        """What is indexed: ref -> commit."""
        shown = self.client.get("/v1/repositories/shop").json()
        return {ref["ref"]: ref["commit"] for ref in shown["refs"]}

    def job(self, identity: str) -> dict:
        """A job as it is told."""
        return self.client.get(f"/v1/jobs/{identity}").json()


@pytest.fixture
def workspace(tmp_path, database_url):
    """A workspace on each kind of database."""
    settings = {"REPOCTX_HOME": str(tmp_path / "home"), "REPOCTX_DATABASE_URL": database_url,
                "REPOCTX_CLONE_HOSTS": "127.0.0.1"}  # fmt: skip
    opened = Workspace(settings)
    yield opened
    opened.close()


@pytest.fixture
def client(workspace):
    """The service."""
    with TestClient(create_app(workspace)) as client:
        yield client


@pytest.fixture
def shop(tmp_path, client, workspace):
    """A repository that the service looks after."""
    return Shop(tmp_path, client, workspace)


@pytest.mark.parametrize("forge", ["github", "gitlab", "gitea", "bitbucket"])
def test_a_push_is_indexed(shop, forge):
    """The signed push of each forge makes a job; when it has run the index is at the pushed commit."""
    before, after = shop.push("second")
    answer = shop.tell(before, after, forge=forge)
    (job,) = answer["jobs"]
    assert not answer["known"]
    assert (shop.job(job)["state"], shop.job(job)["ref"], shop.job(job)["commit"]) == ("waiting", "main", after)
    told = shop.client.get("/v1/repositories/shop").json()
    assert told["refs"][0]["behind"] | {"seconds": 0, "since": ""} == {
        "commit": after, "since": "", "seconds": 0, "pushes": 1, "job": job, "state": "waiting",
    }  # fmt: skip
    assert shop.work() == ["done"]
    assert shop.refs == {"main": after}
    told = shop.client.get("/v1/repositories/shop").json()
    assert (told["refs"][0]["behind"], told["lag_seconds"]) == (None, 0.0)
    assert told["last_push"] is not None


def test_a_delivery_counts_once(shop):
    """The same delivery again is acknowledged with the job of the first time, also after that has run."""
    before, after = shop.push("second")
    first = shop.tell(before, after, delivery="one-and-the-same")
    again = shop.tell(before, after, delivery="one-and-the-same")
    assert again == first | {"known": True}
    assert shop.work() == ["done"]
    assert shop.tell(before, after, delivery="one-and-the-same") == first | {"known": True}
    assert shop.work() == []


def test_a_delivery_that_leads_to_no_job_counts_once_too(shop):
    """It is known when it comes again, also in the same batch as others."""
    before, after = shop.push("a", "topic")
    first = shop.tell(before, after, ref="topic", delivery="of-no-interest")
    assert (first["jobs"], first["known"]) == ([], False)
    assert shop.tell(before, after, ref="topic", delivery="of-no-interest") == first | {"known": True}


def test_pushes_join(shop):
    """What is pushed while a job waits joins it; what is pushed while it runs makes one more."""
    told = [shop.tell(*shop.push(f"push{number}"))["jobs"] for number in range(5)]
    assert len({tuple(one) for one in told}) == 1
    (job,) = told[0]
    assert shop.job(job)["pushes"] == 5
    with shop.workspace.engine.begin() as connection:
        running = jobs.begin(connection, job, 1, "other", time.time())
    late = [shop.tell(*shop.push(f"late{number}"))["jobs"] for number in range(3)]
    assert late[0] == late[1] == late[2] != told[0]
    with shop.workspace.engine.begin() as connection:
        jobs.finish(connection, running, "done", time.time())
    assert shop.work() == ["done"]
    assert shop.refs == {"main": git(shop.bare, "rev-parse", "main")}


def test_only_what_is_followed_is_indexed(tmp_path, client, workspace):
    """The default branch, what is indexed already, and what the patterns name; nothing else."""
    shop = Shop(tmp_path, client, workspace, follow=["release/*", "v*"])
    assert shop.tell(*shop.push("a", "topic"), ref="topic")["jobs"] == []
    (release,) = shop.tell(*shop.push("b", "release/1"), ref="release/1")["jobs"]
    git(shop.clone, "tag", "v1")
    git(shop.clone, "push", "-q", "origin", "v1")
    (tag,) = shop.tell(None, git(shop.clone, "rev-parse", "v1"), ref="refs/tags/v1")["jobs"]
    client.post("/v1/repositories/shop/index", json={"ref": "topic"})
    assert shop.work() == ["done"] * 3
    assert set(shop.refs) == {"main", "release/1", "v1", "topic"}
    assert shop.job(release)["state"] == shop.job(tag)["state"] == "done"
    (job,) = shop.tell(*shop.push("c", "topic"), ref="topic")["jobs"]
    assert shop.job(job)["ref"] == "topic"


def test_a_deleted_branch_is_forgotten(tmp_path, client, workspace):
    """Its index goes; a delivery that lies, or is out of date, deletes nothing."""
    shop = Shop(tmp_path, client, workspace, follow=["topic"])
    before, after = shop.push("a", "topic")
    shop.tell(before, after, ref="topic")
    assert shop.work() == ["done"]
    (lie,) = shop.tell(after, None, ref="topic")["jobs"]
    assert shop.work() == ["done"]
    assert shop.refs["topic"] == after
    assert not shop.job(lie)["report"]["changed"]
    git(shop.clone, "push", "-q", "origin", "--delete", "topic")
    (job,) = shop.tell(after, None, ref="topic")["jobs"]
    assert shop.work() == ["done"]
    assert set(shop.refs) == {"main"}
    assert shop.job(job)["report"] == {"removed": True}
    assert client.post("/v1/search", json={"query": "a", "repositories": ["shop"], "ref": "topic"}).status_code == 404


def test_a_branch_that_failed_and_was_deleted_counts_no_more(tmp_path, client, workspace):
    """Nobody can mend it: neither the failure nor the lag is told for ever."""
    shop = Shop(tmp_path, client, workspace, follow=["topic"])
    before, after = shop.push("a", "topic")
    (job,) = shop.tell(before, after, ref="topic")["jobs"]
    with workspace.engine.begin() as connection:
        jobs.finish(connection, jobs.begin(connection, job, 1, "w", time.time()), "failed", time.time(), error="x")
        assert jobs.failed_refs(connection) == {"shop": 1}
    git(shop.clone, "push", "-q", "origin", "--delete", "topic")
    shop.tell(after, None, ref="topic")
    shop.work()
    with workspace.engine.begin() as connection:
        assert (jobs.failed_refs(connection), jobs.oldest_open(connection)) == ({}, {})


def test_a_force_push_leaves_no_trace(shop):
    """The index is that of the new commit alone, and deliveries in the wrong order change nothing."""
    first = git(shop.bare, "rev-parse", "main")
    before, after = shop.push("second")
    shop.tell(before, after)
    shop.work()
    git(shop.clone, "reset", "-q", "--hard", first)
    _, forced = shop.push("third", "main", "-f")
    shop.tell(after, forced)
    shop.tell(before, after)  # late
    assert shop.work() == ["done"]
    assert shop.refs == {"main": forced}
    found = shop.client.post("/v1/search", json={"query": "second", "repositories": ["shop"], "level": "symbol"}).json()
    assert [hit["symbol"] for hit in found["hits"] if hit["symbol"] == "second"] == []


def test_the_default_branch_moves(shop):
    """Where none was named, the default ref is what the forge says; its index is made at once."""
    shop.push("a", "trunk")
    git(shop.bare, "symbolic-ref", "HEAD", "refs/heads/trunk")
    examples = json.loads((PAYLOADS / "github.json").read_text())
    assert examples  # those of the forge itself are read in test_forges
    headers, body = sample("github", URL, "trunk", None, git(shop.bare, "rev-parse", "trunk"), SECRET, "x", time.time())
    payload = json.loads(body)
    payload["repository"]["default_branch"] = "trunk"
    body = json.dumps(payload).encode()
    import hashlib
    import hmac

    headers["x-hub-signature-256"] = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    answer = shop.client.post("/v1/webhooks/github?repository=shop", content=body, headers=headers).json()
    assert len(answer["jobs"]) == 1
    assert shop.work() == ["done"]
    shown = shop.client.get("/v1/repositories/shop").json()
    assert shown["default_ref"] == "trunk"
    assert set(shop.refs) == {"main", "trunk"}


def test_what_is_not_signed_is_refused(shop):
    """A wrong secret, no signature, another repository's secret, a body that was changed: 401, and nothing is done."""
    before, after = shop.push("second")
    headers, body = sample("github", URL, "main", before, after, SECRET, "x", time.time())
    wrong, _ = sample("github", URL, "main", before, after, "another-secret", "x", time.time())
    post = lambda name, headers, body: shop.client.post(  # noqa: E731
        f"/v1/webhooks/github?repository={name}", headers=headers, content=body
    )
    bare = {name: value for name, value in headers.items() if "signature" not in name}
    refused = [
        post("shop", wrong, body), post("shop", bare, body), post("shop", headers, body + b" "),
        post("unknown", headers, body), post("..%2F..%2Fetc", headers, body),
    ]  # fmt: skip
    assert [answer.status_code for answer in refused] == [401] * 5
    same = {answer.json()["detail"] for answer in (refused[0], refused[2], refused[3], refused[4])}
    assert len(same) == 1  # whether a repository exists is not told
    assert shop.work() == []


def test_secrets_rotate(shop):
    """A new secret is valid beside the one before, until that is taken away."""
    patch = lambda **asked: shop.client.patch("/v1/repositories/shop", json=asked).json()  # noqa: E731
    assert patch(webhook_secret="the-second-secret")["webhook_secrets"] == 2
    for secret in (SECRET, "the-second-secret"):
        shop.tell(*shop.push(f"s{len(secret)}"), secret=secret)
    assert patch(webhook_secret="the-third-secret")["webhook_secrets"] == 2
    headers, body = sample("github", URL, "main", None, "1" * 40, SECRET, "x", time.time())
    assert shop.client.post("/v1/webhooks/github?repository=shop", headers=headers, content=body).status_code == 401
    shop.tell(*shop.push("t"), secret="the-second-secret")
    assert patch(webhook_secrets=["the-third-secret"])["webhook_secrets"] == 1
    shop.tell(*shop.push("u"), secret="the-third-secret")


def test_a_ping_is_answered(shop):
    """200, and nothing is indexed."""
    headers, body = sample_ping("github", URL, SECRET, "p", time.time())
    answer = shop.client.post("/v1/webhooks/github?repository=shop", headers=headers, content=body)
    assert (answer.status_code, answer.json()["jobs"]) == (200, [])


def test_a_test_push_says_what_a_real_one_would_do_and_leaves_no_job(shop):
    """As `repoctx webhook test` sends it; also when it comes again."""
    first = shop.tell(None, NO_COMMIT, delivery="a-test")
    assert (first["jobs"], first["test"]) == ([], ["main"])
    again = shop.tell(None, NO_COMMIT, delivery="a-test")
    assert (again["jobs"], again["known"]) == ([], True)
    assert shop.tell(None, NO_COMMIT, ref="topic")["test"] == []
    assert shop.work() == []
    told = shop.client.get("/v1/repositories/shop").json()
    assert (told["refs"][0]["behind"], told["lag_seconds"], told["last_push"]) == (None, 0.0, None)
    assert shop.tell(*shop.push("second"))["test"] is None


def test_a_repository_is_found_by_its_url(tmp_path, client, workspace):
    """Whatever way the delivery writes its clone URL; of two with the same place, the one whose secret it is."""
    (tmp_path / "git").mkdir()
    with git_http.serving(tmp_path / "git") as server:
        git(tmp_path, "init", "-q", "--bare", "-b", "main", str(server.folder / "team.git"))
        url = f"{server.url}/team.git"
        for name, secret in (("one", "secret-number-one"), ("two", "secret-number-two")):
            asked = {"url": url, "name": name, "webhook_secret": secret, "index": False}
            assert client.post("/v1/repositories", json=asked).status_code == 201
        written = f"http://127.0.0.1:{server.port}/team"
        headers, body = sample("gitea", written, "main", None, "1" * 40, "secret-number-two", "x", time.time())
        answer = client.post("/v1/webhooks/gitea", headers=headers, content=body)
        assert answer.status_code == 202, answer.text
        (job,) = answer.json()["jobs"]
        assert client.get(f"/v1/jobs/{job}").json()["repository"] == "two"


def test_pushes_are_found_by_asking(tmp_path, client, workspace):
    """Where no webhook can come the server is asked: what moved, appeared or went becomes a job, once."""
    (tmp_path / "git").mkdir()
    with git_http.serving(tmp_path / "git") as server:
        bare, clone = server.folder / "tool.git", tmp_path / "clone"
        git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
        git(tmp_path, "clone", "-q", str(bare), str(clone))
        write_files(clone, {"a.py": "def a(): pass\n"})
        git(clone, "checkout", "-q", "-B", "main")
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "-m", "a")
        git(clone, "push", "-q", "origin", "main", "main:release/1", "main:topic")
        asked = {"url": f"{server.url}/tool.git", "poll_seconds": 60, "follow": ["release/*"]}
        assert client.post("/v1/repositories", json=asked).status_code == 201

        def poll() -> list[str]:
            with workspace.engine.connect() as connection:
                (found,) = registry.due_polls(connection, time.time() + 100, 0, 9)
                assert registry.due_polls(connection, time.time(), 0, 9) == []
            ids = polls.poll_one(workspace, found)
            return sorted(client.get(f"/v1/jobs/{one}").json()["ref"] or "" for one in ids)

        def run() -> list[str]:
            with workspace.engine.connect() as connection:
                due = jobs.open_jobs(connection)
            return [attempt.run(workspace, job.id, job.attempt, "w", lambda: False).name for job in due]

        assert run() == ["done"]
        assert poll() == ["release/1"]
        assert run() == ["done"]
        assert poll() == []
        write_files(clone, {"b.py": "def b(): pass\n"})
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "-m", "b")
        git(clone, "push", "-q", "origin", "main", ":release/1")
        assert poll() == ["main", "release/1"]
        assert sorted(run()) == ["done", "done"]
        shown = client.get("/v1/repositories/tool").json()
        assert {ref["ref"]: ref["commit"] for ref in shown["refs"]} == {"main": git(bare, "rev-parse", "main")}


def test_a_repository_on_the_services_machine_is_asked_too(tmp_path, client, workspace):
    """By its path, where it may be read."""
    shop = Shop(tmp_path, client, workspace, poll_seconds=60)
    _, after = shop.push("second")
    with workspace.engine.connect() as connection:
        (found,) = registry.due_polls(connection, time.time() + 100, 0, 9)
    (job,) = polls.poll_one(workspace, found)
    assert (shop.job(job)["ref"], shop.job(job)["cause"]) == ("main", "poll")
    assert shop.work() == ["done"]
    assert shop.refs == {"main": after}


def test_a_push_that_the_server_does_not_show_yet_is_asked_for_again(tmp_path, client, workspace):
    """A commit that is not there, on a branch that is or on one that is not: four times, then it counts as gone."""
    shop = Shop(tmp_path, client, workspace, follow=["topic"])
    (known,) = shop.tell("1" * 40, "2" * 40)["jobs"]
    (new,) = shop.tell(None, "3" * 40, ref="topic")["jobs"]
    for _ in range(4):
        assert shop.work_all() == ["again", "again"]
        assert {shop.job(job)["error"] for job in (known, new)} == {"the server does not show yet what was pushed"}
    assert shop.work_all() == ["done", "done"]
    assert shop.job(new)["report"] == {"removed": True}
    assert not shop.job(known)["report"]["changed"]
    assert client.get("/v1/repositories/shop").json()["lag_seconds"] == 0.0
    before, _ = shop.push("late", "topic")
    (job,) = shop.tell(before, "4" * 40, ref="topic")["jobs"]
    assert shop.work_all() == ["again"]
    shop.push("later", "topic")
    assert shop.tell(before, git(shop.bare, "rev-parse", "topic"), ref="topic")["jobs"] == [job]
    assert shop.work_all() == ["done"]
    assert shop.refs["topic"] == git(shop.bare, "rev-parse", "topic")


def test_a_push_during_the_first_index_of_a_branch_is_not_lost(shop):
    """Nothing follows the branch, and nothing of it is indexed yet: the job that runs says that it will be."""
    shop.push("a", "topic")
    job = shop.client.post("/v1/repositories/shop/index", json={"ref": "topic"}).json()["id"]
    with shop.workspace.engine.begin() as connection:
        running = jobs.begin(connection, job, 1, "other", time.time())
    (more,) = shop.tell(*shop.push("b", "topic"), ref="topic")["jobs"]
    assert more != job
    with shop.workspace.engine.begin() as connection:
        jobs.finish(connection, running, "done", time.time())
    assert shop.work() == ["done"]
    assert shop.refs["topic"] == git(shop.bare, "rev-parse", "topic")


def test_a_ref_that_was_asked_for_and_is_missing_is_a_failure(shop):
    """A misspelt name is told at once, and forgets nothing."""
    job = shop.client.post("/v1/repositories/shop/index", json={"ref": "mian"}).json()["id"]
    assert shop.work() == ["failed"]
    assert "has no branch, tag or commit 'mian'" in shop.job(job)["error"]


def test_a_worker_that_was_taken_for_dead_forgets_no_branch(tmp_path, client, workspace):
    """It found the branch gone; another has indexed it since, when it was back."""
    shop = Shop(tmp_path, client, workspace, follow=["topic"])
    before, after = shop.push("a", "topic")
    shop.tell(before, after, ref="topic")
    assert shop.work() == ["done"]
    git(shop.clone, "push", "-q", "origin", "--delete", "topic")
    (job,) = shop.tell(after, None, ref="topic")["jobs"]
    with workspace.engine.begin() as connection:
        first = jobs.begin(connection, job, 1, "first", time.time())
    with workspace.engine.begin() as connection:
        jobs.lose(connection, job, 1, 30, time.time())
    with pytest.raises(attempt.Stopped):
        attempt.index(workspace, first, lambda _: None)
    assert shop.refs["topic"] == after
    shop.push("b", "topic")
    assert shop.work_all() == ["done"]
    assert shop.refs["topic"] == git(shop.bare, "rev-parse", "topic")


def test_what_cannot_be_written_is_refused_and_the_next_is_taken(shop):
    """Whatever is wrong with the database for a while."""
    before, after = shop.push("second")
    tables_are_gone = "ALTER TABLE deliveries RENAME TO hidden"
    with shop.workspace.engine.begin() as connection:
        connection.exec_driver_sql(tables_are_gone)
    headers, body = sample("github", URL, "main", before, after, SECRET, "x", time.time())
    answer = shop.client.post("/v1/webhooks/github?repository=shop", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    with shop.workspace.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO deliveries")
    shop.tell(before, after)
    assert shop.work() == ["done"]


def test_failures_are_tried_again_and_then_given_up(shop, tmp_path):
    """A repository that is away is tried with growing waits; in the end the job is in the list of failed ones, and
    can be tried again."""
    away = tmp_path / "away.git"
    shop.bare.rename(away)
    (job,) = shop.tell("1" * 40, "2" * 40)["jobs"]
    waits = []
    for _ in range(5):
        with shop.workspace.engine.connect() as connection:
            (due,) = jobs.open_jobs(connection)
        waits.append(due.due_at - time.time())
        attempt.run(shop.workspace, due.id, due.attempt, "w", lambda: False)
    assert shop.job(job)["state"] == "failed"
    assert "does not exist" in shop.job(job)["error"]
    growing = waits[1:]
    assert [0.5 < wait / expected < 1.5 for wait, expected in zip(growing, (1, 4, 16, 64), strict=True)] == [True] * 4
    behind = shop.client.get("/v1/repositories/shop").json()["refs"][0]["behind"]
    assert (behind["job"], behind["state"]) == (job, "failed")
    failed = shop.client.get("/v1/jobs", params={"state": "failed"}).json()["items"]
    assert [one["id"] for one in failed] == [job]
    away.rename(shop.bare)
    retried = shop.client.post(f"/v1/jobs/{job}/retry").json()
    assert shop.work() == ["done"]
    assert shop.job(retried["id"])["state"] == "done"
    assert shop.client.get("/v1/repositories/shop").json()["refs"][0]["behind"] is None
