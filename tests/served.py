"""An app over real HTTP on loopback, in a thread, and what a socket hears when it says something odd."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn

from repoctx.serve.connections import PatientConnection

# Seconds after which a test gives up waiting for a server.
PATIENCE = 15.0


class Address(NamedTuple):
    """Where an app is served."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """A new connection to it."""
        return socket.create_connection(self, PATIENCE)

    def hear(self, *said: bytes) -> bytes:
        """All that comes back when something is said, until the server hangs up."""
        with self.connect() as connection:
            for one in said:
                connection.sendall(one)
            return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """What a connection says until the other side closes it."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


@contextmanager
def listening(app: Any) -> Iterator[Address]:
    """Serve an app in a thread as `repoctx serve` does."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen(100)
        address = Address("127.0.0.1", bound.getsockname()[1])
        server = uvicorn.Server(
            uvicorn.Config(
                app, http=PatientConnection, ws="none", log_config=None, access_log=False, proxy_headers=False,
                timeout_graceful_shutdown=5, timeout_keep_alive=1,
            )
        )  # fmt: skip
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
