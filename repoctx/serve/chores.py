"""What happens when a worker runs a task once?"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread

import structlog

from repoctx import tasking
from repoctx.errors import RepoctxError, StorageError
from repoctx.model.cancel import Cancellation
from repoctx.serve.rest import metrics
from repoctx.store import tasks
from repoctx.store.connect import errors
from repoctx.workspace import Workspace

# How often it is looked whether the worker shall end, in seconds.
LOOK_SECONDS = 0.2

log = structlog.get_logger()


def run(workspace: Workspace, identity: str, attempt: int, worker: str, stopping: Callable[[], bool]) -> str:
    """Run an attempt of a task and write down what became of it: its state. Raises StorageError if it cannot be."""
    structlog.contextvars.clear_contextvars()
    if stopping():
        return "lost"  # another worker gets it
    with errors(workspace.engine), workspace.engine.begin() as connection:
        task = tasks.begin(connection, identity, attempt, worker, time.time())
    if task is None:
        return "lost"
    structlog.contextvars.bind_contextvars(task=task.id, repository=task.repository, kind=task.kind)
    log.info("task begins", attempt=task.attempt)
    cancellation, ended = Cancellation(), Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            if stopping():
                cancellation.cancel()
                return

    Thread(target=watch, name="task end", daemon=True).start()
    state = "failed"
    try:
        done = tasking.run(workspace, task, cancellation)
        state = done.state
        for kind in ("prompt", "completion"):
            metrics.TASK_TOKENS.labels(kind).inc((done.spent or {}).get(f"{kind}_tokens", 0))
    except StorageError:
        raise  # the attempt is lost, and begun again
    except RepoctxError as error:
        log.warning("task failed", error=str(error))
    except Exception as error:  # a bug fails its task only
        log.error("task failed by an internal error", exc_info=error)
    finally:
        ended.set()
    metrics.TASKS.labels(state).inc()
    log.info("task ends", state=state)
    return state
