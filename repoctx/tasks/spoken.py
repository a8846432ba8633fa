"""Which tools does a model call in its text, where the server does not read that for us?

Qwen3-Coder writes `<tool_call>`, `<function=NAME>` and `<parameter=NAME>` with closing tags, and forgets some; other
models of the family write a JSON object between `<tool_call>` and `</tool_call>`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_CALL, _CALL_ENDS = "<tool_call>", "</tool_call>"
_FUNCTION, _FUNCTION_ENDS = "<function=", "</function>"
_PARAMETER, _PARAMETER_ENDS = "<parameter=", "</parameter>"
# Calls that are read, and looks for one: an answer may repeat itself without end.
MOST, _LOOKS = 32, 128


class Wanted(NamedTuple):
    """A call that a model wants to be made."""

    id: str
    name: str
    arguments: str  # JSON, if the model wrote some


class _Piece(NamedTuple):
    """A part of a text that is a call."""

    start: int
    end: int
    call: Wanted


def wanted(text: str) -> tuple[str, list[Wanted]]:
    """A text without the calls in it, and those."""
    pieces = _pieces(text)
    kept, at = [], 0
    for piece in pieces:
        kept.append(text[at : piece.start])
        at = piece.end
    return "".join([*kept, text[at:]]), [piece.call for piece in pieces]


def without_calls(text: str) -> str:
    """What a text says beside calls."""
    return wanted(text)[0]


def _pieces(text: str) -> list[_Piece]:
    found: list[_Piece] = []
    at = 0
    for _ in range(_LOOKS):
        starts = [start for start in (text.find(_CALL, at), text.find(_FUNCTION, at)) if start >= 0]
        if not starts or len(found) == MOST:
            break
        start = min(starts)
        piece = _function(text, start) or _object(text, start)
        if piece is None:
            at = start + 1
            continue
        found.append(piece)
        at = piece.end
    return found


def _function(text: str, start: int) -> _Piece | None:
    """The call of Qwen3-Coder's form that begins there."""
    inner = _skipped(text, start + len(_CALL)) if text.startswith(_CALL, start) else start
    end = text.find(_FUNCTION_ENDS, inner)
    if not text.startswith(_FUNCTION, inner) or end < 0:
        return None
    name, closed, body = text[inner + len(_FUNCTION) : end].partition(">")
    if not closed or "\n" in name:
        return None
    after = end + len(_FUNCTION_ENDS)
    behind = _skipped(text, after)
    after = behind + len(_CALL_ENDS) if text.startswith(_CALL_ENDS, behind) else after
    return _Piece(
        start, after, Wanted("", name.strip().strip("\"'"), json.dumps(_parameters(body), ensure_ascii=False))
    )


def _parameters(body: str) -> dict[str, str]:
    """The parameters of a call; one that is not closed ends where the next begins."""
    found: dict[str, str] = {}
    for part in body.split(_PARAMETER)[1:]:
        name, closed, value = part.partition(">")
        if closed:
            value = value.rpartition(_PARAMETER_ENDS)[0] if _PARAMETER_ENDS in value else value.rstrip()
            found[name.strip().strip("\"'")] = value.removeprefix("\n").removesuffix("\n")
    return found


def _object(text: str, start: int) -> _Piece | None:
    """The call that is written as a JSON object there."""
    end = text.find(_CALL_ENDS, start)
    if not text.startswith(_CALL, start) or end < 0:
        return None
    try:
        call: Any = json.loads(text[start + len(_CALL) : end])
    except (ValueError, RecursionError):
        return None
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    given = call.get("arguments") or {}
    arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return _Piece(start, end + len(_CALL_ENDS), Wanted("", call["name"], arguments))


def _skipped(text: str, at: int) -> int:
    """The place of the next character that is no blank."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at
