"""Columns files and segments: written whole, read back equal, merged without a trace of history."""

from __future__ import annotations

import random

import numpy as np
import pytest

from repoctx.derive import Document, columns
from repoctx.parse import parse
from repoctx.spans import ranges
from repoctx.store import segments
from repoctx.store.columns import SCHEMA, concatenate, pool, read, strings, write
from repoctx.store.payload import Key
from repoctx.store.snapshots import Member
from repoctx.store.view import lookup, missing, view
from repoctx.tokens import line_counts

SOURCES = {
    "a.py": b"import os\n\n\ndef first(path):\n    '''Say hello.'''\n    return os.path.join(path)\n",
    "b.py": b"from a import first\n\n\nclass Second:\n    def call(self):\n        return first('x')\n",
    "c.py": b"TOTAL = 3\n\n\ndef third():\n    return TOTAL\n",
    "d.md": b"# Title\n\nSome words about `first` and \xe4\xb8\xad\xe6\x96\x87.\n",
}


def document(path: str, text: bytes) -> Document:
    """A parsed blob whose id is its path."""
    language = "python" if path.endswith(".py") else "markdown"
    return Document(Key(path, language, "v1"), text, parse(language, text), line_counts(text.decode()))


DOCUMENTS = {path: document(path, text) for path, text in SOURCES.items()}


def test_a_columns_file_comes_back_as_it_was_written(tmp_path):
    """Every dtype and shape, the empty one too, survives the disk."""
    written = {
        "small": np.array([1, 2, 3], np.uint8),
        "wide": np.arange(12, dtype=np.int64).reshape(3, 4),
        "none": np.empty((0, 4), np.float32),
    }
    write(tmp_path / "x.columns", written)
    found = read(tmp_path / "x.columns")
    assert sorted(found) == sorted(written)
    for name, array in written.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
    assert [p.name for p in tmp_path.iterdir()] == ["x.columns"]


@pytest.mark.parametrize("content", [b"", b"RCTX", b"something else entirely, long enough to hold a header"])
def test_what_is_not_a_columns_file_is_told(tmp_path, content):
    """A damaged file is a ValueError, not a crash."""
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match="not a columns file"):
        read(tmp_path / "x")


def test_a_pool_gives_its_strings_back():
    """In order, the empty string included."""
    words = sorted([b"", b"a", b"ab", b"b", "ü".encode(), b"zz"])
    held = dict(zip(("p.bytes", "p.offset"), pool(words), strict=True))
    assert strings(held, "p") == words


def test_ranges_are_the_concatenation_of_aranges():
    """Empty ranges add nothing."""
    assert ranges(np.array([5, 9, 0]), np.array([2, 0, 3])).tolist() == [5, 6, 0, 1, 2]
    assert ranges(np.array([], int), np.array([], int)).tolist() == []


def test_concatenated_segments_equal_one_made_at_once():
    """However blobs are spread over segments, the concatenation is the same, byte for byte."""
    whole = columns(list(DOCUMENTS.values()))
    parts = concatenate(
        [
            columns([DOCUMENTS["a.py"]]),
            columns([DOCUMENTS["b.py"], DOCUMENTS["c.py"]]),
            columns([DOCUMENTS["d.md"]]),
        ]
    )
    assert sorted(whole) == sorted(parts)
    for name in whole:
        assert whole[name].dtype == parts[name].dtype, name
        assert np.array_equal(whole[name], parts[name]), name


def snapshot(*paths: str) -> list[Member]:
    """A snapshot of some documents."""
    return [Member(path, DOCUMENTS[path].key) for path in sorted(paths)]


def seen(members, parts):
    """All that a view says, as plain values."""
    found = view(members, parts)
    o = found.occurrences
    symbols = [
        (o.paths[f], o.names[d], int(s), int(p))
        for f, d, s, p in zip(o.symbol_file, o.symbol_descriptor, o.symbol_start, o.symbol_parent, strict=True)
    ]
    references = [
        (o.paths[f], o.names[n], o.names[q], int(line), int(s))
        for f, n, q, line, s in zip(
            o.reference_file,
            o.reference_name,
            o.reference_qualifier,
            o.reference_line,
            o.reference_scope,
            strict=True,
        )
    ]
    postings = {}
    for term in ("first", "second", "total", "title", "中文", "nothing"):
        rows, frequency = lookup(found).find(term)
        order = np.argsort(rows)
        postings[term] = (rows[order].tolist(), frequency[order].tolist())
    chunks = [
        found.chunks.file.tolist(),
        found.chunks.start_line.tolist(),
        found.chunks.symbol.tolist(),
        found.chunks.length.tolist(),
    ]
    return symbols, references, postings, chunks, found.languages, found.tokens.tolist()


def test_a_view_depends_on_the_snapshot_alone():
    """Any order and grouping of segments, with blobs of other snapshots among them, gives the same view."""
    members = snapshot("a.py", "b.py", "d.md")
    expected = seen(members, [columns([DOCUMENTS[m.path] for m in members])])
    whole = view(members, [columns(list(DOCUMENTS.values()))])
    rows = expected[2]["first"][0]
    assert {members[whole.chunks.file[row]].path for row in rows} == {"a.py", "b.py", "d.md"}
    rng = random.Random(0)
    for _ in range(20):
        documents = list(DOCUMENTS.values())
        rng.shuffle(documents)
        cut = rng.randrange(len(documents) + 1)
        parts = [columns(group) for group in (documents[:cut], documents[cut:]) if group]
        assert seen(members, parts) == expected


def test_a_blob_at_two_paths_is_two_rows():
    """Postings of a repeated blob name every place that shows it."""
    members = [Member("x.py", DOCUMENTS["c.py"].key), Member("y/z.py", DOCUMENTS["c.py"].key)]
    found = view(members, [columns([DOCUMENTS["c.py"]])])
    rows, _ = lookup(found).find("third")
    assert [members[found.chunks.file[row]].path for row in sorted(rows)] == ["x.py", "y/z.py"]


def test_an_empty_snapshot_has_an_empty_view():
    """No file, no rows, no error."""
    found = view([], [])
    assert len(found.chunks.file) == 0
    assert found.languages == []
    assert lookup(found).find("x")[0].tolist() == []


def test_appending_merges_what_is_of_similar_size(tmp_path):
    """Many small appends leave few files, and nothing is lost."""
    for path in SOURCES:
        segments.append(tmp_path, columns([DOCUMENTS[path]]))
    present = segments.load(tmp_path)
    assert len(present) <= 2
    assert missing(snapshot(*SOURCES), present) == []
    assert seen(snapshot(*SOURCES), present) == seen(snapshot(*SOURCES), [columns(list(DOCUMENTS.values()))])


def test_what_no_segment_covers_is_missing(tmp_path):
    """Missing keys are named, in order."""
    segments.append(tmp_path, columns([DOCUMENTS["b.py"]]))
    assert missing(snapshot("a.py", "b.py", "c.py"), segments.load(tmp_path)) == [
        DOCUMENTS["a.py"].key,
        DOCUMENTS["c.py"].key,
    ]


def test_a_damaged_segment_is_dropped_and_derived_again(tmp_path):
    """Segments are not truth: one that cannot be read counts as missing."""
    segments.append(tmp_path, columns([DOCUMENTS["a.py"]]))
    for path in tmp_path.glob("*.columns"):
        path.write_bytes(b"garbage")
    assert segments.load(tmp_path) == []


def test_every_schema_column_is_in_a_segment():
    """The schema and what is written agree."""
    made = columns([DOCUMENTS["a.py"]])
    wanted = {f"{table}.{column}" for table, layout in SCHEMA.items() for column in layout}
    assert wanted <= set(made)
