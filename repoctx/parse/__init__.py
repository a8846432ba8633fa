"""The parse stage: what does this blob say?

Pure: a text goes in, its facts come out, whatever the bytes are. What a language looks like is
data: a row of `languages.toml` and one query in `queries/`.
"""

from __future__ import annotations

from repoctx.parse.chunk import chunk
from repoctx.parse.extract import extract
from repoctx.parse.languages import resolve, row
from repoctx.parse.projects import settings
from repoctx.types import Facts

__all__ = ["parse"]


def parse(language: str, text: bytes) -> Facts:
    """The facts of a text, which is a blob's bytes as `languages.decode` returns them.

    `language` is a key that `languages.by_path` returns; "auto" and "header" are resolved by the
    text, and `Facts.language` is the language that it was read as. Broken code gives partial
    facts and a count of errors.
    Raises UsageError for a language that is not in the table.
    """
    declared = settings(row(language).project, text)
    language = resolve(language, text)
    symbols, imports, uses, errors = extract(language, text)
    chunks = chunk(text, symbols, row(language).sections)
    return Facts(language, symbols, uses.references, imports, chunks, errors, uses.locals, uses.flows, declared)
