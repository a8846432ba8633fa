"""How does a model look around in a repository before it answers?

It is asked, calls tools, is told what they say, and is asked again, until it answers. Each turn is a step of the
task's journal. What tools say follows from the snapshot and the arguments, so it is not kept: it is looked up again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from repoctx import tokens
from repoctx.errors import UsageError
from repoctx.model.client import Answer, Message, WindowOverflow
from repoctx.pack import Window, room
from repoctx.tasks.spoken import Wanted, wanted, without_calls
from repoctx.tasks.steps import Desk
from repoctx.tasks.tools import Result, Toolbox, refused

# Calls of one turn that are answered, and how often the same call is.
MOST_CALLS, MOST_REPEATS = 16, 2
# Tokens that a chat template adds to a message, a call's name and id included.
_FRAME = 24
# Characters of the arguments that those who follow the task are shown.
_SHOWN = 500
# What servers take for the name of a tool.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

ENOUGH = "That is all that can be looked up. Answer now, with what you have found: call no more tools."
_UNSHOWN = "This is not shown: there is no room left for it."


class Called(NamedTuple):
    """A call that a model made."""

    turn: int
    tool: str
    arguments: str
    error: bool


class Said(NamedTuple):
    """What a model answered in the end."""

    text: str
    turns: int  # times that it was asked
    calls: tuple[Called, ...]


def converse(
    desk: Desk, step: str, messages: Sequence[Message], toolbox: Toolbox, *, most_turns: int = 20,
    model: str | None = None, tier: str | None = None, options: Mapping[str, Any] | None = None,
) -> Said:  # fmt: skip
    """What a model answers that may call tools, `most_turns` times at most before it must answer without.

    Raises what `Desk.say` raises.
    """
    window, definitions = desk.window(model), toolbox.definitions
    space = _space(window, tier, definitions)
    talk: list[Message] = list(messages)
    seen: Counter[str] = Counter()
    calls: list[Called] = []
    turn, begun = 0, len(talk)
    while turn < most_turns:
        turn += 1
        try:
            answer = desk.say(
                f"{step} turn {turn}", talk, model=model, tier=tier, tools=definitions, options=options
            )  # fmt: skip
        except WindowOverflow:  # the server's window is smaller than it was said to be
            if turn == 1:
                raise
            talk[begun:] = [_emptied(one) for one in talk[begun:]]
            break
        text, asked = _understood(answer, turn)
        if not asked:
            return Said(text, turn, tuple(calls))
        talk.append(_assistant(text, asked))
        begun, left = len(talk), space - sum(_size(window, one) for one in talk)
        for number, call in enumerate(asked):
            result = _result(toolbox, call, number, seen)
            calls.append(Called(turn, call.name, call.arguments, result.error))
            shown = {"step": step, "turn": turn, "tool": call.name[:100], "arguments": call.arguments[:_SHOWN]}
            desk.journal.tell("tool", {**shown, "error": result.error})
            talk.append({"role": "tool", "tool_call_id": call.id, "content": result.text})
            left -= _size(window, talk[-1])
        if left < 0:
            talk[begun:] = _fitted(window, talk[begun:], space - sum(_size(window, one) for one in talk[:begun]))
            break
    talk.append({"role": "user", "content": ENOUGH})
    last = desk.say(f"{step} turn {turn + 1}", talk, model=model, tier=tier, options=options)
    return Said(without_calls(last.text).strip(), turn + 1, tuple(calls))


# --- what the model said -----------------------------------------------------------------------


def _understood(answer: Answer, turn: int) -> tuple[str, list[Wanted]]:
    """The text and the calls of an answer, every call with an id that no other has."""
    text = tokens.valid(answer.text)
    asked = [Wanted(one.id, one.name, one.arguments) for one in answer.calls]
    if not asked:
        text, asked = wanted(text)
    ids: set[str] = set()
    made = []
    for number, one in enumerate(asked):
        identity = one.id if _NAME.fullmatch(one.id) and one.id not in ids else f"call_{turn}_{number + 1}"
        ids.add(identity)
        made.append(Wanted(identity, tokens.valid(one.name).strip(), tokens.valid(one.arguments)))
    return text.strip(), made


def _assistant(text: str, asked: Sequence[Wanted]) -> Message:
    """What the model said, as servers take it again: their templates want names and JSON objects."""
    calls = [
        {
            "id": one.id,
            "type": "function",
            "function": {
                "name": one.name if _NAME.fullmatch(one.name) else "unknown",
                "arguments": tokens.neutralise(one.arguments) if _is_object(one.arguments) else "{}",
            },
        }
        for one in asked
    ]
    return {"role": "assistant", "content": tokens.neutralise(text), "tool_calls": calls}


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


# --- what the tools say ------------------------------------------------------------------------


def _result(toolbox: Toolbox, call: Wanted, number: int, seen: Counter[str]) -> Result:
    """The answer to a call; what a model asks again and again it is told to have asked."""
    if number >= MOST_CALLS:
        return refused(UsageError(f"{MOST_CALLS} calls are answered at a time: make this one again in the next turn"))
    same = f"{call.name} {_canonical(call.arguments)}"
    seen[same] += 1
    if seen[same] > MOST_REPEATS:
        said = "You have made this call before, with the same arguments: its answer stands above and does not change"
        return refused(UsageError(f"{said}. Use it, ask for something else, or answer."))
    return toolbox.call(call.name, call.arguments)


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments.strip()


# --- what has room -----------------------------------------------------------------------------


def _space(window: Window, tier: str | None, definitions: Sequence[Mapping[str, Any]]) -> int:
    """Tokens that all messages may have together, the last request for an answer not counted."""
    chosen = next((one for one in window.tiers if one.name == tier), window.tiers[0])
    fixed = sum(window.counter.count(json.dumps(one)) for one in definitions) + window.counter.count(ENOUGH) + _FRAME
    return room(window, chosen) - window.counter.most(fixed)


def _size(window: Window, message: Message) -> int:
    """Tokens of a message."""
    content = message.get("content") or ""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    calls = message.get("tool_calls") or ()
    count = window.counter.count(text) + (window.counter.count(json.dumps(calls, ensure_ascii=False)) if calls else 0)
    return window.counter.most(count) + _FRAME


def _fitted(window: Window, results: Sequence[Message], left: int) -> list[Message]:
    """The answers of tools that have room, in order; of the others only that they have none."""
    left -= sum(_size(window, _emptied(one)) for one in results)
    kept = []
    for one in results:
        more = _size(window, one) - _size(window, _emptied(one))
        kept.append(one if more <= left else _emptied(one))
        left -= more if more <= left else 0
    return kept


def _emptied(message: Message) -> Message:
    return {**message, "content": _UNSHOWN}
