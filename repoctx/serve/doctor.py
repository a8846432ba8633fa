"""Is this installation sound, and which settings are in force?"""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from repoctx import config, http, tokens
from repoctx.config import FILE, KEYS, Configuration, Settings, ignored, unknown_variables
from repoctx.errors import RepoctxError, UsageError
from repoctx.parse.languages import LANGUAGES
from repoctx.parse.version import parser_version
from repoctx.serve import rounds
from repoctx.serve.rounds import Check
from repoctx.serve.show import size
from repoctx.source import git, source_top
from repoctx.store import garbage
from repoctx.store.columns import sound
from repoctx.store.connect import HEAD, describe, errors, shown, version
from repoctx.workspace import Workspace, open_workspace, parse_budget

if TYPE_CHECKING:
    from repoctx.serve.switching import Cost

# Less free space than this will not hold a large index.
FREE_BYTES = 1_000_000_000
# A service has some forty connections, files of indexes beside them.
OPEN_FILES = 1_024
# Seconds for which the database, and the files of indexes, are read; what is larger is looked at in part.
LOOKED = 0.5
# The file of settings that the image and the units name, whether there is one or not.
OPTIONAL = "/etc/repoctx/repoctx.toml"
# The variable that names another file of settings.
CONFIG = "REPOCTX_CONFIG"
# What is not looked at where some setting cannot be used: it might be that of the home.
SKIPPED = "the home, the database, the segments, the model and all that runs"
# What the extras are for, and the module that tells whether one is installed.
EXTRAS = (
    ("postgres", "psycopg", "a Postgres database"),
    ("transformers", "sentence_transformers", "other embedding models on this machine"),
    ("cluster", "distributed", "indexing on many machines"),
    ("telemetry", "opentelemetry", "traces"),
)
COMPLETION = {
    "bash": 'eval "$(_REPOCTX_COMPLETE=bash_source repoctx)"',
    "zsh": 'eval "$(_REPOCTX_COMPLETE=zsh_source repoctx)"',
    "fish": "_REPOCTX_COMPLETE=fish_source repoctx | source",
}


class Value(NamedTuple):
    """A setting in force."""

    key: str
    value: str
    origin: str


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


def examined(flags: Mapping[str, Any], embedding: str | None) -> tuple[list[Value], list[Check], list[Cost]]:
    """The settings in force, every check, what is bad first, and what embedding models would cost.

    Settings that cannot be used are a check that is bad; then only those that can are shown, and what needs them all is
    not looked at.
    """
    from repoctx.serve.switching import checked

    costs: list[Cost] = []
    try:
        with open_workspace(flags) as opened:
            found = checks(opened)
            if all(check.ok for check in found if check.name in ("home", "database")):
                measured, costs = checked(opened, embedding)
                found += measured
            return settings(opened.configuration), ordered(found), costs
    except UsageError as error:
        usable, left_out = _usable(flags)
        less = f", and what {', '.join(left_out)} says is not shown" if left_out else ""
        said = f"{str(error).rstrip('.')}; until that is corrected {SKIPPED} are not looked at{less}"
        found = [*installation(), _environment(usable.settings), Check("settings", False, said)]
        return settings(usable), ordered(found), []


def _usable(flags: Mapping[str, Any]) -> tuple[Configuration, list[str]]:
    """The settings without each flag, each variable and the file that by itself cannot be used, and what those are."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("REPOCTX_") and name != CONFIG}
    bad = [name for name, value in ours.items() if not _loads({CONFIG: os.devnull, name: value}, {})]
    bad_flags = [name for name, value in flags.items() if not _loads({CONFIG: os.devnull}, {name: value})]
    chosen = {name: os.environ[name] for name in (CONFIG,) if name in os.environ}
    if not _loads(chosen, {}):
        bad.append(chosen.get(CONFIG) or f"your {FILE}")
        chosen = {CONFIG: os.devnull}
    environment = chosen | {name: value for name, value in ours.items() if name not in bad}
    kept = {name: value for name, value in flags.items() if name not in bad_flags}
    return config.load(environment, kept), [*(f"--{name.replace('_', '-')}" for name in bad_flags), *bad]


def _loads(environment: Mapping[str, str], flags: Mapping[str, Any]) -> bool:
    try:
        config.load(environment, flags)
    except UsageError:
        return False
    return True


def checks(workspace: Workspace) -> list[Check]:
    """Try everything that indexing, searching and packing need, and look at what runs."""
    found = [*installation(), _environment(workspace.settings), _settings()]
    found += (check(workspace) for check in (_home, _database, _segments, _model))
    if all(check.ok for check in found if check.name in ("home", "database")):
        found += rounds.checks(workspace)
    return found


def installation() -> list[Check]:
    """What can be looked at without settings."""
    return [_python(), _git(), _tokens(), _parsers(), _files(), _extras(), _completion()]


def ordered(found: Sequence[Check]) -> list[Check]:
    """What is bad first; otherwise as they were."""
    return sorted(found, key=lambda check: check.ok)


def _python() -> Check:
    return Check("python", True, f"{platform.python_implementation()} {platform.python_version()}")


def _git() -> Check:
    path = shutil.which("git")
    if path is None:
        return Check("git", False, "not found: install git; without it only plain folders can be indexed")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    numbers = tuple(int(n) for n in said.removeprefix("git version ").split(".")[:2] if n.isdecimal())
    if numbers < git.OLDEST:
        return Check("git", False, f"{said}: install git 2.25 or newer")
    return Check("git", True, said)


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


def _files() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        return Check("open files", False, f"at most {soft:,}: run `ulimit -n 4096` before `repoctx serve`")
    return Check("open files", True, "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft:,}")


def _extras() -> Check:
    have = [name for name, module, _ in EXTRAS if importlib.util.find_spec(module)]
    lack = [f"{name} ({what})" for name, _, what in EXTRAS if name not in have]
    said = [f"{', '.join(have)} installed"] if have else []
    if lack:
        said.append(f"not {', '.join(lack)}: `pip install 'repoctx[NAME]'` adds one")
    return Check("extras", True, "; ".join(said))


def _completion() -> Check:
    shell = os.path.basename(os.environ.get("SHELL", ""))
    shell = shell if shell in COMPLETION else "bash"
    return Check("completion", True, f"in {shell} the TAB key knows repoctx after: {COMPLETION[shell]}")


def _environment(chosen: Settings) -> Check:
    """Whether every variable of ours counts, and the file that one names is there."""
    said = []
    for name, near in unknown_variables(os.environ, chosen).items():
        meant = f" (did you mean {near!r}?)" if near else ""
        said.append(f"{name} counts for nothing, since no setting has this name{meant}: correct it, or unset it")
    file = os.environ.get(CONFIG, "")
    if file and file != OPTIONAL and not os.path.exists(file):
        said.append(f"{CONFIG} names {file}, which does not exist: write settings there, or unset it")
    return Check("environment", not said, "; ".join(said) or "every variable of repoctx counts")


def _settings() -> Check:
    """Whether the settings file of the repository around here has keys that count."""
    try:
        top = source_top(".")
    except RepoctxError:
        top = None
    file = Path(top or ".") / FILE
    try:
        keys = ignored(file)
    except RepoctxError as error:
        return Check("settings", False, str(error))
    if keys:
        named = ", ".join(keys)
        return Check("settings", False, f"{file} sets {named}, which a repository may not: set it in your own {FILE}, "
                     "or in the environment")  # fmt: skip
    return Check("settings", True, str(file) if file.is_file() else f"no {FILE} here")


def home_problem(home: Path) -> str | None:
    """Why a home cannot be used, and what to do; None if it can."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return f"{home} cannot be written ({error.strerror}): set REPOCTX_HOME to a folder that can"
    return None


def _home(workspace: Workspace) -> Check:
    home = Path(workspace.settings.home)
    if problem := home_problem(home):
        return Check("home", False, problem)
    free = shutil.disk_usage(home).free
    if free < FREE_BYTES:
        return Check("home", False, f"{home}, {free / 1e9:.1f} GB free: free some space; `repoctx gc` may help")
    scratch = tempfile.gettempdir()
    if (left := shutil.disk_usage(scratch).free) < FREE_BYTES / 10:
        return Check("home", False, f"{scratch} has {size(left)} free: free some space there, or set TMPDIR")
    return Check("home", True, f"{home}, {free / 1e9:.1f} GB free")


def _database(workspace: Workspace) -> Check:
    try:
        engine = workspace.engine
        with errors(engine), engine.connect() as connection:
            said = _quick_check(connection) if engine.dialect.name == "sqlite" else "ok"
        if said not in ("ok", "large"):
            return Check("database", False, f"{describe(engine)} is damaged ({said}): delete it and index again")
        if version(engine) != HEAD:
            return Check("database", False, f"{describe(engine)} has schema {version(engine)}: use that version")
        about = f"{describe(engine)}, schema {HEAD}"
        whole, free = garbage.file_bytes(engine)
        if whole:
            about += f", {size(whole)}" + (f", {size(free)} of it free: `repoctx gc` gives it back" if free > whole / 4
                                           and free > FREE_BYTES / 10 else "")  # fmt: skip
        return Check("database", True, about + (" (too large to be read whole here)" if said == "large" else ""))
    except RepoctxError as error:
        return Check("database", False, str(error))


def _quick_check(connection: sa.Connection) -> str:
    """What SQLite says of its file: "ok", what is wrong, or "large" if it takes too long."""
    raw: Any = connection.connection.driver_connection
    ends = time.monotonic() + LOOKED
    raw.set_progress_handler(lambda: time.monotonic() > ends, 10_000)
    try:
        return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    except sa.exc.OperationalError as error:
        if "interrupted" in str(error):
            return "large"
        raise
    finally:
        raw.set_progress_handler(None, 0)


def _segments(workspace: Workspace) -> Check:
    folder = Path(workspace.settings.home) / "segments"
    paths = sorted(folder.rglob("*.columns"))
    ends = time.monotonic() + LOOKED
    damaged, looked = [], 0
    for path in paths:
        if time.monotonic() > ends:
            break
        looked += 1
        if not sound(path):
            damaged.append(str(path))
    if damaged:
        return Check("segments", False, f"delete {', '.join(damaged)}: they are damaged, and made again by themselves")
    some = "" if looked == len(paths) else f", {looked:,} of them read"
    return Check("segments", True, f"{len(paths):,} files{some}")


def _model(workspace: Workspace) -> Check:
    try:
        window = workspace.window()
        parse_budget(workspace.settings.pack_budget)
    except RepoctxError as error:
        return Check("model", False, str(error))
    tiers = ", ".join(f"{tier.window:,}" for tier in window.tiers)
    return Check("model", True, f"{window.model}, windows {tiers}, tokens by {window.counter.name}")
