"""What came of a task, as one HTML file that asks nothing of a network and runs no script?

All text in it is a model's or a repository's: it is escaped, and the page's policy lets nothing run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from typing import Any

from repoctx.serve.results import OUTCOMES, name_of, spent_text, with_marks, workflow_lines
from repoctx.serve.show import plain, printable
from repoctx.store.tasks import Task

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_CLASSES = {"+": "added", "-": "removed", "@": "place"}


def page(task: Task) -> str:
    """The page about a task."""
    style = resources.files("repoctx.resources").joinpath("task.css").read_text("utf-8")
    title = escape(f"{name_of(task)} of {task.repository}: {(task.result or {}).get('outcome', task.state)}")
    body = "\n".join(_body(task))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{title}</title>'
        f"<style>{style}</style></head>\n<body><main>\n<h1>{title}</h1>\n{body}\n</main></body></html>\n"
    )


def _body(task: Task) -> Iterator[str]:
    result = task.result or {}
    yield f"<p class=dim>task {escape(task.id)}, {escape(task.ref)} at commit {escape(task.commit or 'none')}</p>"
    if task.error:
        yield f"<p class=bad>{escape(plain(task.error))}</p>"
    report = task.input.get("report")
    if report:
        yield f"<details><summary>The report</summary><pre>{escape(printable(report))}</pre></details>"
    if task.kind == "debug" and result:
        yield from _debug(result)
    elif result and not result.get("diff"):
        yield f"<h2>Result</h2>\n<pre>{escape(chr(10).join(workflow_lines(result)))}</pre>"
    if result.get("diff"):
        yield f"<h2>Change</h2>\n<pre class=diff>{''.join(_diff(result['diff']))}</pre>"
    if result.get("citations"):
        yield "<h2>Citations</h2>\n<ul>"
        for one in result["citations"]:
            mark = "" if one["exists"] else f" <b class=bad>{escape(plain(one['why']))} at this commit</b>"
            yield f"<li><code>{escape(plain(one['path']))}:{one['line']}</code>{mark}</li>"
        yield "</ul>"
    if result:
        yield f"<p class=dim>{escape(spent_text(result.get('spent') or {}))}</p>"


def _debug(result: Mapping[str, Any]) -> Iterator[str]:
    outcome = result["outcome"]
    good = outcome in ("fixed", "valid")
    yield f"<p class={'good' if good else 'bad'}><b>{escape(outcome)}</b>: {escape(OUTCOMES[outcome])}</p>"
    if result["problems"]:
        yield "<ul>"
        for one in result["problems"]:
            yield f"<li><b>{escape(plain(one['kind']))}</b> {escape(plain(one['detail']))}</li>"
        yield "</ul>"
    yield f"<h2>Answer</h2>\n<pre>{escape(printable(with_marks(result['answer'], result)))}</pre>"
    yield "<h2>Attempts</h2>\n<table><tr><th>#<th>tokens<th>window<th>ended<th>problems<th>test</tr>"
    for number, one in enumerate(result["attempts"], 1):
        test = one["test"]
        said = "" if test is None else f"{test['code']} ({test['ended']}), {test['seconds']:.1f} s"
        problems = "; ".join(plain(each["detail"]) for each in one["problems"])
        cells = (number, f"{one['tokens']:,}", one["tier"], one["finish"], problems, said)
        yield "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + "</tr>"
    yield "</table>"
    tests = [("before the change", result["before"])]
    tests += [(f"attempt {number}", one["test"]) for number, one in enumerate(result["attempts"], 1)]
    for name, test in tests:
        if test is not None:
            output = escape(printable(test["output"]))
            yield f"<details><summary>Test output, {name}</summary><pre>{output}</pre></details>"


def _diff(diff: str) -> Iterator[str]:
    for line in diff.splitlines():
        kind = "file" if line.startswith(("diff ", "--- ", "+++ ")) else _CLASSES.get(line[:1], "same")
        yield f"<span class={kind}>{escape(plain(line))}</span>\n"
