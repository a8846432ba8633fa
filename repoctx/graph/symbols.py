"""Which symbols does a name mean?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from repoctx.graph.modules import stem
from repoctx.types import EDGE_KINDS

if TYPE_CHECKING:
    from repoctx.graph.keys import Array
    from repoctx.types import Edges, Occurrences

_INHERITS = EDGE_KINDS.index("inherits")
# How much of a name is as it is written of those that are near, names that are told, and that are compared by letters.
_ALIKE, _TOLD, _COMPARED, _LONGEST = 0.75, 3, 1500, 80


def lookup(occurrences: Occurrences, name: str, any_case: bool = True) -> list[int]:
    """Symbol rows that `name` means, in row order: by path, then by position. Empty if there are none.

    The first of these that finds any: whole descriptors (`Greeter.hello`), ends of descriptors
    (`Inner.hello` for `Outer.Inner.hello`), which a bare name is too; with `any_case` the same again
    without regard to case, which reads every name. `::` and `#` count as dots, and `path#descriptor`
    is looked for in that file alone.
    """
    o = occurrences
    path, mark, rest = name.rpartition("#")
    file = bisect_left(o.paths, path) if mark else len(o.paths)
    within = file < len(o.paths) and o.paths[file] == path
    wanted = (rest if within else name).strip().replace("::", ".").replace("#", ".").strip(".")
    if not wanted:
        return []
    last = wanted.rpartition(".")[2]
    at = bisect_left(o.names, last)
    rows = np.flatnonzero(o.symbol_name == at) if at < len(o.names) and o.names[at] == last else np.zeros(0, np.int64)
    found = _meant(o, rows[o.symbol_file[rows] == file] if within else rows, wanted, str)
    if found or not any_case:
        return found
    folded = last.casefold()
    same = [i for i in np.unique(o.symbol_name).tolist() if o.names[i].casefold() == folded]
    rows = np.flatnonzero(np.isin(o.symbol_name, same))
    return _meant(o, rows[o.symbol_file[rows] == file] if within else rows, wanted, str.casefold)


def beginning(occurrences: Occurrences, name: str) -> Array:
    """The symbols whose bare name begins so, as it is written, in small letters, or with a capital; rows ascending."""
    o = occurrences
    inside = np.zeros(len(o.symbol_name), np.bool_)
    for text in {name, name.lower(), name[:1].upper() + name[1:]} - {""}:
        first, last = bisect_left(o.names, text), bisect_left(o.names, text + "\U0010ffff")
        inside |= (o.symbol_name >= first) & (o.symbol_name < last)
    return np.flatnonzero(inside)


def within(occurrences: Occurrences, name: str) -> list[int]:
    """Symbol rows that a name with its module before it means: `shop.cart.Cart.add` in a file `.../shop/cart.py`."""
    o = occurrences
    parts = name.strip().replace("::", ".").split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = "/" + "/".join(parts[:end])
        rows = [
            row
            for row in lookup(o, ".".join(parts[end:]), any_case=False)
            if ("/" + stem(o.paths[o.symbol_file[row]]).removesuffix("/__init__")).endswith(module)
        ]
        if rows:
            return rows
    return []


def inherited(occurrences: Occurrences, edges: Edges, name: str) -> list[int]:
    """Symbol rows that `Class.member` means where the class has the member from its nearest bases that do."""
    o = occurrences
    holder, _, member = name.strip().replace("::", ".").rstrip(".").rpartition(".")
    at = bisect_left(o.names, member)
    if not holder or at == len(o.names) or o.names[at] != member:
        return []
    up = edges.kind == _INHERITS
    source, target = edges.source[up], edges.target[up]
    choices = np.flatnonzero(o.symbol_name == at)
    seen = level = np.array(lookup(o, holder), np.int64)
    while len(level):
        found: list[int] = choices[np.isin(o.symbol_parent[choices], level)].tolist()
        if found:
            return found
        above = target[np.isin(source, level)]
        level = np.setdiff1d(above[(above >= 0) & (above < len(o.symbol_file))], seen)
        seen = np.concatenate([seen, level])
    return []


def near(occurrences: Occurrences, name: str) -> list[str]:
    """Names of symbols that are written much like one that none has, as it is bare or qualified; the nearest first.

    What is compared begins with the same letter and is nearly as long; of a qualified name it ends nearly so too.
    """
    o = occurrences
    parts = name.rpartition("#")[2].strip().removesuffix("()").replace("::", ".").strip(".").split(".")
    last = parts[-1]
    at = bisect_left(o.names, last)
    known = at < len(o.names) and o.names[at] == last and bool((o.symbol_name == at).any())
    ids = np.unique(o.symbol_name).tolist()
    lasts = [last] if known else closest(last, [o.names[i] for i in ids], _TOLD, _ALIKE)
    if len(parts) == 1:
        return lasts if not known else []
    rows = np.flatnonzero(np.isin(o.symbol_name, [bisect_left(o.names, one) for one in lasts]))
    ends = dict.fromkeys(".".join(o.names[i].split(".")[-len(parts) :]) for i in o.symbol_descriptor[rows].tolist())
    return closest(".".join(parts), ends, _TOLD, _ALIKE)


def closest(name: str, every: Iterable[str], told: int, alike: float) -> list[str]:
    """Up to `told` of some names that are much like one, `alike` of their letters in 0..1; the nearest first.

    What is compared begins with the same letter, in any case, and is nearly as long; not so many letter by letter that
    anybody waits.
    """
    if len(name) > _LONGEST:  # which nobody types
        return []
    first, length, most = name[:1].casefold(), len(name), max(4, round(len(name) * (1 - alike)))
    likely = [one for one in every if one[:1].casefold() == first and abs(len(one) - length) <= most]
    likely.sort(key=lambda one: abs(len(one) - length))
    return get_close_matches(name, likely[:_COMPARED], told, alike)


def implementations(occurrences: Occurrences) -> Array:
    """For each symbol itself; for one in Python that is marked `@overload` the function below that does the work."""
    o = occurrences
    found = np.arange(len(o.symbol_file))
    at = bisect_left(o.names, "overload")
    uses = np.flatnonzero(o.reference_name == at) if at < len(o.names) and o.names[at] == "overload" else found[:0]
    marked: set[int] = set()
    for file, line in zip(o.reference_file[uses].tolist(), o.reference_line[uses].tolist(), strict=True):
        if o.languages[file] == "python":
            first, last = np.searchsorted(o.symbol_file, [file, file + 1]).tolist()
            above = (o.symbol_start[first:last] <= line) & (line < o.symbol_name_line[first:last])
            marked.update((first + np.flatnonzero(above)[-1:]).tolist())
    bodies: dict[tuple[int, int], list[int]] = {}  # of a name in a file, from the top
    for row in sorted(marked):
        part = int(o.symbol_file[row]), int(o.symbol_descriptor[row])
        if part not in bodies:
            last = int(np.searchsorted(o.symbol_file, part[0], "right"))
            same = row + 1 + np.flatnonzero(o.symbol_descriptor[row + 1 : last] == part[1])
            bodies[part] = [one for one in same.tolist() if one not in marked]
        after = bisect_left(bodies[part], row)
        found[row] = bodies[part][after] if after < len(bodies[part]) else row
    return found


def _meant(o: Occurrences, rows: Array, wanted: str, fold: Callable[[str], str]) -> list[int]:
    """Of the rows of the right name those whose descriptor is what is wanted, else those where it ends so."""
    wanted = fold(wanted)
    descriptors: Sequence[str] = [fold(o.names[i]) for i in o.symbol_descriptor[rows].tolist()]
    choices = list(zip(rows.tolist(), descriptors, strict=True))
    whole = [row for row, descriptor in choices if descriptor == wanted]
    return whole or [row for row, descriptor in choices if descriptor.endswith("." + wanted)]
