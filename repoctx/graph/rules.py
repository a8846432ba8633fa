"""Why was a reference linked, and how far is such a link to be trusted? The rules, as data."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """A way in which an edge is made."""

    name: str
    confidence: float  # the share of its edges expected to be right
    meaning: str


# Confidences are shares measured on the references of flask, requests and zod (jedi and tsc are the
# judges, about 9,000 edges), lowered where few were judged. Where several apply, the earlier wins.
# The index in this tuple is the code stored in edges: raise `ingest.LINKS` when it changes.
RULES: tuple[Rule, ...] = (
    Rule("contains", 1.0, "it is written inside"),
    Rule("scope", 0.97, "defined in an enclosing function, class body or namespace"),
    Rule("self", 0.95, "a member of the enclosing class, named through self, this or without a qualifier"),
    Rule("inherited", 0.92, "a member of a base of the class"),
    Rule("file", 0.97, "defined at the top of the same file"),
    Rule("import", 0.97, "the imported name, or a name of the imported module"),
    Rule("reexport", 0.95, "imported from a module that imports it from another"),
    Rule("wildcard", 0.9, "defined in a file that is imported or included whole"),
    Rule("package", 0.95, "defined in another file of the same package"),
    Rule("member", 0.93, "a member of the class, module or namespace named before it"),
    Rule("method", 0.8, "the only method of that name, in this file, its package or what it imports"),
    Rule("unique", 0.6, "the only definition of that name in the repository"),
    Rule("external", 0.0, "it comes from a module that is not in the repository"),
    Rule("unresolved", 0.0, "nothing that it can see has that name"),
    # The following edges are made out of others: their confidence is multiplied with that of those.
    Rule("overrides", 0.97, "it has the name of a method of a base of its class"),
    Rule("test call", 0.95, "the test calls it"),
    Rule("test helper", 0.8, "the test calls a function of the tests that calls it"),
    Rule("test import", 0.6, "the file of tests imports it"),
    Rule("test name", 0.7, "the test is named after it"),
    # And these follow values through assignments, annotations, returns and arguments.
    Rule("typed", 0.93, "a member of the class whose instance is assigned, declared or returned there"),
    Rule("held", 0.7, "a function or class that the called name holds"),
    Rule("ambiguous", 0.3, "imported from the nearest of several modules of that name, where nothing decides"),
)
(
    CONTAINS, SCOPE, SELF, INHERITED, FILE, IMPORT, REEXPORT, WILDCARD, PACKAGE, MEMBER,
    METHOD, UNIQUE, OUTSIDE, UNRESOLVED,
    OVERRIDES, TEST_CALL, TEST_HELPER, TEST_IMPORT, TEST_NAME, TYPED, HELD, AMBIGUOUS,
) = range(len(RULES))  # fmt: skip

# What a binding leads to when it is no node.
EXTERNAL = -2  # a module that is not in the repository
OPAQUE = -3  # a module of the repository in which the name was not found
