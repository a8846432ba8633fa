"""Git in tests: no host configuration, fixed people and dates, so that ids are stable."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WHO = {"NAME": "A U Thor", "EMAIL": "author@example.com", "DATE": "2026-01-01T00:00:00Z"}
ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"} | {
    f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in WHO.items()
}


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git in a folder: what it printed, without the last line feed."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **ENVIRONMENT}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def write_files(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write files below a folder."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
