"""Which words are forms of one another? `parse`, `parses`, `parsed`, `parser` and `parsing`.

A light stemmer for English words in code: it takes one ending off and never looks at meaning. It errs towards
too few forms: identifiers are full of words that only look alike.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Ending -> what takes its place, and how many letters must stay before it; the first that fits is taken off.
# The longest come first, so that `-ations` is not read as `-s`.
_ENDINGS: tuple[tuple[str, str, int], ...] = (
    ("izations", "", 3), ("ization", "", 3), ("ations", "", 3), ("ation", "", 3), ("izers", "", 3), ("izer", "", 3),
    ("izing", "", 3), ("ized", "", 3), ("ize", "", 3), ("ities", "", 4), ("ity", "", 4), ("ness", "", 4),
    ("ments", "", 4), ("ment", "", 4), ("ions", "", 3), ("ion", "", 3), ("ings", "", 3), ("ing", "", 3),
    ("ies", "y", 2), ("ers", "", 3), ("ors", "", 3), ("er", "", 3), ("or", "", 3), ("ed", "", 3), ("es", "", 3),
    ("s", "", 3),
)  # fmt: skip
# Endings that a stem may have in a text, to find its forms there.
_FORMS = (
    "", "e", "s", "es", "ed", "er", "ers", "or", "ors", "ing", "ings", "ion", "ions", "ation", "ations",
    "ize", "izer", "ized", "izing", "ization", "ment", "ments",
)  # fmt: skip
# Not plurals.
_SINGULAR = ("ss", "us", "is")
# Shorter words have no endings, shorter stems too many forms.
SHORTEST_WORD, SHORTEST_STEM = 4, 3
_VOWEL = re.compile("[aeiouy]")


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """What the forms of a lower-case word share; the word itself if it is not made of ASCII letters."""
    if len(word) < SHORTEST_WORD or not (word.isascii() and word.isalpha()):
        return word
    left = word
    for ending, instead, least in _ENDINGS:
        kept = word[: len(word) - len(ending)]
        if word.endswith(ending) and len(kept) >= least and _VOWEL.search(kept):
            if ending == "s" and word.endswith(_SINGULAR):
                continue
            left = kept + instead
            break
    if len(left) > SHORTEST_STEM and left[-1] == left[-2] and left[-1] not in "lsz":
        left = left[:-1]  # running: runn
    if left.endswith("e") and len(left) > SHORTEST_STEM:
        left = left[:-1]
    return left[:-1] + "y" if left.endswith("i") else left


@lru_cache(maxsize=50_000)
def forms(word: str) -> tuple[str, ...]:
    """The other words that may share the word's stem, in order; whether they exist is another question."""
    root = stem(word)
    if len(root) < SHORTEST_STEM or not (word.isascii() and word.isalpha()):
        return ()
    made = {root + ending for ending in _FORMS} | {root + root[-1] + ending for ending in ("ing", "ed", "er")}
    if root.endswith("y"):
        made |= {root[:-1] + "ies", root[:-1] + "ied"}
    return tuple(sorted(other for other in made if other != word and stem(other) == root))
