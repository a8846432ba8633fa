"""Which places matter for a question, and where is a name defined? The tools search and symbol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from repoctx import redact
from repoctx.errors import UsageError
from repoctx.retrieve import query, search
from repoctx.store.payload import Parsed
from repoctx.tasks.tools import near
from repoctx.tasks.tools.shape import (
    INTEGER,
    MORE,
    MOST_NOTE,
    NEXT,
    NUMBER,
    OFFSET,
    STRING,
    Asked,
    Tool,
    fitting,
    going_on,
    many,
    number,
    numbered,
    obj,
    short,
    shown_line,
    text,
)
from repoctx.types import Hit, Symbol

# Lines of a hit, and reasons of it, that are shown.
HIT_LINES, REASONS = 12, 3


# --- search ------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A place that matters."""

    path: str
    start_line: int
    end_line: int
    symbol: str | None
    kind: str | None
    score: float
    why: str
    text: str  # its first lines


@dataclass(frozen=True, slots=True)
class Places:
    """Places that matter, best first."""

    hits: tuple[Place, ...]
    more: bool
    next_offset: int | None


def _search(asked: Asked, given: Mapping[str, Any]) -> Places:
    loaded = asked.source.loaded
    language = given.get("lang")
    if language is not None and (language := language.lower()) not in loaded.index.view.languages:
        there = ", ".join(sorted(set(loaded.index.view.languages)))
        raise UsageError(f"no file is in {language!r}: there is {there}")
    wanted = search.Wanted(language, given.get("path"))
    offset, k = given["offset"], given["k"]
    parsed = query.parse(given["query"])
    found = search.search(
        [loaded.index], parsed, offset + k + 1, given["level"], wanted, weights=[asked.source.weights]
    )
    hits = [hit for _, hit in found[offset:]]
    places = _places(asked, hits[:k])
    count = fitting([_place_text(one) for one in places])
    more = len(hits) > count
    return Places(tuple(places[:count]), more, offset + count if more else None)


def _places(asked: Asked, hits: Sequence[Hit]) -> list[Place]:
    loaded = asked.source.loaded
    files = sorted({loaded.file_numbers[hit.path] for hit in hits})
    lines = {path: one.text.split("\n") for path, one in loaded.documents(files, secrets=asked.secrets).items()}
    made = []
    for hit in hits:
        shown = lines[hit.path][hit.start_line - 1 : min(hit.end_line, hit.start_line + HIT_LINES - 1)]
        while shown and not shown[-1].strip():
            shown.pop()
        why = "; ".join(f"{one.ranker}: {short(one.detail, 80)}" for one in hit.reasons[:REASONS])
        code = "\n".join(shown_line(line)[:MOST_NOTE] for line in shown)
        name = hit.qualified_name or hit.symbol
        made.append(Place(hit.path, hit.start_line, hit.end_line, name, hit.kind, round(hit.score, 3), why, code))
    return made


def _place_text(one: Place) -> str:
    what = f" {one.kind} {one.symbol}" if one.symbol else ""
    head = f"{one.path}:{one.start_line}-{one.end_line}{what}  [{one.why}]"
    return f"{head}\n{numbered(one.text, one.start_line)}\n"


def _places_text(found: Places) -> str:
    if not found.hits:
        return "Nothing matches: try other words, fewer filters, or begin at offset=0."
    return "\n".join([*map(_place_text, found.hits), *going_on(found.next_offset)])


SEARCH = Tool(
    "search",
    "Search code",
    "Search the repository's source code: find the places that matter for a question in plain words, a function, "
    "class or variable name, an error message, a stack trace or a bug report. Gives files, line ranges, symbols and "
    "the first lines of code, best first. Like grep or code search, but ranked by meaning, names, the call graph and "
    "the git history.",
    obj(
        ["query"],
        query=text("what to look for: a question, names, an error message, a stack trace", 20_000),
        k=number("how many hits", 1, 50, 10),
        level={"type": "string", "enum": ["chunk", "symbol", "file"], "default": "chunk",
               "description": "what a hit is: a piece of code, a function or class, or a file"},
        lang=text("only files in this language, such as python", 100),
        path=text("only paths that match this pattern, such as src/** or *.py", 300),
        offset=OFFSET,
    ),
    obj(
        ["hits", "more"],
        hits=many(
            obj(
                ["path", "start_line", "end_line", "score", "why", "text"],
                path=STRING, start_line=INTEGER, end_line=INTEGER, symbol=STRING, kind=STRING, score=NUMBER,
                why={"type": "string", "description": "what spoke for it"},
                text={"type": "string", "description": "the first of its lines"},
            )
        ),
        more=MORE,
        next_offset=NEXT,
    ),
    _search,
    _places_text,
)  # fmt: skip


# --- symbol ------------------------------------------------------------------------------------


class Definition(NamedTuple):
    """Where a name is defined."""

    id: str
    path: str
    start_line: int
    end_line: int
    kind: str
    qualified_name: str
    signature: str
    doc: str


@dataclass(frozen=True, slots=True)
class Definitions:
    """Where a name is defined, the best match first."""

    definitions: tuple[Definition, ...]
    total: int
    more: bool
    next_offset: int | None


def _symbol(asked: Asked, given: Mapping[str, Any]) -> Definitions:
    loaded, name = asked.source.loaded, given["name"]
    at = loaded.graph.place(name) if name.rpartition(":")[2].isdecimal() else None
    named = loaded.graph.named(name) if at is None else [at]
    rows = [row for row in named if row < len(loaded.graph.occurrences.symbol_file)]  # the others are files
    if not rows:
        raise near.no_symbol(asked.source, name)
    offset = given["offset"]
    shown = _definitions(asked, rows[offset : offset + given["limit"]])
    count = fitting([_definition_text(one) for one in shown])
    more = len(rows) > offset + count
    return Definitions(tuple(shown[:count]), len(rows), more and count > 0, offset + count if more and count else None)


def _definitions(asked: Asked, rows: Sequence[int]) -> list[Definition]:
    loaded = asked.source.loaded
    o = loaded.graph.occurrences
    files = {row: int(o.symbol_file[row]) for row in rows}
    parsed = loaded.parsed(sorted(set(files.values())))
    made = []
    for row, file in files.items():
        one = parsed[file].facts.symbols[row - int(o.symbol_file.searchsorted(file))]
        signature, doc = (one.signature, one.doc) if asked.secrets else told(one, parsed[file])
        made.append(
            Definition(
                loaded.ids[row], o.paths[file], one.start_line, one.end_line, one.kind, one.descriptor,
                short(signature, MOST_NOTE), short(doc, MOST_NOTE),
            )
        )  # fmt: skip
    return made


def told(symbol: Symbol, file: Parsed) -> tuple[str, str]:
    """The signature of a symbol, or its name where a secret is in what it was made of, and the doc without secrets."""
    last = symbol.body_line - 1 if symbol.body_line else symbol.end_line
    secret = False
    for span in file.secrets:
        line = file.text.count("\n", 0, span.start) + 1
        secret |= line <= last and line + file.text.count("\n", span.start, span.end) >= symbol.start_line
    return symbol.name if secret else redact.redact(symbol.signature)[0], redact.redact(symbol.doc)[0]


def _definition_text(one: Definition) -> str:
    head = f"{one.path}:{one.start_line}-{one.end_line} {one.kind} {one.qualified_name}"
    return "\n".join([head, f"  {one.signature}", *([f"  {one.doc}"] if one.doc else [])])


def _definitions_text(found: Definitions) -> str:
    if not found.definitions:
        return f"There are {found.total} definitions: begin at offset=0."
    return "\n".join([*map(_definition_text, found.definitions), *going_on(found.next_offset)])


SYMBOL = Tool(
    "symbol",
    "Find a definition",
    "Go to definition: find where a function, method, class, type, constant or variable is defined, with its "
    "signature and documentation. Takes a bare name (load), a qualified name (Store.load), an id "
    "(shop/store.py#Store.load) or a place (shop/store.py:12).",
    obj(
        ["name"],
        name=text("name of the symbol, or path:line"),
        limit=number("how many definitions", 1, 50, 20),
        offset=OFFSET,
    ),
    obj(
        ["definitions", "total", "more"],
        definitions=many(
            obj(
                ["id", "path", "start_line", "end_line", "kind", "qualified_name", "signature", "doc"],
                id=STRING, path=STRING, start_line=INTEGER, end_line=INTEGER, kind=STRING, qualified_name=STRING,
                signature=STRING, doc=STRING,
            )
        ),
        total=INTEGER,
        more=MORE,
        next_offset=NEXT,
    ),
    _symbol,
    _definitions_text,
)  # fmt: skip
