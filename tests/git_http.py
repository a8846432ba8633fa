"""A real git server over http on loopback: `git http-backend`, with or without a login, pushes allowed."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from repositories import ENVIRONMENT

_PUSHES = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.receivepack", "GIT_CONFIG_VALUE_0": "true"}


class Request(NamedTuple):
    """One request that came in."""

    method: str
    path: str  # with its query
    authorization: str | None


class GitServer(ThreadingHTTPServer):
    """Serves the repositories in a folder: `server.url + "/tool.git"`.

    Its fields may be changed while it runs.
    """

    daemon_threads = True

    def __init__(self, folder: Path, user: str | None, password: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.folder = folder
        self.user, self.password = user, password  # a login is wanted if there is a password
        self.requests: list[Request] = []  # in the order in which they came
        self.redirects: dict[str, str] = {}  # the start of a path -> what to send a client to instead of it
        self.answers: dict[str, tuple[int, str, bytes]] = {}  # start of a path -> status, type and body instead
        self.port = int(self.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was stopped is no error."""

    def admits(self, authorization: str | None) -> bool:
        """Whether a request with this header may pass."""
        if self.password is None:
            return True
        login = base64.b64encode(f"{self.user or ''}:{self.password}".encode()).decode()
        given = authorization or ""
        if self.user is None:  # any user
            with contextlib.suppress(ValueError):
                _, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
                return password == self.password
        return given == f"Basic {login}"


class _Request(BaseHTTPRequestHandler):
    server: GitServer
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self._body()
        authorization = self.headers.get("authorization")
        self.server.requests.append(Request(self.command, self.path, authorization))
        for start, target in self.server.redirects.items():
            if self.path.startswith(start):
                self._send(301, {"Location": target + self.path.removeprefix(start)}, b"")
                return
        for start, (status, kind, content) in self.server.answers.items():
            if self.path.startswith(start):
                self._send(status, {"Content-Type": kind}, content)
                return
        if not self.server.admits(authorization):
            self._send(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        self._send(*self._ask_git(body))

    do_GET = do_POST = _answer

    def _body(self) -> bytes:
        """What was sent, in one piece or, of a large push, in chunks."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(pieces)

    def _ask_git(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        path, _, query = self.path.partition("?")
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            **ENVIRONMENT,
            **_PUSHES,
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        backend = os.path.join(_exec_path(), "git-http-backend")
        done = subprocess.run([backend], env=variables, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines())
        status = int(headers.pop("Status", "200" if headers else "500").split()[0])
        return status, headers, content

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


def _exec_path() -> str:
    return subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def serving(folder: Path, user: str | None = None, password: str | None = None) -> Iterator[GitServer]:
    """A running server of the repositories in a folder, stopped at the end.

    With a password it wants that login; without a user, any user's with that password.
    """
    with GitServer(folder, user, password) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
