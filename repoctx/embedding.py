"""Whose vectors does a snapshot have, and how are those made that it lacks?

The built-in model's vectors follow from the postings. Those of other models are made from texts, kept in
the database as they are made, and found again there. A slow model's vectors are made while another model
answers: `settle` says which one when a ref moves, `finish` makes the vectors and lets their model answer.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from repoctx.errors import BackendError, RepoctxError, UsageError
from repoctx.index.codes import codes
from repoctx.index.embed import PROBE, Embedder, chunk_id, chunk_text, instant, path_text
from repoctx.parse.version import parser_version
from repoctx.spans import ranges
from repoctx.store import facts, segments, snapshots, vectors
from repoctx.store.columns import Columns, covered, spans, strings
from repoctx.store.locks import Publishing
from repoctx.store.payload import Key, Parsed, key_bytes
from repoctx.store.segments import Place
from repoctx.store.snapshots import Member, Ref, Repository
from repoctx.types import Codes, Progress

Show = Callable[[Progress], None]
# Texts, each with the id that its vector is kept by.
Batch = list[tuple[str, str]]

# Texts per call of a model; their vectors are stored before the next call. A small transformer on one
# core needs some 20 s for so many, a server gets several requests' worth at once.
BATCH = 256
# Characters of text in memory at a time; the texts among them are embedded by length, so that a batch is
# padded little.
WINDOW = 32_000_000
# A push waits for so many texts of a slow model, some 40 s of a small transformer on one core. What is
# more is made after it is published.
BEFORE_PUBLISH = 500
# Vectors that follow from postings are made so many at a time: 67 MB of 256 dimensions.
AT_ONCE = 1 << 16
# Times that vectors are looked for before a reader does without them: whoever makes them finds them the second time.
LOOKS = 20
# The built-in model: it answers where a slow one does not yet.
BUILT_IN = "static"


class Chosen(NamedTuple):
    """An embedding model, and the setting that loads it."""

    setting: str
    embedder: Embedder


class Settled(NamedTuple):
    """What a ref says of its vectors, and why the wanted model's are not there, if its making failed."""

    embedding: str | None = None
    model: str | None = None
    pending: str | None = None
    failure: RepoctxError | None = None


def settle(
    place: Place,
    before: Ref | None,
    wanted: Chosen | None,
    load: Callable[[str], Embedder | None],
    members: Sequence[Member],
    parts: Sequence[Columns],
    show: Show,
) -> Settled:
    """See to it that some model can answer for a snapshot that is about to be published.

    That is the wanted one if its vectors can be had at once; else the one that answers now, or the built-in
    one, and the wanted one is pending. `load` gives the embedder of a setting, `parts` hold the facts.
    """
    if wanted is None:
        return Settled()
    failure = None
    try:
        answers = before is not None and before.embedding_model == wanted.embedder.model
        gap = _gap(place, wanted, members, BEFORE_PUBLISH if answers else 0)
        if gap is not None:
            fill(place, gap, wanted.embedder, parts, show)
            return Settled(wanted.setting, wanted.embedder.model)
    except (BackendError, UsageError) as error:
        if instant(wanted.setting):
            raise
        failure = error
    for setting in dict.fromkeys([before.embedding if before else None, BUILT_IN]):
        if setting is None or setting == wanted.setting:
            continue
        try:
            other = load(setting)
            if other is None or not (instant(setting) or _works(before, other)):
                continue
            gap = _gap(place, Chosen(setting, other), members, BEFORE_PUBLISH)
            if gap is not None:
                fill(place, gap, other, parts, show)
                return Settled(setting, other.model, wanted.setting, failure)
        except (BackendError, UsageError):
            continue
    return Settled(pending=wanted.setting, failure=failure)


def _gap(place: Place, chosen: Chosen, members: Sequence[Member], most: int) -> Gap | None:
    """What a snapshot lacks, if it can be had before publishing: of a slow model, so many texts at most."""
    if not instant(chosen.setting):
        present = covered(vectors.load(place.folder, chosen.embedder.model))
        if len({member.key for member in members if key_bytes(member.key) not in present}) > BEFORE_PUBLISH:
            return None  # its texts are not even read
    gap = look(place, members, chosen.embedder)
    return gap if instant(chosen.setting) or len(gap.todo) <= most else None


def _works(before: Ref | None, other: Embedder) -> bool:
    """Whether the slow model that a ref has can go on answering. Raises what the embedder raises."""
    if before is None or before.embedding_model != other.model:
        return False
    other.query(PROBE)
    return True


# --- what is lacking ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gap:
    """What of a snapshot no vector segment of a model holds."""

    blobs: Mapping[Key, Sequence[str]]  # the ids of its chunks' texts; none where vectors follow from postings
    paths: Mapping[str, str]  # the id of its text
    sizes: Mapping[Key, int]  # characters of text
    todo: frozenset[str]  # ids that have no vector in the database either


class Held(NamedTuple):
    """The vector segments of a model, of chunks and of paths."""

    chunks: list[Columns]
    paths: list[Columns]


def held(place: Place, model: str) -> Held:
    """The vector segments that there are now."""
    return Held(vectors.load(place.folder, model), vectors.load(place.folder, vectors.paths(model)))


def look(place: Place, members: Sequence[Member], embedder: Embedder, have: Held | None = None) -> Gap:
    """What a snapshot lacks, in some segments or those that there are. No model is asked."""
    model = embedder.model
    have = have or held(place, model)
    present = covered(have.chunks)
    keys = sorted({member.key for member in members if key_bytes(member.key) not in present})
    present = covered(have.paths)
    paths = sorted({member.path for member in members if member.path.encode() not in present})
    path_ids = {path: chunk_id("path", path_text(path)) for path in paths}
    if follows(embedder):
        return Gap(dict.fromkeys(keys, ()), path_ids, {}, frozenset())
    blobs: dict[Key, Sequence[str]] = {}
    sizes: dict[Key, int] = {}
    with place.engine.connect() as connection:
        for key, found in facts.read(connection, keys):
            blobs[key] = [i for i, _ in texts(found)]
            sizes[key] = len(found.text)
        if len(blobs) < len(keys):
            raise RepoctxError("the index was made by another version of repoctx: run `repoctx index` again")
        ids = {i for own in blobs.values() for i in own} | set(path_ids.values())
        todo = frozenset(ids - vectors.held(connection, model, ids))
    return Gap({key: blobs[key] for key in keys}, path_ids, sizes, todo)


def lacking(place: Place, members: Sequence[Member], model: str) -> int:
    """How many chunks and paths of a snapshot no vector segment of a model holds, as far as segments tell."""
    keys = {key_bytes(member.key) for member in members} - covered(vectors.load(place.folder, model))
    paths = {member.path.encode() for member in members} - covered(vectors.load(place.folder, vectors.paths(model)))
    count = len(paths)
    for part in segments.load(place.folder):
        for key, chunks in zip(strings(part, "keys"), np.diff(part["chunk.offset"]).tolist(), strict=True):
            if key in keys:
                keys.discard(key)
                count += chunks
    return count


def texts(found: Parsed) -> Iterator[tuple[str, str]]:
    """Id and text of what is embedded for each chunk of a blob."""
    text, symbols = found.text.encode(), found.facts.symbols
    for chunk in found.facts.chunks:
        descriptor = symbols[chunk.symbol].descriptor if chunk.symbol >= 0 else ""
        embedded = chunk_text(descriptor, text[chunk.start_byte : chunk.end_byte].decode())
        yield chunk_id(found.facts.language, embedded), embedded


def follows(embedder: Embedder) -> bool:
    """Whether a model's vectors of chunks follow from the postings of a facts segment."""
    return hasattr(embedder, "of_segment")


# --- making it ---------------------------------------------------------------------------------

# Called with each batch, in the transaction that keeps its vectors: (connection, texts done, texts in all).
# False: nothing more is to be made.
Store = Callable[[sa.Connection, int, int], bool]


def fill(
    place: Place, gap: Gap, embedder: Embedder, parts: Sequence[Columns], show: Show, store: Store | None = None
) -> bool:
    """Make the vectors that are lacking and put them into segments; False if `store` has stopped it.

    `parts` are the segments that hold the facts. Raises what the embedder raises; what was made before is kept.
    """
    model = embedder.model
    if follows(embedder):
        if gap.blobs:
            _follow(place, gap.blobs, embedder, parts)
        paths = codes(embedder.documents([path_text(path) for path in gap.paths])) if gap.paths else None
    else:
        if not _make(place, gap, embedder, show, store):
            return False
        ids = [i for own in gap.blobs.values() for i in own]
        with place.engine.connect() as connection:
            stored = vectors.known(connection, model, [*ids, *gap.paths.values()])
        if gap.blobs:
            counts = [len(own) for own in gap.blobs.values()]
            vectors.append(place.folder, model, list(map(key_bytes, gap.blobs)), counts, _rows(stored, ids, embedder))
        paths = _rows(stored, list(gap.paths.values()), embedder) if gap.paths else None
    if paths is not None:
        names = [path.encode() for path in gap.paths]
        vectors.append(place.folder, vectors.paths(model), names, [1] * len(names), paths)
    return True


def restore(place: Place, members: Sequence[Member], embedder: Embedder, parts: Sequence[Columns]) -> Held | None:
    """Segments that hold a snapshot's vectors, made without asking a model; None if they cannot be had.

    What a sweep removes between the making and the reading is made again: what was read stays.
    """
    for _ in range(LOOKS):
        have = held(place, embedder.model)
        gap = look(place, members, embedder, have)
        if not gap.blobs and not gap.paths:
            return have
        if gap.todo or not fill(place, gap, embedder, parts, lambda _: None):
            return None
    return None


def _rows(stored: Mapping[str, bytes], ids: Sequence[str], embedder: Embedder) -> Codes:
    """(n, d) the stored codes of some texts. Raises BackendError if they cannot be of one model."""
    found = {len(stored[i]) for i in ids} or {embedder.dimensions}
    if len(found) > 1:
        raise _another(embedder.model, *sorted(found))
    return np.frombuffer(b"".join(stored[i] for i in ids), np.int8).reshape(len(ids), found.pop())


def _another(model: str, *dimensions: int) -> BackendError:
    return BackendError(
        f"the embedding model {model} has given vectors of {dimensions[0]} and of {dimensions[1]} dimensions: "
        "it is another model now, so call it by another name"
    )


def _follow(place: Place, keys: Iterable[Key], embedder: Embedder, parts: Sequence[Columns]) -> None:
    """Put the vectors of blobs that follow from the postings of facts segments into segments."""
    wanted = set(map(key_bytes, keys))
    for segment in parts:
        held = strings(segment, "keys")
        blobs = [(row, key) for row, key in enumerate(held) if key in wanted]
        if not blobs:
            continue
        rows = np.array([row for row, _ in blobs], np.int64)
        start, count = spans([segment], "chunk", np.zeros(len(rows), np.int64), rows)
        chunks = ranges(start, count)
        found: Codes = np.empty((len(chunks), embedder.dimensions), np.int8)
        for at in range(0, len(chunks), AT_ONCE):
            some = slice(at, at + AT_ONCE)
            found[some] = codes(embedder.of_segment(segment, chunks[some]))  # type: ignore[attr-defined]
        own = [key for _, key in blobs]
        vectors.append(place.folder, embedder.model, own, count.tolist(), found)
        wanted.difference_update(own)


def _make(place: Place, gap: Gap, embedder: Embedder, show: Show, store: Store | None) -> bool:
    """Ask the model for what the database lacks, batch by batch; False if `store` has stopped it."""
    total = len({i for own in gap.blobs.values() for i in own} | set(gap.paths.values()))
    done = total - len(gap.todo)
    if not gap.todo:
        return True
    show(Progress("embed", done, total, "chunks"))
    before = {vectors.opened(part).d for part in vectors.load(place.folder, embedder.model)}
    # What is no more than a batch is not worth a way over a network.
    spread = getattr(embedder, "spread", None) if len(gap.todo) > BATCH else None
    with contextlib.closing((spread or _one_by_one(embedder))(_batches(place, gap))) as results:
        for batch, rows in results:
            if before - {rows.shape[1]}:
                raise _another(embedder.model, rows.shape[1], *before)
            made = {i: row.tobytes() for (i, _), row in zip(batch, rows, strict=True)}
            done += len(batch)
            with place.engine.begin() as connection:
                vectors.add(connection, embedder.model, made)
                wanted = store is None or store(connection, done, total)
            show(Progress("embed", done, total, "chunks"))
            if not wanted:
                return False
    return True


def _one_by_one(embedder: Embedder) -> Callable[[Iterable[Batch]], Generator[tuple[Batch, Codes]]]:
    def spread(batches: Iterable[Batch]) -> Generator[tuple[Batch, Codes]]:
        for batch in batches:
            yield batch, codes(embedder.documents([text for _, text in batch]))

    return spread


def _batches(place: Place, gap: Gap) -> Iterator[Batch]:
    """The texts that have no vector, each once, with their ids: window by window, in each by length."""
    todo = set(gap.todo)
    window = {i: path_text(path) for path, i in gap.paths.items() if i in todo}
    waiting = [key for key, own in gap.blobs.items() if not todo.isdisjoint(own)]
    while waiting or window:
        size, keys = 0, []
        while waiting and size < WINDOW:
            keys.append(waiting.pop())
            size += gap.sizes[keys[-1]]
        with place.engine.connect() as connection:
            for _, found in facts.read(connection, keys):
                window |= {i: text for i, text in texts(found) if i in todo}
        todo -= window.keys()
        ordered = sorted(window.items(), key=lambda item: (len(item[1]), item))
        for start in range(0, len(ordered), BATCH):
            yield ordered[start : start + BATCH]
        window = {}


# --- a model that takes long -------------------------------------------------------------------


def finish(
    place: Place, repository: Repository, first: str, chosen: Chosen, show: Show, publishing: Publishing
) -> int:  # fmt: skip
    """Make the vectors that refs wait for, `first` first, and let their model answer: how many were made.

    A ref may move meanwhile, then what it has come to lack is made too; one that comes to wait for another
    model, or for none, is left alone. The caller holds the place of who makes this model's vectors, not that
    of the writer, which gives `publishing`. Raises what the embedder raises; what was made before is kept.
    """
    made = 0
    while waiting := waiting_refs(place.engine, repository, chosen.setting):
        where = next((ref for ref in waiting if ref.name == first), waiting[0])
        with place.engine.connect() as connection:
            members = snapshots.members(connection, where, parser_version)
        if members is None:
            continue  # the ref has moved since
        gap = look(place, members, chosen.embedder)
        if fill(place, gap, chosen.embedder, segments.load(place.folder), show, _noting(where, len(gap.todo))):
            made += len(gap.todo)
            with publishing() as connection:
                snapshots.switch(connection, where, chosen.embedder.model)
    return made


def waiting_refs(engine: sa.Engine, repository: Repository, setting: str) -> list[Ref]:
    """The refs of a repository that wait for a model's vectors, by name."""
    with engine.connect() as connection:
        return [ref for ref in snapshots.all_refs(connection, repository) if ref.pending == setting]


def _noting(where: Ref, todo: int) -> Store:
    """Notes in the database how far the making is, for whoever asks; stops it when the ref waits for it no longer."""
    started = time.monotonic()

    def note(connection: sa.Connection, done: int, total: int) -> bool:
        rate = (done - (total - todo)) / max(time.monotonic() - started, 1e-3)
        at = {"host": socket.gethostname(), "pid": os.getpid()}
        return snapshots.advance(connection, where, {"done": done, "total": total, "rate": round(rate, 2), **at})

    return note
