"""The command `repoctx mcp`: MCP on standard input and output, and its entry in the settings of agents."""

from __future__ import annotations

from typing import Any

import click

from repoctx.errors import UsageError
from repoctx.serve.options import REF


@click.group(invoke_without_command=True)
@click.option("--repo", "repos", metavar="R", multiple=True, help="Only this repository, again for more.")
@REF
@click.pass_context
def mcp(context: click.Context, repos: tuple[str, ...], ref: str | None) -> None:
    """Serve MCP on standard input and output, for agents such as Qwen Code and Claude Code.

    Where an agent names no repository, the one around the current folder is meant. `repoctx mcp install` writes the
    settings of an agent; `repoctx serve` answers MCP over HTTP at /mcp.
    """
    if context.invoked_subcommand is not None:
        if repos or ref:
            raise UsageError("--repo and --ref belong to `repoctx mcp` alone: add them to the entry by hand")
        return
    from repoctx.serve.mcp import stdio

    flags: dict[str, Any] = {key: value for key, value in context.obj.items() if value is not None}
    stdio.serve(flags, repos, ref)


@mcp.command()
@click.argument("agent", required=False, type=click.Choice(["qwen", "claude"]))
@click.option(
    "--scope", type=click.Choice(["user", "project"]), default="user", show_default=True,
    help="The user's settings, or those of the project in the current folder.",
)  # fmt: skip
@click.option("--url", metavar="URL", help="Ask a service there instead of starting one here; it reads REPOCTX_TOKEN.")
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@click.pass_context
def install(context: click.Context, agent: str | None, scope: str, url: str | None, dry_run: bool) -> None:
    """Tell Qwen Code or Claude Code of this MCP server; without AGENT, those that are on this machine.

    Only the entry `mcpServers.repoctx` of the settings file is written. No token is: the entry names the variable
    REPOCTX_TOKEN.
    """
    import json

    from repoctx.serve.mcp.install import AGENTS, NAME, TOKEN, entry_for, install, present
    from repoctx.serve.show import plain

    chosen = [agent] if agent else present()
    if not chosen:
        raise UsageError("neither Qwen Code nor Claude Code is on this machine: say which, `repoctx mcp install qwen`")
    if "@" in (context.obj.get("database_url") or ""):
        raise UsageError("a database's password is not written into settings: set REPOCTX_DATABASE_URL instead")
    flags = {"--home": context.obj.get("home"), "--database-url": context.obj.get("database_url")}
    options = [part for name, value in flags.items() if value for part in (name, value)]
    for key in chosen:
        entry = entry_for(AGENTS[key], scope, url, options)
        done = install(AGENTS[key], scope, entry, dry_run)
        said = "has it already" if not done.changed else "would be changed" if dry_run else "was changed"
        click.echo(f"{done.agent}: {plain(str(done.file))} {said}")
        click.echo(f"  mcpServers.{NAME} = {plain(json.dumps(done.entry))}")
        if done.changed and not dry_run:
            click.echo(f"  to undo it, remove that entry, or run `{AGENTS[key].program} mcp remove {NAME}`")
        if scope == "project":
            click.echo(f"  {done.agent} asks whether the project may use it: {AGENTS[key].approval}")
        if url is not None:
            click.echo(f"  {done.agent} sends the token that is in the environment variable {TOKEN}")
