"""What tests of the service share: one that answers about the workspace of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served import Address, listening
from structlog.testing import capture_logs

from repoctx.serve.rest import create_app
from repoctx.workspace import Workspace


@pytest.fixture(scope="module")
def service(workspace: Workspace) -> Iterator[Address]:
    """The service on the `workspace` of a module; what it logs is kept from the output."""
    with capture_logs(), listening(create_app(workspace)) as found:
        yield found
