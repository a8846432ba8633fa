"""How fast and how exact is vector search, by size and kind of index?

    python tests/bench/dense.py FOLDER ... [--embedder static] [--sizes 50000,300000] [--keep FILE.npz]

The chunks of all source files in the folders are embedded as indexing does it (`--keep` keeps the vectors for
the next run; files are taken in a fixed random order until there are enough), and asked for with first
sentences of doc comments. Sizes beyond the chunks found are filled up with mixtures of two of them.
recall@10 is the share of the ten best by float32 vectors, paths left out. Times are CPU time of one thread,
for NEAREST chunks; those of ours include paths.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np

from repoctx.index import dense
from repoctx.index.codes import codes
from repoctx.index.embed import chunk_text, embedder, path_text
from repoctx.parse import languages, parse
from repoctx.retrieve.evidence import NEAREST
from repoctx.store import vectors

LARGEST_FILE = 400_000  # bytes
QUERIES = 200
TEXTS = 2048  # embedded at a time
# Mixtures are this much of one chunk and the rest of another.
MIXED = 0.8


def source(folders: list[str]) -> Iterator[tuple[str, str, bytes]]:
    """Path, language and text of each source file, in a random order that is always the same."""
    found = []
    for folder in folders:
        for top, below, names in os.walk(folder):
            below[:] = sorted(set(below) - {".git"})
            found += [Path(top, name) for name in sorted(names)]
    random.Random(0).shuffle(found)
    for path in found:
        language = languages.by_path(path.name)
        if languages.row(language).grammar and path.is_file() and path.stat().st_size <= LARGEST_FILE:
            yield str(path), language, languages.decode(path.read_bytes())


def embedded(folders: list[str], setting: str, most: int) -> dict[str, np.ndarray]:
    """Vectors of distinct chunks, of the paths of their files and of questions; the file of each chunk."""
    texts: dict[str, int] = {}
    paths: list[str] = []
    questions: set[str] = set()
    for path, language, text in source(folders):
        facts = parse(language, text)
        for chunk in facts.chunks:
            name = facts.symbols[chunk.symbol].descriptor if chunk.symbol >= 0 else ""
            texts.setdefault(
                chunk_text(name, text[chunk.start_byte : chunk.end_byte].decode("utf-8", "replace")), len(paths)
            )
        questions.update(first for symbol in facts.symbols if 5 <= len((first := sentence(symbol.doc)).split()) <= 20)
        paths.append(path)
        if len(texts) >= most:
            break
    asked = random.Random(0).sample(sorted(questions), min(QUERIES, len(questions)))
    model = embedder(setting)
    assert model is not None
    listed = list(texts)
    started = time.process_time()
    rows = [model.documents(listed[start : start + TEXTS]) for start in range(0, len(listed), TEXTS)]
    print(f"{len(listed)} chunks of {len(paths)} files, {model.model}: {time.process_time() - started:.1f} CPU s")
    return {
        "chunks": np.concatenate(rows),
        "chunk_file": np.array(list(texts.values()), np.int32),
        "paths": model.documents([path_text(path) for path in paths]),
        "queries": np.stack([model.query(question) for question in asked]),
    }


def sentence(doc: str) -> str:
    """The first sentence of a doc comment."""
    return doc.split("\n")[0].split(". ")[0]


def filled(found: dict[str, np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """As many vectors, and files in order: the first real ones, then mixtures."""
    rows, file = found["chunks"][:size], found["chunk_file"][:size]
    if len(rows) < size:
        rng = np.random.default_rng(0)
        one, other = rng.integers(0, len(rows), (2, size - len(rows)))
        mixed = MIXED * found["chunks"][one] + (1 - MIXED) * found["chunks"][other]
        mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
        rows, file = np.concatenate([rows, mixed.astype(np.float32)]), np.concatenate([file, file[one]])
    return rows, np.sort(file)


def measured(search: Callable[[np.ndarray], np.ndarray], queries: np.ndarray, best: np.ndarray, scores: np.ndarray):
    """Milliseconds per query at the median, and recall@10 given the tenth best score and all scores of each."""
    times, shares = [], []
    for query, least, all_scores in zip(queries, best, scores, strict=True):
        started = time.process_time()
        rows = search(query)
        times.append(time.process_time() - started)
        shares.append(np.count_nonzero(all_scores[rows[:10]] >= least - 1e-6) / 10)
    return 1000 * statistics.median(times), float(np.mean(shares))


def laid(folder: Path, rows: np.ndarray) -> list[tuple[object, np.ndarray]]:
    """Our segments of some vectors, each vector a blob, appended in three pieces."""
    for part in np.array_split(np.arange(len(rows)), 3):
        if len(part):
            keys = [b"%d" % row for row in part]
            vectors.append(folder, "m", keys, [1] * len(part), codes(rows[part]))
    return vectors.load(folder, "m")


def table(found: dict[str, np.ndarray], size: int, others: bool) -> None:
    """Print a line for each kind of index."""
    rows, file = filled(found, size)
    queries = found["queries"]
    scores = np.stack([rows @ query for query in queries])
    best = np.partition(scores, -10, axis=1)[:, -10]
    with tempfile.TemporaryDirectory() as made:
        started = time.process_time()
        segments = laid(Path(made), rows)
        opened = [(vectors.opened(segment), segment["sign"]) for segment in segments]
        part, row = vectors.lie(segments, [b"%d" % i for i in range(size)])
        paths = codes(found["paths"][: file.max() + 1])
        spent = time.process_time() - started
        kinds = [("ours, all compared", 1 << 40, 0)]
        kinds += [(f"ours, {n} by signs", 0, n) for n in (2048, 8192, 16_384, 32_768)]
        for name, exact, shortlist in kinds:
            plain = dense.build(opened, part, row, np.zeros_like(paths), file, exact, shortlist)
            _, recall = measured(lambda q, d=plain: dense.search(d, q, 10)[0], queries, best, scores)
            real = dense.build(opened, part, row, paths, file, exact, shortlist)
            ms, _ = measured(lambda q, d=real: dense.search(d, q, NEAREST)[0], queries, best, scores)
            size_of = sum(path.stat().st_size for path in Path(made).glob("*.columns"))
            line(size, name, size_of, spent, ms, recall)
    if not others:
        return
    d = rows.shape[1]
    for name, described in (("flat float32", "Flat"), ("SQ8", "SQ8"), ("IVF1024,SQ8, 16 lists", "IVF1024,SQ8")):
        index = faiss.index_factory(d, described, faiss.METRIC_INNER_PRODUCT)
        started = time.process_time()
        index.train(rows)
        index.add(rows)
        spent = time.process_time() - started
        if "IVF" in described:
            index.nprobe = 16
        ms, recall = measured(lambda q, i=index: i.search(q[None], NEAREST)[1][0], queries, best, scores)
        line(size, f"FAISS {name}", len(faiss.serialize_index(index)), spent, ms, recall)


def line(size: int, name: str, size_of: int, spent: float, ms: float, recall: float) -> None:
    """One row of the table."""
    print(f"| {size:,} | {name} | {size_of / 1e6:.0f} | {spent:.2f} | {ms:.2f} | {recall:.3f} |", flush=True)


def main() -> None:
    """Read or make the vectors, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--sizes", default="50000,300000")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--others", action="store_true", help="measure indexes of FAISS too")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    faiss.omp_set_num_threads(1)
    if asked.keep and asked.keep.exists():
        found = dict(np.load(asked.keep))
    else:
        found = embedded(asked.folders, asked.embedder, max(sizes))
        if asked.keep:
            np.savez(asked.keep, **found)
    print("| vectors | index | MB | build CPU s | ms a query | recall@10 |\n|---|---|---|---|---|---|")
    for size in sizes:
        table(found, size, asked.others)


if __name__ == "__main__":
    main()
