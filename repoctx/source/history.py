"""Which commits led to this one, and what did each change?

git runs in an empty repository that borrows the objects of the one in question: no configuration, attributes,
hooks, replaced objects, grafts or remotes reach it, neither that one's nor the user's, and nothing is
fetched. So a `Commit` follows from its id alone, in whatever clone it is read; one that cannot be read
whole is left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import BinaryIO, NamedTuple, TypeVar

from repoctx.source import git
from repoctx.source.sift import decode_path
from repoctx.types import Change, Commit

# What is read of a commit. Stored commits were read by these rules: whoever changes one of them, or what git is
# asked for, raises `store.commits.VERSION`.
BULK = 50  # a commit of more files (a reformat, an import, a release) says nothing about places: no hunks
MOST_CHANGES = 200  # files of a commit that are listed
MOST_HUNKS = 1000  # of a commit: beyond, it is a bulk commit of few files
MOST_MESSAGE = 4000  # characters: 14 of 30,000 messages of django, pytest and laravel have more
MOST_AUTHOR = 100  # characters
LARGE = "1m"  # larger files (more than 1,048,576 bytes) have no hunks, as binary ones
_DIFF = (
    "-r", "--root", "--always", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative",
    "--submodule=short", "--ignore-submodules=none", "-M50%", "-l100", "--no-rename-empty",
)  # fmt: skip
_PATCH = ("-p", "-U0", "--inter-hunk-context=0", "--diff-algorithm=myers", "--indent-heuristic")

# Bytes of a commit object; a larger one is left out: signatures take some kB, parents 41 bytes each.
_MOST_OBJECT = 1 << 18
# Commits that one git process is asked for: its start (4 ms) is little beside them, their hunks fit into memory.
_BATCH = 250
# What one call may take, far more than was measured (2,000 commits: 2 s); what is not read by then is left out.
_SECONDS, _SECONDS_PER_COMMIT = 60.0, 0.05
_PIECE = 1 << 20
# The longest record without an end; only a hostile path or message is longer.
_LONGEST = 1 << 22

Hunk = tuple[int, int, int, int]
_Found = TypeVar("_Found")


class _DiedError(Exception):
    """git met an object that is missing or damaged."""


class _LateError(Exception):
    """The time is up."""


class _Place(NamedTuple):
    """The empty repository, and how long it may be asked."""

    folder: str
    env: dict[str, str]
    until: float
    hash_name: str


def recent(repository: git.Repository, commit: str, most: int) -> list[str]:
    """Ids of the newest commits that led to `commit`, itself included, newest first; merges are left out.

    The order is a function of the commits alone: next comes, of all parents of commits that came before, the one
    with the latest committer time, and of several the one that was met first. It reads no more of the history
    than it lists. It ends where an object is missing. The last commits of a shallow clone, whose parents it
    lacks, are left out; a partial clone, which lacks most of what commits changed, has no history.
    """
    return [identity for identity, _ in _listed(repository, commit, most, "--no-merges")]


def ancestors(repository: git.Repository, commit: str, most: int) -> list[tuple[str, tuple[str, ...]]]:
    """The same with the ids of their parents, and with merges."""
    return _listed(repository, commit, most)


def _listed(
    repository: git.Repository, commit: str, most: int, *options: str
) -> list[tuple[str, tuple[str, ...]]]:
    if most < 1 or _is_partial(repository):
        return []
    listed: list[tuple[str, tuple[str, ...]]] = []
    asked = ["rev-list", *options, "--parents", f"--max-count={most}", "--end-of-options", commit]
    line = re.compile(rb"([0-9a-f]{40,64})((?: [0-9a-f]{40,64})*)\n")
    with _borrowed(repository, most) as place, contextlib.suppress(_LateError):
        with contextlib.suppress(_DiedError), _answer(place, asked, grafted=True) as out:
            listed.extend((m[1].decode(), tuple(m[2].decode().split())) for m in map(line.fullmatch, out) if m)
        first = [identity for identity, parents in listed if not parents]
        true = _in_halves(partial(_heads, place), first)
        kept = {identity for identity, found in true.items() if found.parents == 0}
        return [(identity, parents) for identity, parents in listed if parents or identity in kept]
    return []


def read(repository: git.Repository, ids: Sequence[str]) -> Iterator[Commit]:
    """What the commits did, in the order of their ids; those that cannot be read whole are left out.

    A merge has no changes.
    """
    remaining = iter(dict.fromkeys(ids))
    with _borrowed(repository, len(ids)) as place, contextlib.suppress(_LateError):
        while batch := list(islice(remaining, _BATCH)):
            yield from _read(place, batch)


def _read(place: _Place, ids: Sequence[str]) -> Iterator[Commit]:
    found = _in_halves(partial(_heads, place), ids)
    single = [identity for identity, commit in found.items() if commit.parents < 2]
    names = _in_halves(partial(_names, place), single)
    few = [identity for identity in names if names[identity].files <= BULK]
    hunks = _in_halves(partial(_hunks, place, names), few)
    for identity, commit in found.items():
        if commit.parents > 1:
            yield commit
        elif identity in names:
            changes, files = [named.change for named in names[identity].named], names[identity].files
            if files <= BULK:
                if identity not in hunks:
                    continue
                changes = [c._replace(hunks=where) for c, where in zip(changes, hunks[identity], strict=True)]
            yield commit._replace(changes=tuple(changes), files=files)


# --- asking git --------------------------------------------------------------------------------


def _is_partial(repository: git.Repository) -> bool:
    """Whether the repository expects others to have what it lacks."""
    ask = ["config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"]
    return git.run(repository.folder, ask, work_tree=not repository.bare).code == 0


@contextlib.contextmanager
def _borrowed(repository: git.Repository, commits: int) -> Iterator[_Place]:
    """An empty repository with the objects of another, to be asked about so many commits."""
    answer = git.run(
        repository.folder, ["rev-parse", "--git-common-dir"], work_tree=not repository.bare
    )
    common = os.path.join(repository.folder, os.fsdecode(answer.out.removesuffix(b"\n")))
    with tempfile.TemporaryDirectory(prefix="repoctx-history-") as folder:
        os.mkdir(os.path.join(folder, "refs"))
        for name, text in (
            ("HEAD", "ref: refs/heads/none\n"),
            ("config", "[core]\nrepositoryformatversion = 1\nbare = true\n"
             f"[extensions]\nobjectFormat = {repository.hash_name}\n"),
        ):  # fmt: skip
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)
        env = git.environment() | {
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": folder,
            "GIT_OBJECT_DIRECTORY": os.path.join(common, "objects"),
            "GIT_SHALLOW_FILE": os.path.join(common, "shallow"),
        }
        until = time.monotonic() + _SECONDS + _SECONDS_PER_COMMIT * commits
        yield _Place(folder, env, until, repository.hash_name)


@contextlib.contextmanager
def _answer(
    place: _Place, args: Sequence[str], asked: Iterable[str] = (), *, grafted: bool = False
) -> Iterator[BinaryIO]:
    """What git says to the lines that it is asked.

    `grafted`: where the history is cut off, the last commits seem to have no parents; else they name theirs.
    """
    left = place.until - time.monotonic()
    if left <= 0:
        raise _LateError
    env = place.env if grafted else place.env | {"GIT_SHALLOW_FILE": ""}
    args = ["-c", "core.attributesFile=/dev/null", "-c", f"core.bigFileThreshold={LARGE}",
            "-c", "core.commitGraph=false", *args]  # fmt: skip
    with tempfile.TemporaryFile() as questions:
        questions.write("".join(f"{line}\n" for line in asked).encode())
        questions.seek(0)
        process = git.spawn(
            args, env, place.folder, stdin=questions, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        watchdog = threading.Timer(left, process.kill)
        watchdog.start()
        try:
            with open(process.stdout.fileno(), "rb", buffering=1 << 18, closefd=False) as out:
                yield out
            process.wait()
        finally:
            watchdog.cancel()
            git.stop(process)
    if process.returncode:
        raise _LateError if time.monotonic() >= place.until else _DiedError


def _in_halves(ask: Callable[[Sequence[str]], dict[str, _Found]], ids: Sequence[str]) -> dict[str, _Found]:
    """The answers of all ids that git has one for: where it dies, the halves are asked apart."""
    if not ids:
        return {}
    try:
        return ask(ids)
    except _DiedError:
        middle = len(ids) // 2
        return _in_halves(ask, ids[:middle]) | _in_halves(ask, ids[middle:]) if middle else {}


# --- what a commit says of itself --------------------------------------------------------------


def _heads(place: _Place, ids: Sequence[str]) -> dict[str, Commit]:
    """The commits without their changes. An object that is none, or does not match its id, is left out."""
    found = {}
    with _answer(place, ["cat-file", "--batch"], ids) as out:
        for identity in ids:
            header = out.readline().split()
            if len(header) != 3:
                if header[1:] != [b"missing"]:
                    raise _DiedError
                continue
            size = int(header[2])
            raw = out.read(min(size, _MOST_OBJECT))
            for start in range(len(raw), size + 1, _PIECE):
                out.read(min(_PIECE, size + 1 - start))
            digest = hashlib.new(place.hash_name, b"commit %d\0" % size, usedforsecurity=False)
            digest.update(raw)
            if header[1] == b"commit" and digest.hexdigest() == identity:
                found[identity] = _head(identity, raw)
    return found


_PARENT = re.compile(rb"^parent [0-9a-f]+$", re.MULTILINE)
_AUTHOR = re.compile(rb"^author ([^<\n]*)", re.MULTILINE)
_TIME = re.compile(rb"^committer .*> (\d{1,15}) [+-]\d{1,8}$", re.MULTILINE)
_ENCODING = re.compile(rb"^encoding (\S+)$", re.MULTILINE)
# The character sets that commits are found in; of all that Python knows, some compress, or take quadratic time.
_CHARSETS = re.compile(
    r"(iso-?8859-?|latin-?|windows-?|cp-?)\d{1,4}|koi8-?[ru]|gbk|gb2312|gb18030|big5|euc-?(jp|kr)|s(hift)?[_-]?jis",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f]")
_ADDRESS = re.compile(r"@\S*")


def _head(identity: str, raw: bytes) -> Commit:
    header, _, message = raw.partition(b"\n\n")
    author, when, encoding = _AUTHOR.search(header), _TIME.search(header), _ENCODING.search(header)
    charset = encoding[1].decode("ascii", "replace") if encoding else ""
    name = _ADDRESS.sub("", _text(author[1], charset).replace("\n", " ")) if author else ""
    return Commit(
        identity,
        int(when[1]) if when else 0,
        name.strip()[:MOST_AUTHOR].strip(),
        _text(message, charset).strip()[:MOST_MESSAGE].strip(),
        (),
        0,
        len(_PARENT.findall(header)),
    )


def _text(raw: bytes, charset: str) -> str:
    """What a commit says as valid text, with no control characters but line feeds."""
    raw = raw[: 8 * MOST_MESSAGE]
    text = None
    if _CHARSETS.fullmatch(charset):
        with contextlib.suppress(LookupError):
            text = raw.decode(charset, "backslashreplace")
    if text is None:
        text = raw.decode("utf-8", "backslashreplace")
    text = re.sub("[\t\v\f]", " ", re.sub("\r\n?", "\n", text))
    return _CONTROL.sub("", text)


# --- what a commit did -------------------------------------------------------------------------


class _Named(NamedTuple):
    """A file that a commit changed."""

    change: Change
    is_file: bool  # not a symbolic link or a submodule, before or after
    parts: int  # parts of a patch that tell of it


class _Names(NamedTuple):
    """The files that a commit changed."""

    named: list[_Named]  # the first MOST_CHANGES
    files: int


# A record ends in NUL: the id of a commit, or modes, ids and status of a change with its one or two paths.
_RECORD = re.compile(
    rb"([0-9a-f]{40,64})\0"
    rb"|:(\d\d)\d{4} (\d\d)\d{4} [0-9a-f]+ [0-9a-f]+ (?:([AMDT])|R\d+\0([^\0]+))\0([^\0]+)\0"
)
_NO_FILE, _REGULAR = b"00", b"10"  # how modes begin


def _names(place: _Place, ids: Sequence[str]) -> dict[str, _Names]:
    """The files that each commit changed, in the order of their paths."""
    named: dict[str, list[_Named]] = {}
    files: Counter[str] = Counter()
    current, rest = "", b""
    with _answer(place, ["diff-tree", "--stdin", "--raw", "-z", *_DIFF], ids) as out:
        while piece := out.read(_PIECE):
            text, end = rest + piece, 0
            while record := _RECORD.match(text, end):  # each begins where the one before ended
                end = record.end()
                if record[1]:
                    current = record[1].decode()
                    named[current] = []
                else:
                    files[current] += 1
                    if files[current] <= MOST_CHANGES:
                        named[current].append(_named(record))
            rest = text[end:]
            if len(rest) > _LONGEST:
                raise _DiedError
    if rest:
        raise _DiedError
    return {identity: _Names(found, files[identity]) for identity, found in named.items()}


def _named(record: re.Match[bytes]) -> _Named:
    _, before, after, status, old, path = record.groups()
    new_path = decode_path(path)
    if status is None:
        change = Change(new_path, decode_path(old), "R", ())
    else:
        change = Change(new_path, "" if status == b"A" else new_path, "M" if status == b"T" else status.decode(), ())
    return _Named(change, {before, after} <= {_NO_FILE, _REGULAR}, 2 if status == b"T" else 1)


# What a patch has at the starts of lines: contents stand behind a space, "+", "-" or "\\", paths are quoted.
_LINE = re.compile(
    rb"\n(?:@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@|(diff --git )|([0-9a-f]{40,64})(?=\n))"
)


def _hunks(place: _Place, names: Mapping[str, _Names], ids: Sequence[str]) -> dict[str, list[tuple[Hunk, ...]]]:
    """The hunks of each file that the commits changed."""
    parts: dict[str, list[list[Hunk]]] = {}
    count, current, rest = 0, "", b"\n"
    with _answer(place, ["diff-tree", "--stdin", *_PATCH, *_DIFF], ids) as out:
        while piece := out.read(_PIECE):
            text = rest + piece
            last = text.rfind(b"\n")
            for line in _LINE.finditer(text, 0, last + 1):
                old, old_lines, new, new_lines, is_part, identity = line.groups()
                if old:
                    count += 1
                    if count <= MOST_HUNKS:
                        parts[current][-1].append((int(old), int(old_lines or 1), int(new), int(new_lines or 1)))
                    elif count == MOST_HUNKS + 1:
                        parts[current] = [[] for _ in parts[current]]
                elif is_part:
                    parts[current].append([])
                else:
                    current, count = identity.decode(), 0
                    parts[current] = []
            rest = text[last:][:_LONGEST]  # of a longer line the beginning is enough
    return {
        identity: _of_files(names[identity].named, found)
        for identity, found in parts.items()
        if len(found) == sum(named.parts for named in names[identity].named)
    }


def _of_files(named: Sequence[_Named], parts: Sequence[Sequence[Hunk]]) -> list[tuple[Hunk, ...]]:
    """The hunks of each file, from those of each part of a patch; what is no file has none."""
    remaining = iter(parts)
    found = []
    for _, is_file, count in named:
        hunks = [hunk for part in islice(remaining, count) for hunk in part]
        found.append(tuple(hunks) if is_file else ())
    return found
