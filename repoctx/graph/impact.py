"""What may break when some symbols change, and which tests would tell?

The *risk* of a place is that of the riskiest way from a change to it, against the edges: the product over the
edges of confidence times what an edge of that kind passes on (SHARES), times DECAY for each edge after the
first. Ways below a floor are not followed, so a walk ends after about log(floor) / log(DECAY) edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph.traverse import MOST_STEPS, Guesses, Steps, guessed, steps, walk

if TYPE_CHECKING:
    from repoctx.graph.keys import Array, Mask
    from repoctx.graph.tests import TestCode
    from repoctx.graph.traverse import Reached
    from repoctx.types import Edges, Occurrences

# What passes on a change, from the target of an edge to its source: a caller depends on all that a function
# does, a subclass on most of its base, a reader of a name on its being there, an importing file on little.
SHARES: Mapping[str, float] = {
    "calls": 1.0, "inherits": 0.9, "overrides": 0.7, "references": 0.6, "imports": 0.3, "tests": 0.9,
}  # fmt: skip
# The other way: who calls a method of a base may run the one that replaces it.
SHARES_FORWARD: Mapping[str, float] = {"overrides": 0.7}
# A call that could not be resolved: what its candidates share. An estimate: of 0, 0.2, 0.4, 0.6 and 0.8 it raised the
# recall of flask's tests to run from 0.37 to 0.46 with 0.4, at a precision of 0.55 and 0.54 (judged by which functions
# each test runs); more than 0.4 brought 0.02.
GUESS = 0.4
# Each further edge makes it likelier that the change does not show.
DECAY = 0.8
# Ways of less risk are not followed.
FLOOR = 0.1
# What a helper's file of tests has of the helper's risk: which of its tests use the helper is not known.
SHARED = 0.5


class Affected(NamedTuple):
    """A place that may break, or a test that would tell."""

    node: int
    risk: float
    reached: int  # the node whose way explains it: itself, or a helper for a file of tests
    by: Reached  # the walk that has this way


class Impact(NamedTuple):
    """What follows from a change, the riskiest first; ties in the order of the nodes."""

    broken: list[Affected]
    tests: list[Affected]


class Ways(NamedTuple):
    """The steps that impact follows in a snapshot."""

    dependents: Steps  # from what changes to what may break
    tests: Steps  # from what is tested to its tests
    guesses: Guesses


def ways(o: Occurrences, edges: Edges, owner: Array, tests: TestCode) -> Ways:
    """All steps from what changes to what may break, and those to tests alone."""
    guesses = guessed(edges, GUESS, tests.home, tests.code)
    to_tests = steps(o, edges, owner, {}, {"tests": SHARES["tests"]})
    return Ways(steps(o, edges, owner, SHARES_FORWARD, SHARES, guesses), to_tests, guesses)


def unlikely(known: Ways, changed: Array, floor: float = FLOOR) -> int:
    """How many unresolved calls may mean a changed node, but have too many candidates to be followed."""
    within = np.zeros(len(known.tests.offset) - 1, np.bool_)
    within[changed] = True
    return len(np.unique(known.guesses.edge[within[known.guesses.node] & (known.guesses.share < floor)]))


def impact(known: Ways, tests: TestCode, changed: Array, floor: float = FLOOR) -> Impact:
    """What may break and what tests it, from the changed nodes on.

    A file of tests counts where none of its tests was reached: because it uses a helper that was, or because it
    is about the file of a change (at SHARED of the risk, in both cases).
    """
    symbols = len(tests.home) - len(tests.runs)
    reached = walk(known.dependents, changed, MOST_STEPS, floor, DECAY, again=True)
    broken: list[Affected] = []
    found: dict[int, Affected] = {}
    files: dict[int, Affected] = {}

    def put(node: int, risk: float, by: Reached) -> None:
        test, into = int(tests.actor[node]), found
        if test < 0:
            file = int(tests.home[node])
            if not tests.runs[file]:
                return
            test, into, risk = symbols + file, files, risk * (SHARED if node < symbols else 1.0)
        if risk >= floor and (test not in into or into[test].risk < risk):
            into[test] = Affected(test, risk, node, by)

    for node in np.asarray(changed).tolist():  # a changed test is one to run
        if tests.code[node]:
            put(node, 1.0, reached)
    for node, risk in zip(reached.node.tolist(), reached.score.tolist(), strict=True):
        if tests.code[node]:
            put(node, risk, reached)
        else:
            broken.append(Affected(node, risk, node, reached))
    homes = symbols + np.unique(tests.home[changed])
    about = walk(known.tests, homes, 1, floor)
    for node, risk in zip(about.node.tolist(), about.score.tolist(), strict=True):
        put(node, risk * SHARED, about)
    told = {int(tests.home[node]) for node in found}
    apart = [one for node, one in files.items() if int(tests.home[node]) not in told]
    return Impact(_ordered(broken), _ordered([*found.values(), *apart]))


def _ordered(found: list[Affected]) -> list[Affected]:
    return sorted(found, key=lambda one: (-round(one.risk, 6), one.node))


def within(o: Occurrences, nodes: Array) -> Array:
    """Some nodes with all that is written inside of them."""
    symbols = len(o.symbol_file)
    chosen: Mask = np.zeros(symbols + len(o.paths), np.bool_)
    chosen[nodes] = True
    chosen[:symbols] |= chosen[symbols + o.symbol_file]
    while True:
        inner = np.flatnonzero(~chosen[:symbols] & (o.symbol_parent >= 0) & chosen[o.symbol_parent])
        if not len(inner):
            return np.flatnonzero(chosen)
        chosen[inner] = True
