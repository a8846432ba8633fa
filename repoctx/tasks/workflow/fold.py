"""How do many outputs become one? As many at a time as fit, until one is left; or joined without a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from repoctx.counters import Counter
from repoctx.tasks.workflow.quoted import Slot, block, cut
from repoctx.tasks.workflow.shape import Step
from repoctx.tasks.workflow.template import written

# What a question about a part of the outputs says besides.
PARTLY = (
    "What you see is a part of the whole. Your answer is put together with those about the other parts by the same "
    "rules: keep every fact and every citation that matters.\n\n"
)
# Tokens that a text may have more once it is quoted, or cut.
SLACK = 24
_FILE = re.compile(r"^(?=diff --git )", re.MULTILINE)


def batches(sizes: Sequence[int], room: int) -> list[range]:
    """Runs of outputs, each as long as fits; one that is larger than the room is alone."""
    found: list[range] = []
    used = 0
    for number, size in enumerate(sizes):
        if found and used + size <= room:
            found[-1] = range(found[-1].start, number + 1)
            used += size
        else:
            found.append(range(number, number + 1))
            used = size
    return found


def shortened(slots: Sequence[Slot], room: int, counter: Counter, notes: list[str]) -> list[Slot]:
    """Outputs of which at least two fit into the room: what is longer is cut off, and told."""
    short = []
    for slot in slots:
        most = room // 2 - counter.count(block(slot.name, "", counter)) - SLACK
        text = cut(slot.text, most, counter.count)
        if text != slot.text:
            notes.append(f"what {slot.name} says was cut off after {most:,} tokens")
        short.append(Slot(slot.name, text))
    return short


def joined(step: Step, outputs: Sequence[Any], names: Sequence[str], notes: list[str]) -> Any:
    """The outputs of a step as one, without a model: diffs of different files, lists one after the other, texts."""
    if step.edits:
        return _one_diff(outputs, names, notes)
    if step.output is None:
        return "\n\n".join(f"## {name}\n\n{written(one)}" for name, one in zip(names, outputs, strict=True))
    if all(isinstance(one, list) for one in outputs):
        return _distinct(entry for one in outputs for entry in one)
    if not all(isinstance(one, dict) for one in outputs):
        return list(outputs)
    found: dict[str, Any] = {}
    lists: dict[str, dict[str, Any]] = {}
    for one in outputs:
        for key, value in one.items():
            if isinstance(value, list) and (key in lists or key not in found):
                _gather(lists.setdefault(key, {}), value)
            found.setdefault(key, value)
    return {key: list(lists[key].values()) if key in lists else value for key, value in found.items()}


def _distinct(entries: Iterable[Any]) -> list[Any]:
    kept: dict[str, Any] = {}
    _gather(kept, entries)
    return list(kept.values())


def _gather(kept: dict[str, Any], entries: Iterable[Any]) -> None:
    for entry in entries:
        kept.setdefault(written(entry), entry)


def _one_diff(outputs: Sequence[Mapping[str, Any]], names: Sequence[str], notes: list[str]) -> dict[str, Any]:
    """The diffs of several answers as one. Of two that change the same file the first counts."""
    files: dict[str, str] = {}
    problems: list[Mapping[str, Any]] = []
    for name, one in zip(names, outputs, strict=True):
        problems += [{**problem, "path": problem["path"] or name} for problem in one["problems"]]
        for text in _FILE.split(one["diff"]):
            head = text.partition("\n")[0]
            if text.strip() and files.setdefault(head, text) != text:
                notes.append(f"a change of {name} is left out, since another answer changes that file too: {head}")
    return {"diff": "".join(files.values()), "problems": problems, "answer": ""}
