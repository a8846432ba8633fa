"""Which settings are in force, and where did each value come from?

Later wins: the default, the user's `repoctx.toml`, the repository's `repoctx.toml`, the environment
(`REPOCTX_` and the key in capitals, dots as underscores), a flag. A repository is somebody else's
content: of its file only the keys marked `repository` count, so that it can say what to index but not
where prompts, keys or data go.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from repoctx.errors import UsageError

FILE = "repoctx.toml"


def _setting(default: Any, doc: str, repository: bool = False) -> Any:
    return field(default=default, metadata={"doc": doc, "repository": repository})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. A field `index_exclude` is the key `index.exclude`."""

    home: str = _setting("", "folder of repoctx's own data; empty: the platform's user data folder")
    database_url: str = _setting("", "sqlite:///PATH or postgresql://…; empty: SQLite in the home folder")
    index_workers: int = _setting(0, "processes that parse, threads that embed; 0: one per CPU")
    index_max_file_bytes: int = _setting(1_000_000, "larger files are left out", repository=True)
    index_include: tuple[str, ...] = _setting((), "only paths that match one of these patterns", repository=True)
    index_exclude: tuple[str, ...] = _setting((), "no paths that match one of these patterns", repository=True)
    history_commits: int = _setting(2000, "newest commits that are read for what they changed; 0: none")
    clone_seconds: int = _setting(3600, "how long a clone or fetch may take")
    clone_bytes: int = _setting(10_000_000_000, "how large a clone may grow")
    embedding_model: str = _setting(
        "static", "none, static, hashing (for tests), openai:MODEL@URL, or a sentence-transformers folder or hub name"
    )
    embedding_key_env: str = _setting("EMBEDDING_API_KEY", "environment variable that holds the embedding server's key")
    cluster_scheduler: str = _setting(
        "", "address of a Dask scheduler (tcp://host:8786, tls://host:8786): its workers parse and embed what is much"
    )
    cluster_seconds: int = _setting(60, "how long an index run waits for a cluster's scheduler and for workers")
    embedding_requests: int = _setting(4, "requests to the embedding server under way at a time")
    model: str = _setting("qwen3-coder-30b-a3b", "the model that packs are made for", repository=True)
    models_file: str = _setting("", "TOML file of further models; empty: models.toml beside your repoctx.toml")
    pack_budget: str = _setting("auto", "tokens of a pack, or auto", repository=True)
    pack_redact: bool = _setting(True, "whether secrets are cut out of packs")
    backend_url: str = _setting("", "base URL of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1")
    backend_model: str = _setting("", "the name the server knows the model by; empty: the first it lists")
    backend_key_env: str = _setting("OPENAI_API_KEY", "environment variable that holds the server's key")
    backend_timeout: int = _setting(1800, "seconds to wait for the first token: a long prompt takes minutes")
    backend_max_output: int = _setting(4096, "most tokens of an answer")
    backend_tiers: tuple[str, ...] = _setting(
        (), "base URLs of servers of other windows, as TIER=URL, such as 1m=http://127.0.0.1:8001/v1"
    )
    backend_at_once: int = _setting(4, "requests to a back end under way at a time, in one process; 0: any number")
    tasks_at_once: int = _setting(4, "tasks that a worker runs at a time")
    tasks_parallel: int = _setting(4, "steps of one task that run at a time")
    tasks_attempts: int = _setting(3, "how often a model may try to fix a bug before the task gives up")
    tasks_calls: int = _setting(200, "answers that a task may ask a model for")
    tasks_tokens: int = _setting(5_000_000, "tokens that a task may use, of prompts and answers together")
    tasks_tests: tuple[str, ...] = _setting(
        (), "test commands that tasks of the service may run, as REPOSITORY=COMMAND; on the command line --test says it"
    )
    tasks_test_seconds: int = _setting(600, "how long a test command may take")
    tasks_test_bytes: int = _setting(4_000_000_000, "memory that each process of a test command may take")
    gateway_repository: str = _setting("", "the repository of chats whose model's name and headers name none")
    gateway_budget: int = _setting(16_000, "most tokens of a repository's context that a chat begins with; 0: none")
    clone_hosts: tuple[str, ...] = _setting(
        (), "hosts and networks that the service may clone from though they are private, or speak only http"
    )
    serve_warm: int = _setting(4, "snapshots that a process keeps in memory")
    serve_together: int = _setting(100, "repositories that one question may go to: all of them are in memory together")
    serve_seconds: int = _setting(60, "how long an answer may take")
    serve_body_bytes: int = _setting(8_000_000, "how large a request may be; webhooks may have 25 MB")
    serve_rate: int = _setting(6000, "requests a minute for each token; 0: any number")
    serve_origins: tuple[str, ...] = _setting((), "origins of web pages that may call the service (CORS)")
    serve_paths: tuple[str, ...] = _setting((), "folders below which paths may be registered; empty: anywhere")
    serve_credentials: str = _setting("", "folder of credentials given as file:NAME; empty: credentials in the home")
    serve_poll_seconds: int = _setting(0, "how often servers that send no webhooks are asked for pushes; 0: never")
    jobs_attempts: int = _setting(5, "how often an index job is tried")
    jobs_stale_seconds: int = _setting(
        15, "how long the beats of a worker may stand still before others take over; at least 3, the same for all"
    )
    jobs_at_once: int = _setting(2, "jobs that a worker runs at a time; the worker started last says it for all")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings and, for each field, where its value came from."""

    settings: Settings
    origins: Mapping[str, str]


# Bounds of what a setting may ask for: a parser needs some 70 times the size of a file.
LIMITS: Mapping[str, int] = {
    "index_max_file_bytes": 20_000_000,
    "index_workers": 256,
    "history_commits": 100_000,  # 1 ms to read and 0.4 kB in the database each
    "cluster_seconds": 86_400,
    "embedding_requests": 64,
    "jobs_at_once": 64,
    "jobs_stale_seconds": 3600,
    "backend_at_once": 1000,
    "tasks_at_once": 64,
    "tasks_parallel": 64,
    "tasks_attempts": 20,
}

_DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in fields(Settings)}

KEYS: dict[str, str] = {
    f.name: f.name if "_" not in f.name or f.name == "database_url" else f.name.replace("_", ".", 1)
    for f in fields(Settings)
}

# What follows REPOCTX_ in variables that are no settings, and how others begin: those of secrets, tests, benchmarks.
_OTHERS = ("CONFIG", "TOKEN", "WEBHOOK_SECRET", "BACKEND_CACHE", "BACKEND_JOBS")
_FAMILIES = ("SECRET_", "TEST_", "BENCH")


def unknown_variables(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The variables that look like ours and count for nothing, each with the one that is most like it, or ""."""
    begins = "REPOCTX_"
    known = [*(name.upper() for name in KEYS), *_OTHERS]
    keys = (settings.backend_key_env, settings.embedding_key_env)
    found = {}
    for name in sorted(environment):
        rest = name[len(begins) :]
        ours = name.upper().startswith(begins) and name not in keys and not rest.startswith(_FAMILIES)
        if ours and (name != begins + rest or rest not in known):
            near = get_close_matches(rest.upper(), known, 1)
            found[name] = begins + near[0] if near else ""
    return found


def load(
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    repository: Path | None = None,
) -> Configuration:
    """Put the settings together. Raises UsageError for an unknown key or a value of the wrong kind."""
    environment = os.environ if environment is None else environment
    from platformdirs import user_config_path, user_data_path

    values: dict[str, Any] = {}
    origins = dict.fromkeys(KEYS, "default")
    user = (
        Path(environment["REPOCTX_CONFIG"]) if environment.get("REPOCTX_CONFIG") else user_config_path("repoctx") / FILE
    )
    sources: list[tuple[str, dict[str, Any]]] = [(str(user), _read(user, repository=False))]
    if repository is not None and (repository / FILE) != user:
        sources.append((str(repository / FILE), _read(repository / FILE, repository=True)))
    variables = {
        name: environment["REPOCTX_" + name.upper()] for name in KEYS if environment.get("REPOCTX_" + name.upper())
    }
    sources.append(("environment", variables))
    sources.append(("flag", {k: v for k, v in (flags or {}).items() if v is not None}))
    for origin, found in sources:
        for name, value in found.items():
            converted = _convert(name, value, origin)
            if name == "index_max_file_bytes" and repository is not None and origin == str(repository / FILE):
                converted = min(converted, values.get(name, _DEFAULTS[name]))  # it may only ask for less
            values[name] = converted
            origins[name] = origin if origin != "environment" else f"REPOCTX_{name.upper()}"
    settings = Settings(**values)
    try:
        home = Path(settings.home).expanduser().absolute() if settings.home else user_data_path("repoctx")
    except RuntimeError:  # of `~name`
        raise UsageError(f"home is {settings.home!r}, and there is no such user: give a folder") from None
    settings = replace(settings, home=str(home))
    if not settings.models_file and (beside := user.with_name("models.toml")).is_file():
        settings = replace(settings, models_file=str(beside))
    if not settings.database_url:
        settings = replace(settings, database_url=f"sqlite:///{Path(settings.home) / 'repoctx.db'}")
    return Configuration(settings, origins)


def key_variable(configuration: Configuration, name: str) -> str:
    """The environment variable that holds a server's key, by the setting that names it; "" for no key.

    The default one may well be unset: local servers ask for no key. One that was named must be there.
    """
    variable: str = getattr(configuration.settings, name)
    return variable if configuration.origins[name] != "default" or variable in os.environ else ""


def _read(path: Path, repository: bool) -> dict[str, Any]:
    """The settings of a file by field name; empty if there is no file."""
    try:
        if repository and (path.is_symlink() or path.stat().st_size > 100_000):
            raise UsageError(f"{path} is a link or too large to be a settings file: remove it")
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError, OSError) as error:  # of TOML, of UTF-8, of numbers of any length
        raise UsageError(f"{path} cannot be read: {error}") from error
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": v for inner, v in value.items()}
        else:
            flat[key] = value
    names = {key: name for name, key in KEYS.items()}
    allowed = {f.name for f in fields(Settings) if f.metadata["repository"] or not repository}
    for key in flat:
        if key not in names:
            near = get_close_matches(key, names, 1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise UsageError(f"{path} has an unknown setting {key!r}{meant}: `repoctx doctor` lists those there are")
    return {names[key]: value for key, value in flat.items() if names[key] in allowed}


def ignored(path: Path) -> list[str]:
    """The keys of a repository's settings file that do not count there. Raises as `load`."""
    counts = _read(path, repository=True)  # not of a link, nor of a file that is too large
    return sorted(KEYS[name] for name in set(_read(path, repository=False)) - set(counts))


def _convert(name: str, value: Any, origin: str) -> Any:
    """A value of the field's type. Raises UsageError."""
    default = _DEFAULTS[name]
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        if isinstance(default, int):
            number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value
            if type(number) is not int or not 0 <= number <= LIMITS.get(name, number):
                raise ValueError
            return number
        if isinstance(default, tuple):
            items = value.split(":" if name.startswith("index_") else ",") if isinstance(value, str) else value
            if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
                raise ValueError
            return tuple(items)
        if not isinstance(value, str) and type(value) is not int:
            raise ValueError
        return str(value)
    except (KeyError, TypeError, ValueError):
        most = f" and at most {LIMITS[name]:,}" if name in LIMITS else ""
        kinds = {"bool": "true or false", "int": f"a whole number of 0 or more{most}", "tuple": "a list of texts"}
        kind = kinds.get(type(default).__name__, "text")
        raise UsageError(f"setting {KEYS[name]!r} from {origin} must be {kind}, not {value!r}") from None
