"""Which edits does an answer of a model ask for? Search/replace blocks, or a unified diff read as such.

Models write much that is nearly right: what has one meaning is taken, all else is a problem that can be told to the
model. Nothing here knows a repository; `fitting` says where an edit belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MOST_EDITS = 200
LONGEST_ANSWER = 1_000_000  # characters
MOST_PROBLEMS = 20  # of an answer: a model needs no more to see what it does wrong

INSTRUCTIONS = """\
Write each change as a block: the path of the file on a line of its own, then the lines to find and the lines to put in
their place.

src/shop/cart.py
<<<<<<< SEARCH
    total = price
    return total
=======
    total = price * count
    return total
>>>>>>> REPLACE

SEARCH holds whole lines exactly as the file has them, indentation included, without line numbers: as few as show one
place only. Use one block for each place, in the order in which they are to be made. To make a new file leave SEARCH
empty. To change nothing write no block. Lines with `[redacted ...]` cannot be changed: leave them out of the blocks.
"""


class Edit(NamedTuple):
    """Lines of a file, and those that are to stand in their place."""

    path: str  # as the model wrote it
    search: str  # "": the file is new
    replace: str
    removed: bool = False  # the whole file is to go


class Problem(NamedTuple):
    """Why an answer cannot be taken as it is."""

    kind: str
    path: str  # "" where none is known
    detail: str  # sentences that can be sent back to the model


_SEARCH = re.compile(r"([ \t]*)<{5,9}[ \t]*(?:SEARCH|ORIGINAL)\b[ \t>:]*(.*)")
_REPLACE = re.compile(r"[ \t]*>{5,9}[ \t]*(?:REPLACE|UPDATED)\b.*")
_BARE_END = re.compile(r"[ \t]*>{5,9}[ \t]*")
_DIVIDER = re.compile(r"[ \t]*={5,9}[ \t]*")
_FENCE = re.compile(r"[ \t]*(?:```+|~~~+)[ \t]*(\S*)[ \t]*(.*)")
_QUOTED = re.compile(r"(?<!`)`+([^`\n]{1,1000})`+|\*\*([^*\n]{1,1000})\*\*|\"([^\"\n]{1,1000})\"")
_LABEL = re.compile(r"(?i)^(?:new )?(?:file ?(?:name|path)?|path)\s*[:=]\s*")
_SAID = re.compile(r"(?i)(?<!\s)\s*\((?:new|new file|modified|created?|updated?|existing)\)$")
_NOT_IN_PATH = re.compile(r"[\s`*<>|\"]")
_NAMES = r"[A-Z][a-z]+file|LICENSE|README"
_PATH_ENDS = re.compile(r"[/\\].|\.[A-Za-z0-9_+-]{1,16}\Z")
_HAS_PATH = re.compile(rf"[/\\][^\s`*<>|\"]|\.[A-Za-z0-9_+-]|{_NAMES}")
_IN_PROSE = re.compile(r".*/.*|.*\w\w\.[A-Za-z][\w+-]*|" + _NAMES)
_LOOK_BACK = 4  # lines above a block in which its path is looked for
_HEADER = re.compile(r"(?:---|\+\+\+) (.*)")
_TIME = re.compile(r"\t.*$")
_HUNK = re.compile(r"@@ .*|@@")


def parse(answer: str) -> tuple[list[Edit], list[Problem]]:
    """The edits of an answer in their order, and what in it cannot be read. Never raises.

    The diffs of an answer count where it has no search/replace blocks.
    """
    if len(answer) > LONGEST_ANSWER:
        said = (
            f"The answer has {len(answer):,} characters, of which {LONGEST_ANSWER:,} are read at most: answer shorter."
        )
        return [], [Problem("malformed", "", said)]
    lines = answer.replace("\r\n", "\n").split("\n")
    if any(_SEARCH.fullmatch(line) for line in lines):
        edits, problems = _blocks(lines)
    else:
        edits, problems = _diffs(lines)
    if len(edits) > MOST_EDITS:
        said = f"The answer has {len(edits)} edits, of which {MOST_EDITS} are taken at most: make fewer, larger ones."
        return [], [*problems[: MOST_PROBLEMS - 1], Problem("malformed", "", said)]
    return edits, problems[:MOST_PROBLEMS]


def _malformed(path: str, line: int, said: str) -> Problem:
    return Problem("malformed", path, f"The block at line {line} of the answer {said}")


# --- search/replace blocks ---------------------------------------------------------------------


def _blocks(lines: Sequence[str]) -> tuple[list[Edit], list[Problem]]:
    edits: list[Edit] = []
    problems: list[Problem] = []
    starts = [at for at, line in enumerate(lines) if _SEARCH.fullmatch(line)]
    path, free = "", 0  # the path of the block before, and the first line behind it
    for start, following in zip(starts, [*starts[1:], len(lines)], strict=True):
        path = _path_above(lines, free, start) or path
        end, free = _end(lines, start, following), following
        if end is None:
            cut = following == len(lines)
            why = "has no end (>>>>>>> REPLACE): the answer stops within it." if cut else (
                "has no end (>>>>>>> REPLACE) before the next one begins."
            )  # fmt: skip
            problems.append(_malformed(path, start + 1, f"{why} Write it again."))
            continue
        free = end + 1
        if not path:
            said = "does not say which file it changes: write the path on the line above <<<<<<< SEARCH."
            problems.append(_malformed("", start + 1, said))
            continue
        inside = _dedented(lines[start + 1 : end], lines[start])
        divider = _divider(inside, lines[start])
        if isinstance(divider, str):
            problems.append(_malformed(path, start + 1, divider))
        else:
            edits.append(Edit(path, _text(inside[:divider]), _text(inside[divider + 1 :])))
    return edits, problems


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _end(lines: Sequence[str], start: int, following: int) -> int | None:
    """The line on which a block ends; one without the word only if there is no better."""
    body = range(start + 1, following)
    named = next((at for at in body if _REPLACE.fullmatch(lines[at])), None)
    return named if named is not None else next((at for at in body if _BARE_END.fullmatch(lines[at])), None)


def _dedented(inside: Sequence[str], opening: str) -> list[str]:
    """The lines of a block that stands indented as a whole, as in a list."""
    found = _SEARCH.fullmatch(opening)
    indent = found[1] if found else ""
    if indent and all(line.startswith(indent) for line in inside if line.strip()):
        return [line[len(indent) :] if line.strip() else line for line in inside]
    return list(inside)


def _divider(inside: Sequence[str], opening: str) -> int | str:
    """Where SEARCH ends, or what is wrong. Of several dividers the one that is as long as the opening mark counts."""
    found = [at for at, line in enumerate(inside) if _DIVIDER.fullmatch(line)]
    if found and found[0] == 0:
        return 0
    width = opening.count("<")
    same = [at for at in found if inside[at].strip() == "=" * width] or found
    if len(same) == 1:
        return same[0]
    if not same:
        return "has no line ======= between SEARCH and REPLACE. Write it again."
    return (
        f"has {len(same)} lines that may divide SEARCH from REPLACE: where the file has such lines itself, use marks "
        f"of another length, such as {'<' * (width % 9 + 5 if width > 5 else 9)} SEARCH."
    )


def _path_above(lines: Sequence[str], free: int, start: int) -> str:
    """The path that a block is given: behind its mark, in the fence around it, or on a line above; else ""."""
    mark = _SEARCH.fullmatch(lines[start])
    if mark and mark[2] and (path := read_path(mark[2])):
        return path
    looked = 0
    for at in range(start - 1, free - 1, -1):
        line = lines[at]
        if not line.strip():
            continue
        fence = _FENCE.fullmatch(line)
        path = _path_of_fence(fence) if fence else read_path(line)
        if path:
            return path
        looked += 1
        if looked == _LOOK_BACK:
            break
    return ""


def _path_of_fence(fence: re.Match[str]) -> str:
    """A path in the words after a fence: ```python src/a.py, ```python:src/a.py, ```src/a.py."""
    language, rest = fence[1], fence[2]
    for words in (rest, language.partition(":")[2], language):
        words = re.sub(r"^[{(]?(?:title|file|filename|path)\s*=\s*", "", words).strip("{}()'\" ")
        if words and (path := read_path(words)):
            return path
    return ""


def read_path(line: str) -> str:
    """The path on a line, however it is decorated; "" if it has none, or several things that may be one."""
    line = line[:2000].strip()
    quoted = [next(filter(None, groups)).strip() for groups in _QUOTED.findall(line)]
    paths = [word for each in quoted if _HAS_PATH.search(word := _LABEL.sub("", each).strip(" :`*"))]
    if len(paths) == 1:
        return paths[0]
    bare = re.sub(r"^(?:#+|//+|--|[-*>]|\d+[.)])[ \t]+", "", line).strip("*` \t")
    labelled = _LABEL.match(bare)
    bare = _SAID.sub("", _LABEL.sub("", bare))
    bare = bare.strip().rstrip(":").strip("*` \t\"'")
    if labelled or " " not in bare:
        return bare if _is_path(bare) or (labelled and bare) else ""
    words = [word.strip("`*,:;()\"'") for word in bare.split(" ")]
    found = [word for each in words if _is_path(word := each.rstrip("./")) and _IN_PROSE.fullmatch(word)]
    if len(found) == 1:
        return found[0]
    return bare if found and found[-1] == words[-1] and found[0] == words[0] else ""  # a path with spaces


def _is_path(word: str) -> bool:
    """Whether a word can only be a path; in time that grows with its length alone."""
    return bool(re.fullmatch(_NAMES, word) or (not _NOT_IN_PATH.search(word) and _PATH_ENDS.search(word)))


# --- unified diffs -----------------------------------------------------------------------------


def _diffs(lines: Sequence[str]) -> tuple[list[Edit], list[Problem]]:
    """The hunks of the diffs in an answer; their line numbers are not looked at, which models get wrong."""
    edits: list[Edit] = []
    problems: list[Problem] = []
    old = new = ""
    fenced = False
    at = 0
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.fullmatch(line):
            fenced = not fenced and fence[1].lower() in ("diff", "patch", "udiff")
            if fenced:
                old = new = _path_above(lines, max(0, at - _LOOK_BACK), at) or ""
        elif line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            old, new = _named(line), _named(lines[at + 1])
            at += 1
        elif _HUNK.fullmatch(line) and (fenced or new):
            at, before, after = _hunk(lines, at + 1, fenced)
            edit = _edit(old, new, before, after)
            if isinstance(edit, Edit):
                edits.append(edit)
            else:
                problems.append(_malformed("", at, edit))
            continue
        at += 1
    return edits, problems


def _named(header: str) -> str:
    """The path of a `---` or `+++` line; "" for /dev/null. A prefix `a/` or `b/` stays."""
    found = _HEADER.fullmatch(header)
    path = _TIME.sub("", found[1]).strip().strip('"') if found else ""
    return "" if path == "/dev/null" else path


def _edit(old: str, new: str, before: list[str], after: list[str]) -> Edit | str:
    path = new or old
    if not path:
        return "does not say which file it changes: begin the diff with --- a/PATH and +++ b/PATH."
    if old and not new:
        return Edit(path, _text(before), "", removed=True)
    return Edit(path, _text(before) if old else "", _text(after))


def _hunk(lines: Sequence[str], at: int, fenced: bool) -> tuple[int, list[str], list[str]]:
    """The lines of a hunk before and after, and where it ends. Outside of a fence prose ends it."""
    old: list[str] = []
    new: list[str] = []
    blank = 0  # lines without even a space at the end: between the hunk and what follows
    end = at
    for line in _to_end(lines, at):
        sign, rest = line[:1], line[1:]
        end += 1
        if sign == "\\":
            continue
        blank = blank + 1 if not line else 0
        if sign in ("-", "+"):
            (old if sign == "-" else new).append(rest)
        elif sign == " " or not line:
            old.append(rest)
            new.append(rest)
        elif fenced:  # a model that forgot the space before what stays
            old.append(line)
            new.append(line)
        else:
            break
    return end, old[: len(old) - blank], new[: len(new) - blank]


def _to_end(lines: Sequence[str], at: int) -> Iterator[str]:
    """The lines up to the next hunk, file or fence."""
    while at < len(lines):
        line = lines[at]
        header = line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")
        if header or _HUNK.fullmatch(line) or line.startswith("diff --git ") or _FENCE.fullmatch(line):
            return
        yield line
        at += 1
