"""Which modules are there? The files and packages of each language family, indexed for imports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from repoctx.graph.layout import Layout


class Place(NamedTuple):
    """Where a module is: a node, and the names to look up from there."""

    node: int
    rest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """The files of one language family."""

    files: Mapping[str, int]  # path -> node
    stems: Mapping[str, int]  # path without its extension -> node; the shorter extension wins
    packages: Mapping[str, int]  # folder -> node
    tails: Mapping[str, Sequence[tuple[str, int]]]  # last part -> dotless stems and folders that end in it
    names: Mapping[str, Sequence[tuple[str, int]]]  # file name -> paths
    parents: Mapping[str, Sequence[str]]  # name of a file's stem or of a folder -> folders that hold it
    inits: frozenset[str]  # folders with an __init__ file
    workspaces: frozenset[str]  # folders with a package.json
    roots: Mapping[str, str]  # Go: folder of a module -> its import path
    dotted: Mapping[str, int]  # module path -> its package's `__init__`, its file, or the bare folder
    answers: dict[tuple[str, ...], Place | None]  # dotted: what was found before


_VERSION = re.compile(r"^v\d+$")


def families(where: Layout, paths: Sequence[str], imported: Mapping[str, Sequence[str]]) -> dict[str, Family]:
    """Index the paths of each family. `imported` has the module texts of each family's imports."""
    members: dict[str, dict[str, int]] = {}
    for row, (family, style, path) in enumerate(zip(where.families, where.styles, paths, strict=True)):
        if style:
            members.setdefault(family, {})[path] = where.symbols + row
    packages: dict[str, dict[str, int]] = {family: {} for family in members}
    for (family, folder), node in where.packages.items():
        if family in members:
            packages[family][folder] = node
    manifests: dict[str, set[str]] = {"package.json": set(), "go.mod": set()}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name in manifests:
            manifests[name].add(folder)
    found = {}
    for family, files in members.items():
        roots: dict[str, str] = {}
        if family == "go":
            roots = go_roots(packages[family], files, sorted(manifests["go.mod"]), imported.get(family, ()))
        found[family] = _family(files, packages[family], frozenset(manifests["package.json"]), roots)
    return found


def _family(
    files: Mapping[str, int],
    packages: Mapping[str, int],
    workspaces: frozenset[str],
    roots: Mapping[str, str],
) -> Family:
    stems: dict[str, int] = {}
    tails: dict[str, list[tuple[str, int]]] = {}
    names: dict[str, list[tuple[str, int]]] = {}
    parents: dict[str, set[str]] = {}
    for path in sorted(files, key=lambda p: (len(p), p)):
        stems.setdefault(stem(path), files[path])
        names.setdefault(path.rpartition("/")[2], []).append((path, files[path]))
    for place, node in [*stems.items(), *packages.items()]:
        dotless = place.replace(".", "/")
        tails.setdefault(dotless.rpartition("/")[2], []).append((dotless, node))
    for place in [*stems, *packages, *workspaces]:
        folder, _, name = place.rpartition("/")
        parents.setdefault(name, set()).add(folder)
    holders = {name: sorted(found) for name, found in parents.items()}
    inits = frozenset(holders.get("__init__", ()))
    dotted = {**packages, **stems, **{folder: stems[f"{folder}/__init__".lstrip("/")] for folder in inits}}
    return Family(files, stems, packages, tails, names, holders, inits, workspaces, roots, dotted, {})


def children(family: Family, style: str) -> list[tuple[int, str, int]]:
    """The modules inside packages and modules: (node, name, node of the module by that name)."""
    found = []
    if style == "dotted":
        places = {place.removesuffix("/__init__") for place in family.stems} | set(family.packages)
        for place in sorted(places - {"", "__init__"}):
            folder, _, name = place.rpartition("/")
            found.append((family.dotted.get(folder), name, family.dotted.get(place)))
    elif style == "crate":
        for path, node in family.files.items():
            folder, _, name = stem(path).rpartition("/")
            if name == "mod":
                folder, _, name = folder.rpartition("/")
            if name not in ("lib", "main"):
                parent = crate_root(family, folder)
                found.append((rust_module(family, folder) if parent is None else parent, name, node))
    return [(a, name, b) for a, name, b in found if a is not None and b is not None]


def stem(path: str) -> str:
    """A path without the extensions of its last part: `a/b.d.ts` -> `a/b`."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name[:1] + name[1:].partition(".")[0])


def crate_root(family: Family, folder: str) -> int | None:
    """The root file of the crate whose sources lie in a folder."""
    place = f"{folder}/".lstrip("/")
    return family.stems.get(f"{place}lib", family.stems.get(f"{place}main"))


def rust_module(family: Family, place: str) -> int | None:
    """The file of a module path."""
    place = place.lstrip("/")
    return family.stems.get(place, family.stems.get(f"{place}/mod"))


def go_roots(
    packages: Mapping[str, int], files: Mapping[str, int], modules: Sequence[str], imported: Sequence[str]
) -> dict[str, str]:
    """For each folder with a go.mod the import path that imports of its packages agree on most, or ""."""
    roots = {}
    for root in modules or ("",):
        votes: dict[str, int] = {}
        own = {stem(path).rpartition("/")[2] for path in files if path.rpartition("/")[0] == root}
        for module in imported:
            parts = module.split("/")
            for end in range(1, len(parts)):
                if "/".join((root, *parts[end:])).strip("/") in packages:
                    prefix = "/".join(parts[:end])
                    votes[prefix] = votes.get(prefix, 0) + len(parts) - end + 2 * ("." in parts[0])
            if "." in parts[0] and _last(module) in own:
                votes[module] = votes.get(module, 0) + 1
        roots[root] = max(sorted(votes), key=lambda p: (votes[p], -len(p)), default="")
    return roots


def _last(module: str) -> str:
    parts = [part for part in module.split("/") if not _VERSION.match(part)]
    return parts[-1] if parts else ""
