"""How large may the pack be, and on which window does it run?

A rope factor is a property of a running server and costs quality on every request, short ones too (YaRN
in the open servers is static), so the smallest tier that holds budget and reserve is taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from repoctx import tokens
from repoctx.counters import QWEN, Counter
from repoctx.errors import BudgetError
from repoctx.types import Outlook, Tier

# Kept free beside the output: at least this much, or this share of the window. On a window so small that
# this would take more than a quarter of it, a quarter.
SAFETY = 10_000
SAFETY_SHARE = 0.05
# An answer takes at most this share of a window, whatever the model recommends.
OUTPUT_SHARE = 0.25

# How likely all of the evidence is inside a pack: 1 / (1 + exp(-(a + b ln(tokens / 1000) + c sharpness))), by kind of
# task. Tokens are those for evidence; `sharpness` says how much the best hit stands out (`retrieve.worth`).
# Fitted: for reports to all functions to change of 62 issues of 6 repositories in packs of 3k to 96k tokens, left out
# one repository at a time the squared error is 0.147 (0.175 for their mean); for questions to all files to be found of
# 198 of 10 repositories in packs of 1k to 64k tokens, of which 93 % were right with 1k already.
LIKELY: Mapping[str, tuple[float, float, float]] = {
    "report": (-2.72, 0.81, 5.99),
    "question": (2.23, 1.67, 2.21),
    "symbol": (3.45, 1.51, 0.0),
}
# What was looked for in those packs, which is all that is said of others.
EVIDENCE: Mapping[str, str] = {
    "report": "all functions to change",
    "question": "a part of each file that answers it",
    "symbol": "a part of each file that answers it",
}
# The kind of a question that nothing is much like: how likely its evidence is inside, nobody knows.
STRANGE = "strange"
# No pack is surer: there are tasks whose evidence is nowhere in the repository.
SUREST = 0.99
# `budget=None`: the least of these sizes from which on twice the tokens add less than GAIN to the likelihood, beside
# instructions and task. More costs more, and models solve less with more around it (arXiv 2602.16069).
SIZES = (8_192, 16_384, 32_768, 65_536, 131_072)
GAIN = 0.05
# The map's share of the budget; below the least budget there is none, since evidence is worth more.
MAP_SHARE = 0.05
MAP_LEAST_BUDGET = 12_000
MAP_MOST = 8_000


class Price(NamedTuple):
    """What a million tokens of a prompt cost, up to a size of it."""

    up_to: int
    input: float
    currency: str


@dataclass(frozen=True, slots=True)
class Window:
    """What the packer needs to know of a model."""

    model: str
    tiers: tuple[Tier, ...]  # smallest first
    output: int  # tokens to keep free for the answer
    counter: Counter = QWEN
    template: int = tokens.chat_overhead()  # tokens that the chat template adds to a user message
    most_input: int | None = None  # tokens of a prompt that the server takes, where it says so
    prices: tuple[Price, ...] = ()  # least `up_to` first


def reserve(window: int, output: int) -> int:
    """Tokens of a window that a prompt leaves free: the output, and a margin for safety."""
    margin = min(max(SAFETY, int(window * SAFETY_SHARE)), window // 4)
    return min(output, int(window * OUTPUT_SHARE)) + margin


def room(model: Window, tier: Tier) -> int:
    """Tokens of the largest prompt that a tier takes, chat template included."""
    free = tier.window - reserve(tier.window, model.output)
    return free if model.most_input is None else min(free, model.most_input)


def tier_for(model: Window, budget: int) -> Tier:
    """The smallest tier that holds the budget and its reserve; BudgetError if none does."""
    for tier in model.tiers:
        if budget <= room(model, tier):
            return tier
    most = max(room(model, tier) for tier in model.tiers)
    raise BudgetError(
        f"A budget of {budget:,} tokens does not fit the largest window of {model.model}: "
        f"ask for at most {most:,} tokens."
    )


def likelihood(kind: str, tokens: int, sharpness: float) -> float:
    """How likely a pack with so many tokens for evidence holds all of it, 0..1, to two digits; 0 if nobody knows."""
    if kind == STRANGE:
        return 0.0
    constant, growth, sharp = LIKELY.get(kind, LIKELY["report"])
    logit = constant + growth * math.log(max(tokens, 1) / 1000) + sharp * sharpness
    return round(min(1 / (1 + math.exp(-logit)), SUREST), 2)


def auto_budget(kind: str, sharpness: float, model: Window, frame: int) -> int:
    """The budget that `frame` tokens of instructions and task and the evidence ask for.

    It never asks for a larger window than the one that holds the frame and the least evidence.
    """
    wanted = SIZES[-1]
    for size in SIZES:
        if likelihood(kind, 2 * size, sharpness) - likelihood(kind, size, sharpness) < GAIN:
            wanted = size
            break
    rooms = [room(model, tier) for tier in model.tiers]
    least = next((most for most in rooms if most >= frame + SIZES[0]), rooms[-1])
    return min(frame + model.counter.most(wanted), least)


def outlook(kind: str, sharpness: float, model: Window, frame: int, budget: int) -> tuple[Outlook, ...]:
    """Half and twice a budget, and the largest pack of the next tier: how likely each holds the evidence."""
    tier = tier_for(model, budget)
    after = next((other for other in model.tiers if other.window > tier.window), None)
    sizes = [max(budget // 2, frame), budget, *([2 * budget] if 2 * budget <= room(model, tier) else [])]
    sizes += [room(model, after)] if after and room(model, after) > budget else []
    found = []
    for size in dict.fromkeys(sizes):
        price = next((price for price in model.prices if size <= price.up_to), None)
        where = tier_for(model, size)
        found.append(
            Outlook(
                size, where.name, where.rope_factor, likelihood(kind, size - frame, sharpness),
                round(price.input * size / 1e6, 4) if price else None, price.currency if price else "",
            )
        )  # fmt: skip
    return tuple(found)


def explained(kind: str, outlooks: Sequence[Outlook], budget: int, auto: bool) -> str:
    """In a sentence: how likely the evidence is inside, and what other sizes would add."""
    here = next(one for one in outlooks if one.budget == budget)
    said = f"{'chosen: ' if auto else ''}{budget:,} tokens"
    if kind == STRANGE:
        said += "; nothing here is much like the question, so what it asks for may be elsewhere: ask in words that the "
        return said + "code may have, or name a file or a symbol"
    larger = [one for one in outlooks if one.budget > budget]
    said += f" hold {EVIDENCE.get(kind, EVIDENCE['report'])} with a likelihood of about {here.likelihood:.0%}"
    for one in larger:
        if one.budget == 2 * budget:
            said += f"; twice as many would add {_points(one.likelihood - here.likelihood)}"
        else:
            factor = f" (rope factor {one.rope_factor:g})" if one.rope_factor > 1 else ""
            cost = f", for {one.price:g} {one.currency} instead of {here.price:g}" if one.price and here.price else ""
            more = _points(one.likelihood - here.likelihood)
            said += f"; tier {one.tier}{factor}, up to {one.budget:,}, {more}{cost}"
    return said


def _points(share: float) -> str:
    points = round(100 * share)
    return f"{points} point" + ("" if points == 1 else "s")


def map_budget(budget: int) -> int:
    """Tokens that the repository map may take of a pack."""
    return 0 if budget < MAP_LEAST_BUDGET else min(int(budget * MAP_SHARE), MAP_MOST)
