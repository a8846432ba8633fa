"""Does a docstring find its function? The first measure of an embedding model.

Queries are the first paragraphs of docstrings (five words or more, each once), targets the functions
without them; the corpus is the targets and other functions of the same repository. Every method sees the
path, the qualified name and the body.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mine import paragraphs, parsed, without_doc
from numpy.typing import NDArray

from repoctx.index.lexical import terms
from repoctx.parse.extract import extract
from repoctx.parse.languages import by_path, decode, resolve
from repoctx.source import Limits, open_source
from repoctx.types import Skip

TARGETS, OTHERS, SHORTEST = 500, 2000, 60


class Function(NamedTuple):
    """A function without its docstring."""

    path: str
    name: str
    signature: str
    body: str

    @property
    def text(self) -> str:
        """What a model that takes texts gets to see."""
        return f"{self.path} {self.name.replace('.', ' ')}\n{self.body}"


class Probe(NamedTuple):
    """Queries, each about the function of the same row; further functions follow."""

    queries: Sequence[str]
    functions: Sequence[Function]


def probe(repository: Path, under: str, seed: int = 0) -> Probe:
    """The task of a repository's newest commit, from the files under a folder."""
    found: list[tuple[str, Function]] = []
    with open_source(str(repository), ref=None, limits=Limits(), mirrors=repository) as source:
        entries = [e for e in source.tree().entries if e.path.startswith(under) and parsed(e.path)]
        for entry, raw in source.read(entries):
            if not isinstance(raw, Skip):
                found.extend(functions(entry.path, decode(raw)))
    seen = Counter(query for query, _ in found)
    described = [i for i, (query, _) in enumerate(found) if len(query.split()) >= 5 and seen[query] == 1]
    order = np.random.default_rng(seed).permutation(len(described))
    targets = [described[i] for i in order[:TARGETS]]
    rest = sorted(set(range(len(found))) - set(targets))
    others = [rest[i] for i in np.random.default_rng(seed).permutation(len(rest))[:OTHERS]]
    return Probe([found[i][0] for i in targets], [found[i][1] for i in [*targets, *others]])


def functions(path: str, text: bytes) -> list[tuple[str, Function]]:
    """(docstring's first paragraph, function) of a file; "" where there is none."""
    lines = text.split(b"\n")
    found = []
    for symbol in extract(resolve(by_path(path), text), text)[0]:
        if symbol.kind in ("function", "method", "constructor"):
            body = b"\n".join(without_doc(lines[symbol.start_line - 1 : symbol.end_line], symbol.doc)).decode()
            if len(body) >= SHORTEST:
                query = next(iter(paragraphs(symbol.doc)), "")
                found.append((query, Function(path, symbol.descriptor.replace("()", ""), symbol.signature, body)))
    return found


def ranks(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,) 1-based rank of column i in row i of (n, m) scores; ties count against."""
    own = scores[np.arange(len(scores)), np.arange(len(scores))]
    return (scores >= own[:, None]).sum(1)


def mrr(found: NDArray[np.int64], most: int = 10) -> float:
    """Mean reciprocal rank at `most`."""
    return float(np.where(found <= most, 1 / found, 0).mean())


def fused(lists: Sequence[NDArray[np.float32]], constant: int = 60) -> NDArray[np.float32]:
    """Reciprocal-rank fusion (Cormack, Clarke and Büttcher 2009) of score matrices."""
    total = np.zeros(lists[0].shape, np.float64)
    for scores in lists:
        order = np.argsort(-scores, axis=1, kind="stable")
        place = np.empty_like(order)
        np.put_along_axis(place, order, np.arange(scores.shape[1])[None, :], 1)
        total += 1 / (constant + 1 + place)
    return total.astype(np.float32)


def bm25(task: Probe, k1: float = 1.2, b: float = 0.75) -> NDArray[np.float32]:
    """(n, m) BM25 scores on the lexical index's terms."""
    bags = [Counter(terms(f.text)) for f in task.functions]
    length = np.array([sum(bag.values()) for bag in bags], np.float32)
    norm = k1 * (1 - b + b * length / length.mean())
    holders: dict[str, list[tuple[int, int]]] = {}
    for i, bag in enumerate(bags):
        for term, count in bag.items():
            holders.setdefault(term, []).append((i, count))
    scores = np.zeros((len(task.queries), len(bags)), np.float32)
    for row, query in enumerate(task.queries):
        for term in sorted(set(terms(query))):
            if held := holders.get(term):
                at, count = np.array(held).T
                rarity = np.log1p((len(bags) - len(held) + 0.5) / (len(held) + 0.5))
                scores[row, at] += rarity * count * (k1 + 1) / (count + norm[at])
    return scores
