"""What of this machine does a test command not see? All homes but for the programs in them, and what a caller names."""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# What is shown of a home: programs, and packages that were fetched. No settings, which hold what opens doors.
TOOLS = (
    ".local/bin", ".local/lib", ".local/pipx/venvs", ".local/share/pipx/venvs", ".local/share/uv/python",
    ".local/share/uv/tools", ".local/share/mise/installs", ".local/share/fnm", ".local/share/pnpm", ".pyenv",
    "miniconda3", "miniforge3", "mambaforge", "anaconda3", ".conda/envs", ".nvm", ".volta", ".nodenv", ".npm-global",
    ".bun/bin", ".deno/bin", ".asdf/installs", ".asdf/shims", ".rbenv", ".rvm", ".gem/ruby", ".cargo/bin",
    ".cargo/registry", ".cargo/git", ".rustup", ".goenv", "go/bin", "go/pkg", "sdk", ".sdkman/candidates",
    ".m2/repository", ".m2/wrapper", ".gradle/wrapper", ".gradle/caches", ".ivy2/cache", ".sbt/boot",
    ".cache/coursier", ".cache/ms-playwright", ".nuget/packages", ".dotnet", ".ghcup", ".opam", ".juliaup", ".elan",
)  # fmt: skip
_ALL_HOMES = ("/home", "/root")
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/etc/", "/dev/", "/proc/", "/sys/", "/nix/")
_MOST_LINKS = 10  # that lead from one to the next


class Place(NamedTuple):
    """A file or folder, and whether it is hidden, or shown within one that is."""

    path: str
    hidden: bool


def places(hide: Iterable[Path], path: str) -> list[Place]:
    """What is hidden and, in that, shown, as it really lies: outer places first, each unlike the one around it.

    `path` is the PATH of the command. Where both are asked for the same place, it is hidden.
    """
    homes = set(_homes())
    wanted = {os.path.realpath(place) for place in hide if os.path.lexists(place)} - {"/"} | homes
    shown = {place for each in _shown(homes, wanted, path) for place in _way(each) if os.path.lexists(place)}
    shown = {place for place in shown if not any(f"{home}/".startswith(f"{place.rstrip('/')}/") for home in homes)}
    found: list[Place] = []
    around: list[Place] = []
    for each in sorted(shown | wanted, key=lambda each: each.split("/")):
        while around and not each.startswith(f"{around[-1].path}/"):
            around.pop()
        place = Place(each, each in wanted)
        if place.hidden != (bool(around) and around[-1].hidden):
            found.append(place)
            around.append(place)
    return found


def _homes() -> Iterator[str]:
    """Where people keep what is theirs. Of a home that holds the system itself it is what begins with a dot."""
    found = [*_ALL_HOMES, os.path.expanduser("~")]
    with contextlib.suppress(KeyError):  # a user without a name, as in a container
        found.append(pwd.getpwuid(os.geteuid()).pw_dir)
    for home in {os.path.realpath(one) for one in found if os.path.isdir(one)}:
        around = home.rstrip("/") + "/"
        if any(one.startswith(around) or around.startswith(one) for one in _SYSTEM):
            yield from (os.path.join(home, name) for name in os.listdir(home) if name.startswith("."))
        else:
            yield home


def _shown(homes: Iterable[str], wanted: Iterable[str], path: str) -> Iterator[str]:
    """What programs need: those on the PATH with what these lead to, this Python, and `TOOLS`."""
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix)
    within = tuple(f"{place}/" for place in wanted)
    people = [os.path.expanduser("~"), *homes]
    yield from (os.path.join(home, name) for home in people for name in TOOLS)
    for folder in {*path.split(os.pathsep), os.path.dirname(os.path.realpath(sys.executable))}:
        if not os.path.isabs(folder) or not os.path.isdir(folder):
            continue
        yield _program(folder, "")
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink() and (real := os.path.realpath(entry.path)).startswith(within):
                    yield entry.path
                    yield _program(os.path.dirname(real), entry.name)


def _program(folder: str, name: str) -> str:
    """What a program in a folder needs: of Python all that is installed with it."""
    above = os.path.dirname(folder)
    whole = name.startswith("python") or os.path.exists(os.path.join(above, "pyvenv.cfg"))
    return above if whole and os.path.basename(folder) == "bin" else folder


def _way(path: str, most: int = _MOST_LINKS) -> Iterator[str]:
    """The symbolic links that lead to a place, and where it lies."""
    place = Path(os.path.abspath(path))
    for above in (place, *place.parents):
        if most and above.is_symlink():
            folder = os.path.realpath(above.parent)
            yield os.path.join(folder, above.name)
            yield from _way(os.path.join(folder, os.readlink(above), place.relative_to(above)), most - 1)
            return
    yield str(place)
