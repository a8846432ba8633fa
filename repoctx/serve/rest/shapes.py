"""What do answers about code look like, which state of a repository are they about, and how does a list go on?"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Annotated, NamedTuple

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from repoctx import redact
from repoctx.errors import UsageError
from repoctx.retrieve.questions import Found, Link, Node
from repoctx.serve.rest import callers
from repoctx.serve.rest.callers import Name, Reader
from repoctx.serve.rest.fresh import freshness, tagged
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.rest.wire import Freshness, RefName
from repoctx.store.snapshots import Repository
from repoctx.types import Hit
from repoctx.warm import Opened

# A name, a path or a pattern: with a bound, lone surrogates are refused too.
Word = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Diff = Annotated[str, StringConstraints(max_length=5_000_000, pattern=r"\S")]
RepositoryName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
RefQuery = Annotated[
    RefName | None, Query(description="branch, tag or commit that is indexed; the default one if left out")
]
# The key of a path of 4,096 bytes, and more.
Cursor = Annotated[
    str | None, Query(max_length=20_000, description="`next` of the page before; the first page if left out")
]


class Answer(BaseModel):
    """What is sent back."""

    model_config = ConfigDict(from_attributes=True)


class Why(Answer):
    """Why a hit scored; shares sum to 1."""

    ranker: str = Field(examples=["lexical"])
    detail: str = Field(examples=["refund cart"])
    share: float


class SearchHit(Answer):
    """A place that matters for a query."""

    repository: str
    path: str = Field(examples=["shop/cart.py"])
    start_line: int
    end_line: int
    score: float
    symbol: str | None = Field(description="bare name; null: no symbol, or a file", examples=["load"])
    qualified_name: str | None = Field(examples=["Store.load"])
    kind: str | None = Field(examples=["method"])
    language: str = Field(examples=["python"])
    reasons: list[Why]
    text: str | None = Field(None, description="its lines without secrets, at most 200 of them, if asked for")


class CodeSymbol(Answer):
    """A symbol or a file."""

    id: str = Field(examples=["shop/store.py#Store.load"])
    path: str = Field(examples=["shop/store.py"])
    name: str = Field(examples=["load"])
    qualified_name: str = Field(examples=["Store.load"])
    kind: str = Field(examples=["method"])
    start_line: int
    end_line: int


class Definition(CodeSymbol):
    """A definition of a name."""

    signature: str = Field(description="on one line; the name alone where a secret is in it")
    doc: str = Field(description="its documentation without secrets")


class Edge(Answer):
    """A place where a symbol is used."""

    kind: str = Field(examples=["calls"])
    path: str
    line: int
    column: int
    source: str = Field(description="id of what uses")
    target: str | None = Field(description="id of what is used; null: not known")
    confidence: float
    rule: str = Field(description="how it was resolved")
    candidates: list[str] = Field(description="ids that it may mean where that is open")


class Reached(CodeSymbol):
    """A symbol that calls lead to."""

    depth: int = Field(description="calls on the way")
    confidence: float = Field(description="that of the way")
    way: list[Edge]


class AtRisk(CodeSymbol):
    """A symbol that a change may break, or that tests it."""

    distance: int = Field(description="edges from the change")
    risk: float
    way: list[Edge]


class At(NamedTuple):
    """The state of a repository that a question is about."""

    service: Service
    repository: Repository
    opened: Opened
    fresh: Freshness


def at(service: Service, found: Repository, ref: str | None) -> At:
    """A repository that the caller may see, at a ref. Raises NotFoundError for a ref that is not indexed."""
    opened = service.workspace.open(found, ref)
    return At(service, found, opened, freshness(service, found, opened.ref))


def _asked(
    request: Request, response: Response, service: ServiceState, caller: Reader, name: Name, ref: RefQuery = None
) -> At:
    """What a GET is about; raises NotModified where the caller has the answer."""
    found = at(service, callers.repository(service, caller, name), ref)
    tagged(request, response, found.opened.ref, found.fresh)
    return found


Asked = Annotated[At, Depends(_asked)]


# --- from the values that the façade returns ---------------------------------------------------


def hit(found: Hit, text: str | None, hide: bool) -> SearchHit:
    """A hit and the text of its lines; `hide` cuts secrets out of messages of commits."""
    sent = SearchHit.model_validate(found)
    sent.text = text
    for reason in sent.reasons:
        reason.detail = told(reason.ranker, reason.detail, hide)
    return sent


def told(ranker: str, detail: str, hide: bool) -> str:
    """The detail of a reason: that of the history quotes a commit, in whose message a secret may be."""
    return without_secrets(detail) if hide and ranker.startswith("history") else detail


@lru_cache(maxsize=4096)
def without_secrets(text: str) -> str:
    """A short text without its secrets."""
    return redact.redact(text)[0]


def symbols(found: list[Node]) -> list[CodeSymbol]:
    """Nodes as they are sent."""
    return [CodeSymbol.model_validate(node) for node in found]


def edges(found: list[Link] | tuple[Link, ...]) -> list[Edge]:
    """Links as they are sent."""
    return [Edge(**{**link._asdict(), "candidates": list(link.candidates)}) for link in found]


def reached(found: list[Found]) -> list[Reached]:
    """Callers or callees as they are sent."""
    return [Reached(**one.node._asdict(), depth=one.depth, confidence=one.score, way=edges(one.way)) for one in found]


def at_risk(found: list[Found]) -> list[AtRisk]:
    """What a change may break as it is sent."""
    return [AtRisk(**one.node._asdict(), distance=one.depth, risk=one.score, way=edges(one.way)) for one in found]


# --- lists that go on --------------------------------------------------------------------------


def cursor_of(key: str) -> str:
    """What a list goes on after, as an opaque text."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(given: str | None) -> str | None:
    """What `cursor_of` was made of, None for the beginning. Raises UsageError."""
    if given is None:
        return None
    try:
        key = base64.b64decode(given + "=" * (-len(given) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = ""
    if not key or cursor_of(key) != given:
        raise UsageError("the cursor is none that this list gave: leave it out to begin again")
    return key


def offset_of(given: str | None) -> int:
    """The place of a list at which a page begins. Raises UsageError."""
    key = key_of(given) or "0"
    if not (key.isascii() and key.isdecimal() and len(key) <= 9):
        raise UsageError("the cursor is none that this list gave: leave it out to begin again")
    return int(key)
