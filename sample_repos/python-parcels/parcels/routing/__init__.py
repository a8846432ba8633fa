"""The hub network and the ways through it."""

from parcels.routing.network import Network, Service
from parcels.routing.shortest import shortest_route
from parcels.routing.transit import Transit, TransitTimes

__all__ = ["Network", "Service", "Transit", "TransitTimes", "shortest_route"]
