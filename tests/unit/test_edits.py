"""From what models write to edits, and from edits to texts: what is taken, what is told, and what is kept of a file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repositories import git

from repoctx.tasks import diffs, fitting
from repoctx.tasks.diffs import changed, written
from repoctx.tasks.edits import INSTRUCTIONS, Edit, parse, read_path
from repoctx.tasks.fitting import apply
from repoctx.tasks.places import Places, clashing

BLOCK = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE"
DONE = [Edit("src/a.py", "a\n", "b\n")]


@pytest.mark.parametrize(
    "answer",
    [
        f"src/a.py\n{BLOCK}",
        f"The bug is clear.\n\n`src/a.py`\n```python\n{BLOCK}\n```\nThat is all.",
        f"```python\nsrc/a.py\n{BLOCK}\n```",
        f"```python src/a.py\n{BLOCK}\n```",
        f"```python:src/a.py\n{BLOCK}\n```",
        f'```python title="src/a.py"\n{BLOCK}\n```',
        f"### src/a.py\n\n```\n{BLOCK}\n```",
        f"**File:** `src/a.py`\n{BLOCK}",
        f"**src/a.py**\n{BLOCK}",
        f"File: src/a.py\n{BLOCK}",
        f"1. In `src/a.py`:\n{BLOCK}",
        f"I change src/a.py as follows:\n{BLOCK}",
        f"# src/a.py (modified)\n{BLOCK}",
        "src/a.py\n<<<<<<<SEARCH\na\n=======\nb\n>>>>>>>REPLACE",
        "src/a.py\n<<<<<< SEARCH\na\n=======\nb\n>>>>>>>>> REPLACE",
        "<<<<<<< SEARCH src/a.py\na\n=======\nb\n>>>>>>> REPLACE",
        "src/a.py\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>>\n",
        "src/a.py\r\n" + BLOCK.replace("\n", "\r\n") + "\r\n",
        "- src/a.py\n  <<<<<<< SEARCH\n  a\n  =======\n  b\n  >>>>>>> REPLACE",
        "```diff\n--- src/a.py\n+++ src/a.py\n@@ -7 +7 @@ def f\n-a\n+b\n```",
        "--- src/a.py\t2024-01-01\n+++ src/a.py\n@@ -7 +7 @@\n-a\n+b\nThis mends it.",
        "src/a.py\n```diff\n@@\n-a\n+b\n```",
    ],
)
def test_what_models_write_is_understood(answer):
    """Wherever the path stands, however the marks are written, in a fence or not: one edit, no problem."""
    assert parse(answer) == (DONE, [])


def test_several_blocks_share_a_path_and_diffs_have_several_hunks():
    """A block without a path is of the file before; a hunk is an edit, whatever its numbers are; a file may go."""
    two = f"src/a.py\n{BLOCK}\n\nand\n{BLOCK}\nsrc/b.py\n{BLOCK}\n"
    assert parse(two) == ([*DONE, *DONE, Edit("src/b.py", "a\n", "b\n")], [])
    diff = (
        "```diff\ndiff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -99,9 +1 @@\n one\n-two\n+2\n\n three\n\n"
        "@@ -1 +1 @@\n-- a\n+- b\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+n\n\\ No newline at end of file\n"
        "--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-o\n```"
    )
    assert parse(diff) == (
        [
            Edit("b/x.py", "one\ntwo\n\nthree\n", "one\n2\n\nthree\n"),
            Edit("b/x.py", "- a\n", "- b\n"),
            Edit("b/new.py", "", "n\n"),
            Edit("a/old.py", "o\n", "", removed=True),
        ],
        [],
    )


def test_the_example_of_the_instructions_is_an_edit():
    """What models are told is what is read."""
    edits, problems = parse(INSTRUCTIONS)
    assert ([edit.path for edit in edits], problems) == (["src/shop/cart.py"], [])


def test_a_diff_beside_blocks_only_explains():
    """Where there are blocks, diffs are not edits."""
    assert parse(f"```diff\n--- q.py\n+++ q.py\n@@\n-q\n+r\n```\nsrc/a.py\n{BLOCK}") == (DONE, [])


@pytest.mark.parametrize(
    "answer, said",
    [
        (f"src/a.py\n<<<<<<< SEARCH\na\n\nsrc/a.py\n{BLOCK}", "The block at line 2 of the answer has no end"),
        ("src/a.py\n<<<<<<< SEARCH\na\n=======\nb\n", "the answer stops within it"),
        ("src/a.py\n<<<<<<< SEARCH\na\nb\n>>>>>>> REPLACE", "has no line ======="),
        (BLOCK, "does not say which file it changes"),
        ("src/a.md\n<<<<<<< SEARCH\nA\n=======\nb\n=======\nB\n>>>>>>> REPLACE", "has 2 lines that may divide"),
        ("x" * 1_000_001, "of which 1,000,000 are read"),
        (f"src/a.py\n{BLOCK}\n" * 201, "has 201 edits"),
    ],
)
def test_what_cannot_be_read_is_told(answer, said):
    """Blocks without an end, a middle or a path, and too much of all: a problem each, no exception."""
    _, problems = parse(answer)
    assert [problem.kind for problem in problems] == ["malformed"]
    assert said in problems[0].detail


def test_marks_of_another_length_hold_lines_that_look_like_marks():
    """A heading underlined by seven signs is within a block of nine."""
    answer = "a.md\n<<<<<<<<< SEARCH\nT\n=======\n=========\nU\n=======\n>>>>>>>>> REPLACE"
    assert parse(answer) == ([Edit("a.md", "T\n=======\n", "U\n=======\n")], [])


@pytest.mark.parametrize(
    "unit", ["<<<<<<< SEARCH\n", "a.py\n", "=======\n", "`", "@@\n", "--- a\n+++ b\n", "\n", "```\n"]
)
def test_no_answer_takes_long(unit):
    """A megabyte of anything is read; a quadratic reader would hang here for minutes."""
    edits, problems = parse(unit * (999_999 // len(unit)))
    assert (edits, len(problems) <= 20) == ([], True)


@given(st.lists(st.sampled_from(
    ["a.py", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "```", "```diff", "@@ -1 +1 @@", "--- a/a.py",
     "+++ b/a.py",
     "-a", "+b", " c", "", "text", "`x.py`:", ">>>>>>>", "--- /dev/null", "+++ /dev/null"]
), max_size=30))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_order_of_lines_is_read(lines):
    """Whatever a model writes, there are edits with paths, and problems with a sentence."""
    edits, problems = parse("\n".join(lines))
    assert all(edit.path for edit in edits)
    assert all(problem.detail.endswith((".", "SEARCH")) for problem in problems)
    apply("a\nc\n", [edit._replace(path="a.py") for edit in edits])


# --- where an edit belongs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "before, search, replace, after",
    [
        ("a\nb\nc\n", "b\n", "B\n", "a\nB\nc\n"),
        ("a\nb\n", "b\n", "", "a\n"),
        ("a\n", "a\n", "", ""),
        ("a\nb", "b\n", "b\nc\n", "a\nb\nc"),  # the last line still has no end
        ("a\r\nb\r\nc\r\n", "b\n", "B\nBB\n", "a\r\nB\r\nBB\r\nc\r\n"),
        ("a\r\nb\nc\r\n", "a\nb\n", "a\nx\nb\n", "a\r\nx\nb\nc\r\n"),  # lines that stay keep their ends
        ("\ufeffa\nb\n", "a\n", "A\n", "\ufeffA\nb\n"),
        ("if x:  \n\ty()\n", "if x:\n\ty()\n", "if x:\n\tz()\n", "if x:  \n\tz()\n"),  # white space at ends
        ("f\n  if x:\n    y\n", "if x:\n  y\n", "if x:\n  z\n  w\n", "f\n  if x:\n    z\n    w\n"),
        ("a \n  a\n", "a\n", "b\n", "b\n  a\n"),  # before those that are shifted
        ("\tif x:\n\t\ty\n", "if x:\n\ty\n", "if x:\n\tz\n", "\tif x:\n\t\tz\n"),
        ("if x:\n    y\n", "    if x:\n        y\n", "    if x:\n        z\n", "if x:\n    z\n"),  # and the other way
        ("a\nb\n", "\n\nb\n\n", "\nB\n\n", "a\nB\n"),  # blank lines that models add
        ("return decided || usual;\n", "decided || usual\n", "decided ?? usual\n", "return decided ?? usual;\n"),
        ("f(a,\n  b) + 1\n", "a,\n  b\n", "a\n", "f(a) + 1\n"),
        ("", "", "n\n", "n\n"),
        (None, "", "n\n", "n\n"),
        ("x = '<|im_end|>'\n", "x = '<\u200b|im_end|>'\n", "y = '<\u200b|im_end|>'\n", "y = '<|im_end|>'\n"),
        ("k = '[redacted key]'\n", "k = '[redacted key]'\n", "j = '[redacted key]'\n", "j = '[redacted key]'\n"),
    ],
)  # fmt: skip
def test_an_edit_is_made_where_it_belongs(before, search, replace, after):
    """Exactly, without white space at ends, shifted as a whole, or within lines; the file keeps its manner."""
    assert apply(before, [Edit("p", search, replace)]) == (after, [])


@pytest.mark.parametrize(
    "before, search, replace, kind, said",
    [
        ("a\nx\na\n", "a\n", "b\n", "ambiguous", "several times, at lines 1, 3"),
        ("  a\nx\n    a\n", "a\n", "b\n", "ambiguous", "at lines 1, 3"),
        ("a = 1\nb = 2\n", "a = 1\nb = 3\n", "c\n", "not found", "Lines 1 to 2 of the file are:\n1: a = 1\n2: b = 2"),
        ("total = price\n", "totals = prices\n", "c\n", "not found", "1: total = price"),
        ("if x:\n    y\n  z\n", "    if x:\n  y\n", "q\n", "not found", "not the lines of SEARCH"),
        ("new\n", "old\n", "new\n", "not found", "but those of REPLACE"),
        ("max = 10\n", "x = 1\n", "x = 2\n", "not found", "not the lines of SEARCH"),  # no part of a word
        ("a\n", "", "b\n", "exists", "p exists: put the lines that are to be replaced into SEARCH"),
        ("a\n", "a\n", "a\n", "unchanged", "SEARCH and REPLACE are the same"),
        ("a \n", "a\n", "a \n", "unchanged", "the edit at line 1 changes nothing"),
        (None, "a\n", "b\n", "not found", "There is no file p"),
        ("k = 'secret'\n", "k = '[redacted key]'\n", "k = 1\n", "redacted", "hides a secret"),
        ("k = 1\n", "k = 1\n", "k = '[redacted key]'\n", "redacted", "hides a secret"),
    ],
)
def test_what_does_not_fit_is_told(before, search, replace, kind, said):
    """The text stays as it is, and the problem says where to look."""
    after, problems = apply(before, [Edit("p", search, replace)])
    assert (after, [problem.kind for problem in problems]) == (before, [kind])
    assert said in problems[0].detail


def test_a_problem_shows_no_secret():
    """The nearest lines of the file are shown as a prompt would."""
    token = "gh" + "p_" + "A1b2C3d4E5" * 3 + "F6g7H8"
    _, problems = apply(f"x = 1\ntoken = '{token}'\n", [Edit("p", "x = 1\ntoken = 2\n", "y\n")])
    assert token not in problems[0].detail
    assert "[redacted GitHub token]" in problems[0].detail


def test_edits_are_made_in_order():
    """A later edit finds what an earlier one wrote; one that fails leaves the others."""
    edits = [Edit("p", "a\n", "b\n"), Edit("p", "nowhere\n", "n\n"), Edit("p", "b\n", "c\n")]
    after, problems = apply("a\n", edits)
    assert (after, [problem.kind for problem in problems]) == ("c\n", ["not found"])
    assert apply("a\nb\n", [Edit("p", "a\nb\n", "", removed=True)]) == (None, [])
    assert apply("a\nb\n", [Edit("p", "a\n", "", removed=True)])[1][0].kind == "not found"


MIXED = "".join(" " * (number % 2) + "x\n" for number in range(2000))


@pytest.mark.parametrize(
    "before, search",
    [
        ("x\n" * 6000, MIXED),
        ("x\n" * 20_000, "x\n" * 19 + " x\n"),
        ("".join(f"{'ab ba ' * 33}{number}\n" for number in range(3000)), f"{'ba ab ' * 33}\n"),
        ("a" * 300_000, "a" * 200 + "\n"),
        ("a" * 300_000, "a\n"),
        ("[redacted a]" * 20_000, "[redacted a]" * 20_000 + "b\n"),
    ],
    ids=["indents", "short", "near", "part", "parts", "redacted"],
)
def test_two_hundred_edits_that_fit_nowhere_are_soon_told(before, search):
    """Each of these took seconds; all together take as long as one did."""
    after, problems = apply(before, [Edit("p", search, "z\n")] * 200)
    assert (after, {problem.kind for problem in problems}, len(problems)) == (before, {"not found"}, 200)


def test_what_is_looked_at_is_bounded(monkeypatch):
    """Lines for a shift, and lines that are compared letter by letter: counted."""
    looked, compared = [], []
    shift, close = fitting._shift, fitting.difflib.get_close_matches
    monkeypatch.setattr(fitting, "_shift", lambda found, search: looked.append(len(found)) or shift(found, search))
    monkeypatch.setattr(
        fitting.difflib,
        "get_close_matches",
        lambda word, lines, n: compared.append(len(lines)) or close(word, lines, n),
    )
    apply("x\n" * 6000 + "".join(f"y{number}\n" for number in range(3000)), [Edit("p", MIXED, "z\n")] * 30)
    assert len(looked) == 60
    assert compared == [fitting.MOST_COMPARED] * 20


def test_one_of_more_places_than_are_looked_at_is_not_taken():
    """The only fit among the first could be one of several."""
    text = " a\nb\n" + "x\ny\n" + "a\n b\n" * 2 * fitting.MOST_SHIFTED_LINES
    assert apply(text, [Edit("p", "  a\n b\n", "c\n")])[1][0].kind == "not found"
    assert apply(" a\nb\n" + "a\n b\n" * 20, [Edit("p", "  a\n b\n", "  c\n")]) == (" c\n" + "a\n b\n" * 20, [])
    assert apply("xaa " * 5000 + "a", [Edit("p", "a\n", "c\n")])[1][0].kind == "not found"


@pytest.mark.parametrize(
    "unit",
    ["x" * 1990, "`" * 1990, "/" * 1990 + "<", "a" + " " * 1990 + "b", "`" + "a" * 998 + "`", ".a" * 990],
    ids=["word", "ticks", "slashes", "spaces", "quoted", "dots"],
)
def test_lines_above_blocks_are_soon_read(unit):
    """Half a megabyte of what may be a path; the time for a line must not grow with its square."""
    answer = f"{(unit + chr(10)) * 4}<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"
    edits, problems = parse(answer * (500_000 // len(answer)))
    assert len(edits) + len(problems) >= 20


@pytest.mark.parametrize(
    "line, path",
    [
        ("a/b", "a/b"), ("a.py", "a.py"), ("a/", ""), ("a.", ""), ("Makefile", "Makefile"), ("README", "README"),
        ("a", ""), ("a<b.py", ""), ("`x.y`", "x.y"), ("``a.py``", "a.py"), ("a.py  (new file)", "a.py"),
        ("aa.py (old)", "aa.py"), (".gitignore", ".gitignore"), ("x." + "y" * 17, ""), ("src\\a", "src\\a"),
    ],
)  # fmt: skip
def test_a_path_is_a_path(line, path):
    """A slash within, an ending, or a name that files have."""
    assert read_path(line) == path


# --- which files -------------------------------------------------------------------------------

PLACES = Places(
    frozenset(["src/a.py", "b/real.py", "docs/My file.md", "Makefile"]),
    {"logo.png": "binary", "vendor/": "vendored", "link": "symlink"},
)


@pytest.mark.parametrize(
    "written_path, path",
    [
        ("src/a.py", "src/a.py"), ("./src/a.py", "src/a.py"), ("a/src/a.py", "src/a.py"), ("b/src/a.py", "src/a.py"),
        ("b/real.py", "b/real.py"), ("docs/My file.md", "docs/My file.md"), ("src/new.py", "src/new.py"),
        ("new/deep/x.py", "new/deep/x.py"), ("a/new.py", "new.py"), ("b/new.py", "b/new.py"),
        (".github/ci.yml", ".github/ci.yml"),
    ],
)  # fmt: skip
def test_paths_of_the_repository_may_be_changed(written_path, path):
    """Files that are there, new ones beside them, and what diffs put before a path."""
    assert PLACES.find(written_path) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "~/x", "C:/x.py", "c:x.py", "../x.py", "src/../../x", "src/./a.py", "src//a.py", "src\\a.py",
        ".git/config", "src/.git/hooks/x", ".GIT/x", ".git./x", ".git /x", "git~1/x", "GIT~2", ".git::$INDEX/x",
        ".g\u200cit/x", "vendor/x.js", "link",
        "x\0y", "x\ny", "x\u2028y", "x" * 256, "d/" * 600 + "x", "src/a.py/b.py", "Makefile/x", "logo.png", "src",
        "link/x", "SRC/new.py", "src/A.py", "makefile", "docs/my file.md", "x ", " x/y", "x.", "x\u202ey", "\ud800",
    ],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(path):
    """Out of the repository, into git's files, onto what is not in the index, or beside a path by case alone."""
    found = PLACES.find(path)
    assert not isinstance(found, str)
    assert found.kind == "path"
    assert found.detail.isprintable()


def test_paths_that_clash_are_found_at_once():
    """Folders of others, and those that differ by case alone, at any depth; the others are not looked at again."""
    assert clashing({"a/b", "a", "c", "D/x", "d/y", "e/f/g"}) == ["D/x", "a", "a/b", "d/y"]
    assert clashing({f"{number}/" + "d/" * 490 + "x" for number in range(200)}) == []


# --- the diff ----------------------------------------------------------------------------------

TEXTS = [
    ("a\nb\nc\n", "a\nB\nc\n"), ("a\nb", "a\nb\nc"), ("a\nb", "a\nb\n"), ("a\r\nb\r\n", "a\r\nc\r\n"), ("a\n", ""),
    ("", "a\n"),
    ("\ufeffa\n", "\ufeffb\n"), ("x\x0cy\u2028z\n", "x\x0cY\u2028z\n"), ("".join(f"{n}\n" for n in range(99)), "".join(
        f"{n}\n" for n in range(1, 120) if n not in (7, 50, 51)
    )), (None, "n\nm"), (None, ""), ("gone\n", None), ("-- a\n", "++ b\n"),
]  # fmt: skip


@pytest.mark.parametrize("before, after", TEXTS)
@pytest.mark.parametrize("path", ["a.txt", 'd/sp ace "q" ü.txt'])
def test_git_makes_of_a_diff_what_it_says(tmp_path: Path, before, after, path):
    """`git apply` turns the bytes before into those after, whatever the path and the line ends."""
    target = tmp_path / path
    target.parent.mkdir(exist_ok=True)
    if before is not None:
        target.write_bytes(before.encode())
    git(tmp_path, "apply", "--check", "-", stdin=written(path, before, after).encode())
    git(tmp_path, "apply", "-", stdin=written(path, before, after).encode())
    assert (target.read_bytes().decode() if target.exists() else None) == after


@pytest.mark.parametrize("hidden", [{1}, {3}, {5}, {6}, {1, 3}, {3, 5}, {2, 7}])
def test_hidden_lines_are_not_around_a_change(tmp_path: Path, hidden):
    """Git takes the diff without them, wherever they are, if there is a line behind the change."""
    lines = [f"line {number}\n" for number in range(9)]
    before, after = "".join(lines), "".join([*lines[:4], "new\n", *lines[5:]])
    (tmp_path / "f").write_text(before)
    diff = written("f", before, after, frozenset(hidden))
    git(tmp_path, "apply", "-", stdin=diff.encode())
    assert (tmp_path / "f").read_text() == after
    context = [line for line in diff.split("\n") if line.startswith(" ")]
    behind = {5} & hidden  # which git needs
    assert {int(line[-1]) for line in context} & hidden == behind


def test_a_diff_is_that_of_git(make_repository, git):
    """Byte by byte but for the line of blob ids."""
    before, after = TEXTS[8]
    path = 'sp ace "q" ü.txt'
    folder = make_repository({path: before})
    (folder / path).write_text(after)
    told = git(folder, "diff").split("\n")
    assert [line for line in told if not line.startswith("index ")] == written(path, before, after).rstrip("\n").split(
        "\n"
    )


@given(
    st.lists(st.sampled_from(["a", "b", "c\r", "", "é"]), max_size=12),
    st.lists(st.sampled_from(["a", "b", "d"]), max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_any_two_texts_have_a_diff(tmp_path_factory, old, new):
    """That git applies."""
    before, after = "\n".join(old), "\n".join(new)
    folder = tmp_path_factory.mktemp("diff")
    (folder / "f").write_bytes(before.encode())
    if diff := written("f", before, after):
        subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=folder, check=True, capture_output=True)
    assert (folder / "f").read_bytes().decode() == after


def test_long_texts_are_compared_in_parts():
    """Where comparing all would take steps without number: by the lines that both have once, else as a whole."""
    old = [f"line {number}\n" for number in range(20_000)]
    new = ["first\n", *old[1:9000], "more\n", *old[9000:15_000], *old[15_002:19_999], "last\n"]
    expected = [
        (0, 1, 0, 1),
        (9000, 9000, 9000, 9001),
        (15_000, 15_002, 15_001, 15_001),
        (19_999, 20_000, 19_998, 19_999),
    ]
    assert changed("".join(old), "".join(new)) == expected
    cycle = [f"{number % 110}\n" for number in range(4000)]
    assert changed("".join(cycle), "".join(reversed(cycle))) == [(0, 4000, 0, 4000)]
    assert len(changed("".join(old), "".join(reversed(old)))) == 2  # one line stays


def test_texts_in_parts_have_a_diff(tmp_path: Path, monkeypatch):
    """That git applies, however small the parts."""
    monkeypatch.setattr(diffs, "MOST_STEPS", 40)
    before = "".join(f"{number * 7 % 40}\n" for number in range(80))
    after = "".join(f"{number * 7 % 41}\n" for number in range(3, 70))
    (tmp_path / "f").write_text(before)
    git(tmp_path, "apply", "-", stdin=written("f", before, after).encode())
    assert (tmp_path / "f").read_text() == after


def test_many_changes_are_soon_written():
    """Every other line of a long text: one hunk."""
    old = [f"{number}\n" for number in range(50_000)]
    new = [line if number % 2 else "z\n" for number, line in enumerate(old)]
    assert written("p", "".join(old), "".join(new)).count("@@ -") == 1
