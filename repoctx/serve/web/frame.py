"""What is the same on every web page? The frame around it, its policy, its files, and what is shown when it fails.

Pages are made here, on the server, and can be read without scripts; the scripts in `static/` only fetch parts of
pages anew. Whatever is in a repository is hostile: templates escape all that they are given, and the policy lets
nothing run but those scripts.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping, MutableMapping
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from repoctx import __version__
from repoctx.errors import NotFoundError
from repoctx.pack.picture import inline, visible

# The cookie with a visitor's token.
COOKIE = "repoctx"
# What no page answers: these have callers of their own.
_OTHERS = ("/v1/", "/mcp", "/metrics", "/healthz", "/readyz")
# The page among the routes, which is about them.
REFERENCE = "/v1/docs"
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "style-src-attr 'unsafe-inline'", "img-src 'self'",
    "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types repoctx",
))  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
# Files of the page that a pack has elsewhere.
_PACKS = ("pack.css", "pack.js")
# How long a browser keeps a file whose address changes with its content, in seconds.
KEPT = 365 * 86400

router = APIRouter(include_in_schema=False)


def is_page(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request's address is that of pages."""
    path = str(scope["path"])
    return path == REFERENCE or (path != "/v1" and not path.startswith(_OTHERS))


def wants_page(scope: MutableMapping[str, Any]) -> bool:
    """Whether people read the answer to a request; programs that ask for such an address read JSON."""
    return is_page(scope) and b"text/html" in dict(scope["headers"]).get(b"accept", b"")


# --- pages and their parts ---------------------------------------------------------------------


def page(request: Request, name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A page, or a part of one as an answer of its own, by the name of its template."""
    return HTMLResponse(part(request, name, **values), status, HEADERS)


def part(request: Request, name: str, /, **values: Any) -> str:
    """A part of a page, which a script puts in the place of the one before."""
    return _templates().get_template(name).render(**_around(request), **values)


def wants_part(request: Request) -> bool:
    """Whether a script asks, which has the rest of the page already."""
    return request.query_params.get("part") == "1"


def _around(request: Request) -> dict[str, Any]:
    return {"caller": request.scope.get("repoctx.caller"), "here": request.url.path, "request": request}


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("repoctx.serve.web", "templates"),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    made.globals.update(version=__version__, static=address, plural=_plural)
    made.filters.update(number="{:,}".format, percent="{:.0%}".format, visible=_visible, laid=_laid)
    return made


def _visible(text: str) -> Markup:
    """Text of a repository in a line or an attribute: what does not print, or turns the direction, as codes."""
    return Markup(inline(text))  # which is escaped


def _laid(text: str) -> Markup:
    """Text of several lines, in the same way: line feeds and tabs stay."""
    return Markup(visible(text))


def _plural(count: int, one: str, several: str = "") -> str:
    """A count and its noun: `1 file`, `2 files`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


# --- failures ----------------------------------------------------------------------------------

# What programs are told to do, and what people at a page do instead.
_DO = {
    ": GET /v1/repositories lists those that you may see": ": the first page lists those that you may see",
    ": register one with POST /v1/repositories, or wait for its job": ": an admin registers one, then wait for its job",
    ": `repoctx search` looks in the text": ": search looks in the text",
    "? `repoctx search` looks in the text": "? Search looks in the text",
}


def for_people(said: str) -> str:
    """A sentence that says what went wrong, with what somebody at a page can do about it."""
    for told, instead in _DO.items():
        said = said.replace(told, instead)
    return said


def failure(
    scope: MutableMapping[str, Any], request_id: str, status: int, said: str,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """The page that says what went wrong and what to do; where a token is needed, the one that asks for it."""
    request = Request(dict(scope))
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    told = HEADERS | {k: v for k, v in (headers or {}).items() if k != "WWW-Authenticate"}
    said = for_people(said)
    if status == 401 and request.method == "GET" and not any(COOKIE in name for name in request.cookies):
        said = ""  # no token was shown yet, so nothing is wrong: the page asks for one
    if wants_part(request):
        return HTMLResponse(part(request, "failed.html", said=said), status, told)
    values = {"title": HTTPStatus(status).phrase, "said": said, "identity": request_id, "asked": asked,
              "lost": status != 401}  # fmt: skip
    name = "entry.html" if status == 401 else "failure.html"
    return HTMLResponse(part(request, name, **values), status, told)


# --- files -------------------------------------------------------------------------------------


@cache
def _file(name: str) -> tuple[bytes, str, str]:
    """A file of pages: its bytes, its type, and a digest of it. Raises NotFoundError."""
    folder = resources.files("repoctx.serve.web") / "static"
    found = {one.name: one for one in folder.iterdir()}.get(name)
    if name in _PACKS:
        found = resources.files("repoctx.resources") / name
    if found is None:
        raise NotFoundError("there is no such file")
    content = found.read_bytes()
    if name == "pack.css":  # of a page of its own: here it holds for the part that shows a pack
        content = b".pack {\n" + content + b"}\n"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return content, kind, hashlib.sha256(content).hexdigest()[:16]


def address(name: str) -> str:
    """Where a file of pages is: another address once it changes."""
    return f"/static/{_file(name)[2]}/{name}"


@router.get("/static/{digest}/{name}")
def static(digest: str, name: str) -> Response:
    """A script or a style sheet."""
    content, kind, now = _file(name)
    kept = f"public, max-age={KEPT}, immutable" if digest == now else "no-cache"
    return Response(content, headers={"Cache-Control": kept, "Content-Type": f"{kind}; charset=utf-8"})
