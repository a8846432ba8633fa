"""Asking over HTTP: search, packs, the graph, files; what may be seen, what may not leave, what cannot break it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repositories import git, write_files
from structlog.testing import capture_logs

from repoctx import tokens
from repoctx.pack import manifest
from repoctx.serve.rest import create_app
from repoctx.serve.rest import search as search_routes
from repoctx.serve.show import json_line
from repoctx.store import access, snapshots
from repoctx.tasks.packing import Wishes
from repoctx.workspace import Workspace, open_workspace

SECRET = "AKIAQ3EGRIWRXDP7L5TZ"
STORE = '''class Store:
    """Keeps what was bought."""

    def load(self, key):
        """Load by key."""
        return self.read(key)

    def read(self, key):
        if key is None:
            raise KeyError('no key was given')
        return key
'''
CART = """from shop.store import Store


def total(cart):
    return sum(Store().load(item) for item in cart)
"""
FILES = {
    "shop/store.py": STORE,
    "shop/cart.py": CART,
    "shop/desk.py": "def open():\n    return 1\n\n\ndef total(desk):\n    return open()\n",
    "tests/test_store.py": "from shop.store import Store\n\n\ndef test_load():\n    assert Store().load('x') == 'x'\n",
    "docs/store.md": "# The store\n\nThe store loads what was bought by its key.\n",
    "web/client.ts": "export function fetchCart(id: string) { return id }\n",
}
DIFF = """--- a/shop/store.py
+++ b/shop/store.py
@@ -9,3 +9,3 @@
         if key is None:
-            raise KeyError('no key was given')
+            raise KeyError('no key')
         return key
"""
JSON = {"Content-Type": "application/json"}
HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What the service logs does not mix with what commands print."""
    with capture_logs():
        yield


@pytest.fixture
def shop(make_repository: Any) -> Path:
    """A repository with a little of everything."""
    folder: Path = make_repository(FILES)
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Workspace]]:
    """A home where such a repository is indexed, for tests that change nothing."""
    home, folder = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("shop") / "repo"
    write_files(folder, dict(FILES))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    environment = {**os.environ, "REPOCTX_HOME": str(home), "REPOCTX_CONFIG": str(home / "repoctx.toml")}
    with open_workspace(environment=environment) as opened:
        opened.index(str(folder), name="repo")
        yield str(home), opened


@pytest.fixture
def workspace(kept: tuple[str, Workspace], monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace of that home, which commands use too."""
    monkeypatch.setenv("REPOCTX_HOME", kept[0])
    return kept[1]


@pytest.fixture
def changing(shop: Path) -> Iterator[Workspace]:
    """Another one, for tests that index or make tokens."""
    with open_workspace() as opened:
        opened.index(str(shop), name="repo")
        yield opened


@pytest.fixture
def client(workspace: Workspace) -> TestClient:
    """A client of the service."""
    return serve(workspace)


def serve(workspace: Workspace) -> TestClient:
    """A client of the service on a workspace; a bug is an answer, as it is to others."""
    return TestClient(create_app(workspace), raise_server_exceptions=False)


def at(path: str, repository: str = "repo") -> str:
    """The address of something of a repository."""
    return f"/v1/repositories/{repository}{path}"


def got(answer: Any) -> Any:
    """The JSON of an answer that is a success."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(text: str, type_: str | None = None) -> list[Any]:
    """JSON Lines, those of a type without it."""
    found = [json.loads(line) for line in text.splitlines()]
    return found if type_ is None else [one for one in found if one.pop("type") == type_]


def bare(hits: list[Any]) -> list[Any]:
    """Hits without what only this surface has."""
    return [{name: value for name, value in hit.items() if name != "text"} for hit in hits]


# --- the story ---------------------------------------------------------------------------------


def test_a_program_asks_and_a_push_changes_the_answers(make_repository: Any, database_url: str) -> None:
    """On both databases: find, walk the graph, read, pack; what did not change is not sent again, what did is."""
    folder = make_repository(FILES)
    with open_workspace({"database_url": database_url}) as workspace:
        workspace.index(str(folder), name="repo")
        client = serve(workspace)
        found = got(client.post("/v1/search", json={"query": "where is a cart summed?", "level": "symbol", "k": 1}))
        assert [(hit["path"], hit["qualified_name"]) for hit in found["hits"]] == [("shop/cart.py", "total")]
        (fresh,) = found["freshness"]
        assert (fresh["repository"], fresh["ref"], fresh["behind"], fresh["dirty"]) == ("repo", "main", None, False)
        assert fresh["commit"] == git(folder, "rev-parse", "HEAD")
        (load,) = got(client.get(at("/symbols"), params={"q": "load"}))["items"]
        callers = got(client.get(at(f"/symbols/{quote(load['id'], safe='')}/callers")))
        assert [one["id"] for one in callers["callers"]] == ["shop/cart.py#total", "tests/test_store.py#test_load"]
        assert callers["freshness"] == fresh
        read = client.get(at("/files/shop/store.py"))
        assert got(read)["text"] == STORE
        tag = read.headers["etag"]
        same = client.get(at("/files/shop/store.py"), headers={"If-None-Match": tag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        packed = got(client.post("/v1/pack", json={"task": "Sum up a cart", "repository": "repo", "budget": 4000}))
        assert "def total(cart)" in packed["messages"][0]["content"]
        assert packed["freshness"] == fresh
        write_files(folder, {"shop/store.py": STORE + "\n\ndef added():\n    pass\n"})
        git(folder, "commit", "-q", "-a", "-m", "second")
        workspace.index(str(folder), name="repo")
        new = client.get(at("/files/shop/store.py"), headers={"If-None-Match": tag})
        assert got(new)["text"] == STORE + "\n\ndef added():\n    pass\n"
        assert new.headers["etag"] != tag
        assert new.json()["freshness"]["commit"] == git(folder, "rev-parse", "HEAD") != fresh["commit"]


# --- search ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["chunk", "symbol", "file"])
@pytest.mark.parametrize("query", ["Store.load", "what was bought", "KeyError: no key was given"])
def test_hits_are_those_of_the_command_line(
    client: TestClient, workspace: Workspace, repoctx: Any, query: str, level: Any
) -> None:
    """Every field of every hit is what `repoctx search --json` prints and what the façade returns."""
    found = got(client.post("/v1/search", json={"query": query, "level": level, "k": 3}))
    _, printed, _ = repoctx("search", query, "--repo", "repo", "--level", level, "-k", "3", "--json")
    assert bare(found["hits"]) == lines(printed) != []
    answer = workspace.search(query, "repo", level=level, k=4)
    assert bare(found["hits"]) == [json.loads(json_line(hit)) for hit in answer.hits[:3]]
    assert found["more"] == (len(answer.hits) > 3)


def test_pages_follow_one_another(client: TestClient) -> None:
    """Pages hold what one long answer holds, and only the last one says that there is no more."""
    asked = {"query": "store load key cart total", "level": "symbol"}
    whole = got(client.post("/v1/search", json={**asked, "k": 200}))
    assert not whole["more"]
    paged, offset, more = [], 0, True
    while more:
        page = got(client.post("/v1/search", json={**asked, "k": 2, "offset": offset}))
        paged += page["hits"]
        offset, more = offset + 2, page["more"]
    assert paged == whole["hits"]
    assert len(paged) > 4


def test_filters_are_obeyed(client: TestClient) -> None:
    """Language, path and kind narrow a search; one that fits nothing is told with what there is."""
    asked = {"query": "total cart store load"}
    assert {
        hit["language"] for hit in got(client.post("/v1/search", json={**asked, "lang": "TypeScript"}))["hits"]
    } <= {"typescript"}
    found = got(client.post("/v1/search", json={**asked, "path": "shop/cart.py"}))
    assert [hit["path"] for hit in found["hits"]] == ["shop/cart.py"]
    found = got(client.post("/v1/search", json={**asked, "level": "symbol", "kinds": ["class"]}))
    assert [hit["qualified_name"] for hit in found["hits"]] == ["Store"]
    refused = client.post("/v1/search", json={**asked, "lang": "cobol"})
    assert refused.status_code == 422
    assert refused.json()["detail"] == "no file of repo is in 'cobol': there is markdown, python, typescript"
    refused = client.post("/v1/search", json={**asked, "kinds": ["class"]})
    assert (refused.status_code, "level of symbols" in refused.json()["detail"]) == (422, True)


def test_nothing_found_is_an_empty_list(client: TestClient) -> None:
    """A query that fits nothing is no error."""
    found = got(client.post("/v1/search", json={"query": "zzqqxxvv", "path": "nowhere/**"}))
    assert (found["hits"], found["more"]) == ([], False)


def test_text_comes_if_it_is_asked_for(changing: Workspace, make_repository: Any) -> None:
    """The text is that of the hit's lines, at most 200 of them; without asking there is none."""
    client = serve(changing)
    (hit,) = got(client.post("/v1/search", json={"query": "Store.load", "level": "symbol", "k": 1, "text": True}))[
        "hits"
    ]
    assert hit["text"] == "\n".join(STORE.splitlines()[hit["start_line"] - 1 : hit["end_line"]])
    (hit,) = got(client.post("/v1/search", json={"query": "Store.load", "level": "symbol", "k": 1}))["hits"]
    assert hit["text"] is None
    long = "def long():\n" + "".join(f"    x{n} = {n}\n" for n in range(400))
    changing.index(str(make_repository({"long.py": long}, "long")), name="long")
    asked = {"query": "long", "level": "symbol", "k": 1, "text": True, "repositories": ["long"]}
    (hit,) = got(client.post("/v1/search", json=asked))["hits"]
    assert hit["text"] == "\n".join(long.splitlines()[:200])


def test_several_repositories_are_searched_together(changing: Workspace, make_repository: Any, repoctx: Any) -> None:
    """All by default, some by name, each with its freshness; one that is only registered is not in the way."""
    client = serve(changing)
    changing.index(str(make_repository({"b.py": "def load_cart():\n    return 1\n"}, "two")), name="two")
    with changing.engine.begin() as connection:
        snapshots._register(connection, snapshots.Repository(0, "empty", "https://x.example/e.git", "main"), "main")
    every = got(client.post("/v1/search", json={"query": "load cart"}))
    assert [one["repository"] for one in every["freshness"]] == ["repo", "two"]
    _, printed, _ = repoctx("search", "load cart", "--repo", "repo", "--repo", "two", "--json")
    assert bare(every["hits"]) == lines(printed)
    assert {hit["repository"] for hit in every["hits"]} == {"repo", "two"}
    one = got(client.post("/v1/search", json={"query": "load cart", "repositories": ["two", "two"], "text": True}))
    assert [(hit["repository"], hit["text"]) for hit in one["hits"]] == [("two", "def load_cart():\n    return 1")]
    assert client.post("/v1/search", json={"query": "x", "repositories": ["two", "none"]}).status_code == 404
    assert client.post("/v1/search", json={"query": "x", "repositories": ["empty"]}).status_code == 404
    with open_workspace({"serve_together": 1}) as bounded:  # they would all be in memory together
        client = serve(bounded)
        asked = {"query": "load cart", "repositories": ["two"], "text": True}
        assert got(client.post("/v1/search", json=asked))["hits"] == one["hits"]
        both = {"repositories": ["repo", "two"], "task": "load cart"}
        for path, asked in (("/v1/search", {"query": "load cart"}), ("/v1/pack", both)):
            refused = client.post(path, json=asked)
            assert refused.status_code == 422
            assert refused.json()["detail"] == (
                "2 repositories are too many for one question, which goes to at most 1: name those that matter"
            )
        assert "the 1 of 2 that were indexed last" in client.get("/search?q=load&repository=*", headers=HTML).text


@pytest.mark.parametrize("name", ["two\nlines.py", " first.py", "folder /x.py", "a#b?c.py"])
def test_files_and_symbols_of_any_name_are_read(changing: Workspace, make_repository: Any, name: str) -> None:
    """Whatever is in a path, it is one in an address."""
    code = "def inner():\n    return 1\n\n\ndef outer():\n    return inner()\n"
    changing.index(str(make_repository({name: code, "other.py": "def inner():\n    return 2\n"}, "odd")), name="odd")
    client = serve(changing)
    assert got(client.get(at(f"/files/{quote(name)}", "odd")))["text"] == code
    callers = got(client.get(at(f"/symbols/{quote(f'{name}#inner', safe='')}/callers", "odd")))
    assert [one["qualified_name"] for one in callers["callers"]] == ["outer"]


def test_a_ref_is_asked_by_name_or_commit(changing: Workspace, shop: Path) -> None:
    """Another branch has its own answers; one that is not indexed is not found."""
    client = serve(changing)
    first = git(shop, "rev-parse", "HEAD")
    git(shop, "checkout", "-q", "-b", "next")
    write_files(shop, {"shop/cart.py": "def refund(cart):\n    return 0\n"})
    git(shop, "commit", "-q", "-a", "-m", "refunds")
    changing.index(str(shop), ref="next", name="repo")
    assert "refund" in got(client.get(at("/files/shop/cart.py"), params={"ref": "next"}))["text"]
    assert got(client.get(at("/files/shop/cart.py"), params={"ref": first[:10]}))["text"] == CART
    assert got(client.get(at("/symbols"), params={"q": "refund", "ref": "main"}))["items"] == []
    missing = client.get(at("/map"), params={"ref": "gone"})
    assert (missing.status_code, "indexed are main, next" in missing.json()["detail"]) == (404, True)
    found = got(client.post("/v1/search", json={"query": "refund", "ref": "next", "k": 1}))
    assert (found["hits"][0]["path"], found["freshness"][0]["ref"]) == ("shop/cart.py", "next")
    impact = got(client.post(at("/impact"), json={"symbols": ["refund"], "ref": "next"}))
    assert (impact["changed"][0]["id"], impact["freshness"]["ref"]) == ("shop/cart.py#refund", "next")


# --- packs -------------------------------------------------------------------------------------


def test_a_pack_is_that_of_the_command_line(client: TestClient, workspace: Workspace) -> None:
    """The prompt and the manifest are those of the façade; the message is the prompt, so that its tokens hold."""
    asked = {
        "task": "Why is a cart summed twice?",
        "budget": "3k",
        "files": ["docs/store.md"],
        "symbols": ["Store.read"],
    }
    made = workspace.pack(
        str(asked["task"]), "repo", budget="3k", wishes=Wishes(("docs/store.md",), ("Store.read",), DIFF, ("web/**",))
    )
    more = {"repository": "repo", "diff": DIFF, "exclude": ["web/**"]}
    packed = got(client.post("/v1/pack", json={**asked, **more}))
    assert packed["prompt"] == made.prompt
    assert packed["messages"] == [{"role": "user", "content": made.prompt}]
    assert packed["manifest"] == json.loads(json.dumps(manifest(made)))
    plan = packed["manifest"]["plan"]
    assert plan["predicted_tokens"] == tokens.count(packed["prompt"])
    assert plan["prompt_tokens"] == plan["predicted_tokens"] + plan["template_tokens"]


def test_a_pack_of_several_repositories_tells_the_freshness_of_each(changing: Workspace, make_repository: Any) -> None:
    """A list where several were asked for, as many as were."""
    client = serve(changing)
    changing.index(str(make_repository({"b.py": "def load_cart():\n    return 1\n"}, "two")), name="two")
    packed = got(client.post("/v1/pack", json={"task": "load", "repositories": ["two", "repo"], "budget": 3000}))
    assert [one["repository"] for one in packed["freshness"]] == ["repo", "two"]
    assert {part["repository"] for part in packed["manifest"]["parts"]} == {"repo", "two"}
    alone = got(client.post("/v1/pack", json={"task": "load", "repositories": ["two"], "format": "markdown"}))
    assert [one["repository"] for one in alone["freshness"]] == ["two"]


def test_packs_are_counted(client: TestClient) -> None:
    """Tokens and times of packs and searches are in the metrics."""
    from repoctx.serve.rest.metrics import PACK_TOKENS, QUERY_SECONDS

    def seen() -> list[float]:
        kinds = [QUERY_SECONDS.labels(kind)._sum.get() for kind in ("pack", "search")]
        return [*kinds, PACK_TOKENS.labels("qwen3-coder-30b-a3b")._value.get()]

    before = seen()
    packed = got(client.post("/v1/pack", json={"task": "load", "repository": "repo", "budget": 2000}))
    got(client.post("/v1/search", json={"query": "load"}))
    after = seen()
    assert after[0] > before[0]
    assert after[1] > before[1]
    assert after[2] - before[2] == packed["manifest"]["plan"]["predicted_tokens"]


# --- the graph ---------------------------------------------------------------------------------


def test_definitions_are_those_of_the_command_line(client: TestClient, repoctx: Any) -> None:
    """Bare, qualified, by line: the same definitions in the same order, in pages if asked for."""
    for name in ("load", "Store.load", "total", "shop/store.py:9", "shop/store.py", "nothing"):
        _, printed, _ = repoctx("symbol", name, "--repo", "repo", "--json")
        assert got(client.get(at("/symbols"), params={"q": name}))["items"] == lines(printed)
    first = got(client.get(at("/symbols"), params={"q": "total", "limit": 1}))
    second = got(client.get(at("/symbols"), params={"q": "total", "limit": 1, "cursor": first["next"]}))
    assert [page["items"][0]["id"] for page in (first, second)] == ["shop/cart.py#total", "shop/desk.py#total"]
    assert second["next"] is None
    assert first["items"][0]["signature"] == "def total(cart)"


def test_references_callers_and_callees_are_those_of_the_command_line(client: TestClient, repoctx: Any) -> None:
    """Each is what `--json` prints, sorted by what it is; limits tell how many there are."""
    for name in ("Store.load", "shop/store.py#Store.load", "shop/store.py", "shop/cart.py#total", "shop/store.py:9:3"):
        _, printed, _ = repoctx("refs", name, "--repo", "repo", "--json")
        found = got(client.get(at(f"/symbols/{quote(name)}/references")))
        assert found["symbols"] == lines(printed, "symbol")
        told = [{**one, "possible": False} for one in found["references"]]
        assert told + [{**one, "possible": True} for one in found["possible"]] == lines(printed, "reference")
        assert found["total"] == len(found["references"])
        for what in ("callers", "callees"):
            _, printed, _ = repoctx(what, name, "--repo", "repo", "--depth", "3", "--json")
            found = got(client.get(at(f"/symbols/{quote(name)}/{what}"), params={"depth": 3}))
            assert found["symbols"] == lines(printed, "symbol")
            assert found[what] == lines(printed, what.removesuffix("s"))
            assert found["notes"] == [one["text"] for one in lines(printed, "note")]
    cut = got(client.get(at("/symbols/Store/references"), params={"limit": 1}))
    assert (len(cut["references"]), cut["total"] > 1) == (1, True)
    kinds = got(client.get(at("/symbols/Store/references"), params={"kind": ["imports"]}))
    assert {one["kind"] for one in kinds["references"]} == {"imports"}
    assert got(client.get(at("/symbols/Store/references"), params={"min_confidence": 1}))["references"] == []


def test_an_id_is_understood_however_it_is_encoded(client: TestClient) -> None:
    """Slashes may be encoded or not; every id that the graph exports is one that can be asked about."""
    whole = got(client.get(at("/symbols/shop%2Fstore.py%23Store.load/callers")))
    assert whole == got(client.get(at("/symbols/shop/store.py%23Store.load/callers")))
    assert [one["id"] for one in whole["symbols"]] == ["shop/store.py#Store.load"]
    exported = client.get(at("/graph"))
    ids = [one["id"] for one in lines(exported.text, "symbol")]
    assert len(ids) == len(set(ids)) > 10
    for one in ids:
        found = got(client.get(at(f"/symbols/{quote(one, safe='')}/references")))
        assert one in [node["id"] for node in found["symbols"]]


def test_an_unknown_symbol_is_not_found_and_an_ambiguous_one_is_told_with_its_meanings(client: TestClient) -> None:
    """404, and 422 that lists what may be meant."""
    for what in ("references", "callers", "callees"):
        assert client.get(at(f"/symbols/nothing/{what}")).status_code == 404
        several = client.get(at(f"/symbols/total/{what}"))
        assert several.status_code == 422
        assert "shop/cart.py#total" in several.json()["detail"]
        assert "shop/desk.py#total" in several.json()["detail"]
    assert client.post(at("/impact"), json={"symbols": ["nothing"]}).status_code == 404
    assert client.post(at("/impact"), json={"symbols": ["total"]}).status_code == 422
    assert client.get(at("/symbols//references")).status_code == 422


@pytest.mark.parametrize("asked", [{"symbols": ["Store.load", "Store.read"]}, {"diff": DIFF}])
def test_impact_is_that_of_the_command_line(
    client: TestClient, repoctx: Any, tmp_path: Path, asked: dict[str, Any]
) -> None:
    """By symbols and by a diff: what changes, what may break, what to run."""
    (tmp_path / "d.diff").write_text(DIFF)
    how = asked.get("symbols") or ["--diff", str(tmp_path / "d.diff")]
    _, printed, _ = repoctx("impact", *how, "--repo", "repo", "--json")
    found = got(client.post(at("/impact"), json=asked))
    assert found["changed"] == lines(printed, "changed") != []
    assert found["affected"] == lines(printed, "affected") != []
    assert found["tests"] == lines(printed, "test") != []
    assert found["test_files"] == lines(printed, "test_file") != []
    assert found["notes"] == [one["text"] for one in lines(printed, "note")]
    assert (found["affected_total"], found["tests_total"]) == (len(found["affected"]), len(found["tests"]))
    less = got(client.post(at("/impact"), json={**asked, "limit": 1, "min_risk": 0.9}))
    assert (len(less["affected"]), less["affected_total"]) == (
        1,
        len([a for a in found["affected"] if a["risk"] >= 0.9]),
    )


def test_the_graph_is_exported_as_the_command_line_does(client: TestClient, repoctx: Any) -> None:
    """Both formats, to the byte; what did not change is not sent again."""
    for format_, media in (("jsonl", "application/x-ndjson"), ("graphml", "application/xml")):
        _, printed, _ = repoctx("graph", "export", "--repo", "repo", "--format", format_)
        answer = client.get(at("/graph"), params={"format": format_})
        assert answer.text == printed
        assert answer.headers["content-type"].startswith(media)
        assert len(answer.headers["repoctx-snapshot"]) == 32
        tag = {"If-None-Match": answer.headers["etag"]}
        assert client.get(at("/graph"), params={"format": format_}, headers=tag).status_code == 304


# --- the map and the files ---------------------------------------------------------------------


def test_the_map_keeps_its_budget(client: TestClient) -> None:
    """More fits into more; the tokens are those of the text."""
    small, large = (got(client.get(at("/map"), params={"budget": budget})) for budget in (20, 2000))
    assert small["tokens"] == tokens.count(small["map"]) <= 20 < large["tokens"] == tokens.count(large["map"])
    assert "  def load(self, key)" in large["map"]


def test_files_are_listed_in_pages(client: TestClient) -> None:
    """By path, narrowed by a pattern, each page going on after the last path of the one before."""
    listed = got(client.get(at("/files")))
    assert [one["path"] for one in listed["items"]] == sorted(FILES)
    assert listed["next"] is None
    cart = next(one for one in listed["items"] if one["path"] == "shop/cart.py")
    assert (cart["language"], cart["lines"], cart["tokens"]) == ("python", 5, tokens.count(CART))
    assert got(client.get(at("/files"), params={"path": "*.md"}))["items"] == [
        one for one in listed["items"] if one["path"] == "docs/store.md"
    ]
    for pattern in (None, "shop/**"):
        wanted = [one for one in listed["items"] if pattern is None or one["path"].startswith("shop/")]
        items: list[Any] = []
        cursor: str | None = None
        for _ in sorted(FILES):
            asked = {"limit": 2, "path": pattern, "cursor": cursor}
            page = got(client.get(at("/files"), params={k: v for k, v in asked.items() if v is not None}))
            items += page["items"]
            assert len(page["items"]) <= 2
            if (cursor := page["next"]) is None:
                break
        assert items == wanted


def test_lines_of_a_file_are_read(client: TestClient, shop: Path) -> None:
    """All of them or some, with the symbols on them; lines that there are not are told."""
    whole = got(client.get(at("/files/shop/store.py")))
    assert (whole["text"], whole["lines"], whole["start_line"], whole["end_line"]) == (STORE, 11, 1, 11)
    assert whole["blob"] == git(shop, "rev-parse", "HEAD:shop/store.py")
    assert [one["qualified_name"] for one in whole["symbols"]] == ["Store", "Store.load", "Store.read"]
    some = got(client.get(at("/files/shop/store.py"), params={"start_line": 8, "end_line": 9}))
    assert some["text"] == "".join(line + "\n" for line in STORE.splitlines()[7:9])
    assert [(one["id"], one["start_line"], one["end_line"]) for one in some["symbols"]] == [
        ("shop/store.py#Store", 1, 11), ("shop/store.py#Store.read", 8, 11),
    ]  # fmt: skip
    assert got(client.get(at("/files/shop/store.py"), params={"start_line": 10}))["end_line"] == 11
    for first, last in ((5, 4), (12, 12), (1, 12)):
        wrong = client.get(at("/files/shop/store.py"), params={"start_line": first, "end_line": last})
        assert wrong.status_code == 422
        assert wrong.json()["detail"] == f"shop/store.py has lines 1 to 11, not {first} to {last}"
    missing = client.get(at("/files/shop/none.py"))
    assert (missing.status_code, "'shop/none.py'" in missing.json()["detail"]) == (404, True)


def test_a_large_file_is_read_in_parts(changing: Workspace, make_repository: Any, monkeypatch: Any) -> None:
    """20,000 lines at a time, or so many bytes; the refusal says how to go on. Endings without a line break stay."""
    text = "x\n" * 20_000 + "last"
    changing.index(str(make_repository({"long.txt": text}, "long")), name="long")
    client = serve(changing)
    refused = client.get(at("/files/long.txt", "long"))
    assert (refused.status_code, "start_line" in refused.json()["detail"]) == (422, True)
    assert got(client.get(at("/files/long.txt", "long"), params={"end_line": 20_000}))["text"] == "x\n" * 20_000
    assert got(client.get(at("/files/long.txt", "long"), params={"start_line": 20_000}))["text"] == "x\nlast"
    monkeypatch.setattr(search_routes, "FILE_BYTES", 10)
    assert client.get(at("/files/long.txt", "long"), params={"end_line": 6}).status_code == 422
    assert client.get(at("/files/long.txt", "long"), params={"end_line": 5}).status_code == 200


def test_every_file_of_the_sample_repositories_is_read_as_it_is(changing: Workspace, make_repository: Any) -> None:
    """The text is that of the disk, and its lines are as many as the index says."""
    sample = Path(__file__).parents[2] / "sample_repos" / "python-parcels"
    files = {str(path.relative_to(sample)): path.read_bytes() for path in sample.rglob("*") if path.is_file()}
    changing.index(str(make_repository(files, "sample")), name="sample")
    client = serve(changing)
    listed = got(client.get(at("/files", "sample"), params={"limit": 1000}))["items"]
    assert len(listed) > 5
    for one in listed:
        read = got(client.get(at(f"/files/{quote(one['path'])}", "sample")))
        assert read["text"].encode() == files[one["path"]]
        assert (read["lines"], read["language"], read["blob"]) == (one["lines"], one["language"], one["blob"])


def test_an_answer_that_the_caller_has_is_not_sent_again(changing: Workspace, shop: Path) -> None:
    """Every GET has a tag of its own; after a push it is another one where the snapshot is."""
    client = serve(changing)
    asked = [
        at("/symbols?q=load"), at("/symbols?q=total"), at("/symbols/Store.load/references"),
        at("/symbols/Store.load/callers"), at("/symbols/Store.load/callees"), at("/map"), at("/map?budget=30"),
        at("/files"), at("/files/shop/cart.py"), at("/files/shop/cart.py?end_line=2"), at("/graph"),
    ]  # fmt: skip
    tags = {address: client.get(address).headers["etag"] for address in asked}
    assert len(set(tags.values())) == len(asked)
    for address, tag in tags.items():
        assert client.get(address, headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    write_files(shop, {"shop/new.py": "def fresh():\n    pass\n"})
    git(shop, "add", "-A")
    git(shop, "commit", "-q", "-m", "second")
    changing.index(str(shop), name="repo")
    for address, tag in tags.items():
        answer = client.get(address, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["etag"] != tag) == (200, True)


# --- secrets -----------------------------------------------------------------------------------

KEY_LINES = ("MIIEowIBAAKCAQEAvZq3Yy0sW7u8mZxkTqP1nB4cR6dF9gHjK2lM5oPqRsTuVwXy",
             "Z0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4cD5eF6gH7iJ8kL9mN0oP")  # fmt: skip
SECRETS = {
    "conf.py": f'AWS_KEY = "{SECRET}"\n\n\ndef connect(key="{SECRET}"):\n'
    f'    """Use {SECRET} to connect."""\n    return key\n',
    "long.py": 'def sign():\n    """Signs.\n\n    -----BEGIN RSA PRIVATE KEY-----\n'
    + "".join(f"    {line}\n" for line in KEY_LINES)
    + '    -----END RSA PRIVATE KEY-----\n    """\n    return 1\n',
    "use.py": "from conf import connect\n\n\ndef start():\n    return connect()\n",
}


@pytest.fixture
def leaky(make_repository: Any) -> Iterator[Workspace]:
    """A repository with secrets in its files and in its history."""
    folder = make_repository(SECRETS)
    write_files(folder, {"use.py": SECRETS["use.py"].replace("start", "begin")})
    git(folder, "commit", "-q", "-a", "-m", f"Begin to connect with zanzibar {SECRET}")
    with open_workspace() as opened:
        opened.index(str(folder), name="repo")
        yield opened


def test_no_secret_leaves(leaky: Workspace) -> None:
    """Neither in texts nor signatures, docs, maps, packs, reasons or the graph; lines keep their numbers."""
    client = serve(leaky)
    said = ""
    for level in ("chunk", "symbol", "file"):
        for query in ("connect key", "begin to connect with zanzibar", "sign private key"):
            found = client.post("/v1/search", json={"query": query, "level": level, "text": True})
            assert got(found)["hits"]
            said += found.text
    assert "zanzibar [redacted AWS access key]" in said
    for address in (
        "/symbols?q=AWS_KEY", "/symbols?q=connect", "/symbols?q=sign", "/symbols/connect/references",
        "/symbols/connect/callers", "/symbols/begin/callees", "/map?budget=5000", "/files/conf.py", "/files/long.py",
        "/files/long.py?start_line=5&end_line=6", "/graph", "/graph?format=graphml",
    ):  # fmt: skip
        answer = client.get(at(address))
        assert answer.status_code == 200
        said += answer.text
    for style in ("xml", "markdown", "json"):
        asked = {"task": "connect with zanzibar, sign", "repository": "repo", "format": style, "files": ["*.py"]}
        answer = client.post("/v1/pack", json=asked)
        assert answer.status_code == 200
        said += answer.text
    asked = {"task": "begin to connect with zanzibar", "repository": "repo", "budget": 4000}
    reasons = [
        reason for part in got(client.post("/v1/pack", json=asked))["manifest"]["parts"] for reason in part["reasons"]
    ]
    told = [reason["detail"] for reason in reasons if reason["ranker"] == "history"]
    assert [detail.split(" ", 1)[1] for detail in told] == ["Begin to connect with zanzibar [redacted AWS access key]"]
    said += client.post(at("/impact"), json={"symbols": ["connect"]}).text
    for secret in (SECRET, *KEY_LINES, SECRET[4:], KEY_LINES[0][:20], KEY_LINES[1][10:40]):
        assert secret not in said
    read = got(client.get(at("/files/conf.py")))
    assert read["text"] == SECRETS["conf.py"].replace(SECRET, "[redacted AWS access key]")
    assert read["redacted"] == [{"line": line, "kind": "AWS access key"} for line in (1, 4, 5)]
    (connect,) = got(client.get(at("/symbols"), params={"q": "connect"}))["items"]
    assert (connect["signature"], connect["doc"]) == ("connect", "Use [redacted AWS access key] to connect.")
    (sign,) = got(client.get(at("/symbols"), params={"q": "sign"}))["items"]
    assert (sign["signature"], sign["doc"].split("\n")[0]) == ("def sign()", "Signs.")
    part = got(client.get(at("/files/long.py"), params={"start_line": 9}))
    assert (part["text"], part["redacted"]) == ("    return 1\n", [])


def test_secrets_stay_where_the_settings_say_so(leaky: Workspace, monkeypatch: Any) -> None:
    """`pack.redact = false` shows what is written."""
    monkeypatch.setenv("REPOCTX_PACK_REDACT", "false")
    with open_workspace() as opened:
        client = serve(opened)
        assert got(client.get(at("/files/conf.py")))["text"] == SECRETS["conf.py"]
        (found,) = got(client.get(at("/symbols"), params={"q": "AWS_KEY"}))["items"]
        assert SECRET in found["signature"]


# --- who may see what --------------------------------------------------------------------------

ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/symbols?q=load", None), ("GET", "/symbols/load/references", None), ("GET", "/symbols/load/callers", None),
    ("GET", "/symbols/load/callees", None), ("POST", "/impact", {"symbols": ["load"]}), ("GET", "/map", None),
    ("GET", "/files", None), ("GET", "/files/shop/store.py", None), ("GET", "/graph", None),
]  # fmt: skip


def token(workspace: Workspace, repositories: tuple[str, ...] | None, scope: str = "read") -> dict[str, str]:
    """The header of a new token."""
    with workspace.engine.begin() as connection:
        _, text = access.create(connection, "test", scope, repositories, time.time())
    return {"Authorization": f"Bearer {text}"}


def test_what_may_not_be_seen_does_not_exist(changing: Workspace, make_repository: Any) -> None:
    """On every route the answer about a hidden repository is that about none, but for the name that was asked for."""
    changing.index(str(make_repository({"shop/store.py": STORE}, "two")), name="two")
    client, mine = serve(changing), token(changing, ("repo",))

    def refused(method: str, address: str, body: Any) -> tuple[int, Any]:
        answer = client.request(method, address, json=body, headers=mine)
        return answer.status_code, {k: v for k, v in answer.json().items() if k != "instance"}

    asked = [(method, at(address, "{}"), body) for method, address, body in ROUTES]
    asked += [("GET", at("/symbols?limit=0", "{}"), None)]
    for method, address, body in asked:
        assert client.request(method, address.format("repo"), json=body, headers=mine).status_code in (200, 422)
        status, hidden = refused(method, address.format("two"), body)
        assert status == 404
        none = refused(method, address.format("owt"), body)
        assert (status, json.loads(json.dumps(hidden).replace("'two'", "'owt'"))) == none
    for address, body in (
        ("/v1/search", {"query": "load", "repositories": ["{}"]}),
        ("/v1/search", {"query": "load", "repositories": ["repo", "{}"]}),
        ("/v1/pack", {"task": "load", "repository": "{}"}),
        ("/v1/pack", {"task": "load", "repositories": ["repo", "{}"]}),
    ):
        hidden, none = (
            refused("POST", address, json.loads(json.dumps(body).replace("{}", name))) for name in ("two", "owt")
        )
        assert hidden[0] == 404
        assert json.loads(json.dumps(hidden).replace("'two'", "'owt'")) == json.loads(json.dumps(none))
    found = got(client.post("/v1/search", json={"query": "load"}, headers=mine))
    assert [one["repository"] for one in found["freshness"]] == ["repo"]
    assert {hit["repository"] for hit in found["hits"]} == {"repo"}
    every = got(client.post("/v1/search", json={"query": "load"}, headers=token(changing, None)))
    assert [one["repository"] for one in every["freshness"]] == ["repo", "two"]
    nothing = client.post("/v1/search", json={"query": "load"}, headers=token(changing, ("gone",)))
    assert nothing.status_code == 404


def test_nobody_asks_without_a_token_once_there_is_one(changing: Workspace) -> None:
    """Every route says 401, whatever was asked."""
    client = serve(changing)
    token(changing, None)
    for method, address, body in ROUTES:
        assert client.request(method, at(address), json=body).status_code == 401
    assert client.post("/v1/search", json={"query": "x"}).status_code == 401
    assert client.post("/v1/pack", json={"task": "x", "repository": "repo"}).status_code == 401
    assert client.get(at("/map"), headers={"If-None-Match": "*"}).status_code == 401


# --- what cannot break it ----------------------------------------------------------------------

PATHS = [
    "..%2f..%2fetc%2fpasswd", "../../etc/passwd", "%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd", "%00", "a%00.py",
    "..%5c..%5cetc%5cpasswd", "C:%5cwindows%5cwin.ini", "%ff%fe", "a" * 7000, "a" * 9000, "%252e%252e%252fetc",
    "shop%2f%2e%2e%2fshop%2fstore.py", "%0a", "*", "shop/", "~root/.bashrc",
    "file:%2f%2f%2fetc%2fpasswd", "%ed%a0%80", "%f0%9f%98%80",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:30])
def test_no_path_leads_out(client: TestClient, path: str) -> None:
    """Of files, symbols and repositories: what is not in the index is not found, however it is spelt."""
    for address in (
        at(f"/files/{path}"), at(f"/symbols/{path}/references"), at(f"/symbols/{path}/callers"),
        at(f"/symbols/{path}/callees"), at("/map", path), at("/files/a.py", path), at(f"/map?ref={path}"),
        at("/impact", path), at(f"/files?cursor={path}"), at(f"/symbols?q=x&cursor={path}"),
    ):  # fmt: skip
        method = "POST" if address.endswith("/impact") else "GET"
        answer = client.request(method, address, json={"symbols": ["load"]} if method == "POST" else None)
        assert answer.status_code in (404, 405, 422), (address, answer.status_code, answer.text[:200])
        assert "root:" not in answer.text
        assert "class Store" not in answer.text


def test_the_path_of_another_repository_is_no_name(changing: Workspace, make_repository: Any, monkeypatch: Any) -> None:
    """What the command line takes for a repository, a path or a URL, is none here."""
    client = serve(changing)
    folder = make_repository({"shop/store.py": STORE}, "two")
    changing.index(str(folder), name="hidden")
    monkeypatch.chdir(folder.parent)
    for name in ("two", str(folder), ".", "..", quote(str(folder), safe="")):
        assert client.get(at("/map", name)).status_code in (404, 405, 422)
        assert client.post("/v1/search", json={"query": "x", "repositories": [name]}).status_code in (404, 422)
        assert client.post("/v1/pack", json={"task": "x", "repository": name}).status_code in (404, 422)


BAD: list[tuple[str, Any]] = [
    ("/v1/search", {}), ("/v1/search", {"query": ""}), ("/v1/search", {"query": " "}), ("/v1/search", {"query": 3}),
    ("/v1/search", {"query": "x" * 100_001}), ("/v1/search", {"query": "x", "k": 0}),
    ("/v1/search", {"query": "x", "k": 201}), ("/v1/search", {"query": "x", "offset": -1}),
    ("/v1/search", {"query": "x", "offset": 10_001}), ("/v1/search", {"query": "x", "level": "line"}),
    ("/v1/search", {"query": "x", "ref": ""}), ("/v1/search", {"query": "x", "ref": "a b"}),
    ("/v1/search", {"query": "x", "kinds": ["thing"], "level": "symbol"}), ("/v1/search", {"query": "x", "path": ""}),
    ("/v1/search", {"query": "x", "path": "/"}), ("/v1/search", {"query": "x", "repositories": []}),
    ("/v1/search", {"query": "x", "repositories": ["a/b"]}), ("/v1/search", {"query": "x", "langs": "python"}),
    ("/v1/search", []), ("/v1/search", None), ("/v1/pack", {"task": "x"}), ("/v1/pack", {"repository": "repo"}),
    ("/v1/pack", {"task": "x", "repository": "repo", "repositories": ["repo"]}),
    ("/v1/pack", {"task": "", "repository": "repo"}), ("/v1/pack", {"task": "x", "repository": "repo", "budget": 0}),
    ("/v1/pack", {"task": "x", "repository": "repo", "budget": "lots"}),
    ("/v1/pack", {"task": "x", "repository": "repo", "budget": 1}),
    ("/v1/pack", {"task": "x", "repository": "repo", "budget": 10**30}),
    ("/v1/pack", {"task": "x", "repository": "repo", "model": "gpt-0"}),
    ("/v1/pack", {"task": "x", "repository": "repo", "format": "pdf"}),
    ("/v1/pack", {"task": "x", "repository": "repo", "diff": " "}),
    ("/v1/pack", {"task": "x", "repository": "repo", "diff": "no diff"}),
    ("/v1/pack", {"task": "x", "repository": "repo", "files": [""]}),
    ("/v1/pack", {"task": "x", "repository": "repo", "secrets": True}),
    ("/v1/pack", {"task": "x" * 1_000_001, "repository": "repo"}),
    (at("/impact"), {}), (at("/impact"), {"symbols": []}), (at("/impact"), {"symbols": ["x"], "diff": DIFF}),
    (at("/impact"), {"diff": ""}), (at("/impact"), {"diff": "\n"}), (at("/impact"), {"diff": "no diff"}),
    (at("/impact"), {"symbols": ["Store"], "min_risk": 0}), (at("/impact"), {"symbols": ["Store"], "limit": 0}),
]  # fmt: skip


@pytest.mark.parametrize("address, body", BAD, ids=lambda value: json.dumps(value)[:60])
def test_what_makes_no_sense_is_refused_with_a_sentence(client: TestClient, address: str, body: Any) -> None:
    """422 as a problem that says what is wrong."""
    answer = client.post(address, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert len(answer.json()["detail"]) > 10


@pytest.mark.parametrize(
    "address",
    [
        "/symbols", "/symbols?q=", "/symbols?q=%20", "/symbols?q=x&limit=0", "/symbols?q=x&cursor=!", "/map?budget=0",
        "/map?budget=200001", "/map?budget=x", "/map?ref=", "/map?ref=%00", "/files?limit=0", "/files?cursor=a",
        "/files?cursor=", "/files?path=", "/files/shop/cart.py?start_line=0", "/files/shop/cart.py?end_line=99",
        "/files/shop/cart.py?start_line=1e9", "/symbols/load/references?kind=eats", "/symbols/load/callers?depth=0",
        "/symbols/load/callers?min_confidence=nan", "/symbols/load/callees?min_confidence=2", "/graph?format=dot",
        "/symbols?q=x&cursor=LTE", "/symbols?q=x&cursor=MTAwMDAwMDAwMDAwMA",
    ],
)  # fmt: skip
def test_queries_that_make_no_sense_are_refused(client: TestClient, address: str) -> None:
    """The same for what stands in the address."""
    answer = client.get(at(address))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    "body",
    [
        b'{"query":"x\\ud800"}', b'{"query":"x","lang":"\\udfff"}', b'{"query":"x","path":"\\ud800*"}',
        b'{"query":"x","ref":"\\ud800"}', b'{"query":"x","ref":"a\\u0000b"}', b'{"query":"x","kinds":["\\ud800"]}',
        b'{"query":"x","repositories":["\\ud800"]}', b"{", b"", b'{"query":' + b"[" * 100_000, b"\xff",
        b'{"query":"x","k":' + b"9" * 5000 + b"}", b'{"query":"x","k":NaN}', b'{"query":"x","k":1e400}',
        b'{"query":"x","\\ud800":1}',
    ],
    ids=lambda body: repr(body[:40]),
)  # fmt: skip
def test_what_is_no_text_is_refused(client: TestClient, body: bytes) -> None:
    """Lone surrogates, numbers without end, what is no JSON."""
    assert client.post("/v1/search", content=body, headers=JSON).status_code in (400, 422)


def test_characters_that_databases_refuse_are_only_text(make_repository: Any, database_url: str) -> None:
    """NUL in what is looked for finds what it would without, or nothing."""
    with open_workspace({"database_url": database_url}) as workspace:
        workspace.index(str(make_repository(FILES)), name="repo")
        client = serve(workspace)
        assert got(client.post("/v1/search", json={"query": "Store\0 load"}))["hits"]
        assert got(client.post("/v1/search", json={"query": "x", "path": "a\0*"}))["hits"] == []
        assert client.post("/v1/search", json={"query": "x", "ref": "main\0"}).status_code == 422
        assert client.post("/v1/search", json={"query": "x", "lang": "a\0"}).status_code == 422
        assert client.post("/v1/pack", json={"task": "x", "repository": "repo", "model": "\0"}).status_code == 422
        assert client.post("/v1/pack", json={"task": "x", "repository": "repo", "files": ["\0"]}).status_code == 404
        assert client.post("/v1/pack", json={"task": "x", "repository": "repo", "symbols": ["\0"]}).status_code == 404
        assert got(client.post("/v1/pack", json={"task": "load\0", "repository": "repo", "budget": 2000}))["prompt"]
        assert client.post(at("/impact"), json={"symbols": ["a\0"]}).status_code == 404
        assert got(client.get(at("/symbols?q=%00x")))["items"] == []
        assert client.get(at("/map?ref=a%00")).status_code == 422


NAMES = st.sampled_from(
    ["query", "task", "repository", "repositories", "ref", "level", "k", "offset", "lang", "path", "kinds", "text",
     "model", "budget", "files", "symbols", "diff", "exclude", "format", "limit", "min_risk"]
)  # fmt: skip
KNOWN = st.sampled_from(
    ["repo", "main", "load", "Store", "shop/store.py", "shop/**", "symbol", "chunk", "auto", "3k", DIFF]
)
ODD = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.integers() | st.floats() | KNOWN | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=2),
    max_leaves=5,
)
BASES = st.sampled_from(
    [("/v1/search", {"query": "load"}), ("/v1/pack", {"task": "load", "repository": "repo", "budget": 2000}),
     (at("/impact"), {"symbols": ["Store"]}), (at("/impact"), {"diff": DIFF})]
)  # fmt: skip


@given(base=BASES, fields=st.dictionaries(NAMES, VALUES, max_size=3) | st.dictionaries(ODD, VALUES, max_size=2))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_the_service(client: TestClient, base: tuple[str, Any], fields: dict[str, Any]) -> None:
    """Whatever JSON is sent, the answer is a success or a refusal."""
    address, body = base
    answer = client.post(address, content=json.dumps({**body, **fields}).encode(), headers=JSON)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert answer.json()["status"] == answer.status_code


@given(
    route=st.sampled_from(["/symbols", "/symbols/{}/references", "/symbols/{}/callers", "/symbols/{}/callees", "/map",
                           "/files", "/files/{}", "/graph"]),
    path=st.text(max_size=30) | KNOWN,
    query=st.dictionaries(
        st.sampled_from(["q", "ref", "limit", "cursor", "kind", "depth", "min_confidence", "budget", "path",
                         "start_line", "end_line", "format"]),
        st.text(max_size=12) | st.integers(-1, 60).map(str) | KNOWN, max_size=3,
    ),
)  # fmt: skip
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_address_breaks_the_service(client: TestClient, route: str, path: str, query: dict[str, str]) -> None:
    """Whatever is asked for, the answer is a success or a refusal."""
    answer = client.get(at(route.format(quote(path))), params={"q": "load", **query})
    assert answer.status_code < 500, answer.text


def test_threads_that_ask_a_cold_snapshot_at_once_get_the_same(workspace: Workspace) -> None:
    """Eight at a time, each of every kind, of a workspace that has loaded nothing yet."""
    asked: list[tuple[str, str, Any]] = [(method, at(address), body) for method, address, body in ROUTES]
    asked[4] = ("POST", at("/impact"), {"symbols": ["Store.load"]})
    asked[1:4] = [("GET", at(f"/symbols/Store.load/{what}"), None) for what in ("references", "callers", "callees")]
    asked += [("POST", "/v1/search", {"query": "load cart", "text": True})]
    asked += [("POST", "/v1/pack", {"task": "load cart", "repository": "repo", "budget": 3000})]
    for method, address, body in asked:
        with open_workspace() as cold, ThreadPoolExecutor(8) as threads:
            client = serve(cold)
            answers = list(threads.map(lambda _: client.request(method, address, json=body), range(8)))  # noqa: B023
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1, address


def test_every_route_is_described(client: TestClient) -> None:
    """Names for generated clients, a summary, a description of each route, field and parameter."""
    app: Any = client.app
    schema = app.openapi()
    ours = {"search", "pack", "find_symbols", "list_references", "list_callers", "list_callees", "assess_impact",
            "show_map", "list_files", "read_file", "export_graph"}  # fmt: skip
    routes = [route for path in schema["paths"].values() for route in path.values() if route["operationId"] in ours]
    assert {route["operationId"] for route in routes} == ours
    for route in routes:
        assert route["summary"]
        assert route["description"]
        assert all(parameter["description"] for parameter in route.get("parameters", ()))
    for name in ("SearchQuery", "PackQuery", "ImpactQuery"):
        for field, said in schema["components"]["schemas"][name]["properties"].items():
            assert said.get("description") or said.get("examples"), field
