"""What would it cost to send this parcel, and how long would it take?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from parcels.model import Dimensions
from parcels.pricing.money import ZERO, Money
from parcels.pricing.surcharge import Surcharge
from parcels.pricing.tariff import Tariff, chargeable_weight
from parcels.routing import Service, TransitTimes


@dataclass(frozen=True, slots=True)
class Request:
    """What a customer asks a price for. The weight is that of the scale, in kilograms."""

    origin: str
    destination: str
    service: Service
    weight: Decimal
    size: Dimensions
    fragile: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer, line by line. Surcharges of zero are left out."""

    request: Request
    weight: Decimal
    hours: int
    carriage: Money
    surcharges: tuple[tuple[str, Money], ...]

    @property
    def total(self) -> Money:
        return sum((amount for _, amount in self.surcharges), self.carriage)


class QuoteDesk:
    """Quotes requests from the tariffs, the surcharges and the transit times."""

    def __init__(
        self,
        transits: TransitTimes,
        tariffs: Mapping[Service, Tariff],
        surcharges: Sequence[Surcharge] = (),
    ) -> None:
        self._transits = transits
        self._tariffs = tariffs
        self._surcharges = surcharges

    def quote(self, request: Request) -> Quote:
        """The price of one request. Raises UnknownHub and NoRoute."""
        transit = self._transits.between(request.origin, request.destination, request.service)
        weight = chargeable_weight(request.weight, request.size)
        carriage = self._tariffs[request.service].carriage(weight, transit)
        lines = ((extra.name, extra.amount(request, carriage)) for extra in self._surcharges)
        charged = tuple((name, amount) for name, amount in lines if amount != ZERO)
        return Quote(request, weight, transit.hours, carriage, charged)

    def quote_all(self, requests: Iterable[Request]) -> list[Quote]:
        """The prices of several requests, in their order."""
        return [self.quote(request) for request in requests]
