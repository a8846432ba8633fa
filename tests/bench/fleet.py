"""What do many repositories and many workers cost? Jobs a second, CPU seconds, memory, and bytes on the disk.

    python tests/bench/fleet.py throughput                    # 1, 2 and 4 workers, on Postgres
    python tests/bench/fleet.py onboard                       # 200 repositories at once, on SQLite and on Postgres
    python tests/bench/fleet.py idle                          # a worker that has nothing to do, and a push to it
    python tests/bench/fleet.py queue                         # what the look for due jobs costs, by how many wait

The repositories are made of the folders of Python's standard library and of the packages installed beside this one:
real code, and no two are the same. `--repositories`, `--files` and `--workers` make a run shorter or longer. Figures
are of a machine that does nothing else; the database server runs on the same machine, and its CPU time is told apart.
Everything lies in a temporary folder. Each command prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import postgres
import sqlalchemy as sa
from repositories import git
from running import PROGRAM, Running, running, until

from repoctx.serve.onboarding import onboarded
from repoctx.store import jobs
from repoctx.workspace import Workspace

PATIENCE = 7200.0
# Folders of code that make a repository have at least so many files.
LEAST = 3


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print(flush=True)


# --- repositories ------------------------------------------------------------------------------


def folders() -> Iterator[Path]:
    """Folders with Python code, each of them and what lies right in it."""
    for name in ("stdlib", "purelib"):
        for folder, inner, files in os.walk(sysconfig.get_path(name)):
            inner[:] = sorted(one for one in inner if one not in ("__pycache__", "site-packages"))
            if sum(file.endswith(".py") for file in files) >= LEAST:
                yield Path(folder)


def made(parent: Path, count: int, most_files: int) -> list[Path]:
    """So many repositories, of one commit each."""
    found = []
    for source in folders():
        if len(found) == count:
            return found
        path = parent / f"r{len(found):05}-{source.name}"
        path.mkdir(parents=True)
        for file in sorted(source.glob("*.py"))[:most_files]:
            shutil.copy(file, path / file.name)
        git(path, "init", "-q", "-b", "main")
        git(path, "add", "-A")
        git(path, "commit", "-q", "-m", f"as of {source.name}")
        found.append(path)
    raise SystemExit(f"there are only {len(found)} folders of code here: give --repositories {len(found)}")


def push(path: Path) -> None:
    """A commit that changes ten files, or as many as there are."""
    for file in sorted(path.glob("*.py"))[:10]:
        file.write_bytes(file.read_bytes() + b"\n\ndef pushed(one):\n    return one\n")
    git(path, "commit", "-q", "-a", "-m", "a push")


# --- what is measured --------------------------------------------------------------------------


class Used(NamedTuple):
    """What a process and those that it started have used."""

    cpu: float  # seconds
    peak: float  # MB, of the process alone


def used(pid: int) -> Used:
    """What a process has used up to now, with its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
    return Used(sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK"), peak)


def server_cpu(url: str | None) -> float:
    """CPU seconds of the database server's processes that live; those of a server that is not seen here are none."""
    if url is None:
        return 0.0
    total = 0.0
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "comm").read_text().strip() == "postgres":
                total += used(int(path.name)).cpu
    return total


def transactions(opened: Workspace) -> int:
    """How many transactions the database has seen up to now; it counts them a moment later."""
    time.sleep(1.5)
    query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    with opened.engine.connect() as connection:
        return int(connection.scalar(sa.text(query)) or 0)


def size(folder: Path) -> float:
    """MB of the files in a folder."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / 1e6


@contextmanager
def database(which: str) -> Iterator[str | None]:
    """URL of a fresh database, None for SQLite."""
    if which == "sqlite":
        yield None
        return
    with postgres.server() as server:
        if server is None:
            raise SystemExit("no Postgres")
        with postgres.database(server) as url:
            yield url


def settings_of(folder: Path, url: str | None) -> dict[str, str]:
    """Settings of a service in a folder."""
    chosen = {"REPOCTX_CONFIG": str(folder / "none.toml"), "REPOCTX_HOME": str(folder / "home")}
    return chosen | ({"REPOCTX_DATABASE_URL": url} if url else {})


@contextmanager
def workers(folder: Path, settings: dict[str, str], count: int) -> Iterator[list[int]]:
    """So many workers, each with a home of its own if the database is shared: their process ids."""
    processes = []
    try:
        for number in range(count):
            home = folder / f"host{number}" if "REPOCTX_DATABASE_URL" in settings else folder / "home"
            home.mkdir(exist_ok=True)
            log = home / f"worker{number}.log"
            with log.open("wb") as errors:
                processes.append(subprocess.Popen(
                    [*PROGRAM, "worker", "--log", "json"], stdin=subprocess.DEVNULL, stderr=errors,
                    env={**os.environ, **settings, "REPOCTX_HOME": str(home)},
                ))  # fmt: skip
            until(lambda log=log: "worker begins" in log.read_text(), "a worker", PATIENCE)
        yield [one.pid for one in processes]
    finally:
        for one in processes:
            one.terminate()
        for one in processes:
            one.wait()


def finished(opened: Workspace) -> None:
    """Wait until no job is open; all must be done."""

    def done() -> bool:
        with opened.engine.connect() as connection:
            found = jobs.counts(connection)
        return not found["waiting"] + found["running"]

    until(done, "the end of all jobs", PATIENCE)
    with opened.engine.connect() as connection:
        found = jobs.counts(connection)
    if found["failed"] or found["cancelled"]:
        raise SystemExit(f"not all jobs were done: {found}")


# --- commands ----------------------------------------------------------------------------------


def throughput(arguments: argparse.Namespace) -> None:
    """The same repositories with ever more workers: first indexes, pushes of ten files, jobs with nothing to do."""
    rows = []
    for count in arguments.workers:
        with tempfile.TemporaryDirectory(prefix="repoctx-fleet-") as name, database("postgres") as url:
            folder = Path(name)
            paths = made(folder / "code", arguments.repositories, arguments.files)
            settings = settings_of(folder, url)
            opened = Workspace(settings)
            _ = opened.engine
            with workers(folder, settings, count) as pids:
                for what in ("first index", "ten files pushed", "nothing to do"):
                    if what == "ten files pushed":
                        for path in paths:
                            push(path)
                    seen = transactions(opened)
                    before, server, began = [used(pid).cpu for pid in pids], server_cpu(url), time.monotonic()
                    if what == "first index":
                        list(onboarded(opened, "\n".join(map(str, paths))))
                    else:
                        with opened.engine.begin() as connection:
                            asked = {
                                (opened.repository(path.name).id, ""): jobs.Asked("push", 1, None) for path in paths
                            }
                            jobs.submit_all(connection, asked, time.time())
                    finished(opened)
                    wall = time.monotonic() - began
                    each = [used(pid).cpu - was for pid, was in zip(pids, before, strict=True)]
                    served = server_cpu(url) - server
                    rows.append((
                        count, what, len(paths), f"{wall:.1f}", f"{len(paths) / wall:.2f}",
                        f"{sum(each) / len(paths):.3f}", f"{served / len(paths):.3f}",
                        f"{(transactions(opened) - seen) / len(paths):.0f}",
                        f"{min(each) / sum(each):.0%} to {max(each) / sum(each):.0%}",
                    ))  # fmt: skip
            opened.close()
    head = (
        "workers", "jobs", "number", "wall s", "jobs/s", "CPU s/job, workers", "CPU s/job, Postgres",
        "transactions/job", "share of a worker",
    )  # fmt: skip
    table(head, rows)


def onboard(arguments: argparse.Namespace) -> None:
    """A service with one worker gets all repositories at once."""
    rows = []
    for which in arguments.databases:
        with tempfile.TemporaryDirectory(prefix="repoctx-fleet-") as name, database(which) as url:
            folder = Path(name)
            paths = made(folder / "code", arguments.repositories, arguments.files)
            text = [line for path in paths for file in path.glob("*.py") for line in file.read_bytes().splitlines()]
            settings = settings_of(folder, url)
            with running(folder / "home", settings, "--workers", "1") as service:
                opened = Workspace(settings)
                (worker,), answering = service.workers, _answering(service)
                list(onboarded(opened, str(paths[0]), dry_run=True))  # what it needs is imported
                began = time.monotonic()
                list(onboarded(opened, "\n".join(map(str, paths))))
                registered = time.monotonic() - began
                finished(opened)
                wall = time.monotonic() - began
                found, serving = used(worker), used(answering)
                home = size(folder / "home")
                base = _database_size(opened, folder / "home", url)
                opened.close()
                megabytes = sum(file.stat().st_size for path in paths for file in path.glob("*.py")) / 1e6
                rows.append((
                    which, len(paths), f"{len(text):,}", f"{megabytes:.1f}", f"{registered:.1f}", f"{wall:.1f}",
                    f"{found.cpu:.1f}", f"{serving.cpu:.1f}", f"{found.peak:.0f}", f"{serving.peak:.0f}",
                    f"{base:.1f}", f"{home - (base if url is None else 0.0):.1f}",
                ))  # fmt: skip
    head = (
        "database", "repositories", "lines", "MB of code", "registered after s", "indexed after s", "CPU s, worker",
        "CPU s, service", "peak MB, worker", "peak MB, service", "database MB", "rest of the home MB",
    )  # fmt: skip
    table(head, rows)


def _answering(service: Running) -> int:
    assert service._process is not None
    return service._process.pid


def _database_size(opened: Workspace, home: Path, url: str | None) -> float:
    """MB of our tables and those of the queue."""
    if url is None:
        return sum(one.stat().st_size for one in home.glob("*.db*")) / 1e6
    with opened.engine.connect() as connection:
        return float(connection.scalar(sa.text("SELECT pg_database_size(current_database())"))) / 1e6


def idle(arguments: argparse.Namespace) -> None:
    """Workers without work: CPU; then single jobs that find nothing to do, from being acknowledged to being begun."""
    rows = []
    for which in arguments.databases:
        for count in arguments.workers if which == "postgres" else (1,):
            with tempfile.TemporaryDirectory(prefix="repoctx-fleet-") as name, database(which) as url:
                folder = Path(name)
                (path,) = made(folder / "code", 1, 3)
                settings = settings_of(folder, url)
                opened = Workspace(settings)
                opened.index(str(path), name="one")
                where = opened.repository("one").id
                with workers(folder, settings, count) as pids:
                    time.sleep(5)  # what they do at their start is done
                    seen = transactions(opened) if url else 0
                    before, server, began = [used(pid).cpu for pid in pids], server_cpu(url), time.monotonic()
                    time.sleep(arguments.seconds)
                    wall = time.monotonic() - began
                    each = sum(used(pid).cpu - was for pid, was in zip(pids, before, strict=True)) / count
                    served = server_cpu(url) - server
                    asked = (transactions(opened) - seen) / (wall + 1.5) / count if url else 0.0
                    waits = []
                    for _ in range(arguments.rounds):
                        with opened.engine.begin() as connection:
                            identity = jobs.submit(connection, where, "main", "push", now=time.time())
                        finished(opened)
                        with opened.engine.connect() as connection:
                            one = jobs.one(connection, identity)
                        assert one is not None
                        assert one.started_at is not None
                        waits.append(one.started_at - one.requested_at)
                        time.sleep(3 * len(waits) / arguments.rounds)  # some come while the queue is asked often
                opened.close()
                waits.sort()
                at = lambda share, waits=waits: f"{waits[min(len(waits) - 1, int(share * len(waits)))]:.2f}"  # noqa: E731
                shares = f"{each / wall:.1%}", f"{served / wall:.1%}", f"{asked:.0f}" if url else "-"
                rows.append((which, count, *shares, at(0.5), at(0.95), at(1)))
    head = (
        "database", "workers", "a worker, of a core", "Postgres, of a core", "transactions/s of a worker",
        "begun after s, p50", "p95", "most",
    )  # fmt: skip
    table(head, rows)


def queue(arguments: argparse.Namespace) -> None:
    """The look for due jobs, by how many jobs wait, each of a repository of its own."""
    rows = []
    with database("postgres") as url, tempfile.TemporaryDirectory(prefix="repoctx-fleet-") as name:
        opened = Workspace(settings_of(Path(name), url))
        for count in arguments.waiting:
            with opened.engine.begin() as connection:
                have = connection.scalar(sa.text("SELECT count(*) FROM repositories"))
                new = {"first": have, "last": count - 1, "now": time.time()}
                connection.execute(sa.text(
                    "INSERT INTO repositories (name, location, default_ref) SELECT 'r' || n, '/r' || n, '' "
                    "FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n"), new)  # fmt: skip
                connection.execute(sa.text(
                    "INSERT INTO jobs (id, repository, ref, state, cause, pushes, requested_at, due_at, attempt, "
                    "failures, lost, unseen, cancelled) SELECT lpad(to_hex(id), 32, '0'), id, '', 'waiting', "
                    "'onboarded', 1, :now, :now, 1, 0, 0, 0, 0 FROM repositories r "
                    "WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE repository = r.id)"), new)  # fmt: skip
            with opened.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("ANALYZE jobs"))
            took, before = [], time.process_time()
            for _ in range(arguments.rounds):
                began = time.perf_counter()
                with opened.engine.connect() as connection:
                    jobs.due_jobs(connection, time.time(), 100)
                took.append(time.perf_counter() - began)
            own = (time.process_time() - before) / arguments.rounds
            rows.append((f"{count:,}", f"{1000 * statistics.median(took):.1f}", f"{1000 * own:.1f}"))
        opened.close()
    table(("jobs that wait", "ms a look", "of it CPU ms of the worker"), rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run, repositories in ((throughput, 60), (onboard, 200)):
        one = commands.add_parser(run.__name__, help=run.__doc__)
        one.add_argument("--repositories", type=int, default=repositories, metavar="N")
        one.add_argument("--files", type=int, default=30, metavar="N", help="most files of a repository")
        one.set_defaults(run=run)
        if run is throughput:
            one.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], metavar="N")
        else:
            one.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    one = commands.add_parser("idle", help=idle.__doc__)
    one.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    one.add_argument("--workers", type=int, nargs="+", default=[1, 4], metavar="N")
    one.add_argument("--seconds", type=float, default=60.0)
    one.add_argument("--rounds", type=int, default=40)
    one.set_defaults(run=idle)
    one = commands.add_parser("queue", help=queue.__doc__)
    one.add_argument("--waiting", type=int, nargs="+", default=[0, 500, 10_000, 100_000], metavar="N")
    one.add_argument("--rounds", type=int, default=20)
    one.set_defaults(run=queue)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
