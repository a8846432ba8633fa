"""What all tests share: a home of their own, databases, and git repositories made on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from multiprocessing import util
from pathlib import Path
from typing import Any

import postgres
import pytest
import repositories
from repositories import ENVIRONMENT, write_files

# The folder of the sockets between our processes is that of the whole run, whatever a test says of temporary folders.
util.get_temp_dir()


@pytest.fixture(autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's settings, data or git configuration."""
    for name in [n for n in os.environ if n.startswith(("REPOCTX_", "GIT_"))]:
        if name not in ("REPOCTX_TEST_POSTGRES", "REPOCTX_BACKEND_CACHE"):
            monkeypatch.delenv(name)
    ours = tmp_path_factory.mktemp("ours")
    (ours / "home").mkdir()
    (ours / "repoctx.toml").touch()
    monkeypatch.setenv("REPOCTX_HOME", str(ours / "home"))
    monkeypatch.setenv("REPOCTX_CONFIG", str(ours / "repoctx.toml"))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A Postgres server; the tests that need it are skipped, visibly, if there is none."""
    with postgres.server() as url:
        if url is None:
            pytest.skip("no Postgres: set REPOCTX_TEST_POSTGRES or install a server")
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'repoctx.db'}"
        return
    with postgres.database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def git() -> Callable[..., str]:
    """Runs git: `git(folder, "commit", "-m", "x")` gives its output."""

    return repositories.git


@pytest.fixture
def make_repository(tmp_path: Path, git: Callable[..., str]) -> Callable[..., Path]:
    """Makes a git repository with one commit: `make_repository({"a.py": "x = 1\\n"})`."""

    def make(files: dict[str, str | bytes], name: str = "repo") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        write_files(folder, files)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", "first")
        return folder

    return make


@pytest.fixture
def repoctx(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process: (exit code, stdout, stderr)."""
    from repoctx.serve.cli import cli
    from repoctx.serve.program import run as run_program

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_program(cli, list(arguments))
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for all tests of a module."""
    from browser import chromium

    with chromium() as found:
        yield found
