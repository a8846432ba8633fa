"""Which weights find more in this repository? The recipe of `repoctx tune`.

Weights are fitted to the older commits and judged by the real search on newer ones, which are not looked at
before. They are kept only where they win there.
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from repoctx.errors import NotFoundError
from repoctx.evaluation import fit, judge
from repoctx.evaluation.candidates import Candidates, candidates, rankers
from repoctx.evaluation.cases import Reason
from repoctx.evaluation.fit import Bench, Ranked
from repoctx.evaluation.replay import History, Show, Step, elsewhere, history, replay
from repoctx.evaluation.report import in_order, require
from repoctx.retrieve import fuse, query, search
from repoctx.retrieve.fuse import Weights
from repoctx.retrieve.query import Kind
from repoctx.types import Hit, Progress
from repoctx.workspace import Workspace, silent

# The older part is for fitting, the rest decides.
OLDER = 2 / 3
# With fewer questions the part that decides has not even seven.
LEAST = 20
# Hits that are looked at where weights are judged.
MOST_HITS = 500
# The gain has to exceed so many standard errors of the paired differences. One is little for a discovery and right
# for a choice between two sets of weights that are both sensible: weights that only look better would pass one time
# in six, and then cost next to nothing; two would keep half of those out that are better by what can be had here.
ERRORS = 1.0



@dataclass(frozen=True, slots=True)
class Figures:
    """How well weights rank."""

    value: float  # the objective: see fit.value
    files: judge.Ranking | None
    symbols: judge.Ranking | None


@dataclass(frozen=True, slots=True)
class Part:
    """Questions, with the default weights and with the fitted ones."""

    cases: int
    before: Figures
    after: Figures


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it."""

    repository: str
    commit: str  # the newest one looked at
    looked: int
    excluded: Mapping[Reason, int]
    changes: Mapping[str, float]  # "file: dense file" -> what its weight is multiplied by
    older: Part
    newer: Part
    gain: float  # of the objective, on the newer part
    error: float  # the standard error of that
    better: bool
    written: str | None  # the file, if it was written
    in_force: bool  # whether the repository has weights of its own now: these, or those of an earlier run
    text: str  # what was written, or would have been
    seconds: float


def tune(
    workspace: Workspace,
    wanted: str | None = None,
    ref: str | None = None,
    *,
    commits: int = 150,
    dry_run: bool = False,
    show: Show = silent,
) -> Tuned:
    """Fit the weights of an indexed repository to its past, and keep them if they win on the newer third.

    Raises NotFoundError for a repository that is not indexed, RefusedError where there are fewer than `LEAST`
    questions.
    """
    started = time.monotonic()
    repository = workspace.repository(wanted)
    past = history(workspace, repository.location, ref, commits)
    excluded = Counter(past.excluded)
    require(past, len(past.cases), excluded, LEAST)
    defaults = fuse.weights()
    with elsewhere(workspace, past.folder) as inner:
        steps = replay(inner, past, show)
        bench = _older(islice(steps, int(OLDER * len(past.cases))), defaults, past, excluded)
        times = fit.fit(bench, lambda done, total: show(Progress("fit", done, total, "weights")))
        fitted = fit.multiplied(defaults, times)
        before, *changed = _newer(steps, (defaults, fitted) if times else (defaults,), past, excluded)
    after = changed[0] if changed else before
    gain, error = fit.paired([fit.value(*ranks) for ranks in before], [fit.value(*ranks) for ranks in after])
    older = Part(bench.questions, *(_figures(bench.ranks(chosen)) for chosen in ({}, times)))
    newer = Part(len(before), _figures(before), _figures(after))
    better = bool(times) and gain > ERRORS * error
    text = _text(fitted, repository.name, past.commit, older, newer)
    path = workspace.weights_file(repository.name)
    if better and not dry_run:
        write(path, text)
    return Tuned(
        repository.name, past.commit, past.looked, in_order(excluded),
        {f"{level}: {name}": step for (level, name), step in sorted(times.items())},
        older, newer, gain, error, better, str(path) if better and not dry_run else None, path.is_file(), text,
        round(time.monotonic() - started, 1),
    )  # fmt: skip


def _older(
    steps: Iterable[Step | Reason], defaults: Mapping[Kind, Weights], past: History, excluded: Counter[Reason]
) -> Bench:
    """What has to be kept of the questions that weights are fitted to."""
    names = rankers(defaults)
    kept: list[Candidates] = []
    for step in steps:
        if isinstance(step, Step):
            asked = query.parse(step.case.query)
            (ranking,) = search.rank([step.opened.index], asked, search.ANYTHING, [defaults[asked.kind]])
            kept.append(candidates(ranking, step.gold, names))
        else:
            excluded[step] += 1
    require(past, math.ceil(len(kept) / OLDER), excluded, LEAST)
    return Bench(kept, names)


def _newer(
    steps: Iterable[Step | Reason],
    chosen: Sequence[Mapping[Kind, Weights]],
    past: History,
    excluded: Counter[Reason],
) -> list[list[Ranked]]:
    """Where the real search finds what the other commits changed, by weights."""
    found: list[list[Ranked]] = [[] for _ in chosen]
    for step in steps:
        if isinstance(step, Step):
            for ranks, weights in zip(found, chosen, strict=True):
                ranks.append(_ranked(step, weights))
        else:
            excluded[step] += 1
    require(past, math.ceil(len(found[0]) / (1 - OLDER)), excluded, LEAST)
    return found


def _ranked(step: Step, weights: Mapping[Kind, Weights]) -> Ranked:
    asked = query.parse(step.case.query)

    def hits(level: search.Level) -> list[Hit]:
        found = search.search([step.opened.index], asked, MOST_HITS, level, weights=[weights])
        return [hit for _, hit in found]

    files = judge.files(step.gold, hits("file"))
    symbols = judge.symbols(step.gold, hits("symbol")) if step.gold.symbols else ()
    return Ranked([found.rank for found in files], [found.rank for found in symbols])


def _figures(found: Sequence[Ranked]) -> Figures:
    values = [fit.value(*ranks) for ranks in found]
    files, symbols = (judge.ranking(ranks) for ranks in zip(*found, strict=True))
    return Figures(round(statistics.fmean(values), 6), files, symbols)



# --- the file of weights -----------------------------------------------------------------------


def _text(weights: Mapping[Kind, Weights], name: str, commit: str, older: Part, newer: Part) -> str:
    head = (
        f"# Written by `repoctx tune`: fitted to {older.cases} commits of {name}, judged on {newer.cases} that\n"
        f"# follow, up to {commit[:12]}: {newer.before.value:.3f} with the default weights, "
        f"{newer.after.value:.3f} with these.\n"
        "# `repoctx tune --reset` removes it. repoctx/resources/weights.toml says what the rankers are.\n"
    )
    return f"{head}\n{fuse.written(weights)}"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)  # others who share the home read it too
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def reset(workspace: Workspace, wanted: str | None = None) -> Path:
    """Remove the weights that a repository has of its own: where they were. Raises NotFoundError if it has none."""
    repository = workspace.repository(wanted)
    path = workspace.weights_file(repository.name)
    try:
        path.unlink()
    except FileNotFoundError:
        raise NotFoundError(f"{repository.name} has no weights of its own: those that all have are in force") from None
    return path
