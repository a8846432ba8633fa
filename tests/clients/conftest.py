"""What the tests of client programs share: places to ask at, and the clients, ready to ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import backend
import pytest
from clients import places
from clients.places import Gateway, Place
from clients.programs import Ran, run
from samples import committed

from repoctx.store import access
from repoctx.workspace import Workspace


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A sample repository, indexed, and a token: from then on nobody asks without one."""
    folder = tmp_path_factory.mktemp("place")
    home, repository = folder / "home", committed("python-parcels", folder)
    workspace = Workspace(places.settings(home))
    commit = workspace.index(str(repository), name="parcels").commit
    with workspace.engine.begin() as connection:
        token = access.create(connection, "clients", "read", None, time.time())[1]
    workspace.close()
    assert commit is not None
    return Place(home, repository, commit, token)


@pytest.fixture(scope="session")
def _openai(place: Place) -> Iterator[Gateway]:
    with places.openai(place) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def _anthropic(place: Place) -> Iterator[Gateway]:
    with places.anthropic(place) as gateway:
        yield gateway


@pytest.fixture
def openai(_openai: Gateway) -> Gateway:
    """Before a back end of OpenAI's protocol."""
    _openai.says()
    return _openai


@pytest.fixture
def anthropic(_anthropic: Gateway) -> Gateway:
    """Before a back end of Anthropic's protocol."""
    _anthropic.says()
    return _anthropic


@pytest.fixture(scope="session")
def real(place: Place) -> Iterator[str]:
    """The URL of the service before a real model, which has little time for the repository."""
    with (
        backend.running_server("yarn") as server,
        places.serving(place, f"{server}/v1", REPOCTX_GATEWAY_BUDGET="2000") as url,
    ):
        yield url


@pytest.fixture
def qwen(place: Place, tmp_path: Path) -> Callable[..., Ran]:
    """Asks with Qwen Code, in the repository: `qwen(base_url, question, *options)`."""

    def ask(url: str, question: str, *options: str, **more: str) -> Ran:
        known = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": place.token, "OPENAI_MODEL": "repoctx/parcels", **more}
        command = ("qwen", "--auth-type", "openai", *options, "-p", question)
        return run(place.repository, tmp_path / "home", *command, **known)

    return ask


@pytest.fixture
def claude(place: Place, tmp_path: Path) -> Callable[..., Ran]:
    """Asks with Claude Code, in the repository: `claude(base_url, question, *options)`."""

    def ask(url: str, question: str, *options: str, **more: str) -> Ran:
        known = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": place.token, "ANTHROPIC_MODEL": "repoctx/parcels"}
        return run(place.repository, tmp_path / "home", "claude", "-p", question, *options, **{**known, **more})

    return ask
