"""How does a client of Anthropic's protocol chat about a repository?"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from repoctx.serve.gateway import answers, asked, context, translate, upstream
from repoctx.serve.gateway.asked import Question
from repoctx.serve.gateway.counted import tokens
from repoctx.serve.gateway.openai import STREAMED, free
from repoctx.serve.gateway.relay import EVENTS, JSON, Head, Part, Relayed, passed
from repoctx.serve.gateway.spoken import ANTHROPIC, RESPONSES, Failure, Route
from repoctx.serve.gateway.upstream import MISSING, Sent
from repoctx.serve.rest.callers import Reader
from repoctx.serve.rest.state import Service, ServiceState

router = APIRouter(prefix="/v1", tags=["gateways"], route_class=Route, responses=RESPONSES)

EXAMPLE = {
    "model": "repoctx/shop",
    "max_tokens": 4096,
    "messages": [{"role": "user", "content": "Why is a cart paid twice?"}],
}
# Headers that go on to a back end that speaks the protocol.
_HEADERS = ("anthropic-version", "anthropic-beta")


@router.post(
    "/messages", operation_id="send_messages", summary="Chat about a repository (Anthropic's protocol)",
    response_model=dict[str, Any], responses=STREAMED, openapi_extra=free(EXAMPLE),
)  # fmt: skip
async def messages(request: Request, service: ServiceState, caller: Reader) -> Response:
    """As POST /v1/chat/completions. A back end that has no such route is asked in OpenAI's protocol instead.

    A chat costs the model's time or money, and a token with the scope read may ask for it.
    """
    body = context.without_billing(await asked.body_of(request))
    found = await asked.question(request, service, caller, body)
    headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
    beta = "?beta=true" if request.query_params.get("beta") == "true" else ""
    parts = _parts(service, Sent(f"/messages{beta}", found.body, headers, found.tier), found)
    return Relayed(parts, ANTHROPIC, found.headers, body.get("stream") is True, found.hint)


@router.post(
    "/messages/count_tokens", operation_id="count_message_tokens", summary="Count the tokens of a chat",
    response_model=dict[str, Any], openapi_extra=free(EXAMPLE),
)  # fmt: skip
async def count_tokens(request: Request, service: ServiceState, caller: Reader) -> Response:
    """The tokens of a prompt with its context, about as the back end counts them; beyond 4 MB they are estimated.

    The context of a conversation that has not begun is counted as gateway.budget, the most that it may take. The model
    is not asked.
    """
    body = context.without_billing(await asked.body_of(request))
    about = await asked.chosen(request, service, caller, body.get("model", ""))

    def count() -> int:
        total = tokens(body, service.workspace.window().counter, service.turns)
        if about is None:
            return total
        added = context.known(service, caller, about, body)
        return total + (service.workspace.settings.gateway_budget if added is None else added)

    counted = await run_in_threadpool(count)
    return Response(json.dumps({"input_tokens": counted}), media_type=JSON)


async def _parts(service: Service, sent: Sent, found: Question) -> AsyncGenerator[Part]:
    """The answer in the back end's own words, or translated for one that does not speak the protocol."""
    shared, backend, _ = upstream.backend(service, sent.tier)
    known = f"messages at {backend.base_url}"
    if shared.known(known) is not False:
        try:
            async with aclosing(passed(service, sent, ANTHROPIC, found.account)) as parts:
                async for part in parts:
                    yield part
            return
        except Failure as failure:
            if failure.origin not in MISSING:
                raise
            shared.learnt(known, False)
    async with aclosing(_translated(service, found)) as parts:
        async for part in parts:
            yield part


async def _translated(service: Service, found: Question) -> AsyncGenerator[Part]:
    """The answer of a back end that speaks OpenAI's protocol."""
    _, backend, key = upstream.backend(service, found.tier)
    sent = Sent("/chat/completions", translate.chat(found.body), tier=found.tier)
    async with upstream.asked(service, sent, ANTHROPIC) as response:
        headers = upstream.passed_headers(response, key)
        if not upstream.is_stream(response):
            _, said = await upstream.whole(response, backend, key)
            message = answers.message(said, found.model)
            yield Head(JSON, headers)
            yield json.dumps({**message, **({"repoctx": found.account} if found.account else {})}).encode()
            return
        yield Head(EVENTS, headers)
        async for event in answers.stream(upstream.events(response, backend, key), found.model):
            yield event
