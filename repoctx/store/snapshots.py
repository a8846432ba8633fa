"""Which repositories are known, and which snapshot does each ref point at?"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from repoctx.errors import BusyError, NotFoundError, UsageError
from repoctx.store.payload import COMPRESSION, Key
from repoctx.store.tables import dropped, insert, refs, registrations, repositories, snapshots, tasks
from repoctx.types import Skip

# How long what a dropped snapshot holds is spared, in seconds: ten times what an answer may take.
SPARED = 600.0


class Repository(NamedTuple):
    """A code base known by a name."""

    id: int
    name: str
    location: str  # absolute path or clone URL
    default_ref: str


class Member(NamedTuple):
    """One file of a snapshot and the key of its facts."""

    path: str
    key: Key


class Ref(NamedTuple):
    """A moving name and where it points."""

    repository: int
    name: str
    snapshot: str
    commit: str | None
    dirty: bool
    tree: str
    report: dict[str, Any]
    indexed_at: str
    embedding: str | None = None  # the setting of the model that answers; None: none does
    embedding_model: str | None = None  # its id: the model of the snapshot's vectors
    pending: str | None = None  # the setting of the model whose vectors are being made
    progress: dict[str, Any] | None = None  # how far that is: see `advance`


def snapshot_id(members: Sequence[Member]) -> str:
    """Hash of a snapshot's content: its paths, blobs and languages, in path order. 32 hex digits.

    The parser version stays out of it: the same tree keeps its id when repoctx is upgraded.
    """
    digest = hashlib.sha256()
    for path, key in members:
        digest.update(f"{path}\0{key.blob}\0{key.language}\0".encode())
    return digest.hexdigest()[:32]


def _pack(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), COMPRESSION)


def _unpack(value: bytes) -> Any:
    return json.loads(zlib.decompress(value))


# --- repositories ------------------------------------------------------------------------------


def claim(connection: sa.Connection, name: str, location: str) -> Repository:
    """The repository of that name, id 0 if it is new: `publish` will register it.

    Raises UsageError if the name belongs to another location.
    """
    row = connection.execute(sa.select(repositories).where(repositories.c.name == name)).first()
    found = Repository(*row) if row else Repository(0, name, location, "")
    if found.location != location:
        raise UsageError(f"the name {name!r} belongs to {found.location}: choose another with --name")
    return found


def _register(connection: sa.Connection, new: Repository, default_ref: str) -> Repository:
    values = {"name": new.name, "location": new.location, "default_ref": default_ref}
    connection.execute(insert(connection, repositories).values(values).on_conflict_do_nothing())
    return claim(connection, new.name, new.location)


def all_repositories(connection: sa.Connection) -> list[Repository]:
    """Every repository, by name."""
    rows = connection.execute(sa.select(repositories).order_by(repositories.c.name))
    return sorted((Repository(*row) for row in rows), key=lambda r: r.name)


def lately_indexed(connection: sa.Connection) -> list[str]:
    """The names of all repositories that are indexed, the one indexed last first."""
    newest = sa.func.max(refs.c.indexed_at).label("newest")
    rows = connection.execute(
        sa.select(repositories.c.name, newest).join(refs, refs.c.repository == repositories.c.id)
        .group_by(repositories.c.name)
    )  # fmt: skip
    return [name for _, name in sorted(((row.newest, row.name) for row in rows), reverse=True)]


def indexed_repositories(connection: sa.Connection) -> list[tuple[Repository, str]]:
    """Every repository whose default ref is indexed, and when it was, by name."""
    here = (refs.c.repository == repositories.c.id) & (refs.c.name == repositories.c.default_ref)
    rows = connection.execute(sa.select(*repositories.c, refs.c.indexed_at).join(refs, here))
    return sorted(((Repository(*row[:-1]), row.indexed_at) for row in rows), key=lambda one: one[0].name)


def repository(connection: sa.Connection, name: str) -> Repository:
    """The repository of that name. Raises NotFoundError."""
    row = connection.execute(sa.select(repositories).where(repositories.c.name == name)).first()
    if row is None:
        raise NotFoundError(f"no repository is called {name!r}: `repoctx status` lists those that are indexed")
    return Repository(*row)


def by_location(connection: sa.Connection, location: str) -> Repository | None:
    """The repository first indexed from that path or URL."""
    query = sa.select(repositories).where(repositories.c.location == location).order_by(repositories.c.id)
    row = connection.execute(query).first()
    return Repository(*row) if row else None


# --- refs and snapshots ------------------------------------------------------------------------


def ref(
    connection: sa.Connection, repository: Repository, name: str | None = None, *, hold: bool = False
) -> Ref | None:
    """Where a ref points, the default ref if no name is given; None if it was never indexed.

    With `hold` nobody else moves it before the transaction ends.
    """
    query = sa.select(refs).where(refs.c.repository == repository.id, refs.c.name == (name or repository.default_ref))
    row = connection.execute(query.with_for_update() if hold else query).first()
    return _ref(row) if row else None


def set_report(connection: sa.Connection, ref: Ref, report: Mapping[str, Any]) -> None:
    """Replace what is told of a ref, unless it has moved."""
    same = (refs.c.repository == ref.repository, refs.c.name == ref.name, refs.c.tree == ref.tree)
    connection.execute(refs.update().where(*same).values(report=json.dumps(report)))


def told_of_registered(connection: sa.Connection) -> Iterator[tuple[int, str, str, dict[str, Any]]]:
    """Of each ref of the repositories that the service looks after: the repository, its default ref, the ref, and
    what is told of it."""
    columns = (repositories.c.id, repositories.c.default_ref, refs.c.name, refs.c.report)
    found = sa.select(*columns).join(refs, refs.c.repository == repositories.c.id)
    found = found.join(registrations, registrations.c.repository == repositories.c.id)
    for row in connection.execute(found.order_by(repositories.c.id, refs.c.name)).yield_per(500):
        yield row[0], row[1], row[2], json.loads(row[3])


def all_refs(connection: sa.Connection, repository: Repository) -> list[Ref]:
    """The refs of a repository, by name."""
    rows = connection.execute(sa.select(refs).where(refs.c.repository == repository.id))
    return sorted((_ref(row) for row in rows), key=lambda r: r.name)


def _ref(row: Any) -> Ref:
    return Ref(
        row.repository, row.name, row.snapshot, row.commit, bool(row.dirty), row.tree, json.loads(row.report),
        row.indexed_at, row.embedding, row.embedding_model, row.pending, row.progress and json.loads(row.progress),
    )  # fmt: skip


def skips(connection: sa.Connection, ref: Ref) -> list[Skip]:
    """What was left out when the ref moved."""
    query = sa.select(refs.c.skips).where(refs.c.repository == ref.repository, refs.c.name == ref.name)
    return [Skip(*row) for row in _unpack(connection.execute(query).scalar_one())]


def members(connection: sa.Connection, where: Ref, version: Callable[[str], str]) -> list[Member] | None:
    """The files of the snapshot that a ref pointed at, by path; None if the ref has moved on since.

    `version` gives the parser version of a language.
    """
    payload = connection.scalar(sa.select(snapshots.c.entries).where(snapshots.c.id == where.snapshot))
    if payload is None:
        return None
    return [Member(path, Key(blob, language, version(language))) for path, blob, language in _unpack(payload)]


def publish(
    connection: sa.Connection,
    repository: Repository,
    moved: Ref,
    files: Sequence[Member],
    left_out: Sequence[Skip],
    default: bool,
    seen: Ref | None,
) -> str | None:
    """Point a ref at a snapshot, in the caller's transaction: the snapshot it pointed at before, if another.

    A repository that is new is registered. `moved.repository` is not used: the repository's id is. `seen` is where
    the ref pointed when the run began: whoever lost the writer's place without noticing changes nothing any more.
    Raises BusyError then.
    """
    if not repository.id:
        repository = _register(connection, repository, moved.name)
    entries = _pack([[path, key.blob, key.language] for path, key in files])
    stored = insert(connection, snapshots).values(id=moved.snapshot, entries=entries)
    # An update that changes nothing locks the row: nobody drops it before this transaction ends.
    connection.execute(stored.on_conflict_do_update(index_elements=["id"], set_={"id": stored.excluded.id}))
    before = ref(connection, repository, moved.name, hold=True)
    if (before and (before.snapshot, before.tree)) != (seen and (seen.snapshot, seen.tree)):
        raise BusyError(f"another process has indexed {repository.name!r} meanwhile: run this again")
    # Whoever makes the vectors that the ref waits for goes on with those of the new snapshot.
    progress = before.progress if before is not None and before.pending == moved.pending else None
    values = moved._asdict() | {
        "repository": repository.id,
        "dirty": int(moved.dirty),
        "skips": _pack(left_out),
        "report": json.dumps(moved.report, sort_keys=True),
        "progress": progress and json.dumps(progress),
    }
    statement = insert(connection, refs).values(values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["repository", "name"],
            set_={k: statement.excluded[k] for k in values if k not in ("repository", "name")},
        )
    )
    if default:
        set_default(connection, repository, moved.name)
    return before.snapshot if before is not None and before.snapshot != moved.snapshot else None


def set_default(connection: sa.Connection, repository: Repository, ref: str) -> None:
    """Make a ref the repository's default one."""
    connection.execute(repositories.update().where(repositories.c.id == repository.id).values(default_ref=ref))


def drop_ref(connection: sa.Connection, repository: Repository, name: str) -> str | None:
    """Forget a ref: the snapshot that it pointed at, None if there was no such ref."""
    gone = refs.delete().where(refs.c.repository == repository.id, refs.c.name == name).returning(refs.c.snapshot)
    found: str | None = connection.execute(gone).scalar_one_or_none()
    return found


def advance(connection: sa.Connection, where: Ref, progress: Mapping[str, Any]) -> bool:
    """Note how far the pending model's vectors are; False if the ref no longer waits for them.

    `progress` has `done` and `total` (texts), `rate` (a second), `host` and `pid` of the process at work.
    """
    return _update(connection, where, sa.true(), {"progress": json.dumps(progress, sort_keys=True)})


def switch(connection: sa.Connection, where: Ref, model: str) -> bool:
    """Let the pending model answer; False if the ref has moved or no longer waits for that model.

    The caller has seen to it that all vectors of the snapshot are there.
    """
    values = {"embedding": where.pending, "embedding_model": model, "pending": None, "progress": None}
    return _update(connection, where, refs.c.snapshot == where.snapshot, values)


def _update(connection: sa.Connection, where: Ref, also: sa.ColumnElement[bool], values: dict[str, Any]) -> bool:
    same = (refs.c.repository == where.repository, refs.c.name == where.name, refs.c.pending == where.pending)
    return connection.execute(refs.update().where(*same, also).values(values)).rowcount == 1


def forget(engine: sa.Engine, snapshot: str) -> None:
    """Drop a snapshot unless a ref points at it, or another repository is about to.

    What it holds is spared for a while: an answer that has begun is about this state, whatever is pushed meanwhile.
    """
    used = sa.exists().where(refs.c.snapshot == snapshots.c.id)
    now = time.time()
    with contextlib.suppress(sa.exc.IntegrityError), engine.begin() as connection:
        gone = snapshots.delete().where(snapshots.c.id == snapshot, ~used).returning(snapshots.c.entries)
        if (held := connection.execute(gone).scalar_one_or_none()) is not None:
            new = insert(connection, dropped).values(id=snapshot, entries=held, at=now)
            connection.execute(new.on_conflict_do_update(index_elements=["id"], set_={"at": new.excluded.at}))
    clear_dropped(engine, now - SPARED)


def clear_dropped(engine: sa.Engine, before: float) -> None:
    """Spare no longer what was dropped before a time."""
    with engine.begin() as connection:
        connection.execute(dropped.delete().where(dropped.c.at < before))


def spared(connection: sa.Connection, before: float) -> dict[str, int]:
    """The snapshots that were dropped before a time and have not come back since, and the bytes of each."""
    back = sa.exists().where(snapshots.c.id == dropped.c.id)
    query = sa.select(dropped.c.id, sa.func.length(dropped.c.entries)).where(dropped.c.at < before, ~back)
    return {row[0]: row[1] for row in connection.execute(query)}


def loose(connection: sa.Connection) -> list[str]:
    """The snapshots that neither a ref nor a task holds: whoever should have dropped them was killed."""
    held = sa.exists().where(refs.c.snapshot == snapshots.c.id), sa.exists().where(tasks.c.snapshot == snapshots.c.id)
    return sorted(connection.execute(sa.select(snapshots.c.id).where(*(~one for one in held))).scalars())


def entries(connection: sa.Connection, known: Collection[str]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Id and (path, blob, language) of the files of every snapshot but those known, the spared ones too."""
    for table in (snapshots, dropped):
        for identity in sorted(set(connection.execute(sa.select(table.c.id)).scalars()) - set(known)):
            held = connection.scalar(sa.select(table.c.entries).where(table.c.id == identity))
            if held is not None:
                yield identity, _unpack(held)
