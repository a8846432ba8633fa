"""What went into a prompt, and why? One HTML file with the budget as a picture, the parts and the prompt. Pure.

It asks nothing of a network and holds a single script (`resources/pack.js`) that searches, filters, sorts and colours;
all there is to read is there without it. Repository text is hostile: it is escaped, what cannot be printed is shown as
its code, the script makes no HTML of it, and the page's policy lets nothing run but this script.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib import resources
from itertools import groupby
from typing import NamedTuple

from repoctx.pack.picture import Shown, budget, class_of, inline, percent, ranges, visible
from repoctx.types import Block, Outlook, Pack, Part, Plan, Reason

# Zones that are open when the page is.
OPEN = ("instructions", "core", "task")
# Lines of a block before the first one of its file; 1 where no other number is said.
HEADER_LINES = {"markdown": 2}
TASK_CHARACTERS = 280


class Beside(NamedTuple):
    """What else may be done with a pack where its account is shown: HTML, which is escaped."""

    size: Callable[[Outlook], str] = lambda size: ""  # with another size
    part: Callable[[Part], str] = lambda part: ""  # with a part


ALONE = Beside()


def account(packed: Pack, beside: Beside = ALONE) -> str:
    """The account of a prompt: its plan, the budget as a picture, its parts, its text; what `resources/pack.js` and
    `pack.css` bring to life stands in a bar before it."""
    shown = _shown(packed)
    body = [
        *_plan(packed, beside), *budget(packed.plan, shown), *_parts(shown, packed.parts, beside), *_prompt(shown)
    ]  # fmt: skip
    return "\n".join(body)


def page(packed: Pack, task: str) -> str:
    """The page about the prompt of a task."""
    folder = resources.files("repoctx.resources")
    script, style = (folder.joinpath(name).read_text("utf-8") for name in ("pack.js", "pack.css"))
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'"
    )
    title = inline(" ".join(task.split())[:80])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{title} - what is in the prompt</title><style>{style}</style>"
        "<noscript><style>.js { display: none !important }</style></noscript></head>\n<body>\n"
        + f"{BAR}\n<main>{_heading(task)}\n{account(packed)}</main>"
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


# --- the top -----------------------------------------------------------------------------------


BAR = (
    '<header class="bar"><nav aria-label="the pack"><a href="#budget">Budget</a><a href="#parts">Parts</a>'
    '<a href="#prompt">Prompt</a></nav><form class="js search" role="search">'
    '<output id="found" for="search" aria-live="polite"></output><input id="search" type="search" '
    'placeholder="Search the prompt  ( / )" aria-label="search the prompt" data-slash autocomplete="off" '
    'spellcheck="false">'
    '<button type="button" id="previous" aria-label="previous match">↑</button>'
    '<button type="button" id="next" aria-label="next match">↓</button></form></header>'
)


def _heading(task: str) -> str:
    words = " ".join(task.split())
    short = words if len(words) <= TASK_CHARACTERS else words[:TASK_CHARACTERS] + " …"
    return f'<p class="dim">What went into this prompt, and why</p><h1>{inline(short)}</h1>'


def _plan(packed: Pack, beside: Beside) -> list[str]:
    plan = packed.plan
    return [
        f'<div class="cards">{"".join(_cards(plan))}</div>',
        f'<p class="why">{inline(plan.why)}</p>' if plan.why else "",
        '<div class="pair">',
        _facts(packed),
        _outlook(plan, beside),
        "</div>",
        _redacted(packed),
    ]


def _cards(plan: Plan) -> list[str]:
    used = plan.predicted_tokens / max(1, plan.budget)
    rope = f", rope factor {plan.rope_factor:g}" if plan.rope_factor != 1 else ""
    stable = plan.stable_prefix_tokens / max(1, plan.predicted_tokens)
    cards = [
        ("prompt", f"{plan.predicted_tokens:,}", f"tokens, {used:.0%} of a budget of {plan.budget:,}"),
        ("window", f"{plan.window:,}", f"tokens, tier {inline(plan.tier)}{rope}"),
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
        ("Model", f"{inline(plan.model)}, tier {inline(plan.tier)}, rope factor {plan.rope_factor:g}"),
        ("Tokens", f"{inline(plan.tokenizer)}, {count}"),
        ("Chat template", f"{plan.template_tokens:,} tokens around the prompt"),
        ("Format", inline(plan.format)),
    ]
    for origin in packed.origins:
        commit = f", commit <code>{inline(origin.commit[:12])}</code>" if origin.commit else ", no commit"
        snapshot = f"snapshot <code>{inline(origin.snapshot[:12])}</code>"
        facts.append(("Repository", f"{inline(origin.repository)} at {inline(origin.ref)}{commit}, {snapshot}"))
    if not packed.origins:
        commit = f", commit <code>{inline(packed.commit[:12])}</code>" if packed.commit else ""
        facts.append(("Snapshot", f"<code>{inline(packed.snapshot[:12])}</code>{commit}"))
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts)}</dl>"


def _outlook(plan: Plan, beside: Beside) -> str:
    if not plan.outlook:
        return ""
    priced = any(one.price is not None for one in plan.outlook)
    rows = "".join(_size(one, plan, priced, beside) for one in plan.outlook)
    price = '<th class="n">price</th>' if priced else ""
    return (
        '<table class="outlook"><caption>Other sizes</caption><thead><tr><th class="n">tokens</th><th>tier</th>'
        f"<th>all evidence inside</th>{price}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _size(one: Outlook, plan: Plan, priced: bool, beside: Beside) -> str:
    now = one.budget == plan.budget
    price = "-" if one.price is None else f"{one.price:g} {inline(one.currency)}"
    rope = f", rope factor {one.rope_factor:g}" if one.rope_factor != 1 else ""
    likely = f"{one.likelihood:.0%}" if one.likelihood else "unknown"
    return (
        f'<tr{" class=now" if now else ""}><td class="n">{beside.size(one) or f"{one.budget:,}"}'
        f'{" (this one)" if now else ""}</td>'
        f'<td>{inline(one.tier)}{rope}</td><td><i class="share" style="--s:{one.likelihood:.0%}"></i>'
        f"{likely}</td>{f'<td class=n>{price}</td>' if priced else ''}</tr>"
    )


def _redacted(packed: Pack) -> str:
    if not packed.redacted:
        return '<p class="dim">No secrets had to be cut out of these files.</p>'
    count = sum(one.times for one in packed.redacted)
    items = "".join(
        f"<li><code>{inline(one.path)}</code> {inline(one.kind)}, {one.times:,}</li>" for one in packed.redacted
    )
    says = "secret was" if count == 1 else "secrets were"
    return f'<details class="redacted"><summary>{count:,} {says} cut out</summary><ul>{items}</ul></details>'


# --- parts and prompt --------------------------------------------------------------------------


def _parts(shown: Sequence[Shown], parts: Sequence[Part], beside: Beside) -> list[str]:
    rows = [
        _row(part, one.number, span, beside)
        for one in shown
        for part, span in zip(one.parts, one.spans, strict=True)
    ]
    zones = "".join(
        f'<label class="{class_of(zone)}"><input type="checkbox" value="{class_of(zone)}" checked> '
        f"{inline(zone)}</label>"
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


def _row(part: Part, number: int, span: tuple[int, int], beside: Beside) -> str:
    place = inline(_path(part)) + ("" if part.detail == "name" else f":{part.start_line}-{part.end_line}")
    return (
        f'<tr class="{class_of(part.zone)}" data-at="{number} {span[0]} {span[1]}">'
        f'<td class="n">{part.position + 1}</td>'
        f'<td class="zone">{inline(part.zone)}</td><td><a href="#b{number}">{place}</a>{beside.part(part)}</td>'
        f"<td>{part.detail}</td>"
        f'<td class="n">{part.tokens:,}</td><td class="n">{part.score:.3f}</td>'
        f"<td>{''.join(map(_reason, part.reasons))}</td></tr>"
    )


def _reason(reason: Reason) -> str:
    share = f"{reason.share:.0%}"
    says = f"{share} <b>{inline(reason.ranker)}</b> {inline(reason.detail)}"
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
            found.append(f'<h3 class="{class_of(zone)}">{inline(zone)}: {len(blocks):,} blocks, {tokens:,} tokens</h3>')
        found += [_block(one, total) for one in blocks]
    return [*found, "</section>"]


def _block(one: Shown, total: int) -> str:
    """A block. The parser drops the line feed after `<pre>`."""
    block, lines = one.block, ranges(one.parts[:8]) + (" …" if len(one.parts) > 8 else "")
    gutter = "\n".join(str(line or "") for line in one.lines) if any(one.lines) else ""
    return (
        f'<details class="{class_of(block.zone)}"{" open" if block.zone in OPEN else ""}><summary><i class="dot"></i>'
        f'<code>{inline(one.name)}</code><span class="dim">{lines}</span>'
        f'<span class="count">{block.tokens:,} tokens, {percent(block.tokens / total)}</span></summary>'
        f'<div class="code" id="b{one.number}" role="region" tabindex="0" aria-label="{inline(one.name)}">'
        f'<pre aria-hidden="true">\n{gutter}</pre><pre translate="no">\n{visible(one.text)}</pre></div></details>'
    )
