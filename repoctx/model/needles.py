"""Is a prompt that is too long refused, and is what stands in a long one found again?"""

from __future__ import annotations

import hashlib
import math
import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from repoctx.counters import Counter
from repoctx.errors import BackendError
from repoctx.model.client import WindowOverflow
from repoctx.model.probe import Check, Reply, Target, ask
from repoctx.types import Tier

CHEAP = 65_536  # tokens of the longest prompt that is sent without `long`: a server that reads it takes seconds
SHORT = 2_000  # tokens of the prompt that the short check hides a needle in
OVER = 512  # tokens by which a prompt exceeds the window
ANSWER = 1_024  # most tokens of an answer that names a key: a few, but for models that think first
SHOWN = 80  # characters of a wrong answer
# How servers refuse a long prompt, besides what `wire` knows; Model Studio: "Range of input length should be ...".
_LENGTH = re.compile(r"length|too (?:long|large|many)|context|exceed", re.IGNORECASE)
FRAME = 40  # tokens that a needle, or the question, takes at most

TOWNS = "Aarhus Bergen Cork Delft Espoo Faro Ghent Haarlem Inverness Jena Kaunas Linz Malaga Narvik Oulu Porto".split()
GOODS = "anchors bolts cables dials easels flasks gauges hinges inks jars kettles lenses mirrors nets oars".split()


class Gauge(NamedTuple):
    """How many tokens the server finds in a prompt of which we have counted the text."""

    overhead: int  # tokens of the chat template
    ratio: float = 1.0  # the server's tokens of a text by ours
    slack: float = 0.0  # share by which a prediction may be wrong

    def predicted(self, count: int) -> int:
        """The server's tokens of the whole prompt."""
        return self.overhead + round(count * self.ratio)

    def count(self, size: int) -> int:
        """Our count of a text whose prompt has at most `size` tokens."""
        return int((size - self.overhead) / self.ratio / (1 + self.slack))

    def cut(self, count: int, reply: Reply) -> bool:
        """Whether the server says that it has read less than all of the prompt."""
        return bool(reply.usage and reply.usage.prompt_tokens < int(self.predicted(count) * (1 - self.slack)))


def truncation(target: Target, gauge: Gauge, window: int) -> Check:
    """Whether a prompt that exceeds the window is refused."""
    size = window + OVER
    if size > CHEAP and not target.long:
        return Check("truncation", None, f"not tried: --long sends a prompt of {size:,} tokens", {"would_send": size})
    text = "".join(filler(target.counter, math.ceil(size * (1 + gauge.slack) / gauge.ratio)))
    count = target.counter.count(text)
    sent = f"a prompt of {gauge.predicted(count):,} tokens"
    figures: dict[str, Any] = {"window": window, "predicted_tokens": gauge.predicted(count)}
    try:
        reply = ask(target.backend, text)
    except WindowOverflow as error:
        figures["refused_above"] = error.window or window
        if error.window not in (None, window):
            return Check("truncation", False, f"{sent} is refused for a window of {error.window:,}, not of {window:,}: "
                         "rely on the smaller one", figures)  # fmt: skip
        return Check("truncation", True, f"{sent} is refused for its length", figures)
    except BackendError as error:
        known = bool(_LENGTH.search(str(error)))
        how = "is refused" if known else "fails, but not for its length"
        return Check("truncation", known, f"{sent} {how}: {error}", figures)
    used = f"{reply.usage.prompt_tokens:,}" if reply.usage else "an unknown number"
    figures["prompt_tokens"] = reply.usage and reply.usage.prompt_tokens
    did = "is cut silently" if gauge.cut(count, reply) else f"is answered though the window is {window:,}"
    return Check("truncation", False, f"{sent} {did}, {used} of them counted: keep packs within the window (--budget), "
                 "or let the server refuse them", figures)  # fmt: skip


def needles(target: Target, gauge: Gauge, tier: Tier, room: int) -> Iterator[Check]:
    """Whether keys are found again: one in a short prompt, and several in prompts that fill the tier."""
    depths = {"start": 0.01, "middle": 0.5, "end": 0.99}
    if tier.rope_factor > 1 and room > target.model.native:
        depths["past the native window"] = (target.model.native + room) / 2 / room
    yield from _hunt(target, gauge, min(SHORT, room), {"short": 0.5})
    if target.long:
        yield from _hunt(target, gauge, room, depths)
    else:
        yield Check("long needles", None, f"not tried: --long sends {len(depths)} prompts of {room:,} tokens",
                    {"would_send": room * len(depths)})  # fmt: skip


def _hunt(target: Target, gauge: Gauge, size: int, depths: Mapping[str, float]) -> Iterator[Check]:
    """One text for all keys, so that a prefix cache reads it once. Ends with the first request that fails."""
    counter = target.counter
    text, keys = haystack(counter, gauge.count(size) - FRAME, depths.values())
    names = sorted(depths, key=lambda name: depths[name])
    for number, (name, (before, key)) in enumerate(zip(names, keys, strict=True), 1):
        prompt = f"{text}What is the pass key of depot {number}? Answer with the key alone."
        count = counter.count(prompt)
        at, whole = gauge.predicted(before), gauge.predicted(count)
        figures: dict[str, Any] = {"depth": name, "at": at, "predicted_tokens": whole}
        where = f"{name}, at token {at:,} of {whole:,}"
        try:
            reply = ask(target.backend, prompt, most=min(ANSWER, target.backend.max_output))
        except BackendError as error:
            yield Check("needle", False, f"{where}: {error}", figures)
            return
        figures |= {"prompt_tokens": reply.usage and reply.usage.prompt_tokens, "seconds": round(reply.seconds, 1)}
        if gauge.cut(count, reply) and reply.usage:
            yield Check("needle", False, f"{where}: the server read {reply.usage.prompt_tokens:,} of them only: keep "
                        "packs below that with --budget", figures)  # fmt: skip
        elif key in reply.text.lower():
            yield Check("needle", True, f"{where}: found", figures)
        else:
            past = at > target.model.native
            todo = "is it started with the rope factor of its tier?" if past else "does it read prompts of this size?"
            yield Check("needle", False, f"{where}: not found, it answers {reply.text[:SHOWN]!r}: {todo}", figures)


# --- texts -------------------------------------------------------------------------------------


def filler(counter: Counter, size: int) -> list[str]:
    """Lines of varied text that have at most `size` tokens together, and nearly as many; always the same ones."""
    random_ = random.Random("repoctx")
    lines: list[str] = []
    counts = 0
    while counts < size:
        some = [_line(random_) for _ in range(256)]
        lines += some
        counts += counter.count("".join(some))
    ends = list(accumulate(counter.line_counts("".join(lines)).tolist()))
    return lines[: bisect_right(ends, size)]


def haystack(counter: Counter, size: int, depths: Iterable[float]) -> tuple[str, list[tuple[int, str]]]:
    """Text of some `size` tokens with a needle at each depth (0..1), and each one's tokens before it and its key."""
    needles = [(depth, number) for number, depth in enumerate(sorted(depths), 1)]
    lines = filler(counter, size - FRAME * len(needles))
    ends = list(accumulate(counter.line_counts("".join(lines)).tolist()))
    found = []
    for depth, number in reversed(needles):  # from the end, so that the places before stay right
        at = bisect_left(ends, depth * ends[-1])
        lines.insert(at, f"Depot {number}: the pass key is {key(number)}.\n")
        found.append((ends[at - 1] if at else 0, key(number)))
    return "".join(lines), found[::-1]


def key(number: int) -> str:
    """The pass key of a depot: eight hexadecimal digits that nothing else says."""
    return hashlib.sha256(f"repoctx depot {number}".encode()).hexdigest()[:8]


def _line(random_: random.Random) -> str:
    town, other = random_.choice(TOWNS), random_.choice(TOWNS)
    return (
        f"{town} sends {random_.randrange(2, 999)} {random_.choice(GOODS)} and {random_.choice(GOODS)} to {other}, "
        f"shelf {random_.randrange(10_000)}.\n"
    )
