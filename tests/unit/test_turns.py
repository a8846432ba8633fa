"""Who asks too much at once is refused, and nobody else is held up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from running import until

from repoctx.serve.rest import state
from repoctx.serve.rest.problems import Refusal


def test_one_question_too_many_is_refused():
    """Those that wait get their turn in the end."""
    turns, go = state.Turns(), threading.Event()

    def ask(_: int) -> bool:
        with turns:
            return go.wait(60)

    with ThreadPoolExecutor(state.TURNS + state.MOST_WAITING) as pool:
        asked = [pool.submit(ask, number) for number in range(state.TURNS + state.MOST_WAITING)]
        until(lambda: turns._waiting == state.MOST_WAITING, "all of them")
        with pytest.raises(Refusal, match="too many questions wait") as refused, turns:
            pass
        go.set()
        assert [one.result() for one in asked] == [True] * len(asked)
    assert refused.value.status == 503
    with turns:
        assert turns._waiting == 0


def test_a_caller_has_so_many_streams():
    """One that ends makes room for the next; others have their own."""
    service = state.Service(None, None, None, int)
    with pytest.raises(Refusal, match="40 streams are open") as refused:
        deep(service, state.MOST_STREAMS + 1)
    assert refused.value.status == 429
    assert +service.streams == {}
    deep(service, state.MOST_STREAMS)


def deep(service: state.Service, count: int) -> None:
    """Have so many streams open at a time, and one of somebody else."""
    with service.stream("one"):
        if count > 1:
            deep(service, count - 1)
        with service.stream("other"):
            pass
