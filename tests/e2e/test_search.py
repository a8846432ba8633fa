"""Searching as a user does: questions, names, reports, traces, several repositories, pages, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from repositories import git, write_files

from repoctx.workspace import Workspace, open_workspace

STORE = '''class Store:
    """Keeps what was bought."""

    def load(self, key):
        return self.read(key)

    def read(self, key):
        if key is None:
            raise KeyError('no key was given')
        return key
'''
DELAYS = '''"""How long to wait."""


def next_delay(attempt, factor=2):
    """Seconds before the next attempt."""
    return factor**attempt
'''
CART = """from shop.store import Store


def total(cart):
    return sum(Store().load(item) for item in cart)
"""
TEST = """from shop.store import Store


def test_load():
    assert Store().load('x') == 'x'
"""
FILES = {
    "shop/store.py": STORE,
    "shop/delays.py": DELAYS,
    "shop/streams.py": "def backpressure(queue):\n    return len(queue) > 10\n",
    "shop/cart.py": CART,
    "tests/test_store.py": TEST,
    "docs/store.md": "# The store\n\nThe store loads what was bought by its key.\n",
    "web/v1/client.ts": "export function fetchCart(id: string) { return id }\n",
    "web/v2/client.ts": "export function fetchCart(id: string) { return id + 1 }\n",
}


@pytest.fixture
def shop(make_repository: Any) -> Path:
    """A repository whose history tells what its words do not."""
    folder: Path = make_repository(FILES)
    write_files(folder, {"shop/delays.py": FILES["shop/delays.py"].replace("factor=2", "factor=3")})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Fix thundering herd when the payment gateway is down")
    return folder


def found(workspace: Workspace, query: str, repository: Any = "repo", **more: Any) -> list[tuple[str, str | None]]:
    """Paths and names of the hits."""
    return [(hit.path, hit.qualified_name) for hit in workspace.search(query, repository, **more).hits]


@pytest.fixture
def workspace(shop: Path) -> Any:
    """It is indexed."""
    with open_workspace() as opened:
        opened.index(str(shop), name="repo")
        yield opened


@pytest.mark.parametrize(
    "query, first",
    [
        ("how does streaming work", "shop/streams.py"),
        ("Store#read", "shop/store.py"),
        ("shop::store::Store", "shop/store.py"),
        ("`next_delay` doubles", "shop/delays.py"),
        ("thundering herd of the gateway", "shop/delays.py"),
        ("where is the total of a cart computed", "shop/cart.py"),
        ("fetchCart", "web/v2/client.ts"),
        ("tests of the store", "tests/test_store.py"),
        ("docs/store.md", "docs/store.md"),
    ],
)
def test_a_question_finds_its_file(workspace, query, first):
    """Words in other forms, names in every notation, what a commit said, the newer version, tests if asked for."""
    assert found(workspace, query, level="file")[0][0] == first


def test_a_trace_finds_the_innermost_frame_of_the_repository(workspace):
    """Paths of another machine, frames of other projects, and the function that raised."""
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/home/ci/build/shop/cart.py", line 5, in total\n    return sum(...)\n'
        '  File "/home/ci/build/shop/store.py", line 5, in load\n    return self.read(key)\n'
        '  File "/home/ci/build/shop/store.py", line 9, in read\n    raise KeyError("no key was given")\n'
        '  File "/usr/lib/python3.11/collections/__init__.py", line 1, in elsewhere\n'
        "KeyError: no key was given\n"
    )
    assert found(workspace, trace, level="symbol", kinds=["method", "function"])[:2] == [
        ("shop/store.py", "Store.read"),
        ("shop/store.py", "Store.load"),
    ]
    (hit, *_) = workspace.search(trace, "repo", level="file").hits
    assert "frame" in {reason.ranker for reason in hit.reasons}


def test_a_frame_of_another_version_means_the_function_where_it_is_now(workspace):
    """Line 2 was `read` once; a file under another root is found by its folder and name."""
    trace = 'Traceback (most recent call last):\n  File "/opt/shop/store.py", line 2, in read\nKeyError: None\n'
    (hit, *_) = workspace.search(trace, "repo", level="symbol", kinds=["method"]).hits
    assert (hit.qualified_name, "frame" in {reason.ranker for reason in hit.reasons}) == ("Store.read", True)


def test_reasons_account_for_the_score_and_name_the_commit(workspace):
    """Shares sum to one, the largest first; what history says is told with its commit."""
    for level in ("chunk", "symbol", "file"):
        for hit in workspace.search("thundering herd: payment gateway delay", "repo", level=level).hits:
            shares = [reason.share for reason in hit.reasons]
            assert sum(shares) == pytest.approx(1, abs=0.01)
            assert shares == sorted(shares, reverse=True)
    (hit, *_) = workspace.search("thundering herd", "repo").hits
    told = {reason.ranker: reason.detail for reason in hit.reasons}
    assert told["history"].endswith(" Fix thundering herd when the payment gateway is down")


def test_only_commits_that_led_to_the_snapshot_count(workspace, shop):
    """At the parent of the fix nothing is known of the fix."""
    parent = git(shop, "rev-parse", "HEAD~1")
    workspace.index(str(shop), ref=parent, name="repo")
    hits = workspace.search("thundering herd", "repo", parent).hits
    assert not [hit for hit in hits if "history" in {reason.ranker for reason in hit.reasons}]


def test_no_history_is_read_where_none_is_wanted(shop, tmp_path, monkeypatch):
    """`history.commits = 0`, and a plain folder."""
    monkeypatch.setenv("REPOCTX_HISTORY_COMMITS", "0")
    with open_workspace({"home": str(tmp_path / "other")}) as opened:
        opened.index(str(shop), name="repo")
        assert found(opened, "thundering herd") == []
        assert found(opened, "next delay")[0] == ("shop/delays.py", "next_delay")


def test_reasons_are_about_their_own_hit(workspace):
    """Each hit names the terms that are in it, the path that is its own, and a commit that touched it."""
    hits = workspace.search("total of the cart, load from the store", "repo").hits
    texts = {hit.path: FILES[hit.path].lower() + hit.path for hit in hits}
    for hit in hits:
        for reason in hit.reasons:
            if reason.ranker == "lexical" and reason.detail != "words of the query":
                assert [word for word in reason.detail.split() if word[:4] not in texts[hit.path]] == []
    for hit in workspace.search("shop/cart.py and shop/store.py", "repo", level="file").hits[:2]:
        assert {r.detail for r in hit.reasons if r.ranker == "path"} == {hit.path}
    for hit in workspace.search("thundering herd of the cart", "repo").hits:
        told = [reason.detail for reason in hit.reasons if reason.ranker.startswith("history")]
        assert not told or (hit.path == "shop/delays.py") == ("thundering herd" in told[0])


def test_a_kind_is_found_however_many_others_rank_better(make_repository):
    """The filter comes before the cut."""
    files = {f"m{n:04}.py": f"def retry_{n}():\n    return {n}\n" for n in range(1600)}
    with open_workspace() as opened:
        opened.index(str(make_repository(files | {"z.py": "RETRY = 3\n"})), name="many")
        assert found(opened, "retry", "many", level="symbol", kinds=["constant", "variable"]) == [("z.py", "RETRY")]


def test_a_process_that_stays_open_sees_the_history_that_its_ref_has(shop, tmp_path, monkeypatch):
    """Indexed again without history by another process, and with it again."""
    with open_workspace() as opened:
        opened.index(str(shop), name="repo")
        assert found(opened, "thundering herd")
        for commits, expected in (("0", False), ("2000", True)):
            with open_workspace({"history_commits": commits}) as other:
                other.index(str(shop), name="repo")
            assert bool(found(opened, "thundering herd")) == expected


def test_kinds_languages_and_paths_narrow_the_hits(workspace):
    """Each filter alone, and what fits nothing is told."""
    hits = workspace.search("store load read", "repo", level="symbol", kinds=["class"]).hits
    assert {hit.kind for hit in hits} == {"class"}
    assert {path for path, _ in found(workspace, "fetch cart", language="typescript")} == {
        "web/v1/client.ts",
        "web/v2/client.ts",
    }
    assert {path for path, _ in found(workspace, "fetch cart", path="web/v1/**")} == {"web/v1/client.ts"}


def test_pages_are_pieces_of_one_list(workspace):
    """Offset and k cut the same order, at every level."""
    for level in ("chunk", "symbol", "file"):
        whole = found(workspace, "store load cart delay", k=50, level=level)
        pieces = [found(workspace, "store load cart delay", k=2, offset=n, level=level) for n in range(0, 50, 2)]
        assert [hit for piece in pieces for hit in piece] == whole
        assert len(set(whole)) == len(whole) > 3


def test_several_repositories_are_one_list(workspace, tmp_path):
    """Hits say where they are; the repository that has the word comes before one that has it only nearly."""
    other = tmp_path / "other"
    write_files(
        other, {"engine/piston.py": "def compress(volume):\n    return volume / 10\n", "engine/delays.py": "x = 1\n"}
    )
    workspace.index(str(other), name="other")
    hits = workspace.search("compress the volume of a piston", ["repo", "other"]).hits
    assert (hits[0].repository, hits[0].path) == ("other", "engine/piston.py")
    path = workspace.repository("repo").location
    hits = workspace.search("seconds before the next attempt", ["other", "repo", path], level="file").hits
    assert (hits[0].repository, hits[0].path) == ("repo", "shop/delays.py")
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len({(hit.repository, hit.path) for hit in hits}) == len(hits)
    alone = workspace.search("seconds before the next attempt", ["repo"], level="file").hits
    assert alone == workspace.search("seconds before the next attempt", "repo", level="file").hits


def test_what_was_asked_together_is_let_go_of(tmp_path):
    """Of many repositories as many stay in memory as the settings say, once one of them is asked alone."""
    held: list[int] = []
    with open_workspace({"serve_warm": 2}) as opened:
        for name in ("a", "b", "c", "d"):
            write_files(tmp_path / name, {"x.py": f"def {name}():\n    return 1\n"})
            opened.index(str(tmp_path / name), name=name)
        opened.on_open = lambda found, count: held.append(count)
        opened.search("return", ["a", "b", "c", "d"])
        opened.search("return", "d")
    assert held == [1, 2, 3, 4, 2]


def test_the_command_searches_several_and_all(repoctx, shop, tmp_path):
    """--repo twice, --all, --kind, --offset; JSON Lines name the repository."""
    write_files(tmp_path / "other", {"b.py": "def lonely():\n    return 1\n"})
    assert repoctx("index", str(shop), "--name", "repo", "--json")[0] == 0
    assert repoctx("index", str(tmp_path / "other"), "--name", "other", "--json")[0] == 0
    code, out, err = repoctx("search", "lonely", "--all", "--json")
    assert (code, err) == (0, "")
    assert {json.loads(line)["repository"] for line in out.splitlines()[:1]} == {"other"}
    code, out, _ = repoctx("search", "lonely", "--repo", "repo", "--repo", "other", "-k", "1")
    assert (code, out.splitlines()[0]) == (0, "other: b.py:1-2  function lonely")
    code, out, _ = repoctx("search", "store", "--repo", "repo", "--level", "symbol", "--kind", "class", "--json")
    assert [json.loads(line)["qualified_name"] for line in out.splitlines()] == ["Store"]
    code, out, _ = repoctx("search", "lonely", "--repo", "other", "--offset", "5", "--json")
    assert (code, out) == (1, "")
    assert "other has no more hits than 5" in repoctx("search", "lonely", "--repo", "other", "--offset", "5")[2]
    for wrong, says in (
        (("--kind", "poem", "--level", "symbol"), "no symbol is a 'poem'"),
        (("--kind", "class"), "only symbols have kinds"),
        (("--lang", "cobol"), "no file of repo is in 'cobol'"),
        (("--all",), "either --all or --repo"),
    ):
        code, _, err = repoctx("search", "store", "--repo", "repo", *wrong)
        assert code == 2
        assert says in err


def test_a_pack_without_evidence_says_so(repoctx, shop):
    """On standard error: the prompt is whole, but has no code in it."""
    assert repoctx("index", str(shop), "--name", "repo", "--json")[0] == 0
    code, out, err = repoctx("pack", "--repo", "repo", "--task", "quagga zebu", "--budget", "3000")
    assert (code, "quagga zebu" in out) == (1, True)
    assert "nothing in the index matches the task" in err
    assert "matches the task" not in repoctx("pack", "--repo", "repo", "--task", "the store", "--budget", "3000")[2]


HOSTILE = {
    "one character": "x",
    "only stop words": "how is it that we have been there",
    "two megabytes of log": "2026-11-30T10:00:00 ERROR [worker-1] request failed: KeyError no key was given\n" * 25_000,
    "no language of the index": "где хранится корзина 购物车在哪里",
    "regular expression": r"^(a+)+$ .*[^\w]{2,} (?P<x>Store|load)\.(read)\(",
    "right to left and control": "\u202estore\u202c \x1b[31mload\x1b[0m \x00 key\u200b",
    "a path that does not exist": "src/nowhere/else.py:17 crashes",
    "a frame of another machine": 'File "C:\\\\build\\\\agent\\\\shop\\\\store.py", line 9, in read',
    "binary around words": "\x00\x7fELF\x02" * 3000 + "\nthe store cannot load\n" + "\x01\xff" * 3000,
    "a diff": "--- a/shop/store.py\n+++ b/shop/store.py\n@@ -4,2 +4,2 @@\n     def load(self, key):\n"
    "-        return self.read(key)\n+        return None\n",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_is_pasted_is_answered(workspace, text):
    """Hits or none, twice the same, never an error."""
    answers = [workspace.search(text, "repo", level=level).hits for level in ("chunk", "symbol", "file") for _ in "ab"]
    assert answers[::2] == answers[1::2]
    for hits in answers:
        assert all(0 < hit.score < 20 and 1 <= hit.start_line <= hit.end_line for hit in hits)


@pytest.mark.parametrize(
    "name", ["a frame of another machine", "a diff", "two megabytes of log", "right to left and control"]
)
def test_what_it_points_at_is_found_in_all_that(workspace, name):
    """The store is what each of these is about."""
    assert found(workspace, HOSTILE[name], level="file")[0][0] == "shop/store.py"


@pytest.mark.parametrize(
    "text", ["", "   \n", "?!", "\x01\x02", bytes(range(1, 256)).decode("latin-1") * 50, "store" * 10_000]
)
def test_nothing_to_look_for_is_refused(repoctx, shop, text):
    """One sentence, exit 2."""
    assert repoctx("index", str(shop), "--name", "repo", "--json")[0] == 0
    code, out, err = repoctx("search", "--repo", "repo", "--", text)
    assert (code, out) == (2, "")
    assert "say what you are looking for" in err or "the query is empty" in err


def test_weights_of_a_repository_count_for_it_alone(workspace):
    """A file in the home folder takes the place of the weights; one that is broken is named."""
    path = workspace.weights_file("repo")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[chunk]\npath = { question = 1.0, symbol = 1.0 }\n[file]\n[symbol]\n")
    assert found(workspace, "docs/store.md", level="file") == [("docs/store.md", None)]
    assert found(workspace, "how does streaming work") == []
    path.write_text("[chunk]\n")
    with pytest.raises(Exception, match=r"repo\.toml: the weights cannot be read"):
        workspace.search("store", "repo")
