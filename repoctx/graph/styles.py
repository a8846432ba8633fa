"""Which files does an import mean? One function per import style, over the files of a language family.

A style answers with `Place(node, rest)`: the file or package that the module text leads to, and the
names of it that are no module of their own (`crate::a::Thing` is the file of `a` and ["Thing"]).
None means that the module is not in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from repoctx.graph.modules import Place, crate_root, rust_module, stem

if TYPE_CHECKING:
    from repoctx.graph.modules import Family


# Folders that often stand between the root of a project and its modules.
SOURCE_ROOTS = frozenset({"", "src", "lib", "source", "include", "python", "app"})
_SCRIPT_ENDINGS = re.compile(r"\.(?:d\.[cm]?ts|[cm]?[jt]sx?|vue|svelte)$")
_WORKSPACE_FOLDERS = frozenset({"packages", "apps", "libs", "modules", "workspaces", "plugins"})


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


def _ending(choices: Sequence[tuple[str, int]], wanted: str) -> list[tuple[str, int]]:
    return [choice for choice in choices if choice[0] == wanted or choice[0].endswith("/" + wanted)]


def _nearest(folder: str, choices: Sequence[tuple[str, int]]) -> int:
    """The node of the path that shares most of the folder; then the shortest, then the first."""
    parts = folder.split("/")

    def rank(choice: tuple[str, int]) -> tuple[int, int, str]:
        theirs = choice[0].split("/")
        shared = 0
        while shared < min(len(parts), len(theirs)) and parts[shared] == theirs[shared]:
            shared += 1
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
    holders = [root for root in family.parents[parts[0]] if root not in family.inits]
    near = [root for root in holders if not root or folder == root or folder.startswith(root + "/")]
    asked = (module, *near)
    if asked not in family.answers:
        package = [root for root in holders if _is_package(family, root, parts[0])]
        far = sorted({*package, *SOURCE_ROOTS.intersection(holders)}, key=lambda root: (root.count("/"), root))
        walks = (_dotted_walk(family, root, parts) for root in [*sorted(near, key=len, reverse=True), *far])
        family.answers[asked] = next((p for p in walks if p is not None and len(p.rest) < len(parts)), None)
    return family.answers[asked]


def anywhere(family: Family, style: str, module: str) -> bool:
    """Does a module text lead to the same place from every file? Most do: `os`, the project's own package."""
    if style != "dotted" or module.startswith("."):
        return False
    name = module.partition(".")[0]
    holders = [root for root in family.parents.get(name, ()) if root not in family.inits]
    return not holders or (len(holders) == 1 and (holders[0] in SOURCE_ROOTS or _is_package(family, holders[0], name)))


def _is_package(family: Family, root: str, name: str) -> bool:
    return f"{root}/{name}".lstrip("/") in family.inits


def _dotted_walk(family: Family, root: str, parts: tuple[str, ...]) -> Place | None:
    place = "/".join((root, *parts)).lstrip("/")
    for end in range(len(parts), -1, -1):
        node = family.dotted.get(place)
        if node is not None:
            return Place(node, parts[end:])
        place = place.rpartition("/")[0]
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
        tries = [f"{home}/{source}{rest}".rstrip("/") for home in homes for source in ("", "src/", "lib/")]
        if rest and not module.startswith("@"):
            tries += [f"{above}/{module}" for above in ancestors(folder)]
    return next((found for t in tries if (found := _script(family, t.lstrip("/"))) is not None), None)


def _is_workspace(home: str) -> bool:
    return home.rpartition("/")[0].rpartition("/")[2] in _WORKSPACE_FOLDERS


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
    least = min(len(parts), 2)  # one part alone says too little: `java.util.List` is in no folder `java`
    for drop in (0, 1):  # the first part may be the project's name and no folder
        for end in range(len(parts), max(drop + least - 1, len(parts) - 3), -1):
            found = _ending(family.tails.get(parts[end - 1], ()), "/".join(parts[drop:end]))
            if found:
                return Place(_nearest(folder, found), parts[end:])
    under = [(p, n) for p, n in family.tails.get(parts[-1], ()) if p.rpartition("/")[0] in SOURCE_ROOTS]
    return Place(_nearest(folder, under)) if len(parts) == 2 and under else None


def _go(family: Family, module: str) -> Place | None:
    for root, prefix in family.roots.items():
        if module == prefix or module.startswith(prefix + "/"):
            node = family.packages.get((root + module[len(prefix) :]).strip("/"))
            if node is not None:
                return Place(node)
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
    found = _ending(family.names.get(wanted.rpartition("/")[2], ()), wanted)
    if module.startswith("<") and "/" not in wanted:
        found = [(p, n) for p, n in found if p.rpartition("/")[0].rpartition("/")[2] in SOURCE_ROOTS]
    return Place(_nearest(folder, found)) if found else None


# --- crate: Rust -------------------------------------------------------------------------------


def crate(family: Family, path: str, module: str) -> Place | None:
    """`crate::a`, `self::a`, `super::a`, a module of this file, or another crate of the workspace."""
    parts = [part for part in module.split("::") if part]
    home = module_folder(path)
    root = next((f for f in ancestors(path.rpartition("/")[0]) if crate_root(family, f) is not None), None)
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
            if crate_root(family, f"{holder}/{name}/src".lstrip("/")) is not None:
                return _crate_walk(family, f"{holder}/{name}/src".lstrip("/"), parts[1:])
    return None


def module_folder(path: str) -> str:
    """Where the modules declared in a Rust file lie."""
    folder, _, name = path.rpartition("/")
    return folder if name in ("lib.rs", "main.rs", "mod.rs") else stem(path)


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
    ends = _ending(family.tails.get(name.rpartition("/")[2], ()), name)
    return Place(_nearest(folder, ends)) if "/" in name and ends else None


STYLES: Mapping[str, Callable[[Family, str, str], Place | None]] = {
    "dotted": dotted,
    "relative": relative,
    "package": package,
    "include": include,
    "crate": crate,
    "require": require,
}
