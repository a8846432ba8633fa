"""What of a snapshot is worth having in a prompt, whatever the task?

A large pack begins with files that are chosen and ordered by the snapshot alone, so that prompts for different tasks
share most of their tokens, and a server that caches prefixes reads them once. Files come in whole, by their worth for
their size, which is measured in steps so that a small push moves few of them. What was changed last stands last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from repoctx.counters import QWEN, Counter
from repoctx.pack import render
from repoctx.pack.render import XML, Format
from repoctx.pack.tile import UNRANKED, Document, Fragment, readable
from repoctx.tokens import clean_cut
from repoctx.types import Reason

# Evidence takes so many tokens of a pack at least, and this share of a larger one; the bulk what is more. (Issues of 6
# repositories, packs of 128k and 256k tokens: as many hold all functions to change with a bulk as without.)
EVIDENCE = 96_000
EVIDENCE_SHARE = 0.37
# Worth is told in steps of this factor, and sizes in powers of two from the least on.
STEP = 1.1
LEAST_TOKENS = 256
# A file that takes more than this share of the room alone would keep many others out.
LARGE = 0.5
WHY = (Reason("bulk", "much used by other files, whatever the task", 1.0),)


class Steady(NamedTuple):
    """A file that may stand in the bulk."""

    path: str
    tokens: int
    lines: int
    worth: float  # above 0; that of a file twice as good is twice as much
    changed: int  # how late it was changed, see `Document.changed`


def bulk_room(size: int) -> int:
    """Tokens of a pack of that size which are there for the bulk, the map among it."""
    return max(0, size - max(EVIDENCE, int(size * EVIDENCE_SHARE)))


def choose(
    files: Iterable[Steady], room: int, counter: Counter = QWEN, style: Format = XML
) -> tuple[list[Steady], list[Steady]]:
    """The files for the bulk, in its order, and those that would come next, best first.

    The best for their size are taken until the next one does not fit into `room` tokens; those that alone take half of
    it are passed over.
    """
    ranked = sorted(files, key=lambda file: (-_value(file), file.path))
    ranked.sort(key=lambda file: file.tokens > LARGE * room)  # stable: the large ones last
    left, taken = room, 0
    for file in ranked:
        cost = file.tokens + _frame(file, counter, style)
        if cost > left:
            break
        left -= cost
        taken += 1
    return sorted(ranked[:taken], key=lambda file: (file.changed, file.path)), ranked[taken:]


def expected(files: Iterable[Steady], counter: Counter = QWEN, style: Format = XML) -> int:
    """Tokens of the blocks of some files, by Qwen's counts."""
    return sum(file.tokens + _frame(file, counter, style) for file in files)


def fragments(documents: Sequence[Document], counter: Counter = QWEN, style: Format = XML) -> list[list[Fragment]]:
    """Whole files, each one fragment; blank ones are left out."""
    shown = []
    for document in documents:
        lines, counts = readable(document, counter)
        first = next((number for number, line in enumerate(lines) if clean_cut(line)), None)
        if first is not None:  # blank lines before it are no clean cut, and left out as everywhere
            written = None if style.line is None else "".join(map(style.line, lines[first:]))
            size = int(sum(counts[first:])) if written is None else counter.count(written)
            shown.append([Fragment(document.path, first + 1, len(lines), "full", size, 0.0, WHY, UNRANKED, False)])
    return shown


def _value(file: Steady) -> int:
    size = 2 ** int(math.log2(max(file.tokens, LEAST_TOKENS)))
    return math.floor(math.log(max(file.worth, 1e-9) / math.sqrt(size)) / math.log(STEP))


def _frame(file: Steady, counter: Counter, style: Format) -> int:
    return render.frame_tokens(file.path, counter, style) + 1 + len(str(file.lines))
