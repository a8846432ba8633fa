"""Do the sample repositories build, pass their tests, and show the bug that `bugs.toml` describes?

The TypeScript sample needs a compiler: it is looked for in the sample's own `node_modules`, then in
the `node_modules` folder that REPOCTX_TEST_NODE_MODULES names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samples import BUGS, BUILD_OUTPUTS, SAMPLES

COMPILED = frozenset({"typescript", "go", "java", "rust", "cpp"})
NODE_MODULES = os.environ.get("REPOCTX_TEST_NODE_MODULES")  # read here: tests do not see the user's REPOCTX_*
SHORT_LIVED_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for seconds: no time to optimise
SECONDS = 120  # limit of one command; the slowest, a first C++ build, takes about 10 on two idle cores


def marked(name: str) -> Any:
    """The name as a test parameter, marked slow where its sample has to be compiled."""
    return pytest.param(name, marks=[pytest.mark.slow] if BUGS[name]["language"] in COMPILED else [])


def run(command: str, folder: Path) -> tuple[int, str]:
    """The exit status of a shell command and all that it printed; `python3` is this interpreter."""
    programs = folder.parent / "programs"
    programs.mkdir(exist_ok=True)
    python = programs / "python3"
    if not python.exists():
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        python.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "JAVA_TOOL_OPTIONS": SHORT_LIVED_JAVA}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def copy_of(name: str, folder: Path) -> Path:
    """A copy of a sample without build outputs; the test is skipped where its toolchain is missing."""
    missing = [program for program in BUGS[name]["needs"] if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}, which is not on the PATH")
    copy = folder / name
    shutil.copytree(SAMPLES / name, copy, ignore=shutil.ignore_patterns(*BUILD_OUTPUTS))
    if BUGS[name]["language"] == "typescript":
        candidates = [SAMPLES / name / "node_modules", *([Path(NODE_MODULES)] if NODE_MODULES else [])]
        modules = [path for path in candidates if (path / "typescript").is_dir()]
        if not modules:
            pytest.skip(f"{name} needs a compiler: run `npm install` in sample_repos/{name}")
        (copy / "node_modules").symlink_to(modules[0].resolve(), target_is_directory=True)
    return copy


def test_every_sample_is_described() -> None:
    """Each folder has one table in `bugs.toml`, and the languages are the six of the collection."""
    assert sorted(BUGS) == sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
    languages = {bug["language"] for bug in BUGS.values()}
    assert languages == {"python", "typescript", "go", "java", "rust", "cpp"}


@pytest.mark.parametrize("name", sorted(BUGS))
def test_the_bug_is_where_the_table_says(name: str) -> None:
    """The path exists and holds the symbol and, once, the text that the fix replaces."""
    bug = BUGS[name]
    text = (SAMPLES / name / bug["path"]).read_text(encoding="utf-8")
    assert bug["symbol"].replace("::", ".").split(".")[-1] in text
    assert text.count(bug["before"]) == 1


@pytest.mark.parametrize("name", sorted(BUGS))
def test_the_report_does_not_name_the_place(name: str) -> None:
    """`BUG.md` tells the symptom: it holds neither the faulty symbol nor its file's name."""
    report = (SAMPLES / name / "BUG.md").read_text(encoding="utf-8")
    assert BUGS[name]["symbol"].replace("::", ".").split(".")[-1] not in report.split()
    assert Path(BUGS[name]["path"]).name not in report


@pytest.mark.parametrize("name", sorted(BUGS))
def test_no_sample_is_a_git_repository(name: str) -> None:
    """No folder of a sample holds a `.git`."""
    assert list((SAMPLES / name).rglob(".git")) == []


@pytest.mark.parametrize("name", [marked(name) for name in sorted(BUGS)])
def test_the_sample_passes_its_tests_and_shows_its_bug(name: str, tmp_path: Path) -> None:
    """The tests pass with the bug in place, and the demonstration fails; the fix turns only the latter."""
    bug = BUGS[name]
    folder = copy_of(name, tmp_path)
    status, output = run(bug["test"], folder)
    assert status == 0, output
    status, output = run(bug["demonstrate"], folder)
    assert (status, bug["shows"] in output) == (1, True), output

    place = folder / bug["path"]
    place.write_text(place.read_text(encoding="utf-8").replace(bug["before"], bug["after"]), encoding="utf-8")
    status, output = run(bug["test"], folder)
    assert status == 0, output
    status, output = run(bug["demonstrate"], folder)
    assert (status, bug["shows"] in output) == (0, False), output
