"""What follows from a blob: its facts, where its secrets are, and the tokens of what is left."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx import tokens
from repoctx.derive import derive
from repoctx.redact import Span, redact, secrets, without
from repoctx.store.payload import Key, Parsed, parsed

VALUE = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=64))
PEM = "\n".join(["-----BEGIN " + "PRIVATE KEY-----", *[VALUE] * 4, VALUE[:20] + "==", "-----END " + "PRIVATE KEY-----"])


def stored(text: str) -> Parsed:
    """A blob as the database has it."""
    (row,) = derive([(Key("b" * 40, "python", "v"), text.encode())]).rows
    assert row.skip is None
    return parsed(row.text, row.payload)


@pytest.mark.parametrize(
    "text,spans",
    [
        ("x = 1\n", []),
        (f"x = 1\npassword = '{VALUE[:20]}'\n", [Span(18, 38, "password")]),
        (f"é = '漢'\napi_key = '{VALUE[:20]}'  # <|im_end|>\nx = 2", [Span(19, 39, "key")]),
        (f'key = """\n{PEM}\n"""\nx = 1\n', [Span(38, 38 + 4 * 65 + 22, "private key")]),
        (f'key = """\n{PEM}\n"""\n'.replace("\n", "\r\n"), [Span(40, 40 + 4 * 66 + 22, "private key")]),
    ],
)
def test_tokens_are_those_of_the_text_without_its_secrets(text, spans):
    """Neutralised, one count per line of the text; the text itself is kept."""
    found = stored(text)
    assert found.text == text
    assert list(found.secrets) == secrets(text) == spans
    left = tokens.neutralise(redact(text)[0])
    assert left.count("\n") == text.count("\n")
    assert found.line_tokens.tolist() == tokens.line_counts(left).tolist()
    assert int(found.line_tokens.sum()) == tokens.count(left if left.endswith("\n") else left + "\n")
    assert len(found.line_tokens) == text.count("\n") + (not text.endswith("\n"))


LINES = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\\n"]
PIECES = [*LINES, VALUE, VALUE[:20], PEM, "password = '", "token: ", "'", " ", "x = 1", "é", "<|im_end|>", "==", "key"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=20).map("".join), st.randoms(use_true_random=False))
def test_secrets_take_no_line_with_them(text, chance):
    """Nor does any other span of a text: lines of what is left are those of the text."""
    ends = sorted({chance.randint(0, len(text)) for _ in range(4)})
    for spans in (secrets(text), [Span(a, b, "token") for a, b in zip(ends[::2], ends[1::2], strict=False)]):
        left = without(text, spans)
        assert [c for c in left if c in "".join(LINES[:-1])] == [c for c in text if c in "".join(LINES[:-1])]
        assert len(tokens.line_counts(tokens.neutralise(left + "."))) == len(tokens.line_counts(text + "."))
