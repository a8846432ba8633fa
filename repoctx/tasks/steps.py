"""How is a task done, so that no finished step of it is ever done twice?

A recipe is an ordinary function that asks a desk for what costs time or money. Each answer is kept in the task's
journal before the next step begins, under a key that says the step and all that was asked: a recipe that begins again
after a crash runs through what is kept, and goes on where it ended.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from repoctx.errors import BudgetError
from repoctx.model.client import Answer, CallPart, Message, Usage
from repoctx.model.cost import Cost
from repoctx.pack import Window
from repoctx.tasks.packing import NO_WISHES, Source, Wishes, assemble
from repoctx.types import Pack


class Journal(Protocol):
    """What a task has finished. Its methods may be called by several threads at once."""

    def kept(self, key: str) -> Any:
        """The value of a finished step, as JSON has it; None if it is not finished."""

    def every(self) -> Mapping[str, Any]:
        """The values of all finished steps, by key."""

    def keep(self, key: str, value: Any) -> None:
        """Keep the value of a finished step, for good: when this returns, a crash does not lose it."""

    def tell(self, event: str, detail: Mapping[str, Any]) -> None:
        """Show those who follow the task how it goes. Raises Stopped if it was cancelled."""


class Spent(NamedTuple):
    """What a task has used up to now. Tokens are those that the server counted, or we where it does not."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    costs: tuple[Cost, ...] = ()  # one per currency


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a task may use."""

    calls: int = 200
    tokens: int = 5_000_000
    parallel: int = 4  # steps at a time


# Model's name or None for the usual one, the tier that the prompt was planned for, messages, tools, options -> answer.
Ask = Callable[[str | None, str | None, Sequence[Message], Sequence[Mapping[str, Any]], Mapping[str, Any]], Answer]
Prices = Callable[[str | None, Usage], Cost | None]


@dataclass(slots=True, eq=False)
class Desk:
    """What a recipe works with: one snapshot, a model to ask, a journal, limits."""

    source: Source
    journal: Journal
    ask: Ask
    window: Callable[[str | None], Window]  # by the model's name; None: the usual one
    price: Prices = lambda model, usage: None
    limits: Limits = Limits()
    secrets: bool = False  # whether packs show those
    _spent: dict[str, tuple[Usage, Cost | None]] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)  # keys of questions that are under way
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def say(
        self, step: str, messages: Sequence[Message], *, model: str | None = None, tier: str | None = None,
        tools: Sequence[Mapping[str, Any]] = (), options: Mapping[str, Any] | None = None,
    ) -> Answer:  # fmt: skip
        """What the model answers, or has answered before a crash. `step` names the question within the task.

        Raises BackendError, BudgetError if the task has used all that it may, Stopped.
        """
        request = [model, list(messages), list(tools), dict(options or {})]
        key = f"{step} {digest(request)}"
        if (kept := self.journal.kept(key)) is not None:
            answer = from_kept(kept)
            self._count(key, model, answer)
            return answer
        self._within_limits(step, key)
        try:
            self.journal.tell("ask", {"step": step})
            answer = self.ask(model, tier, messages, tools, options or {})
            kept = {**as_kept(answer._replace(usage=self._used(model, messages, answer))), "model": model}
            self.journal.keep(key, kept)
            answer = from_kept(kept)  # the same before a crash and after it
            self._count(key, model, answer)
            return answer
        finally:
            self._asked.discard(key)

    def remember(self) -> None:
        """Count what runs before this one have used."""
        for key, kept in self.journal.every().items():
            if isinstance(kept, dict) and "usage" in kept:
                self._count(key, kept.get("model"), from_kept(kept))

    def _used(self, model: str | None, messages: Sequence[Message], answer: Answer) -> Usage:
        """Tokens of a question and its answer: the server's count, or ours where it gives none that can be."""
        usage = answer.usage
        if usage is not None and usage.prompt_tokens > 0 and usage.completion_tokens >= 0:
            return usage
        count = self.window(model).counter.count
        texts = [one.get("content") for one in messages]
        asked = sum(count(one if isinstance(one, str) else json.dumps(one)) for one in texts if one)
        return Usage(asked, count(answer.text) + sum(count(call.arguments) for call in answer.calls))

    def pack(self, task: str, budget: int | None = None, wishes: Wishes = NO_WISHES, model: str | None = None) -> Pack:
        """A pack of the snapshot; arguments and errors as `packing.assemble`."""
        return assemble(
            task, [self.source], self.window(model), budget, replace(wishes, secrets=wishes.secrets or self.secrets)
        )

    @property
    def spent(self) -> Spent:
        """What was used up to now, in this run and in those before it."""
        with self._turn:
            every = list(self._spent.values())
        costs: dict[str, float] = {}
        for _, cost in every:
            if cost is not None:
                costs[cost.currency] = costs.get(cost.currency, 0.0) + cost.amount
        return Spent(
            len(every),
            sum(usage.prompt_tokens for usage, _ in every),
            sum(usage.completion_tokens for usage, _ in every),
            sum(usage.cached_tokens or 0 for usage, _ in every),
            tuple(Cost(round(amount, 6), currency) for currency, amount in sorted(costs.items())),
        )

    def account(self) -> dict[str, Any]:
        """What was used up to now, as JSON."""
        spent = self.spent
        return {**spent._asdict(), "costs": [cost._asdict() for cost in spent.costs]}

    def _within_limits(self, step: str, key: str) -> None:
        """Take a place for a question. Raises BudgetError if there is none."""
        with self._turn:
            calls = len(self._spent.keys() | self._asked)
            used = sum(usage.prompt_tokens + usage.completion_tokens for usage, _ in self._spent.values())
            if calls < self.limits.calls and used < self.limits.tokens:
                self._asked.add(key)
                return
        raise BudgetError(
            f"the task may ask a model {self.limits.calls} times for {self.limits.tokens:,} tokens, and has asked "
            f"{calls} times for {used:,} tokens before {step!r}: raise tasks.calls or tasks.tokens, or ask for less"
        )

    def _count(self, key: str, model: str | None, answer: Answer) -> None:
        usage = answer.usage or Usage(0, 0)
        with self._turn:
            self._spent[key] = (usage, self.price(model, usage))


def digest(value: Any) -> str:
    """A hash of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def as_kept(answer: Answer) -> dict[str, Any]:
    """An answer as a journal keeps it."""
    return {
        "text": answer.text,
        "calls": [list(call) for call in answer.calls],
        "finish": answer.finish,
        "usage": None if answer.usage is None else list(answer.usage),
    }


def from_kept(value: Mapping[str, Any]) -> Answer:
    """What `as_kept` was given."""
    usage = value["usage"]
    calls = tuple(CallPart(*call) for call in value["calls"])
    return Answer(value["text"], calls, value["finish"], None if usage is None else Usage(*usage))
