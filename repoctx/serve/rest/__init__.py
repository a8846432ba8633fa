"""How do other programs ask? The REST service: `create_app` puts its routes together."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware

from repoctx import __version__
from repoctx.serve.rest import graph, health, hooks, jobs, problems, repositories, search, state
from repoctx.serve.rest.around import Around
from repoctx.serve.rest.fresh import NotModified
from repoctx.serve.rest.wire import Problem
from repoctx.workspace import Workspace

DESCRIPTION = """Index whole repositories, find what matters, pack it for a long-context code model.

Show a token as `Authorization: Bearer …`; `repoctx token create` makes one. As long as there is none, only this machine
may ask. Lines are 1-based and inclusive, columns 0-based in UTF-8 bytes, paths relative to the repository with `/`,
times RFC 3339 UTC. Errors are problem details (RFC 9457). Every answer names the commit that it is about, and tells of
a newer push that is known.
"""


def create_app(workspace: Workspace | None = None) -> FastAPI:
    """The service on a workspace, by default one on the settings of the environment.

    It closes the workspace that it opened when it ends. Raises UsageError or StorageError for a workspace that
    cannot be used.
    """
    opened = workspace or Workspace()
    _ = opened.engine  # a database that cannot be used is told now
    settings = opened.settings

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        gc.collect()
        gc.freeze()  # what was made to begin with stays: looking through it again and again holds answers up
        async with hooks.recording(service):
            yield
        if workspace is None:
            opened.close()

    app = FastAPI(
        title="repoctx",
        version=__version__,
        description=DESCRIPTION,
        lifespan=living,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=problems.RESPONSES,
        separate_input_output_schemas=False,
    )
    service = app.state.service = state.make(opened)
    problems.add_to(app)

    @app.exception_handler(NotModified)
    def _same(_: Request, found: NotModified) -> Response:
        return Response(status_code=304, headers={"ETag": found.tag, "Cache-Control": "private, no-cache"})

    for part in (repositories, jobs, search, graph, hooks, health):
        app.include_router(part.router)
    if settings.serve_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.serve_origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match"],
            expose_headers=["ETag", "X-Request-ID"],
        )
    app.add_middleware(Around, service=lambda: app.state.service)
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    return app


def _schema(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the problem that every error is."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        made["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        made["components"]["schemas"].pop("HTTPValidationError", None)
        made["components"]["schemas"].pop("ValidationError", None)
        app.openapi_schema = made
    return app.openapi_schema
