"""Which models are known, and which windows can they be served with?"""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from repoctx import tokens
from repoctx.counters import file_bytes
from repoctx.errors import UsageError
from repoctx.model import rows
from repoctx.types import Tier

DEFAULT = "qwen3-coder-30b-a3b"
# Kept free for a chat template that is not known: ChatML takes 8 tokens, templates with a system message of their
# own some dozens.
TEMPLATE = 128
Rows = Mapping[str, Mapping[str, Any]]


class Price(NamedTuple):
    """What a million tokens cost. The row with the least `up_to` that holds the input is that of the request."""

    where: str
    currency: str
    up_to: int  # tokens of the input
    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Model:
    """A row of `models.toml`, or of the user's own file of that kind."""

    name: str
    native: int  # tokens that the model was trained on
    tiers: tuple[Tier, ...]  # smallest window first
    output: int  # recommended room for the answer, in tokens
    tokenizer: str  # as `counters.counter` takes it
    template: int  # tokens that the chat template adds to one user message
    names: tuple[str, ...] = ()  # other names of the same model, its Hugging Face one first
    most_input: int | None = None  # tokens of a prompt that a hosted model takes
    hosted: bool = False  # on somebody else's server, where nothing is to be set
    rope_theta: float | None = None  # what a server's rope settings must repeat
    partial_rotary_factor: float | None = None
    tool_parser: str = ""  # how vLLM and SGLang call what reads its tool calls; "" where that is not known
    prices: tuple[Price, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)  # key -> where its figure comes from

    @property
    def window(self) -> int:
        """The largest window, in tokens."""
        return self.tiers[-1].window


def load(extra: Rows | None = None, where: str = "the settings") -> dict[str, Model]:
    """All known models by name; rows of `extra` add models, or change values of known ones.

    Raises UsageError, which says `where` they stand, if one of them lacks a value, or has an unknown or wrong one.
    """
    known_rows = _packaged()
    found = {name: _model(name, row, "models.toml") for name, row in known_rows.items()}
    taken = {known.casefold(): name for name, model in found.items() for known in (name, *model.names)}
    for name, row in (extra or {}).items():
        if not isinstance(row, Mapping):
            raise UsageError(f"{where}: {name!r} stands outside a table: write it under [NAME], the model's name")
        known = taken.get(name.casefold(), name)
        if known != name:
            raise UsageError(f"{where}: {name!r} is another name of {known}: change that one, or choose a new name")
        found[name] = _model(name, {**known_rows.get(name, {}), **row}, where)
        for other in (name, *found[name].names):
            if taken.setdefault(other.casefold(), name) != name:
                raise UsageError(f"{where}: {other!r} is a name of two models, {taken[other.casefold()]} and {name}")
    return {name: found[name] for name in sorted(found)}


def read(path: Path) -> dict[str, Any]:
    """The rows of a user's file, the paths of tokenizers in it seen from its folder. Raises UsageError."""
    try:
        tables = tomllib.loads(file_bytes(str(path)).decode())
        for row in tables.values():
            tokenizer = row.get("tokenizer") if isinstance(row, dict) else None
            if isinstance(tokenizer, str) and tokenizer.startswith("file:"):
                file = Path(tokenizer.removeprefix("file:")).expanduser()
                row["tokenizer"] = f"file:{path.expanduser().parent.absolute() / file}"
    except (ValueError, RecursionError, OSError, RuntimeError) as error:
        raise UsageError(f"the models in {path} cannot be read: {error}") from error
    return tables


def find(name: str = DEFAULT, models: Mapping[str, Model] | None = None) -> Model:
    """The model of that name, upper or lower case, of the packaged ones by default.

    Raises UsageError, which says the nearest names.
    """
    models = load() if models is None else models
    names = {known.casefold(): model for model in models.values() for known in (model.name, *model.names)}
    wanted = name.strip().casefold()
    if wanted in names:
        return names[wanted]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    meant = dict.fromkeys(names[one].name for one in near)
    guess = f"did you mean {' or '.join(meant)}? There are" if meant else "there are"
    raise UsageError(
        f"no model is called {name!r}: {guess} {', '.join(models)}; others go into a models.toml beside your "
        "repoctx.toml"
    )


@functools.cache
def _packaged() -> dict[str, dict[str, Any]]:
    text = (importlib.resources.files("repoctx") / "model" / "models.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _model(name: str, row: Mapping[str, Any], where: str) -> Model:
    """A row as a model. Raises UsageError with one sentence for the first thing that is wrong."""
    rows.check(name, row, where)
    tokenizer = row.get("tokenizer", "estimate")
    tiers = [Tier(tier["name"], tier["window"], float(tier.get("rope_factor", 1))) for tier in row["tiers"]]
    values = {
        "tokenizer": tokenizer,
        "template": tokens.chat_overhead() if tokenizer == "qwen" else TEMPLATE,
        **row,
        "name": name,
        "tiers": tuple(sorted(tiers, key=lambda tier: (tier.window, tier.rope_factor))),
        "names": tuple(row.get("names", ())),
        "prices": tuple(Price(**price) for price in row.get("prices", ())),
    }
    return Model(**values)
