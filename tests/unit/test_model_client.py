"""The chat client against a scripted server on loopback."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from scripted import Reply, Server, running
from talking import Connection, talking

from repoctx.errors import BackendError, UsageError
from repoctx.model import client
from repoctx.serve.scripted import scripted


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def events(*payloads: object, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(payload, ensure_ascii=False)}\n\n" for payload in payloads]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def delta(content: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}]}


USAGE = {
    "choices": [],
    "usage": {"prompt_tokens": 21, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 16}},
}
HELLO = Reply(body=events(delta("", role="assistant"), delta("Hel"), delta("lo\u2028"), delta(finish="stop"), USAGE))
ASK = [{"role": "user", "content": "Say hello."}]


def ask(server: Server, *replies: Reply, **more: object) -> tuple[client.Answer, list[float]]:
    """The answer after the replies, and the seconds that the client waited between attempts."""
    server.replies += replies
    waits: list[float] = []
    backend = client.Backend(server.url, "tiny", timeout=5, max_output=64)
    answer = client.complete(backend, ASK, sleep=waits.append, jitter=lambda: 0.5, **more)  # type: ignore[arg-type]
    return answer, waits


def test_an_answer_is_streamed_with_its_usage(server: Server) -> None:
    """Deltas come as sent, line separators in JSON intact; the last one carries the usage."""
    server.replies.append(HELLO)
    backend = client.Backend(server.url + "/", "tiny", max_output=64)
    found = list(client.stream(backend, ASK, options={"temperature": 0.7}))
    usage = client.Usage(21, 2, 16)
    assert found == [
        client.Delta("Hel"),
        client.Delta("lo\u2028"),
        client.Delta(finish="stop"),
        client.Delta(usage=usage),
    ]
    assert server.requests == [
        {
            "path": "/v1/chat/completions",
            "model": "tiny",
            "messages": ASK,
            "max_tokens": 64,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.7,
        }
    ]
    assert "Authorization" not in server.seen_headers[0]


def test_complete_joins_text_and_tool_calls(server: Server) -> None:
    """Pieces of a tool call with the same index make one call."""
    first = {"index": 0, "id": "c1", "function": {"name": "search", "arguments": '{"q":'}}
    second = {"index": 0, "function": {"arguments": ' "x"}'}}
    reply = Reply(
        body=events(delta("Look: "), delta(tool_calls=[first]), delta(tool_calls=[second], finish="tool_calls"))
    )
    answer, _ = ask(server, reply, tools=[{"type": "function", "function": {"name": "search"}}])
    call = client.CallPart(0, "c1", "search", '{"q": "x"}')
    assert answer == client.Answer("Look: ", (call,), "tool_calls", None)
    assert server.requests[0]["tools"] == [{"type": "function", "function": {"name": "search"}}]


def test_busy_servers_are_asked_again_with_growing_waits(server: Server) -> None:
    """429, 5xx and a hang-up before the first byte are repeated, with back-off and jitter."""
    busy = Reply(503, b"loading")
    answer, waits = ask(server, busy, Reply(429, b"{}"), Reply(0), Reply(504), HELLO)
    assert answer.text == "Hello\u2028"
    assert waits == [0.75, 1.5, 3.0, 6.0]


def test_which_refusals_are_repeated(server: Server) -> None:
    """Those that say that the server, not the request, is at fault; a server that says so itself is believed."""
    no, yes = (("X-Should-Retry", "false"),), (("X-Should-Retry", "true"),)
    for status in (408, 429, 500, 502, 503, 504, 529):
        assert ask(server, Reply(status), HELLO)[0].text == "Hello\u2028"
    assert ask(server, Reply(409, headers=yes), HELLO)[0].text == "Hello\u2028"
    asked = len(server.requests)
    refusals = [Reply(status) for status in (400, 401, 403, 404, 409, 413, 422, 501)]
    for reply in [*refusals, Reply(500, headers=no)]:
        with pytest.raises(BackendError):
            ask(server, reply)
    assert len(server.requests) == asked + len(refusals) + 1


def test_an_overflow_is_not_repeated_whatever_its_status(server: Server) -> None:
    """Some servers refuse a long prompt with 500."""
    with pytest.raises(client.WindowOverflow):
        ask(server, Reply(500, b'{"error": {"message": "maximum context length is 10 tokens"}}'))
    assert len(server.requests) == 1


def test_a_whole_answer_survives_streams_that_break_off(server: Server) -> None:
    """Nothing of the broken ones is in it, and all attempts count together."""
    dropped = Reply(body=events(delta("Hel"), done=False), promised=10_000)
    ended = Reply(body=events(delta("He"), done=False))
    answer, waits = ask(server, dropped, Reply(503), ended, Reply(body=b""), HELLO)
    assert (answer.text, answer.finish, waits) == ("Hello\u2028", "stop", [0.75, 1.5, 3.0, 6.0])
    with pytest.raises(BackendError, match="broke off in the middle"):
        ask(server, *[dropped] * 5)
    assert server.replies == []


def test_a_stream_is_not_repeated_once_something_was_handed_on(server: Server) -> None:
    """But it is before that, though the server has answered 200."""
    server.replies += [
        Reply(body=events(delta("", role="assistant"), done=False), promised=10_000),
        Reply(body=events(delta("Hel"), done=False), promised=10_000),
        HELLO,
    ]
    waits: list[float] = []
    deltas = client.stream(client.Backend(server.url, "tiny"), ASK, sleep=waits.append)
    assert next(deltas).text == "Hel"
    with pytest.raises(BackendError, match="broke off in the middle"):
        next(deltas)
    assert (len(waits), len(server.replies)) == (1, 1)


def test_what_comes_after_the_end_may_be_missing(server: Server) -> None:
    """A server that drops the connection after the finish reason has answered."""
    answer, _ = ask(server, Reply(body=events(delta("Hi", finish="stop"), done=False), promised=10_000))
    assert answer == client.Answer("Hi", (), "stop", None)


def test_retry_after_is_honoured(server: Server) -> None:
    """The server's own wait replaces ours; a date in the past means at once."""
    past = Reply(429, b"", (("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),))
    _, waits = ask(
        server,
        Reply(429, b"", (("Retry-After", "7"),)),
        past,
        Reply(503, b"", (("Retry-After", "?"),)),
        HELLO,
    )
    assert waits == [7.0, 0.0, 3.0]


def test_attempts_end(server: Server) -> None:
    """After five attempts, or when the wait would be too long, the server's words are the error."""
    with pytest.raises(BackendError, match="answered 503: loading model"):
        ask(server, *[Reply(503, b'{"error": {"message": "loading model"}}')] * 5)
    assert len(server.requests) == 5
    with pytest.raises(BackendError, match="answered 429"):
        ask(server, Reply(429, b"", (("Retry-After", "3600"),)))


@pytest.mark.parametrize(
    "body,window,prompt",
    [
        (
            {
                "error": {
                    "message": "This model's maximum context length is 65536 tokens. However, your prompt "
                    "contains at least 65537 input tokens.",
                    "type": "BadRequestError",
                }
            },
            65_536,
            65_537,
        ),
        (
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 70_018,
                    "n_ctx": 65_536,
                }
            },
            65_536,
            70_018,
        ),
        ({"message": "This model's maximum context length is 4096 tokens."}, 4096, None),
        (
            {
                "detail": "However, you requested 9000 tokens (8000 in the messages, 1000 in the completion). This "
                "model's maximum context length is 8192 tokens."
            },
            8192,
            8000,
        ),
        (
            {
                "message": "Requested token count exceeds the model's maximum context length of 262144 tokens. You "
                "requested a total of 267042 tokens: 201506 tokens from the input messages and 65536 tokens for the "
                "completion."
            },
            262_144,
            201_506,
        ),
        (
            {"message": "The input (70018 tokens) is longer than the model's context length (65536 tokens)."},
            65_536,
            70_018,
        ),
        ({"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}, 200_000, 210_000),
        ({"message": "Range of input length should be [1, 997952]"}, None, None),
        ({"error": {"type": "exceed_context_size_error", "n_ctx": "4096", "n_prompt_tokens": [1]}}, 4096, None),
        ({"error": {"type": "exceed_context_size_error", "n_ctx": 1e400, "n_prompt_tokens": -1}}, None, None),
    ],
    ids=[
        "vllm",
        "llama-server",
        "terse",
        "openai",
        "sglang",
        "sglang input",
        "claude",
        "model studio",
        "as a text",
        "nonsense",
    ],
)
def test_overflow_is_recognised(server: Server, body: object, window: int, prompt: int | None) -> None:
    """A prompt that is too long is an error of its own, with the server's figures and what to do."""
    with pytest.raises(client.WindowOverflow, match=r"does not fit .* smaller budget") as caught:
        ask(server, Reply(400, json.dumps(body).encode()))
    assert (caught.value.window, caught.value.prompt) == (window, prompt)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply,said",
    [
        (Reply(400, b'{"detail": "no such thing"}'), "answered 400: no such thing"),
        (Reply(422, b"<html>oops</html>"), "answered 422: <html>oops</html>"),
        (Reply(body=b"<html>\n<body>Welcome</body></html>"), "mostly ends with /v1. It sent: '<html> <body>"),
        (Reply(body=b"OK"), "mostly ends with /v1. It sent: 'OK'"),
        (Reply(body=b"data: " + b"[" * 100_000 + b"\n\n"), "not JSON"),
        (Reply(body=b"[" * 100_000), "mostly ends with /v1"),
        (Reply(body=b'{"error": {"message": "no"}}'), "with an error: no"),
        (Reply(body=b'["data"]'), "with an error"),
        (Reply(body=b"data: 7\n\n"), "with an error: 7"),
        (Reply(404), "answered 404: no reason given"),
        (Reply(400, b'{"error": "\\u001b[2Jgone\\ud800"}'), "answered 400: \ufffd\\[2Jgone\ufffd$"),
        (Reply(307, b"", (("Location", "http://elsewhere/"),)), "answered 307"),
        (Reply(body=b'data: {"error": {"message": "out of memory"}}\n\n'), "with an error: out of memory"),
        (Reply(body=b'error: {"message": "slot gone"}\n\n'), "with an error: slot gone"),
        (Reply(body=b"data: {nonsense\n\n"), "not JSON"),
        (Reply(body=b'data: {"choices": [7]}\n\n'), "unknown shape"),
        (Reply(body=b'data: {"choices": {}, "usage": 1}\n\ndata: {"choices": {"a": 1}}\n\n'), "unknown shape"),
        (Reply(body=events(delta(7))), "unknown shape"),  # type: ignore[arg-type]
        (Reply(body=events(delta(tool_calls=["x"]))), "unknown shape"),
        (Reply(body=b"data: {}\n\n", headers=(("Content-Encoding", "gzip"),)), "cannot be read"),
    ],
)
def test_failures_are_one_clear_error(server: Server, reply: Reply, said: str) -> None:
    """Whatever a server does wrong is a BackendError with its reason, and is not repeated."""
    with pytest.raises(BackendError, match=said):
        ask(server, reply)
    assert len(server.requests) == 1


def test_a_finished_answer_needs_no_done_mark(server: Server) -> None:
    """Some servers close after the finish reason; a comment or a blank line between events is no matter."""
    body = b": ping\n\n" + events(delta("Hi", finish="stop"), done=False).replace(b"\n", b"\r\n")
    answer, _ = ask(server, Reply(body=body))
    assert answer == client.Answer("Hi", (), "stop", None)


def test_the_key_goes_into_the_header_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is read from the environment, sent, and cut out of what a server echoes."""
    monkeypatch.setenv("MY_KEY", "sk-secret")
    backend = client.Backend(server.url, "tiny", key_env="MY_KEY")
    server.replies += [HELLO, Reply(401, b'{"error": {"message": "bad key sk-secret"}}')]
    assert client.complete(backend, ASK).finish == "stop"
    with pytest.raises(BackendError, match=r"refused the key: set MY_KEY\. .*bad key \*\*\*"):
        client.complete(backend, ASK)
    assert [headers["Authorization"] for headers in server.seen_headers] == ["Bearer sk-secret"] * 2
    assert "sk-secret" not in repr(backend)


def test_misuse_is_told_before_anything_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing key, a key that no header can carry, and a URL without a scheme are wrong uses."""
    monkeypatch.delenv("NO_KEY", raising=False)
    monkeypatch.setenv("BAD_KEY", "sk-\u2713")
    for backend in (
        client.Backend(server.url, "tiny", key_env="NO_KEY"),
        client.Backend(server.url, "tiny", key_env="BAD_KEY"),
        client.Backend("127.0.0.1:8000/v1", "tiny"),
        client.Backend("http://[::1/v1", "tiny"),
    ):
        with pytest.raises(UsageError):
            client.complete(backend, ASK)
    assert server.requests == []


def test_nobody_listening_is_an_error_after_all_attempts() -> None:
    """A refused connection is retried, then named with the address."""
    with Server() as closed:
        url = closed.url
    waits: list[float] = []
    with pytest.raises(BackendError, match=r"cannot be reached: .*Is it running\?"):
        client.complete(client.Backend(url, "tiny"), ASK, sleep=waits.append, jitter=lambda: 1.0)
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_closing_the_iterator_closes_the_connection(server: Server) -> None:
    """A reader who has seen enough stops the server: nothing is read to the end, nothing is repeated."""
    server.replies.append(Reply(body=events(*[delta("x")] * 5), promised=1 << 20))
    deltas = client.stream(client.Backend(server.url, "tiny"), ASK)
    assert next(deltas) == client.Delta("x")
    deltas.close()  # type: ignore[attr-defined]
    assert list(deltas) == []
    assert len(server.requests) == 1


def test_silence_is_counted_without_comments() -> None:
    """A server that only keeps the connection open has been silent, however lively; so has one that sends nothing."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    idle = events({"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 1}}, done=False)
    for sent in (b": ping\n\n", idle):

        def drip(connection: Connection, sent: bytes = sent) -> None:
            connection.request()
            connection.send(head)
            while not connection.left(0.02):
                connection.send(sent)

        with talking(drip) as server:
            backend = client.Backend(server.url, "tiny", timeout=0.3)
            with pytest.raises(BackendError, match=r"was silent for 0\.3 seconds"):
                client.complete(backend, ASK)
        assert server.connections == 1


def test_an_answer_that_goes_in_circles_is_ended() -> None:
    """The finish says so, in a stream too; the request is closed."""
    with scripted({"replies": [{"text": "and again ", "repeat": 0}, {"text": "x", "repeat": 8_100}]}) as server:
        backend = client.Backend(server.url, "tiny")
        answer = client.complete(backend, ASK)
        assert server.left.get(timeout=20) == 0
        *_, last = client.stream(backend, ASK)
    assert (answer.finish, last.finish) == ("repetition", "repetition")
    assert {answer.text[i : i + 10] for i in range(0, len(answer.text) - 10, 10)} == {"and again "}
    assert 8_000 <= len(answer.text) < 20_000


def test_an_answer_without_end_is_cut() -> None:
    """A server that does not stop at max_tokens is left, far beyond them."""

    def count(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for number in itertools.count():
            connection.send(events(delta(f"{number} " * 100), done=False))

    with (
        talking(count) as server,
        pytest.raises(BackendError, match=r"does not end its answer: 2\d\d,\d{3} characters, where 64 tokens"),
    ):
        client.complete(client.Backend(server.url, "tiny", max_output=64), ASK)
    assert server.connections == 1


def test_requests_of_a_process_wait_for_their_turn(server: Server) -> None:
    """No more than `at_once` are under way at a URL, and as many are."""
    turn, meet, third, now = threading.Lock(), threading.Barrier(2, timeout=20), threading.Event(), [0]

    def answer(request: dict[str, Any]) -> Reply:
        with turn:
            now[0] += 1
            if now[0] > 2:
                third.set()
        meet.wait()
        third.wait(0.2)
        with turn:
            now[0] -= 1
        return HELLO

    server.otherwise = answer
    backend = client.Backend(server.url, "tiny", at_once=2)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.complete(backend, ASK).text, range(6)))
    assert (answers, third.is_set()) == (["Hello\u2028"] * 6, False)


def test_a_request_that_text_cannot_carry_is_sent_all_the_same(server: Server) -> None:
    """A lone surrogate, which UTF-8 cannot hold, is replaced."""
    server.replies.append(HELLO)
    client.complete(client.Backend(server.url, "tiny"), [{"role": "user", "content": "a\ud800b"}])
    assert server.requests[0]["messages"] == [{"role": "user", "content": "a?b"}]


def test_served_models_are_listed_in_the_server_s_order(server: Server) -> None:
    """The ids of `/models`; the key travels in the header only."""
    server.replies.append(Reply(body=json.dumps({"data": [{"id": "b"}, {"id": "a"}]}).encode()))
    assert client.served_models(client.Backend(server.url, "")) == ["b", "a"]
    assert server.requests == [{"path": "/v1/models"}]


@pytest.mark.parametrize(
    "reply",
    [Reply(status=500), *(Reply(body=body) for body in (b"nonsense", b"[]", b'{"data": []}', b"[" * 100_000))],
)
def test_a_server_that_lists_no_models_is_a_sentence(server: Server, reply: Reply) -> None:
    """Whatever it answers instead, the sentence says to check the URL or to set the model."""
    server.replies.append(reply)
    with pytest.raises(BackendError, match=r"backend\.model"):
        client.served_models(client.Backend(server.url, ""))


def test_a_base_url_that_is_none_is_a_sentence() -> None:
    """A URL that cannot be parsed is told, not raised as a stranger."""
    with pytest.raises(BackendError, match="does not list its models"):
        client.served_models(client.Backend("http://[::1", ""))
