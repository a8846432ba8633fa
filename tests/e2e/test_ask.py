"""Asking a real mixture-of-experts server: the answer streams, and the server counts the tokens we predicted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from backend import MODEL, NATIVE_WINDOW, running_server

from repoctx.serve.cli import cli
from repoctx.serve.program import run as run_program

SAMPLE = Path(__file__).resolve().parent.parent.parent / "sample_repos" / "python-parcels"


@pytest.fixture
def repository(tmp_path, monkeypatch, capfd):
    """An indexed sample that one stands in."""
    folder = tmp_path / "parcels"
    shutil.copytree(SAMPLE, folder)
    monkeypatch.chdir(folder)
    assert run_program(cli, ["index", "."]) == 0
    capfd.readouterr()
    return folder


def run(capfd, *arguments: str) -> tuple[int, str, str]:
    """A command's exit code and what it said."""
    code = run_program(cli, list(arguments))
    said = capfd.readouterr()
    return code, said.out, said.err


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["3000", "12k"])
def test_the_server_counts_what_was_predicted(repository, capfd, budget):
    """`prompt_tokens` of the server equals the prediction, to the token."""
    with running_server("native") as url:
        server = ("--backend-url", f"{url}/v1", "--backend-model", MODEL)
        code, out, err = run(capfd, "ask", "How is the shipping cost made?", *server, "--budget", budget, "--json")
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    answer = events[-1]["answer"]
    assert answer["prompt_tokens"] == answer["predicted_tokens"] <= int(budget.replace("k", "000"))
    assert answer["plan"]["predicted_tokens"] + answer["plan"]["template_tokens"] == answer["predicted_tokens"]
    assert "".join(event["text"] or "" for event in events) == answer["text"]


@pytest.mark.slow
def test_a_prompt_over_the_server_s_window_is_explained(repository, capfd):
    """The server's refusal becomes one sentence and exit code 4; the model's name is asked of the server."""
    for number in range(12):
        shutil.copy(repository / "README.md", repository / f"copy-{number}.md")
        (repository / f"copy-{number}.md").write_text(
            f"# {number} shipping\n" + f"shipping cost number {number} of many\n" * 400
        )
    assert run(capfd, "index", ".")[0] == 0
    with running_server("native") as url:
        code, out, err = run(
            capfd, "ask", "shipping cost", "--backend-url", f"{url}/v1", "--budget", str(NATIVE_WINDOW * 2)
        )
    assert (code, out) == (4, "")
    assert "window" in err
    assert "budget" in err


def test_asking_without_a_back_end_says_what_to_set(repository, capfd):
    """Exit code 2 and the three ways to set one; a wrong address is exit code 4."""
    code, _, err = run(capfd, "ask", "anything")
    assert code == 2
    assert "--backend-url" in err
    code, _, err = run(capfd, "ask", "anything", "--backend-url", "http://127.0.0.1:1/v1")
    assert code == 4
    assert "127.0.0.1:1" in err
    code, out, _ = run(capfd, "ask", "anything about shipping", "--dry-run", "--budget", "2000")
    assert code == 0
    assert out.endswith("<task>\nanything about shipping\n</task>")
