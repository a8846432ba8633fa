"""What others do with the same questions: ripgrep, BM25 over files, BM25 over chunks, vectors alone.

Each function takes a folder and gives `search(query, k)`, as `systems.retriever` does. Rivals and rankers share only
what is named: BM25 is that of the textbook (k1 1.2, b 0.75) on the terms of the lexical index; chunks and vectors are
those of the index.
"""

from __future__ import annotations

import math
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import systems

from repoctx.index import dense as vectors
from repoctx.index.lexical import terms
from repoctx.retrieve.query import STOP_WORDS

Search = Callable[[str, int], list[dict[str, Any]]]
K1, B = 1.2, 0.75


def ripgrep(folder: str) -> Search:
    """Files with the most words of the query, then with the most lines that have one. Needs `rg` on the PATH."""

    def search(query: str, k: int) -> list[dict[str, Any]]:
        words = sorted({word for word in re.findall(r"\w{2,}", query.lower()) if word not in STOP_WORDS})
        found: dict[str, list[int]] = {}
        for word in words:
            command = ["rg", "--count", "--ignore-case", "--fixed-strings", "--sort=path", "--no-config"]
            command += ["-e", word, "."]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
            for line in done.stdout.splitlines():
                path, _, count = line.rpartition(":")
                found.setdefault(path.removeprefix("./"), []).append(int(count))
        best = sorted(found, key=lambda path: (-len(found[path]), -sum(found[path]), path))[:k]
        return [{"path": path, "start_line": None, "end_line": None} for path in best]

    return search


def bm25_files(folder: str) -> Search:
    """BM25 over the whole texts of files, paths included."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.stat().st_size < 1_000_000)
    texts = [f"{path.relative_to(folder)}\n{path.read_text(encoding='utf-8', errors='replace')}" for path in paths]
    places = [{"path": path.relative_to(folder).as_posix(), "start_line": None, "end_line": None} for path in paths]
    return _bm25(texts, places)


def bm25_chunks(folder: str) -> Search:
    """BM25 over the chunks of the index, with their paths."""
    workspace = systems.fresh_workspace()
    workspace.index(folder, name="bench")
    loaded = workspace.open("bench").loaded
    chunks, members = loaded.index.view.chunks, loaded.index.view.members
    parsed = loaded.parsed(range(len(members)))
    texts, places = [], []
    for row, file in enumerate(chunks.file.tolist()):
        raw = parsed[file].text.encode()[chunks.start_byte[row] : chunks.end_byte[row]]
        texts.append(f"{members[file].path}\n{raw.decode('utf-8', 'replace')}")
        places.append(_place(loaded.index.view, row))
    return _bm25(texts, places)


def dense(folder: str) -> Search:
    """The nearest chunks by the built-in model's vectors alone."""
    workspace = systems.fresh_workspace()
    workspace.index(folder, name="bench")
    index = workspace.open("bench").index

    def search(query: str, k: int) -> list[dict[str, Any]]:
        assert index.dense is not None
        embedder, nearby = index.dense
        rows, _ = vectors.search(nearby, embedder.query(query), k)
        return [_place(index.view, int(row)) for row in rows[:k]]

    return search


def _place(view: Any, row: int) -> dict[str, Any]:
    chunks = view.chunks
    path = view.members[chunks.file[row]].path
    return {"path": path, "start_line": int(chunks.start_line[row]), "end_line": int(chunks.end_line[row])}


def _bm25(texts: Sequence[str], places: Sequence[dict[str, Any]]) -> Search:
    bags = [Counter(terms(text)) for text in texts]
    holding: dict[str, list[tuple[int, int]]] = {}
    for number, bag in enumerate(bags):
        for term, count in bag.items():
            holding.setdefault(term, []).append((number, count))
    length = np.array([sum(bag.values()) for bag in bags], float)
    norm = K1 * (1 - B + B * length / max(1.0, length.mean() if len(length) else 1.0))

    def search(query: str, k: int) -> list[dict[str, Any]]:
        scores = np.zeros(len(texts))
        for term in sorted(set(terms(query)) - STOP_WORDS):
            found = holding.get(term, [])
            rarity = math.log1p((len(texts) - len(found) + 0.5) / (len(found) + 0.5))
            for number, count in found:
                scores[number] += rarity * count * (K1 + 1) / (count + norm[number])
        best = np.lexsort((np.arange(len(scores)), -scores))[:k]
        return [places[number] for number in best.tolist() if scores[number] > 0]

    return search
