"""What the service does about callers that are slow, loud, broken or too many."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from served import PATIENCE, Address, listening, rest

from repoctx.serve import attempt, connections
from repoctx.serve.background import PROGRAM
from repoctx.serve.rest import around, create_app, hooks
from repoctx.serve.scripted import scripted
from repoctx.store import access, tables
from repoctx.workspace import Workspace

FILES = {
    "store.py": "class Store:\n    '''Keeps values.'''\n\n    def load(self, key):\n        return self.values[key]\n",
    "app.py": "from store import Store\n\n\ndef main():\n    return Store().load('x')\n",
}
JSON = {"Content-Type": "application/json"}
HEAD = b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found by vectors is not asked here."""
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")


@contextmanager
def app_of(**options: Any) -> Iterator[tuple[FastAPI, Workspace]]:
    """The app on a workspace with some settings."""
    workspace = Workspace(flags=options)
    try:
        yield create_app(workspace), workspace
    finally:
        workspace.close()


@pytest.fixture
def at() -> Iterator[Address]:
    """The service over HTTP."""
    with app_of(serve_body_bytes=1000) as (app, _), listening(app) as address:
        yield address


def problem(said: bytes, status: int) -> dict[str, Any]:
    """The problem that is the last answer on a connection."""
    head, _, body = said.rpartition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), said[:500]
    assert b"content-type: application/problem+json" in head.lower()
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == status
    assert f"x-request-id: {found['instance'].removeprefix('urn:request:')}" in head.decode().lower()
    return found


def exchange(connection: socket.socket, said: bytes) -> bytes:
    """The answer to a request on a connection that is kept."""
    connection.sendall(said)
    found = b""
    while (size := re.search(rb"content-length: (\d+)\r\n.*?\r\n\r\n", found, re.DOTALL)) is None or (
        len(found) < size.end() + int(size[1])
    ):
        piece = connection.recv(65536)
        assert piece, found
        found += piece
    return found


# --- slow callers ------------------------------------------------------------------------------


def test_a_head_that_does_not_come_is_not_waited_for(at: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a silent connection, nor half a head, nor half a second head; the service answers others meanwhile."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    began = time.monotonic()
    assert at.hear() == b""
    assert at.hear(b"GET /healthz HTTP/1.1\r\nHost: ") == b""
    twice = at.hear(GET + b"GET /healthz")
    assert (twice.count(b"HTTP/1.1 200"), twice.count(b"HTTP/1.1")) == (1, 1)
    assert time.monotonic() - began < PATIENCE / 2


def test_a_head_that_comes_byte_by_byte_is_not_waited_for_either(at: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is that of the whole head; whoever comes in between is answered."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    began = time.monotonic()
    with at.connect() as slow:
        slow.settimeout(0.1)  # what paces the bytes
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        closed = False
        while not closed and time.monotonic() - began < PATIENCE:
            try:
                slow.sendall(b"x")
                closed = slow.recv(100) == b""
            except TimeoutError:
                assert at.hear(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
            except ConnectionError:
                closed = True
    assert closed
    assert time.monotonic() - began < PATIENCE / 2


def test_answers_that_nobody_takes_are_not_kept(at: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for much and reads nothing is let go, and others are answered meanwhile."""
    monkeypatch.setattr(connections, "TAKE_SECONDS", 0.5)
    asked = b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((at.host, at.port))
        stuck.settimeout(PATIENCE)
        stuck.sendall(asked * 200)
        began = time.monotonic()
        closed = False
        while not closed and time.monotonic() - began < PATIENCE:
            assert at.hear(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
            with contextlib.suppress(BlockingIOError):
                try:
                    stuck.send(b" ", socket.MSG_DONTWAIT)
                except (ConnectionError, BrokenPipeError):
                    closed = True
    assert closed


def test_a_connection_that_is_used_is_kept(at: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for a head is counted from its first byte: between requests there is more."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with at.connect() as connection:
        for _ in range(2):
            assert exchange(connection, GET).startswith(b"HTTP/1.1 200")
            connection.settimeout(0.6)
            with pytest.raises(TimeoutError):
                connection.recv(1)  # nothing is said, and nobody hangs up
            connection.settimeout(PATIENCE)


@pytest.mark.parametrize("path", [b"/v1/search", b"/v1/webhooks/github"])
def test_a_body_that_stands_still_is_told_so(at: Address, monkeypatch: pytest.MonkeyPatch, path: bytes) -> None:
    """408 and the end of the connection, with Content-Length and in chunks, before the first byte and after."""
    monkeypatch.setattr(around, "BODY_SECONDS", 0.3)
    head = HEAD.replace(b"/v1/search", path) + b"X-Hub-Signature-256: sha256=00\r\n"
    for said in (b"Content-Length: 50\r\n\r\n", b'Content-Length: 50\r\n\r\n{"que',
                 b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"que\r\n"):  # fmt: skip
        found = problem(at.hear(head + said), 408)
        assert found["detail"] == "the request's body stood still for 0.3 seconds"


def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """504, and the connection goes on; what was found too late goes nowhere, a failure neither."""
    monkeypatch.setattr(around, "BODY_SECONDS", 5.0)
    gate, done = threading.Event(), threading.Semaphore(0)
    with app_of(serve_seconds=1) as (app, _):

        @app.get("/slow")
        def slow(fail: bool = False) -> str:
            """Wait for the test."""
            gate.wait(PATIENCE)
            done.release()
            if fail:
                raise ValueError("too late anyway")
            return "late"

        with listening(app) as at, at.connect() as connection:
            for query in (b"", b"?fail=1"):
                found = problem(exchange(connection, GET.replace(b"/healthz", b"/slow" + query)), 504)
                assert found["detail"] == "the answer took too long: ask for less, or again when the index is warm"
            assert b'{"status":"ok"' in exchange(connection, GET)
            gate.set()
            assert done.acquire(timeout=PATIENCE)
            assert done.acquire(timeout=PATIENCE)
            again = exchange(connection, GET)
            assert again.startswith(b"HTTP/1.1 200")
            assert b"late" not in again


# --- too much ----------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused(at: Address) -> None:
    """413 at once where its length is told, and as soon as it is too much where it is not."""
    small = json.dumps({"query": "x" * 900}).encode()
    assert at.hear(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(small), small).startswith(
        b"HTTP/1.1 404"  # nothing is indexed
    )
    problem(at.hear(HEAD + b"Connection: close\r\nContent-Length: 1001\r\n\r\n"), 413)
    chunk = b"190\r\n" + b"x" * 400 + b"\r\n"
    problem(at.hear(HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n", chunk * 3 + b"0\r\n\r\n"), 413)


def test_a_delivery_may_be_larger_but_not_endless(at: Address) -> None:
    """A forge may send more than others, up to a bound of its own."""
    head = HEAD.replace(b"/v1/search", b"/v1/webhooks/github") + b"X-Hub-Signature-256: sha256=00\r\n"
    head += b"X-GitHub-Event: push\r\nX-GitHub-Delivery: 1\r\nConnection: close\r\n"
    problem(at.hear(head + b"Content-Length: %d\r\n\r\n" % (hooks.MOST_BYTES + 1)), 413)
    body = json.dumps({"x": "y" * 100_000}).encode()
    said = at.hear(head + b"Content-Length: %d\r\n\r\n" % len(body), body)
    assert not said.startswith((b"HTTP/1.1 413", b"HTTP/1.1 5")), said[:300]
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with at.connect() as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(25):
                connection.sendall(piece)
        except ConnectionError:
            pass
        said = rest(connection)
    assert said == b"" or problem(said, 413)


def test_who_asks_too_often_is_told_to_wait() -> None:
    """By token; the local user has no limit."""
    with app_of(serve_rate=5) as (app, workspace), TestClient(app) as client:
        assert {client.get("/v1/jobs").status_code for _ in range(8)} == {200}
        with workspace.engine.begin() as connection:
            texts = [access.create(connection, "", "read", None, time.time())[1] for _ in range(2)]
        first, second = ({"Authorization": f"Bearer {text}"} for text in texts)
        answers = [client.get("/v1/jobs", headers=first) for _ in range(6)]
        assert [one.status_code for one in answers] == [200] * 5 + [429]
        assert answers[-1].json()["detail"] == "more than 5 requests a minute: wait a little"
        assert answers[-1].headers["retry-after"] == "5"
        assert client.get("/v1/jobs", headers=second).status_code == 200


# --- what is no request ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000,
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\nx",
    ],
)
def test_what_is_no_http_is_answered_with_400(at: Address, said: bytes) -> None:
    """And the connection is closed; the next one is served."""
    assert at.hear(said).startswith(b"HTTP/1.1 400 ")
    assert at.hear(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


@pytest.fixture
def shop(make_repository: Callable[..., Path], database_url: str) -> Iterator[TestClient]:
    """A client of the service that has a repository indexed, on both databases; a bug fails the test."""
    folder = make_repository(FILES, "shop")
    options = {"database_url": database_url, "serve_paths": [str(folder.parent)]}
    with app_of(**options) as (app, workspace), TestClient(app) as client:
        made = client.post("/v1/repositories", json={"path": str(folder)}).json()
        assert attempt.run(workspace, made["job"]["id"], 1, "w", lambda: False).name == "done"
        yield client


BODIES: dict[str, tuple[bytes, int]] = {
    "no JSON": (b"{", 422),
    "nothing": (b"", 422),
    "a list": (b"[]", 422),
    "a number": (b"1", 422),
    "null": (b"null", 422),
    "invalid UTF-8": (b'{"query": "\xff\xfe"}', 400),
    "UTF-16": ('{"query": "x"}'.encode("utf-16"), 200),
    "deep": (b"[" * 100_000, 400),
    "deep objects": (b'{"query":' * 50_000 + b"1" + b"}" * 50_000, 400),
    "NaN": (b'{"query": "x", "k": NaN}', 422),
    "infinite": (b'{"query": "x", "k": 1e999}', 422),
    "a huge number": (b'{"query": "x", "k": ' + b"9" * 5000 + b"}", 400),
    "a large number": (b'{"query": "x", "k": 99999999999999999999999}', 422),
    "a fraction": (b'{"query": "x", "k": 1.5}', 422),
    "a lone surrogate": (b'{"query": "\\ud800"}', 422),
    "a lone surrogate as a name": (b'{"query": "x", "\\ud800": 1}', 422),
    "a NUL as a name": (b'{"query": "x", "a\\u0000b": 1}', 422),
    "a NUL": (b'{"query": "a\\u0000b"}', 422),
    "a NUL in a ref": (b'{"query": "x", "ref": "a\\u0000b"}', 422),
    "a NUL in a path": (b'{"query": "x", "path": "a\\u0000b"}', 200),
    "a NUL in a repository": (b'{"query": "x", "repositories": ["a\\u0000b"]}', 422),
    "twice the same": (b'{"query": "x", "query": "y"}', 200),
}


def test_bodies_that_are_odd_are_no_failure_of_ours(shop: TestClient) -> None:
    """Each gets the answer that it should; what is refused is a problem."""
    found = {}
    for name, (body, _) in BODIES.items():
        answer = shop.post("/v1/search", content=body, headers=JSON)
        found[name] = answer.status_code
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json", name
            assert answer.json()["status"] == answer.status_code
    assert found == {name: status for name, (_, status) in BODIES.items()}


def test_bodies_of_other_kinds_are_refused(shop: TestClient) -> None:
    """JSON is what is taken, whatever it says it is: a web page could send the rest without being asked."""
    body = b'{"query": "load"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense", ""):
        answer = shop.post("/v1/search", content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["status"]) == (422, 422), kind
    for kind in ("application/json", "application/json; charset=utf-8", "application/vnd.x+json"):
        assert shop.post("/v1/search", content=body, headers={"Content-Type": kind}).status_code == 200, kind


def test_a_nul_is_no_failure_wherever_it_stands(shop: TestClient) -> None:
    """Postgres keeps none: what holds one is not found, or not valid."""
    nul = "a\0b"
    for method, path, asked in (
        ("GET", "/v1/repositories/a%00b", None), ("GET", "/v1/repositories/shop/files/a%00b", None),
        ("GET", "/v1/repositories/shop/symbols?q=a%00b", None), ("GET", "/v1/jobs?repository=a%00b", None),
        ("GET", "/v1/repositories/shop/symbols/a%00b/callers", None), ("GET", "/v1/jobs/a%00b", None),
        ("GET", "/v1/repositories?cursor=a%00b", None), ("DELETE", "/v1/tokens/a%00b", None),
        ("GET", "/v1/repositories/shop/map?ref=a%00b", None), ("DELETE", "/v1/repositories/a%00b", None),
        ("POST", "/v1/webhooks/github?repository=a%00b", {}), ("GET", "/a%00b", None),
        ("POST", "/v1/repositories", {"path": f"/{nul}"}), ("POST", "/v1/repositories", {"url": nul}),
        ("POST", "/v1/repositories", {"path": "/tmp", "name": nul}),
        ("PATCH", "/v1/repositories/shop", {"login": nul}), ("PATCH", "/v1/repositories/shop", {"credential": nul}),
        ("PATCH", "/v1/repositories/shop", {"credential": f"file:{nul}"}),
        ("PATCH", "/v1/repositories/shop", {"follow": [nul]}),
        ("PATCH", "/v1/repositories/shop", {"webhook_secret": f"12345678{nul}"}),
        ("PATCH", "/v1/repositories/shop", {"default_ref": nul}),
        ("POST", "/v1/repositories/shop/index", {"ref": nul}),
        ("POST", "/v1/pack", {"task": "x", "repository": nul}),
        ("POST", "/v1/pack", {"task": "x", "repository": "shop", "model": nul}),
        ("POST", "/v1/repositories/shop/impact", {"symbols": [nul]}),
    ):  # fmt: skip
        headers = {"X-Hub-Signature-256": "sha256=00"}
        answer = shop.request(method, path, json=asked, headers=headers)
        assert answer.status_code < 500, (method, path, asked, answer.text)
        assert (answer.status_code == 200) == ("?q=" in path)


# --- requests made from the OpenAPI document ---------------------------------------------------

# What makes a request one about the repository that is there.
KNOWN = {"name": "shop", "repository": "shop", "id": "load", "path": "store.py"}


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_no_request_makes_the_service_fail(make_repository: Callable[..., Path], mode: GenerationMode) -> None:
    """Whatever the document allows, and much that it does not: no 5xx, and answers are of the form they say."""
    folder = make_repository(FILES, "shop")
    with (
        scripted({"replies": [{"text": "x", "times": 0}]}) as server,
        app_of(serve_paths=[str(folder)], backend_url=server.url) as (app, workspace),
        TestClient(app) as client,
    ):
        made = client.post("/v1/repositories", json={"path": str(folder)}).json()
        assert attempt.run(workspace, made["job"]["id"], 1, "w", lambda: False).name == "done"
        schema = schemathesis.openapi.from_dict(client.get("/v1/openapi.json").json())
        seen = set()
        for result in schema.get_all_operations():
            operation = result.ok()
            name = operation.definition.raw["operationId"]
            ask = asker(client, operation, made["job"]["id"], mode)
            if ask is not None:
                ask()
                seen.add(name)
                with workspace.engine.begin() as connection:
                    connection.execute(tables.tokens.delete())  # with one nobody else would be asked any more
        assert len(seen) >= (22 if mode is GenerationMode.POSITIVE else 18)
        assert client.get("/v1/repositories/shop").status_code == 200


def asker(client: TestClient, operation: Any, job: str, mode: GenerationMode) -> Callable[[], None] | None:
    """What asks an operation many things; None if there is nothing to vary."""
    name = operation.definition.raw["operationId"]
    if mode is GenerationMode.NEGATIVE and not (list(operation.iter_parameters()) or operation.body):
        return None
    checks = [not_a_server_error, response_schema_conformance, content_type_conformance]

    @settings(max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def ask(case: Any, known: bool) -> None:
        parameters, body = case.path_parameters, case.body
        if known and name != "remove_repository":
            if parameters:
                case.path_parameters = parameters | {key: KNOWN[key] for key in parameters if key in KNOWN}
                if "job" in parameters:
                    case.path_parameters["job"] = job
            if isinstance(body, dict):
                case.body = body | {key: KNOWN[key] for key in ("repository",) if key in body}
                if "repositories" in body and name == "search":
                    case.body["repositories"] = ["shop"]
        if name == "remove_repository" and parameters and parameters.get("name") == "shop":
            case.path_parameters = {"name": "none"}
        if name == "register_repository" and isinstance(case.body, dict):
            case.body.pop("url", None)  # no server is asked for
        sent = case.as_transport_kwargs(base_url="http://testserver")
        if isinstance(sent.get("data"), (bytes, str)):
            sent["content"] = sent.pop("data")
        assume(len(sent["url"]) + len(str(sent.get("params"))) < 20_000)  # our client sends no longer ones
        answer = client.request(**{key: value for key, value in sent.items() if value is not None and key != "cookies"})
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=checks)

    return ask


# --- the program -------------------------------------------------------------------------------


@contextmanager
def serve(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`repoctx serve` as a process of its own, without workers."""
    pipe = subprocess.PIPE
    command = [*PROGRAM, "serve", "--workers", "0", *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()  # one that a test has not ended


def test_the_service_finishes_what_it_is_doing_and_ends() -> None:
    """On SIGTERM nobody new is let in, who is being answered gets the answer, and the exit code is 0."""
    with serve("--port", "0", "--log", "json") as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.fullmatch(r"repoctx serves http://127\.0\.0\.1:(\d+), pages at /, described at /v1/docs\n", said)
        assert found is not None
        at = Address("127.0.0.1", int(found[1]))
        body = b'{"query": "load"}'
        with at.connect() as connection:
            connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"  # the request is being answered
            connection.sendall(body[:5])
            process.send_signal(signal.SIGTERM)
            ends = time.monotonic() + PATIENCE
            while time.monotonic() < ends:
                try:
                    at.connect().close()
                except ConnectionError:
                    break
            else:
                pytest.fail("it goes on listening")
            connection.sendall(body[5:])
            found_problem = problem(rest(connection), 404)
        _, err = process.communicate(timeout=PATIENCE)
        assert found_problem["detail"].startswith("no repository is indexed")
        assert process.returncode == 0, err
    lines = [json.loads(line) for line in err.splitlines()]
    assert [(one["event"], one["status"]) for one in lines] == [("request", 404)]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_service_ends_at_once_when_it_has_nothing_to_do(stop: signal.Signals) -> None:
    """No traceback, exit code 0, or 130 where it was interrupted."""
    with serve("--port", "0", "--log", "json") as process:
        assert process.stderr is not None
        port = re.search(r"127\.0\.0\.1:(\d+)", process.stderr.readline())
        assert port is not None
        with Address("127.0.0.1", int(port[1])).connect() as connection:
            assert exchange(connection, GET).startswith(b"HTTP/1.1 200")
        process.send_signal(stop)
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, process.returncode) == ("", 130 if stop == signal.SIGINT else 0), err
    assert "Traceback" not in err


def test_where_it_cannot_listen_it_says_so(repoctx: Callable[..., Any]) -> None:
    """A port that is taken: exit code 3; a host that is none, or beyond this machine without a token: 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        asked = [[str(port)], ["0", "--host", "0.0.0.0"], ["0", "--host", "::"]]
        with ExitStack() as stack:
            started = [stack.enter_context(serve("--port", *arguments)) for arguments in asked]
            ended = [(process.communicate(timeout=60)[1], process.returncode) for process in started]
    assert ended[0] == (
        f"repoctx: 127.0.0.1 port {port} cannot be listened on (Address already in use): choose another with --port\n",
        3,
    )  # fmt: skip
    for (said, code), host in zip(ended[1:], ("0.0.0.0", "::"), strict=True):
        assert (said, code) == (
            f"repoctx: without a token only this machine may ask, so {host} is not listened on: make one with "
            "`repoctx token create --scope admin` first\n", 2,
        )  # fmt: skip
    assert repoctx("token", "create")[0] == 0
    with serve("--port", "0", "--host", "no such host") as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert re.fullmatch(r"repoctx: no such host is no address of this machine \(.+\): give one that is\n", said)
