"""What is in a pack, and how much of it does it share with another?"""

from __future__ import annotations

import hashlib
from collections import Counter as Count
from collections.abc import Mapping, Sequence
from typing import Any

from repoctx.errors import RefusedError
from repoctx.pack.order import is_core
from repoctx.pack.tile import Document, Fragment
from repoctx.types import Block, Pack, Part, Plan, Redacted

# Zones that depend on the snapshot alone, however the task reads.
STABLE = ("instructions", "map", "bulk")


def parts(files: Sequence[Sequence[Fragment]], documents: Mapping[str, Document], bulk: int) -> tuple[Part, ...]:
    """The manifest's parts, in prompt order; the first `bulk` files are those of the bulk."""
    shown = [
        (fragment, "bulk" if number < bulk else "core" if is_core(file) else "evidence")
        for number, file in enumerate(files)
        for fragment in file
    ]
    found = []
    for position, (fragment, zone) in enumerate(shown):
        repository = documents[fragment.path].repository
        path = fragment.path.removeprefix(f"{repository}/") if repository else fragment.path
        found.append(
            Part(
                path, fragment.start_line, fragment.end_line, fragment.detail, fragment.tokens,
                position, zone, fragment.score, fragment.reasons, repository,
            )
        )  # fmt: skip
    return tuple(found)


def blocks(
    texts: Sequence[tuple[str, int]], zones: Sequence[str], files: Sequence[Sequence[Fragment]]
) -> tuple[Block, ...]:
    """The pieces of the prompt: instructions, map, files and task."""
    paths = iter([file[0].path for file in files])
    found, at = [], 0
    for (text, count), zone in zip(texts, zones, strict=True):
        path = "" if zone in ("instructions", "map", "task") else next(paths)
        if text:
            found.append(Block("bulk" if zone == "filling" else zone, path, at, at + len(text), count))
        at += len(text)
    return tuple(found)


def redacted(files: Sequence[Sequence[Fragment]], documents: Mapping[str, Document]) -> tuple[Redacted, ...]:
    """The secrets that were cut out of the lines that are shown."""
    found: dict[str, set[tuple[int, str, int]]] = {}
    for file in files:
        for number, (line, kind) in enumerate(documents[file[0].path].redacted):
            if any(one.detail != "name" and one.start_line <= line <= one.end_line for one in file):
                found.setdefault(file[0].path, set()).add((line, kind, number))
    return tuple(
        Redacted(path, kind, times)
        for path in sorted(found)
        for kind, times in sorted(Count(kind for _, kind, _ in found[path]).items())
    )


def manifest(packed: Pack) -> dict[str, Any]:
    """The account of a pack as JSON values: plan, parts, zones, snapshot and commit.

    `prefixes` tells for each block how many tokens there are up to its end, and a hash of them: what two prompts
    share can be told from their manifests alone.
    """
    plan = {name: getattr(packed.plan, name) for name in Plan.__dataclass_fields__}
    plan["outlook"] = [one._asdict() for one in packed.plan.outlook]
    plan["prompt_tokens"] = packed.plan.predicted_tokens + packed.plan.template_tokens  # as a server reports it
    zones: Count[str] = Count()
    for block in packed.blocks:
        zones[block.zone] += block.tokens
    return {
        "plan": plan,
        "parts": [
            {**part._asdict(), "reasons": [reason._asdict() for reason in part.reasons]} for part in packed.parts
        ],
        "zones": [{"zone": zone, "tokens": count} for zone, count in zones.items()],
        "redacted": [one._asdict() for one in packed.redacted],
        "repositories": [origin._asdict() for origin in packed.origins],
        "prefixes": prefixes(packed),
        "snapshot": packed.snapshot,
        "commit": packed.commit,
    }


def prefixes(packed: Pack) -> list[dict[str, Any]]:
    """The tokens up to the end of each block, and 16 hex digits of the hash of the prompt up to there."""
    digest, total, found = hashlib.sha256(), 0, []
    for block in packed.blocks:
        digest.update(packed.prompt[block.start : block.end].encode())
        total += block.tokens
        found.append({"tokens": total, "hash": digest.hexdigest()[:16]})
    return found


def prefix(packed: Pack, previous: Any) -> int:
    """The tokens of the whole blocks with which a prompt and that of a previous manifest begin.

    Raises RefusedError for what is no manifest of a pack.
    """
    try:
        known = {(one["tokens"], one["hash"]) for one in previous["prefixes"]}
    except (TypeError, KeyError) as error:
        raise RefusedError(
            "the previous manifest is none that `repoctx pack --manifest` wrote: it has no prefixes"
        ) from error
    shared = 0
    for one in prefixes(packed):
        if (one["tokens"], one["hash"]) not in known:
            break
        shared = one["tokens"]
    return shared
