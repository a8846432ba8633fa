"""Who looks at a page? A browser shows its token in a cookie, which the entry sets and nothing but pages takes.

Where no token exists the pages are for this machine alone, as the routes are. What changes something is taken only
from a page of the service itself, so that no other site acts in a visitor's name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from repoctx.serve.rest.callers import WRONG, Caller, known
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
    if request.method not in _SAFE and not same_site(request):
        raise Refusal(403, "this was sent by another site: do it on a page of the service")
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


def same_site(request: Request) -> bool:
    """Whether a request that changes something was sent by a page of the service."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin.partition("://")[2] == request.headers.get("host", "")


def having(scope: str) -> object:
    """The dependency that lets only those pass who have a scope."""

    async def check(found: Annotated[Caller, Depends(visitor)]) -> Caller:
        if not found.may(scope):
            raise Refusal(403, f"this needs a token of scope {scope}: yours may {found.token and found.token.scope}")
        return found

    return Depends(check)


Reader = Annotated[Caller, having("read")]


async def follower(found: Reader, service: ServiceState) -> AsyncIterator[Caller]:
    """Who follows something: a reader, of whose streams one more is open until the answer ends."""
    with service.stream(found.name):
        yield found


Follower = Annotated[Caller, Depends(follower)]
Writer = Annotated[Caller, having("write")]
Admin = Annotated[Caller, having("admin")]


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
    if not same_site(request):
        raise Refusal(403, "this was sent by another site: do it on a page of the service")
    said = token.strip()
    found = known(request, service, said, strict=True)
    if found.token is None:
        raise Refusal(401, f"{WRONG}: `repoctx token create` makes one")
    answer = RedirectResponse(within(to), 303, HEADERS)
    keep(request, answer, said)
    return answer


def keep(request: Request, answer: Response, token: str) -> None:
    """Have the browser keep a token."""
    answer.set_cookie(cookie(request), token, KEPT, path="/", secure=secure(request), httponly=True, samesite="lax")


@router.post("/leave")
def leave(request: Request) -> Response:
    """Forget the token in the browser."""
    if not same_site(request):
        raise Refusal(403, "this was sent by another site: do it on a page of the service")
    answer = RedirectResponse("/entry", 303, HEADERS)
    answer.delete_cookie(cookie(request), path="/", secure=secure(request), httponly=True, samesite="lax")
    return answer


def within(address: str) -> str:
    """An address if it leads to a page of the service, the first page otherwise."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if inside else "/"
