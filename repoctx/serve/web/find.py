"""Where is what matters? The page that searches while one types."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from pydantic import ValidationError

from repoctx.errors import NotFoundError, RepoctxError, UsageError
from repoctx.index.lexical import split
from repoctx.retrieve import query as queries
from repoctx.serve.rest import callers
from repoctx.serve.rest.callers import Caller
from repoctx.serve.rest.metrics import QUERY_SECONDS
from repoctx.serve.rest.search import SearchQuery
from repoctx.serve.rest.shapes import SearchHit
from repoctx.serve.rest.shapes import hit as as_sent
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.web.code import NOTHING, Marking, Sheet, sheets, shown
from repoctx.serve.web.colours import coloured
from repoctx.serve.web.entry import Reader
from repoctx.serve.web.frame import for_people, page, wants_part
from repoctx.store import snapshots
from repoctx.store.connect import errors
from repoctx.types import KINDS
from repoctx.workspace import Answer

# Hits of a page; lines of each that are shown, and those that open on demand.
HITS, LINES, MORE_LINES = 10, 12, 48
# Repositories that are searched while one types where none is chosen: those indexed last. All are once it is sent.
LATEST = 3
# How long texts may take to get their colours, in seconds: while one types, on a whole page, and once one rests (then
# the largest has its turn). What would take longer is shown without; PAINTED bytes take a second.
TYPING_SECONDS, PAGE_SECONDS, REST_SECONDS, PAINTED = 0.005, 0.5, 1.5, 700_000
# What the fields may hold.
LONGEST_QUERY, ALL = 20_000, "*"
# Terms of a query that are marked in the code.
MARKED = 100

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query()]


class Asked(NamedTuple):
    """What the form holds."""

    q: str = ""
    repository: str = ""  # "" or ALL: every one
    ref: str = ""
    level: str = "chunk"
    lang: str = ""
    path: str = ""
    kind: str = ""
    typing: str = ""  # something: it is not sent yet, so of every repository the latest do

    @property
    def every(self) -> bool:
        """Whether no repository is chosen."""
        return self.repository in ("", ALL)

    def address(self, offset: int = 0) -> str:
        """Where this is shown."""
        given = {name: value for name, value in self._asdict().items() if value and (name, value) != ("level", "chunk")}
        return "/search?" + urlencode(given | ({"offset": str(offset)} if offset else {}))


class Within(NamedTuple):
    """Which repositories are searched."""

    names: list[str] | None  # None: all
    said: str = ""  # which those are, where not one was chosen
    rest: str = ""  # which are once the form is sent


class ShownHit(NamedTuple):
    """A hit as the page shows it."""

    hit: SearchHit
    address: str
    lines: list[tuple[int, Markup]]
    more: list[tuple[int, Markup]]  # of those that open on demand
    rest: int  # lines that the page does not show


@router.get("/search")
def find(
    request: Request, service: ServiceState, caller: Reader, q: Text = "", repository: Text = "", ref: Text = "",
    level: Text = "chunk", lang: Text = "", path: Text = "", kind: Text = "",
    typing: Text = "", offset: Annotated[int, Query(ge=0, le=1000)] = 0, rests: bool = False,
) -> HTMLResponse:  # fmt: skip
    """The hits for a question, a name, an error message or a bug report."""
    asked = Asked(q.strip(), repository, ref.strip(), level or "chunk", lang, path.strip(), kind, typing and "1")
    part = wants_part(request)
    seconds = REST_SECONDS if rests else TYPING_SECONDS if part else PAGE_SECONDS
    names = latest(service, caller)
    most = service.workspace.settings.serve_together
    values = _found(service, caller, asked, within(asked, names, most), offset, seconds)
    if part:
        return page(request, "search_part.html", asked=asked, **values)
    of = names[:LATEST] if asked.every else [asked.repository]
    choices = {"names": sorted(names), "latest": LATEST, "most": most, "kinds": KINDS}
    return page(request, "search.html", asked=asked, languages=_languages(service, caller, of), **choices, **values)


def latest(service: Service, caller: Caller) -> list[str]:
    """The repositories that the caller may see and that are indexed, the one indexed last first."""
    with errors(service.engine), service.engine.connect() as connection:
        return [name for name in snapshots.lately_indexed(connection) if caller.sees(name)]


def within(asked: Asked, names: list[str], most: int) -> Within:
    """Where is searched, if those are the names of all repositories, the one indexed last first, and `most` may be."""
    if not asked.every:
        return Within([asked.repository])
    limit = min(LATEST, most) if asked.typing else most
    if len(names) <= limit:
        return Within(None, f"all {len(names):,} repositories" if len(names) > 1 else "")
    chosen = f"{', '.join(names[:limit])}, " if limit <= LATEST else ""
    rest = f"all {len(names):,}" if len(names) <= most else f"{most:,}"
    return Within(names[:limit], f"{chosen}the {limit:,} of {len(names):,} that were indexed last", rest)


def _languages(service: Service, caller: Caller, names: Sequence[str]) -> list[str]:
    """The languages of some repositories."""
    found: set[str] = set()
    for name in names:
        try:
            opened = service.workspace.open(callers.repository(service, caller, name), beside=len(names))
        except NotFoundError:
            continue
        found |= set(opened.index.view.languages)
    return sorted(found)


def _found(
    service: Service, caller: Caller, asked: Asked, where: Within, offset: int, seconds: float
) -> dict[str, object]:
    """What the part of the page with the hits needs."""
    began = time.perf_counter()
    nothing: dict[str, object] = {"hits": [], "wrong": "", "more": "", "before": offset, "again": False, "ms": 0}
    nothing |= {"where": where, "all": ALL, "whole": asked._replace(repository=ALL, typing="").address()}
    if not asked.q:
        return nothing
    try:
        answer = _searched(service, caller, asked, where.names, offset)
        hits, again = _shown(service, asked, answer, seconds)
    except ValidationError as error:
        return nothing | {"wrong": _said(error)}
    except RepoctxError as error:
        return nothing | {"wrong": f"{for_people(str(error))}."}
    more = asked.address(offset + HITS) if len(answer.hits) > HITS and offset + HITS <= 1000 else ""
    taken = {"ms": round(1000 * (time.perf_counter() - began))}
    return nothing | taken | {"hits": hits, "again": again, "more": more, "several": len(answer.opened) > 1}


def _said(error: ValidationError) -> str:
    """What is wrong with a field, in a sentence."""
    first = error.errors()[0]
    return f"The field {first['loc'][-1] if first['loc'] else ''} is not valid: {first['msg'].lower()}."


def _searched(service: Service, caller: Caller, asked: Asked, names: list[str] | None, offset: int) -> Answer:
    """The hits, one more than a page has, and the snapshots that they are of."""
    if len(asked.q) > LONGEST_QUERY:
        raise UsageError(f"the query has {len(asked.q):,} characters, at most {LONGEST_QUERY:,} are read: shorten it")
    wanted = SearchQuery.model_validate({
        "query": asked.q, "repositories": names, "ref": asked.ref or None, "level": asked.level, "k": HITS,
        "offset": offset, "lang": asked.lang or None, "path": asked.path or None,
        "kinds": [asked.kind] if asked.kind and asked.level == "symbol" else [],
    })  # fmt: skip
    where = callers.repositories(service, caller, wanted.repositories)
    with QUERY_SECONDS.labels("search").time(), service.turns:
        return service.workspace.search(
            wanted.query, where, wanted.ref, k=HITS + 1, offset=offset, level=wanted.level, language=wanted.lang,
            path=wanted.path, kinds=wanted.kinds,
        )  # fmt: skip


def _shown(service: Service, asked: Asked, found: Answer, seconds: float) -> tuple[list[ShownHit], bool]:
    """Hits with their lines, and whether some have no colours yet."""
    texts: dict[tuple[str, str], Sheet] = {}
    hits, hide = found.hits[:HITS], service.workspace.settings.pack_redact
    for one in found.opened:
        name = one.repository.name
        numbers = {hit.path: one.loaded.file_numbers[hit.path] for hit in hits if hit.repository == name}
        read = sheets(service, one, sorted(numbers.values()))
        texts |= {(name, path): read[number] for path, number in numbers.items()}
    marked, left, plain, made = marking(asked.q), seconds, 0, []
    for hit in hits:
        sheet = texts[hit.repository, hit.path]
        cost = 0.0 if sheet.painted or not coloured(sheet.language) else len(sheet.whole) / PAINTED
        late = cost > left
        plain, left = plain + late, left - (0.0 if late else cost)
        made.append(_hit(as_sent(hit, None, hide), sheet, asked.ref, marked, late))
    return made, plain > 0


def _hit(hit: SearchHit, sheet: Sheet, ref: str, marked: Marking, plain: bool) -> ShownHit:
    last = min(hit.end_line, sheet.lines, hit.start_line + LINES + MORE_LINES - 1)
    made = list(enumerate(shown(sheet, hit.start_line, last, marked=marked, plain=plain), hit.start_line))
    address = f"{file_address(hit.repository, hit.path, ref)}{'&' if ref else '?'}lines={hit.start_line}-{hit.end_line}"
    rest = min(hit.end_line, sheet.lines) - last
    return ShownHit(hit, f"{address}#L{hit.start_line}", made[:LINES], made[LINES:], max(0, rest))


def file_address(repository: str, path: str, ref: str | None = None) -> str:
    """Where a file is shown."""
    return f"/r/{repository}/files/{quote(path)}" + (f"?ref={quote(ref, safe='')}" if ref else "")


def marking(text: str) -> Marking:
    """Where words are that are one of a query, or have one as a part. Raises UsageError if it asks for nothing."""
    terms = frozenset(queries.parse(text).terms)
    known = lru_cache(maxsize=2000)(lambda word: not terms.isdisjoint(split(word)))
    # Longer terms first: of two that begin alike the longer one is the word.
    any_term = "|".join(re.escape(term) for term in sorted(terms, key=lambda term: (-len(term), term))[:MARKED])
    return Marking(re.compile(any_term.encode(), re.IGNORECASE), known) if terms else NOTHING
