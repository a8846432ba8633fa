"""A request is ended from another thread, whatever it waits for, and the server sees it go."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from scripted import Reply, running
from talking import Connection, talking

from repoctx.errors import Stopped
from repoctx.model import client
from repoctx.model.cancel import Cancellation

ASK = [{"role": "user", "content": "Say hello."}]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
DELTA = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": null}]}\n\n'
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n"
AT_ONCE = 5.0  # seconds; every wait that is ended here would take longer


@pytest.fixture
def quick() -> Iterator[None]:
    """The test takes no longer than what is ended at once."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < AT_ONCE


def ended(url: str, cancellation: Cancellation, ask: Callable[..., object] = client.complete) -> None:
    """Ask, and be stopped."""
    with pytest.raises(Stopped, match="cancelled"):
        list(ask(client.Backend(url, "tiny"), ASK, cancellation=cancellation))  # type: ignore[call-overload]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("ask", [client.complete, client.stream])
@pytest.mark.parametrize("said", [b"", HEAD[:20], HEAD, HEAD + b": reading\n\n", HEAD + DELTA, HEAD + DELTA * 500])
def test_a_request_ends_at_once(ask, said: bytes) -> None:
    """Before the first byte, between headers, before the first event and amid the answer."""
    cancellation = Cancellation()

    def talk(connection: Connection) -> bool:
        connection.request()
        connection.send(said)
        cancellation.cancel()
        return connection.left()

    with talking(talk) as server:
        ended(server.url, cancellation, ask)
    assert (server.said, server.connections) == ([True], 1)


@pytest.mark.usefixtures("quick")
def test_a_request_that_is_still_being_sent_ends_at_once() -> None:
    """A server that does not read a long prompt."""
    cancellation = Cancellation()

    def talk(connection: Connection) -> None:
        cancellation.cancel()

    long = [{"role": "user", "content": "x" * (64 << 20)}]
    with talking(talk) as server, pytest.raises(Stopped):
        client.complete(client.Backend(server.url, "tiny"), long, cancellation=cancellation)


@pytest.mark.usefixtures("quick")
def test_a_connection_that_is_used_again_ends_too() -> None:
    """The second attempt goes over the connection of the first."""
    cancellation = Cancellation()

    def talk(connection: Connection) -> bool:
        connection.request()
        connection.send(BUSY)
        connection.request()
        cancellation.cancel()
        return connection.left()

    with talking(talk) as server:
        ended(server.url, cancellation)
    assert (server.said, server.connections) == ([True], 1)


@pytest.mark.usefixtures("quick")
def test_connecting_ends_at_once() -> None:
    """Nobody accepts, and there is no room left to wait."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        cancellation = Cancellation()
        timer = threading.Timer(0.2, cancellation.cancel)
        timer.start()
        ended(f"http://127.0.0.1:{full.getsockname()[1]}/v1", cancellation)
        timer.join()
        for one in crowd:
            one.close()


@pytest.mark.usefixtures("quick")
def test_the_pause_between_attempts_ends_at_once() -> None:
    """A server that asks for a minute."""
    cancellation = Cancellation()

    def cancelled(request: object) -> Reply:
        threading.Timer(0.1, cancellation.cancel).start()
        return Reply(503, headers=(("Retry-After", "60"),))

    with running() as server:
        server.otherwise = cancelled
        ended(server.url, cancellation)
        assert len(server.requests) == 1


@pytest.mark.usefixtures("quick")
def test_waiting_for_a_turn_ends_at_once() -> None:
    """Where another request is under way; the place of one that ended is free again."""
    first, second = Cancellation(), Cancellation()

    def talk(connection: Connection) -> bool:
        connection.request()
        connection.send(HEAD + DELTA)
        return connection.left()

    with talking(talk) as server:
        backend = client.Backend(server.url, "tiny", at_once=1)
        deltas = client.stream(backend, ASK, cancellation=first)
        assert next(deltas).text == "x"
        threading.Timer(0.1, second.cancel).start()
        with pytest.raises(Stopped):
            client.complete(backend, ASK, cancellation=second)
        first.cancel()
        with pytest.raises(Stopped):
            next(deltas)
        again = client.stream(backend, ASK)
        assert next(again).text == "x"
        again.close()  # type: ignore[attr-defined]
    assert (server.said, server.connections) == ([True, True], 2)


def test_what_was_cancelled_does_not_begin() -> None:
    """Nothing is sent; `check`, `wait` and `ending` know it too."""
    cancellation = Cancellation()
    assert not cancellation.cancelled
    cancellation.check()
    cancellation.cancel()
    cancellation.cancel()
    assert cancellation.cancelled
    with running() as server:
        ended(server.url, cancellation)
        ended(server.url, cancellation, client.stream)
        assert server.requests == []
    with pytest.raises(Stopped):
        cancellation.wait(60)
    called = []
    with cancellation.ending(lambda: called.append(1)):
        assert called == [1]


def test_what_comes_too_late_is_dropped() -> None:
    """Whoever has stopped waiting leaves it to `drop`."""
    cancellation, go, dropped = Cancellation(), threading.Event(), threading.Event()

    def make() -> str:
        cancellation.cancel()
        go.wait(20)
        return "late"

    with pytest.raises(Stopped):
        cancellation.call(make, lambda made: dropped.set() if made == "late" else None, 20)
    go.set()
    assert dropped.wait(20)
    with pytest.raises(TimeoutError):
        Cancellation().call(lambda: threading.Event().wait(1), lambda made: None, 0.01)
    with pytest.raises(ZeroDivisionError):
        Cancellation().call(lambda: 1 / 0, lambda made: None, 20)
    assert Cancellation().call(lambda: 7, lambda made: None, 20) == 7
