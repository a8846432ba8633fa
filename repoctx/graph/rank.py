"""Which files and symbols matter most? PageRank over edges, and the repository map made from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from repoctx.graph.keys import Array, Rows, combine
from repoctx.types import EDGE_KINDS, KINDS

if TYPE_CHECKING:
    from repoctx.types import Edges, Occurrences

Ranks = NDArray[np.float64]

# Brin and Page 1998: the share of rank that follows edges; the rest starts anew.
DAMPING = 0.85
# 0.85 ** 40 = 0.0015: what is left to flow then moves no rank by more than that share.
ITERATIONS = 40
# What one edge of a kind says about the importance of its target. An import alone says little.
KIND_WEIGHTS: Mapping[str, float] = {
    "contains": 0.0, "calls": 1.0, "references": 0.7, "imports": 0.4, "inherits": 1.0,
    "overrides": 0.3, "tests": 0.2,
}  # fmt: skip
# Edges below this confidence are guesses among namesakes; followed, they raise every `append` and `get`.
TRUSTED = 0.5
# A used member makes its class or file important too: the weight from a symbol to what contains it.
UPWARD = 0.3
# A file that uses little hands on little: else two that use only each other keep all rank that reaches them
# (click's `_compat` and `_winconsole` had a third of it). In mean outgoing weights of a file.
LEAK = 0.25
# Variables and fields take a line of the map each and say less than what can be called or made.
MINOR_KINDS = frozenset({"variable", "constant", "field", "property", "enum_member", "macro"})
MINOR_WEIGHT = 0.3
# Tokens of a line of the map, about; where the search for the map's size starts.
LINE_TOKENS = 14
# The search ends when this share of the budget is used, or after so many tries.
FULL, TRIES = 0.97, 12

_KIND_WEIGHT = np.array([KIND_WEIGHTS[kind] for kind in EDGE_KINDS])
_IMPORTANCE = np.array([MINOR_WEIGHT if kind in MINOR_KINDS else 1.0 for kind in KINDS])
_CONTAINS = EDGE_KINDS.index("contains")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def pagerank(
    nodes: int,
    source: Array,
    target: Array,
    weight: Array,
    personalisation: Array | None = None,
    damping: float = DAMPING,
    iterations: int = ITERATIONS,
    leak: float = 0.0,
) -> Ranks:
    """Rank of each node, summing to 1 (no nodes: empty). float64; the same input gives the same bits.

    Of a node's rank leak / (leak + its outgoing weight) starts anew instead of following edges. `weight` is >= 0 for
    each edge; `personalisation` >= 0 for each node, where walks start (none, or all zero: everywhere alike). Rank of
    nodes without outgoing weight starts anew.
    """
    if not nodes:
        return np.zeros(0)
    start = np.ones(nodes) if personalisation is None else np.asarray(personalisation, np.float64)
    start = start / start.sum() if start.sum() > 0 else np.full(nodes, 1 / nodes)
    out = np.bincount(source, weights=weight, minlength=nodes)
    whole = out + leak
    share = np.divide(weight, whole[source], out=np.zeros(len(source)), where=out[source] > 0)
    anew = np.divide(whole - out, whole, out=np.ones(nodes), where=out > 0)
    rank = start
    for _ in range(iterations):
        flow = np.bincount(target, weights=rank[source] * share, minlength=nodes)
        rank = damping * (flow + (rank * anew).sum() * start) + (1 - damping) * start
    return rank


def file_ranks(occurrences: Occurrences, edges: Edges, personalisation: Array | None = None) -> Ranks:
    """F ranks, from the edges between files. `personalisation`: F weights."""
    o, files = occurrences, len(occurrences.paths)
    home = np.concatenate([o.symbol_file.astype(np.int64), np.arange(files)])
    source, target, weight = _weighted(edges)
    source, target = home[source], home[target]
    apart = source != target
    merged = _merged(source[apart], target[apart], weight[apart])
    return pagerank(files, *merged, personalisation, leak=LEAK * float(merged[2].sum()) / max(1, files))


def symbol_ranks(occurrences: Occurrences, edges: Edges, personalisation: Array | None = None) -> Ranks:
    """S + F ranks of all nodes, symbols first. `personalisation`: S + F weights."""
    o, symbols, files = occurrences, len(occurrences.symbol_file), len(occurrences.paths)
    source, target, weight = _merged(*_weighted(edges))
    inner = edges.kind == _CONTAINS
    source = np.concatenate([source, edges.target[inner]])
    target = np.concatenate([target, edges.source[inner]])
    weight = np.concatenate([weight, np.full(int(inner.sum()), UPWARD)])
    return pagerank(symbols + len(o.paths) if files else 0, source, target, weight, personalisation)


def _weighted(edges: Edges) -> tuple[Rows, Rows, Ranks]:
    weight = _KIND_WEIGHT[edges.kind] * edges.confidence
    keep = (edges.target >= 0) & (weight > 0) & (edges.confidence >= TRUSTED)
    return (
        edges.source[keep].astype(np.int64),
        edges.target[keep].astype(np.int64),
        weight[keep].astype(np.float64),
    )


def _merged(source: Rows, target: Rows, weight: Ranks) -> tuple[Rows, Rows, Ranks]:
    """One edge for each pair: 16 references from one place weigh as 4 from different ones."""
    if not len(source):
        return source, target, weight
    _, first, inverse = np.unique(combine(source, target), return_index=True, return_inverse=True)
    return source[first], target[first], np.sqrt(np.bincount(inverse, weights=weight))


# --- the repository map ------------------------------------------------------------------------


def repository_map(
    occurrences: Occurrences,
    edges: Edges,
    signatures: Callable[[int], str] | Sequence[str],
    budget: int,
    count: Callable[[str], int],
    *,
    lines: bool = True,
    without: NDArray[np.bool_] | None = None,
) -> str:
    """The most important files with the signatures of their most important symbols, in path order.

    At most `budget` tokens as `count` counts them on the whole text, "" if not even one file fits.
    `signatures` gives the signature of a symbol row. Lines are `signature  :line`, indented by nesting; the number is
    left out if `lines` is False. `without` are files (F) that have no place in it.
    """
    order = _by_importance(occurrences, edges)
    if without is not None:
        order = order[~without[occurrences.symbol_file[order]]]
    signature = signatures if callable(signatures) else signatures.__getitem__
    written: dict[int, str] = {}
    low, high, best = 0, min(len(order), max(budget, 0)), ""  # a line has a token at least
    size = min(high, max(budget // LINE_TOKENS, 1))
    for _ in range(TRIES):
        if low >= high:
            break
        text = _render(occurrences, order[:size], signature, written, lines)
        used = count(text)
        if used <= budget:
            low, best = size, text
            if used >= FULL * budget:
                break
        else:
            high = size - 1
        size = min(max(size * budget // max(used, 1), low + 1), high)
    return best


def _by_importance(o: Occurrences, edges: Edges) -> Rows:
    """Symbol rows, the most important first: rank of the file times the root of the share of its rank."""
    symbols = len(o.symbol_file)
    rank = symbol_ranks(o, edges)[:symbols] * _IMPORTANCE[o.symbol_kind]
    whole = np.bincount(o.symbol_file, weights=rank, minlength=len(o.paths))[o.symbol_file]
    score = file_ranks(o, edges)[o.symbol_file] * np.sqrt(
        np.divide(rank, whole, out=np.zeros(symbols), where=whole > 0)
    )
    return np.argsort(-score, kind="stable")


def _render(
    o: Occurrences, chosen: Rows, signature: Callable[[int], str], written: dict[int, str], numbers: bool
) -> str:
    """The map of some symbols and of all that they are in. `written` remembers what was written before."""
    shown = set(chosen.tolist())
    for row in chosen.tolist():
        while (row := int(o.symbol_parent[row])) >= 0 and row not in shown:
            shown.add(row)
    depth: dict[int, int] = {}
    text, last = [], -1
    for row in sorted(shown):
        file, parent = int(o.symbol_file[row]), int(o.symbol_parent[row])
        if file != last:
            text.append(f"{escaped(o.paths[file])}:\n")
            last = file
        depth[row] = depth[parent] + 1 if parent >= 0 else 1
        if row not in written:
            place = f"  :{o.symbol_name_line[row]}" if numbers else ""
            written[row] = f"{'  ' * depth[row]}{escaped(signature(row))}{place}\n"
        text.append(written[row])
    return "".join(text)


def escaped(text: str) -> str:
    """Text on one line: control characters and lone surrogates as `\\x0a`."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
