"""Which models are known, and which windows can they be served with?"""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repoctx.errors import UsageError
from repoctx.types import Tier

DEFAULT = "qwen3-coder-30b-a3b"


@dataclass(frozen=True, slots=True)
class Model:
    """A row of `models.toml`, or of the user's settings."""

    name: str
    native: int  # tokens that the model was trained on
    tiers: tuple[Tier, ...]  # smallest window first
    output: int  # recommended room for the answer, in tokens
    tokenizer: str  # "qwen2": counted exactly by `repoctx.tokens`
    source: str  # where the figures come from
    names: tuple[str, ...] = ()  # other names of the same model
    rope_theta: float | None = None  # what a server's rope settings must repeat; None if not ours to set
    partial_rotary_factor: float | None = None

    @property
    def window(self) -> int:
        """The largest window, in tokens."""
        return self.tiers[-1].window


def load(extra: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Model]:
    """All known models by name; rows of `extra` (the user's `[models.NAME]` tables) add or override values.

    Raises UsageError if a row of `extra` lacks a value, has an unknown one or a wrong type.
    """
    rows = {name: dict(row) for name, row in _packaged().items()}
    for name, row in (extra or {}).items():
        rows[name] = {**rows.get(name, {"names": [], "source": "settings", "tokenizer": "qwen2"}), **row}
    return {name: _model(name, rows[name]) for name in sorted(rows)}


def find(name: str = DEFAULT, extra: Mapping[str, Mapping[str, Any]] | None = None) -> Model:
    """The model of that name, upper or lower case; UsageError lists the known ones."""
    models = load(extra)
    wanted = name.casefold()
    for model in models.values():
        if wanted in (known.casefold() for known in (model.name, *model.names)):
            return model
    known = ", ".join(models)
    raise UsageError(f"Unknown model {name!r}: known are {known}.")


@functools.cache
def _packaged() -> dict[str, dict[str, Any]]:
    text = (importlib.resources.files("repoctx") / "model" / "models.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _model(name: str, row: Mapping[str, Any]) -> Model:
    try:
        tiers = [Tier(str(t["name"]), t["window"], float(t.get("rope_factor", 1))) for t in row["tiers"]]
        tiers.sort(key=lambda tier: tier.window)
        model = Model(**{**row, "name": name, "tiers": tuple(tiers), "names": tuple(row["names"])})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"Model {name!r} in the settings is not complete ({error}): it needs native, output and "
            f"tiers = [{{name, window, rope_factor}}]."
        ) from error
    numbers = [model.native, model.output, *(tier.window for tier in tiers)]
    if not tiers or not all(isinstance(number, int) and number > 0 for number in numbers):
        raise UsageError(f"Model {name!r} in the settings needs tiers, and positive whole numbers in them.")
    return model
