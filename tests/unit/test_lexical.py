"""Words of a query in chunks: exact scores on a corpus that fits on a page."""

from __future__ import annotations

import numpy as np
import pytest

from repoctx.index import lexical

BODIES = ["parse the file", "parser of parsed text", "load the file", "nothing here", "parse parse parse"]


def corpus(bodies=BODIES, paths=None):
    """One chunk a file, all words in the body."""
    made = lexical.postings([[], [], [], [(i, text.encode()) for i, text in enumerate(bodies)]], len(bodies))
    numbers = {term.decode(): i for i, term in enumerate(made.terms)}

    def find(term):
        if term not in numbers:
            return np.empty(0, np.int32), np.empty((0, 4), np.uint8)
        span = slice(*made.offset[numbers[term] : numbers[term] + 2])
        return made.chunk[span], made.frequency[span]

    files = np.arange(len(bodies), dtype=np.int32)
    paths = paths or [f"f{i}.x" for i in files]
    offset = np.arange(len(bodies) + 1)
    return lexical.corpus(lambda term: len(find(term)[0]), find, files, offset, made.length, paths)


def test_a_score_is_that_of_the_formula():
    """BM25F of one term: rarity times saturation, by hand."""
    found = corpus()
    scores, terms = lexical.score(found, {"load": 1.0})
    rarity = np.log1p((5 - 1 + 0.5) / (1 + 0.5))
    mean = sum(len(body.split()) for body in BODIES) // 1 / 5
    frequency = 1 / (1 - 0.75 + 0.75 * 3 / mean)
    assert [(one.term, one.rarity, one.rows.tolist()) for one in terms] == [("load", pytest.approx(rarity), [2])]
    assert scores.tolist() == pytest.approx([0, 0, rarity * frequency * 2.2 / (frequency + 1.2), 0, 0], rel=1e-5)


def test_forms_of_a_word_count_half():
    """`parse` means `parser` and `parsed` too, but less."""
    exact, _ = lexical.score(corpus(), {"parse": 1.0})
    assert np.flatnonzero(exact).tolist() == [0, 4]
    scores, terms = lexical.score(corpus(), {"parse": 1.0}, forms=True)
    assert np.flatnonzero(scores).tolist() == [0, 1, 4]
    assert scores[4] > scores[0]
    assert [one.term for one in terms] == ["parse"]


def test_of_many_terms_the_rare_ones_are_taken():
    """What is in most chunks is left out first, and weights count; ties go by the alphabet."""
    weights = dict.fromkeys(["the", "file", "load", "parse", "nowhere"], 1.0)
    assert [one.term for one in lexical.score(corpus(), weights, most=1)[1]] == ["load"]
    assert [one.term for one in lexical.score(corpus(), weights, most=3)[1]] == ["file", "load", "parse"]
    assert [one.term for one in lexical.score(corpus(), weights | {"the": 9.0}, most=1)[1]] == ["the"]


def test_a_path_counts_for_all_chunks_of_its_file():
    """A word of a path alone finds the file."""
    scores, terms = lexical.score(corpus(paths=["a.x", "b.x", "loader/c.x", "d.x", "e.x"]), {"loader": 1.0})
    assert np.flatnonzero(scores).tolist() == [2]
    assert [one.term for one in terms] == ["loader"]


def test_scores_do_not_depend_on_the_order_of_terms():
    """The same bytes whatever order the query has."""
    weights = dict.fromkeys("the file load parse text of".split(), 1.0)
    backwards = dict(reversed(weights.items()))
    assert np.array_equal(lexical.score(corpus(), weights)[0], lexical.score(corpus(), backwards)[0])
