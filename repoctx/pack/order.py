"""In what order do the parts stand?

Instructions and repository map first, then the bulk by path, so that what depends on the snapshot alone
makes the longest common prefix of two prompts; then the core evidence, best last, next to the task:
models use what stands at the two ends best (arXiv 2307.03172, 2505.13353).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from repoctx.pack.tile import Fragment


def order(fragments: Sequence[Fragment]) -> list[list[Fragment]]:
    """The fragments as files in prompt order, each file's fragments by line.

    A file is in the core if one of its fragments is. Bulk goes by path, core by its best rank, best last.
    """
    in_files = sorted(fragments, key=lambda f: (f.path, f.start_line))
    files = [list(group) for _, group in groupby(in_files, key=lambda f: f.path)]
    return sorted(files, key=_position)


def is_core(file: Sequence[Fragment]) -> bool:
    """Whether a file stands in the core zone."""
    return any(fragment.core for fragment in file)


def _position(file: list[Fragment]) -> tuple[bool, int, str]:
    best = -min(fragment.rank for fragment in file) if is_core(file) else 0
    return is_core(file), best, file[0].path
