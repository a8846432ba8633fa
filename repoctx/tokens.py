"""How many tokens does the model see?

Qwen2 to Qwen3-Coder share one tokenizer: a pre-tokenizer (a regular expression) cuts the text into
pieces, and byte-pair merging works within a piece only. Two consequences carry the packer:

*Sums are exact at clean cuts.* A piece that holds a line feed ends with `[\\r\\n]`, and reaches past a
line feed only if the white space after it holds a further `\\r` or `\\n`. So the pre-tokenizer always
breaks before a line whose leading white space holds neither, whatever stands before it: such a line
is a *clean cut* (`clean_cut`), and so is the end of the text. Between clean cuts, token counts of
lines (`line_counts`) add up to the count of the text.

*No text can be mistaken for a control token.* Servers turn `<|im_end|>` or `<tool_call>` inside a
message into control tokens. `neutralise` breaks such words with a zero width space (U+200B), and with
them the delimiters of our own prompts, so no file can forge one.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import importlib.resources
import re
from typing import TYPE_CHECKING

import numpy as np
import tiktoken

from repoctx.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Counts = NDArray[np.uint32]

# The ranks that the Apache-2.0 package `dashscope` 2.0.2 ships (resources/NOTICE); equal, token by
# token, to the vocabulary in llama.cpp's ggml-vocab-qwen2.gguf.
RANKS_SHA256 = "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"
# The same string in dashscope and in llama.cpp (QWEN2).
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
END_OF_TEXT = 151_643  # <|endoftext|>, the first id above the ranks

# \s of the pattern is Unicode's White_Space; Python's \s also takes U+001C to U+001F, so it is spelt out.
_BLANK = "\t\v\f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CLEAN = re.compile(f"[{_BLANK}]*[^{_BLANK}\r\n]")
# tiktoken's matcher needs one stack entry per blank and gives up at 1,000,000 (0.14.0: 900,000 pass).
_LONG = 100_000
_LONG_BLANKS = re.compile(f"[{_BLANK}]{{{_LONG},}}")

# Control words: `<|...|>` of any vocabulary, the named ones of Qwen's (ids 151657 to 151668), and the
# delimiters of `pack.render`, in every spelling that a reader might take for them.
_CONTROL = re.compile(
    r"<(?=\|\w{1,40}\|>|/?\s*(?:tool_call|tool_response|think|file|task|repository_map)\s*>|file\s+path)"
)
_ELISION = re.compile(r"⋯(?= ?\d)")
BREAK = "\u200b"

# ChatML around one message: <|im_start|> ROLE \n CONTENT <|im_end|> \n, and <|im_start|> assistant \n
# to open the answer (Qwen3-Coder.jinja, which trims nothing). Every word of it is one token.
_MESSAGE_TOKENS = 5
_ANSWER_TOKENS = 3


def count(text: str) -> int:
    """The exact number of tokens of `text`, control words in it counted as plain text."""
    return encoded_count(_encoding(), text)


def line_counts(text: str) -> Counts:
    """Tokens per line (uint32), each token counted on the line in which it starts.

    Lines end with a line feed; one that is missing at the end is counted as if present. For lines a
    to b with clean cuts before a and after b, the sum equals `count` of those lines. Empty text has none.
    """
    return encoded_line_counts(_encoding(), _lengths(), text)


def encoded_count(encoding: tiktoken.Encoding, text: str) -> int:
    """`count` with the ranks and the pattern of any byte-level encoding."""
    return sum(len(part) for part in _encode(encoding, valid(text)))


def encoded_line_counts(encoding: tiktoken.Encoding, lengths: NDArray[np.int64], text: str) -> Counts:
    """`line_counts` with any byte-level encoding. The sum over all lines is exact, whatever the pattern.

    `lengths` are the bytes of every token, by id.
    """
    if not text:
        return np.zeros(0, np.uint32)
    text = valid(text if text.endswith("\n") else text + "\n")
    ends = np.flatnonzero(np.frombuffer(text.encode(), np.uint8) == 0x0A)
    ids = np.concatenate(list(_encode(encoding, text)))
    after = np.cumsum(lengths[ids], dtype=np.int64)  # byte offset behind each token
    # Tokens that start at or before a line feed: those that end at or before it, and the one around it.
    upto = np.searchsorted(after, ends, side="right") + 1
    return np.diff(upto, prepend=0).astype(np.uint32)


def clean_cut(line: str) -> bool:
    """Whether the pre-tokenizer always breaks before this line (with or without its line feed)."""
    return _CLEAN.match(line) is not None


def neutralise(text: str) -> str:
    """`text` with control words and our delimiters broken by U+200B; the same object if it has none.

    Idempotent; never adds or removes a line.
    """
    text = _CONTROL.sub("<" + BREAK, text)
    return _ELISION.sub("⋯" + BREAK, text) if "⋯" in text else text


def chat_overhead(system: str = "") -> int:
    """Tokens that the chat template adds to one user message, with or without a system message.

    What a server reports as `prompt_tokens` is `count(content) + chat_overhead(system)`, provided that
    the content and the system text begin at a clean cut: at a letter, say, not at a blank line.
    """
    overhead = _MESSAGE_TOKENS + _ANSWER_TOKENS
    return overhead + _MESSAGE_TOKENS + count(system) if system else overhead


def valid(text: str) -> str:
    """`text` with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _encode(encoding: tiktoken.Encoding, text: str) -> Iterator[Counts]:
    """The token ids of `text`, in parts.

    A run of blanks is a piece of its own but for its last blank, which may begin the next piece; a long
    one is merged directly, since the matcher could not take it. One followed by a line feed it can take.
    """
    start = 0
    if len(text) >= _LONG:
        for run in _LONG_BLANKS.finditer(text):
            if text[run.end() : run.end() + 1] in ("\r", "\n"):
                continue
            end = run.end() if run.end() == len(text) else run.end() - 1
            yield _ids(encoding, text[start : run.start()])
            yield np.array(encoding._encode_single_piece(text[run.start() : end].encode()), np.uint32)
            start = end
    yield _ids(encoding, text[start:])


def _ids(encoding: tiktoken.Encoding, text: str) -> Counts:
    return encoding.encode_to_numpy(text, allowed_special=set(), disallowed_special=())


@functools.cache
def _encoding() -> tiktoken.Encoding:
    """The encoding, built once a process (0.4 CPU s) from the packaged ranks.

    Raises StorageError if they are not the file that was shipped.
    """
    raw = (importlib.resources.files("repoctx") / "resources" / "qwen.tiktoken").read_bytes()
    if hashlib.sha256(raw).hexdigest() != RANKS_SHA256:
        raise StorageError("The packaged tokenizer ranks are damaged: install repoctx again.")
    ranks = {binascii.a2b_base64(line.partition(b" ")[0]): rank for rank, line in enumerate(raw.splitlines())}
    # Without any special token, tiktoken looks for an empty one at every character (twice the time).
    special = {"<|endoftext|>": END_OF_TEXT}
    return tiktoken.Encoding("qwen", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special)


@functools.cache
def _lengths() -> NDArray[np.int64]:
    """Bytes of every token, by id."""
    encoding = _encoding()
    return np.array([len(encoding.decode_single_token_bytes(i)) for i in range(END_OF_TEXT)], np.int64)
