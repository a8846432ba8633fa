"""What of a text identifies something? Its title, its prose, its code and its traces, without boilerplate.

What is boilerplate is data, beside what traces look like: `resources/frames.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from repoctx.retrieve import diff, frames
from repoctx.retrieve.diff import FileChange
from repoctx.retrieve.frames import Failures, Role

# What a kept line is: source is what a trace shows, changed what a diff does. Other lines of a diff have no text.
Part = Literal["prose", "code", "error", "source", "changed", "diff"]

# More text than this is cut, and costs time: a log that long repeats itself. Its end stays, where the error is, and
# its beginning, where the question is.
LONGEST, HEAD = 200_000, 50_000
# Characters of a title; a first line that is longer is a text without line breaks.
LONGEST_TITLE = 200
# A line is binary if it has so many characters that are no text, and if one in so many is none.
BINARY, BINARY_SHARE = 4, 10
# Rows that make a list of versions, and words of a line that none has.
VERSION_ROWS, SENTENCE = 3, 6
# Lines that a signature may have.
SIGNATURE = 15
# Characters from which on a line that only differs in numbers from one before is a repetition: logs have them.
REPEATED = 16
# Characters of a line that are read: more are data, or code that nobody has written.
LONGEST_LINE = 10_000
# Innermost lines of source of a trace that are kept: the rest calls what is in the next frame.
SOURCES = 3
# Files of a diff that are kept.
MOST_CHANGES = 300

_COLOUR = re.compile(r"\x1b(?:\[[0-9;:?]{0,32}[ -/]?[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")
_NEWLINE = re.compile(r"\r\n?")

# Where a block of code begins or ends: Markdown, Trac, Jira.
_FENCE = re.compile(
    r"\s{0,40}(?:>\s)?(?:```|~~~)|\s{0,8}(?:\{\{\{|\}\}\})|\s{0,8}\{(?:code|noformat)(?::[\w.|=-]{0,60})?\}\s*$"
)
_HUNK = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@ ?(.{0,200})")
_DIFF_HEADER = re.compile(
    r"diff --|index [0-9a-f]{4}|--- \S.{0,600}\n\+\+\+ |\+\+\+ \S|(?:new|deleted|old) (?:file )?mode |"
    r"similarity index |(?:rename|copy) (?:from|to) |Binary files |\\ No newline"
)
# Signs around a heading or label.
_SIGNS = " \t#*_=~:.!?>|-\u2022`"
_LABELLED = re.compile(r"[#*_\s>-]{0,8}([A-Za-z][^:*?\n]{1,60})[*_]{0,3}\s?[:?][*_]{0,3}\s{1,8}(?=\S)")
# A line that is a place, and no title.
_PLACE = re.compile(r"\s*\S{1,300}:\d{1,9}\s*$")
# Indented, and no list.
_INDENTED = re.compile(r"(?:\t| {4})\s{0,80}[^\s*+\d-]")
_DIGITS = re.compile(r"\d+")
_WORDS = re.compile(r"[^\W\d_]{2,}")


class Reading(NamedTuple):
    """A text, taken apart. Boilerplate is in none of its parts."""

    text: str  # all of it, without what cannot be seen
    title: str  # the first line that says something
    prose: list[str]  # lines, the title among them
    code: list[str]
    shown: list[str]  # code that a trace or a diff shows
    errors: list[str]  # lines that tell of them
    failures: Failures
    changes: tuple[FileChange, ...]
    lines: int  # of all sorts, boilerplate among them
    traced: int  # those of them that are of a trace or name a failing test
    changed: int  # and those of a diff


class _Rules(NamedTuple):
    boilerplate: re.Pattern[str]
    licence: re.Pattern[str]
    label: re.Pattern[str]
    versions: re.Pattern[str]
    setting: re.Pattern[str]
    version: re.Pattern[str]
    version_row: re.Pattern[str]
    code: re.Pattern[str]
    tag: re.Pattern[str]
    noise: re.Pattern[str]


@cache
def _rules() -> _Rules:
    data = frames.rows()
    return _Rules(
        *(re.compile("|".join(f"(?:{row['pattern']})" for row in data[kind]), re.IGNORECASE) for kind in _Rules._fields)
    )


def clean(text: str) -> str:
    """A text without what cannot be seen: colours, control characters, marks of direction, lines of binary data.

    What is too long is cut.
    """
    if len(text) > LONGEST:
        text = f"{text[:HEAD]}\n{text[HEAD - LONGEST :]}"
    if "\r" in text:
        text = _NEWLINE.sub("\n", text)
    text = _INVISIBLE.sub("", _COLOUR.sub("", text) if "\x1b" in text else text)
    if _NO_TEXT.search(text):
        text = "\n".join("" if _is_binary(line) else line for line in text.split("\n"))
    return _CONTROL.sub(" ", text)


def _is_binary(line: str) -> bool:
    count = len(_NO_TEXT.findall(line))
    return count >= BINARY and count * BINARY_SHARE >= len(line)


def read(text: str) -> Reading:
    """Take a text apart. A text of one line is all title, and nothing of it is boilerplate."""
    text = clean(text)
    lines = text.strip("\n").split("\n")
    failures = frames.read(lines)
    if len(lines) == 1:
        title = " ".join(lines[0].split())
        return Reading(text, title, [title], [], [], [], failures, (), 1, int(bool(failures.frames)), 0)
    changes = tuple(diff.parse(text)[:MOST_CHANGES]) if "+++ " in text or "diff --" in text else ()
    parts: dict[Part, list[str]] = {part: [] for part in get_args(Part)}
    title = ""
    for part, line in _parts(lines, failures, _diff_lines(lines) if changes else {}):
        if not title and part in ("prose", "error") and _WORDS.search(line):
            title = _as_title(line)
            parts["prose"].append(title)
        else:
            parts[part].append(line)
    if not title:  # it is all code, a trace without a message, or a diff
        told = [*parts["code"], *failures.failing, *(change.new or change.old or "" for change in changes)]
        told += [frame.function or frame.path for frame in failures.frames]
        title = _as_title(next(filter(_WORDS.search, told), next(filter(str.strip, lines), "")))
    shown = parts["source"] + parts["changed"]
    filled = sum(1 for line in lines if line.strip())
    counts = (filled, len(failures.roles), len(parts["diff"]) + len(parts["changed"]))
    return Reading(text, title, parts["prose"], parts["code"], shown, parts["error"], failures, changes, *counts)


def _as_title(line: str) -> str:
    """A line without the signs of a heading and the tags of a tracker, cut between two words."""
    title = " ".join(_rules().tag.sub("", _CONTROL.sub(" ", line), count=1).split()).strip("#*= ")
    return title if len(title) <= LONGEST_TITLE else title[:LONGEST_TITLE].rpartition(" ")[0] or title[:LONGEST_TITLE]


def _parts(
    lines: Sequence[str], failures: Failures, diffs: Mapping[int, tuple[Part, str]]
) -> Iterator[tuple[Part, str]]:
    """What the lines are, and what is kept of each; boilerplate and repetitions are left out."""
    rules, roles = _rules(), failures.roles
    sources = _innermost_sources(roles)
    plain = [(number, line) for number, line in enumerate(lines) if number not in diffs and number not in roles]
    kept = dict(_without_boilerplate(plain))
    seen: set[str] = set()
    titled = False
    for number, line in enumerate(lines):
        if number in diffs:
            yield diffs[number]
        elif number in roles:
            if number in failures.messages:
                yield "error", rules.noise.sub(" ", failures.messages[number])
            elif number in sources:
                yield "source", line
        elif number in kept:
            left, fenced = kept[number]
            left = rules.noise.sub(" ", left[:LONGEST_LINE])
            shape = _DIGITS.sub("", left).strip()
            if len(shape) < REPEATED or shape not in seen:
                seen.add(shape)
                may_be_title = not (titled or fenced or _PLACE.match(left) or _INDENTED.match(left))
                titled = titled or (may_be_title and bool(_WORDS.search(left)))
                yield ("code" if fenced or (not may_be_title and _is_code(left)) else "prose"), left


def _is_code(line: str) -> bool:
    return bool(_INDENTED.match(line) or _PLACE.match(line) or _rules().code.match(line))


def _innermost_sources(roles: Mapping[int, Role]) -> set[int]:
    """The last lines of source of each trace that shows some; traces that do have their innermost frame last."""
    found: set[int] = set()
    shown: list[int] = []
    for number in [*sorted(roles), -1]:
        role = roles.get(number)
        if role == "source":
            shown.append(number)
        elif role != "frame":
            found |= set(shown[-SOURCES:])
            shown = []
    return found


def _diff_lines(lines: Sequence[str]) -> dict[int, tuple[Part, str]]:
    """The lines of a diff: those that it changes, and what its hunks are in."""
    found: dict[int, tuple[Part, str]] = {}
    old = new = 0  # lines that are left of a hunk
    for number, (line, following) in enumerate(pairwise([*lines, ""])):
        mark = line[:1]
        if hunk := _HUNK.match(line):
            old, new = int(hunk[1] or 1), int(hunk[2] or 1)
            found[number] = ("changed", hunk[3])
        elif (old > 0 or new > 0) and mark in " +-\\":
            old -= mark in " -"
            new -= mark in " +"
            found[number] = ("changed", line[1:]) if mark in ("+", "-") else ("diff", "")
        elif _DIFF_HEADER.match(f"{line}\n{following}"):
            found[number] = ("diff", "")
    return found


# --- boilerplate ---------------------------------------------------------------------------------


def _without_boilerplate(lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, tuple[str, bool]]]:
    """(number, (line, whether it is in a block of code)) of those that say something of this text alone."""
    rules = _rules()
    rows = _version_rows(lines, rules)
    last_comment = max((number for number, line in lines if "-->" in line), default=-1)
    fenced = comment = versions = licence = False
    for place, (number, line) in enumerate(lines):
        if _is_signature(lines, place):
            break
        if "<!--" in line or comment:
            line, comment = _without_comments(line, comment)
            comment = comment and number < last_comment
        stripped = line.strip()
        if not stripped:
            licence = False
            continue
        if _FENCE.match(line) and not stripped.endswith(("```", "~~~"), 3):
            fenced = not fenced
            continue
        bare = stripped.strip(_SIGNS)
        labels = not fenced and rules.label.fullmatch(bare)
        heading = labels or (not fenced and stripped.startswith(("#", "**", "==")))
        is_sentence = len(stripped.split()) >= SENTENCE and not rules.setting.fullmatch(stripped)
        versions = bool(rules.versions.fullmatch(bare)) or (versions and not heading and not is_sentence)
        if versions:
            continue
        if licence or rules.licence.match(stripped):
            licence = True
        elif bare and number not in rows and not labels and not rules.boilerplate.fullmatch(stripped):
            yield number, (line if fenced else _without_label(line, rules), fenced)


def _without_label(line: str, rules: _Rules) -> str:
    """What stands behind the label of a template: `**Expected:** it works`."""
    label = _LABELLED.match(line)
    return line[label.end() :] if label and rules.label.fullmatch(label[1].strip()) else line


def _without_comments(line: str, comment: bool) -> tuple[str, bool]:
    """A line without comments of HTML, and whether one goes on; `comment`: one begins before it."""
    left = []
    while line:
        before, mark, line = line.partition("-->" if comment else "<!--")
        left += [] if comment else [before]
        comment = comment != bool(mark)
    return "".join(left), comment


def _is_signature(lines: Sequence[tuple[int, str]], place: int) -> bool:
    """Whether an e-mail ends here: `-- `, and a few lines."""
    return lines[place][1] in ("-- ", "--") and len(lines) - place <= SIGNATURE


def _version_rows(lines: Sequence[tuple[int, str]], rules: _Rules) -> set[int]:
    """Lines that name a version: several after each other, or one that says so."""
    found: set[int] = set()
    run: list[int] = []
    for number, line in [*lines, (-1, "end")]:
        if rules.version_row.fullmatch(line):
            run.append(number)
            continue
        found |= set(run if len(run) >= VERSION_ROWS else [])
        run = []
        if rules.version.fullmatch(line):
            found.add(number)
    return found
