"""Which symbols does a name mean?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from repoctx.types import Occurrences


def lookup(occurrences: Occurrences, name: str) -> list[int]:
    """Symbol rows that `name` means, in row order: by path, then by position. Empty if there are none.

    The first of these that finds any: whole descriptors (`Greeter.hello`), ends of descriptors
    (`Inner.hello` for `Outer.Inner.hello`), bare names, the same again without regard to case.
    `::` and `#` count as dots, and `path#descriptor` is looked for in that file alone.
    """
    path, mark, rest = name.rpartition("#")
    within = occurrences.paths.index(path) if mark and path in occurrences.paths else -1
    wanted = (rest if within >= 0 else name).strip().replace("::", ".").replace("#", ".").strip(".")
    if not wanted:
        return []
    o = occurrences
    rows = np.arange(len(o.symbol_file)) if within < 0 else np.flatnonzero(o.symbol_file == within)
    descriptors, names = o.symbol_descriptor[rows], o.symbol_name[rows]
    texts = {i: o.names[i] for i in np.unique(np.concatenate([descriptors, names])).tolist()}
    for fold in (False, True):
        asked = wanted.casefold() if fold else wanted
        same = {i for i, text in texts.items() if (text.casefold() if fold else text) == asked}
        ends = {i for i, text in texts.items() if (text.casefold() if fold else text).endswith("." + asked)}
        for column, numbers in ((descriptors, same), (descriptors, ends), (names, same)):
            found = rows[np.isin(column, sorted(numbers))]
            if len(found):
                return [int(row) for row in found]
    return []
