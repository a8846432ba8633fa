"""In what order do the parts stand?

Instructions first, then what depends on the snapshot alone: the bulk, and the repository map, which a push changes more
often than what was changed long ago. Then the evidence, and its core last, next to the task, the best hit at its end:
models use what stands at the two ends best (arXiv 2307.03172, 2505.13353). Bulk and evidence go by the time of the last
change, latest last: after a push, and for another task, the prompt begins with the same bytes as far as may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from repoctx.pack.tile import Document, Fragment


def order(fragments: Sequence[Fragment], documents: Mapping[str, Document] | None = None) -> list[list[Fragment]]:
    """The fragments as files in prompt order, each file's fragments by line.

    A file is in the core if one of its fragments is. The core goes by its best rank, best last; the rest by
    `Document.changed` and path.
    """
    in_files = sorted(fragments, key=lambda f: (f.path, f.start_line))
    files = [list(group) for _, group in groupby(in_files, key=lambda f: f.path)]

    def position(file: list[Fragment]) -> tuple[bool, int, str]:
        path = file[0].path
        changed = documents[path].changed if documents and path in documents else 0
        return is_core(file), -min(f.rank for f in file) if is_core(file) else changed, path

    return sorted(files, key=position)


def is_core(file: Sequence[Fragment]) -> bool:
    """Whether a file stands in the core zone."""
    return any(fragment.core for fragment in file)
