"""Which JSON may an answer be? A part of JSON Schema, all of which is checked in bounded time.

A schema comes from whoever may submit a task, a value from a model: nobody vouches for either. There are no regular
expressions, a reference leads to a definition of the same schema, and what a check takes is counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Place = tuple[str | int, ...]
# Schemas that one value may be held against by one schema, through $ref, allOf, anyOf and oneOf.
MOST_HELD = 250
# What the checks of an answer may take: a step for each schema, keyword, key and entry that is looked at.
STEPS = 500_000
# Values inside of values, and characters and names that a problem shows.
DEEPEST, SHOWN, NAMED = 100, 60, 5

_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "object": ("keys with values", lambda value: isinstance(value, dict)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "string": ("text", lambda value: isinstance(value, str)),
    "integer": ("a whole number", lambda value: _is_number(value) and value == math.floor(value)),
    "number": ("a number", lambda value: _is_number(value)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "null": ("null", lambda value: value is None),
}


class Fault(NamedTuple):
    """What is wrong, and where."""

    place: Place
    problem: str  # a phrase


class TooMuchError(Exception):
    """A check takes more steps than it may."""


@dataclass(slots=True)
class Steps:
    """How much a check may still take."""

    left: int = STEPS

    def spend(self, steps: int) -> None:
        """Raises TooMuchError if there are not so many left."""
        self.left -= steps
        if self.left < 0:
            raise TooMuchError


# --- schemas -----------------------------------------------------------------------------------

_Shape = tuple[str, Callable[[Any], bool]]


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, bool)) or _is_number(value)


def _is_types(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return all(isinstance(one, str) and one in _TYPES for one in names) and len(set(names)) == len(names)


_COUNT: _Shape = (
    "a whole number from 0",
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
)
_NUMBER: _Shape = ("a number", _is_number)
_TEXT: _Shape = ("text", lambda value: isinstance(value, str))
_ANY: _Shape = ("", lambda value: True)
_ONE: _Shape = ("a schema", _is_schema)
_SOME: _Shape = (
    "a list of schemas", lambda value: isinstance(value, list) and bool(value) and all(map(_is_schema, value)),
)  # fmt: skip
_SCHEMAS: _Shape = (
    "names with schemas", lambda value: isinstance(value, dict) and all(map(_is_schema, value.values()))
)  # fmt: skip
# The keywords that can be used, and what each must be.
KEYWORDS: Mapping[str, _Shape] = {
    "type": (f"one of {', '.join(_TYPES)}, or a list of them",
             lambda value: isinstance(value, (str, list)) and bool(value) and _is_types(value)),
    "enum": ("a list of texts, numbers, true, false or null",
             lambda value: isinstance(value, list) and bool(value) and all(map(_is_plain, value))),
    "const": ("a text, a number, true, false or null", _is_plain),
    "properties": _SCHEMAS,
    "required": ("a list of names",
                 lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value)),
    "additionalProperties": _ONE, "minProperties": _COUNT, "maxProperties": _COUNT,
    "items": _ONE, "prefixItems": _SOME, "minItems": _COUNT, "maxItems": _COUNT,
    "minLength": _COUNT, "maxLength": _COUNT,
    "minimum": _NUMBER, "maximum": _NUMBER, "exclusiveMinimum": _NUMBER, "exclusiveMaximum": _NUMBER,
    "allOf": _SOME, "anyOf": _SOME, "oneOf": _SOME,
    "$ref": _TEXT, "$defs": _SCHEMAS,
    "title": _TEXT, "description": _TEXT, "$comment": _TEXT, "$schema": _TEXT, "default": _ANY, "examples": _ANY,
}  # fmt: skip


def refused(schema: Mapping[str, Any]) -> Fault | None:
    """The first thing in a schema that cannot be used; None if all of it can."""
    return next(_faults(schema, schema, ()), None)


def _faults(schema: Any, root: Mapping[str, Any], place: Place) -> Iterator[Fault]:
    if isinstance(schema, bool):
        return
    for key, value in schema.items():
        at = (*place, key)
        if key not in KEYWORDS:
            yield Fault(at, f"the keyword {key[:SHOWN]!r} is not supported: there are {', '.join(KEYWORDS)}")
            return
        wanted, fits = KEYWORDS[key]
        if not fits(value):
            yield Fault(at, f"must be {wanted}, not {_shown(value)}")
            return
        if key == "$defs" and place:
            yield Fault(at, "stands only at the top of a schema")
        if key == "$ref" and _meant(value, root) is None:
            known = root.get("$defs")
            there = ", ".join(["#", *(f"#/$defs/{name}" for name in (known if isinstance(known, dict) else ()))])
            yield Fault(at, f"there is no {value[:SHOWN]!r} to refer to: there are {there[:400]}")
            return
    for where, inner in _inner(schema):
        yield from _faults(inner, root, (*place, *where))
    if _held(schema, root) > MOST_HELD:
        yield Fault(
            place, f"one value would be held against more than {MOST_HELD} schemas: $ref, allOf, anyOf and oneOf lead "
            "to too many, or in a circle",
        )  # fmt: skip


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    for key in ("properties", "$defs"):
        yield from (((key, name), one) for name, one in schema.get(key, {}).items())
    for key in ("prefixItems", "allOf", "anyOf", "oneOf"):
        yield from (((key, number), one) for number, one in enumerate(schema.get(key, ())))
    yield from (((key,), schema[key]) for key in ("items", "additionalProperties") if key in schema)


def _meant(ref: str, root: Mapping[str, Any]) -> Any:
    """The schema that a reference leads to; None if there is none."""
    if ref == "#":
        return root
    known, name = root.get("$defs"), ref.removeprefix("#/$defs/")
    return known.get(name) if name != ref and isinstance(known, dict) else None


def _held(schema: Mapping[str, Any], root: Mapping[str, Any]) -> int:
    """How many schemas one value is held against; no more are counted than are refused."""
    waiting: list[Any] = [schema]
    seen = 0
    while waiting and seen <= MOST_HELD:
        one = waiting.pop()
        seen += 1
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str):
                waiting.append(_meant(one["$ref"], root))
            for key in ("allOf", "anyOf", "oneOf"):
                waiting += one[key] if isinstance(one.get(key), list) else []
    return seen


# --- values ------------------------------------------------------------------------------------


def fault(value: Any, schema: Mapping[str, Any], steps: Steps) -> Fault | None:
    """The first thing in which a value does not fit a schema that `refused` lets pass; None if it fits.

    Raises TooMuchError, and RecursionError for a value that is nested too deep.
    """

    def first(value: Any, schema: Any, at: Place) -> Fault | None:
        if isinstance(schema, bool):
            return None if schema else Fault(at, "must not be there")
        steps.spend(1 + len(schema) + (len(value) if isinstance(value, (dict, list)) else 0))
        steps.spend(len(schema.get("enum", ())) + len(schema.get("required", ())))
        for key, test in _TESTS.items():
            if key in schema and (problem := test(value, schema[key])):
                return Fault(at, problem)
        if schema.get("additionalProperties") is False and isinstance(value, dict):
            known = schema.get("properties", {})
            if unknown := [key for key in value if key not in known]:
                steps.spend(len(known))
                there = f": there are {_names(sorted(known))}" if known else ": there are none"
                return Fault(at, f"has no key {_quoted(unknown)}{there}")
        for here in (_meant(schema["$ref"], whole) if "$ref" in schema else True, *schema.get("allOf", ())):
            if found := first(value, here, at):
                return found
        for key in ("anyOf", "oneOf"):
            if key in schema and (found := chosen(value, schema[key], at, key == "oneOf")):
                return found
        inside = (first(inner, part, (*at, where)) for inner, part, where in _parts(value, schema))
        return next((found for found in inside if found), None)

    def chosen(value: Any, schemas: Sequence[Any], at: Place, one: bool) -> Fault | None:
        faults = [first(value, schema, at) for schema in schemas]
        fitting = faults.count(None)
        if fitting > 1 and one:
            return Fault(at, f"must fit one of {len(schemas):,} forms, and fits {fitting:,}")
        if fitting:
            return None
        nearest = max((found for found in faults if found), key=lambda found: len(found.place))
        inside = spelt(nearest.place[len(at) :])
        said = f"{inside and inside + ': '}{nearest.problem}"
        return Fault(at, f"fits none of {len(schemas):,} forms; of the nearest it is said: {said}"[:400])

    whole = schema
    return first(value, schema, ())


def too_deep(value: Any) -> bool:
    """Whether values are nested deeper than DEEPEST."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        depth += 1
    return bool(level)


def spelt(place: Place) -> str:
    """A place within a value: `rows[1].path`."""
    return "".join(
        f".{part}" if isinstance(part, str) and part.isidentifier() and len(part) <= SHOWN else f"[{_shown(part)}]"
        for part in place
    ).lstrip(".")


def _parts(value: Any, schema: Mapping[str, Any]) -> Iterator[tuple[Any, Any, str | int]]:
    """What is inside of a value, and the schemas for it."""
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        yield from ((inner, known.get(key, other), key) for key, inner in value.items())
    elif isinstance(value, list):
        head, other = schema.get("prefixItems", ()), schema.get("items", True)
        yield from ((inner, head[n] if n < len(head) else other, n) for n, inner in enumerate(value))


def _type(value: Any, wanted: str | Sequence[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    if any(_TYPES[name][1](value) for name in names):
        return ""
    return f"must be {' or '.join(_TYPES[name][0] for name in names)}, not {_shown(value)}"


def _enum(value: Any, wanted: Sequence[Any]) -> str:
    if any(_same(value, one) for one in wanted):
        return ""
    return f"must be one of {_quoted(wanted)}, not {_shown(value)}"


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _sized(kind: type[dict[str, Any] | list[Any] | str], what: str, most: bool) -> Callable[[Any, int], str]:
    def test(value: Any, wanted: int) -> str:
        if not isinstance(value, kind) or (len(value) <= wanted if most else len(value) >= wanted):
            return ""
        if not value and wanted == 1:
            return "must not be empty"
        return f"must have at {'most' if most else 'least'} {wanted:,} {what}, and has {len(value):,}"

    return test


def _compared(fits: Callable[[Any, Any], bool], said: str) -> Callable[[Any, Any], str]:
    return lambda value, wanted: (
        "" if not _is_number(value) or fits(value, wanted) else f"must be {said} {_shown(wanted)}, not {_shown(value)}"
    )


_TESTS: Mapping[str, Callable[[Any, Any], str]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda value, wanted: "" if _same(value, wanted) else f"must be {_shown(wanted)}, not {_shown(value)}",
    "required": lambda value, wanted: (
        f"lacks {_quoted(lacking)}"
        if isinstance(value, dict) and (lacking := [key for key in wanted if key not in value])
        else ""
    ),
    "minProperties": _sized(dict, "keys", most=False), "maxProperties": _sized(dict, "keys", most=True),
    "minItems": _sized(list, "entries", most=False), "maxItems": _sized(list, "entries", most=True),
    "minLength": _sized(str, "characters", most=False), "maxLength": _sized(str, "characters", most=True),
    "minimum": _compared(lambda value, wanted: value >= wanted, "at least"),
    "maximum": _compared(lambda value, wanted: value <= wanted, "at most"),
    "exclusiveMinimum": _compared(lambda value, wanted: value > wanted, "more than"),
    "exclusiveMaximum": _compared(lambda value, wanted: value < wanted, "less than"),
}  # fmt: skip


# --- words -------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    """A value in a problem: what is large is named, not written out."""
    if isinstance(value, (dict, list)):
        return ("keys with values" if isinstance(value, dict) else "a list") if value else json.dumps(value)
    text = json.dumps(value[:SHOWN] if isinstance(value, str) else value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _quoted(values: Sequence[Any]) -> str:
    return _names([repr(one[:SHOWN] if isinstance(one, str) else one) for one in values[:NAMED]], len(values) - NAMED)


def _names(values: Sequence[str], more: int = 0) -> str:
    more = max(more, len(values) - 4 * NAMED)
    return ", ".join(one[: 2 * SHOWN] for one in values[: 4 * NAMED]) + (f" and {more:,} more" if more > 0 else "")
