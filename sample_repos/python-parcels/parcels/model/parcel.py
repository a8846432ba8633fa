"""Which parcel is it, how large is it, and how far has it come?"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from parcels.model.event import Event, EventKind


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The outside of a box, in centimetres."""

    length: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Dimensions:
        """Read `40x30x20`. Raises ValueError for anything else."""
        length, width, height = (int(part) for part in text.lower().split("x"))
        if min(length, width, height) <= 0:
            raise ValueError(f"dimensions must be positive: {text!r}")
        return cls(length, width, height)

    @property
    def volume(self) -> int:
        """Cubic centimetres."""
        return self.length * self.width * self.height


@dataclass(slots=True)
class Parcel:
    """A parcel and everything that is known to have happened to it."""

    number: str
    events: list[Event] = field(default_factory=list)

    def record(self, event: Event) -> bool:
        """Insert an event in its place; False if that very scan is known already."""
        if event in self.events:
            return False
        bisect.insort(self.events, event)
        return True

    @property
    def latest(self) -> Event | None:
        """The last event by time, or None before the first scan."""
        return self.events[-1] if self.events else None

    @property
    def is_finished(self) -> bool:
        """True once the parcel was delivered or went back."""
        return self.latest is not None and self.latest.kind.is_final

    def visited(self) -> list[str]:
        """The hubs in the order of arrival, without repeats in a row."""
        hubs: list[str] = []
        for event in self.events:
            if event.kind is not EventKind.CUSTOMS and (not hubs or hubs[-1] != event.hub):
                hubs.append(event.hub)
        return hubs
