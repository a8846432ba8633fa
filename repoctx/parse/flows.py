"""What may a name hold? Assignments, annotations, returns and arguments, as they are written.

A value is kept where it is a name, or a chain of members, calls and elements that begins with one;
a type as the names that it is made of. What they mean is for the graph to say.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

from tree_sitter import Node

from repoctx.parse.languages import Language
from repoctx.parse.queries import Answers, Captures, about
from repoctx.parse.texts import Text, characters, tidy

LONGEST_VALUE = 300
"""Bytes of a value or type that are read. Longer ones are no chain that could be followed."""
LONGEST_ARGUMENTS = 1000
"""Bytes of an argument list that are read."""
MOST_ARGUMENTS = 16
"""Arguments of one call that are looked at."""
MOST_TYPES = 8
"""Alternatives of one declared type."""
DEEPEST = 3
"""Containers around a value that are told apart."""

_CHAIN = re.compile(r"[$\w]+(?:\(\)|\[\]|!)*(?:(?:[?!]?\.|->|::|\\)[$\w]+(?:\(\)|\[\]|!)*)*")
_PREFIX = re.compile(r"(?:(?:new|await|yield|mut|const|ref|move|co_await|typeof)\b|[&*])\s*")
_KEYWORD = r"\s*(?:(\w+)\s*[=:]\s*(?![=:>]))?"
_CHAINLIKE = rf"(?:{_PREFIX.pattern})*(?:[^\W\d][$\w\x80-\xff]*\s*(?:[.(\[?!:\\<-]|$)|\$)"  # how one begins
_ARGUMENT = re.compile(rf"(?>{_KEYWORD})(?={_CHAINLIKE})")
_MARK = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`]*`|[()\[\]{},]")
_OPEN, _CLOSE = "([{", ")]}"
_TYPE_TOKEN = re.compile(r"map\[[^\[\]]*\]|\[\d*\]|[$\w]+(?:(?:\.|::|\\)[$\w]+)*|\[\]|->|=>|[\[\]<>(){}|,?&*'\"]|\S")
_LIFETIME = re.compile(r"(?<=[&<,+ ])'[a-z_]\w*(?=[\s,>+])")
_QUALIFYING = frozenset(
    ["mut", "dyn", "impl", "const", "volatile", "struct", "class", "union", "enum", "typename", "unsigned", "extends",
     "super", "final", "ref", "out", "in", "readonly", "keyof"]
)  # fmt: skip
"""Words in a type that name none."""


# Captures of values: what stands behind them in the chain, and the containers around.
_HELD = (("value", "", 0), ("element", "", 1), ("iterated", "[]", 0), ("made", "()", 0))
# Captures of declared types, and the containers around that are written elsewhere: `T name[4]`, `T... name`.
_DECLARED = (("type", 0), ("held", 1))


class Raw(NamedTuple):
    """A flow before its names are looked up."""

    kind: str  # "value", "type", "return value", "return type" or "argument"
    target: int  # offset of the target's name; of a return any offset in the function; of an argument
    #              the offset behind the callee's name
    name: str  # of the target, where it is a name
    key: str
    value: str
    depth: int
    place: int  # offset at which the value is written


def read_flows(answers: Answers, text: Text, language: Language) -> list[Raw]:
    """All flows of a text, arguments excepted (see `arguments`)."""
    found: list[Raw] = []
    for pattern, matches in about(answers, "flow"):
        returned = "return " if pattern.detail == "return" else ""
        held = [how for how in _HELD if how[0] in pattern.captures]
        declared = [how for how in _DECLARED if how[0] in pattern.captures]
        for captures in matches:
            values = _values(captures, held, text)
            if pattern.detail == "argument":
                at = captures["callee"][0].end_byte
                found += [Raw("argument", at, "", "0", value, 0, place) for value, _, place in values]
                continue
            target, name = _target(captures, text)
            behind = f".{text.piece(*captures['member'][0].byte_range)}" if "member" in captures else ""
            for value, depth, place in values:
                at = place if target < 0 else target
                found.append(Raw(f"{returned}value", at, name, "", value + behind, depth, place))
            if pattern.stated:
                found.append(Raw(returned + "type", target, name, "", pattern.stated, 0, target))
            for capture, around in declared:
                for node in captures.get(capture, ()):
                    place = node.start_byte
                    for value, inner in _types(node, text, language):
                        at, depth = place if target < 0 else target, inner + around
                        found.append(Raw(returned + "type", at, name, "", value, depth, place))
    return found


def parameters(answers: Answers) -> dict[int, int]:
    """The position of each parameter by where it starts; receivers count here."""
    places: dict[int, list[int]] = {}
    for _, matches in about(answers, "parameter"):
        for captures in matches:
            places.setdefault(captures["parameters"][0].start_byte, []).append(captures["parameter"][0].start_byte)
    return {start: number for starts in places.values() for number, start in enumerate(sorted(set(starts)))}


class Unnamed(NamedTuple):
    """The functions without a name: what they return, take and bind is not for the function around them."""

    starts: list[int]
    outer: list[int]  # the one around each, -1 for none
    bounds: list[int]  # offsets at which the innermost of them changes, from -1 on
    inner: list[int]  # the innermost from each bound on, -1 for none

    def at(self, place: int) -> int:
        """The innermost one around an offset, -1 for none."""
        return self.inner[bisect_right(self.bounds, place) - 1]


def unnamed(answers: Answers) -> Unnamed:
    """The functions that are `@anonymous` and whose `@body` is that of no definition."""
    bodies = {
        captures["body"][0].start_byte
        for pattern, matches in about(answers, "definition")
        if "body" in pattern.captures
        for captures in matches
        if "body" in captures
    }
    spans = sorted(
        captures["anonymous"][0].byte_range
        for _, matches in about(answers, "anonymous")
        for captures in matches
        if "body" not in captures or captures["body"][0].start_byte not in bodies
    )
    found = Unnamed([start for start, _ in spans], [], [-1], [-1])
    stack: list[int] = []
    for number, (start, _) in enumerate([*spans, (2**62, 2**62)]):
        while stack and spans[stack[-1]][1] <= start:
            found.bounds.append(spans[stack.pop()][1])
            found.inner.append(stack[-1] if stack else -1)
        if number < len(spans):
            found.outer.append(stack[-1] if stack else -1)
            found.bounds.append(start)
            found.inner.append(number)
            stack.append(number)
    return found


@lru_cache(maxsize=16_384)
def arguments(listed: str) -> list[tuple[str, str, int]]:
    """The arguments of a list that are chains: (position or keyword, value, offset). `listed` is part of a source."""
    found = []
    for position, (start, end) in enumerate(_split(listed)[:MOST_ARGUMENTS]):
        begun = _ARGUMENT.match(listed, start, end)
        if begun is not None:
            written = listed[begun.end() : end].rstrip()
            if len(written) <= LONGEST_VALUE and (value := chain(characters(written))):
                found.append((begun[1] or str(position), value, begun.end()))
    return found


def _split(listed: str) -> list[tuple[int, int]]:
    """The pieces between commas that stand in no brackets and no quotes."""
    if "," not in listed:
        return [(0, len(listed))]
    pieces, depth, start = [], 0, 0
    for mark in _MARK.finditer(listed):
        if mark[0] in _OPEN:
            depth += 1
        elif mark[0] in _CLOSE:
            depth -= 1
        elif mark[0] == "," and depth == 0:
            pieces.append((start, mark.start()))
            start = mark.end()
    return [*pieces, (start, len(listed))]


@lru_cache(maxsize=16_384)
def chain(written: str) -> str:
    """A value as a chain of names, calls and elements; "" if it is none."""
    while (found := _PREFIX.match(written)) is not None:
        written = written[found.end() :]
    if not written or len(written) > LONGEST_VALUE:
        return ""
    value = tidy(written)
    if not value.isidentifier():
        value = value.replace("!", "").replace("?.", ".")
        if not _CHAIN.fullmatch(value) or value[0].isdecimal():
            return ""
    return value


def _target(captures: Captures, text: Text) -> tuple[int, str]:
    if "target" not in captures:
        return -1, ""
    start, end = captures["target"][0].byte_range
    member = text.source[start - 1 : start] in (".", ">")  # it is no name of its own
    return start, "" if member else text.piece(start, end)


def _values(captures: Captures, held: list[tuple[str, str, int]], text: Text) -> list[tuple[str, int, int]]:
    """The values that are chains: (value, containers around it, offset)."""
    found = []
    for name, suffix, depth in held:
        for node in captures.get(name, ()):
            start, end = node.byte_range
            if end - start <= LONGEST_VALUE and (value := chain(text.piece(start, end))):
                found.append((value + suffix, depth, start))
    return found


def _types(node: Node, text: Text, language: Language) -> list[tuple[str, int]]:
    start, end = node.byte_range
    return types(text.piece(start, end), language.wrappers, language.containers) if end - start <= LONGEST_VALUE else []


@lru_cache(maxsize=16_384)
def types(
    written: str, wrappers: tuple[str, ...], containers: tuple[str, ...]
) -> list[tuple[str, int]]:
    """The types that an annotation names, each with the containers around it: `list[A] | B` is A in one, and B.

    `wrappers` are generic types that stand for their arguments, `containers` those that hold them; of
    any other generic type the arguments are left out.
    """
    plain = _LIFETIME.sub("", written.strip(": \t\n"))
    tokens = [word for word in _TYPE_TOKEN.findall(plain) if word not in "'\"" and word not in _QUALIFYING]
    found: list[tuple[str, int]] = []
    depth, skipped = 0, 0
    stack: list[tuple[int, int]] = []  # what was so outside of each open bracket
    last = ""
    for number, word in enumerate(tokens):
        following = tokens[number + 1] if number + 1 < len(tokens) else ""
        if word in ("[", "<", "("):
            stack.append((depth, skipped))
            head = last.rpartition(".")[2].rpartition(":")[2]
            if word == "(" or head in wrappers:
                pass
            elif head in containers or not last:
                depth += 1
            else:
                skipped += 1
        elif word in ("]", ">", ")"):
            depth, skipped = stack.pop() if stack else (0, 0)
        elif word in ("->", "=>", "{", "func"):
            return []  # the type of a function or an object
        elif word[-1] == "]":  # [], [4], map[K]
            if found and last:
                found[-1] = (found[-1][0], found[-1][1] + 1)  # T[]
            else:
                depth += 1  # []T
        elif word[0].isalpha() or word[0] in "_$\\":
            generic = following in ("<", "[") and word.rpartition(".")[2].rpartition(":")[2] in wrappers + containers
            if not skipped and not generic and depth <= DEEPEST and len(found) < MOST_TYPES:
                found.append((word, depth))
        last = word if word[0].isalpha() or word[0] in "_$" else "" if word in (",", "|", "[", "<", "(") else last
    return found
