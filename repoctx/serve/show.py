"""How do answers look on a terminal, and as JSON Lines?"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repoctx.types import Progress

# Seconds between lines of progress where there is no terminal.
PLAIN_INTERVAL = 5.0


def plain(text: str) -> str:
    """Repository text made safe for a terminal: control characters as escapes, on one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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


def counts(found: dict[str, int], most: int = 12) -> str:
    """Counts by name, largest first: "python 12, go 3"."""
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:most])
    return shown + (f" and {len(ordered) - most} more" if len(ordered) > most else "")


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


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    rate = TextColumn("{task.fields[rate]}")
    columns = (
        TextColumn("{task.description:>6}"),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(step: Progress) -> None:
            if step.stage not in tasks:
                tasks[step.stage] = bars.add_task(step.stage, total=step.total or None, rate="")
            task = bars.tasks[tasks[step.stage]]
            rate = f"{step.done / task.elapsed:,.0f} {step.unit}/s" if step.done and task.elapsed else ""
            bars.update(tasks[step.stage], completed=step.done, total=step.total or None, rate=rate)

        yield show


def _lines() -> Callable[[Progress], None]:
    last: tuple[str, float] = ("", 0.0)

    def show(step: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if step.stage == last[0] and step.done < step.total and now - last[1] < PLAIN_INTERVAL:
            return
        if step.stage == last[0] and step.done == step.total and not step.total:
            return
        last = (step.stage, now)
        amount = f" {step.done:,} of {step.total:,} {step.unit}" if step.total else ""
        print(f"{step.stage}{amount}", file=sys.stderr, flush=True)

    return show
