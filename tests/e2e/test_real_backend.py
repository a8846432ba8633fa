"""The client against a real mixture-of-experts server, in its native window and with YaRN."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from backend import MODEL, WINDOWS, Profile, running_server
from running import until

from repoctx import tokens
from repoctx.errors import Stopped
from repoctx.model import client
from repoctx.model.cancel import Cancellation
from repoctx.serve.script import prompt_tokens

pytestmark = pytest.mark.slow

CHAT = [
    {"role": "system", "content": "You answer questions about code."},
    {"role": "user", "content": "def price(weight: float) -> float:\n    return 3 * weight  # größer\n"},
    {"role": "assistant", "content": "It multiplies the weight by three."},
    {"role": "user", "content": "Which unit has the weight?\n\n日本語 \U0001f44d"},
]
TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Find places in the code.",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}


@pytest.fixture(scope="module", params=["native", "yarn"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Profile, client.Backend]]:
    """A server of a profile, and how it is called."""
    with running_server(request.param) as url:
        yield request.param, client.Backend(f"{url}/v1", MODEL, timeout=300, max_output=8)


def long_text(size: int) -> str:
    """A text of exactly so many tokens."""
    text = "word" + " word" * (size - 1)
    assert tokens.count(text) == size
    return text


def slots(backend: client.Backend) -> list[dict[str, Any]]:
    return httpx.get(backend.base_url.removesuffix("/v1") + "/slots", timeout=60).json()


def read_tokens(backend: client.Backend) -> int:
    """Tokens of prompts that the server has read."""
    metrics = httpx.get(backend.base_url.removesuffix("/v1") + "/metrics", timeout=60).text
    return int(re.search(r"^llamacpp:prompt_tokens_total (\d+)", metrics, re.MULTILINE)[1])


def test_a_chat_has_the_tokens_that_we_predict(served) -> None:
    """Several turns with a system message, to the token; and a single message as packs are sent."""
    _, backend = served
    usage = client.complete(backend, CHAT, options={"temperature": 0}).usage
    parts = [tokens.count(str(message["content"])) for message in CHAT]
    assert usage.prompt_tokens == sum(parts) + 5 * len(CHAT) + 3 == prompt_tokens(CHAT)
    question = [CHAT[1]]
    assert client.complete(backend, question).usage.prompt_tokens == parts[1] + tokens.chat_overhead()


def test_an_answer_comes_in_steps(served) -> None:
    """Text, then the finish, then the usage; the whole answer is the same."""
    _, backend = served
    options = {"seed": 1, "temperature": 1, "ignore_eos": True}
    steps = list(client.stream(backend, CHAT, options=options))
    assert steps[-1].usage.completion_tokens == backend.max_output
    assert [step.finish for step in steps if step.finish] == ["length"]
    assert len([step for step in steps if step.text]) > 1
    answer = client.complete(backend, CHAT, options=options)
    assert (answer.text, answer.finish) == (client.collect(steps).text, "length")


def test_tools_are_taken(served) -> None:
    """A request that offers tools is answered; the random model calls none, but its prompt grows by their text."""
    _, backend = served
    plain, offered = client.complete(backend, CHAT), client.complete(backend, CHAT, tools=[TOOL])
    assert offered.finish in ("length", "stop", "tool_calls")
    assert offered.usage.prompt_tokens > plain.usage.prompt_tokens + 40


def test_a_prompt_over_the_window_is_refused_with_its_size(served) -> None:
    """What fills the window to the last token is read, one more is too many; YaRN's is four times the native one."""
    profile, backend = served
    most = WINDOWS[profile]
    long = [{"role": "user", "content": long_text(most - tokens.chat_overhead() + 1)}]
    with pytest.raises(client.WindowOverflow) as caught:
        client.complete(backend, long)
    assert (caught.value.window, caught.value.prompt) == (most, most + 1)


def test_cancelling_while_a_prompt_is_read_frees_the_server() -> None:
    """The call ends at once, and the server stops reading within a second or two: the next request is answered."""
    with running_server("yarn") as url:
        backend = client.Backend(f"{url}/v1", MODEL, timeout=300, max_output=8)
        cancellation = Cancellation()
        long = [{"role": "user", "content": long_text(60_000)}]  # some ten seconds
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(client.complete, backend, long, cancellation=cancellation)
            until(lambda: any(slot["is_processing"] for slot in slots(backend)), "the server begins to read")
            assert not asking.done()
            cancellation.cancel()
            with pytest.raises(Stopped):
                asking.result(5)
        # The server looks for clients that have left once in a quiet second: nothing may be asked of it meanwhile.
        assert client.complete(backend, [{"role": "user", "content": "Hello"}]).usage.prompt_tokens == 9
        assert read_tokens(backend) < 30_000
