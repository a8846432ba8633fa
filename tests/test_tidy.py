"""The house rules: linters, types, layers, documents that agree with the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from repoctx.config import KEYS, Settings
from repoctx.serve.cli import cli

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> None:
    """Run a tool; its output is the failure's message."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def tracked() -> list[Path]:
    """The text files of the project."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in found.split("\0") if name and (ROOT / name).is_file()]


def test_ruff_finds_nothing():
    """Lint rules hold everywhere."""
    run("ruff", "check", "--no-cache", "repoctx", "tests", "migrations", "deploy")


def test_mypy_is_content():
    """The package is strictly typed."""
    run("mypy", "--no-error-summary")


def test_data_flows_one_way():
    """The layers of ARCHITECTURE.md."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def written(file: str, what: str, table: str) -> None:
    """A table stands in a file as it is made, between its two marks."""
    path = ROOT / file
    text = path.read_text(encoding="utf-8")
    wanted = re.sub(
        rf"(<!-- {what}: [^>]*-->\n).*?(<!-- end of {what} -->)",
        lambda m: f"{m[1]}{table}\n{m[2]}",
        text,
        flags=re.DOTALL,
    )
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(wanted, encoding="utf-8")
    assert text == wanted or os.environ.get("UPDATE_GOLDEN"), "run `make golden`"


def test_the_readme_lists_every_setting():
    """The table is written from the code; UPDATE_GOLDEN=1 writes it anew."""
    rows = ["| key | default | what it does |", "|---|---|---|"]
    for field in fields(Settings):
        default = ", ".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        marked = " (*repository*)" if field.metadata["repository"] else ""
        rows.append(f"| `{KEYS[field.name]}` | {f'`{default}`' if default else ''} | {field.metadata['doc']}{marked} |")
    written("README.md", "settings", "\n".join(rows))


def test_the_readme_lists_every_route(tmp_path):
    """The table is written from the OpenAPI document; UPDATE_GOLDEN=1 writes it anew."""
    from repoctx.serve.rest import create_app
    from repoctx.workspace import Workspace

    workspace = Workspace({"REPOCTX_HOME": str(tmp_path)})
    paths = create_app(workspace).openapi()["paths"]
    workspace.close()
    rows = ["| route | does |", "|---|---|"]
    every = [(path, method, one["summary"]) for path in paths for method, one in paths[path].items()]
    rows += [f"| `{method.upper()} {path}` | {summary} |" for path, method, summary in every]
    written("README.md", "routes", "\n".join(rows))


def commands(group=cli, prefix=()):
    """Every command with its words."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def test_every_command_is_in_the_changelog():
    """An undocumented command fails here."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [" ".join(words) for words, _ in commands() if f"repoctx {' '.join(words)}" not in text] == []


def test_every_option_has_a_help_text_or_a_choice():
    """`--help` explains each option."""
    bare = [
        f"{' '.join(words)} {option.opts[0]}"
        for words, command in commands()
        for option in command.params
        if option.param_type_name == "option" and not option.help and not hasattr(option.type, "choices")
    ]
    assert bare == []


def test_help_stays_light():
    """`repoctx --help` loads none of the heavy modules."""
    heavy = (
        "numpy",
        "sqlalchemy",
        "faiss",
        "tree_sitter",
        "tiktoken",
        "httpx",
        "networkx",
        "torch",
        "rich",
        "fastapi",
        "mcp",
        "jsonschema",
        "yaml",
    )
    code = (
        "import sys; from repoctx.serve.cli import main\n"
        "sys.argv = ['repoctx', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_every_module_says_what_question_it_answers():
    """A module opens with a docstring."""
    bare = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "repoctx").rglob("*.py"))
        if not path.read_text(encoding="utf-8").lstrip().startswith('"""')
    ]
    assert bare == []


@pytest.mark.parametrize(
    "pattern",
    [r"(?<![\w.])/(?:work|Users)/", r"/root/\.", r"pypi\.org", r"registry\.npmjs", r"\bTODO\b|\bFIXME\b|\bXXX\b"],
)
def test_the_repository_speaks_of_the_project_alone(pattern):
    """No paths of a machine, no registry hosts, no promises."""
    found = []
    for path in tracked():
        if path.suffix in (".tiktoken",) or path == Path(__file__):
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in re.finditer(pattern, text)]
    assert found == []
