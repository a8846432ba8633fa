"""What does the user want to know? The command line: parse, ask, print."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from parcels.config import read_config
from parcels.errors import ParcelsError, RequestError
from parcels.feed import parse_feed
from parcels.model import Dimensions
from parcels.notify import messages
from parcels.pricing import Quote, QuoteDesk, Request
from parcels.routing import Network, Service, TransitTimes, shortest_route
from parcels.store import MemoryStore, ingest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it worked, 3 if its input was refused."""
    options = _parser().parse_args(arguments)
    try:
        for line in options.command(options):
            print(line)
    except (ParcelsError, OSError) as error:
        print(f"parcels: {error}", file=sys.stderr)
        return 3
    return 0


def _track(options: argparse.Namespace) -> Iterator[str]:
    store = MemoryStore()
    with options.feed.open(encoding="utf-8") as lines:
        ingest(store, parse_feed(lines))
    parcel = store.get(options.number)
    yield f"{parcel.number}: {'finished' if parcel.is_finished else 'on its way'}"
    yield from (f"  {event.describe()}" for event in parcel.events)


def _route(options: argparse.Namespace) -> Iterator[str]:
    network = Network.read(options.network)
    route = shortest_route(network, options.origin, options.destination, options.service)
    for leg in route:
        yield f"{leg.origin} > {leg.destination}  {leg.km:4d} km  {leg.hours:2d} h"
    yield f"{network.city(route.hubs[0])} to {network.city(route.hubs[-1])}: {route.km} km, {route.hours} h"


def _quotes(options: argparse.Namespace) -> Iterator[str]:
    config = read_config(options.config)
    desk = QuoteDesk(TransitTimes(Network.read(options.network)), config.tariffs, config.surcharges)
    with options.requests.open(encoding="utf-8", newline="") as rows:
        requests = [_request(number, row) for number, row in enumerate(csv.DictReader(rows), start=1)]
    yield from map(_quote_line, desk.quote_all(requests))


def _notify(options: argparse.Namespace) -> Iterator[str]:
    config = read_config(options.config)
    with options.feed.open(encoding="utf-8") as lines:
        news = ingest(MemoryStore(), parse_feed(lines))
    for message in messages(news, config.subscriptions, config.quiet):
        yield f"{message.send_at:%Y-%m-%d %H:%M}  {message.address}  {message.text}"


def _request(number: int, row: dict[str, str]) -> Request:
    try:
        return Request(
            origin=row["from"],
            destination=row["to"],
            service=Service(row["service"]),
            weight=Decimal(row["kg"]),
            size=Dimensions.parse(row["size"]),
            fragile=row.get("fragile") == "yes",
        )
    except KeyError as missing:
        raise RequestError(number, f"there is no column {missing}") from missing
    except (ValueError, ArithmeticError) as wrong:
        raise RequestError(number, str(wrong)) from wrong


def _quote_line(quote: Quote) -> str:
    asked = quote.request
    extras = ", ".join(f"{name} {amount}" for name, amount in quote.surcharges)
    return (
        f"{asked.origin} > {asked.destination}  {asked.service.value:7}  {quote.weight:4} kg"
        f"  {quote.hours:2d} h  {quote.total}  (carriage {quote.carriage}, {extras})"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parcels", description=__doc__)
    network = Path("examples/network.json")
    parser.add_argument("--network", type=Path, default=network, help="the network file (default %(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    track = commands.add_parser("track", help="what happened to a parcel")
    track.add_argument("feed", type=Path)
    track.add_argument("number")
    track.set_defaults(command=_track)

    route = commands.add_parser("route", help="the best way between two hubs")
    route.add_argument("origin")
    route.add_argument("destination")
    route.add_argument("--service", type=Service, default=Service.ECONOMY)
    route.set_defaults(command=_route)

    quotes = commands.add_parser("quotes", help="prices for a file of requests")
    quotes.add_argument("requests", type=Path)
    quotes.add_argument("--config", type=Path)
    quotes.set_defaults(command=_quotes)

    notify = commands.add_parser("notify", help="the messages that a feed causes")
    notify.add_argument("feed", type=Path)
    notify.add_argument("--config", type=Path)
    notify.set_defaults(command=_notify)
    return parser
