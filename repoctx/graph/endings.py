"""Which path ends so, and is the nearest? Paths by their last parts.

Thousands of files may have one name, and each may be asked for from thousands of folders: what is known of one
ending is kept by the folders around its paths, so that an answer costs the depth of a folder.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from repoctx.graph.layout import TEST_FOLDER, copy_of
from repoctx.graph.places import ancestors, by_distance

# (vendored copy or "", is it a test?) -> folder -> the shortest path in it; None: all paths together.
_Around = Mapping[tuple[str, bool] | None, Mapping[str, str]]


class Endings(NamedTuple):
    """Paths with their nodes."""

    nodes: Mapping[str, int]
    turned: Sequence[str]  # the paths with their parts in reverse order and `/` at the end, sorted
    known: dict[str, _Around]  # what was asked before


def endings(choices: Iterable[tuple[str, int]]) -> Endings:
    """Index paths; of several nodes at one path the first counts."""
    nodes: dict[str, int] = {}
    for path, node in choices:
        nodes.setdefault(path, node)
    return Endings(nodes, sorted(map(_turned, nodes)), {})


def nearest(paths: Endings, folder: str, wanted: str) -> int | None:
    """The node of the path that is `wanted` or ends in it and is nearest to a folder, as `by_distance` has it."""
    if wanted not in paths.known:
        paths.known[wanted] = _around(paths, wanted)
    around = paths.known[wanted]
    tests = (False, True) if TEST_FOLDER.search(folder) else (False,)
    own = [(copy, test) for copy in dict.fromkeys(("", copy_of(folder))) for test in tests]
    for kinds in (own, [None]):
        shorter = [around[kind] for kind in kinds if kind in around]
        for place in ancestors(folder) if shorter else ():
            if found := [best[place] for best in shorter if place in best]:
                return paths.nodes[min(found, key=_length)]
    return None


def nearest_of(paths: Endings, folder: str, places: Iterable[str]) -> int | None:
    """The node of the nearest of some paths, of those that there are."""
    found = by_distance(folder, [place for place in places if place in paths.nodes])
    return paths.nodes[found[0]] if found else None


def _around(paths: Endings, wanted: str) -> _Around:
    """The paths that end so, by what kind of folder they are in and by the folders around them."""
    start = _turned(wanted)
    around: dict[tuple[str, bool] | None, dict[str, str]] = {}
    at = bisect_left(paths.turned, start)
    while at < len(paths.turned) and paths.turned[at].startswith(start):
        path = _turned(paths.turned[at][:-1])[:-1]
        for kind in (None, (copy_of(path), bool(TEST_FOLDER.search(path)))):
            best = around.setdefault(kind, {})
            for place in ancestors(path):
                best[place] = min(best.get(place, path), path, key=_length)
        at += 1
    return around


def _length(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _turned(path: str) -> str:
    return "/".join(reversed(path.split("/"))) + "/"
