"""What does the service write to its log? One line for each event, as JSON or for people, on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, Literal, TextIO

import structlog

Format = Literal["json", "text"]


class _Lasting:
    """A stream whose disk may be full, or whose reader gone: what cannot be written is lost, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def quiet() -> None:
    """Hand what is logged to the standard library's logging, which shows warnings: for programs that serve the app
    themselves."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def configure(style: Format, stream: TextIO | None = None) -> None:
    """Let everything that is logged go to standard error, each line with its request or job."""
    lasting: Any = _Lasting(stream or sys.stderr)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if style == "json"
        else [structlog.dev.ConsoleRenderer(
                colors=lasting.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # no values of variables: tokens are among them
            )]
    )
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=structlog.WriteLoggerFactory(lasting),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    # Libraries log in the standard way: their warnings become lines of the same kind.
    handler = logging.StreamHandler(lasting)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.WARNING
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "dbos"):
        library = logging.getLogger(name)
        library.handlers, library.propagate, library.level = [], True, logging.WARNING
