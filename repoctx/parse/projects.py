"""What does a project file say about where imports lead?

One reader per kind of project file, named by the field `project` of `languages.toml`. A reader turns
the text into settings: pairs of a key and a value, in which a key may be followed by a space and the
pattern or name that it is about: ("paths @/*", "src/*"). Several values of one key are several
settings, the preferred one first. What the keys mean:

    name            the name that others import the project by (of a Rust crate: with `_`)
    main            the file that the bare name leads to
    exports P       the file or pattern that the subpath P (".", "./x", "./*") leads to
    imports P       the same for the project's own names ("#x")
    extends         a file of the same kind whose settings hold unless they are set here
    baseUrl         the folder that bare module names are looked for in
    paths P         where modules of the pattern P are
    rootDirs        folders that are laid over each other
    rootDir, outDir what is compiled, and where to
    replace P       the folder that the module P is taken from
    path N          the folder of the package that is imported by the name N
    depends N       the registry's name of the package that is imported by the name N
    shared N        the package imported by the name N is the one that the workspace names N
    workspace N     the folder of the package that the workspace names N
    patch N         the folder that takes the place of the registry's package N
    target          a file that is compiled as a program or library of its own
    root            a folder that modules are looked for in
    package N       the folder of the package N
    psr-4 P, psr-0 P  the folder of the namespace P
    classmap        a file or folder whose classes are found by their names alone

Paths are as written, relative to the folder of the project file. Any text gives settings or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from repoctx.parse.formats import at, each, items, read_ini, read_json, read_toml
from repoctx.types import Setting

LARGEST_TEXT = 1_000_000
"""Bytes. A larger project file is written by a machine, and says nothing."""
MOST_SETTINGS = 10_000
"""Of one file; the rest is left out. The largest `exports` that people publish have some 2,000."""
LONGEST = 1_000
"""Characters of a key or a value; longer ones are left out."""
DEEPEST = 8
"""Conditions inside conditions of `exports`."""

Found = Iterator[tuple[str, Any]]


def settings(project: str, text: bytes) -> list[Setting]:
    """The settings of a text that is read as this kind of project file; none if it is no such file."""
    read = READERS.get(project)
    if read is None or len(text) > LARGEST_TEXT:
        return []
    found: list[Setting] = []
    for key, value in read(text.decode("utf-8-sig", "replace")):
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, str) and _sound(key) and _sound(item):
                found.append(Setting(key, item))
                if len(found) == MOST_SETTINGS:
                    return found
    return found


def _sound(text: str) -> bool:
    """Can this be a setting? Control characters and half characters are in no path."""
    return 0 < len(text) <= LONGEST and text.isprintable()


# --- JavaScript and TypeScript -------------------------------------------------------------------

# Options of `compilerOptions` that say where modules are.
_COMPILER = ("baseUrl", "rootDirs", "rootDir", "outDir")
# Fields of package.json that name its entry: what is nearest to the source first.
_ENTRIES = ("source", "types", "typings", "module", "main", "browser")
# Conditions of `exports` in the same order; a condition that speaks of the source comes before all,
# any other after these.
_CONDITIONS = ("types", "import", "module", "default", "node", "require", "browser")


def tsconfig(text: str) -> Found:
    """tsconfig.json, jsconfig.json, and what they extend: `compilerOptions`."""
    if '"compilerOptions"' not in text and '"extends"' not in text:
        return
    found = read_json(text)
    yield "extends", found.get("extends")
    yield from _compiler(found)


def _compiler(found: Mapping[str, Any]) -> Found:
    options = found.get("compilerOptions")
    yield from [(option, at(options, option)) for option in _COMPILER]
    for pattern, targets in items(at(options, "paths")):
        yield f"paths {pattern}", targets


def package(text: str) -> Found:
    """package.json: its name, its entries, and the names inside it."""
    found = read_json(text)
    yield "name", found.get("name")
    yield from [("main", found.get(entry)) for entry in _ENTRIES]
    yield from _mapped("exports", found.get("exports"))
    yield from _mapped("imports", found.get("imports"))


def _mapped(key: str, found: object) -> Found:
    """The targets of `exports` or `imports`, by subpath. Without subpaths they are those of "."."""
    subpaths = found if isinstance(found, dict) and any(name[:1] in ".#" for name in found) else {".": found}
    for subpath, target in subpaths.items():
        if subpath[:1] in (".", "#"):
            yield f"{key} {subpath}", list(_targets(target, DEEPEST))


def _targets(found: object, depth: int) -> Iterator[str]:
    """The files that an entry of `exports` names, the preferred condition first."""
    if isinstance(found, str):
        yield found
    elif depth and isinstance(found, list):
        for item in found:
            yield from _targets(item, depth - 1)
    elif depth and isinstance(found, dict):
        for condition in sorted(found, key=_preference):
            yield from _targets(found[condition], depth - 1)


def _preference(condition: str) -> int:
    if "source" in condition or condition == "src":
        return -1
    return _CONDITIONS.index(condition) if condition in _CONDITIONS else len(_CONDITIONS)


def deno(text: str) -> Found:
    """deno.json: an import map, whose keys end in `/` where they stand for what is below."""
    found = read_json(text)
    yield "name", found.get("name")
    yield from _mapped("exports", found.get("exports"))
    yield from _compiler(found)
    for name, target in items(found.get("imports")):
        if isinstance(target, str) and target.startswith(("./", "../", "/")):
            many = name.endswith("/") and target.endswith("/")
            yield f"paths {name}*" if many else f"paths {name}", f"{target}*" if many else target


# --- Go ------------------------------------------------------------------------------------------


def gomod(text: str) -> Found:
    """go.mod: the module's path, and the modules that it takes from a folder beside it."""
    block = ""
    for line in text.splitlines():
        words = [word.strip('"`') for word in line.partition("//")[0].split()]
        if words == [")"]:
            block = ""
        elif words[1:] == ["("]:
            block = words[0]
        elif words:
            directive, *rest = [block, *words] if block else words
            if directive == "module" and len(rest) == 1:
                yield "name", rest[0]
            elif directive == "replace" and "=>" in rest[1:3] and rest[-1].startswith(("./", "../")):
                yield f"replace {rest[0]}", rest[-1]


# --- Rust ----------------------------------------------------------------------------------------


def cargo(text: str) -> Found:
    """Cargo.toml: the crate's name, its files that are compiled by themselves, what it depends on."""
    found = read_toml(text)
    name = at(found, "lib.name") or at(found, "package.name")
    yield "name", name.replace("-", "_") if isinstance(name, str) else None
    yield "main", at(found, "lib.path")
    yield "target", at(found, "package.build")
    for kind in ("bin", "test", "example", "bench"):
        yield from [("target", at(target, "path")) for target in each(found.get(kind))]
    for table in (found, *(system for _, system in items(found.get("target")))):
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            yield from _dependencies(at(table, kind))
    for shared, wanted in items(at(found, "workspace.dependencies")):
        yield f"workspace {shared}", at(wanted, "path")
    for _, registry in items(found.get("patch")):
        yield from [(f"patch {patched}", at(wanted, "path")) for patched, wanted in items(registry)]


def _dependencies(found: object) -> Found:
    for name, wanted in items(found):
        if at(wanted, "workspace") is True:
            yield f"shared {_crate(name)}", name
        elif at(wanted, "path"):
            yield f"path {_crate(name)}", at(wanted, "path")
        else:
            yield f"depends {_crate(name)}", at(wanted, "package") or name


def _crate(name: str) -> str:
    return name.replace("-", "_")


# --- Python --------------------------------------------------------------------------------------

# Where the tools keep folders that modules are looked for in.
_PYTHON_ROOTS = (
    "tool.setuptools.packages.find.where",
    "tool.pdm.build.package-dir",
    "tool.pdm.package-dir",
    "tool.maturin.python-source",
    "tool.uv.build-backend.module-root",
    "tool.pyright.extraPaths",
)
# The same, several in one string.
_PYTHON_PATHS = ("tool.pytest.ini_options.pythonpath", "tool.pytest.pythonpath", "tool.mypy.mypy_path")
_INI_PATHS = (("tool:pytest", "pythonpath"), ("pytest", "pythonpath"), ("mypy", "mypy_path"))


def pyproject(text: str) -> Found:
    """pyproject.toml: the source roots that build back ends, pytest and type checkers are told."""
    found = read_toml(text)
    yield "name", at(found, "project.name") or at(found, "tool.poetry.name")
    for path in _PYTHON_ROOTS:
        yield "root", at(found, path)
    for path in _PYTHON_PATHS:
        yield "root", [part for item in each(at(found, path)) for part in _split(item)]
    yield from _package_dirs(items(at(found, "tool.setuptools.package-dir")))
    for entry in each(at(found, "tool.poetry.packages")):
        yield "root", at(entry, "from")
    for target in (at(found, "tool.hatch.build"), *dict(items(at(found, "tool.hatch.build.targets"))).values()):
        for folder in each(at(target, "packages")):
            if isinstance(folder, str):
                yield "root", folder.strip("/").rpartition("/")[0] or "."
        sources = at(target, "sources")
        yield "root", [folder for folder, name in items(sources) if name == ""] or sources


def setupcfg(text: str) -> Found:
    """setup.cfg, and tox.ini and pytest.ini for what they say about pytest."""
    found = read_ini(text)
    yield "name", found.get("metadata", {}).get("name")
    yield "root", found.get("options.packages.find", {}).get("where")
    lines = found.get("options", {}).get("package_dir", [])
    pairs = [line.partition("=") for item in lines for line in item.split(",")]
    yield from _package_dirs((name.strip(), folder.strip()) for name, _, folder in pairs)
    for section, option in _INI_PATHS:
        yield "root", [part for line in found.get(section, {}).get(option, ()) for part in _split(line)]


def _split(paths: object) -> Sequence[str]:
    return re.split(r"[\s,:]+", paths) if isinstance(paths, str) else ()


def _package_dirs(found: Iterator[tuple[str, Any]]) -> Found:
    """`package_dir` of setuptools: the folder of "" is a root, and so is that of `src/a/b` for `a.b`."""
    for name, folder in found:
        if isinstance(folder, str):
            place = folder.strip("/")
            inner = name.replace(".", "/")
            if not name:
                yield "root", place or "."
            elif place == inner or place.endswith("/" + inner):
                yield "root", place.removesuffix(inner).strip("/") or "."
            else:
                yield f"package {name}", place or "."


# --- PHP -----------------------------------------------------------------------------------------


def composer(text: str) -> Found:
    """composer.json: the folders of namespaces."""
    found = read_json(text)
    for table in ("autoload", "autoload-dev"):
        for kind in ("psr-4", "psr-0"):
            for prefix, folders in items(at(found.get(table), kind)):
                space = prefix.strip("\\")
                yield f"{kind} {space}".strip(), [folder or "." for folder in each(folders)]
        yield "classmap", at(found.get(table), "classmap")


READERS: Mapping[str, Callable[[str], Found]] = {
    "tsconfig": tsconfig,
    "package": package,
    "deno": deno,
    "gomod": gomod,
    "cargo": cargo,
    "pyproject": pyproject,
    "setupcfg": setupcfg,
    "composer": composer,
}
