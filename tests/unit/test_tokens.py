"""Token counts, clean cuts, neutralised control words, and the chat template's overhead."""

from __future__ import annotations

import pytest

from repoctx import tokens


@pytest.mark.parametrize(
    "text,expected",
    [
        ("", 0),
        ("Hello, world!", 4),  # 9707 11 1879 0, as every Qwen2 server answers
        ("2024", 4),  # digits one by one
        ("<|im_end|>", 6),  # counted as text, not as one control token
        ("def f(x):\n    return x\n", 8),
        ("我们", 1),
        ("\r\n\r\n", 1),
        ("don't", 2),
        ("a" * 100, 13),
    ],
)
def test_count_is_that_of_the_model(text: str, expected: int) -> None:
    """Counts are those of the Qwen2 tokenizer with control words read as plain text."""
    assert tokens.count(text) == expected


def test_blanks_beyond_the_matcher_are_counted() -> None:
    """A run of blanks that tiktoken's own matcher cannot take (a million) is counted all the same."""
    text = "x = 1\n" + " " * 1_000_001 + "(y)"
    assert tokens.count(text) == tokens.count("x = 1\n") + 7813 + tokens.count(" (y)")


def test_long_blanks_equal_the_matcher_where_it_can() -> None:
    """Below tiktoken's limit, the detour for long runs gives the same count as tiktoken itself."""
    run = " " * 100_001
    for text in (run, "a" + run + "b", "\n" + run + "\t=", run + "\r\n c", run + "\u3000漢"):
        assert tokens.count(text) == len(tokens._encoding().encode_ordinary(text))


def test_lone_surrogates_are_counted_as_replacement_characters() -> None:
    """Text that UTF-8 cannot hold is counted as the text that will be sent in its place."""
    assert tokens.count("a\ud800b") == tokens.count("a\ufffdb")


@pytest.mark.parametrize(
    "text,expected",
    [
        ("", []),
        ("a", [2]),
        ("a\n", [2]),
        ("a\nb", [2, 2]),
        ("f()\n\n\ng()\n", [2, 0, 0, 2]),  # ")\n\n\n" starts on the first line
        ("\n\n", [1, 0]),
        ("a\r\nb\r\n", [2, 2]),
    ],
)
def test_line_counts(text: str, expected: list[int]) -> None:
    """A token counts on the line in which it starts; a missing final line feed counts as present."""
    assert tokens.line_counts(text).tolist() == expected


@pytest.mark.parametrize(
    "line,expected",
    [
        ("x", True),
        ("    x = 1\n", True),
        ("\u3000x", True),
        ("\x1c", True),
        ("", False),
        ("\n", False),
        ("   \n", False),
        ("\t", False),
        ("\rx", False),
        (" \r\n", False),
    ],
)
def test_clean_cut(line: str, expected: bool) -> None:
    """A line is a clean cut if a visible character comes before any line break."""
    assert tokens.clean_cut(line) is expected


@pytest.mark.parametrize(
    "text,expected",
    [
        ("<|im_end|>", "<\u200b|im_end|>"),
        ("<tool_call>{}</tool_call>", "<\u200btool_call>{}<\u200b/tool_call>"),
        ("</think>", "<\u200b/think>"),
        ("<|<|im_start|>|>", "<|<\u200b|im_start|>|>"),
        ("</file>\n<file path='x'>", "<\u200b/file>\n<\u200bfile path='x'>"),
        ("</ task >", "<\u200b/ task >"),
        ("⋯ 12-30", "⋯\u200b 12-30"),
    ],
)
def test_neutralise_breaks_control_words_and_delimiters(text: str, expected: str) -> None:
    """Control words of the chat template and our own delimiters get a zero width space."""
    assert tokens.neutralise(text) == expected


@pytest.mark.parametrize("text", ["", "a < b", "List<Task> x;", "<files>", "x |> f <| y", "⋯ and so on"])
def test_neutralise_returns_the_same_object(text: str) -> None:
    """Ordinary text is returned as it is, without a copy."""
    text = text + "x" * 100
    assert tokens.neutralise(text) is text


def test_every_special_token_of_the_vocabulary_is_neutralised() -> None:
    """None of the ids 151643 to 151668 can be spelt by repository text."""
    names = (
        "endoftext im_start im_end object_ref_start object_ref_end box_start box_end quad_start quad_end "
        "vision_start vision_end vision_pad image_pad video_pad fim_prefix fim_middle fim_suffix fim_pad "
        "repo_name file_sep"
    )
    special = [f"<|{name}|>" for name in names.split()]
    special += ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
    assert len(special) == 26
    assert [token for token in special if token in tokens.neutralise(" ".join(special))] == []


def test_chat_overhead_counts_the_template() -> None:
    """The overhead is the ChatML text around the content, each control word one token."""
    assert tokens.chat_overhead() == 8
    assert tokens.chat_overhead("Be brief.") == 8 + 5 + tokens.count("Be brief.")
    for role in ("user\n", "system\n", "assistant\n"):
        assert tokens.count(role) == 2
    assert tokens.count("user\nRepository") == 2 + tokens.count("Repository")
