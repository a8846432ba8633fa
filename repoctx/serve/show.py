"""How do answers look on a terminal, and as JSON Lines?"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from repoctx.serve.background import state

if TYPE_CHECKING:
    from repoctx.ingest import Estimate
    from repoctx.retrieve.snapshot import FoundSymbol
    from repoctx.serve.collect import Removed
    from repoctx.tasks.ask import Asked
    from repoctx.types import Hit, Progress, Report, Skip
    from repoctx.workspace import Embedded, Status

# Seconds between lines of progress where there is no terminal.
PLAIN_INTERVAL = 5.0


def plain(text: str) -> str:
    """Repository text made safe for a terminal: control characters as escapes, on one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable(text: str) -> str:
    """Text of several lines made safe for a terminal: as `plain`, but line feeds and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else plain(c) for c in text)


def json_line(value: Any) -> str:
    """One JSON object on one line; dataclasses and named tuples become objects."""
    return json.dumps(_jsonable(value), ensure_ascii=False, separators=(",", ":"))


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _jsonable(item) for name, item in value._asdict().items()}
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value


def size(count: int) -> str:
    """A number of bytes for people."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def counts(found: Mapping[str, int], most: int = 12) -> str:
    """Counts by name, largest first: "python 12, go 3"."""
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:most])
    return shown + (f" and {len(ordered) - most} more" if len(ordered) > most else "")


# --- answers -----------------------------------------------------------------------------------


def report_text(report: Report) -> str:
    """What an index run did."""
    commit = f" at {report.commit[:12]}" if report.commit else ""
    done = "indexed" if report.changed else "already up to date:"
    lines = [
        f"{done} {plain(report.repository)}, {plain(report.ref)}{commit}, in {report.seconds:.1f} s",
        f"  files      {report.files:,} ({report.parsed:,} parsed), {size(report.bytes)}, {report.tokens:,} tokens",
        f"  symbols    {report.symbols:,}, references {report.references:,}, edges {report.edges:,}",
        f"  chunks     {report.chunks:,}",
    ]
    if report.languages:
        lines.append(f"  languages  {counts(report.languages)}")
    if report.skips:
        lines.append(f"  left out   {counts(report.skips)} (`repoctx status --skips` lists them)")
    if not report.files:
        lines.append("  there is nothing to search in: no file that can be indexed")
    lines.append(f"  vectors    {answering(report.embedding, report.pending)}")
    return "\n".join([*lines, f"  snapshot   {report.snapshot}"])


def next_text(report: Report) -> str:
    """What to do with a repository that was indexed for the first time."""
    where = f" --repo {plain(report.repository)}"
    return (
        f'Now ask it: `repoctx search "where is X decided?"{where}`, `repoctx map{where}`,\n'
        f'or make a prompt: `repoctx pack --task "fix Y"{where}`. `repoctx watch` keeps the index up to date.'
    )


def answering(model: str | None, pending: str | None) -> str:
    """Which embedding model answers, and which will."""
    now = f"of {plain(model)}" if model else "none: search is lexical"
    return f"{now}; those of {plain(pending)} are still to be made" if pending else now


def embedded_text(made: Embedded) -> str:
    """What became of the vectors that a ref waited for."""
    return (
        f"made {made.made:,} vectors of {plain(made.repository)}, {plain(made.ref)}, in {made.seconds:.1f} s\n"
        f"  vectors    {answering(made.embedding, None)}"
    )


def estimate_text(found: Estimate) -> str:
    """What an index run would do."""
    lines = [
        f"would index {found.files:,} files, {size(found.bytes)}, about {found.tokens:,} tokens",
        f"  languages  {counts(found.languages)}",
        f"  time       about {found.seconds:,.0f} CPU seconds the first time",
        f"  left out   {len(found.skips):,} by name, size or rule (more when read: binary, generated, minified)",
    ]
    if found.embedding_seconds:
        took = timedelta(seconds=round(found.embedding_seconds))
        said = f"{took} of CPU with a small transformer; `repoctx doctor --embedding {found.embedding}` measures it"
        lines.insert(3, f"  vectors    of about {found.chunks:,} chunks, some {plain(said)}")
    if found.embedding_requests:
        said = f"in some {found.embedding_requests:,} requests to {found.embedding}"
        lines.insert(3, f"  vectors    of about {found.chunks:,} chunks, {plain(said)}")
    return "\n".join([*lines, *(f"    {skip_text(skip)}" for skip in found.skips)])


def removed_text(one: Removed) -> str:
    """What was removed of a kind, or would be."""
    amount = f"{one.count:>9,}" if one.count else " " * 9
    return f"  {one.what:<16}{amount}  {size(one.bytes)}"


def skip_text(skip: Skip) -> str:
    """A path that is left out, and why."""
    return f"{skip.reason}: {plain(skip.path)}" + (f" ({plain(skip.detail)})" if skip.detail else "")


def place(path: str, start: int, end: int) -> str:
    """path:start-end, the path in bold."""
    return f"{click.style(plain(path), bold=True)}:{start}-{end}"


# People are told reasons of this share at least; JSON has all.
TOLD = 0.05


def hit_text(hit: Hit, several: bool = False) -> str:
    """A hit and its reasons, and its repository if `several` were searched."""
    name = f"  {hit.kind} {plain(hit.qualified_name)}" if hit.qualified_name else ""
    told = [r for r in hit.reasons if r.share >= TOLD] or hit.reasons[:1]
    why = "; ".join(f"{r.ranker} {r.share:.0%} ({plain(r.detail)})" for r in told)
    where = f"{plain(hit.repository)}: " if several else ""
    return f"{where}{place(hit.path, hit.start_line, hit.end_line)}{name}\n" + click.style(
        f"  {hit.score:.3f}  {why}", dim=True
    )


def symbol_text(found: FoundSymbol) -> str:
    """A definition with its signature and the first line of its documentation."""
    lines = [
        f"{place(found.path, found.start_line, found.end_line)}  {found.kind} {plain(found.qualified_name)}",
        f"  {plain(found.signature)}",
    ]
    if found.doc.strip():
        lines.append(click.style(f"  {plain(found.doc.strip().splitlines()[0])}", dim=True))
    return "\n".join(lines)


def status_text(found: Status, with_skips: bool) -> str:
    """A repository and its refs; * marks the default one."""
    lines = [f"{click.style(plain(found.repository.name), bold=True)}  {plain(found.repository.location)}"]
    if not found.refs:
        lines.append("   not indexed yet: its job waits, runs or has failed; a service's page /jobs tells which")
    for ref, left_out in found.refs:
        mark = "*" if ref.name == found.repository.default_ref else " "
        commit = f" at {ref.commit[:12]}{' with changes' if ref.dirty else ''}" if ref.commit else ""
        report = ref.report
        sizes = f"{report['files']:,} files, {report['symbols']:,} symbols, {report['tokens']:,} tokens"
        lines.append(f" {mark} {plain(ref.name)}{commit}: {sizes}, indexed {ref.indexed_at}")
        lines.append(f"     vectors {answering(ref.embedding_model, ref.pending)}")
        if ref.pending:
            done = ref.progress
            amount = f"{done['done']:,} of {done['total']:,} chunks, {done['rate']:,.1f}/s, " if done else ""
            lines.append(f"     {amount}{plain(state(done))}")
        if with_skips:
            lines += [f"     {skip_text(skip)}" for skip in left_out]
        elif left_out:
            lines.append(f"     left out {counts(report['skips'])}")
    return "\n".join(lines)


def answer_text(answer: Asked) -> str:
    """What follows a streamed answer: its citations, and the tokens predicted and used."""
    lines = [""]
    for citation in answer.citations:
        mark = "" if citation.exists else f"  ({citation.why or 'no such place'} at this commit)"
        lines.append(f"  {plain(citation.path)}:{citation.line}{mark}")
    used, made = (n if n is not None else "not reported" for n in (answer.prompt_tokens, answer.completion_tokens))
    return "\n".join(
        [*lines, f"prompt tokens: predicted {answer.predicted_tokens}, used {used}; answer tokens: {made}"]
    )


# --- progress ----------------------------------------------------------------------------------


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Shows progress on stderr: a bar on a terminal, a line now and then elsewhere, nothing if quiet."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


class _Pace:
    """How fast each stage is, and how long it will still take."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, int]] = {}

    def __call__(self, step: Progress) -> str:
        """ "123 chunks/s, 0:31 left"; empty until something is done."""
        now = time.monotonic()
        started, first = self._begun.setdefault(step.stage, (now, step.done))
        if step.done <= first or now <= started:
            return ""
        rate = (step.done - first) / (now - started)
        left = timedelta(seconds=round((step.total - step.done) / rate)) if step.done < step.total else None
        number = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
        return f"{number} {step.unit}/s" + (f", {left} left" if left is not None else "")


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:>6}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}
        pace = _Pace()

        def show(step: Progress) -> None:
            if step.stage not in tasks:
                tasks[step.stage] = bars.add_task(step.stage, total=step.total or None, pace="")
            bars.update(tasks[step.stage], completed=step.done, total=step.total or None, pace=pace(step))

        yield show


def _lines() -> Callable[[Progress], None]:
    last: tuple[str, float] = ("", 0.0)
    pace = _Pace()

    def show(step: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        speed = pace(step)
        if step.stage == last[0] and step.done < step.total and now - last[1] < PLAIN_INTERVAL:
            return
        if step.stage == last[0] and step.done == step.total and not step.total:
            return
        last = (step.stage, now)
        amount = f" {step.done:,} of {step.total:,} {step.unit}" if step.total else ""
        print(f"{step.stage}{amount}{f', {speed}' if speed else ''}", file=sys.stderr, flush=True)

    return show
