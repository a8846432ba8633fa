"""Do the documents agree with the code? Their references, links, command lines, requests, names and examples."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import click
import documents
import pytest
import yaml
from documents import DOCUMENTS, FOLDER, ROOT
from references import HEADINGS, every_command, reference
from samples import committed

from repoctx.config import KEYS

UPDATE = "UPDATE_GOLDEN" in os.environ  # read at import: tests see no such variable
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
_VARIABLE = re.compile(r"\bREPOCTX_[A-Z_]+[A-Z]")
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The OpenAPI document of the service."""
    from repoctx.serve.rest import create_app
    from repoctx.workspace import Workspace

    workspace = Workspace({"REPOCTX_HOME": str(tmp_path_factory.mktemp("api"))})
    yield create_app(workspace).openapi()
    workspace.close()


# --- references --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADINGS)
def test_references_are_written_from_the_code(name, api):
    """Every command, route and setting is there; UPDATE_GOLDEN=1 writes them anew, after the heading."""
    path = FOLDER / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    before, heading, _ = text.partition(f"{HEADINGS[name]}\n")
    wanted = f"{before}{heading}\n{reference(name, api)}"
    assert heading
    if UPDATE:
        path.write_text(wanted, encoding="utf-8")
    assert UPDATE or text == wanted, "run `make golden`"


# --- links -------------------------------------------------------------------------------------


@every_document
def test_links_lead_somewhere(path):
    """To a file of the repository, and to a heading that it has."""
    missing = []
    for link in documents.links(path):
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        there = target.is_relative_to(ROOT) and target.exists()
        if not there or (anchor and anchor not in documents.slugs(target)):
            missing.append(link)
    assert missing == []


# --- command lines, requests, names ------------------------------------------------------------


@every_document
def test_command_lines_are_understood(path):
    """Every `repoctx …` line in a block parses. Words in capitals and `$NAME` stand for what a user has; where an
    option takes a number or a choice, a real one stands."""
    blocks = [one for one in documents.shown(path) if one.block and one.language in documents.SHELLS]
    assert [(one.line, *wrong) for one in blocks for wrong in documents.misunderstood(one.text)] == []


@pytest.mark.parametrize(
    "line,said",
    [
        ("repoctx serach x", "No such command 'serach'"),
        ("cd a && repoctx search x --levle file", "No such option '--levle'"),
        ("X=1 repoctx search x -k N | head", "'N' is not a valid integer range"),
        ("repoctx mcp install emacs", "'emacs' is not one of 'qwen', 'claude'"),
        ("git diff | repoctx refs > out.txt", "Missing argument 'SYMBOL'"),
    ],
)
def test_a_wrong_command_line_is_noticed(line, said):
    """In any part of a line, and by what is wrong with it."""
    ((_, found),) = documents.misunderstood(line)
    assert said in found


@pytest.mark.parametrize(
    "text,block,found",
    [
        ("GET /v1/jobs?state=failed", False, [("GET", "/v1/jobs", None)]),
        ('POST /v1/tasks {"kind": "debug"}', False, [("POST", "/v1/tasks", '{"kind": "debug"}')]),
        ("the GET /v1/jobs", False, []),
        ("curl -H 'A: b' http://h:1/v1/search \\\n -d '{\"query\":\n \"x\"}'", True,
         [("POST", "/v1/search", '{"query":\n "x"}')]),
        ("curl -X PATCH http://h/v1/repositories/shop -d '{}'", True, [("PATCH", "/v1/repositories/shop", "{}")]),
        ("curl http://h/v1/jobs/$JOB/events", True, [("GET", "/v1/jobs/$JOB/events", None)]),
    ],
)  # fmt: skip
def test_requests_are_read(text, block, found):
    """From sentences and from lines of curl."""
    assert [tuple(one) for one in documents.requests(documents.Shown("f", 1, "", text, block))] == found


@every_document
def test_commands_in_sentences_exist(path):
    """`repoctx X Y` in a line names a command; what follows its words may be anything."""
    known = {words for words, _ in every_command()}
    firsts = {words.split(" ")[0] for words in known}
    wrong = []
    for one in documents.shown(path):
        words = one.text.split()
        if one.block or words[:1] != ["repoctx"] or len(words) == 1:
            continue
        told = [word for word in words[1:] if re.fullmatch("[a-z][a-z-]*", word)]
        if words[1][0].isalpha() and words[1].islower() and words[1] not in firsts:
            wrong.append(one.text)
        group = documents.cli.commands.get(words[1])
        if isinstance(group, click.Group) and len(told) > 1 and told[1] not in group.commands:
            wrong.append(one.text)
    assert wrong == []


def test_requests_are_those_of_the_service(api):
    """`GET /v1/…` and curl lines go to routes that there are, and bodies are valid."""
    from jsonschema import Draft202012Validator

    wrong = []
    for one in (one for path in DOCUMENTS for one in documents.shown(path)):
        for request in documents.requests(one):
            if not request.path.startswith("/v1/") or request.path == "/v1/openapi.json":
                continue
            route = documents.route_of(api, request)
            if route is None:
                wrong.append(f"{one.file}:{one.line}: no route {request.method} {request.path}")
            elif request.body is not None:
                schema = route["requestBody"]["content"]["application/json"]["schema"]
                body = json.loads(request.body)
                errors = Draft202012Validator({**schema, "components": api["components"]}).iter_errors(body)
                wrong += [f"{one.file}:{one.line}: {error.message}" for error in errors]
    assert wrong == []


@cache
def variables() -> set[str]:
    """The variables that are named in code."""
    folders = ("repoctx", "tests", "deploy")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".sh")]
    found = (_VARIABLE.findall(path.read_text(encoding="utf-8")) for path in [*files, ROOT / "Makefile"])
    return {name for names in found for name in names}


@every_document
def test_variables_and_settings_exist(path):
    """A `REPOCTX_` variable is that of a setting, one of a repository's secrets, or stands in the code."""
    text = path.read_text(encoding="utf-8")
    known = {f"REPOCTX_{name.upper()}" for name in KEYS} | variables()
    named = set(_VARIABLE.findall(text))
    assert {name for name in named if not name.startswith("REPOCTX_SECRET_")} - known == set()
    groups = {key.partition(".")[0] for key in KEYS.values() if "." in key}
    keys = {one.text.partition(" ")[0] for one in documents.shown(path) if not one.block}
    settings = {key for key in keys if re.fullmatch(rf"(?:{'|'.join(groups)})\.[a-z_]+", key)}
    files = re.compile(r".*\.(?:toml|html|json|md|py|txt|yaml|db|scm)$")
    assert {key for key in settings if not files.match(key)} - set(KEYS.values()) == set()


@every_document
def test_blocks_of_data_are_well_formed(path):
    """JSON, TOML and YAML parse, and Python compiles."""
    read = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load,
            "python": lambda text: compile(text, "block", "exec")}  # fmt: skip
    for one in documents.shown(path):
        if one.block and one.language in read:
            read[one.language](one.text)


def test_security_names_tests_that_there_are():
    """Each file of its table is one; a name alone is in the folder of the one before."""
    table = (FOLDER / "security.md").read_text(encoding="utf-8").partition("## Tests\n")[2]
    missing, folder = [], ""
    for name in re.findall(r"`([\w/]+\.py)`", table):
        folder = name.rpartition("/")[0] or folder
        if not (ROOT / "tests" / folder / name.rpartition("/")[2]).is_file():
            missing.append(name)
    assert folder
    assert missing == []


# --- examples ----------------------------------------------------------------------------------


def block(name: str, language: str) -> str:
    """The only block of a language in a document."""
    (found,) = [one.text for one in documents.shown(FOLDER / f"{name}.md") if one.block and one.language == language]
    return found


def test_the_workflow_that_is_shown_is_one():
    """It is read as `repoctx run` reads it."""
    from repoctx.tasks.workflow.load import load

    assert load(block("tasks", "yaml"), "audit.yaml").name == "audit"


def test_servers_are_started_as_repoctx_models_says():
    """Each line that starts a server of Qwen3-Coder is one of `repoctx models NAME`."""
    from repoctx.model.servers import servers
    from repoctx.model.windows import find

    model = find("qwen3-coder-30b-a3b")
    known = {server.command for tier in model.tiers for server in servers(model, tier)}
    lines = [line for one in documents.shown(FOLDER / "models.md") if one.block for line in one.text.splitlines()]
    started = [line for line in lines if line.startswith(("vllm", "python -m sglang", "llama-server"))]
    assert len(started) == 6
    assert set(started) <= known


def test_the_model_that_is_shown_is_one(tmp_path):
    """Its table is read as `models.toml` is."""
    from repoctx.model.windows import load, read

    file = tmp_path / "models.toml"
    file.write_text(block("models", "toml"), encoding="utf-8")
    assert load(read(file), str(file))["my-model"].native == 131_072


def test_the_python_that_is_shown_runs(tmp_path):
    """It indexes, searches and packs a repository that is called as it says."""
    committed("python-parcels", tmp_path).rename(tmp_path / "my-repo")
    script = tmp_path / "script.py"
    script.write_text(block("quickstart", "python"), encoding="utf-8")
    environment = {**os.environ, "REPOCTX_HOME": str(tmp_path / "home"), "REPOCTX_CONFIG": str(tmp_path / "none.toml")}
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "fix the retry delay" in done.stdout


def test_the_readme_is_short():
    """What it says in detail is in the documents."""
    assert len(Path(ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200
