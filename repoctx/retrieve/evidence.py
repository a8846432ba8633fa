"""What does each ranker say of a query? Nothing is weighed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from repoctx.index import dense, history, lexical
from repoctx.index.history import Past
from repoctx.retrieve import fuse, names, neighbours, places
from repoctx.retrieve.diff import paths as diff_paths
from repoctx.retrieve.index import Index
from repoctx.retrieve.query import Kind, Query
from repoctx.types import Floats, Ints

# Chunks that the dense ranker has something to say of.
NEAREST = 200
# A snapshot whose likest chunk is less like the query has nothing like it. Of 396 questions about 20 repositories
# (semble/dev) one in a hundred finds no more than .41, with the built-in model and with all-MiniLM-L6-v2; strings
# without sense find .1 to .4.
UNLIKE = 0.35
# Terms of a text that is more than a question: the rarest in the snapshot. Issues of 60 to 400 terms find their
# files as well by 60 as by all (SWE-bench, soft rank 1.646 against 1.624), in a third of the time.
BODY_TERMS = 60
# Terms of a title or question.
TITLE_TERMS = 40
# Kinds of queries that are long texts; of others the title is all.
LONG: frozenset[Kind] = frozenset({"report", "trace", "diff"})
# What terms outside of the title weigh for names and messages of commits.
OUTSIDE = 0.35
# What a name weighs that stands unmarked in a long text: code in it names much that is beside the point.
UNMARKED = 0.6
# A named file's chunks score this much, beside the chunk of the named line, which scores 1.
WHOLE_FILE = 0.4
# The n-th frame from the innermost one in the repository weighs 1 / (1 + n / 2).
FRAME_HALVING = 0.5
# Places of a diff that are looked at, the first ones: a larger change is one of everything.
MOST_HUNKS = 500
# Symbols from which the graph is walked, and files from which co-change is looked at.
SEEDS = 60


@dataclass(eq=False)
class Evidence:
    """What rankers say, each in 0..1. F files, D chunks, S symbols."""

    factors: Floats  # (F,) by the roles of files
    chunk: dict[str, Floats] = field(default_factory=dict)  # (D,)
    file: dict[str, Floats] = field(default_factory=dict)  # (F,)
    symbol: dict[str, Floats] = field(default_factory=dict)  # (S,)
    named: dict[int, int] = field(default_factory=dict)  # chunk -> the symbol in it that the query names
    terms: dict[str, list[lexical.Found]] = field(default_factory=dict)  # what rankers of words saw, the rarest first
    places: dict[str, list[places.Place]] = field(default_factory=dict)  # what rankers of places saw, the surest first
    commits: list[int] = field(default_factory=list)  # those that resemble the query, best first
    peak: dict[str, float] = field(default_factory=dict)  # ranker -> its best score before it was scaled

    def scaled(self, ranker: str, scores: Floats) -> Floats:
        """What a ranker says, in 0..1; how much that was is noted, for answers over several snapshots."""
        self.peak[ranker] = float(scores.max(initial=0.0))
        return fuse.scaled(scores)


def gather(index: Index, query: Query) -> Evidence:
    """What can be said from the query alone."""
    long = query.kind in LONG
    asked = frozenset({"tests"}) if query.about_tests and not long else frozenset()
    found = Evidence(index.factors(query.kind, asked).copy())
    title = query.title_terms if long and query.title_terms else query.terms
    _words(index, found, "lexical", dict.fromkeys(title, 1.0), TITLE_TERMS, forms=True)
    if long:
        _words(index, found, "body", dict.fromkeys(query.terms, 1.0), BODY_TERMS, forms=False)
    _likeness(index, found, query.title if long else query.text)
    weights = {term: 1.0 if not long or term in title else OUTSIDE for term in query.terms}
    _names(index, found, names.stem_weights(weights))
    _written_names(index, found, query)
    _places(index, found, query)
    found.file["central"] = index.central
    if index.past is not None:
        _past(index.past, found, weights)
    found.symbol |= index.habits
    return found


def _file_ranker(index: Index, found: Evidence, name: str, scores: Floats) -> None:
    """What a ranker of chunks says of whole files."""
    files = fuse.file_scores(scores, index.view.chunks.file, len(index.view.members))
    found.file[f"{name} file"] = found.scaled(f"{name} file", files)


def _words(
    index: Index, found: Evidence, name: str, weights: Mapping[str, float], most: int, *, forms: bool
) -> None:
    scores, terms = lexical.score(index.corpus, weights, most, forms)
    if terms:
        found.chunk[name] = found.scaled(name, scores)
        found.terms[name] = sorted(terms, key=lambda one: (-one.rarity, one.term))
        _file_ranker(index, found, name, scores)


def _likeness(index: Index, found: Evidence, text: str) -> None:
    if index.dense is None:
        return
    embedder, nearby = index.dense
    rows, likeness = dense.search(nearby, embedder.query(text), NEAREST)
    if len(rows) and likeness[0] >= UNLIKE:
        near: Floats = np.zeros(len(index.view.chunks.file), np.float32)
        near[rows] = fuse.spread(likeness, NEAREST)
        found.chunk["dense"] = near
        _file_ranker(index, found, "dense", near)
        found.peak["dense"] = found.peak["dense file"] = float(likeness[0])


def _names(index: Index, found: Evidence, weights: Mapping[str, float]) -> None:
    """Words of the query in the names of symbols and of files."""
    rows, scores = names.symbols(index.names, weights)
    if len(rows):
        found.symbol["names"] = fuse.scaled(_at(rows, scores, len(index.view.occurrences.symbol_file)))
        chunk: Floats = np.zeros(len(index.view.chunks.file), np.float32)
        np.maximum.at(chunk, index.symbols.first[rows], scores)
        found.chunk["names"] = found.scaled("names", chunk)
        _file_ranker(index, found, "names", chunk)
    files = names.files(index.names, weights)
    if files.any():
        found.file["file name"] = found.scaled("file name", files)


def _at(rows: Ints, scores: Floats, size: int) -> Floats:
    """Scores at rows of an array of zeros."""
    spread: Floats = np.zeros(size, np.float32)
    spread[rows] = scores
    return spread


def _written_names(index: Index, found: Evidence, query: Query) -> None:
    """Names of the query that are those of symbols."""
    marked = set(query.marked)
    unmarked = UNMARKED if query.kind in LONG else 1.0
    sure = {name: 1.0 if name in marked else unmarked for name in query.identifiers}
    functions = {frame.function: 1.0 for frame in query.frames if frame.function}
    named = names.written_out(index.view.occurrences, functions | sure)
    if not named:
        return
    rows = np.fromiter(named, np.int32, len(named))
    scores = np.fromiter(named.values(), np.float32, len(named))
    found.symbol["symbol"] = fuse.scaled(_at(rows, scores, len(index.view.occurrences.symbol_file)))
    chunk: Floats = np.zeros(len(index.view.chunks.file), np.float32)
    places = index.symbols.first[rows]
    np.add.at(chunk, places, scores)
    found.chunk["symbol"] = found.scaled("symbol", chunk)
    found.named |= {int(place): int(row) for place, row in zip(places[::-1], rows[::-1], strict=True)}
    _file_ranker(index, found, "symbol", chunk)
    files = index.view.occurrences.symbol_file[rows]
    if query.failing or (query.kind not in LONG and not (found.factors[files] == 1).any()):
        _lift(found, files)


def _lift(found: Evidence, files: Ints) -> None:
    """A file that a question points at, and at none of another role, is no less for its role.

    Reports name tests and examples by the way.
    """
    found.factors[files] = np.maximum(found.factors[files], 1)


def _places(index: Index, found: Evidence, query: Query) -> None:
    """Paths, the lines that a diff changes, and frames."""
    framed = {(frame.path, frame.line) for frame in query.frames}
    changed = [
        (path, (hunk.old if side == "before" else hunk.new) + len(hunk.rows) // 2)
        for change in query.changes
        for path, side in diff_paths(change)
        for hunk in change.hunks
    ][:MOST_HUNKS]
    written = [place for place in query.paths if place not in framed] + changed
    pointed = list(places.places(index.files_by_name, written))
    _placed(index, found, "path", pointed)
    if query.kind not in LONG:
        _lift(found, np.array([place.file for place in pointed if place.weight == 1], np.int32))
    frames = [frame for frame in query.frames if frame.path]
    shown = places.places(index.files_by_name, [(frame.path, frame.line) for frame in frames], FRAME_HALVING)
    _placed(index, found, "frame", [_now(index, place, frames[place.number].function) for place in shown])


def _now(index: Index, place: places.Place, function: str) -> places.Place:
    """A frame of another version: the function it names is where it is now, not where it was."""
    o = index.view.occurrences
    name = function.rpartition(".")[2]
    first, end = np.searchsorted(o.symbol_file, [place.file, place.file + 1])
    rows = [row for row in range(int(first), int(end)) if o.names[o.symbol_name[row]] == name]
    if not rows or any(o.symbol_start[row] <= place.line <= o.symbol_end[row] for row in rows):
        return place
    nearest = min(rows, key=lambda row: (abs(int(o.symbol_name_line[row]) - place.line), row))
    return place._replace(line=int(o.symbol_name_line[nearest]))


def _placed(index: Index, found: Evidence, name: str, pointed: list[places.Place]) -> None:
    scores: Floats = np.zeros(len(index.view.chunks.file), np.float32)
    for place in pointed:
        start, end = index.view.chunks.file_offset[place.file : place.file + 2]
        if start == end:
            continue
        weight = np.float32(place.weight)
        scores[start:end] = np.maximum(scores[start:end], np.float32(WHOLE_FILE) * weight)
        at = index.chunk_at(place.file, place.line) if 0 < place.line <= index.view.lines[place.file] else int(start)
        scores[at] = max(scores[at], weight)
    if scores.any():
        found.chunk[name] = scores
        found.places[name] = sorted(pointed, key=lambda place: -place.weight)


def _past(past: Past, found: Evidence, weights: Mapping[str, float]) -> None:
    """What commits like the query touched, and what is often changed."""
    resembling = history.resembling(past, weights)
    if resembling is not None:
        found.chunk["history"] = fuse.scaled(resembling.chunks)
        found.file["history file"] = fuse.scaled(resembling.files)
        found.peak["history"] = found.peak["history file"] = resembling.best
        found.commits = resembling.commits
    found.file["fixes"] = fuse.scaled(past.columns["file.changed"])


# --- what follows from what was found ----------------------------------------------------------


def widen(index: Index, found: Evidence, seeds: Ints, scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """What is near to the best symbols in the graph, and changed together with their files. Best first."""
    if len(seeds):
        symbols = len(index.view.occurrences.symbol_file)
        above = scores - scores[-1] if len(scores) > 1 else scores
        reached = np.round(neighbours.spread(index.steps, seeds, above), fuse.DECIMALS + 2)
        near = reached[:symbols].astype(np.float32)
        files = np.bincount(index.view.occurrences.symbol_file, near, len(index.view.members)) + reached[symbols:]
        found.symbol["graph"] = fuse.scaled(near)
        found.file["graph"] = fuse.scaled(files.astype(np.float32))
        found.peak["graph"] = found.peak["together"] = float(scores[0])
    if index.past is not None:
        best = list(dict.fromkeys(index.view.occurrences.symbol_file[seeds].tolist()))[: history.SEEDS]
        share = [1 / (1 + n) for n in range(len(best))]
        found.file["together"] = fuse.scaled(history.together(index.past, best, share))
