"""Which parts of a text are secrets? They are cut out before the text leaves this machine.

What secrets look like is data: `resources/secrets.toml`. Three ways lead to one: the form of a vendor's
token or of a URL with a password, a private key block, and a value that looks random and has a telling name.
Nothing is decided by a hash or an identifier alone, so that code stays as it is.

Every form and every telling name holds a mark, and no line break. Marks are looked for all at once, and expressions are
tried on the lines that hold theirs: 40 MB of source a second, where trying them everywhere takes ten times as long.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import math
import re
import tomllib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Span(NamedTuple):
    """A secret: characters from `start` to before `end`, and what it is."""

    start: int
    end: int
    kind: str


class _Token(NamedTuple):
    kind: str
    pattern: re.Pattern[str]
    check: str


class _Clues(NamedTuple):
    """Marks by three characters of each. Other characters may have the same number: not many."""

    numbers: NDArray[np.bool_]  # whether a number is that of a mark's characters, see `_numbers`
    marks: dict[bytes, list[tuple[int, bytes, int]]]  # characters -> where they are in marks, those, indices of rules
    anywhere: set[int]  # rules with marks that are in `_LOOSE`


class _Rules(NamedTuple):
    tokens: tuple[_Token, ...]
    token_clues: _Clues
    name_clues: _Clues
    trivial: re.Pattern[str]
    name: re.Pattern[str]
    values: tuple[re.Pattern[str], ...]
    placeholder: re.Pattern[str]  # of a token
    no_value: re.Pattern[str]  # of an assignment
    pairs: frozenset[str]


# A token begins where no word goes on: at the start of a run, or after an escape such as `\n` or `%20`.
_START = r"(?:(?<![\w-])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
_END = r"(?:(?![\w-])|(?<![\w-]))"

# A value after its name: the end of a quoted name or subscript, what stands between them, and the value, quoted or not.
_VALUE = r"""
(?P<close>\\?["'`]\]?\)?)?[ \t]{0,16}
(?:OPERATOR)
[ \t]{0,16}
(?: [bruf@$]{0,2}(?P<quote>\\?(?:"{3}|'{3}|["'`]))(?:(?:bearer|basic|token)[ \t])?
    (?P<quoted>(?:[^\s"'`\\]|\\[^\s"'`]){8,4096}+)(?=(?P=quote))
  | (?P<bare>[^\s"'`,;()<>{}\[\]|&\\]{8,4096}+)(?![(\[{]|<(?!/)) )
"""
# What an unquoted value after a space follows: `--db-password`, or a name at the start of a line as in .netrc.
_OPTION = re.compile(r"(?:\A|[\s\"'`(\[,=])--[\w-]+\Z|(?:\A|\n)[ \t]*\w+\Z", re.ASCII)
LONGEST_OPTION = 40

# Marks of what may be written without them as well, in other cases say: a text with one is searched from end to end.
_LOOSE = frozenset(("uthorization", "AUTHORIZATION", 'auth"', "_auth", "machine "))

# Characters. Assigned values that are shorter are words more often than not.
SHORTEST = 8
# Bits per character: words have some 3, random hexadecimal digits of 32 characters 3.6, 8 different characters 3.
LEAST_BITS = 2.7
# Share of neighbouring characters that are a common pair of letters in identifiers: 0.1 to 0.2 in random values,
# 0.7 in words. More is allowed in a password that somebody has thought up, with letters of both cases, digits and
# signs; a value of letters alone is longer.
# So nothing is cut out of the Python standard library (858,000 lines); out of installed packages (6.2 million lines)
# 8 passwords in the URLs of documentation and a token. Of 100 random values each in 20 forms are found: letters and
# digits of 16 characters 98 %, of 32 99.9 %, hexadecimal digits 99 to 100 %, base64 of 16 bytes with its padding 97 %,
# of 20 to 64 bytes 99 %; 12 characters with signs 93 %.
MOST_COMMON, MOST_COMMON_THOUGHT_UP = 0.3, 0.45
SHORTEST_LETTERS = 16
# What is cut out may make a secret of what stands before it, once or twice; more is contrived.
PASSES = 5

# What redact leaves, and where str.splitlines ends a line.
_MARKER = re.compile(r"\[redacted [^\]\n]{1,40}\]")
_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def redact(text: str) -> tuple[str, list[Span]]:
    """The text with `[redacted KIND]` for each secret, and where those were. Line breaks in a secret stay."""
    spans = secrets(text)
    return without(text, spans), spans


def without(text: str, spans: Sequence[Span]) -> str:
    """What `redact` leaves of a text whose secrets are known."""
    return _without(text, spans)[0]


def secrets(text: str) -> list[Span]:
    """The secrets of a text, in order: those found in it, and in what is left once they are cut out."""
    found: list[Span] = []
    left, ends, shifts = text, [0], [0]
    for _ in range(PASSES):
        new = _found(left)
        if not new:
            break
        for start, end, kind in new:
            first, last = shifts[bisect_right(ends, start) - 1], shifts[bisect_right(ends, end) - 1]
            found.append(Span(start + first, end + last, kind))
        found = _merged(sorted(found))
        left, ends, shifts = _without(text, found)
    return found


def _without(text: str, spans: Sequence[Span]) -> tuple[str, list[int], list[int]]:
    """The text without secrets, and how far what follows the end of each marker in it stood from there before."""
    parts, at, length, ends, shifts = [], 0, 0, [0], [0]
    for span in spans:
        breaks = "".join(c for c in text[span.start : span.end] if c in _BREAKS)
        parts += [text[at : span.start], f"[redacted {span.kind}]{breaks}"]
        length += len(parts[-2]) + len(parts[-1])
        at = span.end
        ends.append(length)
        shifts.append(at - length)
    return "".join([*parts, text[at:]]), ends, shifts


def _found(text: str) -> list[Span]:
    """What one way has found is not there for the next, as if it had been cut out before."""
    rules = _rules()
    # Of what is not ASCII, only the sign of Kelvin is a letter of it in lower case.
    raw = text.replace("\u212a", "k").encode("latin-1", "replace") + b"\0\0"
    found = list(_keys(text))
    cut_out = [Span(*marker.span(), "") for marker in _MARKER.finditer(text)] if "[redacted " in text else []
    for find, clues, read in ((_tokens, rules.token_clues, raw), (_assigned, rules.name_clues, raw.lower())):
        hits: list[int] = np.flatnonzero(clues.numbers[_numbers(read)]).tolist()
        for start, end in _gaps(sorted([*found, *cut_out]), len(text)):
            near = hits[bisect_left(hits, start) : bisect_left(hits, end)]
            if not near:
                continue
            part = text[start:end] + ("\n" if end == len(text) else "")  # as if the last line had one
            inside = _merged(sorted(find(part, _lines(part, read, start, near, clues), rules)))
            found += [Span(start + span.start, start + span.end, span.kind) for span in inside]
    return sorted(found)


def _numbers(raw: bytes) -> NDArray[np.uint16]:
    """A number for each character and the two after it; nothing for the last two."""
    codes = np.frombuffer(raw, np.uint8).astype(np.uint16)
    numbers = codes[:-2] * 961
    numbers += codes[1:-1] * 31
    numbers += codes[2:]
    return numbers


def _lines(part: str, raw: bytes, start: int, hits: Iterable[int], clues: _Clues) -> Iterator[tuple[int, int, int]]:
    """Where to search a part of the text that starts at `start`: indices of rules, and starts and ends of lines."""
    ends: dict[int, int] = {}
    for hit in hits:
        for before, mark, rule in clues.marks.get(raw[hit : hit + 3], ()):
            at = hit - start
            inside = before <= at <= len(part) - len(mark) + before
            if at < ends.get(rule, 0) or not inside or not raw.startswith(mark, hit - before):
                continue
            whole = rule in clues.anywhere
            ends[rule] = (not whole and part.find("\n", at) + 1) or len(part)
            yield rule, 0 if whole else part.rfind("\n", 0, at) + 1, ends[rule]


def _gaps(spans: list[Span], length: int) -> list[tuple[int, int]]:
    starts = [0, *accumulate((span.end for span in spans), max)]
    ends = [*(span.start for span in spans), length]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _merged(spans: list[Span]) -> list[Span]:
    """Those that overlap are one, of the kind of the first."""
    merged: list[Span] = []
    for span in spans:
        if merged and span.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


@cache
def rules_hash() -> str:
    """12 hex digits that change with the rules."""
    rules = importlib.resources.files("repoctx") / "resources/secrets.toml"
    return hashlib.sha256(rules.read_bytes()).hexdigest()[:12]


@cache
def _rules() -> _Rules:
    read = tomllib.loads(importlib.resources.files("repoctx").joinpath("resources/secrets.toml").read_text("utf-8"))
    flags = re.ASCII | re.VERBOSE
    assignment = read["assignment"]
    names = "|".join(f"(?P<{kind}>{words})" for kind, words in assignment["names"])
    pairs = frozenset(assignment["pairs"].split())
    return _Rules(
        tuple(
            _Token(
                row["kind"],
                re.compile(f"{_START}(?:{row['pattern']}){_END}", flags),
                row.get("check", ""),
            )
            for row in read["token"]
        ),
        _clues([row["marks"] for row in read["token"]], pairs),
        _clues([[mark for _, words in assignment["names"] for mark in _stems(words)]], pairs),
        re.compile(read["trivial_passwords"], flags | re.IGNORECASE),
        re.compile(names, flags),
        tuple(
            re.compile(
                f"(?:{assignment['endings']})?{_END}{_VALUE.replace('OPERATOR', operator)}", re.VERBOSE | re.IGNORECASE
            )
            for operator in assignment["operators"]
        ),
        re.compile(read["placeholders"], flags | re.IGNORECASE),
        re.compile(f"{read['placeholders']}|{assignment['placeholders']}", flags | re.IGNORECASE),
        pairs,
    )


def _stems(words: str) -> list[str]:
    """The longest run of letters in each alternative of an expression for names that is in all that it stands for."""
    bare = re.sub(r"(?:\([^()]*\)|\[[^\]]*\]|[a-z](?=\?))\??", " ", words)
    return [max(re.findall("[a-z]+", alternative), key=len) for alternative in bare.split("|")]


def _clues(rules: Sequence[Sequence[str]], pairs: frozenset[str]) -> _Clues:
    """The marks of each rule, found by their three characters with the fewest common pairs of letters."""
    clues = _Clues(np.zeros(1 << 16, np.bool_), {}, {rule for rule, marks in enumerate(rules) if _LOOSE & {*marks}})
    for rule, mark in ((number, mark) for number, marks in enumerate(rules) for mark in marks):
        low = mark.lower()
        at = min(range(max(1, len(mark) - 2)), key=lambda i: (low[i : i + 2] in pairs) + (low[i + 1 : i + 3] in pairs))
        first = mark[at : at + 3].encode()
        for three in [first] if len(first) == 3 else [first + bytes([last]) for last in range(256)]:
            clues.numbers[_numbers(three)] = True
            clues.marks.setdefault(three, []).append((at, mark.encode(), rule))
    return clues


# --- tokens ----------------------------------------------------------------------------------


def _tokens(text: str, lines: Iterable[tuple[int, int, int]], rules: _Rules) -> Iterator[Span]:
    for rule, start, end in lines:
        token = rules.tokens[rule]
        for match in token.pattern.finditer(text, start, end):
            group = match.lastgroup or 0
            found = match[group]
            if rules.placeholder.search(found):
                continue
            if token.check == "random" and not _random(found, rules):
                continue
            if token.check == "password" and (found in match.groups()[:-1] or rules.trivial.fullmatch(found)):
                continue
            yield Span(*match.span(group), token.kind)


# --- private keys ------------------------------------------------------------------------------

_NAME = r"(?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_BEGIN, _END_LINE = re.compile(f"-----BEGIN {_NAME}"), re.compile(f"-----END {_NAME}")
_INSIDE = re.compile(r"(?:(?!-----)[\t\n\r -~]){0,100000}")
# A line of base64 as the body of a key has it, perhaps quoted or in a comment; the last one may be short.
_MARGIN, _REST = r"[ \t\"'+*#/|]{0,40}", r"={0,2}(?:\\[nr])*[\"'+,; \t\\\r]{0,10}"
_BODY = re.compile(f"{_MARGIN}[A-Za-z0-9+/]{{40,130}}{_REST}")
_LAST = re.compile(f"{_MARGIN}[A-Za-z0-9+/]{{1,130}}{_REST}")
_AFTER = re.compile(f"{_MARGIN}(?:-----END {_NAME})?")
_BASE64 = re.compile(r"(?:(?<![A-Za-z0-9+/\\])|(?<=\\[nr]))[A-Za-z0-9+/]{40}")
# Lines of base64 that are taken for a part of a key where neither its beginning nor its end is in the text.
LEAST_LINES = 3


def _keys(text: str) -> Iterator[Span]:
    """The bodies of private keys. A text may hold only a part of one, from its start or to its end."""
    begins = list(_BEGIN.finditer(text))
    for number, begin in enumerate(begins, 1):
        limit = begins[number].start() if number < len(begins) else len(text)
        inside = _INSIDE.match(text, begin.end(), limit)
        stop = inside.end() if inside else begin.end()
        if not _END_LINE.match(text, stop):
            stop = _body(text, _next_line(text, begin.end(), limit), limit)
        if body := _BASE64.search(text, begin.end(), stop):
            yield Span(body.start(), body.start() + len(text[body.start() : stop].rstrip()), "private key")
    if not begins:
        yield from _cut_off(text)


def _cut_off(text: str) -> Iterator[Span]:
    """The rest of a key whose beginning is not in the text; the first line may be a name."""
    for start in dict.fromkeys((0, _next_line(text, 0, len(text)))):
        if text.startswith("-----BEGIN "):  # something else, such as a certificate
            return
        stop = _body(text, start, len(text))
        if stop == start or not _mixed(text[start:stop]):
            continue
        after = _AFTER.match(text, stop)
        ended = after is not None and after[0].endswith("-")
        if not ended and (stop < len(text) or text.count("\n", start, stop) < LEAST_LINES - 1):
            continue
        yield Span(start, start + len(text[start:stop].rstrip()), "private key")
        return


def _next_line(text: str, start: int, limit: int) -> int:
    return text.find("\n", start, limit) + 1 or limit


def _body(text: str, start: int, limit: int) -> int:
    """Where the lines of base64 end that begin at `start`."""
    at = start
    while at < limit:
        end = _next_line(text, at, limit)
        line = (text, at, end - (text[end - 1] == "\n"))
        if not _BODY.fullmatch(*line):
            return end if at > start and _LAST.fullmatch(*line) else at
        at = end
    return at


def _mixed(text: str) -> bool:
    """Whether there are letters of both cases and digits: not hashes in hexadecimal digits."""
    return all(re.search(characters, text) for characters in ("[g-z]", "[G-Z]", "[0-9]"))


# --- assignments -------------------------------------------------------------------------------

# What stands in passwords and keys, and not between words.
_SIGNS = re.compile(r"[!#$%^&*?~+@]")


def _assigned(text: str, lines: Iterable[tuple[int, int, int]], rules: _Rules) -> Iterator[Span]:
    lower = text.lower()
    if len(lower) != len(text):  # a few letters, such as U+0130, become two
        lower = "".join(c.lower() if c.isascii() else c for c in text)
    after = cut = len(text)  # where what follows the next name begins, and the next secret
    names = [name for _, start, end in lines for name in rules.name.finditer(lower, start, end)]
    for name in reversed(names):
        matches = [match for values in rules.values if (match := values.match(text, name.end()))]
        spans = [span for match in matches if (span := _value(match, str(name.lastgroup), after, cut, rules))]
        yield from spans
        if spans:
            after = cut = min(span.start for span in spans)
        elif matches:
            after = matches[0].start()


def _value(match: re.Match[str], kind: str, after: int, cut: int, rules: _Rules) -> Span | None:
    """The value that stands after a name, if it is a secret."""
    text = match.string
    group = "quoted" if match["quoted"] else "bare"
    start, end = match.span(group)
    if group == "bare":
        end = start + len(text[start : min(end, cut)].rstrip(".:!?"))
        if after < end or end - start < SHORTEST or _is_expression(text[start:end]):
            return None  # `a_token:b_token:value`: the last name counts
        if match.groupdict().get("space") and not _OPTION.search(text[max(0, match.pos - LONGEST_OPTION) : match.pos]):
            return None
    value = text[start:end]
    if rules.no_value.search(value):
        return None
    thought_up = kind == "password" and group == "quoted" and _classes(value) == 4
    random = _random(value, rules, MOST_COMMON_THOUGHT_UP if thought_up else MOST_COMMON)
    return Span(start, end, kind) if random else None


def _is_expression(value: str) -> bool:
    """Whether an unquoted value is made of names: `self.token2`, `a::b1`, `*key`, or passes one on: `x=1`."""
    return bool(
        re.search(r"^[A-Za-z_]\w*=+[^=]|^[*&!~-][A-Za-z_]\w*$", value)
        or (
            re.search(r"(?<!\w)\d*+[A-Za-z_]\w*+(?:\.|::|->)[A-Za-z_#]", value)
            and not re.search(r"[!$%^&*?~+@/]", value)
        )
    )


def _classes(value: str) -> int:
    """How many there are of small letters, capitals, digits and other characters."""
    return sum(bool(re.search(characters, value)) for characters in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]"))


def _random(value: str, rules: _Rules, most_common: float = MOST_COMMON) -> bool:
    """Whether a value is drawn at random, as far as one can see: not made of words, numbers or repetitions."""
    if len(value) < SHORTEST or _bits(value) < LEAST_BITS:
        return False
    letters = sum(c.isalpha() for c in value)
    digits = sum(c.isdigit() for c in value)
    if not letters:
        return False
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", value):
        return digits > 0 and (len(value) >= 16 or digits >= 3)
    if not digits and not _SIGNS.search(value, 1) and not (letters == len(value) >= SHORTEST_LETTERS):
        return False
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", value)
    common = sum(word[i : i + 2].lower() in rules.pairs for word in words for i in range(len(word) - 1))
    return common <= most_common * (len(value) - 1)


def _bits(value: str) -> float:
    """Entropy per character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
