"""Which errors of syntax does a change bring in?"""

from __future__ import annotations

import json
import re
import tomllib
import warnings
from bisect import bisect_left
from collections.abc import Callable, Mapping, Set

from tree_sitter import Parser

from repoctx import redact, tokens
from repoctx.parse.languages import LANGUAGES, resolve
from repoctx.parse.queries import cursor, question
from repoctx.parse.texts import without_macros
from repoctx.tasks.edits import Problem

MOST_TOLD = 3  # errors of a file
LONGEST_READ = 300_000  # characters that readers without a grammar are given
LONGEST_LINE = 200  # characters of a line in a problem
Error = tuple[int, str]  # line, and what is wrong there


def new_errors(path: str, key: str, before: str | None, after: str, changed: Set[int]) -> list[Problem]:
    """What is wrong after a change that was not before. `changed` are the lines after it that are new.

    `key` is the language of the path. A file that had errors may keep as many.
    """
    language = resolve(key, after.encode())
    old, new = _errors(language, before or "", frozenset()), _errors(language, after, changed)
    if len(new) > len(old):
        found = [(line, "the code cannot be read") for line in sorted(set(new) - set(old)) or new]
    elif not new and (error := _misread(language, before, after)):
        found = [error]
    else:
        found = []
    # As a prompt may show them: what is told goes back to the model.
    lines = tokens.neutralise(redact.redact(after)[0]).split("\n") if found else []
    said = f"{path} has a syntax error after the change, at line"
    return [Problem("syntax", path, f"{said} {line} ({why}):{_quoted(lines, line)}") for line, why in found[:MOST_TOLD]]


def _quoted(lines: list[str], line: int) -> str:
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return f"\n{line}: {text[:LONGEST_LINE].rstrip()}"


def _errors(language: str, text: str, changed: Set[int]) -> list[int]:
    """The lines of syntax errors; of an error that stretches over changed lines the first of those."""
    asked = question(language)
    if asked is None or not text:
        return []
    root = Parser(asked.grammar).parse(without_macros(LANGUAGES[language].macros, text.encode())).root_node
    if not root.has_error:
        return []
    found, new = [], sorted(changed)
    for node in cursor(asked.errors).captures(root).get("error", ()):
        first, last = node.start_point[0] + 1, node.end_point[0] + 1
        at = bisect_left(new, first)
        found.append(new[at] if at < len(new) and new[at] <= last else first)
    return sorted(found) or [1]


# --- readers of languages whose grammar forgives too much, or that have none -------------------


def _misread(language: str, before: str | None, after: str) -> Error | None:
    """What a stricter reader does not take after a change that it took before."""
    read = _READERS.get(language)
    if read is None or len(after) > LONGEST_READ or (before and (len(before) > LONGEST_READ or read(before))):
        return None
    return read(after)


def _python(text: str) -> Error | None:
    """Wrong indentation alone: what else is wrong depends on the version of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text.removeprefix("\ufeff"), "text", "exec", 0x400, dont_inherit=True)  # PyCF_ONLY_AST
        except IndentationError as error:
            return error.lineno or 1, error.msg
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None
    return None


def _json(text: str) -> Error | None:
    try:
        json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    except (ValueError, RecursionError):
        return None
    return None


def _toml(text: str) -> Error | None:
    try:
        tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        return (int(line[1]) if line else text.count("\n") + 1), str(error).partition(" (at")[0]
    except (ValueError, RecursionError):
        return None
    return None


def _yaml(text: str) -> Error | None:
    import yaml

    try:
        for _ in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return (mark.line + 1 if mark else 1), error.problem or "no YAML"
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return None


_READERS: Mapping[str, Callable[[str], Error | None]] = {
    "python": _python, "json": _json, "package-json": _json, "composer-json": _json,
    "toml": _toml, "cargo-toml": _toml, "pyproject-toml": _toml, "yaml": _yaml,
}  # fmt: skip
