"""How is much done side by side, so that results are in order and the first thing that goes wrong ends the rest?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from repoctx.errors import BackendError, RepoctxError

T = TypeVar("T")
# A back end that fails so often at first, and answers nothing, is down.
GIVE_UP = 8


class Failed(NamedTuple):
    """What could not be done, where the rest goes on."""

    error: RepoctxError


class _Halted(Exception):
    """Something else went wrong before this began."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Threads, and whether something went wrong in any of them."""

    threads: Executor
    halt: threading.Event = field(default_factory=threading.Event)

    def beside(self, threads: Executor) -> Pool:
        """Other threads that end when these do."""
        return Pool(threads, self.halt)


def several(pool: Pool, calls: Sequence[Callable[[], T]]) -> list[T]:
    """What all calls return, in their order. Raises the first of what they raise; what has not begun is not done."""
    turn = threading.Lock()
    lost: list[BackendError] = []
    answered = threading.Event()

    def one(call: Callable[[], T]) -> T:
        if pool.halt.is_set():
            raise _Halted
        try:
            result: Any = call()
            if not isinstance(result, Failed):
                answered.set()
            elif isinstance(result.error, BackendError) and not answered.is_set():
                with turn:
                    lost.append(result.error)
                    if len(lost) >= GIVE_UP:
                        raise lost[0]
        except BaseException:
            pool.halt.set()
            raise
        return result  # type: ignore[no-any-return]

    futures = [pool.threads.submit(one, call) for call in calls]
    try:
        wait(futures)
    except BaseException:  # the user interrupts: what has begun ends by itself
        pool.halt.set()
        for future in futures:
            future.cancel()
        raise
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        raise next((error for error in errors if not isinstance(error, _Halted)), errors[0])
    return [future.result() for future in futures]
