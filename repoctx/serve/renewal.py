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

# Jobs that are submitted in one transaction, and what for.
BATCH, CAUSE = 200, "upgrade"


def renew(workspace: Workspace) -> int:
    """Ask for all refs of registered repositories that another version has indexed: how many. They wait behind pushes.

    What this version has indexed itself is told by its report; a job for what needs none does next to nothing. What
    failed when it was asked for here waits for a push, or for somebody who asks.
    """
    with errors(workspace.engine), workspace.engine.connect() as connection:
        given_up = jobs.given_up(connection, CAUSE)
        outdated = [
            one
            for repository, default, ref, report in snapshots.told_of_registered(connection)
            if not current(report.get("parsers"))
            and (one := (repository, "" if ref == default else ref)) not in given_up
        ]
    for batch in batches(outdated, BATCH):
        with errors(workspace.engine), workspace.engine.begin() as connection:
            jobs.submit_all(connection, {one: Asked(CAUSE, 1, None) for one in batch}, time.time())
    return len(outdated)


def current(parsers: Mapping[str, str] | None) -> bool:
    """Whether what these parsers found is what ours would find."""
    try:
        return parsers is not None and all(parser_version(name) == version for name, version in parsers.items())
    except UsageError:
        return False  # a language that this version does not know
