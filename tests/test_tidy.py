"""The house rules: linters, types, layers, a command line that explains itself (documents: unit/test_documents.py)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from references import every_command

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
    """The package is strictly typed; benchmarks ask it for nothing that is not there."""
    run("mypy", "--no-error-summary")


def test_data_flows_one_way():
    """The layers of ARCHITECTURE.md."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def commands():
    """Every command that does something, with its words."""
    return [(words, command) for words, command in every_command() if not isinstance(command, click.Group)]


def test_every_command_is_in_the_changelog():
    """An undocumented command fails here."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [words for words, _ in commands() if f"repoctx {words}" not in text] == []


def test_every_option_has_a_help_text_or_a_choice():
    """`--help` explains each option."""
    bare = [
        f"{words} {option.opts[0]}"
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
        "jinja2",
        "markdown_it",
        "watchfiles",
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
