"""Which hubs does a parcel pass, and how long does that take?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leg:
    """One link of the network, in the direction of travel."""

    origin: str
    destination: str
    km: int
    hours: int


@dataclass(frozen=True, slots=True)
class Route:
    """A chain of legs. A route without legs stays at its only hub."""

    start: str
    legs: tuple[Leg, ...] = ()

    def __post_init__(self) -> None:
        here = self.start
        for leg in self.legs:
            if leg.origin != here:
                raise ValueError(f"a leg leaves {leg.origin}, but the route is at {here}")
            here = leg.destination

    def __iter__(self) -> Iterator[Leg]:
        return iter(self.legs)

    @property
    def hubs(self) -> tuple[str, ...]:
        """Every hub from the first to the last."""
        return (self.start, *(leg.destination for leg in self.legs))

    @property
    def km(self) -> int:
        return sum(leg.km for leg in self.legs)

    @property
    def hours(self) -> int:
        return sum(leg.hours for leg in self.legs)
