"""What is in so many files that they cannot be shown? Their paths and signatures, and groups of files that fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from repoctx.graph.rank import MINOR_KINDS, escaped
from repoctx.tasks.packing import Source

# Most tokens that one file takes of an outline: one that others rest on, and a test, an example or vendored code.
MOST_OF_A_FILE, MOST_OF_A_TEST = 1_200, 150
# Files that are read at a time.
AT_ONCE = 200
# Characters of a doc comment's first line.
DOC = 90
# A group of less than this share of the room is put together with others.
SMALL = 0.34


class Sketch(NamedTuple):
    """The outline of one file."""

    text: str  # whole lines
    tokens: int


@dataclass(frozen=True, slots=True)
class Part:
    """Files that have to do with each other."""

    label: str
    files: tuple[str, ...]
    tokens: int


def sketches(source: Source, count: Callable[[str], int]) -> dict[str, Sketch]:
    """The outline of every file, by path. Signatures stand with their line: `def load(key)  :12  # The basket.`

    The values of constants and defaults are in it, secrets too.
    """
    view = source.loaded.index.view
    roles = source.loaded.index.roles
    found: dict[str, Sketch] = {}
    for start in range(0, len(view.members), AT_ONCE):
        files = range(start, min(start + AT_ONCE, len(view.members)))
        for file, parsed in source.loaded.parsed(files).items():
            lines = [f"{escaped(view.members[file].path)} ({int(view.lines[file])} lines)\n"]
            depths: dict[int, int] = {}
            for number, symbol in enumerate(parsed.facts.symbols):
                depths[number] = depths.get(symbol.parent, -1) + 1
                if depths[number] < 2 and symbol.kind not in MINOR_KINDS:
                    doc = symbol.doc.strip().partition("\n")[0][:DOC]
                    said = f"  # {doc}" if doc else ""
                    indent = "  " * (depths[number] + 1)
                    lines.append(f"{indent}{escaped(symbol.signature)}  :{symbol.start_line}{escaped(said)}\n")
            text = "".join(lines)
            most = MOST_OF_A_FILE if roles[file] is None else MOST_OF_A_TEST
            found[view.members[file].path] = _cut(text, most, count)
    return found


def _cut(text: str, most: int, count: Callable[[str], int]) -> Sketch:
    """The first lines, as many as a file may have; what is left out is said."""
    tokens = count(text)
    if tokens <= most:
        return Sketch(text, tokens)
    lines = text.splitlines(keepends=True)
    shown = max(1, len(lines) * most // tokens - 1)
    text = "".join(lines[:shown]) + f"  and {len(lines) - shown:,} more\n"
    return Sketch(text, count(text))


def parts(source: Source, tokens: Mapping[str, int], room: int) -> list[Part]:
    """All files of a snapshot, each in one part whose outlines take at most `room` tokens, the largest groups first.

    A community that is too large is cut by folders; small ones, and files that belong to none, are put together.
    """
    groups, _ = source.loaded.graph.communities()
    pieces = [piece for group in groups for piece in _pieces(group.label, group.files, tokens, room)]
    grouped = {path for group in groups for path in group.files}
    pieces += _pieces("", [path for path in tokens if path not in grouped], tokens, room)
    small = sorted((one for one in pieces if one.tokens < SMALL * room), key=lambda one: sorted(one.files))
    large = [one for one in pieces if one.tokens >= SMALL * room]
    gathered: list[Part] = []
    for one in small:
        if gathered and gathered[-1].tokens + one.tokens <= room:
            gathered[-1] = _together(gathered[-1], one)
        else:
            gathered.append(one)
    return [*large, *gathered]


def _pieces(label: str, files: Sequence[str], tokens: Mapping[str, int], room: int) -> list[Part]:
    found: list[Part] = []
    for path in sorted(files):
        if found and found[-1].tokens + tokens[path] <= room:
            found[-1] = Part(label, (*found[-1].files, path), found[-1].tokens + tokens[path])
        else:
            found.append(Part(label, (path,), tokens[path]))
    return found


def _together(one: Part, other: Part) -> Part:
    labels = list(dict.fromkeys([*one.label.split(", "), *other.label.split(", ")]))
    label = ", ".join(labels) if len(labels) <= 4 else ", ".join(labels[:4])
    return Part(label.strip(", "), (*one.files, *other.files), one.tokens + other.tokens)
