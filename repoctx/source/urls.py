"""Which clone URLs are allowed, and what do they name?"""

from __future__ import annotations

import os
import re
import urllib.parse
from typing import NamedTuple

from repoctx.errors import UsageError

_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"
_SCP_LIKE = re.compile(rf"([A-Za-z0-9_][A-Za-z0-9._-]*)@({_HOST}):(?!-)(\S+)")
_PORTS = {"https": 443, "http": 80, "ssh": 22, "file": 0}


class Place(NamedTuple):
    """Where a clone URL leads."""

    scheme: str  # "https", "http", "ssh" or "file"
    host: str  # in lower case; an IPv6 address in its brackets; "" of a file URL
    port: int


def is_url(location: str) -> bool:
    """Whether a location is meant as a clone URL; an existing path never is."""
    return not os.path.lexists(location) and bool(
        re.match(r"[A-Za-z][A-Za-z0-9+.-]*:[/:]|[^/]*@[^/]*:", location)
    )


def check_url(url: str, *, plain_http: bool = False) -> str:
    """The protocols that the URL may be fetched by, "https:ssh", "file" or "http". UsageError if it is not allowed.

    No message repeats more of a refused URL than its scheme: it may hold a password.
    """
    if re.search(r"[\0-\x20\x7f]", url) or not url.isascii():
        raise UsageError(
            "A clone URL holds no spaces or control characters, and others than ASCII only as %XX."
        )
    if _SCP_LIKE.fullmatch(url):
        return "https:ssh"
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _PORTS or (scheme == "http" and not plain_http):
        why = ": http is open to change on its way" if scheme == "http" else ""
        raise UsageError(f"Only https, ssh and file URLs are cloned, not {scheme.partition(':')[0]!r}{why}; "
                         "give such a URL, or clone it yourself and give its folder.")  # fmt: skip
    invalid = UsageError("The host or user name of the clone URL is not a valid one.")
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # brackets that hold no IPv6 address
        raise invalid from None
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user or (at and scheme != "ssh"):
        raise UsageError(
            "The URL holds a user name or password: leave it out, and let git's credential helper know it."
        )
    if parts.query or parts.fragment:
        raise UsageError("A clone URL has no part after '?' or '#'.")
    if scheme == "file":
        if host not in ("", "localhost") or not parts.path.startswith("/"):
            raise UsageError("A file URL names an absolute path on this machine: file:///path/to/repository.")
        return "file"
    if not re.fullmatch(rf"{_HOST}(?::[0-9]{{1,5}})?", host) or (
        at and not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", user)
    ):
        raise invalid
    if parts.path.strip("/") == "" or parts.path.startswith("/-"):
        raise UsageError("The clone URL names no repository on its host.")
    return "http" if scheme == "http" else "https:ssh"


def place(url: str) -> Place:
    """Where a URL that `check_url` allows leads."""
    if parts := _SCP_LIKE.fullmatch(url):
        return Place("ssh", parts[2].lower(), _PORTS["ssh"])
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2].lower()
    name, port = re.fullmatch(r"(.*?)(?::([0-9]+))?", host).groups()  # type: ignore[union-attr]  # all match
    return Place(scheme.lower(), name, int(port) if port else _PORTS[scheme.lower()])


def file_path(url: str) -> str:
    """The path that a file URL names. UsageError where it names none on this machine."""
    if check_url(url) != "file":
        raise UsageError("That is no file URL: file:///path/to/repository.")
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path)


def stem(url: str) -> str:
    """The last component of a URL's path."""
    path = (
        url.rpartition(":")[2]
        if _SCP_LIKE.fullmatch(url)
        else urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    )
    return path.rstrip("/").rpartition("/")[2]
