"""Where does everything stand? Families, folders and enclosing symbols of a snapshot, as columns.

Linking works on *nodes*: a symbol row (0 <= node < S), a file (S + f), or a package (S + F + k): the
files of one language family that see each other's top-level names or are imported as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from repoctx.types import KINDS

if TYPE_CHECKING:
    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.types import Ints, Occurrences

# Languages that share symbols; any other language is a family of its own.
FAMILIES: Mapping[str, str] = {
    "javascript": "script", "typescript": "script", "tsx": "script", "jsx": "script",
    "java": "jvm", "kotlin": "jvm", "scala": "jvm", "c": "c", "cpp": "c",
    "ocaml": "ocaml", "ocaml_interface": "ocaml", "objc": "c",
}  # fmt: skip
# In languages of these import styles a file sees nothing that it did not import or define.
CLOSED = frozenset({"dotted", "relative", "crate"})
# Here a bare name may mean a member of the enclosing class, except in the languages of the second set.
IMPLICIT = frozenset({"package", "include", "require"})
_FREE = frozenset({"go", "php", "c", "lua", "bash"})

# Functions inside functions that are climbed to find a class. Names that own each other would have no end.
DEEPEST = 64

CALLABLES = frozenset({"function", "method", "constructor", "property", "macro", "test"})
TYPES = frozenset({"class", "interface", "struct", "union", "enum", "trait", "type", "object", "extension"})
SPACES = frozenset({"module", "namespace"})

_ANONYMOUS = "()."  # in the descriptor of what a function without a name defines

TEST_FOLDER = re.compile(r"(?:^|/)(?:tests?|testing|specs?|__tests__|testdata|e2e)(?:/|$)", re.I)
_TEST_FILE = re.compile(
    r"^(?:test_|tests?\.|conftest\.|spec_)"
    r"|(?:[_.-](?:test|tests|spec|specs|unittest)|(?<=[a-z0-9])(?:Test|Tests|TestCase|Spec))\.[^.]*$"
)
# Folders that hold copies of other people's code, each in a folder of its own.
COPIES = frozenset(
    "third_party thirdparty third-party 3rdparty vendor vendors vendored _vendor _vendored node_modules "
    "bower_components site-packages external externals extern deps _deps Godeps Pods Carthage subprojects".split()
)
# `src/main/java/a` and `src/test/java/a` hold the same package.
_SOURCE_SET = re.compile(r"(?:^|(?<=/))src/[^/]+/(?:java|kotlin|scala)(?=/|$)")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Columns derived from a snapshot's paths and symbols. F files, S symbols, D folders, K packages."""

    symbols: int
    files: int
    nodes: int  # S + F + K
    families: Sequence[str]  # F
    styles: Sequence[str]  # F, import style
    family: Rows  # F, number of the family
    test: Mask  # F, is it a test by its path?
    copy: Rows  # F, number of the vendored copy that it lies in, -1 if in none
    closed: Mask  # F, does it see only what it defines or imports?
    shared: Mask  # F, does it see the top-level names of its package?
    implicit: Mask  # F, may a bare name mean a member of the enclosing class?
    folders: Sequence[str]  # D, sorted
    folder: Rows  # F, index into folders
    depth: Rows  # D
    ancestors: Ints  # (D, depth), number of the folder at each depth, -1 beyond its own
    packages: Mapping[tuple[str, str], int]  # (family, folder) -> node
    package: Rows  # F, node
    file_of: Rows  # one a node, -1 for packages
    callable: Mask  # S
    type: Mask  # S
    space: Mask  # S, is it a namespace or module?
    built: Mask  # S, is it a function to which members are given, so that it constructs?
    container: Mask  # S, has members that a qualifier can name
    owner: Rows  # S, the symbol that it is a member of, -1 if none is known
    top: Mask  # S, is it visible by its bare name in its file?
    holder: Rows  # S, the innermost symbol at or around it that is not callable, -1 if none


def layout(occurrences: Occurrences, styles: Mapping[str, str]) -> Layout:
    """Derive the layout of a snapshot; `styles` maps a language to its import style."""
    o = occurrences
    symbols, files = len(o.symbol_file), len(o.paths)
    families = [FAMILIES.get(language, language) for language in o.languages]
    numbers = {family: i for i, family in enumerate(sorted(set(families)))}
    style = [styles.get(language, "") for language in o.languages]
    parents = [path.rpartition("/")[0] for path in o.paths]
    folders = sorted(set(parents))
    place = {folder: i for i, folder in enumerate(folders)}
    depth, ancestors = _ancestors(folders)
    packages, package = _packages(families, style, parents, symbols + files)
    family = np.array([numbers[name] for name in families], np.int64)
    kinds = {name: _kinds(name)[o.symbol_kind] for name in ("callable", "type", "space")}
    owner, built = _owners(o, family, package, ~kinds["callable"])
    children = np.zeros(symbols, np.bool_)
    children[owner[owner >= 0]] = True
    container = kinds["type"] | kinds["space"] | built | (children & ~kinds["callable"])
    imports = np.bincount(o.import_file, minlength=files)[:files] > 0
    script = np.array([name == "relative" for name in style], np.bool_) & ~imports
    return Layout(
        symbols,
        files,
        symbols + files + len(packages),
        families,
        style,
        family,
        _tests(parents, o.paths),
        _copies(parents),
        np.array([name in CLOSED for name in style], np.bool_) & ~script,
        np.array([name == "package" for name in style], np.bool_),
        np.array(
            [s in IMPLICIT and name not in _FREE for s, name in zip(style, o.languages, strict=True)],
            np.bool_,
        ),
        folders,
        np.array([place[folder] for folder in parents], np.int64),
        depth,
        ancestors,
        packages,
        package,
        np.concatenate([o.symbol_file.astype(np.int64), np.arange(files), np.full(len(packages), -1)]),
        kinds["callable"],
        kinds["type"],
        kinds["space"],
        built,
        container,
        owner,
        _top(o, owner, kinds["space"], kinds["type"]),
        _climb(owner, container),
    )


def distance(where: Layout, one: Array, other: Array) -> Rows:
    """Folders to go up and down between pairs of files."""
    a, b = where.folder[one], where.folder[other]
    around = where.ancestors[a]
    shared = ((around == where.ancestors[b]) & (around >= 0)).sum(axis=1)
    steps: Rows = where.depth[a] + where.depth[b] - 2 * shared
    return steps


def strange(where: Layout, home: Array, user: Array) -> tuple[Mask, Mask]:
    """Which files are (tests for a user that is none, vendored copies for a user outside of them)?"""
    copied: Mask = (where.copy[home] >= 0) & (where.copy[home] != where.copy[user])
    return where.test[home] & ~where.test[user], copied


def copy_of(folder: str) -> str:
    """The vendored copy that a folder lies in: `third_party/zlib` of `third_party/zlib/src`; "" if in none."""
    parts = folder.split("/")
    inner = max((at for at, part in enumerate(parts) if part in COPIES), default=-1)
    return "/".join(parts[: inner + 2]) if inner >= 0 else ""


def _copies(folders: Sequence[str]) -> Rows:
    """The vendored copy of each file, numbered."""
    copies = {folder: copy_of(folder) for folder in dict.fromkeys(folders)}
    number = {copy: row for row, copy in enumerate(sorted(set(copies.values()) - {""}))}
    return np.array([number.get(copies[folder], -1) for folder in folders], np.int64)


def _tests(folders: Sequence[str], paths: Sequence[str]) -> Mask:
    """Which paths look like tests?"""
    inside = {folder: bool(TEST_FOLDER.search(folder)) for folder in set(folders)}
    found = [inside[f] or bool(_TEST_FILE.search(p.rpartition("/")[2])) for f, p in zip(folders, paths, strict=True)]
    return np.array(found, np.bool_)


def _kinds(name: str) -> Mask:
    wanted = {"callable": CALLABLES, "type": TYPES, "space": SPACES}[name]
    return np.array([kind in wanted for kind in KINDS], np.bool_)


def _ancestors(folders: Sequence[str]) -> tuple[Rows, Ints]:
    """Depth of each folder, and the numbers of the folders it lies in."""
    parts = [folder.split("/") if folder else [] for folder in folders]
    depth = np.array([len(p) for p in parts], np.int64)
    ancestors = np.full((len(folders), max(map(len, parts), default=0)), -1, np.int32)
    number: dict[str, int] = {}
    for row, (folder, names) in enumerate(zip(folders, parts, strict=True)):
        end = -1
        for column, name in enumerate(names):
            end += len(name) + 1
            ancestors[row, column] = number.setdefault(folder[:end], len(number))
    return depth, ancestors


def _packages(
    families: Sequence[str], styles: Sequence[str], parents: Sequence[str], first: int
) -> tuple[dict[tuple[str, str], int], Rows]:
    """Number the packages: every folder that holds files of a family, and the folders around those."""
    packages: dict[tuple[str, str], int] = {}
    package = np.empty(len(families), np.int64)
    for row, (family, style, folder) in enumerate(zip(families, styles, parents, strict=True)):
        place = _SOURCE_SET.sub("src", folder) if style == "package" else folder
        package[row] = packages.setdefault((family, place), first + len(packages))
        while style == "dotted" and place and (family, place := place.rpartition("/")[0]) not in packages:
            packages[family, place] = first + len(packages)
    return packages, package


def _owners(o: Occurrences, family: Rows, package: Rows, holds: Mask) -> tuple[Rows, Mask]:
    """The enclosing symbol, or for a method that stands outside its type the symbol of that descriptor.

    And which functions are such types: `function A() {}; A.prototype.b = function () {}`.
    """
    owner, built = o.symbol_parent.astype(np.int64), np.zeros(len(o.symbol_file), np.bool_)
    names = o.names
    outside = np.flatnonzero((owner < 0) & (o.symbol_descriptor != o.symbol_name))
    nested = np.flatnonzero(_kinds("space")[o.symbol_kind[owner]] & _kinds("callable")[o.symbol_kind] & (owner >= 0))
    around = (names[i] for i in o.symbol_descriptor[owner[nested]].tolist())
    own = (names[i].rpartition(".")[0] for i in o.symbol_descriptor[nested].tolist())
    strange = [inner != outer for inner, outer in zip(own, around, strict=True)]  # `namespace n { void A::f() {} }`
    outside = np.concatenate([outside, nested[np.array(strange, np.bool_)]])
    if not len(outside):
        return owner, built
    prefixes = [names[i].rpartition(".")[0] for i in o.symbol_descriptor[outside].tolist()]
    wanted = set(prefixes)
    types: dict[tuple[int, str], list[int]] = {}
    for row, name in zip(np.flatnonzero(holds).tolist(), o.symbol_descriptor[holds].tolist(), strict=True):
        if names[name] in wanted:
            types.setdefault((int(family[o.symbol_file[row]]), names[name]), []).append(row)
    makers = {
        (int(o.symbol_file[row]), names[name]): row
        for row, name in zip(np.flatnonzero(~holds).tolist(), o.symbol_descriptor[~holds].tolist(), strict=True)
        if names[name] in wanted
    }
    for row, prefix in zip(outside.tolist(), prefixes, strict=True):
        file = o.symbol_file[row]
        rows = types.get((int(family[file]), prefix), [])
        near = [r for r in rows if o.symbol_file[r] == file]
        near = near or [r for r in rows if package[o.symbol_file[r]] == package[file]]
        if near or len(rows) == 1:
            owner[row] = (near or rows)[0]
        elif (maker := makers.get((int(file), prefix), row)) != row:
            owner[row] = maker
            built[maker] = True
    return owner, built


def _top(o: Occurrences, owner: Rows, space: Mask, is_type: Mask) -> Mask:
    """Symbols at the top of their file, or in namespaces and modules that are; none of a function without a name."""
    open_ = ~np.array([_ANONYMOUS in name for name in o.names], np.bool_)[o.symbol_descriptor]
    top = open_ & (owner < 0) & ((o.symbol_descriptor == o.symbol_name) | space | is_type)
    while True:
        inside = open_ & ~top & (owner >= 0) & space[owner] & top[owner]
        if not inside.any():
            return np.asarray(top, np.bool_)
        top |= inside


def _climb(owner: Rows, stop: Mask) -> Rows:
    """For each symbol itself or the nearest owner where `stop` holds, -1 if there is none within DEEPEST."""
    at = np.arange(len(owner))
    for _ in range(DEEPEST):
        up = (at >= 0) & ~stop[at]
        if not up.any():
            return at
        at = np.where(up, owner[at], at)
    return np.where((at >= 0) & ~stop[at], -1, at)
