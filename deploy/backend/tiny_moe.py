"""What is the smallest file that a real server loads as a Qwen3 mixture-of-experts model?

A GGUF of one `qwen3moe` layer with four experts and seeded random weights, about 16 MB. It says
nothing sensible, but its vocabulary (151,936 tokens, Qwen2 to Qwen3-Coder), its chat template, its
expert routing and its rope settings are the real ones, so tokens, limits, caching and streaming
can be tested against a server that runs it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import gguf
import numpy as np

# The tokens that Qwen3-Coder names where llama.cpp's Qwen2 vocabulary has unused slots, from
# FIRST_ADDED on, in the order of their ids. END_OF_TEXT to IM_END are in that vocabulary already.
FIRST_ADDED = 151_646
END_OF_TEXT, IM_END = 151_643, 151_645
ADDED_TOKENS = (
    "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>",
    "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
    "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>",
    "</tool_response>", "<think>", "</think>",
)  # fmt: skip

HIDDEN = 32  # width of the residual stream, of a head and of an expert
EXPERTS, EXPERTS_USED = 4, 2
ROPE_THETA = 1e7  # as in Qwen3-Coder-30B and 480B
SPREAD = 0.02  # standard deviation of the weights


class Vocabulary(NamedTuple):
    """Tokens by id, their types (GGUF token types) and the merges in rank order."""

    tokens: list[str]
    types: list[int]
    merges: list[str]


def read_vocabulary(path: Path) -> Vocabulary:
    """The Qwen2 vocabulary in the GGUF file `path`, with Qwen3-Coder's added tokens put in."""
    fields = gguf.GGUFReader(path).fields
    tokens, types, merges = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges")
    )
    for token_id, token in enumerate(ADDED_TOKENS, FIRST_ADDED):
        control = token.startswith("<|")
        tokens[token_id] = token
        types[token_id] = gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED
    return Vocabulary(tokens, types, merges)


def add_settings(writer: gguf.GGUFWriter, vocabulary: Vocabulary, template: str, window: int) -> None:
    """Add the shape of the model, its trained window in tokens, its tokenizer and its chat template."""
    writer.add_name("tiny-qwen3-moe")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(window)
    writer.add_rope_freq_base(ROPE_THETA)
    writer.add_block_count(1)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(HIDDEN)
    writer.add_value_length(HIDDEN)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(EXPERTS_USED)
    writer.add_expert_feed_forward_length(HIDDEN)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(IM_END)
    writer.add_pad_token_id(END_OF_TEXT)
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)


def add_weights(writer: gguf.GGUFWriter, vocabulary_size: int) -> None:
    """Add every tensor of the one layer. The output projection is the embedding itself (tied)."""
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int, dtype: type = np.float16) -> None:
        writer.add_tensor(f"{name}.weight", (random.standard_normal(shape) * SPREAD).astype(dtype))

    weights("token_embd", vocabulary_size, HIDDEN)
    for norm in ("output", "blk.0.attn", "blk.0.ffn", "blk.0.attn_q", "blk.0.attn_k"):
        writer.add_tensor(f"{norm}_norm.weight", np.ones(HIDDEN, np.float32))
    for projection in ("attn_q", "attn_k", "attn_v", "attn_output"):
        weights(f"blk.0.{projection}", HIDDEN, HIDDEN)
    weights("blk.0.ffn_gate_inp", EXPERTS, HIDDEN, dtype=np.float32)  # the router, as converters write it
    for projection in ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"):
        weights(f"blk.0.{projection}", EXPERTS, HIDDEN, HIDDEN)


def write_model(out: Path, vocabulary: Vocabulary, template: str, window: int) -> None:
    """Write the model to `out`, which appears only when it is complete. Same input, same bytes."""
    partial = out.with_name(out.name + ".partial")
    writer = gguf.GGUFWriter(partial, "qwen3moe")
    add_settings(writer, vocabulary, template, window)
    add_weights(writer, len(vocabulary.tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(out)


def main() -> None:
    """Read the command line and write the model."""
    parser = argparse.ArgumentParser(description="Write a tiny random-weight Qwen3-MoE model as GGUF.")
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--vocabulary", type=Path, required=True, help="llama.cpp's ggml-vocab-qwen2.gguf")
    parser.add_argument("--template", type=Path, required=True, help="llama.cpp's Qwen3-Coder.jinja")
    parser.add_argument("--window", type=int, required=True, help="native window in tokens")
    options = parser.parse_args()
    template = options.template.read_text(encoding="utf-8")
    write_model(options.out, read_vocabulary(options.vocabulary), template, options.window)


if __name__ == "__main__":
    main()
