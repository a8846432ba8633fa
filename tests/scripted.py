"""A real HTTP server on loopback that answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """What the server does with one request."""

    status: int = 200  # 0: hang up without a word
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    promised: int = -1  # Content-Length to claim; more than the body: the stream is dropped


class Server(ThreadingHTTPServer):
    """Answers requests with its replies in turn, then as `otherwise` says, and remembers them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.replies: list[Reply] = []
        self.otherwise: Callable[[dict[str, Any]], Reply] | None = None
        self.requests: list[dict[str, Any]] = []
        self.seen_headers: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


class _Request(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer a request without a body."""
        self._answer({"path": self.path})

    def do_POST(self) -> None:
        """Answer a request with a JSON body."""
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"path": self.path, **json.loads(raw)})

    def _answer(self, request: dict[str, Any]) -> None:
        self.server.requests.append(request)
        self.server.seen_headers.append(dict(self.headers))
        if self.server.replies or self.server.otherwise is None:
            reply = self.server.replies.pop(0)
        else:
            reply = self.server.otherwise(request)
        if reply.status == 0:
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(max(reply.promised, len(reply.body))))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def running() -> Iterator[Server]:
    """A server that is up, and down at the end."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
