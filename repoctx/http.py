"""How is a server asked again, and how do keys stay out of sight?

What all clients of OpenAI-compatible servers share: attempts with growing waits, the server's own wait,
keys from the environment, and errors as servers write them.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from repoctx.errors import BackendError, UsageError

ATTEMPTS = 5
FIRST_WAIT = 1.0  # seconds; doubles with every attempt
LONGEST_WAIT = 60.0  # a server that asks for more is reported, not waited for
CONNECT_SECONDS = 10.0
WRITE_SECONDS = 120.0  # a prompt of a million tokens is some 5 MB
MOST_ERROR_BYTES = 64 << 10
MOST_ERROR_CHARACTERS = 500  # of a server's words in a sentence of ours

Sleep = Callable[[float], object]
Jitter = Callable[[], float]  # a number from 0 to 1


class Busy(Exception):
    """The request may be repeated."""

    def __init__(self, error: BackendError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait  # seconds that the server asked for


def pause(busy: Busy, attempt: int, attempts: int = ATTEMPTS, sleep: Sleep = time.sleep,
          jitter: Jitter = random.random) -> None:  # fmt: skip
    """Wait before the attempt after `attempt` (counted from 0); raises the error if there is none."""
    if attempt + 1 >= attempts or (busy.wait or 0) > LONGEST_WAIT:
        raise busy.error from None
    growing = min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT) * (0.5 + jitter() / 2)
    sleep(growing if busy.wait is None else busy.wait)


def may_repeat(status: int, told: str | None = None) -> bool:
    """Whether a request that was refused with a status may succeed as it is; `told` is the header X-Should-Retry."""
    if told in ("true", "false"):  # of the servers of OpenAI and Anthropic
        return told == "true"
    return status in (408, 429) or (status >= 500 and status not in (501, 505))


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def server_url(url: str, setting: str, key_setting: str) -> str:
    """The base URL that a setting names, without a slash at its end. Raises UsageError, which repeats nothing of it."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError(f"{setting} holds a user name or password: name the key's variable in {key_setting}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{setting} must begin with http:// or https:// and a host, such as http://127.0.0.1:8000/v1")
    if parts.query or parts.fragment:
        raise UsageError(f"{setting} must end with its path, such as /v1, without a query")
    return url.rstrip("/")


def key_from(variable: str, url: str) -> str:
    """The key that an environment variable holds for a server; "" for no variable. Raises UsageError."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UsageError(f"The environment variable {variable} holds no key for {url}.")
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"The key in {variable} has characters that no HTTP header can carry.")
    return key


def authorization(key: str) -> dict[str, str]:
    """The headers that carry a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def without_key(text: str, key: str) -> str:
    """A text that may be shown."""
    return text.replace(key, "***") if key else text


def without_user(text: str) -> str:
    """A setting with a URL that may be shown: no user name or password, whatever signs they are of."""
    return re.sub("//.*@", "//***@", text, flags=re.DOTALL)


def error_body(parts: Iterator[bytes]) -> Any:
    """The body of an error, as far as it matters: JSON, or else its text."""
    raw = b""
    for part in parts:
        raw += part
        if len(raw) > MOST_ERROR_BYTES:
            break
    text = raw[:MOST_ERROR_BYTES].decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def said(body: Any, key: str) -> str:
    """What a server says in the body of an error, on one line of signs that can be shown; "" for nothing."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = (error.get("message") or error.get("detail")) if isinstance(error, dict) else error
    line = without_key(" ".join(str(message or error).split()), key)[:MOST_ERROR_CHARACTERS]
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in line)
