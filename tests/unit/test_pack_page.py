"""The page about a prompt: what it says, that nothing in it runs but its script, and how large it gets."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import unescape
from typing import Any

import pytest

from repoctx.pack.page import _numbered, page
from repoctx.pack.picture import _strips
from repoctx.types import Block, Origin, Outlook, Pack, Part, Plan, Reason, Redacted

PLAN = Plan(
    model="qwen", tier="long", rope_factor=2.0, window=1000, budget=600, tokenizer="qwen", exact=True, margin=0.0,
    predicted_tokens=200, template_tokens=10, reserve=250, stable_prefix_tokens=120, likelihood=0.9,
    why="chosen: enough",
    outlook=(Outlook(300, "native", 1.0, 0.8, 0.01, "USD"), Outlook(600, "long", 2.0, 0.9, None, "")),
)  # fmt: skip
FOUND = (Reason("lexical", "cart in name", 0.75), Reason("graph", "called by total", 0.25))
TEXTS = [
    ("instructions", "", "Read.\n", 20),
    ("bulk", "a.py", '<file path="a.py" lines="1-2">\nimport b\nb.run()\n</file>\n', 100),
    ("core", "src/cart.py", '<file path="src/cart.py" lines="3-9">\ndef add():\n⋯ 4-8\n    pass\n</file>\n', 60),
    ("task", "", "<task>\nempty carts\n</task>", 20),
]
PARTS = (
    Part("a.py", 1, 2, "full", 80, 0, "bulk", 0.0, (Reason("bulk", "much used", 1.0),)),
    Part("src/cart.py", 3, 3, "skeleton", 20, 1, "core", 0.5, FOUND),
    Part("src/cart.py", 9, 9, "skeleton", 15, 2, "core", 0.25, FOUND[:1]),
)


def made(texts: Any = TEXTS, parts: tuple[Part, ...] = PARTS, **values: Any) -> Pack:
    """A pack of texts: zone, path, text and tokens of each block."""
    blocks, at = [], 0
    for zone, path, text, tokens in texts:
        blocks.append(Block(zone, path, at, at + len(text), tokens))
        at += len(text)
    pack = Pack("".join(one[2] for one in texts), PLAN, parts, "5" * 40, "c" * 40, tuple(blocks))
    return replace(pack, **values)


def texts_of(html: str) -> list[str]:
    """The text of each block as a browser has it."""
    return [unescape(found) for found in re.findall(r'<pre translate="no">\n(.*?)</pre>', html, re.DOTALL)]


def gutters_of(html: str) -> list[str]:
    return re.findall(r'<pre aria-hidden="true">\n(.*?)</pre>', html, re.DOTALL)


def test_every_block_is_there_with_the_numbers_of_its_lines():
    """Headers, marks and footers have no number."""
    html = page(made(), "empty carts")
    assert texts_of(html) == [one[2] for one in TEXTS]
    assert gutters_of(html) == ["", "\n1\n2\n", "\n3\n\n9\n", ""]
    assert re.findall(r'<details class="([\w-]+)"( open)?><summary>', html) == [
        ("z-instructions", " open"), ("z-bulk", ""), ("z-core", " open"), ("z-task", " open"),
    ]  # fmt: skip


def test_the_list_says_why_each_part_is_inside():
    """A row leads to its lines: the block, and the first and last line in it."""
    html = page(made(), "empty carts")
    rows = re.findall(r'<tr class="[\w-]+" data-at="([\d ]+)">(.*?)</tr>', html)
    assert [at for at, _ in rows] == ["1 1 2", "2 1 1", "2 3 3"]
    assert [re.sub(r"(<[^>]*>)+", "|", row).strip("|") for _, row in rows] == [
        "1|bulk|a.py:1-2|full|80|0.000|100% |bulk| much used",
        "2|core|src/cart.py:3-3|skeleton|20|0.500|75% |lexical| cart in name|25% |graph| called by total",
        "3|core|src/cart.py:9-9|skeleton|15|0.250|75% |lexical| cart in name",
    ]
    assert '<a href="#b2">src/cart.py:9-9</a>' in html
    assert 'id="b2"' in html


def test_the_top_says_what_the_prompt_is():
    """Model, window, sizes, origins, and what was cut out."""
    packed = made(
        origins=(Origin("shop", "main", "5" * 40, "c" * 40), Origin("lib", ".", "6" * 40, None)),
        redacted=(Redacted("a.py", "api key", 2), Redacted("src/cart.py", "password", 1)),
    )
    said = re.sub(r"(<[^>]*>)+", "|", page(packed, "empty  carts\nmust not fail"))
    for expected in (
        "|empty carts must not fail|",
        "|prompt|200|tokens, 33% of a budget of 600|",
        "|all evidence inside|90%|likely|",
        "|window|1,000|tokens, tier long, rope factor 2|",
        "|kept free|250|",
        "|cacheable|60%|120 leading tokens, whatever the task|",
        "|chosen: enough|",
        "|Tokens|qwen, exact|",
        "|300|native|80%|0.01 USD|600 (this one)|long, rope factor 2|90%|-|",
        f"|shop at main, commit |{'c' * 12}|, snapshot |{'5' * 12}|",
        f"|lib at ., no commit, snapshot |{'6' * 12}|",
        "|3 secrets were cut out|a.py| api key, 2|src/cart.py| password, 1|",
    ):
        assert expected in said
    estimated = replace(packed, plan=replace(PLAN, exact=False, margin=0.031))
    assert "qwen, an estimate: up to 3.1% more" in page(estimated, "")


def test_the_window_is_drawn_to_scale():
    """Zones in prompt order, then what is not used; shares add up to the window."""
    html = page(made(), "empty carts")
    window = html.split('<div class="window"')[1].split("</div>")[0]
    assert re.findall(r'class="z-(\w+)" style="width:([\d.]+)%"', window) == [
        ("instructions", "2.000"), ("bulk", "10.000"), ("core", "6.000"), ("task", "2.000"),
        ("template", "1.000"), ("unused", "39.000"), ("beyond", "15.000"), ("reserve", "25.000"),
    ]  # fmt: skip
    assert 'd="M0 0H20.00L100 10H0Z"' in html
    assert (
        '<a tabindex="-1" href="#b2" style="inset:0.00% 0.00% 0.00% 0.00%" '
        'title="src/cart.py: 60 tokens, lines 3-3, 9-9">cart.py</a>'
    ) in html


HOSTILE = "</pre></script><script>alert(1)</script>&amp;\t]]> <|im_start|> <!-- \u202e\x1b[31m\r\x00 \ud800 ü \xa0"


def test_hostile_text_stays_text():
    """In the prompt, in paths, in reasons, everywhere: markup is escaped, and what does not print is a code."""
    path = 'x"><img src=x onerror=alert(1)>\n\u2066.py'
    why = (Reason("<b>", HOSTILE, 1.0),)
    packed = made(
        [("evil\u202e<i>", path, HOSTILE + "\n", 9)],
        (Part(path, 1, 1, "full", 9, 0, "evil\u202e<i>", 1.0, why),),
        redacted=(Redacted(path, "<i>", 1),), origins=(Origin("<i>", "\u202e", "<i>", "<i>"),),
        plan=replace(PLAN, why=HOSTILE, model="<i>", tier="<i>", tokenizer="<i>", format="<i>"),
    )  # fmt: skip
    html = page(packed, HOSTILE)
    shown = HOSTILE.replace("\u202e\x1b[31m\r\x00 \ud800", r"\u202e\x1b[31m\r\x00 \ud800").replace("\xa0", r"\xa0")
    assert texts_of(html) == [shown + "\n"]
    assert html.count("<script>") == html.count("</script>") == 1
    for raw in ("<img", "<i>", "<b><", "<|im", "alert(1)</", *"\u202e\u2066\x1b\r\x00\ud800\xa0"):
        assert raw not in html
    assert html.encode("utf-8")


def test_only_the_page_s_own_script_may_run():
    """The policy has its hash; nothing is asked of a network, and the script makes no HTML."""
    html = page(made(), "empty carts")
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[0]
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy == [
        "default-src 'none'; style-src 'unsafe-inline'; script-src "
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    ]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch|createElement", script)
    assert not re.search(r'https?:|\son\w+=|\bsrc=|url\(|@import', html)
    assert html == page(made(), "empty carts")


def test_a_large_pack_stays_near_the_size_of_its_prompt():
    """600 files of 4 MB: less than 30 % more, and a few elements for each."""
    line = "    value = self.field if other else None  # what it was before\n"
    texts, parts = [TEXTS[0]], []
    for number in range(600):
        path = f"package/module_{number}/file_{number}.py"
        texts.append(("bulk", path, f'<file path="{path}" lines="1-105">\n{line * 105}</file>\n', 1600))
        parts.append(Part(path, 1, 105, "full", 1580, number, "bulk", 0.0, PARTS[0].reasons))
    packed = made(texts, tuple(parts))
    html = page(packed, "empty carts")
    assert len(packed.prompt) > 4_000_000
    assert len(html) < 1.3 * len(packed.prompt)
    assert len(re.findall(r"<\w", html)) < 30 * 600
    assert texts_of(html) == [one[2] for one in texts]


@pytest.mark.parametrize(
    "parts, count, header, expected",
    [
        ((), 3, 1, ([0, 0, 0], [])),
        ((PARTS[0],), 4, 1, ([0, 1, 2, 0], [(1, 2)])),
        ((PARTS[0],), 6, 2, ([0, 0, 1, 2, 0, 0], [(2, 3)])),
        (PARTS[1:], 5, 1, ([0, 3, 0, 9, 0], [(1, 1), (3, 3)])),
        ((PARTS[0]._replace(detail="name", end_line=900),), 1, 1, ([0], [(0, 0)])),
        ((PARTS[0]._replace(end_line=900),), 3, 1, ([0, 1, 2], [(1, 900)])),
    ],
)
def test_lines_are_numbered_by_the_parts(parts, count, header, expected):
    """Not by what the text says: a file may have lines that look like marks."""
    assert _numbered(parts, count, header) == expected


def test_several_repositories_and_two_blocks_of_a_file():
    """Parts belong to the block that shows their path, repository before it, in order."""
    shown = (("bulk", "one/a.py"), ("core", "two/a.py"), ("core", "one/a.py"))
    texts = [(zone, path, "h\nx\nf\n", 5) for zone, path in shown]
    parts = tuple(
        Part("a.py", line, line, "full", 3, at, zone, 0.0, (), repository)
        for at, (repository, line, zone) in enumerate((("one", 1, "bulk"), ("two", 7, "core"), ("one", 8, "core")))
    )
    assert gutters_of(page(made(texts, parts), "")) == ["\n1\n", "\n7\n", "\n8\n"]


def test_a_pack_without_an_account_shows_its_prompt():
    """No blocks, no parts, no tokens."""
    plan = replace(PLAN, predicted_tokens=0, budget=0, window=0, reserve=0, template_tokens=0, outlook=(), why="")
    packed = Pack("<just text>", plan, (), "5" * 40, None)
    assert texts_of(page(packed, "")) == ["<just text>"]


@pytest.mark.parametrize("sizes", [[1], [5, 1, 9, 2, 2, 30, 1], [0, 0, 4], [7] * 600])
def test_tiles_fill_their_column_in_order(sizes):
    """Areas are in proportion; rows follow one another."""
    boxes = _strips(sizes, 400, 300)
    unit = 400 * 300 / sum(sizes)
    assert [w * h for _, _, w, h in boxes] == pytest.approx([size * unit for size in sizes], abs=1e-6)
    assert [(y, x) for x, y, _, _ in boxes] == sorted((y, x) for x, y, _, _ in boxes)
    assert max(x + w for x, _, w, _ in boxes) == pytest.approx(400)
    assert max(y + h for _, y, _, h in boxes) == pytest.approx(300)
