"""What do the lines of a file look like on a page? Coloured, without secrets, with links and marks.

Everything in a text is escaped here, and what does not print, or turns the direction, is shown as codes.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from repoctx import redact
from repoctx.pack.picture import visible
from repoctx.redact import Span
from repoctx.serve.rest.state import Service
from repoctx.serve.web.colours import COLOURS, paint
from repoctx.store import facts
from repoctx.store.connect import errors
from repoctx.store.payload import Key
from repoctx.types import Symbol
from repoctx.warm import Opened

# Bytes of texts that a process keeps ready for pages, and bytes of a line that a page shows.
KEPT, LONGEST = 48_000_000, 2_000
# Bytes before a term that may be of the same word.
MOST_OF_WORD = 80
# In the byte of a colour: the word is one of the query.
_MARK = 0x80
_WORD = re.compile(rb"[\w\x80-\xff]{2,100}")
_LETTERS = frozenset(byte for byte in range(256) if _WORD.fullmatch(bytes([byte, 95])))
# What has to be made visible or escaped.
_ODD = re.compile(r"[^\t\x20-\x25\x27-\x3b=\x3f-\x7e]")
_RETURN = ord("\r")
_NAME = re.compile(rb"[\w$\x80-\xff]{1,200}[?!]?")
_CUT, _DEFINED = COLOURS.index("cut"), COLOURS.index("name")
_CLASSES = tuple(f"c-{name}" if name else "" for name in COLOURS)


class Place(NamedTuple):
    """A name in a text that leads somewhere."""

    line: int
    column: int  # in bytes


class Marking(NamedTuple):
    """Which words are marked: those that are known, of those in which a term begins."""

    terms: re.Pattern[bytes]
    known: Callable[[str], bool]


NOTHING = Marking(re.compile(rb"(?!)"), lambda _: False)


class _Link(NamedTuple):
    """Bytes of a line that are a link."""

    start: int
    end: int
    place: Place


@dataclass(frozen=True, eq=False)
class Sheet:
    """A file made ready for pages, each part when it is first asked for."""

    language: str
    whole: str  # as it was indexed
    symbols: Sequence[Symbol]
    secrets: Sequence[Span]  # what is cut out of it

    @cached_property
    def text(self) -> bytes:
        """What may be shown."""
        return redact.without(self.whole, self.secrets).encode()

    @cached_property
    def starts(self) -> list[int]:
        """Where each line of `text` begins, and last where one more would."""
        found: list[int] = (np.flatnonzero(np.frombuffer(self.text, np.uint8) == 10) + 1).tolist()
        return [0, *found] if found and found[-1] == len(self.text) else [0, *found, len(self.text) + 1]

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self.starts) - 1 if self.text else 0

    @cached_property
    def cuts(self) -> list[tuple[int, str]]:
        """The line on which each secret begins, and its kind."""
        breaks = [at for at, char in enumerate(self.whole) if char == "\n"] if self.secrets else []
        return [(bisect_right(breaks, span.start - 1) + 1, span.kind) for span in self.secrets]

    @property
    def painted(self) -> bool:
        """Whether its colours are known already."""
        return "colours" in self.__dict__

    @cached_property
    def colours(self) -> bytes:
        """The colour of each byte of `text`."""
        raw = self.whole.encode()
        painted = bytearray(paint(self.language, raw) or len(raw))
        starts = [0, *(np.flatnonzero(np.frombuffer(raw, np.uint8) == 10) + 1).tolist()]
        for symbol in self.symbols:
            name, at = symbol.name.encode(), starts[symbol.name_line - 1] + symbol.name_column
            if raw.startswith(name, at):
                painted[at : at + len(name)] = bytes([_DEFINED]) * len(name)
        return _cut(self.whole, bytes(painted), self.secrets)


def _cut(text: str, colours: bytes, secrets: Sequence[Span]) -> bytes:
    """The colours of what `redact.without` leaves of a text."""
    parts, at, byte = [], 0, 0
    for span in secrets:
        before = len(text[at : span.start].encode())
        hidden = text[span.start : span.end]
        marker = redact.without(hidden, [Span(0, len(hidden), span.kind)])
        parts += [colours[byte : byte + before], bytes([_CUT]) * len(marker.encode())]
        at, byte = span.end, byte + before + len(hidden.encode())
    return b"".join([*parts, colours[byte:]])


# --- reading -----------------------------------------------------------------------------------


class Shelf:
    """The sheets that were asked for last, as far as there is room. Safe for threads."""

    def __init__(self, room: int = KEPT) -> None:
        self._room, self._held, self._lock = room, 0, threading.Lock()
        self._sheets: OrderedDict[Key, Sheet] = OrderedDict()

    def find(self, key: Key) -> Sheet | None:
        """A sheet, if it is there."""
        with self._lock:
            if (found := self._sheets.get(key)) is not None:
                self._sheets.move_to_end(key)
            return found

    def put(self, key: Key, sheet: Sheet) -> Sheet:
        """Keep a sheet, and let go of those that nobody has asked for the longest: what is kept under its key."""
        with self._lock:
            if (known := self._sheets.get(key)) is not None:
                return known
            self._sheets[key] = sheet
            self._held += _size(sheet)
            while self._held > self._room and len(self._sheets) > 1:
                self._held -= _size(self._sheets.popitem(last=False)[1])
            return sheet


def _size(sheet: Sheet) -> int:
    return 4 * len(sheet.whole) + 100 * len(sheet.symbols)  # the text twice, its colours, what stands around them


def sheets(service: Service, opened: Opened, files: Sequence[int]) -> dict[int, Sheet]:
    """Some files of a snapshot by their numbers, without secrets unless the settings say otherwise."""
    shelf: Shelf = service.shared.setdefault("sheets", Shelf())
    members, hide = opened.index.view.members, service.workspace.settings.pack_redact
    found = {key: sheet for key in {members[file].key for file in files} if (sheet := shelf.find(key)) is not None}
    if missing := sorted({members[file].key for file in files} - found.keys()):
        with errors(service.engine), service.engine.connect() as connection:
            for key, one in facts.read_shown(connection, missing):
                sheet = Sheet(one.language, one.text, one.symbols, one.secrets if hide else ())
                found[key] = shelf.put(key, sheet)
    return {file: found[members[file].key] for file in files}


# --- showing -----------------------------------------------------------------------------------


def shown(
    sheet: Sheet, first: int, last: int, *, places: Iterable[Place] = (), marked: Marking | None = None,
    plain: bool = False,
) -> list[Markup]:  # fmt: skip
    """Lines `first` to `last` as markup: coloured unless `plain`, words marked, names at places linked (`?at=`)."""
    first, last = max(first, 1), min(last, sheet.lines)
    if first > last:
        return []
    begin, end = sheet.starts[first - 1], min(sheet.starts[last], len(sheet.text))
    text = sheet.text[begin:end]
    colours = np.zeros(len(text), np.uint8) if plain else np.frombuffer(sheet.colours, np.uint8)[begin:end].copy()
    if marked is not None:
        _mark(colours, text, marked)
    links = _links(sheet, first, last, places)
    changes = (np.flatnonzero(colours[1:] != colours[:-1]) + 1).tolist()
    codes, made, at = colours.tobytes(), [], 0
    for line in range(first, last + 1):
        start, stop = sheet.starts[line - 1] - begin, min(sheet.starts[line] - 1 - begin, len(text))
        if stop > start and text[stop - 1] == _RETURN:
            stop -= 1
        upto = min(stop, start + LONGEST)
        bounds = [start]
        while at < len(changes) and changes[at] < upto:
            if changes[at] > start:
                bounds.append(changes[at])
            at += 1
        bounds.append(upto)
        pieces = _pieces(text, codes, bounds, links.get(line, ())) if upto > start else []
        if stop > upto:
            pieces.append(f'<span class="more">… {stop - upto:,} more bytes</span>')
        made.append(Markup("".join(pieces)))  # each was escaped
    return made


def _mark(colours: NDArray[np.uint8], text: bytes, marked: Marking) -> None:
    """Mark the words that a query is about: wherever a term begins, the word around it is looked at."""
    until = 0
    for term in marked.terms.finditer(text):
        if term.start() < until:
            continue
        start = until = term.start()
        while start > 0 and text[start - 1] in _LETTERS and term.start() - start < MOST_OF_WORD:
            start -= 1
        word = _WORD.match(text, start)
        if word is not None:
            until = word.end()
            if marked.known(word[0].decode("utf-8", "replace")):
                colours[start:until] |= _MARK


def _links(sheet: Sheet, first: int, last: int, places: Iterable[Place]) -> dict[int, list[_Link]]:
    """The links of each line, in order. There are none on lines of which something was cut out."""
    without = {line for line, _ in sheet.cuts}
    found: dict[int, list[_Link]] = {}
    for place in sorted(set(places)):
        if not first <= place.line <= last or place.line in without:
            continue
        start = sheet.starts[place.line - 1]
        name = _NAME.match(sheet.text, start + place.column, sheet.starts[place.line] - 1)
        if name is not None and name.end() - start <= LONGEST:
            found.setdefault(place.line, []).append(_Link(place.column, name.end() - start, place))
    return found


def _pieces(text: bytes, codes: bytes, bounds: list[int], links: Sequence[_Link]) -> list[str]:
    """A line, in pieces of one colour; `bounds` are where they begin and where the last one ends."""
    begins: dict[int, Place] = {}
    ends: set[int] = set()
    if links:
        begins = {bounds[0] + link.start: link.place for link in links}
        ends = {bounds[0] + link.end for link in links}
        bounds = sorted({*bounds, *begins, *ends})
    made = []
    for at, end in pairwise(bounds):
        code, piece = codes[at], text[at:end].decode("utf-8", "replace")
        if _ODD.search(piece):
            piece = visible(piece)
        if code & _MARK:
            piece = f"<mark>{piece}</mark>"
        if kind := _CLASSES[code & ~_MARK]:
            piece = f'<span class="{kind}">{piece}</span>'
        if at in begins:
            piece = f'<a href="?at={begins[at].line}:{begins[at].column}">{piece}'
        made.append(f"{piece}</a>" if end in ends else piece)
    return made
