"""What does MCP say of a tool, and which arguments and answers do all tools share?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from repoctx.errors import UsageError
from repoctx.tasks.tools.shape import BOOLEAN, INTEGER, NUMBER, STRING, obj, text


class Offer(NamedTuple):
    """A tool as it is listed."""

    name: str
    title: str
    description: str
    arguments: Mapping[str, Any]
    answer: Mapping[str, Any]
    looks: bool = True  # whether it only looks something up; what does more asks a model


WHERE = {
    "repository": text("name of the repository; not needed where there is only one", 200),
    "ref": text("branch, tag or commit that is indexed; left out: the usual one", 1000),
}
FRESH = obj(
    ["repository", "ref", "dirty", "snapshot", "indexed_at"],
    repository=STRING, ref=STRING, commit=STRING,
    dirty={**BOOLEAN, "description": "whether uncommitted changes are in it"},
    snapshot=STRING, indexed_at=STRING,
    behind={
        **obj(["since", "seconds", "pushes", "job", "state"], commit=STRING, since=STRING, seconds=NUMBER,
              pushes=INTEGER, job=STRING, state=STRING),
        "description": "a newer push that is known and not indexed yet",
    },
)  # fmt: skip


class Asked(NamedTuple):
    """The arguments of a call."""

    repository: str | None
    ref: str | None
    rest: Mapping[str, Any]


def asked(given: Mapping[str, Any]) -> Asked:
    """What a call is about, and its other arguments. Raises UsageError."""
    rest = {key: value for key, value in given.items() if key not in WHERE}
    return Asked(_said("repository", given.get("repository")), _said("ref", given.get("ref")), rest)


def _said(key: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str) or len(value) > WHERE[key]["maxLength"]:
        raise UsageError(f"{key!r} must be a short text")
    return value.strip()
