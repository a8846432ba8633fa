"""Which files are there, and what do they say? Folders, files with outline and history, and why some are left out.

Every name in a file that the graph knows is a link to `?at=LINE:COLUMN`: the way to what it means.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from repoctx.errors import NotFoundError, UsageError
from repoctx.serve.rest import callers
from repoctx.serve.rest.callers import Name
from repoctx.serve.rest.paths import PATH
from repoctx.serve.rest.shapes import At, RefQuery, at, without_secrets
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.rest.wire import moment
from repoctx.serve.web import symbols
from repoctx.serve.web.code import Place, Sheet, sheets, shown
from repoctx.serve.web.entry import Reader
from repoctx.serve.web.find import file_address
from repoctx.serve.web.frame import page, wants_part
from repoctx.store import commits, snapshots
from repoctx.store.connect import errors
from repoctx.types import EDGE_KINDS, Skip, Symbol

# Lines of a file on a page, and in a block that a browser may leave undrawn while it is out of sight.
LINES, BLOCK = 1000, 50
# Paths that a filter lists, entries of a folder, symbols of an outline and how deep it nests them, commits of a file.
FOUND, ENTRIES, OUTLINE, DEEPEST, COMMITS = 200, 2000, 600, 6, 100

_TESTS = EDGE_KINDS.index("tests")

router = APIRouter(include_in_schema=False)

Where = Annotated[str, Path(max_length=8000)]


class Entry(NamedTuple):
    """A file or a folder in a list."""

    name: str
    path: str
    address: str
    language: str = ""  # "" of a folder
    files: int = 1
    lines: int = 0
    tokens: int = 0
    skip: Skip | None = None  # why it is left out


@router.get("/r/{name}/files")
def top(
    request: Request, service: ServiceState, caller: Reader, name: Name, ref: RefQuery = None,
    q: Annotated[str, Query(max_length=500)] = "",
) -> HTMLResponse:  # fmt: skip
    """The top folder of a repository, or the paths of all its files that have some words in them."""
    found = at(service, callers.repository(service, caller, name), ref)
    if wants_part(request) and q.strip():
        return page(request, "paths_part.html", q=q, **_matching(found, q, ref))
    return _folder(request, found, "", ref, q)


@router.get("/r/{name}/files/" + PATH)
def show(
    request: Request, service: ServiceState, caller: Reader, name: Name, path: Where, ref: RefQuery = None,
    lines: Annotated[str, Query(pattern=r"^(\d{1,9}(-\d{1,9})?)?$")] = "",
    at_: Annotated[str, Query(alias="at", pattern=r"^(\d{1,9}:\d{1,9})?$")] = "",
    show: Annotated[str, Query(pattern="^(history)?$")] = "",
) -> Response:  # fmt: skip
    """A file, a folder, or why a file is left out; `at` leads to what a name in it means."""
    found = at(service, callers.repository(service, caller, name), ref)
    number = found.opened.loaded.file_numbers.get(path)
    if number is None:
        return _other(request, found, path, ref)
    if at_:
        line, _, column = at_.partition(":")
        return _meaning(request, found, number, int(line), int(column), ref)
    values = {"repository": name, "ref": ref, "path": path, "crumbs_": _crumbs(name, path, ref)}
    if show:
        return page(request, "history.html", commits=_history(found, number), **values)
    first, _, last = lines.partition("-")
    return page(request, "file.html", **values, **_file(found, number, int(first or 1), int(last or first or 0), ref))


# --- folders -----------------------------------------------------------------------------------


def _other(request: Request, found: At, path: str, ref: str | None) -> Response:
    """What is at a path where no file is: a folder, or what is left out. Raises NotFoundError."""
    folder, name = path.rstrip("/"), found.repository.name
    if not folder or _entries(found, folder, ref):
        return _folder(request, found, folder, ref)
    if (skip := next((one for one in _skips(found) if one.path.rstrip("/") == folder), None)) is not None:
        return page(request, "skipped.html", repository=name, ref=ref, skip=skip, crumbs_=_crumbs(name, folder, ref))
    raise NotFoundError(f"no file of {name} is {path!r} at {found.opened.ref.name}")


def _folder(request: Request, found: At, folder: str, ref: str | None, q: str = "") -> HTMLResponse:
    name = found.repository.name
    entries = _entries(found, folder, ref)
    values = {"entries": entries[:ENTRIES], "left": max(0, len(entries) - ENTRIES), "q": q, "folder": folder}
    matching = _matching(found, q, ref) if q.strip() else {}
    crumbs = _crumbs(name, folder, ref)
    return page(request, "files.html", repository=name, ref=ref, crumbs_=crumbs, **values, **matching)


def _entries(found: At, folder: str, ref: str | None) -> list[Entry]:
    """What is in a folder: folders first, by name."""
    view, name = found.opened.index.view, found.repository.name
    lines, tokens = view.lines.tolist(), view.tokens.tolist()
    start = f"{folder}/" if folder else ""
    folders: dict[str, Entry] = {}
    files = []
    for number, member in enumerate(view.members):
        if not member.path.startswith(start):
            continue
        inside, deeper, _ = member.path[len(start) :].partition("/")
        size = (lines[number], tokens[number])
        if not deeper:
            address = file_address(name, member.path, ref)
            files.append(Entry(inside, member.path, address, view.languages[number], 1, *size))
        else:
            path = start + inside
            one = folders.get(inside) or Entry(inside, path, file_address(name, path, ref), "", 0)
            folders[inside] = one._replace(files=one.files + 1, lines=one.lines + size[0], tokens=one.tokens + size[1])
    for skip in _skips(found):  # of a folder that is left out as a whole the path ends with a slash
        inside, _, deeper = skip.path[len(start) :].partition("/")
        if skip.path.startswith(start) and inside and inside not in folders:
            one = Entry(inside, start + inside, file_address(name, start + inside, ref), "", 0)
            if deeper:
                folders[inside] = one
            else:
                files.append(one._replace(skip=skip))
    return [*(folders[one] for one in sorted(folders)), *sorted(files, key=lambda one: one.name)]


def _skips(found: At) -> list[Skip]:
    with errors(found.service.engine), found.service.engine.connect() as connection:
        return snapshots.skips(connection, found.opened.ref)


def _crumbs(name: str, path: str, ref: str | None) -> list[tuple[str, str]]:
    """The folders above a path and itself, with their addresses."""
    parts = path.split("/") if path else []
    return [(part, file_address(name, "/".join(parts[: at + 1]), ref)) for at, part in enumerate(parts)]


def _matching(found: At, q: str, ref: str | None) -> dict[str, object]:
    """The files whose paths have all of some words, those first that have them in their names."""
    view, words = found.opened.index.view, q.lower().split()
    numbers = []
    for number, member in enumerate(view.members):
        low = member.path.lower()
        if all(word in low for word in words):
            inside = low.rpartition("/")[2]
            numbers.append((not all(word in inside for word in words), len(low), member.path, number))
    best = [number for *_, number in sorted(numbers)[:FOUND]]
    entries = [
        Entry(
            view.members[number].path, view.members[number].path,
            file_address(found.repository.name, view.members[number].path, ref), view.languages[number], 1,
            int(view.lines[number]), int(view.tokens[number]),
        )
        for number in best
    ]  # fmt: skip
    return {"matching": entries, "total": len(numbers)}


# --- files -------------------------------------------------------------------------------------


def _file(found: At, number: int, first: int, last: int, ref: str | None) -> dict[str, object]:
    """What the page of a file shows: one page of its lines, its outline, what was cut out."""
    view = found.opened.index.view
    sheet = sheets(found.service, found.opened, [number])[number]
    count = sheet.lines
    if count and not 1 <= first <= count:
        raise UsageError(f"{view.members[number].path} has lines 1 to {count}, not {first}")
    begin = (first - 1) // LINES * LINES + 1
    end = min(begin + LINES - 1, count)
    made = shown(sheet, begin, end, places=_places(found, number, begin, end))
    numbered = list(enumerate(made, begin))
    address = file_address(found.repository.name, view.members[number].path, ref)
    return {
        "blocks": [numbered[at : at + BLOCK] for at in range(0, len(numbered), BLOCK)],
        "lit": range(first, max(first, last) + 1) if last else (), "begin": begin, "end": end, "count": count,
        "step": LINES,
        "base": f"{address}{'&' if ref else '?'}", "address": address,
        "outline": _outline(found, number, sheet, begin, end), "symbols": len(sheet.symbols),
        "language": view.languages[number], "tokens": int(view.tokens[number]),
        "blob": view.members[number].key.blob, "cuts": sheet.cuts, "faults": int(view.errors[number]),
        "symbol_address": symbols.address,
    }  # fmt: skip


def _outline(found: At, number: int, sheet: Sheet, begin: int, end: int) -> list[tuple[int, str, Symbol]]:
    """The symbols of a file in order, of many those on the page: how deep they are nested, their ids, themselves."""
    row = int(found.opened.index.view.occurrences.symbol_file.searchsorted(number))
    many = len(sheet.symbols) > OUTLINE
    depths: list[int] = []
    made = []
    for place, symbol in enumerate(sheet.symbols):
        depths.append(depths[symbol.parent] + 1 if 0 <= symbol.parent < place else 0)
        if not many or begin <= symbol.name_line <= end:
            made.append((min(depths[-1], DEEPEST), found.opened.loaded.ids[row + place], symbol))
    return made[:OUTLINE]


def _rows(found: At, number: int, first: int, last: int) -> range:
    """The edges that stand on some lines of a file."""
    edges = found.opened.index.edges
    start, end = np.searchsorted(edges.file, [number, number + 1]).tolist()
    low, high = np.searchsorted(edges.line[start:end], [first, last + 1]).tolist()
    return range(start + low, start + high)


def _places(found: At, number: int, first: int, last: int) -> list[Place]:
    """Where names stand that the graph knows: definitions, what is resolved, and what may mean something."""
    edges = found.opened.index.edges
    rows = _rows(found, number, first, last)
    span = slice(rows.start, rows.stop)
    known = (edges.target[span] >= 0) | (np.diff(edges.candidate_start[rows.start : rows.stop + 1]) > 0)
    known &= edges.kind[span] != _TESTS
    lines, columns = edges.line[span][known].tolist(), edges.column[span][known].tolist()
    return list(map(Place, lines, columns))


def _meaning(request: Request, found: At, number: int, line: int, column: int, ref: str | None) -> Response:
    """What a name in a file means: the panel beside the file, or the way to the page of the symbol."""
    loaded, name = found.opened.loaded, found.repository.name
    nodes, certain = _meant(found, number, line, column)
    if not nodes:
        path = found.opened.index.view.members[number].path
        raise NotFoundError(f"the graph knows no name at {line}:{column} of {path}")
    symbol = certain and nodes[0] < len(found.opened.index.view.occurrences.symbol_file)
    if wants_part(request):
        values = {"repository": name, "ref": ref, "certain": certain}
        nothing: dict[str, object] = {"symbol": None, "symbol_address": symbols.address}
        around = symbols.about(found, nodes[:1], ref) if symbol else nothing
        others = [loaded.graph.node(node) for node in (nodes[1:] if symbol else nodes)]
        return page(request, "panel.html", also=others, **values, **around)
    if certain:
        return RedirectResponse(symbols.address(name, loaded.ids[nodes[0]], ref), 303)
    return symbols.choose(request, found, [loaded.ids[node] for node in nodes], ref, f"{line}:{column}")


def _meant(found: At, number: int, line: int, column: int) -> tuple[list[int], bool]:
    """The nodes that a name at a place means, the surest first and symbols before files; whether that is certain."""
    edges, count = found.opened.index.edges, len(found.opened.index.view.occurrences.symbol_file)
    here = _rows(found, number, line, line)
    rows = [row for row in here if edges.column[row] == column and edges.kind[row] != _TESTS]
    sure = sorted(
        (int(edges.target[row]) >= count, -float(edges.confidence[row]), int(edges.kind[row]), int(edges.target[row]))
        for row in rows if edges.target[row] >= 0
    )  # fmt: skip
    if sure:
        return list(dict.fromkeys(node for *_, node in sure)), True
    spans = [edges.candidates[edges.candidate_start[row] : edges.candidate_start[row + 1]] for row in rows]
    return list(dict.fromkeys(int(node) for span in spans for node in span)), False


# --- history -----------------------------------------------------------------------------------


class ShownCommit(NamedTuple):
    """A commit that touched a file."""

    id: str
    title: str
    author: str
    at: str


def _history(found: At, number: int) -> list[ShownCommit]:
    """The commits that the index has read and that changed a file, the newest first; bulk ones are not known."""
    past = found.opened.index.past
    if past is None:
        return []
    rows, offsets = past.columns["file.row"], past.columns["file.offset"]
    touching = np.unique(np.searchsorted(offsets, np.flatnonzero(rows == number), "right") - 1)[:COMMITS]
    short = [bytes(past.columns["commit.id"][commit]).decode() for commit in touching.tolist()]
    with errors(found.service.engine), found.service.engine.connect() as connection:
        whole = {id[:12]: id for id in commits.history(connection, found.opened.ref)}
        read = commits.read(connection, [whole[id] for id in short if id in whole])
    hide = found.service.workspace.settings.pack_redact
    told = without_secrets if hide else str
    return [
        ShownCommit(one.id[:12], told(one.message.strip().partition("\n")[0])[:200], told(one.author),
                    moment(one.time) if one.time else "")
        for one in read.values()
    ]  # fmt: skip
