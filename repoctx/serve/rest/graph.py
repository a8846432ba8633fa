"""What does the symbol graph say? Definitions, references, callers, callees, impact, and the graph as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, model_validator

from repoctx.graph import export
from repoctx.graph.impact import FLOOR
from repoctx.serve.rest import callers, wire
from repoctx.serve.rest.callers import Name, Reader
from repoctx.serve.rest.paths import ID
from repoctx.serve.rest.shapes import (
    Asked,
    At,
    AtRisk,
    CodeSymbol,
    Cursor,
    Definition,
    Diff,
    Edge,
    Reached,
    Word,
    at,
    at_risk,
    cursor_of,
    edges,
    offset_of,
    reached,
    symbols,
)
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.rest.wire import Freshness, Page, RefName
from repoctx.store.connect import errors
from repoctx.tasks.tools.finding import told

# Characters that are sent at once where a graph is streamed.
PIECE = 1 << 16

router = APIRouter(prefix="/v1", tags=["graph"])

SymbolId = Annotated[
    str,
    Path(
        max_length=8000,
        description="an id (`shop/store.py#Store.load`, percent-encoded), a name, path:line or a path",
        examples=["shop/store.py#Store.load"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many to list")]
Depth = Annotated[int, Query(ge=1, le=50, description="calls of calls, so deep")]
Confidence = Annotated[
    float,
    Query(ge=0, le=1, allow_inf_nan=False, description="leave out what is less sure, and all that is only possible"),
]
UseKind = Literal["calls", "references", "imports", "inherits", "overrides", "tests"]


# --- definitions -------------------------------------------------------------------------------


class DefinitionPage(Page[Definition]):
    """Definitions of a name, the best match first."""

    freshness: Freshness


@router.get("/repositories/{name}/symbols", operation_id="find_symbols", summary="Find definitions")
def find_symbols(
    found: Asked,
    q: Annotated[
        str,
        Query(
            max_length=4000,
            pattern=r"\S",
            description="a bare or qualified name, or path:line",
            examples=["Store.load"],
        ),
    ],
    limit: Annotated[int, Query(ge=1, le=200, description="definitions of a page")] = 50,
    cursor: Cursor = None,
) -> DefinitionPage:
    """The definitions of a name, bare (`load`) or qualified (`Store.load`), or what is at `path:line`."""
    loaded, first = found.opened.loaded, offset_of(cursor)
    count = len(found.opened.index.view.occurrences.symbol_file)
    with errors(found.service.engine):
        at_line = loaded.graph.place(q) if q.rpartition(":")[2].strip().isdecimal() else None
        named = loaded.graph.named(loaded.graph.without_spaces(q)) if at_line is None else [at_line]
    rows = [row for row in named if row < count]  # the others are files
    shown = rows[first : first + limit]
    return DefinitionPage(
        items=definitions(found, shown),
        next=cursor_of(str(first + limit)) if len(rows) > first + limit else None,
        freshness=found.fresh,
    )


def definitions(found: At, rows: list[int]) -> list[Definition]:
    """Symbols in full, without secrets unless the settings say otherwise."""
    loaded, hide = found.opened.loaded, found.service.workspace.settings.pack_redact
    o = found.opened.index.view.occurrences
    files = {row: int(o.symbol_file[row]) for row in rows}
    with errors(found.service.engine):
        parsed = loaded.parsed(sorted(set(files.values())))
    made = []
    for row, file in files.items():
        symbol = parsed[file].facts.symbols[row - int(o.symbol_file.searchsorted(file))]
        signature, doc = told(symbol, parsed[file]) if hide else (symbol.signature, symbol.doc)
        made.append(
            Definition(
                id=loaded.ids[row], path=o.paths[file], name=symbol.name, qualified_name=symbol.descriptor,
                kind=symbol.kind, start_line=symbol.start_line, end_line=symbol.end_line, signature=signature, doc=doc,
            )
        )  # fmt: skip
    return made


# --- references, callers, callees --------------------------------------------------------------


class References(BaseModel):
    """Where a symbol is used."""

    symbols: list[CodeSymbol] = Field(description="what was asked about: a symbol and its declarations, or a file")
    references: list[Edge]
    total: int = Field(description="references that there are, whatever the limit")
    possible: list[Edge] = Field(description="what may mean the symbol and could not be resolved to it")
    possible_total: int
    notes: list[str]
    freshness: Freshness


class Callers(BaseModel):
    """What calls a symbol."""

    symbols: list[CodeSymbol]
    callers: list[Reached]
    total: int
    possible: list[Edge]
    possible_total: int
    notes: list[str]
    freshness: Freshness


class Callees(BaseModel):
    """What a symbol calls."""

    symbols: list[CodeSymbol]
    callees: list[Reached]
    total: int
    possible: list[Edge]
    possible_total: int
    notes: list[str]
    freshness: Freshness


@router.get(
    "/repositories/{name}/symbols/" + ID + "/references", operation_id="list_references", summary="List references"
)
def list_references(
    found: Asked,
    id: SymbolId,
    limit: Limit = 100,
    min_confidence: Confidence = 0.0,
    kind: Annotated[list[UseKind] | None, Query(max_length=10, description="only this kind; may be repeated")] = None,
) -> References:
    """The places that use a symbol: calls, references, imports, subclasses, overriding methods."""
    with errors(found.service.engine):
        uses = found.opened.loaded.graph.refs(id, kind or (), min_confidence, limit)
    return References(
        symbols=symbols(uses.asked), references=edges(uses.links), total=uses.total, possible=edges(uses.possible),
        possible_total=uses.possible_total, notes=uses.notes, freshness=found.fresh,
    )  # fmt: skip


@router.get("/repositories/{name}/symbols/" + ID + "/callers", operation_id="list_callers", summary="List callers")
def list_callers(
    found: Asked, id: SymbolId, limit: Limit = 100, min_confidence: Confidence = 0.0, depth: Depth = 1
) -> Callers:
    """What calls a symbol, directly or through others."""
    with errors(found.service.engine):
        walked = found.opened.loaded.graph.callers(id, depth, min_confidence, limit)
    return Callers(
        symbols=symbols(walked.asked), callers=reached(walked.found), total=walked.total,
        possible=edges(walked.possible), possible_total=walked.possible_total, notes=walked.notes,
        freshness=found.fresh,
    )  # fmt: skip


@router.get("/repositories/{name}/symbols/" + ID + "/callees", operation_id="list_callees", summary="List callees")
def list_callees(
    found: Asked, id: SymbolId, limit: Limit = 100, min_confidence: Confidence = 0.0, depth: Depth = 1
) -> Callees:
    """What a symbol and all that is written inside of it calls, directly or through others."""
    with errors(found.service.engine):
        walked = found.opened.loaded.graph.callees(id, depth, min_confidence, limit)
    return Callees(
        symbols=symbols(walked.asked), callees=reached(walked.found), total=walked.total,
        possible=edges(walked.possible), possible_total=walked.possible_total, notes=walked.notes,
        freshness=found.fresh,
    )  # fmt: skip


# --- impact ------------------------------------------------------------------------------------


class ImpactQuery(wire.Asked):
    """What changes."""

    symbols: list[Word] = Field(
        [], max_length=1000, description="ids or names of symbols that change", examples=[["Store.load"]]
    )
    diff: Diff | None = Field(None, description="what changes, as a unified diff of git, instead of `symbols`")
    ref: RefName | None = Field(None, description="branch, tag or commit that is indexed", examples=["main"])
    limit: int = Field(30, ge=1, le=1000, description="how many places and how many tests to list")
    min_risk: float = Field(FLOOR, ge=0.01, le=1, allow_inf_nan=False, description="leave out what is at less risk")

    @model_validator(mode="after")
    def _symbols_or_diff(self) -> ImpactQuery:
        if bool(self.symbols) == (self.diff is not None):
            raise ValueError("say what changes: either `symbols` or a `diff`")
        return self


class Changed(CodeSymbol):
    """A symbol or a file that a change touches."""

    lines: list[int] = Field(description="lines in the snapshot that change; none where the symbol was named")


class TestFile(BaseModel):
    """A file with tests to run."""

    path: str
    risk: float = Field(description="of its riskiest test")
    tests: int = Field(description="how many of its tests to run; 0: the file as a whole")


class Impact(BaseModel):
    """What follows from a change, the riskiest first."""

    changed: list[Changed]
    affected: list[AtRisk] = Field(description="what may break")
    affected_total: int
    tests: list[AtRisk] = Field(description="what to run")
    tests_total: int
    test_files: list[TestFile] = Field(description="of all tests to run, whatever the limit")
    notes: list[str]
    freshness: Freshness


@router.post("/repositories/{name}/impact", operation_id="assess_impact", summary="Assess a change")
def assess_impact(name: Name, asked: ImpactQuery, service: ServiceState, caller: Reader) -> Impact:
    """What may break when symbols change, or by a diff, and which tests to run.

    A diff may be ahead of what is indexed or already in it: the lines decide.
    """
    found = at(service, callers.repository(service, caller, name), asked.ref)
    with errors(service.engine):
        made = found.opened.loaded.graph.impact(asked.symbols, asked.diff, asked.min_risk, asked.limit)
    return Impact(
        changed=[Changed(**one.node._asdict(), lines=list(one.lines)) for one in made.changed],
        affected=at_risk(made.broken),
        affected_total=made.broken_total,
        tests=at_risk(made.tests),
        tests_total=made.tests_total,
        test_files=[TestFile(**file._asdict()) for file in made.files],
        notes=made.notes,
        freshness=found.fresh,
    )


# --- the whole graph ---------------------------------------------------------------------------


@router.get(
    "/repositories/{name}/graph",
    operation_id="export_graph",
    summary="Export the graph",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}, "application/xml": {}}, "description": "the graph"}},
)
def export_graph(
    found: Asked,
    response: Response,
    format: Annotated[Literal["jsonl", "graphml"], Query(description="JSON Lines or GraphML")] = "jsonl",
) -> StreamingResponse:
    """The symbol graph as `repoctx graph export` prints it, streamed; headers tell the state that it is of."""
    view = found.opened.index.view
    with errors(found.service.engine):
        known = found.opened.index.edges  # a database that does not answer is told before anything is sent
    lines = (export.jsonl if format == "jsonl" else export.graphml)(view.occurrences, known, view.lines.tolist())
    headers = {name: response.headers[name] for name in ("etag", "cache-control")}
    headers |= {"Repoctx-Snapshot": found.fresh.snapshot, "Repoctx-Commit": found.fresh.commit or ""}
    media = "application/x-ndjson" if format == "jsonl" else "application/xml"
    return StreamingResponse(_pieces(lines), media_type=media, headers=headers)


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines in pieces that are worth sending; each of them ends with a line break."""
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line if line.endswith("\n") else line + "\n")
        size += len(line)
        if size >= PIECE:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()
