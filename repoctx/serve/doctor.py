"""Is this installation sound, and which settings are in force?"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from repoctx import http, tokens
from repoctx.config import KEYS, Configuration
from repoctx.errors import RepoctxError
from repoctx.parse.languages import LANGUAGES
from repoctx.parse.version import parser_version
from repoctx.store.columns import sound
from repoctx.store.connect import HEAD, describe, errors, shown, version
from repoctx.workspace import Workspace, parse_budget

# `git ls-files --debug` and `--end-of-options` as repoctx uses them.
OLDEST_GIT = (2, 25)
# Less free space than this will not hold a large index.
FREE_BYTES = 1_000_000_000


class Value(NamedTuple):
    """A setting in force."""

    key: str
    value: str
    origin: str


class Check(NamedTuple):
    """Whether something is as it must be."""

    name: str
    ok: bool
    detail: str


def settings(configuration: Configuration) -> list[Value]:
    """Every setting, its value without secrets, and where it came from."""
    values = asdict(configuration.settings)
    found = []
    for name, key in KEYS.items():
        value = values[name]
        if name == "database_url":
            value = without_password(str(value))
        if name in ("backend_url", "embedding_model"):
            value = http.without_user(str(value))
        found.append(
            Value(
                key,
                ", ".join(value) if isinstance(value, (list, tuple)) else str(value),
                configuration.origins[name],
            )
        )
    return found


def without_password(url: str) -> str:
    """A database URL that may be shown."""
    import sqlalchemy as sa

    try:
        return shown(sa.engine.make_url(url))
    except (sa.exc.ArgumentError, ValueError):
        return "(not a database URL)"


def checks(workspace: Workspace) -> list[Check]:
    """Try everything that indexing, searching and packing need."""
    about = (_home, _database, _segments, _model)
    return [_git(), _tokens(), _parsers(), *(check(workspace) for check in about)]


def _git() -> Check:
    path = shutil.which("git")
    if path is None:
        return Check("git", False, "not found: install git; without it only plain folders can be indexed")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    numbers = tuple(int(n) for n in said.removeprefix("git version ").split(".")[:2] if n.isdecimal())
    return Check("git", numbers >= OLDEST_GIT, said if numbers >= OLDEST_GIT else f"{said}: 2.25 or newer is needed")


def _home(workspace: Workspace) -> Check:
    home = Path(workspace.settings.home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
        free = shutil.disk_usage(home).free
    except OSError as error:
        return Check(
            "home",
            False,
            f"{home} cannot be written ({error.strerror}): set REPOCTX_HOME to a folder that can",
        )
    return Check(
        "home",
        free >= FREE_BYTES,
        f"{home}, {free / 1e9:.1f} GB free" + ("" if free >= FREE_BYTES else ": free some space"),
    )


def _database(workspace: Workspace) -> Check:
    try:
        engine = workspace.engine
        with errors(engine), engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                said = str(connection.exec_driver_sql("PRAGMA quick_check").scalar())
                if said != "ok":
                    return Check(
                        "database", False, f"{describe(engine)} is damaged ({said}): delete it and index again"
                    )
        return Check("database", version(engine) == HEAD, f"{describe(engine)}, schema {version(engine)}")
    except RepoctxError as error:
        return Check("database", False, str(error))


def _segments(workspace: Workspace) -> Check:
    folder = Path(workspace.settings.home) / "segments"
    paths = sorted(folder.rglob("*.columns"))
    damaged = [str(path) for path in paths if not sound(path)]
    return Check("segments", not damaged, f"delete {', '.join(damaged)}" if damaged else f"{len(paths)} files")


def _model(workspace: Workspace) -> Check:
    try:
        window = workspace.window()
        parse_budget(workspace.settings.pack_budget)
    except RepoctxError as error:
        return Check("model", False, str(error))
    tiers = ", ".join(f"{tier.window:,}" for tier in window.tiers)
    return Check("model", True, f"{window.model}, windows {tiers}, tokens by {window.counter.name}")


def _tokens() -> Check:
    try:
        return Check("tokens", tokens.count("def main():\n") == 3, "Qwen vocabulary of 151,643 ranks")
    except RepoctxError as error:
        return Check("tokens", False, str(error))


def _parsers() -> Check:
    try:
        grammars = [name for name, row in LANGUAGES.items() if row.grammar and parser_version(name)]
    except (RepoctxError, ImportError) as error:
        return Check("parsers", False, f"{error}: install repoctx again")
    return Check("parsers", True, f"{len(grammars)} grammars")
