"""Which bytes make up this commit?

`open_source` takes a path or a clone URL and gives a `Source`: its `tree` names every file by the
id of its blob and says why others are left out, and its `read` gives the bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Literal

from repoctx.errors import RefusedError, SourceError, UsageError
from repoctx.source import changes, clone, git, history, listing, worktree
from repoctx.source.access import LOCAL_USER, Access
from repoctx.source.access import check as check_access
from repoctx.source.changes import Grounds
from repoctx.source.clone import RemoteRefs, remote_refs
from repoctx.source.disk import Disk
from repoctx.source.filter import Limits, human_size
from repoctx.source.patterns import Attributes, IgnoreRules
from repoctx.source.sift import Rules, add_rules, decode_path, rule_files, sift
from repoctx.types import Commit, Entry, Skip, Tree

__all__ = [
    "LOCAL_USER",
    "Access",
    "Grounds",
    "Kind",
    "Limits",
    "RemoteRefs",
    "Source",
    "check_access",
    "check_extent",
    "holds",
    "open_source",
    "remote_refs",
    "shown_path",
    "source_top",
]

Kind = Literal["worktree", "folder", "bare", "clone"]

# Questions to git that are on their way at a time: 500 ids of 64 digits fit into a pipe (64 kB).
_WINDOW = 500


class Source:
    """A place that files are read from; close it, or use it in a `with` statement."""

    def __init__(
        self, location: str, kind: Kind, name: str, root: str, ref: str | None, limits: Limits
    ) -> None:
        self.location = location  # the path or the URL; it never holds a password
        self.kind = kind
        self.folder = root  # where it is on this machine: of a URL its mirror
        self.default_name = default_name(name)
        self._ref, self._limits = ref, limits
        self._disk = Disk(root)
        self._repository = None if kind == "folder" else git.open_repository(root, bare=kind != "worktree")
        self._on_disk: dict[str, bytes] = {}
        self._idle: list[listing.Batch] = []

    def tree(self) -> Tree:
        """What the source contains now.

        Raises:
            SourceError: the repository or the ref cannot be read.
            RefusedError: it holds more than the limits allow.
        """
        if self._repository is None:
            tree, self._on_disk = worktree.scan_folder(self._disk, self._limits)
        elif self.kind == "worktree" and self._ref is None:
            tree, self._on_disk = worktree.scan_work_tree(self._repository, self._disk, self._limits)
        else:
            tree, self._on_disk = self._commit_tree(self._repository), {}
        return tree

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | Skip]]:
        """The bytes of entries of the latest `tree`, in their order, one file in memory at a time.

        Bytes always match the entry's blob id. A file that no longer does is a Skip("vanished"):
        the tree is out of date.
        """
        remaining = iter(entries)
        while window := list(islice(remaining, _WINDOW)):
            stored = [entry for entry in window if self._is_stored(entry)]
            batch = self._take_batch(stored)
            if batch:
                batch.ask([entry.blob for entry in stored])
            finished = False
            try:
                for entry in window:
                    if batch and self._is_stored(entry):
                        found = batch.take(entry.blob)
                        yield (
                            entry,
                            Skip(entry.path, "unreadable", found) if isinstance(found, str) else found,
                        )
                    else:
                        yield entry, self._read_disk(entry)
                finished = True
            finally:
                if batch and finished:
                    self._idle.append(batch)
                elif batch:
                    batch.close()  # answers that nobody took are still in its pipe

    def recent(self, commit: str | None, most: int) -> list[str]:
        """Ids of the newest commits that led to a commit, newest first, without merges; none for a plain folder."""
        return history.recent(self._repository, commit, most) if self._repository and commit else []

    def ancestors(self, most: int) -> list[tuple[str, tuple[str, ...]]]:
        """The newest commits that led to the ref, or to what is checked out, each with its parents, newest first.

        Merges are among them; none for a plain folder. Raises SourceError for a ref that there is not.
        """
        if self._repository is None:
            return []
        found = git.head(self._repository) if self._ref is None else git.resolve(self._repository, self._ref)
        return history.ancestors(self._repository, found.commit, most) if found.commit else []

    def commits(self, ids: Sequence[str]) -> Iterator[Commit]:
        """What commits did, in the order of their ids; those that cannot be read are left out."""
        return history.read(self._repository, ids) if self._repository else iter(())

    def grounds(self, apart: Collection[str] = ()) -> Grounds:
        """The folders that show what changes here, but for those that are `apart`. SourceError as `tree`."""
        return changes.grounds(self._disk, self._repository, self._limits, self.kind in ("bare", "clone"), apart)

    def state(self) -> str:
        """What git says that decides, besides the files themselves, what a tree without a ref holds."""
        return changes.state(self._repository)

    def matters(self, touched: Iterable[bytes], known: Mapping[str, str]) -> bool:
        """Whether paths that were added, written or removed change a work tree that is known as path -> blob id."""
        return changes.matters(self._disk, self._repository, self._limits, touched, known)

    def close(self) -> None:
        """End the git process that reads blobs."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _is_stored(self, entry: Entry) -> bool:
        """Whether an entry's bytes come from git rather than from disk."""
        return self._repository is not None and entry.path not in self._on_disk and not self._is_large(entry)

    def _is_large(self, entry: Entry) -> bool:
        return entry.size > self._limits.max_file_bytes

    def _take_batch(self, stored: list[Entry]) -> listing.Batch | None:
        if not stored or self._repository is None:
            return None
        return (
            self._idle.pop() if self._idle else listing.Batch(self._repository, self._limits.max_file_bytes)
        )

    def _read_disk(self, entry: Entry) -> bytes | Skip:
        if self._is_large(entry):
            return Skip(entry.path, "too large", human_size(entry.size))
        raw = self._disk.read(
            self._on_disk.get(entry.path, os.fsencode(entry.path)), self._limits.max_file_bytes
        )
        if isinstance(raw, Skip):
            return (
                raw
                if raw.reason == "unreadable"
                else Skip(entry.path, "vanished", raw.detail or f"now a {raw.reason}")
            )
        hash_name = self._repository.hash_name if self._repository else "sha1"
        if git.blob_id(raw, hash_name) != entry.blob:
            return Skip(entry.path, "vanished", "changed while it was read")
        return raw

    def _commit_tree(self, repository: git.Repository) -> Tree:
        found = git.head(repository) if self._ref is None else git.resolve(repository, self._ref)
        if found.commit is None:
            if known := ", ".join(git.branches(repository)):
                raise SourceError(
                    f"{self.location} has no branch {found.ref!r} yet: name a ref, such as {known}."
                )
            return Tree((), (), None, found.ref)
        listed = {
            item.path: item for item in listing.list_commit(repository, found.commit, self._limits.max_files)
        }
        rules = Rules(IgnoreRules(), Attributes())
        skips = add_rules(rules, self._read_rules(listed))
        kept, left_out = sift(sorted(listed), rules, self._limits)
        skips += left_out
        entries = []
        for path, raw in kept:
            entry = self._classify(path, listed[raw])
            if isinstance(entry, Entry):
                entries.append(entry)
            else:
                skips.append(entry)
        return worktree.finish(entries, skips, self._limits, found.commit, found.ref)

    def _classify(self, path: str, item: listing.Listed) -> Entry | Skip:
        if item.mode == listing.SUBMODULE:
            return Skip(path, "submodule", item.blob[:12])
        if item.mode == listing.SYMLINK:
            return Skip(path, "symlink")
        return worktree.entry_or_skip(path, item.blob, item.size, self._limits)

    def _read_rules(self, listed: dict[bytes, listing.Listed]) -> dict[bytes, bytes]:
        files = [listed[path] for path in rule_files(listed) if listed[path].mode.startswith(b"100")]
        asked = [Entry(decode_path(item.path), item.blob, item.size) for item in files]
        contents = zip(files, self.read(asked), strict=True)
        return {item.path: raw for item, (_, raw) in contents if isinstance(raw, bytes)}


def open_source(
    location: str, *, ref: str | None, limits: Limits, mirrors: Path, access: Access = LOCAL_USER,
    tick: Callable[[], object] = int,
) -> Source:  # fmt: skip
    """The source at a path (a work tree or a folder in one, a plain folder, a bare repository) or clone URL.

    A URL is cloned into `mirrors`, or its mirror there is brought up to date. Without `ref` a work
    tree is taken as it stands, with its uncommitted changes, and any other repository at its HEAD.
    `access` governs URLs alone: who may name a path, the caller decides. `tick` is called now and then
    while a server is waited for; what it raises ends that.

    Raises:
        UsageError: the URL or the ref is not one that is allowed.
        SourceError: there is no folder or repository, or git cannot read it.
        RefusedError: the clone is too large, or its server is not one that `access` allows.
        BackendError: the server cannot be reached, wants another login, or is too slow.
    """
    if ref is not None:
        git.check_ref(ref)
    if clone.is_url(location):
        root = clone.mirror(location, mirrors, limits, access, tick)
        return Source(location, "clone", clone.stem(location), str(root), ref, limits)
    kind, root_path = _find(location)
    if kind == "folder" and ref is not None:
        raise UsageError(f"{root_path} is not a git repository, so it has no ref {ref!r}: leave the ref out.")
    return Source(shown_path(root_path), kind, os.path.basename(root_path), root_path, ref, limits)


def holds(location: str, mirrors: Path, identity: str) -> bool:
    """Whether the repository at a location has an object, a URL's as of when it was last fetched.

    A plain folder has none that could be missing.
    """
    if clone.is_url(location):
        return git.holds(str(clone.folder(location, mirrors)), identity)
    kind, top = _find(location)
    return kind == "folder" or git.holds(top, identity)


def shown_path(path: str) -> str:
    """A path of the file system as valid text: bytes that are not UTF-8 become `\\xNN`."""
    return decode_path(os.fsencode(path))


def source_top(location: str) -> str | None:
    """The folder whose settings govern a location; None for a clone URL. Raises as `open_source`."""
    return None if clone.is_url(location) else _find(location)[1]


def check_extent(location: str, home: str = "your home folder") -> None:
    """Raises RefusedError for a home folder, what holds it, or all of the machine, that is no git repository."""
    top, own = source_top(location), os.path.realpath(os.path.expanduser("~"))
    extents = {**{str(folder): f"a folder that holds {home}" for folder in Path(own).parents}, own: home}
    extents["/"] = "the whole machine"
    if top in extents and not os.path.lexists(os.path.join(top, ".git")):
        raise RefusedError(
            f"{shown_path(top)} is {extents[top]} and no git repository: index a folder in it, or run `git init` there "
            "if you mean all of it"
        )


def _find(location: str) -> tuple[Kind, str]:
    """What stands at a path, and where its top is.

    A folder within a work tree stands for the whole work tree, unless git ignores it or tracks nothing in
    it: then it is a plain folder (`.venv`, a vendored copy, an experiment).
    """
    if not location or "\0" in location:
        raise UsageError("The location is empty or holds a NUL character: give a path or a clone URL.")
    try:
        path = os.path.realpath(os.path.expanduser(location))
        present, is_folder = os.path.lexists(path), os.path.isdir(path)
        os.stat(path)
    except FileNotFoundError:
        present = is_folder = False
    except OSError as error:
        raise SourceError(f"{location[:200]!r} cannot be read: {error.strerror}.") from error
    if not is_folder:
        if re.match(r"[A-Za-z]:[\\/]", location):
            inside = f"/mnt/{location[0].lower()}/" + location[3:].replace("\\", "/")
            raise SourceError(f"{location[:200]} is a path of Windows: under WSL it is {inside[:200]}.")
        what = "is a file, not a folder" if present else "does not exist"
        raise SourceError(f"{path} {what}: give a folder, a repository or a clone URL.")
    if os.path.basename(path) != ".git" and _is_git_folder(path):
        return "bare", path
    top = path
    while True:
        inner = os.path.join(top, ".git")
        if os.path.isfile(inner) or os.path.lexists(os.path.join(inner, "HEAD")):
            whole = top == path or os.path.basename(path) == ".git" or listing.tracks(top, os.path.relpath(path, top))
            return ("worktree", top) if whole else ("folder", path)
        if top == os.path.dirname(top):
            return "folder", path
        top = os.path.dirname(top)


def _is_git_folder(path: str) -> bool:
    return os.path.isfile(os.path.join(path, "HEAD")) and all(
        os.path.isdir(os.path.join(path, name)) for name in ("objects", "refs")
    )


def default_name(stem: str) -> str:
    """A repository name made from the last component of a path or URL: letters, digits, ".", "_" and "-"."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem.removesuffix(".git")).strip(".-")[:100]
    return name or "repository"
