"""How fast are the web pages? From a key to shown hits, and the opening of each kind of page, in a real Chromium.

    python tests/bench/pages.py --url http://127.0.0.1:8000 --repository NAME     # a service that runs
    python tests/bench/pages.py --index FOLDER [--home HOME]                      # one that is started for it

With --index the folder (a git repository; a copy of installed packages does) is indexed into HOME, by default a
temporary folder, and `repoctx serve` is started on it. Queries are typed key by key, PAUSE milliseconds apart, into the
search page. A key's time is from its `input` event to the change of the hits that answers what the field holds then, as
the browser's clock and a MutationObserver have it; keys that are overtaken by the next one before their answer count
with the answer that includes them. Pages are opened three times each: domContentLoaded and load, of the navigation.
Queries are typed twice, and each page was opened once before. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser import WIDE, chromium
from running import running

from repoctx.workspace import Workspace

QUERIES = (
    "parse expression", "where is the connection pool", "how are transactions rolled back", "class Session",
    "TypeError: unsupported operand", "create engine from url", "matrix eigenvalues", "solve linear system",
)  # fmt: skip
OPENED = 3
# Measured in the page: the time of each input event, and of the first change of the hits whose answer is to it.
WATCH = """() => {
  const field = document.querySelector("#search [name=q]");
  window.keys = [];
  window.open_keys = [];
  field.addEventListener("input", () => window.open_keys.push(performance.now()), true);
  new MutationObserver(() => {
    const address = new URL(location.href);
    if ((address.searchParams.get("q") ?? "").trim() !== field.value.trim()) return;
    const now = performance.now();
    window.keys.push(...window.open_keys.map((at) => now - at));
    window.open_keys = [];
  }).observe(document.querySelector("#found"), { childList: true });
}"""
TIMES = """() => {
  const [one] = performance.getEntriesByType("navigation");
  return [one.responseEnd, one.domContentLoadedEventEnd, one.loadEventEnd];
}"""


def typed(page: Any, repository: str, pause: int) -> list[float]:
    """Milliseconds from each key to its hits."""
    page.goto(f"/search?repository={repository}")
    page.evaluate(WATCH)
    field = page.get_by_label("search the code")
    for query in QUERIES:
        field.fill("")
        page.wait_for_timeout(300)
        page.evaluate("window.open_keys = []")
        field.press_sequentially(query, delay=pause)
        page.wait_for_function("window.open_keys.length === 0")
    found: list[float] = page.evaluate("window.keys")
    return found


def addresses(page: Any, repository: str, file: str | None) -> dict[str, str]:
    """A page of each kind, by its name."""
    page.goto(f"/search?repository={repository}&q={QUERIES[0].replace(' ', '+')}&level=symbol")
    first = page.locator(".hit .head a").first.get_attribute("href")
    path = file or first.partition("/files/")[2].partition("?")[0]
    name = page.locator(".hit .symbol b").first.inner_text()
    return {
        "repositories": "/",
        "repository": f"/r/{repository}",
        "search": f"/search?repository={repository}&q={QUERIES[0].replace(' ', '+')}",
        "files": f"/r/{repository}/files",
        "file": f"/r/{repository}/files/{path}",
        "history": f"/r/{repository}/files/{path}?show=history",
        "symbol": f"/r/{repository}/symbol?id={name}",
        "graph": f"/r/{repository}/graph?symbol={name}",
        "jobs": "/jobs",
        "docs": "/docs",
    }


def opened(page: Any, address: str) -> list[list[float]]:
    """Milliseconds to the whole answer, to domContentLoaded and to load, each time that a page is opened."""
    page.goto(address)
    times = []
    for _ in range(OPENED):
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_load_state()
        times.append(page.evaluate(TIMES))
    return times


def told(times: Sequence[float]) -> str:
    """Percentiles, in milliseconds, as cells of a table."""
    ordered = sorted(times)
    shares = (statistics.median(ordered), ordered[int(0.95 * len(ordered))], ordered[-1])
    return " | ".join([str(len(ordered)), *(f"{value:.0f}" for value in shares)])


@contextlib.contextmanager
def service(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Where the pages are, and the repository that they are about."""
    if given.url:
        yield given.url.rstrip("/"), given.repository
        return
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(given.home or scratch)
        workspace = Workspace({"REPOCTX_HOME": str(home)})
        report = workspace.index(given.index, name=given.repository or "bench")
        workspace.close()
        print(json.dumps({"files": report.files, "symbols": report.symbols, "tokens": report.tokens}), file=sys.stderr)
        with running(home, {}) as started:
            yield f"http://127.0.0.1:{started.port}", report.repository


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="address of a service that runs; needs no token")
    where.add_argument("--index", help="folder to index and serve")
    parser.add_argument("--repository", help="name of the repository; needed with --url")
    parser.add_argument("--home", help="where the index of --index is kept, to be used again")
    parser.add_argument("--file", help="path of the file whose page is opened; by default that of the first hit")
    parser.add_argument("--pause", type=int, default=120, help="milliseconds between keys (120: a fast typist)")
    given = parser.parse_args()
    if given.url and not given.repository:
        parser.error("--url needs --repository")
    with service(given) as (url, repository), chromium() as browser:
        page = browser.new_context(base_url=url, viewport=WIDE, bypass_csp=True).new_page()
        print("\n| search as you type | keys | p50 ms | p95 ms | max ms |\n|---|---|---|---|---|")
        for time in ("first", "second"):
            keys = told(typed(page, repository, given.pause))
            print(f"| {repository}, a key every {given.pause} ms, the {time} time | {keys} |", flush=True)
        print("\n| page | answer ms | domContentLoaded ms | load ms |\n|---|---|---|---|")
        for name, address in addresses(page, repository, given.file).items():
            cells = [f"{statistics.median(column):.0f}" for column in zip(*opened(page, address), strict=True)]
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
