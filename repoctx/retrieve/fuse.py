"""How do several rankers become one order, and why is a hit where it is?

A chunk's score is the weighted sum of what the rankers say (each scaled to 0..1), times a factor
for what kind of file it is in. Every contribution stays visible as a reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from repoctx.types import Floats, Ints

# What a ranker may contribute. Lexical evidence carries most queries; a whole file that matches
# raises its chunks (about +.08 to +.10 NDCG on code search); a name or a path that is written out in
# the query is worth as much as all its words together. Likeness comes on top, by chunk and by file
# (+.05 on code search; with 1.0 each, questions gain .006 more and look-ups of symbols lose .02).
WEIGHTS: Mapping[str, float] = {
    "lexical": 1.0, "file": 1.0, "symbol": 0.8, "path": 0.8, "dense": 0.6, "dense file": 0.6,
}  # fmt: skip

# Path pattern -> factor, when the query does not ask for tests: such files repeat the words of what
# they exercise or show (+.02 NDCG on code search). They are weighed down, never left out: a bug report
# may be about them.
KIND_FACTORS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"(^|/)(tests?|specs?|__tests__|testing|test_?data|fixtures?|mocks?)/", re.IGNORECASE), 0.5),
    (re.compile(r"(^|/)(test_[^/]*|[^/]*(_test|\.test|\.spec|_spec|Tests?))\.\w+$"), 0.5),
    (re.compile(r"(^|/)(examples?|samples?|demos?|benchmarks?|third_party|vendor)/", re.IGNORECASE), 0.7),
    (re.compile(r"(^|/)((docs?|changelogs?|locale|translations)/|(CHANGELOG|CHANGES|HISTORY)[^/]*$)"), 0.8),
)

# Scores are rounded so that the last bits, which differ between CPUs, decide nothing.
DECIMALS = 6


def file_factors(paths: Sequence[str], about_tests: bool) -> Floats:
    """(F,) what the kind of each file multiplies its chunks' scores by."""
    factors: Floats = np.ones(len(paths), np.float32)
    for number, path in enumerate(paths):
        for pattern, factor in KIND_FACTORS[2 if about_tests else 0 :]:
            if pattern.search(path):
                factors[number] = factor
                break
    return factors


def scaled(scores: Floats) -> Floats:
    """Scores divided by the best one; all zero if none is positive."""
    best = float(scores.max(initial=0.0))
    return scores / np.float32(best) if best > 0 else np.zeros_like(scores)


def spread(likeness: Floats, most: int) -> Floats:
    """Likenesses, best first, as 0..1: `most` of them reach down to the least one, fewer to no likeness at all.

    Cosines of all good chunks lie close together, so what counts is how far above the rest one is.
    """
    least = float(likeness[-1]) if len(likeness) >= most else 0.0
    width = float(likeness[0]) - least
    return ((likeness - least) / width if width > 0 else np.ones_like(likeness)).astype(np.float32)


def file_scores(scores: Floats, chunk_file: Ints, files: int) -> Floats:
    """(F,) evidence of whole files: the 4-norm of their chunks' scores.

    The best chunk counts most; four equally good ones count 1.4 times as much, a hundred 3 times. A sum
    would favour large files, a maximum would not see that a file is about the subject.
    """
    powers = np.bincount(chunk_file, scores.astype(np.float64) ** 4, files)
    evidence: Floats = (powers**0.25).astype(np.float32)
    return evidence


def fuse(rankers: Mapping[str, Floats], factors: Floats) -> Floats:
    """(D,) fused scores. `rankers` maps a name of WEIGHTS to (D,) scores in 0..1; the order is immaterial."""
    total: Floats = np.zeros(len(factors), np.float64)
    for name in sorted(rankers):
        total += WEIGHTS[name] * rankers[name].astype(np.float64)
    return np.round(total * factors, DECIMALS)


def shares(rankers: Mapping[str, Floats], row: int) -> list[tuple[str, float]]:
    """What each ranker contributed to one chunk, largest first; the shares sum to 1."""
    parts = {name: WEIGHTS[name] * float(scores[row]) for name, scores in rankers.items()}
    total = sum(parts[name] for name in sorted(parts))
    present = [(name, round(value / total, 4)) for name, value in parts.items() if value > 0] if total else []
    return sorted(present, key=lambda item: (-item[1], item[0]))
