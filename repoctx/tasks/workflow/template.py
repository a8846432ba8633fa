"""What does a text with `{{ places }}` say, and does a condition hold?

A place is a path into what a run knows: `inputs.diff`, `item.path`, `steps.find.output.places.0`. Nothing else can be
written, nothing is evaluated, and what is filled in is never read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from repoctx.errors import RefusedError

Ref = tuple[str, ...]  # ("steps", "find", "output", "places", "0")

# Characters of a text with what is filled in, and of a pattern, path or symbol; names of a pack.
LONGEST, LONGEST_NAME, MOST_NAMES = 10_000_000, 4_000, 1_000

_BRACES = re.compile(r"\{\{([^{}]{0,2000})\}\}")
_PATH = re.compile(r"(?:inputs|item|steps)(?:\.\w[\w-]{0,99}){0,20}")
_TERM = re.compile(r'(not +)?([\w.-]+)(?: *(==|!=) *"([^"]*)")?')
_AND = re.compile(r'\s+and\s+(?=(?:[^"]*"[^"]*")*[^"]*$)')  # what is in quotes is text


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places in it."""

    parts: tuple[str | Ref, ...]

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The places, in order."""
        return tuple(part for part in self.parts if not isinstance(part, str))

    @property
    def alone(self) -> Ref | None:
        """The place, if the text is nothing but one."""
        return self.parts[0] if len(self.parts) == 1 and not isinstance(self.parts[0], str) else None


class Term(NamedTuple):
    """One part of a condition. Without `text` it asks whether there is anything."""

    ref: Ref
    wanted: bool
    text: str | None


Condition = tuple[Term, ...]  # all of them hold


def template(text: str) -> Template:
    """A text with its places read. Raises ValueError: a phrase that says what is wrong."""
    parts: list[str | Ref] = []
    at = 0
    for found in _BRACES.finditer(text):
        parts += [text[at : found.start()], path(found[1])]
        at = found.end()
    parts.append(text[at:])
    for part in parts:
        if isinstance(part, str) and ("{{" in part or "}}" in part):
            raise ValueError("has {{ or }} without the other: write {{ inputs.NAME }}")
    return Template(tuple(part for part in parts if part))


def path(text: str) -> Ref:
    """A path in dots. Raises ValueError."""
    text = text.strip()
    if not _PATH.fullmatch(text):
        raise ValueError(
            f"cannot use {text[:60]!r}: between {{{{ and }}}} stands a path such as inputs.NAME, item.path or "
            "steps.ID.output"
        )
    return tuple(text.split("."))


def condition(text: str) -> Condition:
    """A condition: paths, `not PATH`, `PATH == "text"` and `PATH != "text"`, joined by `and`. Raises ValueError."""
    terms = []
    for one in _AND.split(text):
        found = _TERM.fullmatch(one.strip())
        if not found or not _PATH.fullmatch(found[2]) or (found[1] and found[3]):
            raise ValueError(
                f'cannot use {one.strip()[:60]!r}: a condition is PATH, not PATH, PATH == "text" or PATH != "text", '
                "and several are joined by `and`"
            )
        terms.append(Term(tuple(found[2].split(".")), not found[1] and found[3] != "!=", found[4]))
    return tuple(terms)


def value(ref: Ref, known: Mapping[str, Any]) -> Any:
    """What stands at a path; None where there is nothing."""
    at: Any = known
    for name in ref:
        if isinstance(at, Mapping):
            at = at.get(name)
        elif isinstance(at, (list, tuple)) and name.isdecimal() and len(name) < 10 and int(name) < len(at):
            at = at[int(name)]
        else:
            return None
    return at


def written(found: Any) -> str:
    """A value as text: JSON for what is no text, nothing for None."""
    if found is None or isinstance(found, str):
        return found or ""
    return json.dumps(found, ensure_ascii=False, indent=None if isinstance(found, (bool, int, float)) else 1)


def fill(source: Template, known: Mapping[str, Any], shown: Callable[[Ref, str], str] = lambda ref, text: text) -> str:
    """The text with its places filled in; `shown` says how what is filled in is written.

    Raises RefusedError if it is longer than LONGEST.
    """
    filled: list[str] = []
    texts: dict[Ref, str] = {}
    left = LONGEST
    for part in source.parts:
        if not isinstance(part, str) and part not in texts:
            texts[part] = shown(part, written(value(part, known)))
        filled.append(part if isinstance(part, str) else texts[part])
        left -= len(filled[-1])
        if left < 0:
            raise RefusedError(
                f"a text has more than {LONGEST:,} characters once its places are filled in: refer to less in it"
            )
    return "".join(filled)


def name(source: Template | None, known: Mapping[str, Any]) -> str:
    """A pattern, path or symbol filled in; "" for none. Raises RefusedError if it is longer than LONGEST_NAME."""
    return _short(fill(source, known)) if source else ""


def _short(text: str) -> str:
    if len(text) > LONGEST_NAME:
        raise RefusedError(
            f"a pattern, path or symbol has at most {LONGEST_NAME:,} characters, not {len(text):,}: {text[:60]!r}…"
        )
    return text


def listed(sources: Sequence[Template], known: Mapping[str, Any]) -> tuple[str, ...]:
    """Names filled in, those that are empty left out; one that is nothing but a list stands for its entries.

    Raises RefusedError for more than MOST_NAMES, and for one that is too long.
    """

    def each() -> Iterator[str]:
        for source in sources:
            found = value(source.alone, known) if source.alone else None
            yield from map(written, found) if isinstance(found, list) else (fill(source, known),)

    names = tuple(_short(text) for text in islice(each(), MOST_NAMES + 1) if text.strip())
    if len(names) > MOST_NAMES:
        raise RefusedError(f"a pack can be told of at most {MOST_NAMES:,} files, symbols or patterns: give fewer")
    return names


def holds(terms: Condition, known: Mapping[str, Any]) -> bool:
    """Whether a condition holds. Nothing, false, 0 and what is empty count as no."""
    for term in terms:
        found = value(term.ref, known)
        is_so = bool(found) if term.text is None else written(found) == term.text
        if is_so != term.wanted:
            return False
    return True
