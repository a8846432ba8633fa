"""What does the documentation say? The documents as pages, and the reference of the API."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from repoctx import docs
from repoctx.docs import Topic
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.web.entry import Reader, reached
from repoctx.serve.web.frame import page, wants_part
from repoctx.serve.web.reference import ADDRESS, having, operations

# Places that a search shows, and characters of each around the first word.
FOUND, AROUND = 30, 180
# What a word is worth where it stands: in a heading, in the title of the document; once in the text it is worth 1.
IN_HEADING, IN_TITLE = 8.0, 4.0

router = APIRouter(include_in_schema=False)

Words = Annotated[str, Query(max_length=300)]
_PLAIN = re.compile(r"https?://[\w.:\[\]-]+")  # an address that a shell takes as it is
_WORD = re.compile(r"[\w.-]*\w")
_HEADING = re.compile(r'(<h([2-6]) id="([^"]+)">)(.*?)(</h\2>)', re.DOTALL)
_NUMBER = re.compile(r"<td(?=[^>]*>[\d.,]*\d[\d.,]* ?%?</td>)")
_CODE = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)


class Section(NamedTuple):
    """A heading and what stands under it."""

    topic: Topic
    level: int
    anchor: str
    title: str
    text: str  # without marks


class Match(NamedTuple):
    """A section with what was searched for."""

    section: Section
    before: str  # what stands around the first word
    word: str
    after: str


@router.get("/docs")
def listed(request: Request, caller: Reader, q: Words = "") -> HTMLResponse:
    """All documents, or those that hold some words."""
    values = {"topics": docs.topics(), "topic": None, "q": q.strip(), "found": search(q)}
    return page(request, "docs_part.html" if wants_part(request) else "docs.html", **values)


@router.get("/docs/{topic}")
def shown(request: Request, caller: Reader, topic: Annotated[str, Path(max_length=100)]) -> HTMLResponse:
    """A document."""
    text = _html(topic)
    topics = docs.topics()
    names = [one.name for one in topics]
    at = names.index(topic)
    return page(
        request, "document.html", topics=topics, topic=topics[at], text=text,
        contents=[one for one in sections() if one.topic.name == topic and one.level in (2, 3)],
        before=topics[at - 1] if at else None, after=topics[at + 1] if at + 1 < len(topics) else None,
    )  # fmt: skip


@router.get("/v1/docs")
def reference(request: Request, service: ServiceState, caller: Reader, q: Words = "") -> HTMLResponse:
    """Each route of the service: what it takes, what it answers, an example."""
    api = request.app.openapi()
    if "reference" not in service.shared:
        service.shared["reference"] = operations(api)
    found = having(service.shared["reference"], q)
    groups = [(tag, list(rows)) for tag, rows in groupby(found, lambda one: one.tag)]
    own = reached(request)
    values = {"groups": groups, "count": len(found), "q": q.strip(), "there": ADDRESS,
              "own": own if _PLAIN.fullmatch(own) else ADDRESS}  # fmt: skip
    name = "reference_part.html" if wants_part(request) else "reference.html"
    return page(request, name, about=Markup(docs.rendered(api["info"]["description"])), **values)


# --- documents ---------------------------------------------------------------------------------


@cache
def _html(name: str) -> Markup:
    """A document as HTML: headings that can be linked to, code that can be copied, tables that scroll."""
    number = iter(range(1, 10_000))

    def code(found: re.Match[str]) -> str:
        at = next(number)
        return (
            f'<div class="code"><button type="button" class="plain" data-copy="#code-{at}">Copy</button>'
            f'<pre id="code-{at}" tabindex="0" role="region" aria-label="code {at}">{found[1]}</pre></div>'
        )

    text = docs.html(name)
    text = _HEADING.sub(r'\1\4 <a class="anchor" href="#\3" aria-label="link to this section">#</a>\5', text)
    text = _CODE.sub(code, text)
    tables = iter(range(1, 10_000))
    opened = lambda _: f'<div class="wide" tabindex="0" role="region" aria-label="table {next(tables)}"><table>'  # noqa: E731
    text = re.sub("<table>", opened, text).replace("</table>", "</table></div>")
    text = _NUMBER.sub('<td class="number"', text)
    return Markup(text)  # rendered without raw HTML: what is added here is all ours


@cache
def sections() -> tuple[Section, ...]:
    """The sections of all documents, in reading order."""
    return tuple(section for topic in docs.topics() for section in _sections(topic))


def _sections(topic: Topic) -> Iterator[Section]:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(docs.text(topic.name))
    begins = {id(opened): anchor for opened, anchor in docs.anchors(tokens)}
    level, anchor, title = 1, "", topic.title
    words: list[str] = []
    after_heading = False
    for token in tokens:
        if token.type == "heading_open":
            if words or anchor:
                yield Section(topic, level, anchor, title, " ".join(words))
            level, anchor, words, after_heading = int(token.tag[1]), begins[id(token)], [], True
        elif token.type in ("inline", "fence", "code_block"):
            parts = token.children or [token]
            said = "".join(part.content or (" " if part.type.endswith("break") else "") for part in parts)
            if after_heading:
                title, after_heading = said, False
            else:
                words.append(" ".join(said.split()))
    yield Section(topic, level, anchor, title, " ".join(words))


def search(wanted: str) -> list[Match]:
    """The sections with some words, the best first: with more of the words, then with those that say more."""
    words = list(dict.fromkeys(_WORD.findall(wanted.lower())))
    found = []
    for place, section in enumerate(sections()):
        title, topic, text = section.title.lower(), section.topic.title.lower(), section.text.lower()
        worth = {
            word: IN_HEADING * (word in title) + IN_TITLE * (word in topic) + math.log1p(text.count(word))
            for word in words
        }
        hits = [word for word in words if word in title or word in text]
        if hits:
            found.append((-len(hits), -round(sum(worth.values()), 6), place, section, hits))
    return [_match(section, hits) for *_, section, hits in sorted(found, key=lambda one: one[:3])[:FOUND]]


def _match(section: Section, hits: list[str]) -> Match:
    """A section with its text around the first word that is in it."""
    low = section.text.lower()
    at, word = min(((low.find(word), word) for word in hits if word in low), default=(0, ""))
    if len(low) != len(section.text):  # a letter that has no small one of its length
        at, word = 0, ""
    first, end = max(0, at - AROUND // 3), at + len(word)
    before = ("…" if first else "") + section.text[first:at]
    after = section.text[end : end + AROUND] + ("…" if end + AROUND < len(section.text) else "")
    return Match(section, before, section.text[at:end], after)
