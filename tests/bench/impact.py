"""How long does it take to answer what a change breaks?

    python tests/bench/impact.py REPOSITORY [COUNT]

Every symbol of an even sample is asked about in one process, as a long-running server would: the repository
is indexed into a folder of its own, the snapshot is loaded and each question was asked once before. Times
are CPU times, since those on the wall depend on what else the machine does.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time

from repoctx.workspace import open_workspace


def main() -> None:
    """Print the times as JSON."""
    repository, count = "bench", int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as home, open_workspace({"home": home}) as workspace:
        workspace.index(sys.argv[1], name=repository)
        loaded = workspace.open(repository).loaded
        symbols = len(loaded.index.view.occurrences.symbol_file)
        asked = [loaded.ids[row] for row in range(0, symbols, max(symbols // count, 1))]
        questions = {
            "impact": lambda symbol: workspace.impact([symbol], repository=repository),
            "callers, depth 5": lambda symbol: workspace.callers(symbol, repository, depth=5),
        }
        started = time.process_time()
        for question in questions.values():
            question(asked[0])
        report = {"symbols": len(asked), "first": round((time.process_time() - started) * 1000)}
        for name, question in questions.items():
            times = []
            for symbol in asked:
                before = time.process_time()
                question(symbol)
                times.append((time.process_time() - before) * 1000)
            cuts = statistics.quantiles(times, n=100)
            shown = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(times)}
            report[name] = {cut: round(value, 1) for cut, value in shown.items()}
        print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
