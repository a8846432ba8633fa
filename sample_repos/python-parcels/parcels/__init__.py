"""Parcel tracking, routing and pricing: the public names of the package."""

from parcels.errors import FeedError, ParcelsError, UnknownHub, UnknownParcel
from parcels.feed import parse_feed
from parcels.model import Event, EventKind, Parcel, Route
from parcels.pricing import Money, Quote, QuoteDesk, Tariff
from parcels.routing import Network, Service, TransitTimes, shortest_route
from parcels.store import JsonStore, MemoryStore

__all__ = [
    "Event",
    "EventKind",
    "FeedError",
    "JsonStore",
    "MemoryStore",
    "Money",
    "Network",
    "Parcel",
    "ParcelsError",
    "Quote",
    "QuoteDesk",
    "Route",
    "Service",
    "Tariff",
    "TransitTimes",
    "UnknownHub",
    "UnknownParcel",
    "parse_feed",
    "shortest_route",
]
