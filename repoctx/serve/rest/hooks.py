"""What did a forge tell us, and will it be indexed even if we die right after the answer?

A delivery is checked in a thread of its own. Those that come in together are written in one transaction, which is on
the disk before any of them is acknowledged: that makes hundreds a second cheap without making one of them unsafe.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Annotated, Literal, NamedTuple

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from repoctx.errors import StorageError, UsageError
from repoctx.serve.forges import FORGES, Delivery, named_urls, read
from repoctx.serve.places import place
from repoctx.serve.registration import VALID_SECRETS, followed, webhook_secrets
from repoctx.serve.rest import metrics
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.signatures import authentic
from repoctx.serve.webhook import NO_COMMIT
from repoctx.store import jobs, registry, snapshots
from repoctx.store.connect import errors
from repoctx.store.registry import Registered

# What GitHub sends at most; it drops what is larger.
MOST_BYTES = 25_000_000
# Deliveries an address may send in a minute that are not signed as they must be.
MOST_WRONG = 600
# Deliveries that are written in one transaction. Those that are larger than so many bytes are read by themselves, so
# many at a time.
BATCH, SMALL, LARGE = 200, 256 << 10, 4
# Places that a delivery may name; a push has some twenty, and one for each of its commits.
MOST_PLACES = 3000
# How exactly it is known when a push was last heard of, in seconds.
TOLD = 1.0

router = APIRouter(tags=["webhooks"])
log = structlog.get_logger()


class Received(BaseModel):
    """What becomes of a delivery."""

    delivery: str = Field(description="what it is known by when it is sent again")
    event: str
    jobs: list[str] = Field(description="the jobs that will index what was pushed; empty: nothing of it is indexed")
    known: bool = Field(description="whether it had come before")
    ping: bool = Field(description="whether it only asks if we are there")
    test: list[str] | None = Field(
        None, description="of a push that `repoctx webhook test` makes: the refs that a real one would have indexed"
    )


class Sent(NamedTuple):
    """A delivery as it came."""

    forge: str
    headers: Mapping[str, str]
    body: bytes
    repository: str | None  # the name that the address says
    places: frozenset[str] = frozenset()  # where the body may say that it is, if the address says no name


class Checked(NamedTuple):
    """A delivery that is what it says."""

    forge: str
    id: str
    delivery: Delivery
    found: Registered


Outcome = Received | Exception


class Recorder(NamedTuple):
    """Where deliveries wait to be checked and written."""

    waiting: asyncio.Queue[tuple[Sent, asyncio.Future[Received]]]
    large: asyncio.Semaphore

    async def record(self, sent: Sent) -> Received:
        """Check a delivery and write it: it is safe when this returns. Raises Refusal, UsageError, StorageError."""
        written: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
        await self.waiting.put((sent, written))
        return await written


@asynccontextmanager
async def recording(service: Service) -> AsyncIterator[None]:
    """Write the deliveries of an app as long as it lives."""
    recorder = Recorder(asyncio.Queue(), asyncio.Semaphore(LARGE))
    service.shared["recorder"] = recorder
    with ThreadPoolExecutor(1, "deliveries") as thread:
        task = asyncio.ensure_future(_record_all(service, recorder, thread))
        try:
            yield
        finally:
            task.cancel()


async def _record_all(service: Service, recorder: Recorder, thread: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    while True:
        batch = [await recorder.waiting.get()]
        while len(batch) < BATCH and not recorder.waiting.empty():
            batch.append(recorder.waiting.get_nowait())
        try:
            outcomes = await loop.run_in_executor(thread, record, service, [sent for sent, _ in batch])
        except Exception as error:  # a bug refuses these deliveries, not all that follow
            log.error("deliveries could not be written", exc_info=error)
            outcomes = [StorageError("the delivery could not be written: send it again")] * len(batch)
        for (_, written), outcome in zip(batch, outcomes, strict=True):
            if written.done():
                continue  # whoever sent it has hung up: it will come again
            if isinstance(outcome, Exception):
                written.set_exception(outcome)
            else:
                written.set_result(outcome)


@router.post(
    "/v1/webhooks/{forge}",
    operation_id="receive_webhook",
    status_code=202,
    summary="Take a delivery of a forge",
    responses={200: {"model": Received, "description": "a ping"}},
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}},
)
async def receive(
    request: Request,
    response: Response,
    service: ServiceState,
    forge: Annotated[Literal["github", "gitlab", "gitea", "bitbucket"], Path(description="Forgejo is gitea")],
    repository: Annotated[
        str | None, Query(max_length=200, description="by default the one at the clone URL that the delivery names")
    ] = None,
) -> Received:
    """Take what a forge sends when something was pushed, signed with the repository's `webhook_secret`.

    When this is acknowledged the push will be indexed, whatever happens to this process. A delivery that comes again
    is known by its id. What is indexed is what the repository holds then, whatever the delivery says of commits.
    """
    address = request.client.host if request.client else "-"
    headers = dict(request.headers)  # names are in lower case
    if not any(name in headers for name in _SIGNATURES[forge]):
        raise Refusal(401, f"the delivery is not signed: {_HINT}")
    service.wake()
    recorder: Recorder | None = service.shared.get("recorder")  # none where the app's lifespan was left out
    length = headers.get("content-length", "")
    try:
        if recorder is not None and length.isdigit() and int(length[:12]) <= SMALL:
            body = await request.body()
            places = places_in(headers, body) if repository is None else frozenset()
            found = await recorder.record(Sent(forge, headers, body, repository, places))
        else:
            async with recorder.large if recorder else nullcontext():  # so many are in memory at a time
                body = await request.body()
                named = repository is not None
                places = frozenset() if named else await run_in_threadpool(places_in, headers, body)
                sent = Sent(forge, headers, body, repository, places)
                (outcome,) = await run_in_threadpool(record, service, [sent])
            if isinstance(outcome, Exception):
                raise outcome
            found = outcome
    except Refusal:
        metrics.DELIVERIES.labels(forge, "refused").inc()
        service.within_rate(f"webhook {address}", MOST_WRONG)
        raise
    metrics.DELIVERIES.labels(forge, "known" if found.known else "accepted").inc()
    if found.ping:
        response.status_code = 200
    return found


_HINT = "give the webhook the secret that the repository was registered with, as its webhook_secret"
_UNSIGNED = f"no repository that is registered here has signed this: {_HINT}"
_NOBODYS = ("nobody's secret",) * VALID_SECRETS
_SIGNATURES = {
    name: (*row.signature, *(("x-gitlab-token", "webhook-signature") if name == "gitlab" else ()))
    for name, row in FORGES.items()
}


def record(service: Service, batch: Sequence[Sent]) -> list[Outcome]:
    """Check deliveries and write those that are what they say: in one transaction, or where that fails each in its
    own, so that one does not stop others."""
    try:
        with errors(service.engine), _lasting(service.engine) as connection:
            checked = check(service, connection, batch)
            written = iter(write(connection, [one for one in checked if isinstance(one, Checked)]))
            return [next(written) if isinstance(one, Checked) else one for one in checked]
    except StorageError as error:
        if len(batch) == 1 or isinstance(error.__cause__, sa.exc.OperationalError):
            return [error] * len(batch)  # the database is away, locked or full: for the others too
        return [outcome for sent in batch for outcome in record(service, [sent])]


def check(service: Service, connection: sa.Connection, batch: Sequence[Sent]) -> list[Checked | Exception]:
    """The delivery and its repository, or why there is none: not signed by it, or nothing that a forge sends.

    Nothing is read of a body before its signature was found to be right, but for the URLs that are in it.
    """
    names = {sent.repository for sent in batch if sent.repository is not None and sent.repository.isprintable()}
    found = registry.found(connection, sorted(names), sorted(set().union(*(sent.places for sent in batch))))
    secrets = {one.repository.id: webhook_secrets(service.workspace.settings, one.registration) for one in found}
    checked: list[Checked | Exception] = []
    for sent in batch:
        candidates = [
            one for one in found if one.repository.name == sent.repository or one.registration.place in sent.places
        ]
        if not candidates:  # as long as it takes where there is one
            _signed(sent, _NOBODYS)
        signer = next((one for one in candidates if _signed(sent, secrets[one.repository.id])), None)
        delivery = _read(sent) if signer else Refusal(401, _UNSIGNED)
        if signer is None or isinstance(delivery, Exception):
            checked.append(delivery)  # type: ignore[arg-type]
        elif sent.repository is None and signer.registration.place not in map(place, delivery.urls):
            checked.append(Refusal(401, _UNSIGNED))  # it names the repository somewhere else
        else:
            identity = delivery.id or f"sha256:{hashlib.sha256(sent.body).hexdigest()}"
            checked.append(Checked(sent.forge, identity, delivery, signer))
    return checked


def places_in(headers: Mapping[str, str], body: bytes) -> frozenset[str]:
    """The places that a body names. Refuses with 413 one that names very many."""
    try:
        found = frozenset(place(url) for url in named_urls(headers, body)) - {""}
    except UsageError:
        return frozenset()
    if len(found) > MOST_PLACES:
        raise Refusal(413, "the delivery names too many URLs: add ?repository=NAME to the address of the webhook")
    return found


def _read(sent: Sent) -> Delivery | UsageError:
    try:
        return read(sent.forge, sent.headers, sent.body)
    except UsageError as error:
        return error


def _signed(sent: Sent, secrets: Sequence[str]) -> bool:
    return authentic(sent.forge, sent.headers, sent.body, secrets, time.time())


@contextmanager
def _lasting(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that is on the disk when it ends: SQLite's are in the system's memory only, by default."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Of this connection, which the pool may hand on: whoever takes it is only safer for it.
            connection.exec_driver_sql("PRAGMA synchronous = FULL")
            connection.commit()
        yield connection
        connection.commit()


def write(connection: sa.Connection, batch: Sequence[Checked]) -> list[Received]:
    """Note deliveries and submit their jobs; those of the first time for what was noted before.

    A handful of statements, however many deliveries: what several say of one ref is said once.
    """
    if not batch:
        return []
    now = time.time()
    known = registry.delivered(connection, [(one.found.repository.id, one.forge, one.id) for one in batch])
    seen = set(known)
    asked: dict[tuple[int, str], jobs.Asked] = {}
    lists, tests = [], []
    for one in batch:
        key = (one.found.repository.id, one.forge, one.id)
        refs = [] if key in known else wanted(connection, one.delivery, one.found)
        test = any(push.after == NO_COMMIT for push in one.delivery.pushes)
        tests.append([ref or one.found.repository.default_ref or "HEAD" for ref, _, _ in refs] if test else None)
        refs = [] if test else refs
        known.setdefault(key, [])
        lists.append([(key[0], ref) for ref, _, _ in refs])
        for ref, cause, commit in refs:
            before = asked.get((key[0], ref), jobs.Asked(cause, 0, None))
            asked[key[0], ref] = before._replace(pushes=before.pushes + 1, commit=commit or before.commit)
    submitted = jobs.submit_all(connection, asked, now)
    told = {one.found.repository.id: one.found.registration.pushed_at or 0.0 for one in batch}
    registry.pushed(connection, sorted({number for number, _ in asked if told[number] < now - TOLD}), now)
    received, rows = [], []
    for one, moved, test_refs in zip(batch, lists, tests, strict=True):
        key = (one.found.repository.id, one.forge, one.id)
        ids = [submitted[ref] for ref in moved]
        again = key in seen
        if ids:
            known[key] = ids
        received.append(
            Received(delivery=one.id, event=one.delivery.event, jobs=known[key], known=again,
                     ping=one.delivery.kind == "ping", test=test_refs)
        )  # fmt: skip
        if not again:
            seen.add(key)
            rows.append(registry.Delivered(*key, one.delivery.event, ids))
    registry.deliver(connection, rows, now)
    return received


def wanted(
    connection: sa.Connection, delivery: Delivery, found: Registered
) -> list[tuple[str, str, str | None]]:
    """The refs that a delivery moves and that are indexed, each with the cause and the commit that was pushed.

    Those are the default ref, what is indexed already, and what the repository's patterns follow.
    """
    repository, registration = found
    refs: dict[str, tuple[str, str | None]] = {}
    indexed: set[str] | None = None
    for push in delivery.pushes:
        known = push.ref == repository.default_ref or (followed(registration.follow, push.ref) and not push.deleted)
        if not known:
            if indexed is None:  # or is being indexed for the first time
                indexed = {ref.name for ref in snapshots.all_refs(connection, repository)}
                indexed |= jobs.refs_of(connection, repository.id)
            known = push.ref in indexed
            if push.deleted and not known:  # what failed is to count no more
                known = push.ref in jobs.refs_of(connection, repository.id, ["failed"])
        if known:
            refs[push.ref] = ("push", push.after)
        elif not repository.default_ref and delivery.default_branch in (None, push.ref):
            refs[""] = ("push", push.after)
    moved = delivery.default_branch not in (None, repository.default_ref)
    if moved and registration.moves and repository.default_ref and delivery.kind in ("push", "default_branch"):
        refs[""] = ("default", None)
    return [(ref, cause, commit) for ref, (cause, commit) in refs.items()]


