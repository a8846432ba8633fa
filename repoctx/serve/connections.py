"""How long may a caller take to say what he wants?

uvicorn waits for ever for the rest of a request's head; whoever opens connections and sends a byte now and then would
use up all that are allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

# How long the head of a request may take to come, and how long an answer may not be taken, in seconds.
HEAD_SECONDS = 10.0
TAKE_SECONDS = 30.0


class EndingServer(uvicorn.Server):
    """A server that tells its app when it is to end: streams would go on until they are cut off."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], object]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._ending()
        super().handle_exit(sig, frame)


class PatientConnection(H11Protocol):
    """A connection that is closed when the head of a request does not come in time."""

    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for a caller to take what was sent."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = asyncio.get_running_loop().call_later(TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It was taken."""
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take what has come; begin to wait where it is only the beginning of another request."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._watch()
        elif self.conn.their_state is not h11.IDLE:
            self._rest()

    def _watch(self) -> None:
        if self._late is None:
            self._late = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._close)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        self._late = None
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.transport.close()


