"""Which place does a clone URL mean, however it is written?"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

MOST_URL = 2_000  # characters
_HOST = r"[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]"
_SCP_LIKE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]*@({_HOST}):(\S+)")
_DEFAULT_PORTS = {"http": 80, "https": 443, "git": 9418}


def place(url: str) -> str:
    """A normal form of a clone URL or a repository's web page: equal for the same place, "" for anything else.

    Ports of ssh are left out, for they differ from those of https on the same host.
    """
    if len(url) > MOST_URL or not url.isprintable():
        return ""
    if url.startswith("/"):
        return _local(url)
    if scp := _SCP_LIKE.fullmatch(url):
        return _remote(scp[1], scp[2])
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.query or parts.fragment or not url.isascii() or " " in url:
        return ""
    if parts.scheme == "file":
        return _local(unquote(parts.path)) if parts.netloc in ("", "localhost") else ""
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in ("ssh", *_DEFAULT_PORTS) or not re.fullmatch(_HOST, host):
        return ""
    default = port is None or parts.scheme == "ssh" or port == _DEFAULT_PORTS[parts.scheme]
    return _remote(host if default else f"{host}:{port}", parts.path)


def _remote(host: str, path: str) -> str:
    plain = re.sub("/+", "/", unquote(path)).strip("/").removesuffix(".git").rstrip("/")
    return f"{host.lower()}/{plain}" if plain and plain.isprintable() else ""


def _local(path: str) -> str:
    """Folders keep their .git: beside a bare app.git there may be an app."""
    plain = re.sub("/+", "/", path).rstrip("/")
    return f"file:{plain}" if plain.startswith("/") and plain.isprintable() else ""
