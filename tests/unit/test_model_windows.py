"""Known models, their tiers, and models from the settings."""

from __future__ import annotations

import pytest

from repoctx.errors import UsageError
from repoctx.model import windows
from repoctx.types import Tier


def test_the_default_model_has_three_tiers() -> None:
    """Native, 512k and 1M windows, each with the rope factor its server must be started with."""
    model = windows.find()
    assert model.name == "qwen3-coder-30b-a3b"
    assert [tuple(tier) for tier in model.tiers] == [
        ("native", 262_144, 1.0),
        ("512k", 524_288, 2.0),
        ("1m", 1_000_000, 4.0),
    ]
    assert (model.native, model.window, model.output, model.tokenizer) == (
        262_144,
        1_000_000,
        65_536,
        "qwen2",
    )


def test_known_models() -> None:
    """Every packaged row loads, in order of its name; a tier's factor covers its window."""
    models = windows.load()
    assert list(models) == [
        "qwen3-coder-30b-a3b",
        "qwen3-coder-480b-a35b",
        "qwen3-coder-flash",
        "qwen3-coder-next",
        "qwen3-coder-plus",
    ]
    for model in models.values():
        assert all(tier.window <= model.native * tier.rope_factor for tier in model.tiers)
        assert (model.rope_theta is None) == (len(model.tiers) == 1)


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Coder-Next", "qwen3-coder-next", "QWEN3-CODER-NEXT"])
def test_a_model_is_found_by_any_of_its_names(name: str) -> None:
    """The hub name and any case find the same row."""
    assert windows.find(name).name == "qwen3-coder-next"


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    """The error names what could have been meant."""
    with pytest.raises(UsageError, match=r"Unknown model 'gpt-9': known are qwen3-coder-30b-a3b, .*plus"):
        windows.find("gpt-9")


def test_settings_add_and_override_models() -> None:
    """A user's row may be a whole model, with tiers in any order, or change values of a known one."""
    tiers = [
        {"name": "long", "window": 65_536, "rope_factor": 4.0},
        {"name": "native", "window": 16_384},
    ]
    extra = {
        "tiny": {"native": 16_384, "output": 1024, "tiers": tiers},
        "qwen3-coder-next": {"output": 8192},
    }
    tiny = windows.find("tiny", extra)
    assert tiny.tiers == (Tier("native", 16_384, 1.0), Tier("long", 65_536, 4.0))
    assert tiny.source == "settings"
    assert windows.find("qwen3-coder-next", extra).output == 8192
    assert windows.find("qwen3-coder-next").output == 65_536


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"native": 1, "output": 1, "tiers": []},
        {"native": 1, "output": 1, "tiers": ["x"]},
        {"native": "big", "output": 1, "tiers": [{"name": "n", "window": 1}]},
        {"native": 1, "output": 0, "tiers": [{"name": "n", "window": 1}]},
        {"native": 1, "output": 1, "tiers": [{"name": "n", "window": 1}], "colour": "red"},
    ],
)
def test_a_broken_row_is_refused_by_name(row: dict[str, object]) -> None:
    """Missing, unknown or wrong values are an error that names the model."""
    with pytest.raises(UsageError, match="Model 'mine' in the settings"):
        windows.load({"mine": row})
