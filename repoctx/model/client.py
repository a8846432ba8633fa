"""How is a question put to a back end, and how does its answer come back?

One OpenAI-compatible `POST {base_url}/chat/completions`, always streamed, so that the one long silence is
the prefill. A request is repeated only while nothing of its answer has been handed on.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import httpx

from repoctx.errors import BackendError, Stopped, UsageError
from repoctx.http import (
    CONNECT_SECONDS,
    WRITE_SECONDS,
    Busy,
    Jitter,
    Sleep,
    authorization,
    error_body,
    key_from,
    may_repeat,
    pause,
    retry_after,
    without_key,
)
from repoctx.model.cancel import Cancellation, Line
from repoctx.model.gate import place
from repoctx.model.limits import watched
from repoctx.model.wire import CallPart, Delta, Unfinished, Usage, WindowOverflow, deltas, reported

__all__ = [
    "Answer", "Backend", "CallPart", "Cancellation", "Delta", "Usage", "WindowOverflow", "collect", "complete",
    "served_models", "stream",
]  # fmt: skip

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a model is served."""

    base_url: str  # up to and with the version: "http://127.0.0.1:8000/v1"
    model: str  # the name that the server knows it by
    key_env: str = ""  # the environment variable that holds the key; "" for none
    timeout: float = 1800.0  # seconds in which nothing of an answer comes: a prefill of a million tokens takes minutes
    max_output: int = 65_536  # tokens of the answer
    at_once: int = 0  # requests of this process under way at a time at this URL; 0: any number


class Answer(NamedTuple):
    """A whole answer."""

    text: str
    calls: tuple[CallPart, ...]  # one per call, arguments complete
    finish: str
    usage: Usage | None
    thought: str = ""


def complete(
    backend: Backend,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    cancellation: Cancellation | None = None,
    sleep: Sleep | None = None,
    jitter: Jitter = random.random,
) -> Answer:
    """The whole answer; arguments and errors as `stream`. A stream that breaks off is begun again."""
    cancellation = cancellation or Cancellation()
    with _asking(backend, messages, tools, options, cancellation) as ask:
        attempt = 0
        while True:
            try:
                with closing(ask()) as found:
                    return collect(found)
            except Busy as busy:
                pause(busy, attempt, sleep=sleep or cancellation.wait, jitter=jitter)
                attempt += 1


def stream(
    backend: Backend,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    cancellation: Cancellation | None = None,
    sleep: Sleep | None = None,
    jitter: Jitter = random.random,
) -> Iterator[Delta]:
    """The answer as it comes; closing the iterator closes the connection, which stops the server.

    `options` are further fields of the request, such as temperature; `cancellation` ends it from another thread. An
    answer that goes in circles is ended with the finish `repetition`. Raises UsageError for a back end that cannot be
    called as configured, Stopped, WindowOverflow if the prompt is too long, BackendError for the rest.
    """
    cancellation = cancellation or Cancellation()
    with _asking(backend, messages, tools, options, cancellation) as ask:
        attempt, seen = 0, False
        while True:
            try:
                with closing(ask()) as found:
                    for delta in found:
                        seen = True
                        yield delta
                return
            except Busy as busy:
                if seen:
                    raise busy.error from None
                pause(busy, attempt, sleep=sleep or cancellation.wait, jitter=jitter)
                attempt += 1


def collect(found: Iterable[Delta]) -> Answer:
    """The whole answer that deltas are the steps of."""
    text: list[str] = []
    thought: list[str] = []
    calls: dict[int, list[CallPart]] = {}
    finish, usage = "", None
    for delta in found:
        text.append(delta.text)
        thought.append(delta.thought)
        for part in delta.calls:
            calls.setdefault(part.number, []).append(part)
        finish, usage = delta.finish or finish, delta.usage or usage
    whole = [
        CallPart(number, *("".join(texts) for texts in zip(*(part[1:] for part in calls[number]), strict=True)))
        for number in sorted(calls)
    ]
    return Answer("".join(text), tuple(whole), finish, usage, "".join(thought))


def served_models(backend: Backend) -> list[str]:
    """The names of the models that a back end serves, in its order. Raises BackendError if there are none."""
    key = _key(backend)
    try:
        url = backend.base_url.rstrip("/") + "/models"
        response = httpx.get(url, headers=authorization(key), timeout=CONNECT_SECONDS)
        rows = response.raise_for_status().json()["data"]
        names = [str(row["id"]) for row in rows]
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        said = without_key(f"{type(error).__name__}: {error}".partition("\n")[0], key)
        raise BackendError(
            f"The back end at {backend.base_url} does not list its models ({said}): check the URL, or set "
            "backend.model."
        ) from None
    if not names:
        raise BackendError(f"The back end at {backend.base_url} serves no model: start one, or set backend.model.")
    return names


@contextmanager
def _asking(
    backend: Backend, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any] | None, cancellation: Cancellation,
) -> Iterator[Callable[[], Generator[Delta]]]:  # fmt: skip
    """What makes one attempt to get an answer, each time it is called."""
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
    raw = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    asked = request.get("max_completion_tokens") or request["max_tokens"]
    most = asked if isinstance(asked, int) else backend.max_output
    timeout = httpx.Timeout(backend.timeout, connect=CONNECT_SECONDS, write=WRITE_SECONDS)
    headers = {"Content-Type": "application/json", **authorization(key)}
    line = Line()
    with httpx.Client(timeout=timeout, headers=headers) as client, cancellation.ending(line.cut):
        opened = partial(_opened, client, backend, raw, line, cancellation)
        yield partial(_attempt, opened, backend, most, key, cancellation)


def _attempt(
    opened: Callable[[], AbstractContextManager[httpx.Response]], backend: Backend, most: int, key: str,
    cancellation: Cancellation,
) -> Generator[Delta]:  # fmt: skip
    """One request for an answer of `most` tokens; Busy if it may be repeated."""
    seen, finished = False, False
    last = 0.0  # when something of the answer came; comments that keep a connection open do not count

    def parts(response: httpx.Response) -> Iterator[bytes]:
        for part in response.iter_bytes():
            if time.monotonic() - last > backend.timeout:
                raise TimeoutError
            yield part

    try:
        with place(backend.base_url.rstrip("/"), backend.at_once, cancellation), opened() as response:
            last = time.monotonic()
            if response.status_code != 200:
                raise _refusal(response, parts(response), backend, key)
            for delta in watched(deltas(parts(response), key), most):
                cancellation.check()
                seen, finished = True, finished or delta.finish is not None
                yield delta
                if delta._replace(usage=None) != Delta():
                    last = time.monotonic()
    except httpx.InvalidURL as error:
        raise UsageError(f"The back end's base URL is not valid: {error}") from None
    except (httpx.ReadTimeout, TimeoutError):
        cancellation.check()
        raise BackendError(
            f"{backend.base_url} was silent for {backend.timeout:g} seconds: raise the back end's timeout, "
            f"or ask for a smaller budget."
        ) from None
    except (httpx.HTTPError, Unfinished) as error:
        cancellation.check()
        if finished:
            return
        said = without_key(str(error), key).rstrip(".") or type(error).__name__
        if isinstance(error, Unfinished):
            raise Busy(error) from None
        if not isinstance(error, httpx.TransportError):
            raise BackendError(f"What {backend.base_url} sent cannot be read: {said}") from None
        if seen:
            raise Busy(BackendError(f"{backend.base_url} broke off in the middle of its answer: {said}")) from None
        raise Busy(BackendError(f"{backend.base_url} cannot be reached: {said}. Is it running?")) from None


@contextmanager
def _opened(
    client: httpx.Client, backend: Backend, raw: bytes, line: Line, cancellation: Cancellation
) -> Iterator[httpx.Response]:
    """The response to a request, once its headers are there. Raises TimeoutError if that takes too long."""
    url = backend.base_url.rstrip("/") + "/chat/completions"
    request = client.build_request("POST", url, content=raw, extensions={"trace": line.trace})
    most = CONNECT_SECONDS + WRITE_SECONDS + backend.timeout
    try:
        send = partial(client.send, request, stream=True)
        response = cancellation.call(send, httpx.Response.close, most)
    except (Stopped, TimeoutError, KeyboardInterrupt):  # the thread that still waits for it must end too
        line.cut()
        raise
    with closing(response):
        yield response


def _refusal(response: httpx.Response, parts: Iterator[bytes], backend: Backend, key: str) -> Exception:
    """What a status other than 200 means."""
    status, headers = response.status_code, response.headers
    error = reported(error_body(parts), key, status)
    if isinstance(error, WindowOverflow):
        return error
    if may_repeat(status, headers.get("x-should-retry")):
        return Busy(error, retry_after(headers.get("retry-after")))
    if status in (401, 403):
        where = f"set {backend.key_env}" if backend.key_env else "configure a key for it"
        return BackendError(f"{backend.base_url} refused the key: {where}. It says: {error}")
    return error


def _key(backend: Backend) -> str:
    if not backend.base_url.startswith(("http://", "https://")):
        raise UsageError(f"The back end's base URL must begin with http:// or https://: {backend.base_url!r}")
    return key_from(backend.key_env, backend.base_url)
