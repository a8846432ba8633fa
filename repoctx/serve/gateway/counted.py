"""How many tokens does a chat take?

A caller may send many megabytes: no thread is held up for long by counting them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from repoctx.counters import BYTES, Counter
from repoctx.tokens import valid

# Bytes of a chat that are counted exactly: code takes 0.1 s per MB, a single word of a MB almost 1 s.
MOST_EXACT = 4_000_000
# Bytes of a chat that is counted at once; a longer one waits for its turn.
MOST_AT_ONCE = 100_000
# Tokens that a chat template adds to a message, and to open the answer.
MESSAGE, ANSWER = 5, 3


def tokens(body: Mapping[str, Any], counter: Counter, turns: AbstractContextManager[Any]) -> int:
    """Tokens of a prompt about as the chat template writes it: texts, calls and tools; pictures are not counted.

    Beyond 4 MB they are estimated: a token for each digit, and for every 4 other bytes. A chat of more than 100 kB is
    counted within `turns`. More messages never make it fewer tokens.
    """
    messages = [one for one in _list(body.get("messages")) if isinstance(one, dict)]
    said = [valid(text).encode() for text in _said(body, messages)]
    total, left = ANSWER + MESSAGE * (len(messages) + bool(body.get("system"))), MOST_EXACT
    with turns if sum(map(len, said)) > MOST_AT_ONCE else nullcontext():
        for text in said:
            exact, rest = text[:left], text[left:]
            total += counter.count(exact.decode("utf-8", "ignore")) + _estimate(rest)
            left -= len(exact)
    return total


def _said(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is counted, the tools first: what stands before stays as it was when there are more messages."""
    if body.get("tools"):
        yield json.dumps(body["tools"], ensure_ascii=False)
    yield from texts(body.get("system"))
    for message in messages:
        yield from texts(message.get("content"))
        blocks = [one for one in _list(message.get("content")) if isinstance(one, dict)]
        calls = [one.get("input") for one in blocks if one.get("type") == "tool_use"]
        yield from (json.dumps(call, ensure_ascii=False) for call in (*calls, message.get("tool_calls")) if call)


def _estimate(raw: bytes) -> int:
    others = len(raw.translate(None, b"0123456789"))
    return len(raw) - others + math.ceil(others / BYTES)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def texts(content: Any) -> Iterator[str]:
    """The texts of a message, of instructions, or of the result of a tool."""
    if isinstance(content, str):
        yield content
    for part in _list(content):
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            if isinstance(part.get("text"), str):
                yield part["text"]
            yield from texts(part.get("content"))
