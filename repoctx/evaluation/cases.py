"""Which past commits are questions? Pure: from what is known of a commit alone."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from repoctx.parse.languages import by_path
from repoctx.retrieve import fuse
from repoctx.types import Change, Commit

# Why a commit is no question; the first that holds is counted, in this order.
Reason = Literal[
    "merge", "first commit", "unreadable", "bot", "bulk", "rename only", "says nothing", "nothing to find",
]  # fmt: skip
MEANING: dict[Reason, str] = {
    "merge": "merges",
    "first commit": "commits with nothing before them",
    "unreadable": "commits that cannot be read whole",
    "bot": "commits of bots",
    "bulk": "commits of more than 20 files",
    "rename only": "commits that only move files",
    "says nothing": "messages that ask nothing (releases, reverts, WIP, under three words)",
    "nothing to find": "changes to no code that was there",
}

# A commit of more files is a reformat, a release or an import.
MOST_FILES = 20
# A message of fewer words says nothing to search for.
LEAST_WORDS = 3
# What holds no code, by language: a message is no question about it.
PROSE = frozenset("text markdown rst asciidoc org latex diff".split())
SETTINGS = frozenset(
    "toml ini yaml json xml csv package-json deno-json composer-json go-mod cargo-toml pyproject-toml setup-cfg".split()
)

_BOTS = re.compile(
    r"\[bot\]|\bbot$|^(dependabot|renovate|greenkeeper|snyk|pre-commit|github[- ]actions|semantic[- ]release|pyup|"
    r"weblate|transifex|allcontributors|imgbot|mergify|bors|homu|k8s-ci-robot)\b",
    re.IGNORECASE,
)
# `Signed-off-by: …`; git has no list of them, but each is one word with dashes, or one of a few that forges know.
_TRAILER = re.compile(
    r"([A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)+|bug|change|cc|closes|fixes|issue|link|refs?|resolves|see|url): .*"
    r"|\(cherry picked from commit [0-9a-f]+\)|git-svn-id: .*|-{3,}",
    re.IGNORECASE,
)
_CONVENTIONAL = r"^(?:[\w-]+(?:\([^)\n]{0,50}\))?!?: *)?"  # `chore(deps): `
_EMPTY = re.compile(
    rf"{_CONVENTIONAL}(?:merge\b|revert\b|reapply\b|wip\b|(?:fixup|squash|amend)!)"
    # What ends in a version, after a word that says that it was made.
    rf"|{_CONVENTIONAL}(?:(?:bump|release|releasing|prepare|preparing|start|begin|tag|cut|set|update|upgrade|version)\b"
    r"[^\n]{0,80}?)?\bv?\d+(?:\.\d+)+(?:[-.+]?\w{1,12}){0,4}\.?(?: *\(#\d+\))?$"
    rf"|{_CONVENTIONAL}(?:version bump|bump (?:the )?version|back to development)"
    rf"|{_CONVENTIONAL}(?:bump|update|upgrade)\b(?: [\w-]+){{0,3}} (?:dependencies|deps|requirements)$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{2,}")


class Case(NamedTuple):
    """A commit as a question."""

    commit: str
    parent: str
    time: int
    query: str  # its message without trailers
    changes: tuple[Change, ...]  # those of code that was there before

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.query.partition("\n")[0]

    @property
    def words(self) -> int:
        """The words of the question."""
        return len(self.query.split())


def case(commit: Commit, parents: tuple[str, ...]) -> Case | Reason:
    """A commit as a question, or why it is none.

    Whether a file is code is told from its path. What the repository before the commit makes of it comes later
    (`gold`): it may leave out the file, or import what lies in a folder of tests.
    """
    if len(parents) != 1:
        return "merge" if parents else "first commit"
    if _BOTS.search(commit.author):
        return "bot"
    if commit.files > MOST_FILES:
        return "bulk"
    if commit.changes and all(change.status == "R" and not change.hunks for change in commit.changes):
        return "rename only"
    query = question(commit.message)
    if not query:
        return "says nothing"
    roles = fuse.file_roles([change.old_path for change in commit.changes])
    changes = tuple(
        change
        for change, role in zip(commit.changes, roles, strict=True)
        if change.old_path and change.hunks and role is None and is_code(by_path(change.old_path))
    )
    return Case(commit.id, parents[0], commit.time, query, changes) if changes else "nothing to find"


def is_code(language: str) -> bool:
    """Whether a language is one that programs, pages or their looks are written in."""
    return language not in PROSE and language not in SETTINGS


def question(message: str) -> str:
    """A message without its trailers; "" if it says nothing that could be searched for."""
    lines = message.strip().split("\n")
    last = len(lines)
    while last > 1 and (not lines[last - 1].strip() or _TRAILER.fullmatch(lines[last - 1].strip())):
        last -= 1
    text = "\n".join(line.rstrip() for line in lines[:last]).strip()
    return "" if _EMPTY.search(lines[0].strip()) or len(_WORD.findall(text)) < LEAST_WORDS else text
