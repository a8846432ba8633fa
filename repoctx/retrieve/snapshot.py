"""What can be asked of a snapshot that is in memory? Texts, signatures, definitions, the map, evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from repoctx import redact, tokens
from repoctx.graph.export import symbol_id
from repoctx.graph.rank import repository_map
from repoctx.pack import Document
from repoctx.pack.bulk import Steady
from repoctx.pack.fit import LARGE, OPEN, OPEN_BUDGETS
from repoctx.parse.languages import styles
from repoctx.retrieve.index import Index
from repoctx.retrieve.questions import Graph
from repoctx.store import facts
from repoctx.store.payload import Parsed
from repoctx.types import Symbol

# What a test, an example or a vendored file is worth where no task asks for it, beside its use by others.
SUPPORTING = 0.02
# Maps of a snapshot that are kept: one for each budget.
MAPS = 32
# Files whose signatures are kept for pictures of the graph.
SIGNED = 2000


class FoundSymbol(NamedTuple):
    """A definition."""

    id: str
    path: str
    name: str
    qualified_name: str
    kind: str
    start_line: int
    end_line: int
    signature: str
    doc: str


@dataclass(frozen=True, eq=False)
class Loaded:
    """A snapshot in memory, kept warm between questions."""

    index: Index
    engine: sa.Engine

    def parsed(self, files: Sequence[int]) -> dict[int, Parsed]:
        """Text and facts of some files, by file number."""
        members = self.index.view.members
        keys = {members[file].key for file in files}
        with self.engine.connect() as connection:
            found = dict(facts.read(connection, sorted(keys)))
        return {file: found[members[file].key] for file in files}

    @cached_property
    def symbol(self) -> Callable[[int], Symbol]:
        """Symbol row -> the symbol with its signature and doc; facts are read file by file as asked for."""
        occurrences = self.index.view.occurrences
        first = occurrences.symbol_file.searchsorted(range(len(occurrences.paths)))

        @cache
        def of_file(file: int) -> Sequence[Symbol]:
            return self.parsed([file])[file].facts.symbols

        def symbol(row: int) -> Symbol:
            file = int(occurrences.symbol_file[row])
            return of_file(file)[row - int(first[file])]

        return symbol

    @cached_property
    def map(self) -> Callable[..., str]:
        """Token budget, and patterns of paths that are left out -> repository map.

        Without lines, which a pack does not show: a change above a symbol then leaves the map as it is.
        """

        @lru_cache(MAPS)
        def of_budget(budget: int, without: tuple[str, ...] = (), lines: bool = False) -> str:
            occurrences = self.index.view.occurrences
            signature = lambda row: self.symbol(row).signature if lines else self._shown_signature(row)  # noqa: E731
            left_out = np.zeros(len(occurrences.paths), np.bool_)
            for pattern in without:
                left_out |= self.index.matching(pattern)
            return repository_map(
                occurrences, self.index.edges, signature, budget, tokens.count, lines=lines, without=left_out
            )

        return of_budget

    def _shown_signature(self, row: int) -> str:
        """The signature of a symbol, or its name alone where there is a secret in what the signature was made of."""
        return _shown(self.symbol(row), self._secret_lines(int(self.index.view.occurrences.symbol_file[row])))

    def signatures(self, rows: Sequence[int]) -> dict[int, str]:
        """The signatures of some symbols, by row; the bare name where there is a secret in what one was made of."""
        o, known = self.index.view.occurrences, self._signed
        files = {row: int(o.symbol_file[row]) for row in rows}
        if len(known) + len(files) > SIGNED:
            known.clear()
        for file, one in self.parsed(sorted(set(files.values()) - known.keys())).items():
            secret = [one.text.count("\n", 0, span.start) + 1 for span in one.secrets]
            known[file] = [_shown(symbol, secret) for symbol in one.facts.symbols]
        return {row: known[file][row - int(o.symbol_file.searchsorted(file))] for row, file in files.items()}

    @cached_property
    def _signed(self) -> dict[int, list[str]]:
        """Signatures by file, of the files asked for lately."""
        return {}

    @cached_property
    def _secret_lines(self) -> Callable[[int], list[int]]:
        """File -> the lines on which its secrets begin."""

        @cache
        def of_file(file: int) -> list[int]:
            one = self.parsed([file])[file]
            return [one.text.count("\n", 0, span.start) + 1 for span in one.secrets]

        return of_file

    @cached_property
    def ids(self) -> list[str]:
        """The ids of all symbols and files, by node."""
        return symbol_id(self.index.view.occurrences)

    def definitions(self, name: str) -> list[FoundSymbol]:
        """The definitions of a name, bare or qualified, best match first; or the one at `path:line`."""
        occurrences = self.index.view.occurrences
        at = self.graph.place(name) if name.rpartition(":")[2].strip().isdecimal() else None
        rows = self.graph.named(self.graph.without_spaces(name)) if at is None else [at]
        found = []
        for row in (row for row in rows if row < len(occurrences.symbol_file)):
            path, s = occurrences.paths[occurrences.symbol_file[row]], self.symbol(row)
            span = (s.start_line, s.end_line, s.signature, s.doc)
            found.append(FoundSymbol(self.ids[row], path, s.name, s.descriptor, s.kind, *span))
        return found

    @cached_property
    def graph(self) -> Graph:
        """The symbol graph, ready for questions."""
        view = self.index.view

        def texts(files: Sequence[int]) -> dict[int, str]:
            return {file: found.text for file, found in self.parsed(files).items()}

        return Graph(view.occurrences, self.index.edges, self.ids, view.lines.tolist(), texts, styles())

    def evidence(self, paths: Sequence[str], budget: int, needed: Sequence[str] = ()) -> list[int]:
        """The files that a pack of so many tokens may show: those of the best hits, and all that are needed."""
        tokens = self.index.view.tokens
        files: list[int] = [self.file_numbers[path] for path in dict.fromkeys(needed)]
        room = OPEN + OPEN_BUDGETS * budget
        for path in dict.fromkeys(paths):
            if room < 0:
                break
            files.append(self.file_numbers[path])
            room -= min(int(tokens[self.file_numbers[path]]), max(budget, LARGE))
        return list(dict.fromkeys(files))

    def documents(self, files: Sequence[int], repository: str = "", *, secrets: bool = False) -> dict[str, Document]:
        """Some files as a pack shows them, by path: under the repository's name if that is given.

        Without their secrets, unless those are asked for.
        """
        view, changed = self.index.view, self.index.lateness
        keys = {view.members[file].key for file in files}
        with self.engine.connect() as connection:
            found = dict(facts.read_shown(connection, sorted(keys)))
        shown = {}
        for file in files:
            member, one = view.members[file], found[view.members[file].key]
            path = f"{repository}/{member.path}" if repository else member.path
            text, counts = one.text, one.line_tokens
            kinds = tuple((text.count("\n", 0, span.start) + 1, span.kind) for span in one.secrets)
            if kinds and secrets:
                counts, kinds = tokens.line_counts(tokens.neutralise(text)), ()
            elif kinds:
                text = redact.without(text, one.secrets)
            shown[path] = Document(
                path, one.language, text, one.symbols, one.chunks, counts.tolist(), one.imports,
                int(changed[file]), repository, kinds,
            )  # fmt: skip
        return shown

    @cached_property
    def file_numbers(self) -> dict[str, int]:
        """The number of each file, by path."""
        return {member.path: file for file, member in enumerate(self.index.view.members)}

    @cached_property
    def steady(self) -> list[Steady]:
        """What may stand in a pack whatever its task: every file, what only supports others for next to nothing."""
        index = self.index
        view, changed = index.view, index.lateness.tolist()
        supporting = [role is not None for role in index.roles]
        worth = np.where(supporting, SUPPORTING * index.ranks, index.ranks).tolist()
        return [
            Steady(member.path, tokens, lines, value, late)
            for member, tokens, lines, value, late in zip(
                view.members, view.tokens.tolist(), view.lines.tolist(), worth, changed, strict=True
            )
            if tokens
        ]


def _shown(symbol: Symbol, secret: Sequence[int]) -> str:
    """The signature of a symbol, or its name alone where one of the lines on which secrets begin is in its head."""
    last = symbol.body_line - 1 if symbol.body_line else symbol.end_line
    return symbol.name if any(symbol.start_line <= line <= last for line in secret) else symbol.signature
