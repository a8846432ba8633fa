"""What do texts of JSON, TOML and INI hold? Objects, in time that grows with the text; nothing if it is broken."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

LARGEST_TOML = 200_000
"""Bytes. The reader of TOML is slow."""

# The reader of TOML takes time that is quadratic in the parts of a dotted key: texts with such keys are not read.
_TOML_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:""")?+|"(?:[^"\\\n]++|\\.)*+"?+|#[^\n]*+'
    r"|'''(?:[^']++|'(?!''))*+(?:''')?+|'[^'\n]*+'?+",
    re.DOTALL,
)
_MANY_PARTS = re.compile(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){50}")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|//[^\n]*+|/\*(?:.*?\*/|.*+)', re.DOTALL)
_TRAILING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|,(?=\s*+[}\]])', re.DOTALL)


def read_json(text: str) -> Mapping[str, Any]:
    """The object that a JSON text holds, comments and trailing commas allowed; empty if it holds none."""
    text = _JSON_TOKEN.sub(lambda token: token[0] if token[0][0] == '"' else " ", text)
    text = _TRAILING.sub(lambda token: "" if token[0] == "," else token[0], text)
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_toml(text: str) -> Mapping[str, Any]:
    """The table that a TOML text holds; empty if it is broken."""
    if len(text) > LARGEST_TOML or _MANY_PARTS.search(_TOML_STRING.sub("x", text)):
        return {}
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def read_ini(text: str) -> dict[str, dict[str, list[str]]]:
    """Section -> option -> lines of its value, without comments."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    value: list[str] = []
    for line in text.splitlines():
        words = line.strip()
        if not words or words[0] in "#;":
            continue
        if words[0] == "[" and words[-1] == "]":
            section, value = found.setdefault(words[1:-1].strip(), {}), []
        elif line[0].isspace():
            value.append(words)
        else:
            name, sign, rest = words.partition("=")
            value = section.setdefault(name.strip().lower(), []) if sign else []
            value += [rest.strip()] if rest.strip() else []
    return found


def at(found: object, path: str) -> Any:
    """What a path of keys leads to in nested objects: "tool.poetry.packages". None if there is nothing."""
    for key in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found


def items(found: object) -> Iterator[tuple[str, Any]]:
    """The keys and values of an object; nothing of anything else."""
    yield from found.items() if isinstance(found, dict) else ()


def each(found: object) -> Iterator[Any]:
    """The elements of a list, or the one value."""
    yield from found if isinstance(found, list) else () if found is None else (found,)
