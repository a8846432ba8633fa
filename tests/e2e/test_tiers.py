"""Two servers with windows of their own: every question goes to the smallest that holds it, whoever asks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from repositories import git, write_files
from samples import block
from served import PATIENCE, Address, listening

from repoctx import tokens
from repoctx.serve.gateway.context import SPARE
from repoctx.serve.rest import create_app
from repoctx.serve.script import prompt_tokens
from repoctx.serve.scripted import Server, scripted
from repoctx.workspace import Workspace

Repoctx = Callable[..., tuple[int, str, str]]

# `middle` has no server: nothing may be planned for it.
MODELS = """
[small]
native = 6000
output = 1000
tokenizer = "qwen"
rope_theta = 10_000
tiers = [
    { name = "native", window = 6000 },
    { name = "middle", window = 20_000, rope_factor = 4 },
    { name = "long", window = 40_000, rope_factor = 7 },
]
"""
CART = """\
class Cart{n}:
    def pay(self, card, receipts):
        '''Pay cart {n} once: a cart that is paid twice is refused.'''
        if self.paid:
            raise ValueError('cart {n} is paid twice')
        card.charge(self.total, reason='cart {n}')
        receipts.append((self.total, card.number, 'paid cart {n}'))
        self.paid = True
"""
QUESTION = "Where is it prevented that a cart is paid twice?"
FIX = block("shop/cart1.py", "        self.paid = True", "        self.paid = bool(card)")
WORKFLOW = """
name: carts
description: Says how carts are paid.
steps:
  - {id: short, pack: {task: "how is a cart paid twice?"}, prompt: "Say how. SHORT", budget: 2500, max_output: 200}
  - {id: whole, pack: {task: "how is a cart paid twice?"}, prompt: "Say how. WHOLE", budget: 12000, max_output: 200}
"""


class World(NamedTuple):
    """A repository, two servers, and the service before them."""

    home: Path
    small: Server
    long: Server
    workspace: Workspace
    at: Address

    def went(self) -> list[int]:
        """How many requests each server has had since it was last asked for."""
        found = [len(one.requests) for one in (self.small, self.long)]
        for one in (self.small, self.long):
            one.requests.clear()
        return found


def settings(home: Path, **more: str) -> dict[str, str]:
    """The environment of a command or a workspace there."""
    return {"REPOCTX_HOME": str(home), "REPOCTX_CONFIG": str(home / "repoctx.toml"), **more}


@pytest.fixture(scope="module")
def module_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All of it, made once."""
    home = tmp_path_factory.mktemp("tiers")
    folder = home / "shop"
    folder.mkdir()
    write_files(folder, {f"shop/cart{n}.py": CART.format(n=n) for n in range(150)})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    (home / "models.ini").write_text(MODELS)
    replies = [{"when": "a report of mine", "text": FIX, "times": 0}, {"text": "It is in Cart1.", "times": 0}]
    with (
        scripted({"model": "tiny", "window": 6000, "replies": replies}) as small,
        scripted({"model": "large", "window": 40_000, "replies": replies}) as long,
    ):
        (home / "repoctx.toml").write_text(
            f'model = "small"\nmodels.file = "{home / "models.ini"}"\nembedding.model = "none"\nindex.workers = 1\n'
            f'backend.url = "{small.url}"\nbackend.tiers = ["long={long.url}"]\nbackend.max_output = 1000\n'
        )
        workspace = Workspace(settings(home))
        workspace.index(str(folder), name="shop")
        with listening(create_app(workspace)) as at:
            yield World(home, small, long, workspace, at)
        workspace.close()


@pytest.fixture
def world(module_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same, for commands too, with nothing asked yet."""
    for name, value in settings(module_world.home).items():
        monkeypatch.setenv(name, value)
    module_world.went()
    return module_world


# --- commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("budget, went", [("2500", [1, 0]), ("12000", [0, 1]), ("25000", [0, 1])])
def test_a_question_goes_to_the_smallest_server_that_holds_its_pack(
    world: World, repoctx: Repoctx, budget: str, went: list[int]
) -> None:
    """Past a tier of the model's that no server has; each server is asked with its own model's name."""
    code, out, err = repoctx("ask", QUESTION, "--repo", "shop", "--budget", budget, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out.splitlines()[-1])["answer"]
    asked = (world.small if went[0] else world.long).requests[0]
    assert (answer["text"], asked["model"]) == ("It is in Cart1.", "tiny" if went[0] else "large")
    assert answer["plan"]["tier"] == ("native" if went[0] else "long")
    assert answer["prompt_tokens"] == answer["predicted_tokens"] > int(budget) // 2
    assert world.went() == went


def test_a_question_that_no_server_holds_is_refused(world: World, repoctx: Repoctx) -> None:
    """With the most that one of them takes; nothing is sent."""
    code, _, err = repoctx("ask", QUESTION, "--repo", "shop", "--budget", "36000")
    assert code != 0
    assert "does not fit the largest window of small: ask for at most 29,000 tokens" in err
    assert world.went() == [0, 0]


@pytest.mark.parametrize("budget, went", [("2000", [1, 0]), ("12000", [0, 1])])
def test_debugging_goes_to_the_server_of_its_budget(
    world: World, repoctx: Repoctx, budget: str, went: list[int]
) -> None:
    """A change that holds comes from either."""
    report = "a report of mine: a cart is paid twice"
    code, out, err = repoctx("debug", report, "--repo", "shop", "--budget", budget, "--json")
    made = json.loads(out.splitlines()[-1])
    assert (code, made["outcome"]) == (0, "valid"), err
    assert world.went() == went


def test_each_step_of_a_workflow_goes_to_the_server_of_its_budget(
    world: World, repoctx: Repoctx, tmp_path: Path
) -> None:
    """One to each."""
    (tmp_path / "carts.yaml").write_text(WORKFLOW)
    code, _, err = repoctx("run", str(tmp_path / "carts.yaml"), "--repo", "shop", "--json")
    assert code == 0, err
    texts = [json.dumps([one["messages"] for one in server.requests]) for server in (world.small, world.long)]
    assert [("SHORT" in text, "WHOLE" in text) for text in texts] == [(True, False), (False, True)]
    assert world.went() == [1, 1]


def test_a_tier_that_the_model_does_not_have_is_one_sentence(
    world: World, repoctx: Repoctx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the back end is needed: in commands, and in a chat."""
    monkeypatch.setenv("REPOCTX_BACKEND_TIERS", f"1m={world.long.url}")
    said = "backend.tiers names a tier '1m': the model has native, middle, long"
    for command in (
        ("ask", QUESTION, "--repo", "shop", "--budget", "2500"), ("backend", "check"),
        ("debug", "a report of mine", "--repo", "shop"),
    ):  # fmt: skip
        code, _, err = repoctx(*command)
        assert (code, err.count(said), len(err.strip().splitlines())) == (2, 1, 1), err
    workspace = Workspace()
    with listening(create_app(workspace)) as at:
        answers = [
            httpx.post(f"{at.url}/v1/{path}", json={"model": "x", "messages": asked()}, timeout=PATIENCE)
            for path in ("chat/completions", "messages")
        ] + [httpx.get(f"{at.url}/v1/models", timeout=PATIENCE)]
    workspace.close()
    assert [(one.status_code, one.json()["error"]["message"]) for one in answers] == [(503, said)] * 3
    assert world.went() == [0, 0]


def test_the_server_of_a_tier_can_be_checked(world: World, repoctx: Repoctx) -> None:
    """With `--tier`; without it the usual one."""
    for arguments, server, window in (((), world.small, 6000), (("--tier", "long"), world.long, 40_000)):
        _, out, _ = repoctx("backend", "check", *arguments, "--json")
        found = {line["check"]: line for line in map(json.loads, out.splitlines())}
        assert found["reachable"]["url"] == server.url
        assert (found["window"]["ok"], found["window"]["window"]) == (True, window)


# --- chats -------------------------------------------------------------------------------------


def asked(words: int = 0) -> list[dict[str, Any]]:
    """The messages of a chat that begins, with so many tokens and a few."""
    return [{"role": "user", "content": QUESTION + " why" * words}]


ROUTES = ("chat/completions", "messages")


def chat(world: World, route: str, messages: list[dict[str, Any]], **more: Any) -> httpx.Response:
    """What is answered to a chat about the repository."""
    body = {"model": "repoctx/shop", "max_tokens": 500, "messages": messages, **more}
    answer = httpx.post(f"{world.at.url}/v1/{route}", json=body, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return answer


def told(answer: httpx.Response) -> tuple[str, str]:
    """The tier and the state of the context, as an answer's headers have them."""
    return answer.headers["x-repoctx-tier"], answer.headers["x-repoctx-context"].partition(" ")[0]


@pytest.mark.parametrize("route", ROUTES)
def test_a_conversation_stays_with_a_server_until_it_must_grow(world: World, route: str) -> None:
    """Turn by turn: first one server and then the other, never back; what it begins with stays the same bytes."""
    messages = [{"role": "user", "content": f"{QUESTION} By {route}."}]
    tiers, contexts, sent = [], [], []
    for turn in range(8):
        answer = chat(world, route, messages, stream=turn % 2 == 1)
        tier, context = told(answer)
        server = world.small if tier == "native" else world.long
        used = answer.headers["x-repoctx-context-tokens"]
        tiers.append(tier)
        contexts.append((context, used))
        sent.append(server.requests[-1])
        needed = prompt_tokens(sent[-1]["messages"]) + 500 + SPARE
        assert tier == ("native" if needed <= 6000 else "long"), (turn, needed)
        messages = [*messages, {"role": "assistant", "content": "So." + " so" * 400}, *asked(100)]
    native = tiers.count("native")
    assert tiers == ["native"] * native + ["long"] * (8 - native)
    assert 1 < native < 7
    assert contexts == [("made", contexts[0][1])] + [("kept", contexts[0][1])] * 7
    assert int(contexts[0][1]) > 1000
    for before, after in itertools.pairwise(sent):
        assert after["messages"][: len(before["messages"])] == before["messages"]
    assert [one["model"] for one in sent] == ["tiny"] * native + ["large"] * (8 - native)
    assert world.went() == [native, 8 - native]


@pytest.mark.parametrize("route", ROUTES)
def test_a_context_is_never_the_reason_for_a_larger_server(world: World, route: str) -> None:
    """It takes what is left, or is left out, on the server that the client's own words need."""
    found = []
    for words in (10, 1000, 4500, 4900, 6000, 33_000, 38_900):
        messages = [{"role": "user", "content": f"{QUESTION} In {words} words, by {route}." + " why" * words}]
        answer = chat(world, route, messages)
        server = world.small if told(answer)[0] == "native" else world.long
        used = int(answer.headers["x-repoctx-context-tokens"])
        assert world.went() == [server is world.small, server is world.long]
        assert answer.json()["repoctx"]["tier"] == told(answer)[0]
        own = words + tokens.count(QUESTION) + 12
        assert own + used + 500 <= server.script.window
        found.append((*told(answer), used))
    assert [one[:2] for one in found] == [
        ("native", "made"), ("native", "made"), ("native", "none"), ("native", "none"), ("long", "made"),
        ("long", "made"), ("long", "none"),
    ]  # fmt: skip
    assert found[0][2] > found[1][2] > 1000
    assert found[4][2] > found[0][2]


@pytest.mark.parametrize("route", ROUTES)
def test_the_length_of_the_answer_and_the_tools_count_too(world: World, route: str) -> None:
    """Without a repository as well, where an answer comes back as it is."""
    name = {"name": "read", "description": "Read. " * 3000}
    tool = {"type": "function", "function": name} if route == ROUTES[0] else {**name, "input_schema": {}}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"max_tokens": 5300}, "native"), ({"max_tokens": 5800}, "long"), ({"max_tokens": 90_000}, "long"),
        ({"tools": [tool]}, "long"), ({"messages": asked(4_400)}, "native"), ({"messages": asked(5_200)}, "long"),
    ]  # fmt: skip
    if route == ROUTES[0]:
        cases += [({"max_tokens": None, "messages": asked(4_300)}, "native"),
                  ({"max_tokens": None, "messages": asked(4_700)}, "long")]  # fmt: skip
    for more, tier in cases:
        answer = chat(world, route, **{"messages": asked(), "model": "tiny", **more})
        assert answer.headers["x-repoctx-tier"] == tier, more.keys()
        assert {"x-repoctx-context", "x-repoctx-repository"} & set(answer.headers) == set()
        assert "repoctx" not in answer.json()
        assert world.went() == ([1, 0] if tier == "native" else [0, 1])


def test_the_models_have_the_largest_window_that_is_served(world: World) -> None:
    """In the list and in a row of it; `middle` has no server."""
    rows = httpx.get(f"{world.at.url}/v1/models", timeout=PATIENCE).json()["data"]
    row = httpx.get(f"{world.at.url}/v1/models/repoctx/shop", timeout=PATIENCE).json()
    assert [(one["id"], one["max_model_len"], one["context_length"]) for one in rows] == [
        ("repoctx/shop", 40_000, 40_000), ("tiny", 40_000, 40_000),
    ]  # fmt: skip
    assert row == rows[0]


def test_a_server_that_is_down_is_missed_only_by_what_it_would_hold(world: World) -> None:
    """A long chat does not need the small one, nor a short chat the large one; the models are those of what is up."""
    with scripted({"replies": []}) as gone:
        down = gone.url
    for url, tier, words in ((down, f"long={world.long.url}", 8000), (world.small.url, f"long={down}", 10)):
        environment = settings(world.home, REPOCTX_BACKEND_URL=url, REPOCTX_BACKEND_TIERS=tier)
        workspace = Workspace(environment)
        with listening(create_app(workspace)) as at:
            other = world._replace(at=at)
            assert told(chat(other, ROUTES[0], asked(words)))[0] == ("long" if url == down else "native")
            body = {"model": "tiny", "max_tokens": 500, "messages": asked(8010 - words)}
            missed = httpx.post(f"{at.url}/v1/chat/completions", json=body, timeout=PATIENCE)
            rows = httpx.get(f"{at.url}/v1/models", timeout=PATIENCE).json()["data"]
        workspace.close()
        assert (missed.status_code, missed.json()["error"]["code"]) == (502, "backend_unreachable")
        assert [one["max_model_len"] for one in rows] == [40_000 if url == down else 6000] * 2
