"""Small real tokenizers of several kinds, made on the spot."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import tiktoken
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from repoctx import counters, tokens

TEXT = [
    "def total(prices, rate):\n    return sum(price * rate for price in prices)\n\n\n" * 20,
    "class Parcel:\n    def weigh(self):\n        if self.weight:\n            return self.weight\n" * 20,
    '<file path="src/a.py" lines="1-20">\n</file>\n⋯ 12-30\n<task>\n</task>\n' * 20,
]
SPECIAL = ["<s>", "</s>", "<unk>", "[INST]", "<|eot|>", "<\uff5cUser\uff5c>"]
# The pattern of o200k: unlike Qwen's it goes on into a next line that begins with a slash.
SLASHES = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level() -> Tokenizer:
    """As GPT-2: white space at the end of a line and at the beginning of the next is one piece."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return _trained(made, pre_tokenizers.ByteLevel.alphabet())


def qwen_like() -> Tokenizer:
    """As Qwen: its pattern, NFC, and a limit that a tokenizer.json may well have."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(tokens.PATTERN), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    made = _trained(made, pre_tokenizers.ByteLevel.alphabet())
    made.enable_truncation(5)
    return made


def whole() -> Tokenizer:
    """As Gemma and Llama 2: no pieces at all, so merges go over the ends of lines; a mark before the text."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return _trained(made, [])


def folded() -> Tokenizer:
    """As XLM-R: a Unigram model that folds forms of characters, and finds control words after that."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    made.train_from_iterator(TEXT, trainer)
    made.add_special_tokens([AddedToken(word, normalized=True, special=True) for word in SPECIAL])
    return made


def _trained(made: Tokenizer, alphabet: list[str]) -> Tokenizer:
    trainer = trainers.BpeTrainer(
        vocab_size=500, initial_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
    )
    made.train_from_iterator(TEXT, trainer)
    return made


MADE = {"byte level": byte_level, "qwen like": qwen_like, "whole": whole, "folded": folded}


@cache
def tokenizer(kind: str) -> Tokenizer:
    """One of `MADE`, without its limits."""
    made = MADE[kind]()
    made.no_truncation()
    return made


def written(kind: str, folder: Path) -> Path:
    """The `tokenizer.json` of one of `MADE`, as it was made."""
    path = folder / f"{kind}.json"
    path.write_text(MADE[kind]().to_str(), encoding="utf-8")
    return path


@cache
def slashes() -> tiktoken.Encoding:
    """The ranks of Qwen with the pattern of o200k."""
    ranks = tokens._encoding()._mergeable_ranks
    return tiktoken.Encoding("slashes", pat_str=SLASHES, mergeable_ranks=ranks, special_tokens={"<|end|>": 151_643})


@cache
def counter(kind: str) -> counters.Counter:
    """The counter of one of `MADE`, of an estimate, or of a tiktoken encoding with a pattern of its own."""
    if kind == "slashes":
        return counters.of_encoding("tiktoken:slashes", slashes())
    if kind in MADE:
        return counters._loaded(f"file:{kind}", MADE[kind]().to_str().encode())
    return counters.counter(kind)
