"""What is a model asked? The evidence, the prompt with everything in it quoted, and what the answer must look like."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from repoctx import redact, tokens
from repoctx.errors import BudgetError, NotFoundError
from repoctx.model.client import Message
from repoctx.pack import Window
from repoctx.pack.plan import tier_for
from repoctx.pack.render import task_block
from repoctx.tasks.edits import INSTRUCTIONS
from repoctx.tasks.packing import Wishes
from repoctx.tasks.steps import Desk
from repoctx.tasks.workflow.fold import PARTLY
from repoctx.tasks.workflow.quoted import QUOTED, Slot, block, cut, quoted
from repoctx.tasks.workflow.shape import Evidence, Input, Step
from repoctx.tasks.workflow.template import Ref, fill, listed

# Characters of what evidence is looked for with.
LONGEST_TASK = 4_000
# Tokens that evidence has at least; with less there is none.
LEAST_EVIDENCE = 500
# Tokens that a quoted text has at least, where it is cut off.
LEAST_QUOTED = 100
# Tokens that are left for outputs that are folded, at least.
LEAST_ROOM = 800
# What the chat template adds around a system message (`tokens.chat_overhead`).
SYSTEM_FRAME = 5


class Question(NamedTuple):
    """What is asked, and what it takes."""

    messages: list[Message]
    tokens: int  # of the prompt with its chat template, as the model's counter has it
    tier: str
    exact: bool
    notes: list[str]


def question(
    desk: Desk, inputs: Mapping[str, Input], step: Step, known: Mapping[str, Any], slots: Sequence[Slot] = (),
    *, partly: bool = False,
) -> Question:  # fmt: skip
    """The question of a step, about one item if `known` has one, or about outputs that are folded, all or some of them.

    Raises BudgetError where the prompt alone is larger than the step's budget, or the window of its model.
    """
    window = desk.window(step.model)
    parts = "".join(block(slot.name, slot.text, window.counter) for slot in slots)
    most: int | None = None
    while True:
        asked = _asked(desk, inputs, step, known, most)
        said = "\n\n".join(text for text in (asked.text, _demand(step)) if text)
        if parts or "<data " in asked.text:
            said = f"{QUOTED}\n\n{parts}{PARTLY if partly else ''}{said}"
        body = task_block(said, window.counter) if step.evidence else window.counter.neutralise(said)
        room = step.budget - _count(window, body, asked.system)
        if room >= 0:
            break
        most = step.budget // 2 if most is None else most // 2
        if most < LEAST_QUOTED:
            raise BudgetError(
                f"step {step.id!r} has a budget of {step.budget:,} tokens, and its prompt alone takes "
                f"{step.budget - room:,}: raise its budget, or put less into the prompt"
            )
    notes, system = asked.notes, asked.system
    if step.evidence:
        body = _evidence(desk, step, step.evidence, known, room, notes) + body
    size = _count(window, body, system)
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    tier = tier_for(window, window.counter.most(size)).name
    return Question([*messages, {"role": "user", "content": body}], size, tier, window.counter.exact, notes)


def room_for_slots(desk: Desk, inputs: Mapping[str, Input], step: Step, known: Mapping[str, Any]) -> int:
    """Tokens of a step's budget that are left for outputs that it folds. Raises BudgetError if too few are."""
    bare = question(desk, inputs, replace(step, evidence=None), known, [Slot("", "")], partly=True)
    room = step.budget - bare.tokens
    if step.evidence:
        room -= min(step.evidence.budget or room, room // 2)
    if room < LEAST_ROOM:
        raise BudgetError(
            f"step {step.id!r} has a budget of {step.budget:,} tokens, which leaves {max(room, 0):,} for the outputs "
            f"of {step.reduce!r}: raise it"
        )
    return room


def _count(window: Window, body: str, system: str) -> int:
    count = window.counter.count
    return count(body) + window.template + (count(system) + SYSTEM_FRAME if system else 0)


class _Asked(NamedTuple):
    """The texts of a step, filled in."""

    text: str
    system: str
    notes: list[str]


def _asked(desk: Desk, inputs: Mapping[str, Input], step: Step, known: Mapping[str, Any], most: int | None) -> _Asked:
    """The user's own words stand as they are, all else is quoted, and cut off where it has more than `most` tokens."""
    assert step.prompt is not None
    counter, notes = desk.window(step.model).counter, list[str]()

    def shown(ref: Ref, text: str) -> str:
        if ref[0] == "inputs" and inputs[ref[1]].kind == "text":
            return counter.neutralise(tokens.valid(text.strip()))
        text = text if desk.secrets else redact.redact(text)[0]
        if most is not None and (short := cut(text, most, counter.count)) != text:
            notes.append(f"{'.'.join(ref)} was cut off after {most:,} tokens")
            text = short
        return quoted(".".join(ref), text, counter)

    system = fill(step.system, known, shown).strip() if step.system else ""
    return _Asked(fill(step.prompt, known, shown).strip(), system, notes)


def _demand(step: Step) -> str:
    """What the answer must look like."""
    if step.output is not None:
        schema = json.dumps(step.output, ensure_ascii=False)
        return (
            "Answer with one JSON value in a ```json block, and nothing else. It must fit this JSON Schema:\n" + schema
        )
    if step.edits:
        return INSTRUCTIONS
    return ""


def _evidence(desk: Desk, step: Step, evidence: Evidence, known: Mapping[str, Any], room: int, notes: list[str]) -> str:
    """A pack without its task. What must be in it and does not fit is looked for instead, and told."""
    room = min(room, evidence.budget or room)
    if room < LEAST_EVIDENCE:
        notes.append(f"there is no room for evidence: {room:,} tokens are left")
        return ""
    task = fill(evidence.task, known).strip() or step.id
    diff = fill(evidence.diff, known) if evidence.diff else ""
    wishes = Wishes(
        listed(evidence.files, known), listed(evidence.symbols, known), diff if diff.strip() else None,
        listed(evidence.exclude, known),
    )  # fmt: skip
    task = f"{task}\n{' '.join([*wishes.files, *wishes.symbols])}"[:LONGEST_TASK]
    # The pack's own frame holds the task, which our prompt takes the place of.
    room += desk.window(step.model).counter.count(task)
    less = [replace(wishes, symbols=(), diff=None), replace(wishes, files=(), symbols=(), diff=None)]
    for given in dict.fromkeys([wishes, *less]):
        try:
            made = desk.pack(task, room, given, step.model)
            break
        except (BudgetError, NotFoundError) as error:
            if given == less[-1]:
                raise
            why = "is larger than the budget" if isinstance(error, BudgetError) else "is not in the index"
    if given != wishes:
        names = [*wishes.symbols, *(["the diff"] if wishes.diff else []), *([] if given.files else wishes.files)]
        notes.append(f"what must be shown {why}: of {', '.join(names[:3])} only the best is")
    end = next(one.start for one in made.blocks if one.zone == "task")
    return made.prompt[:end]
