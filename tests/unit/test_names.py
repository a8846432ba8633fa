"""Names, word by word: whose name says what the query says?"""

from __future__ import annotations

import numpy as np
import pytest

from repoctx.retrieve import names
from repoctx.types import KINDS, Occurrences


def occurrences(symbols: list[tuple[str, str, str]]) -> Occurrences:
    """Symbols as (path, kind, name), by path."""
    paths = sorted({path for path, _, _ in symbols})
    pool = sorted({name for _, _, name in symbols})
    rows = len(symbols)
    columns = {name: np.zeros(0, np.int32) for name in Occurrences.__slots__}
    columns |= {
        "symbol_file": np.array([paths.index(path) for path, _, _ in symbols], np.int32),
        "symbol_kind": np.array([KINDS.index(kind) for _, kind, _ in symbols], np.uint8),
        "symbol_name": np.array([pool.index(name) for _, _, name in symbols], np.int32),
        "symbol_descriptor": np.array([pool.index(name) for _, _, name in symbols], np.int32),
        "symbol_start": np.arange(rows, dtype=np.int32),
    }
    return Occurrences(**{**columns, "paths": paths, "languages": [""] * len(paths), "names": pool})


@pytest.mark.parametrize(
    "path, stems",
    [
        ("src/UpdateTable.kt", {"updat", "tabl"}),
        ("app/streams.py", {"stream"}),
        ("app/checkout/__init__.py", {"checkout"}),
        ("web/index.html", {"web"}),
        (".github/release-plan.yml", {"releas", "plan"}),
        ("main.go", {"main"}),
    ],
)
def test_a_file_is_known_by_its_name_or_by_its_folder(path, stems):
    """Words in stems; `__init__` and `index` say nothing, unless there is no folder."""
    assert names.file_stems(path) == stems


def test_a_name_counts_by_what_it_shares_and_what_it_has_besides():
    """The whole name before a part of one, a rare word before a common one; unknown words do nothing."""
    found = names.build(
        occurrences(
            [
                ("a.py", "class", "UpdateStatement"),
                ("b.py", "class", "UpdateStatementBuilderFactory"),
                ("c.py", "class", "Statement"),
                ("d.py", "class", "SelectStatement"),
                ("e.py", "class", "Cursor"),
            ]
        )
    )
    weights = names.stem_weights(dict.fromkeys(["update", "statements", "nowhere"], 1.0))
    rows, scores = names.symbols(found, weights)
    assert rows.tolist() == [0, 1, 2, 3]
    assert np.argsort(-scores).tolist()[0] == 0
    assert scores[0] > scores[1] > scores[3]
    assert names.symbols(found, {"nowhere": 1.0})[0].tolist() == []


def test_files_are_found_by_their_names():
    """`how does streaming work` means streams.py, a little less stream_writer.py."""
    found = names.build(
        occurrences([(f"{name}.py", "function", "f") for name in ("stream_writer", "streams", "other")])
    )
    scores = names.files(found, names.stem_weights({"streaming": 1.0}))
    assert scores[2] > scores[1] > scores[0] == 0


def test_a_name_that_is_written_out_counts_by_its_rarity():
    """A qualified name twice, one of two half as much or less, one that is everywhere not at all."""
    rows = [("a.py", "function", "lonely"), ("a.py", "function", "twin"), ("b.py", "function", "twin")]
    rows += [(f"z{i:02}.py", "method", "get") for i in range(names.COMMON_NAME + 1)]
    o = occurrences(rows)
    assert names.written_out(o, {"lonely": 1.0, "get": 1.0}) == {0: 1.0}
    assert names.written_out(o, {"twin": 0.6}) == pytest.approx({1: 0.3, 2: 0.3})
