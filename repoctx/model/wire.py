"""What do the bytes of an answer mean?

The event stream and the errors of OpenAI-compatible servers, as vLLM, llama-server, SGLang and Model Studio
write them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from repoctx.errors import BackendError
from repoctx.http import said

MOST_EVENT_BYTES = 16 << 20


class Usage(NamedTuple):
    """Tokens as the server counted them; `cached_tokens` is None where it does not say."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None


class CallPart(NamedTuple):
    """A piece of a tool call; pieces of one call share their number, and their texts are joined."""

    number: int
    id: str
    name: str
    arguments: str


class Delta(NamedTuple):
    """One step of a streamed answer. The last one has the usage, where the server reports it."""

    text: str = ""
    calls: tuple[CallPart, ...] = ()
    finish: str | None = None  # "stop", "length", "tool_calls"
    usage: Usage | None = None


class WindowOverflow(BackendError):
    """The prompt does not fit the server's window."""

    def __init__(self, window: int | None, prompt: int | None) -> None:
        size = f"of {prompt:,} tokens " if prompt else ""
        room = f" of {window:,} tokens" if window else ""
        super().__init__(
            f"The prompt {size}does not fit the back end's window{room}: ask for a smaller budget, or use a "
            f"back end with a larger window."
        )
        self.window = window
        self.prompt = prompt


def deltas(parts: Iterator[bytes], key: str) -> Iterator[Delta]:
    """The deltas of a server-sent event stream."""
    finished = False
    for payload in _events(parts):
        if payload == "[DONE]":
            return
        try:
            event = json.loads(payload)
        except ValueError:
            raise BackendError(f"The back end sent an event that is not JSON: {payload[:200]!r}") from None
        if not isinstance(event, dict) or "error" in event:
            raise reported(event, key)
        delta = _delta(event)
        finished = finished or delta.finish is not None
        if delta != Delta():
            yield delta
    if not finished:
        raise BackendError("The back end closed the stream before its answer was complete: ask again.")


def _events(parts: Iterator[bytes]) -> Iterator[str]:
    """The data of each event. Only a line feed ends a line: JSON may hold U+2028, at which httpx splits."""
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > MOST_EVENT_BYTES:
            raise BackendError("The back end sent an event of more than 16 MB.")
        for line in lines:
            name, _, value = line.partition(b":")
            if name in (b"data", b"error"):  # llama-server writes some errors as `error: {...}`
                text = value.strip().decode("utf-8", "replace")
                yield text if name == b"data" else f'{{"error": {text}}}'


def _delta(event: Mapping[str, Any]) -> Delta:
    try:
        choice = (event.get("choices") or [{}])[0]
        message = choice.get("delta") or {}
        calls = tuple(_call_part(call) for call in message.get("tool_calls") or ())
        text, usage = message.get("content") or "", _usage(event.get("usage"))
        return Delta(text, calls, choice.get("finish_reason"), usage)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BackendError(f"The back end sent an event of an unknown shape: {error!r}") from None


def _call_part(call: Mapping[str, Any]) -> CallPart:
    function = call.get("function") or {}
    name, arguments = function.get("name") or "", function.get("arguments") or ""
    return CallPart(int(call.get("index") or 0), call.get("id") or "", name, arguments)


def _usage(value: Mapping[str, Any] | None) -> Usage | None:
    if not value:
        return None
    cached = (value.get("prompt_tokens_details") or {}).get("cached_tokens")
    return Usage(int(value["prompt_tokens"]), int(value.get("completion_tokens") or 0), cached)


def reported(answer: Any, key: str, status: int | None = None) -> BackendError:
    """The error that a server reports in a body or an event; the key never shows in it."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    text = said(answer, key)
    if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":  # llama-server
        return WindowOverflow(error.get("n_ctx"), error.get("n_prompt_tokens"))
    if found := re.search(r"maximum context length is (\d+) tokens", text):  # vLLM, and most others
        prompt = re.search(r"(?:contains at least|requested|resulted in) (\d+)", text)
        return WindowOverflow(int(found[1]), int(prompt[1]) if prompt else None)
    return BackendError(f"The back end answered {status or 'with an error'}: {text or 'no reason given'}")
