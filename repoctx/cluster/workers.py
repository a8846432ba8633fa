"""What does a worker of a cluster do? Dask runs these functions there: a packet in, a packet out.

A worker serves many runs, one after the other and at once. What it keeps between jobs, the processes that parse and
the models that embed, belongs to none of them.
"""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from repoctx.cluster.packets import packed, unpacked
from repoctx.errors import BackendError, RepoctxError

if TYPE_CHECKING:
    from repoctx.index.embed import Embedder

# Without the current folder on the path of modules: who knows whose it is.
CHILD = (sys.executable, "-P", "-c", "from repoctx.cluster.child import main; main()")

# Processes that wait for a batch: as many as batches were ever derived here at once. They end with the worker.
_idle: deque[subprocess.Popen[bytes]] = deque()
_embedding = threading.Lock()
# How long a process that has closed its pipes may take to end.
SECONDS = 10.0


def derive_there(packet: bytes) -> bytes:
    """Derive a batch of blobs in a child. Raises ChildProcessError if it dies, of them or of something else."""
    with _named():
        return _ask(packet, False)


def derive_apart(packet: bytes) -> bytes:
    """Derive a batch of blobs, each in a process of its own; one whose process dies is left out with a reason."""
    with _named():
        return _ask(packet, True)


def _ask(packet: bytes, alone: bool) -> bytes:
    """The answer of a child. Raises ChildProcessError if a signal ends it, and what it answers if that is an error."""
    try:
        child = _idle.pop()
    except IndexError:
        child = subprocess.Popen(CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        pickle.dump((packet, alone), child.stdin)
        child.stdin.flush()
        answer = pickle.load(child.stdout)
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        status = _end(child)
        if status >= 0:
            raise BackendError(f"a process has ended by itself (exit status {status}), and its log says why") from None
        raise ChildProcessError(f"a process was ended by signal {-status}") from None
    _idle.append(child)
    if isinstance(answer, Exception):
        raise answer
    found: bytes = answer
    return found


def _end(child: subprocess.Popen[bytes]) -> int:
    """See to it that a child that has closed its pipes is gone: what it ended with."""
    try:
        status = child.wait(SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        status = child.wait()
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(BrokenPipeError):  # there may be something to be flushed
            pipe.close()  # type: ignore[union-attr]
    return status


def embed_there(packet: bytes) -> bytes:
    """The codes of some texts, by a model that this worker loads once."""
    from repoctx.index.codes import codes

    with _named(), _embedding:  # a job takes all the threads that its worker has
        setting, model, texts = unpacked(packet)
        embedder = _embedder(setting)
        if embedder.model != model:
            raise BackendError(
                f"its embedding model {setting!r} is {embedder.model}, and the index run has {model}: give all "
                "machines the same files"
            )
        return packed(codes(embedder.documents(texts)))


@cache
def _embedder(setting: str) -> Embedder:
    """The embedding model of a setting, with the threads of this worker. Raises BackendError if it is not here."""
    from distributed import get_worker

    from repoctx.index.embed import embedder, folder_of

    folder = folder_of(setting)
    if folder is not None and not folder.is_dir():
        raise BackendError(f"it has no folder {setting!r}: put the embedding model there, on every machine")
    found = embedder(setting, threads=get_worker().state.nthreads)
    assert found is not None
    return found


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Says at which worker something went wrong."""
    try:
        yield
    except ChildProcessError:
        raise
    except (RepoctxError, OSError) as error:
        from distributed import get_worker

        worker = get_worker()
        raise BackendError(f"the worker {worker.address} of the Dask cluster cannot work: {error}") from None
