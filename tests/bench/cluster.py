"""What does a cluster cost beside a pool of processes, on the same machine and the same repository?

    python tests/bench/cluster.py REPOSITORY [--workers 1,2]

Each figure is of a whole index run without vectors into an empty home, the second of two: the workers have parsed
before, as those of a cluster have. CPU seconds are those of all processes, scheduler and workers included; what they
are "here", and the rate, are those of the indexing process while it parses and stores. Bytes are those that crossed the
loopback interface, where nothing else should be going on: to a worker and back they pass the scheduler.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
PROGRAM = (sys.executable, str(Path(__file__).resolve()))


def index(repository: str, workers: int, url: str) -> dict:
    """Index a repository into a home of its own, and say what parsing and storing has taken this process."""
    from repoctx.workspace import open_workspace

    parsing: list[tuple[float, float]] = []  # clocks, of the wall and of this process, when some is parsed and stored
    started = time.monotonic()

    def show(step) -> None:
        if step.stage == "parse":
            parsing.append((time.monotonic(), time.process_time()))

    with tempfile.TemporaryDirectory() as home:
        environment = {
            "REPOCTX_HOME": home, "REPOCTX_CONFIG": f"{home}/none.toml", "REPOCTX_EMBEDDING_MODEL": "none",
            "REPOCTX_INDEX_WORKERS": str(workers), "REPOCTX_CLUSTER_SCHEDULER": url,
        }  # fmt: skip
        with open_workspace(environment=environment) as workspace:
            report = workspace.index(repository, show=show)
    wall = time.monotonic() - started
    stored, storing = (last - first for first, last in zip(parsing[0], parsing[-1], strict=True))
    return {"wall": wall, "bytes": report.bytes, "stored": stored, "storing": storing, "snapshot": report.snapshot}


def measured(*arguments: str) -> dict:
    """What `index` says in a process of its own, and the CPU seconds of its whole tree."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    process = subprocess.Popen([*PROGRAM, "--index", *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = json.loads(process.stdout.read())
    cpu = 0.0
    with contextlib.suppress(ChildProcessError):  # orphans (the fork server and its workers) come to us
        while True:
            _, _, usage = os.wait4(-1, 0)
            cpu += usage.ru_utime + usage.ru_stime
    process.returncode = 0
    return said | {"cpu": cpu}


@contextlib.contextmanager
def dask(workers: int) -> Iterator[tuple[str, psutil.Process]]:
    """A scheduler and its workers: where it is, and the process that they all descend from."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scheduler.json")
        shell = (
            f"{sys.executable} -m dask scheduler --host 127.0.0.1 --port 0 --no-dashboard --scheduler-file {file} "
            "--idle-timeout 600 & "
            f"{sys.executable} -m dask worker --scheduler-file {file} --nworkers {workers} --nthreads 1 --no-dashboard "
            f"--memory-limit 0 --local-directory {folder} & wait"
        )
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(["sh", "-c", shell], stdout=log, stderr=log, start_new_session=True)
        try:
            from distributed import Client

            while not (file.exists() and file.read_text().endswith("}")):
                time.sleep(0.1)
            url = json.loads(file.read_text())["address"]
            with Client(url, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
            yield url, psutil.Process(process.pid)
        finally:
            os.killpg(process.pid, 15)
            process.wait()


def used(process: psutil.Process) -> float:
    """CPU seconds of a process and its descendants so far."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def moved() -> int:
    """Bytes that the loopback interface has received."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))


def row(name: str, repository: str, workers: int, url: str = "", cluster: psutil.Process | None = None) -> dict:
    """Two runs, the second measured, as a line of the table."""
    for _ in range(2):
        before, cpu = moved(), used(cluster) if cluster else 0.0
        arguments = [*PROGRAM, "--measure", repository, str(workers), url]
        found = json.loads(subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout)
        found["cpu"] += used(cluster) - cpu if cluster else 0.0
        found["moved"] = moved() - before
    seconds = " | ".join(f"{found[what]:.1f} s" for what in ("wall", "cpu", "stored", "storing"))
    rate = found["bytes"] / found["stored"] / 1e6
    print(f"| {name} | {seconds} | {rate:.2f} MB/s | {found['moved'] / 1e6:.1f} MB |", flush=True)
    return found


def main() -> None:
    """Print the table; fail if two of its indexes differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("--workers", default="1,2", help="how many, again and again [default: 1,2]")
    options = parser.parse_args()
    print("| where | wall | CPU, all | stored after | CPU here | rate | moved |")
    print("|---|---|---|---|---|---|---|")
    counts = [int(count) for count in options.workers.split(",")]
    found = [row(f"pool of {count}", options.repository, count) for count in counts]
    for count in counts:
        with dask(count) as (url, process):
            found.append(row(f"Dask, workers: {count}", options.repository, 1, url, process))
    print(f"\n{found[0]['bytes'] / 1e6:.1f} MB of source; {os.cpu_count()} CPUs.")
    if len({one["snapshot"] for one in found}) > 1:
        sys.exit("the snapshots differ")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--index"]:
        print(json.dumps(index(sys.argv[2], int(sys.argv[3]), sys.argv[4])))
    elif sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measured(*sys.argv[2:])))
    else:
        main()
