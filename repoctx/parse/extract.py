"""Which symbols, references and imports does a text contain?

One pass of the parser, one of the language's query, then plain arithmetic on byte offsets.
"""

from __future__ import annotations

from typing import NamedTuple

from tree_sitter import Node, Parser

from repoctx.parse import comments
from repoctx.parse.imports import read_imports
from repoctx.parse.languages import LANGUAGES
from repoctx.parse.queries import Answers, Captures, Question, about, ask, cursor, question
from repoctx.parse.references import Uses, find_uses
from repoctx.parse.symbols import ANONYMOUS, CONTAINER, Definition, nest
from repoctx.parse.texts import Text, text_of, without_macros
from repoctx.types import Import, Symbol


class Extract(NamedTuple):
    """What a syntax tree says, each list in order, and the count of syntax errors."""

    symbols: list[Symbol]
    imports: list[Import]
    uses: Uses
    errors: int


def extract(language: str, text: bytes) -> Extract:
    """Symbols, imports, references and flows of a text.

    All are empty for a language without a grammar. `language` is a name of the table, not "auto".
    """
    asked = question(language)
    if asked is None or not text:
        return Extract([], [], Uses([], [], []), 0)
    row = LANGUAGES[language]
    tree = Parser(asked.grammar).parse(without_macros(row.macros, text))
    root = tree.root_node
    forms, answers = text_of(text), ask(asked, root)
    imported = read_imports(answers, forms, row)
    definitions = _definitions(answers, forms)
    places = imported.places | _ignored(answers)
    nesting = nest(definitions, forms, row, _outer(answers), _docs(answers, forms), places)
    uses = find_uses(answers, imported.found, nesting, forms, row)
    imports = []
    for start, module, name, alias in imported.found:
        line = forms.line(start)
        imports.append(Import(module, name, alias, line, start - forms.starts[line - 1]))
    return Extract(nesting.symbols, imports, uses, _errors(asked, root))


def _definitions(answers: Answers, text: Text) -> list[Definition]:
    found: list[Definition] = []
    for order, (pattern, matches) in enumerate(answers):
        if pattern.subject == "anonymous":
            spans = [captures["anonymous"][0].byte_range for captures in matches]
            found += [(start, -end, order, ANONYMOUS, -1, -1, -1, "", "") for start, end in spans]
        if pattern.subject not in ("definition", "container"):
            continue
        whole, kind = pattern.capture, pattern.detail or CONTAINER
        plain = not pattern.captures & {"receiver", "self"}
        ends = _reaches(matches, whole) if "reach" in pattern.captures else {}
        for captures in matches:
            node, name = captures[whole][0], captures["name"][0]
            body = captures["body"][0].start_byte if "body" in captures else -1
            receiver = "" if plain else _written(captures, "receiver", text)
            owner = "" if plain else _written(captures, "self", text)
            end = ends.get(node.start_byte, node.end_byte)
            place = (node.start_byte, -end, order, kind, name.start_byte, name.end_byte, body)
            found.append((*place, receiver, owner))
    return found


def _reaches(matches: list[Captures], whole: str) -> dict[int, int]:
    """Where definitions end that reach to the next one in the same block, or to its end; by their starts."""
    ends: dict[int, int] = {}
    following: dict[int, int] = {}  # start of the definition behind, by the block
    for captures in sorted(matches, key=lambda captures: captures[whole][0].start_byte, reverse=True):
        block, start = captures["reach"][0], captures[whole][0].start_byte
        if "body" not in captures:
            ends[start] = following.get(block.id, block.end_byte)
        following[block.id] = start
    return ends


def _written(captures: Captures, name: str, text: Text) -> str:
    return text.piece(captures[name][0].start_byte, captures[name][0].end_byte) if name in captures else ""


def _ignored(answers: Answers) -> set[int]:
    """Where names stand that are neither definitions nor uses."""
    return {c["ignore"][0].start_byte for _, matches in about(answers, "ignore") for c in matches}


def _outer(answers: Answers) -> dict[int, int]:
    """Where decorators and attributes of a definition start, by where the definition does."""
    starts = {}
    for _, matches in about(answers, "outer"):
        for captures in matches:
            outer, inner = captures["outer"][0].start_byte, captures["inner"][0].start_byte
            if outer < inner:
                starts[inner] = outer
    return starts


def _docs(answers: Answers, text: Text) -> dict[int, str]:
    """Doc comments that are part of the code, by the start of the body or the decorator that they stand for."""
    found = [captures for _, matches in about(answers, "doc") for captures in matches]
    return {
        captures.get("place", captures["doc"])[0].start_byte: comments.docstring(_written(captures, "doc", text))
        for captures in found
    }


def _errors(asked: Question, root: Node) -> int:
    """Syntax errors and missing nodes, looked for only where there are some."""
    if not root.has_error:
        return 0
    return len(cursor(asked.errors).captures(root).get("error", ())) or 1
