"""Where are parcels kept between two runs?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from parcels.errors import UnknownParcel
from parcels.feed import Scan
from parcels.model import Event, EventKind, Parcel


class ParcelStore(Protocol):
    """What the rest of the program may ask of a store."""

    def get(self, number: str) -> Parcel: ...

    def put(self, parcel: Parcel) -> None: ...

    def __iter__(self) -> Iterator[Parcel]: ...


class MemoryStore:
    """Parcels of this process only, iterated by number."""

    def __init__(self) -> None:
        self._parcels: dict[str, Parcel] = {}

    def get(self, number: str) -> Parcel:
        """The parcel of that number. Raises UnknownParcel."""
        try:
            return self._parcels[number]
        except KeyError:
            raise UnknownParcel(number) from None

    def put(self, parcel: Parcel) -> None:
        self._parcels[parcel.number] = parcel

    def __iter__(self) -> Iterator[Parcel]:
        return iter(sorted(self._parcels.values(), key=lambda parcel: parcel.number))


class JsonStore(MemoryStore):
    """Parcels of one JSON file, which `save` replaces as a whole."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            for number, events in json.loads(path.read_text(encoding="utf-8")).items():
                self.put(Parcel(number, [_event_from_json(event) for event in events]))

    def save(self) -> None:
        """Write all parcels to a new file and put it in the place of the old one."""
        document = {parcel.number: [_event_to_json(e) for e in parcel.events] for parcel in self}
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(document, indent=1), encoding="utf-8")
        fresh.replace(self._path)


def ingest(store: ParcelStore, scans: Iterable[Scan]) -> list[Scan]:
    """Record scans, creating parcels on their first one; the scans that were news."""
    news: list[Scan] = []
    for scan in scans:
        try:
            parcel = store.get(scan.number)
        except UnknownParcel:
            parcel = Parcel(scan.number)
            store.put(parcel)
        if parcel.record(scan.event):
            news.append(scan)
    return news


def _event_to_json(event: Event) -> list[Any]:
    return [event.at.isoformat(), event.sequence, event.kind.value, event.hub, event.note]


def _event_from_json(fields: list[Any]) -> Event:
    at, sequence, kind, hub, note = fields
    return Event(datetime.fromisoformat(at), sequence, EventKind(kind), hub, note)
