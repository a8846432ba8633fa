"""How do the graph's answers look on a terminal, and as JSON Lines?

JSON Lines have a `type` each. Where a list was cut, an object of type `limit` says what of, and how long it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from repoctx.serve.show import json_line, place, plain

if TYPE_CHECKING:
    from repoctx.retrieve.questions import Found, Group, Impact, Link, Node, Ring, Uses, Walked

# Edges of a way that are shown, and files of a community or cycle.
MOST_LINKS, MOST_FILES = 4, 8


def _name(id: str) -> str:
    """A symbol without its path, a file by its path."""
    return plain(id.rpartition("#")[2])


def _at(path: str, line: int) -> str:
    return f"{click.style(plain(path), bold=True)}:{line}"


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _why(link: Link) -> str:
    return f"{link.confidence:.2f} {link.rule}"


def _heading(text: str) -> str:
    return click.style(text, underline=True)


def _node(node: Node) -> str:
    name = "" if node.qualified_name == node.path else f"  {node.kind} {plain(node.qualified_name)}"
    return place(node.path, node.start_line, node.end_line) + name


def _more(shown: int, total: int, what: str = "") -> Iterator[str]:
    if shown < total:
        yield f"  and {total - shown:,} more{what}: --limit {total} lists all"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield click.style(f"note: {plain(note)}", dim=True)


def _limit(what: str, shown: int, total: int) -> Iterator[str]:
    if shown < total:
        yield json_line({"type": "limit", "of": what, "shown": shown, "total": total})


def _notes_json(notes: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield json_line({"type": "note", "text": note})


# --- refs, callers, callees --------------------------------------------------------------------


def uses_text(found: Uses) -> Iterator[str]:
    """The references to a symbol."""
    for node in found.asked:
        yield _heading("uses of") + f" {_node(node)}"
    for link in found.links:
        yield f"  {_at(link.path, link.line)}  {link.kind} in {_name(link.source)}  {click.style(_why(link), dim=True)}"
    yield from _more(len(found.links), found.total)
    yield from _possible_text(found.possible, found.possible_total)
    yield from _notes(found.notes)


def _possible_text(links: Sequence[Link], total: int) -> Iterator[str]:
    if not total:
        return
    yield _heading("possible") + ": not resolved to one symbol, this is a candidate"
    for link in links:
        taken = f"taken for {_name(link.target)}, {_why(link)}" if link.target else "unresolved"
        others = len(link.candidates) - 1
        detail = f"{taken}; {_count(others, 'other candidate') if others else 'the only candidate'}"
        yield f"  {_at(link.path, link.line)}  {link.kind} in {_name(link.source)}  {click.style(detail, dim=True)}"
    yield from _more(len(links), total)


def uses_json(found: Uses) -> Iterator[str]:
    """The same as objects of type symbol, reference, note and limit; `possible` tells the sure from the others."""
    for node in found.asked:
        yield json_line({"type": "symbol", **node._asdict()})
    yield from _links_json("reference", found.links, found.total, False)
    yield from _links_json("reference", found.possible, found.possible_total, True)
    yield from _notes_json(found.notes)


def _links_json(type_: str, links: Sequence[Link], total: int, possible: bool) -> Iterator[str]:
    for link in links:
        yield json_line({"type": type_, **link._asdict(), "possible": possible})
    yield from _limit(f"possible {type_}" if possible else type_, len(links), total)


def walked_text(found: Walked, what: str) -> Iterator[str]:
    """Callers or callees: where the call stands, and through what a longer way leads."""
    for node in found.asked:
        yield _heading(f"{what} of") + f" {_node(node)}"
    for one in found.found:
        last = one.way[-1]
        steps = [_name(link.source if what == "callers" else link.target or "") for link in one.way[:-1]]
        through = f", through {', '.join(steps[::-1][:MOST_LINKS])}{' …' if len(steps) > MOST_LINKS else ''}"
        detail = f"{one.score:.2f} {last.rule}" + (f", depth {one.depth}{through}" if steps else "")
        node = one.node
        name = plain(node.qualified_name) if node.qualified_name != node.path else "top level"
        where = f"  defined at {plain(node.path)}:{node.start_line}" if what == "callees" else ""
        yield (
            f"  {_at(last.path, last.line)}  {node.kind if name != 'top level' else 'module'} {name}{where}  "
            f"{click.style(detail, dim=True)}"
        )
    yield from _more(len(found.found), found.total)
    yield from _possible_text(found.possible, found.possible_total)
    yield from _notes(found.notes)


def walked_json(found: Walked, type_: str) -> Iterator[str]:
    """The same as objects of type symbol, caller or callee, possible call, note and limit."""
    for node in found.asked:
        yield json_line({"type": "symbol", **node._asdict()})
    for one in found.found:
        yield json_line(
            {"type": type_, **one.node._asdict(), "depth": one.depth, "confidence": one.score, "way": one.way}
        )
    yield from _limit(type_, len(found.found), found.total)
    yield from _links_json("call", found.possible, found.possible_total, True)
    yield from _notes_json(found.notes)


# --- impact ------------------------------------------------------------------------------------


def impact_text(found: Impact, limit: int) -> Iterator[str]:
    """What changes (so many places), what may break, what to test."""
    yield _heading("changed")
    for one in found.changed[:limit]:
        lines = f"  line{'s' if len(one.lines) > 1 else ''} {_spans(one.lines)}" if one.lines else ""
        yield f"  {_node(one.node)}{click.style(lines, dim=True)}"
    yield from _more(min(limit, len(found.changed)), len(found.changed))
    yield _heading("may break") + f": {_count(found.broken_total, 'place')}"
    yield from _affected(found.broken, found.broken_total)
    yield _heading("tests to run") + f": {found.tests_total:,}, in {_count(len(found.files), 'file')}"
    yield from _affected(found.tests, found.tests_total)
    if found.files:
        yield _heading("files of these tests")
        for file in found.files[:MOST_FILES]:
            count = _count(file.tests, "test") if file.tests else "the file"
            yield f"  {file.risk:.2f}  {plain(file.path)}  {click.style(count, dim=True)}"
        if len(found.files) > MOST_FILES:
            yield f"  and {len(found.files) - MOST_FILES:,} more: --json lists all"
    yield from _notes(found.notes)


def _affected(found: Sequence[Found], total: int) -> Iterator[str]:
    for one in found:
        yield f"  {one.score:.2f}  {_node(one.node)}"
        links = [
            f"{_name(link.source)} {_meant(link)} ({plain(link.path)}:{link.line}, {_why(link)})"
            for link in one.way[::-1][:MOST_LINKS]
        ]
        more = f"; and {len(one.way) - MOST_LINKS} more" if len(one.way) > MOST_LINKS else ""
        yield click.style(f"        {'; '.join(links) or 'it is changed itself'}{more}", dim=True)
    yield from _more(len(found), total)


def _meant(link: Link) -> str:
    """What an edge says of its source; of a call that is not resolved which name it calls."""
    if link.target is not None:
        return f"{_VERBS[link.kind]} {_name(link.target)}"
    name = _name(link.candidates[0]).rpartition(".")[2] if link.candidates else "it"
    return f"may call it: {name}, one of {len(link.candidates)}"


_VERBS = {
    "calls": "calls", "references": "names", "imports": "imports", "inherits": "inherits from",
    "overrides": "overrides", "tests": "tests",
}  # fmt: skip


def _spans(lines: Sequence[int]) -> str:
    """Line numbers as ranges: 3-5, 9."""
    spans: list[list[int]] = []
    for line in sorted(set(lines)):
        if spans and line == spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in spans[:MOST_FILES]]
    return ", ".join(shown) + (" …" if len(spans) > MOST_FILES else "")


def impact_json(found: Impact) -> Iterator[str]:
    """The same as objects of type changed, affected, test, test_file, note and limit."""
    for change in found.changed:
        yield json_line({"type": "changed", **change.node._asdict(), "lines": change.lines})
    for type_, list_, total in (
        ("affected", found.broken, found.broken_total), ("test", found.tests, found.tests_total)
    ):  # fmt: skip
        for one in list_:
            yield json_line(
                {"type": type_, **one.node._asdict(), "distance": one.depth, "risk": one.score, "way": one.way}
            )
        yield from _limit(type_, len(list_), total)
    for file in found.files:
        yield json_line({"type": "test_file", **file._asdict()})
    yield from _notes_json(found.notes)


# --- shape -------------------------------------------------------------------------------------


def cycles_text(found: Sequence[Ring], kind: str, limit: int) -> Iterator[str]:
    """Cycles, each with a shortest way round."""
    for ring in found[:limit]:
        count = len(ring.nodes)
        what = _count(count, "file" if kind == "imports" else "symbol")
        names = ", ".join(_name(node.id) for node in ring.nodes[:MOST_FILES])
        yield f"{what}: {names}" + (f" and {count - MOST_FILES:,} more" if count > MOST_FILES else "")
        for link in ring.way:
            detail = click.style(f"({plain(link.path)}:{link.line}, {_why(link)})", dim=True)
            yield f"  {_name(link.source)} {_VERBS[link.kind]} {_name(link.target or '')}  {detail}"
    yield from _more(min(limit, len(found)), len(found), " cycles")


def cycles_json(found: Sequence[Ring], limit: int) -> Iterator[str]:
    """The same as objects of type cycle, and limit."""
    for ring in found[:limit]:
        yield json_line({"type": "cycle", "nodes": [node.id for node in ring.nodes], "way": ring.way})
    yield from _limit("cycle", min(limit, len(found)), len(found))


def communities_text(found: Sequence[Group], modularity: float, limit: int) -> Iterator[str]:
    """Communities, each with its most connected files."""
    yield f"{len(found):,} communities, modularity {modularity:.2f}"
    for group in found[:limit]:
        count = len(group.files)
        label = plain(group.label) or "(several folders)"
        shared = group.inside + group.outside
        tied = f"{group.inside / shared:.0%} of its edges within" if shared else ""
        yield f"{click.style(label, bold=True)}  {_count(count, 'file')}, {tied}"
        yield click.style(f"  {', '.join(plain(path) for path in group.files[:MOST_FILES])}", dim=True) + (
            " …" if count > MOST_FILES else ""
        )
    yield from _more(min(limit, len(found)), len(found), " communities")


def communities_json(found: Sequence[Group], modularity: float, limit: int) -> Iterator[str]:
    """The same as objects of type communities (how many, how well parted), community, and limit."""
    first: dict[str, Any] = {"type": "communities", "count": len(found), "modularity": modularity}
    yield json_line(first)
    for group in found[:limit]:
        yield json_line({"type": "community", **group._asdict()})
    yield from _limit("community", min(limit, len(found)), len(found))
