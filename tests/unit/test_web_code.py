"""Colours of code, and lines as markup: nothing of a text is markup, nothing of a secret is left."""

from __future__ import annotations

import pytest
from samples import SAMPLES

from repoctx import redact
from repoctx.parse.languages import LANGUAGES, by_path
from repoctx.serve.web import code, colours
from repoctx.serve.web.code import Place, Sheet, Shelf, shown
from repoctx.serve.web.find import marking
from repoctx.store.payload import Key
from repoctx.types import Symbol

# What is coloured in the first file of each sample's language that has more than these bytes.
LEAST = 300


def painted(language: str, text: str) -> list[tuple[str, str]]:
    """The runs of one colour that are no plain text, as (colour, text)."""
    raw, found = text.encode(), colours.paint(language, text.encode())
    runs: list[tuple[str, str]] = []
    at = 0
    for end in range(1, len(raw) + 1):
        if end == len(raw) or found[end] != found[at]:
            if found[at]:
                runs.append((colours.COLOURS[found[at]], raw[at:end].decode()))
            at = end
    return runs


def sheet(text: str, language: str = "python", symbols: tuple[Symbol, ...] = ()) -> Sheet:
    """A text without its secrets."""
    return Sheet(language, text, symbols, redact.secrets(text))


def test_a_grammar_s_own_names_decide_the_colours():
    """Comments, strings with code in them, numbers, keywords, types, constants."""
    text = 'def f(x: int = 3) -> str:\n    # é\n    return f"a{x!r}b" if x is not None else "c"\n'
    assert painted("python", text) == [
        ("keyword", "def"), ("type", "int"), ("number", "3"), ("type", "str"), ("comment", "# é"),
        ("keyword", "return"), ("string", 'f"a'), ("string", 'b"'), ("keyword", "if"), ("keyword", "is not"),
        ("constant", "None"), ("keyword", "else"), ("string", '"c"'),
    ]  # fmt: skip


@pytest.mark.parametrize("language", sorted(name for name, row in LANGUAGES.items() if row.grammar))
def test_every_grammar_has_keywords_strings_and_comments(language):
    """Of every language with a grammar a query is made that its grammar takes, and that names the main colours."""
    query = colours._query(language)
    found = {query.capture_name(at) for at in range(query.capture_count)}
    assert found >= {"comment.of", "string.of", "keyword.of", "number.of"}


def test_the_samples_are_coloured():
    """Each sample has a file with keywords, strings and comments."""
    seen = set()
    for path in sorted(SAMPLES.glob("*/**/*.*")):
        language = by_path(path.name)
        if path.is_file() and language in LANGUAGES and LANGUAGES[language].grammar and path.stat().st_size > LEAST:
            found = {colours.COLOURS[value] for value in colours.paint(language, path.read_bytes())}
            if {"keyword", "string", "comment"} <= found:
                seen.add(language)
    assert seen >= {"python", "typescript", "go", "java", "rust", "cpp"}


def test_what_has_no_grammar_or_is_too_large_has_no_colours():
    """It is shown without."""
    assert colours.paint("text", b"if") == b""
    assert colours.paint("no such language", b"if") == b""
    assert colours.paint("python", b"") == b""
    assert colours.paint("python", b"#" * (colours.MOST_BYTES + 1)) == b""


def test_pieces_of_a_text_are_painted_as_the_whole():
    """What stretches over the pieces that a query is asked for has one colour."""
    text = f'x = """{"long " * (colours.PIECE // 2)}"""\ny = 1\n'
    assert painted("python", text) == [("string", text[4:-7]), ("number", "1")]


def test_lines_are_escaped_and_what_does_not_print_is_told():
    """Markup, control characters, what turns the direction; a carriage return at the end is none of it."""
    found = shown(sheet("# <b>&\u202e\x07\r\nx = '<'\n"), 1, 9)
    assert found == [
        '<span class="c-comment"># &lt;b&gt;&amp;\\u202e\\x07</span>',
        "x = <span class=\"c-string\">'&lt;'</span>",
    ]
    assert shown(sheet(""), 1, 5) == []
    assert shown(sheet("a\n"), 2, 5) == []


def test_secrets_are_cut_out_and_what_follows_keeps_its_colour():
    """The marker has a colour of its own; names on the line lead nowhere, those after it do."""
    secret = "AKIAQ3EGRNZ5WLXK7T2P"
    made = sheet(f'é = "{secret}"  # why\nif é: pass\n')
    found = shown(made, 1, 2, places=[Place(1, 0), Place(2, 3)])
    assert found == [
        'é = <span class="c-string">"</span><span class="c-cut">[redacted AWS access key]</span>'
        '<span class="c-string">"</span>  <span class="c-comment"># why</span>',
        '<span class="c-keyword">if</span> <a href="?at=2:3">é</a>: <span class="c-keyword">pass</span>',
    ]
    assert made.cuts == [(1, "AWS access key")]


def test_definitions_links_and_marks_are_where_the_words_are():
    """A name is bold where it is defined, a link where it stands, marked where the query has it."""
    symbol = Symbol("function", "parse_it", "parse_it", "", "", 1, 1, 1, 4, 0, -1)
    found = shown(sheet("def parse_it(): unparsed\n", symbols=(symbol,)), 1, 1, places=[Place(1, 4)],
                  marked=marking("how to parse"))  # fmt: skip
    assert found == [
        '<span class="c-keyword">def</span> <a href="?at=1:4"><span class="c-name"><mark>parse_it</mark></span></a>'
        "(): unparsed"
    ]


def test_a_long_line_ends_and_says_so():
    """No browser is given a megabyte on one line, nor half a character."""
    found = shown(sheet("é" * code.LONGEST + "\n", "text"), 1, 1)
    assert found == ["é" * (code.LONGEST // 2) + f'<span class="more">… {code.LONGEST:,} more bytes</span>']


def test_a_shelf_has_room_for_so_much():
    """What was asked for the longest ago goes first."""
    shelf, one, two, three = Shelf(10_000), *(sheet(letter * 1_000) for letter in "abc")
    for name, found in (("a", one), ("b", two)):
        assert shelf.put(Key(name, "python", ""), found) is found
    assert shelf.find(Key("a", "python", "")) is one
    shelf.put(Key("c", "python", ""), three)
    assert shelf.find(Key("b", "python", "")) is None
    assert (shelf.find(Key("a", "python", "")), shelf.find(Key("c", "python", ""))) == (one, three)
    assert shelf.put(Key("a", "python", ""), two) is one
