"""Which options do the commands share, and which workspace are they about?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from repoctx.workspace import Workspace

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON Lines and nothing else.")
REPO = click.option("--repo", metavar="R", help="Name or path of a repository [default: the one you stand in].")
REF = click.option("--ref", metavar="REF", help="Branch, tag or commit [default: the one indexed last].")
CLUSTER = click.option(
    "--cluster", metavar="URL", help="Have what is much done by the Dask cluster of this scheduler, tcp://host:8786."
)


@contextmanager
def workspace(context: click.Context, **flags: Any) -> Iterator[Workspace]:
    """The workspace of a command, its flags in force."""
    from repoctx.workspace import open_workspace

    with open_workspace({**context.obj, **flags}) as opened:
        yield opened
