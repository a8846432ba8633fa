"""How far off is an estimate of tokens? Bytes per token of Python's standard library, with several tokenizers.

    python tests/bench/estimate.py [file:tokenizer.json | tiktoken:NAME ...]

Qwen's is always among them. The figures in `repoctx/counters.py` were made with cl100k_base and o200k_base, and with
the tokenizer files of Claude 2 and DeepSeek V3, all from the wheel of litellm 1.109.1.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

from repoctx.counters import counter

LEAST_SIZE = 1000
ESTIMATES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)


def main(names: list[str]) -> None:
    """Print bytes per token of each tokenizer; the worst file of each estimate, and whether the margin covers it."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    files: list[tuple[str, str]] = []
    for path in sorted(stdlib.rglob("*.py")):
        if "site-packages" not in path.parts and path.stat().st_size >= LEAST_SIZE:
            try:
                files.append((path.name, path.read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue
    size = np.array([len(text.encode()) for _, text in files])
    digits = np.array([len(re.findall("[0-9]", text)) for _, text in files])
    print(f"{len(files):,} files, {size.sum():,} bytes, Python {sys.version.split()[0]}")
    counts = {name: np.array([counter(name).count(text) for _, text in files]) for name in ["qwen", *names]}
    for name, count in counts.items():
        print(
            f"{name}: {size.sum() / count.sum():.2f} bytes per token, "
            f"{(size - digits).sum() / (count - digits).sum():.2f} with digits apart; "
            f"the files' least {(size / count).min():.2f}, 1 % below {np.quantile(size / count, 0.01):.2f}"
        )
    for each in ESTIMATES:
        made = counter(f"estimate:{each:g}")
        estimated = np.array([made.count(text) for _, text in files])
        ratios = np.array([count / estimated for count in counts.values()])
        worst, at = np.unravel_index(ratios.argmax(), ratios.shape)
        held = "held" if ratios.max() <= 1 + made.margin else "NOT HELD"
        print(
            f"{made.name}: at most {ratios.max():.3f} times as many ({list(counts)[worst]}, {files[at][0]}), "
            f"1 % of files above {np.quantile(ratios.max(axis=0), 0.99):.2f}; margin {made.margin:.2f} {held}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
