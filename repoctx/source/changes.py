"""Which folders show what changes in a source, and which of their changes matter to an index of it?

Paths are bytes relative to the source's folder, as on disk. `known` is what the index holds: path -> blob id.
"""

from __future__ import annotations

import hashlib
import os
import stat
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from repoctx.errors import SourceError
from repoctx.source import git, listing
from repoctx.source.disk import Disk
from repoctx.source.filter import FOLDERS, MARKERS, Limits, content_skip
from repoctx.source.patterns import Attributes, IgnoreRules
from repoctx.source.sift import ATTRIBUTES_FILE, IGNORE_FILE, Rules, add_rules, decode_path, sift
from repoctx.types import Skip

GIT_IGNORE = b".gitignore"
# Files that say which others count. That of the settings does so at the top alone.
RULE_FILES = (ATTRIBUTES_FILE, GIT_IGNORE, IGNORE_FILE)
SETTINGS_FILE = b"repoctx.toml"
# So many files in a folder that is new are looked at one by one; of more, some surely matter.
MOST_NEW_FILES = 2000


class Grounds(NamedTuple):
    """The folders that show every change that may matter."""

    files: frozenset[bytes]  # of the source, b"" is its top
    git: frozenset[str]  # of git's own state, as whole paths
    lock: str  # the file that is there while git writes the index and the work tree; "" without a work tree of git's


def grounds(
    disk: Disk, repository: git.Repository | None, limits: Limits, bare: bool, apart: Collection[str] = ()
) -> Grounds:
    """The folders worth watching: none that is ignored, `apart` (whole paths), vendored or another repository.

    Symbolic links are not followed. SourceError where git cannot tell.
    """
    files = frozenset() if bare else frozenset(_walk(disk, repository, limits, apart))
    if repository is None:
        return Grounds(files, frozenset(), "")
    return Grounds(files, frozenset(_git_folders(repository)), "" if bare else f"{repository.index_path}.lock")


def _walk(disk: Disk, repository: git.Repository | None, limits: Limits, apart: Collection[str]) -> Iterator[bytes]:
    ignored: set[bytes] = set()
    if repository:
        left_out = listing.list_untracked(repository, [], limits.max_files, ignored=True)
        ignored = {path.removesuffix(b"/") for path in left_out if path.endswith(b"/")}
    rules = Rules(IgnoreRules(), Attributes())
    pending = [b""]
    while pending:
        folder = pending.pop()
        listed = _list(disk, folder)
        if listed is None or (repository and folder and b".git" in {*listed[0], *listed[1]}):
            continue  # it cannot be read, or is a repository of its own
        names, below = listed
        yield folder
        _take_rules(disk, rules, folder, limits, repository is None, {*names})
        for name in below:
            path = folder + b"/" + name if folder else name
            if not (
                name.lower() == b".git"
                or path in ignored
                or (decode_path(name) in FOLDERS and not rules.attributes)
                or (rules.ignore and rules.ignore.verdict(path, is_folder=True))
                or os.path.join(os.fsdecode(disk.root), os.fsdecode(path)) in apart
            ):
                pending.append(path)


def _list(disk: Disk, folder: bytes) -> tuple[list[bytes], list[bytes]] | None:
    """The names in a folder, of all but folders, and of folders. None where it cannot be read."""
    files: list[bytes] = []
    below: list[bytes] = []
    try:
        descriptor = disk.open_to_list(folder)
    except OSError:
        return None
    try:
        with os.scandir(descriptor) as names:
            for entry in names:
                (below if entry.is_dir(follow_symlinks=False) else files).append(os.fsencode(entry.name))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return files, sorted(below)


def _take_rules(
    disk: Disk, rules: Rules, folder: bytes, limits: Limits, with_git: bool, names: Collection[bytes] = RULE_FILES
) -> None:
    """Take the rules that a folder holds; those of `.gitignore` only where git is not asked for them."""
    for name in RULE_FILES:
        if name in names and (with_git or name != GIT_IGNORE):
            path = folder + b"/" + name if folder else name
            raw = disk.read(path, limits.max_file_bytes)
            if isinstance(raw, bytes):
                add_rules(rules, {path: raw})


def _git_folders(repository: git.Repository) -> Iterator[str]:
    """Where git keeps HEAD, the index, refs and its own ignore rules: for a linked work tree in two places."""
    own, common = (_git_folder(repository, which) for which in ("--absolute-git-dir", "--git-common-dir"))
    yield from {own, common}
    for name in ("info", "reftable", "refs"):
        if os.path.isdir(folder := os.path.join(common, name)):
            yield folder
    for folder, _, _ in os.walk(os.path.join(common, "refs", "heads")):
        yield folder


def _git_folder(repository: git.Repository, which: str) -> str:
    """One folder of git's, by the option of `rev-parse`: asked for by itself, since a path may hold line ends."""
    answer = git.run(repository.folder, ["rev-parse", which])
    if answer.code:
        raise SourceError(f"{repository.folder} is not a repository that git can read ({git.sentence(answer.errors)}).")
    return os.path.realpath(os.path.join(repository.folder, os.fsdecode(answer.out.removesuffix(b"\n"))))


def state(repository: git.Repository | None) -> str:
    """What git says that decides, besides the files themselves, what a source holds: the same as long as that is.

    The index counts only by the ignored files that it makes git track.
    """
    if repository is None:
        return ""
    try:
        head = git.head(repository)
    except SourceError as error:
        return str(error)
    if repository.bare:
        return repr(head)
    ask = ["ls-files", "--cached", "--ignored", "--exclude-standard", "-z"]
    tracked = git.run(repository.folder, ask, work_tree=True).out
    path = git.run(repository.folder, ["rev-parse", "--git-path", "info/exclude"], work_tree=True).out
    try:
        with open(os.path.join(repository.folder, os.fsdecode(path.rstrip(b"\n"))), "rb") as file:
            rules = file.read(1_000_000)
    except OSError:
        rules = b""
    return f"{head} {hashlib.sha256(tracked).hexdigest()} {hashlib.sha256(rules).hexdigest()}"


# --- which changes matter -----------------------------------------------------------------------


def matters(
    disk: Disk,
    repository: git.Repository | None,
    limits: Limits,
    touched: Iterable[bytes],
    known: Mapping[str, str],
) -> bool:
    """Whether paths that were added, written or removed change what the index holds.

    A file that has the bytes it is known by does not, nor one that came and went, nor one that rules, settings or
    its content leave out. A folder stands for the files in it.
    """
    paths = sorted(known)
    apart = _Apart(disk, nested=repository is not None)
    files: list[bytes] = []
    folders: list[bytes] = []
    for raw in sorted(set(touched)):
        if not raw or apart.holds(raw):
            continue
        try:
            found = _stat(disk, raw)
        except OSError:
            if _knows(paths, decode_path(raw)) or (_is_rule(raw) and _governs(disk, repository, limits, raw)):
                return True
            continue
        (folders if stat.S_ISDIR(found.st_mode) else files).append(raw)
    ignored = listing.ignored(repository, [folder + b"/" for folder in folders]) if repository else set()
    for folder in folders:
        inside = _inside(disk, folder, repository is not None) if folder + b"/" not in ignored else []
        if inside is None:
            return True
        files += inside
    return _any_differs(disk, repository, limits, files, known, paths)


def _stat(disk: Disk, raw: bytes) -> os.stat_result:
    """What stands at a path. OSError where nothing does, or a symbolic link leads there."""
    above, _, name = raw.rpartition(b"/")
    with disk.folder(above) as descriptor:
        return os.stat(name, dir_fd=descriptor, follow_symlinks=False)


def _any_differs(
    disk: Disk,
    repository: git.Repository | None,
    limits: Limits,
    files: list[bytes],
    known: Mapping[str, str],
    paths: Sequence[str],
) -> bool:
    """Whether one of some files that are there is not what the index holds, and would be in it."""
    rules, markers = _rules_about(disk, files, limits, repository is None)
    wanted = dict(sift(sorted({*files, *markers}), rules, limits)[0])
    unknown = [raw for path, raw in wanted.items() if path not in known]
    ignored = listing.ignored(repository, unknown) if repository else set()
    for raw in files:
        path = decode_path(raw)
        if _is_rule(raw) and path not in known:
            if (raw not in ignored or _knows(paths, path.rpartition("/")[0])) and _governs(
                disk, repository, limits, raw
            ):
                return True
        elif path in wanted and raw not in ignored:
            content = disk.read(raw, limits.max_file_bytes)
            if isinstance(content, Skip) or (path not in known and content_skip(content)):
                if path in known:
                    return True
            elif known.get(path) not in _ids(content, repository):
                return True
    return False


def _ids(content: bytes, repository: git.Repository | None) -> set[str]:
    """The blobs that a file's bytes may be known by: which line ends a checkout writes is configuration."""
    name = repository.hash_name if repository else "sha1"
    return {git.blob_id(content, name), git.blob_id(content.replace(b"\r\n", b"\n"), name)}


def _knows(paths: Sequence[str], path: str) -> bool:
    """Whether sorted paths have this one, or others below it; all are below ""."""
    if not path:
        return bool(paths)
    at, below = bisect_left(paths, path), bisect_left(paths, path + "/")
    return paths[at : at + 1] == [path] or (below < len(paths) and paths[below].startswith(path + "/"))


def _is_rule(raw: bytes) -> bool:
    return raw.rpartition(b"/")[2] in RULE_FILES or raw == SETTINGS_FILE


def _governs(disk: Disk, repository: git.Repository | None, limits: Limits, raw: bytes) -> bool:
    """Whether the folder of a rule file is there, and has files that could be in the index."""
    folder = raw.rpartition(b"/")[0]
    if not os.path.isdir(os.path.join(disk.root, folder)):
        return False
    if not folder:
        return True
    any_file = folder + b"/any"
    rules, markers = _rules_about(disk, [any_file], limits, repository is None)
    if rules.ignore and rules.ignore.outermost(folder):
        return False
    without = Rules(IgnoreRules(), rules.attributes)
    kept, _ = sift(sorted({any_file, *markers}), without, replace(limits, include=(), exclude=()))
    return any(path == any_file for _, path in kept) and not (
        repository and listing.ignored(repository, [folder + b"/"])
    )


def _rules_about(disk: Disk, files: Iterable[bytes], limits: Limits, with_git: bool) -> tuple[Rules, list[bytes]]:
    """The rules that the folders above some files hold, and the files there that make a folder a vendored one."""
    folders = {b""}
    for raw in files:
        while (raw := raw.rpartition(b"/")[0]) not in folders:
            folders.add(raw)
    rules = Rules(IgnoreRules(), Attributes())
    markers = []
    for folder in sorted(folders):
        _take_rules(disk, rules, folder, limits, with_git)
        for marker, _ in MARKERS:
            path = folder + b"/" + marker.encode() if folder else marker.encode()
            if os.path.lexists(os.path.join(disk.root, path)):
                markers.append(path)
    return rules, markers


class _Apart:
    """Which paths are git's own, or of another repository within this one?"""

    def __init__(self, disk: Disk, nested: bool) -> None:
        self._disk, self._nested = disk, nested
        self._folders: dict[bytes, bool] = {b"": False}

    def holds(self, raw: bytes) -> bool:
        """Whether a path is below such a folder, or is one."""
        folder, _, name = raw.rpartition(b"/")
        return name.lower() == b".git" or self._folder(folder)

    def _folder(self, folder: bytes) -> bool:
        if folder not in self._folders:
            above = self.holds(folder)
            inner = os.path.join(self._disk.root, folder, b".git")
            self._folders[folder] = above or (self._nested and os.path.lexists(inner))
        return self._folders[folder]


def _inside(disk: Disk, folder: bytes, nested: bool) -> list[bytes] | None:
    """The files in a folder and those below it, vendored ones left aside; None if they are too many to look at."""
    found: list[bytes] = []
    pending = [folder]
    while pending:
        folder = pending.pop()
        names, below = _list(disk, folder) or ([], [])
        if nested and b".git" in {*names, *below}:
            continue
        found += [folder + b"/" + name for name in names]
        pending += [folder + b"/" + name for name in below if decode_path(name) not in FOLDERS and name != b".git"]
        if len(found) + len(pending) > MOST_NEW_FILES:
            return None
    return found
