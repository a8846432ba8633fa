"""What is a pack for this task made of? Snapshots in, one pack out: retrieval says what is worth it, `pack` chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from repoctx.errors import NotFoundError, UsageError
from repoctx.pack import Document, Steady, Supply, Window, auto_budget, map_budget, pack
from repoctx.pack.bulk import bulk_room
from repoctx.pack.render import format_of
from repoctx.retrieve import query
from repoctx.retrieve.fuse import Weights
from repoctx.retrieve.places import glob
from repoctx.retrieve.query import Kind
from repoctx.retrieve.search import Wanted
from repoctx.retrieve.snapshot import Loaded
from repoctx.retrieve.worth import worth
from repoctx.types import Hit, Origin, Pack, Reason

# Hits that a pack chooses from: at least this many, and one per so many tokens of evidence (a function has about 200).
HITS, TOKENS_PER_HIT = 400, 60
# Tokens for which there is evidence in every case, where the budget follows from the evidence.
AUTO = 131_072
# `src/a.py`, `src/a.py:10`, `src/a.py:10-20`, where there is such a file.
_LINES = re.compile(r"(.+?):(\d{1,9})(?:-(\d{1,9}))?")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A snapshot that a pack may show parts of."""

    origin: Origin
    loaded: Loaded
    weights: Mapping[Kind, Weights]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a pack must show and what it may not, whatever is found."""

    files: tuple[str, ...] = ()  # paths, path:first-last, or patterns
    symbols: tuple[str, ...] = ()  # as `repoctx refs` takes them
    diff: str = ""  # a unified diff: what it changes is shown
    exclude: tuple[str, ...] = ()  # patterns of paths
    format: str = "xml"
    secrets: bool = False  # show those too


NO_WISHES = Wishes()


def assemble(
    task: str, sources: Sequence[Source], window: Window, budget: int | None, wishes: Wishes = NO_WISHES
) -> Pack:
    """The pack for a task. Raises NotFoundError and UsageError for wishes that cannot be met, BudgetError."""
    style = format_of(wishes.format)
    several = len(sources) > 1
    names = [source.origin.repository if several else "" for source in sources]
    wanted = Wanted(without=wishes.exclude)
    left_out = [glob(pattern) for pattern in wishes.exclude]
    forced, seeds = _forced(sources, names, wishes)
    size = budget or AUTO
    most = HITS + (size - bulk_room(size)) // TOKENS_PER_HIT
    indexes = [source.loaded.index for source in sources]
    asked = query.parse(f"{task}\n\n{wishes.diff}" if wishes.diff else task)
    found = worth(indexes, asked, most, [source.weights for source in sources], wanted, seeds)
    under = [replace(hit, path=_shown(names[n], hit.path)) if several else hit for n, hit in found.hits]
    hits = [*forced, *under]
    offset = len(forced)

    def why(places: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
        told = found.why([at - offset for at in places if at >= offset])
        return {at + offset: reasons for at, reasons in told.items()}

    evidence = auto_budget(found.kind, found.sharpness, window, 0) if budget is None else size - bulk_room(size)
    documents: dict[str, Document] = {}
    for number, source in enumerate(sources):
        own = [hit.path for n, hit in found.hits if n == number]
        needed = [_inner(names[number], hit.path) for hit in forced if _is_of(names[number], hit.path, several)]
        files = source.loaded.evidence(own, evidence, needed)
        documents |= source.loaded.documents(files, names[number], secrets=wishes.secrets)
    room = map_budget(size) // len(sources)
    maps = [source.loaded.map(room, wishes.exclude) if room else "" for source in sources]
    steady: list[Steady] = []
    for source, name in zip(sources, names, strict=True) if bulk_room(size) else ():
        files_of = source.loaded.steady
        allowed = [one for one in files_of if not any(matches(one.path) for matches in left_out)]
        steady += [one._replace(path=_shown(name, one.path)) for one in allowed] if several else allowed

    def load(paths: Sequence[str]) -> dict[str, Document]:
        loaded: dict[str, Document] = {}
        for source, name in zip(sources, names, strict=True):
            numbers = source.loaded.file_numbers
            mine = [numbers[_inner(name, path)] for path in paths if _is_of(name, path, several)]
            loaded |= source.loaded.documents(mine, name, secrets=wishes.secrets)
        return loaded

    supply = Supply(
        hits, documents, _joined(names, maps), offset, steady, load, why, found.kind, found.sharpness,
        tuple(source.origin for source in sources),
    )  # fmt: skip
    return pack(task, supply, window, budget, style)


def _shown(name: str, path: str) -> str:
    return f"{name}/{path}" if name else path


def _is_of(name: str, path: str, several: bool) -> bool:
    return not several or path.startswith(f"{name}/")


def _inner(name: str, path: str) -> str:
    return path.removeprefix(f"{name}/") if name else path


def _joined(names: Sequence[str], maps: Sequence[str]) -> str:
    """The maps of several repositories, each under its name."""
    if len(maps) == 1:
        return maps[0]
    return "\n".join(f"# {name}\n{text.rstrip()}" for name, text in zip(names, maps, strict=True) if text.strip())


# --- what must go in ---------------------------------------------------------------------------


def _forced(
    sources: Sequence[Source], names: Sequence[str], wishes: Wishes
) -> tuple[list[Hit], list[tuple[int, int]]]:
    """The hits that must go in, and the symbols in them to start from: (number of the source, row)."""
    hits: list[Hit] = []
    seeds: list[tuple[int, int]] = []
    for wish in wishes.files:
        found = [hit for source, name in zip(sources, names, strict=True) for hit in _files(source, name, wish)]
        if not found:
            where = " and ".join(source.origin.repository for source in sources)
            raise NotFoundError(
                f"no file of {where} is {wish!r}: give a path as `repoctx search` prints it, or a pattern"
            )
        hits += found
    for wish in wishes.symbols:
        hits += _symbols(sources, names, wish, seeds)
    if wishes.diff:
        hits += _changed(sources, names, wishes.diff, seeds)
    return list(dict.fromkeys(hits)), seeds


def _hit(source: Source, name: str, file: int, start: int, end: int, why: Reason) -> Hit:
    view = source.loaded.index.view
    return Hit(_shown(name, view.members[file].path), start, end, 1.0, (why,), language=view.languages[file])


def _files(source: Source, name: str, wish: str) -> list[Hit]:
    """The files of a wish: a path, with lines or without, or a pattern."""
    numbers, view = source.loaded.file_numbers, source.loaded.index.view
    path = _inner(name, wish.removeprefix("./"))
    why = Reason("forced", f"--files {wish}", 1.0)
    if path in numbers:
        return [_hit(source, name, numbers[path], 1, max(1, int(view.lines[numbers[path]])), why)]
    lines = _LINES.fullmatch(path)
    if lines and lines[1] in numbers:
        file = numbers[lines[1]]
        start, end = int(lines[2]), int(lines[3] or lines[2])
        if not 1 <= start <= end <= view.lines[file]:
            raise UsageError(f"{lines[1]} has lines 1 to {view.lines[file]}, not {start} to {end}")
        return [_hit(source, name, file, start, end, why)]
    matching = source.loaded.index.matching(path).nonzero()[0].tolist()
    return [_hit(source, name, file, 1, max(1, int(view.lines[file])), why) for file in matching]


def _symbols(sources: Sequence[Source], names: Sequence[str], wish: str, seeds: list[tuple[int, int]]) -> list[Hit]:
    """The definitions of a name, in the one repository or in each that has it."""
    hits: list[Hit] = []
    missing: NotFoundError | None = None
    why = Reason("forced", f"--symbols {wish}", 1.0)
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        try:
            nodes = source.loaded.graph.meant(_inner(name, wish), [])
        except NotFoundError as error:
            missing = error
            continue
        o = source.loaded.index.view.occurrences
        for node in nodes:
            if node >= len(o.symbol_file):
                hits += _files(source, name, o.paths[node - len(o.symbol_file)])
                continue
            hits.append(
                _hit(source, name, int(o.symbol_file[node]), int(o.symbol_start[node]), int(o.symbol_end[node]), why)
            )
            seeds.append((number, node))
    if not hits and missing is not None:
        raise missing
    return hits


def _changed(sources: Sequence[Source], names: Sequence[str], diff: str, seeds: list[tuple[int, int]]) -> list[Hit]:
    """What a diff changes, in whichever of the repositories has it."""
    hits: list[Hit] = []
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        o = source.loaded.index.view.occurrences
        symbols = len(o.symbol_file)
        for node, lines in sorted(source.loaded.graph.touched(diff, []).items()):
            file = int(o.symbol_file[node]) if node < symbols else node - symbols
            why = Reason("forced", "changed by the diff", 1.0)
            hits += [_hit(source, name, file, start, end, why) for start, end in _runs(lines)]
            if node < symbols:
                seeds.append((number, node))
    if not hits:
        raise NotFoundError("nothing that the diff changes is in the index: is it the diff of another repository?")
    return hits


def _runs(lines: Sequence[int]) -> list[tuple[int, int]]:
    """Lines as runs without gaps."""
    runs: list[tuple[int, int]] = []
    for line in sorted(set(lines)):
        if runs and line == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], line)
        else:
            runs.append((line, line))
    return runs
