"""Which snapshots are in memory, ready for questions, and what is there of one that is not?

A snapshot never changes, so what was loaded once answers as long as its ref points at it. Threads may ask at once: one
loads a snapshot, the others wait for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from repoctx import embedding, ingest
from repoctx.config import Settings
from repoctx.errors import NotFoundError, StorageError, UsageError
from repoctx.parse.version import parser_version
from repoctx.store import commits, snapshots
from repoctx.store.connect import errors
from repoctx.store.segments import Place
from repoctx.store.snapshots import Member, Ref, Repository

if TYPE_CHECKING:
    from repoctx.index.embed import Embedder
    from repoctx.index.history import Past
    from repoctx.retrieve.index import Index, Vectors
    from repoctx.retrieve.snapshot import Loaded
    from repoctx.store.view import View

# Looks at a ref that moves each time before its snapshot is read.
LOOKS = 100
# What a loaded snapshot is known by: repository, snapshot, stamp (the history is in it), commit, embedding model and
# the setting that loads it.
Known = tuple[int, str, str, str | None, str | None, str | None]


class Stored(NamedTuple):
    """What the database holds of a snapshot at one moment."""

    members: list[Member]
    recent: list[str]  # ids of the commits that led to it


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A snapshot that is ready for questions, and the ref that led to it."""

    repository: Repository
    ref: Ref
    loaded: Loaded

    @property
    def index(self) -> Index:
        """The loaded search index."""
        return self.loaded.index


class Warm:
    """The snapshots that a process keeps in memory, those that were asked last."""

    def __init__(
        self,
        engine: sa.Engine,
        settings: Settings,
        place: Callable[[Repository], Place],
        embedder: Callable[[str], Embedder | None],
        told: Callable[[bool, int], object],
    ) -> None:
        """`told` hears of each snapshot that is asked for: whether it was in memory, and how many are."""
        self._engine, self._settings, self._place, self._embedder, self._told = engine, settings, place, embedder, told
        self._loaded: OrderedDict[Known, Loaded] = OrderedDict()
        self._keeping = threading.Lock()
        self._loading: dict[Known, threading.Lock] = {}

    def find(self, repository: Repository, ref: str | None) -> tuple[Ref, Stored | Loaded]:
        """Where a ref points, and what is there. A ref that moves in between is read again.

        Raises UsageError for an empty ref, NotFoundError for one that is not indexed.
        """
        if ref == "":
            raise UsageError("the ref is empty: leave it out for the one indexed last")
        with errors(self._engine), self._engine.connect() as connection:
            for _ in range(LOOKS):
                where = snapshots.ref(connection, repository, ref) or _by_commit(connection, repository, ref)
                if (loaded := self._kept(_known(repository, where))) is not None:
                    return where, loaded
                members = snapshots.members(connection, where, parser_version)
                if members is not None:
                    return where, Stored(members, commits.history(connection, where))
                connection.rollback()  # the next look is at a newer state
        raise StorageError(f"the snapshot of {repository.name} is missing from the database: index it again")

    def open(self, repository: Repository, ref: str | None, beside: int = 1) -> Opened:
        """A repository's snapshot, loaded and kept so, `beside` others that are asked with it too."""
        where, found = self.find(repository, ref)
        return self._opened(repository, where, found, beside)

    def pinned(self, repository: Repository, where: Ref, recent: Sequence[str]) -> Opened:
        """The snapshot that a ref pointed at once, as it was then; `recent` are the commits that led to it.

        Raises StorageError if it was dropped since.
        """
        found: Stored | Loaded | None = self._kept(_known(repository, where))
        if found is None:
            with errors(self._engine), self._engine.connect() as connection:
                members = snapshots.members(connection, where, parser_version)
            if members is None:
                raise StorageError(f"the snapshot {where.snapshot} of {repository.name} was dropped: ask anew")
            found = Stored(members, list(recent))
        return self._opened(repository, where, found, 1)

    def _opened(self, repository: Repository, where: Ref, found: Stored | Loaded, beside: int) -> Opened:
        if not isinstance(found, Stored):
            self._trim(beside)
            self._told(True, len(self._loaded))
            return Opened(repository, where, found)
        known = _known(repository, where)
        with self._keeping:
            turn = self._loading.setdefault(known, threading.Lock())
        try:
            with turn:
                loaded = self._kept(known) or self._load(repository, where, found, beside)
        finally:
            with self._keeping:
                self._loading.pop(known, None)
        self._told(False, len(self._loaded))
        return Opened(repository, where, loaded)

    def _kept(self, known: Known) -> Loaded | None:
        with self._keeping:
            if (loaded := self._loaded.get(known)) is not None:
                self._loaded.move_to_end(known)
            return loaded

    def _load(self, repository: Repository, where: Ref, found: Stored, beside: int) -> Loaded:
        from repoctx.retrieve.index import Index
        from repoctx.retrieve.snapshot import Loaded

        place = self._place(repository)
        with errors(self._engine):
            view = ingest.open_view(place, found.members)

        def load_vectors() -> Vectors | None:
            with errors(self._engine):
                return self._vectors(place, where, view)

        def load_past() -> Past | None:
            with errors(self._engine):
                return ingest.open_past(place, where.snapshot, found.recent, view)

        load_edges = lambda: ingest.open_links(place, where.snapshot, view)  # noqa: E731
        index = Index(where.snapshot, view, load_vectors, load_edges, load_past)
        loaded = Loaded(index, self._engine)
        with self._keeping:
            self._loaded[_known(repository, where)] = loaded
        self._trim(beside)
        return loaded

    def _trim(self, beside: int) -> None:
        """Let go of those that were asked longest ago, beyond what is kept and what is asked together."""
        with self._keeping:
            while len(self._loaded) > max(self._settings.serve_warm, beside):
                self._loaded.popitem(last=False)

    def _vectors(self, place: Place, where: Ref, view: View) -> Vectors | None:
        """The vectors of a snapshot, None if it has none: those of the model that its ref names.

        No vector is made here but by a model that needs microseconds: what is lost is found in the database.
        """
        from repoctx.retrieve.index import Vectors

        if where.embedding is None or self._settings.embedding_model == "none":
            return None
        try:
            embedder = self._embedder(where.embedding)
            if embedder is None or (embedder.model != where.embedding_model and not embedding.follows(embedder)):
                return None  # the folder holds another model now
        except UsageError:
            return None  # it is gone: the next index run takes another
        found = embedding.restore(place, view.members, embedder, view.segments)
        return None if found is None else Vectors(embedder, found.chunks, found.paths)


def _by_commit(connection: sa.Connection, repository: Repository, ref: str | None) -> Ref:
    """The ref that points at a commit, given by the beginning of its id. Raises NotFoundError."""
    every = snapshots.all_refs(connection, repository)
    if not every:
        raise NotFoundError(f"{repository.name} is known and not indexed yet: its job waits, runs or has failed")
    like = [r for r in every if r.commit and ref and len(ref) >= 7 and r.commit.startswith(ref.lower())]
    if not like or len({r.snapshot for r in like}) > 1:
        raise NotFoundError(
            f"{repository.name} has no index of {ref or repository.default_ref!r}: indexed are "
            f"{', '.join(r.name for r in every) or 'none'}; `repoctx index --ref` adds others"
        )
    return like[0]


def _known(repository: Repository, where: Ref) -> Known:
    """What the snapshot that a ref points at is kept loaded under."""
    return repository.id, where.snapshot, where.tree, where.commit, where.embedding, where.embedding_model
