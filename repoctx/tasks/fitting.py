"""Where in a text does an edit belong, and what does the text become?

Lines are compared as they are, then without white space at their ends, then shifted in or out as a whole, then as
parts of lines. An edit is made where that finds one place; nothing is guessed beyond it.
"""

from __future__ import annotations

import difflib
import heapq
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from repoctx import redact, tokens
from repoctx.tasks.edits import MOST_PROBLEMS, Edit, Problem
from repoctx.tasks.lines import MARK, bare, common, runs

MOST_PLACES = 6  # of several that are told
MOST_SHIFTED = 1000  # places that are looked at closely for a shift
MOST_SHIFTED_LINES = 5_000  # lines in all of these, if there is more than one
MOST_TRIED = 1000  # places within lines that are looked at, if SEARCH is short
MOST_TRIED_CHARACTERS = 200_000  # of SEARCH, as often as it is looked for
MOST_SHOWN = 12  # lines of the file in a problem
LONGEST_SHOWN = 200  # characters of a line there
MOST_READ = 20_000  # lines of a file in which the nearest one is looked for
MOST_VOTES = 200  # lines of SEARCH that say where it may be
MOST_COMPARED = 50  # lines that are compared letter by letter
LONGEST_COMPARED = 80  # characters of each
MOST_ALIKE = 50  # a line that a file has more often says nothing about a place
SHORTEST = 3  # characters of a line that says something about a place
_REDACTED = re.compile(r"\[redacted [^\]\n]{1,40}\]")
_BROKEN = re.compile(f"(?<=[<⋯]){tokens.BREAK}")
_WORD = re.compile(r"\w{2,}")


class _Fit(NamedTuple):
    """Lines first..last of the file (from 0, half-open), and what comes in their place."""

    first: int
    last: int
    lines: list[str]


class _Part(NamedTuple):
    """Characters of the text, half-open, and what comes in their place."""

    start: int
    end: int
    text: str


def apply(
    before: str | None, edits: Sequence[Edit], most_told: int = MOST_PROBLEMS
) -> tuple[str | None, list[Problem]]:
    """A file's text after the edits, in order, and those that could not be made. `before` is None for no such file.

    Line ends, a byte order mark and whether the last line ends are kept. None comes back for a file that is not there
    afterwards. The first `most_told` problems say what the file has instead.
    """
    problems: list[Problem] = []
    text = before
    for edit in edits:
        made = _apply(text, before, edit, len(problems) < most_told)
        if isinstance(made, Problem):
            problems.append(made)
        else:
            text = made
    return text, problems


def _apply(text: str | None, original: str | None, edit: Edit, told: bool) -> str | Problem | None:
    whole = text or ""
    if _REDACTED.search(edit.search + edit.replace):
        for marker in dict.fromkeys(_REDACTED.findall(edit.search + edit.replace)):
            if marker not in (original or ""):
                said = (
                    f"{edit.path}: a line with {marker} hides a secret and cannot be changed: leave it out of blocks."
                )
                return Problem("redacted", edit.path, said)
    if tokens.BREAK not in whole:  # what a prompt broke with it
        edit = edit._replace(search=_BROKEN.sub("", edit.search), replace=_BROKEN.sub("", edit.replace))
    if edit.removed:
        return _removed(text, edit)
    if text is None:
        if edit.search.strip():
            return Problem("not found", edit.path, f"There is no file {edit.path}: leave SEARCH empty to make it new.")
        return edit.replace
    if not edit.search.strip():
        if not text.strip():
            return _rejoined(text, edit.replace.split("\n")[:-1])
        said = f"{edit.path} exists: put the lines that are to be replaced into SEARCH."
        said += _shown(text, 0, 6) if told else ""
        return Problem("exists", edit.path, said)
    if edit.search == edit.replace:
        return Problem("unchanged", edit.path, f"{edit.path}: SEARCH and REPLACE are the same, so nothing changes.")
    return _placed(text, edit, told)


def _removed(text: str | None, edit: Edit) -> Problem | None:
    if text is None:
        return Problem("not found", edit.path, f"There is no file {edit.path} that could be removed.")
    if edit.search.split() != text.removeprefix(MARK).split():
        said = f"{edit.path} has other lines than those that are removed: a removed file is quoted as a whole."
        return Problem("not found", edit.path, said)
    return None


def _placed(text: str, edit: Edit, told: bool) -> str | Problem:
    """The text with an edit made, at the first way to look that finds something."""
    lines = bare(text)
    search, replace = edit.search.split("\n")[:-1], edit.replace.split("\n")[:-1]
    trimmed = _trimmed(search, replace)
    ways: tuple[Callable[[], list[_Fit]], ...] = (
        lambda: _exact(text, search, replace, str),
        lambda: _exact(text, search, replace, str.rstrip),
        lambda: _shifted(text, search, replace),
        lambda: _exact(text, *trimmed, str.rstrip) if trimmed != (search, replace) else [],
        lambda: _shifted(text, *trimmed) if trimmed != (search, replace) else [],
    )
    for way in ways:
        fits = way()
        if len(fits) > 1:
            return _several(edit, [fit.first + 1 for fit in fits])
        if fits:
            fit = fits[0]
            if lines[fit.first : fit.last] == fit.lines:
                return Problem(
                    "unchanged", edit.path, f"{edit.path}: the edit at line {fit.first + 1} changes nothing."
                )
            return _rejoined(text, fit.lines, fit.first, fit.last)
    joined = "\n".join(lines)
    parts = _parts(joined, edit.search.strip("\n"), edit.replace.strip("\n"))
    if len(parts) > 1:
        return _several(edit, [joined.count("\n", 0, part.start) + 1 for part in parts])
    if parts:
        part = parts[0]
        first, end = joined.count("\n", 0, part.start), joined.count("\n", 0, part.end) + 1
        start = joined.rfind("\n", 0, part.start) + 1
        stop = joined.find("\n", part.end)
        stop = len(joined) if stop < 0 else stop
        changed = joined[start : part.start] + part.text + joined[part.end : stop]
        return _rejoined(text, changed.split("\n"), first, end)
    return _missing(text, lines, edit, search, told)


# --- lines and their ends ----------------------------------------------------------------------


def _rejoined(text: str, new: Sequence[str], first: int = 0, last: int | None = None) -> str:
    """A text with other lines in place of some, in its own manner.

    What is the same at the edges of both keeps its line ends; new lines have those of the lines that they replace, or
    of most.
    """
    mark = MARK if text.startswith(MARK) else ""
    body = text.removeprefix(mark)
    usual = "\r\n" if 2 * body.count("\r\n") > body.count("\n") else "\n"
    unended = body != "" and not body.endswith("\n")
    old = f"{body}{usual if unended else ''}".split("\n")[:-1]
    last = len(old) if last is None else last
    replaced = old[first:last]
    marked = sum(line.endswith("\r") for line in replaced)
    end = usual if not replaced else "\r\n" if 2 * marked > len(replaced) else "\n"
    head, tail = common([line.removesuffix("\r") for line in replaced], new)
    middle = "".join(f"{line}{end}" for line in new[head : len(new) - tail])
    result = "\n".join([*old[: first + head], ""]) + middle + "\n".join([*old[last - tail :], ""])
    return mark + (result.removesuffix("\n").removesuffix("\r") if unended else result)


# --- the ways to look --------------------------------------------------------------------------


def _exact(text: str, search: list[str], replace: list[str], seen: Callable[[str], str]) -> list[_Fit]:
    """Where the lines of SEARCH stand, as they are seen."""
    lines, count = bare(text), len(search)
    found = runs(text, search, seen, MOST_PLACES)
    return [_kept(lines, first, count, search, replace) for first in found]


def _kept(lines: Sequence[str], first: int, count: int, search: list[str], replace: list[str]) -> _Fit:
    """A fit in which lines that stay, at both edges, are those of the file."""
    head, tail = common(search, replace)
    middle = replace[head : len(replace) - tail]
    return _Fit(
        first, first + count, [*lines[first : first + head], *middle, *lines[first + count - tail : first + count]]
    )


def _shifted(text: str, search: list[str], replace: list[str]) -> list[_Fit]:
    """Where the lines of SEARCH stand further in or out, all by the same white space.

    One fit is none where there are more places than are looked at.
    """
    fits: list[_Fit] = []
    if not any(line.strip() for line in search):
        return []
    lines = bare(text)
    most = max(2, min(MOST_SHIFTED, MOST_SHIFTED_LINES // len(search)))
    places = runs(text, search, str.strip, most + 1)
    for first in places[:most]:
        shift = _shift(lines[first : first + len(search)], search)
        moved = None if shift is None else _moved(replace, *shift)
        asked = None if shift is None else _moved(search, *shift)
        if moved is not None and asked is not None:
            fits.append(_kept(lines, first, len(search), asked, moved))
            if len(fits) == MOST_PLACES:
                break
    return fits if len(places) <= most or len(fits) > 1 else []


def _shift(found: Sequence[str], search: Sequence[str]) -> tuple[str, str] | None:
    """The white space that lines of the file have more, and less; None if that differs between them."""
    shifts = set()
    for line, asked in zip(found, search, strict=True):
        if line.strip():
            have, want = line[: len(line) - len(line.lstrip())], asked[: len(asked) - len(asked.lstrip())]
            if have.endswith(want):
                shifts.add((have[: len(have) - len(want)], ""))
            elif want.endswith(have):
                shifts.add(("", want[: len(want) - len(have)]))
            else:
                return None
            if len(shifts) > 1:
                return None
    return shifts.pop() if shifts else None


def _moved(lines: Sequence[str], more: str, less: str) -> list[str] | None:
    """Lines shifted; None where one stands too far out for it."""
    if any(line.strip() and not line.startswith(less) for line in lines):
        return None
    return [more + line[len(less) :] if line.strip() else "" for line in lines]


def _trimmed(search: list[str], replace: list[str]) -> tuple[list[str], list[str]]:
    """Both without blank lines at the edges, which models add."""
    return _without_edges(search), _without_edges(replace)


def _without_edges(lines: list[str]) -> list[str]:
    filled = [at for at, line in enumerate(lines) if line.strip()]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _parts(text: str, search: str, replace: str) -> list[_Part]:
    """Where SEARCH stands within lines, cutting no word. One place is none where more were left than are looked at."""
    found: list[_Part] = []
    tries = max(MOST_PLACES, min(MOST_TRIED, MOST_TRIED_CHARACTERS // max(1, len(search))))
    at = text.find(search)
    while at >= 0 and len(found) < MOST_PLACES:
        if not tries:
            return found if len(found) > 1 else []
        tries -= 1
        end = at + len(search)
        if not (_joins(text, at) or _joins(text, end)):
            found.append(_Part(at, end, replace))
        at = text.find(search, at + 1)
    return found


def _joins(text: str, at: int) -> bool:
    """Whether there is the middle of a word at a place."""
    pair = text[max(0, at - 1) : at + 1]
    return 0 < at < len(text) and pair.replace("_", "a").isalnum()


# --- what a model is told ----------------------------------------------------------------------


def _several(edit: Edit, places: Sequence[int]) -> Problem:
    more = " and more" if len(places) == MOST_PLACES else ""
    said = f"{edit.path} has the lines of SEARCH several times, at lines {', '.join(map(str, places))}{more}"
    return Problem("ambiguous", edit.path, f"{said}: quote more lines around the one that is meant.")


def _missing(text: str, lines: Sequence[str], edit: Edit, search: Sequence[str], told: bool) -> Problem:
    written = [line.strip() for line in edit.replace.strip("\n").split("\n")]
    if any(written) and runs(text, written, str.strip, 1):
        said = f"{edit.path} has not the lines of SEARCH, but those of REPLACE: is the change made already?"
        return Problem("not found", edit.path, said)
    nearest = _nearest(lines, search) if told else None
    shown = "" if nearest is None else _shown(text, nearest, len(search))
    said = f"{edit.path} has not the lines of SEARCH, exactly as they are there.{shown}"
    return Problem("not found", edit.path, said)


def _nearest(lines: Sequence[str], search: Sequence[str]) -> int | None:
    """The line at which most of SEARCH stands, or something like its longest line."""
    places: dict[str, list[int]] = {}
    for at, line in enumerate(lines[:MOST_READ]):
        places.setdefault(line.strip(), []).append(at)
    votes = Counter(
        at - number
        for number, line in enumerate(search[:MOST_VOTES])
        if len(line.strip()) >= SHORTEST and len(places.get(line.strip(), ())) <= MOST_ALIKE
        for at in places.get(line.strip(), ())
    )
    if votes:
        return max(0, max(votes.items(), key=lambda vote: (vote[1], -vote[0]))[0])
    number, longest = max(enumerate(search), key=lambda each: len(each[1].strip()))
    longest = longest.strip()[:LONGEST_COMPARED]
    size, words = len(longest), set(_WORD.findall(longest))
    short = {line[:LONGEST_COMPARED]: at for line, (at, *_) in places.items() if len(line) <= LONGEST_SHOWN}
    near = heapq.nlargest(
        MOST_COMPARED,
        short,
        lambda line: (len(words.intersection(_WORD.findall(line))), -abs(len(line) - size)),
    )
    close = difflib.get_close_matches(longest, near, 1)
    return max(0, short[close[0]] - number) if close else None


@lru_cache(1)
def _harmless(text: str) -> Sequence[str]:
    """The lines of a text as a prompt may show them."""
    return bare(tokens.neutralise(redact.redact(text)[0]))


def _shown(text: str, first: int, count: int) -> str:
    """Some lines of a file with their numbers, as a prompt may show them."""
    lines = _harmless(text)
    last = min(len(lines), first + min(count, MOST_SHOWN))
    shown = "".join(f"\n{at + 1}: {lines[at][:LONGEST_SHOWN]}" for at in range(first, last))
    return f" Lines {first + 1} to {last} of the file are:{shown}" if shown else ""
