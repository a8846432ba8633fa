"""The desk: what is finished is not asked again, what is used is counted, and limits hold for threads too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from repoctx.errors import BudgetError, Stopped
from repoctx.model.client import Answer, CallPart, Usage
from repoctx.model.cost import Cost
from repoctx.pack import Window
from repoctx.tasking import Memory
from repoctx.tasks.steps import Desk, Limits, Spent, as_kept, digest, from_kept
from repoctx.types import Tier

WINDOW = Window("m", (Tier("native", 10_000, 1.0),), 1000)


def desk(ask: Callable[..., Answer], journal: Any = None, **limits: int) -> Desk:
    """A desk whose model answers as a function says; a token costs a cent."""
    price = lambda model, usage: Cost((usage.prompt_tokens + usage.completion_tokens) / 100, "USD")  # noqa: E731
    source: Any = None
    return Desk(source, journal or Memory(), ask, lambda model: WINDOW, price, Limits(**limits))


USED = Usage(10, 2, 4)


def said(text: str = "yes", usage: Usage | None = USED) -> Answer:
    """An answer."""
    return Answer(text, (), "stop", usage)


def message(text: str) -> list[Mapping[str, Any]]:
    """A question."""
    return [{"role": "user", "content": text}]


def test_a_finished_question_is_not_asked_again() -> None:
    """By another desk on the same journal, to the letter; it counts as used all the same."""
    journal, asked = Memory(), []

    def ask(model: str | None, tier: str | None, messages: Sequence[Any], *rest: Any) -> Answer:
        asked.append(messages[0]["content"])
        return said(f"to {messages[0]['content']}")

    first = desk(ask, journal)
    assert [first.say("a", message(text)).text for text in "xy"] == ["to x", "to y"]
    second = desk(ask, journal)
    assert [second.say("a", message(text)).text for text in "xyz"] == ["to x", "to y", "to z"]
    assert second.say("b", message("x")).text == "to x"  # another step
    assert second.say("a", message("x"), options={"max_tokens": 5}).text == "to x"  # asked otherwise
    assert asked == ["x", "y", "z", "x", "x"]
    assert first.spent == Spent(2, 20, 4, 8, (Cost(0.24, "USD"),))
    assert second.spent == Spent(5, 50, 10, 20, (Cost(0.6, "USD"),))


@pytest.mark.parametrize("usage", [None, Usage(0, 5), Usage(-3, 5), Usage(5, -1)])
def test_what_no_server_counts_is_counted_here(usage: Usage | None) -> None:
    """Before a crash and after it."""
    journal = Memory()
    for _ in range(2):
        one = desk(lambda *_: said("one two three", usage), journal)
        one.say("a", message("four words are here"))
        assert (one.spent.prompt_tokens, one.spent.completion_tokens) == (4, 3)


def test_no_more_questions_than_allowed_are_asked_at_once() -> None:
    """Twenty threads, five questions: five are asked, fifteen refused."""
    asked: list[str] = []
    start, go_on = threading.Barrier(20), threading.Event()

    def ask(model: str | None, tier: str | None, messages: Sequence[Any], *rest: Any) -> Answer:
        asked.append(messages[0]["content"])
        go_on.wait(10)
        return said()

    one = desk(ask, calls=5)

    def run(number: int) -> str:
        start.wait(10)
        try:
            return one.say("a", message(str(number))).text
        except BudgetError as error:
            go_on.set()
            return str(error)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(run, range(20)))
    assert len(asked) == 5
    assert answers.count("yes") == 5
    assert {answer for answer in answers if answer != "yes" and "has asked 5 times" not in answer} == set()


def test_a_task_that_has_used_its_tokens_asks_no_more() -> None:
    """The sentence says what to do."""
    one = desk(lambda *_: said(), tokens=20)
    one.say("a", message("x"))
    one.say("a", message("y"))
    with pytest.raises(BudgetError, match=r"200 times for 20 tokens, and has asked 2 times for 24 tokens before 'a'"):
        one.say("a", message("z"))
    assert one.say("a", message("x")).text == "yes"  # what there is can be read


def test_a_question_that_failed_takes_no_place() -> None:
    """Nor does one that was stopped."""
    answers = iter([Stopped("no"), said()])

    def ask(*_: Any) -> Answer:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    one = desk(ask, calls=1)
    with pytest.raises(Stopped):
        one.say("a", message("x"))
    assert one.say("a", message("y")).text == "yes"


def test_answers_are_kept_whole() -> None:
    """With their calls."""
    answer = Answer("é", (CallPart(0, "c1", "read", '{"path": "a"}'),), "tool_calls", Usage(1, 2, None))
    assert from_kept(as_kept(answer)) == answer
    assert digest({"b": 1, "a": [2]}) == digest({"a": [2], "b": 1}) != digest({"a": [2], "b": 2})
