"""What does a request ask for? One `Query` from free text of any length."""

from __future__ import annotations

import re
from dataclasses import dataclass

from repoctx.errors import UsageError
from repoctx.index.lexical import terms

# More text than this is cut: a report that long repeats itself, and every term costs time.
LONGEST = 200_000

# Terms and paths looked for, the first ones of a long text: each costs up to a millisecond.
MOST_TERMS, MOST_PATHS = 500, 200

# Words of English that say nothing about code. Words that are also code (if, for, not, with, is)
# stay out of the list only where code search needs them.
STOP_WORDS = frozenset(
    "a an and are as at be been but by can could did do does done for from get gets got had has have how i if in "
    "into is it its may me my no not of on or our should so some such than that the their them then there these "
    "they this those to too us use used uses using very was we were what when where which while who why will with "
    "would you your".split()
)

_BACKTICKED = re.compile(r"`([^`\n]{1,200})`")
_QUOTED = re.compile(r"\"([^\"\n]{3,200})\"|'([^'\n]{3,200})'")
# What may be a path: file.ext, dir/file, dir/file.ext:12:3. Bounded, and only from its first character on, so
# that no text makes the search quadratic.
_PATH_LIKE = re.compile(r"(?<![\w./@+:-])[\w./@+-]{2,300}+(?::\d{1,9})*")
_PYTHON_FRAME = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,9})')
# a.b, a::b, A#b, snake_case, camelCase, CamelCase, CONSTANT_CASE, call().
_DOTTED = re.compile(r"(?<!\w)[A-Za-z_]\w{0,200}+(?:(?:\.|::|#|->)[A-Za-z_]\w{0,200}+)+")
_CASED = re.compile(r"\b(?:[A-Za-z]\w*_\w+|_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z0-9]+[A-Z]\w*)\b")
_CALLED = re.compile(r"\b([A-Za-z_]\w{0,200}+)\(")
_WORD = re.compile(r"[A-Za-z_]\w*")
_ABOUT_TESTS = re.compile(r"\b(tests?|specs?|fixtures?|mocks?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed request."""

    text: str
    terms: tuple[str, ...]  # distinct, sorted, without stop words
    identifiers: tuple[str, ...]  # names of code as written, separators as ".": "Store.load", "load"
    paths: tuple[tuple[str, int], ...]  # (path as written, line or 0)
    quoted: tuple[str, ...]
    about_tests: bool


def parse(text: str) -> Query:
    """Read a request. Raises UsageError if there is nothing to search for."""
    text = text[:LONGEST]
    found = dict.fromkeys(terms(text))
    wanted = [term for term in found if term not in STOP_WORDS][:MOST_TERMS] or list(found)[:MOST_TERMS]
    paths = {(path, int(line)): None for path, line in _PYTHON_FRAME.findall(text)}
    framed = {path for path, _ in paths}
    places = [place for written in _PATH_LIKE.findall(text) if (place := _path(written))]
    paths |= dict.fromkeys(place for place in places if place[0] not in framed)
    names = set(_DOTTED.findall(text)) | set(_CASED.findall(text)) | set(_CALLED.findall(text))
    for ticked in _BACKTICKED.findall(text):
        names |= set(_DOTTED.findall(ticked)) | set(_WORD.findall(ticked))
    stripped = text.strip()
    if _WORD.fullmatch(stripped):  # a query of one word is a name
        names.add(stripped)
    plain = {re.sub(r"::|#|->", ".", name) for name in names}
    plain |= {name.rsplit(".", 1)[1] for name in plain if "." in name}
    if not (wanted or paths or plain):
        raise UsageError("the query has no words or names in it: say what you are looking for")
    quoted = sorted({a or b for a, b in _QUOTED.findall(text)})
    return Query(
        text,
        tuple(sorted(wanted)),
        tuple(sorted(plain)),
        tuple(sorted(list(paths)[:MOST_PATHS])),
        tuple(quoted),
        bool(_ABOUT_TESTS.search(text)),
    )


# Endings that make `name.ending` a file and not an attribute.
_FILE_ENDINGS = frozenset(
    "bash c cc cfg cpp cs css csv cxx go gradle h hh hpp html ini java js json jsx kt lua m md mjs php pl proto py "
    "pyi rb rs rst scala sh sql svelte swift toml ts tsx txt vue xml yaml yml zig".split()
)


def _path(written: str) -> tuple[str, int] | None:
    """The path and line of what may be one; None if it is rather a number, a URL or an attribute."""
    path, _, numbers = written.partition(":")
    path = path.rstrip(".-+")
    ending = path.rpartition("/")[2].rpartition(".")
    if "//" in path or not any(c.isalpha() for c in path):
        return None
    if "/" not in path.strip("/") and not (ending[0] and ending[2].lower() in _FILE_ENDINGS):
        return None
    return path, int(numbers.partition(":")[0] or 0)
