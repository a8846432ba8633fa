"""Asking the graph on the command line: refs, callers, callees, impact, cycles, communities."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from repositories import git as run_git

FILES = {
    "shop/__init__.py": "",
    "shop/store.py": "class Store:\n    def __init__(self, path):\n        self.path = path\n\n"
    "    def load(self, key):\n        return self.read(key)\n\n    def read(self, key):\n        return key\n",
    "shop/app.py": "from shop.store import Store\n\n\ndef main():\n    return run(Store('x'))\n\n\n"
    "def run(store: Store):\n    return store.load('x')\n",
    "tests/test_app.py": "from shop.app import main\n\n\ndef test_main():\n    assert main() == 'x'\n",
}


@pytest.fixture
def shop(repoctx: Any, make_repository: Any) -> Path:
    """An indexed repository."""
    folder: Path = make_repository(FILES)
    code, _, err = repoctx("index", str(folder), "--json")
    assert (code, err) == (0, "")
    return folder


def lines(out: str) -> list[dict[str, Any]]:
    """JSON Lines."""
    return [json.loads(line) for line in out.splitlines()]


def test_a_symbol_can_be_followed_both_ways(repoctx: Any, shop: Path) -> None:
    """symbol, refs, callers and callees agree, by name and by place; nothing else is printed."""
    repo = ("--repo", "repo", "--json")
    code, out, err = repoctx("symbol", "shop/app.py:5", *repo)
    assert (code, err, [found["id"] for found in lines(out)]) == (0, "", ["shop/app.py#main"])
    code, out, err = repoctx("callers", "run", *repo)
    asked, caller = lines(out)
    assert (code, err, asked["type"], asked["id"]) == (0, "", "symbol", "shop/app.py#run")
    assert (caller["type"], caller["id"], caller["depth"]) == ("caller", "shop/app.py#main", 1)
    assert [(link["kind"], link["path"], link["line"]) for link in caller["way"]] == [("calls", "shop/app.py", 5)]
    code, out, err = repoctx("callees", "main", *repo)
    assert {found["id"] for found in lines(out) if found["type"] == "callee"} == {
        "shop/app.py#run", "shop/store.py#Store", "shop/store.py#Store.__init__",
    }  # fmt: skip
    code, out, err = repoctx("refs", "Store", *repo, "--kind", "imports")
    assert [(found["type"], found.get("path"), found.get("line")) for found in lines(out)][1:] == [
        ("reference", "shop/app.py", 1)
    ]


def test_people_read_the_same(repoctx: Any, shop: Path) -> None:
    """Places, confidence and rule on each line, and what a cut list leaves out."""
    code, out, _ = repoctx("callers", "main", "--repo", "repo")
    assert (code, out) == (
        0, "callers of shop/app.py:4-5  function main\n  tests/test_app.py:5  function test_main  0.97 import\n"
    )  # fmt: skip
    code, out, _ = repoctx("refs", "Store", "--repo", "repo", "-k", "1")
    assert code == 0
    assert out.splitlines()[-1].startswith("  and ")


def test_a_diff_says_what_to_test(repoctx: Any, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From git's own diff, from a file or standard input: changed symbols, who may break, which tests to run."""
    (shop / "shop/app.py").write_text(FILES["shop/app.py"].replace("load('x')", "load('y')"), encoding="utf-8")
    diff = run_git(shop, "diff")
    (shop.parent / "change.diff").write_text(diff, encoding="utf-8")
    code, out, err = repoctx("impact", "--diff", str(shop.parent / "change.diff"), "--repo", "repo", "--json")
    found = lines(out)
    assert (code, err) == (0, "")
    assert [(f["id"], f["lines"]) for f in found if f["type"] == "changed"] == [("shop/app.py#run", [9])]
    assert [f["id"] for f in found if f["type"] == "affected"] == ["shop/app.py#main"]
    assert [(f["id"], f["distance"]) for f in found if f["type"] == "test"] == [("tests/test_app.py#test_main", 2)]
    assert [f["path"] for f in found if f["type"] == "test_file"] == ["tests/test_app.py"]
    assert [f["text"] for f in found if f["type"] == "note"] == ["the snapshot is as before the diff"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(diff.encode())))
    repoctx("index", str(shop), "--json")
    code, out, err = repoctx("impact", "--diff", "-", "--repo", "repo")
    assert (code, err) == (0, "")
    assert out.splitlines()[:3] == ["changed", "  shop/app.py:8-9  function run  line 9", "may break: 1 place"]
    assert out.splitlines()[-1] == "note: the snapshot is as after the diff"


def test_impact_of_symbols(repoctx: Any, shop: Path) -> None:
    """Several symbols may change at once; what is at little risk can be left out."""
    code, out, _ = repoctx("impact", "run", "Store.read", "--repo", "repo", "--json", "--min-risk", "0.5")
    found = lines(out)
    assert (code, [f["id"] for f in found if f["type"] == "changed"]) == (
        0, ["shop/app.py#run", "shop/store.py#Store.read"]
    )  # fmt: skip
    assert all(f["risk"] >= 0.5 for f in found if f["type"] in ("affected", "test"))


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (("callers", "nothing"), 1, "no symbol or file is called 'nothing'"),
        (("callers", "test_main"), 1, "nothing in the repository is known to call 'test_main'"),
        (("refs", "shop/app.py:99"), 1, "shop/app.py has 9 lines, not 99"),
        (("impact",), 2, "say what changes: either symbols or a diff"),
        (("impact", "run", "--diff", "x"), 2, "give either symbols or --diff, not both"),
        (("impact", "--diff", "no such file"), 2, "no such file cannot be read"),
        (("graph", "cycles"), 1, "there is no cycle of imports"),
        (("symbol", "a\nb"), 1, r"no symbol is called 'a\nb': `repoctx search` looks in the text"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    repoctx: Any, shop: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Nothing found is 1, a wrong call 2."""
    found, _, err = repoctx(*arguments, "--repo", "repo")
    assert (found, err.startswith(f"repoctx: {said}"), err.count("\n")) == (code, True, 1)


@pytest.mark.parametrize("command", ["refs", "callers", "callees", "impact"])
def test_a_floor_that_is_no_number_is_refused(repoctx: Any, shop: Path, command: str) -> None:
    """`nan` lies within no range and outside of none."""
    code, out, err = repoctx(command, "run", "--repo", "repo", "--min-confidence", "nan")
    assert (code, out, "nan is not a number" in err) == (2, "", True)


def test_closed_standard_input_is_a_wrong_call(repoctx: Any, shop: Path, monkeypatch: Any) -> None:
    """Python has no stdin at all where it is closed."""
    monkeypatch.setattr("sys.stdin", None)
    code, out, err = repoctx("impact", "--diff", "-", "--repo", "repo")
    assert (code, out) == (2, "")
    assert err == "repoctx: standard input is closed: give a file, or pipe the text in\n"


def test_what_changes_is_cut_at_the_limit_and_said(repoctx: Any, shop: Path) -> None:
    """A list of changes longer than -k is cut for people; JSON Lines have all."""
    _, out, _ = repoctx("impact", "run", "Store.read", "--repo", "repo", "-k", "1")
    assert out.splitlines()[:3] == [
        "changed", "  shop/app.py:8-9  function run", "  and 1 more: --limit 2 lists all"
    ]  # fmt: skip


def test_ambiguous_names_and_bad_diffs(repoctx: Any, make_repository: Any, tmp_path: Path) -> None:
    """Candidates are listed to choose from (2); a text that is no diff is refused (3)."""
    folder = make_repository({"a.py": "def go(): pass\n", "b.py": "def go(): pass\n"}, "two")
    repoctx("index", str(folder), "--json")
    code, out, err = repoctx("callers", "go", "--repo", "two", "--json")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "repoctx: 2 symbols are called 'go': say which one, or path:line", "  a.py#go", "  b.py#go"
    ]  # fmt: skip
    (tmp_path / "no.diff").write_text("hello\n", encoding="utf-8")
    code, _, err = repoctx("impact", "--diff", str(tmp_path / "no.diff"), "--repo", "two")
    assert (code, err) == (3, "repoctx: the diff names no file: give a unified diff, as `git diff` writes it\n")


def test_the_shape_of_the_graph(repoctx: Any, make_repository: Any) -> None:
    """Cycles and communities, for people and as JSON Lines, the same each time."""
    folder = make_repository({"a.py": "import b\nb.f()\n", "b.py": "import a\n\n\ndef f():\n    pass\n"}, "ring")
    repoctx("index", str(folder), "--json")
    code, out, _ = repoctx("graph", "cycles", "--repo", "ring")
    assert (code, out.splitlines()[0]) == (0, "2 files: a.py, b.py")
    code, out, _ = repoctx("graph", "cycles", "--repo", "ring", "--json")
    assert [line["nodes"] for line in lines(out)] == [["a.py", "b.py"]]
    code, out, _ = repoctx("graph", "communities", "--repo", "ring", "--json")
    assert (code, [line.get("files") for line in lines(out)]) == (0, [None, ["a.py", "b.py"]])
    assert repoctx("graph", "communities", "--repo", "ring", "--json")[1] == out
