"""What does an answer hold? Text, JSON that fits a schema, or edits: what does not fit is sent back once or twice."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from repoctx import tokens
from repoctx.errors import RefusedError
from repoctx.model.client import Message
from repoctx.tasks.edits import Problem
from repoctx.tasks.loop import converse
from repoctx.tasks.proposal import ERRORS, propose
from repoctx.tasks.steps import Desk
from repoctx.tasks.tools import toolbox
from repoctx.tasks.workflow import form
from repoctx.tasks.workflow.question import Question
from repoctx.tasks.workflow.shape import Step

# How often an answer is sent back with what is wrong with it: one that changes files, and any other.
EDITS_AGAIN, AGAIN = 2, 1
# Characters of an answer that are looked at for JSON, and of a problem that are sent back.
LONGEST, TOLD = 1_000_000, 1_500
# Blocks of an answer that are looked at for JSON, and entries of a list that are told to be dropped.
MOST_BLOCKS, MOST_LOST = 10, 20
FENCE = "```"
TOO_DEEP = "It is nested too deep."

AGAIN_SAYS = "That cannot be used: {problem}\nAnswer again, in the same form."
NOTHING = (
    "Your answer changes nothing. If that is right, say why in a sentence, and write no edits; if not, write the edits."
)
# The kind of problem of edits that leave every file as it is.
NO_CHANGE = "no change"


class UnfitError(RefusedError):
    """A model's answer cannot be used, though it was told why."""


class Result(NamedTuple):
    """What an answer holds."""

    value: Any
    notes: list[str]


def asked(desk: Desk, step: Step, name: str, question: Question, places: Mapping[str, int]) -> Result:
    """Put a question and read the answer; `name` is that of the question within the run.

    `places` says how many lines each file has. Raises UnfitError for an answer that cannot be used, BackendError,
    BudgetError and Stopped.
    """
    messages, notes = question.messages, list(question.notes)
    neutralise = desk.window(step.model).counter.neutralise
    again = repairs(step)
    for attempt in range(again + 1):
        text, finish = _said(desk, step, name if not attempt else f"{name} repair {attempt}", question, messages)
        if finish in ("length", "repetition"):
            notes.append(f"the answer was cut off ({finish}): max_output is {step.max_output:,} tokens")
        value, problem = _read(desk, step, text, attempt)
        if not problem:
            return Result(*_with_places(value, step.check, places, notes))
        messages = [
            *messages,
            {"role": "assistant", "content": neutralise(tokens.valid(text)) or "(nothing)"},
            {"role": "user", "content": neutralise(AGAIN_SAYS.format(problem=tokens.valid(problem[:TOLD])))},
        ]
    raise UnfitError(f"the model's answer cannot be used, though it was told why: {problem[:300]}")


def repairs(step: Step) -> int:
    """How often an answer is sent back at most."""
    return EDITS_AGAIN if step.edits else AGAIN


def _said(desk: Desk, step: Step, name: str, question: Question, messages: list[Message]) -> tuple[str, str]:
    """The text of an answer, and how it ended. Repairs are asked for without tools."""
    options = {"max_tokens": step.max_output}
    if step.tools and messages is question.messages:
        names = None if isinstance(step.tools, bool) else list(step.tools)
        tools = toolbox(desk.source, names, secrets=desk.secrets, window=desk.window(step.model))
        said = converse(desk, name, messages, tools, model=step.model, tier=question.tier, options=options)
        return said.text, "stop"
    answer = desk.say(name, messages, model=step.model, tier=question.tier, options=options)
    return answer.text, answer.finish


def _read(desk: Desk, step: Step, text: str, attempt: int) -> tuple[Any, str]:
    """What an answer holds, and what is wrong with it; "" if it can be used.

    That nothing is to be changed has to be said twice. Edits that can be made are taken in the end, with what is wrong.
    """
    if step.output is not None:
        return fitting(text, step.output)
    if step.edits:
        made = propose(desk.source, text)
        wrong = [_told(one) for one in made.problems if one.kind in ERRORS]
        if not made.diff and all(one.kind == NO_CHANGE for one in made.problems if one.kind in ERRORS):
            wrong = [NOTHING] if attempt == 0 else []
        if wrong and not (made.diff and attempt == EDITS_AGAIN):
            return None, " ".join(wrong)
        return {"diff": made.diff, "problems": [one._asdict() for one in made.problems], "answer": text}, ""
    return (text.strip(), "") if text.strip() else (None, "there is no text in it.")


def _told(problem: Problem) -> str:
    return f"{problem.path}: {problem.detail}" if problem.path else problem.detail


# --- JSON --------------------------------------------------------------------------------------


def fitting(text: str, schema: Mapping[str, Any]) -> tuple[Any, str]:
    """The first JSON value of an answer that fits a schema of `form`, and "" or what is wrong. Never raises."""
    problem, steps = "", form.Steps()
    for value in _values(text[:LONGEST]):
        if form.too_deep(value):
            problem = problem or TOO_DEEP
            continue
        try:
            value = _valid(value)
            found = form.fault(value, schema, steps)
        except RecursionError:
            problem = problem or TOO_DEEP
        except form.TooMuchError:
            return None, problem or "It takes too long to check against the JSON Schema: answer with less."
        else:
            if found is None:
                return value, ""
            at = form.spelt(found.place)
            problem = problem or f"{at + ': ' if at else 'the value '}{found.problem}."
    return None, problem or "There is no JSON in it that can be read: write one value in a ```json block."


def _values(text: str) -> Iterator[Any]:
    """The JSON values that an answer may mean: of its blocks, the whole, what begins with the first bracket."""
    for one in (*islice(_blocks(text), MOST_BLOCKS), text):
        with suppress(ValueError, RecursionError):
            yield _DECODER.decode(one)
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start >= 0:
        with suppress(ValueError, RecursionError):
            yield _DECODER.raw_decode(text, start)[0]


def _valid(value: Any) -> Any:
    """The value without halves of characters, which `\\ud800` stands for and UTF-8 cannot hold."""
    return json.loads(tokens.valid(json.dumps(value, ensure_ascii=False)))


def _blocks(text: str) -> Iterator[str]:
    """What stands between fences, line by line."""
    fence, lines = "", list[str]()
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        ticks = bare[: len(bare) - len(bare.lstrip("`"))]
        if not fence:
            fence = ticks if len(ticks) >= len(FENCE) and "`" not in bare[len(ticks) :] else ""
        elif bare == ticks and len(ticks) >= len(fence):
            yield "".join(lines)
            fence, lines = "", []
        else:
            lines.append(line)


def _refused(text: str) -> Any:
    raise ValueError(text)  # NaN and Infinity are no JSON


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


_DECODER = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)


# --- places ------------------------------------------------------------------------------------


def _with_places(
    value: Any, keys: tuple[str, ...], places: Mapping[str, int], notes: list[str]
) -> tuple[Any, list[str]]:
    """The value without entries of some lists that name a place that does not exist, or that are there twice."""
    for key in keys:
        found = value.get(key) if isinstance(value, dict) else None
        if not isinstance(found, list):
            continue
        kept: dict[str, Any] = {}
        lost = []
        for entry in found:
            path, line = (entry.get("path"), entry.get("line")) if isinstance(entry, dict) else (None, None)
            if not isinstance(path, str) or type(line) is not int or not 1 <= line <= places.get(path, 0):
                lost.append(f"an entry of {key} was dropped: there is no {str(path)[:200]}:{str(line)[:20]}")
            else:
                kept.setdefault(json.dumps(entry, sort_keys=True), entry)
        notes = [*notes, *lost[:MOST_LOST]]
        if len(lost) > MOST_LOST:
            notes.append(f"{len(lost) - MOST_LOST:,} more entries of {key} were dropped: there are no such places")
        value = {**value, key: list(kept.values())}
    return value, notes
