"""Where is the bug, and which change mends it? Pack, ask, check the change, send back what is wrong with it, widen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from repoctx import redact, tokens
from repoctx.errors import BudgetError, RefusedError, SourceError
from repoctx.model.client import Answer, Message, Usage, WindowOverflow
from repoctx.tasks import edits, scratch
from repoctx.tasks.citations import Citation, citations
from repoctx.tasks.edits import Problem
from repoctx.tasks.packing import NO_WISHES, Wishes
from repoctx.tasks.proposal import ERRORS, Proposal, propose
from repoctx.tasks.scratch import Ran
from repoctx.tasks.steps import Desk, digest
from repoctx.types import Pack

# Tokens of the packs of the first attempt and of those after it, where nobody says how many. Evidence of a bug is
# mostly found in the first, and a model solves less with more around it (arXiv 2602.16069).
BUDGETS = (8_192, 16_384, 32_768, 65_536)
# Characters of a test's output that a model is shown: its end says what failed.
SHOWN_OUTPUT = 8_000
# Turns with tools within an attempt.
TURNS = 20
# Kinds of problems beside those that a look at the change finds; with any of FAILS a change is not accepted.
NOTHING, CUT, REFUSED = "no change", "cut", "does not apply"
FAILS = ERRORS | {NOTHING, CUT, REFUSED}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A bug and how it may be looked for."""

    report: str  # an issue, a trace, a log, a failing test
    wishes: Wishes = NO_WISHES  # what the packs must show and what they may not
    tools: bool = False  # whether the model may search and read before it answers
    attempts: int = 3
    budget: int | None = None  # tokens of the first pack; None: BUDGETS
    model: str | None = None
    test: str | None = None  # a command that passes when the bug is mended


@dataclass(frozen=True, slots=True)
class Bench:
    """Where changes are tried."""

    checkout: Callable[[Path], None]  # writes the snapshot's files into an empty folder
    hide: Sequence[Path] = ()  # folders that a test command does not see
    seconds: int = 600
    memory_bytes: int = 4_000_000_000
    stop: Callable[[], bool] = lambda: False


class Attempt(NamedTuple):
    """What one answer came to."""

    budget: int  # tokens that the pack might have
    tokens: int  # of the pack
    tier: str
    rope_factor: float
    finish: str  # why the model ended: stop, length, repetition
    problems: tuple[Problem, ...]
    test: Ran | None

    @property
    def errors(self) -> list[str]:
        """What the model is told, a sentence each; none for a change that holds."""
        found = [one.detail for one in self.problems if one.kind in FAILS]
        if self.test is not None and self.test.code != 0:
            found.append(f"The command `{self.test.command}` fails with your change.")
        return found


class Debugged(NamedTuple):
    """A diagnosis and a change.

    `outcome` is "fixed" where the test command fails without the change and passes with it, "valid" where the change
    applies, parses and uses names that exist, "invalid" where it does not, "unchanged" where the model proposed none.
    """

    outcome: str
    answer: str
    diff: str
    problems: tuple[Problem, ...]
    citations: tuple[Citation, ...]
    before: Ran | None  # the test command without a change
    attempts: tuple[Attempt, ...]


def debug(desk: Desk, wanted: Wanted, bench: Bench) -> Debugged:
    """The best of a few attempts: the first that holds, or the one with the fewest errors.

    Raises BackendError, BudgetError, Stopped; RefusedError where the test command cannot be run.
    """
    desk.journal.tell("begin", {"what": "debug", "attempts": wanted.attempts})
    before = None if wanted.test is None else _tested(desk, bench, wanted.test, Proposal("", (), ()), "before")
    tried: list[tuple[Attempt, Proposal, str]] = []
    for number in range(wanted.attempts):
        try:
            attempt, proposal, answer = _attempt(desk, wanted, bench, before, number, tried)
        except (WindowOverflow, BudgetError):
            if not tried:
                raise
            break  # a wider pack does not fit, or the task has used all that it may: what there is must do
        tried.append((attempt, proposal, answer))
        desk.journal.tell("attempt", {"number": number + 1, "errors": attempt.errors})
        if not attempt.errors:
            break
    attempt, proposal, answer = min(tried, key=lambda one: (not one[1].diff, len(one[0].errors)))
    return Debugged(
        _outcome(attempt, proposal, before),
        answer,
        proposal.diff,
        attempt.problems,
        citations(answer, lines_of(desk), desk.source.origin.commit),
        before,
        tuple(one for one, _, _ in tried),
    )


def _outcome(attempt: Attempt, proposal: Proposal, before: Ran | None) -> str:
    if not proposal.diff:
        return "unchanged" if all(one.kind == NOTHING for one in attempt.problems) else "invalid"
    if attempt.errors:
        return "invalid"
    shown = attempt.test is not None and before is not None and before.code != 0
    return "fixed" if shown else "valid"


_NOTHING = Problem(
    NOTHING, "", "Your answer holds no change. Write one in the form that was asked for, or say which file you miss."
)
_CUT = Problem(CUT, "", "Your answer was cut off before its end. Answer in fewer words.")
_REPEATS = Problem(CUT, "", "Your answer repeated itself without end. Answer again, in fewer words.")


def _attempt(
    desk: Desk, wanted: Wanted, bench: Bench, before: Ran | None, number: int,
    tried: Sequence[tuple[Attempt, Proposal, str]],
) -> tuple[Attempt, Proposal, str]:  # fmt: skip
    """One pack, one answer, and what is wrong with it."""
    budget = _budget(wanted, number)
    report = wanted.report if before is None else f"{wanted.report}\n\n{_output(before)}"
    step = f"attempt {number + 1}"
    pack, answer = _asked(desk, wanted, report, budget, step, tried)
    proposal = propose(desk.source, answer.text)
    problems = proposal.problems
    if answer.finish in ("length", "repetition"):
        problems = (*problems, _CUT if answer.finish == "length" else _REPEATS)
    elif not proposal.diff and not problems:
        problems = (_NOTHING,)
    test = None
    if proposal.diff and not any(one.kind in FAILS for one in problems):
        try:
            if wanted.test is None:
                _applied(desk, bench, proposal, step)
            else:
                test = _tested(desk, bench, wanted.test, proposal, step)
        except SourceError:
            raise  # the repository cannot be read: that is not the model's fault
        except RefusedError as error:
            problems = (*problems, Problem(REFUSED, "", str(error)))
    plan = pack.plan
    made = Attempt(
        plan.budget, plan.predicted_tokens, plan.tier, plan.rope_factor, answer.finish, tuple(problems), test
    )
    return made, proposal, answer.text


def _budget(wanted: Wanted, number: int) -> int:
    """Tokens of the pack of an attempt: each has twice those of the one before."""
    if wanted.budget is not None:
        return wanted.budget << number
    return BUDGETS[min(number, len(BUDGETS) - 1)]


def _asked(
    desk: Desk, wanted: Wanted, report: str, budget: int, step: str,
    tried: Sequence[tuple[Attempt, Proposal, str]],
) -> tuple[Pack, Answer]:  # fmt: skip
    """The pack of an attempt and what the model says to it. A server with less room than it should have is believed:
    it gets half as much, once."""
    pack = desk.pack(report, budget, wanted.wishes, wanted.model)
    messages: list[Message] = [
        {"role": "system", "content": instructions(wanted.tools)},
        {"role": "user", "content": pack.prompt},
    ]
    if tried:
        messages += [
            {"role": "assistant", "content": desk.window(None).counter.neutralise(tried[-1][2]) or "(nothing)"},
            {"role": "user", "content": _errors(desk, tried[-1][0])},
        ]
    try:
        return pack, _said(desk, wanted, step, messages, pack)
    except WindowOverflow:
        if tried:
            raise
        desk.journal.tell("smaller", {"step": step, "budget": budget // 2})
        pack = desk.pack(report, budget // 2, wanted.wishes, wanted.model)
        messages[1] = {"role": "user", "content": pack.prompt}
        return pack, _said(desk, wanted, step, messages, pack)


def _said(desk: Desk, wanted: Wanted, step: str, messages: list[Message], pack: Pack) -> Answer:
    if not wanted.tools:
        return desk.say(step, messages, model=wanted.model, tier=pack.plan.tier)
    from repoctx.tasks.loop import converse
    from repoctx.tasks.tools import toolbox

    box = toolbox(desk.source, secrets=desk.secrets)
    said = converse(desk, step, messages, box, most_turns=TURNS, model=wanted.model, tier=pack.plan.tier)
    return Answer(said.text, (), "stop", None)


def instructions(tools: bool) -> str:
    """What a model is told before it sees anything."""
    folder = files("repoctx") / "tasks" / "prompts"
    text = (folder / "debug.md").read_text(encoding="utf-8").replace("{format}", edits.INSTRUCTIONS.strip())
    return text + ((folder / "debug-tools.md").read_text(encoding="utf-8") if tools else "")


def _errors(desk: Desk, attempt: Attempt) -> str:
    """What is wrong with an answer, for the model that gave it."""
    said = "\n".join(f"- {one}" for one in attempt.errors)
    shown = "" if attempt.test is None or attempt.test.code == 0 else f"\n\n{_output(attempt.test)}"
    text = f"Your change was not accepted:\n{said}{shown}\n\nAnswer once more, whole: diagnosis and change."
    return desk.window(None).counter.neutralise(text)


def _output(ran: Ran) -> str:
    """What a test command said."""
    how = f"ended with {ran.code}" if ran.ended == "exit" else f"was ended: {ran.ended}"
    return f"The test command `{ran.command}` {how}. The end of its output:\n{ran.output[-SHOWN_OUTPUT:]}"


def _tested(desk: Desk, bench: Bench, command: str, proposal: Proposal, step: str) -> Ran:
    """What the test command says with a change; run once, whatever happens to this process later."""
    key = f"test {step} {digest([command, proposal.diff])}"
    if (kept := desk.journal.kept(key)) is None:
        desk.journal.tell("test", {"step": step, "command": command})
        with scratch.scratch(bench.checkout, proposal) as folder:
            ran = scratch.run(folder, command, bench.seconds, bench.memory_bytes, bench.stop, hide=bench.hide)
        if not desk.secrets:
            ran = ran._replace(output=redact.redact(ran.output)[0])
        kept = ran._asdict()
        desk.journal.tell("tested", {"step": step, "code": ran.code, "ended": ran.ended})
        desk.journal.keep(key, kept)
    return Ran(**kept)


def _applied(desk: Desk, bench: Bench, proposal: Proposal, step: str) -> None:
    """Raises RefusedError where git does not apply a change to the snapshot's files."""
    desk.journal.tell("apply", {"step": step})
    with scratch.scratch(bench.checkout, proposal):
        pass


def lines_of(desk: Desk) -> Mapping[str, int]:
    """How many lines each file of the snapshot has."""
    view = desk.source.loaded.index.view
    return {member.path: int(count) for member, count in zip(view.members, view.lines, strict=True)}


def rehearse(desk: Desk, wanted: Wanted) -> dict[str, Any]:
    """The first question that would be asked, and what its prompt would cost; nothing is asked."""
    pack = desk.pack(wanted.report, _budget(wanted, 0), wanted.wishes, wanted.model)
    system = instructions(wanted.tools)
    counter = desk.window(wanted.model).counter
    more = tokens.chat_overhead(system) - tokens.chat_overhead() if counter.name == "qwen" else counter.count(system)
    asked = pack.plan.predicted_tokens + pack.plan.template_tokens + more
    cost = desk.price(wanted.model, Usage(asked, 0))
    return {
        "system": system,
        "prompt": pack.prompt,
        "tokens": asked,
        "cost": cost and cost._asdict(),
        "tier": pack.plan.tier,
        "rope_factor": pack.plan.rope_factor,
        "attempts": wanted.attempts,
        "budgets": [_budget(wanted, number) for number in range(wanted.attempts)],
    }


def as_json(made: Debugged) -> dict[str, Any]:
    """A result as it is stored and sent."""
    return {
        **made._asdict(),
        "problems": [one._asdict() for one in made.problems],
        "citations": [one._asdict() for one in made.citations],
        "before": made.before and made.before._asdict(),
        "attempts": [
            {
                **one._asdict(),
                "problems": [each._asdict() for each in one.problems],
                "test": one.test and one.test._asdict(),
            }
            for one in made.attempts
        ],
    }
