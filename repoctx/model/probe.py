"""What does one request to a back end show? Its models, the window that it tells, an answer and its usage."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

import httpx

from repoctx.counters import Counter
from repoctx.errors import BackendError
from repoctx.http import CONNECT_SECONDS, authorization, key_from, without_key
from repoctx.model.client import Backend, Message, Usage, stream
from repoctx.model.windows import Model

MOST_BYTES = 4 << 20  # of a list of models: OpenRouter's has some 500 kB
MOST_CHARACTERS = 20_000  # of an answer that are looked at
MOST_WINDOW = 10**12  # tokens; larger figures are mistakes
TRAINED = "meta.n_ctx_train"  # what llama.cpp's model was made for, which is not what is served


class Check(NamedTuple):
    """What was found of one thing."""

    name: str
    ok: bool | None  # None: nothing is wrong, and nothing is proved
    detail: str  # one sentence; where something is wrong, what to do
    figures: Mapping[str, Any] = {}  # tokens, where their names say nothing else


class Target(NamedTuple):
    """A back end, and what it is expected to be."""

    backend: Backend  # without a model's name: the first that it lists
    model: Model
    counter: Counter
    rooms: Mapping[str, int]  # tokens of the largest prompt of each tier, chat template included
    tier: str | None = None  # the one that it should serve; None: the largest that its window holds
    long: bool = False  # whether prompts as large as the window may be sent


class Listing(NamedTuple):
    """The models that a server lists, by name, and what is wrong with the list."""

    rows: Mapping[str, Mapping[str, Any]]
    problem: str = ""


class Told(NamedTuple):
    """A window as the server tells it."""

    window: int  # tokens
    source: str  # the field that says so


class Reply(NamedTuple):
    """The answer to one request."""

    text: str
    usage: Usage | None
    seconds: float


def listing(backend: Backend) -> Listing:
    """What `/models` says. Raises BackendError only if nothing answers there."""
    status, body = _get(backend, backend.base_url + "/models")
    key = key_from(backend.key_env, backend.base_url)
    found = body.get("data") if isinstance(body, dict) else None
    if isinstance(found, list):
        rows = {without_key(str(row["id"]), key): row for row in found if isinstance(row, dict) and "id" in row}
        return Listing(rows, "" if rows else "it lists no model")
    if body is None and status not in (401, 403):
        return Listing({}, f"{backend.base_url}/models answers {status} without JSON: the base URL must lead to an "
                       "OpenAI-compatible API, and mostly ends with /v1")  # fmt: skip
    return Listing({}, f"/models answers {status} and lists no models")


def told_window(backend: Backend, listed: Listing) -> Told | None:
    """The window of the model, where the server tells it: vLLM and SGLang in the list, llama.cpp there or in /props."""
    row = listed.rows.get(backend.model) or (next(iter(listed.rows.values())) if len(listed.rows) == 1 else {})
    meta = row.get("meta") if isinstance(row.get("meta"), dict) else {}
    told = {"max_model_len": row.get("max_model_len"), "meta.n_ctx": (meta or {}).get("n_ctx")}
    if meta and not _windows(told):
        try:
            _, props = _get(backend, backend.base_url.removesuffix("/v1") + "/props")
        except BackendError:
            props = None
        settings = props.get("default_generation_settings") if isinstance(props, dict) else None
        told["/props"] = settings.get("n_ctx") if isinstance(settings, dict) else None
        told[TRAINED] = meta.get("n_ctx_train")
    return next(iter(_windows(told)), None)


def ask(backend: Backend, text: str, system: str = "", most: int = 1) -> Reply:
    """The answer to a message, of at most `most` tokens. Raises BackendError, also when it takes too long."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": text})
    said, usage, begun = "", None, time.monotonic()
    with closing(stream(backend, messages, options={"max_tokens": most, "temperature": 0})) as deltas:  # type: ignore[type-var]
        for delta in deltas:
            said = (said + delta.text)[:MOST_CHARACTERS]
            usage = delta.usage or usage
            if time.monotonic() - begun > backend.timeout:
                raise BackendError(
                    f"{backend.base_url} still answers after {backend.timeout:g} seconds, asked for {most:,} tokens: "
                    "raise backend.timeout if it is slow, and see whether it stops at max_tokens"
                )
    said = without_key(said, key_from(backend.key_env, backend.base_url))
    return Reply(said, usage if usage and usage.prompt_tokens > 0 else None, time.monotonic() - begun)


def _windows(told: Mapping[str, Any]) -> list[Told]:
    return [Told(n, source) for source, n in told.items() if type(n) is int and 0 < n <= MOST_WINDOW]


def _get(backend: Backend, url: str) -> tuple[int, Any]:
    """A status, and the JSON of the body or None. Raises BackendError if nothing answers."""
    secret, raw = key_from(backend.key_env, backend.base_url), b""
    limit = min(backend.timeout, CONNECT_SECONDS)
    end = time.monotonic() + limit
    try:
        with httpx.stream("GET", url, headers=authorization(secret), timeout=limit) as response:
            for part in response.iter_bytes():
                raw += part
                if len(raw) > MOST_BYTES or time.monotonic() > end:
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = without_key(str(error), secret) or type(error).__name__
        raise BackendError(f"{backend.base_url} cannot be reached: {said}. Is it running?") from None
    try:
        return response.status_code, json.loads(raw)
    except (ValueError, RecursionError):
        return response.status_code, None
