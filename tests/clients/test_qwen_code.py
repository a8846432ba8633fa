"""Does Qwen Code chat through the gateway, with the repository's context and all that it says itself?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients.places import ADDED, Gateway, Place, content
from clients.programs import NEEDED, Ran

pytestmark = [NEEDED, pytest.mark.slow]

QUESTION = "How is a parcel priced?"


def chats(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The requests of the user's chats, without those that Qwen Code makes for its memory."""
    memory = "You are now acting as the managed memory extraction subagent"
    aside = [one for one in asked if one["messages"][0]["content"].startswith(memory)]
    assert ADDED not in json.dumps(aside)
    return [one for one in asked if one not in aside]


def test_the_back_end_gets_what_qwen_code_says_and_the_context(
    openai: Gateway, qwen: Callable[..., Ran], place: Place
) -> None:
    """But for the model's name, a block before the user's first text is all that differs from asking without us."""
    openai.says({"text": "By the tariff.", "times": 0})
    without, through = qwen(openai.backend, QUESTION), qwen(f"{openai.url}/v1", QUESTION)
    assert (without.code, without.out) == (through.code, through.out) == (0, "By the tariff.\n")
    assert through.err == without.err
    sent, got = chats(openai.asked)
    assert (sent["model"], got["model"]) == ("repoctx/parcels", "scripted")
    context = got["messages"][1]["content"].pop(0)["text"]
    assert {**got, "model": sent["model"]} == sent
    assert f"{ADDED} {place.commit}." in context
    assert "class Tariff" in context
    assert [one["role"] for one in sent["messages"]] == ["system", "user"]
    assert sent["messages"][1]["content"][-1] == {"type": "text", "text": QUESTION}
    assert [sent["stream"], sent["stream_options"]] == [True, {"include_usage": True}]
    assert "read_file" in [one["function"]["name"] for one in sent["tools"]]


def test_qwen_code_uses_its_tools_and_goes_on(openai: Gateway, qwen: Callable[..., Ran], place: Place) -> None:
    """A tool's result comes back to the model; a turn and a conversation later it reads what it has read before."""
    file = place.repository / "parcels/errors.py"
    url, call = f"{openai.url}/v1", {"name": "read_file", "arguments": {"file_path": str(file)}}
    openai.says({"calls": [call]}, {"text": "Six.", "times": 0})
    assert qwen(url, "How many errors are there?").out == "Six.\n"
    first, second = chats(openai.asked)
    assert second["messages"][:2] == first["messages"]
    assistant, result = second["messages"][2:]
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == call["arguments"]
    assert (result["role"], result["tool_call_id"]) == ("tool", assistant["tool_calls"][0]["id"])
    assert content(result) == file.read_text(encoding="utf-8")

    openai.says({"text": "FeedError.", "times": 0})
    assert qwen(url, "Which is the first?", "--continue").out == "FeedError.\n"
    (third,) = chats(openai.asked)
    assert third["messages"][1]["content"][0] == first["messages"][1]["content"][0]
    assert (third["messages"][0], third["messages"][2:4]) == (first["messages"][0], second["messages"][2:])
    assert json.dumps(third).count(ADDED) == 1

    assert qwen(url, QUESTION).out == "FeedError.\n"
    other = chats(openai.asked)[-1]
    assert (other["messages"][0], other["tools"]) == (first["messages"][0], first["tools"])
    assert other["messages"][1]["content"][0] != first["messages"][1]["content"][0]


def test_qwen_code_is_told_what_is_wrong(openai: Gateway, qwen: Callable[..., Ran], place: Place) -> None:
    """A key that is no token, and a repository that there is not, end in a sentence that says so."""
    for setting, said in (
        ({"OPENAI_API_KEY": f"{place.token[:-4]}aaaa"}, "401 the token is not valid, or no longer: `repoctx token"),
        ({"OPENAI_MODEL": "repoctx/none"}, "404 no repository is called 'none': GET /v1/models lists those"),
    ):
        ran = qwen(f"{openai.url}/v1", QUESTION, **setting)
        assert (ran.code, ran.out) == (1, "")
        assert f"[API Error: {said}" in ran.err
    assert openai.asked == []


def test_conversations_share_what_a_real_model_has_read(real: str, qwen: Callable[..., Ran], tmp_path: Path) -> None:
    """Its prefix cache holds Qwen Code's instructions and tools for the next question, whatever that is."""
    settings = tmp_path / "home" / ".qwen" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"memory": {"enableManagedAutoMemory": False}}))  # it asks long questions of its own
    options = ("--output-format", "json")
    asked = [qwen(f"{real}/v1", question, *options) for question in (QUESTION, "What is a hub?")]
    first, second = (json.loads(ran.out)[-1] for ran in asked)
    assert (first["is_error"], second["is_error"]) == (False, False)
    assert second["usage"]["cache_read_input_tokens"] > 8_000
