"""Which tools does MCP offer, and what does a call of one give?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from repoctx.errors import RepoctxError, UsageError
from repoctx.serve.freshness import freshness
from repoctx.serve.mcp import reach, tasks
from repoctx.serve.mcp.offer import FRESH, WHERE, Offer, asked
from repoctx.serve.mcp.reach import Asker
from repoctx.store import snapshots
from repoctx.store.connect import errors
from repoctx.tasks.tools import TOOLS, Result, arguments, refused
from repoctx.tasks.tools.shape import INTEGER, MORE, NEXT, OFFSET, going_on, many, number, obj

log = structlog.get_logger()

REPOSITORIES = Offer(
    "repositories",
    "List repositories",
    "List the repositories whose code can be searched and read here, with branch, commit and how fresh each index is.",
    obj([], limit=number("how many to list", 1, 200, 50), offset=OFFSET),
    obj(["repositories", "total", "more"], repositories=many(FRESH), total=INTEGER, more=MORE, next_offset=NEXT),
)


def offers(asker: Asker | None) -> list[Offer]:
    """Every tool that there is for who asks; None: for whom nothing can be opened."""
    made = [REPOSITORIES]
    for tool in TOOLS.values():
        takes = {**tool.arguments, "properties": {**tool.arguments["properties"], **WHERE}}
        gives = {
            **tool.answer,
            "properties": {**tool.answer["properties"], "freshness": FRESH},
            "required": [*tool.answer["required"], "freshness"],
        }
        made.append(Offer(tool.name, tool.title, tool.description, takes, gives))
    return [*made, *tasks.OFFERS] if asker is not None and tasks.possible(asker) else made


def call(asker: Asker, name: str, given: Mapping[str, Any]) -> Result:
    """What a tool answers, and how fresh that is. Raises what tells why it cannot be answered."""
    if name == REPOSITORIES.name:
        return _repositories(asker, arguments.read(name, REPOSITORIES.arguments, given))
    if name not in TOOLS:
        raise UsageError(f"there is no tool {name[:100]!r}: there is {', '.join(one.name for one in offers(asker))}")
    meant = asked(given)
    state = reach.state(asker, meant.repository, meant.ref)
    with asker.around(name):
        result = state.tools.call(name, meant.rest)
    structured = None if result.structured is None else {**result.structured, "freshness": dict(state.fresh)}
    return Result(f"{result.text.rstrip()}\n{reach.fresh_line(state.fresh)}", structured, result.error)


def failed(name: str, error: Exception) -> Result:
    """What a call is told that has failed; a bug of ours crashes this call only."""
    if isinstance(error, RepoctxError):
        return refused(error)
    log.error("a tool failed", tool=name, exc_info=error)
    return Result("an internal error: the log of the service has it", None, True)


def _repositories(asker: Asker, given: Mapping[str, Any]) -> Result:
    every = reach.repositories(asker)
    offset, engine = given["offset"], asker.workspace.engine
    page = every[offset : offset + given["limit"]]
    with errors(engine), engine.connect() as connection:
        refs = {one.id: snapshots.ref(connection, one, asker.ref) for one in page}
    shown = [freshness(engine, one, ref).model_dump(exclude_none=True) for one in page if (ref := refs[one.id])]
    end = offset + len(page)
    following = end if page and end < len(every) else None
    lines = [f"{len(every)} repositories", *map(reach.fresh_line, shown), *going_on(following)]
    made: dict[str, Any] = {"repositories": shown, "total": len(every), "more": following is not None}
    return Result("\n".join(lines), made if following is None else {**made, "next_offset": following})
