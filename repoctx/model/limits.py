"""When does an answer lead nowhere? It is far longer than was asked for, or says the same for ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from repoctx.errors import BackendError
from repoctx.model.wire import Delta

REPETITION = "repetition"  # why such an answer ends

# A tail of so many characters that repeats what has at most so many: a dozen times and more. Tables, drawings and
# lists of similar lines have no such tail.
TAILS = ((8_000, 600), (24_000, 2_000))
EVERY = 4_000  # characters after which the tail is looked at again
LEAST, PER_TOKEN = 200_000, 32  # characters that an answer may have: at least, and for each token asked for


def watched(deltas: Iterable[Delta], most_tokens: int) -> Iterator[Delta]:
    """The deltas of an answer, ended with the finish `repetition` as soon as it repeats itself.

    Raises BackendError for one that is far longer than `most_tokens`.
    """
    most, size, fresh, parts = max(LEAST, most_tokens * PER_TOKEN), 0, 0, [""]
    for delta in deltas:
        yield delta
        said = [delta.thought, delta.text, *(text for call in delta.calls for text in (call.name, call.arguments))]
        parts += said
        size += (more := sum(map(len, said)))
        fresh += more
        if size > most:
            raise BackendError(
                f"The back end does not end its answer: {size:,} characters, where {most_tokens:,} tokens were asked "
                "for. See whether it stops at max_tokens."
            )
        if fresh >= EVERY:
            fresh, parts = 0, ["".join(parts)[-TAILS[-1][0] :]]
            if repeats(parts[0]):
                yield Delta(finish=REPETITION)
                return


def repeats(text: str) -> bool:
    """Whether the end of a text is one short piece over and over. Takes time in proportion to `TAILS`."""
    for length, longest in TAILS:
        tail = text[: -length - 1 : -1]  # backwards: `find` is linear, `rfind` is not
        if len(tail) < length:
            return False
        # Where its first part comes again is the period, if there is one as short: that part holds it twice, and two
        # periods of one text have their greatest common divisor as a third (Fine and Wilf).
        period = tail.find(tail[: 2 * longest], 1)
        if 0 < period <= longest and tail[period:] == tail[:-period]:
            return True
    return False
