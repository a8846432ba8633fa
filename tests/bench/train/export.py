"""How does a trained table become the model's folder? Rows are rounded to int8, each with its own scale."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repoctx.index.static import ROWS, SCALES, SETTINGS, WORDS


def export(
    folder: Path, words: Sequence[str], table: NDArray[np.float32], rare: float, field_weights: Sequence[float]
) -> None:
    """Write (V, d) rows for V words; the words are sorted by their bytes first."""
    order = sorted(range(len(words)), key=lambda i: words[i].encode())
    rows = table[order]
    scales = np.maximum(np.abs(rows).max(axis=1), 1e-9) / 127
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / ROWS, np.rint(rows / scales[:, None]).astype(np.int8))
    np.save(folder / SCALES, scales.astype(np.float32))
    (folder / WORDS).write_bytes(b"\n".join(words[i].encode() for i in order))
    settings = {
        "dimensions": int(table.shape[1]),
        "rare": round(rare, 4),
        "field_weights": [int(w) for w in field_weights],
    }
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    module = {"idx": 0, "name": "0", "path": "", "type": "repoctx.index.static_module.StaticModule"}
    (folder / "modules.json").write_text(json.dumps([module], indent=2) + "\n", encoding="utf-8")
