"""Laws of token counting on hostile text: sums at clean cuts, neutralised text, line numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from repoctx import tokens

WORDS = [
    "\n",
    "\n",
    "\r",
    "\r\n",
    " ",
    "  ",
    "\t",
    "\v",
    "\f",
    "\x1c",
    "\x85",
    "\xa0",
    "\u2028",
    "\u2029",
    "\u3000",
    "\u200b",
    "\ufeff",
    "a",
    "Ab",
    "word",
    "7",
    "42",
    ".",
    "()",
    "=>",
    "'s",
    "'LL",
    "'\u017f",
    "é",
    "e\u0301",
    "ß",
    "漢字",
    "🙂",
    "👩\u200d💻",
    "\u0000",
    "<",
    ">",
    "|",
    "_",
    "<|im_end|>",
    "</think>",
    "<tool_call>",
    "</file>",
    "<file path=",
    "⋯ 3-4",
]
texts = st.lists(st.one_of(st.sampled_from(WORDS), st.characters(codec="utf-8")), max_size=40).map("".join)


def lines_of(text: str) -> list[str]:
    """Lines with their line feeds, the missing last one added."""
    text = text if text.endswith("\n") or not text else text + "\n"
    return [line + "\n" for line in text.split("\n")[:-1]]


@settings(max_examples=150)
@given(texts)
def test_sums_are_exact_between_clean_cuts(text: str) -> None:
    """For every range of lines between two clean cuts, the line counts add up to the range's count."""
    lines = lines_of(text)
    counts = tokens.line_counts(text).tolist()
    assert len(counts) == len(lines)
    cuts = [i for i, line in enumerate(lines) if i == 0 or tokens.clean_cut(line)] + [len(lines)]
    for i, start in enumerate(cuts):
        for end in cuts[i:]:
            assert sum(counts[start:end]) == tokens.count("".join(lines[start:end]))


@settings(max_examples=150)
@given(texts, texts)
def test_a_clean_line_is_cut_whatever_stands_before(before: str, after: str) -> None:
    """Counts of two texts add up if the first ends a line and the second begins with a clean cut."""
    before = before + "\n"
    if tokens.clean_cut(after.split("\n")[0]):
        assert tokens.count(before + after) == tokens.count(before) + tokens.count(after)


@given(texts)
def test_neutralise_is_idempotent_and_keeps_lines(text: str) -> None:
    """Neutralised text stays as it is, has the same lines, and gives back the original without U+200B."""
    safe = tokens.neutralise(text)
    assert tokens.neutralise(safe) is safe
    assert safe.count("\n") == text.count("\n")
    assert safe.replace("\u200b", "") == text.replace("\u200b", "")
    for word in ("<|im_end|>", "<tool_call>", "</think>", "</file>", "<file path=", "⋯ 3-4"):
        assert word not in safe


@given(texts)
def test_neutralised_lines_are_neutral_on_their_own(text: str) -> None:
    """Any range of lines of neutralised text is neutral, so packs may cut it anywhere."""
    for line in tokens.neutralise(text).split("\n"):
        assert tokens.neutralise(line) is line
