"""How do several rankers become one order, and why is a hit where it is?

What rankers say of a chunk, of its file and of a symbol is scaled to 0..1, weighted by the kind of query
(`resources/weights.toml`) and added up, then multiplied by what the role of its file says (`resources/roles.toml`).
Every contribution stays visible as a reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from repoctx.errors import UsageError
from repoctx.retrieve.query import Kind
from repoctx.types import Floats, Ints

KINDS: tuple[Kind, ...] = get_args(Kind)

# Scores are rounded so that the last bits, which differ between CPUs, decide nothing.
DECIMALS = 6

# Folders that say a version: `v1`. Those of a path that are looked at, from its beginning.
_VERSION = re.compile(r"(?<![^/])v(?P<number>\d{1,4})(?=/)")
MOST_VERSIONS = 8


# --- weights -----------------------------------------------------------------------------------


class Weights(NamedTuple):
    """What each ranker counts for one kind of query."""

    chunk: Mapping[str, float]
    file: Mapping[str, float]
    symbol: Mapping[str, float]


@cache
def weights(text: str | None = None) -> Mapping[Kind, Weights]:
    """The weights of a file like `resources/weights.toml`, by default those.

    Raises UsageError for a text that is not such a file.
    """
    try:
        read = tomllib.loads(_resource("weights.toml") if text is None else text)
        tables = {level: _columns(read.pop(level)) for level in Weights._fields}
        if read:
            raise ValueError(f"unknown table {min(read)!r}")
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"the weights cannot be read ({error}): remove them, or write them anew") from error
    if text is not None:
        known = weights()
        for kind in KINDS:
            for level in Weights._fields:
                if extra := set(tables[level][kind]) - {n for k in KINDS for n in getattr(known[k], level)}:
                    raise UsageError(f"the weights name an unknown ranker of a {level}: {min(extra)!r}")
    return {kind: Weights(*(tables[level][kind] for level in Weights._fields)) for kind in KINDS}


def _columns(table: Mapping[str, Mapping[str, Any]]) -> dict[Kind, dict[str, float]]:
    """Ranker -> kind -> weight turned into kind -> ranker -> weight."""
    for ranker, row in table.items():
        for kind, weight in row.items():
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if kind not in KINDS or not (number and 0 <= weight <= 1000):
                raise ValueError(f"{ranker}: {kind} = {weight!r}")
    return {kind: {ranker: float(row[kind]) for ranker, row in table.items() if row.get(kind)} for kind in KINDS}


def written(weights: Mapping[Kind, Weights]) -> str:
    """Weights as such a file."""
    lines = []
    for level in Weights._fields:
        rankers = sorted({ranker for kind in KINDS for ranker in getattr(weights[kind], level)})
        lines.append(f"[{level}]")
        for ranker in rankers:
            row = [(kind, getattr(weights[kind], level).get(ranker)) for kind in KINDS]
            inner = ", ".join(f"{kind} = {weight:g}" for kind, weight in row if weight)
            lines.append(f'"{ranker}" = {{ {inner} }}')
        lines.append("")
    return "\n".join(lines)


@cache
def _resource(name: str) -> str:
    return (files("repoctx") / "resources" / name).read_text(encoding="utf-8")


# --- roles of files ----------------------------------------------------------------------------


class Role(NamedTuple):
    """What a file is in its repository."""

    name: str
    patterns: tuple[re.Pattern[str], ...]
    factor: Mapping[str, float]  # by kind of query
    asked: str  # what a query may ask for that lifts the factor: "tests", or ""


@cache
def roles() -> tuple[Role, ...]:
    """The roles, in the order in which they are looked for."""
    rows = tomllib.loads(_resource("roles.toml"))["role"]
    return tuple(
        Role(row["name"], tuple(map(re.compile, row["patterns"])), row["factor"], row.get("asked", "")) for row in rows
    )


def file_roles(paths: Sequence[str]) -> list[Role | None]:
    """The role of each file of a snapshot."""
    superseded = next(role for role in roles() if role.name == "superseded")
    versions = [list(islice(_VERSION.finditer(path), MOST_VERSIONS)) for path in paths]
    newest: dict[str, int] = {}
    for path, found in zip(paths, versions, strict=True):
        for version in found:
            folder = path[: version.start("number")]
            newest[folder] = max(newest.get(folder, 0), int(version["number"]))
    roles_found = []
    for path, found in zip(paths, versions, strict=True):
        by_name = next((role for role in roles() if any(pattern.search(path) for pattern in role.patterns)), None)
        old = any(int(version["number"]) < newest[path[: version.start("number")]] for version in found)
        roles_found.append(by_name or (superseded if old else None))
    return roles_found


def factors(found: Sequence[Role | None], kind: Kind, asked: frozenset[str] = frozenset()) -> Floats:
    """(F,) what the role of each file multiplies its score by; `asked` are roles that the query wants."""
    return np.array(
        [1.0 if role is None or role.asked in asked else role.factor[kind] for role in found], np.float32
    ).reshape(-1)


# --- scores ------------------------------------------------------------------------------------


def scaled(scores: Floats) -> Floats:
    """Scores divided by the best one; all zero if none is positive."""
    best = float(scores.max(initial=0.0))
    return scores / np.float32(best) if best > 0 else np.zeros_like(scores)


def spread(likeness: Floats, most: int) -> Floats:
    """Likenesses, best first, as 0..1: `most` of them reach down to the least one, fewer to no likeness at all.

    Cosines of all good chunks lie close together, so what counts is how far above the rest one is.
    """
    least = float(likeness[-1]) if len(likeness) >= most else 0.0
    width = float(likeness[0]) - least
    return ((likeness - least) / width if width > 0 else np.ones_like(likeness)).astype(np.float32)


def file_scores(scores: Floats, chunk_file: Ints, files: int) -> Floats:
    """(F,) evidence of whole files: the 4-norm of their chunks' scores.

    The best chunk counts most; four equally good ones count 1.4 times as much, a hundred 3 times. A sum
    would favour large files, a maximum would not see that a file is about the subject.
    """
    some = np.flatnonzero(scores)
    powers = np.bincount(chunk_file[some], scores[some].astype(np.float64) ** 4, files)
    evidence: Floats = (powers**0.25).astype(np.float32)
    return evidence


def fuse(rankers: Mapping[str, Floats], weights: Mapping[str, float], size: int) -> NDArray[np.float64]:
    """(size,) weighted sum of what rankers say, each in 0..1; the order is immaterial."""
    total = np.zeros(size, np.float64)
    for name in sorted(rankers):
        if weight := weights.get(name, 0.0):
            total += weight * rankers[name].astype(np.float64)
    return total


def shares(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """What each ranker contributed to one hit, largest first; the shares sum to 1."""
    total = sum(parts[name] for name in sorted(parts))
    present = [(name, round(value / total, 4)) for name, value in parts.items() if value > 0] if total else []
    return sorted(present, key=lambda item: (-item[1], item[0]))
