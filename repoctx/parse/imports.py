"""Which names does a blob import, and from where?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tree_sitter import Node

from repoctx.parse.languages import Language
from repoctx.parse.queries import Answers, Captures, about
from repoctx.parse.texts import Text

LONGEST_MODULE = 1000
"""Bytes. A longer "module" is a data URL or an accident."""
DEEPEST_BRACES = 50
"""Braces inside braces of one import: nobody writes more than three."""

_TOKEN = re.compile(r"\s+|/\*.*?\*/|//[^\n]*|[{},]|=>|[^\s{},=]+|=", re.DOTALL)
_VERSION = re.compile(r"[/.]v\d+$")  # Go: the last part of a module path may be its major version
_NAME = re.compile(r"[\w$#`]+")
_WORD = re.compile(r"\w+")
_KEYWORD = re.compile(r"import\s+")
_EVERYTHING = ("*", "_", "given")


class Imported(NamedTuple):
    """One imported name and the offset where it stands. Without a module the blob gives a name of its own another."""

    start: int
    module: str
    name: str
    alias: str


def unquoted(module: str) -> str:
    """A module as written, without quotes and space around it."""
    return module.strip().strip("\"'`").strip()


def braced(tree: str, start: int, separator: str) -> Iterator[Imported]:
    """Every name of an import with nested braces: `a::{b, c::{self, d as e}, f::*}`.

    `start` is the offset of the text. `as` and `=>` rename, and `self` is the module itself.
    """
    stack: list[str] = []
    prefix = path = alias = ""
    at, renaming = start, False
    keyword = _KEYWORD.match(tree)
    for token in _TOKEN.finditer(tree, keyword.end() if keyword else 0):
        word = token[0]
        if word == "{":
            if len(stack) >= DEEPEST_BRACES:
                return
            stack.append(prefix)
            prefix, path, alias, renaming = prefix + path, "", "", False
        elif word in "},":
            if path:
                yield from _leaf(at, prefix + path, alias, separator)
            path, alias, renaming = "", "", False
            if word == "}" and stack:
                prefix = stack.pop()
        elif word in ("as", "=>"):
            renaming = True
        elif not word.isspace() and not word.startswith(("/*", "//")):
            if renaming:
                alias = word
            elif not path or path.endswith(separator) or word.startswith(separator):
                path += word
                at = start + token.end() - len(word.rpartition(separator)[2])
    if path:
        yield from _leaf(at, prefix + path, alias, separator)


def _leaf(start: int, path: str, alias: str, separator: str) -> Iterator[Imported]:
    module, found, name = path.rpartition(separator)
    if name in _EVERYTHING:
        yield Imported(start, module, "*", "")
    elif not _NAME.fullmatch(name):
        return  # broken code
    elif name == "self" and found:
        yield Imported(start, module, "", alias or module.rpartition(separator)[2])
    elif not found:
        yield Imported(start, name, "", alias or name)
    else:
        yield Imported(start, module, name, "" if alias == "_" else alias or name)


class Imports(NamedTuple):
    """The imported names of a blob, by position, and where their names and keywords stand."""

    found: list[Imported]
    places: set[int]  # of local names and of words like `require`: no definitions, no references


def read_imports(answers: Answers, text: Text, language: Language) -> Imports:
    """Every imported name."""
    found: list[Imported] = []
    places: set[int] = set()
    modules: set[int] = set()
    names: set[int] = set()
    for pattern, matches in about(answers, "import"):
        if "import.tree" in pattern.captures:
            for captures in matches:
                node = captures["import.tree"][0]
                if node.start_byte not in modules:
                    tree = text.piece(node.start_byte, node.end_byte)
                    found += braced(tree, node.start_byte, language.separators[0])
                    places.update([node.start_byte + word.start() for word in _WORD.finditer(tree)])
            continue
        words = [name for name in pattern.captures if name == "import.alias" or name.startswith("_")]
        whole = not pattern.captures & {"import.name", "import.default"}
        for captures in matches:
            item = _read(captures, text, language)
            module = _at(captures).start_byte
            if "import.name" in captures:
                if item.start in names:
                    continue  # an earlier pattern has said more about it
                names.add(item.start)
            if whole and ("." in item.module or "::" in item.module):
                places.update([module + word.start() for word in _WORD.finditer(item.module)])
            if module in modules and not (item.name or item.alias):
                continue  # an earlier pattern has said more about it
            modules.add(module)
            found.append(item)
            places.update([captures[name][0].start_byte for name in words if name in captures])
    found.sort()
    longest = max([len(item.module) + len(item.name) for item in found], default=0)
    if longest > LONGEST_MODULE:
        found = [item for item in found if len(item.module) + len(item.name) <= LONGEST_MODULE]
    places.update([item.start for item in found if item.module])
    return Imports(found, places)


def _at(captures: Captures) -> Node:
    """Where an import stands: at its module, or where there is none at its name."""
    return captures["module" if "module" in captures else "import.name"][0]


def _read(captures: Captures, text: Text, language: Language) -> Imported:
    name = alias = module = ""
    at = _at(captures)
    if "module" in captures:
        module = unquoted(text.piece(at.start_byte, at.end_byte))
    if "import.alias" in captures:
        node = captures["import.alias"][0]
        alias = text.piece(node.start_byte, node.end_byte)
    if "import.name" in captures:
        at = captures["import.name"][0]
        name = unquoted(text.piece(at.start_byte, at.end_byte))
        alias = alias or name
    elif "import.everything" in captures:
        at, name, alias = captures["import.everything"][0], "*", ""
    elif "import.default" in captures:
        at, name = captures["import.default"][0], "default"
        alias = text.piece(at.start_byte, at.end_byte)
    elif not alias:
        alias = _bound(module, language.binds)
    elif alias in ("_", "."):  # Go: for its effects alone, and everything
        name, alias = ("*" if alias == "." else ""), ""
    return Imported(at.start_byte, module, name, alias)


def _bound(module: str, binds: str) -> str:
    """The name that importing a whole module binds by itself."""
    if binds == "first":
        return module.partition(".")[0]
    if binds == "last":
        return _VERSION.sub("", module).rpartition("/")[2].rpartition(".")[2]
    return ""
