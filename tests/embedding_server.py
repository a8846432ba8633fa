"""A real server of embeddings on loopback, whose answers a test can count, hold back and refuse."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from repoctx.index.embed import Hashing

# How long a test waits for what must come: a loaded machine is slow, a failure is not.
PATIENCE = 120.0


class EmbeddingServer(ThreadingHTTPServer):
    """`POST /v1/embeddings`, OpenAI's way; vectors are those of the hashing embedder."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.texts: list[str] = []  # all that was answered, in order
        self.keys: list[str | None] = []  # the Authorization header of each request
        self.arrived: queue.Queue[int] = queue.Queue()  # texts in each request, as it comes
        self.dimensions = 256
        self.refusal = 0  # a status to answer with instead
        self._allowed: int | None = None  # requests that are still answered; None: all
        self._changed = threading.Condition()

    @property
    def setting(self) -> str:
        """What `embedding.model` is for this server."""
        return f"openai:hashing@http://127.0.0.1:{self.server_address[1]}/v1"

    def allow(self, requests: int | None) -> None:
        """Answer so many requests more and hold the rest back; None: hold none back."""
        with self._changed:
            self._allowed = requests
            self._changed.notify_all()

    def wait_until_allowed(self) -> None:
        """Hold a request back."""
        with self._changed:
            self._changed.wait_for(lambda: self._allowed != 0)
            if self._allowed is not None:
                self._allowed -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error."""


class _Request(BaseHTTPRequestHandler):
    server: EmbeddingServer

    def do_POST(self) -> None:
        """Answer in the order of the input."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.keys.append(self.headers.get("authorization"))
        self.server.arrived.put(len(asked["input"]))
        self.server.wait_until_allowed()
        if self.server.refusal:
            self._send(self.server.refusal, {"error": {"message": "out of order"}})
            return
        rows = Hashing().documents(asked["input"]) + 1e-3  # a text without words has a direction too
        data = [{"index": i, "embedding": row[: self.server.dimensions].tolist()} for i, row in enumerate(rows)]
        self.server.texts += asked["input"]
        with contextlib.suppress(ConnectionError):
            self._send(200, {"data": data, "model": asked["model"]})

    def _send(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    """A running server, stopped at the end."""
    with EmbeddingServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.allow(None)
            server.shutdown()
            thread.join()
