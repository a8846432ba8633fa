"""Which state of a repository does an answer say something about, and is a newer push known?"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import sqlalchemy as sa
from pydantic import BaseModel, Field

from repoctx.store import jobs
from repoctx.store.connect import errors
from repoctx.store.snapshots import Ref, Repository


class Behind(BaseModel):
    """A push that the answer does not know of yet."""

    commit: str | None = Field(description="what was pushed last, as far as the push said")
    since: str = Field(description="when the oldest push came in that is not indexed")
    seconds: float
    pushes: int
    job: str = Field(description="the job that will bring the answer up to date, or failed to")
    state: str = Field(description="of that job", examples=["running"])


class Freshness(BaseModel):
    """Which state of a repository an answer is about."""

    repository: str
    ref: str
    commit: str | None = Field(description="null: a plain folder")
    dirty: bool = Field(description="whether uncommitted changes are in it")
    snapshot: str
    indexed_at: str
    behind: Behind | None = Field(description="a newer push that is known; null: none is")


def freshness(engine: sa.Engine, repository: Repository, ref: Ref) -> Freshness:
    """The state that a ref stands for, and the push that it does not know of."""
    with errors(engine), engine.connect() as connection:
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


def moment(seconds: float) -> str:
    """A time as RFC 3339, UTC, in milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
