"""Where does the user stand, and what is he likely to want next? `repoctx` without arguments.

It reads what costs milliseconds: the head of git's index, rows of the database, times of files and folders; where a
folder has changed, git says what in it is new. Nothing is written, and nothing of a repository is run.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from repoctx import config
from repoctx.errors import RepoctxError
from repoctx.serve.show import plain
from repoctx.store import glance
from repoctx.store.glance import Seen

# What is said of a first index, as `ingest.estimate` counts: bytes of a source file and bytes a CPU second.
FILE_BYTES, BYTES_PER_SECOND = 8_000, 1_500_000
# Files whose times are looked at: a second of a slow disk. What may be new in their folders, that git is asked about.
MOST_LOOKED, MOST_NEW = 5_000, 1_000
# Tracked files that git lists, before a first index.
MOST_LISTED = 20_000
# How long git may take.
SECONDS = 2
# Repositories that are listed where none is around.
LISTED = 4
# File names in which what matters is seldom found, for an example.
ASIDE = re.compile(r"(^|/)(tests?|docs?|examples?|vendor|node_modules|migrations|scripts|\.[^/]*)(/|$)|test_|__init__")

ENDS = ("", "All commands: `repoctx --help`. The documentation: `repoctx docs`.")


def lines(flags: Mapping[str, Any]) -> tuple[list[str], int]:
    """What is said, line by line, and the exit code."""
    try:
        return [*_here(flags), *ENDS], 0
    except RepoctxError as error:
        said = [f"repoctx cannot work here yet: {error}", "", "`repoctx doctor` looks at everything.", *ENDS]
        return said, error.exit_code


def _here(flags: Mapping[str, Any]) -> list[str]:
    settings = config.load(flags=flags).settings
    known = _known(settings)
    here = Path(os.path.realpath("."))
    for folder in (here, *here.parents):
        around = [one for one in known if one.location == str(folder)]
        if around:
            return _indexed(around[0], settings)
        if os.path.lexists(folder / ".git"):
            return _new(folder, known)
    if known:
        return _elsewhere(known)
    return [
        "Nothing is indexed yet, and this is no repository. Begin with one:",
        "  repoctx index PATH_OR_URL                 a folder, a git repository or a clone URL",
        '  repoctx search "where is X decided?" --repo NAME',
        '  repoctx pack --task "fix Y" --repo NAME   a prompt of all that matters for Y',
    ]


def _known(settings: config.Settings) -> list[Seen]:
    """The repositories that are indexed. Raises RepoctxError for a home or a database that cannot be used."""
    home, url = Path(settings.home), settings.database_url
    if not _writable(home):
        from repoctx.errors import StorageError
        from repoctx.serve.doctor import home_problem

        if problem := home_problem(home):
            raise StorageError(problem)
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists():
            return []
        try:
            return glance.repositories(path)
        except (sqlite3.Error, TypeError, ValueError):
            pass  # of an older schema, or damaged: what follows brings it up to date, or says what is wrong
    import sqlalchemy as sa

    from repoctx.store.connect import connect, errors

    engine = connect(url)
    try:
        with errors(engine), engine.connect() as connection:
            rows = connection.execute(sa.text(glance.QUERY)).all()
    finally:
        engine.dispose()
    return [glance.seen(row) for row in rows]


def _writable(home: Path) -> bool:
    """Whether a home can be written to, or, where there is none, the nearest folder above it."""
    above = next(folder for folder in (home, *home.parents) if os.path.lexists(folder))
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)


# --- in a repository that is indexed -----------------------------------------------------------


def _indexed(one: Seen, settings: config.Settings) -> list[str]:
    report = one.report
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    looked = settings.database_url.startswith("sqlite:///")
    files = glance.files(path, one.snapshot) if looked else []
    main = max(report["languages"], key=lambda name: (report["languages"][name], name), default="")
    # What is near the top is more often what all else rests on.
    telling = sorted((held for held in files if held[2] == main and not ASIDE.search(held[0])), key=_depth)
    name = glance.symbol(path, telling) if telling else None
    sizes = f"{report['files']:,} files, {report['symbols']:,} symbols, {report['tokens']:,} tokens"
    said = [f"{plain(one.name)} is indexed: {plain(one.ref)}, {sizes}."]
    if one.pending:
        said.append("Vectors are still to be made: `repoctx status` says how far they are.")
    said.append(_freshness(one, [held[0] for held in files] if looked else None))
    shown = plain(name) if name else "NAME"
    rows = [
        (f'repoctx search "how does {shown} work?"' if name else 'repoctx search "where is X decided?"', "find places"),
        (f"repoctx callers {shown}", "who calls it, and through whom"),
        (f'repoctx pack --task "change {shown}" --budget 60k' if name else 'repoctx pack --task "fix Y" --budget 60k',
         "a prompt of all that matters for it"),
    ]  # fmt: skip
    return [*said, *_table(rows)]


def _depth(held: tuple[str, str, str]) -> int:
    return held[0].count("/")


def _freshness(one: Seen, files: Sequence[str] | None) -> str:
    """Whether the work tree has changed since, as far as a look at times tells; `files` are None if nobody looks."""
    folder = Path(one.location)
    if not folder.is_dir():
        return f"Its folder {plain(one.location)} is gone: the index still answers."
    at = datetime.fromisoformat(one.indexed_at)
    ago = _ago(datetime.now(UTC) - at)
    commit = _head(folder)
    if news := _news(one, commit, files):
        return f"It was indexed {ago}{news}: `repoctx index .` brings it up to date."
    if files is None:
        there = ", at the commit that is checked out" if one.commit and commit else ""
        return f"It was indexed {ago}{there}; its files were not looked at: `repoctx index .` brings it up to date."
    by = f", by its first {MOST_LOOKED:,} files" if len(files) > MOST_LOOKED else ""
    return f"It was indexed {ago}, and seems up to date{by}; `repoctx watch` keeps it so."


def _news(one: Seen, commit: str | None, files: Sequence[str] | None) -> str:
    """What shows that a folder, at a commit, is not as it was indexed; "" where nothing does."""
    folder, since = Path(one.location), datetime.fromisoformat(one.indexed_at).timestamp() + 1
    if one.commit and commit and commit != one.commit:
        return ", at another commit than is checked out"
    if files is None:
        return ""
    if touched := sum(_touched(folder / file, since) for file in files[:MOST_LOOKED]):
        return f"; {f'{touched:,} of its files have' if touched > 1 else 'a file has'} changed since"
    if new := _kept(folder, list(islice(_new_names(folder, files, since), MOST_NEW))):
        return f"; {f'{new:,} files or folders are' if new > 1 else 'a file or folder is'} new since"
    return ""


def _bare(folder: Path) -> bool:
    """Whether a folder holds a repository's objects and not its files."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def stale(settings: config.Settings, repository: str) -> bool:
    """Whether a look at a repository's folder shows that it is not as it was indexed; a look at SQLite alone tells."""
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    if not settings.database_url.startswith("sqlite:///"):
        return False
    with suppress(sqlite3.Error, TypeError, ValueError):
        for one in glance.repositories(path):
            if one.name == repository and os.path.isdir(one.location) and not _bare(Path(one.location)):
                files = [held[0] for held in glance.files(path, one.snapshot)]
                return bool(_news(one, _head(Path(one.location)), files))
    return False


def _new_names(folder: Path, files: Sequence[str], since: float) -> Iterator[str]:
    """What may have come into the folders of some files: those that have changed are read, and no others."""
    folders = {""}
    for above in map(os.path.dirname, files):
        while above not in folders:
            folders.add(above)
            above = os.path.dirname(above)
    known = {".git", *files, *folders}
    for name in sorted(folders)[:MOST_LOOKED]:
        if _touched(folder / name, since):
            with suppress(OSError), os.scandir(folder / name) as entries:
                for entry in entries:
                    path = os.path.join(name, entry.name)
                    if path not in known and entry.stat(follow_symlinks=False).st_ctime > since:
                        yield path


def _kept(folder: Path, names: Sequence[str]) -> int:
    """How many of some files and folders are new to git, and not ignored; all of them where there is no git."""
    if not names or not os.path.lexists(folder / ".git"):
        return len(names)
    found: list[str] = []
    for ask in (
        ("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory"),
        ("diff", "-z", "--cached", "--name-only", "--no-renames", "--diff-filter=A"),
    ):
        said = _git(folder, "--literal-pathspecs", *ask, "--", *names)
        if said is None:
            return len(names)
        found += os.fsdecode(said).split("\0")
    return sum(any(f"{one}/".startswith(f"{name}/") for one in found) for name in names)


def _touched(path: Path, since: float) -> bool:
    try:
        return path.lstat().st_mtime > since
    except OSError:
        return True


def _head(folder: Path) -> str | None:
    """The commit that is checked out, None where git does not tell. No object is read for it, so none is fetched."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or "CONFIG" in name}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), "rev-parse", "--verify", "-q", "HEAD"]
    try:
        done = subprocess.run(command, env=kept, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode().strip() or None


def _git(folder: Path, *ask: str) -> bytes | None:
    """What git says of a folder, None where it does not tell. It runs nothing, and asks no server."""
    from repoctx.source import git

    try:
        answer = git.run(str(folder), ask, work_tree=True, seconds=SECONDS)
    except (RepoctxError, OSError):
        return None
    return None if answer.code else answer.out


def _ago(time: timedelta) -> str:
    minutes = max(0, round(time.total_seconds() / 60))
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


# --- elsewhere ---------------------------------------------------------------------------------


def _new(folder: Path, known: Sequence[Seen]) -> list[str]:
    files = _worth_reading(folder)
    took = "" if files is None else f", some {files:,} files, about {_time(files)} on one core"
    rows = [
        ("repoctx index .", "index it; later runs read only what has changed"),
        ("repoctx index . --dry-run", "say first what would be indexed and left out"),
        ('repoctx search "where is X decided?"', "then ask"),
    ]
    said = [f"{plain(str(folder))} is not indexed{took}:", *_table(rows)]
    return [*said, *([f"Indexed are {_names(known)}: name one with --repo."] if known else [])]


def _worth_reading(folder: Path) -> int | None:
    """How many files git tracks whose paths do not show that they are left out; of many that is not looked at."""
    many = _tracked(folder / ".git")
    said = None if many is None or many > MOST_LISTED else _git(folder, "ls-files", "-z")
    if said is None:
        return many
    from repoctx.source.filter import path_skip

    return sum(path_skip(path) is None for path in os.fsdecode(said).split("\0"))


def _tracked(marker: Path) -> int | None:
    """How many files git tracks, from the head of its index; None where it does not tell."""
    try:
        if marker.is_file():  # a linked work tree
            named = marker.read_text(encoding="utf-8", errors="surrogateescape")[:5000]
            marker = marker.parent / named.removeprefix("gitdir:").strip()
        with (marker / "index").open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError):
        return None
    return int.from_bytes(head[8:12]) if head[:4] == b"DIRC" and len(head) == 12 else None


def _time(files: int) -> str:
    seconds = 1 + files * FILE_BYTES / BYTES_PER_SECOND
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _elsewhere(known: Sequence[Seen]) -> list[str]:
    first = plain(known[0].name)
    rows = [(plain(one.name), plain(one.location)) for one in known[:LISTED]]
    more = [f"  and {len(known) - LISTED:,} more: `repoctx status` lists them"] if len(known) > LISTED else []
    asks = [
        (f'repoctx search "where is X decided?" --repo {first}', "ask one; --all asks every one"),
        ("repoctx index PATH_OR_URL", "index another"),
    ]
    return ["This is no repository. Indexed are:", *_table(rows), *more, "", *_table(asks)]


def _names(known: Sequence[Seen]) -> str:
    names = [plain(one.name) for one in known[:LISTED]]
    return ", ".join(names) + (f" and {len(known) - LISTED:,} more" if len(known) > LISTED else "")


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(command) for command, _ in rows)
    return [f"  {command:{width}}  {said}" for command, said in rows]
