"""What does one snapshot look like, put together from segments?

A view is the columns of a snapshot's files in path order. Its rows depend on the snapshot alone,
never on how the segments came to be: that is what makes answers the same after any history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.spans import ranges
from repoctx.store.columns import FIELDS, SCHEMA, Columns, covered, places, spans, strings, unite
from repoctx.store.payload import Key, key_bytes
from repoctx.store.snapshots import Member
from repoctx.types import FLOWS, Bytes, Ints, Occurrences

# Where the target of a flow is a row, by kind of flow.
_TARGETS = ("symbol", "local", "reference")
_TARGET = np.array([2 if kind == "argument" else kind.startswith("local") for kind in FLOWS], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """The chunks of a snapshot; D rows, by path and then by position in the file."""

    file: Ints  # D, index into paths
    file_offset: NDArray[np.int64]  # F + 1, the rows of file f are file_offset[f]:file_offset[f + 1]
    start_line: Ints
    end_line: Ints
    start_byte: Ints
    end_byte: Ints
    symbol: Ints  # row of the symbol in the occurrences, -1 if none
    length: NDArray[np.uint16]  # (D, fields), terms in each of columns.FIELDS


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One snapshot. F files, D chunks, S symbols."""

    members: Sequence[Member]  # F, by path
    languages: Sequence[str]  # F, as found in the content
    tokens: Ints  # F
    lines: Ints  # F
    errors: Ints  # F
    chunks: Chunks
    occurrences: Occurrences
    segments: Sequence[Columns]
    chunk_rows: Sequence[tuple[NDArray[np.int64], Ints]]  # per segment: offsets by chunk, chunk rows


class Lookup(NamedTuple):
    """Looks up terms in the chunks of a snapshot."""

    count: Callable[[str], int]  # how many chunk rows hold a term
    find: Callable[[str], tuple[Ints, Bytes]]  # which, each once, and (rows, fields) how often


def lookup(view: View) -> Lookup:
    """The terms of a snapshot."""
    numbers = [{term: at for at, term in enumerate(strings(segment, "terms"))} for segment in view.segments]
    parts = list(zip(view.segments, numbers, view.chunk_rows, strict=True))
    nothing = np.empty(0, np.int32), np.empty((0, len(FIELDS)), np.uint8)

    def found(term: str) -> list[tuple[Columns, slice, NDArray[np.int64], NDArray[np.int64], Ints]]:
        wanted = term.encode()
        places = []
        for segment, number, (offsets, flat) in parts:
            if wanted in number:
                at = number[wanted]
                span = slice(segment["posting.offset"][at], segment["posting.offset"][at + 1])
                chunk = segment["posting.chunk"][span]
                first = offsets[chunk]
                places.append((segment, span, first, offsets[chunk + 1] - first, flat))
        return places

    def count(term: str) -> int:
        return sum(int(shown.sum()) for _, _, _, shown, _ in found(term))

    def find(term: str) -> tuple[Ints, Bytes]:
        places = found(term)
        if not places:
            return nothing
        rows = [flat[ranges(first, shown)] for _, _, first, shown, flat in places]
        frequency = [np.repeat(s["posting.frequency"][span], shown, axis=0) for s, span, _, shown, _ in places]
        return (rows[0], frequency[0]) if len(places) == 1 else (np.concatenate(rows), np.concatenate(frequency))

    return Lookup(count, find)


def missing(members: Sequence[Member], segments: Sequence[Columns]) -> list[Key]:
    """The keys of a snapshot that no segment covers."""
    present = covered(segments)
    return sorted({m.key for m in members if key_bytes(m.key) not in present})


def view(members: Sequence[Member], segments: Sequence[Columns]) -> View:
    """Put a snapshot together. Every key of its members must be covered."""
    gather = _Gather(segments, *places(segments, [key_bytes(member.key) for member in members]))
    occurrences = _occurrences([m.path for m in members], gather)
    symbol_offset = gather.offsets("symbol")
    chunk_offset = gather.offsets("chunk")
    chunk_file = gather.files("chunk")
    chunks = Chunks(
        chunk_file,
        chunk_offset,
        gather.column("chunk", "start_line"),
        gather.column("chunk", "end_line"),
        gather.column("chunk", "start_byte"),
        gather.column("chunk", "end_byte"),
        _shift(gather.column("chunk", "symbol"), symbol_offset, chunk_file),
        gather.column("chunk", "length"),
    )
    return View(
        members,
        occurrences.languages,
        gather.column("blob", "tokens"),
        gather.column("blob", "lines"),
        gather.column("blob", "errors"),
        chunks,
        occurrences,
        segments,
        [gather.chunk_rows(number) for number in range(len(segments))],
    )


class _Gather:
    """Columns of the files at (segment, row), in file order."""

    def __init__(self, segments: Sequence[Columns], segment: NDArray[np.int64], row: NDArray[np.int64]) -> None:
        self.segments, self.segment, self.row = segments, segment, row
        names, self.name_maps = unite(segments, "names")
        self.names = [name.decode() for name in names]
        self._start: dict[str, NDArray[np.int64]] = {}
        self._count: dict[str, NDArray[np.int64]] = {}
        for table in SCHEMA:
            self._start[table], self._count[table] = spans(segments, table, segment, row)
        self._bases = {
            table: np.cumsum([0, *(len(s[f"{table}.{next(iter(SCHEMA[table]))}"]) for s in segments)])
            for table in SCHEMA
        }

    def offsets(self, table: str) -> NDArray[np.int64]:
        """F + 1 offsets: where each file's rows begin."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self._count[table])])

    def files(self, table: str) -> Ints:
        """The file of each row."""
        return np.repeat(np.arange(len(self.row), dtype=np.int32), self._count[table])

    def column(self, table: str, column: str) -> NDArray[Any]:
        """One column in file order; names become indices into the united pool."""
        arrays = [segment[f"{table}.{column}"] for segment in self.segments]
        if SCHEMA[table].get(column) == "name":
            arrays = [name_map[array] for name_map, array in zip(self.name_maps, arrays, strict=True)]
        if not arrays:
            return np.empty((0, len(FIELDS)) if column == "length" else 0, np.int32)
        whole = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
        base = self._bases[table][self.segment]
        return whole[ranges(base + self._start[table], self._count[table])]

    def chunk_rows(self, number: int) -> tuple[NDArray[np.int64], Ints]:
        """For each chunk of a segment the rows of the view that show it (several for a repeated blob)."""
        mine = self.segment == number
        count = np.where(mine, self._count["chunk"], 0)
        rows = ranges(self.offsets("chunk")[:-1], count).astype(np.int32)
        chunk = ranges(self._start["chunk"], count)
        offsets = np.zeros(len(self.segments[number]["chunk.symbol"]) + 1, np.int64)
        np.cumsum(np.bincount(chunk, minlength=len(offsets) - 1), out=offsets[1:])
        return offsets, rows[np.argsort(chunk, kind="stable")]


def _shift(local: NDArray[Any], offsets: NDArray[np.int64], file: Ints) -> Ints:
    """Blob-local row numbers as rows of the view; -1 stays."""
    rows: Ints = np.where(local < 0, -1, local + offsets[file]).astype(np.int32)
    return rows


def _occurrences(paths: list[str], gather: _Gather) -> Occurrences:
    symbol_offset = gather.offsets("symbol")
    symbol_file, reference_file = gather.files("symbol"), gather.files("reference")
    local_file, flow_file = gather.files("local"), gather.files("flow")
    return Occurrences(
        paths=paths,
        languages=[gather.names[i] for i in gather.column("blob", "language")] if paths else [],
        names=gather.names,
        symbol_file=symbol_file,
        symbol_kind=gather.column("symbol", "kind"),
        symbol_name=gather.column("symbol", "name"),
        symbol_descriptor=gather.column("symbol", "descriptor"),
        symbol_start=gather.column("symbol", "start"),
        symbol_end=gather.column("symbol", "end"),
        symbol_name_line=gather.column("symbol", "name_line"),
        symbol_name_column=gather.column("symbol", "name_column"),
        symbol_parent=_shift(gather.column("symbol", "parent"), symbol_offset, symbol_file),
        reference_file=reference_file,
        reference_role=gather.column("reference", "role"),
        reference_name=gather.column("reference", "name"),
        reference_qualifier=gather.column("reference", "qualifier"),
        reference_line=gather.column("reference", "line"),
        reference_column=gather.column("reference", "column"),
        reference_scope=_shift(gather.column("reference", "scope"), symbol_offset, reference_file),
        import_file=gather.files("import"),
        import_module=gather.column("import", "module"),
        import_name=gather.column("import", "name"),
        import_alias=gather.column("import", "alias"),
        import_line=gather.column("import", "line"),
        import_column=gather.column("import", "column"),
        local_file=local_file,
        local_name=gather.column("local", "name"),
        local_scope=_shift(gather.column("local", "scope"), symbol_offset, local_file),
        local_position=gather.column("local", "position"),
        flow_file=flow_file,
        flow_kind=gather.column("flow", "kind"),
        flow_target=_flow_targets(gather, flow_file),
        flow_key=gather.column("flow", "key"),
        flow_value=gather.column("flow", "value"),
        flow_depth=gather.column("flow", "depth"),
        flow_scope=_shift(gather.column("flow", "scope"), symbol_offset, flow_file),
        setting_file=gather.files("setting"),
        setting_key=gather.column("setting", "key"),
        setting_value=gather.column("setting", "value"),
    )


def _flow_targets(gather: _Gather, file: Ints) -> Ints:
    """Rows of the symbols, locals and references that flows are about."""
    offsets = np.stack([gather.offsets(table) for table in _TARGETS])
    place = offsets[_TARGET[gather.column("flow", "kind")], file]
    rows: Ints = (gather.column("flow", "target") + place).astype(np.int32)
    return rows
