"""What do answers look like in JSON? Models that several routes share; each route's own stand beside it."""

from __future__ import annotations

import time
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from repoctx.serve.freshness import Behind as Behind
from repoctx.serve.freshness import Freshness as Freshness
from repoctx.serve.freshness import moment as moment

Item = TypeVar("Item")
Model = Annotated[str, StringConstraints(max_length=200)]
# A name of a branch, a tag or a commit; the store and git look closer.
RefName = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x20\x7f~^:?*\[\\]+$")]


class Asked(BaseModel):
    """What a caller sends: fields that are not known are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no repository is called 'shop'"])
    instance: str = Field(examples=["urn:request:0f3a9c"])
    errors: list[dict[str, Any]] | None = None


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(None, description="give it as `cursor` to get what follows; null at the end")


def times(started: float | None, finished: float | None) -> dict[str, Any]:
    """When something was begun and ended, and how long it took, or has taken until now."""
    ended = finished if finished is not None else time.time()
    return {
        "started_at": None if started is None else moment(started),
        "finished_at": None if finished is None else moment(finished),
        "seconds": None if started is None else round(max(0.0, ended - started), 3),
    }
