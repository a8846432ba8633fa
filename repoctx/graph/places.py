"""How do places lie to each other? Folders around a folder, paths seen from it, the nearest of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from repoctx.graph.layout import TEST_FOLDER, copy_of

T = TypeVar("T")


class Place(NamedTuple):
    """Where a module is: a node, and the names to look up from there."""

    node: int
    rest: tuple[str, ...] = ()
    rivals: tuple[int, ...] = ()  # nodes that it may as well be, where nothing decides


def first_of(places: Sequence[Place]) -> Place | None:
    """The first of several places, with the others as its rivals."""
    if not places:
        return None
    others = dict.fromkeys(place.node for place in places[1:])
    others.pop(places[0].node, None)
    return places[0]._replace(rivals=tuple(others))


def join(folder: str, path: str) -> str | None:
    """`path` as seen from a folder, with `.` and `..` followed; None if it leaves the repository."""
    parts = folder.split("/") if folder else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def below(folder: str, name: str) -> str:
    """A path inside of a folder, which may be "" for the root."""
    return f"{folder}/{name}".strip("/")


def inside(folder: str, path: str) -> str | None:
    """What of a path comes after a folder that it lies in or is; None if it does not."""
    if not folder or path == folder:
        return path[len(folder) :]
    return path[len(folder) + 1 :] if path.startswith(folder + "/") else None


def ancestors(folder: str) -> list[str]:
    """The folder and all those around it, innermost first, "" last."""
    found = [folder]
    while folder:
        folder = folder.rpartition("/")[0]
        found.append(folder)
    return found


def above(found: Mapping[str, T], folder: str) -> T | None:
    """What is known of the folder, or of the innermost folder around it of which anything is."""
    return next((found[place] for place in ancestors(folder) if place in found), None)


def by_distance(folder: str, places: Iterable[str]) -> list[str]:
    """Paths, first those that share most of the folder; then the shorter, then in order.

    Tests come last for a folder that holds none, and so do vendored copies for a folder outside of them.
    """
    parts = folder.split("/") if folder else []
    copy, test = copy_of(folder), bool(TEST_FOLDER.search(folder))

    def rank(place: str) -> tuple[bool, int, int, str]:
        strange = copy_of(place) not in ("", copy) or (not test and bool(TEST_FOLDER.search(place)))
        theirs = place.split("/") if place else []
        shared = 0
        while shared < min(len(parts), len(theirs)) and parts[shared] == theirs[shared]:
            shared += 1
        return strange, -shared, len(theirs), place

    return sorted(places, key=rank)
