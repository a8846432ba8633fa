"""The built-in embedding model: texts and postings give the same vectors, bit for bit, wherever they are made."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx.derive import Document, columns
from repoctx.errors import UsageError
from repoctx.index.codes import codes
from repoctx.index.static import ROWS, SCALES, SETTINGS, WORDS, Static, signs
from repoctx.parse import parse
from repoctx.store.payload import Key
from repoctx.tokens import line_counts

# Most a model may take in the wheel.
LARGEST = 16_000_000


def tiny(folder: Path) -> Static:
    """A table of three words in eight dimensions."""
    np.save(folder / ROWS, np.arange(24, dtype=np.int8).reshape(3, 8))
    np.save(folder / SCALES, np.array([1.0, 0.5, 2.0], np.float32))
    (folder / WORDS).write_bytes(b"call\nparse\nretry")
    (folder / SETTINGS).write_text(json.dumps({"rare": 2.0, "field_weights": [3, 1, 1, 1]}), encoding="utf-8")
    return Static.load(folder)


def segment(*texts: str):
    """The facts segment of Python files."""
    documents = []
    for number, text in enumerate(texts):
        raw = text.encode()
        key = Key(f"{number:040x}", "python", "v")
        documents.append(Document(key, raw, parse("python", raw), line_counts(text)))
    return columns(documents)


def test_a_vector_is_the_weighted_sum_of_its_terms_rows(tmp_path):
    """log(1 + tf) times scale times row, summed, of length 1; other words have the signs of their hash."""
    model = tiny(tmp_path)
    rows = np.arange(24, dtype=np.float32).reshape(3, 8)
    expected = np.log1p(2) * rows[0] + np.log1p(1) * 2 * rows[2]
    assert np.allclose(model.query("retry call call"), expected / np.linalg.norm(expected), atol=1e-6)
    assert np.allclose(model.query("zzz"), signs([b"zzz"], 8)[0] / 8**0.5, atol=1e-6)
    assert not model.query("").any()


def test_chunks_have_the_vectors_that_their_fields_say(tmp_path):
    """A name counts in the name's field, the signature and the body; the weights of the fields are summed."""
    model = tiny(tmp_path)
    (vector,) = model.of_segment(segment("def parse(retry):\n    return call(retry)\n"), np.array([0]))
    counts = {b"parse": 3 + 1 + 1, b"retry": 1 + 2, b"call": 1, b"def": 1 + 1, b"return": 1}
    total = np.zeros(8)
    for term, count in counts.items():
        at = [b"call", b"parse", b"retry"].index(term) if term in (b"call", b"parse", b"retry") else -1
        row = np.arange(24).reshape(3, 8)[at] * [1.0, 0.5, 2.0][at] if at >= 0 else signs([term], 8)[0] * 2 / 8**0.5
        total += np.log1p(count) * row
    assert np.allclose(vector, total / np.linalg.norm(total), atol=1e-6)


def test_what_else_is_in_a_segment_changes_no_bit():
    """A chunk's vector is the same alone, among others, picked out, and with several threads."""
    texts = [f"def name_{i}(value):\n    '''Parse header {i}.'''\n    return value + {i}\n" for i in range(40)]
    model, together = Static.load(), segment(*texts)
    every = model.of_segment(together, np.arange(40))
    assert np.array_equal(model.of_segment(together, np.array([3, 17])), every[[3, 17]])
    assert np.array_equal(model.of_segment(segment(texts[17]), np.array([0]))[0], every[17])
    assert np.array_equal(Static.load(threads=3).of_segment(together, np.arange(40)), every)
    assert model.of_segment(together, np.empty(0, np.int64)).shape == (0, model.dimensions)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_texts_do_not_depend_on_their_company(texts):
    """Whatever the text: finite, of length 1 or zero, and the same alone as in a batch."""
    vectors = MODEL.documents(texts)
    length = np.linalg.norm(vectors, axis=1)
    assert np.all(np.isclose(length, 1, atol=1e-5) | (length == 0))
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(MODEL.query(text), vector)


MODEL = Static.load()


def test_the_shipped_model_gives_these_very_codes():
    """Bits do not differ between processors, library versions or hash seeds; a new model changes this line."""
    texts = ["parse an HTTP header", "def read(path):\n    return open(path).read()", "Größe 日本語 x1", "a bc " * 900]
    digest = hashlib.sha256(codes(MODEL.documents(texts)).tobytes()).hexdigest()[:16]
    assert (MODEL.model, digest) == GOLDEN


GOLDEN = ("static-0442ecd0d143843d", "46ddb22bcf80e47e")


def test_the_shipped_model_knows_related_words():
    """Nearest of several functions to a question in other words."""
    functions = [
        "def retry_with_backoff(call, attempts):\n    for n in range(attempts):\n        sleep(2 ** n)",
        "def parse_date(text):\n    return datetime.strptime(text, FORMAT)",
        "class LruCache:\n    def evict(self): self.entries.popitem(last=False)",
        "def hash_password(password, salt):\n    return pbkdf2(password, salt)",
    ]
    vectors = MODEL.documents(functions)
    questions = [
        "try again after a failure, waiting longer each time", "convert a string to a timestamp",
        "remove the oldest item when memory is full", "store user credentials securely",
    ]  # fmt: skip
    assert [int(np.argmax(vectors @ MODEL.query(question))) for question in questions] == [0, 1, 2, 3]


def test_the_shipped_model_is_small_and_has_a_card():
    """At most 16 MB in the wheel, and a card that says what it was trained on."""
    folder = Path(str(files("repoctx"))) / "resources" / "static"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    sources = json.loads((Path(__file__).parents[1] / "bench/train/sources.json").read_text(encoding="utf-8"))
    assert [source["name"] for source in sources if source["name"] not in card] == []
    assert "## Figures" in card


def test_no_reserved_repository_was_trained_on():
    """By owner and name, and by name alone: a fork is the same text."""
    train = Path(__file__).parents[1] / "bench/train"
    sources = [s["name"].lower() for s in json.loads((train / "sources.json").read_text(encoding="utf-8"))]
    reserved = (train / "reserved.txt").read_text(encoding="utf-8").lower().split()
    assert len(sources) == 172
    assert len(reserved) > 90
    assert {name.partition("/")[2] for name in sources} & {name.partition("/")[2] for name in reserved} == set()


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda folder: (folder / ROWS).unlink(), "No such file"),
        (lambda folder: (folder / WORDS).write_bytes(b"call"), "does not fit its vocabulary"),
        (lambda folder: (folder / SETTINGS).write_text("{}"), "rare"),
        (lambda folder: (folder / ROWS).write_bytes(b"\0" * 200), "holds no static embedding model"),
        (lambda folder: np.save(folder / SCALES, np.ones((3, 1), np.float32)), "does not fit its vocabulary"),
        (lambda folder: (folder / SETTINGS).write_text('{"rare": 1, "field_weights": [1]}'), "does not fit"),
        (
            lambda folder: (folder / SETTINGS).write_text('{"rare": "nan", "field_weights": [1, 1, 1, 1]}'),
            "does not fit",
        ),
    ],
)
def test_a_damaged_folder_is_one_sentence(tmp_path, damage, said):
    """What is missing or does not fit is named."""
    tiny(tmp_path)
    damage(tmp_path)
    with pytest.raises(UsageError, match=said):
        Static.load(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of torch and transformers
def test_sentence_transformers_loads_the_same_folder_and_gives_the_same_vectors(tmp_path):
    """To the bit, also after it was saved and loaded again."""
    transformers = pytest.importorskip("sentence_transformers")
    texts = ["parse an HTTP header", "", "def f(x):\n    return x", "Größe 日本語"] + ["retry"] * 40
    folder = str(MODEL.folder)
    model = transformers.SentenceTransformer(folder, device="cpu", trust_remote_code=True)
    assert np.array_equal(model.encode(texts), MODEL.documents(texts))
    assert np.array_equal(model.encode_query(texts[0]), MODEL.query(texts[0]))
    model.save(str(tmp_path))
    again = transformers.SentenceTransformer(str(tmp_path), device="cpu", trust_remote_code=True)
    assert np.array_equal(again.encode(texts), MODEL.documents(texts))
