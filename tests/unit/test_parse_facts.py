"""What the facts of each language look like: one source and one expectation each.

`tests/golden/facts/<language>.<extension>` is the source, `<language>.facts` what is expected of it.
UPDATE_GOLDEN=1 writes the expectations anew; read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repoctx.parse import languages, parse
from repoctx.types import Facts

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "facts"
SOURCES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".facts")
UPDATE = "UPDATE_GOLDEN" in os.environ  # read at import: tests see no such variable


def shown(facts: Facts, text: bytes) -> str:
    """Facts as lines that people can read and compare."""
    lines = [f"{facts.language}: {facts.errors} errors", "", "symbols"]
    for s in facts.symbols:
        body = f" body {s.body_line}" if s.body_line else ""
        parent = f" in {facts.symbols[s.parent].descriptor}" if s.parent >= 0 else ""
        place = f"{s.start_line}-{s.end_line} {s.name_line}:{s.name_column}{body}"
        lines.append(f"  {place} {s.kind} {s.descriptor}{parent}")
        lines.append(f"      {s.signature}")
        lines += [f"      | {line}" for line in s.doc.split("\n") if s.doc]
    lines += ["", "imports"]
    lines += [f"  {i.line}:{i.column} {i.module} | {i.name} | {i.alias}" for i in facts.imports]
    lines += ["", "references"]
    for r in facts.references:
        scope = f" in {facts.symbols[r.scope].descriptor}" if r.scope >= 0 else ""
        qualifier = f" of {r.qualifier}" if r.qualifier else ""
        lines.append(f"  {r.line}:{r.column} {r.role} {r.name}{qualifier}{scope}")
    if facts.locals:
        lines += ["", "locals"]
    for number, v in enumerate(facts.locals):
        scope = f" in {facts.symbols[v.scope].descriptor}" if v.scope >= 0 else ""
        lines.append(f"  %{number} {v.name}{scope}{f' parameter {v.position}' if v.position >= 0 else ''}")
    if facts.flows:
        lines += ["", "flows"]
    for f in facts.flows:
        if f.kind == "argument":
            call = facts.references[f.target]
            target = f"{call.line}:{call.column} {call.name} {f.key}"
        else:
            target = f"%{f.target}" if f.kind.startswith("local") else facts.symbols[f.target].descriptor
        scope = f" in {facts.symbols[f.scope].descriptor}" if f.scope >= 0 else ""
        lines.append(f"  {f.kind} {target} <- {f.value}{' held' * f.depth}{scope}")
    lines += ["", "chunks"]
    for c in facts.chunks:
        symbol = f" {facts.symbols[c.symbol].descriptor}" if c.symbol >= 0 else ""
        lines.append(f"  {c.start_line}-{c.end_line}{symbol}")
    return "\n".join(lines) + "\n"


def check(source: Path) -> None:
    """The facts of a source are those of the file beside it, and every name stands where they say."""
    text = languages.decode(source.read_bytes())
    facts = parse(languages.by_path(source.name), text)
    rows = text.split(b"\n")
    for s in facts.symbols:
        assert rows[s.name_line - 1][s.name_column :].lstrip(b"\"'`:").startswith(s.name.encode()), s
    for r in facts.references:
        assert rows[r.line - 1][r.column :].startswith(r.name.encode()), r
    assert b"".join(text[c.start_byte : c.end_byte] for c in facts.chunks) == text
    expected = source.with_suffix(".facts")
    if UPDATE:
        expected.write_text(shown(facts, text), encoding="utf-8")
    assert shown(facts, text) == expected.read_text(encoding="utf-8"), "to accept it: make golden"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_facts_of_a_language(source):
    """Each kind of definition, reference, import and doc comment of a language is found."""
    check(source)


def test_every_language_with_a_grammar_has_a_source():
    """A language cannot be added without saying what is expected of it."""
    with_grammar = {name for name, row in languages.LANGUAGES.items() if row.grammar}
    assert with_grammar <= {source.stem for source in SOURCES}
