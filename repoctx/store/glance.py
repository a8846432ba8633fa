"""What does a SQLite database hold, at a glance? Read without the libraries that all else needs: in milliseconds."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgpack

# The newest migration, written down so that a current database is recognised without importing
# alembic (0.7 CPU s); a test keeps it true.
HEAD = "0006"
# Kinds of symbols that a question may well be about.
TELLING = ("class", "function", "method", "struct", "interface", "trait", "type")
# Files whose symbols are looked at before none is named.
LOOKED = 20


class Seen(NamedTuple):
    """An indexed repository, and what its default ref points at."""

    name: str
    location: str
    ref: str
    commit: str | None
    snapshot: str
    indexed_at: str  # RFC 3339, UTC
    report: dict[str, Any]
    pending: bool  # whether vectors are still to be made


QUERY = """
SELECT p.name, p.location, r.name, r."commit", r.snapshot, r.indexed_at, r.report, r.pending IS NOT NULL
FROM repositories p JOIN refs r ON r.repository = p.id AND r.name = p.default_ref ORDER BY p.name
"""


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(path))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=1)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if found != HEAD:
            raise sqlite3.DatabaseError(f"schema {found}")
        yield connection


def repositories(path: Path) -> list[Seen]:
    """The indexed repositories, by name. Raises sqlite3.Error for what is no database of this version."""
    with _opened(path) as connection:
        rows = connection.execute(QUERY).fetchall()
    return [seen(row) for row in rows]


def seen(row: Sequence[Any]) -> Seen:
    """A row of QUERY."""
    name, location, ref, commit, snapshot, indexed_at, report, pending = row
    return Seen(name, location, ref, commit, snapshot, indexed_at, json.loads(report), bool(pending))


def files(path: Path, snapshot: str) -> list[tuple[str, str, str]]:
    """Path, blob and language of the files of a snapshot, by path; none if it was dropped."""
    with _opened(path) as connection:
        row = connection.execute("SELECT entries FROM snapshots WHERE id = ?", (snapshot,)).fetchone()
    return [(name, blob, language) for name, blob, language in json.loads(zlib.decompress(row[0]))] if row else []


def symbol(path: Path, held: list[tuple[str, str, str]]) -> str | None:
    """The name of a symbol of some files, of the first that has one worth asking for."""
    with _opened(path) as connection:
        for _, blob, language in held[:LOOKED]:
            query = "SELECT payload FROM facts WHERE blob = ? AND language = ? AND skip IS NULL"
            for (payload,) in connection.execute(query, (blob, language)):
                for kind, name, *_ in msgpack.unpackb(zlib.decompress(payload))[1]:
                    if kind in TELLING and len(name) > 3 and not name.startswith("_"):
                        return str(name)
    return None
