"""What can go wrong, as one tree.

ParcelsError
├── FeedError       a line of the tracking feed cannot be read
├── RequestError    a row of the quote requests cannot be read
├── UnknownHub      a hub code that the network does not have
├── UnknownParcel   a parcel number that the store does not have
├── NoRoute         two hubs that no chain of links connects
└── ConfigError     the configuration file contradicts itself
"""

from __future__ import annotations


class ParcelsError(Exception):
    """The root: everything that the caller, not this package, has to put right."""


class FeedError(ParcelsError):
    """A line of the tracking feed cannot be read."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"feed line {line}: {reason}")
        self.line = line
        self.reason = reason


class RequestError(ParcelsError):
    """A row of the quote requests cannot be read."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"request {row}: {reason}")


class UnknownHub(ParcelsError):
    """A hub code that the network does not have."""

    def __init__(self, code: str) -> None:
        super().__init__(f"no hub has the code {code!r}")
        self.code = code


class UnknownParcel(ParcelsError):
    """A parcel number that the store does not have."""

    def __init__(self, number: str) -> None:
        super().__init__(f"no parcel has the number {number!r}")
        self.number = number


class NoRoute(ParcelsError):
    """Two hubs that no chain of links connects."""

    def __init__(self, origin: str, destination: str) -> None:
        super().__init__(f"no route leads from {origin} to {destination}")


class ConfigError(ParcelsError):
    """The configuration file contradicts itself."""
