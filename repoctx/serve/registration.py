"""How does the service come to look after a repository, and how does it let go of it?"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from repoctx.config import Settings
from repoctx.errors import BusyError, RefusedError, UsageError
from repoctx.serve.places import place
from repoctx.source import Access, check_access, check_extent, clone, default_name, git, shown_path, source_top, urls
from repoctx.store import jobs, locks, registry, snapshots, tasks
from repoctx.store.connect import errors
from repoctx.store.registry import Registered, Registration
from repoctx.store.snapshots import Repository
from repoctx.workspace import NAME, Workspace

# Variables that a repository may name, so that nobody makes the service send other secrets of its own to a server.
VARIABLE = re.compile(r"REPOCTX_SECRET_[A-Z0-9_]{1,100}")
MOST_SECRET_BYTES = 64 << 10
# Bytes of a location, which is in an index of the database.
MOST_LOCATION = 2000
# What looks like folders and is none that anybody works in.
_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/boot", "/run")
# How often it is looked whether a job has stopped, in seconds.
LOOK = 0.2
log = structlog.get_logger()

# Secrets of webhooks that are valid at a time, and the characters that a new one has at least: whoever sees one
# delivery can try as many as he likes.
VALID_SECRETS, LEAST_SECRET = 2, 16


class Asked(Protocol):
    """What is said of a repository that shall be registered, as `POST /v1/repositories` takes it."""

    url: str | None
    path: str | None
    name: str | None
    default_ref: str | None
    webhook_secret: str | None
    credential: str
    login: str
    follow: list[str]
    poll_seconds: int


def locate(settings: Settings, url: str | None, path: str | None, access: Access) -> tuple[str, str]:
    """The location that a caller means, in normal form, and the name it has if none is chosen.

    Raises UsageError, SourceError, RefusedError or BackendError for what the service may not read.
    """
    if (url is None) == (path is None):
        raise UsageError("say either the url of the repository or its path on the service's machine")
    if url is not None and url.lower().startswith("file://"):  # what is on this machine is read where it is
        path, url = urls.file_path(url), None
    if url is not None:
        if not urls.is_url(url):
            raise UsageError("that is no clone URL: begin with https:// or ssh://, or give a folder here as `path`")
        check_access(url, access)
        return url, default_name(urls.stem(url))
    if "\0" in str(path) or not os.path.isabs(str(path)):
        raise UsageError("a path on the service's machine is absolute: begin with /")
    if len(str(path).encode("utf-8", "replace")) > MOST_LOCATION:
        raise UsageError(f"a path has at most {MOST_LOCATION:,} bytes")
    check_path(settings, str(path))
    top = source_top(str(path))
    assert top is not None
    check_path(settings, top)  # a folder within a work tree stands for the whole of it
    return shown_path(top), default_name(os.path.basename(top))


def check_path(settings: Settings, path: str) -> None:
    """Raises RefusedError for a path that the service may not read: registered or not, on each index run."""
    real = os.path.realpath(path)
    own = (settings.home, credentials(settings))
    if any(_within(real, folder) or _within(folder, real) for folder in own) or any(
        _within(real, folder) for folder in _SYSTEM
    ):
        raise RefusedError("the folders of the system and of the service itself are no repositories")
    if settings.serve_paths and not any(_within(real, folder) for folder in settings.serve_paths):
        raise RefusedError("paths may be registered only below the folders of the setting serve.paths")
    for folder_of_objects in git.elsewhere(real) if settings.serve_paths else ():
        if not any(_within(folder_of_objects, folder) for folder in settings.serve_paths):
            raise RefusedError("the repository has its objects outside of the folders of the setting serve.paths")
    check_extent(real, "the home folder of the service's user")


def _within(path: str | Path, folder: str | Path) -> bool:
    real, top = os.path.realpath(path), os.path.realpath(folder)
    return real == top or real.startswith(top.rstrip("/") + "/")


def prepared(settings: Settings, asked: Asked, now: float) -> tuple[Repository, Registration]:
    """A repository as it shall be registered, and how it shall be looked after; nothing is written.

    Raises UsageError, SourceError, RefusedError or BackendError for what cannot be registered.
    """
    location, default = locate(settings, asked.url, asked.path, Access(hosts=settings.clone_hosts))
    name = default if asked.name is None else asked.name
    if not NAME.fullmatch(name):
        raise UsageError(f"{name[:100]!r} cannot be a name: use letters, digits, '.', '_' and '-'")
    if asked.default_ref:
        git.check_ref(asked.default_ref)
    check_credential(settings, asked.credential, location)
    check_secrets(settings, [] if asked.webhook_secret is None else [asked.webhook_secret])
    registration = Registration(
        place=place(location),
        secrets=() if asked.webhook_secret is None else (asked.webhook_secret,),
        credential=asked.credential,
        login=asked.login,
        follow=check_follow(asked.follow),
        moves=asked.default_ref is None,
        poll_seconds=asked.poll_seconds,
        polled_at=now,
        created_at=now,
    )
    return Repository(0, name, location, asked.default_ref or ""), registration


def register(workspace: Workspace, repository: Repository, registration: Registration) -> Registered | None:
    """Look after a repository from now on; None if another has its name."""
    with errors(workspace.engine), workspace.engine.begin() as connection:
        return registry.register(connection, repository, registration)


def remove(workspace: Workspace, repository: Repository, wait: float = 0.0, tick: Callable[[], object] = int) -> None:
    """Let go of a repository: its jobs, rows, segments and mirror.

    A job of it that runs is told to stop, and waited for up to `wait` seconds; `tick` is called meanwhile. Raises
    BusyError where it has not stopped by then, or somebody else indexes the repository.
    """
    engine = workspace.engine
    ends = time.monotonic() + wait
    while True:
        with errors(engine), engine.begin() as connection:
            told = jobs.stop_all(connection, repository.id)
        try:
            _remove(workspace, repository)
            return
        except BusyError as error:
            if not told:
                raise
            if time.monotonic() >= ends:
                said = f"the index job of {repository.name!r} is cancelled and has yet to stop"
                raise BusyError(f"{said}: run this again in some seconds") from error
        tick()
        time.sleep(LOOK)


def _remove(workspace: Workspace, repository: Repository) -> None:
    engine, home = workspace.engine, Path(workspace.settings.home)
    with errors(engine), locks.writing(engine, home, repository.name):
        with engine.connect() as connection:
            left = [ref.snapshot for ref in snapshots.all_refs(connection, repository)]
            left += tasks.held(connection, repository.id)
            same = [
                one for one in snapshots.all_repositories(connection) if one.location == repository.location
            ]
        with engine.begin() as connection:
            registry.remove(connection, repository.id)
        for snapshot in dict.fromkeys(left):
            snapshots.forget(engine, snapshot)
        shutil.rmtree(workspace.place(repository).folder, ignore_errors=True)
        if urls.is_url(repository.location) and len(same) == 1:
            clone.remove(repository.location, workspace.mirrors)


def access_of(settings: Settings, location: str, registration: Registration | None) -> Access:
    """How the service reaches a repository's server. Raises UsageError for a credential that cannot be read."""
    if registration is None or not registration.credential or not urls.is_url(location):
        return Access(hosts=settings.clone_hosts)
    if is_ssh(location):
        return Access(hosts=settings.clone_hosts, key_file=str(_file(settings, registration.credential)))
    secret = read_secret(settings, registration.credential)
    return Access(hosts=settings.clone_hosts, token=secret, user=registration.login)


def is_ssh(location: str) -> bool:
    """Whether a URL is one of ssh."""
    return urls.place(location).scheme == "ssh"


def check_credential(settings: Settings, credential: str, location: str) -> None:
    """Raises UsageError unless a credential says where a secret is that can be read, and that the URL has use for."""
    if not credential:
        return
    if not is_reference(credential):
        raise UsageError("a credential is env:NAME or file:NAME, where its secret is: never the secret itself")
    if not urls.is_url(location):
        raise UsageError("a path needs no credential: leave it out")
    if is_ssh(location):
        _file(settings, credential)
    else:
        read_secret(settings, credential)


def is_reference(secret: str) -> bool:
    """Whether a secret says where it is, as env:NAME or file:NAME, rather than what it is."""
    return secret.startswith(("env:", "file:"))


def read_secret(settings: Settings, reference: str) -> str:
    """What env:NAME or file:NAME stands for. Raises UsageError, which repeats nothing of a secret."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        if not VARIABLE.fullmatch(name):
            raise UsageError("a variable that a repository names begins with REPOCTX_SECRET_, as REPOCTX_SECRET_SHOP")
        secret = os.environ.get(name, "").strip()
        if not secret:
            raise UsageError(f"the variable {name} is empty where the service runs: set it there")
        return secret
    try:
        with _file(settings, reference).open("rb") as file:
            return file.read(MOST_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the credential file {name!r} cannot be read as text") from None


def credentials(settings: Settings) -> Path:
    """The folder of the files that credentials are in."""
    return Path(os.path.realpath(settings.serve_credentials or Path(settings.home) / "credentials"))


def _file(settings: Settings, reference: str) -> Path:
    """The file of a credential, which lies in the folder that is set for them. Raises UsageError."""
    kind, _, name = reference.partition(":")
    folder = credentials(settings)
    if kind != "file":
        raise UsageError("ssh needs the file of a private key: give file:NAME")
    path = Path(os.path.realpath(folder / name.lstrip("/"))) if "\0" not in name else folder
    if folder not in path.parents or not path.is_file():
        raise UsageError(f"there is no file of that name in the folder of credentials ({folder}): put it there")
    return path


def check_secrets(settings: Settings, secrets: Sequence[str]) -> None:
    """Raises UsageError for a new secret of webhooks that could be guessed, or says where it is and is not there."""
    for secret in secrets:
        found = read_secret(settings, secret) if is_reference(secret) else secret
        if len(found) < LEAST_SECRET:
            raise UsageError(
                f"a webhook's secret has at least {LEAST_SECRET} characters: `openssl rand -hex 24` makes one"
            )


def webhook_secrets(settings: Settings, registration: Registration) -> list[str]:
    """The secrets that webhooks may be signed with now; one that cannot be read is none."""
    found = []
    for secret in registration.secrets:
        try:
            found.append(read_secret(settings, secret) if is_reference(secret) else secret)
        except UsageError as error:
            log.warning("a webhook's secret cannot be read", error=str(error))
    return found


def rotated(registration: Registration, secret: str) -> tuple[str, ...]:
    """The secrets of webhooks when a new one is added: it and the newest of those before."""
    return tuple(dict.fromkeys([secret, *registration.secrets]))[:VALID_SECRETS]


def check_follow(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns of refs, each once. Raises UsageError for what matches no ref."""
    for pattern in patterns:
        if not pattern or len(pattern) > 200 or not pattern.isprintable() or " " in pattern:
            raise UsageError(f"{pattern[:50]!r} is no pattern of refs: such are release/* and v*")
    return tuple(dict.fromkeys(patterns))


def followed(patterns: tuple[str, ...], ref: str) -> bool:
    """Whether a ref that was never indexed shall be when it is pushed."""
    return any(fnmatch.fnmatchcase(ref, pattern) for pattern in patterns)
