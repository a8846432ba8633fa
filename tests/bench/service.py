"""How fast is the service? Searches, webhooks, and the time from a push to its index, asked from another process.

    python tests/bench/service.py hooks                       # 200 deliveries a second, on SQLite and on Postgres
    python tests/bench/service.py search REPOSITORY           # wrk, if it is there, and questions one after another
    python tests/bench/service.py push REPOSITORY             # a copy is pushed to, ten files each time
    python tests/bench/service.py memory REPOSITORY [...]     # of each repository that is open

REPOSITORY is a git repository. Everything lies in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import postgres
from repositories import git
from running import Running, running, until

from repoctx.serve.signatures import sample

SECRET = "a-secret-of-webhooks"
QUESTIONS = (
    "where is the connection pool recycled?",
    "QuerySet.filter",
    "ValueError: too many values to unpack",
    "how are migrations ordered",
    "parse the command line",
    "cache key",
    "TimeoutError when the socket is closed twice",
    "def save",
)


def spread(seconds: Sequence[float]) -> str:
    """Percentiles in milliseconds."""
    ordered = sorted(seconds)
    at = lambda share: 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]  # noqa: E731
    return f"p50 {at(0.5):.1f} p95 {at(0.95):.1f} p99 {at(0.99):.1f} max {1000 * ordered[-1]:.1f} ms"


@contextmanager
def databases(which: str) -> Iterator[dict[str, str]]:
    """Settings of a database of a kind."""
    if which == "sqlite":
        yield {}
        return
    with postgres.server() as server:
        if server is None:
            raise SystemExit("no Postgres")
        with postgres.database(server) as url:
            yield {"REPOCTX_DATABASE_URL": url}


@contextmanager
def served(settings: dict[str, str], *options: str) -> Iterator[Running]:
    """A service in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="repoctx-bench-") as folder,
        running(Path(folder) / "home", {"REPOCTX_CONFIG": f"{folder}/none.toml", **settings}, *options) as service,
    ):
        yield service


def registered(service: Running, path: Path, name: str, patience: float = 900.0) -> None:
    """Have a repository indexed."""
    asked = {"path": str(path), "name": name, "webhook_secret": SECRET}
    service.client.post("/v1/repositories", json=asked).raise_for_status()

    def indexed() -> bool:
        answer = service.ask("GET", f"/v1/repositories/{name}")
        shown = answer.json() if answer else {}
        return bool(shown.get("refs")) and not shown["lag_seconds"]

    until(indexed, f"the index of {name}", patience)


# --- webhooks ----------------------------------------------------------------------------------


async def _deliver(port: int, deliveries: Sequence[bytes], rate: float, connections: int) -> tuple[list[float], int]:
    """Send requests at fixed times, whatever the answers take: seconds from the time of each, and refusals."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    took: list[float] = []
    refused = 0
    begins = time.perf_counter()

    async def one(number: int, raw: bytes) -> None:
        nonlocal refused
        at = begins + number / rate
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        reader, writer = await free.get()
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - at)
        refused += not head.startswith(b"HTTP/1.1 202")
        free.put_nowait((reader, writer))

    await asyncio.gather(*(one(number, raw) for number, raw in enumerate(deliveries)))
    return took, refused


def hooks(arguments: argparse.Namespace) -> None:
    """Acknowledgements: a delivery every 5 ms, of pushes to twenty repositories, while they are indexed."""
    for which in arguments.databases:
        with databases(which) as settings, served(settings) as service, tempfile.TemporaryDirectory() as folder:
            heads: list[str] = []
            for number in range(20):
                path = Path(folder) / f"r{number}"
                path.mkdir()
                (path / "a.py").write_text(f"def f{number}(): pass\n")
                git(path, "init", "-q", "-b", "main")
                git(path, "add", "-A")
                git(path, "commit", "-q", "-m", "first")
                registered(service, path, f"r{number}")
                heads.append(git(path, "rev-parse", "HEAD"))
            raw = []
            for number in range(int(arguments.seconds * arguments.rate)):
                name = f"r{number % 20}"
                url, head = f"https://example.com/{name}.git", heads[number % 20]
                headers, body = sample("github", url, "main", "1" * 40, head, SECRET, str(uuid.uuid4()), time.time())
                body_headers = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
                raw.append(
                    f"POST /v1/webhooks/github?repository={name} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    f"Content-Length: {len(body)}\r\n{body_headers}\r\n".encode()
                    + body
                )
            asyncio.run(_deliver(service.port, _anew(raw[:200]), arguments.rate, 32))  # warm
            before, served_before = time.process_time(), _cpu(_answering(service))
            took, refused = asyncio.run(_deliver(service.port, raw, arguments.rate, 32))
            own = time.process_time() - before
            each = (_cpu(_answering(service)) - served_before) / len(took)
            print(f"{which}: {len(took)} deliveries at {arguments.rate:g}/s, {refused} refused, {spread(took)}; "
                  f"{1000 * each:.2f} CPU ms each; client {own / arguments.seconds:.0%} of a core")  # fmt: skip
            service.idle()
            took, _ = asyncio.run(_deliver(service.port, _anew(raw), 1e9, 32))
            print(f"{which}: as fast as they go, {len(took) / (max(took)):.0f}/s")


def _anew(raw: Sequence[bytes]) -> list[bytes]:
    """The same deliveries under other ids."""
    return [
        one.partition(b"x-github-delivery: ")[0] + b"x-github-delivery: " + str(uuid.uuid4()).encode()
        + one.partition(b"x-github-delivery: ")[2][36:]
        for one in raw
    ]  # fmt: skip


# --- questions ---------------------------------------------------------------------------------


def search(arguments: argparse.Namespace) -> None:
    """Searches, warm: one after another, then from eight connections at once."""
    with served({"REPOCTX_SERVE_RATE": "0"}, "--processes", str(arguments.processes)) as service:
        registered(service, arguments.repository, "code")
        shown = service.client.get("/v1/repositories/code").json()["refs"][0]
        print(f"{shown['files']:,} files, {shown['chunks']:,} chunks, {shown['tokens']:,} tokens")
        for _ in range(3 * arguments.processes):
            for question in QUESTIONS:
                service.client.post("/v1/search", json={"query": question, "repositories": ["code"]}).raise_for_status()
        took = []
        for _ in range(arguments.rounds):
            for question in QUESTIONS:
                at = time.perf_counter()
                service.client.post("/v1/search", json={"query": question, "repositories": ["code"]}).raise_for_status()
                took.append(time.perf_counter() - at)
        print(f"one after another: {1 / statistics.mean(took):.0f}/s, {spread(took)}")
        if shutil.which("wrk"):
            script = Path(service.home) / "search.lua"
            bodies = ", ".join(json.dumps(json.dumps({"query": q, "repositories": ["code"]})) for q in QUESTIONS)
            script.write_text(
                f"local bodies = {{ {bodies} }}\nlocal n = 0\nfunction request()\n  n = n + 1\n"
                '  return wrk.format("POST", "/v1/search", {["Content-Type"]="application/json"}, '
                "bodies[n % #bodies + 1])\nend\n"
            )
            subprocess.run(["wrk", "-t1", "-c8", "-d10s", "--latency", "-s", str(script),
                            f"http://127.0.0.1:{service.port}"], check=True)  # fmt: skip


# --- from a push to its index ------------------------------------------------------------------


def push(arguments: argparse.Namespace) -> None:
    """Change ten files, push, tell of it, and ask until a search finds what was pushed."""
    chance = random.Random(1)
    with served({"REPOCTX_SERVE_RATE": "0", "REPOCTX_HISTORY_COMMITS": "2000"}) as service:
        beside = service.home.parent
        clone, bare = beside / "clone", beside / "bare.git"
        git(beside, "clone", "-q", "--bare", str(arguments.repository), str(bare))
        git(beside, "clone", "-q", str(bare), str(clone))
        branch = git(clone, "branch", "--show-current")
        registered(service, bare, "code")
        files = [name for name in git(clone, "ls-files", "*.py").splitlines() if (clone / name).stat().st_size]
        ask = {"repositories": ["code"], "k": 5, "ref": branch}
        service.client.post("/v1/search", json={"query": "warm", **ask}).raise_for_status()
        took, jobs = [], []
        for number in range(arguments.rounds):
            before = git(clone, "rev-parse", "HEAD")
            word = f"pushed_marker_{number}_{uuid.uuid4().hex[:6]}"
            for name in chance.sample(files, 10):
                with (clone / name).open("a") as file:
                    file.write(f"\n\ndef {word}():\n    return {number}\n")
            git(clone, "commit", "-aqm", f"push {number}")
            git(clone, "push", "-q", "origin", branch)
            at = time.perf_counter()
            url = "https://example.com/code.git"
            service.told("github", "code", url, branch, before, git(clone, "rev-parse", "HEAD"), SECRET)

            def found(word: str = word) -> bool:
                answer = service.client.post("/v1/search", json={"query": word, **ask}).json()
                return any(word in (hit["symbol"] or "") for hit in answer["hits"])

            until(found, "the push in a search")
            took.append(time.perf_counter() - at)
            newest = service.client.get("/v1/jobs", params={"limit": 1}).json()["items"][0]
            jobs.append(newest["report"]["seconds"])
        print(f"push of ten files to searchable: {spread(took)}; the index run alone: {spread(jobs)}")


def memory(arguments: argparse.Namespace) -> None:
    """Memory of the process that answers, before and after each repository is opened and asked."""
    with served({"REPOCTX_SERVE_WARM": "50"}) as service:
        for number, repository in enumerate(arguments.repositories):
            registered(service, repository, f"code{number}")
        pid = _answering(service)
        before = _resident(pid)
        print(f"none open: {before[0]:.0f} MB of its own, {before[1]:.0f} MB with mapped files")
        for number, repository in enumerate(arguments.repositories):
            for question in QUESTIONS:
                ask = {"query": question, "repositories": [f"code{number}"]}
                service.client.post("/v1/search", json=ask).raise_for_status()
            now = _resident(pid)
            chunks = service.client.get(f"/v1/repositories/code{number}").json()["refs"][0]["chunks"]
            print(f"{repository.name}, {chunks:,} chunks: +{now[0] - before[0]:.0f} MB, "
                  f"+{now[1] - before[1]:.0f} MB mapped")  # fmt: skip
            before = now


def _answering(service: Running) -> int:
    assert service._process is not None
    return service._process.pid


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> tuple[float, float]:
    """Memory that is a process's own, and all that is resident, in MB."""
    found = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(found["RssAnon"].split()[0]) / 1024, int(found["VmRSS"].split()[0]) / 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("hooks")
    one.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    one.add_argument("--rate", type=float, default=200.0)
    one.add_argument("--seconds", type=float, default=20.0)
    one.set_defaults(run=hooks)
    one = commands.add_parser("search")
    one.add_argument("repository", type=Path)
    one.add_argument("--rounds", type=int, default=20)
    one.add_argument("--processes", type=int, default=1)
    one.set_defaults(run=search)
    one = commands.add_parser("push")
    one.add_argument("repository", type=Path)
    one.add_argument("--rounds", type=int, default=20)
    one.set_defaults(run=push)
    one = commands.add_parser("memory")
    one.add_argument("repositories", type=Path, nargs="+")
    one.set_defaults(run=memory)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
