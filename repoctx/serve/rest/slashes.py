"""Where does an address lead that ends in a slash too many? To the same address without it, told as a path alone.

The framework's own redirects name a scheme and a host: behind a proxy these are not the ones that the caller reached.
"""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI
from starlette.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import Receive, Scope, Send


def follow(app: FastAPI) -> None:
    """Have an app redirect such addresses; it is made with `redirect_slashes=False`."""
    router, missing = app.router, app.router.default

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = "/" + scope["path"].strip("/")  # never two slashes, after which a browser reads a host
        there = scope["path"].endswith("/") and any(
            route.matches({**scope, "path": path})[0] is not Match.NONE for route in router.routes
        )
        if not there:
            await missing(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        await RedirectResponse(quote(path) + (f"?{query}" if query else ""))(scope, receive, send)

    router.default = answer
