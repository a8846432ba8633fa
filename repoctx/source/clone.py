"""How does a clone URL become a bare mirror on this machine?

One mirror per URL, named by its hash, brought up to date under a lock. The first clone is made under
another name and renamed when it is whole. Servers and their answers are hostile: only https, ssh
and file are spoken, nothing prompts, and time and disk space are limited.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from repoctx.errors import BackendError, RefusedError, RepoctxError, SourceError, StorageError, UsageError
from repoctx.source import git
from repoctx.source.filter import Limits, human_size

_POLL_SECONDS = 0.25  # how often a running clone's size is looked at
_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"
_SCP_LIKE = re.compile(rf"([A-Za-z0-9_][A-Za-z0-9._-]*)@({_HOST}):(?!-)(\S+)")
_ABSENT = re.compile(
    r"not appear to be a git repo|repository .* not found|repository not found|not a git repo", re.I
)
_LOGIN = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied|terminal prompts disabled",
    re.I,
)


def is_url(location: str) -> bool:
    """Whether a location is meant as a clone URL; an existing path never is."""
    return not os.path.lexists(location) and bool(
        re.match(r"[A-Za-z][A-Za-z0-9+.-]*:[/:]|[^/]*@[^/]*:", location)
    )


def check_url(url: str) -> str:
    """The protocols that the URL may be fetched by, "https:ssh" or "file". UsageError if it is not allowed.

    No message repeats more of a refused URL than its scheme: it may hold a password.
    """
    if re.search(r"[\0-\x20\x7f]", url) or not url.isascii():
        raise UsageError(
            "A clone URL holds no spaces or control characters, and others than ASCII only as %XX."
        )
    if _SCP_LIKE.fullmatch(url):
        return "https:ssh"
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("https", "ssh", "file"):
        why = ": http is open to change on its way" if scheme == "http" else ""
        raise UsageError(f"Only https, ssh and file URLs are cloned, not {scheme.partition(':')[0]!r}{why}.")
    parts = urllib.parse.urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user or (at and scheme != "ssh"):
        raise UsageError(
            "The URL holds a user name or password: leave it out, and let git's credential helper know it."
        )
    if parts.query or parts.fragment:
        raise UsageError("A clone URL has no part after '?' or '#'.")
    if scheme == "file":
        if host not in ("", "localhost") or not parts.path.startswith("/"):
            raise UsageError("A file URL names an absolute path on this machine: file:///path/to/repository.")
        return "file"
    if not re.fullmatch(rf"{_HOST}(?::[0-9]{{1,5}})?", host) or (
        at and not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", user)
    ):
        raise UsageError("The host or user name of the clone URL is not a valid one.")
    if parts.path.strip("/") == "" or parts.path.startswith("/-"):
        raise UsageError("The clone URL names no repository on its host.")
    return "https:ssh"


def stem(url: str) -> str:
    """The last component of a URL's path."""
    path = (
        url.rpartition(":")[2]
        if _SCP_LIKE.fullmatch(url)
        else urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    )
    return path.rstrip("/").rpartition("/")[2]


def mirror(url: str, mirrors: Path, limits: Limits) -> Path:
    """The bare mirror of a URL, just brought up to date.

    BackendError where the server cannot be reached or is too slow, SourceError where there is no
    repository, RefusedError where it is too large.
    """
    protocols = check_url(url)
    if protocols == "file" and not os.path.isdir(
        path := urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    ):
        raise SourceError(f"There is no folder {path}.")
    name = hashlib.sha256(url.encode()).hexdigest()[:40]
    try:
        mirrors.mkdir(parents=True, exist_ok=True)
        lock = open(mirrors / f"{name}.lock", "ab")  # noqa: SIM115
    except OSError as error:
        raise StorageError(f"Clones cannot be kept in {mirrors}: {error.strerror}.") from error
    whole = mirrors / f"{name}.git"
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever holds it is done within its own time limit
        fetch = _Fetch(url, protocols, limits)
        if whole.exists():
            fetch.update(whole)
        else:
            part = mirrors / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            try:
                fetch.clone(part)
                os.replace(part, whole)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return whole


class _Fetch:
    """One clone or update, within its limits."""

    def __init__(self, url: str, protocols: str, limits: Limits) -> None:
        self._url, self._limits = url, limits
        self._env = git.environment(protocols)
        self._deadline = time.monotonic() + limits.clone_seconds

    def clone(self, part: Path) -> None:
        args = [
            "clone",
            "--quiet",
            "--bare",
            "--template=",
            "--no-recurse-submodules",
            "--",
            self._url,
            str(part),
        ]
        self._run(args, str(part.parent), part)

    def update(self, whole: Path) -> None:
        _remove_leftovers(whole)
        args = ["fetch", "--quiet", "--prune", "--force", "--no-write-fetch-head", "--no-recurse-submodules"]
        self._run([*args, "--", self._url, *_REFSPECS], str(whole), whole)
        told = self._run(["ls-remote", "--symref", "--", self._url, "HEAD"], str(whole), whole)
        if branch := re.match(rb"ref: (refs/heads/\S+)\tHEAD\n", told):
            git.run(str(whole), ["symbolic-ref", "HEAD", os.fsdecode(branch[1])])

    def _run(self, args: Sequence[str], cwd: str, folder: Path) -> bytes:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            env = self._env | {"GIT_CEILING_DIRECTORIES": os.path.dirname(cwd)}
            process = git.spawn(args, env, cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
            try:
                while process.poll() is None:
                    self._check(folder, out.fileno(), errors.fileno())
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=max(0.0, min(_POLL_SECONDS, self._deadline - time.monotonic())))
                self._check(folder, out.fileno(), errors.fileno(), late=False)
            finally:
                git.stop(process)
            for file in (out, errors):
                file.seek(0)
            if process.returncode:
                raise self._failure(errors.read(100_000).decode("utf-8", "backslashreplace"))
            return out.read(100_000)

    def _check(self, folder: Path, *descriptors: int, late: bool = True) -> None:
        if late and time.monotonic() >= self._deadline:
            raise BackendError(
                f"{self._url} was not fetched within {self._limits.clone_seconds:g} seconds: raise the limit."
            )
        size = sum(_sizes(str(folder))) + sum(os.fstat(descriptor).st_size for descriptor in descriptors)
        if size > self._limits.clone_bytes:
            allowed = human_size(self._limits.clone_bytes)
            raise RefusedError(f"{self._url} takes more than {allowed} on disk, the limit for a clone.")

    def _failure(self, errors: str) -> RepoctxError:
        said = git.sentence(errors)
        if "dubious ownership" in errors:
            return SourceError(
                f"{self._url} belongs to another user: if you trust it, add it to git's safe.directory."
            )
        if _ABSENT.search(errors):
            return SourceError(f"There is no repository at {self._url}, or you may not read it ({said}).")
        if _LOGIN.search(errors):
            return BackendError(
                f"{self._url} wants a login: let git's credential helper or ssh agent know it ({said})."
            )
        return BackendError(f"{self._url} cannot be fetched ({said}).")


def _sizes(folder: str) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as listing:
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(entry.path)
            else:
                with contextlib.suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False).st_size


def _remove_leftovers(whole: Path) -> None:
    """What a fetch that was killed left: nobody else writes here while we hold our lock."""
    locks = [*whole.glob("*.lock"), *(whole / "refs").rglob("*.lock"), *whole.glob("objects/pack/tmp_*")]
    for path in locks:
        path.unlink(missing_ok=True)
