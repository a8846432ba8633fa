"""How long does a warm search take? Short questions and reports of 500 words about a folder's own code.

    python tests/bench/search.py FOLDER …

Questions are first sentences of doc comments; a report is such a sentence as its title, 500 words of other doc
comments, a line of code for every 50 of them and a trace through the repository. CPU milliseconds, in process.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import systems

from repoctx.workspace import Workspace

QUESTIONS, REPORTS, WORDS = 200, 50, 500


def texts(workspace: Workspace, seed: int = 0) -> tuple[list[str], list[str]]:
    """Questions and reports, the same for the same folder."""
    rng = random.Random(seed)
    loaded = workspace.open("bench").loaded
    o = loaded.index.view.occurrences
    rows = rng.sample(range(len(o.symbol_file)), min(20_000, len(o.symbol_file)))
    symbols = [loaded.symbol(row) for row in sorted(rows)]
    documented = [s for s in symbols if len(s.doc.split()) >= 5]
    questions = [s.doc.split(". ")[0].split("\n\n")[0].replace("\n", " ")[:120] for s in documented]
    rng.shuffle(questions)
    reports = []
    for title in questions[:REPORTS]:
        words = " ".join(s.doc for s in rng.sample(documented, min(60, len(documented)))).split()[:WORDS]
        lines = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
        code = [f"    {s.signature}" for s in rng.sample(symbols, WORDS // 50)]
        frames = [
            f'  File "/srv/{o.paths[row]}", line {rng.randint(1, 300)}, in f'
            for row in rng.sample(range(len(o.paths)), min(8, len(o.paths)))
        ]
        trace = ["Traceback (most recent call last):", *frames, "ValueError: it is not so"]
        reports.append("\n".join([title, "", *lines, "```", *code, "```", *trace]))
    return questions[:QUESTIONS], reports


def measured(workspace: Workspace, queries: Sequence[str]) -> str:
    """Percentiles of the second time each is asked."""
    taken = []
    for query in queries:
        workspace.search(query, "bench")
    for query in queries:
        started = time.process_time()
        workspace.search(query, "bench")
        taken.append(1000 * (time.process_time() - started))
    taken.sort()
    return f"p50 {statistics.median(taken):5.1f}  p95 {taken[int(0.95 * len(taken))]:5.1f}  longest {taken[-1]:5.1f} ms"


def main() -> None:
    """Measure each folder."""
    for folder in sys.argv[1:]:
        workspace = systems.fresh_workspace()
        report = workspace.index(folder, name="bench")
        lines = int(workspace.open("bench").index.view.lines.sum())
        print(f"{Path(folder).name}: {lines:,} lines, {report.files:,} files, {report.chunks:,} chunks")
        started = time.process_time()
        workspace.search("warm up", "bench")
        print(f"  first search  {time.process_time() - started:.2f} s")
        questions, reports = texts(workspace)
        print(f"  questions     {measured(workspace, questions)}  ({len(questions)})")
        print(f"  reports       {measured(workspace, reports)}  ({len(reports)} of {WORDS} words and more)")


if __name__ == "__main__":
    main()
