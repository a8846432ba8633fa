"""Which file does a path of Rust mean?

`crate` is the file that Cargo compiles, and other crates are those that the nearest Cargo.toml
depends on by path. Where there is no Cargo.toml, the layout of the folders is read instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from repoctx.graph.modules import crate_root, module_folder, rust_module
from repoctx.graph.places import Place, ancestors, below, join

if TYPE_CHECKING:
    from repoctx.graph.modules import Family
    from repoctx.graph.projects import Declared


def crate(family: Family, path: str, module: str) -> Place | None:
    """`crate::a`, `self::a`, `super::a`, a module of this file, or another crate of the workspace."""
    parts = [part for part in module.split("::") if part]
    folder, home = path.rpartition("/")[0], module_folder(family, path)
    if not parts:
        return None
    if parts[0] == "crate":
        if path in family.targets:
            return _walk(family, folder, parts[1:], family.files[path])
        root = next((place for place in ancestors(folder) if crate_root(family, place) is not None), None)
        return _walk(family, root, parts[1:]) if root is not None else None
    if parts[0] in ("self", "super"):
        while parts and parts[0] in ("self", "super"):
            home = home.rpartition("/")[0] if parts[0] == "super" else home
            parts = parts[1:]
        return _walk(family, home, parts)
    if rust_module(family, below(home, parts[0])) is not None:
        return _walk(family, home, parts)
    root = _other(family, folder, parts[0])
    return _walk(family, root, parts[1:]) if root is not None else None


def _walk(family: Family, folder: str, parts: Sequence[str], root: int | None = None) -> Place | None:
    """As far as modules lead from a folder; names that are none are looked up in `root` or the crate's root there."""
    for end in range(len(parts), 0, -1):
        node = rust_module(family, below(folder, "/".join(parts[:end])))
        if node is not None:
            return Place(node, tuple(parts[end:]))
    node = crate_root(family, folder) if root is None else root
    node = rust_module(family, folder) if node is None and folder else node
    return Place(node, tuple(parts)) if node is not None else None


def _other(family: Family, folder: str, name: str) -> str | None:
    """The folder of the sources of a crate that is known by a name here: this one, or one that it depends on."""
    crates = family.projects.crates
    known = [crates[place] for place in ancestors(folder) if place in crates]
    here = next((one for one in known if one.first("name") is not None), None)
    if here is None:
        return _guessed(family, name)
    if name == here.first("name"):
        return _library(here)
    homes = here.paths("path", name)
    for shared in here.named.get("shared", {}).get(name, ()):
        homes += [home for one in known for home in one.paths("workspace", shared)]
    for registered in here.named.get("depends", {}).get(name, ()):
        homes += [home for one in known for home in one.paths("patch", registered)]
    return next((_library(crates[home]) for home in homes if home in crates), None)


def _library(one: Declared) -> str | None:
    """The folder of a crate's library."""
    path = join(one.folder, one.first("main") or "src/lib.rs")
    return None if path is None else path.rpartition("/")[0]


def _guessed(family: Family, name: str) -> str | None:
    for spelled in (name, name.replace("_", "-")):
        for holder in family.parents.get(spelled, ()):
            place = below(holder, f"{spelled}/src")
            if crate_root(family, place) is not None:
                return place
    return None
