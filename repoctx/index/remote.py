"""What vector does a server give a text? OpenAI-compatible `POST {url}/embeddings`.

Secrets are cut out of every text before it is sent, queries too. Texts go in batches, several requests at
a time; what a server finds too long is halved until it fits, and a text that it refuses for anything else has
the zero vector, so that the others have theirs.
"""

from __future__ import annotations

import json
import queue
import random
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

import httpx
import numpy as np

from repoctx import http
from repoctx.errors import BackendError, UsageError
from repoctx.http import Busy, Jitter, Sleep
from repoctx.index.embed import LONGEST, PROBE, checked
from repoctx.redact import redact
from repoctx.types import Floats

# Texts in one request: text-embeddings-inference takes 32 unless told otherwise (--max-client-batch-size),
# OpenAI 2,048. A server that takes fewer, such as Model Studio (10), is noticed at the first refusal.
MOST_TEXTS = 32
# Characters in one request, some 30,000 tokens: OpenAI takes 300,000 tokens in all, Voyage 120,000,
# text-embeddings-inference 2 MB.
MOST_CHARACTERS = 100_000
# Of 32 texts on a CPU: a model of 600M parameters reads some 200 tokens a second.
SECONDS = 300.0
# Somebody waits for a query: it has fewer attempts and less time than a batch.
QUERY_ATTEMPTS, QUERY_SECONDS = 2, 30.0
# A text that is refused at this length is refused for something else.
SHORTEST = 64
MOST_ANSWER_BYTES = 64 << 20
MOST_SHOWN = 200  # characters of an answer that is none

# How servers say that an input, or all of them together, is too long: OpenAI and vLLM "maximum context
# length is", "maximum input length is", "must have at most 2048 items", "max 300000 tokens per request";
# text-embeddings-inference "must have less than 512 tokens", "batch size 64 > maximum allowed batch size 32";
# llama-server "input is too large to process" (a 500); Ollama "input length exceeds the context length";
# Model Studio "batch size is invalid", "Range of input length should be".
_TOO_LONG = re.compile(
    r"context (?:length|size)|(?:input|prompt|sequence|text|request|payload|body|array|content)\S* (?:is |are )?too "
    r"(?:large|long|many)|too many (?:tokens|inputs|items)|input length|token limit|batch.? ?size|at most \d+|"
    r"less than \d+ tokens|max\w* (?:\S+ ){0,3}tokens|tokens? (?:\S+ ){0,4}exceed|exceed\w* (?:\S+ ){0,4}tokens?|"
    r"length limit",
    re.IGNORECASE,
)

T = TypeVar("T")
R = TypeVar("R")


class _Refused(BackendError):
    """The server gave no vectors for these texts; for others it may."""


class _TooLong(_Refused):
    """The server refused a request for its size."""


class Remote:
    """A model that a server runs."""

    def __init__(
        self,
        name: str,
        url: str,
        key_env: str = "",
        requests: int = 4,
        *,
        sleep: Sleep = time.sleep,
        jitter: Jitter = random.random,
    ) -> None:
        self._url = http.server_url(url, "the URL of embedding.model", "embedding.key_env")
        self._name, self._key_env, self._requests = name, key_env, requests
        self._sleep, self._jitter = sleep, jitter
        self._dimensions = 0  # not known yet
        self._most_texts = MOST_TEXTS  # fewer where the server takes no more at once
        self._too_long = LONGEST + 1  # characters of the shortest text that the server found too long

    @property
    def model(self) -> str:
        """See Embedder."""
        return f"openai:{self._name}@{self._url}"

    @property
    def dimensions(self) -> int:
        """See Embedder. Known after the first answer; before that the server is asked."""
        if not self._dimensions:
            self.query(PROBE)
        return self._dimensions

    def documents(self, texts: Sequence[str]) -> Floats:
        """See Embedder. A text that the server refuses has the zero vector; so has a blank one, which is not sent."""
        sent = [(row, cleaned) for row, text in enumerate(texts) if (cleaned := clean(text)).strip()]
        found: dict[int, Floats] = {}

        def embed(batch: list[tuple[int, str]]) -> Floats:
            return self._embed([text for _, text in batch])[0]

        if not self._dimensions and sent:  # the first answer says how many texts the server takes at once
            first = next(batches(sent, self._most_texts, self._too_long))
            found |= zip([row for row, _ in first], embed(first), strict=True)
            sent = sent[len(first) :]
        rest = list(batches(sent, self._most_texts, self._too_long))
        for batch, rows in side_by_side(embed, rest, self._requests):
            found |= zip([row for row, _ in batch], rows, strict=True)
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, vector in found.items():
            vectors[row] = vector
        return vectors

    def query(self, text: str) -> Floats:
        """See Embedder."""
        text = clean(text)
        if not text.strip():
            return np.zeros(self.dimensions, np.float32)
        while True:
            try:
                row: Floats = self._answer([text], QUERY_ATTEMPTS, QUERY_SECONDS)[0]
                return row
            except _TooLong:
                if len(text) <= SHORTEST:
                    raise
                text = text[: len(text) // 2]

    @cached_property
    def _key(self) -> str:
        return http.key_from(self._key_env, self._url)

    @cached_property
    def _client(self) -> httpx.Client:
        """The connections; closed with the embedder."""
        client = httpx.Client(headers=http.authorization(self._key))
        weakref.finalize(self, client.close)
        return client

    def _embed(self, texts: list[str]) -> tuple[Floats, bool]:
        """Unit vectors of a batch, which is halved for as long as the server refuses it; whether it was not.

        A text that is refused alone has the zero vector. Raises BackendError if the server refuses others too.
        """
        try:
            return self._answer(texts, http.ATTEMPTS, SECONDS), True
        except _Refused as error:
            refused = error
        too_long = isinstance(refused, _TooLong)
        if len(texts) == 1 and too_long and len(texts[0]) > SHORTEST:
            self._too_long = min(self._too_long, len(texts[0]))
            return self._embed([texts[0][: len(texts[0]) // 2]])[0], False
        if len(texts) == 1 or not too_long:
            self._ask_another(refused)
        if len(texts) == 1:
            return np.zeros((1, self.dimensions), np.float32), False
        half = len(texts) // 2
        halves = [self._embed(part) for part in (texts[:half], texts[half:])]
        if all(whole for _, whole in halves):
            self._most_texts = min(self._most_texts, half)
        return np.concatenate([rows for rows, _ in halves]), False

    def _ask_another(self, refused: _Refused) -> None:
        """Raise a refusal unless it is about its texts alone: the server embeds another."""
        try:
            self._answer([PROBE], QUERY_ATTEMPTS, QUERY_SECONDS)
        except _Refused:
            raise refused from None

    def _answer(self, texts: list[str], attempts: int, seconds: float) -> Floats:
        """One request, repeated while the server is busy."""
        for attempt in range(attempts):
            try:
                return self._vectors(self._attempt(texts, seconds), len(texts))
            except Busy as busy:
                http.pause(busy, attempt, attempts, self._sleep, self._jitter)
        raise AssertionError("pause raises after the last attempt")

    def _attempt(self, texts: list[str], seconds: float) -> bytes:
        """The body of an answer. Raises Busy, BackendError and UsageError."""
        request = {"model": self._name, "input": texts, "encoding_format": "float"}
        timeout = httpx.Timeout(seconds, connect=http.CONNECT_SECONDS, write=http.WRITE_SECONDS)
        try:
            with self._client.stream("POST", f"{self._url}/embeddings", json=request, timeout=timeout) as response:
                if response.status_code != 200:
                    raise self._refusal(response)
                raw = bytearray()
                for part in response.iter_bytes():
                    raw += part
                    if len(raw) > MOST_ANSWER_BYTES:
                        raise BackendError(f"{self._url} sent an answer of more than {MOST_ANSWER_BYTES >> 20} MB.")
                return bytes(raw)
        except httpx.InvalidURL as error:
            raise UsageError(f"The URL of embedding.model is not valid: {error}") from None
        except httpx.TransportError as error:
            why = http.without_key(str(error), self._key) or type(error).__name__
            raise Busy(BackendError(f"{self._url} cannot be reached: {why}. Is it running?")) from None
        except httpx.HTTPError as error:
            raise BackendError(f"{self._url} sent an answer that cannot be read: {type(error).__name__}") from None

    def _refusal(self, response: httpx.Response) -> Exception:
        """What a status other than 200 means."""
        status = response.status_code
        words = http.said(http.error_body(response.iter_bytes()), self._key)
        says = f"{self._url} answered {status}: {words or 'no reason given'}"
        if status == 413 or (status in (400, 422, 500) and _TOO_LONG.search(words)):
            return _TooLong(says)
        error = _Refused(says) if status in (400, 422, 500) else BackendError(says)
        if status == 429 or status >= 500:
            return Busy(error, http.retry_after(response.headers.get("retry-after")))
        if status in (401, 403):
            ask = f"refused the key: set {self._key_env}"
            if not self._key_env:  # it may be set, but for the server of embedding.model
                ask = f"asks for a key: set embedding.model to {self.model} and the variable in embedding.key_env"
            return BackendError(f"{self._url} {ask}. It says: {words or 'no reason given'}")
        return error

    def _vectors(self, answer: bytes, count: int) -> Floats:
        """(count, d) unit vectors of an answer, in the order of the request. Raises BackendError."""
        try:
            data = json.loads(answer)["data"]
            placed = {int(row.get("index", place)): row["embedding"] for place, row in enumerate(data)}
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            start = answer[: http.MOST_ERROR_BYTES].decode("utf-8", "replace").strip()
            start = http.without_key(start, self._key)[:MOST_SHOWN]
            raise BackendError(
                f"{self._url} sent no embeddings: {start!r}: check the URL, which ends in /v1."
            ) from None
        if sorted(placed) != list(range(count)) or len(data) != count:
            raise BackendError(f"{self._url} sent {len(data)} vectors for {count} texts.")
        return self._rows([placed[place] for place in range(count)])

    def _rows(self, lists: Sequence[Any]) -> Floats:
        try:
            with np.errstate(over="ignore"):  # infinity is told below
                rows = np.array(lists, np.float64).astype(np.float32)
        except (TypeError, ValueError, OverflowError):
            rows = np.zeros(0, np.float32)
        if rows.ndim != 2 or not rows.shape[1]:
            raise BackendError(f"{self._url} sent vectors that are not lists of numbers of one length.")
        if self._dimensions not in (0, rows.shape[1]):
            raise BackendError(
                f"{self._url} sent vectors of {rows.shape[1]} dimensions after such of {self._dimensions}: "
                f"it serves another model than before."
            )
        if not rows.any():
            raise _Refused(f"{self._url} sent vectors of zeros only.")
        if not np.isfinite(rows).all():
            raise _Refused(f"{self._url} sent a vector with numbers that are not finite.")
        vectors = checked(rows, self.model)
        self._dimensions = rows.shape[1]
        return vectors


def clean(text: str) -> str:
    """What may leave the machine of a text."""
    valid = text.encode("utf-8", "replace").decode("utf-8")
    return redact(valid)[0][:LONGEST]


def batches(texts: Sequence[tuple[int, str]], most: int, too_long: int) -> Iterator[list[tuple[int, str]]]:
    """Neighbouring texts with their rows, at most `most` and MOST_CHARACTERS together.

    A text of `too_long` characters or more goes alone: the others need not be sent twice when it is refused.
    """
    batch: list[tuple[int, str]] = []
    size = 0
    for row, text in texts:
        alone = len(text) >= too_long
        if batch and (alone or len(batch) == most or size + len(text) > MOST_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append((row, text))
        size += len(text)
        if alone:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def side_by_side(work: Callable[[T], R], items: Sequence[T], most: int) -> Iterator[tuple[T, R]]:
    """Each item with what `work` makes of it, as they are ready, `most` at a time; the first error ends it.

    The threads are daemons: an interrupted run does not wait for a server's answers.
    """
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[T, R] | BaseException] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    stopped = threading.Event()

    def run() -> None:
        while not stopped.is_set():
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((item, work(item)))
            except BaseException as error:
                done.put(error)
                return

    for _ in range(min(most, len(items))):
        threading.Thread(target=run, daemon=True).start()
    try:
        for _ in items:
            made = done.get()
            if isinstance(made, BaseException):
                raise made
            yield made
    finally:
        stopped.set()
