"""Which models does the back end have, and how large are their windows?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from repoctx.http import CONNECT_SECONDS
from repoctx.model.client import Backend
from repoctx.serve.gateway.context import PREFIX
from repoctx.serve.gateway.spoken import Failure
from repoctx.serve.gateway.upstream import Upstream, backend, broken, cleaned, keys
from repoctx.serve.rest.state import Service

MOST_BYTES = 16 << 20  # of a list of models: OpenRouter's has some 500 kB
MOST_WINDOW = 10**12  # tokens; larger figures are mistakes


class Row(NamedTuple):
    """A model that the back end has."""

    id: str
    window: int | None  # tokens, where it says so
    told: Mapping[str, Any]  # all that it says


async def models(service: Service, tier: str | None = None) -> list[Row]:
    """The models that callers may ask for: the one that is set, else those that the server lists. Raises Failure."""
    upstream, found, key = backend(service, tier)
    known = f"models at {found.base_url}"
    if (rows := upstream.known(known)) is None:
        try:
            rows = await _listed(upstream, found, key)
            upstream.learnt(known, rows)
        except Failure:
            if not found.model:
                raise
            rows = []
    if found.model:
        return [next((row for row in rows if row.id == found.model), Row(found.model, None, {}))]
    return list(rows)


async def _listed(upstream: Upstream, found: Backend, key: str) -> list[Row]:
    raw = b""
    try:
        client = upstream.connection()
        url, limit = found.base_url + "/models", httpx.Timeout(CONNECT_SECONDS)
        async with client.stream("GET", url, headers=keys(key, ""), timeout=limit) as response:
            async for part in response.aiter_bytes():
                raw += part
                if len(raw) > MOST_BYTES:
                    break
        rows = json.loads(cleaned(raw, key))["data"] if response.status_code == 200 else []
        named = [row for row in rows if isinstance(row["id"], str)]
    except httpx.TimeoutException:
        said = f"the model back end did not list its models within {CONNECT_SECONDS:g} seconds: is it busy? Try again, "
        raise Failure(504, f"{said}or set backend.model") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise broken(error, found, key) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        named = []
    if not named:
        raise Failure(502, "the model back end lists no model: set backend.model, or `repoctx backend check` looks")
    return [Row(row["id"], _window(row), row) for row in named]


def _window(row: Mapping[str, Any]) -> int | None:
    """Tokens of a model's window, as vLLM, SGLang, OpenRouter or llama.cpp tell it."""
    meta = row.get("meta")
    told = (row.get("max_model_len"), row.get("context_length"), meta.get("n_ctx") if isinstance(meta, dict) else None)
    return next((n for n in told if type(n) is int and 0 < n <= MOST_WINDOW), None)


def meant(rows: list[Row], model: str) -> Row:
    """The model that answers: the one of that name, else the first."""
    wanted = "" if model.startswith(PREFIX) else model
    return next((row for row in rows if row.id == wanted), rows[0])
