"""Which hubs are there, and which links lead from one to the next?"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parcels.errors import ConfigError, UnknownHub
from parcels.model import Leg


class Service(enum.Enum):
    """What a customer pays for, and so what a route is chosen by."""

    ECONOMY = "economy"  # the fewest kilometres
    EXPRESS = "express"  # the fewest hours

    def cost(self, leg: Leg) -> int:
        """What a leg adds to the length of a route under this service."""
        return leg.km if self is Service.ECONOMY else leg.hours


class Network:
    """A directed graph of hubs."""

    def __init__(self, cities: dict[str, str], legs: Iterable[Leg]) -> None:
        self._cities = dict(cities)
        self._departures: dict[str, list[Leg]] = {code: [] for code in cities}
        for leg in legs:
            self.city(leg.destination)
            self.departures(leg.origin).append(leg)

    @classmethod
    def read(cls, path: Path) -> Network:
        """Load a network file. Raises ConfigError where a link lacks a field."""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        legs: list[Leg] = []
        for link in document["links"]:
            try:
                there = Leg(link["from"], link["to"], link["km"], link["hours"])
                back_hours = link.get("hours_back", there.hours)
            except KeyError as missing:
                raise ConfigError(f"{path.name}: a link has no field {missing}") from missing
            legs.append(there)
            legs.append(Leg(there.destination, there.origin, there.km, back_hours))
        return cls(document["hubs"], legs)

    @property
    def codes(self) -> list[str]:
        """All hub codes, sorted."""
        return sorted(self._cities)

    def city(self, code: str) -> str:
        """The city of a hub. Raises UnknownHub."""
        try:
            return self._cities[code]
        except KeyError:
            raise UnknownHub(code) from None

    def departures(self, code: str) -> list[Leg]:
        """The legs that leave a hub. Raises UnknownHub."""
        try:
            return self._departures[code]
        except KeyError:
            raise UnknownHub(code) from None
