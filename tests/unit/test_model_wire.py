"""Answers as servers really write them: odd tool calls, whole answers, thoughts, nonsense in usage, no end."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx.errors import BackendError
from repoctx.model import limits
from repoctx.model.client import Answer, CallPart, Delta, Usage, collect
from repoctx.model.wire import deltas


def answered(*events: dict[str, Any], size: int = 7) -> Answer:
    """The answer that a stream of these events is, in pieces of `size` bytes."""
    raw = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return collect(deltas(pieces(raw.encode(), size), ""))


def pieces(raw: bytes, size: int = 7):
    return iter([raw[at : at + size] for at in range(0, len(raw), size)])


def step(finish: object = None, **delta: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(**part: Any) -> dict[str, Any]:
    """A step with one piece of a call: index, id, name, arguments, as given."""
    function = {key: part.pop(key) for key in ("name", "arguments") if key in part}
    return step(tool_calls=[{"type": "function", "function": function, **part}])


FIELDS = st.sampled_from(
    "choices delta message content tool_calls function arguments name id index error finish_reason usage prompt_tokens "
    "prompt_tokens_details cached_tokens reasoning_content text type code n_ctx".split()
)
A, B = CallPart(0, "a", "search", '{"q": 1}'), CallPart(1, "b", "read", '{"p": 2}')


@pytest.mark.parametrize(
    "steps",
    [
        [  # as the API has it
            call(index=0, id="a", name="search", arguments=""), call(index=0, arguments='{"q":'),
            call(index=0, arguments=" 1}"), call(index=1, id="b", name="read", arguments='{"p": 2}'),
        ],
        [  # pieces of two calls in turn
            call(index=0, id="a", name="search"), call(index=1, id="b", name="read"), call(index=0, arguments='{"q":'),
            call(index=1, arguments='{"p": '), call(index=0, arguments=" 1}"), call(index=1, arguments="2}"),
        ],
        [  # id and name with every piece
            call(index=0, id="a", name="search", arguments='{"q":'),
            call(index=0, id="a", name="search", arguments=" 1}"),
            call(index=1, id="b", name="read", arguments='{"p"'), call(index=1, id="b", name="read", arguments=": 2}"),
        ],
        [  # no index
            call(id="a", name="search", arguments='{"q":'), call(arguments=" 1}"),
            call(id="b", name="read", arguments='{"p": 2}'),
        ],
        [  # no index, in one event
            step(tool_calls=[
                {"id": "a", "function": {"name": "search", "arguments": '{"q": 1}'}},
                {"id": "b", "function": {"name": "read", "arguments": '{"p": 2}'}},
            ]),
        ],
        [  # every call has the index 0
            call(index=0, id="a", name="search", arguments='{"q": 1}'), call(index=0, id="b", name="read"),
            call(index=0, arguments='{"p": 2}'),
        ],
        [  # index as a text, name in pieces, arguments missing or null at first
            call(index="0", id="a", name="sea"), call(index="0", name="rch", arguments=None),
            call(index="0", arguments='{"q": 1}'), call(index="4", id="b", name="read", arguments='{"p": 2}'),
        ],
        [  # arguments as an object, id late
            call(index=0, name="search", arguments={"q": 1}), call(index=0, id="a"),
            call(index=None, id="b", name="read", arguments={"p": 2}),
        ],
    ],
)  # fmt: skip
def test_pieces_of_tool_calls_find_each_other(steps: list[dict[str, Any]]) -> None:
    """Whatever a server leaves out or says again, there are two calls with their arguments."""
    assert answered(*steps, step("tool_calls")) == Answer("", (A, B), "tool_calls", None)


def test_calls_without_ids_are_told_apart_by_name() -> None:
    """A name after arguments begins a call."""
    answer = answered(call(name="x", arguments="{}"), call(name="x", arguments="{}"), call(arguments="!"), step("stop"))
    assert answer.calls == (CallPart(0, "", "x", "{}"), CallPart(1, "", "x", "{}!"))


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thoughts_are_kept_apart(key: str) -> None:
    """What a model thinks is no part of its text, in streams and in whole answers."""
    answer = answered(step(**{key: "Hm"}), step(content="", **{key: "m."}), step(content="Yes."), step("stop"))
    assert answer == Answer("Yes.", (), "stop", None, "Hmm.")
    whole = {"choices": [{"message": {"content": "Yes.", key: "Hmm."}, "finish_reason": "stop"}]}
    assert list(deltas(iter([json.dumps(whole).encode()]), "")) == [Delta("Yes.", (), "stop", None, "Hmm.")]


def test_a_whole_answer_in_place_of_a_stream() -> None:
    """Some servers do not stream: the message is the answer, pretty-printed or with a byte order mark."""
    calls = [{"id": "a", "function": {"name": "search", "arguments": {"q": 1}}}]
    event = {
        "choices": [{"message": {"role": "assistant", "content": None, "tool_calls": calls}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    for raw in (json.dumps(event), f"\ufeff\r\n{json.dumps(event, indent=2)}\n"):
        assert collect(deltas(pieces(raw.encode()), "")) == Answer("", (A,), "stop", Usage(3, 2))


def test_texts_can_be_kept_anywhere() -> None:
    """NUL and lone surrogates, which databases and terminals refuse, are replaced; parts are joined."""
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    answer = answered(step(content="\0x\ud800"), step(content=parts), step("stop"))
    assert answer.text == "\ufffdx\ufffdab"
    assert answered(step(content="\ud83d\ude00"), step("stop")).text == "\U0001f600"


@pytest.mark.parametrize(
    "usage, found",
    [
        ({"prompt_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": "3", "completion_tokens": 2.0}, Usage(3, 2)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}}, Usage(3, 0, 1)),
        ({"prompt_tokens": 3, "prompt_tokens_details": [1], "completion_tokens": None}, Usage(3, 0)),
        *((usage, None) for usage in (None, [], "x", 7, {}, {"prompt_tokens": -1}, {"prompt_tokens": 1e400})),
        *(({"prompt_tokens": wrong}, None) for wrong in (True, "many", {}, "9" * 5000, 10**30)),
    ],
)
def test_usage_that_makes_no_sense_is_none(usage: object, found: Usage | None) -> None:
    """The answer is there all the same."""
    assert answered({**step("stop", content="Hi"), "usage": usage}) == Answer("Hi", (), "stop", found)


def test_fields_that_say_nothing_are_no_fault() -> None:
    """An error that is null, a finish that is empty, choices and deltas that are missing, a mark and blank lines."""
    raw = (
        b'\xef\xbb\xbf\n: hi\n\nevent: x\ndata: {"choices": null, "error": null}\n\ndata: {"choices": [{"delta": null, '
    )
    raw += (
        b'"finish_reason": ""}]}\n\ndata:{"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\r\n\r\n'
    )
    for size in (1, 3, 1000):
        assert list(deltas(pieces(raw, size), "")) == [Delta("Hi", (), "stop")]


def test_events_and_answers_have_a_largest_size() -> None:
    """A line without end is not collected for ever, and costs no more than its bytes."""
    for first in (b"data: ", b"{"):
        endless = (first if number == 0 else b"x" * 65_536 for number in range(1_000))
        with pytest.raises(BackendError, match="of more than 16 MB"):
            list(deltas(endless, ""))


def test_the_key_is_not_repeated() -> None:
    """What is quoted of nonsense has no key in it."""
    for raw in (b"data: sk-1\n\n", b"sk-1 <html>"):
        with pytest.raises(BackendError) as caught:
            list(deltas(iter([raw]), "sk-1"))
        assert "sk-1" not in str(caught.value)
        assert "***" in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", "text", "\0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)


SHAPED = st.builds(
    lambda delta, finish, usage: {
        "choices": [{"delta": delta, "message": delta, "finish_reason": finish}], "usage": usage,
    },
    JSON | st.fixed_dictionaries({}, optional={
        "content": JSON, "reasoning": JSON, "tool_calls": st.lists(JSON | st.fixed_dictionaries({}, optional={
            "id": JSON, "index": JSON, "function": JSON,
        }), max_size=3),
    }),
    JSON, JSON,
)  # fmt: skip


@given(st.lists(JSON | SHAPED, max_size=4), st.booleans())
def test_any_json_is_an_answer_or_one_clear_error(values: list[Any], streamed: bool) -> None:
    """Fields of any kind in any place: nothing else is raised, and what comes is of the types it should be."""
    events = [f"data: {json.dumps(value)}\n\n" for value in values]
    raw = "".join(events) if streamed else json.dumps(values[0] if values else {})
    try:
        answer = collect(deltas(iter([raw.encode()]), ""))
    except BackendError:
        return
    texts = [answer.text, answer.finish, answer.thought, *(part for call in answer.calls for part in call[1:])]
    assert all(isinstance(text, str) and text.encode() is not None for text in texts)


@given(st.binary(max_size=80), st.sampled_from([b"", b"data: ", b"data: {", b'{"choices": [{"message": ']))
def test_any_bytes_are_an_answer_or_one_clear_error(raw: bytes, before: bytes) -> None:
    """Nothing else is raised."""
    with suppress(BackendError):
        collect(deltas(pieces(before + raw), ""))


# --- answers that lead nowhere -----------------------------------------------------------------


def brute(text: str) -> bool:
    """`repeats`, as it is said."""
    return any(
        len(text) >= length and any(text[-length:][p:] == text[-length:][:-p] for p in range(1, longest + 1))
        for length, longest in limits.TAILS
    )


ROWS = "".join(f"| {n} | `field_{n}` | int | 0 | the field number {n} of the record |\n" for n in range(400))
SIMILAR = "".join(f"    assert value[{n}] == 0\n" for n in range(1_000))
DRAWING = "".join(" " * (40 - n % 40) + "*" * (2 * (n % 40) + 1) + "\n" for n in range(30))
RULES = "+" + "-" * 2_000 + "+\n" + "|" + " " * 2_000 + "|\n"


@pytest.mark.parametrize(
    "text, found",
    [
        ("", False),
        ("ab" * 3_999, False),
        ("ab" * 4_000, True),
        ("The cat sat. " * 2_000, True),
        ("so it begins: " + "na" * 4_000, True),
        ("na" * 4_000 + " and so it ends", False),
        ("=" * 8_000, True),
        (("x" * 500 + "y") * 30, True),
        (("word " * 300 + "and again. ") * 20, True),
        (("word " * 300 + "and again. ") * 10, False),
        (ROWS, False),
        (SIMILAR, False),
        (DRAWING * 3, False),
        (RULES, False),
    ],
)
def test_endless_repetition_is_told_from_tables(text: str, found: bool) -> None:
    """Only what repeats exactly and many times is one."""
    assert (limits.repeats(text), brute(text)) == (found, found)


@given(
    st.text(st.sampled_from("ab\n"), max_size=30),
    st.text(st.sampled_from("ab\n"), min_size=1, max_size=40),
    st.integers(1, 40),
    st.integers(0, 3),
)
def test_repetition_is_what_it_is_said_to_be(before: str, piece: str, more: int, cut: int) -> None:
    """Any piece, inside it repetitions of its own, cut anywhere."""
    text = before + (piece * more + "c" * (cut == 3)) * (24_100 // len(piece * more + "c" * (cut == 3)) + 1)
    text = text[: len(text) - cut]
    assert limits.repeats(text) == brute(text)


def test_a_tail_costs_no_more_than_its_length() -> None:
    """The worst text there is for searching; a quadratic search would take minutes."""
    text = "a" * 3_999 + "b" + "a" * 20_000 + "b" + "a" * 3_998
    assert not any(limits.repeats(text + "a" * more + "b") for more in range(200))


def test_thoughts_and_arguments_may_repeat_too() -> None:
    """All that a model says is watched."""
    for one in (Delta(thought="hm " * 50), Delta(calls=(CallPart(0, "", "", "[[[" * 50),))):
        found = list(limits.watched((one for _ in range(10_000)), 65_536))
        assert (len(found), found[-1]) == (55, Delta(finish="repetition"))
