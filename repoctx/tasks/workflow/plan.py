"""What would a run ask, and what would it cost? No model is asked.

Questions that depend on no answer are made, and counted to the token. Those that do are counted without the answers,
which are taken to be half as long as they may be; the bound takes them to be as long as they may, and each answer to be
sent back as often as is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from repoctx.errors import NotFoundError, RefusedError, UsageError
from repoctx.model.client import Usage
from repoctx.model.cost import Cost
from repoctx.pack import room as room_of
from repoctx.tasks.steps import Desk
from repoctx.tasks.workflow import fold
from repoctx.tasks.workflow.answer import repairs
from repoctx.tasks.workflow.given import checked
from repoctx.tasks.workflow.items import facts, items, name_of
from repoctx.tasks.workflow.question import question, room_for_slots
from repoctx.tasks.workflow.shape import Step, Workflow
from repoctx.tasks.workflow.side import Pool, several
from repoctx.tasks.workflow.template import Ref, Template, holds

# Of the tokens that an answer may have, those that it is taken to have; items of a list that is not there yet; turns
# of a model with tools, and most of them (`tasks.loop`).
LIKELY, ASSUMED_ITEMS, ASSUMED_TURNS, MOST_TURNS = 0.5, 10, 3, 21
# Tokens around a quoted output, and of a sentence that sends an answer back.
FRAME, RETURNED = 20, 400


class Planned(NamedTuple):
    """What a step would ask. Tokens are those of prompts with their chat template."""

    step: str
    questions: int
    most_questions: int
    prompt_tokens: int
    most_prompt_tokens: int
    output_tokens: int  # that the answers may have
    most_output_tokens: int
    exact: bool  # whether `questions` and `prompt_tokens` are what would be asked, if no answer is sent back
    cost: Cost | None  # of `prompt_tokens` and `output_tokens`; None where the model has no price
    why: str  # how it was counted


class Estimate(NamedTuple):
    """What a run would ask."""

    workflow: str
    steps: tuple[Planned, ...]
    questions: int
    most_questions: int
    prompt_tokens: int
    most_prompt_tokens: int
    output_tokens: int
    most_output_tokens: int
    costs: tuple[Cost, ...]  # one per currency
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Guess:
    """What is known of the output of a step before it is done: how many, and their tokens."""

    many: int = 1
    most_many: int = 1
    likely: float = 0.0
    most: int = 0
    names: Sequence[str] = ()


@dataclass(slots=True)
class _Count:
    """The questions of a step: for each its tokens, and those that it may have at most."""

    sizes: list[int] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    exact: bool = True
    why: str = ""


def estimate(desk: Desk, workflow: Workflow, inputs: Mapping[str, str]) -> Estimate:
    """What a run with these inputs would ask; errors of inputs as `run`."""
    given = checked(desk, workflow, inputs)
    known: dict[str, Any] = {"inputs": given, "steps": {}}
    guesses: dict[str, _Guess] = {}
    notes: list[str] = []
    planned = [_planned(desk, workflow, step, known, guesses, notes) for step in workflow.steps]
    costs: dict[str, float] = {}
    for one in planned:
        if one.cost is not None:
            costs[one.cost.currency] = costs.get(one.cost.currency, 0.0) + one.cost.amount
    sums = {key: sum(getattr(one, key) for one in planned) for key in Estimate._fields[2:8]}
    limits = desk.limits
    if sums["questions"] > limits.calls:
        notes.append(f"a task may ask {limits.calls:,} questions, this asks {sums['questions']:,}: raise tasks.calls")
    if sums["prompt_tokens"] > limits.tokens:
        notes.append(f"a task may use {limits.tokens:,} tokens, and this needs more: raise tasks.tokens")
    told = tuple(Cost(round(amount, 6), currency) for currency, amount in sorted(costs.items()))
    return Estimate(workflow.name, tuple(planned), **sums, costs=told, notes=tuple(notes))


def _planned(
    desk: Desk, workflow: Workflow, step: Step, known: dict[str, Any], guesses: dict[str, _Guess], notes: list[str]
) -> Planned:
    """What a step would ask. Puts its output into `known`, or a guess of it into `guesses`."""
    refs = _refs(step)
    open_refs = [ref for ref in refs if ref[0] == "steps" and ref[1] in guesses]
    if not any(term.ref[1] in guesses for term in step.when if term.ref[0] == "steps") and not holds(step.when, known):
        return _nothing(step, known, "skipped: its condition does not hold")
    if step.facts is not None:
        if open_refs:
            guesses[step.id] = _Guess(most=2_000, likely=1_000)
            return _nothing(step, None, "the graph answers")
        known["steps"][step.id] = {"output": facts(desk, step.facts, known)}
        return _nothing(step, None, "the graph answers")
    if step.reduce is not None and step.reduce not in guesses:
        return _nothing(step, known, f"skipped: there is nothing of {step.reduce} to fold")
    if step.reduce is not None and step.prompt is None:
        target = guesses[step.reduce]
        guesses[step.id] = _Guess(likely=target.likely * target.many, most=target.most * target.most_many)
        return _nothing(step, None, "outputs are joined without a model")
    more = sum(_tokens(guesses[ref[1]]) for ref in open_refs if ref in _shown(step))
    most_more = sum(_tokens(guesses[ref[1]], most=True) for ref in open_refs if ref in _shown(step))
    counted = _counted(desk, workflow, step, known, guesses, bool(open_refs), notes)
    guess = _Guess(len(counted.sizes), len(counted.most), LIKELY * step.max_output, step.max_output)
    if step.reduce is not None:
        guess.many = guess.most_many = 1
    guesses[step.id] = guess
    return _priced(desk, step, counted, int(more), int(most_more))


def _counted(
    desk: Desk, workflow: Workflow, step: Step, known: Mapping[str, Any], guesses: Mapping[str, _Guess],
    is_open: bool, notes: list[str],
) -> _Count:  # fmt: skip
    if step.reduce is not None:
        return _folds(desk, workflow, step, known, guesses[step.reduce])
    if step.each is None:
        size = question(desk, workflow.inputs, step, known)
        notes += [f"{step.id}: {note}" for note in size.notes]
        most = step.budget if is_open and step.evidence else size.tokens
        return _Count([size.tokens], [most], not is_open, "" if not is_open else "answers are assumed")
    each = [*(step.each.of.refs if step.each.of else ()), *([step.each.ref] if step.each.ref else [])]
    if any(ref[0] == "steps" and ref[1] in guesses for ref in each):
        size = question(desk, workflow.inputs, step, {**known, "item": None})
        many = min(step.limit, ASSUMED_ITEMS)
        why = f"{many} items are assumed, at most {step.limit:,}"
        return _Count([size.tokens] * many, [step.budget] * step.limit, False, why)
    found = items(desk, step, known)
    notes += found.notes

    def one(number: int) -> tuple[int, list[str]]:
        item = found.values[number]
        try:
            made = question(desk, workflow.inputs, step, {**known, "item": item})
        except (RefusedError, NotFoundError, UsageError) as error:
            return 0, [f"will fail: {error}"]
        return made.tokens, [f"{name_of(item, number)}: {note}" for note in made.notes]

    with ThreadPoolExecutor(max(1, desk.limits.parallel)) as threads:
        made = several(Pool(threads), [lambda n=n: one(n) for n in range(len(found.values))])  # type: ignore[misc]
    notes += [f"{step.id}: {note}" for _, told in made for note in told]
    sizes = [size for size, _ in made if size]
    why = f"{len(sizes):,} item{'' if len(sizes) == 1 else 's'}{', answers are assumed' if is_open else ''}"
    bounds = [step.budget] * len(sizes) if is_open and step.evidence else list(sizes)
    return _Count(sizes, bounds, not is_open, why)


def _folds(desk: Desk, workflow: Workflow, step: Step, known: Mapping[str, Any], target: _Guess) -> _Count:
    """The questions of a fold, for outputs of the likely length and of the greatest."""
    room = room_for_slots(desk, workflow.inputs, step, known)
    fixed = question(desk, workflow.inputs, step, known).tokens if target.many else 0
    likely = tree(int(target.likely), target.many, int(LIKELY * step.max_output), room, fixed)
    most = tree(target.most, target.most_many, step.max_output, room, fixed)
    return _Count(likely, most, False, f"answers are taken to have {LIKELY:.0%} of the tokens that they may have")


def tree(size: int, many: int, own: int, room: int, fixed: int) -> list[int]:
    """The tokens of each question of a fold of so many outputs of a size, whose own answers have another."""
    asked: list[int] = []
    sizes = [min(size + FRAME, room // 2)] * many
    while sizes:
        runs = fold.batches(sizes, room)
        asked += [fixed + sum(sizes[run.start : run.stop]) for run in runs if len(run) > 1 or len(runs) == 1]
        if len(runs) == 1:
            break
        sizes = [min(own + FRAME, room // 2) if len(run) > 1 else sizes[run.start] for run in runs]
    return asked


def _priced(desk: Desk, step: Step, counted: _Count, more: int, most_more: int) -> Planned:
    turns = ASSUMED_TURNS if step.tools else 1
    likely = [(min(size + more, max(step.budget, size)), step.max_output) for size in counted.sizes] * turns
    prompts = [min(size + most_more, max(step.budget, size)) for size in counted.most]
    again = repairs(step)
    window = desk.window(step.model)
    largest = max(room_of(window, tier) for tier in window.tiers)
    most = sum(size * (1 + again) + again * (again + 1) // 2 * (step.max_output + RETURNED) for size in prompts)
    most_questions = len(prompts) * (1 + again)
    if step.tools:
        most += len(prompts) * (MOST_TURNS - 1) * largest
        most_questions += len(prompts) * (MOST_TURNS - 1)
    prices = [desk.price(step.model, Usage(*one)) for one in likely]
    costs = [one for one in prices if one is not None]
    cost = Cost(round(sum(one.amount for one in costs), 6), costs[0].currency) if costs else None
    exact = counted.exact and window.counter.exact and not step.tools
    said = [counted.why] if counted.why else []
    said += [f"{turns} turns with tools are assumed, at most {MOST_TURNS}"] if step.tools else []
    return Planned(
        step.id, len(likely), most_questions, sum(size for size, _ in likely), most,
        len(likely) * step.max_output, most_questions * step.max_output, exact, cost, "; ".join(said),
    )  # fmt: skip


def _nothing(step: Step, known: dict[str, Any] | None, why: str) -> Planned:
    """A step that asks no model; one that is skipped has no output."""
    if known is not None:
        known["steps"][step.id] = {"output": None}
    return Planned(step.id, 0, 0, 0, 0, 0, 0, True, None, why)


def _tokens(guess: _Guess, most: bool = False) -> float:
    return guess.most * guess.most_many if most else guess.likely * guess.many


def _refs(step: Step) -> list[Ref]:
    """All places that a step refers to."""
    evidence, each = step.evidence, step.each
    texts: list[Template | None] = [step.prompt, step.system, each.of if each else None]
    texts += [step.facts.symbol, step.facts.diff] if step.facts else []
    texts += [evidence.task, evidence.diff, *evidence.files, *evidence.symbols, *evidence.exclude] if evidence else []
    return [ref for text in texts if text for ref in text.refs] + ([each.ref] if each and each.ref else [])


def _shown(step: Step) -> list[Ref]:
    """The places that are shown to the model."""
    return [ref for text in (step.prompt, step.system) if text for ref in text.refs]
