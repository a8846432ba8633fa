"""What a service may clone for others: which servers, with whose login, and who gets to see it."""

import base64
import os
import socket
import subprocess
from pathlib import Path

import pytest
from git_http import serving
from repositories import git

from repoctx.errors import BackendError, RefusedError, SourceError, UsageError
from repoctx.source import Access, Limits, open_source, remote_refs
from repoctx.source import git as source_git

LOOPBACK = ("127.0.0.0/8",)
TOKEN = "ghp_hush-hush"
BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder to serve: `tool.git`, and the work tree `work` that it was made from."""
    folder = tmp_path / "served"
    work = folder / "work"
    work.mkdir(parents=True)
    git(work, "init", "-q", "-b", "main")
    (work / "a.py").write_text("a = 1\n")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "first")
    git(folder, "clone", "-q", "--bare", "work", "tool.git")
    return folder


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is searched for programs first."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Host names, with their addresses, that nobody but this process knows."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host, *args, **options):
        return [row for address in known.get(host, [host]) for row in real(address, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def record(program: Path, then: str) -> Path:
    """Make a program that writes down its arguments and variables; the file with them, a record a paragraph."""
    told = program.with_suffix(".told")
    program.write_text(f'#!/bin/sh\n{{ echo "argv: $*"; env; echo; }} >>{told}\n{then}\n')
    program.chmod(0o755)
    return told


def read(url: str, mirrors: Path, access: Access, ref: str | None = None) -> dict[str, bytes]:
    with open_source(url, ref=ref, limits=Limits(), mirrors=mirrors, access=access) as source:
        return {entry.path: raw for entry, raw in source.read(source.tree().entries)}


def test_private_addresses_are_refused_unless_listed(served, tmp_path, names):
    """A host counts as private if one of its addresses is; a name, an address or a network lists it."""
    names["git.corp.example"] = ["127.0.0.1"]
    names["half.example"] = ["8.8.8.8", "10.0.0.1"]
    with serving(served) as server:
        for host in ("127.0.0.1", "git.corp.example"):
            url = f"http://{host}:{server.port}/tool.git"
            with pytest.raises(RefusedError) as caught:
                read(url, tmp_path / "m", Access(hosts=("10.0.0.0/8", "corp.example", f"{host}:1")))
            assert str(caught.value) == (
                "http is open to change on its way, and the setting clone.hosts does not list "
                f"{host}: use https, or list it."
            )
            with pytest.raises(RefusedError) as caught:
                read(url.replace("http", "https"), tmp_path / "m", Access(hosts=()))
            assert str(caught.value) == (
                f"{host} is, or leads to, an address that is not public, and the setting clone.hosts does not list it."
            )
        assert server.requests == []
        assert not (tmp_path / "m").exists()
        for host, entry in (
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", f"127.0.0.0/8:{server.port}"),
            ("git.corp.example", "git.corp.example"),
            ("git.corp.example", f"*.corp.example:{server.port}"),
            ("git.corp.example", "127.0.0.1"),
        ):
            url = f"http://{host}:{server.port}/tool.git"
            assert read(url, tmp_path / "m", Access(hosts=(entry,))) == {"a.py": b"a = 1\n"}
    with pytest.raises(RefusedError, match=r"half\.example is, or leads to"):
        remote_refs("https://half.example/x", Limits(), Access(hosts=("8.8.8.8",)))
    with pytest.raises(BackendError, match=r"\(no address of nowhere\.invalid is known\)"):
        read("https://nowhere.invalid/x", tmp_path / "m", Access(hosts=()))


def test_the_local_user_is_not_guarded_and_never_clones_by_http(served, tmp_path):
    """What the command line does has not changed."""
    assert read(f"file://{served}/tool.git", tmp_path / "m", Access()) == {"a.py": b"a = 1\n"}
    with pytest.raises(UsageError, match="http is open to change"):
        read("http://127.0.0.1/tool.git", tmp_path / "m", Access())
    with pytest.raises(RefusedError, match=r"are for the local user.*clone\.hosts"):
        read(f"file://{served}/tool.git", tmp_path / "m", Access(hosts=LOOPBACK))


def test_git_connects_to_the_address_that_was_checked(served, tmp_path, names):
    """A name that only the check could look up is cloned: git does not look it up again."""
    names["rebind.example"] = ["127.0.0.1"]
    with serving(served) as server:
        url = f"http://Rebind.example:{server.port}/tool.git"
        access = Access(hosts=("127.0.0.1",))
        assert read(url, tmp_path / "m", access) == {"a.py": b"a = 1\n"}
        del names["rebind.example"]
        with pytest.raises(BackendError, match=r"no address of rebind\.example is known"):
            read(url, tmp_path / "m", access)


def test_redirects_are_not_followed(served, tmp_path):
    """The server that a redirect leads to hears nothing, neither of the fetch nor of the token."""
    with serving(served) as server, serving(served) as target:
        server.redirects["/moved.git"] = f"{target.url}/tool.git"
        url = f"{server.url}/moved.git"
        for call in (
            lambda: read(url, tmp_path / "m", Access(hosts=LOOPBACK, token=TOKEN)),
            lambda: remote_refs(url, Limits(), Access(hosts=LOOPBACK)),
        ):
            with pytest.raises(SourceError) as caught:
                call()
            assert str(caught.value) == (
                f"{url} redirects to another URL, which is not followed: register the URL that it leads to."
            )
        assert [request.authorization for request in server.requests] == [f"Basic {BASIC}", None]
        assert target.requests == []


def test_tokens(served, tmp_path):
    """The right one reads; a wrong one, and none, is refused before anything of an older clone is read."""
    with serving(served, "x-access-token", TOKEN) as server:
        url, mirrors = f"{server.url}/tool.git", tmp_path / "m"
        assert read(url, mirrors, Access(hosts=LOOPBACK, token=TOKEN)) == {"a.py": b"a = 1\n"}
        why = f"(could not read Username for 'http://127.0.0.1:{server.port}': terminal prompts disabled)."
        wrong = f"does not accept the login that was given for it {why}"
        for access, said in (
            (Access(hosts=LOOPBACK, token="wrong"), wrong),
            (Access(hosts=LOOPBACK, token=TOKEN, user="me"), wrong),
            (Access(hosts=LOOPBACK), f"wants a login: give it a token, or for ssh a key file {why}"),
        ):
            for call in (lambda a=access: read(url, mirrors, a), lambda a=access: remote_refs(url, Limits(), a)):
                with pytest.raises(BackendError) as caught:
                    call()
                assert str(caught.value) == f"{url} {said}"
        server.user = "me"
        assert read(url, mirrors, Access(hosts=LOOPBACK, token=TOKEN, user="me")) == {"a.py": b"a = 1\n"}


def test_a_server_that_forbids_says_nothing_in_our_name(served, tmp_path):
    """403 is a login that does not do; the text that comes with it, here the token, is not repeated."""
    with serving(served) as server:
        server.answers["/tool.git"] = (403, "text/plain", f"fatal: your token is {TOKEN}\n".encode())
        url = f"{server.url}/tool.git"
        with pytest.raises(BackendError) as caught:
            read(url, tmp_path / "m", Access(hosts=LOOPBACK, token=TOKEN))
        assert str(caught.value) == (
            f"{url} does not accept the login that was given for it "
            f"(unable to access '{url}/': The requested URL returned error: 403)."
        )


def test_a_token_is_seen_by_git_alone(served, tmp_path, programs):
    """It is in no argument, no file, no message, and only in the variables of the git that fetches."""
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    told = record(programs / "git", f'exec {real} "$@"')
    access = Access(hosts=LOOPBACK, token=TOKEN)
    with serving(served, "x-access-token", TOKEN) as server:
        url = f"{server.url}/tool.git"
        for _ in range(2):
            read(url, tmp_path / "m", access)
        remote_refs(url, Limits(), access)
        server.password = "other"
        with pytest.raises(BackendError) as caught:
            read(url, tmp_path / "m", access)
    for secret in (TOKEN, BASIC):
        assert secret not in f"{caught.value}{caught.value.__cause__}{access!r}"
        for path in (tmp_path / "m").rglob("*"):
            assert path.is_dir() or secret.encode() not in path.read_bytes()
    calls = [record.splitlines() for record in told.read_text().split("\n\n") if "argv: " in record]
    fetching = [
        lines for lines in calls
        if any(f" {word} " in lines[0] + " " for word in ("clone", "fetch", "ls-remote"))
    ]  # fmt: skip
    assert len(fetching) == 5
    for lines in calls:
        assert TOKEN not in "\n".join(lines)
        where = [line.partition("=")[0] for line in lines if BASIC in line]
        assert where == (["GIT_CONFIG_VALUE_4"] if lines in fetching else [])
    for lines in fetching:
        assert f"GIT_CONFIG_KEY_4=http.http://127.0.0.1:{server.port}/.extraHeader" in lines
        assert {"GIT_ASKPASS=", "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=http"} <= set(lines)


def test_the_service_lends_nobody_its_own_login(served, tmp_path, monkeypatch):
    """Neither ~/.netrc, a credential helper, a header nor a rewritten URL of the user's configuration counts."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(f"machine 127.0.0.1 login x-access-token password {TOKEN}\n")
    (home / ".netrc").chmod(0o600)
    marker = home / "asked"
    (home / "config").write_text(
        f'[credential]\n\thelper = "!touch {marker};"\n'
        f"[http]\n\textraHeader = Authorization: Basic {BASIC}\n\tproxy = http://127.0.0.1:1\n"
        '[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://127.0.0.1:\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "config"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(served, "x-access-token", TOKEN) as server:
        with pytest.raises(BackendError, match="wants a login"):
            read(f"{server.url}/tool.git", tmp_path / "m", Access(hosts=LOOPBACK))
        assert [request.authorization for request in server.requests] == [None]
    assert not marker.exists()


def resolved(told: Path) -> dict[str, str]:
    """What ssh itself makes of the arguments that git gave it."""
    arguments = told.read_text().splitlines()[0].removeprefix("argv: ").split(" git-upload-pack")[0].split()
    shown = subprocess.run(["/usr/bin/env", "ssh", "-G", *arguments], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)


def test_ssh_is_pinned_and_uses_the_key_alone(tmp_path, programs, names, monkeypatch):
    """It connects to the address that was checked, knows the host by its name, and asks no agent."""
    names["git.corp.example"] = ["127.0.0.1"]
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nonexistent/agent")
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    told = record(programs / "ssh", "echo 'Host key verification failed.' >&2; exit 255")
    key = tmp_path / "key"
    key.write_text("")
    access = Access(hosts=("*.corp.example",), key_file=str(key), token=TOKEN)
    for url, port, alias in (
        ("ssh://git@git.corp.example:2222/tool.git", "2222", "[git.corp.example]:2222"),
        ("git@Git.corp.example:tool.git", "22", "git.corp.example"),
    ):
        with pytest.raises(BackendError) as caught:
            read(url, tmp_path / "m", access)
        assert str(caught.value) == (
            f"{url} has an ssh host key that is not in known_hosts: add it for the user of the service."
        )
        assert BASIC not in told.read_text()
        (programs / "ssh").rename(programs / "kept")
        found = resolved(told)
        assert (found["hostname"], found["port"], found["hostkeyalias"]) == ("127.0.0.1", port, alias)
        assert (found["identityfile"], found["identityagent"], found["identitiesonly"]) == (str(key), "none", "yes")
        assert (found["stricthostkeychecking"], found["batchmode"]) == ("true", "yes")
        told.unlink()
        (programs / "kept").rename(programs / "ssh")
    record(programs / "ssh", "echo 'git@git.corp.example: Permission denied (publickey).' >&2; exit 255")
    with pytest.raises(BackendError, match="wants a login: give it a token, or for ssh a key file"):
        remote_refs("git@git.corp.example:tool.git", Limits(), Access(hosts=("127.0.0.1",)))
    (programs / "ssh").unlink()
    found = resolved(told)
    assert (found["pubkeyauthentication"], found["identityagent"]) == ("false", "none")


def test_a_key_file_of_the_local_user(tmp_path, programs):
    """The command line may give ssh a key too; a path with spaces and quotes reaches it whole."""
    key = tmp_path / "my 'key'"
    key.write_text("")
    told = record(programs / "ssh", f'for word; do echo "word: $word" >>{tmp_path}/words; done; exit 1')
    with pytest.raises(BackendError):
        remote_refs("git@example.org:tool.git", Limits(), Access(key_file=str(key)))
    assert told.exists()
    words = [line.removeprefix("word: ") for line in (tmp_path / "words").read_text().splitlines()]
    assert words[:4] == ["-oBatchMode=yes", "-i", str(key), "-oIdentitiesOnly=yes"]
    with pytest.raises(UsageError, match="There is no key file"):
        remote_refs("git@example.org:tool.git", Limits(), Access(key_file=str(tmp_path / "none")))


def test_an_old_git_is_told_no_secrets(served, tmp_path, programs):
    """A git that would ignore our settings is not used for others; one that cannot pin still is."""
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    with serving(served) as server:
        for version, said in (("2.30.9", "git 2.31 or newer is needed"), ("2.36.1", None)):
            then = f'case "$*" in *" version") echo git version {version};; *) exec {real} "$@";; esac'
            told = record(programs / "git", then)
            told.unlink(missing_ok=True)
            source_git.version.cache_clear()
            try:
                if said:
                    with pytest.raises(RefusedError, match=said):
                        read(f"{server.url}/tool.git", tmp_path / "m", Access(hosts=LOOPBACK, token=TOKEN))
                    assert server.requests == []
                else:
                    url = f"http://localhost:{server.port}/tool.git"
                    assert read(url, tmp_path / "m", Access(hosts=("localhost",))) == {"a.py": b"a = 1\n"}
                    assert "curloptResolve" not in told.read_text()
            finally:
                source_git.version.cache_clear()


def test_remote_refs(served):
    """Branches and tags with their commits, and the default branch, as the server has them now."""
    work = served / "work"
    first = git(work, "rev-parse", "HEAD")
    git(work, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(work, "rev-parse", "HEAD")
    git(work, "tag", "-a", "v1", "-m", "v1", first)
    git(work, "tag", "v2", second)
    git(work, "branch", "side/x", first)
    with serving(served) as server:
        url, access = f"{server.url}/tool.git", Access(hosts=LOOPBACK)
        assert remote_refs(url, Limits(), access) == ("main", {"main": first}, {})
        git(work, "push", "-q", url, "main", "side/x", "v1", "v2", f"{first}:refs/pull/1/head")
        git(served / "tool.git", "symbolic-ref", "HEAD", "refs/heads/side/x")
        expected = ("side/x", {"main": second, "side/x": first}, {"v1": first, "v2": second})
        assert remote_refs(url, Limits(), access) == expected
        assert remote_refs(f"file://{served}/tool.git", Limits()) == expected
        git(served, "init", "-q", "--bare", "-b", "main", "empty.git")
        assert remote_refs(f"{server.url}/empty.git", Limits(), access) == (None, {}, {})
        with pytest.raises(SourceError, match="There is no repository at"):
            remote_refs(f"{server.url}/none.git", Limits(), access)


def test_remote_refs_has_a_time_limit(programs):
    """A server that does not answer is left."""
    record(programs / "ssh", "exec sleep 600")
    with pytest.raises(BackendError, match=r"was not fetched within 0\.1 seconds"):
        remote_refs("git@example.org:x", Limits(clone_seconds=0.1))
