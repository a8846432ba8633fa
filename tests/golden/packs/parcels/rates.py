"""What does a parcel cost?"""

from decimal import Decimal

BASE = Decimal("3.20")
PER_KILO = {"local": Decimal("0.80"), "abroad": Decimal("2.10")}


class Rate:
    """A price list for one zone."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.per_kilo = PER_KILO[zone]

    def price(self, grams: int) -> Decimal:
        """The price of one parcel."""
        kilos = Decimal(grams) / 1000
        return BASE + kilos * self.per_kilo

    def bulk(self, parcels: list[int]) -> Decimal:
        """The price of many parcels, a tenth off from ten on."""
        total = sum((self.price(grams) for grams in parcels), Decimal(0))
        if len(parcels) > 10:
            total *= Decimal("0.9")
        return total


def cheapest(rates: list[Rate], grams: int) -> Rate:
    """The cheapest rate for a weight."""
    return min(rates, key=lambda rate: rate.price(grams))
