"""Is it really from this forge? And how does a forge sign what it sends?

Signatures are over the bytes as they came. Header values are as servers hand them on: latin-1, names in
lower case.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from repoctx.errors import UsageError
from repoctx.serve.forges import FORGES, content
from repoctx.serve.places import place

SIGNING_TOKEN = "whsec_"  # what a GitLab signing token begins with (Standard Webhooks)
CLOCK_SECONDS = 300  # how far a signed time may be from ours (Standard Webhooks)
_PERSON = "repoctx"
_MESSAGE = "a test of repoctx"


def authentic(forge: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float) -> bool:
    """Whether a request was signed with one of the secrets; False without any. All are tried, so that the time
    it takes says nothing about them. Never raises."""
    if forge not in FORGES:
        return False
    signed = _gitlab if forge == "gitlab" else _signed
    return True in [signed(forge, headers, body, secret, now) for secret in secrets if secret]


def _signed(forge: str, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    row = FORGES[forge]
    given = next((headers[name] for name in row.signature if name in headers), None)
    if given is None:
        return False
    try:  # Gitea signs the payload also where it sends it in a form; GitHub signs the form
        message = content(headers, body) if forge == "gitea" else body
    except UsageError:
        return False
    return hmac.compare_digest(_octets(given), (row.prefix + _digest(_bytes(secret), message).hex()).encode())


def _gitlab(forge: str, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """By its signature if the secret is a signing token, which never counts in clear; else by the secret in clear."""
    if not secret.startswith(SIGNING_TOKEN):
        return hmac.compare_digest(_octets(headers.get("x-gitlab-token", "")), _bytes(secret))
    key, sent = _key(secret), headers.get("webhook-timestamp", "")
    if not key or not sent.isascii() or not sent.isdigit() or len(sent) > 12:
        return False
    if not abs(now - int(sent)) <= CLOCK_SECONDS:
        return False
    wanted = _standard(key, _octets(headers.get("webhook-id", "")), sent, body)
    given = _octets(headers.get("webhook-signature", "")).split(b" ")
    return True in [hmac.compare_digest(one, wanted) for one in given]


def _digest(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _standard(key: bytes, delivery: bytes, sent: str, body: bytes) -> bytes:
    """A signature as Standard Webhooks has it."""
    return b"v1," + base64.b64encode(_digest(key, b"%b.%b.%b" % (delivery, sent.encode(), body)))


def _key(token: str) -> bytes:
    """The key in a signing token; none if it is not one."""
    try:
        return base64.b64decode(token.removeprefix(SIGNING_TOKEN), validate=True)
    except ValueError:
        return b""


def _bytes(text: str) -> bytes:
    """A text as forges send it, whatever the environment that it came from."""
    return text.encode("utf-8", "surrogatepass")


def _octets(header: str) -> bytes:
    """The bytes of a header."""
    try:
        return header.encode("latin-1")
    except UnicodeEncodeError:
        return _bytes(header)


# --- what forges send --------------------------------------------------------------------------


def sample(
    forge: str, url: str, ref: str, before: str | None, after: str | None, secret: str, delivery: str, now: float
) -> tuple[dict[str, str], bytes]:
    """A push as the forge sends it, signed: header names are in lower case. `ref` is a branch, or refs/tags/…;
    no `before` creates it, no `after` deletes it. Raises UsageError."""
    full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    if not full.startswith(("refs/heads/", "refs/tags/")):
        raise UsageError("forges send pushes of refs/heads/… and refs/tags/… only: name a branch or a tag")
    zeros = "0" * len(before or after or 40 * "0")
    change = {"ref": full, "before": before or zeros, "after": after or zeros}
    event, payload = _EVENTS[_known(forge)](_urls(url), change, now)
    return _sent(forge, event, payload, secret, delivery, now)


def sample_ping(forge: str, url: str, secret: str, delivery: str, now: float) -> tuple[dict[str, str], bytes] | None:
    """What the forge sends to try a new webhook, signed; None if it has nothing of the kind."""
    _known(forge)
    if forge == "github":
        hook = {"type": "Repository", "id": 1, "name": "web", "active": True, "events": ["push"]}
        payload = {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": hook, "repository": _urls(url)}
        return _sent(forge, "ping", payload, secret, delivery, now)
    if forge == "bitbucket":  # Data Center; the Cloud has none
        return _sent(forge, "diagnostics:ping", {"test": True}, secret, delivery, now)
    return None


def _known(forge: str) -> str:
    if forge not in FORGES:
        raise UsageError(f"there is no such forge: choose one of {', '.join(FORGES)}")
    return forge


def _urls(url: str) -> dict[str, str]:
    """A repository's addresses, under GitHub's names."""
    where = place(url)
    if not where or where.startswith("file:"):
        return {"name": "sample", "clone_url": url, "html_url": url}
    host, _, path = where.partition("/")
    return {
        "name": path.rpartition("/")[2],
        "full_name": path,
        "clone_url": f"https://{where}.git",
        "ssh_url": f"git@{re.sub(':[0-9]+$', '', host)}:{path}.git",
        "html_url": f"https://{where}",
    }


def _time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")


def _commits(change: Mapping[str, str], now: float) -> list[dict[str, Any]]:
    if not change["after"].strip("0"):
        return []
    author = {"name": _PERSON, "email": "repoctx@example.invalid"}
    return [{"id": change["after"], "message": _MESSAGE, "timestamp": _time(now), "author": author}]


def _hub_push(urls: dict[str, str], change: dict[str, str], now: float) -> tuple[str, dict[str, Any]]:
    created, deleted = (not change[side].strip("0") for side in ("before", "after"))
    commits = _commits(change, now)
    return "push", {
        **change, "created": created, "deleted": deleted, "forced": False, "base_ref": None,
        "commits": commits, "head_commit": next(iter(commits), None), "repository": urls,
        "pusher": {"name": _PERSON}, "sender": {"login": _PERSON, "type": "User"},
    }  # fmt: skip


def _gitea_push(urls: dict[str, str], change: dict[str, str], now: float) -> tuple[str, dict[str, Any]]:
    commits = _commits(change, now)
    return "push", {
        **change, "commits": commits, "total_commits": len(commits), "head_commit": next(iter(commits), None),
        "repository": urls, "pusher": {"login": _PERSON}, "sender": {"login": _PERSON},
    }  # fmt: skip


def _gitlab_push(urls: dict[str, str], change: dict[str, str], now: float) -> tuple[str, dict[str, Any]]:
    tag = change["ref"].startswith("refs/tags/")
    commits = _commits(change, now)
    project = {
        "name": urls["name"], "git_http_url": urls["clone_url"], "git_ssh_url": urls.get("ssh_url", urls["clone_url"]),
        "web_url": urls["html_url"],
    }  # fmt: skip
    what = "tag_push" if tag else "push"
    return ("Tag Push Hook" if tag else "Push Hook"), {
        "object_kind": what, "event_name": what, **change, "checkout_sha": change["after"] if commits else None,
        "user_name": _PERSON, "project": project, "commits": commits, "total_commits_count": len(commits),
    }  # fmt: skip


def _bitbucket_push(urls: dict[str, str], change: dict[str, str], now: float) -> tuple[str, dict[str, Any]]:
    """As the Cloud sends it."""
    _, heads_or_tags, name = change["ref"].split("/", 2)
    kind = "tag" if heads_or_tags == "tags" else "branch"
    old, new = (
        {"type": kind, "name": name, "target": {"type": "commit", "hash": sha}} if sha.strip("0") else None
        for sha in (change["before"], change["after"])
    )
    commits = [{"hash": one["id"], "message": one["message"]} for one in _commits(change, now)]
    one = {
        "old": old, "new": new, "created": old is None, "closed": new is None, "forced": False,
        "truncated": False, "commits": commits,
    }  # fmt: skip
    repository = {"type": "repository", "name": urls["name"], "links": {"html": {"href": urls["html_url"]}}}
    return "repo:push", {"push": {"changes": [one]}, "repository": repository, "actor": {"nickname": _PERSON}}


_EVENTS = {"github": _hub_push, "gitlab": _gitlab_push, "gitea": _gitea_push, "bitbucket": _bitbucket_push}


def _sent(
    forge: str, event: str, payload: Mapping[str, Any], secret: str, delivery: str, now: float
) -> tuple[dict[str, str], bytes]:
    """The request that carries an event."""
    row = FORGES[forge]
    body = json.dumps(payload, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", row.event[-1]: event}
    if forge == "gitlab":
        headers.update(_gitlab_headers(body, secret, delivery, now))
        return headers, body
    id_header = row.id[-1] if event == "diagnostics:ping" else row.id[0 if forge == "bitbucket" else -1]
    headers[id_header] = delivery
    headers[row.signature[-1]] = row.prefix + _digest(_bytes(secret), body).hex()
    return headers, body


def _gitlab_headers(body: bytes, secret: str, delivery: str, now: float) -> dict[str, str]:
    if not secret.startswith(SIGNING_TOKEN):
        return {"idempotency-key": delivery, "x-gitlab-token": _bytes(secret).decode("latin-1")}
    if not (key := _key(secret)):
        raise UsageError(f"the secret begins with {SIGNING_TOKEN} but is no signing token: copy it whole from GitLab")
    sent = str(int(now))
    return {
        "idempotency-key": delivery,
        "webhook-id": delivery,
        "webhook-timestamp": sent,
        "webhook-signature": _standard(key, _octets(delivery), sent, body).decode(),
    }
