"""Tasks of the service: written down before they are acknowledged, done by workers, gone on with after they die."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, running, until

from repoctx.serve.scripted import Server, scripted

SHOP = {
    "shop/cart.py": '"""A cart."""\n\n\ndef total(prices):\n    return sum(prices) + 1\n',
    "shop/till.py": "from shop.cart import total\n\n\ndef pay(prices):\n    return total(prices)\n",
}
MENDED = """One is added in shop/cart.py:5.

shop/cart.py
<<<<<<< SEARCH
    return sum(prices) + 1
=======
    return sum(prices)
>>>>>>> REPLACE
"""
REPORT = {"report": "total in shop/cart.py is one too much: total([1]) gives 2"}
DIFF = """diff --git a/shop/cart.py b/shop/cart.py
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -2,4 +2,4 @@
 
 
 def total(prices):
-    return sum(prices) + 1
+    return sum(prices)
"""


@contextmanager
def served(tmp_path: Path, folder: Path, script: list[Any], **settings: str) -> Iterator[tuple[Running, Server]]:
    """A service that has indexed a repository, and its scripted back end."""
    replies = [{"text": one} if isinstance(one, str) else one for one in script]
    with (
        scripted({"replies": replies}) as server,
        running(tmp_path / "home", {"REPOCTX_BACKEND_URL": server.url, **settings}) as service,
    ):
        service.client.post("/v1/repositories", json={"path": str(folder), "name": "shop"}).raise_for_status()
        until(lambda: service.ask("GET", "/v1/repositories/shop/map"), "an index")
        yield service, server


def submit(service: Running, kind: str = "debug", **wanted: Any) -> str:
    """The id of a new task."""
    body = {"kind": kind, "repository": "shop", "input": wanted or REPORT}
    headers = {"Content-Type": "application/json"}
    answer = service.client.post("/v1/tasks", content=json.dumps(body), headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/tasks/{answer.json()['id']}"
    return str(answer.json()["id"])


def ended(service: Running, task: str) -> dict[str, Any]:
    """A task when it is finished."""

    def look() -> dict[str, Any] | None:
        answer = service.ask("GET", f"/v1/tasks/{task}")
        found = answer.json() if answer is not None else None
        return found if found and found["state"] not in ("waiting", "running") else None

    return until(look, "the end of a task")


def told(service: Running, task: str, after: str | None = None) -> list[tuple[str, str, dict[str, Any]]]:
    """The events of a finished task: id, event, data."""
    headers = {"Last-Event-ID": after} if after else {}
    text = service.client.get(f"/v1/tasks/{task}/events", headers=headers).text
    found = []
    for part in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines())
        found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


@pytest.mark.slow
def test_a_bug_is_mended_and_followed(tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    """A change that does not hold is sent back; the events tell of it, whole or from any point on."""
    with served(tmp_path, make_repository(SHOP), [MENDED.replace("+ 1", "+ 7"), MENDED]) as (service, server):
        task = submit(service, report=REPORT["report"] + " \ud800")
        found = ended(service, task)
        assert found["input"] == {"report": REPORT["report"] + " \ufffd"}
        result = found["result"]
        assert (found["state"], found["error"], result["outcome"], result["diff"]) == ("done", None, "valid", DIFF)
        assert [one["exists"] for one in result["citations"]] == [True]
        assert found["spent"] == result["spent"]
        assert found["spent"]["calls"] == 2 == len(server.requests)
        assert "return sum(prices) + 1" in server.requests[1]["messages"][-1]["content"]
        events = told(service, task)
        assert [event for _, event, _ in events] == [
            "begin", "ask", "attempt", "ask", "apply", "attempt", "task",
        ]  # fmt: skip
        assert events[-1][2]["result"] == result
        assert told(service, task, after="4") == events[4:]
        (listed,) = service.client.get("/v1/tasks").json()["items"]
        assert (listed["id"], listed["result"], listed["input"]) == (task, None, None)


@pytest.mark.slow
def test_an_answer_is_paid_for_once(tmp_path: Path, make_repository: Callable[..., Path], database_url: str) -> None:
    """A worker is killed while the model answers: another goes on where it was, on either database."""
    script = ["I have seen no cause.", {"stall": True}, MENDED]
    folder = make_repository(SHOP)
    with served(tmp_path, folder, script, REPOCTX_DATABASE_URL=database_url) as (service, server):
        task = submit(service)
        until(lambda: len(server.requests) == 2, "the second question")
        service.kill_workers()
        found = ended(service, task)
        assert (found["state"], found["attempt"], found["result"]["diff"]) == ("done", 2, DIFF)
        questions = [json.dumps(request["messages"]) for request in server.requests]
        assert len(questions) == 3
        assert questions[0] != questions[1] == questions[2]
        assert found["spent"]["calls"] == 2


@pytest.mark.slow
def test_a_cancelled_task_breaks_its_question_off(tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    """The back end sees the connection go; a task that failed or was cancelled goes on when it is asked to."""
    with served(tmp_path, make_repository(SHOP), [{"stall": True}, MENDED]) as (service, server):
        task = submit(service)
        until(lambda: server.requests, "the question")
        assert service.client.delete(f"/v1/tasks/{task}").status_code == 202
        assert ended(service, task)["state"] == "cancelled"
        assert server.left.get(timeout=20) == 0  # its client hung up
        refused = service.client.delete(f"/v1/tasks/{task}")
        assert (refused.status_code, refused.json()["detail"]) == (
            422, "the task is cancelled already: there is nothing to cancel",
        )  # fmt: skip
        assert service.client.post(f"/v1/tasks/{task}/retry").status_code == 202
        assert ended(service, task)["result"]["diff"] == DIFF


@pytest.mark.slow
def test_a_failed_task_says_why_and_goes_on(tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    """What a push brings meanwhile is not what it is about."""
    folder = make_repository(SHOP)
    refusal = {"status": 400, "body": '{"error": {"message": "the model is out of order"}}'}
    with served(tmp_path, folder, ["Nothing.", refusal, MENDED]) as (service, server):
        task = submit(service)
        found = ended(service, task)
        assert found["state"] == "failed"
        assert found["error"].endswith("the model is out of order")
        (folder / "shop/cart.py").write_text("def total(prices):\n    return 0\n")
        job = service.client.post("/v1/repositories/shop/index").json()["id"]
        until(lambda: service.client.get(f"/v1/jobs/{job}").json()["state"] == "done", "the second index")
        service.client.post(f"/v1/tasks/{task}/retry").raise_for_status()
        found = ended(service, task)
        assert (found["state"], found["result"]["diff"]) == ("done", DIFF)
        assert len(server.requests) == 3
        assert server.requests[1]["messages"] == server.requests[2]["messages"]


@pytest.mark.slow
def test_a_built_in_workflow_is_a_kind_of_its_own(tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    """Its inputs are those of the task."""
    said = "total adds one, see shop/cart.py:5 and shop/cart.py:77."
    with served(tmp_path, make_repository(SHOP), [said]) as (service, _):
        found = ended(service, submit(service, "explain", question="what does total do?"))
        assert (found["state"], found["kind"], found["result"]["result"]) == ("done", "workflow", said)
        assert [(one["line"], one["exists"]) for one in found["result"]["citations"]] == [(5, True), (77, False)]
        assert found["input"] == {"workflow": "explain", "inputs": {"question": "what does total do?"}}


@pytest.mark.slow
def test_what_cannot_be_done_is_refused_before_it_is_written_down(
    tmp_path: Path, make_repository: Callable[..., Path]
) -> None:
    """One clear sentence each."""
    with served(tmp_path, make_repository(SHOP), []) as (service, server):
        said: dict[str, tuple[int, str]] = {}
        for name, body in {
            "kind": {"kind": "guess", "repository": "shop", "input": {}},
            "repository": {"kind": "debug", "repository": "other", "input": REPORT},
            "ref": {"kind": "debug", "repository": "shop", "ref": "dev", "input": REPORT},
            "report": {"kind": "debug", "repository": "shop", "input": {"report": " "}},
            "unknown": {"kind": "debug", "repository": "shop", "input": {**REPORT, "x": 1}},
            "test": {"kind": "debug", "repository": "shop", "input": {**REPORT, "test": "rm -rf /"}},
            "workflow": {"kind": "workflow", "repository": "shop", "input": {"workflow": "/etc/passwd"}},
        }.items():
            answer = service.client.post("/v1/tasks", json=body)
            said[name] = (answer.status_code, answer.json()["detail"])
        assert {name: status for name, (status, _) in said.items()} == {
            "kind": 422, "repository": 404, "ref": 404, "report": 422, "unknown": 422, "test": 422, "workflow": 422,
        }  # fmt: skip
        assert said["test"][1] == (
            "this test command is not allowed for shop: whoever runs the service allows it as shop=COMMAND in "
            "tasks.tests"
        )
        assert "root:" not in said["workflow"][1]
        assert service.client.get("/v1/tasks").json()["items"] == []
        assert server.requests == []


@pytest.mark.slow
def test_other_tenants_see_nothing_of_a_task(tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    """A token for another repository: the same answer as for a task that there is not."""
    import subprocess

    from running import PROGRAM

    with served(tmp_path, make_repository(SHOP), [MENDED]) as (service, _):
        task = submit(service)
        ended(service, task)
        make = [*PROGRAM, "--home", str(service.home), "token", "create", "--scope", "write", "--repo", "other"]
        token = subprocess.run(make, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
        headers = {"Authorization": f"Bearer {token}"}
        for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", ""), ("POST", "/retry")):
            answers: list[httpx.Response] = [
                service.client.request(method, f"/v1/tasks/{one}{path}", headers=headers) for one in (task, "0" * 32)
            ]
            assert [one.status_code for one in answers] == [404, 404]
            assert answers[0].json()["detail"].replace(task, "0" * 32) == answers[1].json()["detail"]
        assert service.client.get("/v1/tasks", headers=headers).json()["items"] == []


def test_without_a_back_end_what_asks_no_model_is_done_and_nothing_else(
    tmp_path: Path, make_repository: Callable[..., Path], repoctx: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is refused before it is written down, the second time too; one step with a prompt is enough for that."""
    from fastapi.testclient import TestClient

    from repoctx import tasking
    from repoctx.serve.rest import create_app
    from repoctx.store import tasks
    from repoctx.workspace import Workspace

    def sent(kind: str, wanted: Any) -> tuple[int, str]:
        answer = client.post("/v1/tasks", json={"kind": kind, "repository": "shop", "input": wanted})
        return answer.status_code, answer.json().get("detail", "")

    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")
    uses = "name: uses\ndescription: Who calls it.\nsteps:\n- {id: a, graph: {ask: callers, symbol: total}}\n"
    asks = uses + "- {id: b, prompt: 'Why {{ steps.a.output.total }}?'}\n"
    refusal = 422, "no model back end is set: whoever runs the service sets backend.url, for its workers too"
    workspace = Workspace()
    workspace.index(str(make_repository(SHOP)), name="shop")
    failed = tasking.submit(workspace, "debug", REPORT, "shop", local=True)
    with workspace.engine.begin() as connection:
        assert tasks.finish(connection, failed, "failed", 2.0, error="no model")
    with TestClient(create_app(workspace)) as client:
        assert sent("debug", {"report": " "})[1].startswith("the input of the debug task cannot be used")
        for kind, wanted in (("debug", REPORT), ("explain", {"question": "x"}), ("workflow", {"workflow": asks})):
            assert sent(kind, wanted) == refusal, kind
        again = client.post(f"/v1/tasks/{failed.id}/retry")
        assert (again.status_code, again.json()["detail"]) == refusal
        assert [one["id"] for one in client.get("/v1/tasks").json()["items"]] == [failed.id]
        assert sent("workflow", {"workflow": uses}) == (202, "")
    workspace.close()
    workspace = Workspace(flags={"backend_tiers": ["1m=http://127.0.0.1:9/v1"]})
    with TestClient(create_app(workspace)) as client:
        assert sent("debug", REPORT) == (202, "")
    workspace.close()
    for name, text, wanted in (("uses", uses, 0), ("asks", asks, 2)):
        (tmp_path / name).write_text(text)
        code, out, err = repoctx("run", str(tmp_path / name), "--repo", "shop", "--json")
        assert code == wanted, err
        assert ('"event":"result"' in out) == (wanted == 0)


def test_all_events_of_a_long_task_are_told(tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    """However many there are, and the task after them."""
    from fastapi.testclient import TestClient

    from repoctx import tasking
    from repoctx.serve.rest import create_app
    from repoctx.store import tasks
    from repoctx.workspace import Workspace

    workspace = Workspace({"REPOCTX_HOME": str(tmp_path / "home"), "REPOCTX_BACKEND_URL": "http://127.0.0.1:9/v1"})
    workspace.index(str(make_repository(SHOP)), name="shop")
    task = tasking.submit(workspace, "debug", REPORT, "shop", local=True)
    with workspace.engine.begin() as connection:
        for number in range(1, 2203):
            assert tasks.tell(connection, task, "ask", {"step": str(number)}, 1.0)
        assert tasks.finish(connection, task, "done", 2.0, result={"outcome": "valid"})
    with TestClient(create_app(workspace)) as client:
        text = client.get(f"/v1/tasks/{task.id}/events").text
    workspace.close()
    ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    assert ids == [*map(str, range(1, 2203)), "2202"]
    assert text.count("event: task\n") == 1
