"""What extraction does with texts that are not as they should be, and with names that are local."""

from __future__ import annotations

import time

import pytest

from repoctx.parse import parse
from repoctx.parse.imports import braced
from repoctx.parse.references import EXPRESSION, tidy
from repoctx.parse.symbols import LONGEST_NAME, LONGEST_SIGNATURE


def uses(language: str, text: str) -> list[tuple[str, str, str]]:
    """Role, name and qualifier of each reference but imports."""
    found = parse(language, text.encode()).references
    return [(r.role, r.name, r.qualifier) for r in found if r.role != "import"]


def test_broken_code_has_partial_facts():
    """What can be read is read, and the errors are counted."""
    facts = parse("python", b"def f(:\n    pass\n\ndef g():\n    return f()\n")
    assert "g" in {s.name for s in facts.symbols}
    assert facts.errors > 0
    assert parse("python", b"x = 1\n").errors == 0


@pytest.mark.parametrize(
    "language,text",
    [
        ("python", b"(" * 3_000),
        ("python", b"x = " + b"[" * 3_000 + b"]" * 3_000),
        ("javascript", b"f(" * 3_000),
        ("javascript", b"{" * 3_000),
        ("javascript", b"a" + b".b()" * 5_000),
        ("python", b"a" + b".b" * 20_000 + b"()"),
        ("python", b"".join(b" " * n + b"class A%d:\n" % n for n in range(300)) + b" " * 300 + b"pass\n"),
        ("rust", b"use " + b"a::{" * 5_000 + b"b" + b"}" * 5_000 + b";"),
        ("c", b"#define A (" * 5_000),
        ("json", b"[" * 100_000),
        ("markdown", b"```\n" * 20_000),
        ("markdown", b"#" * 100_000),
        ("text", b" " * 200_000 + b"x"),
        ("python", b"# " + b"x" * 100_000 + b"\ndef f(): pass\n"),
        ("java", b"/*" * 30_000 + b"*/ class A {}"),
    ],
)
def test_hostile_nesting_is_survived(language, text):
    """Neither the stack nor the patience overflows."""
    started = time.process_time()
    facts = parse(language, text)
    assert b"".join(text[c.start_byte : c.end_byte] for c in facts.chunks) == text
    assert time.process_time() - started < 20


def test_names_and_signatures_are_bounded():
    """A name that nobody could have typed is no symbol; a long signature is cut."""
    long = "a" * (LONGEST_NAME + 1)
    parameters = ", ".join(f"p{n}" for n in range(200))
    facts = parse("python", f"def {long}(): pass\n{long}()\ndef f({parameters}): pass\n".encode())
    assert [s.name for s in facts.symbols] == ["f"]
    assert len(facts.symbols[0].signature) == LONGEST_SIGNATURE
    assert facts.references == []


def test_columns_count_bytes_behind_a_byte_order_mark_and_umlauts():
    """Lines and columns are those of the text as it is."""
    facts = parse("python", "\N{BOM}größe = f('ü'); h(größe)\n".encode())
    assert [(s.name, s.name_line, s.name_column) for s in facts.symbols] == [("größe", 1, 3)]
    places = [(r.name, r.line, r.column) for r in facts.references]
    assert places == [("f", 1, 13), ("h", 1, 22), ("größe", 1, 24)]


def test_local_names_are_no_references():
    """Parameters, variables, loop and comprehension variables and names of inner scopes."""
    text = """
def helper(): pass
def f(callback, helper):
    handler = callback
    for each in handler:
        each()
    def inner():
        return callback(handler), helper
    with open(each) as stream:
        stream.read()
    return [item() for item in handler]
helper()
"""
    assert uses("python", text) == [
        ("call", "open", ""), ("call", "read", "stream"), ("call", "helper", ""),
    ]  # fmt: skip


def test_a_method_is_not_hidden_by_a_parameter_of_its_name():
    """Only the bare name is local, a member is not."""
    assert uses("python", "def f(get, x):\n    x.get()\n    get()\n") == [("call", "get", "x")]


def test_reads_must_mean_something():
    """A name that is neither imported nor defined here is not worth an edge."""
    text = "import conf\nLIMIT = 1\ndef f(x):\n    g(LIMIT, conf.DEBUG, conf, x.y, other, z.LIMIT)\n"
    assert uses("python", text) == [
        ("call", "g", ""), ("read", "LIMIT", ""), ("read", "DEBUG", "conf"), ("read", "conf", ""),
    ]  # fmt: skip


def test_a_place_has_one_reference():
    """A called attribute is not read as well."""
    assert uses("python", "import os\nos.getcwd()\n") == [("call", "getcwd", "os")]


@pytest.mark.parametrize(
    "qualifier,expected",
    [
        ("a.b", "a.b"),
        ("f(x, g(y))\n    .a", "f().a"),
        ("a[0]['k'].b", "a[][].b"),
        ('"some text"', '""'),
        ("a?.b!", "a.b"),
        ("Foo::<T>", "Foo"),
        ("std::vector<int>", "std::vector"),
        ("x" * 300, EXPRESSION),
    ],
)
def test_qualifiers_are_tidy(qualifier, expected):
    """Arguments, white space and literals say nothing about a name."""
    assert tidy(qualifier) == expected


@pytest.mark.parametrize(
    "tree,separator,expected",
    [
        ("std::fmt", "::", [("std", "fmt", "fmt")]),
        ("a::{b, c::{self, d as e}, f::*}", "::", [
            ("a", "b", "b"), ("a::c", "", "c"), ("a::c", "d", "e"), ("a::f", "*", ""),
        ]),
        ("serde", "::", [("serde", "", "serde")]),
        ("a::B as _", "::", [("a", "B", "")]),
        ("import x.y.{A, B => C, _}", ".", [("x.y", "A", "A"), ("x.y", "B", "C"), ("x.y", "*", "")]),
        ("import x.Y as Z", ".", [("x", "Y", "Z")]),
        ("import x.y.*", ".", [("x.y", "*", "")]),
        ("a::{b, /* c, */ d", "::", [("a", "b", "b"), ("a", "d", "d")]),
        ("", "::", []),
    ],
)  # fmt: skip
def test_braces_of_imports(tree, separator, expected):
    """Each name of a nested import, with the module before it."""
    assert [(i.module, i.name, i.alias) for i in braced(tree, 0, separator)] == expected


def test_comments_belong_to_what_follows_at_once():
    """A blank line, code or the interpreter line ends a doc comment."""
    text = "#!/bin/python\n# one\ndef a(): pass\n# far\n\ndef b(): pass\nx = 1  # not mine\ndef c(): pass\n"
    assert [(s.name, s.start_line, s.doc) for s in parse("python", text.encode()).symbols] == [
        ("a", 2, "one"), ("b", 6, ""), ("x", 7, ""), ("c", 8, ""),
    ]  # fmt: skip
    text = "/* one */ int x;\nint a() {}\n\n/**\n * Two,\n * three.\n */\nint b() {}\n"
    assert [(s.name, s.start_line, s.doc) for s in parse("c", text.encode()).symbols] == [
        ("x", 1, ""), ("a", 2, ""), ("b", 4, "Two,\nthree."),
    ]  # fmt: skip
