"""What is a workflow? Inputs, and steps that each ask a model once, or once for each of many items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repoctx.tasks.workflow.template import Condition, Ref, Template

# Tokens of a prompt, tokens of an answer and items of a step that say nothing of it.
BUDGET, OUTPUT, LIMIT = 16_000, 2_000, 100

# What each kind of `foreach` makes items of, and what can be said of an item. Of a list nothing is known before.
ITEMS: Mapping[str, frozenset[str] | None] = {
    "files": frozenset({"path", "lines", "language", "tokens"}),
    "symbols": frozenset({"id", "path", "name", "qualified_name", "kind", "start_line", "end_line", "signature"}),
    "communities": frozenset({"label", "files", "outline"}),
    "changed_symbols": frozenset(
        {"id", "path", "name", "qualified_name", "kind", "start_line", "end_line", "diff", "users", "tests"}
    ),
    "references": frozenset({"path", "symbol", "places", "possible", "spans"}),
    "list": None,
}


@dataclass(frozen=True, slots=True)
class Input:
    """What a run is given."""

    description: str
    required: bool = False
    default: str = ""
    kind: str = "text"  # "text", "diff", "path" or "symbol"


@dataclass(frozen=True, slots=True)
class Each:
    """What the items of a step are: a row of ITEMS, and of what."""

    kind: str
    of: Template | None = None  # a pattern, a diff or a symbol
    ref: Ref | None = None  # where the list is
    kinds: tuple[str, ...] = ()  # of symbols


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which pack stands before the question."""

    task: Template
    budget: int | None = None  # at most so many tokens of the step's budget
    files: tuple[Template, ...] = ()
    symbols: tuple[Template, ...] = ()
    diff: Template | None = None
    exclude: tuple[Template, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """A question to the graph in place of a model."""

    ask: str  # "impact", "references", "callers" or "callees"
    symbol: Template | None = None
    diff: Template | None = None
    limit: int = 20  # most rows of each list


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Without a prompt it asks no model: the graph answers, or outputs are joined."""

    id: str
    needs: frozenset[str] = frozenset()  # ids; those that templates refer to included
    when: Condition = ()
    each: Each | None = None
    limit: int = LIMIT  # most items
    evidence: Evidence | None = None
    facts: Facts | None = None
    prompt: Template | None = None
    system: Template | None = None
    tools: bool | tuple[str, ...] = False  # all, or these
    model: str | None = None
    budget: int = BUDGET  # most tokens of a prompt
    max_output: int = OUTPUT  # most tokens of an answer
    output: Mapping[str, Any] | None = None  # the JSON Schema of an answer
    check: tuple[str, ...] = ()  # lists in the output whose entries have a path and a line
    reduce: str | None = None  # the step whose outputs are folded
    edits: bool = False  # the answer changes files
    fails: bool = False  # the run fails with the first item that does


@dataclass(frozen=True, slots=True)
class Workflow:
    """A declared workflow, checked."""

    name: str
    description: str
    inputs: Mapping[str, Input]
    steps: tuple[Step, ...]  # each after those that it needs
    result: str  # the id of the step whose output is the workflow's

    def step(self, name: str) -> Step:
        """The step of that id."""
        return next(step for step in self.steps if step.id == name)
