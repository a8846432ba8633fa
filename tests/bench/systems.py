"""repoctx as the in-process system of outside benchmarks: code search, and issue localisation with packs.

`retriever(folder)` indexes a folder and gives `search(query, k)`; `System` has `index`, `locate` and `pack`.
Each keeps its index in a folder of its own that goes with the process.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from repoctx.pack import manifest
from repoctx.workspace import Workspace, open_workspace


def fresh_workspace() -> Workspace:
    """A workspace with an empty home, removed at exit."""
    home = tempfile.TemporaryDirectory(prefix="repoctx-bench-")
    opened = open_workspace({"home": home.name})
    workspace = opened.__enter__()
    atexit.register(lambda: (opened.__exit__(None, None, None), home.cleanup()))
    return workspace


def retriever(folder: str) -> Callable[[str, int], list[dict[str, Any]]]:
    """Index a folder; the function it gives finds chunks."""
    workspace = fresh_workspace()
    workspace.index(folder, name="bench")

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

    def locate(self, query: str, k: int) -> dict[str, list[str]]:
        """The best files, and the best functions as path::descriptor."""
        files = self.workspace.search(query, self.name, k=k, level="file").hits
        symbols = self.workspace.search(query, self.name, k=6 * k, level="symbol").hits
        kinds = ("function", "method", "constructor", "property")
        functions = [f"{hit.path}::{hit.qualified_name}" for hit in symbols if hit.kind in kinds]
        return {"files": [hit.path for hit in files], "functions": functions[:k]}

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
