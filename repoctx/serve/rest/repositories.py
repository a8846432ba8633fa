"""Which repositories does the service look after, and how fresh is each?"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from repoctx.errors import UsageError
from repoctx.serve import registration as registrations
from repoctx.serve.places import place
from repoctx.serve.rest.callers import Admin, Caller, Name, Reader, audited, repository
from repoctx.serve.rest.fresh import newer
from repoctx.serve.rest.jobs import JobShape, find, shape
from repoctx.serve.rest.problems import Refusal
from repoctx.serve.rest.shapes import cursor_of, key_of
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.rest.wire import Asked, Behind, Page, RefName, moment
from repoctx.source import git
from repoctx.store import jobs, registry, snapshots
from repoctx.store.connect import errors
from repoctx.store.registry import Registration
from repoctx.store.snapshots import Ref, Repository

router = APIRouter(prefix="/v1/repositories", tags=["repositories"])

Secret = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# A colon would end it where it is sent.
Login = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x20\x7f:]*$")]
_SECRET = (
    f"secret that webhooks are signed with, of at least {registrations.LEAST_SECRET} characters, or "
    "env:REPOCTX_SECRET_X or file:NAME where it is"
)
_CREDENTIAL = "where the server's token, or for ssh the private key, is: env:REPOCTX_SECRET_X or file:NAME"
_LOGIN = "user name that goes with the token; by default x-access-token"
_FOLLOW = "patterns of branches and tags that are indexed when they are pushed, besides what is indexed already"
_POLL = "how often the server is asked for pushes, in seconds; 0: never, or as serve.poll_seconds says"


_NOT_YOURS = "your token is for other repositories: use one that may see them all"


class RegisterAsked(Asked):
    """A repository to look after."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = Field(
        None, description="clone URL: https or ssh; of a file URL its path", examples=["https://git.example.com/team/shop.git"]
    )
    path: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = Field(
        None, description="absolute path on the service's machine: a work tree, a bare repository or a folder"
    )
    name: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="by default the last part of the URL or path", examples=["shop"]
    )
    default_ref: RefName | None = Field(
        None, description="by default whatever the repository's HEAD is, even if it changes"
    )
    webhook_secret: Secret | None = Field(None, description=_SECRET)
    credential: Annotated[str, StringConstraints(max_length=500)] = Field("", description=_CREDENTIAL)
    login: Login = Field("", description=_LOGIN)
    follow: list[Pattern] = Field([], max_length=50, description=_FOLLOW, examples=[["release/*"]])
    poll_seconds: int = Field(0, ge=0, le=86400 * 7, description=_POLL)
    index: bool = Field(True, description="index it at once")


class ChangeAsked(Asked):
    """What to change; what is left out stays."""

    default_ref: RefName | None = None
    webhook_secret: Secret | None = Field(None, description=f"a new {_SECRET}; the one before stays valid too")
    webhook_secrets: list[Secret] | None = Field(
        None, max_length=registrations.VALID_SECRETS, description="all that are valid, in place of what was"
    )
    credential: Annotated[str, StringConstraints(max_length=500)] | None = Field(None, description=_CREDENTIAL)
    login: Login | None = Field(None, description=_LOGIN)
    follow: list[Pattern] | None = Field(None, max_length=50, description=_FOLLOW)
    poll_seconds: int | None = Field(None, ge=0, le=86400 * 7, description=_POLL)


class RefShape(BaseModel):
    """A ref that is indexed."""

    ref: str
    commit: str | None
    snapshot: str
    dirty: bool
    indexed_at: str
    files: int
    symbols: int
    edges: int
    chunks: int
    tokens: int
    skips: dict[str, int] = Field(description="reason -> files that are left out")
    embedding: str | None = Field(description="the embedding model that answers")
    pending: str | None = Field(description="the model whose vectors are being made")
    behind: Behind | None


class RepositoryShape(BaseModel):
    """A repository and how fresh its index is."""

    name: str
    location: str = Field(description="clone URL, or path on the service's machine")
    default_ref: str | None = Field(description="null: it was never indexed")
    registered: bool = Field(description="false: it was indexed by the command line, and no webhooks are taken for it")
    refs: list[RefShape]
    last_push: str | None = Field(description="when a push was last heard of")
    last_index: str | None = Field(description="when an index was last published")
    lag_seconds: float = Field(description="age of the oldest push that is not indexed; 0: all are")
    webhook_secrets: int = Field(description="how many are valid")
    credential: str | None = Field(description="where it is; only admins see it")
    follow: list[str]
    poll_seconds: int


class Registered(RepositoryShape):
    """A repository that was registered, and the job that indexes it."""

    job: JobShape | None


@router.post("", status_code=201, operation_id="register_repository", summary="Register a repository",
             dependencies=[Depends(audited)])  # fmt: skip
def register(
    request: Request, service: ServiceState, caller: Admin, asked: RegisterAsked, response: Response
) -> Registered:
    """Look after a repository, and index it. Registering it again under the same name replaces what was said of it."""
    settings = service.workspace.settings
    if asked.name is not None and not caller.sees(asked.name):
        raise Refusal(403, _NOT_YOURS)
    reaches = asked.path is not None or (asked.url or "").lower().startswith("file:") or asked.login
    if reaches or asked.credential or registrations.is_reference(asked.webhook_secret or ""):
        _operator(caller)
    now = time.time()
    wanted, new = registrations.prepared(settings, asked, now)
    name = wanted.name
    request.scope["repoctx.repository"] = name
    if not caller.sees(name):
        raise Refusal(403, _NOT_YOURS)
    found = registrations.register(service.workspace, wanted, new)
    if found is None:
        raise Refusal(409, f"the name {name!r} belongs to another repository: choose another name")
    job = None
    if asked.index:
        with errors(service.engine), service.engine.begin() as connection:
            job = jobs.submit(connection, found.repository.id, asked.default_ref or "", "registered", now=now)
    service.wake()
    response.headers["Location"] = f"/v1/repositories/{name}"
    shown = _described(service, caller, repository(service, caller, name))
    return Registered(**dict(shown), job=shape(find(service, caller, job)) if job else None)


@router.get("", operation_id="list_repositories", summary="List repositories")
def listed(
    service: ServiceState,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Page[RepositoryShape]:
    """The repositories that the caller may see, by name."""
    after = key_of(cursor) or ""
    with errors(service.engine), service.engine.connect() as connection:
        every = [one for one in snapshots.all_repositories(connection) if caller.sees(one.name) and one.name > after]
    items = [_described(service, caller, one) for one in every[:limit]]
    more = len(every) > limit
    return Page(items=items, next=cursor_of(items[-1].name) if more else None)


@router.get("/{name}", operation_id="show_repository", summary="Show a repository")
def show(service: ServiceState, caller: Reader, name: Name) -> RepositoryShape:
    """Its refs, its snapshots, and how fresh each is."""
    return _described(service, caller, repository(service, caller, name))


@router.patch("/{name}", operation_id="change_repository", summary="Change how a repository is looked after",
              dependencies=[Depends(audited)])  # fmt: skip
def change(service: ServiceState, caller: Admin, name: Name, asked: ChangeAsked) -> RepositoryShape:
    """Change what is given. A repository that the command line has indexed is registered by that."""
    found = repository(service, caller, name)
    settings = service.workspace.settings
    secrets = [one for one in (asked.webhook_secret, *(asked.webhook_secrets or ())) if one is not None]
    if asked.credential or asked.login or any(map(registrations.is_reference, secrets)):
        _operator(caller)
    if asked.webhook_secret is not None and asked.webhook_secrets is not None:
        raise UsageError("give either webhook_secret, which adds one, or webhook_secrets, which replaces all")
    with errors(service.engine), service.engine.begin() as connection:
        before = registry.of(connection, found.id)
        new = before or Registration(place=place(found.location), moves=False, created_at=time.time())
        given = asked.model_dump(exclude_none=True, include={"credential", "login", "poll_seconds"})
        new = new._replace(**given)
        if asked.follow is not None:
            new = new._replace(follow=registrations.check_follow(asked.follow))
        if asked.webhook_secret is not None:
            new = new._replace(secrets=registrations.rotated(new, asked.webhook_secret))
        if asked.webhook_secrets is not None:
            new = new._replace(secrets=tuple(dict.fromkeys(asked.webhook_secrets)))
        registrations.check_credential(settings, new.credential, found.location)
        registrations.check_secrets(settings, [one for one in secrets if before is None or one not in before.secrets])
        if asked.default_ref is not None:
            git.check_ref(asked.default_ref)
            new = new._replace(moves=False)
            if asked.default_ref not in {ref.name for ref in snapshots.all_refs(connection, found)}:
                raise UsageError(f"{asked.default_ref} is not indexed yet: index it, then make it the default ref")
            snapshots.set_default(connection, found, asked.default_ref)
        registry.update(connection, found.id, new)
    return _described(service, caller, repository(service, caller, name))


class DeliveryShape(BaseModel):
    """A delivery of a webhook that was acknowledged."""

    forge: str = Field(examples=["github"])
    delivery: str = Field(description="what the forge knows it by")
    event: str = Field(examples=["push"])
    received_at: str
    jobs: list[str] = Field(description="ids of the jobs that stand for it; none: nothing that is indexed moved")


@router.get("/{name}/deliveries", operation_id="list_deliveries", summary="List deliveries of webhooks")
def deliveries(
    service: ServiceState, caller: Admin, name: Name, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Page[DeliveryShape]:
    """What forges have delivered for a repository within a month, the newest first."""
    found = repository(service, caller, name)
    with errors(service.engine), service.engine.connect() as connection:
        latest = registry.latest(connection, found.id, limit)
    items = [DeliveryShape(**{**one._asdict(), "received_at": moment(one.received_at)}) for one in latest]
    return Page(items=items, next=None)


@router.delete("/{name}", status_code=204, operation_id="remove_repository", summary="Remove a repository",
               dependencies=[Depends(audited)])  # fmt: skip
def remove(service: ServiceState, caller: Admin, name: Name) -> None:
    """Cancel its jobs and forget its index. While it is being indexed the answer is 409: ask again."""
    registrations.remove(service.workspace, repository(service, caller, name))


def _operator(caller: Caller) -> None:
    """Refuses with 403 those who may not have all that is on the service's machine: a token of some repositories."""
    if not caller.sees_all:
        raise Refusal(403, "paths and credentials on the service's machine need a token that may see all repositories")


def _described(service: Service, caller: Caller, one: Repository) -> RepositoryShape:
    """A repository in JSON."""
    now = time.time()
    with errors(service.engine), service.engine.connect() as connection:
        refs = snapshots.all_refs(connection, one)
        registration = registry.of(connection, one.id)
        shapes = [_ref(ref, newer(connection, one, ref)) for ref in refs]
        oldest = jobs.oldest_open(connection, one.id).get(one.name)
    return RepositoryShape(
        name=one.name,
        location=one.location,
        default_ref=one.default_ref or None,
        registered=registration is not None,
        refs=shapes,
        last_push=moment(registration.pushed_at) if registration and registration.pushed_at else None,
        last_index=max((ref.indexed_at for ref in refs), default=None),
        lag_seconds=0.0 if oldest is None else round(max(0.0, now - oldest), 3),
        webhook_secrets=len(registration.secrets) if registration else 0,
        credential=registration.credential or None if registration and caller.may("admin") else None,
        follow=list(registration.follow) if registration else [],
        poll_seconds=registration.poll_seconds if registration else 0,
    )


def _ref(ref: Ref, push: Behind | None) -> RefShape:
    report = ref.report
    return RefShape(
        **{name: report.get(name, 0) for name in ("files", "symbols", "edges", "chunks", "tokens")},
        ref=ref.name,
        commit=ref.commit,
        snapshot=ref.snapshot,
        dirty=ref.dirty,
        indexed_at=ref.indexed_at,
        skips=report.get("skips", {}),
        embedding=ref.embedding_model,
        pending=ref.pending,
        behind=push,
    )
