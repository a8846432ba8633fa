"""Where a text is cut into chunks."""

from __future__ import annotations

import pytest

from repoctx.parse import parse
from repoctx.parse.chunk import ALONE, HARD, LARGE, TARGET


def body(size: int, indent: str = "    ") -> str:
    """Lines of Python of about this many bytes."""
    line = f"{indent}x = 1  # {'.' * 20}\n"
    return line * max(1, size // len(line))


def shown(language: str, text: str) -> list[tuple[int, int, str]]:
    """First line, last line and symbol of each chunk."""
    facts = parse(language, text.encode())
    assert b"".join(text.encode()[c.start_byte : c.end_byte] for c in facts.chunks) == text.encode()
    names = [facts.symbols[c.symbol].descriptor if c.symbol >= 0 else "" for c in facts.chunks]
    return [(c.start_line, c.end_line, name) for c, name in zip(facts.chunks, names, strict=True)]


def test_an_empty_text_has_no_chunks():
    """Nothing to find in nothing."""
    assert parse("python", b"").chunks == []
    assert parse("text", b"").chunks == []


def test_small_neighbours_share_a_chunk():
    """Imports, constants and short functions stand together, under the first symbol."""
    text = "import os\n\nA = 1\nB = 2\n\n\ndef f():\n    return A\n"
    assert shown("python", text) == [(1, 8, "A")]


def test_a_function_worth_a_hit_stands_alone():
    """With its comment, its decorators and the blank lines behind it."""
    text = f"import os\n\n\n# Why.\n@dec\ndef f():\n{body(ALONE + 50)}\n\nA = 1\n"
    last = text.count("\n")
    assert shown("python", text) == [(1, 3, ""), (4, last - 1, "f"), (last, last, "A")]


def test_neighbours_share_no_more_than_the_target():
    """A run of short functions is cut before it is too long."""
    text = "".join(f"def f{n}():\n{body(200)}\n\n" for n in range(8))
    for c in parse("python", text.encode()).chunks:
        assert c.end_byte - c.start_byte <= TARGET


def test_a_class_that_fits_is_one_chunk():
    """Its members are not torn apart."""
    method = body(600, " " * 8)
    text = f'class A:\n    """Doc."""\n\n    def f(self):\n{method}\n    def g(self):\n{method}'
    assert shown("python", text) == [(1, text.count("\n"), "A")]


def test_a_large_class_is_cut_at_its_members():
    """Head, members; the head with its docstring and fields shows the class."""
    method = body(1200, " " * 8)
    text = f'class A:\n    """Doc."""\n    X = 1\n\n    def f(self):\n{method}\n    def g(self):\n{method}'
    first = text[: text.index("    def f")].count("\n")
    second = text[: text.index("    def g")].count("\n")
    assert shown("python", text) == [
        (1, first, "A"), (first + 1, second, "A.f"), (second + 1, text.count("\n"), "A.g"),
    ]  # fmt: skip


def test_a_large_function_is_cut_at_nested_definitions_and_blank_lines():
    """First where definitions are, then behind the blank line at the least indentation."""
    inner = f"    def inner():\n{body(1500, ' ' * 8)}"
    branch = f"    if x:\n{body(700, ' ' * 8)}\n        y()\n\n"
    text = f"def f():\n{body(900)}\n{branch}    z()\n{body(900)}{inner}    return 1\n"
    chunks = shown("python", text)
    at = text[: text.index("    def inner")].count("\n") + 1
    z = text[: text.index("    z()")].count("\n") + 1
    assert (at, text.count("\n"), "f.inner") in chunks  # `return 1` is too little for a chunk of its own
    assert z in [first for first, _, _ in chunks]


def test_what_closes_a_definition_goes_with_its_last_member():
    """No chunk is a brace."""
    method = "    void f{n}() {{\n" + "        call(1234567890);\n" * 40 + "    }}\n"
    text = "class A {\n" + "".join(method.format(n=n) for n in range(3)) + "}\n"
    assert shown("java", text) == [(1, 1, "A"), (2, 43, "A.f0"), (44, 85, "A.f1"), (86, 128, "A.f2")]


def test_no_chunk_is_larger_than_the_hard_limit():
    """A line that is too long is cut between characters."""
    text = "é" * HARD + "\nshort\n"
    facts = parse("text", text.encode())
    assert [(c.start_line, c.end_line) for c in facts.chunks] == [(1, 1), (1, 1), (1, 1), (2, 2)]
    for c in facts.chunks:
        text.encode()[c.start_byte : c.end_byte].decode()


def test_plain_text_is_cut_behind_blank_lines():
    """A paragraph is not torn if a chunk can end behind it."""
    paragraph = "word " * 15 + "\n"
    text = (paragraph * 8 + "\n") * 6
    ends = [last for _, last, _ in shown("text", text)]
    assert all(end % 9 == 0 for end in ends)
    assert all(c.end_byte - c.start_byte <= LARGE for c in parse("text", text.encode()).chunks)


FILLER = "some words that fill the line up to its end\n" * 8


@pytest.mark.parametrize(
    "language,opening,expected",
    [
        ("markdown", ["# One\n", "## Two\n", "Three\n-----\n"], [(1, 9, ""), (10, 18, ""), (19, 28, "")]),
        ("toml", ["[one]\n", "[two.a]\n", "[[three]]\n"], [(1, 9, ""), (10, 18, ""), (19, 27, "")]),
        ("ini", ["[one]\n", "[two]\n"], [(1, 9, ""), (10, 18, "")]),
        ("sql", ["UPDATE a SET b = 1;\n", "insert into a values (1);\n"], [(1, 9, ""), (10, 18, "")]),
        ("rst", ["One\n===\n", "Two\n---\n"], [(1, 10, ""), (11, 20, "")]),
        ("dockerfile", ["FROM a\n", "FROM b\n"], [(1, 9, ""), (10, 18, "")]),
    ],
)
def test_text_kinds_are_cut_where_sections_begin(language, opening, expected):
    """Headings, tables, statements, stages: what a row of the table says."""
    assert shown(language, "".join(line + FILLER for line in opening)) == expected


def test_a_heading_in_a_code_block_is_code():
    """Markdown's fences protect what looks like a heading."""
    text = f"# One\n```sh\n# not a heading\n{FILLER}```\n# Two\n{FILLER}"
    assert shown("markdown", text) == [(1, 12, ""), (13, 21, "")]


def test_keys_of_a_document_are_kept_whole():
    """YAML and JSON are cut at their keys of the first level."""
    yaml = "".join(f"key{n}:\n" + "  - value of the key\n" * 20 for n in range(3))
    assert shown("yaml", yaml) == [(1, 21, ""), (22, 42, ""), (43, 63, "")]
    numbers = "    12345678901234567890,\n" * 20
    json = "{\n" + "".join(f'  "key{n}": [\n{numbers}  ],\n' for n in range(3)) + "}\n"
    assert shown("json", json) == [(1, 23, ""), (24, 45, ""), (46, 68, "")]
