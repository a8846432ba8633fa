"""Where is a proposal tried out? In a copy of the snapshot, by a command that reaches nothing else."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from repoctx.errors import RefusedError
from repoctx.source import git
from repoctx.tasks import hidden, sandbox
from repoctx.tasks.proposal import Proposal

MOST_OUTPUT = 60_000  # bytes of a command's output that are kept: its end
STOP_SECONDS = 0.2  # how often it is asked whether to stop
END_SECONDS = 10.0  # that the kernel is given to end many processes
NAME = "repoctx-scratch-"
OLD_SECONDS = 60.0  # after which a folder that nobody holds is left over
_PLAIN = ("-c", "core.autocrlf=false", "-c", "core.attributesFile=/dev/null", "-c", "apply.whitespace=nowarn")


class Ran(NamedTuple):
    """What became of a command."""

    command: str
    code: int | None  # its exit status, -N where signal N ended it; None where it was ended
    seconds: float
    output: str  # of both streams, the end of it
    ended: str  # "exit", "signal", or for what it was ended: "time", "memory", "processes", "disk", "stopped"


@contextmanager
def scratch(checkout: Callable[[Path], None], proposal: Proposal) -> Iterator[Path]:
    """A folder with what `checkout` writes and the proposal made in it. It is removed in the end, whatever happens.

    Those that processes left which were killed are removed first.
    Raises RefusedError where git does not take the diff.
    """
    _remove_left()
    area = Path(tempfile.mkdtemp(prefix=NAME)).resolve()
    held = os.open(area, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        folder = area / "tree"
        for name in ("tree", "home", "root", "room"):
            (area / name).mkdir()
        checkout(folder)
        for check in (["--check"], []):
            if proposal.diff:
                answer = git.run(str(folder), [*_PLAIN, "apply", *check, "-"], stdin=proposal.diff.encode())
                if answer.code:
                    raise RefusedError(f"git does not take the diff: {git.sentence(answer.errors)}.")
        for change in proposal.changes:  # where attributes of the repository ask for other line ends
            if change.after is not None and (path := folder / change.path).read_bytes() != change.after.encode():
                path.write_bytes(change.after.encode())
        yield folder
    finally:
        _remove(area)
        os.close(held)


def _remove(area: Path) -> None:
    """Delete a folder, whatever a command has made of it: these programs go as deep as it may be."""
    for words in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        with contextlib.suppress(OSError):
            subprocess.run([*words, "--", area], stdin=subprocess.DEVNULL, capture_output=True)


def _remove_left() -> None:
    """Delete the folders of processes of this user that are gone: nobody holds a lock on them."""
    for area in Path(tempfile.gettempdir()).glob(f"{NAME}*"):
        with contextlib.suppress(OSError):
            held = os.open(area, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                found = os.fstat(held)
                if found.st_uid == os.geteuid() and time.time() - found.st_mtime > OLD_SECONDS:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(area)
            finally:
                os.close(held)


def run(
    folder: Path, command: str, seconds: int, memory_bytes: int, stop: Callable[[], bool], hide: Sequence[Path] = ()
) -> Ran:
    """Run a command of the user's with `sh -c` in a folder of `scratch`, apart from all else.

    It has no network, sees the file system read-only and neither `hide` nor homes (but for programs in them), and has
    a /tmp and a home of its own. `stop` is asked five times a second; true ends the command.
    Raises RefusedError where the kernel allows no such thing: nothing is ever run without it.
    """
    home, root, room = (folder.parent / name for name in ("home", "root", "room"))
    path = os.environ.get("PATH", os.defpath)
    asked = {
        "command": command, "folder": str(folder), "root": str(root), "room": str(room),
        "own": [str(folder), str(home)], "places": hidden.places(hide, path), "memory": memory_bytes,
        "seconds": seconds,
        "environment": {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": "/tmp", **_toolchains()},
    }  # fmt: skip
    began = time.monotonic()
    reading, writing = os.pipe()
    try:
        with tempfile.TemporaryFile() as file:  # an argument may be too long
            file.write(json.dumps(asked).encode())
            file.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", sandbox.__file__, str(writing)],
                cwd=folder, env={}, pass_fds=[writing], start_new_session=True,
                stdin=file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
    finally:
        os.close(writing)
    try:
        ended, output = _follow(process, reading, began + seconds, stop)
        said = _report(reading)
    finally:
        _end(process)
        os.close(reading)
    took = round(time.monotonic() - began, 3)
    if ended:
        return Ran(command, None, took, output, ended)
    if "ended" not in said:
        why = said.get("refused") or output.strip()[-300:] or "it ended at once"
        raise RefusedError(
            f"The test command cannot be run apart from this machine ({why}), and is not run without that: let this "
            "user make user namespaces (Linux 5.12 or newer; kernel.unprivileged_userns_clone=1, "
            "kernel.apparmor_restrict_unprivileged_userns=0), or leave the test command out."
        )
    return Ran(command, said["code"], took, output, said["ended"])


def _toolchains() -> dict[str, str]:
    """Where programs find themselves that look below the home, which is another one here."""
    rust = os.environ.get("RUSTUP_HOME") or os.path.expanduser("~/.rustup")
    return {"RUSTUP_HOME": rust} if os.path.isdir(rust) else {}


def _follow(process: subprocess.Popen[bytes], report: int, until: float, stop: Callable[[], bool]) -> tuple[str, str]:
    """Read what a process says until it reports: why it was ended before ("" if it was not), and the end of that."""
    assert process.stdout is not None
    kept, size, why = bytearray(), 0, ""
    with selectors.DefaultSelector() as selector:
        said = selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(report, selectors.EVENT_READ)
        open_still, reported = True, False
        while open_still or not reported:
            why = "time" if time.monotonic() >= until else "stopped" if stop() else ""
            if why:
                break
            ready = [key for key, _ in selector.select(STOP_SECONDS)]
            if said in ready:
                piece = os.read(process.stdout.fileno(), 1 << 16)
                size += len(piece)
                kept += piece
                del kept[:-MOST_OUTPUT]
                if not piece:
                    open_still = False
                    selector.unregister(process.stdout)
            elif ready:  # what was said before is read by now
                reported = True
                selector.unregister(report)
    text = kept.decode("utf-8", "replace")
    return why, f"[{size - len(kept):,} bytes before are left out]\n{text}" if size > len(kept) else text


def _report(descriptor: int) -> dict[str, Any]:
    """What the sandbox wrote down; nothing if it was ended."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError, ValueError):
        found = json.loads(os.read(descriptor, 10_000))
        return found if isinstance(found, dict) else {}
    return {}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the sandbox: with its first process the kernel ends all the others. This waits until they have."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()
