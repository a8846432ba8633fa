"""How right is the graph? What is known of it is written down, and a change has to touch that."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from bench.graph import JUDGE, SCOREBOARD, score, snapshot

from repoctx.graph.export import symbol_id
from repoctx.graph.link import link
from repoctx.graph.rules import RULES
from repoctx.parse.languages import styles
from repoctx.types import EDGE_KINDS

SOURCES = os.environ.get("REPOCTX_BENCH_SOURCES", "")
SAMPLES = Path(__file__).parents[2] / "sample_repos"
GOLDEN = Path(__file__).parents[1] / "golden" / "graph"


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()))
def test_all_edges_of_a_sample_repository(name: str) -> None:
    """Every edge but containment, with its rule and confidence; `make golden` writes them anew."""
    seen = snapshot(SAMPLES / name)
    o, edges = seen.occurrences, link(seen.occurrences, styles())
    ids = symbol_id(o)
    starts = edges.candidate_start.tolist()
    lines = []
    for row, (kind, file, line, source, target, rule) in enumerate(
        zip(edges.kind, edges.file, edges.line, edges.source, edges.target, edges.rule, strict=True)
    ):
        if EDGE_KINDS[kind] != "contains":
            choices = [ids[node] for node in edges.candidates[starts[row] : starts[row + 1]]]
            meant = ids[target] if target >= 0 else "?"
            sure = f"{edges.confidence[row]:.2f}" if target >= 0 else "-"
            told = f"{o.paths[file]}:{line} {EDGE_KINDS[kind]} {ids[source].rpartition('#')[2]} -> {meant}"
            lines.append(" ".join([told, f"({RULES[rule].name} {sure})", *choices]))
    text = "".join(f"{line}\n" for line in lines)
    golden = GOLDEN / f"{name}.edges"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_scoreboard_says_what_the_judge_says() -> None:
    """Whoever makes the graph better or worse writes it anew: `python tests/bench/graph.py SOURCES --score`."""
    if not SOURCES or not (JUDGE / "graph_eval.py").is_file():
        pytest.skip("REPOCTX_BENCH and REPOCTX_BENCH_SOURCES name no judge and no repositories for it")
    told = json.loads(SCOREBOARD.read_text())
    found = score(Path(SOURCES))
    assert found == {name: told[name] for name in found}
