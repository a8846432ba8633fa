"""Which language is this, and what does the table say about it?

A language is a row of `languages.toml`. The path alone decides the key that facts are stored
under; where a name says too little ("auto", "header") the text decides between the languages.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from repoctx.errors import UsageError

AUTO = "auto"
TEXT = "text"

HEAD_BYTES = 65_536
"""How far `resolve` looks for a variant's marks: enough to pass the licence and the includes."""


@dataclass(frozen=True, slots=True)
class Language:
    """One row of `languages.toml`; its head comment describes the fields."""

    name: str
    extensions: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    marks: str = ""
    grammar: str = ""
    function: str = "language"
    queries: tuple[str, ...] = ()
    comments: str = ""
    imports: str = ""
    binds: str = ""
    separators: tuple[str, ...] = ()
    selves: tuple[str, ...] = ()
    builtins: tuple[str, ...] = ()
    constructors: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    capitals: bool = False
    clauses: bool = False
    transparent: tuple[str, ...] = ()
    macros: str = ""
    sections: str = ""
    project: str = ""


def _read_rows() -> Mapping[str, Language]:
    text = (resources.files(__package__) / "languages.toml").read_text("utf-8")
    rows: dict[str, Language] = {}
    for columns in tomllib.loads(text)["language"]:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in columns.items()
        }
        rows[values["name"]] = Language(**values)
    return MappingProxyType(rows)


LANGUAGES: Mapping[str, Language] = _read_rows()

_BY_FILE = {name: row.name for row in LANGUAGES.values() for name in row.files}
_BY_EXTENSION = {extension: row.name for row in LANGUAGES.values() for extension in row.extensions}
_BY_INTERPRETER = {name: row.name for row in LANGUAGES.values() for name in (*row.interpreters, row.name)}
_SHEBANG = re.compile(
    rb"(?:\xef\xbb\xbf)?#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S*\s+)*(?:\S*/)?)?([A-Za-z][\w+-]*)"
)
_MODELINE = re.compile(
    rb"-\*-\s*(?:.*?\bmode:\s*)?([A-Za-z][\w+-]*)\s*(?:;.*)?-\*-|\bvim?:.*?\b(?:ft|filetype|syntax)=(\w+)"
)


def row(name: str) -> Language:
    """The row of a language key, "auto" included (it reads as plain text).

    Raises UsageError for a name that is not in the table.
    """
    try:
        return LANGUAGES[TEXT if name == AUTO else name]
    except KeyError:
        known = ", ".join(sorted(LANGUAGES))
        raise UsageError(f"There is no language {name!r}; the languages are {known}.") from None


def by_path(path: str) -> str:
    """The language key of a path: by its file name, else by its longest extension, else "auto"."""
    name = path.rpartition("/")[2].lower()
    if name in _BY_FILE:
        return _BY_FILE[name]
    at = name.find(".")
    while at >= 0:
        if name[at:] in _BY_EXTENSION:
            return _BY_EXTENSION[name[at:]]
        at = name.find(".", at + 1)
    return _BY_FILE.get(name.partition(".")[0], AUTO)  # Dockerfile.dev, Makefile.am


def by_content(text: bytes) -> str:
    """The language that a text names itself, by its `#!` line or an editor's modeline; else "text"."""
    first, _, rest = text[:1024].partition(b"\n")
    found = _SHEBANG.match(first)
    if not found:
        found = _MODELINE.search(first) or _MODELINE.search(rest.partition(b"\n")[0])
    if not found:
        return TEXT
    name = (found[1] or found[2]).decode().lower()
    return _BY_INTERPRETER.get(name) or _BY_INTERPRETER.get(name.rstrip("0123456789.-"), TEXT)


def resolve(key: str, text: bytes) -> str:
    """The language that a text under this key has: "auto" and keys with variants ask the text."""
    if key == AUTO:
        return by_content(text)
    variants = row(key).variants
    if not variants:
        return key
    head = text[:HEAD_BYTES].decode("latin-1")
    marked = (name for name in variants if LANGUAGES[name].marks and re.search(LANGUAGES[name].marks, head))
    return next(marked, variants[-1])


def decode(raw: bytes) -> bytes:
    """A blob's text: its bytes as valid UTF-8.

    UTF-16 and UTF-32 with a byte order mark are transcoded; bytes that are no UTF-8 are read as
    Windows-1252, or as Latin-1 where that has no such character. All else comes back as it is,
    a byte order mark included.
    """
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
                           (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding, "replace").encode("utf-8", "replace")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return raw.decode("cp1252").encode()
        except UnicodeDecodeError:
            return raw.decode("latin-1").encode()
    return raw


def query_source(language: Language) -> bytes:
    """The bytes of a language's query; empty where it has no symbols."""
    folder = resources.files(__package__) / "queries"
    return b"\n".join([(folder / f"{name}.scm").read_bytes() for name in language.queries])


def styles() -> dict[str, str]:
    """Language -> import style."""
    return {name: language.imports for name, language in LANGUAGES.items()}
