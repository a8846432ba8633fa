"""How is a snapshot written into a folder, without running anything of the repository's?

Blobs are read from git by id and written as they are: no filter, no hook, no line ends made other, no submodule, no
large file fetched. The repository itself is only read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from repoctx.errors import RefusedError, SourceError
from repoctx.source import clone, git, listing, source_top
from repoctx.source.filter import human_size

MOST_FILES = 500_000
MOST_BYTES = 4_000_000_000
LARGEST_FILE = 100_000_000  # bytes; larger ones are left out
_WINDOW = 500  # blobs that are asked for at a time: as many ids fit into a pipe
_EXECUTABLE = b"100755"
_LONGEST_LINK = 4095


def write(
    location: str, mirrors: Path, commit: str | None, texts: Mapping[str, str], folder: Path,
    tick: Callable[[], object] = int,
) -> None:  # fmt: skip
    """Write the tree of a commit into an empty folder, and `texts` (path -> text) over it.

    What stands in the way of a text is removed. Files of the commit that are not among the texts stay.
    Without a commit, as of a plain folder, there are the texts alone. Symbolic links are made where they stay within
    the tree. `tick` is called now and then; what it raises ends the writing.

    Raises:
        SourceError: the repository or the commit cannot be read.
        RefusedError: it holds more than a checkout may.
    """
    root = os.fsencode(folder)
    links: list[tuple[bytes, bytes]] = []
    if commit is not None:
        top = source_top(location) or str(clone.folder(location, mirrors))
        bare = not os.path.lexists(os.path.join(top, ".git"))
        links = _write_commit(git.open_repository(top, bare=bare), commit, root, tick)
    for number, path in enumerate(sorted(texts)):
        if number % _WINDOW == 0:
            tick()
        if not _safe(raw := os.fsencode(path)):
            raise RefusedError(f"{path!r} is no path of a repository, so it cannot be written.")
        _write_file(root, raw, texts[path].encode("utf-8", "surrogatepass"))
    for path_of_link, target in links:  # last: nothing is written through one
        _link(root, path_of_link, target)


def _write_commit(
    repository: git.Repository, commit: str, root: bytes, tick: Callable[[], object]
) -> list[tuple[bytes, bytes]]:
    """Write the files of a commit; its symbolic links come back, with where they point."""
    git.check_ref(commit)
    listed = [item for item in listing.list_commit(repository, commit, MOST_FILES) if _safe(item.path)]
    files = [item for item in listed if item.mode.startswith(b"100") and 0 <= item.size <= LARGEST_FILE]
    size = sum(item.size for item in files)
    if size > MOST_BYTES:
        most = human_size(MOST_BYTES)
        raise RefusedError(f"{commit[:12]} holds {human_size(size)} of files, of which a checkout may have {most}.")
    links = [item for item in listed if item.mode == listing.SYMLINK and 0 < item.size <= _LONGEST_LINK]
    batch = listing.Batch(repository, LARGEST_FILE)
    try:
        for item, raw in _read(batch, files, tick):
            _write_file(root, item.path, raw, executable=item.mode == _EXECUTABLE)
        return [(item.path, raw) for item, raw in _read(batch, links, tick)]
    finally:
        batch.close()


def _read(
    batch: listing.Batch, items: Iterable[listing.Listed], tick: Callable[[], object]
) -> Iterator[tuple[listing.Listed, bytes]]:
    """The bytes of blobs. SourceError for one that the repository lacks."""
    remaining = iter(items)
    while window := list(islice(remaining, _WINDOW)):
        tick()
        batch.ask([item.blob for item in window])
        for item in window:
            raw = batch.take(item.blob)
            if isinstance(raw, str):
                path = item.path.decode("utf-8", "backslashreplace")
                raise SourceError(f"{path} cannot be checked out: {raw}; check the repository with `git fsck`.")
            yield item, raw


def _safe(path: bytes) -> bool:
    """Whether a path of a tree stays below its root and out of git's own files."""
    parts = path.split(b"/")
    return not any(part in (b"", b".", b"..") or part.lower() == b".git" for part in parts) and b"\0" not in path


def _write_file(root: bytes, path: bytes, raw: bytes, executable: bool = False) -> None:
    target = os.path.join(root, path)
    if not os.path.isdir(os.path.dirname(target)):
        _make(root, path)
    elif os.path.isdir(target):
        shutil.rmtree(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(target, flags, 0o755 if executable else 0o644), "wb") as file:
        file.write(raw)


def _make(root: bytes, path: bytes) -> None:
    """Make the folders of a path, in place of files."""
    place = root
    for part in path.split(b"/")[:-1]:
        place = os.path.join(place, part)
        if not os.path.isdir(place):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
            os.mkdir(place)


def _link(root: bytes, path: bytes, target: bytes) -> None:
    """Make a symbolic link that stays within the tree, whatever links it passes; others are left out."""
    parts = target.rstrip(b"/").split(b"/")
    up = next((number for number, part in enumerate(parts) if part != b".."), len(parts))
    inside = up <= path.count(b"/") and not any(part in (b"", b"..") for part in parts[up:])
    if inside and b"\0" not in target and not os.path.lexists(place := os.path.join(root, path)):
        with contextlib.suppress(FileExistsError, NotADirectoryError):  # a text is there
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(target, place)
