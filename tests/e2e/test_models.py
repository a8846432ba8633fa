"""`repoctx models`, models of one's own, and packs that are counted by their tokenizers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from made_tokenizers import tokenizer, written

from repoctx import tokens
from repoctx.serve.cli import cli
from repoctx.serve.program import run as run_program
from repoctx.workspace import open_workspace

SAMPLE = Path(__file__).resolve().parents[2] / "sample_repos" / "python-parcels"
TASK = "Ten parcels should be a tenth off: where is the shipping cost made?"
MINE = """
[mine]
names = ["Me/Mine"]
native = 32_768
output = 4096
tokenizer = "file:tokenizer.json"
template = 11
rope_theta = 10_000
tiers = [{ name = "native", window = 32_768 }, { name = "long", window = 65_536, rope_factor = 2 }]

[guessed]
native = 32_768
output = 4096
tiers = [{ name = "native", window = 32_768 }]

[qwen3-coder-next]
output = 8192
"""


@pytest.fixture
def folder() -> Path:
    """The folder of the user's settings, with models of their own in it."""
    found = Path(os.environ["REPOCTX_CONFIG"]).parent
    (found / "models.toml").write_text(MINE)
    shutil.move(written("byte level", found), found / "tokenizer.json")
    return found


@pytest.fixture
def repository(tmp_path, monkeypatch, capfd):
    """An indexed sample that one stands in."""
    copy = tmp_path / "parcels"
    shutil.copytree(SAMPLE, copy)
    monkeypatch.chdir(copy)
    assert run_program(cli, ["index", "."]) == 0
    capfd.readouterr()
    return copy


def run(capfd, *arguments: str) -> tuple[int, str, str]:
    """A command's exit code and what it said."""
    code = run_program(cli, list(arguments))
    said = capfd.readouterr()
    return code, said.out, said.err


def test_models_are_listed(folder, capfd):
    """The packaged ones and one's own, in order of their names; * marks the one that packs are made for."""
    code, out, _ = run(capfd, "models")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "  guessed",
        "  mine",
        "* qwen3-coder-30b-a3b",
        "  qwen3-coder-480b-a35b",
        "  qwen3-coder-flash",
        "  qwen3-coder-next",
        "  qwen3-coder-plus",
    ]
    assert "  guessed: native 32,768 tokens; counted by estimate\n" in out
    code, out, _ = run(capfd, "models", "--json")
    assert [json.loads(line)["name"] for line in out.splitlines()][:2] == ["guessed", "mine"]


def test_a_model_says_its_windows_and_the_settings_of_servers(folder, capfd):
    """Window, rope factor, reserve and largest pack of each tier; the commands; the caution; sources."""
    code, out, _ = run(capfd, "models", "qwen/qwen3-coder-30b-a3b-instruct")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert "native       262,144            1   78,643       183,501" in lines
    assert "1m         1,000,000            4  115,536       884,464" in lines
    assert "1m, logits times 1.296 on every request" in lines
    assert (
        "llama.cpp: llama-server -m MODEL.gguf --jinja -np 1 -c 524288 --rope-scaling yarn --rope-scale 2 "
        "--yarn-orig-ctx 262144"
    ) in lines
    assert any(line.startswith("YaRN is static in these servers") for line in lines)
    assert "rope_theta: config.json" in lines


def test_a_model_as_json(folder, capfd):
    """One object, with the rope settings as values."""
    code, out, _ = run(capfd, "models", "MINE", "--json")
    assert code == 0
    account = json.loads(out)
    assert (account["name"], account["names"], account["exact"], account["template"]) == ("mine", ["Me/Mine"], True, 11)
    assert account["tokenizer"] == f"file:{folder}/tokenizer.json"
    native, long = account["tiers"]
    assert (native["largest_pack"], long["largest_pack"]) == (32_768 - 4096 - 8192, 65_536 - 4096 - 10_000)
    assert (native["servers"][0]["config"], long["servers"][0]["config"]) == (
        {},
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 10_000,
                "factor": 2.0,
                "original_max_position_embeddings": 32_768,
            },
            "max_position_embeddings": 65_536,
        },
    )
    assert long["servers"][0]["command"].startswith("vllm serve Me/Mine --max-model-len 65536 --hf-overrides '{")


def test_hosted_models_have_prices_and_nothing_to_set(capfd):
    """Model Studio sets what its window needs; what a request costs depends on its input."""
    code, out, _ = run(capfd, "models", "qwen3-coder-plus")
    assert code == 0
    assert "  Hosted: its server sets what it needs.\n" in out
    assert "  international, input up to 1,000,000: 6 USD in, 60 out, per million tokens\n" in out
    assert "vLLM" not in out


def test_an_unknown_model(repository, capfd):
    """Exit code 2, and the nearest names."""
    for command in (["models", "qwen3-coder-nex"], ["pack", "--task", "x", "--model", "qwen3-coder-nex"]):
        code, out, err = run(capfd, *command)
        assert (code, out) == (2, "")
        assert err.startswith("repoctx: no model is called 'qwen3-coder-nex': did you mean qwen3-coder-next")


@pytest.mark.parametrize("budget", ["400", "1500", "9k", "auto"])
def test_a_pack_is_counted_by_the_model_s_own_tokenizer(repository, folder, capfd, budget):
    """Predicted tokens are those of the tokenizers package; the manifest names the file."""
    code, out, err = run(capfd, "pack", "--task", TASK, "--model", "mine", "--budget", budget, "--json")
    assert code == 0, err
    made = json.loads(out)
    plan = made["plan"]
    assert plan["predicted_tokens"] == len(
        tokenizer("byte level").encode(made["prompt"], add_special_tokens=False).ids
    )
    assert plan["prompt_tokens"] == plan["predicted_tokens"] + 11 <= plan["budget"]
    assert (plan["tokenizer"], plan["exact"], plan["margin"]) == (f"file:{folder}/tokenizer.json", True, 0.0)
    assert made["parts"] or budget == "400"


@pytest.mark.parametrize("budget", [900, 3000])
def test_an_estimate_keeps_to_the_budget(repository, folder, capfd, budget):
    """It says that it is one, and the real tokens are within the budget all the same."""
    code, out, err = run(capfd, "pack", "--task", TASK, "--model", "guessed", "--budget", str(budget), "--json")
    assert code == 0, err
    made = json.loads(out)
    plan = made["plan"]
    assert (plan["tokenizer"], plan["exact"], plan["margin"]) == ("estimate:4", False, 1.0)
    assert tokens.count(made["prompt"]) + plan["template_tokens"] <= budget
    assert made["parts"]
    _, _, err = run(capfd, "pack", "--task", TASK, "--model", "guessed", "--budget", str(budget))
    assert err.startswith(f"{plan['predicted_tokens']:,} of {budget:,} tokens, estimated with a margin of 100%, in ")


def test_a_models_file_by_setting(tmp_path, folder, capfd, monkeypatch):
    """`models.file` names another file; one that is not there, or wrong, is said in a sentence."""
    other = tmp_path / "team.toml"
    monkeypatch.setenv("REPOCTX_MODELS_FILE", str(other))
    code, _, err = run(capfd, "models")
    assert code == 2
    assert err == f"repoctx: the models in {other} cannot be read: [Errno 2] No such file or directory: '{other}'\n"
    other.write_text("[team]\nnative = 10\n")
    code, _, err = run(capfd, "models")
    assert (code, err) == (2, f"repoctx: {other}: model 'team' has no output and no tiers\n")
    other.write_text('[team]\nnative = 9000\noutput = 10\ntiers = [{ name = "native", window = 9000 }]\n')
    code, out, _ = run(capfd, "models")
    assert code == 0
    assert out.splitlines()[-1] == "  team: native 9,000 tokens; counted by estimate"
    assert "mine" not in out


def test_a_tokenizer_that_is_not_there(repository, folder, capfd):
    """The model is named, and `doctor` says it too."""
    (folder / "tokenizer.json").unlink()
    code, _, err = run(capfd, "pack", "--task", TASK, "--model", "mine")
    assert code == 2
    wanted = f"model 'mine': the tokenizer {folder}/tokenizer.json cannot be read: No such file or directory"
    assert err == f"repoctx: {wanted}\n"
    (folder / "repoctx.toml").write_text('model = "mine"\n')
    code, out, _ = run(capfd, "doctor")
    assert code == 1
    assert f"  BAD model: {wanted}\n" in out


def test_doctor_says_how_tokens_are_counted(folder, capfd):
    """The model, its windows, its tokenizer."""
    _, out, _ = run(capfd, "doctor")
    assert "  ok  model: qwen3-coder-30b-a3b, windows 262,144, 524,288, 1,000,000, tokens by qwen\n" in out
    assert f"  models.file = {folder}/models.toml  (default)\n" in out


def test_models_from_python(repository, folder):
    """The façade knows them too."""
    with open_workspace() as opened:
        assert opened.models["mine"].window == 65_536
        assert opened.window("guessed").counter.name == "estimate:4"
        made = opened.pack(TASK, model="mine", budget="2k")
    assert (made.plan.model, made.plan.tier) == ("mine", "native")
