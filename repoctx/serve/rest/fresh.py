"""Which state of a repository is an answer about, and is a newer one known?"""

from __future__ import annotations

import hashlib
import time

import sqlalchemy as sa
from fastapi import Request, Response

from repoctx import __version__
from repoctx.serve.rest.state import Service
from repoctx.serve.rest.wire import Behind, Freshness, moment
from repoctx.store import jobs
from repoctx.store.connect import errors
from repoctx.store.snapshots import Ref, Repository


class NotModified(Exception):
    """The caller has the answer already."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def freshness(service: Service, repository: Repository, ref: Ref) -> Freshness:
    """The state that a ref stands for, and the push that it does not know of."""
    with errors(service.engine), service.engine.connect() as connection:
        push = newer(connection, repository, ref)
    return Freshness(
        repository=repository.name,
        ref=ref.name,
        commit=ref.commit,
        dirty=ref.dirty,
        snapshot=ref.snapshot,
        indexed_at=ref.indexed_at,
        behind=push,
    )


def newer(connection: sa.Connection, repository: Repository, ref: Ref) -> Behind | None:
    """The pushes that a ref's index does not know of, by the newest job for it: one that is not done."""
    names = [ref.name, *([""] if ref.name == repository.default_ref else [])]
    every = jobs.open_of(connection, repository.id, names)  # one may run while another waits
    job = every[0] if every else jobs.latest(connection, repository.id, names)
    if job is None or job.state == "done" or (not every and jobs.made_up(job.requested_at, ref.indexed_at)):
        return None
    every = every or [job]
    since = min(one.requested_at for one in every)
    return Behind(
        commit=job.commit,
        since=moment(since),
        seconds=round(max(0.0, time.time() - since), 3),
        pushes=sum(one.pushes for one in every),
        job=job.id,
        state=job.state,
    )


def tagged(request: Request, response: Response, ref: Ref, fresh: Freshness) -> None:
    """Mark an answer that follows from a snapshot and the address alone. Raises NotModified if the caller has it."""
    address = f"{request.url.path}?{request.url.query}"
    pushes = fresh.behind and (fresh.behind.job, fresh.behind.state, fresh.behind.pushes)
    known = (__version__, address, ref.snapshot, ref.tree, ref.embedding_model, ref.indexed_at, pushes)
    digest = hashlib.sha256(repr(known).encode()).hexdigest()[:32]
    tag = f'W/"{digest}"'
    asked = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if asked & {"*", tag.removeprefix("W/")}:
        raise NotModified(tag)
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
