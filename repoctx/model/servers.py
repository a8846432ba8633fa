"""How must a server be started for a tier?

A rope factor is a setting of the server, the same for every request: in all four servers YaRN is static. Rope
settings replace those of the model's config.json as a whole; one that leaves out `rope_theta` starts, answers, and
is wrong, so they are written out in full.
"""

from __future__ import annotations

import json
import math
import shlex
from typing import Any, NamedTuple

from repoctx.model.windows import Model
from repoctx.types import Tier

CAUTION = (
    "YaRN is static in these servers: once it is on, it holds for every request, short prompts too, and Qwen's "
    "documentation warns that it may impair those. So each tier is a server of its own: stay on the smallest that "
    "holds your packs."
)


class Server(NamedTuple):
    """The settings of one server for one tier."""

    server: str
    command: str  # "" where there is none
    config: dict[str, Any]  # what config.json must say; {} if it is right as it is
    note: str = ""


def servers(model: Model, tier: Tier) -> list[Server]:
    """The settings for vLLM, SGLang, llama.cpp and transformers; none for a model that is hosted.

    Sources: the documentation of Qwen3 (deployment/vllm.md, deployment/sglang.md, run_locally/llama.cpp.md) and of
    vLLM (features/context_extension); vLLM 0.32, llama.cpp and transformers 5.23 were started with them.
    """
    if model.hosted:
        return []
    name = shlex.quote(model.names[0] if model.names else model.name)
    long = tier.rope_factor > 1
    config = rope_config(model, tier) if long else {}
    tools = f" --tool-call-parser {shlex.quote(model.tool_parser)}" if model.tool_parser else ""
    choice = " --enable-auto-tool-choice" if tools else ""
    vllm = f"vllm serve {name} --max-model-len {tier.window}{choice}{tools}"
    sglang = f"python -m sglang.launch_server --model-path {name} --context-length {tier.window}{tools}"
    llama = f"llama-server -m MODEL.gguf --jinja -np 1 -c {tier.window}"
    if not long:
        return [Server("vLLM", vllm, {}), Server("SGLang", sglang, {}), Server("llama.cpp", llama, {}),
                Server("transformers", "", {})]  # fmt: skip
    old = {"rope_scaling": {key: config["rope_parameters"][key] for key in _YARN}}
    return [
        Server(
            "vLLM",
            f"{vllm} --hf-overrides {_argument(config)}",
            config,
            f"0.12 and newer; older: --rope-scaling {_argument(old['rope_scaling'])} in place of --hf-overrides",
        ),
        Server(
            "SGLang",
            f"{sglang} --json-model-override-args {_argument(old)}",
            old,
            "as Qwen's documentation has it, not tried here; rope_theta stays outside in this form; if it refuses the "
            "length, set SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1",
        ),
        Server(
            "llama.cpp",
            f"{llama} --rope-scaling yarn --rope-scale {tier.rope_factor:g} --yarn-orig-ctx {model.native}",
            {},
            "not with a GGUF that has the factor built in (those called 1M): its own settings are right",
        ),
        Server("transformers", "", config, "in config.json, or as arguments of from_pretrained; version 5 and newer"),
    ]


_YARN = ("rope_type", "factor", "original_max_position_embeddings")


def rope_config(model: Model, tier: Tier) -> dict[str, Any]:
    """What config.json must say for a tier with a rope factor: the rope settings, whole, and the positions."""
    rope: dict[str, Any] = {"rope_type": "yarn", "rope_theta": model.rope_theta}
    if model.partial_rotary_factor is not None:
        rope["partial_rotary_factor"] = model.partial_rotary_factor
    rope |= {"factor": tier.rope_factor, "original_max_position_embeddings": model.native}
    return {"rope_parameters": rope, "max_position_embeddings": math.ceil(model.native * tier.rope_factor)}


def logit_scale(factor: float) -> float:
    """What YaRN multiplies the attention's logits by on every request: (0.1 ln s + 1)² (arXiv 2309.00071)."""
    return (0.1 * math.log(factor) + 1) ** 2 if factor > 1 else 1.0


def _argument(value: Any) -> str:
    return shlex.quote(json.dumps(value, separators=(",", ":")))
