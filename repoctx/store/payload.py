"""What does the database keep of a blob, and how is it written down?

A facts payload is zlib(msgpack([language, symbols, references, imports, chunks, errors, locals, flows,
settings, tokens, secrets])) with the rows as arrays in the field order of `repoctx.types`, `tokens` as little-endian
uint32, one per line (see `repoctx.tokens.line_counts`), and `secrets` as arrays of start, end and kind, in order. The
tokens are those of the text without its secrets, neutralised. This module needs no database: workers load it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple, cast

import msgpack
import numpy as np
from numpy.typing import NDArray

from repoctx.redact import Span
from repoctx.types import Chunk, Facts, Flow, Import, Local, Reference, Setting, Skip, SkipReason, Symbol

# Speed over size: level 1 compresses source code about fourfold at over 100 MB/s.
COMPRESSION = 1


class Key(NamedTuple):
    """What facts are addressed by."""

    blob: str
    language: str  # what the path says; "auto" where it says nothing
    version: str  # parser version


def key_bytes(key: Key) -> bytes:
    """A key as it stands in a segment's `keys` pool."""
    return "\0".join(key).encode()


class Row(NamedTuple):
    """One blob as it is stored: either a skip, or text and facts."""

    key: Key
    size: int  # bytes of the text
    text: bytes  # compressed
    skip: str | None
    payload: bytes


class Parsed(NamedTuple):
    """One blob as it is read back."""

    text: str
    facts: Facts
    line_tokens: NDArray[np.uint32]
    secrets: tuple[Span, ...]  # characters of the text


class Shown(NamedTuple):
    """What a prompt needs of a blob: its text, and that part of its facts."""

    text: str
    language: str
    symbols: Sequence[Symbol]
    chunks: Sequence[Chunk]
    imports: Sequence[Import]
    line_tokens: NDArray[np.uint32]
    secrets: tuple[Span, ...]  # characters of the text


def encode(found: Facts, line_tokens: NDArray[np.uint32], secrets: Sequence[Span]) -> bytes:
    """Facts as a payload."""
    packed = msgpack.packb([*found, line_tokens.astype("<u4").tobytes(), secrets])
    return zlib.compress(cast(bytes, packed), COMPRESSION)


def parsed(text: bytes, payload: bytes) -> Parsed:
    """A blob from its text and its payload, as they are stored."""
    language, symbols, references, imports, chunks, errors, local, flows, settings, tokens, secrets = msgpack.unpackb(
        zlib.decompress(payload), use_list=False
    )
    found = Facts(
        language,
        list(map(Symbol._make, symbols)),
        list(map(Reference._make, references)),
        list(map(Import._make, imports)),
        list(map(Chunk._make, chunks)),
        errors,
        list(map(Local._make, local)),
        list(map(Flow._make, flows)),
        list(map(Setting._make, settings)),
    )
    return Parsed(_text(text), found, np.frombuffer(tokens, "<u4"), tuple(map(Span._make, secrets)))


def shown(text: bytes, payload: bytes) -> Shown:
    """The same for a prompt: of the rows that it has no use for nothing is made, which takes a fifth of the time."""
    packed = zlib.decompress(payload)
    # As a stream, whose parts can be skipped.
    stream = msgpack.Unpacker(use_list=False, max_buffer_size=len(packed))
    stream.feed(packed)
    stream.read_array_header()
    language, symbols = stream.unpack(), stream.unpack()
    stream.skip()  # references
    imports, chunks = stream.unpack(), stream.unpack()
    for _ in ("errors", "locals", "flows", "settings"):
        stream.skip()
    return Shown(
        _text(text),
        language,
        list(map(Symbol._make, symbols)),
        list(map(Chunk._make, chunks)),
        list(map(Import._make, imports)),
        np.frombuffer(stream.unpack(), "<u4"),
        tuple(map(Span._make, stream.unpack())),
    )


def compress(text: bytes) -> bytes:
    """A text as it is stored."""
    return zlib.compress(text, COMPRESSION)


def _text(stored: bytes) -> str:
    return zlib.decompress(stored).decode()


def skip_text(skip: Skip) -> str:
    """A content skip as it is stored, without its path."""
    return f"{skip.reason}: {skip.detail}"


def skip_from(path: str, text: str) -> Skip:
    """A stored content skip, at a path."""
    reason, _, detail = text.partition(": ")
    return Skip(path, cast(SkipReason, reason), detail)
