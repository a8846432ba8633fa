"""repoctx as the in-process system of outside benchmarks: code search, and issue localisation with packs.

`retriever(folder)` indexes a folder and gives `search(query, k)`; `System` has `index`, `locate` and `pack`.
Each keeps its index in a folder of its own that goes with the process. REPOCTX_BENCH_WITHOUT="history,graph" leaves
rankers out, REPOCTX_BENCH_ONLY="lexical" all others: what is each worth?
"""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from repoctx.pack import manifest
from repoctx.retrieve import fuse
from repoctx.retrieve.fuse import Weights
from repoctx.workspace import Workspace, open_workspace


def fresh_workspace() -> Workspace:
    """A workspace with an empty home, removed at exit."""
    home = tempfile.TemporaryDirectory(prefix="repoctx-bench-")
    opened = open_workspace({"home": home.name})
    workspace = opened.__enter__()
    atexit.register(lambda: (opened.__exit__(None, None, None), home.cleanup()))
    return workspace


def weigh(workspace: Workspace, name: str) -> None:
    """Give a repository the weights that the environment asks for."""
    without = os.environ.get("REPOCTX_BENCH_WITHOUT", "").split(",")
    only = [ranker for ranker in os.environ.get("REPOCTX_BENCH_ONLY", "").split(",") if ranker]
    if not only and without == [""]:
        return

    def kept(table: dict[str, float]) -> dict[str, float]:
        return {r: w for r, w in table.items() if r not in without and (not only or r in only)}

    chosen = {kind: Weights(*(kept(dict(table)) for table in tables)) for kind, tables in fuse.weights().items()}
    path = workspace.weights_file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(fuse.written(chosen))


def retriever(folder: str) -> Callable[[str, int], list[dict[str, Any]]]:
    """Index a folder; the function it gives finds chunks."""
    workspace = fresh_workspace()
    workspace.index(folder, name="bench")
    weigh(workspace, "bench")

    def search(query: str, k: int) -> list[dict[str, Any]]:
        return [
            {"path": hit.path, "start_line": hit.start_line, "end_line": hit.end_line, "score": hit.score}
            for hit in workspace.search(query, "bench", k=k).hits
        ]

    return search


class System:
    """Files and functions for an issue, and packs with a manifest."""

    def __init__(self) -> None:
        self.workspace = fresh_workspace()
        self.name = ""

    def index(self, tree: str, repo: str, changed: list[str] | None) -> None:
        """Bring the index of a tree up to date."""
        self.name = repo.replace("/", "__")
        self.workspace.index(tree, name=self.name)
        weigh(self.workspace, self.name)

    def locate(self, query: str, k: int) -> dict[str, list[str]]:
        """The best files, and the best functions as path::descriptor."""
        kinds = ("function", "method", "constructor", "property")
        files = self.workspace.search(query, self.name, k=k, level="file").hits
        functions = self.workspace.search(query, self.name, k=k, level="symbol", kinds=kinds).hits
        return {
            "files": [hit.path for hit in files],
            "functions": [f"{hit.path}::{hit.qualified_name}" for hit in functions],
        }

    def pack(self, query: str, budget: int) -> dict[str, Any]:
        """A prompt within a budget and what it claims to hold."""
        made = self.workspace.pack(query, self.name, budget=budget)
        kinds = {"full": "full"}
        entries = [
            {
                "path": Path(p["path"]).as_posix(),
                "start": p["start_line"],
                "end": p["end_line"],
                "kind": kinds.get(p["detail"], "outline"),
            }
            for p in manifest(made)["parts"]
        ]
        return {"prompt": made.prompt, "manifest": entries}
