"""How are many blobs derived at once, when any of them may crash or stall a grammar?

Batches go to a pool of processes. If one dies, the batches that were under way are done again blob by
blob, each in a process of its own; a blob whose process dies is left out with a reason.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from multiprocessing import forkserver
from multiprocessing.connection import Connection

from repoctx.derive import CPU_LIMIT, Derived, derive, skipped
from repoctx.errors import RepoctxError
from repoctx.store.payload import Key
from repoctx.types import Skip, SkipReason

# Bytes of source per batch: large enough that the cost of a batch (about 2 ms) does not show, small
# enough that the workers finish together.
BATCH_BYTES = 400_000
# Below this a second worker costs more CPU to start than it saves time.
ONE_WORKER_BYTES = 1_500_000
# Batches under way per worker: bounds memory.
AHEAD = 3

# How a process dies of what it parses: bad memory access, a failed assertion, the limit on CPU time.
GRAMMAR_SIGNALS = frozenset(
    (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGPROF)
)

Batch = list[tuple[Key, bytes]]

# When the garbage collector looks for cycles: facts have none, and looking costs 3 to 10 % of the time.
FACTS_GC = (200_000, 50, 50)

# Not `fork`: a forked worker would hold the locks and pipes of a parent that was killed.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["repoctx.preload"])
_starting = threading.Lock()


def derive_all(blobs: Iterable[tuple[Key, bytes]], size: int, workers: int) -> Generator[Derived]:
    """Derive blobs (`size` bytes in all) in parallel; results come as they are ready."""
    _start()
    workers = workers or os.cpu_count() or 1
    if size < ONE_WORKER_BYTES:
        workers = 1
    waiting = batches(blobs)
    while True:
        executor = ProcessPoolExecutor(workers, _context, _attach)
        suspects: list[Batch] = []
        try:
            yield from _run(executor, waiting, workers * AHEAD, suspects)
        finally:
            executor.shutdown(cancel_futures=True)
        if not suspects:
            return
        for batch in suspects:
            for key, raw in batch:
                yield derive_alone(key, raw)


def _start() -> None:
    """Start what processes are forked from, if it does not run. The current folder, which is somebody's repository,
    is no place where it looks for modules: Python would take that for the first one otherwise."""
    with _starting:
        before = os.environ.get("PYTHONSAFEPATH")
        os.environ["PYTHONSAFEPATH"] = "1"
        try:
            forkserver.ensure_running()
        except OSError as error:
            if "too long" not in str(error):
                raise
            said = "the temporary folder's path is too long for sockets: set TMPDIR to a shorter one"
            raise RepoctxError(said) from None
        finally:
            if before is None:
                del os.environ["PYTHONSAFEPATH"]
            else:
                os.environ["PYTHONSAFEPATH"] = before


def _attach() -> None:
    """Tie a worker to its parent, which alone decides what Ctrl-C means and whose end is the worker's too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(*FACTS_GC)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    # A killed parent closes no queue: without this its workers would wait for ever, holding its output.
    threading.Thread(target=end_with_parent, daemon=True).start()


def batches(blobs: Iterable[tuple[Key, bytes]]) -> Iterator[Batch]:
    """The blobs, so many at a time as one process derives in a row."""
    batch: Batch = []
    size = 0
    for key, raw in blobs:
        batch.append((key, raw))
        size += len(raw)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _run(executor: Executor, waiting: Iterator[Batch], ahead: int, suspects: list[Batch]) -> Iterator[Derived]:
    """Feed an executor until there is no more, or until it breaks: then `suspects` are what it held."""
    running: dict[Future[Derived], Batch] = {}
    while True:
        while len(running) < ahead and not suspects and (batch := next(waiting, None)) is not None:
            try:
                running[executor.submit(derive, batch)] = batch
            except BrokenExecutor:
                suspects.append(batch)
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            batch = running.pop(future)
            try:
                derived = future.result()
            except (BrokenExecutor, MemoryError):
                suspects.append(batch)
            else:
                yield derived


def derive_alone(key: Key, raw: bytes, cpu_limit: float = CPU_LIMIT) -> Derived:
    """Derive one blob in a process of its own; if that dies, the blob is left out.

    A death by a grammar's own signal is a fact about the blob and is stored; another one (the kernel had no
    memory left, somebody killed it) holds for this run only. Raises RepoctxError if the process cannot work.
    """
    _start()
    receiving, sending = _context.Pipe(duplex=False)
    process = _context.Process(target=_send, args=(sending, key, raw, cpu_limit), daemon=True)
    process.start()
    sending.close()
    try:
        result: Derived = receiving.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        if code >= 0:
            raise RepoctxError(
                f"a worker process ended by itself (exit status {code}): from Python, call index under "
                '`if __name__ == "__main__":`; if memory is short, use --workers 1'
            ) from None
        reason: SkipReason = "parser timed out" if code == -signal.SIGPROF else "crashed the parser"
        skip = Skip("", reason, signal.Signals(-code).name)
        if -code in GRAMMAR_SIGNALS:
            return Derived([skipped(key, skip)], None)
        return Derived([], None, [(key, skip)])
    process.join()
    return result


def _send(sending: Connection, key: Key, raw: bytes, cpu_limit: float) -> None:
    _attach()
    sending.send(derive([(key, raw)], cpu_limit))
