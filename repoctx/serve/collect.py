"""What does nothing point at any more, how much room does it take, and how is it removed while others work?

Rows are removed by whoever holds `locks.sweeping`, files of a repository's index under its folder's lock. Everything
removed can be made again, from the repository or from what is left; so whoever is killed here leaves an index that
answers as before, and garbage that the next sweep finds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from repoctx import embedding, ingest
from repoctx.errors import BusyError, RepoctxError
from repoctx.index.embed import chunk_id, path_text
from repoctx.parse.version import parser_version
from repoctx.source import clone, urls
from repoctx.store import commits, facts, garbage, locks, segments, snapshots, vectors
from repoctx.store.columns import read, strings
from repoctx.store.connect import errors
from repoctx.store.garbage import Dead, Live
from repoctx.store.payload import key_bytes
from repoctx.store.snapshots import Repository
from repoctx.types import Progress
from repoctx.workspace import Workspace, silent

# A clone or a temporary file that was touched later is left alone: somebody may be at work on it. In seconds.
UNTOUCHED = 86_400.0
# How long a worker waits for index runs, while pushes wait for it. In seconds.
DAILY_WAIT = 5.0
# Folders that commands make for themselves, and leave when they are killed.
TEMPORARY = ("repoctx-history-", "repoctx-replay-")

# What people call the rows of a table.
NAMES = {"facts": "facts", "blobs": "texts", "commits": "commits", "vectors": "vectors"}

Show = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed of a kind, or would be."""

    what: str
    count: int
    bytes: int


def collect(
    workspace: Workspace, *, dry_run: bool = False, wait: float = 30.0, spared: float = snapshots.SPARED,
    thorough: bool = True, show: Show = silent,
) -> Iterator[Removed]:  # fmt: skip
    """Remove what nothing points at, kind by kind. With `dry_run` nothing is.

    What was dropped less than `spared` seconds ago stays: whoever reads it goes on. `thorough` also removes facts of
    other versions of repoctx once this one's are there, and gives the free pages of a SQLite file back, which takes
    as long as to write it. Raises BusyError, after all else is done, if content is being added for longer than
    `wait` seconds.
    """
    yield clones(workspace, dry_run)
    yield temporary(workspace, dry_run)
    with errors(workspace.engine):
        yield from rows_and_files(workspace, dry_run, wait, spared, thorough, show)


def daily(workspace: Workspace, wait: float = DAILY_WAIT) -> list[Removed]:
    """What a worker may do by itself: no push waits for it for longer than some seconds, and machines of another
    version go on. What cannot be done now is done the next day."""
    found: list[Removed] = []
    with suppress(BusyError):
        found.extend(collect(workspace, wait=wait, thorough=False))
    return [one for one in found if one.count]


def files(workspace: Workspace) -> list[Removed]:
    """What a service without workers may do by itself: the files of its own home, which no worker sweeps. Nobody waits
    for it, for all of them may be removed at any time."""
    found = [clones(workspace, False), temporary(workspace, False)]
    with errors(workspace.engine):
        removed, lacking = index_files(workspace, False, silent)
        restore(workspace, lacking, silent)
    return [one for one in (*found, removed) if one.count]


# --- the database ------------------------------------------------------------------------------


def rows_and_files(
    workspace: Workspace, dry_run: bool, wait: float, spared: float, thorough: bool, show: Show
) -> Iterator[Removed]:
    """Snapshots, then what only they held, then files of indexes."""
    engine = workspace.engine
    live = Live()
    show(Progress("look", 0, 0))
    yield loose(engine, dry_run, spared, live)
    with engine.connect() as connection:
        stored, answering, awaited = garbage.stored_models(connection)
    asked = bool(stored) and not awaited  # what is made for a model whose name is not known yet is not touched
    texts = look(engine, live, asked and bool(stored & answering))
    if dry_run:
        found = dead_rows(engine, live, texts, answering if asked else None, thorough)
        yield from (Removed(NAMES[dead.table.name], len(dead.keys), dead.bytes) for dead in found)
        yield index_files(workspace, True, show)[0]
        return
    waiting = lambda: show(Progress("wait for index runs", 0, 0))  # noqa: E731
    with locks.sweeping(engine, Path(workspace.settings.home), wait, waiting):
        texts |= look(engine, live, asked and bool(stored & answering))  # what was published meanwhile
        with engine.connect() as connection:
            _, answering, awaited = garbage.stored_models(connection)
        for dead in dead_rows(engine, live, texts, answering if asked and not awaited else None, thorough):
            step = counting(show, f"remove {NAMES[dead.table.name]}", len(dead.keys))
            garbage.remove(engine, dead, step)
            yield Removed(NAMES[dead.table.name], len(dead.keys), dead.bytes)
        removed, lacking = index_files(workspace, False, show)
        yield removed
        if thorough:
            show(Progress("compact", 0, 0))
            yield Removed("free pages", 0, garbage.compact(engine))
    restore(workspace, lacking, show)


def loose(engine: sa.Engine, dry_run: bool, spared: float, live: Live) -> Removed:
    """Snapshots that nothing holds, and those that were spared for long enough; what they hold is not live."""
    before = time.time() - spared
    with engine.connect() as connection:
        lost, old = snapshots.loose(connection), snapshots.spared(connection, before)
    if dry_run:
        live.snapshots.update(lost, old)
        return Removed("snapshots", len(lost) + len(old), sum(old.values()))
    for identity in lost:
        snapshots.forget(engine, identity)
    snapshots.clear_dropped(engine, before)
    return Removed("snapshots", len(lost) + len(old), sum(old.values()))


def look(engine: sa.Engine, live: Live, wanted: bool) -> set[str]:
    """Add to what is live what the snapshots hold that were not looked at yet; if `wanted`, the ids of its texts."""
    ids: set[str] = set()
    with engine.connect() as connection:
        new = garbage.look(connection, live)
        if wanted:
            for _, found in facts.read(connection, garbage.keys_of(new, parser_version)):
                ids.update(identity for identity, _ in embedding.texts(found))
            ids.update(chunk_id("path", path_text(path)) for path in new.paths)
    return ids


def dead_rows(
    engine: sa.Engine, live: Live, texts: set[str], answering: set[str] | None, thorough: bool
) -> Iterator[Dead]:
    """What nothing needs, in the order in which it may be removed: whoever dies in between leaves no facts without
    their text. No vectors where it is not known which `answering` models need them.
    """
    with engine.connect() as connection:
        gone = garbage.dead_facts(connection, live, parser_version, others=thorough)
        lost = garbage.dead_blobs(connection, gone)
        unled = garbage.dead_commits(connection)
        unneeded = None if answering is None else garbage.dead_vectors(connection, texts, answering)
    yield from (dead for dead in (gone, lost, unled, unneeded) if dead is not None)


def counting(show: Show, stage: str, total: int) -> Callable[[], None]:
    """What shows that so many more rows are gone, each time it is called."""
    done = 0

    def step() -> None:
        nonlocal done
        done = min(total, done + garbage.REMOVED)
        show(Progress(stage, done, total, "rows"))

    return step


# --- files -------------------------------------------------------------------------------------


def index_files(workspace: Workspace, dry_run: bool, show: Show) -> tuple[Removed, list[Repository]]:
    """Files of indexes that are not needed, and the repositories that have lost rows with them which are to be laid
    out again."""
    # Before the repositories are looked up: the folder of one that is new is not taken for one of nobody.
    folders = sorted(path for path in (Path(workspace.settings.home) / "segments").glob("*") if path.is_dir())
    with workspace.engine.connect() as connection:
        known = {workspace.place(one).folder.name: one for one in snapshots.all_repositories(connection)}
    found, lacking = [], []
    for number, folder in enumerate(folders, 1):
        show(Progress("files", number, len(folders), "indexes"))
        repository = known.get(folder.name)
        if repository is None:
            found.append(removed("index files", [folder], dry_run))
            continue
        with segments.locked(folder):
            useless, mixed = files_of(workspace, repository)
            found.append(removed("index files", [*useless, *mixed], dry_run))
        if mixed:
            lacking.append(repository)
    return Removed("index files", sum(one.count for one in found), sum(one.bytes for one in found)), lacking


def files_of(workspace: Workspace, repository: Repository) -> tuple[list[Path], list[Path]]:
    """Files of a repository's index that nothing needs, and segments more than half of whose rows nothing needs."""
    place = workspace.place(repository)
    keys: set[bytes] = set()
    paths: set[bytes] = set()
    kept: set[Path] = {place.folder / "lock"}
    with workspace.engine.connect() as connection:
        every = snapshots.all_refs(connection, repository)
        for ref in every:
            members = snapshots.members(connection, ref, parser_version) or []
            keys.update(key_bytes(member.key) for member in members)
            paths.update(member.path.encode() for member in members)
            led = dict.fromkeys(commits.history(connection, ref))
            stored = commits.known(connection, led)
            kept.add(ingest.links_file(place, ref.snapshot, members))
            kept.add(ingest.past_file(place, ref.snapshot, members, [one for one in led if one in stored]))
    kinds = {segments.PREFIX: keys}
    for model in {ref.embedding_model for ref in every if ref.embedding_model}:
        kinds |= {vectors.prefix(model): keys, vectors.prefix(vectors.paths(model)): paths}
    if any(ref.pending for ref in every):
        kinds["vectors-"] = keys | paths  # of a model whose name is not known yet: what is needed, as far as keys tell
    useless, mixed = [], []
    for path in sorted(place.folder.iterdir()):
        needed = next((held for prefix, held in kinds.items() if path.name.startswith(prefix)), None)
        share = 0.0 if needed is None else live_share(path, needed)
        if path not in kept and share == 0.0:
            useless.append(path)
        elif path not in kept and share < 0.5:
            mixed.append(path)
    return useless, mixed


def live_share(path: Path, needed: set[bytes]) -> float:
    """Which share of a segment's rows is needed; none of a file that is damaged."""
    try:
        columns = read(path)
        held = strings(columns, "keys")
        rows = np.diff(columns["chunk.offset"])
    except (OSError, ValueError, KeyError):
        return 0.0
    live = np.fromiter((key in needed for key in held), bool, len(held))
    return float(rows[live].sum() + live.sum()) / max(1.0, float(rows.sum() + len(held)))


def restore(workspace: Workspace, lacking: Sequence[Repository], show: Show) -> None:
    """Lay out again what the removed segments held and refs need; what is left undone the next reader does."""
    for number, repository in enumerate(lacking, 1):
        show(Progress("lay out", number, len(lacking), "indexes"))
        place = workspace.place(repository)
        with workspace.engine.connect() as connection:
            every = snapshots.all_refs(connection, repository)
            held = [(ref, snapshots.members(connection, ref, parser_version)) for ref in every]
        for ref, members in held:
            with suppress(RepoctxError):  # it was removed meanwhile, or its model is gone
                seen = ingest.open_view(place, members or [])
                embedder = workspace.embedder(ref.embedding) if ref.embedding else None
                if embedder is not None:
                    embedding.restore(place, seen.members, embedder, seen.segments)


def clones(workspace: Workspace, dry_run: bool) -> Removed:
    """Mirrors of repositories that were removed, and what clones that were killed left."""
    with errors(workspace.engine), workspace.engine.connect() as connection:
        locations = [one.location for one in snapshots.all_repositories(connection)]
    unused = clone.unused(workspace.mirrors, [one for one in locations if urls.is_url(one)], time.time() - UNTOUCHED)
    found = removed("clones", unused, True)
    for path in () if dry_run else unused:
        clone.discard(path)
    return found


def temporary(workspace: Workspace, dry_run: bool) -> Removed:
    """What commands that were killed left in folders for temporary files: ours, and old."""
    before = time.time() - UNTOUCHED
    places = [path for prefix in TEMPORARY for path in Path(tempfile.gettempdir()).glob(f"{prefix}*")]
    places += (Path(workspace.settings.home) / "weights").glob("*.tmp")
    found = []
    for path in sorted(places):
        with suppress(OSError):
            about = path.lstat()
            if about.st_uid == os.getuid() and not path.is_symlink() and about.st_mtime < before:
                found.append(path)
    return removed("temporary files", found, dry_run)


def removed(what: str, paths: Sequence[Path], dry_run: bool) -> Removed:
    """Remove files and folders, unless it is a dry run: how many files, and their bytes."""
    count = size = 0
    for path in paths:
        inside = [path] if path.is_file() else [Path(where, name) for where, _, held in os.walk(path) for name in held]
        for file in inside:
            with suppress(OSError):
                size += file.lstat().st_size
                count += 1
        if not dry_run and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif not dry_run:
            path.unlink(missing_ok=True)
    return Removed(what, count, size)
