"""What is around a symbol? The page of the symbol graph: a picture, and the same as lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from repoctx.errors import NotFoundError, UsageError
from repoctx.retrieve.questions import Group, Neighbour, Neighbourhood, Node, Tie
from repoctx.serve.rest import callers, shapes
from repoctx.serve.rest.callers import Name
from repoctx.serve.rest.shapes import At
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.web import symbols
from repoctx.serve.web.drawing import Box, Placed, draw
from repoctx.serve.web.entry import Reader
from repoctx.serve.web.find import file_address
from repoctx.serve.web.frame import page, wants_part
from repoctx.store.connect import errors
from repoctx.types import EDGE_KINDS

# Symbols that are suggested, and of a name that several have; the most central ones to start from.
SUGGESTED, CENTRAL = 30, 40
# Groups of files that are shown, and files of each. Grouping takes a second for so many files.
GROUPS, GROUPED, MOST_FILES = 24, 6, 2000
# Edges as they are drawn: the surest are so broad, the least sure so faint.
BROAD, FAINT = 1.9, 0.35

router = APIRouter(include_in_schema=False)

Kind = Literal["contains", "calls", "references", "imports", "inherits", "overrides", "tests"]
Word = Annotated[str, Query(max_length=8000)]


class Settings(NamedTuple):
    """What the address of a picture says beside the symbol."""

    depth: int
    kinds: list[str]
    least: float
    limit: int
    ref: str | None
    also: list[str]  # ids of symbols that are expanded


class Shown(NamedTuple):
    """A node as the page has it."""

    node: Node
    about: Neighbour
    signature: str
    where: str  # how it is related to the symbol
    place: Placed
    around: str  # address of the graph around it
    file: str  # of its definition
    symbol: str  # of its page; empty for a file
    expand: str  # address of this graph with what is beside it; empty where all of that is shown


class Line(NamedTuple):
    """An edge as the page has it."""

    tie: Tie
    path: str
    file: str  # address of the place
    width: float
    opacity: float


@router.get("/r/{name}/graph")
def shown(
    request: Request, service: ServiceState, caller: Reader, name: Name, symbol: Word = "",
    depth: Annotated[int, Query(ge=1, le=5)] = 2,
    kinds: Annotated[list[Kind] | None, Query(max_length=10)] = None,
    least: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = 0.0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
    ref: shapes.RefQuery = None,
    also: Annotated[list[Word] | None, Query(max_length=20)] = None,
) -> HTMLResponse:  # fmt: skip
    """The graph around a symbol; without one, where to start."""
    found = shapes.at(service, callers.repository(service, caller, name), ref)
    asked = Settings(depth, list(kinds or ()), least, limit, ref, list(also or ()))
    values: dict[str, Any] = {"repository": name, "ref": ref, "symbol": symbol, "asked": asked,
                              "every_kind": EDGE_KINDS, "kinds": kinds or ()}  # fmt: skip
    with errors(service.engine):
        values |= _around(found, symbol, asked) if symbol.strip() else _overview(found, asked)
    return page(request, "graph_part.html" if wants_part(request) else "graph.html", **values)


# --- where to start ----------------------------------------------------------------------------


def _overview(found: At, asked: Settings) -> dict[str, Any]:
    """The most central symbols, and the files in groups."""
    graph, name = found.opened.loaded.graph, found.repository.name
    asked = asked._replace(also=[])
    links = [(node, _address(name, node.id, asked)) for node in graph.central(CENTRAL)]
    groups: list[Group] = graph.communities()[0] if len(graph.files) <= MOST_FILES else []
    listed = [
        (group, [(path, _address(name, path, asked)) for path in group.files[:GROUPED]]) for group in groups[:GROUPS]
    ]
    return {"central": links, "groups": listed, "groups_left": len(groups) - len(listed)}


def _choices(found: At, symbol: str, asked: Settings, said: str) -> dict[str, Any]:
    """The symbols that may be meant."""
    graph, name = found.opened.loaded.graph, found.repository.name
    nodes = [graph.node(row) for row in graph.named(symbol)[:SUGGESTED]] or graph.beginning(symbol, SUGGESTED)
    return {"said": said, "choices": [(node, _address(name, node.id, asked)) for node in nodes]}


# --- around a symbol ---------------------------------------------------------------------------


def _around(found: At, symbol: str, asked: Settings) -> dict[str, Any]:
    """A picture, or the choice of symbols where it is not clear which one is meant."""
    loaded = found.opened.loaded
    try:
        made = loaded.graph.around(symbol, asked.kinds, asked.depth, asked.least, asked.limit, asked.also)
    except (NotFoundError, UsageError) as error:
        return _choices(found, symbol, asked, str(error).partition("\n")[0].partition(": `")[0])
    last = len(loaded.graph.occurrences.symbol_file)
    signed = loaded.signatures([one.number for one in made.nodes if one.number < last])
    picture = draw([_box(one) for one in made.nodes], [(tie.source, tie.target) for tie in made.ties])
    nodes = list(_nodes(found, symbol, made, picture.boxes, asked, signed))
    lines = list(_lines(found, made, picture.curves, asked))
    return {"made": made, "picture": picture, "kinds": made.kinds, "nodes": nodes, "lines": lines, "heading": heading}


def _box(one: Neighbour) -> Box:
    """A node as it is drawn: by its qualified name where that is short."""
    node = one.node
    label = node.qualified_name if len(node.qualified_name) <= 26 and node.id != node.path else node.name
    return Box(one.level, node.path, label)


def _nodes(
    found: At, symbol: str, made: Neighbourhood, places: list[Placed], asked: Settings, signed: dict[int, str]
) -> Iterator[Shown]:
    name, ref = found.repository.name, asked.ref
    beside: list[set[int]] = [set() for _ in made.nodes]
    for tie in made.ties:
        if not tie.possible and tie.source != tie.target:
            beside[tie.source].add(tie.target + len(made.nodes))
            beside[tie.target].add(tie.source)
    plain = asked._replace(also=[])
    for place, (one, box) in enumerate(zip(made.nodes, places, strict=True)):
        node = one.node
        is_file = node.id == node.path
        more = len(beside[place]) < one.users + one.uses and node.id not in asked.also
        wider = asked._replace(also=[*asked.also, node.id][-20:])
        yield Shown(
            node, one, signed.get(one.number, ""), heading(one.level) if place >= made.asked else "the symbol", box,
            _address(name, node.id, plain), _file(name, node.path, 0 if is_file else node.start_line, ref),
            "" if is_file else symbols.address(name, node.id, ref),
            _address(name, symbol, wider) if more else "",
        )  # fmt: skip


def _lines(found: At, made: Neighbourhood, curves: list[str], asked: Settings) -> Iterator[Line]:
    for tie, path in zip(made.ties, curves, strict=True):
        sure = 0.0 if tie.possible else tie.link.confidence
        file = _file(found.repository.name, tie.link.path, tie.link.line, asked.ref)
        yield Line(tie, path, file, round(0.9 + (BROAD - 0.9) * sure, 2), round(FAINT + (1 - FAINT) * sure, 2))


def heading(level: int) -> str:
    """How the nodes of a level are related to the symbol."""
    steps = f" over {abs(level)} edges" if abs(level) > 1 else ""
    return f"use it{steps}" if level < 0 else f"it uses{steps}" if level else "the symbol"


# --- addresses ---------------------------------------------------------------------------------


def _address(name: str, symbol: str, asked: Settings) -> str:
    """Where the graph around a symbol is, with the same settings."""
    said: list[tuple[str, str]] = [("symbol", symbol)]
    said += [("depth", str(asked.depth))] if asked.depth != 2 else []
    said += [("kinds", kind) for kind in asked.kinds]
    said += [("least", f"{asked.least:g}")] if asked.least else []
    said += [("limit", str(asked.limit))] if asked.limit != 60 else []
    said += [("ref", asked.ref)] if asked.ref else []
    said += [("also", one) for one in asked.also]
    return f"/r/{name}/graph?{urlencode(said)}"


def _file(name: str, path: str, line: int, ref: str | None) -> str:
    """Where a line of a file is."""
    return file_address(name, path, ref) + (f"#L{line}" if line else "")
