"""How is a file below a folder read without being led out of it?

Content on disk is anybody's: every component of a path is opened relative to the one before,
without following symbolic links, so a link that is swapped in during a scan leads nowhere; and a
FIFO or a device is never opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from repoctx.source.filter import human_size
from repoctx.source.sift import decode_path
from repoctx.types import Skip

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# Bytes of a large file that are read at a time, and of the largest that is read whole: half a second.
PIECE, MOST_HASHED = 1 << 20, 200_000_000


class Disk:
    """The files below one folder, reached component by component so that no symbolic link leads outside."""

    def __init__(self, root: str) -> None:
        self.root = os.fsencode(root)

    @contextmanager
    def folder(self, path: bytes) -> Iterator[int]:
        """An open descriptor of a folder (b"" is the top). OSError where a component is no folder."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in path.split(b"/") if path else ():
                if part in (b"", b".", b".."):
                    raise NotADirectoryError(path)
                inner = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def open_to_list(self, path: bytes) -> int:
        """A descriptor of a folder (b"" is the top) to list, which the caller closes. OSError where there is none.

        The path is resolved at once, since a listing shows names alone: whoever swaps a link in may
        have the names behind it listed, but no content read.
        """
        return os.open(os.path.join(self.root, path), _FOLDER_FLAGS)

    def target(self, path: bytes) -> str:
        """Where a symbolic link points, as text; "" where that cannot be read."""
        above, _, name = path.rpartition(b"/")
        try:
            with self.folder(above) as descriptor:
                return decode_path(os.readlink(name, dir_fd=descriptor))
        except OSError:
            return ""

    def read(self, path: bytes, most: int) -> bytes | Skip:
        """The bytes of a regular file of at most `most` bytes, or why they cannot be had."""
        above, _, name = path.rpartition(b"/")
        shown = decode_path(path)
        try:
            with self.folder(above) as descriptor:
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if skip := odd_file(shown, found):
                    return skip
                opened = os.open(name, _FILE_FLAGS, dir_fd=descriptor)
            with open(opened, "rb", buffering=0, closefd=True) as file:
                raw = _read_all(file.fileno(), min(found.st_size, most) + 1)
        except (FileNotFoundError, NotADirectoryError):
            return Skip(shown, "vanished", "removed since the scan")
        except OSError as error:
            return Skip(shown, "unreadable", error.strerror or "")
        return raw if len(raw) <= most else Skip(shown, "too large", human_size(max(found.st_size, len(raw))))

    def blob_id(self, path: bytes, hash_name: str) -> str | None:
        """The id that git gives a regular file as a blob, in hex; None where it cannot be read, or is huge."""
        above, _, name = path.rpartition(b"/")
        try:
            with self.folder(above) as descriptor:
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_HASHED:
                    return None
                opened = os.open(name, _FILE_FLAGS, dir_fd=descriptor)
            with open(opened, "rb", buffering=0, closefd=True) as file:
                digest = hashlib.new(hash_name, b"blob %d\0" % os.fstat(opened).st_size, usedforsecurity=False)
                while piece := file.read(PIECE):
                    digest.update(piece)
        except OSError:
            return None
        return digest.hexdigest()


def _read_all(descriptor: int, most: int) -> bytes:
    pieces = []
    while most > 0 and (piece := os.read(descriptor, most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def odd_file(path: str, found: os.stat_result) -> Skip | None:
    """Why something on disk is not a file to read; None if it is one."""
    if stat.S_ISREG(found.st_mode):
        return None
    if stat.S_ISLNK(found.st_mode):
        return Skip(path, "symlink")
    kinds = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return Skip(path, "special file", kinds.get(stat.S_IFMT(found.st_mode), "folder"))
