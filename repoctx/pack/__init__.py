"""Which prompt holds the evidence that a task needs, in the fewest tokens? Pure: values in, values out.

`tile` says which pieces of a file can be shown on their own, `fit` chooses, `order` arranges, `render`
writes, `plan` decides the size and the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from repoctx import tokens
from repoctx.errors import BudgetError
from repoctx.pack import fit, order, render
from repoctx.pack.order import is_core
from repoctx.pack.plan import Window, auto_budget, map_budget, reserve, tier_for
from repoctx.pack.tile import Document, Fragment
from repoctx.types import Hit, Pack, Part, Plan

__all__ = ["Document", "Window", "auto_budget", "manifest", "map_budget", "pack"]


def pack(
    task: str,
    hits: Sequence[Hit],
    documents: Mapping[str, Document],
    map_text: str,
    model: Window,
    budget: int | None,
    snapshot: str,
    commit: str | None,
) -> Pack:
    """The prompt for a task, and the account of what is in it.

    `hits` come best first, `documents` are the files that may go in, by path. `budget` bounds the tokens of
    the prompt with its chat template; None lets the evidence decide (`plan.auto_budget`). The map is cut to
    its share of the budget (`plan.map_budget`). Raises BudgetError if instructions and task do not fit, or
    if no window of the model holds the budget.
    """
    template = tokens.chat_overhead()
    frame = tokens.count(render.INSTRUCTIONS) + tokens.count(render.task_block(task)) + template
    size = auto_budget(hits, model, frame) if budget is None else budget
    tier_for(model, size)  # raises BudgetError if no window holds the budget
    if frame > size:
        raise BudgetError(
            f"A budget of {size:,} tokens cannot hold the instructions and the task: they take {frame:,}."
        )
    shown_map = _cut_map(map_text, min(map_budget(size), size - frame))
    map_tokens = tokens.count(render.map_block(shown_map))
    files = order.order(fit.fit(hits, documents, size - frame - map_tokens))
    prompt = render.render(files, documents, shown_map, task)
    predicted = tokens.count(prompt)
    tier = tier_for(model, predicted + template)  # of what there is, not of what was allowed
    plan = Plan(
        model=model.model,
        tier=tier.name,
        rope_factor=tier.rope_factor,
        window=tier.window,
        budget=size,
        predicted_tokens=predicted,
        template_tokens=template,
        reserve=reserve(tier.window, model.output),
        stable_prefix_tokens=tokens.count(render.INSTRUCTIONS) + map_tokens,
    )
    return Pack(prompt, plan, tuple(_parts(files)), snapshot, commit)


def manifest(packed: Pack) -> dict[str, Any]:
    """The account of a pack as JSON values: plan, parts, snapshot and commit."""
    plan = {name: getattr(packed.plan, name) for name in Plan.__dataclass_fields__}
    plan["prompt_tokens"] = packed.plan.predicted_tokens + packed.plan.template_tokens  # as a server reports it
    parts = [
        {**part._asdict(), "reasons": [reason._asdict() for reason in part.reasons]} for part in packed.parts
    ]
    return {"plan": plan, "parts": parts, "snapshot": packed.snapshot, "commit": packed.commit}


def _cut_map(map_text: str, room: int) -> str:
    """As many leading lines of the map as fit into `room` tokens with its frame."""
    lines = tokens.neutralise(map_text.strip()).split("\n")
    counts = tokens.line_counts("\n".join(lines) + "\n").tolist()
    left = room - tokens.count(render.map_block("x"))
    taken = 0
    while taken < len(counts) and counts[taken] <= left:
        left -= counts[taken]
        taken += 1
    while 0 < taken < len(lines) and not tokens.clean_cut(lines[taken]):
        taken -= 1
    return "\n".join(lines[:taken])


def _parts(files: Sequence[Sequence[Fragment]]) -> list[Part]:
    """The manifest's parts, in prompt order."""
    shown = [(fragment, "core" if is_core(file) else "bulk") for file in files for fragment in file]
    return [
        Part(
            fragment.path, fragment.start_line, fragment.end_line, fragment.detail, fragment.tokens,
            position, zone, fragment.score, fragment.reasons,
        )
        for position, (fragment, zone) in enumerate(shown)
    ]  # fmt: skip
