"""What do the documents show? Their code, links and anchors, and which command lines and requests that code is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import dropwhile, groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import click
from markdown_it import MarkdownIt

from repoctx.docs import anchors
from repoctx.serve.cli import cli

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "repoctx" / "docs"
DOCUMENTS = (ROOT / "README.md", *sorted(FOLDER.glob("*.md")))
METHODS = ("GET", "POST", "PATCH", "DELETE")
# Blocks without a language, and those of a shell, hold command lines.
SHELLS = ("", "sh", "bash", "console")
Schema = Mapping[str, Any]


class Shown(NamedTuple):
    """A fenced block or a piece of code in a line."""

    file: str  # relative to the repository
    line: int
    language: str  # of a block
    text: str
    block: bool


@cache
def tokens(path: Path) -> list[Any]:
    """A document, parsed as the service and GitHub do."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").parse(path.read_text(encoding="utf-8"))


def shown(path: Path) -> Iterator[Shown]:
    """All code of a document."""
    file = str(path.relative_to(ROOT))
    for token in tokens(path):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "fence":
            yield Shown(file, line, token.info.split(" ")[0], token.content, True)
        for child in token.children or ():
            if child.type == "code_inline":
                yield Shown(file, line, "", child.content, False)


def slugs(path: Path) -> set[str]:
    """The anchors of a document's headings."""
    return {slug for _, slug in anchors(tokens(path))}


def links(path: Path) -> Iterator[str]:
    """Where a document's links lead."""
    for token in tokens(path):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrGet("href"))


def command_lines(block: str) -> Iterator[list[str]]:
    """The simple commands of a shell's text: without comments, variables that are set, redirections and pipes."""
    begun = ""
    for line in re.sub(r"\\\n", " ", block).split("\n"):
        begun += f"{line}\n"
        lexer = shlex.shlex(begun, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # a quoted text goes on in the next line
            continue
        begun = ""
        for between, found in groupby(words, lambda word: set(word) <= set("|&;()")):
            if not between:
                yield _command(list(found))
    assert not begun, f"a quoted text never ends: {begun}"


def _command(words: list[str]) -> list[str]:
    kept = [word for before, word in pairwise(["", *words]) if not {before[:1], word[:1]} & {"<", ">"}]
    return list(dropwhile(lambda word: re.fullmatch(r"[A-Za-z_]\w*=.*", word, re.DOTALL), kept))


def parse(arguments: list[str]) -> None:
    """Parse a command line of repoctx as the real one does, and run nothing. Raises click's exceptions."""
    command: click.Command = cli
    context = cli.make_context("repoctx", list(arguments))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            if command.invoke_without_command:
                return
            raise click.UsageError("a command is missing")
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = command.make_context(name, rest, parent=context)


def misunderstood(block: str) -> Iterator[tuple[str, str]]:
    """The command lines of repoctx in a shell's text that it would refuse, and what it would say."""
    for words in command_lines(block):
        if words[:1] == ["repoctx"]:
            try:
                parse(words[1:])
            except click.exceptions.Exit:  # --help, --version
                continue
            except click.ClickException as error:
                yield " ".join(words), error.format_message()


class Request(NamedTuple):
    """A request that a document shows."""

    method: str
    path: str
    body: str | None


_SPOKEN = re.compile(rf"({'|'.join(METHODS)}) (/[^\s?]*)(?:\?\S*)?(?:\s+(\{{.*\}}))?", re.DOTALL)


def requests(one: Shown) -> Iterator[Request]:
    """The requests to the service's routes that a piece of code shows: `GET /v1/jobs`, or by curl."""
    if not one.block:
        found = _SPOKEN.fullmatch(one.text)
        if found:
            yield Request(found[1], found[2], found[3])
        return
    if one.language not in SHELLS:
        return
    for words in command_lines(one.text):
        if words[:1] != ["curl"]:
            continue
        urls = [word for word in words if re.match(r"https?://", word)]
        body = next((after for word, after in pairwise(words) if word in ("-d", "--data")), None)
        said = next((after for word, after in pairwise(words) if word in ("-X", "--request")), None)
        for url in urls:
            path = re.sub(r"https?://[^/]+", "", url).partition("?")[0]
            yield Request(said or ("POST" if body is not None else "GET"), path, body)


def route_of(api: Schema, request: Request) -> Schema | None:
    """The route that a request goes to; words in capitals, `$NAME` and `{name}` stand for any part of a path."""
    for path, methods in api["paths"].items():
        parts = [".+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", path)]
        if re.fullmatch("".join(parts), request.path) and request.method.lower() in methods:
            found: Schema = methods[request.method.lower()]
            return found
    return None
