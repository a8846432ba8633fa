"""What the gateways do with a request and an answer, apart from sending them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from repoctx import tokens
from repoctx.counters import QWEN
from repoctx.errors import BudgetError, NotFoundError, StorageError, UsageError
from repoctx.serve.gateway import answers, context, counted, tiers, translate, upstream
from repoctx.serve.gateway.spoken import ANTHROPIC, OPENAI, Failure, failure_of, protocol_of

REMINDER = "<system-reminder>\nToday is Monday.\n</system-reminder>\n\n"
SETTING = "This is the Qwen Code. We are setting up the context for our chat.\nToday's date is Monday."
BILLING = "x-anthropic-billing-header: cc_version=2.1.197.123; cc_entrypoint=sdk-cli;"


def counts(body: Mapping[str, Any]) -> int:
    """The tokens of a prompt."""
    return counted.tokens(body, QWEN, nullcontext())


def user(*parts: str, **more: Any) -> dict[str, Any]:
    """A message of several parts."""
    return {"role": "user", "content": [{"type": "text", "text": part, **more} for part in parts]}


# --- which message is the question -------------------------------------------------------------


@pytest.mark.parametrize(
    "messages, place, task",
    [
        ([{"role": "user", "content": "why?"}], 0, "why?"),
        ([user(REMINDER, "why?", cache_control={"type": "ephemeral"})], 0, "why?"),
        ([user(f"{REMINDER}why?{REMINDER}")], 0, "why?"),
        ([{"role": "system", "content": "s"}, user(SETTING), {"role": "assistant", "content": "Got it."},
          user("why?")], 3, "why?"),
        ([user(SETTING, "why?"), user("and then?")], 0, "why?"),
        ([user("<system-reminder>never closed"), user("why?")], 1, "why?"),
        ([user("<command-name>/fix</command-name><command-message>fix</command-message>"
               "<command-args>why?</command-args>")], 0, "<command-args>why?</command-args>"),
        ([user("<local-command-stdout>out</local-command-stdout>"), user("why?")], 1, "why?"),
        ([user("why<ide_selection><ide_file>x</ide_file></ide_selection>? <ide_file>y</ide_file>so<command-name>/x")],
         0, "why? so"),
        ([{"role": "user", "content": None}, {"role": "assistant", "content": "x"}], -1, ""),
        ([], -1, ""),
    ],
)  # fmt: skip
def test_the_question_is_what_the_user_says_and_not_his_client(
    messages: list[dict[str, Any]], place: int, task: str
) -> None:
    """The first message of a user with words of his own, without what clients put around them."""
    found = context.read({"messages": messages})
    assert (found.place, found.task) == (place, task)


def test_instructions_and_the_length_of_the_answer_are_read_in_either_protocol() -> None:
    """Instructions before the question count, those behind it do not; the newer name of a limit comes first."""
    openai = {
        "messages": [{"role": "developer", "content": "be brief"}, user("why?"), {"role": "system", "content": "late"}],
        "max_tokens": 5, "max_completion_tokens": 7,
    }  # fmt: skip
    assert context.read(openai) == context.Chat(1, "why?", "\nbe brief", 7, True)
    anthropic = {"system": [{"type": "text", "text": "be"}, {"type": "text", "text": "brief"}], "max_tokens": 9,
                 "messages": [user("why?")]}  # fmt: skip
    assert context.read(anthropic) == context.Chat(0, "why?", "be\nbrief", 9, True)
    assert context.read({**anthropic, "max_tokens": True}).output is None
    on = {"messages": [{"role": "assistant", "content": "Hi."}, user("why?"), {"role": "assistant", "content": "So."}]}
    assert (context.read(on).begins, context.read({"messages": on["messages"][:2]}).begins) == (False, True)


@pytest.mark.parametrize("messages", [None, "x", {}, ["x"], [[]]])
def test_messages_that_are_none_are_refused(messages: Any) -> None:
    """In a sentence, before anything is asked."""
    with pytest.raises(Failure, match="`messages` must be a list of messages") as error:
        context.read({"messages": messages})
    assert error.value.status == 400


def test_the_context_stands_before_the_question_and_nothing_else_moves() -> None:
    """In a part of its own, or before the text; the request itself stays as it was."""
    text = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "why?", "name": "n"}], "x": 1}
    before = json.dumps(text)
    assert context.placed(text, "CODE\n") == {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "CODE\nwhy?", "name": "n"}],
        "x": 1,
    }
    assert json.dumps(text) == before
    parts = {"messages": [user(SETTING), {"role": "assistant", "content": "ok"}, user(REMINDER, "why?")]}
    placed = context.placed(parts, "CODE\n")["messages"]
    assert placed[:2] == parts["messages"][:2]
    assert [one["text"] for one in placed[2]["content"]] == ["CODE\n", REMINDER, "why?"]
    assert context.placed(parts, "") == parts
    assert context.placed({"messages": []}, "CODE") == {"messages": []}


def test_the_header_that_varies_is_left_out() -> None:
    """Claude Code's; other instructions stay, and a request that has no others has none."""
    said = {"type": "text", "text": "You are an agent."}
    assert context.without_billing({"system": [{"type": "text", "text": BILLING}, said]}) == {"system": [said]}
    assert context.without_billing({"system": [{"type": "text", "text": BILLING}], "x": 1}) == {"x": 1}
    for other in ({"system": "You are an agent."}, {"system": [said]}, {"messages": []}):
        assert context.without_billing(other) == other


def test_tokens_of_a_prompt_are_those_of_its_texts_calls_and_tools() -> None:
    """As the chat template writes a plain chat, to the token; the rest is counted as its JSON."""
    plain = {"messages": [{"role": "system", "content": "Be brief."}, user("Why is a cart paid twice?")]}
    exact = tokens.count("Why is a cart paid twice?") + tokens.chat_overhead("Be brief.")
    assert counts(plain) == exact
    assert counts({"system": "Be brief.", "messages": plain["messages"][1:]}) == exact
    tools = [{"name": "read", "description": "Read a file.", "input_schema": {"type": "object"}}]
    more = {**plain, "tools": tools}
    assert counts(more) == counts(plain) + tokens.count(json.dumps(tools))
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "read", "input": {"p": "a.py"}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x = 1"}]}
    longer = {"messages": [*plain["messages"], call, result]}
    added = 2 * counted.MESSAGE + tokens.count('{"p": "a.py"}') + tokens.count("x = 1")
    assert counts(longer) == counts(plain) + added


def test_a_long_prompt_is_counted_in_turn_and_estimated_beyond_some_megabytes() -> None:
    """To the byte; a character that the limit cuts is not lost, and what comes later is never less."""
    sizes: list[int] = []

    def count(text: str) -> int:
        sizes.append(len(text.encode()))
        return len(text.encode())

    most = counted.MOST_EXACT
    counter = dataclasses.replace(QWEN, count=count)
    large = {"tools": ["x"], "messages": [user("a" * (most - 10), "ééé4444ab"), user("8888 12345678")]}
    told = counted.tokens(large, counter, nullcontext())
    assert sum(sizes) == most - 1  # half of the last é
    beyond = 4 + 1 + 12 + 1  # four digits, é and ab; twelve digits, a blank
    assert told == counted.ANSWER + 2 * counted.MESSAGE + most - 1 + beyond
    longer = {**large, "messages": [*large["messages"], {"role": "assistant", "content": ""}]}
    assert counted.tokens(longer, counter, nullcontext()) == told + counted.MESSAGE


def test_only_a_long_prompt_waits_for_its_turn() -> None:
    """All of its texts count; the turn is over when they are counted."""
    taken: list[str] = []

    @contextmanager
    def turns() -> Iterator[None]:
        taken.append("begun")
        yield
        taken.append("ended")

    counter = dataclasses.replace(QWEN, count=lambda text: taken.append("counted") or len(text))
    half = "a" * (counted.MOST_AT_ONCE // 2)
    assert counted.tokens({"messages": [user(half, half)]}, counter, turns()) == 8 + counted.MOST_AT_ONCE
    assert taken == ["counted", "counted"]
    taken.clear()
    counted.tokens({"messages": [user(half, half + "a")]}, counter, turns())
    assert taken == ["begun", "counted", "counted", "ended"]


# --- which of several servers ------------------------------------------------------------------


@pytest.mark.parametrize(
    "used, output, room",
    [
        (5000, 488, 6000), (5000, 489, 6001), (0, 0, context.SPARE), (4488, None, 6000), (4489, None, 6001),
        (988, None, 1999), (90_000, 500, 91_012),
    ],
)  # fmt: skip
def test_a_window_holds_prompt_answer_and_a_little_more(used: int, output: int | None, room: int) -> None:
    """To the token; where nothing is said of the answer, so many tokens, and at most its share of the window."""
    need = tiers.Need(used, output, 1000)
    assert (tiers.holds(room, need), tiers.holds(room - 1, need)) == (True, False)


@pytest.mark.parametrize("output", [None, 0, 900])
def test_what_grows_never_goes_back_to_a_smaller_window(output: int | None) -> None:
    """Whatever the windows: the smallest that holds a chat is no smaller for a longer one."""
    windows = [1000, 1500, 6000, 6001, 40_000]
    smallest = [
        next((one for one in windows if tiers.holds(one, tiers.Need(used, output, 1000))), 10**6)
        for used in range(0, 42_000, 7)
    ]
    assert smallest == sorted(smallest)
    assert {6000, 40_000, 10**6} <= set(smallest)


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, status, openai, anthropic",
    [
        (UsageError("no"), 400, ("invalid_request_error", None), "invalid_request_error"),
        (BudgetError("no"), 400, ("invalid_request_error", None), "invalid_request_error"),
        (NotFoundError("no"), 404, ("invalid_request_error", "model_not_found"), "not_found_error"),
        (StorageError("no"), 503, ("server_error", None), "overloaded_error"),
        (Failure(401, "no"), 401, ("authentication_error", "invalid_api_key"), "authentication_error"),
        (Failure(413, "no"), 413, ("invalid_request_error", None), "request_too_large"),
        (Failure(429, "no"), 429, ("rate_limit_error", "rate_limit_exceeded"), "rate_limit_error"),
        (Failure(502, "no"), 502, ("server_error", None), "api_error"),
        (Failure(504, "no"), 504, ("server_error", None), "timeout_error"),
    ],
)  # fmt: skip
def test_an_error_has_the_shape_of_its_protocol(
    error: Exception, status: int, openai: tuple[str, str | None], anthropic: str
) -> None:
    """The status, and the kind of error that clients go by."""
    failure = failure_of(error)
    assert failure.status == status
    told = OPENAI.error(failure, "r1")
    assert told == {"error": {"message": "no", "type": openai[0], "param": None, "code": openai[1]}}
    assert ANTHROPIC.error(failure, "r1") == {
        "type": "error", "error": {"type": anthropic, "message": "no"}, "request_id": "r1",
    }  # fmt: skip


def test_which_protocol_a_request_speaks_is_told_by_its_path() -> None:
    """The list of models is both: there the header of Anthropic's clients tells."""
    paths = ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/models", "/v1/models/repoctx/x"]
    found = [protocol_of({"path": path, "headers": []}) for path in paths]
    assert found == [OPENAI, ANTHROPIC, ANTHROPIC, OPENAI, OPENAI]
    assert protocol_of({"path": "/v1/models", "headers": [(b"anthropic-version", b"x")]}) is ANTHROPIC
    for path in ("/v1/search", "/v1/messagesx", "/v1/modelsx", "/v1/chat", "/healthz"):
        assert protocol_of({"path": path, "headers": []}) is None


@pytest.mark.parametrize(
    "key, said, clean",
    [
        ("sk-1_abc", b'{"sk-1_abc": "Bearer sk-1_abc"}', b'{"***": "Bearer ***"}'),
        ("a/b+cde=", rb'"a/b+cde=" "a\/b\u002Bcde\u003d" "a/b\u002bcde=" "a/b cde="', b'"***" "***" "***" "a/b cde="'),
        ('abcdef"\\', rb'"abcdef\"\\" "abcdef\u0022\\"', b'"***" "***"'),
        ("abcd.efg", b"abcd-efg abcd.efg", b"abcd-efg ***"),
        ("EMPTY", b"EMPTY", b"EMPTY"),
        ("", b"abc", b"abc"),
    ],
)  # fmt: skip
def test_a_key_is_taken_out_however_json_writes_it(key: str, said: bytes, clean: bytes) -> None:
    """Plain, or with escapes, as servers write what is no letter; nothing else is, nor what is too short for a key."""
    assert upstream.cleaned(said, key) == clean


def test_a_body_is_sent_as_json_has_it() -> None:
    """Unknown fields, the order of keys and half of a surrogate pair go on; what JSON lacks does not."""
    body = json.loads('{"z": 1, "a": {"ü": [0.5, null, true]}, "model": "m"}')
    assert upstream.encoded(body) == '{"z":1,"a":{"ü":[0.5,null,true]},"model":"m"}'.encode()
    assert json.loads(upstream.encoded({"x": "\ud800"})) == {"x": "\ud800"}
    with pytest.raises(Failure, match="a number that JSON lacks"):
        upstream.encoded(json.loads('{"x": 1e999}'))
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Failure, match="nested too deeply"):
        upstream.encoded({"x": deep})
    while deep:  # so that the end of the test is not one call in another
        deep = deep.pop()


# --- from Anthropic's protocol to OpenAI's -----------------------------------------------------


def test_a_request_of_anthropics_is_one_of_openais() -> None:
    """Instructions, tools and their choice, limits; what only Anthropic's servers know is left out."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    body = {
        "model": "m", "system": [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}],
        "messages": [{"role": "user", "content": "why?"}, {"role": "system", "content": "Mind the tests."}],
        "tools": [{"name": "read", "description": "Read.", "input_schema": schema, "cache_control": {}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True}, "stop_sequences": ["END"],
        "max_tokens": 100, "temperature": 0.1, "top_p": 0.9, "top_k": 20, "metadata": {"user_id": "u"},
        "thinking": {"type": "adaptive"}, "context_management": {"edits": []}, "stream": True,
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": schema}}, "min_p": 0.05,
    }  # fmt: skip
    assert translate.chat(body) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be\nbrief."}, {"role": "user", "content": "why?"},
            {"role": "system", "content": "Mind the tests."},
        ],
        "tools": [
            {"type": "function", "function": {"name": "read", "description": "Read.", "parameters": schema}}
        ],
        "tool_choice": "required", "parallel_tool_calls": False, "stop": ["END"], "max_tokens": 100,
        "temperature": 0.1, "top_p": 0.9, "top_k": 20, "user": "u", "stream": True,
        "stream_options": {"include_usage": True}, "min_p": 0.05,
        "response_format": {
            "type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    "choice, wanted",
    [
        ({"type": "auto"}, "auto"), ({"type": "any"}, "required"), ({"type": "none"}, "none"),
        ({"type": "tool", "name": "read"}, {"type": "function", "function": {"name": "read"}}),
    ],
)  # fmt: skip
def test_the_choice_of_tools_is_translated(choice: dict[str, str], wanted: Any) -> None:
    """Each kind of choice."""
    tools = [{"name": "read", "input_schema": {"type": "object"}}]
    assert translate.chat({"messages": [], "tools": tools, "tool_choice": choice})["tool_choice"] == wanted


def test_a_round_trip_of_tools_is_translated() -> None:
    """Calls with their ids; results first and each for itself, pictures of them with what the user says."""
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "look"}, picture]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "I read. "},
            {"type": "text", "text": "Twice."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "größe.py"}},
            {"type": "tool_use", "id": "t2", "name": "ls", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "text", "text": "go on"}, {"type": "tool_result", "tool_use_id": "t1", "content": "x = 1"},
            {"type": "tool_result", "tool_use_id": "t2", "is_error": True,
             "content": [{"type": "text", "text": "no"}, {"type": "text", "text": "folder"}, picture]},
        ]},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t3",
                                      "content": [{"type": "tool_reference", "tool_name": "ls"}]}]},
    ]  # fmt: skip
    assert translate.chat({"messages": messages})["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "look"}, url]},
        {"role": "assistant", "content": "I read. Twice.", "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "read", "arguments": '{"path": "größe.py"}'}},
            {"id": "t2", "type": "function", "function": {"name": "ls", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "t1", "content": "x = 1"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: no\nfolder"},
        {"role": "user", "content": [url, {"type": "text", "text": "go on"}]},
        {"role": "assistant", "content": "done"},
        {"role": "tool", "tool_call_id": "t3", "content": '{"type": "tool_reference", "tool_name": "ls"}'},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "more, said",
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "the tool 'web_search' runs on"),
        ({"messages": None}, "`messages` must be a list of objects"),
        ({"tools": "x"}, "`tools` must be a list of objects"),
        ({"tools": [{"name": "a", "input_schema": {}}], "tool_choice": {"type": "x"}}, "not 'x'"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "not 'tool'"),
        ({"messages": [{"role": "user", "content": 5}]}, "`content` must be a list of objects"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}, "a picture"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": None}]}]}, "documents but plain"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused(more: dict[str, Any], said: str) -> None:
    """In a sentence that says what to do."""
    with pytest.raises(Failure) as error:
        translate.chat({"messages": [], **more})
    assert (error.value.status, said in error.value.said) == (400, True), error.value.said


# --- and the answer back -----------------------------------------------------------------------


def test_a_whole_answer_is_translated() -> None:
    """Text, calls, why it ended and the tokens; those from a cache are told apart."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a.py"}'}},
        {"id": "c2", "type": "function", "function": {"name": "read", "arguments": "{broken"}},
    ]
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 80}}
    choice = {"message": {"role": "assistant", "content": "So.", "tool_calls": calls}, "finish_reason": "tool_calls"}
    made = answers.message({"choices": [choice], "usage": usage}, "repoctx/shop")
    assert made.pop("id").startswith("msg_")
    assert made == {
        "type": "message", "role": "assistant", "model": "repoctx/shop",
        "content": [
            {"type": "text", "text": "So."},
            {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a.py"}},
            {"type": "tool_use", "id": "c2", "name": "read", "input": {"arguments": "{broken"}},
        ],
        "stop_reason": "tool_use", "stop_sequence": None,
        "usage": {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 80,
                  "output_tokens": 7},
    }  # fmt: skip


@pytest.mark.parametrize(
    "choice, reason",
    [
        ({"finish_reason": "stop"}, ("end_turn", None)), ({"finish_reason": "length"}, ("max_tokens", None)),
        ({"finish_reason": "content_filter"}, ("refusal", None)), ({"finish_reason": "odd"}, ("end_turn", None)),
        ({"finish_reason": "stop", "stop_reason": "END"}, ("stop_sequence", "END")),
        ({"finish_reason": "stop", "stop_reason": 151645}, ("end_turn", None)),
    ],
)  # fmt: skip
def test_why_an_answer_ended_is_translated(choice: dict[str, Any], reason: tuple[str, str | None]) -> None:
    """Each reason; vLLM says which sequence, or which token, it was."""
    made = answers.message({"choices": [{"message": {"content": "x"}, **choice}]}, "m")
    assert (made["stop_reason"], made["stop_sequence"]) == reason


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "x"}]}])
def test_an_answer_of_another_shape_is_an_error(body: dict[str, Any]) -> None:
    """And no traceback."""
    with pytest.raises(Failure, match="an answer of an unknown shape"):
        answers.message(body, "m")


def streamed(*chunks: dict[str, Any] | str) -> list[dict[str, Any]]:
    """The events that a streamed answer becomes."""

    async def coming() -> AsyncIterator[bytes]:
        for chunk in chunks:
            text = chunk if isinstance(chunk, str) else json.dumps(chunk, ensure_ascii=False)
            yield f"data: {text}\n\n".encode()

    async def collected() -> bytes:
        return b"".join([event async for event in answers.stream(coming(), "m")])

    events = asyncio.run(collected()).decode().split("\n\n")
    assert events.pop() == ""
    pairs = [event.split("\n") for event in events]
    found = [json.loads(data.removeprefix("data: ")) for _, data in pairs]
    assert [name for name, _ in pairs] == [f"event: {one['type']}" for one in found]
    return found


def delta(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """A piece of an answer."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index: int | None, arguments: str = "", **more: Any) -> dict[str, Any]:
    """A piece of a tool call."""
    number = {} if index is None else {"index": index}
    name = {"name": more.pop("name")} if "name" in more else {}
    return delta(tool_calls=[{**number, **more, "function": {**name, "arguments": arguments}}])


def test_a_stream_is_translated_in_the_order_that_clients_need() -> None:
    """Text, then calls one after the other, whole; tokens and the reason at the end."""
    found = streamed(
        delta(role="assistant", content=""), delta(reasoning_content="hm"), delta(content="a\u2028b"),
        delta(content="c"), call(0, id="c1", name="read"), call(0, '{"p": '), call(0, '"x"}'),
        call(1, "{}", id="c2", name="ls"), delta("tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4,
                                  "prompt_tokens_details": {"cached_tokens": 8}}}, "[DONE]",
    )  # fmt: skip
    begun = found.pop(0)
    assert begun["type"] == "message_start"
    assert begun["message"]["id"].startswith("msg_")
    assert (begun["message"]["content"], begun["message"]["stop_reason"]) == ([], None)
    use = {"type": "tool_use", "input": {}}
    assert found == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a\u2028b"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "c"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {**use, "id": "c1", "name": "read"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"p": '}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"x"}'}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": {**use, "id": "c2", "name": "ls"}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_stop", "index": 2},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
         "usage": {"input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 8,
                   "output_tokens": 4}},
        {"type": "message_stop"},
    ]  # fmt: skip


def test_an_empty_answer_is_a_whole_message() -> None:
    """No block at all, and no tokens where the server tells none."""
    found = streamed(delta("length"))
    assert [one["type"] for one in found] == ["message_start", "message_delta", "message_stop"]
    assert found[1]["delta"]["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    "chunks, said",
    [
        ([delta(content="x")], "ended its answer before it was complete"),
        ([delta(content="x"), {"error": {"message": "out of memory"}}], "in the middle of its answer: out of memory"),
        (["<html>"], "an event that is not JSON"),
        (["[" * 100_000], "an event that is not JSON"),
        ([{"choices": "x"}], "an event of an unknown shape"),
        ([call(0, "{}", id="a", name="f"), call(1, "{}", id="b", name="g"), call(0, "x")], "went back to a tool call"),
    ],
)  # fmt: skip
def test_a_stream_that_fails_is_an_error(chunks: list[Any], said: str) -> None:
    """Whatever the server does: cut off, an error, a page, another shape."""
    with pytest.raises(Failure) as error:
        streamed(*chunks)
    assert said in error.value.said
