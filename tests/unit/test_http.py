"""What all clients of servers share: waits, URLs, keys, and what a server says."""

from __future__ import annotations

import pytest

from repoctx import http
from repoctx.errors import BackendError, UsageError


def waits(wait: float | None, attempts: int, jitter: float) -> list[float]:
    """The seconds waited between attempts that all find the server busy."""
    slept: list[float] = []
    busy = http.Busy(BackendError("all servers are busy"), wait)

    def ask() -> None:
        for attempt in range(attempts):
            http.pause(busy, attempt, attempts, slept.append, lambda: jitter)

    with pytest.raises(BackendError, match="all servers are busy"):
        ask()
    return slept


def test_waits_grow_with_jitter_up_to_a_minute():
    """Between half of a growing time and all of it; then the error is the server's."""
    assert waits(None, 4, 1.0) == [1.0, 2.0, 4.0]
    assert waits(None, 4, 0.0) == [0.5, 1.0, 2.0]
    assert waits(None, 9, 1.0)[-2:] == [60.0, 60.0]


def test_the_server_s_own_wait_counts_unless_it_is_too_long():
    """More than a minute is not waited for."""
    assert waits(7.0, 3, 0.5) == [7.0, 7.0]
    assert waits(61.0, 3, 0.5) == []


@pytest.mark.parametrize(
    "value,seconds",
    [(None, None), ("", None), ("3", 3.0), ("soon", None), ("-1", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    """Anything else is no wait of the server's."""
    assert http.retry_after(value) == seconds


@pytest.mark.parametrize(
    "url,why",
    [
        ("", "must begin with"),
        ("127.0.0.1:8000/v1", "must begin with"),
        ("ftp://host/v1", "must begin with"),
        ("http:///v1", "must begin with"),
        ("http://[::1/v1", "must begin with"),
        ("http://host:port/v1", "must begin with"),
        ("https://me:hush@host/v1", "user name or password: .* backend.key_env"),
        ("https://hush@host/v1", "user name or password"),
        ("https://host/v1?key=hush", "without a query"),
        ("https://host/v1#hush", "without a query"),
    ],
)
def test_urls_that_cannot_be_used_are_told_without_repeating_them(url, why):
    """They may hold a password."""
    with pytest.raises(UsageError, match=why) as caught:
        http.server_url(url, "backend.url", "backend.key_env")
    assert "hush" not in str(caught.value)


def test_a_url_loses_the_slash_at_its_end():
    """So that paths can be added."""
    assert http.server_url("https://host:8/v1/", "backend.url", "backend.key_env") == "https://host:8/v1"


@pytest.mark.parametrize(
    "body,words",
    [
        ({"error": {"message": "no  such\nmodel"}}, "no such model"),
        ({"error": "no such model", "error_type": "Validation"}, "no such model"),
        ({"detail": "not found"}, "not found"),
        ({"detail": [{"msg": "field required"}]}, "[{'msg': 'field required'}]"),
        ("<html>oops</html>", "<html>oops</html>"),
        ("the key is hush", "the key is ***"),
        ("", ""),
        (None, "None"),
    ],
)
def test_servers_words_are_found_in_any_shape(body, words):
    """One line, without the key."""
    assert http.said(body, "hush") == words
