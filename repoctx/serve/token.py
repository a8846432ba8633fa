"""Who may ask the service? Tokens are made, listed and revoked where it runs."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import click

from repoctx.errors import NotFoundError, UsageError
from repoctx.serve import show
from repoctx.serve.options import JSON, workspace

if TYPE_CHECKING:
    from repoctx.store.access import Entry

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
# How long a token may be valid that ends by itself, in seconds: later times have no RFC 3339 form at some point.
_LONGEST = 100 * 365 * 86400.0


@click.group()
def token() -> None:
    """Make, list and revoke the tokens that the service asks for."""


@token.command()
@click.option("--scope", type=click.Choice(["read", "write", "admin"]), default="read", show_default=True)
@click.option("--repo", "repos", metavar="R", multiple=True, help="Only for this one, again for more [default: all].")
@click.option("--name", default="", metavar="NAME", help="What it is for; `token list` shows it.")
@click.option("--expires", metavar="TIME", help="When it ends by itself: 12h, 30d, 8w [default: never].")
@JSON
@click.pass_context
def create(
    context: click.Context, scope: str, repos: tuple[str, ...], name: str, expires: str | None, as_json: bool
) -> None:
    """Make a token, and print it on the last line: it is shown this once, and kept nowhere.

    read: search, pack, look, and chat through /v1, which costs the model's time or money. write: index, tasks, and
    cancel as well. admin: everything. From the first token on nobody asks without one, not even on this machine.
    """
    from repoctx.store import access
    from repoctx.store.connect import errors
    from repoctx.workspace import NAME

    now = time.time()
    for repo in repos:
        if not NAME.fullmatch(repo):
            raise UsageError(f"{repo!r} is no name of a repository: `repoctx status` lists them")
    if len(name) > 200 or not name.isprintable():
        raise UsageError("a token's name is at most 200 printable characters")
    ends = None if expires is None else now + lasting(expires)
    with workspace(context) as opened, errors(opened.engine):
        with opened.engine.begin() as connection:
            first = not access.exist(connection)
            made, text = access.create(connection, name, scope, tuple(sorted(set(repos))) or None, now, ends)
            access.note(connection, _entry(now, f"token create {made.id} --scope {scope}", 201))
        known = set(opened.every_repository())
    if as_json:
        click.echo(show.json_line({"id": made.id, "scope": scope, "repositories": made.repositories, "token": text}))
        return
    for repo in sorted(set(repos) - known):
        click.echo(f"{repo} is not indexed yet: the token is for whatever gets this name", err=True)
    if first:
        click.echo("this is the first token: from now on the service asks everybody for one", err=True)
    click.echo(f"{made.id}: {scope}, {', '.join(made.repositories or ('all repositories',))}")
    click.echo(text)


@token.command("list")
@JSON
@click.pass_context
def listed(context: click.Context, as_json: bool) -> None:
    """List the tokens, without their secrets."""
    from repoctx.serve.rest.wire import moment
    from repoctx.store import access
    from repoctx.store.connect import errors

    now = time.time()
    with workspace(context) as opened, errors(opened.engine), opened.engine.connect() as connection:
        found = access.all_tokens(connection)
    if not found and not as_json:
        click.echo("there is no token: `repoctx token create` makes one")
    for one in found:
        state = "valid" if one.valid(now) else "revoked" if one.revoked_at is not None else "expired"
        if as_json:
            times = {name: getattr(one, name) for name in ("created_at", "expires_at", "revoked_at")}
            times = {name: None if value is None else moment(value) for name, value in times.items()}
            line = {name: getattr(one, name) for name in ("id", "name", "scope", "repositories")}
            click.echo(show.json_line({**line, "state": state, **times}))
            continue
        ends = f", until {moment(one.expires_at)}" if one.expires_at else ""
        where = ", ".join(one.repositories or ("all repositories",))
        click.echo(f"{one.id}  {state}{ends}  {one.scope}  {where}  {show.plain(one.name)}".rstrip())


@token.command()
@click.argument("identity", metavar="ID")
@click.pass_context
def revoke(context: click.Context, identity: str) -> None:
    """Make the token of an ID invalid at once and for good."""
    from repoctx.store import access
    from repoctx.store.connect import errors

    with workspace(context) as opened, errors(opened.engine), opened.engine.begin() as connection:
        done = identity.isprintable() and access.revoke(connection, identity, time.time())
        if done:
            access.note(connection, _entry(time.time(), f"token revoke {identity}", 204))
    if not done:
        raise NotFoundError(f"no valid token has the id {identity!r}: `repoctx token list` shows them")
    click.echo(f"{identity} is revoked")


def _entry(now: float, action: str, status: int) -> Entry:
    """What the audit log says of a command."""
    from repoctx.store.access import Entry

    return Entry(0, now, None, "command line", action, None, status, "-")


def lasting(text: str) -> float:
    """How long `30d` is, in seconds. Raises UsageError."""
    parts = re.fullmatch(r"([0-9]{1,6})([mhdw])", text)
    if parts is None or parts[1].strip("0") == "":
        raise UsageError(f"a time is a number and m, h, d or w, such as 30d; not {text!r}")
    seconds = float(parts[1]) * _UNITS[parts[2]]
    if seconds > _LONGEST:
        raise UsageError("a token ends within 100 years: say nothing for one that never does")
    return seconds
