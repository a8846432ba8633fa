"""The graph stage: ranks, the repository map, names, and what other programs read."""

from __future__ import annotations

import io
import json

import networkx
import numpy as np
import pytest
from unit.test_graph import STYLES, columns, snapshot

from repoctx.graph import export, rank
from repoctx.graph.link import link
from repoctx.graph.symbols import lookup
from repoctx.types import Edges, Facts, Occurrences, Symbol

FILES = """
#- app/main.py
from app.store import Store, limit


def main():
    store = Store()
    store.save(limit)
    helper(store)


def helper(store):
    return Store.save(store, 1)
#- app/store.py
limit = 3


class Store:
    def save(self, item):
        return self.check(item)

    def check(self, item):
        return item


class Spare:
    pass
#- app/unused.py
def nobody():
    pass
"""


@pytest.fixture(scope="module")
def graph() -> tuple[Occurrences, Edges]:
    o = snapshot(FILES)
    return o, link(o, STYLES)


def words(text: str) -> int:
    """A stand-in for counting tokens."""
    return len(text.split())


def test_pagerank_of_a_known_graph() -> None:
    """A chain a -> b with a dangling end has the closed-form ranks, and personalisation moves them."""
    found = rank.pagerank(2, np.array([0]), np.array([1]), np.array([2.0]), iterations=200)
    assert found == pytest.approx([1 / 2.85, 1.85 / 2.85])
    moved = rank.pagerank(2, np.array([0]), np.array([1]), np.array([2.0]), np.array([0.0, 1.0]))
    assert moved.tolist() == [0.0, 1.0]
    assert rank.pagerank(0, np.array([]), np.array([]), np.array([])).tolist() == []


def test_used_files_and_symbols_rank_first(graph: tuple[Occurrences, Edges]) -> None:
    """What others use ranks above what nobody uses; ranks sum to 1; a seed draws rank to itself."""
    o, e = graph
    files = rank.file_ranks(o, e)
    assert [o.paths[i] for i in np.argsort(-files, kind="stable")] == ["app/store.py", "app/main.py", "app/unused.py"]
    assert files.sum() == pytest.approx(1)
    symbols = rank.symbol_ranks(o, e)
    assert len(symbols) == len(o.symbol_file) + 3
    assert symbols.sum() == pytest.approx(1)
    by_name = {o.names[d]: symbols[i] for i, d in enumerate(o.symbol_descriptor.tolist())}
    assert by_name["Store.save"] > by_name["main"]
    assert by_name["Store"] > by_name["Spare"]
    seeded = rank.file_ranks(o, e, np.array([0.0, 0.0, 1.0]))
    assert seeded.tolist() == [0.0, 0.0, 1.0]


def test_repository_map(graph: tuple[Occurrences, Edges]) -> None:
    """With room for all, the map has every symbol under its parent, in path order."""
    o, e = graph
    signatures = [f"def {o.names[d]}" for d in o.symbol_descriptor.tolist()]
    assert rank.repository_map(o, e, signatures, 1000, words) == (
        "app/main.py:\n  def main  :4\n  def helper  :10\n"
        "app/store.py:\n  def limit  :1\n  def Store  :4\n    def Store.save  :5\n    def Store.check  :8\n"
        "  def Spare  :12\n"
        "app/unused.py:\n  def nobody  :1\n"
    )


@pytest.mark.parametrize("budget", [0, 1, 4, 5, 11, 20, 27])
def test_repository_map_keeps_its_budget(graph: tuple[Occurrences, Edges], budget: int) -> None:
    """The map never has more than the budget, brings parents along, and is empty only if nothing fits."""
    o, e = graph
    text = rank.repository_map(o, e, lambda row: f"def {o.names[o.symbol_descriptor[row]]}", budget, words)
    assert words(text) <= budget
    assert ("Store.save" in text) <= ("def Store  " in text)
    assert (text != "") == (budget >= 4)


def test_the_map_escapes_hostile_names() -> None:
    """A path or a signature with control characters stays on its line."""
    o = columns(
        {"a\n/b\x1b.py": Facts("python", [Symbol("class", "A", "A", "", "", 1, 1, 1, 0, 0, -1)], [], [], [], 0)}
    )
    text = rank.repository_map(o, link(o, STYLES), ["class A\u2028x"], 100, words)
    assert text == "a\\n/b\\x1b.py:\n  class A\\u2028x  :1\n"


def test_lookup_goes_from_exact_to_loose() -> None:
    """Whole descriptors win over ends, ends over bare names, exact case over any case."""
    o = snapshot(
        "#- a.py\nclass A:\n    def run(self): pass\ndef run(): pass\n"
        "#- b.py\nclass B:\n    class A:\n        def run(self): pass\n"
    )

    def found(name: str) -> list[str]:
        return [f"{o.paths[o.symbol_file[row]]}#{o.names[o.symbol_descriptor[row]]}" for row in lookup(o, name)]

    assert found("run") == ["a.py#run"]
    assert found("A.run") == ["a.py#A.run"]
    assert found("B::A::run") == ["b.py#B.A.run"]
    assert found("b.py#A.run") == ["b.py#B.A.run"]
    assert found("b.a") == ["b.py#B.A"]
    assert found("a") == ["a.py#A"]
    assert found("nothing") == []
    assert found(" ") == []


def test_jsonl_follows_the_contract(graph: tuple[Occurrences, Edges]) -> None:
    """Symbols and one module a file, then edges between their ids, unresolved ones with null and candidates."""
    o = snapshot("#- a.py\ndef f(): pass\ndef f(): g()\n#- b.py\ndef g(): pass\n")
    lines = list(export.jsonl(o, link(o, STYLES)))
    assert all(line.endswith("}\n") for line in lines)
    rows = [json.loads(line) for line in lines]
    symbols = [row for row in rows if row["type"] == "symbol"]
    assert [row["id"] for row in symbols] == ["a.py#f", "a.py#f~2", "b.py#g", "a.py", "b.py"]
    assert symbols[1] == {
        "type": "symbol", "id": "a.py#f~2", "path": "a.py", "name": "f", "qualified_name": "f", "kind": "function",
        "start_line": 2, "end_line": 2,
    }  # fmt: skip
    assert symbols[3] == {
        "type": "symbol", "id": "a.py", "path": "a.py", "name": "a.py", "qualified_name": "a.py", "kind": "module",
        "start_line": 1, "end_line": 2,
    }  # fmt: skip
    assert [row for row in rows if row["type"] == "edge" and row["kind"] != "contains"] == [
        {
            "type": "edge", "kind": "calls", "path": "a.py", "line": 2, "column": 9, "source": "a.py#f~2",
            "target": None, "confidence": 0.0, "rule": "unresolved", "candidates": ["b.py#g"],
        }
    ]  # fmt: skip
    ids = {row["id"] for row in symbols}
    whole = [json.loads(line) for line in export.jsonl(*graph)]
    assert len({row["id"] for row in whole if row["type"] == "symbol"}) == len(graph[0].symbol_file) + 3
    assert ids == {"a.py#f", "a.py#f~2", "b.py#g", "a.py", "b.py"}
    assert {row["confidence"] for row in whole if row["type"] == "edge"} == {0.93, 0.95, 0.97, 1.0}


def test_graphml_is_what_networkx_has(graph: tuple[Occurrences, Edges]) -> None:
    """networkx reads the GraphML back as the graph that to_networkx gives."""
    made = export.to_networkx(*graph)
    read = networkx.read_graphml(io.BytesIO("".join(export.graphml(*graph)).encode()), force_multigraph=True)
    assert dict(read.nodes(data=True)) == dict(made.nodes(data=True))
    assert made.nodes["app/store.py#Store"]["kind"] == "class"

    def edges(of: networkx.MultiDiGraph) -> list[tuple[str, str, list[tuple[str, object]]]]:
        ends = ((a, b, sorted((k, v) for k, v in d.items() if k != "id")) for a, b, d in of.edges(data=True))
        return sorted(ends, key=repr)

    assert edges(read) == edges(made)


def test_hostile_names_survive_every_export() -> None:
    """Quotes, markup, and characters that XML lacks neither break XML nor JSON, and ids stay unique."""
    symbols = [Symbol("class", n, n, "", "", 1, 1, 1, 0, 0, -1) for n in ('<a"&', "]]>", "x\x00", "x\x01", "\ufffe")]
    o = columns({'p"<\x02.py': Facts("python", symbols, [], [], [], 0)})
    e = link(o, STYLES)
    read = networkx.read_graphml(io.BytesIO("".join(export.graphml(o, e)).encode()))
    assert len(read) == 6
    ids = [json.loads(line)["id"] for line in list(export.jsonl(o, e))[:6]]
    assert ids[:2] == ['p"<\x02.py#<a"&', 'p"<\x02.py#]]>']
    assert len(set(ids)) == 6
