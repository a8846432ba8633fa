"""How is the budget of a pack drawn? The window to scale, the zones and files of the prompt, and what they mean. Pure.

Also what all of a pack's page needs: texts that can stand in it, and the blocks of the prompt with their parts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import NamedTuple

from repoctx.types import Block, Part, Plan

ZONES: Mapping[str, str] = {
    "instructions": "how the prompt is to be read",
    "map": "the names of the repository that matter most",
    "bulk": "files chosen by the snapshot alone, the same for every task",
    "evidence": "what was found for the task",
    "core": "the best of the evidence",
    "task": "the task itself",
}
# Of the picture of the files, in pixels of a wide screen. Smaller tiles than LABELLED have no name in them.
WIDTH, HEIGHT = 1120, 300
LABELLED = (44, 15)
_PLAIN = re.compile(r"[^\x20-\x7e\n\t]+")
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Shown(NamedTuple):
    """A block as the page shows it."""

    number: int  # 0-based, in the prompt
    block: Block
    text: str
    parts: tuple[Part, ...]
    lines: list[int]  # for each line of the text its number in the file, 0 where it has none
    spans: list[tuple[int, int]]  # for each part its first and last line in the text, 0-based

    @property
    def name(self) -> str:
        return self.block.path or self.block.zone


def visible(value: str) -> str:
    """Text as a page shows it: what does not print, or turns the direction, as codes; line feeds and tabs stay."""
    return _PLAIN.sub(lambda run: run[0] if run[0].isprintable() else _codes(run[0]), value).translate(_MARKUP)


def _codes(run: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in run)


def inline(value: str) -> str:
    """Text that can stand in a line and in an attribute."""
    return escape(_codes(value))


def ranges(parts: Iterable[Part]) -> str:
    return ", ".join(f"{part.start_line}-{part.end_line}" for part in parts if part.detail != "name")


def percent(part: float) -> str:
    return "&lt;0.1%" if 0 < part < 0.0005 else f"{part:.1%}"


def class_of(zone: str) -> str:
    return f"z-{zone}" if zone in ZONES else "z-other"


# --- the budget --------------------------------------------------------------------------------


def budget(plan: Plan, shown: Sequence[Shown]) -> list[str]:
    """The window to scale, below it the prompt as wide as the page with its files, and what the colours mean."""
    zones = [(zone, list(run)) for zone, run in groupby(shown, lambda one: one.block.zone)]
    prompt = max(1, sum(one.block.tokens for one in shown))
    unused = max(0, plan.budget - prompt - plan.template_tokens)
    beyond = max(0, plan.window - plan.reserve - max(plan.budget, prompt + plan.template_tokens))
    rest = [
        ("template", "the model's chat template around the prompt", plan.template_tokens),
        ("unused", "room in the budget", unused),
        ("beyond", "room in the window beyond the budget", beyond),
        ("reserve", "kept free for the answer and safety", plan.reserve),
    ]
    rest = [one for one in rest if one[2]]
    whole = prompt + sum(tokens for _, _, tokens in rest)
    bars = [(zone, class_of(zone), sum(one.block.tokens for one in run)) for zone, run in zones]
    bars += [(name, f"z-{name}", tokens) for name, _, tokens in rest]
    return [
        f'<section id="budget"><h2>Budget</h2><p class="dim">The window of {plan.window:,} tokens to scale</p>',
        '<div class="window" role="img" aria-label="the window to scale; its numbers are in the table below">',
        *(_slice(*bar, whole) for bar in bars),
        '</div><svg class="zoom" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="M0 0H{100 * prompt / whole:.2f}L100 10H0Z"/></svg>',
        f'<div class="files" role="group" aria-label="blocks of the prompt by tokens">{_files(zones, prompt)}</div>',
        f'<p class="dim">The {prompt:,} tokens of the prompt in order. A click leads to the text.</p>',
        _legend(shown, rest, whole, prompt),
        "</section>",
    ]


def _slice(name: str, kind: str, tokens: int, whole: int) -> str:
    title = f"{inline(name)}: {tokens:,} tokens"
    return f'<span class="{kind}" style="width:{100 * tokens / whole:.3f}%" title="{title}"></span>'


def _files(zones: Iterable[tuple[str, list[Shown]]], prompt: int) -> str:
    """A column for each zone, as wide as its share, and in it a tile for each block."""
    columns = []
    for zone, run in zones:
        share = sum(one.block.tokens for one in run) / prompt
        width = max(WIDTH * share, 1e-6)
        boxes = _strips([one.block.tokens for one in run], width, HEIGHT)
        tiles = "".join(_tile(one, box, width) for one, box in zip(run, boxes, strict=True))
        columns.append(f'<div class="{class_of(zone)}" style="width:{100 * share:.3f}%">{tiles}</div>')
    return "".join(columns)


def _tile(one: Shown, box: tuple[float, float, float, float], width: float) -> str:
    x, y, w, h = box
    name = one.name.rsplit("/", 1)[-1] if w >= LABELLED[0] and h >= LABELLED[1] else ""
    lines = ranges(one.parts[:20])
    title = f"{one.name}: {one.block.tokens:,} tokens{f', lines {lines}' if lines else ''}"
    inset = (100 * y / HEIGHT, 100 - 100 * (x + w) / width, 100 - 100 * (y + h) / HEIGHT, 100 * x / width)
    style = " ".join(f"{max(0.0, edge):.2f}%" for edge in inset)
    return f'<a tabindex="-1" href="#b{one.number}" style="inset:{style}" title="{inline(title)}">{inline(name)}</a>'


def _strips(sizes: Sequence[int], width: float, height: float) -> list[tuple[float, float, float, float]]:
    """Boxes (x, y, width, height) with areas in proportion, in order: rows are filled while that makes them squarer.

    A strip treemap (Bederson, Shneiderman, Wattenberg 2002).
    """
    scale = width * height / max(1, sum(sizes))
    areas = [max(size * scale, 1e-9) for size in sizes]
    boxes, at, y = [], 0, 0.0
    while at < len(areas):
        end = at + 1
        while end < len(areas) and _oblong(areas[at : end + 1], width) <= _oblong(areas[at:end], width):
            end += 1
        tall, x = sum(areas[at:end]) / width, 0.0
        for area in areas[at:end]:
            boxes.append((x, y, area / tall, tall))
            x += area / tall
        at, y = end, y + tall
    return boxes


def _oblong(areas: Sequence[float], width: float) -> float:
    """How far from squares the boxes of a row are, in the mean."""
    tall = sum(areas) / width
    return sum(max(area / tall**2, tall**2 / area) for area in areas) / len(areas)


def _legend(shown: Sequence[Shown], rest: Iterable[tuple[str, str, int]], whole: int, prompt: int) -> str:
    tokens, blocks = Counter[str](), Counter(one.block.zone for one in shown)
    for one in shown:
        tokens[one.block.zone] += one.block.tokens
    rows = [
        (class_of(zone), zone, ZONES.get(zone, ""), f"{blocks[zone]:,}", count, percent(count / prompt))
        for zone, count in tokens.items()
    ]
    rows += [(f"z-{name}", name, says, "", count, "") for name, says, count in rest]
    body = "".join(
        f'<tr><th><i class="dot {kind}"></i>{inline(name)}</th><td>{says}</td><td class="n">{number}</td>'
        f'<td class="n">{count:,}</td><td class="n">{share}</td><td class="n">{percent(count / whole)}</td></tr>'
        for kind, name, says, number, count, share in rows
    )
    return (
        '<div class="wide" role="region" tabindex="0" aria-label="zones"><table class="legend">'
        '<thead><tr><th>zone</th><td></td><th class="n">blocks</th>'
        '<th class="n">tokens</th><th class="n">of the prompt</th><th class="n">of the window</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
