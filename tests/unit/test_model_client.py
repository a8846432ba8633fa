"""The chat client against a scripted server on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from scripted import Reply, Server, running

from repoctx.errors import BackendError, UsageError
from repoctx.model import client


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
    """429, 502, 503, 504 and a hang-up before the first byte are repeated, with back-off and jitter."""
    busy = Reply(503, b"loading")
    answer, waits = ask(server, busy, Reply(429, b"{}"), Reply(0), Reply(504), HELLO)
    assert answer.text == "Hello\u2028"
    assert waits == [0.75, 1.5, 3.0, 6.0]


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
    ],
    ids=["vllm", "llama-server", "terse"],
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
        (Reply(500, b"<html>oops</html>"), "answered 500: <html>oops</html>"),
        (Reply(404), "answered 404: no reason given"),
        (Reply(307, b"", (("Location", "http://elsewhere/"),)), "answered 307"),
        (Reply(body=b'data: {"error": {"message": "out of memory"}}\n\n'), "with an error: out of memory"),
        (Reply(body=b'error: {"message": "slot gone"}\n\n'), "with an error: slot gone"),
        (Reply(body=b"data: {nonsense\n\n"), "not JSON"),
        (Reply(body=b'data: {"choices": [7]}\n\n'), "unknown shape"),
        (Reply(body=events(delta("Hel"), done=False)), "closed the stream"),
        (Reply(body=events(delta("Hel"), done=False), promised=10_000), "broke off in the middle"),
        (Reply(body=b""), "closed the stream"),
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


def test_served_models_are_listed_in_the_server_s_order(server: Server) -> None:
    """The ids of `/models`; the key travels in the header only."""
    server.replies.append(Reply(body=json.dumps({"data": [{"id": "b"}, {"id": "a"}]}).encode()))
    assert client.served_models(client.Backend(server.url, "")) == ["b", "a"]
    assert server.requests == [{"path": "/v1/models"}]


@pytest.mark.parametrize(
    "reply", [Reply(status=500), Reply(body=b"nonsense"), Reply(body=b"[]"), Reply(body=b'{"data": []}')]
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
