"""The sample repositories, their planted bugs, and the fix of each as a model would answer it."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from repositories import git

SAMPLES = Path(__file__).resolve().parents[1] / "sample_repos"
BUGS: Mapping[str, Mapping[str, Any]] = tomllib.loads((SAMPLES / "bugs.toml").read_text(encoding="utf-8"))
BUILD_OUTPUTS = ("node_modules", "dist", "out", "target", "build", "__pycache__", "*.egg-info")


class Fix(NamedTuple):
    """The smallest fix of a sample's bug."""

    path: str
    line: int  # at which it begins
    search: str  # whole lines
    replace: str
    before: str  # the file
    after: str


def fix(name: str) -> Fix:
    """The fix of a sample, as `bugs.toml` has it, in whole lines."""
    bug = BUGS[name]
    before = (SAMPLES / name / bug["path"]).read_text(encoding="utf-8")
    after = before.replace(bug["before"].strip("\n"), bug["after"].strip("\n"))
    old, new = before.split("\n"), after.split("\n")
    first = next(at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
    last = next(at for at, (one, other) in enumerate(zip(old[::-1], new[::-1], strict=False)) if one != other)
    last = min(last, len(old) - first - 1)
    search, replace = "\n".join(old[first : len(old) - last]), "\n".join(new[first : len(new) - last])
    return Fix(bug["path"], first + 1, search, replace, before, after)


def block(path: str, search: str, replace: str) -> str:
    """A search/replace block as a model writes it."""
    return f"{path}\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def right(name: str) -> str:
    """The answer that mends a sample's bug, with a citation that holds and one that does not."""
    made = fix(name)
    said = f"{BUGS[name]['explanation']} See {made.path}:{made.line} and {made.path}:99999."
    return f"{said}\n\n{block(made.path, made.search, made.replace)}"


def committed(name: str, folder: Path) -> Path:
    """A copy of a sample without build outputs, as a git repository."""
    copy = folder / name
    shutil.copytree(SAMPLES / name, copy, ignore=shutil.ignore_patterns(*BUILD_OUTPUTS))
    git(copy, "init", "-q", "-b", "main")
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", "first")
    return copy
