"""Which state of a repository is an answer about, and is a newer one known?"""

from __future__ import annotations

import hashlib

from fastapi import Request, Response

from repoctx import __version__
from repoctx.serve.freshness import Freshness
from repoctx.serve.freshness import freshness as freshness_of
from repoctx.serve.freshness import newer as newer
from repoctx.serve.rest.state import Service
from repoctx.store.snapshots import Ref, Repository


class NotModified(Exception):
    """The caller has the answer already."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def freshness(service: Service, repository: Repository, ref: Ref) -> Freshness:
    """The state that a ref stands for, and the push that it does not know of."""
    return freshness_of(service.engine, repository, ref)


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
