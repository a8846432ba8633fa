"""How well do embedding models find code, and what do they cost? Docstring -> function, beside BM25.

    python tests/bench/embedding.py REPOSITORY [FOLDER/] [--model SETTING ...]

The set-up is that of `train/probe.py`: 500 first paragraphs of docstrings, 2,500 functions without them. For
every model MRR@10 and recall alone, fused with BM25 by rank (RRF, k = 60) and by a weighted sum, and the CPU
seconds for 1,000 functions. `--model` is a value of embedding.model: static, hashing, a folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "train"))

from probe import Probe, bm25, fused, mrr, probe, ranks

from repoctx.index.embed import embedder, path_text
from repoctx.index.static import Static

# Share of BM25 in the weighted sum; both are scaled to 0..1, cosines from the NEAREST-th on.
LEXICAL, NEAREST, PATH_WEIGHT = 0.7, 200, 0.2


def scores(task: Probe, setting: str) -> tuple[np.ndarray, float]:
    """(n, m) scores of a model, and its CPU seconds for the functions.

    The static model sees fields and path apart, as the index gives them to it; others one text with both.
    """
    model = embedder(setting)
    assert model is not None
    queries = np.stack([model.query(query) for query in task.queries])
    if isinstance(model, Static):
        from repoctx.index.lexical import postings

        fields: list[list[tuple[int, bytes]]] = [[], [], [], []]
        started = time.process_time()
        for number, function in enumerate(task.functions):
            for field, text in enumerate((function.name, function.signature, "", function.body)):
                fields[field].append((number, text.encode()))
        found = postings(fields, len(task.functions))
        ends = np.cumsum([0, *map(len, found.terms)])
        segment = {
            "chunk.symbol": np.zeros(len(task.functions), np.int32),
            "terms.bytes": np.frombuffer(b"".join(found.terms), np.uint8),
            "terms.offset": ends,
            "posting.offset": found.offset,
            "posting.chunk": found.chunk,
            "posting.frequency": found.frequency,
        }
        vectors = model.of_segment(segment, np.arange(len(task.functions)))
        paths = model.documents([path_text(function.path) for function in task.functions])
        spent = time.process_time() - started
        return queries @ vectors.T + PATH_WEIGHT * (queries @ paths.T), spent
    model.documents(["def warm(): up"])
    started = time.process_time()
    vectors = model.documents([function.text for function in task.functions])
    return queries @ vectors.T, time.process_time() - started


def weighted(dense: np.ndarray, lexical: np.ndarray) -> np.ndarray:
    """The sum of both, each scaled to 0..1 query by query."""
    floor = np.partition(dense, -NEAREST, axis=1)[:, -NEAREST][:, None]
    near = np.maximum(0, dense - floor) / (dense.max(axis=1, keepdims=True) - floor)
    return near + LEXICAL * lexical / np.maximum(lexical.max(axis=1, keepdims=True), 1e-9)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("--model", action="append", help="default: static and hashing")
    options = parser.parse_args()
    task = probe(options.repository, options.folder)
    lexical = bm25(task)
    print(f"{len(task.queries)} queries, {len(task.functions)} functions")
    print(f"{'':24}MRR@10   R@1  R@10  RRF with BM25  sum with BM25  CPU s per 1,000")
    found = ranks(lexical)
    print(f"{'BM25':24}{mrr(found):.3f}   {np.mean(found <= 1):.3f}  {np.mean(found <= 10):.3f}")
    for setting in options.model or ["static", "hashing"]:
        dense, spent = scores(task, setting)
        found = ranks(dense)
        both, total = mrr(ranks(fused([lexical, dense]))), mrr(ranks(weighted(dense, lexical)))
        print(
            f"{Path(setting).name:24}{mrr(found):.3f}   {np.mean(found <= 1):.3f}  {np.mean(found <= 10):.3f}"
            f"  {both:.3f}          {total:.3f}          {spent / len(task.functions) * 1000:.3f}"
        )


if __name__ == "__main__":
    main()
