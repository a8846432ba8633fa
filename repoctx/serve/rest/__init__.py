"""How do other programs ask? The REST service: `create_app` puts its routes together."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.telemetry import TelemetryConfig
from starlette.routing import Route

from repoctx import __version__
from repoctx.errors import UsageError
from repoctx.serve import children, logs
from repoctx.serve.rest import access, graph, health, hooks, jobs, problems, repositories, search, slashes, state, tasks
from repoctx.serve.rest.around import Around, is_quiet
from repoctx.serve.rest.fresh import NotModified
from repoctx.serve.rest.wire import Problem
from repoctx.workspace import Workspace

DESCRIPTION = """Index whole repositories, find what matters, pack it for a long-context code model.

Show a token as `Authorization: Bearer …`; `repoctx token create` makes one. As long as there is none, only this machine
may ask. Lines are 1-based and inclusive, columns 0-based in UTF-8 bytes, paths relative to the repository with `/`,
times RFC 3339 UTC. Errors are problem details (RFC 9457). Every answer names the commit that it is about, and tells of
a newer push that is known. `/v1/docs` shows this document as a page.
"""


def create_app(workspace: Workspace | None = None) -> FastAPI:
    """The service on a workspace, by default one on the settings of the environment.

    The workspace that it opened it closes when it ends, and for that one it keeps a worker running: who hands over a
    workspace sees to the workers too. Raises UsageError or StorageError for a workspace that cannot be used.
    """
    from repoctx.serve.gateway import anthropic, openai  # these are built on the modules beside this one
    from repoctx.serve.gateway.context import HEADERS
    from repoctx.serve.gateway.upstream import connected
    from repoctx.serve.mcp.http import Mounted
    from repoctx.serve.web import pages

    if not structlog.is_configured():
        logs.quiet()
    opened = workspace or Workspace()
    worker = _Embedded(opened) if workspace is None else None
    _ = opened.engine  # a database that cannot be used is told now
    settings = opened.settings

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        gc.collect()
        gc.freeze()  # what was made to begin with stays: looking through it again and again holds answers up
        service.wake()
        async with hooks.recording(service), connected(service), mounted.living():
            yield
        if worker is not None:
            worker.close()
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
        redirect_slashes=False,  # `slashes` does it
        responses=problems.RESPONSES,
        separate_input_output_schemas=False,
        telemetry=_telemetry(),
    )
    service = app.state.service = state.make(opened, int if worker is None else worker.wake)
    mounted = Mounted(service)
    problems.add_to(app)

    @app.exception_handler(NotModified)
    def _same(_: Request, found: NotModified) -> Response:
        return Response(status_code=304, headers={"ETag": found.tag, "Cache-Control": "private, no-cache"})

    for part in (repositories, jobs, search, graph, tasks, hooks, openai, anthropic, access, health):
        app.include_router(part.router)
    for router in pages.ROUTERS:
        app.include_router(router)
    app.router.routes.append(Route("/mcp", mounted, include_in_schema=False))
    slashes.follow(app)
    if settings.serve_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.serve_origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "X-Repoctx-Repository", "Content-Type", "If-None-Match"],
            expose_headers=["ETag", "X-Request-ID", *HEADERS],
        )
    app.add_middleware(Around, service=lambda: app.state.service)
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    return app


def _telemetry() -> TelemetryConfig:
    """Traces and metrics of requests, by OpenTelemetry, where `OTEL_EXPORTER_OTLP_ENDPOINT` says where they go.

    Raises UsageError where the extra for that is not installed. No logs: messages of errors stay here.
    """
    wanted = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    if wanted and find_spec("opentelemetry.exporter.otlp") is None:
        raise UsageError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but what sends traces is not installed: pip install "
            "'repoctx[telemetry]', or unset it"
        )
    return {"auto_configure": wanted, "logs": False, "operation_spans": False, "exclude": is_quiet}


class _Embedded:
    """A worker beside an app that nobody else has started one for."""

    def __init__(self, opened: Workspace) -> None:
        self._opened, self._running, self._turn = opened, ExitStack(), threading.Lock()
        self._started = False

    def wake(self) -> None:
        """Start it, if that was not done before."""
        with self._turn:
            if not self._started:
                self._started = True
                self._running.enter_context(children.worker(self._opened, "json"))

    def close(self) -> None:
        """End it."""
        with self._turn:
            self._running.close()
            self._started = False


def _schema(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the problem that every error is."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        made["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        made["components"]["schemas"].pop("HTTPValidationError", None)
        made["components"]["schemas"].pop("ValidationError", None)
        app.openapi_schema = made
    return app.openapi_schema
