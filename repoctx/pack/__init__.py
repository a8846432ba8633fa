"""Which prompt holds the evidence that a task needs, in the fewest tokens? Pure: values in, values out.

`tile` says which pieces of a file can be shown on their own, `fit` chooses the evidence, `bulk` what a large pack has
whatever the task, `order` arranges, `render` writes, `plan` decides the size and the window, `account` says what
became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from repoctx import tokens
from repoctx.counters import Counter
from repoctx.errors import BudgetError
from repoctx.pack import account, bulk, fit, order, plan, render
from repoctx.pack.account import manifest, prefix
from repoctx.pack.bulk import Steady
from repoctx.pack.plan import Price, Window, auto_budget, map_budget, reserve, room, tier_for
from repoctx.pack.render import FORMATS, XML, Format
from repoctx.pack.tile import Document, Fragment, counted
from repoctx.types import Hit, Origin, Pack, Plan, Reason

__all__ = [
    "FORMATS", "Document", "Price", "Steady", "Supply", "Window", "auto_budget", "manifest", "map_budget", "pack",
    "prefix", "reserve", "room",
]  # fmt: skip

# Beside a bulk, room for so many tokens that no evidence wants is given to more of the files that are worth it.
SPARE = 2000


def _no_documents(paths: Sequence[str]) -> Mapping[str, Document]:
    return {}


@dataclass(frozen=True, slots=True, eq=False)
class Supply:
    """What a pack is made of, beside the task."""

    hits: Sequence[Hit]  # best first; of those without a document nothing is shown
    documents: Mapping[str, Document]  # the files that may go in, by path, with Qwen's line counts
    map_text: str | Callable[[int], str] = ""  # the map, or the map of so many tokens
    forced: int = 0  # so many of the hits come first and must go in
    steady: Sequence[Steady] = ()  # what the bulk is chosen from
    load: Callable[[Sequence[str]], Mapping[str, Document]] = _no_documents  # the documents of the bulk
    why: Callable[[Sequence[int]], Mapping[int, tuple[Reason, ...]]] | None = None  # reasons of hits by place
    kind: str = "report"  # of the query
    sharpness: float = 0.0  # see `retrieve.worth`
    strange: bool = False  # likewise
    origins: tuple[Origin, ...] = ()


def pack(task: str, supply: Supply, model: Window, budget: int | None = None, style: Format = XML) -> Pack:
    """The prompt for a task, and the account of what is in it.

    Tokens are those of the model's counter; where it estimates, its margin is kept free. `budget` bounds the tokens of
    the prompt with its chat template; None lets the evidence decide (`plan.auto_budget`). The map is cut to its share
    of the budget (`plan.map_budget`). Raises BudgetError if instructions, task and what is forced do not fit, or if no
    window of the model holds the budget.
    """
    counter, template = model.counter, model.template
    frame = counter.most(counter.count(render.render([], {}, "", task, counter, style))) + template
    supply = _recounted(supply, counter)
    hits = supply.hits[: supply.forced]
    forced = fit.needed(hits, supply.documents, counter, style) if hits else 0
    size = budget or auto_budget(supply.kind, supply.sharpness, model, frame + counter.most(forced))
    tier_for(model, size)  # raises BudgetError if no window holds the budget
    if frame > size:
        raise BudgetError(
            f"A budget of {size:,} tokens cannot hold the instructions and the task: they take {frame:,}, so ask for "
            "at least that many."
        )
    most = counter.within(size - template)  # tokens of the prompt, as they are counted
    made = _made(task, supply, counter, style, size, most, forced)
    prompt = "".join(block for block, _ in made.blocks)
    tier = tier_for(model, counter.most(made.tokens) + template)  # of what there is, not of what was allowed
    kind = plan.STRANGE if supply.strange else supply.kind
    outlooks = plan.outlook(kind, supply.sharpness, model, frame, size) if supply.hits else ()
    steady = sum(count for (_, count), zone in zip(made.blocks, made.zones, strict=True) if zone in account.STABLE)
    planned = Plan(
        model=model.model,
        tier=tier.name,
        rope_factor=tier.rope_factor,
        window=tier.window,
        budget=size,
        tokenizer=counter.name,
        exact=counter.exact,
        margin=counter.margin,
        predicted_tokens=made.tokens,
        template_tokens=template,
        reserve=reserve(tier.window, model.output),
        stable_prefix_tokens=steady,
        format=style.name,
        likelihood=next((one.likelihood for one in outlooks if one.budget == size), 0.0),
        why=plan.explained(kind, outlooks, size, auto=budget is None) if outlooks else "no evidence was found",
        outlook=outlooks,
    )
    files = _with_reasons([*made.bulk, *made.files], supply)
    origin = supply.origins[0] if len(supply.origins) == 1 else Origin("", "", "", None)
    return Pack(
        prompt, planned, account.parts(files, made.documents, len(made.bulk)), origin.snapshot, origin.commit,
        account.blocks(made.blocks, made.zones, files), account.redacted(files, made.documents), supply.origins,
    )  # fmt: skip


class _Made(NamedTuple):
    """A prompt in pieces."""

    blocks: list[tuple[str, int]]  # the text of each, and its tokens
    zones: list[str]
    bulk: list[list[Fragment]]
    files: list[list[Fragment]]  # evidence and core
    documents: Mapping[str, Document]
    tokens: int


def _recounted(supply: Supply, counter: Counter) -> Supply:
    """The documents with the line counts of another counter."""
    if counter.stored:
        return supply

    def load(paths: Sequence[str]) -> Mapping[str, Document]:
        return {path: counted(one, counter) for path, one in supply.load(paths).items()}

    return replace(
        supply, load=load, documents={path: counted(one, counter) for path, one in supply.documents.items()}
    )


def _made(task: str, supply: Supply, counter: Counter, style: Format, size: int, most: int, forced: int) -> _Made:
    """The prompt of at most `most` tokens, of which what is forced takes some.

    Lines and blocks add up with Qwen's tokenizer where lines stand as they are. Otherwise a token may reach from one
    line to the next, so the whole prompt is counted, and where it has too many tokens less evidence goes in.
    """
    exact = counter.stored and style.line is None
    tail = render.tail(task, counter, style)
    ends = counter.count(tail) + counter.count(render.head("", counter, style))
    text = supply.map_text(map_budget(size)) if callable(supply.map_text) else supply.map_text
    shown_map = _cut_map(text, min(map_budget(size), most - ends), counter, style)
    heads = [style.instructions + style.files[0], render.map_block(shown_map, counter, style)]
    if counter.count("".join(heads) + tail) > most:
        heads[1] = ""
    around = [(text, counter.count(text)) for text in (*heads, tail)]
    fixed = sum(count for _, count in around)
    room = min(bulk.bulk_room(most) - around[0][1] - map_budget(size), most - fixed - forced)
    steady, spare = _bulk(supply, room, counter, style)
    left = most - fixed - sum(count for *_, count in steady)
    less = 1
    while True:
        files = _evidence(supply, left, counter, style, {file[0].path for _, file, _ in steady})
        costs = [render.block_tokens(supply.documents[file[0].path], file, counter, style) for file in files]
        more = _spare(supply, files, spare, left - sum(costs), counter, style) if steady else []
        documents = {**supply.documents, **{document.path: document for document, *_ in [*steady, *more]}}
        whole = [file for _, file, _ in [*steady, *more]]
        texts = render.blocks_of([*whole, *files], documents, counter, style)
        told = list(zip(texts, [*(count for *_, count in [*steady, *more]), *costs], strict=True))
        blocks = [around[0], *told[: len(steady)], around[1], *told[len(steady) :], around[2]]
        total = sum(count for _, count in blocks) if exact else counter.count("".join(text for text, _ in blocks))
        if total > most and not (files or more) and steady:
            steady.pop()
            left = most - fixed - sum(count for *_, count in steady)
            continue
        if total <= most or not (files or more):
            zones = ["instructions", *(["bulk"] * len(steady)), "map", *(["filling"] * len(more))]
            zones += ["core" if order.is_core(file) else "evidence" for file in files] + ["task"]
            return _Made(blocks, zones, whole, files, documents, total)
        left -= less * (total - most)
        less *= 2


def _evidence(
    supply: Supply, room: int, counter: Counter, style: Format, shown: set[str]
) -> list[list[Fragment]]:
    if room <= 0 and not supply.forced:
        return []
    chosen = fit.fit(supply.hits, supply.documents, room, counter, style, forced=supply.forced, shown=shown)
    return order.order(chosen, supply.documents)


Whole = tuple[Document, list[Fragment], int]  # a file, all of it as a fragment, and the tokens of its block


def _bulk(supply: Supply, room: int, counter: Counter, style: Format) -> tuple[list[Whole], list[Steady]]:
    """The files of the bulk in order, which take at most `room` tokens, and those that would come next."""
    if room <= 0 or not supply.steady:
        return [], []
    wanted = room
    while True:
        chosen, rest = bulk.choose(supply.steady, wanted, counter, style)
        whole = _whole(supply, chosen, counter, style)
        used = sum(count for *_, count in whole)
        if used <= room:
            return whole, rest
        wanted = min(wanted, bulk.expected(chosen, counter, style)) * room // used - 1


def _spare(
    supply: Supply, files: list[list[Fragment]], spare: Sequence[Steady], left: int, counter: Counter, style: Format
) -> list[Whole]:
    """More of the bulk where the evidence leaves room."""
    if left < SPARE:
        return []
    there = {file[0].path for file in files}
    return _bulk(replace(supply, steady=[one for one in spare if one.path not in there]), left, counter, style)[0]


def _whole(supply: Supply, chosen: Sequence[Steady], counter: Counter, style: Format) -> list[Whole]:
    documents = supply.load([file.path for file in chosen])
    shown = bulk.fragments([documents[file.path] for file in chosen], counter, style)
    return [
        (documents[file[0].path], file, render.block_tokens(documents[file[0].path], file, counter, style))
        for file in shown
    ]


def _cut_map(map_text: str, most: int, counter: Counter, style: Format) -> str:
    """As many leading lines of the map as fit into `most` tokens with its frame."""
    lines = counter.neutralise(map_text.strip()).split("\n")
    counts = counter.line_counts("\n".join(lines) + "\n").tolist()
    left = most - counter.count(render.map_block("x", counter, style))
    taken = 0
    while taken < len(counts) and counts[taken] <= left:
        left -= counts[taken]
        taken += 1
    while 0 < taken < len(lines) and not tokens.clean_cut(lines[taken]):
        taken -= 1
    return "\n".join(lines[:taken])


def _with_reasons(files: Sequence[list[Fragment]], supply: Supply) -> list[list[Fragment]]:
    """The fragments with the reasons of their hits, where those are told afterwards."""
    if supply.why is None:
        return list(files)
    places = sorted({one.rank for file in files for one in file if one.rank < len(supply.hits)})
    told = supply.why(places)
    return [
        [one._replace(reasons=told[one.rank]) if one.rank in told else one for one in file] for file in files
    ]
