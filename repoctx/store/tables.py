"""What does the database hold? One schema for SQLite and Postgres; the only truth.

Facts, texts and vectors are addressed by content and never change. A ref is the only mutable row
of the index: it moves last, in one transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
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

# Snapshots that were dropped a while ago. Whoever began to read one goes on: `gc` spares what they hold.
dropped = Table(
    "dropped",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("entries", LargeBinary, nullable=False),  # as of snapshots
    Column("at", Double, nullable=False),  # seconds since 1970, UTC
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

# --- the service -------------------------------------------------------------------------------
# Times are seconds since 1970, UTC.

# How the service looks after a repository: how its server is reached, and how pushes are learnt of.
registrations = Table(
    "registrations",
    metadata,
    Column("repository", ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Text, nullable=False, index=True),  # normal form of the clone URL, as `serve.forges.place` gives it
    Column("secrets", Text, nullable=False),  # JSON: up to two secrets of webhooks, the newest first
    Column("credential", Text, nullable=False),  # env:NAME or file:PATH, never the secret itself; "" for none
    Column("login", Text, nullable=False),  # the user name that goes with it; "" for the usual one
    Column("follow", Text, nullable=False),  # JSON: patterns of refs that are indexed when they are pushed
    Column("moves", Integer, nullable=False),  # 1: the default ref is whatever the forge says
    Column("poll_seconds", Integer, nullable=False),  # how often the server is asked for its refs; 0: never
    Column("polled_at", Double, nullable=False),
    Column("pushed_at", Double),  # when a push was last heard of
    Column("created_at", Double, nullable=False),
)

# What is to be indexed, and what became of it. One job waits for a ref at a time: pushes join it.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),  # hex, in order of time
    Column("repository", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("ref", Text, nullable=False),  # "": whatever is checked out, or HEAD
    Column("state", String(12), nullable=False),  # see store.jobs
    Column("cause", String(20), nullable=False),  # what made it: push, request, poll, registered, onboarded
    Column("pushes", Integer, nullable=False),  # how often it was asked for while it waited
    Column("commit", String(64)),  # what the newest push said; a hint
    Column("requested_at", Double, nullable=False),  # of the oldest push that it stands for
    Column("due_at", Double, nullable=False),  # not to be begun before
    Column("attempt", Integer, nullable=False),  # 1 for the first
    Column("failures", Integer, nullable=False),  # attempts that ended with an error
    Column("lost", Integer, nullable=False),  # attempts that ended with their worker
    Column("unseen", Integer, nullable=False),  # attempts that did not find what was pushed
    Column("cancelled", Integer, nullable=False),  # 1: whoever runs it shall stop
    Column("worker", String(64)),  # who runs it, or ran it last
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("progress", Text),  # JSON: stage, done, total, unit
    Column("error", Text),  # why the last attempt failed
    Column("report", Text),  # JSON: what the index run did
    Index(
        "ix_jobs_one_waiting", "repository", "ref", unique=True,
        sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"),
    ),
    Index("ix_jobs_state", "state"),
    Index("ix_jobs_repository", "repository", "ref", "id"),
)  # fmt: skip

# Which deliveries of webhooks were acknowledged. `delivery` is the forge's id, or a hash of the body.
deliveries = Table(
    "deliveries",
    metadata,
    Column("repository", ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("forge", String(20), primary_key=True),
    Column("delivery", String(200), primary_key=True),
    Column("event", String(100), nullable=False),
    Column("received_at", Double, nullable=False, index=True),
    Column("jobs", Text, nullable=False),  # JSON: ids of the jobs that stand for it
)

# Who may ask. The secret part of a token is kept as its SHA-256: it is random, so nothing slower is needed.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scope", String(10), nullable=False),  # read, write or admin
    Column("repositories", Text),  # JSON: names; NULL: all
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
)

# What was changed, by whom, and what was refused.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("token", String(16)),  # NULL: nobody, or the local user
    Column("address", String(64), nullable=False),
    Column("action", String(300), nullable=False),  # method and path
    Column("repository", Text),
    Column("status", Integer, nullable=False),  # of the answer
    Column("request", String(64), nullable=False),  # its id, as the log has it
)

# What a model is asked to do with a snapshot, and what became of it.
tasks = Table(
    "tasks",
    metadata,
    Column("id", String(32), primary_key=True),  # hex, in order of time
    Column("repository", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(20), nullable=False),  # see tasks.recipes
    Column("input", Text, nullable=False),  # JSON: what was asked
    Column("ref", Text, nullable=False),  # the name that was asked for, or the default one's
    Column("commit", String(64)),
    Column("pinned", Text, nullable=False),  # JSON: where the ref pointed then
    Column("snapshot", ForeignKey("snapshots.id"), index=True),  # held for the task; NULL once it is done
    Column("recent", LargeBinary),  # ids of the commits that led there, as `histories.ids`
    Column("token", String(16)),  # who asked; NULL: the local user
    Column("local", Integer, nullable=False),  # 1: the command that made it runs it, no worker does
    Column("state", String(12), nullable=False),  # as of jobs
    Column("attempt", Integer, nullable=False),  # 1 for the first
    Column("lost", Integer, nullable=False),  # attempts that ended with their worker
    Column("cancelled", Integer, nullable=False),  # 1: whoever runs it shall stop
    Column("worker", String(64)),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("error", Text),
    Column("result", LargeBinary),  # zlib-compressed JSON
    Column("spent", Text),  # JSON: what the model was asked for up to now
    Index("ix_tasks_state", "state"),
    Index("ix_tasks_repository", "repository", "id"),
)

# What a task has finished: answers that were paid for. `value` is zlib-compressed JSON.
task_steps = Table(
    "task_steps",
    metadata,
    Column("task", ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# What those who follow a task are told.
task_events = Table(
    "task_events",
    metadata,
    Column("task", ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),  # 1 for the first
    Column("at", Double, nullable=False),
    Column("event", String(40), nullable=False),
    Column("detail", Text, nullable=False),  # JSON
)

# What a chat was begun with, so that each of its turns begins with the same bytes.
conversations = Table(
    "conversations",
    metadata,
    Column("key", String(64), primary_key=True),  # hash of who asks, and of how the chat begins
    Column("repository", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("context", LargeBinary, nullable=False),  # zlib-compressed UTF-8
    Column("account", Text, nullable=False),  # JSON: tokens, commit, parts
    Column("made_at", Double, nullable=False),
    Column("used_at", Double, nullable=False, index=True),
)

# Who runs jobs. A worker whose beats stand still is dead: others take over what it ran.
workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", String(300), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("beats", Integer, nullable=False),
)


def insert(connection: sa.Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what to do on a conflict, which both databases spell alike."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The same, by the name of the dialect."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
