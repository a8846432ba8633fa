"""What did a model mean by the arguments of a call?

Models send numbers as text, null for what they leave out, blanks around a path. That is understood. What is not is
told in a sentence from which a model can make the right call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from repoctx import tokens
from repoctx.errors import UsageError
from repoctx.tasks.tools.shape import Schema

_PLAIN = {"string": "a text", "integer": "a whole number", "array": "a list of texts", "object": "an object"}
# Arguments whose blanks mean something: a diff, a bug report.
_WHOLE = frozenset({"diff", "query", "task"})
_DIGITS = 18


def read(name: str, schema: Schema, given: str | Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call, as the schema of the tool of that name has them. Raises UsageError."""
    asked = given if isinstance(given, Mapping) else _object(name, schema, given)
    properties: Mapping[str, Schema] = schema["properties"]
    meant = {
        key: _meant(key, value, properties[key]) if key in properties else value
        for key, value in asked.items()
        if value is not None
    }
    checker = jsonschema.Draft202012Validator(schema)
    first = min(
        checker.iter_errors(meant), key=lambda one: (list(map(str, one.absolute_path)), one.validator), default=None
    )
    if first is not None:
        raise UsageError(f"{name} was not called: {_told(first)}. {_takes(schema)}")
    usual = {key: one["default"] for key, one in properties.items() if "default" in one}
    return usual | meant


def _object(name: str, schema: Schema, given: str) -> Mapping[str, Any]:
    try:
        found = json.loads(given or "{}")
        if isinstance(found, str):  # written down twice
            found = json.loads(found or "{}")
    except (ValueError, RecursionError) as error:
        said = f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else "it is too deep"
        raise UsageError(f"{name} was not called: its arguments are no JSON ({said}). {_takes(schema)}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{name} was not called: its arguments are no JSON object. {_takes(schema)}")
    return found


def _meant(name: str, value: Any, schema: Schema) -> Any:
    """A value as the schema has it, if it can be taken for one."""
    kind = schema["type"]
    if kind == "array" and isinstance(value, str):
        return _list(value)
    if kind == "array" and isinstance(value, list):
        return [tokens.valid(one).strip() if isinstance(one, str) else one for one in value]
    if kind == "integer":
        digits = value.strip().replace(",", "") if isinstance(value, str) else ""
        if digits.isascii() and digits.isdecimal() and len(digits) < _DIGITS:
            return int(digits)
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if kind == "string" and isinstance(value, str):
        said = tokens.valid(value)
        said = said if name in _WHOLE else said.strip()
        return said.lower() if "enum" in schema else said
    return value


def _list(value: str) -> Any:
    """A list that was sent as text: as JSON, or the one item of it."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, list) else [tokens.valid(value).strip()]


def _told(error: ValidationError) -> str:
    """What is wrong with the arguments."""
    where = ".".join(str(part) for part in error.absolute_path)[:100]
    rule: Any = error.validator_value
    there: Any = error.instance
    match error.validator:
        case "required":
            missing = sorted(set(rule) - set(there))
            return f"{missing[0]!r} is missing"
        case "additionalProperties":
            known = error.schema["properties"] if isinstance(error.schema, Mapping) else {}
            return f"it has no argument {sorted(set(there) - set(known))[0][:100]!r}"
        case "type":
            return f"{where!r} must be {_PLAIN.get(str(rule), rule)}"
        case "enum":
            return f"{where!r} must be one of {', '.join(map(str, rule))}"
        case "minimum":
            return f"{where!r} must be {rule:,} or more"
        case "maximum":
            return f"{where!r} must be {rule:,} or less"
        case "maxLength" | "maxItems":
            return f"{where!r} is longer than {rule:,}"
        case "minLength" | "minItems":
            return f"{where!r} is empty"
        case _:
            return f"{where!r} is not as it must be"


def _takes(schema: Schema) -> str:
    """What a tool takes, in words."""
    needed = schema.get("required", ())
    each = [
        f"{key} ({_PLAIN[one['type']]}{', needed' if key in needed else ''})"
        for key, one in schema["properties"].items()
    ]
    return f"It takes {', '.join(each)}."
