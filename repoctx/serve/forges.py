"""What did this forge send?

One row per forge says which headers, events and fields count; what the events have in common is read by a
few small functions. Nothing here trusts its input: whoever can reach the server can send it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple, NoReturn
from urllib.parse import parse_qsl

from repoctx.errors import UsageError
from repoctx.serve.places import place

MOST_ID = 200  # characters of a delivery id or an event's name
MOST_REF = 1_000  # characters of a ref
MOST_URLS = 20  # in one list
MOST_NAMED = 20_000  # of a payload; of GitHub each commit has one, and the repository stands behind them
MOST_COMMITS = 1_000_000_000  # a count beyond this is no hint
MOST_FORM = 8_000_000  # bytes: 2,048 commits fit; escapes cost 40 times what JSON costs, and anyone can send them
FORM = "application/x-www-form-urlencoded"

Kind = Literal["ping", "push", "default_branch", "other"]
RefKind = Literal["branch", "tag"]
Payload = Mapping[str, Any]

# A field of a payload whose name says that it holds a URL, or the address of a link.
_URL = re.compile(rb'"(?:[a-z_]{0,12}url|href)"\s{0,9}:\s{0,9}"([^"\s]{1,2000})"')
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ZEROS = re.compile(r"0{40}|0{64}")
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # lone surrogates cannot be stored
_PREFIXES: Mapping[str, RefKind] = {"refs/heads/": "branch", "refs/tags/": "tag"}
_KINDS: Mapping[str, RefKind] = {"branch": "branch", "tag": "tag"}


class Push(NamedTuple):
    """A ref that moved."""

    ref: str  # short: main, v1.0
    kind: RefKind
    before: str | None  # None: it was created, or the forge does not say
    after: str | None  # None: it was deleted. Of an annotated tag it may be the tag's object, not its commit
    created: bool
    deleted: bool
    forced: bool  # as far as the forge says: GitLab, Gitea and Bitbucket Data Center never do
    commits: int | None  # how many the payload names: a hint


class Delivery(NamedTuple):
    """What one request of a forge says."""

    id: str | None  # the same when it is sent again; None if the forge sends none
    event: str  # the forge's own name
    kind: Kind
    urls: tuple[str, ...]  # clone URLs and web pages of the repository
    pushes: tuple[Push, ...]
    default_branch: str | None


Found = tuple[Kind, tuple[Push, ...]]
Reader = Callable[[Payload], Found]


class Forge(NamedTuple):
    """Where a forge puts things. Of several headers the first that was sent counts."""

    event: tuple[str, ...]
    id: tuple[str, ...]
    shared_id: tuple[str, ...]  # several deliveries may have the same: an id only together with the body
    signature: tuple[str, ...]  # hex HMAC-SHA256 of the body; none of GitLab, which has two ways of its own
    prefix: str  # of the signature
    urls: tuple[str, ...]  # fields, through lists too
    default_branch: str
    readers: Mapping[str, Reader]  # by event; all others are of no interest


def read(forge: str, headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a request says; header names are in lower case. Raises UsageError for what no forge sends."""
    row = FORGES.get(forge)
    if row is None:
        raise UsageError(f"there is no such forge: choose one of {', '.join(FORGES)}")
    event = _first(headers, row.event)
    if event is None:
        raise UsageError(f"the request has no usable {row.event[-1]} header: it is no delivery of {forge}")
    payload = _payload(headers, body)
    reader = row.readers.get(event)
    kind, pushes = reader(payload) if reader else ("other", ())
    if kind in ("push", "default_branch") and not any(
        isinstance(payload.get(key), dict) for key in ("repository", "project")
    ):
        _refuse("repository")
    urls = dict.fromkeys(url for field in row.urls for url in _texts(payload, field.split(".")) if place(url))
    branches = [_short(name) for name in _texts(payload, row.default_branch.split(".")) if name]
    return Delivery(_id(row, headers, body), event, kind, tuple(urls), pushes, next(iter(branches), None))


def named_urls(headers: Mapping[str, str], body: bytes) -> list[str]:
    """The URLs in a body that may be those of its repository, found without reading it: it may be from anybody.

    Raises UsageError for a form without a payload.
    """
    found = dict.fromkeys(match[1] for match in islice(_URL.finditer(content(headers, body)), MOST_NAMED))
    return [url.decode("utf-8", "replace").replace("\\/", "/") for url in found]


def content(headers: Mapping[str, str], body: bytes) -> bytes:
    """The JSON of a request: its body, or the payload field of a form. Raises UsageError."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return body
    if len(body) > MOST_FORM:
        raise UsageError("the form is too large: choose application/json in the webhook's settings")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=8)
        (payload,) = (value for name, value in fields if name == "payload")
    except ValueError as error:
        raise UsageError(
            "the form has no single payload field: choose application/json in the webhook's settings"
        ) from error
    return payload.encode()


# --- what is in a payload ----------------------------------------------------------------------


def _refuse(field: str) -> NoReturn:
    raise UsageError(f"the delivery is not understood: its {field} is missing, or not what this forge sends")


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The first header that was sent, if it can be stored and shown."""
    value = next((headers[name] for name in names if name in headers), "")
    return value if 0 < len(value) <= MOST_ID and value.isascii() and value.isprintable() else None


def _id(row: Forge, headers: Mapping[str, str], body: bytes) -> str | None:
    """What a delivery is known by. Of a body alone it would be wrong: a branch may be moved to and fro."""
    own, shared = _first(headers, row.id), _first(headers, row.shared_id)
    if own or not shared:
        return own
    return f"{shared[: MOST_ID - 65]} {hashlib.sha256(body).hexdigest()}"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _payload(headers: Mapping[str, str], body: bytes) -> Payload:
    try:
        payload = json.loads(content(headers, body).decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # numbers or brackets without end, too
        raise UsageError("the delivery is no JSON: choose application/json in the webhook's settings") from error
    if not isinstance(payload, dict):
        raise UsageError("the delivery is no JSON object: send what the forge sends")
    return payload


def _texts(value: Any, path: list[str]) -> Iterator[str]:
    """The texts in a field, lists on the way included, but none of lists in lists."""
    if isinstance(value, list):
        for item in value[:MOST_URLS]:
            if not isinstance(item, list):
                yield from _texts(item, path)
    elif not path:
        if isinstance(value, str):
            yield value
    elif isinstance(value, dict):
        yield from _texts(value.get(path[0]), path[1:])


def _object(value: Any, field: str) -> Payload:
    return value if isinstance(value, dict) else _refuse(field)


def _objects(value: Any, field: str) -> list[Payload]:
    return [_object(item, field) for item in value] if isinstance(value, list) else _refuse(field)


def _short(name: Any) -> str:
    """The name of a branch or a tag. Raises UsageError for what cannot be one."""
    if not isinstance(name, str) or not 0 < len(name) <= MOST_REF or _CONTROL.search(name):
        _refuse("ref")
    return name


def _full(ref: Any) -> tuple[str, RefKind] | None:
    """The short name of refs/heads/… and refs/tags/…; None for other refs."""
    name = _short(ref)
    if not name.startswith("refs/"):
        _refuse("ref")
    found = ((_short(name.removeprefix(prefix)), kind) for prefix, kind in _PREFIXES.items() if name.startswith(prefix))
    return next(found, None)


def _kind(name: Any) -> RefKind | None:
    return _KINDS.get(name.lower()) if isinstance(name, str) else None


def _sha(value: Payload, field: str) -> str | None:
    """A commit; None for null and zeros."""
    found = value.get(field, "")
    if found is None or (isinstance(found, str) and _ZEROS.fullmatch(found)):
        return None
    return found if isinstance(found, str) and _SHA.fullmatch(found) else _refuse(field)


def _count(payload: Payload) -> int | None:
    """How many commits a payload names: by number (GitLab, Gitea), or else in its list."""
    for field in ("total_commits_count", "total_commits"):
        total = payload.get(field)
        if type(total) is int and 0 <= total <= MOST_COMMITS:
            return total
    commits = payload.get("commits")
    return len(commits) if isinstance(commits, list) else None


def _moved(
    name: str, kind: RefKind, before: str | None, after: str | None, forced: Any = False, commits: int | None = None
) -> Push:
    return Push(name, kind, before, after, not before and bool(after), after is None, forced is True, commits)


# --- readers -----------------------------------------------------------------------------------


def _ping(payload: Payload) -> Found:
    return "ping", ()


def _push(payload: Payload) -> Found:
    """One ref, named in full: GitHub, GitLab, Gitea. A push of refs/notes/… and the like says nothing."""
    ref = _full(payload.get("ref"))
    if ref is None:
        return "push", ()
    before, after = _sha(payload, "before"), _sha(payload, "after")
    if before is None and after is None:  # Gitea tries a webhook of an empty repository
        return "push", ()
    return "push", (_moved(*ref, before, after, payload.get("forced"), _count(payload)),)


def _delete(payload: Payload) -> Found:
    """A deleted branch or tag, its name short: GitHub, Gitea. Gitea sends no push with it."""
    kind = _kind(payload.get("ref_type"))
    if kind is None:
        _refuse("ref_type")
    return "push", (_moved(_short(payload.get("ref")), kind, None, None),)


def _repository(payload: Payload) -> Found:
    changes = payload.get("changes")
    edited = payload.get("action") == "edited" and isinstance(changes, dict) and "default_branch" in changes
    return ("default_branch" if edited else "other"), ()


def _system(payload: Payload) -> Found:
    """GitLab's system hook: pushes as a project's hook sends them, or all refs of a push at once."""
    if "push" in (what := (payload.get("object_kind"), payload.get("event_name"))) or "tag_push" in what:
        return _push(payload)
    if "repository_update" not in what:
        return "other", ()
    return "push", tuple(push for one in _objects(payload.get("changes"), "changes") for push in _push(one)[1])


def _bitbucket_cloud(payload: Payload) -> Found:
    """Several refs, each with what it was and what it is."""
    pushes = []
    for change in _objects(_object(payload.get("push"), "push").get("changes"), "changes"):
        sides = {field: _object(change[field], field) for field in ("old", "new") if change.get(field) is not None}
        named = sides.get("new") or sides.get("old") or {}
        kind = _kind(named.get("type"))
        if kind is None:
            continue
        shas = {field: _sha(_object(side.get("target"), "target"), "hash") for field, side in sides.items()}
        commits = None if change.get("truncated") is True else _count(change)
        name, forced = _short(named.get("name")), change.get("forced")
        pushes.append(_moved(name, kind, shas.get("old"), shas.get("new"), forced, commits))
    return "push", tuple(pushes)


def _bitbucket_data_center(payload: Payload) -> Found:
    pushes = []
    for change in _objects(payload.get("changes"), "changes"):
        ref = _object(change.get("ref"), "ref")
        kind = _kind(ref.get("type"))
        if kind is not None:
            before, after = _sha(change, "fromHash"), _sha(change, "toHash")
            after = None if change.get("type") == "DELETE" else after
            pushes.append(_moved(_short(ref.get("displayId")), kind, before, after))
    return "push", tuple(pushes)


_HUB: Mapping[str, Reader] = {"push": _push, "delete": _delete, "repository": _repository}

FORGES: Mapping[str, Forge] = {
    "github": Forge(
        event=("x-github-event",),
        id=("x-github-delivery",),
        shared_id=(),
        signature=("x-hub-signature-256",),
        prefix="sha256=",
        urls=("repository.clone_url", "repository.ssh_url", "repository.git_url", "repository.html_url"),
        default_branch="repository.default_branch",
        readers={"ping": _ping, **_HUB},
    ),
    "gitlab": Forge(
        event=("x-gitlab-event",),
        id=("webhook-id", "idempotency-key"),
        shared_id=("x-gitlab-event-uuid",),  # by hooks that set off one another; before 17.4 there is nothing else
        signature=(),
        prefix="",
        urls=(
            "project.git_http_url", "project.git_ssh_url", "project.web_url",
            "repository.git_http_url", "repository.git_ssh_url", "repository.homepage",
        ),
        default_branch="project.default_branch",
        readers={"Push Hook": _push, "Tag Push Hook": _push, "System Hook": _system},
    ),
    "gitea": Forge(
        event=("x-forgejo-event", "x-gitea-event"),
        id=("x-forgejo-delivery", "x-gitea-delivery"),
        shared_id=(),
        signature=("x-forgejo-signature", "x-gitea-signature"),
        prefix="",
        urls=("repository.clone_url", "repository.ssh_url", "repository.html_url"),
        default_branch="repository.default_branch",
        readers=_HUB,
    ),
    "bitbucket": Forge(
        event=("x-event-key",),
        id=("x-request-uuid", "x-request-id"),
        shared_id=(),
        signature=("x-hub-signature",),
        prefix="sha256=",
        urls=("repository.links.clone.href", "repository.links.html.href"),
        default_branch="repository.mainbranch.name",
        readers={
            "diagnostics:ping": _ping,
            "repo:push": _bitbucket_cloud,
            "repo:refs_changed": _bitbucket_data_center,
        },
    ),
}  # fmt: skip
