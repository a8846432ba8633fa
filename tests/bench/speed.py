"""How fast is repoctx, and against what?

    python tests/bench/speed.py [REPOSITORY ...]        # default: the standard library of this Python

Each figure is the CPU time (user and system) of a whole process tree, workers included, since times on the wall
depend on what else the machine does. The reference for indexing is tree-sitter parsing alone, of the same
blobs, in the same pool of processes, read the same way, in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

QUERIES = [
    "where is the configuration parsed", "retry with backoff", "escape html output", "database connection pool",
    "QuerySet.filter", "TimeoutError raised while waiting", "how are templates rendered", "json decoder",
    "parse_args", "thread safe cache", "open file with encoding", "merge sorted lists", "unicode normalization",
    "serialize datetime to isoformat", "Session.get", "middleware order", "lazy import", "class registry",
    "validate email address", "render a form field",
]  # fmt: skip
PR_SET_CHILD_SUBREAPER = 36


def tree_cost(*command: str, **environment: str) -> tuple[dict, float, int]:
    """Run a program: (the JSON on its last line, CPU seconds of its process tree, peak kB of one process)."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryFile() as out:
        program = [sys.executable, str(Path(__file__).resolve())]
        process = subprocess.Popen([*program, *command], stdout=out, env=os.environ | environment)
        cpu, peak, code = 0.0, 0, None
        while True:
            try:  # orphans (the fork server and its workers) come to us
                pid, status, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            cpu += usage.ru_utime + usage.ru_stime
            peak = max(peak, usage.ru_maxrss)
            if pid == process.pid:
                code = process.returncode = os.waitstatus_to_exitcode(status)
        if code:
            sys.exit(f"{command} failed with {code}")
        out.seek(0)
        return json.loads(out.read().splitlines()[-1]), cpu, peak


# --- what the child processes do ---------------------------------------------------------------


def parse_only(batch):
    """The reference's work: tree-sitter, and nothing of ours but choosing the grammar."""
    import tree_sitter

    from repoctx.parse import languages, queries

    for key, raw in batch:
        row = languages.row(key.language)
        if row.grammar:
            question = queries.question(row.name)
            assert question is not None
            tree_sitter.Parser(question.grammar).parse(raw)
    return len(batch)


def reference(place: str) -> dict:
    """Read and parse everything that the index run reads."""
    from concurrent.futures import ProcessPoolExecutor

    from repoctx import pool
    from repoctx.parse.languages import by_path
    from repoctx.source import Limits, open_source
    from repoctx.store.payload import Key

    with open_source(place, ref=None, limits=Limits(), mirrors=Path(tempfile.gettempdir())) as source:
        tree = source.tree()

        def blobs():
            for entry, raw in source.read(tree.entries):
                if isinstance(raw, bytes):
                    yield Key(entry.blob, by_path(entry.path), ""), raw

        executor = ProcessPoolExecutor(os.cpu_count(), pool._context)
        done = sum(executor.map(parse_only, pool.batches(blobs())))
        executor.shutdown()
    return {"files": done}


def index(place: str) -> dict:
    """An index run; its report and the CPU time of this process alone."""
    from dataclasses import asdict

    from repoctx.workspace import open_workspace

    with open_workspace() as workspace:
        workspace.status()
        before = time.process_time()
        report = workspace.index(place)
        return asdict(report) | {"cpu": time.process_time() - before}


def questions(place: str) -> dict:
    """Warm queries and packs in one process, in milliseconds of CPU time."""
    from repoctx.workspace import open_workspace

    with open_workspace() as workspace:
        started = time.process_time()
        workspace.search(QUERIES[0], place)
        cold = time.process_time() - started
        times = [timed(lambda q=q: workspace.search(q, place)) for q in QUERIES for _ in range(3)]
        workspace.map(place)
        workspace.pack(QUERIES[0], place, budget=8000)
        packs = {
            str(n): min(timed(lambda n=n: workspace.pack(QUERIES[0], place, budget=n)) for _ in range(3))
            for n in (8000, 128_000)
        }
    times.sort()
    return {
        "cold": cold * 1000,
        "p50": statistics.median(times),
        "p95": times[int(len(times) * 0.95)],
        "packs": packs,
    }


def timed(run) -> float:
    """CPU milliseconds of a call."""
    started = time.process_time()
    run()
    return (time.process_time() - started) * 1000


# --- the bench -----------------------------------------------------------------------------------


def touch(folder: Path) -> None:
    """Change ten source files."""
    files = sorted(
        p for p in folder.rglob("*.py") if p.is_file() and ".git" not in p.parts and 2000 < p.stat().st_size < 60_000
    )
    for path in files[:: max(1, len(files) // 10)][:10]:
        path.write_bytes(path.read_bytes() + b"\n\ndef touched_by_the_bench():\n    return 1\n")


def bench(place: Path) -> None:
    """All figures of one repository, on a copy of it."""
    with tempfile.TemporaryDirectory(prefix="repoctx-bench-") as folder:
        copy = Path(folder) / place.name
        if (place / ".git").exists():  # a copied index would not know the copied files
            subprocess.run(["git", "clone", "-q", str(place), str(copy)], check=True)
        else:
            shutil.copytree(place, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "site-packages"))
        os.environ.update(REPOCTX_HOME=str(Path(folder) / "home"), REPOCTX_CONFIG=str(Path(folder) / "none.toml"))
        _, alone, _ = tree_cost("--reference", str(copy))
        home_of_words = {"REPOCTX_HOME": str(Path(folder) / "words"), "REPOCTX_EMBEDDING_MODEL": "none"}
        _, words, _ = tree_cost("--index", str(copy), **home_of_words)
        report, full, peak = tree_cost("--index", str(copy))
        noop, noop_tree, _ = tree_cost("--index", str(copy))
        touch(copy)
        ten, ten_tree, _ = tree_cost("--index", str(copy))
        asked, _, asking_peak = tree_cost("--questions", str(copy))
        home = sum(p.stat().st_size for p in (Path(folder) / "home").rglob("*") if p.is_file())
    counted = ("files", "symbols", "references", "edges", "chunks", "tokens")
    sizes = ", ".join(f"{report[name]:,} {name}" for name in counted)
    rows = [
        ("parsing alone", f"{alone:6.2f} CPU s"),
        ("without vectors", f"{words:6.2f} CPU s, {words / alone:.2f} x parsing alone"),
        ("full index", f"{full:6.2f} CPU s, {full / words:.2f} x without vectors, peak {peak / 1e3:.0f} MB"),
        ("on disk", f"{home / 1e6:6.0f} MB"),
        ("nothing to do", f"{noop['cpu']:6.2f} CPU s in process, {noop_tree:.2f} with starting up"),
        ("ten files touched", f"{ten['cpu']:6.2f} CPU s in process, {ten_tree:.2f} with starting up and worker"),
        ("search", f"{asked['p50']:6.1f} ms p50, {asked['p95']:.1f} ms p95, {asked['cold']:.0f} ms the first"),
        ("pack", f"{asked['packs']['8000']:6.0f} ms 8k, {asked['packs']['128000']:.0f} ms 128k"),
        ("asking", f"{asking_peak / 1e3:6.0f} MB peak"),
    ]
    print(f"{place.name}: {report['bytes'] / 1e6:.1f} MB, {sizes}")
    for name, figure in rows:
        print(f"  {name:<18} {figure}", flush=True)


def main() -> None:
    """Bench every repository named, or do one child's work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="*", default=[sysconfig.get_paths()["stdlib"]])
    for child in ("reference", "index", "questions"):
        parser.add_argument(f"--{child}", metavar="PATH", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name, work in (("reference", reference), ("index", index), ("questions", questions)):
        if place := getattr(arguments, name):
            with contextlib.redirect_stdout(sys.stderr):
                found = work(place)
            print(json.dumps(found))
            return
    for place in arguments.repository:
        bench(Path(place).resolve())


if __name__ == "__main__":
    main()
