"""Which chunks contain the words of a query? BM25 over fields, on code-aware terms.

A term is a whole identifier, one of its camelCase or snake_case parts, a word, a number, or two
neighbouring CJK characters; all in lower case. The score of a chunk is BM25F (Robertson, Zaragoza,
"The Probabilistic Relevance Framework: BM25 and Beyond", 2009, section 3.6): the frequencies of a term
in the fields are length-normalised each, weighted and summed before they saturate. Statistics are
those of the snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from repoctx.index import stems
from repoctx.spans import ranges
from repoctx.types import Bytes, Floats, Ints

WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\da-zA-Z_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Longer words are data (hashes, base64), not names.
LONGEST = 64

# Saturation and length normalisation: the usual values for code search with short documents
# (bm25s and semble use k1 1.2 and b 0.75).
K1 = 1.2
# field: (weight, b). The body holds all text, so a name counts in the body too; paths are short and
# their length says little.
FIELD_WEIGHTS: dict[str, tuple[float, float]] = {
    "name": (3.0, 0.3),
    "signature": (1.0, 0.5),
    "doc": (1.0, 0.5),
    "body": (1.0, 0.75),
    "path": (1.5, 0.3),
}


# Bytes that end a word: ASCII that is neither a letter, a digit nor "_". All others stay, so that UTF-8
# text need not be decoded to be cut into words (five times faster than a regular expression).
_SPACED = bytes(b if b >= 0x80 or chr(b).isalnum() or b == 0x5F else 0x20 for b in range(256))


def words(text: bytes) -> list[bytes]:
    """The words of a text in UTF-8, in order; a word may still hold non-ASCII punctuation."""
    return text.translate(_SPACED).split()


@lru_cache(maxsize=200_000)
def word_terms(word: bytes) -> tuple[str, ...]:
    """The terms of what `words` gives, each once."""
    if len(word) > 4 * LONGEST:
        return ()
    if word.isascii():
        return split(word.decode())
    return tuple(dict.fromkeys(term for part in WORD.findall(word.decode("utf-8", "replace")) for term in split(part)))


@lru_cache(maxsize=200_000)
def split(word: str) -> tuple[str, ...]:
    """The terms of one word: itself and its parts, each once."""
    if len(word) > LONGEST or (len(word) == 1 and word.isascii()):
        return ()
    if _CJK.search(word):
        return tuple(dict.fromkeys(word[i : i + 2] for i in range(max(1, len(word) - 1))))
    parts = [part.lower() for part in _PART.findall(word) if len(part) > 1]
    whole = word.lower().strip("_")
    return tuple(dict.fromkeys([whole, *parts] if len(whole) > 1 else parts))


def terms(text: str) -> list[str]:
    """All terms of a text, in order, with repeats."""
    return [term for word in words(text.encode("utf-8", "replace")) for term in word_terms(word)]


# --- writing -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """Which chunks hold each term. T terms, N postings, C chunks, f fields (without the path)."""

    terms: Sequence[bytes]  # T, sorted
    offset: NDArray[np.int64]  # T + 1
    chunk: Ints  # N
    frequency: Bytes  # (N, f)
    length: NDArray[np.uint16]  # (C, f), words in each field


def postings(fields: Sequence[Sequence[tuple[int, bytes]]], chunks: int) -> Postings:
    """Index texts in UTF-8: for each field a list of (chunk number, text). `chunks` is C."""
    numbered: dict[bytes, int] = {}
    pairs, lengths = [], np.zeros((chunks, len(fields)), np.int64)
    for field, texts in enumerate(fields):
        found = [words(text) for _, text in texts]
        counts = np.fromiter(map(len, found), np.int64, len(found))
        chunk = np.fromiter((number for number, _ in texts), np.int64, len(texts))
        for word in dict.fromkeys(chain.from_iterable(found)):
            numbered.setdefault(word, len(numbered))
        word_number = np.fromiter(map(numbered.__getitem__, chain.from_iterable(found)), np.int64, counts.sum())
        lengths[:, field] = np.bincount(chunk, counts, chunks)
        pairs.append(np.unique(word_number * chunks + np.repeat(chunk, counts), return_counts=True))
    split_words = [word_terms(word) for word in numbered]
    vocabulary = sorted({term.encode() for parts in split_words for term in parts})
    index = {term.decode(): i for i, term in enumerate(vocabulary)}
    width = np.fromiter(map(len, split_words), np.int64, len(split_words))
    flat = np.fromiter(map(index.__getitem__, chain.from_iterable(split_words)), np.int64, width.sum())
    start = np.cumsum(width) - width
    rows, weights = [np.empty(0, np.int64)], []
    for pair, count in pairs:
        word_number, chunk = np.divmod(pair, max(chunks, 1))
        repeat = width[word_number]
        position = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat)
        term = flat[np.repeat(start[word_number], repeat) + position]
        rows.append(term * chunks + np.repeat(chunk, repeat))
        weights.append(np.repeat(count, repeat))
    unique, inverse = np.unique(np.concatenate(rows), return_inverse=True)
    frequency = np.zeros((len(unique), len(fields)), np.int64)
    at = 0
    for field, weight in enumerate(weights):
        frequency[:, field] = np.bincount(inverse[at : at + len(weight)], weight, len(unique))
        at += len(weight)
    term, chunk = np.divmod(unique, max(chunks, 1))
    return Postings(
        vocabulary,
        np.searchsorted(term, np.arange(len(vocabulary) + 1)),
        chunk.astype(np.int32),
        np.minimum(frequency, 255).astype(np.uint8),
        np.minimum(lengths, 65535).astype(np.uint16),
    )


# --- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """What scoring needs to know of a snapshot. D chunks in F files."""

    count: Callable[[str], int]  # term -> number of rows
    postings: Callable[[str], tuple[Ints, Bytes]]  # term -> (rows, (rows, fields) frequencies)
    file_offset: NDArray[np.int64]  # F + 1
    path_terms: Mapping[str, tuple[Ints, Ints]]  # term -> files, how often in the path of each
    norms: Floats  # (D, fields + 1): weight / length normalisation of each field, the path last


def corpus(
    count: Callable[[str], int],
    postings: Callable[[str], tuple[Ints, Bytes]],
    chunk_file: Ints,
    file_offset: NDArray[np.int64],
    length: NDArray[np.uint16],
    paths: Sequence[str],
) -> Corpus:
    """Gather a snapshot's statistics; `length` is (D, fields) as in Postings."""
    path_terms: dict[str, dict[int, int]] = {}
    path_length = np.zeros(len(paths), np.int64)
    for file, path in enumerate(paths):
        found = terms(path)
        path_length[file] = len(found)
        for term in found:
            files = path_terms.setdefault(term, {})
            files[file] = files.get(file, 0) + 1
    lengths = [length[:, field].astype(np.int64) for field in range(length.shape[1])]
    lengths.append(path_length[chunk_file])
    norms: Floats = np.empty((len(chunk_file), len(lengths)), np.float32)
    for field, ((weight, b), field_length) in enumerate(zip(FIELD_WEIGHTS.values(), lengths, strict=True)):
        mean = max(1.0, int(field_length.sum()) / max(1, len(field_length)))
        norms[:, field] = weight / (1 - b + b * field_length / mean)
    counted = {
        term: (np.fromiter(files, np.int32, len(files)), np.fromiter(files.values(), np.int32, len(files)))
        for term, files in path_terms.items()
    }
    return Corpus(count, postings, file_offset, counted, norms)


# What an occurrence of another form of a term counts: `parser` for `parse` (of 0.3, 0.5 and 0.7; NDCG@10 of code
# search +.012 with forms, tests/bench/README.md).
FORM_WEIGHT = 0.5


class Found(NamedTuple):
    """A term that is in a snapshot."""

    term: str
    rarity: float  # inverse frequency
    rows: Ints  # of the chunks that it is in


def score(
    corpus: Corpus, weights: Mapping[str, float], most: int | None = None, forms: bool = False
) -> tuple[Floats, list[Found]]:
    """(D,) BM25F scores for terms with weights, and the terms found, by the alphabet.

    `forms` counts other forms of the terms too. Of more than `most` terms those are taken that weigh most in
    this snapshot: the rare ones.
    """
    scores: Floats = np.zeros(len(corpus.norms), np.float32)
    found: list[Found] = []
    for term in sorted(_rarest(corpus, weights, most) if most is not None and len(weights) > most else weights):
        rows, frequency = _frequencies(corpus, term, forms)
        if len(rows):
            rarity = _rarity(len(scores), len(rows))
            saturated = frequency * np.float32(K1 + 1) / (frequency + np.float32(K1))
            scores[rows] += np.float32(weights[term] * rarity) * saturated
            found.append(Found(term, rarity, rows))
    return scores, found


def _rarity(chunks: int, holding: int) -> float:
    """Inverse frequency of a term in so many of all chunks."""
    return float(np.log1p((chunks - holding + 0.5) / (holding + 0.5)))


def _rarest(corpus: Corpus, weights: Mapping[str, float], most: int) -> list[str]:
    """The terms of the texts that weigh most; what is only in paths comes last."""
    counts = {term: corpus.count(term) for term in weights}
    weighed = {term: weights[term] * _rarity(len(corpus.norms), n) if n else 0.0 for term, n in counts.items()}
    return sorted(weights, key=lambda term: (-round(weighed[term], 6), term))[:most]


def _frequencies(corpus: Corpus, term: str, forms: bool) -> tuple[Ints, Floats]:
    """The chunks that a term is in, each once, and its normalised and weighted frequency there."""
    parts: list[tuple[Ints, Floats]] = []
    for one in (term, *stems.forms(term)) if forms else (term,):
        factor = np.float32(1.0 if one == term else FORM_WEIGHT)
        rows, counts = corpus.postings(one)
        if len(rows):
            parts.append((rows, factor * np.einsum("ij,ij->i", counts.astype(np.float32), corpus.norms[rows, :-1])))
        if one in corpus.path_terms:
            files, times = corpus.path_terms[one]
            start, width = corpus.file_offset[files], corpus.file_offset[files + 1] - corpus.file_offset[files]
            inside = ranges(start, width).astype(np.int32)
            parts.append((inside, factor * np.repeat(times, width) * corpus.norms[inside, -1]))
    if len(parts) == 1:
        return parts[0]
    summed: Floats = np.zeros(len(corpus.norms), np.float32)
    for rows, frequency in parts:
        summed[rows] += frequency
    rows = np.flatnonzero(summed).astype(np.int32)
    return rows, summed[rows]
