"""`repoctx eval` and `repoctx tune` on histories whose answers are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from repositories import ENVIRONMENT, git, write_files

from repoctx.evaluation import fit, report, tune
from repoctx.evaluation.candidates import candidates, rankers
from repoctx.evaluation.replay import Step, elsewhere, history, located, replay
from repoctx.retrieve import fuse, query, search
from repoctx.store import commits as stored
from repoctx.workspace import open_workspace

START = 1_767_225_600  # 2026-01-01
# What the questions are about: a word of the message, in the name of one file and one function.
TOPICS = "apple bridge candle desert engine falcon garden hammer island jungle kettle ladder".split()


@pytest.fixture
def repoctx(repoctx: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in this process, by words alone: (exit code, stdout, stderr)."""
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")
    return repoctx


def lines(out: str) -> list[dict[str, Any]]:
    """JSON Lines."""
    return [json.loads(line) for line in out.splitlines()]


class Past:
    """A repository that is made commit by commit, a minute apart."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")

    def commit(self, message: str, files: dict[str, str] | None = None, author: str = "A U Thor") -> str:
        """Commit files, and all else that has changed: the id."""
        write_files(self.folder, dict(files or {}))
        git(self.folder, "add", "-A")
        self.run("commit", "-q", "--allow-empty", "-m", message, author=author)
        return git(self.folder, "rev-parse", "HEAD")

    def run(self, *arguments: str, author: str = "A U Thor") -> None:
        """Run git, a minute later."""
        self.count += 1
        day = f"@{START + 60 * self.count} +0000"
        mine = {"GIT_COMMITTER_DATE": day, "GIT_AUTHOR_DATE": day, "GIT_AUTHOR_NAME": author}
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **ENVIRONMENT, **mine}
        subprocess.run(["git", *arguments], cwd=self.folder, env=env, check=True, capture_output=True)


def module(topic: str, value: int = 0) -> str:
    """A file of one function and a class with a method."""
    return (
        f"LIMIT = 1\n\n\ndef mend_{topic}(given):\n    seen = given + {value}\n    return seen\n\n\n"
        f"class Box{topic.title()}:\n    size = {value}\n\n    def open(self):\n        return {value}\n"
    )


@pytest.fixture
def shop(tmp_path: Path) -> Past:
    """Twelve questions, one of which finds nothing, among commits that are none."""
    past = Past(tmp_path / "shop")
    start = {f"shop/{topic}.py": module(topic) for topic in TOPICS} | {"README.md": "shop\n", "shop/odd.py": "x = 1\n"}
    past.commit("first of all", start)
    for number, topic in enumerate(TOPICS[:6]):
        message = f"{topic} must be mended\n\nSigned-off-by: A <a@b>"
        past.commit(message, {f"shop/{topic}.py": module(topic, number + 1)})
    past.commit("bump version to 1.0.0", {"shop/odd.py": "x = 2\n"})
    past.commit("WIP", {"shop/odd.py": "x = 3\n"})
    past.commit("update requests and others", {"shop/odd.py": "x = 4\n"}, author="renovate[bot]")
    past.commit("explain everything at length", {"README.md": "the shop\n"})
    past.commit("add something quite new", {"shop/new.py": "y = 1\n"})
    past.commit("reformat the whole shop", {f"shop/bulk{n}.py": f"z = {n}\n" for n in range(21)})
    past.run("mv", "shop/new.py", "shop/newer.py")
    past.commit("newer is the better name")
    for topic in TOPICS[6:11]:
        past.commit(f"{topic} must be mended", {f"shop/{topic}.py": module(topic, 9)})
    past.run("checkout", "-q", "-b", "side", "HEAD~2")
    past.commit("zebra unicorn quagga", {"shop/ladder.py": module("ladder", 7)})
    past.run("checkout", "-q", "main")
    past.run("merge", "-q", "--no-ff", "-m", "Merge side", "side")
    return past


@pytest.mark.slow
def test_a_small_history_has_the_figures_that_are_known(
    repoctx: Any, shop: Past, monkeypatch: Any, tmp_path: Path
) -> None:
    """Each question finds its file and function first, but the one whose words are nowhere; all else is counted.

    The user's database is not even made, and nothing is left in the folder of temporary files.
    """
    temporary, html = tmp_path / "tmp", tmp_path / "page.html"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    code, out, err = repoctx("eval", str(shop.folder), "--json", "--budgets", "8k,27k", "--html", str(html))
    assert (code, err) == (0, "")
    assert list(temporary.glob("repoctx-*")) == []
    assert list(Path(os.environ["REPOCTX_HOME"]).iterdir()) == []
    page = html.read_text(encoding="utf-8")
    assert all(f"{topic} must be mended" in page for topic in TOPICS[:11])
    *cases, summary = lines(out)
    assert [case["type"] for case in cases] == ["case"] * 12
    assert [case["title"] for case in cases] == [
        *(f"{topic} must be mended" for topic in TOPICS[:10]), "kettle must be mended", "zebra unicorn quagga"
    ]  # fmt: skip
    assert cases[0]["files"] == [{"path": "shop/apple.py", "rank": 1}]
    symbols = [(found["qualified_name"], found["start_line"], found["end_line"]) for found in cases[0]["symbols"]]
    assert symbols == [("mend_apple", 4, 6), ("BoxApple", 9, 13), ("BoxApple.open", 12, 13)]
    assert cases[0]["symbols"][0]["rank"] == 1
    assert (cases[0]["words"], cases[0]["parent"]) == (4, git(shop.folder, "rev-list", "--max-parents=0", "main"))
    assert cases[-1]["files"] == [{"path": "shop/ladder.py", "rank": None}]
    assert {found["rank"] for found in cases[-1]["symbols"]} == {None}
    assert summary["type"] == "summary"
    assert (summary["cases"], summary["looked"]) == (12, 21)
    assert summary["excluded"] == {
        "merge": 1, "first commit": 1, "bot": 1, "bulk": 1, "rename only": 1, "says nothing": 2, "nothing to find": 2,
    }  # fmt: skip
    files, symbol_figures = summary["overall"]["files"], summary["overall"]["symbols"]
    share = round(11 / 12, 6)
    assert files["recall"] == {"1": share, "5": share, "10": share, "20": share}
    assert files["all"] == files["recall"]
    assert files["mrr"] == share
    assert files["mrr_error"] == round((11 / 12 * 1 / 12 * 12 / 11) ** 0.5 / 12**0.5, 6)
    assert symbol_figures["mrr"] == share
    assert symbol_figures["recall"]["20"] == share
    assert [shown["budget"] for shown in summary["overall"]["budgets"]] == [8000, 27000]
    assert summary["overall"]["budgets"][0]["files"] >= share
    assert [(group["name"], group["cases"]) for group in summary["lengths"]] == [
        ("up to 10 words", 12), ("11 to 40 words", 0), ("more than 40 words", 0)
    ]  # fmt: skip
    assert (summary["embedding"], summary["tuned"]) == (None, False)


@pytest.mark.slow
def test_nothing_that_came_later_is_seen(repoctx: Any, shop: Past) -> None:
    """A question is asked of its parent and what led there: not of its own message, nor of any later one.

    And what `tune` keeps of it ranks as the search does, with the default weights.
    """
    planted = shop.commit("wombat platypus echidna", {"shop/odd.py": "x = 5\n"})
    shop.commit("wombat platypus echidna again", {"shop/odd.py": "x = 6\n"})
    defaults = fuse.weights()
    names = rankers(defaults)
    seen = 0
    with open_workspace() as workspace:
        past = history(workspace, str(shop.folder), None, 50)
        with elsewhere(workspace, past.folder) as inner:
            for step in replay(inner, past):
                assert isinstance(step, Step)
                with inner.engine.connect() as connection:
                    known = stored.history(connection, step.opened.ref)
                before = git(shop.folder, "rev-list", "--no-merges", step.case.parent).split()
                assert sorted(known) == sorted(before)
                assert step.case.commit not in known
                hits = inner.search("wombat platypus echidna", past.name, step.case.parent, k=50).hits
                if step.case.commit == planted:
                    assert hits == []
                    seen += 1
                elif planted in known:  # the one after it does find it: by what the message says
                    assert [hit.path for hit in hits] == ["shop/odd.py"]
                    assert {reason.ranker for reason in hits[0].reasons} & {"history", "history file"}
                    seen += 1
                else:
                    assert hits == []
                asked = query.parse(step.case.query)
                (ranking,) = search.rank([step.opened.index], asked, search.ANYTHING, [defaults[asked.kind]])
                (told,) = fit.Bench([candidates(ranking, step.gold, names)], names).ranks({})
                assert told == tune._ranked(step, defaults)
    assert seen == 2


@pytest.mark.slow
def test_an_interrupted_run_leaves_nothing(shop: Past) -> None:
    """Ctrl-C in the middle ends with 130, and the index of the replay is gone."""
    code = (
        "import os, signal, sys\n"
        "from repoctx.evaluation import replay\n"
        "from repoctx.serve.cli import main\n"
        "true = replay.gold\n"
        "def slow(index, changes):\n"
        "    print(os.listdir(os.environ['TMPDIR']), file=sys.stderr)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return true(index, changes)\n"
        "replay.gold = slow\n"
        f"sys.argv = ['repoctx', 'eval', {str(shop.folder)!r}, '--json']\n"
        "main()\n"
    )
    with tempfile.TemporaryDirectory(prefix="t") as temporary:  # a short path: sockets are in it
        env = {**os.environ, "TMPDIR": temporary, "REPOCTX_EMBEDDING_MODEL": "none"}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        assert os.listdir(temporary) == []
    assert (done.returncode, done.stdout) == (130, "")
    assert "repoctx-replay-" in done.stderr
    assert done.stderr.endswith("and the work done so far is kept\n")


@pytest.mark.parametrize("command", ["eval", "tune"])
def test_what_has_no_past_is_refused(repoctx: Any, shop: Past, tmp_path: Path, command: str) -> None:
    """A plain folder, a shallow clone, few commits, an unknown ref: one sentence, exit code 3."""
    plain, few, shallow = tmp_path / "plain", tmp_path / "few", tmp_path / "shallow"
    write_files(plain, {"a.py": "x = 1\n"})
    small = Past(few)
    small.commit("first of all", {"a.py": "x = 1\n"})
    small.commit("change the variable x", {"a.py": "x = 2\n"})
    git(tmp_path, "clone", "-q", "--depth", "3", f"file://{shop.folder}", str(shallow))
    for folder in (plain, few, shallow) if command == "tune" else ():
        repoctx("index", str(folder), "--json")
    code, out, err = repoctx(command, str(plain))
    assert (code, out) == (3, "")
    assert err == f"repoctx: {plain} is a plain folder: only a git repository has past commits to replay\n"
    least = 10 if command == "eval" else 20
    code, out, err = repoctx(command, str(few), "--json")
    assert (code, out) == (3, "")
    assert err == (
        f"repoctx: {few} has 1 past commits that can be asked about among the 2 looked at, and figures of fewer than "
        f"{least} say nothing (left out: commits with nothing before them 1)\n"
    )
    code, out, err = repoctx(command, str(shallow))
    assert (code, out, "past commits that can be asked about among the" in err) == (3, "", True)
    code, out, err = repoctx(command, str(few), "--ref", "nowhere")
    assert (code, out, err.startswith(f"repoctx: {few} has no branch, tag or commit 'nowhere'")) == (3, "", True)


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (("eval", "nothing"), 1, "no repository is called 'nothing'"),
        (("tune", "nothing"), 1, "no repository is called 'nothing'"),
        (("eval", "--budgets", "8k", "--no-packs"), 2, "give either --budgets or --no-packs, not both"),
        (("eval", "--budgets", "auto"), 2, "--budgets are numbers of tokens"),
        (("eval", "--budgets", "90m"), 3, "A budget of 90,000,000 tokens does not fit"),
        (("tune", "--reset", "--dry-run"), 2, "give either --reset or --dry-run, not both"),
        (("tune",), 1, "is not indexed: run `repoctx index .` first"),
    ],
)
def test_wrong_calls_are_one_sentence(
    repoctx: Any, shop: Past, monkeypatch: Any, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """By default the repository is the one around."""
    monkeypatch.chdir(shop.folder / "shop")
    found, out, err = repoctx(*arguments)
    assert (found, out, said in err, err.count("\n")) == (code, "", True, 1)


def test_a_clone_url_and_a_name_are_repositories_too(repoctx: Any, shop: Past, monkeypatch: Any) -> None:
    """The same questions from the mirror of a URL, from the folder around and by the name of what is indexed."""
    repoctx("index", str(shop.folder), "--name", "mine", "--json")
    monkeypatch.chdir(shop.folder / "shop")
    with open_workspace() as workspace:
        wanted = (None, "mine", str(shop.folder), f"file://{shop.folder}")
        found = [history(workspace, located(workspace, name), None, 5) for name in wanted]
    assert [len(past.cases) for past in found] == [5, 5, 5, 5]
    assert all(past.cases == found[0].cases for past in found)
    assert [Path(past.folder) == shop.folder for past in found] == [True, True, True, False]


# --- tune --------------------------------------------------------------------------------------

WORDS = (
    "amber basil cedar dahlia ebony fennel ginger hazel indigo jasmine kelp lotus maple nutmeg olive poppy quince "
    "rowan saffron thyme"
).split()


def decoy(word: str, value: int = 0) -> str:
    """A file that is named after the word and mentions it once."""
    return f'"""About {word}."""\n\n\ndef nothing():\n    return {value}\n'


def real(number: int, word: str, value: int = 0) -> str:
    """A file with another name that is about the word."""
    body = f"    # {word} {word} is settled here\n    {word} = given + {value}\n    return {word}\n"
    return f"def step_{number}(given):\n{body}"


@pytest.fixture
def misleading(tmp_path: Path) -> Past:
    """Names of files mislead: always on `main`, on `turned` only in the older two thirds."""
    past = Past(tmp_path / "misleading")
    start = {f"names/{word}.py": decoy(word) for word in WORDS}
    past.commit("first of all", start | {f"work/part{n}.py": real(n, word) for n, word in enumerate(WORDS)})
    for number, word in enumerate(WORDS):
        if number == 13:
            past.run("branch", "turned")
        past.commit(f"{word} goes wrong", {f"work/part{number}.py": real(number, word, 1)})
    past.run("checkout", "-q", "turned")
    for word in WORDS[13:]:
        past.commit(f"{word} goes wrong", {f"names/{word}.py": decoy(word, 1)})
    past.run("checkout", "-q", "main")
    return past


@pytest.mark.slow
def test_weights_are_kept_only_if_they_win_on_newer_commits(repoctx: Any, misleading: Past) -> None:
    """A ranker that misleads is lowered; where it is right after all, nothing is written; the same each time."""
    repoctx("index", str(misleading.folder), "--name", "mine", "--json")
    weights = Path(os.environ["REPOCTX_HOME"]) / "weights" / "mine.toml"

    code, out, err = repoctx("tune", "mine", "--ref", "turned", "--json")
    (turned,) = lines(out)
    assert (code, turned["better"], turned["written"], turned["in_force"]) == (1, False, None, False)
    assert err == "repoctx: no weights were found that are better for mine: the default weights stay in force\n"
    assert turned["changes"]["file: file name"] < 1
    assert turned["gain"] < 0
    assert not weights.exists()

    code, out, err = repoctx("tune", "mine", "--dry-run", "--json")
    (tried,) = lines(out)
    assert (code, err, tried["better"], tried["written"]) == (0, "", True, None)
    assert not weights.exists()
    assert (tried["older"]["cases"], tried["newer"]["cases"]) == (13, 7)
    assert tried["newer"]["before"]["files"]["mrr"] == 0.5
    assert tried["newer"]["after"]["files"]["mrr"] == 1.0
    assert tried["older"]["before"]["files"]["mrr"] == 0.5
    assert tried["older"]["after"]["files"]["mrr"] == 1.0
    assert tried["changes"] == turned["changes"]
    assert tried["gain"] > tried["error"] == 0

    code, out, err = repoctx("tune", "mine")
    assert code == 0
    assert weights.read_text(encoding="utf-8") == tried["text"]
    assert f"written to {weights}; `repoctx tune --reset` removes it" in out
    assert list(weights.parent.iterdir()) == [weights]
    (best,) = lines(repoctx("search", "quince goes wrong", "--repo", "mine", "--level", "file", "-k", "1", "--json")[1])
    assert best["path"] == "work/part16.py"

    with open_workspace() as workspace:  # eval measures what is in force
        past = history(workspace, str(misleading.folder), None, 5)
        with elsewhere(workspace, past.folder) as inner:
            assert report.take_weights(workspace, inner, past)
            mine = fuse.weights(weights.read_text(encoding="utf-8"))
            assert fuse.weights(inner.weights_file(past.name).read_text(encoding="utf-8")) == mine

    code, out, _ = repoctx("tune", "mine", "--reset")
    assert (code, out, weights.exists()) == (0, f"removed {weights}\n", False)
    code, _, err = repoctx("tune", "mine", "--reset")
    assert (code, err) == (1, "repoctx: mine has no weights of its own: those that all have are in force\n")
