"""What follows from blobs' bytes alone? The pure work of indexing, done in worker processes.

`derive` takes raw blobs and gives what the store keeps: rows for the database (text, facts and where its
secrets are, or a skip) and the columns of a segment. It needs no disk, no database and no order, so any
`concurrent.futures.Executor` can run it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from repoctx import redact, tokens
from repoctx.index.lexical import postings
from repoctx.parse import parse
from repoctx.parse.languages import decode
from repoctx.source.filter import content_skip
from repoctx.store.columns import SCHEMA, Columns, pool
from repoctx.store.payload import Key, Row, compress, encode, key_bytes, skip_text
from repoctx.types import FLOWS, KINDS, ROLES, Facts, Skip

# CPU seconds one call may take before the process is killed by the kernel: a grammar that stalls
# holds the interpreter lock, so nothing in Python could stop it. A megabyte of source parses in 0.2 s.
CPU_LIMIT = 30.0

_KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
_ROLE_CODE = {role: code for code, role in enumerate(ROLES)}
_FLOW_CODE = {kind: code for code, kind in enumerate(FLOWS)}


class Derived(NamedTuple):
    """What a batch of blobs yields."""

    rows: list[Row]
    columns: Columns | None  # None if every blob is skipped
    failed: Sequence[tuple[Key, Skip]] = ()  # what failed in this run and is not a fact about the content


class Document(NamedTuple):
    """One blob on its way into a segment."""

    key: Key
    text: bytes
    facts: Facts
    line_tokens: np.ndarray[tuple[int], np.dtype[np.uint32]]


def derive(batch: Sequence[tuple[Key, bytes]], cpu_limit: float = CPU_LIMIT) -> Derived:
    """Parse, count and index a batch of raw blobs. The process dies if it takes too much CPU."""
    previous = signal.setitimer(signal.ITIMER_PROF, cpu_limit)[0] if cpu_limit else 0.0
    try:
        return _derive(batch)
    finally:
        if cpu_limit:
            signal.setitimer(signal.ITIMER_PROF, previous)


def _derive(batch: Sequence[tuple[Key, bytes]]) -> Derived:
    rows, documents = [], []
    for key, raw in batch:
        if (skip := content_skip(raw)) is not None:
            rows.append(skipped(key, Skip("", *skip)))
            continue
        text = decode(raw)
        try:
            found = parse(key.language, text)
            whole = text.decode()
            secrets = redact.secrets(whole)
            line_tokens = tokens.line_counts(tokens.neutralise(redact.without(whole, secrets)))
        except MemoryError:
            raise  # says nothing about the content
        except Exception as error:  # a bug of ours or of a grammar costs one file, not the run
            rows.append(skipped(key, Skip("", "crashed the parser", f"{type(error).__name__}: {error}"[:200])))
            continue
        documents.append(Document(key, text, found, line_tokens))
        compressed = compress(text)
        rows.append(Row(key, len(text), compressed, None, encode(found, line_tokens, secrets)))
    return Derived(rows, columns(documents) if documents else None)


def skipped(key: Key, skip: Skip) -> Row:
    """The row of a blob that is left out for its content."""
    return Row(key, 0, b"", skip_text(skip), b"")


# --- columns -----------------------------------------------------------------------------------


def columns(documents: Sequence[Document]) -> Columns:
    """The segment of some blobs."""
    result: Columns = {}
    result["keys.bytes"], result["keys.offset"] = pool([key_bytes(d.key) for d in documents])
    names = _Names()
    blob = [(names(d.facts.language), int(d.line_tokens.sum()), len(d.line_tokens), d.facts.errors) for d in documents]
    symbol = [
        (
            _KIND_CODE[s.kind],
            names(s.name),
            names(s.descriptor),
            s.start_line,
            s.end_line,
            s.name_line,
            s.name_column,
            s.parent,
        )
        for d in documents
        for s in d.facts.symbols
    ]
    reference = [
        (_ROLE_CODE[r.role], names(r.name), names(r.qualifier), r.line, r.column, r.scope)
        for d in documents
        for r in d.facts.references
    ]
    imported = [
        (names(i.module), names(i.name), names(i.alias), i.line, i.column) for d in documents for i in d.facts.imports
    ]
    local = [(names(v.name), v.scope, v.position) for d in documents for v in d.facts.locals]
    flow = [
        (_FLOW_CODE[f.kind], f.target, names(f.key), names(f.value), f.depth, f.scope)
        for d in documents
        for f in d.facts.flows
    ]
    setting = [(names(s.key), names(s.value)) for d in documents for s in d.facts.settings]
    chunk = [c for d in documents for c in d.facts.chunks]
    ordered, order = names.pool()
    tables: tuple[tuple[str, Sequence[tuple[int, ...]], Callable[[Facts], int]], ...] = (
        ("blob", blob, lambda _: 1),
        ("chunk", chunk, lambda f: len(f.chunks)),
        ("symbol", symbol, lambda f: len(f.symbols)),
        ("reference", reference, lambda f: len(f.references)),
        ("import", imported, lambda f: len(f.imports)),
        ("local", local, lambda f: len(f.locals)),
        ("flow", flow, lambda f: len(f.flows)),
        ("setting", setting, lambda f: len(f.settings)),
    )
    for table, rows, count in tables:
        result[f"{table}.offset"] = np.cumsum([0, *(count(d.facts) for d in documents)], dtype=np.int64)
        whole = np.array(rows, np.int32).reshape(len(rows), len(SCHEMA[table]))
        for number, (column, dtype) in enumerate(SCHEMA[table].items()):
            values = whole[:, number]
            result[f"{table}.{column}"] = order[values] if dtype == "name" else values.astype(dtype)
    result["names.bytes"], result["names.offset"] = pool(ordered)
    return result | _postings(documents)


class _Names:
    """Numbers for strings as they come, and the sorted pool afterwards."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def __call__(self, name: str) -> int:
        return self._number.setdefault(name, len(self._number))

    def pool(self) -> tuple[list[bytes], np.ndarray[tuple[int], np.dtype[np.int32]]]:
        """The strings as UTF-8, sorted, and for each number its string's place there."""
        encoded = [name.encode() for name in self._number]
        ordered = sorted(encoded)
        place = {name: i for i, name in enumerate(ordered)}
        return ordered, np.fromiter(map(place.__getitem__, encoded), np.int32, len(encoded))


def _postings(documents: Sequence[Document]) -> Columns:
    """The postings of some blobs; a symbol's name, signature and doc count for the chunk it is named in."""
    name: list[tuple[int, bytes]] = []
    signature: list[tuple[int, bytes]] = []
    doc: list[tuple[int, bytes]] = []
    body: list[tuple[int, bytes]] = []
    number = 0
    for document in documents:
        start_lines: list[int] = []
        for chunk in document.facts.chunks:
            body.append((number + len(start_lines), document.text[chunk.start_byte : chunk.end_byte]))
            start_lines.append(chunk.start_line)
        if document.facts.symbols:
            at = np.searchsorted(start_lines, [s.name_line for s in document.facts.symbols], "right") - 1
            for place, symbol in zip((at + number).tolist(), document.facts.symbols, strict=True):
                name.append((place, symbol.name.encode()))
                signature.append((place, symbol.signature.encode()))
                if symbol.doc:
                    doc.append((place, symbol.doc.encode()))
        number += len(start_lines)
    found = postings((name, signature, doc, body), number)
    result: Columns = {
        "posting.offset": found.offset,
        "posting.chunk": found.chunk,
        "posting.frequency": found.frequency,
        "chunk.length": found.length,
    }
    result["terms.bytes"], result["terms.offset"] = pool(found.terms)
    return result
