"""Vectors as codes, laid out in segments, and searched as one snapshot sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repoctx.errors import BackendError
from repoctx.index import dense
from repoctx.index.codes import SCALE, codes
from repoctx.store import vectors
from repoctx.store.columns import covered

D = 64


def unit(rng: np.random.Generator, n: int, d: int = D) -> np.ndarray:
    """Random unit vectors, in clusters as those of texts are."""
    made = rng.standard_normal((max(1, n // 8), d))[rng.integers(0, max(1, n // 8), n)]
    made = made + 0.7 * rng.standard_normal((n, d))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def found(folder, blobs: dict[str, np.ndarray], paths: dict[str, tuple[str, np.ndarray]], query, k: int = 10, **sizes):
    """Search the snapshot that has `paths`: path -> (blob, vector of the path), from the segments of a folder."""
    chunks = vectors.load(folder, "m")
    part, row = vectors.lie(chunks, [blob.encode() for blob, _ in paths.values()])
    file = np.repeat(np.arange(len(paths)), [len(blobs[blob]) for blob, _ in paths.values()]).astype(np.int32)
    named = np.stack([vector for _, vector in paths.values()]) if paths else np.zeros((0, D), np.float32)
    opened = [(vectors.opened(segment), segment["sign"]) for segment in chunks]
    built = dense.build(opened, part, row, codes(named), file, **sizes)
    rows, scores = dense.search(built, query, k)
    return rows.tolist(), scores.tolist()


def wanted(blobs: dict[str, np.ndarray], paths: dict[str, tuple[str, np.ndarray]], query, k: int = 10):
    """The same by comparing everything with everything, in whole numbers."""
    asked = codes(query[None])[0].astype(np.int64)
    scores: list[float] = []
    for blob, vector in paths.values():
        bonus = dense.PATH_WEIGHT * float(codes(vector[None])[0].astype(np.int64) @ asked)
        scores += [float(score) + bonus for score in codes(blobs[blob]).astype(np.int64) @ asked]
    rows = sorted((row for row, score in enumerate(scores) if score > 0), key=lambda row: (-scores[row], row))[:k]
    return rows, [float(np.float32(scores[row] / (SCALE**2 * len(query)))) for row in rows]


def lay(folder, blobs: dict[str, np.ndarray], groups: Sequence[Sequence[str]]) -> None:
    """Append blobs to the segments of a folder, group by group."""
    for group in groups:
        rows = np.concatenate([codes(blobs[blob]) for blob in group])
        vectors.append(folder, "m", [blob.encode() for blob in group], [len(blobs[blob]) for blob in group], rows)


# --- codes -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 700), st.integers(0, 1500))
def test_a_code_depends_on_its_vector_alone(seed, d, n):
    """Whatever else is coded with it, in whatever layout; products are whole numbers and near the cosine."""
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((n, d)).astype(np.float32)
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
    coded = codes(made)
    assert (coded.shape, coded.dtype) == ((n, d), np.int8)
    for row in sorted({0, n // 2, n - 1} & set(range(n))):
        assert np.array_equal(codes(made[row : row + 1])[0], coded[row])
        assert np.array_equal(codes(np.asfortranarray(made[row:]))[0], coded[row])
    if n:
        products = dense.products(coded, coded[0].astype(np.float32))
        assert np.array_equal(products, coded.astype(np.int64) @ coded[0].astype(np.int64))


@pytest.mark.parametrize("d", [1, 2, 63, 64, 100, 256, 384, 768, 1000, 1536, 4096])
def test_products_of_codes_are_cosines(d):
    """Within the step of a code; also of vectors that are all in a few dimensions, or in one."""
    rng = np.random.default_rng(d)
    spread, narrow = rng.standard_normal((2, 300, d))
    narrow[:, d // 10 + 1 :] = 0
    made = np.concatenate([spread, narrow, np.eye(1, d)])
    made = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    coded = codes(made)
    for query in (0, 300, 600):
        error = dense.products(coded, coded[query].astype(np.float32)) / (SCALE**2 * d) - made @ made[query]
        assert np.abs(error).max() <= (0.02 if d >= 63 else 0.1)


def test_the_zero_vector_has_the_zero_code():
    """A text without words resembles nothing."""
    assert not codes(np.zeros((2, D), np.float32)).any()
    assert codes(np.zeros((0, D), np.float32)).shape == (0, D)


def test_codes_are_the_same_on_every_machine_and_day():
    """They are kept in databases: what changes them must change the names of models, or `vectors.LAYOUT`."""
    steps = np.arange(12, dtype=np.float32)
    made = (steps - 5) / np.linalg.norm(steps - 5)
    assert codes(made[None])[0].tolist() == [-6, 19, 19, 45, -77, 16, 31, -18, 40, 3, 5, -18]


# --- searching ---------------------------------------------------------------------------------


@st.composite
def cases(draw):
    """Blobs with repeated vectors, a snapshot that has some of them, some twice, orders of appending, a query and k."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pool = unit(rng, 40)
    names = [f"blob{i}" for i in range(draw(st.integers(1, 12)))]
    blobs = {name: pool[rng.integers(0, len(pool), rng.integers(0, 30))] for name in names}
    held = draw(st.lists(st.sampled_from(names), max_size=14))
    paths = {f"path{i}": (blob, unit(rng, 1)[0]) for i, blob in enumerate(held)}
    histories = []
    for _ in range(2):
        order = draw(st.permutations(names))
        cuts = [0, *sorted(draw(st.sets(st.integers(1, len(names)))) | {len(names)})]
        histories.append([order[a:b] for a, b in pairwise(cuts)])
    query = pool[0] if draw(st.booleans()) else unit(rng, 1)[0]
    return blobs, paths, histories, query, draw(st.sampled_from([1, 9, 999]))


@settings(deadline=None, max_examples=80)
@given(cases())
def test_what_is_found_depends_on_the_snapshot_alone(tmp_path_factory, case):
    """However segments were appended and merged, whatever other snapshots have: the rows and scores of comparing
    everything with everything, ties by row. By signs the same if all fit the short list, else the same each time."""
    blobs, paths, histories, query, k = case
    every = wanted(blobs, paths, query, k)
    by_signs = []
    for history in histories:
        folder = tmp_path_factory.mktemp("segments")
        lay(folder, blobs, history)
        assert found(folder, blobs, paths, query, k) == every
        assert found(folder, blobs, paths, query, k, exact=0, shortlist=1000) == every
        by_signs.append(found(folder, blobs, paths, query, k, exact=0, shortlist=7))
    assert by_signs[0] == by_signs[1]


def test_an_empty_snapshot_and_one_without_chunks_have_no_hits(tmp_path):
    """No files, or files without chunks."""
    blobs = {"empty": np.zeros((0, D), np.float32), "other": unit(np.random.default_rng(1), 5)}
    lay(tmp_path, blobs, [["empty", "other"]])
    query = blobs["other"][0]
    assert found(tmp_path, blobs, {}, query) == ([], [])
    assert found(tmp_path, blobs, {"a": ("empty", query)}, query) == ([], [])


def test_a_query_that_nothing_resembles_has_no_hits(tmp_path):
    """The zero vector, and one that points away from all."""
    blobs = {"blob": np.eye(3, D, dtype=np.float32)}
    lay(tmp_path, blobs, [["blob"]])
    paths = {"a": ("blob", np.zeros(D, np.float32))}
    assert found(tmp_path, blobs, paths, np.zeros(D, np.float32)) == ([], [])
    assert found(tmp_path, blobs, paths, -blobs["blob"].sum(axis=0) / np.sqrt(np.float32(3))) == ([], [])


def test_a_path_brings_in_chunks_that_alone_would_not_be_among_the_nearest(tmp_path):
    """A hundred chunks are nearer than the one whose path is what was asked for: the sum decides."""
    rng = np.random.default_rng(3)
    query = unit(rng, 1)[0]
    away = unit(rng, 101)
    away -= (away @ query)[:, None] * query
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    share = np.linspace(0.2, 0.3, 100, dtype=np.float32)[:, None]
    blobs = {"near": share * query + np.sqrt(1 - share**2) * away[:100], "far": away[100:] * 0.99 + 0.14 * query}
    lay(tmp_path, blobs, [["near"], ["far"]])
    paths = {"a": ("near", away[0]), "b": ("far", query)}
    assert found(tmp_path, blobs, paths, query, 3) == wanted(blobs, paths, query, 3)
    assert found(tmp_path, blobs, paths, query, 3)[0][0] == 100


def test_a_model_that_changes_its_dimensions_is_told(tmp_path):
    """By a query of another length, by paths of another length, and by segments of two: one sentence."""
    blobs = {"blob": unit(np.random.default_rng(4), 3)}
    lay(tmp_path, blobs, [["blob"]])
    paths = {"a": ("blob", blobs["blob"][0])}
    with pytest.raises(BackendError, match=r"64 and 32 dimensions .* embedding\.model"):
        found(tmp_path, blobs, paths, np.ones(32, np.float32))
    with pytest.raises(BackendError, match="32 and 64 dimensions"):
        found(tmp_path, blobs, {"a": ("blob", np.ones(32, np.float32))}, np.ones(32, np.float32))
    vectors.append(tmp_path, "m", [b"longer"], [2], np.ones((2, 128), np.int8))
    assert sorted(vectors.opened(segment).d for segment in vectors.load(tmp_path, "m")) == [64, 128]
    with pytest.raises(BackendError, match="64 and 128 dimensions"):
        found(tmp_path, blobs, paths, np.ones(64, np.float32))


# --- segments ----------------------------------------------------------------------------------


def test_segments_merge_and_what_is_held_again_is_dropped(tmp_path):
    """Small ones become one; one whose keys all come again goes; one that shares some of its keys stays."""
    rng = np.random.default_rng(5)
    blobs = {name: unit(rng, 4) for name in "abcdef"}
    lay(tmp_path, blobs, [["a"], ["b"], ["c", "d"]])
    (segment,) = vectors.load(tmp_path, "m")
    assert covered([segment]) == {b"a", b"b", b"c", b"d"}
    lay(tmp_path, blobs, [["d", "e"]])
    assert [covered([s]) for s in vectors.load(tmp_path, "m")].count({b"d", b"e"}) == 1
    lay(tmp_path, blobs, [list("abcdef")])
    (segment,) = vectors.load(tmp_path, "m")
    assert covered([segment]) == {name.encode() for name in "abcdef"}
    rows = codes(np.concatenate([blobs[name] for name in "abcdef"]))
    assert np.array_equal(vectors.opened(segment).reconstruct_n(0, 24), rows)
    assert vectors.load(tmp_path, "another model") == []


def test_vectors_of_paths_are_kept_apart_and_come_back_in_order(tmp_path):
    """They are gathered by path from any segments; no vector of a chunk is among them."""
    rows = codes(unit(np.random.default_rng(6), 5))
    kept = vectors.paths("m")
    vectors.append(tmp_path, kept, [b"a", b"b", b"c"], [1, 1, 1], rows[:3])
    vectors.append(tmp_path, kept, [b"d", b"a"], [1, 1], rows[[3, 0]])
    assert np.array_equal(vectors.gather(vectors.load(tmp_path, kept), [b"d", b"a", b"c"]), rows[[3, 0, 2]])
    assert vectors.load(tmp_path, "m") == []


@pytest.mark.parametrize("damage", ["cut short", "not FAISS", "another count", "not a columns file"])
def test_a_damaged_segment_is_left_out(tmp_path, damage):
    """Its blobs count as lacking, so that they are laid out again; a sound one beside it is found."""
    blobs = {name: unit(np.random.default_rng(7), 40) for name in "ab"}
    lay(tmp_path, blobs, [["a"]])
    (path,) = tmp_path.glob("*.columns")
    content = bytearray(path.read_bytes())
    at = content.index(b"IxSQ")
    if damage == "cut short":
        del content[-1000:]
    elif damage == "not FAISS":
        content[at] = 0
    elif damage == "another count":
        content[at + 8] = 39  # the header's number of vectors, after its name and their length
    else:
        content[0] = 0
    path.write_bytes(content)
    assert vectors.load(tmp_path, "m") == []
    lay(tmp_path, blobs, [["b"]])
    assert covered(vectors.load(tmp_path, "m")) == {b"b"}
    lay(tmp_path, blobs, [["a"]])
    assert covered(vectors.load(tmp_path, "m")) == {b"a", b"b"}


def test_vectors_are_searched_where_they_are_mapped(tmp_path):
    """FAISS holds no copy of a segment: its codes are those of the file, which may be removed meanwhile."""
    blobs = {"a": unit(np.random.default_rng(8), 40)}
    lay(tmp_path, blobs, [["a"]])
    (segment,) = vectors.load(tmp_path, "m")
    index = vectors.opened(segment)
    column = segment["vector"]
    assert not index.codes.is_owned
    assert int(index.codes.data()) == column.ctypes.data + len(column) - 40 * D
    del segment, column
    next(tmp_path.glob("*.columns")).unlink()
    assert np.array_equal(index.reconstruct_n(0, 40), codes(blobs["a"]))


# --- other processors, and beside torch --------------------------------------------------------

SEARCH = """
import faiss
import numpy as np
from repoctx.index import dense
from repoctx.index.codes import codes

rng = np.random.default_rng(0)
made = rng.standard_normal((4000, 256)).astype(np.float32)
made /= np.linalg.norm(made, axis=1, keepdims=True)
coded = codes(made)
index = faiss.IndexScalarQuantizer(256, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT)
index.add(coded.astype(np.float32))
signs = np.packbits(coded > 0, axis=1)
row = np.arange(4000)
file = np.zeros(4000, np.int32)
"""

SAY = """
import hashlib

digest = hashlib.sha256()
for exact in (0, 1 << 30):
    built = dense.build([(index, signs)], file, row, coded[:1], file, exact, 500)
    for query in made[:50]:
        for column in dense.search(built, query, 50):
            digest.update(column.tobytes())
print(digest.hexdigest())
"""


def test_no_processor_changes_a_bit():
    """Rows and scores are the same with the instructions of this machine, of an older one, and without any."""
    said = []
    for level in ("", "AVX2", "NONE"):  # FAISS takes the best there is if it does not know the variable
        environment = {**os.environ, "FAISS_SIMD_LEVEL": level} if level else None
        program = [sys.executable, "-c", SEARCH + SAY]
        said.append(subprocess.run(program, capture_output=True, text=True, env=environment, check=True).stdout)
    assert said[0] == said[1] == said[2]


IMPORT = """
import sys

for name in sys.argv[1:]:
    __import__(name)
"""

BY_TURNS = """
import threading

import torch

wrong = []


def work(number):
    for exact in (0, 1 << 30):
        built = dense.build([(index, signs)], file, row, np.zeros((1, 256), np.int8), file, exact, 4000)
        for query in range(number, number + 20):
            rows, _ = dense.search(built, made[query], 50)
            scores = coded.astype(np.int64) @ coded[query].astype(np.int64)
            wrong.extend(set(rows.tolist()) ^ set(np.lexsort((row, -scores))[:50].tolist()))
            left, right = torch.arange(90000.0).reshape(300, 300) % 7, torch.ones(300, 300)
            wrong.extend(((left @ right)[:, 0] != left.sum(1)).nonzero().tolist())
    if faiss.omp_get_max_threads() != dense.THREADS:
        wrong.append("threads")


threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
work(3)
for thread in threads:
    thread.join()
print("wrong:", wrong)
"""


@pytest.mark.slow
@pytest.mark.parametrize("order", [("faiss", "torch"), ("torch", "faiss")])
def test_faiss_and_torch_work_in_one_process(order):
    """Each brings an OpenMP of its own: imported in either order, used by turns and from several threads, both
    are right, and FAISS keeps to its one thread."""
    pytest.importorskip("torch")
    program = [sys.executable, "-c", IMPORT + SEARCH + BY_TURNS, *order]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "wrong: []\n"), done.stderr
