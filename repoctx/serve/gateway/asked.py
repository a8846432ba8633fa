"""What does a caller of a gateway ask, with which model, and about which repository?"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from repoctx.serve.gateway import context, tiers
from repoctx.serve.gateway.context import Chosen, Context
from repoctx.serve.gateway.spoken import Failure
from repoctx.serve.rest.callers import Caller
from repoctx.serve.rest.state import Service

HEADER = "x-repoctx-repository"


class Question(NamedTuple):
    """A request of a chat, ready for the back end."""

    body: dict[str, Any]  # with the back end's model, and the context
    model: str  # as the caller calls it
    given: Context | None  # None: no repository is meant
    tier: str | None  # whose server answers; None: one server has all

    @property
    def headers(self) -> dict[str, str]:
        """What the answer's headers say of the context and the tier."""
        told = self.given.headers if self.given else {}
        return told if self.tier is None else {**told, context.TIER: self.tier}

    @property
    def account(self) -> dict[str, Any] | None:
        """What the answer itself says of them where it has a context; without a repository it stays as it is."""
        if self.given is None or self.tier is None:
            return self.given.told if self.given else None
        return {**self.given.told, "tier": self.tier}

    @property
    def hint(self) -> str:
        """What is said if all of it is too long."""
        if self.given is None or not self.given.text:
            return ""
        told = self.given.account
        return (
            f"(repoctx's context of {told['repository']} takes {told['tokens']} tokens of it: begin a new "
            "conversation, with a lower gateway.budget if need be)"
        )


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises Failure for what is none."""
    raw = await request.body()
    found = await run_in_threadpool(_parsed, raw)
    if not isinstance(found.get("model", ""), str):
        raise Failure(400, "`model` must be a text, such as `repoctx/NAME`")
    return found


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except RecursionError:
        raise Failure(400, "the request is nested too deeply: send less structure") from None
    except ValueError as error:
        raise Failure(400, f"the request is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise Failure(400, "the request must be a JSON object")
    return found


async def chosen(request: Request, service: Service, caller: Caller, model: str) -> Chosen | None:
    """The repository that a request is about. Raises NotFoundError for one that the caller may not see."""
    found = await run_in_threadpool(context.choose, service, caller, model, request.headers.get(HEADER))
    if found is not None:
        request.scope["repoctx.repository"] = found.repository.name
    return found


async def question(request: Request, service: Service, caller: Caller, body: dict[str, Any]) -> Question:
    """What a request asks, with its context. Raises Failure, NotFoundError, and as making a pack does."""
    model = body.get("model", "")
    about = await chosen(request, service, caller, model)
    place = await tiers.place(service, caller, about, body)
    given = None
    if about is not None:
        moves = place.tier is not None
        given = await run_in_threadpool(context.context, service, caller, about, body, place.window, moves)
        body = await run_in_threadpool(context.placed, body, given.text)
    return Question({**body, "model": place.model}, model, given, place.tier)
