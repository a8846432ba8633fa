"""A snapshot is written out, a change made in it, a command run there that reaches nothing else, and all removed."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from repositories import git, write_files

from repoctx.errors import RefusedError, SourceError, Stopped
from repoctx.source import checkout
from repoctx.tasks.diffs import written
from repoctx.tasks.hidden import places
from repoctx.tasks.proposal import Change, Proposal
from repoctx.tasks.scratch import NAME, Ran, run, scratch

MEMORY = 400_000_000
NAP = 4_000_000_000 + 10 * os.getpid()  # seconds that nobody else sleeps
NOTHING = Proposal("", (), ())


def changed(*changes: Change) -> Proposal:
    """A proposal of some changes."""
    return Proposal("".join(written(*change) for change in changes), changes, ())


def never() -> bool:
    """Nobody stops it."""
    return False


# --- writing a snapshot out --------------------------------------------------------------------


def tree(folder: Path) -> dict[str, str | bytes]:
    """Files with their bytes, and symbolic links with where they point."""
    return {
        str(path.relative_to(folder)): f"-> {os.readlink(path)}" if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with all that must not run or lead outside, and its work tree changed since."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    write_files(folder, {
        "a.txt": "one\n", "d/run.sh": "#!/bin/sh\n", "crlf.txt": b"x\r\ny\r\n", "latin.txt": b"\xe9\n",
        ".gitattributes": "*.txt text eol=crlf\na.txt filter=evil\n",
    })  # fmt: skip
    (folder / "d/run.sh").chmod(0o755)
    for name, target in (("in", "d/run.sh"), ("d/up", "../a.txt"), ("out", "../secret"), ("far", "/etc/passwd"),
                         ("twice", "d/../../x")):  # fmt: skip
        (folder / name).symlink_to(target)
    for setting in ("filter.evil.smudge", "filter.evil.clean"):
        git(folder, "config", setting, f"touch {tmp_path / 'ran'}; cat")
    git(folder, "-c", "core.autocrlf=false", "-c", "filter.evil.clean=cat", "add", "-A")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    git(folder, "commit", "-q", "-m", "first")
    (tmp_path / "ran").unlink(missing_ok=True)
    hook = folder / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    hook.chmod(0o755)
    (folder / "a.txt").write_text("uncommitted\n")
    return folder


EXPECTED = {
    ".gitattributes": b"*.txt text eol=crlf\na.txt filter=evil\n", "a.txt": b"one\n", "crlf.txt": b"x\ny\n",
    "d/run.sh": b"#!/bin/sh\n", "d/up": "-> ../a.txt", "in": "-> d/run.sh", "latin.txt": b"\xe9\n",
}  # fmt: skip


def test_a_commit_is_written_as_it_is(repository: Path, tmp_path: Path) -> None:
    """Blobs byte by byte: no filter, hook or line end; links that stay inside; the repository is as it was."""
    before, commit = tree(repository), git(repository, "rev-parse", "HEAD")
    target = tmp_path / "out"
    target.mkdir()
    checkout.write(str(repository / "d"), tmp_path, commit, {}, target)
    assert tree(target) == EXPECTED
    assert os.access(target / "d/run.sh", os.X_OK)
    assert not os.access(target / "a.txt", os.X_OK)
    assert not (tmp_path / "ran").exists()
    assert tree(repository) == before


def test_bare_repositories_and_folders_are_written_too(repository: Path, tmp_path: Path) -> None:
    """Texts go over a commit, and are all there is of a folder; a link is never written through."""
    bare, commit = tmp_path / "bare.git", git(repository, "rev-parse", "HEAD")
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    for name, location, at, texts, expected in (
        ("one", str(bare), commit, {"a.txt": "new\n", "d/up": "no link\n"},
         EXPECTED | {"a.txt": b"new\n", "d/up": b"no link\n"}),
        ("two", str(tmp_path), None, {"x/y.py": "é\n"}, {"x/y.py": "é\n".encode()}),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        checkout.write(location, tmp_path, at, texts, tmp_path / name)
        assert tree(tmp_path / name) == expected


def test_what_cannot_be_written_is_refused(repository: Path, tmp_path: Path) -> None:
    """A commit that is not there, a path that leads out, and a task that was cancelled."""
    target = tmp_path / "out"
    target.mkdir()

    def stop() -> None:
        raise Stopped("it was cancelled")

    with pytest.raises(SourceError):
        checkout.write(str(repository), tmp_path, "1" * 40, {}, target)
    with pytest.raises(RefusedError, match="no path of a repository"):
        checkout.write(str(repository), tmp_path, None, {"../x": "y"}, target)
    with pytest.raises(Stopped):
        checkout.write(str(repository), tmp_path, git(repository, "rev-parse", "HEAD"), {}, target, stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "repo"]


# --- making a change ---------------------------------------------------------------------------


def test_a_proposal_is_made_and_all_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files changed, made and removed, in a folder within another repository, which git must not find."""
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    texts = {"a.txt": "one\r\n", "b.txt": "two\n", ".gitattributes": "a.txt text eol=lf\nnew.txt text eol=crlf\n"}
    proposal = changed(
        Change("a.txt", "one\r\n", "uno\r\n"), Change("b.txt", "two\n", None), Change("new.txt", None, "n\n")
    )
    made = {".gitattributes": texts[".gitattributes"].encode(), "a.txt": b"uno\r\n", "new.txt": b"n\n"}

    def fail() -> None:
        with scratch(lambda folder: write_files(folder, dict(texts)), proposal) as folder:
            assert tree(folder) == made
            (folder / "locked").mkdir(mode=0o000)
            raise KeyError("whatever happens")

    with pytest.raises(KeyError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == [".git"]


def test_a_diff_that_git_does_not_take_is_refused(tmp_path: Path) -> None:
    """The sentence is git's; nothing stays."""
    with (
        pytest.raises(RefusedError, match=r"git does not take the diff: patch failed: a\.txt:1"),
        scratch(
            lambda folder: write_files(folder, {"a.txt": "other\n"}), changed(Change("a.txt", "one\n", "two\n"))
        ) as folder,
    ):
        raise AssertionError(folder)


# --- running a command -------------------------------------------------------------------------


@pytest.fixture
def area(tmp_path: Path) -> Iterator[Path]:
    """A scratch folder with a file; skipped, visibly, where the kernel does not allow to keep a command apart."""
    with scratch(lambda folder: write_files(folder, {"a.txt": "one\n"}), NOTHING) as folder:
        try:
            run(folder, "true", 10, MEMORY, never)
        except RefusedError as error:
            pytest.skip(str(error))
        yield folder


def did(
    folder: Path, command: str, seconds: int = 20, stop: Callable[[], bool] = never, hide: tuple[Path, ...] = ()
) -> Ran:
    """What became of a command."""
    return run(folder, command, seconds, MEMORY, stop, hide)


def test_a_command_runs_in_the_folder(area: Path) -> None:
    """Its output of both kinds, its exit status, and what it writes there and to its /tmp; nothing is asked of it."""
    ran = did(
        area, "cat a.txt; echo err >&2; cat; echo made > b.txt; echo t > /tmp/t; cat /tmp/t; echo h > ~/h; exit 3"
    )
    assert (ran.code, ran.output, ran.ended) == (3, "one\nerr\nt\n", "exit")
    assert (area / "b.txt").read_text() == "made\n"
    assert not Path("/tmp/t").exists()
    assert did(area, "kill -9 $$")[1:2] + did(area, "kill -9 $$")[4:] == (-9, "signal")


def test_its_environment_has_no_secrets(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four variables and what a shell adds, whatever the caller has; those of other processes cannot be read."""
    for name in ("REPOCTX_SECRET_X", "OPENAI_API_KEY", "GIT_ASKPASS", "LD_PRELOAD_X"):
        monkeypatch.setenv(name, "a-secret-value")
    ran = did(area, "env; cat /proc/*/environ")
    names = {line.partition("=")[0] for line in ran.output.replace("\0", "\n").split("\n") if "=" in line}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD", "RUSTUP_HOME"} == {"PATH", "HOME", "LANG", "TMPDIR"}
    assert "a-secret-value" not in ran.output


def test_nothing_else_can_be_written(area: Path, tmp_path: Path) -> None:
    """The file system is read-only, for root too; the hidden are empty; devices and sockets are not there."""
    secret, outside = tmp_path / "secret", tmp_path / "outside"
    secret.mkdir()
    (secret / "key").write_text("a-secret-value")
    outside.write_text("as it was")
    place = "/var/tmp/../../usr"  # of the machine, not of the test
    tries = [
        "ls /run/*",
        f"echo x > {outside}", f"rm {outside}", f"echo x > {place}/x", "mount -o remount,bind,rw /", "mknod x b 8 0",
        f"mount -t tmpfs x {outside.parent}", "unshare -rm mount -o remount,bind,rw /",
        "echo x > /proc/sys/kernel/core_pattern",
        "cat /dev/[sv]da", "chroot . true", f"cat {secret}/key", f"test -e {tmp_path}/secret/key",
    ]  # fmt: skip
    ran = did(
        area, "; ".join(f"({one}) 2>/dev/null && echo 'DID {one[:20]}'" for one in tries) + "; exit 0", hide=(secret,)
    )
    assert (ran.code, ran.output) == (0, "")
    assert outside.read_text() == "as it was"


def test_what_is_hidden_is_empty(area: Path) -> None:
    """A folder has nothing in it, a file no text; what is beside them stays."""
    library = Path(os.__file__).parent
    folder, file = library / "wsgiref", library / "this.py"
    ran = did(area, f"ls -A {folder}; cat {file}", hide=(folder, file))
    assert (ran.code, ran.output) == (0, "")
    assert did(area, f"cat {library / 'antigravity.py'}", hide=(folder, file)).output.startswith("\nimport webbrowser")


def test_there_is_no_network(area: Path) -> None:
    """Neither that of this machine nor another; only what the command starts itself."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        (area / "net.py").write_text(f"""
import socket
for place in (("127.0.0.1", {port}), ("192.0.2.1", 80)):
    try:
        socket.create_connection(place, 5)
        print("reached", place)
    except OSError as error:
        print(type(error).__name__)
mine = socket.create_server(("127.0.0.1", 0))
socket.create_connection(mine.getsockname())
print("own")
""")
        ran = did(area, "python3 net.py")
    assert ran.output == "ConnectionRefusedError\nOSError\nown\n"


def test_what_it_leaves_behind_ends_with_it(area: Path) -> None:
    """A background child does not outlive the command, even in a session of its own and without its output."""
    ran = did(area, "(setsid sh -c 'sleep 2; echo late > late.txt' >/dev/null 2>&1 &); sleep 0.1; echo done")
    assert (ran.output, ran.ended) == ("done\n", "exit")
    assert not alive("late.txt")


def alive(words: str) -> bool:
    """Whether some process has these words in its command line."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words.encode() in process.read_bytes():
                return True
        except OSError:
            continue
    return False


def test_a_command_that_hangs_is_ended(area: Path) -> None:
    """At its time limit, deaf as it may be, with all its children; also when it has closed its output."""
    ran = did(area, f"trap '' TERM INT HUP; echo started; sleep {NAP + 1} & exec >&- 2>&-; sleep {NAP + 1}", seconds=1)
    assert (ran.code, ran.output, ran.ended) == (None, "started\n", "time")
    assert 1 <= ran.seconds < 10
    assert not alive(f"sleep\x00{NAP + 1}")


def test_a_command_is_ended_when_somebody_stops_it(area: Path) -> None:
    """Within a moment."""
    began = time.monotonic()
    ran = did(area, f"sleep {NAP + 2}", seconds=60, stop=lambda: time.monotonic() > began + 0.3)
    assert (ran.code, ran.ended) == (None, "stopped")
    assert ran.seconds < 10
    assert not alive(f"sleep\x00{NAP + 2}")


def test_memory_and_processes_are_limited(area: Path) -> None:
    """One process gets no more than the limit, several are ended together, and so is what forks without end."""
    (area / "hog.py").write_text("import sys, time\nx = bytearray(int(sys.argv[1]))\ntime.sleep(20)\n")
    alone = did(area, "python3 hog.py 1000000000 2>&1 | tail -1")
    assert (alone.output, alone.ended) == ("MemoryError\n", "exit")
    together = did(area, "for i in 1 2 3 4 5 6; do python3 hog.py 100000000 & done; wait")
    assert (together.code, together.ended) == (None, "memory")
    many = did(area, f"i=0; while [ $i -lt 700 ]; do sleep {NAP + 4} & i=$((i+1)); done; wait")
    assert (many.code, many.ended) == (None, "processes")
    assert not alive(f"sleep\x00{NAP + 4}")


def test_only_the_end_of_its_output_is_kept(area: Path) -> None:
    """As text, whatever bytes it is."""
    ran = did(area, "yes 123456789 | head -n 100000; printf '\\377\\nlast\\n'")
    assert ran.output.startswith("[940,007 bytes before are left out]\n")
    assert ran.output.endswith("123456789\n\ufffd\nlast\n")
    assert len(ran.output) < 61_000


def test_it_ends_with_its_parent(area: Path, tmp_path: Path) -> None:
    """When the process that waits for it is killed, nothing goes on."""
    ready = threading.Event()
    child = os.fork()
    if not child:
        os.setsid()
        did(area, f"sleep {NAP + 3}", seconds=60)
        os._exit(0)
    for _ in range(200):
        if alive(f"sleep\x00{NAP + 3}"):
            ready.set()
            break
        ready.wait(0.05)
    assert ready.is_set()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for _ in range(200):
        if not alive(f"sleep\x00{NAP + 3}"):
            return
        threading.Event().wait(0.05)
    raise AssertionError("it goes on")


# --- what is hidden, and what is left ----------------------------------------------------------


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that a command sees: one in /tmp or in a home it would not."""
    unseen = ("/tmp", "/var/tmp", "/run", "/home", "/root", Path.home())
    cache = Path(__file__).resolve().parents[2] / ".pytest_cache"
    cache.mkdir(exist_ok=True)
    places = [one for one in (cache, Path("/opt"), Path("/srv"), Path("/var/lib")) if os.access(one, os.W_OK)]
    top = next((one for one in places if not any(one.is_relative_to(other) for other in unseen)), None)
    if top is None:
        pytest.skip("no folder that a sandbox shows can be written")
    with tempfile.TemporaryDirectory(dir=top) as folder:
        yield Path(folder)


def test_of_a_home_programs_alone_are_seen(area: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is in it; programs on the PATH are run, with what they lead to, links and all."""
    for name in (".pgpass", ".env", ".config/pip/pip.conf", ".cargo/credentials", "work/other.py"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("a-secret-value")
    for name in ("bin", "tools/x/bin", ".cargo/bin", "venv/bin", "venv/lib"):
        (outside / name).mkdir(parents=True)
    program = outside / "tools/x/bin/hello-1"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    (outside / "bin/hello").symlink_to("../tools/hello")
    (outside / "tools/hello").symlink_to("x/bin/hello-1")
    (outside / "venv/pyvenv.cfg").write_text("")
    (outside / ".cargo/bin/tool").write_text("t\n")
    monkeypatch.setenv("HOME", str(outside))
    monkeypatch.setenv("PATH", f"{outside}/bin:{outside}/venv/bin:{os.environ['PATH']}")
    ran = did(area, f"hello; cd {outside}; find . -type f | sort; touch x bin/x; ls work")
    assert ran.output.split("\n")[:4] == ["hello", "./.cargo/bin/tool", "./tools/x/bin/hello-1", "./venv/pyvenv.cfg"]
    assert ran.output.count("Read-only file system") == 2
    assert "a-secret-value" not in did(area, f"cat {outside}/.* {outside}/*/*").output


def test_places_within_hidden_ones_are_shown_and_hidden_in_turn(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of places, one within another: each is told once, after the one around it."""
    for name in ("home/.cargo/bin/secret", "home/.cargo/x", "many"):
        (outside / name).mkdir(parents=True)
    for number in range(300):
        (outside / f"many/{number}").mkdir()
    monkeypatch.setenv("HOME", str(outside / "home"))
    hide = [
        outside / "home/.cargo/bin/secret",
        outside / "home/.cargo/x",
        outside / "many",
        *(outside / "many").iterdir(),
    ]
    assert [(path.removeprefix(str(outside)), hidden) for path, hidden in places(hide, "/usr/bin")
            if path.startswith(str(outside))] == [
        ("/home", True), ("/home/.cargo/bin", False), ("/home/.cargo/bin/secret", True), ("/many", True)
    ]  # fmt: skip
    monkeypatch.setenv("HOME", "/")
    assert "/" not in [path for path, _ in places([Path("/")], "/usr/bin")]


def test_a_hidden_folder_may_hold_the_interpreter(area: Path) -> None:
    """All around it is hidden, and it runs still."""
    ran = did(
        area, f"{sys.executable} -c 'import pytest; print(1)'; ls {sys.prefix}/..", hide=(Path(sys.prefix).parent,)
    )
    assert ran.output == "1\n"


def test_sockets_of_the_machine_cannot_be_used(area: Path, outside: Path) -> None:
    """A server that listens where the command sees files."""
    if len(str(outside)) > 100:
        pytest.skip("no socket can have so long a path")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(outside / "s"))
        server.listen()
        place = str(outside / "s")
        (area / "a.py").write_text(f"import socket\nsocket.socket(socket.AF_UNIX).connect({place!r})\n")
        ran = did(area, "python3 a.py 2>&1 | tail -1")
    assert ran.output.startswith("ConnectionRefusedError")


def test_keys_of_the_session_are_not_inherited(area: Path) -> None:
    """The kernel's keyring is another one."""
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of system calls are others")
    child = os.fork()
    if not child:  # whose keyring is its own from now on
        mine = ctypes.CDLL(None).syscall(250, 1, None)
        ran = did(area, "python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))'")
        os._exit(2 if mine < 0 else int(ran.output) in (mine, -1))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 2:
        pytest.skip("the kernel keeps no keys")
    assert code == 0


MEMFD = """
import os, sys, time
if sys.argv[1] == "memfd":
    file = os.memfd_create("x")
else:
    file = os.open(sys.argv[1] + "/x", os.O_RDWR | os.O_CREAT)
for _ in range(int(sys.argv[2])):
    os.write(file, bytes(1_000_000))
time.sleep(2)
"""


def test_memory_that_belongs_to_no_process_is_limited(area: Path) -> None:
    """Files in memory count, and the folders of its own have no more together than is allowed."""
    (area / "fill.py").write_text(MEMFD)
    ran = run(area, "python3 fill.py memfd 150", 20, 100_000_000, never)
    assert (ran.code, ran.ended) == (None, "memory")
    ran = run(area, "python3 fill.py /tmp 60; python3 fill.py /dev/shm 60 2>&1 | tail -1", 20, 100_000_000, never)
    assert ran.ended == "memory" or "No space left" in ran.output
    ran = did(area, "df --output=source,size /tmp /dev/shm | sort | uniq -c | wc -l; echo x > /tmp/x; ls /dev/shm")
    assert ran.output == "2\n"


def test_a_deep_folder_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep: deeper than Python's stack, and than a path may be long."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch(lambda folder: None, NOTHING) as folder:
        at = os.open(folder, os.O_RDONLY)
        for _ in range(2500):
            os.mkdir("dd", dir_fd=at)
            inner = os.open("dd", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = inner
        os.fchmod(at, 0)
        os.close(at)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next one, and nothing that another process still holds, or that is new."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = os.fork()
    if not child:
        with scratch(lambda folder: None, NOTHING):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    (tmp_path / "other").mkdir()
    with scratch(lambda folder: None, NOTHING) as first:
        for folder in (left, first.parent, tmp_path / "other"):
            os.utime(folder, (0, 0))
        with scratch(lambda folder: None, NOTHING) as second:
            assert set(tmp_path.iterdir()) == {first.parent, second.parent, tmp_path / "other"}
        (tmp_path / f"{NAME}new").mkdir()
        with scratch(lambda folder: None, NOTHING):
            assert (tmp_path / f"{NAME}new").is_dir()


def test_texts_replace_what_stands_in_their_way(repository: Path, tmp_path: Path) -> None:
    """A file that became a folder, a folder that became a file, and a link below it."""
    target = tmp_path / "out"
    target.mkdir()
    texts = {"a.txt/b/c.py": "c\n", "d": "d\n", "latin.txt/x": "x\n"}
    checkout.write(str(repository), tmp_path, git(repository, "rev-parse", "HEAD"), texts, target)
    assert tree(target) == {
        ".gitattributes": EXPECTED[".gitattributes"], "a.txt/b/c.py": b"c\n", "crlf.txt": b"x\ny\n", "d": b"d\n",
        "in": "-> d/run.sh", "latin.txt/x": b"x\n",
    }  # fmt: skip
