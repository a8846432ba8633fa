"""The scripted back end that is shipped: what its script says is what a client gets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import httpx
import openai
import pytest

from repoctx.errors import UsageError
from repoctx.serve import script
from repoctx.serve.scripted import Server, scripted

PROGRAM = (sys.executable, "-c", "from repoctx.serve.cli import main; main()")
SCRIPT = """
model: tiny
window: 100
replies:
  - text: Hello, you there.
    thought: A greeting.
    times: 0
"""


def ask(server: Server, *messages: str | dict[str, Any], **more: Any) -> httpx.Response:
    """The answer to these messages, the user's where only a text is given."""
    said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    return httpx.post(f"{server.url}/chat/completions", json={"model": "tiny", "messages": said, **more}, timeout=20)


def text(response: httpx.Response) -> Any:
    """The text of a whole answer."""
    return response.json()["choices"][0]["message"]["content"]


def test_replies_are_used_in_turn_by_the_requests_that_they_fit() -> None:
    """The first that fits and is not used up; the last user or tool message counts, or any; none left is a 500."""
    replies = [
        {"text": "first"},
        {"when": "^two", "text": "matched", "times": 2},
        {"when": "system word", "in": "any", "text": "anywhere"},
        {"when": "tool said", "text": "tool", "times": 0},
    ]
    system = {"role": "system", "content": "a system word"}
    tool = {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "tool said"}]}
    with scripted({"replies": replies}) as server:
        asked = [("x",), ("two",), ("one\ntwo",), (system, "two"), (tool,), ("two", tool), ("two",)]
        answers = [ask(server, *messages) for messages in asked]
    found = [text(one) if one.status_code == 200 else one.status_code for one in answers]
    assert found == ["first", "matched", "matched", "anywhere", "tool", "tool", 500]
    assert answers[-1].headers["x-should-retry"] == "false"
    assert "whose last message is 'two'" in answers[-1].json()["error"]["message"]
    assert [len(one["messages"]) for one in server.requests] == [1, 1, 1, 2, 1, 2, 1]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_real_client_reads_texts_thoughts_calls_and_usage(streamed: bool) -> None:
    """The `openai` package takes the server for one of its own; broken arguments come as they stand."""
    calls = [{"name": "search", "arguments": {"query": "größe"}}, {"name": "bad", "arguments": "{broken " * 5}]
    reply = {"text": "Let me look at the code. " * 2, "thought": "Hm.", "calls": calls, "usage": {"extra": 1}}
    with (
        scripted({"model": "tiny", "replies": [reply]}) as server,
        openai.OpenAI(base_url=server.url, api_key="k", max_retries=0) as client,
    ):
        request: Any = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
        if streamed:
            options: Any = {"stream": True, "stream_options": {"include_usage": True}}
            chunks = list(client.chat.completions.create(**request, **options))
            deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
            said = "".join(delta.content or "" for delta in deltas)
            parts = [part for delta in deltas for part in delta.tool_calls or ()]
            made = [
                ("".join(p.function.name or "" for p in mine), "".join(p.function.arguments for p in mine))
                for mine in ([p for p in parts if p.index == number] for number in (0, 1))
            ]
            finish, usage = chunks[-2].choices[0].finish_reason, chunks[-1].usage
        else:
            answer = client.chat.completions.create(**request)
            said, finish, usage = answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage
            made = [(call.function.name, call.function.arguments) for call in answer.choices[0].message.tool_calls]
        listed = client.models.list().data[0]
    assert said == "Let me look at the code. " * 2
    assert made == [("search", '{"query": "größe"}'), ("bad", "{broken " * 5)]
    assert (finish, usage.prompt_tokens, usage.extra) == ("tool_calls", 9, 1)
    assert (listed.id, listed.max_model_len) == ("tiny", 262_144)
    assert server.headers[0]["authorization"] == "Bearer k"


def test_what_a_server_refuses() -> None:
    """Too long prompts in vLLM's words, other models, other paths, what is no request: no reply is used up by them."""
    with scripted({"model": "tiny", "window": 20, "replies": [{"text": "yes"}]}) as server:
        long, other = ask(server, "word " * 40), ask(server, "x", model="huge")
        assert (long.status_code, other.status_code) == (400, 404)
        assert long.json()["error"]["message"].startswith(
            "This model's maximum context length is 20 tokens. However, your prompt contains at least 49 input tokens."
        )
        assert "`huge` does not exist" in other.json()["error"]["message"]
        url = f"{server.url}/chat/completions"
        for body in (b"", b"{", b"[]", b'{"messages": [1]}', b"[" * 50_000):
            assert httpx.post(url, content=body).status_code == 400
        assert httpx.post(f"{server.url}/embeddings", json={}).status_code == 404
        assert httpx.get(f"{server.url}/").status_code == 404
        assert text(ask(server, "x")) == "yes"


def test_statuses_bodies_and_headers_are_sent_as_the_script_says() -> None:
    """Errors, pages in place of JSON, a server's own wait."""
    replies = [
        {"status": 429, "headers": {"Retry-After": 7}},
        {"status": 503, "text": "loading"},
        {"body": "<html>hi</html>", "headers": {"Content-Type": "text/html"}},
        {"body": {"choices": []}},
    ]
    with scripted({"replies": replies}) as server:
        busy, loading, page, empty = (ask(server, "x") for _ in replies)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "7")
    assert (loading.status_code, loading.json()) == (503, {"error": {"message": "loading"}})
    assert (page.text, page.headers["content-type"], empty.json()) == ("<html>hi</html>", "text/html", {"choices": []})


def test_answers_that_never_end_as_they_should() -> None:
    """Hanging up after so many characters, stalling, and repeating until the client goes, which the server notices."""
    replies = [
        {"text": "0123456789" * 4, "drop_after": 25},
        {"text": "x", "drop_after": 30},
        {"stall": True},
        {"text": "again ", "repeat": 0},
        {"text": "late", "delay": 3600},
    ]
    with scripted({"replies": replies}) as server:
        url = f"{server.url}/chat/completions"
        request = {"messages": [{"role": "user", "content": "x"}], "stream": True}
        got = []
        with (
            pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
            httpx.stream("POST", url, json=request) as response,
        ):
            got += [json.loads(line.removeprefix("data: ")) for line in response.iter_lines() if line]
        assert got == []  # what came before is lost with the exception
        with pytest.raises(httpx.RemoteProtocolError):
            ask(server, "x")
        for number in (2, 3, 4):
            with httpx.stream("POST", url, json=request) as response:
                assert response.status_code == 200
                if number == 3:
                    seen = b""
                    for part in response.iter_raw():
                        seen += part
                        if seen.count(b'"again "') > 50:
                            break
            assert server.left.get(timeout=20) == number


def test_a_script_that_is_wrong_is_one_sentence() -> None:
    """What is wrong, where, and what may stand there."""
    wrong: list[tuple[Any, str]] = [
        ([], "must be a mapping with `replies`"),
        ({}, "has no `replies`"),
        ({"replies": 7}, "has replies: 7; it must be a list"),
        ({"replies": [], "port": 1}, "unknown key 'port': there are model, window, replies"),
        ({"replies": [], "window": True}, "has window: True; it must be a whole number of tokens"),
        ({"replies": ["hi"]}, "reply 1 must be a mapping of when, in, times"),
        ({"replies": [{}, {"txt": 1}]}, "reply 2 has an unknown key 'txt'"),
        ({"replies": [{"when": "("}]}, r"reply 1 has when: '\(', no regular expression: missing \)"),
        ({"replies": [{"in": "some"}]}, "it must be last or any"),
        ({"replies": [{"calls": [{"name": "x", "args": {}}]}]}, "reply 1: call 1 has an unknown key 'args'"),
        ({"replies": [{"calls": [{}]}]}, "reply 1: call 1 has no name"),
        ({"replies": [{"status": 42}]}, "a status from 200 to 599"),
        ({"replies": [{"usage": True}]}, "or false for none"),
        ({"replies": [{"body": {"day": {1}}}]}, "that JSON cannot hold"),
        ({"replies": [{"delay": -1}]}, "seconds, 3600 at most"),
    ]
    for value, said in wrong:
        with pytest.raises(UsageError, match=said):
            script.parse(value, "s.yaml")


def test_the_command_serves_until_it_is_told_to_end(tmp_path) -> None:
    """It says where, answers, logs what it is asked, and ends with 0 on SIGTERM, with 130 on Ctrl-C."""
    file, log = tmp_path / "s.yaml", tmp_path / "s.log"
    file.write_text(SCRIPT)
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        command = [*PROGRAM, "backend", "script", str(file), "--log", str(log)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                said, _, url = process.stdout.readline().strip().rpartition(" ")
                assert said == "serves"
                request = {"model": "tiny", "messages": [{"role": "user", "content": "ß"}]}
                answer = httpx.post(f"{url}/chat/completions", json=request).json()
            finally:
                process.send_signal(number)
            assert process.wait(20) == code
        assert answer["choices"][0]["message"] == {
            "role": "assistant", "content": "Hello, you there.", "reasoning_content": "A greeting.",
        }  # fmt: skip
        assert answer["usage"] == {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines == [{"path": "/v1/chat/completions", "body": request}] * 2


@pytest.mark.parametrize(
    "content, code, said",
    [
        (b"replies: [", 2, "is not YAML"),
        (b"\xff\xfe\x00", 2, "is not YAML"),
        (b"replies: [{when: '('}]", 2, "reply 1 has when"),
        (b"- [" * 5000, 2, "is not YAML"),
        (None, 2, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_script(repoctx, tmp_path, content, code, said) -> None:
    """Exit code 2 and one sentence with the file's name."""
    file = tmp_path / "s.yaml"
    if content is not None:
        file.write_bytes(content)
    got, out, err = repoctx("backend", "script", str(file))
    assert (got, out) == (code, "")
    assert said in err
    assert str(file) in err
    assert err.count("\n") == 1


def test_addresses_and_logs_that_cannot_be_used(repoctx, tmp_path) -> None:
    """A port that is taken is exit code 3, a log that cannot be written 2."""
    file = tmp_path / "s.yaml"
    file.write_text(SCRIPT)
    with scripted({"replies": []}) as server:
        code, _, err = repoctx("backend", "script", str(file), "--port", str(server.server_port))
    assert (code, "choose another" in err) == (3, True)
    code, _, err = repoctx("backend", "script", str(file), "--log", str(tmp_path / "no" / "log"))
    assert (code, "cannot be written" in err) == (2, True)
