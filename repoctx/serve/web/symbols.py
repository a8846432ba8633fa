"""What is a symbol, who uses it, and what hangs on it? The page of a symbol, and the panel beside a file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, NamedTuple
from urllib.parse import quote, urlencode

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from repoctx.errors import NotFoundError, UsageError
from repoctx.graph.impact import FLOOR
from repoctx.retrieve.questions import Graph, Node
from repoctx.serve.rest import callers, graph
from repoctx.serve.rest.callers import Caller, Name
from repoctx.serve.rest.graph import ImpactQuery
from repoctx.serve.rest.shapes import At, Edge, RefQuery, at
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.web.code import sheets, shown
from repoctx.serve.web.entry import Reader
from repoctx.serve.web.find import file_address
from repoctx.serve.web.frame import page, wants_page
from repoctx.store.connect import errors
from repoctx.types import EDGE_KINDS

# Lines of a definition that a page shows, and uses, callers, callees and places at risk that it lists.
BODY, USES, LISTED = 60, 100, 40
# Definitions of a name that several have.
SEVERAL = 50

router = APIRouter(include_in_schema=False)


class Use(NamedTuple):
    """A place where a symbol is used, as a page shows it."""

    edge: Edge
    address: str
    line: Markup | str


@router.get("/r/{name}/symbol")
def show(
    request: Request, service: ServiceState, caller: Reader, name: Name,
    id: Annotated[str, Query(max_length=8000)] = "", ref: RefQuery = None,
) -> Response:  # fmt: skip
    """A symbol: its definition, and all that the graph knows around it; a list where an id means several."""
    if not id.strip():
        raise UsageError("the address names no symbol: add ?id= with an id, a name or path:line")
    found = at(service, callers.repository(service, caller, name), ref)
    values = {"repository": name, "ref": ref, "id": id}
    try:
        nodes = meant(found, id)
    except NotFoundError:
        if not wants_page(request.scope):
            raise
        return page(request, "symbol_missing.html", 404, **values)
    except UsageError:
        several = graph.find_symbols(found, id, SEVERAL).items
        if not several:
            raise
        return choose(request, found, [one.id for one in several], ref, id)
    symbols = len(found.opened.index.view.occurrences.symbol_file)
    if nodes[0] >= symbols:  # a file
        path = found.opened.index.view.members[nodes[0] - symbols].path
        return RedirectResponse(file_address(name, path, ref), 303)
    around = about(found, nodes, ref) | at_risk(found, caller, nodes, ref)
    return page(request, "symbol.html", **values, **around)


def meant(found: At, id: str) -> list[int]:
    """The nodes of an id or a name. Raises UsageError where it means several."""
    with errors(found.service.engine):
        return found.opened.loaded.graph.meant(id, [])


def choose(request: Request, found: At, ids: Sequence[str], ref: str | None, said: str) -> HTMLResponse:
    """The symbols and files that something may mean."""
    graph, nodes = found.opened.loaded.graph, {id: node for node, id in _nodes(found, ids)}
    listed = [graph.node(nodes[id]) for id in ids if id in nodes]
    values = {"repository": found.repository.name, "ref": ref, "id": said, "nodes": listed, "address": address}
    return page(request, "symbols.html", **values)


def _nodes(found: At, ids: Sequence[str]) -> list[tuple[int, str]]:
    wanted = set(ids)
    return [(node, id) for node, id in enumerate(found.opened.loaded.ids) if id in wanted]


def address(repository: str, id: str, ref: str | None = None) -> str:
    """Where a symbol is shown."""
    return f"/r/{quote(repository)}/symbol?" + urlencode({"id": id} | ({"ref": ref} if ref else {}))


# --- what is shown of it -----------------------------------------------------------------------


def about(found: At, nodes: Sequence[int], ref: str | None) -> dict[str, object]:
    """What the graph knows around a symbol: what templates of pages and panels show."""
    name, loaded = found.repository.name, found.opened.loaded
    defined = graph.definitions(found, list(nodes))
    first = defined[0]
    uses = graph.list_references(found, first.id, USES)
    calling = graph.list_callers(found, first.id, LISTED)
    called = graph.list_callees(found, first.id, LISTED)
    sheet = sheets(found.service, found.opened, [loaded.file_numbers[first.path]])[loaded.file_numbers[first.path]]
    last = min(first.end_line, first.start_line + BODY - 1)
    return {
        "symbol": first, "others": defined[1:], "path_address": place(name, first.path, ref, first.start_line),
        "lines": list(enumerate(shown(sheet, first.start_line, last), first.start_line)),
        "rest": first.end_line - last,
        "files": _by_file(found, uses.references, ref), "uses": uses, "callers": calling, "callees": called,
        "possible": _by_file(found, uses.possible, ref),
        "overrides": _overrides(found, nodes), "symbol_address": address, "place": place,
        "parent": _parent(loaded.graph, nodes[0]),
        "wish": first.id if first.id.strip().splitlines() == [first.id] else first.qualified_name,  # on a form's line
    }  # fmt: skip


def _parent(known: Graph, node: int) -> Node | None:
    """The symbol in which another is written."""
    parent = int(known.occurrences.symbol_parent[node])
    return known.node(parent) if parent >= 0 else None


def at_risk(found: At, caller: Caller, nodes: Sequence[int], ref: str | None) -> dict[str, object]:
    """What a change of a symbol may break, and its tests."""
    asked = ImpactQuery(symbols=[found.opened.loaded.ids[nodes[0]]], diff=None, ref=ref, limit=LISTED, min_risk=FLOOR)
    return {"impact": graph.assess_impact(found.repository.name, asked, found.service, caller)}


def place(repository: str, path: str, ref: str | None, line: int) -> str:
    """Where a line of a file is shown."""
    where = file_address(repository, path, ref)
    return f"{where}{'&' if ref else '?'}lines={line}#L{line}"


def _by_file(found: At, edges: Sequence[Edge], ref: str | None) -> list[tuple[str, list[Use]]]:
    """Uses with their lines, by file."""
    numbers = {edge.path: found.opened.loaded.file_numbers[edge.path] for edge in edges}
    texts = sheets(found.service, found.opened, sorted(numbers.values()))
    grouped = []
    for path, run in groupby(sorted(edges, key=lambda edge: (edge.path, edge.line)), key=lambda edge: edge.path):
        sheet, made = texts[numbers[path]], []
        for edge in run:
            line = shown(sheet, edge.line, edge.line, plain=not sheet.painted)
            made.append(Use(edge, place(found.repository.name, path, ref, edge.line), line[0].strip() if line else ""))
        grouped.append((path, made))
    return grouped


def _overrides(found: At, nodes: Sequence[int]) -> list[Node]:
    """What a symbol overrides."""
    known = found.opened.loaded.graph
    edges = known.edges
    rows = (edges.kind == EDGE_KINDS.index("overrides")) & np.isin(edges.source, nodes) & (edges.target >= 0)
    return [known.node(int(target)) for target in np.unique(edges.target[rows])]
