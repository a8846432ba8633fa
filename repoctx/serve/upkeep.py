"""What is done to an index while nobody asks: what is outdated is made anew, and once a day all is swept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog

from repoctx.errors import RepoctxError
from repoctx.serve import collect, renewal
from repoctx.serve.collect import Removed
from repoctx.workspace import Workspace

# What nothing points at is removed so long after the start, and then so often; what failed is tried again after a
# while. In seconds.
FIRST, DAILY, AGAIN = 3600.0, 86400.0, 5.0

log = structlog.get_logger()


def look_after(workspace: Workspace, stop: threading.Event) -> None:
    """What a worker does: have made anew what other versions have made, then sweep day by day."""

    def renew() -> None:
        if found := renewal.renew(workspace):
            log.info("indexes of another version are made anew", refs=found)

    while not tried(renew):
        if stop.wait(AGAIN):
            return
    sweep_daily(lambda: collect.daily(workspace), stop)


def sweep_daily(
    sweep: Callable[[], Sequence[Removed]], stop: threading.Event, first: float = FIRST, daily: float = DAILY
) -> None:
    """Sweep day by day until told to stop; what cannot be done is tried again as long after as the start is ago."""

    def once() -> None:
        log.info("swept", bytes=sum(one.bytes for one in sweep()))

    wait = first
    while not stop.wait(wait):
        wait = daily if tried(once) else first


def tried(what: Callable[[], object]) -> bool:
    """Whether something could be done. Whatever is in its way, as a full disk, ends no thread: it may be gone later."""
    try:
        what()
    except Exception as error:
        expected = isinstance(error, (RepoctxError, sa.exc.SQLAlchemyError))
        said = "the index could not be looked after: trying again later"
        log.warning(said, error=str(error)[:300], exc_info=None if expected else error)
        return False
    return True
