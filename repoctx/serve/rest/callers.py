"""Who is asking, and what may they see?

A caller shows a bearer token. As long as no token was ever made, whoever is on this machine may do everything, and
nobody else anything. What a caller may not see does not exist for them: the answer is the same.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from repoctx.errors import NotFoundError, UsageError
from repoctx.serve.gateway.spoken import protocol_of
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.store import access, snapshots
from repoctx.store.access import SCOPES, Token
from repoctx.store.connect import errors
from repoctx.store.snapshots import Repository

# What a server is called where nothing but this machine reaches it.
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
# The client and host of a request that was made in this process.
_WITHIN = ("testclient", "testserver")
# Headers that only a proxy sends: behind one, every caller seems to be on this machine.
_PROXIES = ("forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip", "x-client-ip")
_PROXY = ("x-forwarded-", "x-envoy-")

# What those are told who show no token that is valid.
NO_TOKEN = "{}: `repoctx token create` makes one"
WRONG, MISSING = "the token is not valid, or no longer", "a token is needed, as `Authorization: Bearer …`"

_BEARER = HTTPBearer(auto_error=False, description="A token that `repoctx token create` printed.")


class Caller(NamedTuple):
    """Who asks."""

    token: Token | None  # None: the local user

    @property
    def name(self) -> str:
        """What rate limits and the log know the caller by."""
        return self.token.id if self.token else "local"

    def sees(self, repository: str) -> bool:
        """Whether a repository exists for this caller."""
        return self.sees_all or repository in ((self.token and self.token.repositories) or ())

    @property
    def sees_all(self) -> bool:
        """Whether every repository exists for this caller, and so all that is said of them together."""
        return self.token is None or self.token.repositories is None

    def may(self, scope: str) -> bool:
        """Whether what needs a scope is allowed."""
        return self.token is None or SCOPES.index(self.token.scope) >= SCOPES.index(scope)


def caller(
    request: Request,
    service: ServiceState,
    shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)] = None,
) -> Caller:
    """Who asks. Refuses with 401 those who show no valid token where one is needed.

    A token may stand in `x-api-key` too. Clients of chats always send some key: where no token exists it means nothing.
    """
    said = shown.credentials if shown else request.headers.get("x-api-key")
    return known(request, service, said, strict=protocol_of(request.scope) is None)


def known(request: Request, service: Service, said: str | None, *, strict: bool, opens: bool = False) -> Caller:
    """Who shows a token, or none. Where there are no tokens a wrong one is refused only if `strict`.

    `opens`: a browser opens a page, and may come from anywhere. Refuses with 401.
    """
    with errors(service.engine), service.engine.connect() as connection:
        token = access.check(connection, said, time.time()) if said else None
        wrong = said is not None and strict
        needed = token is None and (wrong or access.exist(connection))
    if needed or (token is None and not _is_local(request, service.workspace.settings.serve_origins, opens)):
        raise Refusal(401, NO_TOKEN.format(WRONG if said else MISSING), {"WWW-Authenticate": "Bearer"})
    found = Caller(token)
    request.scope["repoctx.caller"] = found
    service.within_rate(found.name if token else None)
    return found


def _is_local(request: Request, origins: Sequence[str], opens: bool = False) -> bool:
    """Whether a request comes from this machine, and from no web page: neither one that made a name point at it nor
    one that a browser here has open, but for those of the service itself and of the origins that may call it. A page
    that a browser `opens` may have been linked from elsewhere: whoever links to it reads nothing of it.

    Proxies are told by what most of them send: who puts one before the service makes a token first.
    """
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    named = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    client = request.client.host if request.client else ""
    if origin is not None and origin not in origins and origin.partition("://")[2] != host:
        return False
    if not opens and origin is None and request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    if any(name in _PROXIES or name.startswith(_PROXY) for name in request.headers):
        return False
    if (client, named) == _WITHIN:
        return True
    if request.scope.get("http_version") == "1.0" or named.lower() not in _LOCAL_HOSTS:
        return False
    try:
        return client == _WITHIN[0] or ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False


def allowed(service: Service, found: Caller) -> bool:
    """Whether a caller who asked a while ago may still ask; whoever showed no token, as long as there is none."""
    with errors(service.engine), service.engine.connect() as connection:
        if found.token is None:
            return not access.exist(connection)
        return access.still(connection, found.token, time.time())


def having(scope: str, who: Callable[..., Caller] = caller) -> Callable[[Caller], Awaitable[Caller]]:
    """The dependency that lets only those pass who have a scope; `who` tells who asks."""

    async def check(found: Caller = Depends(who)) -> Caller:
        if not found.may(scope):
            raise Refusal(403, f"this needs a token of scope {scope}: yours may {found.token and found.token.scope}")
        return found

    return check


def following(reader: Callable[[Caller], Awaitable[Caller]]) -> Callable[..., AsyncIterator[Caller]]:
    """The dependency that counts an open stream of a reader until the answer ends."""

    async def follow(service: ServiceState, found: Caller = Depends(reader)) -> AsyncIterator[Caller]:
        with service.stream(found.name):
            yield found

    return follow


_reader = having("read")
Reader = Annotated[Caller, Depends(_reader)]
Follower = Annotated[Caller, Depends(following(_reader))]
Writer = Annotated[Caller, Depends(having("write"))]
Admin = Annotated[Caller, Depends(having("admin"))]


async def audited(request: Request) -> None:
    """Have the request written down in the audit log."""
    request.scope["repoctx.audit"] = True


Name = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", description="name of the repository", examples=["shop"])
]


def repository(service: Service, found: Caller, name: str) -> Repository:
    """The repository of a name, if the caller may see it. Raises NotFoundError, the same for both."""
    if found.sees(name) and name.isprintable():
        with errors(service.engine), service.engine.connect() as connection, suppress(NotFoundError):
            return snapshots.repository(connection, name)
    raise NotFoundError(f"no repository is called {name!r}: GET /v1/repositories lists those that you may see")


def indexed(service: Service, found: Caller) -> list[tuple[Repository, str]]:
    """All repositories that are indexed and that the caller may see, and when they were, by name."""
    with errors(service.engine), service.engine.connect() as connection:
        return [one for one in snapshots.indexed_repositories(connection) if found.sees(one[0].name)]


def repositories(service: Service, found: Caller, names: Sequence[str] | None) -> list[Repository]:
    """The repositories of some names, by default all that are indexed and that the caller may see, by name.

    Raises NotFoundError for one that there is not, or if there are none, and UsageError for more than are asked at a
    time: all of them are in memory together.
    """
    if names is not None:
        wanted = [repository(service, found, name) for name in sorted(set(names))]
    else:
        wanted = [one for one, _ in indexed(service, found)]
    if not wanted:
        raise NotFoundError("no repository is indexed: register one with POST /v1/repositories, or wait for its job")
    if len(wanted) > (most := service.workspace.settings.serve_together):
        many = f"{len(wanted):,} repositories are too many for one question"
        raise UsageError(f"{many}, which goes to at most {most:,}: name those that matter")
    return wanted
