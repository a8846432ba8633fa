"""Who makes vectors when nobody waits for them, and is he still at it?"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repoctx.config import Settings
    from repoctx.types import Report

# Without the current folder on the path of modules: it is a repository, somebody else's content.
PROGRAM = (sys.executable, "-P", "-c", "from repoctx.serve.cli import main; main()")

# A log that has grown larger is begun anew; a line of progress has some 50 bytes.
MOST_LOG_BYTES = 1 << 20


def start(settings: Settings, report: Report) -> Path:
    """Leave the vectors that a ref waits for to a process of their own, which outlives this one: its log file."""
    make(settings, report)
    return _log(settings, report)


def make(settings: Settings, report: Report) -> int:
    """The number of a process that makes the vectors that a ref waits for, and outlives this one."""
    # The settings that flags may have given; in the environment, where no other user reads them.
    environment = {
        "REPOCTX_HOME": settings.home,
        "REPOCTX_DATABASE_URL": settings.database_url,
        "REPOCTX_INDEX_WORKERS": str(settings.index_workers),
    }
    return os.posix_spawn(
        sys.executable,
        [*PROGRAM, "embed", f"--repo={report.repository}", f"--ref={report.ref}"],
        {**os.environ, **environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(_log(settings, report)), appending(_log(settings, report)), 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _log(settings: Settings, report: Report) -> Path:
    return Path(settings.home) / "logs" / f"embed-{report.repository}.log"


def appending(log: Path) -> int:
    """How a log is opened to be written at its end, or anew if it has grown large; its folder is made."""
    log.parent.mkdir(parents=True, exist_ok=True)
    # Another process may still write to it: what it has written stays, what it will write follows.
    anew = os.O_TRUNC if log.exists() and log.stat().st_size > MOST_LOG_BYTES else 0
    return os.O_WRONLY | os.O_CREAT | os.O_APPEND | anew


def state(progress: dict[str, Any] | None) -> str:
    """What became of the process that makes a ref's vectors: running, interrupted, or waiting to begin."""
    if progress is None:
        return "not begun: `repoctx embed` makes them"
    if progress["host"] != socket.gethostname():
        return f"by process {progress['pid']} on {progress['host']}"
    try:
        os.kill(progress["pid"], 0)
    except PermissionError:
        pass
    except ProcessLookupError:
        return "interrupted: `repoctx embed` goes on"
    return "running"
