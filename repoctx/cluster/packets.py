"""What travels between an index run and the workers of a cluster? Values, compressed, by programs that are alike.

A packet names the program that made it before anything of it is read, so that another one refuses it.
"""

from __future__ import annotations

import pickle
import sys
import zlib
from functools import cache
from typing import Any

from repoctx import __version__
from repoctx.errors import BackendError
from repoctx.store.payload import COMPRESSION


@cache
def program() -> str:
    """What must be the same on all machines: facts follow from the version, and from Python's tables of characters."""
    return f"repoctx {__version__} with Python {sys.version_info.major}.{sys.version_info.minor}"


def packed(value: Any) -> bytes:
    """A value as it travels."""
    return program().encode() + b"\0" + zlib.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), COMPRESSION)


def unpacked(packet: bytes) -> Any:
    """The value of a packet. Raises BackendError if another program has made it."""
    made_by, _, body = packet.partition(b"\0")
    if made_by.decode() != program():
        raise unlike(program(), made_by.decode())
    return pickle.loads(zlib.decompress(body))


def unlike(there: str, here: str) -> BackendError:
    """What a worker says that would give other results than the run it works for."""
    return BackendError(f"it has {there}, and the index run has {here}: install the same on every machine")
