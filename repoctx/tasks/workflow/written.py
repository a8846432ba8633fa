"""Which values does a YAML text hold, and on which line does each stand? Nothing in it is run, repeated or guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from repoctx.errors import RefusedError

# Bytes of a file, values inside of values, and characters of a number.
LARGEST, DEEPEST, LONGEST_NUMBER = 200_000, 40, 400

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
_TEXT = "tag:yaml.org,2002:str"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
Place = Sequence[str | int]  # ("steps", 2, "foreach")


@dataclass(frozen=True, slots=True)
class Written:
    """The value of a YAML file, and where everything in it stands."""

    where: str  # the file, for messages
    value: Any  # as JSON has it
    node: yaml.Node

    def wrong(self, place: Place, problem: str) -> RefusedError:
        """The error that something at a place is wrong: `review.yaml, line 12: steps[2].foreach: …`."""
        spelt = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        return RefusedError(f"{self.where}, line {self._line(place)}: {spelt + ': ' if spelt else ''}{problem}")

    def _line(self, place: Place) -> int:
        node = self.node
        for part in place:
            inner: yaml.Node | None = None
            if isinstance(node, yaml.MappingNode):
                inner = next((value for key, value in node.value if key.value == part), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                inner = node.value[part]
            if inner is None:
                break
            node = inner
        return int(node.start_mark.line) + 1


def read(text: str, where: str) -> Written:
    """The value of a YAML text. Raises RefusedError for what is no plain YAML: aliases, tags and double keys too."""
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise RefusedError(f"{where} is larger than {LARGEST:,} bytes: that is no workflow")
    try:
        _refuse_tricks(text, where)
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise RefusedError(f"{where} is empty: a workflow has a name, a description and steps")
            for one in _nodes(node):
                if isinstance(one, yaml.MappingNode):
                    _refuse_double_keys(one, where)
                elif one.tag in _NUMBERS and len(one.value) > LONGEST_NUMBER:
                    raise ValueError("YAML reads such a number slowly, and JSON not at all")
            value = loader.construct_document(node)
        finally:
            loader.dispose()
        json.dumps(value, allow_nan=False)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}" if mark else ""
        raise RefusedError(f"{where}{at}: this is no YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        said = str(error).partition("\n")[0]
        raise RefusedError(f"{where}: this is no YAML: {said}") from None
    except (TypeError, ValueError, OverflowError):
        raise RefusedError(f"{where} holds what JSON has not, such as a date or .nan: put it in quotes") from None
    return Written(where, value, node)


def _refuse_tricks(text: str, where: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RefusedError(f"{where}, line {line}: anchors and aliases (& and *) are not read: write it out")
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RefusedError(f"{where}, line {line}: values are nested more than {DEEPEST} deep")
        if documents > 1:
            raise RefusedError(f"{where}, line {line}: a file holds one workflow")


def _nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    yield node
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _nodes(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _nodes(value)


def _refuse_double_keys(node: yaml.MappingNode, where: str) -> None:
    seen = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag != _TEXT:
            raise RefusedError(f"{where}, line {line}: a key must be text: put it in quotes")
        if key.value in seen:
            raise RefusedError(f"{where}, line {line}: the key {key.value!r} is there twice")
        seen.add(key.value)
