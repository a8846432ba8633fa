"""`repoctx backend check` against servers on loopback, each with a habit of its own."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from backend import MODEL, running_server
from made_tokenizers import tokenizer, written
from scripted import Chat, Reply, Server, count_qwen, running

MODELS = """
[small]
native = 4096
output = 512
tokenizer = "qwen"
rope_theta = 10_000
tiers = [{ name = "native", window = 4096 }, { name = "long", window = 8192, rope_factor = 2 }]

[guessed]
native = 4096
output = 512
tokenizer = "estimate"
tiers = [{ name = "native", window = 4096 }]

[mine]
native = 4096
output = 512
tokenizer = "file:tokenizer.json"
tiers = [{ name = "native", window = 4096 }]

[tiny]
native = 16_384
output = 512
tokenizer = "qwen"
rope_theta = 10_000_000
tiers = [{ name = "native", window = 16_384 }, { name = "long", window = 65_536, rope_factor = 4 }]
"""
LONG = {"row": {"max_model_len": 8192}, "window": 8192}


@pytest.fixture(autouse=True)
def _models() -> None:
    """Models with windows that tests can fill."""
    folder = Path(os.environ["REPOCTX_CONFIG"]).parent
    (folder / "models.toml").write_text(MODELS)
    written("byte level", folder).rename(folder / "tokenizer.json")


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def check(server, repoctx):
    """Checks a server with these habits: exit code, outcome by name (needles by depth), lines by the same, stderr."""

    def run(chat, *arguments: str, model: str = "small"):
        server.otherwise = chat
        command = ("backend", "check", "--backend-url", server.url, "--model", model)
        code, out, err = repoctx(*command, *arguments, "--json")
        lines = [json.loads(line) for line in out.splitlines()]
        found = {line.get("depth", line["check"]): line for line in lines}
        assert all({"check", "ok", "detail"} <= set(line) for line in lines)
        return code, {name: line["ok"] for name, line in found.items()}, found, err

    return run


GOOD = {
    "reachable": True,
    "model": True,
    "usage": True,
    "window": True,
    "template": True,
    "tokens": True,
    "truncation": True,
    "short": True,
    "long needles": None,
}


def test_a_truthful_server(check, server):
    """All is measured and right; what a long check would send is said."""
    code, outcomes, lines, err = check(Chat())
    assert (code, outcomes, err) == (0, GOOD, "")
    window, template = lines["window"], lines["template"]
    assert (window["window"], window["source"], window["tier"]) == (4096, "max_model_len", "native")
    assert (template["template"], template["system"]) == (8, 5)
    assert all(ours == theirs for ours, theirs in lines["tokens"]["texts"].values())
    assert "\u200b" in next(said for said in asked(server) if "im_end" in said)
    assert lines["short"]["prompt_tokens"] == lines["short"]["predicted_tokens"] <= 2000
    assert lines["truncation"]["predicted_tokens"] > 4096
    assert lines["long needles"]["would_send"] == 3 * 2560
    assert all(request["model"] == "tiny" for request in server.requests if "model" in request)


def asked(server: Server) -> list[str]:
    """What users said to a server."""
    return [request["messages"][-1]["content"] for request in server.requests if "messages" in request]


def test_lines_for_people(server, repoctx):
    """A mark, a name and a sentence each; nothing that a server says reaches the terminal as it is."""
    server.otherwise = Chat(answers="\x1b]0;x\x07none")
    code, out, err = repoctx("backend", "check", "--backend-url", server.url, "--model", "small")
    assert (code, err) == (1, "repoctx: 1 of the checks failed: see what their lines say\n")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "ok  reachable",
        "ok  model",
        "ok  usage",
        "ok  window",
        "ok  template",
        "ok  tokens",
        "ok  truncation",
        "BAD needle",
        "?   long needles",
    ]
    assert "\x1b" not in out
    assert "\\x1b]0;x\\x07none" in out
    assert "ok  window: 4,096 tokens by max_model_len: tier native of 4,096 (for rope factor 1)\n" in out


def test_keys_are_looked_for_at_several_depths(check):
    """Past the native window too, where the tier has a rope factor; one that is forgotten is said."""
    depths = ("start", "middle", "past the native window", "end")
    code, outcomes, lines, _ = check(Chat(**LONG), "--long")
    wanted = {**GOOD, **dict.fromkeys(depths, True)}
    del wanted["long needles"]
    assert (code, outcomes) == (0, wanted)
    assert lines["window"]["tier"] == "long"
    assert 5500 < lines["start"]["prompt_tokens"] == lines["start"]["predicted_tokens"] <= 5632
    assert lines["middle"]["at"] < 4096 < lines["past the native window"]["at"] < lines["end"]["at"]
    code, outcomes, lines, _ = check(Chat(**LONG, forgets=4096), "--long")
    assert code == 1
    assert outcomes == {**wanted, "past the native window": False, "end": False}
    assert lines["end"]["detail"].endswith("it answers 'Surely none.': is it started with the rope factor of its tier?")


def test_another_tokenizer(check):
    """The texts and differences are named; the template is told apart; nothing else is blamed for it."""
    code, outcomes, lines, _ = check(Chat(count=lambda prompt: count_qwen(prompt) + 3 * prompt.count("a =")))
    assert (code, outcomes) == (1, {**GOOD, "tokens": False})
    assert "1 of 9 texts differ from qwen (CRLF +3 to " in lines["tokens"]["detail"]
    code, outcomes, _, _ = check(Chat(count=lambda prompt: len(prompt) // 3))
    assert (code, outcomes) == (1, {**GOOD, "tokens": False, "template": False})


def test_control_words_that_are_read_as_such(check):
    """A server that undoes the neutralising is found out."""
    code, outcomes, lines, _ = check(Chat(count=lambda prompt: count_qwen(prompt.replace("\u200b", ""))))
    assert (code, outcomes["tokens"]) == (1, False)
    assert "(control words -" in lines["tokens"]["detail"]


def test_composed_characters(check):
    """A server that composes characters first, as Hugging Face's Qwen does, is right, and it is said."""
    code, outcomes, lines, _ = check(Chat(count=lambda prompt: count_qwen(unicodedata.normalize("NFC", prompt))))
    assert (code, outcomes, lines["tokens"]["composed"]) == (0, GOOD, True)
    assert "(NFC)" in lines["tokens"]["detail"]


def test_a_system_message_of_the_server_s_own(check):
    """The template differs, with what it is; the tokens of texts do not."""
    code, outcomes, lines, _ = check(Chat(system="Be kind."))
    assert (code, outcomes) == (1, {**GOOD, "template": False})
    assert lines["template"]["template"] == 8 + 5 + 3
    code, outcomes, lines, _ = check(Chat(count=lambda prompt: count_qwen(prompt) + prompt.count("start|>system")))
    assert (code, outcomes) == (1, {**GOOD, "template": False})
    assert "6 around a system message, where 5 are expected" in lines["template"]["detail"]


@pytest.mark.parametrize("window", [4096, 3000])
def test_silent_truncation(check, window):
    """What the server says that it has read is less than what was sent."""
    code, outcomes, lines, _ = check(Chat(cuts=True, window=window))
    assert (code, outcomes) == (1, {**GOOD, "truncation": False})
    assert lines["truncation"]["prompt_tokens"] == window
    assert f"is cut silently, {window:,} of them counted" in lines["truncation"]["detail"]


def test_truncation_within_the_window(check):
    """A server that reads less than even a short prompt."""
    code, outcomes, lines, _ = check(Chat(cuts=True, window=1500))
    assert (code, outcomes) == (1, {**GOOD, "truncation": False, "short": False})
    assert "the server read 1,500 of them only" in lines["short"]["detail"]


@pytest.mark.parametrize(
    "habits, outcome",
    [
        ({"window": 10**6}, False),  # takes more than it says
        ({"window": 3000}, False),  # has less than it says
        ({"refusal": "Range of input length should be [1, {window}]"}, True),
        ({"refusal": "something broke"}, False),
    ],
)
def test_other_answers_to_a_long_prompt(check, habits, outcome):
    """It must be refused, for its length."""
    code, outcomes, _, _ = check(Chat(**habits))
    assert (code, outcomes) == (0 if outcome else 1, {**GOOD, "truncation": outcome})


def test_no_usage(check):
    """Nothing can be compared, and nothing is guessed."""
    code, outcomes, _, _ = check(Chat(usage=False))
    assert (code, outcomes) == (1, {**GOOD, "usage": False, "template": None, "tokens": None})


def test_a_smaller_window(check):
    """It matches no tier; with --tier, or more than the rope factor allows, neither."""
    small = Chat(row={"max_model_len": 3000}, window=3000)
    code, outcomes, lines, _ = check(small)
    assert (code, outcomes, lines["window"]["tier"]) == (1, {**GOOD, "window": False}, None)
    assert "3,000 tokens by max_model_len are fewer than tier native of 4,096" in lines["window"]["detail"]
    assert check(small, "--long")[1]["end"] is True  # prompts keep to what there is
    code, outcomes, _, _ = check(Chat(), "--tier", "long")
    assert (code, outcomes) == (1, {**GOOD, "window": False})
    code, outcomes, lines, _ = check(Chat(row={"max_model_len": 5000}, window=5000))
    assert (code, outcomes) == (1, {**GOOD, "window": False})
    assert "are more than tier native" in lines["window"]["detail"]


@pytest.mark.parametrize(
    "row, props, outcome, source",
    [
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 9}}, {}, True, "meta.n_ctx"),
        ({"meta": {"n_ctx_train": 9}}, {"default_generation_settings": {"n_ctx": 4096}}, True, "/props"),
        ({"meta": {"n_ctx_train": 4096}}, {}, None, "meta.n_ctx_train"),
        ({"max_model_len": "4096", "meta": []}, {}, None, ""),
    ],
)
def test_where_a_window_is_told(check, row, props, outcome, source):
    """By vLLM and SGLang in one place, by llama.cpp in three; what the model was trained with proves nothing."""
    code, outcomes, lines, _ = check(Chat(row=row, props=props))
    assert (code, outcomes) == (0, {**GOOD, "window": outcome, "truncation": True if source else None})
    assert lines["window"]["source"] == source


def test_a_large_window_is_exceeded_on_demand_only(check, server):
    """Without --long no prompt of its size is sent, and what would be is said."""
    code, outcomes, lines, _ = check(Chat(row={"max_model_len": 262_144}), model="qwen3-coder-next")
    assert (code, outcomes) == (0, {**GOOD, "truncation": None})
    assert lines["truncation"]["would_send"] == 262_656
    assert max(map(len, asked(server))) < 10_000


def test_an_estimate(check):
    """It is judged by its margin, and prompts are scaled to the server's tokens."""
    code, outcomes, lines, _ = check(Chat(), "--long", model="guessed")
    wanted = {name: ok for name, ok in GOOD.items() if name != "long needles"}
    assert (code, outcomes) == (0, {**wanted, "start": True, "middle": True, "end": True})
    assert (lines["tokens"]["margin"], lines["tokens"]["share"] > 1) == (1.0, True)
    assert lines["end"]["prompt_tokens"] <= 2560
    code, outcomes, _, _ = check(Chat(count=lambda prompt: count_qwen(prompt) * 4, window=9999), model="guessed")
    assert (code, outcomes["tokens"]) == (1, False)
    code, outcomes, _, _ = check(Chat(usage=False), model="guessed")
    assert (code, outcomes["truncation"], outcomes["short"]) == (1, None, True)


def test_a_tokenizer_file(check):
    """The allowance for an unknown template suffices, the exact figure is told; a system message may be refused."""
    mine = tokenizer("byte level")
    chat = Chat(count=lambda prompt: len(mine.encode(prompt, add_special_tokens=False).ids), refuses_system=True)
    code, outcomes, lines, _ = check(chat, model="mine")
    assert (code, outcomes) == (0, GOOD)
    assert (lines["template"]["stated"], lines["template"]["system"]) == (128, None)
    assert f"template = {lines['template']['template']} in models.toml is exact" in lines["template"]["detail"]


def test_another_model_is_served(check):
    """A name that is not listed: it may answer all the same, or say what there is."""
    code, outcomes, _, _ = check(Chat(), "--backend-model", "huge")
    assert (code, outcomes) == (0, {**GOOD, "model": None})
    missing = Reply(404, b'{"error": {"message": "The model `huge` does not exist."}}')
    code, outcomes, lines, err = check(
        lambda request: missing if "messages" in request else Chat()(request), "--backend-model", "huge"
    )
    assert (code, outcomes) == (1, {"reachable": True, "model": False})
    assert "the server lists 'tiny'; name one of those with --backend-model" in lines["model"]["detail"]
    assert err == "repoctx: 1 of the checks failed: see what their lines say\n"


def test_a_list_that_is_missing(check):
    """Only the name has to be given then."""

    def chat(request):
        return Chat()(request) if "messages" in request else Reply(404, b'{"error": "no"}')

    assert check(chat)[:2] == (4, {"reachable": False})
    code, outcomes, _, _ = check(chat, "--backend-model", "tiny", "--tier", "native")
    assert (code, outcomes) == (0, {**GOOD, "window": None})


def test_a_server_that_is_down(repoctx):
    """Exit code 4, one line, one sentence."""
    with running() as server:
        url = server.url
    code, out, err = repoctx("backend", "check", "--backend-url", url, "--json")
    (line,) = [json.loads(line) for line in out.splitlines()]
    assert (code, line["check"], line["ok"]) == (4, "reachable", False)
    assert err == f"repoctx: {line['detail']}\n"
    assert line["detail"].endswith("Is it running?")


def test_a_page_in_place_of_an_api(check):
    """Exit code 4, and what the base URL should lead to."""
    page = Reply(200, b"<html>\x1b[2JWelcome</html>", (("Content-Type", "text/html"),))
    for arguments in ((), ("--backend-model", "tiny")):
        code, outcomes, _, err = check(lambda request: page, *arguments)
        assert (code, outcomes) == (4, {"reachable": False})
        assert "answers 200 without JSON: the base URL must lead to an OpenAI-compatible API" in err


def test_the_key_never_shows(check, server, monkeypatch):
    """Not from refusals, lists or answers that repeat it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    row = {"id": "sk-secret", "max_model_len": 4096}
    code, outcomes, lines, err = check(Chat(row=row, answers="sk-secret"), "--backend-model", "tiny")
    assert (code, outcomes) == (1, {**GOOD, "model": None, "short": False})
    assert "sk-secret" not in f"{lines}{err}"
    assert server.seen_headers[0]["Authorization"] == "Bearer sk-secret"
    refused = Reply(401, b'{"error": "bad key sk-secret"}')
    code, outcomes, lines, err = check(lambda request: refused, "--backend-model", "x")
    assert (code, outcomes) == (4, {"reachable": False})
    assert "set OPENAI_API_KEY" in err
    assert "sk-secret" not in f"{lines}{err}"


def test_wrong_use(check, repoctx):
    """No address, and a tier that the model does not have: exit code 2."""
    assert repoctx("backend", "check")[0] == 2
    code, outcomes, _, err = check(Chat(), "--tier", "2m")
    assert (code, outcomes, err) == (2, {}, "repoctx: small has no tier '2m': there are native, long\n")


@pytest.mark.slow
def test_a_real_server(repoctx):
    """llama-server tells its window, counts as we do and refuses what is too long; its random model knows no keys."""
    with running_server("native") as url:
        command = ("backend", "check", "--backend-url", f"{url}/v1", "--backend-model", MODEL, "--model", "tiny")
        code, out, _ = repoctx(*command, "--json")
    outcomes = {line["check"]: line["ok"] for line in map(json.loads, out.splitlines())}
    assert (code, outcomes) == (1, {**{n: ok for n, ok in GOOD.items() if n != "short"}, "needle": False})
