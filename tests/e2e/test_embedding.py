"""Embedding models behind one seam, and changing them: the old one answers until the new one's vectors are there."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from answers import QUERIES, answers, opened
from embedding_server import PATIENCE, EmbeddingServer, embedding_server
from repositories import write_files

import repoctx
from repoctx.embedding import BATCH, BEFORE_PUBLISH
from repoctx.errors import BackendError, BusyError, UsageError
from repoctx.index.embed import Hashing, embedder
from repoctx.serve.background import MOST_LOG_BYTES

FILES = {
    "a.py": "def retry_with_backoff(call):\n    '''Call again after a failure.'''\n    return call()\n",
    "b.py": "def parse_date(text):\n    return text.split('-')\n",
}
CHANGE = {"c.py": "def third():\n    return 3\n"}
BUILT_IN_FOLDER = Path(repoctx.__file__).parent / "resources" / "static"
PROBES = {"def main():"}  # texts by which a model is asked whether it is there


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder to index, called "repo"."""
    made = tmp_path / "repo"
    made.mkdir()
    write_files(made, FILES)
    return made


@pytest.fixture
def server():
    """A server of embeddings."""
    with embedding_server() as running:
        yield running


def many(folder: Path, count: int) -> None:
    """Files with one chunk each."""
    write_files(folder, {f"parts/part_{i}.py": f"def step_{i}(value):\n    return value + {i}\n" for i in range(count)})


def workspace_of(home: Path, setting: str, **more: str):
    """A workspace with an embedding model."""
    return opened(home, REPOCTX_EMBEDDING_MODEL=setting, **more)


@contextmanager
def beside(server: EmbeddingServer, work: Callable[[], object]):
    """Runs something in a thread until the block ends: its future, once the server has been asked by it."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        future.add_done_callback(lambda _: server.arrived.put(0))
        if not server.arrived.get(timeout=PATIENCE):
            future.result()  # why it never asked
        try:
            yield future
        finally:
            server.allow(None)


def fresh_answers(home: Path, setting: str, folder: Path) -> list[str]:
    """What a new index says."""
    with workspace_of(home, setting) as workspace:
        workspace.index(str(folder))
        return answers(workspace, "repo")


def model_of(workspace) -> tuple[str | None, str | None]:
    """Which model answers for the only ref, and which is awaited."""
    (((ref, _),),) = [status.refs for status in workspace.status()]
    return ref.embedding_model, ref.pending


def is_dense(workspace, query: str = "parse a date") -> bool:
    """Whether vectors take part in a search."""
    return any(reason.ranker == "dense" for hit in workspace.search(query, "repo").hits for reason in hit.reasons)


# --- models ------------------------------------------------------------------------------------


def test_hashing_vectors_are_unit_length_and_depend_on_the_words_alone():
    """The same text has the same vector; other words another; no words the zero vector."""
    vectors = Hashing().documents(["retry the call", "retry the call", "parse a date", ""])
    assert vectors.shape == (4, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0])
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_dense_hits_have_their_share_and_survive_a_push(folder, tmp_path):
    """With an embedding model hits have a dense reason; after a change only new chunks and paths are embedded."""
    steps = []
    with workspace_of(tmp_path / "home", "hashing") as workspace:
        workspace.index(str(folder), show=steps.append)
        (hit, *_) = workspace.search("retry the call after a failure", "repo").hits
        assert (hit.path, "dense" in {reason.ranker for reason in hit.reasons}) == ("a.py", True)
        write_files(folder, CHANGE)
        workspace.index(str(folder), show=steps.append)
        assert {hit.path for hit in workspace.search("third", "repo").hits} >= {"c.py"}
    assert [(step.done, step.total) for step in steps if step.stage == "embed"] == [(0, 4), (4, 4), (0, 2), (2, 2)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of torch and transformers
def test_a_sentence_transformers_folder_is_an_embedding_model(folder, tmp_path):
    """A model made on the spot embeds chunks and queries offline, and finds what it should."""
    transformers = pytest.importorskip("sentence_transformers")
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Punctuation, Sequence, Whitespace

    words = ["[UNK]", "retry", "call", "parse", "date", "def", "return", "failure", "text"]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Sequence([Whitespace(), Punctuation()])
    weights = np.eye(len(words), 16, dtype=np.float32)
    model = transformers.SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu"
    )
    model.save(str(tmp_path / "model"))
    with workspace_of(tmp_path / "home", str(tmp_path / "model")) as workspace:
        report = workspace.index(str(folder))
        assert workspace.chosen.embedder.dimensions == 16
        assert report.embedding == workspace.chosen.embedder.model
        hits = workspace.search("parse_date(text)", "repo").hits
        assert hits[0].path == "b.py"
        assert "dense" in {reason.ranker for reason in hits[0].reasons}


def test_a_model_that_is_not_there_is_one_sentence(folder, tmp_path):
    """Nothing is downloaded; the sentence says what to do; the snapshot is published all the same."""
    missing = embedder("no/such-model-anywhere")
    with pytest.raises(UsageError, match="embedding"):
        missing.query("x")
    with workspace_of(tmp_path / "home", "no/such-model-anywhere") as workspace:
        with pytest.raises(UsageError, match="embedding"):
            workspace.index(str(folder))
        assert workspace.search("parse a date", "repo").hits[0].path == "b.py"


# --- changing the model ------------------------------------------------------------------------


@pytest.mark.slow
def test_the_old_vectors_answer_until_the_new_ones_are_there(folder, tmp_path, server):
    """While a server is slow: answers are those of the old model, a push is published, nothing is lost."""
    many(folder, 40)
    home = tmp_path / "home"
    with workspace_of(home, "hashing") as workspace:
        workspace.index(str(folder))
        before = answers(workspace, "repo")
    server.allow(0)

    def switch() -> str | None:
        with workspace_of(home, server.setting) as workspace:
            return workspace.index(str(folder)).embedding

    with beside(server, switch) as switched, workspace_of(home, server.setting) as workspace:
        assert model_of(workspace) == ("hashing-256", server.setting)
        assert answers(workspace, "repo") == before
        with pytest.raises(BusyError, match="vectors"):
            workspace.embed("repo")
        write_files(folder, CHANGE)
        pushed = workspace.index(str(folder))
        assert (pushed.changed, pushed.embedding, pushed.pending) == (True, "hashing-256", server.setting)
        assert is_dense(workspace)
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "hashing", "hashing", folder)
        server.allow(None)
        assert switched.result() == server.setting
    with workspace_of(home, server.setting) as workspace:
        assert model_of(workspace) == (server.setting, None)
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "server", server.setting, folder)


@pytest.mark.slow
def test_killed_in_the_middle_only_what_is_missing_is_made(folder, tmp_path, server):
    """After kill -9 the old model answers; the next run asks for no text that was stored."""
    many(folder, 300)
    home = tmp_path / "home"
    server.allow(BATCH // 32)  # requests of 32 texts
    process = subprocess.Popen(
        [sys.executable, "-c", "from repoctx.serve.cli import main; main()", "index", str(folder)],
        env={**os.environ, "REPOCTX_HOME": str(home), "REPOCTX_EMBEDDING_MODEL": server.setting},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(BATCH // 32 + 1):
        server.arrived.get(timeout=PATIENCE)
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate()
    assert b"indexed repo" in out  # the report came before the vectors
    stored = set(server.texts)
    server.texts.clear()
    server.allow(None)
    with workspace_of(home, server.setting) as workspace:
        ((ref, _),) = workspace.status()[0].refs
        assert (ref.embedding, ref.pending, ref.progress["done"]) == ("static", server.setting, BATCH)
        assert is_dense(workspace)
        assert not workspace.index(str(folder)).changed
        assert len(stored) == BATCH
        assert not stored & set(server.texts)
        assert len(set(server.texts) - PROBES) == ref.progress["total"] - BATCH
        assert model_of(workspace) == (server.setting, None)
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "fresh", server.setting, folder)


def test_a_server_that_is_down_costs_no_push(folder, tmp_path, server):
    """The push is published, the built-in model answers, the error is raised; later only the change is embedded."""
    published = []
    with workspace_of(tmp_path / "home", server.setting) as workspace:
        workspace.index(str(folder))
        assert model_of(workspace) == (server.setting, None)
        write_files(folder, CHANGE)
        server.refusal = 401
        with pytest.raises(BackendError):
            workspace.index(str(folder), published=published.append)
        assert [(report.changed, report.pending) for report in published] == [(True, server.setting)]
        assert workspace.symbol("third", "repo")
        assert is_dense(workspace)
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "static", "static", folder)
        server.refusal = 0
        server.texts.clear()
        assert workspace.index(str(folder)).embedding == server.setting
        assert set(server.texts) - PROBES == {"third\n" + CHANGE["c.py"], "c.py"}
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "fresh", server.setting, folder)


def test_a_large_push_does_not_wait_for_a_slow_model(folder, tmp_path, server):
    """Beyond so many texts the built-in model answers first; a small push is embedded before it is published."""
    published = []
    with workspace_of(tmp_path / "home", server.setting) as workspace:
        workspace.index(str(folder))
        many(folder, BEFORE_PUBLISH)
        workspace.index(str(folder), published=published.append)
        write_files(folder, CHANGE)
        workspace.index(str(folder), published=published.append)
        assert model_of(workspace) == (server.setting, None)
    assert [report.pending for report in published] == [server.setting, None]
    assert published[1].embedding == server.setting


def test_a_first_index_without_its_server_can_be_searched(folder, tmp_path, server):
    """The report comes, the built-in model answers, the error follows; a later run goes on."""
    server.refusal = 401
    with workspace_of(tmp_path / "home", server.setting) as workspace:
        with pytest.raises(BackendError):
            workspace.index(str(folder))
        assert is_dense(workspace)
        server.refusal = 0
        assert workspace.index(str(folder)).pending is None
        assert model_of(workspace) == (server.setting, None)


def test_from_one_server_to_another_and_back(folder, tmp_path, server):
    """The old server answers until the new one's vectors are there; going back asks for no text again."""
    with embedding_server() as other, workspace_of(tmp_path / "home", server.setting) as workspace:
        workspace.index(str(folder))
        other.refusal = 401
        with workspace_of(tmp_path / "home", other.setting) as moving:
            with pytest.raises(BackendError):
                moving.index(str(folder))
            assert model_of(moving) == (server.setting, other.setting)
            assert is_dense(moving)
            other.refusal = 0
            moving.index(str(folder))
            assert model_of(moving) == (other.setting, None)
        server.texts.clear()
        workspace.index(str(folder))
        assert model_of(workspace) == (server.setting, None)
        assert server.texts == []


def test_an_old_server_that_is_gone_does_not_answer_meanwhile(folder, tmp_path, server):
    """Leaving a server because it is gone: the built-in model answers until the new vectors are there."""
    with embedding_server() as other:
        with workspace_of(tmp_path / "home", server.setting) as workspace:
            workspace.index(str(folder))
        server.refusal = other.refusal = 401
        with workspace_of(tmp_path / "home", other.setting) as workspace:
            with pytest.raises(BackendError):
                workspace.index(str(folder))
            ((ref, _),) = workspace.status()[0].refs
            assert (ref.embedding, ref.pending) == ("static", other.setting)
            assert is_dense(workspace)


def test_the_setting_changes_nothing_until_the_next_index_run_but_none_is_heard(folder, tmp_path, server):
    """A search uses the model that the index has; `none` means words alone; nothing is embedded by a search."""
    home = tmp_path / "home"
    with workspace_of(home, server.setting) as workspace:
        workspace.index(str(folder))
    server.texts.clear()
    with workspace_of(home, "hashing") as workspace:
        assert is_dense(workspace)
        assert server.texts == ["parse a date"]
    with workspace_of(home, "none") as workspace:
        assert not is_dense(workspace)
        workspace.index(str(folder))
        assert model_of(workspace) == (None, None)
        none = answers(workspace, "repo")
    with workspace_of(home, "hashing") as workspace:
        assert not is_dense(workspace)
        workspace.index(str(folder))
        assert is_dense(workspace)
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "hashing", "hashing", folder)
    assert none == fresh_answers(tmp_path / "none", "none", folder)


def test_a_run_that_wants_another_model_ends_the_making_of_this_one(folder, tmp_path, server):
    """The ref that no longer waits for a server's vectors is left alone when they come."""
    server.allow(0)

    def finish() -> str | None:
        with workspace_of(tmp_path / "home", server.setting) as own:
            return own.embed("repo").embedding

    with workspace_of(tmp_path / "home", server.setting) as workspace:
        workspace.index(str(folder), finish=False)
        with beside(server, finish) as finished:
            with workspace_of(tmp_path / "home", "hashing") as other:
                other.index(str(folder))
            server.allow(None)
            assert finished.result() == "hashing-256"
        assert model_of(workspace) == ("hashing-256", None)


def test_both_databases_know_who_answers_and_who_is_awaited(folder, tmp_path, server, database_url):
    """On SQLite and on Postgres: published with the old model, switched when the new one's vectors are there."""
    database = {"REPOCTX_DATABASE_URL": database_url}
    with workspace_of(tmp_path / "home", "hashing", **database) as workspace:
        workspace.index(str(folder))
    with workspace_of(tmp_path / "home", server.setting, **database) as workspace:
        workspace.index(str(folder), finish=False)
        assert model_of(workspace) == ("hashing-256", server.setting)
        assert workspace.embed("repo").made == 4
        assert model_of(workspace) == (server.setting, None)
        write_files(folder, CHANGE)
        assert workspace.index(str(folder)).embedding == server.setting
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "fresh", server.setting, folder)


def test_a_second_ref_is_served_by_whoever_is_at_it(make_repository, git, tmp_path, server):
    """A run that finds another process making vectors leaves its ref to it."""
    folder = make_repository(FILES)
    git(folder, "branch", "other")
    server.allow(0)

    def index() -> str | None:
        with workspace_of(tmp_path / "home", server.setting) as own:
            return own.index(str(folder)).pending

    with beside(server, index) as indexed, workspace_of(tmp_path / "home", server.setting) as workspace:
        assert workspace.index(str(folder), "other").pending == server.setting
        server.allow(None)
        assert indexed.result() is None
        refs = workspace.status()[0].refs
        assert [(ref.name, ref.embedding, ref.pending) for ref, _ in refs] == [
            ("main", server.setting, None),
            ("other", server.setting, None),
        ]


def test_a_key_goes_to_its_own_server_only(folder, tmp_path, server, monkeypatch):
    """After the setting names another server, the old one answers without the new one's key."""
    monkeypatch.setenv("A_KEY", "secret")
    key = {"REPOCTX_EMBEDDING_KEY_ENV": "A_KEY"}
    with workspace_of(tmp_path / "home", server.setting, **key) as workspace:
        workspace.index(str(folder))
    assert set(server.keys) == {"Bearer secret"}
    server.keys.clear()
    with embedding_server() as other, workspace_of(tmp_path / "home", other.setting, **key) as workspace:
        assert is_dense(workspace)
    assert server.keys == [None]


# --- vectors that are lost ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "cut short"])
@pytest.mark.parametrize("setting", ["server", "hashing", "static"])
def test_lost_vector_segments_are_made_again_without_the_model(folder, tmp_path, server, setting, how):
    """From the database, or from the postings: the answers are the same, and a server sees the queries alone."""
    setting = server.setting if setting == "server" else setting
    home = tmp_path / "home"
    with workspace_of(home, setting) as workspace:
        workspace.index(str(folder))
        before = answers(workspace, "repo")
    lost = sorted((home / "segments").rglob("vectors*"))
    assert lost
    for path in lost:
        if how == "removed":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:20])
    server.texts.clear()
    with workspace_of(home, setting) as workspace:
        assert answers(workspace, "repo") == before
    assert set(server.texts) <= set(QUERIES)


# --- the command line --------------------------------------------------------------------------


@pytest.fixture
def repoctx(repoctx, monkeypatch, server):
    """Runs a command in this process with the server as the embedding model: (exit code, stdout, stderr)."""
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", server.setting)
    return repoctx


def wait_for_background() -> None:
    """Returns when whoever makes vectors has ended: the locks go with the process."""
    for path in (Path(os.environ["REPOCTX_HOME"]) / "repoctx.db.locks").glob("*.lock"):
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)


@pytest.mark.slow
def test_ctrl_c_while_vectors_are_made_keeps_them(folder, tmp_path, server):
    """SIGINT: exit code 130, one line, the built-in model answers, and what was made stays."""
    many(folder, 300)
    server.allow(BATCH // 32)
    environment = {"REPOCTX_HOME": str(tmp_path / "home"), "REPOCTX_EMBEDDING_MODEL": server.setting}
    process = subprocess.Popen(
        [sys.executable, "-c", "from repoctx.serve.cli import main; main()", "index", str(folder)],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for _ in range(BATCH // 32 + 1):
        server.arrived.get(timeout=PATIENCE)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert out.startswith("indexed repo")
    assert err.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in err
    with workspace_of(tmp_path / "home", server.setting) as workspace:
        ((ref, _),) = workspace.status()[0].refs
        assert (ref.embedding, ref.pending, ref.progress["done"]) == ("static", server.setting, BATCH)
        assert is_dense(workspace)


@pytest.mark.slow
def test_the_long_part_can_be_left_to_a_process_in_the_background(folder, repoctx, server):
    """`--background` returns at once; `status` shows how far it is and who answers; then the new model does."""
    many(folder, 300)
    server.allow(BATCH // 32)
    code, out, err = repoctx("index", str(folder), "--background")
    assert code == 0, err
    assert "still to be made" in out
    for _ in range(BATCH // 32 + 1):
        server.arrived.get(timeout=PATIENCE)
    line = json.loads(repoctx("status", "--json")[1])
    assert (line["pending"], line["progress"]["done"], line["progress"]["state"]) == (server.setting, BATCH, "running")
    assert f"{BATCH:,} of {line['progress']['total']:,} chunks" in repoctx("status")[1]
    code, out, err = repoctx("embed", "--repo", "repo")
    assert (code, out) == (3, "")
    assert "another process is making the vectors" in err
    server.allow(None)
    wait_for_background()
    line = json.loads(repoctx("status", "--json")[1])
    assert (line["embedding"], line["pending"], line["progress"]) == (server.setting, None, None)
    (log,) = (Path(os.environ["REPOCTX_HOME"]) / "logs").iterdir()
    assert re.search(r"^embed \d+ of \d+ chunks, [\d,.]+ chunks/s$", log.read_text(), re.MULTILINE)


@pytest.mark.parametrize("before,stays", [(1 << 10, True), (MOST_LOG_BYTES + 1, False)])
def test_the_log_of_the_background_goes_on_unless_it_is_large(folder, repoctx, server, before, stays):
    """What another process writes there is not cut off."""
    server.allow(0)
    log = Path(os.environ["REPOCTX_HOME"]) / "logs" / "embed-repo.log"
    log.parent.mkdir(parents=True)
    log.write_text("." * before + "\n")
    code, _, err = repoctx("index", str(folder), "--background")
    assert code == 0, err
    server.arrived.get(timeout=PATIENCE)
    server.allow(None)
    wait_for_background()
    text = log.read_text()
    assert text.startswith("." * before) == stays
    assert "embed 4 of 4 chunks" in text


def test_a_dead_server_is_one_sentence_after_the_report(folder, repoctx, server):
    """Exit code 4, the report on stdout, one sentence on stderr, and `embed` goes on."""
    server.refusal = 401
    code, out, err = repoctx("index", str(folder))
    assert code == BackendError.exit_code
    assert out.startswith("indexed repo")
    assert err.splitlines()[-1].startswith("repoctx: ")
    assert "Traceback" not in err
    server.refusal = 0
    code, out, err = repoctx("embed", "--repo", "repo", "--json")
    assert code == 0, err
    assert {k: v for k, v in json.loads(out).items() if k != "seconds"} == {
        "repository": "repo", "ref": ".", "embedding": server.setting, "made": 4,
    }  # fmt: skip


def test_index_says_in_json_what_it_did_and_then_what_it_made(folder, repoctx, server):
    """The report with what answers first, then a line about the vectors."""
    code, out, err = repoctx("index", str(folder), "--json")
    assert (code, err) == (0, "")
    report, made = map(json.loads, out.splitlines())
    assert (report["pending"], made["embedding"], made["made"]) == (server.setting, server.setting, 4)


def test_doctor_measures_models_and_says_what_switching_costs(folder, repoctx, server):
    """Model, dimensions and speed of the configured, the built-in and a named model; costs by repository."""
    assert repoctx("index", str(folder))[0] == 0
    code, out, err = repoctx("doctor", "--embedding", "hashing", "--json")
    assert code == 0, err
    lines = list(map(json.loads, out.splitlines()))
    checks = {line["name"]: line["detail"] for line in lines if "ok" in line and line["name"].startswith("embedding")}
    assert list(checks) == ["embedding", "embedding static", "embedding hashing"]
    assert checks["embedding"].startswith(f"{server.setting}, 256 dimensions, ")
    assert checks["embedding hashing"].endswith(" chunks a CPU second (chunks of repo)")
    costs = {
        line["embedding"]: (line["repository"], line["lacking"], line["answers"]) for line in lines if "lacking" in line
    }
    assert costs[server.setting] == ("repo", 0, True)
    assert costs["hashing"] == ("repo", 4, False)
    out = repoctx("doctor", "--embedding", "hashing")[1]
    assert "hashing: 4 texts to embed, about 0:00:00 of CPU" in out


def test_doctor_asks_no_server_that_is_not_meant(folder, repoctx, server, monkeypatch):
    """With another model configured the server sees nothing, though the index has its vectors."""
    assert repoctx("index", str(folder))[0] == 0
    asked = len(server.keys)
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", "none")
    code, out, err = repoctx("doctor")
    assert code == 0, err
    assert "embedding: search is lexical" in out
    assert len(server.keys) == asked


def test_a_dry_run_says_what_embedding_costs(folder, repoctx, server):
    """Requests for a server, CPU time for a model that runs here; nothing is asked."""
    found = json.loads(repoctx("index", str(folder), "--dry-run", "--json")[1])
    assert (found["embedding"], found["embedding_requests"], found["embedding_seconds"]) == (server.setting, 1, 0.0)
    assert f"1 requests to {server.setting}" in repoctx("index", str(folder), "--dry-run")[1]
    assert server.keys == []


def test_the_migration_forgets_old_vectors_and_the_index_goes_on(folder, tmp_path):
    """An index made before refs knew their model is searched by words, and gets vectors by the next run."""
    import sqlalchemy as sa

    home = tmp_path / "home"
    with workspace_of(home, "hashing") as workspace:
        workspace.index(str(folder))
        with workspace.engine.begin() as connection:
            tasks = ("conversations", "task_events", "task_steps", "tasks")
            service = ("workers", "audit", "tokens", "deliveries", "jobs", "registrations", "dropped")
            for table in ("histories", "commits", *tasks, *service):
                connection.execute(sa.text(f"DROP TABLE {table}"))
            for column in ("embedding", "embedding_model", "pending", "progress"):
                connection.execute(sa.text(f"ALTER TABLE refs DROP COLUMN {column}"))
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    shutil.rmtree(home / "segments")
    with workspace_of(home, "hashing") as workspace:
        assert not is_dense(workspace)
        workspace.index(str(folder))
        assert answers(workspace, "repo") == fresh_answers(tmp_path / "fresh", "hashing", folder)


def test_two_searches_may_find_lost_segments_at_once(folder, tmp_path):
    """Both put them back; neither is disturbed."""
    home = tmp_path / "home"
    with workspace_of(home, "hashing") as workspace:
        workspace.index(str(folder))
        before = answers(workspace, "repo")
    shutil.rmtree(home / "segments")

    def ask() -> list[str]:
        with workspace_of(home, "hashing") as own:
            return answers(own, "repo")

    with ThreadPoolExecutor(2) as pool:
        assert [future.result() for future in [pool.submit(ask), pool.submit(ask)]] == [before, before]


def test_a_folder_that_lies_where_one_stands_is_no_model(tmp_path, monkeypatch):
    """Built-in names, servers and hub names mean what they say, whatever folders a repository has."""
    shutil.copytree(BUILT_IN_FOLDER, tmp_path / "hashing")
    shutil.copytree(BUILT_IN_FOLDER, tmp_path / "sentence-transformers" / "all-MiniLM-L6-v2")
    monkeypatch.chdir(tmp_path)
    assert isinstance(embedder("hashing"), Hashing)
    with pytest.raises(UsageError, match=r"say \./sentence-transformers/all-MiniLM-L6-v2"):
        embedder("sentence-transformers/all-MiniLM-L6-v2").query("x")
    assert embedder("./hashing").model == embedder("static").model


@pytest.mark.parametrize("setting", ["~nosuchuser/model", "x" * 5000, "/" + "x" * 5000, "./missing", "a\0b", ""])
def test_what_is_no_model_is_one_sentence(setting):
    """Whatever is written there."""
    with pytest.raises(UsageError, match=r"embedding\.model"):
        embedder(setting)


def test_a_static_folder_may_be_named_from_where_one_stands_and_may_move(tmp_path, monkeypatch):
    """The ref knows its whole path; when it is gone words answer, and the next index run takes what is set then."""
    folder, model = tmp_path / "repo", tmp_path / "model"
    folder.mkdir()
    write_files(folder, FILES)
    shutil.copytree(BUILT_IN_FOLDER, model)
    monkeypatch.chdir(tmp_path)
    with opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL="./model") as workspace:
        workspace.index(str(folder))
    monkeypatch.chdir(folder)
    with opened(tmp_path / "home") as workspace:
        assert _rankers(workspace) >= {"dense"}
    model.rename(tmp_path / "elsewhere")
    with opened(tmp_path / "home") as workspace:
        assert "dense" not in _rankers(workspace)
        workspace.index(str(folder))
        assert _rankers(workspace) >= {"dense"}


def _rankers(workspace) -> set[str]:
    hits = workspace.search("retry the call after a failure", "repo").hits
    return {reason.ranker for hit in hits for reason in hit.reasons}


def test_a_server_that_holds_another_model_now_is_found_out(folder, tmp_path, server):
    """Vectors of another length are not stored beside the old ones; a push is published, and answered by words or
    the built-in model; once the server has its model back, it goes on."""
    with workspace_of(tmp_path / "home", server.setting) as workspace:
        workspace.index(str(folder))
        write_files(folder, CHANGE)
    server.dimensions = 64
    with workspace_of(tmp_path / "home", server.setting) as workspace:
        with pytest.raises(BackendError, match="another model"):
            workspace.index(str(folder))
        assert workspace.search("third", "repo").hits[0].path == "c.py"
    server.dimensions = 256
    with workspace_of(tmp_path / "home", server.setting) as workspace:
        assert workspace.index(str(folder)).embedding == workspace.chosen.embedder.model
        assert _rankers(workspace) >= {"dense"}
