"""Whose turn is it at a back end that takes only so many requests at a time?"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from repoctx.model.cancel import Cancellation

_turn = threading.Condition()
_under_way: Counter[str] = Counter()  # requests of this process by base URL


@contextmanager
def place(url: str, at_once: int, cancellation: Cancellation) -> Iterator[None]:
    """One of `at_once` places at a base URL, 0 for any number; waits until one is free. Raises Stopped."""
    with _turn, cancellation.ending(_wake):
        while at_once and _under_way[url] >= at_once and not cancellation.cancelled:
            _turn.wait()
        cancellation.check()
        _under_way[url] += 1
    try:
        yield
    finally:
        with _turn:
            _under_way[url] -= 1
            if not _under_way[url]:
                del _under_way[url]
            _turn.notify_all()


def _wake() -> None:
    with _turn:
        _turn.notify_all()
