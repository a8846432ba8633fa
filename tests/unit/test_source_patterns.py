"""Do globs, ignore rules and attributes mean what git says they mean?"""

import time

import pytest

from repoctx.source.patterns import Attributes, IgnoreRules, glob


@pytest.mark.parametrize(
    "pattern, matches, differs",
    [
        (b"*.py", [b"a.py", b".py"], [b"d/a.py", b"a.pyc"]),
        (b"a/**", [b"a/b", b"a/b/c"], [b"a", b"ab"]),
        (b"**/a", [b"a", b"x/a", b"x/y/a"], [b"xa", b"a/x"]),
        (b"a/**/b", [b"a/b", b"a/x/b", b"a/x/y/b"], [b"ab", b"a/xb"]),
        (b"**/x/**/y/*.c", [b"x/y/a.c", b"p/x/q/r/y/.c"], [b"x/a.c", b"y/x/a.c"]),
        (b"a**b", [b"ab", b"axxb"], [b"a/b"]),
        (b"?[!a-c]\\*", [b"xd*"], [b"xa*", b"x/*", b"xdd"]),
        (b"[[:digit:]x]]", [b"1]", b"x]"], [b"1", b"a]"]),
        (b"[]-]", [b"]", b"-"], [b"a"]),
        (b"*a*ab", [b"aab", b"xaxab"], [b"ab", b"aa"]),
        (b"*.a.b", [b".a.b", b".a.a.b"], [b".b"]),
    ],
)
def test_glob(pattern, matches, differs):
    """A glob matches these paths as a whole, and not those."""
    regex = glob(pattern)
    assert [path for path in matches + differs if regex.fullmatch(path)] == matches


@pytest.mark.parametrize("pattern", [b"[a", b"a\\", b"[[:nope:]]"])
def test_glob_that_matches_nothing(pattern):
    """A broken glob matches nothing, as in git."""
    assert glob(pattern) is None


@pytest.mark.parametrize("pattern", [b"*a" * 30 + b"b", b"**/a/" * 30 + b"b", b"a*" * 30 + b"/b"])
def test_glob_never_backtracks(pattern):
    """A hostile glob costs no more than some products of the lengths."""
    start = time.process_time()
    regex = glob(pattern)
    assert not regex.fullmatch(b"a" * 4_000)
    assert not regex.fullmatch(b"a/" * 2_000 + b"a")
    assert time.process_time() - start < 2.0


def test_ignore_rules_deeper_files_win():
    """The last line that matches decides, in the deepest file that has one."""
    rules = IgnoreRules()
    rules.add(b"", b"\xef\xbb\xbf*.log\r\n# comment\n\n\\#x\ntrailing  \nbuild/\n", ".gitignore")
    rules.add(b"keep", b"!*.log\n/only\n", ".gitignore")
    asked = [b"a.log", b"keep/a.log", b"#x", b"trailing", b"keep/only", b"keep/d/only", b"build"]
    assert [rules.verdict(path, is_folder=False) is not None for path in asked] == [
        True, False, True, True, True, False, False,
    ]  # fmt: skip
    assert rules.outermost(b"x/build/y/z") == (b"x/build", ".gitignore")
    assert rules.outermost(b"/".join([b"a"] * 3_000)) is None


def test_attributes():
    """Later lines and deeper files win; `!` takes an attribute back; patterns may be quoted."""
    attributes = Attributes()
    attributes.add(
        b"", b'*.py linguist-generated\n"a b.py" -linguist-generated\ngen/ linguist-generated\n'
        b"gen/** linguist-generated\n[attr]x linguist-generated\n* text=auto\n",
    )  # fmt: skip
    attributes.add(b"sub", b"*.py !linguist-generated\n")
    asked = [b"x.py", b"a b.py", b"sub/x.py", b"gen/d/x.c", b"x.c"]
    assert [attributes.of(path).get(b"linguist-generated") for path in asked] == [
        True,
        False,
        None,
        True,
        None,
    ]
