"""Where does a blob use names, and which of them could mean a definition elsewhere?

Names of local variables and parameters never do. Reads are kept where they can mean something:
a name that the blob imports or defines, or a member of such a thing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from itertools import starmap
from operator import sub
from typing import NamedTuple

from repoctx.parse.flows import LONGEST_ARGUMENTS, Raw, Unnamed, arguments, chain, parameters, read_flows, unnamed
from repoctx.parse.imports import Imported
from repoctx.parse.languages import Language
from repoctx.parse.queries import Answers, Captures, about
from repoctx.parse.symbols import CALLABLES, CLASSES, LONGEST_NAME, MEMBERS, Nesting
from repoctx.parse.texts import EXPRESSION, LONGEST_QUALIFIER, Text, last_separator, tidy
from repoctx.types import Flow, Local, Reference

MOST_REFERENCES = 200_000
"""References of one blob. Only generated tables have more, and nobody asks who uses those."""
LONGEST_EXPRESSION = 600
"""Bytes before a name that are read for its qualifier: chains of calls would cost their square."""

NAMELESS = ""
"""The name of a reference to what a chain yields."""

_ROLES = ("import", "inherit", "call", "type", "read")  # the first that claims a place has it
_READ, _CALL = _ROLES.index("read"), _ROLES.index("call")
_CLOSED = ("dotted", "relative", "crate")  # import styles of languages in which names have to be imported
_SPACES: frozenset[str] = CLASSES | {"module", "namespace", "type"}  # kinds that have members
BUILTIN = '""'
"""The value of a flow that is of the language itself, as of a literal: nothing of the repository."""
_SPACE = re.compile(r"\s")
_FIRST = re.compile(r"\$?\w+(?:\(\))?")
_ROOT = re.compile(r"\$?\w+")
_BEFORE = re.compile(r"(?:\s*(?:\.|::)\s*(?:\)[^()]*\(|\][^\[\]]*\[|\?)*\w+)+")  # a chain read from its end
_DOTTED = re.compile(r"[^<\[({]*")

# Offset, rank (three times the index of the role, and one more if a dotted name was split, two more if
# the node is one identifier, which says less), name, qualifier. It sorts by place, the best first.
_Use = tuple[int, int, str, str]
_Name = tuple[int, str, str]  # bytes from its start to the end of the node, name, qualifier


class _Known(NamedTuple):
    """What a read can mean."""

    names: set[str]  # imported or defined
    heads: set[str]  # what a qualifier may begin with


class Uses(NamedTuple):
    """Where names are used, what flows, and the locals that both speak of."""

    references: list[Reference]
    locals: list[Local]
    flows: list[Flow]


def find_uses(
    answers: Answers, imported: list[Imported], nesting: Nesting, text: Text, language: Language
) -> Uses:
    """References by position, at most MOST_REFERENCES; flows by where they are written."""
    raws = read_flows(answers, text, language)
    positions, around = parameters(answers), Around(nesting, unnamed(answers), text)
    known = _known(imported, nesting, language, {raw.name for raw in raws})
    uses: list[_Use] = [
        (item.start, 0, item.name, item.module)
        for item in imported
        if item.module and item.name not in ("", "*", "default")
    ]
    handed: list[Raw] = []
    for pattern, matches in about(answers, "reference"):
        role = _ROLES.index(pattern.detail)
        if "chain" in pattern.captures:
            uses += _chained(matches, role, text)
        elif "name" in pattern.captures:
            uses += _named(matches, role, text, known)
        elif "loose" in pattern.captures:
            uses += _loose(matches, role, text, known)
        elif pattern.bare:
            uses += _bare(matches, pattern.capture, role, text, known)
        else:
            uses += _dotted(matches, pattern.capture, role, text, language, known)
        if "arguments" in pattern.captures:
            handed += _handed(matches, pattern.capture, text)
    uses.sort()
    raws += handed
    bound = _bound(answers, nesting, around, text, language, known.names)
    closed = language.imports in _CLOSED and not any(item.name == "*" for item in imported)
    builtins = set(language.builtins) - known.names
    scopes = Scopes(bound, around, raws, _placed_parameters(positions, around, text, language))
    both = {raw.target for raw in raws if raw.target == raw.place}  # `{f}` defines a member and uses a name
    named = builtins.difference(language.selves)  # `Self` says which type, `std` that it is none of ours
    references, ends = _references(uses, scopes, builtins, named, nesting, both, text)
    meaningful = known.names.union(language.selves) if closed else None
    flows = _flows(raws, scopes, _variables(nesting, language), ends, named, meaningful)
    return Uses(references, scopes.locals(), flows)


def _known(imported: list[Imported], nesting: Nesting, language: Language, filled: set[str]) -> _Known:
    """What reads can mean: also members of the locals that something is known of."""
    names = {item.alias for item in imported}
    heads = names.union(language.selves, filled)
    heads.update([symbol.name for symbol in nesting.symbols if symbol.kind in _SPACES])
    names.update([symbol.name for symbol in nesting.symbols])
    names.discard("")
    heads.discard("")
    return _Known(names, heads)


def _bound(
    answers: Answers, nesting: Nesting, around: Around, text: Text, language: Language, known: set[str]
) -> dict[int, set[str]]:
    """The local names of each scope, parameters and loop variables included; the object itself is none."""
    found = list(nesting.variables)
    for _, matches in about(answers, "local"):
        spans = [captures["local"][0].byte_range for captures in matches]
        found += [(span[0], name) for span, name in zip(spans, text.pieces(spans), strict=True)]
    bound: dict[int, set[str]] = {}
    for start, name in found:
        if start not in nesting.name_starts and name not in language.selves:
            bound.setdefault(around.scope(start), set()).add(name)
    if -1 in bound:  # outside of symbols only names that nothing else explains are local
        bound[-1] = bound[-1].difference(known)
    return bound


def _bare(matches: list[Captures], capture: str, role: int, text: Text, known: _Known) -> list[_Use]:
    """The uses that are one identifier each; reads as far as they are known."""
    spans = [captures[capture][0].byte_range for captures in matches]
    found = zip(spans, text.pieces(spans), strict=True)
    rank = 3 * role + 2
    if role == _READ:
        return [(span[0], rank, name, "") for span, name in found if name in known.names]
    return [(span[0], rank, name, "") for span, name in found if 0 < len(name) <= LONGEST_NAME]


def _loose(matches: list[Captures], role: int, text: Text, known: _Known) -> list[_Use]:
    """The uses among tokens that no grammar put together; what qualifies them is read from the text before."""
    uses: list[_Use] = []
    source = text.source
    for captures in matches:
        start, end = captures["loose"][0].byte_range
        before = _BEFORE.match(source[max(0, start - LONGEST_QUALIFIER) : start][::-1])
        qualifier = tidy(text.piece(start - before.end(), start)).rstrip(".:") if before else ""
        name = text.piece(start, end)
        if role == _READ and not _may_mean(f"{qualifier}." if qualifier else name, known):
            continue
        if 0 < len(name) <= LONGEST_NAME:
            uses.append((start, 3 * role + 2 - bool(qualifier), name, qualifier))
    return uses


def _dotted(
    matches: list[Captures], capture: str, role: int, text: Text, language: Language, known: _Known
) -> list[_Use]:
    """The uses whose whole node is one dotted name; reads as far as they are known."""
    spans = [captures[capture][0].byte_range for captures in matches]
    if min(starmap(sub, spans)) < -LONGEST_EXPRESSION:  # read their ends alone
        spans = [(max(start, end - LONGEST_EXPRESSION - 1), end) for start, end in spans]
    uses: list[_Use] = []
    rank = 3 * role + 1
    split: dict[str, _Name | None] = {}  # most names of a blob stand there more than once
    for (start, end), dotted in zip(spans, text.pieces(spans), strict=True):
        if dotted in split:
            name = split[dotted]
        elif role == _READ and not _may_mean(dotted, known):
            name = split[dotted] = None
        else:
            name = split[dotted] = split_name(dotted, language.separators, end - start > LONGEST_EXPRESSION)
        if name:
            uses.append((end - name[0], rank, name[1], name[2]))
    return uses


def _may_mean(written: str, known: _Known) -> bool:
    """Whether a dotted name begins with something known."""
    if written.isidentifier():
        return written in known.names
    first = _FIRST.match(written)
    return first is not None and first[0] in known.heads


@lru_cache(maxsize=16_384)
def split_name(written: str, separators: tuple[str, ...], cut: bool) -> _Name | None:
    """How far before the end the name begins, in bytes, the name, and what qualifies it.

    None if that is no name. `cut` says that more stands before.
    """
    if written.isidentifier():
        return _sized(written, "", 0) if not cut else None
    head = written
    if not (written[-1:].isalnum() or written[-1:] in "_?!$=*+-~"):  # a type's arguments stand behind
        found = _DOTTED.match(written)
        head = found[0].rstrip() if found else ""
    qualifier, _, name = head.rpartition(separators[0]) if len(separators) == 1 else ("", "", "")
    if not name.isidentifier():
        parts = last_separator(separators).match(head)
        qualifier, name = (parts[1], parts[2]) if parts else ("", head)
    behind = 0 if head is written else len(written.encode()) - len(head.encode())
    return _sized(name, EXPRESSION if cut else tidy(qualifier), behind)


def _sized(name: str, qualifier: str, behind: int) -> _Name | None:
    if not name.isidentifier() and _SPACE.search(name):  # broken code
        return None
    size = len(name) if name.isascii() else len(name.encode())
    return (size + behind, name, qualifier) if 0 < size <= LONGEST_NAME else None


def _named(matches: list[Captures], role: int, text: Text, known: _Known) -> list[_Use]:
    """The uses whose name and qualifier are nodes of their own."""
    uses: list[_Use] = []
    for captures in matches:
        node = captures["name"][0]
        start, end = node.start_byte, node.end_byte
        if not 0 < end - start <= LONGEST_NAME:
            continue
        qualifier = ""
        if "qualifier" in captures:
            node = captures["qualifier"][0]
            left, right = node.start_byte, node.end_byte
            qualifier = tidy(text.piece(left, right)) if right - left <= LONGEST_EXPRESSION else EXPRESSION
            first = _FIRST.match(qualifier)
            if role == _READ and (first is None or first[0] not in known.heads):
                continue
        name = text.piece(start, end)
        if name.isidentifier() or not _SPACE.search(name):
            unread = qualifier.startswith(EXPRESSION)  # another pattern may know what stands in the brackets
            uses.append((start, 3 * role + 2 * unread, name, qualifier))
    return uses


@lru_cache(maxsize=16_384)
def _root(written: str) -> str:
    """The name that a chain begins with."""
    found = _ROOT.match(written, written[:1] == "=")
    return found[0] if found else ""


def _chained(matches: list[Captures], role: int, text: Text) -> list[_Use]:
    """The uses of what an expression yields: `f()()`, `table[key]()`. They stand behind it and have no name."""
    uses: list[_Use] = []
    for captures in matches:
        node = captures["chain"][0]
        start, end = node.start_byte, node.end_byte
        written = chain(text.piece(start, end)) if end - start <= LONGEST_EXPRESSION else ""
        if written:
            uses.append((end, 3 * role, NAMELESS, f"={written}"))
    return uses


def _handed(matches: list[Captures], callee: str, text: Text) -> list[Raw]:
    """The arguments of calls."""
    found = []
    for captures in matches:
        if "arguments" not in captures:
            continue
        start, end = captures["arguments"][0].byte_range
        if 2 < end - start <= LONGEST_ARGUMENTS and (listed := arguments(text.source[start + 1 : end - 1])):
            at = captures.get("chain", captures.get("name", captures[callee]))[0].end_byte
            found += [Raw("argument", at, "", key, value, 0, start + 1 + left) for key, value, left in listed]
    return found


def _placed_parameters(
    positions: dict[int, int], around: Around, text: Text, language: Language
) -> dict[tuple[int, str], int]:
    """The position of each parameter by its function and name; a receiver that is written there does not count."""
    found: dict[tuple[int, str], int] = {}
    receiving: set[int] = set()
    for start, position in sorted(positions.items()):
        name = _ROOT.match(text.source, start)
        owner = around.scope(start)
        if name is None or not 0 <= owner < around.symbols:
            continue
        if position == 0 and name[0] in language.selves:
            receiving.add(owner)
        else:
            found[owner, text.piece(start, name.end())] = position - (owner in receiving)
    return found


class Around:
    """What is around a place? A scope is a symbol, or one of the functions without a name, numbered after them."""

    def __init__(self, nesting: Nesting, nameless: Unnamed, text: Text) -> None:
        self.nesting, self.nameless, self.symbols = nesting, nameless, len(nesting.symbols)
        self.parents = [symbol.parent for symbol in nesting.symbols]
        self.bounds, self.scopes = nesting.bounds, nesting.binders
        if nameless.starts:
            self.bounds = sorted({*nesting.bounds[:-1], *nameless.bounds})
            self.scopes = [self._inner(self._symbol(place), nameless.at(place)) for place in self.bounds]
            starts = [text.starts[symbol.name_line - 1] + symbol.name_column for symbol in nesting.symbols]
            self.parents = [
                self._inner(parent, nameless.at(start)) for parent, start in zip(self.parents, starts, strict=True)
            ]
        for start, outer in zip(nameless.starts, nameless.outer, strict=True):
            self.parents.append(self._inner(self._symbol(start), outer))

    def _symbol(self, place: int) -> int:
        return self.nesting.binders[bisect_right(self.nesting.bounds, place) - 1]

    def _inner(self, symbol: int, nameless: int) -> int:
        """Which of two scopes that share a place is inside of the other?"""
        inside = nameless >= 0 and self._symbol(self.nameless.starts[nameless]) == symbol
        return self.symbols + nameless if inside else symbol

    def scope(self, place: int) -> int:
        """The innermost scope at an offset, -1 for none."""
        return self.scopes[bisect_right(self.bounds, place) - 1]

    def owner(self, scope: int) -> int:
        """The innermost symbol that a scope is or is in."""
        while scope >= self.symbols:
            scope = self.parents[scope]
        return scope

    def function(self, scope: int) -> int:
        """The function that a scope is or belongs to, -1 if there is none or it has no name."""
        while 0 <= scope < self.symbols and self.nesting.symbols[scope].kind not in CALLABLES:
            scope = self.parents[scope]
        return scope if scope < self.symbols else -1


class Scopes:
    """Which local does a name mean, and which number has it? Numbers are given to those that matter."""

    def __init__(
        self, bound: dict[int, set[str]], around: Around, raws: list[Raw], positions: dict[tuple[int, str], int]
    ) -> None:
        self.bound, self.around, self.positions = bound, around, positions
        self.names = set[str]().union(*bound.values())
        self.numbers: dict[tuple[int, str], int] = {}
        self.reached = set(positions)
        for raw in raws:
            if raw.name in self.names and raw.target not in around.nesting.placed:
                place = self.binder(raw.name, around.scope(raw.target))
                if place is not None:
                    self.reached.add((place, raw.name))

    def binder(self, name: str, scope: int) -> int | None:
        """The scope (-1: the file) that binds a name seen from a scope; None if it is no local there."""
        bound, parents = self.bound, self.around.parents
        while name not in bound.get(scope, ()):
            if scope < 0:
                return None
            scope = parents[scope]
        return scope

    def number(self, name: str, binder: int) -> int | None:
        """The number of a local, None if nothing is known of it."""
        key = binder, name
        return self.numbers.setdefault(key, len(self.numbers)) if key in self.reached else None

    def rewritten(self, written: str, scope: int) -> str:
        """A chain whose first name is `%N` if that is a local, and `%` if nothing is known of it."""
        root = _root(written)
        if root not in self.names or (binder := self.binder(root, scope)) is None:
            return written
        number = self.number(root, binder)
        mark = "=" if written[0] == "=" else ""
        return f"{mark}%{'' if number is None else number}{written[len(mark) + len(root) :]}"

    def locals(self) -> list[Local]:
        """All that have a number, in order."""
        owner = self.around.owner
        return [Local(name, owner(scope), self.positions.get((scope, name), -1)) for scope, name in self.numbers]


def _flows(
    raws: list[Raw],
    scopes: Scopes,
    variables: dict[tuple[int, str], int],
    ends: dict[int, int],
    builtins: set[str],
    meaningful: set[str] | None,
) -> list[Flow]:
    """The flows into symbols, returns, calls, and the locals that these or references depend on."""
    waiting: dict[tuple[int, str], list[Raw]] = {}
    found: list[tuple[int, int, Flow]] = []
    around, placed = scopes.around, scopes.around.nesting.placed
    assigned = {name for _, name in variables}
    ready = 0

    def add(raw: Raw, kind: str, target: int) -> None:
        scope = around.scope(raw.place)
        value = scopes.rewritten(raw.value, scope)
        root = _root(value)
        if value[0] == "%":
            if len(value) == 1 or not value[1].isdigit():
                return
        elif root in builtins:
            if not raw.kind.endswith("type"):
                return
            value = BUILTIN
        elif meaningful is not None and root not in meaningful and "::" not in value:
            return  # only paths need no import
        found.append((raw.place, len(found), Flow(kind, target, raw.key, value, raw.depth, around.owner(scope))))

    for raw in raws:
        if raw.kind == "argument":
            if raw.target in ends:
                add(raw, raw.kind, ends[raw.target])
        elif raw.kind.startswith("return"):
            function = placed.get(raw.target, -1)
            if function < 0 and not raw.name:
                named = placed.get(raw.place, -1)  # it is defined where it is returned
                function = around.function(around.parents[named] if named >= 0 else around.scope(raw.place))
            if function >= 0:
                add(raw, raw.kind, function)
        elif raw.target in placed:
            add(raw, raw.kind, placed[raw.target])
        elif raw.name in scopes.names and (binder := scopes.binder(raw.name, around.scope(raw.target))) is not None:
            waiting.setdefault((binder, raw.name), []).append(raw)
        elif raw.name in assigned and (symbol := _seen(variables, around, raw.name, raw.target)) >= 0:
            add(raw, raw.kind, symbol)
    while ready < len(scopes.numbers):
        for key in list(scopes.numbers)[ready:]:
            ready += 1
            for raw in waiting.get(key, ()):
                add(raw, f"local {raw.kind}", scopes.numbers[key])
    found.sort()
    return [flow for _, _, flow in found]


def _variables(nesting: Nesting, language: Language) -> dict[tuple[int, str], int]:
    """The variables that can be assigned by their bare names, by the symbol around them and name."""
    found: dict[tuple[int, str], int] = {}
    for index, symbol in enumerate(nesting.symbols):
        if symbol.kind in MEMBERS:
            parent = symbol.parent
            if parent < 0 or language.imports not in _CLOSED or nesting.symbols[parent].kind not in CLASSES:
                found.setdefault((parent, symbol.name), index)
    return found


def _seen(variables: dict[tuple[int, str], int], around: Around, name: str, place: int) -> int:
    """The variable that a bare name means at an offset, -1 if there is none."""
    scope = around.owner(around.scope(place))
    while scope >= 0 and (scope, name) not in variables:
        scope = around.nesting.symbols[scope].parent
    return variables.get((scope, name), -1)


def _references(
    uses: Iterable[_Use],
    scopes: Scopes,
    builtins: set[str],
    named: set[str],
    nesting: Nesting,
    both: set[int],
    text: Text,
) -> tuple[list[Reference], dict[int, int]]:
    """The uses that are no builtins, one a place, and the call that each name's end belongs to.

    A bare local name is a reference only where it is called and something is known of it.
    """
    suspects = builtins | scopes.names
    bounds, owners, defined = nesting.bounds, nesting.owners, nesting.name_starts - both
    starts, new = text.starts, tuple.__new__  # half the time of calling Reference, in the longest loop
    references: list[Reference] = []
    ends: dict[int, int] = {}
    last, line, at = -1, 1, 0
    for start, rank, name, qualifier in uses:
        if start == last or (rank and start in defined):
            continue
        last = start
        while bounds[at] <= start:
            at += 1
        owner = owners[at - 1]
        if rank:
            if qualifier:
                if (root := _root(qualifier)) in suspects:
                    written = qualifier
                    qualifier = scopes.rewritten(written, scopes.around.scope(start))
                    if qualifier is written and root in named:
                        qualifier = BUILTIN
            elif name in suspects:
                if name in builtins:
                    continue
                binder = scopes.binder(name, scopes.around.scope(start))
                if binder is not None:
                    number = scopes.number(name, binder) if rank // 3 == _CALL else None
                    if number is None:
                        continue
                    qualifier = f"=%{number}"
        while starts[line] <= start:
            line += 1
        column = start - starts[line - 1]
        if rank // 3 == _CALL:
            ends[start + (len(name) if name.isascii() else len(name.encode()))] = len(references)
        references.append(new(Reference, (_ROLES[rank // 3], name, qualifier, line, column, owner)))
        if len(references) == MOST_REFERENCES:
            break
    return references, ends
