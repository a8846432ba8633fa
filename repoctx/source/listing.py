"""Which paths and blobs does git list, and what are the bytes of a blob?"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from repoctx.errors import SourceError
from repoctx.source.git import Repository, blob_id, environment, run, sentence, spawn, stop

SYMLINK = b"120000"
SUBMODULE = b"160000"
_STOPPED = "git stopped while it read the repository: check it with `git fsck`."


class Listed(NamedTuple):
    """One path of a commit's tree."""

    mode: bytes
    blob: str
    size: int  # -1 where there is no blob: a submodule, a missing object
    path: bytes


class Staged(NamedTuple):
    """One path of the index, with the stat data that its file had when git last compared it."""

    mode: bytes
    blob: str
    stage: int
    path: bytes
    stat: tuple[int, int, int, int] | None  # mtime ns, ctime ns, inode and size, both modulo 2**32
    skipped: bool  # left out of the work tree by a sparse checkout


def list_commit(repository: Repository, commit: str, most: int) -> Iterator[Listed]:
    """Every path of a commit's tree, in git's order."""
    ask = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit]
    answer = run(repository.folder, ask, most_records=most, work_tree=not repository.bare)
    if answer.code:
        raise SourceError(f"The files of {commit[:12]} cannot be listed ({sentence(answer.errors)}).")
    for record in answer.out.split(b"\0")[:-1]:
        fields, _, path = record.partition(b"\t")
        mode, _, blob, size = fields.split()
        yield Listed(mode, blob.decode(), int(size) if size.isdigit() else -1, path)


_DEBUG = re.compile(
    rb"(\d{6}) ([0-9a-f]+) ([0-3])\t([^\0]+)\0  ctime: (\d+):(\d+)\n  mtime: (\d+):(\d+)\n"
    rb"  dev: \d+\tino: (\d+)\n  uid: \d+\tgid: \d+\n  size: (\d+)\tflags: ([0-9a-f]+)\n"
)
_SKIP_WORKTREE = 1 << 30


def list_index(repository: Repository, most: int) -> list[Staged]:
    """Every path of the index, in git's order.

    The stat data comes from `--debug`, whose form git does not promise: where it is not the known
    one, the entries have no stat data, and their files are read instead.
    """
    answer = run(
        repository.folder, ["ls-files", "--stage", "--debug", "-z"], most_records=most, work_tree=True
    )
    if answer.code:
        raise SourceError(f"The index of {repository.folder} cannot be read ({sentence(answer.errors)}).")
    records = _DEBUG.findall(answer.out)
    if len(records) == answer.out.count(b"\0"):
        return [
            Staged(
                mode, blob.decode(), int(stage), path,
                (int(ms) * 10**9 + int(mn), int(cs) * 10**9 + int(cn), int(inode), int(size)),
                len(flags) > 7 and bool(int(flags, 16) & _SKIP_WORKTREE),
            )
            for mode, blob, stage, path, cs, cn, ms, mn, inode, size, flags in records
        ]  # fmt: skip
    plain = run(repository.folder, ["ls-files", "--stage", "-z"], most_records=most, work_tree=True)
    rows = (re.fullmatch(rb"(\d{6}) ([0-9a-f]+) ([0-3])\t(.*)", r, re.DOTALL) for r in plain.out.split(b"\0"))
    return [Staged(m[1], m[2].decode(), int(m[3]), m[4], None, False) for m in rows if m]


def index_matches(repository: Repository, commit: str) -> bool:
    """Whether the index is the tree of the commit. Ids are compared, no file is looked at."""
    ask = [
        "diff-index",
        "--cached",
        "--quiet",
        "--no-ext-diff",
        "--no-textconv",
        "--ignore-submodules=all",
        commit,
        "--",
    ]
    return run(repository.folder, ask, work_tree=True).code == 0


def tracks(top: str, folder: str) -> bool:
    """Whether the index of the work tree `top` has a file below `folder`; true if git cannot tell."""
    answer = run(top, ["ls-files", "-z", "--", folder], work_tree=True)
    return bool(answer.out) or answer.code != 0


def ignored(repository: Repository, paths: Sequence[bytes]) -> set[bytes]:
    """Those of some untracked paths (folders end in "/") that git's ignore rules exclude."""
    if not paths:
        return set()
    question = b"".join(b"./" + path + b"\0" for path in sorted(paths))  # no pathspec magic
    answer = run(repository.folder, ["check-ignore", "-z", "--stdin"], stdin=question, work_tree=True)
    if answer.code not in (0, 1):
        raise SourceError(
            f"git cannot apply the ignore rules of {repository.folder} ({sentence(answer.errors)})."
        )
    return {path.removeprefix(b"./") for path in answer.out.split(b"\0")[:-1]}


def list_untracked(
    repository: Repository, folders: Sequence[bytes], most: int, *, ignored: bool = False
) -> list[bytes]:
    """The untracked paths below the folders (all, if none is named).

    With `ignored` those that the ignore rules exclude; a folder is then one path that ends in "/".
    """
    ask = [
        "--literal-pathspecs",
        "ls-files",
        "--others",
        "--exclude-standard",
        "-z",
        *(["--ignored", "--directory"] if ignored else []),
        "--",
    ]
    answer = run(
        repository.folder, ask + [os.fsdecode(f) for f in folders], most_records=most, work_tree=True
    )
    if answer.code:
        raise SourceError(
            f"The untracked files of {repository.folder} cannot be listed ({sentence(answer.errors)})."
        )
    return answer.out.split(b"\0")[:-1]


def blob_sizes(repository: Repository, blobs: Iterable[str]) -> dict[str, int]:
    """The sizes of objects in bytes; those that the repository lacks are not in the answer."""
    asked = list(dict.fromkeys(blobs))
    if not asked:
        return {}
    question = ("\n".join(asked) + "\n").encode()
    answer = run(
        repository.folder, ["cat-file", "--batch-check=%(objectsize)", "--buffer"],
        stdin=question, work_tree=not repository.bare,
    )  # fmt: skip
    sizes = answer.out.split(b"\n")[:-1]
    if len(sizes) != len(asked):
        raise SourceError(_STOPPED)
    return {blob: int(size) for blob, size in zip(asked, sizes, strict=True) if size.isdigit()}


class Batch:
    """One `git cat-file --batch`, which lives until it is closed."""

    def __init__(self, repository: Repository, most: int) -> None:
        env = environment() | {"GIT_CEILING_DIRECTORIES": os.path.dirname(repository.folder)}
        self._hash_name, self._most = repository.hash_name, most
        self._process = spawn(
            ["cat-file", "--batch"], env, repository.folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._out = open(self._process.stdout.fileno(), "rb", buffering=1 << 18, closefd=False)  # noqa: SIM115

    def ask(self, blobs: Sequence[str]) -> None:
        """Ask for blobs, at most 500 (so that the questions fit into the pipe); then `take` each in order."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("".join(f"{blob}\n" for blob in blobs).encode())
        except BrokenPipeError as error:
            raise SourceError(_STOPPED) from error

    def take(self, blob: str) -> bytes | str:
        """The bytes of the next blob asked for, verified against its id; or why they cannot be had."""
        header = self._out.readline().split()
        if len(header) != 3 or header[0].decode() != blob:
            if header[1:] != [b"missing"]:
                raise SourceError(_STOPPED)
            return "the repository lacks this object"
        size = int(header[2])
        if size > self._most:
            for start in range(0, size + 1, 1 << 20):
                self._out.read(min(1 << 20, size + 1 - start))
            return "its object is larger than the limit"
        raw = self._out.read(size + 1)[:-1]
        if header[1] != b"blob" or blob_id(raw, self._hash_name) != blob:
            return "its object does not match its id"
        return raw

    def close(self) -> None:
        """End the process."""
        self._out.close()
        stop(self._process)
