"""The nouns of the domain."""

from parcels.model.event import Event, EventKind
from parcels.model.parcel import Dimensions, Parcel
from parcels.model.route import Leg, Route

__all__ = ["Dimensions", "Event", "EventKind", "Leg", "Parcel", "Route"]
