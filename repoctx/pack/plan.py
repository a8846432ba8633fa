"""How large may the pack be, and on which window does it run?

A rope factor is a property of a running server and costs quality on every request, short ones too (YaRN
in the open servers is static), so the smallest tier that holds budget and reserve is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repoctx import tokens
from repoctx.counters import QWEN, Counter
from repoctx.errors import BudgetError
from repoctx.types import Hit, Tier

# Kept free beside the output: at least this much, or this share of the window. On a window so small that
# this would take more than a quarter of it, a quarter.
SAFETY = 10_000
SAFETY_SHARE = 0.05
# An answer takes at most this share of a window, whatever the model recommends.
OUTPUT_SHARE = 0.25

# `budget=None`: room for the hits that score at least this share of the best one, at this many tokens each,
# within limits, beside instructions and task. The functions that an issue needs take 409 tokens in the
# median and 1.1k at the ninetieth percentile (274 SWE-bench Lite issues), and models solve less with more
# around it (arXiv 2602.16069), so auto stays far below the window.
AUTO_SHARE = 0.5
AUTO_TOKENS = 400
AUTO_LEAST = 8_192
AUTO_MOST = 32_768
# The map's share of the budget; below the least budget there is none, since evidence is worth more.
MAP_SHARE = 0.05
MAP_LEAST_BUDGET = 12_000
MAP_MOST = 8_000


@dataclass(frozen=True, slots=True)
class Window:
    """What the packer needs to know of a model."""

    model: str
    tiers: tuple[Tier, ...]  # smallest first
    output: int  # tokens to keep free for the answer
    counter: Counter = QWEN
    template: int = tokens.chat_overhead()  # tokens that the chat template adds to a user message
    most_input: int | None = None  # tokens of a prompt that the server takes, where it says so


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


def auto_budget(hits: Sequence[Hit], model: Window, frame: int) -> int:
    """The budget that `frame` tokens of instructions and task and the evidence ask for.

    It never asks for a larger window than the one that holds the frame and the least evidence.
    """
    best = hits[0].score if hits else 0.0
    strong = sum(hit.score >= AUTO_SHARE * best for hit in hits)
    wanted = frame + model.counter.most(min(max(strong * AUTO_TOKENS, AUTO_LEAST), AUTO_MOST))
    rooms = [room(model, tier) for tier in model.tiers]
    return min(wanted, next((most for most in rooms if most >= frame + AUTO_LEAST), rooms[-1]))


def map_budget(budget: int) -> int:
    """Tokens that the repository map may take of a pack."""
    return 0 if budget < MAP_LEAST_BUDGET else min(int(budget * MAP_SHARE), MAP_MOST)
