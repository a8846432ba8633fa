"""Which indexes were made by older parsers? Until they are made anew they answer only where they are in memory."""

from __future__ import annotations

import time
from collections.abc import Mapping

from repoctx.errors import UsageError
from repoctx.parse.version import parser_version
from repoctx.store import jobs, snapshots
from repoctx.store.connect import errors
from repoctx.store.facts import batches
from repoctx.store.jobs import Asked
from repoctx.workspace import Workspace

# Jobs that are submitted in one transaction.
BATCH = 200


def renew(workspace: Workspace) -> int:
    """Ask for all refs of registered repositories that another version has indexed: how many. They wait behind pushes.

    What this version has indexed itself is told by its report; a job for what needs none does next to nothing.
    """
    with errors(workspace.engine), workspace.engine.connect() as connection:
        outdated = [
            (repository, "" if ref == default else ref)
            for repository, default, ref, report in snapshots.told_of_registered(connection)
            if not current(report.get("parsers"))
        ]
    for batch in batches(outdated, BATCH):
        with errors(workspace.engine), workspace.engine.begin() as connection:
            jobs.submit_all(connection, {one: Asked("upgrade", 1, None) for one in batch}, time.time())
    return len(outdated)


def current(parsers: Mapping[str, str] | None) -> bool:
    """Whether what these parsers found is what ours would find."""
    try:
        return parsers is not None and all(parser_version(name) == version for name, version in parsers.items())
    except UsageError:
        return False  # a language that this version does not know
