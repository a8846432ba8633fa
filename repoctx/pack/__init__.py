"""Which prompt holds the evidence that a task needs, in the fewest tokens? Pure: values in, values out.

`tile` says which pieces of a file can be shown on their own, `fit` chooses, `order` arranges, `render`
writes, `plan` decides the size and the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from repoctx import tokens
from repoctx.counters import Counter
from repoctx.errors import BudgetError
from repoctx.pack import fit, order, render
from repoctx.pack.order import is_core
from repoctx.pack.plan import Window, auto_budget, map_budget, reserve, room, tier_for
from repoctx.pack.tile import Document, Fragment, counted
from repoctx.types import Hit, Pack, Part, Plan

__all__ = ["Document", "Window", "auto_budget", "manifest", "map_budget", "pack", "reserve", "room"]


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

    `hits` come best first, `documents` are the files that may go in, by path, with Qwen's line counts. Tokens are
    those of the model's counter; where it estimates, its margin is kept free. `budget` bounds the tokens of the
    prompt with its chat template; None lets the evidence decide (`plan.auto_budget`). The map is cut to its share
    of the budget (`plan.map_budget`). Raises BudgetError if instructions and task do not fit, or if no window of
    the model holds the budget.
    """
    counter, template = model.counter, model.template
    documents = documents if counter.stored else {path: counted(one, counter) for path, one in documents.items()}
    bare = counter.count(render.render([], {}, "", task, counter))
    frame = counter.most(bare) + template
    size = auto_budget(hits, model, frame) if budget is None else budget
    tier_for(model, size)  # raises BudgetError if no window holds the budget
    if frame > size:
        raise BudgetError(
            f"A budget of {size:,} tokens cannot hold the instructions and the task: they take {frame:,}."
        )
    most = counter.within(size - template)  # tokens of the prompt, as they are counted
    shown_map = _cut_map(map_text, min(map_budget(size), most - bare), counter)
    if counter.count(render.render([], {}, shown_map, task, counter)) > most:
        shown_map = ""
    files, prompt, predicted = _filled(task, hits, documents, shown_map, counter, most)
    tier = tier_for(model, counter.most(predicted) + template)  # of what there is, not of what was allowed
    plan = Plan(
        model=model.model,
        tier=tier.name,
        rope_factor=tier.rope_factor,
        window=tier.window,
        budget=size,
        tokenizer=counter.name,
        exact=counter.exact,
        margin=counter.margin,
        predicted_tokens=predicted,
        template_tokens=template,
        reserve=reserve(tier.window, model.output),
        stable_prefix_tokens=counter.count(render.INSTRUCTIONS + render.map_block(shown_map, counter)),
    )
    return Pack(prompt, plan, tuple(_parts(files)), snapshot, commit)


def _filled(
    task: str,
    hits: Sequence[Hit],
    documents: Mapping[str, Document],
    shown_map: str,
    counter: Counter,
    most: int,
) -> tuple[list[list[Fragment]], str, int]:
    """The files, the prompt that shows them, and its tokens: at most `most`, which is room for the rest of it.

    Lines and blocks add up with Qwen's tokenizer. With another a token may reach from one line to the next, so
    the whole prompt is counted, and where it has too many tokens less goes in.
    """
    room = most - counter.count(render.render([], {}, shown_map, task, counter))
    less = 1
    while True:
        files = order.order(fit.fit(hits, documents, room, counter)) if room > 0 else []
        prompt = render.render(files, documents, shown_map, task, counter)
        predicted = counter.count(prompt)
        if predicted <= most or not files:
            return files, prompt, predicted
        room -= less * (predicted - most)
        less *= 2


def manifest(packed: Pack) -> dict[str, Any]:
    """The account of a pack as JSON values: plan, parts, snapshot and commit."""
    plan = {name: getattr(packed.plan, name) for name in Plan.__dataclass_fields__}
    plan["prompt_tokens"] = packed.plan.predicted_tokens + packed.plan.template_tokens  # as a server reports it
    parts = [
        {**part._asdict(), "reasons": [reason._asdict() for reason in part.reasons]} for part in packed.parts
    ]
    return {"plan": plan, "parts": parts, "snapshot": packed.snapshot, "commit": packed.commit}


def _cut_map(map_text: str, most: int, counter: Counter) -> str:
    """As many leading lines of the map as fit into `most` tokens with its frame."""
    lines = counter.neutralise(map_text.strip()).split("\n")
    counts = counter.line_counts("\n".join(lines) + "\n").tolist()
    left = most - counter.count(render.map_block("x", counter))
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
