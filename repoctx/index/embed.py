"""What vector stands for a chunk? The seam between repoctx and embedding models.

An embedder turns texts into unit vectors. `none` (the default) has no vectors; `hashing` needs no
model and is deterministic, made for tests; anything else is a sentence-transformers model: a folder,
or a name that sentence-transformers finds, through the `transformers` extra.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from repoctx.errors import UsageError
from repoctx.index.lexical import terms
from repoctx.types import Floats

# Characters of a chunk that a model gets to see: 256 word pieces, the window of small models, are
# about 1,000 characters of code; four times that leaves room for larger ones and bounds the cost.
LONGEST = 4000


class Embedder(Protocol):
    """An embedding model."""

    @property
    def model(self) -> str:
        """Names the vectors: the same id, the same vectors."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    def documents(self, texts: Sequence[str]) -> Floats:
        """(n, dimensions) unit vectors of chunk texts."""

    def query(self, text: str) -> Floats:
        """(dimensions,) unit vector of a query."""


def embedder(model: str) -> Embedder | None:
    """The embedder of a setting; None for "none". Raises UsageError if it cannot be loaded."""
    if model == "none":
        return None
    if model == "hashing":
        return Hashing()
    return SentenceTransformers(model)


def chunk_id(language: str, text: str) -> str:
    """What a chunk's vector is keyed by: a hash of its language and text, 40 hex digits."""
    return hashlib.sha256(f"{language}\0{text}".encode()).hexdigest()[:40]


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled


class Hashing:
    """Signed feature hashing of terms (Weinberger et al. 2009): a bag of words in 256 dimensions."""

    model = "hashing-256"
    dimensions = 256

    def documents(self, texts: Sequence[str]) -> Floats:
        """See Embedder."""
        return np.stack([self.query(text) for text in texts]) if texts else np.zeros((0, 256), np.float32)

    def query(self, text: str) -> Floats:
        """See Embedder."""
        vector: Floats = np.zeros(self.dimensions, np.float32)
        for term in terms(text[:LONGEST]):
            digest = hashlib.blake2b(term.encode(), digest_size=2).digest()
            vector[digest[0]] += 1.0 if digest[1] & 1 else -1.0
        return unit(vector)


class SentenceTransformers:
    """A sentence-transformers model; torch is loaded when the first text is embedded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._loaded: Any = None

    @cached_property
    def model(self) -> str:
        """Folders are told apart by their weights, hub models by their name."""
        folder = Path(self.name)
        if not folder.is_dir():
            return self.name
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"{folder.name[:100]}-{digest.hexdigest()[:16]}"

    @property
    def dimensions(self) -> int:
        """See Embedder."""
        return int(self._model().get_embedding_dimension())

    def documents(self, texts: Sequence[str]) -> Floats:
        """See Embedder."""
        encode = self._model().encode_document
        return unit(encode([text[:LONGEST] for text in texts], convert_to_numpy=True, show_progress_bar=False))

    def query(self, text: str) -> Floats:
        """See Embedder."""
        return unit(self._model().encode_query(text[:LONGEST], convert_to_numpy=True, show_progress_bar=False))

    def _model(self) -> Any:
        if self._loaded is None:
            # Nothing is downloaded unless the user says so with HF_HUB_OFFLINE=0.
            offline = os.environ.setdefault("HF_HUB_OFFLINE", "1") != "0"
            try:
                from sentence_transformers import SentenceTransformer
            except ImportError as error:
                raise UsageError(
                    f"embedding model {self.name!r} needs sentence-transformers: install repoctx[transformers], or "
                    "set embedding.model to none"
                ) from error
            try:
                self._loaded = SentenceTransformer(self.name, device="cpu", local_files_only=offline)
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"embedding model {self.name!r} cannot be loaded: give a sentence-transformers folder, or set "
                    f"HF_HUB_OFFLINE=0 to let it be downloaded ({str(error).splitlines()[0]})"
                ) from error
        return self._loaded
