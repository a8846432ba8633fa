"""Which way through the network is the shortest? Dijkstra's algorithm on a binary heap."""

from __future__ import annotations

import heapq

from parcels.errors import NoRoute
from parcels.model import Leg, Route
from parcels.routing.network import Network, Service


def shortest_route(network: Network, origin: str, destination: str, service: Service) -> Route:
    """The route of least cost; among equals, the one whose hubs come first alphabetically.

    Raises UnknownHub for a code that the network lacks, NoRoute where no legs connect the two.
    """
    network.city(origin)
    network.city(destination)
    frontier: list[tuple[int, tuple[str, ...], str]] = [(0, (origin,), origin)]
    arrived_by: dict[str, Leg] = {}
    settled: set[str] = set()
    best: dict[str, tuple[int, tuple[str, ...]]] = {origin: (0, (origin,))}
    while frontier:
        cost, hubs, here = heapq.heappop(frontier)
        if here in settled:
            continue
        if here == destination:
            return _trace(arrived_by, origin, destination)
        settled.add(here)
        for leg in network.departures(here):
            offer = (cost + service.cost(leg), (*hubs, leg.destination))
            if leg.destination not in settled and offer < best.get(leg.destination, (offer[0] + 1, ())):
                best[leg.destination] = offer
                arrived_by[leg.destination] = leg
                heapq.heappush(frontier, (*offer, leg.destination))
    raise NoRoute(origin, destination)


def _trace(arrived_by: dict[str, Leg], origin: str, destination: str) -> Route:
    legs: list[Leg] = []
    here = destination
    while here != origin:
        legs.append(arrived_by[here])
        here = arrived_by[here].origin
    return Route(origin, tuple(reversed(legs)))
