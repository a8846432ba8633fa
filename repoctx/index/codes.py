"""How is a vector kept? As int8 codes, by the same function of it alone whatever the model.

It is rotated first, always by the same rotation. That spreads what a few dimensions hold over all, so that one
step size fits every model, and a code's sign alone says much. Nothing is trained: codes do not depend on what
else is there.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np

from repoctx.errors import BackendError
from repoctx.types import Codes, Floats

# Steps of a code in a standard deviation of a rotated unit vector's components (1/sqrt(d)), which are all but
# normally distributed: 4 of them fit. Of 16 to 40 this loses least (tests/bench/README.md).
SCALE = 32
# Products stay below (SCALE + .5)² d by Cauchy and Schwarz: so far below 2^24, where float32 is exact.
MOST_DIMENSIONS = int((1 << 24) / (SCALE + 0.5) ** 2)
# Vectors rotated at a time: half a megabyte of 256 dimensions, which stays in the cache.
BLOCK = 512


def codes(vectors: Floats) -> Codes:
    """(n, d) int8 codes of unit vectors, each a function of its vector alone. Raises BackendError for too large d."""
    n, d = vectors.shape
    if d > MOST_DIMENSIONS:
        raise BackendError(
            f"The embedding model gives vectors of {d:,} dimensions: choose one of at most {MOST_DIMENSIONS:,}."
        )
    found: Codes = np.empty((n, d), np.int8)
    for start in range(0, n, BLOCK):
        steps = np.rint(_rotated(vectors[start : start + BLOCK]) * np.float32(SCALE * math.sqrt(d)))
        found[start : start + BLOCK] = np.clip(steps, -127, 127)
    return found


def _rotated(vectors: Floats) -> Floats:
    """(n, d) rows with random signs, then rotated by Hadamard matrices (Ailon and Chazelle 2009).

    Only additions in a fixed order, so that no library or processor changes a bit. A matrix has a power of two
    of rows: one covers the first dimensions, one the last, and together all.
    """
    n, d = vectors.shape
    size = 1 << (d.bit_length() - 1)
    turned = np.array(vectors.T, np.float32, order="C")
    for start in sorted({0, d - size}):
        block = turned[start : start + size] * _signs(size)
        step = 1
        while step < size:
            pairs = block.reshape(size // (2 * step), 2, step, n)
            added = np.empty_like(pairs)
            np.add(pairs[:, 0], pairs[:, 1], out=added[:, 0])
            np.subtract(pairs[:, 0], pairs[:, 1], out=added[:, 1])
            block = added.reshape(size, n)
            step *= 2
        turned[start : start + size] = block * np.float32(math.sqrt(1 / size))
    return turned.T


@lru_cache(maxsize=8)
def _signs(size: int) -> Floats:
    """(size, 1) fixed random signs."""
    bits = np.frombuffer(hashlib.shake_256(b"repoctx").digest(-(-size // 8)), np.uint8)
    signs: Floats = np.unpackbits(bits)[:size, None].astype(np.float32) * 2 - 1
    return signs
