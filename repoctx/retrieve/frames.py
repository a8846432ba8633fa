"""Where did it fail? Stack frames, error messages and failing tests in the lines of a report.

What they look like is data: `resources/frames.toml`, which also says how its patterns are read.
"""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

# What a line is. Code that a trace shows is its "source".
Role = Literal["frame", "source", "error", "failing"]

# Characters of a line that are read: frames are shorter, minified code and data are not.
LONGEST_LINE = 1_000
# Innermost frames that are kept: an endless recursion repeats itself. Lines of source below one: a statement.
MOST_FRAMES, MOST_SOURCE = 200, 6
# Messages and test ids that are kept, the first ones: one cause fails many tests. Longer messages quote data.
MOST_ERRORS, MOST_FAILING, LONGEST_MESSAGE = 50, 100, 300

# What stands before a line: indentation, quote marks and tables, the name of a container, a timestamp.
_LEAD = re.compile(
    r"[\s>|│*]{0,200}+(?:[\w.-]{1,40}\s{1,12}\|\s+)?"
    r"(?:\[?(?:\d{4}[-/]\d\d[-/]\d\d[T ]|\d\d/\w{3}/\d{4}[: ])\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    r"(?:Z|\s?[+-]\d\d:?\d\d)?\]?\s*)?"
)
# The scheme and host of a URL, the groups of a bundler, and what a server appends.
_SCHEME = re.compile(r"^[a-z][a-z-]{1,30}://[^/]*/?(?:\([\w-]+\)/)?(?=\./|[A-Za-z]:/)|^[a-z][a-z-]{1,30}://[^/]*")
_NAME = re.compile(r"[~@]?[\w$]+[?!=]?")
_OPERATOR = re.compile(r"\boperator\s?(?:\(\)|\[\]|[^\w\s:()\[\]]{1,3})")
_PATTERNS = ("pattern", "above", "below", "closing", "chain", "begins")


class Frame(NamedTuple):
    """One step of a stack."""

    path: str  # as written, with "/"; "" if the trace names none
    line: int  # 1-based, 0 unknown
    function: str  # as qualified as the trace says, with "." between names; "" unknown. PHP's is the one called


class Failures(NamedTuple):
    """What a text tells of failures."""

    frames: tuple[Frame, ...]  # innermost first, those of the last cause before those of its effects
    messages: Mapping[int, str]  # line number, from 0, -> error message with the name of its exception
    failing: tuple[str, ...]  # ids of tests
    roles: Mapping[int, Role]  # what a line is; of lines that tell nothing else

    @property
    def errors(self) -> tuple[str, ...]:
        """The messages in order, each once."""
        return tuple(dict.fromkeys(self.messages[number] for number in sorted(self.messages)))[:MOST_ERRORS]


class _Row(NamedTuple):
    """One row of the data, which explains the fields."""

    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    language: str = ""
    order: str = "first"
    anywhere: bool = False
    above: re.Pattern[str] | None = None
    needs_above: bool = False
    below: re.Pattern[str] | None = None
    reach: int = 1
    source: bool = False
    closing: re.Pattern[str] | None = None
    chain: re.Pattern[str] | None = None
    begins: re.Pattern[str] | None = None
    form: str = ""

    def found(self, core: str) -> Iterator[re.Match[str]]:
        """The matches in a line."""
        if any(mark in core for mark in self.marks):
            if self.anywhere:
                yield from self.pattern.finditer(core)
            elif match := self.pattern.match(core):
                yield match


class _Rules(NamedTuple):
    frames: tuple[_Row, ...]
    errors: tuple[_Row, ...]
    failing: tuple[_Row, ...]
    functions: Mapping[str, Sequence[tuple[re.Pattern[str], str]]]  # language -> what is replaced by what


@cache
def rows() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The data."""
    text = importlib.resources.files("repoctx.resources").joinpath("frames.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _rules() -> _Rules:
    data = rows()
    functions: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for row in data["function"]:
        functions.setdefault(row["language"], []).append((re.compile(row["pattern"]), row.get("to", "")))
    frames, errors, failing = (tuple(map(_row, data[kind])) for kind in ("frame", "error", "failing"))
    return _Rules(frames, errors, failing, functions)


def _row(row: Mapping[str, Any]) -> _Row:
    given = {field: value for field, value in row.items() if field in _Row._fields} | {"marks": tuple(row["marks"])}
    return _Row(**given | {field: re.compile(row[field]) for field in _PATTERNS if field in row})


class _Lines(NamedTuple):
    """The lines of a text, and what is found out about them."""

    cores: Sequence[str]  # without their leads
    leads: Sequence[int]
    roles: dict[int, Role]
    messages: dict[int, str]


def read(lines: Sequence[str]) -> Failures:
    """What the lines of a text tell of failures."""
    text = "\n".join(lines)
    rules = _rules()
    framing, erring, failing = (
        [row for row in group if any(mark in text for mark in row.marks)]
        for group in (rules.frames, rules.errors, rules.failing)
    )
    if not (framing or erring or failing):
        return Failures((), {}, (), {})
    leads = [match.end() if (match := _LEAD.match(line)) else 0 for line in lines]
    cores = [line[at : at + LONGEST_LINE].rstrip().replace("\t", " ") for line, at in zip(lines, leads, strict=True)]
    noted = _Lines(cores, leads, {}, {})
    traces = _frames(noted, framing) if framing else _Traces()
    ids: dict[str, None] = {}
    for number, core in enumerate(cores):
        if number not in noted.messages and (message := _message(noted, number, erring)):
            noted.messages[number] = message
        for row in failing:
            if match := next(row.found(core), None):
                noted.roles.setdefault(number, "failing")
                ids.setdefault(row.form.format_map(match.groupdict("")).strip())
                break
    return Failures(traces.ordered(), noted.messages, _fullest(list(ids)[:MOST_FAILING]), noted.roles)


# --- frames --------------------------------------------------------------------------------------


class _Trace(NamedTuple):
    language: str
    told: list[tuple[_Row, Frame]]


class _Traces:
    """Traces in the order of the text, those that are causes of each other together."""

    def __init__(self) -> None:
        self._groups: list[list[_Trace]] = []

    def add(self, row: _Row, frame: Frame, between: Sequence[str]) -> None:
        """One more frame, and the lines between it and the one before."""
        chained = row.chain is not None and any(row.chain.match(core) for core in between)
        same = bool(self._groups) and self._groups[-1][-1].language == row.language
        if same and chained:
            self._groups[-1].append(_Trace(row.language, []))
        elif not same or (row.begins is not None and any(row.begins.match(core) for core in between)):
            self._groups.append([_Trace(row.language, [])])
        self._groups[-1][-1].told.append((row, frame))

    def ordered(self) -> tuple[Frame, ...]:
        """Innermost first, the last cause of a group first."""
        found: dict[Frame, None] = {}
        for group in self._groups:
            for _, told in reversed(group):
                backwards = any(row.order == "last" for row, _ in told)
                found |= dict.fromkeys(frame for _, frame in (told[::-1] if backwards else told))
        return tuple(found)[:MOST_FRAMES]


def _frames(lines: _Lines, rows: Sequence[_Row]) -> _Traces:
    """The frames; their lines, the source they show and the message that ends it are noted."""
    traces = _Traces()
    last = -1  # the line of the frame before
    shown: tuple[_Row, int] | None = None  # what shows source now, and the line of its frame
    for number, core in enumerate(lines.cores):
        if number in lines.roles:  # told with the line above
            continue
        for row in rows if core else ():
            if told := [found for match in row.found(core) if (found := _frame(lines.cores, number, row, match))]:
                break
        else:
            shown = shown if shown and _goes_on(lines, number, *shown) else None
            continue
        for frame, used in told:
            traces.add(row, frame, lines.cores[last + 1 : number])
            last = number
            lines.roles.update(dict.fromkeys(used, "frame"))
        shown = (row, number) if row.source else None
    return traces


def _frame(cores: Sequence[str], number: int, row: _Row, match: re.Match[str]) -> tuple[Frame, list[int]] | None:
    """The frame that a line tells of together with its neighbours, and those that tell nothing else."""
    groups = match.groupdict()
    used = [number]
    if row.above and number and (above := row.above.match(cores[number - 1])):
        groups |= above.groupdict()
        used.append(number - 1)
    elif row.needs_above:
        return None
    if row.below:
        for beside in range(number + 1, min(number + 1 + row.reach, len(cores))):
            if below := row.below.match(cores[beside]):
                groups |= below.groupdict()
                used += [beside] if row.reach == 1 else []
                break
    path = _path(groups.get("path") or "")
    line = int(groups.get("line") or 0) if path else 0
    function = qualified(groups.get("function") or "", row.language)
    whole = 2 * len(match[0]) > len(cores[number])
    return (Frame(path, line, function), used if whole else []) if path or function else None


def _goes_on(lines: _Lines, number: int, row: _Row, start: int) -> bool:
    """Whether a line below a frame is its source, which has no less indentation; else it may be the message."""
    core, indent = lines.cores[number], lines.leads[start]
    deeper = lines.leads[number] >= indent
    closes = not deeper or (not indent and ": " in core)
    if closes and row.closing and (closing := row.closing.match(core)):
        lines.messages[number] = _told(closing)
        lines.roles[number] = "error"
        return False
    if not core or not deeper or number - start > MOST_SOURCE:
        return False
    lines.roles[number] = "source"
    return True


def _path(written: str) -> str:
    """A path with slashes and without the scheme, host and query of a URL; "" for what is no file."""
    path = _SCHEME.sub("", written.replace("\\", "/").strip()).partition("?")[0]
    return "" if path.startswith("<") else path


def qualified(written: str, language: str) -> str:
    """The name of a function as a trace writes it, without parameters and type arguments, "." between its parts."""
    name = written.strip()
    for pattern, to in _rules().functions.get(language, ()):
        name = pattern.sub(to, name)
    name = _OPERATOR.sub("operator", name.partition(" -> ")[0]).replace("->", ".")
    depth, kept = 0, []
    for c in name:
        depth += c in "(<["
        if not depth:
            kept.append(c)
        elif c in ")>]":
            depth -= 1
    words = "".join(kept).split()
    return ".".join(part for part in _NAME.findall(words[-1] if words else "") if not part.isdigit())


# --- messages and tests --------------------------------------------------------------------------


def _message(lines: _Lines, number: int, rows: Sequence[_Row]) -> str:
    """The error message of a line, with the name of its exception; "" if there is none."""
    cores = lines.cores
    for row in rows:
        match = next(row.found(cores[number]), None)
        if match is None:
            continue
        below = row.below.match(cores[number + 1]) if row.below and number + 1 < len(cores) else None
        if not row.anywhere:
            lines.roles.setdefault(number, "error")
            if below:
                lines.roles.setdefault(number + 1, "error")
        return _told(match, below)
    return ""


def _told(match: re.Match[str], below: re.Match[str] | None = None) -> str:
    groups = match.groupdict() | (below.groupdict() if below else {})
    told = ": ".join(part for part in (groups.get("name"), groups.get("message")) if part)
    return " ".join(told.split())[:LONGEST_MESSAGE].rstrip("*")


def _fullest(ids: Sequence[str]) -> tuple[str, ...]:
    """Test ids without those that are the end of another one: `TestStore.test_load` of `x.py::TestStore::test_load`."""
    plain = [test.replace("::", ".") for test in ids]
    return tuple(
        test
        for test, short in zip(ids, plain, strict=True)
        if not any(other.partition("[")[0].endswith((f".{short}", f"/{short}")) for other in plain)
    )
