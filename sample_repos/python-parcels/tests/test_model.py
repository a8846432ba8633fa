"""Parcels keep their events in order; routes hold together."""

import unittest
from datetime import UTC, datetime

from parcels import Event, EventKind, Parcel, Route
from parcels.model import Dimensions, Leg


def event(hour: int, kind: EventKind, hub: str = "HAM", sequence: int = 1) -> Event:
    return Event(datetime(2024, 3, 5, hour, tzinfo=UTC), sequence, kind, hub)


class ParcelTest(unittest.TestCase):
    def test_late_scans_are_sorted_in(self) -> None:
        parcel = Parcel("PX1")
        parcel.record(event(12, EventKind.DELIVERED, "VIE"))
        parcel.record(event(8, EventKind.ACCEPTED))
        self.assertEqual([e.at.hour for e in parcel.events], [8, 12])
        self.assertTrue(parcel.is_finished)

    def test_a_repeated_scan_is_not_news(self) -> None:
        parcel = Parcel("PX1")
        self.assertTrue(parcel.record(event(8, EventKind.ACCEPTED)))
        self.assertFalse(parcel.record(event(8, EventKind.ACCEPTED)))

    def test_scans_in_the_same_second_are_kept(self) -> None:
        parcel = Parcel("PX1")
        parcel.record(event(8, EventKind.ARRIVED, sequence=2))
        parcel.record(event(8, EventKind.ACCEPTED, sequence=1))
        self.assertEqual([e.kind for e in parcel.events], [EventKind.ACCEPTED, EventKind.ARRIVED])

    def test_visited_hubs(self) -> None:
        parcel = Parcel("PX1")
        for hour, hub in ((1, "HAM"), (2, "HAM"), (3, "BER"), (4, "HAM")):
            parcel.record(event(hour, EventKind.ARRIVED, hub))
        self.assertEqual(parcel.visited(), ["HAM", "BER", "HAM"])


class RouteTest(unittest.TestCase):
    def test_sums(self) -> None:
        route = Route("A", (Leg("A", "B", 10, 1), Leg("B", "C", 20, 3)))
        self.assertEqual((route.hubs, route.km, route.hours), (("A", "B", "C"), 30, 4))

    def test_a_gap_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "the route is at B"):
            Route("A", (Leg("A", "B", 10, 1), Leg("C", "D", 20, 3)))


class DimensionsTest(unittest.TestCase):
    def test_parse(self) -> None:
        self.assertEqual(Dimensions.parse("40x30X20").volume, 24_000)
        for wrong in ("40x30", "0x1x1", "axbxc"):
            with self.subTest(wrong), self.assertRaises(ValueError):
                Dimensions.parse(wrong)
