"""What forges send, whether it is from them, and the command that sends the same."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import click
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repoctx.errors import UsageError
from repoctx.serve.forges import FORGES, FORM, Delivery, Push, read
from repoctx.serve.places import place
from repoctx.serve.program import run as run_program
from repoctx.serve.signatures import authentic, sample, sample_ping
from repoctx.serve.webhook import NO_COMMIT, answers, webhook

PAYLOADS = Path(__file__).resolve().parent.parent / "payloads"
NOW = 1_700_000_000.0
SECRET = "It's a Secret to Everybody"  # of the examples of GitHub and Atlassian
TOKEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the example of Standard Webhooks
ONE, TWO = "1" * 40, "2" * 40
TIP = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


def stored(forge: str, name: str) -> tuple[dict[str, str], bytes]:
    """A delivery of tests/payloads."""
    row = json.loads((PAYLOADS / f"{forge}.json").read_text(encoding="utf-8"))[name]
    headers = row.get("headers") or {"x-github-event": row["event"], "x-github-delivery": f"id of {name}"}
    return headers, json.dumps(row["payload"]).encode()


def digest(forge: str, name: str) -> str:
    """What tells its body from others."""
    return hashlib.sha256(stored(forge, name)[1]).hexdigest()


def said(forge: str, name: str) -> Delivery:
    """What a delivery of tests/payloads says."""
    return read(forge, *stored(forge, name))


def push(ref: str, before: str | None, after: str | None, commits: int | None = 0, **more: object) -> Push:
    """A push of a branch that neither creates nor deletes it, but for what is told."""
    found = Push(ref, "branch", before, after, created=False, deleted=False, forced=False, commits=commits)
    return found._replace(**more)


# --- what a delivery says ----------------------------------------------------------------------

TAGGED = push("simple-tag", None, TIP, kind="tag", created=True)
UNTAGGED = push("simple-tag", TIP, None, kind="tag", deleted=True)
CREATED = push("master", None, TIP, 1, created=True)


@pytest.mark.parametrize(
    "number,expected", list(enumerate([TAGGED, UNTAGGED, UNTAGGED, UNTAGGED, CREATED, CREATED, UNTAGGED]))
)
def test_pushes_of_github(number, expected):
    """All the examples that octokit has."""
    home = "github.com/Codertocat/Hello-World"
    urls = (f"https://{home}.git", "git@github.com:Codertocat/Hello-World.git", f"git://{home}.git", f"https://{home}")
    name = f"push {number}"
    assert said("github", name) == Delivery(f"id of {name}", "push", "push", urls, (expected,), "master")


@pytest.mark.parametrize(
    "name,event,kind,repository,pushes,default",
    [
        ("ping", "ping", "ping", "Octocoders/Hello-World", (), "master"),
        ("ping of an organization", "ping", "ping", None, (), None),
        ("default branch edited", "repository", "default_branch", "Octocoders/Hello-World", (), "master"),
        ("description edited", "repository", "other", "Octocoders/Hello-World", (), "master"),
        ("create", "create", "other", "Codertocat/Hello-World", (), "master"),
        (
            "delete", "delete", "push", "Codertocat/Hello-World",
            (push("simple-tag", None, None, None, kind="tag", deleted=True),), "master",
        ),
    ],
)  # fmt: skip
def test_other_events_of_github(name, event, kind, repository, pushes, default):
    """A push follows a create; a delete is one; a new default branch is news."""
    found = said("github", name)
    assert found[1:3] == (event, kind)
    assert {place(url) for url in found.urls} == ({f"github.com/{repository}"} if repository else set())
    assert found[4:] == (pushes, default)


DIASPORA = ("http://git.example.com/mike/diaspora.git", "git@git.example.com:mike/diaspora.git",
            "http://git.example.com/mike/diaspora")  # fmt: skip
EXAMPLE = ("http://example.com/jsmith/example.git", "git@example.com:jsmith/example.git",
           "http://example.com/jsmith/example")  # fmt: skip
WAS, IS = "95790bf891e76fee5e1747ab589903a6a1f80f22", "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"


@pytest.mark.parametrize(
    "name,expected",
    [
        (
            "push",
            Delivery(
                "4c8a3c52-8a53-4b4a-9b1d-5ad2f0f2f0ce", "Push Hook", "push", DIASPORA, (push("master", WAS, IS, 24),),
                "master",
            ),
        ),
        (
            "branch deleted",
            Delivery(
                "msg-1", "Push Hook", "push",
                (
                    "https://git.example.com/mike/diaspora.git", "ssh://git@git.example.com:2222/mike/diaspora.git",
                    "https://git.example.com/mike/diaspora",
                ),
                (push("feature/login", WAS, None, deleted=True),), "main",
            ),
        ),
        (
            "annotated tag",
            Delivery(
                f"2a6b6d3e-6f0c-4a9a-8d2e-0f8c2a7d1b11 {digest('gitlab', 'annotated tag')}",
                "Tag Push Hook", "push", EXAMPLE,
                (push("v1.0.0", None, "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7", kind="tag", created=True),),
                "master",
            ),
        ),
        (
            "system push",
            Delivery(
                None, "System Hook", "push",
                tuple(url.replace("git.example.com", "example.com") for url in DIASPORA),
                (push("master", WAS, IS, 1),), "master",
            ),
        ),
        (
            "system update of several refs",
            Delivery(
                None, "System Hook", "push", EXAMPLE,
                (
                    push("master", "8205ea8d81ce0c6b90fbe8280d118cc9fdad6130",
                         "4045ea7a3df38697b3730a20fb73c8bed8a3e69e", None),
                    push("v2", None, "4045ea7a3df38697b3730a20fb73c8bed8a3e69e", None, kind="tag", created=True),
                ),
                "master",
            ),
        ),
        ("system hook of something else", Delivery(None, "System Hook", "other", (), (), None)),
        (
            "merge request",
            Delivery(
                None, "Merge Request Hook", "other",
                (
                    "http://example.com/gitlabhq/gitlab-test.git", "git@example.com:gitlabhq/gitlab-test.git",
                    "http://example.com/gitlabhq/gitlab-test",
                ),
                (), "master",
            ),
        ),
    ],
)  # fmt: skip
def test_gitlab(name, expected):
    """Pushes, tags and system hooks; an event's uuid, which several hooks share, is no delivery id by itself."""
    assert said("gitlab", name) == expected


APP = ("https://git.example.com/team/app.git", "git@git.example.com:team/app.git", "https://git.example.com/team/app")
BFF = "bffeb74224043ba2feb48d137756c8a9331c449a"
LONG = "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"


@pytest.mark.parametrize(
    "name,expected",
    [
        (
            "push",
            Delivery(
                "f6266f16-1bf3-46a5-9ea4-602e06ead473", "push", "push",
                (
                    "http://localhost:3000/gitea/webhooks.git", "ssh://gitea@localhost:2222/gitea/webhooks.git",
                    "http://localhost:3000/gitea/webhooks",
                ),
                (push("develop", "28e1879d029cb852e4844d9c718537df08844e03", BFF, 1),), "master",
            ),
        ),
        (
            "test delivery",
            Delivery(
                "b3c5b7d1-1111-4222-8333-944455566677", "push", "push", APP, (push("main", BFF, BFF, 1),), "main"
            ),
        ),
        (
            "test delivery of an empty repository",
            Delivery("b3c5b7d1-1111-4222-8333-944455566677", "push", "push", APP, (), "main"),
        ),
        ("create", Delivery("c1", "create", "other", APP, (), "main")),
        (
            "delete",
            Delivery("d1", "delete", "push", APP, (push("feature/login", None, None, None, deleted=True),), "main"),
        ),
        ("repository", Delivery("r1", "repository", "other", APP, (), "main")),
        (
            "sha256 repository",
            Delivery("s1", "push", "push", APP, (push("main", None, LONG, 1, created=True),), "main"),
        ),
    ],
)  # fmt: skip
def test_gitea_and_forgejo(name, expected):
    """As GitHub, under other headers; Forgejo's own count first; commit ids of both lengths."""
    assert said("gitea", name) == expected


@pytest.mark.parametrize(
    "name,expected",
    [
        (
            "cloud push",
            Delivery(
                "7a1c7d2e-1a2b-4c3d-8e9f-001122334455", "repo:push", "push", ("https://bitbucket.org/team/app",),
                (
                    push("main", "1e65c05c1d5171631d92438a13901ca7dae9618c",
                         "709d658dc5b6d6afcd46049c2f332ee3f515a67d", 2, forced=True),
                    push("feature/big", None, ONE, None, created=True),
                    push("old-branch", TWO, None, None, deleted=True),
                    push("v1.0", None, "709d658dc5b6d6afcd46049c2f332ee3f515a67d", kind="tag", created=True),
                ),
                None,
            ),
        ),
        (
            "data center push",
            Delivery(
                "e7f8d1d4-5b3b-4f3f-a6f9-0f35a1c6f8c1", "repo:refs_changed", "push",
                ("https://git.example.com/scm/proj/app.git", "ssh://git@git.example.com:7999/proj/app.git"),
                (
                    push("master", "ecddabb624f6f5ba43816f5926e580a5f680a932",
                         "178864a7d521b6f5e720b386b2c2b0ef8563e0dc", None),
                    push("v1.0", None, "178864a7d521b6f5e720b386b2c2b0ef8563e0dc", None, kind="tag", created=True),
                    push("feature/old", "178864a7d521b6f5e720b386b2c2b0ef8563e0dc", None, None, deleted=True),
                ),
                None,
            ),
        ),
        ("data center ping", Delivery("p1", "diagnostics:ping", "ping", (), (), None)),
        (
            "cloud comment",
            Delivery("c1", "repo:commit_comment_created", "other", ("https://bitbucket.org/team/app",), (), None),
        ),
    ],
)  # fmt: skip
def test_bitbucket(name, expected):
    """Several refs at once; commits that were cut are not counted; what is no branch or tag is left out."""
    assert said("bitbucket", name) == expected


def hub(**fields: object) -> tuple[dict[str, str], bytes]:
    """A push of GitHub's, some fields changed; None of Python is null, ... leaves a field out."""
    whole = {"ref": "refs/heads/main", "before": ONE, "after": TWO, "repository": {}, **fields}
    sent = {name: value for name, value in whole.items() if value is not ...}
    return {"x-github-event": "push", "x-github-delivery": "1"}, json.dumps(sent).encode()


@pytest.mark.parametrize(
    "fields,expected",
    [
        ({}, push("main", ONE, TWO, None)),
        ({"after": None}, push("main", ONE, None, None, deleted=True)),
        ({"before": "0" * 64, "after": "a" * 64}, push("main", None, "a" * 64, None, created=True)),
        ({"forced": True, "commits": [{}, {}]}, push("main", ONE, TWO, 2, forced=True)),
        ({"forced": "yes", "commits": "many"}, push("main", ONE, TWO, None)),
        ({"total_commits": 10**1000}, push("main", ONE, TWO, None)),
        ({"total_commits": True}, push("main", ONE, TWO, None)),
        ({"ref": "refs/heads/refs/heads/x"}, push("refs/heads/x", ONE, TWO, None)),
        ({"ref": "refs/heads/ä/日本"}, push("ä/日本", ONE, TWO, None)),
        ({"ref": "refs/heads/" + "x" * 989}, push("x" * 989, ONE, TWO, None)),
    ],
)
def test_a_push_in_detail(fields, expected):
    """What is only a hint is left out where it makes no sense."""
    assert read("github", *hub(**fields)).pushes == (expected,)


@pytest.mark.parametrize("ref", ["refs/notes/commits", "refs/pull/1/head", "refs/heads"])
def test_other_refs_are_of_no_interest(ref):
    """A push all the same, of nothing."""
    found = read("github", *hub(ref=ref))
    assert (found.kind, found.pushes) == ("push", ())


@pytest.mark.parametrize(
    "fields,field",
    [
        ({"ref": ...}, "ref"),
        ({"ref": None}, "ref"),
        ({"ref": 1}, "ref"),
        ({"ref": "main"}, "ref"),
        ({"ref": "refs/heads/"}, "ref"),
        ({"ref": "refs/heads/a\nb"}, "ref"),
        ({"ref": "refs/heads/a\0"}, "ref"),
        ({"ref": "refs/heads/a\x9b"}, "ref"),
        ({"ref": "refs/heads/\ud800"}, "ref"),
        ({"ref": "refs/heads/" + "x" * 990}, "ref"),
        ({"before": ...}, "before"),
        ({"after": ...}, "after"),
        ({"after": ""}, "after"),
        ({"after": "HEAD"}, "after"),
        ({"after": "A" * 40}, "after"),
        ({"after": "1" * 39}, "after"),
        ({"after": "1" * 41}, "after"),
        ({"after": ONE + "\n"}, "after"),
        ({"after": 1}, "after"),
        ({"after": ["1"]}, "after"),
        ({"repository": ...}, "repository"),
        ({"repository": "team/app"}, "repository"),
        ({"repository": {"default_branch": "a\nb"}}, "ref"),
    ],
)
def test_what_is_no_push(fields, field):
    """The field is named; nothing of it is repeated."""
    with pytest.raises(UsageError) as caught:
        read("github", *hub(**fields))
    assert str(caught.value) == (
        f"the delivery is not understood: its {field} is missing, or not what this forge sends"
    )


CHANGE = {"ref": {"displayId": "main", "type": "BRANCH"}, "fromHash": ONE, "toHash": TWO, "type": "UPDATE"}


@pytest.mark.parametrize(
    "forge,event,payload,field",
    [
        ("github", "delete", {"ref": "x", "ref_type": "repository"}, "ref_type"),
        ("gitea", "delete", {"ref": "", "ref_type": "tag"}, "ref"),
        ("bitbucket", "repo:push", {}, "push"),
        ("bitbucket", "repo:push", {"push": {"changes": {}}}, "changes"),
        ("bitbucket", "repo:push", {"push": {"changes": [1]}}, "changes"),
        ("bitbucket", "repo:push", {"push": {"changes": [{"new": 1}]}}, "new"),
        ("bitbucket", "repo:push", {"push": {"changes": [{"new": {"type": "tag", "target": 1}}]}}, "target"),
        ("bitbucket", "repo:push", {"push": {"changes": [{"new": {"type": "tag", "target": {}}}]}}, "hash"),
        ("bitbucket", "repo:refs_changed", {"changes": None}, "changes"),
        ("bitbucket", "repo:refs_changed", {"changes": [{**CHANGE, "ref": "main"}]}, "ref"),
        ("bitbucket", "repo:refs_changed", {"changes": [{**CHANGE, "toHash": "x"}]}, "toHash"),
        ("gitlab", "System Hook", {"event_name": "repository_update"}, "changes"),
        ("gitlab", "Push Hook", {"object_kind": "push"}, "ref"),
    ],
)
def test_what_other_forges_do_not_send(forge, event, payload, field):
    """As for GitHub."""
    with pytest.raises(UsageError, match=f"its {field} is missing"):
        read(forge, {FORGES[forge].event[-1]: event}, json.dumps({"repository": {}, **payload}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"push"', b"{", b"\xff\xfe{}", '{"a": 1}'.encode("utf-16"), b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a":' + b"[" * 100_000, b'{"a":' + b"9" * 10_000 + b"}", b"payload=%7B%7D", b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("forge", FORGES)
def test_what_is_no_json_object(forge, body):
    """Whatever the event: brackets and digits without end as well."""
    with pytest.raises(UsageError, match="the delivery is no JSON"):
        read(forge, dict.fromkeys(FORGES[forge].event, "push"), body)


@pytest.mark.parametrize(
    "forge,headers,why",
    [
        ("github", {}, "no usable x-github-event header"),
        ("github", {"x-gitea-event": "push"}, "no usable x-github-event header"),
        ("gitea", {"x-github-event": "push"}, "no usable x-gitea-event header"),
        ("github", {"x-github-event": ""}, "no usable"),
        ("github", {"x-github-event": "pu\nsh"}, "no usable"),
        ("github", {"x-github-event": "x" * 201}, "no usable"),
        ("sourcehut", {}, "choose one of github, gitlab, gitea, bitbucket"),
    ],
)
def test_what_is_no_delivery(forge, headers, why):
    """Without its event header nothing is read."""
    with pytest.raises(UsageError, match=why):
        read(forge, headers, b"{}")


@pytest.mark.parametrize(
    "sent,kept", [("a" * 200, "a" * 200), ("a" * 201, None), ("", None), ("é", None), ("a\0", None), ("a b", "a b")]
)
def test_a_delivery_id_can_be_stored(sent, kept):
    """Up to 200 characters of ASCII; another one is none."""
    headers, body = hub()
    assert read("github", {**headers, "x-github-delivery": sent}, body).id == kept


def test_a_shared_id_fits_too():
    """Cut, but with the whole digest of the body."""
    headers = {"x-gitlab-event": "Note Hook", "x-gitlab-event-uuid": "u" * 200}
    assert read("gitlab", headers, b"{}").id == f"{'u' * 135} {hashlib.sha256(b'{}').hexdigest()}"


def test_a_form_holds_the_payload():
    """GitHub and Gitea offer forms too."""
    headers, body = hub(ref="refs/heads/a&b=ü+c")
    form = {**headers, "content-type": f"{FORM}; charset=utf-8"}
    found = read("github", form, urlencode({"payload": body.decode()}).encode())
    assert [push.ref for push in found.pushes] == ["a&b=ü+c"]
    assert found == read("github", headers, body)


@pytest.mark.parametrize("body", [b"", b"{}", b"payload=", b"payload=%7B%7D&payload=%7B%7D", b"payload=%ff",
                                  b"payload=\xc3\xbc", b"&".join([b"a=1"] * 9)])  # fmt: skip
def test_what_is_no_form(body):
    """One payload in a form of ASCII."""
    with pytest.raises(UsageError, match=r"single payload field|no JSON"):
        read("github", {"x-github-event": "push", "content-type": FORM}, body)


def test_a_large_form_is_refused_unread():
    """JSON may be larger: it costs less to read."""
    form = {"x-github-event": "ping", "content-type": FORM}
    full = b"payload=%7B%7D".ljust(8_000_000, b"+")
    assert read("github", form, full).kind == "ping"
    with pytest.raises(UsageError, match="the form is too large: choose application/json"):
        read("github", form, full + b"+")
    assert not authentic("gitea", {**form, "x-gitea-signature": "0" * 64}, full + b"+", [SECRET], NOW)


def test_a_form_is_in_utf_8():
    """Other bytes are not replaced by something else."""
    with pytest.raises(UsageError, match="single payload field"):
        read("github", {"x-github-event": "ping", "content-type": FORM}, b"payload=%7B%22a%22:%22%ff%22%7D")


@pytest.mark.parametrize(
    "value,expected",
    [
        ("https://h/a", ("https://h/a",)),
        (["https://h/a", 1, "/b", "no url"], ("https://h/a", "/b")),
        ([["https://h/a"]], ()),
        ({"href": "https://h/a"}, ()),
        (["https://h/a"] * 21 + ["https://h/b"], ("https://h/a",)),
        (None, ()),
    ],
)
def test_urls_are_looked_for_where_forges_name_them(value, expected):
    """What is no URL is left out, and so is what lies deeper."""
    body = json.dumps({"repository": {"clone_url": value}}).encode()
    assert read("github", {"x-github-event": "star"}, body).urls == expected


# --- whether it is from the forge --------------------------------------------------------------


def test_published_signatures():
    """The examples of GitHub, Atlassian and Standard Webhooks."""
    github = {
        "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }
    assert authentic("github", github, b"Hello, World!", [SECRET], NOW)
    atlassian = {"x-hub-signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"}
    assert authentic("bitbucket", atlassian, b"Hello World!", [SECRET], NOW)
    standard = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert authentic("gitlab", standard, b'{"test": 2432232314}', [TOKEN], 1614265330.5)


SIGNED = [(forge, SECRET) for forge in FORGES] + [("gitlab", TOKEN), ("gitlab", "pässword"), ("github", "pässword")]


def signed(forge: str, secret: str) -> tuple[dict[str, str], bytes]:
    """A push as the forge sends it."""
    return sample(forge, "https://git.example.com/team/app", "main", ONE, TWO, secret, "delivery-1", NOW)


@pytest.mark.parametrize("forge,secret", SIGNED)
def test_only_the_secret_opens(forge, secret):
    """Any of several secrets; none, empty and wrong ones never, nor a changed body."""
    headers, body = signed(forge, secret)
    assert authentic(forge, headers, body, [secret], NOW)
    assert authentic(forge, headers, body, ["other", secret], NOW)
    assert authentic(forge, headers, body, [secret, "other", ""], NOW)
    for secrets in ([], [""], ["", ""], ["other"], [secret + "x"], [secret[:-1]], [f"{secret} "]):
        assert not authentic(forge, headers, body, secrets, NOW)
    if "x-gitlab-token" not in headers:
        assert not authentic(forge, headers, body + b" ", [secret], NOW)
    without = {name: value for name, value in headers.items() if "signature" not in name and "token" not in name}
    assert not authentic(forge, without, body, [secret], NOW)
    assert not authentic("sourcehut", headers, body, [secret], NOW)


def test_no_signature_opens_with_an_empty_secret():
    """Nor does an empty token."""
    empty = hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    assert not authentic("github", {"x-hub-signature-256": f"sha256={empty}"}, b"{}", [""], NOW)
    assert not authentic("gitea", {"x-gitea-signature": empty}, b"{}", [""], NOW)
    assert not authentic("gitlab", {"x-gitlab-token": ""}, b"{}", [""], NOW)
    assert not authentic("gitlab", {"x-gitlab-token": ""}, b"{}", ["x"], NOW)


def test_github_signs_with_sha_256_alone():
    """The older header of SHA-1 counts for nothing, whatever is in it."""
    headers, body = signed("github", SECRET)
    good = headers.pop("x-hub-signature-256")
    old = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    for value in (f"sha1={old}", good):
        assert not authentic("github", {**headers, "x-hub-signature": value}, body, [SECRET], NOW)
    for value in (f"sha1={old}", old, good.removeprefix("sha256="), good.upper(), f"{good} ", f"{good}0"):
        assert not authentic("github", {**headers, "x-hub-signature-256": value}, body, [SECRET], NOW)


def test_forgejos_header_counts_alone_where_it_is():
    """A good one of Gitea's does not help a bad one."""
    headers, body = signed("gitea", SECRET)
    good = headers["x-gitea-signature"]
    assert good == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert authentic("gitea", {"x-forgejo-signature": good, "x-gitea-signature": "0"}, body, [SECRET], NOW)
    for bad in ("", "0" * 64, f"sha256={good}"):
        both = {"x-forgejo-signature": bad, "x-gitea-signature": good}
        assert not authentic("gitea", both, body, [SECRET], NOW)


def test_forms_are_signed_differently():
    """GitHub signs the form as it is sent, Gitea the payload in it."""
    payload = hub(ref="refs/heads/ü")[1]
    form = urlencode({"payload": payload.decode()}).encode()
    over_form, over_payload = (hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest() for text in (form, payload))
    for forge, header, prefix, good, bad in (
        ("github", "x-hub-signature-256", "sha256=", over_form, over_payload),
        ("gitea", "x-gitea-signature", "", over_payload, over_form),
    ):
        for value, expected in ((good, True), (bad, False)):
            headers = {"content-type": FORM, header: prefix + value}
            assert authentic(forge, headers, form, [SECRET], NOW) is expected
    twice = {"content-type": FORM, "x-gitea-signature": over_payload}
    assert not authentic("gitea", twice, form + b"&" + form, [SECRET], NOW)


@pytest.mark.parametrize(
    "late,expected", [(0, True), (300, True), (301, False), (-300, True), (-301, False), (float("nan"), False)]
)
def test_a_signed_time_is_near(late, expected):
    """Five minutes to either side."""
    headers, body = signed("gitlab", TOKEN)
    assert authentic("gitlab", headers, body, [TOKEN], NOW + late) is expected


def test_a_signing_token_never_counts_in_clear():
    """Nor does anything without its id, its time or its version; one of several signatures is enough."""
    headers, body = signed("gitlab", TOKEN)
    good = headers["webhook-signature"]
    assert not authentic("gitlab", {"x-gitlab-token": TOKEN}, body, [TOKEN], NOW)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert not authentic("gitlab", {k: v for k, v in headers.items() if k != name}, body, [TOKEN], NOW)
    for value, expected in (
        (f"v1,AAAA {good}", True), (f"{good} v1a,AAAA", True), (good.replace("v1,", "v2,"), False), (good[3:], False),
        (good[:-1], False), ("", False), ("v1,é", False), ("v1,\u0141", False), (good.replace(",", ", "), False),
    ):  # fmt: skip
        assert authentic("gitlab", {**headers, "webhook-signature": value}, body, [TOKEN], NOW) is expected
    arabic = "".join(chr(0x660 + int(digit)) for digit in f"{NOW:.0f}")
    for value in ("", "soon", f"+{NOW:.0f}", f"{NOW:.1f}", f" {NOW:.0f}", arabic, "9" * 5000):
        assert not authentic("gitlab", {**headers, "webhook-timestamp": value}, body, [TOKEN], NOW)
    assert not authentic("gitlab", {**headers, "webhook-id": "delivery-2"}, body, [TOKEN], NOW)
    for token in ("whsec_", "whsec_!", "whsec_é", TOKEN[:-1]):
        assert not authentic("gitlab", headers, body, [token], NOW)


def test_no_key_is_no_signature():
    """A token with nothing in it cannot be used to sign."""
    body = b"{}"
    sent = b"1." + str(int(NOW)).encode() + b"." + body
    made = base64.b64encode(hmac.new(b"", sent, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(NOW)), "webhook-signature": f"v1,{made}"}
    assert not authentic("gitlab", headers, body, ["whsec_"], NOW)
    with pytest.raises(UsageError, match="is no signing token"):
        sample("gitlab", "/srv/app.git", "main", None, ONE, "whsec_", "1", NOW)


# --- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expected,urls",
    [
        (
            "git.example.com/team/app",
            [
                "https://git.example.com/team/app.git", "git@git.example.com:team/app.git",
                "ssh://git@git.example.com:22/team/app", "https://git.example.com:443/team/app/",
                "https://git.example.com/team/app", "http://git.example.com:80/team/app", "HTTPS://GIT.Example.com/team/app",
                "ssh://git@git.example.com:2222/team/app.git", "git://git.example.com/team/app.git",
                "git@GIT.example.com:/team/app.git/", "https://me:hush@git.example.com//team//app.git/",
                "https://git.example.com/team/%61pp",
            ],
        ),
        ("git.example.com:8443/team/app", ["https://git.example.com:8443/team/app", "http://git.example.com:8443/team/app.git"]),
        ("git.example.com:443/team/app", ["http://git.example.com:443/team/app"]),
        ("git.example.com/Team/app.git", ["https://git.example.com/Team/app.git.git"]),
        ("[::1]:3000/a", ["http://[::1]:3000/a.git"]),
        ("file:/a/b.git", ["file:///a/b.git", "/a/b.git", "/a//b.git/", "file://localhost/a/b.git"]),
        ("file:/a/my b", ["file:///a/my%20b", "/a/my b"]),
        (
            "",
            [
                "", "/", "app", "team/app", "./app", "host:team/app", "https://", "https://git.example.com",
                "https://git.example.com/", "https://git.example.com/.git", "https:///team/app", "https://h:port/a",
                "https://h:99999/a", "http://[::1/a", "https://exa mple/a", "https://h/a?b", "https://h/a#b",
                "https://h/a\nb", "https://h/%00", "file://host/a", "file:///", "ftp://h/a", "javascript:alert(1)",
                "C:/app", "https://h/" + "x" * 2000, "https://h℀/a", "\ud800", "ext::sh -c x",
            ],
        ),
    ],
)  # fmt: skip
def test_places(expected, urls):
    """One place, however it is written."""
    assert {url: place(url) for url in urls} == dict.fromkeys(urls, expected)


# --- anything ----------------------------------------------------------------------------------

TEXT = st.one_of(st.text(max_size=20), st.sampled_from([ONE, "0" * 40, "refs/heads/x", "branch", "push", "https://h/a"]))
FIELDS = sorted(
    {part for row in FORGES.values() for url in row.urls for part in url.split(".")}
    | set("ref before after ref_type type new old name target hash changes push object_kind event_name action".split())
    | set("fromHash toHash displayId commits total_commits repository project".split())
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)),
    max_leaves=30,
)
EVENTS = [(forge, event) for forge, row in FORGES.items() for event in (*row.readers, "other")]
BODIES = st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode()))


@given(st.sampled_from(EVENTS), BODIES, st.booleans())
@example(("github", "other"), b'{"repository":{"clone_url":' + b"[" * 700 + b"]" * 700 + b"}}", False)
@example(("bitbucket", "repo:refs_changed"), b'{"changes":[{"ref":{"type":' + b"[" * 700 + b"]" * 700 + b"}}]}", False)
def test_reading_anything_raises_nothing_but_usage_errors(which, body, as_form):
    """What is read holds what it promises."""
    forge, event = which
    headers = {FORGES[forge].event[0]: event, **({"content-type": FORM} if as_form else {})}
    try:
        found = read(forge, headers, body)
    except UsageError:
        return
    assert all(place(url) for url in found.urls)
    for one in found.pushes:
        assert one.ref
        assert not one.created or not one.deleted
        assert one.deleted == (one.after is None)


NAMES = sorted({name for row in FORGES.values() for name in row.signature} | {
    "x-gitlab-token", "webhook-id", "webhook-timestamp", "webhook-signature", "content-type",
})  # fmt: skip
ANY = st.text(st.characters(codec=None), max_size=9)
VALUES = st.one_of(st.text(max_size=80), ANY, st.just(str(int(NOW))), st.just(FORM))


@given(
    st.sampled_from([*FORGES, "none"]),
    st.dictionaries(st.sampled_from(NAMES), VALUES),
    st.binary(),
    st.lists(st.one_of(st.text(min_size=33), st.sampled_from(["", TOKEN, "whsec_\ud800", "\udc80" * 33]))),
)
def test_checking_anything_raises_nothing(forge, headers, body, secrets):
    """And nothing made up is taken for real."""
    headers = {name: value for name, value in headers.items() if value not in secrets}
    assert authentic(forge, headers, body, secrets, NOW) is False


# --- samples -----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://git.example.com/team/app", "ssh://git@git.example.com:2222/team/app.git",
                                 "http://127.0.0.1:3000/team/app.git", "/srv/git/app.git"])  # fmt: skip
@pytest.mark.parametrize("forge", FORGES)
def test_samples_say_what_was_asked(forge, url):
    """Branches and tags that are made, moved and deleted; the repository is found by its URL."""
    refs = (("main", "main", "branch"), ("refs/tags/v1", "v1", "tag"), ("refs/heads/a/b", "a/b", "branch"))
    for ref, short, kind in refs:
        for before, after in ((ONE, TWO), (None, TWO), (ONE, None), (None, "a" * 64)):
            headers, body = sample(forge, url, ref, before, after, SECRET, "delivery-1", NOW)
            assert authentic(forge, headers, body, [SECRET], NOW)
            found = read(forge, headers, body)
            assert (found.id, found.kind) == ("delivery-1", "push")
            assert place(url) in {place(one) for one in found.urls}
            flags = {"kind": kind, "created": before is None, "deleted": after is None}
            expected = push(short, before, after, int(after is not None), **flags)
            assert found.pushes == (expected,)


@pytest.mark.parametrize(
    "forge,event", [("github", "ping"), ("bitbucket", "diagnostics:ping"), ("gitlab", None), ("gitea", None)]
)
def test_pings(forge, event):
    """Two forges have one."""
    request = sample_ping(forge, "https://git.example.com/team/app", SECRET, "ping-1", NOW)
    if event is None:
        assert request is None
        return
    assert request is not None
    found = read(forge, *request)
    assert (found.id, found.event, found.kind) == ("ping-1", event, "ping")
    assert authentic(forge, *request, [SECRET], NOW)


def test_samples_refuse_what_no_forge_sends():
    """Other refs and other forges."""
    with pytest.raises(UsageError, match="name a branch or a tag"):
        sample("bitbucket", "/srv/app.git", "refs/notes", None, ONE, SECRET, "1", NOW)
    with pytest.raises(UsageError, match="no such forge"):
        sample("sourcehut", "/srv/app.git", "main", None, ONE, SECRET, "1", NOW)


# --- repoctx webhook test ----------------------------------------------------------------------


class Server:
    """A server that does what forges expect, but for what it is told; it keeps what it was sent."""

    def __init__(self, secret: str = SECRET, always: int | None = None) -> None:
        self.secret, self.always = secret, always
        self.seen: list[tuple[str, Delivery]] = []

    def answer(self, target: str, headers: dict[str, str], body: bytes, now: float) -> tuple[int, dict[str, str]]:
        """The status and the problem, if there is one."""
        forge = urlsplit(target).path.removeprefix("/v1/webhooks/")
        if self.always:
            return self.always, {"detail": "as it was told\x1b[31m"}
        if not authentic(forge, headers, body, [self.secret], now):
            return 401, {"detail": "the signature is not right"}
        self.seen.append((parse_qs(urlsplit(target).query)["repository"][0], read(forge, headers, body)))
        return (200 if self.seen[-1][1].kind == "ping" else 202), {}


@contextmanager
def listening(server: Server) -> Iterator[str]:
    """Its address on loopback."""
    import time

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sent = {name.lower(): value for name, value in self.headers.items()}
            status, problem = server.answer(self.path, sent, body, time.time())
            text = json.dumps(problem).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_port}"
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture
def command(capfd, monkeypatch):
    """Runs `repoctx webhook …` with the secret in the environment: (exit code, stdout, stderr)."""
    monkeypatch.setenv("REPOCTX_WEBHOOK_SECRET", SECRET)
    group = click.Group("repoctx", {"webhook": webhook})

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_program(group, ["webhook", *arguments])
        return code, *capfd.readouterr()

    return run


@pytest.mark.parametrize("forge,checks", [("github", 3), ("gitlab", 2), ("gitea", 2), ("bitbucket", 3)])
def test_a_server_in_order(command, forge, checks):
    """Each request is told on a line; the repository is named in the address."""
    server = Server()
    with listening(server) as address:
        code, out, err = command("test", forge, "--server", f"{address}/", "--repo", "my app", "--ref", "dev")
    assert (code, err) == (0, "")
    lines = [line.rpartition(" in ")[0] for line in out.splitlines()]
    expected = ["ok  ping: accepted with 200", "ok  push: accepted with 202", "ok  wrong signature: refused with 401"]
    assert lines == expected[3 - checks :]
    name, found = server.seen[-1]
    assert name == "my app"
    assert found.pushes == (push("dev", None, NO_COMMIT, 1, created=True),)
    assert len({one.id for _, one in server.seen}) == checks - 1


@pytest.mark.parametrize(
    "said,told",
    [
        ({"jobs": [], "test": ["main", "v1"]}, ": a real one would index main, v1; no job is made of a test"),
        ({"jobs": [], "test": []}, ", but nothing of it is indexed: the ref is neither the default one, nor indexed, "
         "nor followed"),
        ({"jobs": ["1f"], "test": None}, ""),
        ({"jobs": ["1f"]}, ""),
    ],
)  # fmt: skip
def test_what_a_push_leads_to_is_told(command, said, told):
    """As the server says it; one that makes a job of every push says less."""

    class Saying(Server):
        def answer(self, target, headers, body, now):
            """What it has to say of a push."""
            status, problem = super().answer(target, headers, body, now)
            return status, said if status == 202 else problem

    with listening(Saying()) as address:
        code, out, _ = command("test", "gitea", "--server", address, "--repo", "app")
    assert code == 0
    assert re.fullmatch(r"ok  push: accepted with 202 in \d+ ms(.*)", out.splitlines()[0])[1] == told


def test_a_signing_token_is_tried_too(command, tmp_path):
    """From a file, with a commit, as JSON Lines."""
    (tmp_path / "secret").write_text(f"{TOKEN}\n")
    server = Server(TOKEN)
    arguments = ("--repo", "app", "--secret-file", str(tmp_path / "secret"), "--commit", ONE, "--json")
    with listening(server) as address:
        code, out, err = command("test", "gitlab", "--server", address, *arguments)
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["check"], line["ok"], line["status"], line["wanted"], line["said"]) for line in lines] == [
        ("push", True, 202, "2xx", "{}"),
        ("wrong signature", True, 401, "401", "the signature is not right"),
    ]
    assert [one.after for one in server.seen[0][1].pushes] == [ONE]


@pytest.mark.parametrize(
    "server,expected",
    [
        (
            Server("another secret"),
            [
                "BAD ping: refused with 401, not 2xx (the signature is not right): "
                "is the secret the one that the repository was registered with?",
                "BAD push: refused with 401, not 2xx (the signature is not right): "
                "is the secret the one that the repository was registered with?",
                "ok  wrong signature: refused with 401",
            ],
        ),
        (
            Server(always=202),
            [
                "ok  ping: accepted with 202",
                "ok  push: accepted with 202",
                "BAD wrong signature: accepted with 202, not 401 (as it was told\ufffd[31m): anyone could send pushes",
            ],
        ),
        (
            Server(always=404),
            [
                f"BAD {check}: refused with 404, not {wanted} (as it was told\ufffd[31m): "
                "is the repository registered under this name, and is this a repoctx server?"
                for check, wanted in (("ping", "2xx"), ("push", "2xx"), ("wrong signature", "401"))
            ],
        ),
    ],
    ids=["other secret", "open to all", "no repository"],
)
def test_a_server_out_of_order(command, server, expected):
    """Exit code 1, and what to look at."""
    with listening(server) as address:
        code, out, err = command("test", "github", "--server", address, "--repo", "app")
    assert code == 1
    assert [line.partition(" in ")[0] if line.startswith("ok") else line for line in out.splitlines()] == expected
    assert "another answer than expected" in err


def test_no_server(command):
    """Exit code 4."""
    with listening(Server()) as address:
        pass
    code, out, err = command("test", "gitea", "--server", address, "--repo", "app")
    assert (code, out) == (4, "")
    assert err.startswith(f"repoctx: {address} gave no answer (")
    assert err.endswith("): start it with `repoctx serve`, or give its address with --server\n")


@pytest.mark.parametrize(
    "arguments,why",
    [
        (("sourcehut", "--repo", "app"), "'sourcehut' is not one of"),
        (("github",), "Missing option '--repo'"),
        (("github", "--repo", "app", "--server", "127.0.0.1:8400"), "--server is http://"),
        (("github", "--repo", "app", "--server", "http://me:hush@host"), "--server is http://"),
        (("github", "--repo", "app", "--commit", "HEAD"), "--commit is a whole commit id"),
        (("github", "--repo", "app", "--secret-env", "REPOCTX_NO"), "the variable REPOCTX_NO holds no secret"),
        (("github", "--repo", "app", "--secret-file", "/nowhere/x"), "/nowhere/x cannot be read"),
        (("github", "--repo", "app", "--secret-file", "x", "--secret-env", "X"), "not both"),
        (("github", "--repo", "app", "--ref", "refs/notes/x"), "name a branch or a tag"),
    ],
)
def test_wrong_use(command, arguments, why):
    """Exit code 2, before anything is sent; a password is not repeated."""
    code, out, err = command("test", *arguments)
    assert (code, out) == (2, "")
    assert why in err
    assert "hush" not in err


def test_answers_are_read_no_further_than_they_matter():
    """A server without end, or without sense, is reported all the same."""
    transport = httpx.MockTransport(lambda _: httpx.Response(500, content=b"\xff" * 1_000_000))
    with httpx.Client(base_url="http://server", transport=transport) as client:
        found = list(answers(client, "gitea", "app", "main", ONE, SECRET))
    assert [(one.check, one.ok, one.status, len(one.said)) for one in found] == [
        ("push", False, 500, 500), ("wrong signature", False, 500, 500),
    ]  # fmt: skip
