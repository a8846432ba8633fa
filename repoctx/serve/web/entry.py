"""Who looks at a page? A browser shows its token in a cookie, which the entry sets and nothing but pages takes.

Where no token exists the pages are for this machine alone, as the routes are. What changes something is taken only
from a page of the service itself, so that no other site acts in a visitor's name.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from repoctx.serve.rest.callers import NO_TOKEN, WRONG, Caller, following, having, known
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.state import ServiceState
from repoctx.serve.web.frame import COOKIE, HEADERS, page

# How long a browser keeps the token of a visitor, in seconds; the token itself may end before.
KEPT = 14 * 86400
_SAFE = ("GET", "HEAD")

router = APIRouter(include_in_schema=False)


def visitor(request: Request, service: ServiceState) -> Caller:
    """Who looks at a page. Refuses with 401, or with 403 what another site has sent."""
    opens = request.method in _SAFE and request.headers.get("sec-fetch-dest") == "document"
    if request.method not in _SAFE:
        check_site(request)
    return known(request, service, request.cookies.get(cookie(request)), strict=False, opens=opens)


def cookie(request: Request) -> str:
    """What the cookie is called: over https no other host can set it, and otherwise each port has its own."""
    if secure(request):
        return f"__Host-{COOKIE}"
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE}-{port}" if port.isdecimal() else COOKIE


def secure(request: Request) -> bool:
    """Whether a browser reached the service over https, perhaps through a proxy."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


def reached(request: Request) -> str:
    """Where a browser reached the service: what stands before the paths of its addresses."""
    return f"{'https' if secure(request) else 'http'}://{request.headers.get('host', '')}"


def check_site(request: Request) -> None:
    """Refuses with 403 what changes something and was not sent by a page of the service."""
    origin = request.headers.get("origin")
    if origin is None:
        same = request.headers.get("sec-fetch-site") == "same-origin"
    else:
        same = origin.partition("://")[2] == request.headers.get("host", "")
    if not same:
        raise Refusal(403, "this was sent by another site: do it on a page of the service")


_reader = having("read", visitor)
Reader = Annotated[Caller, Depends(_reader)]
Follower = Annotated[Caller, Depends(following(_reader))]
Writer = Annotated[Caller, Depends(having("write", visitor))]
Admin = Annotated[Caller, Depends(having("admin", visitor))]


@router.get("/entry")
def show(request: Request) -> Response:
    """The page that asks for a token."""
    return page(request, "entry.html", said="", asked="/")


@router.post("/entry")
def enter(
    request: Request,
    service: ServiceState,
    token: Annotated[str, Form(max_length=200)],
    to: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Keep a token in the browser, if it is valid."""
    check_site(request)
    said = token.strip()
    try:
        valid = known(request, service, said, strict=True).token is not None
    except Refusal as refused:
        if refused.status != 401:
            raise
        valid = False
    if not valid:
        return page(request, "entry.html", 401, said=NO_TOKEN.format(WRONG), asked=within(to))
    answer = RedirectResponse(within(to), 303, HEADERS)
    keep(request, answer, said)
    return answer


def keep(request: Request, answer: Response, token: str) -> None:
    """Have the browser keep a token."""
    answer.set_cookie(cookie(request), token, KEPT, path="/", secure=secure(request), httponly=True, samesite="lax")


@router.post("/leave")
def leave(request: Request) -> Response:
    """Forget the token in the browser."""
    check_site(request)
    answer = RedirectResponse("/entry", 303, HEADERS)
    answer.delete_cookie(cookie(request), path="/", secure=secure(request), httponly=True, samesite="lax")
    return answer


def within(address: str) -> str:
    """An address if it leads to a page of the service, the first page otherwise."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if inside else "/"
