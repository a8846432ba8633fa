"""What does a form say? Its fields as the routes take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from repoctx.errors import UsageError
from repoctx.serve.rest.callers import Caller
from repoctx.serve.rest.jobs import State
from repoctx.serve.rest.problems import plain
from repoctx.serve.rest.state import Service
from repoctx.store import snapshots
from repoctx.store.connect import errors

# Names that a field suggests.
SUGGESTED = 500

Asked = TypeVar("Asked", bound=BaseModel)


def checked(kind: type[Asked], given: Mapping[str, Any], empty: tuple[str, ...] = ()) -> Asked:
    """What a form says, as the route takes it; fields that are left empty are left out but for some. Raises
    UsageError."""
    given = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
    try:
        return kind.model_validate({k: v for k, v in given.items() if k in empty or v not in ("", None, [])})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said_wrong = plain(first["type"], first["msg"])
        raise UsageError(f"{place}: {said_wrong}" if place else said_wrong) from None


def listed(text: str) -> list[str]:
    """What stands on the lines of a field."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def chosen(given: Sequence[State | Literal[""]] | None) -> list[State]:
    """The states that a form asks for, in which "" stands for any."""
    return [one for one in given or () if one]


def named(service: Service, caller: Caller) -> list[str]:
    """The repositories that a visitor may choose from, by name."""
    with errors(service.engine), service.engine.connect() as connection:
        every = [one.name for one in snapshots.all_repositories(connection) if caller.sees(one.name)]
    return every[:SUGGESTED]
