"""What is added to the carriage, and why?"""

from __future__ import annotations

import abc
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from parcels.pricing.money import ZERO, Money

if TYPE_CHECKING:
    from parcels.pricing.desk import Request


class Surcharge(abc.ABC):
    """One line of a quote besides the carriage."""

    name: str

    @abc.abstractmethod
    def amount(self, request: Request, carriage: Money) -> Money:
        """What this request pays; zero where the surcharge does not apply."""


@dataclass(frozen=True)
class FuelSurcharge(Surcharge):
    """A share of the carriage."""

    percent: Decimal
    name: str = "fuel"

    def amount(self, request: Request, carriage: Money) -> Money:
        return carriage.times(self.percent / 100)


@dataclass(frozen=True)
class FragileSurcharge(Surcharge):
    """A fixed price for parcels that are carried by hand."""

    price: Money
    name: str = "fragile"

    def amount(self, request: Request, carriage: Money) -> Money:
        return self.price if request.fragile else ZERO


@dataclass(frozen=True)
class RemoteSurcharge(Surcharge):
    """A fixed price for each end of the route that lies off the main lines."""

    hubs: Collection[str]
    price: Money
    name: str = "remote area"

    def amount(self, request: Request, carriage: Money) -> Money:
        ends = (request.origin in self.hubs) + (request.destination in self.hubs)
        return self.price.times(ends)
