"""Which paths does a glob, an ignore file or an attributes file mean?

The rules are git's (gitignore(5), gitattributes(5)), matched on path bytes. Globs come from
repositories nobody vouches for, so each `*` and `**` becomes an atomic group that takes the earliest
match: within one path segment, and over whole segments, the earliest match leaves every later piece
the most to match, so nothing is lost, and no pattern can make the matcher backtrack. (`pathspec` 1.1.1
takes 272 CPU seconds to match `*a*a*a*a*a*b` against 200 times `a`.)
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Generic, NamedTuple, TypeVar

# More rules than this in one file are a way to make every path expensive.
MAX_RULES = 2_000

T = TypeVar("T")

_CLASS_NAMES = {
    b"alnum": rb"0-9A-Za-z", b"alpha": rb"A-Za-z", b"blank": rb" \t", b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9", b"graph": rb"!-~", b"lower": rb"a-z", b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~", b"space": rb"\t-\r ", b"upper": rb"A-Z", b"xdigit": rb"0-9A-Fa-f",
}  # fmt: skip


class Rule(NamedTuple):
    """One line of an ignore file."""

    regex: re.Pattern[bytes]
    negated: bool
    folders_only: bool
    name_only: bool  # it is matched with the last component alone
    origin: str  # the name of the file that holds it


def glob(pattern: bytes) -> re.Pattern[bytes] | None:
    """The expression whose `fullmatch` a path must have; None if the pattern can match nothing."""
    segments = _segments(pattern)
    if segments is None:
        return None
    groups: list[list[bytes]] = [[]]
    for segment in segments:
        if segment is None:
            groups.append([])
        else:
            groups[-1].append(segment)
    first, *middle = groups
    if not middle:
        return re.compile(b"/".join(first), re.DOTALL)
    last = middle.pop()
    pieces = [b"/".join(first) + b"/" if first else b""]
    pieces += [b"(?>(?:[^/]+/)*?" + b"/".join(group) + b"/)" for group in middle if group]
    pieces.append(b"(?:[^/]+/)*" + b"/".join(last) if last else b".+")
    return re.compile(b"".join(pieces), re.DOTALL)


def _segments(pattern: bytes) -> list[bytes | None] | None:
    """One expression for each component of a pattern, None standing for `**`."""
    segments: list[bytes | None] = []
    pieces: list[bytes] = [b""]  # fixed pieces of the component, a run of stars between each two
    stars = at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"\\":
            char = pattern[at : at + 1]
            at += 1
            if not char:
                return None
            if char != b"/":
                pieces[-1] += re.escape(char)
                continue
        if char == b"/":
            segments.append(_segment(pieces, stars))
            pieces, stars = [b""], 0
        elif char == b"*":
            run = len(pattern) - at - len(pattern[at:].lstrip(b"*"))
            stars = run + 1
            pieces.append(b"")
            at += run
        elif char == b"?":
            pieces[-1] += b"[^/]"
        elif char == b"[":
            bracket, at = _bracket(pattern, at)
            if not bracket:
                return None
            pieces[-1] += bracket
        else:
            pieces[-1] += re.escape(char)
    segments.append(_segment(pieces, stars))
    return segments


def _segment(pieces: list[bytes], stars: int) -> bytes | None:
    if pieces == [b"", b""] and stars > 1:
        return None
    first, *rest = pieces
    if not rest:
        return first
    *middle, last = rest
    return first + b"".join(b"(?>[^/]*?" + piece + b")" for piece in middle) + b"[^/]*" + last


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int]:
    """The expression of the class that opens before `at`, and where it ends; b"" if it is broken."""
    negated = pattern[at : at + 1] in (b"!", b"^") and bool(pattern[at : at + 1])
    at += negated
    start, members = at, b""
    while True:
        char, name = pattern[at : at + 1], re.compile(rb"\[:([a-z]*):\]").match(pattern, at)
        if not char:
            return b"", at
        if char == b"]" and at > start:
            break
        if name:
            if name[1] not in _CLASS_NAMES:
                return b"", at
            members += _CLASS_NAMES[name[1]]
            at = name.end()
            continue
        low, at = _member(pattern, at)
        if pattern[at : at + 1] == b"-" and pattern[at + 1 : at + 2] not in (b"]", b""):
            high, at = _member(pattern, at + 1)
            if low <= high:
                members += re.escape(low) + b"-" + re.escape(high)
        else:
            members += re.escape(low)
    if not members:  # only ranges that run backwards
        return (b"[^/]" if negated else b"(?!)"), at + 1
    return b"(?!/)[" + (b"^" if negated else b"") + members + b"]", at + 1


def _member(pattern: bytes, at: int) -> tuple[bytes, int]:
    at += pattern[at : at + 1] == b"\\"
    return pattern[at : at + 1], at + 1


def rule(line: bytes, origin: str) -> Rule | None:
    """The rule that one line of an ignore file states; None for blank lines and comments."""
    if line.startswith(b"#"):
        return None
    body = re.sub(rb"(?<!\\)((?:\\\\)*) +\Z", rb"\1", line)
    negated = body.startswith(b"!")
    body = body[negated:]
    folders_only = body.endswith(b"/")
    body = body.removesuffix(b"/")
    name_only = b"/" not in body
    regex = glob(body.removeprefix(b"/")) if body else None
    return Rule(regex, negated, folders_only, name_only, origin) if regex else None


def lines(text: bytes) -> list[bytes]:
    """The lines of a rule file, without line ends and byte order mark."""
    return [line.removesuffix(b"\r") for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n")]


class _ByFolder(Generic[T]):
    """Lines of rule files, by the folder that holds the file."""

    def __init__(self) -> None:
        self._lines: dict[bytes, list[T]] = {}
        self._applying: dict[bytes, tuple[bytes, ...]] = {}  # folder -> those that speak of it, deepest first

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, folder: bytes, lines: list[T]) -> None:
        """Append to the lines of a folder."""
        if lines:
            self._lines.setdefault(folder, []).extend(lines)
            self._applying = {}

    def about(self, path: bytes) -> Iterator[tuple[bytes, T]]:
        """The path as its line's folder sees it, and the line; the line that counts most comes first."""
        for folder in self._folders(path.rpartition(b"/")[0]):
            below = path[len(folder) + 1 :] if folder else path
            for line in reversed(self._lines[folder]):
                yield below, line

    def _folders(self, folder: bytes) -> tuple[bytes, ...]:
        top = (b"",) if b"" in self._lines else ()
        for part in _unknown(folder, self._applying):
            above = self._applying.get(part.rpartition(b"/")[0], top)
            self._applying[part] = (part, *above) if part in self._lines else above
        return self._applying.get(folder, top)


def _unknown(folder: bytes, known: Container[bytes]) -> list[bytes]:
    """The folder and those above it that are not known yet, from the top down; the top (b"") always is."""
    found = []
    while folder and folder not in known:
        found.append(folder)
        folder = folder.rpartition(b"/")[0]
    return found[::-1]


class IgnoreRules:
    """The ignore files of one source: `add` each, then ask. Later lines and deeper files win."""

    def __init__(self) -> None:
        self._rules: _ByFolder[Rule] = _ByFolder()
        self._outermost: dict[bytes, tuple[bytes, str] | None] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, folder: bytes, text: bytes, origin: str) -> None:
        """Take the rules of one file, which count for the paths below `folder` (b"" is the top)."""
        self._rules.add(folder, [parsed for line in lines(text) if (parsed := rule(line, origin))])
        self._outermost = {}

    def verdict(self, path: bytes, is_folder: bool) -> str | None:
        """The name of the file that ignores this very path, its parents left aside; None if none does."""
        name = path.rpartition(b"/")[2]
        for below, (regex, negated, folders_only, name_only, origin) in self._rules.about(path):
            if (is_folder or not folders_only) and regex.fullmatch(name if name_only else below):
                return None if negated else origin
        return None

    def outermost(self, folder: bytes) -> tuple[bytes, str] | None:
        """The outermost ignored folder that is or holds `folder`, and the file that says so."""
        for part in _unknown(folder, self._outermost):
            above = self._outermost.get(part.rpartition(b"/")[0])
            origin = None if above else self.verdict(part, is_folder=True)
            self._outermost[part] = above or ((part, origin) if origin else None)
        return self._outermost.get(folder)


ATTRIBUTES = (b"linguist-generated", b"linguist-vendored")


_ATTRIBUTE = re.compile(rb"([-!]?)([A-Za-z0-9._][A-Za-z0-9._-]*)(?:=(.*))?")
_STATES: dict[bytes, bool | None] = {b"-": False, b"!": None}


class AttributeRule(NamedTuple):
    """One line of an attributes file."""

    regex: re.Pattern[bytes]
    name_only: bool
    values: dict[bytes, bool | None]


class Attributes:
    """What the `.gitattributes` files of one source say of ATTRIBUTES.

    `binary`, `-diff` and `-text` are not read: `* binary` is a common way to turn line end
    conversion off, and bytes show for themselves whether they are binary.
    """

    def __init__(self) -> None:
        self._rules: _ByFolder[AttributeRule] = _ByFolder()

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, folder: bytes, text: bytes) -> None:
        """Take the lines of one file, which count for the paths below `folder` (b"" is the top)."""
        if any(attribute in text for attribute in ATTRIBUTES):
            self._rules.add(folder, [parsed for line in lines(text) if (parsed := _attribute_line(line))])

    def of(self, path: bytes) -> dict[bytes, bool | None]:
        """True (set), False (unset) or None (unspecified) for the attributes that were found."""
        name = path.rpartition(b"/")[2]
        found: dict[bytes, bool | None] = {}
        for below, (regex, name_only, values) in self._rules.about(path):
            if not values.keys() <= found.keys() and regex.fullmatch(name if name_only else below):
                found = values | found
        return found


def _attribute_line(line: bytes) -> AttributeRule | None:
    line = line.strip(b" \t\r")
    if line.startswith(b'"'):
        quoted = re.match(rb'"((?:[^"\\]|\\.)*)"(.*)', line, re.DOTALL)
        pattern, rest = (_unquote(quoted[1]), quoted[2]) if quoted else (b"", b"")
    else:
        pattern, _, rest = line.replace(b"\t", b" ").partition(b" ")
    if not pattern or pattern.startswith((b"#", b"!", b"[attr]")) or pattern.endswith(b"/"):
        return None
    words = [_ATTRIBUTE.fullmatch(word) for word in rest.split()]
    values = {
        word[2]: _STATES.get(word[1], word[3] != b"false") for word in words if word and word[2] in ATTRIBUTES
    }
    regex = glob(pattern.removeprefix(b"/")) if values and all(words) else None
    return AttributeRule(regex, b"/" not in pattern, values) if regex else None


def _unquote(text: bytes) -> bytes:
    """The bytes of a C-quoted path."""
    single = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
    return re.sub(
        rb"\\([0-3][0-7]{2}|.)",
        lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else single.get(m[1], m[1]),
        text,
        flags=re.DOTALL,
    )
