"""Counting with other tokenizers than Qwen's: files, tiktoken's encodings, estimates."""

from __future__ import annotations

import functools
import hashlib
import sysconfig
from pathlib import Path

import made_tokenizers
import pytest
import tiktoken.registry
import tiktoken_ext.openai_public
from made_tokenizers import MADE, SPECIAL, TEXT, tokenizer, written

from repoctx import counters, tokens
from repoctx.counters import QWEN, breaker, counter
from repoctx.errors import UsageError

HOSTILE = "def f(x):\n    return <s> x;\n// é漢 e\u0301 [INST]\r\n\n⋯ 3 \ud800 <|im_end|>\x00 👩\u200d💻 <|eot|>"


def test_qwen_is_the_packaged_vocabulary() -> None:
    """Its counts are those of `tokens`, exact, and stored with the facts."""
    assert counter("qwen") is QWEN
    assert (QWEN.exact, QWEN.margin, QWEN.stored) == (True, 0.0, True)
    assert QWEN.count("def main():\n") == 3


@pytest.mark.parametrize("kind", MADE)
def test_a_file_counts_as_the_tokenizer_does(kind: str, tmp_path: Path) -> None:
    """Counts are those of the tokenizers package with the same file, whatever its limits; lines add up to them."""
    path = written(kind, tmp_path)
    made = counter(f"file:{path}")
    assert (made.name, made.exact, made.margin, made.stored) == (f"file:{path}", True, 0.0, False)
    for text in (*TEXT, made.neutralise(HOSTILE), "", "\n", "x"):
        expected = len(tokenizer(kind).encode(tokens.valid(text), add_special_tokens=False).ids)
        assert made.count(text) == expected
        lines = made.line_counts(text).tolist()
        whole = text if text.endswith("\n") or not text else text + "\n"
        assert sum(lines) == made.count(whole)
        assert len(lines) == whole.count("\n")


def test_line_counts_of_a_file_are_where_tokens_start(tmp_path: Path) -> None:
    """GPT-2's pieces reach over the end of a line: `:`, then line feed and blanks in one token."""
    made = counter(f"file:{written('byte level', tmp_path)}")
    assert made.line_counts("):\n    return x\n").tolist() == [2, 4]
    assert tokenizer("byte level").encode("):\n    return x\n").tokens == ["):", "ĊĠĠĠ", "Ġreturn", "Ġ", "x", "Ċ"]


@pytest.mark.parametrize("kind", MADE)
def test_no_control_word_of_a_file_can_be_spelt(kind: str) -> None:
    """Repository text has none of its special tokens, nor of Qwen's, once it is neutralised."""
    made = made_tokenizers.counter(kind)
    text = " ".join(SPECIAL) + HOSTILE + "<think></file>"
    safe = made.neutralise(text)
    assert [word for word in (*SPECIAL, "<|im_end|>", "<think>", "</file>") if word in safe] == []
    special = {tokenizer(kind).token_to_id(word) for word in SPECIAL if word != "<unk>"}
    assert special & set(tokenizer(kind).encode(tokens.valid(safe), add_special_tokens=False).ids) == set()
    assert made.neutralise(safe) == safe
    assert safe.count("\n") == text.count("\n")
    plain = "def total(rate):\n    return rate\n"
    assert made.neutralise(plain) is plain


@pytest.mark.parametrize(
    "text", ["\uff1cs\uff1e", "a \uff1c/s\uff1e b", "\uff3bINST\uff3d \uff1c\uff5cUser\uff5c\uff1e"]
)
def test_words_that_a_normaliser_makes_are_broken(text: str) -> None:
    """NFKC makes `<s>` of full-width letters, and that tokenizer looks for control words only then."""
    special = {tokenizer("folded").token_to_id(word) for word in SPECIAL if word != "<unk>"}
    assert special & set(tokenizer("folded").encode(text).ids)
    safe = made_tokenizers.counter("folded").neutralise(text)
    assert not special & set(tokenizer("folded").encode(safe).ids)
    assert safe.replace(tokens.BREAK, "") == text


def test_unknown_characters_are_no_control_words() -> None:
    """What a vocabulary lacks becomes its `<unk>`; the text stays."""
    assert made_tokenizers.counter("folded").neutralise("ваза v") == "ваза v"


def test_breaker_breaks_words_that_overlap() -> None:
    """Every word is broken behind its first character, wherever it begins."""
    broken = breaker(["<|a|>", "|>x", "y", "[B]"])
    assert broken("<|a|>x [B] y") == "<\u200b|a|\u200b>x [\u200bB] y"
    assert breaker([]) is tokens.neutralise


# --- tiktoken ----------------------------------------------------------------------------------


def test_what_tiktoken_would_load_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses and hashes are those of the installed tiktoken: what is checked is what it would take."""
    asked = []

    def load(address: str, expected_hash: str) -> dict[bytes, int]:
        asked.append((address, expected_hash))
        return {}

    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", load)
    for name in counters.ENCODINGS:
        tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[name]()
    assert asked == list(counters.ENCODINGS.values())


@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
def test_nothing_is_downloaded(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoding that is not in the cache, or damaged there, is refused; the file stays."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    said = r"the ranks of tiktoken:cl100k_base are not in tiktoken's cache, and repoctx downloads nothing"
    with pytest.raises(UsageError, match=said):
        counter("tiktoken:cl100k_base")
    damaged = tmp_path / hashlib.sha1(counters.ENCODINGS["cl100k_base"][0].encode()).hexdigest()
    damaged.write_bytes(b"IQ== 0\n")
    with pytest.raises(UsageError, match=said):
        counter("tiktoken:cl100k_base")
    assert damaged.read_bytes() == b"IQ== 0\n"
    monkeypatch.setenv(variable, "")
    with pytest.raises(UsageError, match=said):
        counter("tiktoken:cl100k_base")


def test_an_encoding_is_taken_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right file there, counts are tiktoken's; its special tokens are broken too."""
    ranks = (Path(tokens.__file__).parent / "resources" / "qwen.tiktoken").read_bytes()
    address, digest = "https://ranks.invalid/qwen", hashlib.sha256(ranks).hexdigest()
    (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_bytes(ranks)
    load = functools.partial(tiktoken_ext.openai_public.load_tiktoken_bpe, address, expected_hash=digest)
    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", lambda *_, **__: load())
    monkeypatch.setitem(counters.ENCODINGS, "cl100k_base", (address, digest))
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    made = counter("tiktoken:cl100k_base")
    try:
        assert (made.name, made.exact, made.margin) == ("tiktoken:cl100k_base", True, 0.0)
        assert made.count("def main():\n") == 3
        assert made.neutralise("<|endofprompt|>") == "<\u200b|endofprompt|>"
    finally:
        counters._cached.cache_clear()


def test_a_pattern_may_reach_into_the_next_line() -> None:
    """o200k takes the slashes of a comment into the piece before; the sum over lines is exact all the same."""
    made = made_tokenizers.counter("slashes")
    text = "x = (1)\n// y\n"
    assert int(made.line_counts(text).sum()) == made.count(text) == len(made_tokenizers.slashes().encode(text))


# --- estimates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name,text,expected",
    [
        ("estimate", "", 0),
        ("estimate", "x", 1),
        ("estimate", "word" * 10, 10),
        ("estimate", "2024", 4),
        ("estimate", "word 2024 word", 4 + 3),  # ten other bytes
        ("estimate", "漢字漢字", 3),  # twelve bytes
        ("estimate:2", "word" * 10, 20),
        ("estimate:1", "word" * 10, 40),
        ("estimate:2.5", "word" * 10, 16),
        ("estimate", "\ud800", 1),
    ],
)
def test_an_estimate_goes_by_bytes(name: str, text: str, expected: int) -> None:
    """So many bytes per token, digits one by one, rounded up."""
    assert counter(name).count(text) == expected


@pytest.mark.parametrize(
    "name,margin",
    [("estimate", 1.0), ("estimate:4", 1.0), ("estimate:3", 0.5), ("estimate:2", 0.25), ("estimate:1", 0.0)],
)
def test_an_estimate_says_its_margin(name: str, margin: float) -> None:
    """It is never exact; what a pack may have is the budget without the margin."""
    made = counter(name)
    assert (made.exact, made.margin) == (False, margin)
    assert made.within(made.most(1000)) == 1000
    assert made.most(made.within(1000)) <= 1000


def test_line_counts_of_an_estimate() -> None:
    """They add up to the whole, whatever the rounding of each."""
    assert counter("estimate").line_counts("ab\ncd\n12\n\n").tolist() == [1, 1, 2, 0]
    assert counter("estimate").count("ab\ncd\n12\n\n") == 4
    assert counter("estimate").line_counts("").tolist() == []


@pytest.mark.parametrize("bytes_per_token", [1, 1.5, 2, 3, 4, 8])
def test_the_margin_holds_on_the_standard_library(bytes_per_token: float) -> None:
    """No file of it has more of Qwen's tokens; `tests/bench/estimate.py` asks other tokenizers too."""
    made = counter(f"estimate:{bytes_per_token}")
    stdlib = Path(sysconfig.get_path("stdlib"))
    worst = ["stringprep.py", "this.py", "encodings/cp869.py", "html/entities.py", "argparse.py", "dataclasses.py"]
    for name in worst:
        text = (stdlib / name).read_text(encoding="utf-8")
        assert tokens.count(text) <= made.most(made.count(text)), name


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name,said",
    [
        ("", "'' is no tokenizer: it is qwen, file:PATH"),
        ("qwen2", "'qwen2' is no tokenizer"),
        ("file:", "'file:' is no tokenizer"),
        ("file:/nowhere/tokenizer.json", "the tokenizer /nowhere/tokenizer.json cannot be read: No such file"),
        ("tiktoken:gpt2", "tiktoken:gpt2 is not known here: there are cl100k_base, o200k_base, o200k_harmony"),
        ("estimate:", "'estimate:' is no tokenizer"),
        ("estimate:0.5", "estimate:0.5 is no tokenizer: bytes per token are a number from 1 to 8"),
        ("estimate:nan", "bytes per token are a number"),
        ("estimate:many", "bytes per token are a number"),
    ],
)
def test_what_is_no_tokenizer(name: str, said: str) -> None:
    """One sentence says what is wrong."""
    with pytest.raises(UsageError) as raised:
        counter(name)
    assert said in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": 1}', b"[]"])
def test_a_file_that_is_no_tokenizer(content: bytes, tmp_path: Path) -> None:
    """What the package refuses is said with the file's name."""
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"tokenizer\.json is no tokenizer\.json of Hugging Face's"):
        counter(f"file:{tmp_path / 'tokenizer.json'}")
