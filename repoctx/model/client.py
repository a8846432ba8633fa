"""How is a question put to a back end, and how does its answer come back?

One OpenAI-compatible `POST {base_url}/chat/completions`, always streamed, so that the one long silence is
the prefill. A request is repeated only while nothing of its answer has been seen.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from repoctx.errors import BackendError, UsageError
from repoctx.http import (
    ATTEMPTS,
    CONNECT_SECONDS,
    WRITE_SECONDS,
    Busy,
    Jitter,
    Sleep,
    authorization,
    error_body,
    key_from,
    pause,
    retry_after,
    without_key,
)
from repoctx.model.wire import CallPart, Delta, Usage, WindowOverflow, deltas, reported

__all__ = ["Answer", "Backend", "CallPart", "Delta", "Usage", "WindowOverflow", "complete", "served_models", "stream"]

BUSY = frozenset({429, 502, 503, 504})

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a model is served."""

    base_url: str  # up to and with the version: "http://127.0.0.1:8000/v1"
    model: str  # the name that the server knows it by
    key_env: str = ""  # the environment variable that holds the key; "" for none
    timeout: float = 1800.0  # seconds of silence: a prefill of a million tokens takes minutes
    max_output: int = 65_536  # tokens of the answer


class Answer(NamedTuple):
    """A whole answer."""

    text: str
    calls: tuple[CallPart, ...]  # one per call, arguments complete
    finish: str
    usage: Usage | None


def complete(
    backend: Backend,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    sleep: Sleep = time.sleep,
    jitter: Jitter = random.random,
) -> Answer:
    """The whole answer; arguments and errors as `stream`."""
    text: list[str] = []
    calls: dict[int, CallPart] = {}
    finish, usage = "", None
    for delta in stream(backend, messages, tools=tools, options=options, sleep=sleep, jitter=jitter):
        text.append(delta.text)
        for part in delta.calls:
            old = calls.get(part.number, CallPart(part.number, "", "", ""))
            calls[part.number] = CallPart(
                part.number, old.id + part.id, old.name + part.name, old.arguments + part.arguments
            )
        finish, usage = delta.finish or finish, delta.usage or usage
    return Answer("".join(text), tuple(calls[number] for number in sorted(calls)), finish, usage)


def stream(
    backend: Backend,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    sleep: Sleep = time.sleep,
    jitter: Jitter = random.random,
) -> Iterator[Delta]:
    """The answer as it comes; closing the iterator closes the connection, which stops the server.

    `options` are further fields of the request, such as temperature. Raises UsageError for a back end that
    cannot be called as configured, WindowOverflow if the prompt is too long, BackendError for the rest.
    """
    key = _key(backend)
    request = {
        "model": backend.model,
        "messages": list(messages),
        "max_tokens": backend.max_output,
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"tools": list(tools)} if tools else {}),
        **(options or {}),
    }
    timeout = httpx.Timeout(backend.timeout, connect=CONNECT_SECONDS, write=WRITE_SECONDS)
    with httpx.Client(timeout=timeout, headers=authorization(key)) as client:
        for attempt in range(ATTEMPTS):
            try:
                yield from _attempt(client, backend, request, key)
            except Busy as busy:
                pause(busy, attempt, sleep=sleep, jitter=jitter)
            else:
                return


def served_models(backend: Backend) -> list[str]:
    """The names of the models that a back end serves, in its order. Raises BackendError if there are none."""
    key = _key(backend)
    try:
        url = backend.base_url.rstrip("/") + "/models"
        response = httpx.get(url, headers=authorization(key), timeout=CONNECT_SECONDS)
        rows = response.raise_for_status().json()["data"]
        names = [str(row["id"]) for row in rows]
    except (httpx.HTTPError, httpx.InvalidURL, AttributeError, KeyError, TypeError, ValueError) as error:
        said = without_key(f"{type(error).__name__}: {error}", key)
        raise BackendError(
            f"The back end at {backend.base_url} does not list its models ({said}): check the URL, or set "
            "backend.model."
        ) from None
    if not names:
        raise BackendError(f"The back end at {backend.base_url} serves no model: start one, or set backend.model.")
    return names


def _attempt(client: httpx.Client, backend: Backend, request: Mapping[str, Any], key: str) -> Iterator[Delta]:
    """One request; Busy if it may be repeated."""
    url = backend.base_url.rstrip("/") + "/chat/completions"
    seen = False
    try:
        with client.stream("POST", url, json=request) as response:
            if response.status_code != 200:
                raise _refusal(response, backend, key)
            for delta in deltas(response.iter_bytes(), key):
                seen = True
                yield delta
    except httpx.InvalidURL as error:
        raise UsageError(f"The back end's base URL is not valid: {error}") from None
    except httpx.ReadTimeout:
        raise BackendError(
            f"{backend.base_url} was silent for {backend.timeout:g} seconds: raise the back end's timeout, "
            f"or ask for a smaller budget."
        ) from None
    except httpx.TransportError as error:
        said = without_key(str(error), key) or type(error).__name__
        if seen:
            raise BackendError(f"{backend.base_url} broke off in the middle of its answer: {said}") from None
        raise Busy(BackendError(f"{backend.base_url} cannot be reached: {said}. Is it running?")) from None


def _refusal(response: httpx.Response, backend: Backend, key: str) -> Exception:
    """What a status other than 200 means."""
    status = response.status_code
    error = reported(error_body(response.iter_bytes()), key, status)
    if status in BUSY:
        return Busy(error, retry_after(response.headers.get("retry-after")))
    if status in (401, 403):
        where = f"set {backend.key_env}" if backend.key_env else "configure a key for it"
        return BackendError(f"{backend.base_url} refused the key: {where}. It says: {error}")
    return error


def _key(backend: Backend) -> str:
    if not backend.base_url.startswith(("http://", "https://")):
        raise UsageError(f"The back end's base URL must begin with http:// or https://: {backend.base_url!r}")
    return key_from(backend.key_env, backend.base_url)
