"""How does a clone URL become a bare mirror on this machine?

One mirror per URL, named by its hash, brought up to date under a lock. The first clone is made under
another name and renamed when it is whole. Servers and their answers are hostile: only https, ssh
and file are spoken (and http, with servers that the service's operator lists), nothing prompts, and time
and disk space are limited.
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
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from repoctx.errors import BackendError, RefusedError, RepoctxError, SourceError, StorageError, UsageError
from repoctx.source import git
from repoctx.source.access import LOCAL_USER, Access, check, variables
from repoctx.source.filter import Limits, human_size
from repoctx.source.urls import check_url, file_path, is_url, place, stem

__all__ = [
    "RemoteRefs",
    "check_url",
    "discard",
    "file_path",
    "is_url",
    "mirror",
    "parse_refs",
    "remote_refs",
    "remove",
    "stem",
    "unused",
]

_POLL_SECONDS = 0.25  # how often a running clone's size is looked at
_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_ABSENT = re.compile(
    r"not appear to be a git repo|repository .* not found|repository not found|not a git repo", re.I
)
_MOST_REFS = 100_000  # of a listing, whoever wrote it
_LISTING_BYTES = 64_000_000  # room for as many with names of 500 bytes
# What git says of a repository of ours that a killed process or a full disk left; `_THEIRS` begins the lines
# that a server may write.
_DAMAGED = re.compile(
    r"not a git repository \(or|bad object|missing object|is corrupt|unexpected line in|bad config line"
    r"|unable to read tree|failed to read object"
)
_THEIRS = ("remote:", "fatal: remote error:", "ERR ")
_LOGIN = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied|terminal prompts disabled",
    re.I,
)


class RemoteRefs(NamedTuple):
    """What a server says that a repository's refs are."""

    default: str | None  # the branch that HEAD points to
    branches: dict[str, str]  # the commit of each branch
    tags: dict[str, str]  # the commit of each tag


def mirror(
    url: str, mirrors: Path, limits: Limits, access: Access = LOCAL_USER, tick: Callable[[], object] = int
) -> Path:
    """The bare mirror of a URL, just brought up to date: nothing is read that this login may not fetch now.

    A mirror that is damaged is cloned anew. `tick` is called four times a second, and ends it by what it raises.

    Raises:
        UsageError: the URL is not one that is allowed.
        RefusedError: the clone is too large, or the server is not one that `access` allows.
        SourceError: there is no repository.
        BackendError: the server cannot be reached, wants another login or is too slow.
    """
    way = _way(url, access)
    if way.protocols == "file" and not os.path.isdir(path := file_path(url)):
        raise SourceError(f"There is no folder {path}.")
    with _locked(url, mirrors) as name:
        whole, part = mirrors / f"{name}.git", mirrors / f"{name}.part"
        if whole.exists():
            try:
                _Fetch(url, way, limits, tick).update(whole)
                return whole
            except _DamagedError:
                _discard(whole, part)
        shutil.rmtree(part, ignore_errors=True)
        try:
            _Fetch(url, way, limits, tick).clone(part)
            os.replace(part, whole)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return whole


def folder(url: str, mirrors: Path) -> Path:
    """Where the mirror of a URL is, once it was cloned."""
    return mirrors / f"{_name(url)}.git"


def remove(url: str, mirrors: Path) -> None:
    """Delete the mirror of a URL, if there is one, when nobody fetches into it."""
    if not mirrors.is_dir():
        return
    with _locked(url, mirrors) as name:
        _discard(mirrors / f"{name}.git", mirrors / f"{name}.part")


def remote_refs(url: str, limits: Limits, access: Access = LOCAL_USER) -> RemoteRefs:
    """The branches and tags that a server has now, without fetching them. Raises as `mirror`.

    A ref whose name git would not take from a user is left out.
    """
    way = _way(url, access)
    with tempfile.TemporaryDirectory(prefix="repoctx-") as empty:
        return _Fetch(url, way, limits, int).refs(Path(empty))


def parse_refs(listed: bytes, url: str) -> RemoteRefs:
    """What `git ls-remote --symref` lists. RefusedError where these are more than 100,000 refs."""
    found = RemoteRefs(None, {}, {})
    for line in listed.split(b"\n"):
        text = line.decode("utf-8", "replace")
        if head := re.fullmatch(r"ref: refs/heads/(.+)\tHEAD", text):
            found = found._replace(default=head[1]) if _is_ref(head[1]) else found
        elif row := re.fullmatch(r"([0-9a-f]{40}|[0-9a-f]{64})\trefs/(heads|tags)/(.+?)(\^\{\})?", text):
            commit, kind, name, _ = row.groups()
            if _is_ref(name):  # of a tag with a message its commit comes second
                (found.branches if kind == "heads" else found.tags)[name] = commit
                if len(found.branches) + len(found.tags) > _MOST_REFS:
                    raise RefusedError(f"{url} has more than {_MOST_REFS:,} branches and tags.")
    return found


def _is_ref(name: str) -> bool:
    with contextlib.suppress(UsageError):
        git.check_ref(name)
        return "\ufffd" not in name
    return False


class _Way(NamedTuple):
    """How git gets to a URL."""

    protocols: str
    access: Access
    variables: dict[str, str]


def _way(url: str, access: Access) -> _Way:
    addresses = check(url, access)
    protocols = check_url(url, plain_http=access.guarded)
    if access.guarded:
        protocols = place(url).scheme
    return _Way(protocols, access, variables(url, access, addresses))


def _name(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:40]


def unused(mirrors: Path, urls: Collection[str], before: float) -> list[Path]:
    """Mirrors of no URL that is known, and what clones that were killed left, if none was touched since a time."""
    known = {_name(url) for url in urls}
    found = []
    for path in sorted(mirrors.glob("*.*")) if mirrors.is_dir() else ():
        if path.suffix == ".part" or (path.suffix == ".git" and path.stem not in known):
            marks = (path, path / "FETCH_HEAD", path / "objects", path / "packed-refs")
            if max(mark.stat().st_mtime for mark in marks if mark.exists()) < before:
                found.append(path)
    return found


def discard(path: Path) -> None:
    """Delete a mirror that is not used, when nobody fetches into it."""
    with _held(path.stem, path.parent):
        _discard(path, path.with_suffix(".part"))


def _locked(url: str, mirrors: Path) -> contextlib.AbstractContextManager[str]:
    """The name of a URL's mirror, which nobody else touches meanwhile."""
    return _held(_name(url), mirrors)


@contextlib.contextmanager
def _held(name: str, mirrors: Path) -> Iterator[str]:
    """The name of a mirror, which nobody else touches meanwhile. StorageError where there can be none."""
    try:
        mirrors.mkdir(parents=True, exist_ok=True)
        lock = open(mirrors / f"{name}.lock", "ab")  # noqa: SIM115
    except OSError as error:
        raise StorageError(f"Clones cannot be kept in {mirrors}: {error.strerror}.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever holds it is done within its own time limit
        yield name


def _discard(whole: Path, part: Path) -> None:
    """Delete a mirror, by way of the name of an unfinished one: half of it does not pass for a whole one."""
    try:
        for folder in (part, whole):
            if folder.exists():
                os.replace(folder, part)
                shutil.rmtree(part)
    except OSError as error:
        raise StorageError(f"The mirror {whole} cannot be removed: {error.strerror}.") from error


class _DamagedError(SourceError):
    """The mirror cannot be brought up to date, because git cannot read it."""


class _Fetch:
    """One clone, update or listing, within its limits."""

    def __init__(self, url: str, way: _Way, limits: Limits, tick: Callable[[], object]) -> None:
        self._tick = tick
        self._url, self._access, self._limits = url, way.access, limits
        self._env = git.environment(way.protocols) | way.variables
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
        self._run([*args, "--", self._url, *_REFSPECS], str(whole), whole, kept=True)
        told = self._run(["ls-remote", "--symref", "--", self._url, "HEAD"], str(whole), whole)
        if branch := re.match(rb"ref: (refs/heads/\S+)\tHEAD\n", told):
            git.run(str(whole), ["symbolic-ref", "HEAD", os.fsdecode(branch[1])])
        tips = git.run(str(whole), ["for-each-ref", "--format=%(tree)", "refs/heads/"])  # reads each commit
        if tips.code and _DAMAGED.search(tips.errors):
            raise _DamagedError(f"{whole} is damaged ({git.sentence(tips.errors)}).")

    def refs(self, folder: Path) -> RemoteRefs:
        patterns = ["HEAD", "refs/heads/*", "refs/tags/*"]
        told = self._run(["ls-remote", "--symref", "--", self._url, *patterns], str(folder), folder)
        return parse_refs(told, self._url)

    def _run(self, args: Sequence[str], cwd: str, folder: Path, *, kept: bool = False) -> bytes:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            env = self._env | {"GIT_CEILING_DIRECTORIES": os.path.dirname(cwd)}
            process = git.spawn(args, env, cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
            try:
                while process.poll() is None:
                    self._tick()
                    self._check(folder, out.fileno(), errors.fileno())
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=max(0.0, min(_POLL_SECONDS, self._deadline - time.monotonic())))
                self._check(folder, out.fileno(), errors.fileno(), late=False)
            finally:
                git.stop(process)
            for file in (out, errors):
                file.seek(0)
            if process.returncode:
                raise self._failure(errors.read(100_000).decode("utf-8", "backslashreplace"), kept)
            return out.read()

    def _check(self, folder: Path, out: int, errors: int, late: bool = True) -> None:
        if late and time.monotonic() >= self._deadline:
            raise BackendError(
                f"{self._url} was not fetched within {self._limits.clone_seconds:g} seconds: raise the limit."
            )
        listed = os.fstat(out).st_size
        if listed > _LISTING_BYTES:
            raise RefusedError(f"{self._url} lists more than {human_size(_LISTING_BYTES)} of refs.")
        size = sum(_sizes(str(folder))) + listed + os.fstat(errors).st_size
        if size > self._limits.clone_bytes:
            allowed = human_size(self._limits.clone_bytes)
            raise RefusedError(f"{self._url} takes more than {allowed} on disk, the limit for a clone.")

    def _failure(self, errors: str, kept: bool) -> RepoctxError:
        said = git.sentence(errors, self._access.secrets)
        ours = "\n".join(line for line in errors.splitlines() if not line.startswith(_THEIRS))
        if kept and _DAMAGED.search(ours):
            return _DamagedError(f"The mirror of {self._url} is damaged ({said}).")
        if "dubious ownership" in errors:
            return SourceError(
                f"{self._url} belongs to another user: if you trust it, add it to git's safe.directory."
            )
        if self._access != LOCAL_USER and (failure := self._refusal(ours, said)):
            return failure
        if _ABSENT.search(errors):
            return SourceError(f"There is no repository at {self._url}, or you may not read it ({said}).")
        if _LOGIN.search(errors):
            return BackendError(
                f"{self._url} wants a login: let git's credential helper or ssh agent know it ({said})."
            )
        again = "check the address and the network, then run this again"
        return BackendError(f"{self._url} cannot be fetched ({said}): {again}.")

    def _refusal(self, errors: str, said: str) -> RepoctxError | None:
        """What is wrong with the login, or with the URL, that came with the access."""
        if re.search(r"returned error: 30\d", errors):
            return SourceError(
                f"{self._url} redirects to another URL, which is not followed: register the URL that it leads to."
            )
        if "Host key verification failed" in errors:
            return BackendError(
                f"{self._url} has an ssh host key that is not in known_hosts: add it for the user of the service."
            )
        if _LOGIN.search(errors) or re.search(r"returned error: 40[13]", errors):
            given = self._access.key_file if place(self._url).scheme == "ssh" else self._access.token
            if given:
                return BackendError(f"{self._url} does not accept the login that was given for it ({said}).")
            return BackendError(f"{self._url} wants a login: give it a token, or for ssh a key file ({said}).")
        return None


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
