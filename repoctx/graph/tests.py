"""Which test exercises what? Told by what it calls, by what its file imports, and by its name.

*Test code* is what stands in files that look like tests by their path, and in modules called `tests` of other
files. In it are *tests*, which a test runner finds, and helpers. A test is a function that is named as its
language's runners want it; where the name says nothing, one that nothing in its file calls. Where tests are no
symbols (`test("...", () => ...)`), the file is the test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from repoctx.graph import drafts, keys
from repoctx.graph.drafts import Drafts
from repoctx.graph.layout import DEEPEST, TEST_FOLDER
from repoctx.graph.modules import stem
from repoctx.graph.overrides import CONSTRUCTORS
from repoctx.graph.rules import RULES, TEST_CALL, TEST_HELPER, TEST_IMPORT, TEST_NAME
from repoctx.types import EDGE_KINDS, KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repoctx.graph.keys import Array, Mask, Rows
    from repoctx.graph.layout import Layout
    from repoctx.types import Occurrences

# Names by which the test runners of a language family know a test. Other families: see `_tests`.
NAMED: Mapping[str, re.Pattern[str]] = {
    "python": re.compile(r"test"),
    "go": re.compile(r"(?:Test|Benchmark|Fuzz|Example)(?![a-z])"),
    "ruby": re.compile(r"test_"),
    "php": re.compile(r"test"),
    "swift": re.compile(r"test"),
    "script": re.compile(r"(?!)"),
}
# Families in which a file of test code without such a name is a test as a whole.
WHOLE = frozenset({"script", "ruby", "lua", "bash"})
# What test runners run before and after each test of a class, in lower case.
AROUND = frozenset(
    "setup teardown setupclass teardownclass setuptestdata setup_method teardown_method setup_class teardown_class "
    "setupall teardownall beforeeach aftereach beforeall afterall before after".split()
)
# These are no tests either.
_NO_TESTS = AROUND | frozenset("setupmodule teardownmodule setup_module teardown_module main testmain runtest".split())
# Pytest hands what such a function returns to tests that have a parameter of its name. Those of a folder stand here.
# How surely a test runner calls a fixture of the name of a parameter: an estimate.
RUNNER = 0.95
_FIXTURE, _FIXTURES_OF_FOLDER = "fixture", "conftest.py"
# Modules of test code inside of other files.
_MODULES = frozenset({"tests", "test"})
# What a test's name and a test file's stem say besides the name of what they test.
_PREFIX = re.compile(r"^(?:[Tt]ests?|spec|Benchmark|Fuzz|Example)(?:[_-]+|(?=[A-Z])|$)")
_SUFFIX = re.compile(r"(?:[_.-](?:tests?|specs?|unittest)|(?<=[a-z0-9])(?:Tests?|TestCase|Spec|IT))$")
# Files that stand for their folder.
_FOLDER_FILES = frozenset({"__init__", "index", "mod"})
# Targets of one helper that count for the tests that call it, the surest first: what everything calls says little.
MOST_HELPED = 16
# Files in which the name of a test is looked up: a file that imports more than this is about none of them.
MOST_SUBJECTS = 64

_KIND = EDGE_KINDS.index("tests")
_CALLS, _IMPORTS = EDGE_KINDS.index("calls"), EDGE_KINDS.index("imports")
_RUNS = np.array([kind in ("function", "method", "test") for kind in KINDS], np.bool_)
_TEST = KINDS.index("test")


@dataclass(frozen=True, slots=True, eq=False)
class TestCode:
    """What is a test, and what merely helps tests. A node is a symbol or a file (S + F of them)."""

    code: Mask  # S + F, does it belong to the tests?
    test: Mask  # S + F, is it a test?
    actor: Rows  # S + F, the test that a node is part of: itself, a test around it, its file; -1
    runs: Mask  # F, are there tests in the file?
    home: Rows  # S + F, the file of a node


class _Found(NamedTuple):
    """Edges of one rule, before repeats are removed."""

    file: Array
    line: Array
    column: Array
    source: Array
    target: Array
    confidence: Array
    rule: int


def test_code(o: Occurrences, where: Layout, edges: Drafts) -> TestCode:
    """Find the tests of a snapshot; `edges` are its calls and imports, others are passed over."""
    symbols, files = where.symbols, where.files
    inside = where.test[o.symbol_file] | _inline(o)
    code = np.concatenate([inside, where.test])
    test = np.concatenate([_tests(o, where, edges, inside), np.zeros(files, np.bool_)])
    has = np.zeros(files, np.bool_)
    has[o.symbol_file[test[:symbols]]] = True
    imports = (edges.kind == _IMPORTS) & (edges.target >= 0) & where.test[edges.file]
    used = np.zeros(files, np.bool_)
    used[where.file_of[edges.target[imports]]] = True
    whole = np.array([family in WHOLE for family in where.families], np.bool_)
    test[symbols:] = whole & where.test & ~has & ~used
    actor = np.where(test, np.arange(symbols + files), -1)
    actor[:symbols] = _upwards(o, np.where(actor[:symbols] < 0, actor[symbols + o.symbol_file], actor[:symbols]))
    return TestCode(code, test, actor, has | test[symbols:], where.file_of[: symbols + files])


def exercised(o: Occurrences, where: Layout, edges: Drafts) -> Drafts:
    """The tests edges of a snapshot out of its calls and imports. Of several between two nodes the surest stays.

    What test runners call for a test, fixtures and what sets up its class, are helpers of it.
    """
    if not where.test.any() and not _inline(o).any():
        return drafts.none(_KIND)
    found = test_code(o, where, edges)
    edges = drafts.join([edges, _run(o, where, found)])
    target = np.maximum(edges.target, 0)
    outside = (edges.target >= 0) & ~found.code[target]
    calls = drafts.take(edges, (edges.kind == _CALLS) & found.code[edges.source] & (edges.target >= 0))
    whole = (edges.kind == _IMPORTS) & (edges.size == 0)  # a package says nothing of one of its files
    imports = drafts.take(edges, whole & outside & (found.runs & where.test)[edges.file])
    parts = [_by_call(found, calls), _by_helper(found, calls), _by_import(where, imports)]
    parts += _by_name(o, where, found, imports)
    file, line, column, source, to, confidence = (
        np.concatenate([part[i] for part in parts]) for i in range(len(_Found._fields) - 1)
    )
    rule = np.repeat([part.rule for part in parts], [len(part.file) for part in parts])
    order = np.lexsort((column, line, rule, -confidence, to, source))
    first = np.ones(len(order), np.bool_)
    first[1:] = (source[order][1:] != source[order][:-1]) | (to[order][1:] != to[order][:-1])
    at = np.sort(order[first])
    sure = confidence[at].astype(np.float32)
    return drafts.plain(_KIND, file[at], line[at], column[at], source[at], to[at], sure, rule[at])


# --- which are the tests? ----------------------------------------------------------------------


def _inline(o: Occurrences) -> Mask:
    """Symbols in modules of test code: Rust's `mod tests`."""
    named = [i for i, name in enumerate(o.names) if name in _MODULES]
    module = (o.symbol_kind == KINDS.index("module")) & np.isin(o.symbol_name, named)
    return _upwards(o, np.where(module, 1, -1)) > 0


def _upwards(o: Occurrences, value: Rows) -> Rows:
    """Values of symbols, those that are -1 taken from the nearest symbol around that has one."""
    value = value.copy()
    for _ in range(DEEPEST):
        at = np.flatnonzero((value < 0) & (o.symbol_parent >= 0))
        above = value[o.symbol_parent[at]]
        if not (above >= 0).any():
            break
        value[at] = above
    return value


def _tests(o: Occurrences, where: Layout, edges: Drafts, inside: Mask) -> Mask:
    """Functions and methods that are named as tests, or that nothing calls where names say nothing."""
    rows = np.flatnonzero(inside & _RUNS[o.symbol_kind])
    family = np.array([where.families[f] for f in o.symbol_file[rows].tolist()], np.str_)
    called = np.zeros(where.symbols + where.files, np.bool_)
    called[edges.target[(edges.kind == _CALLS) & (edges.target >= 0)]] = True
    fixtures = [i for i in np.unique(o.symbol_name[rows]).tolist() if _no_test(o.names[i])]
    nested = where.owner[rows]
    local = (nested >= 0) & where.callable[nested]
    yes = ~called[rows] & ~np.isin(o.symbol_name[rows], fixtures) & ~local
    for name, pattern in NAMED.items():
        mine = family == name
        fits = [i for i in np.unique(o.symbol_name[rows[mine]]).tolist() if pattern.match(o.names[i])]
        yes[mine] = np.isin(o.symbol_name[rows[mine]], fits) & ~local[mine]
    test: Mask = np.zeros(where.symbols, np.bool_)
    test[rows] = yes
    test |= inside & (o.symbol_kind == _TEST)
    return test


def _no_test(name: str) -> bool:
    return name.lower() in _NO_TESTS or name in CONSTRUCTORS


# --- what do test runners call for them? -------------------------------------------------------


def _run(o: Occurrences, where: Layout, found: TestCode) -> Drafts:
    """Calls of fixtures by tests and fixtures that have a parameter of their name, and of what is around tests."""
    pairs = [*_around(o, where, found), *_by_parameter(o, where, found)]
    source = np.array([pair[0] for pair in pairs], np.int64)
    target = np.array([pair[1] for pair in pairs], np.int64)
    file, line, column = (c[source] for c in (o.symbol_file, o.symbol_name_line, o.symbol_name_column))
    sure = np.full(len(source), RUNNER, np.float32)
    return drafts.plain(_CALLS, file, line, column, source, target, sure, np.full(len(source), TEST_HELPER))


def _around(o: Occurrences, where: Layout, found: TestCode) -> list[tuple[int, int]]:
    """(test, method that is run before or after each test of its class)"""
    named = [i for i in np.unique(o.symbol_name).tolist() if o.names[i].lower() in AROUND]
    methods: dict[int, dict[int, int]] = {}
    rows = np.flatnonzero(np.isin(o.symbol_name, named) & (where.owner >= 0) & found.code[: where.symbols])
    for row in rows.tolist():
        methods.setdefault(int(where.owner[row]), {})[int(o.symbol_name[row])] = row
    tests = np.flatnonzero(found.test[: where.symbols] & np.isin(where.owner, sorted(methods)))
    return [(test, row) for test in tests.tolist() for row in methods[int(where.owner[test])].values()]


def _by_parameter(o: Occurrences, where: Layout, found: TestCode) -> list[tuple[int, int]]:
    """(test or fixture, fixture of the name of one of its parameters): of the same file, or of a folder around it."""
    fixtures = _fixtures(o, where)
    of_file: dict[tuple[int, int], int] = {}
    of_folder: dict[tuple[str, int], int] = {}
    for row in fixtures.tolist():
        path = o.paths[o.symbol_file[row]]
        of_file[int(o.symbol_file[row]), int(o.symbol_name[row])] = row
        if path.rpartition("/")[2] == _FIXTURES_OF_FOLDER:
            of_folder[path.rpartition("/")[0], int(o.symbol_name[row])] = row
    asks = np.zeros(where.symbols + 1, np.bool_)
    asks[: where.symbols] = found.test[: where.symbols]
    asks[fixtures] = True
    names = np.unique(o.symbol_name[fixtures])
    rows = np.flatnonzero((o.local_position >= 0) & asks[o.local_scope] & np.isin(o.local_name, names))
    pairs: dict[tuple[int, int], None] = {}
    for one, name in zip(o.local_scope[rows].tolist(), o.local_name[rows].tolist(), strict=True):
        file = int(o.symbol_file[one])
        fixture = of_file.get((file, name), one)
        folder, first = o.paths[file].rpartition("/")[0], True
        while fixture == one and (folder or first):
            first = bool(folder)
            fixture = of_folder.get((folder, name), one)
            folder = folder.rpartition("/")[0]
        if fixture != one:
            pairs[one, fixture] = None
    return list(pairs)


def _fixtures(o: Occurrences, where: Layout) -> Rows:
    """Functions that are decorated as fixtures: the next that is named at or below the decorator."""
    named = [i for i, name in enumerate(o.names) if name == _FIXTURE]
    marks = np.flatnonzero(np.isin(o.reference_name, named))
    python = np.array([family == "python" for family in where.families], np.bool_)
    marks = marks[python[o.reference_file[marks]]]
    rows = np.flatnonzero(where.callable)
    width = np.int64(max(int(o.symbol_name_line.max(initial=0)), int(o.reference_line.max(initial=0))) + 1)
    places = o.symbol_file[rows] * width + o.symbol_name_line[rows]
    order = np.argsort(places, kind="stable")
    at = np.searchsorted(places[order], o.reference_file[marks] * width + o.reference_line[marks])
    marks, at = marks[at < len(rows)], at[at < len(rows)]
    found = rows[order[at]]
    decorated = (o.symbol_file[found] == o.reference_file[marks]) & (o.symbol_start[found] <= o.reference_line[marks])
    return np.unique(found[decorated])


# --- what do they exercise? --------------------------------------------------------------------


def _by_call(found: TestCode, calls: Drafts) -> _Found:
    """What a test calls."""
    rows = np.flatnonzero(~found.code[calls.target] & (found.actor[calls.source] >= 0))
    c = drafts.take(calls, rows)
    sure = c.confidence * RULES[TEST_CALL].confidence
    return _Found(c.file, c.line, c.column, found.actor[c.source], c.target, sure, TEST_CALL)


def _by_helper(found: TestCode, calls: Drafts) -> _Found:
    """What helpers call that a test calls. The place is that of the test's call."""
    inner = np.flatnonzero(~found.code[calls.target] & (found.actor[calls.source] < 0))
    helper, target = calls.source[inner].astype(np.int64), calls.target[inner]
    order = np.lexsort((np.arange(len(inner)), -calls.confidence[inner], helper))
    inner, helper, target = inner[order], helper[order], target[order]
    first = np.sort(keys.distinct(helper, target)[0])
    inner, helper, target = inner[first], helper[first], target[first]
    outer = np.flatnonzero(found.code[calls.target] & (found.actor[calls.source] >= 0) & ~found.test[calls.target])
    start = np.searchsorted(helper, calls.target[outer])
    end = np.searchsorted(helper, calls.target[outer], "right")
    row, place = keys.explode(start, np.minimum(end - start, MOST_HELPED))
    c = drafts.take(calls, outer[row])
    sure = c.confidence * calls.confidence[inner[place]] * RULES[TEST_HELPER].confidence
    return _Found(c.file, c.line, c.column, found.actor[c.source], target[place], sure, TEST_HELPER)


def _by_import(where: Layout, imports: Drafts) -> _Found:
    """What a file of tests imports."""
    sure = imports.confidence * RULES[TEST_IMPORT].confidence
    source = where.symbols + imports.file.astype(np.int64)
    return _Found(imports.file, imports.line, imports.column, source, imports.target, sure, TEST_IMPORT)


def core(name: str) -> str:
    """What the name of a test or of a test file is about: `load` for `test_load`, `load_test`; "" if nothing."""
    rest = _SUFFIX.sub("", name)
    return _PREFIX.sub("", rest, count=1)


def _by_name(o: Occurrences, where: Layout, found: TestCode, imports: Drafts) -> list[_Found]:
    """Files named after files, tests and classes of tests named after what is in the files that they are about."""
    pairs = _file_pairs(o.paths, where, found, imports)
    subjects = _subjects(where, found, imports, pairs)
    number = {name: i for i, name in enumerate(o.names)}
    width = np.int64(len(o.names))
    free = ~found.code[: where.symbols] & (o.symbol_kind != KINDS.index("module"))
    tops, members = np.flatnonzero(free & where.top), np.flatnonzero(free & (where.owner >= 0))
    named = _single(o.symbol_file[tops] * width + o.symbol_name[tops], tops)
    inner = _single(where.owner[members] * width + o.symbol_name[members], members)
    about: dict[int, int] = {}  # class of tests -> class
    source, target = [], []
    rows = np.flatnonzero(found.test[: where.symbols] | (found.code[: where.symbols] & where.type))
    for row in rows.tolist():
        name, owner = o.names[o.symbol_name[row]], int(where.owner[row])
        is_type = bool(where.type[row])
        choices = [number[word] for word in _words(name) if word in number]
        hit = -1
        if owner in about and not is_type:
            hit = _only(inner, [about[owner]], choices, int(width))
        if hit < 0:
            files = subjects.get(int(o.symbol_file[row]), ())
            hit = _only(named, files, choices, int(width))
        if hit >= 0 and (not is_type or KINDS[o.symbol_kind[hit]] != "function"):
            if is_type:
                about[row] = hit
            if found.test[row] or found.runs[o.symbol_file[row]]:
                source.append(row)
                target.append(hit)
    at, to = np.array(source, np.int64), np.array(target, np.int64)
    sure = np.full(len(at), RULES[TEST_NAME].confidence)
    place = (o.symbol_file[at], o.symbol_name_line[at], o.symbol_name_column[at])
    named_files = np.array(sorted(pairs), np.int64)
    other = np.array([pairs[file] for file in named_files.tolist()], np.int64)
    sure_of_files = np.full(len(named_files), RULES[TEST_NAME].confidence)
    one, zero = np.ones(len(named_files), np.int64), np.zeros(len(named_files), np.int64)
    return [
        _Found(*place, at, to, sure, TEST_NAME),
        _Found(named_files, one, zero, where.symbols + named_files, where.symbols + other, sure_of_files, TEST_NAME),
    ]


def _words(name: str) -> list[str]:
    """The names that a test may be named after, the likeliest first: of `TestLoad_empty` that is `Load` too."""
    rest = core(name)
    if not rest or rest == name:
        return []
    head = rest.partition("_")[0] if rest[0].isupper() else rest
    return list(dict.fromkeys(w for part in (rest, head) for w in (part, part[:1].lower() + part[1:]) if w))


def _single(held: Rows, symbols: Rows) -> dict[int, int]:
    """The symbol of each key, by which a file or class holds a name; -1 for several."""
    key, first, count = np.unique(held, return_index=True, return_counts=True)
    return dict(zip(key.tolist(), np.where(count == 1, symbols[first], -1).tolist(), strict=True))


def _only(single: Mapping[int, int], holders: Sequence[int], names: Sequence[int], width: int) -> int:
    """The symbol of the first of some names that exactly one of some files or classes has, once; -1 without one."""
    for name in names:
        found = [single[key] for holder in holders if (key := holder * width + name) in single]
        if found:
            return found[0] if len(found) == 1 else -1
    return -1


def _file_pairs(paths: Sequence[str], where: Layout, found: TestCode, imports: Drafts) -> dict[int, int]:
    """Test file -> the file that it is named after."""
    named: dict[tuple[str, str], list[int]] = {}
    for file in np.flatnonzero(~where.test).tolist():
        if where.styles[file]:
            named.setdefault((where.families[file], _stem(paths[file])), []).append(file)
    seen: dict[int, set[int]] = {}
    for file, target in zip(imports.file.tolist(), where.file_of[imports.target].tolist(), strict=True):
        seen.setdefault(file, set()).add(target)
    pairs = {}
    for file in np.flatnonzero(found.runs).tolist():
        own = _stem(paths[file])
        about = core(own)
        if about and about != own:
            choices = named.get((where.families[file], about), [])[:MOST_SUBJECTS]
            chosen = _nearest(paths, file, choices, seen.get(file, set()))
            if chosen is not None:
                pairs[file] = chosen
    return pairs


def _stem(path: str) -> str:
    """The name of a file without its ending: the folder's where the file stands for it."""
    parts = stem(path).split("/")
    name = path.rpartition("/")[2].rpartition(".")[0] or parts[-1]
    return parts[-2] if name in _FOLDER_FILES and len(parts) > 1 else name.removesuffix(".d")


def _nearest(paths: Sequence[str], file: int, choices: Sequence[int], seen: set[int]) -> int | None:
    """The one file among those of a name: imported, in the same folder, or with the most folders in common.

    Tests are about what they import and what lies around the folder of tests that they are in.
    """
    folder = paths[file].rpartition("/")[0]
    tests = TEST_FOLDER.search(folder)
    around = folder[: tests.start()] if tests else folder
    fit = [other for other in choices if other in seen]
    fit = fit or [other for other in choices if not around or paths[other].startswith(f"{around}/")]
    parts = set(folder.split("/"))
    scores = []
    for other in fit:
        place = paths[other].rpartition("/")[0]
        scores.append((place == folder, len(parts & set(place.split("/")))))
    best = max(scores, default=None)
    return fit[scores.index(best)] if best is not None and scores.count(best) == 1 else None


def _subjects(where: Layout, found: TestCode, imports: Drafts, pairs: Mapping[int, int]) -> dict[int, list[int]]:
    """Test file -> the files that it may be about: its namesake, what it imports, its package, itself."""
    about: dict[int, set[int]] = {}
    for file, target in zip(imports.file.tolist(), where.file_of[imports.target].tolist(), strict=True):
        about.setdefault(file, set()).add(target)
    package: dict[int, list[int]] = {}
    for file in np.flatnonzero(where.shared & ~where.test).tolist():
        package.setdefault(int(where.package[file]), []).append(file)
    subjects = {}
    for file in np.flatnonzero(found.runs).tolist():
        near = package.get(int(where.package[file]), []) if where.shared[file] else []
        own = {file} if not where.test[file] else set()
        every = about.get(file, set()) | own | ({pairs[file]} if file in pairs else set()) | set(near[:MOST_SUBJECTS])
        if len(every) <= MOST_SUBJECTS:
            subjects[file] = sorted(every)
        elif file in pairs:
            subjects[file] = [pairs[file]]
    return subjects
