"""What does the plain carriage of a parcel cost, before surcharges?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from parcels.model import Dimensions
from parcels.pricing.money import Money
from parcels.routing import Service, Transit

# Cubic centimetres that are charged like one kilogram: the usual divisor of road freight.
VOLUMETRIC_DIVISOR = 5000
WEIGHT_STEP = Decimal("0.5")  # weights are charged by the started half kilogram


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one service."""

    service: Service
    base: Money
    per_kg: Money
    per_100_km: Money

    def carriage(self, weight: Decimal, transit: Transit) -> Money:
        """The price of a chargeable weight (kilograms) over a transit."""
        distance = self.per_100_km.times(Decimal(transit.km) / 100)
        return self.base + self.per_kg.times(weight) + distance


def chargeable_weight(scale: Decimal, size: Dimensions) -> Decimal:
    """The larger of scale and volumetric weight in kilograms, up to the next half kilogram."""
    volumetric = Decimal(size.volume) / VOLUMETRIC_DIVISOR
    steps = (max(scale, volumetric) / WEIGHT_STEP).to_integral_value(rounding=ROUND_CEILING)
    return steps * WEIGHT_STEP
