"""Tokens at the command line: made once, shown once, listed without their secrets, revoked for good."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from repoctx.store import tables
from repoctx.workspace import Workspace

Run = Callable[..., tuple[int, str, str]]
TOKEN = re.compile(r"rctx_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def listed(repoctx: Run) -> list[dict]:
    """The tokens that `token list --json` shows."""
    code, out, err = repoctx("token", "list", "--json")
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def test_a_token_stands_alone_on_the_last_line(repoctx: Run) -> None:
    """What it may do comes before it; that it is the first one is said on stderr, once."""
    code, out, err = repoctx("token", "create")
    assert code == 0
    assert err == "this is the first token: from now on the service asks everybody for one\n"
    first, token = out.splitlines()
    found = TOKEN.fullmatch(token)
    assert found is not None
    assert first == f"{found[1]}: read, all repositories"
    code, out, err = repoctx("token", "create", "--scope", "admin", "--repo", "shop", "--repo", "desk", "--name", "ci")
    assert code == 0
    assert err == (
        "desk is not indexed yet: the token is for whatever gets this name\n"
        "shop is not indexed yet: the token is for whatever gets this name\n"
    )
    assert re.fullmatch(r"[0-9a-f]{12}: admin, desk, shop", out.splitlines()[0])
    assert TOKEN.fullmatch(out.splitlines()[-1])


def test_json_is_one_object_and_nothing_else(repoctx: Run) -> None:
    """A program reads the token and what it allows."""
    code, out, err = repoctx("token", "create", "--json", "--scope", "write", "--repo", "shop")
    assert (code, err, out.count("\n")) == (0, "", 1)
    made = json.loads(out)
    found = TOKEN.fullmatch(made.pop("token"))
    assert found is not None
    assert made == {"id": found[1], "scope": "write", "repositories": ["shop"]}


def test_the_secret_is_nowhere_in_the_database(repoctx: Run) -> None:
    """Only its hash is."""
    _, out, _ = repoctx("token", "create")
    secret = out.splitlines()[-1][-43:]
    workspace = Workspace()
    with workspace.engine.connect() as connection:
        everything = [str(row) for one in tables.metadata.sorted_tables for row in connection.execute(sa.select(one))]
    workspace.close()
    assert everything
    assert not [row for row in everything if secret in row]


def test_tokens_are_listed_with_their_state_and_revoked_once(repoctx: Run) -> None:
    """A list shows no secret; what is revoked stays in it."""
    assert repoctx("token", "list") == (0, "there is no token: `repoctx token create` makes one\n", "")
    assert listed(repoctx) == []
    _, out, _ = repoctx("token", "create", "--name", "for the\u00a0page", "--scope", "admin")
    assert out == ""  # a space that does not break is not printable
    texts = [repoctx("token", "create", *more)[1].splitlines()[-1] for more in (
        ["--name", "nightly run"], ["--expires", "30d", "--scope", "write", "--repo", "shop"],
    )]  # fmt: skip
    first, second = (text.split("_")[1] for text in texts)
    found = listed(repoctx)
    assert [{name: value for name, value in one.items() if not name.endswith("_at")} for one in found] == [
        {"id": first, "name": "nightly run", "scope": "read", "repositories": None, "state": "valid"},
        {"id": second, "name": "", "scope": "write", "repositories": ["shop"], "state": "valid"},
    ]
    assert TIME.fullmatch(found[0]["created_at"])
    assert (found[0]["expires_at"], found[0]["revoked_at"], found[1]["revoked_at"]) == (None, None, None)
    assert found[1]["expires_at"][:4] >= found[1]["created_at"][:4]
    _, out, _ = repoctx("token", "list")
    assert out.splitlines() == [
        f"{first}  valid  read  all repositories  nightly run",
        f"{second}  valid, until {found[1]['expires_at']}  write  shop",
    ]
    assert repoctx("token", "revoke", first) == (0, f"{first} is revoked\n", "")
    code, out, err = repoctx("token", "revoke", first)
    assert (code, out) == (1, "")
    assert err == f"repoctx: no valid token has the id {first!r}: `repoctx token list` shows them\n"
    assert [one["state"] for one in listed(repoctx)] == ["revoked", "valid"]
    assert TIME.fullmatch(listed(repoctx)[0]["revoked_at"])


def test_a_token_that_has_expired_is_listed_so(repoctx: Run) -> None:
    """Times are those of the moment the list is made."""
    repoctx("token", "create", "--expires", "1m")
    workspace = Workspace()
    with workspace.engine.begin() as connection:
        connection.execute(tables.tokens.update().values(expires_at=1000.5))
    workspace.close()
    assert [(one["state"], one["expires_at"]) for one in listed(repoctx)] == [("expired", "1970-01-01T00:16:40.500Z")]
    assert "  expired, until 1970-01-01T00:16:40.500Z  read" in repoctx("token", "list")[1]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["create", "--scope", "root"], "'root' is not one of 'read', 'write', 'admin'"),
        (["create", "--expires", "soon"], "a time is a number and m, h, d or w, such as 30d; not 'soon'"),
        (["create", "--expires", "0d"], "a time is a number and m, h, d or w, such as 30d; not '0d'"),
        (["create", "--expires", "-1d"], "a time is a number and m, h, d or w, such as 30d; not '-1d'"),
        (["create", "--expires", "999999w"], "a token ends within 100 years: say nothing for one that never"),
        (["create", "--repo", "a/b"], "'a/b' is no name of a repository: `repoctx status` lists them"),
        (["create", "--repo", ""], "'' is no name of a repository: `repoctx status` lists them"),
        (["create", "--name", "x" * 201], "a token's name is at most 200 printable characters"),
        (["create", "--name", "a\nb"], "a token's name is at most 200 printable characters"),
        (["create", "--name", "\udcff"], "a token's name is at most 200 printable characters"),
        (["revoke"], "Missing argument 'ID'"),
        (["create", "more"], "Got unexpected extra argument (more)"),
    ],
)  # fmt: skip
def test_wrong_use_is_told_and_makes_nothing(repoctx: Run, arguments: list[str], said: str) -> None:
    """Exit code 2, one sentence, no token."""
    code, out, err = repoctx("token", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert listed(repoctx) == []


@pytest.mark.parametrize("identity", ["none", "", "\udcff", "../x", "0" * 5000])
def test_what_is_no_id_is_not_found(repoctx: Run, identity: str) -> None:
    """Exit code 1, whatever was given."""
    code, out, err = repoctx("token", "revoke", identity)
    assert (code, out) == (1, "")
    assert err.startswith("repoctx: no valid token has the id ")
    assert err.endswith(": `repoctx token list` shows them\n")


def test_a_database_that_cannot_be_used_is_told(repoctx: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4 and where it was looked for, without its password."""
    monkeypatch.setenv("REPOCTX_DATABASE_URL", "postgresql://me:hidden@127.0.0.1:1/none")
    for command in (["create"], ["list"], ["revoke", "x"]):
        code, out, err = repoctx("token", *command)
        assert (code, out) == (4, "")
        assert "the database postgresql+psycopg://me:***@127.0.0.1:1/none cannot be reached" in err
        assert "hidden" not in err
