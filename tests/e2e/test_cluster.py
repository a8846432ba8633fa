"""Parsing and embedding on a Dask cluster: real schedulers and workers on loopback, some of which die."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from answers import answers, opened
from running import PROGRAM, until

from repoctx import config, pool
from repoctx.cluster import packets
from repoctx.cluster.connection import Cluster, cluster
from repoctx.cluster.spread import Spread, derive_all, embedder
from repoctx.errors import BackendError, UsageError
from repoctx.index.embed import Hashing
from repoctx.parse.version import parser_version
from repoctx.store.payload import Key

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

CODE = {
    "src/store.py": "class Store:\n    '''Keeps values.'''\n\n    def load(self, key):\n"
    "        return self.values[key]\n",
    "src/app.py": "from src.store import Store\n\n\ndef main():\n    return Store().load('x')\n",
    "src/app.go": "package main\n\nfunc main() { run() }\n\nfunc run() {}\n",
    "README.md": "# Sample\n\nLoads values from a store.\n",
}
# Each a batch of its own, together enough for a cluster; they take next to no time, for lines of that length are
# no source.
MUCH = {f"much/{n}.txt": f"{n} " + "lorem ipsum dolor sit amet " * 16_000 for n in range(9)}
FILES = CODE | MUCH
ENOUGH = pool.ONE_WORKER_BYTES


class Dask:
    """A scheduler and its workers, each with a nanny as `dask worker` has it."""

    def __init__(self, folder: Path, certificates: dict[str, str]) -> None:
        self._folder, self._started = folder, []
        self._environment = {
            "DASK_" + name.upper().replace(".", "__").replace("-", "_"): path for name, path in certificates.items()
        }
        self._protocol = "tls" if certificates else "tcp"

    def begin(self, workers: int) -> None:
        """Start it, with so many workers."""
        file = str(self._folder / "scheduler.json")
        options = ("--port", "0", "--scheduler-file", file, "--protocol", self._protocol, "--idle-timeout", "600")
        self._scheduler = self.start("scheduler", *options)
        self.url = until(self._address, "a scheduler")
        if workers:
            self.start("worker", self.url, "--nworkers", str(workers), "--nthreads", "1")
        until(lambda: len(self.workers()) == workers, "workers")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A process of the cluster; what it logs is in the folder."""
        here = ("--local-directory", str(self._folder)) if arguments[0] == "worker" else ()
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard", *here]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, env=os.environ | self._environment, stdout=log, stderr=log, cwd=self._folder,
                start_new_session=True,
            )  # fmt: skip
        self._started.append(process)
        return process

    def _address(self) -> str | None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return json.loads((self._folder / "scheduler.json").read_text())["address"]
        return None

    @contextlib.contextmanager
    def client(self):
        """Somebody who looks at the cluster."""
        from distributed import Client

        with Client(self.url, set_as_default=False) as looking:
            yield looking

    def workers(self) -> dict[str, int]:
        """The process of each worker, by its address."""
        with self.client() as looking:
            return looking.run(os.getpid)

    def under_way(self) -> list[str]:
        """Jobs that the scheduler knows of."""
        with self.client() as looking:
            return [key for keys in (*looking.processing().values(), looking.who_has()) for key in keys]

    def lose_scheduler(self) -> None:
        """As a host is lost."""
        self._scheduler.kill()
        self._scheduler.wait()

    def close(self) -> None:
        """Leave nothing behind."""
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def _dask(folder: Path, workers: int, certificates: dict[str, str] | None = None) -> Iterator[Dask]:
    pytest.importorskip("distributed")
    started = Dask(folder, certificates or {})
    try:
        started.begin(workers)
        yield started
    finally:
        started.close()


def _certificates(folder: Path) -> dict[str, str]:
    """One that vouches for itself, by the names of Dask's settings; none where there is no openssl."""
    if shutil.which("openssl") is None:
        return {}
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=repoctx", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = "distributed.comm.tls"
    keys = {f"{tls}.{role}.key": key for role in ("scheduler", "worker", "client")}
    certificates = {f"{tls}.{role}.cert": certificate for role in ("scheduler", "worker", "client")}
    return {f"{tls}.ca-file": certificate, **keys, **certificates}


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A cluster of two workers, for everybody, as clusters are."""
    with _dask(tmp_path_factory.mktemp("dask"), 2) as started:
        yield started


def blob(text: str, path: str = "a.py") -> tuple[Key, bytes]:
    """A blob on its way into a batch."""
    name = {"py": "python", "md": "markdown"}[path.rpartition(".")[2]]
    return Key(f"{random.Random(text).getrandbits(160):040x}", name, parser_version(name)), text.encode()


def rows(found) -> dict[str, str | None]:
    """Which blobs are known, and why they are left out."""
    return {row.key.blob: row.skip for derived in found for row in derived.rows}


def test_a_host_lost_while_it_works_changes_no_byte(dask, make_repository, tmp_path):
    """One worker holds jobs that it never does, and is killed: the answers are those of a run without a cluster."""
    folder = make_repository(FILES)
    with opened(tmp_path / "here") as workspace:
        here = workspace.index(str(folder))
        expected = answers(workspace, "repo")
    victims = [min(dask.workers().values())]
    os.kill(victims[0], signal.SIGSTOP)

    def lose(step) -> None:
        if step.stage == "parse" and step.done and victims:
            os.kill(victims.pop(), signal.SIGKILL)

    with opened(tmp_path / "there", REPOCTX_CLUSTER_SCHEDULER=dask.url) as workspace:
        there = workspace.index(str(folder), show=lose)
        assert answers(workspace, "repo") == expected
    assert (victims, there.snapshot, there.files, there.parsed) == ([], here.snapshot, 4, 13)
    assert (there.skips, here.skips) == ({"minified": 9}, {"minified": 9})
    until(lambda: len(dask.workers()) == 2, "the worker that the nanny starts again")


def test_what_stalls_a_grammar_costs_a_blob_and_no_worker(dask):
    """The other blobs of its batch are kept; workers do not even notice, nor do runs beside this one."""
    before = dask.workers()
    bad = blob("x = 1\n" * 400_000)  # seconds, on any machine
    good = [blob(f"y = {n}\n") for n in range(3)]
    where = Cluster(dask.url, 60)
    with ThreadPoolExecutor() as threads:
        beside = threads.submit(lambda: rows(derive_all(good, ENOUGH, 1, where)))
        found = list(derive_all([good[0], bad, *good[1:]], ENOUGH, 1, where, cpu_limit=0.6))
    fine = {key.blob: None for key, _ in good}
    assert rows(found) == {bad[0].blob: "parser timed out: SIGPROF", **fine}
    assert beside.result() == fine
    assert dask.workers() == before


def test_processes_that_die_while_they_wait_are_replaced(dask):
    """Killed as the kernel kills where memory is short: nothing is left out for it."""
    where = Cluster(dask.url, 60)
    once = rows(derive_all([blob("a = 1\n")], ENOUGH, 1, where))
    killed = 0
    for worker in dask.workers().values():
        for pid in _children(worker):
            os.kill(pid, signal.SIGSEGV)
            killed += 1
    assert killed >= 1
    assert rows(derive_all([blob("a = 1\n")], ENOUGH, 1, where)) == once == {blob("a = 1\n")[0].blob: None}


def _children(pid: int) -> list[int]:
    """Processes that parse for a worker."""
    started = "".join((task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir())
    commands = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in started.split()}
    return [one for one, command in commands.items() if b"repoctx.cluster.child" in command]


def test_a_worker_of_another_version_is_refused(dask):
    """Facts are known by the parser that made them: another one's are not taken for them."""
    key, raw = blob("a = 1\n")
    with pytest.raises(BackendError) as refused:
        list(derive_all([(key._replace(version="another"), raw)], ENOUGH, 1, Cluster(dask.url, 60)))
    sentence = str(refused.value)
    assert sentence.startswith("the worker tcp://127.0.0.1:")
    assert f"and the parser {key.version} for python, and the index run has the parser another: install" in sentence
    other = packets.packed("x").replace(packets.program().encode(), b"repoctx 0.0.1 with Python 3.9")
    with pytest.raises(BackendError, match=r"^it has repoctx .*, and the index run has repoctx 0\.0\.1 with Python 3"):
        packets.unpacked(other)


def test_ctrl_c_leaves_nothing_on_the_cluster(dask, make_repository):
    """Workers stand still, so that jobs are under way for certain; then they are forgotten."""
    folder = make_repository(FILES)
    stopped = list(dask.workers().values())
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        run = subprocess.Popen(
            [*PROGRAM, "index", str(folder), "--cluster", dask.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        until(lambda: len(dask.under_way()) >= 6, "jobs on the cluster")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=120)
        assert (run.returncode, out) == (130, b"")
        assert err.splitlines()[-1].startswith(b"interrupted: ")
        assert b"Traceback" not in err
        until(lambda: not dask.under_way(), "a cluster without jobs")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_a_scheduler_lost_while_it_works_is_one_sentence_and_the_next_run_goes_on(make_repository, tmp_path):
    """What was stored is kept; what is left is parsed here. All of it was encrypted, by Dask's own settings."""
    of_dask = pytest.importorskip("dask.config")
    folder, certificates = make_repository(FILES), _certificates(tmp_path)
    with of_dask.set(certificates), _dask(tmp_path, 1, certificates) as lost:
        assert lost.url.startswith("tls://" if certificates else "tcp://")

        def lose(step) -> None:
            if step.stage == "parse" and step.done:
                lost.lose_scheduler()

        settings = {"REPOCTX_CLUSTER_SCHEDULER": lost.url, "REPOCTX_CLUSTER_SECONDS": "5"}
        sentence = r"^the Dask scheduler t.*://127.* was lost: start it, then run this again; what was done is kept"
        with opened(tmp_path / "home", **settings) as workspace, pytest.raises(BackendError, match=sentence):
            workspace.index(str(folder), show=lose)
    with opened(tmp_path / "home") as workspace:
        assert 0 < workspace.index(str(folder)).parsed < 13


def test_no_scheduler_and_no_workers_are_sentences(repoctx, make_repository, tmp_path, monkeypatch):
    """Exit code 4 after a bounded time, nothing else on stderr; what is little needs no cluster."""
    folder = make_repository(CODE)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("REPOCTX_CLUSTER_SECONDS", "1")
        assert repoctx("index", str(folder), "--cluster", url)[0] == 0
        for path, text in MUCH.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        code, out, err = repoctx("index", str(folder), "--cluster", url)
        assert (code, out) == (4, "")
        assert err.splitlines()[-1].startswith(f"repoctx: the Dask scheduler {url} cannot be reached or was lost: ")
        assert [line for line in err.splitlines()[:-1] if not line.startswith(("scan", "parse 0 of"))] == []
    assert repoctx("search", "store", "--repo", "repo")[0] == 0
    with _dask(tmp_path, 0) as alone:
        code, out, err = repoctx("index", str(folder), "--cluster", alone.url)
        assert (code, out) == (4, "")
        assert f"has had no workers for 1 seconds: start some with `dask worker {alone.url}` and" in err


@pytest.mark.parametrize("url", ["host:8786", "tcp://host", "http://host:1", "tcp://user@host:1", "tls://h:1/path"])
def test_what_is_no_scheduler_is_told_at_once(repoctx, make_repository, url):
    """Before anything is read."""
    code, out, err = repoctx("index", str(make_repository(CODE)), "--cluster", url)
    assert (code, out) == (2, "")
    assert err == (
        "repoctx: cluster.scheduler is the address of a Dask scheduler, such as tcp://host:8786 or tls://host:8786, "
        f"not {url!r}\n"
    )


def test_a_repository_cannot_say_which_cluster_gets_its_text(tmp_path):
    """Of its own settings file that does not count; what is set elsewhere does."""
    (tmp_path / "repoctx.toml").write_text('[cluster]\nscheduler = "tcp://evil:1"\n')
    assert config.load({}, repository=tmp_path).settings.cluster_scheduler == ""
    set_here = config.load({"REPOCTX_CLUSTER_SCHEDULER": "tcp://[::1]:1"}, repository=tmp_path).settings
    assert cluster(set_here.cluster_scheduler, set_here.cluster_seconds) == Cluster("tcp://[::1]:1", 60)


def test_certificates_that_are_missing_are_told():
    """They are Dask's own settings."""
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match="set DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        list(derive_all([blob("a = 1\n")], ENOUGH, 1, Cluster("tls://127.0.0.1:1", 1)))


def test_dask_is_not_imported_where_no_cluster_works(make_repository):
    """Nor what is heavy for `--help`."""
    code = (
        "import sys; from repoctx.serve.cli import cli; from repoctx.serve.program import run\n"
        "print(run(cli, sys.argv[1:]), {'distributed', 'dask'} & set(sys.modules))\n"
    )
    folder = str(make_repository(CODE))
    command = [sys.executable, "-c", code, "index", folder, "--json", "--cluster", "tcp://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"


# Those of torch and transformers.
@pytest.mark.filterwarnings("ignore")
def test_a_slow_model_embeds_there_what_it_embeds_here(dask, make_repository, tmp_path):
    """The same answers, though no model is loaded here; one that a worker lacks, or has otherwise, is told."""
    pytest.importorskip("sentence_transformers")
    from transformer import random_transformer

    model = str(random_transformer(tmp_path, 64))
    many = {f"src/word{n}.py": f"def word{n}(word{n % 7}):\n    return word{n * n % 50}\n" for n in range(150)}
    folder = make_repository(CODE | many)  # a text for each chunk, and one for each path
    with opened(tmp_path / "here", REPOCTX_EMBEDDING_MODEL=model) as workspace:
        workspace.index(str(folder))
        expected = answers(workspace, "repo", ["word3 word9", "load a value from the store"])
    settings = {"REPOCTX_EMBEDDING_MODEL": model, "REPOCTX_CLUSTER_SCHEDULER": dask.url}
    with opened(tmp_path / "there", **settings) as workspace:
        workspace.index(str(folder))
        spread = workspace.embedder(model)
        assert spread.embedder._loaded is None
        assert answers(workspace, "repo", ["word3 word9", "load a value from the store"]) == expected
    with pytest.raises(BackendError, match=r"^the worker tcp://.* has no folder '/missing': put the embedding model"):
        list(Spread(spread, "/missing", spread.where).spread([[("1", "word1")]]))
    with pytest.raises(BackendError, match=r"^the worker .* and the index run has hashing-256: give all machines the"):
        list(Spread(Hashing(), model, spread.where).spread([[("1", "word1")]]))


def test_only_slow_models_that_run_here_are_spread():
    """The built-in one takes microseconds, and no key of a server goes to a worker."""
    where, found = Cluster("tcp://127.0.0.1:1", 1), Hashing()
    for setting in ("static", "hashing", "openai:m@http://127.0.0.1:1"):
        assert embedder(found, setting, where) is found
    assert embedder(found, "all-MiniLM-L6-v2", None) is found
    assert embedder(found, "all-MiniLM-L6-v2", where) == Spread(found, "all-MiniLM-L6-v2", where)
    assert embedder(None, "none", where) is None
