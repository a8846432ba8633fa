"""What does a model say about the repository? Pack, send, stream, and check what it cites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from repoctx.model.client import Backend, stream
from repoctx.tasks.citations import Citation, citations
from repoctx.types import Pack, Plan


class Asked(NamedTuple):
    """A whole answer and the account of it. Token counts are None where the server reported none."""

    text: str
    finish: str
    citations: tuple[Citation, ...]
    plan: Plan
    predicted_tokens: int  # of the prompt with its chat template
    prompt_tokens: int | None  # what the server counted
    completion_tokens: int | None
    snapshot: str
    commit: str | None


class Event(NamedTuple):
    """One step of an answer: a piece of text, or the end."""

    text: str | None = None
    answer: Asked | None = None


def ask(pack: Pack, backend: Backend, lines: Mapping[str, int]) -> Iterator[Event]:
    """Send a pack and yield the answer as it comes; the last event has the account.

    `lines` says how many lines each file of the snapshot has. Raises BackendError.
    """
    text: list[str] = []
    finish, usage = "", None
    for delta in stream(backend, [{"role": "user", "content": pack.prompt}]):
        if delta.text:
            text.append(delta.text)
            yield Event(text=delta.text)
        finish = delta.finish or finish
        usage = delta.usage or usage
    answer = "".join(text)
    yield Event(
        answer=Asked(
            answer,
            finish,
            citations(answer, lines, pack.commit),
            pack.plan,
            pack.plan.predicted_tokens + pack.plan.template_tokens,
            usage.prompt_tokens if usage else None,
            usage.completion_tokens if usage else None,
            pack.snapshot,
            pack.commit,
        )
    )
