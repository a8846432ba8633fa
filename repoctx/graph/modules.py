"""Which files does an import mean? One function per import style, over the paths of a language family.

A style answers with `Place(node, rest)`: the file or package that the module text leads to, and the
names of it that are no module of their own (`crate::a::Thing` is the file of `a` and ["Thing"]).
None means that the module is not in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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
    workspaces: frozenset[str]  # folders with a package.json
    roots: Mapping[str, str]  # Go: folder of a module -> its import path


# Folders that often stand between the root of a project and its modules.
SOURCE_ROOTS = frozenset({"", "src", "lib", "source", "include", "python", "app"})
_SCRIPT_ENDINGS = re.compile(r"\.(?:d\.[cm]?ts|[cm]?[jt]sx?|vue|svelte)$")
_VERSION = re.compile(r"^v\d+$")


def families(where: Layout, paths: Sequence[str], imported: Mapping[str, Sequence[str]]) -> dict[str, Family]:
    """Index the paths of each family. `imported` has the module texts of each family's imports."""
    members: dict[str, dict[str, int]] = {}
    for row, (family, path) in enumerate(zip(where.families, paths, strict=True)):
        members.setdefault(family, {})[path] = where.symbols + row
    packages: dict[str, dict[str, int]] = {family: {} for family in members}
    for (family, folder), node in where.packages.items():
        packages[family][folder] = node
    manifests: dict[str, set[str]] = {"package.json": set(), "go.mod": set()}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name in manifests:
            manifests[name].add(folder)
    found = {}
    for family, files in members.items():
        roots = go_roots(packages[family], files, sorted(manifests["go.mod"]), imported.get(family, ())) if family == "go" else {}
        found[family] = _family(files, packages[family], frozenset(manifests["package.json"]), roots)
    return found


def _family(
    files: Mapping[str, int], packages: Mapping[str, int], workspaces: frozenset[str], roots: Mapping[str, str]
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
        folder, _, name = place.rpartition("/")
        parents.setdefault(name, set()).add(folder)
    holders = {name: sorted(found) for name, found in parents.items()}
    return Family(files, stems, packages, tails, names, holders, workspaces, roots)


def children(family: Family, style: str) -> list[tuple[int, str, int]]:
    """The modules inside packages and modules: (node, name, node of the module by that name)."""
    found = []
    if style == "dotted":
        places = {place.removesuffix("/__init__") for place in family.stems} | set(family.packages)
        for place in sorted(places - {"", "__init__"}):
            folder, _, name = place.rpartition("/")
            found.append((dotted_module(family, folder), name, dotted_module(family, place)))
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


def ancestors(folder: str) -> list[str]:
    """The folder and all those around it, innermost first, "" last."""
    found = [folder]
    while folder:
        folder = folder.rpartition("/")[0]
        found.append(folder)
    return found


def _nearest(folder: str, choices: Sequence[tuple[str, int]]) -> int:
    """The node of the path that shares most of the folder; then the shortest, then the first."""
    parts = folder.split("/")

    def rank(choice: tuple[str, int]) -> tuple[int, int, str]:
        theirs = choice[0].split("/")
        shared = next((i for i, (a, b) in enumerate(zip(parts, theirs, strict=False)) if a != b), min(len(parts), len(theirs)))
        return -shared, len(theirs), choice[0]

    return min(choices, key=rank)[1]


# --- dotted: Python ----------------------------------------------------------------------------


def dotted(family: Family, path: str, module: str) -> Place | None:
    """`a.b`, `..a`: under any folder that is no package itself, the importer's own ancestors first."""
    folder = path.rpartition("/")[0]
    name = module.lstrip(".")
    parts = tuple(name.split(".")) if name else ()
    level = len(module) - len(name)
    if level:
        above = ancestors(folder)
        return _dotted_walk(family, above[level - 1], parts) if level <= len(above) else None
    if not parts or parts[0] not in family.parents:
        return None
    holders = family.parents[parts[0]]
    near = [root for root in ancestors(folder) if root in holders and f"{root}/__init__".lstrip("/") not in family.stems]
    far = [
        root
        for root in holders
        if f"{root}/__init__".lstrip("/") not in family.stems
        and (f"{root}/{parts[0]}/__init__".lstrip("/") in family.stems or root in SOURCE_ROOTS)
    ]
    for root in [*near, *sorted(far, key=lambda r: (r.count("/"), r))]:
        place = _dotted_walk(family, root, parts)
        if place is not None and len(place.rest) < len(parts):
            return place
    return None


def _dotted_walk(family: Family, root: str, parts: tuple[str, ...]) -> Place | None:
    for end in range(len(parts), -1, -1):
        place = "/".join((root, *parts[:end])).strip("/")
        node = dotted_module(family, place)
        if node is not None:
            return Place(node, parts[end:])
    return None


def dotted_module(family: Family, place: str) -> int | None:
    """The node of a module path: its package's `__init__`, its file, or the bare folder."""
    for found in (family.stems.get(f"{place}/__init__".lstrip("/")), family.stems.get(place), family.packages.get(place)):
        if found is not None:
            return found
    return None


# --- relative: JavaScript, TypeScript ----------------------------------------------------------


def relative(family: Family, path: str, module: str) -> Place | None:
    """`./x`, `../y`, `@/z`, a path from a folder above, or the name of a workspace folder."""
    folder = path.rpartition("/")[0]
    module = module.partition("?")[0]
    if module.startswith("."):
        return _script(family, join(folder, module))
    if module[:2] in ("@/", "~/", "#/"):
        module = module[2:]
        tries = [f"{above}/{source}{module}" for above in ancestors(folder) for source in ("src/", "")]
    else:
        parts = module.split("/")
        name = parts[1] if module.startswith("@") and len(parts) > 1 else parts[0]
        rest = "/".join(parts[2 if module.startswith("@") else 1 :])
        homes = [f"{holder}/{name}".lstrip("/") for holder in family.parents.get(name, ())]
        homes = [home for home in homes if home in family.workspaces or _is_workspace(home)]
        tries = [f"{home}/{source}{rest}" for home in homes for source in ("", "src/", "lib/")]
        if rest and not module.startswith("@"):
            tries += [f"{above}/{module}" for above in ancestors(folder)]
    return next((found for t in tries if (found := _script(family, t.lstrip("/"))) is not None), None)


def _is_workspace(home: str) -> bool:
    return home.rpartition("/")[0].rpartition("/")[2] in ("packages", "apps", "libs", "modules", "workspaces", "plugins")


def _script(family: Family, place: str | None) -> Place | None:
    if place is None:
        return None
    without = _SCRIPT_ENDINGS.sub("", place)
    for node in (
        family.files.get(place),
        _exact_stem(family, place),
        _exact_stem(family, without) if without != place else None,
        family.stems.get(f"{place}/index".lstrip("/")),
    ):
        if node is not None:
            return Place(node)
    return None


_SCRIPT_SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".d.ts", ".mts", ".cts", ".mjs", ".cjs")


def _exact_stem(family: Family, place: str) -> int | None:
    return next((family.files[place + end] for end in _SCRIPT_SUFFIXES if place + end in family.files), None)


# --- package: Go, Java, Kotlin, Scala, C#, PHP, Swift ------------------------------------------


def package(family: Family, path: str, module: str) -> Place | None:
    """`a.b.C`, `A\\B\\C`: the file or folder whose path ends so. `example.com/m/a`: see `go_roots`."""
    if "/" in module or family.roots:
        return _go(family, module)
    parts = tuple(re.split(r"[.\\]+", module.strip(".\\")))
    folder = path.rpartition("/")[0]
    for drop in (0, 1) if len(parts) > 2 else (0,):
        for end in range(len(parts), max(drop, len(parts) - 3), -1):
            wanted = "/".join(parts[drop:end])
            if drop and "/" not in wanted:
                continue
            found = [(p, n) for p, n in family.tails.get(parts[end - 1], ()) if p == wanted or p.endswith("/" + wanted)]
            if found:
                return Place(_nearest(folder, found), parts[end:])
    return None


def go_roots(
    packages: Mapping[str, int], files: Mapping[str, int], modules: Sequence[str], imported: Sequence[str]
) -> dict[str, str]:
    """For each folder with a go.mod the import path that the imports of its packages agree on most."""
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
        if votes:
            roots[root] = max(sorted(votes), key=lambda p: (votes[p], -len(p)))
    return roots


def _go(family: Family, module: str) -> Place | None:
    for root, prefix in family.roots.items():
        if module == prefix or module.startswith(prefix + "/"):
            node = family.packages.get((root + module[len(prefix) :]).strip("/"))
            if node is not None:
                return Place(node)
    return None


def _last(module: str) -> str:
    parts = [part for part in module.split("/") if not _VERSION.match(part)]
    return parts[-1] if parts else ""


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
    found = [(p, n) for p, n in family.names.get(wanted.rpartition("/")[2], ()) if p == wanted or p.endswith("/" + wanted)]
    if module.startswith("<") and "/" not in wanted:
        found = [(p, n) for p, n in found if p.rpartition("/")[0].rpartition("/")[2] in SOURCE_ROOTS]
    return Place(_nearest(folder, found)) if found else None


# --- crate: Rust -------------------------------------------------------------------------------


def crate(family: Family, path: str, module: str) -> Place | None:
    """`crate::a`, `self::a`, `super::a`, a module of this file, or another crate of the workspace."""
    parts = [part for part in module.split("::") if part]
    home = module_folder(path)
    root = next((f for f in ancestors(path.rpartition("/")[0]) if crate_root(family, f)), None)
    if not parts:
        return None
    if parts[0] == "crate":
        return _crate_walk(family, root, parts[1:]) if root is not None else None
    if parts[0] in ("self", "super"):
        while parts and parts[0] in ("self", "super"):
            home = home.rpartition("/")[0] if parts[0] == "super" else home
            parts = parts[1:]
        return _crate_walk(family, home, parts)
    if rust_module(family, f"{home}/{parts[0]}") is not None:
        return _crate_walk(family, home, parts)
    for name in (parts[0], parts[0].replace("_", "-")):
        for holder in family.parents.get(name, ()):
            if crate_root(family, f"{holder}/{name}/src".lstrip("/")):
                return _crate_walk(family, f"{holder}/{name}/src".lstrip("/"), parts[1:])
    return None


def module_folder(path: str) -> str:
    """Where the modules declared in a Rust file lie."""
    folder, _, name = path.rpartition("/")
    return folder if name in ("lib.rs", "main.rs", "mod.rs") else stem(path)


def crate_root(family: Family, folder: str) -> int | None:
    """The root file of the crate whose sources lie in a folder."""
    return next((n for s in ("lib", "main") if (n := family.stems.get(f"{folder}/{s}".lstrip("/"))) is not None), None)


def rust_module(family: Family, place: str) -> int | None:
    """The file of a module path."""
    place = place.lstrip("/")
    return family.stems.get(place, family.stems.get(f"{place}/mod"))


def _crate_walk(family: Family, folder: str, parts: Sequence[str]) -> Place | None:
    for end in range(len(parts), 0, -1):
        node = rust_module(family, "/".join((folder, *parts[:end])))
        if node is not None:
            return Place(node, tuple(parts[end:]))
    node = crate_root(family, folder)
    node = rust_module(family, folder) if node is None and folder else node
    return Place(node, tuple(parts)) if node is not None else None


# --- require: Ruby, Lua, Bash ------------------------------------------------------------------


def require(family: Family, path: str, module: str) -> Place | None:
    """A path without its extension: beside the importer, else under a source root or any folder above."""
    folder = path.rpartition("/")[0]
    name = re.sub(r"^(?:\"?\$[^/]*/)+", "", module).strip("\"'")
    if "/" not in name and not name.endswith((".rb", ".sh", ".bash", ".lua")):
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
    ends = [(p, n) for p, n in family.tails.get(name.rpartition("/")[2], ()) if p.endswith("/" + name)]
    return Place(_nearest(folder, ends)) if "/" in name and ends else None


STYLES: Mapping[str, Callable[[Family, str, str], Place | None]] = {
    "dotted": dotted,
    "relative": relative,
    "package": package,
    "include": include,
    "crate": crate,
    "require": require,
}
