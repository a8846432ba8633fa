"""What does the database keep of a blob, and how is it written down?

A facts payload is zlib(msgpack([language, symbols, references, imports, chunks, errors, locals, flows,
settings, tokens])) with the rows as arrays in the field order of `repoctx.types`, and `tokens` as little-endian uint32,
one per line (see `repoctx.tokens.line_counts`). This module needs no database: workers load it.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple, cast

import msgpack
import numpy as np
from numpy.typing import NDArray

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


def encode(found: Facts, line_tokens: NDArray[np.uint32]) -> bytes:
    """Facts as a payload."""
    packed = msgpack.packb([*found, line_tokens.astype("<u4").tobytes()])
    return zlib.compress(cast(bytes, packed), COMPRESSION)


def decode(payload: bytes) -> tuple[Facts, NDArray[np.uint32]]:
    """A payload as facts and tokens per line."""
    language, symbols, references, imports, chunks, errors, local, flows, settings, tokens = msgpack.unpackb(
        zlib.decompress(payload), use_list=False
    )
    found = Facts(
        language,
        [Symbol(*row) for row in symbols],
        [Reference(*row) for row in references],
        [Import(*row) for row in imports],
        [Chunk(*row) for row in chunks],
        errors,
        [Local(*row) for row in local],
        [Flow(*row) for row in flows],
        [Setting(*row) for row in settings],
    )
    return found, np.frombuffer(tokens, "<u4")


def compress(text: bytes) -> bytes:
    """A text as it is stored."""
    return zlib.compress(text, COMPRESSION)


def skip_text(skip: Skip) -> str:
    """A content skip as it is stored, without its path."""
    return f"{skip.reason}: {skip.detail}"


def skip_from(path: str, text: str) -> Skip:
    """A stored content skip, at a path."""
    reason, _, detail = text.partition(": ")
    return Skip(path, cast(SkipReason, reason), detail)
