"""The built-in model as a module of sentence-transformers, which loads its folder by this name.

It is named in the folder's `modules.json`, so `SentenceTransformer(folder)` works wherever repoctx is
installed and gives the very vectors of `Static.documents`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers.base.modules import InputModule

from repoctx.index.static import ROWS, SCALES, SETTINGS, WORDS, Static


class StaticModule(InputModule):  # type: ignore[misc, unused-ignore]
    """Texts in, unit vectors out."""

    def __init__(self, static: Static) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.static = static

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> dict[str, Any]:
        """Sum up the texts; there is nothing left to do for `forward`."""
        texts = [f"{prompt or ''}{text}" for text in inputs]
        return {"sentence_embedding": torch.from_numpy(self.static.documents(texts))}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The vectors are there."""
        return features

    def get_embedding_dimension(self) -> int:
        """Length of a vector."""
        return self.static.dimensions

    def get_sentence_embedding_dimension(self) -> int:
        """The same under its older name."""
        return self.static.dimensions

    @property
    def max_seq_length(self) -> None:
        """Texts may be of any length."""

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Copy the model's files."""
        for name in (SETTINGS, WORDS, ROWS, SCALES):
            shutil.copy(self.static.folder / name, Path(output_path) / name)

    @classmethod
    def load(  # type: ignore[override]
        cls, model_name_or_path: str, subfolder: str = "", **_: Any
    ) -> StaticModule:
        """The module of a folder."""
        return cls(Static.load(Path(model_name_or_path) / subfolder))
