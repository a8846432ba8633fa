"""Which symbols, references and imports does a text contain?

One pass of the parser, one of the language's query, then plain arithmetic on byte offsets.
"""

from __future__ import annotations

from tree_sitter import Node, Parser

from repoctx.parse import comments
from repoctx.parse.imports import read_imports
from repoctx.parse.languages import LANGUAGES
from repoctx.parse.queries import Answers, Captures, Question, about, ask, cursor, question
from repoctx.parse.references import find_references
from repoctx.parse.symbols import CONTAINER, Definition, nest
from repoctx.parse.texts import Text, text_of
from repoctx.types import Import, Reference, Symbol


def extract(language: str, text: bytes) -> tuple[list[Symbol], list[Reference], list[Import], int]:
    """Symbols, references and imports of a text, each in order, and the count of syntax errors.

    All are empty for a language without a grammar. `language` is a name of the table, not "auto".
    """
    asked = question(language)
    if asked is None or not text:
        return [], [], [], 0
    tree = Parser(asked.grammar).parse(text)
    root = tree.root_node
    row, forms, answers = LANGUAGES[language], text_of(text), ask(asked, root)
    imported = read_imports(answers, forms, row)
    definitions = _definitions(answers, forms)
    nesting = nest(definitions, forms, row, _outer(answers), _docs(answers, forms), imported.places)
    references = find_references(answers, imported.found, nesting, forms, row)
    imports = []
    for start, module, name, alias in imported.found:
        line = forms.line(start)
        imports.append(Import(module, name, alias, line, start - forms.starts[line - 1]))
    return nesting.symbols, references, imports, _errors(asked, root)


def _definitions(answers: Answers, text: Text) -> list[Definition]:
    found: list[Definition] = []
    for order, (pattern, matches) in enumerate(answers):
        if pattern.subject not in ("definition", "container"):
            continue
        whole, kind = pattern.capture, pattern.detail or CONTAINER
        plain = not pattern.captures & {"receiver", "self"}
        for captures in matches:
            node, name = captures[whole][0], captures["name"][0]
            body = captures["body"][0].start_byte if "body" in captures else -1
            receiver = "" if plain else _written(captures, "receiver", text)
            owner = "" if plain else _written(captures, "self", text)
            place = (node.start_byte, -node.end_byte, order, kind, name.start_byte, name.end_byte, body)
            found.append((*place, receiver, owner))
    return found


def _written(captures: Captures, name: str, text: Text) -> str:
    return text.piece(captures[name][0].start_byte, captures[name][0].end_byte) if name in captures else ""


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
    """Doc comments that bodies begin with, by where they start."""
    nodes = [captures["doc"][0] for _, matches in about(answers, "doc") for captures in matches]
    return {node.start_byte: comments.docstring(text.piece(node.start_byte, node.end_byte)) for node in nodes}


def _errors(asked: Question, root: Node) -> int:
    """Syntax errors and missing nodes, looked for only where there are some."""
    if not root.has_error:
        return 0
    return len(cursor(asked.errors).captures(root).get("error", ())) or 1
