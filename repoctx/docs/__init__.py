"""What does the documentation say about a topic?

A topic is a Markdown file of this folder. `topics.toml` says in which order they are listed, and what each is about
in a line. The texts are ours; they are rendered without raw HTML all the same, so that a `<tag>` in them is shown.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from repoctx.errors import NotFoundError

if TYPE_CHECKING:
    from markdown_it.token import Token

PAGES = "/docs/"  # where the service shows them
_LINK = re.compile(r"(?:\./)?([a-z][a-z-]*)\.md(#[\w-]*)?")
_ELSEWHERE = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[^\w\- ]")


class Topic(NamedTuple):
    """One document."""

    name: str  # quickstart
    title: str  # of its first heading
    summary: str  # one line


@cache
def topics() -> tuple[Topic, ...]:
    """Every document, in reading order."""
    rows: dict[str, str] = tomllib.loads((resources.files(__package__) / "topics.toml").read_text("utf-8"))
    return tuple(Topic(name, _title(_read(name)), summary) for name, summary in rows.items())


def text(name: str) -> str:
    """A document's Markdown. Raises NotFoundError, which says what there is."""
    names = [topic.name for topic in topics()]
    if name not in names:
        near = difflib.get_close_matches(name.lower(), names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise NotFoundError(f"no topic is called {name[:100]!r}: {hint}")
    return _read(name)


def html(name: str, pages: str = PAGES) -> str:
    """A document as HTML. Raises NotFoundError, as `text` does."""
    return rendered(text(name), pages)


def rendered(said: str, pages: str = PAGES) -> str:
    """Markdown as HTML, its headings with anchors. Links to other documents lead to pages at `pages` + name; what is
    linked in the repository besides them is named without a link."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(said)
    for opened, slug in anchors(tokens):
        opened.attrSet("id", slug)
    for token in tokens:
        if token.children:
            token.children = list(_linked(token.children, pages))
    made: str = parser.renderer.render(tokens, parser.options, {})
    return made


def anchors(tokens: list[Token]) -> Iterator[tuple[Token, str]]:
    """Each heading with its anchor: its words in small letters, joined by hyphens; a second one has -1 behind it."""
    taken: dict[str, int] = {}
    for opened, inline in pairwise(tokens):
        if opened.type != "heading_open":
            continue
        said = "".join(child.content for child in inline.children or ())
        slug = _PUNCTUATION.sub("", said.lower()).replace(" ", "-")
        count = taken[slug] = taken.get(slug, -1) + 1
        yield opened, f"{slug}-{count}" if count else slug


def _linked(children: list[Token], pages: str) -> Iterator[Token]:
    """The parts of a line, with each link as the service has it; one that leads nowhere there is left out."""
    dropped = False
    for child in children:
        if child.type == "link_open":
            target = str(child.attrGet("href") or "")
            found = _LINK.fullmatch(target)
            if found:
                child.attrSet("href", f"{pages}{found[1]}{found[2] or ''}")
            dropped = not (found or target.startswith("#") or _ELSEWHERE.match(target))
        if not (dropped and child.type in ("link_open", "link_close")):
            yield child
        if child.type == "link_close":
            dropped = False


def _read(name: str) -> str:
    return (resources.files(__package__) / f"{name}.md").read_text("utf-8")


def _title(said: str) -> str:
    return said.partition("\n")[0].removeprefix("# ")
