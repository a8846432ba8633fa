"""What happened to a parcel, where, and when?"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime


class EventKind(enum.StrEnum):
    """The stages of a parcel's journey, in the order in which they usually happen."""

    ACCEPTED = "ACCEPTED"
    DEPARTED = "DEPARTED"
    ARRIVED = "ARRIVED"
    CUSTOMS = "CUSTOMS"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    DELIVERED = "DELIVERED"
    RETURNED = "RETURNED"

    @property
    def is_final(self) -> bool:
        """True where nothing can happen to the parcel afterwards."""
        return self in (EventKind.DELIVERED, EventKind.RETURNED)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One scan. Events order by time, then by the position they had in the feed."""

    at: datetime
    sequence: int
    kind: EventKind
    hub: str
    note: str = ""

    def describe(self) -> str:
        """One line for people."""
        text = f"{self.at:%Y-%m-%d %H:%M}  {self.hub}  {self.kind.replace('_', ' ').lower()}"
        return f"{text} ({self.note})" if self.note else text
