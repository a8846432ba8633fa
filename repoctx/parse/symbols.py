"""Which symbols does a blob define, and how do they nest?"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping
from typing import NamedTuple

from repoctx.parse import comments
from repoctx.parse.languages import Language
from repoctx.parse.texts import Text, last_separator, type_path
from repoctx.types import Symbol

CALLABLES = frozenset({"function", "method", "constructor", "property", "macro", "test"})
CLASSES = frozenset({"class", "interface", "struct", "union", "enum", "trait", "object", "extension"})
VARIABLES = frozenset({"variable", "constant"})
MEMBERS = VARIABLES | {"field"}

CONTAINER = ""
"""Stands for the kind of a block that names its members but is no symbol."""

ANONYMOUS = "()"
"""Stands for a function without a name, as a kind and in descriptors: `().f` is defined in one, so nothing
outside of it can name it. What stands in a named function as well has only that in its descriptor."""

LONGEST_NAME = 200
"""Bytes. Longer names come from generated code, and nobody searches for them."""
LONGEST_SIGNATURE = 400
"""Characters, as `types.Symbol` promises."""

LONGEST_HEAD = 4 * LONGEST_SIGNATURE
"""Bytes of a definition that are read for its signature."""

_PARAMETERS = re.compile(r"(?s)(?<!operator)(?<!operator )\(.*")
_TYPE_ARGUMENTS = re.compile(r"(?s)<.*>")
_ANNOTATIONS = re.compile(
    r"(?:@(?!(?:interface|protocol|property)\b)[\w.:]+(?:\([^()]*\))?\s*|#?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\s*)+"
)


# One definition as the query found it, in byte offsets: start, -end, order of its pattern, kind, start
# and end of its name, start of its body (-1 if none), the type that it is declared for outside of that
# type, and the name before the dot of a field that a method sets. It sorts by start, outer before inner,
# first pattern first.
Definition = tuple[int, int, int, str, int, int, int, str, str]


class Nesting(NamedTuple):
    """The symbols of a blob and who encloses what."""

    symbols: list[Symbol]
    bounds: list[int]  # offsets at which the innermost symbol changes, from -1 to behind the text
    owners: list[int]  # the innermost symbol from each bound on, -1 for none
    binders: list[int]  # the same, for names that are bound there; differs from owners in containers
    variables: list[tuple[int, str]]  # offset and name of what looked like a definition and is local
    name_starts: set[int]  # where names are defined or imported
    placed: dict[int, int]  # symbol by where its name stands, assignments after the first included


class _Open(NamedTuple):
    """A definition around the current place."""

    start: int
    end: int
    kind: str
    symbol: int  # its index; a container has that of the symbol around it
    scope: int  # its index; a container has -2 minus its number
    path: str  # what the descriptors of its members begin with
    body_start: int


def nest(
    found: list[Definition],
    text: Text,
    language: Language,
    outer: Mapping[int, int],
    docs: Mapping[int, str],
    places: Collection[int],
) -> Nesting:
    """The symbols in order, from the definitions that the query found.

    `outer` maps where a definition starts to where its decorators do; `docs` maps where a body
    starts to the doc comment that it begins with, or where decorators start to the one among them;
    at `places` names are imported or mean nothing.
    """
    found.sort()
    nesting = Nesting([], [-1], [-1], [], [], set(places), {})
    symbols, bounds, owners, binders, variables, name_starts, placed = nesting
    top = _Open(-1, len(text.source) + 1, CONTAINER, -1, -1, "", -1)
    stack = [top]
    containers: list[_Open] = []
    style = comments.STYLES[language.comments]
    taken: dict[str, int] = {}  # variables and fields by descriptor: the first assignment defines
    latest: dict[int, int] = {}  # the last member so far, by the symbol around it
    for item in found:
        start, negative_end, _, kind, name_start, name_end, body_start, receiver, owner = item
        if name_start in name_starts:
            continue
        while top.end <= start or (top.start == start and top.end == -negative_end):
            stack.pop()
            if top.end <= start:
                bounds.append(top.end)
                owners.append(stack[-1].scope)
            top = stack[-1]
        if kind == ANONYMOUS:
            if top.kind not in CALLABLES:
                path = _join(top.path, ANONYMOUS)
                top = _Open(start, -negative_end, "function", top.symbol, top.scope, path, -1)
                stack.append(top)
            continue
        name = text.piece(name_start, name_end)
        if kind == CONTAINER:
            path = _join(top.path, type_path(name))
            top = _Open(start, -negative_end, "class", top.symbol, -2 - len(containers), path, body_start)
            containers.append(top)
            stack.append(top)
            bounds.append(start)
            owners.append(top.scope)
            continue
        if kind in VARIABLES and (top.kind in CALLABLES or top.kind in VARIABLES):
            variables.append((name_start, name))
            continue
        if body_start < 0 and kind == "function" and top.kind in CALLABLES:
            continue  # a prototype, or a variable that looks like one
        name_starts.add(name_start)
        around: _Open | None = top
        leaf = False
        if owner or (kind == "field" and top.kind in CALLABLES):
            around, leaf = _class_around(stack, language, owner), True
        elif 0 <= body_start == top.body_start:  # typedef struct tag { ... } name
            around, leaf = stack[-2], True
        if around is None or not 0 < len(name) <= LONGEST_NAME or "\n" in name:
            continue
        kind = _kind(kind, name, around, language)
        if receiver or not name.isidentifier():
            path, name, written = *_descriptor(name, receiver, around.path, language), name
            name_start += len(written[: max(0, written.rfind(name))].encode())
            if kind == "method" and "=" in language.constructors and path.endswith(f"{name}.{name}"):
                kind = "constructor"  # Thing::Thing() {}
            name_starts.add(name_start)
        else:
            path = _join(around.path, name)
        if kind in MEMBERS:
            if path in taken:
                placed[item[4]] = taken[path]
                continue
            taken[path] = len(symbols)
        elif leaf and path == top.path:
            continue
        elif language.clauses and kind in CALLABLES and start not in outer:
            last = latest.get(around.symbol, -1)
            if last >= 0 and symbols[last].descriptor == path and symbols[last].kind == kind:
                symbols[last] = _with_clause(symbols[last], start, -negative_end, text)
                top = _Open(start, -negative_end, kind, last, last, path, body_start)
                stack.append(top)
                bounds.append(start)
                owners.append(last)
                placed[item[4]] = last
                continue
        latest[around.symbol] = len(symbols)
        if not leaf:
            top = _Open(start, -negative_end, kind, len(symbols), len(symbols), path, body_start)
            stack.append(top)
            bounds.append(start)
            owners.append(top.symbol)
        placed[item[4]] = len(symbols)
        symbols.append(_symbol(item, kind, name, name_start, path, around.symbol, text, style, outer, docs))
    while len(stack) > 1:
        bounds.append(stack.pop().end)
        owners.append(stack[-1].scope)
    bounds.append(len(text.source) + 1)
    binders += [owner if owner >= -1 else containers[-2 - owner].symbol for owner in owners]
    if containers:  # what stands in one, but in none of its symbols, belongs to the type that it is about
        types = {symbol.descriptor: index for index, symbol in enumerate(symbols) if symbol.kind in CLASSES}
        about = [types.get(container.path, container.symbol) for container in containers]
        owners[:] = [about[-2 - owner] if owner < -1 else owner for owner in owners]
    return nesting


def _with_clause(symbol: Symbol, start: int, end: int, text: Text) -> Symbol:
    """A function with one more clause; where the first was but a head, the body begins here."""
    return symbol._replace(end_line=text.line(end - 1), body_line=symbol.body_line or text.line(start))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _class_around(stack: list[_Open], language: Language, owner: str) -> _Open | None:
    """The class of a field that one of its methods defines; `owner` is what stands before its name."""
    if owner and owner not in language.selves:
        return None
    return next((item for item in reversed(stack) if item.kind in CLASSES), None)


def _kind(kind: str, name: str, around: _Open, language: Language) -> str:
    """The kind as people call it, which depends on what is around."""
    if around.kind in CLASSES:
        if kind in VARIABLES:
            return "field"
        if kind == "function":
            kind = "method"
        if kind == "method" and language.constructors and (
            name in language.constructors
            or ("=" in language.constructors and name == around.path.rpartition(".")[2])
        ):
            return "constructor"
    elif kind == "variable" and language.capitals and name.isupper():
        return "constant"
    return kind


def _descriptor(name: str, receiver: str, path: str, language: Language) -> tuple[str, str]:
    """The qualified name within the blob, and the bare one."""
    if receiver:
        path = _join(path, type_path(receiver))
    if name[0] in "\"'`":
        name = name.strip("\"'`") or name
    elif not name.isidentifier():
        name = _without_arguments(name)
        split = last_separator(language.separators).match(name)
        if split:
            names = type_path(split[1]).split(".")
            if names[0] in language.transparent and names[0] not in language.selves:
                path = path.removesuffix(ANONYMOUS).rstrip(".")  # `exports.f` is seen outside as well
            path = ".".join([part for part in (path, *names) if part and part not in language.transparent])
            name = split[2]
        else:
            name = name.removeprefix(":")
    return _join(path, name), name


def _without_arguments(name: str) -> str:
    """`convert<T>` is `convert`, `operator bool() const` is `operator bool`."""
    if "operator" in name:
        return _PARAMETERS.sub("", name).rstrip()
    return _TYPE_ARGUMENTS.sub("", name) if name[0].isalpha() and "<" in name else name


def _symbol(
    item: Definition,
    kind: str,
    name: str,
    name_start: int,
    path: str,
    parent: int,
    text: Text,
    style: comments.Style,
    outer: Mapping[int, int],
    docs: Mapping[int, str],
) -> Symbol:
    start, negative_end, _, _, _, _, body_start, _, _ = item
    source, starts = text.source, text.starts
    end = -negative_end
    stop = body_start if body_start > start else end
    head = text.piece(start, stop if stop - start < LONGEST_HEAD else start + LONGEST_HEAD).rstrip()
    if "\n" in head and stop == end and kind in CLASSES:
        head = head.partition("\n")[0]  # nothing in it: its end is on a line of its own
    elif "\n" in head and style.line in head:
        head = _uncommented(head, style.line)
    first_line = bisect_right(starts, start)
    end_line = bisect_right(starts, end - 1, first_line)
    body_line = 0
    if body_start >= 0 and kind in CALLABLES:
        body_line = first_line + head.count("\n") + 1
        if body_line > end_line:
            body_line = 0
    name_line = bisect_right(starts, name_start, first_line)
    doc = docs.get(body_start, "")
    if start in outer:
        before = outer[start]
        doc = docs.get(before, doc)
        while before in outer:
            before = outer[before]
            doc = docs.get(before, doc)
        prefix = source[before:start]
        if "\n" not in prefix:
            head = prefix + head  # export, type, template<...>
        start, first_line = before, bisect_right(starts, before)
    above = first_line
    if first_line > 1:
        line_start = starts[first_line - 1]
        behind = source[starts[first_line - 2] : line_start].strip()
        commented = behind.startswith(style.line) or behind.endswith(style.closing)
        if commented and (start == line_start or source[line_start:start].isspace()):
            above = comments.above(text, first_line, style)
            if above < first_line and not doc:
                doc = comments.content(text.piece(starts[above - 1], line_start), style)
    return Symbol(
        kind, name, path, _signature(head), doc, above, end_line,
        name_line, name_start - starts[name_line - 1], body_line, parent,
    )  # fmt: skip


def _uncommented(head: str, mark: str) -> str:
    """A head without the comments on its lines; each line stays one."""
    lines = head.split("\n")
    bare = ["" if line.lstrip().startswith(mark) else line.partition(f" {mark}")[0] for line in lines]
    return "\n".join(bare).rstrip()


def _signature(head: str) -> str:
    """A definition's head on one line, without annotations before and punctuation behind."""
    if head[:1] in ("@", "[", "#"):
        found = _ANNOTATIONS.match(head)
        head = head[found.end() :] if found else head
    if "\n" in head or "  " in head or "\t" in head:
        head = " ".join(head.split())
    return head.rstrip(" {:;,=").removesuffix("=>").rstrip()[:LONGEST_SIGNATURE]
