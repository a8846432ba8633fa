"""How does a back end behave that answers as a script says, well or badly?

An OpenAI-compatible server for tests and rehearsals: no model, and every fault that a real one may have.
"""

from __future__ import annotations

import itertools
import json
import queue
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from repoctx import tokens
from repoctx.errors import RefusedError, UsageError
from repoctx.serve.script import Cast, Reply, Script, last_message, parse, prompt_tokens

PIECE = 16  # characters of a streamed delta
MOST_REQUEST = 64 << 20
MOST_QUOTED = 200
OVERFLOW = (
    "This model's maximum context length is {window} tokens. However, your prompt contains at least {used} input "
    "tokens. Please reduce the length of the input prompt or the number of requested output tokens."
)


class Server(ThreadingHTTPServer):
    """A back end at `url` that answers as its script says, and keeps what it was asked.

    Raises RefusedError for an address that cannot be listened on.
    """

    daemon_threads = True

    def __init__(self, script: Script, host: str = "127.0.0.1", port: int = 0, log: IO[str] | None = None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._turn = threading.Lock()
        self._open: set[socket.socket] = set()
        try:
            super().__init__((host, port), _Request)
        except OSError as error:
            said = error.strerror or error
            raise RefusedError(f"{host} port {port} cannot be listened on ({said}): choose another") from error
        self.script, self.cast, self.log = script, Cast(script), log
        self.requests: list[dict[str, Any]] = []  # bodies of the requests for answers
        self.headers: list[dict[str, str]] = []  # of the same, names in lower case
        self.left: queue.SimpleQueue[int] = queue.SimpleQueue()  # numbers of requests whose client did not wait
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/v1"

    def keep(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> int:
        """Remember a request: its number, from 0."""
        with self._turn:
            self.requests.append(body)
            self.headers.append({name.lower(): value for name, value in headers.items()})
            if self.log is not None:
                self.log.write(json.dumps({"path": path, "body": body}, ensure_ascii=False) + "\n")
                self.log.flush()
            return len(self.requests) - 1

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection, which `server_close` ends if nobody else does."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """The end of a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Listen no more, and leave no request waiting."""
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is nothing to tell."""


@contextmanager
def scripted(script: Mapping[str, Any] | Script) -> Iterator[Server]:
    """A back end on loopback, up while the block runs. Raises UsageError if the script is wrong."""
    with Server(script if isinstance(script, Script) else parse(script)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def request_log(path: str | None) -> Iterator[IO[str] | None]:
    """The file that requests are added to, a line of JSON each. Raises UsageError if it cannot be written."""
    if path is None:
        yield None
        return
    try:
        Path(path).open("a").close()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
        yield file


class _Left(Exception):
    """The client has gone."""


class _Request(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """The list of models."""
        if self._path() != "/v1/models":
            return self._refuse(404, f"there is no {self._path()}: ask /v1/models or /v1/chat/completions")
        script = self.server.script
        model = {"id": script.model or "scripted", "object": "model", "max_model_len": script.window}
        return self._send(200, json.dumps({"object": "list", "data": [model]}).encode())

    def do_POST(self) -> None:
        """An answer."""
        number = -1
        try:
            body = self._body()
            if self._path() != "/v1/chat/completions":
                return self._refuse(404, f"there is no {self._path()}: ask /v1/models or /v1/chat/completions")
            if body is None:
                return self._refuse(400, "a request must be a JSON object with `messages`, a list of objects")
            number = self.server.keep(self._path(), body, dict(self.headers))
            self._answer(number, body)
        except (_Left, ConnectionError):
            self.close_connection = True
            self.server.left.put(number)

    def _answer(self, number: int, body: dict[str, Any]) -> None:
        script, messages = self.server.script, body["messages"]
        if script.model and body.get("model") != script.model:
            return self._refuse(404, f"The model `{body.get('model')}` does not exist.")
        used = prompt_tokens(messages, body.get("tools") or ())
        if used > script.window:
            return self._refuse(400, OVERFLOW.format(window=script.window, used=used))
        reply = self.server.cast.reply(messages)
        if reply is None:
            last = last_message(messages)[:MOST_QUOTED]
            said = f"the script has no reply left for a request whose last message is {last!r}"
            return self._refuse(500, said, (("X-Should-Retry", "false"),))
        if reply.stall or (not reply.repeat and not body.get("stream")):
            self._head(reply, "text/event-stream" if body.get("stream") else "application/json", None)
            return self._wait(None)
        if reply.body is not None or reply.status != 200:
            said = reply.text or f"scripted status {reply.status}"
            raw = json.dumps({"error": {"message": said}}).encode() if reply.body is None else reply.body
            return self._whole(reply, raw)
        ids = {"id": f"chatcmpl-{number}", "created": 0, "model": script.model or str(body.get("model"))}
        if not body.get("stream"):
            return self._whole(reply, json.dumps({**ids, **whole(reply, used, number)}).encode())
        options = body.get("stream_options")
        told = isinstance(options, dict) and bool(options.get("include_usage"))
        self._head(reply, "text/event-stream", None)
        for event in events(reply, used, told, number):
            self._wait(reply.delay)
            self._chunk({**ids, "object": "chat.completion.chunk", **event})
        if reply.drop_after is None:
            return self._chunk(None)
        self.close_connection = True
        return None

    # --- bytes ---------------------------------------------------------------------------------

    def _path(self) -> str:
        return self.path.partition("?")[0].rstrip("/")

    def _body(self) -> dict[str, Any] | None:
        """The request, or None if it is none."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_REQUEST:
            self.close_connection = True
            return None
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        messages = body.get("messages") if isinstance(body, dict) else None
        usable = isinstance(messages, list) and all(isinstance(message, dict) for message in messages)
        return body if usable else None

    def _refuse(self, status: int, said: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        error = {"message": said, "type": "BadRequestError" if status < 500 else "InternalServerError", "code": status}
        self._send(status, json.dumps({"error": error}).encode(), headers)

    def _whole(self, reply: Reply, raw: bytes) -> None:
        self._wait(reply.delay)
        self._head(reply, "application/json", len(raw))
        self.wfile.write(raw[: reply.drop_after])
        self.close_connection = reply.drop_after is not None

    def _send(self, status: int, raw: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self._head(Reply(status=status, headers=headers), "application/json", len(raw))
        self.wfile.write(raw)

    def _head(self, reply: Reply, kind: str, length: int | None) -> None:
        """Status and headers; without a length the body comes in chunks."""
        named = {name.lower() for name, _ in reply.headers}
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if "content-type" not in named:
            self.send_header("Content-Type", kind)
        if "content-length" not in named:
            self.send_header(*(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))))
        self.end_headers()

    def _chunk(self, event: Mapping[str, Any] | None) -> None:
        """An event of a stream; None: its end."""
        raw = b"data: [DONE]\n\n" if event is None else f"data: {json.dumps(event)}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw) + (b"0\r\n\r\n" if event is None else b""))

    def _wait(self, seconds: float | None) -> None:
        """So long, or for ever; raises _Left when the client goes."""
        ready, _, _ = select.select([self.connection], [], [], seconds)
        if ready and (seconds is None or not self.connection.recv(1, socket.MSG_PEEK)):
            raise _Left

    def log_message(self, *args: object) -> None:
        """Nothing: `--log` has the requests."""


# --- OpenAI's chat completions -----------------------------------------------------------------


def whole(reply: Reply, used: int, request: int = 0) -> dict[str, Any]:
    """The answer as one object, to a prompt of `used` tokens."""
    text = reply.text * reply.repeat
    calls = [_call(request, number, call.name, call.arguments) for number, call in enumerate(reply.calls)]
    thought = {"reasoning_content": reply.thought} if reply.thought else {}
    message = {"role": "assistant", "content": text, **thought, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
    return {"object": "chat.completion", "choices": [choice], **_usage(reply, used)}


def events(reply: Reply, used: int, told: bool, request: int = 0) -> Iterator[dict[str, Any]]:
    """The answer piece by piece; `told`: whether usage was asked for. One that is dropped never finishes."""
    yield _delta({"role": "assistant", "content": ""})
    for at in range(0, len(reply.thought), PIECE):
        yield _delta({"reasoning_content": reply.thought[at : at + PIECE]})
    for piece in _pieces(reply):
        yield _delta({"content": piece})
    if reply.drop_after is not None:
        return
    for number, call in enumerate(reply.calls):
        yield _delta({"tool_calls": [{**_call(request, number, call.name, ""), "index": number}]})
        for at in range(0, len(call.arguments), PIECE):
            part = {"index": number, "function": {"arguments": call.arguments[at : at + PIECE]}}
            yield _delta({"tool_calls": [part]})
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": _finish(reply)}]}
    if told and (usage := _usage(reply, used)):
        yield {"choices": [], **usage}


def _pieces(reply: Reply) -> Iterator[str]:
    """The text in pieces, as often as it comes, up to where the server hangs up."""
    left = reply.drop_after
    for _ in itertools.repeat(None) if not reply.repeat else range(reply.repeat):
        for at in range(0, len(reply.text), PIECE):
            if left == 0:
                return
            piece = reply.text[at : at + PIECE][:left]
            left = None if left is None else left - len(piece)
            yield piece


def _delta(delta: Mapping[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _call(request: int, number: int, name: str, arguments: str) -> dict[str, Any]:
    # Some clients take a call whose id they have seen before for the same one.
    return {"id": f"call_{request}_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _finish(reply: Reply) -> str:
    return reply.finish or ("tool_calls" if reply.calls else "stop")


def _usage(reply: Reply, used: int) -> dict[str, Any]:
    if reply.usage is None:
        return {}
    texts = [reply.text * reply.repeat, reply.thought, *(part for call in reply.calls for part in call)]
    made = sum(tokens.count(tokens.valid(text)) for text in texts)
    return {"usage": {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made, **reply.usage}}
