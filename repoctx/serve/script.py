"""What does a scripted back end answer? The replies of a YAML file, each used in turn by the requests that it fits."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from repoctx import tokens
from repoctx.errors import UsageError

WINDOW = 262_144  # tokens, where a script says none
MOST_BYTES = 16 << 20
MOST_QUOTED = 200  # characters of what is quoted in a sentence

# What Qwen's servers take for control tokens, each one token.
_CONTROL = re.compile(r"<\|[a-z_]+\|>|</?(?:tool_call|tool_response|think)>")


class Call(NamedTuple):
    """A tool call of a reply; its arguments are sent as they stand, JSON or not."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered to a request, and to which."""

    when: re.Pattern[str] | None = None  # what its last user or tool message must hold
    anywhere: bool = False  # whether any message may hold it
    times: int = 1  # how often it is used; 0: for ever
    text: str = ""
    thought: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = ""  # "": as the answer ends
    usage: Mapping[str, Any] | None = field(default_factory=dict)  # what differs from what is counted; None: not told
    status: int = 200
    body: bytes | None = None  # sent as it stands, in place of an answer
    headers: tuple[tuple[str, str], ...] = ()
    drop_after: int | None = None  # characters of the text, or bytes of the body, before it hangs up
    stall: bool = False  # headers, then nothing until the client goes
    repeat: int = 1  # how often the text comes; 0: until the client goes
    delay: float = 0.0  # seconds before each piece


class Script(NamedTuple):
    """All that a scripted back end knows."""

    model: str  # "": it answers to any name, and lists "scripted"
    window: int  # tokens
    replies: tuple[Reply, ...]


class Cast:
    """The replies of a script as they are used up; any number of threads may ask."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._left = [reply.times for reply in script.replies]
        self._turn = threading.Lock()

    def reply(self, messages: Sequence[Mapping[str, Any]]) -> Reply | None:
        """The first reply that fits and is not used up."""
        last, every = last_message(messages), "\n".join(map(content, messages))
        with self._turn:
            for number, reply in enumerate(self.script.replies):
                used_up = reply.times and not self._left[number]
                if used_up or (reply.when and not reply.when.search(every if reply.anywhere else last)):
                    continue
                self._left[number] -= 1
                return reply
        return None


def read(path: Path) -> Script:
    """The script in a YAML file. Raises UsageError, which says what is wrong with it."""
    import yaml

    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise UsageError(f"the script {path} is larger than {MOST_BYTES >> 20} MB")
        value = yaml.safe_load(raw)
    except OSError as error:
        raise UsageError(f"the script {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:MOST_QUOTED] or type(error).__name__
        raise UsageError(f"the script {path} is not YAML: {said}") from error
    return parse(value, str(path))


def parse(value: Any, where: str = "the script") -> Script:
    """A script as YAML or JSON has it. Raises UsageError with one sentence for the first thing that is wrong."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} must be a mapping with `replies`, a list")
    _check(value, _SCRIPT, where)
    if "replies" not in value:
        raise UsageError(f"{where} has no `replies`: it needs a list, of {{text: Hello}} say")
    replies = tuple(_reply(one, f"{where}: reply {number}") for number, one in enumerate(value["replies"], 1))
    return Script(value.get("model", ""), value.get("window", WINDOW), replies)


def content(message: Mapping[str, Any]) -> str:
    """The text of a message, whose content may be a list of parts."""
    value = message.get("content")
    if isinstance(value, list):
        return "".join(str(part.get("text", "")) if isinstance(part, Mapping) else str(part) for part in value)
    return "" if value is None else str(value)


def last_message(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last message that is the user's or a tool's; "" if there is none."""
    said = (content(message) for message in reversed(messages) if message.get("role") in ("user", "tool"))
    return next(said, "")


def prompt_tokens(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> int:
    """Tokens of a prompt in ChatML; exact for Qwen's template where no tools are."""
    prompt = [f"<|im_start|>system\n{json.dumps(tools)}<|im_end|>\n"] if tools else []
    for message in messages:
        calls = "".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in message.get("tool_calls") or ())
        text, role = content(message) + calls, message.get("role")
        if role == "tool":
            role, text = "user", f"<tool_response>\n{text}\n</tool_response>"
        prompt.append(f"<|im_start|>{role}\n{text}<|im_end|>\n")
    whole = "".join([*prompt, "<|im_start|>assistant\n"])
    return len(_CONTROL.findall(whole)) + sum(tokens.count(tokens.valid(part)) for part in _CONTROL.split(whole))


# --- what a script may say ---------------------------------------------------------------------


def _whole(value: Any, least: int = 0) -> bool:
    return type(value) is int and least <= value <= 10**12


def _texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str | int | float) for one in value.values())


_Rule = tuple[Callable[[Any], bool], str]  # whether a value is right, and what it must be in words
_TEXT: _Rule = (lambda value: isinstance(value, str), "a text")
_COUNT: _Rule = (_whole, "a whole number, 0 or more")
_SCRIPT: Mapping[str, _Rule] = {
    "model": _TEXT,
    "window": (lambda value: _whole(value, 1), "a whole number of tokens, 1 or more"),
    "replies": (lambda value: isinstance(value, list), "a list"),
}
_REPLY: Mapping[str, _Rule] = {
    "when": (lambda value: isinstance(value, str), "a regular expression, as a text"),
    "in": (lambda value: value in ("last", "any"), "last or any"),
    "times": (_whole, "a whole number, 0 for ever"),
    "text": _TEXT,
    "thought": _TEXT,
    "calls": (lambda value: isinstance(value, list), "a list of {name, arguments}"),
    "finish": _TEXT,
    "usage": (
        lambda value: value is False or isinstance(value, Mapping),
        "a mapping, of prompt_tokens say, or false for none",
    ),
    "status": (lambda value: type(value) is int and 200 <= value <= 599, "a status from 200 to 599"),
    "body": (lambda value: isinstance(value, str | Mapping | list), "a text, or what is sent as JSON"),
    "headers": (_texts, "a mapping of texts"),
    "drop_after": _COUNT,
    "stall": (lambda value: isinstance(value, bool), "true or false"),
    "repeat": (_whole, "a whole number, 0 for ever"),
    "delay": (lambda value: type(value) in (int, float) and 0 <= value <= 3600, "seconds, 3600 at most"),
}
_CALL: Mapping[str, _Rule] = {
    "name": _TEXT,
    "arguments": (lambda value: isinstance(value, str | Mapping), "a mapping, or a text that is sent as it stands"),
}


def _check(value: Any, rules: Mapping[str, _Rule], where: str) -> None:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} must be a mapping of {', '.join(rules)}, not {_quoted(value)}")
    for key, one in value.items():
        if key not in rules:
            raise UsageError(f"{where} has an unknown key {_quoted(key)}: there are {', '.join(rules)}")
        right, wanted = rules[key]
        if not right(one):
            raise UsageError(f"{where} has {key}: {_quoted(one)}; it must be {wanted}")


def _reply(value: Any, where: str) -> Reply:
    _check(value, _REPLY, where)
    known = {key: value[key] for key in _REPLY if key in value and key not in ("when", "in", "calls", "body", "usage")}
    known["headers"] = tuple((str(name), str(one)) for name, one in value.get("headers", {}).items())
    try:
        when = re.compile(value["when"], re.MULTILINE) if "when" in value else None
        body = _body(value["body"]) if "body" in value else None
        usage = None if value.get("usage") is False else json.loads(json.dumps(value.get("usage", {})))
        calls = tuple(_call(one, f"{where}: call {n}") for n, one in enumerate(value.get("calls", ()), 1))
    except re.error as error:
        raise UsageError(f"{where} has when: {_quoted(value['when'])}, no regular expression: {error}") from error
    except (TypeError, ValueError) as error:  # YAML knows dates and sets, JSON does not
        raise UsageError(f"{where} has a value that JSON cannot hold: {error}") from error
    return Reply(when=when, anywhere=value.get("in") == "any", calls=calls, body=body, usage=usage, **known)


def _call(value: Any, where: str) -> Call:
    _check(value, _CALL, where)
    if not value.get("name"):
        raise UsageError(f"{where} has no name: a call is {{name: search, arguments: {{query: x}}}}")
    arguments = value.get("arguments", {})
    return Call(value["name"], arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))


def _body(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _quoted(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= MOST_QUOTED else f"{said[:MOST_QUOTED]}…"
