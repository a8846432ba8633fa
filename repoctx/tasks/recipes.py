"""Which tasks are there, what may be asked of them, and what comes out? A row for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jsonschema

from repoctx import tokens
from repoctx.errors import UsageError
from repoctx.tasks import debug, workflow
from repoctx.tasks.debug import Bench
from repoctx.tasks.packing import Wishes
from repoctx.tasks.steps import Desk

_TEXT = {"type": "string", "minLength": 1, "maxLength": 5_000_000, "pattern": r"\S"}
_WORDS = {"type": "array", "maxItems": 1000, "items": {"type": "string", "minLength": 1, "maxLength": 4000}}
_BUDGET = {"type": "integer", "minimum": 500, "maximum": 1_000_000, "description": "tokens of the first pack"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}

DEBUG: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["report"],
    "properties": {
        "report": {**_TEXT, "description": "an issue, a stack trace, a log, the output of a failing test"},
        "files": {**_WORDS, "description": "paths, path:10-20 or patterns that the packs show in any case"},
        "symbols": {**_WORDS, "description": "symbols that the packs show in any case"},
        "exclude": {**_WORDS, "description": "patterns of paths that are not shown"},
        "diff": {**_TEXT, "description": "a unified diff that may have caused it"},
        "tools": {"type": "boolean", "description": "whether the model may search and read before it answers"},
        "attempts": {"type": "integer", "minimum": 1, "maximum": 20},
        "budget": _BUDGET,
        "model": {**_NAME, "description": "the model that is asked, by its name in the list of models"},
        "test": {**_TEXT, "maxLength": 4000, "description": "a command that passes when the bug is mended"},
    },
}
WORKFLOW: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["workflow"],
    "properties": {
        "workflow": {
            "type": "string", "minLength": 1, "maxLength": 200_000,
            "description": "the name of a built-in workflow, or the YAML text of one",
        },
        "inputs": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5_000_000}},
    },
}  # fmt: skip


class Recipe(NamedTuple):
    """How one kind of task is done."""

    schema: Mapping[str, Any]  # JSON Schema of its input
    check: Callable[[Mapping[str, Any]], object]  # raises UsageError or RefusedError for what no schema can tell
    do: Callable[[Mapping[str, Any], Desk, Bench], dict[str, Any]]
    rehearse: Callable[[Mapping[str, Any], Desk], dict[str, Any]]


def _debug(wanted: Mapping[str, Any]) -> debug.Wanted:
    wishes = Wishes(
        tuple(wanted.get("files", ())), tuple(wanted.get("symbols", ())), wanted.get("diff"),
        tuple(wanted.get("exclude", ())),
    )  # fmt: skip
    chosen = {name: wanted[name] for name in ("tools", "attempts", "budget", "model", "test") if name in wanted}
    return debug.Wanted(wanted["report"], wishes, **chosen)


def _do_debug(wanted: Mapping[str, Any], desk: Desk, bench: Bench) -> dict[str, Any]:
    return debug.as_json(debug.debug(desk, _debug(wanted), bench))


def _rehearse_debug(wanted: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    return debug.rehearse(desk, _debug(wanted))


def _do_workflow(wanted: Mapping[str, Any], desk: Desk, bench: Bench) -> dict[str, Any]:
    made: dict[str, Any] = workflow.as_json(workflow.run(desk, _workflow(wanted), wanted.get("inputs", {})))
    changed = made["result"] if isinstance(made["result"], dict) else {}
    return {**made, "diff": changed["diff"]} if isinstance(changed.get("diff"), str) else made


def _rehearse_workflow(wanted: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    made: dict[str, Any] = workflow.as_json(workflow.estimate(desk, _workflow(wanted), wanted.get("inputs", {})))
    return made


def _check_workflow(wanted: Mapping[str, Any]) -> None:
    workflow.check_inputs(_workflow(wanted), wanted.get("inputs", {}))


def _workflow(wanted: Mapping[str, Any]) -> workflow.Workflow:
    """One that is built in, or that stands in the input: no file is read, whoever asks."""
    text = wanted["workflow"]
    return workflow.find(text) if text in workflow.builtin() else workflow.load(text, "the workflow")


RECIPES: Mapping[str, Recipe] = {
    "debug": Recipe(DEBUG, _debug, _do_debug, _rehearse_debug),
    "workflow": Recipe(WORKFLOW, _check_workflow, _do_workflow, _rehearse_workflow),
}


def meant(kind: str, wanted: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """A kind and its input, where the name of a built-in workflow may stand for the kind. Raises UsageError."""
    if kind in workflow.builtin():
        return "workflow", {"workflow": kind, "inputs": wanted}
    if kind not in RECIPES:
        raise UsageError(f"no task is a {kind!r}: there are {', '.join([*RECIPES, *workflow.builtin()])}")
    return kind, wanted


def check(kind: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """An input that its recipe takes. Raises UsageError or RefusedError for one that it does not."""
    recipe = RECIPES[kind]
    error = next(iter(jsonschema.Draft202012Validator(recipe.schema).iter_errors(dict(wanted))), None)
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or "it"
        said = "it is empty" if error.validator in ("minLength", "pattern") else error.message[:300]
        raise UsageError(f"the input of the {kind} task cannot be used: {place}: {said}")
    recipe.check(wanted)
    cleaned: dict[str, Any] = _clean(wanted)
    return cleaned


def _clean(value: Any) -> Any:
    """A JSON value whose texts UTF-8 can hold: lone surrogates become U+FFFD."""
    if isinstance(value, str):
        return tokens.valid(value)
    if isinstance(value, Mapping):
        return {tokens.valid(str(key)): _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, (list, tuple)) else value


def do(kind: str, wanted: Mapping[str, Any], desk: Desk, bench: Bench) -> dict[str, Any]:
    """The result of a task, with the account of it."""
    made = RECIPES[kind].do(wanted, desk, bench)
    return {**made, **_about(desk), "spent": desk.account()}


def rehearse(kind: str, wanted: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    """What a task would ask; no model is asked."""
    return {**RECIPES[kind].rehearse(wanted, desk), **_about(desk)}


def _about(desk: Desk) -> dict[str, Any]:
    return desk.source.origin._asdict()
