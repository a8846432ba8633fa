"""What shape does the graph have? Cycles among files and symbols, and communities of files, through networkx."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph.rank import KIND_WEIGHTS, TRUSTED
from repoctx.types import EDGE_KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.types import Edges, Occurrences

# Communities are found by chance decisions (Louvain): always the same ones.
SEED = 0
# Folders with at least this share of a community's files give it its name.
NAMING = 0.5


class Cycle(NamedTuple):
    """Nodes that all lead to each other."""

    nodes: list[int]  # ascending
    edges: list[int]  # rows of the edges of a shortest way round, from the first node that has one


class Community(NamedTuple):
    """Files that have more to do with each other than with others."""

    label: str  # the folder that most of its files share; "" if that is the root
    files: list[int]  # those with the most weight within the community first
    inside: float  # weight of the edges within
    outside: float  # weight of the edges that lead out or in


def cycles(o: Occurrences, edges: Edges, kind: str, floor: float = TRUSTED) -> list[Cycle]:
    """Cycles of imports (between files), of bases or of calls (between symbols), the largest first.

    Each is a strongly connected component; a node that leads to itself is one, but for calls: recursion is no cycle
    of several. Edges below `floor` are left out.
    """
    import networkx as nx  # 0.4 CPU s to import: only for those who ask for it

    rows = np.flatnonzero(
        (edges.kind == EDGE_KINDS.index(kind)) & (edges.target >= 0) & (edges.confidence >= floor)
    )
    source, target = edges.source[rows].astype(np.int64), edges.target[rows].astype(np.int64)
    if kind == "imports":
        home = _home(o)
        source, target = home[source] + len(o.symbol_file), home[target] + len(o.symbol_file)
    keep = source != target if kind != "inherits" else np.ones(len(rows), np.bool_)
    rows, source, target = rows[keep], source[keep], target[keep]
    order = np.lexsort((rows, target, source))
    graph: nx.DiGraph[int] = nx.DiGraph()
    ways: dict[int, dict[int, int]] = {}
    for row, one, other in zip(rows[order].tolist(), source[order].tolist(), target[order].tolist(), strict=True):
        graph.add_edge(one, other)
        ways.setdefault(one, {}).setdefault(other, row)
    found = []
    for part in nx.strongly_connected_components(graph):
        nodes = sorted(part)
        if len(nodes) > 1 or nodes[0] in ways.get(nodes[0], ()):
            found.append(Cycle(nodes, _round(ways, nodes[0], part)))
    return sorted(found, key=lambda cycle: (-len(cycle.nodes), cycle.nodes))


def _round(ways: dict[int, dict[int, int]], start: int, within: Iterable[int]) -> list[int]:
    """Edges of a shortest way from a node back to itself."""
    allowed = set(within)
    before: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        at = waiting.popleft()
        for other in ways.get(at, ()):
            if other == start:
                found = [ways[at][start]]
                while at != start:
                    found.append(ways[before[at]][at])
                    at = before[at]
                return found[::-1]
            if other in allowed and other not in before:
                before[other] = at
                waiting.append(other)
    return []


def communities(o: Occurrences, edges: Edges, test: Mask) -> tuple[list[Community], float]:
    """Communities of files, the largest first, and their modularity. Files without any edge belong to none.

    `test` says of each file whether it is a test: those name a community only if it has no others.
    """
    import networkx as nx

    source, target, weight = _between_files(o, edges)
    graph: nx.Graph[int] = nx.Graph()
    for one, other, much in zip(source.tolist(), target.tolist(), weight.tolist(), strict=True):
        graph.add_edge(one, other, weight=much)
    if not len(source):
        return [], 0.0
    parts = [sorted(part) for part in nx.community.louvain_communities(graph, seed=SEED)]
    modularity = round(float(nx.community.modularity(graph, parts)), 3)
    number = np.full(len(o.paths), -1)
    for place, part in enumerate(parts):
        number[part] = place
    same = number[source] == number[target]
    within = np.bincount(np.concatenate([source[same], target[same]]), np.tile(weight[same], 2), len(o.paths))
    out = np.bincount(np.concatenate([source[~same], target[~same]]), np.tile(weight[~same], 2), len(o.paths))
    found = [
        Community(
            _label([o.paths[file] for file in part if not test[file]] or [o.paths[file] for file in part]),
            sorted(part, key=lambda file: (-round(float(within[file]), 6), file)),
            round(float(within[part].sum()) / 2, 1),
            round(float(out[part].sum()), 1),
        )
        for part in parts
    ]
    return sorted(found, key=lambda one: (-len(one.files), one.files)), modularity


def _between_files(o: Occurrences, edges: Edges) -> tuple[Rows, Rows, NDArray[np.float64]]:
    """Undirected weights between files: the root of the sum, since the tenth call says less than the first."""
    home = _home(o)
    share = np.array([KIND_WEIGHTS[kind] for kind in EDGE_KINDS])[edges.kind] * edges.confidence
    rows = np.flatnonzero((edges.target >= 0) & (edges.confidence >= TRUSTED) & (share > 0))
    one, other = home[edges.source[rows]], home[edges.target[rows]]
    low, high = np.minimum(one, other), np.maximum(one, other)
    apart = low != high
    key, inverse = np.unique(low[apart] * np.int64(len(o.paths)) + high[apart], return_inverse=True)
    weight = np.sqrt(np.bincount(inverse, weights=share[rows][apart], minlength=len(key)))
    return key // max(len(o.paths), 1), key % max(len(o.paths), 1), weight


def _home(o: Occurrences) -> Array:
    """The file of each node."""
    return np.concatenate([o.symbol_file.astype(np.int64), np.arange(len(o.paths))])


def _label(paths: Sequence[str]) -> str:
    """The deepest folder that holds most of some files."""
    counts: dict[str, int] = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder:
            counts[folder] = counts.get(folder, 0) + 1
            folder = folder.rpartition("/")[0]
    fit = [folder for folder, count in counts.items() if count >= NAMING * len(paths)]
    return max(fit, key=lambda folder: (folder.count("/"), counts[folder], folder), default="")
