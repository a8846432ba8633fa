"""What do the clients meet? An indexed repository, and the service before a back end of either protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import scripted as plain
from running import running
from scripted import Reply

from repoctx.serve.script import Cast, parse
from repoctx.serve.scripted import scripted

# What every context of the repository says of itself, before its commit.
ADDED = "was added by repoctx: it quotes the repository parcels as it is indexed at main, commit"
# What Qwen Code asks for itself when it has answered; no test waits for it.
ASIDE = {"when": "^Managed memory has TWO directories", "text": "Nothing.", "times": 0}
MODELS = b'{"data": [{"id": "tiny", "max_model_len": 200000}]}'
EVENTS = (("Content-Type", "text/event-stream"),)
Block = dict[str, Any]  # of Anthropic's protocol


class Place(NamedTuple):
    """An indexed repository, and who may ask about it."""

    home: Path  # of repoctx
    repository: Path  # called parcels
    commit: str
    token: str


class Gateway(NamedTuple):
    """The service before a back end whose answers a test says."""

    url: str
    backend: str  # its base URL, for a client that asks it without us
    asked: list[dict[str, Any]]  # what the back end was asked since the last `says`
    says: Callable[..., None]


def settings(home: Path, **more: str) -> dict[str, str]:
    """The environment of a service; nothing is found by vectors."""
    known = {"REPOCTX_HOME": str(home), "REPOCTX_CONFIG": str(home / "none.toml"), "REPOCTX_EMBEDDING_MODEL": "none"}
    return {**known, **more}


@contextmanager
def serving(place: Place, backend: str, **more: str) -> Iterator[str]:
    """The URL of `repoctx serve` before a back end."""
    known = settings(place.home, REPOCTX_BACKEND_URL=backend, **more)
    with running(place.home, known, "--workers", "0") as service:
        yield f"http://127.0.0.1:{service.port}"


@contextmanager
def openai(place: Place) -> Iterator[Gateway]:
    """Before a back end of OpenAI's protocol; `says` takes the replies of a script."""
    with scripted({"replies": []}) as server, serving(place, server.url) as url:

        def says(*replies: Mapping[str, Any]) -> None:
            server.cast = Cast(parse({"replies": [ASIDE, *replies]}))
            server.requests.clear()

        yield Gateway(url, server.url, server.requests, says)


@contextmanager
def anthropic(place: Place) -> Iterator[Gateway]:
    """Before a back end of Anthropic's protocol; `says` takes the blocks of each answer."""
    turns: list[Sequence[Block]] = []
    asked: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> Reply:
        if request.pop("path").partition("?")[0] != "/v1/messages":
            return Reply(body=MODELS)
        asked.append(request)
        return Reply(200, streamed(turns.pop(0)), EVENTS)

    def says(*answers: Sequence[Block]) -> None:
        turns[:] = answers
        asked.clear()

    with plain.running() as server:
        server.otherwise = answer
        with serving(place, server.url) as url:
            yield Gateway(url, server.url.removesuffix("/v1"), asked, says)


# --- Anthropic's protocol ----------------------------------------------------------------------


def text(said: str) -> Block:
    """A block of text."""
    return {"type": "text", "text": said}


def use(number: int, name: str, /, **given: Any) -> Block:
    """A block that calls a tool."""
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def results(request: Mapping[str, Any]) -> list[Block]:
    """The results of tools in a request."""
    contents = [message["content"] for message in request["messages"] if isinstance(message["content"], list)]
    return [block for blocks in contents for block in blocks if block["type"] == "tool_result"]


def content(said: Mapping[str, Any]) -> str:
    """The text of a message or of a tool's result."""
    value = said["content"]
    return value if isinstance(value, str) else "".join(part["text"] for part in value)


def streamed(blocks: Sequence[Block]) -> bytes:
    """An answer as it is streamed."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    begun = {"id": "msg_1", "type": "message", "role": "assistant", "model": "tiny", "content": [], "usage": usage,
             "stop_reason": None, "stop_sequence": None}  # fmt: skip
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(blocks):
        empty, delta = _begun(block)
        events += [
            {"type": "content_block_start", "index": index, "content_block": empty},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    ended = {"stop_reason": reason, "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ended, "usage": usage}, {"type": "message_stop"}]
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()


def _begun(block: Block) -> tuple[Block, Block]:
    """How a block begins, and what comes to it."""
    if block["type"] == "text":
        return text(""), {"type": "text_delta", "text": block["text"]}
    return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
