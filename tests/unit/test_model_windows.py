"""Known models, their tiers, models of the user's own, and the settings that servers need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repoctx import tokens
from repoctx.counters import counter
from repoctx.errors import UsageError
from repoctx.model import servers, windows
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
        "qwen",
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
        assert (model.rope_theta is None) == (len(model.tiers) == 1) == model.hosted
        assert counter(model.tokenizer).exact
        assert model.template == tokens.chat_overhead()


def test_every_figure_has_a_source() -> None:
    """Each key of a packaged row that holds a figure is in its sources."""
    for name, row in windows._packaged().items():
        assert set(row) - {"names", "hosted", "sources"} == set(row["sources"]), name


def test_prices_are_by_input() -> None:
    """Model Studio's: one token more than 256,000 doubles the price of the input and quadruples the output's."""
    plus = windows.find("qwen3-coder-plus")
    assert [tuple(price)[2:] for price in plus.prices if price.currency == "USD"] == [
        (32_000, 1.0, 5.0),
        (128_000, 1.8, 9.0),
        (256_000, 3.0, 15.0),
        (1_000_000, 6.0, 60.0),
    ]
    assert len(windows.find("qwen3-coder-flash").prices) == 4
    assert plus.most_input == 997_952


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Coder-Next", "qwen3-coder-next", "QWEN3-CODER-NEXT"])
def test_a_model_is_found_by_any_of_its_names(name: str) -> None:
    """The hub name and any case find the same row."""
    assert windows.find(name).name == "qwen3-coder-next"


@pytest.mark.parametrize(
    "name,said",
    [
        ("gwen3-coder-nxt", "no model is called 'gwen3-coder-nxt': did you mean qwen3-coder-next or "),
        ("Qwen/Qwen3-Coder-30B-A3B", "did you mean qwen3-coder-30b-a3b"),
        ("gpt-9", "no model is called 'gpt-9': there are qwen3-coder-30b-a3b, qwen3-coder-480b-a35b, "),
    ],
)
def test_an_unknown_model_is_refused_with_the_nearest(name: str, said: str) -> None:
    """The error names what could have been meant, and all there are."""
    with pytest.raises(UsageError) as raised:
        windows.find(name)
    assert said in str(raised.value)


TINY = {
    "native": 16_384,
    "output": 1024,
    "rope_theta": 10_000_000,
    "tiers": [{"name": "long", "window": 65_536, "rope_factor": 4}, {"name": "native", "window": 16_384}],
}


def test_the_users_rows_add_and_override() -> None:
    """A row may be a whole model, with tiers in any order, or change values of a known one."""
    models = windows.load({"tiny": TINY, "qwen3-coder-next": {"output": 8192}})
    tiny = windows.find("TINY", models)
    assert tiny.tiers == (Tier("native", 16_384, 1.0), Tier("long", 65_536, 4.0))
    assert (tiny.tokenizer, tiny.template) == ("estimate", windows.TEMPLATE)
    assert windows.find("qwen3-coder-next", models).output == 8192
    assert windows.find("qwen3-coder-next", models).tokenizer == "qwen"
    assert windows.find("qwen3-coder-next").output == 65_536
    other = windows.load({"qwen3-coder-next": {"tokenizer": "estimate:3", "template": 30}})["qwen3-coder-next"]
    assert (other.tokenizer, other.template) == ("estimate:3", 30)


def test_a_file_of_models(tmp_path: Path) -> None:
    """Tables of a TOML file; a tokenizer's path begins at the file's folder."""
    path = tmp_path / "models.toml"
    path.write_text(
        '[mine]\nnative = 1000\noutput = 10\ntokenizer = "file:tok/tokenizer.json"\n'
        'tiers = [{ name = "native", window = 1000 }]\n[other]\nnative = 5\ntokenizer = "file:/x/t.json"\n'
    )
    rows = windows.read(path)
    assert rows["mine"]["tokenizer"] == f"file:{tmp_path}/tok/tokenizer.json"
    assert rows["other"]["tokenizer"] == "file:/x/t.json"
    assert windows.load({"mine": rows["mine"]})["mine"].tiers == (Tier("native", 1000, 1.0),)


@pytest.mark.parametrize("name", ["~nosuchuser/models.toml", "a\0b", "/dev/zero", "/"])
def test_what_is_no_file_is_no_models_file(name: str) -> None:
    """Users that there are not, NUL, devices and folders are one sentence, and nothing is waited for."""
    with pytest.raises(UsageError, match=r"the models in .* cannot be read: "):
        windows.read(Path(name))


@pytest.mark.parametrize("content", [b"[mine", b"\xff", None])
def test_a_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    """What is no TOML, no UTF-8 or not there is said with its name."""
    if content is not None:
        (tmp_path / "models.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"the models in .*models\.toml cannot be read: "):
        windows.read(tmp_path / "models.toml")


ONE = [{"name": "n", "window": 1}]


@pytest.mark.parametrize(
    "row,said",
    [
        ({}, "has no native and no output and no tiers"),
        ({"native": 10**44, "output": 1, "tiers": []}, "it must be a whole number of tokens"),
        ({"native": 9, "output": 1, "tiers": [], "partial_rotary_factor": 7}, "it must be a number above 0, at most 1"),
        ({**TINY, "template": 10**9}, "native window of"),
        ({**TINY, "tiers": [{"name": "n", "window": 1, "rope_factor": 1e308}]}, "in tiers: it must be"),
        ({"native": 1, "output": 1, "tiers": []}, "has no tiers: it needs"),
        ({"native": 1, "output": 1, "tiers": ["x"]}, "has tiers = ['x']: it must be a list of {name, window, "),
        ({"native": 1, "output": 1, "tiers": [{"name": "n"}]}, "has {'name': 'n'} in tiers: it must be {name, window"),
        ({"native": 1, "output": 1, "tiers": [{**ONE[0], "size": 1}]}, "in tiers: it must be {name, window"),
        ({"native": 1, "output": 1, "tiers": ONE * 2}, "has two tiers of the same name"),
        ({"native": "big", "output": 1, "tiers": ONE}, "has native = 'big': it must be a whole number of tokens"),
        ({"native": True, "output": 1, "tiers": ONE}, "has native = True: it must be a whole number"),
        ({"native": 1, "output": 0, "tiers": ONE}, "has output = 0: it must be a whole number of tokens, 1 or more"),
        ({"native": 1, "output": 1, "tiers": ONE, "tool_parser": ""}, "it must be a text, such as 'qwen3_coder'"),
        ({"native": 1, "output": 1, "tiers": ONE, "colour": "red"}, "has an unknown key 'colour': there are native"),
        ({"native": 1, "output": 1, "tiers": ONE, "names": "x"}, "has names = 'x': it must be a list of texts"),
        ({"native": 1, "output": 1, "tiers": ONE, "tokenizer": ""}, "has tokenizer = '': it must be a text"),
        ({"native": 1, "output": 1, "tiers": ONE, "rope_theta": float("nan")}, "has rope_theta = nan: it must be a "),
        ({"native": 1, "output": 1, "tiers": ONE, "prices": [{"input": 1}]}, "in prices: it must be {where, currency"),
        ({"native": 1, "output": 1, "tiers": ONE, "sources": {"native": 1}}, "it must be a table of texts"),
        ({"native": 1, "output": 1, "tiers": [{"name": "n", "window": 2}]}, "has a tier 'n' of 2 tokens: its 1 native"),
        ({**TINY, "native": 10_000}, "has a tier 'long' of 65,536 tokens: its 10,000 native ones times the rope "),
        ({k: v for k, v in TINY.items() if k != "rope_theta"}, "has a tier 'long' with a rope factor but no rope_"),
        ({"native": 9, "output": 1, "tiers": [{**ONE[0], "rope_factor": 0.5}]}, "in tiers: it must be"),
    ],
)
def test_a_broken_row_is_refused_by_name(row: dict[str, object], said: str) -> None:
    """Missing, unknown or wrong values are one sentence that names the file, the model and the value."""
    with pytest.raises(UsageError) as raised:
        windows.load({"mine": row}, "my/models.toml")
    assert str(raised.value).startswith("my/models.toml: model 'mine' ")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "rows,said",
    [
        ({"native": 5}, "m: 'native' stands outside a table"),
        ({"Qwen/Qwen3-Coder-Next": {"output": 1}}, "m: 'Qwen/Qwen3-Coder-Next' is another name of qwen3-coder-next"),
        ({"mine": {**TINY, "names": ["qwen3-coder-plus"]}}, "m: 'qwen3-coder-plus' is a name of two models"),
    ],
)
def test_names_are_told_apart(rows: dict[str, Any], said: str) -> None:
    """A name means one model."""
    with pytest.raises(UsageError) as raised:
        windows.load(rows, "m")
    assert said in str(raised.value)


# --- the settings of servers -------------------------------------------------------------------


def settings_of(name: str, tier: int) -> dict[str, tuple[str, dict[str, Any]]]:
    model = windows.find(name)
    return {one.server: (one.command, one.config) for one in servers.servers(model, model.tiers[tier])}


def test_a_native_window_needs_no_rope_settings() -> None:
    """Nothing is overridden where the model is served as it was trained."""
    assert settings_of("qwen3-coder-30b-a3b", 0) == {
        "vLLM": (
            "vllm serve Qwen/Qwen3-Coder-30B-A3B-Instruct --max-model-len 262144 --enable-auto-tool-choice "
            "--tool-call-parser qwen3_coder",
            {},
        ),
        "SGLang": (
            "python -m sglang.launch_server --model-path Qwen/Qwen3-Coder-30B-A3B-Instruct --context-length 262144 "
            "--tool-call-parser qwen3_coder",
            {},
        ),
        "llama.cpp": ("llama-server -m MODEL.gguf --jinja -np 1 -c 262144", {}),
        "transformers": ("", {}),
    }


def test_the_settings_of_a_tier_with_a_rope_factor() -> None:
    """The exact commands; the rope settings are whole, `rope_theta` among them."""
    config = {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 10_000_000,
            "factor": 4.0,
            "original_max_position_embeddings": 262_144,
        },
        "max_position_embeddings": 1_048_576,
    }
    old = {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 262_144}}
    found = settings_of("qwen3-coder-30b-a3b", 2)
    assert found["vLLM"] == (
        "vllm serve Qwen/Qwen3-Coder-30B-A3B-Instruct --max-model-len 1000000 --enable-auto-tool-choice "
        "--tool-call-parser qwen3_coder --hf-overrides "
        '\'{"rope_parameters":{"rope_type":"yarn","rope_theta":10000000,"factor":4.0,'
        '"original_max_position_embeddings":262144},"max_position_embeddings":1048576}\'',
        config,
    )
    assert found["SGLang"] == (
        "python -m sglang.launch_server --model-path Qwen/Qwen3-Coder-30B-A3B-Instruct --context-length 1000000 "
        '--tool-call-parser qwen3_coder --json-model-override-args \'{"rope_scaling":{"rope_type":"yarn","factor":4.0,'
        '"original_max_position_embeddings":262144}}\'',
        old,
    )
    assert found["llama.cpp"] == (
        "llama-server -m MODEL.gguf --jinja -np 1 -c 1000000 --rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 262144",
        {},
    )
    assert found["transformers"] == ("", config)


def test_the_rope_settings_repeat_what_they_replace() -> None:
    """Coder-Next has another theta and turns a quarter of each head."""
    _, config = settings_of("qwen3-coder-next", 1)["vLLM"]
    assert config == {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 5_000_000,
            "partial_rotary_factor": 0.25,
            "factor": 2.0,
            "original_max_position_embeddings": 262_144,
        },
        "max_position_embeddings": 524_288,
    }
    assert settings_of("qwen3-coder-plus", 0) == {}


@pytest.mark.parametrize("factor,scale", [(1, 1.0), (2, 1.143), (4, 1.296)])
def test_logits_are_scaled_on_every_request(factor: float, scale: float) -> None:
    """(0.1 ln s + 1)², whatever the prompt's length."""
    assert round(servers.logit_scale(factor), 3) == scale


@pytest.mark.slow
@pytest.mark.parametrize(
    "name,kind,pairs,unchanged,divided",
    [("qwen3-coder-30b-a3b", "Qwen3MoeConfig", 64, 29, 21), ("qwen3-coder-next", "Qwen3NextConfig", 32, 15, 9)],
)
def test_transformers_understands_the_rope_settings(
    name: str, kind: str, pairs: int, unchanged: int, divided: int
) -> None:
    """With them it computes YaRN over the model's own theta: fast pairs stay, slow ones are divided by the factor."""
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    model = windows.find(name)
    head = {"head_dim": 2 * pairs if model.partial_rotary_factor is None else 8 * pairs}
    config = getattr(transformers, kind)(**servers.rope_config(model, model.tiers[2]), **head)
    frequencies, attention = ROPE_INIT_FUNCTIONS["yarn"](config, device="cpu")
    assert round(attention**2, 6) == round(servers.logit_scale(4.0), 6)
    plain = [model.rope_theta ** (-i / pairs) for i in range(pairs)]
    ratios = [round(float(found) / own, 3) for found, own in zip(frequencies, plain, strict=True)]
    assert ratios[:unchanged] == [1.0] * unchanged
    assert ratios[-divided:] == [0.25] * divided
    assert len(ratios) == pairs
