"""Past commits as questions, what counts as found, and which weights are better: without a repository."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from repoctx.evaluation import cases, fit, gold, judge, page
from repoctx.evaluation.candidates import Candidates, Rankers
from repoctx.evaluation.cases import Case
from repoctx.evaluation.judge import FoundFile, FoundSymbol, Outcome, Packed
from repoctx.evaluation.report import Evaluation
from repoctx.retrieve import fuse
from repoctx.types import Change, Commit, Part

HUNK = ((3, 1, 3, 1),)


def commit(message: str = "handle empty carts", **values: Any) -> Commit:
    """A commit that changes one file of code."""
    known: dict[str, Any] = {"changes": (Change("a.py", "a.py", "M", HUNK),), "author": "A U Thor", "files": 1}
    known |= values
    return Commit("c" * 40, 1_700_000_000, known["author"], message, known["changes"], known["files"], 1)


def change(path: str, old: str | None = None, status: str = "M", hunks: Any = HUNK) -> Change:
    """What a commit did to a file."""
    return Change(path, path if old is None else old, status, hunks)


# --- which commits are questions ---------------------------------------------------------------


@pytest.mark.parametrize(
    "found, expected",
    [
        (cases.case(commit(), ()), "first commit"),
        (cases.case(commit(), ("p", "q")), "merge"),
        (cases.case(commit(author="dependabot[bot]"), ("p",)), "bot"),
        (cases.case(commit(author="pre-commit-ci"), ("p",)), "bot"),
        (cases.case(commit(author="Renovate Bot"), ("p",)), "bot"),
        (cases.case(commit(files=21), ("p",)), "bulk"),
        (cases.case(commit(changes=(change("b.py", "a.py", "R", ()),)), ("p",)), "rename only"),
        (cases.case(commit("WIP"), ("p",)), "says nothing"),
        (cases.case(commit(changes=()), ("p",)), "nothing to find"),
        (cases.case(commit(changes=(change("b.py", "", "A"),)), ("p",)), "nothing to find"),
        (cases.case(commit(changes=(change("tests/test_a.py"),)), ("p",)), "nothing to find"),
        (cases.case(commit(changes=(change("docs/conf.py"),)), ("p",)), "nothing to find"),
        (cases.case(commit(changes=(change("pyproject.toml"), change("README.md"))), ("p",)), "nothing to find"),
        (cases.case(commit(changes=(change("a.py", hunks=()),)), ("p",)), "nothing to find"),
    ],
)
def test_why_a_commit_is_no_question(found, expected):
    """The first reason that holds is told."""
    assert found == expected


def test_abbott_is_no_bot():
    """Names that only resemble those of bots are people's."""
    assert isinstance(cases.case(commit(author="Abbott"), ("p",)), Case)
    assert isinstance(cases.case(commit(author="Bothe Dependable"), ("p",)), Case)


def test_a_case_has_the_code_that_was_there_before():
    """New files, tests and settings are no gold beside code; a renamed file is known by its old path."""
    changes = (
        change("b.py", "a.py", "R"), change("c.py", "", "A"), change("d.py", status="D"),
        change("setup.cfg"), change("tests/test_b.py"),
    )  # fmt: skip
    found = cases.case(commit("handle\n\nempty carts", changes=changes, files=5), ("p",))
    assert isinstance(found, Case)
    assert [c.old_path for c in found.changes] == ["a.py", "d.py"]
    assert (found.parent, found.title, found.words) == ("p", "handle", 3)


@pytest.mark.parametrize(
    "message, expected",
    [
        ("Fix the cart\n\nIt broke.\n\nSigned-off-by: A <a@b>\nCo-authored-by: B <b@c>", "Fix the cart\n\nIt broke."),
        ("Fix the cart\n\n* one\n\n---------\n\nCo-authored-by: B <b@c>\n", "Fix the cart\n\n* one"),
        ("Fix the cart\n\nFixes: #12\n(cherry picked from commit abc123)", "Fix the cart"),
        ("cart: keep the discount", "cart: keep the discount"),
        ("Fixes: the discount of carts", "Fixes: the discount of carts"),
        ("deprecate should_ignore_error", "deprecate should_ignore_error"),
        ("Fix it", ""),
        ("#123 (#456) x", ""),
        ("WIP on the new cart", ""),
        ("fixup! keep the discount of carts", ""),
        ("Merge pull request #12 from somebody/branch", ""),
        ('Revert "keep the discount of carts"', ""),
        ("Bump requests from 2.0.1 to 2.1.0", ""),
        ("chore(deps): bump the thing to v1.2.3 (#45)", ""),
        ("release version 3.0.3", ""),
        ("start version 3.1.0.dev", ""),
        ("v1.2.0-rc.1", ""),
        ("1.4.2", ""),
        ("update dev dependencies", ""),
        ("Update the resolver of dependencies in locks", "Update the resolver of dependencies in locks"),
        ("Merged carts keep their discount", "Merged carts keep their discount"),
        ("Drop support for Python 3.7 in the cart", "Drop support for Python 3.7 in the cart"),
        ("Restart the worker after 1.5 seconds", "Restart the worker after 1.5 seconds"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_a_message_asks(message, expected):
    """Trailers go; releases, reverts, merges and work in progress ask nothing."""
    assert cases.question(message) == expected


# --- what should be found ----------------------------------------------------------------------


def test_changed_lines_belong_to_the_innermost_function_else_to_the_type():
    """Lines of a class outside of its methods are the class's; added lines need the same owner on both sides."""
    # 1-20 class, 3-6 method, 8-15 method with 10-12 a function in it
    starts, ends = np.array([1, 3, 8, 10], np.int32), np.array([20, 6, 15, 12], np.int32)
    types, functions = np.array([1, 0, 0, 0], bool), np.array([0, 1, 1, 1], bool)
    inner = gold._innermost(starts, ends, types, functions, 25)
    assert inner.tolist() == [-1, 0, 0, 1, 1, 1, 1, 0, 2, 2, 3, 3, 3, 2, 2, 2, 0, 0, 0, 0, 0, *[-1] * 6]

    def runs(*hunks: tuple[int, int, int, int]) -> list[tuple[int, int]]:
        return list(gold._changed(Change("a", "a", "M", hunks), inner))

    assert runs((5, 1, 5, 1)) == [(5, 5)]
    assert runs((5, 6, 5, 1)) == [(5, 6), (7, 7), (8, 9), (10, 10)]
    assert runs((10, 0, 11, 1)) == [(10, 11)]
    assert runs((6, 0, 7, 1)) == []  # between a method and the class: it may belong to either
    assert runs((0, 0, 1, 5), (22, 2, 22, 2), (25, 0, 26, 9)) == []
    assert runs((19, 90, 1, 0)) == [(19, 20)]


# --- what was found ----------------------------------------------------------------------------


def part(path: str, start: int, end: int, detail: Any = "full") -> Part:
    """An entry of a pack."""
    return Part(path, start, end, detail, 1, 0, "core", 0.0, ())


def test_a_symbol_is_shown_if_all_its_lines_are():
    """Parts that meet count together; signatures do not count."""
    symbol = gold.Symbol("a.py", "f", 10, 20, 0, ((10, 20),))
    found = gold.Gold(("a.py", "b.py"), (symbol,))
    assert judge.packed(found, 8000, [part("a.py", 1, 14), part("a.py", 15, 30)]) == Packed(8000, 1, 1)
    assert judge.packed(found, 8000, [part("a.py", 1, 14), part("a.py", 16, 30)]) == Packed(8000, 1, 0)
    assert judge.packed(found, 8000, [part("a.py", 1, 30, "signature"), part("b.py", 1, 2)]) == Packed(8000, 1, 0)
    assert judge.packed(found, 9, [part("a.py", 9, 9), part("a.py", 10, 20), part("b.py", 1, 2)]) == Packed(9, 2, 1)
    two = gold.Symbol("a.py", "C", 1, 90, 0, ((10, 11), (40, 40)))
    assert judge.packed(gold.Gold((), (two,)), 9, [part("a.py", 5, 20), part("a.py", 40, 41)]).symbols == 1
    assert judge.packed(gold.Gold((), (two,)), 9, [part("a.py", 5, 20), part("a.py", 41, 41)]).symbols == 0


def outcome(
    words: int, files: list[int | None], symbols: Any = (), packs: Any = (), title: str = "t", path: str = "a.py"
) -> Outcome:
    """A question with the ranks of what should be found."""
    return Outcome(
        "c" * 40, "p" * 40, 1_700_000_000, title, words, "question",
        tuple(FoundFile(path, rank) for rank in files),
        tuple(FoundSymbol(path, title, 1, 2, rank) for rank in symbols), tuple(packs),
    )  # fmt: skip


def test_the_figures_are_means_over_questions():
    """Recall, all of them, MRR and its standard error by hand; questions without symbols do not count there."""
    outcomes = [
        outcome(5, [1, 3], [2], [Packed(8000, 1, 0)]),
        outcome(10, [None], [], [Packed(8000, 0, 0)]),
        outcome(11, [2], [1, None], [Packed(8000, 1, 1)]),
        outcome(41, [30], [6], [Packed(8000, 1, 1)]),
    ]
    overall, lengths = judge.summary(outcomes)
    files, symbols = overall.files, overall.symbols
    assert files is not None
    assert symbols is not None
    assert (files.cases, symbols.cases) == (4, 3)
    assert files.recall == {1: 0.125, 5: 0.5, 10: 0.5, 20: 0.5}
    assert files.all == {1: 0.0, 5: 0.5, 10: 0.5, 20: 0.5}
    assert files.mrr == round((1 + 0 + 1 / 2 + 1 / 30) / 4, 6)
    assert files.mrr_error == round(float(np.std([1, 0, 1 / 2, 1 / 30], ddof=1)) / 2, 6)
    assert symbols.recall == {1: 0.166667, 5: 0.5, 10: 0.833333, 20: 0.833333}
    assert symbols.mrr == round((1 / 2 + 1 + 1 / 6) / 3, 6)
    assert [(shown.budget, shown.files, shown.symbols) for shown in overall.budgets] == [(8000, 0.625, 0.5)]
    assert [(g.name, g.cases) for g in lengths] == [
        ("up to 10 words", 2), ("11 to 40 words", 1), ("more than 40 words", 1)
    ]  # fmt: skip
    one = lengths[2].files
    assert one is not None
    assert one.mrr_error is None
    assert [o.words for o in judge.worst_first(outcomes)] == [10, 41, 11, 5]


def test_no_questions_have_no_figures():
    """Not even of zero."""
    overall, lengths = judge.summary([])
    assert (overall.cases, overall.files, overall.symbols, overall.budgets) == (0, None, None, ())
    assert [g.cases for g in lengths] == [0, 0, 0]


# --- which weights are better ------------------------------------------------------------------

NAMES = Rankers(("words", "lies"), ("words file",), ("names", "file"))


def question(wrong: int, lie: float = 1.0) -> Candidates:
    """A question whose answer the words know, and whose lies point at `wrong` other files of a chunk each."""
    files = wrong + 1
    chunk = np.zeros((files, 2), np.float32)
    chunk[0] = 0.6, 0.0
    chunk[1:] = 0.5, lie
    return Candidates(
        chunk, np.arange(files), np.full((files, 1), 0.1, np.float32), np.ones(files), np.array([0]),
        np.zeros((files, 1), np.float32), np.arange(files), 0.5, np.arange(files), np.ones(files), np.arange(files),
        np.ones(files), np.array([0]),
    )  # fmt: skip


def test_ranks_are_those_of_the_scores():
    """Ties go to the earlier one, what has no score is no hit, weights change the order."""
    bench = fit.Bench([question(3), question(0), question(2, 0.1)], NAMES)
    assert [tuple(ranked) for ranked in bench.ranks({})] == [([4], [4]), ([1], [1]), ([1], [1])]
    assert bench.ranks({("chunk", "lies"): 0.0})[0] == ([1], [1])
    nothing = {("chunk", "words"): 0.0, ("chunk", "lies"): 0.0}
    assert bench.ranks(nothing)[0].files == [None]
    assert bench.values({}).tolist() == [fit.value([4], [4]), 1.0, 1.0]
    assert fit.value([1, None], [3]) == 0.5


def test_a_ranker_that_lies_is_silenced():
    """The misleading one is lowered as far as it has to be, the others are left as they are; the same each time."""
    bench = fit.Bench([question(n % 5 + 1) for n in range(30)], NAMES)
    told: list[tuple[int, int]] = []
    found = fit.fit(bench, lambda done, total: told.append((done, total)))
    assert found == {("chunk", "lies"): 0.0}
    assert fit.fit(bench, lambda done, total: None) == found
    assert told[0] == (1, told[0][1])
    assert told[-1][0] <= told[-1][1]


def test_what_is_right_stays_as_it_is():
    """Nothing is changed where nothing can be gained, however many ways there are to be as good."""
    bench = fit.Bench([question(3, 0.05) for _ in range(30)], NAMES)
    assert fit.fit(bench, lambda done, total: None) == {}


def test_questions_without_symbols_can_be_fitted():
    """Such as those of languages that have none."""
    one = question(2)
    none = np.zeros(0, np.int64)
    bare = Candidates(
        one.chunk, one.file_start, one.file, one.file_factor, one.file_gold, one.symbol[:0], none, 0.5, none,
        np.zeros(0), none, np.zeros(0), none,
    )  # fmt: skip
    bench = fit.Bench([bare], NAMES)
    assert [tuple(ranked) for ranked in bench.ranks({})] == [([3], [])]


def test_multiplied_weights_are_a_file_that_can_be_read():
    """What was multiplied, and nothing else, is changed; a ranker that is silenced is left out."""
    defaults = fuse.weights()
    times = {("chunk", "lexical"): 1.4, ("file", "central"): 0.0, ("symbol", "file"): 0.7}
    read = fuse.weights(fuse.written(fit.multiplied(defaults, times)))
    for kind, row in defaults.items():
        assert read[kind].chunk["lexical"] == pytest.approx(1.4 * row.chunk["lexical"], abs=1e-3)
        assert "central" not in read[kind].file
        assert read[kind].symbol["file"] == pytest.approx(0.7 * row.symbol["file"], abs=1e-3)
        assert {k: v for k, v in read[kind].chunk.items() if k != "lexical"} == {
            k: v for k, v in row.chunk.items() if k != "lexical"
        }
    assert fit.multiplied(defaults, {}) == defaults


def test_gains_are_paired():
    """A question that is hard with both weights says nothing of their difference."""
    assert fit.paired([0.1, 0.9, 0.5], [0.2, 1.0, 0.6]) == (0.1, 0.0)
    gain, error = fit.paired([0.0, 0.0], [1.0, 0.0])
    assert (gain, error) == (0.5, 0.5)


# --- the page ----------------------------------------------------------------------------------


def evaluation(outcomes: list[Outcome], name: str = "shop") -> Evaluation:
    """An evaluation of some questions."""
    overall, lengths = judge.summary(outcomes)
    return Evaluation(name, "/x", "c" * 40, 99, outcomes, {"merge": 3}, overall, lengths, None, None, False, 1.0)


def test_a_page_escapes_whatever_repositories_hold():
    """Markup and characters that turn the direction of text stay text; nothing is loaded or run."""
    evil = '<script>alert(1)</script>"\'&</td>\u202e\x1b[31m'
    found = page.page(evaluation([outcome(3, [1], [None], title=evil, path=evil)], evil))
    assert "<script" not in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;&lt;/td&gt;\\u202e\\x1b[31m" in found
    assert not any(c in found for c in "\u202e\x1b")
    assert not any(outside in found for outside in ("http:", "https:", "url(", "@import", "src=", "<link"))
    assert "default-src 'none'" in found


def test_a_page_shows_every_question_and_plot():
    """Worst first, with the places of what should have been found; no plot of packs where there are none."""
    outcomes = [
        outcome(3, [1], [4], [Packed(8000, 1, 0)], title="found at once", path="good.py"),
        outcome(30, [None], [], [Packed(8000, 0, 0)], title="never found", path="bad.py"),
    ]
    found = page.page(evaluation(outcomes))
    assert found.index("never found") < found.index("found at once")
    assert found.count('role="img"') == 3
    assert "8,000 tokens" in found
    bare = page.page(evaluation([o._replace(packs=(), symbols=()) for o in outcomes]))
    assert bare.count('role="img"') == 2
    many = page.page(evaluation([outcome(3, [1] * 20)]))
    assert "and 8 more" in many
