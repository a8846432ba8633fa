"""Which places does an answer cite, and are they there?

A place is `path:line`, `path:first-last`, several of these after one path, or `path#L3-L9` as forges write it, with or
without `@commit`. Times, versions, ports and the URLs of other places are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from repoctx.parse.languages import AUTO, by_path

MOST_CITATIONS = 10_000
LONGEST_PATH = 300  # characters


class Citation(NamedTuple):
    """A place that an answer names, and whether it exists in the snapshot."""

    path: str  # as the snapshot has it; where it does not, as it is written
    line: int
    exists: bool
    end: int = 0  # the last line; 0: that line alone
    why: str = ""  # "no such file", "no such line" or "another commit"; "" if it exists
    commit: str = ""  # as it is cited


class _Group(NamedTuple):
    """Lines that are cited of one path, and where in the answer that stands."""

    spellings: tuple[str, ...]  # of the path, as it is written first
    commit: str
    lines: tuple[tuple[int, int], ...]  # first and last, 0 for a line alone
    end: int


_LINES = r"L?\d{1,9}(?:[-\u2013]L?\d{1,9})?"
_MORE = rf"(?:,[ \t]?{_LINES}(?=[ \t]*(?:$|[,;.:)\]}}`*|]|and\b|or\b)))*"
_PLACE = re.compile(
    rf"(?:`(?=[\w./\\(\[@~$])(?P<quoted>[^`\n]{{1,{LONGEST_PATH}}}?)"  # in back quotes a path may have spaces
    rf"|(?<![\w./@+\\%$~-])(?!//)(?P<bare>[\w./@+\\%$~-]{{1,{LONGEST_PATH}}}+))"
    rf"(?::|#)(?P<lines>{_LINES}{_MORE})(?::\d{{1,6}})?(?:@(?P<commit>[0-9a-fA-F]{{7,64}}))?(?![\w%/])",
    re.M,
)
_RANGE = re.compile(r"L?(\d+)(?:[-\u2013]L?(\d+))?")
_AT_COMMIT = re.compile(r"(.+)@([0-9a-fA-F]{7,64})")
_NUMERIC = re.compile(r"[\d.,+-]*")
_CLOSERS = re.compile(r"[`*]*")


def citations(answer: str, lines: Mapping[str, int], commit: str | None = None) -> tuple[Citation, ...]:
    """The places that an answer cites, each once, in order.

    `lines` says how many lines each file of the snapshot has, `commit` which one it is: a place of another commit does
    not exist.
    """
    found: dict[Citation, None] = {}
    for group in _groups(answer):
        path = next((one for one in group.spellings if one in lines), None)
        written = path or next(filter(_looks_like_a_path, group.spellings), None)
        if written is None:
            continue
        for line, end in group.lines:
            why = _wrong(lines.get(path or "", 0), line, end) if path is not None else "no such file"
            if not why and group.commit and not (commit or "").lower().startswith(group.commit.lower()):
                why = "another commit"
            found[Citation(written, line, not why, end, why, group.commit)] = None
            if len(found) == MOST_CITATIONS:
                return tuple(found)
    return tuple(found)


def marked(answer: str, cited: Iterable[Citation]) -> str:
    """The answer with what is wrong behind each citation that does not exist: `src/a.py:999 [no such line]`."""
    false = {(one.path, one.line, one.end, one.commit): one.why for one in cited if not one.exists}
    pieces: list[str] = []
    at = 0
    for group in _groups(answer) if false else ():
        wrong = [
            (line, false[key])
            for line, end in group.lines
            for path in group.spellings
            if (key := (path, line, end, group.commit)) in false
        ]
        if wrong and answer[group.end : group.end + 2] != "](":  # the text of a link, whose target is marked
            which = "" if len(group.lines) == 1 else ": " + ", ".join(str(line) for line, _ in wrong)
            pieces += [answer[at : group.end], f" [{wrong[0][1]}{which}]"]
            at = group.end
    return "".join([*pieces, answer[at:]])


def _wrong(count: int, line: int, end: int) -> str:
    return "" if 1 <= line <= (end or line) <= count else "no such line"


def _groups(answer: str) -> Iterator[_Group]:
    """What looks like a citation, in order."""
    for found in _PLACE.finditer(answer):
        path, commit = (found["quoted"] or found["bare"]).strip(), found["commit"] or ""
        if (split := _AT_COMMIT.fullmatch(path)) and not commit:
            path, commit = split[1], split[2]
        if "://" in path or _NUMERIC.fullmatch(path):
            continue
        if "#" in found[0] and f"#{found['lines']}"[:2] != "#L":  # an issue, or a heading
            continue
        each = tuple((int(first), int(last or 0)) for first, last in _RANGE.findall(found["lines"]))
        yield _Group(tuple(dict.fromkeys(_spellings(path))), commit, each, _behind(answer, found))


def _behind(answer: str, found: re.Match[str]) -> int:
    """Where a mark goes: behind what closes the citation as well."""
    end = found.end()
    closed = _CLOSERS.match(answer, end)
    end = closed.end() if closed else end
    opened = answer[found.start() - 1 : found.start()]
    return end + 1 if answer[end : end + 1] == ")" and opened == "(" else end


def _spellings(path: str) -> Iterator[str]:
    """What a path may mean: itself, without what forges, diffs, shells and Windows put before and into it."""
    for text in (path, path.replace("\\", "/"), unquote(path), path.rpartition(" ")[2]):
        yield text
        plain = text.replace("\\", "/")
        while plain.startswith("./"):
            plain = plain[2:]
        yield plain
        if plain[:2] in ("a/", "b/"):
            yield plain[2:]


def _looks_like_a_path(path: str) -> bool:
    """Whether a path that is not there was meant as one: a host and its port, a ratio and a label were not."""
    name = path.replace("\\", "/").rpartition("/")[2]
    if " " in path.strip() or not name or (not name[0].isidentifier() and name[0] not in ".[("):
        return False
    return by_path(name) != AUTO or ("/" in path.replace("\\", "/") and "." in name.strip("."))
