"""What can go wrong through no fault of ours, and which exit code does it get?

RepoctxError
├── UsageError        2  the call itself is wrong: an unknown option or model, an empty query
├── NotFoundError     1  the question was fine and the answer is "nothing", an unknown name too
├── RefusedError      3  the input is refused: not a repository, too large, not allowed
│   ├── SourceError   3  a repository, ref or path cannot be read
│   │   └── MissingRefError  3  the repository has no such ref
│   └── BusyError     3  another process is writing the same repository
├── StorageError      4  the database or the disk failed (full, read-only, corrupt)
├── BackendError      4  a model back end or the network failed
├── BudgetError       3  the pack cannot hold even what must be in it, or a task has used all that it may
└── Stopped         130  somebody has cancelled what was going on

Bad *content* is never an error: a file that cannot be used is a `Skip`, a file that cannot be
parsed has `Facts.errors`.
"""

from __future__ import annotations


class RepoctxError(Exception):
    """One clear sentence for the user: what was wrong, and what to do next."""

    exit_code = 3


class UsageError(RepoctxError):
    """The call is wrong: an unknown option or model, a bad value, an empty query."""

    exit_code = 2


class NotFoundError(RepoctxError):
    """Nothing was found, or a check did not hold."""

    exit_code = 1


class RefusedError(RepoctxError):
    """The input was understood and refused."""


class SourceError(RefusedError):
    """A repository, a ref or a path cannot be read."""


class MissingRefError(SourceError):
    """The repository can be read, and has no such branch, tag or commit."""


class BusyError(RefusedError):
    """Another process is writing the same repository."""


class BudgetError(RefusedError):
    """The budget is too small for what must be in the pack, or a task has used all that it may."""


class StorageError(RepoctxError):
    """The database or the disk failed."""

    exit_code = 4


class BackendError(RepoctxError):
    """A model back end, a clone or the network failed."""

    exit_code = 4


class Stopped(RepoctxError):
    """What was going on was cancelled; what it had finished is kept."""

    exit_code = 130
