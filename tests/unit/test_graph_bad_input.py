"""The graph stage: hostile input. Exact edges of a small version, exact counts of a large one, and what limits do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from unit.test_graph import STYLES, check, described, snapshot

from repoctx.graph.ancestry import MOST_ANCESTORS
from repoctx.graph.chains import MOST_PARTS
from repoctx.graph.imports import HOPS, MOST_PAIRS
from repoctx.graph.link import link
from repoctx.graph.namesakes import MOST_CANDIDATES, MOST_DEFINITIONS
from repoctx.graph.values import MOST_VALUES


def lines(count: int, line: Callable[[int], str]) -> str:
    """A line for each of the numbers from 0."""
    return "\n".join(map(line, range(count)))


def edges(files: str, kinds: tuple[str, ...] = ("calls", "inherits")) -> list[str]:
    """The edges of some kinds between some files."""
    o = snapshot(files)
    return described(o, link(o, STYLES), kinds)


def counts(files: str, kinds: tuple[str, ...] = ("calls", "inherits")) -> dict[str, int]:
    """How many edges there are of each kind and rule."""
    return dict(Counter(" ".join(edge.split(" -> ")[1].split("[")[0].split()[1:]) for edge in edges(files, kinds)))


def import_cycle(n: int) -> str:
    """Modules that import the next, the last the first; `g` goes around and is defined nowhere."""

    def module(i: int) -> str:
        other = f"f{(i + 1) % n}"
        return f"#- m{i}.py\nfrom m{(i + 1) % n} import {other}, g\ndef f{i}():\n    {other}()\n    g()"

    return lines(n, module)


def inheritance_cycle(n: int) -> str:
    """Classes that inherit from the next, the last from the first."""
    return "#- a.py\n" + lines(
        n,
        lambda i: f"class A{i}(A{(i + 1) % n}):\n    def f{i}(self):\n        self.f{(i + 1) % n}()\n        self.no()",
    )


def star_cycle(n: int) -> str:
    """Modules that take everything of the next, the last of the first."""
    return lines(n, lambda i: f"#- m{i}.py\nfrom m{(i + 1) % n} import *\ndef f{i}():\n    f{(i + 1) % n}()\n    g()")


def star_hub(n: int) -> str:
    """A module that takes everything of all others, which take everything of it."""
    users = lines(n, lambda i: f"#- m{i}.py\nfrom hub import *\ndef f{i}():\n    f{(i + 1) % n}()\n    no{i}()")
    return users + "\n#- hub.py\n" + lines(n, lambda i: f"from m{i} import *")


def class_chain(n: int) -> str:
    """A chain of classes, the member of whose first each asks for."""
    rest = lines(n, lambda i: f"class A{i + 1}(A{i}):\n    def m(self):\n        self.root()")
    return f"#- a.py\nclass A0:\n    def root(self):\n        pass\n{rest}"


def flow_cycle(n: int) -> str:
    """Pairs of variables that are each assigned the other."""
    return "#- a.py\ndef f():\n    pass\n" + lines(n, lambda i: f"a{i} = b{i}\nb{i} = a{i}\nb{i} = f\na{i}()")


def arguments(n: int) -> str:
    """A function that is given many functions, and hands them on."""
    callers = lines(n, lambda i: f"def f{i}():\n    pass\ndef c{i}():\n    run(f{i})")
    return f"#- a.py\ndef run(g):\n    g()\n    h(g)\ndef h(k):\n    k()\n{callers}"


def values(n: int) -> str:
    """A variable that is assigned many functions."""
    defined = lines(n, lambda i: f"def f{i}():\n    pass")
    return f"#- a.py\n{defined}\n" + lines(n, lambda i: f"v = f{i}") + "\nv()\n"


def methods(n: int) -> str:
    """A class with many methods."""
    own = lines(n, lambda i: f"    def m{i}(self):\n        self.m{(i + 1) % n}()\n        self.no()")
    return f"#- a.py\nclass A:\n{own}\na = A()\n" + lines(n, lambda i: f"a.m{i}()")


def conditional(n: int) -> str:
    """A class that is defined under many conditions."""
    defined = lines(n, lambda i: f"if x == {i}:\n    class A:\n        def f(self):\n            return {i}")
    return f"#- a.py\n{defined}\nA().f()\n"


def modules(n: int) -> str:
    """The same module in several packages, each imported by its neighbour."""
    text = "def f():\n    pass\n#- p{0}/main.py\nimport util\nfrom util import f\nf()\nutil.f()"
    return lines(n, lambda i: f"#- p{i}/util.py\n{text.format(i)}")


SMALL = {
    "imports in a cycle": (
        import_cycle(2),
        """
m0.py#f0 -> m1.py#f1 calls import
m0.py#f0 -> ? calls unresolved
m1.py#f1 -> m0.py#f0 calls import
m1.py#f1 -> ? calls unresolved
""",
    ),
    "a class is its own base": (
        "#- a.py\nclass A(A):\n    def f(self):\n        self.f()\n        self.g()\n        super().f()",
        """
a.py#A -> a.py#A inherits file
a.py#A.f -> a.py#A.f calls self
a.py#A.f -> ? calls unresolved
a.py#A.f -> ? calls unresolved
a.py#A.f -> ? calls unresolved
""",
    ),
    "classes inherit in a cycle": (
        inheritance_cycle(3),
        """
a.py#A0 -> a.py#A1 inherits file
a.py#A0.f0 -> a.py#A1.f1 calls inherited
a.py#A0.f0 -> ? calls unresolved
a.py#A1 -> a.py#A2 inherits file
a.py#A1.f1 -> a.py#A2.f2 calls inherited
a.py#A1.f1 -> ? calls unresolved
a.py#A2 -> a.py#A0 inherits file
a.py#A2.f2 -> a.py#A0.f0 calls inherited
a.py#A2.f2 -> ? calls unresolved
""",
    ),
    "a class with many methods": (
        methods(2),
        """
a.py#A.m0 -> a.py#A.m1 calls self
a.py#A.m0 -> ? calls unresolved
a.py#A.m1 -> a.py#A.m0 calls self
a.py#A.m1 -> ? calls unresolved
a.py#a -> a.py#A calls file
a.py -> a.py#A.m0 calls typed
a.py -> a.py#A.m1 calls typed
""",
    ),
    "identical calls": (
        "#- a.py\ndef f():\n    pass\nf()\nf()\nx.g()\n",
        "a.py -> a.py#f calls file\na.py -> a.py#f calls file\na.py -> ? calls unresolved",
    ),
    "the same module in three packages": (
        modules(3),
        """
p0/main.py -> p0/util.py#f calls import
p0/main.py -> p0/util.py#f calls import
p1/main.py -> p1/util.py#f calls import
p1/main.py -> p1/util.py#f calls import
p2/main.py -> p2/util.py#f calls import
p2/main.py -> p2/util.py#f calls import
""",
    ),
    "a class under conditions": (
        conditional(2),
        "a.py -> a.py#A calls file\na.py -> a.py#A.f calls typed",
    ),
    "stars in a cycle": (
        star_cycle(2),
        """
m0.py#f0 -> m1.py#f1 calls wildcard
m0.py#f0 -> ? calls unresolved
m1.py#f1 -> m0.py#f0 calls wildcard
m1.py#f1 -> ? calls unresolved
""",
    ),
    "stars of stars": (
        star_hub(2),
        """
m0.py#f0 -> m1.py#f1 calls wildcard
m0.py#f0 -> ? calls unresolved
m1.py#f1 -> m0.py#f0 calls wildcard
m1.py#f1 -> ? calls unresolved
""",
    ),
    "a variable with several functions": (
        values(2),
        "a.py -> a.py#v calls file\na.py -> a.py#f0 calls held\na.py -> a.py#f1 calls held",
    ),
    "variables that hold each other": (
        flow_cycle(1),
        "a.py -> a.py#a0 calls file\na.py -> a.py#f calls held",
    ),
    "a parameter that is given several functions": (
        arguments(2),
        """
a.py#run -> a.py#f0 calls held [a.py#f0, a.py#f1]
a.py#run -> a.py#f1 calls held [a.py#f0, a.py#f1]
a.py#run -> a.py#h calls file
a.py#h -> a.py#f0 calls held [a.py#f0, a.py#f1]
a.py#h -> a.py#f1 calls held [a.py#f0, a.py#f1]
a.py#c0 -> a.py#run calls file
a.py#c1 -> a.py#run calls file
""",
    ),
}


@pytest.mark.parametrize("files, expected", SMALL.values(), ids=SMALL)
def test_small(files: str, expected: str) -> None:
    """What is hostile when it is large means when it is small what the language says."""
    check(files, expected, ("calls", "inherits"))


LARGE = {
    "imports in a cycle": (import_cycle(1000), {"calls import": 1000, "calls unresolved": 1000}),
    "classes inherit in a cycle": (
        inheritance_cycle(2000),
        {"inherits file": 2000, "calls inherited": 2000, "calls unresolved": 2000},
    ),
    "a class with a thousand methods": (
        methods(1000),
        {"calls self": 1000, "calls unresolved": 1000, "calls file": 1, "calls typed": 1000},
    ),
    "50,000 identical calls": (
        "#- a.py\ndef f():\n    pass\n" + "f()\n" * 50_000,
        {"calls file": 50_000},
    ),
    "the same module in 1,000 packages": (modules(1000), {"calls import": 2000}),
    "a class under 2,000 conditions": (conditional(2000), {"calls file": 1, "calls typed": 1}),
    "stars in a cycle": (star_cycle(500), {"calls wildcard": 500, "calls unresolved": 500}),
    "stars of stars": (star_hub(300), {"calls wildcard": 300, "calls unresolved": 300}),
    "a function of 1 MB": (
        "#- a.py\ndef g(a):\n    return a\ndef f():\n" + lines(50_000, lambda i: f"    v{i} = g({i:07})"),
        {"calls file": 50_000},
    ),
    "a variable with 10,000 functions": (values(10_000), {"calls file": 1}),
    "10,000 classes in a chain": (
        class_chain(10_000),
        {"inherits file": 10_000, "calls inherited": MOST_ANCESTORS, "calls unresolved": 10_000 - MOST_ANCESTORS},
    ),
    "variables that hold each other": (flow_cycle(5000), {"calls file": 5000, "calls held": 5000}),
    "a parameter that is given 2,000 functions": (
        arguments(2000),
        {"calls unresolved": 2, "calls file": 2001},
    ),
    "100,000 edges of one symbol": (
        "#- a.py\n" + lines(1000, lambda i: f"def f{i}(): pass") + "\ndef hub():\n"
        + lines(100_000, lambda i: f"    f{i % 1000}()"),
        {"calls file": 100_000},
    ),
    "100,000 edges to one symbol": (
        "#- a.py\ndef hub(): pass\ndef all():\n" + "    hub()\n" * 100_000,
        {"calls file": 100_000},
    ),
    "one file in 1,000 folders, each imported from 1,000 others": (
        lines(
            1000,
            lambda i: f"#- m{i:04}/acme/Shelf.java\npackage acme;\npublic class Shelf {{ static void get() {{}} }}\n"
            f"#- u{i}/app/Main.java\npackage app;\nimport acme.Shelf;\nclass Main {{ void f() {{ Shelf.get(); }} }}",
        ),
        {"calls member": 1000},
    ),
    "one header in 1,000 folders, each included from 1,000 others": (
        lines(
            1000,
            lambda i: f'#- m{i}/inc/h.h\nint f(int);\n#- u{i}/a.c\n#include "inc/h.h"\nint g() {{ return f(1); }}',
        ),
        {"calls unresolved": 1000},  # more definitions than MOST_DEFINITIONS
    ),
}  # fmt: skip


@pytest.mark.parametrize("files, expected", LARGE.values(), ids=LARGE)
def test_large(files: str, expected: dict[str, int]) -> None:
    """The same in large: every call has its edge, and what a limit cuts is unresolved."""
    assert counts(files) == expected


def test_a_member_beyond_the_most_ancestors_is_unresolved() -> None:
    """A class knows MOST_ANCESTORS bases; what is further up is not found, and not guessed."""
    found = edges(class_chain(MOST_ANCESTORS + 1), ("calls",))
    assert found[-2:] == [
        f"a.py#A{MOST_ANCESTORS}.m -> a.py#A0.root calls inherited",
        f"a.py#A{MOST_ANCESTORS + 1}.m -> ? calls unresolved",
    ]


def test_a_variable_with_more_than_the_most_values_is_unknown() -> None:
    """A variable or parameter holds MOST_VALUES things; with one more nothing is said of what it holds."""
    assert counts(values(MOST_VALUES)) == {"calls file": 1, "calls held": MOST_VALUES}
    assert counts(values(MOST_VALUES + 1)) == {"calls file": 1}
    many = {"calls held": 2 * MOST_VALUES, "calls file": MOST_VALUES + 1}
    assert counts(arguments(MOST_VALUES)) == many
    assert counts(arguments(MOST_VALUES + 1)) == {"calls unresolved": 2, "calls file": MOST_VALUES + 2}


def test_stars_are_followed_a_few_hops() -> None:
    """Chains of star imports have an end; what is beyond is a candidate."""
    last = 2 * HOPS
    files = lines(last, lambda i: f"#- m{i}.py\nfrom m{i + 1} import *\ndef f{i}(): pass")
    files += f"\n#- m{last}.py\ndef f{last}(): pass\n#- z.py\nfrom m0 import *\nf{HOPS}()\nf{last}()"
    check(
        files,
        f"z.py -> m{HOPS}.py#f{HOPS} calls wildcard\nz.py -> ? calls unresolved [m{last}.py#f{last}]",
        ("calls",),
    )


def test_chains_are_followed_a_few_parts() -> None:
    """An object graph has no end, a chain has MOST_PARTS members: a longer one has a receiver that is not known."""
    text = "#- a.py\nclass X:\n    def __init__(self):\n        self.a = X()\n    def f(self):\n        pass\n"
    text += "class Y:\n    def f(self):\n        pass\nx = X()\n"
    text += f"x{'.a' * MOST_PARTS}.f()\nx{'.a' * (MOST_PARTS + 1)}.f()\n"
    assert edges(text, ("calls",))[-2:] == [
        "a.py -> a.py#X.f calls typed",
        "a.py -> ? calls unresolved [a.py#X.f, a.py#Y.f]",
    ]


def test_a_name_with_too_many_definitions_has_no_candidates() -> None:
    """Of MOST_DEFINITIONS methods of a name the nearest MOST_CANDIDATES are candidates, of more none."""
    for count, mentioned in ((MOST_DEFINITIONS, MOST_CANDIDATES), (MOST_DEFINITIONS + 1, 0)):
        files = lines(count, lambda i: f"#- m{i:02}.py\nclass A:\n    def f(self): pass")
        choices = ", ".join(f"m{i:02}.py#A.f" for i in range(mentioned))
        listed = f" [{choices}]" if choices else ""
        assert edges(f"{files}\n#- z.py\ndef g(x): x.f()") == [f"z.py#g -> ? calls unresolved{listed}"]


def test_hubs_of_stars_are_passed_over_before_others() -> None:
    """Where star imports would show too many pairs of files, what imports most is not followed; all else is."""
    users = int(MOST_PAIRS**0.5) + 1
    small = "#- one.py\nfrom two import *\ndeep()\n#- two.py\nfrom three import *\n#- three.py\ndef deep(): pass\n"
    found = edges(f"{star_hub(users)}\n{small}", ("calls",))
    assert "one.py -> three.py#deep calls wildcard" in found
    assert "m0.py#f0 -> ? calls unresolved [m1.py#f1]" in found
    assert sum(edge.endswith(" wildcard") for edge in found) == 1
