"""What is an answer in OpenAI's protocol in Anthropic's, at once and as it comes?"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from repoctx.model.wire import CallPart, Calls
from repoctx.serve.gateway.spoken import Failure

# Why an answer ended.
_REASONS = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use",
    "content_filter": "refusal",
}  # fmt: skip
Event = dict[str, Any]


def message(answer: Mapping[str, Any], model: str) -> dict[str, Any]:
    """A whole answer; `model` is the name that the caller asked for. Raises Failure for one of another shape."""
    try:
        choice = answer["choices"][0]
        said = choice["message"]
        content: list[dict[str, Any]] = [{"type": "text", "text": said["content"]}] if said.get("content") else []
        content += [_call(call) for call in said.get("tool_calls") or ()]
        usage = _usage(answer.get("usage") or {})
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise Failure(502, "the model back end sent an answer of an unknown shape") from None
    return {**_begun(model, usage), "content": content, **_ended(choice)}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    text = function.get("arguments") or "{}"
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    # Arguments that are none go on as they are: the client refuses them, and tells the model why.
    given = given if isinstance(given, dict) else {"arguments": text}
    return {"type": "tool_use", "id": call.get("id") or _identity("toolu"), "name": function["name"], "input": given}


def _identity(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:24]}"


def _begun(model: str, usage: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": _identity("msg"), "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": dict(usage),
    }  # fmt: skip


def _ended(choice: Mapping[str, Any]) -> dict[str, Any]:
    reason, sequence = choice.get("finish_reason"), choice.get("stop_reason")
    if reason == "stop" and isinstance(sequence, str):  # as vLLM tells which of the sequences it was
        return {"stop_reason": "stop_sequence", "stop_sequence": sequence}
    return {"stop_reason": _REASONS.get(str(reason), "end_turn"), "stop_sequence": None}


def _usage(told: Mapping[str, Any]) -> dict[str, int]:
    """Tokens; those that were in a cache are not among the input, as Anthropic counts."""
    cached = int((told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    return {
        "input_tokens": max(0, int(told.get("prompt_tokens") or 0) - cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": int(told.get("completion_tokens") or 0),
    }


# --- as it comes -------------------------------------------------------------------------------


async def stream(events: AsyncIterator[bytes], model: str) -> AsyncIterator[bytes]:
    """The events of a streamed answer, in the order that clients need. Raises Failure for one that fails."""
    answer = _Streamed(model)
    yield _written([answer.begin()])
    async for some in events:
        for chunk in _chunks(some):
            if made := _written(answer.take(chunk)):
                yield made
    yield _written(answer.end())


def _written(events: list[Event]) -> bytes:
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events)


def _chunks(events: bytes) -> Iterator[Mapping[str, Any]]:
    """What some events say. Raises Failure for an error among them."""
    for line in events.split(b"\n"):  # a line separator may stand in JSON: only line feeds end lines
        name, _, value = line.partition(b":")
        if name == b"error":
            raise Failure(502, "the model back end failed in the middle of its answer: try again")
        if name != b"data" or value.strip() in (b"", b"[DONE]"):
            continue
        try:
            chunk = json.loads(value)
        except (ValueError, RecursionError):
            raise Failure(502, "the model back end sent an event that is not JSON") from None
        if not isinstance(chunk, dict) or "error" in chunk:
            told = chunk.get("error") if isinstance(chunk, dict) else None
            words = told.get("message") if isinstance(told, dict) else told
            raise Failure(502, f"the model back end failed in the middle of its answer: {str(words)[:500]}")
        yield chunk


class _Streamed:
    """An answer that is under way: blocks come one after the other, each begun and ended."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._open: int | str | None = None  # the block that is being written: "text", or the number of a call
        self._blocks = 0
        self._calls = Calls()
        self._begun: dict[int, tuple[str, str, str]] = {}  # id, name and arguments of a call before its block begins
        self._done: set[int] = set()
        self._choice: Mapping[str, Any] = {}
        self._usage = _usage({})

    def begin(self) -> Event:
        """What comes first."""
        return {"type": "message_start", "message": _begun(self._model, self._usage)}

    def take(self, chunk: Mapping[str, Any]) -> list[Event]:
        """What a piece of the answer becomes."""
        try:
            if chunk.get("usage"):
                self._usage = _usage(chunk["usage"])
            choice = (chunk.get("choices") or [{}])[0]
            if choice.get("finish_reason"):
                self._choice = choice
            delta = choice.get("delta") or {}
            made = self._text(delta["content"]) if delta.get("content") else []
            for call in delta.get("tool_calls") or ():
                made += self._called(self._calls.part(call))
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            raise Failure(502, "the model back end sent an event of an unknown shape") from None
        return made

    def end(self) -> list[Event]:
        """What comes last. Raises Failure if the answer was not complete."""
        if not self._choice:
            raise Failure(502, "the model back end ended its answer before it was complete: try again")
        last = {"type": "message_delta", "delta": _ended(self._choice), "usage": self._usage}
        return [*self._close(), last, {"type": "message_stop"}]

    def _text(self, text: str) -> list[Event]:
        made = [] if self._open == "text" else self._begin("text", {"type": "text", "text": ""})
        return [*made, self._delta({"type": "text_delta", "text": str(text)})]

    def _called(self, part: CallPart) -> list[Event]:
        if part.number in self._done:
            raise Failure(502, "the model back end went back to a tool call that it had ended")
        made: list[Event] = []
        arguments = part.arguments
        if self._open != part.number:
            id, name, before = self._begun.get(part.number, ("", "", ""))
            id, name, arguments = id + part.id, name + part.name, before + arguments
            self._begun[part.number] = id, name, arguments
            if not name:
                return []
            use = {"type": "tool_use", "id": id or _identity("toolu"), "name": name, "input": {}}
            made = self._begin(part.number, use)
        return [*made, *([self._delta({"type": "input_json_delta", "partial_json": arguments})] if arguments else [])]

    def _begin(self, what: int | str, block: dict[str, Any]) -> list[Event]:
        closed = self._close()
        self._open = what
        return [*closed, {"type": "content_block_start", "index": self._blocks, "content_block": block}]

    def _delta(self, delta: dict[str, Any]) -> Event:
        return {"type": "content_block_delta", "index": self._blocks, "delta": delta}

    def _close(self) -> list[Event]:
        if self._open is None:
            return []
        if isinstance(self._open, int):
            self._done.add(self._open)
        self._open, self._blocks = None, self._blocks + 1
        return [{"type": "content_block_stop", "index": self._blocks - 1}]
