"""What do processes of two versions do to one another, on SQLite and on Postgres?"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from running import PROGRAM

from repoctx.serve.rest import create_app
from repoctx.store import connect, tables
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

FILES = {
    "store.py": "class Store:\n    '''Keeps values.'''\n\n    def load(self, key):\n        return self.values[key]\n",
    "app.py": "from store import Store\n\n\ndef main():\n    return Store().load('x')\n",
}
SEARCH = {"query": "load a value by its key"}


@pytest.fixture
def workspace(
    database_url: str, make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """An indexed repository; commands that a test runs see the same database."""
    monkeypatch.setenv("REPOCTX_DATABASE_URL", database_url)
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")
    opened = Workspace()
    opened.index(str(make_repository(FILES, "shop")))
    yield opened
    opened.close()


def schema(workspace: Workspace, revision: str) -> None:
    """Say that the schema is of another version."""
    with workspace.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_an_old_process_goes_on_with_a_newer_schema_and_does_not_start_on_one(workspace, repoctx):
    """One that runs answers still, and says that it is not ready; one that starts changes nothing."""
    with TestClient(create_app(workspace)) as client:
        assert client.get("/readyz").status_code == 200
        before = client.post("/v1/search", json=SEARCH).json()
        schema(workspace, "9999")
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["detail"] == (
            f"the schema of the database is 9999, not {connect.HEAD}: start the service anew"
        )
        assert client.get("/healthz").status_code == 200
        assert client.post("/v1/search", json=SEARCH).json() == before
    started = subprocess.run([*PROGRAM, "worker"], capture_output=True, text=True, check=False)
    for code, out, err in (repoctx("status"), (started.returncode, started.stdout, started.stderr)):
        assert (code, out) == (4, "")
        assert "was written by another version of repoctx" in err
    assert connect.version(workspace.engine) == "9999"


def test_a_new_process_brings_an_older_schema_up_to_date(workspace, repoctx):
    """What was there stays; a service that had noticed is ready again."""
    from alembic import command
    from alembic.config import Config

    with TestClient(create_app(workspace)) as client:
        before = client.post("/v1/search", json=SEARCH).json()
        config = Config()
        config.set_main_option("script_location", str(connect.migrations()))
        with workspace.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "-1")
            connection.commit()
        older = connect.version(workspace.engine)
        assert older is not None
        assert older < connect.HEAD
        assert client.get("/readyz").status_code == 503
        code, out, _ = repoctx("status", "--json")
        assert code == 0
        assert '"shop"' in out
        assert connect.version(workspace.engine) == connect.HEAD
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/search", json=SEARCH).json() == before


def test_what_another_parser_has_indexed_is_indexed_again(workspace, repoctx):
    """Up to then the answer says so; the facts of both versions lie side by side."""
    with TestClient(create_app(workspace)) as client:
        before = client.post("/v1/search", json=SEARCH).json()["hits"]
    with workspace.engine.begin() as connection:
        connection.execute(tables.facts.update().values(version="of another"))
        connection.execute(tables.refs.update().values(tree="of another"))
    for columns in (Path(workspace.settings.home) / "segments").rglob("*.columns"):
        columns.unlink()
    other = Workspace()
    with TestClient(create_app(other)) as client:
        answer = client.post("/v1/search", json=SEARCH)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("the index was made by another version of repoctx")
        location = other.repository("shop").location
        assert repoctx("index", location)[0] == 0
        assert client.post("/v1/search", json=SEARCH).json()["hits"] == before
    with other.engine.connect() as connection:
        versions = set(connection.execute(sa.select(tables.facts.c.version)).scalars())
    other.close()
    assert len(versions) == 2
    assert "of another" in versions
