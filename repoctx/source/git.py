"""What does git say about a repository that nobody vouches for?

git is asked only in ways that run nothing of the repository's own: no hooks, no fsmonitor, no
filters or textconv (the work tree is compared here, and blobs are read by id), no fetching of missing
objects, no pager, no prompt. The caller's `GIT_*` variables do not reach it, except those that say
which configuration files of the user's to read and how to reach a server.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple

from repoctx.errors import MissingRefError, RefusedError, SourceError, UsageError

# git answers these questions in milliseconds; a repository that holds a FIFO where git expects a
# file makes it wait for ever.
LOCAL_SECONDS = 300.0
# The most bytes of a listing that are read: 500,000 paths of 1,000 bytes.
MAX_LISTING = 500_000_000
# Bytes of a ref: it is a part of the key of rows, which Postgres holds to 2,700.
MAX_REF = 1000
# Bytes of a list of folders that objects are borrowed from; how often git follows from one folder to another.
MAX_ALTERNATES, MAX_LENT = 1 << 16, 6

_KEPT_VARIABLES = {
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH", "GIT_SSL_NO_VERIFY",
}  # fmt: skip
_SECRET_VARIABLES = "REPOCTX_SECRET_"  # of all repositories: git has use for none of them
_SAFE = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never",
    "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "safe.bareRepository=all",  # a bare repository is read only where the user named it
)  # fmt: skip


Stream = int | IO[bytes]


class Answer(NamedTuple):
    """What a git command left behind."""

    code: int
    out: bytes
    errors: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that can be asked: the top of a work tree, or a bare repository."""

    folder: str
    bare: bool
    hash_name: str  # "sha1" or "sha256"
    index_path: str


class Head(NamedTuple):
    """What a ref resolves to."""

    ref: str  # "main", "v1.0", "HEAD" when detached, or a commit id
    commit: str | None  # None on an unborn branch


def blob_id(raw: bytes, hash_name: str = "sha1") -> str:
    """The id that git gives these bytes as a blob, in hex."""
    digest = hashlib.new(hash_name, b"blob %d\0" % len(raw), usedforsecurity=False)
    digest.update(raw)
    return digest.hexdigest()


def environment(protocols: str = "") -> dict[str, str]:
    """The variables git runs with; `protocols` are those it may fetch by, "https:ssh" or none."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("GIT_") or name in _KEPT_VARIABLES) and not name.startswith(_SECRET_VARIABLES)
    }
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"} | kept | {
        "GIT_ALLOW_PROTOCOL": protocols or "none",
        "GIT_ASKPASS": "true",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "SSH_ASKPASS": "true",
    }  # fmt: skip


# `git ls-files --debug` and `--end-of-options` as they are used here.
OLDEST = (2, 25)


@functools.cache
def version() -> tuple[int, int]:
    """The version of git, as (2, 39); (0, 0) if it does not tell."""
    told = re.match(rb"git version (\d+)\.(\d+)", run("/", ["version"]).out)
    return (int(told[1]), int(told[2])) if told else (0, 0)


def spawn(
    args: Sequence[str], env: dict[str, str], cwd: str, *, stdin: Stream, stdout: Stream, stderr: Stream
) -> subprocess.Popen[bytes]:
    """Start git in a session of its own, so that it has no terminal and can be stopped with its children."""
    try:
        return subprocess.Popen(
            ["git", *_SAFE, *args],
            cwd=cwd,
            env=env,
            bufsize=0,
            start_new_session=True,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
    except FileNotFoundError as error:
        if not os.path.isdir(cwd):
            raise SourceError(f"{cwd} is no longer there.") from error
        raise SourceError(
            "git is not installed: install git 2.25 or newer, or index a plain folder."
        ) from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that `spawn` started, and its children; let git remove its temporary files first."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        _signal(process, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal a session that `spawn` started; what the leader leaves behind keeps its number taken."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def run(
    folder: str,
    args: Sequence[str],
    *,
    stdin: bytes = b"",
    most_records: int = 0,
    work_tree: bool = False,
    seconds: float = LOCAL_SECONDS,
) -> Answer:
    """Ask git in `folder`. RefusedError where it lists more than `most_records` NUL-ended records."""
    env = environment()
    env["GIT_CEILING_DIRECTORIES"] = os.path.dirname(folder)
    if work_tree:
        env["GIT_WORK_TREE"] = folder  # whatever its configuration says
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as questions:
        questions.write(stdin)
        questions.seek(0)
        process = spawn(args, env, folder, stdin=questions, stdout=subprocess.PIPE, stderr=errors)
        watchdog = threading.Timer(seconds, _kill, [process])
        watchdog.start()
        try:
            out = _drain(process, folder, most_records)
            process.wait()
        finally:
            watchdog.cancel()
            stop(process)
        if process.returncode in (-signal.SIGTERM, -signal.SIGKILL):
            raise SourceError(f"git gave no answer about {folder} within {seconds:g} seconds.")
        errors.seek(0)
        return Answer(process.returncode, out, errors.read(100_000).decode("utf-8", "backslashreplace"))


def _drain(process: subprocess.Popen[bytes], folder: str, most_records: int) -> bytes:
    assert process.stdout is not None
    pieces: list[bytes] = []
    size = records = 0
    while piece := process.stdout.read(1 << 16):
        pieces.append(piece)
        size += len(piece)
        records += piece.count(b"\0") if most_records else 0
        if records > most_records or size > MAX_LISTING:
            limit = f"{most_records:,} files" if records > most_records else "a listing can hold"
            raise RefusedError(f"{folder} has more than {limit}: raise the limit, or index a part of it.")
    return b"".join(pieces)


def sentence(errors: str, secrets: Iterable[str] = ()) -> str:
    """The one line of git's complaint that matters, fit to be printed: without secrets and passwords."""
    found = [line for line in errors.splitlines() if line.startswith(("fatal:", "error:", "ERROR:", "ssh:"))]
    line = (found or errors.splitlines() or ["no reason given"])[0]
    line = re.sub(r"^(fatal|error|ERROR): *", "", line)
    line = re.sub(r"://[^/@\s]+@", "://***@", line)
    line = "".join(char for char in line if char.isprintable())
    for secret in secrets:  # before the cut, which may leave a part of one
        line = line.replace(secret, "***")
    return line[:300].rstrip(".")


def open_repository(folder: str, *, bare: bool) -> Repository:
    """The repository at `folder`, which must hold `.git` or be bare. SourceError where git refuses it."""
    args = ["rev-parse", "--show-object-format", "--git-path", "index"]
    answer = run(folder, args, work_tree=not bare)
    if answer.code:
        raise _refusal(folder, answer)
    hash_name, index_path = os.fsdecode(answer.out).rstrip("\n").split("\n", 1)
    return Repository(folder, bare, hash_name, os.path.join(folder, index_path))


def holds(folder: str, identity: str) -> bool:
    """Whether a repository has an object, such as a commit that a push told of."""
    return run(folder, ["cat-file", "-e", identity]).code == 0


def elsewhere(folder: str) -> list[str]:
    """The folders that a repository is read from besides its own: of a work tree beside its repository, or of
    objects that are borrowed. None for what is no repository."""
    # Each is asked for alone: their names may hold line breaks.
    asked = (["--absolute-git-dir"], ["--git-common-dir"], ["--git-path", "objects"])
    answers = [run(folder, ["rev-parse", *one]) for one in asked]
    if any(answer.code for answer in answers):
        return []
    places = [os.path.realpath(os.path.join(folder, os.fsdecode(one.out).removesuffix("\n"))) for one in answers]
    lenders = places[-1:]
    for _ in range(MAX_LENT):
        lent = [place for objects in lenders for place in (*_borrowed(objects), *_links(objects))]
        lenders = [place for place in dict.fromkeys(lent) if place not in places]
        places += lenders
    return places


def _links(objects: str) -> Iterator[str]:
    """Where symbolic links lead that stand in a folder of objects or in a folder of it."""
    with contextlib.suppress(OSError), os.scandir(objects) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield os.path.realpath(entry.path)
            elif entry.is_dir():
                with contextlib.suppress(OSError), os.scandir(entry.path) as inner:
                    yield from (os.path.realpath(one.path) for one in inner if one.is_symlink())


def _borrowed(objects: str) -> Iterator[str]:
    """The folders that a folder of objects borrows from; "/" for what is said in a way that is not read here: at
    great length, or in quotes, which only odd names need."""
    with contextlib.suppress(OSError), open(os.path.join(objects, "info", "alternates"), "rb") as file:
        text = os.fsdecode(file.read(MAX_ALTERNATES + 1))
        if len(text) > MAX_ALTERNATES:
            yield os.sep
        for line in text.split("\n"):
            if line and not line.startswith("#"):
                yield os.sep if line.startswith('"') else os.path.realpath(os.path.join(objects, line))


def _refusal(folder: str, answer: Answer) -> SourceError:
    if "dubious ownership" in answer.errors:
        return SourceError(
            f"{folder} belongs to another user: if you trust it, run "
            f"`git config --global --add safe.directory {folder}`."
        )
    if (0, 0) < (found := version()) < OLDEST:
        return SourceError(f"git {found[0]}.{found[1]} is too old: install git 2.25 or newer.")
    return SourceError(f"{folder} is not a repository that git can read ({sentence(answer.errors)}).")


def head(repository: Repository) -> Head:
    """The commit that HEAD stands on, and the short name of its branch."""
    ask = ["rev-parse", "HEAD^{commit}", "--symbolic-full-name", "HEAD"]
    answer = run(repository.folder, ask, work_tree=not repository.bare)
    if answer.code == 0:
        commit, ref = os.fsdecode(answer.out).split()
        return Head(ref.removeprefix("refs/heads/"), commit)
    symbolic = run(repository.folder, ["symbolic-ref", "-q", "HEAD"], work_tree=not repository.bare)
    ref = os.fsdecode(symbolic.out.rstrip(b"\n"))
    if symbolic.code or os.path.lexists(_git_path(repository, ref)) or _is_ref(repository, ref):
        raise SourceError(
            f"HEAD of {repository.folder} does not lead to a commit: repair it with git, or name a ref."
        )
    return Head(ref.removeprefix("refs/heads/"), None)


def _git_path(repository: Repository, name: str) -> str:
    answer = run(repository.folder, ["rev-parse", "--git-path", name], work_tree=not repository.bare)
    return os.path.join(repository.folder, os.fsdecode(answer.out.rstrip(b"\n")))


def _is_ref(repository: Repository, ref: str) -> bool:
    return (
        run(repository.folder, ["show-ref", "--verify", "-q", ref], work_tree=not repository.bare).code == 0
    )


def branches(repository: Repository) -> list[str]:
    """The short names of up to five branches."""
    ask = ["for-each-ref", "--count=5", "--format=%(refname:lstrip=2)", "refs/heads/"]
    return (
        run(repository.folder, ask, work_tree=not repository.bare)
        .out.decode("utf-8", "backslashreplace")
        .split("\n")[:-1]
    )


def check_ref(ref: str) -> None:
    """UsageError unless `ref` can be the name of a branch, a tag or a commit."""
    if (
        not ref
        or len(ref.encode("utf-8", "replace")) > MAX_REF
        or ref.startswith("-")
        or ".." in ref
        or "@{" in ref
        or not ref.isprintable()  # also what is not UTF-8
        or re.search(r"[\0-\x20\x7f:?*\[\\]", ref)
    ):
        raise UsageError(f"{ref!r} cannot be a ref: name a branch, a tag or a commit id.")


def resolve(repository: Repository, ref: str) -> Head:
    """The commit that a branch, a tag, a commit id or a branch of a remote means, in this order."""
    check_ref(ref)
    names = (
        f"refs/heads/{ref}",
        f"refs/tags/{ref}",
        f"refs/remotes/{ref}",
        ref,
        f"refs/remotes/origin/{ref}",
    )
    for name in names:
        ask = ["rev-parse", "--verify", "-q", "--end-of-options", name + "^{commit}"]
        answer = run(repository.folder, ask, work_tree=not repository.bare)
        if answer.code > 1:
            raise SourceError(f"git cannot say what {ref!r} is in {repository.folder} ({sentence(answer.errors)}).")
        if answer.code == 0:
            commit = answer.out.decode().strip()
            is_name = ref == "HEAD" or _is_ref(repository, name)
            return Head(re.sub(r"^refs/(heads|tags|remotes)/", "", ref) if is_name else commit, commit)
    known = ", ".join(branches(repository))
    hint = f"its branches are {known}" if known else "it has no branches"
    raise MissingRefError(f"{repository.folder} has no branch, tag or commit {ref!r}: {hint}.")
