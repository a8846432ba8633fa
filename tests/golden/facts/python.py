#!/usr/bin/env python3
"""A small shop: what is in stock, and at what price."""

from __future__ import annotations

import logging
import os.path
import collections.abc as abc
from dataclasses import dataclass, field as column
from typing import TYPE_CHECKING, Generic, TypeVar

from . import prices
from .errors import *
from ..model import Item as Thing, Money

if TYPE_CHECKING:
    from .orders import Order

T = TypeVar("T")
MAX_ITEMS = 100  # per customer
default_currency: str = "EUR"
try:
    import orjson as json
except ImportError:
    json = None


# How an item is shown.
# One line each.
def show(item: Thing, *, width: int = MAX_ITEMS, style=prices.PLAIN, **options) -> str:
    """Return one line.

    The price comes last.
    """
    line = f"{item.name:{width}}"
    formatter = options.get("formatter", repr)

    def price(amount):
        return formatter(amount) + default_currency

    return line + price(item.price)


@dataclass(frozen=True)
class Stock(prices.Table, Generic[T]):
    """Everything on the shelves."""

    shelf: str
    items: list[Thing] = column(default_factory=list)
    LIMIT = MAX_ITEMS

    def __init__(self, shelf: str) -> None:
        super().__init__(shelf)
        self.shelf, self.count = shelf, 0
        self.log = logging.getLogger(__name__)

    @property
    def value(self) -> Money | None:
        # Sums lazily.
        return sum((i.price for i in self.items), start=Money.ZERO)

    @staticmethod
    async def load(path: os.PathLike[str], callback: abc.Callable[[Order], None]) -> Stock: ...

    class Empty(Exception):
        pass

    def take(self, order: "Order"):
        if order not in self.items:
            raise self.Empty
        for item in self.items: self._remove(item)
        callbacks = [show, self.value]
        return map(show, callbacks), lambda shelf: shelf.close()


def main(): Stock("A").take(None); print(json)


if __name__ == "__main__":
    main()
