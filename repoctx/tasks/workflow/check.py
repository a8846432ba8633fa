"""Do the steps of a workflow fit together? Ids, places in texts, order, and what goes with what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from repoctx.tasks.tools import TOOLS
from repoctx.tasks.workflow.form import refused
from repoctx.tasks.workflow.shape import ITEMS, Input, Step, Workflow
from repoctx.tasks.workflow.template import Ref, Template
from repoctx.tasks.workflow.written import Place, Written

# What the graph's answers hold.
FACTS: Mapping[str, tuple[str, ...]] = {
    "impact": ("changed", "broken", "broken_total", "tests", "tests_total", "test_files", "notes"),
    "references": ("symbol", "places", "total", "possible", "notes"),
    "callers": ("symbol", "found", "total", "possible", "notes"),
    "callees": ("symbol", "found", "total", "possible", "notes"),
}
EDITED = ("diff", "problems", "answer")
# Keywords of a JSON Schema that say more of a value than `properties` and `items`.
_OPEN = {"$ref", "allOf", "anyOf", "oneOf", "prefixItems"}
_Used = tuple[Ref, Place]


def checked(written: Written, inputs: Mapping[str, Input], steps: Sequence[Step], marked: Sequence[str]) -> Workflow:
    """The workflow, its steps in an order that can be run. Raises RefusedError."""
    for name, one in inputs.items():
        if one.required and one.default:
            raise written.wrong(("inputs", name), "is required and has a default: say one of the two")
    by_id: dict[str, Step] = {}
    for number, step in enumerate(steps):
        if step.id in by_id:
            raise written.wrong(("steps", number, "id"), f"{step.id!r} is there twice")
        by_id[step.id] = step
    if len(marked) > 1:
        raise written.wrong((), f"one step can be the result, not {len(marked)}: {', '.join(marked)}")
    for number, step in enumerate(steps):
        if step.output is not None and (fault := refused(step.output)):
            raise written.wrong(("steps", number, "output", *fault.place), fault.problem)
        _refuse_mixture(written, number, step, by_id)
    for number, step in enumerate(steps):
        for ref, place in _used(step, ("steps", number)):
            _refuse_unknown(written, ref, place, step, inputs, by_id)
    whole = [_with_needs(written, number, step, by_id) for number, step in enumerate(steps)]
    ordered = _in_order(written, whole)
    name, description = written.value["name"], written.value["description"].strip()
    return Workflow(name, description, inputs, ordered, marked[0] if marked else steps[-1].id)


# --- what goes with what -----------------------------------------------------------------------


def _refuse_mixture(written: Written, number: int, step: Step, by_id: Mapping[str, Step]) -> None:
    at = ("steps", number)
    asks = step.prompt is not None
    if asks and step.facts is not None:
        raise written.wrong((*at, "graph"), "answers in place of a model, so there can be no prompt")
    if not asks and (step.facts is None) == (step.reduce is None):
        raise written.wrong(at, "needs a prompt, or graph or reduce in its place")
    beside = {
        "foreach": step.each, "pack": step.evidence, "system": step.system, "tools": step.tools,
        "output": step.output, "edits": step.edits, "model": step.model,
    }  # fmt: skip
    if not asks and (odd := [key for key, value in beside.items() if value]):
        raise written.wrong((*at, odd[0]), "goes only with a prompt")
    if isinstance(step.tools, tuple) and (unknown := [name for name in step.tools if name not in TOOLS]):
        raise written.wrong((*at, "tools"), f"there is no tool {unknown[0]!r}: there are {', '.join(TOOLS)}")
    if step.reduce is not None:
        _refuse_fold(written, at, step, by_id)
    if step.edits and step.output is not None:
        raise written.wrong((*at, "edits"), "has an output of its own, so there can be no other")
    if step.facts is not None:
        facts = step.facts
        if facts.diff is not None and facts.ask != "impact":
            raise written.wrong((*at, "graph", "diff"), "goes only with impact")
        if facts.symbol is None and facts.diff is None:
            raise written.wrong((*at, "graph"), "lacks 'symbol': say what is asked about")
    for n, key in enumerate(step.check):
        where = (*at, "check", n)
        if step.output is None:
            raise written.wrong(where, "goes only with output")
        if key not in step.output.get("properties", {}):
            raise written.wrong(where, f"the output has no {key!r}")


def _refuse_fold(written: Written, at: Place, step: Step, by_id: Mapping[str, Step]) -> None:
    place = (*at, "reduce")
    if step.reduce is None or step.reduce not in by_id or step.reduce == step.id:
        others = ", ".join(name for name in by_id if name != step.id)
        raise written.wrong(place, f"there is no step {step.reduce!r} beside this one: there are {others or 'none'}")
    if by_id[step.reduce].each is None:
        raise written.wrong(place, f"step {step.reduce!r} has no foreach, so there is nothing to fold")
    for key, value in {"foreach": step.each, "edits": step.edits, "tools": step.tools}.items():
        if value:
            raise written.wrong((*at, key), "does not go with reduce")


# --- places in texts ---------------------------------------------------------------------------


def _used(step: Step, at: Place) -> Iterator[_Used]:
    """The places that the texts of a step refer to, and where those texts stand."""

    def of(found: Template | None, *place: str | int) -> Iterator[_Used]:
        yield from ((ref, (*at, *place)) for ref in (found.refs if found else ()))

    yield from ((term.ref, (*at, "when")) for term in step.when)
    yield from of(step.prompt, "prompt")
    yield from of(step.system, "system")
    if step.each is not None:
        yield from of(step.each.of, "foreach", step.each.kind)
        if step.each.ref is not None:
            yield step.each.ref, (*at, "foreach", "list")
    if step.evidence is not None:
        yield from of(step.evidence.task, "pack", "task")
        yield from of(step.evidence.diff, "pack", "diff")
        for key in ("files", "symbols", "exclude"):
            for number, one in enumerate(getattr(step.evidence, key)):
                yield from of(one, "pack", key, number)
    if step.facts is not None:
        yield from of(step.facts.symbol, "graph", "symbol")
        yield from of(step.facts.diff, "graph", "diff")


def _refuse_unknown(
    written: Written, ref: Ref, place: Place, step: Step, inputs: Mapping[str, Input], by_id: Mapping[str, Step]
) -> None:
    """Raises RefusedError for a path that leads nowhere, where that can be known."""
    root, rest, spelt = ref[0], ref[1:], ".".join(ref)

    def wrong(why: str) -> Exception:
        return written.wrong(place, f"{spelt} is not known: {why}")

    if root == "inputs":
        if len(rest) != 1 or rest[0] not in inputs:
            raise wrong(f"the inputs are {', '.join(inputs) or 'none'}")
    elif root == "item":
        if step.each is None or place[2] in ("when", "foreach"):
            raise wrong("there are items only in the texts of a step with foreach")
        known = ITEMS[step.each.kind]
        if known is not None and (not rest or rest[0] not in known):
            raise wrong(f"an item of {step.each.kind} has {', '.join(sorted(known))}")
    else:
        if not rest or rest[0] not in by_id or rest[0] == step.id:
            raise wrong(f"the other steps are {', '.join(name for name in by_id if name != step.id) or 'none'}")
        if len(rest) < 2 or rest[1] != "output":
            raise wrong(f"write steps.{rest[0]}.output")
        if why := _leads_nowhere(by_id[rest[0]], rest[2:], by_id):
            raise wrong(why)


def _leads_nowhere(step: Step, rest: Ref, by_id: Mapping[str, Step]) -> str:
    """Why there can be nothing at a path into the output of a step; "" if there may be."""
    if not rest:
        return ""
    if step.each is not None:
        if not rest[0].isdecimal():
            return f"step {step.id!r} has foreach, so its output is a list: write steps.{step.id}.output.0, or fold it"
        step, rest = replace(step, each=None), rest[1:]
        return _leads_nowhere(step, rest, by_id)
    if step.reduce is not None and step.prompt is None:
        return _leads_nowhere(replace(by_id[step.reduce], each=None), rest, by_id)
    keys = FACTS[step.facts.ask] if step.facts else EDITED if step.edits else None
    if keys is not None:
        return "" if rest[0] in keys else f"the output of {step.id!r} has {', '.join(keys)}"
    if step.output is None:
        return f"the output of {step.id!r} is text"
    return _not_in_schema(step.output, rest)


def _not_in_schema(schema: Any, rest: Ref) -> str:
    for name in rest:
        if not isinstance(schema, Mapping) or _OPEN & schema.keys():
            return ""
        if "properties" in schema and schema.get("additionalProperties") in (None, False):
            if name not in schema["properties"]:
                return f"the output's schema has {', '.join(schema['properties'])}"
            schema = schema["properties"][name]
        elif schema.get("type") == "array" and not name.isdecimal():
            return f"{name!r} is no number, and there is a list"
        else:
            schema = schema.get("items") if name.isdecimal() else schema.get("properties", {}).get(name)
    return ""


# --- order -------------------------------------------------------------------------------------


def _with_needs(written: Written, number: int, step: Step, by_id: Mapping[str, Step]) -> Step:
    for name in sorted(step.needs):
        if name not in by_id or name == step.id:
            others = ", ".join(other for other in by_id if other != step.id) or "none"
            raise written.wrong(("steps", number, "needs"), f"there is no other step {name!r}: there are {others}")
    inferred = {ref[1] for ref, _ in _used(step, ()) if ref[0] == "steps"}
    return replace(step, needs=step.needs | inferred | ({step.reduce} if step.reduce else set()))


def _in_order(written: Written, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Each step after those that it needs, otherwise as they are written."""
    done: dict[str, Step] = {}
    while len(done) < len(steps):
        ready = next((step for step in steps if step.id not in done and step.needs <= done.keys()), None)
        if ready is None:
            waiting = [step.id for step in steps if step.id not in done]
            first = next(n for n, step in enumerate(steps) if step.id in waiting)
            raise written.wrong(("steps", first), f"the steps {', '.join(waiting)} wait for each other")
        done[ready.id] = ready
    return tuple(done.values())
