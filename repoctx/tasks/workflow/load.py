"""Is this text a workflow? What is wrong is said in one sentence, with the place."""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from repoctx.errors import RefusedError, UsageError
from repoctx.tasks.workflow import template as templates
from repoctx.tasks.workflow.check import checked
from repoctx.tasks.workflow.shape import (
    BUDGET,
    ITEMS,
    LIMIT,
    OUTPUT,
    Each,
    Evidence,
    Facts,
    Input,
    Step,
    Workflow,
)
from repoctx.tasks.workflow.written import LARGEST, Place, Written, read

# Errors among which the first is looked for.
MOST_ERRORS = 50

_TASKS = importlib.resources.files("repoctx") / "tasks"
_KINDS = {"object": "keys with values", "array": "a list", "string": "text", "integer": "a whole number"}
_KINDS |= {"boolean": "true or false"}


def builtin() -> list[str]:
    """The names of the workflows that come with repoctx."""
    names = [file.name for file in (_TASKS / "workflows").iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def find(name_or_file: str) -> Workflow:
    """A built-in workflow by its name, or that of a YAML file. Raises UsageError if there is none, RefusedError."""
    if name_or_file in builtin():
        text = (_TASKS / "workflows" / f"{name_or_file}.yaml").read_text(encoding="utf-8")
        return load(text, f"the built-in workflow {name_or_file}")
    path = Path(name_or_file)
    try:
        if not path.is_file():
            raise UsageError(
                f"no workflow is called {name_or_file!r}: there are {', '.join(builtin())}; or give a YAML file"
            )
        if path.stat().st_size > LARGEST:
            raise RefusedError(f"{path} is larger than {LARGEST:,} bytes: that is no workflow")
        return load(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{path} cannot be read: {error}") from None


def load(text: str, where: str) -> Workflow:
    """The workflow of a YAML text; `where` names it in messages. Raises RefusedError."""
    written = read(text, where)
    _refuse_misfits(written)
    steps = [_step(written, number, found) for number, found in enumerate(written.value["steps"])]
    inputs = {
        name: Input(one["description"], one.get("required", False), one.get("default", ""), one.get("kind", "text"))
        for name, one in written.value.get("inputs", {}).items()
    }
    marked = [found["id"] for found in written.value["steps"] if found.get("result")]
    return checked(written, inputs, steps, marked)


def schema() -> dict[str, Any]:
    """The JSON Schema of a workflow file."""
    found: dict[str, Any] = json.loads((_TASKS / "workflow" / "schema.json").read_text(encoding="utf-8"))
    return found


# --- what the schema says ----------------------------------------------------------------------


@functools.cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


def _refuse_misfits(written: Written) -> None:
    """Raises RefusedError for the first thing that the schema does not allow."""
    found = itertools.islice(_validator().iter_errors(written.value), MOST_ERRORS)
    errors = sorted(found, key=lambda error: [str(part) for part in error.path])
    if errors:
        error = errors[0]
        raise written.wrong(list(error.absolute_path), misfit(error))


def misfit(error: Any) -> str:
    """What is wrong with a value, by an error of jsonschema, as a phrase."""
    told: Mapping[str, Callable[[], str]] = {
        "additionalProperties": lambda: _unknown(error),
        "required": lambda: f"lacks {_quoted([key for key in error.validator_value if key not in error.instance])}",
        "type": lambda: f"must be {_kinds(error.validator_value)}, not {_short(error.instance)}",
        "enum": lambda: f"must be one of {_quoted(error.validator_value)}, not {_short(error.instance)}",
        "const": lambda: f"must be {_short(error.validator_value)}, not {_short(error.instance)}",
        "pattern": lambda: f"{_short(error.instance)} does not fit the pattern {error.validator_value}",
        "propertyNames": lambda: f"the name {_short(error.instance)} does not fit",
        "maxLength": lambda: f"must have at most {error.validator_value:,} characters",
        "minLength": lambda: "must not be empty" if not error.instance else error.message,
        "maxItems": lambda: f"must have at most {error.validator_value:,} entries",
        "minItems": lambda: "must not be empty" if not error.instance else error.message,
        "minProperties": lambda: "must not be empty" if not error.instance else error.message,
        "maxProperties": lambda: f"must have at most {error.validator_value:,} keys",
        "minimum": lambda: f"must be at least {error.validator_value:,}, not {_short(error.instance)}",
        "maximum": lambda: f"must be at most {error.validator_value:,}, not {_short(error.instance)}",
    }
    said = told.get(error.validator, lambda: str(error.message))()
    return said if len(said) <= 400 else said[:399] + "…"


def _unknown(error: Any) -> str:
    known = sorted(error.schema.get("properties", ()))
    unknown = [key for key in error.instance if key not in known]
    return f"has no key {_quoted(unknown)}: there are {', '.join(known)}" if known else f"has {_quoted(unknown)}"


def _kinds(wanted: str | Sequence[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_KINDS.get(name, name) for name in names)


def _quoted(names: Sequence[Any]) -> str:
    return ", ".join(map(repr, names))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


# --- steps -------------------------------------------------------------------------------------


def _step(written: Written, number: int, found: Mapping[str, Any]) -> Step:
    at: Place = ("steps", number)
    parse = _Parse(written)
    prompt = found.get("prompt")
    prompt_text = _packaged(written, prompt["file"], (*at, "prompt", "file")) if isinstance(prompt, dict) else prompt
    tools = found.get("tools", False)
    return Step(
        id=found["id"],
        needs=frozenset(found.get("needs", ())),
        when=parse.condition(found.get("when"), (*at, "when")),
        each=_each(parse, found.get("foreach"), (*at, "foreach")),
        limit=found.get("limit", LIMIT),
        evidence=_evidence(parse, found.get("pack"), (*at, "pack")),
        facts=_facts(parse, found.get("graph"), (*at, "graph")),
        prompt=parse.text(prompt_text, (*at, "prompt")),
        system=parse.text(found.get("system"), (*at, "system")),
        tools=tuple(tools) if isinstance(tools, list) else tools,
        model=found.get("model"),
        budget=found.get("budget", BUDGET),
        max_output=found.get("max_output", OUTPUT),
        output=found.get("output"),
        check=tuple(found.get("check", ())),
        reduce=found.get("reduce"),
        edits=found.get("edits", False),
        fails=found.get("on_error") == "fail",
    )


class _Parse:
    """Reads templates, with the place for what is wrong in them."""

    def __init__(self, written: Written) -> None:
        self.written = written

    def text(self, text: str | None, place: Place) -> templates.Template | None:
        return None if text is None else self._tried(templates.template, text, place)

    def texts(self, found: Sequence[str], place: Place) -> tuple[templates.Template, ...]:
        return tuple(self._tried(templates.template, one, (*place, n)) for n, one in enumerate(found))

    def path(self, text: str | None, place: Place) -> templates.Ref | None:
        return None if text is None else self._tried(templates.path, text, place)

    def condition(self, text: str | None, place: Place) -> templates.Condition:
        return () if text is None else self._tried(templates.condition, text, place)

    def _tried(self, read_text: Callable[[str], Any], text: str, place: Place) -> Any:
        try:
            return read_text(text)
        except ValueError as error:
            raise self.written.wrong(place, str(error)) from None


def _each(parse: _Parse, found: Mapping[str, Any] | None, place: Place) -> Each | None:
    if found is None:
        return None
    named = [kind for kind in ITEMS if kind in found]
    if len(named) != 1:
        there = _quoted(named) or "none"
        raise parse.written.wrong(place, f"needs exactly one of {', '.join(ITEMS)}; here is {there}")
    kind = named[0]
    if "kinds" in found and kind != "symbols":
        raise parse.written.wrong((*place, "kinds"), "goes only with symbols")
    if kind == "communities":
        return Each(kind)
    if kind == "list":
        return Each(kind, ref=parse.path(found[kind], (*place, kind)))
    kinds = tuple(found.get("kinds", ()))
    from repoctx.types import KINDS

    if unknown := [one for one in kinds if one not in KINDS]:
        raise parse.written.wrong((*place, "kinds"), f"has no {_quoted(unknown)}: there are {', '.join(KINDS)}")
    return Each(kind, parse.text(found[kind], (*place, kind)), kinds=kinds)


def _evidence(parse: _Parse, found: Mapping[str, Any] | None, place: Place) -> Evidence | None:
    if found is None:
        return None
    task = parse.text(found["task"], (*place, "task"))
    assert task is not None
    texts = {key: parse.texts(found.get(key, ()), (*place, key)) for key in ("files", "symbols", "exclude")}
    return Evidence(task, found.get("budget"), diff=parse.text(found.get("diff"), (*place, "diff")), **texts)


def _facts(parse: _Parse, found: Mapping[str, Any] | None, place: Place) -> Facts | None:
    if found is None:
        return None
    symbol, diff = (parse.text(found.get(key), (*place, key)) for key in ("symbol", "diff"))
    return Facts(found["ask"], symbol, diff, found.get("limit", 20))


def _packaged(written: Written, name: str, place: Place) -> str:
    """A prompt that comes with repoctx."""
    file = _TASKS / "prompts" / name
    if not file.is_file():
        there = sorted(one.name for one in (_TASKS / "prompts").iterdir() if one.name.startswith("workflow-"))
        raise written.wrong(place, f"there is no {name}: there are {', '.join(there)}")
    return file.read_text(encoding="utf-8").strip()
