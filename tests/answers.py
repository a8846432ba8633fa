"""Everything that an index says about a snapshot, as bytes: what must not depend on its history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from repoctx.pack import manifest
from repoctx.serve.show import json_line
from repoctx.workspace import Workspace, open_workspace

QUERIES = (
    "parse the configuration file",
    "where is the error raised",
    "README install",
    "test_main",
    "class",
)


def opened(home: Path, **settings: str):
    """A workspace with a home of its own."""
    return open_workspace(
        environment={"REPOCTX_HOME": str(home), "REPOCTX_CONFIG": str(home / "repoctx.toml"), **settings}
    )


def answers(
    workspace: Workspace, repository: str, queries: Sequence[str] = QUERIES, ref: str | None = None
) -> list[str]:
    """Search at every level, the graph, the map and a pack, each as text."""
    said = []
    for query in queries:
        for level in ("chunk", "symbol", "file"):
            hits = workspace.search(query, repository, ref, k=20, level=level).hits
            said.append("\n".join(json_line(hit) for hit in hits))
    said.append("\n".join(workspace.graph_lines(repository, ref)))
    said.append(workspace.map(repository, ref, budget=800))
    for budget in (4000, 40_000):
        made = workspace.pack(queries[0], repository, ref, budget=budget)
        said += [made.prompt, json.dumps(manifest(made), sort_keys=True)]
    return said
