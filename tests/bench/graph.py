"""How right is the symbol graph? The graphs of many repositories, and what an outside judge says of them.

    python tests/bench/graph.py SOURCES EXPORTS [ROOT ...]
    python tests/bench/graph.py SOURCES --score [SCOREBOARD]

Each ROOT is a folder below SOURCES; without any, every root that the judge's truth files name (see
`roots`) and that is there. Each is linked as a repository of its own, in this process and without a
database, and written to `EXPORTS/<ROOT with / as __>.jsonl`, as `graph_eval.py --exports` reads it.

With `--score` the judge, `graph_eval.py` in the folder REPOCTX_BENCH, scores them all, and the figures
that people steer by are written to the scoreboard (`tests/bench/graph.json`). A test compares them
where REPOCTX_BENCH and REPOCTX_BENCH_SOURCES are set: whoever changes how right the graph is has to
write the scoreboard anew and say so.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from repoctx.derive import Document, columns
from repoctx.graph import export
from repoctx.graph.link import link
from repoctx.parse import parse
from repoctx.parse.languages import by_path, decode, styles
from repoctx.source.filter import content_skip
from repoctx.store.payload import Key
from repoctx.store.snapshots import Member
from repoctx.store.view import View, view
from repoctx.types import Facts

JUDGE = Path(os.environ.get("REPOCTX_BENCH", "bench"))
SCOREBOARD = Path(__file__).with_suffix(".json")
LARGEST = 1_000_000  # bytes of a file that is read


@cache
def facts_of(language: str, text: bytes) -> Facts:
    """The facts of a text; small benchmarks hold many files twice."""
    return parse(language, text)


def tree(root: Path) -> Iterator[tuple[str, bytes]]:
    """The path and bytes of every readable file, in path order; hidden folders are left out."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".git")]
        found += [Path(folder, name) for name in files]
    for path in sorted(found, key=lambda p: os.fsencode(p.relative_to(root).as_posix())):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
            raw = path.read_bytes()
            if content_skip(raw) is None:
                yield path.relative_to(root).as_posix(), decode(raw)


def snapshot(root: Path) -> View:
    """A folder as a view, without a store."""
    members, documents = [], {}
    for path, text in tree(root):
        key = Key(str(hash((by_path(path), text))), by_path(path), "0")
        members.append(Member(path, key))
        lines = np.ones(text.count(b"\n") + 1, np.uint32)
        documents[key] = Document(key, text, facts_of(by_path(path), text), lines)
    return view(members, [columns([documents[key] for key in sorted(documents)])])


def roots(truth: Path) -> list[str]:
    """The roots that the judge's truth files name."""
    found: set[str] = set()
    for path in sorted(truth.glob("*.json.gz")):
        told = json.loads(gzip.decompress(path.read_bytes()))
        found.update([case["root"] for case in told["cases"]] if told["suite"] == "calls" else [told["repo"]])
    return sorted(found)


def write(root: Path, out: Path) -> None:
    """Link a folder and write its graph."""
    seen = snapshot(root)
    edges = link(seen.occurrences, styles())
    with out.open("w", encoding="utf-8") as file:
        file.writelines(export.jsonl(seen.occurrences, edges, seen.lines.tolist()))


def score(sources: Path) -> dict[str, dict[str, float]]:
    """What the judge says of all repositories that are there. Figures of a run depend on the code alone."""
    judge = _judge()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as exports:

        def export_of(root: str) -> Any:
            path = Path(exports, root.replace("/", "__"))
            if not path.exists():
                write(sources / root, path)
            with path.open(encoding="utf-8") as file:
                return judge.Export(file)

        for path in sorted(JUDGE.glob("graph/*.json.gz")):
            told = json.loads(gzip.decompress(path.read_bytes()))
            wanted = [case["root"] for case in told["cases"]] if told["suite"] == "calls" else [told["repo"]]
            if not all((sources / root).is_dir() for root in wanted):
                print(f"{path.name}: sources are not there", file=sys.stderr)
                continue
            name = path.name.removesuffix(".json.gz")
            if told["suite"] == "calls":
                found[name] = _sure(judge.eval_calls(told, export_of)["curve"])
            elif told["suite"] == "defs":
                said = judge.eval_defs(told, export_of(told["repo"]), None)
                found[name] = {key: said[key] for key in ("p", "r", "f1")}
            else:
                found[name] = _references(judge.eval_refs(told, export_of(told["repo"]), None))
    return found


def _judge() -> Any:
    spec = importlib.util.spec_from_file_location("graph_eval", JUDGE / "graph_eval.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _references(said: dict[str, Any]) -> dict[str, float]:
    """The bars: the best answer right, precision of sure edges, F1 over all edges."""
    return {
        "core top-1": said["core"]["top1"],
        "bare top-1": said["core_bare"]["top1"],
        "member top-1": said["core_member"]["top1"],
        "precision >= .9": said["core"]["curve"][-1]["p"],
        "recall >= .9": said["core"]["curve"][-1]["r"],
        "precision": said["core"]["curve"][0]["p"],
        "inherits f1": said["inherits"]["curve"][0]["f1"],
        "imports f1": said["import_files"]["curve"][0]["f1"],
        "file dependencies f1": said["file_deps"]["curve"][0]["f1"],
    }


def _sure(curve: list[dict[str, float]]) -> dict[str, float]:
    return {
        "p": curve[0]["p"], "r": curve[0]["r"], "f1": curve[0]["f1"],
        "p >= .9": curve[-1]["p"], "r >= .9": curve[-1]["r"],
    }  # fmt: skip


def main() -> None:
    """Write all graphs, or the scoreboard."""
    sources, exports, *wanted = sys.argv[1:]
    if exports == "--score":
        text = json.dumps(score(Path(sources)), indent=1, sort_keys=True) + "\n"
        Path(wanted[0] if wanted else SCOREBOARD).write_text(text)
        return
    Path(exports).mkdir(parents=True, exist_ok=True)
    for root in wanted or roots(JUDGE / "graph"):
        if (Path(sources) / root).is_dir():
            write(Path(sources) / root, Path(exports) / (root.replace("/", "__") + ".jsonl"))
        else:
            print(f"{root}: not there", file=sys.stderr)


if __name__ == "__main__":
    main()
