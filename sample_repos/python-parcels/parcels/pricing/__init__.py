"""What does it cost?"""

from parcels.pricing.desk import Quote, QuoteDesk, Request
from parcels.pricing.money import Money
from parcels.pricing.surcharge import FragileSurcharge, FuelSurcharge, RemoteSurcharge, Surcharge
from parcels.pricing.tariff import Tariff

__all__ = [
    "FragileSurcharge",
    "FuelSurcharge",
    "Money",
    "Quote",
    "QuoteDesk",
    "RemoteSurcharge",
    "Request",
    "Surcharge",
    "Tariff",
]
