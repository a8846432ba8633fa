"""What the database keeps of a blob comes back as it was."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from repoctx.parse import parse
from repoctx.redact import Span
from repoctx.store.payload import compress, encode, parsed, shown

TEXT = b"""\
import os
from a.b import c as d

class A(B):
    \"\"\"What it is.\"\"\"

    def one(self, x: int) -> C:
        self.y = os.path.join(x)
        return C(self.y)
"""
SPANS = st.lists(st.builds(Span, st.integers(0, 2**32), st.integers(0, 2**32), st.text(max_size=20)), max_size=4)


@given(st.lists(st.integers(0, 2**32 - 1)), SPANS)
def test_a_payload_says_what_was_written(counts, spans):
    """Facts, tokens per line and the spans of secrets; what a prompt needs of them is the same."""
    found = parse("python", TEXT)
    stored = compress(TEXT), encode(found, np.array(counts, np.uint32), spans)
    whole, part = parsed(*stored), shown(*stored)
    assert (whole.text.encode(), whole.facts, whole.line_tokens.tolist(), whole.secrets) == (
        TEXT,
        found,
        counts,
        tuple(spans),
    )
    assert all(isinstance(span, Span) for span in (*whole.secrets, *part.secrets))
    assert (part.text, part.line_tokens.tolist(), part.secrets) == (whole.text, counts, whole.secrets)
    assert (part.language, part.symbols, part.chunks, part.imports) == (
        found.language,
        found.symbols,
        found.chunks,
        found.imports,
    )
