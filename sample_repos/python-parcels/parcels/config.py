"""What did the operator decide? Prices, surcharges, subscribers: one TOML file over the defaults."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from parcels.errors import ConfigError
from parcels.model import EventKind
from parcels.notify import QuietHours, Subscription
from parcels.pricing import FragileSurcharge, FuelSurcharge, Money, RemoteSurcharge, Surcharge, Tariff
from parcels.routing import Service


@dataclass(frozen=True, slots=True)
class Config:
    """The decisions of one installation."""

    tariffs: dict[Service, Tariff]
    surcharges: tuple[Surcharge, ...]
    quiet: QuietHours
    subscriptions: tuple[Subscription, ...] = ()


DEFAULTS = Config(
    tariffs={
        Service.ECONOMY: Tariff(Service.ECONOMY, Money(390), Money(55), Money(80)),
        Service.EXPRESS: Tariff(Service.EXPRESS, Money(890), Money(120), Money(145)),
    },
    surcharges=(
        FuelSurcharge(Decimal("7.5")),
        FragileSurcharge(Money(350)),
        RemoteSurcharge(frozenset({"INN", "ROS"}), Money(275)),
    ),
    quiet=QuietHours(time(21, 30), time(7, 0)),
)


def read_config(path: Path | None) -> Config:
    """The defaults, overlaid with a file if there is one. Raises ConfigError."""
    if path is None:
        return DEFAULTS
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    config = DEFAULTS
    if "quiet" in document:
        config = replace(config, quiet=_quiet(document["quiet"]))
    if "tariff" in document:
        changed = {service: _tariff(config, service, document["tariff"]) for service in Service}
        config = replace(config, tariffs=changed)
    subscriptions = tuple(_subscription(entry) for entry in document.get("subscription", ()))
    return replace(config, subscriptions=subscriptions)


def _quiet(section: dict[str, Any]) -> QuietHours:
    start, end = section.get("from"), section.get("to")
    if not isinstance(start, time) or not isinstance(end, time):
        raise ConfigError("[quiet] needs `from` and `to` as times of day, like 21:30:00")
    return QuietHours(start, end)


def _tariff(config: Config, service: Service, section: dict[str, Any]) -> Tariff:
    prices = {name: Money.of(str(price)) for name, price in section.get(service.value, {}).items()}
    unknown = sorted(prices.keys() - {"base", "per_kg", "per_100_km"})
    if unknown:
        raise ConfigError(f"[tariff.{service.value}] has no price named {unknown[0]!r}")
    usual = config.tariffs[service]
    return Tariff(
        service,
        prices.get("base", usual.base),
        prices.get("per_kg", usual.per_kg),
        prices.get("per_100_km", usual.per_100_km),
    )


def _subscription(entry: dict[str, Any]) -> Subscription:
    unknown = sorted(set(entry["events"]) - set(EventKind.__members__))
    if unknown:
        raise ConfigError(f"the subscription of {entry['address']} names no event: {unknown[0]!r}")
    kinds = frozenset(EventKind[name] for name in entry["events"])
    return Subscription(entry["address"], kinds, frozenset(entry.get("parcels", ())))
