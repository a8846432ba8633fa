"""How is what a model wrote shown? Its Markdown, in which nothing leads out, and its changes line by line.

Nothing in an answer becomes markup of its own: raw HTML, pictures and links are text, what does not print is a code,
and the only links are those to places that the answer cites and that exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cache
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markupsafe import Markup

from repoctx.retrieve.diff import parse, plain_path
from repoctx.serve.show import printable
from repoctx.serve.web.find import file_address

# Characters of an answer that are read as Markdown, which takes up to 25 µs each; what is longer is shown as it is.
MOST_MARKDOWN = 100_000
# Lines of a change that are shown open, and those of all its files that are shown at all.
OPEN_LINES, MOST_LINES = 400, 20_000
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_LINES = r":(\d{1,9})(?:[-\u2013](\d{1,9}))?"
_PLACE = re.compile(rf"(?<![\w./@+%$~-])([\w./@+%$~-]++){_LINES}(?!\d)")
_QUOTED = re.compile(rf"(.+){_LINES}")  # all that stands in back quotes: a path may have spaces

Place = tuple[str, int, int]  # path, first line and last; 0 for one line
Link = Callable[[str, int, int], str]


# --- answers -----------------------------------------------------------------------------------


def prose(text: str, citations: Iterable[Mapping[str, Any]], link: Link) -> Markup:
    """A text of a model. `link` says where a path with its first and last line is shown."""
    if len(text) > MOST_MARKDOWN:
        return Markup("<pre>\n{}</pre>").format(printable(text))
    places = {(str(one["path"]), int(one["line"]), int(one["end"])) for one in citations if one["exists"]}
    tokens = _markdown().parse(text)
    for token in tokens:
        token.content, token.info = printable(token.content), ""
        if token.tag[:1] == "h" and token.tag != "hr":
            token.tag = "h3"  # below those of the page, whatever the model begins with
        if token.children:
            token.children = [made for child in token.children for made in _linked(child, places, link)]
    return Markup(_markdown().renderer.render(tokens, _markdown().options, {}))


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "reference", "lheading"])
    made.validateLink = lambda url: False  # type: ignore[method-assign]
    made.block.ruler.before("fence", "edit", _edit, {"alt": ["paragraph"]})
    return made


def _edit(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Whether a search/replace block begins at a line: it is code, though nothing fences it."""

    def line(at: int) -> str:
        return state.src[state.bMarks[at] + state.tShift[at] : state.eMarks[at]]

    # None ends between these lines, as an earlier look has found: no line is looked at for each before it.
    none_from, none_to = state.env.get("edit", (end, end))
    if not line(start).startswith("<<<<<<< SEARCH") or none_from <= start < end <= none_to:
        return False
    last = next((at for at in range(start + 1, end) if line(at).startswith(">>>>>>> REPLACE")), None)
    if last is None:
        state.env["edit"] = (start, end)
        return False
    if not silent:
        token = state.push("code_block", "code", 0)
        token.content = state.getLines(start, last + 1, state.blkIndent, True)
        state.line = last + 1
    return True


def _linked(token: Token, places: Set[Place], link: Link) -> Iterable[Token]:
    """A piece of a line, with links to the places that are cited in it."""
    token.content = printable(token.content)
    if token.type not in ("text", "code_inline") or not places:
        yield token
        return
    for piece, found in _pieces(token.content, places, token.type == "code_inline"):
        if found is not None:
            path, first, last = found
            yield Token("link_open", "a", 1, attrs={"href": link(path, first, last or first)})
        yield Token(token.type, token.tag, 0, content=piece)
        if found is not None:
            yield Token("link_close", "a", -1)


def _pieces(text: str, places: Set[Place], quoted: bool) -> Iterable[tuple[str, Place | None]]:
    """A text in pieces, each with the place that it names."""
    if quoted and (whole := _named(_QUOTED.fullmatch(text), places)):
        yield text, whole
        return
    at = 0
    for found in _PLACE.finditer(text):
        if one := _named(found, places):
            if found.start() > at:
                yield text[at : found.start()], None
            yield found[0], one
            at = found.end()
    if at < len(text):
        yield text[at:], None


def _named(found: re.Match[str] | None, places: Set[Place]) -> Place | None:
    """The place that a match names, if it is one of those."""
    if found is None:
        return None
    one = (found[1].removeprefix("./"), int(found[2]), int(found[3] or 0))
    return one if one in places else None


def place(repository: str, ref: str | None) -> Link:
    """Where a place of a repository is shown."""

    def link(path: str, first: int, last: int) -> str:
        return f"{file_address(repository, path, ref)}#L{first}" + (f"-L{last}" if last > first else "")

    return link


# --- changes -----------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of a change."""

    kind: str  # "added", "removed", "same", "place" or "note"
    old: int | None
    new: int | None
    text: str


class Changed(NamedTuple):
    """A file of a change."""

    path: str
    what: str  # "new", "deleted", "was OLD", or "" for a file that only has other lines
    added: int
    removed: int
    lines: Sequence[Line]


def changed(diff: str) -> list[Changed]:
    """The files of a unified diff."""
    found: list[tuple[list[str], list[Line]]] = []  # for each file what stands before its hunks, and these
    old = new = left = right = 0  # the next line of either side, and how many the hunk still has
    for text in diff.split("\n"):
        if (left > 0 or right > 0) and text[:1] in ("", " ", "+", "-", "\\"):
            kind = {"+": "added", "-": "removed", "\\": "note"}.get(text[:1], "same")
            before, after = kind in ("removed", "same"), kind in ("added", "same")
            shown = text if kind == "note" else text[1:]
            found[-1][1].append(Line(kind, old if before else None, new if after else None, shown))
            old, left = old + before, left - before
            new, right = new + after, right - after
            continue
        left = right = 0
        if text.startswith("diff --git ") or (text.startswith("--- ") and (not found or found[-1][1])):
            found.append(([], []))
        if found and (hunk := _HUNK.match(text)):
            old, new = int(hunk[1]), int(hunk[3])
            left, right = (int(count or 1) for count in (hunk[2], hunk[4]))
            found[-1][1].append(Line("place", None, None, text))
        elif found and found[-1][1] and text:
            found[-1][1].append(Line("note", None, None, text))
        elif found:
            found[-1][0].append(text)
    return [_changed(head, lines) for head, lines in found]


def _changed(head: Sequence[str], lines: Sequence[Line]) -> Changed:
    change = parse("\n".join(head))[0]
    old, new = (plain_path(path) if path else "" for path in (change.old, change.new))
    what = "new" if not old else "deleted" if not new else f"was {old}" if old != new else ""
    added, removed = (sum(line.kind == kind for line in lines) for kind in ("added", "removed"))
    return Changed(new or old, what, added, removed, lines)
