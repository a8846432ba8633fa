"""When do facts have to be made anew? When anything that they depend on has changed."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import cache
from importlib import metadata

from repoctx import redact
from repoctx.parse.chunk import SETTINGS
from repoctx.parse.languages import AUTO, LANGUAGES, query_source, row

FACTS_VERSION = 3
"""Raised by hand whenever the same text would yield other facts or secrets, or another payload, by other code."""


@cache
def parser_version(name: str) -> str:
    """12 hex digits that change whenever facts of this language may: part of the key of facts.

    Raises UsageError for a name that is not in the table.
    """
    row(name)
    read_as = tuple(LANGUAGES) if name == AUTO else (name, *LANGUAGES[name].variants)
    digest = hashlib.sha256(repr((FACTS_VERSION, SETTINGS, redact.rules_hash())).encode())
    for language in (LANGUAGES[key] for key in read_as):
        digest.update(repr([getattr(language, column.name) for column in fields(language)]).encode())
        digest.update(query_source(language))
        if language.grammar:
            for distribution in ("tree-sitter", language.grammar.replace("_", "-")):
                digest.update(metadata.version(distribution).encode())
    return digest.hexdigest()[:12]
