"""What does an answer cost?"""

from __future__ import annotations

from typing import NamedTuple

from repoctx.model.client import Usage
from repoctx.model.windows import Model

PER = 1_000_000  # tokens that a price is for


class Cost(NamedTuple):
    """What answers cost, where the model has a public price."""

    amount: float
    currency: str


def cost(model: Model, usage: Usage) -> Cost | None:
    """What a request cost where the model's first offer is; None for a model without prices.

    The row of prices is chosen by the tokens of the input and holds for all of them, those of the answer too; beyond
    the last row that one holds. Tokens from a cache are paid in full, since the table has no other price for them.
    """
    offer = [price for price in model.prices if price.where == model.prices[0].where]
    rows = sorted(offer, key=lambda price: price.up_to)
    if not rows:
        return None
    row = next((price for price in rows if usage.prompt_tokens <= price.up_to), rows[-1])
    amount = usage.prompt_tokens * row.input + usage.completion_tokens * row.output
    return Cost(amount / PER, row.currency)
