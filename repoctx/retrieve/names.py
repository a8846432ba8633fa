"""Whose name says what the query says? Names of symbols and of files, word by word.

A name is cut into its words and those into stems, so that `streams.py` answers "how does streaming work" and
`UpdateStatement` "update statements". What counts is how rare the shared words are among names, and how much of the
name they make up: a name of one word that the query has says more than one of five of which it has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from repoctx.graph.symbols import lookup
from repoctx.index.lexical import split
from repoctx.index.stems import stem
from repoctx.spans import ranges
from repoctx.types import KINDS, Floats, Ints, Occurrences

# Names of files that only say what role a file has in its folder: the folder's name stands for them.
ROLES_OF_FILES = frozenset({"__init__", "index", "mod", "main", "lib", "init", "__main__"})
# What a name of each kind says about the place it is at: classes and functions are what questions are about.
KIND_WEIGHTS: Mapping[str, float] = {
    "module": 0.8, "namespace": 0.6, "class": 1.0, "interface": 1.0, "struct": 1.0, "union": 0.8, "enum": 0.9,
    "trait": 1.0, "type": 0.8, "function": 0.9, "method": 0.7, "constructor": 0.3, "property": 0.4, "field": 0.3,
    "variable": 0.3, "constant": 0.4, "enum_member": 0.2, "macro": 0.7, "object": 1.0, "extension": 0.8, "test": 0.3,
}  # fmt: skip
# The best names that are looked at: beyond, one word of several is shared.
MOST_NAMES = 3000
# A name with more definitions than this says nothing about a place (`get`, `__init__`).
COMMON_NAME = 30

_KIND_WEIGHT = np.array([KIND_WEIGHTS[kind] for kind in KINDS])


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Things by the stems of their names; N things."""

    number: Mapping[str, int]  # stem -> its number
    rarity: NDArray[np.float64]  # by stem
    start: NDArray[np.int64]  # by stem, and the end: into `thing`
    thing: NDArray[np.int64]
    whole: NDArray[np.float64]  # N, the rarities of all stems of the name together


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The names of a snapshot. F files, S symbols."""

    files: Words
    symbols: Words  # things are distinct names
    row: NDArray[np.int64]  # symbols by their names
    row_start: NDArray[np.int64]  # by name, and the end: into `row`
    weight: Floats  # S, by kind and by how many symbols have the name


def name_stems(name: str) -> frozenset[str]:
    """The stems of a name's words."""
    parts = split(name)
    return frozenset(stem(part) for part in (parts[1:] or parts))


def file_stems(path: str) -> frozenset[str]:
    """The stems of a file's name, or of its folder's where the name says only its role."""
    folders, _, last = path.rpartition("/")
    name = last.lstrip(".").partition(".")[0]
    if name.lower() in ROLES_OF_FILES and folders:
        name = folders.rpartition("/")[2]
    return name_stems(name)


def build(occurrences: Occurrences) -> Names:
    """The names of a snapshot, cut into words."""
    o = occurrences
    distinct, name, count = np.unique(o.symbol_name, return_inverse=True, return_counts=True)
    weight = _KIND_WEIGHT[o.symbol_kind] / np.sqrt(1 + np.log2(np.maximum(count[name], 1)))
    return Names(
        _words([file_stems(path) for path in o.paths]),
        _words([name_stems(o.names[i]) for i in distinct.tolist()]),
        np.argsort(name, kind="stable"),
        np.concatenate([[0], np.cumsum(count)]),
        weight.astype(np.float32),
    )


def _words(stems: Sequence[frozenset[str]]) -> Words:
    number = {word: i for i, word in enumerate(sorted(set().union(*stems)))}
    width = np.fromiter(map(len, stems), np.int64, len(stems))
    flat = np.fromiter((number[word] for found in stems for word in sorted(found)), np.int64, width.sum())
    thing = np.repeat(np.arange(len(stems)), width)
    order = np.argsort(flat, kind="stable")
    count = np.bincount(flat, minlength=len(number))
    rarity = np.log1p((len(stems) - count + 0.5) / (count + 0.5))
    whole: NDArray[np.float64] = np.bincount(thing, rarity[flat], len(stems)).astype(np.float64)
    return Words(number, rarity, np.concatenate([[0], np.cumsum(count)]), thing[order], whole)


def _shared(words: Words, weights: Mapping[str, float], power: int) -> NDArray[np.float64]:
    """(N,) how rare what a name shares with the query is, times a power of its share of the name."""
    found: NDArray[np.float64] = np.zeros(len(words.whole))
    part: NDArray[np.float64] = np.zeros(len(words.whole))
    for word, weight in sorted(weights.items()):
        at = words.number.get(word)
        if at is not None:
            things = words.thing[words.start[at] : words.start[at + 1]]
            found[things] += weight * words.rarity[at]
            part[things] += words.rarity[at]
    shared: NDArray[np.float64] = found * np.divide(part, words.whole, out=np.zeros_like(part), where=part > 0) ** power
    return shared


def stem_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Terms with weights as stems with weights, the largest of each."""
    found: dict[str, float] = {}
    for term, weight in sorted(weights.items()):
        if term.isalnum():
            found[stem(term)] = max(found.get(stem(term), 0.0), weight)
    return found


def files(names: Names, weights: Mapping[str, float]) -> Floats:
    """(F,) how much of the query is in the names of files; `weights` as `stem_weights` gives them."""
    return _shared(names.files, weights, 1).astype(np.float32)


def symbols(names: Names, weights: Mapping[str, float]) -> tuple[Ints, Floats]:
    """Symbol rows, ascending, whose names share words with the query, and how much."""
    shared = np.round(_shared(names.symbols, weights, 2), 6)
    found = np.flatnonzero(shared)
    if len(found) > MOST_NAMES:
        found = found[np.argsort(-shared[found], kind="stable")[:MOST_NAMES]]
    count = names.row_start[found + 1] - names.row_start[found]
    rows = names.row[ranges(names.row_start[found], count)]
    scores = (np.repeat(shared[found], count) * names.weight[rows]).astype(np.float32)
    order = np.argsort(rows)
    return rows[order].astype(np.int32), scores[order]


def written_out(occurrences: Occurrences, identifiers: Mapping[str, float]) -> dict[int, float]:
    """Symbol row -> how surely the query names it: the rarer the name, the more; a qualified name counts twice.

    `identifiers` have the weight of how they stand in the query.
    """
    found: dict[int, float] = {}
    for name, weight in sorted(identifiers.items()):
        rows = lookup(occurrences, name, any_case=False)
        if 0 < len(rows) <= COMMON_NAME:
            score = weight * (2.0 if "." in name else 1.0) / (1 + np.log2(len(rows)))
            for row in rows:
                found[row] = found.get(row, 0.0) + float(score)
    return dict(sorted(found.items()))
