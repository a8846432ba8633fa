"""Where does everything of a graph's picture stand? Boxes in columns, and curves between them: numbers in, numbers out.

A *level* is a column, or several where it is long: what has a lower level stands further left. Boxes of one group (a
file) stand together in a frame. Within a level groups are ordered by where their neighbours stand, which leaves few
crossings; a curve over several columns runs through lanes between the frames, shared by all that lead to the same box.
The same graph gives the same picture.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

# Sizes in pixels at 100 %. CHARACTER is the advance of a monospaced font of LETTERS pixels.
LETTERS, CHARACTER = 12, 7.3
SMALL_LETTERS, SMALL_CHARACTER = 11, 6.7
ROW, HEAD, PAD, LANE, BETWEEN, MARGIN, TOP = 22, 20, 8, 8, 12, 16, 44
# Space for curves before a column: of the same level, of another.
NARROW, BROAD = 44, 90
# Characters of a label; longer ones lose their middle.
MOST_LETTERS = 26
# Width to height of a picture with many boxes; a column is at least so high before it is broken.
SHAPE, LEAST_HEIGHT = 1.6, 480.0
# Rounds in which groups move to where their neighbours are.
SWEEPS = 6
# Curves between the same two boxes lie so far apart.
APART = 5

Point = tuple[float, float]


class Box(NamedTuple):
    """What is drawn."""

    level: int
    group: str
    label: str


class Placed(NamedTuple):
    """Where a box or a frame is."""

    x: float
    y: float
    width: float
    height: float
    label: str  # as it fits


class Heading(NamedTuple):
    """A level and where it begins."""

    x: float
    level: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture."""

    width: float
    height: float
    boxes: list[Placed]  # as they were given
    frames: list[Placed]
    curves: list[str]  # paths of SVG, as the ties were given
    headings: list[Heading]


@dataclass(slots=True, eq=False)
class _Item:
    """A frame with its boxes, or a lane."""

    level: int
    group: str
    boxes: list[int]
    height: float
    y: float = 0.0  # of its middle
    beside: list[tuple[_Item, float, float]] = field(default_factory=list)  # item nearer the middle, offset here, there


def draw(boxes: Sequence[Box], ties: Sequence[tuple[int, int]]) -> Drawing:
    """Boxes and what leads from one to another (places of boxes), as a picture."""
    if not boxes:
        return Drawing(2 * MARGIN, TOP + MARGIN, [], [], [], [])
    levels = _ordered(boxes, ties)
    columns = _columns(boxes, levels)
    home = {box: (number, item) for number, column in enumerate(columns) for item in column for box in item.boxes}
    for column in columns:
        _stack(column)
    middle = _middle(columns)
    lanes = _lanes(columns, boxes, ties, home, middle)
    _settle(columns, ties, home, lanes, middle)
    return _drawn(boxes, ties, columns, home, lanes)


# --- labels ------------------------------------------------------------------------------------


def columns_of(text: str) -> int:
    """How many columns of a monospaced font a text takes, at most."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" or ord(char) > 0x1F000 else 1 for char in text)


def shortened(text: str, most: int) -> str:
    """A text in at most so many columns, its middle left out; what is not visible is shown as a mark."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(char if char.isprintable() and not unicodedata.combining(char) else "\ufffd" for char in text)
    if columns_of(text) <= most:
        return text
    first, last = 0, 0
    room = most - 1
    while (room := room - columns_of(text[first] if first <= last else text[-1 - last])) >= 0:
        first, last = (first + 1, last) if first <= last else (first, last + 1)
    return f"{text[:first]}…{text[len(text) - last :]}"


# --- order -------------------------------------------------------------------------------------


def _ordered(boxes: Sequence[Box], ties: Sequence[tuple[int, int]]) -> dict[int, list[list[int]]]:
    """For each level its groups, and the boxes of each, top to bottom."""
    groups: dict[int, dict[str, list[int]]] = {}
    for number, box in enumerate(boxes):
        groups.setdefault(box.level, {}).setdefault(box.group, []).append(number)
    levels = {level: [found[name] for name in sorted(found)] for level, found in sorted(groups.items())}
    beside: list[list[int]] = [[] for _ in boxes]
    for source, target in ties:
        if boxes[source].level != boxes[target].level:
            beside[source].append(target)
            beside[target].append(source)
    place = [0.0] * len(boxes)
    for level in levels:
        _number(levels[level], place)
    outward = sorted(levels, key=lambda level: (abs(level), level))
    for sweep in range(SWEEPS):
        for level in outward if sweep % 2 == 0 else outward[::-1]:
            wish = {
                box: sum(place[other] for other in beside[box]) / len(beside[box]) if beside[box] else place[box]
                for group in levels[level] for box in group
            }  # fmt: skip
            for group in levels[level]:
                group.sort(key=lambda box: (round(wish[box], 6), box))
            levels[level].sort(key=lambda group: (round(sum(wish[b] for b in group) / len(group), 6), min(group)))
            _number(levels[level], place)
    return levels


def _number(groups: list[list[int]], place: list[float]) -> None:
    """Write down how far down each box of a level is, from -1 to 1."""
    flat = [box for group in groups for box in group]
    for number, box in enumerate(flat):
        place[box] = (2 * number + 1) / len(flat) - 1


# --- columns -----------------------------------------------------------------------------------


def _columns(boxes: Sequence[Box], levels: Mapping[int, list[list[int]]]) -> list[list[_Item]]:
    """The frames of each column, left to right; a long level is broken into several."""
    area = sum(HEAD + BETWEEN + ROW * len(group) for groups in levels.values() for group in groups)
    width = MOST_LETTERS * CHARACTER + 4 * PAD + NARROW
    most = max(LEAST_HEIGHT, math.sqrt(area * width / SHAPE))
    columns: list[list[_Item]] = []
    for level, groups in sorted(levels.items()):
        parts = list(_broken(level, groups, boxes, most))
        columns += parts if level > 0 else parts[::-1]  # the first is the nearest
    return columns


def _broken(level: int, groups: list[list[int]], boxes: Sequence[Box], most: float) -> list[list[_Item]]:
    rows = max(1, int((most - HEAD - BETWEEN) // ROW))
    pieces = [group[at : at + rows] for group in groups for at in range(0, len(group), rows)]
    items = [_Item(level, boxes[piece[0]].group, piece, HEAD + PAD + ROW * len(piece)) for piece in pieces]
    whole = sum(item.height + BETWEEN for item in items)
    fill = whole / math.ceil(whole / most)
    columns: list[list[_Item]] = [[]]
    height = 0.0
    for item in items:
        if columns[-1] and height + item.height / 2 > fill:
            columns.append([])
            height = 0.0
        columns[-1].append(item)
        height += item.height + BETWEEN
    return columns


def _stack(column: list[_Item]) -> None:
    """Put the items of a column one below the other, around 0."""
    y = -(sum(item.height for item in column) + BETWEEN * (len(column) - 1)) / 2
    for item in column:
        item.y = y + item.height / 2
        y += item.height + BETWEEN


def _middle(columns: list[list[_Item]]) -> int:
    """The column that the others stand around."""
    return min(range(len(columns)), key=lambda number: (abs(columns[number][0].level), number))


# --- lanes -------------------------------------------------------------------------------------

Home = Mapping[int, tuple[int, _Item]]
Lanes = Mapping[tuple[int, int], _Item]  # (inner box, column) -> lane


def _ends(tie: tuple[int, int], home: Home, middle: int) -> tuple[int, int]:
    """The box of a tie that is nearer the middle, and the other."""
    source, target = tie
    inner = abs(home[source][0] - middle) < abs(home[target][0] - middle)
    return (source, target) if inner else (target, source)


def _between(one: int, other: int) -> range:
    """The columns between two, from the first on."""
    return range(one + 1, other) if one < other else range(one - 1, other, -1)


def _lanes(
    columns: list[list[_Item]], boxes: Sequence[Box], ties: Sequence[tuple[int, int]], home: Home, middle: int
) -> dict[tuple[int, int], _Item]:
    """Lanes for the curves over several columns, put into these."""
    wishes: dict[tuple[int, int], list[float]] = {}
    for tie in ties:
        inner, outer = _ends(tie, home, middle)
        (first, one), (last, other) = home[inner], home[outer]
        for number in _between(first, last):
            share = (number - first) / (last - first)
            wishes.setdefault((inner, number), []).append(one.y + share * (other.y - one.y))
    lanes = {}
    new: dict[int, list[tuple[float, int, _Item]]] = {}
    for (inner, number), found in sorted(wishes.items()):
        level = columns[number][0].level
        lane = lanes[inner, number] = _Item(level, "", [], LANE, sum(found) / len(found))
        new.setdefault(number, []).append((round(lane.y, 3), inner, lane))
    for number, added in new.items():
        mixed = [(round(item.y, 3), -1, place, item) for place, item in enumerate(columns[number])]
        mixed += [(y, inner, 0, lane) for y, inner, lane in added]
        columns[number] = [item for *_, item in sorted(mixed, key=lambda one: one[:3])]
    return lanes


# --- heights -----------------------------------------------------------------------------------


def _settle(
    columns: list[list[_Item]], ties: Sequence[tuple[int, int]], home: Home, lanes: Lanes, middle: int
) -> None:
    """Give every item its height: near those that it is tied to, from the middle outward."""
    joined = set()
    for tie in ties:
        inner, outer = _ends(tie, home, middle)
        if home[inner][0] == home[outer][0]:
            continue
        way = [home[inner][1], *(lanes[inner, c] for c in _between(home[inner][0], home[outer][0])), home[outer][1]]
        for place, (near, far) in enumerate(pairwise(way)):
            key = (inner if place == 0 else -1, id(near), outer if far.boxes else -1, id(far))
            if key not in joined:
                joined.add(key)
                far.beside.append((near, _offset(far, outer), _offset(near, inner)))
    for number in sorted(range(len(columns)), key=lambda number: (abs(number - middle), number)):
        column = columns[number]
        _stack(column)
        if number != middle and any(item.beside for item in column):
            _spread(column, [_wish(item) for item in column])


def _wish(item: _Item) -> float:
    """Where an item would stand if it were for those that it is tied to."""
    if not item.beside:
        return item.y
    return sum(near.y + there - here for near, here, there in item.beside) / len(item.beside)


def _offset(item: _Item, box: int) -> float:
    """How far below the middle of an item one of its boxes is."""
    if box not in item.boxes:
        return 0.0
    return HEAD + ROW * (item.boxes.index(box) + 0.5) - item.height / 2


def _spread(column: list[_Item], wishes: list[float]) -> None:
    """Place the items of a column, in their order and without overlaps, as near to their wishes as can be: the least
    sum of squares (pool adjacent violators)."""
    offsets, at = [], 0.0
    for item in column:
        offsets.append(at + item.height / 2)
        at += item.height + BETWEEN
    blocks: list[tuple[float, int]] = []  # mean, count
    for wish, offset in zip(wishes, offsets, strict=True):
        blocks.append((wish - offset, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (one, few), (other, more) = blocks[-2:]
            blocks[-2:] = [((one * few + other * more) / (few + more), few + more)]
    means = [mean for mean, count in blocks for _ in range(count)]
    for item, mean, offset in zip(column, means, offsets, strict=True):
        item.y = mean + offset


# --- numbers -----------------------------------------------------------------------------------


def _drawn(
    boxes: Sequence[Box], ties: Sequence[tuple[int, int]], columns: list[list[_Item]], home: Home, lanes: Lanes
) -> Drawing:
    labels = [shortened(box.label, MOST_LETTERS) for box in boxes]
    top = min(item.y - item.height / 2 for column in columns for item in column)
    placed: dict[int, Placed] = {}
    frames: list[Placed] = []
    headings: list[Heading] = []
    edges: list[Point] = []
    x = float(MARGIN)
    for number, column in enumerate(columns):
        if number:
            x += NARROW if columns[number - 1][0].level == column[0].level else BROAD
        inside = [columns_of(labels[box]) * CHARACTER for item in column for box in item.boxes]
        above = [min(columns_of(item.group), MOST_LETTERS) * SMALL_CHARACTER for item in column]
        width = math.ceil(max(*inside, *above, 12 * CHARACTER) + 2 * PAD)
        if not headings or headings[-1].level != column[0].level:
            headings.append(Heading(x, column[0].level))
        for item in column:
            y = item.y - item.height / 2 - top + TOP
            item.y = y + item.height / 2
            if not item.boxes:
                continue
            head = shortened(item.group, int((width + PAD) / SMALL_CHARACTER))
            frames.append(Placed(round(x, 1), round(y, 1), width + 2 * PAD, round(item.height, 1), head))
            for place, box in enumerate(item.boxes):
                at = y + HEAD + ROW * place
                placed[box] = Placed(round(x + PAD, 1), round(at, 1), width, ROW - 3, labels[box])
        edges.append((x, x + width + 2 * PAD))
        x = edges[-1][1]
    bottom = max(item.y + item.height / 2 for column in columns for item in column)
    curves = _curves(ties, placed, edges, home, lanes, _middle(columns))
    return Drawing(
        math.ceil(x + BROAD), math.ceil(bottom + MARGIN), [placed[box] for box in range(len(boxes))], frames, curves,
        headings,
    )  # fmt: skip


def _curves(
    ties: Sequence[tuple[int, int]], placed: Mapping[int, Placed], edges: list[Point], home: Home, lanes: Lanes,
    middle: int,
) -> list[str]:  # fmt: skip
    """The way of each tie. Those between the same two boxes lie side by side."""
    drawn: dict[frozenset[int], int] = {}
    curves = []
    for tie in ties:
        times = drawn[frozenset(tie)] = drawn.get(frozenset(tie), -1) + 1
        limit = (ROW - 3) / 2 - 2
        shift = max(-limit, min(limit, APART * ((times + 1) // 2) * (1.0 if times % 2 else -1.0)))
        source, target = (placed[box] for box in tie)
        first, last = (home[box][0] for box in tie)
        begin = source.y + source.height / 2 + shift
        end = target.y + target.height / 2 + shift
        if first == last:
            curves.append(_loop(source, target, begin, end, times))
            continue
        right = first < last
        points: list[Point] = [(source.x + source.width if right else source.x, begin)]
        inner = _ends(tie, home, middle)[0]
        for number in _between(first, last):
            y = lanes[inner, number].y
            points += [(edges[number][0 if right else 1], y), (edges[number][1 if right else 0], y)]
        points.append((target.x if right else target.x + target.width, end))
        curves.append(_smooth(points))
    return curves


def _loop(source: Placed, target: Placed, begin: float, end: float, times: int) -> str:
    """A way between boxes of a column, or from one to itself, around their right side."""
    x, other = source.x + source.width, target.x + target.width
    if source == target:
        middle = source.y + source.height / 2
        begin, end = middle - 5, middle + 5
    out = max(x, other) + 26 + min(34.0, abs(end - begin) / 8) + 4 * min(times, 2)
    return f"M{x:.1f} {begin:.1f}C{out:.1f} {begin:.1f} {out:.1f} {end:.1f} {other:.1f} {end:.1f}"


def _smooth(points: Sequence[Point]) -> str:
    """A way through points that leaves and enters every column level."""
    said = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for place, ((x, y), (to, down)) in enumerate(pairwise(points)):
        if place % 2:  # along a lane
            said.append(f"H{to:.1f}")
        else:
            half = (x + to) / 2
            said.append(f"C{half:.1f} {y:.1f} {half:.1f} {down:.1f} {to:.1f} {down:.1f}")
    return "".join(said)
