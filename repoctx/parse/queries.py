"""What does a language's query ask of a syntax tree?

The capture names follow the tree-sitter tags convention. Each pattern of a `.scm` file asks for
one thing, which its captures name:

`@definition.<kind>`  a symbol, from its first keyword to its end; with `@name` and, where there
                      is one, `@body` (what a signature leaves out), `@receiver` (the type that a
                      method is declared for, outside of it) or `@self` (the name before the dot
                      of a field that a method sets). A name such as `a.b` or `A::b` is split.
                      With `@reach`, the block around it, one without `@body` lasts until the next.
`@container`          a block that lends its `@name` to what is inside, but is no symbol: `impl`
`@anonymous`          a function without a name: only what stands in it can name what it defines; with
                      `@body` where it may be that of a definition, which gives it a name
`@reference.<role>`   a use of a name: with `@name` and perhaps `@qualifier`; without `@name` the
                      node's own text is split after the last separator, or with `@loose` the text before
                      it, where the grammar has but tokens; `@chain` instead of a name is
                      an expression that yields what is used: `f()()`
`@import`             with `@module`, `@import.name`, `@import.alias`, or `@import.tree` (text with
                      nested braces); without a module it is a name that the text itself exports as another
`@local`              a name bound inside the symbol around it: a parameter, a loop variable
`@flow`               what a name may hold: `@target` with `@value` (a name or a chain of members and
                      calls), `@element` (the same, held in a container), `@iterated` (a container of
                      it), `@made` (a class that is constructed), `@type` (as declared) or `@held` (as
                      declared, and it holds several), or `@stated.<type>` (nowhere written)
                      `@member` is the name that is taken from the value: `const {a} = x`
`@flow.return`        the same for what the function around it returns, or the one named `@target`
`@flow.argument`      the `@value` is handed to the `@callee` that is named there: a decorator
`@parameter`          a parameter at its name, with the `@parameters` that it is one of
`@arguments`          with a `@reference.call`: what is handed over
`@ignore`             a name that stands for no definition and no use: the head of a declared type
`@doc`                a string that documents the symbol whose body begins with it; with `@place`, that
                      whose body or `@outer` begins where `@place` does
`@outer`, `@inner`    `@inner` begins where `@outer` does: decorators, attributes, templates

The first pattern that matches a place wins.
"""

from __future__ import annotations

import ctypes
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
_SUBJECTS = (
    "definition", "container", "anonymous", "reference", "import", "local", "ignore", "doc", "outer", "flow",
    "parameter",
)  # fmt: skip
_DETAILS = {"definition": KINDS, "reference": ROLES, "flow": ("", "return", "argument")}


DEEPEST = 2_000
"""Levels of the tree that queries look at. Long sums and chains of `else if` are some hundred deep."""


class Pattern(NamedTuple):
    """What one pattern of a query asks for."""

    subject: str  # one of _SUBJECTS
    detail: str  # the kind of a definition, the role of a reference, else ""
    capture: str  # name of the capture that is the whole: "definition.class", "import"
    captures: frozenset[str]  # names of all its captures
    bare: bool  # whether the whole is always an identifier
    stated: str = ""  # the type of a flow's target where none is written: `error` of `@stated.error`


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
            allowed = _DETAILS.get(subject, ("",))
            assert detail in allowed, f"no such capture: @{name}"
            nodes = re.findall(rf"([^\s(]+)\s*@{re.escape(name)}", source)
            stated = next((other.partition(".")[2] for other in names if other.startswith("stated.")), "")
            return Pattern(subject, detail, name, frozenset(names), all(_BARE.match(node) for node in nodes), stated)
    raise AssertionError(f"a pattern asks for nothing: {source}")


@cache
def question(language: str) -> Question | None:
    """The compiled query of a language, once per process; None where it has no symbols."""
    row = LANGUAGES[language]
    if not row.grammar:
        return None
    grammar = Grammar(_capsule(getattr(importlib.import_module(row.grammar), row.function)()))
    source = query_source(row)
    query = Query(grammar, source.decode())
    patterns = tuple(
        read_pattern(source[query.start_byte_for_pattern(i) : query.end_byte_for_pattern(i)].decode())
        for i in range(query.pattern_count)
    )
    return Question(grammar, query, patterns, Query(grammar, "(ERROR) @error (MISSING) @error"))


def _capsule(grammar: object) -> object:
    """A grammar as the runtime takes it. Some wheels return its bare address, which the runtime deprecates."""
    if not isinstance(grammar, int):
        return grammar
    wrap = ctypes.pythonapi.PyCapsule_New
    wrap.restype, wrap.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    capsule: object = wrap(grammar, b"tree_sitter.Language", None)
    return capsule


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
