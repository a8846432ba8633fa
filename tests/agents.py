"""Agents: the official MCP client, on standard input and over HTTP, in both versions of the protocol."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from repositories import git, write_files
from running import PROGRAM

# What a client asks for, and the version that comes of it.
MODES = {"auto": "2026-07-28", "legacy": "2025-11-25"}


def settings(home: Path) -> dict[str, str]:
    """The environment of a home."""
    return {"REPOCTX_HOME": str(home), "REPOCTX_CONFIG": str(home / "repoctx.toml")}


def made(folder: Path, files: dict[str, str], message: str = "first") -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    write_files(folder, dict(files))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return folder


@asynccontextmanager
async def on_stdio(
    home: Path, *options: str, mode: str = "auto", folder: Path | None = None, **environment: str
) -> AsyncIterator[Client]:
    """A client of `repoctx mcp`, which stands in a folder."""
    command = StdioServerParameters(
        command=PROGRAM[0], args=[*PROGRAM[1:], "mcp", *options], env={**os.environ, **settings(home), **environment},
        cwd=folder or home.parent / "shop",
    )  # fmt: skip
    async with Client(stdio_client(command), mode=mode) as client:
        yield client


@asynccontextmanager
async def on_http(url: str, token: str | None = None, mode: str = "auto") -> AsyncIterator[Client]:
    """A client of a service."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        create_mcp_http_client(headers=headers) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Run what a client does."""
    anyio.run(story)
