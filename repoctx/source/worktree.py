"""Which bytes does a folder on disk hold right now?

A git work tree is compared with its index by stat data, as git does it, and what differs is hashed
here, so that no filter or diff driver of the repository runs. A plain folder is walked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from repoctx.errors import RefusedError
from repoctx.source import git, listing
from repoctx.source.disk import Disk
from repoctx.source.filter import FOLDERS, Limits, human_size
from repoctx.source.patterns import Attributes, IgnoreRules
from repoctx.source.sift import ATTRIBUTES_FILE, IGNORE_FILE, Rules, add_rules, decode_path, rule_files, sift
from repoctx.types import Entry, Skip, Tree

# More untracked folders than this are not named to git one by one: it lists all of the work tree.
_MOST_FOLDERS_NAMED = 200


@dataclass(slots=True)
class Scan:
    """What a scan of a folder on disk has found so far."""

    disk: Disk
    limits: Limits
    hash_name: str = "sha1"
    entries: list[Entry] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    on_disk: dict[str, bytes] = field(default_factory=dict)  # what `read` must take from disk: its path there

    def take(self, path: str, raw: bytes, unless: str = "") -> bool:
        """Add a file with its bytes on disk, or say why not; False where these are the blob `unless`."""
        content = self.disk.read(raw, self.limits.max_file_bytes)
        if isinstance(content, Skip):
            if unless and content.reason == "too large" and self.disk.blob_id(raw, self.hash_name) == unless:
                return False
            detail = self.disk.target(raw) if content.reason == "symlink" else content.detail
            self.skips.append(Skip(path, content.reason, detail))
            return True
        blob = git.blob_id(content, self.hash_name)
        if unless and unless in (blob, git.blob_id(content.replace(b"\r\n", b"\n"), self.hash_name)):
            return False
        self.entries.append(Entry(path, blob, len(content)))
        self.on_disk[path] = raw
        return True


def finish(entries: list[Entry], skips: list[Skip], limits: Limits, commit: str | None, ref: str,
           dirty: bool = False) -> Tree:  # fmt: skip
    """A tree in order. RefusedError where its files are more than `limits.max_total_bytes` together."""
    total = sum(entry.size for entry in entries)
    if total > limits.max_total_bytes:
        allowed = human_size(limits.max_total_bytes)
        raise RefusedError(
            f"The files are {human_size(total)} in all, above the limit of {allowed}: exclude some."
        )
    # Text sorts by code point, which is the order of its UTF-8 bytes.
    return Tree(tuple(sorted(entries)), tuple(sorted(skips)), commit, ref, dirty)


# --- plain folders ----------------------------------------------------------------------------


def scan_folder(disk: Disk, limits: Limits) -> tuple[Tree, dict[str, bytes]]:
    """A plain folder's tree, and its files' paths as bytes on disk."""
    scan = Scan(disk, limits)
    rules = Rules(IgnoreRules(), Attributes())
    files: list[bytes] = []
    pending = [b""]
    while pending:
        folder = pending.pop()
        try:
            below = _list_folder(disk, folder)
        except OSError as error:
            scan.skips.append(Skip(decode_path(folder) + "/", "unreadable", error.strerror or ""))
            continue
        prefix = folder + b"/" if folder else b""
        scan.skips += _follow(
            disk, prefix, {name for name, is_folder in below if not is_folder}, rules, limits
        )
        for name, is_folder in below:
            if name.lower() == b".git":
                continue
            skip = _pruned(prefix + name, name, is_folder, rules.ignore)
            if skip:
                scan.skips.append(skip)
            else:
                (pending if is_folder else files).append(prefix + name)
        if len(files) > limits.max_files:
            where = os.fsdecode(disk.root)
            raise RefusedError(
                f"{where} has more than {limits.max_files:,} files: raise the limit, or index a part of it."
            )
    kept, skips = sift(sorted(files), Rules(IgnoreRules(), rules.attributes), limits)
    scan.skips += skips
    for path, raw in kept:
        scan.take(path, raw)
    return finish(scan.entries, scan.skips, limits, None, "."), scan.on_disk


def _list_folder(disk: Disk, folder: bytes) -> list[tuple[bytes, bool]]:
    """The names in a folder, sorted, and whether each is a folder itself."""
    descriptor = disk.open_to_list(folder)
    try:
        with os.scandir(descriptor) as names:
            return sorted((os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in names)
    finally:
        os.close(descriptor)


def _follow(disk: Disk, prefix: bytes, names: Collection[bytes], rules: Rules, limits: Limits) -> list[Skip]:
    """Take the rules that one folder holds. `.gitignore` comes first, so that ours overrides it."""
    skips = []
    for name in (ATTRIBUTES_FILE, b".gitignore", IGNORE_FILE):
        content = disk.read(prefix + name, limits.max_file_bytes) if name in names else b""
        if isinstance(content, bytes):  # the scan meets the file again, and says why it cannot be read
            skips += add_rules(rules, {prefix + name: content})
    return skips


def _pruned(path: bytes, name: bytes, is_folder: bool, ignore: IgnoreRules) -> Skip | None:
    shown = decode_path(path) + "/" * is_folder
    if origin := ignore.verdict(path, is_folder) if ignore else None:
        return Skip(shown, "ignored", origin)
    verdict = FOLDERS.get(decode_path(name)) if is_folder else None
    return Skip(shown, *verdict) if verdict else None


# --- git work trees ---------------------------------------------------------------------------


class _Walked(NamedTuple):
    """What stands where in a work tree."""

    same: set[bytes]  # tracked files that are surely the ones that git last saw
    others: dict[bytes, os.stat_result]  # tracked files that may have changed
    untracked: list[bytes]  # the others; a folder without any tracked file is one path that ends in "/"
    skips: list[Skip]


class _Untracked(NamedTuple):
    """What git says of the paths that it does not track."""

    files: list[bytes]
    ignored: list[bytes]  # folders end in "/"
    repositories: list[bytes]  # work trees of their own, which end in "/"


def scan_work_tree(repository: git.Repository, disk: Disk, limits: Limits) -> tuple[Tree, dict[str, bytes]]:
    """A work tree with its uncommitted changes, and the paths that must be read from disk, as bytes there.

    A tracked file that differs from its blob in nothing but CRLF line ends is that blob: which
    line ends a checkout writes is configuration.
    """
    racy_from = _modified(repository.index_path)
    head = git.head(repository)
    staged = {entry.path: entry for entry in listing.list_index(repository, limits.max_files)}
    walked = _walk(disk, staged, racy_from)
    untracked = _ask_untracked(repository, walked.untracked, limits.max_files)
    paths = sorted([*staged, *untracked.files])
    rules = Rules(IgnoreRules(), Attributes())
    contents = {p: disk.read(p, limits.max_file_bytes) for p in rule_files(paths + untracked.ignored)}
    skips = add_rules(rules, {path: raw for path, raw in contents.items() if isinstance(raw, bytes)})
    kept, left_out = sift(paths, rules, limits)
    scan = Scan(disk, limits, repository.hash_name, skips=[*skips, *left_out, *walked.skips])
    scan.skips += [Skip(decode_path(path), "ignored", ".gitignore") for path in untracked.ignored]
    scan.skips += [
        Skip(decode_path(path), "submodule", "a repository of its own") for path in untracked.repositories
    ]
    clean, altered = _compare(scan, kept, staged, walked)
    _take_blobs(scan, clean, repository)
    dirty = head.commit is not None and (altered or not listing.index_matches(repository, head.commit))
    return finish(scan.entries, scan.skips, limits, head.commit, head.ref, dirty), scan.on_disk


def _modified(path: str) -> int:
    """When a file was last modified, in ns; the far future if it is not there."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 1 << 63


def _walk(disk: Disk, staged: Mapping[bytes, listing.Staged], racy_from: int) -> _Walked:
    """Every path of the work tree; folders that hold nothing tracked are not entered."""
    folders = {b""}
    for path in staged:
        while (path := path.rpartition(b"/")[0]) not in folders:
            folders.add(path)
    found = _Walked(set(), {}, [], [])
    pending = [b""]
    while pending:
        prefix = pending.pop()
        try:
            descriptor = disk.open_to_list(prefix)
            try:
                with os.scandir(descriptor) as names:  # by descriptor, a stat need not resolve the path again
                    for entry in names:
                        path = prefix + entry.name.encode("utf-8", "surrogateescape")
                        if path in staged:
                            _meet_tracked(entry, staged[path], racy_from, found)
                        elif not entry.is_dir(follow_symlinks=False):
                            found.untracked.append(path)
                        else:
                            (pending if path in folders else found.untracked).append(path + b"/")
            finally:
                os.close(descriptor)
        except OSError as error:
            found.skips.append(Skip(decode_path(prefix), "unreadable", error.strerror or ""))
    ours = [
        path for path in found.untracked if path.removesuffix(b"/").rpartition(b"/")[2].lower() == b".git"
    ]
    return found._replace(untracked=sorted(set(found.untracked).difference(ours)))


def _meet_tracked(entry: os.DirEntry[str], known: listing.Staged, racy_from: int, found: _Walked) -> None:
    """Compare a tracked file with what git last saw of it.

    A file as young as the index, or younger, may have been changed within the same tick of the
    clock; its stat data proves nothing (git's Documentation/technical/racy-git.txt).
    """
    try:
        now = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    modified = now.st_mtime_ns
    seen = (modified, now.st_ctime_ns, now.st_ino & 0xFFFFFFFF, now.st_size & 0xFFFFFFFF)
    if seen == known.stat and modified < racy_from and known.stage == 0:
        found.same.add(known.path)
    elif not stat.S_ISDIR(now.st_mode):
        found.others[known.path] = now
    elif known.mode != listing.SUBMODULE:
        found.untracked.append(known.path + b"/")


def _ask_untracked(repository: git.Repository, paths: list[bytes], most: int) -> _Untracked:
    """Divide untracked paths as git's ignore rules say."""
    ignored = listing.ignored(repository, paths)
    rest = [path for path in paths if path not in ignored]
    files = [path for path in rest if not path.endswith(b"/")]
    folders = sorted(path for path in rest if path.endswith(b"/"))
    found = _Untracked(files, sorted(ignored), [])
    if folders:
        named = folders if len(folders) <= _MOST_FOLDERS_NAMED else []
        for path in listing.list_untracked(repository, named, most):
            (found.repositories if path.endswith(b"/") else found.files).append(path)
        found.ignored.extend(listing.list_untracked(repository, named, most, ignored=True))
    return _Untracked(sorted(set(found.files)), sorted(set(found.ignored)), sorted(set(found.repositories)))


def _compare(scan: Scan, kept: list[tuple[str, bytes]], staged: Mapping[bytes, listing.Staged],
             walked: _Walked) -> tuple[list[tuple[str, str]], bool]:  # fmt: skip
    """The files whose blob is the one in the index, as (path, blob), and whether others differ from theirs.

    What differs, and what is not in the index, is read from disk into `scan`.
    """
    clean: list[tuple[str, str]] = []
    altered = False
    for path, raw in kept:
        entry, found = staged.get(raw), walked.others.get(raw)
        if entry is None:
            altered |= scan.take(path, raw)
        elif entry.mode == listing.SUBMODULE:
            scan.skips.append(Skip(path, "submodule", entry.blob[:12]))
        elif entry.mode == listing.SYMLINK and (found is None or stat.S_ISLNK(found.st_mode)):
            scan.skips.append(Skip(path, "symlink", scan.disk.target(raw)))
        elif raw in walked.same:
            clean.append((path, entry.blob))
        elif found is None:  # it is not there: deleted, or left out by a sparse checkout
            if entry.skipped:
                clean.append((path, entry.blob))
            altered |= not entry.skipped
        elif scan.take(path, raw, "" if entry.stage else entry.blob):
            altered = True
        else:
            clean.append((path, entry.blob))
    return clean, altered


def _take_blobs(scan: Scan, clean: list[tuple[str, str]], repository: git.Repository) -> None:
    sizes = listing.blob_sizes(repository, [blob for _, blob in clean])
    for path, blob in clean:
        entry = entry_or_skip(path, blob, sizes.get(blob, -1), scan.limits)
        if isinstance(entry, Entry):
            scan.entries.append(entry)
        else:
            scan.skips.append(entry)


def entry_or_skip(path: str, blob: str, size: int, limits: Limits) -> Entry | Skip:
    """A file of a known size (-1 if the repository lacks it), unless it is too large."""
    if size < 0:
        return Skip(path, "unreadable", "the repository lacks its object")
    if size > limits.max_file_bytes:
        return Skip(path, "too large", human_size(size))
    return Entry(path, blob, size)
