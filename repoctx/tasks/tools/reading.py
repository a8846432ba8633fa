"""What do the files say? The tools read, map and pack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from repoctx import redact, tokens
from repoctx.errors import NotFoundError, UsageError
from repoctx.tasks.packing import Wishes, assemble
from repoctx.tasks.tools import near
from repoctx.tasks.tools.shape import (
    INTEGER,
    MORE,
    STRING,
    TOKENS,
    Asked,
    Safe,
    Tool,
    many,
    number,
    numbered,
    obj,
    shown_line,
    text,
)

# Tokens of a map and of a pack: the least, the most, and those that they have if nobody says.
MAP, PACK = (100, 20_000, 2000), (1000, 200_000, 8000)
_LINES = re.compile(r"(.+?):(\d{1,9})(?:-(\d{1,9}))?")


# --- read --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a file."""

    path: str
    language: str
    start_line: int
    end_line: int
    lines: int  # of the whole file
    text: str
    more: bool  # whether lines that were asked for are left out
    next_line: int | None


def _read(asked: Asked, given: Mapping[str, Any]) -> Lines:
    loaded = asked.source.loaded
    number_of, start, end = _meant(asked, given)
    path = loaded.index.view.members[number_of].path
    (document,) = loaded.documents([number_of], secrets=asked.secrets).values()
    lines = document.text.split("\n")
    if lines[-1] == "":  # behind the last line break, as in most files
        lines.pop()
    if not lines:
        return Lines(path, document.language, 1, 0, 0, "", False, None)
    start, end = start or 1, min(end or len(lines), len(lines))
    if not 1 <= start <= end:
        raise UsageError(f"{path} has lines 1 to {len(lines)}: ask for some of these")
    shown: list[str] = []
    held = 0
    for at in range(start, end + 1):
        line = lines[at - 1]
        cut = shown_line(line)
        count = document.line_tokens[at - 1] if cut == line else tokens.count(cut)
        held += int(count) + len(str(at)) + 1
        if held > TOKENS and shown:
            break
        shown.append(cut)
    last = start + len(shown) - 1
    more = last < end
    return Lines(
        path, document.language, start, last, len(lines), "\n".join(shown), more, last + 1 if more else None
    )  # fmt: skip


def _meant(asked: Asked, given: Mapping[str, Any]) -> tuple[int, int | None, int | None]:
    """The file that is meant, and the lines: `path:10-20` is understood as well."""
    path, start, end = given["path"], given.get("start_line"), given.get("end_line")
    try:
        return near.file_number(asked.source, path), start, end
    except NotFoundError:
        if (lines := _LINES.fullmatch(path)) is None:
            raise
        return near.file_number(asked.source, lines[1]), int(lines[2]), int(lines[3] or lines[2])


def _lines_text(found: Lines) -> str:
    if not found.lines:
        return f"{found.path} is empty"
    head = f"{found.path} lines {found.start_line}-{found.end_line} of {found.lines}"
    more = f"; ask for more with start_line={found.next_line}" if found.next_line else ""
    return f"{head}{more}\n{numbered(found.text, found.start_line)}"


READ = Tool(
    "read",
    "Read a file",
    "Read the source code of a file, or some of its lines, with line numbers, as it was indexed. Secrets are cut out. "
    "Long files come in parts: ask for more with start_line.",
    obj(
        ["path"],
        path=text("path of the file in the repository, such as shop/store.py"),
        start_line=number("the first line", 1, 100_000_000),
        end_line=number("the last line", 1, 100_000_000),
    ),
    obj(
        ["path", "language", "start_line", "end_line", "lines", "text", "more"],
        path=STRING, language=STRING, start_line=INTEGER, end_line=INTEGER,
        lines={"type": "integer", "description": "lines of the whole file"},
        text={"type": "string", "description": "the lines, the first of which is start_line"},
        more=MORE,
        next_line={"type": "integer", "description": "the start_line of what follows"},
    ),
    _read,
    _lines_text,
)  # fmt: skip


# --- map ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Map:
    """The most central files and what they define."""

    map: str
    files: int  # of the whole repository


def _map(asked: Asked, given: Mapping[str, Any]) -> Map:
    loaded = asked.source.loaded
    drawn = loaded.map(given["budget"])
    drawn = drawn if asked.secrets else redact.redact(drawn)[0]  # the values of constants are in it
    return Map(drawn.rstrip("\n"), len(loaded.index.view.members))


def _map_text(found: Map) -> str:
    return f"{found.map}\n({found.files:,} files in all; search and read show more)"


MAP_TOOL = Tool(
    "map",
    "Show the repository map",
    "Overview of the repository: the most important files, and signatures of the classes and functions that they "
    "define. Use it first, to learn the structure, architecture and layout of an unknown code base.",
    obj([], budget=number("most tokens of the map", *MAP)),
    obj(["map", "files"], map=STRING, files={"type": "integer", "description": "files of the whole repository"}),
    _map,
    _map_text,
)


# --- pack --------------------------------------------------------------------------------------


class Part(NamedTuple):
    """Lines that a pack shows."""

    path: str
    start_line: int
    end_line: int
    detail: str


@dataclass(frozen=True, slots=True)
class Packed:
    """The code that a task needs, as one prompt."""

    prompt: str
    tokens: int
    parts: tuple[Part, ...]


def _pack(asked: Asked, given: Mapping[str, Any]) -> Packed:
    made = assemble(given["task"], [asked.source], asked.window, given["budget"], Wishes(secrets=asked.secrets))
    parts = tuple(Part(one.path, one.start_line, one.end_line, one.detail) for one in made.parts)
    return Packed(Safe(made.prompt), made.plan.predicted_tokens, parts)


PACK_TOOL = Tool(
    "pack",
    "Pack the code for a task",
    "Gather context: all the code that matters for a task, a bug report, an issue or a question, chosen from the "
    "whole repository to fit a token budget, as one text. Use it instead of many searches and reads.",
    obj(
        ["task"],
        task=text("what is to be done or answered: a bug report, an issue, a question", 100_000),
        budget=number("most tokens of the text", *PACK),
    ),
    obj(
        ["prompt", "tokens", "parts"],
        prompt=STRING,
        tokens=INTEGER,
        parts=many(
            obj(
                ["path", "start_line", "end_line", "detail"],
                path=STRING, start_line=INTEGER, end_line=INTEGER, detail=STRING,
            )
        ),
    ),
    _pack,
    lambda found: str(found.prompt),
)  # fmt: skip
