"""Which server holds a chat? The smallest one.

A rope factor costs quality on every request, and a prefix cache is one server's: so a chat moves only when it must.
What it needs follows from the request alone, and the next turn has all of this one and more, so it never goes back. A
context that is yet to be made counts nothing: it takes what is left where the client's own words fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool

from repoctx.serve.gateway import context, upstream
from repoctx.serve.gateway.context import OUTPUT_SHARE, SPARE, Chosen
from repoctx.serve.gateway.counted import tokens
from repoctx.serve.gateway.served import Row, meant, models
from repoctx.serve.gateway.spoken import Failure
from repoctx.serve.rest.callers import Caller
from repoctx.serve.rest.state import Service
from repoctx.types import Tier


class Place(NamedTuple):
    """Where a chat is answered."""

    model: str  # as the server calls it
    window: int | None  # tokens, where it is known
    tier: str | None = None  # None: one server has all


class Need(NamedTuple):
    """What of a window a chat takes, in tokens."""

    used: int  # by the client's words, and by a context that was added before
    output: int | None  # by the answer, where the request says so
    usual: int  # by an answer of which nothing is said, if that is no more than its share


async def place(service: Service, caller: Caller, about: Chosen | None, body: Mapping[str, Any]) -> Place:
    """The server that answers a chat, and its window. Raises Failure."""
    wanted = str(body.get("model", ""))
    ladder = upstream.tiers(service)
    if not ladder:
        row = meant(await models(service), wanted)
        return Place(row.id, row.window)
    need = await run_in_threadpool(_need, service, caller, about, body)
    for tier in ladder:
        try:
            row = meant(await models(service, tier.name), wanted)
        except Failure:
            if tier is ladder[-1] or holds(tier.window, need):
                raise
            continue  # it is down, and would not hold it anyway
        window = row.window or tier.window
        if tier is ladder[-1] or holds(window, need):
            break
    return Place(row.id, window, tier.name)


def holds(window: int, need: Need) -> bool:
    """Whether a window has room for a chat, its answer and a little more."""
    output = need.output if need.output is not None else min(need.usual, window // OUTPUT_SHARE)
    return need.used + output + SPARE <= window


def _need(service: Service, caller: Caller, about: Chosen | None, body: Mapping[str, Any]) -> Need:
    counter = service.workspace.window().counter
    added = context.known(service, caller, about, body) if about is not None else None
    used = counter.most(tokens(body, counter, service.turns) + (added or 0))
    return Need(used, context.output(body), service.workspace.settings.backend_max_output)


async def listed(service: Service) -> list[Row]:
    """The models that callers may ask for, each with the largest window that it has anywhere. Raises Failure."""
    ladder = upstream.tiers(service)
    if not ladder:
        return await models(service)
    found: list[tuple[Tier, list[Row]]] = []
    for tier in ladder:
        try:
            found.append((tier, await models(service, tier.name)))
        except Failure as failure:
            if failure.status == 503 or (tier is ladder[-1] and not found):
                raise
    return [_largest(row, found) for row in found[0][1]]


def _largest(row: Row, found: Sequence[tuple[Tier, list[Row]]]) -> Row:
    window = max(meant(rows, row.id).window or tier.window for tier, rows in found)
    return Row(row.id, window, {**row.told, "max_model_len": window, "context_length": window})
