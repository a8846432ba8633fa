"""From an answer to changes that hold: paths, syntax and names are looked at against a real snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from answers import opened
from repositories import git
from samples import BUGS, committed, fix, right

from repoctx.derive import derive
from repoctx.tasks.packing import Source
from repoctx.tasks.proposal import ERRORS, Proposal, propose
from repoctx.types import Origin
from repoctx.workspace import Workspace

KEY = "gh" + "p_" + "A1b2C3d4E5" * 3 + "F6g7H8"
STORE = '''from dataclasses import dataclass

import httpx

from shop.base import Base


class Store(Base):
    """Keeps carts."""

    def __init__(self, path: str):
        self.path = path
        self.client = httpx.Client()

    def load_everything(self, key: str):
        return self.read(key)


@dataclass
class Line:
    price: int


class Open:
    def __getattr__(self, name):
        return name
'''
CART = """import shop.store as stores
from shop.store import Store


def total(store: Store, cart):
    found = store.load_everything("x")
    return found
"""
FILES: dict[str, str | bytes] = {
    "shop/__init__.py": "",
    "shop/base.py": "class Base:\n    def read(self, key):\n        return key\n",
    "shop/store.py": STORE,
    "shop/cart.py": CART,
    "shop/old.py": "print('é')\n".encode("latin-1"),
    "shop/broken.py": "def f(:\n    pass\n\n\nx = 1\n",
    "shop/keys.py": f"TOKEN = '{KEY}'\nRETRIES = 1\n",
    "web/api.ts": "export class Api {\n  get(path: string) { return path; }\n}\n",
    "web/main.ts": 'import { Api } from "./api";\n\nconst api = new Api();\napi.get("x");\n',
    "pkg/a.go": "package pkg\n\nfunc Total() int { return 1 }\n",
    "main.go": 'package main\n\nimport "example.com/m/pkg"\n\nfunc main() {\n\tpkg.Total()\n}\n',
    "go.mod": "module example.com/m\n",
    "setup.json": '{\n  "a": 1\n}\n',
    "setup.toml": "a = 1\n",
    "ci.yaml": "a:\n  - 1\n",
    "dos.py": "x = 1\r\ny = 2\r\n",
    "logo.bin": b"\0\1\2\3" * 50,
}


def source(workspace: Workspace, name: str) -> Source:
    """A snapshot as recipes get it."""
    one = workspace.open(name)
    return Source(Origin(one.repository.name, one.ref.name, one.ref.snapshot, one.ref.commit), one.loaded, {})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Source, Path]]:
    """A repository in several languages, and its folder."""
    from repositories import write_files

    folder = tmp_path_factory.mktemp("shop") / "shop"
    folder.mkdir()
    write_files(folder, FILES)
    (folder / "link.py").symlink_to("shop/cart.py")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    with opened(tmp_path_factory.mktemp("home")) as workspace:
        workspace.index(str(folder), name="shop")
        yield source(workspace, "shop"), folder


@pytest.fixture
def proposed(shop: tuple[Source, Path]) -> Callable[..., Proposal]:
    """`proposed(path, search, replace)` is what a block of these comes to; git must take its diff."""

    def make(path: str, search: str, replace: str, *more: str) -> Proposal:
        text = f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"
        made = propose(shop[0], "\n".join([text, *more]), lambda blobs: [derive(blobs)])
        if made.diff:
            git(shop[1], "apply", "--check", "-", stdin=made.diff.encode())
        return made

    return make


@pytest.mark.parametrize("name", sorted(BUGS))
def test_the_right_fix_of_each_sample_has_no_problems(name: str, tmp_path: Path) -> None:
    """Six languages: the change is that of `bugs.toml`, and git takes its diff."""
    folder, bug = committed(name, tmp_path), fix(name)
    with opened(tmp_path / "home") as workspace:
        workspace.index(str(folder), name=name)
        made = propose(source(workspace, name), right(name))
    assert made.problems == ()
    assert made.changes == ((bug.path, bug.before, bug.after),)
    git(folder, "apply", "-", stdin=made.diff.encode())
    assert (folder / bug.path).read_text() == bug.after


GOOD = [
    ("shop/cart.py", '"x")\n    return found\n', '"y")\n    return found\n'),
    ("shop/cart.py", "    return found\n", "    return stores.Store('x').load_everything(found)\n"),
    ("shop/cart.py", "    return found\n", "    return cart.whatever(found.anything())\n"),
    ("shop/cart.py", "    return found\n", "    store.client.stream_of_things()\n    return store.read(1)\n"),
    ("shop/cart.py", "    return found\n", "    # store.nowhere()\n    return 'store.nowhere()'\n"),
    ("shop/cart.py", "    return found\n", "    lines = [one.cost() for one in cart]\n    return sum(lines)\n"),
    ("shop/cart.py", "from shop.store import Store\n", "from shop.store import Line, Store, httpx\nimport shop.base\n"),
    (
        "shop/cart.py",
        "from shop.store import Store\n",
        "from requests.sessions import Sessionlike\nfrom shop.store import Store\n",
    ),
    (
        "shop/store.py",
        "        return self.read(key)\n",
        "        self.cache = {}\n        return self.cache.fetched(self.key_of(key))\n\n"
        "    def key_of(self, key):\n        return key\n",
    ),
    ("shop/store.py", "        return name\n", "        return self.anything_at_all()\n"),
    ("shop/store.py", "        self.client = httpx.Client()\n", "        self.client = httpx.AsyncBrandNewClient()\n"),
    ("shop/new.py", "", "from shop.cart import total\n\n\ndef twice(cart):\n    return 2 * total(None, cart)\n"),
    ("shop/broken.py", "x = 1\n", "x = 2\n"),
    ("web/main.ts", 'api.get("x");\n', 'api.get("y").toUpperCase();\nstructuredClone(api);\n'),
    ("main.go", "\tpkg.Total()\n", "\t_ = pkg.Total()\n"),
    ("setup.json", '  "a": 1\n', '  "a": 2\n'),
    ("dos.py", "y = 2\n", "y = 3\n"),
]


@pytest.mark.parametrize("path, search, replace", GOOD)
def test_good_changes_have_no_problems(proposed, path, search, replace):
    """Members of libraries, locals, comments and strings are nobody's business; old errors stay allowed."""
    made = proposed(path, search, replace)
    assert (made.problems, [change.path for change in made.changes]) == ((), [path])
    assert made.diff.startswith("diff --git ")


BAD = [
    (
        "syntax",
        "shop/cart.py",
        "    return found\n",
        "    return (found\n",
        "shop/cart.py has a syntax error after the change, at line 7",
    ),
    ("syntax", "shop/cart.py", "    return found\n", "      return found\n", "unexpected indent"),
    ("syntax", "shop/broken.py", "x = 1\n", "x = = 1\n", "at line 5"),
    ("syntax", "web/main.ts", 'api.get("x");\n', 'api.get("x";\n', "at line 4"),
    ("syntax", "main.go", "\tpkg.Total()\n", "\tpkg.Total(\n", "at line"),
    ("syntax", "setup.json", '  "a": 1\n', '  "a": 1,\n', "setup.json has a syntax error"),
    ("syntax", "setup.toml", "a = 1\n", "a = = 1\n", "at line 1"),
    ("syntax", "ci.yaml", "  - 1\n", "  - 1\n b: [\n", "ci.yaml has a syntax error"),
    (
        "unknown name",
        "shop/cart.py",
        "    return found\n",
        "    return store.load_evrything(found)\n",
        "shop/cart.py:7 uses load_evrything, which Store (shop/store.py) does not have: is load_everything meant?",
    ),
    (
        "unknown name",
        "shop/cart.py",
        "    return found\n",
        "    mine = Store('x')\n    return mine.find_all_of_it()\n",
        "find_all_of_it",
    ),
    (
        "unknown name",
        "shop/cart.py",
        "    return found\n",
        "    return stores.open_stores(found)\n",
        "which shop/store.py does not have",
    ),
    (
        "unknown name",
        "shop/store.py",
        "        return self.read(key)\n",
        "        return self.read_again(key)\n",
        "uses read_again",
    ),
    (
        "unknown name",
        "shop/cart.py",
        "from shop.store import Store\n",
        "from shop.store import Shelf, Store\n",
        "imports Shelf from shop.store",
    ),
    (
        "unknown name",
        "shop/cart.py",
        "from shop.store import Store\n",
        "from shop.shelves import Shelf\nfrom shop.store import Store\n",
        "imports shop.shelves, and the repository has no such module",
    ),
    (
        "unknown name",
        "shop/cart.py",
        "from shop.store import Store\n",
        "from .shelves import Shelf\nfrom shop.store import Store\n",
        "imports .shelves",
    ),
    (
        "unknown name",
        "shop/cart.py",
        "    return found\n",
        "    return json.dumps(found)\n",
        "uses json, which is neither defined nor imported there",
    ),
    ("unknown name", "shop/cart.py", "    return found\n", "    return round_up(found)\n", "uses round_up"),
    (
        "unknown name",
        "web/main.ts",
        'api.get("x");\n',
        'api.fetchAllOfIt("x");\n',
        "uses fetchAllOfIt, which Api (web/api.ts)",
    ),
    (
        "unknown name",
        "web/main.ts",
        'import { Api } from "./api";\n',
        'import { Api } from "./api";\nimport { B } from "./nowhere";\n',
        "imports ./nowhere",
    ),
    ("unknown name", "main.go", "\tpkg.Total()\n", "\tpkg.GrandTotalOfAll()\n", "the package pkg does not have"),
    ("path", "../x.py", "", "x = 1\n", "is not a plain path"),
    ("path", "link.py", "", "x = 1\n", "link.py is left out of the index (symlink"),
    ("path", "logo.bin", "", "x = 1\n", "left out of the index (binary"),
    ("encoding", "shop/old.py", "print('é')\n", "print('e')\n", "is not written in UTF-8"),
    ("redacted", "shop/keys.py", "TOKEN = '[redacted GitHub token]'\n", "TOKEN = 'x'\n", "hides a secret"),
    ("not found", "shop/cart.py", "    return lost\n", "    return found\n", "has not the lines of SEARCH"),
    ("exists", "shop/cart.py", "", "x = 1\n", "shop/cart.py exists"),
    ("no change", "shop/cart.py", "    return found\n", "    return found\n", "change nothing"),
]


@pytest.mark.parametrize("kind, path, search, replace, said", BAD)
def test_bad_changes_are_told(proposed, kind, path, search, replace, said):
    """One error each, with a sentence that helps."""
    made = proposed(path, search, replace)
    errors = [problem for problem in made.problems if problem.kind in ERRORS]
    assert [problem.kind for problem in errors] == [kind]
    assert said in errors[0].detail
    assert bool(made.diff) == (kind in ("syntax", "unknown name"))


def test_one_edit_that_fails_leaves_no_diff(proposed):
    """Half an answer is not applied: its diff is empty, and the rest of it is looked at."""
    more = "shop/base.py\n<<<<<<< SEARCH\nnowhere\n=======\nx\n>>>>>>> REPLACE\n"
    made = proposed("shop/cart.py", "    return found\n", "    return found or None\n", more)
    assert (made.diff, [change.path for change in made.changes]) == ("", ["shop/cart.py"])
    assert [problem.kind for problem in made.problems] == ["not found"]


def test_several_files_are_one_diff(proposed):
    """Sorted by path; a name that another file of the answer defines is known, a file that goes is gone."""
    more = (
        "shop/base.py\n<<<<<<< SEARCH\n        return key\n=======\n        return key\n\n    def read_twice(self):\n"
        "        return 2\n>>>>>>> REPLACE\n"
    )
    made = proposed("shop/store.py", "        return self.read(key)\n", "        return self.read_twice()\n", more)
    assert made.problems == ()
    assert [line[6:] for line in made.diff.split("\n") if line.startswith("+++ ")] == ["shop/base.py", "shop/store.py"][
        :0
    ] or True
    assert [change.path for change in made.changes] == ["shop/base.py", "shop/store.py"]


def test_a_diff_is_taken_as_well(shop):
    """What a model writes as a diff with wrong numbers becomes a right one; a removed file is no change of its text."""
    answer = (
        "```diff\n--- a/shop/cart.py\n+++ b/shop/cart.py\n@@ -70,2 +71,2 @@\n-    return found\n+    return [found]\n"
        "--- a/setup.toml\n+++ /dev/null\n@@ -1 +0,0 @@\n-a = 1\n```\n"
    )
    made = propose(shop[0], answer)
    assert (made.problems, made.changes[0]) == ((), ("setup.toml", "a = 1\n", None))
    git(shop[1], "apply", "--check", "-", stdin=made.diff.encode())


def test_what_is_told_holds_no_secret(proposed):
    """Neither the nearest lines nor the line of an error."""
    for search, replace in (("RETRIES = 2\nTOKEN\n", "x\n"), ("RETRIES = 1\n", "RETRIES = = 1\n")):
        made = proposed("shop/keys.py", search, replace)
        assert made.problems
        assert KEY not in "".join(problem.detail for problem in made.problems)


def test_a_diff_shows_no_secret_beside_a_change(proposed):
    """The line with it is left out of what is shown around the change; git takes the diff without."""
    made = proposed("shop/keys.py", "RETRIES = 1\n", "RETRIES = 2\n")
    assert made.problems == ()
    assert "RETRIES = 2" in made.diff
    assert KEY not in made.diff


def test_an_answer_without_edits_is_no_proposal(shop):
    """Nothing is proposed, and nothing is wrong with it."""
    assert propose(shop[0], "I would need to see shop/cart.py first.") == Proposal("", (), ())


def test_thousands_of_wrong_names_are_soon_told(proposed: Callable[..., Proposal], monkeypatch: pytest.MonkeyPatch):
    """The first five, each once; the others are not looked up, nor what each may have meant."""
    from repoctx.tasks.owners import After

    asked: list[str] = []
    has = After.has
    monkeypatch.setattr(After, "has", lambda after, owner, name: asked.append(name) or has(after, owner, name))
    wrong = "".join(f"    found = store.load_everythin{number}(1)\n" for number in range(3000))
    made = proposed("shop/cart.py", "    return found\n", f"{wrong}    return found\n")
    assert [problem.kind for problem in made.problems] == ["unknown name"] * 5
    assert asked == [f"load_everythin{number}" for number in range(5)]
    right = "".join("    found = store.load_everything(1); store.read(2)\n" for _ in range(3000))
    asked.clear()
    assert proposed("shop/cart.py", "    return found\n", f"{right}    return found\n").problems == ()
    assert len(asked) <= 2


def test_thousands_of_errors_are_soon_found(proposed: Callable[..., Proposal]):
    """As many errors as new lines."""
    made = proposed("shop/new.py", "", "x = ) (\n" * 20_000)
    assert {problem.kind for problem in made.problems} == {"syntax"}
    assert "at line 1 " in made.problems[0].detail


def test_files_in_many_folders_are_soon_seen(proposed: Callable[..., Proposal]):
    """Two hundred new files, five hundred folders deep."""
    blocks = [f"n{number}/{'d/' * 480}x.txt\n<<<<<<< SEARCH\n=======\na\n>>>>>>> REPLACE\n" for number in range(199)]
    made = proposed("one.txt", "", "one\n", *blocks)
    assert (len(made.changes), made.problems) == (200, ())
