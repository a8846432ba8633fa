"""With whose tokenizer is a text counted?

A model's row names its tokenizer, and `counter` makes a `Counter` of it:

    qwen               the packaged vocabulary (`tokens`): Qwen2, 2.5, 3, 3-Coder; exact
    file:PATH          a Hugging Face `tokenizer.json`; exact
    tiktoken:NAME      an encoding of OpenAI's, out of tiktoken's cache and never downloaded; exact
    estimate[:BYTES]   BYTES bytes per token, each digit a token of its own; with a margin

Whatever the tokenizer, the line counts of a text add up to the count of the whole text. That sums over some of
its lines are exact too is a property of Qwen's pre-tokenizer; for others they are close, which is why a pack
is counted whole before it is given away (`pack`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repoctx import tokens
from repoctx.errors import UsageError

if TYPE_CHECKING:
    import tiktoken
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    Counts = NDArray[np.uint32]

# Measured on the standard library of Python 3.11.7, 1,460 files of at least 1,000 bytes (`tests/bench/estimate.py`).
# Bytes per token where digits are tokens of their own: 4.3 with Qwen's tokenizer, 4.4 with cl100k, 4.3 with o200k, 4.1
# with DeepSeek V3's and Claude 2's.
BYTES = 4.0
MOST_BYTES = 8.0
# The margin: at 4 bytes, the file that is estimated worst has 1.92 times as many tokens (Claude 2, `this.py`), as if it
# had 2.08 bytes per token; at 2.5 bytes and fewer, 1.24 times (Qwen, the tables of `stringprep.py`). At 1 byte none is
# needed: byte-level tokenizers have no more tokens than bytes.
LEAST_BYTES = 2.0
LEAST_FACTOR = 1.25

# What tiktoken would download: for each encoding the address, and the SHA-256 of what is there. Those of GPT-3 and
# before are left out: no window of theirs holds a pack.
_CL100K = (
    "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
)
_O200K = (
    "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
)
ENCODINGS = {"cl100k_base": _CL100K, "o200k_base": _O200K, "o200k_harmony": _O200K}

# Bytes of a tokenizer or models file that a user names: the largest vocabularies take some 20 MB.
LARGEST = 100_000_000

KINDS = "qwen, file:PATH of a tokenizer.json, tiktoken:NAME, or estimate[:BYTES]"
# Times that control words are looked for which only the tokenizer's own normaliser brings about.
_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Counter:
    """How the tokens of one model are counted."""

    name: str  # as `counter` takes it: "qwen", "file:/models/x/tokenizer.json"
    exact: bool
    margin: float  # the true count is at most 1 + margin times this one; 0 if it is exact
    count: Callable[[str], int]
    line_counts: Callable[[str], Counts]  # per line, each token where it starts; adds up to `count`
    neutralise: Callable[[str], str]  # breaks the tokenizer's control words, those of `tokens`, and our delimiters
    stored: bool = False  # whether the facts of a blob hold its line counts

    def most(self, count: int) -> int:
        """The most tokens that a text of this count can really have."""
        return math.ceil(count * (1 + self.margin))

    def within(self, budget: int) -> int:
        """The highest count of a text that really has at most `budget` tokens."""
        count = math.floor(budget / (1 + self.margin))
        return count - (self.most(count) > budget)  # the last bit of the division


QWEN = Counter("qwen", True, 0.0, tokens.count, tokens.line_counts, tokens.neutralise, stored=True)


def counter(name: str) -> Counter:
    """The counter of that name. Raises UsageError if there is no such tokenizer, or if it cannot be read."""
    kind, _, rest = name.partition(":")
    if name == "qwen":
        return QWEN
    if kind == "file" and rest:
        return _file(rest)
    if kind == "tiktoken" and rest:
        return _tiktoken(rest)
    if kind == "estimate" and (rest or name == kind):
        return _estimate(rest)
    raise UsageError(f"{name!r} is no tokenizer: it is {KINDS}")


# --- Hugging Face ------------------------------------------------------------------------------


def file_bytes(path: str) -> bytes:
    """What is in a file that a user named. Raises ValueError, OSError or RuntimeError for what is none."""
    file = Path(path).expanduser()
    if file.exists() and not (file.is_file() and file.stat().st_size <= LARGEST):
        raise ValueError(f"it is not a file of at most {LARGEST:,} bytes")
    return file.read_bytes()


def _file(path: str) -> Counter:
    try:
        raw = file_bytes(path)
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"the tokenizer {path} cannot be read: {why}") from None
    try:
        return _loaded(f"file:{path}", raw)
    except ValueError as error:
        raise UsageError(f"{path} is no tokenizer.json of Hugging Face's: {error}") from None


@functools.lru_cache(maxsize=4)
def _loaded(name: str, raw: bytes) -> Counter:
    """Raises ValueError for what is no tokenizer."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(raw)
    tokenizer.no_truncation()  # else no text would have more tokens than the file says
    tokenizer.no_padding()
    count = lambda text: len(_encoding(tokenizer, text).ids)  # noqa: E731

    def line_counts(text: str) -> Counts:
        if not text:
            return np.zeros(0, np.uint32)
        text = tokens.valid(text if text.endswith("\n") else text + "\n")
        starts = np.array([start for start, _ in _encoding(tokenizer, text).offsets], np.int64)
        characters = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        feeds = np.flatnonzero(characters == 0x0A)
        lines = np.minimum(np.searchsorted(feeds, starts), len(feeds) - 1)
        return np.bincount(lines, minlength=len(feeds)).astype(np.uint32)

    return Counter(name, True, 0.0, count, line_counts, _safe(tokenizer, _unknown(raw)))


def _encoding(tokenizer: Tokenizer, text: str) -> Any:
    """`text` as the server encodes it. Raises UsageError if the vocabulary cannot say it."""
    try:
        return tokenizer.encode(tokens.valid(text), add_special_tokens=False)
    except Exception as error:  # the package raises nothing more precise
        raise UsageError(f"the tokenizer cannot encode a text of the pack: {error}") from error


def _unknown(raw: bytes) -> set[Any]:
    """The token, or its number, that stands for what the vocabulary lacks."""
    model = json.loads(raw)["model"]
    return {model.get("unk_token"), model.get("unk_id")} - {None}


def _safe(tokenizer: Tokenizer, unknown: set[Any]) -> Callable[[str], str]:
    """Breaks the control words of a tokenizer, those that its normaliser brings about as well.

    Added tokens that are not special are vocabulary (runs of blanks, HTML tags), unless they look like control words.
    """
    added = tokenizer.get_added_tokens_decoder()
    control = {
        number: token
        for number, token in added.items()
        if (token.special or "|" in token.content or "\uff5c" in token.content) and len(token.content) > 1
    }
    broken = breaker(token.content for token in control.values())
    brought = {
        number for number, token in control.items() if token.normalized and not {number, token.content} & unknown
    }
    if tokenizer.normalizer is None or not brought:
        return broken

    def safe(text: str) -> str:
        text = broken(text)
        for again in range(_ROUNDS):
            encoding = _encoding(tokenizer, text)
            spans = [span for span, number in zip(encoding.offsets, encoding.ids, strict=True) if number in brought]
            if not spans:
                break
            characters = list(tokens.valid(text))
            for start, end in spans:
                for at in range(start, end):
                    if again and characters[at] != "\n":
                        characters[at] = "\ufffd"
                characters[start] += "" if again else tokens.BREAK
            text = "".join(characters)
        return text

    return safe


def breaker(words: Iterable[str]) -> Callable[[str], str]:
    """`tokens.neutralise` for these words as well: each gets a zero width space behind its first character.

    The same object comes back if there is nothing to break; it never adds or removes a line. Words of one character,
    and those that hold a zero width space themselves, stay.
    """
    rests: dict[str, list[str]] = {}
    for word in sorted({word for word in words if len(word) > 1 and tokens.BREAK not in word}):
        rests.setdefault(word[0], []).append(re.escape(word[1:]))
    if not rests:
        return tokens.neutralise
    pattern = re.compile("|".join(f"{re.escape(first)}(?={'|'.join(rest)})" for first, rest in rests.items()))

    def broken(text: str) -> str:
        text = tokens.neutralise(text)
        return pattern.sub(lambda found: found[0] + tokens.BREAK, text) if pattern.search(text) else text

    return broken


# --- tiktoken ----------------------------------------------------------------------------------


def _tiktoken(name: str) -> Counter:
    if name not in ENCODINGS:
        raise UsageError(f"tiktoken:{name} is not known here: there are {', '.join(ENCODINGS)}")
    address, digest = ENCODINGS[name]
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    path = Path(tempfile.gettempdir(), "data-gym-cache") if folder is None else Path(folder)
    cached = path / hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    try:  # whatever is not exactly this, tiktoken would delete and download
        found = bool(folder is None or folder) and hashlib.sha256(cached.read_bytes()).hexdigest() == digest
    except OSError:
        found = False
    if not found:
        raise UsageError(
            f"the ranks of tiktoken:{name} are not in tiktoken's cache, and repoctx downloads nothing: set "
            f"TIKTOKEN_CACHE_DIR to a folder that stays, and run "
            f"`python -c \"import tiktoken; tiktoken.get_encoding('{name}')\"` once where there is a network"
        )
    return _cached(name)


@functools.cache
def _cached(name: str) -> Counter:
    import tiktoken

    return of_encoding(f"tiktoken:{name}", tiktoken.get_encoding(name))


def of_encoding(name: str, encoding: tiktoken.Encoding) -> Counter:
    """The counter of a tiktoken encoding whose pattern ends a piece at a line feed that blanks follow."""
    ranks = encoding._mergeable_ranks
    lengths = np.zeros(max(ranks.values()) + 1, np.int64)
    lengths[list(ranks.values())] = [len(token) for token in ranks]
    return Counter(
        name,
        True,
        0.0,
        functools.partial(tokens.encoded_count, encoding),
        functools.partial(tokens.encoded_line_counts, encoding, lengths),
        breaker(encoding.special_tokens_set),
    )


# --- estimates ---------------------------------------------------------------------------------


def _estimate(given: str) -> Counter:
    try:
        bytes_per_token = float(given) if given else BYTES
    except ValueError:
        bytes_per_token = math.nan
    if not 1 <= bytes_per_token <= MOST_BYTES:
        raise UsageError(f"estimate:{given} is no tokenizer: bytes per token are a number from 1 to {MOST_BYTES:g}")
    margin = max(bytes_per_token / LEAST_BYTES, min(bytes_per_token, LEAST_FACTOR)) - 1

    def upto(text: str) -> NDArray[np.float64]:
        """Tokens before each byte's end."""
        raw = np.frombuffer(tokens.valid(text).encode(), np.uint8)
        digits = np.cumsum((raw >= 0x30) & (raw <= 0x39), dtype=np.int64)
        return np.ceil(digits + (np.arange(1, len(raw) + 1) - digits) / bytes_per_token)

    def count(text: str) -> int:
        return int(upto(text)[-1]) if text else 0

    def line_counts(text: str) -> Counts:
        text = tokens.valid(text if text.endswith("\n") or not text else text + "\n")
        feeds = np.flatnonzero(np.frombuffer(text.encode(), np.uint8) == 0x0A)
        return np.diff(upto(text)[feeds], prepend=0).astype(np.uint32)

    name = f"estimate:{bytes_per_token:g}"
    return Counter(name, False, margin, count, line_counts, tokens.neutralise)
