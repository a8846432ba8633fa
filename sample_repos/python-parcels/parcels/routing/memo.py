"""Has this been worked out before? A bounded memory that forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from parcels.routing.network import Service

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TransitKey = tuple[str, str, Service]


class Memo(Generic[K, V]):
    """A mapping of at most `capacity` answers."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a memo holds at least one answer")
        self._capacity = capacity
        self._answers: OrderedDict[K, V] = OrderedDict()
        self.hits = 0

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, key: K, work_out: Callable[[], V]) -> V:
        """The answer known for the key; otherwise `work_out()`, which is then remembered."""
        if key in self._answers:
            self.hits += 1
            self._answers.move_to_end(key)
            return self._answers[key]
        answer = work_out()
        self._answers[key] = answer
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)
        return answer


def transit_key(origin: str, destination: str, service: Service) -> TransitKey:
    """The key under which the transit between two hubs is remembered."""
    first, second = sorted((origin, destination))
    return (first, second, service)
