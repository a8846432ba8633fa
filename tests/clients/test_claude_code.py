"""Does Claude Code chat through the gateway, before back ends of its own protocol and of OpenAI's?"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from clients.places import ADDED, Gateway, Place, results, text, use
from clients.programs import NEEDED, Ran

pytestmark = [NEEDED, pytest.mark.slow]

QUESTION = "How is a parcel priced?"
INVALID = "the token is not valid, or no longer: `repoctx token create` makes one"
BILLING = "x-anthropic-billing-header: "


def test_the_back_end_gets_what_claude_code_says_and_the_context(
    anthropic: Gateway, claude: Callable[..., Ran], place: Place
) -> None:
    """But for the model's name, the billing header and a block before the first text, all is as without us."""
    anthropic.says(*[[text("By the tariff.")]] * 2)
    without, through = claude(anthropic.backend, QUESTION), claude(anthropic.url, QUESTION)
    assert (without.code, without.out) == (through.code, through.out) == (0, "By the tariff.\n")
    assert through.err == without.err
    sent, got = anthropic.asked
    assert sent["system"].pop(0)["text"].startswith(BILLING)
    assert (sent.pop("model"), got.pop("model")) == ("repoctx/parcels", "tiny")
    for request in (sent, got):
        request.pop("metadata")  # a session's number
    context = got["messages"][0]["content"].pop(0)
    assert got == sent
    assert f"{ADDED} {place.commit}." in context["text"]
    assert "class Tariff" in context["text"]
    assert sent["messages"][0]["content"][-1]["text"] == QUESTION
    assert sent["stream"] is True


def test_claude_code_uses_its_tools_and_goes_on(anthropic: Gateway, claude: Callable[..., Ran], place: Place) -> None:
    """A tool's result comes back to the model; a turn and a conversation later it reads what it has read before."""
    file = place.repository / "parcels/errors.py"
    anthropic.says([text("Let me look."), use(1, "Read", file_path=str(file))], [text("Six.")])
    assert claude(anthropic.url, "How many errors are there?").out == "Six.\n"
    first, second = anthropic.asked
    assert (second["system"], second["tools"]) == (first["system"], first["tools"])
    assert second["messages"][0]["content"][0] == first["messages"][0]["content"][0]
    (result,) = results(second)
    assert result["tool_use_id"] == "toolu_1"
    assert "class UnknownHub(ParcelsError):" in json.dumps(result["content"])

    anthropic.says([text("FeedError.")], [text("By the tariff.")])
    assert claude(anthropic.url, "Which is the first?", "--continue").out == "FeedError.\n"
    assert claude(anthropic.url, QUESTION).out == "By the tariff.\n"
    third, other = anthropic.asked
    assert third["messages"][0]["content"][0] == first["messages"][0]["content"][0]
    assert json.dumps(third).count(ADDED) == 1
    for request in (third, other):
        assert (request["system"], request["tools"]) == (first["system"], first["tools"])
    assert BILLING not in json.dumps([first, second, third, other])
    assert other["messages"][0]["content"][0] != first["messages"][0]["content"][0]


def test_a_back_end_of_openais_protocol_is_asked_in_it(
    openai: Gateway, claude: Callable[..., Ran], place: Place
) -> None:
    """Instructions, context, question, a tool's call and its result: each is what it was, and so is the answer."""
    file = place.repository / "parcels/errors.py"
    openai.says({"text": "Let me look.", "calls": [{"name": "Read", "arguments": {"file_path": str(file)}}]},
                {"text": "Six.", "times": 0})  # fmt: skip
    assert claude(openai.url, "How many errors are there?").out == "Six.\n"
    first, second = openai.asked
    assert [one["role"] for one in first["messages"]] == ["system", "user", "system"]
    assert first["messages"][0]["content"].startswith("You are a Claude agent")
    question = first["messages"][1]["content"]
    assert question.index("<file ") < question.index(f"{ADDED} {place.commit}.") < question.index("# gitStatus")
    assert question.endswith("\nHow many errors are there?")
    assert "Read" in [one["function"]["name"] for one in first["tools"]]
    assert second["messages"][:3] == first["messages"]
    assistant, result = second["messages"][3:5]
    assert assistant["content"] == "Let me look."
    (made,) = assistant["tool_calls"]
    assert (made["function"]["name"], json.loads(made["function"]["arguments"])) == ("Read", {"file_path": str(file)})
    assert (result["role"], result["tool_call_id"]) == ("tool", made["id"])
    assert "class UnknownHub(ParcelsError):" in result["content"]
    assert BILLING not in json.dumps([first, second])


def test_claude_code_is_told_what_is_wrong(anthropic: Gateway, claude: Callable[..., Ran], place: Place) -> None:
    """A token that is none, and a repository that there is not, end at once, in a sentence that says so."""
    ran = claude(anthropic.url, QUESTION, ANTHROPIC_AUTH_TOKEN=f"{place.token[:-4]}aaaa")
    assert ran.code == 1
    assert ran.out == f"Failed to authenticate. API Error: 401 {INVALID}\n"
    ran = claude(anthropic.url, QUESTION, ANTHROPIC_MODEL="repoctx/none")
    assert ran.code == 1
    assert ran.out.startswith("There's an issue with the selected model (repoctx/none).")
    assert anthropic.asked == []


def test_conversations_share_what_a_real_model_has_read(real: str, claude: Callable[..., Ran]) -> None:
    """Its prefix cache holds Claude Code's instructions and tools for the next question, whatever that is."""
    options = ("--output-format", "json")
    first, second = (json.loads(claude(real, question, *options).out) for question in (QUESTION, "What is a hub?"))
    assert (first["is_error"], second["is_error"]) == (False, False)
    assert second["usage"]["cache_read_input_tokens"] > 8_000
