"""How do lines of ours get into the hooks of a repository, and out again, so that all else in them stays as it was?

A hook that is a shell script has them after its first line: it runs as before, by its own name, with its arguments,
input and exit code. Any other file, a link too, is set aside while a script of ours that calls it stands in its place.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from repoctx.errors import RefusedError, SourceError
from repoctx.serve import show
from repoctx.serve.background import PROGRAM

# After which a work tree differs, and after which a bare repository does.
WORK_TREE_HOOKS = ("post-checkout", "post-commit", "post-merge", "post-rewrite")
BARE_HOOKS = ("post-receive",)
BEGIN, END = b"# >>> repoctx >>>", b"# <<< repoctx <<<"
# How a hook begins that was not there before.
MADE = b"#!/bin/sh\n# Made by `repoctx git-hook install`.\n"
SHELLS = (b"sh", b"bash", b"dash", b"zsh", b"ksh", b"ash")
# What is added to the name of a file that is set aside.
KEPT = ".repoctx-kept"
# For so many minutes a hook believes the word of a process that it is about to begin: one that was killed cannot take
# it back, and its number may be another's by now. To start one too many does no harm.
BELIEVED = 5


class Hooks(NamedTuple):
    """Where the hooks of a repository are."""

    top: str  # of the work tree, or the bare repository
    bare: bool
    folder: Path
    shared: bool  # whether core.hooksPath names the folder

    @property
    def paths(self) -> list[Path]:
        """The hooks that are of use."""
        return [self.folder / name for name in (BARE_HOOKS if self.bare else WORK_TREE_HOOKS)]


class State(NamedTuple):
    """What has become of one hook."""

    hook: str
    state: str  # installed, outdated, missing
    path: str
    other: bool  # whether it does something else as well


def find(path: str) -> Hooks:
    """Where the hooks of a repository are. Raises SourceError for what is no repository."""
    from repoctx.source import git, source_top

    top = source_top(path)
    answer = git.run(top, ["rev-parse", "--is-bare-repository", "--git-common-dir"]) if top else None
    if top is None or answer is None or answer.code:
        raise SourceError(f"{show.plain(path)} is no git repository on this machine: only those have hooks")
    bare, common = os.fsdecode(answer.out.removesuffix(b"\n")).split("\n", 1)
    # Not by `git.run`, which tells git that there are no hooks; this question runs none.
    ask = ["git", "rev-parse", "--git-path", "hooks"]
    asked = subprocess.run(ask, cwd=top, env=git.environment(), capture_output=True, check=False)
    if asked.returncode or not asked.stdout.strip():
        raise SourceError(f"git does not say where the hooks of {show.plain(top)} are ({git.sentence(answer.errors)})")
    folder = Path(top, os.fsdecode(asked.stdout.removesuffix(b"\n")))
    shared = os.path.realpath(folder) != os.path.realpath(os.path.join(top, common, "hooks"))
    return Hooks(top, bare == "true", folder, shared)


def lines(home: str, environment: Mapping[str, str]) -> bytes:
    """The lines that start a run: never waited for, silent, and idle if Python or repoctx is gone.

    A file says which process is about to begin; while there is one and the file is new, no other is started.
    """
    chosen = {"REPOCTX_HOME": home, "REPOCTX_CONFIG": environment.get("REPOCTX_CONFIG", "")}
    named = " ".join(f"{name}={shlex.quote(value)}" for name, value in chosen.items() if value)
    text = f"""{BEGIN.decode()} brings the index up to date, in the background; uninstall: repoctx git-hook uninstall
(
  python={shlex.quote(PROGRAM[0])}
  wanted={shlex.quote(os.path.join(home, "hooks"))}/$(pwd -P | cksum | tr -d ' \\n')
  [ -x "$python" ] || exit 0
  [ -n "$(find "$wanted" -size +0 -mmin -{BELIEVED})" ] && kill -0 "$(cat "$wanted")" && exit 0
  {named} "$python" {shlex.join(PROGRAM[1:])} git-hook run "$wanted" &
  echo "$!" >"$wanted"
) </dev/null >/dev/null 2>&1 || :
{END.decode()}
"""
    return os.fsencode(text)


def add(path: Path, ours: bytes) -> None:
    """Put our lines into a hook. RefusedError if something stands where it would be set aside; OSError."""
    if os.path.lexists(path) and not _is_shell(path):
        kept = path.with_name(path.name + KEPT)
        if os.path.lexists(kept):
            raise RefusedError(f"{show.plain(str(kept))} stands in the way: look whether it is of use, and remove it")
        os.rename(path, kept)
        call = b'if [ -x "$0%b" ]; then exec "$0%b" "$@"; fi\n' % (KEPT.encode(), KEPT.encode())
        _write(path, b"#!/bin/sh\n" + ours + call, 0o755)
        return
    there = path.exists()
    old = path.read_bytes() if there else MADE
    first, line_end, rest = without(old).partition(b"\n")
    new = first + line_end + ours + rest
    if new != old:
        _write(path, new, stat.S_IMODE(path.stat().st_mode) if there else 0o755)


def remove(path: Path) -> None:
    """Take our lines out of a hook: it is again what it was, or not there. OSError."""
    if not path.is_file() or BEGIN not in (old := path.read_bytes()):
        return
    kept = path.with_name(path.name + KEPT)
    if os.path.lexists(kept):
        os.replace(kept, path)
    elif (rest := without(old)) == MADE:
        path.unlink()
    else:
        _write(path, rest, stat.S_IMODE(path.stat().st_mode))


def without(script: bytes) -> bytes:
    """A script without our lines."""
    before, begin, rest = script.partition(BEGIN)
    _, end, after = rest.partition(END + b"\n")
    return before + after if begin and end else script


def _is_shell(path: Path) -> bool:
    """Whether a hook is a shell script that git runs, and nobody else's file behind a link."""
    if path.is_symlink() or not path.is_file() or not os.access(path, os.X_OK):
        return False
    first, line_end, _ = path.read_bytes().partition(b"\n")
    words = first.removeprefix(b"#!").split()
    program = words[1] if len(words) > 1 and words[0].endswith(b"/env") else words[0] if words else b""
    return first.startswith(b"#!") and bool(line_end) and program.rpartition(b"/")[2] in SHELLS


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a hook whole: git may run it meanwhile."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.chmod(mode)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def states(hooks: Hooks, ours: bytes) -> list[State]:
    """What has become of each hook."""
    found = []
    for path in hooks.paths:
        script = path.read_bytes() if path.is_file() else b""
        there = ours in script and os.access(path, os.X_OK)
        state = "installed" if there else "outdated" if BEGIN in script else "missing"
        found.append(State(path.name, state, str(path), bool(script) and without(script) != MADE))
    return found


def refuse_tracked(hooks: Hooks) -> None:
    """Raises RefusedError where a hook is a file of the repository itself: it is everybody's."""
    from repoctx.source import git

    top = os.path.realpath(hooks.top)
    inside = [os.path.relpath(real, top) for p in hooks.paths if (real := os.path.realpath(p)).startswith(top + os.sep)]
    if hooks.bare or not inside:
        return
    answer = git.run(top, ["--literal-pathspecs", "ls-files", "-z", "--", *inside], work_tree=True)
    if tracked := os.fsdecode(answer.out).split("\0")[0]:
        raise RefusedError(
            f"{show.plain(tracked)} is a file of the repository itself and would be changed for everybody: "
            "use `repoctx watch` instead"
        )
