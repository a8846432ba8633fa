"""What does the database hold? One schema for SQLite and Postgres; the only truth.

Facts, texts and vectors are addressed by content and never change. A ref is the only mutable row
of the index: it moves last, in one transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.dialects import postgresql, sqlite

metadata = MetaData(naming_convention={"ix": "ix_%(column_0_N_label)s", "fk": "fk_%(table_name)s_%(column_0_N_name)s"})

# A code base known by a name. `location` is an absolute path or a clone URL.
repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("location", Text, nullable=False),
    Column("default_ref", Text, nullable=False),
)

# The text of a blob: zlib-compressed UTF-8. Kept so that a published snapshot can always be read,
# whatever has happened to the work tree since.
blobs = Table(
    "blobs",
    metadata,
    Column("id", String(64), primary_key=True),  # git blob id, hex
    Column("size", Integer, nullable=False),  # bytes of the text, uncompressed
    Column("text", LargeBinary, nullable=False),
)

# What parsing a blob yields, or why the blob is left out. `language` is what the path says
# ("auto" where it says nothing), `version` the parser version.
facts = Table(
    "facts",
    metadata,
    Column("blob", String(64), primary_key=True),
    Column("language", String(40), primary_key=True),
    Column("version", String(40), primary_key=True),
    Column("skip", Text),  # a SkipReason, with its detail after ": "; NULL: there is a payload
    Column("payload", LargeBinary, nullable=False),  # see store.facts
)

# An embedding of one text, of a chunk or a path: int8 codes (see index.codes). The built-in model has none
# here: its vectors follow from the postings.
vectors = Table(
    "vectors",
    metadata,
    Column("model", Text, primary_key=True),
    Column("chunk", String(40), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

# All blobs of one tree. The id is a hash of the content: forks and branches share rows.
snapshots = Table(
    "snapshots",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("entries", LargeBinary, nullable=False),  # see store.snapshots
)

# A moving name within a repository, and what was left out when it moved here.
refs = Table(
    "refs",
    metadata,
    Column("repository", ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("snapshot", ForeignKey("snapshots.id"), nullable=False, index=True),
    Column("commit", String(64)),  # NULL: a plain folder or an unborn branch
    Column("dirty", Integer, nullable=False),  # 1: differs from the commit
    Column("tree", String(64), nullable=False),  # hash of the scanned tree and the parser versions
    Column("skips", LargeBinary, nullable=False),
    Column("report", Text, nullable=False),  # JSON: what the index run that moved it here did
    Column("indexed_at", String(40), nullable=False),  # RFC 3339, UTC
    # The setting of the model that answers, and its id: all vectors of the snapshot are there. NULL: none does.
    Column("embedding", Text),
    Column("embedding_model", Text),
    Column("pending", Text),  # the setting of the model whose vectors are being made; NULL: none
    Column("progress", Text),  # JSON: how far that is, and which process does it; NULL: not begun
)

# What a commit did. `version` says how commits are read.
commits = Table(
    "commits",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("payload", LargeBinary, nullable=False),  # see store.commits
)

# Which commits led to what a ref points at. It moves with the ref, in the same transaction.
histories = Table(
    "histories",
    metadata,
    Column("repository", Integer, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("commit", String(64), nullable=False),
    Column("ids", LargeBinary, nullable=False),  # see store.commits
    ForeignKeyConstraint(["repository", "ref"], ["refs.repository", "refs.name"], ondelete="CASCADE"),
)


def insert(connection: sa.Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what to do on a conflict, which both databases spell alike."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
