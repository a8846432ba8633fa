"""What do the hubs report? One scan a line:

    2024-03-05T08:15:00+00:00|PX1001|ARRIVED|HAM|left at the north gate

The note may be missing. A backslash takes the character after it literally, so `\\|` is a bar.
Empty lines and lines that begin with `#` say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from parcels.errors import FeedError
from parcels.model import Event, EventKind

SEPARATOR, ESCAPE, COMMENT = "|", "\\", "#"


class Scan(NamedTuple):
    """One line of the feed: an event and the parcel it happened to."""

    number: str
    event: Event


def parse_feed(lines: Iterable[str]) -> Iterator[Scan]:
    """The scans of a feed in its order. Raises FeedError at the first line that is none."""
    for position, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith(COMMENT):
            yield _parse_scan(position, text)


def _parse_scan(position: int, text: str) -> Scan:
    fields = split_fields(text)
    if not 4 <= len(fields) <= 5:
        raise FeedError(position, f"expected 4 or 5 fields, found {len(fields)}")
    when, number, kind, hub, *note = fields
    try:
        at = datetime.fromisoformat(when)
    except ValueError:
        raise FeedError(position, f"{when!r} is not a time") from None
    if at.tzinfo is None:
        raise FeedError(position, f"{when!r} has no offset from UTC")
    if kind not in EventKind.__members__:
        raise FeedError(position, f"{kind!r} is not an event")
    return Scan(number, Event(at, position, EventKind[kind], hub, note[0] if note else ""))


def split_fields(text: str) -> list[str]:
    """Split at unescaped bars and resolve the escapes."""
    fields = [""]
    characters = iter(text)
    for character in characters:
        if character == ESCAPE:
            fields[-1] += next(characters, ESCAPE)
        elif character == SEPARATOR:
            fields.append("")
        else:
            fields[-1] += character
    return [field.strip() for field in fields]
