"""Which file of a snapshot does a path mean that a model wrote, and may it be changed?

Only files of the snapshot and new ones below its root: what leads out of it, into git's own files, or anywhere on some
file system is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from repoctx.tasks.edits import Problem

LONGEST_NAME = 255  # bytes of a part of a path, on nearly every file system
LONGEST_PATH = 1000  # bytes

_DRIVE = re.compile(r"[A-Za-z]:")
# What HFS+ leaves out of names, so that `.g\u200cit` is `.git` there.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
# What Windows takes for `.git`: its short name, and names with dots, spaces or a stream behind.
_GIT = re.compile(r"(?:\.git|git~\d+)[. ]*(?::.*)?")


@dataclass(frozen=True)
class Places:
    """The paths of a snapshot."""

    files: frozenset[str]
    left_out: Mapping[str, str]  # path -> why; of a folder that is left out as a whole it ends in "/"

    def find(self, written: str) -> str | Problem:
        """The path that is meant, of a file that is there or of one that may be made."""
        path = self._meant(written)
        why = _unsafe(path) or self._in_the_way(path)
        return Problem("path", written[:LONGEST_PATH], f"{_said(written)} {why}.") if why else path

    def _meant(self, written: str) -> str:
        """Without `./`, and without the `a/` or `b/` of a diff where nothing is there with it."""
        path = written
        while path.startswith("./"):
            path = path[2:].lstrip("/")
        inner = path[2:]
        if path not in self.files and path[:2] in ("a/", "b/") and path[0] not in self._folders:
            return inner
        return inner if path not in self.files and path[:2] in ("a/", "b/") and inner in self.files else path

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(above for path in self.files for above in _above(path))

    @cached_property
    def _folded(self) -> dict[str, str]:
        """What is there, by what a file system that ignores case takes it for."""
        return {_fold(path): path for path in sorted(self._folders | self.files, reverse=True)}

    def _in_the_way(self, path: str) -> str:
        """Why a safe path cannot be changed; "" if it can."""
        if path in self.files:
            return ""
        if path in self._folders:
            return "is a folder"
        if any(part != part.strip() or part.endswith(".") for part in path.split("/")):
            return "has a name that begins or ends with a space, or ends with a dot"
        if any(unicodedata.category(char) == "Cf" for char in path):
            return "has characters that nobody sees"
        for place in [path, *_above(path)]:
            if place in self.files:
                return f"cannot be there: {place} is a file"
            if reason := self.left_out.get(place):
                return f"cannot be changed: {place} is left out of the index ({reason})"
            if reason := self.left_out.get(f"{place}/"):
                return f"cannot be changed: {place}/ is left out of the index ({reason})"
            there = self._folded.get(_fold(place))
            if there is not None and there != place and place not in self._folders:
                return f"differs from {there} by its case alone: write it as that is written"
        return ""


def clashing(paths: Set[str]) -> list[str]:
    """The paths, sorted, that cannot be beside each other: folders of others, or different by case alone."""
    above = {path: (path, *_above(path)) for path in sorted(paths)}
    same: dict[str, set[str]] = {}
    for place in {place for places in above.values() for place in places}:
        same.setdefault(_fold(place), set()).add(place)
    folders = {place for places in above.values() for place in places[1:]}
    unclear = {place for places in same.values() if len(places) > 1 for place in places} | (folders & paths)
    return [path for path, places in above.items() if not unclear.isdisjoint(places)]


def _unsafe(path: str) -> str:
    """Why no repository may hold a path; "" if one may."""
    parts = path.split("/")
    if not path:
        return "is no path"
    if path.startswith(("/", "~")) or _DRIVE.match(path):
        return "is not below the root of the repository: write the path as the prompt shows it"
    if "\\" in path:
        return "has a backslash: write / between folders"
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in path):
        return "has characters that no path may have"
    if any(part in ("", ".", "..") for part in parts):
        return "is not a plain path: write it without //, . and .."
    if any(len(part.encode()) > LONGEST_NAME for part in parts) or len(path.encode()) > LONGEST_PATH:
        return "is too long"
    if any(_GIT.fullmatch(_IGNORED.sub("", part).casefold()) for part in parts):
        return "leads into git's own files"
    return ""


def _said(path: str) -> str:
    """A path as it may be printed."""
    shown = "".join(char if char.isprintable() else "?" for char in path[:200])
    return f"The path {shown!r}"


def _above(path: str) -> Iterable[str]:
    """The folders that a path is in, the innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", _IGNORED.sub("", path)).casefold()
