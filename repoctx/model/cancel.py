"""How does one thread end at once what another one waits for?"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from repoctx.errors import Stopped

Made = TypeVar("Made")


class Cancellation:
    """Ends requests from any thread, for good: those that run end at once, those that come do not begin.

    What was cancelled raises Stopped where it was waited for.
    """

    def __init__(self) -> None:
        self._set = threading.Event()
        self._turn = threading.RLock()
        self._ends: dict[object, Callable[[], object]] = {}

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._set.is_set()

    def cancel(self) -> None:
        """End all that runs with it. Does not wait; may be called again."""
        with self._turn:
            self._set.set()
            ends = list(self._ends.values())
        for end in ends:
            end()

    def check(self) -> None:
        """Raises Stopped if it is cancelled."""
        if self.cancelled:
            raise Stopped("it was cancelled: what had been finished before is kept")

    def wait(self, seconds: float) -> None:
        """Wait so long. Raises Stopped as soon as it is cancelled."""
        self._set.wait(seconds)
        self.check()

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """While the block runs, `cancel` calls `end` too; if it was called before, at once."""
        key = object()
        with self._turn:
            self._ends[key] = end
        try:
            if self.cancelled:
                end()
            yield
        finally:
            with self._turn:
                del self._ends[key]

    def call(self, make: Callable[[], Made], drop: Callable[[Made], object], seconds: float) -> Made:
        """What `make` returns, which runs in a thread of its own: not even a name server is waited for when cancelled.

        Raises what it raises, Stopped, or TimeoutError after so many seconds; what it makes later is handed to `drop`.
        """
        made: queue.SimpleQueue[tuple[Made | None, BaseException | None]] = queue.SimpleQueue()
        turn, left = threading.Lock(), threading.Event()

        def run() -> None:
            try:
                one: tuple[Made | None, BaseException | None] = make(), None
            except BaseException as error:
                one = None, error
            with turn:
                if not left.is_set():
                    made.put(one)
                elif one[1] is None:
                    drop(one[0])  # type: ignore[arg-type]

        try:
            with self.ending(lambda: made.put((None, Stopped("")))):
                threading.Thread(target=run, daemon=True).start()
                found, error = made.get(timeout=seconds)
        except BaseException as broken:
            found, error = None, TimeoutError() if isinstance(broken, queue.Empty) else broken
        if error is not None:
            with turn:
                left.set()
                while not made.empty():
                    if (late := made.get())[1] is None:
                        drop(late[0])  # type: ignore[arg-type]
            self.check()
            raise error
        return found  # type: ignore[return-value]


class Line:
    """The connection of a request, for `extensions={"trace": line.trace}` of httpx; `cut` ends it from any thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._cut = False

    def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Learn the socket when there is one, or the one with TLS in its place."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = facts["return_value"].get_extra_info("socket")
            if self._cut:
                self.cut()

    def cut(self) -> None:
        """Shut the connection down: whoever reads or writes sees its end."""
        self._cut = True
        if self._socket is not None:
            with suppress(OSError):  # not that of a TLS socket, which would forget its state under the reader
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
