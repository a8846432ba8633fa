"""What does a language's query ask of a syntax tree?

The capture names follow the tree-sitter tags convention. Each pattern of a `.scm` file asks for
one thing, which its captures name:

`@definition.<kind>`  a symbol, from its first keyword to its end; with `@name` and, where there
                      is one, `@body` (what a signature leaves out), `@receiver` (the type that a
                      method is declared for, outside of it) or `@self` (the name before the dot
                      of a field that a method sets). A name such as `a.b` or `A::b` is split.
`@container`          a block that lends its `@name` to what is inside, but is no symbol: `impl`
`@reference.<role>`   a use of a name: with `@name` and perhaps `@qualifier`; without `@name` the
                      node's own text is split after the last separator
`@import`             with `@module`, `@import.name`, `@import.alias`, or `@import.tree` (text with
                      nested braces)
`@local`              a name bound inside the symbol around it: a parameter, a loop variable
`@doc`                a string that documents the symbol whose body begins with it
`@outer`, `@inner`    `@inner` begins where `@outer` does: decorators, attributes, templates

The first pattern that matches a place wins.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from typing import NamedTuple

from tree_sitter import Language as Grammar
from tree_sitter import Node, Query, QueryCursor

from repoctx.parse.languages import LANGUAGES, query_source
from repoctx.types import KINDS, ROLES

_COMMENT = re.compile(r"^\s*;.*$", re.MULTILINE)
_CAPTURE = re.compile(r"(?<=[\s)\]*?+])@([\w.]+)")
_BARE = re.compile(r"(?:simple_|type_|shorthand_property_)?identifier\)$")
_SUBJECTS = ("definition", "container", "reference", "import", "local", "doc", "outer")


DEEPEST = 2_000
"""Levels of the tree that queries look at. Long sums and chains of `else if` are some hundred deep."""


class Pattern(NamedTuple):
    """What one pattern of a query asks for."""

    subject: str  # one of "definition", "container", "reference", "import", "local", "doc", "outer"
    detail: str  # the kind of a definition, the role of a reference, else ""
    capture: str  # name of the capture that is the whole: "definition.class", "import"
    captures: frozenset[str]  # names of all its captures
    bare: bool  # whether the whole is always an identifier


Captures = dict[str, list[Node]]
Answers = list[tuple[Pattern, list[Captures]]]  # what each pattern matched, patterns in order


class Question(NamedTuple):
    """A compiled query with its grammar."""

    grammar: Grammar
    query: Query
    patterns: tuple[Pattern, ...]
    errors: Query


def read_pattern(source: str) -> Pattern:
    """What one pattern asks for, by the names of its captures."""
    source = _COMMENT.sub("", source)
    names = _CAPTURE.findall(source)
    for name in names:
        subject, _, detail = name.partition(".")
        if subject in _SUBJECTS and (subject != "import" or not detail):
            allowed = {"definition": KINDS, "reference": ROLES}.get(subject, ("",))
            assert detail in allowed, f"no such capture: @{name}"
            nodes = re.findall(rf"([^\s(]+)\s*@{re.escape(name)}", source)
            return Pattern(subject, detail, name, frozenset(names), all(_BARE.match(node) for node in nodes))
    raise AssertionError(f"a pattern asks for nothing: {source}")


@cache
def question(language: str) -> Question | None:
    """The compiled query of a language, once per process; None where it has no symbols."""
    row = LANGUAGES[language]
    if not row.grammar:
        return None
    grammar = Grammar(getattr(importlib.import_module(row.grammar), row.function)())
    source = query_source(row)
    query = Query(grammar, source.decode())
    patterns = tuple(
        read_pattern(source[query.start_byte_for_pattern(i) : query.end_byte_for_pattern(i)].decode())
        for i in range(query.pattern_count)
    )
    return Question(grammar, query, patterns, Query(grammar, "(ERROR) @error (MISSING) @error"))


def cursor(query: Query) -> QueryCursor:
    """A cursor that goes no deeper than people write: its time is the square of the depth."""
    made = QueryCursor(query)
    made.set_max_start_depth(DEEPEST)
    return made


def ask(asked: Question, root: Node) -> Answers:
    """All matches of a query, by pattern."""
    answers: list[list[Captures]] = [[] for _ in asked.patterns]
    for index, captures in cursor(asked.query).matches(root):
        answers[index].append(captures)
    return [(pattern, found) for pattern, found in zip(asked.patterns, answers, strict=True) if found]


def about(answers: Answers, subject: str) -> list[tuple[Pattern, list[Captures]]]:
    """The answers of the patterns that ask for one subject."""
    return [answer for answer in answers if answer[0].subject == subject]
