"""Where is a proposal tried out? In a copy of the snapshot, by a command that reaches nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
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
from repoctx.tasks import sandbox
from repoctx.tasks.proposal import Proposal

MOST_OUTPUT = 60_000  # bytes of a command's output that are kept: its end
STOP_SECONDS = 0.2  # how often it is asked whether to stop
END_SECONDS = 10.0  # that the kernel is given to end many processes
# Where people keep what opens doors, below their home.
SECRET_PLACES = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".config/repoctx",
    ".config/git", ".netrc", ".git-credentials", ".gitconfig", ".pypirc", ".npmrc", ".cargo/credentials.toml",
    ".m2/settings.xml", ".password-store", ".local/share/keyrings", ".mozilla", ".config/chromium",
    ".config/google-chrome", ".bash_history", ".zsh_history", ".claude", ".qwen", ".codex",
)  # fmt: skip
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

    Raises RefusedError where git does not take the diff.
    """
    area = Path(tempfile.mkdtemp(prefix="repoctx-scratch-")).resolve()
    try:
        folder = area / "tree"
        for name in ("tree", "home", "root"):
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


def _remove(area: Path) -> None:
    """Delete a folder, whatever a command has made of it."""
    for folder, names, _ in os.walk(area):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(area, ignore_errors=True)


def run(
    folder: Path, command: str, seconds: int, memory_bytes: int, stop: Callable[[], bool], hide: Sequence[Path] = ()
) -> Ran:
    """Run a command of the user's with `sh -c` in a folder of `scratch`, apart from all else.

    It has no network, sees the file system read-only and neither `hide` nor places of secrets, and has a /tmp and a
    home of its own. `stop` is asked five times a second; true ends the command.
    Raises RefusedError where the kernel allows no such thing: nothing is ever run without it.
    """
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    (folder.parent / "root").mkdir(exist_ok=True)
    asked = {
        "command": command, "folder": str(folder), "root": str(folder.parent / "root"), "own": [str(folder), str(home)],
        "hide": _hidden(hide), "memory": memory_bytes, "seconds": seconds,
        "environment": {
            "PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": "/tmp",
        },
    }  # fmt: skip
    began = time.monotonic()
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", sandbox.__file__, json.dumps(asked), str(writing)],
            cwd=folder, env={}, pass_fds=[writing], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
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


def _hidden(hide: Sequence[Path]) -> list[str]:
    """What the command is not to see, as it really lies; outer places first, inner ones left out."""
    homes = {os.path.expanduser("~"), "/root"}
    places = [*hide, *(Path(home, name) for home in sorted(homes) for name in SECRET_PLACES)]
    real = sorted({os.path.realpath(place) for place in places if os.path.lexists(place)})
    return [path for path in real if path != "/" and not any(path.startswith(f"{other}/") for other in real)]


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
