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
    for token in _TOKEN.finditer(tree):
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
    found: dict[tuple[int, str], Imported] = {}
    for _, matches in about(answers, "import"):
        for captures in matches:
            for item in _read(captures, text, language):
                if len(item.module) <= LONGEST_MODULE and len(item.name) <= LONGEST_MODULE:
                    found.setdefault((item.start, item.alias), item)
    return sorted(found.values())


def _read(captures: Captures, text: Text, language: Language) -> Iterator[Imported]:
    def written(name: str) -> str:
        return text.piece(captures[name][0].start_byte, captures[name][0].end_byte) if name in captures else ""

    def place(*names: str) -> Node:
        return next(captures[name][0] for name in names if name in captures)

    if "import.tree" in captures:
        node = captures["import.tree"][0]
        yield from braced(text.source[node.start_byte : node.end_byte], node.start_byte, language.separators[0])
        return
    module, name, alias = unquoted(written("module")), unquoted(written("import.name")), written("import.alias")
    at = place("import.name", "import.default", "import.everything", "module", "import")
    if "import.everything" in captures:
        name, alias = "*", ""
    elif "import.default" in captures:
        name, alias = "default", written("import.default")
    elif name:
        alias = alias or name
    elif not alias:
        alias = _bound(module, language.binds)
    elif alias in ("_", "."):  # Go: for its effects alone, and everything
        name, alias = ("*" if alias == "." else ""), ""
    yield Imported(at.start_byte, module, name, alias)


def _bound(module: str, binds: str) -> str:
    """The name that importing a whole module binds by itself."""
    if binds == "first":
        return module.partition(".")[0]
    if binds == "last":
        return _VERSION.sub("", module).rpartition("/")[2].rpartition(".")[2]
    return ""
