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
    marks: str  # characters that may stand around the text of a line


STYLES = {
    "": Style("\0", "", "\0", ""),
    "hash": Style("#", "", "\0", "#!"),
    "slash": Style("//", "/*", "*/", "/*!"),
    "dash": Style("--", "--[[", "]]", "-[]="),
    "dash brace": Style("--", "{-", "-}", "-{}|^"),
    "dash star": Style("--", "/*", "*/", "-/*!"),
    "hash angle": Style("#", "<#", "#>", "#<>"),
    "hash equals": Style("#", "#=", "=#", "#=!"),
    "paren star": Style("\0", "(*", "*)", "(*)"),
}

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
    source, starts = text.source, text.starts
    end = source.rfind(style.closing, starts[last - 1], starts[last])
    begin = source.rfind(style.opening, starts[stop - 1], end)
    if begin < 0 or source.find(style.closing, begin, end) >= 0:
        return 0
    line = text.line(begin)
    return 0 if source[starts[line - 1] : begin].strip() else line


def content(comment: str, style: Style) -> str:
    """The text of a comment without its marks; "" if it has no word."""
    around = style.marks + " \t\r"
    text = "\n".join([line.strip(around) for line in comment.split("\n")]).strip()
    return text if _WORD.search(text) else ""


def docstring(literal: str) -> str:
    """The text of a string literal that stands as a doc comment, each line stripped."""
    found = _OPENING.match(literal)
    if found:
        literal = literal[found.end() :].removesuffix(found[1])
    return "\n".join(map(str.strip, literal.split("\n"))).strip()
