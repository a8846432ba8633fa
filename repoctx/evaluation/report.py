"""How well does search find what past commits changed? The recipe of `repoctx eval`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repoctx.errors import NotFoundError, RefusedError
from repoctx.evaluation import judge
from repoctx.evaluation.cases import MEANING, Reason
from repoctx.evaluation.judge import Group, Outcome
from repoctx.evaluation.replay import History, Show, Step, elsewhere, history, located, replay
from repoctx.pack.plan import tier_for
from repoctx.retrieve import fuse, query
from repoctx.workspace import Workspace, silent

# Figures of fewer questions say nothing: the standard error of their MRR is .1 and more.
LEAST = 10
# The default sizes of packs: what a model of 8,000 tokens, of 32,000 and of 128,000 and more can be shown.
BUDGETS = (8_000, 27_000, 128_000)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well search finds what past commits changed."""

    repository: str
    location: str
    commit: str  # the newest one looked at
    looked: int
    outcomes: Sequence[Outcome]  # oldest first
    excluded: Mapping[Reason, int]
    overall: Group
    lengths: Sequence[Group]
    embedding: str | None  # id of the model whose vectors were used
    replaced: str | None  # the setting in force, where that takes too long
    tuned: bool  # the weights are those that `repoctx tune` found
    seconds: float


def evaluate(
    workspace: Workspace,
    wanted: str | None = None,
    ref: str | None = None,
    *,
    commits: int = 50,
    budgets: Sequence[int] = BUDGETS,
    show: Show = silent,
) -> Evaluation:
    """Ask the newest `commits` questions of a repository's past: by name, path or URL.

    Raises RefusedError where there are fewer than `LEAST` of them, and BudgetError for a pack that no window of
    the model holds.
    """
    started = time.monotonic()
    location = located(workspace, wanted)
    past = history(workspace, location, ref, commits)
    excluded = Counter(past.excluded)
    require(past, len(past.cases), excluded, LEAST)
    outcomes: list[Outcome] = []
    embedding = None
    with elsewhere(workspace, past.folder) as inner:
        window = inner.window()
        for budget in budgets:
            tier_for(window, budget)
        tuned = take_weights(workspace, inner, past)
        for step in replay(inner, past, show):
            if isinstance(step, Step):
                outcomes.append(_outcome(inner, past.name, step, budgets))
                embedding = step.opened.ref.embedding_model
            else:
                excluded[step] += 1
        used, setting = inner.settings.embedding_model, workspace.settings.embedding_model
    require(past, len(outcomes), excluded, LEAST)
    overall, lengths = judge.summary(outcomes)
    return Evaluation(
        past.name, past.location, past.commit, past.looked, outcomes, in_order(excluded), overall, lengths,
        embedding, setting if setting != used else None, tuned, round(time.monotonic() - started, 1),
    )  # fmt: skip


def require(past: History, count: int, excluded: Mapping[Reason, int], least: int) -> None:
    """Raises RefusedError if there are too few questions."""
    if count < least:
        why = ", ".join(f"{MEANING[reason]} {number:,}" for reason, number in in_order(excluded).items())
        raise RefusedError(
            f"{past.location} has {count} past commits that can be asked about among the {past.looked:,} looked at, "
            f"and figures of fewer than {least} say nothing{f' (left out: {why})' if why else ''}"
        )


def in_order(excluded: Mapping[Reason, int]) -> dict[Reason, int]:
    """The counts of what was left out, in the order of the reasons."""
    return {reason: excluded[reason] for reason in MEANING if excluded.get(reason)}


def take_weights(workspace: Workspace, inner: Workspace, past: History) -> bool:
    """Let the weights that a repository has of its own be in force for the replay too: whether it has some."""
    folder = workspace.weights_file("x").parent
    if not any(folder.glob("*.toml")):
        return False  # the user's database is not even opened
    try:
        known = workspace.repository(past.location)
    except NotFoundError:
        return False
    path = workspace.weights_file(known.name)
    if known.location != past.location or not path.is_file():
        return False
    target = inner.weights_file(past.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(fuse.written(workspace.weights(known)), encoding="utf-8")
    return True


def _outcome(inner: Workspace, name: str, step: Step, budgets: Sequence[int]) -> Outcome:
    case, gold = step.case, step.gold
    where: Any = {"repository": name, "ref": case.parent}
    files = inner.search(case.query, **where, k=judge.MOST_HITS, level="file").hits
    symbols = inner.search(case.query, **where, k=judge.MOST_HITS, level="symbol").hits if gold.symbols else []
    packs = [judge.packed(gold, size, inner.pack(case.query, **where, budget=size).parts) for size in budgets]
    return Outcome(
        case.commit, case.parent, case.time, case.title, case.words, query.parse(case.query).kind,
        judge.files(gold, files), judge.symbols(gold, symbols), tuple(packs),
    )  # fmt: skip
