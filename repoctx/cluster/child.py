"""How are blobs derived beside a worker of a cluster, which must not die of them?

A worker of Dask runs jobs in threads, where a crash would take all that it does, and where no limit on CPU
time holds for one job. So a process of ours derives, and tells the worker through pipes. It ends with the worker,
whose end closes them.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
from typing import Any

from repoctx.cluster.packets import packed, program, unlike, unpacked
from repoctx.derive import Derived, derive
from repoctx.errors import UsageError
from repoctx.parse.version import parser_version
from repoctx.pool import FACTS_GC, Batch, derive_alone
from repoctx.store.payload import Key


def main() -> None:
    """Answer (packet, whether each blob needs a process of its own) with a packet, or with what was raised."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides what Ctrl-C means
    gc.set_threshold(*FACTS_GC)
    # The pipes are nobody else's: what a grammar prints goes where the worker's log goes.
    with os.fdopen(os.dup(0), "rb") as asked, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        while True:
            try:
                packet, alone = pickle.load(asked)
            except EOFError:
                return
            pickle.dump(_answer(packet, alone), answers)
            answers.flush()


def _answer(packet: bytes, alone: bool) -> Any:
    try:
        batch, cpu_limit = unpacked(packet)
        _check(batch)
        return packed(_derived(batch, cpu_limit, alone))
    except Exception as error:
        return error


def _derived(batch: Batch, cpu_limit: float, alone: bool) -> list[Derived]:
    if alone:
        return [derive_alone(key, raw, cpu_limit) for key, raw in batch]
    return [derive(batch, cpu_limit)]


def _check(batch: Batch) -> None:
    """Facts are stored under the parser version of the run: raises BackendError if ours is another one."""
    for key in {Key("", key.language, key.version) for key, _ in batch}:
        try:
            ours = parser_version(key.language)
        except UsageError:
            ours = "none"
        if ours != key.version:
            there = f"{program()} and the parser {ours} for {key.language}"
            raise unlike(there, f"the parser {key.version}")
