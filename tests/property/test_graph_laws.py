"""Laws of the graph stage, on snapshots that no parser would give."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.test_graph import STYLES, columns

from repoctx.graph import export, rank
from repoctx.graph.layout import FAMILIES
from repoctx.graph.link import RULES, link
from repoctx.types import EDGE_KINDS, KINDS, ROLES, Facts, Import, Reference, Symbol

PATHS = [
    "a.py", "pkg/__init__.py", "pkg/b.py", "pkg/sub/c.py", "tests/test_b.py", "web/index.ts", "web/lib/x.js",
    "go.mod", "cmd/main.go", "cmd/util.go", "src/main/java/p/Q.java", "src/test/java/p/QTest.java", "inc/h.h",
    "h.c", "src/lib.rs", "src/m.rs", "lib/r.rb", "x.php", "C.cs", "run.sh", "m.lua", "S.swift", "K.kt", "L.scala",
]  # fmt: skip
LANGUAGES = {
    "py": "python", "ts": "typescript", "js": "javascript", "go": "go", "java": "java", "h": "c", "c": "c",
    "rs": "rust", "rb": "ruby", "php": "php", "cs": "csharp", "sh": "bash", "lua": "lua", "swift": "swift",
    "kt": "kotlin", "scala": "scala", "mod": "text",
}  # fmt: skip
NAMES = st.sampled_from(["a", "b", "Q", "f", "run", "x", "default", "init", "é", "*", ""])
QUALIFIERS = st.sampled_from(
    ["", "", "self", "this", "super", "super()", "a", "Q", "a.b", "self.x.y", "f()", "a[].b", '""', "()", "crate::m",
     "super::a", "::", ".", "new Q()", "a.b.c.d.e.f", "$this", "Q::run"]
)  # fmt: skip
MODULES = st.sampled_from(
    ["", ".", "..", "......", ".b", "pkg", "pkg.b", "pkg.sub.c", "a", "./lib/x", "./lib/x.js", "../..", "web", "@x/web",
     "@", "@/lib/x", "example.com/m/cmd", "fmt", "p.Q", "p", "h.h", "<h.h>", "inc/h.h", "<>", "crate::m", "super", "m",
     "self::a", "::", "\\p\\Q", "./run.sh", "$DIR/run.sh", "/", "\x00", "r", "./r"]
)  # fmt: skip


@st.composite
def facts(draw: st.DrawFn, language: str) -> Facts:
    symbols: list[Symbol] = []
    for line in range(1, draw(st.integers(0, 5)) + 1):
        parent = draw(st.integers(-1, len(symbols) - 1))
        name = draw(NAMES)
        prefix = symbols[parent].descriptor + "." if parent >= 0 else draw(st.sampled_from(["", "", "Q."]))
        symbols.append(Symbol(draw(st.sampled_from(KINDS)), name, prefix + name, "", "", line, 9, line, 0, 0, parent))
    places = st.integers(-1, len(symbols) - 1)
    lines = st.integers(1, 9)
    references = draw(
        st.lists(st.builds(Reference, st.sampled_from(ROLES), NAMES, QUALIFIERS, lines, lines, places), max_size=8)
    )
    imports = draw(st.lists(st.builds(Import, MODULES, NAMES, NAMES, lines, lines), max_size=4))
    return Facts(
        language,
        symbols,
        sorted(references, key=lambda r: (r.line, r.column)),
        sorted(imports, key=lambda i: (i.line, i.column)),
        [],
        0,
    )


@st.composite
def snapshots(draw: st.DrawFn) -> dict[str, Facts]:
    paths = draw(st.lists(st.sampled_from(PATHS), unique=True, max_size=8))
    return {path: draw(facts(LANGUAGES[path.rpartition(".")[2]])) for path in paths}


@settings(max_examples=80, deadline=None)
@given(snapshots())
def test_edges_are_well_formed(found: dict[str, Facts]) -> None:
    """Edges join known nodes of one family, are sorted, have known rules, and confidence only with a target."""
    o = columns(found)
    e = link(o, STYLES)
    symbols, nodes = len(o.symbol_file), len(o.symbol_file) + len(o.paths)
    home = [*o.symbol_file.tolist(), *range(len(o.paths))]
    family = [FAMILIES.get(language, language) for language in o.languages]
    rows = list(zip(e.file.tolist(), e.line.tolist(), e.column.tolist(), e.kind.tolist(), strict=True))
    assert rows == sorted(rows)
    assert len(e.candidate_start) == len(rows) + 1
    assert e.candidate_start[-1] == len(e.candidates)
    for row in range(len(rows)):
        source, target = int(e.source[row]), int(e.target[row])
        assert 0 <= source < nodes
        assert -1 <= target < nodes
        assert e.rule[row] < len(RULES)
        assert (0 < e.confidence[row] <= 1) == (target >= 0)
        assert home[source] == e.file[row]
        candidates = e.candidates[e.candidate_start[row] : e.candidate_start[row + 1]].tolist()
        assert len(candidates) <= 10
        assert len(set(candidates)) == len(candidates)
        for node in [*candidates, *([target] if target >= 0 else [])]:
            assert family[home[node]] == family[e.file[row]]
        if EDGE_KINDS[e.kind[row]] == "contains":
            assert target < symbols
    calls = (o.reference_role == ROLES.index("call")).sum()
    assert (e.kind == EDGE_KINDS.index("calls")).sum() >= calls
    assert (e.kind == EDGE_KINDS.index("contains")).sum() == symbols


@settings(max_examples=30, deadline=None)
@given(snapshots(), st.integers(0, 2**32 - 1))
def test_the_order_of_strings_does_not_matter(found: dict[str, Facts], seed: int) -> None:
    """The exported bytes are the same for any order of the string pool, and for the same call again."""
    o = columns(found)
    other = columns(found, np.random.default_rng(seed))
    once = list(export.jsonl(o, link(o, STYLES)))
    assert once == list(export.jsonl(o, link(o, STYLES)))
    assert once == list(export.jsonl(other, link(other, STYLES)))


@settings(max_examples=30, deadline=None)
@given(snapshots(), st.integers(0, 60))
def test_ranks_and_maps(found: dict[str, Facts], budget: int) -> None:
    """Ranks are a distribution; the map keeps its budget and is the same each time."""
    o = columns(found)
    e = link(o, STYLES)
    for ranks in (rank.file_ranks(o, e), rank.symbol_ranks(o, e)):
        assert (ranks >= 0).all()
        assert abs(ranks.sum() - bool(o.paths)) < 1e-9

    def count(text: str) -> int:
        return len(text) // 4

    signatures = [o.names[name] for name in o.symbol_name.tolist()]
    text = rank.repository_map(o, e, signatures, budget, count)
    assert count(text) <= budget
    assert text == rank.repository_map(o, e, signatures.__getitem__, budget, count)
