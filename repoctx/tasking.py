"""How does a task become a result? From its row, through its recipe, to what became of it: all wiring, no logic."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repoctx.errors import NotFoundError, RepoctxError, Stopped, StorageError, UsageError
from repoctx.hosts import host
from repoctx.model import windows
from repoctx.model.cancel import Cancellation
from repoctx.model.client import Answer, Backend, Message, Usage, complete
from repoctx.model.cost import Cost, cost
from repoctx.retrieve.snapshot import Loaded
from repoctx.source import checkout
from repoctx.source.git import blob_id
from repoctx.store import commits, snapshots, tasks
from repoctx.store.connect import errors
from repoctx.store.snapshots import Repository
from repoctx.store.tasks import Task
from repoctx.tasks import recipes
from repoctx.tasks.debug import Bench
from repoctx.tasks.packing import Source
from repoctx.tasks.steps import Desk, Journal, Limits
from repoctx.types import Origin
from repoctx.warm import Opened
from repoctx.workspace import Wanted, Workspace

# How often a running task is looked at, in seconds: whether it was cancelled, or taken over.
LOOK_SECONDS = 0.5

Show = Callable[[str, Mapping[str, Any]], None]


def nothing(event: str, detail: Mapping[str, Any]) -> None:
    """Shows nothing."""


@dataclass(eq=False, slots=True)
class Rows:
    """The journal of a task in the database."""

    workspace: Workspace
    task: Task
    cancellation: Cancellation
    show: Show = nothing
    spent: Callable[[], Mapping[str, Any] | None] = lambda: None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def kept(self, key: str) -> Any:
        """The value of a finished step."""
        engine = self.workspace.engine
        with errors(engine), engine.connect() as connection:
            return tasks.kept(connection, self.task.id, key)

    def every(self) -> Mapping[str, Any]:
        """The values of all finished steps."""
        engine = self.workspace.engine
        with errors(engine), engine.connect() as connection:
            return tasks.every_kept(connection, self.task.id)

    def keep(self, key: str, value: Any) -> None:
        """Keep the value of a finished step."""
        engine = self.workspace.engine
        with errors(engine), engine.begin() as connection:
            tasks.keep(connection, self.task.id, key, value)

    def tell(self, event: str, detail: Mapping[str, Any]) -> None:
        """Write down an event. Raises Stopped if the task was cancelled, or is another's now."""
        engine = self.workspace.engine
        with self._turn, errors(engine), engine.begin() as connection:
            mine = tasks.tell(connection, self.task, event, detail, time.time(), self.spent())
        if not mine or self.cancellation.cancelled:
            raise Stopped("the task was cancelled")
        self.show(event, detail)


class Memory:
    """A journal that is gone with its process."""

    def __init__(self, show: Show = nothing) -> None:
        self._steps: dict[str, Any] = {}
        self._show = show

    def kept(self, key: str) -> Any:
        """The value of a finished step."""
        return self._steps.get(key)

    def every(self) -> Mapping[str, Any]:
        """The values of all finished steps."""
        return dict(self._steps)

    def keep(self, key: str, value: Any) -> None:
        """Keep the value of a finished step."""
        self._steps[key] = value

    def tell(self, event: str, detail: Mapping[str, Any]) -> None:
        """Show an event."""
        self._show(event, detail)


# --- asking ------------------------------------------------------------------------------------


def submit(
    workspace: Workspace, kind: str, wanted: Mapping[str, Any], repository: Wanted = None, ref: str | None = None, *,
    token: str | None = None, local: bool = False,
) -> Task:  # fmt: skip
    """Write a task down, for a worker or, if `local`, for this process.

    Raises UsageError or RefusedError for an input that cannot be used, NotFoundError for what is not indexed.
    """
    checked = recipes.check(kind, wanted)
    opened = workspace.open(repository, ref)
    worker = _worker() if local else None
    engine = workspace.engine
    with errors(engine), engine.begin() as connection:
        identity = tasks.submit(
            connection, opened.repository, opened.ref.name, kind, checked, now=time.time(), token=token, worker=worker
        )
        found = tasks.one(connection, identity)
    assert found is not None
    return found


def again(workspace: Workspace, task: Task, *, local: bool = False) -> Task:
    """Let a task go on where it ended. Raises UsageError for one that cannot."""
    if task.state == "done":
        raise UsageError(f"task {task.id} is done: `repoctx task show` prints its result")
    if task.state == "waiting" or (task.state == "running" and not (task.local and local and _gone(task.worker))):
        raise UsageError(
            f"task {task.id} is {task.state}: only one that failed or was interrupted goes on again; `repoctx task "
            f"cancel {task.id}` ends it"
        )
    engine = workspace.engine
    with errors(engine), engine.begin() as connection:
        if not tasks.retry(connection, task, _worker() if local else None, time.time()):
            raise UsageError(f"task {task.id} cannot go on: its snapshot was dropped, or it goes on already")
        found = tasks.one(connection, task.id)
    assert found is not None
    return found


def cancel(workspace: Workspace, task: Task) -> bool:
    """Cancel a task: at once if it waits or nobody is known to do it, soon if it runs. False if it is finished."""
    now = time.time()
    with errors(workspace.engine), workspace.engine.begin() as connection:
        if task.local and task.state == "running" and (_gone(task.worker) or not _is_here(task.worker)):
            return tasks.finish(connection, task, "cancelled", now, error="its process is gone, or on another machine")
        return tasks.cancel(connection, task.id, now)


def find(workspace: Workspace, identity: str) -> Task:
    """The task of an id. Raises NotFoundError."""
    with errors(workspace.engine), workspace.engine.connect() as connection:
        found = tasks.one(connection, identity)
    if found is None:
        raise NotFoundError(f"there is no task {identity}: `repoctx task list` shows those there are")
    return found


def _worker() -> str:
    """What a local task's process is known by."""
    return f"{os.getpid()}@{hashlib.sha256(host().encode()).hexdigest()[:16]}"


def _is_here(worker: str | None) -> bool:
    """Whether a local task's process is one of this machine."""
    return (worker or "").partition("@")[2] == _worker().partition("@")[2]


def _gone(worker: str | None) -> bool:
    """Whether a local task's process is known to have ended."""
    pid = (worker or "").partition("@")[0]
    if not pid.isdecimal() or not _is_here(worker):
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return int(pid) == os.getpid()


# --- doing -------------------------------------------------------------------------------------


def perform(workspace: Workspace, task: Task, cancellation: Cancellation, show: Show = nothing) -> dict[str, Any]:
    """Do a task, or what is left of it: its result. Raises what its recipe raises; Stopped if it was cancelled."""
    engine = workspace.engine
    with errors(engine), engine.connect() as connection:
        repository = snapshots.repository(connection, task.repository)
    opened = workspace.warm.pinned(repository, task.where, commits.unpacked(task.recent))
    journal = Rows(workspace, task, cancellation, show)
    desk = make_desk(workspace, opened, journal, cancellation)
    desk.remember()
    journal.spent = desk.account
    with _watched(workspace, task, cancellation):
        return recipes.do(task.kind, task.input, desk, _bench(workspace, opened, cancellation))


def rehearse(
    workspace: Workspace, kind: str, wanted: Mapping[str, Any], repository: Wanted = None, ref: str | None = None
) -> dict[str, Any]:
    """What a task would ask first, and what it would cost; no model is asked and nothing is written down."""
    checked = recipes.check(kind, wanted)
    opened = workspace.open(repository, ref)
    return recipes.rehearse(kind, checked, make_desk(workspace, opened, Memory(), Cancellation()))


def make_desk(workspace: Workspace, opened: Opened, journal: Journal, cancellation: Cancellation) -> Desk:
    """What a recipe works with. Raises UsageError for a model or a back end that cannot be used as it is set."""
    s = workspace.settings
    known: dict[tuple[str | None, str | None], Backend] = {}
    turn = threading.Lock()

    def ask(
        model: str | None, tier: str | None, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any],
    ) -> Answer:  # fmt: skip
        with turn:
            if (backend := known.get((model, tier))) is None:
                backend = known[model, tier] = workspace.backend(tier, model)
        return complete(backend, messages, tools=tools, options=options, cancellation=cancellation)

    def price(model: str | None, usage: Usage) -> Cost | None:
        return cost(windows.find(model or s.model, workspace.models), usage)

    where = opened.ref
    origin = Origin(opened.repository.name, where.name, where.snapshot, where.commit)
    return Desk(
        Source(origin, opened.loaded, workspace.weights(opened.repository)),
        journal,
        ask,
        lambda model: workspace.window(model, served=True),
        price,
        Limits(s.tasks_calls, s.tasks_tokens, s.tasks_parallel),
        secrets=not s.pack_redact,
    )


def _bench(workspace: Workspace, opened: Opened, cancellation: Cancellation) -> Bench:
    repository, where, loaded, s = opened.repository, opened.ref, opened.loaded, workspace.settings

    def write(folder: Path) -> None:
        texts = {} if where.commit and not where.dirty else _texts(loaded, where.commit)
        go_on = lambda: _go_on(cancellation)  # noqa: E731
        checkout.write(repository.location, workspace.mirrors, where.commit, texts, folder, go_on)

    return Bench(
        write,
        hide=(Path(s.home), *_elsewhere(workspace, repository)),
        seconds=s.tasks_test_seconds,
        memory_bytes=s.tasks_test_bytes,
        stop=lambda: cancellation.cancelled,
    )


def _elsewhere(workspace: Workspace, repository: Repository) -> Iterator[Path]:
    """What a test of a repository is not to see: credentials, and the other repositories of this machine."""
    if folder := workspace.settings.serve_credentials:
        yield Path(folder)
    with errors(workspace.engine), workspace.engine.connect() as connection:
        every = snapshots.all_repositories(connection)
    for one in every:
        if one.location != repository.location and Path(one.location).is_dir():
            yield Path(one.location)


def _texts(loaded: Loaded, commit: str | None) -> dict[str, str]:
    """The texts of a snapshot, by path; over a commit's files only those that are their blobs byte for byte."""
    members = loaded.index.view.members
    found = {}
    for file, one in loaded.parsed(range(len(members))).items():
        path, blob = members[file].path, members[file].key.blob
        hash_name = "sha1" if len(blob) == 40 else "sha256"
        if commit is None or blob_id(one.text.encode("utf-8", "surrogatepass"), hash_name) == blob:
            found[path] = one.text
    return found


def _go_on(cancellation: Cancellation) -> None:
    if cancellation.cancelled:
        raise Stopped("the task was cancelled")


@contextmanager
def _watched(workspace: Workspace, task: Task, cancellation: Cancellation) -> Iterator[None]:
    """Cancels what goes on as soon as the task is cancelled, or is no longer this process's."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            with suppress(RepoctxError), errors(workspace.engine), workspace.engine.connect() as connection:
                if not tasks.goes_on(connection, task):
                    cancellation.cancel()
                    return

    thread = threading.Thread(target=watch, name="task watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def run(workspace: Workspace, task: Task, cancellation: Cancellation | None = None, show: Show = nothing) -> Task:
    """Do a task and write down what became of it: its row. Raises StorageError if that cannot be written.

    A local task's error is raised too, once it is written down.
    """
    cancellation = cancellation or Cancellation()
    try:
        with _interruptible(cancellation) if task.local else nullcontext():
            result = perform(workspace, task, cancellation, show)
    except Stopped:
        _stopped(workspace, task)
    except StorageError as error:
        if not task.local:
            raise  # this attempt is lost: another one finds what there is
        with suppress(RepoctxError):
            _end(workspace, task, "failed", str(error))
        raise
    except RepoctxError as error:
        _end(workspace, task, "failed", str(error))
        if task.local:
            raise
    except KeyboardInterrupt:
        _end(workspace, task, "cancelled", f"interrupted: `repoctx task resume {task.id}` goes on with it")
        raise
    except Exception as error:
        _end(workspace, task, "failed", f"{type(error).__name__}: {error}")
        raise
    else:
        _end(workspace, task, "done", None, result)
    return find(workspace, task.id)


@contextmanager
def _interruptible(cancellation: Cancellation) -> Iterator[None]:
    """Ctrl-C ends questions that are under way in other threads too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        cancellation.cancel()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stopped(workspace: Workspace, task: Task) -> None:
    """A cancelled task is finished; one that a worker lets go of when it ends is another's at once."""
    with errors(workspace.engine), workspace.engine.begin() as connection:
        goes_on = tasks.goes_on(connection, task)
        if goes_on and not task.local:
            tasks.let_go(connection, task)
            return
    _end(workspace, task, "cancelled", "it was cancelled")


def _end(
    workspace: Workspace, task: Task, state: str, error: str | None, result: Mapping[str, Any] | None = None
) -> None:
    engine = workspace.engine
    with errors(engine), engine.begin() as connection:
        spent = None if result is None else result.get("spent")
        mine = tasks.finish(connection, task, state, time.time(), error=error, result=result, spent=spent)
    if mine and state == "done":
        snapshots.forget(engine, task.pinned["snapshot"])
