"""Who is told about an event, and when may they be disturbed?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from parcels.feed import Scan
from parcels.model import EventKind


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily span in which nobody is disturbed: from `start`, up to but without `end`."""

    start: time
    end: time

    def covers(self, moment: time) -> bool:
        """Whether nobody is disturbed at that time of day."""
        if self.start <= self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end

    def next_allowed(self, at: datetime) -> datetime:
        """The moment itself, or the end of the quiet span that it falls into."""
        if not self.covers(at.time()):
            return at
        end = at.replace(hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0)
        return end if end > at else end + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Subscription:
    """An address that wants to hear of some kinds of events; no numbers means every parcel."""

    address: str
    kinds: frozenset[EventKind]
    numbers: frozenset[str] = frozenset()

    def wants(self, scan: Scan) -> bool:
        """Whether this subscriber is told about the scan."""
        return scan.event.kind in self.kinds and (not self.numbers or scan.number in self.numbers)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, to whom, and not before when."""

    address: str
    send_at: datetime
    text: str


def messages(
    scans: Iterable[Scan], subscriptions: Iterable[Subscription], quiet: QuietHours
) -> Iterator[Message]:
    """The messages that scans cause: in the order of the scans, then of the subscriptions."""
    subscribers = list(subscriptions)
    for scan in scans:
        for subscriber in subscribers:
            if subscriber.wants(scan):
                text = f"{scan.number}: {scan.event.describe()}"
                yield Message(subscriber.address, quiet.next_allowed(scan.event.at), text)
