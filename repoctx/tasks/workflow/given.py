"""Does a run have what it needs? The inputs that are given, with defaults, and whether they mean something here."""

from __future__ import annotations

from collections.abc import Mapping

from repoctx.errors import NotFoundError, RefusedError, UsageError
from repoctx.retrieve import diff as diffs
from repoctx.tasks.steps import Desk
from repoctx.tasks.workflow.shape import Workflow

# Characters of an input, and of one that is a path or a symbol.
LONGEST, LONGEST_NAME = 5_000_000, 4_000


def check_inputs(workflow: Workflow, inputs: Mapping[str, str]) -> dict[str, str]:
    """The inputs of a run, defaults filled in. Raises UsageError for one that is missing, unknown or no text."""
    if unknown := [name for name in inputs if name not in workflow.inputs]:
        there = ", ".join(workflow.inputs) or "none"
        raise UsageError(f"workflow {workflow.name!r} has no input {unknown[0]!r}: its inputs are {there}")
    for name, one in workflow.inputs.items():
        if one.required and not str(inputs.get(name, "")).strip():
            raise UsageError(f"workflow {workflow.name!r} needs the input {name!r}: {one.description}")
        most = LONGEST_NAME if one.kind in ("path", "symbol") else LONGEST
        if not isinstance(inputs.get(name, ""), str) or len(inputs.get(name, "")) > most:
            raise UsageError(f"the input {name!r} must be text of at most {most:,} characters")
    return {name: inputs.get(name) or one.default for name, one in workflow.inputs.items()}


def checked(desk: Desk, workflow: Workflow, inputs: Mapping[str, str]) -> dict[str, str]:
    """`check_inputs`, and each diff, path and symbol looked up. Raises NotFoundError, RefusedError, UsageError."""
    given = check_inputs(workflow, inputs)
    for name, text in given.items():
        kind = workflow.inputs[name].kind
        if not text.strip() or kind == "text":
            continue
        if kind == "diff":
            if not diffs.parse(text):
                raise RefusedError(f"the input {name!r} names no file: give a unified diff, as `git diff` writes it")
        elif kind == "path":
            if not desk.source.loaded.index.matching(text.strip()).any():
                raise NotFoundError(f"the input {name!r}: no file of {_repository(desk)} fits {text.strip()[:200]!r}")
        else:
            desk.source.loaded.graph.meant(text, [])
    return given


def places(desk: Desk, workflow: Workflow, given: Mapping[str, str]) -> dict[str, int]:
    """How many lines each file has, in the snapshot or after a diff that is given: what can be cited."""
    view = desk.source.loaded.index.view
    found = {member.path: int(count) for member, count in zip(view.members, view.lines, strict=True)}
    for name, one in workflow.inputs.items():
        for change in diffs.parse(given[name]) if one.kind == "diff" else ():
            if change.new is not None and change.hunks:
                path = diffs.plain_path(change.new)
                last = max(hunk.new + sum(row[:1] != "-" for row in hunk.rows) - 1 for hunk in change.hunks)
                found[path] = max(found.get(path, 0), last)
    return found


def _repository(desk: Desk) -> str:
    return desk.source.origin.repository or "the repository"
