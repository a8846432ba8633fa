"""Routes follow the service; transit times are worked out once."""

import unittest

from parcels import Network, Service, TransitTimes, UnknownHub, shortest_route
from parcels.errors import NoRoute
from parcels.model import Leg
from parcels.routing.memo import Memo

CITIES = {"A": "Aachen", "B": "Bonn", "C": "Celle", "D": "Dresden"}
LEGS = [
    Leg("A", "B", 10, 9),
    Leg("B", "C", 10, 9),
    Leg("A", "C", 50, 3),
    Leg("C", "A", 50, 7),
]


class ShortestRouteTest(unittest.TestCase):
    def setUp(self) -> None:
        self.network = Network(CITIES, LEGS)

    def test_economy_saves_kilometres(self) -> None:
        self.assertEqual(shortest_route(self.network, "A", "C", Service.ECONOMY).hubs, ("A", "B", "C"))

    def test_express_saves_hours(self) -> None:
        self.assertEqual(shortest_route(self.network, "A", "C", Service.EXPRESS).hours, 3)

    def test_equal_routes_are_decided_by_hub_codes(self) -> None:
        square = [Leg("A", "C", 1, 1), Leg("A", "B", 1, 1), Leg("C", "D", 1, 1), Leg("B", "D", 1, 1)]
        route = shortest_route(Network(CITIES, square), "A", "D", Service.ECONOMY)
        self.assertEqual(route.hubs, ("A", "B", "D"))

    def test_a_hub_reaches_itself(self) -> None:
        self.assertEqual(shortest_route(self.network, "A", "A", Service.EXPRESS).hubs, ("A",))

    def test_refusals(self) -> None:
        with self.assertRaises(NoRoute):
            shortest_route(self.network, "A", "D", Service.EXPRESS)
        with self.assertRaises(UnknownHub):
            shortest_route(self.network, "A", "X", Service.EXPRESS)


class TransitTimesTest(unittest.TestCase):
    def test_answers_are_remembered_per_service(self) -> None:
        transits = TransitTimes(Network(CITIES, LEGS))
        self.assertEqual(transits.between("A", "C", Service.EXPRESS), (50, 3))
        self.assertEqual(transits.between("A", "C", Service.EXPRESS), (50, 3))
        self.assertEqual(transits.between("A", "C", Service.ECONOMY), (20, 18))
        self.assertEqual(transits.hits, 1)

    def test_the_way_back_has_its_own_hours(self) -> None:
        transits = TransitTimes(Network(CITIES, LEGS))
        self.assertEqual(transits.between("C", "A", Service.EXPRESS), (50, 7))


class MemoTest(unittest.TestCase):
    def test_the_answer_used_longest_ago_is_forgotten(self) -> None:
        memo: Memo[str, int] = Memo(2)
        for key in ("a", "b", "a", "c", "b"):
            memo.recall(key, lambda: 0)
        self.assertEqual((len(memo), memo.hits), (2, 1))
