"""How is everything put together? The façade: open a workspace, then index, search, map and pack.

All wiring and no logic: every front end (command line, REST, MCP) calls these methods.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import sqlalchemy as sa

from repoctx import config, embedding, ingest, models
from repoctx.cluster import spread
from repoctx.cluster.connection import Cluster, cluster
from repoctx.config import Settings
from repoctx.embedding import Chosen
from repoctx.errors import BackendError, BusyError, NotFoundError, UsageError
from repoctx.index import embed
from repoctx.ingest import Estimate
from repoctx.source import LOCAL_USER, Access, Limits, Source, open_source, shown_path, source_top
from repoctx.store import locks, snapshots
from repoctx.store.connect import connect, errors
from repoctx.store.segments import Place
from repoctx.store.snapshots import Ref, Repository
from repoctx.types import KINDS, Hit, Origin, Pack, Progress, Report, Skip
from repoctx.warm import Opened, Stored, Warm

if TYPE_CHECKING:
    import networkx

    from repoctx.index.embed import Embedder
    from repoctx.model.client import Backend
    from repoctx.model.probe import Check
    from repoctx.model.windows import Model
    from repoctx.pack import Window
    from repoctx.retrieve.fuse import Weights
    from repoctx.retrieve.query import Kind
    from repoctx.retrieve.questions import Graph, Group, Impact, Ring, Uses, Walked
    from repoctx.retrieve.search import Level
    from repoctx.retrieve.snapshot import FoundSymbol
    from repoctx.tasks.ask import Event
    from repoctx.tasks.packing import Wishes

# What a repository may be called: nothing that is a path, an option or a ref.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def silent(_: object) -> None:
    """Shows nothing of what it is told."""


# A repository by its name, path or URL, one that was found before, or the one around the current folder.
Wanted = str | Repository | None


class Answer(NamedTuple):
    """Hits, and the repositories and refs that were searched, with their snapshots."""

    hits: list[Hit]
    searched: list[tuple[str, Ref]]
    opened: Sequence[Opened] = ()


class Embedded(NamedTuple):
    """What became of the vectors that a ref waited for."""

    repository: str
    ref: str
    embedding: str | None  # id of the model that answers now
    made: int
    seconds: float


class Status(NamedTuple):
    """A repository and its refs, each with what was left out."""

    repository: Repository
    refs: list[tuple[Ref, list[Skip]]]


class Workspace:
    """An index and the questions it answers. Make one with `open_workspace`; close it after use."""

    def __init__(self, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None) -> None:
        self.configuration = config.load(environment, flags)
        self._inputs = (environment, flags)
        self._embedders: dict[str, Embedder | None] = {}
        self._choosing = threading.RLock()  # threads may ask at once: one loads a model, the others wait for it
        # Told of each snapshot that is asked for: whether it was in memory, and how many are.
        self.on_open: Callable[[bool, int], None] = lambda found, held: None

    @property
    def settings(self) -> Settings:
        """The settings in force where no repository is concerned."""
        return self.configuration.settings

    def settings_of(self, location: str) -> Settings:
        """The settings in force for a repository: those of its own `repoctx.toml` that it may set."""
        return (
            config.load(*self._inputs, repository=Path(location)).settings if Path(location).is_dir() else self.settings
        )

    @cached_property
    def engine(self) -> sa.Engine:
        """The database, its schema current."""
        return connect(self.settings.database_url)

    @cached_property
    def warm(self) -> Warm:
        """The snapshots that are ready for questions."""
        told = lambda found, held: self.on_open(found, held)  # noqa: E731
        return Warm(self.engine, self.settings, self.place, self.embedder, told)

    def embedder(self, setting: str) -> Embedder | None:
        """The embedding model of a setting, None for "none". Raises UsageError for what is no setting."""
        with self._choosing:
            if setting not in self._embedders:
                s = self.settings
                # A key goes to the server that it was set for, and to no other that an older index knows.
                ours = embed.endpoint(setting) == embed.endpoint(s.embedding_model)
                found = embed.embedder(
                    setting,
                    key_env=config.key_variable(self.configuration, "embedding_key_env") if ours else "",
                    requests=s.embedding_requests,
                    threads=s.index_workers,
                )
                self._embedders[setting] = spread.embedder(found, setting, self.cluster)
            return self._embedders[setting]

    @property
    def cluster(self) -> Cluster | None:
        """The cluster that the settings name. Raises UsageError for an address that is none."""
        return cluster(self.settings.cluster_scheduler, self.settings.cluster_seconds)

    @property
    def chosen(self) -> Chosen | None:
        """The embedding model that the settings ask for; a folder by its whole path, None for "none"."""
        setting = self.settings.embedding_model
        setting = str(embed.folder_of(setting) or setting)
        found = self.embedder(setting)
        return None if found is None else Chosen(setting, found)

    def close(self) -> None:
        """Let go of the database."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    # --- writing -------------------------------------------------------------------------------

    @contextmanager
    def source(
        self, location: str, ref: str | None = None, access: Access = LOCAL_USER, tick: Callable[[], object] = int
    ) -> Iterator[Source]:
        """The source at a path or URL. Raises SourceError, UsageError or BackendError."""
        top = source_top(location)
        limits = self.limits(self.settings_of(top) if top else self.settings)
        with open_source(location, ref=ref, limits=limits, mirrors=self.mirrors, access=access, tick=tick) as opened:
            yield opened

    @property
    def mirrors(self) -> Path:
        """Where clones are kept."""
        return Path(self.settings.home) / "mirrors"

    @staticmethod
    def limits(settings: Settings) -> Limits:
        """How much is read of a source."""
        return Limits(
            max_file_bytes=settings.index_max_file_bytes,
            clone_seconds=settings.clone_seconds,
            clone_bytes=settings.clone_bytes,
            include=settings.index_include,
            exclude=settings.index_exclude,
        )

    def estimate(self, location: str, ref: str | None = None) -> Estimate:
        """What an index run would do; nothing is written. Raises UsageError for an embedding model that is none."""
        self.embedder(self.settings.embedding_model)
        with self.source(location, ref) as source:
            return ingest.estimate(source.tree(), self.settings.embedding_model)

    def index(
        self,
        location: str,
        ref: str | None = None,
        name: str | None = None,
        show: Callable[[Progress], None] = silent,
        *,
        published: Callable[[Report], object] = silent,
        finish: bool = True,
        access: Access = LOCAL_USER,
    ) -> Report:
        """Index a path or URL, or bring its index up to date. Raises BusyError if that is under way.

        What can be searched is published first, and `published` called with the report. What a slow embedding
        model needs is made after that, while another model answers; not if `finish` is False: `embed` does it.
        Raises UsageError or BackendError if the model fails: by then the rest is published.
        """
        if name is not None and not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a repository's name: use letters, digits, '.', '_' and '-', and begin with "
                "a letter or digit"
            )
        chosen, where = self.chosen, self.cluster
        with self.source(location, ref, access, lambda: show(Progress("fetch", 0, 0))) as source, errors(self.engine):
            with self.engine.connect() as connection:
                known = snapshots.by_location(connection, source.location)
                if known is None or name not in (None, known.name):
                    known = snapshots.claim(connection, name or source.default_name, source.location)
            with locks.writing(self.engine, Path(self.settings.home), known.name) as publishing:
                report, failure = ingest.ingest(
                    self.place(known),
                    known,
                    source,
                    default=ref is None or not known.default_ref,
                    derive=lambda blobs, size: spread.derive_all(blobs, size, self.settings.index_workers, where),
                    most_commits=self.settings.history_commits,
                    wanted=chosen,
                    load=self.embedder,
                    show=show,
                    publishing=publishing,
                )
        published(report)
        if failure is not None:
            raise failure
        if report.pending is None or not finish or chosen is None:
            return report
        try:
            done = self.embed(report.repository, report.ref, show)
        except BusyError:
            return report  # whoever makes them will find this snapshot
        return replace(report, embedding=done.embedding, pending=None)

    def embed(
        self, repository: str | None = None, ref: str | None = None, show: Callable[[Progress], None] = silent
    ) -> Embedded:
        """Make the vectors that a ref waits for, those for the repository's other refs too, and let their model answer.

        Raises BusyError if another process makes them, UsageError or BackendError if the model fails; what was
        made before is kept.
        """
        started = time.monotonic()
        found = self.repository(repository)
        where, _ = self.warm.find(found, ref)
        made = 0
        if (setting := where.pending) is not None and (embedder := self.embedder(setting)) is not None:
            chosen = Chosen(setting, embedder)
            with errors(self.engine):
                # Looked for again when the place is free: a run that found it taken has left its ref to us.
                while embedding.waiting_refs(self.engine, found, setting):
                    with locks.embedding(self.engine, Path(self.settings.home), found.name, setting) as publishing:
                        made += embedding.finish(self.place(found), found, where.name, chosen, show, publishing)
            where, _ = self.warm.find(found, where.name)
        seconds = round(time.monotonic() - started, 3)
        return Embedded(found.name, where.name, where.embedding_model, made, seconds)

    def place(self, repository: Repository) -> Place:
        """Where a repository's index is."""
        folder = hashlib.sha256(repository.name.encode()).hexdigest()[:16]
        return Place(self.engine, Path(self.settings.home) / "segments" / folder)

    # --- finding -------------------------------------------------------------------------------

    def repository(self, wanted: str | None = None) -> Repository:
        """The repository of a name, path or URL, by default the one around the current folder."""
        start = Path(os.path.realpath(os.path.expanduser(wanted or ".")))
        if len(str(start)) > 4000:
            raise UsageError("the repository's name is too long")
        with errors(self.engine), self.engine.connect() as connection:
            if wanted is not None:
                found = {r.name: r for r in snapshots.all_repositories(connection)}
                if wanted in found:
                    return found[wanted]
                if (by_url := snapshots.by_location(connection, shown_path(wanted))) is not None:
                    return by_url
            for folder in (start, *start.parents) if wanted is None or start.exists() else ():
                if (by_path := snapshots.by_location(connection, shown_path(str(folder)))) is not None:
                    return by_path
        if wanted is None or start.is_dir():
            raise NotFoundError(f"{start} is not indexed: run `repoctx index {wanted or '.'}` first")
        raise NotFoundError(f"no repository is called {wanted!r}: `repoctx status` lists those that are indexed")

    def open(self, wanted: Wanted = None, ref: str | None = None, *, beside: int = 1) -> Opened:
        """A repository's snapshot, loaded and kept so, `beside` others that are asked with it too.

        Raises NotFoundError if it was never indexed.
        """
        repository = wanted if isinstance(wanted, Repository) else self.repository(wanted)
        return self.warm.open(repository, ref, beside)

    def search(
        self,
        text: str,
        repository: Wanted | Sequence[str | Repository] = None,
        ref: str | None = None,
        *,
        k: int = 10,
        offset: int = 0,
        level: Level = "chunk",
        language: str | None = None,
        path: str | None = None,
        kinds: Sequence[str] = (),
    ) -> Answer:
        """The k best places for a query after the first `offset`, best first: in a repository or in several.

        `kinds` are those of symbols, at the level of symbols. Raises UsageError for a filter that fits nothing.
        """
        from repoctx.retrieve import query, search

        if k < 1 or offset < 0:
            raise UsageError(f"k must be 1 or more and the offset 0 or more, not {k} and {offset}")
        if level not in ("chunk", "symbol", "file"):
            raise UsageError(f"a level is chunk, symbol or file, not {level!r}")
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise UsageError(f"no symbol is a {unknown[0]!r}: kinds are {', '.join(KINDS)}")
        if kinds and level != "symbol":
            raise UsageError(f"only symbols have kinds: ask for the level of symbols, not {level}s")
        parsed = query.parse(text)
        opened = self._several(repository, ref)
        language = language.lower() if language is not None else None
        known = {found for one in opened for found in one.index.view.languages}
        if language is not None and language not in known:
            where = " and ".join(one.repository.name for one in opened)
            raise UsageError(f"no file of {where} is in {language!r}: there is {', '.join(sorted(known))}")
        wanted = search.Wanted(language, path, frozenset(kinds))
        weights = [self.weights(one.repository) for one in opened]
        with answering():
            found = search.search([one.index for one in opened], parsed, offset + k, level, wanted, weights=weights)
        hits = [replace(hit, repository=opened[number].repository.name) for number, hit in found[offset:]]
        return Answer(hits, [(one.repository.name, one.ref) for one in opened], opened)

    def every_repository(self) -> list[str]:
        """The names of all repositories that are indexed."""
        with errors(self.engine), self.engine.connect() as connection:
            return [found.name for found in snapshots.all_repositories(connection)]

    def weights(self, repository: Repository) -> Mapping[Kind, Weights]:
        """The weights that `tune` has found for a repository, or those that all have. Raises UsageError."""
        from repoctx.retrieve import fuse

        path = self.weights_file(repository.name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return fuse.weights()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        try:
            return fuse.weights(text)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    def weights_file(self, repository: str) -> Path:
        """Where the weights of a repository are, if it has some of its own."""
        return Path(self.settings.home) / "weights" / f"{repository}.toml"

    def symbol(self, name: str, repository: str | None = None, ref: str | None = None) -> list[FoundSymbol]:
        """The definitions of a name, bare or qualified, best match first."""
        if not name.strip():
            raise UsageError("the name is empty: say which symbol you mean")
        opened = self.open(repository, ref)
        with errors(self.engine):
            return opened.loaded.definitions(name)

    def map(self, repository: str | None = None, ref: str | None = None, budget: int = 2000) -> str:
        """The repository map: the most central files and symbols within a token budget."""
        opened = self.open(repository, ref)
        with errors(self.engine):
            return opened.loaded.map(budget, lines=True)

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
        view = opened.index.view
        return write(view.occurrences, opened.index.edges, view.lines.tolist())

    def graph(self, repository: str | None = None, ref: str | None = None) -> networkx.MultiDiGraph:
        """The symbol graph as a networkx graph; nodes are symbol ids."""
        from repoctx.graph import export

        opened = self.open(repository, ref)
        view = opened.index.view
        return export.to_networkx(view.occurrences, opened.index.edges, view.lines.tolist())

    # --- asking the graph ----------------------------------------------------------------------

    def refs(
        self,
        symbol: str,
        repository: str | None = None,
        ref: str | None = None,
        *,
        kinds: Sequence[str] = (),
        least: float = 0.0,
        limit: int = 100,
    ) -> Uses:
        """Where a symbol is used. Raises NotFoundError for an unknown name, UsageError for an ambiguous one."""
        with self._graph(repository, ref, limit) as graph:
            return graph.refs(symbol, kinds, least, limit)

    def callers(
        self,
        symbol: str,
        repository: str | None = None,
        ref: str | None = None,
        *,
        depth: int = 1,
        least: float = 0.0,
        limit: int = 100,
    ) -> Walked:
        """What calls a symbol, through up to `depth` calls. Raises as `refs` does."""
        with self._graph(repository, ref, limit) as graph:
            return graph.callers(symbol, depth, least, limit)

    def callees(
        self,
        symbol: str,
        repository: str | None = None,
        ref: str | None = None,
        *,
        depth: int = 1,
        least: float = 0.0,
        limit: int = 100,
    ) -> Walked:
        """What a symbol calls, through up to `depth` calls. Raises as `refs` does."""
        with self._graph(repository, ref, limit) as graph:
            return graph.callees(symbol, depth, least, limit)

    def impact(
        self,
        symbols: Sequence[str] = (),
        diff: str | None = None,
        repository: str | None = None,
        ref: str | None = None,
        *,
        least: float | None = None,
        limit: int = 30,
    ) -> Impact:
        """What may break and what to test when symbols change, or by a unified diff; `least` is the least risk.

        Raises as `refs` does, and RefusedError for a text that is no diff.
        """
        from repoctx.graph.impact import FLOOR

        if bool(symbols) == (diff is not None):
            raise UsageError("say what changes: either symbols or a diff")
        with self._graph(repository, ref, limit) as graph:
            return graph.impact(symbols, diff, FLOOR if least is None else least, limit)

    def cycles(
        self, repository: str | None = None, ref: str | None = None, *, kind: str = "imports", least: float = 0.5
    ) -> list[Ring]:
        """Cycles of imports among files, of inherits or of calls among symbols, the largest first."""
        with self._graph(repository, ref) as graph:
            return graph.cycles(kind, least)

    def communities(self, repository: str | None = None, ref: str | None = None) -> tuple[list[Group], float]:
        """Files that belong together by their edges, the largest community first, and the modularity."""
        with self._graph(repository, ref) as graph:
            return graph.communities()

    @contextmanager
    def _graph(self, repository: str | None, ref: str | None, limit: int = 1) -> Iterator[Graph]:
        if limit < 1:
            raise UsageError(f"a limit is 1 or more, not {limit}")
        opened = self.open(repository, ref)
        with errors(self.engine):
            yield opened.loaded.graph

    # --- packing -------------------------------------------------------------------------------

    def pack(
        self,
        task: str,
        repository: Wanted | Sequence[str | Repository] = None,
        ref: str | None = None,
        *,
        model: str | None = None,
        budget: str | int | None = None,
        wishes: Wishes | None = None,
    ) -> Pack:
        """The prompt for a task: the best evidence within a budget ("auto" or tokens), of one repository or several.

        Raises NotFoundError or UsageError for wishes that cannot be met, BudgetError for what does not fit.
        """
        return self._pack(task, self._several(repository, ref), model, budget, wishes)

    def _several(self, wanted: Wanted | Sequence[str | Repository], ref: str | None) -> list[Opened]:
        """One repository, or several, each once. Raises NotFoundError if there are none."""
        one = wanted is None or isinstance(wanted, (str, Repository))
        every: list[Any] = [wanted] if one else list(dict.fromkeys(wanted or ()))
        by_id = {one.repository.id: one for one in (self.open(each, ref, beside=len(every)) for each in every)}
        if not by_id:
            raise NotFoundError("no repository is indexed: run `repoctx index PATH` first")
        return sorted(by_id.values(), key=lambda one: one.repository.name)

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that are known, the user's own among them. Raises UsageError for a row that is wrong."""
        return models.known(self.settings)

    def window(self, model: str | None = None, *, served: bool = False) -> Window:
        """What packs need to know of a model, by default the one that is set; see `models.window`."""
        return models.window(self.settings, self.models, model, served=served)

    def _pack(
        self,
        task: str,
        opened: Sequence[Opened],
        model: str | None,
        budget: str | int | None,
        wishes: Wishes | None = None,
        served: bool = False,
    ) -> Pack:
        from repoctx.tasks.packing import Source, Wishes, assemble

        s = self.settings_of(opened[0].repository.location) if len(opened) == 1 else self.settings
        window = self.window(model or s.model, served=served)
        limit = parse_budget(budget if budget is not None else s.pack_budget)
        sources = [
            Source(
                Origin(one.repository.name, one.ref.name, one.ref.snapshot, one.ref.commit),
                one.loaded,
                self.weights(one.repository),
            )
            for one in opened
        ]
        wishes = wishes or Wishes()
        with answering(), errors(self.engine):
            return assemble(task, sources, window, limit, replace(wishes, secrets=wishes.secrets or not s.pack_redact))

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
        from repoctx.tasks.ask import ask

        opened = self.open(repository, ref)
        made = self._pack(question, [opened], model, budget, served=True)
        backend = self.backend(made.plan.tier)
        view = opened.index.view
        lines = {member.path: int(count) for member, count in zip(view.members, view.lines, strict=True)}
        yield from ask(made, backend, lines)

    def check_backend(self, model: str | None = None, tier: str | None = None, long: bool = False) -> Iterator[Check]:
        """What the back end really does, check by check; `long` may send prompts as large as its window."""
        from repoctx.model import windows
        from repoctx.model.check import checks
        from repoctx.model.probe import Target
        from repoctx.pack import room

        window = self.window(model)
        rooms = {one.name: room(window, one) for one in window.tiers}
        found = windows.find(window.model, self.models)
        server = models.server(self.configuration, self.models, tier)
        return checks(Target(server, found, window.counter, rooms, tier, long))

    def backend(self, tier: str | None = None, model: str | None = None) -> Backend:
        """The back end that serves a tier of a model, by default the usual ones; see `models.backend`."""
        return models.backend(self.configuration, self.models, tier, model)

    # --- keeping it running --------------------------------------------------------------------

    def blobs(self, repository: str, ref: str) -> dict[str, str]:
        """The files of a ref's snapshot, as path -> blob id; nothing is loaded for it."""
        _, found = self.warm.find(self.repository(repository), ref)
        members = found.members if isinstance(found, Stored) else found.index.view.members
        return {path: key.blob for path, key in members}

    def status(self) -> list[Status]:
        """Every repository with its refs and what was left out."""
        with errors(self.engine), self.engine.connect() as connection:
            return [
                Status(r, [(ref, snapshots.skips(connection, ref)) for ref in snapshots.all_refs(connection, r)])
                for r in snapshots.all_repositories(connection)
            ]


@contextmanager
def answering() -> Iterator[None]:
    """Says what to do when the embedding model of an index does not answer."""
    try:
        yield
    except BackendError as error:
        raise BackendError(f"{error}; REPOCTX_EMBEDDING_MODEL=none answers by words alone meanwhile") from error


def parse_budget(value: str | int) -> int | None:
    """Tokens, or None for "auto"; "60k" and "1m" are understood. Raises UsageError."""
    text = str(value).strip().lower().replace("_", "").replace(",", "")
    if text == "auto":
        return None
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:], 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal() or len(digits) > 12 or int(digits) == 0:
        raise UsageError(f"a budget is a number of tokens, such as 60000 or 60k, or auto; not {value!r}")
    return int(digits) * factor


@contextmanager
def open_workspace(
    flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Workspace]:
    """A workspace on the settings in force; see `config.load`. Raises UsageError for a bad setting."""
    workspace = Workspace(environment, flags)
    try:
        yield workspace
    finally:
        workspace.close()
