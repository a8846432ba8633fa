"""What does the comment above a definition say?

Works on lines, not on the tree: a comment documents a definition if nothing stands between them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from repoctx.parse.texts import Text


class Style(NamedTuple):
    """How a family of languages writes comments."""

    line: str  # what a line that is all comment begins with
    opening: str  # what a comment of several lines begins with, "" if there are none
    closing: str


STYLES = {
    "": Style("\0", "", "\0"),
    "hash": Style("#", "", "\0"),
    "slash": Style("//", "/*", "*/"),
    "dash": Style("--", "--[[", "]]"),
}

# The mark before the text of one comment line, of any style.
_MARK = re.compile(r"/\*[*!]*<?|//[/!]*<?|--\[=*\[|--+|#+!?|\*+(?![^\s/])/?")
_OPENING = re.compile(r"[A-Za-z]{0,2}(\"\"\"|\'\'\'|\"|\')")
_WORD = re.compile(r"\w")

LONGEST = 1000
"""Most lines of one comment: longer ones are licences or disabled code."""


def above(text: Text, first: int, style: Style) -> int:
    """The first line (1-based) of the comment that ends right above line `first`; `first` if none."""
    at = first
    stop = max(2 if text.source.startswith("#!") else 1, first - LONGEST)
    while at > stop:
        line = text.written(at - 1).strip()
        if line.endswith(style.closing):
            begin = _block_begin(text, at - 1, stop, style)
            if begin == 0:
                break
            at = begin
        elif line.startswith(style.line):
            at -= 1
        else:
            break
    return at


def _block_begin(text: Text, last: int, stop: int, style: Style) -> int:
    """The first line of the block comment that ends on line `last`; 0 if code stands before it."""
    at = last
    line = text.written(at)
    while style.opening not in line:
        at -= 1
        if at < stop:
            return 0
        line = text.written(at)
        if style.closing in line:
            return 0
    return at if line.lstrip().startswith(style.opening) else 0


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


def content(comment: str) -> str:
    """The text of comment lines without their marks; "" if it has no word."""
    stripped = "\n".join(map(_unmarked, comment.split("\n"))).strip()
    return stripped if _WORD.search(stripped) else ""


def docstring(literal: str) -> str:
    """The text of a string literal that stands as a doc comment, each line stripped."""
    found = _OPENING.match(literal)
    if found:
        literal = literal[found.end() :].removesuffix(found[1])
    return "\n".join(map(str.strip, literal.split("\n"))).strip()
