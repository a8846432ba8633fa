"""How far is it from one hub to another, and how long does it take?"""

from __future__ import annotations

from typing import NamedTuple

from parcels.routing.memo import Memo, TransitKey, transit_key
from parcels.routing.network import Network, Service
from parcels.routing.shortest import shortest_route

# A day's requests touch a few hundred pairs of hubs; all of them fit.
REMEMBERED_TRANSITS = 1024


class Transit(NamedTuple):
    """The length of the best route."""

    km: int
    hours: int


class TransitTimes:
    """Answers from the network, remembering those it has given."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: Memo[TransitKey, Transit] = Memo(REMEMBERED_TRANSITS)

    @property
    def hits(self) -> int:
        """How often an answer came from memory."""
        return self._known.hits

    def between(self, origin: str, destination: str, service: Service) -> Transit:
        """The transit of the best route. Raises UnknownHub and NoRoute."""

        def work_out() -> Transit:
            route = shortest_route(self._network, origin, destination, service)
            return Transit(route.km, route.hours)

        return self._known.recall(transit_key(origin, destination, service), work_out)
