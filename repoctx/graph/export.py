"""How does the graph look to other programs? JSON Lines, GraphML, networkx."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from repoctx.graph.rules import RULES
from repoctx.types import EDGE_KINDS, KINDS

if TYPE_CHECKING:
    import networkx as nx

    from repoctx.types import Edges, Occurrences

# XML 1.0 has no way to write these.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NODE_KEYS = (
    ("path", "string"), ("name", "string"), ("qualified_name", "string"), ("kind", "string"),
    ("start_line", "int"), ("end_line", "int"),
)  # fmt: skip
_EDGE_KEYS = (
    ("kind", "string"), ("path", "string"), ("line", "int"), ("column", "int"), ("confidence", "double"),
    ("rule", "string"),
)  # fmt: skip


def symbol_id(occurrences: Occurrences) -> list[str]:
    """Ids of all nodes: S symbols as `path#descriptor` (repeats in a file get `~2`, `~3`), then F files as their path."""
    o = occurrences
    ids, seen = [], dict[str, int]()
    for file, descriptor in zip(o.symbol_file.tolist(), o.symbol_descriptor.tolist(), strict=True):
        name = f"{o.paths[file]}#{o.names[descriptor]}"
        number = seen[name] = seen.get(name, 0) + 1
        ids.append(name if number == 1 else f"{name}~{number}")
    return [*ids, *o.paths]


def jsonl(occurrences: Occurrences, edges: Edges) -> Iterator[str]:
    """One JSON object a line, each with its line end: all symbols, one of kind "module" for each file, all edges.

    Lines are 1-based, columns 0-based in bytes. `candidates` are the ids that an edge may have meant.
    """
    ids = symbol_id(occurrences)
    for number, node in zip(ids, _nodes(occurrences), strict=True):
        yield _line({"type": "symbol", "id": number, **node})
    for edge in _edges(occurrences, edges, ids):
        yield _line({"type": "edge", **edge})


def graphml(occurrences: Occurrences, edges: Edges) -> Iterator[str]:
    """The same graph as GraphML, in pieces: a directed multigraph without the edges that have no target."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for place, attributes in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
        for name, kind in attributes:
            yield f'<key id="{place}_{name}" for="{place}" attr.name="{name}" attr.type="{kind}"/>\n'
    yield '<graph edgedefault="directed">\n'
    ids = symbol_id(occurrences)
    for number, node in zip(ids, _nodes(occurrences), strict=True):
        yield f"<node id={_attribute(number)}>{_values('node', node, _NODE_KEYS)}</node>\n"
    for place, edge in enumerate(_edges(occurrences, edges, ids)):
        if edge["target"] is not None:
            ends = f"source={_attribute(edge['source'])} target={_attribute(edge['target'])}"
            yield f'<edge id="{place}" {ends}>{_values("edge", edge, _EDGE_KEYS)}</edge>\n'
    yield "</graph>\n</graphml>\n"


def to_networkx(occurrences: Occurrences, edges: Edges) -> nx.MultiDiGraph[str]:
    """The graph in networkx: nodes by id, edges by their number; edges without a target are left out."""
    import networkx as nx  # 0.4 CPU s to import: only for those who ask for it

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    ids = symbol_id(occurrences)
    graph.add_nodes_from(zip(ids, _nodes(occurrences), strict=True))
    for place, edge in enumerate(_edges(occurrences, edges, ids)):
        source, target = edge.pop("source"), edge.pop("target")
        if target is not None:
            graph.add_edge(source, target, key=place, **edge)
    return graph


def _nodes(o: Occurrences) -> Iterator[dict[str, Any]]:
    last = _last_lines(o)
    for file, name, descriptor, kind, start, end in zip(
        o.symbol_file.tolist(), o.symbol_name.tolist(), o.symbol_descriptor.tolist(), o.symbol_kind.tolist(),
        o.symbol_start.tolist(), o.symbol_end.tolist(), strict=True,
    ):  # fmt: skip
        yield _node(o.paths[file], o.names[name], o.names[descriptor], KINDS[kind], start, end)
    for path, end in zip(o.paths, last, strict=True):
        yield _node(path, path.rpartition("/")[2], path, "module", 1, end)


def _node(path: str, name: str, descriptor: str, kind: str, start: int, end: int) -> dict[str, Any]:
    return {
        "path": path, "name": name, "qualified_name": descriptor, "kind": kind, "start_line": start, "end_line": end,
    }  # fmt: skip


def _last_lines(o: Occurrences) -> list[int]:
    """For each file the last line that a symbol, reference or import of it is known to reach."""
    last = np.ones(len(o.paths), np.int64)
    for file, line in (
        (o.symbol_file, o.symbol_end), (o.reference_file, o.reference_line), (o.import_file, o.import_line)
    ):  # fmt: skip
        np.maximum.at(last, file, line)
    lines: list[int] = last.tolist()
    return lines


def _edges(o: Occurrences, e: Edges, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    candidates = [ids[node] for node in e.candidates.tolist()]
    starts = e.candidate_start.tolist()
    rules = [rule.name for rule in RULES]
    for number, (kind, file, line, column, source, target, confidence, rule) in enumerate(
        zip(
            e.kind.tolist(), e.file.tolist(), e.line.tolist(), e.column.tolist(), e.source.tolist(),
            e.target.tolist(), e.confidence.tolist(), e.rule.tolist(), strict=True,
        )
    ):  # fmt: skip
        yield {
            "kind": EDGE_KINDS[kind], "path": o.paths[file], "line": line, "column": column,
            "source": ids[source], "target": ids[target] if target >= 0 else None,
            "confidence": round(confidence, 2), "rule": rules[rule],
            "candidates": candidates[starts[number] : starts[number + 1]],
        }  # fmt: skip


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _values(place: str, values: dict[str, Any], attributes: Sequence[tuple[str, str]]) -> str:
    return "".join(f'<data key="{place}_{name}">{escape(_clean(str(values[name])))}</data>' for name, _ in attributes)
