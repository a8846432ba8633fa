"""Which of a source's paths are worth a look, by the rules that it brings along and by their names?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from repoctx.errors import UsageError
from repoctx.source.filter import MARKERS, SUSPECT_EXTENSIONS, UNSAFE, Limits, Verdict, name_skip, vendored
from repoctx.source.patterns import MAX_RULES, Attributes, IgnoreRules, glob
from repoctx.types import Skip

IGNORE_FILE = b".repoctxignore"
ATTRIBUTES_FILE = b".gitattributes"
Globs = list[re.Pattern[bytes]]


class Rules(NamedTuple):
    """The rules that a source itself brings along."""

    ignore: IgnoreRules
    attributes: Attributes


def decode_path(raw: bytes) -> str:
    """A path as text; bytes that are not UTF-8 become `\\xNN`."""
    return raw.decode("utf-8", "backslashreplace")


def rule_files(paths: Collection[bytes]) -> list[bytes]:
    """Those of the paths that are ignore or attributes files."""
    names = (IGNORE_FILE, ATTRIBUTES_FILE)
    return [path for path in paths if path.endswith(names) and path.rpartition(b"/")[2] in names]


def add_rules(rules: Rules, files: Mapping[bytes, bytes]) -> list[Skip]:
    """Take the content of rule files (path -> content); those that are too long to be followed come back."""
    skips = []
    for path in sorted(files):
        folder, _, name = path.rpartition(b"/")
        if files[path].count(b"\n") > MAX_RULES:
            skips.append(
                Skip(decode_path(path), "too large", f"more than {MAX_RULES:,} rules: none is followed")
            )
        elif name == ATTRIBUTES_FILE:
            rules.attributes.add(folder, files[path])
        else:
            rules.ignore.add(folder, files[path], name.decode())
    return skips


def sift(paths: Iterable[bytes], rules: Rules, limits: Limits) -> tuple[list[tuple[str, bytes]], list[Skip]]:
    """Divide paths (sorted, as bytes) into those worth a look, as (path, bytes), and those left out.

    A folder that is left out as a whole is one Skip, whose path ends in "/".
    """
    paths = list(paths)
    wanted, unwanted = _globs(limits.include), _globs(limits.exclude)
    marked = _marked(paths)
    folders: dict[bytes, Skip | None] = {}
    skips: dict[str, Skip] = {}
    kept: dict[str, bytes] = {}
    plain: set[str] = set()  # extensions met before that no rule for names speaks of
    for raw in paths:
        path = decode_path(raw)
        above = raw.rpartition(b"/")[0] or raw[: raw.startswith(b"/")]  # "/" for an absolute path
        if above not in folders:
            folders[above] = _folder_skip(above, rules.ignore, marked)
        skip = folders[above]
        extension = path.rpartition(".")[2]
        verdict = None if extension in plain else name_skip(path.rpartition("/")[2])
        if verdict is None and "/" not in extension and extension.lower() not in SUSPECT_EXTENSIONS:
            plain.add(extension)
        if rules.attributes and (skip is None or skip.reason == "vendored"):
            skip, verdict = _by_attributes(raw, path, skip, verdict, rules.attributes)
        if skip is None and (origin := _unwanted(raw, rules.ignore, wanted, unwanted)):
            skip = Skip(path, "ignored", origin)
        if skip is None and verdict:
            skip = Skip(path, *verdict)
        if skip is None and path in kept:
            skip = Skip(path, "path collision", "another path looks the same as text")
        if skip is None:
            kept[path] = raw
        else:
            skips.setdefault(skip.path, skip)
    return list(kept.items()), list(skips.values())


def _folder_skip(folder: bytes, ignore: IgnoreRules, marked: Mapping[bytes, str]) -> Skip | None:
    text = decode_path(folder)
    if ignore and (found := ignore.outermost(folder)):
        return Skip(decode_path(found[0]) + "/", "ignored", found[1])
    if folder and UNSAFE.search(text):
        return Skip(text + "/", "unreadable", "unsafe path")
    outermost, verdict = vendored(text)
    if verdict:
        return Skip(outermost + "/", *verdict)
    parent = folder
    while marked and parent:
        if parent in marked:
            return Skip(decode_path(parent) + "/", "vendored", marked[parent])
        parent = parent.rpartition(b"/")[0]
    return None


def _unwanted(raw: bytes, ignore: IgnoreRules, wanted: Globs, unwanted: Globs) -> str:
    """Who wants a file left out; "" if nobody does."""
    if ignore and (origin := ignore.verdict(raw, is_folder=False)):
        return origin
    if unwanted and any(regex.fullmatch(raw) for regex in unwanted):
        return "excluded"
    if wanted and not any(regex.fullmatch(raw) for regex in wanted):
        return "not included"
    return ""


def _by_attributes(raw: bytes, path: str, skip: Skip | None, verdict: Verdict | None,
                   attributes: Attributes) -> tuple[Skip | None, Verdict | None]:  # fmt: skip
    """The two findings after `.gitattributes`: what it says goes, either way."""
    said = attributes.of(raw)
    vendor, generated = said.get(b"linguist-vendored"), said.get(b"linguist-generated")
    if vendor:
        return skip or Skip(path, "vendored", "linguist-vendored"), verdict
    if vendor is False:
        skip = None
    if generated:
        verdict = "generated", "linguist-generated"
    elif generated is False and verdict and verdict[0] in ("generated", "minified"):
        verdict = None
    return skip, verdict


def _marked(paths: list[bytes]) -> dict[bytes, str]:
    """The folders that a marker file makes vendored, and what they hold."""
    found = {}
    endings = tuple((marker.rpartition("/")[2].encode(), marker.encode(), why) for marker, why in MARKERS)
    names = tuple(name for name, _, _ in endings)
    for raw in paths:
        if raw.endswith(names):
            for _, marker, why in endings:
                if (b"/" + raw).endswith(b"/" + marker):
                    inside = marker.partition(b"/")[0] if b"/" in marker else b""
                    folder = raw[: len(raw) - len(marker)] + inside
                    found[folder.removesuffix(b"/")] = why
    found.pop(b"", None)  # the whole source is nobody's vendored copy
    return found


def _globs(patterns: Iterable[str]) -> Globs:
    """Expressions for whole paths. A glob without a slash counts in every folder, a folder for all below."""
    found = []
    for pattern in patterns:
        body = pattern.strip("/")
        start = "" if "/" in pattern.rstrip("/") else "**/"
        for text in (start + body, start + body + "/**"):
            regex = glob(text.encode("utf-8", "surrogateescape")) if body else None
            if regex is None:
                raise UsageError(f"{pattern!r} is not a glob that a path can match.")
            found.append(regex)
    return found
