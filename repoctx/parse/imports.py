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
_KEYWORD = re.compile(r"import\s+")
_EVERYTHING = ("*", "_", "given")


class Imported(NamedTuple):
    """One imported name and the offset where it stands."""

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
                yield _leaf(at, prefix + path, alias, separator)
            path, alias, renaming = "", "", False
            if word == "}" and stack:
                prefix = stack.pop()
        elif word in ("as", "=>"):
            renaming = True
        elif not word.isspace() and not word.startswith(("/*", "//")):
            if renaming:
                alias = word
            else:
                path += word
                at = start + token.end() - len(word.rpartition(separator)[2])
    if path:
        yield _leaf(at, prefix + path, alias, separator)


def _leaf(start: int, path: str, alias: str, separator: str) -> Imported:
    module, found, name = path.rpartition(separator)
    if name in _EVERYTHING:
        return Imported(start, module, "*", "")
    if name == "self" and found:
        return Imported(start, module, "", alias or module.rpartition(separator)[2])
    if not found:
        return Imported(start, name, "", alias or name)
    return Imported(start, module, name, "" if alias == "_" else alias or name)


def read_imports(answers: Answers, text: Text, language: Language) -> list[Imported]:
    """Every imported name, by position."""
    found: list[Imported] = []
    for pattern, matches in about(answers, "import"):
        if "import.tree" in pattern.captures:
            for captures in matches:
                node = captures["import.tree"][0]
                found += braced(text.piece(node.start_byte, node.end_byte), node.start_byte, language.separators[0])
        else:
            found += [_read(captures, text, language) for captures in matches]
    found.sort()
    imported: list[Imported] = []
    for item in found:  # the first pattern that names a place wins
        if imported and imported[-1].start == item.start:
            continue
        if len(item.module) <= LONGEST_MODULE and len(item.name) <= LONGEST_MODULE:
            imported.append(item)
    return imported


def _read(captures: Captures, text: Text, language: Language) -> Imported:
    at = captures["import"][0]
    module = name = alias = ""
    if "module" in captures:
        at = captures["module"][0]
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
