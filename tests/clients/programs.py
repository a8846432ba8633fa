"""Which real client programs are here, and how is one run? With a home of its own, and nowhere to go but loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

# Where npm has put them; read as the module is, before tests forget the user's settings.
CLIENTS = Path(os.environ.get("REPOCTX_TEST_CLIENTS") or Path(__file__).parent / "node_modules").resolve()
PROGRAMS = ("node/bin/node", ".bin/qwen", ".bin/claude", ".bin/mcp-inspector")
MISSING = [name for name in PROGRAMS if not (CLIENTS / name).exists()]
NEEDED = pytest.mark.skipif(
    bool(MISSING), reason=f"{CLIENTS} lacks {', '.join(MISSING)}: `make test-clients` installs the client programs"
)
# Folders with node, the clients, repoctx, and git.
PATH = [CLIENTS / "node/bin", CLIENTS / ".bin", Path(sys.executable).parent, "/usr/local/bin", "/usr/bin", "/bin"]
# Seconds that a client may take, on a machine with much else to do.
PATIENCE = 120.0
# Nothing is told to anyone, and nothing looked for; what is tried all the same meets a port that nobody listens on.
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "QWEN_TELEMETRY_ENABLED": "0",
    "QWEN_USAGE_STATISTICS_ENABLED": "0",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
}


class Ran(NamedTuple):
    """A client that has ended."""

    code: int
    out: str
    err: str


def run(folder: Path, home: Path, *command: str, **environment: str) -> Ran:
    """Run a client in a folder, with a home and an environment of its own."""
    home.mkdir(exist_ok=True)
    known = {"PATH": ":".join(map(str, PATH)), "HOME": str(home), "LANG": "C.UTF-8", **QUIET, **environment}
    done = subprocess.run(
        command, cwd=folder, env=known, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
