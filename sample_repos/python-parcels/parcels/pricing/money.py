"""How much is it? Whole cents, so that sums are exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in cents of one currency, the network's."""

    cents: int

    @classmethod
    def of(cls, amount: str | Decimal) -> Money:
        """From a decimal amount, half a cent rounded up: `Money.of("12.345")` is 12.35."""
        scaled = Decimal(amount) * 100
        return cls(int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP)))

    def __add__(self, other: Money) -> Money:
        return Money(self.cents + other.cents)

    def times(self, factor: Decimal | int) -> Money:
        """A multiple, rounded half up to the cent."""
        return Money.of(Decimal(self.cents) * factor / 100)

    def __str__(self) -> str:
        sign = "-" if self.cents < 0 else ""
        return f"{sign}{abs(self.cents) // 100}.{abs(self.cents) % 100:02d}"


ZERO = Money(0)
