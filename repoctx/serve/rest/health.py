"""Is the service alive, can it answer, and how is it doing?"""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from repoctx import __version__
from repoctx.errors import RepoctxError
from repoctx.serve.rest import metrics
from repoctx.serve.rest.callers import Reader
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.state import ServiceState
from repoctx.store import connect
from repoctx.store.connect import errors

router = APIRouter(tags=["operation"])

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Health(BaseModel):
    """That the process lives."""

    status: str = "ok"
    version: str = __version__


@router.get("/healthz", operation_id="health", summary="Is the process alive?")
async def health() -> Health:
    """The process answers; nothing else is looked at."""
    return Health()


@router.get("/readyz", operation_id="readiness", summary="Can it answer questions?")
def readiness(service: ServiceState) -> Health:
    """The database answers, and its schema is the one that this version needs."""
    try:
        with errors(service.engine):
            found = connect.version(service.engine)
    except RepoctxError:
        raise Refusal(503, "the database cannot be reached", {"Retry-After": "5"}) from None
    if found != connect.HEAD:
        raise Refusal(503, f"the schema of the database is {found}, not {connect.HEAD}: start the service anew")
    return Health()


@router.get("/metrics", operation_id="metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
def show_metrics(service: ServiceState, caller: Reader) -> Response:
    """Requests, queries, jobs, lag, deliveries. Needs a token that may see all repositories."""
    if not caller.sees_all:
        raise Refusal(403, "metrics tell of all repositories: use a token that may see them all")
    return Response(metrics.text(service.engine), media_type=TEXT)
