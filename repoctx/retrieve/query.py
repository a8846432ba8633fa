"""What does a request ask for? One `Query` from free text of any length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from repoctx.errors import UsageError
from repoctx.index.lexical import terms
from repoctx.retrieve import report
from repoctx.retrieve.diff import FileChange
from repoctx.retrieve.frames import Frame
from repoctx.retrieve.report import Reading

Kind = Literal["symbol", "question", "report", "trace", "diff"]

# What is looked for, the first ones of a long text: each costs up to a millisecond.
MOST_TERMS, MOST_NAMES, MOST_PATHS, MOST_QUOTED = 500, 500, 200, 100
# Names that are asked for by themselves: more are a sentence.
FEW_NAMES = 5
# Words up to which a text is a question: two sentences.
QUESTION = 40
# Words beside a trace up to which the trace is what is asked about: a title and a sentence.
BESIDE_TRACE = 30
# A long text is about tests if it speaks of them more than once, and once in so many words.
TESTS_EVERY = 40

# Words of English that say nothing about code. Words that are also code (if, for, not, with, is)
# stay out of the list only where code search needs them.
STOP_WORDS = frozenset(
    "a an and are as at be been but by can could did do does done for from get gets got had has have how i if in "
    "into is it its may me my no not of on or our should so some such than that the their them then there these "
    "they this those to too us use used uses using very was we were what when where which while who why will with "
    "would you your".split()
)

# Letters of names: code next to words of Chinese, Japanese or Korean has no space between.
_LETTER = "A-Za-z_\u00c0-\u024f\u0370-\u04ff"
_BACKTICKED = re.compile(r"`([^`\n]{1,200})`")
_QUOTED = re.compile(
    r"\"([^\"\n]{3,200})\"|(?<!\w)'([^'\n]{3,200})'(?!\w)|[\u201c\u201e]([^\u201c-\u201e\n]{3,200})[\u201c\u201d]"
)
# What may be a path: file.ext, dir/file, dir/file.ext:12:3. Bounded, and only from its first character on, so
# that no text makes the search quadratic.
_PATH_LIKE = re.compile(
    r"(?<![\w./\\@+:-])(?:[A-Za-z]:[/\\])?[\w./\\@+-]{2,300}+(?:(?::\d{1,9})+|\(\d{1,9}(?:,\d{1,9})?\))?"
)
_LINE = re.compile(r"(?::(\d{1,9})(?::\d{1,9})*|\((\d{1,9})(?:,\d{1,9})?\))$")
_CJK = re.compile(r"[\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]+")
_URL = re.compile(r"\b(?:https?|ftp|git|ssh)://[^\s<>\"'`)\]]{1,1000}")
# A file on a forge: its reference is one word.
_ON_FORGE = re.compile(
    r".*?/(?:-/)?(?:blob|blame|raw|src/(?:branch|commit|tag))/[^/]+/([^?#]+)(?:[^#]*#(?:L|lines-)(\d{1,9}))?"
)
# a.b, a::b, A#b, snake_case, camelCase, CamelCase, CONSTANT_CASE, call().
_DOTTED = re.compile(
    rf"(?<![{_LETTER}\d])[{_LETTER}][{_LETTER}\d]{{0,200}}+(?:(?:\.|::|#|->)[{_LETTER}][{_LETTER}\d]{{0,200}}+)+"
)
_CASED = re.compile(
    rf"(?<![{_LETTER}\d])(?:[{_LETTER}][{_LETTER}\d]{{0,200}}_[{_LETTER}\d]+|_[{_LETTER}\d]+|[a-z]+[A-Z][{_LETTER}\d]*|"
    rf"[A-Z][a-z0-9]+[A-Z][{_LETTER}\d]*|[A-Z]{{2,40}}[a-z]{{2}}[{_LETTER}\d]*)"
)
_CALLED = re.compile(rf"(?<![{_LETTER}\d])([{_LETTER}][{_LETTER}\d]{{0,200}}+)\(")
_CALLED_DOTTED = re.compile(rf"{_DOTTED.pattern}(?=\()")
_DEFINED = re.compile(
    rf"\b(?:def|class|function|func|fn|fun|interface|struct)\s{{1,4}}([{_LETTER}][{_LETTER}\d]{{0,200}})"
)
_WORD = re.compile(rf"[{_LETTER}][{_LETTER}\d]*")
_COUNTED = re.compile(r"\w+")
# What looks like a name, or is one only in a language that has no such keyword.
_NO_NAMES = frozenset(
    "class const def elif else except false for from function if import in is let new nil none not null or return "
    "self this true try undefined var while e.g i.e".split()
)

# Imports: (module, what of it), or a module alone.
_FROM = re.compile(r"\bfrom\s{1,8}([\w.]{1,200})\s{1,8}import\s{1,8}(?:\(([^()]{1,2000})\)|([^\n(;#]{1,500}))")
_IMPORT = re.compile(
    r"(?m)^\W{0,12}(?:import|using)\s{1,8}(?:static\s)?([\w.]{1,200}(?:\s{0,4},\s{0,4}[\w.]{1,200}){0,20})"
    r"(?=\s{0,4}(?:[;,#]|$|as\s|from\s))"
)
_USE = re.compile(r"(?m)^\W{0,12}(?:pub )?use\s{1,8}((?:\w{1,100}(?:::|\\)){1,12})(\w{1,100}|\{[^{}]{1,1000}\})")
_JS_FROM = re.compile(r"\bimport\s{1,8}(?:type\s)?([\w\s,{}*$]{1,1000}?)\s{1,8}from\s{1,8}[\"']([^\"'\n]{1,200})[\"']")
_REQUIRE = re.compile(r"\b(?:require|require_relative|import)\b\s{0,4}\(?\s{0,4}[\"']([^\"'\n]{1,200})[\"']")
_ABOUT_TESTS = re.compile(r"(?<![\w./:])(?<!--)(?:tests?|specs?|fixtures?|mocks?)(?![\w/]|\.\w|::)", re.IGNORECASE)
# Endings that make `name.ending` a file and not an attribute.
_FILE_ENDINGS = frozenset(
    "bash c cc cfg cpp cs css csv cxx go gradle h hh hpp html ini java js json jsx kt lua m md mjs php pl proto py "
    "pyi rb rs rst scala sh sql svelte swift toml ts tsx txt vue xml yaml yml zig".split()
)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed request. Without boilerplate, except in `text`; nothing in it has control characters."""

    text: str  # as it came, cut where it is too long, without what cannot be seen
    kind: Kind
    title: str  # the first line that says something; all of a text of one line
    terms: tuple[str, ...]  # distinct, sorted, without stop words
    title_terms: tuple[str, ...]  # those of them that are in the title
    frequency: tuple[tuple[str, int], ...]  # how often each term occurs, sorted by term
    identifiers: tuple[str, ...]  # names of code as written, separators as ".": "Store.load", "load"; sorted
    marked: tuple[str, ...]  # those in backticks or the title, and those that a block of code imports or calls
    paths: tuple[tuple[str, int], ...]  # (path as written, line or 0), sorted; those of frames too
    frames: tuple[Frame, ...]  # distinct, innermost first
    errors: tuple[str, ...]  # "ValueError: x is not y", in order, distinct
    quoted: tuple[str, ...]  # sorted
    failing: tuple[str, ...]  # ids of failing tests as their runner writes them
    changes: tuple[FileChange, ...]  # of a unified diff
    about_tests: bool  # whether tests are what it asks about


def parse(text: str) -> Query:
    """Read a request. Raises UsageError if there is nothing to search for."""
    reading = report.read(text)
    title = _URL.sub(" ", reading.title)
    prose, code, shown, errors = (
        _URL.sub(" ", "\n".join(lines)) for lines in (reading.prose, reading.code, reading.shown, reading.errors)
    )
    tested = list(_tested(reading.failures.failing))
    kept = "\n".join((prose, code, shown, errors, *tested)).strip()
    alone = _alone(reading)
    kind = _kind(reading, prose, kept, bool(alone))
    names, marked = _names(title, prose, code, f"{shown}\n{errors}")
    asked = _with_ends(word for word in alone if "/" not in word and "\\" not in word)
    asked |= _with_ends(test for test in tested if _WORD.fullmatch(test) or _DOTTED.fullmatch(test))
    names, marked = asked | names, asked | marked
    places = _places(reading, kept)
    counts, titled = _terms(kept or ("" if places else reading.text), title, kind, names)
    if not (counts or places or names or reading.failures.frames):
        raise UsageError("the query has no words or names in it: say what you are looking for")
    chosen = list(dict.fromkeys([*marked, *names]))[:MOST_NAMES]
    return Query(
        text=reading.text,
        kind=kind,
        title=reading.title,
        terms=tuple(counts),
        title_terms=tuple(term for term in counts if term in titled),
        frequency=tuple(counts.items()),
        identifiers=tuple(sorted(chosen)),
        marked=tuple(sorted(name for name in chosen if name in marked)),
        paths=tuple(sorted(places)),
        frames=reading.failures.frames,
        errors=reading.failures.errors,
        quoted=tuple(sorted(_quoted(f"{prose}\n{errors}"))),
        failing=reading.failures.failing,
        changes=reading.changes,
        about_tests=_about_tests(title, prose, kind),
    )


def _kind(reading: Reading, prose: str, kept: str, is_names: bool) -> Kind:
    failures = reading.failures
    if 2 * reading.changed >= reading.lines and reading.changes:
        return "diff"
    mostly = failures.failing or (failures.frames and 2 * reading.traced >= reading.lines)
    if mostly and len(_COUNTED.findall(prose)) <= BESIDE_TRACE:
        return "trace"
    if is_names:
        return "symbol"
    many = len(_COUNTED.findall(kept)) > QUESTION
    shows = reading.code or reading.shown or failures.frames or failures.messages or reading.changes
    return "report" if many or (reading.lines > 1 and shows) else "question"


# --- words ---------------------------------------------------------------------------------------


def _terms(kept: str, title: str, kind: Kind, names: Iterable[str]) -> tuple[dict[str, int], set[str]]:
    """How often each term occurs, sorted by term, and the terms of the title.

    Numbers of long texts are data. Of too many terms those of the title are first, then those of names.
    """
    titled = set(terms(title))
    found = Counter(terms(kept))
    for term in titled:
        found.setdefault(term, 1)
    long = kind not in ("symbol", "question")
    counts = {
        term: count
        for term, count in found.items()
        if term not in STOP_WORDS and not (long and term.isdigit() and term not in titled)
    }
    counts = counts or dict(found)
    if len(counts) > MOST_TERMS:
        named = set(terms(" ".join(names)))
        order = sorted(counts, key=lambda term: (term not in titled, term not in named, -counts[term], term))
        counts = {term: counts[term] for term in order[:MOST_TERMS]}
    return dict(sorted(counts.items())), titled


def _quoted(text: str) -> list[str]:
    return list(dict.fromkeys(next(filter(None, groups)) for groups in _QUOTED.findall(text)))[:MOST_QUOTED]


def _about_tests(title: str, prose: str, kind: Kind) -> bool:
    told = len(_ABOUT_TESTS.findall(prose))
    often = told > 1 and told * TESTS_EVERY >= len(_COUNTED.findall(prose))
    return often or (told > 0 and kind in ("symbol", "question")) or bool(_ABOUT_TESTS.search(title))


# --- names ---------------------------------------------------------------------------------------


def _names(title: str, prose: str, code: str, other: str) -> tuple[dict[str, None], dict[str, None]]:
    """Names in a text, and those of them that are marked, in order, each followed by its last part."""
    ticked: dict[str, None] = {}
    for span in _BACKTICKED.findall(prose):
        if not (_place(span) or _URL.match(span)):
            ticked |= dict.fromkeys([*_DOTTED.findall(span), *_WORD.findall(span)])
    called = [*_CALLED_DOTTED.findall(code), *_CALLED.findall(code)]
    defined = set(_DEFINED.findall(code))
    marks = [*_written(title), *ticked, *_imported(code), *_imported(prose)]
    marked = _with_ends([*marks, *(name for name in called if name not in defined)])
    return marked | _with_ends([*_written(prose), *_written(code), *_written(other)]), marked


def _written(text: str) -> list[str]:
    """Names that look like code."""
    return [*_DOTTED.findall(text), *_CASED.findall(text), *_CALLED.findall(text)]


def _with_ends(written: Iterable[str]) -> dict[str, None]:
    found: dict[str, None] = {}
    for name in dict.fromkeys(written):
        plain = name.replace("::", ".").replace("#", ".").replace("->", ".").replace("\\", ".").strip(".")
        end = plain.rpartition(".")[2]
        is_file = plain.count(".") == 1 and end.lower() in _FILE_ENDINGS
        if not is_file and plain.lower() not in _NO_NAMES:
            found |= dict.fromkeys(part for part in (plain, end) if part and part.lower() not in _NO_NAMES)
    return found


def _tested(failing: Iterable[str]) -> Iterator[str]:
    """What ids of failing tests say beside their paths: names, or the words of a sentence."""
    for test in failing:
        for part in re.split("::| \u203a ", re.sub(r"[\[(].*", "", test)):
            if "." not in part or not _place(part):
                yield from (piece.strip() for piece in part.split("/"))


def _imported(text: str) -> Iterator[str]:
    """What a text imports: modules, and their names with and without the module."""
    groups = [(module, many or one) for module, many, one in _FROM.findall(text)]
    groups += [(module.strip("\\:"), names) for module, names in _USE.findall(text)]
    groups += [(module, names) for names, module in _JS_FROM.findall(text)]
    groups += [(module, "") for modules in _IMPORT.findall(text) for module in modules.split(",")]
    groups += [(module, "") for module in _REQUIRE.findall(text)]
    for written, names in groups:
        module = re.sub(r"[/\\]|::", ".", written.strip().lstrip("./@"))
        yield module
        for name in re.split(r"[,{}\s]+", re.sub(r"\bas\s+\w+|[\\'\"()*]|\btype\b", " ", names)):
            if _WORD.fullmatch(name):
                yield f"{module}.{name}" if module else name


def _alone(reading: Reading) -> list[str]:
    """The names that are all of a text; none if there is something else in it."""
    words = [word.strip("`'\"(),;?") for word in reading.text.split()] if len(reading.text) < 1000 else []
    if not 0 < len(words) <= FEW_NAMES or reading.failures.roles:
        return []
    if len(words) == 1:
        return words if _WORD.fullmatch(words[0]) or _is_name(words[0]) else []
    return words if all(map(_is_name, words)) else []


def _is_name(word: str) -> bool:
    return bool(_DOTTED.fullmatch(word) or _CASED.fullmatch(word) or _place(word))


# --- paths ---------------------------------------------------------------------------------------


def _places(reading: Reading, kept: str) -> list[tuple[str, int]]:
    """Paths with lines: those of frames, of links to a forge, and what looks like one."""
    found = {(frame.path, frame.line): None for frame in reading.failures.frames if frame.path}
    framed = {path for path, _ in found}
    written = "\n".join((*reading.prose, *reading.code, *reading.errors))
    for url in _URL.findall(written):
        if linked := _ON_FORGE.match(url):
            found[linked[1], int(linked[2] or 0)] = None
    kept = "\n".join((kept, *(test.partition("::")[0] for test in reading.failures.failing if "::" in test)))
    likes = [like for like in _PATH_LIKE.findall(kept) if "/" in like or "." in like or "\\" in like]
    for like in dict.fromkeys(likes):
        pieces = [like, *_CJK.split(like)] if _CJK.search(like) else [like]
        places = [place for piece in pieces if (place := _place(piece)) and place[0] not in framed]
        found |= dict.fromkeys(places)
    return list(found)[:MOST_PATHS]


def _place(written: str) -> tuple[str, int] | None:
    """The path and line of what may be one; None if it is rather a number, a URL or an attribute."""
    numbers = _LINE.search(written)
    path = (written[: numbers.start()] if numbers else written).rstrip(".-+:")
    windows = "\\" in path
    path = path.replace("\\", "/")
    name, _, ending = path.rpartition("/")[2].rpartition(".")
    is_file = bool(name) and ending.lower() in _FILE_ENDINGS
    if "//" in path or not any(c.isalpha() for c in path) or (windows and not is_file):
        return None
    if "/" not in path.strip("/") and not is_file:
        return None
    return path, int((numbers[1] or numbers[2]) if numbers else 0)
