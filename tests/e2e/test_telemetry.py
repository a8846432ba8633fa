"""Traces of requests go where OpenTelemetry's own variable says, and nowhere otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from running import running

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Something that takes what is sent: its address, and by path what came."""
    came: dict[str, bytes] = {}

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came[self.path] = came.get(self.path, b"") + self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_are_traced(tmp_path, collector):
    """A request continues the trace of its caller; probes are left out, and so are the words of tokens."""
    address, came = collector
    with running(tmp_path / "home", {"OTEL_EXPORTER_OTLP_ENDPOINT": address}, "--workers", "0") as service:
        parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-API-Key": "rctx_wrong"}
        assert service.client.get("/v1/repositories", headers=parent).status_code == 401
        service.stop()
    assert bytes.fromhex(TRACE) in came["/v1/traces"]
    assert b"/v1/repositories" in came["/v1/traces"]
    assert b"/readyz" not in came["/v1/traces"]
    assert b"rctx_wrong" not in b"".join(came.values())
