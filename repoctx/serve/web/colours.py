"""Which colour has each byte of a text? What the grammar of its language calls comment, string, number, keyword.

Nothing here knows a language: the kinds of nodes that a grammar has are sorted by their names, once, into a query.
Only texts that were parsed when they were indexed are given to a grammar, byte by byte as they were then: whatever
a hostile text does to a grammar it did in a process that could be lost. So secrets are cut out of what is painted,
and no fragment is painted by itself.
"""

from __future__ import annotations

import re
import time
from functools import cache

from tree_sitter import Node, Parser, Query

from repoctx.parse.languages import LANGUAGES
from repoctx.parse.queries import cursor, question
from repoctx.parse.texts import without_macros

# The colours; the index is the byte in what `paint` returns, "" is the colour of what is nothing in particular.
COLOURS = ("", "comment", "string", "number", "keyword", "type", "constant", "name", "cut")
_CODE = {name or "plain": code for code, name in enumerate(COLOURS)}
# Larger texts have no colours, nor have those that take more seconds of CPU: a megabyte of source takes 1.3.
MOST_BYTES, MOST_SECONDS = 1_000_000, 2.0
# What a grammar reads at a time.
PIECE = 1 << 16

# Kinds of named nodes, by colour; the first that fits a kind's whole name wins. A hole in a string is code again.
_NAMED = tuple(
    (colour, re.compile(pattern))
    for colour, pattern in (
        ("", r"(?:string_|template_|text_)?interpolation|interpolat(?:ed|ion)_expression|template_substitution|"
             r"(?:command|process)_substitution|(?:simple_|arithmetic_)?expansion"),
        ("comment", r"(?!keyword_).*comment(?:_content|_statement|_marker)?"),
        ("string", r"(?!concatenated_|chained_|keyword_).*string(?:_lit|_literal|_content|_fragment|_start|_end)?|"
                   r"(?:.*_)?(?:charlist|heredoc_(?:body|content)|(?:char|character|rune)_literal|line_str_text)|"
                   r"char|character|(?:quoted_|match_|substitution_)?regex(?:p|_literal|_pattern)?|sigil|"
                   r"interpolated_string_expression|quoted_content|quoted_template"),
        ("number", r"(?:\w+_)*(?:integer|float|number|numeric|real|rational|imaginary|hex|oct|bin)(?:_literal|_lit)?|"
                   r"(?:\w+_)?(?:floating_point|int)_literal|int_lit"),
        ("type", r"(?:\w+_)?type_identifier|(?:primitive|predefined|builtin|integral|boolean|void|floating_point|unit|"
                 r"never|any)_type|type|type_constructor|type_variable|sized_type_specifier"),
        ("constant", r"true|false|nil|null|none|undefined|(?:yul_)?bool(?:ean)?(?:_literal|_lit)?|(?:null|nil)_lit|"
                     r"(?:null|nil)_literal|(?:this|self|super)(?:_expression)?"),
        ("keyword", r"keyword_(?!argument|pattern|parameter|separator|declarator)\w+|visibility_modifier"),
    )
)  # fmt: skip
_KEYWORD = re.compile(r"[@#]?[A-Za-z][A-Za-z_]+(?: [a-z]+)*")


def coloured(language: str) -> bool:
    """Whether texts in a language have colours."""
    return language in LANGUAGES and bool(LANGUAGES[language].grammar)


def paint(language: str, text: bytes) -> bytes:
    """For each byte of a text its colour, as an index into COLOURS; b"" if it has none."""
    asked = question(language) if coloured(language) and 0 < len(text) <= MOST_BYTES else None
    if asked is None:
        return b""
    source = without_macros(LANGUAGES[language].macros, text)
    ends = time.thread_time() + MOST_SECONDS

    def late(*_: object) -> bool:
        return time.thread_time() > ends

    try:
        tree = Parser(asked.grammar).parse(lambda at, _: source[at : at + PIECE], progress_callback=late)
    except ValueError:  # it was stopped
        return b""
    painted = bytearray(len(text))
    for first in range(0, len(text), PIECE):
        if late():
            return b""
        _paint(painted, tree.root_node, _query(language), first, min(first + PIECE, len(text)))
    return bytes(painted)


def _paint(painted: bytearray, root: Node, query: Query, first: int, end: int) -> None:
    """Paint a piece. A query is asked for pieces, as it cannot be stopped: its progress callback crashes."""
    asking = cursor(query)
    asking.set_byte_range(first, end)
    spans = [
        (max(node.start_byte, first), -min(node.end_byte, end), _CODE[name.rpartition(".")[0]])
        for name, nodes in asking.captures(root).items()
        for node in nodes
    ]
    for start, stop, code in sorted(spans):  # outer before inner
        painted[start:-stop] = bytes([code]) * (-stop - start)


@cache
def _query(language: str) -> Query:
    """Captures `<colour>.of` for all that has a colour in a language."""
    asked = question(language)
    assert asked is not None
    grammar = asked.grammar
    wanted: dict[str, set[str]] = {}
    for number in range(grammar.node_kind_count):
        kind = grammar.node_kind_for_id(number)
        if not kind or not grammar.node_kind_is_visible(number):
            continue
        if not grammar.node_kind_is_named(number):
            if _KEYWORD.fullmatch(kind):
                wanted.setdefault("keyword", set()).add(f'"{kind}"')
            continue
        colour = next((colour for colour, pattern in _NAMED if pattern.fullmatch(kind)), None)
        if colour is not None:
            wanted.setdefault(colour, set()).add(f"({kind})")
    patterns = [f"[{' '.join(sorted(kinds))}] @{colour or 'plain'}.of" for colour, kinds in sorted(wanted.items())]
    return Query(grammar, "\n".join(patterns))
