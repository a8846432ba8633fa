"""How does a client of OpenAI's protocol chat about a repository?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from repoctx.errors import NotFoundError
from repoctx.serve.gateway import asked, tiers
from repoctx.serve.gateway.context import PREFIX
from repoctx.serve.gateway.relay import Relayed, passed
from repoctx.serve.gateway.served import Row
from repoctx.serve.gateway.spoken import OPENAI, RESPONSES, Failure, Route
from repoctx.serve.gateway.upstream import Sent
from repoctx.serve.rest import callers
from repoctx.serve.rest.callers import Caller, Reader
from repoctx.serve.rest.state import Service, ServiceState

router = APIRouter(prefix="/v1", tags=["gateways"], route_class=Route, responses=RESPONSES)

# What the document says of a body that is passed on as it is.
EXAMPLE = {
    "model": "repoctx/shop",
    "messages": [{"role": "user", "content": "Why is a cart paid twice?"}],
    "stream": True,
}
# A streamed answer is events, any other JSON.
STREAMED: dict[int | str, dict[str, Any]] = {200: {"description": "OK", "content": {"text/event-stream": {}}}}


def free(example: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of a body in which every field is allowed."""
    schema = {"type": "object", "additionalProperties": True}
    return {"requestBody": {"content": {"application/json": {"schema": schema, "example": example}}, "required": True}}


@router.post(
    "/chat/completions", operation_id="chat", summary="Chat about a repository (OpenAI's protocol)",
    response_model=dict[str, Any], responses=STREAMED, openapi_extra=free(EXAMPLE),
)  # fmt: skip
async def chat(request: Request, service: ServiceState, caller: Reader) -> Response:
    """Passed on to the model back end with the repository's context before the first question.

    The model `repoctx/NAME` or `repoctx/NAME@REF`, the header X-Repoctx-Repository or the setting gateway.repository
    say which repository is meant; without one nothing is added. What it costs is in the headers
    X-Repoctx-Context-Tokens, -Context, -Repository and -Commit. Of several servers the smallest whose window holds the
    chat answers: X-Repoctx-Tier names it. All other fields go on as they are. A chat costs the model's time or money,
    and a token with the scope read may ask for it.
    """
    body = await asked.body_of(request)
    found = await asked.question(request, service, caller, body)
    parts = passed(service, Sent("/chat/completions", found.body, tier=found.tier), OPENAI, found.account)
    return Relayed(parts, OPENAI, found.headers, body.get("stream") is True, found.hint)


@router.get(
    "/models", operation_id="list_chat_models", summary="List what a chat may ask for", response_model=dict[str, Any]
)
async def models(service: ServiceState, caller: Reader) -> dict[str, Any]:
    """The repositories that the caller may see as `repoctx/NAME`, and the models of the back end."""
    rows = await _rows(service, caller)
    ids = [str(row["id"]) for row in rows]
    ends = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None, "has_more": False}
    return {"object": "list", "data": rows, **ends}


@router.get(
    "/models/{model:path}", operation_id="show_chat_model", summary="Show what a chat may ask for",
    response_model=dict[str, Any],
)  # fmt: skip
async def model(
    service: ServiceState, caller: Reader, model: Annotated[str, Path(max_length=500, examples=["repoctx/shop"])]
) -> dict[str, Any]:
    """One row of the list."""
    for row in await _rows(service, caller):
        if row["id"] == model:
            return row
    raise NotFoundError(f"there is no model {model!r}: GET /v1/models lists those that there are")


async def _rows(service: Service, caller: Caller) -> list[dict[str, Any]]:
    """All models, each as either protocol has it."""
    try:
        own = await tiers.listed(service)
    except Failure as failure:
        if failure.status == 503:
            raise  # none is set
        own = []  # it is down: what there is to ask about is known all the same
    named = await run_in_threadpool(_repositories, service, caller)
    window = own[0].window if own else None
    size = {"max_model_len": window, "context_length": window} if window else {}
    about = [
        {
            "id": f"{PREFIX}{name}", "object": "model", "created": int(at.timestamp()), "owned_by": "repoctx",
            "type": "model", "display_name": f"{name} with {own[0].id if own else 'the model'}",
            "created_at": at.isoformat(), **size,
        }
        for name, at in named
    ]  # fmt: skip
    return [*about, *map(_own, own)]


def _own(row: Row) -> dict[str, Any]:
    began = datetime.fromtimestamp(0, UTC)
    told = {"object": "model", "created": 0, "owned_by": "the back end", **row.told}
    return {**told, "id": row.id, "type": "model", "display_name": row.id, "created_at": began.isoformat()}


def _repositories(service: Service, caller: Caller) -> list[tuple[str, datetime]]:
    """The names of the repositories that are indexed and that a caller may see, and when they were."""
    return [(one.name, datetime.fromisoformat(at)) for one, at in callers.indexed(service, caller)]
