"""A server on loopback whose every byte a test says."""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PATIENCE = 20.0  # seconds that a test waits for what should come at once


class Connection:
    """A connection of a client."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.send = connection.sendall

    def request(self) -> bytes:
        """The next request, whole; empty if the client has left."""
        raw = b""
        while b"\r\n\r\n" not in raw:
            if not (part := self._socket.recv(1 << 16)):
                return b""
            raw += part
        head, _, body = raw.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        while len(body) < int(length[1] if length else 0):
            body += self._socket.recv(1 << 16)
        return body

    def left(self, seconds: float = PATIENCE) -> bool:
        """Whether the client leaves within so many seconds, without another word."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        try:
            return bool(ready) and self._socket.recv(1) == b""
        except ConnectionError:
            return True


class Talk:
    """What became of a server's connections."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections = 0
        self.said: list[object] = []  # what the talks return


@contextmanager
def talking(talk: Callable[[Connection], object]) -> Iterator[Talk]:
    """A server that has the same talk with every client; all are over when the block is left."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Talk(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        threads: list[threading.Thread] = []

        def serve(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):
                found.said.append(talk(Connection(connection)))

        def accept() -> None:
            with suppress(OSError):  # it is shut down
                while True:
                    connection, _ = listening.accept()
                    found.connections += 1
                    threads.append(threading.Thread(target=serve, args=(connection,)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield found
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()
