"""The first five minutes: what `repoctx` says where one stands, what errors say to do, what `doctor` finds."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from repositories import git, write_files

from repoctx.serve.cli import cli
from repoctx.serve.sections import SECTIONS
from repoctx.store import jobs, snapshots
from repoctx.workspace import Workspace

Repoctx = Callable[..., tuple[int, str, str]]
FILES = {
    "shop/cart.py": "class ShoppingCart:\n    def total(self):\n        return price_of(self)\n\n\n"
    "def price_of(cart):\n    return 1\n",
    "shop/other.py": "def price_of(cart):\n    return 2\n",
}
ENDS = ["", "All commands: `repoctx --help`. The documentation: `repoctx docs`."]
PROGRAM = (sys.executable, "-P", "-c", "from repoctx.serve.cli import main; main()")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home that has an index of one repository."""
    base = tmp_path_factory.mktemp("known")
    folder = base / "shop"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    write_files(folder, FILES)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    (base / "plain").mkdir()
    workspace = Workspace({"REPOCTX_HOME": str(base / "home")})
    workspace.index(str(folder))
    workspace.close()
    return base


@pytest.fixture
def base(known: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, its home in force."""
    monkeypatch.setenv("REPOCTX_HOME", str(known / "home"))
    return known


# --- repoctx, and nothing else ------------------------------------------------------------------


def test_in_a_repository_that_is_not_indexed_it_says_how_and_how_long(make_repository, repoctx, monkeypatch):
    """In its folders too; nothing is written."""
    folder = make_repository(FILES)
    monkeypatch.chdir(folder / "shop")
    code, out, err = repoctx()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{folder} is not indexed, some 2 files, about 1 s on one core:",
        "  repoctx index .                       index it; later runs read only what has changed",
        "  repoctx index . --dry-run             say first what would be indexed and left out",
        '  repoctx search "where is X decided?"  then ask',
        *ENDS,
    ]
    assert list(Path(os.environ["REPOCTX_HOME"]).iterdir()) == []
    write_files(folder, {"shop/__pycache__/cart.pyc": "x", "logo.png": "x", "yarn.lock": "x"})
    git(folder, "add", "-f", ".")
    assert repoctx()[1].startswith(f"{folder} is not indexed, some 2 files, about 1 s on one core:\n")


def test_in_one_that_is_indexed_it_says_what_of_and_whether_it_has_changed(base, repoctx, monkeypatch):
    """With a symbol of its own in what to type next."""
    monkeypatch.chdir(base / "shop" / "shop")
    asks = [
        '  repoctx search "how does ShoppingCart work?"            find places',
        "  repoctx callers ShoppingCart                            who calls it, and through whom",
        '  repoctx pack --task "change ShoppingCart" --budget 60k  a prompt of all that matters for it',
        *ENDS,
    ]
    first, second, *rest = repoctx()[1].splitlines()
    assert re.fullmatch(r"shop is indexed: main, 2 files, 4 symbols, \d+ tokens\.", first)
    assert second == "It was indexed just now, and seems up to date; `repoctx watch` keeps it so."
    assert rest == asks
    path = base / "shop" / "shop" / "other.py"
    os.utime(path, (time.time() + 100, time.time() + 100))
    assert repoctx()[1].splitlines()[1] == (
        "It was indexed just now; a file has changed since: `repoctx index .` brings it up to date."
    )
    os.utime(path, (1, 1))
    git(base / "shop", "commit", "-q", "--allow-empty", "-m", "second")
    assert repoctx()[1].splitlines()[1] == (
        "It was indexed just now, at another commit than is checked out: `repoctx index .` brings it up to date."
    )
    late = "; files have changed since it was indexed: `repoctx index` brings it up to date\n"
    assert repoctx("symbol", "nope")[2].endswith(f"looks in the text{late}")
    assert not repoctx("symbol", "nope", "--ref", "main")[2].endswith(late)
    git(base / "shop", "reset", "-q", "--soft", "HEAD~1")


def test_what_it_suggests_to_ask_about_stands_near_the_top(make_repository, repoctx, monkeypatch):
    """Rather than in whatever file comes first by its name."""
    folder = make_repository({"lib/adapters/one.py": "class Obscure: pass\n", "lib/shop.py": "class Central: pass\n"})
    assert repoctx("index", str(folder))[0] == 0
    monkeypatch.chdir(folder)
    assert "  repoctx callers Central  " in repoctx()[1]


def test_what_is_new_is_said_too(make_repository, repoctx, monkeypatch, tmp_path):
    """Files and folders that git would track, in folders that are indexed; nothing is said of what it ignores."""
    folder = make_repository(FILES)
    plain = tmp_path / "plain"
    write_files(plain, FILES)
    for path in (folder, plain):
        assert repoctx("index", str(path))[0] == 0
    with sqlite3.connect(Path(os.environ["REPOCTX_HOME"]) / "repoctx.db") as connection:
        connection.execute("UPDATE refs SET indexed_at = '2020-01-01T00:00:00Z'")
    connection.close()
    for path in FILES:
        os.utime(folder / path, (1, 1))
        os.utime(plain / path, (1, 1))

    def said(where: Path) -> str:
        monkeypatch.chdir(where)
        return re.sub("indexed .* ago", "indexed long ago", repoctx()[1].splitlines()[1])

    well = "It was indexed long ago, and seems up to date; `repoctx watch` keeps it so."
    (folder / ".git" / "info" / "exclude").write_text("*.log\n")
    write_files(folder, {"shop/x.log": "x", "cache/.gitignore": "*\n", "cache/x.py": "x = 1\n"})
    (folder / "empty").mkdir()
    assert (said(folder), said(plain)) == (well, well)
    write_files(folder, {"shop/new.py": "x = 1\n"})
    write_files(plain, {"shop/new.py": "x = 1\n"})
    one = "It was indexed long ago; a file or folder is new since: `repoctx index .` brings it up to date."
    assert (said(folder), said(plain)) == (one, one)
    write_files(folder, {"lib/deep/a.py": "x = 1\n", "lib/deep/b.py": "x = 1\n", "top.py": "x = 1\n"})
    git(folder, "add", "top.py")
    assert said(folder) == one.replace("a file or folder is", "3 files or folders are")
    assert repoctx("index", ".")[0] == 0
    assert said(folder) == well.replace("long ago", "just now")


def test_looking_for_what_is_new_runs_nothing_of_the_repository(make_repository, repoctx, monkeypatch, tmp_path):
    """Neither what its configuration says nor what git would fetch for it."""
    folder, trace = make_repository(FILES), tmp_path / "trace"
    assert repoctx("index", str(folder))[0] == 0
    for key, value in (
        ("core.repositoryFormatVersion", "1"), ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"), ("remote.origin.url", "ssh://x@127.0.0.1/n"),
        ("core.sshCommand", f"touch {trace}; false"), ("core.fsmonitor", f"touch {trace}; false"),
    ):  # fmt: skip
        git(folder, "config", key, value)
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    (folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with sqlite3.connect(Path(os.environ["REPOCTX_HOME"]) / "repoctx.db") as connection:
        connection.execute("UPDATE refs SET indexed_at = '2020-01-01T00:00:00Z'")
    connection.close()
    for path in FILES:
        os.utime(folder / path, (1, 1))
    write_files(folder, {"shop/new.py": "x = 1\n"})
    monkeypatch.chdir(folder)
    assert " new since: `repoctx index .` brings it up to date." in repoctx()[1]
    assert not trace.exists()


def test_elsewhere_it_lists_what_is_indexed_or_how_to_begin(base, repoctx, monkeypatch, tmp_path):
    """And where the home or the database cannot be used, that."""
    monkeypatch.chdir(base / "plain")
    assert repoctx()[1].splitlines() == [
        "This is no repository. Indexed are:",
        f"  shop  {base / 'shop'}",
        "",
        '  repoctx search "where is X decided?" --repo shop  ask one; --all asks every one',
        "  repoctx index PATH_OR_URL                         index another",
        *ENDS,
    ]
    monkeypatch.setenv("REPOCTX_HOME", str(tmp_path / "none"))
    assert repoctx()[1].splitlines()[0] == "Nothing is indexed yet, and this is no repository. Begin with one:"
    assert not (tmp_path / "none").exists()
    monkeypatch.setenv("REPOCTX_HOME", str(base / "shop" / "shop" / "cart.py"))
    code, out, _ = repoctx()
    assert (code, out.splitlines()) == (4, [
        f"repoctx cannot work here yet: {base / 'shop' / 'shop' / 'cart.py'} cannot be written (File exists): "
        "set REPOCTX_HOME to a folder that can",
        "",
        "`repoctx doctor` looks at everything.",
        *ENDS,
    ])  # fmt: skip
    shutil.copytree(base / "home", tmp_path / "newer")
    with sqlite3.connect(tmp_path / "newer" / "repoctx.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    monkeypatch.setenv("REPOCTX_HOME", str(tmp_path / "newer"))
    assert "was written by another version of repoctx" in repoctx()[1].splitlines()[0]


def test_it_reads_what_postgres_holds_too(repoctx, make_repository, monkeypatch, database_url):
    """The same words on both databases, but for the symbol."""
    folder = make_repository(FILES)
    monkeypatch.setenv("REPOCTX_DATABASE_URL", database_url)
    assert repoctx("index", str(folder))[0] == 0
    monkeypatch.chdir(folder)
    said = repoctx()[1].splitlines()
    assert said[0].startswith("repo is indexed: main, 2 files, 4 symbols, ")
    assert said[1] == "It was indexed just now" + (
        ", and seems up to date; `repoctx watch` keeps it so."
        if database_url.startswith("sqlite")
        else ", at the commit that is checked out; its files were not looked at: `repoctx index .` brings it up to "
        "date."
    )
    assert len(said) == 7


def test_nothing_heavy_is_loaded_for_it(base):
    """Neither numpy nor SQLAlchemy, so that it answers at once."""
    program = (
        "import sys; from repoctx.serve.first import lines; lines({});"
        "print(sorted({'numpy', 'sqlalchemy', 'httpx', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=base / "shop", capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


# --- help ---------------------------------------------------------------------------------------


def test_help_lists_every_command_once_by_purpose(repoctx):
    """No command is forgotten, none is listed twice."""
    told = [name for names in SECTIONS.values() for name in names]
    assert sorted(told) == sorted(name for name, one in cli.commands.items() if not one.hidden)
    out = repoctx("--help")[1]
    assert [title for title in SECTIONS if f"\n{title}:\n" in out] == list(SECTIONS)
    assert "\nMore:\n" not in out


@pytest.mark.parametrize("words", ["", "index", "graph", "graph export", "help"])
def test_help_is_a_command_too(repoctx, words):
    """As with git; it says what the option says."""
    said = repoctx("help", *words.split())
    assert said == repoctx(*words.split(), "--help")
    assert said[1].startswith(f"Usage: repoctx {words} ".replace("  ", " "))


@pytest.mark.parametrize(
    "arguments, meant",
    [
        (["help", "serach"], "Did you mean 'search'?"),
        (["help", "index", "now"], "No such command 'now'."),
        (["help", "token", "creat"], "Did you mean 'create'?"),
        (["help", "token", "nope"], "No such command 'nope'."),
        (["serach", "x"], "Did you mean 'search'?"),
        (["index", "--drry-run", "."], "Did you mean '--dry-run'?"),
        (["graph", "exprt"], "Did you mean 'export'?"),
        (["--hme", "x"], "--home"),
    ],
)
def test_what_is_mistyped_is_answered_with_the_nearest(repoctx, arguments, meant):
    """Commands and options."""
    code, out, err = repoctx(*arguments)
    assert (code, out) == (2, "")
    assert meant in err


def test_a_first_index_says_on_a_terminal_what_to_do_next(make_repository, monkeypatch, tmp_path):
    """Not into a pipe, and not the second time."""
    folder = make_repository(FILES)

    def index() -> str:
        ours, theirs = pty.openpty()
        done = subprocess.run([*PROGRAM, "index", str(folder)], stdout=theirs, stderr=subprocess.DEVNULL, timeout=120)
        os.close(theirs)
        said = os.read(ours, 100_000).decode()
        os.close(ours)
        assert done.returncode == 0
        return said

    assert 'Now ask it: `repoctx search "where is X decided?" --repo repo`' in index()
    assert "Now ask it" not in index()


# --- errors -------------------------------------------------------------------------------------

# What is called in the repository, its exit code, and the whole sentence; BASE and HOME stand for folders.
TABLE = [
    ("search x --repo nope", 1, "no repository is called 'nope': `repoctx status` lists those that are indexed"),
    ("search x --repo BASE/plain", 1, "BASE/plain is not indexed: run `repoctx index BASE/plain` first"),
    ("search x --ref nope", 1, "shop has no index of 'nope': indexed are main; `repoctx index --ref` adds others"),
    ("search x --lang cobol", 2, "no file of shop is in 'cobol': there is python"),
    ("symbol nope", 1, "no symbol is called 'nope': `repoctx search` looks in the text"),
    ("callers nope", 1, "no symbol or file is called 'nope': `repoctx search` looks in the text"),
    ("symbol ShopingCart", 1, "no symbol is called 'ShopingCart': did you mean 'ShoppingCart'? `repoctx search` "
     "looks in the text"),
    ("index nope", 3, "BASE/shop/nope does not exist: give a folder, a repository or a clone URL."),
    ("index shop/cart.py", 3,
     "BASE/shop/shop/cart.py is a file, not a folder: give a folder, a repository or a clone URL."),
    ("index . --ref nope", 3, "BASE/shop has no branch, tag or commit 'nope': its branches are main."),
    ("index C:\\Users\\me\\shop", 3, "C:\\Users\\me\\shop is a path of Windows: under WSL it is /mnt/c/Users/me/shop."),
    ("index ftp://h/x", 2, "Only https, ssh and file URLs are cloned, not 'ftp'; give such a URL, or clone it yourself "
     "and give its folder."),
    ("index BASE/plain --name shop", 2, "the name 'shop' belongs to BASE/shop: choose another with --name"),
    ("pack --task x --budget many", 2,
     "a budget is a number of tokens, such as 60000 or 60k, or auto; not 'many'"),
    ("pack", 2, "give a task or --task-file F (- is standard input)"),
    ("ask x", 2, "no model back end is set: give --backend-url, or set backend.url in repoctx.toml or "
     "REPOCTX_BACKEND_URL"),
    ("run nope", 2, "'nope' is neither a built-in workflow (`repoctx run --list`) nor a file"),
    ("task show nope", 1, "there is no task nope: `repoctx task list` shows those there are"),
    ("token revoke nope", 1, "no valid token has the id 'nope': `repoctx token list` shows them"),
    ("serve --host 0.0.0.0", 2, "without a token only this machine may ask, so 0.0.0.0 is not listened on: make one "
     "with `repoctx token create --scope admin` first"),
    ("--database-url mysql://h/x status", 2, "database 'mysql' is not supported: use sqlite or postgresql"),
    ("--home BASE/shop/shop/cart.py status", 4, "the folder of the database, BASE/shop/shop/cart.py, cannot be made "
     "(File exists): set REPOCTX_HOME to another one"),
]  # fmt: skip


@pytest.mark.parametrize("line, code, sentence", TABLE, ids=[line for line, _, _ in TABLE])
def test_every_error_leads_on(base, repoctx, monkeypatch, line, code, sentence):
    """One sentence that says what to do, and its exit code."""
    monkeypatch.chdir(base / "shop")
    found, out, err = repoctx(*line.replace("BASE", str(base)).split(" "))
    told = [one for one in err.splitlines() if one.startswith("repoctx: ")]
    assert (found, out) == (code, "")
    assert told == ["repoctx: " + sentence.replace("BASE", str(base))]


def test_neither_a_home_nor_the_whole_machine_is_indexed(repoctx, monkeypatch, tmp_path):
    """By mistake: a folder in it is, and a home that git keeps."""
    home, link = tmp_path / "user", tmp_path / "link"
    write_files(home, {"work/a.py": "x = 1\n"})
    link.symlink_to(home)
    monkeypatch.setenv("HOME", str(home))
    said = f"repoctx: {home} is your home folder and no git repository: index a folder in it, or run `git init` there "
    for arguments in ((str(home),), (str(link), "--dry-run"), ("~", "--json")):
        assert repoctx("index", *arguments) == (3, "", said + "if you mean all of it\n")
    assert repoctx("watch", str(home)) == (3, "", said + "if you mean all of it\n")
    (tmp_path / "above" / "user").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "above" / "user"))
    assert "above is a folder that holds your home folder and no git" in repoctx("index", str(tmp_path / "above"))[2]
    monkeypatch.setenv("HOME", str(home))
    assert repoctx("index", "/")[2].startswith("repoctx: / is the whole machine and no git repository: index a folder")
    assert repoctx("index", str(home / "work"))[0] == 0
    git(home, "init", "-q", "-b", "main")
    assert repoctx("index", str(home), "--dry-run")[0] == 0


@pytest.fixture
def old_git(tmp_path: Path) -> Path:
    """A folder with a git that is too old."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ncase "$*" in *version*) echo git version 2.17.1;; *) exit 129;; esac\n')
    program.chmod(0o755)
    return program.parent


def test_git_that_is_missing_or_too_old_is_said(base, repoctx, monkeypatch, tmp_path, old_git):
    """Exit code 3, from the program and from `doctor`."""
    from repoctx.source.git import version

    for path, sentence in (
        (tmp_path / "nothing", "git is not installed: install git 2.25 or newer, or index a plain folder."),
        (old_git, "git 2.17 is too old: install git 2.25 or newer."),
    ):
        monkeypatch.setenv("PATH", str(path))
        version.cache_clear()
        assert repoctx("index", str(base / "shop")) == (3, "", f"repoctx: {sentence}\n")
    version.cache_clear()


def test_a_locked_a_newer_and_a_port_in_use(base, repoctx, tmp_path, monkeypatch):
    """Who else is there is said."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert repoctx("serve", "--port", str(port)) == (3, "", (
            f"repoctx: 127.0.0.1 port {port} cannot be listened on (Address already in use): choose another with "
            "--port\n"))  # fmt: skip
        assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ  # whatever runs next in this process counts by itself
        url = f"postgresql://me:hidden@127.0.0.1:{port}/x"
    code, _, err = repoctx("--database-url", url, "status")
    assert code == 4
    assert "see that it runs and lets you in, or change REPOCTX_DATABASE_URL" in err
    assert "hidden" not in err


# --- doctor -------------------------------------------------------------------------------------


def found(repoctx: Repoctx, *more: str) -> tuple[int, list[tuple[str, bool, str]]]:
    """The exit code of `doctor`, and its checks in order."""
    code, out, _ = repoctx("doctor", "--json", *more)
    lines = [json.loads(line) for line in out.splitlines()]
    return code, [(line["name"], line["ok"], line["detail"]) for line in lines if "ok" in line]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No embedding model is measured."""
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")


def test_doctor_says_that_all_is_well(base, repoctx, monkeypatch, quick):
    """Each check once; the settings and where they come from follow."""
    monkeypatch.chdir(base / "shop")
    code, checks = found(repoctx)
    names = [name for name, _, _ in checks]
    assert code == 0
    assert [name for name in names if not name.startswith(("embedding", "watches"))] == [
        "python", "git", "tokens", "parsers", "open files", "extras", "completion", "environment", "settings", "home",
        "database", "segments", "model", "service", "workers", "jobs", "vectors", "locations", "clones", "back end",
    ]  # fmt: skip
    assert all(ok for _, ok, _ in checks)
    assert next(detail for name, _, detail in checks if name == "service") in (
        "none answers on port 8400 here, the usual one; others were not looked at: `repoctx serve` starts one",
        "answers on http://127.0.0.1:8400",
    )
    out = repoctx("doctor")[1]
    assert out.index("Checks\n") < out.index("Settings\n")
    assert f"  home = {base / 'home'}  (REPOCTX_HOME)\n" in out


def test_doctor_begins_with_what_is_bad_and_says_what_to_do(make_repository, repoctx, monkeypatch, quick, tmp_path):
    """A repository that is gone, a job that failed, jobs without a worker, vectors that nobody makes, a dead server,
    a setting that does not count, a clone of nobody."""
    folder = make_repository({**FILES, "repoctx.toml": "[backend]\nurl = 'http://h'\n[index]\nexclude = ['x']\n"})
    home = Path(os.environ["REPOCTX_HOME"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workspace = Workspace({"REPOCTX_HOME": str(home), "REPOCTX_EMBEDDING_MODEL": "none"})
    workspace.index(str(folder))
    gone = shutil.copytree(folder, tmp_path / "gone")
    workspace.index(str(gone))
    shutil.rmtree(gone)
    with workspace.engine.begin() as connection:
        repository = snapshots.repository(connection, "repo")
        for ref in ("broken", "late"):
            jobs.submit(connection, repository.id, ref, "push", now=1000.0)
        connection.exec_driver_sql("UPDATE jobs SET state = 'failed', error = 'no such host' WHERE ref = 'broken'")
        connection.exec_driver_sql("UPDATE refs SET pending = 'slow' WHERE repository = 1")
    workspace.close()
    mirror = home / "mirrors" / ("a" * 40 + ".git")
    mirror.mkdir(parents=True)
    os.utime(mirror, (1, 1))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("REPOCTX_BACKEND_URL", f"http://127.0.0.1:{port}/v1")
    code, checks = found(repoctx)
    bad = [(name, detail) for name, ok, detail in checks if not ok]
    assert code == 1
    assert checks[: len(bad)] == [(name, False, detail) for name, detail in bad]
    assert bad == [
        ("settings", f"{folder / 'repoctx.toml'} sets backend.url, which a repository may not: set it in your own "
         "repoctx.toml, or in the environment"),
        ("workers", "a job waits and no worker runs: start `repoctx serve` or `repoctx worker`"),
        ("failed jobs", "repo broken (no such host): mend that, then POST /v1/repositories/NAME/index tries again"),
        ("late jobs", "repo late wait for more than 15 minutes: start another `repoctx worker`, or raise jobs.at_once"),
        ("vectors", "those of repo main are awaited and nobody makes them: `repoctx embed --repo repo --ref main` "
         "makes them, as a worker does"),
        ("locations", f"gone are gone ({gone}): put them back, index where they are now, or `repoctx remove NAME`; "
         "the last index still answers"),
        ("clones", "1 belong to no repository: `repoctx gc` removes them"),
        ("back end", f"http://127.0.0.1:{port}/v1 does not answer (ConnectError): start it, or set backend.url to "
         "another"),
    ]  # fmt: skip


def test_doctor_says_which_variables_count_for_nothing(base, repoctx, monkeypatch, quick, tmp_path):
    """Misspelt ones, with what was meant, and a file of settings that is not there; what is read elsewhere is known."""
    monkeypatch.chdir(base / "shop")
    for name in ("SECRET_SHOP", "TOKEN", "WEBHOOK_SECRET", "TEST_BROWSER", "BENCH", "BENCH_ONLY", "MY_KEY",
                 "BACKEND_CACHE", "BACKEND_JOBS", "SERVE_WARM"):  # fmt: skip
        monkeypatch.setenv(f"REPOCTX_{name}", "9")
    monkeypatch.setenv("_REPOCTX_COMPLETE", "")
    monkeypatch.setenv("REPOCTX_BACKEND_KEY_ENV", "REPOCTX_MY_KEY")
    code, checks = found(repoctx)
    assert (code, [detail for name, _, detail in checks if name == "environment"]) == (
        0, ["every variable of repoctx counts"],
    )  # fmt: skip
    missing = tmp_path / "missing.toml"
    for name, value in (("REPOCTX_DATABSE_URL", "x"), ("REPOCTX_QQQ", ""), ("repoctx_home", "x"),
                        ("REPOCTX_CONFIG", str(missing))):  # fmt: skip
        monkeypatch.setenv(name, value)
    code, checks = found(repoctx)
    assert (code, checks[0]) == (1, ("environment", False, (
        "REPOCTX_DATABSE_URL counts for nothing, since no setting has this name (did you mean 'REPOCTX_DATABASE_URL'?)"
        ": correct it, or unset it; REPOCTX_QQQ counts for nothing, since no setting has this name: correct it, or "
        "unset it; repoctx_home counts for nothing, since no setting has this name (did you mean 'REPOCTX_HOME'?): "
        f"correct it, or unset it; REPOCTX_CONFIG names {missing}, which does not exist: write settings there, or "
        "unset it")))  # fmt: skip
    assert repoctx("status")[0] == 0  # an installed service names a file that need not be there
    for name in ("REPOCTX_DATABSE_URL", "REPOCTX_QQQ", "repoctx_home"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("REPOCTX_CONFIG", "/etc/repoctx/repoctx.toml")
    assert ("environment", True, "every variable of repoctx counts") in found(repoctx)[1]


def test_doctor_works_where_nothing_else_does(base, repoctx, monkeypatch, tmp_path):
    """Settings that cannot be read, a home that cannot be written, a git that is too old: each is a line."""
    file = tmp_path / "mine.toml"
    file.write_text("[index]\nexclud = ['x']\n")
    monkeypatch.setenv("REPOCTX_CONFIG", str(file))
    code, checks = found(repoctx)
    assert (code, checks[0]) == (1, ("settings", False, (
        f"{file} has an unknown setting 'index.exclud' (did you mean 'index.exclude'?): `repoctx doctor` lists those "
        "there are; until that is corrected the home, the database, the segments, the model and all that runs are not "
        f"looked at, and what {file} says is not shown")))  # fmt: skip
    assert f"  home = {base / 'home'}  (REPOCTX_HOME)\n" in repoctx("doctor")[1]
    file.write_text("[serve]\nrate = 7\n")
    monkeypatch.setenv("REPOCTX_SERVE_WARM", "abc")
    code, checks = found(repoctx, "--embedding", "none")
    assert (code, checks[0]) == (1, ("settings", False, (
        "setting 'serve.warm' from environment must be a whole number of 0 or more, not 'abc'; until that is corrected "
        "the home, the database, the segments, the model and all that runs are not looked at, and what "
        "REPOCTX_SERVE_WARM says is not shown")))  # fmt: skip
    out = repoctx("doctor")[1]
    for line in (f"home = {base / 'home'}  (REPOCTX_HOME)", "serve.warm = 4  (default)", f"serve.rate = 7  ({file})",
                 f"database_url = sqlite:///{base / 'home' / 'repoctx.db'}  (default)"):  # fmt: skip
        assert f"  {line}\n" in out
    monkeypatch.delenv("REPOCTX_SERVE_WARM")
    file.write_text("")
    monkeypatch.setenv("REPOCTX_HOME", str(base / "shop" / "shop" / "cart.py"))
    code, checks = found(repoctx)
    assert code == 1
    assert [name for name, ok, _ in checks if not ok] == ["home", "database"]
