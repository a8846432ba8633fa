"""What does an evaluation look like on a page? One HTML file with plots, no script, nothing from elsewhere. Pure.

Messages and paths are somebody else's text: all of it is escaped, and what cannot be printed is shown as its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from repoctx.evaluation import judge
from repoctx.evaluation.cases import MEANING
from repoctx.evaluation.judge import Group, Outcome, Rank, Ranking
from repoctx.evaluation.report import Evaluation

# The curve of recall reaches to so many hits.
CURVE = 50
# Things that are named for a question.
NAMED = 12
# Of a plot, without its labels.
WIDTH, HEIGHT = 420, 220
LEFT, TOP, BOTTOM = 44, 14, 44

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #5f6b76; --line: #d7dde2; --paper: #fff; --soft: #f4f6f8;
  --file: #1f6fd6; --symbol: #c2571a; --good: #1a7f45; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --dim: #98a3ae; --line: #39414a; --paper: #15181c;
  --soft: #1e2329; --file: #6aa9ff; --symbol: #f0985f; --good: #5cc98b; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1020px; padding: 24px 20px 60px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 34px 0 8px; }
p { margin: 4px 0; max-width: 78ch; }
.dim, figcaption { color: var(--dim); }
code, .path { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 22px; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 13px; }
svg { width: 100%; height: auto; display: block; }
.key svg { display: inline; width: 10px; }
svg text { fill: var(--dim); font: 12px system-ui, sans-serif; }
.axis { stroke: var(--line); stroke-width: 1; }
.file { stroke: var(--file); fill: var(--file); } .symbol { stroke: var(--symbol); fill: var(--symbol); }
path.file, path.symbol { fill: none; stroke-width: 2.5; }
svg text.value { fill: var(--ink); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 5px 9px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--dim); font-size: 13px; }
th.name, td.name { text-align: left; }
tr.total td { font-weight: 600; }
.cases { table-layout: fixed; min-width: 860px; }
.cases td { font-size: 14px; }
.cases th:nth-child(1) { width: 104px; } .cases th:nth-child(2) { width: 34%; }
.key { white-space: nowrap; margin-left: 8px; }
.title { overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding: 0; }
li { display: flex; gap: 8px; }
.rank { flex: 0 0 34px; text-align: right; font-weight: 600; }
.first { color: var(--good); } .lost { color: var(--bad); }
"""


def page(found: Evaluation) -> str:
    """The page."""
    times = sorted(outcome.time for outcome in found.outcomes)
    days = " to ".join(dict.fromkeys(_day(time) for time in (times[0], times[-1])))
    body = [
        f"<h1>How well is what changed found in {_text(found.repository)}?</h1>",
        f"<p>{found.overall.cases} past commits, {days}. The message of each is the question, the repository before "
        "it is searched, and what it changed should be found. Messages are written by who knows the change: reports "
        "of users find less.</p>",
        f'<p class="dim">{_text(left_out(found))}</p>',
        f'<p class="dim">Vectors: {_text(vectors(found))}. Weights: '
        f"{'those that `repoctx tune` found' if found.tuned else 'the default ones'}. "
        f"Newest commit looked at: <code>{_text(found.commit[:12])}</code>.</p>",
        '<div class="plots">',
        _figure(
            _curves(found.outcomes),
            "Share of the changed files and symbols that are among the first k hits",
        ),
    ]
    if found.overall.budgets:
        body.append(_figure(_budgets(found.overall), "Share that a prompt of so many tokens shows in full"))
    body += [
        _figure(_lengths(found.lengths), "Share among the first 10 hits, by the length of the question"),
        "</div>",
        "<h2>Figures</h2>",
        _figures([found.overall, *found.lengths]),
        '<p class="dim">@k: mean share of them among the first k. all@10: share of questions with all of them among '
        "the first 10. MRR: mean of 1 / place of the first one, ± its standard error. Symbols are the functions that "
        "hold a changed line, or the class around it.</p>",
        "<h2>Questions, those found worst first</h2>",
        _cases(judge.worst_first(found.outcomes)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(found.repository)}: what search finds</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def left_out(found: Evaluation) -> str:
    """How many commits were looked at, and why some are no questions."""
    why = ", ".join(f"{MEANING[reason]} {count:,}" for reason, count in found.excluded.items())
    return f"{found.looked:,} commits looked at; left out: {why or 'none'}."


def vectors(found: Evaluation) -> str:
    """Which embedding model took part."""
    name = found.embedding or "none, by words alone"
    return f"{name} in place of {found.replaced}, which would take long" if found.replaced else name


def _day(time: int) -> str:
    """A date; what a commit says of its time may be any number."""
    return datetime.fromtimestamp(min(time, 253_402_300_799), UTC).strftime("%Y-%m-%d")


def _text(value: str) -> str:
    """Text that can stand in a page: characters that do not print, those that turn the direction too, as codes."""
    return escape("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value))


def _figure(svg: str, caption: str) -> str:
    keys = " ".join(
        f'<span class="key"><svg viewBox="0 0 10 10"><rect width="10" height="10" class="{level}"/></svg> {name}</span>'
        for level, name in (("file", "files"), ("symbol", "functions, classes"))
    )
    return f"<figure>{svg}<figcaption>{caption}. {keys}</figcaption></figure>"


# --- plots -------------------------------------------------------------------------------------


def _y(share: float) -> float:
    return round(TOP + HEIGHT * (1 - share), 1)


def _plot(inside: Iterable[str], label: str) -> str:
    """A plot with an axis from 0 to 100 %."""
    grid = [
        f'<line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{_y(share)}" y2="{_y(share)}"/>'
        f'<text x="{LEFT - 6}" y="{_y(share) + 4}" text-anchor="end">{share:.0%}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    size = f"0 0 {LEFT + WIDTH + 16} {TOP + HEIGHT + BOTTOM}"
    return f'<svg viewBox="{size}" role="img" aria-label="{escape(label)}">{"".join([*grid, *inside])}</svg>'


def _below(x: float, text: str, row: int = 0) -> str:
    return f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18 + 16 * row}" text-anchor="middle">{escape(text)}</text>'


def _curves(outcomes: Sequence[Outcome]) -> str:
    inside = [_below(LEFT + WIDTH * (k - 1) / (CURVE - 1), str(k)) for k in (1, 10, 20, 30, 40, 50)]
    inside.append(_below(LEFT + WIDTH / 2, "hits", 1))
    levels: dict[str, list[list[Rank]]] = {
        "file": [outcome.file_ranks for outcome in outcomes],
        "symbol": [outcome.symbol_ranks for outcome in outcomes],
    }
    for level, ranks in levels.items():
        points = [
            f"{LEFT + WIDTH * (k - 1) / (CURVE - 1):.1f},{_y(judge.recall(ranks, k))}" for k in range(1, CURVE + 1)
        ]
        if any(ranks):
            inside.append(f'<path class="{level}" d="M{" L".join(points)}"/>')
    return _plot(inside, "recall at k")


def _bars(groups: Sequence[tuple[str, float | None, float | None]], label: str) -> str:
    """Pairs of bars: name, share of files, share of symbols."""
    inside = []
    slot = WIDTH / len(groups)
    bar = min(46.0, slot / 3)
    for at, (name, *shares) in enumerate(groups):
        middle = LEFT + slot * (at + 0.5)
        inside.append(_below(middle, name))
        for side, (level, share) in enumerate(zip(("file", "symbol"), shares, strict=True)):
            if share is None:
                continue
            x = middle + (side - 1) * (bar + 2) + 1
            inside.append(
                f'<rect class="{level}" x="{x:.1f}" y="{_y(share)}" width="{bar:.1f}" height="{HEIGHT * share:.1f}"/>'
                f'<text class="value" x="{x + bar / 2:.1f}" y="{_y(share) - 3}" text-anchor="middle">{share:.0%}</text>'
            )
    return _plot(inside, label)


def _budgets(overall: Group) -> str:
    return _bars([(f"{shown.budget:,} tokens", shown.files, shown.symbols) for shown in overall.budgets], "packs")


def _lengths(groups: Sequence[Group]) -> str:
    return _bars([(f"{g.name} ({g.cases})", _at_10(g.files), _at_10(g.symbols)) for g in groups], "length")


def _at_10(ranking: Ranking | None) -> float | None:
    return ranking.recall[10] if ranking else None


# --- tables ------------------------------------------------------------------------------------


def _figures(groups: Sequence[Group]) -> str:
    head = "".join(f"<th>@{k}</th>" for k in judge.KS)
    rows = [f'<tr><th class="name"></th><th>questions</th>{head}<th>all@10</th><th>MRR</th></tr>']
    for level, name in (("files", "Files"), ("symbols", "Functions, classes")):
        for group in groups:
            ranking: Ranking | None = getattr(group, level)
            if ranking is None:
                continue
            error = "" if ranking.mrr_error is None else f" ± {ranking.mrr_error:.2f}"
            cells = "".join(f"<td>{ranking.recall[k]:.0%}</td>" for k in judge.KS)
            rows.append(
                f'<tr{" class=total" if group.name == "all" else ""}><td class="name">{name}, {escape(group.name)}</td>'
                f"<td>{ranking.cases}</td>{cells}<td>{ranking.all[10]:.0%}</td><td>{ranking.mrr:.2f}{error}</td></tr>"
            )
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def _cases(outcomes: Sequence[Outcome]) -> str:
    rows = ['<tr><th class="name">commit</th><th class="name">question</th><th class="name">place of each file</th>'
            '<th class="name">place of each function or class</th></tr>']  # fmt: skip
    for outcome in outcomes:
        files = [(found.rank, found.path) for found in outcome.files]
        symbols = [(found.rank, found.qualified_name) for found in outcome.symbols]
        rows.append(
            f'<tr><td class="name"><code>{_text(outcome.commit[:10])}</code></td>'
            f'<td class="name title">{_text(outcome.title[:300])}<br>'
            f'<span class="dim">{outcome.words} words</span></td>'
            f'<td class="name">{_places(files)}</td><td class="name">{_places(symbols)}</td></tr>'
        )
    return f'<div class="wide"><table class="cases">{"".join(rows)}</table></div>'


def _places(found: Sequence[tuple[Rank, str]]) -> str:
    items = [
        f'<li><span class="rank{" first" if rank == 1 else "" if rank else " lost"}">{rank or "-"}</span>'
        f'<span class="path">{_text(name[:200])}</span></li>'
        for rank, name in found[:NAMED]
    ]
    more = f'<li><span class="rank"></span><span class="dim">and {len(found) - NAMED} more</span></li>'
    return f"<ul>{''.join(items)}{more if len(found) > NAMED else ''}</ul>"
