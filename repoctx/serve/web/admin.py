"""Who may ask, which repositories are looked after, how do pushes come in, who did what? The pages of admins."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from repoctx.errors import UsageError
from repoctx.serve.forges import FORGES
from repoctx.serve.rest import access, repositories
from repoctx.serve.rest.access import TokenAsked
from repoctx.serve.rest.callers import Caller, Name, audited
from repoctx.serve.rest.repositories import ChangeAsked, RegisterAsked
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.web.entry import Admin, keep, reached
from repoctx.serve.web.forms import checked
from repoctx.serve.web.frame import page

# Repositories, deliveries and entries of the log on a page.
SHOWN = 100

router = APIRouter(prefix="/admin", include_in_schema=False)

Field = Annotated[str, Form(max_length=4000)]


@router.get("")
def first(caller: Admin) -> Response:
    """The first of these pages that the visitor may see."""
    return RedirectResponse("/admin/tokens" if caller.sees_all else "/admin/repositories", 303)


# --- tokens --------------------------------------------------------------------------------------


@router.get("/tokens")
def tokens(request: Request, service: ServiceState, caller: Admin) -> HTMLResponse:
    """All tokens, and a form that makes one."""
    return page(request, "tokens.html", **_tokens(service, caller))


@router.post("/tokens", dependencies=[Depends(audited)])
def make(
    request: Request, service: ServiceState, caller: Admin, name: Field = "", scope: Field = "read",
    names: Field = "", expires: Field = "",
) -> HTMLResponse:  # fmt: skip
    """Make a token, and show it this once. Whoever makes the first one goes on with it, if it may do as much."""
    given = {"name": name.strip(), "scope": scope, "expires": expires.strip()}
    asked = checked(TokenAsked, given | {"repositories": names.split()})
    made = access.create(request, asked, service, caller)
    shown = _tokens(service, caller) | {"made": made}
    answer = page(request, "tokens.html", **shown)
    if caller.token is None and made.scope == "admin" and made.repositories is None:
        keep(request, answer, made.token)
    return answer


@router.post("/tokens/{token}/revoke", dependencies=[Depends(audited)])
def revoke(service: ServiceState, caller: Admin, token: str) -> Response:
    """Make a token invalid for good."""
    access.revoke(service, caller, token)
    return RedirectResponse("/admin/tokens", 303)


def _tokens(service: Service, caller: Caller) -> dict[str, Any]:
    return {"tokens": access.tokens(service, caller).items, "made": None, "mine": caller.token and caller.token.id}


# --- repositories and their webhooks ---------------------------------------------------------------


@router.get("/repositories")
def listed(
    request: Request, service: ServiceState, caller: Admin, cursor: Annotated[str | None, Query(max_length=400)] = None
) -> HTMLResponse:
    """All repositories, and a form that registers one."""
    found = repositories.listed(service, caller, SHOWN, cursor)
    return page(request, "registered.html", repositories=found.items, next=found.next)


@router.post("/repositories", dependencies=[Depends(audited)])
def register(
    request: Request, service: ServiceState, caller: Admin, location: Field, name: Field = "", default_ref: Field = "",
    credential: Field = "", login: Field = "", follow: Field = "", poll_seconds: Field = "",
    webhook_secret: Field = "",
) -> Response:  # fmt: skip
    """Look after a repository from now on, and index it."""
    place = location.strip()
    given = {
        "path" if place.startswith("/") else "url": place, "name": name, "default_ref": default_ref,
        "credential": credential, "login": login, "poll_seconds": poll_seconds, "follow": follow.split(),
        "webhook_secret": webhook_secret,
    }  # fmt: skip
    made = repositories.register(request, service, caller, checked(RegisterAsked, given), Response())
    return RedirectResponse(f"/admin/repositories/{made.name}", 303)


@router.get("/repositories/{name}")
def shown(request: Request, service: ServiceState, caller: Admin, name: Name) -> HTMLResponse:
    """How a repository is looked after, and what its forge has delivered."""
    return page(request, "looked_after.html", **_looked_after(request, service, caller, name))


@router.post("/repositories/{name}", dependencies=[Depends(audited)])
def change(
    service: ServiceState, caller: Admin, name: Name, default_ref: Field = "", credential: Field = "",
    login: Field = "", follow: Field = "", poll_seconds: Field = "",
) -> Response:  # fmt: skip
    """Change how a repository is looked after."""
    before = repositories.show(service, caller, name)
    given: dict[str, Any] = {"follow": follow.split(), "poll_seconds": poll_seconds or 0}
    if default_ref.strip() != (before.default_ref or ""):
        given["default_ref"] = default_ref
    if credential.strip() != (before.credential or ""):
        given["credential"] = credential.strip()
    if login.strip():
        given["login"] = login
    asked = checked(ChangeAsked, given, empty=("credential", "follow"))
    repositories.change(service, caller, name, asked)
    return RedirectResponse(f"/admin/repositories/{name}", 303)


@router.post("/repositories/{name}/secret", dependencies=[Depends(audited)])
def rotate(
    request: Request, service: ServiceState, caller: Admin, name: Name, secret: Field = ""
) -> HTMLResponse:
    """Give a repository another secret of webhooks, one that is made here if none is given; it is shown this once.
    The one before stays valid, until the next."""
    new = secret.strip() or secrets.token_urlsafe(32)
    repositories.change(service, caller, name, checked(ChangeAsked, {"webhook_secret": new}))
    values = _looked_after(request, service, caller, name)
    return page(request, "looked_after.html", **values | {"made": None if secret.strip() else new})


@router.post("/repositories/{name}/remove", dependencies=[Depends(audited)])
def remove(service: ServiceState, caller: Admin, name: Name, sure: Field = "") -> Response:
    """Forget a repository and its index, if its name was typed."""
    if sure.strip() != name:
        raise UsageError(f"type the name of the repository, {name}, to remove it")
    repositories.remove(service, caller, name)
    return RedirectResponse("/admin/repositories", 303)


def _looked_after(request: Request, service: Service, caller: Caller, name: str) -> dict[str, Any]:
    return {
        "shape": repositories.show(service, caller, name),
        "deliveries": repositories.deliveries(service, caller, name, SHOWN).items,
        "forges": list(FORGES),
        "service": reached(request),
        "made": None,
    }


# --- the log -----------------------------------------------------------------------------------------


@router.get("/audit")
def audit(
    request: Request, service: ServiceState, caller: Admin,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> HTMLResponse:  # fmt: skip
    """Who did what, the newest first."""
    found = access.audit(service, caller, SHOWN, cursor)
    return page(request, "audit.html", entries=found.items, next=found.next)
