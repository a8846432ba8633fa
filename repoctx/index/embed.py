"""What vector stands for a text? The seam between repoctx and embedding models.

An embedder turns texts into unit vectors. `static` is the built-in model; `hashing` needs no model at
all and is made for tests; `openai:MODEL@URL` asks a server; anything else is a sentence-transformers
model, through the `transformers` extra; `none` has no vectors.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from repoctx import http
from repoctx.errors import BackendError, UsageError
from repoctx.index.lexical import terms
from repoctx.types import Floats

# Characters of a text that a model gets to see: 256 word pieces, the window of small models, are
# about 1,000 characters of code; four times that leaves room for larger ones and bounds the cost.
LONGEST = 4000
# What a model is asked to see whether it answers, and with how many dimensions.
PROBE = "def main():"
# What embedding.model may be, for sentences.
FORMS = "none, static, hashing, openai:MODEL@URL, a folder (written with a leading /, ~, ./ or ../) or a hub name"
LONGEST_NAME = 200
# A name on the hub: alone or with its owner, letters, digits, "-", "_" and "." (huggingface_hub's
# validate_repo_id).
_HUB = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)?", re.ASCII)
_SERVER = re.compile(r"openai:(?P<model>\S+?)@(?P<url>https?://\S+)")


class Embedder(Protocol):
    """An embedding model."""

    @property
    def model(self) -> str:
        """Names the vectors: the same id, the same vectors."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    def documents(self, texts: Sequence[str]) -> Floats:
        """(n, dimensions) unit vectors of chunk texts; a text without words may have the zero vector."""

    def query(self, text: str) -> Floats:
        """(dimensions,) unit vector of a query."""


def embedder(setting: str, *, key_env: str = "", requests: int = 4, threads: int = 0) -> Embedder | None:
    """The embedder of a setting; None for "none". Cheap: models are loaded, and servers asked, when first used.

    `key_env` names the variable of a server's key ("" for none), `requests` is how many may be under way
    there, `threads` how many torch may use (0: one per CPU). Raises UsageError for what is no setting;
    using the embedder raises UsageError for a model that cannot be loaded and BackendError for a server
    that does not answer.
    """
    if setting == "none":
        return None
    if setting == "hashing":
        return Hashing()
    if server := _SERVER.fullmatch(setting):
        from repoctx.index.remote import Remote

        return Remote(server["model"], server["url"], key_env, max(1, requests))
    folder = folder_of(setting)
    if instant(setting):
        from repoctx.index.static import Static

        return Static.load(folder, threads or os.cpu_count() or 1)
    if (folder is not None and folder.is_dir()) or (_HUB.fullmatch(setting) and len(setting) <= LONGEST_NAME):
        from repoctx.index.transformers import SentenceTransformers

        return SentenceTransformers(str(folder or setting), threads)
    shown = http.without_user(setting)
    raise UsageError(f"embedding.model can be {FORMS}; {shown[:LONGEST_NAME]!r} is none of these")


def folder_of(setting: str) -> Path | None:
    """The folder that a setting names, there or not; None for other settings.

    A folder is written as a path, `/…`, `~/…`, `./…` or `../…`, so that no folder that happens to lie where one
    stands, in a repository that nobody vouches for, is taken for a model. Raises UsageError for an unknown home.
    """
    if not setting.startswith(("/", "~", "./", "../")) and not Path(setting).is_absolute():
        return None
    try:
        folder = Path(os.path.realpath(Path(setting).expanduser()))
        folder.exists()  # says what kind of name cannot be
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"embedding.model names a folder that cannot be: {why}") from error
    return folder


def instant(setting: str) -> bool:
    """Whether a model needs microseconds a text, so that its vectors are made wherever they are needed."""
    if setting in ("static", "hashing"):
        return True
    folder = folder_of(setting)
    try:
        return folder is not None and (folder / "static.json").is_file()
    except OSError:  # a name that is too long, a folder that may not be read
        return False


def leaves(setting: str) -> bool:
    """Whether texts leave this machine to be embedded."""
    return setting.startswith("openai:")


def endpoint(setting: str) -> str:
    """The URL of the server that embeds, "" for other models."""
    server = _SERVER.fullmatch(setting)
    return server["url"].rstrip("/") if server else ""


# --- what is embedded --------------------------------------------------------------------------


def chunk_text(descriptor: str, text: str) -> str:
    """What is embedded for a chunk: the qualified name of its symbol, if any, on a line of its own, and its text."""
    name = descriptor.removesuffix("()")
    return f"{name}\n{text}" if name else text


def path_text(path: str) -> str:
    """What is embedded for a file's path: its parts as words."""
    return path.replace("/", " ")


def chunk_id(language: str, text: str) -> str:
    """What a vector is keyed by: a hash of the language ("path" for paths) and the text, 40 hex digits."""
    return hashlib.sha256(f"{language}\0{text}".encode()).hexdigest()[:40]


# --- vectors -----------------------------------------------------------------------------------


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled


def checked(rows: Floats, model: str) -> Floats:
    """Rows as a model gave them, scaled to length 1; zero rows stay zero. Raises BackendError for NaN and infinity."""
    if not np.isfinite(rows).all():
        raise BackendError(f"The embedding model {model} gave a vector with numbers that are not finite.")
    largest = np.abs(rows).max(axis=-1, keepdims=True, initial=0.0)  # squares of large numbers would not be finite
    return unit(rows / np.maximum(largest, np.finfo(np.float32).tiny))


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
