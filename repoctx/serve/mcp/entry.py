"""How is one entry of a JSON settings file set, and everything else in it left as it is, byte for byte?"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from repoctx.errors import UsageError

_DECODER = json.JSONDecoder()
_BLANK = " \t\r\n"


class _Member(NamedTuple):
    """A value of an object, and where it stands in the text."""

    key: str
    start: int
    end: int


def with_entry(text: str, path: tuple[str, ...], entry: Any) -> str:
    """The text of a JSON object in which `entry` stands at a path of keys. Raises UsageError for what is none."""
    body = text.removeprefix("\ufeff")
    mark = text[: len(text) - len(body)]
    if not body.strip():
        body = "{}\n"
    try:
        settings = json.loads(body)
    except (ValueError, RecursionError) as error:
        where = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"it is no JSON{where}: mend it, or add the entry by hand") from None
    if not isinstance(settings, dict):
        raise UsageError("it is no JSON object: mend it, or add the entry by hand")
    made = _set(body, _skipped(body, 0), path, entry, _style(body))
    return mark + made


class _Style(NamedTuple):
    """How a file is written."""

    newline: str
    indent: str  # of one level; "" where all is on one line


def _style(text: str) -> _Style:
    """That of the first member of the whole object, if it has a line of its own."""
    at = _skipped(text, _skipped(text, 0) + 1)
    indent = text[:at].rpartition("\n")[2]
    on_a_line = "\n" in text[:at] and text[at] == '"' and indent and not indent.strip(" \t")
    return _Style("\r\n" if "\r\n" in text else "\n", indent if on_a_line else "  ")


def _set(text: str, at: int, path: tuple[str, ...], entry: Any, style: _Style, depth: int = 1) -> str:
    """The text with the entry below the object that begins at `at`."""
    key, *rest = path
    members = _members(text, at)
    known = [one for one in members if one.key == key]
    if known and rest:
        if text[known[-1].start] != "{":
            raise UsageError(f"its {key!r} is no JSON object: mend it, or add the entry by hand")
        return _set(text, known[-1].start, tuple(rest), entry, style, depth + 1)
    for name in reversed(rest):
        entry = {name: entry}
    if known:
        if _DECODER.raw_decode(text, known[-1].start)[0] == entry:
            return text
        return text[: known[-1].start] + _written(entry, style, depth) + text[known[-1].end :]
    line = f"{style.newline}{style.indent * depth}{json.dumps(key)}: {_written(entry, style, depth)}"
    before = f"{text[: members[-1].end]}," if members else text[: at + 1]
    end = _skipped(text, members[-1].end if members else at + 1)  # where the object ends
    between = text[members[-1].end : end] if members else ""
    closing = between if "\n" in between else f"{style.newline}{style.indent * (depth - 1)}"
    return f"{before}{line}{closing}{text[end:]}"


def _written(entry: Any, style: _Style, depth: int) -> str:
    lines = json.dumps(entry, indent=style.indent, ensure_ascii=False).split("\n")
    return (style.newline + style.indent * depth).join(lines)


def _members(text: str, at: int) -> list[_Member]:
    """The members of the object that begins at `at`, of a text that is known to be JSON."""
    found: list[_Member] = []
    at = _skipped(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _skipped(text, _skipped(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        found.append(_Member(key, start, end))
        at = _skipped(text, end)
        at = _skipped(text, at + 1) if text[at] == "," else at
    return found


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at
