"""What holds for the facts of any text in any language."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repoctx.parse import languages, parse
from repoctx.parse.chunk import HARD, chunk
from repoctx.types import KINDS, ROLES, Facts

FACTS = Path(__file__).resolve().parent.parent / "golden" / "facts"
SOURCES = {path.stem: path.read_bytes() for path in sorted(FACTS.iterdir()) if path.suffix != ".facts"}
KEYS = sorted({*languages.LANGUAGES, languages.AUTO})

lines = st.sampled_from(sorted({line for source in SOURCES.values() for line in source.split(b"\n")}))
mixtures = st.lists(lines, max_size=40).map(b"\n".join)
anything = st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))


def holds(facts: Facts, text: bytes) -> None:
    """All that every fact promises about its text."""
    rows = text.split(b"\n")
    assert facts.language in languages.LANGUAGES
    assert facts.errors >= 0

    position = 0
    for c in facts.chunks:
        assert c.start_byte == position < c.end_byte <= c.start_byte + HARD
        assert c.start_line == 1 + text.count(b"\n", 0, c.start_byte)
        assert c.end_line == 1 + text.count(b"\n", 0, c.end_byte - 1)
        assert -1 <= c.symbol < len(facts.symbols)
        position = c.end_byte
    assert position == len(text)

    for index, s in enumerate(facts.symbols):
        assert s.kind in KINDS
        assert 1 <= s.start_line <= s.name_line <= s.end_line <= len(rows)
        assert s.name_column <= len(rows[s.name_line - 1])
        assert s.body_line == 0 or s.start_line < s.body_line <= s.end_line
        assert s.name
        assert s.descriptor.endswith(s.name)
        assert "\n" not in s.signature
        assert len(s.signature) <= 400
        assert -1 <= s.parent < index
        if s.parent >= 0:
            parent = facts.symbols[s.parent]
            assert parent.start_line <= s.name_line <= s.end_line <= parent.end_line
            assert s.descriptor.startswith(parent.descriptor)
    for r in facts.references:
        assert r.role in ROLES
        assert rows[r.line - 1][r.column :].startswith(r.name.encode())
        assert -1 <= r.scope < len(facts.symbols)
    places = [(r.line, r.column) for r in facts.references]
    assert places == sorted(set(places))
    for i in facts.imports:
        assert 1 <= i.line <= len(rows)
        assert 0 <= i.column <= len(rows[i.line - 1])


@given(st.sampled_from(KEYS), anything)
@settings(max_examples=150, deadline=None)
def test_any_text_in_any_language_has_facts(key, raw):
    """Whatever the bytes are, they have facts, and the facts are true of them."""
    text = languages.decode(raw)
    holds(parse(key, text), text)


@given(st.sampled_from(sorted(SOURCES)), mixtures)
@settings(max_examples=250, deadline=None)
def test_shuffled_code_has_true_facts(language, text):
    """Lines of seventeen languages in any order are broken code that looks like code."""
    holds(parse(language, text), text)


@pytest.mark.parametrize("language", sorted(SOURCES))
@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_source_has_true_facts(language, data):
    """A source with a piece cut out, as while somebody types."""
    source = SOURCES[language]
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, len(source)))
    text = languages.decode(source[:start] + source[end:])
    holds(parse(language, text), text)


@pytest.mark.parametrize("language", sorted(SOURCES))
def test_line_ends_and_marks_change_no_names(language):
    """CRLF and a byte order mark change no symbol's name, kind or lines."""
    source = SOURCES[language]
    plain = parse(language, source)
    marked = parse(language, b"\xef\xbb\xbf" + source.replace(b"\n", b"\r\n"))

    def shape(facts):
        return [(s.kind, s.descriptor, s.start_line, s.end_line, s.parent) for s in facts.symbols]

    first = 1 if source.startswith(b"#!") else 0  # a marked `#!` line is no `#!` line
    assert shape(marked)[first:] == shape(plain)[first:]
    holds(marked, b"\xef\xbb\xbf" + source.replace(b"\n", b"\r\n"))


ROWS = [b"", b"x", b"    y = 1", b"# h", b"[t]", b"k: v", b"w" * 5000, "ä".encode() * 2500]


@given(st.lists(st.sampled_from(ROWS)))
@settings(max_examples=80, deadline=None)
def test_chunks_tile_without_symbols(rows):
    """Every way of finding sections tiles the text."""
    text = b"\n".join(rows)
    for sections in sorted({row.sections for row in languages.LANGUAGES.values()}):
        found = chunk(text, [], sections)
        assert b"".join(text[c.start_byte : c.end_byte] for c in found) == text
        for c in found:
            text[c.start_byte : c.end_byte].decode()


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_a_decoded_blob_is_text(raw):
    """Decoding gives valid UTF-8, and leaves alone what is valid already."""
    text = languages.decode(raw)
    text.decode("utf-8")
    assert languages.decode(text) == text or text.startswith((b"\xff\xfe", b"\xfe\xff"))
