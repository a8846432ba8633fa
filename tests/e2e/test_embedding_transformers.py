"""Sentence-transformers models behind the seam: tiny ones made on the spot, nothing is downloaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from transformer import WORDS, random_transformer

from repoctx.errors import BackendError, UsageError
from repoctx.index.embed import embedder

# Those of torch and transformers.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WINDOW = 16  # tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer with random weights and a window of WINDOW tokens."""
    pytest.importorskip("sentence_transformers")
    return random_transformer(tmp_path_factory.mktemp("transformer"), WINDOW)


def test_texts_of_any_length_have_unit_vectors_in_their_order(folder, capfd):
    """What is longer than the model's window is cut there; nothing is printed."""
    model = embedder(str(folder))
    texts = [" ".join(WORDS[:n]) for n in (1, 40, 3, WINDOW, 7)]
    vectors = model.documents([*texts, *texts[::-1]] * 5)
    assert (vectors.dtype, vectors.shape, model.dimensions) == (np.float32, (50, 16), 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[1], vectors[3], atol=1e-6)
    assert np.allclose(vectors[:5], vectors[9:4:-1], atol=1e-6)
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)
    assert np.allclose(model.query(texts[2]), vectors[2], atol=1e-6)
    assert model.documents([]).shape == (0, 16)
    assert capfd.readouterr() == ("", "")


def test_torch_uses_the_threads_it_is_given(folder):
    """As many as indexing may use; by default one per CPU."""
    import torch

    before = torch.get_num_threads()
    try:
        embedder(str(folder), threads=1).query("word1")
        assert torch.get_num_threads() == 1
        embedder(str(folder)).query("word1")
        assert torch.get_num_threads() == os.cpu_count()
    finally:
        torch.set_num_threads(before)


def test_a_folder_is_known_by_its_files(folder, tmp_path):
    """Another weight is another model, wherever the folder is; the id is made without loading it."""
    import shutil

    copy = tmp_path / "elsewhere" / "model"
    shutil.copytree(folder, copy)
    assert embedder(str(copy)).model == embedder(str(folder)).model
    (copy / "README.md").write_text("other", encoding="utf-8")
    assert embedder(str(copy)).model != embedder(str(folder)).model


def test_broken_models_are_one_sentence(folder, tmp_path):
    """A folder without a model, and weights that give no numbers."""
    import shutil

    from safetensors.numpy import load_file, save_file

    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="cannot be loaded"):
        embedder(str(tmp_path / "empty")).query("x")
    shutil.copytree(folder, tmp_path / "nan")
    weights = load_file(tmp_path / "nan" / "model.safetensors")
    save_file({name: row * np.nan for name, row in weights.items()}, tmp_path / "nan" / "model.safetensors")
    with pytest.raises(BackendError, match="not finite"):
        embedder(str(tmp_path / "nan")).documents(["word1"])


def test_a_model_that_is_not_in_the_cache_is_told_at_once():
    """Without loading torch, and with what to do."""
    code = (
        "import sys; from repoctx.errors import UsageError; from repoctx.index.embed import embedder\n"
        "try: embedder('no/such-model').model\n"
        "except UsageError as error: print('torch' in sys.modules, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(
        "False embedding model 'no/such-model' cannot be loaded (it is not in the local cache)"
    )
    assert "HF_HUB_OFFLINE=0" in done.stdout


def test_a_hub_model_is_known_by_its_commit(folder, tmp_path):
    """The cache says which commit of it is there: another one gives other vectors."""
    import shutil

    cached = tmp_path / "hub" / "models--sentence-transformers--tiny"
    shutil.copytree(folder, cached / "snapshots" / ("a1b2" * 10))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("a1b2" * 10, encoding="utf-8")
    code = (
        "import sys; from repoctx.index.embed import embedder; model = embedder('tiny')\n"
        "print(model.model, 'torch' in sys.modules, model.dimensions)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub")},
    )  # fmt: skip
    assert done.stdout == f"tiny@{'a1b2' * 4} False 16\n"
