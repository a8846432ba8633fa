"""How is a Dask cluster reached, and what becomes of the work that it is given?

Jobs are submitted a bounded number at a time. A host that is lost costs its jobs another turn elsewhere, which
is Dask's doing; a job that seems to end its workers comes back undone. Whatever ends a run ends its jobs.
"""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from repoctx.errors import BackendError, RepoctxError, UsageError

if TYPE_CHECKING:
    from distributed import Client

Job = TypeVar("Job")

# Jobs under way per thread of the cluster: one that is done, one on its way, one that waits.
AHEAD = 3
# Jobs under way at most, however large the cluster is: this process holds their sources, 200 MB of them. It stores
# what some tens of workers parse.
MOST_AHEAD = 500
# Seconds between two looks at how many workers there are.
LOOK = 1.0
# Seconds that the scheduler may take to take leave.
LEAVE = 5.0
# What Dask would print about connections; what matters of it is said in our sentences. A user's own Dask
# configuration (`logging`) says otherwise.
QUIET = dict.fromkeys(("distributed", "distributed.client", "tornado", "tornado.application"), "critical")

# How a job is called: by a function of Python's own, since a worker of Dask ends itself when it is given one that it
# cannot import. So it answers that it has no repoctx, and the scheduler needs none.
CALL = "__import__('importlib').import_module(module).__dict__[name](packet)"

_ADDRESS = re.compile(r"(?:tcp|tls)://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


class Cluster(NamedTuple):
    """Where a cluster is, and how long a run waits for its scheduler and its workers."""

    scheduler: str
    seconds: int


def cluster(scheduler: str, seconds: int) -> Cluster | None:
    """The cluster of the settings, None for "". Raises UsageError; whether it answers shows when there is work."""
    if not scheduler:
        return None
    if not _ADDRESS.fullmatch(scheduler):
        raise UsageError(
            f"cluster.scheduler is the address of a Dask scheduler, such as tcp://host:8786 or tls://host:8786, "
            f"not {scheduler[:200]!r}"
        )
    return Cluster(scheduler, seconds)


def spread(
    where: Cluster, work: Callable[[bytes], bytes], jobs: Iterable[Job], packed: Callable[[Job], bytes]
) -> Generator[tuple[Job, bytes | None]]:
    """Have jobs done by a cluster; their results come as they are ready, None for a job that ends who does it.

    Raises BackendError if there is no scheduler or no worker, and what `work` raises there.
    """
    waiting = iter(jobs)
    running: dict[Future[bytes], Job] = {}
    with _connected(where) as client:
        executor = client.get_executor(pure=False)
        threads, seen, looked = 0, time.monotonic(), 0.0
        while True:
            if time.monotonic() - looked > LOOK:
                with _told(where):
                    threads = sum(client.nthreads().values())
                looked = time.monotonic()
                seen = looked if threads else seen
                if looked - seen > where.seconds:
                    raise BackendError(
                        f"the cluster at {where.scheduler} has had no workers for {where.seconds} seconds: start some "
                        f"with `dask worker {where.scheduler}` and run this again; what was done is kept"
                    )
            while len(running) < min(max(threads, 1) * AHEAD, MOST_AHEAD):
                if (job := next(waiting, None)) is None:
                    break
                names = {"module": work.__module__, "name": work.__name__, "packet": packed(job)}
                with _told(where):
                    running[executor.submit(eval, CALL, names)] = job
            if not running:
                return
            for future in wait(running, timeout=LOOK, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), _result(where, future)


def _result(where: Cluster, future: Future[bytes]) -> bytes | None:
    from distributed import KilledWorker

    with _told(where):
        try:
            return future.result()
        except (KilledWorker, ChildProcessError, MemoryError):
            return None
    raise AssertionError  # for the type checker, who takes `_told` for one that swallows


@contextlib.contextmanager
def _connected(where: Cluster) -> Iterator[Client]:
    """A connection to the scheduler. When it ends, the scheduler forgets all that was asked through it."""
    if find_spec("distributed") is None:
        raise UsageError("a cluster (cluster.scheduler) needs Dask: pip install 'repoctx[cluster]'")
    with _told(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other versions there: packets tell which matter
        import dask.config

        dask.config.update_defaults({"logging": QUIET})
        from distributed import Client
        from distributed.security import Security

        dask.config.update_defaults({"distributed": {"admin": {"large-graph-warning-threshold": "1GB"}}})
        security = Security()
        encrypted = where.scheduler.startswith("tls:")
        if security.require_encryption and not encrypted:
            raise UsageError("Dask's own configuration asks for encryption: give a tls:// scheduler")
        if encrypted and security.get_connection_args("client")["ssl_context"] is None:
            raise UsageError(
                "a tls:// scheduler needs the certificates of Dask's own configuration: set "
                "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, and __CLIENT__CERT and __CLIENT__KEY beside it"
            )
        client = Client(where.scheduler, timeout=max(where.seconds, 1), name="repoctx", set_as_default=False)
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # of a scheduler that is lost
            client.close(timeout=LEAVE)


@contextlib.contextmanager
def _told(where: Cluster) -> Iterator[None]:
    """Says in a sentence what Dask raises."""
    try:
        yield
    except RepoctxError:
        raise
    except (OSError, CancelledError) as error:
        raise BackendError(
            f"the Dask scheduler {where.scheduler} cannot be reached or was lost: start it, then run this again; what "
            "was done is kept. Without --cluster (cluster.scheduler) this machine does the work"
        ) from error
    except Exception as error:  # what a scheduler or a worker without repoctx makes of a job
        reason = str(error.__cause__ or error).strip().partition("\n")[0][:300]
        raise BackendError(
            f"a worker of the cluster at {where.scheduler} cannot run repoctx ({type(error).__name__}: {reason}): "
            "install the same version of repoctx[cluster] on every machine"
        ) from error
