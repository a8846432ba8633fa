"""What went into a prompt, and why? One HTML file with the budget as a picture, the parts and the prompt. Pure.

It asks nothing of a network and holds a single script (`resources/pack.js`) that searches, filters, sorts and colours;
all there is to read is there without it. Repository text is hostile: it is escaped, what cannot be printed is shown as
its code, the script makes no HTML of it, and the page's policy lets nothing run but this script.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib import resources
from itertools import groupby
from typing import NamedTuple

from repoctx.types import Block, Outlook, Pack, Part, Plan, Reason

ZONES: Mapping[str, str] = {
    "instructions": "how the prompt is to be read",
    "map": "the names of the repository that matter most",
    "bulk": "files chosen by the snapshot alone, the same for every task",
    "evidence": "what was found for the task",
    "core": "the best of the evidence",
    "task": "the task itself",
}
# Zones that are open when the page is.
OPEN = ("instructions", "core", "task")
# Lines of a block before the first one of its file; 1 where no other number is said.
HEADER_LINES = {"markdown": 2}
# Of the picture of the files, in pixels of a wide screen. Smaller tiles than LABELLED have no name in them.
WIDTH, HEIGHT = 1120, 300
LABELLED = (44, 15)
TASK_CHARACTERS = 280
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


def page(packed: Pack, task: str) -> str:
    """The page about the prompt of a task."""
    shown = _shown(packed)
    folder = resources.files("repoctx.resources")
    script, style = (folder.joinpath(name).read_text("utf-8") for name in ("pack.js", "pack.css"))
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'"
    )
    title = _line(" ".join(task.split())[:80])
    body = [*_top(packed, task), *_budget(packed.plan, shown), *_parts(shown, packed.parts), *_prompt(shown)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{title} - what is in the prompt</title><style>{style}</style>"
        "<noscript><style>.js { display: none !important }</style></noscript></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>{script}</script>\n</body></html>\n"
    )


# --- what is shown -----------------------------------------------------------------------------


def _shown(packed: Pack) -> list[Shown]:
    """The blocks with their parts. A block has the next parts in a row that have its path."""
    waiting: dict[str, deque[tuple[Part, ...]]] = {}
    for path, parts in groupby(packed.parts, _path):
        waiting.setdefault(path, deque()).append(tuple(parts))
    whole = Block("prompt", "", 0, len(packed.prompt), packed.plan.predicted_tokens)
    found = []
    for number, block in enumerate(packed.blocks or (whole,)):
        text = packed.prompt[block.start : block.end]
        mine = waiting[block.path].popleft() if block.path and waiting.get(block.path) else ()
        count = text.count("\n") + (not text.endswith("\n"))
        lines, spans = _numbered(mine, count, HEADER_LINES.get(packed.plan.format, 1))
        found.append(Shown(number, block, text, mine, lines, spans))
    return found


def _path(part: Part) -> str:
    """A part's path as the prompt shows it."""
    return f"{part.repository}/{part.path}" if part.repository else part.path


def _numbered(parts: Sequence[Part], count: int, header: int) -> tuple[list[int], list[tuple[int, int]]]:
    """The number of each line of a block, and where its parts are. One line stands for what is left out."""
    lines, spans = [0] * header, []
    at = parts[0].start_line if parts else 0
    for part in parts:
        if part.detail == "name":
            return [0] * count, [(0, 0)] * len(parts)
        lines += [0] * (part.start_line > at)
        spans.append((len(lines), len(lines) + part.end_line - part.start_line))
        lines += range(part.start_line, min(part.end_line, part.start_line + count) + 1)
        at = part.end_line + 1
    return [*lines, *[0] * count][:count], spans


def _text(value: str) -> str:
    """Text as a page shows it: what does not print, or turns the direction, as codes; line feeds and tabs stay."""
    return _PLAIN.sub(lambda run: run[0] if run[0].isprintable() else _codes(run[0]), value).translate(_MARKUP)


def _codes(run: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in run)


def _line(value: str) -> str:
    """Text that can stand in a line and in an attribute."""
    return escape(_codes(value))


def _ranges(parts: Iterable[Part]) -> str:
    return ", ".join(f"{part.start_line}-{part.end_line}" for part in parts if part.detail != "name")


def _share(part: float) -> str:
    return "&lt;0.1%" if 0 < part < 0.0005 else f"{part:.1%}"


def _class(zone: str) -> str:
    return f"z-{zone}" if zone in ZONES else "z-other"


# --- the top -----------------------------------------------------------------------------------


def _top(packed: Pack, task: str) -> list[str]:
    plan = packed.plan
    words = " ".join(task.split())
    short = words if len(words) <= TASK_CHARACTERS else words[:TASK_CHARACTERS] + " …"
    return [
        '<header class="bar"><nav aria-label="page"><a href="#budget">Budget</a><a href="#parts">Parts</a>'
        '<a href="#prompt">Prompt</a></nav><form class="js search" role="search">'
        '<output id="found" for="search" aria-live="polite"></output><input id="search" type="search" '
        'placeholder="Search the prompt  ( / )" aria-label="search the prompt" autocomplete="off" spellcheck="false">'
        '<button type="button" id="previous" aria-label="previous match">↑</button>'
        '<button type="button" id="next" aria-label="next match">↓</button></form></header>',
        f'<main><p class="dim">What went into this prompt, and why</p><h1>{_line(short)}</h1>',
        f'<div class="cards">{"".join(_cards(plan))}</div>',
        f'<p class="why">{_line(plan.why)}</p>' if plan.why else "",
        '<div class="pair">',
        _facts(packed),
        _outlook(plan),
        "</div>",
        _redacted(packed),
    ]


def _cards(plan: Plan) -> list[str]:
    used = plan.predicted_tokens / max(1, plan.budget)
    rope = f", rope factor {plan.rope_factor:g}" if plan.rope_factor != 1 else ""
    stable = plan.stable_prefix_tokens / max(1, plan.predicted_tokens)
    cards = [
        ("prompt", f"{plan.predicted_tokens:,}", f"tokens, {used:.0%} of a budget of {plan.budget:,}"),
        ("window", f"{plan.window:,}", f"tokens, tier {_line(plan.tier)}{rope}"),
        ("kept free", f"{plan.reserve:,}", "tokens for the answer and safety"),
        ("cacheable", f"{stable:.0%}", f"{plan.stable_prefix_tokens:,} leading tokens, whatever the task"),
    ]
    if plan.likelihood:
        cards.insert(1, ("all evidence inside", f"{plan.likelihood:.0%}", "likely"))
    card = '<div class="card"><span>{}</span><b>{}</b><span>{}</span></div>'
    return [card.format(*one) for one in cards]


def _facts(packed: Pack) -> str:
    plan = packed.plan
    count = "exact" if plan.exact else f"an estimate: up to {plan.margin:.1%} more"
    facts = [
        ("Model", f"{_line(plan.model)}, tier {_line(plan.tier)}, rope factor {plan.rope_factor:g}"),
        ("Tokens", f"{_line(plan.tokenizer)}, {count}"),
        ("Chat template", f"{plan.template_tokens:,} tokens around the prompt"),
        ("Format", _line(plan.format)),
    ]
    for origin in packed.origins:
        commit = f", commit <code>{_line(origin.commit[:12])}</code>" if origin.commit else ", no commit"
        snapshot = f"snapshot <code>{_line(origin.snapshot[:12])}</code>"
        facts.append(("Repository", f"{_line(origin.repository)} at {_line(origin.ref)}{commit}, {snapshot}"))
    if not packed.origins:
        commit = f", commit <code>{_line(packed.commit[:12])}</code>" if packed.commit else ""
        facts.append(("Snapshot", f"<code>{_line(packed.snapshot[:12])}</code>{commit}"))
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts)}</dl>"


def _outlook(plan: Plan) -> str:
    if not plan.outlook:
        return ""
    priced = any(one.price is not None for one in plan.outlook)
    rows = "".join(_size(one, plan, priced) for one in plan.outlook)
    price = '<th class="n">price</th>' if priced else ""
    return (
        '<table class="outlook"><caption>Other sizes</caption><thead><tr><th class="n">tokens</th><th>tier</th>'
        f"<th>all evidence inside</th>{price}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _size(one: Outlook, plan: Plan, priced: bool) -> str:
    now = one.budget == plan.budget
    price = "-" if one.price is None else f"{one.price:g} {_line(one.currency)}"
    rope = f", rope factor {one.rope_factor:g}" if one.rope_factor != 1 else ""
    return (
        f'<tr{" class=now" if now else ""}><td class="n">{one.budget:,}{" (this one)" if now else ""}</td>'
        f'<td>{_line(one.tier)}{rope}</td><td><i class="share" style="--s:{one.likelihood:.0%}"></i>'
        f"{one.likelihood:.0%}</td>{f'<td class=n>{price}</td>' if priced else ''}</tr>"
    )


def _redacted(packed: Pack) -> str:
    if not packed.redacted:
        return '<p class="dim">No secrets had to be cut out of these files.</p>'
    count = sum(one.times for one in packed.redacted)
    items = "".join(
        f"<li><code>{_line(one.path)}</code> {_line(one.kind)}, {one.times:,}</li>" for one in packed.redacted
    )
    says = "secret was" if count == 1 else "secrets were"
    return f'<details class="redacted"><summary>{count:,} {says} cut out</summary><ul>{items}</ul></details>'


# --- the budget --------------------------------------------------------------------------------


def _budget(plan: Plan, shown: Sequence[Shown]) -> list[str]:
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
    bars = [(zone, _class(zone), sum(one.block.tokens for one in run)) for zone, run in zones]
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
    title = f"{_line(name)}: {tokens:,} tokens"
    return f'<span class="{kind}" style="width:{100 * tokens / whole:.3f}%" title="{title}"></span>'


def _files(zones: Iterable[tuple[str, list[Shown]]], prompt: int) -> str:
    """A column for each zone, as wide as its share, and in it a tile for each block."""
    columns = []
    for zone, run in zones:
        share = sum(one.block.tokens for one in run) / prompt
        width = max(WIDTH * share, 1e-6)
        boxes = _strips([one.block.tokens for one in run], width, HEIGHT)
        tiles = "".join(_tile(one, box, width) for one, box in zip(run, boxes, strict=True))
        columns.append(f'<div class="{_class(zone)}" style="width:{100 * share:.3f}%">{tiles}</div>')
    return "".join(columns)


def _tile(one: Shown, box: tuple[float, float, float, float], width: float) -> str:
    x, y, w, h = box
    name = one.name.rsplit("/", 1)[-1] if w >= LABELLED[0] and h >= LABELLED[1] else ""
    lines = _ranges(one.parts[:20])
    title = f"{one.name}: {one.block.tokens:,} tokens{f', lines {lines}' if lines else ''}"
    inset = (100 * y / HEIGHT, 100 - 100 * (x + w) / width, 100 - 100 * (y + h) / HEIGHT, 100 * x / width)
    style = " ".join(f"{max(0.0, edge):.2f}%" for edge in inset)
    return f'<a tabindex="-1" href="#b{one.number}" style="inset:{style}" title="{_line(title)}">{_line(name)}</a>'


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
        (_class(zone), zone, ZONES.get(zone, ""), f"{blocks[zone]:,}", count, _share(count / prompt))
        for zone, count in tokens.items()
    ]
    rows += [(f"z-{name}", name, says, "", count, "") for name, says, count in rest]
    body = "".join(
        f'<tr><th><i class="dot {kind}"></i>{_line(name)}</th><td>{says}</td><td class="n">{number}</td>'
        f'<td class="n">{count:,}</td><td class="n">{share}</td><td class="n">{_share(count / whole)}</td></tr>'
        for kind, name, says, number, count, share in rows
    )
    return (
        '<div class="wide"><table class="legend"><thead><tr><th>zone</th><td></td><th class="n">blocks</th>'
        '<th class="n">tokens</th><th class="n">of the prompt</th><th class="n">of the window</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


# --- parts and prompt --------------------------------------------------------------------------


def _parts(shown: Sequence[Shown], parts: Sequence[Part]) -> list[str]:
    rows = [
        _row(part, one.number, span) for one in shown for part, span in zip(one.parts, one.spans, strict=True)
    ]
    zones = "".join(
        f'<label class="{_class(zone)}"><input type="checkbox" value="{_class(zone)}" checked> {_line(zone)}</label>'
        for zone in dict.fromkeys(part.zone for part in parts)
    )
    names = (("#", "n"), ("zone", ""), ("place", ""), ("detail", ""), ("tokens", "n"), ("score", "n"), ("why", ""))
    head = "".join(
        f'<th{" class=n" if kind else ""}{" aria-sort=ascending" if name == "#" else ""}>'
        f'<button type="button">{name}</button></th>'
        for name, kind in names
    )
    return [
        f'<section id="parts"><h2>Parts</h2><form class="js tools"><input id="filter" type="search" '
        'placeholder="Filter by path, text or reason" aria-label="filter the parts" autocomplete="off">'
        f'<fieldset><legend class="hidden">zones</legend>{zones}</fieldset>'
        '<output id="kept" for="filter" aria-live="polite"></output></form>',
        '<div class="list" role="region" tabindex="0" aria-label="parts of the prompt"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table></div></section>",
    ]


def _row(part: Part, number: int, span: tuple[int, int]) -> str:
    place = _line(_path(part)) + ("" if part.detail == "name" else f":{part.start_line}-{part.end_line}")
    return (
        f'<tr class="{_class(part.zone)}" data-at="{number} {span[0]} {span[1]}"><td class="n">{part.position + 1}</td>'
        f'<td class="zone">{_line(part.zone)}</td><td><a href="#b{number}">{place}</a></td><td>{part.detail}</td>'
        f'<td class="n">{part.tokens:,}</td><td class="n">{part.score:.3f}</td>'
        f"<td>{''.join(map(_reason, part.reasons))}</td></tr>"
    )


def _reason(reason: Reason) -> str:
    share = f"{reason.share:.0%}"
    says = f"{share} <b>{_line(reason.ranker)}</b> {_line(reason.detail)}"
    return f'<p><i class="share" style="--s:{share}"></i>{says}</p>'


def _prompt(shown: Sequence[Shown]) -> list[str]:
    total = max(1, sum(one.block.tokens for one in shown))
    found = [
        '<section id="prompt"><h2>Prompt</h2><p class="dim">What the model reads. Lines without a number '
        'are no lines of a file. <span class="js"><button type="button" id="open">Open all</button> '
        '<button type="button" id="close">Close all</button></span></p>'
    ]
    for zone, run in groupby(shown, lambda one: one.block.zone):
        blocks = list(run)
        if len(blocks) > 1:
            tokens = sum(one.block.tokens for one in blocks)
            found.append(f'<h3 class="{_class(zone)}">{_line(zone)}: {len(blocks):,} blocks, {tokens:,} tokens</h3>')
        found += [_block(one, total) for one in blocks]
    return [*found, "</section></main>"]


def _block(one: Shown, total: int) -> str:
    """A block. The parser drops the line feed after `<pre>`."""
    block, lines = one.block, _ranges(one.parts[:8]) + (" …" if len(one.parts) > 8 else "")
    gutter = "\n".join(str(line or "") for line in one.lines) if any(one.lines) else ""
    return (
        f'<details class="{_class(block.zone)}"{" open" if block.zone in OPEN else ""}><summary><i class="dot"></i>'
        f'<code>{_line(one.name)}</code><span class="dim">{lines}</span>'
        f'<span class="count">{block.tokens:,} tokens, {_share(block.tokens / total)}</span></summary>'
        f'<div class="code" id="b{one.number}" role="region" tabindex="0" aria-label="{_line(one.name)}">'
        f'<pre aria-hidden="true">\n{gutter}</pre><pre translate="no">\n{_text(one.text)}</pre></div></details>'
    )
