"""A sentence-transformers model with random weights, made on the spot: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

WORDS = [f"word{number}" for number in range(50)]


def random_transformer(made: Path, window: int) -> Path:
    """The folder of a transformer of 16 dimensions and a window of so many tokens, which knows WORDS."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", model_max_length=window
    )
    fast.save_pretrained(made / "bert")
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=window,
    )  # fmt: skip
    BertModel(config).save_pretrained(made / "bert")
    bert = Transformer(str(made / "bert"), max_seq_length=window)
    SentenceTransformer(modules=[bert, Pooling(16)], device="cpu").save(str(made / "model"))
    return made / "model"
