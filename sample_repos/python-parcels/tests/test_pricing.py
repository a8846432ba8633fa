"""Prices are exact to the cent and follow the chargeable weight."""

import unittest
from decimal import Decimal

from parcels import Money, Network, QuoteDesk, Service, Tariff, TransitTimes
from parcels.model import Dimensions, Leg
from parcels.pricing import FragileSurcharge, FuelSurcharge, RemoteSurcharge, Request
from parcels.pricing.tariff import chargeable_weight


class MoneyTest(unittest.TestCase):
    def test_half_a_cent_is_rounded_up(self) -> None:
        self.assertEqual(Money.of("12.345"), Money(1235))
        self.assertEqual(Money(333).times(Decimal("0.5")), Money(167))

    def test_text(self) -> None:
        self.assertEqual([str(Money(c)) for c in (5, 1200, -150)], ["0.05", "12.00", "-1.50"])


class WeightTest(unittest.TestCase):
    def test_the_larger_weight_counts_by_the_started_half_kilogram(self) -> None:
        box = Dimensions(40, 30, 20)  # 24,000 cm3 are charged like 4.8 kg
        self.assertEqual(chargeable_weight(Decimal("4.2"), box), Decimal("5.0"))
        self.assertEqual(chargeable_weight(Decimal("6.01"), box), Decimal("6.5"))


class QuoteDeskTest(unittest.TestCase):
    def test_a_quote_lists_what_applies(self) -> None:
        network = Network({"A": "Aachen", "B": "Bonn"}, [Leg("A", "B", 200, 3)])
        desk = QuoteDesk(
            TransitTimes(network),
            {Service.EXPRESS: Tariff(Service.EXPRESS, Money(500), Money(100), Money(50))},
            [FuelSurcharge(Decimal(10)), FragileSurcharge(Money(300)), RemoteSurcharge({"B"}, Money(70))],
        )
        request = Request("A", "B", Service.EXPRESS, Decimal(2), Dimensions(10, 10, 10))
        quote = desk.quote(request)
        self.assertEqual(quote.carriage, Money(800))
        self.assertEqual(quote.surcharges, (("fuel", Money(80)), ("remote area", Money(70))))
        self.assertEqual((quote.total, quote.hours), (Money(950), 3))
