"""A chat client of Anthropic's protocol against the gateway: the real SDK, over real HTTP."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import anthropic
import backend
import httpx
import pytest
import scripted as plain
from repositories import git as run_git
from repositories import write_files
from scripted import Reply
from served import PATIENCE, Address, listening

from repoctx import tokens
from repoctx.serve.gateway import relay
from repoctx.serve.rest import create_app
from repoctx.serve.rest.state import TURNS
from repoctx.serve.scripted import scripted
from repoctx.store import access
from repoctx.workspace import Workspace

FILES = {
    "shop/cart.py": "class Cart:\n    def pay(self, card):\n        '''Pay a cart once.'''\n"
    "        if self.paid:\n            raise ValueError('a cart is paid twice')\n        card.charge(self.total)\n",
    "shop/card.py": "class Card:\n    def charge(self, amount):\n        self.balance -= amount\n",
}
QUESTION = "Where is it prevented that a cart is paid twice?"
HELLO = {"text": "Hello, you there.", "times": 0}
TOOLS: Any = [{"name": "read", "description": "Read a file.", "input_schema": {"type": "object"}}]
BILLING = "x-anthropic-billing-header: cc_version=2.1.197.{}; cc_entrypoint=sdk-cli;"
REMINDER = "<system-reminder>\nToday is Monday.\n</system-reminder>\n\n"
EVENTS = (("Content-Type", "text/event-stream"),)


@pytest.fixture(autouse=True)
def _no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found by vectors is not asked here."""
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A repository with two files, and a home with its index, made once."""
    folder, home = tmp_path_factory.mktemp("shop"), tmp_path_factory.mktemp("indexed")
    write_files(folder, FILES)
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        run_git(folder, *arguments)
    workspace = Workspace({"REPOCTX_HOME": str(home), "REPOCTX_EMBEDDING_MODEL": "none", "REPOCTX_INDEX_WORKERS": "1"})
    workspace.index(str(folder), name="shop")
    workspace.close()
    return folder, home


@pytest.fixture
def shop(indexed: tuple[Path, Path]) -> Path:
    """That repository, which nobody changes; each test has the index to itself."""
    shutil.copytree(indexed[1], os.environ["REPOCTX_HOME"], dirs_exist_ok=True)
    return indexed[0]


@contextmanager
def gateway(shop: Path | None, url: str, **flags: Any) -> Iterator[tuple[Address, Workspace]]:
    """The service before a back end, the repository indexed."""
    workspace = Workspace(flags={"backend_url": url, "index_workers": 1, **flags})
    try:
        if shop is not None and not workspace.status():
            workspace.index(str(shop), name="shop")
        with listening(create_app(workspace)) as at:
            yield at, workspace
    finally:
        workspace.close()


@contextmanager
def client(at: Address, key: str = "any", **more: Any) -> Iterator[anthropic.Anthropic]:
    """The SDK, as a user sets it up; it does not try again."""
    with anthropic.Anthropic(base_url=at.url, api_key=key, max_retries=0, timeout=PATIENCE, **more) as made:
        yield made


class Native:
    """A back end that speaks the protocol itself, to be a server's `otherwise`."""

    def __init__(self, events: bytes = b"") -> None:
        self.events = events

    def __call__(self, request: dict[str, Any]) -> Reply:
        """A model, a whole answer or a stream."""
        if request["path"] == "/v1/models":
            return Reply(body=b'{"data": [{"id": "tiny", "max_model_len": 32000}]}')
        if request.get("stream"):
            return Reply(200, self.events, EVENTS)
        usage = {"input_tokens": 1, "output_tokens": 2}
        answer = {"id": "m", "type": "message", "role": "assistant", "model": "tiny", "stop_reason": "end_turn",
                  "stop_sequence": None, "content": [{"type": "text", "text": "Hello."}], "usage": usage}  # fmt: skip
        return Reply(body=json.dumps(answer).encode())


def streamed(*events: Mapping[str, Any]) -> bytes:
    """Events as they are sent."""
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()


def asked(question: str = QUESTION, digits: str = "123") -> dict[str, Any]:
    """What Claude Code sends when a chat begins."""
    return {
        "model": "repoctx/shop",
        "max_tokens": 4096,
        "system": [
            {"type": "text", "text": BILLING.format(digits)},
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": REMINDER},
                {"type": "text", "text": question, "cache_control": {"type": "ephemeral"}},
            ]},
            {"role": "system", "content": "Agents: none."},
        ],
        "tools": TOOLS,
    }  # fmt: skip


# --- a back end that speaks the protocol -------------------------------------------------------


def test_a_native_back_end_gets_the_request_as_it_is_but_for_the_context(shop: Path) -> None:
    """Fields, tools and headers go on; the header of the client's that varies does not; the context is a part."""
    body = {**asked(), "thinking": {"type": "adaptive"}, "context_management": {"edits": []}, "ünknown": [1]}
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b", "Authorization": "Bearer any", "x-odd": "1"}
    with plain.running() as server, gateway(shop, server.url) as (at, _):
        server.otherwise = Native()
        answer = httpx.post(f"{at.url}/v1/messages?beta=true", json=body, headers=headers, timeout=PATIENCE)
        again = httpx.post(f"{at.url}/v1/messages?beta=true&x=1", json={**body, "system": asked(digits="9")["system"]},
                           headers=headers, timeout=PATIENCE)  # fmt: skip
    (_, *requests), (_, *seen) = server.requests, server.seen_headers
    assert [one.pop("path") for one in requests] == ["/v1/messages?beta=true"] * 2
    assert requests[0] == requests[1]
    first = requests[0]
    context = first["messages"][0]["content"].pop(0)
    assert context["type"] == "text"
    assert "raise ValueError('a cart is paid twice')" in context["text"]
    assert first == {**body, "model": "tiny", "system": body["system"][1:]}
    assert list(first) == list(body)
    got = {name.lower(): value for name, value in seen[0].items()}
    assert (got["anthropic-version"], got["anthropic-beta"]) == ("2023-06-01", "a,b")
    assert not {"authorization", "x-api-key", "x-odd"} & set(got)
    assert answer.json()["content"] == [{"type": "text", "text": "Hello."}]
    assert answer.json()["repoctx"]["tokens"] == tokens.count(context["text"])
    assert [one.headers["x-repoctx-context"] for one in (answer, again)] == ["made", "kept"]


def test_a_native_stream_comes_through_byte_for_byte(shop: Path) -> None:
    """And the SDK reads it."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "tiny", "content": [], "stop_reason": None,
               "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    events = streamed(
        {"type": "message_start", "message": message}, {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Größe"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ).replace(b"\n\n", b"\n\n", 1)  # fmt: skip
    with plain.running() as server, gateway(shop, server.url) as (at, _), client(at) as chat:
        server.otherwise = Native(events)
        raw = httpx.post(f"{at.url}/v1/messages", json={**asked(), "stream": True}, timeout=PATIENCE)
        with chat.messages.stream(model="repoctx/shop", max_tokens=9, messages=asked()["messages"][:1]) as stream:
            text = "".join(stream.text_stream)
        server.otherwise = Native(events[: events.index(b"event: message_stop")])
        cut = httpx.post(f"{at.url}/v1/messages", json={**asked(), "stream": True}, timeout=PATIENCE)
    assert raw.content == events
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert text == "Größe"
    *_, event, data = cut.text.rstrip("\n").split("\n")
    assert event == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"] == {
        "type": "api_error", "message": "the model back end ended its answer before it was complete: try again",
    }  # fmt: skip


def test_it_is_found_out_once_whether_a_back_end_speaks_the_protocol() -> None:
    """By a 404, 405 or 501 of its route; a refusal of another kind is a refusal."""
    done = {"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}

    def reply(request: dict[str, Any]) -> Reply:
        native = Native()(request)
        if request["path"] == "/v1/messages":
            return Reply(status, b'{"error": {"message": "what?"}}')
        return native if request["path"] == "/v1/models" else Reply(body=json.dumps(done).encode())

    with plain.running() as server:
        server.otherwise = reply
        for status, asks in ((404, 1), (405, 1), (501, 1), (400, 2)):
            server.requests.clear()
            with gateway(None, server.url) as (at, _):
                body = {"model": "tiny", "max_tokens": 9, "messages": asked()["messages"]}
                answers = [httpx.post(f"{at.url}/v1/messages", json=body, timeout=PATIENCE) for _ in range(2)]
            paths = [one["path"] for one in server.requests]
            assert paths.count("/v1/messages") == asks, status
            if status == 400:
                assert paths.count("/v1/chat/completions") == 0
                error = {"type": "error", "error": {"type": "invalid_request_error", "message": "what?"}}
                assert [{**one.json(), "request_id": 0} for one in answers] == [{**error, "request_id": 0}] * 2
            else:
                assert paths.count("/v1/chat/completions") == 2
                assert [one.json()["content"][0]["text"] for one in answers] == ["Hello."] * 2


# --- a back end that does not ------------------------------------------------------------------


def test_a_chat_is_translated_there_and_back(shop: Path) -> None:
    """The SDK chats with tools over a back end of OpenAI's protocol; the second turn begins with the same bytes."""
    calls = [{"name": "read", "arguments": {"path": "größe.py"}}, {"name": "read", "arguments": {"path": "b.py"}}]
    usage = {"prompt_tokens_details": {"cached_tokens": 5}}
    replies = [{"text": "Let me see.", "calls": calls, "usage": usage}, HELLO]
    with (
        scripted({"model": "tiny", "replies": replies}) as server,
        gateway(shop, server.url) as (at, _),
        client(at) as chat,
    ):
        begin = asked()
        made = chat.messages.create(**begin)
        uses = [block for block in made.content if block.type == "tool_use"]
        results: Any = [{"type": "tool_result", "tool_use_id": one.id, "content": f"{number} = 1"}
                        for number, one in enumerate(uses)]  # fmt: skip
        turns: Any = [*begin["messages"], {"role": "assistant", "content": made.content},
                      {"role": "user", "content": results}]  # fmt: skip
        raw = chat.messages.with_raw_response.create(**{**begin, "messages": turns, "stop_sequences": ["END"]})
        answer = raw.parse()
    assert [block.type for block in made.content] == ["text", "tool_use", "tool_use"]
    assert [one.input for one in uses] == [{"path": "größe.py"}, {"path": "b.py"}]
    assert len({one.id for one in uses}) == 2
    assert (made.stop_reason, made.model, made.usage.cache_read_input_tokens) == ("tool_use", "repoctx/shop", 5)
    assert [answer.content[0].text, answer.stop_reason] == ["Hello, you there.", "end_turn"]  # type: ignore[union-attr]
    assert raw.headers["x-repoctx-context"] == "kept"
    one, two = server.requests
    assert one["messages"][0] == {"role": "system", "content": "You are an agent."}
    assert one["messages"][1]["content"].endswith(f"\n\n\n{REMINDER}\n{QUESTION}")
    assert "raise ValueError('a cart is paid twice')" in one["messages"][1]["content"]
    assert one["messages"][2] == {"role": "system", "content": "Agents: none."}
    assert two["messages"][:3] == one["messages"]
    assert two["messages"][3]["tool_calls"][0]["function"] == {"name": "read", "arguments": '{"path": "größe.py"}'}
    assert two["messages"][4:] == [
        {"role": "tool", "tool_call_id": uses[0].id, "content": "0 = 1"},
        {"role": "tool", "tool_call_id": uses[1].id, "content": "1 = 1"},
    ]
    assert (two["stop"], two["max_tokens"], two["model"]) == (["END"], 4096, "tiny")


def test_a_stream_is_translated(shop: Path) -> None:
    """The SDK puts the same message together; usage and the reason come with the last event but one."""
    reply = {"text": "Let me see. ", "calls": [{"name": "read", "arguments": {"path": "größe.py"}}], "times": 0}
    with scripted({"model": "tiny", "replies": [reply]}) as server, gateway(shop, server.url) as (at, _):
        with client(at) as chat, chat.messages.stream(**asked()) as stream:
            kinds = [event.type for event in stream if event.type not in ("text", "input_json")]
            message = stream.get_final_message()
        raw = httpx.post(f"{at.url}/v1/messages", json={**asked(), "stream": True}, timeout=PATIENCE)
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert [kind for kind in kinds if "block_st" in kind] == ["content_block_start", "content_block_stop"] * 2
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.content[0].text == "Let me see. "  # type: ignore[union-attr]
    assert message.content[1].input == {"path": "größe.py"}  # type: ignore[union-attr]
    assert (message.stop_reason, message.usage.output_tokens > 0) == ("tool_use", True)
    assert message.usage.input_tokens > int(raw.headers["x-repoctx-context-tokens"])
    assert raw.headers["x-repoctx-context"] == "kept"
    assert raw.text.startswith("event: message_start\ndata: {")
    assert server.requests[0]["stream_options"] == {"include_usage": True}


def test_whoever_hangs_up_ends_a_translated_stream_too(shop: Path) -> None:
    """The back end sees it at once."""
    reply = {"text": "never ending ", "repeat": 0}
    with scripted({"model": "tiny", "replies": [reply]}) as server, gateway(shop, server.url) as (at, _):
        with client(at) as chat, chat.messages.stream(**asked()) as stream:
            next(iter(stream.text_stream))
        assert server.left.get(timeout=PATIENCE) == 0


BAD: Any = [
    ({"status": 429, "text": "slow down", "headers": {"Retry-After": "7"}}, 429, "rate_limit_error", "is busy"),
    ({"status": 503, "text": "loading"}, 503, "overloaded_error", "is not ready"),
    ({"status": 500, "text": "oops"}, 502, "api_error", "answered 500: oops"),
    ({"status": 401, "text": "no"}, 502, "api_error", "refused the service's key, not yours"),
    ({"body": "<html>"}, 502, "api_error", "answered without JSON"),
    ({"status": 400, "text": "This model's maximum context length is 100 tokens. However, you requested 900"}, 400,
     "invalid_request_error", "prompt is too long: 900 tokens > 100 maximum. (repoctx's context of shop takes "),
    ({"stall": True}, 504, "timeout_error", "was silent for 1 seconds"),
]  # fmt: skip


def test_what_a_bad_back_end_says_is_an_error_of_the_protocol(shop: Path) -> None:
    """The SDK raises the error of that status, with a sentence."""
    replies = [{**case[0], "when": f"case {number}$"} for number, case in enumerate(BAD)]
    with (
        scripted({"model": "tiny", "replies": replies}) as server,
        gateway(shop, server.url, backend_timeout=1) as (at, _),
        client(at) as chat,
    ):
        for number, (_, status, kind, said) in enumerate(BAD):
            with pytest.raises(anthropic.APIStatusError) as error:
                chat.messages.create(**asked(f"paid twice, case {number}"))
            assert error.value.status_code == status
            body: Any = error.value.body
            assert body["error"]["type"] == kind
            assert said in body["error"]["message"]
            assert error.value.response.headers.get("retry-after") == {429: "7", 503: "5"}.get(status)


def test_a_stream_that_is_cut_off_or_silent_says_so(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After what came, as an event that the SDK raises; while nothing comes, pings, which it passes over."""
    monkeypatch.setattr(relay, "PING_SECONDS", 0.1)
    replies = [{"text": "cut off here", "drop_after": 3, "delay": 0.3}]
    with scripted({"model": "tiny", "replies": replies}) as server, gateway(shop, server.url) as (at, _):
        raw = httpx.post(f"{at.url}/v1/messages", json={**asked(), "stream": True}, timeout=PATIENCE)
    names = [line.removeprefix("event: ") for line in raw.text.split("\n") if line.startswith("event: ")]
    assert [name for name in names if name != "ping"] == [
        "message_start", "content_block_start", "content_block_delta", "error",
    ]  # fmt: skip
    assert "ping" in names
    assert "broke off its answer" in raw.text
    replies = [{"text": "cut off here", "drop_after": 3}]
    with (
        scripted({"model": "tiny", "replies": replies}) as server,
        gateway(shop, server.url) as (at, _),
        client(at) as chat,
        chat.messages.stream(**asked()) as stream,
    ):
        texts = stream.text_stream
        assert next(texts) == "cut"
        with pytest.raises(anthropic.APIStatusError, match="broke off its answer"):
            next(texts)


# --- callers -----------------------------------------------------------------------------------


def test_who_may_not_ask_is_told_so_in_the_protocol(shop: Path) -> None:
    """A token is taken from x-api-key, as the SDK sends it; what it may not see is not there."""
    with scripted({"model": "tiny", "replies": [HELLO]}) as server, gateway(shop, server.url) as (at, workspace):
        with workspace.engine.begin() as connection:
            good = access.create(connection, "", "read", None, time.time())[1]
            other = access.create(connection, "", "read", ("other",), time.time())[1]
        with client(at, "wrong") as chat, pytest.raises(anthropic.AuthenticationError) as wrong:
            chat.messages.create(**asked())
        with client(at, other) as chat, pytest.raises(anthropic.NotFoundError) as hidden:
            chat.messages.create(**asked())
        with client(at, good) as chat:
            chat.messages.create(**asked())
            rows = chat.models.list()
            with pytest.raises(anthropic.NotFoundError) as missing:
                chat.models.retrieve("repoctx/nothing")
    bodies: Any = [one.value.body for one in (wrong, hidden, missing)]
    assert [one["error"]["type"] for one in bodies] == ["authentication_error", "not_found_error", "not_found_error"]
    assert "no repository is called 'shop'" in bodies[1]["error"]["message"]
    assert [(row.id, row.type) for row in rows] == [("repoctx/shop", "model"), ("tiny", "model")]
    assert not [name for one in server.headers for name in one if name in ("authorization", "x-api-key")]


def test_tokens_are_counted_with_the_context(shop: Path) -> None:
    """As the back end counts them where the chat is plain; before the first turn, the most that a context may take."""
    body = {key: value for key, value in asked().items() if key not in ("tools", "max_tokens")}
    with (
        scripted({"model": "tiny", "replies": [HELLO]}) as server,
        gateway(shop, server.url) as (at, _),
        client(at) as chat,
    ):
        before = chat.messages.count_tokens(**body).input_tokens
        made = chat.messages.with_raw_response.create(**body, max_tokens=100)
        after = chat.messages.count_tokens(**body).input_tokens
        bare = chat.messages.count_tokens(**{**body, "model": "tiny"}).input_tokens
        with pytest.raises(anthropic.NotFoundError):
            chat.messages.count_tokens(**{**body, "model": "repoctx/nothing"})
        with pytest.raises(anthropic.BadRequestError, match="`messages` must be a list"):
            chat.messages.count_tokens(model="repoctx/shop", messages="x")  # type: ignore[arg-type]
    assert before == bare + 16_000
    assert after == bare + int(made.headers["x-repoctx-context-tokens"])
    assert made.parse().usage.input_tokens == after
    assert len(server.requests) == 1


def test_a_long_chat_is_counted_in_its_turn() -> None:
    """While others are answered it waits, as questions do that take long; a short one does not."""
    long = "why? " * 30_000
    with closing(Workspace()) as workspace:
        app = create_app(workspace)
        with listening(app) as at, ExitStack() as held:
            for _ in range(TURNS):
                held.enter_context(app.state.service.turns)

            def count(text: str, seconds: float = PATIENCE) -> int:
                body = {"model": "tiny", "messages": [{"role": "user", "content": text}]}
                answer = httpx.post(f"{at.url}/v1/messages/count_tokens", json=body, timeout=seconds)
                return int(answer.json()["input_tokens"])

            assert count("why?") == tokens.count("why?") + tokens.chat_overhead()
            with pytest.raises(httpx.ReadTimeout):
                count(long, 1)
            held.close()
            assert count(long) == tokens.count(long) + tokens.chat_overhead()


def test_the_key_is_in_no_translated_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in what it says nor in its headers, at once and as it comes."""
    monkeypatch.setenv("BACKEND_KEY", "sk-secret")
    choice = {"index": 0, "finish_reason": "stop"}
    whole = {"choices": [{**choice, "message": {"role": "assistant", "content": "sk-secret"}}]}
    event = {"choices": [{**choice, "delta": {"content": "sk-secret"}}]}

    def reply(request: dict[str, Any]) -> Reply:
        if request["path"] == "/v1/messages":
            return Reply(404)
        headers = (("X-RateLimit-Key", "sk-secret"),)
        if request.get("stream"):
            return Reply(200, f"data: {json.dumps(event)}\n\n".encode(), (*EVENTS, *headers))
        return Reply(200, json.dumps(whole).encode(), headers)

    with plain.running() as server:
        server.otherwise = reply
        with gateway(None, server.url, backend_model="tiny", backend_key_env="BACKEND_KEY") as (at, _):
            body = {"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": "why?"}]}
            made = [
                httpx.post(f"{at.url}/v1/messages", json={**body, "stream": streamed}, timeout=PATIENCE)
                for streamed in (False, True)
            ]
    assert made[0].json()["content"] == [{"type": "text", "text": "***"}]
    assert '"text": "***"' in made[1].text
    assert [one.headers["x-ratelimit-key"] for one in made] == ["***", "***"]
    assert not [one for one in made if "sk-secret" in f"{one.headers}{one.text}"]


# --- a real server -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_prefix_cache_of_a_real_server_holds(shop: Path) -> None:
    """llama-server speaks the protocol: the second turn finds the context in its cache, streamed as well."""
    with backend.running_server("yarn") as url, gateway(shop, f"{url}/v1") as (at, _), client(at) as chat:
        begin = {**asked(), "max_tokens": 16}
        made = chat.messages.with_raw_response.create(**begin)
        turns: Any = [begin["messages"][0], {"role": "assistant", "content": "There."},
                      {"role": "user", "content": "And then?"}]  # fmt: skip
        said = {**begin, "system": asked(digits="9")["system"], "messages": turns}
        with chat.messages.create(**said, stream=True) as stream:
            again = next(one for one in stream if one.type == "message_start").message  # it may well say nothing
            kept = stream.response.headers["x-repoctx-context"]
    context = int(made.headers["x-repoctx-context-tokens"])
    assert kept == "kept"
    assert again.usage.cache_read_input_tokens is not None
    assert again.usage.cache_read_input_tokens >= context
