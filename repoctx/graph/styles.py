"""Which files does an import mean? One function per import style, over the files of a language family.

A style answers with `Place(node, rest)`: the file or package that the module text leads to, and the
names of it that are no module of their own (`crate::a::Thing` is the file of `a` and ["Thing"]).
None means that the module is not in the repository.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from repoctx.graph.crates import crate
from repoctx.graph.endings import nearest, nearest_of
from repoctx.graph.modules import SOURCE_ROOTS
from repoctx.graph.places import Place, above, ancestors, below, by_distance, first_of, inside, join
from repoctx.graph.projects import MOST_NAMESAKES
from repoctx.graph.scripts import relative

if TYPE_CHECKING:
    from repoctx.graph.modules import Family


_TEST_FOLDER = re.compile(r"(?:.*/)?(?:tests?|testing)(?=/|$)")


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


# --- dotted: Python ----------------------------------------------------------------------------


def dotted(family: Family, path: str, module: str) -> Place | None:
    """`a.b`, `..a`: under a source root of the project, or a folder above the importer that is no package itself."""
    folder = path.rpartition("/")[0]
    name = module.lstrip(".")
    parts = tuple(name.split(".")) if name else ()
    level = len(module) - len(name)
    if level:
        around = ancestors(folder)
        return _dotted_walk(family, around[level - 1], parts) if level <= len(around) else None
    if not parts:
        return None
    for alias in by_distance(folder, family.projects.aliases.get(parts[0], ())):
        if (found := _dotted_walk(family, alias, parts[1:])) is not None:
            return found
    tiers = _python_roots(family, folder, parts[0])
    itself = family.files[path] if parts[0] == path[len(folder) :].strip("/").partition(".")[0] else -1
    asked = (module, itself, *map(tuple, tiers))
    if asked not in family.answers:
        walks = [[_dotted_walk(family, root, parts) for root in roots] for roots in tiers]
        kept = [[p for p in tier if p and len(p.rest) < len(parts) and p.node != itself] for tier in walks]
        family.answers[asked] = _likeliest(kept, family.first)
    return family.answers[asked]


def _likeliest(tiers: Sequence[Sequence[Place]], first: int) -> Place | None:
    """The first place of the project; else of further out, then of elsewhere, where several are rivals.

    Nodes from `first` on are folders without an `__init__`: such a one comes after all modules that may be meant.
    """
    whole = [[place for place in tier if place.node < first] for tier in tiers]
    order = (whole[0][:1], tiers[0][:1], whole[1][:1], whole[2], tiers[1][:1], tiers[2])
    return next((first_of(some) for some in order if some), None)


def _python_roots(family: Family, folder: str, name: str) -> tuple[list[str], list[str], list[str]]:
    """The folders that hold a module of this name and may be on the path, in order.

    Those of the project: around the importer, and the roots of the project. Those around the project. And
    the roots of other projects; where no project accounts for its imports, all that looks like a root.
    """
    holders = family.holders.get(name)
    if holders is None:
        return [], [], []
    around = ancestors(folder)
    known = family.projects.python
    home = next((place for place in around if place in known), None)
    own = around if home is None else [*around[: around.index(home)], *known[home]]
    others = by_distance(folder, holders.sources)
    if home is None or home not in family.projects.strict:
        others += holders.usual
    elif (tests := _TEST_FOLDER.match(folder)) is not None:  # they put folders of their own on the path
        start = bisect_left(holders.packages, tests[0])
        some = holders.packages[start : start + MOST_NAMESAKES]
        others += [root for root in some if inside(tests[0], root) is not None]
    seen: set[str] = set()
    tiers: tuple[list[str], list[str], list[str]] = ([], [], [])
    for tier, roots in zip(tiers, (own, around, others), strict=True):
        tier += [root for root in dict.fromkeys(roots) if root in holders.all and root not in seen]
        seen.update(tier)
    return tiers


def anywhere(family: Family, style: str, module: str) -> bool:
    """Does a module text lead to the same place from every file? Most do: `os`, the project's own package."""
    if style != "dotted" or module.startswith("."):
        return False
    name = module.partition(".")[0]
    holders = family.holders.get(name)
    if holders is None or name in family.projects.aliases:
        return holders is None and name not in family.projects.aliases
    return len(holders.all) == 1 and bool(holders.sources or (holders.usual and not family.projects.strict))


def _dotted_walk(family: Family, root: str, parts: tuple[str, ...]) -> Place | None:
    place = "/".join((root, *parts)).lstrip("/")
    for end in range(len(parts), -1, -1):
        node = family.dotted.get(place)
        if node is not None:
            return Place(node, parts[end:])
        place = place.rpartition("/")[0]
    return None


# --- package: Go, Java, Kotlin, Scala, C#, PHP, Swift ------------------------------------------


def package(family: Family, path: str, module: str) -> Place | None:
    """`a.b.C`, `A\\B\\C`: the file or folder whose path ends so. `example.com/m/a`: see `go_roots`."""
    folder = path.rpartition("/")[0]
    if "/" in module or family.roots:
        return _go(family, folder, module)
    parts = tuple(re.split(r"[.\\:]+", module.strip(".\\")))
    if path.endswith(".php"):
        place = _namespace(family, folder, parts)
        if place is not None or above(family.projects.complete, folder):
            return place
    least = min(len(parts), 2)  # one part alone says too little: `java.util.List` is in no folder `java`
    for drop in (0, 1):  # the first part may be the project's name and no folder
        for end in range(len(parts), max(drop + least - 1, len(parts) - 3), -1):
            if (node := nearest(family.tails, folder, "/".join(parts[drop:end]))) is not None:
                return Place(node, parts[end:])
    under = nearest_of(family.tails, folder, [below(root, parts[-1]) for root in SOURCE_ROOTS])
    return Place(under) if len(parts) == 2 and under is not None else None


def cased(family: Family, path: str, module: str) -> Place | None:
    """`Acme.StoreKeeper` as Elixir and OCaml name files: `acme/store_keeper`, or `store_keeper` in a source root."""
    parts = [_HUMP.sub("_", part).lower() for part in module.split(".")]
    folder = path.rpartition("/")[0]
    node = nearest(family.tails, folder, "/".join(parts))
    if node is None and len(parts) > 1:  # the first part may be the project's name and no folder
        node = nearest_of(family.tails, folder, [below(root, "/".join(parts[1:])) for root in SOURCE_ROOTS])
    return None if node is None else Place(node)


def _go(family: Family, folder: str, module: str) -> Place | None:
    """A package of the module that the importer is in, else of the module with the longest path."""
    own = next((place for place in ancestors(folder) if place in family.roots), None)
    parts = module.split("/")
    for end in range(len(parts), 0, -1):
        prefix = "/".join(parts[:end])
        roots = by_distance(folder, family.prefixes.get(prefix, ()))
        if own is not None and family.roots[own] == prefix:
            roots = [own]
        nodes = [family.packages.get(below(root, "/".join(parts[end:]))) for root in roots]
        if found := first_of([Place(node) for node in nodes if node is not None]):
            return found
    return None


def _namespace(family: Family, folder: str, parts: tuple[str, ...]) -> Place | None:
    """A class or namespace below the folder that composer.json gives its longest prefix."""
    for end in range(len(parts), -1, -1):
        for root in by_distance(folder, family.projects.spaces.get("\\".join(parts[:end]), ())):
            for last in range(len(parts), end, -1):
                place = below(root, "/".join(parts[end:last]))
                node = family.stems.get(place, family.packages.get(place))
                if node is not None:
                    return Place(node, parts[last:])
    return None


# --- include: C, C++ ---------------------------------------------------------------------------


def include(family: Family, path: str, module: str) -> Place | None:
    """`a/b.h` beside the importer, else the nearest path that ends so; `<b.h>` only under a source root."""
    folder = path.rpartition("/")[0]
    name = module.strip('<>"')
    if not module.startswith("<"):
        beside = join(folder, name)
        if beside is not None and beside in family.files:
            return Place(family.files[beside])
    wanted = join("", name.lstrip("./"))
    if not wanted:
        return None
    if module.startswith("<") and "/" not in wanted:
        found = [nearest(family.names, folder, f"{root}/{wanted}") for root in sorted(SOURCE_ROOTS) if root]
        nodes = [family.files.get(wanted), *found]
        paths = {family.paths[node]: node for node in nodes if node is not None}
        return Place(paths[by_distance(folder, paths)[0]]) if paths else None
    node = nearest(family.names, folder, wanted)
    return None if node is None else Place(node)


# --- require: Ruby, Lua, Bash ------------------------------------------------------------------


def require(family: Family, path: str, module: str) -> Place | None:
    """A path without its extension: beside the importer, else under a source root or any folder above."""
    folder = path.rpartition("/")[0]
    name = re.sub(r"^(?:\"?\$[^/]*/)+", "", module).strip("\"'")
    if "/" not in name and not name.endswith((".rb", ".sh", ".bash", ".lua", ".ps1", ".psm1")):
        name = name.replace(".", "/")
    beside = join(folder, name)
    tries = [beside] if beside else []
    if not name.startswith("."):
        tries += [f"{above}/{root}/{name}" for above in ancestors(folder) for root in ("lib", "src", "")]
    for place in tries:
        found = place.replace("//", "/").lstrip("/")
        for node in (family.files.get(found), family.stems.get(found), family.stems.get(f"{found}/init")):
            if node is not None:
                return Place(node)
    node = nearest(family.tails, folder, name) if "/" in name else None
    return None if node is None else Place(node)


STYLES: Mapping[str, Callable[[Family, str, str], Place | None]] = {
    "dotted": dotted,
    "relative": relative,
    "package": package,
    "include": include,
    "crate": crate,
    "require": require,
    "cased": cased,
}
