"""How is everything put together? The façade: open a workspace, then index, search, map and pack.

All wiring and no logic: every front end (command line, REST, MCP) calls these methods.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import sqlalchemy as sa

from repoctx import config, ingest, tokens
from repoctx.config import Configuration, Settings
from repoctx.errors import NotFoundError, UsageError
from repoctx.ingest import Estimate, Place
from repoctx.parse.languages import parser_version
from repoctx.source import Limits, Source, open_source
from repoctx.store import snapshots, vectors
from repoctx.store.connect import connect, errors
from repoctx.store.locks import writing
from repoctx.store.snapshots import Ref, Repository
from repoctx.types import Hit, Pack, Progress, Report, Skip

if TYPE_CHECKING:
    import networkx

    from repoctx.index.embed import Embedder
    from repoctx.retrieve.search import Index, Level
    from repoctx.retrieve.snapshot import FoundSymbol, Loaded
    from repoctx.tasks.ask import Event

# Snapshots kept loaded.
WARM = 4
# Chunk hits that a pack chooses from: at least this many, and one per so many tokens of budget (a chunk
# has about 200; many hits fall into one function).
PACK_HITS, TOKENS_PER_HIT = 300, 40


def silent(_: Progress) -> None:
    """Shows no progress."""


class Answer(NamedTuple):
    """Hits, and the snapshot they are about."""

    hits: list[Hit]
    repository: str
    ref: Ref


class Status(NamedTuple):
    """A repository and its refs, each with what was left out."""

    repository: Repository
    refs: list[tuple[Ref, list[Skip]]]


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


class Workspace:
    """An index and the questions it answers. Make one with `open_workspace`; close it after use."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._warm: OrderedDict[tuple[int, str], Loaded] = OrderedDict()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.configuration.settings

    @cached_property
    def engine(self) -> sa.Engine:
        """The database, its schema current."""
        return connect(self.settings.database_url)

    @cached_property
    def embedder(self) -> Embedder | None:
        """The embedding model."""
        if self.settings.embedding_model == "none":
            return None
        from repoctx.index.embed import embedder

        return embedder(self.settings.embedding_model)

    def close(self) -> None:
        """Let go of the database."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    # --- writing -------------------------------------------------------------------------------

    def source(self, location: str, ref: str | None = None) -> Source:
        """The source at a path or URL. Raises SourceError, UsageError or BackendError."""
        s = self.settings
        limits = Limits(
            max_file_bytes=s.index_max_file_bytes,
            clone_seconds=s.clone_seconds,
            clone_bytes=s.clone_bytes,
            include=s.index_include,
            exclude=s.index_exclude,
        )
        return open_source(location, ref=ref, limits=limits, mirrors=Path(s.home) / "mirrors")

    def estimate(self, location: str, ref: str | None = None) -> Estimate:
        """What an index run would do; nothing is written."""
        with self.source(location, ref) as source:
            return ingest.estimate(source.tree())

    def index(
        self,
        location: str,
        ref: str | None = None,
        name: str | None = None,
        show: Callable[[Progress], None] = silent,
    ) -> Report:
        """Index a path or URL, or bring its index up to date. Raises BusyError if that is under way."""
        with self.source(location, ref) as source, errors(self.engine):
            with self.engine.connect() as connection:
                known = snapshots.by_location(connection, source.location)
                if known is None or name not in (None, known.name):
                    known = snapshots.claim(connection, name or source.default_name, source.location)
            with writing(self.engine, Path(self.settings.home) / "locks", known.name):
                return ingest.ingest(
                    self._place(known),
                    known,
                    source,
                    default=ref is None or not known.default_ref,
                    workers=self.settings.index_workers,
                    embedder=self.embedder,
                    show=show,
                )

    def _place(self, repository: Repository) -> Place:
        folder = hashlib.sha256(repository.name.encode()).hexdigest()[:16]
        return Place(self.engine, Path(self.settings.home) / "segments" / folder)

    # --- finding -------------------------------------------------------------------------------

    def repository(self, wanted: str | None = None) -> Repository:
        """The repository of a name or path, by default the one around the current folder."""
        with errors(self.engine), self.engine.connect() as connection:
            if wanted is not None:
                found = {r.name: r for r in snapshots.all_repositories(connection)}
                if wanted in found:
                    return found[wanted]
                if not Path(wanted).exists():
                    return snapshots.repository(connection, wanted)  # says that it is not known
            start = Path(wanted or ".").resolve()
            for folder in (start, *start.parents):
                if (by_path := snapshots.by_location(connection, str(folder))) is not None:
                    return by_path
        raise NotFoundError(f"{start} is not indexed: run `repoctx index {wanted or '.'}` first")

    def open(self, wanted: str | None = None, ref: str | None = None) -> Opened:
        """A repository's snapshot, loaded. Raises NotFoundError if it was never indexed."""
        from repoctx.retrieve.search import Index
        from repoctx.retrieve.snapshot import Loaded

        repository = self.repository(wanted)
        with errors(self.engine), self.engine.connect() as connection:
            where = snapshots.ref(connection, repository, ref)
            if where is None:
                names = ", ".join(r.name for r in snapshots.all_refs(connection, repository)) or "none"
                raise NotFoundError(
                    f"{repository.name} has no index of {ref or repository.default_ref!r} (indexed: {names}): run "
                    "`repoctx index`, with --ref for another branch or commit"
                )
            warm = self._warm.get((repository.id, where.snapshot))
            if warm is not None:
                self._warm.move_to_end((repository.id, where.snapshot))
                return Opened(repository, where, warm)
            members = snapshots.members(connection, where.snapshot, parser_version)
        place = self._place(repository)
        view = ingest.open_view(place, members)
        embedder = self.embedder

        def load_vectors() -> Any:
            assert embedder is not None
            ingest.embed_missing(place, view, embedder, silent)
            return vectors.gather(members, vectors.load(place.folder, embedder.model), embedder.dimensions)

        index = Index(
            where.snapshot,
            view,
            embedder,
            load_vectors,
            lambda: ingest.open_links(place, where.snapshot, view),
        )
        loaded = self._warm[repository.id, where.snapshot] = Loaded(index, self.engine)
        while len(self._warm) > WARM:
            self._warm.popitem(last=False)
        return Opened(repository, where, loaded)

    def search(
        self,
        text: str,
        repository: str | None = None,
        ref: str | None = None,
        *,
        k: int = 10,
        level: Level = "chunk",
        language: str | None = None,
        path: str | None = None,
    ) -> Answer:
        """The k best places for a query, best first."""
        from repoctx.retrieve import query, search

        if k < 1:
            raise UsageError(f"k must be 1 or more, not {k}")
        parsed = query.parse(text)
        opened = self.open(repository, ref)
        if language is not None and language not in opened.index.view.languages:
            known = ", ".join(sorted(set(opened.index.view.languages)))
            raise UsageError(f"no file of {opened.repository.name} is in {language!r}: it has {known}")
        hits = search.search(opened.index, parsed, k, level, language, path)
        return Answer(hits, opened.repository.name, opened.ref)

    def symbol(self, name: str, repository: str | None = None, ref: str | None = None) -> list[FoundSymbol]:
        """The definitions of a name, bare or qualified, best match first."""
        return self.open(repository, ref).loaded.definitions(name)

    def map(self, repository: str | None = None, ref: str | None = None, budget: int = 2000) -> str:
        """The repository map: the most central files and symbols within a token budget."""
        return self.open(repository, ref).loaded.map(budget)

    def graph_lines(
        self,
        repository: str | None = None,
        ref: str | None = None,
        format: Literal["jsonl", "graphml"] = "jsonl",
    ) -> Iterator[str]:
        """The symbol graph, line by line."""
        from repoctx.graph import export

        opened = self.open(repository, ref)
        write = export.jsonl if format == "jsonl" else export.graphml
        return write(opened.index.view.occurrences, opened.index.edges)

    def graph(self, repository: str | None = None, ref: str | None = None) -> networkx.MultiDiGraph:
        """The symbol graph as a networkx graph; nodes are symbol ids."""
        from repoctx.graph import export

        opened = self.open(repository, ref)
        return export.to_networkx(opened.index.view.occurrences, opened.index.edges)

    # --- packing -------------------------------------------------------------------------------

    def pack(
        self,
        task: str,
        repository: str | None = None,
        ref: str | None = None,
        *,
        model: str | None = None,
        budget: str | int | None = None,
    ) -> Pack:
        """The prompt for a task: the best evidence within a budget ("auto" or tokens)."""
        from repoctx.model import windows
        from repoctx.pack import Tier, Window, auto_budget, map_budget, pack
        from repoctx.retrieve import query, search

        found = windows.find(model or self.settings.model)
        window = Window(found.name, tuple(Tier(*tier) for tier in found.tiers), found.output)
        limit = parse_budget(budget if budget is not None else self.settings.pack_budget)
        opened = self.open(repository, ref)
        most = PACK_HITS + (limit or 0) // TOKENS_PER_HIT
        hits = search.search(opened.index, query.parse(task), most, spread=False)
        size = limit or auto_budget(hits, window, tokens.count(task))
        documents = opened.loaded.evidence(hits, size)
        chosen = [hit for hit in hits if hit.path in documents]
        room = map_budget(size)
        map_text = opened.loaded.map(room) if room else ""
        return pack(task, chosen, documents, map_text, window, limit, opened.ref.snapshot, opened.ref.commit)

    def ask(
        self,
        question: str,
        repository: str | None = None,
        ref: str | None = None,
        *,
        model: str | None = None,
        budget: str | int | None = None,
    ) -> Iterator[Event]:
        """Pack, send to the back end, and yield the answer as it comes. Raises BackendError."""
        from repoctx.model.client import Backend, served_models
        from repoctx.tasks.ask import ask

        s = self.settings
        if not s.backend_url:
            raise UsageError(
                "no model back end is set: give --backend-url, or set backend.url in repoctx.toml or "
                "REPOCTX_BACKEND_URL"
            )
        # The default variable may well be unset: local servers ask for no key. One that was named must be there.
        named = self.configuration.origins["backend_key_env"] != "default" or s.backend_key_env in os.environ
        key_env = s.backend_key_env if named else ""
        backend = Backend(s.backend_url, s.backend_model, key_env, s.backend_timeout, s.backend_max_output)
        if not backend.model:
            backend = replace(backend, model=served_models(backend)[0])
        made = self.pack(question, repository, ref, model=model, budget=budget)
        view = self.open(repository, ref).index.view
        lines = {member.path: int(count) for member, count in zip(view.members, view.lines, strict=True)}
        yield from ask(made, backend, lines)

    # --- keeping it running --------------------------------------------------------------------

    def status(self) -> list[Status]:
        """Every repository with its refs and what was left out."""
        with errors(self.engine), self.engine.connect() as connection:
            return [
                Status(r, [(ref, snapshots.skips(connection, ref)) for ref in snapshots.all_refs(connection, r)])
                for r in snapshots.all_repositories(connection)
            ]


def parse_budget(value: str | int) -> int | None:
    """Tokens, or None for "auto"; "60k" and "1m" are understood. Raises UsageError."""
    text = str(value).strip().lower().replace("_", "").replace(",", "")
    if text == "auto":
        return None
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:], 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal() or int(digits) == 0:
        raise UsageError(f"a budget is a number of tokens, such as 60000 or 60k, or auto; not {value!r}")
    return int(digits) * factor


@contextmanager
def open_workspace(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    repository: Path | None = None,
) -> Iterator[Workspace]:
    """A workspace on the settings in force; see `config.load`. Raises UsageError for a bad setting."""
    workspace = Workspace(config.load(environment, flags, repository))
    try:
        yield workspace
    finally:
        workspace.close()
