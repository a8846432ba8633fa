"""Which file does an import of JavaScript or TypeScript mean?

In order: a path from the importing file, what the compiler options that hold there say, a package of
the repository by its name. Where no project file stands above the file, folders are guessed; where
one does, any other bare name is a package from elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from repoctx.graph.places import Place, above, ancestors, below, by_distance, first_of, inside, join
from repoctx.graph.projects import package_name

if TYPE_CHECKING:
    from repoctx.graph.modules import Family
    from repoctx.graph.projects import Config, Package

_ENDINGS = re.compile(r"\.(?:d\.[cm]?ts|[cm]?[jt]sx?|vue|svelte)$")
# What `./x` may stand for, the first that is there.
_SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".d.ts", ".mts", ".cts", ".mjs", ".cjs")
# Folders that hold what was built, and those that hold what it was built from.
_BUILT = frozenset({
    "dist", "build", "lib", "out", "output", "es", "esm", "cjs", "umd", "types", "typings", "module", "node",
    "browser", "bundle", "bundles", "es5", "es6", "es2015", "commonjs", "_esm", "_cjs", "_types",
})  # fmt: skip
_SOURCES = ("src", "", "source", "lib")
# Leading folders of a built path that are dropped: `dist/esm/x.js`.
_MOST_BUILT = 3
# Packages of one name that are tried, the nearest first.
_MOST_HOMES = 4
_WORKSPACE_FOLDERS = frozenset({"packages", "apps", "libs", "modules", "workspaces", "plugins"})
# Prefixes that bundlers are commonly told to take for the sources; no package has such a name.
_ALIASES = ("@/", "~/", "#/")


def relative(family: Family, path: str, module: str) -> Place | None:
    """`./x`, a name that compiler options map, `#x`, or the name of a package and a path in it."""
    folder = path.rpartition("/")[0]
    module = module.partition("?")[0]
    config, package = above(family.projects.configs, folder), above(family.projects.packages, folder)
    if module.startswith("."):
        return _from_here(family, folder, module, config, package)
    tries = package.imports.match(module) if package is not None and module.startswith("#") else []
    if config is not None:
        tries += config.patterns.match(module)
        tries += [] if config.base is None else [below(config.base, module)]
    found = _first(family, tries, package)
    if found is None:
        name, rest = package_name(module)
        homes = by_distance(folder, family.projects.named.get(name, ()))[:_MOST_HOMES]
        homes = homes[:1] if homes and inside(homes[0], folder) is not None else homes
        found = first_of([entry for home in homes if (entry := _entry(family, home, rest)) is not None])
    if found is None and module.startswith(_ALIASES):
        rest = module[2:]
        found = _first(family, [below(place, source + rest) for place in ancestors(folder) for source in ("src/", "")])
    if found is None and config is None and package is None:
        found = _first(family, _guesses(family, folder, module))
    return found


def _from_here(
    family: Family, folder: str, module: str, config: Config | None, package: Package | None
) -> Place | None:
    """A path as seen from a folder, or from another that the compiler lays over it."""
    place = join(folder, module)
    if place is None:
        return None
    found = _entry(family, place, "") if place in family.projects.packages else script(family, place)
    if found is None and config is not None:
        rests = [rest for root in config.roots if (rest := inside(root, place)) is not None]
        found = _first(family, [below(root, rest) for rest in rests for root in config.roots])
    if found is None and package is not None and (rest := inside(package.folder, place)):
        top = below(package.folder, rest.partition("/")[0])
        if rest.partition("/")[0] in _BUILT and inside(top, folder) is None:  # a test of what was built
            return _unbuilt(family, place, package)
    return found


def _entry(family: Family, home: str, rest: str) -> Place | None:
    """What a package and a path in it lead to: by its `exports`, by its entries, else where sources lie."""
    package = family.projects.packages[home]
    tries = package.exports.match(f"./{rest}" if rest else ".") or ([] if rest else list(package.entries))
    places = [below(home, below(source, rest)) for source in ("src", "", "lib")] if not rest else []
    places += [below(home, below(source, rest)) for source in ("", "src", "lib")] if rest else []
    found = _first(family, tries, package)
    return found if found is not None else _first(family, places)


def _first(family: Family, tries: list[str], package: Package | None = None) -> Place | None:
    """The first of some paths that is there; with a package also as what they were built from."""
    for place in tries:
        found = script(family, place)
        if found is not None:
            return found
    if package is None:
        return None
    return next((found for place in tries if (found := _unbuilt(family, place, package)) is not None), None)


def _unbuilt(family: Family, place: str, package: Package) -> Place | None:
    """The source of a file that a build would write: `dist/esm/x.js` of `src/x.ts`."""
    rest = inside(package.folder, place)
    if not rest:
        return None
    config = above(family.projects.configs, package.folder)
    if config is not None and config.output and (inner := inside(config.output, place)):
        found = script(family, below(package.folder if config.source is None else config.source, inner))
        if found is not None:
            return found
    parts = rest.split("/")
    for dropped in range(min(_MOST_BUILT, len(parts) - 1) + 1):
        if dropped and parts[dropped - 1] not in _BUILT:
            break
        for source in _SOURCES:
            found = script(family, below(package.folder, below(source, "/".join(parts[dropped:]))))
            if found is not None:
                return found
    return None


def script(family: Family, place: str) -> Place | None:
    """The file of a path with or without its ending, which may be that of what it is compiled to."""
    without = _ENDINGS.sub("", place)
    for node in (
        family.files.get(place),
        _with_suffix(family, place),
        _with_suffix(family, without) if without != place else None,
        family.stems.get(below(place, "index")),
    ):
        if node is not None:
            return Place(node)
    return None


def _with_suffix(family: Family, place: str) -> int | None:
    return next((family.files[place + end] for end in _SUFFIXES if place + end in family.files), None)


def _guesses(family: Family, folder: str, module: str) -> list[str]:
    """Where no project file says anything: a folder of that name among workspaces, a path from a folder above."""
    name, rest = package_name(module)
    name = name.rpartition("/")[2]
    homes = [below(holder, name) for holder in family.parents.get(name, ())]
    homes = [home for home in homes if home in family.projects.packages or _is_workspace(home)]
    tries = [below(home, below(source, rest)) for home in homes for source in ("", "src", "lib")]
    if rest and not module.startswith("@"):
        tries += [below(place, module) for place in ancestors(folder)]
    return tries


def _is_workspace(home: str) -> bool:
    return home.rpartition("/")[0].rpartition("/")[2] in _WORKSPACE_FOLDERS
