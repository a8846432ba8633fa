"""Do the webhooks of a running server do what a forge expects of them?"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

import click

from repoctx.errors import BackendError, NotFoundError, UsageError
from repoctx.serve.forges import FORGES
from repoctx.serve.options import JSON
from repoctx.serve.program import read_text
from repoctx.serve.show import json_line, plain
from repoctx.serve.signatures import SIGNING_TOKEN, sample, sample_ping

if TYPE_CHECKING:
    import httpx

SERVER = "http://127.0.0.1:8400"
SECRET_ENV = "REPOCTX_WEBHOOK_SECRET"
NO_COMMIT = f"{1:040x}"  # of no repository: a push that names it is a test, of which the server makes no job
ANSWER_SECONDS = 10.0  # GitHub gives up then
HINTS = {
    401: "is the secret the one that the repository was registered with?",
    404: "is the repository registered under this name, and is this a repoctx server?",
    429: "the server asks for fewer requests: try again later",
}


class Answer(NamedTuple):
    """What the server made of one request."""

    check: str
    ok: bool
    status: int
    wanted: str
    seconds: float
    said: str  # by the server


@click.group()
def webhook() -> None:
    """Check that pushes reach a repoctx server."""


@webhook.command()
@click.argument("forge", type=click.Choice(list(FORGES)))
@click.option("--repo", required=True, metavar="NAME", help="Name of a repository that the server knows.")
@click.option("--server", default=SERVER, show_default=True, metavar="URL", help="Where the server is.")
@click.option("--ref", default="main", show_default=True, metavar="REF", help="The branch, or refs/tags/NAME.")
@click.option("--commit", metavar="SHA", help="Send a real push of the commit that REF is at, which is indexed.")
@click.option("--secret-env", metavar="VAR", help=f"Variable that holds the secret [default: {SECRET_ENV}].")
@click.option("--secret-file", metavar="F", help="Read the secret from a file (- is standard input).")
@JSON
def test(
    forge: str, repo: str, server: str, ref: str, commit: str | None, secret_env: str | None, secret_file: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Send a server what FORGE would: a ping, a push, and a push with a wrong signature.

    The push is known to be a test: the server says whether such a one would be indexed, and makes no job of it.
    """
    import httpx

    base = _base(server)
    secret = _secret(secret_env, secret_file)
    if commit is not None and not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise UsageError("--commit is a whole commit id, of 40 or 64 hexadecimal digits")
    failed = 0
    try:
        with httpx.Client(base_url=base, timeout=ANSWER_SECONDS) as client:
            for answer in answers(client, forge, repo, ref, commit or NO_COMMIT, secret):
                click.echo(json_line(answer) if as_json else _line(answer))
                failed += not answer.ok
    except httpx.InvalidURL as error:
        raise UsageError(f"--server is no URL ({plain(str(error))}): give one such as {SERVER}") from error
    except httpx.HTTPError as error:
        raise BackendError(
            f"{plain(base)} gave no answer ({plain(str(error) or type(error).__name__)}): start it with "
            "`repoctx serve`, or give its address with --server"
        ) from error
    if failed:
        raise NotFoundError(f"{failed} of the requests had another answer than expected: see what their lines say")


def answers(client: httpx.Client, forge: str, repo: str, ref: str, commit: str, secret: str) -> Iterator[Answer]:
    """What a server answers to a ping, to a push, and to one with a wrong signature."""
    url = f"https://example.invalid/{quote(repo)}.git"
    wrong = secrets.token_hex(32)
    if secret.startswith(SIGNING_TOKEN):
        wrong = SIGNING_TOKEN + base64.b64encode(secrets.token_bytes(32)).decode()
    requests = [
        ("ping", 200, sample_ping(forge, url, secret, str(uuid.uuid4()), time.time())),
        ("push", 202, sample(forge, url, ref, None, commit, secret, str(uuid.uuid4()), time.time())),
        ("wrong signature", 401, sample(forge, url, ref, None, commit, wrong, str(uuid.uuid4()), time.time())),
    ]
    for check, wanted, request in requests:
        if request is not None:
            yield _answer(client, forge, repo, check, wanted, *request)


def _answer(
    client: httpx.Client, forge: str, repo: str, check: str, wanted: int, headers: dict[str, str], body: bytes
) -> Answer:
    from repoctx.http import error_body, said

    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    target = f"/v1/webhooks/{forge}"
    began = time.monotonic()
    with client.stream("POST", target, params={"repository": repo}, headers=sent, content=body) as response:
        found = error_body(response.iter_bytes())
    status = response.status_code
    ok = status == wanted if wanted == 401 else 200 <= status < 300
    text = json.dumps(found) if ok and status < 300 else said(found, "")
    return Answer(check, ok, status, "401" if wanted == 401 else "2xx", round(time.monotonic() - began, 3), text)


def _line(answer: Answer) -> str:
    mark = "ok " if answer.ok else "BAD"
    done = f"{'accepted' if answer.status < 300 else 'refused'} with {answer.status}"
    if answer.ok:
        return f"{mark} {plain(answer.check)}: {done} in {answer.seconds * 1000:.0f} ms{_led_to(answer)}"
    said = f" ({plain(answer.said)})" if answer.said else ""
    hint = "anyone could send pushes" if answer.status < 300 else HINTS.get(answer.status, "")
    return f"{mark} {plain(answer.check)}: {done}, not {answer.wanted}{said}" + (f": {hint}" if hint else "")


def _led_to(answer: Answer) -> str:
    """What a push leads to, as far as its server says."""
    try:
        said = json.loads(answer.said) if answer.check == "push" else {}
    except ValueError:
        return ""
    if said.get("test"):
        return f": a real one would index {plain(', '.join(said['test']))}; no job is made of a test"
    if said.get("jobs") == []:
        return ", but nothing of it is indexed: the ref is neither the default one, nor indexed, nor followed"
    return ""


def _base(server: str) -> str:
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(f"--server is http:// or https://, a host and a port, such as {SERVER}")
    return server.rstrip("/")


def _secret(variable: str | None, file: str | None) -> str:
    if variable is not None and file is not None:
        raise UsageError("give either --secret-env or --secret-file, not both")
    if file is not None:
        secret, where = read_text(None, file, "secret").strip(), plain(file)
    else:
        secret, where = os.environ.get(variable or SECRET_ENV, "").strip(), f"the variable {variable or SECRET_ENV}"
    if not secret:
        raise UsageError(f"{where} holds no secret: give the one that the repository was registered with")
    if not secret.isprintable():
        raise UsageError(f"the secret in {where} has characters that no webhook's secret has")
    return secret
