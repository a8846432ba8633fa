"""How does the graph look to other programs? JSON Lines, GraphML, networkx."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
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
    """Ids of all nodes: S symbols as `path#descriptor` (repeats: `~2`, `~3`), then F files as their path."""
    o = occurrences
    texts = [
        f"{o.paths[f]}#{o.names[d]}" for f, d in zip(o.symbol_file.tolist(), o.symbol_descriptor.tolist(), strict=True)
    ]
    return [*_distinct(texts, set(o.paths)), *o.paths]


def _distinct(texts: Iterable[str], taken: set[str]) -> list[str]:
    """The same texts, repeats with `~2`, `~3` ... added; none of them is in `taken`."""
    repeats: dict[str, int] = {}
    found = []
    for text in texts:
        number = repeats.get(text, 0) + 1
        while (name := text if number == 1 else f"{text}~{number}") in taken:
            number += 1
        repeats[text] = number
        taken.add(name)
        found.append(name)
    return found


def jsonl(occurrences: Occurrences, edges: Edges, lines: Sequence[int] | None = None) -> Iterator[str]:
    """JSON objects, each with its line end: all symbols, one of kind "module" for each file, all edges.

    Lines are 1-based, columns 0-based in bytes. `lines` says how many lines each file has; without it a file
    ends where the last thing known of it does. `candidates` are the ids that an edge may have meant.
    """
    o = occurrences
    ids = [_json(name) for name in symbol_id(o)]
    paths = ids[len(o.symbol_file) :]
    for number, node in zip(ids, _nodes(o, lines), strict=True):
        yield f'{{"type":"symbol","id":{number},{_json(node)[1:-1]}}}\n'
    candidates = [ids[node] for node in edges.candidates.tolist()]
    starts = edges.candidate_start.tolist()
    for place, edge in enumerate(_edges(edges)):
        choices = ",".join(candidates[starts[place] : starts[place + 1]])
        yield (
            f'{{"type":"edge","kind":"{edge.kind}","path":{paths[edge.file]},"line":{edge.line},'
            f'"column":{edge.column},"source":{ids[edge.source]},'
            f'"target":{ids[edge.target] if edge.target >= 0 else "null"},'
            f'"confidence":{edge.confidence},"rule":"{edge.rule}","candidates":[{choices}]}}\n'
        )


def graphml(occurrences: Occurrences, edges: Edges, lines: Sequence[int] | None = None) -> Iterator[str]:
    """The same graph as GraphML, in pieces: a directed multigraph without the edges that have no target."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for place, attributes in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
        for name, type_ in attributes:
            yield f'<key id="{place}_{name}" for="{place}" attr.name="{name}" attr.type="{type_}"/>\n'
    yield '<graph edgedefault="directed">\n'
    ids = [quoteattr(name) for name in _distinct(map(_clean, symbol_id(occurrences)), set())]
    for quoted, node in zip(ids, _nodes(occurrences, lines), strict=True):
        values = (f'<data key="node_{name}">{escape(_clean(str(node[name])))}</data>' for name, _ in _NODE_KEYS)
        yield f"<node id={quoted}>{''.join(values)}</node>\n"
    paths = [escape(_clean(path)) for path in occurrences.paths]
    for number, edge in enumerate(_edges(edges)):
        if edge.target >= 0:
            yield (
                f'<edge id="{number}" source={ids[edge.source]} target={ids[edge.target]}>'
                f'<data key="edge_kind">{edge.kind}</data><data key="edge_path">{paths[edge.file]}</data>'
                f'<data key="edge_line">{edge.line}</data><data key="edge_column">{edge.column}</data>'
                f'<data key="edge_confidence">{edge.confidence}</data>'
                f'<data key="edge_rule">{edge.rule}</data></edge>\n'
            )
    yield "</graph>\n</graphml>\n"


def to_networkx(
    occurrences: Occurrences, edges: Edges, lines: Sequence[int] | None = None
) -> nx.MultiDiGraph[str]:
    """The graph in networkx: nodes by id, edges by their number; edges without a target are left out."""
    import networkx as nx  # 0.4 CPU s to import: only for those who ask for it

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    ids = symbol_id(occurrences)
    graph.add_nodes_from(zip(ids, _nodes(occurrences, lines), strict=True))
    for place, edge in enumerate(_edges(edges)):
        if edge.target >= 0:
            graph.add_edge(
                ids[edge.source], ids[edge.target], key=place, kind=edge.kind, confidence=edge.confidence,
                rule=edge.rule, path=occurrences.paths[edge.file], line=edge.line, column=edge.column,
            )  # fmt: skip
    return graph


class _Edge(NamedTuple):
    kind: str
    file: int
    line: int
    column: int
    source: int
    target: int
    confidence: float
    rule: str


def _edges(e: Edges) -> Iterator[_Edge]:
    columns = zip(
        [EDGE_KINDS[kind] for kind in e.kind.tolist()], e.file.tolist(), e.line.tolist(), e.column.tolist(),
        e.source.tolist(), e.target.tolist(), np.round(e.confidence.astype(np.float64), 2).tolist(),
        [RULES[rule].name for rule in e.rule.tolist()], strict=True,
    )  # fmt: skip
    return map(_Edge._make, columns)


def _nodes(o: Occurrences, lines: Sequence[int] | None) -> Iterator[dict[str, Any]]:
    last = _last_lines(o) if lines is None else lines
    for file, name, descriptor, kind, start, end in zip(
        o.symbol_file.tolist(), o.symbol_name.tolist(), o.symbol_descriptor.tolist(), o.symbol_kind.tolist(),
        o.symbol_start.tolist(), o.symbol_end.tolist(), strict=True,
    ):  # fmt: skip
        yield _node(o.paths[file], o.names[name], o.names[descriptor], KINDS[kind], start, end)
    for path, end in zip(o.paths, last, strict=True):
        yield _node(path, path.rpartition("/")[2], path, "module", 1, end)


def _node(path: str, name: str, descriptor: str, kind: str, start: int, end: int) -> dict[str, Any]:
    return {
        "path": path, "name": name, "qualified_name": descriptor, "kind": kind,
        "start_line": start, "end_line": end,
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


_json = json.JSONEncoder(separators=(",", ":")).encode


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
