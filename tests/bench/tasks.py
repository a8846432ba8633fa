"""What do tasks, gateways and MCP cost beside the model? A scripted one answers at once, so what is left is ours.

    python tests/bench/tasks.py tasks REPOSITORY              # one-answer debug tasks from 202 to done
    python tests/bench/tasks.py gateway REPOSITORY            # the same chat straight, passed through, with a context
    python tests/bench/tasks.py mcp REPOSITORY                # searches over streamable HTTP, one after another
    python tests/bench/tasks.py estimate REPOSITORY           # onboard: what --dry-run says, and what is really asked

REPOSITORY is a git repository. Everything lies in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anyio
import httpx
from running import PROGRAM, Running, running, until
from service import QUESTIONS, spread

from repoctx.serve.scripted import Server, scripted

ROUNDS = 5


@contextmanager
def served(repository: Path, script: dict[str, Any]) -> Iterator[tuple[Running, Server]]:
    """A service that has indexed a repository, and its back end."""
    with scripted(script) as backend, tempfile.TemporaryDirectory(prefix="repoctx-bench-") as folder:
        settings = {"REPOCTX_CONFIG": f"{folder}/none.toml", "REPOCTX_BACKEND_URL": backend.url}
        with running(Path(folder) / "home", settings) as service:
            body = {"path": str(repository), "name": "bench"}
            job = service.client.post("/v1/repositories", json=body).raise_for_status().json()["job"]["id"]
            until(lambda: service.client.get(f"/v1/jobs/{job}").json()["state"] == "done", "an index", 1800)
            yield service, backend


def tasks(repository: Path) -> None:
    """From the request to the end of the task, one after another and all at once."""
    with served(repository, {"replies": [{"text": "It is in no file.", "times": 0}]}) as (service, backend):

        def submit(question: str) -> str:
            wanted = {"report": question, "attempts": 1}
            body = {"kind": "debug", "repository": "bench", "input": wanted}
            return str(service.client.post("/v1/tasks", json=body).raise_for_status().json()["id"])

        def done(task: str) -> dict[str, Any] | None:
            found = service.client.get(f"/v1/tasks/{task}").json()
            return found if found["state"] not in ("waiting", "running") else None

        first = submit(QUESTIONS[0])
        until(lambda: done(first), "the first task")
        seconds, accepted = [], []
        for question in QUESTIONS * ROUNDS:
            began = time.perf_counter()
            task = submit(question)
            accepted.append(time.perf_counter() - began)
            until(lambda task=task: done(task), "a task")
            seconds.append(time.perf_counter() - began)
        print(f"202 after: {spread(accepted)}")
        print(f"done after: {spread(seconds)}")
        began = time.perf_counter()
        every = [submit(question) for question in QUESTIONS * ROUNDS]
        for task in every:
            until(lambda task=task: done(task), "a task")
        print(f"{len(every) / (time.perf_counter() - began):.1f} tasks a second, {len(backend.requests)} questions")


def gateway(repository: Path) -> None:
    """Time to the first byte of a streamed answer."""
    with served(repository, {"model": "bench", "replies": [{"text": "Yes.", "times": 0}]}) as (service, backend):
        ways = {
            "straight": (backend.url, "bench"),
            "passed through": (f"{service.client.base_url}/v1", "bench"),
            "with a context, first turn": (f"{service.client.base_url}/v1", "repoctx/bench"),
            "with a context, later turn": (f"{service.client.base_url}/v1", "repoctx/bench"),
        }
        for name, (url, model) in ways.items():
            seconds = []
            for number in range(len(QUESTIONS) * ROUNDS):
                question = QUESTIONS[number % len(QUESTIONS)]
                said = f"{question} {number}" if name.endswith("first turn") else question
                messages = [{"role": "user", "content": said}]
                if name.endswith("later turn"):
                    messages += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Sure?"}]
                body = {"model": model, "messages": messages, "stream": True, "max_tokens": 64}
                began = time.perf_counter()
                with httpx.stream("POST", f"{url}/chat/completions", json=body, timeout=60) as answer:
                    next(answer.iter_raw())
                    seconds.append(time.perf_counter() - began)
                    answer.raise_for_status()
            print(f"{name}: {spread(seconds)}")


def mcp(repository: Path) -> None:
    """Calls of `search` by the official client."""
    from mcp import Client

    async def ask(url: str) -> None:
        async with Client(url) as client:
            await client.call_tool("search", {"query": QUESTIONS[0]})
            seconds = []
            for question in QUESTIONS * ROUNDS:
                began = time.perf_counter()
                await client.call_tool("search", {"query": question})
                seconds.append(time.perf_counter() - began)
            print(f"search over MCP: {spread(seconds)}")

    with served(repository, {"replies": []}) as (service, _):
        anyio.run(ask, f"{service.client.base_url}/mcp")


def estimate(repository: Path) -> None:
    """What the rehearsal of a workflow says, and what it asks."""
    said = "This part keeps what belongs together; see the outline."
    with (
        scripted({"replies": [{"text": said, "times": 0}]}) as backend,
        tempfile.TemporaryDirectory(prefix="repoctx-bench-") as folder,
    ):
        environment = {
            **os.environ, "REPOCTX_HOME": folder, "REPOCTX_CONFIG": f"{folder}/none.toml",
            "REPOCTX_BACKEND_URL": backend.url,
        }  # fmt: skip

        def run(*arguments: str) -> dict[str, Any]:
            done = subprocess.run([*PROGRAM, *arguments, "--json"], env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            return dict(json.loads(done.stdout.splitlines()[-1]))

        run("index", str(repository), "--name", "bench")
        plan = run("run", "onboard", "--repo", "bench", "--dry-run")
        spent = run("run", "onboard", "--repo", "bench")["spent"]
        print(f"rehearsed: {plan['questions']} questions, {plan['prompt_tokens']:,} tokens")
        print(f"asked: {spent['calls']} questions, {spent['prompt_tokens']:,} tokens by the server's count")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tasks", "gateway", "mcp", "estimate"])
    parser.add_argument("repository", type=Path)
    chosen = parser.parse_args()
    globals()[chosen.what](chosen.repository.resolve())
