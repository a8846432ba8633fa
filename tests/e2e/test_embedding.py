"""Embedding models behind one seam: the hashing one, and a real sentence-transformers folder."""

from __future__ import annotations

import numpy as np
import pytest
from answers import opened
from repositories import write_files

from repoctx.errors import UsageError
from repoctx.index.embed import Hashing, embedder

FILES = {
    "a.py": "def retry_with_backoff(call):\n    '''Call again after a failure.'''\n    return call()\n",
    "b.py": "def parse_date(text):\n    return text.split('-')\n",
}


def test_hashing_vectors_are_unit_length_and_depend_on_the_words_alone():
    """The same text has the same vector; other words another; no words the zero vector."""
    vectors = Hashing().documents(["retry the call", "retry the call", "parse a date", ""])
    assert vectors.shape == (4, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0])
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_dense_hits_have_their_share_and_survive_a_push(tmp_path):
    """With an embedding model hits have a dense reason; after a change only new chunks are embedded."""
    folder = tmp_path / "repo"
    folder.mkdir()
    write_files(folder, FILES)
    steps = []
    with opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL="hashing") as workspace:
        workspace.index(str(folder), show=steps.append)
        (hit, *_) = workspace.search("retry the call after a failure", "repo").hits
        assert (hit.path, "dense" in {reason.ranker for reason in hit.reasons}) == ("a.py", True)
        write_files(folder, {"c.py": "def third():\n    return 3\n"})
        workspace.index(str(folder), show=steps.append)
        assert {hit.path for hit in workspace.search("third", "repo").hits} >= {"c.py"}
    assert [(step.done, step.total) for step in steps if step.stage == "embed"] == [(0, 2), (2, 2), (0, 1), (1, 1)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of torch and transformers
def test_a_sentence_transformers_folder_is_an_embedding_model(tmp_path):
    """A model made on the spot embeds chunks and queries offline, and finds what it should."""
    transformers = pytest.importorskip("sentence_transformers")
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Punctuation, Sequence, Whitespace

    words = ["[UNK]", "retry", "call", "parse", "date", "def", "return", "failure", "text"]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Sequence([Whitespace(), Punctuation()])
    weights = np.eye(len(words), 16, dtype=np.float32)
    model = transformers.SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu"
    )
    model.save(str(tmp_path / "model"))
    folder = tmp_path / "repo"
    folder.mkdir()
    write_files(folder, FILES)
    with opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL=str(tmp_path / "model")) as workspace:
        workspace.index(str(folder))
        assert workspace.embedder.dimensions == 16
        hits = workspace.search("parse date", "repo").hits
        assert hits[0].path == "b.py"
        assert "dense" in {reason.ranker for reason in hits[0].reasons}


def test_a_model_that_is_not_there_is_one_sentence():
    """Nothing is downloaded; the sentence says what to do."""
    missing = embedder("no/such-model-anywhere")
    with pytest.raises(UsageError, match="embedding"):
        missing.query("x")
