"""The symbol graphs of many repositories, written where an outside judge reads them.

    python tests/bench/graph.py SOURCES EXPORTS [ROOT ...]

Each ROOT is a folder below SOURCES; without any, every root that the judge's truth files name (see
`roots`) and that is there. Each is linked as a repository of its own, in this process and without a
database, and written to `EXPORTS/<ROOT with / as __>.jsonl`, as `graph_eval.py --exports` reads it.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

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


def main() -> None:
    """Write all graphs that were asked for."""
    sources, exports, *wanted = sys.argv[1:]
    judge = Path(os.environ.get("REPOCTX_BENCH", "../shared/bench")) / "graph"
    Path(exports).mkdir(parents=True, exist_ok=True)
    for root in wanted or roots(judge):
        if (Path(sources) / root).is_dir():
            write(Path(sources) / root, Path(exports) / (root.replace("/", "__") + ".jsonl"))
        else:
            print(f"{root}: not there", file=sys.stderr)


if __name__ == "__main__":
    main()
