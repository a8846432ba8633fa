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
        ("elixir", b"def f(" * 5_000),
        ("haskell", b"f (" * 5_000),
        ("ocaml", b"let f = (" * 5_000),
        ("perl", b"package A;\n" * 20_000),
        ("julia", b"f(" * 5_000),
        ("powershell", b"function f {" * 3_000),
        ("sql", b"select (" * 5_000),
        ("terraform", b"a {\n" * 5_000),
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
    """Unless they are called or have a member called: then they stand as `%N`, or `%` if nothing is known of them."""
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
        ("call", "each", "=%0"), ("call", "callback", "=%1"), ("call", "open", ""), ("call", "read", "%2"),
        ("call", "item", "=%3"), ("call", "helper", ""),
    ]  # fmt: skip


def test_a_method_is_not_hidden_by_a_parameter_of_its_name():
    """Only the bare name is local, a member is not."""
    assert uses("python", "def f(get, x):\n    x.get()\n    get()\n") == [("call", "get", "%0"), ("call", "get", "=%1")]


def test_reads_must_mean_something():
    """A name that is neither imported nor defined here is not worth an edge."""
    text = "import conf\nLIMIT = 1\ndef f(x):\n    g(LIMIT, conf.DEBUG, conf, x.y, other, z.LIMIT)\n"
    assert uses("python", text) == [
        ("call", "g", ""), ("read", "LIMIT", ""), ("read", "conf", ""), ("read", "DEBUG", "conf"), ("read", "conf", ""),
    ]  # fmt: skip


def test_a_place_has_one_reference():
    """A called attribute is not read as well; what it is an attribute of is."""
    assert uses("python", "import os\nos.getcwd()\n") == [("read", "os", ""), ("call", "getcwd", "os")]


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


@pytest.mark.parametrize(
    "language,text,expected",
    [
        ("haskell", "-- | Says so.\nf :: Int -> Int\nf 0 = 1\nf n = n\n\ng x = x\n", [("f", 1, 4, 3), ("g", 6, 6, 0)]),
        ("elixir", "def f(0), do: 1\ndef f(n) do\n  n\nend\n\ndef g, do: f(1)\ndef f(a, b), do: a\n",
            [("f", 1, 4, 2), ("g", 6, 6, 0), ("f", 7, 7, 0)]),
        ("python", "def f():\n    pass\ndef f():\n    pass\n", [("f", 1, 2, 2), ("f", 3, 4, 4)]),
    ],
)  # fmt: skip
def test_clauses_of_a_function_are_one_symbol(language, text, expected):
    """Where the language has them; its head is that of the first, and its body begins where that has one."""
    found = parse(language, text.encode()).symbols
    assert [(s.name, s.start_line, s.end_line, s.body_line) for s in found] == expected


def test_a_clause_with_a_doc_of_its_own_is_another_function():
    """In Elixir that is one of another arity."""
    text = 'defmodule A do\n  @doc "One."\n  def f(a), do: a\n  @doc "Two."\n  @since "2"\n  def f(a, b), do: a\nend\n'
    found = parse("elixir", text.encode()).symbols
    assert [(s.descriptor, s.doc, s.start_line, s.name_line) for s in found] == [
        ("A", "", 1, 1), ("A.f", "One.", 2, 3), ("A.f", "Two.", 4, 6),
    ]  # fmt: skip


def test_a_definition_reaches_to_the_next_one():
    """A Perl package without a block ends where another begins, one with a block where that does."""
    text = "package A;\nsub f { }\npackage B { sub g { } }\npackage C;\nsub h { }\n"
    found = parse("perl", text.encode()).symbols
    assert [(s.descriptor, s.start_line, s.end_line) for s in found] == [
        ("A", 1, 2), ("A.f", 2, 2), ("B", 3, 3), ("B.g", 3, 3), ("C", 4, 5), ("C.h", 5, 5),
    ]  # fmt: skip


def test_the_head_of_a_declared_type_is_no_use():
    """`@spec f(...)` says what f is like; it calls nothing."""
    assert uses("elixir", "defmodule A do\n  @spec f(B.t()) :: g()\n  def f(b), do: b\nend\n") == [
        ("type", "B", ""), ("call", "t", "B"), ("call", "g", ""),
    ]  # fmt: skip


def test_the_first_pattern_that_reads_an_imported_name_wins():
    """A renamed import is not imported under its old name as well."""
    found = parse("solidity", b'import {Parcel, Label as Tag} from "./a.sol";\n').imports
    assert [(i.module, i.name, i.alias) for i in found] == [
        ("./a.sol", "Parcel", "Parcel"), ("./a.sol", "Label", "Tag"),
    ]  # fmt: skip


def test_a_quoted_name_is_one_name():
    """Dots in the title of a test are no separators."""
    found = parse("zig", b'test "v1.2 is read" {\n}\n').symbols
    assert [(s.kind, s.name, s.descriptor) for s in found] == [("test", "v1.2 is read", "v1.2 is read")]
