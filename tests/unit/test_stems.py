"""Forms of words: what shares a stem, and what only looks alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx.index.stems import forms, stem


@pytest.mark.parametrize(
    "words",
    [
        "parse parses parsed parser parsers parsing",
        "stream streams streaming streamed streamer",
        "retry retries retried",
        "run running runner",
        "token tokens tokenize tokenizer tokenization",
        "serialize serializer serialized",
        "connect connection connections connector connecting",
    ],
)
def test_forms_of_a_word_share_its_stem_and_find_each_other(words):
    """Every form names every other one."""
    for word in words.split():
        assert {stem(other) for other in words.split()} == {stem(word)}
        assert set(words.split()) - {word} <= set(forms(word)), word


@pytest.mark.parametrize(
    "one, other", [("class", "clas"), ("status", "statue"), ("user", "us"), ("ring", "r"), ("bed", "b")]
)
def test_words_that_only_look_alike_stay_apart(one, other):
    """No ending is taken off a word that has nothing left without it."""
    assert stem(one) != stem(other)


@pytest.mark.parametrize("word", ["http2", "größe", "get", "x", "", "snake_case", "数据"])
def test_what_is_no_english_word_is_its_own_stem(word):
    """Numbers, other scripts and short words have no forms."""
    assert stem(word) == word
    assert forms(word) == () or word == "get"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", max_size=20))
def test_forms_share_the_stem_and_are_in_order(word):
    """Whatever the word."""
    found = forms(word)
    assert list(found) == sorted(set(found))
    assert all(stem(form) == stem(word) and form != word for form in found)
