"""What vector does a sentence-transformers model give a text? A folder, or a name on the hub.

Importing torch and sentence-transformers costs some ten CPU seconds: the first text that is embedded pays.
A text's vector may differ in its last bits with the texts that share its batch; codes hide nearly all of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from repoctx.errors import BackendError, UsageError
from repoctx.index.embed import FORMS, LONGEST, checked
from repoctx.types import Floats

# Texts per forward pass, of similar length: encode sorts them. 8 took twice the CPU time of 32 per text,
# 128 the same time and twice the memory (MiniLM, 1,000 functions, 2 CPUs).
BATCH = 32
# Files of which every model on the hub has one at least.
MARKS = ("modules.json", "config_sentence_transformers.json", "config.json")


class SentenceTransformers:
    """A sentence-transformers model; torch is loaded when the first text is embedded."""

    def __init__(self, name: str, threads: int = 0) -> None:
        self.name = name
        self._threads = threads or os.cpu_count() or 1
        self._loaded: Any = None

    @cached_property
    def model(self) -> str:
        """Folders are told apart by their files, hub models by their name and commit."""
        folder = Path(self.name)
        if not folder.is_absolute():
            return f"{self.name}@{self._commit()[:16]}"
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
        """See Embedder. What is longer than the model's own limit is cut there."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return self._unit(self._model().encode_document, [text[:LONGEST] for text in texts])

    def query(self, text: str) -> Floats:
        """See Embedder."""
        row: Floats = self._unit(self._model().encode_query, [text[:LONGEST]])[0]
        return row

    def _unit(self, encode: Any, texts: list[str]) -> Floats:
        rows = encode(texts, batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False)
        return checked(np.asarray(rows, np.float32), self.name)

    def _commit(self) -> str:
        """The commit of a hub model in the local cache; one that is not there is loaded first."""
        for _ in range(2):
            if found := _cached(self.name):
                return found
            self._model()
        raise BackendError(f"The embedding model {self.name} was loaded and is not in the cache: give its folder.")

    def _model(self) -> Any:
        if self._loaded is None:
            offline = _offline()
            if not Path(self.name).is_absolute():
                if Path(self.name).exists():  # sentence-transformers would take it before the hub's
                    raise _cannot_be_loaded(
                        self.name, f"a file of that name lies here: if it is meant, say ./{self.name}"
                    )
                if offline and not _cached(self.name):
                    raise _cannot_be_loaded(self.name, "it is not in the local cache")
            try:
                import torch
                from sentence_transformers import SentenceTransformer
                from transformers.utils.logging import disable_progress_bar
            except ImportError as error:
                raise _extra_is_missing(self.name) from error
            disable_progress_bar()  # type: ignore[no-untyped-call]  # a library prints nothing
            # Else every library beside torch guesses a number of its own, and their threads wait for each other.
            torch.set_num_threads(self._threads)
            try:
                self._loaded = SentenceTransformer(self.name, device="cpu", local_files_only=offline)
            except (OSError, ValueError, KeyError) as error:
                raise _cannot_be_loaded(self.name, (str(error).splitlines() or ["no reason given"])[0]) from error
        return self._loaded


def _cached(name: str) -> str | None:
    """The commit of a hub model in the local cache."""
    _offline()
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise _extra_is_missing(name) from error
    names = [name] if "/" in name else [f"sentence-transformers/{name}", name]
    found = [try_to_load_from_cache(owned, mark) for owned in names for mark in MARKS]
    return next((Path(path).parent.name for path in found if isinstance(path, str)), None)


def _offline() -> bool:
    """Nothing is downloaded unless the user says so with HF_HUB_OFFLINE=0."""
    return os.environ.setdefault("HF_HUB_OFFLINE", "1") != "0"


def _cannot_be_loaded(name: str, why: str) -> UsageError:
    return UsageError(
        f"embedding model {name!r} cannot be loaded ({why}): give a sentence-transformers folder, set HF_HUB_OFFLINE=0 "
        f"to let it be downloaded, or set embedding.model to another of {FORMS}"
    )


def _extra_is_missing(name: str) -> UsageError:
    return UsageError(
        f"embedding model {name!r} needs sentence-transformers: install repoctx[transformers], or set "
        f"embedding.model to another of {FORMS}"
    )
