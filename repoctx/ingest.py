"""The write recipe: tree -> missing blobs -> facts -> segments -> links -> vectors -> publish.

Every step before the last only adds what is addressed by content, so a run may stop anywhere and be
started again. The ref moves last, in one transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from repoctx.derive import Derived, Document, columns
from repoctx.embedding import Chosen, settle
from repoctx.errors import RepoctxError
from repoctx.graph.link import link
from repoctx.index import history
from repoctx.index.embed import Embedder, instant, leaves
from repoctx.index.history import Past
from repoctx.parse.languages import by_path, styles
from repoctx.parse.version import parser_version
from repoctx.source import Source
from repoctx.store import columns as column_files
from repoctx.store import commits, facts, segments, snapshots
from repoctx.store.columns import Columns, concatenate
from repoctx.store.locks import Publishing
from repoctx.store.payload import Key, skip_from
from repoctx.store.segments import Place
from repoctx.store.snapshots import Member, Ref, Repository
from repoctx.store.view import View, missing, view
from repoctx.types import Edges, Entry, Progress, Report, Skip, Tree

Show = Callable[[Progress], None]
# Derives blobs, so many bytes in all, wherever that is done; the results come as they are ready.
Derive = Callable[[Iterator[tuple[Key, bytes]], int], Generator[Derived]]
Opened = TypeVar("Opened")

# Scans before files that change under the scanner are left out of the snapshot.
SCANS = 3
# Blobs whose facts are in memory at a time when segments are derived again.
REBUILD_BATCH = 200
# Part of the links' file name: raise it when linking changes. The same for what the commits did.
LINKS, PAST = 3, 1
# Commits that are stored at a time.
COMMITS = 250


class Published(NamedTuple):
    """What an index run did, and what kept the wanted embedding model from answering, if anything did."""

    report: Report
    failure: RepoctxError | None = None


def ingest(
    place: Place,
    repository: Repository,
    source: Source,
    *,
    default: bool,
    derive: Derive,
    most_commits: int,
    wanted: Chosen | None,
    load: Callable[[str], Embedder | None],
    show: Show,
    publishing: Publishing,
) -> Published:
    """Index what the source holds now and point its ref at it. The caller holds the writer's lock, which gives
    `publishing`, the transaction in which a ref is moved.

    `default` also makes the ref the repository's default one. `wanted` is the embedding model that shall
    answer, `load` gives the embedder of a setting, `derive` parses. Of the history the newest `most_commits` are kept.
    """
    started = time.monotonic()
    parsed = 0
    fresh: list[Columns] = []
    for scan in range(SCANS):
        show(Progress("scan", 0, 0))
        tree = source.tree()
        keys = {
            entry.path: Key(entry.blob, by_path(entry.path), parser_version(by_path(entry.path)))
            for entry in tree.entries
        }
        recent = source.recent(tree.commit, most_commits)
        stamp = tree_stamp(tree, keys, recent)
        with place.engine.connect() as connection:
            before = snapshots.ref(connection, repository, tree.ref)
        if before is not None and before.tree == stamp and waits_or_answers(before, wanted):
            if default and repository.default_ref != tree.ref:
                with place.engine.begin() as connection:
                    snapshots.set_default(connection, repository, tree.ref)
            if before.report.get("parsers") != parsers(keys):
                with place.engine.begin() as connection:
                    snapshots.set_report(connection, before, {**before.report, "parsers": parsers(keys)})
            told = {name: before.report[name] for name in Report.__slots__ if name in before.report}
            told |= {"parsed": 0, "seconds": round(time.monotonic() - started, 3), "changed": False}
            told |= {"embedding": before.embedding_model, "pending": before.pending}
            return Published(Report(**told))
        known, vanished, made = parse_missing(place, tree, keys, source, derive, show)
        parsed += made.blobs
        if made.columns is not None and 2 * made.blobs < len(tree.entries):
            fresh.append(made.columns)  # of a push; those of a first run would only fill the memory
        if not vanished or scan == SCANS - 1:
            break
    read_commits(place, source, recent, show)
    members, left_out = usable(tree, keys, known, vanished)
    snapshot = snapshots.snapshot_id(members)
    stamp = "" if vanished else stamp  # what could not be read is looked for again
    show(Progress("link", 0, 0))
    seen = open_view(place, members)
    edges = open_links(place, snapshot, seen)
    settled = settle(place, before, wanted, load, members, [*fresh, *seen.segments], show)
    report = Report(
        repository=repository.name,
        ref=tree.ref,
        commit=tree.commit,
        snapshot=snapshot,
        files=len(members),
        parsed=parsed,
        skips=dict(sorted(Counter(skip.reason for skip in left_out).items())),
        symbols=len(seen.occurrences.symbol_file),
        references=len(seen.occurrences.reference_file),
        edges=len(edges.kind),
        chunks=len(seen.chunks.file),
        bytes=sum(entry.size for entry in tree.entries),
        tokens=int(seen.tokens.sum()),
        languages=dict(sorted(Counter(seen.languages).items())),
        embedding=settled.model,
        pending=settled.pending,
    )
    report = replace(report, seconds=round(time.monotonic() - started, 3))
    moved = Ref(
        repository.id, tree.ref, snapshot, tree.commit, tree.dirty, stamp,
        {**asdict(report), "parsers": parsers(keys)},
        datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        settled.embedding, settled.model, settled.pending,
    )  # fmt: skip
    with publishing() as connection:
        before_it = snapshots.publish(connection, repository, moved, members, left_out, default, before)
        if tree.commit is not None:
            registered = snapshots.repository(connection, repository.name)
            commits.set_history(connection, registered.id, tree.ref, tree.commit, recent)
    if before_it is not None:
        snapshots.forget(place.engine, before_it)
    return Published(report, settled.failure)


def parsers(keys: Mapping[str, Key]) -> dict[str, str]:
    """Language -> version of the parser, of all that a snapshot was made with: `renewal` compares them."""
    return dict(sorted({(key.language, key.version) for key in keys.values()}))


def waits_or_answers(before: Ref, wanted: Chosen | None) -> bool:
    """Whether the wanted embedding model answers for a ref already, or its vectors are being made."""
    if wanted is None:
        return before.embedding is None and before.pending is None
    if before.pending is not None:
        return before.pending == wanted.setting
    return (before.embedding, before.embedding_model) == (wanted.setting, wanted.embedder.model)


def tree_stamp(tree: Tree, keys: dict[str, Key], recent: Sequence[str]) -> str:
    """Hash of all that decides an index but the embedding model: what was scanned, its history, parser versions."""
    facts_of_tree = [tree.commit, tree.dirty, tree.skips, list(keys.items()), LINKS, recent, commits.VERSION]
    return hashlib.sha256(json.dumps(facts_of_tree).encode()).hexdigest()


def read_commits(place: Place, source: Source, ids: Sequence[str], show: Show) -> None:
    """Store the commits that are not stored yet."""
    with place.engine.connect() as connection:
        known = commits.known(connection, ids)
    lacking = [identity for identity in ids if identity not in known]
    if not lacking:
        return
    done = 0
    show(Progress("history", 0, len(lacking), "commits"))
    for batch in facts.batches(source.commits(lacking), COMMITS):
        with place.engine.begin() as connection:
            commits.add(connection, batch)
        done += len(batch)
        show(Progress("history", done, len(lacking), "commits"))


class Made(NamedTuple):
    """What parsing has added."""

    blobs: int
    columns: Columns | None


def parse_missing(
    place: Place, tree: Tree, keys: dict[str, Key], source: Source, derive: Derive, show: Show
) -> tuple[dict[Key, str | None], dict[str, Skip], Made]:
    """Parse and store the blobs that have no facts yet.

    What is known now (key -> its skip, None: it has facts), what could not be read, and what is new.
    """
    with place.engine.connect() as connection:
        known = facts.known(connection, list(keys.values()))
    todo: dict[Key, Entry] = {}
    for entry in tree.entries:
        if keys[entry.path] not in known:
            todo.setdefault(keys[entry.path], entry)
    if not todo:
        return known, {}, Made(0, None)
    by_entry = {entry.path: key for key, entry in todo.items()}
    vanished: dict[str, Skip] = {}

    def blobs() -> Iterator[tuple[Key, bytes]]:
        for entry, raw in source.read(todo.values()):
            if isinstance(raw, Skip):
                vanished[entry.path] = raw
            else:
                yield by_entry[entry.path], raw

    done = 0
    pieces = []
    show(Progress("parse", 0, len(todo)))
    with contextlib.closing(derive(blobs(), sum(e.size for e in todo.values()))) as results:
        for derived in results:
            with place.engine.begin() as connection:
                facts.add(connection, derived.rows)
            known.update((row.key, row.skip) for row in derived.rows)
            for key, skip in derived.failed:
                vanished[todo[key].path] = skip._replace(path=todo[key].path)
            if derived.columns is not None:
                pieces.append(derived.columns)
            done += len(derived.rows) + len(derived.failed)
            show(Progress("parse", done, len(todo)))
    added = concatenate(pieces) if pieces else None
    if added is not None:
        segments.append(place.folder, added)
    return known, vanished, Made(done, added)


def usable(
    tree: Tree, keys: dict[str, Key], known: dict[Key, str | None], vanished: dict[str, Skip]
) -> tuple[list[Member], list[Skip]]:
    """The files that have facts, and everything that is left out, both by path."""
    members, left_out = [], list(tree.skips)
    for entry in tree.entries:
        key = keys[entry.path]
        if key not in known:
            left_out.append(vanished.get(entry.path, Skip(entry.path, "vanished", "changed while it was read")))
        elif (skip := known[key]) is not None:
            left_out.append(skip_from(entry.path, skip))
        else:
            members.append(Member(entry.path, key))
    return members, sorted(left_out)


# --- what readers need too ---------------------------------------------------------------------


def open_view(place: Place, members: Sequence[Member]) -> View:
    """The view of a snapshot; what no segment covers is derived again from the database."""
    present = segments.load(place.folder)
    lacking = missing(members, present)
    if lacking:
        made = derived_again(place, lacking)
        with contextlib.suppress(OSError):
            segments.append(place.folder, made)
        present = [*present, made]  # not read again: another process may be merging
    return view(members, present)


def derived_again(place: Place, keys: Sequence[Key]) -> Columns:
    """The columns of blobs whose facts are in the database, a few at a time to bound memory."""
    parts = []
    found = 0
    with place.engine.connect() as connection:
        for batch in facts.batches(facts.read(connection, keys), REBUILD_BATCH):
            documents = [Document(key, p.text.encode(), p.facts, p.line_tokens) for key, p in batch]
            found += len(documents)
            parts.append(columns(documents))
    if found < len(set(keys)):
        raise RepoctxError("the index was made by another version of repoctx: run `repoctx index` again")
    return concatenate(parts)


def open_links(place: Place, snapshot: str, seen: View) -> Edges:
    """The edges of a snapshot, from its links file or linked anew."""

    def make() -> Columns:
        edges = link(seen.occurrences, styles())
        return {name: getattr(edges, name) for name in Edges.__slots__}

    return derived(place, links_file(place, snapshot, seen.members), make, lambda columns: Edges(**columns))


def open_past(place: Place, snapshot: str, recent: Sequence[str], seen: View) -> Past | None:
    """What the commits that led to a snapshot did to it, from its file or derived anew; None if there are none."""
    if not recent:
        return None
    with place.engine.connect() as connection:
        found = commits.read(connection, recent)

    def make() -> Columns:
        paths, chunks = [member.path for member in seen.members], seen.chunks
        return history.build(list(found.values()), paths, seen.lines, chunks.file_offset, chunks.start_line)

    return derived(place, past_file(place, snapshot, seen.members, list(found)), make, history.opened)


def links_file(place: Place, snapshot: str, members: Sequence[Member]) -> Path:
    """Where the edges of a snapshot are kept."""
    return _file(place, f"links-{LINKS}", (snapshot, sorted({member.key.version for member in members})))


def past_file(place: Place, snapshot: str, members: Sequence[Member], found: list[str]) -> Path:
    """Where it is kept what the commits that led to a snapshot did; `found` are those that are stored."""
    return _file(place, f"past-{PAST}", (snapshot, sorted({member.key.version for member in members}), found))


def _file(place: Place, kind: str, known_by: tuple[object, ...]) -> Path:
    digest = hashlib.sha256(repr(known_by).encode()).hexdigest()[:24]
    return place.folder / f"{kind}-{digest}.columns"


def derived(place: Place, path: Path, make: Callable[[], Columns], opened: Callable[[Columns], Opened]) -> Opened:
    """What opens from columns that follow from what they are known by: those of their file, or made and kept in it."""
    try:
        return opened(column_files.read(path))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        columns = make()
        with contextlib.suppress(OSError), segments.locked(place.folder):  # a reader may have no right, or no room
            column_files.write(path, columns)
            keep_newest(place.folder, f"{path.name.partition('-')[0]}-*.columns")
        return opened(columns)


# Files of links, and of pasts, kept per repository: those of the snapshots its refs point at most recently.
KEPT = 16


def keep_newest(folder: Path, pattern: str) -> None:
    """Remove all but the newest files of a kind; they can be derived again."""
    for path in sorted(folder.glob(pattern), key=lambda p: (p.stat().st_mtime_ns, p.name))[:-KEPT]:
        path.unlink(missing_ok=True)


# --- before an index run -----------------------------------------------------------------------

# What full indexing costs: source bytes per CPU second, and seconds for starting up.
# Measured on the Python standard library and django (tests/bench).
BYTES_PER_SECOND, START_SECONDS = 1_500_000, 1.0
# Source bytes per Qwen token: 3.1 (C++) to 4.7 (Python) were measured; this errs towards more tokens.
BYTES_PER_TOKEN = 3.7
# Source bytes per chunk: 620 to 830 in 18 of 20 repositories in as many languages.
BYTES_PER_CHUNK = 720
# CPU seconds a chunk through a small transformer (all-MiniLM-L6-v2, 256 tokens, torch on one core): 0.086 to
# 0.115 were measured. `repoctx doctor --embedding` measures a model on its machine.
SECONDS_PER_CHUNK = 0.1


class Estimate(NamedTuple):
    """What an index run would do."""

    files: int
    bytes: int
    tokens: int  # an estimate: nothing has been read
    languages: dict[str, int]
    skips: list[Skip]
    seconds: float  # CPU seconds on one core for a first index, an estimate
    embedding: str  # the setting
    chunks: int  # an estimate
    embedding_seconds: float  # CPU seconds for their vectors, if the model is slow and runs here
    embedding_requests: int  # requests for them, if a server embeds


def estimate(tree: Tree, embedding: str) -> Estimate:
    """Say what indexing a tree with an embedding model would do, from names and sizes alone."""
    from repoctx.index.remote import MOST_TEXTS

    size = sum(entry.size for entry in tree.entries)
    chunks = size // BYTES_PER_CHUNK + len(tree.entries)
    remote = leaves(embedding)
    slow = not (remote or embedding == "none" or instant(embedding))
    return Estimate(
        len(tree.entries),
        size,
        int(size / BYTES_PER_TOKEN),
        dict(sorted(Counter(by_path(entry.path).replace("auto", "by content") for entry in tree.entries).items())),
        list(tree.skips),
        round(START_SECONDS + size / BYTES_PER_SECOND, 1),
        embedding,
        chunks,
        round(chunks * SECONDS_PER_CHUNK, 1) if slow else 0.0,
        -(-chunks // MOST_TEXTS) if remote else 0,
    )
