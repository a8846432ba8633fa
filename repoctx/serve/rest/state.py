"""What do all requests of a process share? The workspace, limits of rates, metrics."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from repoctx.serve.rest import metrics
from repoctx.serve.rest.problems import Refusal
from repoctx.workspace import Workspace

# Questions that a process answers at a time: more would only take the interpreter's lock from one another.
TURNS = 2
# Questions that wait for their turn: each holds one of the process's threads, of which others need some.
MOST_WAITING = 30
# Streams of events that a caller may have open.
MOST_STREAMS = 40
# Refusals of an address that are written into the audit log in a minute; the log of requests has them all.
MOST_NOTED = 60


class Turns:
    """Questions take turns; those that would wait behind too many others are refused with 503."""

    def __init__(self) -> None:
        self._turns, self._counting, self._waiting = threading.BoundedSemaphore(TURNS), threading.Lock(), 0

    def __enter__(self) -> None:
        with self._counting:
            if self._waiting >= MOST_WAITING:
                said = "too many questions wait for their answer: ask again in a moment"
                raise Refusal(503, said, {"Retry-After": "5"})
            self._waiting += 1
        self._turns.acquire()
        with self._counting:
            self._waiting -= 1

    def __exit__(self, *_: object) -> None:
        self._turns.release()


@dataclass(frozen=True, eq=False)
class Service:
    """What requests are answered with."""

    workspace: Workspace
    limiter: SlidingWindowCounterRateLimiter
    turns: Turns  # questions that are answered at a time
    wake: Callable[[], object]  # called when there is a job: see that there is a worker
    stopping: threading.Event = field(default_factory=threading.Event)  # streams shall end
    shared: dict[str, Any] = field(default_factory=dict)  # what lives as long as the app
    streams: Counter[str] = field(default_factory=Counter)  # open ones of each caller

    @property
    def engine(self) -> sa.Engine:
        """The database."""
        return self.workspace.engine

    def within_rate(self, who: str | None, most: int | None = None) -> None:
        """Count a request of somebody; None is the local user, who has no limit. Refuses with 429 what is too much."""
        rate = self.workspace.settings.serve_rate if most is None else most
        if who is None or not rate:
            return
        if not self.limiter.hit(RateLimitItemPerMinute(rate), who):
            raise Refusal(429, f"more than {rate:,} requests a minute: wait a little", {"Retry-After": "5"})

    @contextmanager
    def stream(self, who: str) -> Iterator[None]:
        """Count an open stream of somebody. Refuses with 429 one too many."""
        if self.streams[who] >= MOST_STREAMS:
            raise Refusal(429, f"{MOST_STREAMS} streams are open: close some", {"Retry-After": "5"})
        self.streams[who] += 1
        try:
            yield
        finally:
            self.streams[who] -= 1

    def noted(self, address: str) -> bool:
        """Whether one more refusal is written into the audit log: so many a minute of each address."""
        return self.limiter.hit(RateLimitItemPerMinute(MOST_NOTED), f"refused {address}")


def make(workspace: Workspace, wake: Callable[[], object] = int) -> Service:
    """The shared state of a process."""
    workspace.on_open = metrics.opened
    return Service(workspace, SlidingWindowCounterRateLimiter(MemoryStorage()), Turns(), wake)


async def _service(request: Request) -> Service:  # a plain function would be run in a thread
    found: Service = request.app.state.service
    return found


ServiceState = Annotated[Service, Depends(_service)]
