"""A real HTTP server on loopback that answers as a test says."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from repoctx import tokens


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


# What Qwen's servers take for control tokens, each one token.
CONTROL = re.compile(r"<\|[a-z_]+\|>|</?(?:tool_call|tool_response|think)>")


def count_qwen(text: str) -> int:
    """Tokens of a rendered prompt as a server with Qwen's tokenizer finds them."""
    return len(CONTROL.findall(text)) + sum(tokens.count(part) for part in CONTROL.split(text))


@dataclass
class Chat:
    """A chat server with habits, to be a server's `otherwise`. It answers with the pass key that it is asked for."""

    row: Mapping[str, Any] = field(default_factory=lambda: {"max_model_len": 4096})  # in /models
    props: Mapping[str, Any] = field(default_factory=dict)
    window: int = 4096  # tokens that it really has
    cuts: bool = False  # whether it drops the beginning of a longer prompt, instead of refusing it
    refusal: str = "This model's maximum context length is {window} tokens. However, you requested {used} tokens."
    usage: bool = True
    forgets: int = 10**9  # token from which on it finds nothing again
    system: str = ""  # added to every prompt
    refuses_system: bool = False
    count: Callable[[str], int] = count_qwen
    answers: str = "Surely {key}."

    def __call__(self, request: dict[str, Any]) -> Reply:
        """The reply to a request for models, properties or an answer."""
        if request["path"].endswith("/models"):
            return Reply(body=json.dumps({"data": [{"id": "tiny", **self.row}]}).encode())
        if request["path"] == "/props":
            return Reply(body=json.dumps(self.props).encode())
        if self.refuses_system and len(request["messages"]) > 1:
            return Reply(400, b'{"error": {"message": "System role not supported"}}')
        messages = [{"role": "system", "content": self.system}] * bool(self.system) + request["messages"]
        prompt = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        prompt += "<|im_start|>assistant\n"
        used = self.count(prompt)
        if used > self.window and not self.cuts:
            said = self.refusal.format(window=self.window, used=used)
            return Reply(400, json.dumps({"error": {"message": said}}).encode())
        if used > self.window:
            prompt, used = prompt[-len(prompt) * self.window // used :], self.window
        return Reply(body=self._stream(self._answer(prompt), used))

    def _answer(self, prompt: str) -> str:
        asked = re.search(r"key of depot (\d+)\?", prompt)
        hidden = asked and re.search(rf"Depot {asked[1]}: the pass key is (\w+)\.", prompt)
        known = hidden and self.count(prompt[: hidden.start()]) < self.forgets
        return self.answers.format(key=hidden[1] if hidden and known else "none")

    def _stream(self, answer: str, used: int) -> bytes:
        events: list[Any] = [{"choices": [{"index": 0, "delta": {"content": answer}, "finish_reason": "stop"}]}]
        if self.usage:
            events.append({"choices": [], "usage": {"prompt_tokens": used, "completion_tokens": 3}})
        return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
