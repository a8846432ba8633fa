"""What is a tool, how large may its answers be, and how do they become JSON and text that may be shown to a model?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, NamedTuple

from repoctx import redact, tokens
from repoctx.pack import Window
from repoctx.tasks.packing import Source

# Tokens of an answer, unless a budget is asked for.
TOKENS = 4000
# Characters of a line of code, and of a comment or a reason, that are shown: generated code has lines without end.
MOST_LINE, MOST_NOTE = 2000, 400

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a tool answers about."""

    source: Source
    secrets: bool  # whether they are shown
    window: Window  # of the model that packs are made for


class Tool(NamedTuple):
    """A question that a model may ask about a snapshot."""

    name: str
    title: str
    description: str
    arguments: Schema  # JSON Schema of an object
    answer: Schema  # the same of what `run` gives, as JSON
    run: Callable[[Asked, Mapping[str, Any]], Any]  # raises RepoctxError
    tell: Callable[[Any], str]  # what `run` gave, as text


class Safe(str):
    """Text that was made safe to show when it was made: a pack's own delimiters stay whole."""

    __slots__ = ()


# --- schemas -----------------------------------------------------------------------------------


def obj(required: Sequence[str], **properties: Schema) -> dict[str, Any]:
    """The schema of an object that has these properties and no others."""
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


def text(said: str, most: int = 4000) -> dict[str, Any]:
    """The schema of an argument that is a text."""
    return {"type": "string", "minLength": 1, "maxLength": most, "description": said}


def number(said: str, least: int, most: int, usual: int | None = None) -> dict[str, Any]:
    """The schema of an argument that is a whole number."""
    made: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most, "description": said}
    return made if usual is None else {**made, "default": usual}


OFFSET = number("skip so many, to go on where the answer before ended (its next_offset)", 0, 10_000, 0)
# Parts of answers.
STRING, INTEGER, NUMBER, BOOLEAN = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))
MORE = {"type": "boolean", "description": "whether there is more"}
NEXT = {"type": "integer", "description": "the offset at which the rest begins"}


def many(items: Schema) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": items}


# --- answers -----------------------------------------------------------------------------------


def fitting(texts: Sequence[str], most: int = TOKENS) -> int:
    """How many of the first texts have at most so many tokens together; one at least, if there is one."""
    held = 0
    for count, one in enumerate(texts):
        held += tokens.count(one) + 1  # and a line feed
        if held > most:
            return max(count, 1)
    return len(texts)


def cleaned(value: Any, secrets: bool) -> Any:
    """An answer whose texts hold no control words, and no secrets unless they are wanted."""
    if isinstance(value, str):
        if isinstance(value, Safe):
            return value
        said = tokens.valid(value)
        return tokens.neutralise(said if secrets else redact.redact(said)[0])
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: cleaned(getattr(value, f.name), secrets) for f in fields(value)})
    if isinstance(value, tuple):
        each = [cleaned(one, secrets) for one in value]
        return type(value)(*each) if hasattr(value, "_fields") else tuple(each)
    return value


def as_json(value: Any) -> Any:
    """An answer as JSON has it; what is None is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in fields(value)}
    elif isinstance(value, tuple):
        if (names := getattr(value, "_fields", None)) is None:
            return [as_json(one) for one in value]
        value = dict(zip(names, value, strict=True))
    if isinstance(value, Mapping):
        return {key: as_json(one) for key, one in value.items() if one is not None}
    return str(value) if isinstance(value, Safe) else value


def short(said: str, most: int) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(said.split())
    return line if len(line) <= most else line[:most] + " …"


def shown_line(line: str) -> str:
    """A line of code, or its beginning."""
    return line if len(line) <= MOST_LINE else f"{line[:MOST_LINE]} … ({len(line):,} characters in all)"


def numbered(lines: str, first: int) -> str:
    """Lines of code with their numbers."""
    return "\n".join(f"{first + at}\t{line}" for at, line in enumerate(lines.split("\n")))


def going_on(next_offset: int | None) -> list[str]:
    """How the rest is asked for, where there is one."""
    return [] if next_offset is None else [f"There is more: ask again with offset={next_offset}."]
