"""How is a workflow done? Step by step, items side by side, each question kept in the journal before the next.

What is asked follows from the snapshot, the workflow, the inputs and the answers alone: a run that begins again asks
the same questions, and those that have an answer are not asked of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from repoctx.errors import BackendError, BudgetError, NotFoundError, RefusedError, RepoctxError, UsageError
from repoctx.tasks.citations import Citation, citations
from repoctx.tasks.steps import Desk, Spent
from repoctx.tasks.workflow import fold
from repoctx.tasks.workflow.answer import Result, UnfitError, asked
from repoctx.tasks.workflow.given import checked, places
from repoctx.tasks.workflow.items import facts, items, name_of
from repoctx.tasks.workflow.question import question, room_for_slots
from repoctx.tasks.workflow.quoted import Slot, block
from repoctx.tasks.workflow.shape import Step, Workflow
from repoctx.tasks.workflow.side import Failed, Pool, several
from repoctx.tasks.workflow.template import holds, written

# Characters of an item's name where its output is folded.
LABEL = 80
# What is wrong with one question, and not with the task.
QUESTIONABLE = (RefusedError, NotFoundError, UsageError)


class Skipped(NamedTuple):
    """A step that was not done."""

    step: str
    why: str


class Lost(NamedTuple):
    """An item whose question could not be asked, or got no answer that can be used."""

    step: str
    item: str
    why: str


class Outcome(NamedTuple):
    """What a run came to."""

    result: Any  # the output of the step that the workflow names; None if it was skipped
    outputs: Mapping[str, Any]  # of each step; of one with `foreach` a list, None where an item failed
    citations: tuple[Citation, ...]  # of the result
    spent: Spent
    skipped: tuple[Skipped, ...]
    failed: tuple[Lost, ...]
    notes: tuple[str, ...]  # what was left out, cut off or dropped


@dataclass(slots=True)
class Done:
    """A step that has been done, or skipped."""

    output: Any = None
    names: list[str] = field(default_factory=list)  # of its items
    notes: list[str] = field(default_factory=list)
    failed: list[Lost] = field(default_factory=list)
    skipped: str = ""


def run(desk: Desk, workflow: Workflow, inputs: Mapping[str, str]) -> Outcome:
    """Do a workflow. Raises UsageError, NotFoundError and RefusedError for inputs that mean nothing, BudgetError if it
    asks for more than a task may, the error of a step that got no answer at all, Stopped.
    """
    given = checked(desk, workflow, inputs)
    about = _About(desk, workflow, given, places(desk, workflow, given))
    done: dict[str, Done] = {}
    with ThreadPoolExecutor(max(1, desk.limits.parallel)) as threads:
        pool = Pool(threads)
        while waiting := [step for step in workflow.steps if step.id not in done]:
            ready = [step for step in waiting if step.needs <= done.keys()]
            done |= zip([step.id for step in ready], about.together(pool, ready, done), strict=True)
    ordered = [(step.id, done[step.id]) for step in workflow.steps]
    result = done[workflow.result].output
    return Outcome(
        result,
        {name: one.output for name, one in ordered},
        tuple(citations(_cited(result), about.places, desk.source.origin.commit)),
        desk.spent,
        tuple(Skipped(name, one.skipped) for name, one in ordered if one.skipped),
        tuple(lost for _, one in ordered for lost in one.failed),
        _distinct([note for _, one in ordered for note in one.notes]),
    )


@dataclass(frozen=True, slots=True)
class _About:
    """What all steps of a run share."""

    desk: Desk
    workflow: Workflow
    given: Mapping[str, str]
    places: Mapping[str, int]

    def together(self, pool: Pool, steps: Sequence[Step], done: Mapping[str, Done]) -> list[Done]:
        """Steps that wait for none of each other, side by side."""
        if len(steps) == 1:
            return [self.step(pool, steps[0], done)]
        with ThreadPoolExecutor(len(steps)) as threads:
            beside = pool.beside(threads)
            return several(beside, [lambda step=step: self.step(pool, step, done) for step in steps])  # type: ignore[misc]

    def step(self, pool: Pool, step: Step, done: Mapping[str, Done]) -> Done:
        known = {"inputs": self.given, "steps": {name: {"output": one.output} for name, one in done.items()}}
        why = self._skipped(step, known, done)
        if why:
            self.desk.journal.tell("skip", {"step": step.id, "why": why})
            return Done(skipped=why)
        if step.facts is not None:
            self.desk.journal.tell("step", {"step": step.id, "questions": 0})
            found = facts(self.desk, step.facts, known)
            return Done(found, notes=[f"{step.id}: {note}" for note in found["notes"]])
        if step.reduce is not None:
            return self._folded(pool, step, known, done[step.reduce])
        if step.each is not None:
            return self._each(pool, step, known)
        self.desk.journal.tell("step", {"step": step.id, "questions": 1})
        asking = question(self.desk, self.workflow.inputs, step, known)
        result = several(pool, [lambda: asked(self.desk, step, step.id, asking, self.places)])[0]
        return Done(result.value, notes=[f"{step.id}: {note}" for note in result.notes])

    def _skipped(self, step: Step, known: Mapping[str, Any], done: Mapping[str, Done]) -> str:
        """Why a step is not done; "" if it is."""
        if not holds(step.when, known):
            return "its condition does not hold"
        if step.reduce is None:
            return ""
        if done[step.reduce].skipped:
            return f"step {step.reduce} was skipped"
        return "" if done[step.reduce].output else f"step {step.reduce} has no items"

    def _each(self, pool: Pool, step: Step, known: Mapping[str, Any]) -> Done:
        found = items(self.desk, step, known)
        names = [name_of(item, number) for number, item in enumerate(found.values)]
        self.desk.journal.tell("step", {"step": step.id, "questions": len(names)})

        def one(number: int) -> Result | Failed:
            result = self._item(step, f"{step.id}[{number}]", {**known, "item": found.values[number]})
            about = {"step": step.id, "item": names[number], "number": number, "of": len(names)}
            self.desk.journal.tell("item", {**about, "failed": isinstance(result, Failed)})
            return result

        results = several(pool, [lambda number=number: one(number) for number in range(len(names))])  # type: ignore[misc]
        return _told(step, names, results, found.notes)

    def _item(self, step: Step, at: str, known: Mapping[str, Any]) -> Result | Failed:
        try:
            asking = question(self.desk, self.workflow.inputs, step, known)
        except QUESTIONABLE as error:
            return self._failed(step, error)
        try:
            return asked(self.desk, step, at, asking, self.places)
        except (BackendError, UnfitError) as error:
            return self._failed(step, error)

    @staticmethod
    def _failed(step: Step, error: RepoctxError) -> Failed:
        if step.fails:
            raise error
        return Failed(error)

    def _folded(self, pool: Pool, step: Step, known: Mapping[str, Any], target: Done) -> Done:
        assert step.reduce is not None
        notes: list[str] = []
        there = [(name, one) for name, one in zip(target.names, target.output, strict=True) if one is not None]
        if step.prompt is None:
            outputs, names = [one for _, one in there], [name for name, _ in there]
            value = fold.joined(self.workflow.step(step.reduce), outputs, names, notes)
            return Done(value, notes=[f"{step.id}: {note}" for note in notes])
        counter = self.desk.window(step.model).counter
        room = room_for_slots(self.desk, self.workflow.inputs, step, known)
        slots = [Slot(name[:LABEL], written(one)) for name, one in there]
        level = 0
        while True:
            slots = fold.shortened(slots, room, counter, notes)
            runs = fold.batches([counter.count(block(*one, counter)) for one in slots], room)
            last = len(runs) == 1
            if not last and len(runs) == len(slots):  # a tokenizer with which cutting does not help
                raise BudgetError(f"step {step.id!r} cannot fold two outputs in {step.budget:,} tokens: raise it")
            self.desk.journal.tell("fold", {"step": step.id, "level": level, "questions": len(runs)})
            at = f"{step.id}/{level}"
            asks = [self._fold_one(step, known, slots, one, f"{at}.{n}", last) for n, one in enumerate(runs)]
            results = several(pool, asks)
            notes += [note for one in results for note in one.notes]
            if last:
                return Done(results[0].value, notes=[f"{step.id}: {note}" for note in notes])
            slots = [
                Slot(f"parts {one.start + 1} to {one.stop}", written(result.value))
                for one, result in zip(runs, results, strict=True)
            ]
            level += 1

    def _fold_one(
        self, step: Step, known: Mapping[str, Any], slots: Sequence[Slot], run: range, at: str, last: bool
    ) -> Callable[[], Result]:
        """What asks for one output in place of several; one that is alone stays as it is."""

        def ask() -> Result:
            chosen = slots[run.start : run.stop]
            if len(chosen) == 1 and not last:
                return Result(chosen[0].text, [])
            asking = question(self.desk, self.workflow.inputs, step, known, chosen, partly=not last)
            result = asked(self.desk, step, at, asking, self.places)
            self.desk.journal.tell("folded", {"step": step.id, "outputs": len(chosen)})
            return result

        return ask


def _told(step: Step, names: list[str], results: Sequence[Result | Failed], notes: list[str]) -> Done:
    """A step with items. Raises the first error if all of them failed."""
    failed = [(name, one.error) for name, one in zip(names, results, strict=True) if isinstance(one, Failed)]
    if failed and len(failed) == len(results):
        raise failed[0][1]
    outputs = [None if isinstance(one, Failed) else one.value for one in results]
    told = [*notes, *([] if names else [f"{step.id}: there are no items"])]
    for name, one in zip(names, results, strict=True):
        told += [] if isinstance(one, Failed) else [f"{step.id}, {name}: {note}" for note in one.notes]
    return Done(outputs, names, told, [Lost(step.id, name, str(error)) for name, error in failed])


def _distinct(notes: Sequence[str]) -> tuple[str, ...]:
    """The notes, without those of a step as a whole that an earlier step has told already."""
    found: dict[str, str] = {}
    for note in notes:
        about, _, said = note.partition(": ")
        found.setdefault(note if ", " in about else said, note)
    return tuple(found.values())


def _cited(result: Any) -> str:
    """The text of a result in which citations stand: those of its texts, and `path` with `line`."""
    if isinstance(result, str):
        return result
    if isinstance(result, list):
        return "\n".join(_cited(one) for one in result)
    if isinstance(result, dict):
        own = f"{result['path']}:{result['line']}\n" if {"path", "line"} <= result.keys() else ""
        return own + "\n".join(_cited(one) for key, one in result.items() if key not in ("diff", "path"))
    return ""
