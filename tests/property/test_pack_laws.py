"""Laws of packing on hostile text: exact token sums, budgets kept, claimed lines present, nothing forged."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import made_tokenizers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repoctx import pack, tokens
from repoctx.pack import bulk, fit, order, render
from repoctx.pack.plan import reserve
from repoctx.pack.tile import Document, counted, readable
from repoctx.types import Chunk, Hit, Symbol, Tier

MODEL = pack.Window("tiny", (Tier("native", 262_144, 1.0),), 4096)
WORDS = [
    "\n",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r",
    " ",
    "    ",
    "\t",
    "\x0b",
    "\x1c",
    "\x85",
    "\u2028",
    "\u3000",
    "\u200b",
    "def f(x):",
    "class A:",
    "return",
    "x = 1",
    "}",
    "()",
    "'s",
    "é",
    "漢字",
    "🙂",
    "\x00",
    "<|im_end|>",
    "</think>",
    "<tool_call>",
    "</file>\n",
    '<file path="a" lines="1-2">',
    "</task>",
    "<task>",
    "⋯ 3-4",
    "<",
    "⋯",
    "9",
    "// ",
    "<s>",
    "[INST]",
    "<|eot|>",
    "\uff1cs\uff1e",
    "e\u0301",
    "\u202e",
    "👩\u200d💻",
]
texts = st.lists(st.one_of(st.sampled_from(WORDS), st.characters(codec="utf-8")), max_size=60).map("".join)
paths = st.one_of(
    st.text(st.characters(), min_size=1, max_size=12),
    st.sampled_from(
        ["C:\\src\\a.py", "\\\\share\\b.py", "<s>", "a [INST].py", "\uff1cs\uff1e", "<|eot|>/x", "⋯ 3-4", "e\u0301"]
    ),
)


@st.composite
def documents(draw: st.DrawFn, path: str) -> Document:
    """A file with any text, and symbols and chunks anywhere in it."""
    text = draw(texts)
    counts = tokens.line_counts(tokens.neutralise(text)).tolist()
    symbols: list[Symbol] = []
    chunks: list[Chunk] = []
    if counts:
        line = st.integers(1, len(counts))
        spans = sorted(draw(st.lists(st.tuples(line, line, line), max_size=5)))
        for start, second, third in spans:
            low, high = sorted((max(second, start), max(third, start)))
            kind = draw(st.sampled_from(["class", "function", "method"]))
            parent = next((i for i in reversed(range(len(symbols))) if symbols[i].end_line >= high), -1)
            body = low + 1 if low < high else 0
            symbols.append(Symbol(kind, "f", "f", "", "", start, high, low, 0, body, parent))
        starts = sorted({1, *draw(st.lists(line, max_size=5))})
        ends = [start - 1 for start in starts[1:]] + [len(counts)]
        chunks = [Chunk(0, 0, start, end, -1) for start, end in zip(starts, ends, strict=True)]
    return Document(path, "python", text, symbols, draw(st.sampled_from([chunks, []])), counts)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Hit], dict[str, Document]]:
    """Hits in some files, some of them of no document or beyond the end of the file."""
    names = draw(st.lists(paths, min_size=1, max_size=4, unique=True))
    found = {path: draw(documents(path)) for path in names}
    places = draw(
        st.lists(st.tuples(st.sampled_from(names), st.integers(1, 30), st.integers(0, 9)), max_size=8)
    )
    hits = [
        Hit(path, start, start + more, 1 / (i + 1), (), "f", "f")
        for i, (path, start, more) in enumerate(places)
    ]
    return hits, {path: found[path] for path in names[: draw(st.integers(0, 4))]}


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(0, 400))
def test_blocks_cost_what_fit_says_and_no_more_than_the_budget(
    case: tuple[list[Hit], dict[str, Document]], budget: int
) -> None:
    """The tokens of all blocks together stay within the budget, and add up when they are joined."""
    hits, found = case
    files = order.order(fit.fit(hits, found, budget))
    blocks = [render.file_block(found[file[0].path], file) for file in files]
    counts = [tokens.count(block) for block in blocks]
    assert sum(counts) <= budget
    assert tokens.count("".join(blocks)) == sum(counts)
    for file, count in zip(files, counts, strict=True):
        marks = [(a.end_line + 1, b.start_line - 1) for a, b in pairwise(file)]
        expected = sum(fragment.tokens for fragment in file)
        if file[0].detail != "name":
            expected += render.frame_tokens(file[0].path) + sum(
                render.elision_tokens(*mark) for mark in marks if mark[0] <= mark[1]
            )
            expected += len(str(file[0].start_line)) + len(str(file[-1].end_line))
        assert count == expected


@settings(max_examples=150, deadline=None)
@given(
    cases(), st.integers(150, 900), texts, texts, st.sampled_from(sorted(pack.FORMATS)), st.integers(0, 2), st.data()
)  # fmt: skip
def test_a_pack_keeps_its_promises(
    case: tuple[list[Hit], dict[str, Document]], budget: int, task: str, repository_map: str, style: str, forced: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    """Predicted tokens are exact and within the budget; every claimed line is there; nothing is forged."""
    hits, found = case
    steady = [
        pack.Steady(path, sum(one.line_tokens), len(one.line_tokens), 1.0, data.draw(st.integers(0, 3)))
        for path, one in found.items()
        if one.line_tokens
    ]
    evidence, share = bulk.EVIDENCE, bulk.EVIDENCE_SHARE
    bulk.EVIDENCE, bulk.EVIDENCE_SHARE = data.draw(st.sampled_from([(evidence, share), (100, 0.3)]))
    load = lambda paths: {path: found[path] for path in paths}  # noqa: E731
    supply = pack.Supply(hits, found, repository_map, forced, steady, load)
    try:
        packed = pack.pack(task, supply, MODEL, budget, pack.FORMATS[style])
        again = pack.pack(task, supply, MODEL, budget, pack.FORMATS[style])
    except pack.BudgetError:
        bare = render.render([], {}, "", task, style=pack.FORMATS[style])
        assert forced or tokens.count(bare) + tokens.chat_overhead() > budget
        return
    finally:
        bulk.EVIDENCE, bulk.EVIDENCE_SHARE = evidence, share
    prompt = packed.prompt
    assert packed == again
    assert packed.plan.predicted_tokens == tokens.count(prompt)
    assert packed.plan.predicted_tokens + packed.plan.template_tokens <= budget
    assert "".join(prompt[block.start : block.end] for block in packed.blocks) == prompt
    assert not re.search(r"<\|\w+\|>|</?think>|<tool_call>", prompt)
    assert [part.position for part in packed.parts] == list(range(len(packed.parts)))
    shown = {block.path: prompt[block.start : block.end] for block in packed.blocks}
    whole = [block for block in packed.blocks if block.zone in ("bulk", "evidence", "core")]
    if style == "xml":
        assert re.findall(r"</?task>", prompt) == ["<task>", "</task>"]
        assert prompt.count('<file path="') == len(whole)
        names = {part.path for part in packed.parts if part.detail == "name"}
        assert prompt.count("</file>\n") == sum(block.path not in names for block in whole)
    if style == "json":
        rows = json.loads(prompt)["files"]
        assert [row and ("path" in row) for row in rows].count(True) == len(whole)
        assert rows[-1] is None
        return
    for part in packed.parts:
        lines, _ = readable(found[part.path])
        if part.detail != "name":
            assert "\n" + "\n".join(lines[part.start_line - 1 : part.end_line]) + "\n" in prompt
            assert part.path in shown


@given(st.text(st.characters(), max_size=20), st.integers(0, 10**7), st.integers(0, 10**7))
def test_frames_and_marks_are_counted_exactly(path: str, start: int, end: int) -> None:
    """What fit adds for headers, footers and marks is what the tokenizer finds."""
    digits = len(str(start)) + len(str(end))
    frame = render.header(path, start, end) + "</file>\n"
    assert tokens.count(frame) == render.frame_tokens(path) + digits
    assert tokens.count(render.elision(start, end)) == render.elision_tokens(start, end)
    assert render.header(path, start, end).count("\n") == 1


KINDS = [*made_tokenizers.MADE, "slashes", "estimate", "estimate:1", "estimate:2.7"]


def recount(kind: str, prompt: str) -> int:
    """The tokens of a prompt, encoded as a whole by the tokenizer itself; of an estimate what it says."""
    if kind in made_tokenizers.MADE:
        return len(made_tokenizers.tokenizer(kind).encode(prompt, add_special_tokens=False).ids)
    if kind == "slashes":
        return len(made_tokenizers.slashes().encode_ordinary(prompt))
    return made_tokenizers.counter(kind).count(prompt)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(case=cases(), window=st.integers(600, 12_000), budget=st.integers(300, 9000), task=texts, repository_map=texts)
def test_a_pack_for_any_tokenizer_keeps_its_promises(
    kind: str, case: tuple[list[Hit], dict[str, Document]], window: int, budget: int, task: str, repository_map: str
) -> None:
    """Predicted tokens are those of the whole prompt, with the margin within budget and window; nothing is forged."""
    hits, found = case
    counter = made_tokenizers.counter(kind)
    model = pack.Window("tiny", (Tier("native", window, 1.0), Tier("long", 2 * window, 2.0)), 100, counter, 20)
    try:
        packed = pack.pack(task, pack.Supply(hits, found, repository_map), model, budget)
    except pack.BudgetError:
        bare = counter.count(render.render([], {}, "", task, counter))
        assert counter.most(bare) + 20 > budget or budget > 2 * window - reserve(2 * window, 100)
        return
    prompt, plan = packed.prompt, packed.plan
    assert plan.predicted_tokens == recount(kind, prompt)
    assert counter.most(plan.predicted_tokens) + plan.template_tokens <= budget
    assert counter.most(plan.predicted_tokens) + plan.template_tokens + plan.reserve <= plan.window
    assert (plan.tokenizer, plan.exact, plan.margin) == (counter.name, counter.exact, counter.margin)
    assert not re.search(r"<\|\w+\|>|</?think>|<tool_call>", prompt)
    assert re.findall(r"</?task>", prompt) == ["<task>", "</task>"]
    if kind in made_tokenizers.MADE:
        made = made_tokenizers.tokenizer(kind)
        special = {made.token_to_id(word) for word in made_tokenizers.SPECIAL if word != "<unk>"}
        assert not special & set(made.encode(prompt, add_special_tokens=False).ids)
    for part in packed.parts:
        lines, _ = readable(counted(found[part.path], counter), counter)
        if part.detail != "name":
            assert "\n" + "\n".join(lines[part.start_line - 1 : part.end_line]) + "\n" in prompt
