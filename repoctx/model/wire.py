"""What do the bytes of an answer mean?

The event stream and the errors of OpenAI-compatible servers, as vLLM, llama-server, SGLang and Model Studio
write them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from repoctx import tokens
from repoctx.errors import BackendError
from repoctx.http import said, without_key

MOST_EVENT_BYTES = 16 << 20
MOST_TOKENS = 10**12  # larger figures are mistakes
LONGEST_NAME = 6  # of a field of an event stream, its colon included
_BLANK = b"\xef\xbb\xbf \r\n\t"
# How a prompt that is too long is refused: by vLLM and most others; SGLang; gateways to Claude; Model Studio, whose
# figure is less than its window.
_OVERFLOW = re.compile(
    r"maximum context length (?:is|of) (\d{1,12}) tokens|longer than the model's context length \((\d{1,12})"
    r"|tokens > (\d{1,12}) maximum|[Rr]ange of input length should be"
)
# The tokens of the prompt in such a sentence, those without the answer's first.
_PROMPTS = tuple(
    re.compile(pattern.replace("N", r"(\d{1,12})"))
    for pattern in (
        "N tokens from the input", "N in the messages", "(?:contains at least|requested|resulted in) N", r"input \(N",
        "too long: N",
    )
)  # fmt: skip
_EVENTS = re.compile(rb"(?:data|event|error|retry|id)?:")


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
    finish: str | None = None  # "stop", "length", "tool_calls"; "repetition": it was ended, since it went in circles
    usage: Usage | None = None
    thought: str = ""  # what a model thinks before it answers


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


class Unfinished(BackendError):
    """The stream ended before its answer did."""


def deltas(parts: Iterator[bytes], key: str) -> Iterator[Delta]:
    """The deltas of a server-sent event stream, or of a whole answer that a server sends in place of one.

    Raises Unfinished if it ends too soon, BackendError for everything else that is no answer.
    """
    begin = b""
    for part in parts:
        begin += part
        if len(begin.lstrip(_BLANK)) >= LONGEST_NAME:
            break
    calls, finished = Calls(), False
    if begin.strip(_BLANK) and not _EVENTS.match(begin.lstrip(_BLANK)):
        yield _whole(itertools.chain([begin], parts), key)
        return
    for payload in _events(itertools.chain([begin], parts)):
        if payload == "[DONE]":
            return
        event = _json(payload, "an event that is not JSON", key)
        if not isinstance(event, dict) or event.get("error"):
            raise reported(event, key)
        delta = _delta(event, calls, "delta")
        finished = finished or delta.finish is not None
        if delta != Delta():
            yield delta
    if not finished:
        raise Unfinished("The back end closed the stream before its answer was complete: ask again.")


def _whole(parts: Iterator[bytes], key: str) -> Delta:
    """The answer of a server that does not stream."""
    raw, size = [], 0
    for part in parts:
        raw.append(part)
        size += len(part)
        if size > MOST_EVENT_BYTES:
            raise BackendError(f"The back end sent an answer of more than {MOST_EVENT_BYTES >> 20} MB.")
    wrong = "no answer: its base URL must lead to an OpenAI-compatible API, and mostly ends with /v1. It sent"
    event = _json(b"".join(raw).decode("utf-8", "replace").strip("\ufeff \r\n\t"), wrong, key)
    if not isinstance(event, dict) or event.get("error") or not event.get("choices"):
        raise reported(event, key)
    delta = _delta(event, Calls(), "message")
    return delta._replace(finish=delta.finish or "stop")


def _events(parts: Iterator[bytes]) -> Iterator[str]:
    """The data of each event. Only a line feed ends a line: JSON may hold U+2028, at which httpx splits."""
    rest: list[bytes] = []
    size = 0
    for part in parts:
        *lines, last = part.split(b"\n")
        if lines:
            lines[0] = b"".join([*rest, lines[0]])
            rest, size = [], 0
        rest.append(last)
        size += len(last)
        if size > MOST_EVENT_BYTES:
            raise BackendError(f"The back end sent an event of more than {MOST_EVENT_BYTES >> 20} MB.")
        for line in lines:
            name, _, value = line.lstrip(b"\xef\xbb\xbf").partition(b":")
            if name in (b"data", b"error"):  # llama-server writes some errors as `error: {...}`
                text = value.strip().decode("utf-8", "replace")
                yield text if name == b"data" else f'{{"error": {text}}}'


def _json(text: str, wrong: str, key: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BackendError(f"The back end sent {wrong}: {' '.join(without_key(text, key)[:200].split())!r}") from None


def _delta(event: Mapping[str, Any], calls: Calls, where: str) -> Delta:
    """A step of an answer; its message is said `where` the kind of answer has it."""
    try:
        choice = (event.get("choices") or [{}])[0]
        message = choice.get(where) or {}
        parts = [calls.part(call) for call in message.get("tool_calls") or ()]
        thought = message.get("reasoning_content") or message.get("reasoning")
        finish = choice.get("finish_reason")
        return Delta(
            _text(message.get("content")),
            tuple(part for part in parts if part[1:] != ("", "", "")),
            _text(finish) or None if isinstance(finish, str) else None,
            _usage(event.get("usage")),
            _text(thought) if isinstance(thought, str) else "",
        )
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        said = f"{type(error).__name__}: {error}"[:200]
        raise BackendError(f"The back end sent an event of an unknown shape ({said}).") from None


class Calls:
    """Which piece belongs to which tool call, whatever of its index, id and name a server leaves out or says again."""

    def __init__(self) -> None:
        self._calls: list[dict[str, str]] = []  # of each its id, name, index, and whether it has arguments
        self._known: dict[tuple[str, str], int] = {}

    def part(self, call: Mapping[str, Any]) -> CallPart:
        """A piece as it is joined to those before it: what they have said already is left out."""
        function = call.get("function") or call
        name, arguments = _text(function.get("name")), function.get("arguments")
        text = _text(arguments if isinstance(arguments, str | None) else json.dumps(arguments, ensure_ascii=False))
        id, index = _text(call.get("id")), "" if call.get("index") is None else str(call["index"])
        number = self._number(id, index, name)
        known = self._calls[number]
        part = CallPart(
            number, "" if known["id"] else id, "" if name == known["name"] or known["arguments"] else name, text
        )
        known["id"] += part.id
        known["name"] += part.name
        known["arguments"] = known["arguments"] or text[:1]
        return part

    def _number(self, id: str, index: str, name: str) -> int:
        """The call that a piece is of: that of its id, else of its index, else the last one, else a new one."""
        if id and ("id", id) in self._known:
            return self._known["id", id]
        number = self._known.get(("index", index)) if index else len(self._calls) - 1
        begins = number is None or number < 0
        if number is not None and not begins:
            last = self._calls[number]
            begins = bool(id and last["id"]) or bool(not index and not id and name and last["arguments"])
        if begins or number is None:
            number = len(self._calls)
            self._calls.append({"id": "", "name": "", "arguments": ""})
        if id:
            self._known["id", id] = number
        if index:
            self._known["index", index] = number
        return number


def _text(value: Any) -> str:
    """A text that any database and terminal can hold; of a list of parts, those of their texts."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = "".join(part["text"] for part in value if part.get("type") == "text")
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    return tokens.valid(value).replace("\0", "\ufffd")


def _count(value: Any) -> int | None:
    """A number of tokens, also where it is written as a text; None for anything else."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,12}", value):
        return int(value)
    return int(value) if type(value) in (int, float) and 0 <= value <= MOST_TOKENS else None


def _usage(value: Any) -> Usage | None:
    """What a server reports, or None where it makes no sense."""
    prompt = _count(value.get("prompt_tokens")) if isinstance(value, dict) else None
    if prompt is None:
        return None
    details = value.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(prompt, _count(value.get("completion_tokens")) or 0, cached)


def reported(answer: Any, key: str, status: int | None = None) -> BackendError:
    """The error that a server reports in a body or an event; the key never shows in it."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    text = said(answer, key)
    if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":  # llama-server
        return WindowOverflow(_count(error.get("n_ctx")), _count(error.get("n_prompt_tokens")))
    if found := _OVERFLOW.search(text):
        prompt = next((size for one in _PROMPTS if (size := one.search(text))), None)
        window = next(filter(None, found.groups()), None)
        return WindowOverflow(int(window) if window else None, int(prompt[1]) if prompt else None)
    return BackendError(f"The back end answered {status or 'with an error'}: {text or 'no reason given'}")
