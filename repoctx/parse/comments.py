"""What does the comment above a definition say?

Works on lines, not on the tree: a comment documents a definition if nothing stands between them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Style(NamedTuple):
    """How a family of languages writes comments."""

    line: tuple[str, ...]  # what a line that is all comment begins with
    block: tuple[str, str] | None  # what a comment of several lines begins and ends with


STYLES = {
    "": Style((), None),
    "hash": Style(("#",), None),
    "slash": Style(("//",), ("/*", "*/")),
    "dash": Style(("--",), ("--[[", "]]")),
}

# The mark before the text of one comment line, of any style.
_MARK = re.compile(r"/\*[*!]*<?|//[/!]*<?|--\[=*\[|--+|#+!?|\*+(?![^\s/])/?")
_OPENING = re.compile(r"[A-Za-z]{0,2}(\"\"\"|\'\'\'|\"|\')")
_WORD = re.compile(r"\w")

LONGEST = 1000
"""Most lines of one comment: longer ones are licences or disabled code."""


def above(lines: Sequence[str], first: int, style: Style) -> int:
    """The first line (1-based) of the comment that ends right above line `first`; `first` if none."""
    at = first
    stop = max(2 if lines[0].startswith("#!") else 1, first - LONGEST)
    while at > stop:
        line = lines[at - 2].strip()
        if style.block and line.endswith(style.block[1]):
            begin = _block_begin(lines, at - 1, stop, style.block)
            if begin == 0:
                break
            at = begin
        elif style.line and line.startswith(style.line):
            at -= 1
        else:
            break
    return at


def _block_begin(lines: Sequence[str], last: int, stop: int, block: tuple[str, str]) -> int:
    """The first line of the block comment that ends on line `last`; 0 if code stands before it."""
    opening, closing = block
    at = last
    while opening not in lines[at - 1]:
        at -= 1
        if at < stop or closing in lines[at - 1]:
            return 0
    return at if lines[at - 1].lstrip().startswith(opening) else 0


def _unmarked(line: str) -> str:
    line = line.strip()
    found = _MARK.match(line)
    if found:
        line = line[found.end() :]
    if line.endswith("*/"):
        line = line[:-2].rstrip("*")
    elif line.endswith("]]"):
        line = line[:-2]
    return line.removeprefix(" ").rstrip()


def text(lines: Sequence[str]) -> str:
    """The text of comment lines without their marks; "" if it has no word."""
    stripped = "\n".join(map(_unmarked, lines)).strip()
    return stripped if _WORD.search(stripped) else ""


def docstring(literal: str) -> str:
    """The text of a string literal that stands as a doc comment, each line stripped."""
    found = _OPENING.match(literal)
    if found:
        literal = literal[found.end() :].removesuffix(found[1])
    return "\n".join(map(str.strip, literal.split("\n"))).strip()
