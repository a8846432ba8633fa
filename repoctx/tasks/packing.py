"""What is a pack for this task made of? Snapshots in, one pack out: retrieval says what is worth it, `pack` chooses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from repoctx import redact
from repoctx.errors import NotFoundError, UsageError
from repoctx.pack import Document, Steady, Supply, Window, auto_budget, pack
from repoctx.pack.bulk import bulk_room
from repoctx.pack.render import format_of
from repoctx.retrieve import diff as diffs
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
    """What a pack must show and what it may not, whatever is found. What is excluded is not shown in any case.

    Of several repositories paths are as they are in theirs, or as the pack shows them: `NAME/path`.
    """

    files: tuple[str, ...] = ()  # paths, path:first-last, or patterns
    symbols: tuple[str, ...] = ()  # as `repoctx refs` takes them
    diff: str | None = None  # a unified diff: what it changes is shown
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
    without = [tuple(spelt for pattern in wishes.exclude for spelt in _spelt(name, pattern)) for name in names]
    left_out = [_any([glob(pattern) for pattern in patterns]) for patterns in without]
    forced, seeds = _forced(sources, names, wishes, left_out)
    size = budget or AUTO
    most = HITS + (size - bulk_room(size)) // TOKENS_PER_HIT
    indexes = [source.loaded.index for source in sources]
    asked = query.parse(f"{task}\n\n{wishes.diff}" if wishes.diff else task)
    found = worth(indexes, asked, most, [source.weights for source in sources], wanted, seeds)
    under = [at for at, (n, hit) in enumerate(found.hits) if not left_out[n](hit.path)]
    shown = [replace(hit, path=_shown(names[n], hit.path)) if several else hit for n, hit in found.hits]
    hits = [*forced, *(shown[at] for at in under)]
    offset = len(forced)

    def why(places: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
        at = {under[place - offset]: place for place in places if place >= offset}
        return {at[number]: reasons for number, reasons in found.why(list(at)).items()}

    evidence = auto_budget(found.kind, found.sharpness, window, 0) if budget is None else size - bulk_room(size)
    documents: dict[str, Document] = {}
    for number, source in enumerate(sources):
        own = [hit.path for n, hit in found.hits if n == number]
        files = source.loaded.evidence(own, evidence, _own(source, names[number], [hit.path for hit in forced]))
        documents |= source.loaded.documents(files, names[number], secrets=wishes.secrets)
    steady: list[Steady] = []
    for source, name, excluded in zip(sources, names, left_out, strict=True) if bulk_room(size) else ():
        allowed = [one for one in source.loaded.steady if not excluded(one.path)]
        steady += [one._replace(path=_shown(name, one.path)) for one in allowed] if several else allowed

    def load(paths: Sequence[str]) -> dict[str, Document]:
        loaded: dict[str, Document] = {}
        for source, name in zip(sources, names, strict=True):
            mine = [source.loaded.file_numbers[path] for path in _own(source, name, paths)]
            loaded |= source.loaded.documents(mine, name, secrets=wishes.secrets)
        return loaded

    def map_of(tokens: int) -> str:
        room = tokens // len(sources)
        maps = [
            source.loaded.map(room, patterns) if room else "" for source, patterns in zip(sources, without, strict=True)
        ]
        shown_map = _joined(names, maps)
        return shown_map if wishes.secrets else redact.redact(shown_map)[0]  # the values of constants are in it

    supply = Supply(
        hits, documents, map_of, offset, steady, load, why, found.kind, found.sharpness,
        found.strange, tuple(source.origin for source in sources),
    )  # fmt: skip
    return pack(task, supply, window, budget, style)


def _shown(name: str, path: str) -> str:
    return f"{name}/{path}" if name else path


def _own(source: Source, name: str, paths: Sequence[str]) -> list[str]:
    """Those of the paths in a pack that are of this repository, as it has them."""
    inner = [path.removeprefix(_shown(name, "")) for path in paths if path.startswith(_shown(name, ""))]
    return [path for path in inner if path in source.loaded.file_numbers]


def _spelt(name: str, path: str) -> list[str]:
    """What a path or pattern may mean in a repository: itself, and what follows the repository's name."""
    path = path.removeprefix("./")
    inner = path.removeprefix(f"{name}/") if name else path
    return [path] if inner in (path, "") else [path, f"/{inner}"]


def _any(tests: Sequence[Callable[[str], bool]]) -> Callable[[str], bool]:
    return lambda path: any(test(path) for test in tests)


def _joined(names: Sequence[str], maps: Sequence[str]) -> str:
    """The maps of several repositories, each under its name."""
    if len(maps) == 1:
        return maps[0]
    return "\n".join(f"# {name}\n{text.rstrip()}" for name, text in zip(names, maps, strict=True) if text.strip())


# --- what must go in ---------------------------------------------------------------------------


def _forced(
    sources: Sequence[Source], names: Sequence[str], wishes: Wishes, left_out: Sequence[Callable[[str], bool]]
) -> tuple[list[Hit], list[tuple[int, int]]]:
    """The hits that must go in, and the symbols in them to start from: (number of the source, row)."""
    asked = [(f"--files {wish}", _files(sources, wish, names)) for wish in wishes.files]
    asked += [(f"--symbols {wish}", _symbols(sources, wish, names)) for wish in wishes.symbols]
    if wishes.diff is not None:
        asked.append(("changed by the diff", _changed(sources, wishes.diff)))
    hits: list[Hit] = []
    seeds: list[tuple[int, int]] = []
    for what, found in asked:
        members = [source.loaded.index.view.members for source in sources]
        allowed = [one for one in found if not left_out[one.source](members[one.source][one.file].path)]
        if found and not allowed:
            raise UsageError(f"--exclude leaves out all that is asked for ({what}): give one of the two")
        hits += [_hit(sources[one.source], names[one.source], one, what) for one in allowed]
        seeds += [(one.source, one.symbol) for one in allowed if one.symbol >= 0]
    return list(dict.fromkeys(hits)), list(dict.fromkeys(seeds))


class _Wished(NamedTuple):
    """Lines that must go in."""

    source: int
    file: int
    start: int
    end: int
    symbol: int = -1  # that they are of


def _hit(source: Source, name: str, one: _Wished, why: str) -> Hit:
    view = source.loaded.index.view
    path, language = _shown(name, view.members[one.file].path), view.languages[one.file]
    return Hit(path, one.start, one.end, 1.0, (Reason("forced", why, 1.0),), language=language)


def _whole(source: Source, number: int, file: int) -> _Wished:
    return _Wished(number, file, 1, max(1, int(source.loaded.index.view.lines[file])))


def _files(sources: Sequence[Source], wish: str, names: Sequence[str]) -> list[_Wished]:
    """The files of a wish: a path, with lines or without, or a pattern. Raises NotFoundError if there are none."""
    each = list(zip(sources, names, strict=True))
    found = [one for number, (source, name) in enumerate(each) for one in _named(source, number, _spelt(name, wish))]
    found = found or [
        _whole(source, number, file)
        for number, (source, name) in enumerate(each)
        for pattern in _spelt(name, wish)
        for file in source.loaded.index.matching(pattern).nonzero()[0].tolist()
    ]
    if not found:
        where = " and ".join(source.origin.repository for source in sources)
        raise NotFoundError(f"no file of {where} is {wish!r}: give a path as `repoctx search` prints it, or a pattern")
    return found


def _named(source: Source, number: int, spellings: Sequence[str]) -> list[_Wished]:
    """The files that are named in so many words."""
    numbers, lines_of = source.loaded.file_numbers, source.loaded.index.view.lines
    found = []
    for path in (spelling.removeprefix("/") for spelling in spellings):
        lines = _LINES.fullmatch(path)
        if path in numbers:
            found.append(_whole(source, number, numbers[path]))
        elif lines and lines[1] in numbers:
            file = numbers[lines[1]]
            start, end = int(lines[2]), int(lines[3] or lines[2])
            if not 1 <= start <= end <= lines_of[file]:
                raise UsageError(f"{lines[1]} has lines 1 to {lines_of[file]}, not {start} to {end}")
            found.append(_Wished(number, file, start, end))
    return found


def _symbols(sources: Sequence[Source], wish: str, names: Sequence[str]) -> list[_Wished]:
    """The definitions of a name, in the one repository or in each that has it. Raises NotFoundError if none has.

    Of one that only adds files nothing is there to be shown.
    """
    found: list[_Wished] = []
    missing: NotFoundError | None = None
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        o = source.loaded.index.view.occurrences
        nodes: list[int] = []
        for spelling in _spelt(name, wish):
            try:
                nodes = nodes or source.loaded.graph.meant(spelling.removeprefix("/"), [])
            except NotFoundError as error:
                missing = missing or error
        for node in nodes:
            if node >= len(o.symbol_file):
                found.append(_whole(source, number, node - len(o.symbol_file)))
            else:
                span = int(o.symbol_file[node]), int(o.symbol_start[node]), int(o.symbol_end[node])
                found.append(_Wished(number, *span, node))
    if not found and missing is not None:
        raise missing
    return found


def _changed(sources: Sequence[Source], diff: str) -> list[_Wished]:
    """What a diff changes, in whichever of the repositories has it. Raises NotFoundError if none has.

    Of one that only adds files nothing is there to be shown.
    """
    found: list[_Wished] = []
    known = False
    notes: list[str] = []
    for number, source in enumerate(sources):
        o = source.loaded.index.view.occurrences
        symbols = len(o.symbol_file)
        for node, lines in sorted(source.loaded.graph.touched(diff, notes).items()):
            known = True  # though no line of it may be changed: it may be renamed
            file, symbol = (int(o.symbol_file[node]), node) if node < symbols else (node - symbols, -1)
            found += [_Wished(number, file, start, end, symbol) for start, end in _runs(lines)]
    if not known and any(change.old is not None for change in diffs.parse(diff)):  # new files are in no index
        told = notes[0] if notes else "is it the diff of another repository?"
        raise NotFoundError(f"nothing that the diff changes is in the index: {told}")
    return found


def _runs(lines: Sequence[int]) -> list[tuple[int, int]]:
    """Lines as runs without gaps."""
    runs: list[tuple[int, int]] = []
    for line in sorted(set(lines)):
        if runs and line == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], line)
        else:
            runs.append((line, line))
    return runs
