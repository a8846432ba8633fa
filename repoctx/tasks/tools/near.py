"""What is there, when what was asked for is not? Paths and names like the one that nothing has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from repoctx import tokens
from repoctx.errors import NotFoundError
from repoctx.graph.symbols import closest
from repoctx.tasks.packing import Source

# Names that are told, and how much of them is as it was written.
MOST_TOLD, ALIKE = 8, 0.6


def file_number(source: Source, given: str) -> int:
    """The number of the file that a path means. Raises NotFoundError, which tells paths like it."""
    known = source.loaded.file_numbers
    bare = given.removeprefix("./").removeprefix("/")
    for path in (given, bare, bare.removeprefix(f"{source.origin.repository}/")):
        if path in known:
            return known[path]
    if tokens.BREAK in given:  # as an answer has shown it
        for path, number in known.items():
            if tokens.neutralise(path) == given:
                return number
    folder = bare.rstrip("/") + "/"
    inside = [path for path in known if path.startswith(folder)]
    if inside:
        raise NotFoundError(f"{bare} is a folder, with {len(inside):,} files: {listed(inside)}")
    raise NotFoundError(
        f"no file is {given!r}: {_like(paths_like(known, bare), 'search finds files by what they say')}"
    )


def paths_like(known: Iterable[str], path: str) -> list[str]:
    """Paths of files of the same name, or of one like it."""
    by_name: dict[str, list[str]] = {}
    for one in known:
        by_name.setdefault(one.rpartition("/")[2].lower(), []).append(one)
    name = path.rpartition("/")[2].lower()
    names = [name] if name in by_name else closest(name, by_name, MOST_TOLD, ALIKE)
    return [one for found in names for one in by_name[found]]


def no_symbol(source: Source, name: str) -> NotFoundError:
    """The error that tells names like one that no symbol has."""
    o = source.loaded.graph.occurrences
    bare = name.removesuffix("()").rpartition(".")[2].rpartition("#")[2].rpartition("::")[2]
    every = [o.names[row] for row in np.unique(o.symbol_name).tolist()]
    wanted = bare.lower()
    same = [one for one in every if one.lower() == wanted]
    inside = [one for one in every if wanted and wanted in one.lower()]
    told = _like(same or inside or closest(bare, every, MOST_TOLD, ALIKE), "search looks in the text")
    return NotFoundError(f"no symbol or file is called {name!r}: {told}")


def _like(found: Sequence[str], otherwise: str) -> str:
    return f"there is {listed(found)}; {otherwise}" if found else f"nothing has a name like it; {otherwise}"


def listed(found: Sequence[str]) -> str:
    """The first of some names."""
    more = len(found) - MOST_TOLD
    return ", ".join(found[:MOST_TOLD]) + (f" and {more:,} more" if more > 0 else "")
