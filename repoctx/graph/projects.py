"""What do the project files of a snapshot say about where imports lead?

The settings that `parse.projects` finds, indexed once for all import styles. A path in them is seen
from the folder of its project file, and leads nowhere if it leaves the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from repoctx.graph.places import above, below, by_distance, inside, join

if TYPE_CHECKING:
    from repoctx.types import Occurrences

# Patterns with a `*` of one file that are tried; the longest are kept.
MOST_PATTERNS = 200
# Values of one key that are tried one after the other. A crate may have more targets, which are only looked up.
MOST_VALUES = 32
# Folders that declare the same name, and are told apart by how near they are.
MOST_NAMESAKES = 32
# Files that extend each other.
LONGEST_CHAIN = 8

SCRIPT_CONFIGS = ("tsconfig.json", "jsconfig.json", "deno.json", "deno.jsonc")
SCRIPT_PACKAGES = ("package.json", "deno.json", "deno.jsonc")
PYTHON_PROJECTS = ("pyproject.toml", "setup.cfg", "setup.py")
PYTEST = ("tox.ini", "pytest.ini")  # a project only if they say where modules are

# What Cargo compiles by itself, as seen from the folder of a crate.
_TARGET = re.compile(r"build\.rs|src/(?:lib|main)\.rs|(?:src/bin|tests|examples|benches)/(?:[^/]+|[^/]+/main)\.rs")


@dataclass(frozen=True, slots=True)
class Declared:
    """The settings of one project file."""

    folder: str
    values: dict[str, list[str]] = field(default_factory=dict)  # key -> values
    named: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # key -> name or pattern -> values

    def first(self, key: str) -> str | None:
        """The first value of a key."""
        return next(iter(self.values.get(key, ())), None)

    def paths(self, key: str, name: str | None = None) -> list[str]:
        """The values of a key, or of what it says about a name, as paths of the repository."""
        values = self.values.get(key, ()) if name is None else self.named.get(key, {}).get(name, ())
        return _within(self.folder, values)


class Patterns(NamedTuple):
    """Names, and patterns of names with one `*`, and what each stands for."""

    exact: Mapping[str, Sequence[str]]
    stars: Sequence[tuple[str, str, Sequence[str]]]  # before and after the star; the longest first

    def match(self, name: str) -> list[str]:
        """What a name stands for, by the longest pattern that it fits. Empty if it fits none."""
        if name in self.exact:
            return list(self.exact[name])
        for start, end, targets in self.stars:
            if name.startswith(start) and name.endswith(end) and len(name) >= len(start) + len(end):
                middle = name[len(start) : len(name) - len(end)]
                return [target.replace("*", middle, 1) for target in targets]
        return []


class Config(NamedTuple):
    """The compiler options of a folder, with all that they extend. Paths are those of the repository."""

    base: str | None  # the folder that bare names are looked for in
    patterns: Patterns
    roots: Sequence[str]  # folders laid over each other
    source: str | None  # what is compiled
    output: str | None  # where to


class Package(NamedTuple):
    """A package of scripts. Paths are those of the repository."""

    folder: str
    entries: Sequence[str]
    exports: Patterns
    imports: Patterns


class Projects(NamedTuple):
    """What all project files declare."""

    configs: Mapping[str, Config]  # folder -> script options
    packages: Mapping[str, Package]  # folder -> script package
    named: Mapping[str, Sequence[str]]  # name of a script package -> folders
    modules: Mapping[str, str]  # folder of a Go module -> its path, "" where it is not said
    replaced: Mapping[str, Sequence[str]]  # path of a Go module -> folders that it is taken from
    crates: Mapping[str, Declared]  # folder of a Rust crate or workspace
    python: Mapping[str, Sequence[str]]  # folder of a Python project -> its source roots, the folder last
    strict: frozenset[str]  # Python projects that can be installed: what they import and do not hold is not here
    aliases: Mapping[str, Sequence[str]]  # name of a Python package -> folders that it is
    spaces: Mapping[str, Sequence[str]]  # PHP namespace -> folders
    complete: Mapping[str, bool]  # folder with a composer.json -> are all its classes in declared namespaces?


def projects(o: Occurrences) -> Projects:
    """Index the project files of a snapshot by what imports ask for."""
    declared = _declared(o)
    files: dict[str, list[str]] = {}
    for path in o.paths:
        files.setdefault(path.rpartition("/")[2], []).append(path)

    def of(*names: str) -> dict[str, Declared]:
        """Folder -> settings of the first of these files that is there."""
        found: dict[str, Declared] = {}
        for path in (path for name in names for path in files.get(name, ())):
            folder = path.rpartition("/")[0]
            found.setdefault(folder, declared.get(path, Declared(folder)))
        return found

    packages, modules, php = of(*SCRIPT_PACKAGES), of("go.mod"), of("composer.json")
    named = grouped((name, folder) for folder, found in packages.items() for name in found.values.get("name", ()))
    python = [found for name in PYTHON_PROJECTS for found in of(name).values()]
    python += [found for name in PYTEST for found in of(name).values() if found.values]
    return Projects(
        _configs(declared, files, named),
        {folder: _package(found) for folder, found in packages.items()},
        named,
        {folder: found.first("name") or "" for folder, found in modules.items()},
        grouped(_about(modules.values(), "replace")),
        of("Cargo.toml"),
        _source_roots(python),
        frozenset(found.folder for found in python if found.first("name")).union(of("setup.py")),
        grouped(_about(python, "package")),
        _spaces(php.values()),
        {folder: _complete(found) for folder, found in php.items()},
    )


def _declared(o: Occurrences) -> dict[str, Declared]:
    """The settings of each path that has any."""
    found: dict[str, Declared] = {}
    columns = (o.setting_file.tolist(), o.setting_key.tolist(), o.setting_value.tolist())
    for file, text, value in zip(*columns, strict=True):
        path = o.paths[file]
        one = found.setdefault(path, Declared(path.rpartition("/")[0]))
        key, space, name = o.names[text].partition(" ")
        values = one.named.setdefault(key, {}).setdefault(name, []) if space else one.values.setdefault(key, [])
        if len(values) < MOST_VALUES or key == "target":
            values.append(o.names[value])
    return found


def _within(folder: str, values: Iterable[str]) -> list[str]:
    return [path for value in values if (path := join(folder, value)) is not None]


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The folders of each name, each once, at most MOST_NAMESAKES."""
    found: dict[str, dict[str, None]] = {}
    for name, folder in pairs:
        folders = found.setdefault(name, {})
        if len(folders) < MOST_NAMESAKES:
            folders[folder] = None
    return {name: list(folders) for name, folders in found.items()}


def _about(files: Iterable[Declared], key: str) -> list[tuple[str, str]]:
    """Names and the folders that a key declares for them; of the key alone for ""."""
    found = [(name, path) for one in files for name in one.named.get(key, ()) for path in one.paths(key, name)]
    return found + [("", path) for one in files for path in one.paths(key)]


# --- scripts -----------------------------------------------------------------------------------


def _configs(
    declared: Mapping[str, Declared], files: Mapping[str, Sequence[str]], named: Mapping[str, Sequence[str]]
) -> dict[str, Config]:
    """The options of each folder: those of its tsconfig.json, or where that names no modules of one beside it."""
    others = sorted(name for name in files if name.startswith("tsconfig.") and name.endswith(".json"))
    made: dict[tuple[str, str], Patterns] = {}
    found: dict[str, Config] = {}
    for name in (*SCRIPT_CONFIGS, *others):
        for path in files.get(name, ()):
            folder = path.rpartition("/")[0]
            if folder not in found or not (found[folder].patterns.exact or found[folder].patterns.stars):
                one = _config(path, declared, named, made)
                if folder not in found or one.patterns.exact or one.patterns.stars:
                    found[folder] = one
    return found


def _config(
    path: str,
    declared: Mapping[str, Declared],
    named: Mapping[str, Sequence[str]],
    made: dict[tuple[str, str], Patterns],
) -> Config:
    """The options of one file; `made` keeps the patterns that many files may share."""
    chain = _chain(path, declared, named)

    def first(key: str) -> list[str]:
        return next((found for one in chain if (found := declared[one].paths(key))), [])

    base = next(iter(first("baseUrl")), None)
    origin = next((one for one in chain if "paths" in declared[one].named), None)
    patterns = Patterns({}, ())
    if origin is not None:
        seen_from = declared[origin].folder if base is None else base
        if (origin, seen_from) not in made:
            made[origin, seen_from] = _patterns(declared[origin].named["paths"], seen_from)
        patterns = made[origin, seen_from]
    return Config(base, patterns, first("rootDirs"), *(next(iter(first(key)), None) for key in ("rootDir", "outDir")))


def _chain(path: str, declared: Mapping[str, Declared], named: Mapping[str, Sequence[str]]) -> list[str]:
    """A file and those that it extends, the one that decides first; the last of a list decides over the others."""
    found: list[str] = []
    stack = [path]
    while stack and len(found) < LONGEST_CHAIN:
        one = stack.pop()
        if one in declared and one not in found:
            found.append(one)
            bases = declared[one].values.get("extends", ())[-LONGEST_CHAIN:]
            stack += [path for base in bases for path in _extended(declared[one].folder, base, named)]
    return found


def _extended(folder: str, value: str, named: Mapping[str, Sequence[str]]) -> list[str]:
    """The paths that `extends` may mean: a file, or one of a package of this repository."""
    place = join(folder, value) if value.startswith(".") else None
    if not value.startswith("."):
        name, rest = package_name(value)
        home = next(iter(by_distance(folder, named.get(name, ()))), None)
        place = None if home is None else below(home, rest)
    return [] if place is None else [place, f"{place}.json", below(place, "tsconfig.json")]


def package_name(module: str) -> tuple[str, str]:
    """A bare module as the name of a package and the path in it: `@a/b/c/d` is `@a/b` and `c/d`."""
    parts = module.split("/")
    size = 2 if module.startswith("@") else 1
    return "/".join(parts[:size]), "/".join(parts[size:])


def _package(found: Declared) -> Package:
    maps = [_patterns(found.named.get(key, {}), found.folder) for key in ("exports", "imports")]
    return Package(found.folder, found.paths("main"), *maps)


def _patterns(found: Mapping[str, Sequence[str]], folder: str) -> Patterns:
    """Patterns whose targets are paths seen from a folder. One that ends in `/` stands for all below."""
    exact, stars = {}, []
    for pattern, values in found.items():
        many = pattern.endswith("/")
        start, star, end = (f"{pattern}*" if many else pattern).partition("*")
        targets = _within(folder, [f"{value}*" if many else value for value in values if value != "*"])
        targets += [below(folder, "*")] * ("*" in values)
        if star:
            stars.append((start, end, targets))
        else:
            exact[pattern] = targets
    stars.sort(key=lambda star: (-len(star[0]), star[0], star[1]))
    return Patterns(exact, stars[:MOST_PATTERNS])


# --- Python, Rust, PHP -------------------------------------------------------------------------


def _source_roots(found: Sequence[Declared]) -> dict[str, list[str]]:
    """The roots of each project: what is declared, then `src`, then its own folder."""
    roots: dict[str, list[str]] = {}
    for one in found:
        roots.setdefault(one.folder, []).extend(one.paths("root"))
    return {folder: list(dict.fromkeys([*some, below(folder, "src"), folder])) for folder, some in roots.items()}


def rust_targets(files: Iterable[str], crates: Mapping[str, Declared]) -> frozenset[str]:
    """The files that Cargo compiles by themselves, so that `crate` means them."""
    named = {path for one in crates.values() for key in ("main", "target") for path in one.paths(key)}
    found = set()
    for path in files:
        home = above(crates, path.rpartition("/")[0])
        if path in named or (home is not None and _TARGET.fullmatch(inside(home.folder, path) or "")):
            found.add(path)
    return frozenset(found)


def _spaces(files: Iterable[Declared]) -> dict[str, list[str]]:
    """The folders of each namespace. By PSR-0 they lie as deep as the namespace is long."""
    files = list(files)
    deep = [(name, below(folder, name.replace("\\", "/"))) for name, folder in _about(files, "psr-0")]
    return grouped([*_about(files, "psr-4"), *deep])


def _complete(found: Declared) -> bool:
    return "classmap" not in found.values and ("psr-4" in found.named or "psr-4" in found.values)
