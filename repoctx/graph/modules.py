"""Which modules are there? The files and packages of each language family, indexed for imports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from repoctx.graph import projects
from repoctx.graph.endings import Endings, endings
from repoctx.graph.places import Place, below

if TYPE_CHECKING:
    from repoctx.graph.layout import Layout
    from repoctx.graph.projects import Projects
    from repoctx.types import Occurrences


class Holders(NamedTuple):
    """The folders that hold a module or package of one name, and are no package themselves."""

    all: frozenset[str]
    sources: Sequence[str]  # those that projects declare or commonly have
    packages: Sequence[str]  # sorted; those in which it is a package with an `__init__`
    usual: Sequence[str]  # of these, and of folders that often hold sources: the outermost


# Folders that often stand between the root of a project and its modules.
SOURCE_ROOTS = frozenset({"", "src", "lib", "source", "include", "python", "app"})


@dataclass(frozen=True, slots=True)
class Family:
    """The files of one language family."""

    files: Mapping[str, int]  # path -> node
    stems: Mapping[str, int]  # path without its extension -> node; the shorter extension wins
    packages: Mapping[str, int]  # folder -> node
    first: int  # nodes from this one on are folders
    paths: Mapping[int, str]  # node -> path
    tails: Endings  # dotless stems and folders
    names: Endings  # paths
    parents: Mapping[str, Sequence[str]]  # name of a file's stem or of a folder -> folders that hold it
    holders: Mapping[str, Holders]  # Python: first name of a module
    roots: Mapping[str, str]  # Go: folder of a module -> its import path
    prefixes: Mapping[str, Sequence[str]]  # Go: import path of a module -> folders
    targets: frozenset[str]  # Rust: files that are compiled by themselves
    crates: Mapping[str, int]  # Rust: folder -> the root of the crate whose sources lie there
    projects: Projects  # what project files declare
    dotted: Mapping[str, int]  # module path -> its package's `__init__`, its file, or the bare folder
    answers: dict[object, Place | None]  # dotted: what was found before, by what was asked


_VERSION = re.compile(r"^v\d+$")


def families(o: Occurrences, where: Layout, imported: Mapping[str, Sequence[str]]) -> dict[str, Family]:
    """Index the paths of each family. `imported` has the module texts of each family's imports."""
    members: dict[str, dict[str, int]] = {}
    for row, (family, style, path) in enumerate(zip(where.families, where.styles, o.paths, strict=True)):
        if style:
            members.setdefault(family, {})[path] = where.symbols + row
    packages: dict[str, dict[str, int]] = {family: {} for family in members}
    for (family, folder), node in where.packages.items():
        if family in members:
            packages[family][folder] = node
    declared = projects.projects(o)
    found = {}
    for family, files in members.items():
        roots: Mapping[str, str] = {}
        if family == "go":
            roots = go_roots(packages[family], files, declared.modules, imported.get(family, ()))
        found[family] = _family(family, files, packages[family], roots, declared)
    return found


def _family(
    name: str, files: Mapping[str, int], packages: Mapping[str, int], roots: Mapping[str, str], declared: Projects
) -> Family:
    """The index of one family's files and packages."""
    stems: dict[str, int] = {}
    parents: dict[str, set[str]] = {}
    for path in sorted(files, key=lambda p: (len(p), p)):
        stems.setdefault(stem(path), files[path])
    for place in [*stems, *packages, *declared.packages]:
        folder, _, last = place.rpartition("/")
        parents.setdefault(last, set()).add(folder)
    inits = frozenset(parents.get("__init__", ()))
    dotted = {**packages, **stems, **{folder: stems[below(folder, "__init__")] for folder in inits}}
    replaced = [(name, folder) for name, folders in declared.replaced.items() for folder in folders]
    targets = projects.rust_targets(files, declared.crates) if name == "rust" else frozenset()
    crates = _crate_roots(stems, files, targets, declared) if name == "rust" else {}
    return Family(
        files,
        stems,
        packages,
        min(packages.values(), default=0),
        {node: path for path, node in files.items()},
        endings((place.replace(".", "/"), node) for place, node in [*stems.items(), *packages.items()]),
        endings(files.items()),
        {name: sorted(found) for name, found in parents.items()},
        _holders(parents, inits, declared) if name == "python" else {},
        roots,
        projects.grouped([*((prefix, root) for root, prefix in roots.items()), *replaced]),
        targets,
        crates,
        declared,
        dotted,
        {},
    )


def _holders(parents: Mapping[str, Set[str]], inits: Set[str], declared: Projects) -> dict[str, Holders]:
    sources = {root for roots in declared.python.values() for root in roots}
    found = {}
    for name, folders in parents.items():
        outer = frozenset(folders - inits)
        if outer:
            packages = sorted(root for root in outer if below(root, name) in inits)
            usual = sorted({*packages, *(outer & SOURCE_ROOTS)}, key=lambda root: (root.count("/"), root))
            most = projects.MOST_NAMESAKES
            found[name] = Holders(outer, sorted(outer & sources)[:most], packages, usual[:most])
    return found


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
            if name not in ("lib", "main") and path not in family.targets:
                parent = crate_root(family, folder)
                found.append((rust_module(family, folder) if parent is None else parent, name, node))
    return [(a, name, b) for a, name, b in found if a is not None and b is not None]


def stem(path: str) -> str:
    """A path without the extensions of its last part: `a/b.d.ts` -> `a/b`."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name[:1] + name[1:].partition(".")[0])


def _crate_roots(
    stems: Mapping[str, int], files: Mapping[str, int], targets: frozenset[str], declared: Projects
) -> dict[str, int]:
    """The root of the crate whose sources lie in a folder: its library, its program, or the only target there."""
    found: dict[str, int] = {}
    others: dict[str, list[int]] = {}
    for path in sorted(targets):
        if path.rpartition("/")[2] != "build.rs":
            others.setdefault(path.rpartition("/")[0], []).append(files[path])
    for one in declared.crates.values():
        found |= {path.rpartition("/")[0]: files[path] for path in one.paths("main") if path in files}
    for name in ("lib", "main"):
        for place, node in stems.items():
            folder, _, last = place.rpartition("/")
            if last == name:
                found.setdefault(folder, node)
    return {**{folder: nodes[0] for folder, nodes in others.items() if len(nodes) == 1}, **found}


def crate_root(family: Family, folder: str) -> int | None:
    """The root file of the crate whose sources lie in a folder."""
    return family.crates.get(folder)


def module_folder(family: Family, path: str) -> str:
    """Where the modules declared in a Rust file lie."""
    folder, _, name = path.rpartition("/")
    return folder if name in ("lib.rs", "main.rs", "mod.rs") or path in family.targets else stem(path)


def rust_module(family: Family, place: str) -> int | None:
    """The file of a module path."""
    place = place.lstrip("/")
    return family.stems.get(place, family.stems.get(f"{place}/mod"))


def go_roots(
    packages: Mapping[str, int], files: Mapping[str, int], modules: Mapping[str, str], imported: Sequence[str]
) -> dict[str, str]:
    """For each folder with a go.mod the path that it declares.

    Where there is none, or it says none: the import path that imports of its packages agree on most, or "".
    """
    roots = dict(modules)
    for root in [root for root, declared in (modules or {"": ""}).items() if not declared]:
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
