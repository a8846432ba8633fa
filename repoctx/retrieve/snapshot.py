"""What can be asked of a snapshot that is in memory? Texts, signatures, definitions, the map, evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import sqlalchemy as sa

from repoctx import tokens
from repoctx.graph.export import symbol_id
from repoctx.graph.rank import repository_map
from repoctx.pack import Document
from repoctx.parse.languages import styles
from repoctx.retrieve.index import Index
from repoctx.retrieve.questions import Graph
from repoctx.store import facts
from repoctx.store.payload import Parsed
from repoctx.types import Hit, Symbol

# A pack chooses from files of this many times its budget: what ranks lower would not get in.
PACK_CHOICE = 3


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
    def map(self) -> Callable[[int], str]:
        """Token budget -> repository map."""

        @cache
        def of_budget(budget: int) -> str:
            occurrences = self.index.view.occurrences
            signature = lambda row: self.symbol(row).signature  # noqa: E731
            return repository_map(occurrences, self.index.edges, signature, budget, tokens.count)

        return of_budget

    @cached_property
    def ids(self) -> list[str]:
        """The ids of all symbols and files, by node."""
        return symbol_id(self.index.view.occurrences)

    def definitions(self, name: str) -> list[FoundSymbol]:
        """The definitions of a name, bare or qualified, best match first; or the one at `path:line`."""
        occurrences = self.index.view.occurrences
        at = self.graph.place(name) if name.rpartition(":")[2].strip().isdecimal() else None
        rows = self.graph.named(name.strip()) if at is None else [at]
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

    def evidence(self, hits: Sequence[Hit], budget: int) -> dict[str, Document]:
        """The files that a pack of so many tokens may show: those of the best hits, by path."""
        view = self.index.view
        number = {member.path: file for file, member in enumerate(view.members)}
        files: list[int] = []
        room = PACK_CHOICE * budget
        for path in dict.fromkeys(hit.path for hit in hits):
            if room < 0:
                break
            files.append(number[path])
            room -= int(view.tokens[number[path]])
        documents = {}
        for file, (text, found, line_tokens) in self.parsed(files).items():
            path = view.members[file].path
            documents[path] = Document(path, found.language, text, found.symbols, found.chunks, line_tokens.tolist())
        return documents
