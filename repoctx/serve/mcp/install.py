"""Where does an agent look for MCP servers, and what does it need to know of ours?"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from repoctx.errors import UsageError
from repoctx.http import server_url
from repoctx.serve.mcp.entry import with_entry
from repoctx.serve.program import write_text
from repoctx.serve.show import plain

NAME = "repoctx"
# The environment variable that a settings file names in place of a token.
TOKEN = "REPOCTX_TOKEN"
_HEADERS = {"Authorization": f"Bearer ${{{TOKEN}}}"}
# Bytes of a settings file.
LARGEST = 50_000_000


class Agent(NamedTuple):
    """A program that uses MCP servers."""

    name: str
    program: str
    files: Mapping[str, Callable[[], Path]]  # scope -> its settings
    local: Callable[[str, list[str]], dict[str, Any]]  # command and arguments -> entry
    remote: Callable[[str], dict[str, Any]]  # URL -> entry
    approval: str  # how a user allows what stands in a project's settings


AGENTS: Mapping[str, Agent] = {
    "qwen": Agent(
        "Qwen Code",
        "qwen",
        {
            "user": lambda: Path.home() / ".qwen" / "settings.json",
            "project": lambda: Path.cwd() / ".qwen" / "settings.json",
        },
        lambda command, arguments: {"command": command, "args": arguments},
        lambda url: {"httpUrl": url, "headers": _HEADERS},
        "run `qwen mcp approve repoctx` there",
    ),
    "claude": Agent(
        "Claude Code",
        "claude",
        {
            "user": lambda: Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home()) / ".claude.json",
            "project": lambda: Path.cwd() / ".mcp.json",
        },
        lambda command, arguments: {"type": "stdio", "command": command, "args": arguments, "env": {}},
        lambda url: {"type": "http", "url": url, "headers": _HEADERS},
        "start `claude` there and approve it",
    ),
}


class Installed(NamedTuple):
    """What was done to a settings file."""

    agent: str
    file: Path
    entry: Mapping[str, Any]
    changed: bool


def present() -> list[str]:
    """The agents that are on this machine: those whose program is found, or that have settings of the user."""
    return [key for key, one in AGENTS.items() if shutil.which(one.program) or one.files["user"]().exists()]


def entry_for(agent: Agent, scope: str, url: str | None, options: list[str]) -> dict[str, Any]:
    """What an agent needs to know. Raises UsageError for a URL that cannot be used or holds a password."""
    if url is None:
        return agent.local(_program(scope), [*options, "mcp"])
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError(f"--url holds a user name or password: leave it out, and set {TOKEN} where the agent runs")
    base = server_url(url, "--url", TOKEN)
    return agent.remote(base if base.endswith("/mcp") else f"{base}/mcp")


def _program(scope: str) -> str:
    """How the agent starts us: by the path of this installation, or by name where others read the settings too."""
    started = sys.argv[0] if Path(sys.argv[0]).name == NAME else NAME
    found = shutil.which(started)
    return NAME if scope == "project" or found is None else str(Path(found).absolute())


def install(agent: Agent, scope: str, entry: Mapping[str, Any], dry_run: bool) -> Installed:
    """Set our entry in an agent's settings. Raises UsageError for a file that cannot be read, understood or written."""
    file = agent.files[scope]()
    if scope == "project" and not Path(os.path.realpath(file)).is_relative_to(Path.cwd().resolve()):
        raise UsageError(f"{plain(str(file))} leads out of this project, and is not followed: remove the link")
    try:
        if file.exists() and (not file.is_file() or file.stat().st_size > LARGEST):
            raise UsageError(f"{plain(str(file))} is no settings file: it is no file, or too large")
        old = file.read_bytes().decode("utf-8") if file.exists() else ""
    except UnicodeDecodeError:
        raise UsageError(f"{plain(str(file))} cannot be changed: it is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{plain(str(file))} cannot be read: {error.strerror}") from None
    try:
        new = with_entry(old, ("mcpServers", NAME), dict(entry))
    except UsageError as error:
        shown = json.dumps({"mcpServers": {NAME: entry}})
        raise UsageError(f"{plain(str(file))} was not changed: {error}: {shown}") from None
    if new != old and not dry_run:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{plain(str(file.parent))} cannot be made: {error.strerror}") from None
        write_text(str(file), new, private=scope == "user")
    return Installed(agent.name, file, entry, new != old)
