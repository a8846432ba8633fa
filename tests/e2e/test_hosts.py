"""Do workers on several hosts share the work, and what happens when a host dies, is cut off, or its database is away?

Each host is a network namespace on a bridge, with a name and process numbers of its own; the database listens on the
bridge. Only root can make these, on Linux.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import postgres
import pytest
from projects import answers, source
from repositories import git, write_files
from running import PROGRAM, until

from repoctx.serve.onboarding import onboarded
from repoctx.store import jobs
from repoctx.store.jobs import Job
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

# How soon a silent connection is given up, at both of its ends, so that the tests need not wait for long.
HASTE = "connect_timeout=3&tcp_user_timeout=3000&keepalives_idle=1&keepalives_interval=1"
FILES = 300


def ip(*arguments: str) -> None:
    """Run ip."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Network:
    """A bridge, whose address the database listens on."""

    def __init__(self) -> None:
        number = os.getpid()
        self.bridge = f"rb{number}"
        self.subnet = f"10.{200 + number // 256 % 50}.{number % 256}"
        self.address = f"{self.subnet}.1"
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    def close(self) -> None:
        """Leave nothing behind."""
        ip("link", "del", self.bridge)


class Host:
    """A machine: a network of its own, a name, process numbers, and a home; a worker runs there."""

    def __init__(self, network: Network, number: int, folder: Path, settings: dict[str, str]) -> None:
        self.name, self.network = f"host{number}", network
        self.space, self.cable = f"{network.bridge}n{number}", f"{network.bridge}v{number}"
        self.home = folder / self.name
        self.home.mkdir()
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self.begun = 0
        ip("netns", "add", self.space)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("link", "set", self.cable, "master", network.bridge, "up")
        ip("-n", self.space, "addr", "add", f"{network.subnet}.{10 + number}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", self.space, "link", "set", device, "up")

    def start(self) -> None:
        """Start its worker."""
        shell = f'hostname {self.name} && exec "$@"'
        apart = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", shell, "sh"]
        with self.logs.open("ab") as errors:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.space, *apart, *PROGRAM, "worker", "--log", "json"],
                env={**os.environ, "REPOCTX_HOME": str(self.home), **self.settings}, stdin=subprocess.DEVNULL,
                stderr=errors, start_new_session=True,
            )  # fmt: skip
        self.begun += 1

    def ready(self) -> None:
        """Wait until its worker has begun."""
        until(lambda: self.log.count("worker begins") == self.begun, f"a worker on {self.name}")

    @property
    def logs(self) -> Path:
        """The file of its log."""
        return self.home / "worker.log"

    @property
    def log(self) -> str:
        """What its worker has logged."""
        return self.logs.read_text(encoding="utf-8")

    def cut(self, silently: bool) -> None:
        """Pull its cable: what it sends gets lost, or cannot be sent at all."""
        if silently:
            ip("link", "set", self.cable, "nomaster")
        else:
            ip("-n", self.space, "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Put the cable back."""
        ip("link", "set", self.cable, "master", self.network.bridge)
        ip("-n", self.space, "link", "set", "eth0", "up")

    def kill(self) -> None:
        """Kill all that runs there."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            self.kill()
        ip("netns", "del", self.space)


class Fleet:
    """Hosts, their database, and the repositories that they index."""

    def __init__(self, folder: Path, url: str, hosts: Sequence[Host]) -> None:
        self.folder, self.hosts = folder, hosts
        self.desk = Workspace({"REPOCTX_HOME": str(folder / "desk"), "REPOCTX_DATABASE_URL": url})

    def repository(self, name: str, files: int) -> Path:
        """A repository with some files."""
        path = self.folder / name
        path.mkdir()
        git(path, "init", "-q", "-b", "main")
        self.change(path, 0, files)
        return path

    @staticmethod
    def change(path: Path, version: int, files: int = FILES) -> None:
        """Commit other contents of all files of a repository."""
        write_files(path, {f"src/m{n}.py": source(n, version) for n in range(files)})
        git(path, "add", "-A")
        git(path, "commit", "-q", "-m", f"version {version}")

    def onboard(self, *paths: Path) -> list[str]:
        """Register repositories: their jobs."""
        found = list(onboarded(self.desk, "\n".join(map(str, paths))))
        assert {one.outcome for one in found} == {"registered"}
        return [str(one.job) for one in found]

    def submit(self, name: str) -> str:
        """Tell of a push to a repository: its job."""
        where = self.desk.repository(name)
        with self.desk.engine.begin() as connection:
            return jobs.submit(connection, where.id, where.default_ref, "push", now=time.time())

    def job(self, identity: str) -> Job:
        """A job."""
        with self.desk.engine.connect() as connection:
            found = jobs.one(connection, identity)
        assert found is not None
        return found

    def taken(self, identity: str) -> Host:
        """The host that runs a job, as soon as one does."""

        def look() -> Host | None:
            worker = self.job(identity).worker or ""
            return next((one for one in self.hosts if worker.startswith(f"{one.name}-")), None)

        return until(look, "a job that runs")

    def idle(self) -> None:
        """Wait until no job is open."""

        def done() -> bool:
            with self.desk.engine.connect() as connection:
                return not jobs.open_jobs(connection)

        until(done, "the end of all jobs")

    def finished(self) -> Counter[str]:
        """How many jobs each host says to have done, by its name."""
        lines = [(host.name, line) for host in self.hosts for line in host.log.splitlines() if '"job done"' in line]
        assert len({json.loads(line)["job"] for _, line in lines}) == len(lines)  # none was done twice
        return Counter(name for name, _ in lines)

    def same_as_fresh(self, name: str) -> None:
        """The index of a repository, read anew on another machine, is that of an index run from nothing."""
        fresh = Workspace({"REPOCTX_HOME": str(self.folder / "fresh")})
        try:
            fresh.index(str(self.folder / name), name=name)
            assert answers(self.desk, name) == answers(fresh, name)
        finally:
            fresh.close()
            shutil.rmtree(self.folder / "fresh")


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[Network, Any]]:
    """A bridge, and a database server on it."""
    if os.getuid() or not all(map(shutil.which, ("ip", "unshare"))):
        pytest.skip("only root can make hosts, with `ip` and `unshare`")
    try:
        made = Network()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no bridge can be made here: {error.stderr.decode()[:200]}")
    try:
        with postgres.own(made.address) as server:
            if server is None:
                pytest.skip("no programs of Postgres to start one")
            yield made, server
    finally:
        made.close()


@contextlib.contextmanager
def fleet(network: Network, server: Any, folder: Path, size: int, stale: int = 5) -> Iterator[Fleet]:
    """Hosts with workers, on a fresh database."""
    with contextlib.ExitStack() as stack:
        url = f"{stack.enter_context(postgres.database(server.url))}?{HASTE}"
        settings = {
            "REPOCTX_DATABASE_URL": url, "REPOCTX_JOBS_STALE_SECONDS": str(stale), "REPOCTX_JOBS_AT_ONCE": "1",
            "REPOCTX_INDEX_WORKERS": "1", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        hosts = []
        for number in range(size):
            try:
                hosts.append(Host(network, number, folder, settings))
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespace can be made here: {error.stderr.decode()[:200]}")
            stack.callback(hosts[-1].close)
        made = Fleet(folder, url, hosts)
        stack.callback(made.desk.close)
        for host in hosts:
            host.start()
        for host in hosts:
            host.ready()
        yield made
        for host in hosts:  # nothing but lines of the log, and no more of them because a database was away
            lines = [json.loads(line)["event"] for line in host.log.splitlines()]
            assert len(lines) < 100, Counter(lines)


@pytest.mark.slow
def test_hosts_share_the_work_and_one_of_them_dies(network, tmp_path):
    """Each repository is indexed once, by any of them; what a dead one ran is taken over; a database that goes away and
    comes back is waited for."""
    with fleet(*network, tmp_path, 3) as hosts:
        made = hosts.onboard(*(hosts.repository(f"r{n}", 8) for n in range(12)))
        hosts.idle()
        assert [(hosts.job(one).state, hosts.job(one).attempt) for one in made] == [("done", 1)] * 12
        done = hosts.finished()
        assert (sum(done.values()), set(done)) == (12, {"host0", "host1", "host2"})

        hosts.repository("large", FILES)
        (first,) = hosts.onboard(tmp_path / "large")
        victim = hosts.taken(first)
        victim.kill()
        assert hosts.job(first).state == "running"
        hosts.idle()
        ended = hosts.job(first)
        assert (ended.state, ended.attempt, ended.lost, ended.failures) == ("done", 2, 1, 0)
        assert not str(ended.worker).startswith(victim.name)
        hosts.same_as_fresh("large")

        left = [host for host in hosts.hosts if host is not victim]
        hosts.change(tmp_path / "large", 1)
        second = hosts.submit("large")
        hosts.taken(second)
        network[1].stop()
        for host in left:
            until(lambda host=host: "the database is away" in host.log, f"{host.name} to notice")
        network[1].start()
        hosts.idle()
        ended = hosts.job(second)
        assert (ended.state, ended.failures) == ("done", 0)
        hosts.same_as_fresh("large")
        assert [host.process.poll() for host in left] == [None, None]  # they have waited for it


@pytest.mark.slow
@pytest.mark.parametrize("silently", [False, True], ids=["cut off", "silent"])
def test_a_host_is_cut_off_and_comes_back(network, tmp_path, silently):
    """It stops its work; another does it; when it is back it changes nothing, ends, and can be started again."""
    with fleet(*network, tmp_path, 2) as hosts:
        hosts.repository("large", FILES)
        (first,) = hosts.onboard(tmp_path / "large")
        cut = hosts.taken(first)
        cut.cut(silently)
        assert hosts.job(first).state == "running"
        until(lambda: "an attempt is given up" in cut.log, "the one that is cut off to stop its work")
        hosts.idle()
        ended = hosts.job(first)
        assert (ended.state, ended.attempt, ended.lost, ended.failures) == ("done", 2, 1, 0)
        assert not str(ended.worker).startswith(cut.name)
        cut.mend()
        assert cut.process is not None
        assert cut.process.wait(60) == 75
        assert "taken for dead" in cut.log
        assert hosts.job(first) == ended
        hosts.same_as_fresh("large")

        (other,) = (host for host in hosts.hosts if host is not cut)
        other.kill()
        cut.start()
        cut.ready()
        hosts.change(tmp_path / "large", 1)
        second = hosts.submit("large")
        hosts.idle()
        assert str(hosts.job(second).worker).startswith(cut.name)
        hosts.same_as_fresh("large")


@pytest.mark.slow
def test_a_host_is_cut_off_for_a_moment(network, tmp_path):
    """Nobody takes it for dead: what it had to stop is run again, though the queue never heard that it has ended."""
    with fleet(*network, tmp_path, 1, stale=600) as hosts:
        (host,) = hosts.hosts
        hosts.repository("large", FILES)
        (first,) = hosts.onboard(tmp_path / "large")
        hosts.taken(first)
        host.cut(silently=False)
        assert hosts.job(first).state == "running"
        until(lambda: "an attempt is given up" in host.log, "its worker to stop its work")
        host.mend()
        hosts.idle()
        ended = hosts.job(first)
        assert (ended.state, ended.attempt, ended.lost, ended.failures) == ("done", 2, 1, 0)
        assert host.process is not None
        assert host.process.poll() is None
        hosts.same_as_fresh("large")
